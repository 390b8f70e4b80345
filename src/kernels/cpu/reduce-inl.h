// The operations of the reductions and the 16 virtual lanes they run over, for the target that is being compiled.
// Included once for each target, after hwy/highway.h.

#if defined(PELLUCID_REDUCE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef PELLUCID_REDUCE_INL_H
#undef PELLUCID_REDUCE_INL_H
#else
#define PELLUCID_REDUCE_INL_H
#endif

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

#include "hwy/highway.h"
#include "kernels/kernels.h"

// Loops over the vectors of a row are unrolled whole, so that these stay in registers; clang does so by itself.
#undef PELLUCID_UNROLL
#if HWY_COMPILER_GCC_ACTUAL
#define PELLUCID_UNROLL _Pragma("GCC unroll 16")
#else
#define PELLUCID_UNROLL
#endif

HWY_BEFORE_NAMESPACE();
namespace pellucid::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// At most 16 lanes: on every width a whole number of these vectors holds the virtual lanes.
template <class T>
using LaneTag = hn::CappedTag<T, kLanes>;
template <class T>
inline constexpr std::size_t kVectors = kLanes / hn::MaxLanes(LaneTag<T>());

// ---- Operations -----------------------------------------------------------------------------------------------------
// identity() leaves every x as it is, bit for bit, so that lanes without elements need no case of their own; empty() is
// the result for no elements at all.

template <class T>
struct Sum {
  using Type = T;
  static constexpr T identity() { return std::is_floating_point_v<T> ? static_cast<T>(-0.0) : T{0}; }
  static constexpr T empty() { return T{0}; }
  template <class V>
  static HWY_INLINE V vec(V a, V b) {
    return hn::Add(a, b);
  }
};
template <class T>
struct Prod {
  using Type = T;
  static constexpr T identity() { return T{1}; }
  static constexpr T empty() { return T{1}; }
  template <class V>
  static HWY_INLINE V vec(V a, V b) {
    if constexpr (sizeof(T) == 1) {
      const hn::DFromV<V> d;
      const hn::Repartition<std::uint16_t, decltype(d)> d16;
      const auto a16 = hn::BitCast(d16, a);
      const auto b16 = hn::BitCast(d16, b);
      const auto even = hn::And(hn::Mul(a16, b16), hn::Set(d16, 0xFF));
      const auto odd = hn::ShiftLeft<8>(hn::Mul(hn::ShiftRight<8>(a16), hn::ShiftRight<8>(b16)));
      return hn::BitCast(d, hn::Or(even, odd));
    } else {
      return hn::Mul(a, b);
    }
  }
};

// The order of floats: -0 before +0, and NaN wins over all (the first of two). So the result does not depend on the
// order of the operands, the bits of a NaN apart.
template <class Element, bool kGreatest>
struct Extreme {
  using Type = std::conditional_t<std::is_same_v<Element, bool>, std::uint8_t, Element>;
  using T = Type;
  static constexpr T identity() {
    using Limits = std::numeric_limits<Element>;
    if constexpr (Limits::has_infinity) {
      return kGreatest ? -Limits::infinity() : Limits::infinity();
    } else {
      return kGreatest ? Limits::lowest() : Limits::max();
    }
  }
  static constexpr T empty() { return identity(); }
  static bool before(T a, T b) { return kGreatest ? a > b : a < b; }
  template <class V>
  static HWY_INLINE V vec(V a, V b) {
    if constexpr (std::is_floating_point_v<T>) {
      // Max and Min give NaN where b is NaN (x86: the second operand wherever neither is greater; NEON: NaN for
      // either).
      const V greatest = kGreatest ? hn::Max(a, b) : hn::Min(a, b);
      // Equal numbers differ at most in the sign of zero: And is the greater of them, Or the less.
      const V equal = kGreatest ? hn::And(a, b) : hn::Or(a, b);
      return hn::IfThenElse(hn::IsNaN(a), a, hn::IfThenElse(hn::Eq(a, b), equal, greatest));
    } else {
      return kGreatest ? hn::Max(a, b) : hn::Min(a, b);
    }
  }
};
template <class T>
using Greatest = Extreme<T, true>;
template <class T>
using Least = Extreme<T, false>;

// ---- Virtual lanes --------------------------------------------------------------------------------------------------

/// K vectors; a pack of kVectors<T> holds the 16 virtual lanes, its halves the lanes 0..7 and 8..15.
template <class T, std::size_t K = kVectors<T>>
struct Pack {
  Pack<T, K / 2> lo, hi;
};
template <class T>
struct Pack<T, 1> {
  hn::Vec<LaneTag<T>> v;
};

