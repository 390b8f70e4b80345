// fit with optimizer_state: several trainings that are one, and where one begins anew.
#include <gtest/gtest.h>

#include "pellucid/pellucid.h"
#include "support/fit_problems.h"
#include "support/message.h"

namespace pellucid {
namespace {

FitOptions options_of(optim::Optimizer optimizer, std::int64_t epochs, OptimizerState* state = nullptr) {
  return {.loss = loss::cross_entropy,
          .optimizer = std::move(optimizer),
          .max_epochs = epochs,
          .batch_size = 16,
          .shuffle = false,
          .optimizer_state = state};
}

std::vector<std::vector<float>> trained(const optim::Optimizer& optimizer, const std::vector<std::int64_t>& epochs,
                                        bool keep) {
  nn::Sequential net = classifier();
  OptimizerState state;
  for (const std::int64_t count : epochs) fit(net, clouds(50), options_of(optimizer, count, keep ? &state : nullptr));
  return values(net);
}

TEST(OptimizerState, MakesOneTrainingOfSeveral) {
  const std::vector<optim::Optimizer> all = {optim::Adam{}, optim::SGD{.learning_rate = 0.01, .momentum = 0.9},
                                             optim::NAdam{}, optim::RMSprop{},
                                             optim::Optimizer(optim::AdamW{}, {.accumulate = 3})};
  for (const optim::Optimizer& optimizer : all) {
    SCOPED_TRACE(optimizer.to_string());
    const auto whole = trained(optimizer, {4}, false);
    EXPECT_EQ(trained(optimizer, {1, 2, 1}, true), whole);
    EXPECT_NE(trained(optimizer, {1, 2, 1}, false), whole);
  }
}

TEST(OptimizerState, BelongsToTheParametersThatAreKept) {
  const auto state_after = [](std::int64_t epochs, std::optional<std::int64_t> patience, FitResult& result) {
    nn::Sequential net = classifier();
    OptimizerState state;
    FitOptions options = options_of(optim::Adam{.learning_rate = 0.1}, epochs, &state);
    options.validation = clouds(40, 8);
    options.patience = patience;
    options.restore_best = patience.has_value();
    result = fit(net, clouds(12), options);
    EXPECT_EQ(state.front().name, "step");
    std::vector<double> values;
    for (const nn::NamedArray& one : state) {
      for (const double value : astype(one.value, float64).to_vector<double>()) values.push_back(value);
    }
    return values;
  };
  FitResult result, short_one;
  const auto best = state_after(500, 5, result);
  ASSERT_EQ(result.reason, Reason::kNoImprovement);
  EXPECT_EQ(best, state_after(result.kept_epoch, {}, short_one));
}

TEST(OptimizerState, SchedulesCountFromTheBeginningOfEachTraining) {
  const optim::Optimizer optimizer = optim::Adam{.learning_rate = schedule::Exponential{.initial = 0.1, .factor = 0.5}};
  nn::Sequential net = classifier();
  OptimizerState state;
  fit(net, clouds(32), options_of(optimizer, 2, &state));
  ASSERT_EQ(state.front().value.item<std::int64_t>(), 4);
  const auto before = values(net);
  const FitResult again = fit(net, clouds(32), options_of(optimizer, 1, &state));
  EXPECT_DOUBLE_EQ(again.history[0].learning_rate, 0.05);  // of the second step
  EXPECT_EQ(state.front().value.item<std::int64_t>(), 6);
  // A rate of 0.1 moves a weight by some 0.1; going on with 0.1 / 2^4 would not.
  const auto after = values(net);
  float most = 0;
  for (std::size_t i = 0; i < after[0].size(); ++i) most = std::max(most, std::abs(after[0][i] - before[0][i]));
  EXPECT_GT(most, 0.03);
  EXPECT_DOUBLE_EQ(optimizer.starting_at(4).learning_rate(optimizer.init({zeros({2})})), 0.1);
  EXPECT_PRED2(contains, message_of([&] { (void)optimizer.starting_at(-1); }), "starting_at = -1");
}

TEST(OptimizerState, BeginsAnewWithAnotherRuleOrOtherParameters) {
  OptimizerState state;
  nn::Sequential other{nn::Linear(2, 3), nn::ReLU(), nn::Linear(3, 3)};
  fit(other, clouds(50), options_of(optim::Adam{}, 1, &state));
  nn::Sequential net = classifier(), alone = classifier();
  fit(net, clouds(50), options_of(optim::Adam{}, 1, &state));
  fit(alone, clouds(50), options_of(optim::Adam{}, 1));
  EXPECT_EQ(values(net), values(alone));
  fit(net, clouds(50), options_of(optim::SGD{.learning_rate = 0.01, .momentum = 0.9}, 1, &state));
  fit(alone, clouds(50), options_of(optim::SGD{.learning_rate = 0.01, .momentum = 0.9}, 1));
  EXPECT_EQ(values(net), values(alone));
}

TEST(OptimizerState, RefusesRestarts) {
  nn::Sequential net = classifier();
  OptimizerState state;
  FitOptions options = options_of(optim::Adam{}, 1, &state);
  options.tolerance = 1e-9;
  options.restarts = 1;
  fit(net, clouds(50), options);  // nothing to go on from
  EXPECT_PRED2(contains, message_of([&] { fit(net, clouds(50), options); }),
               "fit: restarts 1 begin anew, and optimizer_state goes on from a training before; leave one of them out");
}

TEST(OptimizerState, GoesThroughACheckpoint) {
  const std::string path = ::testing::TempDir() + "fit_state.checkpoint";
  const auto run = [&](bool stopped) {
    nn::Sequential net = classifier();
    OptimizerState state;
    FitOptions options = options_of(optim::Adam{}, 4, &state);
    options.validation = clouds(40, 8);
    options.checkpoint.path = path;
    if (stopped) {
      FitOptions first = options;
      OptimizerState unused;
      first.optimizer_state = &unused;
      first.on_epoch = [](const Epoch& epoch) { return epoch.epoch < 2; };
      EXPECT_EQ(fit(net, clouds(50), first).reason, Reason::kStopped);
      net = classifier();
    }
    fit(net, clouds(50), options);
    std::vector<double> values;
    for (const nn::NamedArray& one : state) {
      for (const double value : astype(one.value, float64).to_vector<double>()) values.push_back(value);
    }
    return values;
  };
  const auto whole = run(false);
  EXPECT_FALSE(whole.empty());
  EXPECT_EQ(run(true), whole);
}

}  // namespace
}  // namespace pellucid
