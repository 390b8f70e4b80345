// The contraction of pairs of bfloat16: pieces over the threads, and their memory. Included once for each instruction
// set (Highway's toggle), in the namespace that contract_bf16_pack-inl.h chooses.
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
#include "kernels/cpu/contract_bf16_block-inl.h"
#include "kernels/cpu/contract_run-inl.h"

PELLUCID_BF16_BEFORE
namespace pellucid::kernels {
namespace HWY_NAMESPACE {
namespace PELLUCID_BF16_ROOM {
using contract::batch_offsets;
using contract::Offsets;
using contract::place_of;

using Job = contract::Job<float, float, float>;

// ---- Memory ---------------------------------------------------------------------------------------------------------

struct Memory {
  explicit Memory(const ContractShape& shape, const ContractPlan& plan) {
    const Size depth = least(shape.k, kContractChunk);
    sums_row = round_up(plan.columns, kLine);
    if (plan.pack_s) v = rows_size(plan.rows, depth);
    group = plan.pack_v ? panels_size(least(kGroup, plan.columns), depth) : 0;
    sums = v + 2 * group;
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
  Size group = 0;                  // of the two in which groups of v are packed in turn
  Size sums_row = 0;
  Size shared_v = 0, shared = 0;           // behind the slots of all threads; s comes first
  Size part_row = 0, part = 0, parts = 0;  // sums of chunks, behind those
};

// ---- Pieces ---------------------------------------------------------------------------------------------------------

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

HWY_INLINE Pair* slot_of(const Job& job, const Memory& memory, Size thread) {
  return reinterpret_cast<Pair*>(job.workspace) + thread * memory.slot;
}

/// The copy of the steady operand, where plan.v_ready.
Pair* steady_of(const Job& job) { return reinterpret_cast<Pair*>(const_cast<float*>(job.plan.swap ? job.a : job.b)); }

/// Packs a chunk of k, from step `from` on, of the columns from `first` on, kReadyGroup at most, of the piece of v
/// (which a job may not hold) that begins at `column`, into the piece's memory `to`.
void pack_columns(Pair* to, const ContractShape& shape, const ContractPlan& plan, const void* v, Size column,
                  Size first, Size from) {
  const Strides stride = plan.swap ? Strides{shape.a_m, shape.a_k} : Strides{shape.b_n, shape.b_k};
  const Size columns = least(plan.columns, (plan.swap ? shape.m : shape.n) - column);
  if (first >= columns) return;
  const Size steps = least(shape.k - from, kContractChunk), pairs = padded_pairs(steps);
  const Operand x{v, plan.swap ? shape.a_narrow : shape.b_narrow};
  pack_v(to + from / kContractChunk * panels_size(columns, kContractChunk) + first * pairs,
         x.from((column + first) * stride.outer + from * stride.k), stride, least(kReadyGroup, columns - first),
         {0, steps, pairs});
}

/// Calls pack(piece, group, from) for each chunk of k, and all groups that the largest of `pieces` pieces has.
template <class Pack>
void for_chunks(Size pieces, Size groups, Size k, int threads, const Pack& pack) {
  const Size chunks = std::max<Size>(1, divide_up(k, kContractChunk));
  base::parallel_for(
      pieces * groups * chunks,
      [&](Size i) { pack(i / chunks / groups, i / chunks % groups, i % chunks * kContractChunk); }, threads);
}

/// Contract::pack.
void pack_steady(const Contract& contract, void* to, const void* operand) {
  const ContractShape& shape = contract.shape();
  const ContractPlan plan = ContractAccess::plan(contract);
  const auto pack = [&](Size piece, Size group, Size from) {
    pack_columns(static_cast<Pair*>(to) + piece * all_panels_size(plan.columns, shape.k), shape, plan, operand,
                 piece * plan.columns, group * kReadyGroup, from);
  };
  for_chunks(plan.column_pieces, divide_up(plan.columns, kReadyGroup), shape.k, base::threads(), pack);
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
  p.next_v = p.v_ready ? nullptr : p.v + memory.group;
  return p;
}

/// Packs what all pieces share: a chunk of k of a few tiles of rows or of a group of columns at a time.
void pack_shared(const Job& job, const Memory& memory) {
  const ContractPlan& plan = job.plan;
  const int threads = static_cast<int>(plan.threads);
  const auto pack_rows = [&](Size piece, Size group, Size from) {
    constexpr Size together = 2 * kSweepTiles;
    const contract::Place place = place_of(job.shape, plan, piece * plan.column_pieces);
    const Block b = block_of(job, place, {}, from, least(job.shape.k - from, kContractChunk));
    const RowCut cut = RowCut::of(b.rows, kHigh);
    const Size first = group * together, count = least(together, cut.high_count + cut.low_count - first);
    if (count <= 0) return;
    Pair* const to = packed_of(job, memory, place, 0).s + from / kContractChunk * rows_size(b.rows, kContractChunk);
    pack_tiles_of(to, b, cut, first, count, 0, b.k);
  };
  const auto pack_panels = [&](Size piece, Size group, Size from) {
    const contract::Place place = place_of(job.shape, plan, piece);
    pack_columns(packed_of(job, memory, place, 0).v, job.shape, plan, plan.swap ? job.a : job.b, place.column,
                 group * kReadyGroup, from);
  };
  if (!plan.pack_s) {
    for_chunks(plan.row_pieces, divide_up(divide_up(plan.rows, kHigh), 2 * kSweepTiles), job.shape.k, threads,
               pack_rows);
  }
  if (!plan.pack_v && !plan.v_ready) {
    for_chunks(plan.column_pieces, divide_up(plan.columns, kReadyGroup), job.shape.k, threads, pack_panels);
  }
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
    run_block(b, packed_of(job, memory, place, thread), [&](Size column0, Size column1) {
      if (plan.by_group) report.done(column0, column1);
    });
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
          run_block(b, packed, [](Size, Size) {});
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

/// Pieces across all columns of v, where rows of s are contiguous along k, or along all rows of s: then one operand
/// alone is packed before the tiles, and the other beside them, once. An odd number of pieces would leave one of two
/// threads waiting. By the shape alone.
void cut_in_strips(const ContractShape& shape, ContractPlan& plan) {
  const Size rows = plan.swap ? shape.n : shape.m, columns = plan.swap ? shape.m : shape.n;
  const Size pieces = plan.row_pieces * plan.column_pieces;
  if (plan.batch > 1 || plan.chunk_pieces > 1 || plan.indirect || pieces == 1) return;
  if ((plan.swap ? shape.b_k : shape.a_k) == 1 && (2 * rows > columns || plan.v_ready)) {
    constexpr Size least_rows = 10 * kHigh;
    const Size strips = least(pieces, rows / least_rows) / 2 * 2;
    if (strips == 0) return;
    plan.rows = divide_up(rows, strips);
    plan.columns = columns;
  } else if (2 * rows <= columns) {
    // Two groups at least, since the first one of a piece is packed before its tiles.
    const Size groups = divide_up(columns, kGroup);
    Size best = 0, least_work = 0;
    for (Size i = std::max<Size>(2, groups / pieces); divide_up(groups, i) >= 4; ++i) {
      const Size work = round_up(divide_up(groups, i), 2) * i;
      if (best != 0 && work >= least_work) continue;
      best = i;
      least_work = work;
    }
    if (best == 0) return;
    plan.columns = best * kGroup;
    plan.rows = rows;
  } else {
    return;
  }
  plan.row_pieces = divide_up(rows, plan.rows);
  plan.column_pieces = divide_up(columns, plan.columns);
  plan.threads = least(base::threads(), plan.row_pieces * plan.column_pieces);
  plan.by_group = !plan.swap && plan.rows * plan.columns * static_cast<Size>(sizeof(float)) > kContractL2Bytes;
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
  cut_in_strips(shape, plan);
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
