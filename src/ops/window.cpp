// Primitives of windows over pictures, and pooling on top of them.
#include <algorithm>
#include <memory>

#include "kernels/window.h"
#include "ops/composed.h"
#include "ops/record.h"
#include "pellucid/ops.h"
#include "pellucid/ops_pool.h"

namespace pellucid::ops {
namespace {

using kernels::WindowAxis;
using kernels::Windows;

const std::vector<DType> kFloats = {float32, float64};

// Attributes: integer = d spatial axes; shape = their sizes in x, then in the result; axes = the first position of each
// window, axis after axis; steps = the dilations, then the windows' sizes; real = the divisor; dtype = of the index.

std::size_t axes_of(const Attributes& a) { return static_cast<std::size_t>(a.integer); }

/// The spatial axes of an array with this attributes' sizes, of x or of the result, are the ones before the last.
void check_shape(const Record& self, const Shape& shape, const Attributes& a, bool of_result) {
  const std::size_t d = axes_of(a);
  const auto sizes = a.shape.begin() + static_cast<std::ptrdiff_t>(of_result ? d : 0);
  if (shape.size() < d + 1 || !std::equal(sizes, sizes + a.integer, shape.end() - static_cast<std::ptrdiff_t>(d) - 1)) {
    fail(self.name, "shape {}; expected (..., spatial axes, channels) with spatial sizes {}", shape,
         Shape(sizes, sizes + a.integer));
  }
}

Shape with_sizes(const Shape& shape, const Attributes& a, bool of_result) {
  const auto d = static_cast<std::ptrdiff_t>(axes_of(a));
  Shape changed = shape;
  const auto sizes = a.shape.begin() + (of_result ? d : 0);
  std::copy(sizes, sizes + d, changed.end() - d - 1);
  element_count(changed, "window");
  return changed;
}

/// The windows over pictures like `shape`, which has the spatial sizes of x or of the result.
std::shared_ptr<const Windows> windows_of(const Attributes& a, const Shape& shape) {
  const std::size_t d = axes_of(a);
  std::int64_t batch = 1;
  for (std::size_t i = 0; i + d + 1 < shape.size(); ++i) batch *= shape[i];
  std::array<WindowAxis, Windows::kAxes> axes;
  auto first = a.axes.begin(), count = a.steps.begin() + a.integer;
  for (std::size_t i = 0; i < d; ++i) {
    WindowAxis& axis = axes[Windows::kAxes - d + i];
    axis.in = a.shape[i];
    axis.out = a.shape[d + i];
    axis.dilation = a.steps[i];
    axis.first.assign(first, first + axis.out);
    axis.count.assign(count, count + axis.out);
    first += axis.out;
    count += axis.out;
  }
  return std::make_shared<const Windows>(batch, std::move(axes), shape.back());
}

Arrays batch_windows(const BatchCall& call) {
  Arrays inputs = call.inputs;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!call.batched[i]) inputs[i] = with_batch(inputs[i], call.size);
  }
  return remake(call.node, std::move(inputs));
}

Record window_record(std::string_view name, std::string_view summary, std::string_view shapes) {
  Record record;
  record.name = name;
  record.summary = summary;
  record.shapes = shapes;
  record.batch = batch_windows;
  record.dtypes = kFloats;
  record.ulp = 0;
  return record;
}

void check_index(const Record& self, const Arrays& inputs) {
  if (inputs[1].dtype() != DType::kUInt8 && inputs[1].dtype() != DType::kInt32) {
    fail(self.name, "the index is {}; it must be uint8 or int32", inputs[1].dtype());
  }
}

Array put(const Array& g, const Array& index, const Attributes& attributes);
Array take(const Array& x, const Array& index, const Attributes& attributes);

// ---- The greatest ---------------------------------------------------------------------------------------------------

