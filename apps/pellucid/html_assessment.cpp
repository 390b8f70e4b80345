// What there is to see of an assessment.
#include "html_assessment.h"

#include <algorithm>
#include <cmath>

#include "html_chart.h"
#include "html_page.h"
#include "report.h"

namespace pellucid::cli::html {
namespace {

using Rows = std::vector<std::vector<std::string>>;

constexpr std::size_t kMostClasses = 24;  // in tables and the matrix
constexpr std::size_t kMostPairs = 12;
constexpr std::size_t kMostBars = 20;

std::string percent(double share) { return fmt::format("{:.1f} %", 100 * share); }
std::string number(double value) { return fmt::format("{:.5g}", value); }

std::string interval_or_nothing(const std::string& name, const Estimate& estimate) {
  return estimate.interval ? interval_text(name, *estimate.interval) : "";
}

std::string class_name(const Model& model, std::size_t i) { return model.target.classes[i]; }

std::string classes_table(const Assessment& values, const Model& model) {
  Rows rows = {
      {"class", "rows", "precision", "recall", "F1", fmt::format("{:g} % interval of F1", 100 * values.level)}};
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < values.classes.size(); ++i) order.push_back(i);
  std::string text;
  if (order.size() > kMostClasses) {
    std::stable_sort(order.begin(), order.end(),
                     [&](auto a, auto b) { return values.classes[a].f1.value < values.classes[b].f1.value; });
    order.resize(kMostClasses);
    text = paragraph(fmt::format("The {} of {} classes with the lowest F1.", kMostClasses, values.classes.size()));
  }
  for (const std::size_t i : order) {
    const ClassAssessment& c = values.classes[i];
    rows.push_back({escape(class_name(model, i)), grouped(c.rows), c.predicted > 0 ? percent(c.precision.value) : "–",
                    c.rows > 0 ? percent(c.recall.value) : "–", fmt::format("{:.3f}", c.f1.value),
                    c.f1.interval ? fmt::format("{:.3f} to {:.3f}", c.f1.interval->low, c.f1.interval->high) : "–"});
  }
  return heading("By class") +
         "<p class=\"soft\">Precision is the share of right ones among those predicted as the class, recall that of "
         "those found among its rows.</p>\n" +
         text + table(rows, {false, true, true, true, true, true});
}

// Deeper where more rows of the true class went there.
std::string heat_cell(double count, double all, bool right) {
  const double share = all > 0 ? count / all : 0;
  const std::string style = count > 0 ? fmt::format(" style=\"background:rgba(var(--{}),{:.2f})\"",
                                                    right ? "wash" : "warn", 0.08 + 0.6 * share)
                                      : "";
  return fmt::format("<td class=\"r\"{} title=\"{} of {}\">{}</td>", style, percent(share), grouped(std::llround(all)),
                     grouped(std::llround(count)));
}

std::string confusion_matrix(const Assessment& values, const Model& model) {
  const std::size_t classes = values.confusion.size();
  if (classes > kMostClasses) {
    Rows rows = {{"rows", "are", "taken for"}};
    for (const Confused& pair : most_confused(values.confusion, kMostPairs)) {
      rows.push_back(
          {grouped(pair.count), escape(class_name(model, pair.truth)), escape(class_name(model, pair.predicted))});
    }
    return heading("Confused most often") + table(rows, {true});
  }
  std::string text =
      "<div class=\"scroll\" tabindex=\"0\"><table class=\"heat\">\n<thead><tr><th scope=\"col\">true \\ "
      "predicted</th>";
  for (std::size_t j = 0; j < classes; ++j) {
    text += fmt::format("<th scope=\"col\" class=\"r\" title=\"{}\">{}</th>", escape(class_name(model, j)),
                        escape(shortened(class_name(model, j), 16)));
  }
  text += "</tr></thead><tbody>\n";
  for (std::size_t i = 0; i < classes; ++i) {
    double all = 0;
    for (const double count : values.confusion[i]) all += count;
    text += fmt::format("<tr><th scope=\"row\">{}</th>", escape(shortened(class_name(model, i), 24)));
    for (std::size_t j = 0; j < classes; ++j) text += heat_cell(values.confusion[i][j], all, i == j);
    text += "</tr>\n";
  }
  return heading("Confusion matrix") +
         "<p class=\"soft\">A line for each true class, a column for each prediction; deeper where more of the line's "
         "rows are.</p>\n" +
         text + "</tbody></table></div>\n";
}

std::string reliability_figure(const Assessment& values, const Model& model) {
  const bool two = model.target.classes.size() == 2;
  const std::string of = two ? fmt::format("probability of '{}'", shortened(class_name(model, 1), 20))
                             : "probability of the predicted class";
  Chart chart({.label = of, .percent = true}, {.label = "are so", .percent = true},
              fmt::format("Reliability: the share of rows that are as predicted against the {}", of));
  double most = 1;
  for (const ReliabilityBin& bin : values.reliability) most = std::max(most, static_cast<double>(bin.rows));
  for (const ReliabilityBin& bin : values.reliability) {
    if (bin.rows == 0) continue;
    const double share = 0.22 * static_cast<double>(bin.rows) / most;
    chart.bar(bin.low + 0.006, 0, bin.high - 0.006, share, "bar pale", counted(bin.rows, "row", "rows"));
  }
  chart.rule(0, 0, 1, 1);
  std::vector<double> x, y;
  for (const ReliabilityBin& bin : values.reliability) {
    if (bin.rows == 0) continue;
    x.push_back(bin.mean_probability);
    y.push_back(bin.share.value);
    if (bin.share.interval) chart.whisker(x.back(), bin.share.interval->low, bin.share.interval->high);
  }
  chart.line(x, y, "line one");
  for (const ReliabilityBin& bin : values.reliability) {
    if (bin.rows == 0) continue;
    chart.dot(bin.mean_probability, bin.share.value, 4, "dot",
              fmt::format("mean probability {}, {} are so, {}", percent(bin.mean_probability), percent(bin.share.value),
                          counted(bin.rows, "row", "rows")));
  }
  return figure("Reliability", chart.svg(),
                "On the dashed line probabilities are what they say. Bars: how the rows are spread. Whiskers: " +
                    fmt::format("{:g} % intervals.", 100 * values.level));
}

std::string curve_figure(const std::string& title, const Curve& curve, const std::string& x, const std::string& y,
                         double start, double end, const std::string& area) {
  Chart chart({.label = x, .percent = true}, {.label = y, .percent = true},
              fmt::format("{}: {} against {}; {} {:.4f}", title, y, x, area, curve.area));
  chart.rule(0, start, 1, end);
  chart.line(curve.x, curve.y, "line one");
  for (std::size_t i = 0; i < curve.x.size(); i += std::max<std::size_t>(1, curve.x.size() / 40)) {
    chart.dot(curve.x[i], curve.y[i], 6, "hit",
              fmt::format("{} {}, {} {}", x, percent(curve.x[i]), y, percent(curve.y[i])));
  }
  return figure(title, chart.svg(), fmt::format("{} {:.4f}. Dashed: without any knowledge.", area, curve.area));
}

std::string class_details(const Assessed& assessed, const Model& model) {
  const Assessment& values = assessed.values;
  std::vector<std::string> figures = {reliability_figure(values, model)};
  if (values.roc) {
    figures.push_back(curve_figure("ROC curve", *values.roc, "false positives", "true positives", 0, 1, "Area below:"));
  }
  if (values.precision_recall) {
    const double share = static_cast<double>(values.classes[1].rows) / static_cast<double>(values.rows);
    figures.push_back(curve_figure("Precision and recall", *values.precision_recall, "recall", "precision", share,
                                   share, "Average precision:"));
  }
  std::vector<NamedBar> list;
  if (values.classes.size() > 2 && values.classes.size() <= kMostClasses) {
    for (std::size_t i = 0; i < values.classes.size(); ++i) {
      const ClassAssessment& c = values.classes[i];
      const Interval ends = c.f1.interval.value_or(Interval{});
      list.push_back(
          {.name = class_name(model, i),
           .value = c.f1.value,
           .low = ends.low,
           .high = ends.high,
           .title = fmt::format("{}: F1 {:.3f}, {}", class_name(model, i), c.f1.value, counted(c.rows, "row", "rows")),
           .text = fmt::format("{:.3f}", c.f1.value)});
    }
    figures.push_back(figure("F1 by class", bars(list, "F1 of each class"),
                             fmt::format("Whiskers: {:g} % intervals.", 100 * values.level)));
  }
  return row(figures) + classes_table(values, model) + confusion_matrix(values, model);
}

std::string scatter_figure(const Residuals& residuals, const std::string& target) {
  std::vector<double> all = residuals.truth;
  all.insert(all.end(), residuals.predicted.begin(), residuals.predicted.end());
  const Axis axis = axis_over("", all);
  Axis x = axis, y = axis;
  x.label = fmt::format("true {}", shortened(target, 24));
  y.label = "predicted";
  Chart chart(x, y, fmt::format("Predicted against true {}", target));
  for (std::size_t i = 0; i < residuals.truth.size(); ++i) {
    chart.dot(residuals.truth[i], residuals.predicted[i], 2.6, "cloud",
              fmt::format("true {}, predicted {}", number(residuals.truth[i]), number(residuals.predicted[i])));
  }
  chart.rule(axis.low, axis.low, axis.high, axis.high);
  return figure("Predicted and true", chart.svg(),
                fmt::format("{}. Dashed: where they would be equal.",
                            counted(static_cast<std::int64_t>(residuals.truth.size()), "row", "rows")));
}

std::string histogram_figure(const Residuals& residuals) {
  std::vector<double> counts(residuals.counts.begin(), residuals.counts.end());
  Axis y = axis_over("rows", counts, true);
  Chart chart({.label = "predicted - true", .low = residuals.edges.front(), .high = residuals.edges.back()}, y,
              "How the errors are spread");
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const double from = residuals.edges[i], to = residuals.edges[i + 1], gap = 0.04 * (to - from);
    chart.bar(from + gap, 0, to - gap, counts[i], "bar",
              fmt::format("{} to {}: {}", number(from), number(to), counted(residuals.counts[i], "row", "rows")));
  }
  if (residuals.edges.front() < 0 && residuals.edges.back() > 0) chart.rule(0, 0, 0, y.high);
  return figure("Errors", chart.svg(),
                fmt::format("Half of them from {} to {}, 90 % from {} to {}. The outermost bars hold all beyond.",
                            number(residuals.quantiles[1]), number(residuals.quantiles[3]),
                            number(residuals.quantiles[0]), number(residuals.quantiles[4])));
}

