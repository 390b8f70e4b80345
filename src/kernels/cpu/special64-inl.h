// Formulas over vectors of float64: the error function and its kin, the gamma functions, and functions of two operands.
// kWide as in math64-inl.h.
#if defined(PELLUCID_KERNELS_CPU_SPECIAL64_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef PELLUCID_KERNELS_CPU_SPECIAL64_INL_H_
#undef PELLUCID_KERNELS_CPU_SPECIAL64_INL_H_
#else
#define PELLUCID_KERNELS_CPU_SPECIAL64_INL_H_
#endif

#include "hwy/highway.h"
#include "kernels/cpu/exact_remainder.h"
#include "kernels/cpu/math64-inl.h"
#include "kernels/cpu/trig64-inl.h"

HWY_BEFORE_NAMESPACE();
namespace pellucid::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// ---- The error function ---------------------------------------------------------------------------------------------

/// exp(a^2) erfc(a), a >= 0.
template <class D, class V>
HWY_INLINE V scaled_erfc(D d, V a) {
  const V four = hn::Set(d, 4);
  const V t = hn::Div(hn::Sub(a, four), hn::Add(a, four));
  return hn::Div(polynomial(d, t, kErfc), hn::MulAdd(hn::Set(d, 2), a, hn::Set(d, 1)));
}

/// exp(-(a^2 + low)), the square without error.
template <bool kWide, class D, class V>
HWY_INLINE Power<V> exp_of_minus(D d, Pair<V> square) {
  if constexpr (kWide) {
    return exp_parts<kWide>(d, hn::Neg(square.high), hn::Neg(square.low));
  } else {
    return exp_parts<kWide>(d, hn::Neg(square.high));
  }
}

/// erfc(a) = p 2^k, a >= 0 and below 36 (kWide) or 26. Error 3.
template <bool kWide, class D, class V>
HWY_INLINE Power<V> erfc_parts(D d, V a) {
  const Power<V> e = exp_of_minus<kWide>(d, exact_product(a, a));
  return {hn::Mul(e.p, scaled_erfc(d, a)), e.k};
}

template <bool kWide>
struct Erfc {
  template <class D, class V>
  static HWY_INLINE V of(D d, V x) {
    const Power<V> parts = erfc_parts<kWide>(d, at_most(d, hn::Abs(x), kWide ? 36 : 26));
    const V tail = scale<kWide>(d, parts.p, parts.k);
    return hn::IfThenElse(hn::Lt(x, hn::Zero(d)), hn::Sub(hn::Set(d, 2), tail), tail);
  }
};

/// x P(x^2) up to 1, then 1 - erfc. Error 1.5.
template <bool kWide>
struct Erf {
  template <class D, class V>
  static HWY_INLINE V of(D d, V x) {
    const V one = hn::Set(d, 1), a = hn::Abs(x);
    const V near = hn::Mul(a, polynomial(d, hn::Mul(a, a), kErf));
    const Power<V> parts = erfc_parts<false>(d, at_most(d, a, 26));
    const V far = hn::Sub(one, scale<false>(d, parts.p, parts.k));
    return hn::CopySign(hn::IfThenElse(hn::Lt(a, one), near, far), x);
  }
};

/// x Phi(x), Phi(-a) = exp(-a^2 / 2) scaled_erfc(a / sqrt(2)) / 2; the limit -0 at -inf. Error 4.
template <bool kWide>
struct Gelu {
  template <class D, class V>
  static HWY_INLINE V of(D d, V x) {
    x = at_least(d, x, kWide ? -50 : -36);
    const V half = hn::Set(d, 0.5), a = at_most(d, hn::Abs(x), kWide ? 50 : 36);
    const Pair<V> square = exact_product(hn::Mul(half, a), a);
    const Power<V> e = exp_of_minus<kWide>(d, square);
    const V part = hn::Mul(hn::Mul(half, e.p), scaled_erfc(d, hn::Mul(a, hn::Set(d, 0x1.6a09e667f3bcdp-1))));
    const auto negative = hn::Lt(x, hn::Zero(d));
    const V tail = scale<kWide>(d, hn::Mul(x, part), e.k);
    const V above = hn::Sub(hn::Set(d, 1), scale<kWide>(d, part, e.k));
    return hn::IfThenElse(negative, tail, hn::Mul(x, above));
  }
};

/// x sigmoid(2 u), u = sqrt(2 / pi) (x + 0.044715 x^3); the limit -0 at -inf. Error 4.
template <bool kWide>
struct GeluTanh {
  template <class D, class V>
  static HWY_INLINE V of(D d, V x) {
    constexpr double kLimit = kWide ? 26 : 20;
    const V one = hn::Set(d, 1);
    const auto negative = hn::Lt(x, hn::Zero(d));
    x = at_least(d, x, -kLimit);
    const V a = at_most(d, hn::Abs(x), kLimit);
    const V first = hn::Set(d, 0x1.9884533d43651p+0), third = hn::Set(d, 0x1.2444f2a4d8b4bp-4);
    Pair<V> u;
    if constexpr (kWide) {
      const Pair<V> firsts = {first, hn::Set(d, -0x1.cbc0d30ebfd15p-54)};
      const Pair<V> thirds = {third, hn::Set(d, -0x1.6c843a29d1c70p-61)};
      u = product(sum(firsts, product(thirds, exact_product(a, a))), a);
    } else {
      u = {hn::Mul(a, hn::MulAdd(third, hn::Mul(a, a), first)), hn::Zero(d)};
    }
    const Power<V> e = exp_of_minus<kWide>(d, u);
    const V above = hn::IfThenElse(negative, hn::Mul(x, e.p), x);
    const V quotient = hn::Div(above, hn::Add(one, scale<kWide>(d, e.p, e.k)));
    return scale<kWide>(d, quotient, hn::IfThenElseZero(negative, e.k));
  }
};

