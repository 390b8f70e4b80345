// fit_table: rows into parts, columns into inputs, a recipe, training, calibration, and the record of it all.
#include <algorithm>
#include <cmath>
#include <map>

#include "base/fail.h"
#include "pellucid/metrics.h"
#include "pellucid/ops.h"
#include "pellucid/version.h"
#include "tables/ensemble.h"
#include "tables/recipe.h"
#include "tables/rows.h"
#include "tables/search.h"

namespace pellucid {

using base::fail;
using nlohmann::json;

namespace tables {

namespace {

// The columns to be taken as categories, as text.
io::Table with_categories(const io::Table& table, const std::vector<std::string>& names) {
  io::Table changed = table;
  for (const std::string& name : names) {
    table.at(name);
    io::Column& column = changed.columns[static_cast<std::size_t>(table.find(name))];
    if (column.text) continue;
    io::Column text;
    text.name = name;
    text.text = true;
    std::map<std::string, std::int32_t> codes;
    for (std::int64_t row = 0; row < column.size(); ++row) {
      if (column.missing(row)) {
        text.codes.push_back(-1);
        continue;
      }
      const std::string field = column.field(row);
      const auto [at, added] = codes.try_emplace(field, static_cast<std::int32_t>(text.levels.size()));
      if (added) text.levels.push_back(field);
      text.codes.push_back(at->second);
    }
    column = std::move(text);
  }
  return changed;
}

data::PreprocessOptions preprocess_options(const TableOptions& options, std::size_t rows) {
  data::PreprocessOptions result;
  const bool few = !options.fast && rows < static_cast<std::size_t>(kFewRows);
  result.scaling = options.scaling.value_or(few ? data::Scaling::kUnclipped : data::Scaling::kRobust);
  result.ignore = options.ignore;
  result.schema = options.schema;
  return result;
}

// Weights of the rows, with those of their classes in them; undefined where all are equal.
Array weights_of(const TableOptions& options, const data::Target& target, const Array& y, const data::Rows& rows) {
  if (options.sample_weights.empty() && !options.balanced && options.class_weights.empty()) return {};
  std::vector<double> weights(rows.size(), 1);
  if (!options.sample_weights.empty()) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      weights[i] = options.sample_weights[static_cast<std::size_t>(rows[i])];
    }
  }
  if (options.balanced || !options.class_weights.empty()) {
    const std::vector<double> factors = class_factors(options, target, y, weights);
    const auto labels = y.to_vector<std::int64_t>();
    for (std::size_t i = 0; i < rows.size(); ++i) weights[i] *= factors[static_cast<std::size_t>(labels[i])];
  }
  return astype(Array::from(weights), float32).evaluate();
}

TablePart part_of(TableModel& model, const data::Rows& rows, const Dataset& set) {
  if (rows.empty()) return {};
  return {.rows = rows, .output = model.output(set.x), .y = set.y};
}

}  // namespace

