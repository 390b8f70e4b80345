// What the files of attention by pairs of bfloat16 share.
#pragma once

#include <cstddef>

#include "kernels/attention.h"

namespace pellucid::kernels {

/// As attention() and attention_gradient(), for shapes that round their operands themselves (rounds_itself).
std::size_t pair_attention_workspace(const AttentionShape& shape, int threads);
void pair_attention(const AttentionShape& shape, const AttentionOperands& x, float* out, float* log_sum_exp,
                    float* workspace, int threads);
std::size_t pair_attention_gradient_workspace(const AttentionShape& shape, int threads);
void pair_attention_gradient(const AttentionShape& shape, const AttentionOperands& x, const float* out,
                             const float* log_sum_exp, const float* g, float* dq, float* dk, float* dv,
                             float* workspace, int threads);

}  // namespace pellucid::kernels
