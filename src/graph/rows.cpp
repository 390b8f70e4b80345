// A graph over fewer positions of the leading axis.
#include "graph/rows.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace pellucid::graph {
namespace {

class Rows {
 public:
  Rows(const Graph& graph, std::int64_t rows) : from_(graph), to_(graph), rows_(rows) {
    to_.instructions.clear();
    has_.assign(graph.values.size(), false);
  }

  std::optional<Graph> run(const std::vector<bool>& along) {
    for (std::size_t i = 0; i < along.size(); ++i) {
      if (!along[i]) continue;
      const Shape& shape = from_.value(from_.inputs[i]).shape;
      if (shape.empty() || (all_ >= 0 && shape[0] != all_)) return {};
      all_ = shape[0];
      narrow(from_.inputs[i]);
    }
    for (const Instruction& instruction : from_.instructions) {
      if (!add(instruction)) return {};
    }
    const auto has = [&](ValueId v) { return has_[static_cast<std::size_t>(v)]; };
    if (!std::all_of(to_.outputs.begin(), to_.outputs.end(), has)) return {};
    return std::move(to_);
  }

 private:
  void narrow(ValueId v) {
    has_[static_cast<std::size_t>(v)] = true;
    to_.value(v).shape[0] = rows_;
  }

  void append(Instruction instruction) {
    for (const ValueId out : instruction.outputs) {
      to_.value(out).producer = static_cast<std::int32_t>(to_.instructions.size());
    }
    to_.instructions.push_back(std::move(instruction));
  }

  bool add(Instruction instruction) {
    const bool any = std::any_of(instruction.inputs.begin(), instruction.inputs.end(),
                                 [&](ValueId v) { return has_[static_cast<std::size_t>(v)]; });
    if (any) {
      if (!keeps_rows(instruction)) return false;
      for (const ValueId out : instruction.outputs) {
        const Shape& shape = from_.value(out).shape;
        if (shape.empty() || shape[0] != all_) return false;
      }
      for (const ValueId out : instruction.outputs) narrow(out);
    }
    append(std::move(instruction));
    return true;
  }

  /// True where each row of the results is made of the same row of the operands; the instruction is made to fit.
  bool keeps_rows(Instruction& instruction) {
    const auto has = [&](std::size_t i) { return has_[static_cast<std::size_t>(instruction.inputs[i])]; };
    Attributes& a = instruction.attributes;
    switch (instruction.record->kind) {
      case ops::Kind::kMap:
        return all_alike(instruction);
      case ops::Kind::kReduce:
        return !a.flag && a.integer < static_cast<std::int64_t>(from_.value(instruction.inputs[0]).shape.size());
      case ops::Kind::kContract: {
        const std::size_t rank = from_.value(instruction.inputs[0]).shape.size();
        return rank == 2 && has(0) && !has(1) && (!instruction.bias || !has(2));
      }
      default:
        break;
    }
    const std::string_view name = instruction.record->name;
    if (name == "alias") return true;
    if (name == "concat") return a.integer != 0 && all_alike(instruction);
    if (name == "permute") return a.axes[0] == 0;
    if (name == "reshape" || name == "broadcast_to") {
      // Row-major order and axes aligned at the end: the leading axis stays where its size does.
      const Shape& shape = from_.value(instruction.inputs[0]).shape;
      if (a.shape.empty() || a.shape[0] != all_) return false;
      if (name == "broadcast_to" && a.shape.size() != shape.size()) return false;
      a.shape[0] = rows_;
      return true;
    }
    if (name == "slice" || name == "place") {
      if (a.axes[0] != 0 || a.steps[0] != 1 || a.shape[0] != all_) return false;
      a.shape[0] = rows_;
      return true;
    }
    return false;
  }

  /// Operands without rows of their own are stretched along them, or there is no way.
  bool all_alike(Instruction& instruction) {
    for (ValueId& in : instruction.inputs) {
      if (has_[static_cast<std::size_t>(in)]) continue;
      in = stretched(in);
      if (in < 0) return false;
    }
    return true;
  }

  /// A value whose rows are all the same, over fewer of them; -1 where it is not known to be one.
  ValueId stretched(ValueId v) {
    if (const auto known = stretched_.find(v); known != stretched_.end()) return known->second;
    Value value = from_.value(v);
    if (value.shape.empty() || value.shape[0] != all_) return -1;
    value.shape[0] = rows_;
    if (value.is_constant()) {
      if (value.strides.empty() || value.strides[0] != 0) return -1;
      return stretched_[v] = to_.add(std::move(value));
    }
    if (value.producer < 0) return -1;
    Instruction maker = from_.instructions[static_cast<std::size_t>(value.producer)];
    if (maker.record->name != "broadcast_to") return -1;
    const Shape& shape = from_.value(maker.inputs[0]).shape;
    if (shape.size() == value.shape.size() && shape[0] != 1) return -1;
    maker.attributes.shape[0] = rows_;
    const ValueId made = to_.add(std::move(value));
    maker.outputs = {made};
    append(std::move(maker));
    return stretched_[v] = made;
  }

  const Graph& from_;
  Graph to_;
  std::int64_t rows_, all_ = -1;
  std::vector<bool> has_;  // by value of from_: it has the leading axis
  std::unordered_map<ValueId, ValueId> stretched_;
};

}  // namespace

std::optional<Graph> of_rows(const Graph& graph, const std::vector<bool>& along, std::int64_t rows) {
  return Rows(graph, rows).run(along);
}

}  // namespace pellucid::graph