Record max_definition() {
  Record record = window_record("window_max", "the greatest element under each window, and its number there",
                                "(..., in..., c) -> (..., out..., c), (..., out..., c)");
  record.infer = [](const Record& self, const Arrays& inputs, const Attributes& a, std::vector<Output>& outputs) {
    check_shape(self, inputs[0].shape(), a, false);
    outputs.push_back({with_sizes(inputs[0].shape(), a, true), inputs[0].dtype(), nullptr, {}, 0});
    outputs.push_back({outputs[0].shape, a.dtype, nullptr, {}, 0});
  };
  record.prepare = [](const Signature& s) -> Kernel {
    return [windows = windows_of(s.attributes, s.inputs[0]), type = s.input_types[0], index = s.output_types[1]](
               void* const* y, const void* const* x) { kernels::window_max(y[0], y[1], x[0], *windows, type, index); };
  };
  record.vjp = [](const VjpCall& call) {
    if (!call.cotangents[0].defined()) return Arrays(1);
    return Arrays{put(call.cotangents[0], call.outputs[1], call.node.attributes)};
  };
  record.jvp = [](const JvpCall& call) {
    Arrays tangents(2);
    if (call.tangents[0].defined()) tangents[0] = take(call.tangents[0], call.outputs[1], call.node.attributes);
    return tangents;
  };
  return record;
}
const Record& kMax = define(max_definition());

Record take_definition() {
  Record record = window_record("window_take", "the element under each window that the index numbers, or 0",
                                "(..., in..., c), (..., out..., c) -> (..., out..., c)");
  record.arity = 2;
  record.linear = 1;
  record.infer = [](const Record& self, const Arrays& inputs, const Attributes& a, std::vector<Output>& outputs) {
    check_shape(self, inputs[0].shape(), a, false);
    check_index(self, inputs);
    Shape shape = with_sizes(inputs[0].shape(), a, true);
    if (inputs[1].shape() != shape) fail(self.name, "an index of shape {}; it must be {}", inputs[1].shape(), shape);
    outputs.push_back({std::move(shape), inputs[0].dtype(), nullptr, {}, 0});
  };
  record.prepare = [](const Signature& s) -> Kernel {
    return [windows = windows_of(s.attributes, s.inputs[0]), type = s.input_types[0], index = s.input_types[1]](
               void* const* y, const void* const* x) { kernels::window_take(y[0], x[0], x[1], *windows, type, index); };
  };
  record.vjp = [](const VjpCall& call) {
    return Arrays{put(call.cotangents[0], call.inputs[1], call.node.attributes), Array()};
  };
  return record;
}
const Record& kTake = define(take_definition());
Array take(const Array& x, const Array& index, const Attributes& attributes) {
  return make(kTake, {x, index}, attributes);
}

Record put_definition() {
  Record record = window_record("window_put", "g added where the index says under each window, into zeros",
                                "(..., out..., c), (..., out..., c) -> (..., in..., c)");
  record.arity = 2;
  record.linear = 1;
  record.infer = [](const Record& self, const Arrays& inputs, const Attributes& a, std::vector<Output>& outputs) {
    check_shape(self, inputs[0].shape(), a, true);
    check_index(self, inputs);
    if (inputs[1].shape() != inputs[0].shape()) {
      fail(self.name, "an index of shape {} for g of shape {}", inputs[1].shape(), inputs[0].shape());
    }
    outputs.push_back({with_sizes(inputs[0].shape(), a, false), inputs[0].dtype(), nullptr, {}, 0});
  };
  record.prepare = [](const Signature& s) -> Kernel {
    return [windows = windows_of(s.attributes, s.inputs[0]), type = s.input_types[0], index = s.input_types[1]](
               void* const* y, const void* const* x) { kernels::window_put(y[0], x[0], x[1], *windows, type, index); };
  };
  record.vjp = [](const VjpCall& call) {
    return Arrays{take(call.cotangents[0], call.inputs[1], call.node.attributes), Array()};
  };
  return record;
}
const Record& kPut = define(put_definition());
Array put(const Array& g, const Array& index, const Attributes& attributes) {
  return make(kPut, {g, index}, attributes);
}

