// split: an array cut along an axis. Its parts are views; the cotangents of all parts become one array by one copy,
// where those of slices would be added up in arrays of the whole size.
#include "ops/composed.h"
#include "ops/traced.h"

namespace pellucid::ops {
namespace {

// integer = axis; axes = where the parts begin, and the end; extra = the slices.

Arrays cut(const Array& x, std::size_t axis, std::vector<std::int64_t> bounds);

Record split_definition() {
  Record record;
  record.name = "split";
  record.summary = "the parts of an axis";
  record.shapes = "(..., sum n_i, ...) -> (..., n_i, ...)*";
  record.kind = Kind::kCall;
  record.linear = 1;
  record.infer = [](const Record&, const Arrays&, const Attributes& attributes, std::vector<Output>& outputs) {
    for (const Array& y : static_cast<const CallBody*>(attributes.extra.get())->traced.outputs) {
      outputs.push_back({y.shape(), y.dtype(), nullptr, {}, 0});
    }
  };
  record.vjp = [](const VjpCall& call) {
    std::size_t flowing = 0, last = 0;
    for (std::size_t i = 0; i < call.cotangents.size(); ++i) {
      if (!call.cotangents[i].defined()) continue;
      ++flowing;
      last = i;
    }
    const Attributes& attributes = call.node.attributes;
    if (flowing == 1) {
      const Shape& shape = call.inputs[0].shape();
      Shape start(shape.size(), 0);
      start[static_cast<std::size_t>(attributes.integer)] = attributes.axes[last];
      return Arrays{placed(call.cotangents[last], start, Shape(shape.size(), 1), shape)};
    }
    Arrays parts;
    for (std::size_t i = 0; i < call.cotangents.size(); ++i) {
      parts.push_back(call.cotangents[i].defined() ? call.cotangents[i] : zeros_like(call.outputs[i]));
    }
    return Arrays{concat(parts, static_cast<int>(attributes.integer))};
  };
  record.batch = [](const BatchCall& call) {
    const Attributes& attributes = call.node.attributes;
    return cut(call.inputs[0], static_cast<std::size_t>(attributes.integer) + 1, attributes.axes);
  };
  record.ulp = 0;
  return record;
}
const Record& kSplit = define(split_definition());

Arrays cut(const Array& x, std::size_t axis, std::vector<std::int64_t> bounds) {
  CallBody body;
  body.arguments = 1;
  body.traced.parameters = {placeholder(x.shape(), x.dtype())};
  for (std::size_t i = 0; i + 1 < bounds.size(); ++i) {
    body.traced.outputs.push_back(slice(body.traced.parameters[0], static_cast<int>(axis), bounds[i], bounds[i + 1]));
  }
  if (body.traced.outputs.size() < 2) return Arrays(body.traced.outputs.size(), x);
  Attributes attributes;
  attributes.integer = static_cast<std::int64_t>(axis);
  attributes.axes = std::move(bounds);
  attributes.extra = std::make_shared<const CallBody>(std::move(body));
  return make_all(kSplit, {x}, std::move(attributes));
}

}  // namespace
}  // namespace pellucid::ops

namespace pellucid {

using namespace ops;  // NOLINT: the record above

Arrays split(const Array& x, int parts, int axis) {
  check_defined("split", x);
  const std::size_t at = checked_axis("split", axis, x.shape());
  const std::int64_t n = x.shape()[at];
  if (parts <= 0 || n % parts != 0) {
    fail("split", "axis {} of {} has size {}, which {} parts do not divide; give positions to cut at", axis, x.shape(),
         n, parts);
  }
  std::vector<std::int64_t> bounds;
  for (std::int64_t i = 0; i <= parts; ++i) bounds.push_back(i * (n / parts));
  return cut(x, at, std::move(bounds));
}

Arrays split(const Array& x, const std::vector<std::int64_t>& positions, int axis) {
  check_defined("split", x);
  const std::size_t at = checked_axis("split", axis, x.shape());
  std::vector<std::int64_t> bounds{0};
  for (std::int64_t to : positions) {
    if (to < bounds.back() || to > x.shape()[at]) {
      fail("split", "positions {} for axis {} of {}: they must ascend within 0 to {}", positions, axis, x.shape(),
           x.shape()[at]);
    }
    bounds.push_back(to);
  }
  bounds.push_back(x.shape()[at]);
  return cut(x, at, std::move(bounds));
}

}  // namespace pellucid
