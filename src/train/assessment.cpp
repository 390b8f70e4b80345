// Assessments: values from metrics.h over all rows, intervals from draws of some.
#include "pellucid/assessment.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/fail.h"
#include "pellucid/ops.h"
#include "train/bootstrap.h"
#include "train/curves.h"
#include "train/statistics.h"

namespace pellucid {
namespace {

using train::ClassRows;
using train::Draws;
using train::NumberRows;
using train::Statistic;

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
// Rows that are resampled, times what a row costs: about a quarter of a second for 1000 draws on two cores.
constexpr std::int64_t kWork = 400'000;

template <class F>
double perhaps(F f) {
  try {
    return f();
  } catch (const Error&) {
    return kNone;
  }
}

double class_metric(const std::string& name, const Array& p, const Array& y) {
  const bool two = p.size(1) == 2;
  const auto average = two ? metrics::Average::kBinary : metrics::Average::kMacro;
  if (name == "accuracy") return metrics::accuracy(p, y);
  if (name == "top_5_accuracy") return metrics::top_k_accuracy(p, y, 5);
  if (name == "f1") return metrics::f1(argmax(p, 1), y, average);
  if (name == "roc_auc") return perhaps([&] { return metrics::roc_auc(two ? slice(p, 1, 1, 2) : p, y); });
  if (name == "log_loss") return metrics::log_loss(p, y);
  return metrics::expected_calibration_error(p, y, train::kCalibrationBins);
}

bool larger_is_better(const std::string& name) {
  return name != "log_loss" && name != "expected_calibration_error" && name != "root_mean_squared_error" &&
         name != "mean_absolute_error" && name != "interval_width";
}

bool is_share(const std::string& name) { return name == "accuracy" || name == "top_5_accuracy" || name == "coverage"; }

ClassRows class_rows(const Array& probabilities, const Array& target, const std::vector<std::int64_t>& chosen) {
  const auto all = static_cast<std::size_t>(target.size());
  const std::vector<double> p = probabilities.to_vector<double>();
  const std::vector<std::int32_t> y = target.to_vector<std::int32_t>();
  ClassRows rows{.classes = p.size() / all, .probabilities = {}, .truth = {}};
  for (const std::int64_t row : chosen) {
    const auto at = p.begin() + row * static_cast<std::int64_t>(rows.classes);
    rows.probabilities.insert(rows.probabilities.end(), at, at + static_cast<std::int64_t>(rows.classes));
    rows.truth.push_back(y[static_cast<std::size_t>(row)]);
  }
  return rows;
}

std::vector<double> chosen_of(const Array& values, const std::vector<std::int64_t>& chosen) {
  std::vector<double> result;
  if (!values.defined()) return result;
  const std::vector<double> all = values.to_vector<double>();
  for (const std::int64_t row : chosen) result.push_back(all[static_cast<std::size_t>(row)]);
  return result;
}

NumberRows number_rows(const Array& prediction, const Array& target, const PredictedIntervals& intervals,
                       const std::vector<std::int64_t>& chosen) {
  return {.prediction = chosen_of(prediction, chosen),
          .truth = chosen_of(target, chosen),
          .low = chosen_of(intervals.low, chosen),
          .high = chosen_of(intervals.high, chosen)};
}

// What is said of the rows that draws are made from.
struct Resampled {
  std::vector<double> centre;  // the statistic of the rows themselves
  Draws draws;
  double shrink = 1;
};

Resampled resample(const Statistic& statistic, std::size_t rows, std::int64_t all, const AssessOptions& options) {
  const std::vector<std::uint32_t> once(rows, 1);
  return {.centre = statistic(once),
          .draws = train::draw(rows, statistic, options),
          .shrink = std::sqrt(static_cast<double>(rows) / static_cast<double>(all))};
}

std::int64_t most_rows(std::int64_t classes) { return std::max<std::int64_t>(200, kWork / (8 + classes)); }

Array checked_classes(const char* what, const Array& probabilities, const Array& target, const AssessOptions& options) {
  train::check(what, options);
  metrics::log_loss(probabilities, target);  // throws for all that could be wrong with them
  if (probabilities.rank() != 2 || probabilities.size(1) < 2) {
    base::fail("{}: probabilities of shape {}; give (rows, classes), with two classes at least", what,
               probabilities.shape());
  }
  return reshape(astype(target, int64), {probabilities.size(0)}).evaluate();
}

void add_metrics(Assessment& result, const std::vector<std::string>& names, const std::vector<double>& values,
                 const std::vector<double>& baselines, const std::vector<std::optional<Interval>>& intervals,
                 const AssessOptions& options) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    AssessedMetric metric{.name = names[i], .larger_is_better = larger_is_better(names[i])};
    if (std::isfinite(values[i])) {
      metric.model = {.value = values[i], .interval = intervals[i]};
      if (options.resamples > 0 && !intervals[i] && is_share(names[i])) {
        metric.model->interval = train::wilson(values[i], static_cast<double>(result.rows), result.level);
      }
    }
    if (i < baselines.size() && std::isfinite(baselines[i])) metric.baseline = baselines[i];
    result.metrics.push_back(std::move(metric));
  }
}

