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

std::int64_t multiply_adds(const Record& record, const Attributes& attributes, const std::vector<Shape>& inputs,
                           const std::vector<Shape>& outputs) {
  const std::string_view name = record.name;
  const std::size_t spatial = attributes.axes.size();
  if (record.kind == Kind::kContract) return count_of(outputs[0]) * inputs[0].back();
  if (name == "convolve") return count_of(outputs[0]) * products_of_kernel(inputs[1], spatial);
  if (name == "convolve_input") return count_of(inputs[0]) * products_of_kernel(inputs[1], spatial);
  if (name == "convolve_weight") {  // each element of g meets the whole kernel of its group
    return count_of(inputs[1]) * products_of_kernel(outputs[0], spatial);
  }
  if (name == "attention" || name == "attention_gradient") {
    // q (b, t, h, d), k (b, s, g, d), v (b, s, g, e): scores and the mean of values; backward the scores once more, the
    // cotangents of the weights, and those of q, k and v.
    const Shape &q = inputs[0], &k = inputs[1], &v = inputs[2];
    const std::int64_t pairs = q[0] * q[1] * q[2] * k[1];
    return name == "attention" ? pairs * (q[3] + v[3]) : pairs * (3 * q[3] + 2 * v[3]);
  }
  if (name == "weighted_waves") return count_of(outputs[0]) * inputs[1][1];
  if (name == "scan") return attributes.integer * multiply_adds(*static_cast<const Traced*>(attributes.extra.get()));
  return 0;
}

std::int64_t multiply_adds(const Node& node) {
  if (node.inputs.empty()) return 0;  // evaluated: what it took is not known any more
  if (node.record->kind == Kind::kCall) return multiply_adds(call_body(node).traced);
  std::vector<Shape> inputs, outputs;
  for (const Array& x : node.inputs) inputs.push_back(x.shape());
  for (const Output& y : node.outputs) outputs.push_back(y.shape);
  return multiply_adds(*node.record, node.attributes, inputs, outputs);
}

}  // namespace pellucid::ops
