// AVX512_BF16's dot product on processors that have AVX-512 and not it.
#pragma once

#include <cstdint>

namespace pellucid {

/// VDPBF16PS for one lane, as Intel's manual has it: the odd product is added, then the even one, each rounded to
/// nearest even; denormals count as 0 and become 0.
float dot_model(float acc, std::uint32_t a, std::uint32_t b);

/// From now on the instruction is done by dot_model() where the processor does not know it: its trap is caught. False
/// where that cannot be: no AVX-512, or another operating system than Linux. A trap takes about a microsecond.
bool trap_bf16_dot();

}  // namespace pellucid
