// Basic indexing: positions, slices, new axes and the ellipsis, made into one slice and one reshape.
#include <algorithm>

#include "ops/composed.h"

namespace pellucid::ops {
namespace {

/// What an index makes of one axis of x: elements first, first + step, ... before stop.
struct Range {
  std::int64_t first = 0, stop = 0, step = 1, count = 0;
};

Range position(const Shape& shape, std::size_t axis, std::int64_t at) {
  const std::int64_t n = shape[axis];
  if (at < -n || at >= n) {
    if (n == 0) fail("index", "position {} along axis {} of {}, which has no elements", at, axis, shape);
    fail("index", "position {} is out of range for axis {} of {}; its size is {}, positions run from {} to {}", at,
         axis, shape, n, -n, n - 1);
  }
  const std::int64_t first = at < 0 ? at + n : at;
  return {first, first + 1, 1, 1};
}

/// Python's rule: ends beyond the border stop at the border.
Range range(const Shape& shape, std::size_t axis, const Slice& slice) {
  const std::int64_t n = shape[axis], step = slice.step;
  if (step == 0) fail("index", "the step of the slice of axis {} is 0; it must be positive or negative", axis);
  const std::int64_t lowest = step > 0 ? 0 : -1, highest = step > 0 ? n : n - 1;
  const auto bounded = [&](std::optional<std::int64_t> end, std::int64_t absent) {
    if (!end) return absent;
    return std::clamp(*end < 0 ? *end + n : *end, lowest, highest);
  };
  Range result;
  result.first = bounded(slice.start, step > 0 ? lowest : highest);
  result.stop = bounded(slice.stop, step > 0 ? highest : lowest);
  result.step = step;
  const std::int64_t length = step > 0 ? result.stop - result.first : result.first - result.stop;
  if (length <= 0) return {0, 0, 1, 0};
  if (step > length || step < -length) return {result.first, result.first + 1, 1, 1};
  result.count = (length - 1) / (step > 0 ? step : -step) + 1;
  return result;
}

}  // namespace
}  // namespace pellucid::ops

namespace pellucid {

using namespace ops;  // NOLINT: the helpers above

Array index(const Array& x, const std::vector<Index>& indices) {
  check_defined("index", x);
  const Shape& shape = x.shape();
  std::size_t taken = 0, ellipses = 0;
  for (const Index& entry : indices) {
    taken += std::holds_alternative<std::int64_t>(entry) || std::holds_alternative<Slice>(entry) ? 1 : 0;
    ellipses += std::holds_alternative<Ellipsis>(entry) ? 1 : 0;
  }
  if (ellipses > 1) fail("index", "{} ellipses; only one can stand for the axes that are left", ellipses);
  if (taken > shape.size()) {
    fail("index", "{} positions and slices for an array of shape {}, which has {} axes", taken, shape, shape.size());
  }
  Shape start, stop, step, result;
  std::size_t axis = 0;
  const auto add = [&](const Range& part, bool kept) {
    start.push_back(part.first);
    stop.push_back(part.stop);
    step.push_back(part.step);
    if (kept) result.push_back(part.count);
    ++axis;
  };
  const auto add_whole = [&] { add({0, shape[axis], 1, shape[axis]}, true); };
  for (const Index& entry : indices) {
    if (const auto* at = std::get_if<std::int64_t>(&entry)) {
      add(position(shape, axis, *at), false);
    } else if (const auto* part = std::get_if<Slice>(&entry)) {
      add(range(shape, axis, *part), true);
    } else if (std::holds_alternative<NewAxis>(entry)) {
      result.push_back(1);
    } else {
      for (std::size_t left = shape.size() - taken; left > 0; --left) add_whole();
    }
  }
  while (axis < shape.size()) add_whole();
  return reshape(slice(x, start, stop, step), result);
}

Array slice(const Array& x, int axis, std::int64_t start, std::int64_t stop, std::int64_t step) {
  check_defined("slice", x);
  const std::size_t at = checked_axis("slice", axis, x.shape());
  Shape first(x.shape().size(), 0), last = x.shape(), steps(x.shape().size(), 1);
  first[at] = start;
  last[at] = stop;
  steps[at] = step;
  return slice(x, first, last, steps);
}

}  // namespace pellucid
