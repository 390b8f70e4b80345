// Catching functions as graphs, and making them again over other operands.
#include "ops/traced.h"

#include <algorithm>

#include "pellucid/ops.h"

namespace pellucid::ops {

Reached reached_from(const Arrays& from, const Arrays& outputs) {
  Reached result;
  // Post-order over everything behind the outputs; a node is kept when one of its operands is reached.
  std::unordered_map<const Node*, bool> reached;  // finished nodes
  for (const Array& x : from) reached[x.node()] = true;
  struct Frame {
    Node* node;
    std::size_t next;
  };
  std::vector<Frame> stack;
  for (const Array& x : from) {
    if (result.position.emplace(x.node(), result.order.size()).second) result.order.push_back(x.node());
  }
  for (const Array& y : outputs) {
    if (!y.defined() || reached.count(y.node()) != 0) continue;
    stack.push_back({y.node(), 0});
    while (!stack.empty()) {
      Frame& frame = stack.back();
      if (frame.next < frame.node->inputs.size()) {
        Node* input = frame.node->inputs[frame.next++].node();
        if (reached.count(input) == 0) stack.push_back({input, 0});
        continue;
      }
      Node* node = frame.node;
      stack.pop_back();
      if (reached.count(node) != 0) continue;  // finished by another path meanwhile
      bool is_reached = false;
      for (const Array& input : node->inputs) is_reached = is_reached || reached[input.node()];
      reached[node] = is_reached;
      if (is_reached) {
        result.position.emplace(node, result.order.size());
        result.order.push_back(node);
      }
    }
  }
  return result;
}

void Substitution::set(const Array& from, const Array& to) {
  Arrays& list = map_[from.node()];
  if (list.size() <= from.output()) list.resize(from.output() + 1);
  list[from.output()] = to;
}

bool Substitution::has(const Array& x) const {
  const auto found = map_.find(x.node());
  return found != map_.end() && found->second.size() > x.output() && found->second[x.output()].defined();
}

const Array& Substitution::at(const Array& x) const {
  const auto found = map_.find(x.node());
  if (found == map_.end() || found->second.size() <= x.output() || !found->second[x.output()].defined()) return x;
  return found->second[x.output()];
}

Arrays replay(const Traced& traced, const Arrays& arguments) {
  Substitution substitution;
  for (std::size_t i = 0; i < arguments.size(); ++i) substitution.set(traced.parameters[i], arguments[i]);
  const Reached reached = reached_from(traced.parameters, traced.outputs);
  for (Node* node : reached.order) {
    if (substitution.has(Array(node, 0)) || node->record->kind == Kind::kPlaceholder) continue;
    Arrays inputs = node->inputs;
    for (Array& input : inputs) input = substitution.at(input);
    const Arrays outputs = remake(*node, std::move(inputs));
    for (std::uint32_t i = 0; i < outputs.size(); ++i) {
      outputs[i].node()->layer = node->layer;
      substitution.set(Array(node, i), outputs[i]);
    }
  }
  Arrays results;
  for (const Array& y : traced.outputs) results.push_back(substitution.at(y));
  return results;
}

namespace {
/// A view that never has to copy its operand's elements.
bool is_free_view(const Node& node) {
  return (node.record->name == "permute" || node.record->name == "broadcast_to") && !node.inputs.empty();
}
}  // namespace

Closed close(const std::function<Arrays(const Arrays&)>& f, const Arrays& arguments) {
  array::KeepGraph keep;
  Arrays parameters;
  for (const Array& x : arguments) parameters.push_back(placeholder(x.shape(), x.dtype()));
  Traced open{parameters, f(parameters)};
  // What f captured: operands of reached nodes that are not reached themselves, and results that nothing reaches.
  const Reached reached = reached_from(parameters, open.outputs);
  Closed closed;
  Substitution captured;
  const auto capture = [&](const Array& x) {
    if (reached.contains(x) || captured.has(x)) return;
    // What is permuted or repeated is captured as it lies and seen so inside, where that is a view; it would be copied
    // for a loop.
    Arrays views;
    Array source = x;
    while (is_free_view(*source.node())) {
      views.push_back(source);
      const Array next = source.node()->inputs[0];
      source = next;
    }
    if (source.rank() == 0 && source.node()->record == &constant_record()) return;
    if (!captured.has(source)) {
      const Array parameter = placeholder(source.shape(), source.dtype());
      captured.set(source, parameter);
      closed.captured.push_back(source);
      parameters.push_back(parameter);
    }
    Array seen = captured.at(source);
    for (std::size_t i = views.size(); i-- > 0;) {
      seen = remake(*views[i].node(), {seen})[0];
      captured.set(views[i], seen);
    }
  };
  for (Node* node : reached.order) {
    for (const Array& input : node->inputs) {
      if (node->record->kind != Kind::kPlaceholder) capture(input);
    }
  }
  for (const Array& y : open.outputs) capture(y);
  auto traced = std::make_shared<Traced>();
  traced->parameters = parameters;
  if (closed.captured.empty()) {
    traced->outputs = open.outputs;
  } else {
    Substitution again = captured;
    for (Node* node : reached.order) {
      if (node->record->kind == Kind::kPlaceholder) continue;
      Arrays inputs = node->inputs;
      for (Array& input : inputs) input = again.at(input);
      const Arrays outputs = remake(*node, std::move(inputs));
      for (std::uint32_t i = 0; i < outputs.size(); ++i) {
        outputs[i].node()->layer = node->layer;
        again.set(Array(node, i), outputs[i]);
      }
    }
    for (const Array& y : open.outputs) traced->outputs.push_back(again.at(y));
  }
  closed.traced = std::move(traced);
  return closed;
}

const CallBody& call_body(const Node& node) { return *static_cast<const CallBody*>(node.attributes.extra.get()); }

}  // namespace pellucid::ops
