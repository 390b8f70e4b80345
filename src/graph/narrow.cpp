// What rounds its operands to bfloat16 itself (contractions, convolutions, attention) reads what was to be rounded.
#include <algorithm>
#include <unordered_map>
#include <vector>

#include "graph/graph.h"
#include "kernels/contract_bf16.h"

namespace pellucid::graph {

bool rounds_operands(const Graph& graph, const Instruction& instruction) {
  if (instruction.record->kind != ops::Kind::kContract || instruction.attributes.dtype != DType::kBFloat16)
    return false;
  const Value &a = graph.value(instruction.inputs[0]), &b = graph.value(instruction.inputs[1]);
  kernels::ContractShape shape;
  shape.dtype = a.dtype == DType::kBFloat16 ? DType::kFloat32 : a.dtype;  // stored narrow
  shape.out = graph.value(instruction.outputs[0]).dtype;
  shape.m = a.shape[a.shape.size() - 2];
  shape.k = a.shape.back();
  shape.n = b.shape.back();
  return kernels::bf16_suits(shape);
}

namespace {

/// True where the kernel rounds as it packs, so that rounding before it changes no bit.
bool rounds_itself(const Graph& graph, const Instruction& instruction) {
  if (instruction.attributes.dtype != DType::kBFloat16) return false;
  if (instruction.record->rounds != nullptr) {
    ops::Signature signature{instruction.attributes, {}, {}, {}, {}};
    for (const ValueId in : instruction.inputs) {
      signature.inputs.push_back(graph.value(in).shape);
      signature.input_types.push_back(graph.value(in).dtype);
    }
    for (const ValueId out : instruction.outputs) {
      signature.outputs.push_back(graph.value(out).shape);
      signature.output_types.push_back(graph.value(out).dtype);
    }
    return instruction.record->rounds(signature);
  }
  return rounds_operands(graph, instruction);
}

}  // namespace

void narrow(Graph& graph) {
  if (kernels::bf16_way() == kernels::Bf16Way::kNone) return;
  std::vector<Instruction> list;
  list.reserve(graph.instructions.size());
  std::unordered_map<ValueId, ValueId> wide;  // rounded operands, also seen through views, and what they are made of
  // Instructions of `list` are moved out of the graph, so a value's producer is looked up here.
  std::vector<std::int32_t> place(graph.values.size(), -1);
  const auto append = [&](Instruction instruction) {
    for (const ValueId out : instruction.outputs) {
      place.resize(std::max(place.size(), static_cast<std::size_t>(out) + 1), -1);
      place[static_cast<std::size_t>(out)] = static_cast<std::int32_t>(list.size());
      graph.value(out).producer = static_cast<std::int32_t>(list.size());
    }
    list.push_back(std::move(instruction));
  };
  const auto widened = [&](ValueId v) {
    if (const auto known = wide.find(v); known != wide.end()) return known->second;
    std::vector<std::int32_t> views;
    ValueId root = v;
    std::int32_t at = place[static_cast<std::size_t>(root)];
    while (at >= 0 && list[static_cast<std::size_t>(at)].record->kind == ops::Kind::kView &&
           list[static_cast<std::size_t>(at)].inputs.size() == 1 &&
           list[static_cast<std::size_t>(at)].record != &ops::barrier_record()) {
      views.push_back(at);
      root = list[static_cast<std::size_t>(at)].inputs[0];
      at = place[static_cast<std::size_t>(root)];
    }
    if (at < 0 || list[static_cast<std::size_t>(at)].record->name != "round_bfloat16") return v;
    ValueId y = list[static_cast<std::size_t>(at)].inputs[0];
    for (std::size_t i = views.size(); i-- > 0;) {
      Instruction view = list[static_cast<std::size_t>(views[i])];
      const ValueId narrow = view.outputs[0];
      if (const auto known = wide.find(narrow); known != wide.end()) {
        y = known->second;
        continue;
      }
      view.inputs = {y};
      Value value = graph.value(narrow);
      y = graph.add(std::move(value));
      view.outputs = {y};
      append(std::move(view));
      wide.emplace(narrow, y);
    }
    wide.emplace(v, y);
    return y;
  };
  for (Instruction& instruction : graph.instructions) {
    if (rounds_itself(graph, instruction)) {
      for (std::size_t i = 0; i < instruction.inputs.size(); ++i) {
        if ((instruction.record->rounded >> i & 1U) != 0) instruction.inputs[i] = widened(instruction.inputs[i]);
      }
    }
    append(std::move(instruction));
  }
  graph.instructions = std::move(list);
}

}  // namespace pellucid::graph
