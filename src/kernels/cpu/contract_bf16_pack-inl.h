// Packing of operands, float32 or bfloat16, as pairs of bfloat16. Included once for each instruction set (Highway's
// toggle). What includes it says by PELLUCID_BF16_DOT or PELLUCID_BF16_AMX for which instructions its functions are
// compiled; each has a namespace.
#if defined(PELLUCID_KERNELS_CPU_CONTRACT_BF16_PACK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef PELLUCID_KERNELS_CPU_CONTRACT_BF16_PACK_INL_H_
#undef PELLUCID_KERNELS_CPU_CONTRACT_BF16_PACK_INL_H_
#else
#define PELLUCID_KERNELS_CPU_CONTRACT_BF16_PACK_INL_H_
#endif

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "hwy/highway.h"
#include "kernels/cpu/contract_pack-inl.h"
#include "kernels/cpu/contract_tile-inl.h"

#if defined(PELLUCID_BF16_DOT)
#define PELLUCID_BF16_ROOM contract_bf16_dot
#define PELLUCID_BF16_BEFORE HWY_PUSH_ATTRIBUTES(HWY_TARGET_STR ",avx512bf16")
#elif defined(PELLUCID_BF16_AMX)
#define PELLUCID_BF16_ROOM contract_bf16_amx
#define PELLUCID_BF16_BEFORE HWY_PUSH_ATTRIBUTES(HWY_TARGET_STR ",amx-tile,amx-bf16")
#else
#define PELLUCID_BF16_ROOM contract_bf16_multiply
#define PELLUCID_BF16_BEFORE HWY_PUSH_ATTRIBUTES(HWY_TARGET_STR)
#endif

