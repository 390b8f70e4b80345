// Losses. Each is a value with settings that is called with (prediction, target) and perhaps weights of the samples:
//
//   pl::loss::mean_squared_error(y, target)
//   pl::loss::CrossEntropy{.label_smoothing = 0.1}(logits, labels)
//   pl::fit(net, data, {.loss = pl::loss::Huber{.delta = 0.5}})
//
// Reduction: every loss gives one number for each element (or each sample, where it says so); kNone returns them, kSum
// adds them, kMean divides the sum by their number. With weights, each number is multiplied by its weight and kMean
// divides by the sum of the weights instead (0 where that sum is 0). Weights have the shape of the numbers, or of their
// leading axes: (samples,).
//
// Prediction and target of regression losses have one shape; else they throw Error: they never broadcast. Predictions
// are floating; targets of any type are taken in the prediction's. Everything is made of public operations, so it can
// be differentiated as often as it has derivatives.
#pragma once

#include <concepts>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "pellucid/array.h"

namespace pellucid::loss {

enum class Reduction { kMean, kSum, kNone };

// ---- Regression -----------------------------------------------------------------------------------------------------

/// (prediction - target)^2.
struct MeanSquaredError {
  Reduction reduction = Reduction::kMean;
  static constexpr std::string_view kName = "mean_squared_error";
  Array operator()(const Array& prediction, const Array& target, const Array& weights = {}) const;
};
/// |prediction - target|; derivative 0 where they are equal.
struct MeanAbsoluteError {
  Reduction reduction = Reduction::kMean;
  static constexpr std::string_view kName = "mean_absolute_error";
  Array operator()(const Array& prediction, const Array& target, const Array& weights = {}) const;
};
/// d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2) (Huber 1964). Throws Error unless delta > 0.
struct Huber {
  double delta = 1;
  Reduction reduction = Reduction::kMean;
  static constexpr std::string_view kName = "huber";
  Array operator()(const Array& prediction, const Array& target, const Array& weights = {}) const;
};
/// log(cosh(d)), without overflow, and accurate for small d.
struct LogCosh {
  Reduction reduction = Reduction::kMean;
  static constexpr std::string_view kName = "log_cosh";
  Array operator()(const Array& prediction, const Array& target, const Array& weights = {}) const;
};
/// quantile (target - prediction) where the target is larger, else (1 - quantile)(prediction - target): the minimum is
/// at the target's quantile. Throws Error unless 0 < quantile < 1.
struct Quantile {
  double quantile = 0.5;
  Reduction reduction = Reduction::kMean;
  static constexpr std::string_view kName = "quantile";
  Array operator()(const Array& prediction, const Array& target, const Array& weights = {}) const;
};
/// exp(prediction) - target * prediction for counts: the prediction is the logarithm of the rate. `full` adds
/// Stirling's approximation of log(target!) where the target is more than 1.
struct PoissonNegativeLogLikelihood {
  bool full = false;
  Reduction reduction = Reduction::kMean;
  static constexpr std::string_view kName = "poisson_negative_log_likelihood";
  Array operator()(const Array& prediction, const Array& target, const Array& weights = {}) const;
};
/// (log(variance) + (mean - target)^2 / variance) / 2; `full` adds log(2 pi) / 2. The prediction's last axis holds
/// first the means and then the logarithms of the variances, and is twice as long as the target's. `of` takes them
/// apart, the variance itself, of the mean's shape; a variance below `least_variance` counts as that, and gets no
/// derivative.
struct GaussianNegativeLogLikelihood {
  bool full = false;
  double least_variance = 1e-6;
  Reduction reduction = Reduction::kMean;
  static constexpr std::string_view kName = "gaussian_negative_log_likelihood";
  Array operator()(const Array& prediction, const Array& target, const Array& weights = {}) const;
  Array of(const Array& mean, const Array& variance, const Array& target, const Array& weights = {}) const;
};

// ---- Classification -------------------------------------------------------------------------------------------------

/// -log(softmax(prediction)[target]), one number for each sample. prediction: logits (..., classes). target: class
/// indices
/// (...), integers; or probabilities (..., classes), floating.
///
/// With class weights (classes) each term of class c is multiplied by class_weights[c]; for indices, kMean then divides
/// by the sum of the weights of the targets' classes (as PyTorch does). Smoothing replaces the target by (1 -
/// label_smoothing) target
/// + label_smoothing / classes. Samples whose index is `ignored_index` count as weight 0.
///
/// An index out of range throws Error where the target's values are there to be looked at; in a compiled or batched
/// function, where they are not, that sample's loss is NaN.
struct CrossEntropy {
  Array class_weights = {};
  double label_smoothing = 0;
  std::optional<std::int64_t> ignored_index = {};
  Reduction reduction = Reduction::kMean;
  static constexpr std::string_view kName = "cross_entropy";
  Array operator()(const Array& prediction, const Array& target, const Array& weights = {}) const;
};
/// The same where the prediction is already log(probabilities), as from log_softmax: -prediction[target]. Indices only.
struct NegativeLogLikelihood {
  Array class_weights = {};
  std::optional<std::int64_t> ignored_index = {};
  Reduction reduction = Reduction::kMean;
  static constexpr std::string_view kName = "negative_log_likelihood";
  Array operator()(const Array& prediction, const Array& target, const Array& weights = {}) const;
};
/// -target log(prediction) - (1 - target) log(1 - prediction) for probabilities. Those that are exactly 0 or 1 count as
/// the nearest number between, without a derivative; prefer binary_cross_entropy_with_logits.
struct BinaryCrossEntropy {
  Reduction reduction = Reduction::kMean;
  static constexpr std::string_view kName = "binary_cross_entropy";
  Array operator()(const Array& prediction, const Array& target, const Array& weights = {}) const;
};
/// The same of sigmoid(prediction), exact for any logit; the terms of positive targets are multiplied by
/// positive_weight (a number, or an array that broadcasts to the prediction).
struct BinaryCrossEntropyWithLogits {
  Array positive_weight = {};
  Reduction reduction = Reduction::kMean;
  static constexpr std::string_view kName = "binary_cross_entropy_with_logits";
  Array operator()(const Array& prediction, const Array& target, const Array& weights = {}) const;
};
/// sum over the last axis of target (log(target) - prediction), one number for each sample; 0 where the target is 0.
/// prediction: log(probabilities), or logits where `from_logits`; target: probabilities, both (..., classes).
struct KLDivergence {
  bool from_logits = false;
  Reduction reduction = Reduction::kMean;
  static constexpr std::string_view kName = "kl_divergence";
  Array operator()(const Array& prediction, const Array& target, const Array& weights = {}) const;
};
/// max(0, margin - target * prediction), targets -1 and 1. Throws Error for other targets where their values are there.
struct Hinge {
  double margin = 1;
  Reduction reduction = Reduction::kMean;
  static constexpr std::string_view kName = "hinge";
  Array operator()(const Array& prediction, const Array& target, const Array& weights = {}) const;
};
/// The square of hinge.
struct SquaredHinge {
  double margin = 1;
  Reduction reduction = Reduction::kMean;
  static constexpr std::string_view kName = "squared_hinge";
  Array operator()(const Array& prediction, const Array& target, const Array& weights = {}) const;
};
/// -a (1 - p)^gamma log(p), where p is the probability given to what is the case (Lin et al. 2017). Targets 0 and 1 of
/// the prediction's shape: p comes from sigmoid of logits, and a is alpha for 1 and 1 - alpha for 0 (1 where alpha is
/// absent). Class indices (...) for logits (..., classes): p comes from softmax, one number for each sample, and a
/// is 1.
struct Focal {
  double gamma = 2;
  std::optional<double> alpha = {};
  Reduction reduction = Reduction::kMean;
  static constexpr std::string_view kName = "focal";
  Array operator()(const Array& prediction, const Array& target, const Array& weights = {}) const;
};

// ---- Similarity -----------------------------------------------------------------------------------------------------

/// 1 - cos(angle between prediction and target) along the last axis, one number for each sample; a vector of zeros
/// counts as one at a right angle.
struct Cosine {
  Reduction reduction = Reduction::kMean;
  static constexpr std::string_view kName = "cosine";
  Array operator()(const Array& prediction, const Array& target, const Array& weights = {}) const;
};
/// Of two vectors: 1 - cos where same is 1, max(0, cos - margin) where same is -1. x, y: (..., features), same: (...).
struct CosineEmbedding {
  double margin = 0;
  Reduction reduction = Reduction::kMean;
  static constexpr std::string_view kName = "cosine_embedding";
  Array operator()(const Array& x, const Array& y, const Array& same, const Array& weights = {}) const;
};
/// max(0, |anchor - positive| - |anchor - negative| + margin) along the last axis, one number for each sample, with
/// sqrt(d^2 + 1e-12) for each distance |d| (Schroff et al. 2015).
struct Triplet {
  double margin = 1;
  Reduction reduction = Reduction::kMean;
  static constexpr std::string_view kName = "triplet";
  Array operator()(const Array& anchor, const Array& positive, const Array& negative, const Array& weights = {}) const;
};

inline const MeanSquaredError mean_squared_error{};
inline const MeanAbsoluteError mean_absolute_error{};
inline const Huber huber{};
inline const LogCosh log_cosh{};
inline const Quantile quantile{};
inline const PoissonNegativeLogLikelihood poisson_negative_log_likelihood{};
inline const GaussianNegativeLogLikelihood gaussian_negative_log_likelihood{};
inline const CrossEntropy cross_entropy{};
inline const NegativeLogLikelihood negative_log_likelihood{};
inline const BinaryCrossEntropy binary_cross_entropy{};
inline const BinaryCrossEntropyWithLogits binary_cross_entropy_with_logits{};
inline const KLDivergence kl_divergence{};
inline const Hinge hinge{};
inline const SquaredHinge squared_hinge{};
inline const Focal focal{};
inline const Cosine cosine{};
inline const CosineEmbedding cosine_embedding{};
inline const Triplet triplet{};

// ---- Any of them ----------------------------------------------------------------------------------------------------

/// Puts together one number for each sample as `reduction` says. `what` begins error messages.
Array reduce(std::string_view what, const Array& losses, Reduction reduction, const Array& weights = {});

/// A loss of any type: one of the above, or a function of (prediction, target) or (prediction, target, weights).
class Loss {
 public:
  /// None: defined() is false.
  Loss() = default;
  template <class F>
  requires(!std::same_as<std::remove_cvref_t<F>, Loss> &&
           (std::is_invocable_r_v<Array, const F&, const Array&, const Array&, const Array&> ||
            std::is_invocable_r_v<Array, const F&, const Array&, const Array&>))
      Loss(F f) {  // NOLINT(google-explicit-constructor)
    if constexpr (requires { std::string_view(F::kName); }) name_ = F::kName;
    if constexpr (std::is_invocable_r_v<Array, const F&, const Array&, const Array&, const Array&>)
      weighted_ = std::move(f);
    else
      plain_ = std::move(f);
  }
  bool defined() const { return weighted_ != nullptr || plain_ != nullptr; }
  /// "mean_squared_error", or "loss" for a function of one's own.
  const std::string& name() const { return name_; }
  /// Throws Error where there is none, and where weights are given to a function that takes none.
  Array operator()(const Array& prediction, const Array& target, const Array& weights = {}) const;

 private:
  std::string name_ = "loss";
  std::function<Array(const Array&, const Array&, const Array&)> weighted_;
  std::function<Array(const Array&, const Array&)> plain_;
};

/// The losses with (prediction, target) by their names, with default settings. Throws Error naming all for another
/// name.
Loss by_name(std::string_view name);

}  // namespace pellucid::loss
