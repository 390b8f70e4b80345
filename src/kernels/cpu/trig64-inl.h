// Formulas over vectors of float64: circular functions and their inverses. kWide as in math64-inl.h.
#if defined(PELLUCID_KERNELS_CPU_TRIG64_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef PELLUCID_KERNELS_CPU_TRIG64_INL_H_
#undef PELLUCID_KERNELS_CPU_TRIG64_INL_H_
#else
#define PELLUCID_KERNELS_CPU_TRIG64_INL_H_
#endif

#include "hwy/highway.h"
#include "kernels/cpu/huge_angle.h"
#include "kernels/cpu/math64-inl.h"

HWY_BEFORE_NAMESPACE();
namespace pellucid::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

inline constexpr double kPi2First = 0x1.921fb54442d18p+0, kPi2Second = 0x1.1a62633145c07p-54;
inline constexpr double kPi2Third = -0x1.f1976b7ed8fbcp-110;

/// x = quarters * pi / 2 + high + low, |high| a little above pi / 4 at most; quarters only modulo 4, in the low bits.
template <class D, class V>
struct Angle {
  V high, low;
  hn::Vec<hn::RebindToUnsigned<D>> quarters;
};

/// The same for the elements beyond the reach of reduce_angle, one at a time.
template <class D, class V>
HWY_NOINLINE void reduce_huge_angles(D d, V x, hn::Mask<D> huge, Angle<D, V>* angle) {
  const hn::RebindToUnsigned<D> du;
  HWY_ALIGN double value[hn::MaxLanes(D())], high[hn::MaxLanes(D())], low[hn::MaxLanes(D())];
  HWY_ALIGN std::uint64_t quarters[hn::MaxLanes(D())];
  hn::Store(hn::IfThenElseZero(huge, x), d, value);
  for (std::size_t i = 0; i < hn::Lanes(d); ++i) {
    const HugeAngle reduced = reduce_huge_angle(value[i]);
    high[i] = reduced.high;
    low[i] = reduced.low;
    quarters[i] = reduced.quarters;
  }
  angle->high = hn::IfThenElse(huge, hn::Load(d, high), angle->high);
  angle->low = hn::IfThenElse(huge, hn::Load(d, low), angle->low);
  angle->quarters = hn::IfThenElse(hn::RebindMask(du, huge), hn::Load(du, quarters), angle->quarters);
}

/// Below 2^30, n pi/2 with n = round(x 2/pi) is taken off in two (float32) or three parts: the first difference is
/// exact, since n times the first part is a multiple of 2^-52 and the difference is below 1. Above, by integers.
template <bool kWide, class D, class V>
HWY_INLINE Angle<D, V> reduce_angle(D d, V x) {
  const hn::RebindToUnsigned<D> du;
  const V rounder = hn::Set(d, kRounder);
  const V shifted = hn::MulAdd(x, hn::Set(d, 0x1.45f306dc9c883p-1), rounder);
  const V n = hn::Sub(shifted, rounder);
  const V first = hn::NegMulAdd(n, hn::Set(d, kPi2First), x);
  Angle<D, V> angle;
  angle.quarters = hn::BitCast(du, shifted);
  if constexpr (kWide) {
    const Pair<V> second = exact_product(n, hn::Set(d, kPi2Second));
    const Pair<V> difference = exact_sum(first, hn::Neg(second.high));
    const V rest = hn::NegMulAdd(n, hn::Set(d, kPi2Third), hn::Sub(difference.low, second.low));
    const Pair<V> both = fast_sum(difference.high, rest);
    angle.high = both.high;
    angle.low = both.low;
  } else {
    angle.high = hn::NegMulAdd(n, hn::Set(d, kPi2Second), first);
    angle.low = hn::Zero(d);
  }
  const auto huge = hn::And(hn::Ge(hn::Abs(x), hn::Set(d, 0x1p30)), hn::Lt(hn::Abs(x), hn::Inf(d)));
  if (HWY_UNLIKELY(!hn::AllFalse(d, huge))) reduce_huge_angles(d, x, huge, &angle);
  return angle;
}

