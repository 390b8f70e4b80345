// Metrics, the baseline's metrics, and both as text and JSON.
#include "report.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "pellucid/metrics.h"
#include "pellucid/ops.h"

namespace pellucid::cli {
namespace {

// A metric that cannot be told for these targets (one class alone, say) is left out.
template <class F>
std::optional<double> perhaps(F f) {
  try {
    const double value = f();
    return std::isfinite(value) ? std::optional(value) : std::nullopt;
  } catch (const Error&) {
    return std::nullopt;
  }
}

Array repeated(const std::vector<double>& row, std::int64_t rows) {
  const Array one = Array::from(row, {1, static_cast<std::int64_t>(row.size())});
  return broadcast_to(one, {rows, static_cast<std::int64_t>(row.size())});
}

Scores score_classes(const Model& model, const Array& output, const Array& y) {
  const std::size_t classes = model.target.classes.size();
  std::vector<double> shares(classes, 1);
  if (model.training.contains("class_counts")) {
    shares = model.training.at("class_counts").get<std::vector<double>>();
    shares.resize(classes);
  }
  const double total = std::max(1.0, std::accumulate(shares.begin(), shares.end(), 0.0));
  for (double& share : shares) share /= total;
  const Array constant = repeated(shares, y.shape()[0]);
  const auto most = static_cast<std::size_t>(std::max_element(shares.begin(), shares.end()) - shares.begin());

  const bool two = classes == 2;
  Scores result;
  result.baseline = fmt::format("always '{}', the most frequent class in training", model.target.classes[most]);
  const auto add = [&](const char* key, const char* label, bool percent, auto compute, bool baseline = true) {
    result.scores.push_back({.key = key,
                             .label = label,
                             .model = perhaps([&] { return compute(output); }),
                             .baseline = baseline ? perhaps([&] { return compute(constant); }) : std::nullopt,
                             .percent = percent});
  };
  add("accuracy", "accuracy", true, [&](const Array& p) { return metrics::accuracy(p, y); });
  if (classes > 10) {
    add("top_5_accuracy", "accuracy of the top 5", true,
        [&](const Array& p) { return metrics::top_k_accuracy(p, y, 5); });
  }
  const auto average = two ? metrics::Average::kBinary : metrics::Average::kMacro;
  const std::string f1 = two ? fmt::format("F1 of '{}'", model.target.classes[1]) : "F1, mean over classes";
  add("f1", f1.c_str(), false, [&](const Array& p) { return metrics::f1(argmax(p, 1), y, average); });
  add("roc_auc", "area under the ROC curve", false,
      [&](const Array& p) { return metrics::roc_auc(two ? slice(p, 1, 1, 2) : p, y); });
  add("log_loss", "log loss", false, [&](const Array& p) { return metrics::log_loss(p, y); });
  add("expected_calibration_error", "calibration error", false,
      [&](const Array& p) { return metrics::expected_calibration_error(p, y); });
  result.confusion = metrics::confusion_matrix(output, y, static_cast<std::int64_t>(classes));
  return result;
}

Scores score_numbers(const Model& model, const Array& output, const Array& y) {
  const data::Target& target = model.target;
  // In units of the target, and within its range, as predictions are given.
  const Array truth = astype(y, float64) * target.scale + target.mean;
  const Array values = clip(astype(output, float64) * target.scale + target.mean, target.low, target.high);
  const Array constant = zeros_like(truth) + target.mean;
  Scores result;
  result.baseline = fmt::format("always {:.6g}, the mean in training", target.mean);
  const auto add = [&](const char* key, const char* label, auto metric) {
    result.scores.push_back(
        {.key = key, .label = label, .model = perhaps([&] { return metric(values); }), .baseline = perhaps([&] {
                                                                                         return metric(constant);
                                                                                       })});
  };
  add("r2", "R2", [&](const Array& p) { return metrics::r2(p, truth); });
  add("root_mean_squared_error", "root mean squared error",
      [&](const Array& p) { return metrics::root_mean_squared_error(p, truth); });
  add("mean_absolute_error", "mean absolute error",
      [&](const Array& p) { return metrics::mean_absolute_error(p, truth); });
  return result;
}

std::string shown(const std::optional<double>& value, bool percent) {
  if (!value) return "-";
  if (percent) return fmt::format("{:.2f} %", *value * 100);
  return std::abs(*value) < 100 ? fmt::format("{:.4f}", *value) : fmt::format("{:.6g}", *value);
}

}  // namespace

Scores score(const Model& model, const Array& output, const Array& y) {
  return model.target.task == data::Task::kClassification ? score_classes(model, output, y)
                                                          : score_numbers(model, output, y);
}

std::string to_text(const Scores& scores, const Model& model, bool confusion) {
  constexpr std::size_t kMostClasses = 20;
  std::vector<std::vector<std::string>> rows = {{"", "model", "baseline"}};
  for (const Score& score : scores.scores) {
    if (!score.model && !score.baseline) continue;
    rows.push_back({score.label, shown(score.model, score.percent), shown(score.baseline, score.percent)});
  }
  std::string text = aligned(rows, {false, true, true}) + "  baseline: " + scores.baseline + "\n";
  if (scores.confusion.empty() || !confusion) return text;
  const std::size_t classes = scores.confusion.size();
  if (classes > kMostClasses) {
    return text + fmt::format("  (the confusion matrix of {} classes is in the output of --json)\n", classes);
  }
  text += "\n  confusion matrix: a line for each true class, a column for each prediction\n";
  const std::size_t room = classes > 10 ? 6 : classes > 5 ? 9 : 16;
  rows = {{""}};
  std::vector<bool> right = {false};
  for (const std::string& name : model.target.classes) {
    rows[0].push_back(shortened(name, room));
    right.push_back(true);
  }
  rows[0].emplace_back("found");
  right.push_back(true);
  for (std::size_t i = 0; i < classes; ++i) {
    std::vector<std::string> row = {shortened(model.target.classes[i], 24)};
    double sum = 0;
    for (const double count : scores.confusion[i]) {
      row.push_back(grouped(std::llround(count)));
      sum += count;
    }
    row.push_back(sum == 0 ? "-" : fmt::format("{:.1f} %", 100 * scores.confusion[i][i] / sum));
    rows.push_back(std::move(row));
  }
  return text + aligned(rows, right);
}

nlohmann::ordered_json to_json(const Scores& scores) {
  nlohmann::ordered_json metrics = nlohmann::ordered_json::object();
  nlohmann::ordered_json baseline = nlohmann::ordered_json::object();
  for (const Score& score : scores.scores) {
    if (score.model) metrics[score.key] = *score.model;
    if (score.baseline) baseline[score.key] = *score.baseline;
  }
  nlohmann::ordered_json json = {{"metrics", metrics}, {"baseline", baseline}};
  if (!scores.confusion.empty()) {
    auto& rows = json["confusion"] = nlohmann::ordered_json::array();
    for (const auto& row : scores.confusion) {
      nlohmann::ordered_json line = nlohmann::ordered_json::array();
      for (const double count : row) line.push_back(std::llround(count));
      rows.push_back(std::move(line));
    }
  }
  return json;
}

}  // namespace pellucid::cli
