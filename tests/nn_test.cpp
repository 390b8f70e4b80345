// Layers: what they compute, how they behave in training, what they say when called wrongly.
#include "pellucid/nn.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "pellucid/loss.h"
#include "pellucid/ops.h"
#include "pellucid/transform.h"
#include "support/message.h"

namespace pellucid::nn {
namespace {

std::vector<float> floats(const Array& x) { return x.to_vector<float>(); }

/// Within a few units of rounding of numbers of order one.
void expect_close(const Array& actual, const Array& expected, double tolerance = 2e-6) {
  ASSERT_EQ(actual.shape(), expected.shape());
  const auto a = actual.to_vector<double>(), b = expected.to_vector<double>();
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], tolerance) << i;
}

const Array kX = {{1, -2, 3}, {0.5, 0, -1}};

// ---- Plain layers ---------------------------------------------------------------------------------------------------

TEST(Linear, IsXTimesWPlusB) {
  Linear layer(3, 2);
  layer.weight.value = {{1, 2}, {3, 4}, {5, 6}};
  layer.bias.value = {10, 20};
  expect_close(layer(kX), {{20, 32}, {5.5, 15}});
  EXPECT_EQ(layer(zeros({4, 5, 3})).shape(), (Shape{4, 5, 2}));
  EXPECT_EQ(layer(zeros({3})).shape(), (Shape{2}));
  Linear plain(3, 2, {.bias = false});
  plain.weight.value = layer.weight.value;
  expect_close(plain(kX), {{10, 12}, {-4.5, -5}});
  EXPECT_EQ(named_parameters(plain).size(), 1u);
}

TEST(Linear, TakesInitializersAndTypes) {
  const Linear layer(2, 2,
                     {.weight_initializer = init::ones(), .bias_initializer = init::constant(3), .dtype = float64});
  EXPECT_EQ(layer.weight.value.dtype(), float64);
  EXPECT_EQ(floats(layer(ones({1, 2}, float64))), (std::vector<float>{5, 5}));
}

TEST(Layers, EachActivationIsItsFunction) {
  const auto same = [](const AnyLayer& layer, const Array& expected) {
    EXPECT_EQ(floats(layer(kX)), floats(expected));
  };
  same(ReLU(), relu(kX));
  same(ReLU6(), relu6(kX));
  same(LeakyReLU(0.2), leaky_relu(kX, 0.2));
  same(Sigmoid(), sigmoid(kX));
  same(HardSigmoid(), hardsigmoid(kX));
  same(LogSigmoid(), log_sigmoid(kX));
  same(Tanh(), tanh(kX));
  same(Softplus(), softplus(kX));
  same(Softsign(), softsign(kX));
  same(GELU(), gelu(kX));
  same(GELUTanh(), gelu_tanh(kX));
  same(SiLU(), silu(kX));
  same(Mish(), mish(kX));
  same(HardSwish(), hardswish(kX));
  same(ELU(0.5), elu(kX, 0.5));
  same(SELU(), selu(kX));
  same(CELU(0.5), celu(kX, 0.5));
  same(Softmax(0), softmax(kX, 0));
  same(LogSoftmax(), log_softmax(kX));
  same(Identity(), kX);
  same(PReLU(1, 0.5), leaky_relu(kX, 0.5));
}

TEST(PReLU, LearnsASlopeForEachFeature) {
  PReLU layer(3);
  layer.weight.value = {0.5, 0.25, 2};
  EXPECT_EQ(floats(layer(kX)), (std::vector<float>{1, -0.5, 3, 0.5, 0, -2}));
}

TEST(Flatten, JoinsAxes) {
  EXPECT_EQ(Flatten()(zeros({5, 2, 3})).shape(), (Shape{5, 6}));
  EXPECT_EQ(Flatten(-2)(zeros({5, 2, 3})).shape(), (Shape{5, 6}));
  EXPECT_EQ(Flatten(0)(zeros({5, 2, 3})).shape(), (Shape{30}));
  EXPECT_EQ(Flatten()(zeros({5})).shape(), (Shape{5, 1}));
}

