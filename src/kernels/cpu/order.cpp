// Sorting, searching and cumulation along rows.
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "base/thread_pool.h"
#include "kernels/kernels.h"

namespace pellucid::kernels {
namespace {

constexpr std::int64_t kParallelElements = 1 << 13;  // smaller work stays on the calling thread

/// Calls f with a null pointer of the element's type.
template <class F>
void by_type(DType dtype, F&& f) {
  switch (dtype) {
    case DType::kBool:
    case DType::kUInt8:
      return f(static_cast<std::uint8_t*>(nullptr));
    case DType::kInt32:
      return f(static_cast<std::int32_t*>(nullptr));
    case DType::kInt64:
      return f(static_cast<std::int64_t*>(nullptr));
    case DType::kBFloat16:
      return f(static_cast<BFloat16*>(nullptr));
    case DType::kFloat32:
      return f(static_cast<float*>(nullptr));
    case DType::kFloat64:
      return f(static_cast<double*>(nullptr));
  }
}

/// Calls run(begin, end) for rows [0, rows) in pieces of about `per_piece` elements over the thread pool, or at once.
template <class Run>
void over_rows(std::int64_t rows, std::int64_t row_elements, std::int64_t per_piece, Run&& run) {
  if (rows < 2 || rows * row_elements < kParallelElements) return run(std::int64_t{0}, rows);
  const std::int64_t step = std::max<std::int64_t>(1, per_piece / std::max<std::int64_t>(1, row_elements));
  base::parallel_for((rows + step - 1) / step,
                     [&](std::int64_t piece) { run(piece * step, std::min(rows, (piece + 1) * step)); });
}

// ---- Keys -----------------------------------------------------------------------------------------------------------

template <class T>
using Key = std::conditional_t<sizeof(T) == 1, std::uint8_t,
                               std::conditional_t<sizeof(T) == 2, std::uint16_t,
                                                  std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>>>;

/// An unsigned number for each value, in the values' order: equal values have one key, 0 and -0 too, and every NaN the
/// greatest of all.
template <class T>
inline Key<T> key_of(T value) {
  using K = Key<T>;
  constexpr K kSign = K{1} << (8 * sizeof(T) - 1);
  const K bits = std::bit_cast<K>(value);
  if constexpr (std::is_unsigned_v<T>) {
    return bits;
  } else if constexpr (std::is_integral_v<T>) {
    return static_cast<K>(bits ^ kSign);
  } else {
    // Infinity's bits: the exponent, all ones.
    constexpr K kInfinity =
        sizeof(T) == 8 ? static_cast<K>(0x7FF0000000000000) : static_cast<K>(0x7F80 << (sizeof(T) == 4 ? 16 : 0));
    const K magnitude = static_cast<K>(bits & ~kSign);
    if (magnitude > kInfinity) return std::numeric_limits<K>::max();
    if (magnitude == 0) return kSign;
    return static_cast<K>((bits & kSign) != 0 ? ~bits : bits | kSign);
  }
}

/// The key for sorting in one direction: NaN, which exists for floats alone, stays last.
template <class T>
inline Key<T> sort_key(T value, bool descending) {
  const Key<T> key = key_of(value);
  if (!descending || (!std::is_integral_v<T> && key == std::numeric_limits<Key<T>>::max())) return key;
  return static_cast<Key<T>>(~key);
}

// ---- Sorting in place -----------------------------------------------------------------------------------------------

/// Sorts words that all differ by their lower bits or are equal throughout: by the byte at `shift`, then within each
/// bucket by the bytes below, each word swapped straight to its bucket (an American flag sort). No other memory.
void sort_words(std::uint64_t* words, std::int64_t n, int shift) {
  constexpr std::int64_t kSmall = 64;
  while (n > kSmall) {
    std::array<std::int64_t, 256> end{};
    for (std::int64_t i = 0; i < n; ++i) ++end[words[i] >> shift & 255];
    if (end[words[0] >> shift & 255] == n) {
      if (shift == 0) return;
      shift -= 8;
      continue;
    }
    std::array<std::int64_t, 256> next;
    std::int64_t sum = 0;
    for (std::size_t b = 0; b < 256; ++b) {
      next[b] = sum;
      sum += end[b];
      end[b] = sum;
    }
    const std::array<std::int64_t, 256> begin = next;
    for (std::size_t b = 0; b < 256; ++b) {
      while (next[b] < end[b]) {
        std::uint64_t word = words[next[b]];
        for (std::size_t at; (at = word >> shift & 255) != b;) std::swap(word, words[next[at]++]);
        words[next[b]++] = word;
      }
    }
    if (shift == 0) return;
    for (std::size_t b = 0; b < 256; ++b) {
      if (end[b] - begin[b] > 1) sort_words(words + begin[b], end[b] - begin[b], shift - 8);
    }
    return;
  }
  std::sort(words, words + n);
}

/// y[0 .. n) = the stable order of x, for n < 2^32. Words of (32 bits of the key, position) are sorted in y itself; of
/// 64-bit keys the upper half first, and then, where several share it, the lower half.
template <class T>
void argsort_row(std::int64_t* y, const T* x, std::int64_t n, bool descending) {
  static_assert(sizeof(std::int64_t) == sizeof(std::uint64_t));
  auto* words = reinterpret_cast<std::uint64_t*>(y);
  const auto key = [&](std::uint64_t i) { return sort_key(x[i], descending); };
  const auto position = [](std::uint64_t word) { return word & 0xFFFFFFFF; };
  constexpr int kKeyShift = sizeof(T) == 1 ? 32 : sizeof(T) == 2 ? 40 : 56;
  for (std::uint64_t i = 0; i < static_cast<std::uint64_t>(n); ++i) {
    const std::uint64_t k = key(i);
    words[i] = (sizeof(T) == 8 ? k >> 32 : k) << 32 | i;
  }
  sort_words(words, n, kKeyShift);
  if constexpr (sizeof(T) == 8) {
    for (std::int64_t begin = 0, end; begin < n; begin = end) {
      const std::uint64_t upper = words[begin] >> 32;
      for (end = begin + 1; end < n && words[end] >> 32 == upper;) ++end;
      if (end - begin == 1) continue;
      for (std::int64_t i = begin; i < end; ++i) {
        const std::uint64_t at = position(words[i]);
        words[i] = key(at) << 32 | at;
      }
      sort_words(words + begin, end - begin, kKeyShift);
    }
  }
  for (std::int64_t i = 0; i < n; ++i) words[i] = position(words[i]);
}

// ---- Cumulation -----------------------------------------------------------------------------------------------------

template <Cumulation kKind, class T>
inline T accumulate(T sum, T x) {
  if constexpr (kKind == Cumulation::kSum || kKind == Cumulation::kProd) {
    if constexpr (std::is_floating_point_v<T>) {
      return kKind == Cumulation::kSum ? sum + x : sum * x;
    } else {
      const auto a = static_cast<std::uint64_t>(sum), b = static_cast<std::uint64_t>(x);
      return static_cast<T>(kKind == Cumulation::kSum ? a + b : a * b);
    }
  } else {
    constexpr bool kGreatest = kKind == Cumulation::kMax;
    if (sum != sum) return sum;
    if (kGreatest ? sum > x : sum < x) return sum;
    if constexpr (std::is_floating_point_v<T>) {
      // Of the zeros, -0 is the less.
      if (sum == x) return std::signbit(sum) == kGreatest ? x : sum;
    }
    return x;
  }
}

/// Rows of one value after the other: four at a time, for each waits for its own sums alone.
template <Cumulation kKind, class T>
void cumulate_rows(T* y, const T* x, std::int64_t rows, std::int64_t n) {
  std::int64_t r = 0;
  for (; r + 4 <= rows; r += 4) {
    const T *x0 = x + r * n, *x1 = x0 + n, *x2 = x1 + n, *x3 = x2 + n;
    T *y0 = y + r * n, *y1 = y0 + n, *y2 = y1 + n, *y3 = y2 + n;
    T s0 = *x0, s1 = *x1, s2 = *x2, s3 = *x3;
    *y0 = s0, *y1 = s1, *y2 = s2, *y3 = s3;
    for (std::int64_t i = 1; i < n; ++i) {
      y0[i] = s0 = accumulate<kKind>(s0, x0[i]);
      y1[i] = s1 = accumulate<kKind>(s1, x1[i]);
      y2[i] = s2 = accumulate<kKind>(s2, x2[i]);
      y3[i] = s3 = accumulate<kKind>(s3, x3[i]);
    }
  }
  for (; r < rows; ++r) {
    T sum = x[r * n];
    y[r * n] = sum;
    for (std::int64_t i = 1; i < n; ++i) y[r * n + i] = sum = accumulate<kKind>(sum, x[r * n + i]);
  }
}

template <Cumulation kKind>
const Reduction& reduction() {
  const ReduceTable& table = reduce_table();
  switch (kKind) {
    case Cumulation::kSum:
      return table.sum;
    case Cumulation::kProd:
      return table.prod;
    case Cumulation::kMax:
      return table.max;
    default:
      return table.min;
  }
}

template <Cumulation kKind, class T>
void cumulate_typed(T* y, const T* x, std::int64_t outer, std::int64_t n, std::int64_t inner, DType dtype) {
  constexpr std::int64_t kPerPiece = 1 << 15;
  if (inner == 1) {
    return over_rows(outer, n, kPerPiece, [&](std::int64_t begin, std::int64_t end) {
      cumulate_rows<kKind>(y + begin * n, x + begin * n, end - begin, n);
    });
  }
  const Map merge = reduction<kKind>().merge[dtype];
  over_rows(outer, n * inner, kPerPiece, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t o = begin; o < end; ++o) {
      T* to = y + o * n * inner;
      const T* from = x + o * n * inner;
      if (to != from) std::memcpy(to, from, static_cast<std::size_t>(inner) * sizeof(T));
      for (std::int64_t i = 1; i < n; ++i, to += inner) {
        from += inner;
        merge(to + inner, to, from, nullptr, static_cast<std::size_t>(inner));
      }
    }
  });
}

}  // namespace

