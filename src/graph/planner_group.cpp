// From a cluster of maps and reductions to the program of a group.
#include "graph/planner.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "graph/plan_steps.h"

namespace pellucid::graph {

StoragePtr Planner::constant_tile(const Value& value, DType dtype, std::int64_t elements) {
  std::uint64_t bits = 0;
  const std::size_t size = size_of(dtype);
  std::memcpy(&bits, value.constant->data() + value.offset * static_cast<std::int64_t>(size), size);
  tiles_.resize(kDTypes);
  auto& list = tiles_[static_cast<std::size_t>(dtype)];
  for (const StoragePtr& storage : list) {
    if (storage->bytes() >= static_cast<std::size_t>(elements) * size && std::memcmp(storage->data(), &bits, size) == 0)
      return storage;
  }
  StoragePtr storage = Storage::allocate(static_cast<std::size_t>(elements) * size);
  kernels::fill(storage->data(), &bits, static_cast<std::size_t>(elements), size);
  list.push_back(storage);
  return storage;
}

/// Builds the program of one group: its slots, the loads of its operands, its operations.
class GroupBuilder {
 public:
  GroupBuilder(Planner& planner, const std::vector<std::int32_t>& members, const Space& space)
      : planner_(planner), graph_(planner.graph_), members_(members), space_(space) {
    code_.rows = space.rows;
    code_.cols = space.cols;
  }

  GroupCode build() {
    code_.single_rows = reads_parts_of_rows();
    for (std::int32_t i : members_) add(i);
    return std::move(code_);
  }
  std::int64_t bytes() const { return bytes_; }
  std::int64_t operations() const { return operations_; }

 private:
  using Kind = GroupCode::Kind;
  using Op = GroupCode::Op;

  GroupCode::Slot& slot(int s) { return code_.slots[static_cast<std::size_t>(s)]; }
  std::int64_t elements() const { return space_.rows * space_.cols; }

  /// True where an operand has long rows with gaps between them, as a part of a split has: they are read where they lie
  /// in tiles that do not go beyond a row.
  bool reads_parts_of_rows() const {
    constexpr std::int64_t kLongRow = 256;
    if (space_.split || space_.rows == 1 || space_.cols < kLongRow) return false;
    return std::any_of(members_.begin(), members_.end(), [&](std::int32_t i) {
      const auto& inputs = graph_.instructions[static_cast<std::size_t>(i)].inputs;
      return std::any_of(inputs.begin(), inputs.end(), [&](ValueId v) {
        const Layout& layout = planner_.lies_[static_cast<std::size_t>(v)].layout;
        std::int64_t row_stride = 0, col_stride = 0;
        return !is_contiguous(layout.shape, layout.strides) &&
               as_matrix(layout, space_.rows, space_.cols, row_stride, col_stride) && row_stride != 0 &&
               col_stride == 1;
      });
    });
  }

  int new_slot(std::size_t size, Level level) {
    GroupCode::Slot made;
    made.size = size;
    made.level = level;
    code_.slots.push_back(made);
    return static_cast<int>(code_.slots.size() - 1);
  }

  int memory_slot(Ref ref, std::size_t size, Level level, std::int64_t row_stride, std::int64_t col_stride) {
    const int s = new_slot(size, level);
    slot(s).in_memory = true;
    slot(s).memory = ref;
    slot(s).row_stride = row_stride;
    slot(s).col_stride = col_stride;
    return s;
  }

  /// A row value repeated along its rows, once for all its users.
  int expanded(int row_slot, std::size_t size) {
    for (const auto& [from, to] : expanded_) {
      if (from == row_slot) return to;
    }
    Op op;
    op.kind = Kind::kExpandRows;
    op.a = row_slot;
    op.y = new_slot(size, Level::kFull);
    op.row_stride = 1;
    code_.ops.push_back(op);
    expanded_.emplace_back(row_slot, op.y);
    return op.y;
  }

