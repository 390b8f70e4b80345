// Sine and cosine over vectors of float32: twice the lanes of a detour through float64, which elements beyond 2^14
// take. Error bounds are over all 2^32 inputs, found by tests/sweep_float32.cpp.
#if defined(PELLUCID_KERNELS_CPU_TRIG32_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef PELLUCID_KERNELS_CPU_TRIG32_INL_H_
#undef PELLUCID_KERNELS_CPU_TRIG32_INL_H_
#else
#define PELLUCID_KERNELS_CPU_TRIG32_INL_H_
#endif

#include "hwy/highway.h"
#include "kernels/cpu/math32-inl.h"
#include "kernels/cpu/trig64-inl.h"

HWY_BEFORE_NAMESPACE();
namespace pellucid::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// `value`, with the elements that `huge` tells replaced by sin(x + shift pi / 2) through float64.
template <class D, class V>
HWY_NOINLINE V sin_huge32(D d, V x, std::uint64_t shift, hn::Mask<D> huge, V value) {
  const hn::Half<D> half;
  const hn::Repartition<double, D> wide;
  const Sine<false> sine = {shift};
  const auto lower = sine.of(wide, hn::PromoteTo(wide, hn::LowerHalf(half, x)));
  const auto upper = sine.of(wide, hn::PromoteTo(wide, hn::UpperHalf(half, x)));
  const V y = hn::Combine(d, hn::DemoteTo(half, upper), hn::DemoteTo(half, lower));
  return hn::IfThenElse(huge, y, value);
}

/// sin(x + shift pi / 2). n pi/2 with n = round(x 2/pi), below 2^13, is taken off in three parts. The first difference
/// is exact, a multiple of 2^-24 below 1; the second part has 10 bits, so low, what rounding the second difference
/// lost, is exact too, whichever of its terms is larger. Error 0.95.
struct Sine32 {
  std::uint64_t shift;
  template <class D, class V>
  HWY_INLINE V of(D d, V x) const {
    const hn::RebindToUnsigned<D> du;
    const V rounder = hn::Set(d, kRounder32 + static_cast<float>(shift));
    const V shifted = hn::MulAdd(x, hn::Set(d, 0x1.45f306p-1f), rounder), n = hn::Sub(shifted, rounder);
    const V first = hn::NegMulAdd(n, hn::Set(d, 0x1.921fb6p+0f), x), second = hn::Set(d, 0x1.778p-25f);
    const V r = hn::MulAdd(n, second, first);
    const V low = hn::MulAdd(n, hn::Set(d, -0x1.68c234p-39f), hn::MulAdd(n, second, hn::Sub(first, r)));

    const V z = hn::Mul(r, r);
    const V sum = hn::Add(r, hn::MulAdd(hn::Mul(r, z), polynomial(d, z, kSin32), low));
    const V s = hn::IfThenElse(hn::Eq(x, hn::Zero(d)), x, sum);  // -0 stays
    const V half = hn::MulAdd(polynomial(d, z, kCos32), z, hn::Set(d, -0.5f));
    const V c = hn::MulAdd(hn::MulSub(half, r, low), r, hn::Set(d, 1));
    const auto quarters = hn::BitCast(du, shifted);
    const auto odd = hn::RebindMask(d, hn::TestBit(quarters, hn::Set(du, 1)));
    const auto sign = hn::And(hn::ShiftLeft<30>(quarters), hn::Set(du, 0x80000000));
    const V value = hn::Xor(hn::IfThenElse(odd, c, s), hn::BitCast(d, sign));
    const auto huge = hn::Ge(hn::Abs(x), hn::Set(d, 0x1p13f));
    return HWY_LIKELY(hn::AllFalse(d, huge)) ? value : sin_huge32(d, x, shift, huge, value);
  }
};

}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
HWY_AFTER_NAMESPACE();

#endif  // toggle
