// Reductions down columns, and the merging of partial results.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/reduce_columns.cpp"
#include "hwy/foreach_target.h"
// foreach_target comes first.
#include <bit>

#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/reduce-inl.h"
#include "kernels/cpu/reduce.h"

HWY_BEFORE_NAMESPACE();
namespace pellucid::kernels {
namespace HWY_NAMESPACE {

template <class T>
using WideTag = hn::ScalableTag<T>;
template <class T>
using WideVec = hn::Vec<WideTag<T>>;
template <class T>
inline constexpr std::size_t kWide = hn::MaxLanes(WideTag<T>());

// ---- Loads and stores of the columns that fill no vector ------------------------------------------------------------

/// Loads whole vectors.
template <class T>
struct AllColumns {
  HWY_INLINE WideVec<T> operator()(const T* x) const { return hn::LoadU(WideTag<T>(), x); }
};

/// Loads n columns, fewer than fill a vector, and reads nothing beyond them; the other lanes hold any value.
template <class T>
struct FirstColumns {
  explicit HWY_INLINE FirstColumns(std::size_t n_) : mask(hn::FirstN(WideTag<T>(), n_)), n(n_) {}
  HWY_INLINE WideVec<T> operator()(const T* x) const { return load_masked(WideTag<T>(), mask, x, n); }
  hn::Mask<WideTag<T>> mask;
  std::size_t n;
};

/// y[i] = lane i for i < n, by halves: masked stores are slow on some processors.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE void store_first(D d, hn::Vec<D> v, T* y, std::size_t n) {
  if constexpr (hn::MaxLanes(D()) == 1) {
    if (n != 0) hn::StoreU(v, d, y);
  } else {
    const hn::Half<D> half;
    constexpr std::size_t kHalf = hn::MaxLanes(half);
    if (n >= kHalf) {
      hn::StoreU(hn::LowerHalf(half, v), half, y);
      if (n > kHalf) store_first(half, hn::UpperHalf(half, v), y + kHalf, n - kHalf);
    } else {
      store_first(half, hn::LowerHalf(half, v), y, n);
    }
  }
}

// ---- Up to eight rows -----------------------------------------------------------------------------------------------

template <class Op, class Load, class T = typename Op::Type>
HWY_INLINE WideVec<T> chain(const T* x, std::size_t rows, std::size_t stride, Load load) {
  WideVec<T> sum = load(x);
  for (std::size_t r = 1; r < rows; ++r) sum = Op::vec(sum, load(x + r * stride));
  return sum;
}

template <class Op, class T = typename Op::Type>
void reduce_columns(void* y_, const void* x_, std::size_t rows, std::size_t cols, std::size_t stride) {
  constexpr std::size_t N = kWide<T>;
  const WideTag<T> d;
  const AllColumns<T> all;
  const T* x = static_cast<const T*>(x_);
  T* y = static_cast<T*>(y_);
  if (cols < N) {
    return store_first(d, chain<Op>(x, rows, stride, FirstColumns<T>(cols)), y, cols);
  }
  std::size_t c = 0;
  for (; c + 4 * N <= cols; c += 4 * N) {
    const T* from = x + c;
    WideVec<T> a = all(from), b = all(from + N), e = all(from + 2 * N), f = all(from + 3 * N);
    for (std::size_t r = 1; r < rows; ++r) {
      from += stride;
      a = Op::vec(a, all(from));
      b = Op::vec(b, all(from + N));
      e = Op::vec(e, all(from + 2 * N));
      f = Op::vec(f, all(from + 3 * N));
    }
    hn::StoreU(a, d, y + c);
    hn::StoreU(b, d, y + c + N);
    hn::StoreU(e, d, y + c + 2 * N);
    hn::StoreU(f, d, y + c + 3 * N);
  }
  for (; c + N <= cols; c += N) hn::StoreU(chain<Op>(x + c, rows, stride, all), d, y + c);
  // The last vector may overlap the one before: the same values are stored again.
  if (c < cols) hn::StoreU(chain<Op>(x + cols - N, rows, stride, all), d, y + cols - N);
}

// ---- Any number of rows ---------------------------------------------------------------------------------------------

inline constexpr std::size_t kWaitingBytes = 32768;  // partial results on the stack: as much as the L1 cache holds

/// Merges the partial result of the last unit with those that wait, the latest first. Bit k of `units`, the number of
/// units before, says that waiting[k * width] holds 2^k of them.
template <class Op, class T = typename Op::Type>
HWY_INLINE WideVec<T> merge_all(WideVec<T> sum, const T* waiting, std::size_t width, std::size_t units) {
  for (; units != 0; units &= units - 1) {
    const auto k = static_cast<std::size_t>(std::countr_zero(units));
    sum = Op::vec(hn::Load(WideTag<T>(), waiting + k * width), sum);
  }
  return sum;
}

/// The same for a unit that is not the last: only with those that make a power of two with it.
template <class Op, class T = typename Op::Type>
HWY_INLINE void merge_in(WideVec<T> sum, T* waiting, std::size_t width, std::size_t levels) {
  for (std::size_t k = 0; k < levels; ++k) sum = Op::vec(hn::Load(WideTag<T>(), waiting + k * width), sum);
  hn::Store(sum, WideTag<T>(), waiting + levels * width);
}

/// kGroups whole groups of rows, a power of two, in one vector of columns.
template <class Op, std::size_t kGroups, class Load, class T = typename Op::Type>
HWY_INLINE WideVec<T> tree(const T* x, std::size_t stride, Load load) {
  if constexpr (kGroups > 1) {
    const WideVec<T> first = tree<Op, kGroups / 2>(x, stride, load);
    return Op::vec(first, tree<Op, kGroups / 2>(x + kGroups / 2 * kColumnGroup * stride, stride, load));
  } else {
    WideVec<T> sum = load(x);
    PELLUCID_UNROLL
    for (std::size_t r = 1; r < kColumnGroup; ++r) sum = Op::vec(sum, load(x + r * stride));
    return sum;
  }
}

inline constexpr std::size_t kTall = 8 * kColumnGroup;  // rows of a unit where the columns are few

/// 1 <= rows <= kTall rows in one vector of columns.
template <class Op, class Load, class T = typename Op::Type>
HWY_INLINE WideVec<T> short_tree(const T* x, std::size_t rows, std::size_t stride, Load load) {
  const std::size_t before = (rows - 1) / kColumnGroup;  // groups before the last one
  WideVec<T> sum = chain<Op>(x + before * kColumnGroup * stride, rows - before * kColumnGroup, stride, load);
  if (before & 1) sum = Op::vec(tree<Op, 1>(x + (before & 6) * kColumnGroup * stride, stride, load), sum);
  if (before & 2) sum = Op::vec(tree<Op, 2>(x + (before & 4) * kColumnGroup * stride, stride, load), sum);
  if (before & 4) sum = Op::vec(tree<Op, 4>(x, stride, load), sum);
  return sum;
}

/// Few columns: units of kTall rows in registers, vector after vector of columns.
template <class Op, class T = typename Op::Type>
HWY_NOINLINE void reduce_tall(T* y, const T* x, std::size_t rows, std::size_t cols, std::size_t stride) {
  constexpr std::size_t N = kWide<T>;
  constexpr std::size_t kMost = 4 * N;  // columns
  HWY_ALIGN T waiting[64 * kMost];
  const std::size_t last = (rows - 1) / kTall;
  const std::size_t whole = cols / N * N;
  const FirstColumns<T> first(cols - whole);
  for (std::size_t u = 0; u < last; ++u, x += kTall * stride) {
    const auto levels = static_cast<std::size_t>(std::countr_one(u));
    for (std::size_t c = 0; c < whole; c += N) {
      merge_in<Op>(tree<Op, kTall / kColumnGroup>(x + c, stride, AllColumns<T>()), waiting + c, kMost, levels);
    }
    if (whole < cols) {
      merge_in<Op>(tree<Op, kTall / kColumnGroup>(x + whole, stride, first), waiting + whole, kMost, levels);
    }
  }
  rows -= last * kTall;
  for (std::size_t c = 0; c < whole; c += N) {
    const auto sum = short_tree<Op>(x + c, rows, stride, AllColumns<T>());
    hn::StoreU(merge_all<Op>(sum, waiting + c, kMost, last), WideTag<T>(), y + c);
  }
  if (whole < cols) {
    const auto sum = merge_all<Op>(short_tree<Op>(x + whole, rows, stride, first), waiting + whole, kMost, last);
    store_first(WideTag<T>(), sum, y + whole, cols - whole);
  }
}

/// Many columns: units of kColumnGroup rows, read along the rows.
template <class Op, class T = typename Op::Type>
HWY_NOINLINE void reduce_broad(T* y, const T* x, std::size_t rows, std::size_t cols, std::size_t stride) {
  constexpr std::size_t N = kWide<T>;
  const WideTag<T> d;
  HWY_ALIGN T waiting[kWaitingBytes / sizeof(T)];
  const std::size_t last = (rows - 1) / kColumnGroup;
  const std::size_t width = kWaitingBytes / sizeof(T) / static_cast<std::size_t>(std::bit_width(last)) / N * N;
  for (std::size_t c0 = 0; c0 < cols; c0 += width) {
    const std::size_t strip = HWY_MIN(width, cols - c0);
    const std::size_t whole = strip / N * N;
    const FirstColumns<T> first(strip - whole);
    const T* from = x + c0;
    for (std::size_t u = 0; u < last; ++u, from += kColumnGroup * stride) {
      const auto levels = static_cast<std::size_t>(std::countr_one(u));
      for (std::size_t c = 0; c < whole; c += N) {
        merge_in<Op>(tree<Op, 1>(from + c, stride, AllColumns<T>()), waiting + c, width, levels);
      }
      if (whole < strip) merge_in<Op>(tree<Op, 1>(from + whole, stride, first), waiting + whole, width, levels);
    }
    const std::size_t rest = rows - last * kColumnGroup;
    for (std::size_t c = 0; c < whole; c += N) {
      const auto sum = chain<Op>(from + c, rest, stride, AllColumns<T>());
      hn::StoreU(merge_all<Op>(sum, waiting + c, width, last), d, y + c0 + c);
    }
    if (whole < strip) {
      const auto sum = merge_all<Op>(chain<Op>(from + whole, rest, stride, first), waiting + whole, width, last);
      store_first(d, sum, y + c0 + whole, strip - whole);
    }
  }
}

template <class Op, class T = typename Op::Type>
void reduce_all_columns(void* y_, const void* x_, std::size_t rows, std::size_t cols, std::size_t stride) {
  T* y = static_cast<T*>(y_);
  const T* x = static_cast<const T*>(x_);
  if (rows == 0) {
    for (std::size_t c = 0; c < cols; ++c) y[c] = Op::empty();
  } else if (rows <= kColumnGroup) {
    reduce_columns<Op>(y, x, rows, cols, stride);
  } else if (cols <= 4 * kWide<T>) {
    reduce_tall<Op>(y, x, rows, cols, stride);
  } else {
    reduce_broad<Op>(y, x, rows, cols, stride);
  }
}

// ---- Merging --------------------------------------------------------------------------------------------------------

template <class Op, class T = typename Op::Type>
void merge_partials(void* y_, const void* a_, const void* b_, const void* /*c*/, std::size_t n) {
  constexpr std::size_t N = kWide<T>;
  const WideTag<T> d;
  T* y = static_cast<T*>(y_);
  const T* a = static_cast<const T*>(a_);
  const T* b = static_cast<const T*>(b_);
  std::size_t i = 0;
  for (; i + N <= n; i += N) hn::StoreU(Op::vec(hn::LoadU(d, a + i), hn::LoadU(d, b + i)), d, y + i);
  if (i < n) {
    const FirstColumns<T> first(n - i);
    store_first(d, Op::vec(first(a + i), first(b + i)), y + i, n - i);
  }
}

void fill_columns(ReduceTable& table) {
  fill_folds(table, []<class Op>(Reduction& reduction, DType dtype, Op) {
    reduction.columns[dtype] = reduce_columns<Op>;
    reduction.all_columns[dtype] = reduce_all_columns<Op>;
    reduction.merge[dtype] = merge_partials<Op>;
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace pellucid::kernels {

void fill_reduce_columns(ReduceTable& table) { PELLUCID_FOR_ISA(isa(), fill_columns)(table); }

}  // namespace pellucid::kernels
#endif
