// scan: its shapes, its tangents and batches. The loop stands in scan_loop.cpp, the backward pass in scan_vjp.cpp.
#include "ops/scan.h"

#include <algorithm>

#include "pellucid/ops.h"
#include "pellucid/transform.h"
#include "transform/scan_loop.h"

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

Kernel prepare_scan(const Signature& signature) {
  auto loop = std::make_shared<ScanLoop>(signature);
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
