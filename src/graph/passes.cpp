// Passes over the instructions of a graph: each can be switched off by PELLUCID_DISABLE=name,name.
#include <algorithm>
#include <map>
#include <unordered_map>

#include "base/environment.h"
#include "base/fail.h"
#include "graph/plan.h"
#include "pellucid/ops.h"

namespace pellucid::graph {

namespace {

/// Every use of a value reads its replacement; chains are followed.
void replace_values(Graph& graph, std::vector<ValueId>& replacement) {
  const auto final_of = [&](ValueId v) {
    while (replacement[static_cast<std::size_t>(v)] != v) v = replacement[static_cast<std::size_t>(v)];
    return v;
  };
  for (Instruction& instruction : graph.instructions) {
    for (ValueId& in : instruction.inputs) in = final_of(in);
  }
  for (ValueId& out : graph.outputs) out = final_of(out);
}

std::vector<ValueId> identity_map(const Graph& graph) {
  std::vector<ValueId> map(graph.values.size());
  for (std::size_t v = 0; v < map.size(); ++v) map[v] = static_cast<ValueId>(v);
  return map;
}

/// The one number that a value consists of: a scalar constant, also seen through views.
bool constant_number(const Graph& graph, ValueId v, double& number) {
  const Value* value = &graph.value(v);
  while (value->producer >= 0) {
    const Instruction& made = graph.instructions[static_cast<std::size_t>(value->producer)];
    if (made.record->kind != ops::Kind::kView) return false;
    value = &graph.value(made.inputs[0]);
  }
  if (!value->is_constant() || value->count() != 1) return false;
  number = array::element(value->constant->data(), value->dtype, value->offset);
  return true;
}

}  // namespace

void renumber(Graph& graph) {
  for (std::size_t i = 0; i < graph.instructions.size(); ++i) {
    for (ValueId out : graph.instructions[i].outputs) graph.value(out).producer = static_cast<std::int32_t>(i);
  }
}

void simplify(Graph& graph) {
  std::vector<ValueId> to = identity_map(graph);
  const auto now = [&](ValueId v) {
    while (to[static_cast<std::size_t>(v)] != v) v = to[static_cast<std::size_t>(v)];
    return v;
  };
  for (const Instruction& instruction : graph.instructions) {
    if (instruction.outputs.size() != 1 || instruction.inputs.empty()) continue;
    const ValueId y = instruction.outputs[0], a = now(instruction.inputs[0]);
    const auto same = [&](ValueId x) {
      return graph.value(x).shape == graph.value(y).shape && graph.value(x).dtype == graph.value(y).dtype;
    };
    double number = 0;
    if (instruction.record->kind == ops::Kind::kView) {
      const bool keeps =
          instruction.record == &ops::alias_record() || instruction.record->name == "stop_gradient" ||
          ((instruction.record->name == "reshape" || instruction.record->name == "broadcast_to") && same(a));
      if (keeps && instruction.record != &ops::barrier_record()) to[static_cast<std::size_t>(y)] = a;
    } else if (instruction.record->name == "multiply" || instruction.record->name == "divide") {
      if (constant_number(graph, instruction.inputs[1], number) && number == 1) {
        to[static_cast<std::size_t>(y)] = a;
      } else if (instruction.record->name == "multiply" && constant_number(graph, a, number) && number == 1) {
        to[static_cast<std::size_t>(y)] = now(instruction.inputs[1]);
      }
    } else if (instruction.record->name == "astype" && same(a)) {
      to[static_cast<std::size_t>(y)] = a;
    } else if (instruction.record->name == "round_bfloat16") {
      const std::int32_t maker = graph.value(a).producer;
      const bool rounded =
          maker >= 0 && graph.instructions[static_cast<std::size_t>(maker)].record == instruction.record;
      if (rounded) to[static_cast<std::size_t>(y)] = a;
    }
  }
  replace_values(graph, to);
}

void dce(Graph& graph) {
  std::vector<char> needed(graph.values.size(), 0);
  for (ValueId out : graph.outputs) needed[static_cast<std::size_t>(out)] = 1;
  std::vector<char> keep(graph.instructions.size(), 0);
  for (std::size_t i = graph.instructions.size(); i-- > 0;) {
    for (ValueId out : graph.instructions[i].outputs) keep[i] = keep[i] || needed[static_cast<std::size_t>(out)];
    if (keep[i] == 0) continue;
    for (ValueId in : graph.instructions[i].inputs) needed[static_cast<std::size_t>(in)] = 1;
  }
  std::size_t kept = 0;
  for (std::size_t i = 0; i < keep.size(); ++i) {
    if (keep[i] == 0) continue;
    if (kept != i) graph.instructions[kept] = std::move(graph.instructions[i]);
    ++kept;
  }
  graph.instructions.resize(kept);
  renumber(graph);
}

void cse(Graph& graph) {
  std::vector<ValueId> to = identity_map(graph);
  // Constants of one number and type are one value.
  std::map<std::pair<DType, std::uint64_t>, ValueId> numbers;
  for (std::size_t v = 0; v < graph.values.size(); ++v) {
    const Value& value = graph.values[v];
    if (!value.is_constant() || !value.shape.empty()) continue;
    std::uint64_t bits = 0;
    std::copy_n(value.constant->data() + value.offset * static_cast<std::int64_t>(size_of(value.dtype)),
                size_of(value.dtype), reinterpret_cast<std::byte*>(&bits));
    to[v] = numbers.emplace(std::pair{value.dtype, bits}, static_cast<ValueId>(v)).first->second;
  }
  std::unordered_multimap<std::size_t, std::size_t> known;
  for (std::size_t i = 0; i < graph.instructions.size(); ++i) {
    Instruction& instruction = graph.instructions[i];
    std::size_t hash = std::hash<const void*>()(instruction.record);
    for (ValueId& in : instruction.inputs) {
      while (to[static_cast<std::size_t>(in)] != in) in = to[static_cast<std::size_t>(in)];
      hash = hash * 1099511628211ULL + static_cast<std::size_t>(in);
    }
    const auto range = known.equal_range(hash);
    bool found = false;
    for (auto at = range.first; at != range.second && !found; ++at) {
      const Instruction& other = graph.instructions[at->second];
      found = other.record == instruction.record && other.inputs == instruction.inputs &&
              other.attributes == instruction.attributes;
      if (!found) continue;
      for (std::size_t o = 0; o < other.outputs.size(); ++o)
        to[static_cast<std::size_t>(instruction.outputs[o])] = other.outputs[o];
    }
    if (!found) known.emplace(hash, i);
  }
  replace_values(graph, to);
}

void fold(Graph& graph) {
  constexpr std::int64_t kMostElements = 4096;
  for (std::size_t i = 0; i < graph.instructions.size(); ++i) {
    const Instruction& instruction = graph.instructions[i];
    if (instruction.record->kind == ops::Kind::kView || instruction.record->arity == 0 ||
        instruction.outputs.size() != 1)
      continue;
    if (graph.value(instruction.outputs[0]).count() > kMostElements) continue;
    bool all = true;
    Graph alone;
    Instruction copy = instruction;
    for (ValueId& in : copy.inputs) {
      const Value& value = graph.value(in);
      all = all && value.is_constant() && value.count() <= kMostElements;
      if (!all) break;
      in = alone.add(value);
    }
    if (!all) continue;
    Value result = graph.value(instruction.outputs[0]);
    result.producer = 0;
    copy.outputs = {alone.add(result)};
    alone.outputs = copy.outputs;
    alone.instructions.push_back(std::move(copy));
    auto storage = Storage::allocate(result.bytes());
    std::byte* output = storage->data();
    Plan(std::move(alone)).run(nullptr, &output);
    Value& value = graph.value(instruction.outputs[0]);
    value.producer = -1;
    value.constant = std::move(storage);
    graph.instructions[i].outputs.clear();
    graph.instructions[i].inputs.clear();
  }
  std::erase_if(graph.instructions, [](const Instruction& instruction) { return instruction.outputs.empty(); });
  renumber(graph);
}

void epilogue(Graph& graph) {
  std::vector<std::vector<std::int32_t>> users = graph.users();
  std::vector<char> is_output(graph.values.size(), 0);
  for (ValueId out : graph.outputs) is_output[static_cast<std::size_t>(out)] = 1;
  const auto only_user = [&](ValueId v) -> Instruction* {
    const auto& list = users[static_cast<std::size_t>(v)];
    if (list.size() != 1 || is_output[static_cast<std::size_t>(v)]) return nullptr;
    return &graph.instructions[static_cast<std::size_t>(list[0])];
  };
  bool changed = false;
  for (std::size_t i = 0; i < graph.instructions.size(); ++i) {
    Instruction& contract = graph.instructions[i];
    if (!contract.record->epilogue || !is_float(graph.value(contract.outputs[0]).dtype) ||
        graph.value(contract.outputs[0]).dtype == DType::kBFloat16) {
      continue;
    }
    // The result, perhaps reshaped, plus a broadcast row that is known before the contraction runs.
    const auto absorb = [&](Instruction* user, bool bias_step) {
      const ValueId before = contract.outputs[0];
      if (bias_step) {
        ValueId row = user->inputs[0] == before ? user->inputs[1] : user->inputs[0];
        if (row == before) return false;
        const std::int32_t made = graph.value(row).producer;
        if (made < 0) return false;
        const Instruction& view = graph.instructions[static_cast<std::size_t>(made)];
        if (view.record->name != "broadcast_to") return false;
        const Value& source = graph.value(view.inputs[0]);
        const std::int64_t n = graph.value(before).shape.back();
        if (source.count() != n || source.shape.empty() || source.shape.back() != n ||
            source.producer >= static_cast<std::int32_t>(i))
          return false;
        contract.inputs.push_back(view.inputs[0]);
        contract.bias = true;
      } else {
        contract.relu = true;
      }
      contract.outputs[0] = user->outputs[0];
      user->outputs.clear();
      user->inputs.clear();
      changed = true;
      return true;
    };
    Instruction* user = only_user(contract.outputs[0]);
    if (user != nullptr && user->record->name == "add" && absorb(user, true)) user = only_user(contract.outputs[0]);
    if (user != nullptr && user->record->name == "relu") absorb(user, false);
  }
  if (!changed) return;
  std::erase_if(graph.instructions, [](const Instruction& instruction) { return instruction.outputs.empty(); });
  renumber(graph);
}

bool pass_enabled(const char* name) {
  const std::vector<std::string> disabled = base::environment_list("PELLUCID_DISABLE");
  return std::find(disabled.begin(), disabled.end(), name) == disabled.end();
}

namespace {

void check_disabled() {
  for (const std::string& name : base::environment_list("PELLUCID_DISABLE")) {
    if (std::find(std::begin(kPassNames), std::end(kPassNames), name) != std::end(kPassNames)) continue;
    std::string all;
    for (const std::string_view pass : kPassNames) all += (all.empty() ? "" : ", ") + std::string(pass);
    base::fail("PELLUCID_DISABLE: there is no pass '{}'; there are {}", name, all);
  }
}

}  // namespace

std::vector<PassTime> optimise(Graph& graph) {
  struct Pass {
    const char* name;
    void (*run)(Graph&);
  };
  constexpr Pass kPasses[] = {{"dce", dce}, {"simplify", simplify},         {"fold", fold},
                              {"cse", cse}, {"scans", merge_scans},         {"narrow", narrow},
                              {"dce", dce}, {"store_narrow", store_narrow}, {"epilogue", epilogue}};
  check_disabled();
  std::vector<PassTime> times;
  for (const Pass& pass : kPasses) {
    if (!pass_enabled(pass.name)) continue;
    time_pass(times, pass.name, [&] { pass.run(graph); });
#ifndef NDEBUG
    verify(graph, pass.name);
#endif
  }
  return times;
}

}  // namespace pellucid::graph
