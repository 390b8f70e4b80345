// What the backward pass of a loop does: it saves instead of repeating, and takes sums of products out of the loop.
#include <gtest/gtest.h>

#include "pellucid/ops.h"
#include "pellucid/precision.h"
#include "pellucid/random.h"
#include "pellucid/threads.h"
#include "pellucid/transform.h"
#include "support/environment.h"

namespace pellucid {
namespace {

Array draw(std::uint64_t seed, const Shape& shape) { return random::normal(random::key(seed), shape, 0, 0.5, float64); }

/// sum of squares of all h_t = tanh(x_t + h_{t-1} w + b), for x (T, n, h).
Array loss(const Array& w, const Array& b, const Array& x) {
  const auto step = [&](const Arrays& carry, const Arrays& at) {
    const Array h = tanh(at[0] + matmul(carry[0], w) + b);
    return ScanStep{{h}, {h}};
  };
  return sum(square(scan(step, {zeros({x.size(1), x.size(2)}, float64)}, {x}).ys[0]));
}
/// The same without a loop.
Array unrolled(const Array& w, const Array& b, const Array& x) {
  Array h = zeros({x.size(1), x.size(2)}, float64), total;
  for (const Array& at : unstack(x)) {
    h = tanh(at + matmul(h, w) + b);
    total = total.defined() ? total + sum(square(h)) : sum(square(h));
  }
  return total;
}

std::size_t count(const std::string& text, const std::string& word) {
  std::size_t n = 0;
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++n;
  return n;
}

void expect_close(const Array& a, const Array& b) {
  const std::vector<double> x = a.to_vector<double>(), y = b.to_vector<double>();
  ASSERT_EQ(x.size(), y.size());
  for (std::size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(x[i], y[i], 1e-11 * (1 + std::abs(y[i])));
}

const Arrays kOperands = {draw(1, {6, 6}), draw(2, {6}), draw(3, {7, 4, 6})};

TEST(Scan, GradientsEqualThoseWithoutALoop) {
  const Arrays loop = grad(loss)(kOperands), plain = grad(unrolled)(kOperands);
  for (std::size_t i = 0; i < 3; ++i) expect_close(loop[i], plain[i]);
  const Arrays v = {draw(4, {6, 6}), draw(5, {6}), draw(6, {7, 4, 6})};
  const Arrays twice = hessian_product([](const Arrays&a) { return loss(a[0], a[1], a[2]); }, kOperands, v),
               known = hessian_product([](const Arrays&a) { return unrolled(a[0], a[1], a[2]); }, kOperands, v);
  for (std::size_t i = 0; i < 3; ++i) expect_close(twice[i], known[i]);
}

TEST(Scan, ForwardRunsOnceAndTheWeightsGradientIsOneContraction) {
  auto compiled = compile(grad(loss));
  compiled(kOperands);
  const std::string plan = compiled.explain_plan();
  EXPECT_EQ(count(plan, "  scan "), 2U) << plan;
  EXPECT_EQ(count(plan, "contract [6, 28] x [28, 6]"), 1U) << plan;
}

TEST(Scan, GivesTheSameBitsWhereLoopsAreNotMerged) {
  const Arrays merged = grad(loss)(kOperands);
  evaluate(merged);
  const Environment off("PELLUCID_DISABLE", "scans");
  const Arrays apart = grad(loss)(kOperands);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(apart[i].to_vector<double>(), merged[i].to_vector<double>());
}

// A body that keeps the rows of a batch apart is run by each thread over its own rows: weights, a row that is repeated,
// a mask, parts of rows put together; and one that does not is not.
TEST(Scan, HasTheSameBitsWhereThreadsTakeRowsOfTheirOwn) {
  const int before = threads();
  const Arrays operands = {astype(draw(1, {12, 24}), float32), astype(draw(2, {24}), float32),
                           astype(draw(3, {5, 40, 24}), float32)};
  const auto run = [&](bool mixes) {
    return grad([&](const Arrays& a) {
      const auto step = [&](const Arrays& carry, const Arrays& at) {
        const Arrays gates = split(at[0] + matmul(carry[0], a[0]) + a[1], 2, -1);
        Array h = sigmoid(gates[0]) * tanh(gates[1]);
        if (mixes) h = h + flip(h, Axes(0));
        h = where(sum(at[0], Axes(-1), true) > 0.0, h, carry[0]);
        return ScanStep{{h}, {concat({h, exp(-h)}, -1)}};
      };
      const ScanStep result = scan(step, {zeros({40, 12})}, {a[2]});
      return Arrays{sum(square(result.ys[0])) + sum(result.carry[0])};
    })(operands);
  };
  for (const bool mixes : {false, true}) {
    for (const Precision precision : {Precision::kFloat32, Precision::kBFloat16}) {
      const PrecisionScope scope(precision);
      std::vector<std::vector<float>> one;
      for (const int count : {1, 2, 3, 7}) {
        set_threads(count);
        const Arrays by = run(mixes);
        for (std::size_t i = 0; i < by.size(); ++i) {
          if (count == 1) one.push_back(by[i].to_vector<float>());
          EXPECT_EQ(by[i].to_vector<float>(), one[i]) << mixes << " " << i << " on " << count << " threads";
        }
      }
    }
  }
  set_threads(before);
}

// Between two runs of one plan.
TEST(Scan, FollowsTheNumberOfThreads) {
  const int before = threads();
  auto compiled = compile(grad(loss));
  const Arrays operands = {draw(1, {6, 6}), draw(2, {6}), draw(3, {7, 32, 6})};
  set_threads(1);
  const std::vector<double> one = compiled(operands)[0].to_vector<double>();
  for (const int count : {4, 2, 3, 1}) {
    set_threads(count);
    EXPECT_EQ(compiled(operands)[0].to_vector<double>(), one) << count;
  }
  set_threads(before);
}

TEST(Scan, CheckpointComputesTheLoopAgain) {
  const auto again = checkpoint(loss);
  const Arrays plain = grad(loss)(kOperands);
  const Arrays through = grad([&](const Arrays& a) { return again(a[0], a[1], a[2])[0]; })(kOperands);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(through[i].to_vector<double>(), plain[i].to_vector<double>());
}

// Cotangents of the last carry alone, of ys alone, of both; reversed; through carries that are not all used.
TEST(Scan, CotangentsOfSomeResults) {
  const auto run = [](const Array& w, const Array& x, int which, bool reverse) {
    const auto step = [&](const Arrays& carry, const Arrays& at) {
      return ScanStep{{carry[0] * w + at[0], carry[1] + at[0] * at[0]}, {carry[0] * at[0], carry[1]}};
    };
    const ScanStep result = scan(step, {zeros({3}, float64), ones({3}, float64)}, {x}, -1, reverse);
    Array total = sum(result.carry[0]) * 0.0;
    if ((which & 1) != 0) total = total + sum(square(result.carry[0]));
    if ((which & 2) != 0) total = total + sum(square(result.ys[0]));
    if ((which & 4) != 0) total = total + sum(result.ys[1] * result.ys[1]);
    return total;
  };
  const Array w = draw(7, {3}), x = draw(8, {5, 3});
  for (bool reverse : {false, true}) {
    for (int which = 1; which < 8; ++which) {
      const auto f = [&](const Arrays& a) { return Arrays{run(a[0], a[1], which, reverse)}; };
      const Arrays g = grad(f, {.allow_unused = true})(Arrays{w, x});
      const Arrays v = {draw(9, {3}), draw(10, {5, 3})};
      const double along = (sum(g[0] * v[0]) + sum(g[1] * v[1])).item<double>();
      EXPECT_NEAR(jvp(f, {w, x}, v).tangents[0].item<double>(), along, 1e-12 * (1 + std::abs(along)))
          << which << " " << reverse;
    }
  }
}

}  // namespace
}  // namespace pellucid
