// Functions as operations: custom rules, recomputation.
#include "ops/scan.h"
#include "pellucid/ops.h"
#include "pellucid/transform.h"

namespace pellucid::ops {
namespace {

Array zeros_where_absent(const Array& g, const Array& like) { return g.defined() ? g : zeros_like(like); }

// ---- Calls with rules of their own ----------------------------------------------------------------------------------

void infer_call(const Record&, const Arrays&, const Attributes& attributes, std::vector<Output>& outputs) {
  for (const Array& y : static_cast<const CallBody*>(attributes.extra.get())->traced.outputs) {
    outputs.push_back({y.shape(), y.dtype(), nullptr, {}, 0});
  }
}

Arrays make_call(const Record& record, const Closed& closed, const Arrays& arguments, CallBody rules) {
  rules.traced = *closed.traced;
  rules.arguments = arguments.size();
  Attributes attributes;
  attributes.extra = std::make_shared<const CallBody>(std::move(rules));
  return make_all(record, joined({arguments, closed.captured}), std::move(attributes));
}

Arrays call_custom(const std::function<Arrays(const Arrays&)>& forward, const CustomRules& rules,
                   const Arrays& arguments);

Record custom_definition() {
  Record record;
  record.name = "custom";
  record.summary = "a user's function with its own rules";
  record.shapes = "(...)* -> (...)*";
  record.kind = Kind::kCall;
  record.arity = -1;
  record.infer = infer_call;
  record.vjp = [](const VjpCall& call) {
    const CallBody& body = call_body(call.node);
    Arrays g;
    for (std::size_t i = 0; i < call.outputs.size(); ++i)
      g.push_back(zeros_where_absent(call.cotangents[i], call.outputs[i]));
    Arrays cotangents = body.vjp(part_of(call.inputs, 0, body.arguments), call.outputs, g);
    if (cotangents.size() != body.arguments) {
      fail("custom", "the vjp returned {} cotangents for {} inputs; return one for each, undefined for none",
           cotangents.size(), body.arguments);
    }
    cotangents.resize(call.inputs.size());
    return cotangents;
  };
  record.jvp = [](const JvpCall&) -> Arrays {
    fail("custom", "forward mode is not defined for a function with a vjp of its own; use grad or vjp");
  };
  record.batch = [](const BatchCall& call) {
    const CallBody& body = call_body(call.node);
    std::vector<bool> batched(call.batched.begin(), call.batched.begin() + static_cast<std::ptrdiff_t>(body.arguments));
    if (body.batch) return body.batch(part_of(call.inputs, 0, body.arguments), batched);
    // The same function over a batch, with its vjp over a batch.
    Arrays inputs = call.inputs;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (!call.batched[i]) inputs[i] = with_batch(inputs[i], call.size);
    }
    const Attributes attributes = call.node.attributes;
    const auto kept = std::static_pointer_cast<const CallBody>(attributes.extra);
    const std::size_t n = inputs.size(), m = kept->traced.outputs.size();
    CustomRules rules;
    rules.vjp = [kept, n, m](const Arrays& in, const Arrays& out, const Arrays& g) {
      std::vector<bool> defined;
      Arrays back = transform::vmap(
          [&](const Arrays& all) {
            Arrays one = kept->vjp(part_of(all, 0, kept->arguments), part_of(all, n, m), part_of(all, n + m, m));
            one.resize(n);
            defined.clear();
            for (std::size_t i = 0; i < n; ++i) {
              defined.push_back(one[i].defined());
              if (!one[i].defined()) one[i] = Array(0.0F);
            }
            return one;
          },
          joined({in, out, g}), {}, 0);
      for (std::size_t i = 0; i < n; ++i) {
        if (!defined[i]) back[i] = Array();
      }
      return back;
    };
    const auto forward = [kept](const Arrays& in) {
      return transform::vmap([&](const Arrays& one) { return replay(kept->traced, one); }, in, {}, 0);
    };
    return call_custom(forward, rules, inputs);
  };
  return record;
}
const Record& kCustom = define(custom_definition());

Arrays call_custom(const std::function<Arrays(const Arrays&)>& forward, const CustomRules& rules,
                   const Arrays& arguments) {
  CallBody body;
  body.vjp = rules.vjp;
  body.batch = rules.batch;
  return make_call(kCustom, close(forward, arguments), arguments, std::move(body));
}

Record checkpoint_definition() {
  Record record;
  record.name = "checkpoint";
  record.summary = "a function whose intermediate values are computed again for backward";
  record.shapes = "(...)* -> (...)*";
  record.kind = Kind::kCall;
  record.arity = -1;
  record.infer = infer_call;
  record.vjp = [](const VjpCall& call) {
    const CallBody& body = call_body(call.node);
    Array first;
    for (const Array& g : call.cotangents) {
      if (g.defined() && !first.defined()) first = g;
    }
    Arrays again;  // the operands, no earlier than the cotangent, so that nothing is shared with the first computation
    for (const Array& x : call.inputs) again.push_back(make(barrier_record(), {x, first}));
    return transform::vjp([&](const Arrays& a) { return replay(body.traced, a); }, again).pullback(call.cotangents);
  };
  record.jvp = [](const JvpCall& call) {
    const CallBody& body = call_body(call.node);
    return transform::jvp([&](const Arrays& a) { return replay(body.traced, a); }, call.inputs, call.tangents).tangents;
  };
  record.batch = [](const BatchCall& call) {
    const auto kept = std::static_pointer_cast<const CallBody>(call.node.attributes.extra);
    std::vector<std::optional<int>> axes;
    for (bool batched : call.batched) axes.push_back(batched ? std::optional<int>(0) : std::nullopt);
    return transform::checkpoint(
        [kept, axes](const Arrays& in) {
          return transform::vmap([&](const Arrays& one) { return replay(kept->traced, one); }, in, axes, 0);
        },
        call.inputs);
  };
  return record;
}
const Record& kCheckpoint = define(checkpoint_definition());

}  // namespace
}  // namespace pellucid::ops

namespace pellucid {

using namespace ops;  // NOLINT: the records above

std::function<Arrays(const Arrays&)> custom(std::function<Arrays(const Arrays&)> forward, CustomRules rules) {
  if (!rules.vjp) fail("custom", "a vjp is needed: (inputs, outputs, cotangents) -> cotangents of the inputs");
  return [forward = std::move(forward), rules = std::move(rules)](const Arrays& x) {
    return call_custom(forward, rules, x);
  };
}

Arrays transform::checkpoint(const Function& f, const Arrays& arguments) {
  return make_call(kCheckpoint, close(f, arguments), arguments, {});
}

}  // namespace pellucid