TEST(Sequential, RunsLayersAndFunctions) {
  Linear first(3, 2);
  const Sequential net{first, relu, [](const Array& x) { return x * 2; }};
  EXPECT_EQ(floats(net(kX)), floats(relu(first(kX)) * 2));
  EXPECT_EQ(net.size(), 3u);
  EXPECT_NE(net[0].as<Linear>(), nullptr);
  EXPECT_EQ(net[0].as<ReLU>(), nullptr);
  EXPECT_EQ(floats(Sequential()(kX)), floats(kX));
}

TEST(Sequential, CopiesAreApart) {
  Sequential net{Linear(2, 2)};
  Sequential copy = net;
  copy[0].as<Linear>()->bias.value = {5, 5};
  EXPECT_EQ(floats(net[0].as<Linear>()->bias.value), (std::vector<float>{0, 0}));
  net = copy;
  EXPECT_EQ(floats(net[0].as<Linear>()->bias.value), (std::vector<float>{5, 5}));
}

TEST(Residual, AddsItsInput) {
  const Residual block{ReLU()};
  EXPECT_EQ(floats(block(kX)), floats(kX + relu(kX)));
  EXPECT_EQ(named_parameters(Residual(Linear(2, 2), ReLU()))[0].name, "0.weight");
}

// ---- Normalisation --------------------------------------------------------------------------------------------------

TEST(LayerNorm, NormalisesEachExample) {
  LayerNorm layer(3);
  const Array centred = kX - mean(kX, 1, true);
  expect_close(layer(kX), centred / sqrt(var(kX, 1, 0, true) + 1e-5));
  layer.weight.value = {1, 2, 3};
  layer.bias.value = {0.5, 0, -1};
  expect_close(layer(kX), centred / sqrt(var(kX, 1, 0, true) + 1e-5) * layer.weight + layer.bias);
  const Array x = random::normal(random::key(1), {4, 2, 3});
  const LayerNorm wide(Shape{2, 3}, {.epsilon = 1e-3, .affine = false});
  expect_close(wide(x), (x - mean(x, {1, 2}, true)) / sqrt(var(x, {1, 2}, 0, true) + 1e-3));
  EXPECT_TRUE(named_parameters(wide).empty());
}

TEST(BatchNorm1d, TrainsByTheBatchAndEvaluatesByRunningStatistics) {
  BatchNorm1d layer(3);
  const Array x = random::normal(random::key(2), {8, 3}) * 2 + 1;
  expect_close(layer(x), x / std::sqrt(1 + 1e-5));
  {
    const Context training(random::key(0));
    expect_close(layer(x), (x - mean(x, 0)) / sqrt(var(x, 0) + 1e-5));
  }
  expect_close(layer.running_mean, mean(x, 0) * 0.1);
  expect_close(layer.running_variance, var(x, 0, 1) * 0.1 + 0.9);
  const Array y = layer(x);
  expect_close(y, (x - layer.running_mean) / sqrt(layer.running_variance + 1e-5));
  layer(x);
  expect_close(layer.running_mean, mean(x, 0) * 0.1);
}

TEST(BatchNorm1d, JoinsAllAxesButTheLast) {
  BatchNorm1d layer(3, {.momentum = 1, .affine = false});
  const Array x = random::normal(random::key(2), {4, 5, 3});
  const Context training(random::key(0));
  expect_close(layer(x), (x - mean(x, {0, 1})) / sqrt(var(x, {0, 1}) + 1e-5));
  expect_close(layer.running_variance, var(x, {0, 1}, 1));
}

TEST(BatchNorm1d, KeepsItsStatisticsWhereFrozen) {
  Sequential net{BatchNorm1d(3)};
  EXPECT_EQ(freeze(net), 2);
  const Context training(random::key(0));
  net(kX);
  EXPECT_EQ(floats(buffers(net)[0]), (std::vector<float>{0, 0, 0}));
}