/// Sine and cosine of a reduced angle. Error 0.6.
template <bool kWide, class D, class V>
HWY_INLINE V sin_reduced(D d, V r, V low) {
  const V z = hn::Mul(r, r);
  const V cube = hn::Mul(z, r);
  if constexpr (kWide) {
    const V tail = hn::NegMulAdd(hn::Mul(hn::Set(d, 0.5), z), low, low);
    return hn::Add(r, hn::MulAdd(cube, polynomial(d, z, kSin), tail));
  } else {
    return hn::MulAdd(cube, polynomial(d, z, kSinNarrow), r);
  }
}
template <bool kWide, class D, class V>
HWY_INLINE V cos_reduced(D d, V r, V low) {
  const V one = hn::Set(d, 1), z = hn::Mul(r, r);
  const V half = hn::Mul(hn::Set(d, 0.5), z);
  const V square = hn::Mul(z, z);
  if constexpr (kWide) {
    const V w = hn::Sub(one, half);
    const V tail = hn::NegMulAdd(r, low, hn::Sub(hn::Sub(one, w), half));
    return hn::Add(w, hn::MulAdd(square, polynomial(d, z, kCos), tail));
  } else {
    return hn::MulAdd(square, polynomial(d, z, kCosNarrow), hn::Sub(one, half));
  }
}

/// sin(x + shift pi / 2).
template <bool kWide>
struct Sine {
  std::uint64_t shift;
  template <class D, class V>
  HWY_INLINE V of(D d, V x) const {
    const hn::RebindToUnsigned<D> du;
    const Angle<D, V> angle = reduce_angle<kWide>(d, x);
    const auto quarters = hn::Add(angle.quarters, hn::Set(du, shift));
    const auto odd = hn::RebindMask(d, hn::TestBit(quarters, hn::Set(du, 1)));
    const V s = sin_reduced<kWide>(d, angle.high, angle.low), c = cos_reduced<kWide>(d, angle.high, angle.low);
    const auto sign = hn::ShiftLeft<62>(hn::And(quarters, hn::Set(du, 2)));
    const V sine = hn::IfThenElse(hn::Eq(x, hn::Zero(d)), x, s);
    return hn::Xor(hn::IfThenElse(odd, c, sine), hn::BitCast(d, sign));
  }
};

/// sin / cos, or -cos / sin in odd quarters. Error 2.
template <bool kWide>
struct Tan {
  template <class D, class V>
  static HWY_INLINE V of(D d, V x) {
    const hn::RebindToUnsigned<D> du;
    const Angle<D, V> angle = reduce_angle<kWide>(d, x);
    const auto odd = hn::RebindMask(d, hn::TestBit(angle.quarters, hn::Set(du, 1)));
    const V s = sin_reduced<kWide>(d, angle.high, angle.low), c = cos_reduced<kWide>(d, angle.high, angle.low);
    const V value = hn::Div(hn::IfThenElse(odd, hn::Neg(c), s), hn::IfThenElse(odd, s, c));
    return hn::IfThenElse(hn::Eq(x, hn::Zero(d)), x, value);
  }
};

// ---- Inverses -------------------------------------------------------------------------------------------------------

/// asin(s) - s for s = sqrt(z), z <= 1/4.
template <bool kWide, class D, class V>
HWY_INLINE V asin_tail(D d, V s, V z) {
  return hn::Mul(hn::Mul(s, z), kWide ? polynomial(d, z, kAsin) : polynomial(d, z, kAsinNarrow));
}

/// For |x| > 1/2 through asin(sqrt((1 - |x|) / 2)); what the root cut off is put back. Error 1.5.
template <class D, class V>
struct RootPart {
  V root, tail;  // their sum is asin(sqrt((1 - |x|) / 2))
};
template <bool kWide, class D, class V>
HWY_INLINE RootPart<D, V> asin_of_root(D d, V z) {
  const V s = hn::Sqrt(z);
  if constexpr (!kWide) return {s, asin_tail<kWide>(d, s, z)};
  const V cut = hn::Div(hn::NegMulAdd(s, s, z), hn::Add(s, s));
  return {s, hn::Add(asin_tail<kWide>(d, s, z), hn::IfThenZeroElse(hn::Eq(s, hn::Zero(d)), cut))};
}

template <bool kWide>
struct Asin {
  template <class D, class V>
  static HWY_INLINE V of(D d, V x) {
    const V a = hn::Abs(x), half = hn::Set(d, 0.5), two = hn::Set(d, 2);
    const auto far = hn::Gt(a, half);
    const V z = hn::Mul(half, hn::Sub(hn::Set(d, 1), a));
    const RootPart<D, V> part = asin_of_root<kWide>(d, z);
    const Pair<V> above = fast_sum(hn::Set(d, kPi2First), hn::Neg(hn::Mul(two, part.root)));
    const V rest = hn::NegMulAdd(two, part.tail, hn::Add(above.low, hn::Set(d, kPi2Second)));
    const V near = hn::Add(a, asin_tail<kWide>(d, a, hn::Mul(a, a)));
    return hn::CopySign(hn::IfThenElse(far, hn::Add(above.high, rest), near), x);
  }
};

