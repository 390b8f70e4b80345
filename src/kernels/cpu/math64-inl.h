// Formulas over vectors of float64: exponentials, logarithms and what is made of them.
//
// kWide = true serves float64. kWide = false serves float32 operands computed in float64, whose exponents are narrow:
// no denormals, no scaling in two steps; its results are wrong only where float32 overflows or underflows anyway. Error
// bounds are in units in the last place of float64.
#if defined(PELLUCID_KERNELS_CPU_MATH64_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef PELLUCID_KERNELS_CPU_MATH64_INL_H_
#undef PELLUCID_KERNELS_CPU_MATH64_INL_H_
#else
#define PELLUCID_KERNELS_CPU_MATH64_INL_H_
#endif

#include "hwy/highway.h"
#include "kernels/cpu/polynomials.h"

HWY_BEFORE_NAMESPACE();
namespace pellucid::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// ---- Tools ----------------------------------------------------------------------------------------------------------

/// c[0] + c[1] x + ... by Horner's rule, all steps fused.
template <std::size_t kFrom = 0, class D, class V, class T, std::size_t kCount>
HWY_INLINE V polynomial(D d, V x, const T (&c)[kCount]) {
  if constexpr (kFrom + 1 == kCount) {
    return hn::Set(d, c[kFrom]);
  } else {
    return hn::MulAdd(polynomial<kFrom + 1>(d, x, c), x, hn::Set(d, c[kFrom]));
  }
}

/// The smaller or larger one; NaN in x, the second operand, stays.
template <class D, class V>
HWY_INLINE V at_most(D d, V x, double limit) {
  return hn::Min(hn::Set(d, static_cast<hn::TFromD<D>>(limit)), x);
}
template <class D, class V>
HWY_INLINE V at_least(D d, V x, double limit) {
  return hn::Max(hn::Set(d, static_cast<hn::TFromD<D>>(limit)), x);
}

/// high + low, |low| at most half a unit of high.
template <class V>
struct Pair {
  V high, low;
};

/// a + b without error; fast_sum needs |a| >= |b|, or a = 0.
template <class V>
HWY_INLINE Pair<V> fast_sum(V a, V b) {
  const V s = hn::Add(a, b);
  return {s, hn::Sub(b, hn::Sub(s, a))};
}
template <class V>
HWY_INLINE Pair<V> exact_sum(V a, V b) {
  const V s = hn::Add(a, b);
  const V t = hn::Sub(s, a);
  return {s, hn::Add(hn::Sub(a, hn::Sub(s, t)), hn::Sub(b, t))};
}
/// a * b without error.
template <class V>
HWY_INLINE Pair<V> exact_product(V a, V b) {
  const V p = hn::Mul(a, b);
  return {p, hn::MulSub(a, b, p)};
}
template <class V>
HWY_INLINE Pair<V> product(Pair<V> a, V b) {
  const Pair<V> p = exact_product(a.high, b);
  return fast_sum(p.high, hn::MulAdd(a.low, b, p.low));
}
template <class V>
HWY_INLINE Pair<V> product(Pair<V> a, Pair<V> b) {
  const Pair<V> p = exact_product(a.high, b.high);
  return fast_sum(p.high, hn::MulAdd(a.high, b.low, hn::MulAdd(a.low, b.high, p.low)));
}
template <class V>
HWY_INLINE Pair<V> sum(Pair<V> a, Pair<V> b) {
  const Pair<V> s = exact_sum(a.high, b.high);
  return fast_sum(s.high, hn::Add(s.low, hn::Add(a.low, b.low)));
}

// ---- exp ------------------------------------------------------------------------------------------------------------

/// Adding it to a number below 2^51 leaves the nearest integer in the low bits.
inline constexpr double kRounder = 6755399441055744.0;  // 1.5 * 2^52
inline constexpr double kLog2E = 0x1.71547652b82fep+0;
inline constexpr double kLn2High = 0x1.62e42fefa39efp-1, kLn2Low = 0x1.abc9e3b39803fp-56;

