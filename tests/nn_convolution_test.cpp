// Layers that convolve, against PyTorch (reference/make_convolution.py): values, gradients and Hessian products in
// float64. Then what PyTorch does not tell: names, descriptions, channels first, errors.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "pellucid/nn_convolution.h"
#include "pellucid/transform.h"
#include "support/message.h"

namespace pellucid::nn {
namespace {

using Json = nlohmann::json;

Array read(const Json& json) {
  return Array::from(json["data"].get<std::vector<double>>(), json["shape"].get<Shape>());
}
Arrays read_all(const Json& json) {
  Arrays list;
  for (const Json& item : json) list.push_back(read(item));
  return list;
}
PerAxis numbers(const Json& json) {
  return json.is_array() ? PerAxis(json.get<std::vector<std::int64_t>>()) : PerAxis(json.get<std::int64_t>());
}

void expect_close(const Array& got, const Array& expected, const std::string& what) {
  ASSERT_EQ(got.shape(), expected.shape()) << what;
  const double worst = max(abs(got - expected)).item<double>(), most = max(abs(expected)).item<double>();
  EXPECT_LE(worst, 1e-10 * std::max(most, 1.0)) << what;
}

/// The layer that a case describes, with its parameters.
template <int kAxes>
AnyLayer make_convolution(const Json& c) {
  const Json& o = c["options"];
  ConvOptions options;
  options.stride = numbers(o["stride"]);
  options.padding = o["padding"] == "same" ? Padding::same() : Padding(numbers(o["padding"]));
  options.dilation = numbers(o["dilation"]);
  options.groups = o["groups"].get<std::int64_t>();
  options.bias = o["bias"].get<bool>();
  const std::map<std::string, PadMode> modes = {{"zeros", PadMode::kZeros},
                                                {"reflect", PadMode::kReflect},
                                                {"replicate", PadMode::kReplicate},
                                                {"circular", PadMode::kCircular}};
  options.padding_mode = modes.at(o["padding_mode"].get<std::string>());
  options.dtype = float64;
  const Arrays parameters = read_all(c["parameters"]);
  return Conv<kAxes>(parameters[0].size(-1), o["outputs"].get<std::int64_t>(), numbers(o["kernel"]), options);
}
template <int kAxes>
AnyLayer make_transpose(const Json& c) {
  const Json& o = c["options"];
  ConvTransposeOptions options;
  options.stride = numbers(o["stride"]);
  options.padding = numbers(o["padding"]);
  options.output_padding = numbers(o["output_padding"]);
  options.dilation = numbers(o["dilation"]);
  options.groups = o["groups"].get<std::int64_t>();
  options.dtype = float64;
  const Arrays parameters = read_all(c["parameters"]);
  return ConvTranspose<kAxes>(parameters[0].size(-1), o["outputs"].get<std::int64_t>(), numbers(o["kernel"]), options);
}
AnyLayer make_layer(const Json& c) {
  const auto name = c["layer"].get<std::string>();
  const char axes = name[name.size() - 2];
  if (name.find("Transpose") == std::string::npos)
    return axes == '1' ? make_convolution<1>(c) : axes == '2' ? make_convolution<2>(c) : make_convolution<3>(c);
  return axes == '1' ? make_transpose<1>(c) : axes == '2' ? make_transpose<2>(c) : make_transpose<3>(c);
}

TEST(ConvolutionLayers, HaveTheValuesAndDerivativesOfPyTorch) {
  std::ifstream file(std::string(PELLUCID_SOURCE_DIR) + "/tests/reference/convolution.json");
  const Json all = Json::parse(file);
  int count = 0;
  for (const Json& c : all["cases"]) {
    const std::string what = c["layer"].get<std::string>() + " " + c["options"].dump();
    AnyLayer layer = make_layer(c);
    const Arrays parameters = read_all(c["parameters"]), v = read_all(c["v"]);
    const Array cotangent = read(c["cotangent"]);
    const auto y = [&](const Arrays& p) {
      set_parameters(layer.ref(), Arrays(p.begin() + 1, p.end()));
      return layer(p[0]);
    };
    const auto f = [&](const Arrays& p) { return sum(sin(y(p)) * cotangent); };
    expect_close(y(parameters), read(c["y"]), what + ": y");
    const Arrays gradient = grad(f)(parameters);
    const Arrays expected = read_all(c["gradient"]), hessian = read_all(c["hessian"]);
    const Arrays product = hessian_product(f, parameters, v);
    ASSERT_EQ(gradient.size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      expect_close(gradient[i], expected[i], what + ": gradient " + std::to_string(i));
      expect_close(product[i], hessian[i], what + ": Hessian product " + std::to_string(i));
    }
    ++count;
  }
  EXPECT_GE(count, 19);
}

TEST(ConvolutionLayers, AreNamedDescribedAndBuilt) {
  ConvOptions options;
  options.stride = {2, 1};
  options.padding = Padding({1, 0}, {2, 0});
  options.groups = 2;
  options.padding_mode = PadMode::kReflect;
  const Sequential network{Conv2d(4, 6, {3, 2}, options), ConvTranspose2d(6, 3, 2, {.stride = 2, .output_padding = 1}),
                           Conv1d(3, 2, 5, {.padding = Padding::same(), .bias = false, .channels_first = true})};
  std::vector<std::string> names;
  for (const NamedArray& p : named_parameters(network)) names.push_back(p.name + to_string(p.value.shape()));
  EXPECT_EQ(names, (std::vector<std::string>{"0.weight[3, 2, 2, 6]", "0.bias[6]", "1.weight[2, 2, 3, 6]", "1.bias[3]",
                                             "2.weight[5, 3, 2]"}));
  const Description description = describe(network);
  EXPECT_EQ(description_from_json(to_json(description)), description);
  EXPECT_EQ(describe(build_sequential(description)), description);
  const Sequential three{Conv3d(2, 2, 3), ConvTranspose1d(2, 2, 3), ConvTranspose3d(2, 2, 3), Conv2d(2, 2, 3)};
  EXPECT_EQ(describe(build_sequential(describe(three))), describe(three));
  Description wrong = description;
  for (auto& [key, option] : wrong.layers[0].options) {
    if (key == "padding_mode") option = std::string("mirror");
  }
  EXPECT_PRED2(contains, message_of([&] { build(wrong); }), "padding_mode 'mirror' is not known");
  wrong = description;
  for (auto& [key, option] : wrong.layers[2].options) {
    if (key == "padding") option = std::string("valid");
  }
  EXPECT_PRED2(contains, message_of([&] { build(wrong); }), "padding 'valid' is not known");
}

TEST(ConvolutionLayers, TakeChannelsFirst) {
  const Array x = random::normal(random::key(3), {2, 5, 6, 3});
  Conv2d last(3, 4, 3, {.padding = 1}), first(3, 4, 3, {.padding = 1, .channels_first = true});
  set_parameters(first, parameters(last));
  const Array y = last(x), z = first(moveaxis(x, -1, 1));
  EXPECT_EQ(z.shape(), (Shape{2, 4, 5, 6}));
  EXPECT_EQ(max(abs(moveaxis(z, 1, -1) - y)).item<double>(), 0);
  ConvTranspose2d up(4, 3, 2, {.stride = 2}), up_first(4, 3, 2, {.stride = 2, .channels_first = true});
  set_parameters(up_first, parameters(up));
  EXPECT_EQ(max(abs(moveaxis(up_first(z), 1, -1) - up(y))).item<double>(), 0);
}

TEST(ConvolutionLayers, StartInThePromisedRange) {
  const Conv2d layer(8, 32, 3);
  const double bound = 1 / std::sqrt(8.0 * 9), most = max(abs(layer.weight.value)).item<double>();
  EXPECT_LE(most, bound);
  EXPECT_GT(most, 0.95 * bound);
  EXPECT_LE(max(abs(layer.bias.value)).item<double>(), bound);
  const Conv2d other(2, 3, 3, {.weight_initializer = init::zeros(), .bias_initializer = init::ones()});
  EXPECT_EQ(max(abs(other.weight.value)).item<double>(), 0);
  EXPECT_EQ(min(other.bias.value).item<double>(), 1);
}

TEST(ConvolutionLayers, TakeNoPictures) {
  const Conv2d layer(3, 4, 3);
  EXPECT_EQ(layer(zeros({0, 8, 8, 3})).evaluate().shape(), (Shape{0, 6, 6, 4}));
  const auto loss = [&](const Array& x) { return sum(layer(x)); };
  EXPECT_EQ(grad(loss)(zeros({0, 8, 8, 3})).evaluate().shape(), (Shape{0, 8, 8, 3}));
}

TEST(ConvolutionLayers, SayWhatDoesNotFit) {
  const auto says = [](const auto& f, const std::string& text) { EXPECT_PRED2(contains, message_of(f), text); };
  says([] { Conv2d(0, 4, 3); }, "Conv2d: channels 0 and 4 must be positive");
  says([] { Conv2d(4, 6, 3, {.groups = 4}); }, "Conv2d: 4 groups must divide the 4 input and the 6 output channels");
  says([] { Conv2d(4, 6, 3, {.groups = 0}); }, "Conv2d: 0 groups must divide");
  says([] { Conv2d(4, 6, 0); }, "Conv2d: kernel 0 must be at least 1");
  says([] { Conv2d(4, 6, {3, 3, 3}); }, "Conv2d: kernel [3, 3, 3] names 3 axes; give one number, or 2");
  says([] { Conv2d(4, 6, 3, {.stride = 0}); }, "Conv2d: stride 0 must be at least 1");
  says([] { Conv1d(4, 6, 3, {.padding = -1}); }, "Conv1d: padding -1 must be at least 0");
  says([] { Conv3d(4, 6, 3, {.dilation = 0}); }, "Conv3d: dilation 0 must be at least 1");
  says([] { Conv2d(4, 6, 3, {.dtype = int32}); }, "int32 is no float type");
  says([] { ConvTranspose2d(4, 6, 3, {.output_padding = -1}); },
       "ConvTranspose2d: output_padding -1 must be at least 0");
  Sequential network{ReLU(), Conv2d(3, 4, 5), ConvTranspose2d(4, 2, 3, {.stride = 2, .output_padding = 2})};
  assign_paths(network);
  says(
      [&] {
        network(zeros({2, 8, 8, 4}));
      },
      "Conv2d: x has shape [2, 8, 8, 4]; it must be (n, spatial..., channels) with 2 spatial axes and 3 channels "
      "(layer "
      "'1')");
  says([&] { network(zeros({2, 8, 3})); }, "Conv2d: x has shape [2, 8, 3]; it must be");
  says(
      [&] {
        network(zeros({2, 4, 8, 3}));
      },
      "convolve: the kernel [5, 5] with dilation 1 spans 5 along spatial axis 0, more than the padded picture's 4");
  says([&] { network(zeros({2, 4, 8, 3})); }, "(layer '1')");
  says(
      [&] {
        network(zeros({2, 8, 8, 3}));
      },
      "convolve_transpose: output_padding 2 must be less than the stride 2 or the dilation 1 (layer '2')");
  const Conv1d first(3, 4, 2, {.channels_first = true});
  says([&] { first(zeros({2, 5, 3})); }, "it must be (n, channels, spatial...) with 1 spatial axis and 3 channels");
}

}  // namespace
}  // namespace pellucid::nn
