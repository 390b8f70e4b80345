// Running the program of a group over its tiles.
#include "graph/group.h"

#include <algorithm>
#include <cstring>

#include "base/thread_pool.h"

namespace pellucid::graph {

namespace {

constexpr std::int64_t kShortestTile = 256;
constexpr std::int64_t kPieceElements = 8192;  // of programs up to 7 operations; half from 8, a quarter from 12 on
/// Pieces of a reduction down columns: each leaves a row of partial results, and one thread joins them all.
constexpr std::int64_t kMostColumnFolds = 64;
constexpr std::int64_t kStreamPiece = 64 * static_cast<std::int64_t>(kernels::kReduceBlock);
constexpr std::int64_t kSmallWork = 32768;  // elements times operations that one thread does alone
constexpr std::int64_t kMostLevels = 48;
constexpr auto kLanes = static_cast<std::int64_t>(kernels::kLanes);
constexpr auto kColumnGroup = static_cast<std::int64_t>(kernels::kColumnGroup);

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

}  // namespace

GroupStep::GroupStep(GroupCode code) : code_(std::move(code)) {
  plan_tiles();
  plan_scratch();
  std::vector<PassTime> time;
  time_pass(time, "chain", [&] { plan_chains(); });
  chain_microseconds = time[0].microseconds;
  plan_ahead();
}

// Elements of a tile: what a program reads, writes and keeps at one time stays near the first-level cache. Shorter
// tiles cost more calls, and streams that stop too often for the processor to fetch them ahead.
std::int64_t GroupStep::tile_elements() const {
  constexpr std::int64_t kNear = 64 * 1024;
  std::vector<std::size_t> last(code_.slots.size(), 0);
  for (std::size_t i = 0; i < code_.ops.size(); ++i) {
    for (int slot : {code_.ops[i].y, code_.ops[i].a, code_.ops[i].b, code_.ops[i].c}) {
      if (slot >= 0) last[static_cast<std::size_t>(slot)] = i;
    }
  }
  const auto is_scratch = [&](const GroupCode::Slot& slot) { return !slot.in_memory && slot.filled == nullptr; };
  std::int64_t held = 0, alive = 0, most = 0;  // bytes for each element
  for (const auto& slot : code_.slots) {
    if (slot.level == Level::kFull && !is_scratch(slot)) held += static_cast<std::int64_t>(slot.size);
  }
  std::vector<char> seen(code_.slots.size(), 0);
  for (std::size_t i = 0; i < code_.ops.size(); ++i) {
    const int y = code_.ops[i].y;
    if (y < 0 || seen[static_cast<std::size_t>(y)] != 0) continue;
    const auto& slot = code_.slots[static_cast<std::size_t>(y)];
    if (slot.level != Level::kFull || !is_scratch(slot)) continue;
    seen[static_cast<std::size_t>(y)] = 1;
    alive += static_cast<std::int64_t>(slot.size);
    most = std::max(most, alive);
    for (std::size_t s = 0; s < code_.slots.size(); ++s) {
      if (seen[s] != 0 && last[s] == i) alive -= static_cast<std::int64_t>(code_.slots[s].size);
    }
  }
  std::int64_t tile = kTile;
  while (tile > kShortestTile && tile * (held + most) > kNear) tile /= 2;
  return tile;
}

// Tiles of whole rows where rows are short or must be kept whole; else single rows in chunks. Pieces of tiles depend on
// the sizes alone, and where a reduction crosses pieces they are whole subtrees of its order.
void GroupStep::plan_tiles() {
  const std::int64_t rows = code_.rows, cols = code_.cols;
  bool row_values = false, column_folds = false, row_folds = false;
  for (const auto& op : code_.ops) {
    row_folds = row_folds || op.kind == GroupCode::Kind::kReduceRows;
    column_folds = column_folds || op.kind == GroupCode::Kind::kReduceColumns;
    row_values = row_values || op.level == Level::kRow || op.kind == GroupCode::Kind::kReduceRows;
  }
  const auto work = rows * cols * static_cast<std::int64_t>(std::max<std::size_t>(code_.ops.size(), 1));
  const bool streams = row_folds && cols > kLongestRow;  // block by block
  const std::int64_t tile = rows * cols <= kTile || streams ? kTile : tile_elements();
  if (code_.single_rows) {
    tile_cols_ = std::min(tile, cols);
  } else if (cols <= tile || (row_values && cols <= kLongestRow)) {
    tile_cols_ = std::max<std::int64_t>(cols, 1);
    tile_rows_ = std::max<std::int64_t>(tile / tile_cols_, 1);
    if (tile_rows_ > kColumnGroup) tile_rows_ = tile_rows_ / kColumnGroup * kColumnGroup;
    tile_rows_ = std::min(tile_rows_, std::max<std::int64_t>(rows, 1));
  } else {
    tile_cols_ = tile;
    tile_rows_ = 1;
    streaming_ = row_folds;
  }
  piece_rows_ = std::max<std::int64_t>(rows, 1);
  piece_cols_ = std::max<std::int64_t>(cols, 1);
  const std::size_t length = code_.ops.size();
  const std::int64_t piece_elements = kPieceElements / (length < 8 ? 1 : length < 12 ? 2 : 4);
  if (work > kSmallWork) {
    if (tile_cols_ < cols) {
      if (streaming_ || !column_folds) {
        piece_cols_ = streaming_ ? kStreamPiece : piece_elements;
        if (!streaming_ && rows > 1) piece_cols_ = ceil_div(cols, tile_cols_) * tile_cols_;
        piece_rows_ = streaming_ || rows == 1 ? 1 : std::max<std::int64_t>(piece_elements / cols, 1);
      } else {
        while (piece_rows_ > kColumnGroup && piece_rows_ * cols > 2 * piece_elements)
          piece_rows_ = ceil_div(piece_rows_, 2);
      }
    } else {
      piece_rows_ = std::max<std::int64_t>(piece_elements / cols, 1);
    }
    if (column_folds && piece_rows_ < rows) {
      std::int64_t whole = kColumnGroup;
      while (whole < piece_rows_ || ceil_div(rows, whole) > kMostColumnFolds) whole *= 2;
      piece_rows_ = whole;
    } else if (tile_rows_ > 1 && piece_rows_ < rows) {
      piece_rows_ = ceil_div(piece_rows_, tile_rows_) * tile_rows_;
    }
  }
  col_pieces_ = ceil_div(std::max<std::int64_t>(cols, 1), piece_cols_);
  pieces_ = col_pieces_ * ceil_div(std::max<std::int64_t>(rows, 1), piece_rows_);
  small_ = pieces_ == 1 && rows <= tile_rows_ && cols <= tile_cols_ && rows * cols > 0;
}

// Scratch of one thread: slots, shared by values that are not alive together, then the partial results of reductions.
void GroupStep::plan_scratch() {
  const auto& ops = code_.ops;
  std::vector<std::size_t> last(code_.slots.size(), 0);
  in_prologue_.assign(ops.size(), 0);
  for (std::size_t i = 0; i < ops.size(); ++i) {
    for (int slot : {ops[i].y, ops[i].a, ops[i].b, ops[i].c}) {
      if (slot >= 0) last[static_cast<std::size_t>(slot)] = i;
    }
    in_prologue_[i] = ops[i].kind == GroupCode::Kind::kExpandColumns ||
                      (ops[i].kind == GroupCode::Kind::kExpandRows && ops[i].row_stride == 0 &&
                       code_.slots[static_cast<std::size_t>(ops[i].a)].in_memory);
  }
  for (std::size_t i = 0; i < ops.size(); ++i) {
    if (in_prologue_[i]) last[static_cast<std::size_t>(ops[i].y)] = ops.size();  // read by every tile
  }
  slot_offset_.assign(code_.slots.size(), 0);
  struct Hole {
    std::size_t offset, bytes, free_from;
  };
  std::vector<Hole> holes;
  std::size_t end = 0;
  std::vector<char> placed(code_.slots.size(), 0);
  const auto place = [&](std::size_t i) {
    const int y = ops[i].y;
    if (y < 0 || placed[static_cast<std::size_t>(y)]) return;
    const auto& slot = code_.slots[static_cast<std::size_t>(y)];
    if (slot.in_memory || slot.filled != nullptr) return;
    placed[static_cast<std::size_t>(y)] = 1;
    const std::int64_t n = slot.level == Level::kRow      ? tile_rows_
                           : slot.level == Level::kColumn ? tile_cols_
                                                          : tile_rows_ * tile_cols_;
    const std::size_t room = aligned(static_cast<std::size_t>(n) * slot.size + 32);
    for (Hole& hole : holes) {
      if (!in_prologue_[i] && hole.free_from <= i && hole.bytes == room) {
        slot_offset_[static_cast<std::size_t>(y)] = hole.offset;
        hole.free_from = last[static_cast<std::size_t>(y)] + 1;
        return;
      }
    }
    slot_offset_[static_cast<std::size_t>(y)] = end;
    holes.push_back({end, room, last[static_cast<std::size_t>(y)] + 1});
    end += room;
  };
  for (std::size_t i = 0; i < ops.size(); ++i) {
    if (in_prologue_[i]) place(i);
  }
  for (std::size_t i = 0; i < ops.size(); ++i) place(i);
  for (std::size_t s = 0; s < code_.slots.size(); ++s) {
    if (code_.slots[s].in_memory) moving_.push_back(s);
  }
  std::size_t partial_bytes = 0;
  for (std::size_t i = 0; i < ops.size(); ++i) {
    const bool columns = ops[i].kind == GroupCode::Kind::kReduceColumns;
    if (!columns && !(streaming_ && ops[i].kind == GroupCode::Kind::kReduceRows)) continue;
    const std::int64_t elements = columns ? tile_cols_ : kLanes;
    const std::size_t size = size_of(ops[i].dtype);
    folds_.push_back({i, end, elements, size});
    const std::int64_t levels =
        columns ? 2 + 64 - __builtin_clzll(static_cast<unsigned long long>(ceil_div(piece_rows_, kColumnGroup) + 1))
                : kMostLevels;
    end += 64 + aligned(static_cast<std::size_t>(elements) * size) * static_cast<std::size_t>(levels + 2);
    partial_offset_.push_back(partial_bytes);
    const std::int64_t whole = columns ? code_.cols : kLanes * code_.rows;
    if (pieces_ > 1)
      partial_bytes += static_cast<std::size_t>(columns ? pieces_ / col_pieces_ : col_pieces_) *
                       aligned(static_cast<std::size_t>(whole) * size);
  }
  if (partial_bytes != 0) partials_ = Storage::allocate(partial_bytes);
  scratch_ = end;
}

void GroupStep::plan_ahead() {
  // Up to so many bytes come from the caches, and the processor fetches them ahead better than instructions do; the
  // larger ones come from memory. (Adam's update, on two cores: 115 against 140 us over 5.6 MB, 4.4 against 3.3 ms over
  // 117 MB.)
  constexpr std::int64_t kCached = 8 * 1024 * 1024;
  std::int64_t total = 0, most = 0;
  for (std::size_t s : moving_) {
    const auto& slot = code_.slots[s];
    if (slot.row_stride != code_.cols || slot.col_stride != 1) continue;
    const auto size = static_cast<std::int64_t>(slot.size);
    const bool by_rows = code_.rows > 1 && tile_cols_ < code_.cols;
    const std::int64_t bytes_of_tile = tile_rows_ * tile_cols_ * size;
    const bool writes =
        std::any_of(code_.ops.begin(), code_.ops.end(), [&](const auto& op) { return op.y == static_cast<int>(s); });
    ahead_.push_back({s, by_rows ? code_.cols * size : bytes_of_tile, bytes_of_tile, writes});
    total += code_.rows * code_.cols * size;
    most = std::max(most, bytes_of_tile);
  }
  if (small_ || total <= kCached || !kernels::fetches_ahead()) ahead_.clear();
  if (!ahead_.empty()) bytes_for_op_ = ceil_div(ceil_div(most, 64), static_cast<std::int64_t>(code_.ops.size())) * 64;
}

void GroupStep::bind(std::byte* const* bases) {
  base_.resize(code_.slots.size());
  scratch_base_ = bases[kScratchBase];
  for (std::size_t s = 0; s < code_.slots.size(); ++s) {
    const auto& slot = code_.slots[s];
    base_[s] = slot.in_memory ? resolve(slot.memory, bases) : slot.filled != nullptr ? slot.filled->data() : nullptr;
  }
  find_streams();
  if (!small_) return;
  calls_.clear();
  std::vector<std::byte*> at = base_;
  for (std::size_t s = 0; s < at.size(); ++s) {
    if (at[s] == nullptr) at[s] = scratch_base_ + slot_offset_[s];
  }
  for (const auto& op : code_.ops) {
    Call call{};
    call.kind = op.kind;
    call.map = op.map;
    const auto pointer = [&](int slot) { return slot < 0 ? nullptr : at[static_cast<std::size_t>(slot)]; };
    call.y = pointer(op.y);
    call.a = pointer(op.a);
    call.b = pointer(op.b);
    call.c = pointer(op.c);
    call.n = static_cast<std::size_t>(op.level == Level::kRow ? code_.rows : code_.rows * code_.cols);
    call.cols = static_cast<std::size_t>(code_.cols);
    call.stride = op.row_stride;
    call.col_stride = op.col_stride;
    call.size = op.y < 0 ? 0 : code_.slots[static_cast<std::size_t>(op.y)].size;
    if (op.kind == GroupCode::Kind::kReduceRows) {
      call.rows_kernel = op.reduction->rows[op.dtype];
    } else if (op.kind == GroupCode::Kind::kReduceColumns) {
      call.rows_kernel = nullptr;
    }
    if (op.kind != GroupCode::Kind::kMap) call.n = static_cast<std::size_t>(code_.rows);
    calls_.push_back(call);
  }
}

void GroupStep::run() {
  if (small_) {
    for (std::size_t i = 0; i < calls_.size(); ++i) {
      const Call& call = calls_[i];
      switch (call.kind) {
        case GroupCode::Kind::kMap:
          call.map(call.y, call.a, call.b, call.c, call.n);
          break;
        case GroupCode::Kind::kReduceRows:
          call.rows_kernel(call.y, call.a, call.n, call.cols);
          break;
        case GroupCode::Kind::kReduceColumns: {
          const auto& op = code_.ops[i];
          if (call.n <= kernels::kColumnGroup) {
            op.reduction->columns[op.dtype](call.y, call.a, call.n, call.cols, call.cols);
          } else {
            op.reduction->all_columns[op.dtype](call.y, call.a, call.n, call.cols, call.cols);
          }
          break;
        }
        case GroupCode::Kind::kExpandRows:
          kernels::expand_rows(call.y, call.a, call.n, call.cols, call.stride, call.size);
          break;
        case GroupCode::Kind::kExpandColumns:
          kernels::expand_columns(call.y, call.a, call.n, call.cols, call.size);
          break;
        case GroupCode::Kind::kRepeat:
          repeat(code_.ops[i], call.y, call.a, 0, code_.rows * code_.cols);
          break;
        case GroupCode::Kind::kBlock: {
          const std::int64_t cols = code_.ops[i].level == Level::kRow ? 1 : code_.cols;
          const std::int64_t shape[2] = {static_cast<std::int64_t>(call.n), cols};
          const std::int64_t to[2] = {cols, 1};
          const std::int64_t from[2] = {call.stride, call.col_stride};
          kernels::copy_strided(call.y, to, call.a, from, shape, 2, call.size);
          break;
        }
      }
    }
    return;
  }
  if (pieces_ == 1) {
    run_piece(0, 0);
  } else {
    base::parallel_for(
        pieces_, [this](std::int64_t piece, int thread) { run_piece(piece, thread); }, threads_);
  }
  finish();
}

void GroupStep::repeat(const GroupCode::Op& op, std::byte* y, const std::byte* x, std::int64_t first,
                       std::int64_t count) const {
  const auto& [shape, strides] = code_.repeated[op.repeated];
  kernels::copy_range(y, x, shape.data(), strides.data(), static_cast<int>(shape.size()), first, count,
                      code_.slots[static_cast<std::size_t>(op.y)].size);
}

void GroupStep::run_ops(std::byte** at, std::int64_t first, std::int64_t rows, std::int64_t cols, bool prologue,
                        std::byte* scratch) {
  const auto full = static_cast<std::size_t>(rows * cols);
  std::size_t fold = 0, chain = 0;
  std::int64_t offset = 0;
  const auto fetch_ahead = [&] {
    for (const Ahead& ahead : ahead_) {
      const std::byte* there = at[ahead.slot] + ahead.distance + offset;
      const std::byte* end = there + std::min(bytes_for_op_, ahead.bytes - offset);
      if (ahead.writes) {
        for (; there < end; there += 64) __builtin_prefetch(there, 1, 3);
      } else {
        for (; there < end; there += 64) __builtin_prefetch(there, 0, 3);
      }
    }
    offset += bytes_for_op_;
  };
  for (std::size_t i = 0; i < code_.ops.size(); ++i) {
    const auto& op = code_.ops[i];
    const bool folded = fold < folds_.size() && folds_[fold].op == i;
    if (!prologue && chain < chains_.size() && chains_[chain].first == i) {
      run_chain(chains_[chain], at, full);
      i = chains_[chain++].last - 1;
      continue;
    }
    if ((in_prologue_[i] != 0) == prologue) {
      if (!prologue && bytes_for_op_ != 0) fetch_ahead();
      const auto pointer = [&](int slot) { return slot < 0 ? nullptr : at[slot]; };
      switch (op.kind) {
        case GroupCode::Kind::kMap:
          op.map(at[op.y], pointer(op.a), pointer(op.b), pointer(op.c),
                 op.level == Level::kRow ? static_cast<std::size_t>(rows) : full);
          break;
        case GroupCode::Kind::kReduceRows:
          if (folded) {
            fold_row_block(fold, at[op.a], cols, scratch);
          } else {
            op.reduction->rows[op.dtype](at[op.y], at[op.a], static_cast<std::size_t>(rows),
                                         static_cast<std::size_t>(cols));
          }
          break;
        case GroupCode::Kind::kReduceColumns:
          fold_columns(fold, at[op.a], rows, cols, scratch);
          break;
        case GroupCode::Kind::kExpandRows:
          kernels::expand_rows(at[op.y], at[op.a], static_cast<std::size_t>(rows), static_cast<std::size_t>(cols),
                               op.row_stride, code_.slots[static_cast<std::size_t>(op.y)].size);
          break;
        case GroupCode::Kind::kExpandColumns:
          kernels::expand_columns(at[op.y], at[op.a], static_cast<std::size_t>(rows), static_cast<std::size_t>(cols),
                                  code_.slots[static_cast<std::size_t>(op.y)].size);
          break;
        case GroupCode::Kind::kRepeat:
          repeat(op, at[op.y], at[op.a], first, rows * cols);
          break;
        case GroupCode::Kind::kBlock: {
          const std::int64_t width = op.level == Level::kRow ? 1 : cols;
          const std::int64_t shape[2] = {rows, width};
          const std::int64_t to[2] = {width, 1};
          const std::int64_t from[2] = {op.row_stride, op.col_stride};
          kernels::copy_strided(at[op.y], to, at[op.a], from, shape, 2,
                                code_.slots[static_cast<std::size_t>(op.y)].size);
          break;
        }
      }
    }
    if (folded) ++fold;
  }
}

void GroupStep::run_piece(std::int64_t piece, int thread) {
  run_tiles(piece, thread);
  if (may_stream_) kernels::end_streams();  // not after every tile: it waits until all of them are in memory
}

void GroupStep::run_tiles(std::int64_t piece, int thread) {
  std::byte* scratch = scratch_base_ + static_cast<std::size_t>(thread) * pitch_;
  constexpr std::size_t kFewSlots = 64;
  std::byte* few[kFewSlots];
  std::vector<std::byte*> many;
  std::byte** at = few;
  if (base_.size() > kFewSlots) {
    many.resize(base_.size());
    at = many.data();
  }
  for (std::size_t s = 0; s < base_.size(); ++s) at[s] = base_[s] != nullptr ? base_[s] : scratch + slot_offset_[s];
  for (const FoldPlan& fold : folds_) std::memset(scratch + fold.offset, 0, 16);
  const std::int64_t row_piece = piece / col_pieces_, col_piece = piece % col_pieces_;
  const std::int64_t row_end = std::min(code_.rows, (row_piece + 1) * piece_rows_);
  const std::int64_t col_end = std::min(code_.cols, (col_piece + 1) * piece_cols_);
  const auto move = [&](std::int64_t r, std::int64_t c) {
    for (std::size_t s : moving_) {
      const auto& slot = code_.slots[s];
      at[s] = base_[s] + (r * slot.row_stride + c * slot.col_stride) * static_cast<std::int64_t>(slot.size);
    }
  };
  const auto partial = [&](std::size_t f, std::int64_t index, std::int64_t whole) {
    return partials_->data() + partial_offset_[f] +
           static_cast<std::size_t>(index) * aligned(static_cast<std::size_t>(whole) * folds_[f].size);
  };
  if (streaming_) {  // one row after the other, so that each is folded from its beginning
    for (std::int64_t r = row_piece * piece_rows_; r < row_end; ++r) {
      for (std::int64_t c = col_piece * piece_cols_; c < col_end; c += tile_cols_) {
        move(r, c);
        const std::int64_t cols = std::min(tile_cols_, col_end - c);
        run_ops(at, r * code_.cols + c, 1, cols, true, scratch);
        run_ops(at, r * code_.cols + c, 1, cols, false, scratch);
      }
      for (std::size_t f = 0; f < folds_.size(); ++f) {
        const auto& op = code_.ops[folds_[f].op];
        std::byte lanes[kernels::kLanes * 8];
        merge_down(f, lanes, scratch, kLanes);
        if (pieces_ == 1 || col_pieces_ == 1) {
          op.reduction->finish[op.dtype](
              base_[static_cast<std::size_t>(op.y)] + r * static_cast<std::int64_t>(folds_[f].size), lanes);
        } else {
          std::memcpy(
              partial(f, col_piece, kLanes * code_.rows) + static_cast<std::size_t>(r * kLanes) * folds_[f].size, lanes,
              kernels::kLanes * folds_[f].size);
        }
      }
    }
    return;
  }
  for (std::int64_t c = col_piece * piece_cols_; c < col_end; c += tile_cols_) {
    const std::int64_t cols = std::min(tile_cols_, col_end - c);
    const std::int64_t first = row_piece * piece_rows_;
    move(first, c);
    run_ops(at, first * code_.cols + c, std::min(tile_rows_, row_end - first), cols, true, scratch);
    for (std::int64_t r = first; r < row_end; r += tile_rows_) {
      move(r, c);
      run_ops(at, r * code_.cols + c, std::min(tile_rows_, row_end - r), cols, false, scratch);
    }
    for (std::size_t f = 0; f < folds_.size(); ++f) {
      const std::size_t at_column = static_cast<std::size_t>(c) * folds_[f].size;
      std::byte* y = pieces_ == 1 || pieces_ == col_pieces_ ? base_[static_cast<std::size_t>(code_.ops[folds_[f].op].y)]
                                                            : partial(f, row_piece, code_.cols);
      merge_down(f, y + at_column, scratch, cols);
    }
  }
}

// In the order of how far into its group a piece lies: the first half of all pieces is the first half of each group. A
// thread then updates the part of each weight whose gradient it has computed, and finds that in its own cache.
GroupBatchStep::GroupBatchStep(std::vector<std::unique_ptr<GroupStep>> groups) : groups_(std::move(groups)) {
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    for (std::int64_t piece = 0; piece < groups_[g]->pieces(); ++piece) pieces_.push_back({g, piece});
  }
  const auto middle = [&](const Piece& p) {
    return (static_cast<double>(p.piece) + 0.5) / static_cast<double>(groups_[p.group]->pieces());
  };
  std::sort(pieces_.begin(), pieces_.end(), [&](const Piece& a, const Piece& b) {
    return std::pair(middle(a), a.group) < std::pair(middle(b), b.group);
  });
}

std::size_t GroupBatchStep::scratch() const {
  std::size_t most = 0;
  for (const auto& group : groups_) most = std::max(most, group->scratch());
  return most;
}

void GroupBatchStep::bind(std::byte* const* bases) {
  for (const auto& group : groups_) {
    group->set_threads(threads_, pitch_);
    group->bind(bases);
  }
}

void GroupBatchStep::run() {
  bool all_small = true;
  for (const auto& group : groups_) all_small = all_small && group->is_small();
  if (all_small) {
    for (const auto& group : groups_) group->run();
    return;
  }
  base::parallel_for(
      static_cast<std::int64_t>(pieces_.size()),
      [this](std::int64_t i, int thread) {
        const Piece& p = pieces_[static_cast<std::size_t>(i)];
        groups_[p.group]->run_piece(p.piece, thread);
      },
      threads_);
  for (const auto& group : groups_) group->finish();
}

}  // namespace pellucid::graph
