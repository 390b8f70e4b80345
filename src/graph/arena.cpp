// Where buffers that live for some steps of a plan lie in one arena.
#include "graph/arena.h"

#include <algorithm>
#include <iterator>
#include <numeric>
#include <utility>

namespace pellucid::graph {
namespace {

/// More buffers than these are placed once: to compare each with each would take longer than it is worth.
constexpr std::size_t kMostCompared = 2000;

bool meet(const Stay& x, const Stay& y) { return x.first <= y.last && y.first <= x.last; }

/// The lowest offset at which `bytes` fit between those that are placed; these are in the order of their offsets.
std::size_t lowest_gap(const std::vector<const Stay*>& placed, std::size_t bytes) {
  std::size_t offset = 0;
  for (const Stay* other : placed) {
    if (other->offset >= offset + bytes) break;
    offset = std::max(offset, other->offset + other->bytes);
  }
  return offset;
}

void insert(std::vector<const Stay*>& placed, const Stay& stay) {
  const auto at = std::upper_bound(placed.begin(), placed.end(), stay.offset,
                                   [](std::size_t offset, const Stay* other) { return offset < other->offset; });
  placed.insert(at, &stay);
}

std::size_t end_of(const std::vector<Stay>& stays) {
  std::size_t end = 0;
  for (const Stay& stay : stays) end = std::max(end, stay.offset + stay.bytes);
  return end;
}

std::size_t in_order(std::vector<Stay>& stays) {
  std::vector<const Stay*> alive;
  for (Stay& stay : stays) {
    std::erase_if(alive, [&](const Stay* other) { return other->last < stay.first; });
    stay.offset = lowest_gap(alive, stay.bytes);
    insert(alive, stay);
  }
  return end_of(stays);
}

std::size_t largest_first(std::vector<Stay>& stays) {
  std::vector<std::size_t> order(stays.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t x, std::size_t y) { return std::pair(stays[y].bytes, x) < std::pair(stays[x].bytes, y); });
  std::vector<const Stay*> placed, beside;
  for (const std::size_t i : order) {
    beside.clear();
    std::copy_if(placed.begin(), placed.end(), std::back_inserter(beside),
                 [&](const Stay* other) { return meet(*other, stays[i]); });
    stays[i].offset = lowest_gap(beside, stays[i].bytes);
    insert(placed, stays[i]);
  }
  return end_of(stays);
}

/// The most bytes that live at one step: no arena is smaller.
std::size_t most_alive(const std::vector<Stay>& stays) {
  std::size_t most = 0, now = 0;
  std::vector<const Stay*> leaving;
  const auto later = [](const Stay* x, const Stay* y) { return x->last > y->last; };
  for (const Stay& stay : stays) {
    while (!leaving.empty() && leaving.front()->last < stay.first) {
      now -= leaving.front()->bytes;
      std::pop_heap(leaving.begin(), leaving.end(), later);
      leaving.pop_back();
    }
    now += stay.bytes;
    most = std::max(most, now);
    leaving.push_back(&stay);
    std::push_heap(leaving.begin(), leaving.end(), later);
  }
  return most;
}

}  // namespace

std::size_t pack(std::vector<Stay>& stays) {
  const std::size_t end = in_order(stays);
  if (stays.size() > kMostCompared || end == most_alive(stays)) return end;
  std::vector<Stay> other = stays;
  const std::size_t less = largest_first(other);
  if (less >= end) return end;
  stays = std::move(other);
  return less;
}

}  // namespace pellucid::graph
