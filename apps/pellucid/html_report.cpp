// The sections of a report.
#include "html_report.h"

#include <algorithm>
#include <filesystem>

#include "base/atomic_file.h"
#include "base/sha256.h"
#include "columns.h"
#include "html_assessment.h"
#include "html_chart.h"
#include "html_page.h"
#include "pellucid/networks.h"
#include "pellucid/version.h"
#include "terminal.h"

namespace pellucid::cli {
namespace {

using html::escape;
using html::Section;
using Rows = std::vector<std::vector<std::string>>;

constexpr std::size_t kMostColumns = 60;  // before the rest is folded away
constexpr std::size_t kMostClasses = 30;

// ---- The result -----------------------------------------------------------------------------------------------------

Section result_section(const Model& model, const Report& report) {
  std::string body;
  if (!report.parts.empty()) {
    const ReportPart& last = report.parts.back();
    body += html::paragraph("Measured " + last.title + ".") + html::tiles(last.assessed, model);
    body += html::metrics_table(last.assessed, model) + html::details(last.assessed, model);
    for (std::size_t i = 0; i + 1 < report.parts.size(); ++i) {
      body +=
          html::heading("Beside it: " + report.parts[i].title) + html::metrics_table(report.parts[i].assessed, model);
    }
  }
  return {.id = "result", .title = "Result", .body = body};
}

// ---- Training -------------------------------------------------------------------------------------------------------

struct Series {
  std::vector<double> epochs, loss, validation, metric;
  std::string metric_name;
};

Series series_of(const Json& training) {
  Series series;
  if (!training.contains("history") || !training["history"].is_array()) return series;
  const Json& history = training["history"];
  const double last = training.contains("end") ? training["end"].value("epoch", 0.0) : 0.0;
  const auto count = static_cast<double>(history.size());
  // Of very many epochs every second, fourth, ... is kept.
  const double every = last > count ? last / count : 1;
  constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  for (const Json& epoch : history) {
    const auto number = [&](const std::string& key) {
      return epoch.contains(key) && epoch[key].is_number() ? epoch[key].get<double>() : kNone;
    };
    series.epochs.push_back(every * static_cast<double>(series.epochs.size() + 1));
    series.loss.push_back(number("loss"));
    series.validation.push_back(number("validation_loss"));
    for (const char* name : {"accuracy", "root_mean_squared_error"}) {
      if (epoch.contains(name)) series.metric_name = name;
    }
    series.metric.push_back(series.metric_name.empty() ? kNone : number(series.metric_name));
  }
  return series;
}

// Wide ranges of positive numbers are easier to read by their logarithm.
void choose_scale(html::Axis& axis, const std::vector<double>& values) {
  double low = std::numeric_limits<double>::infinity(), high = 0;
  for (const double value : values) {
    if (!std::isfinite(value)) continue;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  if (low > 0 && high > 20 * low) {
    axis.logarithmic = true;
    axis.low = low / 1.1;
    axis.high = high * 1.1;
  }
}

void mark_kept(html::Chart& chart, const html::Axis& y, double kept) {
  if (kept > 0) chart.rule(kept, y.low, kept, y.high, fmt::format("the parameters of epoch {:g} are kept", kept));
}

std::string loss_figure(const Series& series, double kept) {
  std::vector<double> all = series.loss;
  all.insert(all.end(), series.validation.begin(), series.validation.end());
  html::Axis y = html::axis_over("loss", all);
  choose_scale(y, all);
  const html::Axis x{.label = "epoch", .low = std::min(1.0, series.epochs.back() - 1), .high = series.epochs.back()};
  html::Chart chart(x, y, "The loss over the epochs, on the training and the validation rows");
  chart.line(series.epochs, series.loss, "line one");
  chart.line(series.epochs, series.validation, "line two");
  mark_kept(chart, y, kept);
  const bool validated = std::any_of(series.validation.begin(), series.validation.end(),
                                     [](double value) { return std::isfinite(value); });
  const double half = series.epochs.size() > 1 ? (series.epochs[1] - series.epochs[0]) / 2 : 0.5;
  for (std::size_t i = 0; i < series.epochs.size(); ++i) {
    std::string title = fmt::format("epoch {:g}: loss {:.5g}", series.epochs[i], series.loss[i]);
    if (std::isfinite(series.validation[i])) title += fmt::format(", validation loss {:.5g}", series.validation[i]);
    chart.area(series.epochs[i] - half, y.low, series.epochs[i] + half, y.high, title);
  }
  return html::figure("Loss", chart.svg(),
                      std::string("<span class=\"key\">training</span>") +
                          (validated ? "<span class=\"key two\">validation</span>" : "") +
                          (kept > 0 ? "dashed: the epoch that is kept" : ""));
}

std::string metric_figure(const Series& series, double kept) {
  const bool accuracy = series.metric_name == "accuracy";
  html::Axis y = html::axis_over(accuracy ? "accuracy" : "root mean squared error", series.metric);
  y.percent = accuracy;
  if (accuracy) y.high = std::min(y.high, 1.0);
  if (!accuracy) choose_scale(y, series.metric);
  const html::Axis x{.label = "epoch", .low = std::min(1.0, series.epochs.back() - 1), .high = series.epochs.back()};
  html::Chart chart(x, y, "The metric over the epochs");
  chart.line(series.epochs, series.metric, "line two");
  mark_kept(chart, y, kept);
  const double half = series.epochs.size() > 1 ? (series.epochs[1] - series.epochs[0]) / 2 : 0.5;
  for (std::size_t i = 0; i < series.epochs.size(); ++i) {
    const std::string value =
        accuracy ? fmt::format("{:.2f} %", 100 * series.metric[i]) : fmt::format("{:.5g}", series.metric[i]);
    chart.area(series.epochs[i] - half, y.low, series.epochs[i] + half, y.high,
               fmt::format("epoch {:g}: {}", series.epochs[i], value));
  }
  return html::figure(accuracy ? "Accuracy" : "Root mean squared error", chart.svg(),
                      "On the validation rows where there are, else on those of training.");
}

std::string value_text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_float()) return fmt::format("{:.6g}", value.get<double>());
  if (value.is_number_integer()) return grouped(value.get<std::int64_t>());
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string object_table(const Json& object, const std::vector<std::string>& head) {
  Rows rows = {head};
  for (const auto& [key, value] : object.items()) {
    std::string name = key;
    std::replace(name.begin(), name.end(), '_', ' ');
    rows.push_back({escape(name), escape(value_text(value))});
  }
  return html::table(rows);
}

Section training_section(const Model& model, const Report& report) {
  const Json& training = model.training;
  std::string body;
  const double kept = training.contains("end") ? training["end"].value("kept_epoch", 0.0) : 0.0;
  if (training.contains("end")) {
    const Json& end = training["end"];
    body += html::paragraph(fmt::format("Ended: {}, after {} and {}; the parameters of epoch {:g} are kept.{}",
                                        end.value("reason", "?"),
                                        counted(end.value("epoch", std::int64_t{0}), "epoch", "epochs"),
                                        counted(end.value("steps", std::int64_t{0}), "step", "steps"), kept,
                                        report.seconds > 0 ? " It took " + duration(report.seconds) + "." : ""));
  }
  const Series series = series_of(training);
  if (!series.epochs.empty()) {
    std::vector<std::string> figures = {loss_figure(series, kept)};
    if (!series.metric_name.empty()) figures.push_back(metric_figure(series, kept));
    body += html::row(figures);
  }
  if (training.contains("recipe") && training["recipe"].is_object()) {
    body += "<details><summary>Every choice of the recipe</summary>\n" +
            object_table(training["recipe"], {"choice", "value"}) + "</details>\n";
  }
  return {.id = "training", .title = "Training", .body = body};
}

// ---- The data -------------------------------------------------------------------------------------------------------

std::string list_of(const std::vector<std::string>& lines) {
  std::string text = "<ul>\n";
  for (const std::string& line : lines) text += fmt::format("<li>{}</li>\n", escape(line));
  return text + "</ul>\n";
}

std::string target_text(const Model& model) {
  const data::Target& target = model.target;
  if (target.task == data::Task::kRegression) {
    return html::paragraph(
        fmt::format("To be predicted: {}, a number; in training its mean was {:.6g}, its standard deviation {:.6g}, "
                    "its range {:.6g} to {:.6g}.{}",
                    target.name, target.mean, target.scale, target.low, target.high,
                    target.is_log() ? " It was learned on a log scale." : ""));
  }
  std::string text =
      html::paragraph(fmt::format("To be predicted: {}, one of {} classes.", target.name, target.classes.size()));
  if (!model.training.contains("class_counts")) return text;
  const auto counts = model.training["class_counts"].get<std::vector<double>>();
  double all = 0;
  for (const double count : counts) all += count;
  std::vector<html::NamedBar> list;
  for (std::size_t i = 0; i < std::min({counts.size(), target.classes.size(), kMostClasses}); ++i) {
    list.push_back({.name = target.classes[i],
                    .value = counts[i],
                    .title = fmt::format("{}: {} of {} training rows", target.classes[i],
                                         grouped(std::llround(counts[i])), grouped(std::llround(all))),
                    .text = fmt::format("{:.1f} %", 100 * counts[i] / std::max(1.0, all))});
  }
  return text + html::row({html::figure("Classes in training",
                                        html::bars(list, "How often each class occurs among the training rows"), "")});
}

// What one column is, and what became of it.
std::vector<std::string> column_row(const data::ColumnSchema& column, const data::Preprocessing& table,
                                    const Report& report) {
  std::string inputs, becomes;
  for (const data::Feature& feature : table.features) {
    if (feature.column != column.name) continue;
    inputs = std::to_string(feature.inputs());
    becomes = how_used(feature);
  }
  for (const auto& [name, reason] : table.dropped) {
    if (name == column.name) becomes = "left out: " + reason;
  }
  if (column.role == data::Role::kTarget) becomes = "what is predicted";
  const auto count = report.missing.find(column.name);
  const bool counts = count != report.missing.end();
  const std::string missing = !counts ? missing_text(column.missing) : count->second == 0 ? "" : grouped(count->second);
  return {escape(column.name),
          std::string(name_of(column.role)),
          std::string(name_of(column.type)),
          escape(shortened(values_text(column), 48)),
          escape(missing),
          inputs,
          escape(becomes)};
}

std::string schema_table(const Model& model, const Report& report) {
  const std::vector<bool> right = {false, false, false, false, true, true, false};
  Rows first = {{"column", "role", "type", "values", "missing", "inputs", "becomes"}}, more = first;
  for (const data::ColumnSchema& column : model.table.schema.columns) {
    (first.size() <= kMostColumns ? first : more).push_back(column_row(column, model.table, report));
  }
  std::string text = html::heading("Columns") + html::table(first, right, "wide");
  if (more.size() > 1) {
    text += fmt::format("<details><summary>{} more columns</summary>\n{}</details>\n", more.size() - 1,
                        html::table(more, right, "wide"));
  }
  return text;
}

Section data_section(const Model& model, const Report& report) {
  std::string body = target_text(model);
  std::vector<std::string> of_training;
  if (model.training.contains("data") && model.training["data"].is_object()) {
    Json facts = model.training["data"];
    facts.erase("columns");
    if (facts.contains("warnings")) {
      of_training = facts["warnings"].get<std::vector<std::string>>();
      facts.erase("warnings");
    }
    body += object_table(facts, {"", ""});
  }
  std::vector<std::string> words = report.notes;
  for (const std::string& warning : warnings()) words.push_back(warning);
  for (const std::string& warning : of_training) {
    if (std::find(words.begin(), words.end(), warning) == words.end()) words.push_back("in training: " + warning);
  }
  if (!words.empty()) body += html::heading("Notes and warnings") + list_of(words);
  if (model.source == data::Source::kTable) body += schema_table(model, report);
  return {.id = "data", .title = "Data", .body = body};
}

// ---- The network, and how to get there again ------------------------------------------------------------------------

Section network_section(Model& model) {
  Shape shape = {1};
  if (model.source == data::Source::kTable) {
    shape.push_back(model.table.inputs());
  } else {
    shape.insert(shape.end(), model.pictures.shape.begin(), model.pictures.shape.end());
  }
  const std::string summary = nn::summary(model.network, zeros(shape));
  return {.id = "network",
          .title = "Network",
          .body = fmt::format("<p>{}.</p>\n<pre tabindex=\"0\">{}</pre>\n",
                              counted(nn::parameter_count(model.network), "parameter", "parameters"), escape(summary))};
}

std::string hash_text(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return "a folder";
  if (!std::filesystem::is_regular_file(path, error)) return "no file";
  return fmt::format("sha256 <code>{}</code>", base::sha256_of_file(path));
}

Section repeat_section(const Model& model, const Report& report) {
  std::string body = fmt::format("<pre tabindex=\"0\">{}</pre>\n", escape(command_line()));
  Rows rows = {{"", ""}};
  rows.push_back({"program", escape(std::string("pellucid ") + version())});
  if (model.training.contains("program") && model.training["program"].is_string()) {
    rows.push_back({"trained by", escape(model.training["program"].get<std::string>())});
  }
  if (model.training.contains("seed")) rows.push_back({"seed", escape(model.training["seed"].dump())});
  rows.push_back({"data", fmt::format("{}<br>{}", escape(report.data), hash_text(report.data))});
  rows.push_back({"model", fmt::format("{}<br>{}", escape(report.model), hash_text(report.model))});
  body += html::table(rows);
  body += html::paragraph(
      "The same options, data and seed give the same model file, bit for bit, on any number of threads.");
  return {.id = "repeat", .title = "How to repeat it", .body = body};
}

}  // namespace

std::string report_page(Model& model, const Report& report) {
  std::vector<Section> sections = {result_section(model, report)};
  if (!report.parts.empty()) {
    const std::string matters = html::importance(report.parts.back().assessed);
    if (!matters.empty()) sections.push_back({.id = "columns", .title = "What matters", .body = matters});
  }
  if (!report.examples.empty()) sections.push_back({.id = "pictures", .title = "Pictures", .body = report.examples});
  sections.push_back(training_section(model, report));
  sections.push_back(data_section(model, report));
  sections.push_back(network_section(model));
  sections.push_back(repeat_section(model, report));
  const std::string what = model.target.task == data::Task::kClassification
                               ? fmt::format("{}, one of {} classes", model.target.name, model.target.classes.size())
                               : model.target.name + ", a number";
  return html::page(std::filesystem::path(report.model).filename().string(),
                    fmt::format("Predicts {}. On {}.", what, report.data), sections);
}

void write_report(const std::string& path, Model& model, const Report& report) {
  base::AtomicFile file(path);
  file.write(report_page(model, report));
  file.commit();
}

}  // namespace pellucid::cli
