// The laws of differentiation and batching that every record keeps: reverse mode against forward mode and against
// differences, to the second order; a batch against one example after the other.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <map>
#include <set>

#include <fmt/format.h>

#include "pellucid/ops.h"
#include "pellucid/transform.h"
#include "support/laws.h"
#include "support/left_out.h"
#include "support/problem.h"
#include "support/programs.h"

namespace pellucid::laws {
namespace {

bool has_float64(const Case& c) {
  for (DType dtype : types_of(c)) {
    if (dtype == float64) return true;
  }
  return false;
}

std::vector<Tensor> usable_operands(const Case& c, std::uint64_t seed) {
  std::vector<Tensor> x = draw_operands(c, float64, Layout::kContiguous, seed);
  while (c.usable && !c.usable(x)) x = draw_operands(c, float64, Layout::kContiguous, ++seed + 1000);
  return x;
}

double dot(const Arrays& a, const Arrays& b, double* scale = nullptr) {
  double total = 0;
  if (scale != nullptr) *scale = 1;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const std::vector<double> x = a[i].to_vector<double>(), y = b[i].to_vector<double>();
    for (std::size_t j = 0; j < x.size(); ++j) {
      total += x[j] * y[j];
      if (scale != nullptr) *scale += std::abs(x[j] * y[j]);
    }
  }
  return total;
}

/// The largest distance, in units of 1 + magnitude.
double distance(const Arrays& a, const Arrays& b) {
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const std::vector<double> x = a[i].to_vector<double>(), y = b[i].to_vector<double>();
    for (std::size_t j = 0; j < x.size(); ++j) {
      const double d = std::abs(x[j] - y[j]) / (1 + std::abs(y[j]));
      most = std::isnan(d) ? INFINITY : std::max(most, d);
    }
  }
  return most;
}

std::string describe(const Case& c) { return c.record + " " + c.label; }

bool differentiable(const Case& c) {
  return record_of(c).differentiable && !c.large && has_float64(c) && !floating_operands(c).empty() &&
         c.record != "placeholder";
}
/// Those cases; the others are counted.
std::vector<const Case*> differentiable_cases(LeftOut& left_out) {
  std::vector<const Case*> list;
  for (const Case& c : cases()) {
    if (differentiable(c)) {
      list.push_back(&c);
    } else if (!record_of(c).differentiable) {
      left_out.add("without derivative: they have a law of their own");
    } else if (c.large) {
      left_out.add("long arrays: laws_bits_test and laws_random_test have their derivatives");
    } else if (c.record == "placeholder") {
      left_out.add("of `placeholder`, which compiled functions hide from derivatives");
    } else {
      left_out.add("without an operand of float64");
    }
  }
  return list;
}

/// Rounding is a staircase that is differentiated as the line along it.
bool has_differences(const Case& c) { return c.record != "round_bfloat16"; }
/// A function with a vjp of its own has no forward mode: it says so.
bool has_forward_mode(const Case& c) { return c.record != "custom"; }

TEST(GradientLaws, ReverseModeAgreesWithForwardModeAndDifferences) {
  int count = 0;
  std::set<std::string> seen;
  LeftOut left_out;
  for (const Case* one : differentiable_cases(left_out)) {
    const Case& c = *one;
    SCOPED_TRACE(describe(c));
    const Problem problem(c, usable_operands(c, 5));
    const Arrays g = evaluated(problem.gradient(problem.x()));
    for (std::size_t i = 0; i < g.size(); ++i) {
      ASSERT_EQ(g[i].shape(), problem.x()[i].shape());
      ASSERT_EQ(g[i].dtype(), float64);
    }
    const Arrays v = problem.direction(7);
    double scale = 0;
    const double reverse = dot(g, v, &scale);
    if (has_forward_mode(c)) {
      EXPECT_LE(std::abs(problem.slope(v) - reverse), std::max(1e-12, 4 * c.rounding) * scale);
    } else {
      left_out.add("forward mode of functions with rules of their own");
    }
    // The maximum of nothing is infinite, and has no differences.
    if (has_differences(c) && std::isfinite(problem.loss(problem.x()).item<double>())) {
      const auto loss = [&](const Arrays& at) { return Arrays{problem.loss(at)}; };
      const double h = 1e-3, difference = problem.differences(loss, v, h)[0].item<double>();
      EXPECT_LE(std::abs(difference - reverse), std::max(1e-8, 4 * c.rounding / h) * scale);
    } else {
      left_out.add("differences of round_bfloat16, a staircase, and of values that are not finite");
    }
    seen.insert(c.record);
    ++count;
  }
  for (const ops::Record* record : ops::all_records()) {
    if (record->differentiable) {
      EXPECT_EQ(seen.count(std::string(record->name)), 1U)
          << record->name << " is differentiable, but no case tries it";
    }
  }
  std::printf("gradients: %d cases of %zu records\n", count, seen.size());
  left_out.print();
}

