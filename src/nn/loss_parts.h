// What losses share: checks, weights, classes picked out.
#pragma once

#include <optional>
#include <string_view>

#include "pellucid/loss.h"

namespace pellucid::loss {

/// `target` in the prediction's type. Throws unless the prediction is floating and the shapes agree.
Array matching_target(std::string_view what, const Array& prediction, const Array& target);
/// Throws unless the prediction is floating.
void check_floating(std::string_view what, const Array& prediction);

/// Class indices against a last axis of classes.
struct Picked {
  Array hit;      // (..., classes): true at the target's class
  Array counted;  // (...): false where ignored; undefined: all count
  Array known;    // (...): false where the index is no class; undefined: checked already
};
/// Throws where the shapes do not fit, the indices are not integers, or an index that can be seen is out of range.
Picked pick(std::string_view what, const Array& prediction, const Array& target, std::optional<std::int64_t> ignored);
/// x at the target's class, summed over classes; zero where no class is hit.
Array at_class(const Picked& picked, const Array& x);
/// Zero where ignored, NaN where the index is no class.
Array apply(const Picked& picked, const Array& losses);

/// Throws unless class weights are absent or (classes), and gives them in the prediction's type.
Array checked_class_weights(std::string_view what, const Array& class_weights, const Array& prediction);

/// reduce() where kMean divides by the sum of `own` (of the losses' shape; undefined: 1 each) times the weights.
Array reduce_by(std::string_view what, const Array& losses, const Array& own, Reduction reduction,
                const Array& weights);

}  // namespace pellucid::loss
