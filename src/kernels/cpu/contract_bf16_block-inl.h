// A block of sums of the contraction of pairs of bfloat16 on one thread: the loops around the tiles, and packing beside
// them. Included once for each instruction set (Highway's toggle), in the namespace that contract_bf16_pack-inl.h
// chooses.
#if defined(PELLUCID_KERNELS_CPU_CONTRACT_BF16_BLOCK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef PELLUCID_KERNELS_CPU_CONTRACT_BF16_BLOCK_INL_H_
#undef PELLUCID_KERNELS_CPU_CONTRACT_BF16_BLOCK_INL_H_
#else
#define PELLUCID_KERNELS_CPU_CONTRACT_BF16_BLOCK_INL_H_
#endif

#include <cstddef>
#include <cstdint>
#include <utility>

#include "hwy/highway.h"
#include "kernels/cpu/contract_bf16_pack-inl.h"
#include "kernels/cpu/contract_bf16_tile-inl.h"

PELLUCID_BF16_BEFORE
namespace pellucid::kernels {
namespace HWY_NAMESPACE {
namespace PELLUCID_BF16_ROOM {

// ---- Sizes ----------------------------------------------------------------------------------------------------------

constexpr Size round_up(Size x, Size to) { return (x + to - 1) / to * to; }
constexpr Size divide_up(Size x, Size by) { return (x + by - 1) / by; }

/// Columns whose panels a tile of rows passes before the next one does. A chunk of them takes half of an L2 of 512 KiB:
/// those that are ready, and those that are packed in turn beside the ones before.
inline constexpr Size kReadyGroup = 128, kGroup = 64;
inline constexpr Size kLine = 16;  // words

/// Pairs of so many steps in packed memory.
constexpr Size padded_pairs(Size steps) { return round_up(pairs_of(steps), kTogether); }

/// Words of packed memory; with room for a vector more.
constexpr Size rows_size(Size rows, Size steps) {
  return round_up(divide_up(rows, kHigh) * kHigh * padded_pairs(steps) + kLanes, kLine);
}
constexpr Size panels_size(Size columns, Size steps) {
  return round_up(round_up(columns, 2 * kLanes) * padded_pairs(steps) + kLanes, kLine);
}
/// The same for all chunks of k, one behind the other.
constexpr Size all_rows_size(Size rows, Size k) {
  return k / kContractChunk * rows_size(rows, kContractChunk) + rows_size(rows, k % kContractChunk);
}
constexpr Size all_panels_size(Size columns, Size k) {
  return k / kContractChunk * panels_size(columns, kContractChunk) + panels_size(columns, k % kContractChunk);
}

// ---- Operands -------------------------------------------------------------------------------------------------------

/// An operand of float32 or, where it is narrow, of bfloat16; offsets are in elements.
struct Operand {
  const void* data = nullptr;
  bool narrow = false;
  Operand from(Size offset) const {
    const auto* bytes = static_cast<const std::byte*>(data);
    return {bytes + offset * static_cast<Size>(narrow ? sizeof(std::uint16_t) : sizeof(float)), narrow};
  }
};

void pack_s(Pair* to, const Operand& x, Strides stride, const RowCut& cut, Size steps, bool behind) {
  const Size pairs = padded_pairs(steps);
  if (x.narrow) {
    return pack_tiles(to, static_cast<const std::uint16_t*>(x.data), stride, cut, steps, pairs, behind);
  }
  pack_tiles(to, static_cast<const float*>(x.data), stride, cut, steps, pairs, behind);
}

void pack_v(Pair* to, const Operand& x, Strides stride, Size columns, const Part& part) {
  if (x.narrow) return pack_panels<kWhole>(to, static_cast<const std::uint16_t*>(x.data), stride, columns, part);
  pack_panels<kWhole>(to, static_cast<const float*>(x.data), stride, columns, part);
}

/// The lines of `outer` rows or columns of x over `steps` steps, where they lie one behind the other in either way.
Ahead lines_of(const Operand& x, Strides stride, Size outer, Size steps) {
  const Size size = static_cast<Size>(x.narrow ? sizeof(std::uint16_t) : sizeof(float));
  if (stride.outer != 1 && stride.k != 1) return {};
  const bool across = stride.outer == 1;
  const Size skew = static_cast<Size>(reinterpret_cast<std::uintptr_t>(x.data) % kLineBytes);
  return Ahead(static_cast<const std::byte*>(x.data) - skew, (across ? stride.k : stride.outer) * size,
               across ? steps : outer, (skew + (across ? outer : steps) * size + kLineBytes - 1) / kLineBytes);
}

// ---- Blocks ---------------------------------------------------------------------------------------------------------

/// Rows of s times columns of v, over k steps.
struct Block {
  Operand s, v;
  Strides s_stride, v_stride;
  Size rows = 0, columns = 0, k = 0;
  float* c = nullptr;
  Size c_row = 0;
  const float* bias = nullptr;
  bool relu = false;
};

/// Where a block's packed operands lie; what is ready was packed for all pieces.
struct Packed {
  Pair* s = nullptr;
  Pair* v = nullptr;
  Pair* next_v = nullptr;  // for the group behind the one at v, unless v is ready
  bool s_ready = false, v_ready = false;
};

/// Where a tile of rows begins.
HWY_INLINE Size row_of(const RowCut& cut, Size tile) { return tile * cut.low + least(tile, cut.high_count); }

/// `count` of the tiles of a cut, from `first` on.
HWY_INLINE RowCut part_of(const RowCut& cut, Size first, Size count) {
  const Size high = least(cut.high_count, first + count) - least(cut.high_count, first);
  return {cut.high, high, cut.low, count - high};
}

/// Packs `count` tiles of the rows of b, from `first` on, over a chunk's steps from `from` on; `to` is where tile 0
/// goes.
void pack_tiles_of(Pair* to, const Block& b, const RowCut& cut, Size first, Size count, Size from, Size steps) {
  pack_s(to + first * kHigh * padded_pairs(steps),
         b.s.from(row_of(cut, first) * b.s_stride.outer + from * b.s_stride.k), b.s_stride, part_of(cut, first, count),
         steps, first + count < cut.high_count + cut.low_count);
}

/// A chunk of k in a group of columns.
struct Stage {
  Size from = 0, steps = 0, column = 0, columns = 0;
};

/// What is packed beside the tiles of a stage, a part with each, so that memory and multipliers work together: rows of
/// s just before their tiles, and the columns of v that the next stage reads.
struct Copies {
  const Block& b;
  const RowCut& cut;
  Stage now, next;
  Pair* s = nullptr;  // null: not s
  Pair* v = nullptr;  // null: not v