/// p * 2^k, k an integer, |k| <= 2040, rounded once. In two steps, since 2^k may be out of range.
template <bool kWide, class D, class V>
HWY_INLINE V scale(D d, V p, V k) {
  const hn::RebindToUnsigned<D> du;
  const V rounder = hn::Set(d, kRounder);
  if constexpr (kWide) {
    const V half = hn::MulAdd(k, hn::Set(d, 0.5), rounder);
    const V rest = hn::Add(hn::Sub(k, hn::Sub(half, rounder)), rounder);
    const auto one = hn::BitCast(du, hn::Set(d, 1));
    const V first = hn::BitCast(d, hn::Add(hn::ShiftLeft<52>(hn::BitCast(du, half)), one));
    const V second = hn::BitCast(d, hn::Add(hn::ShiftLeft<52>(hn::BitCast(du, rest)), one));
    return hn::Mul(hn::Mul(p, first), second);
  } else {
    const auto shifted = hn::ShiftLeft<52>(hn::BitCast(du, hn::Add(k, rounder)));
    return hn::BitCast(d, hn::Add(hn::BitCast(du, p), shifted));
  }
}

/// exp(r), |r| <= log(2) / 2.
template <bool kWide, class D, class V>
HWY_INLINE V exp_small(D d, V r) {
  const V q = kWide ? polynomial(d, r, kExp) : polynomial(d, r, kExpNarrow);
  return hn::Add(hn::Set(d, 1), hn::MulAdd(hn::Mul(r, r), q, r));
}

/// exp(x + low) = p * 2^k, 0.7 < p < 1.42; |x| <= 1400 (kWide) or 700. Error 0.75.
template <class V>
struct Power {
  V p, k;
};
template <bool kWide, class D, class V>
HWY_INLINE Power<V> exp_parts(D d, V x, V low) {
  const V rounder = hn::Set(d, kRounder);
  const V k = hn::Sub(hn::MulAdd(x, hn::Set(d, kLog2E), rounder), rounder);
  const V r = hn::Add(hn::NegMulAdd(k, hn::Set(d, kLn2Low), hn::NegMulAdd(k, hn::Set(d, kLn2High), x)), low);
  return {exp_small<kWide>(d, r), k};
}
template <bool kWide, class D, class V>
HWY_INLINE Power<V> exp_parts(D d, V x) {
  const V rounder = hn::Set(d, kRounder);
  const V k = hn::Sub(hn::MulAdd(x, hn::Set(d, kLog2E), rounder), rounder);
  const V r = hn::NegMulAdd(k, hn::Set(d, kLn2Low), hn::NegMulAdd(k, hn::Set(d, kLn2High), x));
  return {exp_small<kWide>(d, r), k};
}

template <bool kWide>
inline constexpr double kExpLimit = kWide ? 1400 : 700;

template <bool kWide, class D, class V>
HWY_INLINE V exp_of(D d, V x) {
  const Power<V> e = exp_parts<kWide>(d, at_least(d, at_most(d, x, kExpLimit<kWide>), -kExpLimit<kWide>));
  return scale<kWide>(d, e.p, e.k);
}

/// exp(x) - 1 for x <= 710; below -50 it is -1. Error 1.5.
template <bool kWide, class D, class V>
HWY_INLINE V expm1_of(D d, V x) {
  const V rounder = hn::Set(d, kRounder), one = hn::Set(d, 1), half = hn::Set(d, 0.5);
  const V limited = at_least(d, x, -50);
  const V k = hn::Sub(hn::MulAdd(limited, hn::Set(d, kLog2E), rounder), rounder);
  const V high = hn::NegMulAdd(k, hn::Set(d, kLn2High), limited);
  const V r = hn::NegMulAdd(k, hn::Set(d, kLn2Low), high);
  const V cut = hn::NegMulAdd(k, hn::Set(d, kLn2Low), hn::Sub(high, r));
  const V q = kWide ? polynomial(d, r, kExp) : polynomial(d, r, kExpNarrow);
  const V p = hn::Add(r, hn::MulAdd(hn::Mul(r, r), q, cut));
  // 2^(k - 1) does not overflow where 2^k would.
  const V s = scale<false>(d, one, hn::Sub(k, one));
  const V e = hn::Mul(hn::MulAdd(s, p, hn::Sub(s, half)), hn::Set(d, 2));
  return hn::IfThenElse(hn::Lt(hn::Abs(x), hn::Set(d, 0x1p-54)), x, e);
}

// ---- log ------------------------------------------------------------------------------------------------------------

