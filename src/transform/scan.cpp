// scan: its shapes, its loop, its tangents and batches. The backward pass stands in scan_vjp.cpp.
#include "ops/scan.h"

#include <algorithm>
#include <cstring>

#include "graph/plan.h"
#include "pellucid/ops.h"
#include "pellucid/transform.h"

namespace pellucid::ops {

namespace {

void infer_scan(const Record&, const Arrays& inputs, const Attributes& attributes, std::vector<Output>& outputs) {
  const ScanParts parts(attributes);
  const ScanBody& body = scan_body(attributes);
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

// ---- The loop -------------------------------------------------------------------------------------------------------

/// A loop over one plan. Carries are made where they are kept: in the history where it is asked for, else in two
/// buffers in turn, the last one in the result.
struct Loop {
  ScanParts parts;
  std::int64_t length;
  bool reverse;
  std::unique_ptr<graph::Plan> plan;
  std::vector<std::size_t> carry_bytes, x_bytes, y_bytes;
  std::vector<StoragePtr> spare;   // two for each carry, where there is no history
  std::vector<StoragePtr> unread;  // for ys that nobody reads
  std::vector<std::byte*> in, out;

  explicit Loop(const Signature& signature)
      : parts(signature.attributes), length(signature.attributes.integer), reverse(signature.attributes.flag) {
    const ScanBody& body = scan_body(signature.attributes);
    graph::Graph graph = graph::build(body.outputs, body.parameters);
    graph::optimise(graph);
    graph::PlanOptions options;
    options.steady.assign(body.parameters.size(), false);
    std::fill_n(options.steady.rbegin(), length > 1 ? parts.captured : 0, true);
    plan = std::make_unique<graph::Plan>(std::move(graph), std::move(options));
    const auto bytes_of = [](const Array& x) { return static_cast<std::size_t>(x.size()) * size_of(x.dtype()); };
    for (std::size_t i = 0; i < parts.carries; ++i) {
      carry_bytes.push_back(bytes_of(body.parameters[i]));
      spare.push_back(Storage::allocate(carry_bytes.back()));
      spare.push_back(Storage::allocate(carry_bytes.back()));
    }
    for (std::size_t i = 0; i < parts.xs; ++i) x_bytes.push_back(bytes_of(body.parameters[parts.carries + i]));
    for (std::size_t i = 0; i < parts.ys; ++i) {
      y_bytes.push_back(bytes_of(body.outputs[parts.carries + i]));
      unread.push_back(Storage::allocate(y_bytes.back()));
    }
    in.resize(body.parameters.size());
    out.resize(body.outputs.size());
  }

  std::size_t position(std::int64_t step) const { return static_cast<std::size_t>(reverse ? length - 1 - step : step); }
  /// Where carry i lies before a step; after the last one for `step` = length.
  std::byte* carry_at(void* const* y, const void* const* x, std::size_t i, std::int64_t step) {
    const auto bytes = [](const void* p) { return static_cast<std::byte*>(const_cast<void*>(p)); };
    if (step == length && y[i] != nullptr) return bytes(y[i]);
    auto* history = bytes(y[parts.carries + parts.ys + i]);
    if (history != nullptr && step < length) return history + position(step) * carry_bytes[i];
    return step == 0 ? bytes(x[i]) : spare[2 * i + static_cast<std::size_t>(step % 2)]->data();
  }

  void run(void* const* y, const void* const* x) {
    const auto input = [&](std::size_t i) { return static_cast<std::byte*>(const_cast<void*>(x[i])); };
    const std::size_t first_captured = parts.carries + parts.xs;
    for (std::size_t i = 0; i < parts.captured; ++i) in[first_captured + i] = input(first_captured + i);
    for (std::size_t i = 0; i < parts.carries; ++i) {
      std::byte* const start = carry_at(y, x, i, 0);
      if (start != x[i] && carry_bytes[i] != 0) std::memcpy(start, x[i], carry_bytes[i]);
    }
    for (std::int64_t step = 0; step < length; ++step) {
      const std::size_t t = position(step);
      for (std::size_t i = 0; i < parts.carries; ++i) {
        in[i] = carry_at(y, x, i, step);
        out[i] = carry_at(y, x, i, step + 1);
      }
      for (std::size_t i = 0; i < parts.xs; ++i) in[parts.carries + i] = input(parts.carries + i) + t * x_bytes[i];
      for (std::size_t i = 0; i < parts.ys; ++i) {
        auto* to = static_cast<std::byte*>(y[parts.carries + i]);
        out[parts.carries + i] = to == nullptr ? unread[i]->data() : to + t * y_bytes[i];
      }
      plan->run(in.data(), out.data(), step == 0);
    }
  }
};

Kernel prepare_scan(const Signature& signature) {
  auto loop = std::make_shared<Loop>(signature);
  return [loop](void* const* y, const void* const* x) { loop->run(y, x); };
}

// ---- Tangents and batches -------------------------------------------------------------------------------------------

ScanStep split_step(Arrays list, std::size_t carries) {
  return {part_of(list, 0, carries), part_of(list, carries, list.size() - carries)};
}

Array zeros_where_absent(const Array& g, const Array& like) { return g.defined() ? g : zeros_like(like); }

Arrays jvp_scan(const JvpCall& call) {
  const Attributes& attributes = call.node.attributes;
  const ScanParts p(attributes);
  const auto body = std::static_pointer_cast<const ScanBody>(attributes.extra);
  Arrays tangents;
  for (std::size_t i = 0; i < call.inputs.size(); ++i)
    tangents.push_back(zeros_where_absent(call.tangents[i], call.inputs[i]));
  const Arrays captured = part_of(call.inputs, p.carries + p.xs, p.captured);
  const Arrays captured_tangents = part_of(tangents, p.carries + p.xs, p.captured);
  const auto forward = [&](const Arrays& carry, const Arrays& x) -> ScanStep {
    const Arrays at = joined({part_of(carry, 0, p.carries), part_of(x, 0, p.xs), captured});
    const Arrays along = joined({part_of(carry, p.carries, p.carries), part_of(x, p.xs, p.xs), captured_tangents});
    Arrays directions = along;
    for (std::size_t i = 0; i < at.size(); ++i) {
      if (!is_float(at[i].dtype())) directions[i] = Array();
    }
    const Jvp pushed = transform::jvp([&](const Arrays& a) { return replay(*body, a); }, at, directions);
    return {joined({part_of(pushed.outputs, 0, p.carries), part_of(pushed.tangents, 0, p.carries)}),
            joined({part_of(pushed.tangents, p.carries, p.ys), part_of(carry, p.carries, p.carries)})};
  };
  const ScanStep result = scan(forward, joined({part_of(call.inputs, 0, p.carries), part_of(tangents, 0, p.carries)}),
                               joined({part_of(call.inputs, p.carries, p.xs), part_of(tangents, p.carries, p.xs)}),
                               attributes.integer, attributes.flag);
  return joined({part_of(result.carry, p.carries, p.carries), result.ys});
}

Arrays batch_scan(const BatchCall& call) {
  const Attributes& attributes = call.node.attributes;
  const ScanParts p(attributes);
  const auto body = std::static_pointer_cast<const ScanBody>(attributes.extra);
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

}  // namespace

const Record& scan_record() { return kScan; }

}  // namespace pellucid::ops

namespace pellucid {

using namespace ops;  // NOLINT: the record above

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
        ScanStep step = body(part_of(all, 0, carry.size()), part_of(all, carry.size(), xs.size()));
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
  attributes.extra = std::make_shared<const ScanBody>(*closed.traced);
  const std::size_t ys = closed.traced->outputs.size() - carry.size();
  const Arrays outputs = make_all(kScan, joined({carry, xs, closed.captured}), std::move(attributes));
  return {part_of(outputs, 0, carry.size()), part_of(outputs, carry.size(), ys)};
}

}  // namespace pellucid