/// x P(w), w = -log(1 - x^2), in three ranges of w (after M. Giles, "Approximating the erfinv function"). Error 6.
template <bool kWide>
struct Erfinv {
  template <class D, class V>
  static HWY_INLINE V of(D d, V x) {
    const V one = hn::Set(d, 1), a = hn::Abs(x);
    const V w = hn::Neg(log_of<false>(d, hn::Mul(hn::Sub(one, a), hn::Add(one, a))));
    const V s = hn::Sqrt(w);
    const V centre = polynomial(d, hn::Sub(w, hn::Set(d, 3.125)), kErfinvCentre);
    const V middle = polynomial(d, hn::Sub(s, hn::Set(d, 3.25)), kErfinvMiddle);
    const V tail = polynomial(d, hn::Sub(s, hn::Set(d, 5)), kErfinvTail);
    const V far = hn::IfThenElse(hn::Lt(s, hn::Set(d, 4)), middle, tail);
    const V p = hn::IfThenElse(hn::Lt(w, hn::Set(d, 6.25)), centre, far);
    return hn::IfThenElse(hn::Eq(a, one), hn::CopySign(hn::Inf(d), x), hn::Mul(x, p));
  }
};

// ---- Gamma functions ------------------------------------------------------------------------------------------------

/// The sine and the cosine of pi t for |t| <= 1/2, the sine of |t| and positive.
template <class V>
struct SinCos {
  V sin, cos;
};
template <class D, class V>
HWY_INLINE SinCos<V> sin_cos_pi(D d, V t) {
  const V a = hn::Abs(t), half = hn::Set(d, 0.5), zero = hn::Zero(d);
  const auto far = hn::Gt(a, hn::Set(d, 0.25));
  const V r = hn::Mul(hn::Set(d, 2 * kPi2First), hn::IfThenElse(far, hn::Sub(half, a), a));
  const V s = sin_reduced<true>(d, r, zero), c = cos_reduced<true>(d, r, zero);
  return {hn::IfThenElse(far, c, s), hn::IfThenElse(far, s, c)};
}

/// log |Gamma(x)|: for x in [1, 3) by (x - 1) (x - 2) P; up to 8 by recurrence to [2, 3); beyond by Stirling's series; in
/// (0, 1) by the next one; for x < 0 by reflection, which is accurate absolutely but near zeros of lgamma not relatively.
template <bool kWide>
struct Lgamma {
  template <class D, class V>
  static HWY_INLINE V of(D d, V x) {
    const V one = hn::Set(d, 1), two = hn::Set(d, 2), eight = hn::Set(d, 8), zero = hn::Zero(d), half = hn::Set(d, 0.5);
    const V a = hn::Abs(x);
    const auto small = hn::Lt(a, one), large = hn::Ge(a, eight);

    V y = hn::IfThenElse(small, hn::Sub(a, one), hn::Sub(hn::Min(a, eight), two)), factors = one;
    for (int i = 0; i < 5; ++i) {
      const auto above = hn::Gt(y, one);
      y = hn::IfThenElse(above, hn::Sub(y, one), y);
      factors = hn::IfThenElse(above, hn::Mul(factors, hn::Add(y, two)), factors);
    }
    const V base = hn::Mul(hn::Mul(y, hn::Add(y, one)), polynomial(d, y, kLgamma));
    const V logarithm = log_of<kWide>(d, hn::IfThenElse(hn::Or(small, large), a, factors));
    const V near = hn::IfThenElse(small, hn::Sub(base, logarithm), hn::Add(base, logarithm));

    const V inverse = hn::Div(one, a);
    const V series = hn::Mul(inverse, polynomial(d, hn::Mul(inverse, inverse), kStirling));
    const V head = hn::Mul(hn::Sub(a, half), hn::Sub(logarithm, one));
    // (a - 1/2) log(a) - a + log(2 pi) / 2, arranged so that it does not overflow before its time.
    const V far = hn::Add(head, hn::Add(hn::Set(d, 0x1.d67f1c864beb5p-1 - 0.5), series));
    V value = hn::IfThenElse(large, far, near);
    value = hn::IfThenElse(hn::Eq(a, hn::Inf(d)), a, value);

    const auto negative = hn::Lt(x, zero);
    if (HWY_UNLIKELY(!hn::AllFalse(d, negative))) {
      const V t = hn::Sub(a, hn::Round(a));
      const V s = sin_cos_pi(d, t).sin;
      // log(pi / (a sin(pi a))); for tiny a, where a^2 would vanish, the logarithm of 1 / a is the whole.
      const V reflected = hn::Sub(hn::Neg(log_of<true>(d, hn::Mul(hn::Mul(a, s), hn::Set(d, 0x1.45f306dc9c883p-2)))), value);
      const V left = hn::IfThenElse(hn::Lt(a, hn::Set(d, 0x1p-60)), hn::Neg(logarithm), reflected);
      const V outside = hn::Eq(t, zero) , unused = zero;
      (void)unused;
      value = hn::IfThenElse(negative, hn::IfThenElse(hn::MaskFromVec(hn::VecFromMask(d, outside)), hn::Inf(d), left), value);
    }
    return value;
  }
};

}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
HWY_AFTER_NAMESPACE();

#endif  // toggle
