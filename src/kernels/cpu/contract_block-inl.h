// A block of sums on one thread: the loops around the tiles, chunks of k, and operands that are packed before the tiles
// or by them. Included once for each instruction set (Highway's toggle).
#if defined(PELLUCID_KERNELS_CPU_CONTRACT_BLOCK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef PELLUCID_KERNELS_CPU_CONTRACT_BLOCK_INL_H_
#undef PELLUCID_KERNELS_CPU_CONTRACT_BLOCK_INL_H_
#else
#define PELLUCID_KERNELS_CPU_CONTRACT_BLOCK_INL_H_
#endif

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "hwy/highway.h"
#include "kernels/cpu/contract.h"
#include "kernels/cpu/contract_pack-inl.h"
#include "kernels/cpu/contract_tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace pellucid::kernels {
namespace HWY_NAMESPACE {
namespace contract {

HWY_INLINE Size least(Size a, Size b) { return a < b ? a : b; }

template <class T>
constexpr ContractWidths widths_of() {
  return {kLanesOf<T>, kTileRows<T>, kTileRows1<T>};
}

/// A block of sums on one thread: c[i * c_row + j] for i < rows, j < columns.
template <class T, class S>
struct Block {
  const S* s = nullptr;
  Strides s_stride;
  const S* v = nullptr;
  Strides v_stride;
  Size rows = 0, columns = 0, k = 0;
  T* c = nullptr;
  Size c_row = 0;
  const T* bias = nullptr;
  bool relu = false;
  T* s_packed = nullptr;  // scratch memory where the operand is packed
  bool s_ready = false;   // s_packed holds all steps already
  T* v_packed = nullptr;
  bool v_ready = false;  // v_packed holds all steps already, as ContractPacked says
  Size panel_rows = 0;   // the rows that the width of panels was chosen for; 0: `rows`
  Size width_rows() const { return panel_rows != 0 ? panel_rows : rows; }
  Size v_beyond = 0;  // columns that v has beyond this block's: the next block is likely to read them
};

/// From this many steps on, a tile of rows is taken through all columns of a group before the next: its part of s stays
/// in L1 and v's panels come from L2, 64 bytes in 6 cycles. Below, all rows are taken through a panel, which stays in
/// L1.
inline constexpr Size kLongTile = 256;

/// Columns of a group: 256 bytes of each row of v.
template <class T>
inline constexpr Size kGroup = kContractGroupBytes / static_cast<Size>(sizeof(T));

/// Fetches the part `slice` of `slices` of what packing the columns from `column` on will read, into L2: packing would
/// else wait for memory while the multipliers wait for packing.
template <class T, class S>
HWY_INLINE void prefetch_group(const Block<T, S>& b, Size column, Size from, Size length, Size slice, Size slices) {
  const Size columns = least(kGroup<T>, b.columns + b.v_beyond - column);
  if (b.v_packed == nullptr || columns <= 0) return;
  if (b.v_ready) {  // what follows lies behind it
    constexpr Size packed_line = 64 / static_cast<Size>(sizeof(T));
    const T* x = b.v_packed + ContractPacked::chunk(b.columns, from) + column * (length + 1);
    const Size lines = columns * (length + 1) / packed_line;
    for (Size i = lines * slice / slices; i < lines * (slice + 1) / slices; ++i)
      __builtin_prefetch(x + i * packed_line, 0, 2);
    return;
  }
  constexpr Size line = 64 / static_cast<Size>(sizeof(S));
  const bool across = b.v_stride.outer == 1;  // else along k, or not contiguous at all
  if (!across && b.v_stride.k != 1) return;
  const Size rows = across ? length : columns;
  const Size row_size = across ? columns : length;
  const Size row_stride = across ? b.v_stride.k : b.v_stride.outer;
  const S* x = b.v + column * b.v_stride.outer + from * b.v_stride.k;
  for (Size i = rows * slice / slices; i < rows * (slice + 1) / slices; ++i) {
    for (Size j = 0; j < row_size; j += line) __builtin_prefetch(x + i * row_stride + j, 0, 2);
  }
}

/// Copies `columns` columns of v, `length` steps from `from` on, into panels as wide as the tiles that will read them.
template <class T, class S>
void pack_group(const Block<T, S>& b, T* to, Size column, Size columns, Size from, Size length) {
  constexpr Size lanes = kLanesOf<T>;
  Size vectors = (columns + lanes - 1) / lanes;
  constexpr int kPanels = static_cast<int>(kGroup<T> / (2 * lanes));
  if (columns == kGroup<T> && b.v_stride.outer == 1 && tile_vectors<T>(b.width_rows(), vectors) == 2) {
    pack_panels<kPanels>(to, b.v + column + from * b.v_stride.k, b.v_stride.k, length, length + 1);
    return;
  }
  for (Size j = 0; j < columns;) {
    const int nv = tile_vectors<T>(b.width_rows(), vectors);
    const Size width = nv * lanes;
    pack(to + j * (length + 1), width, width, b.v + (column + j) * b.v_stride.outer + from * b.v_stride.k, b.v_stride,
         least(width, columns - j), length);
    vectors -= nv;
    j += width;
  }
}

/// True where tiles may copy what they read: float32, in tiles of 2 vectors.
template <class T, class S>
HWY_INLINE bool may_keep(const Block<T, S>& b) {
  if constexpr (std::is_same_v<S, T> && kMayKeep<T>) {
    return b.width_rows() > 3 && tile_vectors<T>(b.width_rows(), 2) == 2;
  } else {
    return false;
  }
}

/// Lines that lie a multiple of this apart fall into 4 or fewer of L1's 64 sets.
inline constexpr Size kLeastCollidingBytes = 1024;

/// True where v lies along k and the first tile of rows can transpose `length` steps of it. A panel has 32 columns,
/// whose lines are read four times each: L1 must hold them all, so they may not fall into too few of its sets.
template <class T, class S>
HWY_INLINE bool turns_group(const Block<T, S>& b, Size length) {
  const Size bytes = b.v_stride.outer * static_cast<Size>(sizeof(T));
  const Size tiles = (b.rows + kTileRows<T> - 1) / kTileRows<T>, first = (b.rows + tiles - 1) / tiles;
  return kMayTurn<T> && b.v_stride.k == 1 && b.v_stride.outer != 1 && first >= kLeastTurnRows &&
         length % kTurned<T> == 0 && length > 0 && (bytes & -bytes) <= kLeastCollidingBytes;
}

/// True where the first tile of rows copies a group of v as it reads it: whole panels.
template <class T, class S>
HWY_INLINE bool keeps_group(const Block<T, S>& b, Size columns, Size length) {
  return may_keep(b) && b.v_packed != nullptr && !b.v_ready && columns % (2 * kLanesOf<T>) == 0 &&
         (b.v_stride.outer == 1 || turns_group(b, length));
}

/// True where each tile of rows but the first copies its part of s as it reads it: contiguous rows, a whole panel.
template <class T, class S>
HWY_INLINE bool keeps_rows(const Block<T, S>& b) {
  return may_keep(b) && b.s_packed != nullptr && !b.s_ready && b.s_stride.outer == 1 && b.columns >= 2 * kLanesOf<T>;
}

/// Where the steps from `from` on lie in rows that are packed for all pieces. Chunks are packed on several threads, and
/// what a step writes beyond its width may reach a vector beyond the last: behind each there is room for one.
template <class T>
HWY_INLINE Size packed_rows(const RowCut& cut, Size width, Size from) {
  return (cut.high_count + cut.low_count) * width * from + from / kContractChunk * kLanesOf<T>;
}

/// Packs `length` steps of s from `from` on, a tile of rows after the other.
template <class T, class S>
void pack_rows(const Block<T, S>& b, const RowCut& cut, Size width, Size from, Size length) {
  constexpr Size lanes = kLanesOf<T>;
  const S* x = b.s + from * b.s_stride.k;
  if constexpr (std::is_same_v<S, T>) {
    if (b.s_stride.outer == 1) return pack_tiles(b.s_packed, width, x, b.s_stride.k, cut, length);
  }
  for (Size tile = 0; tile < cut.high_count + cut.low_count; ++tile) {
    const Size rows = tile < cut.high_count ? cut.high : cut.low;
    pack(b.s_packed + tile * width * length, width, (rows + lanes - 1) / lanes * lanes, x, b.s_stride, rows, length);
    x += rows * b.s_stride.outer;
  }
}

/// A tile of rows after the other, each through all panels of 2 vectors, then through the panel that is left. The first
/// one copies v where `keeps_v`, each of the others its rows of s in the first panel where `keeps_s`.
template <class T, class S, class Place, class Prefetch>
HWY_INLINE void run_rows(const Block<T, S>& b, TileRun<T>& t, const RowCut& cut, Size packed, Size columns, Size length,
                         bool keeps_v, bool keeps_s, const Place& at_column, const Prefetch& prefetch) {
  constexpr Size lanes = kLanesOf<T>;
  constexpr Size width = 2 * lanes;
  const Size panels = columns / width, left = columns - panels * width;
  const T* const s = t.s;
  Size row = 0;
  for (Size tile = 0; tile < cut.high_count + cut.low_count; ++tile) {
    prefetch(tile);
    const Size rows = tile < cut.high_count ? cut.high : cut.low;
    t.s = s + (packed != 0 ? tile * packed : row * t.s_row);
    t.s_tile = 0;
    const auto run = [&](Size first, Size count, TileFunction<T> function) HWY_ATTR {
      at_column(first * width, 2);
      t.last = lanes;
      t.c += row * t.c_row;
      t.v_tile = b.v_packed != nullptr ? width * (length + 1) : width;
      t.c_tile = t.bias_tile = width;
      t.count = count;
      if (t.s_source != nullptr) t.s_source += row;
      function(t);
    };
    Size done = 0;
    if constexpr (kMayKeep<T>) {
      if (tile == 0 && keeps_v) run(0, done = panels, keeping_v(t, rows));
      if (tile > 0 && keeps_s) run(0, done = 1, keeping_tile<T, Keep::kS>(rows));
    }
    if (done < panels) run(done, panels - done, tile_function<T>(rows, 2, lanes));
    if (left > 0) {
      const int nv = left > lanes ? 2 : 1;
      at_column(panels * width, nv);
      t.c += row * t.c_row;
      t.count = 1;
      tile_function<T>(rows, nv, t.last)(t);
    }
    row += rows;
  }
  t.s = s;
  t.v_tile = t.bias_tile = 0;
}

/// Calls group_done(first column, end) when a group of columns has its final sums.
template <class T, class S, class F>
void run_block(const Block<T, S>& b, const F& group_done) {
  constexpr Size lanes = kLanesOf<T>;
  const Size tile_rows = b.columns <= lanes ? kTileRows1<T> : kTileRows<T>;
  const RowCut cut = RowCut::of(b.rows, tile_rows);
  const Size s_width = tile_rows <= lanes ? tile_rows : (tile_rows + lanes - 1) / lanes * lanes;
  const Size group = b.v_packed != nullptr ? kGroup<T> : 4 * kGroup<T>;

  Size from = 0;
  do {
    const Size length = least(b.k - from, kContractChunk);
    const bool last = from + length == b.k;
    TileRun<T> t;
    t.k = length;
    t.c_row = b.c_row;
    t.add = from > 0;
    t.relu = last && b.relu;
    t.turns = b.v_stride.outer != 1;
    const Size packed = b.s_packed != nullptr ? s_width * length : 0;
    const bool keeps_s = keeps_rows(b);
    if (b.s_packed != nullptr) {
      t.s = b.s_packed;
      t.s_row = 1;
      t.s_k = s_width;
      if (b.s_ready) {
        t.s += packed_rows<T>(cut, s_width, from);
      } else {
        pack_rows(b, keeps_s ? cut.first() : cut, s_width, from, length);
      }
    } else if constexpr (std::is_same_v<S, T>) {
      t.s = b.s + from * b.s_stride.k;
      t.s_row = b.s_stride.outer;
      t.s_k = b.s_stride.k;
    }

    for (Size j0 = 0; j0 < b.columns; j0 += group) {
      const Size columns = least(group, b.columns - j0);
      T* packed_group = b.v_packed;
      const bool keeps_v = keeps_group(b, columns, length);
      if (b.v_ready) {
        packed_group += ContractPacked::chunk(b.columns, from) + j0 * (length + 1);
      } else if (b.v_packed != nullptr && !keeps_v) {
        pack_group(b, packed_group, j0, columns, from, length);
      }
      const auto at_column = [&](Size j, int nv) HWY_ATTR {
        if (b.v_packed != nullptr) {
          t.v = packed_group + j * (length + 1);
          t.v_k = nv * lanes;
        } else if constexpr (std::is_same_v<S, T>) {
          t.v = b.v + from * b.v_stride.k + (j0 + j);
          t.v_k = b.v_stride.k;
        }
        if constexpr (std::is_same_v<S, T>) {
          t.v_source = keeps_v ? b.v + from * b.v_stride.k + (j0 + j) * b.v_stride.outer : nullptr;
          t.v_source_k = t.turns ? b.v_stride.outer : b.v_stride.k;
          t.s_source = keeps_s && j0 + j == 0 ? b.s + from * b.s_stride.k : nullptr;
          t.s_source_k = b.s_stride.k;
        }
        t.last = least(lanes, columns - j - (nv - 1) * lanes);
        t.guarded = 0;
        if (b.v_packed == nullptr && t.last < lanes) {
          // A whole vector of an earlier step ends inside a later one's part of v.
          t.guarded = b.v_stride.k > 0 ? least(length, (lanes - t.last + b.v_stride.k - 1) / b.v_stride.k) : length;
        }
        t.c = b.c + j0 + j;
        if (last && b.bias != nullptr) t.bias = b.bias + j0 + j;
      };
      const Size vectors = (columns + lanes - 1) / lanes;
      if (length < kLongTile || b.width_rows() <= 3) {
        Size left = vectors;
        for (Size j = 0; j < columns;) {
          const int nv = tile_vectors<T>(b.width_rows(), left);
          at_column(j, nv);
          run_tile_column(t, cut, nv, packed);
          left -= nv;
          j += nv * lanes;
        }
      } else {
        run_rows(b, t, cut, packed, columns, length, keeps_v, keeps_s && j0 == 0, at_column, [&](Size tile) HWY_ATTR {
          prefetch_group(b, j0 + columns, from, length, tile, cut.high_count + cut.low_count);
        });
      }
      if (last) group_done(j0, j0 + columns);
    }
    from += length;
  } while (from < b.k);
}

}  // namespace contract
}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
HWY_AFTER_NAMESPACE();

#endif  // PELLUCID_KERNELS_CPU_CONTRACT_BLOCK_INL_H_
