// Packing of an operand that stays the same over many runs. Included once for each instruction set (Highway's toggle).
#if defined(PELLUCID_KERNELS_CPU_CONTRACT_STEADY_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef PELLUCID_KERNELS_CPU_CONTRACT_STEADY_INL_H_
#undef PELLUCID_KERNELS_CPU_CONTRACT_STEADY_INL_H_
#else
#define PELLUCID_KERNELS_CPU_CONTRACT_STEADY_INL_H_
#endif

#include "base/thread_pool.h"
#include "kernels/cpu/contract.h"
#include "kernels/cpu/contract_run-inl.h"

HWY_BEFORE_NAMESPACE();
namespace pellucid::kernels {
namespace HWY_NAMESPACE {
namespace contract {

/// Contract::pack: all pieces' columns in the layout of ContractPacked.
template <class T, class S>
void pack_steady(const Contract& contract, void* to, const void* operand) {
  const ContractShape& shape = contract.shape();
  const ContractPlan plan = ContractAccess::plan(contract);
  const Size all_columns = plan.swap ? shape.m : shape.n, chunks = ContractPacked::chunks(shape.k);
  const Size groups = (plan.columns + kGroup<T> - 1) / kGroup<T>;
  base::parallel_for(plan.column_pieces * chunks * groups, [&](Size i) {
    const Size column = i / groups / chunks * plan.columns, j0 = i % groups * kGroup<T>;
    const Size from = i / groups % chunks * kContractChunk, length = least(kContractChunk, shape.k - from);
    Block<T, S> block;
    block.columns = least(plan.columns, all_columns - column);
    if (j0 >= block.columns) return;
    block.panel_rows = plan.rows;
    block.v_stride = plan.swap ? Strides{shape.a_m, shape.a_k} : Strides{shape.b_n, shape.b_k};
    block.v = static_cast<const S*>(operand) + column * block.v_stride.outer;
    T* packed =
        static_cast<T*>(to) + ContractPacked::piece(column, shape.k) + ContractPacked::chunk(block.columns, from);
    pack_group(block, packed + j0 * (length + 1), j0, least(kGroup<T>, block.columns - j0), from, length);
  });
}

}  // namespace contract
}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
HWY_AFTER_NAMESPACE();

#endif  // PELLUCID_KERNELS_CPU_CONTRACT_STEADY_INL_H_
