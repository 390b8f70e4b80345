// pellucid compare: models or the folders of runs beside each other.
#include "compare.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>

#include "base/atomic_file.h"
#include "base/fail.h"
#include "cli.h"
#include "pellucid/io.h"
#include "pellucid/ops.h"
#include "pellucid/threads.h"
#include "report.h"
#include "run_folder.h"
#include "stream.h"
#include "values.h"

namespace pellucid::cli {
namespace {

namespace fs = std::filesystem;

struct CompareOptions {
  std::vector<std::string> runs;
  std::string data, report;
  int threads = 0;
  bool json = false;
};

// The model file of a run: the path itself, what the folder of a run names, or the only one in a folder.
std::string model_file(const std::string& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return path;
  if (const std::optional<RunRecord> record = read_run(path)) return model_of_run(path, *record);
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(path)) {
    if (entry.path().extension() == ".safetensors") found.push_back(entry.path());
  }
  if (found.size() == 1) return found[0].string();
  base::fail("'{}' holds {} model files; name the one that is meant", path, found.size());
}

// The seconds of the last epoch in a log of JSON lines beside the model.
std::optional<double> seconds_of(const std::string& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return std::nullopt;
  std::optional<double> seconds;
  std::ifstream log(fs::path(path) / "log.jsonl");
  for (std::string line; std::getline(log, line);) {
    const Json json = Json::parse(line, nullptr, false);
    if (json.is_object() && json.contains("seconds") && json["seconds"].is_number()) seconds = json["seconds"];
  }
  return seconds;
}

std::string value_text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_float()) return fmt::format("{:.6g}", value.get<double>());
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// Everything that was chosen or given, by name.
std::map<std::string, std::string> settings_of(const Run& run) {
  std::map<std::string, std::string> settings;
  const Json& training = run.model.training;
  const auto add = [&](const Json& object, const std::string& prefix) {
    for (const auto& [key, value] : object.items()) {
      std::string name = prefix + key;
      std::replace(name.begin(), name.end(), '_', ' ');
      if (!value.is_array() || value.size() <= 16) settings[name] = value_text(value);
    }
  };
  if (training.contains("recipe") && training["recipe"].is_object()) add(training["recipe"], "");
  if (training.contains("data") && training["data"].is_object()) add(training["data"], "data: ");
  for (const char* key : {"seed", "program"}) {
    if (training.contains(key)) settings[key] = value_text(training[key]);
  }
  if (training.contains("end")) {
    settings["end: epochs"] = value_text(training["end"].value("epoch", Json()));
    settings["end: epoch kept"] = value_text(training["end"].value("kept_epoch", Json()));
  }
  settings["network: parameters"] = grouped(nn::parameter_count(run.model.network));
  if (run.model.source == data::Source::kTable) {
    settings["network: inputs"] = std::to_string(run.model.table.inputs());
    settings["data: columns used"] = std::to_string(run.model.table.features.size());
  }
  return settings;
}

std::vector<std::pair<std::string, std::vector<std::string>>> differing(const std::vector<Run>& runs) {
  std::vector<std::map<std::string, std::string>> all;
  std::set<std::string> names;
  for (const Run& run : runs) {
    all.push_back(settings_of(run));
    for (const auto& [name, value] : all.back()) names.insert(name);
  }
  std::vector<std::pair<std::string, std::vector<std::string>>> result;
  for (const std::string& name : names) {
    std::vector<std::string> values;
    for (const auto& settings : all) values.push_back(settings.contains(name) ? settings.at(name) : "-");
    if (std::any_of(values.begin(), values.end(), [&](const std::string& value) { return value != values[0]; })) {
      result.emplace_back(name, values);
    }
  }
  return result;
}

void check_same_target(const Run& first, const Run& other) {
  const data::Target &a = first.model.target, &b = other.model.target;
  if (a.task == b.task && a.name == b.name && a.classes == b.classes) return;
  base::fail("'{}' predicts {} {}{}, and '{}' {} {}{}; compare models of one target", first.path, name_of(a.task),
             a.name, a.classes.empty() ? "" : fmt::format(" ({} classes)", a.classes.size()), other.path,
             name_of(b.task), b.name, b.classes.empty() ? "" : fmt::format(" ({} classes)", b.classes.size()));
}

struct Measured {
  Array output;  // probabilities, or predictions in the target's unit
  Array y;       // classes, or numbers in the target's unit
  PredictedIntervals intervals = {};
  std::string source;
};

Measured measure(Run& run, const std::string& data) {
  Model& model = run.model;
  Measured measured;
  if (model.source == data::Source::kTable) {
    Arrays parts;
    const Streamed streamed =
        stream_predictions(model, data, true, [&](const Array&, const Array& output) { parts.push_back(output); });
    measured = {.output = parts.size() == 1 ? parts[0] : concat(parts).evaluate(), .y = streamed.y, .source = data};
  } else {
    const Examples examples = read_examples(model, data, true);
    measured = {.output = predictions(model, examples.x), .y = examples.y, .source = examples.source};
  }
  if (model.target.task == data::Task::kRegression) {
    measured.intervals = predicted_intervals(model.target, measured.output);
    measured.output = predicted_numbers(model.target, measured.output);
    measured.y = true_numbers(model.target, measured.y);
  }
  return measured;
}

