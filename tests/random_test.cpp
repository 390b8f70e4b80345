// Random arrays: fixed bits, and distributions held to bounds that a wrong generator does not meet. Draws are fixed by
// their keys, so these tests either always pass or never.
#include "pellucid/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>

#include "ops/record.h"
#include "pellucid/ops.h"

namespace pellucid {
namespace {

namespace r = random;
const double kInfinity = std::numeric_limits<double>::infinity();

double normal_below(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }

// The Kolmogorov-Smirnov statistic times sqrt(n): above 2.2 with probability 1e-4 under the right distribution.
template <class F>
double kolmogorov(std::vector<double> x, F below) {
  std::sort(x.begin(), x.end());
  const auto n = static_cast<double>(x.size());
  double worst = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double p = below(x[i]), at = static_cast<double>(i);
    worst = std::max({worst, (at + 1) / n - p, p - at / n});
  }
  return worst * std::sqrt(n);
}

// (chi-square - degrees) / sqrt(2 degrees): about normal, so beyond 5 practically never.
double chi_square(const std::vector<double>& seen, const std::vector<double>& expected) {
  double sum = 0;
  for (std::size_t i = 0; i < seen.size(); ++i) sum += (seen[i] - expected[i]) * (seen[i] - expected[i]) / expected[i];
  const auto degrees = static_cast<double>(seen.size() - 1);
  return (sum - degrees) / std::sqrt(2 * degrees);
}

std::vector<double> counts(const Array& x, std::size_t bins, std::int64_t low = 0) {
  std::vector<double> seen(bins, 0);
  for (std::int64_t value : x.to_vector<std::int64_t>()) seen.at(static_cast<std::size_t>(value - low)) += 1;
  return seen;
}

TEST(Random, KnownAnswers) {
  const auto file = nlohmann::json::parse(std::ifstream(PELLUCID_SOURCE_DIR "/tests/reference/ops.json"));
  const auto& known = file["random"];
  const r::Key key = r::key(known["seed"].get<std::uint64_t>());
  EXPECT_EQ(r::bits(key, {11}).to_vector<std::int32_t>(), known["bits"].get<std::vector<std::int32_t>>());
  EXPECT_EQ(r::fold_in(key, 5).to_vector<std::int64_t>()[1], known["fold_5_stream"].get<std::int64_t>());
  EXPECT_EQ(r::uniform(key, {8}).to_vector<double>(), known["uniform"].get<std::vector<double>>());
  EXPECT_EQ(r::uniform(key, {4}, 0, 1, float64).to_vector<double>(), known["uniform64"].get<std::vector<double>>());
  EXPECT_EQ(r::integers(key, {4}, 0, 10).to_vector<std::int64_t>(),
            known["integers_10"].get<std::vector<std::int64_t>>());
  const auto normal = r::normal(key, {4}, 0, 1, float64).to_vector<double>();
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(normal[i], known["normal64"][i].get<double>(), 4e-15);
}

TEST(Random, KeysDiffer) {
  const r::Key key = r::key(3);
  std::vector<std::vector<std::int64_t>> seen{key.to_vector<std::int64_t>()};
  for (const r::Key& k : r::split(key, 3)) seen.push_back(k.to_vector<std::int64_t>());
  for (int i : {0, 1, 2, -1}) seen.push_back(r::fold_in(key, i).to_vector<std::int64_t>());
  seen.push_back(r::key(4).to_vector<std::int64_t>());
  std::sort(seen.begin(), seen.end());
  EXPECT_EQ(std::adjacent_find(seen.begin(), seen.end()), seen.end());
  EXPECT_EQ(r::bits(key, {5}).to_vector<std::int32_t>(), r::bits(r::key(3), {5}).to_vector<std::int32_t>());
}

// Beyond one piece of the parallel kernel.
TEST(Random, ElementsDependOnTheirNumberAlone) {
  const auto all = r::bits(r::key(5), {100003}).to_vector<std::int32_t>();
  const auto some = r::bits(r::key(5), {70001}).to_vector<std::int32_t>();
  EXPECT_TRUE(std::equal(some.begin(), some.end(), all.begin()));
}

// The rule by which keys are batched: a stack of keys gives the stack of what each gives.
TEST(Random, StackedKeysGiveStackedResults) {
  const std::vector<r::Key> keys = r::split(r::key(6), 3);
  const Array stacked = stack(keys);
  Attributes attributes;
  attributes.shape = {2, 5};
  const auto all = ops::make(*ops::find_record("random_bits"), {stacked}, attributes).to_vector<std::int32_t>();
  const Array data = Array::from(std::vector<std::int64_t>{7, 8, 9});
  const auto folded = ops::make(*ops::find_record("random_fold"), {stacked, data}).to_vector<std::int64_t>();
  for (std::size_t i = 0; i < 3; ++i) {
    const auto one = r::bits(keys[i], {2, 5}).to_vector<std::int32_t>();
    EXPECT_TRUE(std::equal(one.begin(), one.end(), all.begin() + static_cast<std::ptrdiff_t>(10 * i)));
    EXPECT_EQ(r::fold_in(keys[i], static_cast<std::int64_t>(7 + i)).to_vector<std::int64_t>()[1], folded[2 * i + 1]);
  }
}

TEST(Random, UniformIsUniform) {
  for (DType dtype : {float32, float64}) {
    const Array x = r::uniform(r::key(11), {200000}, 0, 1, dtype);
    EXPECT_LT(kolmogorov(x.to_vector<double>(), [](double v) { return v; }), 2.2);
    const auto bounded = r::uniform(r::key(12), {200000}, 1, 2, dtype).to_vector<double>();
    EXPECT_LT(kolmogorov(bounded, [](double v) { return v - 1; }), 2.2);
    EXPECT_GE(*std::min_element(bounded.begin(), bounded.end()), 1);
    EXPECT_LT(*std::max_element(bounded.begin(), bounded.end()), 2);
  }
  // Rounding to `high` is taken back: here every second draw would round up to it.
  const double next = std::nextafter(1.0F, 2.0F);
  for (float v : r::uniform(r::key(1), {1000}, 1, next).to_vector<float>()) EXPECT_EQ(v, 1);
  EXPECT_EQ(r::uniform(r::key(1), {2}, 3, 3).to_vector<float>(), (std::vector<float>{3, 3}));
  EXPECT_EQ(r::uniform(r::key(1), {0}).size(), 0);
  EXPECT_EQ(r::uniform(r::key(1), {}).rank(), 0);
  EXPECT_EQ(r::uniform(r::key(1), {3, 2}, Array{0, 10}, Array{1, 11}).shape(), (Shape{3, 2}));
}

TEST(Random, NormalIsNormal) {
  for (DType dtype : {float32, float64}) {
    const auto x = r::normal(r::key(21), {200000}, 0, 1, dtype).to_vector<double>();
    EXPECT_LT(kolmogorov(x, normal_below), 2.2);
    double m1 = 0, m2 = 0, m3 = 0, m4 = 0;
    for (double v : x) {
      m1 += v;
      m2 += v * v;
      m3 += v * v * v;
      m4 += v * v * v * v;
    }
    const auto n = static_cast<double>(x.size());
    // Five standard errors of each moment: sqrt(1, 2, 15, 96 / n).
    EXPECT_NEAR(m1 / n, 0, 5 * std::sqrt(1 / n));
    EXPECT_NEAR(m2 / n, 1, 5 * std::sqrt(2 / n));
    EXPECT_NEAR(m3 / n, 0, 5 * std::sqrt(15 / n));
    EXPECT_NEAR(m4 / n, 3, 5 * std::sqrt(96 / n));
  }
  const auto scaled = r::normal(r::key(21), {200000}, 3, 2).to_vector<double>();
  EXPECT_LT(kolmogorov(scaled, [](double v) { return normal_below((v - 3) / 2); }), 2.2);
}

TEST(Random, NormalReachesIntoItsTails) {
  // The outermost draw that the bits allow: 1 - 2^-24 and 1 - 2^-53 under erfinv.
  const double far32 = std::sqrt(2.0) * erfinv(Array(1 - 0x1p-24)).item<double>();
  const double far64 = std::sqrt(2.0) * erfinv(astype(Array(1 - 0x1p-53), float64)).item<double>();
  EXPECT_GT(far32, 5.4);
  EXPECT_GT(far64, 8.2);
  const auto x = r::normal(r::key(22), {4000000}).to_vector<float>();
  const auto beyond = static_cast<double>(std::count_if(x.begin(), x.end(), [](float v) { return std::abs(v) > 4; }));
  const double expected = 4e6 * 2 * normal_below(-4);
  EXPECT_NEAR(beyond, expected, 5 * std::sqrt(expected));
}

TEST(Random, TruncatedNormalFollowsItsDistribution) {
  struct Bounds {
    double low, high;
  };
  for (auto [low, high] :
       {Bounds{-2, 2}, Bounds{-0.1, 0.2}, Bounds{1, kInfinity}, Bounds{-kInfinity, 0.5}, Bounds{3, 4},
        Bounds{10, kInfinity}, Bounds{-8, -7}, Bounds{-6, 6}, Bounds{30, kInfinity}, Bounds{24, 40}}) {
    for (DType dtype : {float32, float64}) {
      SCOPED_TRACE(std::to_string(low) + " to " + std::to_string(high));
      const auto x = r::truncated_normal(r::key(31), {50000}, low, high, dtype).to_vector<double>();
      EXPECT_GE(*std::min_element(x.begin(), x.end()), low);
      EXPECT_LE(*std::max_element(x.begin(), x.end()), high);
      // From the nearer tail, where the probabilities have all their digits.
      const double sign = low > 0 ? -1 : 1;
      const double a = normal_below(sign * low), b = normal_below(sign * high);
      EXPECT_LT(kolmogorov(x, [&](double v) { return (normal_below(sign * v) - a) / (b - a); }), 2.2);
    }
  }
  // Beyond what erfc can express, x - low is about exponential with rate low.
  const auto x = r::truncated_normal(r::key(32), {50000}, 100, kInfinity, float64).to_vector<double>();
  EXPECT_LT(kolmogorov(x,
                       [](double v) {
                         const auto tail = [](double t) {
                           return std::log1p(-1 / (t * t) + 3 / (t * t * t * t)) - std::log(t) - t * t / 2;
                         };
                         return -std::expm1(tail(v) - tail(100));
                       }),
            2.2);
}

TEST(Random, CountsFitTheirProbabilities) {
  const double n = 100000;
  for (double p : {0.0, 0.03, 0.5, 1.0}) {
    const double ones = sum(r::bernoulli(r::key(41), {100000}, p)).item<double>();
    EXPECT_NEAR(ones, n * p, 5 * std::sqrt(n * p * (1 - p)));
  }
  EXPECT_EQ(r::bernoulli(r::key(41), {2, 2}, Array{0, 1}).to_vector<std::int32_t>(),
            (std::vector<std::int32_t>{0, 1, 0, 1}));
  for (DType dtype : {uint8, int32, int64}) {
    const Array x = r::integers(r::key(42), {100000}, 3, 40, dtype);
    EXPECT_EQ(x.dtype(), dtype);
    EXPECT_LT(std::abs(chi_square(counts(x, 37, 3), std::vector<double>(37, n / 37))), 5);
  }
  const Array logits = log(Array{0.1, 0.2, 0.3, 0.4});
  const Array drawn = r::categorical(r::key(43), broadcast_to(logits, {100000, 4}));
  EXPECT_EQ(drawn.shape(), (Shape{100000}));
  EXPECT_LT(std::abs(chi_square(counts(drawn, 4), {0.1 * n, 0.2 * n, 0.3 * n, 0.4 * n})), 5);
  EXPECT_EQ(r::categorical(r::key(1), Array{-kInfinity, 0}).item<std::int64_t>(), 1);
}

TEST(Random, IntegersCoverWideRanges) {
  const std::int64_t least = std::numeric_limits<std::int64_t>::min(), most = std::numeric_limits<std::int64_t>::max();
  for (auto [low, high] : {std::pair{least, most}, std::pair{std::int64_t{0}, std::int64_t{3} << 61},
                           std::pair{std::int64_t{-5}, (std::int64_t{1} << 40) + 12345}}) {
    const auto x = r::integers(r::key(44), {100000}, low, high).to_vector<std::int64_t>();
    std::vector<double> at;
    const double range = static_cast<double>(high) - static_cast<double>(low);
    for (std::int64_t v : x) {
      EXPECT_GE(v, low);
      EXPECT_LT(v, high);
      at.push_back((static_cast<double>(v) - static_cast<double>(low)) / range);
    }
    EXPECT_LT(kolmogorov(at, [](double v) { return v; }), 2.2);
  }
  EXPECT_EQ(r::integers(r::key(1), {3}, 7, 8).to_vector<std::int64_t>(), (std::vector<std::int64_t>{7, 7, 7}));
}

TEST(Random, PermutationsAreUniform) {
  auto x = r::permutation(r::key(51), 1000).to_vector<std::int64_t>();
  EXPECT_FALSE(std::is_sorted(x.begin(), x.end()));
  std::sort(x.begin(), x.end());
  std::vector<std::int64_t> expected(1000);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(x, expected);
  EXPECT_EQ(r::permutation(r::key(51), 0).size(), 0);
  std::vector<double> seen(24, 0);  // the orders of four
  for (int i = 0; i < 12000; ++i) {
    const auto order = r::permutation(r::fold_in(r::key(52), i), 4).to_vector<std::int64_t>();
    std::size_t number = 0;
    for (std::size_t a = 0; a < 4; ++a) {
      std::size_t smaller = 0;
      for (std::size_t b = a + 1; b < 4; ++b) smaller += order[b] < order[a] ? 1 : 0;
      number = number * (4 - a) + smaller;
    }
    seen[number] += 1;
  }
  EXPECT_LT(std::abs(chi_square(seen, std::vector<double>(24, 500))), 5);
}

TEST(Random, GumbelIsGumbel) {
  for (DType dtype : {float32, float64}) {
    const auto x = r::gumbel(r::key(61), {200000}, dtype).to_vector<double>();
    EXPECT_LT(kolmogorov(x, [](double v) { return std::exp(-std::exp(-v)); }), 2.2);
    EXPECT_TRUE(std::all_of(x.begin(), x.end(), [](double v) { return std::isfinite(v); }));
  }
}

}  // namespace
}  // namespace pellucid
