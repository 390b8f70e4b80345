// Reductions along the trailing or the leading axes, from which those along any axes are made; cumulation.
#include <algorithm>
#include <numeric>

#include "base/thread_pool.h"
#include "ops/record.h"
#include "pellucid/ops.h"

namespace pellucid::ops {
namespace {

const std::vector<DType> kNumbers = {uint8, int32, int64, float32, float64};
const std::vector<DType> kAny = {bool_, uint8, int32, int64, float32, float64};

// integer = how many axes; flag = the leading ones.
void infer_reduce(const Record&, const Arrays& inputs, const Attributes& attributes, std::vector<Output>& outputs) {
  const Shape& shape = inputs[0].shape();
  const auto count = static_cast<std::ptrdiff_t>(attributes.integer);
  Shape rest = attributes.flag ? Shape(shape.begin() + count, shape.end()) : Shape(shape.begin(), shape.end() - count);
  outputs.push_back({std::move(rest), inputs[0].dtype(), nullptr, {}, 0});
}

std::vector<int> reduced_axes(const Node& node, int shift = 0) {
  const int rank = node.inputs[0].rank();
  const int count = static_cast<int>(node.attributes.integer);
  std::vector<int> axes(static_cast<std::size_t>(count));
  std::iota(axes.begin(), axes.end(), (node.attributes.flag ? 0 : rank - count) + shift);
  return axes;
}

// The result, or its cotangent, repeated along the axes that were reduced.
Array spread(const Node& node, const Array& y) {
  const Shape& shape = node.inputs[0].shape();
  if (node.attributes.flag) return broadcast_to(y, shape);
  Shape kept = y.shape();
  kept.resize(shape.size(), 1);
  return broadcast_to(reshape(y, kept), shape);
}

Array reduce(const Record& record, const Array& x, std::vector<std::size_t> axes);

Arrays batch_reduce(const BatchCall& call) {
  if (!call.node.attributes.flag) return remake(call.node, call.inputs);
  const std::vector<int> axes = reduced_axes(call.node, 1);
  return {reduce(*call.node.record, call.inputs[0], std::vector<std::size_t>(axes.begin(), axes.end()))};
}

Record reduction(std::string_view name, std::string_view summary, kernels::Reduction kernels::ReduceTable::*kernel) {
  Record record;
  record.name = name;
  record.summary = summary;
  record.shapes = "(..., n) -> (...), or (n, ...) -> (...)";
  record.kind = Kind::kReduce;
  record.infer = infer_reduce;
  record.reduction = kernel;
  record.batch = batch_reduce;
  record.dtypes = kAny;
  return record;
}

Record sum_definition() {
  Record record = reduction("reduce_sum", "the sum along the trailing or leading axes", &kernels::ReduceTable::sum);
  record.linear = 1;
  record.dtypes = kNumbers;
  record.vjp = [](const VjpCall& call) { return Arrays{spread(call.node, call.cotangents[0])}; };
  return record;
}
const Record& kSum = define(sum_definition());

// The weight of each element in an extremum: equal ones share.
Array extremum_share(const Node& node, const Array& x, const Array& y) {
  const Array mask = astype(equal(x, spread(node, y)), x.dtype());
  return mask / spread(node, sum(mask, Axes(reduced_axes(node))));
}
Record extremum(std::string_view name, std::string_view summary, kernels::Reduction kernels::ReduceTable::*kernel) {
  Record record = reduction(name, summary, kernel);
  record.vjp = [](const VjpCall& call) {
    return Arrays{spread(call.node, call.cotangents[0]) * extremum_share(call.node, call.inputs[0], call.outputs[0])};
  };
  record.jvp = [](const JvpCall& call) {
    if (!call.tangents[0].defined()) return Arrays(1);
    const Array share = extremum_share(call.node, call.inputs[0], call.outputs[0]);
    return Arrays{sum(call.tangents[0] * share, Axes(reduced_axes(call.node)))};
  };
  record.ulp = 0;
  return record;
}
const Record& kMax = define(
    extremum("reduce_max", "the largest along the trailing or leading axes; NaN wins", &kernels::ReduceTable::max));
const Record& kMin = define(
    extremum("reduce_min", "the smallest along the trailing or leading axes; NaN wins", &kernels::ReduceTable::min));

// The product of all others, for each element, right where some are zero: products from the left times products from
// the right.
Array others_product(const Node& node, const Array& x) {
  const Shape& shape = x.shape();
  const std::vector<int> axes = reduced_axes(node);
  std::int64_t n = 1;
  for (int axis : axes) n *= shape[static_cast<std::size_t>(axis)];
  if (n == 0) return x;
  const bool leading = node.attributes.flag;
  const std::int64_t rest = x.size() / n;
  const Array rows = leading ? reshape(x, {n, rest}) : reshape(x, {rest, n});
  const int axis = leading ? 0 : 1;
  Shape edge_shape{rest, 1};
  if (leading) edge_shape = {1, rest};
  const Array edge = ones(edge_shape, x.dtype());
  const Array left = cumprod(concat({edge, slice(rows, axis, 0, n - 1)}, axis), axis);
  const Array right = flip(cumprod(flip(concat({slice(rows, axis, 1, n), edge}, axis), Axes(axis)), axis), Axes(axis));
  return reshape(left * right, shape);
}
Record prod_definition() {
  Record record =
      reduction("reduce_prod", "the product along the trailing or leading axes", &kernels::ReduceTable::prod);
  record.dtypes = kNumbers;
  record.vjp = [](const VjpCall& call) {
    return Arrays{spread(call.node, call.cotangents[0]) * others_product(call.node, call.inputs[0])};
  };
  record.jvp = [](const JvpCall& call) {
    if (!call.tangents[0].defined()) return Arrays(1);
    return Arrays{sum(call.tangents[0] * others_product(call.node, call.inputs[0]), Axes(reduced_axes(call.node)))};
  };
  return record;
}
const Record& kProd = define(prod_definition());

// Runs of adjacent axes are reduced one after the other, the innermost first; a run in the middle is moved to the
// front.
Array reduce(const Record& record, const Array& x, std::vector<std::size_t> axes) {
  Array y = x;
  while (!axes.empty()) {
    std::size_t first = axes.size() - 1;
    while (first > 0 && axes[first - 1] + 1 == axes[first]) --first;
    const std::size_t count = axes.size() - first;
    const std::size_t rank = y.shape().size();
    Attributes attributes;
    attributes.integer = static_cast<std::int64_t>(count);
    attributes.flag = axes.back() + 1 != rank;
    if (attributes.flag && axes[first] != 0) {
      std::vector<int> order;
      for (std::size_t i = first; i < axes.size(); ++i) order.push_back(static_cast<int>(axes[i]));
      for (std::size_t d = 0; d < rank; ++d) {
        if (d < axes[first] || d > axes.back()) order.push_back(static_cast<int>(d));
      }
      y = permute(y, order);
    }
    y = make(record, {y}, std::move(attributes));
    axes.resize(first);
  }
  return y;
}

Array reduce_axes(std::string_view name, const Record& record, const Array& x, const Axes& axes, bool keepdims) {
  if (!x.defined()) fail(name, "the operand is an undefined Array (default-constructed or moved from)");
  std::vector<std::size_t> list;
  if (axes.all) {
    list.resize(x.shape().size());
    std::iota(list.begin(), list.end(), std::size_t{0});
  } else {
    list = checked_axes(name, axes.list, x.shape());
  }
  if (&record == &kMax || &record == &kMin) {
    for (std::size_t axis : list) {
      if (x.shape()[axis] == 0)
        fail(name, "axis {} of shape {} has size 0, and nothing has no extremum", axis, x.shape());
    }
  }
  const bool narrow = x.dtype() == DType::kBFloat16;
  Array y = reduce(record, narrow ? astype(x, float32) : x, list);
  if (narrow) y = astype(y, bfloat16);
  if (!keepdims) return y;
  Shape kept = x.shape();
  for (std::size_t axis : list) kept[axis] = 1;
  return reshape(y, kept);
}

// Sums and products of narrow integers are wide.
Array widened(const Array& x) { return x.defined() && !is_float(x.dtype()) ? astype(x, int64) : x; }

// ---- argmax, argmin -------------------------------------------------------------------------------------------------

template <kernels::ByDType<kernels::ReduceRows> kernels::ReduceTable::*Rows>
Record position_of(std::string_view name, std::string_view summary) {
  Record record;
  record.name = name;
  record.summary = summary;
  record.shapes = "(..., n) -> (...)";
  record.differentiable = false;
  record.infer = [](const Record& self, const Arrays& inputs, const Attributes&, std::vector<Output>& outputs) {
    Shape shape = inputs[0].shape();
    if (shape.back() == 0) fail(self.name, "the axis of shape {} has size 0, and nothing has no extremum", shape);
    shape.pop_back();
    outputs.push_back({std::move(shape), DType::kInt64, nullptr, {}, 0});
  };
  record.prepare = [](const Signature& signature) -> Kernel {
    const auto rows = static_cast<std::size_t>(count_of(signature.outputs[0]));
    const auto cols = static_cast<std::size_t>(signature.inputs[0].back());
    const auto kernel = (kernels::reduce_table().*Rows)[signature.input_types[0]];
    const std::size_t size = size_of(signature.input_types[0]);
    const std::size_t piece = std::max<std::size_t>(1, 65536 / cols);
    return [=](void* const* y, const void* const* x) {
      base::parallel_for(static_cast<std::int64_t>((rows + piece - 1) / piece), [&](std::int64_t i) {
        const std::size_t first = static_cast<std::size_t>(i) * piece;
        kernel(static_cast<std::int64_t*>(y[0]) + first, static_cast<const std::byte*>(x[0]) + first * cols * size,
               std::min(piece, rows - first), cols);
      });
    };
  };
  record.batch = [](const BatchCall& call) { return remake(call.node, call.inputs); };
  record.dtypes = kAny;
  record.ulp = 0;
  return record;
}
const Record& kArgmax = define(position_of<&kernels::ReduceTable::argmax>(
    "argmax", "the position of the first largest along the last axis; NaN wins"));
const Record& kArgmin = define(position_of<&kernels::ReduceTable::argmin>(
    "argmin", "the position of the first smallest along the last axis; NaN wins"));

Array position(const Record& record, const Array& x, std::optional<int> axis, bool keepdims) {
  const Array wide = x.dtype() == DType::kBFloat16 ? astype(x, float32) : x;
  if (!axis) {
    const Array y = make(record, {reshape(wide, {x.size()})});
    return keepdims ? reshape(y, Shape(x.shape().size(), 1)) : y;
  }
  const std::size_t at = checked_axis(record.name, *axis, x.shape());
  const Array y = make(record, {move_axis(wide, at, x.shape().size() - 1)});
  Shape kept = x.shape();
  kept[at] = 1;
  return keepdims ? reshape(y, kept) : y;
}

// ---- Cumulation -----------------------------------------------------------------------------------------------------

// integer = axis.
template <kernels::Cumulation kKind>
Kernel prepare_cumulation(const Signature& signature) {
  const Shape& shape = signature.inputs[0];
  const auto axis = static_cast<std::size_t>(signature.attributes.integer);
  std::int64_t outer = 1, inner = 1;
  for (std::size_t d = 0; d < axis; ++d) outer *= shape[d];
  for (std::size_t d = axis + 1; d < shape.size(); ++d) inner *= shape[d];
  const std::int64_t n = shape[axis];
  const DType dtype = signature.input_types[0];
  return [=](void* const* y, const void* const* x) { kernels::cumulate(y[0], x[0], outer, n, inner, kKind, dtype); };
}

template <kernels::Cumulation kKind>
Record cumulation(std::string_view name, std::string_view summary) {
  Record record;
  record.name = name;
  record.summary = summary;
  record.shapes = "(...) -> (...)";
  record.infer = infer_same;
  record.prepare = prepare_cumulation<kKind>;
  record.batch = [](const BatchCall& call) {
    Attributes attributes = call.node.attributes;
    ++attributes.integer;
    return Arrays{make(*call.node.record, call.inputs, std::move(attributes))};
  };
  record.dtypes = kNumbers;
  return record;
}

int axis_of(const Node& node) { return static_cast<int>(node.attributes.integer); }

Record cumsum_definition() {
  Record record = cumulation<kernels::Cumulation::kSum>("cumsum", "sums of the first 1, 2, ... elements along an axis");
  record.linear = 1;
  record.vjp = [](const VjpCall& call) {
    const Axes axis(axis_of(call.node));
    return Arrays{flip(cumsum(flip(call.cotangents[0], axis), axis_of(call.node)), axis)};
  };
  return record;
}
const Record& kCumsum = define(cumsum_definition());

// dy_k/dx_i is the product of the first k elements without x_i. With c_i the product of those before i,
// the cotangent is c_i s_i where s_i = g_i + x_{i+1} s_{i+1}, and the tangent y'_k = x_k y'_{k-1} + y_{k-1} x'_k:
// both are right where elements are zero.
Array products_before(const Array& x, int axis) {
  const std::int64_t n = x.size(axis);
  Shape edge = x.shape();
  edge[static_cast<std::size_t>(axis)] = 1;
  return concat({ones(edge, x.dtype()), slice(cumprod(x, axis), axis, 0, n - 1)}, axis);
}
Record cumprod_definition() {
  Record record =
      cumulation<kernels::Cumulation::kProd>("cumprod", "products of the first 1, 2, ... elements along an axis");
  record.vjp = [](const VjpCall& call) {
    const int axis = axis_of(call.node);
    const Array& x = call.inputs[0];
    const std::int64_t n = x.size(axis);
    if (n == 0) return Arrays{call.cotangents[0]};
    const Array g = moveaxis(call.cotangents[0], axis, 0);
    const Array along = moveaxis(x, axis, 0);
    const Array start = zeros(slice(along, 0, 0, 1).shape(), x.dtype());
    const Array next = concat({slice(along, 0, 1, n), start}, 0);
    const Array first = reshape(start, Shape(start.shape().begin() + 1, start.shape().end()));
    const Array s = scan(
                        [](const Arrays& carry, const Arrays& step) {
                          const Array value = step[0] + step[1] * carry[0];
                          return ScanStep{{value}, {value}};
                        },
                        {first}, {g, next}, n, true)
                        .ys[0];
    return Arrays{products_before(x, axis) * moveaxis(s, 0, axis)};
  };
  record.jvp = [](const JvpCall& call) {
    if (!call.tangents[0].defined()) return Arrays(1);
    const int axis = axis_of(call.node);
    const Array& x = call.inputs[0];
    if (x.size(axis) == 0) return Arrays{call.tangents[0]};
    const Array along = moveaxis(x, axis, 0);
    const Array before = moveaxis(products_before(x, axis) * call.tangents[0], axis, 0);
    const Array row = slice(along, 0, 0, 1);
    const Array first = zeros(Shape(row.shape().begin() + 1, row.shape().end()), x.dtype());
    const Array y = scan(
                        [](const Arrays& carry, const Arrays& step) {
                          const Array value = step[0] * carry[0] + step[1];
                          return ScanStep{{value}, {value}};
                        },
                        {first}, {along, before})
                        .ys[0];
    return Arrays{moveaxis(y, 0, axis)};
  };
  return record;
}
const Record& kCumprod = define(cumprod_definition());

// The position of the element that each running extremum comes from: the latest one so far that equals it.
Array running_position(const Array& x, const Array& y, int axis) {
  const std::int64_t n = x.size(axis);
  Shape shape(x.shape().size(), 1);
  shape[static_cast<std::size_t>(axis)] = n;
  return cummax(where(equal(x, y), broadcast_to(reshape(arange(n), shape), x.shape()), 0), axis);
}
template <kernels::Cumulation kKind>
Record running_extremum(std::string_view name, std::string_view summary) {
  Record record = cumulation<kKind>(name, summary);
  record.vjp = [](const VjpCall& call) {
    const int axis = axis_of(call.node);
    const Array at = stop_gradient(running_position(call.inputs[0], call.outputs[0], axis));
    return Arrays{scatter_add_along_axis(zeros_like(call.inputs[0]), at, call.cotangents[0], axis)};
  };
  record.jvp = [](const JvpCall& call) {
    if (!call.tangents[0].defined()) return Arrays(1);
    const int axis = axis_of(call.node);
    return Arrays{take_along_axis(call.tangents[0],
                                  stop_gradient(running_position(call.inputs[0], call.outputs[0], axis)), axis)};
  };
  record.ulp = 0;
  return record;
}
const Record& kCummax = define(
    running_extremum<kernels::Cumulation::kMax>("cummax", "the largest of the first 1, 2, ... elements along an axis"));
const Record& kCummin = define(running_extremum<kernels::Cumulation::kMin>(
    "cummin", "the smallest of the first 1, 2, ... elements along an axis"));

Array cumulated(const Record& record, const Array& x, int axis) {
  Attributes attributes;
  attributes.integer = static_cast<std::int64_t>(checked_axis(record.name, axis, x.shape()));
  if (x.dtype() == DType::kBFloat16) return astype(make(record, {astype(x, float32)}, std::move(attributes)), bfloat16);
  return make(record, {x}, std::move(attributes));
}

}  // namespace
}  // namespace pellucid::ops

