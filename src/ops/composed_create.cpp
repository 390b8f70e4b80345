// Arrays made from nothing but numbers: constants, ranges, triangles, grids. Constants are scalars seen under a larger
// shape, so they take no memory.
#include <cmath>
#include <limits>
#include <numeric>

#include "ops/composed.h"

namespace pellucid::ops {

void check_defined(std::string_view name, const Array& x) {
  if (!x.defined()) fail(name, "an operand is an undefined Array (default-constructed or moved from)");
}

Array floating(std::string_view name, const Array& x) {
  check_defined(name, x);
  return is_float(x.dtype()) ? x : astype(x, float32);
}

Array constant(double value, DType dtype) { return astype(Array(value), dtype); }

Array constant_int64(std::int64_t value) { return Array::from(std::vector<std::int64_t>{value}, {}); }

std::vector<std::size_t> axes_of(std::string_view name, const Axes& axes, const Shape& shape) {
  if (!axes.all) return checked_axes(name, axes.list, shape);
  std::vector<std::size_t> list(shape.size());
  std::iota(list.begin(), list.end(), std::size_t{0});
  return list;
}

std::int64_t count_along(const Shape& shape, const std::vector<std::size_t>& axes) {
  std::int64_t count = 1;
  for (std::size_t axis : axes) count *= shape[axis];
  return count;
}

Array root(const Array& x) {
  const Array zero = equal(x, 0);
  return where(zero, 0, sqrt(where(zero, 1, x)));
}

namespace {

Array filled(std::string_view name, const Shape& shape, const Array& scalar, DType dtype) {
  check_defined(name, scalar);
  if (scalar.rank() != 0) {
    fail(name, "the value has shape {}; it must be a scalar (broadcast_to repeats others)", scalar.shape());
  }
  element_count(shape, std::string(name).c_str());
  return broadcast_to(astype(scalar, dtype), shape);
}

// The last two axes as (rows, columns), with k + row - column kept >= 0 (lower) or <= 0.
Array triangle(std::string_view name, const Array& x, std::int64_t k, bool lower) {
  check_defined(name, x);
  if (x.rank() < 2) fail(name, "{} has fewer than two axes; a triangle is taken of the last two", x.shape());
  const Array rows = reshape(arange(x.size(-2)), {x.size(-2), 1}) + constant_int64(k);
  const Array columns = arange(x.size(-1));
  return where(lower ? rows >= columns : rows <= columns, x, constant(0, x.dtype()));
}

}  // namespace
}  // namespace pellucid::ops

namespace pellucid {

using namespace ops;  // NOLINT: the helpers above

Array zeros(const Shape& shape, DType dtype) { return filled("zeros", shape, 0, dtype); }
Array ones(const Shape& shape, DType dtype) { return filled("ones", shape, 1, dtype); }

Array full(const Shape& shape, const Array& scalar) {
  check_defined("full", scalar);
  return filled("full", shape, scalar, scalar.dtype());
}
Array full(const Shape& shape, const Array& scalar, DType dtype) { return filled("full", shape, scalar, dtype); }

Array zeros_like(const Array& x) {
  check_defined("zeros_like", x);
  return filled("zeros_like", x.shape(), 0, x.dtype());
}
Array ones_like(const Array& x) {
  check_defined("ones_like", x);
  return filled("ones_like", x.shape(), 1, x.dtype());
}
Array full_like(const Array& x, const Array& scalar) {
  check_defined("full_like", x);
  return filled("full_like", x.shape(), scalar, x.dtype());
}

Array arange(double start, double stop, double step, DType dtype) {
  const auto whole = [](double value) { return value == std::floor(value) && std::abs(value) <= 0x1p53; };
  if (!std::isfinite(start) || !std::isfinite(stop) || !std::isfinite(step) || step == 0) {
    fail("arange", "{} to {} in steps of {}: all three must be finite, and the step not 0", start, stop, step);
  }
  if (!is_float(dtype) && !(whole(start) && whole(step))) {
    fail("arange", "start {} and step {} must be whole numbers for {}; name a float type", start, step, dtype);
  }
  const double count = std::max(0.0, std::ceil((stop - start) / step));
  if (!(count < 0x1p53)) fail("arange", "{} to {} in steps of {} are too many elements", start, stop, step);
  const auto n = static_cast<std::int64_t>(count);
  if (!is_float(dtype)) {
    const Array first = constant_int64(static_cast<std::int64_t>(start));
    return astype(first + arange(n) * constant_int64(static_cast<std::int64_t>(step)), dtype);
  }
  return astype(constant(start, float64) + arange(n, float64) * constant(step, float64), dtype);
}

Array linspace(double start, double stop, std::int64_t count, DType dtype) {
  if (!is_float(dtype)) {
    fail("linspace", "{} holds no evenly spaced fractions; take a float type, and round and cast the result", dtype);
  }
  if (!std::isfinite(start) || !std::isfinite(stop))
    fail("linspace", "{} to {}: both ends must be finite", start, stop);
  if (count < 0) fail("linspace", "the count {} is negative", count);
  if (count < 2) return full({count}, constant(start, float64), dtype);
  const double step = (stop - start) / static_cast<double>(count - 1);
  const Array i = arange(count, float64);
  const Array y = constant(start, float64) + i * constant(step, float64);
  return astype(where(equal(i, constant(static_cast<double>(count - 1), float64)), constant(stop, float64), y), dtype);
}

Array eye(std::int64_t n, std::int64_t m, DType dtype) {
  if (m == -1) m = n;
  if (n < 0 || m < 0) fail("eye", "sizes {} and {} must not be negative", n, m);
  return astype(equal(reshape(arange(n), {n, 1}), arange(m)), dtype);
}

Array tril(const Array& x, std::int64_t k) { return triangle("tril", x, k, true); }
Array triu(const Array& x, std::int64_t k) { return triangle("triu", x, k, false); }

Arrays meshgrid(const Arrays& vectors) {
  Shape shape;
  for (const Array& x : vectors) {
    check_defined("meshgrid", x);
    if (x.rank() != 1) fail("meshgrid", "an operand has shape {}; all must be vectors", x.shape());
    shape.push_back(x.size());
  }
  element_count(shape, "meshgrid");
  Arrays grids;
  for (std::size_t d = 0; d < vectors.size(); ++d) {
    Shape own(vectors.size(), 1);
    own[d] = shape[d];
    grids.push_back(broadcast_to(reshape(vectors[d], own), shape));
  }
  return grids;
}

Array diag(const Array& x) {
  check_defined("diag", x);
  if (x.rank() == 0) fail("diag", "a scalar has no diagonal; give a vector or a matrix");
  if (x.rank() == 1) return where(eye(x.size(), -1, bool_), x, constant(0, x.dtype()));
  const std::int64_t n = x.size(-2), m = x.size(-1), count = std::min(n, m);
  Shape flat(x.shape().begin(), x.shape().end() - 2);
  flat.push_back(n * m);
  // Element (i, i) of an n x m matrix stands at i * (m + 1).
  return slice(reshape(x, flat), -1, 0, count == 0 ? 0 : (count - 1) * (m + 1) + 1, m + 1);
}

}  // namespace pellucid
