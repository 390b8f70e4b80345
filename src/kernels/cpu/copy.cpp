// Copies between strided arrays, fills and broadcasts. They move bits, so a vector's width shows nowhere but in time.
#include <algorithm>
#include <array>
#include <cassert>
#include <cstdlib>
#include <cstring>
#include <type_traits>

#include "base/thread_pool.h"
#include "hwy/highway.h"
#include "kernels/cpu/bytes.h"
#include "kernels/kernels.h"

HWY_BEFORE_NAMESPACE();
namespace pellucid::kernels {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

constexpr int kMaxRank = 16;
constexpr std::int64_t kParallelBytes = 1 << 16;  // smaller copies stay on the calling thread
constexpr std::int64_t kPieceBytes = 1 << 17;

// ---- Dimensions, put in order ---------------------------------------------------------------------------------------

/// One loop of a copy.
struct Dim {
  std::int64_t n, dst, src;
};

/// The loops of a copy, outermost first: sizes above 1, dst strides falling and not negative, neighbours joined where
/// one walks on where the other ends.
struct Loops {
  std::array<Dim, kMaxRank> dims;
  int rank = 0;
  std::int64_t dst_offset = 0, src_offset = 0;  // elements, from strides that were negative
  std::int64_t count = 1;                       // elements in all
};

Loops make_loops(const std::int64_t* dst_strides, const std::int64_t* src_strides, const std::int64_t* shape,
                 int rank) {
  assert(rank <= kMaxRank);
  Loops loops;
  for (int d = 0; d < rank; ++d) {
    Dim dim{shape[d], dst_strides[d], src_strides[d]};
    loops.count *= dim.n;
    if (dim.n == 1) continue;
    if (dim.dst < 0) {
      loops.dst_offset += (dim.n - 1) * dim.dst;
      loops.src_offset += (dim.n - 1) * dim.src;
      dim.dst = -dim.dst;
      dim.src = -dim.src;
    }
    int at = loops.rank++;
    for (; at > 0 && loops.dims[at - 1].dst < dim.dst; --at) loops.dims[at] = loops.dims[at - 1];
    loops.dims[at] = dim;
  }
  if (loops.count == 0 || loops.rank < 2) return loops;
  int kept = 0;
  for (int d = 1; d < loops.rank; ++d) {
    Dim& outer = loops.dims[kept];
    const Dim& inner = loops.dims[d];
    if (outer.dst == inner.n * inner.dst && outer.src == inner.n * inner.src) {
      outer = {outer.n * inner.n, inner.dst, inner.src};
    } else {
      loops.dims[++kept] = inner;
    }
  }
  loops.rank = kept + 1;
  return loops;
}

// ---- Two-dimensional transposition ----------------------------------------------------------------------------------

/// The side of the squares that transpose_block() turns: a vector's elements (16 bytes of the short types, else 32).
template <class T>
constexpr std::int64_t kBlock = (sizeof(T) < 4 || HWY_MAX_BYTES < 32 ? 16 : 32) / sizeof(T);

/// dst[b * dst_step + a] = src[a * src_step + b] for a, b < kBlock<T>: each step interleaves vector i with the one half
/// the vectors further, which turns the bits of (vector, lane) round by one place.
template <class T>
HWY_INLINE void transpose_block(T* dst, std::int64_t dst_step, const T* src, std::int64_t src_step) {
  constexpr std::int64_t N = kBlock<T>;
  const hn::FixedTag<T, N> d;
  using Vec = hn::Vec<decltype(d)>;
  Vec v[N], w[N];
  for (std::int64_t a = 0; a < N; ++a) v[a] = hn::LoadU(d, src + a * src_step);
  for (std::int64_t step = 1; step < N; step *= 2) {
    for (std::int64_t i = 0; i < N / 2; ++i) {
      w[2 * i] = hn::InterleaveLower(d, v[i], v[i + N / 2]);
      w[2 * i + 1] = hn::InterleaveUpper(d, v[i], v[i + N / 2]);
    }
    for (std::int64_t i = 0; i < N; ++i) v[i] = w[i];
  }
  for (std::int64_t b = 0; b < N; ++b) hn::StoreU(v[b], d, dst + b * dst_step);
}

#if HWY_MAX_BYTES >= 32  // vectors of two blocks, whose last step crosses them
HWY_INLINE void transpose_block(std::uint32_t* dst, std::int64_t dst_step, const std::uint32_t* src,
                                std::int64_t src_step) {
  const hn::FixedTag<std::uint32_t, 8> d;
  const hn::FixedTag<std::uint64_t, 4> d64;
  const auto load = [&](std::int64_t a) HWY_ATTR { return hn::LoadU(d, src + a * src_step); };
  const auto lower = [&](auto a, auto b) HWY_ATTR {
    return hn::BitCast(d, hn::InterleaveLower(d64, hn::BitCast(d64, a), hn::BitCast(d64, b)));
  };
  const auto upper = [&](auto a, auto b) HWY_ATTR {
    return hn::BitCast(d, hn::InterleaveUpper(d64, hn::BitCast(d64, a), hn::BitCast(d64, b)));
  };
  const auto a0 = load(0), a1 = load(1), a2 = load(2), a3 = load(3);
  const auto a4 = load(4), a5 = load(5), a6 = load(6), a7 = load(7);
  const auto b0 = hn::InterleaveLower(d, a0, a1), b1 = hn::InterleaveUpper(d, a0, a1);
  const auto b2 = hn::InterleaveLower(d, a2, a3), b3 = hn::InterleaveUpper(d, a2, a3);
  const auto b4 = hn::InterleaveLower(d, a4, a5), b5 = hn::InterleaveUpper(d, a4, a5);
  const auto b6 = hn::InterleaveLower(d, a6, a7), b7 = hn::InterleaveUpper(d, a6, a7);
  const auto store = [&](std::int64_t b, auto first, auto second) HWY_ATTR {
    hn::StoreU(hn::ConcatLowerLower(d, second, first), d, dst + b * dst_step);
    hn::StoreU(hn::ConcatUpperUpper(d, second, first), d, dst + (b + 4) * dst_step);
  };
  store(0, lower(b0, b2), lower(b4, b6));
  store(1, upper(b0, b2), upper(b4, b6));
  store(2, lower(b1, b3), lower(b5, b7));
  store(3, upper(b1, b3), upper(b5, b7));
}

HWY_INLINE void transpose_block(std::uint64_t* dst, std::int64_t dst_step, const std::uint64_t* src,
                                std::int64_t src_step) {
  const hn::FixedTag<std::uint64_t, 4> d;
  const auto a0 = hn::LoadU(d, src), a1 = hn::LoadU(d, src + src_step);
  const auto a2 = hn::LoadU(d, src + 2 * src_step), a3 = hn::LoadU(d, src + 3 * src_step);
  const auto b0 = hn::InterleaveLower(d, a0, a1), b1 = hn::InterleaveUpper(d, a0, a1);
  const auto b2 = hn::InterleaveLower(d, a2, a3), b3 = hn::InterleaveUpper(d, a2, a3);
  hn::StoreU(hn::ConcatLowerLower(d, b2, b0), d, dst);
  hn::StoreU(hn::ConcatLowerLower(d, b3, b1), d, dst + dst_step);
  hn::StoreU(hn::ConcatUpperUpper(d, b2, b0), d, dst + 2 * dst_step);
  hn::StoreU(hn::ConcatUpperUpper(d, b3, b1), d, dst + 3 * dst_step);
}

#endif

template <class T>
void transpose_plain(T* dst, std::int64_t dst_step, const T* src, std::int64_t src_step, std::int64_t na,
                     std::int64_t nb) {
  for (std::int64_t b = 0; b < nb; ++b) {
    for (std::int64_t a = 0; a < na; ++a) dst[b * dst_step + a] = src[a * src_step + b];
  }
}

template <class T>
constexpr std::int64_t kBand = 512 / sizeof(T);

/// dst[b * dst_step + a] = src[a * src_step + b] for a < na, b < nb.
template <class T>
void transpose(T* dst, std::int64_t dst_step, const T* src, std::int64_t src_step, std::int64_t na, std::int64_t nb) {
  // Tiles of whole cache lines on either side (64 bytes along a times 64 bytes along b), in bands of 512 bytes of dst's
  // rows, which bounds the pages that are in use at once.
  constexpr std::int64_t kTile = 64 / sizeof(T);
  constexpr std::int64_t kStep = kBlock<T>;
  if (na < kStep || nb < kStep) return transpose_plain(dst, dst_step, src, src_step, na, nb);
  for (std::int64_t band = 0; band < na; band += kBand<T>) {
    const std::int64_t band_end = std::min(na, band + kBand<T>);
    for (std::int64_t b = 0; b < nb; b += kTile) {
      const std::int64_t b_size = std::min(kTile, nb - b);
      const std::int64_t b_whole = b_size / kStep * kStep;
      for (std::int64_t a = band; a < band_end; a += kTile) {
        const std::int64_t a_size = std::min(kTile, band_end - a);
        const std::int64_t a_whole = a_size / kStep * kStep;
        T* to = dst + b * dst_step + a;
        const T* from = src + a * src_step + b;
        for (std::int64_t i = 0; i < a_whole; i += kStep) {
          for (std::int64_t j = 0; j < b_whole; j += kStep) {
            transpose_block(to + j * dst_step + i, dst_step, from + i * src_step + j, src_step);
          }
        }
        transpose_plain(to + a_whole, dst_step, from + a_whole * src_step, src_step, a_size - a_whole, b_whole);
        transpose_plain(to + b_whole * dst_step, dst_step, from + b_whole, src_step, a_size, b_size - b_whole);
      }
    }
  }
}

// ---- Fills and broadcasts -------------------------------------------------------------------------------------------

template <class T>
void fill_typed(T* y, T value, std::size_t n) {
  if constexpr (sizeof(T) == 1) {
    std::memset(y, value, n);
  } else {
    const hn::ScalableTag<T> d;
    constexpr std::size_t N = hn::MaxLanes(hn::ScalableTag<T>());
    if (n < N) {
      for (std::size_t i = 0; i < n; ++i) y[i] = value;
      return;
    }
    const auto v = hn::Set(d, value);
    std::size_t i = 0;
    for (; i + 4 * N <= n; i += 4 * N) {
      hn::StoreU(v, d, y + i);
      hn::StoreU(v, d, y + i + N);
      hn::StoreU(v, d, y + i + 2 * N);
      hn::StoreU(v, d, y + i + 3 * N);
    }
    for (; i + N <= n; i += N) hn::StoreU(v, d, y + i);
    hn::StoreU(v, d, y + n - N);
  }
}

template <class T>
void expand_rows_typed(T* y, const T* x, std::size_t rows, std::size_t cols, std::int64_t stride) {
  const hn::ScalableTag<T> d;
  constexpr std::size_t N = hn::MaxLanes(hn::ScalableTag<T>());
  std::size_t r = 0;
  if (cols == 1) {
    for (; r < rows; ++r) y[r] = x[static_cast<std::int64_t>(r) * stride];
    return;
  }
  // A vector that runs beyond its row is overwritten by the next rows, while it ends within the last of them.
  if (cols <= N) {
    for (; r * cols + N <= rows * cols; ++r)
      hn::StoreU(hn::Set(d, x[static_cast<std::int64_t>(r) * stride]), d, y + r * cols);
  } else if (cols <= 2 * N) {
    for (; r < rows; ++r) {
      const auto v = hn::Set(d, x[static_cast<std::int64_t>(r) * stride]);
      hn::StoreU(v, d, y + r * cols);
      hn::StoreU(v, d, y + (r + 1) * cols - N);
    }
  }
  for (; r < rows; ++r) fill_typed(y + r * cols, x[static_cast<std::int64_t>(r) * stride], cols);
}

template <class T>
void expand_columns_typed(T* y, const T* x, std::size_t rows, std::size_t cols) {
  const hn::ScalableTag<T> d;
  constexpr std::size_t N = hn::MaxLanes(hn::ScalableTag<T>());
  std::size_t r = 0;
  if (cols == 1) return fill_typed(y, *x, rows);
  if (cols <= N) {
    HWY_ALIGN T padded[N] = {};
    for (std::size_t c = 0; c < cols; ++c) padded[c] = x[c];
    const auto v = hn::Load(d, padded);
    for (; r * cols + N <= rows * cols; ++r) hn::StoreU(v, d, y + r * cols);
  } else if (cols <= 2 * N) {
    const auto first = hn::LoadU(d, x);
    const auto second = hn::LoadU(d, x + cols - N);
    for (; r < rows; ++r) {
      hn::StoreU(first, d, y + r * cols);
      hn::StoreU(second, d, y + (r + 1) * cols - N);
    }
  }
  for (; r < rows; ++r) copy_bytes(y + r * cols, x, cols * sizeof(T));
}

// ---- Loops ----------------------------------------------------------------------------------------------------------

template <class T>
HWY_INLINE void copy_line(T* dst, const T* src, const Dim& dim) {
  if (dim.dst == 1) {
    if (dim.src == 1) return copy_bytes(dst, src, static_cast<std::size_t>(dim.n) * sizeof(T));
    if (dim.src == 0) return fill_typed(dst, *src, static_cast<std::size_t>(dim.n));
    std::int64_t i = 0;
    for (; i + 4 <= dim.n; i += 4) {
      const T a = src[i * dim.src], b = src[(i + 1) * dim.src];
      const T e = src[(i + 2) * dim.src], f = src[(i + 3) * dim.src];
      dst[i] = a;
      dst[i + 1] = b;
      dst[i + 2] = e;
      dst[i + 3] = f;
    }
    for (; i < dim.n; ++i) dst[i] = src[i * dim.src];
    return;
  }
  for (std::int64_t i = 0; i < dim.n; ++i) dst[i * dim.dst] = src[i * dim.src];
}

inline bool is_transposition(const Dim& outer, const Dim& inner) {
  return inner.dst == 1 && outer.src == 1 && inner.src != 0;
}

/// The innermost two loops.
template <class T>
void copy_plane(T* dst, const T* src, const Dim& outer, const Dim& inner) {
  if (is_transposition(outer, inner)) {
    return transpose(dst, outer.dst, src, inner.src, inner.n, outer.n);
  }
  if (inner.dst == 1 && outer.dst == inner.n) {
    const auto rows = static_cast<std::size_t>(outer.n);
    const auto cols = static_cast<std::size_t>(inner.n);
    if (inner.src == 1 && outer.src == 0) return expand_columns_typed(dst, src, rows, cols);
    if (inner.src == 0) return expand_rows_typed(dst, src, rows, cols, outer.src);
  }
  for (std::int64_t i = 0; i < outer.n; ++i) copy_line(dst + i * outer.dst, src + i * outer.src, inner);
}

template <class T>
void copy_loops(T* dst, const T* src, const Dim* dims, int rank) {
  switch (rank) {
    case 0:
      *dst = *src;
      return;
    case 1:
      return copy_line(dst, src, dims[0]);
    case 2:
      return copy_plane(dst, src, dims[0], dims[1]);
    default:
      break;
  }
  const int outer = rank - 2;
  std::array<std::int64_t, kMaxRank> at{};
  for (;;) {
    copy_plane(dst, src, dims[outer], dims[outer + 1]);
    int d = outer - 1;
    for (; d >= 0; --d) {
      dst += dims[d].dst;
      src += dims[d].src;
      if (++at[static_cast<std::size_t>(d)] < dims[d].n) break;
      dst -= dims[d].n * dims[d].dst;
      src -= dims[d].n * dims[d].src;
      at[static_cast<std::size_t>(d)] = 0;
    }
    if (d < 0) return;
  }
}

/// The elements [first, first + count) of loops whose dst is contiguous, to dst on.
template <class T>
void copy_part(T* dst, const T* src, const Dim* dims, int rank, std::int64_t first, std::int64_t count) {
  if (rank == 0) {
    *dst = *src;
    return;
  }
  if (rank == 1) return copy_line(dst, src + first * dims[0].src, {count, 1, dims[0].src});
  const std::int64_t inner = dims[0].dst;
  src += first / inner * dims[0].src;
  if (const std::int64_t begin = first % inner; begin != 0) {
    const std::int64_t head = std::min(count, inner - begin);
    copy_part(dst, src, dims + 1, rank - 1, begin, head);
    dst += head;
    src += dims[0].src;
    count -= head;
  }
  if (const std::int64_t whole = count / inner; whole > 0) {
    std::array<Dim, kMaxRank> loops;
    std::copy_n(dims, rank, loops.begin());
    loops[0].n = whole;
    copy_loops(dst, src, loops.data(), rank);
    dst += whole * inner;
    src += whole * dims[0].src;
    count -= whole * inner;
  }
  if (count > 0) copy_part(dst, src, dims + 1, rank - 1, 0, count);
}

/// Where a transposition hides further out, its source-contiguous loop is brought next to the innermost one.
void pair_transposition(Loops& loops) {
  const int last = loops.rank - 1;
  if (last < 2 || loops.dims[last].dst != 1 || std::abs(loops.dims[last].src) <= 1) return;
  for (int d = last - 2; d >= 0; --d) {
    if (loops.dims[d].src == 1) {
      const Dim dim = loops.dims[d];
      for (int e = d; e < last - 1; ++e) loops.dims[e] = loops.dims[e + 1];
      loops.dims[last - 1] = dim;
      return;
    }
  }
}

template <class T>
void copy_in_pieces(T* dst, const T* src, const Loops& loops) {
  const auto bytes = loops.count * static_cast<std::int64_t>(sizeof(T));
  // The longest loop is cut, the outermost of equals, at multiples of a cache line; a transposition where its bands
  // are. Runs of bytes stay whole where another loop gives pieces enough.
  constexpr std::int64_t kEnough = 16;
  int cut = 0;
  for (int d = 1; d < loops.rank; ++d) {
    const bool run = d + 1 == loops.rank && loops.dims[d].dst == 1 && loops.dims[d].src == 1;
    if (loops.dims[d].n > loops.dims[cut].n && !(run && loops.dims[cut].n >= kEnough)) cut = d;
  }
  std::int64_t unit = cut + 1 < loops.rank && loops.dims[loops.rank - 1].src == 1 ? 1 : 64 / sizeof(T);
  if (const int last = loops.rank - 1;
      last > 0 && is_transposition(loops.dims[last - 1], loops.dims[last]) && cut >= last - 1) {
    unit = kBand<T>;
    if (loops.dims[last].n >= 4 * unit) cut = last;
  }
  const std::int64_t n = loops.dims[cut].n;
  const std::int64_t wanted = std::max<std::int64_t>(1, n / (bytes / kPieceBytes + 1));
  const std::int64_t step = n < 2 * unit ? wanted : (wanted + unit - 1) / unit * unit;
  base::parallel_for((n + step - 1) / step, [&](std::int64_t piece) {
    std::array<Dim, kMaxRank> dims = loops.dims;
    Dim& dim = dims[static_cast<std::size_t>(cut)];
    const std::int64_t begin = piece * step;
    dim.n = std::min(step, n - begin);
    copy_loops(dst + begin * dim.dst, src + begin * dim.src, dims.data(), loops.rank);
  });
}

void copy_any(void* dst, const std::int64_t* dst_strides, const void* src, const std::int64_t* src_strides,
              const std::int64_t* shape, int rank, std::size_t size, bool parallel) {
  Loops loops = make_loops(dst_strides, src_strides, shape, rank);
  if (loops.count == 0) return;
  pair_transposition(loops);
  parallel = parallel && loops.rank > 0 && loops.count * static_cast<std::int64_t>(size) > kParallelBytes;
  by_size(size, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    T* to = static_cast<T*>(dst) + loops.dst_offset;
    const T* from = static_cast<const T*>(src) + loops.src_offset;
    if (parallel) return copy_in_pieces(to, from, loops);
    copy_loops(to, from, loops.dims.data(), loops.rank);
  });
}

}  // namespace

