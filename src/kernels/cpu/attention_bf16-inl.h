// What both directions of attention by pairs of bfloat16 share: rounding blocks of float32 as they are packed, and
// products of what was packed. Included once for each instruction set (Highway's toggle), with PELLUCID_BF16_DOT.
#if defined(PELLUCID_KERNELS_CPU_ATTENTION_BF16_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef PELLUCID_KERNELS_CPU_ATTENTION_BF16_INL_H_
#undef PELLUCID_KERNELS_CPU_ATTENTION_BF16_INL_H_
#else
#define PELLUCID_KERNELS_CPU_ATTENTION_BF16_INL_H_
#endif

#include <algorithm>
#include <utility>

#include "hwy/highway.h"
#include "kernels/cpu/attention-inl.h"
#include "kernels/cpu/contract_bf16_pairs-inl.h"

PELLUCID_BF16_BEFORE
namespace pellucid::kernels {
namespace HWY_NAMESPACE {
namespace attention_bf16_dot {
namespace hn = hwy::HWY_NAMESPACE;
using attention::Call;
using attention::kPitch;
using attention::kRows;
using attention::rounded_up;
using attention::Scores;
using contract::RowCut;
using contract::Size;
using contract_bf16_dot::FloatTag;
using Floats = hn::Vec<FloatTag>;
using contract_bf16_dot::kLanes;
using contract_bf16_dot::Pair;
using contract_bf16_dot::PairRun;
using contract_bf16_dot::pairs_of;

/// Columns of a tile: what is read in vectors, and what products go into, is as wide as whole ones.
inline constexpr Size kPanel = 2 * kLanes;
constexpr Size wide(Size columns) { return rounded_up(columns, kPanel); }
/// Words of a row whose elements are joined to pairs.
constexpr Size joined(Size columns) { return rounded_up(pairs_of(columns), kLanes); }

/// The first `left` lanes, zeros behind them.
HWY_INLINE Floats load(const float* x, Size left) {
  const FloatTag d;
  if (HWY_LIKELY(left >= kLanes)) return hn::LoadU(d, x);
  return hn::MaskedLoad(hn::FirstN(d, static_cast<std::size_t>(std::max<Size>(left, 0))), d, x);
}

/// Pairs along each row: of columns 2p and 2p + 1 at to[i * width + p], with zeros up to joined(columns).
inline HWY_NOINLINE void pack_rows(Pair* HWY_RESTRICT to, Size width, const float* x, Size x_row, Size rows,
                                   Size columns) {
  for (Size i = 0; i < rows; ++i, x += x_row, to += width) {
    for (Size j = 0; j < columns; j += kPanel) {
      const auto low = load(x + j, columns - j), high = load(x + j + kLanes, columns - j - kLanes);
      _mm512_storeu_si512(to + j / 2, (__m512i)_mm512_cvtne2ps_pbh(high.raw, low.raw));
    }
  }
}

/// Pairs of rows: of rows 2p and 2p + 1 at to[p * width + j]; a row that does not exist is zero.
inline HWY_NOINLINE void pack_steps(Pair* HWY_RESTRICT to, Size width, const float* x, Size x_row, Size rows,
                                    Size columns) {
  for (Size i = 0; i < rows; i += 2, x += 2 * x_row, to += width) {
    const Size odd = i + 1 < rows ? columns : 0;
    for (Size j = 0; j < columns; j += kLanes) {
      const auto pairs = contract_bf16_dot::pair(load(x + j, columns - j), load(x + x_row + j, odd - j));
      hn::StoreU(pairs, contract_bf16_dot::PairTag(), to + j);
    }
  }
}

/// Pairs along each row, whose rows become columns: of columns 2p and 2p + 1 of row j at to[p * width + j].
inline void pack_turned(Pair* to, Size width, const float* x, Size x_row, Size rows, Size columns) {
  for (Size j = 0; j < rows; j += kLanes) {
    contract_bf16_dot::pack_column(to + j, width, x + j * x_row, {x_row, 1}, std::min(kLanes, rows - j), columns);
  }
}

/// exp(x) for x below 1 or so; 0 where it would be denormal. NaN stays. Relative error 2^-22.5 and what the rounding of
/// x's own last digit gives.
HWY_INLINE Floats weight_of(Floats x) {
  const FloatTag d;
  const Floats scaled = hn::Mul(x, hn::Set(d, 0x1.715476p+0F));
  const Floats k{_mm512_roundscale_ps(scaled.raw, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
  const Floats r = hn::NegMulAdd(k, hn::Set(d, 0x1.62e43p-1F), x);
  const Floats p = hn::Add(hn::Set(d, 1.0F), hn::MulAdd(hn::Mul(r, r), polynomial(d, r, kExp32), r));
  return Floats{_mm512_maskz_scalef_ps(_mm512_cmp_ps_mask(k.raw, _mm512_set1_ps(-125), _CMP_NLT_UQ), p.raw, k.raw)};
}

/// Half a line of pairs along a row.
HWY_INLINE void store_joined(Floats x, Pair* to) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), (__m256i)_mm512_cvtneps_pbh(x.raw));
}

/// Rows that are about to be read or written, fetched into the second cache some lines at a time beside the products.
class Ahead {
 public:
  /// Nothing happens where there are rows of too many kinds already.
  void add(const float* at, Size row, Size rows, Size columns) {
    if (at == nullptr || rows <= 0 || count_ == kMost) return;
    list_[count_++] = {at, row, rows, columns, 0};
  }
  void fetch(Size lines) {
    while (first_ < count_) {
      Rows& rows = list_[first_];
      for (; rows.rows > 0; --rows.rows, rows.at += rows.row, rows.column = 0) {
        for (; rows.column < rows.columns; rows.column += kLanes) {
          if (--lines < 0) return;
          __builtin_prefetch(rows.at + rows.column, 0, 2);
        }
      }
      ++first_;
    }
    first_ = count_ = 0;
  }

