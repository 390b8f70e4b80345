// An assessment as text for the terminal, and as JSON in full.
#pragma once

#include <string>

#include "assess.h"
#include "model.h"
#include "terminal.h"

namespace pellucid::cli {

/// How much of an assessment is shown.
enum class Detail {
  kMetrics,  // the table of metrics alone
  kAll,      // also the classes, what is confused, reliability, residuals, importance
};

/// Lines of at most `columns`, as far as names and numbers allow; bars take what is left.
std::string to_text(const Assessed& assessed, const Model& model, Detail detail, std::size_t columns);

/// {"metrics": {...}, "intervals": {...}, "baseline": {...}, "confusion": [...]}: what the training record keeps.
nlohmann::ordered_json to_json(const Assessed& assessed);
/// The same with everything there is.
nlohmann::ordered_json to_full_json(const Assessed& assessed, const Model& model);

/// What people call a metric: "area under the ROC curve" for "roc_auc".
std::string metric_label(const std::string& name, const Model& model);
/// "89.59 %" for shares, else four digits after the point, or six that count.
std::string metric_text(const std::string& name, double value);
/// "88.9 to 90.2 %".
std::string interval_text(const std::string& name, const Interval& interval);
/// The same in short: "RMSE" for "root_mean_squared_error".
std::string measure_label(const std::string& measure);

/// The pairs of classes confused most often: counts, true class, predicted class.
struct Confused {
  std::int64_t count;
  std::size_t truth, predicted;
};
std::vector<Confused> most_confused(const metrics::Confusion& confusion, std::size_t most);

}  // namespace pellucid::cli
