// The gradient of attention: scores and weights of a block of queries x a block of keys are computed again, and go into
// dq, dk and dv while they are in the second cache.
//
// Where there are few heads, queries and keys are pieces of their own, which costs two products of seven more. Sums
// over blocks have the same order either way, so it does not reach the bits.
#include "kernels/attention.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/attention_gradient.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "kernels/cpu/attention_bf16.h"
#include "kernels/cpu/attention_gradient-inl.h"
#include "kernels/cpu/dispatch.h"

HWY_BEFORE_NAMESPACE();
namespace pellucid::kernels {
namespace HWY_NAMESPACE {
namespace attention {
namespace {

/// Where the parts of a thread's scratch memory begin, in elements.
struct GradientSlot {
  Size keys_turned = 0, values_turned, keys, q, g, weights, slopes, dk, dv, deltas, size;
  explicit GradientSlot(const AttentionShape& s) {
    const Size width = padded(s.width), value_width = padded(s.value_width);
    values_turned = rounded_up(s.width * kPitch, 16) + 16;
    keys = values_turned + rounded_up(s.value_width * kPitch, 16) + 16;
    q = keys + kAttentionKeys * width + 16;
    g = q + kBlock * width + 16;
    weights = g + kBlock * value_width + 16;
    slopes = weights + kBlock * kPitch + 16;
    dk = slopes + kBlock * kPitch + 16;
    dv = dk + kAttentionKeys * width + 16;
    deltas = dv + kAttentionKeys * value_width + 16;
    size = deltas + rounded_up(s.heads / s.groups * s.queries, 16);
  }
};

template <class T>
class GradientPiece {
 public:
  GradientPiece(const GradientCall<T>& call, const Piece& piece, T* slot)
      : call_(call), piece_(piece), slot_(slot), at_(call.shape) {}

  void run() {
    const AttentionShape& shape = call_.shape;
    if (piece_.queries) clear_queries();
    find_deltas();
    for (Size first = piece_.key0; first < piece_.key1; first += kAttentionKeys) {
      first_ = first;
      n_ = std::min(kAttentionKeys, piece_.key1 - first);
      pack_turned(slot_, kPitch, call_.keys(piece_.batch, piece_.group, first), call_.kv_row, n_, shape.width);
      pack_turned(slot_ + at_.values_turned, kPitch, call_.values(piece_.batch, piece_.group, first), call_.vv_row, n_,
                  shape.value_width);
      if (piece_.queries) {
        pack_straight(slot_ + at_.keys, width(), call_.keys(piece_.batch, piece_.group, first), call_.kv_row, n_,
                      shape.width);
      }
      if (piece_.keys) {
        std::fill_n(slot_ + at_.dk, n_ * width(), T{0});
        std::fill_n(slot_ + at_.dv, n_ * value_width(), T{0});
      }
      for (Size head = piece_.head0; head < piece_.head1; ++head) {
        for (Size row = piece_.row0; row < piece_.row1; row += kBlock) {
          run_block(head, row, std::min(kBlock, piece_.row1 - row));
        }
      }
      if (piece_.keys) write_keys();
    }
  }

 private:
  Size width() const { return padded(call_.shape.width); }
  Size value_width() const { return padded(call_.shape.value_width); }
  Size position(Size row) const { return piece_.batch * call_.shape.queries + row; }

  void clear_queries() {
    for (Size row = piece_.row0; row < piece_.row1; ++row) {
      std::fill_n(call_.dq + position(row) * call_.q_row + piece_.head0 * call_.shape.width,
                  (piece_.head1 - piece_.head0) * call_.shape.width, T{0});
    }
  }

  /// Of each row, the sum of g out: the mean of its slopes by weight.
  void find_deltas() {
    const AttentionShape& shape = call_.shape;
    for (Size head = piece_.head0; head < piece_.head1; ++head) {
      T* const delta = deltas(head);
      for (Size row = piece_.row0; row < piece_.row1; ++row) {
        const Size at = position(row) * call_.out_row + head * shape.value_width;
        delta[row] = dot(call_.out + at, call_.g + at, shape.value_width);
      }
    }
  }
  T* deltas(Size head) const { return slot_ + at_.deltas + (head - piece_.head0) * call_.shape.queries; }

