// What the files of the contraction share: the plan that a Contract carries, and how it is cut.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "kernels/kernels.h"

namespace pellucid::kernels {

/// How a contraction is done. Of the operands, the one that tiles read in vectors is v, and the one whose elements are
/// repeated is s; rows are the outputs along s, columns those along v. Normally s is a, but where `swap` is set, s is b
/// and the sums come out transposed. No number here changes a bit of the result.
struct ContractPlan {
  // A piece is `rows` x `columns` outputs of one batch element, or `group` whole batch elements. It depends on the
  // shape alone, and so do the rectangles of ContractDone.
  std::int64_t rows = 0, columns = 0, group = 1;
  std::int64_t row_pieces = 1, column_pieces = 1, batch = 1;
  std::int64_t chunk_pieces = 1;  // above 1: the chunks of k are cut too, and added in order at the end
  std::int64_t chunks = 1;        // of one such piece
  std::int64_t threads = 1;       // for which there is scratch memory
  std::int64_t slot_bytes = 0;    // scratch memory of one thread
  // Flags.
  bool swap = false, pack_s = false, pack_v = false;
  bool indirect = false;      // sums go through scratch memory: they are transposed or rounded on their way to c
  bool by_group = false;      // ContractDone is called for each group of columns, not for a whole piece
  bool v_ready = false;       // v is given as Contract::pack made it
  std::int64_t shared_s = 0;  // bytes behind the threads' scratch memory in which s is packed once for all pieces
};

/// Columns that are packed together, in bytes: packing reads whole lines and few pages, and a group of 1024 steps is
/// half of an L2 of 512 KiB.
inline constexpr std::int64_t kContractGroupBytes = 256;

/// Bytes of sums that stay in L2 until a piece is done: half of 512 KiB. Larger pieces are reported by groups
/// (by_group).
inline constexpr std::int64_t kContractL2Bytes = 256 << 10;

/// Lanes of a vector and rows of the highest tile, as the kernel of the chosen instruction set has them.
struct ContractWidths {
  std::int64_t lanes = 0, tile_rows = 0, tile_rows1 = 0;
};

struct ContractAccess {
  using Run = Contract::Run;
  using Pack = Contract::Pack;
  static ContractPlan plan(const Contract& c) { return std::bit_cast<ContractPlan>(c.plan_); }
  static ContractSteady steady(const Contract& c) { return c.steady_; }
  static void set(Contract& c, Run run, std::size_t workspace, const ContractPlan& plan) {
    c.run_ = run;
    c.workspace_ = workspace;
    c.plan_ = std::bit_cast<decltype(c.plan_)>(plan);
  }
  static void set_pack(Contract& c, Pack pack, std::size_t bytes) {
    c.pack_ = pack;
    c.packed_ = bytes;
  }
};
static_assert(sizeof(ContractPlan) == sizeof(std::array<std::int64_t, 12>));

/// Scratch memory of one thread, in elements of the type that sums have.
struct ContractSlot {
  std::int64_t s = 0, v = 0, sums = 0;  // where each begins
  std::int64_t sums_row = 0;            // from one row of `sums` to the next
  std::int64_t size = 0;
};
ContractSlot contract_slot(const ContractShape& shape, const ContractPlan& plan, const ContractWidths& widths);

/// The type that sums have.
constexpr DType contract_sums(DType dtype) { return dtype == DType::kBFloat16 ? DType::kFloat32 : dtype; }

/// Cuts the contraction, and says how much scratch memory it needs. Where it is worth it, v is the steady operand and
/// comes packed. With `packs_once` the kernel packs s once for all pieces, where there is one matrix.
ContractPlan plan_contract(const ContractShape& shape, const ContractWidths& widths, std::size_t& workspace,
                           ContractSteady steady = ContractSteady::kNone, bool packs_once = false);

/// Where the columns of a piece lie in the copy that Contract::pack makes: chunk by chunk of k, and in a chunk panel by
/// panel, each a row longer than it needs to be, which keeps panels out of each other's sets of the cache. In elements.
struct ContractPacked {
  static constexpr std::int64_t kAlign = 16;
  static std::int64_t chunks(std::int64_t k) { return (k + kContractChunk - 1) / kContractChunk; }
  static std::int64_t padded(std::int64_t columns) { return (columns + kAlign - 1) / kAlign * kAlign; }
  /// All pieces but the last have a multiple of kAlign columns.
  static std::int64_t piece(std::int64_t column, std::int64_t k) { return column * (k + chunks(k)); }
  static std::int64_t chunk(std::int64_t columns, std::int64_t from) {
    return padded(columns) * (from + from / kContractChunk);
  }
  static std::int64_t size(std::int64_t columns, std::int64_t k) { return padded(columns) * (k + chunks(k)); }
};

}  // namespace pellucid::kernels