void argsort_rows(std::int64_t* y, const void* x, std::int64_t rows, std::int64_t cols, bool descending, DType dtype) {
  by_type(dtype, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    const T* from = static_cast<const T*>(x);
    over_rows(rows, cols, 1 << 12, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r) argsort_row(y + r * cols, from + r * cols, cols, descending);
    });
  });
}

void searchsorted(std::int64_t* y, const void* sorted, std::int64_t n, const void* values, std::int64_t count,
                  bool right, DType dtype) {
  by_type(dtype, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    const T* in = static_cast<const T*>(sorted);
    const T* from = static_cast<const T*>(values);
    over_rows(count, std::bit_width(static_cast<std::uint64_t>(n)) + 1, 1 << 15,
              [&](std::int64_t begin, std::int64_t end) {
                for (std::int64_t j = begin; j < end; ++j) {
                  const Key<T> value = key_of(from[j]);
                  // Halves [first, first + size) without a branch on the comparison.
                  std::int64_t first = 0;
                  for (std::int64_t size = n; size > 0;) {
                    const std::int64_t half = size / 2;
                    const Key<T> middle = key_of(in[first + half]);
                    const bool after = right ? middle <= value : middle < value;
                    first = after ? first + half + 1 : first;
                    size = after ? size - half - 1 : half;
                  }
                  y[j] = first;
                }
              });
  });
}

void cumulate(void* y, const void* x, std::int64_t outer, std::int64_t n, std::int64_t inner, Cumulation kind,
              DType dtype) {
  if (outer * n * inner == 0) return;
  by_type(dtype, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    if constexpr (!std::is_same_v<T, BFloat16>) {
      T* to = static_cast<T*>(y);
      const T* from = static_cast<const T*>(x);
      switch (kind) {
        case Cumulation::kSum:
          return cumulate_typed<Cumulation::kSum>(to, from, outer, n, inner, dtype);
        case Cumulation::kProd:
          return cumulate_typed<Cumulation::kProd>(to, from, outer, n, inner, dtype);
        case Cumulation::kMax:
          return cumulate_typed<Cumulation::kMax>(to, from, outer, n, inner, dtype);
        case Cumulation::kMin:
          return cumulate_typed<Cumulation::kMin>(to, from, outer, n, inner, dtype);
      }
    }
  });
}

}  // namespace pellucid::kernels