// ---- The sum --------------------------------------------------------------------------------------------------------

Array spread(const Array& g, const Attributes& attributes);

Record sum_definition() {
  Record record = window_record("window_sum", "the sum under each window, over a fixed divisor",
                                "(..., in..., c) -> (..., out..., c)");
  record.linear = 1;
  record.infer = [](const Record& self, const Arrays& inputs, const Attributes& a, std::vector<Output>& outputs) {
    check_shape(self, inputs[0].shape(), a, false);
    outputs.push_back({with_sizes(inputs[0].shape(), a, true), inputs[0].dtype(), nullptr, {}, 0});
  };
  record.prepare = [](const Signature& s) -> Kernel {
    return [windows = windows_of(s.attributes, s.inputs[0]), type = s.input_types[0], divisor = s.attributes.real](
               void* const* y, const void* const* x) { kernels::window_sum(y[0], x[0], *windows, divisor, type); };
  };
  record.vjp = [](const VjpCall& call) { return Arrays{spread(call.cotangents[0], call.node.attributes)}; };
  return record;
}
const Record& kSum = define(sum_definition());
Array sum(const Array& x, const Attributes& attributes) { return make(kSum, {x}, attributes); }

Record spread_definition() {
  Record record =
      window_record("window_spread", "the sum of g over the windows that look at an element, over a divisor",
                    "(..., out..., c) -> (..., in..., c)");
  record.linear = 1;
  record.infer = [](const Record& self, const Arrays& inputs, const Attributes& a, std::vector<Output>& outputs) {
    check_shape(self, inputs[0].shape(), a, true);
    outputs.push_back({with_sizes(inputs[0].shape(), a, false), inputs[0].dtype(), nullptr, {}, 0});
  };
  record.prepare = [](const Signature& s) -> Kernel {
    return [windows = windows_of(s.attributes, s.inputs[0]), type = s.input_types[0], divisor = s.attributes.real](
               void* const* y, const void* const* x) { kernels::window_spread(y[0], x[0], *windows, divisor, type); };
  };
  record.vjp = [](const VjpCall& call) { return Arrays{sum(call.cotangents[0], call.node.attributes)}; };
  return record;
}
const Record& kSpread = define(spread_definition());
Array spread(const Array& g, const Attributes& attributes) { return make(kSpread, {g}, attributes); }

// ---- Windows from what was asked for --------------------------------------------------------------------------------

/// x's spatial sizes; throws where x has too few axes.
Shape spatial_sizes(std::string_view name, const Array& x, std::size_t d) {
  check_defined(name, x);
  if (d < 1 || d > Windows::kAxes) fail(name, "{} spatial axes; there must be 1, 2 or 3", d);
  const Shape& shape = x.shape();
  if (shape.size() < d + 1) {
    fail(name, "x has shape {}; {} spatial axes and channels behind them need a rank of at least {}", shape, d, d + 1);
  }
  return Shape(shape.end() - static_cast<std::ptrdiff_t>(d) - 1, shape.end() - 1);
}

/// One number for each axis: given ones, or `fallback`.
Shape each_axis(std::string_view name, std::string_view what, const Shape& given, const Shape& fallback) {
  if (given.empty()) return fallback;
  if (given.size() != fallback.size()) {
    fail(name, "{} {} for {} spatial axes; give one number for each", what, given, fallback.size());
  }
  return given;
}

struct Plan {
  Attributes attributes;
  bool whole = true;           // no window reaches into padding or over the end
  std::vector<Shape> counted;  // for each axis and window: positions that are no more than padding's
};

/// Adds an axis of windows to attributes whose `steps` begin with the dilations.
void add_window(Attributes& a, std::int64_t first, std::int64_t count) {
  a.axes.push_back(first);
  a.steps.push_back(count);
}

