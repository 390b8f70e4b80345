// Assessments: values equal those of metrics.h, intervals hold the truth as often as they say, the same bits for any
// number of threads, known values, errors.
#include "pellucid/assessment.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "pellucid/ops.h"
#include "pellucid/random.h"
#include "pellucid/threads.h"
#include "support/message.h"
#include "train/bootstrap.h"
#include "train/statistics.h"

namespace pellucid {
namespace {

struct Problem {
  Array p, y;
};

// Classes that scores tell, more or less.
Problem classes(std::int64_t rows, std::int64_t count, std::uint64_t seed) {
  const auto keys = random::split(random::key(seed), 2);
  const Array y = random::integers(keys[0], {rows}, 0, count);
  const Array scores = random::normal(keys[1], {rows, count}) + one_hot(y, count) * 1.5;
  return {.p = softmax(scores).evaluate(), .y = Array(y).evaluate()};
}

Problem numbers(std::int64_t rows, std::uint64_t seed) {
  const auto keys = random::split(random::key(seed), 2);
  const Array y = random::normal(keys[0], {rows}, 3.0, 2.0, float64);
  return {.p = (y + random::normal(keys[1], {rows}, 0.0, 0.5, float64)).evaluate(), .y = Array(y).evaluate()};
}

double value(const Assessment& assessment, const char* name) { return assessment.find(name)->model->value; }
Interval interval(const Assessment& assessment, const char* name) { return *assessment.find(name)->model->interval; }

TEST(Assessment, DrawsMeasureWhatMetricsMeasure) {
  for (const std::int64_t count : {2, 3, 12}) {
    const Problem problem = classes(400, count, 1);
    train::ClassRows rows{.classes = static_cast<std::size_t>(count),
                          .probabilities = problem.p.to_vector<double>(),
                          .truth = problem.y.to_vector<std::int32_t>()};
    // Equal scores must count half.
    for (double& p : rows.probabilities) p = std::round(p * 64) / 128 + 1e-3;
    const Array p = Array::from(rows.probabilities, problem.p.shape());
    std::vector<std::uint32_t> counts;
    for (std::uint32_t i = 0; i < 400; ++i) counts.push_back(i % 4);
    const Array weights = Array::from(std::vector<std::int32_t>(counts.begin(), counts.end()));
    const std::vector<double> values = train::class_statistic(rows)(counts);
    const auto average = count == 2 ? metrics::Average::kBinary : metrics::Average::kMacro;
    std::vector<double> expected = {metrics::accuracy(p, problem.y, weights)};
    if (count > 10) expected.push_back(metrics::top_k_accuracy(p, problem.y, 5, weights));
    expected.push_back(metrics::f1(argmax(p, 1), problem.y, average, weights));
    expected.push_back(metrics::roc_auc(count == 2 ? slice(p, 1, 1, 2) : p, problem.y, weights));
    expected.push_back(metrics::log_loss(p, problem.y, weights));
    expected.push_back(metrics::expected_calibration_error(p, problem.y, 15, weights));
    for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(values[i], expected[i], 1e-12) << count << ": " << i;
  }
  const Problem problem = numbers(300, 2);
  const std::vector<double> values = train::number_statistic(
      {.prediction = problem.p.to_vector<double>(), .truth = problem.y.to_vector<double>(), .low = {}, .high = {}})(
      std::vector<std::uint32_t>(300, 1));
  EXPECT_NEAR(values[0], metrics::r2(problem.p, problem.y), 1e-12);
  EXPECT_NEAR(values[1], metrics::root_mean_squared_error(problem.p, problem.y), 1e-12);
  EXPECT_NEAR(values[2], metrics::mean_absolute_error(problem.p, problem.y), 1e-12);
}

// The accuracy of coins that fall right with probability 0.8: 300 samples of 150 throws.
TEST(Assessment, IntervalsHoldTheTruthAsOftenAsTheySay) {
  int held = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const Array right = random::bernoulli(random::key(seed), {150}, 0.8);
    const Array one = astype(right, float32) * 0.8 + 0.1;  // the probability of class 1
    const Array p = stack({1.0 - one, one}, 1);
    const Interval found =
        interval(assess_classes(p, ones({150}, int64), {}, {.resamples = 400, .seed = seed}), "accuracy");
    held += found.low <= 0.8 && 0.8 <= found.high ? 1 : 0;
  }
  EXPECT_GE(held, 276);  // 92 %: two standard deviations of the count below 95 %
  EXPECT_LE(held, 294);
}

TEST(Assessment, LargeSetsAreResampledInPart) {
  const Problem problem = numbers(200'000, 3);
  const Assessment assessment = assess_numbers(problem.p, problem.y);
  const Interval found = interval(assessment, "root_mean_squared_error");
  const double expected = 2 * 1.96 * 0.5 / std::sqrt(2.0 * 200'000);  // of normal errors
  EXPECT_NEAR(found.high - found.low, expected, 0.15 * expected);
  EXPECT_LT(found.low, value(assessment, "root_mean_squared_error"));
  EXPECT_GT(found.high, value(assessment, "root_mean_squared_error"));
}

TEST(Assessment, BitsDoNotDependOnThreads) {
  const Problem problem = classes(500, 3, 4);
  const int before = threads();
  std::vector<double> first;
  for (const int count : {1, 2, 7}) {
    set_threads(count);
    std::vector<double> all;
    for (const AssessedMetric& metric : assess_classes(problem.p, problem.y).metrics) {
      all.insert(all.end(), {metric.model->value, metric.model->interval->low, metric.model->interval->high});
    }
    if (first.empty()) first = all;
    EXPECT_EQ(all, first) << count;
  }
  set_threads(before);
  const Assessment other = assess_classes(problem.p, problem.y, {}, {.seed = 1});
  EXPECT_NE(interval(other, "log_loss").low, interval(assess_classes(problem.p, problem.y), "log_loss").low);
}

TEST(Assessment, EveryIntervalHoldsItsValue) {
  const Problem problem = classes(200, 4, 5);
  const Assessment assessment = assess_classes(problem.p, problem.y);
  const auto holds = [](const Estimate& e) { return e.interval->low <= e.value && e.value <= e.interval->high; };
  for (const AssessedMetric& metric : assessment.metrics) EXPECT_TRUE(holds(*metric.model)) << metric.name;
  for (const ClassAssessment& c : assessment.classes) {
    EXPECT_TRUE(holds(c.precision) && holds(c.recall) && holds(c.f1));
  }
}

TEST(Assessment, NoErrorIsNotCertainty) {
  const Array p = {{0.9, 0.1}, {0.2, 0.8}, {0.9, 0.1}, {0.2, 0.8}, {0.9, 0.1}, {0.2, 0.8}, {0.9, 0.1}, {0.2, 0.8}};
  const Array y = Array::from(std::vector<std::int64_t>{0, 1, 0, 1, 0, 1, 0, 1});
  const Assessment assessment = assess_classes(p, y);
  EXPECT_EQ(value(assessment, "accuracy"), 1);
  EXPECT_NEAR(interval(assessment, "accuracy").low, 8 / (8 + 1.959964 * 1.959964), 1e-6);  // Wilson's
  EXPECT_EQ(interval(assessment, "accuracy").high, 1);
  EXPECT_FALSE(assessment.find("roc_auc")->model->interval);
}

TEST(Assessment, AWilsonIntervalIsAsPublished) {
  const Interval found = train::wilson(0.8, 10, 0.95);
  EXPECT_NEAR(found.low, 0.4902, 5e-5);
  EXPECT_NEAR(found.high, 0.9433, 5e-5);
}

TEST(Assessment, OneClassAloneHasNoArea) {
  const Problem problem = classes(50, 2, 6);
  const Assessment assessment = assess_classes(problem.p, zeros({50}, int64));
  EXPECT_FALSE(assessment.find("roc_auc")->model);
  EXPECT_FALSE(assessment.roc);
  EXPECT_EQ(assessment.classes[1].rows, 0);
  EXPECT_EQ(assessment.classes[1].recall.value, 0);
}

// The example of scikit-learn's average_precision_score and roc_curve.
TEST(Assessment, CurvesHaveKnownAreas) {
  const Array one = {0.1, 0.4, 0.35, 0.8};
  const Array y = Array::from(std::vector<std::int64_t>{0, 0, 1, 1});
  const Assessment assessment = assess_classes(stack({1.0 - one, one}, 1), y);
  EXPECT_NEAR(assessment.roc->area, 0.75, 1e-12);
  EXPECT_EQ(assessment.roc->x, (std::vector<double>{0, 0, 0.5, 0.5, 1}));
  EXPECT_EQ(assessment.roc->y, (std::vector<double>{0, 0.5, 0.5, 1, 1}));
  EXPECT_NEAR(assessment.precision_recall->area, 0.8333333333333333, 1e-12);
  const Problem problem = classes(5000, 2, 7);
  const Assessment large = assess_classes(problem.p, problem.y);
  EXPECT_NEAR(large.roc->area, value(large, "roc_auc"), 1e-12);
  EXPECT_LT(large.roc->x.size(), 400U);
  EXPECT_EQ(large.roc->x.back(), 1);
}

TEST(Assessment, BinsHoldAllRows) {
  const Problem problem = classes(777, 3, 8);
  const Assessment assessment = assess_classes(problem.p, problem.y);
  std::int64_t rows = 0;
  for (const ReliabilityBin& bin : assessment.reliability) {
    rows += bin.rows;
    if (bin.rows == 0) continue;
    EXPECT_GT(bin.mean_probability, bin.low);
    EXPECT_LE(bin.mean_probability, bin.high);
    EXPECT_LE(bin.share.interval->low, bin.share.value);
  }
  EXPECT_EQ(rows, 777);
  const Problem regression = numbers(2345, 9);
  const Residuals residuals = *assess_numbers(regression.p, regression.y).residuals;
  EXPECT_EQ(std::accumulate(residuals.counts.begin(), residuals.counts.end(), std::int64_t{0}), 2345);
  EXPECT_EQ(residuals.edges.size(), residuals.counts.size() + 1);
  EXPECT_EQ(residuals.predicted.size(), 1000U);
  EXPECT_NEAR(residuals.deviation, 0.5, 0.03);
  EXPECT_NEAR(residuals.quantiles[4], 0.5 * 1.645, 0.06);
}

TEST(Assessment, PredictedIntervalsAreCounted) {
  const Array y = {1, 2, 3, 4};
  const Assessment assessment =
      assess_numbers(y, y, y * 0.0, {.low = Array({0, 2.5, 2, 4}), .high = Array({1, 3, 4, 5})});
  EXPECT_EQ(value(assessment, "coverage"), 0.75);
  EXPECT_EQ(value(assessment, "interval_width"), 1.125);
  EXPECT_TRUE(assessment.find("coverage")->model->interval);
  EXPECT_FALSE(assessment.find("coverage")->baseline);
  EXPECT_TRUE(assessment.find("r2")->baseline);
  EXPECT_EQ(assessment.find("accuracy"), nullptr);
}

TEST(Assessment, ADifferenceIsSurerThanItsParts) {
  const Problem problem = numbers(400, 10);
  const Array better = (problem.p * 0.9 + problem.y * 0.1).evaluate();
  const auto difference = compare_numbers(problem.p, better, problem.y);
  ASSERT_EQ(difference[1].first, "root_mean_squared_error");
  const Estimate& rmse = difference[1].second;
  EXPECT_NEAR(rmse.value, -0.1 * value(assess_numbers(problem.p, problem.y), "root_mean_squared_error"), 1e-9);
  EXPECT_LT(rmse.interval->high, 0);
  const Interval alone = interval(assess_numbers(problem.p, problem.y), "root_mean_squared_error");
  EXPECT_LT(rmse.interval->high - rmse.interval->low, 0.3 * (alone.high - alone.low));
  const Problem two = classes(100, 2, 11);
  for (const auto& [name, estimate] : compare_classes(two.p, two.p, two.y)) {
    EXPECT_EQ(estimate.value, 0) << name;
    EXPECT_FALSE(estimate.interval) << name;
  }
}

TEST(Importance, FindsTheColumnThatMatters) {
  const auto keys = random::split(random::key(12), 2);
  const Array x = random::normal(keys[0], {500, 4}).evaluate();
  // The second column is two inputs, whose product alone counts.
  const auto model = [](const Array& rows) { return slice(rows, 1, 1, 2) * slice(rows, 1, 2, 3); };
  const Array y = model(x).evaluate();
  const auto error = [&](const Array& output) {
    return std::vector<double>{metrics::mean_squared_error(output, y), metrics::mean_absolute_error(output, y)};
  };
  std::vector<std::size_t> done;
  const auto found = permutation_importance(
      model, x, {{"a", 0, 1}, {"b", 1, 2}, {"c", 3, 1}}, error,
      {.repeats = 8, .seed = 1, .on_column = [&](std::size_t column) { done.push_back(column); }});
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0].column, "b");
  const double variance = metrics::mean_squared_error(y, zeros_like(y));
  EXPECT_NEAR(found[0].rise[0], 2 * variance, 0.2 * variance);  // of independent numbers of mean 0
  EXPECT_GT(found[0].deviation[0], 0);
  EXPECT_LT(found[0].deviation[0], 0.2 * variance);
  EXPECT_EQ(found[1].rise, (std::vector<double>{0, 0}));
  EXPECT_EQ(done, (std::vector<std::size_t>{1, 2, 3}));
}

TEST(Assessment, ErrorsSayWhatIsWrong) {
  const Problem problem = classes(10, 2, 13);
  const Array y = zeros({10});
  EXPECT_EQ(message_of([&] { assess_classes(problem.p, problem.y, {}, {.resamples = -1}); }),
            "assess_classes: -1 resamples; give 0 to 1,000,000");
  EXPECT_EQ(message_of([&] { assess_classes(problem.p, problem.y, {}, {.level = 1}); }),
            "assess_classes: the level of intervals is 1 and must be above 0 and below 1");
  EXPECT_EQ(message_of([&] { assess_classes(slice(problem.p, 1, 0, 1), problem.y); }),
            "assess_classes: probabilities of shape [10, 1]; give (rows, classes), with two classes at least");
  EXPECT_EQ(message_of([&] { assess_classes(problem.p, problem.y, y); }),
            "assess_classes: the baseline of shape [10] stands beside one of shape [10, 2]; give both the same");
  EXPECT_EQ(message_of([&] { assess_numbers(problem.p, problem.p); }),
            "assess_numbers: a target of shape [10, 2]; give one number for each row");
  const auto identity = [](const Array& x) { return x; };
  const auto nothing = [](const Array&) { return std::vector<double>{0}; };
  EXPECT_EQ(message_of([&] { permutation_importance(identity, y, {}, nothing); }),
            "permutation_importance: x must be float32 (rows, inputs) with at least one row");
  EXPECT_EQ(message_of([&] {
              permutation_importance(identity, problem.p, {{"a", 1, 2}}, nothing);
            }),
            "permutation_importance: column 'a' has inputs 1 to 2, and x has 2");
  EXPECT_EQ(message_of([&] { permutation_importance(identity, problem.p, {}, nothing, {.repeats = 0}); }),
            "permutation_importance: 0 repeats; there must be at least 1");
}

}  // namespace
}  // namespace pellucid