inline constexpr double kLn2Round = 0x1.62e42feep-1,
                        kLn2Rest = 0x1.a39ef35793c76p-33;  // multiples of the first are exact

/// x = m * 2^k, sqrt(1/2) <= m < sqrt(2), for x > 0 finite.
template <bool kWide, class D, class V>
HWY_INLINE Power<V> split(D d, V x) {
  const hn::RebindToUnsigned<D> du;
  V bias = hn::Set(d, 0x1p52 + 1023);
  if constexpr (kWide) {
    const auto tiny = hn::Lt(x, hn::Set(d, 0x1p-1022));
    x = hn::IfThenElse(tiny, hn::Mul(x, hn::Set(d, 0x1p54)), x);
    bias = hn::IfThenElse(tiny, hn::Set(d, 0x1p52 + 1023 + 54), bias);
  }
  constexpr std::uint64_t kRootHalf = 0x3FE6A09E667F3BCD;
  const auto bits = hn::Add(hn::BitCast(du, x), hn::Set(du, 0x3FF0000000000000 - kRootHalf));
  const auto exponent = hn::Or(hn::ShiftRight<52>(bits), hn::Set(du, 0x4330000000000000));
  const auto mantissa = hn::Add(hn::And(bits, hn::Set(du, 0x000FFFFFFFFFFFFF)), hn::Set(du, kRootHalf));
  return {hn::BitCast(d, mantissa), hn::Sub(hn::BitCast(d, exponent), bias)};
}

/// k log(2) + log(1 + f) + c, |f| < 0.42, c small. Error 0.9.
template <bool kWide, class D, class V>
HWY_INLINE V log_sum(D d, V k, V f, V c) {
  const V s = hn::Div(f, hn::Add(hn::Set(d, 2), f));
  const V z = hn::Mul(s, s);
  const V r = hn::Mul(z, kWide ? polynomial(d, z, kLog) : polynomial(d, z, kLogNarrow));
  const V half_square = hn::Mul(hn::Mul(hn::Set(d, 0.5), f), f);
  const V inner = hn::MulAdd(s, hn::Add(half_square, r), hn::MulAdd(k, hn::Set(d, kLn2Rest), c));
  return hn::MulAdd(k, hn::Set(d, kLn2Round), hn::Sub(f, hn::Sub(half_square, inner)));
}

/// `value` for 0 < x < inf, and what a logarithm has elsewhere.
template <class D, class V>
HWY_INLINE V log_limits(D d, V x, V value) {
  const V infinity = hn::Inf(d);
  const auto inside = hn::And(hn::Gt(x, hn::Zero(d)), hn::Lt(x, infinity));
  const V special =
      hn::IfThenElse(hn::Eq(x, hn::Zero(d)), hn::Neg(infinity), hn::IfThenElse(hn::Lt(x, hn::Zero(d)), hn::NaN(d), x));
  return hn::IfThenElse(inside, value, special);
}

template <bool kWide, class D, class V>
HWY_INLINE V log_of(D d, V x) {
  const Power<V> parts = split<kWide>(d, x);
  return log_limits(d, x, log_sum<kWide>(d, parts.k, hn::Sub(parts.p, hn::Set(d, 1)), hn::Zero(d)));
}

/// log(1 + x). Error 1.
template <bool kWide, class D, class V>
HWY_INLINE V log1p_of(D d, V x) {
  const V one = hn::Set(d, 1), zero = hn::Zero(d);
  const V u = hn::Add(one, x);
  const Power<V> parts = split<false>(d, u);
  const auto near = hn::Eq(parts.k, zero);
  const V f = hn::IfThenElse(near, x, hn::Sub(parts.p, one));
  V c = zero;
  if constexpr (kWide) {
    // What the addition cut off; for |x| > 1 it is 1 that was cut. Nothing for float32.
    const V cut = hn::IfThenElse(hn::Gt(x, one), hn::Sub(one, hn::Sub(u, x)), hn::Sub(x, hn::Sub(u, one)));
    c = hn::IfThenElse(near, zero, hn::Div(cut, u));
  }
  const V value = log_limits(d, u, log_sum<kWide>(d, parts.k, f, c));
  return hn::IfThenElse(hn::Lt(hn::Abs(x), hn::Set(d, 0x1p-54)), x, value);
}

