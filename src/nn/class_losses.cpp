// Losses of classification.
#include <limits>

#include "base/fail.h"
#include "nn/loss_parts.h"
#include "pellucid/ops.h"

namespace pellucid::loss {

using base::fail;

namespace {

/// Logits less their maximum, and the logarithm of the sum of their exponentials: -log softmax = log_sum - shifted.
struct Shifted {
  Array shifted, log_sum;
};
Shifted shift(const Array& logits) {
  const Array shifted = logits - stop_gradient(max(logits, -1, true));
  return {shifted, log(sum(exp(shifted), -1))};
}

/// What kMean divides by: the weight of each target's class, 0 where ignored; undefined where all are 1.
Array own_weights(const Picked& picked, const Array& class_weights, DType dtype) {
  if (class_weights.defined()) return apply(picked, at_class(picked, class_weights));
  if (picked.counted.defined()) return astype(picked.counted, dtype);
  return {};
}

}  // namespace

Array CrossEntropy::operator()(const Array& prediction, const Array& target, const Array& weights) const {
  check_floating(kName, prediction);
  if (!(label_smoothing >= 0 && label_smoothing <= 1)) {
    fail("{}: label_smoothing {} must be between 0 and 1", kName, label_smoothing);
  }
  if (prediction.rank() == 0) fail("{}: prediction {} has no axis of classes", kName, prediction.shape());
  const double classes = static_cast<double>(prediction.size(-1));
  const Array by_class = checked_class_weights(kName, class_weights, prediction);
  if (target.defined() && is_float(target.dtype()) && target.shape() == prediction.shape()) {
    if (ignored_index) fail("{}: ignored_index needs a target of class indices; this one holds probabilities", kName);
    Array q = matching_target(kName, prediction, target);
    if (label_smoothing > 0) q = q * (1 - label_smoothing) + label_smoothing / classes;
    if (by_class.defined()) q = q * by_class;
    const auto [shifted, log_sum] = shift(prediction);
    return reduce(kName, log_sum * sum(q, -1) - sum(q * shifted, -1), reduction, weights);
  }
  const Picked picked = pick(kName, prediction, target, ignored_index);
  const auto [shifted, log_sum] = shift(prediction);
  Array losses = log_sum - at_class(picked, shifted);
  if (by_class.defined()) losses = losses * at_class(picked, by_class);
  if (label_smoothing > 0) {
    const Array even = by_class.defined() ? (log_sum * sum(by_class) - sum(by_class * shifted, -1)) * (1 / classes)
                                          : log_sum - mean(shifted, -1);
    losses = losses * (1 - label_smoothing) + even * label_smoothing;
  }
  return reduce_by(kName, apply(picked, losses), own_weights(picked, by_class, prediction.dtype()), reduction, weights);
}

Array NegativeLogLikelihood::operator()(const Array& prediction, const Array& target, const Array& weights) const {
  const Picked picked = pick(kName, prediction, target, ignored_index);
  const Array by_class = checked_class_weights(kName, class_weights, prediction);
  Array losses = -at_class(picked, prediction);
  if (by_class.defined()) losses = losses * at_class(picked, by_class);
  return reduce_by(kName, apply(picked, losses), own_weights(picked, by_class, prediction.dtype()), reduction, weights);
}

Array BinaryCrossEntropy::operator()(const Array& prediction, const Array& target, const Array& weights) const {
  const Array t = matching_target(kName, prediction, target);
  const bool wide = prediction.dtype() == float64, narrow = prediction.dtype() == bfloat16;
  const double least = wide ? std::numeric_limits<double>::min() : double{std::numeric_limits<float>::min()};
  const double half_unit = wide ? 0x1p-53 : narrow ? 0x1p-8 : 0x1p-24;
  const Array yes = log(maximum(prediction, least)), no = log1p(-minimum(prediction, 1 - half_unit));
  return reduce(kName, -(t * yes + (1.0 - t) * no), reduction, weights);
}

Array BinaryCrossEntropyWithLogits::operator()(const Array& prediction, const Array& target,
                                               const Array& weights) const {
  const Array t = matching_target(kName, prediction, target);
  // Each of the two terms keeps its digits however small it is; max(x, 0) - x t + log1p(exp(-|x|)) does not.
  Array yes = t * softplus(-prediction);
  if (positive_weight.defined()) {
    yes = yes * astype(positive_weight, prediction.dtype());
    if (yes.shape() != prediction.shape()) {
      fail("{}: positive_weight {} does not broadcast to the prediction {}", kName, positive_weight.shape(),
           prediction.shape());
    }
  }
  return reduce(kName, yes + (1.0 - t) * softplus(prediction), reduction, weights);
}

Array KLDivergence::operator()(const Array& prediction, const Array& target, const Array& weights) const {
  const Array t = matching_target(kName, prediction, target);
  if (prediction.rank() == 0) fail("{}: prediction {} has no axis of classes", kName, prediction.shape());
  const Array logs = from_logits ? log_softmax(prediction, -1) : prediction;
  const Array some = t > 0.0;
  const Array terms = t * (log(where(some, t, 1.0)) - where(some, logs, 0.0));
  return reduce(kName, sum(where(some, terms, 0.0), -1), reduction, weights);
}

namespace {

Array signed_margin(std::string_view what, const Array& prediction, const Array& target, double margin) {
  const Array t = matching_target(what, prediction, target);
  if (target.evaluated()) {
    for (double value : target.to_vector<double>()) {
      if (value != 1 && value != -1)
        fail("{}: target {} is neither -1 nor 1; 2 * target - 1 turns 0 and 1 into these", what, value);
    }
  }
  return relu(margin - t * prediction);
}

}  // namespace

Array Hinge::operator()(const Array& prediction, const Array& target, const Array& weights) const {
  return reduce(kName, signed_margin(kName, prediction, target, margin), reduction, weights);
}

Array SquaredHinge::operator()(const Array& prediction, const Array& target, const Array& weights) const {
  return reduce(kName, square(signed_margin(kName, prediction, target, margin)), reduction, weights);
}

Array Focal::operator()(const Array& prediction, const Array& target, const Array& weights) const {
  check_floating(kName, prediction);
  if (!(gamma >= 0)) fail("{}: gamma {} must not be negative", kName, gamma);
  if (target.defined() && target.rank() + 1 == prediction.rank()) {
    if (alpha) fail("{}: alpha is for targets 0 and 1; these are class indices", kName);
    const Picked picked = pick(kName, prediction, target, {});
    const auto [shifted, log_sum] = shift(prediction);
    Array losses = log_sum - at_class(picked, shifted);
    if (gamma > 0) losses = losses * pow(-expm1(-losses), gamma);
    return reduce(kName, apply(picked, losses), reduction, weights);
  }
  const Array t = matching_target(kName, prediction, target);
  // p = sigmoid(u), so -log(p) = softplus(-u) and log(1 - p) = -softplus(u).
  const Array u = (t * 2.0 - 1.0) * prediction;
  Array losses = softplus(-u);
  if (gamma > 0) losses = losses * exp(softplus(u) * -gamma);
  if (alpha) losses = losses * (t * (2 * *alpha - 1) + (1 - *alpha));
  return reduce(kName, losses, reduction, weights);
}

}  // namespace pellucid::loss
