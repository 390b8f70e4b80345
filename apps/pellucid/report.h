// How good predictions are: metrics beside a baseline that looks at no input, and the confusion matrix.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli.h"
#include "model.h"

namespace pellucid::cli {

/// One metric of the model and of the baseline; absent where it cannot be told.
struct Score {
  std::string key;    // "log_loss"
  std::string label;  // "log loss"
  std::optional<double> model, baseline;
  bool percent = false;
};

struct Scores {
  std::vector<Score> scores;
  std::vector<std::vector<double>> confusion;  // counts by class and prediction; empty for regression
  std::string baseline;                        // "always 'good', the most frequent class"
};

/// What the baseline knows is what `training` holds: "class_counts", or the target's mean. `output` as predictions()
/// gives it, `y` as Examples has it.
Scores score(const Model& model, const Array& output, const Array& y);

/// A table of metrics; then, where asked for, the confusion matrix, unless there are more than 20 classes.
std::string to_text(const Scores& scores, const Model& model, bool confusion = true);
/// {"metrics": {...}, "baseline": {...}, "confusion": [...]}.
nlohmann::ordered_json to_json(const Scores& scores);

}  // namespace pellucid::cli
