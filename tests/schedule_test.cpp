// Schedules against PyTorch and Optax over 1,000 steps in float64, and what is refused.
#include "pellucid/schedule.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "pellucid/ops.h"
#include "pellucid/transform.h"

namespace pellucid {
namespace {

const nlohmann::json& reference() {
  static const nlohmann::json data = [] {
    std::ifstream file(PELLUCID_SOURCE_DIR "/tests/reference/schedule.json");
    return nlohmann::json::parse(file);
  }();
  return data;
}

void expect_reference(const std::string& name, const Schedule& schedule) {
  const auto& want = reference().at("schedules").at(name);
  std::vector<double> rates;
  double total = 0;
  Compiled f = compile([&](const Array& step) { return schedule(step); });
  for (std::int64_t t = 0; t < 1000; ++t) {
    rates.push_back(f({Array::from(std::vector<std::int64_t>{t}, {})})[0].item<double>());
    total += rates.back();
  }
  for (std::size_t i = 0; i < want.at("steps").size(); ++i) {
    const auto t = want.at("steps")[i].get<std::size_t>();
    const double rate = want.at("rates")[i].get<double>();
    EXPECT_NEAR(rates[t], rate, 1e-12 * std::abs(rate)) << name << " at step " << t;
  }
  EXPECT_NEAR(total, want.at("sum").get<double>(), 1e-12 * total) << name;
  EXPECT_EQ(schedule.at(500), rates[500]) << name;
}

TEST(Schedule, LogCyclesDoubleTheirLength) {
  const Schedule schedule = schedule::LogCycles{.peak = 0.1, .steps = 1500};
  for (const std::int64_t bottom : {0, 100, 300, 700, 1500}) EXPECT_NEAR(schedule.at(bottom), 0, 1e-12) << bottom;
  // The middle of the last cycle, where log2(1 + 15 t / 1500) is 3.5.
  EXPECT_NEAR(schedule.at(1031), 0.1, 1e-6);
  EXPECT_EQ(schedule.to_string(), "log_cycles(peak=0.1, steps=1500, cycles=4)");
}

TEST(Schedule, IsPyTorchsAndOptaxs) {
  using namespace schedule;
  expect_reference("step", Step{.initial = 0.1, .period = 30, .factor = 0.7});
  expect_reference("multi_step", MultiStep{.initial = 0.1, .milestones = {100, 250, 251, 800}, .factor = 0.3});
  expect_reference("exponential", Exponential{.initial = 0.1, .factor = 0.995});
  expect_reference("polynomial", Polynomial{.initial = 0.1, .steps = 800, .power = 2});
  expect_reference("polynomial_to", Polynomial{.initial = 0.1, .steps = 600, .power = 1.5, .final = 0.01});
  expect_reference("linear", Polynomial{.initial = 0.1, .steps = 900, .final = 0.001});
  expect_reference("cosine", Cosine{.initial = 0.1, .steps = 900, .final = 0.001});
  expect_reference("cosine_torch", Cosine{.initial = 0.1, .steps = 1000, .final = 1e-3});
  expect_reference("warm_restarts", WarmRestarts{.initial = 0.1, .period = 70, .final = 1e-4});
  expect_reference("warm_restarts_doubling",
                   WarmRestarts{.initial = 0.1, .period = 30, .multiplier = 2, .final = 1e-4});
  expect_reference("one_cycle", OneCycle{.peak = 0.1, .steps = 1000});
  expect_reference(
      "one_cycle_linear",
      OneCycle{.peak = 0.1, .steps = 1000, .rise = 0.25, .initial_divisor = 10, .final_divisor = 100, .linear = true});
  expect_reference("warm_up_cosine",
                   WarmUp{.steps = 100, .then = Cosine{.initial = 0.1, .steps = 900, .final = 0.001}});
  expect_reference("warm_up_exponential",
                   WarmUp{.steps = 50, .from = 0.1, .then = Exponential{.initial = 0.1, .factor = 0.997}});
}

TEST(Schedule, PlateausArePyTorchs) {
  const auto values = reference().at("values").get<std::vector<double>>();
  const auto check = [&](const std::string& name, const schedule::OnPlateau& options) {
    const auto want = reference().at("plateaus").at(name).get<std::vector<double>>();
    const Schedule schedule = options;
    PlateauTracker tracker(options);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double scale = tracker.observe(options.maximize ? -values[i] : values[i]);
      EXPECT_NEAR(schedule.at(0, scale), want[i], 1e-12 * want[i]) << name << " at " << i;
    }
  };
  check("rel_min", {.factor = 0.5, .patience = 5, .threshold = 1e-2, .cooldown = 3, .minimum = 1e-3});
  check("abs_min", {.factor = 0.3, .patience = 8, .threshold = 0.05, .absolute = true});
  check("rel_max", {.factor = 0.9, .patience = 0, .threshold = 0.1, .maximize = true});
  PlateauTracker tracker(schedule::OnPlateau{.patience = 0});
  tracker.observe(1);
  EXPECT_EQ(tracker.observe(NAN), 0.1);
}

TEST(Schedule, ConstantsAndFunctions) {
  EXPECT_EQ(Schedule(0.25).constant(), 0.25);
  EXPECT_EQ(Schedule(0.25).at(7), 0.25);
  const Schedule own = [](const Array& step) { return 1.0 / (1.0 + astype(step, float64)); };
  EXPECT_FALSE(own.constant());
  EXPECT_EQ(own.at(3), 0.25);
  const Schedule warm = schedule::WarmUp{.steps = 4, .then = schedule::OnPlateau{.initial = 0.5}};
  ASSERT_NE(warm.plateau(), nullptr);
  EXPECT_EQ(warm.at(2, 0.5), 0.125);
  EXPECT_EQ(Schedule(schedule::OneCycle{.peak = 0.5, .steps = 1}).at(0), 0.5);
}

TEST(Schedule, ByName) {
  for (const std::string& name : schedule::names()) {
    const Schedule schedule = schedule::by_name(name, 0.1, 100);
    EXPECT_GT(schedule.at(10), 0) << name;
    EXPECT_LE(schedule.at(99), 0.1) << name;
  }
  EXPECT_EQ(schedule::by_name("cosine", 0.1, 7).to_string(), "cosine(initial=0.1, steps=7, final=0)");
}

void expect_error(const std::function<void()>& call, const std::string& text) {
  try {
    call();
    ADD_FAILURE() << "nothing was thrown, not: " << text;
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(text), std::string::npos) << error.what() << "\nlacks: " << text;
  }
}

