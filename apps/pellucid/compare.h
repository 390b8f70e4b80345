// Several models beside each other: what was chosen differently, and how they do on the same rows.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "assess.h"
#include "model.h"
#include "terminal.h"

namespace pellucid::cli {

/// One of the models that are compared.
struct Run {
  std::string letter;  // "A", "B", ...: what it is called
  std::string path;    // as it was given
  Model model;
  std::optional<double> seconds = {};            // of training, where a log beside the model tells it
  std::map<std::string, Estimate> metrics = {};  // on the data, else those of its training record
  /// Minus those of the first run, from paired draws; empty for the first, and without data.
  std::vector<std::pair<std::string, Estimate>> differences = {};
};

struct Comparison {
  std::vector<Run> runs;
  std::string data;       // empty: metrics are those of each run's training
  std::string measured;   // "on the 891 rows of held-out.csv"
  std::int64_t rows = 0;  // of the data
  double level = 0.95;
  std::vector<std::string> metrics;  // their names, in order
  /// Choices that are not the same in all runs: name, and the value in each ("-" where it has none).
  std::vector<std::pair<std::string, std::vector<std::string>>> settings;
};

std::string to_text(const Comparison& comparison, std::size_t columns);
nlohmann::ordered_json to_json(const Comparison& comparison);
/// A page in the manner of html_report.h.
std::string comparison_page(const Comparison& comparison);

/// 1 where the run is better than the first, -1 where the first is, 0 where the interval of the difference holds 0.
int verdict(const std::string& metric, const Estimate& difference);

}  // namespace pellucid::cli
