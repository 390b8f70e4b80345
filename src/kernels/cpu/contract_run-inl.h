// The loops around the tiles: blocks of k, packed operands, pieces over the threads. Included once for each instruction
// set (Highway's toggle).
#if defined(PELLUCID_KERNELS_CPU_CONTRACT_RUN_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef PELLUCID_KERNELS_CPU_CONTRACT_RUN_INL_H_
#undef PELLUCID_KERNELS_CPU_CONTRACT_RUN_INL_H_
#else
#define PELLUCID_KERNELS_CPU_CONTRACT_RUN_INL_H_
#endif

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "base/thread_pool.h"
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
    pack_panels<kPanels>(to, b.v + column + from * b.v_stride.k, b.v_stride.k, length);
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

/// True where the first tile of rows copies a group of v as it reads it: whole panels of contiguous columns.
template <class T, class S>
HWY_INLINE bool keeps_group(const Block<T, S>& b, Size columns) {
  return may_keep(b) && b.v_packed != nullptr && !b.v_ready && b.v_stride.outer == 1 &&
         columns % (2 * kLanesOf<T>) == 0;
}

/// True where each tile of rows but the first copies its part of s as it reads it: contiguous rows, a whole panel.
template <class T, class S>
HWY_INLINE bool keeps_rows(const Block<T, S>& b) {
  return may_keep(b) && b.s_packed != nullptr && !b.s_ready && b.s_stride.outer == 1 && b.columns >= 2 * kLanesOf<T>;
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
      if (tile == 0 && keeps_v) run(0, done = panels, keeping_tile<T, Keep::kV>(rows));
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
    const Size packed = b.s_packed != nullptr ? s_width * length : 0;
    const bool keeps_s = keeps_rows(b);
    if (b.s_packed != nullptr) {
      t.s = b.s_packed;
      t.s_row = 1;
      t.s_k = s_width;
      if (b.s_ready) {
        t.s += (cut.high_count + cut.low_count) * s_width * from;
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
      const bool keeps_v = keeps_group(b, columns);
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
          t.v_source = keeps_v ? b.v + from * b.v_stride.k + (j0 + j) : nullptr;
          t.v_source_k = b.v_stride.k;
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

// ---- Pieces ---------------------------------------------------------------------------------------------------------

/// One run of a contraction: T is the type of the sums, S that of the operands, O that of the result.
template <class T, class S, class O>
struct Job {
  const ContractShape& shape;
  const ContractPlan plan;
  O* c;
  const S* a;  // a and b; the steady one's copy where plan.v_ready, which is of type T
  const S* b;
  const O* bias;
  char* workspace;
  const ContractDone& done;
};

struct Offsets {
  Size a = 0, b = 0, c = 0;
};

HWY_INLINE Offsets batch_offsets(const ContractShape& shape, Size z) {
  Offsets at;
  for (std::size_t d = shape.batch.size(); d-- > 0;) {
    const Size index = z % shape.batch[d];
    z /= shape.batch[d];
    at.a += index * shape.a_batch[d];
    at.b += index * shape.b_batch[d];
    at.c += index * shape.c_batch[d];
  }
  return at;
}

/// Where a piece lies: rows and columns as tiles see them, and as the result has them.
struct Place {
  Size row = 0, rows = 0, column = 0, columns = 0;
  Size c_row0 = 0, c_row1 = 0, c_column0 = 0, c_column1 = 0;
};

HWY_INLINE Place place_of(const ContractShape& shape, const ContractPlan& plan, Size block) {
  Place p;
  p.row = block / plan.column_pieces * plan.rows;
  p.column = block % plan.column_pieces * plan.columns;
  p.rows = least(plan.rows, (plan.swap ? shape.n : shape.m) - p.row);
  p.columns = least(plan.columns, (plan.swap ? shape.m : shape.n) - p.column);
  p.c_row0 = plan.swap ? p.column : p.row;
  p.c_row1 = p.c_row0 + (plan.swap ? p.columns : p.rows);
  p.c_column0 = plan.swap ? p.row : p.column;
  p.c_column1 = p.c_column0 + (plan.swap ? p.rows : p.columns);
  return p;
}

/// The operands of a piece, from step `from` of k on, and the thread's scratch memory.
template <class T, class S, class O>
HWY_INLINE Block<T, S> block_of(const Job<T, S, O>& job, const Place& place, const Offsets& at, Size from, Size k,
                                T* slot, const ContractSlot& scratch) {
  const ContractShape& shape = job.shape;
  const Strides a = {shape.a_m, shape.a_k}, b = {shape.b_n, shape.b_k};
  Block<T, S> block;
  block.s_stride = job.plan.swap ? b : a;
  block.v_stride = job.plan.swap ? a : b;
  block.s = (job.plan.swap ? job.b + at.b : job.a + at.a) + place.row * block.s_stride.outer + from * block.s_stride.k;
  block.rows = place.rows;
  block.columns = place.columns;
  block.k = k;
  block.v_beyond = (job.plan.swap ? shape.m : shape.n) - place.column - place.columns;
  if (job.plan.pack_s) block.s_packed = slot + scratch.s;
  if (job.plan.pack_v) block.v_packed = slot + scratch.v;
  if (job.plan.v_ready) {
    const void* copy = job.plan.swap ? job.a : job.b;
    block.v_packed = const_cast<T*>(static_cast<const T*>(copy)) + ContractPacked::piece(place.column, shape.k) +
                     ContractPacked::chunk(place.columns, from);
    block.v_ready = true;
    block.panel_rows = job.plan.rows;  // all rows read the same panels
  } else {
    block.v =
        (job.plan.swap ? job.a + at.a : job.b + at.b) + place.column * block.v_stride.outer + from * block.v_stride.k;
  }
  return block;
}

/// Where the packed rows of s of the pieces that begin at `row` lie.
template <class T, class S, class O>
HWY_INLINE T* shared_rows(const Job<T, S, O>& job, Size row) {
  constexpr Size lanes = kLanesOf<T>, high = kTileRows<T>;
  constexpr Size width = high <= lanes ? high : (high + lanes - 1) / lanes * lanes;
  const ContractPlan& plan = job.plan;
  const Size tiles = (plan.rows + high - 1) / high;
  return reinterpret_cast<T*>(job.workspace + plan.threads * plan.slot_bytes) +
         row / plan.rows * tiles * width * job.shape.k;
}

/// Packs all of s, a chunk of k and a piece's rows at a time.
template <class T, class S, class O>
void pack_shared(const Job<T, S, O>& job, const ContractSlot& scratch) {
  const ContractPlan& plan = job.plan;
  const Size k = job.shape.k, chunks = (k + kContractChunk - 1) / kContractChunk;
  base::parallel_for(plan.row_pieces * chunks, [&](Size piece) {
    const Place place = place_of(job.shape, plan, piece / chunks * plan.column_pieces);
    Block<T, S> block = block_of<T, S, O>(job, place, {}, 0, k, nullptr, scratch);
    const RowCut cut = RowCut::of(block.rows, kTileRows<T>);
    constexpr Size lanes = kLanesOf<T>, high = kTileRows<T>;
    constexpr Size width = high <= lanes ? high : (high + lanes - 1) / lanes * lanes;
    const Size from = piece % chunks * kContractChunk;
    block.s_packed = shared_rows(job, place.row) + (cut.high_count + cut.low_count) * width * from;
    pack_rows(block, cut, width, from, least(k - from, kContractChunk));
  });
}

template <class T, class S, class O>
void run_piece(const Job<T, S, O>& job, const ContractSlot& scratch, Size piece, int thread) {
  const ContractShape& shape = job.shape;
  const ContractPlan& plan = job.plan;
  const Size blocks = plan.row_pieces * plan.column_pieces;
  const Place place = place_of(shape, plan, piece % blocks);
  T* slot = reinterpret_cast<T*>(job.workspace + thread * plan.slot_bytes);
  const Size z0 = piece / blocks * plan.group, z1 = least(plan.batch, z0 + plan.group);
  for (Size z = z0; z < z1; ++z) {
    const Offsets at = batch_offsets(shape, z);
    O* c = job.c + at.c + place.c_row0 * shape.c_m + place.c_column0;
    Block<T, S> block = block_of(job, place, at, 0, shape.k, slot, scratch);
    if (plan.shared_s != 0) {
      block.s_packed = shared_rows(job, place.row);
      block.s_ready = true;
    }
    block.c = slot + scratch.sums;
    block.c_row = scratch.sums_row;
    if constexpr (std::is_same_v<T, O>) {
      if (!plan.indirect) {
        block.c = c;
        block.c_row = shape.c_m;
        block.relu = shape.relu;
        if (job.bias != nullptr) block.bias = job.bias + place.c_column0;
      }
    }
    run_block(block, [&](Size j0, Size j1) {
      if (plan.by_group && job.done.call != nullptr) {
        job.done.call(job.done.context, z, place.c_row0, place.c_row1, place.c_column0 + j0, place.c_column0 + j1);
      }
    });
    if (plan.indirect) {
      Finish<T, O> f;
      f.sums = block.c;
      f.row = plan.swap ? 1 : scratch.sums_row;
      f.column = plan.swap ? scratch.sums_row : 1;
      f.c = c;
      f.c_row = shape.c_m;
      f.bias = job.bias != nullptr ? job.bias + place.c_column0 : nullptr;
      f.relu = shape.relu;
      finish(f, place.c_row1 - place.c_row0, place.c_column1 - place.c_column0);
    }
    if (!plan.by_group && job.done.call != nullptr) {
      job.done.call(job.done.context, z, place.c_row0, place.c_row1, place.c_column0, place.c_column1);
    }
  }
}

/// The result from the sums of all chunks of k, added in order: those of chunk i of batch element z lie at sums + (z *
/// chunks + i) * part, their rows `row` apart.
template <class T, class S, class O>
void add_chunks(const Job<T, S, O>& job, const T* sums, Size part, Size row) {
  const ContractShape& shape = job.shape;
  const ContractPlan& plan = job.plan;
  const Size chunks = (shape.k + kContractChunk - 1) / kContractChunk;
  // A piece of the sum is a strip of rows of the result.
  constexpr Size kStrip = 16 << 10;
  Size strip = kStrip / (shape.n * chunks) / 16 * 16;
  strip = strip < 16 ? 16 : strip;
  const Size strips = (shape.m + strip - 1) / strip;
  base::parallel_for(strips * plan.batch, [&](Size piece) {
    const Size z = piece / strips, row0 = piece % strips * strip, row1 = least(shape.m, row0 + strip);
    Finish<T, O> f;
    f.row = plan.swap ? 1 : row;
    f.column = plan.swap ? row : 1;
    f.sums = sums + z * chunks * part + row0 * f.row;
    f.parts = chunks;
    f.part = part;
    f.c = job.c + batch_offsets(shape, z).c + row0 * shape.c_m;
    f.c_row = shape.c_m;
    f.bias = job.bias;
    f.relu = shape.relu;
    finish(f, row1 - row0, shape.n);
    if (job.done.call != nullptr) job.done.call(job.done.context, z, row0, row1, 0, shape.n);
  });
}

/// Where k is long and the outputs few: the chunks of k over the threads, each into memory of its own, then their sum.
template <class T, class S, class O>
void run_chunks(const Job<T, S, O>& job, const ContractSlot& scratch) {
  const ContractShape& shape = job.shape;
  const ContractPlan& plan = job.plan;
  const Size all_rows = plan.swap ? shape.n : shape.m, all_columns = plan.swap ? shape.m : shape.n;
  const Size row = (all_columns + 64 / static_cast<Size>(sizeof(T)) - 1) / (64 / static_cast<Size>(sizeof(T))) *
                   (64 / static_cast<Size>(sizeof(T)));
  const Size part = all_rows * row;
  const Size chunks = (shape.k + kContractChunk - 1) / kContractChunk;
  const Size blocks = plan.row_pieces * plan.column_pieces;
  T* sums = reinterpret_cast<T*>(job.workspace + plan.threads * plan.slot_bytes);
  base::parallel_for(
      plan.batch * plan.chunk_pieces * blocks,
      [&](Size piece, int thread) {
        const Place place = place_of(shape, plan, piece % blocks);
        const Size z = piece / blocks / plan.chunk_pieces;
        const Size first = piece / blocks % plan.chunk_pieces * plan.chunks;
        T* slot = reinterpret_cast<T*>(job.workspace + thread * plan.slot_bytes);
        const Offsets at = batch_offsets(shape, z);
        for (Size chunk = first; chunk < least(chunks, first + plan.chunks); ++chunk) {
          const Size from = chunk * kContractChunk;
          Block<T, S> block = block_of(job, place, at, from, least(kContractChunk, shape.k - from), slot, scratch);
          block.c = sums + (z * chunks + chunk) * part + place.row * row + place.column;
          block.c_row = row;
          run_block(block, [](Size, Size) {});
        }
      },
      static_cast<int>(plan.threads));
  add_chunks(job, sums, part, row);
}

template <class T, class S, class O>
void run(const Contract& contract, void* c, const void* a, const void* b, const void* bias, void* workspace,
         const ContractDone& done) {
  const ContractShape& shape = contract.shape();
  const Job<T, S, O> job = {shape,
                            ContractAccess::plan(contract),
                            static_cast<O*>(c),
                            static_cast<const S*>(a),
                            static_cast<const S*>(b),
                            shape.bias ? static_cast<const O*>(bias) : nullptr,
                            static_cast<char*>(workspace),
                            done};
  const ContractPlan& plan = job.plan;
  const ContractSlot scratch = contract_slot(shape, plan, widths_of<T>());
  if (plan.chunk_pieces > 1) return run_chunks(job, scratch);
  if (plan.shared_s != 0) pack_shared(job, scratch);
  const Size pieces = plan.row_pieces * plan.column_pieces * ((plan.batch + plan.group - 1) / plan.group);
  base::parallel_for(
      pieces, [&](Size piece, int thread) { run_piece(job, scratch, piece, thread); }, static_cast<int>(plan.threads));
}

}  // namespace contract
}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
HWY_AFTER_NAMESPACE();

#endif  // PELLUCID_KERNELS_CPU_CONTRACT_RUN_INL_H_
