// Reductions of a group: partial results as the digits of a binary counter, and how pieces' are joined.
#include <cstring>

#include "graph/group.h"

namespace pellucid::graph {

namespace {

constexpr auto kLanes = static_cast<std::int64_t>(kernels::kLanes);
constexpr auto kColumnGroup = static_cast<std::int64_t>(kernels::kColumnGroup);

}  // namespace

// Partial results wait in levels, as the digits of a binary counter; at a fold's offset stands the count, then the
// levels.
void GroupStep::fold_columns(std::size_t which, const std::byte* x, std::int64_t rows, std::int64_t cols,
                             std::byte* scratch) {
  const FoldPlan& fold = folds_[which];
  const auto& op = code_.ops[fold.op];
  auto* state =
      reinterpret_cast<std::int64_t*>(scratch + fold.offset);  // [0] finished groups, [1] rows in the open one
  const std::size_t pitch = aligned(static_cast<std::size_t>(fold.elements) * fold.size);
  std::byte* open = scratch + fold.offset + 64;
  const auto n = static_cast<std::size_t>(cols);
  while (rows > 0) {
    if (state[1] == 0 && rows >= kColumnGroup) {
      op.reduction->columns[op.dtype](open, x, kernels::kColumnGroup, n, n);
      x += kernels::kColumnGroup * n * fold.size;
      rows -= kColumnGroup;
      state[1] = kColumnGroup;
    } else {
      if (state[1] == 0) {
        std::memcpy(open, x, n * fold.size);
      } else {
        op.reduction->merge[op.dtype](open, open, x, nullptr, n);
      }
      x += n * fold.size;
      --rows;
      ++state[1];
    }
    if (state[1] == kColumnGroup) {
      std::int64_t level = 0;
      for (; (state[0] >> level & 1) != 0; ++level) {
        op.reduction->merge[op.dtype](open, open + pitch * static_cast<std::size_t>(level + 1), open, nullptr, n);
      }
      std::memcpy(open + pitch * static_cast<std::size_t>(level + 1), open, n * fold.size);
      ++state[0];
      state[1] = 0;
    }
  }
}

void GroupStep::fold_row_block(std::size_t which, const std::byte* x, std::int64_t cols, std::byte* scratch) {
  const FoldPlan& fold = folds_[which];
  const auto& op = code_.ops[fold.op];
  auto* state = reinterpret_cast<std::int64_t*>(scratch + fold.offset);
  const std::size_t pitch = aligned(static_cast<std::size_t>(fold.elements) * fold.size);
  std::byte* open = scratch + fold.offset + 64;
  op.reduction->lanes[op.dtype](open, x, static_cast<std::size_t>(cols));
  std::int64_t level = 0;
  for (; (state[0] >> level & 1) != 0; ++level) {
    op.reduction->merge[op.dtype](open, open + pitch * static_cast<std::size_t>(level + 1), open, nullptr,
                                  kernels::kLanes);
  }
  std::memcpy(open + pitch * static_cast<std::size_t>(level + 1), open, kernels::kLanes * fold.size);
  ++state[0];
}

// What is left is merged from the smallest towards the largest; the result lands in `into`, and the counter starts
// again.
void GroupStep::merge_down(std::size_t which, std::byte* into, std::byte* scratch, std::int64_t elements) {
  const FoldPlan& fold = folds_[which];
  const auto& op = code_.ops[fold.op];
  auto* state = reinterpret_cast<std::int64_t*>(scratch + fold.offset);
  const std::size_t pitch = aligned(static_cast<std::size_t>(fold.elements) * fold.size);
  std::byte* open = scratch + fold.offset + 64;
  const auto n = static_cast<std::size_t>(elements);
  bool any = state[1] != 0;
  for (std::int64_t level = 0; state[0] >> level != 0; ++level) {
    if ((state[0] >> level & 1) == 0) continue;
    const std::byte* partial = open + pitch * static_cast<std::size_t>(level + 1);
    if (any) {
      op.reduction->merge[op.dtype](open, partial, open, nullptr, n);
    } else {
      std::memcpy(open, partial, n * fold.size);
      any = true;
    }
  }
  std::memcpy(into, open, n * fold.size);
  state[0] = state[1] = 0;
}

// Partials of pieces are merged as those of groups are, on one thread, in place.
void GroupStep::finish() {
  if (pieces_ == 1 || folds_.empty()) return;
  const std::int64_t count = streaming_ ? col_pieces_ : pieces_ / col_pieces_;
  if (count == 1) return;
  for (std::size_t f = 0; f < folds_.size(); ++f) {
    const auto& op = code_.ops[folds_[f].op];
    const std::int64_t whole = streaming_ ? kLanes * code_.rows : code_.cols;
    const std::size_t pitch = aligned(static_cast<std::size_t>(whole) * folds_[f].size);
    std::byte* first = partials_->data() + partial_offset_[f];
    const auto merge = [&](std::int64_t into, std::int64_t from) {
      op.reduction->merge[op.dtype](
          first + static_cast<std::size_t>(into) * pitch, first + static_cast<std::size_t>(into) * pitch,
          first + static_cast<std::size_t>(from) * pitch, nullptr, static_cast<std::size_t>(whole));
    };
    for (std::int64_t step = 1; step < count; step *= 2) {
      for (std::int64_t i = 0; i + step < count; i += 2 * step) merge(i, i + step);
    }
    std::byte* y = base_[static_cast<std::size_t>(op.y)];
    if (streaming_) {
      for (std::int64_t r = 0; r < code_.rows; ++r) {
        op.reduction->finish[op.dtype](y + r * static_cast<std::int64_t>(folds_[f].size),
                                       first + static_cast<std::size_t>(r * kLanes) * folds_[f].size);
      }
    } else {
      std::memcpy(y, first, static_cast<std::size_t>(whole) * folds_[f].size);
    }
  }
}

}  // namespace pellucid::graph
