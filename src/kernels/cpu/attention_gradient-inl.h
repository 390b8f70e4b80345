// What the gradient of attention shares whatever multiplies: how the work is cut, the slopes of scores. Included once
// for each instruction set (Highway's toggle).
#if defined(PELLUCID_KERNELS_CPU_ATTENTION_GRADIENT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef PELLUCID_KERNELS_CPU_ATTENTION_GRADIENT_INL_H_
#undef PELLUCID_KERNELS_CPU_ATTENTION_GRADIENT_INL_H_
#else
#define PELLUCID_KERNELS_CPU_ATTENTION_GRADIENT_INL_H_
#endif

#include <algorithm>

#include "base/thread_pool.h"
#include "hwy/highway.h"
#include "kernels/cpu/attention-inl.h"

HWY_BEFORE_NAMESPACE();
namespace pellucid::kernels {
namespace HWY_NAMESPACE {
namespace attention {

/// Queries of a block: the steps of a product into dk and dv, so not few; a multiple of kRows.
inline constexpr Size kBlock = 8 * kRows;
/// With this many pairs of batch and group, one piece does all of a pair.
inline bool has_many_pairs(const AttentionShape& s) { return s.batch * s.groups >= 8; }

template <class T>
struct GradientCall : Call<T> {
  const T *out, *log_sum_exp, *g;
  T *dq, *dk, *dv;
};

/// The sum of x y along a row, in 16 lanes.
template <class T>
HWY_INLINE T dot(const T* x, const T* y, Size n) {
  const hn::ScalableTag<T> d;
  constexpr Size lanes = kLanesOf<T>;
  RowSum<T> sum;
  for (Size j = 0; j < n; j += kSumLanes) {
    HWY_UNROLL(4)
    for (int i = 0; i < RowSum<T>::kVectors; ++i) {
      const Size left = n - j - i * lanes;
      if (left >= lanes) {
        sum.add_product(i, hn::LoadU(d, x + j + i * lanes), hn::LoadU(d, y + j + i * lanes));
      } else if (left > 0) {
        const auto there = hn::FirstN(d, static_cast<std::size_t>(left));
        sum.add_product(i, hn::MaskedLoad(there, d, x + j + i * lanes), hn::MaskedLoad(there, d, y + j + i * lanes));
      }
    }
  }
  return sum.total();
}

/// scores -> weights p; slopes dp -> the cotangents of unscaled scores, p (dp - delta) scale.
template <class T>
HWY_INLINE void slope(const Scores<T>& scores, T* s, T* dp, Size visible, Size columns, T log_sum_exp, T delta) {
  const hn::ScalableTag<T> d;
  // A row without keys has weights 0: exp(-inf - inf).
  const auto shift = hn::Set(d, log_sum_exp == -kInfinity<T> ? kInfinity<T> : log_sum_exp);
  const auto mean = hn::Set(d, delta), scale = hn::Set(d, scores.scale);
  Size j = 0;
  for (; j < visible; j += kLanesOf<T>) {
    const auto p = exp_below(d, hn::Sub(scores.at(s, j, visible - j), shift));
    hn::Store(p, d, s + j);
    const auto ds = hn::Mul(hn::Mul(p, hn::Sub(hn::Load(d, dp + j), mean)), scale);
    const auto there = hn::FirstN(d, static_cast<std::size_t>(std::min<Size>(visible - j, kLanesOf<T>)));
    hn::Store(hn::IfThenElseZero(there, ds), d, dp + j);
  }
  for (; j < columns; j += kLanesOf<T>) {
    hn::Store(hn::Zero(d), d, s + j);
    hn::Store(hn::Zero(d), d, dp + j);
  }
}

/// Queries [row0, row1) against keys [key0, key1) of a batch element and group; row0 and key0 begin a block.
struct Piece {
  Size batch, group, head0, head1, row0, row1, key0, key1;
  bool queries, keys;  // what is wanted: dq, and dk with dv
};

/// Calls run(piece, thread) for all pieces.
template <class T, class F>
void for_each_gradient_piece(const GradientCall<T>& call, int threads, const F& run) {
  const AttentionShape& shape = call.shape;
  const Size pairs = shape.batch * shape.groups;
  const Size share = shape.heads / shape.groups;
  const auto all = [&](Size pair) {
    const Size group = pair % shape.groups;
    return Piece{.batch = pair / shape.groups,
                 .group = group,
                 .head0 = group * share,
                 .head1 = (group + 1) * share,
                 .row0 = 0,
                 .row1 = shape.queries,
                 .key0 = 0,
                 .key1 = shape.keys,
                 .queries = call.dq != nullptr,
                 .keys = call.dk != nullptr || call.dv != nullptr};
  };
  if (has_many_pairs(shape)) {
    base::parallel_for(
        pairs, [&](Size pair, int thread) { run(all(pair), thread); }, threads);
    return;
  }
  const Size row_blocks = (shape.queries + kBlock - 1) / kBlock;
  const Size key_blocks = (shape.keys + kAttentionKeys - 1) / kAttentionKeys;
  const Size of_queries = call.dq != nullptr ? pairs * share * row_blocks : 0;
  const Size of_keys = call.dk != nullptr || call.dv != nullptr ? pairs * key_blocks : 0;
  base::parallel_for(
      of_queries + of_keys,
      [&](Size i, int thread) {
        Piece piece;
        if (i < of_queries) {
          piece = all(i / row_blocks / share);
          piece.head0 += i / row_blocks % share;
          piece.head1 = piece.head0 + 1;
          piece.row0 = i % row_blocks * kBlock;
          piece.row1 = std::min(shape.queries, piece.row0 + kBlock);
          piece.keys = false;
        } else {
          piece = all((i - of_queries) / key_blocks);
          piece.key0 = (i - of_queries) % key_blocks * kAttentionKeys;
          piece.key1 = std::min(shape.keys, piece.key0 + kAttentionKeys);
          piece.queries = false;
        }
        run(piece, thread);
      },
      threads);
}

}  // namespace attention
}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
HWY_AFTER_NAMESPACE();

#endif  // PELLUCID_KERNELS_CPU_ATTENTION_GRADIENT_INL_H_
