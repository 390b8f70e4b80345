// Help for operations that are composed of others: they are plain functions, so every transform works on them.
#pragma once

#include <string_view>
#include <vector>

#include "ops/record.h"
#include "pellucid/ops.h"

namespace pellucid::ops {

/// Throws Error where x is undefined.
void check_defined(std::string_view name, const Array& x);
/// x where it is of floating type, else x as float32.
Array floating(std::string_view name, const Array& x);
/// f(x) of floating type: integers and bool become float32 first; bfloat16 is computed in float32 and rounded once.
template <class F>
Array in_float(std::string_view name, const Array& x, const F& f) {
  const Array y = floating(name, x);
  return y.dtype() == bfloat16 ? astype(f(astype(y, float32)), bfloat16) : f(y);
}
/// A scalar of the type, no literal any more.
Array constant(double value, DType dtype);
/// An int64 scalar with all its digits.
Array constant_int64(std::int64_t value);
/// The axes that are meant, sorted.
std::vector<std::size_t> axes_of(std::string_view name, const Axes& axes, const Shape& shape);
/// The number of elements of one reduction over the axes.
std::int64_t count_along(const Shape& shape, const std::vector<std::size_t>& axes);
/// sqrt(x) for x >= 0, with the derivative 0 at 0.
Array root(const Array& x);

}  // namespace pellucid::ops
