// Gathering by index, and its reverse: adding into the places that indices name.
#include <algorithm>
#include <cstring>
#include <type_traits>

#include "base/thread_pool.h"
#include "kernels/cpu/bytes.h"
#include "kernels/kernels.h"

namespace pellucid::kernels {
namespace {

constexpr std::int64_t kParallelBytes = 1 << 16;  // smaller work stays on the calling thread
constexpr std::int64_t kPieceBytes = 1 << 17;

/// The position of the first index outside [-n, n), or -1.
std::int64_t first_outside(const std::int64_t* index, std::int64_t count, std::int64_t n) {
  const auto outside = [&](std::int64_t i) {
    return static_cast<std::uint64_t>(index[i]) + static_cast<std::uint64_t>(n) >= 2 * static_cast<std::uint64_t>(n);
  };
  constexpr std::int64_t kRun = 16;
  std::int64_t i = 0;
  for (; i + kRun <= count; i += kRun) {
    bool any = false;
    for (std::int64_t j = i; j < i + kRun; ++j) any |= outside(j);
    if (any) break;
  }
  for (; i < count; ++i) {
    if (outside(i)) return i;
  }
  return -1;
}

/// An index that counts from the end, from the start.
inline std::int64_t from_start(std::int64_t index, std::int64_t n) { return index + (n & (index >> 63)); }

/// Calls run(begin, end) for [0, n) in an even number of pieces of about one size over the thread pool, or at once
/// where all of it is small. A unit is worth `unit_bytes`; pieces begin at multiples of `align` units.
template <class Run>
void in_pieces(std::int64_t n, std::int64_t unit_bytes, std::int64_t align, Run&& run) {
  if (n * unit_bytes <= kParallelBytes || n <= align) return run(std::int64_t{0}, n);
  const std::int64_t pieces = 2 * ((n * unit_bytes + 2 * kPieceBytes - 1) / (2 * kPieceBytes));
  const std::int64_t step = ((n + pieces - 1) / pieces + align - 1) / align * align;
  base::parallel_for((n + step - 1) / step,
                     [&](std::int64_t piece) { run(piece * step, std::min(n, (piece + 1) * step)); });
}

// ---- take -----------------------------------------------------------------------------------------------------------

/// Rows [begin, end) of the (outer * count) rows of y, each of kBytes (or `bytes` where that is 0).
template <std::size_t kBytes>
void take_rows(std::byte* y, const std::byte* x, const std::int64_t* index, std::int64_t n, std::int64_t count,
               std::int64_t begin, std::int64_t end, std::size_t bytes_) {
  const std::size_t bytes = kBytes != 0 ? kBytes : bytes_;
  constexpr std::int64_t kAhead = 4;  // rows; the processor's own prefetching starts anew with each row
  while (begin < end) {
    const std::int64_t outer = begin / count;
    const std::int64_t stop = std::min(end, (outer + 1) * count);
    const std::byte* source = x + static_cast<std::size_t>(outer * n) * bytes;
    const std::int64_t* from = index - outer * count;
    for (; begin < stop; ++begin) {
      if constexpr (kBytes != 0) {
        const std::byte* row = source + static_cast<std::size_t>(from_start(from[begin], n)) * bytes;
        std::memcpy(y + static_cast<std::size_t>(begin) * bytes, row, kBytes);
      } else {
        if (begin + kAhead < stop) {
          const std::byte* next = source + static_cast<std::size_t>(from_start(from[begin + kAhead], n)) * bytes;
          for (std::size_t line = 0; line < std::min<std::size_t>(bytes, 256); line += 64)
            __builtin_prefetch(next + line);
        }
        copy_bytes(y + static_cast<std::size_t>(begin) * bytes,
                   source + static_cast<std::size_t>(from_start(from[begin], n)) * bytes, bytes);
      }
    }
  }
}

// ---- scatter_add ----------------------------------------------------------------------------------------------------

/// A number type's addition; integers wrap.
template <class T>
inline T sum(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    return a + b;
  } else {
    return static_cast<T>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
  }
}

/// Calls f with a null pointer of the number type.
template <class F>
void by_number(DType dtype, F&& f) {
  switch (dtype) {
    case DType::kFloat32:
      return f(static_cast<float*>(nullptr));
    case DType::kFloat64:
      return f(static_cast<double*>(nullptr));
    case DType::kInt32:
      return f(static_cast<std::int32_t*>(nullptr));
    case DType::kInt64:
      return f(static_cast<std::int64_t*>(nullptr));
    case DType::kUInt8:
      return f(static_cast<std::uint8_t*>(nullptr));
    default:
      return;
  }
}

/// Cuts (outer, inner) into blocks [o0, o1) x [s0, s1) for run(): no two blocks share a destination, so each adds its
/// updates in the order of the indices. `unit_bytes` is what one (o, s) moves.
template <class Run>
void over_destinations(std::int64_t outer, std::int64_t inner, std::int64_t unit_bytes, std::int64_t align, Run&& run) {
  if (outer * inner * unit_bytes <= kParallelBytes) return run(0, outer, 0, inner);
  if (outer * 8 >= inner || inner < 2 * align) {
    return in_pieces(outer, inner * unit_bytes, 1, [&](std::int64_t o0, std::int64_t o1) { run(o0, o1, 0, inner); });
  }
  in_pieces(inner, outer * unit_bytes, align, [&](std::int64_t s0, std::int64_t s1) { run(0, outer, s0, s1); });
}

}  // namespace