  /// A slot that holds the value at the wanted level: made here, loaded before, or loaded now.
  int operand(ValueId v, Level wanted) {
    const ValueId root = planner_.lies_[static_cast<std::size_t>(v)].root;
    for (const auto& [value, s] : made_) {
      if (value == root) return slot(s).level == wanted ? s : expanded(s, slot(s).size);
    }
    for (const auto& [key, s] : loaded_) {
      if (key.first == v && key.second == wanted) return s;
    }
    const int s = loaded(v, wanted);
    loaded_.push_back({{v, wanted}, s});
    bytes_ += static_cast<std::int64_t>(graph_.value(root).bytes());
    return s;
  }

  int loaded(ValueId v, Level wanted) {
    const Lie& lie = planner_.lies_[static_cast<std::size_t>(v)];
    const Value& root = graph_.value(lie.root);
    const DType dtype = graph_.value(v).dtype;
    const std::size_t size = size_of(dtype);
    const std::int64_t rows = space_.rows, cols = wanted == Level::kRow ? 1 : space_.cols;
    std::int64_t row_stride = cols, col_stride = 1;
    if (!is_contiguous(lie.layout.shape, lie.layout.strides)) {
      if (!as_matrix(lie.layout, rows, cols, row_stride, col_stride)) {
        if (wanted == Level::kFull && repeats(lie.layout)) return repeated(v, lie.layout);
        const Ref ref = planner_.copied(lie, dtype, graph_.value(v).shape);
        return memory_slot(ref, size, wanted, cols, wanted == Level::kRow ? 0 : 1);
      }
      if (rows == 1) row_stride = cols;
      if (cols == 1) col_stride = 1;
    }
    const bool one_number = (row_stride == 0 || rows == 1) && (col_stride == 0 || cols == 1) && root.count() == 1;
    if (one_number && root.is_constant()) {
      const int s = new_slot(size, wanted);
      const std::int64_t tile = std::max(kTile, std::min(space_.cols, kLongestRow));
      slot(s).filled = planner_.constant_tile(root, dtype, std::min(tile, elements()));
      return s;
    }
    if (wanted == Level::kRow) {
      if (row_stride == 1 || rows == 1) return memory_slot(planner_.read(v), size, Level::kRow, 1, 0);
      return load(v, wanted, Kind::kBlock, row_stride, 1, row_stride, 0);
    }
    if (col_stride == 1 && (row_stride == cols || (code_.single_rows && row_stride != 0))) {
      return memory_slot(planner_.read(v), size, Level::kFull, row_stride, 1);
    }
    if (col_stride == 0) return load(v, wanted, Kind::kExpandRows, row_stride, 0, row_stride, 0);
    if (row_stride == 0 && col_stride == 1) {
      const bool single_rows = code_.single_rows || (cols > kTile && !(space_.split && cols <= kLongestRow));
      if (single_rows) return memory_slot(planner_.read(v), size, Level::kFull, 0, 1);
      return load(v, wanted, Kind::kExpandColumns, 0, 1, 0, 1);
    }
    return load(v, wanted, Kind::kBlock, row_stride, col_stride, row_stride, col_stride);
  }

  /// True where each element of memory is read so often that a copy of the whole costs more than one for each tile.
  static bool repeats(const Layout& layout) {
    constexpr std::int64_t kOften = 4;
    std::int64_t elements = 1;  // in memory
    for (std::size_t d = 0; d < layout.shape.size(); ++d) elements *= layout.strides[d] != 0 ? layout.shape[d] : 1;
    return kOften * elements <= count_of(layout.shape);
  }

  int repeated(ValueId v, const Layout& layout) {
    GroupCode::Repeated made;  // neighbours joined
    for (std::size_t d = 0; d < layout.shape.size(); ++d) {
      const std::int64_t n = layout.shape[d], stride = layout.strides[d];
      if (n == 1) continue;
      if (!made.shape.empty() && made.strides.back() == n * stride) {
        made.shape.back() *= n;
        made.strides.back() = stride;
      } else {
        made.shape.push_back(n);
        made.strides.push_back(stride);
      }
    }
    const int y = load(v, Level::kFull, Kind::kRepeat, 0, 0, 0, 0);
    code_.ops.back().repeated = code_.repeated.size();
    code_.repeated.push_back(std::move(made));
    return y;
  }