TEST(GradientLaws, SecondDerivativesAgree) {
  int count = 0;
  LeftOut left_out;
  for (const Case* one : differentiable_cases(left_out)) {
    const Case& c = *one;
    SCOPED_TRACE(describe(c));
    const Problem problem(c, usable_operands(c, 6));
    const Arrays v = problem.direction(3), u = problem.direction(11);
    const Arrays reverse = evaluated(problem.hessian_times_reverse(problem.x(), v));
    const auto gradient = [&](const Arrays& at) { return problem.gradient(at); };
    double apart = distance(problem.differences(gradient, v, 1e-3), reverse);
    if (apart > 1e-8) apart = distance(problem.differences(gradient, v, 2e-4), reverse);  // strongly curved
    EXPECT_LE(apart, std::max(1e-8, 4 * c.rounding));
    if (has_forward_mode(c)) {
      const Arrays forward = problem.hessian_times(v);
      EXPECT_LE(distance(forward, reverse), std::max(1e-12, 4 * c.rounding));
      double scale = 0;
      const double uv = dot(forward, u, &scale), vu = dot(problem.hessian_times(u), v);
      EXPECT_LE(std::abs(uv - vu), std::max(1e-12, 4 * c.rounding) * scale) << "the Hessian is not symmetric";
    } else {
      left_out.add("forward mode of functions with rules of their own");
    }
    ++count;
  }
  std::printf("second derivatives: %d cases\n", count);
  left_out.print();
}

// Where equal elements make a kink, both modes choose the same derivative.
TEST(GradientLaws, BothModesAgreeAtKinks) {
  int count = 0;
  LeftOut left_out;
  for (const Case* one : differentiable_cases(left_out)) {
    const Case& c = *one;
    if (!has_forward_mode(c)) {
      left_out.add("functions with rules of their own, which have no forward mode");
      continue;
    }
    SCOPED_TRACE(describe(c));
    const Problem problem(c, draw_ties(c, float64, 8));
    const Arrays v = problem.direction(2);
    double scale = 0;
    const double reverse = dot(problem.gradient(problem.x()), v, &scale), forward = problem.slope(v);
    if (std::isfinite(reverse) || std::isfinite(forward)) {
      EXPECT_LE(std::abs(forward - reverse), std::max(1e-12, 4 * c.rounding) * scale) << forward << " and " << reverse;
      ++count;
    } else {
      left_out.add("infinite or NaN at equal elements, in both modes");
    }
  }
  std::printf("kinks: %d cases\n", count);
  left_out.print();
}

TEST(GradientLaws, NothingFlowsThroughRecordsWithoutDerivative) {
  int count = 0;
  for (const Case& c : cases()) {
    if (record_of(c).differentiable || c.large || !has_float64(c) || floating_operands(c).empty() ||
        c.record == "placeholder" || c.record == "constant")
      continue;
    SCOPED_TRACE(describe(c));
    const Problem problem(c, usable_operands(c, 9));
    for (const Array& g : problem.gradient(problem.x()))
      EXPECT_EQ(max(abs(concat({reshape(g, {g.size()}), zeros({1}, float64)}))).item<double>(), 0);
    EXPECT_EQ(problem.slope(problem.direction(1)), 0);
    ++count;
  }
  std::printf("without derivative: %d cases\n", count);
}

