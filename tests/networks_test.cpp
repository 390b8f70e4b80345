// Networks for pictures: parameters, values, gradients and running statistics as PyTorch has them; their descriptions,
// their summaries, and what they say to bad input.
#include "pellucid/networks.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include <nlohmann/json.hpp>

#include "pellucid/ops.h"
#include "pellucid/precision.h"
#include "pellucid/random.h"
#include "pellucid/transform.h"
#include "support/message.h"

namespace pellucid::nn {
namespace {

using Json = nlohmann::json;

const Json& reference(const std::string& name) {
  static const Json all = [] {
    std::ifstream file(PELLUCID_SOURCE_DIR "/tests/reference/networks.json");
    return Json::parse(file);
  }();
  return all.at(name);
}

/// The numbers of make_networks.py.
std::vector<double> formula(std::int64_t count, std::int64_t which) {
  std::vector<double> values;
  for (std::int64_t i = 0; i < count; ++i) {
    values.push_back(static_cast<double>((i * 7919 + which * 104729 + 13) % 2003) / 2003.0 - 0.5);
  }
  return values;
}

Array formula(const Shape& shape, std::int64_t which) {
  std::int64_t count = 1;
  for (const auto size : shape) count *= size;
  return Array::from(formula(count, which), shape);
}

void fill(Ref network) {
  astype(network, float64);
  Arrays values;
  std::int64_t which = 0;
  for (const NamedArray& p : named_parameters(network)) {
    Array numbers = formula(p.value.shape(), which++);
    if (p.name.find("norm") != std::string::npos && p.name.ends_with(".weight")) {
      numbers = 1.0 + 0.5 * numbers;
    } else if (p.value.rank() > 1) {
      numbers = numbers * std::sqrt(24.0 / static_cast<double>(p.value.size() / p.value.size(-1)));
    }
    values.push_back(numbers);
  }
  evaluate(values);
  set_parameters(network, values);
}

double weighed(const Array& x, std::int64_t which) { return sum(x * formula(x.shape(), which + 1000)).item<double>(); }

void expect_near(const Json& expected, const std::vector<double>& got, double tolerance, const std::string& what) {
  ASSERT_LE(expected.size(), got.size()) << what;
  double scale = 0;
  for (const auto& value : expected) scale = std::max(scale, std::abs(value.get<double>()));
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double value = expected[i];
    EXPECT_NEAR(got[i], value, tolerance * (std::abs(value) + 1e-3 * scale)) << what << " " << i;
  }
}

template <class Network>
void check(const std::string& name, Network network, double tolerance) {
  SCOPED_TRACE(name);
  const Json& expected = reference(name);
  EXPECT_EQ(parameter_count(network), expected.at("parameters").get<std::int64_t>());
  fill(network);
  const Array x = (4.0 * formula(expected.at("input").get<Shape>(), 500)).evaluate();
  const Arrays weights = parameters(network), statistics = buffers(network);
  const Function step = functional(network, [&](const Arrays& in) {
    const Context context(random::key(0));
    const Array y = network(in[0]);
    return Arrays{sum(y * formula(y.shape(), 700)), reshape(y, {-1})};
  });
  Arrays arguments = weights;
  arguments.insert(arguments.end(), statistics.begin(), statistics.end());
  arguments.push_back(x);
  GradOptions options;
  for (std::size_t i = 0; i < weights.size(); ++i) options.arguments.push_back(static_cast<int>(i));
  Arrays outputs = compile(value_and_grad(step, options))(arguments);
  expect_near(expected.at("training"), outputs[1 + weights.size()].to_vector<double>(), tolerance, "training");
  std::vector<double> gradients, moved;
  for (std::size_t i = 0; i < weights.size(); ++i)
    gradients.push_back(weighed(outputs[1 + i], static_cast<std::int64_t>(i)));
  expect_near(expected.at("gradients"), gradients, tolerance, "gradients");
  const Arrays after(outputs.begin() + 2 + static_cast<std::ptrdiff_t>(weights.size()), outputs.end());
  for (std::size_t i = 0; i < after.size(); ++i) moved.push_back(weighed(after[i], static_cast<std::int64_t>(i)));
  expect_near(expected.at("statistics"), moved, tolerance, "statistics");
  set_buffers(network, after);
  expect_near(expected.at("evaluation"), reshape(network(x), {-1}).template to_vector<double>(), tolerance,
              "evaluation");
}

TEST(Networks, LeNet5IsAsInPyTorch) { check("lenet5", LeNet5(), 1e-10); }
TEST(Networks, ResNet18IsAsInPyTorch) {
  check("resnet18_small", resnet18({.channels = 3, .classes = 10, .small_pictures = true}), 1e-9);
}
TEST(Networks, ResNet50IsAsInPyTorch) { check("resnet50", resnet50({.channels = 3, .classes = 10}), 1e-7); }
TEST(Networks, MobileNetV2IsAsInPyTorch) {
  check("mobilenetv2_small",
        MobileNetV2({.channels = 3, .classes = 10, .width = 1, .dropout = 0, .small_pictures = true}), 1e-8);
}
TEST(Networks, UNetIsAsInPyTorch) { check("unet", UNet({.channels = 1, .outputs = 2, .width = 4, .depth = 2}), 1e-9); }
TEST(Networks, HaveThePublishedNumbersOfParameters) {
  EXPECT_EQ(parameter_count(resnet34({.channels = 3, .classes = 10})), reference("resnet34").at("parameters"));
  EXPECT_EQ(parameter_count(ConvNet()), 72666);
  EXPECT_EQ(parameter_count(resnet18()), 11689512);
  EXPECT_EQ(parameter_count(resnet34()), 21797672);
  EXPECT_EQ(parameter_count(resnet50()), 25557032);
  EXPECT_EQ(parameter_count(MobileNetV2()), 3504872);
}

TEST(Networks, AreMadeAgainFromTheirDescriptions) {
  const auto again = [](View network, const Shape& shape) {
    const Description description = describe(network);
    AnyLayer built = build(description_from_json(to_json(description)));
    EXPECT_EQ(describe(built), description);
    EXPECT_EQ(built(zeros(shape)).size(0), shape[0]);
  };
  again(LeNet5({.channels = 2, .classes = 3}), {1, 28, 28, 2});
  again(ConvNet({.channels = 1, .classes = 3, .widths = {4, 8}}), {2, 8, 6});
  again(resnet18({.channels = 1, .classes = 4, .small_pictures = true}), {2, 8, 8, 1});
  again(MobileNetV2({.channels = 1, .classes = 4, .width = 0.25, .small_pictures = true}), {2, 8, 8, 1});
  again(UNet({.channels = 2, .outputs = 3, .width = 2, .depth = 1}), {1, 4, 6, 2});
}

TEST(Networks, TrainInBFloat16) {
  LeNet5 network;
  const Array x = random::normal(random::key(1), {8, 28, 28, 1}), y = random::integers(random::key(2), {8}, 0, 10);
  const auto loss = [&](Precision precision) {
    const PrecisionScope scope(precision);
    return mean(square(network(x))).item<double>();
  };
  const double wide = loss(Precision::kFloat32), narrow = loss(Precision::kBFloat16);
  EXPECT_NE(wide, narrow);
  EXPECT_NEAR(narrow, wide, 0.02 * wide);
}

// ---- Summaries ------------------------------------------------------------------------------------------------------

TEST(Summary, CountsMultiplyAdds) {
  LeNet5 network;
  const std::string text = summary(network, {64, 28, 28, 1});
  for (const char* part : {"name     layer", "output", "parameters", "multiply-adds", "conv1", "Conv2d (",
                           "[64, 28, 28, 6]", "7,526,400", "15,360,000", "3,072,000",
                           "LeNet5: [64, 28, 28, 1] -> [64, 10], 61,706 parameters, all of them trainable, "
                           "26,657,280 multiply-adds\n"}) {
    EXPECT_PRED2(contains, text, part);
  }
}

TEST(Summary, CountsDepthwiseTransposedAndDenseOnes) {
  const Sequential net{Conv2d(8, 8, 3, {.padding = 1, .groups = 8}), ConvTranspose2d(8, 4, 2, {.stride = 2}),
                       Linear(4, 5)};
  Sequential copy = net;
  const std::string text = summary(copy, {2, 6, 6, 8});
  for (const char* part : {"5,184", "9,216", "5,760", "20,160 multiply-adds"}) EXPECT_PRED2(contains, text, part);
}

// ---- Errors ---------------------------------------------------------------------------------------------------------

TEST(NetworkError, Constructors) {
  EXPECT_EQ(message_of([] { LeNet5({.channels = 0}); }), "LeNet5: the number of channels is 0, and must be positive");
  EXPECT_EQ(message_of([] { ConvNet({.widths = {}}); }), "ConvNet: 0 stages; there must be 1 to 16 widths");
  EXPECT_EQ(message_of([] { ConvNet({.widths = {8, 0}}); }), "ConvNet: a width is 0, and must be positive");
  EXPECT_EQ(message_of([] { ResNet(20); }), "ResNet: there is no depth 20; it is 18, 34 or 50");
  EXPECT_EQ(message_of([] { resnet18({.classes = -1}); }), "ResNet: the number of classes is -1, and must be positive");
  EXPECT_EQ(message_of([] { MobileNetV2({.width = 0}); }), "MobileNetV2: the width 0 must be above 0, and 64 at most");
  EXPECT_EQ(message_of([] { UNet({.depth = 0}); }), "UNet: the depth 0 must be from 1 to 8");
  EXPECT_EQ(message_of([] { UNet({.width = 0}); }), "UNet: the width is 0, and must be positive");
}

TEST(NetworkError, Calls) {
  EXPECT_PRED2(contains, message_of([] {
                 ConvNet()(zeros({1, 3, 28}));
               }),
               "ConvNet: x has shape [1, 3, 28]; 3 stages need pictures of at least 4 x 4");
  EXPECT_EQ(message_of([] {
              LeNet5()(zeros({2, 32, 32, 1}));
            }),
            "LeNet5: x has pictures of 32 x 32; they must be 28 x 28 (layer 'LeNet5')");
  EXPECT_EQ(message_of([] {
              LeNet5()(zeros({2, 1, 28, 28}));
            }),
            "LeNet5: x has shape [2, 1, 28, 28]; it must be (n, height, width, 1) (layer 'LeNet5')");
  EXPECT_PRED2(contains, message_of([] {
                 resnet18({.small_pictures = true})(zeros({8, 8, 3}));
               }),
               "ResNet: x has shape [8, 8, 3]; it must be (n, height, width, 3)");
  EXPECT_PRED2(contains, message_of([] {
                 UNet()(zeros({1, 24, 32, 1}));
               }),
               "UNet: x has shape [1, 24, 32, 1]: height and width must be multiples of 16; pad the pictures");
  EXPECT_PRED2(contains, message_of([] { MobileNetV2()(zeros({1, 32, 32, 1})); }), "MobileNetV2: x has shape");
}

}  // namespace
}  // namespace pellucid::nn
