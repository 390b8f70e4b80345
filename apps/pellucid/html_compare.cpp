// A comparison as a page.
#include <cmath>
#include <limits>

#include "compare.h"
#include "html_chart.h"
#include "html_page.h"
#include "pellucid/version.h"
#include "report.h"

namespace pellucid::cli {
namespace {

using html::escape;
using html::Section;
using Rows = std::vector<std::vector<std::string>>;

Section runs_section(const Comparison& comparison) {
  Rows rows = {{"", "model", "parameters", "training time"}};
  for (const Run& run : comparison.runs) {
    rows.push_back({run.letter, escape(run.path), grouped(nn::parameter_count(run.model.network)),
                    run.seconds ? duration(*run.seconds) : "–"});
  }
  std::string body = html::table(rows, {false, false, true, true});
  if (comparison.settings.empty())
    return {.id = "models", .title = "Models", .body = body + html::paragraph("No setting differs.")};
  Rows settings = {{"setting"}};
  for (const Run& run : comparison.runs) settings[0].push_back(run.letter);
  for (const auto& [name, values] : comparison.settings) {
    settings.push_back({escape(name)});
    for (const std::string& value : values) settings.back().push_back(escape(value));
  }
  return {.id = "models", .title = "Models", .body = body + html::heading("What differs") + html::table(settings)};
}

std::string metric_figure(const Comparison& comparison, const std::string& metric) {
  const std::string label = metric_label(metric, comparison.runs[0].model);
  std::vector<html::NamedBar> list;
  for (const Run& run : comparison.runs) {
    const auto at = run.metrics.find(metric);
    if (at == run.metrics.end()) continue;
    const Interval ends = at->second.interval.value_or(Interval{});
    list.push_back({.name = run.letter,
                    .value = at->second.value,
                    .low = ends.low,
                    .high = ends.high,
                    .title = fmt::format("{}: {}{}", run.path, metric_text(metric, at->second.value),
                                         at->second.interval ? ", " + interval_text(metric, ends) : ""),
                    .text = metric_text(metric, at->second.value)});
  }
  return html::figure(label, html::dots(list, label + " of each model", metric_text(metric, 0).ends_with("%")));
}

std::string metrics_table(const Comparison& comparison) {
  Rows rows = {{""}};
  std::vector<bool> right = {false};
  for (const Run& run : comparison.runs) {
    rows[0].push_back(run.letter);
    right.push_back(true);
  }
  for (const std::string& metric : comparison.metrics) {
    rows.push_back({escape(metric_label(metric, comparison.runs[0].model))});
    for (const Run& run : comparison.runs) {
      const auto at = run.metrics.find(metric);
      std::string cell = at == run.metrics.end() ? "–" : metric_text(metric, at->second.value);
      if (at != run.metrics.end() && at->second.interval) {
        cell += "<br><span class=\"soft\">" + interval_text(metric, *at->second.interval) + "</span>";
      }
      rows.back().push_back(cell);
    }
  }
  return html::table(rows, right);
}

Section metrics_section(const Comparison& comparison) {
  std::string body = html::paragraph("Measured " + comparison.measured + ".");
  if (comparison.metrics.empty())
    return {.id = "metrics", .title = "Metrics", .body = html::paragraph(comparison.measured)};
  std::vector<std::string> figures;
  for (const std::string& metric : comparison.metrics) figures.push_back(metric_figure(comparison, metric));
  return {.id = "metrics",
          .title = "Metrics",
          .body = body + metrics_table(comparison) + html::row(figures) +
                  fmt::format("<p class=\"soft\">Whiskers: {:g} % intervals.</p>\n", 100 * comparison.level)};
}

Section differences_section(const Comparison& comparison) {
  std::string body = html::paragraph(
      "Minus the first model, on the same rows: intervals come from draws that both share, so they are narrower than "
      "those of the models alone. Where an interval holds 0, the rows do not tell which is better.");
  for (const Run& run : comparison.runs) {
    if (run.differences.empty()) continue;
    Rows rows = {{"", escape(run.letter + " - A"), fmt::format("{:g} % interval", 100 * comparison.level), ""}};
    for (const auto& [metric, difference] : run.differences) {
      const int sign = verdict(metric, difference);
      const auto text = [&name = metric](double value) { return (value > 0 ? "+" : "") + metric_text(name, value); };
      rows.push_back(
          {escape(metric_label(metric, run.model)), text(difference.value),
           difference.interval ? text(difference.interval->low) + " to " + text(difference.interval->high) : "–",
           sign > 0   ? "<span class=\"good\">" + run.letter + " is better</span>"
           : sign < 0 ? "<span class=\"bad\">A is better</span>"
                      : "not told apart"});
    }
    body += html::heading(run.letter + " against A") + html::table(rows, {false, true, true, false});
  }
  return {.id = "differences", .title = "Differences", .body = body};
}

// The losses that chose the epochs, of up to three runs.
Section training_section(const Comparison& comparison) {
  constexpr std::size_t kMost = 3;
  constexpr const char* kLines[kMost] = {"line one", "line two", "line three"};
  constexpr const char* kKeys[kMost] = {"key", "key two", "key three"};
  std::vector<std::vector<double>> all;
  std::vector<double> every;
  std::size_t longest = 1;
  for (std::size_t i = 0; i < std::min(kMost, comparison.runs.size()); ++i) {
    std::vector<double>& losses = all.emplace_back();
    const Json& training = comparison.runs[i].model.training;
    if (!training.contains("history") || !training["history"].is_array()) continue;
    for (const Json& epoch : training["history"]) {
      const char* key = epoch.contains("validation_loss") ? "validation_loss" : "loss";
      losses.push_back(epoch.contains(key) && epoch[key].is_number() ? epoch[key].get<double>()
                                                                     : std::numeric_limits<double>::quiet_NaN());
    }
    every.insert(every.end(), losses.begin(), losses.end());
    longest = std::max(longest, losses.size());
  }
  if (every.empty())
    return {.id = "training", .title = "Training", .body = html::paragraph("The models keep no history.")};
  const html::Axis y = html::axis_over("validation loss", every);
  html::Chart chart({.label = "epoch", .low = 0, .high = static_cast<double>(longest)}, y,
                    "Validation losses over the epochs");
  std::string keys;
  for (std::size_t i = 0; i < all.size(); ++i) {
    std::vector<double> epochs;
    for (std::size_t k = 0; k < all[i].size(); ++k) epochs.push_back(static_cast<double>(k + 1));
    chart.line(epochs, all[i], kLines[i]);
    keys += fmt::format("<span class=\"{}\">{}</span>", kKeys[i], comparison.runs[i].letter);
  }
  return {
      .id = "training", .title = "Training", .body = html::row({html::figure("Validation loss", chart.svg(), keys)})};
}

}  // namespace

std::string comparison_page(const Comparison& comparison) {
  std::vector<Section> sections = {metrics_section(comparison)};
  if (!comparison.data.empty()) sections.push_back(differences_section(comparison));
  sections.push_back(runs_section(comparison));
  sections.push_back(training_section(comparison));
  sections.push_back(
      {.id = "repeat",
       .title = "How to repeat it",
       .body = fmt::format("<pre tabindex=\"0\">{}</pre>\n<p>pellucid {}</p>\n", escape(command_line()), version())});
  std::vector<std::string> names;
  for (const Run& run : comparison.runs) names.push_back(run.letter + ": " + run.path);
  return html::page(fmt::format("{} models of {}", comparison.runs.size(), comparison.runs[0].model.target.name),
                    fmt::format("{}", fmt::join(names, ", ")), sections);
}

}  // namespace pellucid::cli
