// The contraction of pairs of bfloat16: the loops around the tiles, pieces over the threads. Included once for each
// instruction set (Highway's toggle), in the namespace that contract_bf16_pack-inl.h chooses.
#if defined(PELLUCID_KERNELS_CPU_CONTRACT_BF16_RUN_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef PELLUCID_KERNELS_CPU_CONTRACT_BF16_RUN_INL_H_
#undef PELLUCID_KERNELS_CPU_CONTRACT_BF16_RUN_INL_H_
#else
#define PELLUCID_KERNELS_CPU_CONTRACT_BF16_RUN_INL_H_
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/thread_pool.h"
#include "hwy/highway.h"
#include "kernels/cpu/contract_bf16.h"
#include "kernels/cpu/contract_bf16_pack-inl.h"
#include "kernels/cpu/contract_bf16_tile-inl.h"
#include "kernels/cpu/contract_run-inl.h"

PELLUCID_BF16_BEFORE
namespace pellucid::kernels {
namespace HWY_NAMESPACE {
namespace PELLUCID_BF16_ROOM {
using contract::batch_offsets;
using contract::Offsets;
using contract::place_of;

using Job = contract::Job<float, float, float>;

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

void pack_s(Pair* to, const Operand& x, Strides stride, const RowCut& cut, Size steps, Size pairs) {
  if (x.narrow) return pack_tiles(to, static_cast<const std::uint16_t*>(x.data), stride, cut, steps, pairs);
  pack_tiles(to, static_cast<const float*>(x.data), stride, cut, steps, pairs);
}

void pack_v(Pair* to, const Operand& x, Strides stride, Size columns, Size steps) {
  const Size pairs = (pairs_of(steps) + kTogether - 1) / kTogether * kTogether;
  if (x.narrow) {
    return pack_panels<kWhole>(to, static_cast<const std::uint16_t*>(x.data), stride, columns, steps, pairs);
  }
  pack_panels<kWhole>(to, static_cast<const float*>(x.data), stride, columns, steps, pairs);
}

// ---- Memory ---------------------------------------------------------------------------------------------------------

constexpr Size round_up(Size x, Size to) { return (x + to - 1) / to * to; }
constexpr Size divide_up(Size x, Size by) { return (x + by - 1) / by; }

/// Columns whose panels a tile of rows passes before the next one does: a chunk of them takes half of an L2 of 512 KiB.
inline constexpr Size kGroup = 128;
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

struct Memory {
  explicit Memory(const ContractShape& shape, const ContractPlan& plan) {
    const Size depth = least(shape.k, kContractChunk);
    sums_row = round_up(plan.columns, kLine);
    if (plan.pack_s) v = rows_size(plan.rows, depth);
    sums = v + (plan.pack_v ? panels_size(least(kGroup, plan.columns), depth) : 0);
    slot = round_up(sums + (plan.indirect && plan.chunk_pieces == 1 ? plan.rows * sums_row + kLanes : 0), 2 * kLine);
    if (!plan.pack_s) shared_v = plan.row_pieces * all_rows_size(plan.rows, shape.k);
    const bool shares_v = !plan.pack_v && !plan.v_ready;
    shared = shared_v + (shares_v ? plan.column_pieces * all_panels_size(plan.columns, shape.k) : 0);
    if (plan.chunk_pieces > 1) {
      part_row = round_up(plan.swap ? shape.m : shape.n, kLine);
      part = (plan.swap ? shape.n : shape.m) * part_row;
      parts = part * divide_up(shape.k, kContractChunk) * plan.batch + kLanes;
    }
  }
  Size v = 0, sums = 0, slot = 0;  // of one thread; s comes first
  Size sums_row = 0;
  Size shared_v = 0, shared = 0;           // behind the slots of all threads; s comes first
  Size part_row = 0, part = 0, parts = 0;  // sums of chunks, behind those
};

// ---- Blocks and pieces ----------------------------------------------------------------------------------------------

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

/// The operands of a piece, from step `from` of k on; v is where a steady one would not be (steady_of).
Block block_of(const Job& job, const contract::Place& place, const Offsets& at, Size from, Size k) {
  const ContractShape& shape = job.shape;
  const bool swap = job.plan.swap;
  const Operand a = Operand{job.a, shape.a_narrow}.from(at.a), b = Operand{job.b, shape.b_narrow}.from(at.b);
  const Strides a_stride = {shape.a_m, shape.a_k}, b_stride = {shape.b_n, shape.b_k};
  Block block;
  block.s_stride = swap ? b_stride : a_stride;
  block.v_stride = swap ? a_stride : b_stride;
  block.s = (swap ? b : a).from(place.row * block.s_stride.outer + from * block.s_stride.k);
  block.v = (swap ? a : b).from(place.column * block.v_stride.outer + from * block.v_stride.k);
  block.rows = place.rows;
  block.columns = place.columns;
  block.k = k;
  return block;
}

/// Where a block's packed operands lie; what is ready was packed for all pieces.
struct Packed {
  Pair* s = nullptr;
  Pair* v = nullptr;
  bool s_ready = false, v_ready = false;
};

/// One chunk of k through one group of columns.
void run_group(const Block& b, const RowCut& cut, const Pair* s, const Pair* v, Size column, Size columns, Size steps,
               bool first, bool last) {
  constexpr Size width = 2 * kLanes;
  const Size panels = columns / width, left = columns - panels * width;
  const bool half = !kWhole && left > 0 && left <= kLanes;
  Tile t;
  t.pairs = padded_pairs(steps);
  t.c_row = b.c_row;
  t.add = !first;
  t.relu = last && b.relu;
  const float* bias = last && b.bias != nullptr ? b.bias + column : nullptr;
  t.s = s;
  Size row = 0;
  for (Size tile = 0; tile < cut.high_count + cut.low_count; ++tile) {
    t.rows = tile < cut.high_count ? cut.high : cut.low;
    t.c = b.c + row * b.c_row + column;
    t.v = v;
    t.bias = bias;
    t.panels = panels + (left > 0 && !half ? 1 : 0);
    t.last = left > 0 && !half ? left - kLanes : kLanes;
    if (t.panels > 0) run(t, 2);
    if (half) {
      t.c += panels * width;
      t.v += panels * width * t.pairs;
      if (t.bias != nullptr) t.bias += panels * width;
      t.panels = 1;
      t.last = left;
      run(t, 1);
    }
    t.s += kHigh * t.pairs;
    row += t.rows;
  }
}

/// What a block's groups of columns are reported as, when they have their final sums.
struct Report {
  const Job& job;
  const contract::Place& place;
  Size z = 0;
  void done(Size column0, Size column1) const {
    if (job.done.call == nullptr) return;
    job.done.call(job.done.context, z, place.c_row0, place.c_row1, place.c_column0 + column0,
                  place.c_column0 + column1);
  }
};

HWY_NOINLINE void run_block(const Block& b, Packed packed, const Report* report) {
  const RowCut cut = RowCut::of(b.rows, kHigh);
  const Tiles tiles;
  Size from = 0;
  do {
    const Size steps = least(b.k - from, kContractChunk);
    const bool last = from + steps == b.k;
    if (!packed.s_ready) pack_s(packed.s, b.s.from(from * b.s_stride.k), b.s_stride, cut, steps, padded_pairs(steps));
    for (Size j = 0; j < b.columns; j += kGroup) {
      const Size columns = least(kGroup, b.columns - j);
      const Pair* v = packed.v + (packed.v_ready ? j * padded_pairs(steps) : 0);
      if (!packed.v_ready) {
        pack_v(packed.v, b.v.from(j * b.v_stride.outer + from * b.v_stride.k), b.v_stride, columns, steps);
      }
      run_group(b, cut, packed.s, v, j, columns, steps, from == 0, last);
      if (last && report != nullptr) report->done(j, j + columns);
    }
    if (packed.s_ready) packed.s += rows_size(b.rows, steps);
    if (packed.v_ready) packed.v += panels_size(b.columns, steps);
    from += steps;
  } while (from < b.k);
}

HWY_INLINE Pair* slot_of(const Job& job, const Memory& memory, Size thread) {
  return reinterpret_cast<Pair*>(job.workspace) + thread * memory.slot;
}

/// The copy of the steady operand, where plan.v_ready.
Pair* steady_of(const Job& job) { return reinterpret_cast<Pair*>(const_cast<float*>(job.plan.swap ? job.a : job.b)); }

/// Packs a chunk of k, from step `from` on, of the columns of v (which a job may not hold) from `column` on that make a
/// piece, into the piece's memory `to`.
void pack_piece(Pair* to, const ContractShape& shape, const ContractPlan& plan, const void* v, Size column, Size from) {
  const Strides stride = plan.swap ? Strides{shape.a_m, shape.a_k} : Strides{shape.b_n, shape.b_k};
  const Size columns = least(plan.columns, (plan.swap ? shape.m : shape.n) - column);
  pack_v(to + from / kContractChunk * panels_size(columns, kContractChunk),
         Operand{v, plan.swap ? shape.a_narrow : shape.b_narrow}.from(column * stride.outer + from * stride.k), stride,
         columns, least(shape.k - from, kContractChunk));
}

/// Contract::pack.
void pack_steady(const Contract& contract, void* to, const void* operand) {
  const ContractShape& shape = contract.shape();
  const ContractPlan plan = ContractAccess::plan(contract);
  const Size chunks = std::max<Size>(1, divide_up(shape.k, kContractChunk));
  base::parallel_for(plan.column_pieces * chunks, [&](Size i) {
    const Size piece = i / chunks;
    pack_piece(static_cast<Pair*>(to) + piece * all_panels_size(plan.columns, shape.k), shape, plan, operand,
               piece * plan.columns, i % chunks * kContractChunk);
  });
}

Packed packed_of(const Job& job, const Memory& memory, const contract::Place& place, int thread) {
  const ContractPlan& plan = job.plan;
  Pair* const slot = slot_of(job, memory, thread);
  Pair* const shared = slot_of(job, memory, plan.threads);
  Packed p;
  p.s_ready = !plan.pack_s;
  p.v_ready = !plan.pack_v;
  p.s = p.s_ready ? shared + place.row / plan.rows * all_rows_size(plan.rows, job.shape.k) : slot;
  const Size piece = place.column / plan.columns * all_panels_size(plan.columns, job.shape.k);
  p.v = plan.v_ready ? steady_of(job) + piece : p.v_ready ? shared + memory.shared_v + piece : slot + memory.v;
  return p;
}

/// Packs what all pieces share: a chunk of k of a piece's rows or columns at a time.
void pack_shared(const Job& job, const Memory& memory) {
  const ContractPlan& plan = job.plan;
  const Size k = job.shape.k, chunks = std::max<Size>(1, divide_up(k, kContractChunk));
  const Size rows = plan.pack_s ? 0 : plan.row_pieces;
  const Size columns = plan.pack_v || plan.v_ready ? 0 : plan.column_pieces;
  base::parallel_for((rows + columns) * chunks,
                     [&](Size piece) {
                       const Size i = piece / chunks, from = piece % chunks * kContractChunk;
                       const Size block = i < rows ? i * plan.column_pieces : i - rows;
                       const contract::Place place = place_of(job.shape, plan, block);
                       const Packed to = packed_of(job, memory, place, 0);
                       if (i >= rows) {
                         return pack_piece(to.v, job.shape, plan, plan.swap ? job.a : job.b, place.column, from);
                       }
                       const Size steps = least(k - from, kContractChunk);
                       const Block b = block_of(job, place, {}, from, steps);
                       pack_s(to.s + from / kContractChunk * rows_size(b.rows, kContractChunk), b.s, b.s_stride,
                              RowCut::of(b.rows, kHigh), steps, padded_pairs(steps));
                     },
                     static_cast<int>(plan.threads));
}

void run_piece(const Job& job, const Memory& memory, Size piece, int thread) {
  const ContractShape& shape = job.shape;
  const ContractPlan& plan = job.plan;
  const Size blocks = plan.row_pieces * plan.column_pieces;
  const contract::Place place = place_of(shape, plan, piece % blocks);
  float* const sums = reinterpret_cast<float*>(slot_of(job, memory, thread) + memory.sums);
  const Size z0 = piece / blocks * plan.group, z1 = least(plan.batch, z0 + plan.group);
  for (Size z = z0; z < z1; ++z) {
    const Offsets at = batch_offsets(shape, z);
    float* c = job.c + at.c + place.c_row0 * shape.c_m + place.c_column0;
    Block b = block_of(job, place, at, 0, shape.k);
    const float* bias = job.bias != nullptr ? job.bias + place.c_column0 : nullptr;
    b.c = plan.indirect ? sums : c;
    b.c_row = plan.indirect ? memory.sums_row : shape.c_m;
    b.relu = !plan.indirect && shape.relu;
    b.bias = plan.indirect ? nullptr : bias;
    const Report report = {job, place, z};
    run_block(b, packed_of(job, memory, place, thread), plan.by_group ? &report : nullptr);
    if (plan.indirect) {
      contract::Finish<float, float> f;
      f.sums = sums;
      f.row = plan.swap ? 1 : memory.sums_row;
      f.column = plan.swap ? memory.sums_row : 1;
      f.c = c;
      f.c_row = shape.c_m;
      f.bias = bias;
      f.relu = shape.relu;
      contract::finish(f, place.c_row1 - place.c_row0, place.c_column1 - place.c_column0);
    }
    if (!plan.by_group) report.done(0, place.c_column1 - place.c_column0);
  }
}

/// Where k is long and the outputs few: the chunks of k over the threads, each into memory of its own, then their sum.
void run_chunks(const Job& job, const Memory& memory) {
  const ContractShape& shape = job.shape;
  const ContractPlan& plan = job.plan;
  const Size chunks = divide_up(shape.k, kContractChunk), blocks = plan.row_pieces * plan.column_pieces;
  float* sums = reinterpret_cast<float*>(slot_of(job, memory, plan.threads) + memory.shared);
  base::parallel_for(
      plan.batch * plan.chunk_pieces * blocks,
      [&](Size piece, int thread) {
        const contract::Place place = place_of(shape, plan, piece % blocks);
        const Size z = piece / blocks / plan.chunk_pieces;
        const Size first = piece / blocks % plan.chunk_pieces * plan.chunks;
        const Offsets at = batch_offsets(shape, z);
        for (Size chunk = first; chunk < least(chunks, first + plan.chunks); ++chunk) {
          const Size from = chunk * kContractChunk;
          Block b = block_of(job, place, at, from, least(kContractChunk, shape.k - from));
          b.c = sums + (z * chunks + chunk) * memory.part + place.row * memory.part_row + place.column;
          b.c_row = memory.part_row;
          Packed packed = packed_of(job, memory, place, thread);
          if (plan.v_ready) packed.v += chunk * panels_size(b.columns, kContractChunk);
          run_block(b, packed, nullptr);
        }
      },
      static_cast<int>(plan.threads));
  contract::add_chunks(job, sums, memory.part, memory.part_row);
}

void run_all(const Contract& contract, void* c, const void* a, const void* b, const void* bias, void* workspace,
             const ContractDone& done) {
  const ContractShape& shape = contract.shape();
  const Job job = {shape,
                   ContractAccess::plan(contract),
                   static_cast<float*>(c),
                   static_cast<const float*>(a),
                   static_cast<const float*>(b),
                   shape.bias ? static_cast<const float*>(bias) : nullptr,
                   static_cast<char*>(workspace),
                   done};
  const ContractPlan& plan = job.plan;
  const Memory memory(shape, plan);
  if (!plan.pack_s || (!plan.pack_v && !plan.v_ready)) pack_shared(job, memory);
  if (plan.chunk_pieces > 1) return run_chunks(job, memory);
  const Size pieces = plan.row_pieces * plan.column_pieces * divide_up(plan.batch, plan.group);
  base::parallel_for(
      pieces, [&](Size piece, int thread) { run_piece(job, memory, piece, thread); }, static_cast<int>(plan.threads));
}

void prepare(Contract& contract) {
  const ContractShape& shape = contract.shape();
  // The plan of operands that are converted as they are packed.
  ContractShape narrow = shape;
  narrow.dtype = DType::kBFloat16;
  std::size_t unused = 0;
  ContractPlan plan =
      plan_contract(narrow, contract::widths_of<float>(), unused, ContractAccess::steady(contract), true);
  plan.shared_s = 0;
  const bool whole = plan.batch == 1 && plan.chunk_pieces == 1;
  plan.pack_s = !(whole && plan.column_pieces > 1);
  plan.pack_v = !plan.v_ready && !(whole && plan.row_pieces > 1);
  const Memory memory(shape, plan);
  plan.slot_bytes = memory.slot * static_cast<Size>(sizeof(Pair));
  const Size words = memory.slot * plan.threads + memory.shared + memory.parts;
  ContractAccess::set(contract, &run_all,
                      static_cast<std::size_t>(round_up(words * static_cast<Size>(sizeof(Pair)), 64)), plan);
  const Size steady = plan.v_ready ? plan.column_pieces * all_panels_size(plan.columns, shape.k) : 0;
  ContractAccess::set_pack(contract, steady == 0 ? nullptr : &pack_steady,
                           static_cast<std::size_t>(steady) * sizeof(Pair));
}

}  // namespace PELLUCID_BF16_ROOM
}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
HWY_POP_ATTRIBUTES

#endif  // PELLUCID_KERNELS_CPU_CONTRACT_BF16_RUN_INL_H_
