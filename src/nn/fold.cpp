// Joining batch normalisation with the layers before it, for prediction.
#include <map>
#include <set>
#include <utility>

#include "array/node.h"
#include "nn/call_record.h"
#include "nn/normalize.h"
#include "pellucid/nn_normalization.h"

namespace pellucid::nn {

namespace {
thread_local NormRecord* record = nullptr;
}

NormRecord::NormRecord() : outer_(record) { record = this; }
NormRecord::~NormRecord() { record = outer_; }

void NormRecord::add(const Layer& layer, const Array& x, double epsilon) {
  if (record != nullptr) record->calls.push_back({&layer, x, epsilon});
}

namespace {

/// A layer's own arrays by name.
struct Members : Visitor {
  explicit Members(Ref layer) { walk(layer); }
  void parameter(const std::string& path, Parameter& p) override { parameters[path] = &p; }
  void buffer(const std::string& path, Buffer& b) override { buffers[path] = &b; }
  std::map<std::string, Parameter*> parameters;
  std::map<std::string, Buffer*> buffers;
};

/// Handles on all layers of a network.
struct Handles : Visitor {
  explicit Handles(Ref network) { walk(network); }
  void enter(const std::string&, std::string_view, Ref module) override {
    if (const Layer* layer = module.layer()) of.emplace(layer, module);
  }
  std::map<const Layer*, Ref> of;
};

bool convolves(const Ref& layer) {
  const std::string_view type = layer.type();
  return type == "Linear" || type == "Conv1d" || type == "Conv2d" || type == "Conv3d";
}

/// How often each output of a node is read in the graph behind y.
std::map<std::pair<const Node*, std::uint32_t>, int> count_reads(const Array& y) {
  std::map<std::pair<const Node*, std::uint32_t>, int> reads;
  std::set<const Node*> seen;
  std::vector<const Node*> open{y.node()};
  ++reads[{y.node(), y.output()}];
  while (!open.empty()) {
    const Node* node = open.back();
    open.pop_back();
    if (!seen.insert(node).second) continue;
    for (const Array& input : node->inputs) {
      ++reads[{input.node(), input.output()}];
      open.push_back(input.node());
    }
  }
  return reads;
}

void join(const Members& before, const Members& norm, double epsilon) {
  Parameter& weight = *before.parameters.at("weight");
  Parameter& bias = *before.parameters.at("bias");
  Buffer& mean = *norm.buffers.at("running_mean");
  Buffer& variance = *norm.buffers.at("running_variance");
  Parameter& factor = *norm.parameters.at("weight");
  Parameter& added = *norm.parameters.at("bias");
  Array scale = rsqrt(variance.value + epsilon);
  if (factor.value.defined()) scale = scale * factor.value;
  Array shift = bias.value.defined() ? (bias.value - mean.value) * scale : negative(mean.value) * scale;
  if (added.value.defined()) shift = shift + added.value;
  const Array scaled = weight.value * scale;
  evaluate({scaled, shift});
  weight.value = scaled;
  bias.value = shift;
  mean.value = variance.value = factor.value = added.value = {};
}

}  // namespace

int fold_batch_norm(Ref network, const Array& x) {
  assign_paths(network);
  CallRecord layers;
  NormRecord norms;
  Array y;
  {
    const array::KeepGraph keep;
    const Context evaluation = Context::evaluation();
    y = network(x);
  }
  const auto reads = count_reads(y);
  const Handles handles(network);
  std::map<const Layer*, int> calls;
  for (const CallRecord::Entry& entry : layers.calls) ++calls[entry.layer];
  int joined = 0;
  for (const NormRecord::Entry& norm : norms.calls) {
    if (calls[norm.layer] != 1 || !handles.of.contains(norm.layer)) continue;
    const auto uses = reads.find({norm.x.node(), norm.x.output()});
    if (uses == reads.end() || uses->second != 1) continue;
    for (const CallRecord::Entry& entry : layers.calls) {
      // What a layer returns is made under its path.
      const auto before = handles.of.find(entry.layer);
      if (norm.x.node()->layer == nullptr || *norm.x.node()->layer != entry.path || before == handles.of.end())
        continue;
      if (calls[entry.layer] != 1 || !convolves(before->second)) continue;
      join(Members(before->second), Members(handles.of.at(norm.layer)), norm.epsilon);
      ++joined;
      break;
    }
  }
  return joined;
}

}  // namespace pellucid::nn