TEST(BatchNorm1d, StatisticsComeOutOfACompiledStep) {
  Sequential net{Linear(3, 2), BatchNorm1d(2, {.momentum = 0.5})}, by_hand = net;
  const Function step = functional(net, [&](const Arrays& in) {
    const Context training(random::fold_in(random::key(0), in[1]));
    return Arrays{mean(square(net(in[0])))};
  });
  auto compiled = compile([&](const Arrays& state) {
    const auto [value, gradients, extra] =
        transform::value_and_grad(step, state, {.arguments = {0, 1, 2, 3}, .unused = {1}});
    return Arrays{value, extra[0], extra[1], gradients[0]};
  });
  Arrays state = parameters(net);
  for (const Array& buffer : buffers(net)) state.push_back(buffer);
  state.push_back(kX);
  state.push_back(Array::from(std::vector<std::int64_t>{0}, {}));
  const Arrays out = compiled(state);
  EXPECT_EQ(floats(buffers(net)[0]), (std::vector<float>{0, 0}));  // untouched
  set_buffers(net, {out[1], out[2]});
  {
    const Context training(random::key(0));
    by_hand(kX);
  }
  expect_close(buffers(net)[0], buffers(by_hand)[0], 1e-6);
  expect_close(buffers(net)[1], buffers(by_hand)[1], 1e-6);
}

// ---- Dropout and contexts -------------------------------------------------------------------------------------------

TEST(Dropout, DropsInTrainingOnly) {
  const Dropout layer(0.25);
  const Array x = ones({100, 100});
  EXPECT_EQ(floats(layer(x)), floats(x));
  const Context training(random::key(5));
  const std::vector<float> y = floats(layer(x));
  const double kept = static_cast<double>(std::count(y.begin(), y.end(), 1 / 0.75F)) / 1e4;
  EXPECT_NEAR(kept, 0.75, 5 * std::sqrt(0.75 * 0.25 / 1e4));
  EXPECT_EQ(std::count(y.begin(), y.end(), 0.0F), static_cast<std::ptrdiff_t>(std::lround((1 - kept) * 1e4)));
  EXPECT_NE(floats(layer(x)), y);
  EXPECT_EQ(floats(Dropout(0)(x)), floats(x));
}

TEST(Dropout, IsTheSameForTheSameKey) {
  const Sequential net{Dropout(), Dropout()};
  const auto run = [&](std::uint64_t seed) {
    const Context training(random::key(seed));
    return floats(net(ones({50})));
  };
  EXPECT_EQ(run(1), run(1));
  EXPECT_NE(run(1), run(2));
}

TEST(Dropout, DrawsAnewAtEachCompiledStep) {
  const Dropout layer;
  const auto f = [&](const Array& x, const Array& step) {
    const Context training(random::fold_in(random::key(9), step));
    return layer(x);
  };
  auto compiled = compile(f);
  const Array x = ones({64});
  std::vector<std::vector<float>> seen;
  for (std::int64_t step = 0; step < 3; ++step) {
    const Array at = Array::from(std::vector<std::int64_t>{step}, {});
    seen.push_back(floats(compiled({x, at})[0]));
    EXPECT_EQ(seen.back(), floats(f(x, at)));
  }
  EXPECT_EQ(compiled.signatures(), 1u);
  EXPECT_NE(seen[0], seen[1]);
  EXPECT_NE(seen[1], seen[2]);
}

TEST(Dropout, GradientIsTheMask) {
  const Dropout layer;
  const auto f = [&](const Array& x) {
    const Context training(random::key(4));
    return sum(layer(x));
  };
  const Context training(random::key(4));
  EXPECT_EQ(floats(grad(f)(ones({64}))), floats(layer(ones({64}))));
}

TEST(Context, TheInnermostCounts) {
  EXPECT_FALSE(Context::training());
  const Context training(random::key(0));
  EXPECT_TRUE(Context::training());
  {
    const Context inner = Context::evaluation();
    EXPECT_FALSE(Context::training());
  }
  EXPECT_TRUE(Context::training());
}

TEST(Mode, PinsLayers) {
  Sequential net{Dropout(), BatchNorm1d(2)};
  eval(net);
  const Array x = {{1, 2}, {3, 4}};
  {
    const Context training(random::key(0));
    net(x);
    EXPECT_EQ(floats(buffers(net)[0]), (std::vector<float>{0, 0}));
  }
  train(net);
  Sequential norm{*net[1].as<BatchNorm1d>()};
  norm(x);
  EXPECT_EQ(floats(buffers(norm)[0]), (std::vector<float>{0.2F, 0.3F}));
  EXPECT_PRED2(contains, message_of([&] { net(x); }), "Dropout: training needs random numbers");
  set_mode(net, Mode::kAutomatic);
  EXPECT_EQ(message_of([&] { net(x); }), "no error");
}

