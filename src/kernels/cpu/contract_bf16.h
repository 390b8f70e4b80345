// What the files of the bfloat16 contraction share.
#pragma once

#include <cstdint>

#include "kernels/contract_bf16.h"
#include "kernels/cpu/contract.h"

namespace pellucid::kernels {

/// Both operands are packed, as pairs of steps (one 32-bit word: step 2q below step 2q + 1). Of the flags of the
/// ContractPlan, pack_s and pack_v say that a piece packs its own part; where they are not set, all of the operand is
/// packed once for all pieces, behind the threads' scratch memory: s first. With v_ready, v is given as Contract::pack
/// made it, in the same layout.
///
/// The kernels of AVX512_BF16 stand in a translation unit of their own, compiled for it.
void prepare_bf16_dot(Contract& contract);
/// The same for AMX.
void prepare_bf16_amx(Contract& contract);
/// The processor has AMX-BF16.
bool knows_bf16_amx();
/// It has, and the operating system lets this process use it: it is asked for that once.
bool has_bf16_amx();
/// For tests, while nothing runs: bf16_way() from now on; what it was.
Bf16Way take_bf16_way(Bf16Way way);
/// In one way: kDot where has_bf16_dot(), kAmx where has_bf16_amx().
Contract bf16_contract(const ContractShape& shape, Bf16Way way, ContractSteady steady = ContractSteady::kNone);
/// acc[i] += the dot product of the pairs a[i] and b[i], by the instruction, for i < 16.
void bf16_dot(float* acc, const std::uint32_t* a, const std::uint32_t* b);
/// The processor and the operating system have AVX512_BF16.
bool has_bf16_dot();

}  // namespace pellucid::kernels
