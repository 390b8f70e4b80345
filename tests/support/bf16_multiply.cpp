// Compiled as the kernels are (CMakeLists.txt).
#include "support/bf16_multiply.h"

#include "kernels/cpu/contract_bf16.h"

#define HWY_DISABLED_TARGETS (HWY_AVX3 | HWY_AVX3_DL)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "support/bf16_multiply.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "kernels/cpu/contract_bf16_run-inl.h"

#if HWY_ONCE
namespace pellucid {

kernels::Contract multiply_contract(const kernels::ContractShape& shape, kernels::ContractSteady steady) {
  kernels::Contract contract(shape, steady);
  kernels::HWY_STATIC_DISPATCH(contract_bf16_multiply::prepare)(contract);
  return contract;
}

}  // namespace pellucid
#endif  // HWY_ONCE
