// Convolution: three bilinear records, each of which has the other two as its derivatives.
#include "kernels/convolve.h"

#include <algorithm>

#include "ops/record.h"
#include "pellucid/ops_window.h"

namespace pellucid::ops {
namespace {

/// The attributes of the three records. axes: strides; steps: zeros before, zeros after, dilations; shape: the spatial
/// sizes of the result of `convolve_input` and `convolve_weight`; integer: groups.
struct Geometry {
  explicit Geometry(const Attributes& attributes)
      : rank(attributes.axes.size()),
        stride(attributes.axes.data()),
        low(attributes.steps.data()),
        high(low + rank),
        dilation(high + rank),
        groups(attributes.integer) {}
  std::size_t rank;  // spatial axes
  const std::int64_t *stride, *low, *high, *dilation;
  std::int64_t groups;
};

/// An operand seen as (batch, first, spatial..., last).
struct Sides {
  Sides(const Shape& shape, std::size_t spatial)
      : batched(shape.size() == spatial + 3),
        batch(batched ? shape[0] : 1),
        first(shape[batched ? 1 : 0]),
        last(shape.back()),
        sizes(shape.end() - 1 - static_cast<std::ptrdiff_t>(spatial), shape.end() - 1) {}
  bool batched;
  std::int64_t batch, first, last;
  Shape sizes;
};
/// A kernel seen as (batch, sizes..., channels, outputs).
struct KernelSides {
  KernelSides(const Shape& shape, std::size_t spatial)
      : batched(shape.size() == spatial + 3),
        batch(batched ? shape[0] : 1),
        channels(shape[shape.size() - 2]),
        outputs(shape.back()),
        sizes(shape.end() - 2 - static_cast<std::ptrdiff_t>(spatial), shape.end() - 2) {}
  bool batched;
  std::int64_t batch, channels, outputs;
  Shape sizes;
};

Shape joined(bool batched, std::int64_t batch, std::int64_t first, const Shape& sizes,
             std::initializer_list<std::int64_t> rest) {
  Shape shape;
  if (batched) shape.push_back(batch);
  if (first >= 0) shape.push_back(first);
  shape.insert(shape.end(), sizes.begin(), sizes.end());
  shape.insert(shape.end(), rest);
  return shape;
}

/// The number of positions of the kernel along an axis; 0 or less where it does not fit.
std::int64_t positions(std::int64_t in, std::int64_t kernel, const Geometry& at, std::size_t d) {
  const std::int64_t room = in + at.low[d] + at.high[d] - at.dilation[d] * (kernel - 1) - 1;
  return room < 0 ? 0 : room / at.stride[d] + 1;
}

void check_operands(const Record& self, const Arrays& inputs, std::size_t spatial) {
  const DType dtype = inputs[0].dtype();
  if (!is_float(dtype)) fail(self.name, "is not defined for {}; convert with astype to a float type", dtype);
  if (inputs[1].dtype() != dtype) fail(self.name, "operands of {} and {}", dtype, inputs[1].dtype());
  const Shape &a = inputs[0].shape(), &b = inputs[1].shape();
  if ((a.size() != spatial + 2 && a.size() != spatial + 3) || a.size() != b.size() ||
      (a.size() == spatial + 3 && a[0] != b[0])) {
    fail(self.name, "{} and {}: not two operands of {} spatial axes, or with equal batch axes in front", a, b, spatial);
  }
}

/// Checks channels and groups of a picture with `channels` and a kernel.
void check_channels(const Record& self, const Shape& x, const Shape& w, std::int64_t channels,
                    const KernelSides& kernel, std::int64_t groups) {
  if (groups < 1 || channels % groups != 0 || kernel.outputs % groups != 0) {
    fail(self.name, "x {} and w {}: {} groups must divide the {} channels and the {} outputs", x, w, groups, channels,
         kernel.outputs);
  }
  if (kernel.channels * groups != channels) {
    fail(self.name, "x {} has {} channels and w {} takes {}{}", x, channels, w, kernel.channels * groups,
         groups == 1 ? std::string() : base::format(" ({} in each of {} groups)", kernel.channels, groups));
  }
}

void infer_convolve(const Record& self, const Arrays& inputs, const Attributes& attributes,
                    std::vector<Output>& outputs) {
  const Geometry at(attributes);
  check_operands(self, inputs, at.rank);
  const Shape &xs = inputs[0].shape(), &ws = inputs[1].shape();
  const Sides x(xs, at.rank);
  const KernelSides w(ws, at.rank);
  check_channels(self, xs, ws, x.last, w, at.groups);
  Shape sizes;
  for (std::size_t d = 0; d < at.rank; ++d) {
    if (w.sizes[d] < 1) fail(self.name, "w {}: the kernel has no element along spatial axis {}", ws, d);
    sizes.push_back(positions(x.sizes[d], w.sizes[d], at, d));
    if (sizes[d] >= 1) continue;
    fail(self.name,
         "the kernel {} with dilation {} spans {} along spatial axis {}, more than the padded picture's {} (x {}); pad "
         "more or take a smaller kernel",
         w.sizes, at.dilation[d], at.dilation[d] * (w.sizes[d] - 1) + 1, d, x.sizes[d] + at.low[d] + at.high[d], xs);
  }
  Shape shape = joined(x.batched, x.batch, x.first, sizes, {w.outputs});
  element_count(shape, "convolve");
  outputs.push_back({std::move(shape), inputs[0].dtype(), nullptr, {}, 0});
}

/// Throws unless a kernel of these sizes takes pictures `in` to pictures `out`.
void check_sizes(const Record& self, const Shape& in, const Shape& kernel, const Shape& out, const Geometry& at) {
  for (std::size_t d = 0; d < at.rank; ++d) {
    if (kernel[d] >= 1 && positions(in[d], kernel[d], at, d) == out[d]) continue;
    fail(self.name, "a kernel {} takes a picture {} to {} positions along spatial axis {}, not to {}", kernel, in,
         kernel[d] < 1 ? 0 : positions(in[d], kernel[d], at, d), d, out[d]);
  }
}

void infer_input(const Record& self, const Arrays& inputs, const Attributes& attributes, std::vector<Output>& outputs) {
  const Geometry at(attributes);
  check_operands(self, inputs, at.rank);
  const Sides g(inputs[0].shape(), at.rank);
  const KernelSides w(inputs[1].shape(), at.rank);
  if (g.last != w.outputs || w.outputs % at.groups != 0) {
    fail(self.name, "the picture {} has {} channels and w {} gives {} in {} groups", inputs[0].shape(), g.last,
         inputs[1].shape(), w.outputs, at.groups);
  }
  check_sizes(self, attributes.shape, w.sizes, g.sizes, at);
  Shape shape = joined(g.batched, g.batch, g.first, attributes.shape, {w.channels * at.groups});
  element_count(shape, "convolve_input");
  outputs.push_back({std::move(shape), inputs[0].dtype(), nullptr, {}, 0});
}

void infer_weight(const Record& self, const Arrays& inputs, const Attributes& attributes,
                  std::vector<Output>& outputs) {
  const Geometry at(attributes);
  check_operands(self, inputs, at.rank);
  const Sides x(inputs[0].shape(), at.rank), g(inputs[1].shape(), at.rank);
  if (x.first != g.first || x.last % at.groups != 0 || g.last % at.groups != 0) {
    fail(self.name, "x {} and g {} in {} groups", inputs[0].shape(), inputs[1].shape(), at.groups);
  }
  check_sizes(self, x.sizes, attributes.shape, g.sizes, at);
  Shape shape = joined(x.batched, x.batch, -1, attributes.shape, {x.last / at.groups, g.last});
  element_count(shape, "convolve_weight");
  outputs.push_back({std::move(shape), inputs[0].dtype(), nullptr, {}, 0});
}

Array convolve_node(const Array& x, const Array& w, const Attributes& attributes);
Array input_node(const Array& g, const Array& w, Attributes attributes, const Shape& sizes);
Array weight_node(const Array& x, const Array& g, Attributes attributes, const Shape& sizes);

Shape picture_sizes(const Array& x, const Attributes& attributes) {
  return Sides(x.shape(), attributes.axes.size()).sizes;
}
Shape kernel_sizes(const Array& w, const Attributes& attributes) {
  return KernelSides(w.shape(), attributes.axes.size()).sizes;
}

// ---- Kernels --------------------------------------------------------------------------------------------------------

kernels::ConvolveShape described(const Signature& signature, const Shape& x, const Shape& w, const Shape& y) {
  const Geometry at(signature.attributes);
  const Sides picture(x, at.rank), result(y, at.rank);
  const KernelSides kernel(w, at.rank);
  kernels::ConvolveShape shape;
  shape.dtype = signature.input_types[0];
  shape.rounded = signature.attributes.dtype == DType::kBFloat16;
  shape.batch = picture.batch;
  shape.n = picture.first;
  for (std::size_t d = 0; d < at.rank; ++d) {
    const std::size_t to = 3 - at.rank + d;
    shape.in[to] = picture.sizes[d];
    shape.out[to] = result.sizes[d];
    shape.kernel[to] = kernel.sizes[d];
    shape.stride[to] = at.stride[d];
    shape.dilation[to] = at.dilation[d];
    shape.low[to] = at.low[d];
  }
  shape.channels = picture.last;
  shape.outputs = kernel.outputs;
  shape.groups = at.groups;
  shape.bias = signature.bias;
  shape.relu = signature.relu;
  return shape;
}

kernels::ConvolveShape described_for(const Signature& s, kernels::ConvolveKind kind) {
  switch (kind) {
    case kernels::ConvolveKind::kForward:
      return described(s, s.inputs[0], s.inputs[1], s.outputs[0]);
    case kernels::ConvolveKind::kInput:
      return described(s, s.outputs[0], s.inputs[1], s.inputs[0]);
    default:
      return described(s, s.inputs[0], s.outputs[0], s.inputs[1]);
  }
}
kernels::Convolve kernel_of(const Signature& s, kernels::ConvolveKind kind) { return {described_for(s, kind), kind}; }

template <kernels::ConvolveKind kKind>
Record bilinear(std::string_view name, std::string_view summary, std::string_view shapes) {
  Record record;
  record.name = name;
  record.summary = summary;
  record.shapes = shapes;
  record.arity = 2;
  record.rounded = 0b11;
  record.prepare = [](const Signature& signature) -> Kernel {
    return [kernel = kernel_of(signature, kKind), bias = signature.bias](void* const* y, const void* const* in) {
      kernel.run(y[0], in[0], in[1], bias ? in[2] : nullptr, kernel.workspace() != 0 ? y[1] : nullptr);
    };
  };
  record.workspace = [](const Signature& signature) { return kernel_of(signature, kKind).workspace(); };
  record.rounds = [](const Signature& s) { return kernels::rounds_itself(described_for(s, kKind), kKind); };
  record.jvp = [](const JvpCall& call) {
    const Array &a = call.tangents[0], &b = call.tangents[1];
    return Arrays{sum_of(a.defined() ? make(*call.node.record, {a, call.inputs[1]}, call.node.attributes) : Array(),
                         b.defined() ? make(*call.node.record, {call.inputs[0], b}, call.node.attributes) : Array())};
  };
  record.batch = [](const BatchCall& call) {
    Array a = call.inputs[0], b = call.inputs[1];
    const std::size_t rank = call.node.attributes.axes.size();
    const auto join = [](const Array& x) {  // the two leading axes
      Shape shape(x.shape().begin() + 1, x.shape().end());
      shape[0] *= x.shape()[0];
      return reshape(x, shape);
    };
    const auto part = [&](const Array& y, std::int64_t size) {
      Shape shape = y.shape();
      shape[0] /= call.size == 0 ? 1 : call.size;
      if (call.size == 0) shape[0] = size;
      shape.insert(shape.begin(), call.size);
      return Arrays{reshape(y, shape)};
    };
    const bool one_kernel = kKind != kernels::ConvolveKind::kWeight && !call.batched[1] && b.shape().size() == rank + 2;
    if (one_kernel) {  // the batch joins the pictures
      const std::int64_t n = a.shape()[1];
      return part(make(*call.node.record, {join(a), b}, call.node.attributes), n);
    }
    const bool again = (call.batched[0] ? a.shape().size() - 1 : a.shape().size()) == rank + 3;
    if (!call.batched[0]) a = with_batch(a, call.size);
    if (!call.batched[1]) b = with_batch(b, call.size);
    if (!again) return Arrays{make(*call.node.record, {a, b}, call.node.attributes)};
    const std::int64_t n = a.shape()[1];
    return part(make(*call.node.record, {join(a), join(b)}, call.node.attributes), n);
  };
  record.dtypes = {bfloat16, float32, float64};
  return record;
}

Record convolve_definition() {
  Record record = bilinear<kernels::ConvolveKind::kForward>(
      "convolve", "cross-correlation of pictures with a kernel",
      "(n, s..., c), (k..., c / groups, o) -> (n, s'..., o), both with a batch axis in front or neither");
  record.infer = infer_convolve;
  record.epilogue = true;
  record.vjp = [](const VjpCall& call) {
    const Array &x = call.inputs[0], &w = call.inputs[1], &g = call.cotangents[0];
    const Attributes& attributes = call.node.attributes;
    return Arrays{call.needed[0] ? input_node(g, w, attributes, picture_sizes(x, attributes)) : Array(),
                  call.needed[1] ? weight_node(x, g, attributes, kernel_sizes(w, attributes)) : Array()};
  };
  return record;
}
Record input_definition() {
  Record record = bilinear<kernels::ConvolveKind::kInput>(
      "convolve_input", "the transpose of convolve by its pictures: their cotangent; a transposed convolution",
      "(n, s'..., o), (k..., c / groups, o) -> (n, s..., c), both with a batch axis in front or neither");
  record.infer = infer_input;
  record.vjp = [](const VjpCall& call) {
    const Array &g = call.inputs[0], &w = call.inputs[1], &x = call.cotangents[0];
    const Attributes& attributes = call.node.attributes;
    return Arrays{call.needed[0] ? convolve_node(x, w, attributes) : Array(),
                  call.needed[1] ? weight_node(x, g, attributes, kernel_sizes(w, attributes)) : Array()};
  };
  return record;
}
Record weight_definition() {
  Record record = bilinear<kernels::ConvolveKind::kWeight>(
      "convolve_weight", "the transpose of convolve by its kernel: the kernel's cotangent",
      "(n, s..., c), (n, s'..., o) -> (k..., c / groups, o), all with a batch axis in front or none");
  record.infer = infer_weight;
  record.vjp = [](const VjpCall& call) {
    const Array &x = call.inputs[0], &g = call.inputs[1], &w = call.cotangents[0];
    const Attributes& attributes = call.node.attributes;
    return Arrays{call.needed[0] ? input_node(g, w, attributes, picture_sizes(x, attributes)) : Array(),
                  call.needed[1] ? convolve_node(x, w, attributes) : Array()};
  };
  return record;
}

const Record& kConvolve = define(convolve_definition());
const Record& kConvolveInput = define(input_definition());
const Record& kConvolveWeight = define(weight_definition());

Array convolve_node(const Array& x, const Array& w, const Attributes& attributes) {
  Attributes plain = attributes;
  plain.shape.clear();
  return make(kConvolve, {x, w}, std::move(plain));
}
Array input_node(const Array& g, const Array& w, Attributes attributes, const Shape& sizes) {
  attributes.shape = sizes;
  return make(kConvolveInput, {g, w}, std::move(attributes));
}
Array weight_node(const Array& x, const Array& g, Attributes attributes, const Shape& sizes) {
  attributes.shape = sizes;
  return make(kConvolveWeight, {x, g}, std::move(attributes));
}

// ---- Options --------------------------------------------------------------------------------------------------------

/// One number for each of `rank` axes, each at least `least`.
Shape each(std::string_view name, std::string_view what, const PerAxis& given, std::size_t rank, std::int64_t least) {
  Shape values = given.values;
  if (values.size() == 1) values.assign(rank, given.values[0]);
  if (values.size() != rank) {
    fail(name, "{} names {} axes, and there are {} spatial axes; give one number or one for each", what, values.size(),
         rank);
  }
  for (const std::int64_t value : values) {
    if (value < least) fail(name, "{} {} must be at least {}", what, value, least);
    if (value > std::int64_t{1} << 40) fail(name, "{} {} is too large", what, value);
  }
  return values;
}

/// Operands of one floating type, with one to three spatial axes; their number.
std::size_t checked_pictures(std::string_view name, Array& x, Array& w) {
  const Arrays both = promoted(name, {x, w});
  x = both[0];
  w = both[1];
  if (!is_float(x.dtype())) {
    x = astype(x, float32);
    w = astype(w, float32);
  }
  if (x.rank() < 3 || x.rank() > 5 || w.rank() != x.rank()) {
    fail(name,
         "x {} and w {}: x must be (n, spatial..., channels) with one to three spatial axes, and w (kernel..., "
         "channels / groups, outputs) with as many",
         x.shape(), w.shape());
  }
  return static_cast<std::size_t>(x.rank()) - 2;
}

Attributes attributes_of(const Shape& stride, const Shape& low, const Shape& high, const Shape& dilation,
                         std::int64_t groups) {
  Attributes attributes;
  attributes.axes = stride;
  attributes.steps = low;
  attributes.steps.insert(attributes.steps.end(), high.begin(), high.end());
  attributes.steps.insert(attributes.steps.end(), dilation.begin(), dilation.end());
  attributes.integer = groups;
  return attributes;
}

}  // namespace
}  // namespace pellucid::ops

