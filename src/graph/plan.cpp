// Running a plan, and showing it.
#include "graph/plan.h"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <limits>

#include "base/environment.h"
#include "base/thread_pool.h"
#include "graph/planner.h"

namespace pellucid::graph {

Plan::Plan(Graph graph, PlanOptions options) : graph_(std::move(graph)) {
  const auto check = base::environment("PELLUCID_CHECK");
  if (check && *check != "nan") throw Error("PELLUCID_CHECK: '" + *check + "' is not known; the one check is 'nan'");
  check_nan_ = check.has_value();
  profile_ = base::environment("PELLUCID_PROFILE").has_value();
  Planner(*this, options).run();
}

void Plan::bind() {
  const int now = base::threads();
  if (now != threads_ || scratch_ == nullptr) {
    threads_ = now;
    std::size_t pitch = 0;
    for (const auto& step : steps_) pitch = std::max(pitch, step->scratch());
    pitch = (pitch + 127) / 128 * 128;
    scratch_ = Storage::allocate(pitch * static_cast<std::size_t>(now) + 64);
    bases_[kScratchBase] = scratch_->data();
    for (const auto& step : steps_) step->set_threads(now, pitch);
  }
  addresses_[kArenaBase] = bases_[kArenaBase];
  addresses_[kScratchBase] = bases_[kScratchBase];
  for (std::size_t b = 0; b < buffers_.size(); ++b) {
    std::byte* base = bases_[static_cast<std::size_t>(buffers_[b].base)];
    addresses_[kFirstBase + b] = base == nullptr ? nullptr : base + buffers_[b].offset;
  }
  for (const auto& step : steps_) step->bind(addresses_.data());
  bound_ = true;
}

// A kernel that refuses values (an index out of range) does not know where it stands.
Error Plan::in_layer(const Error& error, const Step& step) const {
  const std::string text = error.what();
  for (std::int32_t i : step.members) {
    const auto& layer = graph_.instructions[static_cast<std::size_t>(i)].layer;
    if (layer != nullptr && text.find("(layer '") == std::string::npos) {
      return Error(text + " (layer '" + *layer + "')");
    }
  }
  return error;
}

void Plan::run(std::byte* const* inputs, std::byte* const* outputs, bool fresh) {
  bool moved = !bound_ || base::threads() != threads_;
  for (std::size_t i = 0; i < graph_.inputs.size(); ++i) {
    moved = moved || bases_[input_base_ + i] != inputs[i];
    bases_[input_base_ + i] = inputs[i];
  }
  for (std::size_t j = 0; j < graph_.outputs.size(); ++j) {
    moved = moved || bases_[output_base_ + j] != outputs[j];
    bases_[output_base_ + j] = outputs[j];
  }
  if (moved) bind();
  if (fresh) {
    for (Step* step : starting_) step->start();
  }
  if (!profile_ && !check_nan_) {
    const std::unique_ptr<Step>* step = steps_.data();
    try {
      for (const auto* const end = step + steps_.size(); step != end; ++step) (*step)->run();
    } catch (const Error& error) {
      throw in_layer(error, **step);
    }
    return;
  }
  for (const auto& step : steps_) {
    const auto start = std::chrono::steady_clock::now();
    step->run();
    step->seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    ++step->runs;
    if (check_nan_) check(*step);
  }
}

namespace {

struct Range {
  double low = std::numeric_limits<double>::infinity(), high = -std::numeric_limits<double>::infinity();
  bool finite = true;
  std::int64_t first_bad = -1;
  double bad = 0;
};

Range range_of(const std::byte* data, const Layout& layout, DType dtype) {
  Range range;
  const std::int64_t n = count_of(layout.shape);
  std::vector<std::int64_t> at(layout.shape.size(), 0);
  std::int64_t from = layout.offset;
  for (std::int64_t i = 0; i < n; ++i) {
    const double x = array::element(data, dtype, from);
    if (std::isfinite(x)) {
      range.low = std::min(range.low, x);
      range.high = std::max(range.high, x);
    } else if (range.finite) {
      range.finite = false;
      range.first_bad = i;
      range.bad = x;
    }
    for (std::size_t d = at.size(); d-- > 0;) {
      from += layout.strides[d];
      if (++at[d] < layout.shape[d]) break;
      from -= layout.strides[d] * layout.shape[d];
      at[d] = 0;
    }
  }
  return range;
}

}  // namespace

// Throws for the first instruction whose operands are finite and whose result is not.
void Plan::check(const Step& step) const {
  const auto data_of = [&](ValueId v) -> const std::byte* {
    const std::int32_t buffer = value_buffer_[static_cast<std::size_t>(lies_[static_cast<std::size_t>(v)].root)];
    return buffer < 0 ? nullptr : addresses_[static_cast<std::size_t>(kFirstBase + buffer)];
  };
  for (std::int32_t i : step.members) {
    const Instruction& instruction = graph_.instructions[static_cast<std::size_t>(i)];
    for (ValueId out : instruction.outputs) {
      const Value& value = graph_.value(out);
      const std::byte* data = data_of(out);
      if (!is_float(value.dtype) || data == nullptr) continue;
      const Range made = range_of(data, lies_[static_cast<std::size_t>(out)].layout, value.dtype);
      if (made.finite) continue;
      std::string operands;
      bool finite = true;
      for (ValueId in : instruction.inputs) {
        const std::byte* from = data_of(in);
        if (from == nullptr) continue;
        const Range range = range_of(from, lies_[static_cast<std::size_t>(in)].layout, graph_.value(in).dtype);
        finite = finite && range.finite;
        operands += fmt::format("{}{} in [{:.6g}, {:.6g}]", operands.empty() ? "" : ", ",
                                to_string(graph_.value(in).shape), range.low, range.high);
      }
      if (!finite) continue;
      throw Error(fmt::format("{}: produced {} at element {} of {}; its operands are finite: {}{}",
                              instruction.record->name, std::isnan(made.bad) ? "NaN" : "an infinity", made.first_bad,
                              to_string(value.shape), operands,
                              instruction.layer ? " (layer '" + *instruction.layer + "')" : ""));
    }
  }
}

std::string Plan::explain() const {
  std::string text = fmt::format("{} steps for {} instructions; arena {} bytes\n", steps_.size(),
                                 graph_.instructions.size(), arena_bytes_);
  for (std::size_t s = 0; s < steps_.size(); ++s) {
    const Step& step = *steps_[s];
    text += fmt::format("{:4}  {:>12} B  {:>12} op", s, step.bytes, step.operations);
    if (step.runs > 0) text += fmt::format("  {:9.3f} us", step.seconds / static_cast<double>(step.runs) * 1e6);
    text += "  " + step.title;
    if (!step.members.empty()) {
      const auto& layer = graph_.instructions[static_cast<std::size_t>(step.members[0])].layer;
      if (layer) text += "  (" + *layer + ")";
    }
    text += '\n';
  }
  return text;
}

}  // namespace pellucid::graph
