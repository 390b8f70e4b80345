// Networks described without their numbers: as data, as a table for people, and back into layers.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <unordered_map>
#include <unordered_set>

#include "base/fail.h"
#include "nn/call_record.h"
#include "ops/cost.h"
#include "pellucid/nn.h"

namespace pellucid::nn {

using base::format;

// ---- Description ----------------------------------------------------------------------------------------------------

Description View::description() const {
  class Describe : public Visitor {
   public:
    void enter(const std::string&, std::string_view name, Ref module) override {
      View view = module;
      open_.push_back({std::string(name), std::string(view.type()), view.options(), {}});
    }
    void leave(const std::string&, Ref) override {
      Description done = std::move(open_.back());
      open_.pop_back();
      (open_.empty() ? root : open_.back().layers.emplace_back()) = std::move(done);
    }
    Description root;

   private:
    std::vector<Description> open_;
  };
  Describe describe;
  describe.walk(*this);
  return std::move(describe.root);
}

std::vector<std::pair<std::string, Option>> View::options() const {
  if (table_->options == nullptr) return {};
  return table_->options(object_);
}

Description describe(View module) { return module.description(); }

// ---- Summary --------------------------------------------------------------------------------------------------------

namespace {

/// 1234567 as 1,234,567.
std::string grouped(std::int64_t n) {
  std::string digits = std::to_string(n);
  for (std::size_t i = digits.size(); i > 3;) digits.insert(i -= 3, ",");
  return digits;
}

std::string option_text(const Option& option) {
  return std::visit(
      [](const auto& value) -> std::string {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, bool>)
          return value ? "yes" : "no";
        else if constexpr (std::is_same_v<T, std::string>)
          return value;
        else if constexpr (std::is_same_v<T, std::vector<std::int64_t>>)
          return fmt::format("{}", fmt::join(value, "x"));
        else
          return format("{}", value);
      },
      option);
}

/// Settings that go without saying, so that a row fits a terminal.
bool usual(std::string_view name, const Option& option) {
  const auto all = [&](std::int64_t number) {
    const auto* list = std::get_if<std::vector<std::int64_t>>(&option);
    return list != nullptr && std::count(list->begin(), list->end(), number) == std::ssize(*list);
  };
  const std::string text = option_text(option);
  if (name == "stride" || name == "dilation") return all(1);
  if (name == "padding" || name == "low" || name == "high") return all(0);
  if (name == "groups") return text == "1";
  if (name == "padding_mode") return text == "zeros";
  if (name == "bias" || name == "affine") return text == "yes";
  if (name == "channels_first" || name == "ceil_mode") return text == "no";
  if (name == "momentum") return text == "0.1";
  if (name == "epsilon") return text == "1e-05";
  return false;
}

std::string title(const View& module) {
  std::string text, inputs;
  for (const auto& [name, option] : module.options()) {
    if (name == "inputs") {
      inputs = option_text(option);
    } else if (name == "outputs" && !inputs.empty()) {
      text += inputs + " -> " + option_text(option);
      continue;
    }
    if (name != "inputs" && !usual(name, option)) text += (text.empty() ? "" : ", ") + name + " " + option_text(option);
  }
  return std::string(module.type()) + (text.empty() ? "" : " (" + text + ")");
}

struct Row {
  std::string path, layer, output, parameters, multiply_adds;
};
constexpr std::size_t kColumns = 5, kWords = 3;  // the first are text, the others numbers

/// The multiply-adds of each call of a layer, by the path that its nodes carry; and of all.
class Work {
 public:
  Work(const Array& y, const std::vector<CallRecord::Entry>& calls) : of_call(calls.size()) {
    std::unordered_map<std::string_view, std::vector<std::size_t>> by_path;
    for (std::size_t i = 0; i < calls.size(); ++i) by_path[calls[i].path].push_back(i);
    std::unordered_set<const Node*> seen;
    std::vector<const Node*> stack{y.node()};
    while (!stack.empty()) {
      const Node* node = stack.back();
      stack.pop_back();
      if (!seen.insert(node).second) continue;
      for (const Array& input : node->inputs) stack.push_back(input.node());
      const std::int64_t work = ops::multiply_adds(*node);
      total += work;
      if (work == 0 || node->layer == nullptr) continue;
      const auto found = by_path.find(*node->layer);
      if (found == by_path.end()) continue;
      for (const std::size_t i : found->second) {
        if (node->number >= calls[i].end) continue;
        of_call[i] += work;
        break;
      }
    }
  }
  std::vector<std::int64_t> of_call;
  std::int64_t total = 0;
};

/// The parameters and titles of modules by their address, and the parameters that belong to no layer of this library.
class Survey : public Visitor {
 public:
  explicit Survey(View module) { walk(module); }
  void enter(const std::string&, std::string_view, Ref m) override {
    owners_.push_back(m.layer());
    if (m.layer() != nullptr) titles[m.layer()] = title(m);
  }
  void leave(const std::string&, Ref) override { owners_.pop_back(); }
  void parameter(const std::string&, Parameter& p) override { add(p.value); }
  void array(const std::string&, Array& a) override { add(a); }
  std::unordered_map<const Layer*, std::string> titles;
  std::unordered_map<const Layer*, std::int64_t> counts;  // null: of modules of one's own

 private:
  void add(const Array& a) {
    if (a.defined()) counts[owners_.back()] += a.size();
  }
  std::vector<const Layer*> owners_;
};

std::string table(const std::vector<Row>& rows) {
  std::size_t widths[kColumns] = {};
  const auto cells = [](const Row& row) {
    return std::array{&row.path, &row.layer, &row.output, &row.parameters, &row.multiply_adds};
  };
  for (const Row& row : rows) {
    for (std::size_t c = 0; c < kColumns; ++c) widths[c] = std::max(widths[c], cells(row)[c]->size());
  }
  std::string text;
  for (const Row& row : rows) {
    for (std::size_t c = 0; c < kColumns; ++c) {
      const std::string blank(widths[c] - cells(row)[c]->size(), ' ');
      text += (c == 0 ? "" : "  ") + (c < kWords ? *cells(row)[c] + blank : blank + *cells(row)[c]);
    }
    text += '\n';
  }
  return text;
}

}  // namespace

std::string summary(Ref module, const Array& x) {
  assign_paths(module);
  Survey survey(module);
  std::vector<Row> rows{{"name", "layer", "output", "parameters", "multiply-adds"}};
  const array::KeepGraph keep;
  CallRecord record;
  const Array y = module(x);
  const Work work(y, record.calls);
  std::unordered_set<const Layer*> seen;
  for (std::size_t i = 0; i < record.calls.size(); ++i) {
    const auto& [layer, path, output, end] = record.calls[i];
    const bool first = seen.insert(layer).second;
    const auto count = survey.counts.find(layer);
    const std::int64_t parameters = count == survey.counts.end() ? 0 : count->second;
    rows.push_back({path, survey.titles[layer], to_string(output), first ? grouped(parameters) : "(shared)",
                    grouped(work.of_call[i])});
  }
  if (const auto own = survey.counts.find(nullptr); own != survey.counts.end()) {
    rows.push_back({"", "(parameters of its own)", "", grouped(own->second), ""});
  }
  const std::int64_t all = parameter_count(module), trainable = parameter_count(module, true);
  return table(rows) + format("{}: {} -> {}, {} parameters, {} of them trainable, {} multiply-adds\n", module.type(),
                              x.shape(), y.shape(), grouped(all),
                              all == trainable ? std::string("all") : grouped(trainable), grouped(work.total));
}

}  // namespace pellucid::nn
