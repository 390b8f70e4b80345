// Cases of convolution: references by its definition, over every position, tap and channel.
#include <array>
#include <cmath>

#include "pellucid/ops_window.h"
#include "support/laws.h"

namespace pellucid::laws {
namespace {

using Size = std::int64_t;
using List = std::vector<Tensor>;

/// A convolution, with as many spatial axes as `in` has entries.
struct Setting {
  std::string label;
  Size n = 2;
  Shape in, kernel;
  Size channels = 1, outputs = 1, groups = 1;
  Shape stride, low, high, dilation;
  Size batch = 0;  // above 0: so many convolutions, with an axis in front
  bool large = false;

  Shape out() const {
    Shape sizes;
    for (std::size_t d = 0; d < in.size(); ++d)
      sizes.push_back((in[d] + low[d] + high[d] - dilation[d] * (kernel[d] - 1) - 1) / stride[d] + 1);
    return sizes;
  }
  Shape full(Size first, const Shape& sizes, std::initializer_list<Size> rest) const {
    Shape shape;
    if (batch > 0) shape.push_back(batch);
    if (first >= 0) shape.push_back(first);
    shape.insert(shape.end(), sizes.begin(), sizes.end());
    shape.insert(shape.end(), rest);
    return shape;
  }
  Shape x() const { return full(n, in, {channels}); }
  Shape w() const { return full(-1, kernel, {channels / groups, outputs}); }
  Shape y() const { return full(n, out(), {outputs}); }
  Attributes attributes(const Shape& sizes) const {
    Attributes a;
    a.axes = stride;
    for (const Shape& list : {low, high, dilation}) a.steps.insert(a.steps.end(), list.begin(), list.end());
    a.shape = sizes;
    a.integer = groups;
    return a;
  }
  /// Calls f with the elements of x, w and y that meet.
  template <class F>
  void for_each_product(const F& f) const {
    const Size in_count = count_of(in), taps = count_of(kernel), out_count = count_of(out());
    const Size per_group = channels / groups, out_group = outputs / groups;
    for (Size i = 0; i < (batch > 0 ? batch : 1) * n; ++i) {
      const Size b = n == 0 ? 0 : i / n;
      Size p = 0;
      for_each_position(out(), [&](const Shape& at) {
        Size t = 0;
        for_each_position(kernel, [&](const Shape& tap) {
          Size pixel = 0;
          bool inside = true;
          for (std::size_t d = 0; d < in.size(); ++d) {
            const Size from = at[d] * stride[d] + tap[d] * dilation[d] - low[d];
            inside = inside && from >= 0 && from < in[d];
            pixel = pixel * in[d] + from;
          }
          for (Size c = 0; inside && c < channels; ++c) {
            for (Size o = c / per_group * out_group; o < (c / per_group + 1) * out_group; ++o)
              f(static_cast<std::size_t>((i * in_count + pixel) * channels + c),
                static_cast<std::size_t>(((b * taps + t) * per_group + c % per_group) * outputs + o),
                static_cast<std::size_t>((i * out_count + p) * outputs + o));
          }
          ++t;
        });
        ++p;
      });
    }
  }
};

/// The sum of products, and the bound: as many roundings as it has terms, of the sum of magnitudes.
struct Sums {
  explicit Sums(const Shape& shape, DType dtype)
      : e{{shape, dtype, std::vector<Real>(static_cast<std::size_t>(count_of(shape)))}, {}}, terms(e.y.values.size()) {
    e.slack.resize(e.y.values.size());
  }
  void add(std::size_t at, Real product) {
    e.y.values[at] += product;
    e.slack[at] += fabsl(product);
    ++terms[at];
  }
  std::vector<Expected> done() {
    const DType dtype = e.y.dtype;
    const Real unit = dtype == bfloat16 ? unit_of(float32) : unit_of(dtype);
    for (std::size_t i = 0; i < terms.size(); ++i) {
      e.slack[i] *= static_cast<Real>(terms[i] + 2) * unit;
      if (dtype == bfloat16) e.slack[i] += 1.01L * unit_of(bfloat16) * fabsl(e.y.values[i]);
    }
    return {e};
  }
  Expected e;
  std::vector<Size> terms;
};

void add_setting(std::vector<Case>& list, const Setting& s) {
  const Shape x = s.x(), w = s.w(), y = s.y();
  Case forward{"convolve", s.label, {{x}, {w}}, node_of("convolve", s.attributes({})), {}};
  forward.reference = [s, y](const List& in) {
    Sums sums(y, in[0].dtype);
    s.for_each_product(
        [&](std::size_t i, std::size_t j, std::size_t k) { sums.add(k, in[0].values[i] * in[1].values[j]); });
    return sums.done();
  };
  Case input{"convolve_input", s.label, {{y}, {w}}, node_of("convolve_input", s.attributes(s.in)), {}};
  input.reference = [s, x](const List& in) {
    Sums sums(x, in[0].dtype);
    s.for_each_product(
        [&](std::size_t i, std::size_t j, std::size_t k) { sums.add(i, in[0].values[k] * in[1].values[j]); });
    return sums.done();
  };
  Case weight{"convolve_weight", s.label, {{x}, {y}}, node_of("convolve_weight", s.attributes(s.kernel)), {}};
  weight.reference = [s, w](const List& in) {
    Sums sums(w, in[0].dtype);
    s.for_each_product(
        [&](std::size_t i, std::size_t j, std::size_t k) { sums.add(j, in[0].values[i] * in[1].values[k]); });
    return sums.done();
  };
  for (Case* c : {&forward, &input, &weight}) {
    c->covers = has_zero(x) ? Layout::kEmpty : Layout::kContiguous;
    c->large = s.large;
    list.push_back(std::move(*c));
  }
}

void add_public(std::vector<Case>& list) {
  const auto add = [&](const std::string& name, const std::string& label, std::vector<Operand> operands, Function make,
                       std::function<std::vector<Expected>(const List&)> reference) {
    Case c{name, label, std::move(operands), std::move(make), std::move(reference)};
    c.composed = true;
    c.dtypes = {float32, float64};
    list.push_back(c);
  };
  // Transposed: x is y's side of the setting.
  const Setting s{"", 2, {6, 5}, {3, 2}, 4, 6, 2, {2, 1}, {1, 1}, {0, 1}, {1, 2}, 0, false};
  add(
      "convolve_transpose", "groups", {{s.y()}, {s.w()}},
      [](const Arrays& a) {
        ConvolveTransposeOptions options;
        options.stride = {2, 1};
        options.padding = 1;
        options.output_padding = {1, 0};
        options.dilation = {1, 2};
        options.groups = 2;
        return Arrays{convolve_transpose(a[0], a[1], options)};
      },
      [s](const List& in) {
        Sums sums(s.x(), in[0].dtype);
        s.for_each_product(
            [&](std::size_t i, std::size_t j, std::size_t k) { sums.add(i, in[0].values[k] * in[1].values[j]); });
        return sums.done();
      });
  const std::array<std::pair<PadMode, std::vector<Size>>, 4> modes = {{{PadMode::kZeros, {-1, 0, 1, 2, 3, -1, -1}},
                                                                       {PadMode::kReflect, {1, 0, 1, 2, 3, 2, 1}},
                                                                       {PadMode::kReplicate, {0, 0, 1, 2, 3, 3, 3}},
                                                                       {PadMode::kCircular, {3, 0, 1, 2, 3, 0, 1}}}};
  for (const auto& [mode, places] : modes) {
    add(
        "pad_spatial", std::to_string(static_cast<int>(mode)), {{{2, 4, 3}}},
        [how = mode](const Arrays& a) { return Arrays{pad_spatial(a[0], 1, 2, how)}; },
        moved({2, 7, 3}, [from_where = places](const Shape& at, Shape& from) {
          from = at;
          from[1] = from_where[static_cast<std::size_t>(at[1])];
          return from[1] >= 0;
        }));
  }
}

}  // namespace

void add_convolve_cases(std::vector<Case>& list) {
  const Setting settings[] = {
      // label, n, in, kernel, channels, outputs, groups, stride, low, high, dilation
      {"signal", 2, {7}, {3}, 3, 2, 1, {1}, {1}, {1}, {1}},
      {"signal, far taps", 1, {9}, {2}, 2, 3, 1, {3}, {2}, {0}, {4}},
      {"picture", 2, {5, 4}, {3, 3}, 2, 3, 1, {1, 1}, {1, 1}, {1, 1}, {1, 1}},
      {"picture, strides", 2, {6, 5}, {3, 2}, 4, 6, 2, {2, 1}, {1, 0}, {0, 1}, {1, 2}},
      {"picture, one tap", 2, {4, 3}, {1, 1}, 3, 5, 1, {1, 1}, {0, 0}, {0, 0}, {1, 1}},
      {"picture, depthwise", 2, {5, 6}, {3, 3}, 4, 4, 4, {1, 2}, {1, 1}, {1, 1}, {1, 1}},
      {"picture, depthwise twice", 1, {4, 4}, {3, 3}, 3, 6, 3, {1, 1}, {1, 1}, {1, 1}, {1, 1}},
      {"volume", 1, {3, 4, 3}, {2, 3, 2}, 2, 3, 1, {1, 2, 1}, {1, 1, 0}, {0, 1, 1}, {1, 1, 2}},
      {"batch", 2, {4, 3}, {3, 2}, 2, 3, 1, {1, 1}, {1, 1}, {1, 0}, {1, 1}, 3},
      {"no pictures", 0, {4, 3}, {3, 2}, 2, 3, 1, {1, 1}, {1, 1}, {1, 0}, {1, 1}},
      {"no channels", 2, {4}, {3}, 0, 3, 1, {1}, {1}, {1}, {1}},
  };
  for (const Setting& s : settings) add_setting(list, s);
  add_public(list);
}

}  // namespace pellucid::laws