PELLUCID_BF16_BEFORE
namespace pellucid::kernels {
namespace HWY_NAMESPACE {
namespace PELLUCID_BF16_ROOM {
namespace hn = hwy::HWY_NAMESPACE;
using contract::kLanesOf;
using contract::RowCut;
using contract::Size;
using contract::Strides;

using Pair = std::uint32_t;
using FloatTag = hn::ScalableTag<float>;
using PairTag = hn::ScalableTag<Pair>;
using Pairs = hn::Vec<PairTag>;
inline constexpr Size kLanes = kLanesOf<float>;
/// Rows of the highest tile, two vectors wide.
inline constexpr Size kRows = contract::kTileRows<float>;

// ---- Rounding -------------------------------------------------------------------------------------------------------

#if defined(PELLUCID_BF16_DOT)

/// Pairs of the lanes of two steps: the nearest bfloat16, ties to even; denormal numbers are taken as 0, as the dot
/// product does.
HWY_INLINE Pairs pair(hn::Vec<FloatTag> even, hn::Vec<FloatTag> odd) {
  alignas(64) static constexpr std::uint16_t kInTurn[32] = {0,  16, 1,  17, 2,  18, 3,  19, 4,  20, 5,
                                                            21, 6,  22, 7,  23, 8,  24, 9,  25, 10, 26,
                                                            11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  const __m512i halves = (__m512i)_mm512_cvtne2ps_pbh(odd.raw, even.raw);
  return Pairs{_mm512_permutexvar_epi16(_mm512_load_si512(kInTurn), halves)};
}

HWY_INLINE Pair pair(float even, float odd) {
  const __m128 both = _mm_unpacklo_ps(_mm_set_ss(even), _mm_set_ss(odd));
  return static_cast<Pair>(_mm_cvtsi128_si32((__m128i)_mm_cvtneps_pbh(both)));
}

/// Four pairs of eight steps that lie one behind the other.
template <class D128>
HWY_INLINE hn::Vec<D128> pairs_along(D128 d, const float* x) {
  return hn::BitCast(d, hn::Vec<hn::Full128<Pair>>{(__m128i)_mm256_cvtneps_pbh(_mm256_loadu_ps(x))});
}

#else

/// The nearest bfloat16, ties to even, in the upper half of each lane; what is below is of no account. NaN stays NaN.
template <class D, class V = hn::Vec<D>, class U = hn::Vec<hn::RebindToUnsigned<D>>>
HWY_INLINE U round_upper(D, V x) {
  const hn::RebindToUnsigned<D> du;
  const U bits = hn::BitCast(du, x);
  const U odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(du, 1));
  const U rounded = hn::Add(bits, hn::Add(odd, hn::Set(du, 0x7FFF)));
  const U quiet = hn::Or(bits, hn::Set(du, 0x400000));
  return hn::IfThenElse(hn::RebindMask(du, hn::IsNaN(x)), quiet, rounded);
}

/// Pairs of the lanes of two steps.
HWY_INLINE Pairs pair(hn::Vec<FloatTag> even, hn::Vec<FloatTag> odd) {
  const FloatTag d;
  const PairTag du;
  const hn::Repartition<std::uint16_t, PairTag> half;
  return hn::BitCast(du, hn::OddEven(hn::BitCast(half, round_upper(d, odd)),
                                     hn::BitCast(half, hn::ShiftRight<16>(round_upper(d, even)))));
}

HWY_INLINE Pair pair(float even, float odd) {
  return static_cast<Pair>(contract::narrow(even).bits) | static_cast<Pair>(contract::narrow(odd).bits) << 16;
}

/// Four pairs of eight steps that lie one behind the other.
template <class D128>
HWY_INLINE hn::Vec<D128> pairs_along(D128 d, const float* x) {
  const hn::Repartition<std::uint16_t, D128> half;
  const auto low = hn::BitCast(half, round_upper(d, hn::LoadU(d, x)));
  const auto high = hn::BitCast(half, round_upper(d, hn::LoadU(d, x + 4)));
  return hn::BitCast(d, hn::ConcatOdd(half, high, low));
}

#endif

constexpr Size pairs_of(Size steps) { return (steps + 1) / 2; }

/// The same of operands that are stored in bfloat16, as their bits.
HWY_INLINE Pairs pair(Pairs even, Pairs odd) { return hn::Or(even, hn::ShiftLeft<16>(odd)); }
HWY_INLINE Pair pair(std::uint16_t even, std::uint16_t odd) { return even | static_cast<Pair>(odd) << 16; }
template <class D128>
HWY_INLINE hn::Vec<D128> pairs_along(D128 d, const std::uint16_t* x) {
  return hn::BitCast(d, hn::LoadU(hn::RebindToUnsigned<D128>(), reinterpret_cast<const Pair*>(x)));
}

HWY_INLINE hn::Vec<FloatTag> load(const float* x) { return hn::LoadU(FloatTag(), x); }
HWY_INLINE Pairs load(const std::uint16_t* x) {
  return hn::PromoteTo(PairTag(), hn::LoadU(hn::Rebind<std::uint16_t, PairTag>(), x));
}
HWY_INLINE hn::Vec<FloatTag> load_first(const float* x, Size count) {
  return hn::MaskedLoad(hn::FirstN(FloatTag(), static_cast<std::size_t>(count)), FloatTag(), x);
}
HWY_INLINE Pairs load_first(const std::uint16_t* x, Size count) {
  std::uint16_t first[kLanes] = {};
  std::memcpy(first, x, static_cast<std::size_t>(count) * sizeof(std::uint16_t));
  return load(first);
}

// ---- Packing --------------------------------------------------------------------------------------------------------

/// Packs `columns` columns of x, at most kLanes, and `steps` steps: pair q of column j at to + q * width + j.
/// Where `width` is less than kLanes, whole vectors are stored all the same, ascending in q, so that the next step
/// overwrites what is too much; of the last one `width` lanes are. Lanes from `columns` on hold numbers of no account.
template <class E>
HWY_NOINLINE void pack_column(Pair* HWY_RESTRICT to, Size width, const E* x, Strides stride, Size columns, Size steps) {
  const PairTag du;
  const auto exists = hn::FirstN(du, static_cast<std::size_t>(width));
  const auto put = [&](Pairs pairs, Size end) HWY_ATTR {
    if (HWY_LIKELY(end < steps)) {
      hn::StoreU(pairs, du, to);
    } else {
      hn::BlendedStore(pairs, exists, du, to);
    }
  };
  if (stride.outer == 1) {
    const bool whole = columns == kLanes;
    for (Size p = 0; p + 1 < steps; p += 2, to += width) {
      const E* even = x + p * stride.k;
      const E* odd = even + stride.k;
      hwy::Prefetch(even + 8 * stride.k);
      hwy::Prefetch(odd + 8 * stride.k);
      if (HWY_LIKELY(whole)) {
        put(pair(load(even), load(odd)), p + 2);
      } else {
        put(pair(load_first(even, columns), load_first(odd, columns)), p + 2);
      }
    }
    if (steps % 2 != 0) {
      const auto even = load_first(x + (steps - 1) * stride.k, columns);
      put(pair(even, hn::Zero(hn::DFromV<decltype(even)>())), steps);
    }
    return;
  }
  Size p = 0;
  if (stride.k == 1) {
    const E* row[kLanes];
    for (Size i = 0; i < kLanes; ++i) row[i] = x + (i < columns ? i : columns - 1) * stride.outer;
    for (; p + 8 <= steps; p += 8) {
      hn::Vec<FloatTag> column[4];
      contract::transpose_block<float>(column,
                                       [&](auto d128, Size i) HWY_ATTR { return pairs_along(d128, row[i] + p); });
      HWY_UNROLL(4)
      for (int q = 0; q < 4; ++q, to += width) put(hn::BitCast(du, column[q]), p + 2 * q + 2);
    }
  }
  for (; p < steps; p += 2, to += width) {
    for (Size j = 0; j < columns; ++j) {
      const E* even = x + j * stride.outer + p * stride.k;
      to[j] = pair(*even, p + 1 < steps ? even[stride.k] : E{0});
    }
    for (Size j = columns; j < (kLanes < width ? kLanes : width); ++j) to[j] = 0;
  }
}

/// Steps of an operand that are packed at once: those from `first` on, an even number, of a chunk of `pairs` pairs. The
/// chunk's last ones have `last` set.
struct Part {
  Size first = 0, steps = 0, pairs = 0;
  bool last = true;
};

/// Packs a part of the steps of columns of v, whose first step x points at, into panels of two vectors, the last of one
/// where one is left and `kWhole` is false: pair q of column j of the panel that begins at column c at to + c * pairs +
/// q * its width + j - c. Pairs of steps beyond the last one, up to `pairs`, are 0.
template <bool kWhole, class E>
HWY_NOINLINE void pack_panels(Pair* HWY_RESTRICT to, const E* x, Strides stride, Size columns, const Part& part) {
  const Size steps = part.steps, pairs = part.pairs, before = part.first / 2, real = pairs_of(steps);
  Size done = 0;
  // Whole panels side by side in one sweep over the rows of x, since each row of a panel is a line or two.
  constexpr Size kSweep = 64;
  if (stride.outer == 1 && steps % 2 == 0) {
    for (; done + kSweep <= columns; done += kSweep) {
      Pair* out = to + done * pairs + before * (2 * kLanes);
      const E* even = x + done;
      for (Size q = 0; q < real; ++q, even += 2 * stride.k, out += 2 * kLanes) {
        const E* odd = even + stride.k;
        HWY_UNROLL(8)
        for (Size j = 0; j < kSweep; j += kLanes) {
          hwy::Prefetch(even + 8 * stride.k + j);
          hwy::Prefetch(odd + 8 * stride.k + j);
          Pair* at = out + j / (2 * kLanes) * (2 * kLanes * pairs) + j % (2 * kLanes);
          hn::StoreU(pair(load(even + j), load(odd + j)), PairTag(), at);
        }
      }
    }
  }
  const auto width_of = [&](Size panel) { return kWhole || columns - panel > kLanes ? 2 * kLanes : kLanes; };
  for (Size j = done; j < columns; j += kLanes) {
    const Size panel = j / (2 * kLanes) * (2 * kLanes), width = width_of(panel);
    pack_column(to + panel * pairs + before * width + (j - panel), width, x + j * stride.outer, stride,
                columns - j < kLanes ? columns - j : kLanes, steps);
  }
  if (!part.last || before + real == pairs) return;
  for (Size panel = 0; panel < columns; panel += 2 * kLanes) {
    const Size width = width_of(panel), end = before + real;
    std::memset(to + panel * pairs + end * width, 0, static_cast<std::size_t>((pairs - end) * width) * sizeof(Pair));
  }
}

/// Tiles of rows that are packed together, where the rows share the lines of a step.
inline constexpr Size kSweepTiles = 4;

/// Packs `kTiles` tiles of rows side by side in one sweep over the steps of x, whose lines they share: rows one behind
/// the other, an even number of steps. Whole vectors are read, from the first row of each tile on.
template <Size kTiles, class E>
HWY_NOINLINE void sweep_rows(Pair* HWY_RESTRICT to, const E* x, Size step, const Size* first_row, Size pairs) {
  const auto rows = hn::FirstN(PairTag(), kRows);
  for (Size q = 0; q < pairs; ++q, x += 2 * step, to += kRows) {
    HWY_UNROLL(4)
    for (Size t = 0; t < kTiles; ++t) {
      const E* even = x + first_row[t];
      hwy::Prefetch(even + 8 * step);
      hwy::Prefetch(even + 9 * step);
      const Pairs both = pair(load(even), load(even + step));
      // What is too much is overwritten by the next step; behind the last one the next tile has begun.
      if (HWY_LIKELY(q + 1 < pairs)) {
        hn::StoreU(both, PairTag(), to + t * kRows * pairs);
      } else {
        hn::BlendedStore(both, rows, PairTag(), to + t * kRows * pairs);
      }
    }
  }
}

/// Packs rows of s, the tiles of `cut` one behind the other: pair q of row i of a tile at q * kRows + i. With `behind`
/// there are rows for one more tile behind them.
template <class E>
void pack_rows(Pair* HWY_RESTRICT to, const E* x, Strides stride, const RowCut& cut, Size steps, bool behind) {
  static_assert(kRows <= kLanes);
  constexpr Size kTogether = kSweepTiles;
  const Size tiles = cut.high_count + cut.low_count;
  const auto rows_of = [&](Size tile) { return tile < cut.high_count ? cut.high : cut.low; };
  Size tile = 0;
  // Behind the last tile of a sweep there is one more, so that whole vectors of rows exist.
  const Size sweeps = stride.outer == 1 && steps % 2 == 0 && cut.low >= kLanes - kRows ? tiles + (behind ? 1 : 0) : 0;
  for (; tile + kTogether < sweeps; tile += kTogether) {
    Size first_row[kTogether] = {};
    for (Size t = 1; t < kTogether; ++t) first_row[t] = first_row[t - 1] + rows_of(tile + t - 1);
    sweep_rows<kTogether>(to, x, stride.k, first_row, steps / 2);
    x += first_row[kTogether - 1] + rows_of(tile + kTogether - 1);
    to += kTogether * kRows * (steps / 2);
  }
  for (; tile < tiles; ++tile) {
    pack_column(to, kRows, x, stride, rows_of(tile), steps);
    x += rows_of(tile) * stride.outer;
    to += kRows * pairs_of(steps);
  }
}

// ---- For AMX --------------------------------------------------------------------------------------------------------

/// A tile has kAmxRows rows, two of AMX's, and takes kAmxPairs pairs of steps at once.
inline constexpr Size kAmxRows = 32, kAmxPairs = 16;

/// Packs rows of s for AMX, the tiles of `cut` one behind the other: pair q of row i of a tile at q / kAmxPairs *
/// kAmxPairs * kAmxRows + i * kAmxPairs + q % kAmxPairs. Pairs of steps beyond the last one, up to `pairs`, are 0; rows
/// that a tile lacks hold what was there.
template <class E>
void pack_rows_amx(Pair* HWY_RESTRICT to, const E* x, Strides stride, const RowCut& cut, Size steps, Size pairs) {
  const auto at = [](Size i, Size q) { return q / kAmxPairs * (kAmxPairs * kAmxRows) + i * kAmxPairs + q % kAmxPairs; };
  for (Size tile = 0; tile < cut.high_count + cut.low_count; ++tile, to += kAmxRows * pairs) {
    const Size rows = tile < cut.high_count ? cut.high : cut.low;
    Size first = 0;  // rows before are packed
    if (stride.outer == 1) {
      for (; first + kLanes <= rows; first += kLanes) {
        for (Size p = 0; p < steps; p += 2) {
          const E* at_p = x + first + p * stride.k;
          alignas(64) Pair lane[kLanes];
          const auto even = load(at_p);
          const auto odd = p + 1 < steps ? load(at_p + stride.k) : hn::Zero(hn::DFromV<decltype(even)>());
          hn::Store(pair(even, odd), PairTag(), lane);
          for (Size i = 0; i < kLanes; ++i) to[at(first + i, p / 2)] = lane[i];
        }
      }
    }
    for (Size i = first; i < rows; ++i) {
      const E* row = x + i * stride.outer;
      Size p = 0;
      if (stride.k == 1) {
        const hn::Full128<float> d128;
        for (; p + 8 <= steps; p += 8) {
          hn::StoreU(hn::BitCast(hn::Full128<Pair>(), pairs_along(d128, row + p)), hn::Full128<Pair>(),
                     to + at(i, p / 2));
        }
      }
      for (; p < steps; p += 2) {
        to[at(i, p / 2)] = pair(row[p * stride.k], p + 1 < steps ? row[(p + 1) * stride.k] : E{0});
      }
    }
    for (Size i = 0; i < rows; ++i) {
      for (Size q = pairs_of(steps); q < pairs; ++q) to[at(i, q)] = 0;
    }
    x += rows * stride.outer;
  }
}

}  // namespace PELLUCID_BF16_ROOM
}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
HWY_POP_ATTRIBUTES

#endif  // PELLUCID_KERNELS_CPU_CONTRACT_BF16_PACK_INL_H_