void copy_strided(void* dst, const std::int64_t* dst_strides, const void* src, const std::int64_t* src_strides,
                  const std::int64_t* shape, int rank, std::size_t size) {
  copy_any(dst, dst_strides, src, src_strides, shape, rank, size, false);
}

void copy_strided_parallel(void* dst, const std::int64_t* dst_strides, const void* src, const std::int64_t* src_strides,
                           const std::int64_t* shape, int rank, std::size_t size) {
  copy_any(dst, dst_strides, src, src_strides, shape, rank, size, true);
}

void copy_range(void* y, const void* x, const std::int64_t* shape, const std::int64_t* strides, int rank,
                std::int64_t first, std::int64_t count, std::size_t size) {
  assert(rank <= kMaxRank);
  std::array<Dim, kMaxRank> dims;
  std::int64_t inner = 1;
  for (int d = rank; d-- > 0; inner *= shape[d]) dims[static_cast<std::size_t>(d)] = {shape[d], inner, strides[d]};
  by_size(size, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    copy_part(static_cast<T*>(y), static_cast<const T*>(x), dims.data(), rank, first, count);
  });
}

void fill(void* y, const void* value, std::size_t n, std::size_t size) {
  by_size(size, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    T v;
    std::memcpy(&v, value, sizeof(T));
    fill_typed(static_cast<T*>(y), v, n);
  });
}

void expand_rows(void* y, const void* x, std::size_t rows, std::size_t cols, std::int64_t stride, std::size_t size) {
  by_size(size, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    expand_rows_typed(static_cast<T*>(y), static_cast<const T*>(x), rows, cols, stride);
  });
}

void expand_columns(void* y, const void* x, std::size_t rows, std::size_t cols, std::size_t size) {
  by_size(size, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    expand_columns_typed(static_cast<T*>(y), static_cast<const T*>(x), rows, cols);
  });
}

}  // namespace pellucid::kernels
HWY_AFTER_NAMESPACE();
