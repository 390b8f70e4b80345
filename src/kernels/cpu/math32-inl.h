// Formulas over vectors of float32 for what training calls most: twice the lanes of a detour through float64. Where one
// rounding too many would break the promise of 1 or 2 units in the last place, a number is a pair high + low.
// Error bounds are over all 2^32 inputs, found by tests/sweep_float32.cpp.
#if defined(PELLUCID_KERNELS_CPU_MATH32_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef PELLUCID_KERNELS_CPU_MATH32_INL_H_
#undef PELLUCID_KERNELS_CPU_MATH32_INL_H_
#else
#define PELLUCID_KERNELS_CPU_MATH32_INL_H_
#endif

#include "hwy/highway.h"
#include "kernels/cpu/math64-inl.h"
#include "kernels/cpu/polynomials.h"

HWY_BEFORE_NAMESPACE();
namespace pellucid::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

inline constexpr float kRounder32 = 12582912.0f;  // 1.5 * 2^23

/// p * 2^k, k an integer, |k| <= 250, rounded once.
template <class D, class V>
HWY_INLINE V scale32(D d, V p, V k) {
#if HWY_TARGET <= HWY_AVX3
  if constexpr (sizeof(V) == 64) return V{_mm512_scalef_ps(p.raw, k.raw)};
#endif
  const hn::RebindToUnsigned<D> du;
  const V rounder = hn::Set(d, kRounder32);
  const auto one = hn::BitCast(du, hn::Set(d, 1));
  const V half = hn::MulAdd(k, hn::Set(d, 0.5f), rounder);
  const V rest = hn::Add(hn::Sub(k, hn::Sub(half, rounder)), rounder);
  const V first = hn::BitCast(d, hn::Add(hn::ShiftLeft<23>(hn::BitCast(du, half)), one));
  const V second = hn::BitCast(d, hn::Add(hn::ShiftLeft<23>(hn::BitCast(du, rest)), one));
  return hn::Mul(hn::Mul(p, first), second);
}

/// 2^k for an integer k, |k| <= 126.
template <class D, class V>
HWY_INLINE V power_of_two32(D d, V k) {
#if HWY_TARGET <= HWY_AVX3
  if constexpr (sizeof(V) == 64) return V{_mm512_scalef_ps(hn::Set(d, 1).raw, k.raw)};
#endif
  const hn::RebindToUnsigned<D> du;
  const auto bits = hn::BitCast(du, hn::Add(k, hn::Set(d, kRounder32)));
  return hn::BitCast(d, hn::Add(hn::ShiftLeft<23>(bits), hn::BitCast(du, hn::Set(d, 1))));
}

/// c[0] + c[1] x + ..., x^2 given: Horner's last step, which rounds most, behind pairs of terms (Estrin's rule), which
/// wait less for each other.
template <class D, class V>
HWY_INLINE V polynomial_by_pairs(D d, V x, V square, const float (&c)[6]) {
  const V first = hn::MulAdd(x, hn::Set(d, c[2]), hn::Set(d, c[1]));
  const V second = hn::MulAdd(x, hn::Set(d, c[4]), hn::Set(d, c[3]));
  const V third = hn::MulAdd(square, hn::Set(d, c[5]), second);
  return hn::MulAdd(hn::MulAdd(third, square, first), x, hn::Set(d, c[0]));
}

/// exp(x + x_low) = (p + low) 2^k for |x| <= 170; x_low may be left out.
template <class V>
struct Power32 {
  V p, low, k;
};
template <class D, class V, class... Low>
HWY_INLINE Power32<V> exp_parts32(D d, V x, Low... x_low) {
  const V rounder = hn::Set(d, kRounder32), one = hn::Set(d, 1);
  const V k = hn::Sub(hn::MulAdd(x, hn::Set(d, 0x1.715476p+0f), rounder), rounder);
  const V high = hn::NegMulAdd(k, hn::Set(d, 0x1.62e43p-1f), x);
  V r = hn::NegMulAdd(k, hn::Set(d, -0x1.05c61p-29f), high);
  if constexpr (sizeof...(x_low) != 0) r = hn::Add(r, x_low...);
  const V square = hn::Mul(r, r);
  const V y = hn::MulAdd(square, polynomial_by_pairs(d, r, square, kExp32), r);
  const Pair<V> sum = fast_sum(one, y);
  return {sum.high, sum.low, k};
}