 private:
  static constexpr Size kMost = 16;
  struct Rows {
    const float* at;
    Size row, rows, columns, column;
  };
  Rows list_[kMost];
  Size first_ = 0, count_ = 0;
};
/// So many rows of the next piece are fetched while one is worked on: what half of the second cache holds.
inline constexpr Size kRowsAhead = 256;

/// c[i * c_row + j] = (c[i * c_row + j] if add) + sum over p < pairs, ascending, of the dot products of
/// s[i * s_row + p * s_k] and v[p * v_k + j]. Reads and writes as many rows as are even and columns as are `wide`.
inline HWY_NOINLINE void multiply(const Pair* s, Size s_row, Size s_k, Size rows, const Pair* v, Size v_k, Size columns,
                                  Size pairs, float* c, Size c_row, bool add) {
  PairRun t;
  t.s_row = s_row;
  t.s_k = s_k;
  t.v = v;
  t.v_k = v_k;
  t.k = pairs;
  t.c_row = c_row;
  t.v_tile = t.c_tile = kPanel;
  t.count = wide(columns) / kPanel;
  t.add = add;
  const RowCut cut = RowCut::of(pairs_of(rows), static_cast<Size>(contract_bf16_dot::kPairTiles.size()));
  Size row = 0;
  for (Size tile = 0; tile < cut.high_count + cut.low_count; ++tile) {
    const Size height = tile < cut.high_count ? cut.high : cut.low;  // in pairs of rows
    t.s = s + row * s_row;
    t.c = c + row * c_row;
    contract_bf16_dot::kPairTiles[static_cast<std::size_t>(height - 1)](t);
    row += 2 * height;
  }
}

}  // namespace attention_bf16_dot
}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
HWY_POP_ATTRIBUTES

#endif  // PELLUCID_KERNELS_CPU_ATTENTION_BF16_INL_H_
