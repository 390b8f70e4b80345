// Functions as operations: scan, custom rules, recomputation.
#include <algorithm>
#include <cstring>

#include "graph/plan.h"
#include "ops/traced.h"
#include "pellucid/ops.h"
#include "pellucid/transform.h"

namespace pellucid::ops {
namespace {

// ---- scan -----------------------------------------------------------------------------------------------------------
// Operands: carries, xs, captured. Results: last carries, ys, and the carries that each step began with (for backward).
// integer = length; flag = reverse; axes = {carries, xs, captured}; extra = the body.

const Traced& body_of(const Attributes& attributes) { return *static_cast<const Traced*>(attributes.extra.get()); }

struct Parts {
  std::size_t carries, xs, captured, ys;
  explicit Parts(const Attributes& attributes)
      : carries(static_cast<std::size_t>(attributes.axes[0])),
        xs(static_cast<std::size_t>(attributes.axes[1])),
        captured(static_cast<std::size_t>(attributes.axes[2])),
        ys(body_of(attributes).outputs.size() - carries) {}
};

Arrays part(const Arrays& list, std::size_t first, std::size_t count) {
  return Arrays(list.begin() + static_cast<std::ptrdiff_t>(first),
                list.begin() + static_cast<std::ptrdiff_t>(first + count));
}
Arrays joined(std::initializer_list<Arrays> lists) {
  Arrays all;
  for (const Arrays& list : lists) all.insert(all.end(), list.begin(), list.end());
  return all;
}

void infer_scan(const Record&, const Arrays& inputs, const Attributes& attributes, std::vector<Output>& outputs) {
  const Parts parts(attributes);
  const Traced& body = body_of(attributes);
  const auto stacked = [&](Shape shape) {
    shape.insert(shape.begin(), attributes.integer);
    return shape;
  };
  for (std::size_t i = 0; i < parts.carries; ++i)
    outputs.push_back({inputs[i].shape(), inputs[i].dtype(), nullptr, {}, 0});
  for (std::size_t i = parts.carries; i < body.outputs.size(); ++i) {
    outputs.push_back({stacked(body.outputs[i].shape()), body.outputs[i].dtype(), nullptr, {}, 0});
  }
  for (std::size_t i = 0; i < parts.carries; ++i)
    outputs.push_back({stacked(inputs[i].shape()), inputs[i].dtype(), nullptr, {}, 0});
}

Kernel prepare_scan(const Signature& signature) {
  struct Loop {
    Parts parts;
    std::int64_t length;
    bool reverse;
    std::unique_ptr<graph::Plan> plan;
    std::vector<std::size_t> carry_bytes, x_bytes, y_bytes;
    std::vector<StoragePtr> buffers;  // two for each carry
    std::vector<std::byte*> in, out;
    std::vector<StoragePtr> unread;  // for ys that nobody reads
  };
  auto loop = std::make_shared<Loop>(Loop{Parts(signature.attributes),
                                          signature.attributes.integer,
                                          signature.attributes.flag,
                                          {},
                                          {},
                                          {},
                                          {},
                                          {},
                                          {},
                                          {},
                                          {}});
  const Traced& body = body_of(signature.attributes);
  graph::Graph graph = graph::build(body.outputs, body.parameters);
  graph::optimise(graph);
  loop->plan = std::make_unique<graph::Plan>(std::move(graph));
  const auto bytes_of = [](const Array& x) { return static_cast<std::size_t>(x.size()) * size_of(x.dtype()); };
  for (std::size_t i = 0; i < loop->parts.carries; ++i) {
    loop->carry_bytes.push_back(bytes_of(body.parameters[i]));
    loop->buffers.push_back(Storage::allocate(loop->carry_bytes.back()));
    loop->buffers.push_back(Storage::allocate(loop->carry_bytes.back()));
  }
  for (std::size_t i = 0; i < loop->parts.xs; ++i)
    loop->x_bytes.push_back(bytes_of(body.parameters[loop->parts.carries + i]));
  for (std::size_t i = 0; i < loop->parts.ys; ++i) {
    loop->y_bytes.push_back(bytes_of(body.outputs[loop->parts.carries + i]));
    loop->unread.push_back(Storage::allocate(loop->y_bytes.back()));
  }
  loop->in.resize(body.parameters.size());
  loop->out.resize(body.outputs.size());
  return [loop](void* const* y, const void* const* x) {
    const Parts& p = loop->parts;
    const auto input = [&](std::size_t i) { return static_cast<std::byte*>(const_cast<void*>(x[i])); };
    for (std::size_t i = 0; i < p.captured; ++i) loop->in[p.carries + p.xs + i] = input(p.carries + p.xs + i);
    for (std::size_t i = 0; i < p.carries; ++i) std::memcpy(loop->buffers[2 * i]->data(), x[i], loop->carry_bytes[i]);
    for (std::int64_t step = 0; step < loop->length; ++step) {
      const auto t = static_cast<std::size_t>(loop->reverse ? loop->length - 1 - step : step);
      const std::size_t now = static_cast<std::size_t>(step % 2);
      for (std::size_t i = 0; i < p.carries; ++i) {
        loop->in[i] = loop->buffers[2 * i + now]->data();
        loop->out[i] = loop->buffers[2 * i + 1 - now]->data();
        if (auto* history = static_cast<std::byte*>(y[p.carries + p.ys + i])) {
          std::memcpy(history + t * loop->carry_bytes[i], loop->in[i], loop->carry_bytes[i]);
        }
      }
      for (std::size_t i = 0; i < p.xs; ++i) loop->in[p.carries + i] = input(p.carries + i) + t * loop->x_bytes[i];
      for (std::size_t i = 0; i < p.ys; ++i) {
        auto* to = static_cast<std::byte*>(y[p.carries + i]);
        loop->out[p.carries + i] = to == nullptr ? loop->unread[i]->data() : to + t * loop->y_bytes[i];
      }
      loop->plan->run(loop->in.data(), loop->out.data());
    }
    const auto last = static_cast<std::size_t>(loop->length % 2);
    for (std::size_t i = 0; i < p.carries; ++i) {
      if (y[i] != nullptr) std::memcpy(y[i], loop->buffers[2 * i + last]->data(), loop->carry_bytes[i]);
    }
  };
}

ScanStep split_step(Arrays list, std::size_t carries) {
  return {part(list, 0, carries), part(list, carries, list.size() - carries)};
}

Array zeros_where_absent(const Array& g, const Array& like) { return g.defined() ? g : zeros_like(like); }

Arrays vjp_scan(const VjpCall& call) {
  const Attributes& attributes = call.node.attributes;
  const Parts p(attributes);
  const auto body = std::static_pointer_cast<const Traced>(attributes.extra);
  Arrays g;
  for (std::size_t i = 0; i < call.outputs.size(); ++i)
    g.push_back(zeros_where_absent(call.cotangents[i], call.outputs[i]));
  const Arrays xs = part(call.inputs, p.carries, p.xs);
  const Arrays captured = part(call.inputs, p.carries + p.xs, p.captured);
  const Arrays history = part(call.outputs, p.carries + p.ys, p.carries);
  // Only floating operands have cotangents; the captured ones' add up over the steps.
  const auto floating = [](const Arrays& list) {
    std::vector<std::size_t> which;
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (is_float(list[i].dtype())) which.push_back(i);
    }
    return which;
  };
  const auto f_carries = floating(part(call.inputs, 0, p.carries)), f_xs = floating(xs),
             f_captured = floating(captured);
  Arrays start;
  for (std::size_t i : f_carries) start.push_back(g[i]);
  for (std::size_t i : f_captured) start.push_back(zeros_like(captured[i]));
  Arrays along = joined({xs, history, part(g, p.carries, p.ys), part(g, p.carries + p.ys, p.carries)});
  const auto back = [&](const Arrays& carry, const Arrays& x) -> ScanStep {
    const Arrays at = joined({part(x, p.xs, p.carries), part(x, 0, p.xs), captured});
    const Vjp pulled = transform::vjp([&](const Arrays& a) { return replay(*body, a); }, at);
    Arrays cotangents(body->outputs.size());
    for (std::size_t i = 0; i < f_carries.size(); ++i) cotangents[f_carries[i]] = carry[i];
    for (std::size_t i = 0; i < p.ys; ++i) {
      if (is_float(body->outputs[p.carries + i].dtype())) cotangents[p.carries + i] = x[p.xs + p.carries + i];
    }
    const Arrays by = pulled.pullback(cotangents);
    ScanStep step;
    for (std::size_t i : f_carries) {
      const Array& through = x[p.xs + p.carries + p.ys + i];
      step.carry.push_back(by[i].defined() ? by[i] + through : through);
    }
    for (std::size_t i = 0; i < f_captured.size(); ++i) {
      step.carry.push_back(sum_of(carry[f_carries.size() + i], by[p.carries + p.xs + f_captured[i]]));
    }
    for (std::size_t i : f_xs) step.ys.push_back(zeros_where_absent(by[p.carries + i], at[p.carries + i]));
    return step;
  };
  const ScanStep result = scan(back, start, along, attributes.integer, !attributes.flag);
  Arrays cotangents(call.inputs.size());
  for (std::size_t i = 0; i < f_carries.size(); ++i) cotangents[f_carries[i]] = result.carry[i];
  for (std::size_t i = 0; i < f_xs.size(); ++i) cotangents[p.carries + f_xs[i]] = result.ys[i];
  for (std::size_t i = 0; i < f_captured.size(); ++i) {
    cotangents[p.carries + p.xs + f_captured[i]] = result.carry[f_carries.size() + i];
  }
  return cotangents;
}

Arrays jvp_scan(const JvpCall& call) {
  const Attributes& attributes = call.node.attributes;
  const Parts p(attributes);
  const auto body = std::static_pointer_cast<const Traced>(attributes.extra);
  Arrays tangents;
  for (std::size_t i = 0; i < call.inputs.size(); ++i)
    tangents.push_back(zeros_where_absent(call.tangents[i], call.inputs[i]));
  const Arrays captured = part(call.inputs, p.carries + p.xs, p.captured);
  const Arrays captured_tangents = part(tangents, p.carries + p.xs, p.captured);
  const auto forward = [&](const Arrays& carry, const Arrays& x) -> ScanStep {
    const Arrays at = joined({part(carry, 0, p.carries), part(x, 0, p.xs), captured});
    const Arrays along = joined({part(carry, p.carries, p.carries), part(x, p.xs, p.xs), captured_tangents});
    Arrays directions = along;
    for (std::size_t i = 0; i < at.size(); ++i) {
      if (!is_float(at[i].dtype())) directions[i] = Array();
    }
    const Jvp pushed = transform::jvp([&](const Arrays& a) { return replay(*body, a); }, at, directions);
    return {joined({part(pushed.outputs, 0, p.carries), part(pushed.tangents, 0, p.carries)}),
            joined({part(pushed.tangents, p.carries, p.ys), part(carry, p.carries, p.carries)})};
  };
  const ScanStep result = scan(forward, joined({part(call.inputs, 0, p.carries), part(tangents, 0, p.carries)}),
                               joined({part(call.inputs, p.carries, p.xs), part(tangents, p.carries, p.xs)}),
                               attributes.integer, attributes.flag);
  return joined({part(result.carry, p.carries, p.carries), result.ys});
}

Arrays batch_scan(const BatchCall& call) {
  const Attributes& attributes = call.node.attributes;
  const Parts p(attributes);
  const auto body = std::static_pointer_cast<const Traced>(attributes.extra);
  // Every carry has a batch axis: it may get one from any operand. xs keep time in front.
  Arrays carry, xs, captured;
  std::vector<std::optional<int>> axes;
  for (std::size_t i = 0; i < p.carries; ++i) {
    carry.push_back(call.batched[i] ? call.inputs[i] : with_batch(call.inputs[i], call.size));
    axes.push_back(0);
  }
  for (std::size_t i = p.carries; i < p.carries + p.xs; ++i) {
    xs.push_back(call.batched[i] ? move_axis(call.inputs[i], 0, 1) : call.inputs[i]);
    axes.push_back(call.batched[i] ? std::optional<int>(0) : std::nullopt);
  }
  for (std::size_t i = p.carries + p.xs; i < call.inputs.size(); ++i) {
    captured.push_back(call.inputs[i]);
    axes.push_back(call.batched[i] ? std::optional<int>(0) : std::nullopt);
  }
  const auto step = [&](const Arrays& c, const Arrays& x) {
    Arrays out = transform::vmap([&](const Arrays& a) { return replay(*body, a); }, joined({c, x, captured}), axes, 0);
    ScanStep result = split_step(std::move(out), p.carries);
    result.ys.insert(result.ys.end(), c.begin(), c.end());
    return result;
  };
  const ScanStep result = scan(step, carry, xs, attributes.integer, attributes.flag);
  Arrays outputs = result.carry;
  for (const Array& y : result.ys) outputs.push_back(move_axis(y, 1, 0));
  return outputs;
}

Record scan_definition() {
  Record record;
  record.name = "scan";
  record.summary = "a traced function run once for each position of a leading axis, a carry passed on";
  record.shapes = "(carry)*, (t, x)* -> (carry)*, (t, y)*";
  record.arity = -1;
  record.infer = infer_scan;
  record.prepare = prepare_scan;
  record.vjp = vjp_scan;
  record.jvp = jvp_scan;
  record.batch = batch_scan;
  return record;
}
const Record& kScan = define(scan_definition());

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
    Arrays cotangents = body.vjp(part(call.inputs, 0, body.arguments), call.outputs, g);
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
    if (body.batch) return body.batch(part(call.inputs, 0, body.arguments), batched);
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
            Arrays one = kept->vjp(part(all, 0, kept->arguments), part(all, n, m), part(all, n + m, m));
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

ScanStep scan(const std::function<ScanStep(const Arrays& carry, const Arrays& x)>& body, const Arrays& carry,
              const Arrays& xs, std::int64_t length, bool reverse) {
  for (const Array& x : xs) {
    if (x.rank() == 0) fail("scan", "an operand to run along is a scalar; it needs a leading axis");
    if (length < 0) length = x.shape()[0];
    if (x.shape()[0] != length)
      fail("scan", "operands have {} and {} positions along the leading axis", length, x.shape()[0]);
  }
  if (length < 0) fail("scan", "without operands to run along, the length must be given");
  Arrays arguments = carry;
  for (const Array& x : xs) {
    arguments.push_back(placeholder(Shape(x.shape().begin() + 1, x.shape().end()), x.dtype()));
  }
  std::size_t carries_out = 0;
  const Closed closed = close(
      [&](const Arrays& all) {
        ScanStep step = body(part(all, 0, carry.size()), part(all, carry.size(), xs.size()));
        carries_out = step.carry.size();
        return joined({step.carry, step.ys});
      },
      arguments);
  if (carries_out != carry.size()) fail("scan", "the body returned {} carries for {}", carries_out, carry.size());
  for (std::size_t i = 0; i < carry.size(); ++i) {
    const Array& y = closed.traced->outputs[i];
    if (y.shape() != carry[i].shape() || y.dtype() != carry[i].dtype()) {
      fail("scan", "carry {} is {}{} before a step and {}{} after it; it must keep its shape and type", i,
           carry[i].dtype(), carry[i].shape(), y.dtype(), y.shape());
    }
  }
  Attributes attributes;
  attributes.integer = length;
  attributes.flag = reverse;
  attributes.axes = {static_cast<std::int64_t>(carry.size()), static_cast<std::int64_t>(xs.size()),
                     static_cast<std::int64_t>(closed.captured.size())};
  attributes.extra = closed.traced;
  const std::size_t ys = closed.traced->outputs.size() - carry.size();
  const Arrays outputs = make_all(kScan, joined({carry, xs, closed.captured}), std::move(attributes));
  return {part(outputs, 0, carry.size()), part(outputs, carry.size(), ys)};
}

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
