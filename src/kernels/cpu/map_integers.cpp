// Elementwise kernels: division, powers and shifts of integers; copysign and nextafter, which are integer work on
// floats.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/map_integers.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include <type_traits>

#include "kernels/cpu/map-inl.h"

HWY_BEFORE_NAMESPACE();
namespace pellucid::kernels {
namespace HWY_NAMESPACE {
namespace {

/// The quotient rounded down; 0 for a divisor of 0, and the least integer over -1 wraps.
struct FloorDivide {
  template <class T>
  static HWY_INLINE T of(T a, T b) {
    if (b == 0) return 0;
    if constexpr (std::is_signed_v<T>) {
      using U = std::make_unsigned_t<T>;
      if (b == -1) return static_cast<T>(U{0} - static_cast<U>(a));
      const T q = static_cast<T>(a / b);
      return static_cast<T>(a % b != 0 && (a < 0) != (b < 0) ? q - 1 : q);
    } else {
      return static_cast<T>(a / b);
    }
  }
};

/// a - floor(a / b) b, with the sign of b; 0 for a divisor of 0.
struct Remainder {
  template <class T>
  static HWY_INLINE T of(T a, T b) {
    if (b == 0) return 0;
    if constexpr (std::is_signed_v<T>) {
      if (b == -1) return 0;
      const T r = static_cast<T>(a % b);
      return static_cast<T>(r != 0 && (r < 0) != (b < 0) ? r + b : r);
    } else {
      return static_cast<T>(a % b);
    }
  }
};

/// a^b by squaring, wrapping. A negative exponent gives the integer part of the true value: 0, 1 or -1 (0 for a = 0).
struct IntegerPower {
  template <class T>
  static HWY_INLINE T of(T a, T b) {
    if constexpr (std::is_signed_v<T>) {
      if (b < 0) return static_cast<T>(a == 1 ? 1 : a == -1 ? (b % 2 == 0 ? 1 : -1) : 0);
    }
    std::uint64_t factor = static_cast<std::uint64_t>(a), power = 1;
    for (std::uint64_t left = static_cast<std::uint64_t>(b); left != 0; left >>= 1) {
      if (left & 1) power *= factor;
      factor *= factor;
    }
    return static_cast<T>(power);
  }
};

/// Shifts by a number of places outside [0, bits) push everything out: 0, or -1 for the signed right shift of a
/// negative.
template <class T>
HWY_INLINE bool pushed_out(T places) {
  return static_cast<std::uint64_t>(places) >= 8 * sizeof(T);
}
struct LeftShift {
  template <class T>
  static HWY_INLINE T of(T a, T b) {
    return pushed_out(b) ? T{0} : static_cast<T>(static_cast<std::uint64_t>(a) << b);
  }
};
struct RightShift {
  template <class T>
  static HWY_INLINE T of(T a, T b) {
    return pushed_out(b) ? static_cast<T>(a < 0 ? -1 : 0) : static_cast<T>(a >> b);
  }
};
struct RightShiftLogical {
  template <class T>
  static HWY_INLINE T of(T a, T b) {
    return pushed_out(b) ? T{0} : static_cast<T>(static_cast<std::make_unsigned_t<T>>(a) >> b);
  }
};

template <class T, class F>
void each(void* y, const void* a, const void* b, const void*, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) out<T>(y, i)[0] = F::of(in<T>(a, i)[0], in<T>(b, i)[0]);
}
template <class F>
void integers(Maps& maps) {
  maps[int32] = each<std::int32_t, F>;
  maps[int64] = each<std::int64_t, F>;
  maps[uint8] = each<std::uint8_t, F>;
}

struct CopySign {
  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE V of(D, V a, V b) {
    return hn::CopySign(a, b);
  }
};

/// The next number from a towards b: one more or less in the bits, read as a signed magnitude.
struct NextAfter {
  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE V of(D d, V a, V b) {
    const hn::RebindToSigned<D> di;
    const auto bits = hn::BitCast(di, a);
    const auto one = hn::Set(di, 1);
    const V zero = hn::Zero(d);
    // Away from zero where b lies beyond a on a's side.
    const V sides = hn::Xor(hn::VecFromMask(d, hn::Lt(a, b)), hn::VecFromMask(d, hn::Lt(a, zero)));
    const auto away = hn::RebindMask(di, hn::MaskFromVec(sides));
    const V moved = hn::BitCast(d, hn::IfThenElse(away, hn::Add(bits, one), hn::Sub(bits, one)));
    const V least = hn::CopySign(hn::BitCast(d, one), b);
    const V value = hn::IfThenElse(hn::Eq(a, zero), least, moved);
    const V apart = hn::IfThenElse(hn::Eq(a, b), b, value);
    return hn::IfThenElse(hn::Or(hn::IsNaN(a), hn::IsNaN(b)), hn::Add(a, b), apart);
  }
};

void fill(MapTable& t) {
  integers<FloorDivide>(t.floor_divide);
  integers<Remainder>(t.remainder);
  integers<IntegerPower>(t.power);
  integers<LeftShift>(t.left_shift);
  integers<RightShift>(t.right_shift);
  integers<RightShiftLogical>(t.right_shift_logical);
  t.copysign[float32] = run<Binary<float, CopySign>>;
  t.copysign[float64] = run<Binary<double, CopySign>>;
  t.nextafter[float32] = run<Binary<float, NextAfter>>;
  t.nextafter[float64] = run<Binary<double, NextAfter>>;
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace pellucid::kernels {

void fill_integers(MapTable& table, Isa isa) { PELLUCID_FOR_ISA(isa, fill)(table); }

}  // namespace pellucid::kernels
#endif
