// The multiply-adds of records that multiply.
#include "ops/cost.h"

#include "ops/record.h"
#include "ops/traced.h"

namespace pellucid::ops {
namespace {

/// Of everything that a traced function computes from its parameters.
std::int64_t multiply_adds(const Traced& traced) {
  std::int64_t total = 0;
  for (const Node* node : reached_from(traced.parameters, traced.outputs).order) total += ops::multiply_adds(*node);
  return total;
}

/// A convolution's kernel has (sizes..., channels of a group, outputs): so many products for each output's position.
std::int64_t products_of_kernel(const Shape& kernel, std::size_t spatial) {
  std::int64_t n = 1;
  for (std::size_t d = kernel.size() - 2 - spatial; d + 1 < kernel.size(); ++d) n *= kernel[d];
  return n;
}

}  // namespace

std::int64_t multiply_adds(const Node& node) {
  const std::string_view name = node.record->name;
  const std::size_t spatial = node.attributes.axes.size();
  const auto count = [](const Array& x) { return x.size(); };
  if (node.inputs.empty()) return 0;  // evaluated: what it took is not known any more
  if (node.record->kind == Kind::kContract) return count_of(node.outputs[0].shape) * node.inputs[0].size(-1);
  if (name == "convolve") return count_of(node.outputs[0].shape) * products_of_kernel(node.inputs[1].shape(), spatial);
  if (name == "convolve_input") return count(node.inputs[0]) * products_of_kernel(node.inputs[1].shape(), spatial);
  if (name == "convolve_weight") {  // each element of g meets the whole kernel of its group
    return count(node.inputs[1]) * products_of_kernel(node.outputs[0].shape, spatial);
  }
  if (name == "attention") {  // q (b, t, h, d), k (b, s, g, d), v (b, s, g, e): scores, and the mean of values
    const Array &q = node.inputs[0], &k = node.inputs[1], &v = node.inputs[2];
    return q.size(0) * q.size(1) * q.size(2) * k.size(1) * (q.size(3) + v.size(3));
  }
  if (name == "scan")
    return node.attributes.integer * multiply_adds(*static_cast<const Traced*>(node.attributes.extra.get()));
  if (node.record->kind == Kind::kCall) return multiply_adds(call_body(node).traced);
  return 0;
}

}  // namespace pellucid::ops
