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
template <bool kWide, class D, class V>
HWY_INLINE V scaled_erfc(D d, V a) {
  const V four = hn::Set(d, 4);
  const V t = hn::Div(hn::Sub(a, four), hn::Add(a, four));
  return hn::Div(kWide ? polynomial(d, t, kErfc) : polynomial(d, t, kErfcNarrow),
                 hn::MulAdd(hn::Set(d, 2), a, hn::Set(d, 1)));
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
  return {hn::Mul(e.p, scaled_erfc<kWide>(d, a)), e.k};
}

template <bool kWide>
struct Erfc {
  template <class D, class V>
  static HWY_INLINE V of(D d, V x) {
    const Power<V> parts = erfc_parts<kWide>(d, at_most(d, hn::Abs(x), kWide ? 36 : 26));
    const V tail = scale<kWide>(d, parts.p, parts.k);
    const V value = hn::IfThenElse(hn::Lt(x, hn::Zero(d)), hn::Sub(hn::Set(d, 2), tail), tail);
    if constexpr (kWide) {
      const V near = hn::NegMulAdd(x, polynomial(d, hn::Mul(x, x), kErf), hn::Set(d, 1));
      return hn::IfThenElse(hn::Lt(hn::Abs(x), hn::Set(d, 0.5)), near, value);
    } else {
      return value;
    }
  }
};