template <class Op, std::size_t K, class T = typename Op::Type>
HWY_INLINE Pack<T, K> merge(const Pack<T, K>& a, const Pack<T, K>& b) {
  if constexpr (K == 1) {
    return {Op::vec(a.v, b.v)};
  } else {
    return {merge<Op, K / 2>(a.lo, b.lo), merge<Op, K / 2>(a.hi, b.hi)};
  }
}

template <class T, std::size_t K>
HWY_INLINE Pack<T, K> load_pack(const T* x) {
  if constexpr (K == 1) {
    return {hn::LoadU(LaneTag<T>(), x)};
  } else {
    return {load_pack<T, K / 2>(x), load_pack<T, K / 2>(x + K / 2 * hn::MaxLanes(LaneTag<T>()))};
  }
}

/// The first n elements of x, `mask` being FirstN(d, n); the other lanes hold 0. Reads nothing beyond them, which
/// Highway's masked load promises on x86 alone.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE hn::Vec<D> load_masked(D d, [[maybe_unused]] hn::Mask<D> mask, const T* x, [[maybe_unused]] std::size_t n) {
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
  if constexpr (sizeof(T) >= 4) return hn::MaskedLoad(mask, d, x);
#endif
  HWY_ALIGN T padded[hn::MaxLanes(D())] = {};
  std::memcpy(padded, x, HWY_MIN(n, hn::MaxLanes(D())) * sizeof(T));
  return hn::Load(d, padded);
}

/// The first n < 16 elements, then the identity. Reads nothing beyond them.
template <class Op, std::size_t K, class T = typename Op::Type>
HWY_INLINE Pack<T, K> load_first(const T* x, std::size_t n) {
  constexpr std::size_t kHalf = K / 2 * hn::MaxLanes(LaneTag<T>());
  if constexpr (K > 1) {
    return {load_first<Op, K / 2>(x, HWY_MIN(n, kHalf)), load_first<Op, K / 2>(x + kHalf, n - HWY_MIN(n, kHalf))};
  } else if constexpr (sizeof(T) == 1) {
    HWY_ALIGN T padded[kLanes];
    for (std::size_t i = 0; i < kLanes; ++i) padded[i] = i < n ? x[i] : Op::identity();
    return {hn::Load(LaneTag<T>(), padded)};
  } else {
    const LaneTag<T> d;
    const auto mask = hn::FirstN(d, n);
    return {hn::IfThenElse(mask, load_masked(d, mask, x, n), hn::Set(d, Op::identity()))};
  }
}

template <class T, std::size_t K>
HWY_INLINE void store_pack(const Pack<T, K>& pack, T* y) {
  if constexpr (K == 1) {
    hn::StoreU(pack.v, LaneTag<T>(), y);
  } else {
    store_pack(pack.lo, y);
    store_pack(pack.hi, y + K / 2 * hn::MaxLanes(LaneTag<T>()));
  }
}

// ---- Merging the lanes by halves ------------------------------------------------------------------------------------

/// A vector of 32 bytes (16 of one-byte types) where there is one: what is left of the lanes of a row before they are
/// merged across vectors.
template <class T>
using FoldTag = hn::CappedTag<T, HWY_MIN(kLanes, 32 / sizeof(T))>;
template <class T>
using FoldVec = hn::Vec<FoldTag<T>>;

template <class Op, class D>
HWY_INLINE hn::Vec<hn::Half<D>> fold_half(D /*d*/, hn::Vec<D> v) {
  return Op::vec(hn::LowerHalf(hn::Half<D>(), v), hn::UpperHalf(hn::Half<D>(), v));
}

template <class Op, std::size_t K, class T = typename Op::Type>
HWY_INLINE FoldVec<T> fold(const Pack<T, K>& pack) {
  if constexpr (K > 1) {
    return fold<Op, K / 2>(merge<Op, K / 2>(pack.lo, pack.hi));
  } else if constexpr (hn::MaxLanes(LaneTag<T>()) > hn::MaxLanes(FoldTag<T>())) {
    return fold_half<Op>(LaneTag<T>(), pack.v);
  } else {
    return pack.v;
  }
}

template <class Op, class D>
HWY_INLINE hn::TFromD<D> finish_vec([[maybe_unused]] D d, hn::Vec<D> v) {
  if constexpr (hn::MaxLanes(D()) == 1) {
    return hn::GetLane(v);
  } else {
    return finish_vec<Op>(hn::Half<D>(), fold_half<Op>(d, v));
  }
}

