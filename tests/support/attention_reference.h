// Attention and its gradient by the definition, and how far a result may be from it.
#pragma once

#include <cstdint>
#include <vector>

#include "support/laws.h"

namespace pellucid::laws {

/// q (b, t, h, d), k (b, s, g, d), v (b, s, g, e), perhaps a mask.
struct AttentionSizes {
  std::int64_t b = 1, t = 1, s = 1, h = 1, g = 1, d = 1, e = 1;
  bool causal = false;
  Shape mask = {};
};

inline constexpr Real kAttentionScale = 0.375L;

/// The result and the log-sum-exp of q, k, v and perhaps the mask. `weights`: by how much, relative to itself, a weight
/// may be off besides, 2^-8 where weights are rounded to bfloat16.
std::vector<Expected> attention_reference(const AttentionSizes& n, const std::vector<Tensor>& x, Real weights = 0);
/// The cotangents of q, k and v, for q, k, v, g and perhaps the mask; `weights` also for slopes.
std::vector<Expected> attention_gradient_reference(const AttentionSizes& n, const std::vector<Tensor>& x,
                                                   Real weights = 0);

}  // namespace pellucid::laws
