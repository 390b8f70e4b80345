// What the elementwise kernels are compared with: long double formulas, and the error that each function may have.
#pragma once

#include <cmath>
#include <limits>
#include <vector>

#include "kernels/kernels.h"

namespace pellucid::testing {

using Real = long double;

struct UnaryReference {
  const char* name;
  kernels::Maps kernels::MapTable::*maps;
  Real (*value)(Real);
  double bound32;           // units in the last place of float32
  double bound64;           // of float64
  bool absolute64 = false;  // below 1 the float64 error counts in units at 1: accurate absolutely, but not near zeros
};

inline constexpr Real kPi = 3.14159265358979323846264338327950288L;
inline constexpr Real kInfinity = std::numeric_limits<Real>::infinity();

inline Real sigmoid(Real x) { return x < 0 ? expl(x) / (1 + expl(x)) : 1 / (1 + expl(-x)); }
inline Real softplus(Real x) { return (x > 0 ? x : 0) + log1pl(expl(-fabsl(x))); }
inline Real log_sigmoid(Real x) { return -softplus(-x); }
// At -inf these three have the limit -0.
inline Real silu(Real x) { return x == -kInfinity ? -0.0L : x * sigmoid(x); }
inline Real mish(Real x) {
  if (x == -kInfinity) return -0.0L;
  if (x > 100) return x;
  const Real e = expl(x);
  return x * (e * (e + 2) / (e * (e + 2) + 2));
}
inline Real gelu(Real x) { return x == -kInfinity ? -0.0L : x * erfcl(-x * sqrtl(0.5L)) / 2; }
inline Real gelu_tanh(Real x) {
  return x == -kInfinity ? -0.0L : x * sigmoid(2 * sqrtl(2 / kPi) * (x + 0.044715L * x * x * x));
}
inline Real exp2_reference(Real x) { return exp2l(x); }
inline Real rsqrt(Real x) { return 1 / sqrtl(x); }
inline Real reciprocal(Real x) { return 1 / x; }
inline Real square(Real x) { return x * x; }
inline Real sign(Real x) { return x > 0 ? 1 : x < 0 ? -1 : x == 0 ? 0 : x; }
inline Real relu(Real x) { return x <= 0 ? 0 : x; }
inline Real negative(Real x) { return -x; }

/// Newton's method on erf or, in the tails, on erfc.
inline Real erfinv(Real x) {
  const Real a = fabsl(x);
  if (!(a < 1)) return a == 1 ? copysignl(kInfinity, x) : std::numeric_limits<Real>::quiet_NaN();
  if (a < 1e-9L) return x * sqrtl(kPi) / 2;
  const Real w = -log1pl(-a * a);
  Real y = w < 5 ? a : sqrtl(w) - 0.3L;
  for (int i = 0; i < 60; ++i) {
    const Real gap = a < 0.5L ? erfl(y) - a : (1 - a) - erfcl(y);
    const Real delta = gap * sqrtl(kPi) / 2 * expl(y * y);
    const Real step = delta / (1 + y * delta);
    y -= step;
    if (fabsl(step) < 1e-19L * fabsl(y)) break;
  }
  return copysignl(y, x);
}

/// The asymptotic series after a recurrence to x >= 30, reflection on the left.
inline Real digamma(Real x) {
  if (x == 0) return std::signbit(x) ? kInfinity : -kInfinity;
  if (x < 0) {
    const Real t = x - roundl(x);
    if (t == 0 || x == -kInfinity) return std::numeric_limits<Real>::quiet_NaN();
    return digamma(1 - x) - kPi * cosl(kPi * t) / sinl(kPi * t);
  }
  Real sum = 0;
  for (; x < 30; x += 1) sum -= 1 / x;
  const Real z = 1 / (x * x);
  const Real series =
      z * (1 / 12.0L -
           z * (1 / 120.0L - z * (1 / 252.0L - z * (1 / 240.0L - z * (1 / 132.0L - z * (691 / 32760.0L - z / 12))))));
  return logl(x) - 1 / (2 * x) - series + sum;
}

/// lgamma: the C library's keeps its sign in a global variable; this does not.
inline Real log_gamma(Real x) {
  int sign_of_gamma;
  return lgammal_r(x, &sign_of_gamma);
}

inline const std::vector<UnaryReference>& unary_references() {
  using T = kernels::MapTable;
  static const std::vector<UnaryReference> rows = {
      {"negative", &T::negative, negative, 0, 0},
      {"absolute", &T::absolute, fabsl, 0, 0},
      {"sign", &T::sign, sign, 0, 0},
      {"floor", &T::floor, floorl, 0, 0},
      {"ceil", &T::ceil, ceill, 0, 0},
      {"trunc", &T::trunc, truncl, 0, 0},
      {"round", &T::round, rintl, 0, 0},
      {"relu", &T::relu, relu, 0, 0},
      {"sqrt", &T::sqrt, sqrtl, 0.501, 0.501},
      {"rsqrt", &T::rsqrt, rsqrt, 1.5, 1.5},
      {"reciprocal", &T::reciprocal, reciprocal, 0.501, 0.501},
      {"square", &T::square, square, 0.501, 0.501},
      {"exp", &T::exp, expl, 1, 1},
      {"exp2", &T::exp2, exp2_reference, 1, 1},
      {"expm1", &T::expm1, expm1l, 1, 2},
      {"log", &T::log, logl, 1, 1},
      {"log2", &T::log2, log2l, 1, 1},
      {"log10", &T::log10, log10l, 1, 1},
      {"log1p", &T::log1p, log1pl, 1, 1},
      {"sin", &T::sin, sinl, 1, 1},
      {"cos", &T::cos, cosl, 1, 1},
      {"tan", &T::tan, tanl, 1, 2.5},
      {"asin", &T::asin, asinl, 1, 2},
      {"acos", &T::acos, acosl, 1, 2},
      {"atan", &T::atan, atanl, 1, 2},
      {"sinh", &T::sinh, sinhl, 1, 3},
      {"cosh", &T::cosh, coshl, 1, 2},
      {"tanh", &T::tanh, tanhl, 1, 3},
      {"asinh", &T::asinh, asinhl, 1, 3},
      {"acosh", &T::acosh, acoshl, 1, 3},
      {"atanh", &T::atanh, atanhl, 1, 3},
      {"erf", &T::erf, erfl, 2, 2},
      {"erfc", &T::erfc, erfcl, 1, 4},
      {"erfinv", &T::erfinv, erfinv, 1, 6},
      {"lgamma", &T::lgamma, log_gamma, 1, 64, true},
      {"digamma", &T::digamma, digamma, 1, 64, true},
      {"sigmoid", &T::sigmoid, sigmoid, 1, 3},
      {"softplus", &T::softplus, softplus, 2, 2},
      {"log_sigmoid", &T::log_sigmoid, log_sigmoid, 2, 2},
      {"silu", &T::silu, silu, 1.1, 4},
      {"mish", &T::mish, mish, 1.1, 5},
      {"gelu", &T::gelu, gelu, 1, 5},
      {"gelu_tanh", &T::gelu_tanh, gelu_tanh, 1.4, 5},
  };
  return rows;
}

/// The distance between numbers of type T next to `exact`.
template <class T>
Real unit_at(Real exact) {
  int exponent = 0;
  frexpl(exact, &exponent);
  using Limits = std::numeric_limits<T>;
  const int least = Limits::min_exponent - Limits::digits;
  return ldexpl(1, std::max(exponent - Limits::digits, least));
}

/// How far `value` is from `exact`, in units in the last place: 0 where both are NaN or the same infinity, huge where
/// one of them alone is.
template <class T>
double error_of(T value, Real exact) {
  constexpr double kHuge = 1e30;
  if (std::isnan(exact) || std::isnan(value)) return std::isnan(exact) && std::isnan(value) ? 0 : kHuge;
  if (std::isinf(static_cast<T>(exact)) || std::isinf(value)) return static_cast<T>(exact) == value ? 0 : kHuge;
  return static_cast<double>(fabsl(static_cast<Real>(value) - exact) / unit_at<T>(exact));
}

}  // namespace pellucid::testing
