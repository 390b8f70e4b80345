// Losses for pictures that are cut into regions.
#include "pellucid/loss_picture.h"

#include "base/fail.h"
#include "nn/loss_parts.h"
#include "pellucid/ops.h"

namespace pellucid::loss {

Array Dice::operator()(const Array& prediction, const Array& target, const Array& weights) const {
  if (!(smooth >= 0)) base::fail("dice: smooth {} must not be negative", smooth);
  const Array t = matching_target("dice", prediction, target);
  if (prediction.rank() < 3) {
    base::fail("dice: the prediction has shape {}; it must be (n, spatial..., classes)", prediction.shape());
  }
  const Array p = from_logits ? sigmoid(prediction) : prediction;
  const Shape positions{p.size(0), p.size() == 0 ? 0 : -1, p.size(-1)};
  const Array flat = reshape(p, positions), flat_target = reshape(t, positions);
  const Array common = sum(flat * flat_target, 1), all = sum(flat, 1) + sum(flat_target, 1);
  return reduce_by("dice", 1.0 - (common * 2.0 + smooth) / (all + smooth), {}, reduction, weights);
}

}  // namespace pellucid::loss
