// Primitives that take and add at positions given by arrays, and those that put in order.
#include <algorithm>
#include <cstring>

#include "ops/record.h"
#include "pellucid/ops.h"

namespace pellucid::ops {
namespace {

const std::vector<DType> kNumbers = {uint8, int32, int64, float32, float64};

std::size_t axis_of(const Attributes& attributes) { return static_cast<std::size_t>(attributes.integer); }

Attributes on_axis(std::size_t axis) {
  Attributes attributes;
  attributes.integer = static_cast<std::int64_t>(axis);
  return attributes;
}

/// x seen as (outer, n, inner) around an axis.
struct Around {
  std::int64_t outer = 1, n = 1, inner = 1;
  Around(const Shape& shape, std::size_t axis) : n(shape[axis]) {
    for (std::size_t d = 0; d < axis; ++d) outer *= shape[d];
    for (std::size_t d = axis + 1; d < shape.size(); ++d) inner *= shape[d];
  }
};

/// Throws for the index at position `at` that a kernel found out of range.
[[noreturn]] void out_of_range(std::string_view name, const void* indices, std::int64_t at, std::int64_t n,
                               std::int64_t axis) {
  fail(name, "index {} (element {} of the indices) is out of range for axis {} of size {}; allowed are {} to {}",
       static_cast<const std::int64_t*>(indices)[at], at, axis, n, -n, n - 1);
}

Array checked_indices(std::string_view name, const Array& indices) {
  if (!is_integer(indices.dtype())) fail(name, "indices are {}; they must be int32 or int64", indices.dtype());
  return astype(indices, int64);
}

/// Positions in [0, n), with those out of range moved past the end of `total`, so that they are still found.
Array absolute(const Array& indices, std::int64_t n, const Array& offset, std::int64_t total) {
  const Array at = where(indices < Array(0), indices + n, indices);
  return where((at < Array(0)) | (at >= Array(n)), total, at + offset);
}

// ---- take -----------------------------------------------------------------------------------------------------------

Array take_at(const Array& x, const Array& indices, std::size_t axis);

Record take_definition() {
  Record record;
  record.name = "take";
  record.summary = "x with an axis replaced by the axes of the indices: x[..., indices, ...]";
  record.shapes = "(a..., n, b...), (i...) -> (a..., i..., b...)";
  record.arity = 2;
  record.linear = 1;
  record.infer = [](const Record&, const Arrays& inputs, const Attributes& attributes, std::vector<Output>& outputs) {
    const auto axis = static_cast<std::ptrdiff_t>(attributes.integer);
    const Shape& x = inputs[0].shape();
    Shape shape(x.begin(), x.begin() + axis);
    shape.insert(shape.end(), inputs[1].shape().begin(), inputs[1].shape().end());
    shape.insert(shape.end(), x.begin() + axis + 1, x.end());
    element_count(shape, "take");
    outputs.push_back({std::move(shape), inputs[0].dtype(), nullptr, {}, 0});
  };
  record.prepare = [](const Signature& signature) -> Kernel {
    const Around x(signature.inputs[0], axis_of(signature.attributes));
    const std::int64_t count = count_of(signature.inputs[1]), axis = signature.attributes.integer;
    const std::size_t size = size_of(signature.input_types[0]);
    return [=](void* const* y, const void* const* in) {
      const auto* indices = static_cast<const std::int64_t*>(in[1]);
      const std::int64_t bad = kernels::take(y[0], in[0], indices, x.outer, x.n, x.inner, count, size);
      if (bad >= 0) out_of_range("take", indices, bad, x.n, axis);
    };
  };
  record.vjp = [](const VjpCall& call) {
    return Arrays{scatter_add(zeros_like(call.inputs[0]), call.inputs[1], call.cotangents[0],
                              static_cast<int>(call.node.attributes.integer)),
                  Array()};
  };
  record.batch = [](const BatchCall& call) {
    const std::size_t axis = axis_of(call.node.attributes);
    const Array& x = call.inputs[0];
    const Array& indices = call.inputs[1];
    if (!call.batched[1]) return Arrays{take_at(x, indices, axis + 1)};
    if (!call.batched[0]) return Arrays{move_axis(take_at(x, indices, axis), axis, 0)};
    // One take from the batch axis and the indexed axis joined: x (size, a..., n, b...) to (size * n, a..., b...).
    const std::int64_t n = x.shape()[axis + 1];
    Array joined = move_axis(x, axis + 1, 1);
    Shape rest(joined.shape().begin() + 2, joined.shape().end());
    Shape joined_shape{call.size * n};
    joined_shape.insert(joined_shape.end(), rest.begin(), rest.end());
    Shape offset_shape(indices.shape().size(), 1);
    offset_shape[0] = call.size;
    const Array offset = reshape(arange(call.size) * n, offset_shape);
    Array y = take_at(reshape(joined, joined_shape), absolute(indices, n, offset, call.size * n), 0);
    // (size, i..., a..., b...) to (size, a..., i..., b...)
    const std::size_t index_axes = indices.shape().size() - 1;
    std::vector<int> order{0};
    for (std::size_t d = 0; d < axis; ++d) order.push_back(static_cast<int>(1 + index_axes + d));
    for (std::size_t d = 0; d < index_axes; ++d) order.push_back(static_cast<int>(1 + d));
    for (std::size_t d = 1 + index_axes + axis; d < y.shape().size(); ++d) order.push_back(static_cast<int>(d));
    return Arrays{permute(y, order)};
  };
  record.ulp = 0;
  return record;
}
const Record& kTake = define(take_definition());
Array take_at(const Array& x, const Array& indices, std::size_t axis) {
  return make(kTake, {x, indices}, on_axis(axis));
}

// ---- scatter_add ----------------------------------------------------------------------------------------------------

void infer_scatter(const Record& self, const Arrays& inputs, const Attributes& attributes,
                   std::vector<Output>& outputs) {
  const auto axis = static_cast<std::ptrdiff_t>(attributes.integer);
  const Shape& x = inputs[0].shape();
  Shape expected(x.begin(), x.begin() + axis);
  expected.insert(expected.end(), inputs[1].shape().begin(), inputs[1].shape().end());
  expected.insert(expected.end(), x.begin() + axis + 1, x.end());
  if (inputs[2].shape() != expected) {
    fail(self.name, "updates of shape {} for indices {} into axis {} of {}; they must be {}", inputs[2].shape(),
         inputs[1].shape(), axis, x, expected);
  }
  outputs.push_back({x, inputs[0].dtype(), nullptr, {}, 0});
}

Record scatter_add_definition() {
  Record record;
  record.name = "scatter_add";
  record.summary = "x with updates added at the positions given by the indices along an axis";
  record.shapes = "(a..., n, b...), (i...), (a..., i..., b...) -> (a..., n, b...)";
  record.arity = 3;
  record.linear = 0b101;
  record.infer = infer_scatter;
  record.prepare = [](const Signature& signature) -> Kernel {
    const Around x(signature.inputs[0], axis_of(signature.attributes));
    const std::int64_t count = count_of(signature.inputs[1]), axis = signature.attributes.integer;
    const DType dtype = signature.input_types[0];
    const std::size_t bytes = static_cast<std::size_t>(count_of(signature.inputs[0])) * size_of(dtype);
    return [=](void* const* y, const void* const* in) {
      if (bytes != 0) std::memcpy(y[0], in[0], bytes);
      const auto* indices = static_cast<const std::int64_t*>(in[1]);
      const std::int64_t bad = kernels::scatter_add(y[0], in[2], indices, x.outer, x.n, x.inner, count, dtype);
      if (bad >= 0) out_of_range("scatter_add", indices, bad, x.n, axis);
    };
  };
  record.vjp = [](const VjpCall& call) {
    return Arrays{call.cotangents[0], Array(),
                  call.needed[2]
                      ? take(call.cotangents[0], call.inputs[1], static_cast<int>(call.node.attributes.integer))
                      : Array()};
  };
  record.batch = [](const BatchCall& call) {
    const std::size_t axis = axis_of(call.node.attributes);
    const Array x = call.batched[0] ? call.inputs[0] : with_batch(call.inputs[0], call.size);
    const Array updates = call.batched[2] ? call.inputs[2] : with_batch(call.inputs[2], call.size);
    if (!call.batched[1]) return Arrays{scatter_add(x, call.inputs[1], updates, static_cast<int>(axis) + 1)};
    // As for take: the batch axis and the indexed axis are joined.
    const Array& indices = call.inputs[1];
    const std::int64_t n = x.shape()[axis + 1];
    const Array front = move_axis(x, axis + 1, 1);
    Shape joined_shape{call.size * n};
    joined_shape.insert(joined_shape.end(), front.shape().begin() + 2, front.shape().end());
    Shape offset_shape(indices.shape().size(), 1);
    offset_shape[0] = call.size;
    const Array at = absolute(indices, n, reshape(arange(call.size) * n, offset_shape), call.size * n);
    const std::size_t index_axes = indices.shape().size() - 1;
    std::vector<int> order{0};
    for (std::size_t d = 0; d < index_axes; ++d) order.push_back(static_cast<int>(1 + axis + d));
    for (std::size_t d = 0; d < axis; ++d) order.push_back(static_cast<int>(1 + d));
    for (std::size_t d = 1 + axis + index_axes; d < updates.shape().size(); ++d) order.push_back(static_cast<int>(d));
    const Array y = scatter_add(reshape(front, joined_shape), at, permute(updates, order), 0);
    return Arrays{move_axis(reshape(y, front.shape()), 1, axis + 1)};
  };
  record.dtypes = kNumbers;
  return record;
}
const Record& kScatterAdd = define(scatter_add_definition());

// ---- Along an axis: indices of x's rank -----------------------------------------------------------------------------

void check_along(const Record& self, const Shape& x, const Shape& indices, std::size_t axis) {
  Shape expected = x;
  bool fits = x.size() == indices.size();
  if (fits) {
    expected[axis] = indices[axis];
    fits = expected == indices;
  }
  if (!fits) fail(self.name, "indices of shape {} for axis {} of {}; all other sizes must be equal", indices, axis, x);
}

Arrays batch_along(const BatchCall& call) {
  Arrays inputs = call.inputs;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!call.batched[i]) inputs[i] = with_batch(inputs[i], call.size);
  }
  return {make(*call.node.record, std::move(inputs), on_axis(axis_of(call.node.attributes) + 1))};
}