  Size tiles() const { return cut.high_count + cut.low_count; }
  Size rows(Size tile) const { return tile < cut.high_count ? cut.high : cut.low; }
  /// Tiles of rows that are packed at once: those whose rows share lines.
  Size together() const { return b.s_stride.k == 1 ? 1 : kSweepTiles; }

  Part part(Size tile) const {
    const Size height = round_up(divide_up(next.steps, tiles()), 8);
    const Size first = least(tile * height, next.steps), end = least(first + height, next.steps);
    return {first, end - first, padded_pairs(next.steps), end == next.steps};
  }
  Operand v_of(const Part& part) const {
    return b.v.from(next.column * b.v_stride.outer + (next.from + part.first) * b.v_stride.k);
  }

  /// What is fetched beside a tile: the part of the next tiles' rows, or of the next columns.
  Ahead ahead(Size tile) const {
    if (s != nullptr) {
      const Size first = (tile / together() + 1) * together(), count = least(together(), tiles() - first);
      if (count <= 0) return {};
      const Size steps = round_up(divide_up(now.steps, together()), 8),
                 from = least(tile % together() * steps, now.steps);
      const Operand x = b.s.from(row_of(cut, first) * b.s_stride.outer + (now.from + from) * b.s_stride.k);
      return lines_of(x, b.s_stride, row_of(cut, first + count) - row_of(cut, first), least(steps, now.steps - from));
    }
    if (v == nullptr) return {};
    const Part part = this->part(tile);
    return lines_of(v_of(part), b.v_stride, next.columns, part.steps);
  }
  void before(Size tile) const {
    if (s == nullptr || tile % together() != 0) return;
    pack_tiles_of(s, b, cut, tile, least(together(), tiles() - tile), now.from, now.steps);
  }
  void after(Size tile) const {
    if (v == nullptr) return;
    const Part part = this->part(tile);
    if (part.steps > 0) pack_v(v, v_of(part), b.v_stride, next.columns, part);
  }
};

/// One stage, whose operands are packed at s and v but for what `copies` packs.
void run_stage(const Block& b, const Pair* s, const Pair* v, const Copies& copies) {
  constexpr Size width = 2 * kLanes;
  const Stage& now = copies.now;
  const bool last = now.from + now.steps == b.k;
  const Size panels = now.columns / width, left = now.columns - panels * width;
  const bool half = !kWhole && left > 0 && left <= kLanes;
  Tile t;
  t.pairs = padded_pairs(now.steps);
  t.c_row = b.c_row;
  t.add = now.from > 0;
  t.relu = last && b.relu;
  const float* bias = last && b.bias != nullptr ? b.bias + now.column : nullptr;
  t.s = s;
  FetchQueue& queue = fetch_queue();
  for (Size tile = 0; tile < copies.tiles(); ++tile) {
    copies.before(tile);
    t.rows = copies.rows(tile);
    t.c = b.c + row_of(copies.cut, tile) * b.c_row + now.column;
    t.v = v;
    t.bias = bias;
    t.panels = panels + (left > 0 && !half ? 1 : 0);
    t.last = left > 0 && !half ? left - kLanes : kLanes;
    t.ahead = copies.ahead(tile);
    t.queue = &queue;
    if (t.panels > 0) run(t, 2);
    if (half) {
      t.c += panels * width;
      t.v += panels * width * t.pairs;
      if (t.bias != nullptr) t.bias += panels * width;
      t.panels = 1;
      t.last = left;
      t.ahead = {};
      t.queue = nullptr;
      run(t, 1);
    }
    t.s += kHigh * t.pairs;
    copies.after(tile);
  }
}

/// Calls done(first column, end) when a group of columns has its final sums.
template <class Done>
HWY_NOINLINE void run_block(const Block& b, Packed packed, const Done& done) {
  const RowCut cut = RowCut::of(b.rows, kHigh);
  const Tiles tiles;
  const Size group = packed.v_ready ? kReadyGroup : kGroup;
  const auto stage_at = [&](Size from, Size column) {
    return Stage{from, least(b.k - from, kContractChunk), column, least(group, b.columns - column)};
  };
  Stage now = stage_at(0, 0);
  if (!packed.v_ready) pack_v(packed.v, b.v, b.v_stride, now.columns, {0, now.steps, padded_pairs(now.steps)});
  for (bool more = true; more;) {
    const bool new_chunk = now.column + now.columns == b.columns;
    const Stage next = new_chunk ? stage_at(now.from + now.steps, 0) : stage_at(now.from, now.column + now.columns);
    more = !new_chunk || next.from < b.k;
    run_stage(
        b, packed.s, packed.v + (packed.v_ready ? now.column * padded_pairs(now.steps) : 0),
        {b, cut, now, next, now.column == 0 && !packed.s_ready ? packed.s : nullptr, more ? packed.next_v : nullptr});
    if (now.from + now.steps == b.k) done(now.column, now.column + now.columns);
    if (packed.s_ready && new_chunk) packed.s += rows_size(b.rows, now.steps);
    if (packed.v_ready && new_chunk) packed.v += panels_size(b.columns, now.steps);
    if (!packed.v_ready) std::swap(packed.v, packed.next_v);
    now = next;
  }
}

}  // namespace PELLUCID_BF16_ROOM
}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
HWY_POP_ATTRIBUTES

#endif  // PELLUCID_KERNELS_CPU_CONTRACT_BF16_BLOCK_INL_H_
