// Layers for tables: numbers made easier to learn from, and networks trained side by side. After RealMLP (Holzmueller,
// Grinsztajn, Steinwart 2024, "Better by default", arXiv 2407.04491).
#pragma once

#include <string_view>
#include <vector>

#include "pellucid/nn.h"

namespace pellucid::nn {

/// A factor for each feature of the last axis, 1 at first: which inputs count is learned, with a larger learning rate
/// than that of the layers behind it.
class FeatureScale : public Layer {
 public:
  /// Throws Error where features are not positive.
  explicit FeatureScale(std::int64_t features);
  Array operator()(const Array& x) const;
  Options options() const { return {{"features", features_}}; }
  PELLUCID_MEMBERS(weight)
  Parameter weight;  // (features)

 private:
  std::int64_t features_;
};

struct NTKLinearOptions {
  /// The standard deviation of the first weights and biases; 0 for a layer that begins at 0.
  double stddev = 1;
  DType dtype = float32;
};
/// x W / sqrt(inputs) + b: a Linear whose weights are of size 1 whatever its width, so that one learning rate fits all
/// (the neural tangent parametrisation: Jacot, Gabriel, Hongler 2018).
class NTKLinear : public Layer {
 public:
  /// Throws Error where a size is not positive.
  NTKLinear(std::int64_t inputs, std::int64_t outputs, NTKLinearOptions options = {});
  Array operator()(const Array& x) const;
  Options options() const { return {{"inputs", inputs_}, {"outputs", outputs_}, {"stddev", stddev_}}; }
  PELLUCID_MEMBERS(weight, bias)
  Parameter weight, bias;  // (inputs, outputs) and (outputs)

 private:
  std::int64_t inputs_, outputs_;
  double stddev_;
};

struct NumberEmbeddingOptions {
  std::int64_t frequencies = 16;  // waves of each number
  std::int64_t outputs = 3;       // numbers made of them
  double sigma = 0.1;             // the standard deviation of the first frequencies, in waves per unit
  DType dtype = float32;
};
/// Puts behind the features (..., features) for each of some of them `outputs` numbers that are learned functions of it
/// alone: cos(2 pi (f x + p)) W + b with frequencies f and phases p (Gorishniy, Rubachev, Babenko 2022, "On embeddings
/// for numerical features"; in the form that RealMLP calls PBLD). So steps and bumps in a number need no hidden layer.
/// (..., features) -> (..., features + numbers outputs).
class NumberEmbedding : public Layer {
 public:
  /// `numbers`: positions among the features. Throws Error where a position is out of range or there twice, there are
  /// none, or an option is not positive.
  NumberEmbedding(std::int64_t features, std::vector<std::int64_t> numbers, NumberEmbeddingOptions options = {});
  Array operator()(const Array& x) const;
  Options options() const;
  std::int64_t width() const;  // of what it gives
  PELLUCID_MEMBERS(frequency, phase, weight, bias)
  Parameter frequency, phase;  // (numbers, 1, frequencies), in waves per unit and waves
  Parameter weight, bias;      // (numbers, frequencies, outputs) and (numbers, 1, outputs)

 private:
  std::int64_t features_;
  std::vector<std::int64_t> numbers_;
  NumberEmbeddingOptions options_;
};

struct CategoryEmbeddingOptions {
  std::int64_t outputs = 8;  // numbers for each category
  DType dtype = float32;
};
/// Puts in the place of groups of features, each the one-hot code of a category, learned numbers of each category:
/// x[first : first + count] V with V (count, outputs), one behind the other in the places of the groups (Guo, Berkhahn
/// 2016, "Entity embeddings of categorical variables"). No category at all gives zeros. (..., features) -> (...,
/// features - sum of counts + groups outputs).
class CategoryEmbedding : public Layer {
 public:
  /// `firsts`, ascending, and `counts`: where each group begins, and its features. Throws Error where there are no
  /// groups, they are not as many, overlap or leave the features, or a size is not positive.
  CategoryEmbedding(std::int64_t features, std::vector<std::int64_t> firsts, std::vector<std::int64_t> counts,
                    CategoryEmbeddingOptions options = {});
  Array operator()(const Array& x) const;
  Options options() const;
  std::int64_t width() const;  // of what it gives
  PELLUCID_MEMBERS(vectors)
  Parameter vectors;  // (sum of counts, outputs), of the normal distribution at first

