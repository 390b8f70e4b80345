// What losses share: checks, weights, classes picked out.
#include "nn/loss_parts.h"

#include <algorithm>
#include <limits>

#include "base/fail.h"
#include "pellucid/ops.h"

namespace pellucid::loss {

using base::fail;

void check_floating(std::string_view what, const Array& prediction) {
  if (!prediction.defined()) fail("{}: the prediction is an undefined Array", what);
  if (!is_float(prediction.dtype())) {
    fail("{}: the prediction has type {}; convert it to a floating type", what, prediction.dtype());
  }
}

Array matching_target(std::string_view what, const Array& prediction, const Array& target) {
  check_floating(what, prediction);
  if (!target.defined()) fail("{}: the target is an undefined Array", what);
  if (prediction.shape() != target.shape()) {
    fail("{}: prediction {} and target {} differ in shape; reshape one of them", what, prediction.shape(),
         target.shape());
  }
  return target.dtype() == prediction.dtype() ? target : astype(target, prediction.dtype());
}

namespace {

void check_indices(std::string_view what, const Array& target, std::int64_t classes,
                   std::optional<std::int64_t> ignored) {
  const std::vector<std::int64_t> indices = target.to_vector<std::int64_t>();
  for (std::size_t i = 0; i < indices.size(); ++i) {
    if ((indices[i] >= 0 && indices[i] < classes) || indices[i] == ignored) continue;
    fail("{}: target {} at position {} is no class; there are {} classes, 0 to {}", what, indices[i], i, classes,
         classes - 1);
  }
}

}  // namespace

Picked pick(std::string_view what, const Array& prediction, const Array& target, std::optional<std::int64_t> ignored) {
  check_floating(what, prediction);
  if (!target.defined()) fail("{}: the target is an undefined Array", what);
  if (prediction.rank() == 0 || prediction.size(-1) == 0) {
    fail("{}: prediction {} has no axis of classes", what, prediction.shape());
  }
  const std::int64_t classes = prediction.size(-1);
  const Shape samples(prediction.shape().begin(), prediction.shape().end() - 1);
  if (target.shape() != samples) {
    fail("{}: prediction {} needs class indices of shape {}, and the target has shape {}", what, prediction.shape(),
         samples, target.shape());
  }
  if (is_float(target.dtype())) {
    fail("{}: the target of shape {} has type {}; class indices are integers: convert it by astype", what,
         target.shape(), target.dtype());
  }
  Picked picked;
  if (target.evaluated())
    check_indices(what, target, classes, ignored);
  else if (target.dtype() != DType::kBool || classes < 2)
    picked.known = logical_and(target >= 0, target < classes);
  if (ignored) {
    picked.counted = not_equal(target, *ignored);
    if (picked.known.defined()) picked.known = logical_or(picked.known, equal(target, *ignored));
  }
  // Compared as int32: as wide as the float32 beside them.
  picked.hit = equal(expand_dims(astype(target, int32), -1), arange(classes, int32));
  return picked;
}

Array at_class(const Picked& picked, const Array& x) { return sum(where(picked.hit, x, 0.0), -1); }

Array apply(const Picked& picked, const Array& losses) {
  Array result = losses;
  if (picked.known.defined()) result = where(picked.known, result, std::numeric_limits<double>::quiet_NaN());
  if (picked.counted.defined()) result = where(picked.counted, result, 0.0);
  return result;
}

Array checked_class_weights(std::string_view what, const Array& class_weights, const Array& prediction) {
  if (!class_weights.defined()) return class_weights;
  if (class_weights.shape() != Shape{prediction.size(-1)}) {
    fail("{}: class weights of shape {} for {} classes; give one for each class", what, class_weights.shape(),
         prediction.size(-1));
  }
  return astype(class_weights, prediction.dtype());
}

namespace {

/// Weights in the losses' type, with axes of size 1 behind, so that they broadcast to the losses.
Array spread_weights(std::string_view what, const Array& losses, const Array& weights) {
  const Shape &full = losses.shape(), &given = weights.shape();
  if (given.size() > full.size() || !std::equal(given.begin(), given.end(), full.begin())) {
    fail("{}: weights of shape {} do not fit losses of shape {}; give one for each sample", what, given, full);
  }
  Shape spread = given;
  spread.resize(full.size(), 1);
  const Array typed = weights.dtype() == losses.dtype() ? weights : astype(weights, losses.dtype());
  return given.size() == full.size() ? typed : reshape(typed, spread);
}

Array divide_or_zero(const Array& total, const Array& by) { return total / where(equal(by, 0.0), 1.0, by); }

}  // namespace

Array reduce_by(std::string_view what, const Array& losses, const Array& own, Reduction reduction,
                const Array& weights) {
  if (!weights.defined()) {
    if (reduction == Reduction::kNone) return losses;
    if (reduction == Reduction::kSum) return sum(losses);
    return own.defined() ? divide_or_zero(sum(losses), sum(own)) : mean(losses);
  }
  const Array spread = spread_weights(what, losses, weights);
  const Array weighted = losses * spread;
  if (reduction == Reduction::kNone) return weighted;
  if (reduction == Reduction::kSum) return sum(weighted);
  if (own.defined()) return divide_or_zero(sum(weighted), sum(own * spread));
  const double copies =
      static_cast<double>(losses.size()) / static_cast<double>(std::max<std::int64_t>(weights.size(), 1));
  return divide_or_zero(sum(weighted), sum(spread) * copies);
}

Array reduce(std::string_view what, const Array& losses, Reduction reduction, const Array& weights) {
  return reduce_by(what, losses, {}, reduction, weights);
}

}  // namespace pellucid::loss