TEST(GradientLaws, FunctionsWithRulesOfTheirOwnHaveNoForwardMode) {
  for (const Case& c : cases()) {
    if (!differentiable(c) || has_forward_mode(c)) continue;
    const Problem problem(c, usable_operands(c, 9));
    EXPECT_THROW(problem.slope(problem.direction(1)), Error) << describe(c);
  }
}

// ---- Batches --------------------------------------------------------------------------------------------------------

/// Which operands have a batch axis: every choice where there are few operands.
std::vector<std::vector<bool>> choices(std::size_t operands) {
  std::vector<std::vector<bool>> list;
  if (operands <= 3) {
    for (std::size_t bits = 1; bits < std::size_t{1} << operands; ++bits) {
      std::vector<bool> chosen;
      for (std::size_t i = 0; i < operands; ++i) chosen.push_back((bits >> i & 1) != 0);
      list.push_back(chosen);
    }
    return list;
  }
  list.emplace_back(operands, true);
  for (std::size_t i : {std::size_t{0}, operands / 2, operands - 1}) {
    list.emplace_back(operands, false);
    list.back()[i] = true;
  }
  return list;
}

TEST(BatchLaws, ABatchGivesTheSameBitsAsItsExamples) {
  int count = 0;
  LeftOut left_out;
  std::set<std::string> seen;
  for (const Case& c : cases()) {
    if (c.large || c.operands.empty() || c.record == "placeholder") {
      left_out.add(c.large              ? "long arrays"
                   : c.operands.empty() ? "without operands"
                                        : "of `placeholder`: compile inside vmap has no value to run with");
      continue;
    }
    for (DType dtype : types_of(c)) {
      std::vector<Arrays> examples;
      for (std::uint64_t e = 0; e < 3; ++e)
        examples.push_back(to_arrays(draw_operands(c, dtype, Layout::kContiguous, 20 + e)));
      std::uint64_t turn = 0;
      for (const std::vector<bool>& chosen : choices(c.operands.size())) {
        SCOPED_TRACE(fmt::format("{} {}", describe(c), pellucid::name_of(dtype)));
        Arrays together;
        std::vector<std::optional<int>> axes;
        std::vector<Arrays> each = examples;
        for (std::size_t i = 0; i < chosen.size(); ++i) {
          if (!chosen[i]) {
            for (Arrays& one : each) one[i] = examples[0][i];
            together.push_back(examples[0][i]);
            axes.push_back(std::nullopt);
            continue;
          }
          const int axis = static_cast<int>((turn++ + i) % static_cast<std::uint64_t>(examples[0][i].rank() + 1));
          together.push_back(stack({examples[0][i], examples[1][i], examples[2][i]}, axis));
          axes.push_back(axis);
        }
        const int out_axis = turn % 2 == 0 ? 0 : -1;
        const Arrays got = evaluated(vmap(c.make, axes, out_axis)(together));
        std::vector<Arrays> singly;
        for (const Arrays& one : each) singly.push_back(evaluated(c.make(one)));
        ASSERT_EQ(got.size(), singly[0].size());
        for (std::size_t r = 0; r < got.size(); ++r) {
          const Array stacked = stack({singly[0][r], singly[1][r], singly[2][r]}, out_axis);
          EXPECT_EQ(difference(stacked, got[r]), "")
              << "result " << r << ", choice " << ::testing::PrintToString(chosen);
        }
        ++count;
      }
      seen.insert(c.record);
    }
  }
  for (const ops::Record* record : ops::all_records()) {
    if (record->name != "iota" && record->name != "placeholder") {
      EXPECT_EQ(seen.count(std::string(record->name)), 1U) << record->name << " has operands, but no case batches them";
    }
  }
  std::printf("batches: %d cases of %zu records\n", count, seen.size());
  left_out.print();
}

}  // namespace
}  // namespace pellucid::laws
