// What is found out about a model on rows whose targets are known: metrics with intervals beside a baseline that looks
// at no input, and which columns matter. How it is shown: report.h, html_report.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model.h"
#include "pellucid/assessment.h"

namespace pellucid::cli {

/// Importance is measured in these: for classes log loss and error, for numbers those of the target's unit.
struct ImportanceFound {
  std::vector<std::string> measures;
  std::vector<double> whole;  // each measure without a change
  std::vector<Importance> columns;
  std::int64_t rows = 0;  // that it was measured on
  int repeats = 0;
};

struct Assessed {
  Assessment values;
  std::string baseline;  // "always 'good', the most frequent class in training"
  ImportanceFound importance = {};
};

/// `output` as predictions() gives it, `y` as Examples has it. What the baseline knows is what the training record
/// holds: "class_counts", or the target's mean.
Assessed assess(const Model& model, const Array& output, const Array& y, const AssessOptions& options = {});

/// Predictions and targets in the target's unit, float64 (rows, 1): predictions within the range seen in training.
Array predicted_numbers(const data::Target& target, const Array& output);
Array true_numbers(const data::Target& target, const Array& y);
/// The bounds that the model gives for each row, in the target's unit; undefined where it gives none.
PredictedIntervals predicted_intervals(const data::Target& target, const Array& output);

/// Permutation importance of the columns of a table, on the rows given or some thousand of them, so that it takes a
/// second or two; a live line above one second. Nothing for pictures and tables of one column.
ImportanceFound find_importance(Model& model, const Array& x, const Array& y);

/// The most rows that find_importance looks at, for a model of this size.
std::int64_t importance_rows(const Model& model);

}  // namespace pellucid::cli