void check_options(const TableOptions& options, const io::Table& table, const data::Target& target) {
  const auto rows = static_cast<std::size_t>(table.rows);
  const auto share = [](const char* name, double value) {
    if (!(value >= 0 && value < 1)) misfit("{} {} must be at least 0 and less than 1", name, value);
  };
  share("validation", options.validation.value_or(0));
  share("test", options.test);
  share("dropout", options.dropout.value_or(0));
  share("label_smoothing", options.label_smoothing.value_or(0));
  share("average", options.average.value_or(0));
  const auto positive = [](const char* name, double value) {
    if (!(value > 0)) misfit("{} {} must be above 0", name, value);
  };
  positive("learning_rate", options.learning_rate.value_or(1));
  positive("batch", static_cast<double>(options.batch.value_or(1)));
  positive("epochs", static_cast<double>(options.epochs.value_or(1)));
  positive("max_seconds", options.max_seconds.value_or(1));
  positive("ensemble", static_cast<double>(options.ensemble.value_or(1)));
  positive("time", options.time.value_or(1));
  positive("tune", static_cast<double>(options.tune.value_or(1)));
  if (options.fast && options.time) misfit("time is for the ensemble, not for `fast`; leave one of them out");
  if (options.fast && options.ensemble) {
    misfit("ensemble {} is for many networks, and `fast` is one; leave one of them out", *options.ensemble);
  }
  if (options.fast && options.tune) misfit("tune is for the ensemble, not for `fast`; leave one of them out");
  const bool shared = options.validation || options.ensemble == 1;
  if (shared && (options.time || options.tune)) {
    misfit("{} needs networks that each leave out a part of the rows; leave `validation` and `ensemble` 1 out",
           options.time ? "time" : "tune");
  }
  const auto none_below_0 = [](const char* name, double value) {
    if (!(value >= 0)) misfit("{} {} must not be below 0", name, value);
  };
  none_below_0("weight_decay", options.weight_decay.value_or(0));
  none_below_0("l1", options.l1);
  none_below_0("l2", options.l2);
  none_below_0("patience", static_cast<double>(options.patience.value_or(0)));
  for (const std::int64_t size : options.hidden.value_or(std::vector<std::int64_t>())) {
    if (size < 1) misfit("hidden: a layer of size {} stands among the others; sizes are positive", size);
  }
  if (!options.sample_weights.empty() && options.sample_weights.size() != rows) {
    misfit("sample_weights are {}, and the table has {} rows; give one for each", options.sample_weights.size(), rows);
  }
  for (std::size_t i = 0; i < options.sample_weights.size(); ++i) {
    const double weight = options.sample_weights[i];
    if (!(weight >= 0 && std::isfinite(weight))) {
      misfit("sample_weights: {} of row {} must be finite and not below 0", weight, i);
    }
  }
  const bool classes = target.task == data::Task::kClassification;
  if (!classes && (options.balanced || !options.class_weights.empty())) {
    misfit("class_weights are for classes, and '{}' is a number; leave them out", target.name);
  }
  if (classes && options.log_target) {
    misfit("log_target is for numbers, and '{}' is of classes; leave it out", target.name);
  }
  for (const auto& [name, weight] : options.class_weights) {
    if (std::find(target.classes.begin(), target.classes.end(), name) == target.classes.end()) {
      misfit("class_weights: '{}' is no class of '{}'", name, target.name);
    }
    if (!(weight > 0 && std::isfinite(weight))) misfit("class_weights: {} of '{}' must be above 0", weight, name);
  }
}

std::vector<double> class_factors(const TableOptions& options, const data::Target& target, const Array& y,
                                  const std::vector<double>& weights) {
  std::vector<double> factors(target.classes.size(), 1);
  if (options.balanced) {
    std::vector<double> sums(factors.size());
    const auto labels = y.to_vector<std::int64_t>();
    double total = 0;
    for (std::size_t i = 0; i < labels.size(); ++i) {
      sums[static_cast<std::size_t>(labels[i])] += weights[i];
      total += weights[i];
    }
    for (std::size_t i = 0; i < factors.size(); ++i) {
      if (sums[i] > 0) factors[i] = total / (static_cast<double>(factors.size()) * sums[i]);
    }
  }
  for (const auto& [name, weight] : options.class_weights) {
    const auto at = std::find(target.classes.begin(), target.classes.end(), name) - target.classes.begin();
    factors[static_cast<std::size_t>(at)] *= weight;
  }
  return factors;
}

double error_in_units(const data::Target& target, const Array& prediction, const Array& truth, const Array& weights) {
  if (!target.is_log()) return metrics::root_mean_squared_error(prediction, truth, weights) * target.scale;
  const Array units = clip(data::in_units(target, prediction), target.low, target.high);
  return metrics::root_mean_squared_error(units, data::in_units(target, truth), weights);
}

Metric score_in_units(const data::Target& target) {
  return {"root_mean_squared_error",
          [target](const Array& prediction, const Array& truth, const Array& weights) {
            return error_in_units(target, prediction, truth, weights);
          },
          false};
}

}  // namespace tables

