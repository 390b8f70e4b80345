// Movement composed of views and concatenation: axes added, dropped and reordered, arrays joined and cut, repeated,
// padded.
#include <algorithm>
#include <limits>
#include <numeric>

#include "ops/composed.h"

namespace pellucid::ops {
namespace {

std::vector<int> natural_order(const Array& x) {
  std::vector<int> order(x.shape().size());
  std::iota(order.begin(), order.end(), 0);
  return order;
}

/// A place for a new axis among `rank` old ones, in [0, rank].
std::size_t new_axis(std::string_view name, int axis, std::size_t rank) {
  const int r = static_cast<int>(rank);
  const int at = axis < 0 ? axis + r + 1 : axis;
  if (at < 0 || at > r) {
    fail(name, "axis {} is out of range for a new axis among {}; it may be {} to {}", axis, r, -r - 1, r);
  }
  return static_cast<std::size_t>(at);
}

/// The part [first, last) of an axis that is known to be right.
Array part(const Array& x, std::size_t axis, std::int64_t first, std::int64_t last) {
  return slice(x, static_cast<int>(axis), first, last);
}

/// x with axis d seen `repeats` times, each element (inner) or the whole axis (outer) in a row.
Array repeated(std::string_view name, const Array& x, const std::vector<std::int64_t>& repeats, bool inner) {
  Shape apart, spread, joined;
  for (std::size_t d = 0; d < repeats.size(); ++d) {
    const std::int64_t size = x.shape()[d], count = repeats[d];
    if (count < 0)
      fail(name, "{} repetitions along axis {} of {}; the number must not be negative", count, d, x.shape());
    const Shape pair = inner ? Shape{size, 1} : Shape{1, size};
    if (count != 1) apart.insert(apart.end(), pair.begin(), pair.end());
    if (count != 1) spread.insert(spread.end(), {inner ? size : count, inner ? count : size});
    if (count == 1) apart.push_back(size);
    if (count == 1) spread.push_back(size);
    std::int64_t total = 0;
    if (__builtin_mul_overflow(size, count, &total)) {
      fail(name, "{} repetitions along axis {} of {} are more elements than can be addressed", count, d, x.shape());
    }
    joined.push_back(total);
  }
  element_count(joined, std::string(name).c_str());
  return reshape(broadcast_to(reshape(x, apart), spread), joined);
}

}  // namespace
}  // namespace pellucid::ops

