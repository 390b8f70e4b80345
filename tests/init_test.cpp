// Initial values: moments and ranges by statistics, orthogonality, errors.
//
// A mean of n independent values is within 5 standard errors but once in 1.7 million; keys are fixed, so a test either
// always passes or never.
#include "pellucid/init.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "pellucid/ops.h"
#include "pellucid/transform.h"
#include "support/message.h"

namespace pellucid::init {
namespace {

constexpr std::int64_t kRows = 200, kColumns = 300;

struct Moments {
  double mean, variance, low, high;
};

Moments moments(const Initializer& initializer, const Shape& shape = {kRows, kColumns}) {
  const auto values = initializer(random::key(11), shape, float64).to_vector<double>();
  const double n = static_cast<double>(values.size());
  double mean = 0, square = 0;
  for (double v : values) mean += v / n;
  for (double v : values) square += (v - mean) * (v - mean) / n;
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  return {mean, square, *low, *high};
}

/// `kurtosis` is that of the distribution: the variance's standard error is variance sqrt((kurtosis - 1) / n).
void expect_moments(const Moments& m, double mean, double variance, double kurtosis, double n = kRows * kColumns) {
  EXPECT_NEAR(m.mean, mean, 5 * std::sqrt(variance / n));
  EXPECT_NEAR(m.variance, variance, 5 * variance * std::sqrt((kurtosis - 1) / n));
}

constexpr double kUniform = 1.8, kNormal = 3;  // kurtosis

void expect_uniform(const Initializer& initializer, double variance, const Shape& shape = {kRows, kColumns}) {
  const Moments m = moments(initializer, shape);
  const double bound = std::sqrt(3 * variance);
  double n = 1;
  for (auto size : shape) n *= static_cast<double>(size);
  expect_moments(m, 0, variance, kUniform, n);
  EXPECT_GE(m.low, -bound);
  EXPECT_LT(m.high, bound);
  EXPECT_LT(m.low, -0.99 * bound);
  EXPECT_GT(m.high, 0.99 * bound);
}

void expect_normal(const Initializer& initializer, double variance, const Shape& shape = {kRows, kColumns}) {
  double n = 1;
  for (auto size : shape) n *= static_cast<double>(size);
  const Moments m = moments(initializer, shape);
  expect_moments(m, 0, variance, kNormal, n);
  EXPECT_LT(m.low, -3.5 * std::sqrt(variance));
  EXPECT_GT(m.high, 3.5 * std::sqrt(variance));
}

TEST(Init, Constants) {
  const random::Key key = random::key(0);
  EXPECT_EQ(zeros()(key, {2}, float32).to_vector<float>(), (std::vector<float>{0, 0}));
  EXPECT_EQ(ones()(key, {2}, float64).to_vector<double>(), (std::vector<double>{1, 1}));
  EXPECT_EQ(constant(0.1)(key, {2}, float64).to_vector<double>(), (std::vector<double>{0.1, 0.1}));
  EXPECT_EQ(constant(0.1)(key, {2, 3}, float32).shape(), (Shape{2, 3}));
}

TEST(Init, Uniform) {
  expect_uniform(uniform(), 0.05 * 0.05 / 3);
  const Moments m = moments(uniform(1, 3));
  expect_moments(m, 2, 4.0 / 12, kUniform);
  EXPECT_GE(m.low, 1);
  EXPECT_LT(m.high, 3);
}

TEST(Init, Normal) {
  expect_normal(normal(), 0.05 * 0.05);
  expect_moments(moments(normal(2, 3)), 2, 9, kNormal);
}

TEST(Init, TruncatedNormal) {
  // Of the standard normal on [-2, 2]: variance 1 - 4 phi(2) / (2 Phi(2) - 1) = 0.7737413, kurtosis about 2.4.
  const Moments m = moments(truncated_normal(1, 0.5));
  expect_moments(m, 1, 0.25 * 0.7737413, 2.4);
  EXPECT_GE(m.low, 0);
  EXPECT_LE(m.high, 2);
}

TEST(Init, XavierHeAndLeCun) {
  const double both = kRows + kColumns;
  expect_uniform(xavier_uniform(), 2 / both);
  expect_uniform(xavier_uniform(5.0 / 3), 25.0 / 9 * 2 / both);
  expect_normal(xavier_normal(), 2 / both);
  expect_uniform(he_uniform(), 2.0 / kRows);
  expect_normal(he_normal(), 2.0 / kRows);
  expect_uniform(he_uniform(Fan::kOut), 2.0 / kColumns);
  expect_normal(he_normal(Fan::kOut, gain(Nonlinearity::kLeakyReLU, 0.2)), 2 / 1.04 / kColumns);
  expect_uniform(lecun_uniform(), 1.0 / kRows);
  expect_normal(lecun_normal(), 1.0 / kRows);
}

TEST(Init, FansCountWindows) {
  const Fans vector = fans({7}), matrix = fans({3, 5}), window = fans({2, 4, 3, 5});
  EXPECT_EQ(vector.in, 7);
  EXPECT_EQ(vector.out, 7);
  EXPECT_EQ(matrix.in, 3);
  EXPECT_EQ(matrix.out, 5);
  EXPECT_EQ(window.in, 24);
  EXPECT_EQ(window.out, 40);
  expect_normal(he_normal(), 2.0 / 450, {3, 3, 50, 100});
}

TEST(Init, Gains) {
  EXPECT_EQ(gain(Nonlinearity::kLinear), 1);
  EXPECT_EQ(gain(Nonlinearity::kSigmoid), 1);
  EXPECT_EQ(gain(Nonlinearity::kTanh), 5.0 / 3);
  EXPECT_EQ(gain(Nonlinearity::kReLU), std::sqrt(2.0));
  EXPECT_EQ(gain(Nonlinearity::kLeakyReLU, 1), 1);
  EXPECT_EQ(gain(Nonlinearity::kSELU), 0.75);
}

/// The largest difference of Q^T Q (or Q Q^T) from `scale` times the identity.
double distance_from_orthogonal(const Array& q, double scale) {
  const Array flat = reshape(astype(q, float64), {-1, q.size(-1)});
  const bool tall = flat.size(0) >= flat.size(1);
  const Array product = tall ? matmul(transpose(flat), flat) : matmul(flat, transpose(flat));
  return max(abs(product - eye(product.size(0), -1, float64) * scale)).item<double>();
}

TEST(Init, Orthogonal) {
  for (const Shape& shape : {Shape{1, 1}, Shape{5, 5}, Shape{40, 7}, Shape{7, 40}, Shape{3, 3, 8, 16}, Shape{64, 64}}) {
    EXPECT_LT(distance_from_orthogonal(orthogonal()(random::key(3), shape, float64), 1), 1e-14) << to_string(shape);
    EXPECT_LT(distance_from_orthogonal(orthogonal(2)(random::key(3), shape, float32), 4), 1e-6) << to_string(shape);
  }
  EXPECT_EQ(orthogonal()(random::key(3), {3, 3, 8, 16}, float32).shape(), (Shape{3, 3, 8, 16}));
  EXPECT_NEAR(moments(orthogonal()).variance, 1.0 / kColumns, 1e-4);
}

TEST(Init, IsDeterminedByTheKey) {
  for (const Initializer& f : {uniform(), normal(), truncated_normal(), xavier_uniform(), he_normal(), orthogonal()}) {
    const auto draw = [&](std::uint64_t seed) { return f(random::key(seed), {4, 4}, float32).to_vector<float>(); };
    EXPECT_EQ(draw(5), draw(5));
    EXPECT_NE(draw(5), draw(6));
  }
}

TEST(InitError, SettingsHaveRanges) {
  EXPECT_PRED2(contains, message_of([] { uniform(1, 1); }), "low 1 must be less than high 1");
  EXPECT_PRED2(contains, message_of([] { normal(0, -1); }), "standard deviation -1 must not be negative");
  EXPECT_PRED2(contains, message_of([] { truncated_normal(0, -1); }), "standard deviation -1 must not be negative");
  EXPECT_PRED2(contains, message_of([] { truncated_normal(0, 1, 2, 1); }), "low 2 must be less than high 1");
  EXPECT_PRED2(contains, message_of([] { xavier_uniform(NAN); }), "gain nan must be finite");
  EXPECT_PRED2(contains, message_of([] { orthogonal(INFINITY); }), "gain inf must be finite");
}

TEST(InitError, ShapesNeedAxes) {
  const random::Key key = random::key(0);
  EXPECT_PRED2(contains, message_of([&] { he_normal()(key, {}, float32); }), "a scalar has no fan-in");
  EXPECT_PRED2(contains, message_of([&] { orthogonal()(key, {3}, float32); }), "less than two axes");
}

TEST(InitError, OrthogonalNeedsTheKeysValue) {
  auto f = compile([](const Array& key) { return orthogonal()(key, {3, 3}, float32); });
  EXPECT_NE(message_of([&] { f({random::key(0)}); }), "no error");
}

}  // namespace
}  // namespace pellucid::init