void measure_all(Comparison& comparison) {
  std::vector<Measured> all;
  for (Run& run : comparison.runs) all.push_back(measure(run, comparison.data));
  const bool classes = comparison.runs[0].model.target.task == data::Task::kClassification;
  for (std::size_t i = 0; i < all.size(); ++i) {
    Run& run = comparison.runs[i];
    const Assessment values = classes ? assess_classes(all[i].output, all[i].y)
                                      : assess_numbers(all[i].output, all[i].y, {}, all[i].intervals);
    for (const AssessedMetric& metric : values.metrics) {
      std::vector<std::string>& names = comparison.metrics;
      if (std::find(names.begin(), names.end(), metric.name) == names.end()) names.push_back(metric.name);
      if (metric.model) run.metrics[metric.name] = *metric.model;
    }
    if (i > 0) {
      run.differences = classes ? compare_classes(all[0].output, all[i].output, all[0].y)
                                : compare_numbers(all[0].output, all[i].output, all[0].y);
    }
  }
  comparison.rows = all[0].y.shape()[0];
  comparison.measured = fmt::format("on the {} of {}", counted(comparison.rows, "row", "rows"), all[0].source);
}

// What each model's file keeps: of its test rows where all have them, else of its validation rows.
void recall_metrics(Comparison& comparison) {
  const auto has = [&](const char* part) {
    return std::all_of(comparison.runs.begin(), comparison.runs.end(), [&](const Run& run) {
      return run.model.training.contains(part) && run.model.training[part].contains("metrics");
    });
  };
  const char* part = has("test") ? "test" : "validation";
  if (!has(part)) {
    comparison.measured = "no metrics: not all models keep any; --data DATA measures them on the same rows";
    return;
  }
  comparison.measured = fmt::format(
      "on the {} rows of each one's own training, which need not be the same; --data DATA "
      "compares on the same rows",
      part);
  const std::vector<std::string> order = {"accuracy",
                                          "top_5_accuracy",
                                          "f1",
                                          "roc_auc",
                                          "log_loss",
                                          "expected_calibration_error",
                                          "r2",
                                          "root_mean_squared_error",
                                          "mean_absolute_error",
                                          "coverage",
                                          "interval_width"};
  for (const std::string& name : order) {
    bool any = false;
    for (Run& run : comparison.runs) {
      const Json& kept = run.model.training[part];
      if (!kept["metrics"].contains(name)) continue;
      Estimate& estimate = run.metrics[name];
      estimate.value = kept["metrics"][name];
      if (kept.contains("intervals") && kept["intervals"].contains(name)) {
        estimate.interval = {.low = kept["intervals"][name][0], .high = kept["intervals"][name][1]};
      }
      any = true;
    }
    if (any) comparison.metrics.push_back(name);
  }
}

int run_compare(const CompareOptions& options) {
  if (options.runs.size() < 2) usage("one model alone cannot be compared; give two or more");
  if (options.runs.size() > 26)
    usage("{} models are more than can be shown beside each other; give at most 26", options.runs.size());
  if (!options.report.empty()) io::check_writable(options.report);
  if (options.threads > 0) set_threads(options.threads);
  Comparison comparison{.runs = {}, .data = options.data, .measured = {}, .metrics = {}, .settings = {}};
  for (const std::string& path : options.runs) {
    comparison.runs.push_back({.letter = std::string(1, static_cast<char>('A' + comparison.runs.size())),
                               .path = path,
                               .model = load(model_file(path)),
                               .seconds = seconds_of(path)});
    check_same_target(comparison.runs[0], comparison.runs.back());
  }
  comparison.settings = differing(comparison.runs);
  if (options.data.empty()) {
    recall_metrics(comparison);
  } else {
    measure_all(comparison);
  }
  if (!options.report.empty()) {
    base::AtomicFile file(options.report);
    file.write(comparison_page(comparison));
    file.commit();
  }
  if (options.json) {
    print_json(to_json(comparison));
    return kDone;
  }
  say(to_text(comparison, terminal_columns()));
  if (!options.report.empty()) say("\nthe report is in {}\n", options.report);
  return kDone;
}

}  // namespace

int verdict(const std::string& metric, const Estimate& difference) {
  if (!difference.interval || (difference.interval->low <= 0 && difference.interval->high >= 0)) return 0;
  const bool smaller = metric == "log_loss" || metric == "expected_calibration_error" ||
                       metric == "root_mean_squared_error" || metric == "mean_absolute_error" ||
                       metric == "interval_width";
  return (difference.value > 0) != smaller ? 1 : -1;
}

void add_compare(CLI::App& program, Action& action) {
  auto options = std::make_shared<CompareOptions>();
  CLI::App& verb = *program.add_subcommand("compare", "Models beside each other: settings that differ, and metrics");
  verb.add_option("models", options->runs, "Two or more files that train wrote, or folders with one each")
      ->required()
      ->expected(1, -1)
      ->type_name("MODEL...");
  verb.add_option("--data", options->data,
                  "Rows with known targets: metrics of all models on the same rows, and intervals of their differences "
                  "(else those that the model files keep)")
      ->type_name("DATA");
  verb.add_option("--report", options->report, "A page with pictures of the comparison: one HTML file")
      ->type_name("FILE");
  verb.add_option("--threads", options->threads, "Threads to work with")->check(whole(1, 1024))->type_name("N");
  verb.add_flag("--json", options->json, "One line of JSON for machines");
  verb.footer(
      "Examples:\n"
      "  pellucid compare small.safetensors large.safetensors\n"
      "  pellucid compare small.safetensors large.safetensors --data held-out.csv --report both.html");
  verb.callback([options, &action] { action = [options] { return run_compare(*options); }; });
}

}  // namespace pellucid::cli
