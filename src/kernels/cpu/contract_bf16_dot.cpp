// Contractions in bfloat16 by AVX512_BF16's dot product of pairs.
#include "kernels/cpu/contract_bf16.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/contract_bf16_dot.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "hwy/highway.h"

#if HWY_TARGET == HWY_AVX3
#define PELLUCID_BF16_DOT
#include "kernels/cpu/contract_bf16_run-inl.h"

HWY_PUSH_ATTRIBUTES(HWY_TARGET_STR ",avx512bf16")
namespace pellucid::kernels {
namespace HWY_NAMESPACE {
namespace contract_bf16_dot {

void dot(float* acc, const std::uint32_t* a, const std::uint32_t* b) {
  const auto left = (__m512bh)_mm512_loadu_si512(a), right = (__m512bh)_mm512_loadu_si512(b);
  _mm512_storeu_ps(acc, _mm512_dpbf16_ps(_mm512_loadu_ps(acc), left, right));
}

}  // namespace contract_bf16_dot
}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
HWY_POP_ATTRIBUTES
#endif

#if HWY_ONCE
namespace pellucid::kernels {

#if defined(__x86_64__) && PELLUCID_ONE_ISA != 2
void prepare_bf16_dot(Contract& contract) { N_AVX3::contract_bf16_dot::prepare(contract); }
void bf16_dot(float* acc, const std::uint32_t* a, const std::uint32_t* b) { N_AVX3::contract_bf16_dot::dot(acc, a, b); }
#else
void prepare_bf16_dot(Contract&) {}
void bf16_dot(float*, const std::uint32_t*, const std::uint32_t*) {}
#endif

}  // namespace pellucid::kernels
#endif  // HWY_ONCE