/// Error 0.7.
struct Exp32 {
  template <class D, class V>
  static HWY_INLINE V of(D d, V x) {
    const V limited = at_least(d, at_most(d, x, 90), -105);
    const Power32<V> e = exp_parts32(d, limited);
    return scale32(d, e.p, e.k);
  }
};

/// (above.high + above.low) / (below.high + below.low), the lows small.
template <class D, class V>
HWY_INLINE V quotient32(D d, Pair<V> above, Pair<V> below) {
  const V inverse = hn::Div(hn::Set(d, 1), below.high);
  const V q = hn::Mul(above.high, inverse);
  const V rest = hn::Add(hn::NegMulAdd(q, below.high, above.high), hn::NegMulAdd(q, below.low, above.low));
  return hn::MulAdd(rest, inverse, q);
}

/// 1 + e for e = p 2^k in [0, 1].
template <class D, class V>
HWY_INLINE Pair<V> one_more32(D d, Power32<V> e) {
  // Below 2^-100, e is nothing beside 1.
  const V power = power_of_two32(d, at_least(d, e.k, -100));
  const Pair<V> sum = fast_sum(hn::Set(d, 1), hn::Mul(e.p, power));
  return {sum.high, hn::MulAdd(e.low, power, sum.low)};
}

/// exp(x) / (1 + exp(x)) for x < 0, scaled last, otherwise 1 / (1 + exp(-x)). Error 1.0.
struct Sigmoid32 {
  template <class D, class V>
  static HWY_INLINE V of(D d, V x) {
    const V one = hn::Set(d, 1), zero = hn::Zero(d);
    const Power32<V> e = exp_parts32(d, hn::Neg(at_most(d, hn::Abs(x), 105)));
    const auto negative = hn::Lt(x, zero);
    const Pair<V> above = {hn::IfThenElse(negative, e.p, one), hn::IfThenElseZero(negative, e.low)};
    return scale32(d, quotient32(d, above, one_more32(d, e)), hn::IfThenElseZero(negative, e.k));
  }
};

/// x exp(x) / (1 + exp(x)) or x / (1 + exp(-x)), e = exp(-|x|) given; the limit -0 at -inf.
template <class D, class V>
HWY_INLINE V gated32(D d, V x, Power32<V> e) {
  const auto negative = hn::Lt(x, hn::Zero(d));
  const V p = hn::Mul(x, e.p);
  const V low = hn::MulAdd(x, e.low, hn::MulSub(x, e.p, p));
  const Pair<V> above = {hn::IfThenElse(negative, p, x), hn::IfThenElseZero(negative, low)};
  return scale32(d, quotient32(d, above, one_more32(d, e)), hn::IfThenElseZero(negative, e.k));
}

/// Error 1.06.
struct Silu32 {
  template <class D, class V>
  static HWY_INLINE V of(D d, V x) {
    // Beyond 40 it is x, and quotients of large numbers could overflow; below -120 it is 0.
    const V limited = at_least(d, at_most(d, x, 120), -120);
    const V value = gated32(d, limited, exp_parts32(d, hn::Neg(hn::Abs(limited))));
    return hn::IfThenElse(hn::Gt(x, hn::Set(d, 40)), x, value);
  }
};

