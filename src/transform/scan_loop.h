// The loop of a scan: one plan of its body, or one for each part of the batch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "graph/plan.h"
#include "ops/scan.h"

namespace pellucid::ops {

/// Carries are made where they are kept: in the history where it is asked for, else in two buffers in turn, the last
/// one in the result.
///
/// Where the body takes every row of the leading axis for itself, as a recurrent layer does with the examples of a
/// batch, each thread runs the whole loop over its own rows: threads meet once, not at every operation of every step,
/// and what a step makes stays in the cache of the core that reads it. Bits do not depend on how rows are cut.
class ScanLoop {
 public:
  explicit ScanLoop(const Signature& signature);
  void run(void* const* y, const void* const* x);

 private:
  /// Some rows of all that has rows.
  struct Part {
    std::unique_ptr<graph::Plan> plan;
    std::int64_t first_row = 0, rows = 0;
    std::vector<std::byte*> in, out;
  };
  /// A carry, or what a step reads or gives: its bytes, and those of a row (0: it has no rows). What is late is touched
  /// only after the step has multiplied.
  struct Extent {
    std::size_t bytes = 0, row = 0;
    bool late = false;
  };

  void cut(int threads);
  std::vector<Part> in_rows(std::int64_t count) const;
  std::size_t position(std::int64_t step) const {
    return static_cast<std::size_t>(reverse_ ? length_ - 1 - step : step);
  }
  std::byte* carry_at(void* const* y, const void* const* x, std::size_t i, std::int64_t step) const;
  void fetch_beside(const Part& part, std::int64_t step, void* const* y, const void* const* x) const;
  void run_part(Part& part, void* const* y, const void* const* x) const;

  ScanParts parts_;
  std::int64_t length_;
  bool reverse_;
  graph::Graph graph_;
  std::int64_t rows_ = 0;           // of the leading axis of all carries; 0: they do not agree in one
  std::size_t captured_bytes_ = 0;  // that every part reads at every step
  std::vector<Extent> carries_, xs_, ys_;
  std::vector<StoragePtr> spare_;   // two for each carry, where there is no history
  std::vector<StoragePtr> unread_;  // for ys that nobody reads
  std::vector<Part> pieces_;
  bool fetches_ = false;
  int threads_ = 0;  // for which the pieces were cut
};

}  // namespace pellucid::ops
