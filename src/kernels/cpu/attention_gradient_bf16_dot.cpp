// The gradient of attention whose products are of pairs of bfloat16, by AVX512_BF16: the pieces and blocks of
// attention_gradient.cpp. Rounded are q, k, v and g, and of the rest weights and slopes, where they are multiplied.
#include "kernels/cpu/attention_bf16.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/attention_gradient_bf16_dot.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "hwy/highway.h"

#if HWY_TARGET == HWY_AVX3
#define PELLUCID_BF16_DOT
#include "kernels/cpu/attention_bf16-inl.h"
#include "kernels/cpu/attention_gradient-inl.h"

PELLUCID_BF16_BEFORE
namespace pellucid::kernels {
namespace HWY_NAMESPACE {
namespace attention_bf16_dot {
namespace {
using attention::kBlock;
using attention::Piece;

/// Words of a row of slopes, joined.
inline constexpr Size kSlopePitch = joined(kAttentionKeys);
/// Keys whose sums are made together: queries before the first that sees one of them are left out.
inline constexpr Size kKeys = 16;
/// Lines that are fetched beside two rows of a block.
inline constexpr Size kLinesOfRows = 24;

/// Where the parts of a thread's scratch memory begin, in words.
struct GradientSlot {
  bool keeps;      // all queries of a piece, packed: it has all keys
  Size head_rows;  // of a head that there is room for
  Size keys_turned = 0, values_turned, keys, q, g, q_steps, g_steps, scores, slopes, slope_rows, weight_steps,
       slope_steps, dq, dk, dv, rounded, deltas, size;
  explicit GradientSlot(const AttentionShape& s)
      : keeps(attention::has_many_pairs(s)), head_rows(keeps ? rounded_up(s.queries, 2) : kBlock) {
    const Size rows = head_rows * (keeps ? s.heads / s.groups : 1);
    const Size width = wide(s.width), value_width = wide(s.value_width);
    values_turned = keys_turned + pairs_of(s.width) * kPitch;
    keys = values_turned + pairs_of(s.value_width) * kPitch;
    q = keys + kAttentionKeys / 2 * width;
    g = q + rows * joined(s.width);
    q_steps = g + rows * joined(s.value_width);
    g_steps = q_steps + rows / 2 * width;
    scores = g_steps + rows / 2 * value_width;
    slopes = scores + kRows * kPitch;
    slope_rows = slopes + kRows * kPitch;
    weight_steps = slope_rows + kRows * kSlopePitch;
    slope_steps = weight_steps + kBlock / 2 * kPitch;
    dq = slope_steps + kBlock / 2 * kPitch;
    dk = dq + rows * width;
    dv = dk + kAttentionKeys * width;
    rounded = dv + kAttentionKeys * value_width;
    deltas = rounded + value_width;
    size = deltas + rounded_up(rows, kLanes);
  }
};

using GradientCall = attention::GradientCall<float>;

/// The nearest bfloat16 numbers.
void round_row(float* to, const float* x, Size n) {
  for (Size j = 0; j < n; j += kLanes) {
    _mm512_storeu_ps(to + j, _mm512_cvtpbh_ps(_mm512_cvtneps_pbh(load(x + j, n - j).raw)));
  }
}

/// A row of scores and cotangents of weights.
struct Row {
  Scores<float> scores;
  const float *s, *dp;
  Size visible;
  Floats shift, mean;

  /// Lanes j, j + 1, ... of the weights and of the cotangents of unscaled scores, weight (dp - mean) scale.
  HWY_INLINE void at(Size j, Floats& weight, Floats& slope) const {
    const FloatTag d;
    weight = weight_of(hn::Sub(scores.at(s, j, visible - j), shift));
    slope = hn::Mul(hn::Mul(weight, hn::Sub(hn::Load(d, dp + j), mean)), hn::Set(d, scores.scale));
    if (HWY_LIKELY(visible - j >= kLanes)) return;
    slope = hn::IfThenElseZero(hn::FirstN(d, static_cast<std::size_t>(std::max<Size>(visible - j, 0))), slope);
  }
};

/// Weights and slopes of two rows: pairs of the rows, and of the slopes also pairs along each row. What lies behind
/// what is visible is zero.
HWY_INLINE void join(const Row& even, const Row& odd, Size columns, Pair* weight_steps, Pair* slope_steps,
                     Pair* even_slopes, Pair* odd_slopes) {
  const contract_bf16_dot::PairTag du;
  const Size seen = std::max(even.visible, odd.visible);
  for (Size j = 0; j < columns; j += kLanes) {
    Floats weight[2], slope[2];
    if (HWY_LIKELY(j < seen)) {
      even.at(j, weight[0], slope[0]);
      odd.at(j, weight[1], slope[1]);
    } else {
      weight[0] = weight[1] = slope[0] = slope[1] = hn::Zero(FloatTag());
    }
    hn::Store(contract_bf16_dot::pair(weight[0], weight[1]), du, weight_steps + j);
    hn::Store(contract_bf16_dot::pair(slope[0], slope[1]), du, slope_steps + j);
    store_joined(slope[0], even_slopes + j / 2);
    store_joined(slope[1], odd_slopes + j / 2);
  }
}

class GradientPiece {
 public:
  GradientPiece(const GradientCall& call, const Piece& piece, float* slot)
      : call_(call), shape_(call.shape), piece_(piece), slot_(slot), at_(call.shape) {}