Record take_along_definition() {
  Record record;
  record.name = "take_along_axis";
  record.summary = "y[i, j] = x[indices[i, j], j] for axis 0, and so on";
  record.shapes = "(a..., n, b...), (a..., m, b...) -> (a..., m, b...)";
  record.arity = 2;
  record.linear = 1;
  record.infer = [](const Record& self, const Arrays& inputs, const Attributes& attributes,
                    std::vector<Output>& outputs) {
    check_along(self, inputs[0].shape(), inputs[1].shape(), axis_of(attributes));
    outputs.push_back({inputs[1].shape(), inputs[0].dtype(), nullptr, {}, 0});
  };
  record.prepare = [](const Signature& signature) -> Kernel {
    const Around x(signature.inputs[0], axis_of(signature.attributes));
    const std::int64_t count = signature.inputs[1][axis_of(signature.attributes)], axis = signature.attributes.integer;
    const std::size_t size = size_of(signature.input_types[0]);
    return [=](void* const* y, const void* const* in) {
      const auto* indices = static_cast<const std::int64_t*>(in[1]);
      const std::int64_t bad = kernels::take_along(y[0], in[0], indices, x.outer, x.n, x.inner, count, size);
      if (bad >= 0) out_of_range("take_along_axis", indices, bad, x.n, axis);
    };
  };
  record.vjp = [](const VjpCall& call) {
    const int axis = static_cast<int>(call.node.attributes.integer);
    return Arrays{scatter_add_along_axis(zeros_like(call.inputs[0]), call.inputs[1], call.cotangents[0], axis),
                  Array()};
  };
  record.batch = batch_along;
  record.ulp = 0;
  return record;
}
const Record& kTakeAlong = define(take_along_definition());

