// Scaled dot-product attention: softmax(scale q k^T + mask) v and its gradient, in blocks that stay in the caches; the
// matrix of weights is never in memory.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pellucid/dtype.h"

namespace pellucid::kernels {

/// q and the result are (batch, queries, heads, width) and (batch, queries, heads, value_width), k (batch, keys,
/// groups, width), v (batch, keys, groups, value_width), all contiguous; head h reads the keys of group h / (heads /
/// groups). float32 or float64.
///
/// With `causal` query i sees the keys up to i + keys - queries: the last query sees all. A query that sees no key, or
/// only ones whose mask is -inf, has the result 0 and the log-sum-exp -inf.
///
/// Numbers: scores are sums over the width as a contraction's; they come in blocks of kAttentionKeys keys, each with
/// the running maximum of the row; weights are added in 16 lanes and by halves. So a row's bits depend on nothing but
/// its operands: not on other rows, the batch, pieces or vector width.
struct AttentionShape {
  DType dtype = DType::kFloat32;
  bool rounded = false;  // float32 q, k, v and g are taken as bfloat16 numbers: products of pairs may be taken
  std::int64_t batch = 0, queries = 0, keys = 0, heads = 0, groups = 0, width = 0, value_width = 0;
  bool causal = false;
  double scale = 1;
  bool mask = false;  // added to the scaled scores; its strides in elements, 0 where it is repeated, the last 0 or 1
  std::int64_t mask_batch = 0, mask_head = 0, mask_query = 0, mask_key = 0;
};

inline constexpr std::int64_t kAttentionKeys = 64;  // of a block

/// True where `rounded` operands are rounded to bfloat16 by the kernels themselves, so that they may come unrounded.
/// Then all products are of pairs of bfloat16 numbers, summed in float32 (docs/kernels.md): weights, and in the
/// gradient the cotangents of scores, are rounded where they are multiplied; forward, blocks have 2 kAttentionKeys
/// keys. Depends on bf16_way() and the shape alone.
bool rounds_itself(const AttentionShape& shape);

struct AttentionOperands {
  const void *q = nullptr, *k = nullptr, *v = nullptr, *mask = nullptr;
};

/// Bytes of scratch memory, 64-byte aligned, for `threads` threads.
std::size_t attention_workspace(const AttentionShape& shape, int threads);
/// out, and log_sum_exp (batch, queries, heads): the logarithm of the sum of exp(score) of each row;
/// either may be null: nobody asks for it.
void attention(const AttentionShape& shape, const AttentionOperands& x, void* out, void* log_sum_exp, void* workspace,
               int threads);

std::size_t attention_gradient_workspace(const AttentionShape& shape, int threads);
/// The cotangents of q, k and v for the cotangent g of out. Weights are computed again from log_sum_exp. Any of dq,
/// dk and dv may be null: nobody asks for it.
void attention_gradient(const AttentionShape& shape, const AttentionOperands& x, const void* out,
                        const void* log_sum_exp, const void* g, void* dq, void* dk, void* dv, void* workspace,
                        int threads);

}  // namespace pellucid::kernels
