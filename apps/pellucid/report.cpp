// Assessments as text: tables whose columns are aligned, and bars of plain characters.
#include "report.h"

#include <algorithm>
#include <cmath>

namespace pellucid::cli {
namespace {

using Table = std::vector<std::vector<std::string>>;

constexpr std::size_t kMostClasses = 20;   // in a table by class, and in a confusion matrix
constexpr std::size_t kMostConfused = 10;  // pairs where there are more classes
constexpr std::size_t kMostColumns = 15;   // by importance
constexpr std::size_t kWidestBar = 30;
constexpr std::size_t kSmallestBar = 8;  // below that there is none
constexpr std::size_t kHistogramLines = 12;

std::size_t widest(const Table& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
  }
  std::size_t all = 2;
  for (const std::size_t one : widths) all += one + 2;
  return all - (widths.empty() ? 0 : 2);
}

// What a table of such lines leaves for bars; 0 where that is too little.
std::size_t bar_room(const Table& rows, std::size_t columns) {
  const std::size_t used = widest(rows) + 2;
  const std::size_t left = columns > used ? columns - used : 0;
  return left < kSmallestBar ? 0 : std::min(left, kWidestBar);
}

// A bar of `share` of the room, with a mark at `mark` where that is not negative.
std::string bar(double share, std::size_t room, double mark = -1) {
  const auto at = [&](double part) {
    return static_cast<std::size_t>(std::llround(std::clamp(part, 0.0, 1.0) * static_cast<double>(room)));
  };
  std::string text(at(share), '#');
  if (mark >= 0 && room > 0) {
    const std::size_t place = std::min(at(mark), room - 1);
    if (text.size() <= place) text.resize(place + 1, ' ');
    text[place] = '|';
  }
  return text;
}

// Adds a last column of bars where there is room for them; the first line is the head.
void add_bars(Table& rows, std::size_t columns, const std::vector<double>& shares,
              const std::vector<double>& marks = {}) {
  const std::size_t room = bar_room(rows, columns);
  if (room == 0) return;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    rows[i + 1].push_back(bar(shares[i], room, marks.empty() ? -1 : marks[i]));
  }
}

std::string percent(double share) { return fmt::format("{:.1f} %", 100 * share); }

std::string metrics_text(const Assessed& assessed, const Model& model, std::size_t columns) {
  const auto label_of = [&](const AssessedMetric& metric) { return metric_label(metric.name, model); };
  Table rows = {{"", "model", fmt::format("{:g} % interval", 100 * assessed.values.level), "baseline"}};
  for (const AssessedMetric& metric : assessed.values.metrics) {
    if (!metric.model && !metric.baseline) continue;
    const bool interval = metric.model && metric.model->interval;
    rows.push_back({label_of(metric), metric.model ? metric_text(metric.name, metric.model->value) : "-",
                    interval ? interval_text(metric.name, *metric.model->interval) : "-",
                    metric.baseline ? metric_text(metric.name, *metric.baseline) : "-"});
  }
  if (widest(rows) > columns) {
    for (auto& row : rows) row.erase(row.begin() + 2);
  }
  return aligned(rows, {false, true, true, true}) + wrapped("baseline: " + assessed.baseline, columns);
}

std::string classes_text(const Assessed& assessed, const Model& model, std::size_t columns) {
  const std::vector<ClassAssessment>& classes = assessed.values.classes;
  Table rows = {{"class", "rows", "precision", "recall", "F1"}};
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < classes.size(); ++i) order.push_back(i);
  const bool some = classes.size() > kMostClasses;
  if (some) {
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return classes[a].f1.value < classes[b].f1.value; });
    order.resize(kMostClasses);
  }
  for (const std::size_t i : order) {
    const ClassAssessment& c = classes[i];
    rows.push_back({shortened(model.target.classes[i], 24), grouped(c.rows),
                    c.predicted > 0 ? percent(c.precision.value) : "-", c.rows > 0 ? percent(c.recall.value) : "-",
                    c.rows + c.predicted > 0 ? fmt::format("{:.4f}", c.f1.value) : "-"});
  }
  const std::string which =
      some ? fmt::format("the {} of {} classes with the lowest F1", kMostClasses, classes.size()) : "by class";
  return "\n" +
         wrapped(which +
                     ": precision is the share of right ones among those predicted as the class, recall that of "
                     "those found among its rows",
                 columns) +
         aligned(rows, {false, true, true, true, true});
}