  int load(ValueId v, Level wanted, Kind kind, std::int64_t row_stride, std::int64_t col_stride, std::int64_t move_row,
           std::int64_t move_col) {
    const std::size_t size = size_of(graph_.value(v).dtype);
    Op op;
    op.kind = kind;
    op.a = memory_slot(planner_.read(v), size, Level::kFull, move_row, move_col);
    op.y = new_slot(size, wanted);
    op.level = wanted;
    op.row_stride = row_stride;
    op.col_stride = col_stride;
    code_.ops.push_back(op);
    return op.y;
  }

  void add(std::int32_t i) {
    const Instruction& instruction = graph_.instructions[static_cast<std::size_t>(i)];
    const Value& result = graph_.value(instruction.outputs[0]);
    Op op = instruction.record->kind == ops::Kind::kReduce ? reduction(instruction, result) : map(instruction, result);
    const std::size_t size = size_of(result.dtype);
    if (needed_outside(i, instruction.outputs[0], op.reduction != nullptr)) {
      const Ref ref = planner_.write(instruction.outputs[0]);
      op.y = op.level == Level::kFull  ? memory_slot(ref, size, op.level, space_.cols, 1)
             : op.level == Level::kRow ? memory_slot(ref, size, op.level, 1, 0)
                                       : memory_slot(ref, size, op.level, 0, 1);
      bytes_ += static_cast<std::int64_t>(result.bytes());
    } else {
      op.y = new_slot(size, op.level);
    }
    code_.ops.push_back(op);
    made_.emplace_back(instruction.outputs[0], op.y);
  }

  Op reduction(const Instruction& instruction, const Value& result) {
    Op op;
    op.kind = instruction.attributes.flag ? Kind::kReduceColumns : Kind::kReduceRows;
    op.level = instruction.attributes.flag ? Level::kColumn : Level::kRow;
    op.reduction = &(kernels::reduce_table().*(instruction.record->reduction));
    op.dtype = result.dtype;
    op.a = operand(instruction.inputs[0], Level::kFull);
    operations_ += elements();
    return op;
  }

  Op map(const Instruction& instruction, const Value& result) {
    Op op;
    op.kind = Kind::kMap;
    op.level = result.count() == elements() ? Level::kFull : Level::kRow;
    const std::size_t data = instruction.inputs.size() == 3 ? 1 : 0;  // the first is a condition, or like the others
    const DType dtype = graph_.value(instruction.inputs[data]).dtype;
    op.map = instruction.record->map(dtype, result.dtype);
    if (op.map == nullptr) base::fail("{}: no kernel for {}", instruction.record->name, dtype);
    op.a = operand(instruction.inputs[0], op.level);
    if (instruction.inputs.size() > 1) op.b = operand(instruction.inputs[1], op.level);
    if (instruction.inputs.size() > 2) op.c = operand(instruction.inputs[2], op.level);
    operations_ += result.count();
    return op;
  }

  /// By another step, as an output, or through a view; a reduction that nobody reads (`dce` off) ends in memory too.
  bool needed_outside(std::int32_t i, ValueId out, bool reduces) const {
    const auto o = static_cast<std::size_t>(out);
    if (planner_.output_of_[o] >= 0 || planner_.copied_out_[o] != 0) return true;
    const auto& readers = planner_.readers_[o];
    if (reduces && readers.empty()) return true;
    return std::any_of(readers.begin(), readers.end(), [&](std::int32_t user) {
      return planner_.group_[static_cast<std::size_t>(user)] != planner_.group_[static_cast<std::size_t>(i)];
    });
  }