std::vector<ClassAssessment> by_class(const metrics::Confusion& confusion) {
  std::vector<ClassAssessment> classes(confusion.size());
  for (std::size_t i = 0; i < confusion.size(); ++i) {
    for (std::size_t j = 0; j < confusion.size(); ++j) {
      classes[i].rows += std::llround(confusion[i][j]);
      classes[j].predicted += std::llround(confusion[i][j]);
    }
  }
  for (std::size_t i = 0; i < confusion.size(); ++i) {
    ClassAssessment& c = classes[i];
    const double right = confusion[i][i];
    const auto ratio = [](double part, std::int64_t whole) {
      return whole == 0 ? 0 : part / static_cast<double>(whole);
    };
    c.precision.value = ratio(right, c.predicted);
    c.recall.value = ratio(right, c.rows);
    c.f1.value = ratio(2 * right, c.rows + c.predicted);
  }
  return classes;
}

std::vector<std::pair<std::string, Estimate>> differences(const std::vector<std::string>& names, const Statistic& a,
                                                          const Statistic& b, const std::vector<double>& values,
                                                          std::size_t rows, std::int64_t all,
                                                          const AssessOptions& options) {
  const Statistic difference = [&](train::Counts counts) {
    const std::vector<double> left = a(counts);
    std::vector<double> right = b(counts);
    right.resize(names.size());
    for (std::size_t i = 0; i < right.size(); ++i) right[i] -= left[i];
    return right;
  };
  const Resampled resampled = resample(difference, rows, all, options);
  const auto intervals = train::intervals(resampled.draws, values, resampled.centre, resampled.shrink, options.level);
  std::vector<std::pair<std::string, Estimate>> result;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (std::isfinite(values[i])) result.emplace_back(names[i], Estimate{.value = values[i], .interval = intervals[i]});
  }
  return result;
}

void same_shape(const char* what, const char* role, const Array& given, const Array& expected) {
  if (given.shape() != expected.shape()) {
    base::fail("{}: the {} of shape {} stands beside one of shape {}; give both the same", what, role, given.shape(),
               expected.shape());
  }
}

double number_metric(const std::string& name, const Array& p, const Array& y) {
  if (name == "r2") return metrics::r2(p, y);
  if (name == "root_mean_squared_error") return metrics::root_mean_squared_error(p, y);
  return metrics::mean_absolute_error(p, y);
}

std::vector<double> number_values(const Array& p, const Array& y) {
  std::vector<double> values;
  for (const std::string& name : train::number_metric_names(false)) values.push_back(number_metric(name, p, y));
  return values;
}

void check_numbers(const char* what, const Array& prediction, const Array& target, const AssessOptions& options) {
  train::check(what, options);
  metrics::mean_squared_error(prediction, target);  // throws for all that could be wrong with them
  if (target.size() != target.size(0)) {
    base::fail("{}: a target of shape {}; give one number for each row", what, target.shape());
  }
}

}  // namespace

const AssessedMetric* Assessment::find(std::string_view name) const {
  for (const AssessedMetric& metric : metrics) {
    if (metric.name == name) return &metric;
  }
  return nullptr;
}

