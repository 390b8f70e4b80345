// Where the greatest and the least of a row stand.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/reduce_arguments.cpp"
#include "hwy/foreach_target.h"
// foreach_target comes first.
#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/reduce-inl.h"
#include "kernels/cpu/reduce.h"
#include "kernels/cpu/reduce_rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace pellucid::kernels {
namespace HWY_NAMESPACE {

/// The first i with x[i] == value, or NaN where that is NaN; there is one.
template <class T>
HWY_INLINE std::int64_t find_first(const T* x, T value, std::size_t n) {
  const LaneTag<T> d;
  constexpr std::size_t N = hn::MaxLanes(LaneTag<T>());
  const auto wanted = hn::Set(d, value);
  std::size_t i = 0;
  if (value == value) {
    for (; i + N <= n; i += N) {
      const auto lane = hn::FindFirstTrue(d, hn::Eq(hn::LoadU(d, x + i), wanted));
      if (lane >= 0) return static_cast<std::int64_t>(i) + lane;
    }
    while (i + 1 < n && x[i] != value) ++i;
  } else {
    while (i + 1 < n && x[i] == x[i]) ++i;
  }
  return static_cast<std::int64_t>(i);
}

/// Takes the extremes of rows, and finds them.
template <class T>
struct FindResults {
  HWY_INLINE void many(std::size_t row, FoldVec<T> results) const {
    HWY_ALIGN T values[kCombined<T>];
    hn::Store(results, FoldTag<T>(), values);
    for (std::size_t i = 0; i < kCombined<T>; ++i) one(row + i, values[i]);
  }
  HWY_INLINE void one(std::size_t row, T result) const { y[row] = find_first(x + row * cols, result, cols); }
  std::int64_t* y;
  const T* x;
  std::size_t cols;
};

/// A row of more than one block is read from memory once: only the block that holds the extreme is read again.
template <class Op, class T = typename Op::Type>
HWY_NOINLINE std::int64_t find_in_long_row(const T* x, std::size_t n) {
  T best = Op::identity();
  std::size_t best_block = 0;
  for (std::size_t begin = 0; begin < n; begin += kReduceBlock) {
    const std::size_t size = HWY_MIN(kReduceBlock, n - begin);
    const T extreme = finish_fold<Op>(fold<Op>(block_lanes<Op>(x + begin, size)));
    const bool nan = extreme != extreme;
    if (begin == 0 || nan || Op::before(extreme, best)) {
      best = extreme;
      best_block = begin;
    }
    if (nan) break;
  }
  const std::size_t size = HWY_MIN(kReduceBlock, n - best_block);
  return static_cast<std::int64_t>(best_block) + find_first(x + best_block, best, size);
}

template <class Op, class T = typename Op::Type>
void argument_rows(void* y_, const void* x_, std::size_t rows, std::size_t cols) {
  std::int64_t* y = static_cast<std::int64_t*>(y_);
  const T* x = static_cast<const T*>(x_);
  if (cols <= kReduceBlock) return each_row<Op>(x, rows, cols, FindResults<T>{y, x, cols});
  for (std::size_t r = 0; r < rows; ++r) y[r] = find_in_long_row<Op>(x + r * cols, cols);
}

template <template <class> class Op>
void fill_any(ByDType<ReduceRows>& arguments) {
  arguments[DType::kFloat32] = argument_rows<Op<float>>;
  arguments[DType::kFloat64] = argument_rows<Op<double>>;
  arguments[DType::kInt32] = argument_rows<Op<std::int32_t>>;
  arguments[DType::kInt64] = argument_rows<Op<std::int64_t>>;
  arguments[DType::kUInt8] = argument_rows<Op<std::uint8_t>>;
  arguments[DType::kBool] = argument_rows<Op<bool>>;
}

void fill_arguments(ReduceTable& table) {
  fill_any<Greatest>(table.argmax);
  fill_any<Least>(table.argmin);
}

}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace pellucid::kernels {

void fill_reduce_arguments(ReduceTable& table) { PELLUCID_FOR_ISA(isa(), fill_arguments)(table); }

}  // namespace pellucid::kernels
#endif
