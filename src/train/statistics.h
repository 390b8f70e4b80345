// Metrics as functions of how often each row counts: what the bootstrap computes a thousand times. What does not depend
// on the counts (logarithms, orders by score) is computed once.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "train/bootstrap.h"

namespace pellucid::train {

/// Probabilities of some rows, row-major, and their classes.
struct ClassRows {
  std::size_t classes = 0;
  std::vector<double> probabilities;
  std::vector<std::int32_t> truth;
};
/// The metrics named by class_metric_names, then precision, recall and F1 of each class. The area under the ROC curve
/// is NaN where a class does not occur or is alone.
Statistic class_statistic(const ClassRows& rows);
std::vector<std::string> class_metric_names(std::size_t classes);

/// Predictions of some rows; with predicted intervals, their ends.
struct NumberRows {
  std::vector<double> prediction, truth, low, high;
};
/// The metrics named by number_metric_names.
Statistic number_statistic(const NumberRows& rows);
std::vector<std::string> number_metric_names(bool intervals);

/// Bins of expected_calibration_error.
inline constexpr int kCalibrationBins = 15;
/// The bin of a confidence: (i, i + 1] / bins.
int bin_of(double confidence, int bins);
std::size_t best_of(const double* scores, std::size_t count);

}  // namespace pellucid::train