 private:
  std::int64_t features_;
  std::vector<std::int64_t> firsts_, counts_;
  CategoryEmbeddingOptions options_;
};

/// What an Ensemble gives of its members' outputs.
enum class EnsembleMean {
  kScores,             // their mean
  kProbabilities,      // log of the mean of softmax(temperature * output): scores whose softmax is the mean
  kScoresAndVariance,  // their mean, and behind it their variance over the members: (rows, 2 outputs)
};
/// "scores", "probabilities", "scores_and_variance".
std::string_view name_of(EnsembleMean mean);
/// Throws Error, which begins with `type`, where the name is none of these.
EnsembleMean ensemble_mean(std::string_view name, std::string_view type);

/// Networks of one shape side by side. Every parameter of `body` has a leading axis of members, and a call is one call
/// of the body under vmap: one batched graph. Each member starts, and drops in training, by a key of its own.
class Ensemble : public Layer {
 public:
  /// The body is the given layers one after the other; its parameters here are overwritten by fresh ones. Throws Error
  /// where there are no members, or a layer has buffers (batch statistics).
  Ensemble(std::int64_t members, EnsembleMean mean, std::vector<AnyLayer> body);
  /// (rows, features) -> (rows, outputs).
  Array operator()(const Array& x) const;
  /// Every member on the same rows: (rows, features) -> (members, rows, outputs), as they are.
  Array each(const Array& x) const;
  /// Each member on rows of its own: (members, rows, features) -> (members, rows, outputs).
  Array apart(const Array& x) const;
  /// The mean, by the rule of this ensemble: (members, rows, outputs) -> (rows, outputs).
  Array mean_of(const Array& outputs) const;
  /// One member as a network by itself.
  Sequential member(std::int64_t i) const;
  std::int64_t members() const { return members_; }
  Options options() const;
  void visit_members(Visitor& visitor);
  Buffer temperature;  // a scalar, 1 at first; the number that outputs are multiplied by for kProbabilities

 private:
  Array run(const Array& x, bool shared) const;
  std::int64_t members_;
  EnsembleMean mean_;
  Sequential body_;
};

/// Networks of any shapes on the same inputs, and the weighted mean of what they say.
class Blend : public Layer {
 public:
  /// Weights begin equal. Throws Error where there are no parts.
  Blend(EnsembleMean mean, std::vector<AnyLayer> parts);
  /// (rows, features) -> (rows, outputs). For kProbabilities the parts' outputs are scores; what is given is
  /// temperature * log of the weighted mean of their softmax. For kScoresAndVariance the parts' outputs are so too, and
  /// the variances are weighted by `variance_weights`.
  Array operator()(const Array& x) const;
  std::int64_t parts() const { return static_cast<std::int64_t>(parts_.size()); }
  AnyLayer& part(std::int64_t i) { return parts_[static_cast<std::size_t>(i)]; }
  Options options() const;
  void visit_members(Visitor& visitor);
  Buffer weights;           // (parts), of sum 1
  Buffer variance_weights;  // (parts), the squares of the first weights; for kScoresAndVariance alone
  Buffer temperature;       // a scalar, 1 at first

 private:
  EnsembleMean mean_;
  Sequential parts_;
};

/// (rows, 3): a value and a lower and an upper bound of it. The bounds are moved apart by `margin`, and where that
/// leaves the value outside, to the value.
///
/// (rows, 6), as an ensemble's kScoresAndVariance gives: the margin is that of one member, and the mean of members errs
/// less. A member's bound lies v, its variance at this row, about the mean bound; if truths lie normally about the
/// middle, at h to the mean bound where 5 % are beyond, then members leave out Phi(-z / sqrt(1 + z^2 v / h^2)) there on
/// average, z = 1.645, and so much is left out at the distance h / sqrt(1 + z^2 v / h^2). There the bound is put.
class Intervals : public Layer {
 public:
  Intervals() : margin(zeros({1})) {}
  Array operator()(const Array& x) const;
  PELLUCID_MEMBERS(margin)
  Buffer margin;  // (1)
};

}  // namespace pellucid::nn
