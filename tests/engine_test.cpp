// The path of a computation end to end: evaluation, gradients, transforms, compiled steps.
#include <gtest/gtest.h>

#include <pthread.h>

#include <cmath>

#include "pellucid/ops.h"
#include "pellucid/random.h"
#include "pellucid/transform.h"
#include "support/message.h"

namespace pellucid {
namespace {

std::vector<double> values(const Array& x) { return x.to_vector<double>(); }

TEST(Engine, EvaluatesElementwiseGroupsAndReductions) {
  const Array x = {{1, 2, 3}, {4, 5, 6}};
  EXPECT_EQ(values(x + 1.0), (std::vector<double>{2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(values(sum(x, Axes(1))), (std::vector<double>{6, 15}));
  EXPECT_EQ(values(sum(x, Axes(0))), (std::vector<double>{5, 7, 9}));
  EXPECT_EQ(sum(x * x).item<double>(), 91);
  EXPECT_EQ(values(x * Array({1, 10, 100})), (std::vector<double>{1, 20, 300, 4, 50, 600}));
  EXPECT_EQ(values(transpose(x) + 0.5), (std::vector<double>{1.5, 4.5, 2.5, 5.5, 3.5, 6.5}));
}

TEST(Engine, LongReductionsAndBroadcastsAreRight) {
  const Array x = reshape(astype(arange(600 * 300), float64), {600, 300});
  EXPECT_EQ(sum(x).item<double>(), 179999.0 * 180000 / 2);
  const std::vector<double> columns = values(sum(x, Axes(0)));
  for (int c = 0; c < 300; ++c) EXPECT_EQ(columns[static_cast<std::size_t>(c)], 600.0 * c + 300.0 * 599 * 600 / 2);
  const Array centred = x - mean(x, Axes(1), true);
  EXPECT_EQ(max(abs(sum(centred, Axes(1)))).item<double>(), 0);
  const Array wide = reshape(astype(arange(3 * 70000), float64), {3, 70000});
  const std::vector<double> rows = values(sum(wide + 1, Axes(1)));
  for (int r = 0; r < 3; ++r)
    EXPECT_EQ(rows[static_cast<std::size_t>(r)], 70000.0 * 69999 / 2 + 70000.0 * 70000 * r + 70000);
}

TEST(Engine, SoftmaxRowsSumToOne) {
  const Array x = random::normal(random::key(1), {37, 10}, 0, 1, float64);
  const Array y = exp(x - max(x, Axes(1), true));
  const Array p = y / sum(y, Axes(1), true);
  for (double total : values(sum(p, Axes(1)))) EXPECT_NEAR(total, 1, 1e-12);
}

TEST(Engine, MatmulMatchesSums) {
  const Array a = random::normal(random::key(1), {5, 7}, 0, 1, float64),
              b = random::normal(random::key(2), {7, 3}, 0, 1, float64);
  const std::vector<double> c = values(matmul(a, b)), x = values(a), y = values(b);
  for (std::size_t i = 0; i < 5; ++i) {
    for (std::size_t j = 0; j < 3; ++j) {
      double total = 0;
      for (std::size_t k = 0; k < 7; ++k) total = std::fma(x[i * 7 + k], y[k * 3 + j], total);
      EXPECT_EQ(c[i * 3 + j], total);
    }
  }
}

// A two-layer network in float64, its gradient against central differences.
TEST(Engine, GradientsAgreeWithDifferences) {
  const Array x = random::normal(random::key(1), {4, 2}, 0, 1, float64),
              y = random::normal(random::key(2), {4, 1}, 0, 1, float64);
  const Arrays w = {
      random::normal(random::key(3), {2, 4}, 0, 1, float64), random::normal(random::key(4), {4}, 0, 1, float64),
      random::normal(random::key(5), {4, 1}, 0, 1, float64), random::normal(random::key(6), {1}, 0, 1, float64)};
  const auto loss = [&](const Arrays& p) {
    const Array h = tanh(matmul(x, p[0]) + p[1]);
    return mean(square(matmul(h, p[2]) + p[3] - y));
  };
  const Arrays g = grad(loss)(w);
  for (std::size_t i = 0; i < w.size(); ++i) {
    const Array d = random::normal(random::key(10 + i), w[i].shape(), 0, 1, float64);
    Arrays up = w, down = w;
    up[i] = w[i] + 1e-6 * d;
    down[i] = w[i] - 1e-6 * d;
    const double numeric = (loss(up).item<double>() - loss(down).item<double>()) / 2e-6;
    EXPECT_NEAR(sum(g[i] * d).item<double>(), numeric, 1e-8);
    Arrays tangents(w.size());
    tangents[i] = d;
    EXPECT_NEAR(jvp(loss, w, tangents).tangents[0].item<double>(), sum(g[i] * d).item<double>(), 1e-12);
  }
}

TEST(Engine, SecondDerivativesOfACube) {
  const auto cube = [](const Array& x) { return sum(x * x * x); };
  const auto second = grad([&](const Array& x) { return sum(grad(cube)(x)); });
  EXPECT_EQ(values(second(Array({1, 2, 3}))), (std::vector<double>{6, 12, 18}));
  EXPECT_EQ(values(hessian_product(cube, Array({1, 2}), Array({1, 10}))), (std::vector<double>{6, 120}));
}

TEST(Engine, PerExampleGradientsEqualStackedOnes) {
  const Array w = {1, -2};
  const Array x = {{1, 2}, {3, 4}, {5, 6}};
  const auto loss = [](const Array& p, const Array& row) { return square(sum(p * row)); };
  const Array each = vmap(grad(loss, {.arguments = {0}, .unused = {}, .allow_unused = false, .names = {}}),
                          {std::nullopt, 0})(w, x)[0];
  ASSERT_EQ(each.shape(), (Shape{3, 2}));
  for (int i = 0; i < 3; ++i) {
    const Array one = grad(loss)(w, index(x, {i}))[0];
    EXPECT_EQ(values(index(each, {i})), values(one));
  }
}

TEST(Engine, AnUnusedArgumentIsNamed) {
  const auto f = [](const Arrays& p) { return sum(p[0]); };
  try {
    grad(f, {.arguments = {}, .unused = {}, .allow_unused = false, .names = {"weight", "bias"}})(
        Arrays{ones({2}), ones({3})});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("'bias'"), std::string::npos) << error.what();
  }
}

TEST(Engine, ACompiledStepUpdatesInPlaceAndGivesTheSameBits) {
  const Array x = {{0, 0}, {0, 1}, {1, 0}, {1, 1}};
  const Array y = {{0}, {1}, {1}, {0}};
  Arrays w = {random::normal(random::key(3), {2, 4}), zeros({4}), random::normal(random::key(4), {4, 1}), zeros({1})};
  for (Array& p : w) p.evaluate();
  const auto step = [&](const Arrays& p) {
    const auto [value, g, extra] = value_and_grad([&](const Arrays& q) {
      const Array h = relu(matmul(x, q[0]) + q[1]);
      return mean(square(matmul(h, q[2]) + q[3] - y));
    })(p);
    Arrays next;
    for (std::size_t i = 0; i < p.size(); ++i) next.push_back(p[i] - 0.1 * g[i]);
    next.push_back(value);
    return next;
  };
  Arrays plain = w;
  auto compiled = compile(step);
  Arrays state;
  for (const Array& p : w) state.push_back(p + 0.0);
  for (Array& p : state) p.evaluate();
  for (int i = 0; i < 20; ++i) {
    const double loss = compiled.step(state)[0].item<double>();
    Arrays next = step(plain);
    evaluate(next);
    EXPECT_EQ(next.back().item<double>(), loss);
    next.pop_back();
    plain = next;
  }
  for (std::size_t i = 0; i < w.size(); ++i) EXPECT_EQ(values(plain[i]), values(state[i]));
}

TEST(Engine, ScanAccumulatesAndDifferentiates) {
  const Array x = {1, 2, 3, 4};
  const auto total = [](const Array& xs, const Array& scale) {
    return scan(
               [&](const Arrays& carry, const Arrays& step) {
                 const Array next = carry[0] * scale + step[0];
                 return ScanStep{{next}, {next}};
               },
               {Array::from(std::vector<float>{0}, {})}, {xs})
        .carry[0];
  };
  const Array half = Array::from(std::vector<float>{0.5F}, {});
  EXPECT_EQ(total(x, half).item<double>(), 4 + 1.5 + 0.5 + 0.125);
  const Arrays g = grad(total)(x, half);
  EXPECT_EQ(values(g[0]), (std::vector<double>{0.125, 0.25, 0.5, 1}));
  EXPECT_EQ(g[1].item<double>(), 3 + 2 * 2 * 0.5 + 3 * 0.25);
}

TEST(Engine, ProductsWithZerosHaveRightGradients) {
  const auto f = [](const Array& x) { return prod(x); };
  EXPECT_EQ(values(grad(f)(Array({2, 0, 3}))), (std::vector<double>{0, 6, 0}));
}

TEST(Engine, CustomRulesReplaceDifferentiation) {
  const auto twice =
      custom([](const Arrays& x) { return Arrays{x[0] * 2.0}; },
             {.vjp = [](const Arrays&, const Arrays&, const Arrays& g) { return Arrays{g[0] * 100.0}; }, .batch = {}});
  EXPECT_EQ(values(grad([&](const Array& x) { return sum(twice({x})[0]); })(Array({1, 2}))),
            (std::vector<double>{100, 100}));
}

TEST(Engine, RecomputationGivesTheSameGradient) {
  const auto f = [](const Array& x) { return sum(square(sin(x))); };
  const Array x = {0.1, 0.2, 0.3};
  const Array through = grad(checkpoint(f))(x);
  EXPECT_EQ(values(through), values(grad(f)(x)));
}

TEST(Engine, WholeNumbersKeepAllDigits) {
  constexpr std::int64_t kLarge = (std::int64_t{1} << 62) + 1;  // between two doubles
  EXPECT_EQ(Array(kLarge).item<std::int64_t>(), kLarge);
  EXPECT_EQ((Array::from(std::vector<std::int64_t>{1}) + kLarge).to_vector<std::int64_t>()[0], kLarge + 1);
  EXPECT_EQ(message_of([] { return Array(~std::uint64_t{0}); }),
            "array: 18446744073709551615 is beyond int64, the widest integer type; give it as a floating number");
}

TEST(Engine, AMillionNodesInARow) {
  Array x = Array::from(std::vector<float>{0}, {});
  for (int i = 0; i < 1000000; ++i) x = x + 1;
  EXPECT_EQ(x.item<double>(), 1000000);
}

// Nothing recurses along a graph: on a stack of 256 KB a chain of 20,000 operations goes through every transform.
TEST(Engine, LongChainsNeedNoStack) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  ASSERT_EQ(pthread_attr_setstacksize(&attributes, 256 * 1024), 0);
  pthread_t thread;
  const auto body = [](void*) -> void* {
    const auto chain = [](const Array& x) {
      Array y = x;
      for (int i = 0; i < 10000; ++i) y = y * 1.0001 + 0.5;
      return y * x;
    };
    const Array x = Array::from(std::vector<double>{2}, {});
    const double slope = std::pow(1.0001, 10000), expected = 4 * slope + 5000 * (slope - 1);
    const auto derivative = grad(chain);
    EXPECT_NEAR(derivative({x})[0].item<double>(), expected, 1e-9 * expected);
    EXPECT_NEAR(
        jvp([&](const Arrays& a) { return Arrays{chain(a[0])}; }, {x}, {ones_like(x)}).tangents[0].item<double>(),
        expected, 1e-9 * expected);
    EXPECT_NEAR(compile([&](const Arrays& a) { return derivative(a); })({x})[0].item<double>(), expected,
                1e-9 * expected);
    EXPECT_NEAR(grad([&](const Array& a) { return derivative({a})[0]; })({x})[0].item<double>(), 2 * slope,
                1e-9 * slope);
    EXPECT_EQ(vmap([&](const Arrays& a) {
                return Arrays{checkpoint([&](const Arrays& b) { return Arrays{chain(b[0])}; })({a[0]})[0]};
              })({ones({2}, float64)})[0]
                  .shape(),
              (Shape{2}));
    return nullptr;
  };
  ASSERT_EQ(pthread_create(&thread, &attributes, body, nullptr), 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
}

}  // namespace
}  // namespace pellucid