  void run_block(Size head, Size row0, Size rows) {
    if (call_.visible(row0 + rows - 1, first_, n_) == 0) return;
    const AttentionShape& shape = call_.shape;
    T* const q = slot_ + at_.q;
    T* const g = slot_ + at_.g;
    T* const weights = slot_ + at_.weights;
    T* const slopes = slot_ + at_.slopes;
    const T* const q_rows = call_.q + position(row0) * call_.q_row + head * shape.width;
    const T* const g_rows = call_.g + position(row0) * call_.out_row + head * shape.value_width;
    const T* const delta = deltas(head);
    pack_straight(q, width(), q_rows, call_.q_row, rows, shape.width);
    pack_straight(g, value_width(), g_rows, call_.out_row, rows, shape.value_width);
    Size begin = rows;  // the first row that sees any of these keys
    for (Size i = 0; i < rows; i += kRows) {
      const Size count = std::min(kRows, rows - i);
      const Size seen = call_.visible(row0 + i + count - 1, first_, n_);
      if (seen == 0) continue;
      begin = std::min(begin, i);
      T* const p = weights + i * kPitch;
      T* const ds = slopes + i * kPitch;
      multiply(q + i * width(), width(), Size{1}, count, slot_, kPitch, seen, shape.width, p, kPitch, false);
      multiply(g + i * value_width(), value_width(), Size{1}, count, slot_ + at_.values_turned, kPitch, seen,
               shape.value_width, ds, kPitch, false);
      for (Size r = 0; r < count; ++r) {
        const Size query = row0 + i + r;
        slope(Scores<T>(call_, piece_.batch, head, query, first_), p + r * kPitch, ds + r * kPitch,
              call_.visible(query, first_, seen), rounded_up(n_, kSumLanes),
              call_.log_sum_exp[position(query) * shape.heads + head], delta[query]);
      }
      if (piece_.queries) {
        multiply(ds, kPitch, Size{1}, count, slot_ + at_.keys, width(), shape.width, seen,
                 call_.dq + position(row0 + i) * call_.q_row + head * shape.width, call_.q_row, true);
      }
    }
    if (!piece_.keys) return;
    multiply(weights + begin * kPitch, Size{1}, kPitch, n_, g + begin * value_width(), value_width(), shape.value_width,
             rows - begin, slot_ + at_.dv, value_width(), true);
    multiply(slopes + begin * kPitch, Size{1}, kPitch, n_, q + begin * width(), width(), shape.width, rows - begin,
             slot_ + at_.dk, width(), true);
  }

  void write_keys() {
    const AttentionShape& shape = call_.shape;
    const Size key = piece_.batch * shape.keys + first_;
    for (Size j = 0; j < n_; ++j) {
      if (call_.dk != nullptr) {
        std::copy_n(slot_ + at_.dk + j * width(), shape.width,
                    call_.dk + (key + j) * call_.kv_row + piece_.group * shape.width);
      }
      if (call_.dv != nullptr) {
        std::copy_n(slot_ + at_.dv + j * value_width(), shape.value_width,
                    call_.dv + (key + j) * call_.vv_row + piece_.group * shape.value_width);
      }
    }
  }

  const GradientCall<T>& call_;
  const Piece piece_;
  T* const slot_;
  const GradientSlot at_;
  Size first_ = 0, n_ = 0;  // the block of keys
};

template <class T>
void run_typed(const GradientCall<T>& call, T* workspace, int threads) {
  const Size slot = GradientSlot(call.shape).size;
  for_each_gradient_piece(call, threads, [&](const Piece& piece, int thread) {
    GradientPiece<T>(call, piece, workspace + thread * slot).run();
  });
}

template <class T>
void run_as(const AttentionShape& shape, const AttentionOperands& x, const void* out, const void* log_sum_exp,
            const void* g, void* dq, void* dk, void* dv, void* workspace, int threads) {
  const GradientCall<T> call = {{shape, x},
                                static_cast<const T*>(out),
                                static_cast<const T*>(log_sum_exp),
                                static_cast<const T*>(g),
                                static_cast<T*>(dq),
                                static_cast<T*>(dk),
                                static_cast<T*>(dv)};
  run_typed(call, static_cast<T*>(workspace), threads);
}

}  // namespace

void run_gradient(const AttentionShape& shape, const AttentionOperands& x, const void* out, const void* log_sum_exp,
                  const void* g, void* dq, void* dk, void* dv, void* workspace, int threads) {
  const auto run = shape.dtype == DType::kFloat32 ? &run_as<float> : &run_as<double>;
  run(shape, x, out, log_sum_exp, g, dq, dk, dv, workspace, threads);
}

std::size_t gradient_workspace(const AttentionShape& shape, int threads) {
  return static_cast<std::size_t>(GradientSlot(shape).size * threads) * size_of(shape.dtype);
}

}  // namespace attention
}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace pellucid::kernels {

std::size_t attention_gradient_workspace(const AttentionShape& shape, int threads) {
  if (rounds_itself(shape)) return pair_attention_gradient_workspace(shape, threads);
  return PELLUCID_FOR_ISA(isa(), attention::gradient_workspace)(shape, threads);
}

void attention_gradient(const AttentionShape& shape, const AttentionOperands& x, const void* out,
                        const void* log_sum_exp, const void* g, void* dq, void* dk, void* dv, void* workspace,
                        int threads) {
  if (rounds_itself(shape)) {
    pair_attention_gradient(shape, x, static_cast<const float*>(out), static_cast<const float*>(log_sum_exp),
                            static_cast<const float*>(g), static_cast<float*>(dq), static_cast<float*>(dk),
                            static_cast<float*>(dv), static_cast<float*>(workspace), threads);
    return;
  }
  PELLUCID_FOR_ISA(isa(), attention::run_gradient)
  (shape, x, out, log_sum_exp, g, dq, dk, dv, workspace, threads);
}

}  // namespace pellucid::kernels
#endif