std::string errors_figure(const Residuals& residuals) {
  std::vector<double> errors;
  for (std::size_t i = 0; i < residuals.truth.size(); ++i)
    errors.push_back(residuals.predicted[i] - residuals.truth[i]);
  const Axis x = axis_over("predicted", residuals.predicted), y = axis_over("predicted - true", errors);
  Chart chart(x, y, "Errors against predictions");
  for (std::size_t i = 0; i < errors.size(); ++i) {
    chart.dot(residuals.predicted[i], errors[i], 2.6, "cloud",
              fmt::format("predicted {}, error {}", number(residuals.predicted[i]), number(errors[i])));
  }
  chart.rule(x.low, 0, x.high, 0);
  return figure("Errors and predictions", chart.svg(), "A pattern here is something the model has not learned.");
}

std::string rise_text(const ImportanceFound& found, std::size_t measure, double value) {
  const std::string& name = found.measures[measure];
  if (name == "error") return fmt::format("{:.2f} %", 100 * value);
  return name == "log_loss" ? fmt::format("{:.4f}", value) : fmt::format("{:.4g}", value);
}

}  // namespace

std::string metrics_table(const Assessed& assessed, const Model& model) {
  Rows rows = {{"", "model", fmt::format("{:g} % interval", 100 * assessed.values.level), "baseline"}};
  for (const AssessedMetric& metric : assessed.values.metrics) {
    if (!metric.model && !metric.baseline) continue;
    rows.push_back({escape(metric_label(metric.name, model)),
                    metric.model ? metric_text(metric.name, metric.model->value) : "–",
                    metric.model && metric.model->interval ? interval_text(metric.name, *metric.model->interval) : "–",
                    metric.baseline ? metric_text(metric.name, *metric.baseline) : "–"});
  }
  return table(rows, {false, true, true, true}) +
         fmt::format("<p class=\"soft\">Baseline: {}.</p>\n", escape(assessed.baseline));
}