  Planner& planner_;
  const Graph& graph_;
  const std::vector<std::int32_t>& members_;
  const Space& space_;
  GroupCode code_;
  std::vector<std::pair<ValueId, int>> made_;                      // results of members
  std::vector<std::pair<std::pair<ValueId, Level>, int>> loaded_;  // operands, by value and level
  std::vector<std::pair<int, int>> expanded_;                      // row slots and what they expand to
  std::int64_t bytes_ = 0, operations_ = 0;
};

// Rows are as long as the longest broadcast row among the operands, so that it is read as a column value.
Space Planner::rows_of_broadcasts(const std::vector<std::int32_t>& members, std::int64_t n) const {
  for (std::int32_t i : members) {
    for (ValueId in : graph_.instructions[static_cast<std::size_t>(i)].inputs) {
      const Layout& layout = lies_[static_cast<std::size_t>(in)].layout;
      if (is_contiguous(layout.shape, layout.strides)) continue;
      std::int64_t inner = 1;
      for (std::size_t d = layout.shape.size(); d-- > 0 && inner < n;) {
        std::int64_t row_stride = 0, col_stride = 0;
        inner *= layout.shape[d];
        if (inner == n || inner == 1 || !as_matrix(layout, n / inner, inner, row_stride, col_stride)) continue;
        if (row_stride != 0 || col_stride != 0) return {n / inner, inner, false};
      }
    }
  }
  return {1, n, false};
}

void Planner::emit_empty(const std::vector<std::int32_t>& members, const std::string& title) {
  for (std::int32_t i : members) {
    const Instruction& instruction = graph_.instructions[static_cast<std::size_t>(i)];
    const Ref y = write(instruction.outputs[0]);
    if (instruction.record->kind != ops::Kind::kReduce) continue;
    const auto& reduction = kernels::reduce_table().*(instruction.record->reduction);
    const Value& result = graph_.value(instruction.outputs[0]);
    add_step(std::make_unique<EmptyReduceStep>(reduction, result.dtype, y, result.count()), members, title);
  }
}

void Planner::emit_group(const std::vector<std::int32_t>& members) {
  std::string title;
  for (std::int32_t i : members) {
    title += (title.empty() ? "" : ", ") + std::string(graph_.instructions[static_cast<std::size_t>(i)].record->name);
  }
  Space space;
  analyse(graph_, lies_, members, space);
  if (space.rows * space.cols == 0) return emit_empty(members, title);
  if (!space.split) space = rows_of_broadcasts(members, space.cols);
  GroupBuilder builder(*this, members, space);
  GroupCode code = builder.build();
  for (const auto& slot : code.slots) {
    if (slot.in_memory) keep_until_now(slot.memory);  // copies of operands came before this step
  }
  note_touches(code);
  auto step = std::make_unique<GroupStep>(std::move(code));
  step->bytes = builder.bytes();
  step->operations = builder.operations();
  add_step(std::move(step), members, title + fmt::format(" over [{}, {}]", space.rows, space.cols));
}

// What a group reads and writes in memory, and at which of its operations.
void Planner::note_touches(const GroupCode& code) {
  touches_.resize(plan_.steps_.size() + 1);
  auto& touches = touches_.back();
  for (std::size_t i = 0; i < code.ops.size(); ++i) {
    const auto& op = code.ops[i];
    for (int s : {op.a, op.b, op.c, op.y}) {
      if (s < 0 || !code.slots[static_cast<std::size_t>(s)].in_memory) continue;
      const auto& slot = code.slots[static_cast<std::size_t>(s)];
      const bool dense = op.kind == GroupCode::Kind::kMap && slot.level == Level::kFull &&
                         slot.row_stride == code.cols && slot.col_stride == 1 && slot.memory.offset == 0;
      touches.push_back({slot.memory.base - kFirstBase, static_cast<std::int32_t>(i), s == op.y, dense});
    }
  }
}

}  // namespace pellucid::graph