template <class Op, class T = typename Op::Type>
HWY_INLINE T finish_fold(FoldVec<T> v) {
  if constexpr (sizeof(T) == 1) {
    // One-byte lanes are too narrow for Prod in parts of a vector: pad by the identity instead of halving.
    const FoldTag<T> d;
    HWY_ALIGN T lanes[2 * kLanes];
    for (std::size_t half = kLanes / 2; half > 0; half /= 2) {
      hn::Store(v, d, lanes);
      hn::Store(hn::Set(d, Op::identity()), d, lanes + kLanes);
      v = Op::vec(v, hn::LoadU(d, lanes + half));
    }
    return hn::GetLane(v);
  } else {
    return finish_vec<Op>(FoldTag<T>(), v);
  }
}

/// The number of rows that combine() finishes at once.
template <class T>
inline constexpr std::size_t kCombined = sizeof(T) == 1 ? 1 : hn::MaxLanes(FoldTag<T>());

/// lanes (j op j + half) of a and b: a's in the lower blocks, b's in the upper ones.
template <class Op, class T = typename Op::Type>
HWY_INLINE FoldVec<T> combine_blocks(FoldVec<T> a, FoldVec<T> b) {
  const FoldTag<T> d;
  return Op::vec(hn::ConcatLowerLower(d, b, a), hn::ConcatUpperUpper(d, b, a));
}
template <class Op, class T = typename Op::Type>
HWY_INLINE FoldVec<T> combine_lanes(FoldVec<T> a, FoldVec<T> b) {
  const FoldTag<T> d;
  return Op::vec(hn::InterleaveLower(d, a, b), hn::InterleaveUpper(d, a, b));
}
template <class Op, class T = typename Op::Type>
HWY_INLINE FoldVec<T> combine_pairs(FoldVec<T> a, FoldVec<T> b) {
  const FoldTag<T> d;
  const hn::Repartition<std::uint64_t, decltype(d)> d64;
  const auto a64 = hn::BitCast(d64, a);
  const auto b64 = hn::BitCast(d64, b);
  return Op::vec(hn::BitCast(d, hn::InterleaveLower(d64, a64, b64)),
                 hn::BitCast(d, hn::InterleaveUpper(d64, a64, b64)));
}

/// Lane i = finish(v[i]), for as many vectors as a vector has lanes.
template <class Op, class T = typename Op::Type>
HWY_INLINE FoldVec<T> combine(const FoldVec<T>* v) {
  constexpr bool kWide = hn::MaxLanes(FoldTag<T>()) * sizeof(T) == 32;
  if constexpr (sizeof(T) == 4 && kWide) {
    const auto a = combine_lanes<Op>(combine_blocks<Op>(v[0], v[4]), combine_blocks<Op>(v[1], v[5]));
    const auto b = combine_lanes<Op>(combine_blocks<Op>(v[2], v[6]), combine_blocks<Op>(v[3], v[7]));
    return combine_pairs<Op>(a, b);
  } else if constexpr (sizeof(T) == 4) {
    return combine_pairs<Op>(combine_lanes<Op>(v[0], v[1]), combine_lanes<Op>(v[2], v[3]));
  } else if constexpr (kWide) {
    return combine_lanes<Op>(combine_blocks<Op>(v[0], v[2]), combine_blocks<Op>(v[1], v[3]));
  } else {
    return combine_lanes<Op>(v[0], v[1]);
  }
}

// ---- The table ------------------------------------------------------------------------------------------------------

template <template <class> class Op, class Fill>
void fill_numbers(Reduction& reduction, Fill fill) {
  fill(reduction, DType::kFloat32, Op<float>());
  fill(reduction, DType::kFloat64, Op<double>());
  fill(reduction, DType::kInt32, Op<std::int32_t>());
  fill(reduction, DType::kInt64, Op<std::int64_t>());
  fill(reduction, DType::kUInt8, Op<std::uint8_t>());
}

/// Calls fill(reduction, dtype, operation) for every operation and each type that it has.
template <class Fill>
void fill_folds(ReduceTable& table, Fill fill) {
  fill_numbers<Sum>(table.sum, fill);
  fill_numbers<Prod>(table.prod, fill);
  fill_numbers<Greatest>(table.max, fill);
  fill_numbers<Least>(table.min, fill);
  fill(table.max, DType::kBool, Greatest<bool>());
  fill(table.min, DType::kBool, Least<bool>());
}

}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
HWY_AFTER_NAMESPACE();

#endif
