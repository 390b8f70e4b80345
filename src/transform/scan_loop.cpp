// The loop of a scan: one plan of its body, or one for each part of the batch.
#include "transform/scan_loop.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "base/environment.h"
#include "base/thread_pool.h"
#include "graph/rows.h"
#include "kernels/fetch.h"

namespace pellucid::ops {
namespace {

/// What all threads read should stay in their caches.
constexpr std::size_t kMostCaptured = std::size_t{2} << 20U;

/// A thread's rows should fill the tiles of a contraction; and whether one is done in bfloat16 is decided by its rows,
/// if they are less than 16 (kernels::bf16_suits), which must not depend on the threads.
std::int64_t least_rows(const graph::Graph& graph) {
  const bool narrow = std::any_of(graph.instructions.begin(), graph.instructions.end(), [](const auto& instruction) {
    return instruction.record->kind == Kind::kContract && instruction.attributes.dtype == DType::kBFloat16;
  });
  return narrow ? 16 : 8;
}

/// Captured operands that leave room in L2 for what is fetched beside.
constexpr std::size_t kMostBeside = std::size_t{1} << 20U;

/// The position of the body's first contraction; null: there is none.
std::optional<std::size_t> first_contraction(const graph::Graph& graph) {
  for (std::size_t i = 0; i < graph.instructions.size(); ++i) {
    if (graph.instructions[i].record->kind == Kind::kContract) return i;
  }
  return {};
}

/// True where no instruction before `end` reads the input.
bool unread_before(const graph::Graph& graph, graph::ValueId input, std::size_t end) {
  return std::none_of(graph.instructions.begin(), graph.instructions.begin() + static_cast<std::ptrdiff_t>(end),
                      [&](const graph::Instruction& instruction) {
                        const auto& list = instruction.inputs;
                        // A view reads nothing. (Who reads it is not asked: at worst the fetch comes too late.)
                        return instruction.record->kind != Kind::kView &&
                               std::find(list.begin(), list.end(), input) != list.end();
                      });
}

}  // namespace

ScanLoop::ScanLoop(const Signature& signature)
    : parts_(signature.attributes), length_(signature.attributes.integer), reverse_(signature.attributes.flag) {
  const ScanBody& body = scan_body(signature.attributes);
  graph_ = graph::build(body.outputs, body.parameters);
  graph::optimise(graph_);
  const auto leading = [](const Array& x) { return x.rank() == 0 ? 0 : x.shape()[0]; };
  rows_ = parts_.carries == 0 ? 0 : leading(body.parameters[0]);
  for (std::size_t i = 0; i < parts_.carries; ++i) rows_ = leading(body.parameters[i]) == rows_ ? rows_ : 0;
  const auto bytes_of = [](const Array& x) { return static_cast<std::size_t>(x.size()) * size_of(x.dtype()); };
  const auto extent_of = [&](const Array& x) {
    const bool rows = rows_ > 0 && leading(x) == rows_;
    return Extent{bytes_of(x), rows ? bytes_of(x) / static_cast<std::size_t>(rows_) : 0};
  };
  for (std::size_t i = 0; i < parts_.carries; ++i) {
    carries_.push_back(extent_of(body.parameters[i]));
    spare_.push_back(Storage::allocate(carries_.back().bytes));
    spare_.push_back(Storage::allocate(carries_.back().bytes));
  }
  for (std::size_t i = 0; i < parts_.xs; ++i) xs_.push_back(extent_of(body.parameters[parts_.carries + i]));
  for (std::size_t i = 0; i < parts_.ys; ++i) {
    ys_.push_back(extent_of(body.outputs[parts_.carries + i]));
    unread_.push_back(Storage::allocate(ys_.back().bytes));
  }
  for (std::size_t i = parts_.carries + parts_.xs; i < body.parameters.size(); ++i) {
    captured_bytes_ += bytes_of(body.parameters[i]);
  }
  if (const auto first = first_contraction(graph_); first && captured_bytes_ <= kMostBeside) {
    fetches_ = true;
    for (std::size_t i = 0; i < parts_.xs; ++i) {
      xs_[i].late = unread_before(graph_, graph_.inputs[parts_.carries + i], *first);
    }
    for (std::size_t i = 0; i < parts_.ys; ++i) {
      const graph::Value& value = graph_.value(graph_.outputs[parts_.carries + i]);
      ys_[i].late = value.producer > static_cast<std::int32_t>(*first);
    }
  }
  cut(base::threads());
}

void ScanLoop::cut(int threads) {
  threads_ = threads;
  pieces_.clear();
  const std::int64_t count = std::min<std::int64_t>(threads, rows_ / least_rows(graph_));
  const bool checked = base::environment("PELLUCID_CHECK").has_value();
  if (count > 1 && captured_bytes_ <= kMostCaptured && !checked) pieces_ = in_rows(count);
  if (!pieces_.empty()) return;
  graph::PlanOptions options;
  options.steady.assign(graph_.inputs.size(), false);
  std::fill_n(options.steady.rbegin(), length_ > 1 ? parts_.captured : 0, true);
  pieces_.emplace_back();
  pieces_[0].rows = rows_;
  pieces_[0].plan = std::make_unique<graph::Plan>(graph_, std::move(options));
  pieces_[0].in.resize(graph_.inputs.size());
  pieces_[0].out.resize(graph_.outputs.size());
}

/// The rows in `count` parts; none where the body does not allow it.
std::vector<ScanLoop::Part> ScanLoop::in_rows(std::int64_t count) const {
  std::vector<bool> along(graph_.inputs.size(), false), steady(graph_.inputs.size(), false);
  std::fill_n(along.begin(), parts_.carries, true);
  for (std::size_t i = 0; i < parts_.xs; ++i) along[parts_.carries + i] = xs_[i].row > 0;
  std::fill_n(steady.rbegin(), length_ > 1 ? parts_.captured : 0, true);
  std::vector<Part> list;
  for (std::int64_t p = 0; p < count; ++p) {
    Part part;
    part.first_row = rows_ * p / count;
    part.rows = rows_ * (p + 1) / count - part.first_row;
    std::optional<graph::Graph> graph = graph::of_rows(graph_, along, part.rows);
    if (!graph) return {};
    graph::dce(*graph);
    part.in.resize(graph->inputs.size());
    part.out.resize(graph->outputs.size());
    graph::PlanOptions options;
    options.steady = steady;
    part.plan = std::make_unique<graph::Plan>(std::move(*graph), std::move(options));
    list.push_back(std::move(part));
  }
  return list;
}

/// Where carry i lies before a step; after the last one for `step` = length.
std::byte* ScanLoop::carry_at(void* const* y, const void* const* x, std::size_t i, std::int64_t step) const {
  const auto bytes = [](const void* p) { return static_cast<std::byte*>(const_cast<void*>(p)); };
  if (step == length_ && y[i] != nullptr) return bytes(y[i]);
  auto* history = bytes(y[parts_.carries + parts_.ys + i]);
  if (history != nullptr && step < length_) return history + position(step) * carries_[i].bytes;
  return step == 0 ? bytes(x[i]) : spare_[2 * i + static_cast<std::size_t>(step % 2)]->data();
}

/// Queues what the step touches after it has multiplied, and the next one before: it is fetched while the step
/// multiplies.
void ScanLoop::fetch_beside(const Part& part, std::int64_t step, void* const* y, const void* const* x) const {
  kernels::FetchQueue& queue = kernels::fetch_queue();
  queue.clear();
  const auto add = [&](const Extent& e, const void* stack) {
    const std::int64_t at = e.late ? step : step + 1;
    if (stack == nullptr || at >= length_) return;
    queue.add(static_cast<const std::byte*>(stack) + position(at) * e.bytes +
                  static_cast<std::size_t>(part.first_row) * e.row,
              e.row > 0 ? static_cast<std::size_t>(part.rows) * e.row : e.bytes);
  };
  for (std::size_t i = 0; i < parts_.xs; ++i) add(xs_[i], x[parts_.carries + i]);
  for (std::size_t i = 0; i < parts_.ys; ++i) add(ys_[i], y[parts_.carries + i]);
}

void ScanLoop::run_part(Part& part, void* const* y, const void* const* x) const {
  const auto input = [&](std::size_t i) { return static_cast<std::byte*>(const_cast<void*>(x[i])); };
  const auto row = [&](const Extent& e) { return static_cast<std::size_t>(part.first_row) * e.row; };
  const std::size_t first_captured = parts_.carries + parts_.xs;
  for (std::size_t i = 0; i < parts_.captured; ++i) part.in[first_captured + i] = input(first_captured + i);
  for (std::int64_t step = 0; step < length_; ++step) {
    const std::size_t t = position(step);
    for (std::size_t i = 0; i < parts_.carries; ++i) {
      part.in[i] = carry_at(y, x, i, step) + row(carries_[i]);
      part.out[i] = carry_at(y, x, i, step + 1) + row(carries_[i]);
    }
    for (std::size_t i = 0; i < parts_.xs; ++i) {
      part.in[parts_.carries + i] = input(parts_.carries + i) + t * xs_[i].bytes + row(xs_[i]);
    }
    for (std::size_t i = 0; i < parts_.ys; ++i) {
      auto* to = static_cast<std::byte*>(y[parts_.carries + i]);
      part.out[parts_.carries + i] = (to == nullptr ? unread_[i]->data() : to + t * ys_[i].bytes) + row(ys_[i]);
    }
    if (fetches_) fetch_beside(part, step, y, x);
    part.plan->run(part.in.data(), part.out.data(), step == 0);
  }
  kernels::fetch_queue().clear();
}

void ScanLoop::run(void* const* y, const void* const* x) {
  if (base::threads() != threads_) cut(base::threads());
  for (std::size_t i = 0; i < parts_.carries; ++i) {
    std::byte* const start = carry_at(y, x, i, 0);
    if (start != x[i] && carries_[i].bytes != 0) std::memcpy(start, x[i], carries_[i].bytes);
  }
  base::parallel_for(static_cast<std::int64_t>(pieces_.size()),
                     [&](std::int64_t p) { run_part(pieces_[static_cast<std::size_t>(p)], y, x); });
}

}  // namespace pellucid::ops
