// Primitives that move elements: views (reshape, permute, broadcast_to, slice), place and concat.
#include <algorithm>
#include <cstring>
#include <numeric>

#include "base/thread_pool.h"
#include "ops/record.h"
#include "pellucid/ops.h"

namespace pellucid::ops {
namespace {

Attributes with_shape(const Shape& shape) {
  Attributes attributes;
  attributes.shape = shape;
  return attributes;
}

Shape prepend(std::int64_t size, const Shape& shape) {
  Shape result{size};
  result.insert(result.end(), shape.begin(), shape.end());
  return result;
}

// ---- reshape --------------------------------------------------------------------------------------------------------

// Runs of axes that lie without gaps in memory are matched against runs of the new axes.
bool view_reshape(const Layout& in, const Attributes&, Layout& result) {
  result.offset = in.offset;
  result.strides.assign(result.shape.size(), 0);
  if (count_of(in.shape) == 0) {
    result.strides = contiguous_strides(result.shape);
    return true;
  }
  std::vector<std::pair<std::int64_t, std::int64_t>> runs;  // (elements, stride of the innermost), outermost first
  for (std::size_t d = 0; d < in.shape.size(); ++d) {
    if (in.shape[d] == 1) continue;
    if (!runs.empty() && runs.back().second == in.strides[d] * in.shape[d]) {
      runs.back() = {runs.back().first * in.shape[d], in.strides[d]};
    } else {
      runs.emplace_back(in.shape[d], in.strides[d]);
    }
  }
  std::size_t d = result.shape.size();
  for (std::size_t r = runs.size(); r-- > 0;) {
    std::int64_t left = runs[r].first, stride = runs[r].second;
    while (left > 1) {
      if (d == 0) return false;
      --d;
      if (result.shape[d] == 1) continue;
      if (left % result.shape[d] != 0) return false;
      result.strides[d] = stride;
      stride *= result.shape[d];
      left /= result.shape[d];
    }
  }
  return true;
}

Record reshape_definition() {
  Record record;
  record.name = "reshape";
  record.summary = "the elements in row-major order under another shape";
  record.shapes = "(...) -> shape";
  record.kind = Kind::kView;
  record.linear = 1;
  record.infer = [](const Record& self, const Arrays& inputs, const Attributes& attributes,
                    std::vector<Output>& outputs) {
    if (element_count(attributes.shape, "reshape") != inputs[0].size()) {
      fail(self.name, "{} to {}: {} and {} elements differ", inputs[0].shape(), attributes.shape, inputs[0].size(),
           count_of(attributes.shape));
    }
    outputs.push_back({attributes.shape, inputs[0].dtype(), nullptr, {}, 0});
  };
  record.view = view_reshape;
  record.vjp = [](const VjpCall& call) { return Arrays{reshape(call.cotangents[0], call.inputs[0].shape())}; };
  record.batch = [](const BatchCall& call) {
    return Arrays{reshape(call.inputs[0], prepend(call.size, call.node.attributes.shape))};
  };
  record.ulp = 0;
  return record;
}
const Record& kReshape = define(reshape_definition());

// ---- permute --------------------------------------------------------------------------------------------------------

Array permuted(const Array& x, std::vector<std::int64_t> order);

Record permute_definition() {
  Record record;
  record.name = "permute";
  record.summary = "the axes in another order";
  record.shapes = "(n_0, ..., n_d) -> (n_order[0], ...)";
  record.kind = Kind::kView;
  record.linear = 1;
  record.infer = [](const Record&, const Arrays& inputs, const Attributes& attributes, std::vector<Output>& outputs) {
    Shape shape;
    for (auto axis : attributes.axes) shape.push_back(inputs[0].shape()[static_cast<std::size_t>(axis)]);
    outputs.push_back({std::move(shape), inputs[0].dtype(), nullptr, {}, 0});
  };
  record.view = [](const Layout& in, const Attributes& attributes, Layout& result) {
    result.offset = in.offset;
    result.strides.clear();
    for (auto axis : attributes.axes) result.strides.push_back(in.strides[static_cast<std::size_t>(axis)]);
    return true;
  };
  record.vjp = [](const VjpCall& call) {
    const auto& order = call.node.attributes.axes;
    std::vector<std::int64_t> inverse(order.size());
    for (std::size_t i = 0; i < order.size(); ++i)
      inverse[static_cast<std::size_t>(order[i])] = static_cast<std::int64_t>(i);
    return Arrays{permuted(call.cotangents[0], std::move(inverse))};
  };
  record.batch = [](const BatchCall& call) {
    std::vector<std::int64_t> order{0};
    for (auto axis : call.node.attributes.axes) order.push_back(axis + 1);
    return Arrays{permuted(call.inputs[0], std::move(order))};
  };
  record.ulp = 0;
  return record;
}
const Record& kPermute = define(permute_definition());

Array permuted(const Array& x, std::vector<std::int64_t> order) {
  Attributes attributes;
  attributes.axes = std::move(order);
  return make(kPermute, {x}, std::move(attributes));
}

// ---- broadcast_to ---------------------------------------------------------------------------------------------------

Record broadcast_definition() {
  Record record;
  record.name = "broadcast_to";
  record.summary = "axes of size 1, and absent leading axes, repeated";
  record.shapes = "(...) -> shape";
  record.kind = Kind::kView;
  record.linear = 1;
  record.infer = [](const Record& self, const Arrays& inputs, const Attributes& attributes,
                    std::vector<Output>& outputs) {
    const Shape& from = inputs[0].shape();
    const Shape& to = attributes.shape;
    element_count(to, "broadcast_to");
    bool fits = from.size() <= to.size();
    for (std::size_t d = 1; fits && d <= from.size(); ++d) {
      fits = from[from.size() - d] == 1 || from[from.size() - d] == to[to.size() - d];
    }
    if (!fits) fail(self.name, "{} to {}: every size, from the last, must be equal or 1", from, to);
    outputs.push_back({to, inputs[0].dtype(), nullptr, {}, 0});
  };
  record.view = [](const Layout& in, const Attributes&, Layout& result) {
    result.offset = in.offset;
    result.strides.assign(result.shape.size(), 0);
    for (std::size_t d = 1; d <= in.shape.size(); ++d) {
      if (in.shape[in.shape.size() - d] != 1) result.strides[result.shape.size() - d] = in.strides[in.shape.size() - d];
    }
    return true;
  };
  record.vjp = [](const VjpCall& call) {
    const Shape& from = call.inputs[0].shape();
    const Shape& to = call.outputs[0].shape();
    std::vector<int> axes;
    for (std::size_t d = 0; d < to.size(); ++d) {
      const std::size_t before = to.size() - from.size();
      if (d < before || (from[d - before] == 1 && to[d] != 1)) axes.push_back(static_cast<int>(d));
    }
    Array g = call.cotangents[0];
    if (!axes.empty()) g = sum(g, Axes(axes));
    return Arrays{reshape(g, from)};
  };
  record.batch = [](const BatchCall& call) {
    // The batch axis stays in front; axes that broadcasting adds come after it.
    const Shape& to = call.node.attributes.shape;
    Shape aligned(to.size() + 1, 1);
    const Shape& from = call.inputs[0].shape();
    aligned[0] = call.size;
    for (std::size_t d = 1; d < from.size(); ++d) aligned[aligned.size() - d] = from[from.size() - d];
    return Arrays{broadcast_to(reshape(call.inputs[0], aligned), prepend(call.size, to))};
  };
  record.ulp = 0;
  return record;
}
const Record& kBroadcast = define(broadcast_definition());

// ---- slice and place ------------------------------------------------------------------------------------------------
// slice: axes = first positions, steps, shape = sizes of the result. place puts elements back where slice took them.

Attributes slice_attributes(std::vector<std::int64_t> starts, std::vector<std::int64_t> steps, Shape shape) {
  Attributes attributes;
  attributes.axes = std::move(starts);
  attributes.steps = std::move(steps);
  attributes.shape = std::move(shape);
  return attributes;
}

void view_slice_strides(const Layout& in, const Attributes& attributes, Layout& result) {
  result.offset = in.offset;
  result.strides.resize(in.shape.size());
  for (std::size_t d = 0; d < in.shape.size(); ++d) {
    result.offset += attributes.axes[d] * in.strides[d];
    result.strides[d] = in.strides[d] * attributes.steps[d];
  }
}

Array place(const Array& x, const Attributes& where, const Shape& shape);

Record slice_definition() {
  Record record;
  record.name = "slice";
  record.summary = "elements start, start + step, ... along every axis";
  record.shapes = "(n_0, ...) -> (m_0, ...)";
  record.kind = Kind::kView;
  record.linear = 1;
  record.infer = [](const Record&, const Arrays& inputs, const Attributes& attributes, std::vector<Output>& outputs) {
    outputs.push_back({attributes.shape, inputs[0].dtype(), nullptr, {}, 0});
  };
  record.view = [](const Layout& in, const Attributes& attributes, Layout& result) {
    view_slice_strides(in, attributes, result);
    return true;
  };
  record.vjp = [](const VjpCall& call) {
    return Arrays{place(call.cotangents[0], call.node.attributes, call.inputs[0].shape())};
  };
  record.batch = [](const BatchCall& call) {
    Attributes attributes = call.node.attributes;
    attributes.axes.insert(attributes.axes.begin(), 0);
    attributes.steps.insert(attributes.steps.begin(), 1);
    attributes.shape.insert(attributes.shape.begin(), call.size);
    return Arrays{make(*call.node.record, {call.inputs[0]}, std::move(attributes))};
  };
  record.ulp = 0;
  return record;
}
const Record& kSlice = define(slice_definition());

Record place_definition() {
  Record record;
  record.name = "place";
  record.summary = "zeros, with x at the positions start, start + step, ... along every axis";
  record.shapes = "(m_0, ...) -> (n_0, ...)";
  record.linear = 1;
  record.infer = [](const Record&, const Arrays& inputs, const Attributes& attributes, std::vector<Output>& outputs) {
    outputs.push_back({attributes.shape, inputs[0].dtype(), nullptr, {}, 0});
  };
  record.prepare = [](const Signature& signature) -> Kernel {
    Layout whole{signature.outputs[0], contiguous_strides(signature.outputs[0]), 0}, part;
    view_slice_strides(whole, signature.attributes, part);
    const Shape shape = signature.inputs[0];
    const Strides from = contiguous_strides(shape);
    const std::size_t size = size_of(signature.input_types[0]);
    const std::size_t bytes = static_cast<std::size_t>(count_of(whole.shape)) * size;
    return [=](void* const* y, const void* const* x) {
      std::memset(y[0], 0, bytes);
      auto* at = static_cast<std::byte*>(y[0]) + part.offset * static_cast<std::int64_t>(size);
      kernels::copy_strided_parallel(at, part.strides.data(), x[0], from.data(), shape.data(),
                                     static_cast<int>(shape.size()), size);
    };
  };
  record.vjp = [](const VjpCall& call) {
    Attributes attributes = call.node.attributes;
    attributes.shape = call.inputs[0].shape();
    return Arrays{make(kSlice, {call.cotangents[0]}, std::move(attributes))};
  };
  record.batch = [](const BatchCall& call) {
    Attributes attributes = call.node.attributes;
    attributes.axes.insert(attributes.axes.begin(), 0);
    attributes.steps.insert(attributes.steps.begin(), 1);
    attributes.shape.insert(attributes.shape.begin(), call.size);
    return Arrays{make(*call.node.record, {call.inputs[0]}, std::move(attributes))};
  };
  record.ulp = 0;
  return record;
}
const Record& kPlace = define(place_definition());

Array place(const Array& x, const Attributes& where, const Shape& shape) {
  return make(kPlace, {x}, slice_attributes(where.axes, where.steps, shape));
}

// ---- concat ---------------------------------------------------------------------------------------------------------

/// Where an operand of concat lies, and where it goes to.
struct ConcatPart {
  Shape shape;
  Strides strides;
  std::int64_t offset = 0;  // in the result, elements
};

/// Operands that are no contiguous rows: each is copied from where it lies to its place.
Kernel concat_parts(const Signature& signature) {
  const auto axis = static_cast<std::size_t>(signature.attributes.integer);
  const std::size_t size = size_of(signature.output_types[0]);
  const Strides to = contiguous_strides(signature.outputs[0]);
  std::vector<ConcatPart> parts;
  std::int64_t offset = 0;
  for (std::size_t i = 0; i < signature.inputs.size(); ++i) {
    parts.push_back({signature.inputs[i], signature.input_strides[i], offset});
    offset += signature.inputs[i][axis] * to[axis];
  }
  return [parts, to, size](void* const* y, const void* const* x) {
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const ConcatPart& part = parts[i];
      kernels::copy_strided_parallel(static_cast<std::byte*>(y[0]) + static_cast<std::size_t>(part.offset) * size,
                                     to.data(), x[i], part.strides.data(), part.shape.data(),
                                     static_cast<int>(part.shape.size()), size);
    }
  };
}

bool all_contiguous(const Signature& signature) {
  for (std::size_t i = 0; i < signature.input_strides.size(); ++i) {
    if (!is_contiguous(signature.inputs[i], signature.input_strides[i])) return false;
  }
  return true;
}

Record concat_definition() {
  Record record;
  record.name = "concat";
  record.summary = "arrays one after the other along an axis";
  record.shapes = "(..., n_i, ...)* -> (..., sum n_i, ...)";
  record.arity = -1;
  record.linear = ~0U;
  record.infer = [](const Record& self, const Arrays& inputs, const Attributes& attributes,
                    std::vector<Output>& outputs) {
    Shape shape = inputs[0].shape();
    const auto axis = static_cast<std::size_t>(attributes.integer);
    for (std::size_t i = 1; i < inputs.size(); ++i) {
      Shape other = inputs[i].shape();
      const std::int64_t more = other.size() == shape.size() ? other[axis] : 0;
      if (other.size() == shape.size()) other[axis] = shape[axis];
      if (other != shape) {
        fail(self.name, "shapes {} and {} differ along another axis than {}", inputs[0].shape(), inputs[i].shape(),
             axis);
      }
      shape[axis] += more;
    }
    outputs.push_back({std::move(shape), inputs[0].dtype(), nullptr, {}, 0});
  };
  record.any_layout = true;
  record.prepare = [](const Signature& signature) -> Kernel {
    if (!all_contiguous(signature)) return concat_parts(signature);
    const auto axis = static_cast<std::size_t>(signature.attributes.integer);
    const std::size_t size = size_of(signature.output_types[0]);
    const Shape& whole = signature.outputs[0];
    std::int64_t outer = 1, inner = 1;
    for (std::size_t d = 0; d < axis; ++d) outer *= whole[d];
    for (std::size_t d = axis + 1; d < whole.size(); ++d) inner *= whole[d];
    std::vector<std::size_t> bytes;
    for (const Shape& shape : signature.inputs) bytes.push_back(static_cast<std::size_t>(shape[axis] * inner) * size);
    std::size_t row = 0;
    for (const std::size_t b : bytes) row += b;
    constexpr std::size_t kPiece = 1 << 15;  // bytes that one thread copies at a time
    const std::int64_t rows =
        std::max<std::int64_t>(static_cast<std::int64_t>(kPiece / std::max<std::size_t>(row, 1)), 1);
    return [outer, bytes, row, rows](void* const* y, const void* const* x) {
      base::parallel_for((outer + rows - 1) / rows, [&](std::int64_t piece) {
        for (std::int64_t o = piece * rows; o < std::min(outer, (piece + 1) * rows); ++o) {
          auto* to = static_cast<std::byte*>(y[0]) + static_cast<std::size_t>(o) * row;
          for (std::size_t i = 0; i < bytes.size(); ++i) {
            if (bytes[i] != 0)
              std::memcpy(to, static_cast<const std::byte*>(x[i]) + static_cast<std::size_t>(o) * bytes[i], bytes[i]);
            to += bytes[i];
          }
        }
      });
    };
  };
  record.vjp = [](const VjpCall& call) {
    Arrays cotangents(call.inputs.size());
    const int axis = static_cast<int>(call.node.attributes.integer);
    std::int64_t at = 0;
    for (std::size_t i = 0; i < call.inputs.size(); ++i) {
      const std::int64_t next = at + call.inputs[i].size(axis);
      if (call.needed[i]) cotangents[i] = slice(call.cotangents[0], axis, at, next);
      at = next;
    }
    return cotangents;
  };
  record.batch = [](const BatchCall& call) {
    Arrays inputs = call.inputs;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (!call.batched[i]) inputs[i] = with_batch(inputs[i], call.size);
    }
    return Arrays{concat(inputs, static_cast<int>(call.node.attributes.integer) + 1)};
  };
  record.ulp = 0;
  return record;
}
const Record& kConcat = define(concat_definition());

}  // namespace
}  // namespace pellucid::ops