/// log(m), sqrt(1/2) <= m < sqrt(2), to about 2^-65 relative.
template <class D, class V>
HWY_INLINE Pair<V> log_pair_of_mantissa(D d, V m) {
  const V two = hn::Set(d, 2);
  const V f = hn::Sub(m, hn::Set(d, 1));
  const Pair<V> below = fast_sum(two, f);
  const V s = hn::Div(f, below.high);
  const V rest = hn::Div(hn::NegMulAdd(s, below.low, hn::NegMulAdd(s, below.high, f)), below.high);
  const Pair<V> ratio = fast_sum(s, rest);
  const Pair<V> square = product(ratio, ratio);
  const Pair<V> third = {hn::Set(d, 0x1.5555555555555p-2), hn::Set(d, 0x1.5555555555555p-56)};
  const V tail = hn::Mul(hn::Mul(square.high, square.high), polynomial(d, square.high, kLogTail));
  // log(m) = 2 s (1 + z / 3) + s z^2 T(z)
  const Pair<V> twice = {hn::Mul(ratio.high, two), hn::Mul(ratio.low, two)};
  const Pair<V> series = sum(product(twice, product(square, third)), {hn::Mul(s, tail), hn::Zero(d)});
  return sum(twice, series);
}

/// log(x) for 0 < x < inf to about 2^-65 relative.
template <bool kWide, class D, class V>
HWY_INLINE Pair<V> log_pair(D d, V x) {
  const Power<V> parts = split<kWide>(d, x);
  const Pair<V> exponent = {hn::Mul(parts.k, hn::Set(d, kLn2Round)), hn::Mul(parts.k, hn::Set(d, kLn2Rest))};
  const Pair<V> lowest = {hn::Mul(parts.k, hn::Set(d, 0x1.cc01f97b57a08p-87)), hn::Zero(d)};
  const Pair<V> whole = fast_sum(exponent.high, exponent.low);
  // What the product with the second part cut off belongs to the last one.
  const V cut = hn::MulSub(parts.k, hn::Set(d, kLn2Rest), exponent.low);
  return sum(sum(whole, {hn::Add(cut, lowest.high), hn::Zero(d)}), log_pair_of_mantissa(d, parts.p));
}

// ---- Made of them ---------------------------------------------------------------------------------------------------

template <bool kWide>
struct Exp {
  template <class D, class V>
  static HWY_INLINE V of(D d, V x) {
    return exp_of<kWide>(d, x);
  }
};

template <bool kWide>
struct Expm1 {
  template <class D, class V>
  static HWY_INLINE V of(D d, V x) {
    return expm1_of<kWide>(d, at_most(d, x, 710));
  }
};

template <bool kWide>
struct Log {
  template <class D, class V>
  static HWY_INLINE V of(D d, V x) {
    return log_of<kWide>(d, x);
  }
};

/// 2^k exp(r log(2)), r = x - k exact. Error 1.
template <bool kWide>
struct Exp2 {
  template <class D, class V>
  static HWY_INLINE V of(D d, V x) {
    constexpr double kLimit = kWide ? 2000 : 1000;
    const V limited = at_least(d, at_most(d, x, kLimit), -kLimit);
    const V k = hn::Round(limited);
    const V r = hn::Sub(limited, k);
    const V high = hn::Mul(r, hn::Set(d, kLn2High));
    const V low = hn::MulAdd(r, hn::Set(d, kLn2Low), hn::MulSub(r, hn::Set(d, kLn2High), high));
    return scale<kWide>(d, exp_small<kWide>(d, hn::Add(high, low)), k);
  }
};

/// k + log(m) / log(2): exact for powers of two. Error 0.6.
template <bool kWide>
struct Log2 {
  template <class D, class V>
  static HWY_INLINE V of(D d, V x) {
    const Power<V> parts = split<kWide>(d, x);
    const V inverse = hn::Set(d, kLog2E);
    if constexpr (kWide) {
      const Pair<V> inverses = {inverse, hn::Set(d, 0x1.777d0ffda0d24p-56)};
      const Pair<V> y = sum({parts.k, hn::Zero(d)}, product(log_pair_of_mantissa(d, parts.p), inverses));
      return log_limits(d, x, hn::Add(y.high, y.low));
    } else {
      const V mantissa = log_sum<kWide>(d, hn::Zero(d), hn::Sub(parts.p, hn::Set(d, 1)), hn::Zero(d));
      return log_limits(d, x, hn::MulAdd(mantissa, inverse, parts.k));
    }
  }
};

