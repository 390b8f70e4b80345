// compile: a function traced once for each signature, and its plan.
#include <fmt/format.h>

#include <chrono>
#include <unordered_set>

#include "graph/plan.h"
#include "ops/traced.h"
#include "pellucid/precision.h"
#include "pellucid/transform.h"

namespace pellucid {

namespace {

struct Variant {
  std::vector<Shape> shapes;
  std::vector<DType> types;
  std::size_t state = 0;  // leading arguments that are replaced in place
  Precision precision = Precision::kFloat32;
  std::vector<Shape> output_shapes;
  std::vector<DType> output_types;
  std::unique_ptr<graph::Plan> plan;
  std::vector<std::byte*> inputs, outputs;
  Arrays extra;  // outputs after the state, of step()
  double trace_ms = 0;
  std::vector<graph::PassTime> passes;
};

}  // namespace

/// Arrays that f captured are values, not something to compute again at each call: those made before the trace began
/// are computed now.
static void evaluate_captured(const Arrays& parameters, const Arrays& outputs, std::uint64_t begun) {
  std::unordered_set<const Node*> seen;
  for (const Array& x : parameters) seen.insert(x.node());
  std::vector<Node*> stack;
  for (const Array& y : outputs) stack.push_back(y.node());
  Arrays captured;
  while (!stack.empty()) {
    Node* node = stack.back();
    stack.pop_back();
    if (!seen.insert(node).second || node->evaluated() || node->record->kind == ops::Kind::kPlaceholder) continue;
    if (node->number < begun) {
      captured.emplace_back(node, 0);
    } else {
      for (const Array& input : node->inputs) stack.push_back(input.node());
    }
  }
  evaluate(captured);
}

struct Compiled::State {
  Function f;
  CompileOptions options;
  std::vector<std::unique_ptr<Variant>> variants;
  Variant* last = nullptr;

  static bool fits(const Variant& variant, std::size_t state, const Arrays& a, const Arrays& b) {
    if (variant.state != state || variant.shapes.size() != a.size() + b.size() ||
        variant.precision != PrecisionScope::current()) {
      return false;
    }
    for (std::size_t i = 0; i < variant.shapes.size(); ++i) {
      const Array& x = i < a.size() ? a[i] : b[i - a.size()];
      if (x.dtype() != variant.types[i] || x.shape() != variant.shapes[i]) return false;
    }
    return true;
  }

  Variant& variant(std::size_t state, const Arrays& a, const Arrays& b) {
    if (last != nullptr && fits(*last, state, a, b)) return *last;
    for (const auto& known : variants) {
      if (fits(*known, state, a, b)) return *(last = known.get());
    }
    return *(last = trace(state, a, b));
  }