/// x n / (n + 2), n = e (e + 2), e = exp(x) = p 2^k; the limit -0 at -inf. Error 1.08.
struct Mish32 {
  template <class D, class V>
  static HWY_INLINE V of(D d, V x) {
    // Beyond 9 it is x, below -120 it is -0.
    const V two = hn::Set(d, 2), limited = at_least(d, at_most(d, x, 10), -120);
    const Power32<V> e = exp_parts32(d, limited);
    const V power = power_of_two32(d, at_least(d, e.k, -100));
    // n = above 2^k. Both sums lose what the next line finds again, exactly for e <= 2, and well enough above.
    const V whole = hn::Mul(e.p, power), twice = hn::Add(e.p, e.p);
    const V above = hn::MulAdd(e.p, whole, twice), lost = hn::MulAdd(e.p, whole, hn::Sub(twice, above));
    const V above_low = hn::MulAdd(e.low, hn::MulAdd(two, whole, two), lost);
    const V below = hn::MulAdd(above, power, two);
    const V below_low = hn::MulAdd(above_low, power, hn::MulAdd(above, power, hn::Sub(two, below)));
    const V inverse = hn::Div(hn::Set(d, 1), below), q = hn::Mul(above, inverse);
    const V rest = hn::NegMulAdd(q, below_low, hn::Add(above_low, hn::NegMulAdd(q, below, above)));
    const V value = scale32(d, hn::MulAdd(limited, q, hn::Mul(hn::Mul(limited, inverse), rest)), e.k);
    return hn::IfThenElse(hn::Gt(x, hn::Set(d, 9)), x, value);
  }
};

/// x sigmoid(u), u = sqrt(8 / pi) (x + 0.044715 x^3) as a pair: exp takes its error as a relative one. Error 1.32.
struct GeluTanh32 {
  template <class D, class V>
  static HWY_INLINE V of(D d, V x) {
    // Beyond 10 it is x, below -12 it is -0; u stays within 144.
    const V limited = at_least(d, at_most(d, x, 12), -12), a = hn::Abs(limited);
    const Pair<V> square = exact_product(a, a);
    const V third = hn::Set(d, 0x1.2444f2p-4f), first = hn::Set(d, 0x1.988454p+0f);
    const Pair<V> cubic = exact_product(third, square.high);
    const V cubic_low = hn::MulAdd(third, square.low, hn::MulAdd(hn::Set(d, 0x1.49b16ap-29f), square.high, cubic.low));
    const Pair<V> factor = exact_sum(first, cubic.high);
    const V factor_low = hn::Add(factor.low, hn::Add(cubic_low, hn::Set(d, -0x1.857936p-25f)));
    const Pair<V> u = exact_product(a, factor.high);
    const V low = hn::MulAdd(a, factor_low, u.low);
    const V value = gated32(d, limited, exp_parts32(d, hn::Neg(u.high), hn::Neg(low)));
    return hn::IfThenElse(hn::Gt(x, hn::Set(d, 10)), x, value);
  }
};

/// x + x^3 P(x^2) below 0.6, then (1 - e) / (1 + e), e = exp(-2 |x|). Error 0.9.
struct Tanh32 {
  template <class D, class V>
  static HWY_INLINE V of(D d, V x) {
    const V one = hn::Set(d, 1), a = hn::Abs(x), z = hn::Mul(a, a);
    const V near = hn::MulAdd(hn::Mul(a, z), polynomial(d, z, kTanh32), a);
    const V twice = hn::Mul(hn::Set(d, -2), at_most(d, a, 10));
    const Power32<V> parts = exp_parts32(d, twice);
    const V power = power_of_two32(d, parts.k);
    const V e = hn::Mul(parts.p, power), low = hn::Mul(parts.low, power);
    const Pair<V> below = fast_sum(one, e), above = fast_sum(one, hn::Neg(e));
    const V far =
        quotient32(d, Pair<V>{above.high, hn::Sub(above.low, low)}, Pair<V>{below.high, hn::Add(below.low, low)});
    return hn::CopySign(hn::IfThenElse(hn::Gt(a, hn::Set(d, 0.6f)), far, near), x);
  }
};

