// Elementwise casts between all pairs of element types. Every float result is the nearest number (ties to even); float
// to integer truncates and saturates, NaN becomes 0; anything to bool is x != 0.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/map_casts.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include <cstring>
#include <limits>

#include "kernels/cpu/map-inl.h"

#ifndef PELLUCID_KERNELS_CPU_MAP_CASTS_ONCE_
#define PELLUCID_KERNELS_CPU_MAP_CASTS_ONCE_
namespace pellucid::kernels {
namespace {

/// Rounds to bfloat16; the bits of `value` below its 16 upper ones decide, so it must be exact or rounded to odd.
inline std::uint16_t bfloat16_of(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  if ((bits & 0x7FFFFFFF) > 0x7F800000) return static_cast<std::uint16_t>(bits >> 16 | 0x40);
  return static_cast<std::uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

/// float32 by truncation, the last bit set where something was cut off (rounding to odd): a later rounding to fewer
/// bits is then as good as one rounding of `value`.
inline float odd_float_of(double value) {
  float result = static_cast<float>(value);
  const double back = static_cast<double>(result);
  if (back == value || value != value) return result;
  std::uint32_t bits;
  std::memcpy(&bits, &result, sizeof bits);
  const bool away = (back < 0 ? -back : back) > (value < 0 ? -value : value);
  bits = (bits - (away ? 1 : 0)) | 1;
  std::memcpy(&result, &bits, sizeof result);
  return result;
}

inline float odd_float_of(std::int64_t value) {
  const std::uint64_t magnitude = value < 0 ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
  // The upper bits fit float64 exactly; the bits below only matter as "not zero".
  const std::uint64_t kept = (magnitude & ~std::uint64_t{0xFFFF}) | ((magnitude & 0xFFFF) != 0 ? 0x8000 : 0);
  const bool small = magnitude < (std::uint64_t{1} << 53);
  const double wide =
      static_cast<double>(static_cast<std::int64_t>(small ? magnitude : kept >> 1)) * (small ? 1.0 : 2.0);
  return odd_float_of(value < 0 ? -wide : wide);
}

template <class To, class From>
inline To saturated(From value) {
  constexpr From low = static_cast<From>(std::numeric_limits<To>::min());
  // 2^bits, which the greatest integer rounds up to or stands just below.
  constexpr From high = static_cast<From>(std::numeric_limits<To>::max() / 2 + 1) * 2;
  if (value >= high) return std::numeric_limits<To>::max();
  if (value > low - 1) return static_cast<To>(value);
  return value <= low ? std::numeric_limits<To>::min() : To{0};
}

/// One element from type From to type To, as stored: bool is uint8_t with kBool set, bfloat16 is BFloat16.
template <class To, class From, bool kBool>
inline To convert(From value) {
  if constexpr (std::is_same_v<From, BFloat16>) {
    const std::uint32_t bits = static_cast<std::uint32_t>(value.bits) << 16;
    float wide;
    std::memcpy(&wide, &bits, sizeof wide);
    return convert<To, float, kBool>(wide);
  } else if constexpr (kBool) {
    return value != 0 ? 1 : 0;
  } else if constexpr (std::is_same_v<To, BFloat16>) {
    if constexpr (std::is_same_v<From, double> || std::is_same_v<From, std::int64_t>) {
      return {bfloat16_of(odd_float_of(value))};
    } else if constexpr (std::is_same_v<From, std::int32_t>) {
      return {bfloat16_of(odd_float_of(static_cast<double>(value)))};
    } else {
      return {bfloat16_of(static_cast<float>(value))};
    }
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    return saturated<To>(value);
  } else {
    return static_cast<To>(value);
  }
}

}  // namespace
}  // namespace pellucid::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace pellucid::kernels {
namespace HWY_NAMESPACE {
namespace {

/// Element by element; the compiler makes of it what it can.
template <class To, class From, bool kBool>
void cast_each(void* y, const void* a, const void*, const void*, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) out<To>(y, i)[0] = convert<To, From, kBool>(in<From>(a, i)[0]);
}

template <std::size_t kSize>
void cast_copy(void* y, const void* a, const void*, const void*, std::size_t n) {
  if (n != 0) std::memmove(y, a, n * kSize);
}

template <class T>
struct ToBool {
  using Lane = T;
  template <class D>
  static HWY_INLINE void at(D d, void* y, const void* a, const void*, const void*, std::size_t i) {
    const hn::Rebind<std::uint8_t, D> bytes;
    hn::StoreU(bytes_of(d, hn::Not(hn::Eq(hn::LoadU(d, in<T>(a, i)), hn::Zero(d)))), bytes, out<std::uint8_t>(y, i));
  }
};

/// uint8 and bool to float32 or int32.
template <class To>
struct BytesTo {
  using Lane = To;
  template <class D>
  static HWY_INLINE void at(D d, void* y, const void* a, const void*, const void*, std::size_t i) {
    const hn::Rebind<std::uint8_t, D> bytes;
    const hn::Rebind<std::int32_t, D> words;
    const auto v = hn::PromoteTo(words, hn::LoadU(bytes, in<std::uint8_t>(a, i)));
    if constexpr (hwy::IsFloat<To>()) {
      hn::StoreU(hn::ConvertTo(d, v), d, out<To>(y, i));
    } else {
      hn::StoreU(v, d, out<To>(y, i));
    }
  }
};

struct Float32ToBytes {
  using Lane = float;
  template <class D>
  static HWY_INLINE void at(D d, void* y, const void* a, const void*, const void*, std::size_t i) {
    const hn::Rebind<std::uint8_t, D> bytes;
    const hn::Rebind<std::int32_t, D> words;
    const hn::RebindToUnsigned<D> du;
    const auto x = hn::LoadU(d, in<float>(a, i));
    const auto number = hn::IfThenElseZero(hn::Gt(x, hn::Zero(d)), hn::Min(x, hn::Set(d, 255)));
    hn::StoreU(hn::TruncateTo(bytes, hn::BitCast(du, hn::ConvertTo(words, number))), bytes, out<std::uint8_t>(y, i));
  }
};

struct Float32ToInt32 {
  using Lane = float;
  template <class D>
  static HWY_INLINE void at(D d, void* y, const void* a, const void*, const void*, std::size_t i) {
    const hn::Rebind<std::int32_t, D> words;
    const auto x = hn::LoadU(d, in<float>(a, i));
    const auto number = hn::IfThenElseZero(hn::Eq(x, x), x);
    hn::StoreU(hn::ConvertTo(words, number), words, out<std::int32_t>(y, i));
  }
};

struct Int32ToFloat32 {
  using Lane = float;
  template <class D>
  static HWY_INLINE void at(D d, void* y, const void* a, const void*, const void*, std::size_t i) {
    const hn::Rebind<std::int32_t, D> words;
    hn::StoreU(hn::ConvertTo(d, hn::LoadU(words, in<std::int32_t>(a, i))), d, out<float>(y, i));
  }
};

/// float32 or int32 to float64.
template <class From>
struct ToFloat64 {
  using Lane = double;
  template <class D>
  static HWY_INLINE void at(D d, void* y, const void* a, const void*, const void*, std::size_t i) {
    const hn::Rebind<From, D> narrow;
    hn::StoreU(hn::PromoteTo(d, hn::LoadU(narrow, in<From>(a, i))), d, out<double>(y, i));
  }
};

struct Float64ToFloat32 {
  using Lane = double;
  template <class D>
  static HWY_INLINE void at(D d, void* y, const void* a, const void*, const void*, std::size_t i) {
    const hn::Rebind<float, D> narrow;
    hn::StoreU(hn::DemoteTo(narrow, hn::LoadU(d, in<double>(a, i))), narrow, out<float>(y, i));
  }
};

struct Float32ToBFloat16 {
  using Lane = float;
  template <class D>
  static HWY_INLINE void at(D d, void* y, const void* a, const void*, const void*, std::size_t i) {
    const hn::Rebind<std::uint16_t, D> halves;
    const hn::RebindToUnsigned<D> du;
    const auto x = hn::LoadU(d, in<float>(a, i));
    const auto bits = hn::BitCast(du, x);
    const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(du, 1));
    const auto rounded = hn::Add(bits, hn::Add(odd, hn::Set(du, 0x7FFF)));
    const auto quiet = hn::Or(bits, hn::Set(du, 0x400000));
    const auto chosen = hn::IfThenElse(hn::RebindMask(du, hn::IsNaN(x)), quiet, rounded);
    hn::StoreU(hn::TruncateTo(halves, hn::ShiftRight<16>(chosen)), halves, out<std::uint16_t>(y, i));
  }
};

struct RoundBFloat16 {
  using Lane = float;
  template <class D>
  static HWY_INLINE void at(D d, void* y, const void* a, const void*, const void*, std::size_t i) {
    const hn::RebindToUnsigned<D> du;
    const auto x = hn::LoadU(d, in<float>(a, i));
    const auto bits = hn::BitCast(du, x);
    const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(du, 1));
    const auto rounded = hn::Add(bits, hn::Add(odd, hn::Set(du, 0x7FFF)));
    const auto quiet = hn::Or(bits, hn::Set(du, 0x400000));
    const auto chosen = hn::IfThenElse(hn::RebindMask(du, hn::IsNaN(x)), quiet, rounded);
    hn::StoreU(hn::BitCast(d, hn::And(chosen, hn::Set(du, 0xFFFF0000))), d, out<float>(y, i));
  }
};

