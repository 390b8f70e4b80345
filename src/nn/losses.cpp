// Losses of regression and similarity.
#include <cmath>
#include <map>
#include <numbers>

#include "base/fail.h"
#include "nn/loss_parts.h"
#include "pellucid/ops.h"

namespace pellucid::loss {

using base::fail;

// ---- Regression -----------------------------------------------------------------------------------------------------

Array MeanSquaredError::operator()(const Array& prediction, const Array& target, const Array& weights) const {
  return reduce(kName, square(prediction - matching_target(kName, prediction, target)), reduction, weights);
}

Array MeanAbsoluteError::operator()(const Array& prediction, const Array& target, const Array& weights) const {
  return reduce(kName, abs(prediction - matching_target(kName, prediction, target)), reduction, weights);
}

Array Huber::operator()(const Array& prediction, const Array& target, const Array& weights) const {
  if (!(delta > 0)) fail("{}: delta {} must be positive", kName, delta);
  const Array d = prediction - matching_target(kName, prediction, target);
  // c (d - c / 2) is d^2 / 2 where d is within the bounds, so c = d, and delta (|d| - delta / 2) beyond.
  const Array c = clip(d, -delta, delta);
  return reduce(kName, c * (d - c * 0.5), reduction, weights);
}

Array LogCosh::operator()(const Array& prediction, const Array& target, const Array& weights) const {
  const Array d = prediction - matching_target(kName, prediction, target);
  const Array size = abs(d);
  // cosh(d) = 1 + 2 sinh(d / 2)^2 keeps the digits of small d; the other form does not overflow.
  const Array small = log1p(square(sinh(clip(d, -1.0, 1.0) * 0.5)) * 2.0);
  const Array large = size + log1p(exp(size * -2.0)) - std::numbers::ln2;
  return reduce(kName, where(size < 1.0, small, large), reduction, weights);
}

Array Quantile::operator()(const Array& prediction, const Array& target, const Array& weights) const {
  if (!(quantile > 0 && quantile < 1)) fail("{}: the quantile {} must be between 0 and 1", kName, quantile);
  const Array d = matching_target(kName, prediction, target) - prediction;
  return reduce(kName, where(d >= 0.0, d * quantile, d * (quantile - 1)), reduction, weights);
}

Array PoissonNegativeLogLikelihood::operator()(const Array& prediction, const Array& target,
                                               const Array& weights) const {
  const Array t = matching_target(kName, prediction, target);
  Array losses = exp(prediction) - t * prediction;
  if (full) {
    const Array large = t > 1.0;
    const Array s = where(large, t, 1.0);
    losses = losses + where(large, s * log(s) - s + log(s * (2 * std::numbers::pi)) * 0.5, 0.0);
  }
  return reduce(kName, losses, reduction, weights);
}

namespace {
constexpr double kHalfLogTwoPi = 0.91893853320467274178;
}

Array GaussianNegativeLogLikelihood::operator()(const Array& prediction, const Array& target,
                                                const Array& weights) const {
  check_floating(kName, prediction);
  if (!target.defined()) fail("{}: the target is an undefined Array", kName);
  Shape wanted = target.shape();
  if (!wanted.empty()) wanted.back() *= 2;
  if (wanted.empty() || prediction.shape() != wanted) {
    fail("{}: prediction {} must hold means and log variances: twice as long in the last axis as the target {}", kName,
         prediction.shape(), target.shape());
  }
  const std::int64_t n = target.size(-1);
  const Array mean = slice(prediction, -1, 0, n), log_variance = slice(prediction, -1, n, 2 * n);
  const Array d = mean - matching_target(kName, mean, target);
  Array losses = (log_variance + square(d) * exp(-log_variance)) * 0.5;
  if (full) losses = losses + kHalfLogTwoPi;
  return reduce(kName, losses, reduction, weights);
}

Array GaussianNegativeLogLikelihood::of(const Array& mean, const Array& variance, const Array& target,
                                        const Array& weights) const {
  const Array d = mean - matching_target(kName, mean, target);
  const Array v = maximum(matching_target(kName, mean, variance), least_variance);
  Array losses = (log(v) + square(d) / v) * 0.5;
  if (full) losses = losses + kHalfLogTwoPi;
  return reduce(kName, losses, reduction, weights);
}

// ---- Similarity -----------------------------------------------------------------------------------------------------

namespace {

constexpr double kLeastSquare = 1e-16;

Array cosine_of(const Array& x, const Array& y) {
  const auto inverse_length = [](const Array& v) { return rsqrt(maximum(sum(square(v), -1), kLeastSquare)); };
  return sum(x * y, -1) * inverse_length(x) * inverse_length(y);
}

void check_vectors(std::string_view what, const Array& x) {
  if (x.rank() == 0) fail("{}: a scalar is no vector; give (..., features)", what);
}

}  // namespace

Array Cosine::operator()(const Array& prediction, const Array& target, const Array& weights) const {
  const Array t = matching_target(kName, prediction, target);
  check_vectors(kName, prediction);
  return reduce(kName, 1.0 - cosine_of(prediction, t), reduction, weights);
}

Array CosineEmbedding::operator()(const Array& x, const Array& y, const Array& same, const Array& weights) const {
  const Array other = matching_target(kName, x, y);
  check_vectors(kName, x);
  const Array along = cosine_of(x, other);
  const Array alike = matching_target(kName, along, same);
  return reduce(kName, where(alike > 0.0, 1.0 - along, relu(along - margin)), reduction, weights);
}

Array Triplet::operator()(const Array& anchor, const Array& positive, const Array& negative,
                          const Array& weights) const {
  const Array near = matching_target(kName, anchor, positive), far = matching_target(kName, anchor, negative);
  check_vectors(kName, anchor);
  const auto distance = [&](const Array& y) { return sqrt(sum(square(anchor - y), -1) + 1e-12); };
  return reduce(kName, relu(distance(near) - distance(far) + margin), reduction, weights);
}

// ---- Any loss -------------------------------------------------------------------------------------------------------

Array Loss::operator()(const Array& prediction, const Array& target, const Array& weights) const {
  if (weighted_) return weighted_(prediction, target, weights);
  if (!plain_) fail("loss: there is none; give one, such as loss::mean_squared_error");
  if (weights.defined())
    fail("{}: this function takes no weights of samples; give it a third argument for them", name_);
  return plain_(prediction, target);
}

Loss by_name(std::string_view name) {
  static const auto* losses = new std::map<std::string_view, Loss>{
      {MeanSquaredError::kName, mean_squared_error},
      {MeanAbsoluteError::kName, mean_absolute_error},
      {Huber::kName, huber},
      {LogCosh::kName, log_cosh},
      {Quantile::kName, quantile},
      {PoissonNegativeLogLikelihood::kName, poisson_negative_log_likelihood},
      {GaussianNegativeLogLikelihood::kName, gaussian_negative_log_likelihood},
      {CrossEntropy::kName, cross_entropy},
      {NegativeLogLikelihood::kName, negative_log_likelihood},
      {BinaryCrossEntropy::kName, binary_cross_entropy},
      {BinaryCrossEntropyWithLogits::kName, binary_cross_entropy_with_logits},
      {KLDivergence::kName, kl_divergence},
      {Hinge::kName, hinge},
      {SquaredHinge::kName, squared_hinge},
      {Focal::kName, focal},
      {Cosine::kName, cosine},
  };
  const auto found = losses->find(name);
  if (found != losses->end()) return found->second;
  std::string all;
  for (const auto& [known, loss] : *losses) all += (all.empty() ? "" : ", ") + std::string(known);
  fail("loss: '{}' is unknown; there are {}", name, all);
}

}  // namespace pellucid::loss
