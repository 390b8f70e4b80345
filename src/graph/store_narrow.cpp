// What only contractions in bfloat16 read is stored in bfloat16: half as much memory to write, and to read two or three
// times.
#include <algorithm>
#include <unordered_map>
#include <vector>

#include "graph/graph.h"
#include "kernels/contract_bf16.h"
#include "ops/record.h"

namespace pellucid::graph {
namespace {

/// Smaller values stay in the caches, where the cast costs more than it saves.
constexpr std::int64_t kLeastElements = 1 << 16;

class StoreNarrow {
 public:
  explicit StoreNarrow(Graph& graph) : graph_(graph), users_(graph.users()), is_output_(graph.values.size(), 0) {
    for (const ValueId out : graph.outputs) is_output_[static_cast<std::size_t>(out)] = 1;
  }

  void run() {
    std::vector<Instruction> list;
    const std::size_t count = graph_.instructions.size();
    for (std::size_t i = 0; i < count; ++i) {
      Instruction& instruction = graph_.instructions[i];
      // Views again over what is narrow; then, in contractions, the narrow operands.
      const bool view = is_view(instruction) && narrow_.count(instruction.inputs[0]) != 0;
      Instruction again;
      if (view) again = instruction;
      if (rounds_operands(graph_, instruction)) {
        for (std::size_t k = 0; k < 2; ++k) {
          if (const auto known = narrow_.find(instruction.inputs[k]); known != narrow_.end())
            instruction.inputs[k] = known->second;
        }
      }
      const ValueId made = instruction.outputs[0];
      const bool store = instruction.record->kind == ops::Kind::kMap && suits(made);
      list.push_back(std::move(instruction));
      if (view) {
        again.inputs[0] = narrow_.at(again.inputs[0]);
        list.push_back(over(std::move(again), made));
      } else if (store) {
        Instruction cast;
        cast.record = ops::find_record("astype");
        cast.attributes.dtype = DType::kBFloat16;
        cast.inputs = {made};
        cast.outputs = {made};
        cast.layer = list.back().layer;
        list.push_back(over(std::move(cast), made));
      }
    }
    graph_.instructions = std::move(list);
    renumber(graph_);
    if (!narrow_.empty()) dce(graph_);  // views that stayed without readers
  }

 private:
  static bool is_view(const Instruction& instruction) {
    return instruction.record->kind == ops::Kind::kView && instruction.inputs.size() == 1 &&
           instruction.outputs.size() == 1 && instruction.record != &ops::barrier_record();
  }

  /// `instruction` with a result of its own, the narrow one that stands for `wide`.
  Instruction over(Instruction instruction, ValueId wide) {
    Value value = graph_.value(wide);
    value.dtype = DType::kBFloat16;
    instruction.outputs = {graph_.add(std::move(value))};
    narrow_.emplace(wide, instruction.outputs[0]);
    return instruction;
  }

  /// True where `made` is large, and contractions that round it themselves read it, perhaps beside reductions, which
  /// join the group that makes it; through views or not.
  bool suits(ValueId made) const {
    if (graph_.value(made).dtype != DType::kFloat32 || graph_.value(made).count() < kLeastElements) return false;
    bool contracted = false;
    std::vector<ValueId> stack{made};
    while (!stack.empty()) {
      const ValueId at = stack.back();
      stack.pop_back();
      if (is_output_[static_cast<std::size_t>(at)] != 0) return false;
      for (const std::int32_t user : users_[static_cast<std::size_t>(at)]) {
        const Instruction& reader = graph_.instructions[static_cast<std::size_t>(user)];
        if (is_view(reader)) {
          stack.push_back(reader.outputs[0]);
        } else if (rounds_operands(graph_, reader) && (reader.inputs.size() < 3 || reader.inputs[2] != at)) {
          contracted = true;
        } else if (reader.record->kind != ops::Kind::kReduce) {
          return false;
        }
      }
    }
    return contracted;
  }

  Graph& graph_;
  std::vector<std::vector<std::int32_t>> users_;
  std::vector<char> is_output_;
  std::unordered_map<ValueId, ValueId> narrow_;  // what stands for a value in contractions
};

}  // namespace

void store_narrow(Graph& graph) {
  if (kernels::bf16_way() != kernels::Bf16Way::kNone) StoreNarrow(graph).run();
}

}  // namespace pellucid::graph