void round_float64(void* y, const void* a, const void*, const void*, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) {
    out<double>(y, i)[0] = convert<double, BFloat16, false>(convert<BFloat16, double, false>(in<double>(a, i)[0]));
  }
}

struct BFloat16ToFloat32 {
  using Lane = float;
  template <class D>
  static HWY_INLINE void at(D d, void* y, const void* a, const void*, const void*, std::size_t i) {
    const hn::Rebind<std::uint16_t, D> halves;
    const hn::RebindToUnsigned<D> du;
    const auto bits = hn::ShiftLeft<16>(hn::PromoteTo(du, hn::LoadU(halves, in<std::uint16_t>(a, i))));
    hn::StoreU(hn::BitCast(d, bits), d, out<float>(y, i));
  }
};

template <class From>
void from(MapTable& t, DType dtype) {
  t.cast[static_cast<std::size_t>(bool_)][dtype] = cast_each<std::uint8_t, From, true>;
  t.cast[static_cast<std::size_t>(uint8)][dtype] = cast_each<std::uint8_t, From, false>;
  t.cast[static_cast<std::size_t>(int32)][dtype] = cast_each<std::int32_t, From, false>;
  t.cast[static_cast<std::size_t>(int64)][dtype] = cast_each<std::int64_t, From, false>;
  t.cast[static_cast<std::size_t>(bfloat16)][dtype] = cast_each<BFloat16, From, false>;
  t.cast[static_cast<std::size_t>(float32)][dtype] = cast_each<float, From, false>;
  t.cast[static_cast<std::size_t>(float64)][dtype] = cast_each<double, From, false>;
}

