// Training on a table: the library's fit_table, and what is shown of it.
#include <optional>
#include <span>

#include "columns.h"
#include "folds.h"
#include "pellucid/io.h"
#include "report.h"
#include "schema_file.h"
#include "training.h"

namespace pellucid::cli {
namespace {

using Line = nlohmann::ordered_json;

void show_columns(const data::Preprocessing& preprocessing, const io::Table& table) {
  constexpr std::size_t kMost = 40;
  std::vector<std::vector<std::string>> rows = {{"column", "is", "missing", "inputs"}};
  for (const data::Feature& feature : preprocessing.features) {
    if (rows.size() > kMost) break;
    const std::int64_t missing = table.at(feature.column).count_missing();
    rows.push_back({shortened(feature.column, 32), kind_of(feature), missing == 0 ? "" : grouped(missing),
                    std::to_string(feature.inputs())});
  }
  say(aligned(rows, {false, false, true, true}));
  if (preprocessing.features.size() > kMost) {
    say("  ... and {} more columns\n", preprocessing.features.size() - kMost);
  }
  for (std::size_t i = 0; i < std::min(preprocessing.dropped.size(), kMost); ++i) {
    say("  left out: {}: {}\n", shortened(preprocessing.dropped[i].first, 32), preprocessing.dropped[i].second);
  }
}

void show_table(const TrainOptions& options, const TablePlan& plan, const io::Table& table,
                const std::string& guessed) {
  const data::Preprocessing& preprocessing = plan.model.preprocessing;
  const data::Target& target = preprocessing.target;
  if (options.json) {
    Line columns = Line::array();
    for (const data::Feature& feature : preprocessing.features) {
      columns.push_back({{"name", feature.column}, {"kind", kind_of(feature)}, {"inputs", feature.inputs()}});
    }
    Line dropped = Line::object();
    for (const auto& [column, reason] : preprocessing.dropped) dropped[column] = reason;
    Line line = {{"event", "data"}, {"source", table.source}, {"rows", table.rows}, {"target", target.name}};
    if (!guessed.empty()) line["target_guessed"] = guessed;
    line.update({{"task", data::name_of(target.task)},
                 {"classes", target.classes},
                 {"class_counts", plan.class_counts},
                 {"columns", columns},
                 {"left_out", dropped},
                 {"warnings", plan.warnings},
                 {"training_rows", plan.training_rows},
                 {"validation_rows", plan.validation_rows},
                 {"test_rows", plan.test_rows}});
    print_json(line);
    return;
  }
  if (options.quiet) return;
  say("{}: {}, {}\n", table.source, counted(table.rows, "row", "rows"),
      counted(static_cast<std::int64_t>(table.columns.size()), "column", "columns"));
  for (const std::string& note : table.notes) say("  note: {}\n", note);
  const std::string why = guessed.empty() ? "" : fmt::format(" (guessed: {}; --target COLUMN takes another)", guessed);
  if (target.task == data::Task::kClassification) {
    say("target: {}{}: {} classes: {}\n", target.name, why, target.classes.size(),
        class_list(target, plan.class_counts));
  } else {
    say("target: {}{}: a number, mean {:.6g}, standard deviation {:.6g}, from {:.6g} to {:.6g}{}\n", target.name, why,
        target.mean, target.scale, target.low, target.high, target.is_log() ? ", learned on a log scale" : "");
    const std::span<const double> numbers = table.at(target.name).numbers;
    if (!target.is_log() && data::suits_log(numbers)) {
      say("  note: a few values are far above the others (skewness {:.3g}); --log-target learns errors as shares\n",
          data::skewness(numbers));
    }
  }
  show_columns(preprocessing, table);
}

}  // namespace

Trained train_table(const TrainOptions& options, RunFolder& run) {
  if (!options.classes.empty()) usage("--classes names the classes of pictures, and '{}' is a table", options.data);
  if (!options.size.empty()) usage("--size is the size of pictures, and '{}' is a table; leave it out", options.data);
  if (options.network == "conv") {
    usage("--network conv is for pictures, and '{}' is a table; leave it out", options.data);
  }
  if (!options.oof.empty() && options.folds == 0) {
    usage("--oof '{}' is for what --folds predict; add --folds 5, or leave it out", options.oof);
  }
  if (!options.oof.empty()) io::check_writable(options.oof);
  io::CsvOptions reading;
  TableOptions fitting = options.table;
  std::string named = options.target;
  if (!options.schema.empty()) {
    fitting.schema = read_schema(options.schema);
    reading = data::csv_options(*fitting.schema);
    if (named.empty()) named = fitting.schema->with_role(data::Role::kTarget);
  }
  if (!options.quiet && !options.json) reading.progress = reading_line(options.data);
  const io::Table table = io::read_table(options.data, reading);
  data::TargetGuess guess{.name = named, .reason = ""};
  if (named.empty()) guess = data::guess_target(table);
  if (options.task == "classification") fitting.task = data::Task::kClassification;
  if (options.task == "regression") fitting.task = data::Task::kRegression;
  Json folds;
  if (options.folds > 0) folds = run_folds(options, table, guess.name, fitting);
  fitting.checkpoint = run.checkpoint();
  std::optional<ProgressView> view;
  fitting.on_plan = [&](const TablePlan& plan) {
    const data::Target& target = plan.model.target();
    show_table(options, plan, table, guess.reason);
    for (const std::string& warning : plan.warnings) warn(warning);
    show_plan(options, Json::parse(plan.recipe), plan.model.network, {plan.model.preprocessing.inputs()},
              plan.model.classifies() ? static_cast<std::int64_t>(target.classes.size()) : 1, plan.training_rows,
              plan.validation_rows);
    run.begin_training();
    view.emplace(progress_setup(options, run, target.task, plan.epochs, plan.training_rows, plan.may_stop_early));
  };
  fitting.on_epoch = [&](const Epoch& epoch) {
    view->epoch(epoch);
    return true;
  };
  fitting.on_progress = [&](const Progress& progress) {
    view->within(progress);
    return true;
  };
  fitting.on_tune = [&](const std::string& line) {
    if (options.json) print_json({{"event", "tune"}, {"text", line}});
    if (!options.json && !options.quiet) say("tuning: {}\n", line);
  };
  TableFit fit = fit_table(table, guess.name, fitting);
  view->finish();
  Trained trained;
  trained.model = model_of(std::move(fit.model));
  trained.model.training["data"]["name"] = base_name(options.data);
  if (options.folds > 0) trained.model.training["folds"] = std::move(folds);
  trained.result = std::move(fit.training);
  trained.validation = std::move(fit.validation);
  trained.folds = trained.model.training.at("recipe").value("folds", false);
  trained.test = std::move(fit.test);
  trained.test_name = "test rows, which nothing was chosen by";
  const data::Rows& shown = trained.test.output.defined() ? trained.test.rows : trained.validation.rows;
  trained.notes = table.notes;
  for (const io::Column& column : table.columns) trained.missing[column.name] = column.count_missing();
  if ((!options.quiet || !options.report.empty()) && !shown.empty())
    trained.x = data::encode(trained.model.table, table, shown).x;
  return trained;
}

}  // namespace pellucid::cli