std::int64_t take(void* y_, const void* x_, const std::int64_t* index, std::int64_t outer, std::int64_t n,
                  std::int64_t inner, std::int64_t count, std::size_t size) {
  const std::int64_t bad = first_outside(index, count, n);
  if (bad >= 0 || outer * count * inner == 0) return bad;
  auto* y = static_cast<std::byte*>(y_);
  const auto* x = static_cast<const std::byte*>(x_);
  const std::size_t bytes = static_cast<std::size_t>(inner) * size;
  in_pieces(outer * count, static_cast<std::int64_t>(bytes), 16, [&](std::int64_t begin, std::int64_t end) {
    switch (bytes) {
      case 1:
        return take_rows<1>(y, x, index, n, count, begin, end, bytes);
      case 2:
        return take_rows<2>(y, x, index, n, count, begin, end, bytes);
      case 4:
        return take_rows<4>(y, x, index, n, count, begin, end, bytes);
      case 8:
        return take_rows<8>(y, x, index, n, count, begin, end, bytes);
      case 16:
        return take_rows<16>(y, x, index, n, count, begin, end, bytes);
      default:
        return take_rows<0>(y, x, index, n, count, begin, end, bytes);
    }
  });
  return -1;
}

std::int64_t take_along(void* y_, const void* x_, const std::int64_t* index, std::int64_t outer, std::int64_t n,
                        std::int64_t inner, std::int64_t count, std::size_t size) {
  const std::int64_t bad = first_outside(index, outer * count * inner, n);
  if (bad >= 0 || outer * count * inner == 0) return bad;
  by_size(size, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    T* y = static_cast<T*>(y_);
    const T* x = static_cast<const T*>(x_);
    // One unit is one (o, i): its index and its element for each s.
    in_pieces(outer * count, inner * static_cast<std::int64_t>(8 + sizeof(T)), 1,
              [&](std::int64_t begin, std::int64_t end) {
                std::int64_t o = begin / count;
                std::int64_t i = begin % count;
                for (std::int64_t row = begin; row < end; ++row) {
                  const T* source = x + o * n * inner;
                  const std::int64_t* from = index + row * inner;
                  T* to = y + row * inner;
                  for (std::int64_t s = 0; s < inner; ++s) to[s] = source[from_start(from[s], n) * inner + s];
                  if (++i == count) {
                    i = 0;
                    ++o;
                  }
                }
              });
  });
  return -1;
}

std::int64_t scatter_add(void* y_, const void* updates_, const std::int64_t* index, std::int64_t outer, std::int64_t n,
                         std::int64_t inner, std::int64_t count, DType dtype) {
  const std::int64_t bad = first_outside(index, count, n);
  if (bad >= 0 || outer * count * inner == 0) return bad;
  const Map add = reduce_table().sum.merge[dtype];
  by_number(dtype, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    T* y = static_cast<T*>(y_);
    const T* updates = static_cast<const T*>(updates_);
    const auto run = [&](std::int64_t o0, std::int64_t o1, std::int64_t s0, std::int64_t s1) {
      const std::int64_t width = s1 - s0;
      for (std::int64_t o = o0; o < o1; ++o) {
        T* to = y + o * n * inner + s0;
        const T* from = updates + o * count * inner + s0;
        if (inner == 1) {
          for (std::int64_t i = 0; i < count; ++i) {
            T& place = to[from_start(index[i], n)];
            place = sum(place, from[i]);
          }
          continue;
        }
        for (std::int64_t i = 0; i < count; ++i, from += inner) {
          T* row = to + from_start(index[i], n) * inner;
          if (width <= 4) {
            for (std::int64_t s = 0; s < width; ++s) row[s] = sum(row[s], from[s]);
          } else {
            add(row, row, from, nullptr, static_cast<std::size_t>(width));
          }
        }
      }
    };
    over_destinations(outer, inner, count * static_cast<std::int64_t>(2 * sizeof(T)), 64 / sizeof(T), run);
  });
  return -1;
}

std::int64_t scatter_add_along(void* y_, const void* updates_, const std::int64_t* index, std::int64_t outer,
                               std::int64_t n, std::int64_t inner, std::int64_t count, DType dtype) {
  const std::int64_t bad = first_outside(index, outer * count * inner, n);
  if (bad >= 0 || outer * count * inner == 0) return bad;
  by_number(dtype, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    T* y = static_cast<T*>(y_);
    const T* updates = static_cast<const T*>(updates_);
    const auto run = [&](std::int64_t o0, std::int64_t o1, std::int64_t s0, std::int64_t s1) {
      for (std::int64_t o = o0; o < o1; ++o) {
        T* to = y + o * n * inner;
        for (std::int64_t i = 0; i < count; ++i) {
          const std::int64_t row = (o * count + i) * inner;
          for (std::int64_t s = s0; s < s1; ++s) {
            T& place = to[from_start(index[row + s], n) * inner + s];
            place = sum(place, updates[row + s]);
          }
        }
      }
    };
    over_destinations(outer, inner, count * static_cast<std::int64_t>(8 + 2 * sizeof(T)), 64 / sizeof(T), run);
  });
  return -1;
}

}  // namespace pellucid::kernels
