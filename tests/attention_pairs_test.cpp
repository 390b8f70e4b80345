// Attention by products of pairs of bfloat16: its error, the same bits for any number of threads, pieces and of rounded
// operands, what nobody asks for, and its derivatives.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <limits>

#include "kernels/attention.h"
#include "kernels/contract_bf16.h"
#include "pellucid/ops.h"
#include "pellucid/ops_attention.h"
#include "pellucid/precision.h"
#include "pellucid/random.h"
#include "pellucid/threads.h"
#include "pellucid/transform.h"
#include "support/attention_reference.h"

namespace pellucid {
namespace {

using laws::AttentionSizes;
using laws::Expected;
using laws::Real;
using laws::Tensor;

struct Setting {
  const char* name;
  AttentionSizes n;
};

const std::vector<Setting>& settings() {
  static const std::vector<Setting> list = {
      {"one block", {.b = 1, .t = 16, .s = 16, .h = 1, .g = 1, .d = 16, .e = 16}},
      {"causal", {.b = 4, .t = 130, .s = 130, .h = 2, .g = 2, .d = 64, .e = 64, .causal = true}},
      {"few heads", {.b = 1, .t = 205, .s = 205, .h = 1, .g = 1, .d = 24, .e = 17, .causal = true}},
      {"grouped", {.b = 3, .t = 61, .s = 75, .h = 6, .g = 3, .d = 17, .e = 40, .causal = true}},
      {"few groups", {.b = 1, .t = 100, .s = 100, .h = 6, .g = 2, .d = 33, .e = 32, .causal = true}},
      {"more keys", {.b = 1, .t = 19, .s = 301, .h = 2, .g = 1, .d = 31, .e = 16, .causal = true}},
      {"queries without keys", {.b = 2, .t = 70, .s = 21, .h = 4, .g = 4, .d = 16, .e = 70, .causal = true}},
      {"mask", {.b = 3, .t = 61, .s = 75, .h = 4, .g = 4, .d = 20, .e = 33, .causal = false, .mask = {1, 4, 61, 75}}},
      {"mask repeated",
       {.b = 2, .t = 33, .s = 131, .h = 2, .g = 1, .d = 48, .e = 16, .causal = true, .mask = {2, 1, 33, 1}}},
  };
  return list;
}

Attributes attributes_of(const AttentionSizes& n) {
  Attributes attributes;
  attributes.flag = n.causal;
  attributes.real = static_cast<double>(laws::kAttentionScale);
  return attributes;
}

/// q, k, v, g and perhaps the mask.
Arrays draw(const AttentionSizes& n) {
  std::uint64_t seed = 1;
  const auto normal = [&](const Shape& shape) { return random::normal(random::key(seed++), shape).evaluate(); };
  Arrays x = {normal({n.b, n.t, n.h, n.d}), normal({n.b, n.s, n.g, n.d}), normal({n.b, n.s, n.g, n.e}),
              normal({n.b, n.t, n.h, n.e})};
  if (!n.mask.empty()) x.push_back(normal(n.mask));
  return x;
}

Array narrow(const Array& x) { return astype(astype(x, bfloat16), float32).evaluate(); }
Arrays narrow(Arrays x) {
  for (std::size_t i = 0; i < 4; ++i) x[i] = narrow(x[i]);
  return x;
}
std::vector<float> bits(const Array& x) { return x.to_vector<float>(); }

/// The result, the log-sum-exp, and the cotangents of q, k and v.
Arrays all_of(const AttentionSizes& n, const Arrays& x) {
  const bool masked = x.size() > 4;
  Arrays operands(x.begin(), x.begin() + 3);
  if (masked) operands.push_back(x[4]);
  Arrays y = laws::node_of("attention", attributes_of(n))(operands);
  operands = {x[0], x[1], x[2], y[0], y[1], x[3]};
  if (masked) operands.push_back(x[4]);
  const Arrays back = laws::node_of("attention_gradient", attributes_of(n))(operands);
  y.insert(y.end(), back.begin(), back.end());
  return y;
}
Arrays pairs_of(const AttentionSizes& n, const Arrays& x) {
  const PrecisionScope scope(Precision::kBFloat16);
  Arrays y = all_of(n, x);
  for (Array& a : y) a = a.evaluate();
  return y;
}

/// The same by the definition, for operands in float32.
std::vector<Expected> exact(const AttentionSizes& n, const Arrays& x, Real weights) {
  std::vector<Tensor> operands;
  for (const Array& a : x) operands.push_back(laws::to_tensor(a));
  const std::vector<Expected> back = laws::attention_gradient_reference(n, operands, weights);
  operands.erase(operands.begin() + 3);
  std::vector<Expected> y = laws::attention_reference(n, operands, weights);
  y.insert(y.end(), back.begin(), back.end());
  return y;
}

constexpr const char* kNames[] = {"out", "log-sum-exp", "dq", "dk", "dv"};

class AttentionPairs : public testing::Test {
 protected:
  void SetUp() override {
    if (kernels::bf16_way() != kernels::Bf16Way::kDot) GTEST_SKIP() << "no dot products of pairs here";
  }
};

// Beside float32's own errors each weight, and each cotangent of a score, is rounded once where it is multiplied.
TEST_F(AttentionPairs, AreWithinTheRoundingOfWeightsOfTheDefinition) {
  for (const Setting& s : settings()) {
    const Arrays x = draw(s.n), got = pairs_of(s.n, x);
    const std::vector<Expected> expected = exact(s.n, narrow(x), 0x1p-8L);
    for (std::size_t i = 0; i < got.size(); ++i) {
      EXPECT_EQ(laws::compare(expected[i], got[i]), "") << s.name << " " << kNames[i];
    }
  }
}

// A product of two rounded factors has twice the variance of one of which one is rounded: where weights are multiplied
// the other factor is an operand. So the error is at most sqrt(2) times that of rounding the operands alone, in the
// mean.
TEST_F(AttentionPairs, AreAlmostAsExactAsRoundedOperands) {
  for (const Setting& s : settings()) {
    const Arrays x = draw(s.n), got = pairs_of(s.n, x);
    const std::vector<Expected> wide = exact(s.n, x, 0), rounded = exact(s.n, narrow(x), 0);
    for (std::size_t i = 0; i < got.size(); ++i) {
      const Tensor y = laws::to_tensor(got[i]);
      Real error = 0, least = 0;
      for (std::size_t j = 0; j < y.values.size(); ++j) {
        const Real is = wide[i].y.values[j];
        if (is == -INFINITY) continue;
        error += (y.values[j] - is) * (y.values[j] - is);
        least += (rounded[i].y.values[j] - is) * (rounded[i].y.values[j] - is);
      }
      const double ratio = static_cast<double>(sqrtl(error / least));
      EXPECT_LE(ratio, std::sqrt(2)) << s.name << " " << kNames[i];
      std::printf("pairs %-22s %-12s error %.2f times that of rounded operands\n", s.name, kNames[i], ratio);
    }
  }
}

TEST_F(AttentionPairs, HaveTheSameBitsOnAnyNumberOfThreadsAndOfRoundedOperands) {
  const int before = threads();
  for (const Setting& s : settings()) {
    const Arrays x = draw(s.n);
    set_threads(1);
    const Arrays expected = pairs_of(s.n, x), rounded = pairs_of(s.n, narrow(x));
    for (const int count : {2, 3, 7}) {
      set_threads(count);
      const Arrays got = pairs_of(s.n, x);
      for (std::size_t i = 0; i < got.size(); ++i) {
        EXPECT_EQ(bits(got[i]), bits(expected[i])) << s.name << " " << kNames[i] << " on " << count;
      }
    }
    for (std::size_t i = 0; i < rounded.size(); ++i) {
      EXPECT_EQ(bits(rounded[i]), bits(expected[i])) << s.name << " " << kNames[i] << " rounded";
    }
  }
  set_threads(before);
}

// With few pairs of batch and group, queries and keys are pieces of their own; with many, one piece does all.
TEST_F(AttentionPairs, OfManyExamplesHaveTheBitsOfEachAlone) {
  const AttentionSizes many = {.b = 5, .t = 205, .s = 230, .h = 4, .g = 2, .d = 40, .e = 24, .causal = true};
  AttentionSizes one = many;
  one.b = 1;
  const Arrays x = draw(many), together = pairs_of(many, x);
  for (std::int64_t e = 0; e < many.b; ++e) {
    Arrays alone;
    for (const Array& a : x) alone.push_back(slice(a, 0, e, e + 1).evaluate());
    const Arrays got = pairs_of(one, alone);
    for (std::size_t i = 0; i < got.size(); ++i) {
      EXPECT_EQ(bits(got[i]), bits(slice(together[i], 0, e, e + 1))) << kNames[i] << " of " << e;
    }
  }
}

TEST_F(AttentionPairs, GiveTheSameWhereNotAllIsAskedFor) {
  for (const Setting& s : settings()) {
    const Arrays x = draw(s.n), expected = pairs_of(s.n, x);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      auto one = compile([&](const Arrays& in) {
        const PrecisionScope scope(Precision::kBFloat16);
        return Arrays{all_of(s.n, in)[i]};
      });
      EXPECT_EQ(bits(one(x)[0]), bits(expected[i])) << s.name << " " << kNames[i];
      const std::string plan = one.explain_plan();
      EXPECT_EQ(plan.find("round_bfloat16"), std::string::npos) << plan;
    }
  }
}

TEST_F(AttentionPairs, MasksMeanTheSameAsBoolAndAsNumbers) {
  const AttentionSizes n = {.b = 2, .t = 70, .s = 70, .h = 4, .g = 2, .d = 16, .e = 16};
  const Arrays x = draw(n);
  const PrecisionScope scope(Precision::kBFloat16);
  const Array seen = arange(70) <= reshape(arange(70), {70, 1});
  const Array numbers = where(seen, 0.0, -std::numeric_limits<double>::infinity());
  const std::vector<float> causal = bits(scaled_dot_product_attention(x[0], x[1], x[2], {.causal = true}));
  EXPECT_EQ(bits(scaled_dot_product_attention(x[0], x[1], x[2], {.mask = seen})), causal);
  EXPECT_EQ(bits(scaled_dot_product_attention(x[0], x[1], x[2], {.mask = numbers})), causal);
}

TEST_F(AttentionPairs, NanOfAKeyReachesEveryQueryThatSeesItAndLargeScoresDoNotOverflow) {
  const AttentionSizes n = {.b = 1, .t = 40, .s = 40, .h = 1, .g = 1, .d = 16, .e = 16, .causal = true};
  const Arrays x = draw(n);
  std::vector<float> keys = bits(x[1]);
  keys[21 * 16 + 3] = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> y = bits(pairs_of(n, {x[0], Array::from(keys, {1, 40, 1, 16}), x[2], x[3]})[0]);
  for (std::size_t i = 0; i < y.size(); ++i) EXPECT_EQ(std::isnan(y[i]), i >= 21 * 16) << i;
  for (const Array& a : pairs_of(n, {(x[0] * 1e4).evaluate(), (x[1] * 1e4).evaluate(), x[2], x[3]})) {
    for (const float value : bits(a)) EXPECT_TRUE(std::isfinite(value));
  }
}

/// Root mean square of a - b over that of b.
double distance(const Array& a, const Array& b) {
  const Array wide = astype(b, float64);
  return std::sqrt((sum(square(astype(a, float64) - wide)) / sum(square(wide))).item<double>());
}

TEST_F(AttentionPairs, AreDifferentiatedTwiceAndInBatches) {
  const AttentionSizes n = {.b = 3, .t = 40, .s = 40, .h = 2, .g = 1, .d = 16, .e = 16};
  const Arrays all = draw(n), x(all.begin(), all.begin() + 3);
  const auto loss = [](const Arrays& in) {
    return Arrays{sum(square(scaled_dot_product_attention(in[0], in[1], in[2], {.causal = true})))};
  };
  const auto narrowed = with_precision(Precision::kBFloat16, loss);
  const Arrays directions = {all[3], x[2], x[1]};
  const Arrays wide = hessian_product(loss, x, directions), got = hessian_product(narrowed, x, directions);
  // Six roundings, of 2^-8 / sqrt(3) in the mean, lie on the longest way from an operand to a result.
  for (std::size_t i = 0; i < 3; ++i) EXPECT_LE(distance(got[i], wide[i]), 6 * 0x1p-8 / std::sqrt(3)) << i;

  const auto gradients = [&](const Arrays& in) { return grad(narrowed, {.arguments = {0, 1, 2}})(in); };
  const Arrays together = vmap([&](const Arrays& in) { return gradients(in); })(x);
  for (std::int64_t e = 0; e < n.b; ++e) {
    const Arrays alone = gradients({index(x[0], {e}), index(x[1], {e}), index(x[2], {e})});
    for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(bits(index(together[i], {e})), bits(alone[i])) << i << " of " << e;
  }
}

TEST(AttentionRounds, OnlyWhereAskedForAndLargeEnough) {
  kernels::AttentionShape s;
  s.batch = s.heads = s.groups = 1;
  s.queries = s.keys = s.width = s.value_width = 16;
  EXPECT_FALSE(kernels::rounds_itself(s));
  s.rounded = true;
  EXPECT_EQ(kernels::rounds_itself(s), kernels::bf16_way() == kernels::Bf16Way::kDot);
  s.queries = 15;
  EXPECT_FALSE(kernels::rounds_itself(s));
  s.queries = 16;
  s.dtype = float64;
  EXPECT_FALSE(kernels::rounds_itself(s));
}

}  // namespace
}  // namespace pellucid