/// x P(x^2) up to 1, then 1 - erfc. Error 1.5.
template <bool kWide>
struct Erf {
  template <class D, class V>
  static HWY_INLINE V of(D d, V x) {
    const V one = hn::Set(d, 1), a = hn::Abs(x);
    const V z = hn::Mul(a, a);
    const V near = hn::Mul(a, kWide ? polynomial(d, z, kErf) : polynomial(d, z, kErfNarrow));
    const Power<V> parts = erfc_parts<kWide>(d, at_most(d, a, 26));
    const V far = hn::Sub(one, scale<kWide>(d, parts.p, parts.k));
    return hn::CopySign(hn::IfThenElse(hn::Ge(a, one), far, near), x);
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
    const V part = hn::Mul(hn::Mul(half, e.p), scaled_erfc<kWide>(d, hn::Mul(a, hn::Set(d, 0x1.6a09e667f3bcdp-1))));
    const auto negative = hn::Lt(x, hn::Zero(d));
    const V tail = scale<kWide>(d, hn::Mul(x, part), e.k);
    const V above = hn::Sub(hn::Set(d, 1), scale<kWide>(d, part, e.k));
    const V value = hn::IfThenElse(negative, tail, hn::Mul(x, above));
    if constexpr (kWide) {
      const V z = hn::Mul(x, hn::Set(d, 0x1.6a09e667f3bcdp-1));
      const V near = hn::MulAdd(hn::Mul(half, z), polynomial(d, hn::Mul(z, z), kErf), half);
      return hn::IfThenElse(hn::Lt(a, half), hn::Mul(x, near), value);
    } else {
      return value;
    }
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
    const V w = hn::Neg(log_of<true>(d, hn::Mul(hn::Sub(one, a), hn::Add(one, a))));
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

/// log |Gamma(x)|: for x in [1, 3) by (x - 1) (x - 2) P; up to 8 by recurrence to [2, 3); beyond by Stirling's series;
/// in (0, 1) by the next one; for x < 0 by reflection, which is accurate absolutely but near zeros of lgamma not
/// relatively.
template <bool kWide>
struct Lgamma {
  template <class D, class V>
  static HWY_INLINE V of(D d, V x) {
    const V one = hn::Set(d, 1), two = hn::Set(d, 2), eight = hn::Set(d, 8), zero = hn::Zero(d), half = hn::Set(d, 0.5);
    const V a = hn::Abs(x);
    const auto small = hn::Lt(a, one), large = hn::Ge(a, eight);

    V y = hn::IfThenElse(small, hn::Sub(a, one), hn::Sub(at_most(d, a, 8), two)), factors = one;
    for (int i = 0; i < 5; ++i) {
      const auto above = hn::Gt(y, one);
      y = hn::IfThenElse(above, hn::Sub(y, one), y);
      factors = hn::IfThenElse(above, hn::Mul(factors, hn::Add(y, two)), factors);
    }
    const V base = hn::Mul(hn::Mul(y, hn::Add(y, one)), polynomial(d, y, kLgamma));
    const V logarithm = log_of<true>(d, hn::IfThenElse(hn::Or(small, large), a, factors));
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
      // log(pi / (a sin(pi a))) - lgamma(a); for tiny a, where a^2 would vanish, log(1 / a) is the whole.
      const V reflection = hn::Mul(hn::Mul(a, sin_cos_pi(d, t).sin), hn::Set(d, 0x1.45f306dc9c883p-2));
      const V reflected = hn::Sub(hn::Neg(log_of<true>(d, reflection)), value);
      const V left = hn::IfThenElse(hn::Lt(a, hn::Set(d, 0x1p-60)), hn::Neg(logarithm), reflected);
      const auto pole = hn::Or(hn::Eq(t, zero), hn::Ge(a, hn::Set(d, 0x1p52)));
      value = hn::IfThenElse(negative, hn::IfThenElse(pole, hn::Inf(d), left), value);
    }
    return value;
  }
};

/// Gamma'(x) / Gamma(x): for x in [1, 2] by (x - zero) P; in (0, 1) by the next one, up to 10 by recurrence; beyond by
/// the asymptotic series; for x < 0 by reflection. NaN at the poles -1, -2, ..., and -inf or inf at 0 and -0.
template <bool kWide>
struct Digamma {
  template <class D, class V>
  static HWY_INLINE V of(D d, V x) {
    const V one = hn::Set(d, 1), two = hn::Set(d, 2), ten = hn::Set(d, 10), zero = hn::Zero(d);
    const auto negative = hn::Lt(x, zero);
    const V a = hn::IfThenElse(negative, hn::Sub(one, x), x);
    const auto small = hn::Lt(a, one), large = hn::Gt(a, ten);

    V y = at_most(d, a, 10), terms = zero;
    for (int i = 0; i < 8; ++i) {
      const auto above = hn::Gt(y, two);
      if (hn::AllFalse(d, above)) break;
      y = hn::IfThenElse(above, hn::Sub(y, one), y);
      terms = hn::Add(terms, hn::IfThenElseZero(above, hn::Div(one, y)));
    }
    // The distance to the zero is taken from the argument, not from its rounded successor.
    const V from_zero =
        hn::IfThenElse(small, hn::Add(hn::Sub(y, hn::Set(d, kDigammaZero[0] - 1)), hn::Set(d, -kDigammaZero[1])),
                       hn::Add(hn::Sub(y, hn::Set(d, kDigammaZero[0])), hn::Set(d, -kDigammaZero[1])));
    const V offset = hn::Sub(y, hn::IfThenElse(small, hn::Set(d, 0.5), hn::Set(d, 1.5)));
    const V base = hn::Mul(from_zero, polynomial(d, offset, kDigamma));
    const V near = hn::Add(base, hn::IfThenElse(small, hn::Neg(hn::Div(one, a)), terms));

    const V inverse = hn::Div(one, a);
    const V square = hn::Mul(inverse, inverse);
    const V series = hn::MulAdd(square, polynomial(d, square, kDigammaTail), hn::Mul(hn::Set(d, 0.5), inverse));
    V value = hn::IfThenElse(large, hn::Sub(log_of<true>(d, a), series), near);

    if (HWY_UNLIKELY(!hn::AllFalse(d, negative))) {
      const V t = hn::Sub(x, hn::Round(x));
      const SinCos<V> parts = sin_cos_pi(d, t);
      const V cotangent = hn::CopySign(hn::Div(parts.cos, parts.sin), t);
      const V left = hn::NegMulAdd(hn::Set(d, 2 * kPi2First), cotangent, value);
      value = hn::IfThenElse(negative, hn::IfThenElse(hn::Eq(t, zero), hn::NaN(d), left), value);
    }
    return hn::IfThenElse(hn::Eq(x, zero), hn::CopySign(hn::Inf(d), hn::Neg(x)), value);
  }
};

// ---- Two operands ---------------------------------------------------------------------------------------------------

/// x^y with the special cases of IEEE 754 (pow). kWide: error 1, through a logarithm in two parts.
template <bool kWide>
struct PowerOf {
  template <class D, class V>
  static HWY_INLINE V of(D d, V x, V y) {
    const V one = hn::Set(d, 1), zero = hn::Zero(d), half = hn::Set(d, 0.5), infinity = hn::Inf(d);
    constexpr double kLimit = kExpLimit<kWide>;
    const V a = hn::Abs(x);
    V high, low = zero;
    if constexpr (kWide) {
      const Pair<V> logarithm = log_pair<kWide>(d, a);
      const V main = log_limits(d, a, logarithm.high);
      high = hn::Mul(y, main);
      low = hn::MulAdd(y, logarithm.low, hn::MulSub(y, main, high));
    } else {
      high = hn::Mul(y, log_of<true>(d, a));
    }
    const V limited = at_least(d, at_most(d, high, kLimit), -kLimit);
    low = hn::IfThenElseZero(hn::Eq(limited, high), low);
    const Power<V> e = exp_parts<kWide>(d, limited, low);
    V value = scale<kWide>(d, e.p, e.k);

    const V whole = hn::Floor(y), pairs = hn::Mul(y, half);
    const auto integer = hn::Eq(whole, y);
    const auto odd = hn::AndNot(hn::Eq(hn::Floor(pairs), pairs), integer);
    const V signed_value = hn::IfThenElse(odd, hn::CopySign(value, x), value);
    const auto undefined = hn::AndNot(integer, hn::And(hn::Lt(x, zero), hn::Lt(a, infinity)));
    value = hn::IfThenElse(undefined, hn::NaN(d), signed_value);
    // (-1)^(+-inf) is 1, as are 1^y and x^0 whatever the other operand is.
    const auto unit = hn::Or(hn::Eq(x, one), hn::Eq(y, zero));
    const auto endless = hn::And(hn::Eq(a, one), hn::Eq(hn::Abs(y), infinity));
    return hn::IfThenElse(hn::Or(unit, endless), one, value);
  }
};

/// sqrt(a^2 + b^2) without overflow; an infinity wins over NaN. Error 1.5.
template <bool kWide>
struct Hypot {
  template <class D, class V>
  static HWY_INLINE V of(D d, V a, V b) {
    const V infinity = hn::Inf(d);
    a = hn::Abs(a);
    b = hn::Abs(b);
    const auto infinite = hn::Or(hn::Eq(a, infinity), hn::Eq(b, infinity));
    V value;
    if constexpr (kWide) {
      const V larger = hn::IfThenElse(hn::Gt(a, b), a, b), smaller = hn::IfThenElse(hn::Gt(a, b), b, a);
      const auto huge = hn::Gt(larger, hn::Set(d, 0x1p500)), tiny = hn::Lt(larger, hn::Set(d, 0x1p-450));
      const V in = hn::IfThenElse(huge, hn::Set(d, 0x1p-600), hn::IfThenElse(tiny, hn::Set(d, 0x1p600), hn::Set(d, 1)));
      const V back =
          hn::IfThenElse(huge, hn::Set(d, 0x1p600), hn::IfThenElse(tiny, hn::Set(d, 0x1p-600), hn::Set(d, 1)));
      const V u = hn::Mul(larger, in), v = hn::Mul(smaller, in);
      value = hn::Mul(hn::Sqrt(hn::MulAdd(u, u, hn::Mul(v, v))), back);
    } else {
      value = hn::Sqrt(hn::MulAdd(a, a, hn::Mul(b, b)));
    }
    return hn::IfThenElse(infinite, infinity, value);
  }
};

/// log(exp(a) + exp(b)) = m + log1p(exp(-|a - b|)), m the larger.
template <bool kWide>
struct LogAddExp {
  template <class D, class V>
  static HWY_INLINE V of(D d, V a, V b) {
    const V larger = hn::IfThenElse(hn::Or(hn::Gt(a, b), hn::IsNaN(a)), a, b);
    // Equal infinities differ by nothing.
    const V difference = hn::IfThenZeroElse(hn::Eq(a, b), hn::Abs(hn::Sub(a, b)));
    return hn::Add(larger, log1p_of<true>(d, exp_of<true>(d, hn::Neg(difference))));
  }
};

/// a = q b + r, q the quotient rounded towards 0, r exact with the sign of a; b = 0 and a infinite give NaN.
template <class V>
struct Division {
  V quotient, remainder;
};

template <class D, class V>
HWY_NOINLINE void divide_far(D d, V a, V b, hn::Mask<D> far, V* remainder) {
  HWY_ALIGN double x[hn::MaxLanes(D())], y[hn::MaxLanes(D())];
  hn::Store(hn::IfThenElseZero(far, a), d, x);
  hn::Store(hn::IfThenElse(far, b, hn::Set(d, 1)), d, y);
  for (std::size_t i = 0; i < hn::Lanes(d); ++i) x[i] = exact_remainder(x[i], y[i]);
  *remainder = hn::IfThenElse(far, hn::Load(d, x), *remainder);
}

/// The quotient is the integer itself where it is below 2^53, otherwise a / b rounded. Below, a rounded a / b reaches
/// past an integer only upwards, by one: then the remainder has the wrong sign, and is put right.
template <class D, class V>
HWY_INLINE Division<V> divide_truncated(D d, V a, V b) {
  const V zero = hn::Zero(d), one = hn::Set(d, 1);
  const V exact = hn::Div(a, b);
  V q = hn::Trunc(exact);
  V r = hn::NegMulAdd(q, b, a);
  const auto crossed = hn::Lt(hn::Xor(r, hn::And(a, hn::SignBit(d))), zero);
  r = hn::IfThenElse(crossed, hn::Add(r, hn::CopySign(b, a)), r);
  q = hn::IfThenElse(crossed, hn::Sub(q, hn::CopySign(one, exact)), q);
  const auto finite = hn::Lt(hn::Abs(a), hn::Inf(d));
  r = hn::IfThenElse(hn::And(finite, hn::Eq(hn::Abs(b), hn::Inf(d))), a, r);
  const auto far = hn::And(hn::And(finite, hn::Ne(b, zero)), hn::Ge(hn::Abs(exact), hn::Set(d, 0x1p53)));
  if (HWY_UNLIKELY(!hn::AllFalse(d, far))) {
    divide_far(d, a, b, far, &r);
    q = hn::IfThenElse(far, exact, q);
  }
  return {q, hn::IfThenElse(hn::And(finite, hn::Ne(b, zero)), r, hn::NaN(d))};
}

/// Where the remainder is not 0 and has another sign than b.
template <class D, class V>
HWY_INLINE hn::Mask<D> to_be_shifted(D d, V remainder, V b) {
  const V zero = hn::Zero(d);
  return hn::And(hn::Ne(remainder, zero), hn::Lt(hn::Xor(remainder, hn::And(b, hn::SignBit(d))), zero));
}

/// a % b as Python has it: the sign of b; NaN for b = 0 and for infinite a.
template <bool kWide>
struct Remainder {
  template <class D, class V>
  static HWY_INLINE V of(D d, V a, V b) {
    const V r = divide_truncated(d, a, b).remainder;
    const V shifted = hn::IfThenElse(to_be_shifted(d, r, b), hn::Add(r, b), r);
    return hn::IfThenElse(hn::Eq(shifted, hn::Zero(d)), hn::CopySign(shifted, b), shifted);
  }
};

/// a // b as Python has it; a / b for b = 0 and for infinite a.
template <bool kWide>
struct FloorDivide {
  template <class D, class V>
  static HWY_INLINE V of(D d, V a, V b) {
    const V zero = hn::Zero(d), exact = hn::Div(a, b);
    const Division<V> division = divide_truncated(d, a, b);
    V q = hn::IfThenElse(to_be_shifted(d, division.remainder, b), hn::Sub(division.quotient, hn::Set(d, 1)),
                         division.quotient);
    q = hn::IfThenElse(hn::Eq(q, zero), hn::CopySign(q, exact), q);
    const auto regular = hn::And(hn::Lt(hn::Abs(a), hn::Inf(d)), hn::Ne(b, zero));
    return hn::IfThenElse(regular, q, exact);
  }
};

}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
HWY_AFTER_NAMESPACE();

#endif  // toggle
