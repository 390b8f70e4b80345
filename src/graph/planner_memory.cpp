// Where buffers lie, and which groups may run side by side.
#include "graph/arena.h"
#include "graph/planner.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace pellucid::graph {

// In one step: every read of the old value is of the same element, and comes no later than the writing of the new one.
bool Planner::over_safe(std::int32_t made, std::int32_t source) const {
  const auto step = static_cast<std::size_t>(buffers_[static_cast<std::size_t>(made)].first);
  if (step >= touches_.size() || touches_[step].empty()) return false;
  std::int32_t written = -1;
  bool dense = true;
  for (const Touch& touch : touches_[step]) {
    if (touch.buffer == made) {
      dense = dense && touch.dense;
      if (touch.writes) written = touch.op;
    }
  }
  for (const Touch& touch : touches_[step]) {
    if (touch.buffer == source && (!touch.dense || touch.op > written)) return false;
  }
  return dense && written >= 0;
}

// The arena. A group writes over an operand that nobody needs after it: the two are one stay there.
void Planner::place() {
  std::vector<std::size_t> order;
  for (std::size_t b = 0; b < buffers_.size(); ++b) {
    if (buffers_[b].base == kArenaBase && buffers_[b].first >= 0) order.push_back(b);
  }
  std::sort(order.begin(), order.end(), [&](std::size_t x, std::size_t y) {
    return std::pair(buffers_[x].first, x) < std::pair(buffers_[y].first, y);
  });
  const bool share = pass_enabled("place");
  std::vector<Stay> stays;
  std::vector<std::size_t> stay_of(buffers_.size());
  struct Resident {
    std::size_t stay, buffer;  // whose values lie there now
  };
  std::vector<Resident> alive;
  for (const std::size_t b : order) {
    const Buffer& buffer = buffers_[b];
    const std::int32_t last = share ? std::max(buffer.last, buffer.first) : kAlways;
    std::erase_if(alive, [&](const Resident& other) { return stays[other.stay].last < buffer.first; });
    const auto over = std::find_if(alive.begin(), alive.end(), [&](const Resident& other) {
      const Buffer& source = buffers_[other.buffer];
      return share && !plan_.check_nan_ && stays[other.stay].last == buffer.first && source.first < buffer.first &&
             source.bytes == buffer.bytes &&
             over_safe(static_cast<std::int32_t>(b), static_cast<std::int32_t>(other.buffer));
    });
    if (over != alive.end()) {
      stay_of[b] = over->stay;
      stays[over->stay].last = last;
      over->buffer = b;
      continue;
    }
    stay_of[b] = stays.size();
    alive.push_back({stays.size(), b});
    stays.push_back({aligned(buffer.bytes) + 64, buffer.first, last});
  }
  const std::size_t end = pack(stays);
  for (const std::size_t b : order) buffers_[b].offset = static_cast<std::int64_t>(stays[stay_of[b]].offset);
  plan_.arena_bytes_ = end;
  plan_.arena_ = Storage::allocate(end);
  plan_.bases_[kArenaBase] = plan_.arena_->data();
  for (const Buffer& buffer : buffers_) plan_.buffers_.push_back({buffer.base, buffer.offset});
  plan_.addresses_.resize(buffers_.size() + kFirstBase);
  if (plan_.check_nan_) {
    plan_.value_buffer_ = buffer_of_;
    plan_.lies_ = lies_;
  }
}

// Groups at the end of the plan that only write outputs run in one parallel loop.
void Planner::batch_sinks() {
  if (plan_.check_nan_ || !pass_enabled("batch")) return;
  std::vector<std::unique_ptr<Step>> steps;
  std::vector<std::unique_ptr<GroupStep>> batch;
  std::vector<std::pair<std::int32_t, bool>> touched;  // buffers, and whether written
  std::vector<std::int32_t> members;
  std::string title;
  std::int64_t bytes = 0, operations = 0;
  const auto flush = [&] {
    if (batch.size() == 1) {
      steps.push_back(std::move(batch[0]));
    } else if (batch.size() > 1) {
      title = fmt::format("{} groups: {}", batch.size(), batch[0]->title);
      auto step = std::make_unique<GroupBatchStep>(std::move(batch));
      step->title = title;
      step->members = members;
      step->bytes = bytes;
      step->operations = operations;
      steps.push_back(std::move(step));
    }
    batch.clear();
    touched.clear();
    members.clear();
    bytes = operations = 0;
  };
  const auto memory_of = [&](std::int32_t buffer) {  // outputs that replace inputs are the same memory
    std::int32_t base = buffers_[static_cast<std::size_t>(buffer)].base;
    const auto j = static_cast<std::size_t>(base) - plan_.output_base_;
    if (base >= static_cast<std::int32_t>(plan_.output_base_) && j < options_.in_place.size() &&
        options_.in_place[j] >= 0) {
      base = static_cast<std::int32_t>(plan_.input_base_) + options_.in_place[j];
    }
    return base;
  };
  // Buffers of the arena that never live together may share memory, but the groups of a batch run at one time.
  const auto overlap = [&](std::int32_t x, std::int32_t y) {
    if (memory_of(x) != kArenaBase || memory_of(y) != kArenaBase) return memory_of(x) == memory_of(y);
    const Buffer& a = buffers_[static_cast<std::size_t>(x)];
    const Buffer& b = buffers_[static_cast<std::size_t>(y)];
    return a.offset < b.offset + static_cast<std::int64_t>(b.bytes) &&
           b.offset < a.offset + static_cast<std::int64_t>(a.bytes);
  };
  for (std::size_t s = 0; s < plan_.steps_.size(); ++s) {
    auto* group = dynamic_cast<GroupStep*>(plan_.steps_[s].get());
    const bool sink = std::binary_search(sinks_.begin(), sinks_.end(), static_cast<std::int32_t>(s));
    if (group == nullptr || !sink) {
      flush();
      steps.push_back(std::move(plan_.steps_[s]));
      continue;
    }
    bool clash = false;
    std::vector<std::pair<std::int32_t, bool>> mine;
    for (const Touch& touch : touches_[s]) {
      mine.emplace_back(touch.buffer, touch.writes);
      for (const auto& [other, written] : touched) {
        clash = clash || ((written || touch.writes) && overlap(other, touch.buffer));
      }
    }
    if (clash) flush();
    touched.insert(touched.end(), mine.begin(), mine.end());
    members.insert(members.end(), group->members.begin(), group->members.end());
    bytes += group->bytes;
    operations += group->operations;
    batch.emplace_back(static_cast<GroupStep*>(plan_.steps_[s].release()));
  }
  flush();
  plan_.steps_ = std::move(steps);
}

}  // namespace pellucid::graph
