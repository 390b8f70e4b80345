// Attention: a piece is a stretch of queries of one head. Blocks of keys pass by, each packed once for the whole piece;
// 12 queries at a time take their scores, weights and share of the result from it.
#include "kernels/attention.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/attention.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "kernels/cpu/attention-inl.h"
#include "kernels/cpu/attention_bf16.h"
#include "kernels/cpu/dispatch.h"

HWY_BEFORE_NAMESPACE();
namespace pellucid::kernels {
namespace HWY_NAMESPACE {
namespace attention {
namespace {

/// Where the parts of a thread's scratch memory begin, in elements.
struct Slot {
  Size values, scores, maxima, sums, size;
  explicit Slot(const AttentionShape& s) {
    values = rounded_up(s.width * kPitch, 16) + 16;
    scores = values + kAttentionKeys * padded(s.value_width) + 16;
    maxima = scores + kRows * kPitch;
    sums = maxima + padded(piece_rows(s));
    size = sums + padded(piece_rows(s)) + 16;
  }
};

template <class T>
void run_piece(const Call<T>& call, T* out, T* log_sum_exp, Size batch, Size head, Size row0, Size row1, T* slot) {
  const AttentionShape& shape = call.shape;
  const Slot at(shape);
  T* const keys = slot;
  T* const values = slot + at.values;
  T* const scores = slot + at.scores;
  T* const maxima = slot + at.maxima;
  T* const sums = slot + at.sums;
  const Size group = call.group_of(head), value_row = padded(shape.value_width);
  const Size out_size = out != nullptr ? shape.value_width : 0;
  T* const out_head = out != nullptr ? out + batch * shape.queries * call.out_row + head * shape.value_width : slot;
  const T* const q = call.q + batch * shape.queries * call.q_row + head * shape.width;
  std::fill_n(maxima, row1 - row0, -kInfinity<T>);
  std::fill_n(sums, row1 - row0, T{0});
  for (Size row = row0; row < row1 && out != nullptr; ++row) {
    std::fill_n(out_head + row * call.out_row, out_size, T{0});
  }

  for (Size first = 0; first < shape.keys; first += kAttentionKeys) {
    const Size n = std::min(kAttentionKeys, shape.keys - first);
    if (call.visible(row1 - 1, first, n) == 0) break;
    pack_turned(keys, kPitch, call.keys(batch, group, first), call.kv_row, n, shape.width);
    pack_straight(values, value_row, call.values(batch, group, first), call.vv_row, n, shape.value_width);
    for (Size row = row0; row < row1; row += kRows) {
      const Size rows = std::min(kRows, row1 - row);
      const Size seen = call.visible(row + rows - 1, first, n);
      if (seen == 0) continue;
      multiply(q + row * call.q_row, call.q_row, Size{1}, rows, keys, kPitch, seen, shape.width, scores, kPitch, false);
      // In two passes over the rows: each waits for its greatest score, and the rows behind it need not.
      const Size columns = rounded_up(seen, kSumLanes);
      T most[kRows];
      for (Size i = 0; i < rows; ++i) {
        most[i] = scale(Scores<T>(call, batch, head, row + i, first), scores + i * kPitch,
                        call.visible(row + i, first, seen), columns);
      }
      for (Size i = 0; i < rows; ++i) {
        weigh(scores + i * kPitch, columns, most[i], maxima[row + i - row0], sums[row + i - row0],
              out_head + (row + i) * call.out_row, out_size);
      }
      multiply(scores, kPitch, Size{1}, rows, values, value_row, out_size, seen, out_head + row * call.out_row,
               call.out_row, true);
    }
  }
  for (Size row = row0; row < row1; ++row) {
    const T sum = sums[row - row0];
    divide(out_head + row * call.out_row, out_size, sum);
    if (log_sum_exp == nullptr) continue;
    log_sum_exp[(batch * shape.queries + row) * shape.heads + head] = logarithm(maxima[row - row0], sum);
  }
}

template <class T>
void run_typed(const AttentionShape& shape, const AttentionOperands& x, T* out, T* log_sum_exp, T* workspace,
               int threads) {
  const Call<T> call(shape, x);
  const Size slot = Slot(shape).size;
  for_each_piece(shape, threads, [&](Size batch, Size head, Size row0, Size row1, int thread) {
    run_piece(call, out, log_sum_exp, batch, head, row0, row1, workspace + thread * slot);
  });
}

}  // namespace

void run(const AttentionShape& shape, const AttentionOperands& x, void* out, void* log_sum_exp, void* workspace,
         int threads) {
  if (shape.dtype == DType::kFloat32) {
    run_typed(shape, x, static_cast<float*>(out), static_cast<float*>(log_sum_exp), static_cast<float*>(workspace),
              threads);
  } else {
    run_typed(shape, x, static_cast<double*>(out), static_cast<double*>(log_sum_exp), static_cast<double*>(workspace),
              threads);
  }
}

std::size_t workspace(const AttentionShape& shape, int threads) {
  return static_cast<std::size_t>(rounded_up(Slot(shape).size, 16) * threads) * size_of(shape.dtype);
}

}  // namespace attention
}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace pellucid::kernels {

std::size_t attention_workspace(const AttentionShape& shape, int threads) {
  if (rounds_itself(shape)) return pair_attention_workspace(shape, threads);
  return PELLUCID_FOR_ISA(isa(), attention::workspace)(shape, threads);
}

void attention(const AttentionShape& shape, const AttentionOperands& x, void* out, void* log_sum_exp, void* workspace,
               int threads) {
  if (rounds_itself(shape)) {
    pair_attention(shape, x, static_cast<float*>(out), static_cast<float*>(log_sum_exp), static_cast<float*>(workspace),
                   threads);
    return;
  }
  PELLUCID_FOR_ISA(isa(), attention::run)(shape, x, out, log_sum_exp, workspace, threads);
}

}  // namespace pellucid::kernels
#endif
