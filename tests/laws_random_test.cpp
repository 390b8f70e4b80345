// Random programs: fused and unfused, compiled and not, in place and not, on any number of threads, they give the same
// bits; and reverse mode agrees with forward mode and with differences.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <random>

#include <fmt/format.h>

#include "graph/graph.h"
#include "pellucid/ops.h"
#include "pellucid/threads.h"
#include "pellucid/transform.h"
#include "support/environment.h"
#include "support/programs.h"

namespace pellucid::laws {
namespace {

Arrays evaluated(Arrays list) {
  evaluate(list);
  return list;
}

/// Empty where all are the same.
std::string compare(const Arrays& a, const Arrays& b) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    const std::string text = difference(a[i], b[i]);
    if (!text.empty()) return fmt::format("result {}: {}", i, text);
  }
  return "";
}

std::string describe(const ProgramOptions& options, std::size_t results) {
  std::string text;
  const Arrays arguments = program_arguments(options);
  for (std::size_t i = 0; i < arguments.size(); ++i)
    text += fmt::format("  %{} = argument {}\n", i, to_string(arguments[i].shape()));
  run_program(options, arguments, results, &text);
  return text;
}

/// What is wrong with the program, or nothing: every way to compute it against computing each value as it is made.
std::string fault_in_bits(const ProgramOptions& options, std::size_t results) {
  const Arrays arguments = program_arguments(options);
  ProgramOptions eager = options;
  eager.eager = true;
  Arrays expected;
  {
    const Environment off("PELLUCID_DISABLE", kAllPasses);
    expected = evaluated(run_program(eager, arguments, results));
  }
  const auto check = [&](const std::string& what, const Arrays& got) {
    const std::string text = compare(expected, got);
    return text.empty() ? text : what + ": " + text;
  };
  std::string fault = check("fused", evaluated(run_program(options, arguments, results)));
  if (!fault.empty()) return fault;
  const auto f = [&](const Arrays& x) { return run_program(options, x, results); };
  auto compiled = compile(f);
  fault = check("compiled", compiled(arguments));
  if (!fault.empty()) return fault;
  fault = check("compiled, second run", compiled(arguments));
  if (!fault.empty()) return fault;
  for (std::size_t i = 0; i < results; ++i) {
    const Array alone = run_program(options, arguments, results)[i];
    const std::string text = difference(expected[i], alone);
    if (!text.empty()) return fmt::format("result {} alone: {}", i, text);
  }
  const std::string pass(graph::kPassNames[options.seed % std::size(graph::kPassNames)]);
  {
    const Environment off("PELLUCID_DISABLE", pass);
    fault = check(fmt::format("without {}", pass), evaluated(run_program(options, arguments, results)));
    if (!fault.empty()) return fault;
  }
  {
    const Environment off("PELLUCID_DISABLE", kAllPasses);
    fault = check("without passes", evaluated(run_program(options, arguments, results)));
    if (!fault.empty()) return fault;
  }
  if (!options.large) return "";
  for (int threads : {1, 3, 7, 2}) {
    set_threads(threads);
    fault = check(fmt::format("{} threads", threads), compiled(arguments));
    if (!fault.empty()) return fault;
  }
  return "";
}

std::string fault_in_place(const ProgramOptions& options) {
  const Arrays arguments = program_arguments(options);
  const auto f = [&](const Arrays& x) { return run_step(options, x, 2); };
  auto compiled = compile(f);
  Arrays state, plain = arguments;
  for (const Array& x : arguments)
    state.push_back(Array::from_memory(x.raw_data(), static_cast<std::size_t>(x.size()), x.shape(), x.dtype()));
  for (int step = 0; step < 3; ++step) {
    const Arrays extra = compiled.step(state);
    Arrays next = evaluated(f(plain));
    plain.assign(next.begin(), next.begin() + static_cast<std::ptrdiff_t>(state.size()));
    std::string text = compare(plain, state);
    if (!text.empty()) return fmt::format("step {}, state: {}", step, text);
    text = compare(Arrays(next.begin() + static_cast<std::ptrdiff_t>(state.size()), next.end()), extra);
    if (!text.empty()) return fmt::format("step {}, extra: {}", step, text);
  }
  return "";
}

double dot(const Arrays& a, const Arrays& b, double& scale) {
  double total = 0;
  scale = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const std::vector<double> x = a[i].to_vector<double>(), y = b[i].to_vector<double>();
    for (std::size_t j = 0; j < x.size(); ++j) {
      total += x[j] * y[j];
      scale += std::abs(x[j] * y[j]);
    }
  }
  return total;
}

