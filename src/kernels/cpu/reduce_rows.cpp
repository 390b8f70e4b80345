// Reductions along rows: the virtual lanes of blocks, their trees, and the merging of lanes.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/reduce_rows.cpp"
#include "hwy/foreach_target.h"
// foreach_target comes first.
#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/reduce-inl.h"
#include "kernels/cpu/reduce.h"
#include "kernels/cpu/reduce_rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace pellucid::kernels {
namespace HWY_NAMESPACE {

template <class Op, class T = typename Op::Type>
void reduce_rows(void* y, const void* x, std::size_t rows, std::size_t cols) {
  each_row<Op>(static_cast<const T*>(x), rows, cols, StoreResults<T>{static_cast<T*>(y)});
}

template <class Op, class T = typename Op::Type>
void reduce_lanes(void* lanes, const void* x, std::size_t n) {
  store_pack(block_lanes<Op>(static_cast<const T*>(x), n), static_cast<T*>(lanes));
}

template <class Op, class T = typename Op::Type>
void reduce_finish(void* y, const void* lanes) {
  const auto pack = load_pack<T, kVectors<T>>(static_cast<const T*>(lanes));
  *static_cast<T*>(y) = finish_fold<Op>(fold<Op>(pack));
}

void fill_rows(ReduceTable& table) {
  fill_folds(table, []<class Op>(Reduction& reduction, DType dtype, Op) {
    reduction.rows[dtype] = reduce_rows<Op>;
    reduction.lanes[dtype] = reduce_lanes<Op>;
    reduction.finish[dtype] = reduce_finish<Op>;
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace pellucid::kernels {

void fill_reduce_rows(ReduceTable& table) { PELLUCID_FOR_ISA(isa(), fill_rows)(table); }

}  // namespace pellucid::kernels
#endif
