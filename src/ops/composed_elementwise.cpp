// Elementwise operations composed of others: activations that are pieces of simpler functions, softmax, bounds.
#include <cmath>
#include <limits>

#include "ops/composed.h"

namespace pellucid::ops {
namespace {

// Klambauer et al. 2017, "Self-normalizing neural networks": mean 0 and variance 1 are a fixed point.
constexpr double kSeluScale = 1.0507009873554804934;
constexpr double kSeluAlpha = 1.6732632423543772848;

// min(max(x, 0), 6) with the derivative 0 on both corners; NaN stays.
Array six(const Array& x) { return where(x >= 6, 6, relu(x)); }

// x > 0 ? above x : below (exp(x / width) - 1). The exponential sees no positive x, whose infinity would make 0 * inf
// in the derivative.
Array exponential_unit(const Array& x, double above, double below, double width) {
  const Array positive = x > 0;
  Array left = where(positive, 0, x);
  if (width != 1) left = left / width;
  left = expm1(left);
  if (below != 1) left = below * left;
  return where(positive, above == 1 ? x : above * x, left);
}

// The largest along an axis as a constant for derivatives: what is subtracted cancels, whatever it is.
Array steady_max(const Array& x, const Axes& axes) { return stop_gradient(max(x, axes, true)); }

}  // namespace
}  // namespace pellucid::ops

namespace pellucid {

using namespace ops;  // NOLINT: the helpers above

Array positive(const Array& x) {
  check_defined("positive", x);
  return x;
}

Array signbit(const Array& x) {
  check_defined("signbit", x);
  if (!is_float(x.dtype())) return astype(x, x.dtype() == bool_ ? uint8 : x.dtype()) < 0;
  return copysign(ones_like(x), x) < 0;
}

Array relu6(const Array& x) {
  check_defined("relu6", x);
  return six(x);
}

Array leaky_relu(const Array& x, double negative_slope) {
  return in_float("leaky_relu", x, [&](const Array& t) {
    return t * where(t > 0, constant(1, t.dtype()), constant(negative_slope, t.dtype()));
  });
}

Array hardsigmoid(const Array& x) {
  return in_float("hardsigmoid", x, [](const Array& t) { return six(t + 3) / 6; });
}

Array hardswish(const Array& x) {
  return in_float("hardswish", x, [](const Array& t) { return t * (six(t + 3) / 6); });
}

Array softsign(const Array& x) {
  return in_float("softsign", x, [](const Array& t) {
    // Infinities become the largest number, so that the quotient is 1 and not inf / inf.
    const double most = t.dtype() == float64 ? std::numeric_limits<double>::max() : std::numeric_limits<float>::max();
    const Array bounded = where(isinf(t), sign(t) * most, t);
    return bounded / (1 + abs(bounded));
  });
}

Array elu(const Array& x, double alpha) {
  return in_float("elu", x, [&](const Array& t) { return exponential_unit(t, 1, alpha, 1); });
}

Array selu(const Array& x) {
  return in_float("selu", x,
                  [](const Array& t) { return exponential_unit(t, kSeluScale, kSeluScale * kSeluAlpha, 1); });
}

Array celu(const Array& x, double alpha) {
  if (alpha == 0) fail("celu", "alpha is 0, and x is divided by it; any other number will do");
  return in_float("celu", x, [&](const Array& t) { return exponential_unit(t, 1, alpha, alpha); });
}

Array softmax(const Array& x, int axis) {
  check_defined("softmax", x);
  const auto at = static_cast<int>(checked_axis("softmax", axis, x.shape()));
  return in_float("softmax", x, [&](const Array& t) {
    if (t.size(at) == 0) return t;
    // One reciprocal for each row, here and in the derivative.
    const Array e = exp(t - steady_max(t, at));
    return e * reciprocal(sum(e, at, true));
  });
}

Array log_softmax(const Array& x, int axis) {
  check_defined("log_softmax", x);
  const auto at = static_cast<int>(checked_axis("log_softmax", axis, x.shape()));
  return in_float("log_softmax", x, [&](const Array& t) {
    if (t.size(at) == 0) return t;
    const Array shifted = t - steady_max(t, at);
    return shifted - log(sum(exp(shifted), at, true));
  });
}

Array logsumexp(const Array& x, const Axes& axes, bool keepdims) {
  check_defined("logsumexp", x);
  const std::vector<std::size_t> list = axes_of("logsumexp", axes, x.shape());
  return in_float("logsumexp", x, [&](const Array& t) {
    const Axes along(std::vector<int>(list.begin(), list.end()));
    if (count_along(t.shape(), list) == 0) {
      return full(sum(t, along, keepdims).shape(), -std::numeric_limits<double>::infinity(), t.dtype());
    }
    // Nothing but infinities: they are left to exp and log.
    const Array largest = steady_max(t, along);
    const Array m = where(isfinite(largest), largest, 0);
    const Array y = log(sum(exp(t - m), along, keepdims));
    return y + reshape(m, y.shape());
  });
}

Array clip(const Array& x, const Array& low, const Array& high) {
  check_defined("clip", x);
  Arrays operands{x};
  if (low.defined()) operands.push_back(low);
  if (high.defined()) operands.push_back(high);
  operands = promoted("clip", operands);
  Array y = operands[0];
  // Comparisons and not extrema: the derivative is 1 on the bounds, and NaN stays.
  if (low.defined()) y = where(y < operands[1], operands[1], y);
  if (high.defined()) y = where(y > operands.back(), operands.back(), y);
  return y;
}

Array lerp(const Array& x, const Array& y, const Array& t) {
  Arrays operands = promoted("lerp", {x, y, t});
  const DType type = operands[0].dtype();
  if (!is_float(type) || type == bfloat16) {
    for (Array& operand : operands) operand = astype(operand, float32);
  }
  const Array result = operands[0] + operands[2] * (operands[1] - operands[0]);
  return type == bfloat16 ? astype(result, bfloat16) : result;
}

Array masked_fill(const Array& x, const Array& mask, const Array& value) {
  check_defined("masked_fill", x);
  check_defined("masked_fill", mask);
  if (mask.dtype() != bool_) {
    fail("masked_fill", "the mask is {}; it must be bool, as from a comparison", mask.dtype());
  }
  return where(mask, value, x);
}

}  // namespace pellucid