/// Error 0.6.
template <bool kWide>
struct Log10 {
  template <class D, class V>
  static HWY_INLINE V of(D d, V x) {
    const V inverse = hn::Set(d, 0x1.bcb7b1526e50ep-2);
    if constexpr (kWide) {
      const Pair<V> inverses = {inverse, hn::Set(d, 0x1.95355baaafad3p-57)};
      const Pair<V> y = product(log_pair<kWide>(d, x), inverses);
      return log_limits(d, x, hn::Add(y.high, y.low));
    } else {
      return hn::Mul(log_of<kWide>(d, x), inverse);
    }
  }
};

template <bool kWide>
struct Log1p {
  template <class D, class V>
  static HWY_INLINE V of(D d, V x) {
    return log1p_of<kWide>(d, x);
  }
};

/// t / (t + 2), t = expm1(2 |x|). Error 2.5.
template <bool kWide>
struct Tanh {
  template <class D, class V>
  static HWY_INLINE V of(D d, V x) {
    const V t = expm1_of<kWide>(d, at_most(d, hn::Mul(hn::Set(d, 2), hn::Abs(x)), 44));
    return hn::CopySign(hn::Div(t, hn::Add(t, hn::Set(d, 2))), x);
  }
};

/// (t + t / (t + 1)) / 2, t = expm1(|x|); exp(|x|) / 2 far out. Error 3.
template <bool kWide>
struct Sinh {
  template <class D, class V>
  static HWY_INLINE V of(D d, V x) {
    const V one = hn::Set(d, 1), magnitude = hn::Abs(x);
    const V t = expm1_of<kWide>(d, at_most(d, magnitude, 25));
    const V near = hn::Mul(hn::Set(d, 0.5), hn::Add(t, hn::Div(t, hn::Add(t, one))));
    const Power<V> e = exp_parts<kWide>(d, at_most(d, magnitude, kExpLimit<kWide>));
    const V far = scale<kWide>(d, e.p, hn::Sub(e.k, one));
    return hn::CopySign(hn::IfThenElse(hn::Gt(magnitude, hn::Set(d, 22)), far, near), x);
  }
};

/// h + 1 / (4 h), h = exp(|x|) / 2. Error 2.
template <bool kWide>
struct Cosh {
  template <class D, class V>
  static HWY_INLINE V of(D d, V x) {
    const Power<V> e = exp_parts<kWide>(d, at_most(d, hn::Abs(x), kExpLimit<kWide>));
    const V half = scale<kWide>(d, e.p, hn::Sub(e.k, hn::Set(d, 1)));
    return hn::Add(half, hn::Div(hn::Set(d, 0.25), half));
  }
};

/// log1p(t), doubled under the logarithm where `far`: t is then the argument itself, above 2^54.
template <bool kWide, class D, class V>
HWY_INLINE V log1p_or_far(D d, hn::Mask<D> far, V x, V t) {
  const V value = log1p_of<kWide>(d, kWide ? hn::IfThenElse(far, x, t) : t);
  return kWide ? hn::Add(value, hn::IfThenElseZero(far, hn::Set(d, kLn2High))) : value;
}

/// log1p(a + a^2 / (1 + sqrt(1 + a^2))), a = |x|. Error 2.
template <bool kWide>
struct Asinh {
  template <class D, class V>
  static HWY_INLINE V of(D d, V x) {
    const V one = hn::Set(d, 1), a = hn::Abs(x);
    const auto far = hn::Gt(a, hn::Set(d, 0x1p54));
    const V square = hn::Mul(a, a);
    const V t = hn::Add(a, hn::Div(square, hn::Add(one, hn::Sqrt(hn::Add(one, square)))));
    // A float32 infinity would meet inf / inf.
    const V value = log1p_or_far<kWide>(d, far, a, kWide ? t : hn::IfThenElse(hn::Eq(a, hn::Inf(d)), a, t));
    return hn::CopySign(value, x);
  }
};

