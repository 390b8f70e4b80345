// How good predictions are, and how sure one can be of it: metrics with intervals beside a baseline, by class; tables
// of what is confused; how far probabilities can be trusted; residuals; which columns matter.
//
// Intervals come from the bootstrap (Efron 1979): the rows are drawn again, with replacement, some hundred times, and
// the metric is computed on each draw; the interval holds the middle of these values, shifted for bias (Efron 1981,
// "Nonparametric standard errors and confidence intervals": BC). Where all draws agree, as with no error in 30 rows,
// shares get Wilson's interval, and other metrics none. Above some ten thousand rows a random part of them is
// resampled, and its deviations are scaled by the square root of the ratio of sizes.
//
// Everything random comes from the seed, by Philox: the same call gives the same bits for any number of threads.
// Targets and predictions are as in metrics.h; NaN, shapes that do not fit and classes out of range throw Error as
// there.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "pellucid/array.h"
#include "pellucid/metrics.h"

namespace pellucid {

struct Interval {
  double low = 0, high = 0;
};

/// A number with an interval, where one can be told.
struct Estimate {
  double value = 0;
  std::optional<Interval> interval = {};
};

struct AssessOptions {
  /// Draws of the bootstrap; 0: no intervals.
  int resamples = 1000;
  /// The share of draws that an interval holds, in (0, 1).
  double level = 0.95;
  std::uint64_t seed = 0;
};

/// One metric of the model and of a baseline. Absent where it cannot be told for these rows (the area under the ROC
/// curve of one class alone, say).
struct AssessedMetric {
  std::string name;  // as in metric_names(); beside them "coverage" and "interval_width"
  bool larger_is_better = true;
  std::optional<Estimate> model = {};
  std::optional<double> baseline = {};
};

/// One class against all others.
struct ClassAssessment {
  std::int64_t rows = 0, predicted = 0;  // that are of the class, and that are said to be
  Estimate precision, recall, f1;        // 0 where there is nothing to take a share of
};

/// Rows whose probability lies in (low, high].
struct ReliabilityBin {
  double low = 0, high = 0;
  std::int64_t rows = 0;
  double mean_probability = 0;
  Estimate share;  // of these rows what the probability promised; Wilson's interval
};

/// Points of a curve, x ascending; of many points some hundred that are spread evenly.
struct Curve {
  std::vector<double> x, y;
  double area = 0;  // ROC: that below it; precision and recall: the average precision
};

struct Residuals {
  double mean = 0, deviation = 0;
  std::vector<double> quantiles;     // of prediction - target: 5, 25, 50, 75 and 95 %
  std::vector<double> edges;         // of the histogram: one more than counts
  std::vector<std::int64_t> counts;  // what lies beyond the outermost edges is in the outermost bins
  /// Pairs to be drawn: all rows, or a thousand chosen at random.
  std::vector<double> predicted, truth;
};

/// What is said of one set of rows. The part that does not belong to the task is empty.
struct Assessment {
  std::int64_t rows = 0;
  double level = 0.95;
  std::vector<AssessedMetric> metrics = {};

  metrics::Confusion confusion = {};
  std::vector<ClassAssessment> classes = {};
  /// Ten bins of equal width. Two classes: by the probability of class 1; more: by that of the predicted class.
  std::vector<ReliabilityBin> reliability = {};
  std::optional<Curve> roc = {}, precision_recall = {};  // two classes: class 1 against class 0

  std::optional<Residuals> residuals = {};

  /// The metric of this name, or nullptr.
  const AssessedMetric* find(std::string_view name) const;
};

/// `probabilities` (rows, classes), `target` (rows): accuracy, top_5_accuracy (above ten classes), f1 (that of class 1
/// of two, else the mean over classes), roc_auc, log_loss, expected_calibration_error. `baseline`, of the shape of
/// `probabilities`, may be undefined. Throws Error for options out of range.
Assessment assess_classes(const Array& probabilities, const Array& target, const Array& baseline = {},
                          const AssessOptions& options = {});

/// Intervals that a model predicts for single rows.
struct PredictedIntervals {
  Array low, high;  // of the target's shape; undefined: there are none
};
/// `prediction` and `target` (rows) or (rows, 1), in the unit of the target: r2, root_mean_squared_error,
/// mean_absolute_error; with predicted intervals also coverage (the share of targets within them, ends included) and
/// interval_width (their mean width).
Assessment assess_numbers(const Array& prediction, const Array& target, const Array& baseline = {},
                          const PredictedIntervals& intervals = {}, const AssessOptions& options = {});

/// The metrics of `b` minus those of `a` on the same rows, by name, in the order of Assessment::metrics, with
/// intervals from draws that both share (the paired bootstrap). Both are probabilities, or predictions, as above.
std::vector<std::pair<std::string, Estimate>> compare_classes(const Array& a, const Array& b, const Array& target,
                                                              const AssessOptions& options = {});
std::vector<std::pair<std::string, Estimate>> compare_numbers(const Array& a, const Array& b, const Array& target,
                                                              const AssessOptions& options = {});

// ---- Which columns matter -------------------------------------------------------------------------------------------

/// A column of a table, and the inputs (columns of x) that it became.
struct ColumnInputs {
  std::string column;
  std::int64_t first = 0, count = 1;
};

struct Importance {
  std::string column;
  /// How much a measure rises where the column's values are shuffled among the rows: the mean over repeats and their
  /// standard deviation, for each measure.
  std::vector<double> rise, deviation;
};

struct ImportanceOptions {
  int repeats = 5;
  std::uint64_t seed = 0;
  /// Called after each column with how many are done.
  std::function<void(std::size_t done)> on_column = {};
};

/// Permutation importance (Breiman 2001, "Random forests"): shuffles the inputs of one column at a time, all of them
/// together, and measures again. `predict` gives outputs (n, ...) for rows of x (n, inputs), float32; `measure` gives
/// numbers for outputs of all rows of x in their order, the first of which the result is sorted by, largest rise first.
/// Columns that tell the same share their importance. Throws Error where x is not float32 (n, inputs), columns lie
/// outside it, or there are fewer than 1 repeat.
std::vector<Importance> permutation_importance(const std::function<Array(const Array& x)>& predict, const Array& x,
                                               const std::vector<ColumnInputs>& columns,
                                               const std::function<std::vector<double>(const Array& output)>& measure,
                                               const ImportanceOptions& options = {});

}  // namespace pellucid