Record scatter_along_definition() {
  Record record;
  record.name = "scatter_add_along_axis";
  record.summary = "x with updates[i, j] added at [indices[i, j], j] for axis 0, and so on";
  record.shapes = "(a..., n, b...), (a..., m, b...), (a..., m, b...) -> (a..., n, b...)";
  record.arity = 3;
  record.linear = 0b101;
  record.infer = [](const Record& self, const Arrays& inputs, const Attributes& attributes,
                    std::vector<Output>& outputs) {
    check_along(self, inputs[0].shape(), inputs[1].shape(), axis_of(attributes));
    if (inputs[2].shape() != inputs[1].shape()) {
      fail(self.name, "updates {} and indices {} must have one shape", inputs[2].shape(), inputs[1].shape());
    }
    outputs.push_back({inputs[0].shape(), inputs[0].dtype(), nullptr, {}, 0});
  };
  record.prepare = [](const Signature& signature) -> Kernel {
    const Around x(signature.inputs[0], axis_of(signature.attributes));
    const std::int64_t count = signature.inputs[1][axis_of(signature.attributes)], axis = signature.attributes.integer;
    const DType dtype = signature.input_types[0];
    const std::size_t bytes = static_cast<std::size_t>(count_of(signature.inputs[0])) * size_of(dtype);
    return [=](void* const* y, const void* const* in) {
      if (bytes != 0) std::memcpy(y[0], in[0], bytes);
      const auto* indices = static_cast<const std::int64_t*>(in[1]);
      const std::int64_t bad = kernels::scatter_add_along(y[0], in[2], indices, x.outer, x.n, x.inner, count, dtype);
      if (bad >= 0) out_of_range("scatter_add_along_axis", indices, bad, x.n, axis);
    };
  };
  record.vjp = [](const VjpCall& call) {
    const int axis = static_cast<int>(call.node.attributes.integer);
    return Arrays{call.cotangents[0], Array(),
                  call.needed[2] ? take_along_axis(call.cotangents[0], call.inputs[1], axis) : Array()};
  };
  record.batch = batch_along;
  record.dtypes = kNumbers;
  return record;
}
const Record& kScatterAlong = define(scatter_along_definition());

