// Layers for tables: FeatureScale, NTKLinear, NumberEmbedding, CategoryEmbedding, Ensemble, Intervals.
#include "pellucid/nn_table.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "ops/waves.h"
#include "pellucid/loss.h"
#include "pellucid/ops.h"
#include "pellucid/optim.h"
#include "pellucid/random.h"
#include "support/message.h"

namespace pellucid::nn {
namespace {

Array draw(std::uint64_t seed, const Shape& shape) { return random::normal(random::key(seed), shape).evaluate(); }

std::vector<float> numbers_of(const Array& x) { return x.to_vector<float>(); }

void expect_near(const Array& got, const Array& expected, double most) {
  ASSERT_EQ(got.shape(), expected.shape());
  EXPECT_LE(max(abs(got - expected)).item<double>(), most);
}

Ensemble small_ensemble(std::int64_t members, EnsembleMean mean = EnsembleMean::kProbabilities, double dropout = 0) {
  std::vector<AnyLayer> body;
  body.emplace_back(NumberEmbedding(4, {0, 2}, {.frequencies = 5}));
  body.emplace_back(FeatureScale(10));
  body.emplace_back(NTKLinear(10, 7));
  body.emplace_back(SELU());
  if (dropout > 0) body.emplace_back(Dropout(dropout));
  body.emplace_back(NTKLinear(7, 3));
  Ensemble ensemble(members, mean, std::move(body));
  initialize(ensemble, random::key(5));
  return ensemble;
}

TEST(TableLayers, NumbersAreEmbeddedWithTheSameBitsInTrainingAndInEvaluation) {
  for (const DType dtype : {float32, float64}) {
    for (const std::int64_t frequencies : {1, 16, 64, 65}) {
      for (const std::int64_t outputs : {1, 3, 7}) {
        NumberEmbedding embedding(5, {4, 0, 2}, {.frequencies = frequencies, .outputs = outputs, .dtype = dtype});
        initialize(embedding, random::key(3));
        const Array x = astype(100 * draw(2, {203, 5}), dtype).evaluate();
        const Array evaluated = embedding(x).evaluate();
        const Context training(random::key(1));
        expect_near(embedding(x), evaluated, 0);
      }
    }
  }
}

TEST(TableLayers, AreTheirFormulas) {
  const Array x = draw(1, {6, 4});
  FeatureScale scale(4);
  scale.weight.value = Array::from(std::vector<float>{1, 2, 3, 4});
  expect_near(scale(x), x * scale.weight, 0);

  NTKLinear linear(4, 3);
  initialize(linear, random::key(2));
  expect_near(linear(x), matmul(x, linear.weight) / 2.0 + linear.bias, 1e-6);
  EXPECT_EQ(numbers_of(NTKLinear(4, 3, {.stddev = 0})(x)), std::vector<float>(18, 0));

  NumberEmbedding embedding(4, {3, 1}, {.frequencies = 5, .outputs = 2});
  const Array y = embedding(x);
  ASSERT_EQ(y.shape(), (Shape{6, 8}));
  expect_near(slice(y, 1, 0, 4), x, 0);
  const auto values = numbers_of(x), made = numbers_of(y);
  const auto f = numbers_of(embedding.frequency), p = numbers_of(embedding.phase), w = numbers_of(embedding.weight),
             b = numbers_of(embedding.bias);
  for (std::size_t row = 0; row < 6; ++row) {
    for (std::size_t n = 0; n < 2; ++n) {
      const double number = values[row * 4 + (n == 0 ? 3 : 1)];
      for (std::size_t out = 0; out < 2; ++out) {
        double sum = b[n * 2 + out];
        for (std::size_t k = 0; k < 5; ++k) {
          sum += std::cos(2 * std::numbers::pi * (number * f[n * 5 + k] + p[n * 5 + k])) * w[(n * 5 + k) * 2 + out];
        }
        EXPECT_NEAR(made[row * 8 + 4 + n * 2 + out], sum, 1e-5);
      }
    }
  }

  CategoryEmbedding categories(6, {1, 4}, {2, 2}, {.outputs = 3});
  initialize(categories, random::key(5));
  const Array one_hot = Array::from(std::vector<float>{7, 0, 1, 8, 0, 0, 9, 1, 0, -1, 0, 1}, {2, 6});
  const Array placed = categories(one_hot), nothing = zeros({1, 3});
  ASSERT_EQ(placed.shape(), (Shape{2, 8}));
  ASSERT_EQ(categories.width(), 8);
  const auto vector = [&](std::int64_t i) { return slice(categories.vectors, 0, i, i + 1); };
  const auto single = [](float value) { return Array::from(std::vector<float>{value}, {1, 1}); };
  expect_near(slice(placed, 0, 0, 1), concat({single(7), vector(1), single(8), nothing}, 1), 0);
  expect_near(slice(placed, 0, 1, 2), concat({single(9), vector(0), single(-1), vector(3)}, 1), 0);

  Intervals intervals;
  intervals.margin.update(Array::from(std::vector<float>{1}));
  EXPECT_EQ(numbers_of(intervals(Array::from(std::vector<float>{5, 4, 6, 5, 7, 3}, {2, 3}))),
            (std::vector<float>{5, 3, 7, 5, 5, 5}));
  // Bounds at 3 to the middle; members' lie 2 about the lower one, and at one place at the upper.
  const Array spread = intervals(Array::from(std::vector<float>{5, 3, 7, 9, 4, 0}, {1, 6}));
  const double low = 5 - 3 / std::sqrt(1 + std::pow(1.644854 * 2 / 3, 2));
  expect_near(spread, Array::from(std::vector<double>{5, low, 8}, {1, 3}), 1e-6);
  // No width, and bounds that cross: the value.
  const Array none = intervals(Array::from(std::vector<float>{5, 6, 4, 0, 0, 0, 5, 9, 3, 1, 1, 1}, {2, 6}));
  EXPECT_EQ(numbers_of(none), (std::vector<float>{5, 5, 5, 5, 5, 6}));
}

TEST(Ensemble, IsItsMembersSideBySide) {
  const Ensemble ensemble = small_ensemble(3);
  const Array x = draw(3, {9, 4}), own = draw(4, {3, 9, 4});
  const Array each = ensemble.each(x), apart = ensemble.apart(own);
  Array probabilities;
  for (std::int64_t m = 0; m < 3; ++m) {
    const Sequential alone = ensemble.member(m);
    EXPECT_EQ(numbers_of(reshape(slice(each, 0, m, m + 1), {9, 3})), numbers_of(alone(x)));
    EXPECT_EQ(numbers_of(reshape(slice(apart, 0, m, m + 1), {9, 3})),
              numbers_of(alone(reshape(slice(own, 0, m, m + 1), {9, 4}))));
    probabilities = m == 0 ? softmax(alone(x)) : probabilities + softmax(alone(x));
  }
  expect_near(softmax(ensemble(x)), probabilities / 3.0, 1e-6);
  const Array all = small_ensemble(3, EnsembleMean::kScoresAndVariance)(x), scores = mean(each, {0});
  expect_near(all, concat({scores, mean(square(each - scores), {0})}, 1), 1e-6);
  EXPECT_NE(numbers_of(ensemble.member(0)(x)), numbers_of(ensemble.member(1)(x)));
}

// Trains three members as one graph, and each alone, on the same batches.
TEST(Ensemble, LearnsAsItsMembersDoAlone) {
  Ensemble together = small_ensemble(3);
  std::vector<Sequential> alone;
  for (std::int64_t m = 0; m < 3; ++m) alone.push_back(together.member(m));
  const Array x = draw(6, {3, 16, 4}), y = random::integers(random::key(7), {3, 16}, 0, 3).evaluate();
  const auto train = [](auto& module, const Function& loss) {
    Arrays state = parameters(module);
    const std::size_t count = state.size();
    const optim::Optimizer optimizer = optim::AdamW{.learning_rate = 0.03};
    auto step = compile(optim::training_step(loss, optimizer, count));
    for (const Array& s : optimizer.init(state)) state.push_back(s);
    for (int i = 0; i < 20; ++i) step.step(state);
    set_parameters(module, Arrays(state.begin(), state.begin() + static_cast<std::ptrdiff_t>(count)));
  };
  const Function all = [&](const Arrays& in) {
    const Swap swap(together, in, buffers(together));
    return Arrays{loss::cross_entropy(reshape(together.apart(x), {48, 3}), reshape(y, {48})) * 3.0};
  };
  train(together, all);
  const Array rows = draw(8, {5, 4});
  for (std::int64_t m = 0; m < 3; ++m) {
    Sequential& one = alone[static_cast<std::size_t>(m)];
    const Array own_x = reshape(slice(x, 0, m, m + 1), {16, 4}), own_y = reshape(slice(y, 0, m, m + 1), {16});
    train(one, [&](const Arrays& in) {
      const Swap swap(one, in, {});
      return Arrays{loss::cross_entropy(one(own_x), own_y)};
    });
    expect_near(together.member(m)(rows), one(rows), 2e-4);
  }
}

TEST(Ensemble, MembersDropValuesByKeysOfTheirOwn) {
  const Ensemble ensemble = small_ensemble(2, EnsembleMean::kProbabilities, 0.5);
  Ensemble twins = ensemble;
  Arrays same;
  for (const Array& value : parameters(twins)) {
    const Array first = slice(value, 0, 0, 1);
    same.push_back(concat({first, first}).evaluate());
  }
  set_parameters(twins, same);
  const Array x = draw(9, {8, 4});
  const Array still = twins.each(x);
  EXPECT_EQ(numbers_of(slice(still, 0, 0, 1)), numbers_of(slice(still, 0, 1, 2)));
  const Context context(random::key(1));
  const Array moving = twins.each(x);
  EXPECT_NE(numbers_of(slice(moving, 0, 0, 1)), numbers_of(slice(moving, 0, 1, 2)));
}

TEST(Ensemble, ComesBackFromItsDescription) {
  Sequential network;
  network.push_back(small_ensemble(3));
  const Description description = description_from_json(to_json(describe(network)));
  EXPECT_EQ(description, describe(network));
  Sequential built = build_sequential(description);
  const std::vector<NamedArray> arrays = named_parameters(network);
  EXPECT_EQ(arrays.front().name, "0.0.frequency");
  EXPECT_EQ(arrays.back().value.shape(), (Shape{3, 3}));
  set_arrays(built, arrays, true);
  const Array x = draw(10, {4, 4});
  EXPECT_EQ(numbers_of(built(x)), numbers_of(network(x)));
}

TEST(Blend, IsTheWeightedMeanOfItsParts) {
  const Array x = draw(11, {5, 4});
  for (const EnsembleMean mean : {EnsembleMean::kScores, EnsembleMean::kProbabilities}) {
    const Ensemble first = small_ensemble(2), second = small_ensemble(3);
    Sequential network;
    network.push_back(Blend(mean, {first, second}));
    Blend& blend = *network[0].as<Blend>();
    blend.weights.update(Array::from(std::vector<float>{0.25, 0.75}));
    blend.temperature.update(Array(2.0F));
    const bool scores = mean == EnsembleMean::kScores;
    const Array a = first(x), b = second(x);
    const Array expected = scores ? a * 0.25 + b * 0.75 : log(softmax(a) * 0.25 + softmax(b) * 0.75) * 2.0;
    expect_near(network(x), expected, 1e-5);

    const Description description = description_from_json(to_json(describe(network)));
    EXPECT_EQ(description, describe(network));
    Sequential built = build_sequential(description);
    set_arrays(built, named_parameters(network), true);
    set_arrays(built, named_buffers(network), true);
    EXPECT_EQ(numbers_of(built(x)), numbers_of(network(x)));
  }
}

TEST(Blend, VariancesHaveWeightsOfTheirOwn) {
  const Array x = draw(11, {5, 4});
  Ensemble parts[] = {small_ensemble(2, EnsembleMean::kScoresAndVariance),
                      small_ensemble(3, EnsembleMean::kScoresAndVariance)};
  const Array a = parts[0](x), b = parts[1](x);
  const auto halves = [](const Array& y, int i) { return slice(y, 1, 3 * i, 3 * i + 3); };
  Blend blend(EnsembleMean::kScoresAndVariance, {parts[0], parts[1]});
  expect_near(blend(x), concat({(halves(a, 0) + halves(b, 0)) / 2.0, (halves(a, 1) + halves(b, 1)) / 4.0}, 1), 1e-6);
  blend.variance_weights.update(Array::from(std::vector<float>{0.5, 2}));
  expect_near(halves(blend(x), 1), halves(a, 1) * 0.5 + halves(b, 1) * 2.0, 1e-6);
}

TEST(TableLayers, WhatDoesNotFit) {
  const auto refused = [](auto f, const std::string& message) { EXPECT_PRED2(contains, message_of(f), message); };
  refused([] { FeatureScale(0); }, "FeatureScale: 0 features; there must be at least one");
  refused([] { NTKLinear(0, 3); }, "NTKLinear: sizes 0 and 3 must be positive");
  refused([] { NTKLinear(2, 3, {.stddev = -1}); }, "NTKLinear: stddev -1 must not be below 0");
  refused([] { CategoryEmbedding(6, {1}, {}); },
          "CategoryEmbedding: 1 firsts and 0 counts; give one of each for every group");
  refused(
      [] {
        CategoryEmbedding(6, {1, 2}, {2, 1});
      },
      "CategoryEmbedding: the group of 1 from 2 must lie behind those before it and within 6 features");
  refused([] { CategoryEmbedding(6, {3}, {4}); }, "CategoryEmbedding: the group of 4 from 3 must lie behind");
  refused([] { CategoryEmbedding(6, {3}, {1}, {.outputs = 0}); }, "CategoryEmbedding: outputs 0 must be positive");
  refused(
      [] {
        ops::weighted_waves(zeros({2, 9}), zeros({3, 4}), zeros({3, 4}), zeros({3, 4, 1}), zeros({3, 1}));
      },
      "weighted_waves: x [2, 9], frequency [3, 4], phase [3, 4], weight [3, 4, 1] and bias [3, 1]: not (c, r), (n, "
      "w), (n, w), (n, w, o) and (n, o) with n a multiple of c and at most 64 waves");
  refused([] { NumberEmbedding(3, {}); }, "NumberEmbedding: there are no numbers to embed; leave the layer out");
  refused([] { NumberEmbedding(3, {0, 3}); }, "NumberEmbedding: the positions [0, 3] must be distinct and below 3");
  refused([] { NumberEmbedding(3, {1, 1}); }, "NumberEmbedding: the positions [1, 1] must be distinct");
  refused([] { NumberEmbedding(3, {1}, {.sigma = 0}); },
          "NumberEmbedding: frequencies 16, outputs 3 and sigma 0 must be positive");
  refused([] { FeatureScale(3)(zeros({2, 4})); }, "x has shape [2, 4], and its last axis must have 3 features");
  refused(
      [] {
        Intervals()(zeros({2, 2}));
      },
      "Intervals: x has shape [2, 2], and must be [rows, 3]: a value and its bounds, or [rows, 6]: their variances "
      "too");
  refused([] { Ensemble(0, EnsembleMean::kScores, {}); }, "Ensemble: 0 members; there must be at least one");
  refused([] { Ensemble(2, EnsembleMean::kScores, {}); }, "Ensemble: there are no layers for the members");
  refused([] { Ensemble(2, EnsembleMean::kScores, {BatchNorm1d(3)}); },
          "is a buffer, which members cannot have; take layers with parameters alone");
  const Ensemble ensemble = small_ensemble(2);
  refused([&] { ensemble.each(zeros({4})); }, "x has shape [4], and must be [rows, features]");
  refused([&] { ensemble.apart(zeros({3, 2, 4})); }, "x has shape [3, 2, 4], and must be [2, rows, features]");
  refused([&] { ensemble.member(2); }, "Ensemble: no member 2; there are 2");
  refused([] { Blend(EnsembleMean::kScores, {}); }, "Blend: there are no layers to blend");
  refused(
      [] {
        Blend(EnsembleMean::kScores, {NTKLinear(4, 2), NTKLinear(4, 3)})(zeros({1, 4}));
      },
      "layer 1 gives [1, 3], and layer 0 [1, 2]; give layers of one shape of output");
  refused([] { build(description_from_json(R"({"type": "Ensemble", "members": 2, "mean": "best", "layers": []})")); },
          "nn::build: Ensemble: 'mean' is 'best'; it may be scores, probabilities or scores_and_variance");
}

}  // namespace
}  // namespace pellucid::nn