namespace pellucid {

using namespace ops;  // NOLINT: the records above

Array sum(const Array& x, const Axes& axes, bool keepdims) {
  return reduce_axes("sum", kSum, widened(x), axes, keepdims);
}
Array prod(const Array& x, const Axes& axes, bool keepdims) {
  return reduce_axes("prod", kProd, widened(x), axes, keepdims);
}
Array max(const Array& x, const Axes& axes, bool keepdims) { return reduce_axes("max", kMax, x, axes, keepdims); }
Array min(const Array& x, const Axes& axes, bool keepdims) { return reduce_axes("min", kMin, x, axes, keepdims); }

namespace ops {
// any and all: an extremum of bools, whose value over nothing is false and true.
Array reduce_bool(std::string_view name, const Array& x, const Axes& axes, bool keepdims, bool any) {
  const Array truth = astype(x, bool_);
  bool empty = false;
  for (auto size : x.shape()) empty = empty || size == 0;
  if (empty) {
    const Array count = reduce_axes(name, kSum, astype(truth, int64), axes, keepdims);
    return full(count.shape(), !any, bool_);
  }
  return reduce_axes(name, any ? kMax : kMin, truth, axes, keepdims);
}
}  // namespace ops

Array argmax(const Array& x, std::optional<int> axis, bool keepdims) { return position(kArgmax, x, axis, keepdims); }
Array argmin(const Array& x, std::optional<int> axis, bool keepdims) { return position(kArgmin, x, axis, keepdims); }
Array cumsum(const Array& x, int axis) { return cumulated(kCumsum, x.dtype() == bool_ ? astype(x, int64) : x, axis); }
Array cumprod(const Array& x, int axis) { return cumulated(kCumprod, x.dtype() == bool_ ? astype(x, int64) : x, axis); }
Array cummax(const Array& x, int axis) { return cumulated(kCummax, x, axis); }
Array cummin(const Array& x, int axis) { return cumulated(kCummin, x, axis); }

}  // namespace pellucid
