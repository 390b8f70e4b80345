// The layers that convolve, and how they are made of descriptions.
#include "pellucid/nn_convolution.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "nn/build.h"

namespace pellucid::nn {

using base::fail;
using base::format;

namespace {

constexpr std::array<std::pair<PadMode, std::string_view>, 4> kModes = {{{PadMode::kZeros, "zeros"},
                                                                         {PadMode::kReflect, "reflect"},
                                                                         {PadMode::kReplicate, "replicate"},
                                                                         {PadMode::kCircular, "circular"}}};

std::string name_of(PadMode mode) {
  return std::string(
      std::find_if(kModes.begin(), kModes.end(), [&](const auto& m) { return m.first == mode; })->second);
}

/// One number for each axis; throws unless each is at least `least`.
Shape each(std::string_view type, std::string_view what, const PerAxis& given, int axes, std::int64_t least) {
  Shape values = given.values;
  if (values.size() == 1) values.assign(static_cast<std::size_t>(axes), values[0]);
  if (values.size() != static_cast<std::size_t>(axes)) {
    fail("{}: {} {} names {} axes; give one number, or {}", type, what, given.values, given.values.size(), axes);
  }
  for (const std::int64_t value : values) {
    if (value < least) fail("{}: {} {} must be at least {}", type, what, value, least);
  }
  return values;
}

void check_sizes(std::string_view type, std::int64_t inputs, std::int64_t outputs, std::int64_t groups) {
  if (inputs < 1 || outputs < 1) fail("{}: channels {} and {} must be positive", type, inputs, outputs);
  if (groups < 1 || inputs % groups != 0 || outputs % groups != 0) {
    fail("{}: {} groups must divide the {} input and the {} output channels", type, groups, inputs, outputs);
  }
}

/// Parameters of `shape` (kernel..., fan in, fan out) and of a bias.
void make_parameters(Parameter& weight, Parameter& bias, const Shape& shape, std::int64_t outputs, bool with_bias,
                     init::Initializer for_weight, init::Initializer for_bias, DType dtype) {
  if (!is_float(dtype)) fail("Conv: the dtype {} is no float type", dtype);
  const double bound = 1 / std::sqrt(init::fans(shape).in);
  weight = Parameter(shape, for_weight ? std::move(for_weight) : init::uniform(-bound, bound), dtype);
  if (with_bias) bias = Parameter({outputs}, for_bias ? std::move(for_bias) : init::uniform(-bound, bound), dtype);
}

/// Throws unless x has `axes` spatial axes and the channels.
void check_picture(const Call& call, const Array& x, int axes, std::int64_t channels, bool channels_first) {
  const bool rank = x.rank() == axes + 2;
  if (rank && x.size(channels_first ? 1 : -1) == channels) return;
  call.fail(format("x has shape {}; it must be {} with {} spatial {} and {} channels", x.shape(),
                   channels_first ? "(n, channels, spatial...)" : "(n, spatial..., channels)", axes,
                   axes == 1 ? "axis" : "axes", channels));
}

/// (n, channels, spatial...) to (n, spatial..., channels), and back.
Array channels_to(const Array& x, bool last) { return last ? moveaxis(x, 1, -1) : moveaxis(x, -1, 1); }

/// Spatial sizes of a weight.
Shape kernel_of(const Parameter& weight) {
  const Shape& shape = weight.value.shape();
  return Shape(shape.begin(), shape.end() - 2);
}

}  // namespace

// ---- Conv -----------------------------------------------------------------------------------------------------------

template <int kAxes>
Conv<kAxes>::Conv(std::int64_t inputs, std::int64_t outputs, PerAxis kernel, ConvOptions options)
    : inputs_(inputs), mode_(options.padding_mode), channels_first_(options.channels_first) {
  check_sizes(type_name(), inputs, outputs, options.groups);
  Shape shape = each(type_name(), "kernel", kernel, kAxes, 1);
  convolve_.stride = each(type_name(), "stride", options.stride, kAxes, 1);
  convolve_.dilation = each(type_name(), "dilation", options.dilation, kAxes, 1);
  convolve_.padding = options.padding;
  convolve_.padding.low = each(type_name(), "padding", options.padding.low, kAxes, 0);
  convolve_.padding.high = each(type_name(), "padding", options.padding.high, kAxes, 0);
  convolve_.groups = options.groups;
  shape.push_back(inputs / options.groups);
  shape.push_back(outputs);
  make_parameters(weight, bias, shape, outputs, options.bias, std::move(options.weight_initializer),
                  std::move(options.bias_initializer), options.dtype);
}

template <int kAxes>
Array Conv<kAxes>::operator()(const Array& x) const {
  const Call call(*this, type_name());
  check_picture(call, x, kAxes, inputs_, channels_first_);
  Array picture = channels_first_ ? channels_to(x, true) : x;
  ConvolveOptions options = convolve_;
  if (mode_ != PadMode::kZeros) {
    const Shape kernel = kernel_of(weight);
    for (std::size_t d = 0; options.padding.is_same && d < kernel.size(); ++d) {
      const std::int64_t size = picture.shape()[d + 1], stride = options.stride.values[d];
      const std::int64_t span = options.dilation.values[d] * (kernel[d] - 1) + 1;
      const std::int64_t more = std::max<std::int64_t>(0, ((size + stride - 1) / stride - 1) * stride + span - size);
      options.padding.low.values[d] = more / 2;
      options.padding.high.values[d] = more - more / 2;
    }
    picture = pad_spatial(picture, options.padding.low, options.padding.high, mode_);
    options.padding = {};
  }
  Array y = convolve(picture, weight, options);
  if (bias.value.defined()) y = y + bias;
  return call.done(channels_first_ ? channels_to(y, false) : y);
}

template <int kAxes>
Options Conv<kAxes>::options() const {
  Options list = {{"inputs", inputs_},
                  {"outputs", weight.value.size(-1)},
                  {"kernel", kernel_of(weight)},
                  {"stride", convolve_.stride.values}};
  if (convolve_.padding.is_same) {
    list.emplace_back("padding", std::string("same"));
  } else {
    std::vector<std::int64_t> both = convolve_.padding.low.values;
    const auto& high = convolve_.padding.high.values;
    if (both != high) both.insert(both.end(), high.begin(), high.end());
    list.emplace_back("padding", both);
  }
  list.emplace_back("dilation", convolve_.dilation.values);
  list.emplace_back("groups", convolve_.groups);
  list.emplace_back("bias", bias.value.defined());
  list.emplace_back("padding_mode", name_of(mode_));
  list.emplace_back("channels_first", channels_first_);
  return list;
}

// ---- ConvTranspose --------------------------------------------------------------------------------------------------

template <int kAxes>
ConvTranspose<kAxes>::ConvTranspose(std::int64_t inputs, std::int64_t outputs, PerAxis kernel,
                                    ConvTransposeOptions options)
    : outputs_(outputs), channels_first_(options.channels_first) {
  check_sizes(type_name(), inputs, outputs, options.groups);
  Shape shape = each(type_name(), "kernel", kernel, kAxes, 1);
  convolve_.stride = each(type_name(), "stride", options.stride, kAxes, 1);
  convolve_.padding = each(type_name(), "padding", options.padding, kAxes, 0);
  convolve_.output_padding = each(type_name(), "output_padding", options.output_padding, kAxes, 0);
  convolve_.dilation = each(type_name(), "dilation", options.dilation, kAxes, 1);
  convolve_.groups = options.groups;
  shape.push_back(outputs / options.groups);
  shape.push_back(inputs);
  make_parameters(weight, bias, shape, outputs, options.bias, std::move(options.weight_initializer),
                  std::move(options.bias_initializer), options.dtype);
}

template <int kAxes>
Array ConvTranspose<kAxes>::operator()(const Array& x) const {
  const Call call(*this, type_name());
  check_picture(call, x, kAxes, weight.value.size(-1), channels_first_);
  Array y = convolve_transpose(channels_first_ ? channels_to(x, true) : x, weight, convolve_);
  if (bias.value.defined()) y = y + bias;
  return call.done(channels_first_ ? channels_to(y, false) : y);
}

template <int kAxes>
Options ConvTranspose<kAxes>::options() const {
  return {{"inputs", weight.value.size(-1)},       {"outputs", outputs_},
          {"kernel", kernel_of(weight)},           {"stride", convolve_.stride.values},
          {"padding", convolve_.padding.values},   {"output_padding", convolve_.output_padding.values},
          {"dilation", convolve_.dilation.values}, {"groups", convolve_.groups},
          {"bias", bias.value.defined()},          {"channels_first", channels_first_}};
}

template class Conv<1>;
template class Conv<2>;
template class Conv<3>;
template class ConvTranspose<1>;
template class ConvTranspose<2>;
template class ConvTranspose<3>;

// ---- From descriptions ----------------------------------------------------------------------------------------------

namespace {

template <int kAxes>
void add_convolution(Makers& makers) {
  makers[std::string(Conv<kAxes>::type_name())] = [](Settings& s) {
    const auto type = Conv<kAxes>::type_name();
    ConvOptions options;
    options.stride = s.get<Shape>("stride");
    if (s.holds<std::string>("padding")) {
      if (const auto text = s.get<std::string>("padding"); text != "same")
        fail("nn::build: {}: padding '{}' is not known; it is 'same', or numbers", type, text);
      options.padding = Padding::same();
    } else {
      const Shape both = s.get<Shape>("padding");
      const auto half = both.begin() + kAxes;
      if (both.size() == 2 * kAxes) {
        options.padding = Padding(PerAxis(Shape(both.begin(), half)), PerAxis(Shape(half, both.end())));
      } else {
        options.padding = PerAxis(both);
      }
    }
    options.dilation = s.get<Shape>("dilation");
    options.groups = s.get<std::int64_t>("groups");
    options.bias = s.get<bool>("bias");
    const auto mode = s.get<std::string>("padding_mode");
    const auto found = std::find_if(kModes.begin(), kModes.end(), [&](const auto& m) { return m.second == mode; });
    if (found == kModes.end()) fail("nn::build: {}: padding_mode '{}' is not known", type, mode);
    options.padding_mode = found->first;
    options.channels_first = s.get<bool>("channels_first");
    return Conv<kAxes>(s.get<std::int64_t>("inputs"), s.get<std::int64_t>("outputs"), s.get<Shape>("kernel"), options);
  };
  makers[std::string(ConvTranspose<kAxes>::type_name())] = [](Settings& s) {
    ConvTransposeOptions options;
    options.stride = s.get<Shape>("stride");
    options.padding = s.get<Shape>("padding");
    options.output_padding = s.get<Shape>("output_padding");
    options.dilation = s.get<Shape>("dilation");
    options.groups = s.get<std::int64_t>("groups");
    options.bias = s.get<bool>("bias");
    options.channels_first = s.get<bool>("channels_first");
    return ConvTranspose<kAxes>(s.get<std::int64_t>("inputs"), s.get<std::int64_t>("outputs"), s.get<Shape>("kernel"),
                                options);
  };
}

}  // namespace

void add_convolutions(Makers& makers) {
  add_convolution<1>(makers);
  add_convolution<2>(makers);
  add_convolution<3>(makers);
}

}  // namespace pellucid::nn
