// Making a plan of a graph: order, kernels, addresses.
#include "graph/planner.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <queue>

#include "base/thread_pool.h"
#include "graph/plan_steps.h"

namespace pellucid::graph {

namespace {

std::size_t aligned(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

}  // namespace

Planner::Planner(Plan& plan, const PlanOptions& options)
    : plan_(plan), graph_(plan.graph_), options_(options), lies_(lay_out(graph_)) {
  buffer_of_.assign(graph_.values.size(), -1);
  output_of_.assign(graph_.values.size(), -1);
}

void Planner::run() {
  group_ = fuse(graph_, pass_enabled("fuse") && !plan_.check_nan_);
  plan_.bases_.assign(kFirstBase, nullptr);
  plan_.input_base_ = plan_.bases_.size();
  plan_.bases_.resize(plan_.bases_.size() + graph_.inputs.size(), nullptr);
  plan_.output_base_ = plan_.bases_.size();
  plan_.bases_.resize(plan_.bases_.size() + graph_.outputs.size(), nullptr);
  assign_outputs();
  readers_.resize(graph_.values.size());
  for (std::size_t u = 0; u < graph_.instructions.size(); ++u) {
    if (group_[u] < 0) continue;
    for (ValueId in : graph_.instructions[u].inputs) {
      readers_[static_cast<std::size_t>(lies_[static_cast<std::size_t>(in)].root)].push_back(
          static_cast<std::int32_t>(u));
    }
  }
  copied_out_.assign(graph_.values.size(), 0);
  for (const OutputCopy& copy : copies_) {
    copied_out_[static_cast<std::size_t>(lies_[static_cast<std::size_t>(copy.value)].root)] = 1;
  }
  order_clusters();
  for (const Cluster& cluster : clusters_) {
    emit(cluster);
    touches_.resize(plan_.steps_.size());
    if (cluster.sink) sinks_.push_back(step_index() - 1);
  }
  emit_copies();
  place();
  batch_sinks();
}

// An output is made where the caller wants it, unless it is a view, an input, a constant, or given twice.
void Planner::assign_outputs() {
  used_.assign(graph_.values.size(), 0);
  for (const Instruction& instruction : graph_.instructions) {
    for (ValueId in : instruction.inputs) used_[static_cast<std::size_t>(lies_[static_cast<std::size_t>(in)].root)] = 1;
  }
  for (std::size_t j = 0; j < graph_.outputs.size(); ++j) {
    const ValueId v = graph_.outputs[j];
    const Lie& lie = lies_[static_cast<std::size_t>(v)];
    used_[static_cast<std::size_t>(lie.root)] = 1;
    const Value& root = graph_.value(lie.root);
    const std::int32_t own = j < options_.in_place.size() ? options_.in_place[j] : -1;
    if (own >= 0 && root.input == own && straight(v)) continue;  // the state stays as it is
    const bool made_here = root.producer >= 0 && lie.layout.offset == 0 &&
                           is_contiguous(lie.layout.shape, lie.layout.strides) &&
                           root.count() == count_of(lie.layout.shape);
    if (made_here && output_of_[static_cast<std::size_t>(lie.root)] < 0) {
      output_of_[static_cast<std::size_t>(lie.root)] = static_cast<std::int32_t>(j);
    } else {
      copies_.push_back({j, v});
    }
  }
}

bool Planner::straight(ValueId value) const {
  const Layout& layout = lies_[static_cast<std::size_t>(value)].layout;
  return is_contiguous(layout.shape, layout.strides);
}

// Clusters in an order of dependence; those that only write outputs come last, so that they may write over what others
// read.
void Planner::order_clusters() {
  const std::size_t count = graph_.instructions.size();
  std::vector<std::int32_t> producer(graph_.values.size(), -1), cluster_of(count, -1);
  std::vector<std::int32_t> number(count, -1);
  for (std::size_t i = 0; i < count; ++i) {
    const Instruction& instruction = graph_.instructions[i];
    if (group_[i] < 0) {
      producer[static_cast<std::size_t>(instruction.outputs[0])] =
          producer[static_cast<std::size_t>(instruction.inputs[0])];
      continue;
    }
    for (ValueId out : instruction.outputs) producer[static_cast<std::size_t>(out)] = static_cast<std::int32_t>(i);
    auto& slot = number[static_cast<std::size_t>(group_[i])];
    if (slot < 0) {
      slot = static_cast<std::int32_t>(clusters_.size());
      clusters_.emplace_back();
    }
    cluster_of[i] = slot;
    clusters_[static_cast<std::size_t>(slot)].members.push_back(static_cast<std::int32_t>(i));
  }
  std::vector<std::vector<std::int32_t>> next(clusters_.size());
  std::vector<std::int32_t> waiting(clusters_.size(), 0);
  for (std::size_t i = 0; i < count; ++i) {
    if (cluster_of[i] < 0) continue;
    for (ValueId in : graph_.instructions[i].inputs) {
      const std::int32_t from = producer[static_cast<std::size_t>(in)];
      if (from < 0 || cluster_of[static_cast<std::size_t>(from)] == cluster_of[i]) continue;
      next[static_cast<std::size_t>(cluster_of[static_cast<std::size_t>(from)])].push_back(cluster_of[i]);
      ++waiting[static_cast<std::size_t>(cluster_of[i])];
      clusters_[static_cast<std::size_t>(cluster_of[static_cast<std::size_t>(from)])].sink = false;
    }
  }
  using Entry = std::pair<std::pair<bool, std::int32_t>, std::int32_t>;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> ready;
  const auto push = [&](std::int32_t c) {
    const Cluster& cluster = clusters_[static_cast<std::size_t>(c)];
    ready.push({{cluster.sink, cluster.members.back()}, c});
  };
  for (std::size_t c = 0; c < clusters_.size(); ++c) {
    if (waiting[c] == 0) push(static_cast<std::int32_t>(c));
  }
  std::vector<Cluster> ordered;
  while (!ready.empty()) {
    const std::int32_t c = ready.top().second;
    ready.pop();
    ordered.push_back(clusters_[static_cast<std::size_t>(c)]);
    for (std::int32_t to : next[static_cast<std::size_t>(c)]) {
      if (--waiting[static_cast<std::size_t>(to)] == 0) push(to);
    }
  }
  clusters_ = std::move(ordered);
}

std::int32_t Planner::buffer_of(ValueId root) {
  auto& known = buffer_of_[static_cast<std::size_t>(root)];
  if (known >= 0) return known;
  const Value& value = graph_.value(root);
  Buffer buffer;
  buffer.bytes = value.bytes();
  if (value.input >= 0) {
    buffer.base = static_cast<std::int32_t>(plan_.input_base_) + value.input;
  } else if (value.is_constant()) {
    buffer.base = static_cast<std::int32_t>(plan_.bases_.size());
    plan_.bases_.push_back(value.constant->data());
    plan_.kept_.push_back(value.constant);
  } else if (output_of_[static_cast<std::size_t>(root)] >= 0) {
    buffer.base = static_cast<std::int32_t>(plan_.output_base_) + output_of_[static_cast<std::size_t>(root)];
  }
  known = static_cast<std::int32_t>(buffers_.size());
  buffers_.push_back(buffer);
  return known;
}

// Steps know buffers by number; Plan::bind gives them a table of the buffers' addresses.
Ref Planner::at(std::int32_t buffer, std::int64_t offset) { return {kFirstBase + buffer, offset}; }

Ref Planner::read(ValueId value) {
  const Lie& lie = lies_[static_cast<std::size_t>(value)];
  const std::int32_t b = buffer_of(lie.root);
  buffers_[static_cast<std::size_t>(b)].last = step_index();
  return at(b, lie.layout.offset * static_cast<std::int64_t>(size_of(graph_.value(value).dtype)));
}

Ref Planner::write(ValueId value) {
  const std::int32_t b = buffer_of(value);
  Buffer& buffer = buffers_[static_cast<std::size_t>(b)];
  if (buffer.first < 0) buffer.first = step_index();
  buffer.last = std::max(buffer.last, step_index());
  return at(b, 0);
}

Ref Planner::copied(const Lie& lie, DType dtype, const Shape& shape) {
  Buffer buffer;
  const std::size_t size = size_of(dtype);
  buffer.bytes = static_cast<std::size_t>(count_of(shape)) * size;
  buffer.first = step_index();
  buffer.last = step_index() + 1;
  const std::int32_t source = buffer_of(lie.root);
  buffers_[static_cast<std::size_t>(source)].last = step_index();
  const auto b = static_cast<std::int32_t>(buffers_.size());
  buffers_.push_back(buffer);
  auto step = std::make_unique<CopyStep>(at(b, 0), at(source, lie.layout.offset * static_cast<std::int64_t>(size)),
                                         lie.layout.shape, lie.layout.strides, size);
  step->bytes = static_cast<std::int64_t>(2 * buffer.bytes);
  add_step(std::move(step), {}, "copy " + to_string(shape));
  return at(b, 0);
}

Ref Planner::read_contiguous(ValueId value) {
  if (straight(value)) return read(value);
  const Ref ref = copied(lies_[static_cast<std::size_t>(value)], graph_.value(value).dtype, graph_.value(value).shape);
  buffers_[static_cast<std::size_t>(ref.base - kFirstBase)].last =
      step_index() + 16;  // other operands may be copied before it is read
  return ref;
}

void Planner::add_step(std::unique_ptr<Step> step, std::vector<std::int32_t> members, std::string title) {
  step->members = std::move(members);
  step->title = std::move(title);
  plan_.steps_.push_back(std::move(step));
}

void Planner::emit(const Cluster& cluster) {
  const Instruction& first = graph_.instructions[static_cast<std::size_t>(cluster.members[0])];
  switch (first.record->kind) {
    case ops::Kind::kMap:
    case ops::Kind::kReduce:
      emit_group(cluster.members);
      break;
    case ops::Kind::kContract:
      emit_contract(first, cluster.members[0]);
      break;
    case ops::Kind::kView: {  // a reshape whose elements must be copied
      const ValueId in = first.inputs[0], out = first.outputs[0];
      const Lie& lie = lies_[static_cast<std::size_t>(in)];
      const std::size_t size = size_of(graph_.value(in).dtype);
      const Ref from = read(in);
      const Ref to = write(out);
      auto step = std::make_unique<CopyStep>(to, from, lie.layout.shape, lie.layout.strides, size);
      step->bytes = static_cast<std::int64_t>(2 * graph_.value(out).bytes());
      add_step(std::move(step), cluster.members,
               fmt::format("{} {}", first.record->name, to_string(graph_.value(out).shape)));
      break;
    }
    default:
      emit_opaque(first, cluster.members[0]);
      break;
  }
}

void Planner::emit_opaque(const Instruction& instruction, std::int32_t index) {
  ops::Signature signature{instruction.attributes, {}, {}, {}, {}};
  std::vector<Ref> inputs, outputs;
  std::int64_t bytes = 0;
  for (ValueId in : instruction.inputs) {
    const Value& value = graph_.value(in);
    signature.inputs.push_back(value.shape);
    signature.input_types.push_back(value.dtype);
    bytes += static_cast<std::int64_t>(value.bytes());
    inputs.push_back(read_contiguous(in));
  }
  for (ValueId in : instruction.inputs) {
    if (straight(in)) read(in);  // still read by the step itself, after copies of other operands
  }
  for (ValueId out : instruction.outputs) {
    const Value& value = graph_.value(out);
    signature.outputs.push_back(value.shape);
    signature.output_types.push_back(value.dtype);
    bytes += static_cast<std::int64_t>(value.bytes());
    outputs.push_back(used_[static_cast<std::size_t>(out)] ? write(out) : Ref{});
  }
  auto step =
      std::make_unique<OpaqueStep>(instruction.record->prepare(signature), std::move(outputs), std::move(inputs));
  step->bytes = bytes;
  add_step(std::move(step), {index},
           fmt::format("{} {}", instruction.record->name, to_string(graph_.value(instruction.outputs[0]).shape)));
}

void Planner::emit_contract(const Instruction& instruction, std::int32_t index) {
  const ValueId a = instruction.inputs[0], b = instruction.inputs[1], c = instruction.outputs[0];
  const Layout& la = lies_[static_cast<std::size_t>(a)].layout;
  const Layout& lb = lies_[static_cast<std::size_t>(b)].layout;
  const Shape& shape = graph_.value(a).shape;
  const std::size_t r = shape.size();
  kernels::ContractShape desc;
  desc.dtype = graph_.value(a).dtype;
  desc.out = graph_.value(c).dtype;
  desc.m = shape[r - 2];
  desc.k = shape[r - 1];
  desc.n = graph_.value(b).shape[r - 1];
  desc.a_m = la.strides[r - 2];
  desc.a_k = la.strides[r - 1];
  desc.b_k = lb.strides[r - 2];
  desc.b_n = lb.strides[r - 1];
  desc.c_m = desc.n;
  std::int64_t c_stride = desc.m * desc.n;
  for (std::size_t d = r - 2; d-- > 0;) {
    if (shape[d] == 1) continue;
    desc.batch.insert(desc.batch.begin(), shape[d]);
    desc.a_batch.insert(desc.a_batch.begin(), la.strides[d]);
    desc.b_batch.insert(desc.b_batch.begin(), lb.strides[d]);
    desc.c_batch.insert(desc.c_batch.begin(), c_stride);
    c_stride *= shape[d];
  }
  desc.bias = instruction.bias;
  desc.relu = instruction.relu;
  const Ref bias = instruction.bias ? read_contiguous(instruction.inputs[2]) : Ref{};
  const Ref ra = read(a), rb = read(b), rc = write(c);
  auto step = std::make_unique<ContractStep>(desc, rc, ra, rb, bias, Ref{});
  if (step->contract().workspace() != 0) {
    Buffer workspace;
    workspace.bytes = step->contract().workspace();
    workspace.first = workspace.last = step_index();
    step->set_workspace(at(static_cast<std::int32_t>(buffers_.size()), 0));
    buffers_.push_back(workspace);
  }
  step->operations = 2 * count_of(graph_.value(c).shape) * desc.k;
  step->bytes = static_cast<std::int64_t>(graph_.value(a).bytes() + graph_.value(b).bytes() + graph_.value(c).bytes());
  add_step(std::move(step), {index},
           fmt::format("contract {} x {}{}{}", to_string(shape), to_string(graph_.value(b).shape),
                       desc.bias ? " + bias" : "", desc.relu ? ", relu" : ""));
}

Storage* Planner::constant_tile(const Value& value, DType dtype, std::int64_t elements) {
  std::uint64_t bits = 0;
  const std::size_t size = size_of(dtype);
  std::memcpy(&bits, value.constant->data() + value.offset * static_cast<std::int64_t>(size), size);
  tiles_.resize(kDTypes);
  auto& list = tiles_[static_cast<std::size_t>(dtype)];
  for (auto& [number, storage] : list) {
    if (storage->bytes() >= static_cast<std::size_t>(elements) * size && std::memcmp(storage->data(), &bits, size) == 0)
      return storage.get();
  }
  StoragePtr storage = Storage::allocate(static_cast<std::size_t>(elements) * size);
  kernels::fill(storage->data(), &bits, static_cast<std::size_t>(elements), size);
  list.emplace_back(0, storage);
  plan_.kept_.push_back(storage);
  return storage.get();
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
      code.slots[static_cast<std::size_t>(slot)].filled = [&] {
        Storage* storage = constant_tile(value, dtype, std::min(tile, std::max(n, std::int64_t{1})));
        for (const auto& kept : plan_.kept_) {
          if (kept.get() == storage) return kept;
        }
        return StoragePtr();
      }();
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

void Planner::emit_copies() {
  // What is copied from inputs or constants into outputs that replace inputs is saved first.
  const bool any_in_place = !options_.in_place.empty();
  const auto output = [&](std::size_t j) {
    Buffer buffer;
    buffer.base = static_cast<std::int32_t>(plan_.output_base_ + j);
    buffers_.push_back(buffer);
    return at(static_cast<std::int32_t>(buffers_.size() - 1), 0);
  };
  // An output that replaces an input is made in the input's memory only where nobody reads the input after that.
  for (std::size_t j = 0; j < options_.in_place.size(); ++j) {
    const std::int32_t own = options_.in_place[j];
    const ValueId root = lies_[static_cast<std::size_t>(graph_.outputs[j])].root;
    if (own < 0 || output_of_[static_cast<std::size_t>(root)] != static_cast<std::int32_t>(j)) continue;
    const std::int32_t made = buffer_of_[static_cast<std::size_t>(root)];
    const std::int32_t source = buffer_of_[static_cast<std::size_t>(graph_.inputs[static_cast<std::size_t>(own)])];
    if (made < 0 || source < 0) continue;
    Buffer& result = buffers_[static_cast<std::size_t>(made)];
    const std::int32_t last = buffers_[static_cast<std::size_t>(source)].last;
    const bool safe = last < result.first || (last == result.first && over_safe(made, source));
    if (safe) continue;
    result.base = kArenaBase;
    result.last = 1 << 30;
    late_.push_back({j, made});
  }
  std::vector<std::pair<OutputCopy, Ref>> saved;
  for (const OutputCopy& copy : copies_) {
    const Lie& lie = lies_[static_cast<std::size_t>(copy.value)];
    if (any_in_place) {
      const Ref ref = copied(lie, graph_.value(copy.value).dtype, graph_.value(copy.value).shape);
      buffers_[static_cast<std::size_t>(ref.base - kFirstBase)].last = 1 << 30;
      saved.emplace_back(copy, ref);
      continue;
    }
    const Ref from = read(copy.value);
    const Ref to = output(copy.output);
    add_step(std::make_unique<CopyStep>(to, from, lie.layout.shape, lie.layout.strides,
                                        size_of(graph_.value(copy.value).dtype)),
             {}, "copy to output");
  }
  for (const auto& [j, made] : late_) {
    const Value& value = graph_.value(graph_.outputs[j]);
    add_step(std::make_unique<CopyStep>(output(j), at(made, 0), value.shape, contiguous_strides(value.shape),
                                        size_of(value.dtype)),
             {}, "copy to output");
  }
  for (const auto& [copy, from] : saved) {
    const Shape& shape = graph_.value(copy.value).shape;
    const Ref to = output(copy.output);
    add_step(
        std::make_unique<CopyStep>(to, from, shape, contiguous_strides(shape), size_of(graph_.value(copy.value).dtype)),
        {}, "copy to output");
  }
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

// In one step: every read of the old value is of the same element, and comes no later than the writing of the new one.
bool Planner::over_safe(std::int32_t made, std::int32_t source) const {
  const auto step = static_cast<std::size_t>(buffers_[static_cast<std::size_t>(made)].first);
  if (step >= touches_.size() || touches_[step].empty()) return false;
  std::int32_t written = -1;
  bool dense = true;
  for (const Touch& touch : touches_[step]) {
    if (touch.buffer == made) {
      dense = dense && touch.dense;
      if (touch.writes) written = touch.op;
    }
  }
  for (const Touch& touch : touches_[step]) {
    if (touch.buffer == source && (!touch.dense || touch.op > written)) return false;
  }
  return dense && written >= 0;
}

// The arena: buffers in the order in which they are made, each in the lowest gap that is free while it lives.
void Planner::place() {
  struct Placed {
    std::size_t offset, bytes;
    std::int32_t first, last;
  };
  std::vector<Placed> placed;
  std::vector<std::size_t> order;
  for (std::size_t b = 0; b < buffers_.size(); ++b) {
    if (buffers_[b].base == kArenaBase && buffers_[b].first >= 0) order.push_back(b);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t x, std::size_t y) { return buffers_[x].first < buffers_[y].first; });
  std::size_t end = 0;
  const bool share = pass_enabled("place");
  std::vector<Placed> alive;
  for (std::size_t b : order) {
    Buffer& buffer = buffers_[b];
    const std::size_t bytes = aligned(buffer.bytes) + 64;
    std::erase_if(alive, [&](const Placed& other) { return share && other.last < buffer.first; });
    std::sort(alive.begin(), alive.end(), [](const Placed& x, const Placed& y) { return x.offset < y.offset; });
    std::size_t offset = 0;
    for (const Placed& other : alive) {
      if (other.offset >= offset + bytes) break;
      offset = std::max(offset, other.offset + other.bytes);
    }
    buffer.offset = static_cast<std::int64_t>(offset);
    alive.push_back({offset, bytes, buffer.first, std::max(buffer.last, buffer.first)});
    end = std::max(end, offset + bytes);
  }
  plan_.arena_bytes_ = end;
  plan_.arena_ = Storage::allocate(end);
  plan_.bases_[kArenaBase] = plan_.arena_->data();
  for (const Buffer& buffer : buffers_) plan_.buffers_.push_back({buffer.base, buffer.offset});
  plan_.addresses_.resize(buffers_.size() + kFirstBase);
  if (plan_.check_nan_) {
    plan_.value_buffer_ = buffer_of_;
    plan_.lies_ = lies_;
  }
}

// Groups at the end of the plan that only write outputs run in one parallel loop.
void Planner::batch_sinks() {
  if (plan_.check_nan_ || !pass_enabled("batch")) return;
  std::vector<std::unique_ptr<Step>> steps;
  std::vector<std::unique_ptr<GroupStep>> batch;
  std::vector<std::pair<std::int32_t, bool>> touched;  // bases of inputs and outputs, and whether written
  std::vector<std::int32_t> members;
  std::string title;
  std::int64_t bytes = 0, operations = 0;
  const auto flush = [&] {
    if (batch.size() == 1) {
      steps.push_back(std::move(batch[0]));
    } else if (batch.size() > 1) {
      title = fmt::format("{} groups: {}", batch.size(), batch[0]->title);
      auto step = std::make_unique<GroupBatchStep>(std::move(batch));
      step->title = title;
      step->members = members;
      step->bytes = bytes;
      step->operations = operations;
      steps.push_back(std::move(step));
    }
    batch.clear();
    touched.clear();
    members.clear();
    bytes = operations = 0;
  };
  const auto memory_of = [&](std::int32_t buffer) {  // outputs that replace inputs are the same memory
    std::int32_t base = buffers_[static_cast<std::size_t>(buffer)].base;
    const auto j = static_cast<std::size_t>(base) - plan_.output_base_;
    if (base >= static_cast<std::int32_t>(plan_.output_base_) && j < options_.in_place.size() &&
        options_.in_place[j] >= 0) {
      base = static_cast<std::int32_t>(plan_.input_base_) + options_.in_place[j];
    }
    return base == kArenaBase ? -1 - buffer : base;
  };
  for (std::size_t s = 0; s < plan_.steps_.size(); ++s) {
    auto* group = dynamic_cast<GroupStep*>(plan_.steps_[s].get());
    const bool sink = std::binary_search(sinks_.begin(), sinks_.end(), static_cast<std::int32_t>(s));
    if (group == nullptr || !sink) {
      flush();
      steps.push_back(std::move(plan_.steps_[s]));
      continue;
    }
    bool clash = false;
    std::vector<std::pair<std::int32_t, bool>> mine;
    for (const Touch& touch : touches_[s]) {
      const std::int32_t memory = memory_of(touch.buffer);
      mine.emplace_back(memory, touch.writes);
      for (const auto& [other, written] : touched) clash = clash || (other == memory && (written || touch.writes));
    }
    if (clash) flush();
    touched.insert(touched.end(), mine.begin(), mine.end());
    members.insert(members.end(), group->members.begin(), group->members.end());
    bytes += group->bytes;
    operations += group->operations;
    batch.emplace_back(static_cast<GroupStep*>(plan_.steps_[s].release()));
  }
  flush();
  plan_.steps_ = std::move(steps);
}

}  // namespace pellucid::graph
