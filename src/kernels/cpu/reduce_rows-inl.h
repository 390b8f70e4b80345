// How the lanes of a row come about, in the order that kernels.h fixes. Included once for each target.

#if defined(PELLUCID_REDUCE_ROWS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef PELLUCID_REDUCE_ROWS_INL_H
#undef PELLUCID_REDUCE_ROWS_INL_H
#else
#define PELLUCID_REDUCE_ROWS_INL_H
#endif

#include <bit>

#include "kernels/cpu/reduce-inl.h"

HWY_BEFORE_NAMESPACE();
namespace pellucid::kernels {
namespace HWY_NAMESPACE {

inline constexpr std::size_t kGroup = 8 * kLanes;  // elements of which each lane adds 8 one after the other

/// The lanes of `steps` * 16 elements, 1 <= steps <= 8, added one after the other.
template <class Op, class T = typename Op::Type>
HWY_INLINE Pack<T> chain(const T* x, std::size_t steps) {
  constexpr std::size_t K = kVectors<T>;
  Pack<T> sum = load_pack<T, K>(x);
  for (std::size_t i = 1; i < steps; ++i) sum = merge<Op, K>(sum, load_pack<T, K>(x + i * kLanes));
  return sum;
}

/// The lanes of kGroups whole groups, a power of two.
template <class Op, std::size_t kGroups, class T = typename Op::Type>
HWY_INLINE Pack<T> tree(const T* x) {
  if constexpr (kGroups > 1) {
    const Pack<T> first = tree<Op, kGroups / 2>(x);
    return merge<Op, kVectors<T>>(first, tree<Op, kGroups / 2>(x + kGroups / 2 * kGroup));
  } else {
    return chain<Op>(x, 8);
  }
}

/// The lanes of less than a whole group.
template <class Op, class T = typename Op::Type>
HWY_INLINE Pack<T> part_lanes(const T* x, std::size_t n) {
  constexpr std::size_t K = kVectors<T>;
  const std::size_t steps = n / kLanes;
  const std::size_t rest = n % kLanes;
  if (steps == 0) return load_first<Op, K>(x, n);
  const Pack<T> sum = chain<Op>(x, steps);
  return rest == 0 ? sum : merge<Op, K>(sum, load_first<Op, K>(x + steps * kLanes, rest));
}

/// The lanes of one block.
template <class Op, class T = typename Op::Type>
HWY_INLINE Pack<T> block_lanes(const T* x, std::size_t n) {
  constexpr std::size_t K = kVectors<T>;
  if (n == kReduceBlock) return tree<Op, kReduceBlock / kGroup>(x);
  // From the latest, smallest partial towards the earliest; an absent one is the identity, which changes nothing.
  const std::size_t groups = n / kGroup;
  Pack<T> sum = part_lanes<Op>(x + groups * kGroup, n % kGroup);
  if (groups & 1) sum = merge<Op, K>(tree<Op, 1>(x + (groups & 6) * kGroup), sum);
  if (groups & 2) sum = merge<Op, K>(tree<Op, 2>(x + (groups & 4) * kGroup), sum);
  if (groups & 4) sum = merge<Op, K>(tree<Op, 4>(x), sum);
  return sum;
}

/// The lanes of a row of more than one block.
template <class Op, class T = typename Op::Type>
HWY_NOINLINE Pack<T> long_lanes(const T* x, std::size_t n) {
  constexpr std::size_t K = kVectors<T>;
  Pack<T> waiting[64];  // waiting[k] holds 2^k blocks where bit k of the number of blocks so far is set
  const std::size_t last = (n - 1) / kReduceBlock;
  for (std::size_t b = 0; b < last; ++b) {
    Pack<T> sum = tree<Op, kReduceBlock / kGroup>(x + b * kReduceBlock);
    const int levels = std::countr_one(b);
    for (int k = 0; k < levels; ++k) sum = merge<Op, K>(waiting[k], sum);
    waiting[levels] = sum;
  }
  Pack<T> sum = block_lanes<Op>(x + last * kReduceBlock, n - last * kReduceBlock);
  for (std::size_t left = last; left != 0; left &= left - 1) sum = merge<Op, K>(waiting[std::countr_zero(left)], sum);
  return sum;
}

// ---- From a row to what fold() leaves -------------------------------------------------------------------------------

/// A row of n <= 16 elements that fill kUsed vectors, the last one in part: vectors that hold nothing but the identity
/// are left out.
template <class Op, std::size_t kUsed>
struct ShortRow {
  using T = typename Op::Type;
  using Tag = LaneTag<T>;
  static constexpr std::size_t kLast = (kUsed - 1) * hn::MaxLanes(Tag());

  explicit HWY_INLINE ShortRow(std::size_t n) : mask(hn::FirstN(Tag(), n - kLast)), rest(n - kLast) {}

