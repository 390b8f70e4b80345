// Elementwise groups: a small program over tiles that stay in the first-level cache, with reductions along rows and
// down columns of one two-dimensional space.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "graph/step.h"
#include "kernels/chain.h"
#include "kernels/kernels.h"

namespace pellucid::graph {

/// Elements of a tile at most; the longest row that a group keeps whole.
inline constexpr std::int64_t kTile = 1024;
inline constexpr std::int64_t kLongestRow = 16384;

/// Bytes in whole cache lines.
inline std::size_t aligned(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

/// How large a value of the group is: the whole space, one for each row, one for each column.
enum class Level { kFull, kRow, kColumn };

/// The program of a group, before memory is placed. Values are numbered slots.
struct GroupCode {
  struct Slot {
    std::size_t size = 4;  // bytes of an element
    Level level = Level::kFull;
    // Where the slot lies: in memory at `memory` (moving with the tile by these strides in elements), or in scratch.
    bool in_memory = false;
    Ref memory;
    std::int64_t row_stride = 0, col_stride = 0;
    StoragePtr filled;  // a tile of one constant
  };
  enum class Kind { kMap, kReduceRows, kReduceColumns, kExpandRows, kExpandColumns, kBlock, kRepeat };
  /// An operand over the whole space that is no matrix, as what is repeated along inner and outer axes alike.
  struct Repeated {
    Shape shape;
    Strides strides;
  };
  struct Op {
    Kind kind;
    kernels::Map map = nullptr;
    const kernels::Reduction* reduction = nullptr;
    DType dtype = DType::kFloat32;  // of a reduction's operand
    int y = -1, a = -1, b = -1, c = -1;
    Level level = Level::kFull;                   // of the result of a map
    std::int64_t row_stride = 0, col_stride = 0;  // of kExpandRows' and kBlock's operand
    std::size_t repeated = 0;                     // kRepeat: which
  };
  std::int64_t rows = 1, cols = 1;
  bool single_rows = false;  // a tile is a part of one row
  std::vector<Slot> slots;
  std::vector<Op> ops;
  std::vector<Repeated> repeated;
};

/// Instructions [first, last) of a program that run as one chain of links (kernels/chain.h); those of the prologue
/// among them are left out. Over the elements behind the last whole block the instructions run one by one, with the
/// same bits.
struct Chain {
  struct Link {
    kernels::LinkCode code;
    int p = -1, q = -1;   // slots
    bool stores = false;  // float32, to p
  };
  std::size_t first = 0, last = 0;
  std::vector<Link> links;
};
/// The links of a chain at most; longer runs of instructions are cut.
inline constexpr std::size_t kMostLinks = 48;

/// The chains of a program. `in_prologue` tells instructions that do not run with the others, `is_number` slots whose
/// elements in one tile are all the same. A result that only the next link reads is not stored. A chain has `least`
/// instructions or more; a single one must write memory.
std::vector<Chain> chains_of(const GroupCode& code, const std::vector<char>& in_prologue,
                             const std::vector<char>& is_number, std::size_t least);

class GroupStep final : public Step {
 public:
  explicit GroupStep(GroupCode code);
  void bind(std::byte* const* bases) override;
  void run() override;
  std::size_t scratch() const override { return scratch_; }

  // For a batch of groups that run in one parallel loop.
  std::int64_t pieces() const { return pieces_; }
  void run_piece(std::int64_t piece, int thread);
  void finish();
  bool is_small() const { return small_; }
  double chain_microseconds = 0;  // that the pass `chain` took

 private:
  struct Fold;  // the state of one reduction while a piece runs
  std::int64_t tile_elements() const;
  void plan_tiles();
  void plan_scratch();
  void plan_chains();
  void plan_ahead();
  void find_streams();
  void run_tiles(std::int64_t piece, int thread);
  void run_chain(const Chain& chain, std::byte* const* at, std::size_t n) const;
  void run_map(const GroupCode::Op& op, std::byte* const* at, std::size_t done, std::size_t n) const;
  /// Over a tile that begins at element `first` of the space.
  void run_ops(std::byte** at, std::int64_t first, std::int64_t rows, std::int64_t cols, bool prologue,
               std::byte* scratch);
  void repeat(const GroupCode::Op& op, std::byte* y, const std::byte* x, std::int64_t first, std::int64_t count) const;
  void fold_columns(std::size_t which, const std::byte* x, std::int64_t rows, std::int64_t cols, std::byte* scratch);
  void fold_row_block(std::size_t which, const std::byte* x, std::int64_t cols, std::byte* scratch);
  void merge_down(std::size_t which, std::byte* into, std::byte* scratch, std::int64_t elements);

  GroupCode code_;
  std::int64_t tile_rows_ = 1, tile_cols_ = 1;
  std::int64_t piece_rows_ = 1, piece_cols_ = 1, pieces_ = 1, col_pieces_ = 1;
  bool small_ = false;      // one tile: the calls are made in a row at addresses fixed by bind
  bool streaming_ = false;  // rows longer than a tile are reduced block by block
  std::size_t scratch_ = 0;
  std::vector<std::size_t> slot_offset_;
  std::vector<char> in_prologue_;    // ops that depend on the columns alone
  std::vector<std::size_t> moving_;  // slots in memory
  /// The lines of the next tile, asked for while this one is worked on: memory is idle between a program's first reads
  /// and its last writes, and hardware does not look beyond a page.
  struct Ahead {
    std::size_t slot;
    std::int64_t distance, bytes;
    bool writes;
  };
  std::vector<Ahead> ahead_;
  std::int64_t bytes_for_op_ = 0;  // of each slot, before each operation
  struct FoldPlan {
    std::size_t op;
    std::size_t offset;     // in scratch: levels of partial results, then one working row
    std::int64_t elements;  // of one partial
    std::size_t size;
  };
  std::vector<FoldPlan> folds_;
  std::vector<std::size_t> partial_offset_;  // of each fold in `partials_`
  StoragePtr partials_;                      // one partial for each piece
  std::vector<std::byte*> base_;             // of each slot, after bind
  std::byte* scratch_base_ = nullptr;
  struct Call {
    GroupCode::Kind kind;
    kernels::Map map;
    kernels::ReduceRows rows_kernel;
    std::byte *y, *a, *b, *c;
    std::size_t n, cols;
    std::int64_t stride, col_stride;
    std::size_t size;
  };
  std::vector<Call> calls_;
  std::vector<Chain> chains_;
  bool may_stream_ = false;    // a large program, all of it in chains
  std::vector<char> streams_;  // slots that are written past the caches
};

/// Independent groups in one parallel loop.
class GroupBatchStep final : public Step {
 public:
  explicit GroupBatchStep(std::vector<std::unique_ptr<GroupStep>> groups);
  void bind(std::byte* const* bases) override;
  void run() override;
  std::size_t scratch() const override;

 private:
  struct Piece {
    std::size_t group;
    std::int64_t piece;
  };
  std::vector<std::unique_ptr<GroupStep>> groups_;
  std::vector<Piece> pieces_;
};

}  // namespace pellucid::graph
