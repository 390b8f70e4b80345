// A contraction cut into pieces over the threads: where their operands lie, rows packed for all of them, sums of
// chunks. Included once for each instruction set (Highway's toggle).
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
#include "kernels/cpu/contract_block-inl.h"
#include "kernels/cpu/contract_pack-inl.h"

HWY_BEFORE_NAMESPACE();
namespace pellucid::kernels {
namespace HWY_NAMESPACE {
namespace contract {

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
         row / plan.rows * (tiles * width * job.shape.k + (job.shape.k + kContractChunk - 1) / kContractChunk * lanes);
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
    block.s_packed = shared_rows(job, place.row) + packed_rows<T>(cut, width, from);
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
