// Loops over the same operands of which one gives all that the other does become one loop.
#include <algorithm>

#include "graph/graph.h"
#include "ops/scan.h"

namespace pellucid::graph {

// The backward pass of a scan asks for a forward scan that saves more (transform/scan_vjp.cpp): its body's first
// results are the first one's. It stands where the first one stood; the one that is left without users, dce drops.
void merge_scans(Graph& graph) {
  const auto is_scan = [](const Instruction& instruction) { return instruction.record->name == "scan"; };
  for (std::size_t later = 1; later < graph.instructions.size(); ++later) {
    if (!is_scan(graph.instructions[later])) continue;
    const std::uint64_t base = ops::scan_body(graph.instructions[later].attributes).base;
    if (base == 0) continue;
    for (std::size_t first = 0; first < later; ++first) {
      Instruction& less = graph.instructions[first];
      Instruction& more = graph.instructions[later];
      if (!is_scan(less) || ops::scan_body(less.attributes).id != base || less.inputs != more.inputs ||
          less.attributes.integer != more.attributes.integer || less.attributes.flag != more.attributes.flag) {
        continue;
      }
      // Carries and ys come first; the histories of the carries are last in both.
      const ops::ScanParts parts(less.attributes);
      const std::size_t leading = parts.carries + parts.ys;
      const auto other_of = [&](std::size_t i) {
        return i < leading ? i : i + more.outputs.size() - less.outputs.size();
      };
      for (std::size_t i = 0; i < less.outputs.size(); ++i) {
        const ValueId from = less.outputs[i], to = more.outputs[other_of(i)];
        for (Instruction& user : graph.instructions) std::replace(user.inputs.begin(), user.inputs.end(), from, to);
        std::replace(graph.outputs.begin(), graph.outputs.end(), from, to);
      }
      std::swap(less, more);
      for (std::size_t i : {first, later}) {
        for (ValueId out : graph.instructions[i].outputs) graph.value(out).producer = static_cast<std::int32_t>(i);
      }
      break;
    }
  }
}

}  // namespace pellucid::graph
