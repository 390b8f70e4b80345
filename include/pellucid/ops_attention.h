// Scaled dot-product attention (Vaswani et al. 2017), computed in blocks that stay in the caches: the matrix of weights
// is never in memory (Dao et al. 2022).
#pragma once

#include <optional>

#include "pellucid/array.h"

namespace pellucid {

struct AttentionOptions {
  /// Query i sees the keys 0 to i + S - T only: all queries end together with the keys, as with a cache of earlier
  /// ones.
  bool causal = false;
  /// Broadcast to (..., H, T, S). bool: true where a query sees a key. Floating: added to the scaled scores; -inf
  /// hides. A mask with axes of size 1 is read as it is, never repeated in memory.
  Array mask = {};
  /// What scores are multiplied by; 1 / sqrt(D) where not given.
  std::optional<double> scale = {};
};

/// softmax(scale q k^T + mask) v for each head: q (..., T, H, D), k (..., S, G, D), v (..., S, G, E) -> (..., T, H, E).
///
/// T queries and S keys, which may differ in number (cross attention). H is a multiple of G: each G serves H / G heads
/// in turn (grouped-query attention, Ainslie et al. 2023). Heads lie inside positions, so that a projection to (..., T,
/// H D) is reshaped without a copy. A query that sees no key has the result 0, and no gradient flows through it.
/// bfloat16 is computed in float32. Throws Error where shapes do not fit.
Array scaled_dot_product_attention(const Array& q, const Array& k, const Array& v,
                                   const AttentionOptions& options = {});

}  // namespace pellucid