std::string tiles(const Assessed& assessed, const Model& model) {
  std::string text = "<div class=\"tiles\">\n";
  for (const char* name : {"accuracy", "roc_auc", "log_loss", "r2", "root_mean_squared_error", "mean_absolute_error"}) {
    const AssessedMetric* metric = assessed.values.find(name);
    if (metric == nullptr || !metric->model) continue;
    text += fmt::format("<div class=\"tile\"><span>{}</span><b>{}</b>", escape(metric_label(name, model)),
                        metric_text(name, metric->model->value));
    const std::string interval = interval_or_nothing(name, *metric->model);
    if (!interval.empty()) text += fmt::format("<span>{}</span>", interval);
    if (metric->baseline) text += fmt::format("<span>baseline {}</span>", metric_text(name, *metric->baseline));
    text += "</div>\n";
  }
  return text + "</div>\n";
}

std::string details(const Assessed& assessed, const Model& model) {
  if (!assessed.values.residuals) return class_details(assessed, model);
  const Residuals& residuals = *assessed.values.residuals;
  return row({scatter_figure(residuals, model.target.name), histogram_figure(residuals), errors_figure(residuals)});
}

std::string importance(const Assessed& assessed) {
  const ImportanceFound& found = assessed.importance;
  if (found.columns.empty()) return "";
  std::vector<NamedBar> list;
  Rows rows = {{"column", measure_label(found.measures[0]), "±", measure_label(found.measures[1])}};
  for (const Importance& one : found.columns) {
    if (list.size() < kMostBars) {
      list.push_back({.name = one.column,
                      .value = one.rise[0],
                      .low = one.rise[0] - one.deviation[0],
                      .high = one.rise[0] + one.deviation[0],
                      .title = fmt::format("{}: {} rises by {} ± {}", one.column, measure_label(found.measures[0]),
                                           rise_text(found, 0, one.rise[0]), rise_text(found, 0, one.deviation[0])),
                      .text = rise_text(found, 0, one.rise[0])});
    }
    rows.push_back({escape(one.column), rise_text(found, 0, one.rise[0]), rise_text(found, 0, one.deviation[0]),
                    rise_text(found, 1, one.rise[1])});
  }
  const std::string measure = measure_label(found.measures[0]);
  return fmt::format(
             "<p>How much the {} rises where a column's values are shuffled among the rows: the mean of {} times on "
             "{}, "
             "with the standard deviation. Columns that tell the same share it.</p>\n",
             measure, found.repeats, counted(found.rows, "row", "rows")) +
         row({figure(
             list.size() < found.columns.size() ? fmt::format("The {} that matter most", list.size()) : "Columns",
             bars(list, "Rise of the " + measure + " by column", "rise of the " + measure))}) +
         "<details><summary>All columns as a table</summary>\n" + table(rows, {false, true, true, true}) +
         "</details>\n";
}

}  // namespace pellucid::cli::html
