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

void Planner::emit_group(const std::vector<std::int32_t>& members) {
  Space space;
  analyse(graph_, lies_, members, space);
  const std::int64_t n = space.rows * space.cols;
  std::string title;
  std::int64_t bytes = 0, operations = 0;
  const auto instruction_at = [&](std::int32_t i) -> const Instruction& {
    return graph_.instructions[static_cast<std::size_t>(i)];
  };
  for (std::int32_t i : members) title += (title.empty() ? "" : ", ") + std::string(instruction_at(i).record->name);
  if (n == 0) {
    for (std::int32_t i : members) {
      const Instruction& instruction = instruction_at(i);
      const Ref y = write(instruction.outputs[0]);
      if (instruction.record->kind != ops::Kind::kReduce) continue;
      const auto& reduction = kernels::reduce_table().*(instruction.record->reduction);
      add_step(std::make_unique<EmptyReduceStep>(reduction, graph_.value(instruction.outputs[0]).dtype, y,
                                                 graph_.value(instruction.outputs[0]).count()),
               members, title);
    }
    return;
  }
  if (!space.split) {
    // Rows are as long as the longest broadcast row among the operands, so that it is read as a column value.
    for (std::int32_t i : members) {
      for (ValueId in : instruction_at(i).inputs) {
        const Layout& layout = lies_[static_cast<std::size_t>(in)].layout;
        std::int64_t inner = 1;
        for (std::size_t d = layout.shape.size(); d-- > 0;) {
          std::int64_t row_stride = 0, col_stride = 0;
          inner *= layout.shape[d];
          if (inner == n || space.cols != n) break;
          if (inner > 1 && as_matrix(layout, n / inner, inner, row_stride, col_stride) &&
              !is_contiguous(layout.shape, layout.strides) && (row_stride != 0 || col_stride != 0)) {
            space = {n / inner, inner, false};
          }
        }
      }
    }
  }
  GroupCode code;
  code.rows = space.rows;
  code.cols = space.cols;
  using Kind = GroupCode::Kind;
  const auto inside = [&](ValueId root) {
    const std::int32_t producer = graph_.value(root).producer;
    return producer >= 0 && std::binary_search(members.begin(), members.end(), producer);
  };
  std::vector<std::pair<ValueId, int>> made;                      // results of members
  std::vector<std::pair<std::pair<ValueId, Level>, int>> loaded;  // operands, by value and level
  std::vector<std::pair<int, int>> expanded;                      // row slots and what they expand to
  const auto new_slot = [&](std::size_t size, Level level) {
    GroupCode::Slot slot;
    slot.size = size;
    slot.level = level;
    code.slots.push_back(slot);
    return static_cast<int>(code.slots.size() - 1);
  };
  const auto memory_slot = [&](Ref ref, std::size_t size, Level level, std::int64_t row_stride,
                               std::int64_t col_stride) {
    const int s = new_slot(size, level);
    auto& slot = code.slots[static_cast<std::size_t>(s)];
    slot.in_memory = true;
    slot.memory = ref;
    slot.row_stride = row_stride;
    slot.col_stride = col_stride;
    return s;
  };
  const auto expand = [&](int row_slot, std::size_t size) {
    for (const auto& [from, to] : expanded) {
      if (from == row_slot) return to;
    }
    GroupCode::Op op;
    op.kind = Kind::kExpandRows;
    op.a = row_slot;
    op.y = new_slot(size, Level::kFull);
    op.row_stride = 1;
    code.ops.push_back(op);
    expanded.emplace_back(row_slot, op.y);
    return op.y;
  };
  const std::int64_t tile = std::max(kTile, std::min(space.cols, kLongestRow));
  // A slot that holds `value` at the wanted level, loaded or expanded where it must be.
  const auto operand = [&](ValueId v, Level wanted) -> int {
    const Lie& lie = lies_[static_cast<std::size_t>(v)];
    const DType dtype = graph_.value(v).dtype;
    const std::size_t size = size_of(dtype);
    if (inside(lie.root)) {
      for (const auto& [value, slot] : made) {
        if (value != lie.root) continue;
        return code.slots[static_cast<std::size_t>(slot)].level == wanted ? slot : expand(slot, size);
      }
    }
    for (const auto& [key, slot] : loaded) {
      if (key.first == v && key.second == wanted) return slot;
    }
    const std::int64_t rows = space.rows, cols = wanted == Level::kRow ? 1 : space.cols;
    std::int64_t row_stride = 0, col_stride = 0;
    int slot = -1;
    const auto load = [&](Kind kind, std::int64_t rs, std::int64_t cs, std::int64_t move_row, std::int64_t move_col) {
      GroupCode::Op op;
      op.kind = kind;
      op.a = memory_slot(read(v), size, Level::kFull, move_row, move_col);
      op.y = new_slot(size, wanted);
      op.level = wanted;
      op.row_stride = rs;
      op.col_stride = cs;
      code.ops.push_back(op);
      return op.y;
    };
    Layout layout = lie.layout;
    bool matrix = as_matrix(layout, rows, cols, row_stride, col_stride);
    const bool dense = is_contiguous(layout.shape, layout.strides);
    if (dense) {
      matrix = true;
      row_stride = cols;
      col_stride = 1;
    }
    if (rows == 1) row_stride = cols;
    if (cols == 1) col_stride = 1;
    if (!matrix) {
      const Ref ref = copied(lie, dtype, graph_.value(v).shape);
      buffers_[static_cast<std::size_t>(ref.base - kFirstBase)].last = step_index() + 16;
      slot = memory_slot(ref, size, wanted, cols, wanted == Level::kRow ? 0 : 1);
    } else if (graph_.value(lie.root).is_constant() &&
               ((row_stride == 0 || rows == 1) && (col_stride == 0 || cols == 1)) &&
               graph_.value(lie.root).count() == 1) {
      slot = new_slot(size, wanted);
      Value value = graph_.value(lie.root);
      code.slots[static_cast<std::size_t>(slot)].filled =
          constant_tile(value, dtype, std::min(tile, std::max(n, std::int64_t{1})));
    } else if (wanted == Level::kRow) {
      slot = row_stride == 1 || rows == 1 ? memory_slot(read(v), size, Level::kRow, 1, 0)
                                          : load(Kind::kBlock, row_stride, 1, row_stride, 0);
    } else if (row_stride == cols && col_stride == 1) {
      slot = memory_slot(read(v), size, Level::kFull, cols, 1);
    } else if (col_stride == 0) {
      slot = load(Kind::kExpandRows, row_stride, 0, row_stride, 0);
    } else if (row_stride == 0 && col_stride == 1) {
      slot = cols > kTile && !(space.split && cols <= kLongestRow) ? memory_slot(read(v), size, Level::kFull, 0, 1)
                                                                   : load(Kind::kExpandColumns, 0, 1, 0, 1);
    } else {
      slot = load(Kind::kBlock, row_stride, col_stride, row_stride, col_stride);
    }
    loaded.push_back({{v, wanted}, slot});
    return slot;
  };
  for (std::int32_t i : members) {
    const Instruction& instruction = instruction_at(i);
    const ValueId out = instruction.outputs[0];
    const Value& result = graph_.value(out);
    GroupCode::Op op;
    Level level = Level::kFull;
    if (instruction.record->kind == ops::Kind::kReduce) {
      op.kind = instruction.attributes.flag ? Kind::kReduceColumns : Kind::kReduceRows;
      level = instruction.attributes.flag ? Level::kColumn : Level::kRow;
      op.reduction = &(kernels::reduce_table().*(instruction.record->reduction));
      op.dtype = result.dtype;
      op.a = operand(instruction.inputs[0], Level::kFull);
      operations += n;
    } else {
      op.kind = Kind::kMap;
      level = result.count() == n ? Level::kFull : Level::kRow;
      const std::size_t data = instruction.inputs.size() == 3 ? 1 : 0;
      op.map = instruction.record->map(graph_.value(instruction.inputs[data]).dtype, result.dtype);
      if (op.map == nullptr) {
        throw Error(fmt::format("{}: no kernel for {}", instruction.record->name,
                                name_of(graph_.value(instruction.inputs[data]).dtype)));
      }
      op.a = operand(instruction.inputs[0], level);
      if (instruction.inputs.size() > 1) op.b = operand(instruction.inputs[1], level);
      if (instruction.inputs.size() > 2) op.c = operand(instruction.inputs[2], level);
      operations += result.count();
    }
    // Needed outside: by another step, as an output, or through a view that is read by another step.
    bool outside = output_of_[static_cast<std::size_t>(out)] >= 0;
    outside = outside || copied_out_[static_cast<std::size_t>(out)] != 0;
    // Nobody reads it, with `dce` off: reductions end in memory all the same.
    outside = outside || (op.reduction != nullptr && readers_[static_cast<std::size_t>(out)].empty());
    for (std::int32_t u : readers_[static_cast<std::size_t>(out)]) {
      outside = outside || group_[static_cast<std::size_t>(u)] != group_[static_cast<std::size_t>(i)];
    }
    const std::size_t size = size_of(result.dtype);
    if (outside) {
      op.y = level == Level::kFull  ? memory_slot(write(out), size, level, space.cols, 1)
             : level == Level::kRow ? memory_slot(write(out), size, level, 1, 0)
                                    : memory_slot(write(out), size, level, 0, 1);
      bytes += static_cast<std::int64_t>(result.bytes());
    } else {
      op.y = new_slot(size, level);
    }
    op.level = level;
    code.ops.push_back(op);
    made.emplace_back(out, op.y);
  }
  for (const auto& [key, slot] : loaded)
    bytes += static_cast<std::int64_t>(graph_.value(lies_[static_cast<std::size_t>(key.first)].root).bytes());
  // Copies of operands came before this step: whatever it touches lives until now.
  for (const auto& slot : code.slots) {
    if (slot.in_memory) {
      Buffer& buffer = buffers_[static_cast<std::size_t>(slot.memory.base - kFirstBase)];
      buffer.last = std::max(buffer.last, step_index());
    }
  }
  title += fmt::format(" over [{}, {}]", space.rows, space.cols);
  note_touches(code);
  auto step = std::make_unique<GroupStep>(std::move(code));
  step->bytes = bytes;
  step->operations = operations;
  add_step(std::move(step), members, std::move(title));
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
