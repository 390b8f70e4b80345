// L-BFGS against PyTorch's iterates, Levenberg-Marquardt against certified values; reasons to stop; what is refused.
#include "pellucid/minimize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>

#include "pellucid/ops.h"

namespace pellucid {
namespace {

using namespace optim;

Array vector(const std::vector<double>& values) { return Array::from(values); }

Array rosenbrock(const Array& x) {
  const Array a = slice(x, 0, 0, x.size() - 1), b = slice(x, 0, 1, x.size());
  return sum(100.0 * square(b - square(a)) + square(1.0 - a));
}
Arrays rosenbrock_start() { return {vector({-1.25, 1.0, -0.5, 0.75, 1.5, -1.0})}; }

TEST(Lbfgs, IteratesArePyTorchs) {
  std::ifstream file(PELLUCID_SOURCE_DIR "/tests/reference/optim.json");
  const auto want = nlohmann::json::parse(file).at("lbfgs").get<std::vector<std::vector<double>>>();
  // A rounding grows by the condition of the function from one iterate to the next: the first ones are equal, later
  // close.
  for (const std::int64_t iteration : {1, 2, 3, 5, 8}) {
    const Minimum found = minimize(rosenbrock, rosenbrock_start(), LBFGS{.history = 5, .max_iterations = iteration});
    ASSERT_EQ(found.iterations, iteration);
    const std::vector<double> x = found.parameters[0].to_vector<double>();
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double expected = want[static_cast<std::size_t>(iteration - 1)][i];
      EXPECT_NEAR(x[i], expected, (iteration <= 3 ? 1e-12 : 1e-9) * std::abs(expected)) << iteration << " " << i;
    }
  }
}

TEST(Lbfgs, FindsTheMinimum) {
  const Minimum found = minimize(rosenbrock, rosenbrock_start());
  EXPECT_EQ(found.stop, Stop::kGradient) << describe(found.stop);
  EXPECT_LT(found.value, 1e-14);
  EXPECT_LT(found.iterations, 100);
}

TEST(Lbfgs, TakesSeveralParametersOfFloat32) {
  const auto f = [](const Array& a, const Array& b) { return sum(square(a - 3.0)) + sum(square(square(b) - 2.0)); };
  const Minimum found = minimize(f, Arrays{zeros({2, 2}), ones({3})}, LBFGS{.gradient_tolerance = 1e-5});
  EXPECT_NEAR(found.parameters[0].to_vector<double>()[3], 3, 1e-5);
  EXPECT_NEAR(found.parameters[1].to_vector<double>()[0], std::sqrt(2.0), 1e-5);
  EXPECT_EQ(found.parameters[0].dtype(), float32);
}

TEST(Lbfgs, SaysWhyItStopped) {
  const auto stop = [](LBFGS options) { return minimize(rosenbrock, rosenbrock_start(), options).stop; };
  EXPECT_EQ(stop({.max_iterations = 2}), Stop::kIterations);
  EXPECT_EQ(stop({.max_evaluations = 2}), Stop::kEvaluations);
  EXPECT_EQ(stop({.step_tolerance = 1e3}), Stop::kStep);
  EXPECT_EQ(stop({.value_tolerance = 1e9}), Stop::kValue);
  EXPECT_EQ(stop({.target = 1}), Stop::kTarget);
  EXPECT_EQ(stop({.observer = [](const Progress& p) { return p.iteration < 3; }}), Stop::kInterrupted);
  const auto logarithm = [](const Array& x) { return sum(log(x)); };
  EXPECT_EQ(minimize(logarithm, Arrays{vector({-1})}).stop, Stop::kNotFinite);
  EXPECT_EQ(describe(Stop::kGradient), "gradient below the tolerance");
}

/// Misra1a of NIST's Statistical Reference Datasets: y = b1 (1 - exp(-b2 x)), of which both starts are given.
TEST(LevenbergMarquardt, ReachesCertifiedValues) {
  const Array x =
      vector({77.6, 114.9, 141.1, 190.8, 239.9, 289.0, 332.8, 378.4, 434.8, 477.3, 536.8, 593.1, 689.1, 760.0});
  const Array y =
      vector({10.07, 14.73, 17.94, 23.93, 29.61, 35.18, 40.02, 44.82, 50.76, 55.05, 61.01, 66.40, 75.47, 81.78});
  const auto f = [&](const Array& a, const Array& b) { return a * (1.0 - exp(-b * x)) - y; };
  for (const auto& [a, b] : {std::pair{500.0, 0.0001}, std::pair{250.0, 0.0005}}) {
    const Minimum found = least_squares(f, Arrays{vector({a}), vector({b})});
    EXPECT_NEAR(found.parameters[0].item<double>(), 2.3894212918E+02, 1e-8 * 238);
    EXPECT_NEAR(found.parameters[1].item<double>(), 5.5015643181E-04, 1e-8 * 5.5e-4);
    EXPECT_NEAR(found.value * 2, 1.2455138894E-01, 1e-10);
  }
}

TEST(LevenbergMarquardt, TrainsXor) {
  const Array x = Array::from(std::vector<double>{0, 0, 0, 1, 1, 0, 1, 1}, {4, 2});
  const Array y = Array::from(std::vector<double>{0, 1, 1, 0}, {4, 1});
  const auto f = [&](const Arrays& w) { return Arrays{matmul(tanh(matmul(x, w[0]) + w[1]), w[2]) + w[3] - y}; };
  const Arrays start = {Array::from(std::vector<double>{0.5, -0.7, 0.9, 0.3, 0.8, -0.4, 0.6, -1.1}, {2, 4}),
                        vector({0.1, -0.2, 0.3, -0.4}), Array::from(std::vector<double>{0.7, -0.5, 0.4, 0.9}, {4, 1}),
                        vector({0})};
  const Minimum found = least_squares(f, start, LevenbergMarquardt{.target = 1e-20});
  EXPECT_EQ(found.stop, Stop::kTarget) << describe(found.stop);
}

TEST(LevenbergMarquardt, SaysWhyItStopped) {
  const auto f = [](const Array& x) {
    return concat({10.0 * (slice(x, 0, 1, 2) - square(slice(x, 0, 0, 1))), 1.0 - slice(x, 0, 0, 1)});
  };
  const auto stop = [&](LevenbergMarquardt options) {
    return least_squares(f, Arrays{vector({-1.2, 1})}, options).stop;
  };
  EXPECT_EQ(stop({}), Stop::kStep);
  EXPECT_EQ(stop({.target = 1e-3}), Stop::kTarget);
  EXPECT_EQ(stop({.max_iterations = 1}), Stop::kIterations);
  EXPECT_EQ(stop({.max_evaluations = 2}), Stop::kEvaluations);
  EXPECT_EQ(stop({.gradient_tolerance = 1}), Stop::kGradient);
  EXPECT_EQ(stop({.step_tolerance = 10}), Stop::kStep);
  EXPECT_EQ(stop({.value_tolerance = 1}), Stop::kValue);
  EXPECT_EQ(stop({.observer = [](const Progress&) { return false; }}), Stop::kInterrupted);
  const auto logarithm = [](const Array& x) { return log(x); };
  EXPECT_EQ(least_squares(logarithm, Arrays{vector({-1})}).stop, Stop::kNotFinite);
}

void expect_error(const std::function<void()>& call, const std::string& text) {
  try {
    call();
    ADD_FAILURE() << "nothing was thrown, not: " << text;
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(text), std::string::npos) << error.what() << "\nlacks: " << text;
  }
}