namespace {

using namespace tables;

/// All that is known before training.
struct Job {
  RowParts parts;
  Dataset training, validation, test;
  Recipe recipe;
  std::optional<Recipe> second;  // of an ensemble beside the first
  json record;
};

json plan_of(const Job& job) {
  json plan = to_json(job.recipe);
  if (job.second) plan["second"] = {{"activation", job.second->activation}, {"weight_decay", job.second->weight_decay}};
  return plan;
}

FitOptions common_options(const TableOptions& options, const Job& job) {
  FitOptions fitting;
  fitting.seed = options.seed;
  fitting.max_seconds = options.max_seconds;
  fitting.on_epoch = options.on_epoch;
  fitting.on_progress = options.on_progress;
  fitting.catch_interrupt = options.catch_interrupt;
  fitting.checkpoint = options.checkpoint;
  fitting.checkpoint.note = to_json(job.recipe).dump();
  return fitting;
}

void check_end(const FitResult& result) {
  if (result.reason == Reason::kDiverged) fail("training {}; there is no model", result.explanation);
}

// Of the one network that is trained, begun anew.
OptimizerState* the_state(const TableOptions& options) {
  if (options.optimizer_states == nullptr) return nullptr;
  options.optimizer_states->assign(1, {});
  return &options.optimizer_states->front();
}

// The plain network.
void train_plain(TableFit& result, Job& job, const TableOptions& options) {
  TableModel& model = result.model;
  const data::Target& target = model.target();
  const FitOptions common = common_options(options, job);
  FitOptions fitting = fit_options(job.recipe, target.task, job.training.x.size(0), options.seed);
  if (!model.classifies()) fitting.metrics = {score_in_units(target)};
  if (job.validation.x.defined()) fitting.validation = job.validation;
  fitting.max_seconds = common.max_seconds;
  fitting.on_epoch = common.on_epoch;
  fitting.on_progress = common.on_progress;
  fitting.catch_interrupt = common.catch_interrupt;
  fitting.checkpoint = common.checkpoint;
  fitting.optimizer_state = the_state(options);
  result.training = fit(model.network, job.training, fitting);
  check_end(result.training);
  if (job.recipe.calibrate && result.training.kept_epoch > 0) {
    job.record["calibration"] = calibrate(model.network, job.validation.x, job.validation.y);
  }
  result.validation = part_of(model, job.parts.validation, job.validation);
}

Array joined(const Array& a, const Array& b) { return b.defined() ? concat({a, b}).evaluate() : a; }

// The ensemble.
void train_ensemble(TableFit& result, Job& job, const TableOptions& options, const io::Table& table) {
  TableModel& model = result.model;
  const data::Target& target = model.target();
  const Dataset rows{
      .x = joined(job.training.x, job.validation.x),
      .y = joined(job.training.y, job.validation.y),
      .weights = job.training.weights.defined() ? joined(job.training.weights, job.validation.weights) : Array()};
  data::Rows numbers = job.parts.training;  // of the table, for each of `rows`
  numbers.insert(numbers.end(), job.parts.validation.begin(), job.parts.validation.end());
  const std::int64_t count = job.training.x.size(0);
  std::vector<std::int32_t> classes;
  if (model.classifies()) {
    const std::vector<std::int32_t> of_table = data::class_numbers(target, table);
    for (const std::int64_t row : job.parts.training) classes.push_back(of_table[static_cast<std::size_t>(row)]);
  }
  const Problem problem{
      .target = target,
      .rows = rows,
      .embedded = embedded_inputs(model.preprocessing),
      .outputs = model.classifies() ? static_cast<std::int64_t>(target.classes.size()) : 1,
      .folds = [&](std::int64_t of, std::uint64_t seed) { return make_folds(count, of, seed, classes); },
      .seed = options.seed,
      .second = job.second};
  Folds folds = job.recipe.folds
                    ? make_folds(count, job.recipe.members, options.seed, classes)
                    : common_folds(count, static_cast<std::int64_t>(job.parts.validation.size()), job.recipe.members);
  FitOptions fitting = common_options(options, job);
  Array outputs;
  if (options.optimizer_states != nullptr) options.optimizer_states->clear();
  if ((options.time || options.tune || job.second) && job.recipe.folds) {
    result.training =
        search(model.network, job.recipe, options, problem, fitting, outputs, job.record["ensembles"] = json::array());
    if (outputs.defined()) folds.held_out = {data::all_rows(count)};  // they are in the order of rows now
  } else {
    fitting.optimizer_state = the_state(options);
    result.training = fit_ensemble(model.network, job.recipe, target, rows, folds, fitting);
  }
  check_end(result.training);
  if (folds.held_out.empty()) return;
  const data::Rows held_out = held_out_rows(folds);
  const Array at = Array::from(held_out), y = take(rows.y, at, 0).evaluate();
  if (!outputs.defined()) outputs = held_out_outputs(*model.network[0].as<nn::Ensemble>(), rows.x, folds);
  if ((model.classifies() ? job.recipe.calibrate : true) && result.training.kept_epoch > 0) {
    const double value = calibrate_ensemble(model.network, target.task, outputs, y);
    job.record[model.classifies() ? "calibration" : "margin"] = value;
    if (model.classifies()) outputs = outputs * value;
  }
  outputs = model.classifies() ? softmax(outputs) : model.network[1](outputs);
  for (const std::int64_t i : held_out) result.validation.rows.push_back(numbers[static_cast<std::size_t>(i)]);
  result.validation.output = outputs.evaluate();
  result.validation.y = y;
}

}  // namespace