namespace pellucid {

using namespace ops;  // NOLINT: the helpers above

// ---- Axes -----------------------------------------------------------------------------------------------------------

Array flatten(const Array& x, int first, int last) {
  check_defined("flatten", x);
  if (x.rank() == 0 && (first == 0 || first == -1) && (last == 0 || last == -1)) return reshape(x, {1});
  const std::size_t a = checked_axis("flatten", first, x.shape()), b = checked_axis("flatten", last, x.shape());
  if (a > b) fail("flatten", "axis {} comes after axis {} in {}; name the first one first", first, last, x.shape());
  Shape shape;
  std::int64_t joined = 1;
  for (std::size_t d = 0; d < x.shape().size(); ++d) {
    if (d < a || d > b) shape.push_back(x.shape()[d]);
    if (d >= a && d <= b) joined *= x.shape()[d];
    if (d == b) shape.push_back(joined);
  }
  return reshape(x, shape);
}

Array squeeze(const Array& x, const Axes& axes) {
  check_defined("squeeze", x);
  std::vector<bool> dropped(x.shape().size(), false);
  if (axes.all) {
    for (std::size_t d = 0; d < dropped.size(); ++d) dropped[d] = x.shape()[d] == 1;
  }
  for (std::size_t axis : checked_axes("squeeze", axes.list, x.shape())) {
    if (x.shape()[axis] != 1) {
      fail("squeeze", "axis {} of {} has size {}; only axes of size 1 can be dropped", axis, x.shape(),
           x.shape()[axis]);
    }
    dropped[axis] = true;
  }
  Shape shape;
  for (std::size_t d = 0; d < dropped.size(); ++d) {
    if (!dropped[d]) shape.push_back(x.shape()[d]);
  }
  return reshape(x, shape);
}

Array expand_dims(const Array& x, int axis) {
  check_defined("expand_dims", x);
  Shape shape = x.shape();
  shape.insert(shape.begin() + static_cast<std::ptrdiff_t>(new_axis("expand_dims", axis, shape.size())), 1);
  return reshape(x, shape);
}

Array transpose(const Array& x) {
  check_defined("transpose", x);
  if (x.rank() < 2) fail("transpose", "{} has fewer than two axes; the last two are swapped", x.shape());
  return swapaxes(x, -1, -2);
}

Array swapaxes(const Array& x, int a, int b) {
  check_defined("swapaxes", x);
  std::vector<int> order = natural_order(x);
  std::swap(order[checked_axis("swapaxes", a, x.shape())], order[checked_axis("swapaxes", b, x.shape())]);
  return permute(x, order);
}

Array moveaxis(const Array& x, int from, int to) {
  check_defined("moveaxis", x);
  const auto a = static_cast<std::ptrdiff_t>(checked_axis("moveaxis", from, x.shape()));
  const auto b = static_cast<std::ptrdiff_t>(checked_axis("moveaxis", to, x.shape()));
  std::vector<int> order = natural_order(x);
  order.erase(order.begin() + a);
  order.insert(order.begin() + b, static_cast<int>(a));
  return permute(x, order);
}

Arrays broadcast_arrays(const Arrays& arrays) {
  for (const Array& x : arrays) check_defined("broadcast_arrays", x);
  return arrays.empty() ? Arrays{} : broadcast_together("broadcast_arrays", arrays);
}

// ---- Joining and cutting --------------------------------------------------------------------------------------------

Array stack(const Arrays& arrays, int axis) {
  if (arrays.empty()) fail("stack", "the list of arrays is empty");
  Arrays expanded;
  for (const Array& x : arrays) {
    check_defined("stack", x);
    if (x.shape() != arrays[0].shape()) {
      fail("stack", "shapes {} and {} differ; all arrays must have one shape", arrays[0].shape(), x.shape());
    }
    expanded.push_back(x);
  }
  const std::size_t at = new_axis("stack", axis, arrays[0].shape().size());
  for (Array& x : expanded) x = expand_dims(x, static_cast<int>(at));
  return concat(expanded, static_cast<int>(at));
}

Arrays unstack(const Array& x, int axis) {
  check_defined("unstack", x);
  const std::size_t at = checked_axis("unstack", axis, x.shape());
  Shape shape = x.shape();
  shape.erase(shape.begin() + static_cast<std::ptrdiff_t>(at));
  Arrays parts;
  for (std::int64_t i = 0; i < x.shape()[at]; ++i) parts.push_back(reshape(part(x, at, i, i + 1), shape));
  return parts;
}

Array pad(const Array& x, const std::vector<std::pair<std::int64_t, std::int64_t>>& widths, const Array& value) {
  check_defined("pad", x);
  check_defined("pad", value);
  const std::size_t rank = x.shape().size();
  if (widths.size() != rank) {
    fail("pad", "{} pairs of widths for shape {}; give one (before, after) for each axis", widths.size(), x.shape());
  }
  if (value.rank() != 0) fail("pad", "the value has shape {}; it must be a scalar", value.shape());
  Shape start, shape = x.shape();
  bool none = true;
  for (std::size_t d = 0; d < rank; ++d) {
    const auto [before, after] = widths[d];
    if (before < 0 || after < 0) {
      fail("pad", "widths {} and {} of axis {} must not be negative; slice takes elements away", before, after, d);
    }
    std::int64_t total = 0;
    if (__builtin_add_overflow(before, after, &total) || __builtin_add_overflow(total, shape[d], &shape[d])) {
      fail("pad", "widths {} and {} of axis {} are more elements than can be addressed", before, after, d);
    }
    start.push_back(before);
    none = none && before == 0 && after == 0;
  }
  element_count(shape, "pad");
  // The literals 0 and 1 stand for false and true.
  const bool truth = x.dtype() == bool_ && value.weak() && !is_float(value.dtype());
  const Arrays same = promoted("pad", {x, truth ? astype(value, bool_) : value});
  if (none) return same[0];
  if (is_scalar_constant(value, 0)) return placed(same[0], start, Shape(rank, 1), shape);
  Array y = same[0];
  for (std::size_t d = 0; d < rank; ++d) {
    Arrays pieces;
    Shape edge = y.shape();
    for (std::int64_t width : {widths[d].first, std::int64_t{-1}, widths[d].second}) {
      edge[d] = width;
      if (width == -1) pieces.push_back(y);
      if (width > 0) pieces.push_back(broadcast_to(same[1], edge));
    }
    y = concat(pieces, static_cast<int>(d));
  }
  return y;
}

// ---- Reversing, turning, repeating ----------------------------------------------------------------------------------

Array flip(const Array& x, const Axes& axes) {
  check_defined("flip", x);
  Shape start(x.shape().size(), 0), stop = x.shape(), step(x.shape().size(), 1);
  for (std::size_t axis : axes_of("flip", axes, x.shape())) {
    if (x.shape()[axis] < 2) continue;
    start[axis] = x.shape()[axis] - 1;
    stop[axis] = -1;
    step[axis] = -1;
  }
  return slice(x, start, stop, step);
}

Array roll(const Array& x, std::int64_t shift, int axis) {
  check_defined("roll", x);
  const std::size_t at = checked_axis("roll", axis, x.shape());
  const std::int64_t n = x.shape()[at];
  const std::int64_t by = n == 0 ? 0 : (shift % n + n) % n;
  if (by == 0) return x;
  return concat({part(x, at, n - by, n), part(x, at, 0, n - by)}, static_cast<int>(at));
}

Array tile(const Array& x, const std::vector<std::int64_t>& repeats) {
  check_defined("tile", x);
  const std::size_t rank = std::max(x.shape().size(), repeats.size());
  Shape shape = x.shape();
  shape.insert(shape.begin(), rank - shape.size(), 1);
  std::vector<std::int64_t> counts = repeats;
  counts.insert(counts.begin(), rank - counts.size(), 1);
  return repeated("tile", reshape(x, shape), counts, false);
}

Array repeat(const Array& x, std::int64_t repeats, int axis) {
  check_defined("repeat", x);
  std::vector<std::int64_t> counts(x.shape().size(), 1);
  counts[checked_axis("repeat", axis, x.shape())] = repeats;
  return repeated("repeat", x, counts, true);
}

}  // namespace pellucid