// ---- Order ----------------------------------------------------------------------------------------------------------

Record argsort_definition() {
  Record record;
  record.name = "argsort";
  record.summary = "the stable order of the last axis, NaN last";
  record.shapes = "(..., n) -> (..., n)";
  record.differentiable = false;
  record.infer = [](const Record&, const Arrays& inputs, const Attributes&, std::vector<Output>& outputs) {
    outputs.push_back({inputs[0].shape(), DType::kInt64, nullptr, {}, 0});
  };
  record.prepare = [](const Signature& signature) -> Kernel {
    const std::int64_t cols = signature.inputs[0].back();
    const std::int64_t rows = cols == 0 ? 0 : count_of(signature.inputs[0]) / cols;
    const DType dtype = signature.input_types[0];
    const bool descending = signature.attributes.flag;
    return [=](void* const* y, const void* const* x) {
      if (rows != 0) kernels::argsort_rows(static_cast<std::int64_t*>(y[0]), x[0], rows, cols, descending, dtype);
    };
  };
  record.batch = [](const BatchCall& call) { return remake(call.node, call.inputs); };
  record.ulp = 0;
  return record;
}
const Record& kArgsort = define(argsort_definition());

Record searchsorted_definition() {
  Record record;
  record.name = "searchsorted";
  record.summary = "positions in a sorted vector before which values would keep the order";
  record.shapes = "(n), (...) -> (...)";
  record.arity = 2;
  record.differentiable = false;
  record.infer = [](const Record& self, const Arrays& inputs, const Attributes&, std::vector<Output>& outputs) {
    if (inputs[0].rank() != 1) fail(self.name, "the sorted array has shape {}; it must be a vector", inputs[0].shape());
    outputs.push_back({inputs[1].shape(), DType::kInt64, nullptr, {}, 0});
  };
  record.prepare = [](const Signature& signature) -> Kernel {
    const std::int64_t n = signature.inputs[0][0], count = count_of(signature.inputs[1]);
    const DType dtype = signature.input_types[0];
    const bool right = signature.attributes.flag;
    return [=](void* const* y, const void* const* x) {
      kernels::searchsorted(static_cast<std::int64_t*>(y[0]), x[0], n, x[1], count, right, dtype);
    };
  };
  record.batch = [](const BatchCall& call) {
    if (!call.batched[0]) return remake(call.node, call.inputs);
    // Each row has an order of its own: count the sorted elements that come before each value.
    const Array values = call.batched[1] ? call.inputs[1] : with_batch(call.inputs[1], call.size);
    const std::int64_t count = values.size() / std::max<std::int64_t>(call.size, 1);
    const Array rows = reshape(call.inputs[0], {call.size, 1, call.inputs[0].shape()[1]});
    const Array flat = reshape(values, {call.size, count, 1});
    const Array before = call.node.attributes.flag ? rows <= flat : rows < flat;
    return Arrays{reshape(sum(astype(before, int64), Axes(2)), values.shape())};
  };
  record.ulp = 0;
  return record;
}
const Record& kSearchsorted = define(searchsorted_definition());

}  // namespace
}  // namespace pellucid::ops

