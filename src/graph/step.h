// A step of a plan: work over memory whose addresses are known when the plan is bound.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace pellucid::graph {

/// A place in memory before the addresses are known: `offset` bytes behind base number `base`. Base -1 is nowhere
/// (null).
struct Ref {
  std::int32_t base = -1;
  std::int64_t offset = 0;
};
inline std::byte* resolve(const Ref& ref, std::byte* const* bases) {
  return ref.base < 0 ? nullptr : bases[ref.base] + ref.offset;
}

/// Bases with a fixed meaning; inputs, outputs and constants follow.
enum : std::int32_t { kArenaBase = 0, kScratchBase = 1, kFirstBase = 2 };

class Step {
 public:
  virtual ~Step() = default;
  /// Fixes the addresses; called before the first run and whenever a base has moved.
  virtual void bind(std::byte* const* bases) = 0;
  virtual void run() = 0;
  /// Before the first run of several over the same steady inputs (see PlanOptions).
  virtual void start() {}
  /// Bytes of scratch memory for each thread, and threads at most; it holds nothing between steps.
  virtual std::size_t scratch() const { return 0; }
  void set_threads(int threads, std::size_t scratch_pitch) {
    threads_ = threads;
    pitch_ = scratch_pitch;
  }
  std::string title;                  // what explain_plan shows: operations and shapes
  std::vector<std::int32_t> members;  // instructions of the graph, in order
  std::int64_t bytes = 0;             // read and written
  std::int64_t operations =
      0;               // arithmetic: two for a multiply-add of products and convolutions, one for a map's element
  double seconds = 0;  // when profiled
  std::int64_t runs = 0;

 protected:
  int threads_ = 1;
  std::size_t pitch_ = 0;
};

}  // namespace pellucid::graph