/// log1p(t + sqrt(t (t + 2))), t = x - 1. Error 2.
template <bool kWide>
struct Acosh {
  template <class D, class V>
  static HWY_INLINE V of(D d, V x) {
    const V one = hn::Set(d, 1);
    const auto far = hn::Gt(x, hn::Set(d, 0x1p54));
    const V t = hn::Sub(x, one);
    const V value = log1p_or_far<kWide>(d, far, x, hn::Add(t, hn::Sqrt(hn::Mul(t, hn::Add(t, hn::Set(d, 2))))));
    return hn::IfThenElse(hn::Lt(x, one), hn::NaN(d), value);
  }
};

/// log1p(2 a / (1 - a)) / 2, a = |x|. Error 2.5.
template <bool kWide>
struct Atanh {
  template <class D, class V>
  static HWY_INLINE V of(D d, V x) {
    const V one = hn::Set(d, 1), a = hn::Abs(x);
    const V value = log1p_of<kWide>(d, hn::Div(hn::Add(a, a), hn::Sub(one, a)));
    return hn::CopySign(hn::Mul(hn::Set(d, 0.5), value), x);
  }
};

/// 1 / (1 + exp(-x)): exp(x) / (1 + exp(x)) for x < 0, scaled last, so that the tail keeps its accuracy. Error 2.5.
template <bool kWide>
struct Sigmoid {
  template <class D, class V>
  static HWY_INLINE V of(D d, V x) {
    const V one = hn::Set(d, 1), zero = hn::Zero(d);
    const Power<V> e = exp_parts<kWide>(d, hn::Neg(at_most(d, hn::Abs(x), kExpLimit<kWide>)));
    const auto negative = hn::Lt(x, zero);
    const V quotient = hn::Div(hn::IfThenElse(negative, e.p, one), hn::Add(one, scale<kWide>(d, e.p, e.k)));
    return scale<kWide>(d, quotient, hn::IfThenElseZero(negative, e.k));
  }
};

/// x sigmoid(x); the limit -0 at -inf. Error 3.
template <bool kWide>
struct Silu {
  template <class D, class V>
  static HWY_INLINE V of(D d, V x) {
    const V one = hn::Set(d, 1), zero = hn::Zero(d);
    x = at_least(d, x, -kExpLimit<kWide>);
    const Power<V> e = exp_parts<kWide>(d, hn::Neg(at_most(d, hn::Abs(x), kExpLimit<kWide>)));
    const auto negative = hn::Lt(x, zero);
    const V above = hn::IfThenElse(negative, hn::Mul(x, e.p), x);
    const V quotient = hn::Div(above, hn::Add(one, scale<kWide>(d, e.p, e.k)));
    return scale<kWide>(d, quotient, hn::IfThenElseZero(negative, e.k));
  }
};

/// log(1 + exp(x)). Error 2.
template <bool kWide, class D, class V>
HWY_INLINE V softplus_of(D d, V x) {
  const V e = exp_of<kWide>(d, hn::Neg(hn::Abs(x)));
  return hn::Add(hn::IfThenElseZero(hn::Gt(x, hn::Zero(d)), x), log1p_of<kWide>(d, e));
}
template <bool kWide>
struct Softplus {
  template <class D, class V>
  static HWY_INLINE V of(D d, V x) {
    return softplus_of<kWide>(d, x);
  }
};
template <bool kWide>
struct LogSigmoid {
  template <class D, class V>
  static HWY_INLINE V of(D d, V x) {
    return hn::Neg(softplus_of<kWide>(d, hn::Neg(x)));
  }
};

/// x tanh(softplus(x)) = x n / (n + 2), n = e (e + 2), e = exp(x); the limit -0 at -inf. Error 4.
template <bool kWide>
struct Mish {
  template <class D, class V>
  static HWY_INLINE V of(D d, V x) {
    const V two = hn::Set(d, 2), zero = hn::Zero(d);
    x = at_least(d, x, -kExpLimit<kWide>);
    const Power<V> power = exp_parts<kWide>(d, at_most(d, x, 44));
    const V e = scale<kWide>(d, power.p, power.k);
    const auto negative = hn::Lt(x, zero);
    const V more = hn::Add(e, two);
    const V ratio = hn::Div(hn::Mul(hn::IfThenElse(negative, power.p, e), more), hn::MulAdd(e, more, two));
    return scale<kWide>(d, hn::Mul(x, ratio), hn::IfThenElseZero(negative, power.k));
  }
};

}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
HWY_AFTER_NAMESPACE();

#endif  // toggle
