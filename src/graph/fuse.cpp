// Which instructions make one group: neighbours over one space, as long as no path leaves the group and comes back.
#include <algorithm>
#include <numeric>
#include <unordered_set>

#include "graph/group.h"
#include "graph/plan.h"

namespace pellucid::graph {

std::vector<Lie> lay_out(const Graph& graph) {
  std::vector<Lie> lies(graph.values.size());
  for (std::size_t v = 0; v < graph.values.size(); ++v) {
    const Value& value = graph.values[v];
    lies[v].root = static_cast<ValueId>(v);
    lies[v].layout = {value.shape, value.strides.empty() ? contiguous_strides(value.shape) : value.strides,
                      value.is_constant() ? value.offset : 0};
  }
  for (const Instruction& instruction : graph.instructions) {
    if (instruction.record->kind != ops::Kind::kView) continue;
    const auto in = static_cast<std::size_t>(instruction.inputs[0]);
    const auto out = static_cast<std::size_t>(instruction.outputs[0]);
    Layout result;
    result.shape = graph.values[out].shape;
    if (instruction.record->view(lies[in].layout, instruction.attributes, result)) {
      lies[out] = {lies[in].root, std::move(result)};
    }
  }
  return lies;
}

std::vector<std::vector<std::int32_t>> later_than(const Graph& graph, const std::vector<Lie>& lies) {
  std::vector<std::vector<std::int32_t>> result(graph.values.size());
  std::vector<std::int32_t> producer(graph.values.size(), -1);
  for (std::size_t i = 0; i < graph.instructions.size(); ++i) {
    const Instruction& instruction = graph.instructions[i];
    const auto out = static_cast<std::size_t>(instruction.outputs[0]);
    if (instruction.record->kind != ops::Kind::kView || lies[out].root == instruction.outputs[0]) {
      for (ValueId made : instruction.outputs) producer[static_cast<std::size_t>(made)] = static_cast<std::int32_t>(i);
      continue;
    }
    const auto in = static_cast<std::size_t>(instruction.inputs[0]);
    producer[out] = producer[in];
    result[out] = result[in];
    for (std::size_t k = 1; k < instruction.inputs.size(); ++k) {
      const std::int32_t before = producer[static_cast<std::size_t>(instruction.inputs[k])];
      if (before >= 0) result[out].push_back(before);
    }
  }
  return result;
}

bool as_matrix(const Layout& layout, std::int64_t rows, std::int64_t cols, std::int64_t& row_stride,
               std::int64_t& col_stride) {
  // The axes are split where the product of the inner ones is `cols`; each side must be one run.
  std::size_t split = layout.shape.size();
  std::int64_t inner = 1;
  while (split > 0 && inner < cols) inner *= layout.shape[--split];
  if (inner != cols || count_of(layout.shape) != rows * cols) return false;
  const auto run = [&](std::size_t from, std::size_t to, std::int64_t& stride) {
    stride = 0;
    std::int64_t expected = 0;
    bool first = true;
    for (std::size_t d = to; d-- > from;) {
      if (layout.shape[d] == 1) continue;
      if (first) {
        stride = layout.strides[d];
      } else if (layout.strides[d] != expected) {
        return false;
      }
      expected = layout.strides[d] * layout.shape[d];
      first = false;
    }
    return true;
  };
  return run(split, layout.shape.size(), col_stride) && run(0, split, row_stride);
}

namespace {

bool is_fusable(const Instruction& instruction) {
  return instruction.record->kind == ops::Kind::kMap || instruction.record->kind == ops::Kind::kReduce;
}

}  // namespace

bool analyse(const Graph& graph, const std::vector<Lie>& lies, const std::vector<std::int32_t>& members, Space& space) {
  std::int64_t n = 0;
  bool row_folds = false, column_folds = false;
  space = {};
  for (std::int32_t i : members) {
    const Instruction& instruction = graph.instructions[static_cast<std::size_t>(i)];
    const bool reduce = instruction.record->kind == ops::Kind::kReduce;
    n = std::max(n, graph.value(reduce ? instruction.inputs[0] : instruction.outputs[0]).count());
  }
  if (n == 0) {
    space = {0, 0, false};
    return members.size() == 1;
  }
  for (std::int32_t i : members) {
    const Instruction& instruction = graph.instructions[static_cast<std::size_t>(i)];
    if (instruction.record->kind != ops::Kind::kReduce) continue;
    const Value& in = graph.value(instruction.inputs[0]);
    if (in.count() != n) return false;
    const std::int64_t kept = graph.value(instruction.outputs[0]).count();
    const std::int64_t rows = instruction.attributes.flag ? n / kept : kept;
    if (space.split && space.rows != rows) return false;
    space = {rows, n / rows, true};
    (instruction.attributes.flag ? column_folds : row_folds) = true;
  }
  if (!space.split) space = {1, n, false};
  if (members.size() == 1) return true;
  bool row_values = false;
  // Levels of the members' results, found in order.
  std::vector<std::pair<ValueId, Level>> levels;
  const auto level_of = [&](ValueId root) {
    for (const auto& [value, level] : levels) {
      if (value == root) return static_cast<int>(level);
    }
    return -1;
  };
  for (std::int32_t i : members) {
    const Instruction& instruction = graph.instructions[static_cast<std::size_t>(i)];
    const bool reduce = instruction.record->kind == ops::Kind::kReduce;
    const std::int64_t count = reduce ? n : graph.value(instruction.outputs[0]).count();
    const bool row_map = !reduce && count != n;
    if (row_map && !(space.split && count == space.rows)) return false;
    row_values = row_values || row_map;
    for (ValueId in : instruction.inputs) {
      const Lie& lie = lies[static_cast<std::size_t>(in)];
      const int level = level_of(lie.root);
      const auto straight = [&] {
        return lie.layout.offset == 0 && is_contiguous(lie.layout.shape, lie.layout.strides);
      };
      if (level < 0) continue;
      if (level == static_cast<int>(Level::kColumn)) return false;
      if (level == static_cast<int>(Level::kFull)) {
        if (row_map || !straight()) return false;
      } else if (row_map) {
        if (!straight()) return false;
      } else {
        std::int64_t row_stride = 0, col_stride = 0;
        if (!as_matrix(lie.layout, space.rows, space.cols, row_stride, col_stride) || lie.layout.offset != 0)
          return false;
        if ((row_stride != 1 && space.rows != 1) || (col_stride != 0 && space.cols != 1)) return false;
        row_values = true;
      }
    }
    const Level level = reduce    ? (instruction.attributes.flag ? Level::kColumn : Level::kRow)
                        : row_map ? Level::kRow
                                  : Level::kFull;
    levels.emplace_back(instruction.outputs[0], level);
  }
  if (row_values && space.cols > kLongestRow) return false;
  return !(row_folds && column_folds && space.cols > kTile && !row_values);
}

namespace {

class Fuser {
 public:
  explicit Fuser(const Graph& graph) : graph_(graph), lies_(lay_out(graph)) {
    const std::size_t count = graph.instructions.size();
    group_.assign(count, -1);
    users_.resize(count);
    producer_.assign(graph.values.size(), -1);
    later_than_ = later_than(graph, lies_);
    for (std::size_t i = 0; i < count; ++i) {
      const Instruction& instruction = graph.instructions[i];
      const bool view = instruction.record->kind == ops::Kind::kView;
      if (view && lies_[static_cast<std::size_t>(instruction.outputs[0])].root != instruction.outputs[0]) {
        producer_[static_cast<std::size_t>(instruction.outputs[0])] =
            producer_[static_cast<std::size_t>(instruction.inputs[0])];
        continue;
      }
      group_[i] = static_cast<std::int32_t>(i);
      members_.emplace_back();
      for (ValueId out : instruction.outputs) producer_[static_cast<std::size_t>(out)] = static_cast<std::int32_t>(i);
      for (ValueId in : instruction.inputs) {
        const std::int32_t from = producer_[static_cast<std::size_t>(in)];
        if (from >= 0) users_[static_cast<std::size_t>(from)].push_back(static_cast<std::int32_t>(i));
        for (std::int32_t before : later_than_[static_cast<std::size_t>(in)]) {
          users_[static_cast<std::size_t>(before)].push_back(static_cast<std::int32_t>(i));
        }
      }
    }
    members_.resize(count);
    for (std::size_t i = 0; i < count; ++i) {
      if (group_[i] >= 0) members_[i] = {static_cast<std::int32_t>(i)};
    }
  }