Arrays direction_like(const Arrays& x, std::uint64_t seed) {
  std::mt19937_64 bits(seed);
  std::uniform_real_distribution<double> uniform(-1, 1);
  Arrays result;
  for (const Array& a : x) {
    std::vector<double> values(static_cast<std::size_t>(a.size()));
    for (double& v : values) v = uniform(bits);
    result.push_back(Array::from(values, a.shape()));
  }
  return result;
}

Arrays moved(const Arrays& x, const Arrays& v, double by) {
  Arrays result;
  for (std::size_t i = 0; i < x.size(); ++i) result.push_back((x[i] + by * v[i]).evaluate());
  return result;
}

/// Reverse against forward mode, and against fourth-order differences; then the same for the gradient itself.
std::string fault_in_gradient(const ProgramOptions& options) {
  const Arrays x = program_arguments(options);
  const auto loss = [&](const Arrays& at) {
    Array total = 0.0;
    for (const Array& y : run_program(options, at, 2)) total = total + sum(sin(y + 0.5));
    return total;
  };
  const auto gradient = [&](const Arrays& at) {
    return grad(loss, {.arguments = {}, .unused = {}, .allow_unused = true, .names = {}})(at);
  };
  const Arrays v = direction_like(x, options.seed), u = direction_like(x, options.seed + 1000003);
  double scale = 0;
  const double reverse = dot(evaluated(gradient(x)), v, scale);
  const double forward = jvp(loss, x, v).tangents[0].item<double>();
  if (!(std::abs(reverse - forward) <= 1e-12 * std::max(1.0, scale)))
    return fmt::format("reverse {:.17g}, forward {:.17g}, scale {:.3g}", reverse, forward, scale);
  // Some programs are so curved that the first step is too long.
  const auto at = [&](double by) { return loss(moved(x, v, by)).item<double>(); };
  const auto quotient = [&](double h) { return (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h); };
  double difference = quotient(1e-3);
  for (double h : {1e-4, 1e-5}) {
    if (std::abs(reverse - difference) > 1e-8 * std::max(1.0, scale)) difference = quotient(h);
  }
  if (!(std::abs(reverse - difference) <= 1e-8 * std::max(1.0, scale)))
    return fmt::format("reverse {:.17g}, differences {:.17g}", reverse, difference);
  const double uv = dot(evaluated(jvp(gradient, x, v).tangents), u, scale);
  double other = 0;
  const double vu = dot(evaluated(jvp(gradient, x, u).tangents), v, other);
  scale = std::max({1.0, scale, other});
  if (!(std::abs(uv - vu) <= 1e-11 * scale))
    return fmt::format("the Hessian is not symmetric: {:.17g} and {:.17g}", uv, vu);
  const auto slope = [&](const Arrays& p) {
    Array total = 0.0;
    const Arrays g = gradient(p);
    for (std::size_t i = 0; i < g.size(); ++i) total = total + sum(g[i] * v[i]);
    return total;
  };
  const double twice =
      dot(evaluated(grad(slope, {.arguments = {}, .unused = {}, .allow_unused = true, .names = {}})(x)), u, other);
  if (!(std::abs(uv - twice) <= 1e-11 * std::max(scale, other)))
    return fmt::format("forward over reverse {:.17g}, reverse over reverse {:.17g}", uv, twice);
  return "";
}

/// Gradients of the sum of two results.
Arrays program_gradient(const ProgramOptions& options, const Arrays& x) {
  const auto total_of = [&](const Arrays& a) {
    Array total = zeros({}, options.dtype);
    for (const Array& y : run_program(options, a, 2)) total = total + sum(y * 0.125);
    return total;
  };
  return grad(total_of, {.arguments = {}, .unused = {}, .allow_unused = true, .names = {}})(x);
}

/// The gradient of a program has the bits that it has without any pass: compiled, and on any number of threads.
std::string fault_in_gradient_bits(const ProgramOptions& options) {
  const Arrays x = program_arguments(options);
  const auto gradient = [&](const Arrays& at) { return program_gradient(options, at); };
  Arrays expected;
  {
    const Environment off("PELLUCID_DISABLE", kAllPasses);
    expected = evaluated(gradient(x));
  }
  std::string text = compare(expected, evaluated(gradient(x)));
  if (!text.empty()) return "fused: " + text;
  auto compiled = compile(gradient);
  for (int threads : {2, 1, 3}) {
    set_threads(threads);
    text = compare(expected, compiled(x));
    if (!text.empty()) return fmt::format("compiled, {} threads: {}", threads, text);
  }
  set_threads(2);
  return "";
}