Plan plan_windows(std::string_view name, const Array& x, const Window& window) {
  const std::size_t d = window.kernel.size();
  const Shape in = spatial_sizes(name, x, d);
  const Shape stride = each_axis(name, "stride", window.stride, window.kernel);
  const Shape padding = each_axis(name, "padding", window.padding, Shape(d, 0));
  const Shape dilation = each_axis(name, "dilation", window.dilation, Shape(d, 1));
  constexpr std::int64_t kMost = std::int64_t{1} << 31;
  Plan plan;
  Attributes& a = plan.attributes;
  a.integer = static_cast<std::int64_t>(d);
  a.real = 1;
  a.shape = in;
  a.steps = dilation;
  for (std::size_t i = 0; i < d; ++i) {
    const std::int64_t k = window.kernel[i], s = stride[i], p = padding[i], e = dilation[i];
    if (k < 1 || s < 1 || e < 1 || k > kMost || s > kMost || e > kMost) {
      fail(name, "kernel {}, stride {} and dilation {} must be positive", window.kernel, stride, dilation);
    }
    if (p < 0) fail(name, "padding {} is negative; crop x with slice instead", padding);
    const std::int64_t reach = (k - 1) * e + 1;
    if (p > reach / 2) {
      fail(name, "padding {} is more than half of the kernel {}: windows would hold nothing but padding", padding,
           window.kernel);
    }
    if (reach > in[i] + 2 * p) {
      fail(name, "a kernel of {} (dilation {}) is larger than the picture {} with padding {}", window.kernel, dilation,
           in, padding);
    }
    const std::int64_t room = in[i] + 2 * p - reach;
    std::int64_t out = room / s + 1;
    // Over the end, but beginning inside the picture or its padding in front.
    if (window.ceil_mode && room % s != 0 && out * s < in[i] + p) ++out;
    a.shape.push_back(out);
    plan.counted.emplace_back();
    for (std::int64_t o = 0; o < out; ++o) {
      const std::int64_t begin = o * s - p;
      const std::int64_t skipped = begin < 0 ? (-begin + e - 1) / e : 0;
      const std::int64_t first = begin + skipped * e;
      const std::int64_t inside = first >= in[i] ? 0 : std::min(k - skipped, (in[i] - first + e - 1) / e);
      plan.whole = plan.whole && inside == k;
      plan.counted.back().push_back(std::min(k, (in[i] + p - begin + e - 1) / e));
      add_window(a, inside == 0 ? 0 : first, inside);
      if (inside == 0) {
        fail(name, "window {} along axis {} holds nothing but padding; x has spatial sizes {}, kernel {}, dilation {}",
             o, i, in, window.kernel, dilation);
      }
    }
  }
  return plan;
}

Plan plan_adaptive(std::string_view name, const Array& x, const Shape& size) {
  const std::size_t d = size.size();
  const Shape in = spatial_sizes(name, x, d);
  Plan plan;
  Attributes& a = plan.attributes;
  a.integer = static_cast<std::int64_t>(d);
  a.real = 1;
  a.shape = in;
  a.shape.insert(a.shape.end(), size.begin(), size.end());
  a.steps.assign(d, 1);
  for (std::size_t i = 0; i < d; ++i) {
    if (size[i] < 1) fail(name, "the result's spatial sizes {} must be positive", size);
    if (in[i] < 1) fail(name, "x has shape {}, whose spatial axes are empty", x.shape());
    plan.counted.emplace_back();
    for (std::int64_t o = 0; o < size[i]; ++o) {
      const std::int64_t begin = o * in[i] / size[i], end = ((o + 1) * in[i] + size[i] - 1) / size[i];
      add_window(a, begin, end - begin);
      plan.counted.back().push_back(end - begin);
      plan.whole = plan.whole && end - begin == plan.counted.back()[0];
    }
  }
  return plan;
}