  template <std::size_t kFirst, std::size_t kStep>
  HWY_INLINE hn::Vec<Tag> part(const T* x) const {
    if constexpr (kStep < kVectors<T>) {
      if constexpr (kFirst + kStep < kUsed) {
        return Op::vec(part<kFirst, 2 * kStep>(x), part<kFirst + kStep, 2 * kStep>(x));
      } else {
        return part<kFirst, 2 * kStep>(x);
      }
    } else if constexpr (kFirst + 1 < kUsed) {
      return hn::LoadU(Tag(), x + kFirst * hn::MaxLanes(Tag()));
    } else {
      return hn::IfThenElse(mask, load_masked(Tag(), mask, x + kLast, rest), hn::Set(Tag(), Op::identity()));
    }
  }
  HWY_INLINE FoldVec<T> operator()(const T* x) const { return fold<Op, 1>(Pack<T, 1>{part<0, 1>(x)}); }

  hn::Mask<Tag> mask;  // of the last vector
  std::size_t rest;    // its elements
};

template <class Op>
struct PartRow {
  using T = typename Op::Type;
  HWY_INLINE FoldVec<T> operator()(const T* x) const { return fold<Op, kVectors<T>>(part_lanes<Op>(x, n)); }
  std::size_t n;
};

template <class Op>
struct BlockRow {
  using T = typename Op::Type;
  HWY_NOINLINE FoldVec<T> operator()(const T* x) const { return fold<Op, kVectors<T>>(block_lanes<Op>(x, n)); }
  std::size_t n;
};

template <class Op>
struct LongRow {
  using T = typename Op::Type;
  HWY_INLINE FoldVec<T> operator()(const T* x) const { return fold<Op, kVectors<T>>(long_lanes<Op>(x, n)); }
  std::size_t n;
};

// ---- Rows, several at a time ----------------------------------------------------------------------------------------

/// Takes results for the rows from `row`, kCombined at once or one.
template <class T>
struct StoreResults {
  HWY_INLINE void many(std::size_t row, FoldVec<T> results) const { hn::StoreU(results, FoldTag<T>(), y + row); }
  HWY_INLINE void one(std::size_t row, T result) const { y[row] = result; }
  T* y;
};

template <class Op, class Row, class Results, class T = typename Op::Type>
HWY_INLINE void each_row_by(const T* x, std::size_t rows, std::size_t cols, Row row, Results results) {
  constexpr std::size_t kMany = kCombined<T>;
  std::size_t r = 0;
  if constexpr (kMany > 1) {
    for (; r + kMany <= rows; r += kMany, x += kMany * cols) {
      FoldVec<T> v[kMany];
      PELLUCID_UNROLL
      for (std::size_t i = 0; i < kMany; ++i) v[i] = row(x + i * cols);
      results.many(r, combine<Op>(v));
    }
  }
  for (; r < rows; ++r, x += cols) results.one(r, finish_fold<Op>(row(x)));
}

/// Gives the reduction of each row to `results`.
template <class Op, class Results, class T = typename Op::Type>
HWY_INLINE void each_row(const T* x, std::size_t rows, std::size_t cols, Results results) {
  constexpr std::size_t K = kVectors<T>;
  constexpr std::size_t N = hn::MaxLanes(LaneTag<T>());
  if (cols == 0) {
    for (std::size_t r = 0; r < rows; ++r) results.one(r, Op::empty());
  } else if (cols == 1) {
    for (std::size_t r = 0; r < rows; ++r) results.one(r, x[r]);
  } else if (cols > kReduceBlock) {
    each_row_by<Op>(x, rows, cols, LongRow<Op>{cols}, results);
  } else if (cols >= kGroup) {
    each_row_by<Op>(x, rows, cols, BlockRow<Op>{cols}, results);
  } else if (sizeof(T) == 1 || cols > kLanes) {
    each_row_by<Op>(x, rows, cols, PartRow<Op>{cols}, results);
  } else if constexpr (sizeof(T) != 1) {
    if (cols <= N) {
      each_row_by<Op>(x, rows, cols, ShortRow<Op, 1>(cols), results);
    } else if constexpr (K >= 2) {
      if (cols <= 2 * N) {
        each_row_by<Op>(x, rows, cols, ShortRow<Op, 2>(cols), results);
      } else if constexpr (K == 4) {
        if (cols <= 3 * N) {
          each_row_by<Op>(x, rows, cols, ShortRow<Op, 3>(cols), results);
        } else {
          each_row_by<Op>(x, rows, cols, ShortRow<Op, 4>(cols), results);
        }
      } else if constexpr (K > 4) {
        each_row_by<Op>(x, rows, cols, PartRow<Op>{cols}, results);
      }
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
HWY_AFTER_NAMESPACE();

#endif
