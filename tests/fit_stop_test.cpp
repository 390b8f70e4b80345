// fit: why it stops, and interrupts.
#include <gtest/gtest.h>
#include <signal.h>

#include <cmath>
#include <thread>

#include "pellucid/pellucid.h"
#include "support/fit_problems.h"
#include "support/message.h"

namespace pellucid {
namespace {

TEST(Fit, StopsAtTheMaximumOfEpochs) {
  nn::Sequential net = classifier();
  const auto result = fit(net, clouds(50), {.loss = loss::cross_entropy, .max_epochs = 7});
  EXPECT_EQ(result.reason, Reason::kMaxEpochs);
  EXPECT_EQ(result.epoch, 7);
  EXPECT_EQ(result.kept_epoch, 7);
  EXPECT_EQ(result.steps, 7);
  EXPECT_EQ(result.history.size(), 7u);
  EXPECT_PRED2(contains, to_string(result), "maximum of epochs (7) at epoch 7: loss ");
}

TEST(Fit, StopsAtATargetOfTheMonitoredValue) {
  nn::Sequential net = classifier();
  const Dataset data = clouds(200);
  const auto result = fit(net, data,
                          {.loss = loss::cross_entropy,
                           .optimizer = optim::Adam{.learning_rate = 0.05},
                           .batch_size = 20,
                           .validation = clouds(100, 6),
                           .monitor = "accuracy",
                           .target = 0.9,
                           .metrics = {"log_loss", "accuracy"}});
  EXPECT_EQ(result.reason, Reason::kTarget);
  EXPECT_GE(result.metrics[1].second, 0.9);
  EXPECT_EQ(result.metrics[1].first, "accuracy");
  EXPECT_NEAR(result.metrics[0].second, *result.validation_loss, 1e-5);
  EXPECT_PRED2(contains, to_string(result), "target reached (accuracy at least 0.9) at epoch ");

  const auto by_loss = fit(net, data, {.loss = loss::cross_entropy, .target = 5});
  EXPECT_EQ(by_loss.reason, Reason::kTarget);
  EXPECT_EQ(by_loss.epoch, 1);
  EXPECT_PRED2(contains, to_string(by_loss), "target reached (loss at most 5)");
}

TEST(Fit, StopsWithoutImprovementAndRestoresTheBest) {
  nn::Sequential net = classifier();
  const Dataset held_out = clouds(40, 8);
  const auto result = fit(net, clouds(12),
                          {.loss = loss::cross_entropy,
                           .optimizer = optim::Adam{.learning_rate = 0.1},
                           .max_epochs = 2000,
                           .validation = held_out,
                           .patience = 5});
  EXPECT_EQ(result.reason, Reason::kNoImprovement);
  EXPECT_EQ(result.epoch, result.kept_epoch + 5);
  double best = 1e9;
  for (const Epoch& epoch : result.history) {
    if (*epoch.validation_loss < best) {
      EXPECT_TRUE(epoch.best);
    }
    best = std::min(best, *epoch.validation_loss);
  }
  EXPECT_EQ(*result.validation_loss, best);
  EXPECT_EQ(evaluate(net, held_out, loss::cross_entropy).loss, best);
  EXPECT_PRED2(contains, to_string(result),
               "no improvement (of validation_loss for 5 epochs; the parameters of epoch " +
                   std::to_string(result.kept_epoch) + " restored) at epoch ");
}

TEST(Fit, WithoutBatchesTheBestParametersAreThoseOfTheBestLoss) {
  Scale net;
  const Dataset data{Array{{1}, {2}}, Array{{0.5}, {0.5}}};
  const auto result = fit(net, data,
                          {.loss = loss::mean_squared_error,
                           .optimizer = optim::SGD{.learning_rate = 0.3, .momentum = 0.9},
                           .max_epochs = 50,
                           .patience = 4});
  EXPECT_EQ(evaluate(net, data, loss::mean_squared_error).loss, result.loss);
  EXPECT_EQ(result.reason, Reason::kNoImprovement);
}

TEST(Fit, SmallImprovementsDoNotCount) {
  nn::Sequential net = classifier();
  const auto result = fit(net, clouds(30),
                          {.loss = loss::cross_entropy,
                           .optimizer = optim::SGD{.learning_rate = 1e-4},
                           .patience = 3,
                           .min_delta = 0.5,
                           .restore_best = false});
  EXPECT_EQ(result.reason, Reason::kNoImprovement);
  EXPECT_EQ(result.epoch, 4);
  EXPECT_EQ(result.kept_epoch, 4);
}

TEST(Fit, StopsAtTheMaximumOfSeconds) {
  for (const bool batches : {false, true}) {
    nn::Sequential net = classifier();
    FitOptions options{.loss = loss::cross_entropy, .max_epochs = 1'000'000'000, .max_seconds = 0.05};
    if (batches) options.batch_size = 4;
    const auto result = fit(net, clouds(30), options);
    EXPECT_EQ(result.reason, Reason::kMaxSeconds);
    EXPECT_GE(result.seconds, 0.05);
    EXPECT_LT(result.seconds, 5);
    EXPECT_PRED2(contains, to_string(result), "maximum of seconds (0.05) at epoch ");
    EXPECT_LT(result.history.size(), 8300u);
    EXPECT_EQ(result.history.back().epoch, result.epoch);
  }
}

TEST(Fit, ALossThatIsNotANumberIsSaidWithoutASign) {
  nn::Sequential net = xor_network(2);
  // The square root of what is below 0 is NaN with a sign on some processors.
  const auto none = [](const Array& output, const Array&) { return sqrt(-1.0 - mean(square(output))); };
  const auto result = fit(net, {kX, kY}, {.loss = none});
  EXPECT_EQ(result.reason, Reason::kDiverged);
  EXPECT_PRED2(contains, result.explanation, "diverged (loss nan after step 1, in epoch 1: lower the learning rate");
}

TEST(Fit, SaysWhereItDivergedAndKeepsFiniteParameters) {
  for (const bool batches : {false, true}) {
    nn::Sequential net = xor_network(2);
    const auto before = values(net);
    FitOptions options{.loss = loss::mean_squared_error, .optimizer = optim::SGD{.learning_rate = 1e4}};
    if (batches) options.batch_size = 2;
    const auto result = fit(net, {kX, kY}, options);
    EXPECT_EQ(result.reason, Reason::kDiverged);
    EXPECT_PRED2(contains, result.explanation, "in epoch " + std::to_string(result.epoch + 1));
    EXPECT_PRED2(contains, result.explanation, "lower the learning rate, clip gradients");
    if (!batches) {
      EXPECT_EQ(values(net), before);
      EXPECT_EQ(result.kept_epoch, 0);
    }
    for (const Array& p : nn::parameters(net)) EXPECT_TRUE(all(isfinite(p)).item<bool>());
  }
}

TEST(Fit, SeesThatTheLastUpdateWasOneTooMany) {
  Scale net;
  const auto result =
      fit(net, {Array{{1e18}}, Array{{0}}},
          {.loss = loss::mean_squared_error, .optimizer = optim::SGD{.learning_rate = 1e10}, .max_epochs = 1});
  EXPECT_EQ(result.reason, Reason::kDiverged);
  EXPECT_PRED2(contains, result.explanation, "parameters not finite");
  EXPECT_EQ(net.w.value.item<float>(), 1.0F);
}

TEST(Fit, StopsWhenACallbackSaysSo) {
  nn::Sequential net = classifier();
  Arrays seen;
  const auto result =
      fit(net, clouds(50), {.loss = loss::cross_entropy, .batch_size = 10, .on_epoch = [&](const Epoch& epoch) {
                              EXPECT_EQ(epoch.steps, 5 * epoch.epoch);
                              seen.push_back(nn::parameters(net)[0]);
                              return epoch.epoch < 3;
                            }});
  EXPECT_EQ(result.reason, Reason::kStopped);
  EXPECT_EQ(result.epoch, 3);
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_NE(seen[0].to_vector<float>(), seen[1].to_vector<float>());
  EXPECT_EQ(seen[2].to_vector<float>(), nn::parameters(net)[0].to_vector<float>());

  const auto within = fit(net, clouds(50),
                          {.loss = loss::cross_entropy,
                           .batch_size = 10,
                           .on_progress = [](const Progress& p) { return p.examples < 20; },
                           .progress_seconds = 0});
  EXPECT_EQ(within.reason, Reason::kStopped);
  EXPECT_EQ(within.steps, 2);
  EXPECT_EQ(within.epoch, 0);
  EXPECT_PRED2(contains, to_string(within), "stopped (by the caller) before the end of epoch 1: 2 steps in ");
}

TEST(Fit, KeepsTheBestOfTheStarts) {
  nn::Sequential net = xor_network();
  FitOptions options = xor_options();
  options.max_epochs = 20;
  options.tolerance = 1e-30;
  const auto result = fit(net, {kX, kY}, options);
  EXPECT_EQ(result.reason, Reason::kMaxEpochs);
  EXPECT_EQ(result.restart, 10);
  for (const Epoch& epoch : result.history) {
    if (epoch.epoch == 20) {
      EXPECT_GE(epoch.loss, result.loss);
    }
  }
  EXPECT_LE(loss::mean_squared_error(net(kX), kY).item<float>(), result.loss);
  EXPECT_PRED2(contains, to_string(result), "maximum of epochs (20; loss not below 1e-30) at epoch 20, restart 10");
}

// ---- Interrupts -----------------------------------------------------------------------------------------------------

bool interrupt_is_default() {
  struct sigaction now = {};
  sigaction(SIGINT, nullptr, &now);
  return now.sa_handler == SIG_DFL;
}

TEST(Fit, IsInterruptedAfterTheRunningStep) {
  ASSERT_TRUE(interrupt_is_default());
  nn::Sequential net = classifier();
  const auto result = fit(net, clouds(50),
                          {.loss = loss::cross_entropy,
                           .batch_size = 10,
                           .on_progress =
                               [](const Progress& p) {
                                 if (p.epoch == 2) raise(SIGINT);
                                 return true;
                               },
                           .progress_seconds = 0});
  EXPECT_EQ(result.reason, Reason::kInterrupted);
  EXPECT_EQ(result.epoch, 1);
  EXPECT_EQ(result.steps, 7);
  EXPECT_PRED2(contains, to_string(result), "interrupted (SIGINT) at epoch 1");
  EXPECT_TRUE(interrupt_is_default());
}

TEST(Fit, IsInterruptedInItsFastestLoopWithTheBestKept) {
  nn::Sequential net = xor_network(1);
  std::thread sender([] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    while (interrupt_is_default()) std::this_thread::yield();
    kill(getpid(), SIGINT);
  });
  const auto result = fit(net, {kX, kY}, {.loss = loss::mean_squared_error, .max_epochs = 1'000'000'000'000});
  sender.join();
  EXPECT_EQ(result.reason, Reason::kInterrupted);
  EXPECT_TRUE(std::isfinite(result.loss));
  EXPECT_TRUE(interrupt_is_default());
}

TEST(FitDeathTest, ASecondInterruptEndsAtOnce) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto twice = [] {
    nn::Sequential net = classifier();
    fit(net, clouds(50), {.loss = loss::cross_entropy, .on_epoch = [](const Epoch&) {
                            raise(SIGINT);
                            raise(SIGINT);
                            return true;
                          }});
  };
  EXPECT_EXIT(twice(), testing::KilledBySignal(SIGINT), "");
}

TEST(Fit, LeavesSignalsAloneWhereAsked) {
  nn::Sequential net = classifier();
  const auto look = [&](bool catch_interrupt) {
    bool untouched = false;
    fit(net, clouds(20),
        {.loss = loss::cross_entropy,
         .max_epochs = 1,
         .on_epoch =
             [&](const Epoch&) {
               untouched = interrupt_is_default();
               return true;
             },
         .catch_interrupt = catch_interrupt});
    return untouched;
  };
  EXPECT_TRUE(look(false));
  EXPECT_FALSE(look(true));
  EXPECT_TRUE(interrupt_is_default());
}

TEST(Fit, LeavesAnIgnoredInterruptIgnored) {
  signal(SIGINT, SIG_IGN);
  nn::Sequential net = classifier();
  const auto result = fit(net, clouds(20), {.loss = loss::cross_entropy, .max_epochs = 3, .on_epoch = [](const Epoch&) {
                                              raise(SIGINT);
                                              return true;
                                            }});
  signal(SIGINT, SIG_DFL);
  EXPECT_EQ(result.reason, Reason::kMaxEpochs);
}

}  // namespace
}  // namespace pellucid