  void run() {
    if (at_.keeps) each_block([&](Size head, Size row, Size rows) { pack_block(head, row, rows); });
    if (piece_.queries) {
      each_block([&](Size head, Size row, Size rows) {
        std::fill_n(slot_ + at_.dq + place(head, row) * width(), rows * width(), 0.0F);
      });
    }
    for (first_ = piece_.key0; first_ < piece_.key1; first_ += kAttentionKeys) {
      n_ = std::min(kAttentionKeys, piece_.key1 - first_);
      const float* const keys = call_.keys(piece_.batch, piece_.group, first_);
      const float* const values = call_.values(piece_.batch, piece_.group, first_);
      pack_turned(words(at_.keys_turned), kPitch, keys, call_.kv_row, n_, shape_.width);
      pack_turned(words(at_.values_turned), kPitch, values, call_.vv_row, n_, shape_.value_width);
      if (piece_.queries) pack_steps(words(at_.keys), width(), keys, call_.kv_row, n_, shape_.width);
      add_ahead();
      if (piece_.keys) {
        std::fill_n(slot_ + at_.dk, kAttentionKeys * width(), 0.0F);
        std::fill_n(slot_ + at_.dv, kAttentionKeys * value_width(), 0.0F);
      }
      each_block([&](Size head, Size row, Size rows) {
        if (call_.visible(row + rows - 1, first_, n_) == 0) return;
        if (!at_.keeps && (head != head_ || row != row_)) pack_block(head, row, rows);
        run_block(head, row, rows);
      });
      if (piece_.keys) write_keys();
    }
    if (piece_.queries) each_block([&](Size head, Size row, Size rows) { write_queries(head, row, rows); });
  }

 private:
  Size width() const { return wide(shape_.width); }
  Size value_width() const { return wide(shape_.value_width); }
  Size position(Size row) const { return piece_.batch * shape_.queries + row; }
  Pair* words(Size at) const { return reinterpret_cast<Pair*>(slot_ + at); }
  /// Of a query among those that are kept.
  Size place(Size head, Size row) const { return at_.keeps ? (head - piece_.head0) * at_.head_rows + row : 0; }
  template <class F>
  void each_block(const F& f) const {
    for (Size head = piece_.head0; head < piece_.head1; ++head) {
      for (Size row = piece_.row0; row < piece_.row1; row += kBlock) f(head, row, std::min(kBlock, piece_.row1 - row));
    }
  }

  /// What is read and written next: keys and values of the next block, the sums of this one; once, what the next piece
  /// reads first, since a thread's pieces follow each other, and the cotangents of the queries.
  void add_ahead() {
    const auto keys = [&](const float* k, const float* v, Size batch, Size group, Size key) {
      const Size at = batch * shape_.keys + key, rows = std::min(kAttentionKeys, shape_.keys - key);
      if (k != nullptr) ahead_.add(k + at * call_.kv_row + group * shape_.width, call_.kv_row, rows, shape_.width);
      if (v != nullptr) {
        ahead_.add(v + at * call_.vv_row + group * shape_.value_width, call_.vv_row, rows, shape_.value_width);
      }
    };
    if (first_ + n_ < piece_.key1) keys(call_.k, call_.v, piece_.batch, piece_.group, first_ + n_);
    if (piece_.keys) keys(call_.dk, call_.dv, piece_.batch, piece_.group, first_);
    if (first_ != piece_.key0 || !at_.keeps) return;
    const bool last = piece_.group + 1 == shape_.groups;
    const Size batch = piece_.batch + (last ? 1 : 0), group = last ? 0 : piece_.group + 1;
    const auto queries = [&](const float* x, Size at, Size head, Size row, Size width) {
      ahead_.add(x + at * shape_.queries * row + head * width, row, std::min(kRowsAhead, shape_.queries), width);
    };
    if (batch < shape_.batch) {
      const Size head = group * (shape_.heads / shape_.groups);
      keys(call_.k, call_.v, batch, group, 0);
      queries(call_.q, batch, head, call_.q_row, shape_.width);
      queries(call_.g, batch, head, call_.out_row, shape_.value_width);
      queries(call_.out, batch, head, call_.out_row, shape_.value_width);
    }
    if (piece_.queries) queries(call_.dq, piece_.batch, piece_.head0, call_.q_row, shape_.width);
  }