namespace pellucid {

using namespace ops;  // NOLINT: the records above

Array take(const Array& x, const Array& indices, int axis) {
  return take_at(x, checked_indices("take", indices), checked_axis("take", axis, x.shape()));
}

Array take_along_axis(const Array& x, const Array& indices, int axis) {
  const Array at = checked_indices("take_along_axis", indices);
  return make(kTakeAlong, {x, at}, on_axis(checked_axis("take_along_axis", axis, x.shape())));
}

Array scatter_add(const Array& x, const Array& indices, const Array& updates, int axis) {
  const Arrays same = promoted("scatter_add", {x, updates});
  const Array at = checked_indices("scatter_add", indices);
  const Attributes attributes = on_axis(checked_axis("scatter_add", axis, x.shape()));
  if (same[0].dtype() != DType::kBFloat16) return make(kScatterAdd, {same[0], at, same[1]}, attributes);
  return astype(make(kScatterAdd, {astype(same[0], float32), at, astype(same[1], float32)}, attributes), bfloat16);
}

Array scatter_add_along_axis(const Array& x, const Array& indices, const Array& updates, int axis) {
  const Arrays same = promoted("scatter_add_along_axis", {x, updates});
  const Array at = checked_indices("scatter_add_along_axis", indices);
  const Attributes attributes = on_axis(checked_axis("scatter_add_along_axis", axis, x.shape()));
  if (same[0].dtype() != DType::kBFloat16) return make(kScatterAlong, {same[0], at, same[1]}, attributes);
  return astype(make(kScatterAlong, {astype(same[0], float32), at, astype(same[1], float32)}, attributes), bfloat16);
}

Array argsort(const Array& x, int axis, bool descending) {
  const std::size_t at = checked_axis("argsort", axis, x.shape());
  const std::size_t last = x.shape().size() - 1;
  Attributes attributes;
  attributes.flag = descending;
  return move_axis(make(kArgsort, {move_axis(x, at, last)}, std::move(attributes)), last, at);
}

Array searchsorted(const Array& sorted, const Array& values, bool right) {
  const Arrays same = promoted("searchsorted", {sorted, values});
  Attributes attributes;
  attributes.flag = right;
  return make(kSearchsorted, same, std::move(attributes));
}

}  // namespace pellucid