TableFit fit_table(const io::Table& given, const std::string& name, const TableOptions& asked) {
  const TableOptions options = with_roles(given, name, asked);
  const io::Table table = with_categories(given, options.categories);
  const data::Rows rows = data::labelled_rows(table, name);
  // The classes are those of all rows, so that they are there to split by; the numbers come from training rows below.
  const data::Target whole = data::fit_target(table, name, options.task, rows);
  check_options(options, table, whole);
  const double share = options.fast ? validation_share(options, data::Source::kTable) : options.validation.value_or(0);
  Job job;
  const RowParts& parts = job.parts = split_rows(table, rows, data::class_numbers(whole, table), options, share);

  TableFit result;
  TableModel& model = result.model;
  const data::Target fitted = data::fit_target(table, name, whole.task, parts.training, options.log_target);
  model.preprocessing = data::fit_preprocessing(table, fitted, parts.training,
                                                preprocess_options(options, parts.training.size()), io::CsvOptions{});
  const bool folds = !options.fast && !options.validation && options.ensemble != 1;
  const std::vector<std::string> warnings = warnings_of(model.preprocessing, table, parts, folds);
  const data::Target& target = model.target();
  const bool classes = model.classifies();
  const auto examples = [&](const data::Rows& chosen) {
    if (chosen.empty()) return Dataset{};
    const Array y = data::encode_target(target, table, chosen);
    return Dataset{.x = data::encode(model.preprocessing, table, chosen).x,
                   .y = y,
                   .weights = weights_of(options, target, y, chosen)};
  };
  job.training = examples(parts.training);
  job.validation = examples(parts.validation);
  job.test = examples(parts.test);

  const auto count = static_cast<std::int64_t>(parts.training.size());
  const EmbeddedInputs embedded = embedded_inputs(model.preprocessing);
  const bool folded = !options.fast && !options.validation;
  job.recipe =
      make_recipe(options, data::Source::kTable, target.task, count, folded || !parts.validation.empty(), embedded);
  job.second = second_recipe(job.recipe, options, count);
  const std::int64_t outputs = classes ? static_cast<std::int64_t>(target.classes.size()) : 1;
  const std::int64_t inputs = job.training.x.size(1);
  const bool ensemble = job.recipe.members > 0;
  model.network = ensemble ? make_ensemble(job.recipe, target.task, inputs, embedded, outputs, options.seed)
                           : make_network(job.recipe, inputs, outputs, false, options.seed);
  json& record = job.record;
  std::vector<std::int64_t> counts;
  if (classes) record["class_counts"] = counts = count_classes(job.training.y, target.classes.size());
  if (options.on_plan) {
    options.on_plan({.model = model,
                     .training_rows = count,
                     .validation_rows = static_cast<std::int64_t>(parts.validation.size()),
                     .test_rows = static_cast<std::int64_t>(parts.test.size()),
                     .class_counts = counts,
                     .recipe = plan_of(job).dump(),
                     .epochs = job.recipe.epochs,
                     .may_stop_early = job.recipe.patience.has_value(),
                     .warnings = warnings});
  }
  if (ensemble) {
    train_ensemble(result, job, options, table);
  } else {
    train_plain(result, job, options);
  }
  result.test = part_of(model, parts.test, job.test);

  record["program"] = std::string("pellucid ") + version();
  record["data"] = {{"rows", table.rows},
                    {"training_rows", count},
                    {"validation_rows", parts.validation.size()},
                    {"test_rows", parts.test.size()}};
  record["data"]["warnings"] = warnings;
  json& columns = record["data"]["columns"] = json::array();
  for (const io::Column& column : table.columns) {
    if (column.name != name) columns.push_back(column.name);
  }
  record["recipe"] = plan_of(job);
  record["seed"] = options.seed;
  record["end"] = {{"reason", name_of(result.training.reason)},
                   {"epoch", result.training.epoch},
                   {"kept_epoch", result.training.kept_epoch},
                   {"steps", result.training.steps}};
  record["history"] = history_of(result.training, classes ? "accuracy" : "root_mean_squared_error");
  model.record = record.dump();
  return result;
}