namespace pellucid {

using namespace ops;  // NOLINT: the records above

Array convolve(const Array& x, const Array& w, const ConvolveOptions& options) {
  Array picture = x, kernel = w;
  const std::size_t rank = checked_pictures("convolve", picture, kernel);
  const Shape stride = each("convolve", "stride", options.stride, rank, 1);
  const Shape dilation = each("convolve", "dilation", options.dilation, rank, 1);
  Shape low = each("convolve", "padding", options.padding.low, rank, 0);
  Shape high = each("convolve", "padding", options.padding.high, rank, 0);
  if (options.groups < 1) fail("convolve", "groups {} must be at least 1", options.groups);
  for (std::size_t d = 0; options.padding.is_same && d < rank; ++d) {
    const std::int64_t size = picture.shape()[d + 1], span = dilation[d] * (kernel.shape()[d] - 1) + 1;
    const std::int64_t positions = (size + stride[d] - 1) / stride[d];
    const std::int64_t zeros = std::max<std::int64_t>(0, (positions - 1) * stride[d] + span - size);
    low[d] = zeros / 2;
    high[d] = zeros - low[d];
  }
  return convolve_node(picture, kernel, attributes_of(stride, low, high, dilation, options.groups));
}

Array convolve_transpose(const Array& x, const Array& w, const ConvolveTransposeOptions& options) {
  constexpr std::string_view name = "convolve_transpose";
  Array picture = x, kernel = w;
  const std::size_t rank = checked_pictures(name, picture, kernel);
  const Shape stride = each(name, "stride", options.stride, rank, 1);
  const Shape dilation = each(name, "dilation", options.dilation, rank, 1);
  const Shape padding = each(name, "padding", options.padding, rank, 0);
  const Shape extra = each(name, "output_padding", options.output_padding, rank, 0);
  if (options.groups < 1) fail(name, "groups {} must be at least 1", options.groups);
  if (kernel.shape().back() != picture.shape().back()) {
    fail(name, "x {} has {} channels and w {} takes {}, its last axis", picture.shape(), picture.shape().back(),
         kernel.shape(), kernel.shape().back());
  }
  if (kernel.shape().back() % options.groups != 0) {
    fail(name, "{} groups must divide the {} channels of x {}", options.groups, picture.shape().back(),
         picture.shape());
  }
  Shape sizes, high(rank);
  for (std::size_t d = 0; d < rank; ++d) {
    if (extra[d] >= std::max(stride[d], dilation[d])) {
      fail(name, "output_padding {} must be less than the stride {} or the dilation {}", extra[d], stride[d],
           dilation[d]);
    }
    const std::int64_t span = dilation[d] * (kernel.shape()[d] - 1) + 1;
    sizes.push_back((picture.shape()[d + 1] - 1) * stride[d] - 2 * padding[d] + span + extra[d]);
    high[d] = padding[d] - extra[d];
    if (kernel.shape()[d] < 1 || picture.shape()[d + 1] < 1 || sizes[d] < 1) {
      fail(name, "x {} with the kernel {} and padding {} gives a size of {} along spatial axis {}", picture.shape(),
           kernel.shape(), padding[d], sizes[d], d);
    }
  }
  return input_node(picture, kernel, attributes_of(stride, padding, high, dilation, options.groups), sizes);
}

Array pad_spatial(const Array& x, const PerAxis& low, const PerAxis& high, PadMode mode) {
  constexpr std::string_view name = "pad_spatial";
  if (!x.defined()) fail(name, "the operand is an undefined Array (default-constructed or moved from)");
  if (x.rank() < 3) fail(name, "x {} must be (n, spatial..., channels)", x.shape());
  const std::size_t rank = static_cast<std::size_t>(x.rank()) - 2;
  const Shape before = each(name, "padding", low, rank, 0), after = each(name, "padding", high, rank, 0);
  if (mode == PadMode::kZeros) {
    std::vector<std::pair<std::int64_t, std::int64_t>> widths{{0, 0}};
    for (std::size_t d = 0; d < rank; ++d) widths.emplace_back(before[d], after[d]);
    widths.emplace_back(0, 0);
    return pad(x, widths);
  }
  Array y = x;
  for (std::size_t d = 0; d < rank; ++d) {
    const int axis = static_cast<int>(d) + 1;
    const std::int64_t size = y.shape()[d + 1], most = std::max(before[d], after[d]);
    if (most == 0) continue;
    const std::int64_t has = mode == PadMode::kReflect    ? size - 1
                             : mode == PadMode::kCircular ? size
                             : size == 0                  ? 0
                                                          : most;
    if (most > has) {
      fail(name, "{} elements beyond spatial axis {} of x {}: there are only {} to take them from", most, d, x.shape(),
           std::max<std::int64_t>(has, 0));
    }
    const auto run = [&](std::int64_t from, std::int64_t to) { return slice(y, axis, from, to); };
    const auto repeated = [&](std::int64_t at, std::int64_t count) {
      Shape shape = y.shape();
      shape[d + 1] = count;
      return broadcast_to(run(at, at + 1), shape);
    };
    Arrays parts;
    if (before[d] > 0) {
      parts.push_back(mode == PadMode::kReflect    ? flip(run(1, before[d] + 1), axis)
                      : mode == PadMode::kCircular ? run(size - before[d], size)
                                                   : repeated(0, before[d]));
    }
    parts.push_back(y);
    if (after[d] > 0) {
      parts.push_back(mode == PadMode::kReflect    ? flip(run(size - 1 - after[d], size - 1), axis)
                      : mode == PadMode::kCircular ? run(0, after[d])
                                                   : repeated(size - 1, after[d]));
    }
    y = concat(parts, axis);
  }
  return y;
}

}  // namespace pellucid
