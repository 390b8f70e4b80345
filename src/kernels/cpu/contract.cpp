// The contraction: which kernel a shape gets, for each instruction set.
#include "kernels/kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/contract.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "kernels/cpu/contract_run-inl.h"
#include "kernels/cpu/contract_steady-inl.h"
#include "kernels/cpu/contract_tiny-inl.h"
#include "kernels/cpu/dispatch.h"

HWY_BEFORE_NAMESPACE();
namespace pellucid::kernels {
namespace HWY_NAMESPACE {
namespace contract {

void nothing(const Contract&, void*, const void*, const void*, const void*, void*, const ContractDone&) {}

template <class T, class S, class O>
void prepare(Contract& contract) {
  const ContractShape& shape = contract.shape();
  bool empty = shape.m == 0 || shape.n == 0;
  for (const Size size : shape.batch) empty = empty || size == 0;
  if (empty) return ContractAccess::set(contract, &nothing, 0, {});
  if (const ContractAccess::Run tiny = tiny_kernel<T, S, O>(shape); tiny != nullptr) {
    return ContractAccess::set(contract, tiny, 0, {});
  }
  std::size_t workspace = 0;
  const ContractPlan plan = plan_contract(shape, widths_of<T>(), workspace, ContractAccess::steady(contract));
  ContractAccess::set(contract, &run<T, S, O>, workspace, plan);
  if (plan.v_ready) {
    const Size elements = ContractPacked::size(plan.swap ? shape.m : shape.n, shape.k) + kLanesOf<T>;
    ContractAccess::set_pack(contract, &pack_steady<T, S>,
                             (static_cast<std::size_t>(elements) * sizeof(T) + 63) / 64 * 64);
  }
}

void prepare_contract(Contract& contract) {
  switch (contract.shape().dtype) {
    case DType::kFloat32:
      return prepare<float, float, float>(contract);
    case DType::kFloat64:
      return prepare<double, double, double>(contract);
    case DType::kInt32:
      return prepare<std::int32_t, std::int32_t, std::int32_t>(contract);
    case DType::kInt64:
      return prepare<std::int64_t, std::int64_t, std::int64_t>(contract);
    case DType::kBFloat16:
      if (contract.shape().out == DType::kBFloat16) return prepare<float, BFloat16, BFloat16>(contract);
      return prepare<float, BFloat16, float>(contract);
    default:
      HWY_DASSERT(false && "a contraction of bool or uint8");
  }
}

}  // namespace contract
}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace pellucid::kernels {

Contract::Contract(const ContractShape& shape, ContractSteady steady) : shape_(shape), steady_(steady) {
  PELLUCID_FOR_ISA(isa(), contract::prepare_contract)(*this);
}

}  // namespace pellucid::kernels
#endif  // HWY_ONCE
