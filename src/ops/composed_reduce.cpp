// Reductions composed of sums and extrema.
#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/composed.h"

namespace pellucid::ops {
namespace {

Array mean_of(const Array& x, const std::vector<std::size_t>& axes, bool keepdims) {
  const Axes along(std::vector<int>(axes.begin(), axes.end()));
  return sum(x, along, keepdims) / static_cast<double>(count_along(x.shape(), axes));
}

// Two passes: deviations from the mean are squared, so that a large mean costs no digits.
Array variance(const Array& x, const std::vector<std::size_t>& axes, double correction, bool keepdims) {
  const Array deviation = x - mean_of(x, axes, true);
  const double n = std::max(0.0, static_cast<double>(count_along(x.shape(), axes)) - correction);
  return sum(square(deviation), Axes(std::vector<int>(axes.begin(), axes.end())), keepdims) / n;
}

}  // namespace
}  // namespace pellucid::ops

namespace pellucid {

using namespace ops;  // NOLINT: the helpers above

Array mean(const Array& x, const Axes& axes, bool keepdims) {
  check_defined("mean", x);
  const std::vector<std::size_t> list = axes_of("mean", axes, x.shape());
  if (is_integer(x.dtype())) {  // added up exactly
    const Array total = sum(x, Axes(std::vector<int>(list.begin(), list.end())), keepdims);
    return astype(total, float32) / static_cast<double>(count_along(x.shape(), list));
  }
  return in_float("mean", x, [&](const Array& t) { return mean_of(t, list, keepdims); });
}

Array var(const Array& x, const Axes& axes, double correction, bool keepdims) {
  check_defined("var", x);
  const std::vector<std::size_t> list = axes_of("var", axes, x.shape());
  return in_float("var", x, [&](const Array& t) { return variance(t, list, correction, keepdims); });
}

Array std(const Array& x, const Axes& axes, double correction, bool keepdims) {
  check_defined("std", x);
  const std::vector<std::size_t> list = axes_of("std", axes, x.shape());
  return in_float("std", x, [&](const Array& t) { return root(variance(t, list, correction, keepdims)); });
}

Array any(const Array& x, const Axes& axes, bool keepdims) {
  check_defined("any", x);
  return reduce_bool("any", x, axes, keepdims, true);
}

Array all(const Array& x, const Axes& axes, bool keepdims) {
  check_defined("all", x);
  return reduce_bool("all", x, axes, keepdims, false);
}

Array norm(const Array& x, const Axes& axes, double p, bool keepdims) {
  if (!(p > 0)) fail("norm", "p is {}; it must be above 0 (infinity gives the largest magnitude)", p);
  check_defined("norm", x);
  const std::vector<std::size_t> list = axes_of("norm", axes, x.shape());
  const Axes along(std::vector<int>(list.begin(), list.end()));
  return in_float("norm", x, [&](const Array& t) {
    if (p == 2) return root(sum(square(t), along, keepdims));
    if (p == 1) return sum(abs(t), along, keepdims);
    if (std::isinf(p)) {
      return count_along(t.shape(), list) == 0 ? sum(t, along, keepdims) : max(abs(t), along, keepdims);
    }
    // Zeros keep away from the powers, whose derivatives are infinite there where p < 1.
    const Array zero = equal(t, 0);
    const Array total = sum(where(zero, 0, pow(where(zero, 1, abs(t)), p)), along, keepdims);
    const Array none = equal(total, 0);
    return where(none, 0, pow(where(none, 1, total), 1 / p));
  });
}

}  // namespace pellucid