// ---- Errors ---------------------------------------------------------------------------------------------------------

TEST(LayerError, SettingsHaveRanges) {
  EXPECT_PRED2(contains, message_of([] { Linear(0, 3); }), "Linear: sizes 0 and 3 must be positive");
  EXPECT_PRED2(contains, message_of([] { Dropout(1); }), "the probability 1 must be at least 0 and less than 1");
  EXPECT_PRED2(contains, message_of([] { BatchNorm1d(-1); }), "the shape [-1] must have positive sizes");
  EXPECT_PRED2(contains, message_of([] { BatchNorm1d(2, {.momentum = 2}); }), "momentum 2 must be between 0 and 1");
  EXPECT_PRED2(contains, message_of([] { LayerNorm(Shape{}); }), "must have at least one axis");
  EXPECT_PRED2(contains, message_of([] { LayerNorm(3, {.epsilon = 0}); }), "epsilon 0 must be positive");
  EXPECT_PRED2(contains, message_of([] { PReLU(0); }), "PReLU: 0 features");
}

struct Block : Module {
  Linear inner{4, 4};
  Array operator()(const Array& x) const { return inner(x); }
};
struct Net : Module {
  Linear hidden{3, 4};
  Sequential encoder{ReLU(), Linear(5, 4)};
  Block block;
  Array operator()(const Array& x) { return encoder(hidden(x)); }
};

TEST(LayerError, NamesTheLayersPath) {
  EXPECT_EQ(message_of([] {
              Linear(3, 2)(zeros({2, 4}));
            }),
            "Linear: x has shape [2, 4], and its last axis must have 3 features (layer 'Linear')");
  Sequential net{Linear(2, 4), ReLU(), Linear(3, 1)};
  EXPECT_EQ(message_of([&] {
              net(zeros({5, 2}));
            }),
            "Linear: x has shape [5, 4], and its last axis must have 3 features (layer '2')");
  Net own;
  assign_paths(own);
  EXPECT_PRED2(contains, message_of([&] { own(zeros({5, 3})); }), "(layer 'encoder.1')");
  EXPECT_PRED2(contains, message_of([&] { own.block(zeros({5, 3})); }), "(layer 'block.inner')");
  Sequential nested{Net()};
  EXPECT_PRED2(contains, message_of([&] { nested(zeros({5, 2})); }), "(layer '0')");
  assign_paths(nested);
  EXPECT_PRED2(contains, message_of([&] { nested(zeros({5, 2})); }), "(layer '0.hidden')");
  EXPECT_EQ(LayerScope::path(), "");
}

TEST(LayerError, OperationsInsideALayerNameItToo) {
  Sequential net{[](const Array& x) { return matmul(x, zeros({7, 7})); }};
  EXPECT_PRED2(contains, message_of([&] { net(zeros({5, 2})); }), "(layer '0')");
}

TEST(LayerError, InputsHaveShapes) {
  EXPECT_PRED2(contains, message_of([] { LayerNorm(3)(zeros({2, 4})); }), "does not end with [3]");
  EXPECT_PRED2(contains, message_of([] { BatchNorm1d(3)(zeros({2, 4})); }), "must have 3 features");
  EXPECT_PRED2(contains, message_of([] { PReLU(3)(zeros({2, 4})); }), "must have 3 features");
  EXPECT_PRED2(contains, message_of([] { Flatten(3)(zeros({2, 4})); }), "which has no axis 3");
  EXPECT_PRED2(contains, message_of([] {
                 Residual(Linear(4, 2))(zeros({2, 4}));
               }),
               "[2, 4] into [2, 2]; they must keep it");
  EXPECT_PRED2(contains, message_of([] { Sequential()[0]; }), "no layer 0; there are 0");
  const Context training(random::key(0));
  EXPECT_PRED2(contains, message_of([] { BatchNorm1d(3)(zeros({1, 3})); }), "at least two values of each feature");
}

TEST(ContextError, NeedsAKey) {
  EXPECT_PRED2(contains, message_of([] { const Context none{random::Key()}; }), "the key is an undefined Array");
  EXPECT_PRED2(contains, message_of([] { Context::next_key(); }), "no nn::Context with a key");
}

}  // namespace
}  // namespace pellucid::nn