  std::vector<std::int32_t> run() {
    for (std::size_t i = 0; i < graph_.instructions.size(); ++i) {
      const Instruction& instruction = graph_.instructions[i];
      if (group_[i] < 0 || !is_fusable(instruction)) continue;
      std::vector<std::int32_t> candidates;
      for (ValueId in : instruction.inputs) {
        const std::int32_t from = producer_[static_cast<std::size_t>(in)];
        if (!later_than_[static_cast<std::size_t>(in)].empty()) continue;  // apart from where it is made
        if (from >= 0 && is_fusable(graph_.instructions[static_cast<std::size_t>(from)])) candidates.push_back(from);
      }
      std::sort(candidates.rbegin(), candidates.rend());
      for (std::int32_t from : candidates) join(group_[static_cast<std::size_t>(from)], group_[i]);
    }
    return group_;
  }

 private:
  static constexpr std::size_t kMostMembers = 48;

  bool join(std::int32_t a, std::int32_t b) {
    if (a == b) return true;
    std::vector<std::int32_t> both = members_[static_cast<std::size_t>(a)];
    const auto& other = members_[static_cast<std::size_t>(b)];
    if (both.size() + other.size() > kMostMembers) return false;
    both.insert(both.end(), other.begin(), other.end());
    std::sort(both.begin(), both.end());
    Space space;
    if (!analyse(graph_, lies_, both, space) || leaves_and_returns(a, b, both.back())) return false;
    for (std::int32_t i : other) group_[static_cast<std::size_t>(i)] = a;
    members_[static_cast<std::size_t>(a)] = std::move(both);
    members_[static_cast<std::size_t>(b)].clear();
    return true;
  }