TEST(Minimisers, RefuseBadNumbers) {
  const auto refuse = [](LBFGS o, const std::string& text) {
    expect_error([&] { minimize(rosenbrock, rosenbrock_start(), o); }, text);
  };
  refuse({.learning_rate = 0}, "LBFGS: learning_rate = 0");
  refuse({.history = 0}, "LBFGS: history = 0");
  refuse({.max_iterations = 0}, "max_iterations = 0");
  refuse({.gradient_tolerance = -1}, "gradient_tolerance = -1");
  refuse({.sufficient_decrease = 0.9, .curvature = 0.5}, "is not above sufficient_decrease");
  const auto refuse_lm = [](LevenbergMarquardt o, const std::string& text) {
    expect_error([&] { least_squares(rosenbrock, rosenbrock_start(), o); }, text);
  };
  refuse_lm({.damping = 0}, "LevenbergMarquardt: damping = 0");
  refuse_lm({.max_iterations = 0}, "max_iterations = 0");
  refuse_lm({.target = -1}, "target = -1");
  expect_error([] { minimize(rosenbrock, Arrays{}); }, "minimize: no parameters");
  expect_error([] { minimize(rosenbrock, Arrays{zeros({3}, int32)}); }, "not of floating type");
  expect_error([] { least_squares(rosenbrock, Arrays{zeros({5000})}); }, "5000 unknowns are more than 4096");
  expect_error([] { least_squares([](const Arrays&) { return Arrays{}; }, Arrays{zeros({2})}); }, "no residuals");
  expect_error([] { least_squares([](const Arrays&) { return Arrays{zeros({2}, int32)}; }, Arrays{zeros({2})}); },
               "a residual is not of floating type");
}

}  // namespace
}  // namespace pellucid