  /// q and g of a block, both ways, and of each row the sum of g out: the mean of its slopes by weight.
  void pack_block(Size head, Size row0, Size rows) {
    head_ = head;
    row_ = row0;
    const Size at = place(head, row0);
    const float* const q = call_.q + position(row0) * call_.q_row + head * shape_.width;
    const Size values = position(row0) * call_.out_row + head * shape_.value_width;
    const float* const g = call_.g + values;
    pack_rows(words(at_.q) + at * joined(shape_.width), joined(shape_.width), q, call_.q_row, rows, shape_.width);
    pack_rows(words(at_.g) + at * joined(shape_.value_width), joined(shape_.value_width), g, call_.out_row, rows,
              shape_.value_width);
    if (piece_.keys) {
      pack_steps(words(at_.q_steps) + at / 2 * width(), width(), q, call_.q_row, rows, shape_.width);
      pack_steps(words(at_.g_steps) + at / 2 * value_width(), value_width(), g, call_.out_row, rows,
                 shape_.value_width);
    }
    float* const rounded = slot_ + at_.rounded;
    for (Size i = 0; i < rows; ++i) {
      round_row(rounded, g + i * call_.out_row, shape_.value_width);
      slot_[at_.deltas + at + i] = attention::dot(call_.out + values + i * call_.out_row, rounded, shape_.value_width);
    }
  }

  /// Row i of the scores, of the query whose delta is at `delta`, of which `seen` keys are seen at most.
  Row row_of(Size head, Size query, Size seen, Size i, Size delta) const {
    const FloatTag d;
    // A row without keys has weights 0: exp(-inf - inf).
    const float sum = call_.log_sum_exp[position(query) * shape_.heads + head];
    const float shift = sum == -attention::kInfinity<float> ? attention::kInfinity<float> : sum;
    return {Scores<float>(call_, piece_.batch, head, query, first_),
            slot_ + at_.scores + i * kPitch,
            slot_ + at_.slopes + i * kPitch,
            call_.visible(query, first_, seen),
            hn::Set(d, shift),
            hn::Set(d, slot_[at_.deltas + delta])};
  }

  void run_block(Size head, Size row0, Size rows) {
    const Size at = place(head, row0);
    const Pair* const q = words(at_.q) + at * joined(shape_.width);
    const Pair* const g = words(at_.g) + at * joined(shape_.value_width);
    const Size columns = rounded_up(n_, attention::kSumLanes);
    Size begin = rows;  // the first row that sees any of these keys
    for (Size i = 0; i < rows; i += kRows) {
      const Size count = std::min(kRows, rows - i);
      const Size seen = call_.visible(row0 + i + count - 1, first_, n_);
      if (seen == 0) continue;
      begin = std::min(begin, i);
      multiply(q + i * joined(shape_.width), joined(shape_.width), 1, count, words(at_.keys_turned), kPitch, seen,
               pairs_of(shape_.width), slot_ + at_.scores, kPitch, false);
      multiply(g + i * joined(shape_.value_width), joined(shape_.value_width), 1, count, words(at_.values_turned),
               kPitch, seen, pairs_of(shape_.value_width), slot_ + at_.slopes, kPitch, false);
      for (Size r = 0; r < count; r += 2) {
        const Row even = row_of(head, row0 + i + r, seen, r, at + i + r);
        Row odd = even;
        odd.visible = 0;
        if (r + 1 < count) odd = row_of(head, row0 + i + r + 1, seen, r + 1, at + i + r + 1);
        Pair* const slopes = words(at_.slope_rows) + r * kSlopePitch;
        join(even, odd, columns, words(at_.weight_steps) + (i + r) / 2 * kPitch,
             words(at_.slope_steps) + (i + r) / 2 * kPitch, slopes, slopes + kSlopePitch);
        ahead_.fetch(kLinesOfRows);
      }
      if (piece_.queries) {
        multiply(words(at_.slope_rows), kSlopePitch, 1, count, words(at_.keys), width(), shape_.width, pairs_of(seen),
                 slot_ + at_.dq + (at + i) * width(), width(), true);
      }
    }
    if (piece_.keys) add_keys(at, row0, begin, rows);
  }

