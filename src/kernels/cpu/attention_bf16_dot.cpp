// Attention whose products are of pairs of bfloat16, by AVX512_BF16: the pieces and blocks of attention.cpp. Queries
// are rounded once for a piece, keys and values as they are packed, weights after each maximum.
#include "kernels/cpu/attention_bf16.h"
#include "kernels/cpu/contract_bf16.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/attention_bf16_dot.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "hwy/highway.h"

#if HWY_TARGET == HWY_AVX3
#define PELLUCID_BF16_DOT
#include "kernels/cpu/attention_bf16-inl.h"

PELLUCID_BF16_BEFORE
namespace pellucid::kernels {
namespace HWY_NAMESPACE {
namespace attention_bf16_dot {
namespace {

/// Keys of a block: packed they take half as much memory as in float32, so there are twice as many.
inline constexpr Size kBlockKeys = 2 * kAttentionKeys;
/// From one row of a block of scores to the next, an odd number of lines; and of weights, joined.
inline constexpr Size kScorePitch = kBlockKeys + kLanes, kWeightPitch = joined(kBlockKeys);

/// Where the parts of a thread's scratch memory begin, in words.
struct Slot {
  Size queries = 0, keys, values, scores, weights, sums, maxima, totals, size;
  explicit Slot(const AttentionShape& s) {
    const Size rows = attention::piece_rows(s);
    keys = queries + rows * joined(s.width);
    values = keys + pairs_of(s.width) * kScorePitch;
    scores = values + kBlockKeys / 2 * wide(s.value_width);
    weights = scores + kRows * kScorePitch;
    sums = weights + kRows * kWeightPitch;
    maxima = sums + rows * wide(s.value_width);
    totals = maxima + rounded_up(rows, kLanes);
    size = totals + rounded_up(rows, kLanes);
  }
};

/// As attention::weigh, the weights rounded and joined; rows of sums are as wide as whole vectors.
HWY_INLINE void weigh(const float* s, Pair* to, Size columns, float most, float& maximum, float& total, float* sums,
                      Size width) {
  const FloatTag d;
  const float before = maximum;
  const float now = std::max(before, most);
  maximum = now;
  const Floats shift = hn::Set(d, now == -attention::kInfinity<float> ? 0.0F : now);
  Floats row = hn::Zero(d);
  for (Size j = 0; j < columns; j += kLanes) {
    const Floats p = weight_of(hn::Sub(hn::Load(d, s + j), shift));
    row = hn::Add(row, p);
    store_joined(p, to + j / 2);
  }
  const float added = attention::added_halves(d, row);
  if (now == before || before == -attention::kInfinity<float>) {
    total += added;
    return;
  }
  const Floats factor = weight_of(hn::Sub(hn::Set(d, before), shift));
  total = hn::GetLane(hn::MulAdd(hn::Set(d, total), factor, hn::Set(d, added)));
  for (Size j = 0; j < width; j += kLanes) hn::Store(hn::Mul(hn::Load(d, sums + j), factor), d, sums + j);
}

/// Turns maxima and total weights of rows into log-sum-exps and the inverse of totals, 0 where there is no weight.
void finish(float* maxima, float* totals, Size rows) {
  const FloatTag d;
  for (Size i = 0; i < rows; i += kLanes) {
    const Floats total = hn::Load(d, totals + i), maximum = hn::Load(d, maxima + i);
    const auto none = hn::Eq(total, hn::Zero(d));
    const Floats sum = hn::Add(maximum, attention::log_of_sum(d, total));
    hn::Store(hn::IfThenElse(none, hn::Set(d, -attention::kInfinity<float>), sum), d, maxima + i);
    hn::Store(hn::IfThenZeroElse(none, hn::Div(hn::Set(d, 1.0F), total)), d, totals + i);
  }
}

/// Lines that are fetched beside a row of a block.
inline constexpr Size kLinesOfRow = 16;

/// What is read first behind the queries before row1 of a head, since a thread's pieces follow each other.
void add_next(Ahead& ahead, const Call<float>& call, Size batch, Size head, Size row1) {
  const AttentionShape& s = call.shape;
  if (row1 == s.queries) {
    row1 = 0;
    if (++head == s.heads) {
      head = 0;
      if (++batch == s.batch) return;
    }
  }
  const Size rows = std::min({kRowsAhead, s.queries - row1, attention::piece_rows(s)}), group = call.group_of(head);
  const Size keys = std::min(kBlockKeys, s.keys);
  ahead.add(call.q + (batch * s.queries + row1) * call.q_row + head * s.width, call.q_row, rows, s.width);
  ahead.add(call.keys(batch, group, 0), call.kv_row, keys, s.width);
  ahead.add(call.values(batch, group, 0), call.vv_row, keys, s.value_width);
}

/// Queries [row0, row1) of a head.
void run_piece(const Call<float>& call, float* out, float* log_sum_exp, Size batch, Size head, Size row0, Size row1,
               float* slot) {
  const AttentionShape& shape = call.shape;
  const Slot at(shape);
  Pair* const words = reinterpret_cast<Pair*>(slot);
  Pair *const queries = words + at.queries, *const keys = words + at.keys, *const values = words + at.values;
  Pair* const weights = words + at.weights;
  float *const scores = slot + at.scores, *const sums = slot + at.sums;
  float *const maxima = slot + at.maxima, *const totals = slot + at.totals;
  const Size rows = row1 - row0, group = call.group_of(head);
  const Size out_size = out != nullptr ? shape.value_width : 0, sums_row = wide(shape.value_width);
  pack_rows(queries, joined(shape.width), call.q + (batch * shape.queries + row0) * call.q_row + head * shape.width,
            call.q_row, rows, shape.width);
  std::fill_n(maxima, rows, -attention::kInfinity<float>);
  std::fill_n(totals, rows, 0.0F);
  std::fill_n(sums, rows * sums_row, 0.0F);

  Ahead ahead;
  for (Size first = 0; first < shape.keys; first += kBlockKeys) {
    const Size n = std::min(kBlockKeys, shape.keys - first);
    if (call.visible(row1 - 1, first, n) == 0) break;
    pack_turned(keys, kScorePitch, call.keys(batch, group, first), call.kv_row, n, shape.width);
    pack_steps(values, sums_row, call.values(batch, group, first), call.vv_row, n, out_size);
    const Size next = first + n, more = std::min(kBlockKeys, shape.keys - next);
    ahead.add(call.keys(batch, group, next), call.kv_row, more, shape.width);
    ahead.add(call.values(batch, group, next), call.vv_row, more, shape.value_width);
    if (first == 0) {
      if (out != nullptr)
        ahead.add(out + (batch * shape.queries + row0) * call.out_row + head * shape.value_width, call.out_row,
                  std::min(rows, kRowsAhead), shape.value_width);
      add_next(ahead, call, batch, head, row1);
    }
    for (Size row = 0; row < rows; row += kRows) {
      const Size count = std::min(kRows, rows - row);
      const Size seen = call.visible(row0 + row + count - 1, first, n);
      if (seen == 0) continue;
      multiply(queries + row * joined(shape.width), joined(shape.width), 1, count, keys, kScorePitch, seen,
               pairs_of(shape.width), scores, kScorePitch, false);
      const Size columns = rounded_up(seen, attention::kSumLanes);
      float most[kRows];
      for (Size i = 0; i < count; ++i) {
        most[i] = attention::scale(Scores<float>(call, batch, head, row0 + row + i, first), scores + i * kScorePitch,
                                   call.visible(row0 + row + i, first, seen), columns);
      }
      for (Size i = 0; i < count; ++i) {
        weigh(scores + i * kScorePitch, weights + i * kWeightPitch, columns, most[i], maxima[row + i], totals[row + i],
              sums + (row + i) * sums_row, out != nullptr ? sums_row : 0);
        ahead.fetch(kLinesOfRow);
      }
      multiply(weights, kWeightPitch, 1, count, values, sums_row, out_size, pairs_of(seen), sums + row * sums_row,
               sums_row, true);
    }
  }
  finish(maxima, totals, rows);
  for (Size i = 0; i < rows; ++i) {
    const Size position = batch * shape.queries + row0 + i;
    if (out != nullptr) {
      float* const to = out + position * call.out_row + head * shape.value_width;
      const Floats inverse = hn::Set(FloatTag(), totals[i]);
      for (Size j = 0; j < out_size; j += kLanes) {
        const Floats y = hn::Mul(hn::Load(FloatTag(), sums + i * sums_row + j), inverse);
        contract::store_first(y, FloatTag(), to + j, std::min(kLanes, out_size - j));
      }
    }
    if (log_sum_exp != nullptr) log_sum_exp[position * shape.heads + head] = maxima[i];
  }
}

}  // namespace

void run(const AttentionShape& shape, const AttentionOperands& x, float* out, float* log_sum_exp, float* workspace,
         int threads) {
  const Call<float> call(shape, x);
  const Size slot = Slot(shape).size;
  attention::for_each_piece(shape, threads, [&](Size batch, Size head, Size row0, Size row1, int thread) {
    run_piece(call, out, log_sum_exp, batch, head, row0, row1, workspace + thread * slot);
  });
}

Size workspace(const AttentionShape& shape) { return Slot(shape).size; }

}  // namespace attention_bf16_dot
}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
HWY_POP_ATTRIBUTES
#endif

#if HWY_ONCE
namespace pellucid::kernels {

bool rounds_itself(const AttentionShape& s) {
  return s.rounded && s.dtype == DType::kFloat32 && bf16_way() == Bf16Way::kDot && s.queries >= 16 && s.keys >= 16 &&
         s.width >= 16 && s.value_width >= 16;
}

#if defined(__x86_64__) && PELLUCID_ONE_ISA != 2
std::size_t pair_attention_workspace(const AttentionShape& shape, int threads) {
  return static_cast<std::size_t>(N_AVX3::attention_bf16_dot::workspace(shape) * threads) * sizeof(float);
}
void pair_attention(const AttentionShape& shape, const AttentionOperands& x, float* out, float* log_sum_exp,
                    float* workspace, int threads) {
  N_AVX3::attention_bf16_dot::run(shape, x, out, log_sum_exp, workspace, threads);
}
#else
std::size_t pair_attention_workspace(const AttentionShape&, int) { return 0; }
void pair_attention(const AttentionShape&, const AttentionOperands&, float*, float*, float*, int) {}
#endif

}  // namespace pellucid::kernels
#endif  // HWY_ONCE