/// k log(2) + f - f^2 / 2 + f^3 P(f), x = (1 + f) 2^k. Error 0.9.
struct Log32 {
  template <class D, class V>
  static HWY_INLINE V of(D d, V x) {
    const hn::RebindToUnsigned<D> du;
    const auto tiny = hn::Lt(x, hn::Set(d, 0x1p-126f));
    const V lifted = hn::IfThenElse(tiny, hn::Mul(x, hn::Set(d, 0x1p24f)), x);
    constexpr std::uint32_t kRootHalf = 0x3F3504F3;
    const auto bits = hn::Add(hn::BitCast(du, lifted), hn::Set(du, 0x3F800000 - kRootHalf));
    // The exponent in the low bits of 2^23, from which it is taken as a number.
    const auto exponent = hn::Or(hn::ShiftRight<23>(bits), hn::Set(du, 0x4B000000));
    const V bias = hn::IfThenElse(tiny, hn::Set(d, 8388608.0f + 127 + 24), hn::Set(d, 8388608.0f + 127));
    const V k = hn::Sub(hn::BitCast(d, exponent), bias);
    const auto mantissa = hn::Add(hn::And(bits, hn::Set(du, 0x007FFFFF)), hn::Set(du, kRootHalf));
    const V f = hn::Sub(hn::BitCast(d, mantissa), hn::Set(d, 1));
    const V square = hn::Mul(f, f);
    const V cube = hn::Mul(hn::Mul(square, f), polynomial(d, f, kLog32));
    const V tail = hn::NegMulAdd(hn::Set(d, 0.5f), square, cube);
    // f takes the rounding of k log(2) along.
    const Pair<V> head = fast_sum(hn::Mul(k, hn::Set(d, 0x1.62ep-1f)), f);
    const V rest = hn::MulAdd(k, hn::Set(d, 0x1.0bfbe8p-15f), hn::Add(tail, head.low));
    return log_limits(d, x, hn::Add(head.high, rest));
  }
};

/// log(1 + e), e = exp(-|x|), as p 2^k.
template <class D, class V>
HWY_INLINE Power32<V> log_one_more32(D d, V x) {
  const Power32<V> e = exp_parts32(d, hn::Neg(at_most(d, hn::Abs(x), 110)));
  const V power = power_of_two32(d, at_least(d, e.k, -100));
  const V q = polynomial(d, hn::MulSub(e.p, power, hn::Set(d, 0.5f)), kLog1pOverX32);
  return {hn::MulAdd(e.p, q, hn::Mul(e.low, q)), hn::Zero(d), e.k};
}

/// max(x, 0) + log(1 + exp(-|x|)). Error 2.0.
struct Softplus32 {
  template <class D, class V>
  static HWY_INLINE V of(D d, V x) {
    const Power32<V> e = log_one_more32(d, x);
    return hn::Add(hn::IfThenZeroElse(hn::Lt(x, hn::Zero(d)), x), scale32(d, e.p, e.k));
  }
};

/// min(x, 0) - log(1 + exp(-|x|)). Error 2.0.
struct LogSigmoid32 {
  template <class D, class V>
  static HWY_INLINE V of(D d, V x) {
    const Power32<V> e = log_one_more32(d, x);
    return hn::Sub(hn::IfThenZeroElse(hn::Gt(x, hn::Zero(d)), x), scale32(d, e.p, e.k));
  }
};

/// erfc(a) for 1 <= a <= 4.5 to a few units: exp(-a^2) t P(t), t = 1 / (1 + a / 3).
template <class D, class V>
HWY_INLINE V rough_erfc32(D d, V a) {
  const V one = hn::Set(d, 1), square = hn::Mul(a, a);
  const Power32<V> e = exp_parts32(d, hn::Neg(square), hn::NegMulAdd(a, a, square));
  const V t = hn::Div(one, hn::MulAdd(a, hn::Set(d, 0x1.555556p-2f), one));
  const V p = polynomial(d, hn::Sub(t, hn::Set(d, 0.5f)), kErfc32);
  return hn::Mul(hn::Mul(e.p, power_of_two32(d, e.k)), hn::Mul(t, p));
}

/// x + x P(x^2) up to 1, then 1 - erfc. Error 1.5. (The complement itself is not good to 2 units in float32.)
struct Erf32 {
  template <class D, class V>
  static HWY_INLINE V of(D d, V x) {
    const V one = hn::Set(d, 1), a = hn::Abs(x), limited = at_most(d, a, 4.5), z = hn::Mul(limited, limited);
    const V near = hn::MulAdd(a, polynomial(d, z, kErf32), a);
    const V far = hn::Sub(one, rough_erfc32(d, limited));
    return hn::CopySign(hn::IfThenElse(hn::Ge(a, one), far, near), x);
  }
};

}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
HWY_AFTER_NAMESPACE();

#endif  // toggle