  /// What the rows [begin, rows) of a block add to dk and dv.
  void add_keys(Size at, Size row0, Size begin, Size rows) {
    for (Size key = 0; key < n_; key += kKeys) {
      while (begin < rows && call_.visible(row0 + begin, first_ + key, 1) == 0) ++begin;
      const Size from = begin / 2, pairs = pairs_of(rows) - from, count = std::min(kKeys, n_ - key);
      multiply(words(at_.weight_steps) + from * kPitch + key, 1, kPitch, count,
               words(at_.g_steps) + (at / 2 + from) * value_width(), value_width(), shape_.value_width, pairs,
               slot_ + at_.dv + key * value_width(), value_width(), true);
      multiply(words(at_.slope_steps) + from * kPitch + key, 1, kPitch, count,
               words(at_.q_steps) + (at / 2 + from) * width(), width(), shape_.width, pairs,
               slot_ + at_.dk + key * width(), width(), true);
    }
  }

  void write_queries(Size head, Size row0, Size rows) const {
    const float* const dq = slot_ + at_.dq + place(head, row0) * width();
    for (Size i = 0; i < rows; ++i) {
      std::copy_n(dq + i * width(), shape_.width, call_.dq + position(row0 + i) * call_.q_row + head * shape_.width);
    }
  }

  void write_keys() const {
    const Size key = piece_.batch * shape_.keys + first_;
    for (Size j = 0; j < n_; ++j) {
      if (call_.dk != nullptr) {
        std::copy_n(slot_ + at_.dk + j * width(), shape_.width,
                    call_.dk + (key + j) * call_.kv_row + piece_.group * shape_.width);
      }
      if (call_.dv != nullptr) {
        std::copy_n(slot_ + at_.dv + j * value_width(), shape_.value_width,
                    call_.dv + (key + j) * call_.vv_row + piece_.group * shape_.value_width);
      }
    }
  }

  const GradientCall& call_;
  const AttentionShape& shape_;
  const Piece piece_;
  float* const slot_;
  const GradientSlot at_;
  Size first_ = 0, n_ = 0;  // the block of keys
  Ahead ahead_;
  Size head_ = -1, row_ = -1;  // the block of queries that was packed last
};

}  // namespace

void run_gradient(const AttentionShape& shape, const AttentionOperands& x, const float* out, const float* log_sum_exp,
                  const float* g, float* dq, float* dk, float* dv, float* workspace, int threads) {
  const GradientCall call = {{shape, x}, out, log_sum_exp, g, dq, dk, dv};
  const Size slot = GradientSlot(shape).size;
  attention::for_each_gradient_piece(call, threads, [&](const Piece& piece, int thread) {
    GradientPiece(call, piece, workspace + thread * slot).run();
  });
}

Size gradient_workspace(const AttentionShape& shape) { return GradientSlot(shape).size; }

}  // namespace attention_bf16_dot
}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
HWY_POP_ATTRIBUTES
#endif

#if HWY_ONCE
namespace pellucid::kernels {

#if defined(__x86_64__) && PELLUCID_ONE_ISA != 2
std::size_t pair_attention_gradient_workspace(const AttentionShape& shape, int threads) {
  return static_cast<std::size_t>(N_AVX3::attention_bf16_dot::gradient_workspace(shape) * threads) * sizeof(float);
}
void pair_attention_gradient(const AttentionShape& shape, const AttentionOperands& x, const float* out,
                             const float* log_sum_exp, const float* g, float* dq, float* dk, float* dv,
                             float* workspace, int threads) {
  N_AVX3::attention_bf16_dot::run_gradient(shape, x, out, log_sum_exp, g, dq, dk, dv, workspace, threads);
}
#else
std::size_t pair_attention_gradient_workspace(const AttentionShape&, int) { return 0; }
void pair_attention_gradient(const AttentionShape&, const AttentionOperands&, const float*, const float*, const float*,
                             float*, float*, float*, float*, int) {}
#endif

}  // namespace pellucid::kernels
#endif  // HWY_ONCE