namespace {

io::Table with_target(const Array& x, const Array& y) {
  io::Table table = table_of(x);
  if (y.rank() != 1 || y.size(0) != table.rows) {
    fail("fit_table: y has shape {}, and x has {} rows; give one number for each row", y.shape(), table.rows);
  }
  io::Column column;
  column.name = "y";
  column.numbers = astype(y, float64).to_vector<double>();
  table.columns.push_back(std::move(column));
  return table;
}

}  // namespace

TableFit fit_table(const Array& x, const Array& y, const TableOptions& options) {
  return fit_table(with_target(x, y), "y", options);
}

namespace {

// The ensembles of a model's network: one, or the parts of a blend; none where it is a plain network.
std::vector<nn::AnyLayer*> ensembles_of(nn::Sequential& network) {
  if (network[0].as<nn::Ensemble>() != nullptr) return {&network[0]};
  std::vector<nn::AnyLayer*> parts;
  auto* blend = network[0].as<nn::Blend>();
  for (std::int64_t i = 0; blend != nullptr && i < blend->parts(); ++i) parts.push_back(&blend->part(i));
  return parts;
}

}  // namespace

FitResult update_table_model(TableModel& model, const io::Table& table, const TableOptions& options) {
  using namespace tables;
  const data::Target& target = model.target();
  check_options(options, table, target);
  const data::Rows rows = data::labelled_rows(table, target.name);
  if (rows.empty()) fail("update_table_model: no row has a value in the target column '{}'", target.name);
  const Array y = data::encode_target(target, table, rows);
  const Dataset training{
      .x = data::encode(model.preprocessing, table, rows).x, .y = y, .weights = weights_of(options, target, y, rows)};
  TableOptions chosen = options;
  chosen.epochs = options.epochs.value_or(1);
  if (chosen.schedule.empty()) chosen.schedule = "constant";
  TableModel changed = model;
  const std::vector<nn::AnyLayer*> ensembles = ensembles_of(changed.network);
  const bool ensemble = !ensembles.empty();
  chosen.fast = !ensemble;
  if (!chosen.learning_rate) chosen.learning_rate = ensemble ? 5e-3 : 1e-3;
  chosen.patience.reset();
  const auto count = static_cast<std::int64_t>(rows.size());
  const Recipe recipe = make_recipe(chosen, data::Source::kTable, target.task, count, false);
  FitOptions fitting = fit_options(recipe, target.task, count, options.seed);
  if (!model.classifies() && !ensemble) fitting.metrics = {score_in_units(target)};
  if (ensemble) fitting.metrics.clear();
  fitting.max_seconds = options.max_seconds;
  fitting.on_epoch = options.on_epoch;
  fitting.on_progress = options.on_progress;
  fitting.catch_interrupt = options.catch_interrupt;
  const bool kept = options.optimizer_states != nullptr;
  std::vector<OptimizerState> states = kept ? *options.optimizer_states : std::vector<OptimizerState>();
  states.resize(std::max<std::size_t>(ensembles.size(), 1));
  FitResult result;
  for (std::size_t i = 0; i < ensembles.size(); ++i) {
    nn::AnyLayer* one = ensembles[i];
    if (kept) fitting.optimizer_state = &states[i];
    nn::Sequential network;
    network.push_back(*one);
    Recipe own = recipe;
    own.members = one->as<nn::Ensemble>()->members();
    const std::vector<nn::NamedArray> parameters = nn::named_parameters(network);
    own.embeds = parameters.front().name == "0.0.frequency";
    own.embeds_categories = std::any_of(parameters.begin(), parameters.end(),
                                        [](const nn::NamedArray& p) { return p.name.ends_with(".vectors"); });
    result = fit_ensemble(network, own, target, training, common_folds(count, 0, own.members), fitting);
    *one = network[0];
    if (result.reason == Reason::kDiverged || result.reason == Reason::kInterrupted) break;
  }
  if (!ensemble) {
    if (kept) fitting.optimizer_state = &states[0];
    result = fit(changed.network, training, fitting);
  }
  if (result.reason == Reason::kDiverged) fail("training {}; the model is as it was", result.explanation);
  model = std::move(changed);
  if (kept) *options.optimizer_states = std::move(states);
  return result;
}

FitResult update_table_model(TableModel& model, const Array& x, const Array& y, const TableOptions& options) {
  io::Table table = with_target(x, y);
  table.columns.back().name = model.target().name;
  return update_table_model(model, table, options);
}

}  // namespace pellucid