Array greatest(std::string_view name, const Array& x, Attributes a) {
  std::int64_t most = 1;
  auto count = a.steps.begin() + a.integer;
  for (std::size_t i = 0; i < axes_of(a); ++i) {
    const std::int64_t out = a.shape[axes_of(a) + i];
    if (out != 0) most *= *std::max_element(count, count + out);
    count += out;
  }
  if (most >= std::int64_t{1} << 31) fail(name, "a window of {} elements; at most 2^31 - 1 are possible", most);
  a.dtype = most <= kernels::kSmallWindow ? DType::kUInt8 : DType::kInt32;
  if (x.dtype() == float32 || x.dtype() == float64) return make(kMax, {x}, std::move(a));
  if (x.dtype() == bfloat16) return astype(make(kMax, {astype(x, float32)}, std::move(a)), bfloat16);
  fail(name, "is not defined for {}; convert with astype to a float type", x.dtype());
}

/// The mean under each window: over one number where all have as many elements, else over an array of counts.
Array average(std::string_view name, const Array& x, Plan plan, bool whole_kernel) {
  return in_float(name, x, [&](const Array& t) {
    Attributes& a = plan.attributes;
    const std::size_t d = axes_of(a);
    std::int64_t elements = 1;
    bool equal = true;
    for (std::size_t i = 0; i < d; ++i) {
      const Shape& counted = plan.counted[i];
      for (std::int64_t count : counted) equal = equal && count == counted[0];
      if (!counted.empty()) elements *= counted[0];
    }
    if (plan.whole || (whole_kernel && equal)) {
      a.real = static_cast<double>(elements);
      return sum(t, a);
    }
    Array counts = Array(1.0);
    auto inside = a.steps.begin() + a.integer;
    for (std::size_t i = 0; i < d; ++i) {
      const std::int64_t out = a.shape[d + i];
      std::vector<double> along(inside, inside + out);
      if (whole_kernel) along.assign(plan.counted[i].begin(), plan.counted[i].end());
      inside += out;
      Shape shape(d + 1, 1);
      shape[i] = out;
      counts = counts * astype(Array::from(along, shape), t.dtype());
    }
    return sum(t, a) / counts;
  });
}

}  // namespace
}  // namespace pellucid::ops

namespace pellucid {

using namespace ops;  // NOLINT: the records above

Array max_pool(const Array& x, const Window& window) {
  return greatest("max_pool", x, plan_windows("max_pool", x, window).attributes);
}

Array average_pool(const Array& x, const Window& window) {
  return average("average_pool", x, plan_windows("average_pool", x, window), window.count_include_pad);
}

Array adaptive_max_pool(const Array& x, const Shape& size) {
  return greatest("adaptive_max_pool", x, plan_adaptive("adaptive_max_pool", x, size).attributes);
}

Array adaptive_average_pool(const Array& x, const Shape& size) {
  return average("adaptive_average_pool", x, plan_adaptive("adaptive_average_pool", x, size), false);
}

namespace {
Axes global_axes(std::string_view name, const Array& x, int axes) {
  spatial_sizes(name, x, static_cast<std::size_t>(std::max(axes, 0)));
  std::vector<int> list;
  for (int i = 0; i < axes; ++i) list.push_back(-1 - axes + i);
  return list;
}
}  // namespace

Array global_max_pool(const Array& x, int axes) { return max(x, global_axes("global_max_pool", x, axes)); }

Array global_average_pool(const Array& x, int axes) {
  const Axes list = global_axes("global_average_pool", x, axes);
  return in_float("global_average_pool", x, [&](const Array& t) {
    // Along the last axis first, so that no sum is longer than an axis: channels stay in vectors, nothing is moved.
    Shape size = spatial_sizes("global_average_pool", t, static_cast<std::size_t>(axes));
    if (count_of(size) == 0) return mean(t, list);
    Array y = t;
    for (std::size_t d = size.size(); d-- > 0;) {
      if (size[d] == 1) continue;
      size[d] = 1;
      y = average("global_average_pool", y, plan_adaptive("global_average_pool", y, size), false);
    }
    return squeeze(y, list);
  });
}

}  // namespace pellucid
