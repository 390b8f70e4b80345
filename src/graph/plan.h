// A graph made ready to run: kernels resolved, buffers placed in one arena, steps in order.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "graph/step.h"

namespace pellucid::graph {

struct PlanOptions {
  /// For output j: the input whose memory it may be written into, or -1. The caller gives both the same address.
  std::vector<std::int32_t> in_place;
  /// Of each input: whether it is the same over many runs, as what a loop captures. Empty: none is.
  std::vector<bool> steady = {};
};

/// Where each value lies: in the memory of value `root`, under this layout. Views share their operand's root.
struct Lie {
  ValueId root;
  Layout layout;
};

class Plan {
 public:
  Plan(Graph graph, PlanOptions options = {});

  /// Runs over contiguous inputs into contiguous outputs. Allocates nothing after the first run. Where not `fresh`,
  /// steady inputs lie where they lay in the run before and hold the same values.
  void run(std::byte* const* inputs, std::byte* const* outputs, bool fresh = true);
  const Graph& graph() const { return graph_; }
  std::string explain() const;
  /// The passes that made the plan of the graph.
  const std::vector<PassTime>& passes() const { return passes_; }

 private:
  friend class Planner;
  void bind();

  Graph graph_;
  std::vector<PassTime> passes_;
  std::vector<std::unique_ptr<Step>> steps_;
  std::vector<Step*> starting_;  // those that do something before the first run over steady inputs
  std::vector<std::byte*> bases_;
  struct Place {
    std::int32_t base;
    std::int64_t offset;
  };
  std::vector<Place> buffers_;
  std::vector<std::byte*> addresses_;  // kArenaBase, kScratchBase, then every buffer
  std::vector<StoragePtr> kept_;       // constants
  StoragePtr arena_, scratch_;
  std::size_t arena_bytes_ = 0;
  std::size_t input_base_ = 0, output_base_ = 0;
  int threads_ = 0;
  bool bound_ = false;
  bool check_nan_ = false, profile_ = false;
  std::vector<std::int32_t> value_buffer_;  // of each value, for PELLUCID_CHECK=nan
  std::vector<Lie> lies_;
  void check(const Step& step) const;
  /// The same error, naming the step's layer.
  Error in_layer(const Error& error, const Step& step) const;
};

/// Groups of instructions that run as one step: group[i] for each instruction, numbered from 0 in no order; -1 for
/// views.
std::vector<std::int32_t> fuse(const Graph& graph, bool enabled);

/// Reshapes that must copy are their own roots.
std::vector<Lie> lay_out(const Graph& graph);
/// For each value, the instructions that must run before it is read though it is not made of them: a barrier's second
/// operand, also seen through views.
std::vector<std::vector<std::int32_t>> later_than(const Graph& graph, const std::vector<Lie>& lies);

/// What a cluster of maps and reductions looks like as one two-dimensional space.
struct Space {
  std::int64_t rows = 1, cols = 1;
  bool split = false;  // rows and cols are fixed by a reduction
};
/// The space of these instructions (ascending), or false where they do not make one group.
bool analyse(const Graph& graph, const std::vector<Lie>& lies, const std::vector<std::int32_t>& members, Space& space);
/// A layout over rows x cols elements as two strides; false where it has none.
bool as_matrix(const Layout& layout, std::int64_t rows, std::int64_t cols, std::int64_t& row_stride,
               std::int64_t& col_stride);

}  // namespace pellucid::graph