template <bool kWide>
struct Acos {
  template <class D, class V>
  static HWY_INLINE V of(D d, V x) {
    const V a = hn::Abs(x), half = hn::Set(d, 0.5), two = hn::Set(d, 2), zero = hn::Zero(d);
    const auto far = hn::Gt(a, half), negative = hn::Lt(x, zero);
    const V z = hn::Mul(half, hn::Sub(hn::Set(d, 1), a));
    const RootPart<D, V> part = asin_of_root<kWide>(d, z);
    const V right = hn::Mul(two, hn::Add(part.root, part.tail));
    const Pair<V> above = fast_sum(hn::Set(d, 2 * kPi2First), hn::Neg(hn::Mul(two, part.root)));
    const V left = hn::Add(above.high, hn::NegMulAdd(two, part.tail, hn::Add(above.low, hn::Set(d, 2 * kPi2Second))));
    const Pair<V> middle = fast_sum(hn::Set(d, kPi2First), hn::Neg(x));
    const V near = hn::Add(middle.high,
                           hn::Sub(hn::Add(middle.low, hn::Set(d, kPi2Second)), asin_tail<kWide>(d, x, hn::Mul(x, x))));
    return hn::IfThenElse(far, hn::IfThenElse(negative, left, right), near);
  }
};

/// atan(y / x) in [0, pi / 2] for y, x >= 0: of y / x, (y - x) / (y + x) or -x / y, whichever is below tan(pi / 8).
/// Error 1.5.
template <bool kWide, class D, class V>
HWY_INLINE V atan_of_quotient(D d, V y, V x) {
  const auto steep = hn::Gt(y, hn::Mul(x, hn::Set(d, 2.414213562373095)));
  const auto middle = hn::Gt(y, hn::Mul(x, hn::Set(d, 0.41421356237309503)));
  const V above = hn::IfThenElse(steep, hn::Neg(x), hn::IfThenElse(middle, hn::Sub(y, x), y));
  const V below = hn::IfThenElse(steep, y, hn::IfThenElse(middle, hn::Add(y, x), x));
  const V t = hn::Div(above, below);
  const V z = hn::Mul(t, t);
  const V tail = hn::Mul(hn::Mul(t, z), kWide ? polynomial(d, z, kAtan) : polynomial(d, z, kAtanNarrow));
  const V high = hn::IfThenElse(steep, hn::Set(d, kPi2First), hn::IfThenElseZero(middle, hn::Set(d, kPi2First / 2)));
  const V low = hn::IfThenElse(steep, hn::Set(d, kPi2Second), hn::IfThenElseZero(middle, hn::Set(d, kPi2Second / 2)));
  const Pair<V> both = exact_sum(high, t);
  return hn::Add(both.high, hn::Add(both.low, hn::Add(tail, low)));
}

template <bool kWide>
struct Atan {
  template <class D, class V>
  static HWY_INLINE V of(D d, V x) {
    return hn::CopySign(atan_of_quotient<kWide>(d, hn::Abs(x), hn::Set(d, 1)), x);
  }
};

template <bool kWide>
struct Atan2 {
  template <class D, class V>
  static HWY_INLINE V of(D d, V y, V x) {
    const V one = hn::Set(d, 1), zero = hn::Zero(d);
    V u = hn::Abs(y), v = hn::Abs(x);
    // inf / inf counts as 1 / 1, and 0 / 0 as 0 / 1.
    const auto infinite = hn::And(hn::Eq(u, hn::Inf(d)), hn::Eq(v, hn::Inf(d)));
    const auto nothing = hn::And(hn::Eq(u, zero), hn::Eq(v, zero));
    u = hn::IfThenElse(infinite, one, u);
    v = hn::IfThenElse(hn::Or(infinite, nothing), one, v);
    if constexpr (kWide) {
      const V limit = hn::Set(d, 0x1p1000);
      const V down = hn::IfThenElse(hn::Or(hn::Gt(u, limit), hn::Gt(v, limit)), hn::Set(d, 0.25), one);
      u = hn::Mul(u, down);
      v = hn::Mul(v, down);
    }
    const V angle = atan_of_quotient<kWide>(d, u, v);
    const V left = hn::Sub(hn::Set(d, 2 * kPi2First), hn::Sub(angle, hn::Set(d, 2 * kPi2Second)));
    // The sign of x, which may be -0.
    const auto negative = hn::MaskFromVec(hn::BroadcastSignBit(hn::BitCast(hn::RebindToSigned<D>(), x)));
    return hn::CopySign(hn::IfThenElse(hn::RebindMask(d, negative), left, angle), y);
  }
};

}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
HWY_AFTER_NAMESPACE();

#endif  // toggle
