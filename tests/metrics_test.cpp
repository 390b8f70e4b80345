// Metrics against scikit-learn (reference/make_metrics.py), known values, errors.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "pellucid/metrics.h"
#include "pellucid/ops.h"
#include "support/message.h"

namespace pellucid::metrics {
namespace {

using Json = nlohmann::json;

Array matrix(const Json& rows) {
  std::vector<double> values;
  for (const Json& row : rows) {
    for (const Json& value : row) values.push_back(value);
  }
  const auto n = static_cast<std::int64_t>(rows.size());
  return Array::from(values, {n, static_cast<std::int64_t>(values.size()) / n});
}

Array whole(const std::vector<std::int64_t>& values) { return Array::from(values); }

constexpr double kTolerance = 1e-12;

void expect_classes(const Json& data, const Array& w) {
  const Array target = whole(data["target"]), given = matrix(data["scores"]);
  const Json& expected = data["expected"];
  EXPECT_NEAR(accuracy(given, target, w), expected["accuracy"], kTolerance);
  const Array predicted = argmax(given, 1);
  EXPECT_NEAR(accuracy(predicted, target, w), expected["accuracy"], kTolerance);
  const Confusion confusion = confusion_matrix(predicted, target, given.size(1), w);
  for (std::size_t i = 0; i < confusion.size(); ++i) {
    for (std::size_t j = 0; j < confusion.size(); ++j)
      EXPECT_NEAR(confusion[i][j], expected["confusion"][i][j], kTolerance);
  }
  const std::pair<const char*, Average> averages[] = {{"macro", Average::kMacro},
                                                      {"micro", Average::kMicro},
                                                      {"weighted", Average::kWeighted},
                                                      {"binary", Average::kBinary}};
  for (const auto& [name, average] : averages) {
    if (!expected.contains(name)) continue;
    SCOPED_TRACE(name);
    EXPECT_NEAR(precision(given, target, average, w), expected[name][0], kTolerance);
    EXPECT_NEAR(recall(given, target, average, w), expected[name][1], kTolerance);
    EXPECT_NEAR(f1(given, target, average, w), expected[name][2], kTolerance);
  }
  for (std::int64_t k = 1; k <= 3; ++k) {
    const std::string name = "top_" + std::to_string(k);
    if (expected.contains(name)) {
      EXPECT_NEAR(top_k_accuracy(given, target, k, w), expected[name], kTolerance);
    }
  }
  if (expected.contains("roc_auc")) {
    EXPECT_NEAR(roc_auc(given, target, w), expected["roc_auc"], kTolerance);
  }
  if (expected.contains("roc_auc_of_1")) {
    const Array of_1 = slice(given, 1, 1, 2);
    EXPECT_NEAR(roc_auc(of_1, target, w), expected["roc_auc_of_1"], kTolerance);
    EXPECT_NEAR(log_loss(of_1, target, w), expected["log_loss"], kTolerance);
  }
  EXPECT_NEAR(log_loss(given, target, w), expected["log_loss"], kTolerance);
  EXPECT_NEAR(expected_calibration_error(given, target, 5, w), expected["calibration_5"], kTolerance);
  EXPECT_NEAR(expected_calibration_error(given, target, 15, w), expected["calibration_15"], kTolerance);
}

void expect_numbers(const Json& data, const Array& w) {
  const Array target = matrix(data["target"]), prediction = matrix(data["prediction"]);
  const Json& expected = data["expected"];
  EXPECT_NEAR(mean_absolute_error(prediction, target, w), expected["mean_absolute_error"], kTolerance);
  EXPECT_NEAR(mean_squared_error(prediction, target, w), expected["mean_squared_error"], kTolerance);
  EXPECT_NEAR(root_mean_squared_error(prediction, target, w), expected["root_mean_squared_error"], kTolerance);
  EXPECT_NEAR(r2(prediction, target, w), expected["r2"], kTolerance);
}

TEST(Metrics, AgreeWithScikitLearn) {
  std::ifstream file(PELLUCID_SOURCE_DIR "/tests/reference/metrics.json");
  const Json sets = Json::parse(file);
  ASSERT_EQ(sets.size(), 14u);
  for (std::size_t i = 0; i < sets.size(); ++i) {
    SCOPED_TRACE("set " + std::to_string(i));
    const Json& weights = sets[i]["weights"];
    const Array w = weights.is_null() ? Array() : Array::from(weights.get<std::vector<double>>());
    sets[i]["kind"] == "classes" ? expect_classes(sets[i], w) : expect_numbers(sets[i], w);
  }
}

TEST(Metrics, ThresholdsScoresOfOneClass) {
  const Array target = whole({0, 1, 1, 0});
  EXPECT_EQ(accuracy(Array{0.2, 0.6, 0.4, 0.9}, target), 0.5);
  EXPECT_EQ(accuracy(Array{{0.2}, {0.6}, {0.4}, {0.9}}, target, {}, 0.3), 0.75);
  EXPECT_EQ(accuracy(Array{{0.2}, {0.5}, {0.4}, {0.9}}, Array{{0}, {1}, {0}, {1}}), 1);
}

TEST(Metrics, OfNothingPredictedAreZero) {
  const Scores s = scores(whole({0, 0}), whole({0, 0}));
  EXPECT_EQ(s.precision, 0);
  EXPECT_EQ(s.recall, 0);
  EXPECT_EQ(s.f1, 0);
}

TEST(Metrics, RocAucOfConstantScoresIsHalf) {
  EXPECT_EQ(roc_auc(Array{1, 1, 1}, whole({0, 1, 0})), 0.5);
  EXPECT_EQ(roc_auc(Array{1, 2, 3}, whole({0, 0, 1})), 1);
}

TEST(Metrics, R2OfConstantTargets) {
  EXPECT_EQ(r2(Array{1, 1}, Array{1, 1}), 1);
  EXPECT_EQ(r2(Array{1, 2}, Array{1, 1}), 0);
}

TEST(Metrics, LogLossOfCertaintyIsFinite) {
  EXPECT_NEAR(log_loss(Array{1, 0}, whole({1, 1})), 26 * std::log(2.0), 1e-12);
}

TEST(MetricsError, ShapesAndValues) {
  const Array two = whole({0, 1}), none = zeros({0}, int64);
  EXPECT_PRED2(contains, message_of([&] { accuracy(Array(), two); }), "prediction is an undefined Array");
  EXPECT_PRED2(contains, message_of([&] { accuracy(Array(1), two); }), "is a scalar");
  EXPECT_PRED2(contains, message_of([&] { accuracy(none, none); }), "has no samples");
  EXPECT_PRED2(contains, message_of([&] { accuracy(Array{std::nan(""), 1}, two); }), "holds NaN");
  EXPECT_PRED2(contains, message_of([&] { accuracy(two, whole({0, 1, 2})); }), "target of shape [3] for 2 samples");
  EXPECT_PRED2(contains, message_of([&] { accuracy(two, Array{0.5, 1}); }), "holds 0.5, which is no class index");
  EXPECT_PRED2(contains, message_of([&] { accuracy(whole({0, -1}), two); }), "holds -1, which is no class index");
  EXPECT_PRED2(contains, message_of([&] { accuracy(zeros({2, 2, 2}), two); }), "give (samples) or (samples, classes)");
  EXPECT_PRED2(contains, message_of([&] { accuracy(zeros({2, 0}), two); }), "has no classes");
  EXPECT_PRED2(contains, message_of([&] { accuracy(zeros({2, 2}, int64), two); }), "must be floating");
  EXPECT_PRED2(contains, message_of([&] { accuracy(zeros({2, 2}), whole({0, 2})); }), "holds class 2, and there are 2");
}

TEST(MetricsError, Weights) {
  const Array two = whole({0, 1});
  EXPECT_PRED2(contains, message_of([&] { accuracy(two, two, Array{1}); }), "weights of shape [1] for 2 samples");
  EXPECT_PRED2(contains, message_of([&] { accuracy(two, two, Array{1, -1}); }), "the weight -1 is negative");
  EXPECT_PRED2(contains, message_of([&] { accuracy(two, two, Array{0, 0}); }), "all weights are 0");
}

TEST(MetricsError, Classes) {
  const Array two = whole({0, 1}), p = Array{0.5, 0.5};
  EXPECT_PRED2(contains, message_of([&] { top_k_accuracy(zeros({2, 2}), two, 0); }), "k is 0");
  EXPECT_PRED2(contains, message_of([&] { top_k_accuracy(p, two, 1); }), "give (samples, classes)");
  EXPECT_PRED2(contains, message_of([&] { confusion_matrix(two, two, 0); }), "0 classes");
  EXPECT_PRED2(contains, message_of([&] { confusion_matrix(two, whole({0, 0}), 1); }), "class 1 is predicted");
  EXPECT_PRED2(contains, message_of([&] { confusion_matrix(two, whole({0, 100000})); }), "class 100000 is too large");
  EXPECT_PRED2(contains, message_of([&] { f1(whole({0, 2}), two); }), "class 2 occurs, and Average::kBinary");
  EXPECT_PRED2(contains, message_of([&] { scores(Confusion{{1, 2}}); }), "must be square");
  EXPECT_PRED2(contains, message_of([&] { scores(Confusion{{0, 0}, {0, 0}}, Average::kMacro); }), "holds no samples");
}

TEST(MetricsError, Scores) {
  const Array two = whole({0, 1}), ones_only = whole({1, 1}), p = Array{0.5, 0.5};
  EXPECT_PRED2(contains, message_of([&] { roc_auc(p, whole({0, 0})); }), "no sample is of class 1");
  EXPECT_PRED2(contains, message_of([&] { roc_auc(p, ones_only); }), "all samples are of class 1");
  EXPECT_PRED2(contains, message_of([&] { roc_auc(zeros({2, 1, 1}), two); }), "give (samples) or (samples, classes)");
  EXPECT_PRED2(contains, message_of([&] { log_loss(Array{1.5, 0}, two); }), "1.5 is no probability");
  EXPECT_PRED2(contains, message_of([&] { log_loss(zeros({2, 0}), two); }), "probabilities of shape [2, 0]");
  EXPECT_PRED2(contains, message_of([&] { log_loss(zeros({2, 2}), two); }), "are all 0");
  EXPECT_PRED2(contains, message_of([&] { expected_calibration_error(p, two, 0); }), "0 bins");
}

TEST(MetricsError, Regression) {
  EXPECT_PRED2(contains, message_of([] { r2(zeros({2, 1}), zeros({2})); }), "differ in shape");
  EXPECT_PRED2(contains, message_of([] { mean_absolute_error(zeros({2, 0}), zeros({2, 0})); }), "has no elements");
}

}  // namespace
}  // namespace pellucid::metrics