void fill(MapTable& t) {
  from<std::uint8_t>(t, bool_);
  from<std::uint8_t>(t, uint8);
  from<std::int32_t>(t, int32);
  from<std::int64_t>(t, int64);
  from<BFloat16>(t, bfloat16);
  from<float>(t, float32);
  from<double>(t, float64);

  const auto set = [&t](DType to, DType of, Map map) { t.cast[static_cast<std::size_t>(to)][of] = map; };
  for (const DType dtype : kAllDTypes) {
    const std::size_t size = size_of(dtype);
    set(dtype, dtype, size == 1 ? cast_copy<1> : size == 2 ? cast_copy<2> : size == 4 ? cast_copy<4> : cast_copy<8>);
  }
  set(uint8, bool_, cast_copy<1>);
  set(bool_, uint8, run<ToBool<std::uint8_t>>);
  set(bool_, int32, run<ToBool<std::int32_t>>);
  set(bool_, int64, run<ToBool<std::int64_t>>);
  set(bool_, float32, run<ToBool<float>>);
  set(bool_, float64, run<ToBool<double>>);
  for (const DType bytes : {bool_, uint8}) {
    set(float32, bytes, run<BytesTo<float>>);
    set(int32, bytes, run<BytesTo<std::int32_t>>);
  }
  set(uint8, float32, run<Float32ToBytes>);
  set(int32, float32, run<Float32ToInt32>);
  set(float32, int32, run<Int32ToFloat32>);
  set(float64, float32, run<ToFloat64<float>>);
  set(float64, int32, run<ToFloat64<std::int32_t>>);
  set(float32, float64, run<Float64ToFloat32>);
  set(bfloat16, float32, run<Float32ToBFloat16>);
  set(float32, bfloat16, run<BFloat16ToFloat32>);
  t.round_bfloat16[float32] = run<RoundBFloat16>;
  t.round_bfloat16[float64] = round_float64;
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace pellucid::kernels {

void fill_casts(MapTable& table, Isa isa) { PELLUCID_FOR_ISA(isa, fill)(table); }

}  // namespace pellucid::kernels
#endif
