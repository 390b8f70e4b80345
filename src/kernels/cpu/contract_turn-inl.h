// Transposing of blocks in registers. Included once for each instruction set (Highway's toggle).
#if defined(PELLUCID_KERNELS_CPU_CONTRACT_TURN_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef PELLUCID_KERNELS_CPU_CONTRACT_TURN_INL_H_
#undef PELLUCID_KERNELS_CPU_CONTRACT_TURN_INL_H_
#else
#define PELLUCID_KERNELS_CPU_CONTRACT_TURN_INL_H_
#endif

#include <cstddef>
#include <cstdint>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace pellucid::kernels {
namespace HWY_NAMESPACE {
namespace contract {
namespace hn = hwy::HWY_NAMESPACE;

using Size = std::int64_t;

template <class T>
inline constexpr Size kLanesOf = static_cast<Size>(hn::MaxLanes(hn::ScalableTag<T>()));

// A vector's block b holds elements of row b * kBlock + i; the rows of a block are then transposed inside their 128
// bits. For 8 x 4 floats on AVX2: 4 loads, 4 loads that insert, 8 shuffles, 4 stores.

template <class T>
inline constexpr Size kBlock = 16 / static_cast<Size>(sizeof(T));

/// Calls load_block(row, ptr tag) for rows i, i + kBlock, ... and joins the blocks.
template <class D, class F>
HWY_INLINE hn::Vec<D> join_blocks(D d, Size row, const F& block_of) {
  using T = hn::TFromD<D>;
  if constexpr (hn::MaxLanes(D()) == static_cast<std::size_t>(kBlock<T>)) {
    return block_of(d, row);
  } else {
    const hn::Half<D> half;
    const Size rows = static_cast<Size>(hn::MaxLanes(half));
    return hn::Combine(d, join_blocks(half, row + rows, block_of), join_blocks(half, row, block_of));
  }
}

/// Four rows of blocks of four: block b of column p holds element p of block b of each row.
template <class T, class V>
HWY_INLINE void transpose_four(const V (&rows)[4], V (&columns)[4]) {
  const hn::ScalableTag<T> d;
  const hn::RepartitionToWide<decltype(d)> wide;
  const auto low01 = hn::BitCast(wide, hn::InterleaveLower(d, rows[0], rows[1]));
  const auto low23 = hn::BitCast(wide, hn::InterleaveLower(d, rows[2], rows[3]));
  const auto high01 = hn::BitCast(wide, hn::InterleaveUpper(d, rows[0], rows[1]));
  const auto high23 = hn::BitCast(wide, hn::InterleaveUpper(d, rows[2], rows[3]));
  columns[0] = hn::BitCast(d, hn::InterleaveLower(wide, low01, low23));
  columns[1] = hn::BitCast(d, hn::InterleaveUpper(wide, low01, low23));
  columns[2] = hn::BitCast(d, hn::InterleaveLower(wide, high01, high23));
  columns[3] = hn::BitCast(d, hn::InterleaveUpper(wide, high01, high23));
}

/// columns[p] = lane i holds element p of row i, for p < kBlock; block_of(d128, i) loads elements 0..kBlock of row i.
template <class T, class F>
HWY_INLINE void transpose_block(hn::Vec<hn::ScalableTag<T>> (&columns)[kBlock<T>], const F& block_of) {
  const hn::ScalableTag<T> d;
  hn::Vec<decltype(d)> rows[kBlock<T>];
  HWY_UNROLL(4)
  for (Size i = 0; i < kBlock<T>; ++i) rows[i] = join_blocks(d, i, block_of);
  if constexpr (kBlock<T> == 2) {
    columns[0] = hn::InterleaveLower(d, rows[0], rows[1]);
    columns[1] = hn::InterleaveUpper(d, rows[0], rows[1]);
  } else {
    transpose_four<T>(rows, columns);
  }
}

#if HWY_TARGET <= HWY_AVX3
/// Sixteen steps of sixteen rows of float32: to[q * width + i] = row[i][p + q]. Lines are read whole, once each, so
/// that rows may lie in one set of the cache. 16 loads, 64 shuffles, 16 stores.
HWY_INLINE void transpose_square(const float* const* row, Size p, float* to, Size width) {
  const hn::ScalableTag<float> d;
  using V = hn::Vec<decltype(d)>;
  V blocks[4][4];  // [i / 4][q % 4]: block b holds step 4 b + q % 4 of four rows
  HWY_UNROLL(4)
  for (int g = 0; g < 4; ++g) {
    const V rows[4] = {hn::LoadU(d, row[4 * g] + p), hn::LoadU(d, row[4 * g + 1] + p), hn::LoadU(d, row[4 * g + 2] + p),
                       hn::LoadU(d, row[4 * g + 3] + p)};
    transpose_four<float>(rows, blocks[g]);
  }
  __m512 even[4][2], odd[4][2];  // [q][rows below 8, above]: steps q and q + 8; q + 4 and q + 12
  HWY_UNROLL(4)
  for (int q = 0; q < 4; ++q) {
    HWY_UNROLL(2)
    for (int half = 0; half < 2; ++half) {
      even[q][half] = _mm512_shuffle_f32x4(blocks[2 * half][q].raw, blocks[2 * half + 1][q].raw, 0x88);
      odd[q][half] = _mm512_shuffle_f32x4(blocks[2 * half][q].raw, blocks[2 * half + 1][q].raw, 0xdd);
    }
  }
  // In ascending order: what a step writes beyond the width is overwritten by the next.
  HWY_UNROLL(4)
  for (int q = 0; q < 4; ++q) _mm512_storeu_ps(to + q * width, _mm512_shuffle_f32x4(even[q][0], even[q][1], 0x88));
  HWY_UNROLL(4)
  for (int q = 0; q < 4; ++q) _mm512_storeu_ps(to + (q + 4) * width, _mm512_shuffle_f32x4(odd[q][0], odd[q][1], 0x88));
  HWY_UNROLL(4)
  for (int q = 0; q < 4; ++q)
    _mm512_storeu_ps(to + (q + 8) * width, _mm512_shuffle_f32x4(even[q][0], even[q][1], 0xdd));
  HWY_UNROLL(4)
  for (int q = 0; q < 4; ++q) _mm512_storeu_ps(to + (q + 12) * width, _mm512_shuffle_f32x4(odd[q][0], odd[q][1], 0xdd));
}
#endif

/// Steps that are turned together.
template <class T>
inline constexpr Size kTurned = kBlock<T>;

/// kTurned steps of a vector of columns in two halves, so that a tile's multiply-adds may stand between them:
/// to[q * width + i] = from[i * column + q].
template <class T>
struct Turn {
  using D = hn::ScalableTag<T>;
  using Wide = hn::RepartitionToWide<D>;
  hn::Vec<Wide> low, high;  // of the first two rows of each block