TEST(Schedule, RefusesBadNumbers) {
  using namespace schedule;
  const auto refuse = [](auto kind, const std::string& text) { expect_error([&] { Schedule s(kind); }, text); };
  refuse(-1.0, "learning rate = -1");
  refuse(Step{.period = 0}, "schedule::Step: period = 0 is too small");
  refuse(Step{.factor = -1}, "factor = -1");
  refuse(MultiStep{.milestones = {5, 5}}, "do not ascend");
  refuse(MultiStep{.milestones = {-1}}, "milestones = -1");
  refuse(Exponential{.factor = 0}, "schedule::Exponential: factor = 0");
  refuse(InverseTime{.decay = -1}, "schedule::InverseTime: decay = -1");
  refuse(Polynomial{.steps = 0}, "schedule::Polynomial: steps = 0");
  refuse(Polynomial{.power = 0}, "power = 0");
  refuse(Cosine{.steps = 0}, "schedule::Cosine: steps = 0 is too small: give at least 1");
  refuse(Cosine{.initial = -0.1}, "schedule::Cosine: initial = -0.1");
  refuse(WarmRestarts{.period = 0}, "period = 0");
  refuse(WarmRestarts{.multiplier = 0}, "multiplier = 0");
  refuse(OneCycle{.steps = 0}, "schedule::OneCycle: steps = 0");
  refuse(OneCycle{.rise = 1.5}, "rise = 1.5 is outside [0, 1]");
  refuse(OneCycle{.final_divisor = 0}, "final_divisor = 0");
  refuse(LogCycles{.steps = 0}, "schedule::LogCycles: steps = 0");
  refuse(LogCycles{.cycles = 0}, "cycles = 0");
  refuse(OnPlateau{.factor = 1}, "schedule::OnPlateau: factor = 1");
  refuse(OnPlateau{.patience = -1}, "patience = -1");
  refuse(WarmUp{.steps = 0}, "schedule::WarmUp: steps = 0");
  expect_error([] { by_name("cos", 0.1, 10); }, "no schedule 'cos': choose one of constant, step");
  expect_error([] { by_name("cosine", 0.1, 0); }, "steps = 0");
  expect_error([] { Schedule(0.1)(zeros({})); }, "not an int64 scalar");
  expect_error([] { Schedule([](const Array&) { return zeros({2}); }).at(0); }, "not a floating scalar");
}

}  // namespace
}  // namespace pellucid