std::string confusion_text(const Assessed& assessed, const Model& model, std::size_t columns) {
  const metrics::Confusion& confusion = assessed.values.confusion;
  const std::size_t classes = confusion.size();
  if (classes > kMostClasses) {
    Table rows;
    for (const Confused& pair : most_confused(confusion, kMostConfused)) {
      rows.push_back({grouped(pair.count), shortened(model.target.classes[pair.truth], 24), "taken for",
                      shortened(model.target.classes[pair.predicted], 24)});
    }
    if (rows.empty()) return "";
    return "\n  confused most often (the confusion matrix is in the output of --json)\n" + aligned(rows, {true});
  }
  // Names of columns are cut to what the terminal has; dots would take too much of a short one.
  std::size_t names = 0;
  for (const std::string& name : model.target.classes) names = std::max(names, width(shortened(name, 24)));
  const std::size_t room = (std::max<std::size_t>(columns, names + 12) - names - 2) / classes;
  const std::size_t most = std::clamp<std::size_t>(room > 2 ? room - 2 : 0, 5, 16);
  const auto head = [most](const std::string& name) {
    if (most >= 9 || width(name) <= most) return shortened(name, most);
    std::string text = shortened(name + "   ", most + 3);  // as many characters as there is room for, and dots
    text.resize(text.size() - 3);
    return text;
  };
  Table rows = {{""}};
  for (const std::string& name : model.target.classes) rows[0].push_back(head(name));
  for (std::size_t i = 0; i < classes; ++i) {
    std::vector<std::string> row = {shortened(model.target.classes[i], 24)};
    for (const double count : confusion[i]) row.push_back(grouped(std::llround(count)));
    rows.push_back(std::move(row));
  }
  std::vector<bool> right(classes + 1, true);
  right[0] = false;
  return "\n" + wrapped("confusion matrix: a line for each true class, a column for each prediction", columns) +
         aligned(rows, right);
}

std::string reliability_text(const Assessed& assessed, const Model& model, std::size_t columns) {
  const bool two = model.target.classes.size() == 2;
  Table rows = {{"probability", "rows", "mean", "are so"}};
  std::vector<double> shares, marks;
  for (const ReliabilityBin& bin : assessed.values.reliability) {
    if (bin.rows == 0) continue;
    rows.push_back({fmt::format("{:.1f} to {:.1f}", bin.low, bin.high), grouped(bin.rows),
                    percent(bin.mean_probability), percent(bin.share.value)});
    shares.push_back(bin.share.value);
    marks.push_back(bin.mean_probability);
  }
  add_bars(rows, columns, shares, marks);
  return "\n" +
         wrapped(fmt::format("reliability: of the rows with such a probability of {}, how many are so{}",
                             two ? "'" + shortened(model.target.classes[1], 24) + "'" : "the predicted class",
                             rows[1].size() > 4 ? " (#, and | where it should be)" : ""),
                 columns) +
         aligned(rows, {false, true, true, true});
}

std::string number(double value) { return fmt::format("{:.5g}", value); }

std::string residuals_text(const Residuals& residuals, std::size_t columns) {
  std::string text = "\n  errors (predicted - true)\n";
  text += wrapped(
      fmt::format("half of them from {} to {}, 90 % from {} to {}; mean {}, median {}", number(residuals.quantiles[1]),
                  number(residuals.quantiles[3]), number(residuals.quantiles[0]), number(residuals.quantiles[4]),
                  number(residuals.mean), number(residuals.quantiles[2])),
      columns);
  const std::size_t bars = residuals.counts.size();
  const std::size_t join = (bars + kHistogramLines - 1) / kHistogramLines;
  Table rows = {{"from", "to", "rows"}};
  std::vector<double> counts;
  for (std::size_t i = 0; i < bars; i += join) {
    const std::size_t end = std::min(i + join, bars);
    std::int64_t count = 0;
    for (std::size_t k = i; k < end; ++k) count += residuals.counts[k];
    rows.push_back({i == 0 ? "below" : number(residuals.edges[i]), end == bars ? "above" : number(residuals.edges[end]),
                    grouped(count)});
    counts.push_back(static_cast<double>(count));
  }
  const double most = *std::max_element(counts.begin(), counts.end());
  for (double& count : counts) count /= most;
  add_bars(rows, columns, counts);
  return text + aligned(rows, {true, true, true});
}