namespace pellucid {

using namespace ops;  // NOLINT: the records above

Array reshape(const Array& x, const Shape& shape) {
  Shape full = shape;
  const auto unknown = std::find(full.begin(), full.end(), -1);
  if (unknown != full.end()) {
    if (std::count(full.begin(), full.end(), -1) > 1)
      fail("reshape", "{} has more than one -1; one size can be worked out", shape);
    *unknown = 1;
    const std::int64_t rest = element_count(full, "reshape");
    if (rest == 0 || x.size() % rest != 0) {
      fail("reshape", "{} to {}: {} elements are no multiple of {}", x.shape(), shape, x.size(), rest);
    }
    *unknown = x.size() / rest;
  }
  if (full == x.shape()) return x;
  // A reshape of a reshape reads the first one's operand.
  const Node& node = *x.node();
  const Array& from = node.record == &kReshape && !node.inputs.empty() ? node.inputs[0] : x;
  if (from.shape() == full) return from;
  return make(kReshape, {from}, with_shape(full));
}

Array permute(const Array& x, const std::vector<int>& order) {
  if (order.size() != x.shape().size()) {
    fail("permute", "{} axes are named for shape {}; name each of its {} axes once", order.size(), x.shape(), x.rank());
  }
  checked_axes("permute", order, x.shape());
  std::vector<std::int64_t> axes;
  bool same = true;
  for (std::size_t i = 0; i < order.size(); ++i) {
    axes.push_back(static_cast<std::int64_t>(checked_axis("permute", order[i], x.shape())));
    same = same && axes[i] == static_cast<std::int64_t>(i);
  }
  return same ? x : permuted(x, std::move(axes));
}

Array broadcast_to(const Array& x, const Shape& shape) {
  return x.shape() == shape && !x.weak() ? x : make(kBroadcast, {x}, with_shape(shape));
}

Array slice(const Array& x, const Shape& start, const Shape& stop, const Shape& step) {
  const Shape& shape = x.shape();
  if (start.size() != shape.size() || stop.size() != shape.size() || step.size() != shape.size()) {
    fail("slice", "start, stop and step need {} entries each, one for every axis of {}", shape.size(), shape);
  }
  std::vector<std::int64_t> sizes;
  bool whole = true;
  for (std::size_t d = 0; d < shape.size(); ++d) {
    if (step[d] == 0) fail("slice", "the step along axis {} is 0; it must be positive or negative", d);
    const std::int64_t count =
        step[d] > 0 ? (stop[d] - start[d] + step[d] - 1) / step[d] : (start[d] - stop[d] - step[d] - 1) / -step[d];
    sizes.push_back(std::max<std::int64_t>(count, 0));
    const std::int64_t last = start[d] + (sizes[d] - 1) * step[d];
    if (sizes[d] > 0 && (start[d] < 0 || start[d] >= shape[d] || last < 0 || last >= shape[d])) {
      fail("slice", "{} to {} in steps of {} is out of range along axis {} of {}", start[d], stop[d], step[d], d,
           shape);
    }
    whole = whole && sizes[d] == shape[d] && step[d] == 1;
  }
  if (whole) return x;
  std::vector<std::int64_t> first = start;
  for (std::size_t d = 0; d < shape.size(); ++d) {
    if (sizes[d] == 0) first[d] = 0;
  }
  return make(kSlice, {x}, slice_attributes(std::move(first), step, std::move(sizes)));
}

Array concat(const Arrays& arrays, int axis) {
  if (arrays.empty()) fail("concat", "the list of arrays is empty");
  Arrays same = promoted("concat", arrays);
  Attributes attributes;
  attributes.integer = static_cast<std::int64_t>(checked_axis("concat", axis, same[0].shape()));
  if (same.size() == 1) return same[0];
  return make(kConcat, std::move(same), std::move(attributes));
}

namespace ops {
Array placed(const Array& x, const Shape& start, const Shape& step, const Shape& shape) {
  return make(kPlace, {x}, slice_attributes(start, step, shape));
}
}  // namespace ops

}  // namespace pellucid
