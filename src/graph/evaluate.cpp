// Values on demand: the plan of the nodes behind some arrays, run once.
#include <unordered_map>

#include "graph/plan.h"

namespace pellucid::array {

void evaluate_nodes(std::span<const Array> arrays) {
  Arrays outputs;
  for (const Array& array : arrays) {
    if (!array.defined()) throw Error("evaluate: an array is undefined (default-constructed or moved from)");
    if (array.node()->evaluated()) continue;
    for (std::uint32_t i = 0; i < array.node()->outputs.size(); ++i) outputs.emplace_back(array.node(), i);
  }
  if (outputs.empty()) return;
  graph::Graph graph = graph::build(outputs, {});
  graph::optimise(graph);
  std::vector<StoragePtr> storages;
  std::vector<std::byte*> addresses;
  for (const Array& output : outputs) {
    const auto bytes = static_cast<std::size_t>(output.size()) * size_of(output.dtype());
    storages.push_back(Storage::allocate(bytes));
    addresses.push_back(storages.back()->data());
  }
  graph::Plan(std::move(graph)).run(nullptr, addresses.data());
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    Output& output = outputs[i].node()->outputs[outputs[i].output()];
    output.storage = std::move(storages[i]);
    output.strides.clear();
    output.offset = 0;
  }
  if (KeepGraph::active()) return;
  for (const Array& output : outputs) {
    Arrays inputs;
    std::swap(inputs, output.node()->inputs);  // freed at the end of this scope
  }
}

}  // namespace pellucid::array
