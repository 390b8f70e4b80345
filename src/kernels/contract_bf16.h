// Contractions of float32 operands that are rounded to bfloat16 on their way into packed memory.
#pragma once

#include <cstdint>

#include "kernels/kernels.h"

namespace pellucid::kernels {

/// How such contractions are done on this processor.
enum class Bf16Way : std::uint8_t {
  kNone,  // not at all: float32 contractions of operands that were rounded before are as fast
  kDot,   // AVX512_BF16's dot product of pairs
  kAmx,   // AMX-BF16's products of tiles
};

/// kAmx where the processor and the operating system have AMX-BF16; kDot where they have AVX512_BF16 and the processor
/// no AMX (those with it take two cycles for a dot product, and float32 is faster). PELLUCID_ISA decides otherwise:
/// avx2 and avx512 forbid these instructions, avx512_bf16 asks for the dot product. Decided once.
Bf16Way bf16_way();

/// True where bf16_contract takes the shape: float32 operands and result, and outputs enough to pay for packing both.
/// Depends on bf16_way() and the shape alone.
bool bf16_suits(const ContractShape& shape);

/// c[b](i, j) = act(sum over p of bf16(a[b](i, p)) * bf16(b[b](p, j)) + bias(j)), sums in float32. Operands are rounded
/// to the nearest bfloat16, ties to even, as they are packed; what is stored as bfloat16 (a_narrow, b_narrow) is as it
/// is.
///
/// One accumulator for each output: pairs (2q, 2q + 1) of p ascending, of a pair first the odd and then the even
/// product, each added with one rounding, from 0; a step that does not exist counts as 0; chunks of kContractChunk are
/// added in order. kDot is documented to do the same, and flushes denormal operands and sums. kAmx adds the even and
/// the odd products of 32 steps apart, then together, then to the accumulator. So the bits depend on the operands and
/// on the processor, and not on threads or layout.
Contract bf16_contract(const ContractShape& shape, ContractSteady steady = ContractSteady::kNone);

}  // namespace pellucid::kernels
