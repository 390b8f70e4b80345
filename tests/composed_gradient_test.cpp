// Derivatives of composed operations: against finite differences, and at the points where a naive composition fails.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "pellucid/ops.h"
#include "pellucid/random.h"
#include "pellucid/transform.h"

namespace pellucid {
namespace {

using F = std::function<Array(const Array&)>;

// The derivative of sum(f(x) * weights) along a fixed direction, by reverse mode and by central differences.
void expect_gradient(const char* name, const F& f, const Shape& shape) {
  SCOPED_TRACE(name);
  const Array x = random::uniform(random::key(1), shape, -2, 2, float64);
  const Array direction = random::uniform(random::key(2), shape, -1, 1, float64);
  const Array weights = random::uniform(random::key(3), f(x).shape(), -1, 1, float64);
  const auto loss = [&](const Array& at) { return sum(f(at) * weights); };
  const Array gradient = grad(loss)(x);
  const double reverse = sum(gradient * direction).item<double>();
  const double h = 1e-5;
  const double difference = (loss(x + h * direction).item<double>() - loss(x - h * direction).item<double>()) / (2 * h);
  EXPECT_NEAR(reverse, difference, 1e-8 * std::max(1.0, std::abs(difference)));
}

TEST(ComposedGradient, EqualsFiniteDifferences) {
  const Shape s{3, 4};
  expect_gradient(
      "elu", [](const Array& x) { return elu(x, 1.5); }, s);
  expect_gradient("selu", selu, s);
  expect_gradient("linear over permuted rows",
                  [](const Array& x) {
                    return linear(permute(x, {1, 0, 2}), reshape(arange(6.0), {3, 2}), Array{1, 2});
                  },
                  {2, 4, 3});
  expect_gradient(
      "celu", [](const Array& x) { return celu(x, 2); }, s);
  expect_gradient("softsign", softsign, s);
  expect_gradient("hardswish", hardswish, s);
  expect_gradient("hardsigmoid", hardsigmoid, s);
  expect_gradient(
      "leaky_relu", [](const Array& x) { return leaky_relu(x, 0.2); }, s);
  expect_gradient(
      "clip", [](const Array& x) { return clip(x, -1, 0.7); }, s);
  for (int axis : {0, 1}) {
    expect_gradient(
        "softmax", [=](const Array& x) { return softmax(x, axis); }, s);
    expect_gradient(
        "log_softmax", [=](const Array& x) { return log_softmax(x, axis); }, s);
    expect_gradient(
        "logsumexp", [=](const Array& x) { return logsumexp(x, axis); }, s);
    expect_gradient(
        "mean", [=](const Array& x) { return mean(x, axis); }, s);
    expect_gradient(
        "var", [=](const Array& x) { return var(x, axis, 1); }, s);
    expect_gradient(
        "std", [=](const Array& x) { return std(x, axis); }, s);
    for (double p : {0.5, 1.0, 2.0, 3.0, std::numeric_limits<double>::infinity()}) {
      expect_gradient(
          "norm", [=](const Array& x) { return norm(x, axis, p); }, s);
    }
    expect_gradient(
        "sort", [=](const Array& x) { return sort(x, axis); }, s);
    expect_gradient(
        "topk", [=](const Array& x) { return topk(x, 2, axis).values; }, s);
    expect_gradient(
        "roll", [=](const Array& x) { return roll(x, 1, axis); }, s);
    expect_gradient(
        "repeat", [=](const Array& x) { return repeat(x, 2, axis); }, s);
  }
  expect_gradient(
      "pad",
      [](const Array& x) {
        return pad(x, {{1, 0}, {2, 1}});
      },
      s);
  expect_gradient(
      "pad",
      [](const Array& x) {
        return pad(x, {{1, 0}, {2, 1}}, 3);
      },
      s);
  expect_gradient(
      "tile",
      [](const Array& x) {
        return tile(x, {2, 2});
      },
      s);
  expect_gradient(
      "flip", [](const Array& x) { return flip(x); }, s);
  expect_gradient(
      "tril", [](const Array& x) { return tril(x); }, s);
  expect_gradient(
      "diag", [](const Array& x) { return diag(x); }, s);
  expect_gradient("diag", [](const Array& x) { return diag(x); }, {4});
  expect_gradient(
      "index",
      [](const Array& x) {
        return index(x, {1, Slice{std::nullopt, std::nullopt, -2}});
      },
      s);
  expect_gradient(
      "einsum",
      [](const Array& x) {
        return einsum("ij,kj->ki", {x, x});
      },
      s);
  expect_gradient(
      "einsum",
      [](const Array& x) {
        return einsum("ij,ij->j", {x, square(x)});
      },
      s);
  expect_gradient(
      "einsum",
      [](const Array& x) {
        return einsum("iij->j", {reshape(x, {2, 2, 3})});
      },
      s);
  const Array rows = Array::from(std::vector<std::int64_t>{2, 0, 2}),
              columns = Array::from(std::vector<std::int64_t>{1, -1, 1});
  expect_gradient(
      "gather",
      [&](const Array& x) {
        return gather(x, {rows, columns});
      },
      s);
  expect_gradient(
      "normal",
      [](const Array& x) {
        return random::normal(random::key(5), {3, 4}, x, 2, float64);
      },
      s);
  expect_gradient(
      "uniform",
      [](const Array& x) {
        return random::uniform(random::key(5), {3, 4}, x, 9, float64);
      },
      s);
}

double slope(const F& f, double x) {
  return grad([&](const Array& at) { return sum(f(at)); })(Array::from(std::vector<double>{x})).to_vector<double>()[0];
}

TEST(ComposedGradient, IsRightAtCornersAndFarAway) {
  const auto unit = [](const Array& x) { return elu(x); };
  EXPECT_EQ(slope(unit, 0), 1);
  EXPECT_EQ(slope(unit, 1000), 1);  // exp(1000) is infinite
  EXPECT_EQ(slope(unit, -1000), 0);
  EXPECT_EQ(slope(selu, 1000), 1.0507009873554804934);
  EXPECT_EQ(slope([](const Array& x) { return celu(x, 2); }, 1000), 1);
  EXPECT_EQ(slope(relu6, 0), 0);
  EXPECT_EQ(slope(relu6, 6), 0);
  EXPECT_EQ(slope(relu6, 3), 1);
  EXPECT_EQ(slope(softsign, 0), 1);
  EXPECT_EQ(slope([](const Array& x) { return clip(x, 1, 2); }, 1), 1);
  EXPECT_EQ(slope([](const Array& x) { return clip(x, 1, 2); }, 2), 1);
  EXPECT_EQ(slope([](const Array& x) { return clip(x, 1, 2); }, 3), 0);
  for (double p : {0.5, 1.0, 2.0, 3.0}) EXPECT_EQ(slope([=](const Array& x) { return norm(x, {}, p); }, 0), 0) << p;
  EXPECT_EQ(slope([](const Array& x) { return std(x); }, 5), 0);
  const auto far = grad([](const Array& x) { return logsumexp(x); })(Array{1000, 0, -1000}).to_vector<float>();
  EXPECT_EQ(far, (std::vector<float>{1, 0, 0}));
}

}  // namespace
}  // namespace pellucid
