// Copies of blocks of an operand in the order in which tiles read them, and the way of finished sums into the result.
// Included once for each instruction set (Highway's toggle).
#if defined(PELLUCID_KERNELS_CPU_CONTRACT_PACK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef PELLUCID_KERNELS_CPU_CONTRACT_PACK_INL_H_
#undef PELLUCID_KERNELS_CPU_CONTRACT_PACK_INL_H_
#else
#define PELLUCID_KERNELS_CPU_CONTRACT_PACK_INL_H_
#endif

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "hwy/highway.h"
#include "kernels/cpu/contract.h"
#include "kernels/cpu/contract_tile-inl.h"
#include "kernels/cpu/contract_turn-inl.h"
#include "pellucid/dtype.h"

HWY_BEFORE_NAMESPACE();
namespace pellucid::kernels {
namespace HWY_NAMESPACE {
namespace contract {

// ---- Elements as they are stored, and as they are added -------------------------------------------------------------

HWY_INLINE const hwy::bfloat16_t* bf16(const BFloat16* p) { return reinterpret_cast<const hwy::bfloat16_t*>(p); }

template <class T>
HWY_INLINE T widen(T x) {
  return x;
}
HWY_INLINE float widen(BFloat16 x) {
  const std::uint32_t bits = static_cast<std::uint32_t>(x.bits) << 16;
  float wide;
  std::memcpy(&wide, &bits, sizeof(wide));
  return wide;
}

/// Lanes(d) elements from p on, as d's type.
template <class D, class S, class T = hn::TFromD<D>>
HWY_INLINE hn::Vec<D> load(D d, const S* p) {
  if constexpr (std::is_same_v<S, BFloat16>) {
    return hn::PromoteTo(d, hn::LoadU(hn::Rebind<hwy::bfloat16_t, D>(), bf16(p)));
  } else {
    return hn::LoadU(d, p);
  }
}

/// A lane's float32 rounded to bfloat16, ties to even; NaN stays NaN.
HWY_INLINE BFloat16 narrow(float x) {
  std::uint32_t bits;
  std::memcpy(&bits, &x, sizeof(bits));
  if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return {static_cast<std::uint16_t>((bits >> 16) | 0x40u)};
  return {static_cast<std::uint16_t>((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16)};
}

/// The strides of a matrix of which `k` is the summed index.
struct Strides {
  Size outer = 0, k = 0;
};

// ---- Packing --------------------------------------------------------------------------------------------------------

/// The same for kPanels whole panels of 2 vectors side by side, `pitch` steps behind each other in `to`; x's columns
/// are contiguous. One sweep over the rows of x, since reading them panel by panel takes a line here and there.
template <int kPanels, class T, class S>
HWY_INLINE void pack_panels(T* HWY_RESTRICT to, const S* x, Size x_k, Size k, Size pitch) {
  const hn::ScalableTag<T> d;
  constexpr Size lanes = kLanesOf<T>;
  for (Size p = 0; p < k; ++p) {
    HWY_UNROLL(8)
    for (int q = 0; q < kPanels; ++q) {
      hwy::Prefetch(x + 8 * x_k + 2 * q * lanes);
      T* out = to + q * 2 * lanes * pitch;
      hn::Store(load(d, x + 2 * q * lanes), d, out);
      hn::Store(load(d, x + (2 * q + 1) * lanes), d, out + lanes);
    }
    x += x_k;
    to += 2 * lanes;
  }
}

/// The tiles of `cut` one behind the other in `to`, `width` wide, for an operand whose rows are contiguous: several
/// tiles in one sweep, since each takes less than a line of every row of x. to[p * width + lane] beyond a tile's rows
/// is overwritten by the next step, or not read; nothing beyond the last tile is written.
template <class T>
void pack_tiles(T* HWY_RESTRICT to, Size width, const T* x, Size x_k, const RowCut& cut, Size k) {
  const hn::ScalableTag<T> d;
  constexpr Size lanes = kLanesOf<T>;
  constexpr Size kSweep = 8;
  const Size tiles = cut.high_count + cut.low_count;
  const Size rows = cut.high * cut.high_count + cut.low * cut.low_count;
  for (Size first = 0; first < tiles; first += kSweep) {
    const Size end = first + kSweep < tiles ? first + kSweep : tiles;
    for (Size p = 0; p < k; ++p) {
      const T* from = x + p * x_k + first * cut.low + (first < cut.high_count ? first : cut.high_count);
      T* out = to + first * width * k + p * width;
      for (const T* line = from; line < from + kSweep * width; line += 64 / static_cast<Size>(sizeof(T)))
        hwy::Prefetch(line + 8 * x_k);
      for (Size tile = first; tile < end; ++tile) {
        const Size height = tile < cut.high_count ? cut.high : cut.low;
        for (Size j = 0; j < height; j += lanes) {
          // The last lanes of all rows are read by a mask, so that nothing beyond the operand is; those that reach
          // beyond the last step are written by one, since the next tile's first steps are there already.
          const Size left = x + p * x_k + rows - (from + j);
          const auto line = HWY_LIKELY(left >= lanes)
                                ? hn::LoadU(d, from + j)
                                : hn::MaskedLoad(hn::FirstN(d, static_cast<std::size_t>(left)), d, from + j);
          if (HWY_LIKELY(p * width + j + lanes <= k * width)) {
            hn::StoreU(line, d, out + j);
          } else {
            store_first(line, d, out + j, height - j);
          }
        }
        from += height;
        out += width * k;
      }
    }
  }
}

/// to[p * width + j] = x[j * stride.outer + p * stride.k] for p < k, j < columns; to[p * width + j] for columns <= j <
/// padded is undefined but written. `padded`, a multiple of the lanes, is at most the width rounded up to them: a step
/// whose lanes reach over the width overwrites the next one's, so `to` has room for a vector more.
template <class T, class S>
void pack(T* HWY_RESTRICT to, Size width, Size padded, const S* x, Strides stride, Size columns, Size k) {
  const hn::ScalableTag<T> d;
  constexpr Size lanes = kLanesOf<T>;
  if (stride.outer == 1) {
    const Size whole = columns / lanes * lanes;
    const Size tail = columns - whole;
    const auto mask = hn::FirstN(d, static_cast<std::size_t>(tail));
    for (Size p = 0; p < k; ++p) {
      const S* row = x + p * stride.k;
      T* out = to + p * width;
      for (Size j = 0; j < whole; j += lanes) hn::StoreU(load(d, row + j), d, out + j);
      if (tail == 0) continue;
      if constexpr (std::is_same_v<S, T>) {
        hn::StoreU(hn::MaskedLoad(mask, d, row + whole), d, out + whole);
      } else {
        for (Size j = whole; j < columns; ++j) out[j] = widen(row[j]);
      }
    }
    return;
  }
  constexpr Size block = kBlock<T>;
  const Size k_whole = stride.k == 1 ? k / block * block : 0;
  if (k_whole > 0) {
    for (Size j = 0; j < padded; j += lanes) {
      const S* row[lanes];
      for (Size i = 0; i < lanes; ++i) row[i] = x + (j + i < columns ? j + i : columns - 1) * stride.outer;
      T* out = to + j;
      Size p = 0;
#if HWY_TARGET <= HWY_AVX3
      if constexpr (std::is_same_v<T, float> && std::is_same_v<S, float>) {
        for (; p + lanes <= k_whole; p += lanes) {
          transpose_square(row, p, out, width);
          out += lanes * width;
        }
      }
#endif
      for (; p < k_whole; p += block) {
        hn::Vec<decltype(d)> column[block];
        transpose_block<T>(column, [&](auto d128, Size i) HWY_ATTR { return load(d128, row[i] + p); });
        HWY_UNROLL(4)
        for (Size q = 0; q < block; ++q) hn::StoreU(column[q], d, out + q * width);
        out += block * width;
      }
    }
  }
  for (Size p = k_whole; p < k; ++p) {
    for (Size j = 0; j < columns; ++j) to[p * width + j] = widen(x[j * stride.outer + p * stride.k]);
    for (Size j = columns; j < (padded < width ? padded : width); ++j) to[p * width + j] = T{};
  }
}

// ---- Finishing ------------------------------------------------------------------------------------------------------

template <class O, class T>
HWY_INLINE T bias_at(const O* bias, Size j) {
  return bias == nullptr ? T{} : widen(bias[j]);
}

/// Stores the first n lanes of sums as elements of the result.
template <class T, class O, class D, class V = hn::Vec<D>>
HWY_INLINE void store_result(D d, V sum, O* to, Size n) {
  if constexpr (std::is_same_v<O, T>) {
    store_first(sum, d, to, n);
  } else {
    alignas(64) T lane[kLanesOf<T>];
    hn::Store(sum, d, lane);
    for (Size i = 0; i < n; ++i) to[i] = narrow(lane[i]);
  }
}

/// What lies between the sums of a block and the result: sums[part] + ..., bias, relu, rounding, orientation.
template <class T, class O>
struct Finish {
  const T* sums = nullptr;  // of part 0: sums[i * row + j * column]; one of row and column is 1
  Size row = 0, column = 0;
  Size parts = 1, part = 0;  // how many sums to add in order, and from one to the next
  O* c = nullptr;
  Size c_row = 0;
  const O* bias = nullptr;  // the first column's
  bool relu = false;
};

/// Lanes(d) sums of a row from `at` on, all parts added in order.
template <class D, class T>
HWY_INLINE hn::Vec<D> total(D d, const T* at, Size parts, Size part) {
  auto sum = hn::LoadU(d, at);
  for (Size q = 1; q < parts; ++q) sum = hn::Add(sum, hn::LoadU(d, at + q * part));
  return sum;
}

/// Results of rows x columns. Reads up to a vector beyond the last sum (the scratch memory has room).
template <class T, class O>
void finish(const Finish<T, O>& f, Size rows, Size columns) {
  const hn::ScalableTag<T> d;
  constexpr Size lanes = kLanesOf<T>;
  constexpr Size block = kBlock<T>;
  alignas(64) T bias_lane[lanes] = {};
  for (Size j = 0; j < columns; j += lanes) {
    const Size n = columns - j < lanes ? columns - j : lanes;
    for (Size i = 0; i < n; ++i) bias_lane[i] = bias_at<O, T>(f.bias, j + i);
    const auto bias = hn::Load(d, bias_lane);
    const auto put = [&](hn::Vec<decltype(d)> sum, Size i) HWY_ATTR {
      if (f.bias != nullptr) sum = hn::Add(sum, bias);
      if (f.relu) sum = relu(d, sum);
      store_result<T>(d, sum, f.c + i * f.c_row + j, n);
    };
    if (f.column == 1) {
      for (Size i = 0; i < rows; ++i) put(total(d, f.sums + i * f.row + j, f.parts, f.part), i);
      continue;
    }
    for (Size i = 0; i < rows; i += block) {
      hn::Vec<decltype(d)> line[block];
      transpose_block<T>(line, [&](auto d128, Size lane) HWY_ATTR {
        const Size at = lane < n ? lane : n - 1;
        return total(d128, f.sums + i + (j + at) * f.column, f.parts, f.part);
      });
      const Size left = rows - i;
      HWY_UNROLL(4)
      for (Size q = 0; q < block; ++q) {
        if (q < left) put(line[q], i + q);
      }
    }
  }
}

}  // namespace contract
}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
HWY_AFTER_NAMESPACE();

#endif  // PELLUCID_KERNELS_CPU_CONTRACT_PACK_INL_H_