  Variant* trace(std::size_t state, const Arrays& a, const Arrays& b) {
    const auto start = std::chrono::steady_clock::now();
    auto made = std::make_unique<Variant>();
    array::KeepGraph keep;
    Arrays parameters;
    for (std::size_t i = 0; i < a.size() + b.size(); ++i) {
      const Array& x = i < a.size() ? a[i] : b[i - a.size()];
      made->shapes.push_back(x.shape());
      made->types.push_back(x.dtype());
      parameters.push_back(ops::placeholder(x.shape(), x.dtype()));
    }
    made->state = state;
    made->precision = PrecisionScope::current();
    const std::uint64_t begun = Node::next_number();
    const Arrays outputs = f(parameters);
    evaluate_captured(parameters, outputs, begun);
    graph::PlanOptions plan_options;
    for (std::size_t j = 0; j < outputs.size(); ++j) {
      made->output_shapes.push_back(outputs[j].shape());
      made->output_types.push_back(outputs[j].dtype());
      if (j >= state) continue;
      plan_options.in_place.push_back(static_cast<std::int32_t>(j));
      if (outputs[j].shape() != made->shapes[j] || outputs[j].dtype() != made->types[j]) {
        throw Error(fmt::format(
            "step: output {} is {}{}, but the state it replaces is {}{}; a step returns the new state first, in order",
            j, name_of(outputs[j].dtype()), to_string(outputs[j].shape()), name_of(made->types[j]),
            to_string(made->shapes[j])));
      }
    }
    if (outputs.size() < state) {
      throw Error(
          fmt::format("step: the function returned {} arrays for a state of {}; a step returns the new state first, "
                      "then anything else",
                      outputs.size(), state));
    }
    graph::Graph graph = graph::build(outputs, parameters);
    made->passes = graph::optimise(graph);
    made->plan = std::make_unique<graph::Plan>(std::move(graph), std::move(plan_options));
    made->inputs.resize(parameters.size());
    made->outputs.resize(outputs.size());
    made->trace_ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
    variants.push_back(std::move(made));
    return variants.back().get();
  }
};

namespace {

std::byte* contiguous(const Array& x) { return static_cast<std::byte*>(const_cast<void*>(x.raw_data())); }

Array fresh(const Shape& shape, DType dtype) {
  return make_constant(Storage::allocate(static_cast<std::size_t>(count_of(shape)) * size_of(dtype)), shape, dtype);
}

/// True where nobody else could see the memory of `x` change.
bool owned(const Array& x) {
  const Output& out = x.node()->outputs[x.output()];
  return x.node()->references.load(std::memory_order_relaxed) == 1 && out.storage.use_count() == 1 && out.offset == 0 &&
         !x.weak();
}

}  // namespace

Compiled::Compiled(Function f, CompileOptions options) : state_(std::make_shared<State>()) {
  state_->f = std::move(f);
  state_->options = std::move(options);
}

Arrays Compiled::operator()(const Arrays& arguments) {
  if (array::KeepGraph::active()) return state_->f(arguments);  // a transform is looking: it sees through
  static const Arrays none;
  Variant& variant = state_->variant(0, arguments, none);
  for (std::size_t i = 0; i < arguments.size(); ++i) variant.inputs[i] = contiguous(arguments[i]);
  Arrays outputs;
  for (std::size_t j = 0; j < variant.outputs.size(); ++j) {
    outputs.push_back(fresh(variant.output_shapes[j], variant.output_types[j]));
    variant.outputs[j] = contiguous(outputs.back());
  }
  variant.plan->run(variant.inputs.data(), variant.outputs.data());
  return outputs;
}

const Arrays& Compiled::step(Arrays& state, const Arrays& inputs) { return steps(state, inputs, 1); }

const Arrays& Compiled::steps(Arrays& state, const Arrays& inputs, std::int64_t count,
                              const std::function<bool(const Arrays& extra)>& watch) {
  Variant& variant = state_->variant(state.size(), state, inputs);
  for (std::size_t i = 0; i < state.size(); ++i) {
    const void* data = state[i].raw_data();
    if (!owned(state[i])) {  // somebody else looks at the old state: it gets memory of its own
      Array copy =
          Array::from_memory(data, static_cast<std::size_t>(state[i].size()), state[i].shape(), state[i].dtype());
      state[i] = std::move(copy);
    }
    variant.inputs[i] = variant.outputs[i] = contiguous(state[i]);
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) variant.inputs[state.size() + i] = contiguous(inputs[i]);
  const std::size_t extras = variant.outputs.size() - state.size();
  if (variant.extra.size() != extras) variant.extra.resize(extras);
  for (std::size_t j = 0; j < extras; ++j) {
    Array& extra = variant.extra[j];
    const std::size_t at = state.size() + j;
    if (!extra.defined() || !owned(extra)) extra = fresh(variant.output_shapes[at], variant.output_types[at]);
    variant.outputs[at] = contiguous(extra);
  }
  for (std::int64_t n = 0; n < count; ++n) {
    variant.plan->run(variant.inputs.data(), variant.outputs.data());
    if (watch && !watch(variant.extra)) break;
  }
  return variant.extra;
}

std::string Compiled::explain_plan() const {
  if (state_->last == nullptr) return state_->options.name + ": not called yet\n";
  const Variant& variant = *state_->last;
  std::string text = fmt::format("{}: traced and planned in {:.2f} ms;", state_->options.name, variant.trace_ms);
  std::vector<graph::PassTime> passes = variant.passes;
  passes.insert(passes.end(), variant.plan->passes().begin(), variant.plan->passes().end());
  for (const auto& pass : passes) text += fmt::format(" {} {:.0f} us", pass.name, pass.microseconds);
  return text + "\n" + variant.plan->explain();
}

std::size_t Compiled::signatures() const { return state_->variants.size(); }

}  // namespace pellucid
