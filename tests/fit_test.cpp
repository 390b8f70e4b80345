// fit: what it computes, why it stops, what it gives back, what it says to bad input.
#include <gtest/gtest.h>
#include <signal.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <sstream>
#include <thread>

#include "pellucid/pellucid.h"
#include "support/message.h"

namespace pellucid {
namespace {

const Array kX = {{0, 0}, {0, 1}, {1, 0}, {1, 1}};
const Array kY = {{0}, {1}, {1}, {0}};
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

nn::Sequential xor_network(std::uint64_t seed = 0) {
  nn::Sequential mlp{nn::Linear(2, 4), nn::ReLU(), nn::Linear(4, 1)};
  nn::initialize(mlp, random::key(seed));
  return mlp;
}

FitOptions xor_options() {
  return {.loss = loss::mean_squared_error,
          .optimizer = optim::SGD{.learning_rate = 0.1},
          .max_epochs = 1000,
          .tolerance = 1e-6,
          .restarts = 10};
}

/// Three clouds of points around the corners of a triangle.
Dataset clouds(std::int64_t n, std::uint64_t seed = 5) {
  const auto keys = random::split(random::key(seed), 2);
  const Array y = random::integers(keys[0], {n}, 0, 3).evaluate();
  const Array centers = {{2, 0}, {-1, 2}, {-1, -2}};
  return {(take(centers, y) + random::normal(keys[1], {n, 2}, 0, 0.8)).evaluate(), y};
}

nn::Sequential classifier(std::uint64_t seed = 1) {
  nn::Sequential net{nn::Linear(2, 8), nn::Tanh(), nn::Linear(8, 3)};
  nn::initialize(net, random::key(seed));
  return net;
}

std::vector<std::vector<float>> values(nn::View module) {
  std::vector<std::vector<float>> all;
  for (const Array& p : nn::parameters(module)) all.push_back(p.to_vector<float>());
  for (const Array& p : nn::buffers(module)) all.push_back(p.to_vector<float>());
  return all;
}

// ---- What it computes -----------------------------------------------------------------------------------------------

TEST(Fit, LearnsXor) {
  nn::Sequential mlp{nn::Linear(2, 4), nn::ReLU(), nn::Linear(4, 1)};
  const auto result = fit(mlp, {kX, kY}, xor_options());
  EXPECT_TRUE(result.converged());
  EXPECT_LT(result.loss, 1e-6);
  EXPECT_LT(loss::mean_squared_error(mlp(kX), kY).item<float>(), 1e-6F);
  std::ostringstream text;
  text << result;
  EXPECT_PRED2(contains, text.str(), "converged (loss below 1e-6) at epoch " + std::to_string(result.epoch));
  EXPECT_EQ(result.history.back().epoch, result.epoch);
  EXPECT_EQ(result.history.back().learning_rate, 0.1);
}

TEST(Fit, StartsAgainUntilXorIsLearned) {
  std::int64_t most = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    nn::Sequential mlp = xor_network(seed);
    FitOptions options = xor_options();
    options.seed = seed;
    const auto result = fit(mlp, {kX, kY}, options);
    EXPECT_TRUE(result.converged()) << seed << ": " << to_string(result);
    if (result.restart > 0) {
      EXPECT_PRED2(contains, to_string(result), ", restart " + std::to_string(result.restart));
    }
    most = std::max(most, result.restart);
  }
  EXPECT_GT(most, 1);
}

/// The loop of train.h's comment.
Arrays by_hand(nn::Sequential& net, const Dataset& data, const optim::Optimizer& optimizer, std::int64_t epochs,
               std::int64_t batch, std::uint64_t seed) {
  const auto f = nn::functional(net, [&](const Arrays& in) { return Arrays{loss::cross_entropy(net(in[0]), in[1])}; });
  Arrays state = nn::parameters(net);
  const std::size_t count = state.size();
  auto step = compile(optim::training_step(f, optimizer, count));
  for (const Array& s : optimizer.init(state)) state.push_back(s);
  const auto keys = random::split(random::key(seed), 3);
  const std::int64_t n = data.x.size(0);
  for (std::int64_t epoch = 1; epoch <= epochs; ++epoch) {
    const Array order = random::permutation(random::fold_in(random::fold_in(keys[0], 0), epoch), n);
    for (std::int64_t at = 0; at < n; at += batch) {
      const Array rows = slice(batch < n ? order : arange(n), 0, at, std::min(at + batch, n));
      step.step(state, {take(data.x, rows), take(data.y, rows)});
    }
  }
  return {state.begin(), state.begin() + static_cast<std::ptrdiff_t>(count)};
}

TEST(Fit, IsTheLoopByHand) {
  const Dataset data = clouds(100);
  for (const std::int64_t batch : {100, 32, 7, 1}) {
    for (const optim::Optimizer& optimizer :
         {optim::Optimizer(optim::SGD{.learning_rate = 0.1}), optim::Optimizer(optim::Adam{.learning_rate = 0.01})}) {
      nn::Sequential a = classifier(), b = classifier();
      const auto result =
          fit(a, data,
              {.loss = loss::cross_entropy, .optimizer = optimizer, .max_epochs = 3, .batch_size = batch, .seed = 11});
      EXPECT_EQ(result.steps, 3 * ((100 + batch - 1) / batch));
      nn::set_parameters(b, by_hand(b, data, optimizer, 3, batch, 11));
      EXPECT_EQ(values(a), values(b)) << "batch " << batch;
    }
  }
}

/// y = w x with its loss a mean: what an epoch's loss is made of.
struct Scale : nn::Module {
  nn::Parameter w = ones({1});
  Array operator()(const Array& x) const { return w * x; }
};

TEST(Fit, SeesEveryExampleOnceInAnEpoch) {
  for (const std::int64_t n : {9, 10, 11, 12}) {
    for (const bool shuffle : {true, false}) {
      Scale net;
      const Array x = reshape(arange(0, static_cast<double>(n), 1, float32), {n, 1});
      const auto result = fit(net, {x, zeros({n, 1})},
                              {.loss = loss::mean_squared_error,
                               .optimizer = optim::SGD{.learning_rate = 0},
                               .max_epochs = 3,
                               .batch_size = 4,
                               .shuffle = shuffle});
      for (const Epoch& epoch : result.history) EXPECT_NEAR(epoch.loss, mean(square(x)).item<float>(), 1e-5) << n;
      EXPECT_EQ(result.steps, n == 9 ? 6 : 9);  // of 9, the one left over joins the second batch
    }
  }
}

TEST(Fit, WithoutShuffleTakesExamplesInOrder) {
  Scale net;
  std::vector<double> losses;
  fit(net, {Array{{1}, {1}, {2}, {2}, {3}, {3}}, zeros({6, 1})},
      {.loss = loss::mean_squared_error,
       .optimizer = optim::SGD{.learning_rate = 0},
       .max_epochs = 1,
       .batch_size = 2,
       .shuffle = false,
       .on_progress =
           [&](const Progress& p) {
             losses.push_back(p.loss);
             EXPECT_EQ(p.total, 6);
             EXPECT_EQ(p.examples, static_cast<std::int64_t>(2 * losses.size()));
             return true;
           },
       .progress_seconds = 0});
  EXPECT_EQ(losses, (std::vector<double>{1, 2.5, 14.0 / 3}));
}

struct Regular : nn::Module {
  nn::Linear first{2, 8};
  nn::BatchNorm1d norm{8};
  nn::Dropout dropout{0.3};
  nn::Linear last{8, 3};
  Array operator()(const Array& x) const { return last(dropout(relu(norm(first(x))))); }
};

TEST(Fit, KeepsRunningStatisticsAndDrawsMasksByTheSeed) {
  const Dataset data = clouds(90);
  const auto train = [&](std::uint64_t seed) {
    Regular net;
    nn::initialize(net, random::key(3));
    fit(net, data, {.loss = loss::cross_entropy, .max_epochs = 4, .batch_size = 32, .seed = seed});
    return values(net);
  };
  const auto once = train(1);
  EXPECT_EQ(once, train(1));
  EXPECT_NE(once, train(2));
  Regular fresh;
  EXPECT_NE(once.back(), values(fresh).back());
}

TEST(Fit, DrawsMasksAsTheCommentSays) {
  const Dataset data = clouds(40);
  Regular a, b;
  nn::initialize(a, random::key(3));
  nn::initialize(b, random::key(3));
  const optim::Optimizer optimizer = optim::SGD{.learning_rate = 0.1};
  fit(a, data, {.loss = loss::cross_entropy, .optimizer = optimizer, .max_epochs = 5, .seed = 9});
  const auto key = random::fold_in(random::split(random::key(9), 3)[1], 0);
  for (std::int64_t step = 0; step < 5; ++step) {
    const auto f = nn::functional(b, [&](const Arrays& in) {
      const nn::Context context(random::fold_in(key, step));
      return Arrays{loss::cross_entropy(b(in[0]), in[1])};
    });
    Arrays arguments = nn::parameters(b);
    const std::size_t count = arguments.size();
    GradOptions which;
    for (std::size_t i = 0; i < count; ++i) which.arguments.push_back(static_cast<int>(i));
    for (const Array& buffer : nn::buffers(b)) arguments.push_back(buffer);
    arguments.push_back(data.x);
    arguments.push_back(data.y);
    const auto [value, gradients, buffers] = value_and_grad(f, which)(arguments);
    nn::set_parameters(b, optimizer.update(nn::parameters(b), gradients, {}).parameters);
    nn::set_buffers(b, buffers);
  }
  EXPECT_EQ(values(a), values(b));
}

TEST(Fit, LeavesFrozenParametersAsTheyAre) {
  nn::Sequential net = classifier();
  nn::freeze(net, "0");
  const auto before = values(net);
  fit(net, clouds(60), {.loss = loss::cross_entropy, .max_epochs = 3, .tolerance = 1e-9, .restarts = 2});
  const auto after = values(net);
  EXPECT_EQ(before[0], after[0]);
  EXPECT_EQ(before[1], after[1]);
  EXPECT_NE(before[2], after[2]);
}

TEST(Fit, GivesTheSameBitsForAnyNumberOfThreads) {
  const Dataset data = clouds(1000);
  const auto train = [&](int count) {
    set_threads(count);
    Regular net;
    nn::initialize(net, random::key(4));
    const auto result = fit(
        net, data,
        {.loss = loss::cross_entropy, .max_epochs = 2, .batch_size = 300, .validation = 0.2, .metrics = {"accuracy"}});
    return std::tuple(values(net), result.loss, *result.validation_loss, result.metrics);
  };
  const int before = threads();
  const auto one = train(1);
  for (const int count : {2, 3, 7}) EXPECT_EQ(one, train(count)) << count;
  set_threads(before);
}

TEST(Fit, CountsExamplesByTheirWeights) {
  const Dataset all = clouds(60);
  std::vector<float> weights(60, 1);
  for (std::size_t i = 40; i < 60; ++i) weights[i] = 0;
  const Dataset some{slice(all.x, 0, 0, 40), slice(all.y, 0, 0, 40)};
  nn::Sequential a = classifier(), b = classifier();
  FitOptions options{.loss = loss::cross_entropy, .optimizer = optim::SGD{.learning_rate = 0.1}, .max_epochs = 20};
  const auto with = fit(a, {all.x, all.y, Array::from(weights)}, options);
  const auto without = fit(b, some, options);
  EXPECT_NEAR(with.loss, without.loss, 1e-5);
}

TEST(Fit, ClassWeightsAreWeightsOfExamples) {
  const Dataset data = clouds(60);
  const Array factors = {1, 2, 0.5};
  nn::Sequential a = classifier(), b = classifier();
  FitOptions options{.loss = loss::cross_entropy, .max_epochs = 5, .batch_size = 16};
  fit(a, {data.x, data.y, take(factors, data.y)}, options);
  options.class_weights = factors;
  fit(b, data, options);
  EXPECT_EQ(values(a), values(b));
}

TEST(Fit, TrainsInFloat64) {
  nn::Sequential net = xor_network(6);
  nn::astype(net, float64);
  FitOptions options = xor_options();
  options.tolerance = 1e-12;
  options.max_epochs = 4000;
  const auto result = fit(net, {astype(kX, float64), kY}, options);
  EXPECT_TRUE(result.converged()) << to_string(result);
  EXPECT_EQ(nn::parameters(net)[0].dtype(), float64);
}

// ---- Why it stops ---------------------------------------------------------------------------------------------------

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

// ---- Validation, schedules, averages --------------------------------------------------------------------------------

TEST(Fit, HoldsOutAShareOfEachClass) {
  nn::Sequential net = classifier();
  std::int64_t total = 0;
  const auto result =
      fit(net, clouds(100),
          {.loss = loss::cross_entropy,
           .max_epochs = 2,
           .batch_size = 10,
           .validation = 0.25,
           .metrics = {"accuracy", Metric("examples", [](const Array&, const Array& y,
                                                         const Array&) { return static_cast<double>(y.size(0)); })},
           .on_progress =
               [&](const Progress& p) {
                 total = p.total;
                 return true;
               },
           .progress_seconds = 0});
  EXPECT_EQ(total, 75);
  ASSERT_TRUE(result.validation_loss);
  EXPECT_EQ(result.metrics[1].second, 25);
}

TEST(Fit, ComputesMetricsOnTrainingDataWhereThereIsNoOther) {
  Scale net;
  const Array x = {{1}, {2}}, y = {{1}, {3}};
  const auto result = fit(net, {x, y},
                          {.loss = loss::mean_squared_error,
                           .optimizer = optim::SGD{.learning_rate = 0},
                           .max_epochs = 1,
                           .metrics = {"mean_absolute_error", "root_mean_squared_error", "r2"}});
  EXPECT_NEAR(result.metrics[0].second, 0.5, 1e-12);
  EXPECT_NEAR(result.metrics[1].second, std::sqrt(0.5), 1e-12);
  EXPECT_NEAR(result.metrics[2].second, 0.5, 1e-12);
}

TEST(Fit, LowersTheRateOnAPlateau) {
  Scale net;
  const auto result =
      fit(net, {Array{{1}}, Array{{0}}},
          {.loss = loss::mean_squared_error,
           .optimizer = optim::SGD{.learning_rate = schedule::OnPlateau{.initial = 1, .factor = 0.5, .patience = 1}},
           .max_epochs = 6});  // with this rate w jumps between 1 and -1
  EXPECT_EQ(result.history.front().learning_rate, 1);
  EXPECT_LT(result.history.back().learning_rate, 1);
  EXPECT_LT(result.loss, 1);
}

TEST(Fit, ReportsTheRateOfASchedule) {
  const schedule::Exponential rate{.initial = 0.5, .factor = 0.5};
  for (const bool batches : {false, true}) {
    nn::Sequential net = classifier();
    FitOptions options{.loss = loss::cross_entropy, .optimizer = optim::SGD{.learning_rate = rate}, .max_epochs = 3};
    if (batches) options.batch_size = 5;
    const auto result = fit(net, clouds(10), options);
    for (std::size_t i = 0; i < 3; ++i) {
      const double steps = static_cast<double>(batches ? 2 * i + 1 : i);
      EXPECT_NEAR(result.history[i].learning_rate, 0.5 * std::pow(0.5, steps), 1e-12);
    }
  }
}

TEST(Fit, GivesAveragedParametersWhereTheOptimiserKeepsThem) {
  nn::Sequential plain = classifier(), averaged = classifier();
  const Dataset data = clouds(50);
  FitOptions options{.loss = loss::cross_entropy, .optimizer = optim::SGD{.learning_rate = 0.1}, .max_epochs = 1};
  const auto start = nn::parameters(plain)[0].to_vector<float>();
  fit(plain, data, options);
  options.optimizer = optim::Optimizer(optim::SGD{.learning_rate = 0.1}, {.average = 0.5});
  fit(averaged, data, options);
  const auto a = nn::parameters(plain)[0].to_vector<float>(), b = nn::parameters(averaged)[0].to_vector<float>();
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(b[i], (start[i] + a[i]) / 2, 1e-6);
}

TEST(Predict, IsTheModuleInEvaluationInBatches) {
  Regular net;
  const Dataset data = clouds(100);
  const Array all = predict(net, data.x), parts = predict(net, data.x, 33);
  EXPECT_EQ(all.to_vector<float>(), parts.to_vector<float>());
  EXPECT_EQ(all.to_vector<float>(), net(data.x).to_vector<float>());
  EXPECT_EQ(message_of([&] { predict(net, zeros({0, 2})); }), "predict: there are no rows in x");
  EXPECT_PRED2(contains, message_of([&] { predict(net, data.x, 0); }), "predict: batch_size 0");
  EXPECT_PRED2(contains, message_of([&] { predict(net, zeros({4, 3})); }), "Linear");
}

TEST(Evaluate, GivesLossAndMetrics) {
  nn::Sequential net = classifier();
  const Dataset data = clouds(100);
  const Evaluation found = evaluate(net, data, loss::cross_entropy, {"accuracy", "log_loss", "f1", "roc_auc"}, 30);
  EXPECT_NEAR(found.loss, loss::cross_entropy(net(data.x), data.y).item<float>(), 1e-6);
  EXPECT_EQ(found.metrics[0].second, metrics::accuracy(net(data.x), data.y));
  EXPECT_NEAR(found.metrics[1].second, found.loss, 1e-5);
  EXPECT_EQ(found.metrics[2].second, metrics::f1(net(data.x), data.y, metrics::Average::kMacro));
  EXPECT_PRED2(contains, message_of([&] {
                 evaluate(net, {data.x, zeros({3})}, loss::cross_entropy);
               }),
               "evaluate: x [100, 2] has 100 examples and y [3] has 3");
}

TEST(Metric, TakesScoresOfOneColumnAsLogits) {
  const Array p = {{-1}, {0.2}, {2}, {-3}}, y = {{0}, {1}, {1}, {1}};
  EXPECT_EQ(Metric("accuracy").compute(p, y, {}), 0.75);
  EXPECT_EQ(Metric("recall").compute(p, y, {}), 2.0 / 3);
  EXPECT_FALSE(Metric("log_loss").maximize);
  EXPECT_GE(metric_names().size(), 12u);
  EXPECT_PRED2(contains, message_of([] { Metric("acuracy"); }), "Metric: there is no 'acuracy'; there are accuracy, ");
}

// ---- Bad input ------------------------------------------------------------------------------------------------------

std::string fit_message(const Dataset& data, const FitOptions& options) {
  nn::Sequential net = classifier();
  const auto before = values(net);
  const std::string message = message_of([&] { fit(net, data, options); });
  EXPECT_EQ(values(net), before);
  return message;
}

TEST(FitErrors, NameWhatIsWrongWithTheData) {
  const FitOptions options{.loss = loss::cross_entropy};
  const Dataset good = clouds(10);
  const auto says = [&](const Dataset& data, const std::string& part) {
    EXPECT_PRED2(contains, fit_message(data, options), part);
  };
  says({}, "fit: x is an undefined Array; give examples as {x, y}");
  says({good.x, {}}, "fit: y is an undefined Array");
  says({zeros({0, 2}), zeros({0}, int64)}, "fit: there are no examples: x has shape [0, 2]");
  says({good.x, zeros({9}, int64)}, "fit: x [10, 2] has 10 examples and y [9] has 9; give one y for each x");
  says({Array(1.0), good.y}, "fit: x [] and y [10] need a leading axis");
  std::vector<float> numbers = good.x.to_vector<float>();
  numbers[7] = std::numeric_limits<float>::quiet_NaN();
  says({Array::from(numbers, {10, 2}), good.y}, "fit: x holds nan in row 3 (of 10, from 0)");
  numbers[7] = std::numeric_limits<float>::infinity();
  says({Array::from(numbers, {10, 2}), good.y}, "fit: x holds inf in row 3");
  std::vector<std::int64_t> labels = good.y.to_vector<std::int64_t>();
  labels[6] = 3;
  says({good.x, Array::from(labels)}, "cross_entropy: target 3 at position 6 is no class; there are 3 classes, 0 to 2");
  labels[6] = -1;
  says({good.x, Array::from(labels)}, "cross_entropy: target -1 at position 6 is no class");
  says({zeros({10, 3}), good.y}, "Linear: ");
  says({good.x, good.y, ones({9})}, "fit: weights of shape [9] for 10 examples");
  says({good.x, good.y, zeros({10})}, "fit: all weights are 0");
  says({good.x, good.y, full({10}, -1.0)}, "fit: the weight -1 of example 0 is negative");
  says({good.x, good.y, full({10}, kNan)}, "fit: weights holds nan in row 0");

  FitOptions validated = options;
  validated.validation = Dataset{good.x, Array::from(labels)};
  EXPECT_PRED2(contains, fit_message(good, validated), "cross_entropy: target -1 at position 6 is no class");
  validated.validation = Dataset{good.x, zeros({3}, int64)};
  EXPECT_PRED2(contains, fit_message(good, validated), "fit (validation): x [10, 2] has 10 examples and y [3] has 3");
}

TEST(FitErrors, NameTheOptionThatIsOutOfRange) {
  const Dataset good = clouds(10);
  const auto says = [&](auto change, const std::string& part) {
    FitOptions options{.loss = loss::cross_entropy};
    change(options);
    EXPECT_PRED2(contains, fit_message(good, options), part);
  };
  using O = FitOptions&;
  says([](O o) { o.loss = {}; }, "fit: no loss is given; set .loss");
  says([](O o) { o.max_epochs = 0; }, "fit: max_epochs 0 must be at least 1");
  says([](O o) { o.batch_size = 0; }, "fit: batch_size 0 must be at least 1");
  says([](O o) { o.restarts = -1; }, "fit: restarts -1 must be at least 0");
  says([](O o) { o.restarts = 2; }, "fit: restarts 2 need a tolerance");
  says([](O o) { o.stall_epochs = 0; }, "fit: stall_epochs 0 must be at least 1");
  says([](O o) { o.stall_decrease = 1; }, "fit: stall_decrease 1 must be in [0, 1)");
  says([](O o) { o.tolerance = 0; }, "fit: tolerance 0 must be more than 0");
  says([](O o) { o.patience = 0; }, "fit: patience 0 must be at least 1");
  says([](O o) { o.min_delta = -1; }, "fit: min_delta -1 must be at least 0");
  says([](O o) { o.target = kNan; }, "fit: target nan is not a finite number");
  says([](O o) { o.max_seconds = 0; }, "fit: max_seconds 0 must be more than 0");
  says([](O o) { o.progress_seconds = -1; }, "fit: progress_seconds -1 must be at least 0");
  for (const double share : {0.0, 1.0, -0.5, kNan}) {
    says([&](O o) { o.validation = share; }, "must be a share of the examples between 0 and 1");
  }
  says([](O o) { o.monitor = "accuracy"; }, "fit: monitor 'accuracy' is none of what is computed here: loss");
  says([](O o) { o.monitor = "validation_loss"; }, "fit: monitor 'validation_loss' is none");
  says([](O o) { o.metrics = {Metric("mine", nullptr)}; }, "fit: the metric 'mine' has no function");
  says([](O o) { o.class_weights = ones({2}); }, "and class_weights has 2 classes, 0 to 1");
  says([](O o) { o.class_weights = ones({3, 1}); }, "fit: class_weights of shape [3, 1]");
  says([](O o) { o.class_weights = Array{1, -1, 1}; }, "fit: the weight -1 of class 1 is negative");
  says([](O o) { o.class_weights = Array{1, kNan, 1}; }, "fit: class_weights holds nan in row 1");
  says([](O o) { o.loss = loss::CrossEntropy{.reduction = loss::Reduction::kNone}; },
       "fit: cross_entropy gives float32[10], not one floating number");
  says([](O o) { o.optimizer = optim::Optimizer(optim::Adam{}, {.groups = {{.pattern = "9.*"}}}); },
       "pattern '9.*' matches none");
}

TEST(FitErrors, NeedSomethingToTrain) {
  const FitOptions options{.loss = loss::mean_squared_error};
  nn::Sequential empty{nn::ReLU()};
  EXPECT_PRED2(contains, message_of([&] {
                 fit(empty, {kX, kX}, options);
               }),
               "fit: Sequential has no parameter to train");
  nn::Sequential frozen = xor_network();
  nn::freeze(frozen);
  EXPECT_PRED2(contains, message_of([&] { fit(frozen, {kX, kY}, options); }), "all are frozen; nn::unfreeze some");
  EXPECT_PRED2(contains, message_of([&] {
                 nn::Sequential net = xor_network();
                 fit(net, {kX, kY}, {.loss = loss::mean_squared_error, .class_weights = ones({2})});
               }),
               "fit: class_weights need class indices, y of integers (n); y is float32[4, 1]");
  EXPECT_PRED2(contains, message_of([&] {
                 Scale net;
                 fit(net, {Array{{1}}, Array{{1}}}, {.loss = loss::mean_squared_error, .validation = 0.5});
               }),
               "fit: validation 0.5 of 1 example leaves nothing to train on");
}

TEST(FitErrors, NeedSomethingToValidateOn) {
  FitOptions options{.loss = loss::cross_entropy, .validation = 0.3};
  EXPECT_PRED2(contains, fit_message({zeros({3, 2}), arange(3)}, options),
               "fit: validation 0.3 of 3 examples leaves none to validate on");
}

struct Idle : nn::Module {
  nn::Parameter used = ones({1}), idle = ones({1});
  Array operator()(const Array& x) const { return used * x; }
};

TEST(FitErrors, NameParametersWithoutInfluence) {
  Idle net;
  const Dataset data{Array{{1}}, Array{{1}}};
  EXPECT_PRED2(contains, message_of([&] { fit(net, data, {.loss = loss::mean_squared_error}); }), "'idle'");
  fit(net, data, {.loss = loss::mean_squared_error, .max_epochs = 2, .allow_unused = true});
  EXPECT_EQ(net.idle.value.item<float>(), 1.0F);
}

}  // namespace
}  // namespace pellucid
