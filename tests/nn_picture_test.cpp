// Layers for pictures against PyTorch (reference/make_pictures.py): values, gradients, Hessian products and buffers in
// float64, with channels first; then what PyTorch does not tell: channels last, batches of gradients, training, errors.
#include "pellucid/nn_picture.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "pellucid/loss_picture.h"
#include "pellucid/nn_convolution.h"
#include "pellucid/ops.h"
#include "pellucid/transform.h"
#include "support/message.h"

namespace pellucid::nn {
namespace {

using Json = nlohmann::json;

Array read(const Json& json) {
  return Array::from(json["data"].get<std::vector<double>>(), json["shape"].get<Shape>());
}

/// Relative to the largest element, since single elements may be differences of large ones.
void expect_near(const Array& actual, const Array& expected, const std::string& what, double tolerance = 1e-10) {
  ASSERT_EQ(actual.shape(), expected.shape()) << what;
  const auto got = actual.to_vector<double>(), want = expected.to_vector<double>();
  double scale = 1e-3;
  for (double value : want) scale = std::max(scale, std::abs(value));
  for (std::size_t i = 0; i < want.size(); ++i) ASSERT_NEAR(got[i], want[i], tolerance * scale) << what << " at " << i;
}

/// The layer of a case with its numbers.
AnyLayer layer_of(const Json& c) {
  AnyLayer layer = build(description_from_json(c["layer"].dump()));
  astype(layer, float64);
  std::vector<NamedArray> arrays;
  for (const char* kind : {"parameters", "buffers"}) {
    for (const auto& [name, value] : c[kind].items()) arrays.push_back({name, read(value)});
  }
  set_arrays(layer, arrays);
  set_mode(layer, c["train"].get<bool>() ? Mode::kTraining : Mode::kEvaluation);
  return layer;
}

TEST(Pictures, AgreeWithPyTorch) {
  std::ifstream file(PELLUCID_SOURCE_DIR "/tests/reference/pictures.json");
  const Json all = Json::parse(file);
  ASSERT_GT(all["cases"].size(), 70u);
  for (const Json& c : all["cases"]) {
    SCOPED_TRACE(c["layer"].dump() + (c["train"].get<bool>() ? " training" : ""));
    AnyLayer layer = layer_of(c);
    const std::vector<NamedArray> parameters = named_parameters(layer);
    ASSERT_EQ(parameters.size(), c["names"].size());
    Arrays at{read(c["x"])};
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      ASSERT_EQ(parameters[i].name, c["names"][i].get<std::string>());
      at.push_back(parameters[i].value);
    }
    const Arrays first_buffers = buffers(layer);
    const Array cotangent = read(c["cotangent"]);
    Arrays after;
    const auto call = [&](const Arrays& a) {
      const Swap swap(layer, Arrays(a.begin() + 1, a.end()), first_buffers);
      const Array y = layer(a[0]);
      after = swap.buffers();
      return y;
    };
    expect_near(call(at), read(c["value"]), "value");
    const std::vector<NamedArray> kept = named_buffers(layer);
    for (std::size_t i = 0; i < after.size() && c["after"].contains(kept[i].name); ++i) {
      expect_near(after[i], read(c["after"][kept[i].name]), kept[i].name);
    }
    const Function gradient = [&](const Arrays& a) {
      std::vector<int> every;
      for (std::size_t i = 0; i < a.size(); ++i) every.push_back(static_cast<int>(i));
      return grad([&](const Arrays& b) { return sum(cotangent * square(call(b))); },
                  {.arguments = every, .allow_unused = true})(a);
    };
    const Arrays gradients = gradient(at);
    for (std::size_t i = 0; i < gradients.size(); ++i) {
      expect_near(gradients[i], read(c["gradients"][i]), "gradient " + std::to_string(i));
    }
    const Function by_x = [&](const Arrays& x) {
      Arrays a = at;
      a[0] = x[0];
      return Arrays{gradient(a)[0]};
    };
    expect_near(jvp(by_x, {at[0]}, {read(c["v"])}).tangents[0], read(c["product"]), "Hessian product");
    // float32, within a bound that counts the terms of the longest sums.
    astype(layer, float32);
    expect_near(layer(astype(at[0], float32)), read(c["value"]), "float32", 3e-5);
    EXPECT_EQ(describe(build(describe(layer))), describe(layer));
  }
}

// ---- What PyTorch does not tell -------------------------------------------------------------------------------------

Array numbers(const Shape& shape, std::uint64_t seed = 1) { return random::normal(random::key(seed), shape); }

std::vector<float> floats(const Array& x) { return x.to_vector<float>(); }

TEST(Pictures, ChannelsLastIsThePermutation) {
  const Array x = numbers({2, 5, 6, 4});
  const Array first = moveaxis(x, -1, 1);
  const auto same = [&](const AnyLayer& last, const AnyLayer& with_first) {
    EXPECT_EQ(floats(moveaxis(last(x), -1, 1)), floats(with_first(first)));
  };
  same(MaxPool2d(2), MaxPool2d(2, {.channels_first = true}));
  same(AvgPool2d(3, {.stride = 2, .padding = 1}), AvgPool2d(3, {.stride = 2, .padding = 1, .channels_first = true}));
  same(AdaptiveAvgPool2d(PerAxis{2, 3}), AdaptiveAvgPool2d(PerAxis{2, 3}, true));
  same(GroupNorm(2, 4), GroupNorm(2, 4, {.channels_first = true}));
  same(Upsample(2, {.mode = ResizeMode::kLinear}), Upsample(2, {.mode = ResizeMode::kLinear, .channels_first = true}));
  same(PixelShuffle(2), PixelShuffle(2, true));
  same(Pad2d(PerAxis{1, 2}, {.mode = PadMode::kReflect}),
       Pad2d(PerAxis{1, 2}, {.mode = PadMode::kReflect, .channels_first = true}));
  const SqueezeExcite gate(4, 2);
  SqueezeExcite gate_first(4, 2, true);
  gate_first.reduce = gate.reduce;
  gate_first.expand = gate.expand;
  same(gate, gate_first);
}

TEST(Pictures, ZeroPicturesGiveZeroResults) {
  EXPECT_EQ(MaxPool2d(2)(zeros({0, 4, 4, 3})).evaluate().shape(), (Shape{0, 2, 2, 3}));
  EXPECT_EQ(AvgPool2d(2)(zeros({0, 4, 4, 3})).evaluate().shape(), (Shape{0, 2, 2, 3}));
  EXPECT_EQ(GlobalAvgPool()(zeros({0, 4, 4, 3})).evaluate().shape(), (Shape{0, 3}));
  EXPECT_EQ(GroupNorm(1, 3)(zeros({0, 4, 4, 3})).evaluate().shape(), (Shape{0, 4, 4, 3}));
  EXPECT_EQ(BatchNorm2d(3)(zeros({0, 4, 4, 3})).evaluate().shape(), (Shape{0, 4, 4, 3}));
  EXPECT_EQ(Upsample(2)(zeros({0, 4, 4, 3})).evaluate().shape(), (Shape{0, 8, 8, 3}));
}

/// Gradients of each example by vmap are those of one example after the other.
TEST(Pictures, GradientsOfEachExample) {
  const Array x = astype(numbers({3, 2, 4, 4, 2}), float64);
  const auto check = [&](AnyLayer layer) {
    astype(layer, float64);
    set_mode(layer, Mode::kTraining);
    const Arrays own = parameters(layer), kept = buffers(layer);
    const Function gradient = [&](const Arrays& a) {
      const auto loss = [&](const Arrays& b) {
        const Swap swap(layer, own, kept);
        return sum(square(layer(b[0])) * reshape(arange(4.0, 8.0, 1.0, float64), {1, 4, 1, 1}));
      };
      return grad(loss)(a);
    };
    const Array together = vmap(gradient)({x})[0];
    Arrays apart;
    for (const Array& one : unstack(x)) apart.push_back(gradient({one})[0]);
    expect_near(together, stack(apart), std::string(layer.ref().type()), 1e-12);
  };
  check(BatchNorm2d(2));
  check(GroupNorm(1, 2));
  check(InstanceNorm(2));
  check(RMSNorm(2));
}

TEST(BatchNorm, KeepsItsDigitsFarFromZero) {
  // A pivot far from the mean of all: the first sixteenth differs from the others.
  const Array x = numbers({32, 4, 4, 3}) + 1000;
  const Array start = concat({zeros({2, 4, 4, 3}), x});
  for (const Array& batch : {x, start}) {
    BatchNorm2d layer(3);
    BatchNorm2d exact(3);
    set_mode(layer, Mode::kTraining);
    set_mode(exact, Mode::kTraining);
    astype(exact, float64);
    expect_near(layer(batch), exact(astype(batch, float64)), "value", 2e-4);
    expect_near(layer.running_variance.value, exact.running_variance.value, "variance", 1e-5);
  }
  BatchNorm2d layer(3);
  set_mode(layer, Mode::kTraining);
  const Array same = layer(full({4, 3, 3, 3}, 1e9));
  for (float v : floats(same)) EXPECT_TRUE(std::isfinite(v));
}

TEST(BatchNorm, IsFoldedIntoTheLayersBeforeIt) {
  Sequential network{Conv2d(2, 4, 3, {.padding = 1, .bias = false}),
                     BatchNorm2d(4),
                     ReLU(),
                     MaxPool2d(2),
                     BatchNorm2d(4),  // behind no convolution
                     Conv2d(4, 3, 1),
                     BatchNorm2d(3, {.affine = false}),
                     Flatten(),
                     Linear(12, 5),
                     BatchNorm1d(5)};
  for (std::size_t i : {1, 4, 6}) {
    const Ref layer = network[i].ref();
    for (NamedArray& buffer : named_buffers(layer)) {
      set_arrays(network[i], {{buffer.name, random::uniform(random::key(i), buffer.value.shape(), 0.5, 2)}}, true);
    }
  }
  const Array x = numbers({3, 4, 4, 2});
  const Array before = network(x).evaluate();
  EXPECT_EQ(fold_batch_norm(network, x), 3);
  expect_near(network(x), before, "folded", 1e-5);
  EXPECT_EQ(fold_batch_norm(network, x), 0);
  EXPECT_EQ(named_buffers(network).size(), 2u);
  // It is saved and built as any other.
  Sequential again = build_sequential(describe(network));
  std::vector<NamedArray> arrays = named_parameters(network);
  for (const NamedArray& buffer : named_buffers(network)) arrays.push_back(buffer);
  set_arrays(again, arrays);
  EXPECT_EQ(floats(again(x)), floats(network(x)));
  set_mode(network, Mode::kTraining);
  EXPECT_EQ(
      message_of([&] {
        network[1](zeros({1, 2, 2, 4}));
      }),
      "BatchNorm2d: it was joined with the layer before it by fold_batch_norm, and cannot be trained (layer '1')");
}

TEST(Pictures, DropWholeChannelsAndExamples) {
  const Array x = ones({8, 5, 6, 16});
  const Context context(random::key(3));
  const auto sums = [&](const Array& y, const Axes& axes) { return floats(mean(y, axes)); };
  int dropped = 0;
  for (float v : sums(Dropout2d(0.5)(x), {1, 2})) {
    EXPECT_TRUE(v == 0 || v == 2) << v;
    dropped += v == 0;
  }
  EXPECT_NEAR(dropped, 64, 25);
  for (float v : sums(StochasticDepth(0.5)(x), {1, 2, 3})) EXPECT_TRUE(v == 0 || v == 2) << v;
  const Context evaluation = Context::evaluation();
  EXPECT_EQ(floats(Dropout2d(0.5)(x)), floats(x));
}

TEST(WeightNorm, StartsUnchangedAndKeepsTheNorm) {
  Linear linear(6, 3);
  const Array x = numbers({4, 6});
  const Array before = linear(x).evaluate();
  WeightNorm layer{linear};
  expect_near(layer(x), before, "unchanged", 1e-6);
  initialize(layer, random::key(5));
  const Array fresh = layer.layer(x);
  expect_near(layer(x), fresh, "after initialize", 1e-6);
}

TEST(SpectralNorm, BringsTheLargestSingularValueToOne) {
  Linear linear(3, 3, {.bias = false});
  linear.weight.value = Array{{3, 0, 0}, {0, 1, 0}, {0, 0, 0.5}};
  SpectralNorm layer(linear, 30);
  set_mode(layer, Mode::kTraining);
  expect_near(layer(eye(3)), Array{{1, 0, 0}, {0, 1.0 / 3, 0}, {0, 0, 0.5 / 3}}, "weight over sigma", 1e-5);
}

TEST(Dice, IsOneLessTheOverlap) {
  const loss::Dice exact{.smooth = 0, .reduction = loss::Reduction::kNone};
  // Two positions, two classes: half of class 0 is found, class 1 is found whole.
  const Array target = {{{1, 0}, {1, 1}}}, prediction = {{{1, 0}, {0, 1}}};
  expect_near(exact(prediction, target), Array{{1 - 2.0 / 3, 0}}, "dice", 1e-6);
  expect_near(loss::dice(prediction, target), Array((1 - 3.0 / 4) / 2), "mean, smooth", 1e-6);
  const loss::Dice logits{.from_logits = true};
  const Array x = numbers({2, 3, 4, 2});
  expect_near(logits(x, ones({2, 3, 4, 2})), loss::dice(sigmoid(x), ones({2, 3, 4, 2})), "logits", 1e-6);
  EXPECT_PRED2(contains, message_of([&] { loss::dice(zeros({2, 2}), zeros({2, 2})); }), "(n, spatial..., classes)");
  EXPECT_PRED2(contains, message_of([&] { loss::Dice{.smooth = -1}(x, x); }), "smooth -1 must not be negative");
}

TEST(Pictures, WrongUseIsNamed) {
  const Array x = zeros({2, 4, 4, 3});
  const auto expect_message = [](const auto& f, const std::string& text) {
    const std::string message = message_of(f);
    EXPECT_NE(message.find(text), std::string::npos) << message << "\nlacks: " << text;
  };
  expect_message(
      [&] {
        MaxPool2d layer(5);
        layer(x);
      },
      "a kernel of [5, 5] (dilation [1, 1]) is larger than the picture");
  expect_message(
      [&] {
        MaxPool2d layer(5);
        layer(x);
      },
      "(layer 'MaxPool2d')");
  expect_message([&] { MaxPool2d(2, {.stride = 0}); }, "MaxPool2d: stride 0 must be at least 1");
  expect_message([&] { MaxPool2d(2, {.padding = -1}); }, "MaxPool2d: padding -1 must be at least 0");
  expect_message([&] { MaxPool2d(PerAxis{2, 2, 2}); }, "names 3 axes; give one number, or 2");
  expect_message(
      [&] {
        MaxPool2d layer(2);
        layer(zeros({4, 4, 3}));
      },
      "it must be (n, spatial..., channels) with 2");
  expect_message([&] { AdaptiveAvgPool2d(0); }, "AdaptiveAvgPool2d: size 0 must be at least 1");
  expect_message([&] { GroupNorm(2, 3); }, "GroupNorm: 2 groups must divide the 3 channels");
  expect_message(
      [&] {
        GroupNorm layer(2, 4);
        layer(x);
      },
      "with 4 channels");
  expect_message(
      [&] {
        BatchNorm2d layer(4);
        layer(x);
      },
      "BatchNorm2d: x has shape [2, 4, 4, 3]");
  expect_message([&] { BatchNorm2d(0); }, "must have positive sizes only");
  expect_message([&] { BatchNorm2d(1, {.momentum = 2}); }, "momentum 2 must be between 0 and 1");
  expect_message(
      [&] {
        BatchNorm2d layer(3);
        train(layer);
        layer(zeros({0, 4, 4, 3}));
      },
      "training needs at least two values");
  expect_message(
      [&] {
        InstanceNorm layer(3);
        layer(zeros({2, 0, 4, 3}));
      },
      "which has no positions");
  expect_message(
      [&] {
        RMSNorm layer(4);
        layer(x);
      },
      "which does not end with [4]");
  expect_message([&] { Pad2d(-1); }, "Pad2d: width -1 must be at least 0");
  expect_message([&] { Upsample(0); }, "Upsample: scale [0] must be positive");
  expect_message([&] { resize(x, {1}); }, "resize: x has shape [2, 4, 4, 3]");
  expect_message([&] { resize(x, {0, 2}); }, "sizes [0, 2] must be positive");
  expect_message(
      [&] {
        PixelShuffle layer(2);
        layer(x);
      },
      "3 channels are no multiple of 2^2");
  expect_message(
      [&] {
        PixelUnshuffle layer(3);
        layer(x);
      },
      "must be multiples of 3");
  expect_message([&] { PixelShuffle(0); }, "the factor 0 must be positive");
  expect_message([&] { Dropout2d(1.0); }, "the probability 1 must be at least 0 and less than 1");
  expect_message(
      [&] {
        StochasticDepth layer(0.5);
        train(layer);
        layer(x);
      },
      "make an nn::Context with a key");
  expect_message(
      [&] {
        GLU layer;
        layer(x);
      },
      "axis -1 must exist and have an even size");
  expect_message([&] { WeightNorm{ReLU()}; }, "has no parameter 'weight' of two axes or more");
  expect_message([&] { SpectralNorm(Linear(2, 2), 0); }, "there must be at least one");
}

}  // namespace
}  // namespace pellucid::nn