/// A batch of three against one after the other, along an axis that is not the first.
std::string fault_in_batch(const ProgramOptions& options, const Function& f) {
  const Arrays x = program_arguments(options);
  Arrays batched;
  std::vector<std::optional<int>> axes;
  std::vector<Arrays> each(3, x);
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (i > 0 && (options.seed >> i) % 2 == 0) {
      batched.push_back(x[i]);
      axes.push_back(std::nullopt);
      continue;
    }
    for (std::size_t e = 0; e < 3; ++e) each[e][i] = (x[i] * (1.0 - 0.25 * static_cast<double>(e))).evaluate();
    const int axis =
        x[i].rank() == 0 ? 0 : static_cast<int>(options.seed % static_cast<std::uint64_t>(x[i].rank() + 1));
    batched.push_back(stack({each[0][i], each[1][i], each[2][i]}, axis).evaluate());
    axes.push_back(axis);
  }
  const Arrays together = evaluated(vmap(f, axes)(batched));
  std::vector<Arrays> singly;
  for (const Arrays& one : each) singly.push_back(evaluated(f(one)));
  for (std::size_t r = 0; r < together.size(); ++r) {
    const Array stacked = stack({singly[0][r], singly[1][r], singly[2][r]});
    const std::string text = difference(stacked, together[r]);
    if (!text.empty()) return fmt::format("result {}: {}", r, text);
  }
  return "";
}

/// Tries `count` seeds; where one fails, the shortest program that does is shown.
template <class Fault>
void expect_all(const char* what, ProgramOptions options, std::uint64_t first, int count, const Fault& fault) {
  int failures = 0;
  const auto guarded = [&](const ProgramOptions& o) -> std::string {
    try {
      return fault(o);
    } catch (const std::exception& error) {
      return std::string("throws ") + error.what();
    }
  };
  for (int i = 0; i < count && failures < 3; ++i) {
    options.seed = first + static_cast<std::uint64_t>(i);
    if (guarded(options).empty()) continue;
    ++failures;
    ProgramOptions shorter = options;
    for (shorter.steps = 0; guarded(shorter).empty(); ++shorter.steps) {
    }
    ADD_FAILURE() << what << ", seed " << options.seed << ", " << shorter.steps << " steps: " << guarded(shorter)
                  << "\n"
                  << describe(shorter, 1);
  }
  std::printf("%s: %d programs\n", what, count);
}

int times(int count) {
  const char* factor = std::getenv("PELLUCID_LAWS_TIMES");
  return factor == nullptr ? count : count * std::atoi(factor);
}
std::uint64_t first_seed() {
  const char* seed = std::getenv("PELLUCID_LAWS_SEED");
  return seed == nullptr ? 1 : static_cast<std::uint64_t>(std::atoll(seed));
}

TEST(RandomPrograms, GiveTheSameBitsHoweverTheyAreComputed) {
  const auto fault = [](const ProgramOptions& o) { return fault_in_bits(o, 3); };
  expect_all("small float32", {.steps = 25}, first_seed(), times(150), fault);
  expect_all("small float64", {.steps = 25, .dtype = float64}, first_seed() + 100000, times(50), fault);
  expect_all("large float32", {.steps = 10, .large = true}, first_seed() + 200000, times(60), fault);
  expect_all("large float64", {.steps = 10, .dtype = float64, .large = true}, first_seed() + 300000, times(20), fault);
}

TEST(RandomPrograms, GiveTheSameBitsInPlace) {
  expect_all("small steps", {.steps = 15}, first_seed() + 400000, times(200), fault_in_place);
  expect_all("large steps", {.steps = 8, .large = true}, first_seed() + 500000, times(40), fault_in_place);
}

TEST(RandomPrograms, HaveRightDerivatives) {
  expect_all("gradients", {.steps = 12, .dtype = float64, .smooth = true}, first_seed() + 600000, times(100),
             fault_in_gradient);
}

TEST(RandomPrograms, HaveGradientsOfTheSameBits) {
  expect_all("small gradients", {.steps = 20}, first_seed() + 800000, times(150), fault_in_gradient_bits);
  expect_all("large gradients", {.steps = 8, .large = true}, first_seed() + 900000, times(40), fault_in_gradient_bits);
}

TEST(RandomPrograms, GiveTheSameBitsInBatches) {
  expect_all("batches", {.steps = 15}, first_seed() + 700000, times(150), [](const ProgramOptions& o) {
    return fault_in_batch(o, [&](const Arrays& x) { return run_program(o, x, 2); });
  });
  expect_all("batches of gradients", {.steps = 12}, first_seed() + 750000, times(100), [](const ProgramOptions& o) {
    return fault_in_batch(o, [&](const Arrays& x) { return program_gradient(o, x); });
  });
}

}  // namespace
}  // namespace pellucid::laws
