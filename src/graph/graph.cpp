// From nodes to instructions, and the rules that every graph keeps.
#include "graph/graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <unordered_map>

#include "ops/traced.h"

namespace pellucid::graph {

ValueId Graph::add(Value value) {
  values.push_back(std::move(value));
  return static_cast<ValueId>(values.size() - 1);
}

std::vector<std::vector<std::int32_t>> Graph::users() const {
  std::vector<std::vector<std::int32_t>> result(values.size());
  for (std::size_t i = 0; i < instructions.size(); ++i) {
    for (ValueId in : instructions[i].inputs)
      result[static_cast<std::size_t>(in)].push_back(static_cast<std::int32_t>(i));
  }
  return result;
}

namespace {

class Builder {
 public:
  Builder(const Arrays& outputs, const Arrays& inputs) {
    for (const Array& input : inputs) {
      Value value;
      value.shape = input.shape();
      value.dtype = input.dtype();
      value.input = static_cast<std::int32_t>(graph_.inputs.size());
      const ValueId id = graph_.add(std::move(value));
      graph_.inputs.push_back(id);
      ids_[input.node()] = {id};
    }
    for (const Array& output : outputs) visit(output.node());
    for (const Array& output : outputs) graph_.outputs.push_back(id_of(output));
  }

  Graph take() { return std::move(graph_); }

 private:
  ValueId id_of(const Array& array) const { return ids_.at(array.node())[array.output()]; }

  void visit(Node* root) {
    struct Frame {
      Node* node;
      std::size_t next;
    };
    std::vector<Frame> stack{{root, 0}};
    while (!stack.empty()) {
      Frame& frame = stack.back();
      Node* node = frame.node;
      if (ids_.count(node) != 0) {
        stack.pop_back();
        continue;
      }
      if (node->evaluated()) {
        add_constants(node);
        stack.pop_back();
        continue;
      }
      if (node->record->kind == ops::Kind::kPlaceholder) {
        throw Error(fmt::format(
            "a value of shape {} is not known here: it stands for an argument of a function that is being traced "
            "(compile, vmap, scan, ...); return it from the function and read it outside",
            to_string(node->outputs[0].shape)));
      }
      const Arrays& operands = operands_of(node);
      if (frame.next < operands.size()) {
        Node* input = operands[frame.next++].node();
        if (ids_.count(input) == 0) stack.push_back({input, 0});
        continue;
      }
      finish(node);
      stack.pop_back();
    }
  }

  /// A call stands for the results of its body over the call's operands.
  const Arrays& operands_of(Node* node) {
    if (node->record->kind != ops::Kind::kCall) return node->inputs;
    const auto found = calls_.find(node);
    if (found != calls_.end()) return found->second;
    return calls_[node] = ops::replay(ops::call_body(*node).traced, node->inputs);
  }

  void add_constants(Node* node) {
    auto& ids = ids_[node];
    for (const Output& output : node->outputs) {
      Value value;
      value.shape = output.shape;
      value.dtype = output.dtype;
      value.constant = output.storage;
      value.strides = output.strides;
      value.offset = output.offset;
      ids.push_back(graph_.add(std::move(value)));
    }
  }

  void finish(Node* node) {
    if (node->record->kind == ops::Kind::kCall) {
      std::vector<ValueId> ids;
      for (const Array& output : calls_.at(node)) ids.push_back(id_of(output));
      ids_[node] = std::move(ids);
      return;
    }
    Instruction instruction;
    instruction.record = node->record;
    instruction.attributes = node->attributes;
    instruction.layer = node->layer;
    for (const Array& input : node->inputs) instruction.inputs.push_back(id_of(input));
    auto& ids = ids_[node];
    for (std::uint32_t i = 0; i < node->outputs.size(); ++i) {
      Value value;
      value.shape = node->outputs[i].shape;
      value.dtype = node->outputs[i].dtype;
      value.producer = static_cast<std::int32_t>(graph_.instructions.size());
      value.output = i;
      ids.push_back(graph_.add(std::move(value)));
    }
    instruction.outputs = ids;
    graph_.instructions.push_back(std::move(instruction));
  }

  Graph graph_;
  std::unordered_map<const Node*, std::vector<ValueId>> ids_;
  std::unordered_map<const Node*, Arrays> calls_;
};

}  // namespace

Graph build(const Arrays& outputs, const Arrays& inputs) { return Builder(outputs, inputs).take(); }

void verify(const Graph& graph, const char* pass) {
  const auto broken = [&](const std::string& what) {
    throw std::logic_error(fmt::format("the graph is broken after '{}': {}\n{}", pass, what, to_text(graph)));
  };
  std::vector<char> known(graph.values.size(), 0);
  for (std::size_t v = 0; v < graph.values.size(); ++v) {
    known[v] = graph.values[v].producer < 0;
    if (known[v] && graph.values[v].input < 0 && !graph.values[v].is_constant()) known[v] = 0;  // dropped
  }
  for (std::size_t i = 0; i < graph.instructions.size(); ++i) {
    const Instruction& instruction = graph.instructions[i];
    Arrays operands;
    for (ValueId in : instruction.inputs) {
      if (known[static_cast<std::size_t>(in)] == 0)
        broken(fmt::format("instruction {} reads value {} before it is made", i, in));
      operands.push_back(ops::placeholder(graph.value(in).shape, graph.value(in).dtype));
    }
    if (instruction.bias) operands.resize(2);
    std::vector<Output> outputs;
    instruction.record->infer(*instruction.record, operands, instruction.attributes, outputs);
    if (outputs.size() != instruction.outputs.size())
      broken(fmt::format("instruction {} has another number of results", i));
    for (std::size_t o = 0; o < outputs.size(); ++o) {
      const Value& value = graph.value(instruction.outputs[o]);
      if (value.shape != outputs[o].shape || value.dtype != outputs[o].dtype) {
        broken(fmt::format("value {} is not of the shape and type that '{}' makes", instruction.outputs[o],
                           instruction.record->name));
      }
      if (value.producer != static_cast<std::int32_t>(i))
        broken(fmt::format("value {} names another producer", instruction.outputs[o]));
      known[static_cast<std::size_t>(instruction.outputs[o])] = 1;
    }
  }
  for (ValueId out : graph.outputs) {
    if (known[static_cast<std::size_t>(out)] == 0) broken(fmt::format("output {} is never made", out));
  }
}

std::string to_text(const Graph& graph) {
  std::string text;
  for (const Instruction& instruction : graph.instructions) {
    for (ValueId out : instruction.outputs) {
      text += fmt::format("%{} {}{} ", out, name_of(graph.value(out).dtype), to_string(graph.value(out).shape));
    }
    text += fmt::format("= {}(", instruction.record->name);
    for (std::size_t i = 0; i < instruction.inputs.size(); ++i) {
      const ValueId in = instruction.inputs[i];
      text += fmt::format("{}{}{}", i == 0 ? "" : ", ",
                          graph.value(in).is_constant() ? "const "
                          : graph.value(in).input >= 0  ? "input "
                                                        : "%",
                          in);
    }
    text += instruction.bias ? (instruction.relu ? ") + bias, relu\n" : ") + bias\n")
                             : (instruction.relu ? "), relu\n" : ")\n");
  }
  return text;
}

}  // namespace pellucid::graph
