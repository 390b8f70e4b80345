// Comparisons as text and JSON.
#include <algorithm>

#include "compare.h"
#include "report.h"

namespace pellucid::cli {
namespace {

using Table = std::vector<std::vector<std::string>>;
using Line = nlohmann::ordered_json;

std::string signed_text(const std::string& metric, double value) {
  const std::string text = metric_text(metric, value);
  return value > 0 ? "+" + text : text;
}

// Values of long settings are cut to what a column has.
std::size_t room_for(std::size_t columns, std::size_t names, std::size_t runs) {
  const std::size_t left = columns > names + 4 ? columns - names - 4 : 0;
  return std::clamp<std::size_t>(left / std::max<std::size_t>(1, runs), 10, 40) - 2;
}

std::string settings_text(const Comparison& comparison, std::size_t columns) {
  if (comparison.settings.empty()) return "\n  no setting differs\n";
  std::size_t names = 0;
  for (const auto& [name, values] : comparison.settings) names = std::max(names, width(name));
  Table rows = {{"setting"}};
  for (const Run& run : comparison.runs) rows[0].push_back(run.letter);
  for (const auto& [name, values] : comparison.settings) {
    rows.push_back({name});
    for (const std::string& value : values) {
      rows.back().push_back(shortened(value, room_for(columns, names, comparison.runs.size())));
    }
  }
  return "\n  what differs\n" + aligned(rows, {});
}

std::string metrics_text(const Comparison& comparison, std::size_t columns) {
  std::string text = "\n" + wrapped(comparison.measured, columns);
  if (comparison.metrics.empty()) return text;
  Table rows = {{""}};
  std::vector<bool> right = {false};
  for (const Run& run : comparison.runs) {
    rows[0].push_back(run.letter);
    right.push_back(true);
  }
  for (const std::string& metric : comparison.metrics) {
    rows.push_back({metric_label(metric, comparison.runs[0].model)});
    Table ends = {{fmt::format("  {:g} % interval", 100 * comparison.level)}};
    for (const Run& run : comparison.runs) {
      const auto at = run.metrics.find(metric);
      rows.back().push_back(at == run.metrics.end() ? "-" : metric_text(metric, at->second.value));
      ends[0].push_back(at == run.metrics.end() || !at->second.interval ? ""
                                                                        : interval_text(metric, *at->second.interval));
    }
    if (std::any_of(ends[0].begin() + 1, ends[0].end(), [](const std::string& cell) { return !cell.empty(); })) {
      rows.push_back(ends[0]);
    }
  }
  return text + aligned(rows, right);
}

std::string differences_text(const Comparison& comparison, std::size_t columns) {
  std::string text;
  for (const Run& run : comparison.runs) {
    if (run.differences.empty()) continue;
    Table rows = {{"", run.letter + " - A", fmt::format("{:g} % interval", 100 * comparison.level), ""}};
    for (const auto& [metric, difference] : run.differences) {
      const int sign = verdict(metric, difference);
      rows.push_back({metric_label(metric, run.model), signed_text(metric, difference.value),
                      difference.interval ? signed_text(metric, difference.interval->low) + " to " +
                                                signed_text(metric, difference.interval->high)
                                          : "-",
                      sign > 0   ? run.letter + " is better"
                      : sign < 0 ? "A is better"
                                 : "not told apart"});
    }
    text += "\n" + aligned(rows, {false, true, true, false});
  }
  if (text.empty()) return text;
  return "\n" + wrapped("differences, from draws of rows that both share", columns) + text.substr(1);
}

Line json_of(const Estimate& estimate) {
  Line json = {{"value", estimate.value}};
  if (estimate.interval) json["interval"] = {estimate.interval->low, estimate.interval->high};
  return json;
}

}  // namespace

std::string to_text(const Comparison& comparison, std::size_t columns) {
  Table runs;
  for (const Run& run : comparison.runs) {
    runs.push_back({run.letter, run.path, counted(nn::parameter_count(run.model.network), "parameter", "parameters"),
                    run.seconds ? "trained in " + duration(*run.seconds) : ""});
  }
  return aligned(runs, {false, false, true}, "") + settings_text(comparison, columns) +
         metrics_text(comparison, columns) + differences_text(comparison, columns);
}

Line to_json(const Comparison& comparison) {
  Line runs = Line::array();
  for (const Run& run : comparison.runs) {
    Line one = {{"model", run.path}, {"parameters", nn::parameter_count(run.model.network)}};
    if (run.seconds) one["seconds"] = *run.seconds;
    Line& metrics = one["metrics"] = Line::object();
    for (const std::string& name : comparison.metrics) {
      if (run.metrics.contains(name)) metrics[name] = json_of(run.metrics.at(name));
    }
    if (!run.differences.empty()) {
      Line& differences = one["difference_from_first"] = Line::object();
      for (const auto& [name, difference] : run.differences) {
        differences[name] = json_of(difference);
        differences[name]["better"] = verdict(name, difference);
      }
    }
    runs.push_back(std::move(one));
  }
  Line settings = Line::object();
  for (const auto& [name, values] : comparison.settings) settings[name] = values;
  Line json = {{"models", runs}, {"settings_that_differ", settings}, {"measured", comparison.measured}};
  if (!comparison.data.empty()) {
    json["data"] = comparison.data;
    json["rows"] = comparison.rows;
  }
  json["interval_level"] = comparison.level;
  return json;
}

}  // namespace pellucid::cli
