// The contraction in bfloat16 without its instruction.
#pragma once

#include "kernels/kernels.h"

namespace pellucid {

/// bf16_contract by the dot product's order of sums in two fused multiply-adds: the same packing, tiles and pieces with
/// the vectors of AVX2, so that a processor without the instruction can test all else.
kernels::Contract multiply_contract(const kernels::ContractShape& shape,
                                    kernels::ContractSteady steady = kernels::ContractSteady::kNone);

}  // namespace pellucid
