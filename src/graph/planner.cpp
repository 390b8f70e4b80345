// Making a plan of a graph: order, kernels, addresses.
#include "graph/planner.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/thread_pool.h"
#include "graph/plan_steps.h"
#include "kernels/contract_bf16.h"
#include "ops/cost.h"

namespace pellucid::graph {

Planner::Planner(Plan& plan, const PlanOptions& options)
    : plan_(plan), graph_(plan.graph_), options_(options), lies_(lay_out(graph_)) {
  buffer_of_.assign(graph_.values.size(), -1);
  output_of_.assign(graph_.values.size(), -1);
}

void Planner::run() {
  time_pass(plan_.passes_, "fuse", [&] { group_ = fuse(graph_, pass_enabled("fuse") && !plan_.check_nan_); });
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
  PassTime chain{"chain", 0};
  for (const std::unique_ptr<Step>& step : plan_.steps_) {
    if (const auto* group = dynamic_cast<const GroupStep*>(step.get())) chain.microseconds += group->chain_microseconds;
  }
  plan_.passes_.push_back(chain);
  time_pass(plan_.passes_, "place", [&] { place(); });
  time_pass(plan_.passes_, "batch", [&] { batch_sinks(); });
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

// Constants only stay worth a copy where a loop reads them.
bool Planner::steady_value(ValueId value) const {
  if (options_.steady.empty()) return false;
  const Value& root = graph_.value(lies_[static_cast<std::size_t>(value)].root);
  return root.is_constant() || (root.input >= 0 && options_.steady[static_cast<std::size_t>(root.input)]);
}

bool Planner::straight(ValueId value) const {
  const Layout& layout = lies_[static_cast<std::size_t>(value)].layout;
  return is_contiguous(layout.shape, layout.strides);
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
  Buffer& buffer = buffers_[static_cast<std::size_t>(b)];
  buffer.last = std::max(buffer.last, step_index());
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
  Buffer& read_from = buffers_[static_cast<std::size_t>(source)];
  read_from.last = std::max(read_from.last, step_index());
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
  return copied(lies_[static_cast<std::size_t>(value)], graph_.value(value).dtype, graph_.value(value).shape);
}

void Planner::keep_until_now(const Ref& ref) {
  Buffer& buffer = buffers_[static_cast<std::size_t>(ref.base - kFirstBase)];
  buffer.last = std::max(buffer.last, step_index());
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
  ops::Signature signature{instruction.attributes, {}, {}, {}, {}, instruction.bias, instruction.relu};
  std::vector<Ref> inputs, outputs;
  std::int64_t bytes = 0;
  for (ValueId in : instruction.inputs) {
    const Value& value = graph_.value(in);
    signature.inputs.push_back(value.shape);
    signature.input_types.push_back(value.dtype);
    bytes += static_cast<std::int64_t>(value.bytes());
    if (instruction.record->any_layout) {
      signature.input_strides.push_back(lies_[static_cast<std::size_t>(in)].layout.strides);
      inputs.push_back(read(in));
      continue;
    }
    inputs.push_back(read_contiguous(in));
  }
  for (const Ref& in : inputs) {  // still read by the step itself, after copies of other operands
    Buffer& buffer = buffers_[static_cast<std::size_t>(in.base - kFirstBase)];
    buffer.last = std::max(buffer.last, step_index());
  }
  // Where a node has several results, those that nobody reads are not asked for.
  const bool alone = instruction.outputs.size() == 1;
  for (ValueId out : instruction.outputs) {
    const Value& value = graph_.value(out);
    signature.outputs.push_back(value.shape);
    signature.output_types.push_back(value.dtype);
    bytes += static_cast<std::int64_t>(value.bytes());
    outputs.push_back(alone || used_[static_cast<std::size_t>(out)] ? write(out) : Ref{});
  }
  const std::size_t scratch = instruction.record->workspace == nullptr ? 0 : instruction.record->workspace(signature);
  if (scratch != 0) {
    Buffer workspace;
    workspace.bytes = scratch;
    workspace.first = workspace.last = step_index();
    outputs.push_back(at(static_cast<std::int32_t>(buffers_.size()), 0));
    buffers_.push_back(workspace);
  }
  const std::int64_t products =
      ops::multiply_adds(*instruction.record, instruction.attributes, signature.inputs, signature.outputs);
  auto step =
      std::make_unique<OpaqueStep>(instruction.record->prepare(signature), std::move(outputs), std::move(inputs));
  step->bytes = bytes;
  step->operations = 2 * products;
  add_step(std::move(step), {index},
           fmt::format("{} {}{}{}", instruction.record->name, to_string(graph_.value(instruction.outputs[0]).shape),
                       instruction.bias ? " + bias" : "", instruction.relu ? ", relu" : ""));
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
  const bool narrow = rounds_operands(graph_, instruction);
  if (narrow) {
    desc.dtype = DType::kFloat32;
    desc.a_narrow = graph_.value(a).dtype == DType::kBFloat16;
    desc.b_narrow = graph_.value(b).dtype == DType::kBFloat16;
  }
  const Ref bias = instruction.bias ? read_contiguous(instruction.inputs[2]) : Ref{};
  const Ref ra = read(a), rb = read(b), rc = write(c);
  if (instruction.bias) keep_until_now(bias);
  const auto steady = steady_value(b)   ? kernels::ContractSteady::kB
                      : steady_value(a) ? kernels::ContractSteady::kA
                                        : kernels::ContractSteady::kNone;
  kernels::Contract contract = narrow ? kernels::bf16_contract(desc, steady) : kernels::Contract(desc, steady);
  const auto memory = [&](std::size_t bytes, std::int32_t first, std::int32_t last) {
    if (bytes == 0) return Ref{};
    Buffer buffer;
    buffer.bytes = bytes;
    buffer.first = first;
    buffer.last = last;
    buffers_.push_back(buffer);
    return at(static_cast<std::int32_t>(buffers_.size() - 1), 0);
  };
  const Ref packed = memory(contract.packed(), 0, kAlways);
  const Ref workspace = memory(contract.workspace(), step_index(), step_index());
  auto step = std::make_unique<ContractStep>(std::move(contract), rc, ra, rb, bias, workspace);
  if (packed.base >= 0) {
    step->set_packed(steady == kernels::ContractSteady::kA ? 1 : 2, packed);
    plan_.starting_.push_back(step.get());
  }
  step->operations = 2 * count_of(graph_.value(c).shape) * desc.k;
  step->bytes = static_cast<std::int64_t>(graph_.value(a).bytes() + graph_.value(b).bytes() + graph_.value(c).bytes());
  add_step(std::move(step), {index},
           fmt::format("contract {} x {}{}{}{}", to_string(shape), to_string(graph_.value(b).shape),
                       desc.bias ? " + bias" : "", desc.relu ? ", relu" : "", narrow ? ", bfloat16" : ""));
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
  for (const OutputCopy& copy : copies_) read(copy.value);
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
    const bool safe = !plan_.check_nan_ && (last < result.first || (last == result.first && over_safe(made, source)));
    if (safe) continue;
    result.base = kArenaBase;
    result.last = kAlways;
    late_.push_back({j, made});
  }
  std::vector<std::pair<OutputCopy, Ref>> saved;
  for (const OutputCopy& copy : copies_) {
    const Lie& lie = lies_[static_cast<std::size_t>(copy.value)];
    if (any_in_place) {
      const Ref ref = copied(lie, graph_.value(copy.value).dtype, graph_.value(copy.value).shape);
      buffers_[static_cast<std::size_t>(ref.base - kFirstBase)].last = kAlways;
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

}  // namespace pellucid::graph