std::string importance_text(const ImportanceFound& found, std::size_t columns) {
  const bool classes = found.measures[1] == "error";
  Table rows = {{"column", measure_label(found.measures[0]), "+-", measure_label(found.measures[1])}};
  std::vector<double> shares;
  const double most = std::max(found.columns.front().rise[0], 1e-300);
  for (std::size_t i = 0; i < std::min(found.columns.size(), kMostColumns); ++i) {
    const Importance& one = found.columns[i];
    const auto text = [&](double value) {
      return classes ? fmt::format("{:.4f}", value) : fmt::format("{:.4g}", value);
    };
    rows.push_back({shortened(one.column, 28), text(one.rise[0]), text(one.deviation[0]),
                    classes ? fmt::format("{:.2f} %", 100 * one.rise[1]) : text(one.rise[1])});
    shares.push_back(std::max(0.0, one.rise[0] / most));
  }
  add_bars(rows, columns, shares);
  std::string text =
      "\n" + wrapped(fmt::format("what matters: how much the errors rise where a column's values are shuffled ({}, {} "
                                 "times; columns that tell the same share it)",
                                 counted(found.rows, "row", "rows"), found.repeats),
                     columns);
  text += aligned(rows, {false, true, true, true});
  if (found.columns.size() > kMostColumns) {
    text += fmt::format("  ... and {} more columns in the output of --json\n", found.columns.size() - kMostColumns);
  }
  return text;
}

}  // namespace

std::string metric_label(const std::string& name, const Model& model) {
  const bool two = model.target.classes.size() == 2;
  if (name == "accuracy") return "accuracy";
  if (name == "top_5_accuracy") return "accuracy of the top 5";
  if (name == "f1") {
    return two ? fmt::format("F1 of '{}'", shortened(model.target.classes[1], 20)) : "F1, mean over classes";
  }
  if (name == "roc_auc") return "area under the ROC curve";
  if (name == "expected_calibration_error") return "calibration error";
  if (name == "r2") return "R2";
  if (name == "root_mean_squared_error") return "root mean squared error";
  if (name == "mean_absolute_error") return "mean absolute error";
  if (name == "coverage") return "coverage of intervals";
  if (name == "interval_width") return "width of intervals, mean";
  return measure_label(name);
}

std::string metric_text(const std::string& name, double value) {
  if (name == "accuracy" || name == "top_5_accuracy" || name == "coverage") {
    return fmt::format("{:.2f} %", 100 * value);
  }
  const bool in_units = name == "root_mean_squared_error" || name == "mean_absolute_error" || name == "interval_width";
  if (in_units && std::abs(value) < 0.1) return fmt::format("{:.4g}", value);
  if (std::abs(value) < 5e-5) return "0.0000";  // not -0.0000
  return std::abs(value) < 100 ? fmt::format("{:.4f}", value) : fmt::format("{:.6g}", value);
}

std::string interval_text(const std::string& name, const Interval& interval) {
  std::string low = metric_text(name, interval.low);
  if (low.ends_with(" %")) low.resize(low.size() - 2);
  return low + " to " + metric_text(name, interval.high);
}

std::string measure_label(const std::string& measure) {
  if (measure == "root_mean_squared_error") return "RMSE";
  if (measure == "mean_absolute_error") return "MAE";
  std::string text = measure;
  std::replace(text.begin(), text.end(), '_', ' ');
  return text;
}

std::vector<Confused> most_confused(const metrics::Confusion& confusion, std::size_t most) {
  std::vector<Confused> pairs;
  for (std::size_t i = 0; i < confusion.size(); ++i) {
    for (std::size_t j = 0; j < confusion.size(); ++j) {
      if (i != j && confusion[i][j] > 0) pairs.push_back({std::llround(confusion[i][j]), i, j});
    }
  }
  std::stable_sort(pairs.begin(), pairs.end(), [](const Confused& a, const Confused& b) { return a.count > b.count; });
  if (pairs.size() > most) pairs.resize(most);
  return pairs;
}

std::string to_text(const Assessed& assessed, const Model& model, Detail detail, std::size_t columns) {
  std::string text = metrics_text(assessed, model, columns);
  if (detail == Detail::kMetrics) return text;
  const Assessment& values = assessed.values;
  if (!values.classes.empty()) {
    text += classes_text(assessed, model, columns);
    text += confusion_text(assessed, model, columns);
    text += reliability_text(assessed, model, columns);
  }
  if (values.residuals) text += residuals_text(*values.residuals, columns);
  if (!assessed.importance.columns.empty()) text += importance_text(assessed.importance, columns);
  return text;
}

}  // namespace pellucid::cli
