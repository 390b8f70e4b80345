// Making a plan of a graph: order, kernels, addresses.
#pragma once

#include <string>
#include <vector>

#include "graph/group.h"
#include "graph/plan.h"

namespace pellucid::graph {

class GroupBuilder;

class Planner {
 public:
  Planner(Plan& plan, const PlanOptions& options);
  void run();

 private:
  friend class GroupBuilder;
  /// A stretch of memory: of the arena, or somebody else's.
  struct Buffer {
    std::size_t bytes = 0;
    std::int32_t base = kArenaBase;      // kArenaBase: placed in the arena
    std::int32_t first = -1, last = -1;  // steps
    std::int64_t offset = 0;
  };
  static constexpr std::int32_t kAlways = 1 << 30;  // the last step of what lives to the end
  struct Cluster {
    std::vector<std::int32_t> members;
    bool sink = true;  // only graph outputs come of it
  };

  class MemoryBalance;
  void order_clusters();
  void assign_outputs();
  void emit(const Cluster& cluster);
  void emit_group(const std::vector<std::int32_t>& members);
  void emit_empty(const std::vector<std::int32_t>& members, const std::string& title);
  Space rows_of_broadcasts(const std::vector<std::int32_t>& members, std::int64_t n) const;
  void emit_contract(const Instruction& instruction, std::int32_t index);
  void emit_opaque(const Instruction& instruction, std::int32_t index);
  void emit_copies();
  void note_touches(const GroupCode& code);
  bool over_safe(std::int32_t made, std::int32_t source) const;
  void place();
  void batch_sinks();

  std::int32_t buffer_of(ValueId root);
  /// A reference to the value's first element, noted as read by the step that is being emitted.
  Ref read(ValueId value);
  Ref write(ValueId value);
  Ref at(std::int32_t buffer, std::int64_t bytes);
  /// The same for values that must be contiguous: copied by a step of its own where they are not.
  Ref read_contiguous(ValueId value);
  Ref copied(const Lie& lie, DType dtype, const Shape& shape);
  /// What the reference points into lives until the step that is emitted next, also where copies came in between.
  void keep_until_now(const Ref& ref);
  void add_step(std::unique_ptr<Step> step, std::vector<std::int32_t> members, std::string title);
  std::int32_t step_index() const { return static_cast<std::int32_t>(plan_.steps_.size()); }
  bool straight(ValueId value) const;
  bool steady_value(ValueId value) const;
  StoragePtr constant_tile(const Value& value, DType dtype, std::int64_t elements);

  Plan& plan_;
  const Graph& graph_;
  const PlanOptions& options_;
  std::vector<Lie> lies_;
  std::vector<std::int32_t> group_;
  std::vector<Cluster> clusters_;
  std::vector<std::vector<std::int32_t>> readers_;  // instructions that read each root value, also through views
  std::vector<char> copied_out_;                    // root values that are copied into an output at the end
  std::vector<Buffer> buffers_;
  std::vector<std::int32_t> buffer_of_;  // by value
  std::vector<char> used_;               // values that a step or an output reads
  struct OutputCopy {
    std::size_t output;
    ValueId value;
  };
  std::vector<OutputCopy> copies_;
  std::vector<std::int32_t> output_of_;         // root value -> output whose memory it is made in, or -1
  std::vector<std::vector<StoragePtr>> tiles_;  // filled with one constant each, by type
  struct Touch {
    std::int32_t buffer, op;
    bool writes, dense;
  };
  std::vector<std::vector<Touch>> touches_;  // of each step, where it is a group
  std::vector<std::int32_t> sinks_;          // steps that only write outputs
  std::vector<std::pair<std::size_t, std::int32_t>>
      late_;  // outputs made elsewhere and copied at the end: output, buffer
};

}  // namespace pellucid::graph
