// The order of clusters: by dependence, outputs last, and first what leaves less memory in use.
#include <algorithm>
#include <functional>
#include <queue>
#include <utility>

#include "graph/planner.h"

namespace pellucid::graph {

// Which clusters, run now, would free at least as much memory as they take.
class Planner::MemoryBalance {
 public:
  MemoryBalance(const Planner& planner, const std::vector<std::int32_t>& cluster_of)
      : planner_(planner),
        reads_(planner.clusters_.size()),
        makes_(planner.clusters_.size(), 0),
        seen_(planner.clusters_.size(), -1),
        done_(planner.clusters_.size(), 0) {
    const Graph& graph = planner.graph_;
    readers_.resize(graph.values.size());
    left_.assign(graph.values.size(), 0);
    for (std::size_t i = 0; i < graph.instructions.size(); ++i) {
      if (planner.group_[i] < 0) continue;
      for (ValueId made : graph.instructions[i].outputs) add(made, cluster_of[i], cluster_of);
    }
  }

  bool frees(std::int32_t c) const {
    std::int64_t bytes = -makes_[static_cast<std::size_t>(c)];
    for (ValueId v : reads_[static_cast<std::size_t>(c)]) {
      if (left_[static_cast<std::size_t>(v)] == 1) {
        bytes += static_cast<std::int64_t>(planner_.graph_.value(v).bytes());
      }
    }
    return bytes >= 0;
  }

  /// c is run: calls changed(reader) for those that are now the last readers of something.
  template <class F>
  void run(std::int32_t c, const F& changed) {
    done_[static_cast<std::size_t>(c)] = 1;
    for (ValueId v : reads_[static_cast<std::size_t>(c)]) {
      if (--left_[static_cast<std::size_t>(v)] != 1) continue;
      const std::vector<std::int32_t>& readers = readers_[static_cast<std::size_t>(v)];
      changed(*std::find_if(readers.begin(), readers.end(),
                            [&](std::int32_t other) { return done_[static_cast<std::size_t>(other)] == 0; }));
    }
  }

 private:
  void add(ValueId made, std::int32_t maker, const std::vector<std::int32_t>& cluster_of) {
    const auto v = static_cast<std::size_t>(made);
    if (planner_.output_of_[v] >= 0) return;  // somebody else's memory
    for (std::int32_t i : planner_.readers_[v]) {
      const std::int32_t c = cluster_of[static_cast<std::size_t>(i)];
      if (c == maker || std::exchange(seen_[static_cast<std::size_t>(c)], made) == made) continue;
      readers_[v].push_back(c);
    }
    left_[v] = static_cast<std::int32_t>(readers_[v].size());
    if (readers_[v].empty()) return;
    makes_[static_cast<std::size_t>(maker)] += static_cast<std::int64_t>(planner_.graph_.value(made).bytes());
    if (planner_.copied_out_[v] != 0) return;  // it lives to the end
    for (std::int32_t c : readers_[v]) reads_[static_cast<std::size_t>(c)].push_back(made);
  }

  const Planner& planner_;
  std::vector<std::vector<ValueId>> reads_;         // by cluster
  std::vector<std::vector<std::int32_t>> readers_;  // by value: clusters
  std::vector<std::int32_t> left_;                  // by value: readers that have not run
  std::vector<std::int64_t> makes_;                 // bytes, by cluster
  std::vector<ValueId> seen_;                       // by cluster: the value whose reader it was noted as last
  std::vector<char> done_;                          // by cluster
};

// Clusters in an order of dependence; those that only write outputs come last, so that they may write over what others
// read.
void Planner::order_clusters() {
  const std::size_t count = graph_.instructions.size();
  std::vector<std::int32_t> producer(graph_.values.size(), -1), cluster_of(count, -1);
  std::vector<std::int32_t> number(count, -1);
  for (std::size_t i = 0; i < count; ++i) {
    const Instruction& instruction = graph_.instructions[i];
    if (group_[i] < 0) {
      producer[static_cast<std::size_t>(instruction.outputs[0])] =
          producer[static_cast<std::size_t>(instruction.inputs[0])];
      continue;
    }
    for (ValueId out : instruction.outputs) producer[static_cast<std::size_t>(out)] = static_cast<std::int32_t>(i);
    auto& slot = number[static_cast<std::size_t>(group_[i])];
    if (slot < 0) {
      slot = static_cast<std::int32_t>(clusters_.size());
      clusters_.emplace_back();
    }
    cluster_of[i] = slot;
    clusters_[static_cast<std::size_t>(slot)].members.push_back(static_cast<std::int32_t>(i));
  }
  const std::vector<std::vector<std::int32_t>> earlier = later_than(graph_, lies_);
  std::vector<std::vector<std::int32_t>> next(clusters_.size());
  std::vector<std::int32_t> waiting(clusters_.size(), 0);
  for (std::size_t i = 0; i < count; ++i) {
    if (cluster_of[i] < 0) continue;
    const auto follows = [&](std::int32_t from) {
      if (from < 0 || cluster_of[static_cast<std::size_t>(from)] == cluster_of[i]) return;
      next[static_cast<std::size_t>(cluster_of[static_cast<std::size_t>(from)])].push_back(cluster_of[i]);
      ++waiting[static_cast<std::size_t>(cluster_of[i])];
      clusters_[static_cast<std::size_t>(cluster_of[static_cast<std::size_t>(from)])].sink = false;
    };
    for (ValueId in : graph_.instructions[i].inputs) {
      follows(producer[static_cast<std::size_t>(in)]);
      for (std::int32_t from : earlier[static_cast<std::size_t>(in)]) follows(from);
    }
  }
  MemoryBalance balance(*this, cluster_of);
  using Entry = std::pair<std::pair<bool, std::int32_t>, std::int32_t>;
  using Queue = std::priority_queue<Entry, std::vector<Entry>, std::greater<>>;
  Queue ready, eager;  // eager: what leaves less memory in use than before comes first, as gradients of weights do
  std::vector<char> is_ready(clusters_.size(), 0), done(clusters_.size(), 0);
  const auto entry = [&](std::int32_t c) {
    const Cluster& cluster = clusters_[static_cast<std::size_t>(c)];
    return Entry{{cluster.sink, cluster.members.back()}, c};
  };
  const auto offer = [&](std::int32_t c) {
    if (is_ready[static_cast<std::size_t>(c)] == 0 || clusters_[static_cast<std::size_t>(c)].sink) return;
    if (balance.frees(c)) eager.push(entry(c));
  };
  const auto push = [&](std::int32_t c) {
    is_ready[static_cast<std::size_t>(c)] = 1;
    ready.push(entry(c));
    offer(c);
  };
  for (std::size_t c = 0; c < clusters_.size(); ++c) {
    if (waiting[c] == 0) push(static_cast<std::int32_t>(c));
  }
  std::vector<Cluster> ordered;
  while (!ready.empty()) {
    Queue& queue = eager.empty() ? ready : eager;
    const std::int32_t c = queue.top().second;
    queue.pop();
    if (done[static_cast<std::size_t>(c)] != 0) continue;
    done[static_cast<std::size_t>(c)] = 1;
    ordered.push_back(clusters_[static_cast<std::size_t>(c)]);
    balance.run(c, offer);
    for (std::int32_t to : next[static_cast<std::size_t>(c)]) {
      if (--waiting[static_cast<std::size_t>(to)] == 0) push(to);
    }
  }
  clusters_ = std::move(ordered);
}

}  // namespace pellucid::graph
