// fit: what it computes and gives back.
#include <gtest/gtest.h>

#include <cmath>
#include <sstream>

#include "pellucid/pellucid.h"
#include "support/fit_problems.h"
#include "support/message.h"

namespace pellucid {
namespace {

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

}  // namespace
}  // namespace pellucid