  HWY_INLINE void first(const T* from, Size column) { pair(from, column, 0, low, high); }
  HWY_INLINE void second(const T* from, Size column, T* to, Size width) const {
    const D d;
    const Wide wide;
    hn::Vec<Wide> low2, high2;
    pair(from, column, 2, low2, high2);
    hn::StoreU(hn::BitCast(d, hn::InterleaveLower(wide, low, low2)), d, to);
    hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(wide, low, low2)), d, to + width);
    hn::StoreU(hn::BitCast(d, hn::InterleaveLower(wide, high, high2)), d, to + 2 * width);
    hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(wide, high, high2)), d, to + 3 * width);
  }

 private:
  static HWY_INLINE void pair(const T* from, Size column, Size row, hn::Vec<Wide>& low, hn::Vec<Wide>& high) {
    const D d;
    const Wide wide;
    const auto block_of = [&](auto d128, Size i) HWY_ATTR { return hn::LoadU(d128, from + i * column); };
    const auto x = join_blocks(d, row, block_of), y = join_blocks(d, row + 1, block_of);
    low = hn::BitCast(wide, hn::InterleaveLower(d, x, y));
    high = hn::BitCast(wide, hn::InterleaveUpper(d, x, y));
  }
};

}  // namespace contract
}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
HWY_AFTER_NAMESPACE();

#endif  // PELLUCID_KERNELS_CPU_CONTRACT_TURN_INL_H_