Assessment assess_classes(const Array& probabilities, const Array& target, const Array& baseline,
                          const AssessOptions& options) {
  const char* what = "assess_classes";
  const Array y = checked_classes(what, probabilities, target, options);
  if (baseline.defined()) same_shape(what, "baseline", baseline, probabilities);
  const std::int64_t n = probabilities.size(0), classes = probabilities.size(1);
  Assessment result{.rows = n, .level = options.level};
  const std::vector<std::string> names = train::class_metric_names(static_cast<std::size_t>(classes));
  std::vector<double> values, baselines;
  for (const std::string& name : names) {
    values.push_back(class_metric(name, probabilities, y));
    if (baseline.defined()) baselines.push_back(class_metric(name, baseline, y));
  }
  result.confusion = metrics::confusion_matrix(probabilities, y, classes);
  result.classes = by_class(result.confusion);

  const std::size_t own = names.size();
  std::vector<double> all = values;
  for (const ClassAssessment& c : result.classes) {
    all.insert(all.end(), {c.precision.value, c.recall.value, c.f1.value});
  }
  const ClassRows rows = class_rows(probabilities, y, train::some_rows(n, most_rows(classes), options.seed));
  const Resampled resampled = resample(train::class_statistic(rows), rows.truth.size(), n, options);
  const auto intervals = train::intervals(resampled.draws, all, resampled.centre, resampled.shrink, options.level);
  add_metrics(result, names, values, baselines, intervals, options);
  for (std::size_t i = 0; i < result.classes.size(); ++i) {
    ClassAssessment& c = result.classes[i];
    c.precision.interval = intervals[own + 3 * i];
    c.recall.interval = intervals[own + 3 * i + 1];
    c.f1.interval = intervals[own + 3 * i + 2];
    const auto share = [&](Estimate& estimate, std::int64_t count) {
      if (options.resamples > 0 && !estimate.interval && count > 0) {
        estimate.interval = train::wilson(estimate.value, static_cast<double>(count), options.level);
      }
    };
    share(c.precision, c.predicted);
    share(c.recall, c.rows);
  }
  const ClassRows whole = class_rows(probabilities, y, train::some_rows(n, n, options.seed));
  result.reliability = train::reliability(whole, options.level);
  if (classes == 2 && result.classes[0].rows > 0 && result.classes[1].rows > 0) {
    result.roc = train::roc_curve(whole);
    result.precision_recall = train::precision_recall_curve(whole);
  }
  return result;
}

Assessment assess_numbers(const Array& prediction, const Array& target, const Array& baseline,
                          const PredictedIntervals& intervals, const AssessOptions& options) {
  const char* what = "assess_numbers";
  check_numbers(what, prediction, target, options);
  if (baseline.defined()) same_shape(what, "baseline", baseline, target);
  const bool ends = intervals.low.defined() && intervals.high.defined();
  if (ends) {
    same_shape(what, "lower end of intervals", intervals.low, target);
    same_shape(what, "upper end of intervals", intervals.high, target);
  }
  const std::int64_t n = target.size();
  Assessment result{.rows = n, .level = options.level};
  std::vector<double> values = number_values(prediction, target);
  if (ends) {
    const Array inside = logical_and(less_equal(intervals.low, target), less_equal(target, intervals.high));
    values.push_back(mean(astype(inside, float64)).item<double>());
    values.push_back(mean(astype(intervals.high - intervals.low, float64)).item<double>());
  }
  const std::vector<double> baselines = baseline.defined() ? number_values(baseline, target) : std::vector<double>{};
  const NumberRows rows = number_rows(prediction, target, intervals, train::some_rows(n, most_rows(0), options.seed));
  const Resampled resampled = resample(train::number_statistic(rows), rows.truth.size(), n, options);
  add_metrics(result, train::number_metric_names(ends), values, baselines,
              train::intervals(resampled.draws, values, resampled.centre, resampled.shrink, options.level), options);
  result.residuals =
      train::residuals(number_rows(prediction, target, {}, train::some_rows(n, n, options.seed)), options.seed);
  return result;
}

std::vector<std::pair<std::string, Estimate>> compare_classes(const Array& a, const Array& b, const Array& target,
                                                              const AssessOptions& options) {
  const char* what = "compare_classes";
  const Array y = checked_classes(what, a, target, options);
  same_shape(what, "second model's probabilities", b, a);
  checked_classes(what, b, target, options);
  const std::int64_t n = a.size(0);
  const std::vector<std::string> names = train::class_metric_names(static_cast<std::size_t>(a.size(1)));
  std::vector<double> values;
  for (const std::string& name : names) values.push_back(class_metric(name, b, y) - class_metric(name, a, y));
  const auto chosen = train::some_rows(n, most_rows(a.size(1)), options.seed);
  return differences(names, train::class_statistic(class_rows(a, y, chosen)),
                     train::class_statistic(class_rows(b, y, chosen)), values, chosen.size(), n, options);
}

std::vector<std::pair<std::string, Estimate>> compare_numbers(const Array& a, const Array& b, const Array& target,
                                                              const AssessOptions& options) {
  check_numbers("compare_numbers", a, target, options);
  check_numbers("compare_numbers", b, target, options);
  const std::int64_t n = target.size();
  const std::vector<double> left = number_values(a, target);
  std::vector<double> values = number_values(b, target);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] -= left[i];
  const auto chosen = train::some_rows(n, most_rows(0), options.seed);
  return differences(train::number_metric_names(false), train::number_statistic(number_rows(a, target, {}, chosen)),
                     train::number_statistic(number_rows(b, target, {}, chosen)), values, chosen.size(), n, options);
}

}  // namespace pellucid