  /// True where some path goes from one of the two groups through a third and back into either.
  bool leaves_and_returns(std::int32_t a, std::int32_t b, std::int32_t last) {
    std::unordered_set<std::int32_t> seen{a, b};
    std::vector<std::int32_t> stack;
    const auto spread = [&](std::int32_t group) {
      for (std::int32_t i : members_[static_cast<std::size_t>(group)]) {
        for (std::int32_t user : users_[static_cast<std::size_t>(i)]) {
          const std::int32_t to = group_[static_cast<std::size_t>(user)];
          if ((to == a || to == b) && group != a && group != b) return true;
          if (members_[static_cast<std::size_t>(to)].front() <= last && seen.insert(to).second) stack.push_back(to);
        }
      }
      return false;
    };
    spread(a);
    spread(b);
    while (!stack.empty()) {
      const std::int32_t group = stack.back();
      stack.pop_back();
      if (spread(group)) return true;
    }
    return false;
  }

  const Graph& graph_;
  std::vector<Lie> lies_;
  std::vector<std::int32_t> group_, producer_;
  std::vector<std::vector<std::int32_t>> members_, users_, later_than_;
};

}  // namespace

std::vector<std::int32_t> fuse(const Graph& graph, bool enabled) {
  Fuser fuser(graph);
  if (enabled) return fuser.run();
  std::vector<std::int32_t> group(graph.instructions.size());
  const std::vector<Lie> lies = lay_out(graph);
  for (std::size_t i = 0; i < group.size(); ++i) {
    const Instruction& instruction = graph.instructions[i];
    const bool view = instruction.record->kind == ops::Kind::kView &&
                      lies[static_cast<std::size_t>(instruction.outputs[0])].root != instruction.outputs[0];
    group[i] = view ? -1 : static_cast<std::int32_t>(i);
  }
  return group;
}

}  // namespace pellucid::graph
