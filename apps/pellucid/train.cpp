// pellucid train: from a file to a model file.
#include <algorithm>
#include <filesystem>
#include <memory>

#include "base/fail.h"
#include "cli.h"
#include "model.h"
#include "pellucid/io.h"
#include "pellucid/metrics.h"
#include "pellucid/ops.h"
#include "pellucid/threads.h"
#include "pellucid/train.h"
#include "pellucid/version.h"
#include "progress.h"
#include "recipe.h"
#include "report.h"

namespace pellucid::cli {
namespace {

namespace fs = std::filesystem;
using Line = nlohmann::ordered_json;

// Everything that is to be learned from, in the network's terms.
struct Job {
  Model model;
  Shape input;  // of one example
  Dataset training, validation, test;
  std::string test_name;  // "test images"
  Json record;            // of the data, for the training record
};

std::string default_out(const std::string& data) {
  fs::path path(data);
  if (!path.has_filename()) path = path.parent_path();
  path = path.filename();
  if (path.extension() == ".gz") path = path.stem();
  if (path.extension() == ".csv" || path.extension() == ".npz" || path.extension() == ".tsv" ||
      path.extension() == ".txt") {
    path = path.stem();
  }
  return (path.empty() || path == "." || path == ".." ? fs::path("model") : path).string() + ".safetensors";
}

std::string base_name(const std::string& data) {
  fs::path path(data);
  if (!path.has_filename()) path = path.parent_path();
  return path.filename().string();
}

// ---- Tables ---------------------------------------------------------------------------------------------------------

std::string kind_of(const data::Feature& feature) {
  switch (feature.kind) {
    case data::Feature::Kind::kNumber:
      return "number";
    case data::Feature::Kind::kBinary:
      return fmt::format("two values: {}, {}", shortened(feature.levels[0], 20), shortened(feature.levels[1], 20));
    case data::Feature::Kind::kCategory:
      return fmt::format("category of {} values", feature.levels.size());
    case data::Feature::Kind::kDate:
      return fmt::format("date: {}", fmt::join(feature.parts, ", "));
  }
  return "";
}

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

std::string class_list(const data::Target& target, const std::vector<std::int64_t>& counts) {
  constexpr std::size_t kMost = 12;
  std::int64_t total = 0;
  for (const std::int64_t count : counts) total += count;
  std::vector<std::string> words;
  for (std::size_t i = 0; i < std::min(counts.size(), kMost); ++i) {
    words.push_back(fmt::format("{} {:.1f} %", shortened(target.classes[i], 24),
                                100.0 * static_cast<double>(counts[i]) / static_cast<double>(total)));
  }
  if (counts.size() > kMost) words.push_back(fmt::format("and {} more", counts.size() - kMost));
  return fmt::format("{}", fmt::join(words, ", "));
}

void show_table(const TrainOptions& options, const Job& job, const io::Table& table,
                const std::vector<std::int64_t>& counts) {
  const data::Target& target = job.model.target;
  if (options.json) {
    Line columns = Line::array();
    for (const data::Feature& feature : job.model.table.features) {
      columns.push_back({{"name", feature.column}, {"kind", kind_of(feature)}, {"inputs", feature.inputs()}});
    }
    Line dropped = Line::object();
    for (const auto& [column, reason] : job.model.table.dropped) dropped[column] = reason;
    print_json({{"event", "data"},
                {"source", table.source},
                {"rows", table.rows},
                {"target", target.name},
                {"task", data::name_of(target.task)},
                {"classes", target.classes},
                {"class_counts", counts},
                {"columns", columns},
                {"left_out", dropped},
                {"training_rows", job.training.x.shape()[0]},
                {"validation_rows", job.validation.x.defined() ? job.validation.x.shape()[0] : 0},
                {"test_rows", job.test.x.defined() ? job.test.x.shape()[0] : 0}});
    return;
  }
  if (options.quiet) return;
  say("{}: {}, {}\n", table.source, counted(table.rows, "row", "rows"),
      counted(static_cast<std::int64_t>(table.columns.size()), "column", "columns"));
  for (const std::string& note : table.notes) say("  note: {}\n", note);
  const std::string why = options.target.empty() ? " (guessed; --target chooses another)" : "";
  if (target.task == data::Task::kClassification) {
    say("target: {}{}: {} classes: {}\n", target.name, why, target.classes.size(), class_list(target, counts));
  } else {
    say("target: {}{}: a number, mean {:.6g}, standard deviation {:.6g}, from {:.6g} to {:.6g}\n", target.name, why,
        target.mean, target.scale, target.low, target.high);
  }
  show_columns(job.model.table, table);
}

Job read_table_job(const TrainOptions& options) {
  if (!options.classes.empty()) usage("--classes names the classes of pictures, and '{}' is a table", options.data);
  const io::Table table = io::read_csv(options.data);
  const std::string name = options.target.empty() ? data::guess_target(table) : options.target;
  const data::Rows rows = data::labelled_rows(table, name);
  std::optional<data::Task> task;
  if (options.task == "classification") task = data::Task::kClassification;
  if (options.task == "regression") task = data::Task::kRegression;

  // The classes are those of all rows, so that they are there to split by; the numbers come from training rows below.
  const data::Target whole = data::fit_target(table, name, task, rows);
  const std::vector<std::int32_t> classes = data::class_numbers(whole, table);
  data::Split parts{.training = rows, .held_out = {}};
  data::Rows test;
  if (options.test > 0) {
    data::Split split = data::split(rows, options.test, options.seed + 1, classes);
    test = std::move(split.held_out);
    parts.training = std::move(split.training);
  }
  const double share = validation_share(options, data::Source::kTable);
  if (share > 0) parts = data::split(parts.training, share, options.seed, classes);

  Job job;
  job.model.source = data::Source::kTable;
  const data::Target target = data::fit_target(table, name, whole.task, parts.training);
  job.model.table =
      data::fit_preprocessing(table, target, parts.training, {.ignore = options.ignore}, io::CsvOptions{});
  job.model.target = job.model.table.target;
  const auto examples = [&](const data::Rows& chosen) {
    if (chosen.empty()) return Dataset{};
    return Dataset{.x = data::encode(job.model.table, table, chosen).x,
                   .y = data::encode_target(job.model.target, table, chosen)};
  };
  job.training = examples(parts.training);
  job.validation = examples(parts.held_out);
  job.test = examples(test);
  job.test_name = "test rows, which nothing was chosen by";
  job.input = {job.training.x.shape()[1]};
  job.record = {{"name", base_name(options.data)}, {"rows", table.rows}};
  std::vector<std::int64_t> counts;
  if (target.task == data::Task::kClassification) {
    counts = count_classes(job.training.y, target.classes.size());
    job.model.training["class_counts"] = counts;
  }
  show_table(options, job, table, counts);
  return job;
}

// ---- Pictures -------------------------------------------------------------------------------------------------------

Job read_picture_job(const TrainOptions& options) {
  if (!options.target.empty() || options.task == "regression" || !options.ignore.empty() || options.test > 0) {
    usage("--target, --task regression, --ignore and --test are for tables, and '{}' holds pictures", options.data);
  }
  data::Pictures pictures = data::read_pictures(options.data);
  if (!options.classes.empty()) {
    if (options.classes.size() != pictures.classes.size()) {
      usage("--classes: {} names are given, and '{}' has {} classes; name each, in the order of their numbers",
            options.classes.size(), options.data, pictures.classes.size());
    }
    pictures.classes = options.classes;
  }
  Job job;
  job.model.source = data::Source::kPictures;
  job.model.pictures = data::fit_pictures(pictures);
  job.model.target = picture_target(pictures.classes);
  const Array x = encode_pictures(job.model.pictures, pictures.training.images, options.data);
  const Array& y = pictures.training.labels;
  job.training = {.x = x, .y = y};
  const double share = validation_share(options, data::Source::kPictures);
  if (share > 0) {
    const std::vector<std::int32_t> classes = y.to_vector<std::int32_t>();
    const data::Split parts = data::split(data::all_rows(x.shape()[0]), share, options.seed, classes);
    const auto part = [&](const data::Rows& rows) {
      const Array positions = Array::from(rows);
      Dataset set{.x = take(x, positions, 0), .y = take(y, positions, 0)};
      evaluate(Arrays{set.x, set.y});
      return set;
    };
    job.training = part(parts.training);
    job.validation = part(parts.held_out);
  }
  if (pictures.test.size() > 0) {
    job.test = {.x = encode_pictures(job.model.pictures, pictures.test.images, options.data),
                .y = pictures.test.labels};
  }
  job.test_name = "test images";
  job.input = job.model.pictures.shape;
  job.record = {{"name", base_name(options.data)}, {"pictures", x.shape()[0]}};
  const std::vector<std::int64_t> counts = count_classes(job.training.y, pictures.classes.size());
  job.model.training["class_counts"] = counts;
  if (options.json) {
    print_json({{"event", "data"},
                {"source", options.data},
                {"task", "classification"},
                {"shape", job.input},
                {"classes", pictures.classes},
                {"class_counts", counts},
                {"training_rows", job.training.x.shape()[0]},
                {"validation_rows", job.validation.x.defined() ? job.validation.x.shape()[0] : 0},
                {"test_rows", pictures.test.size()}});
  } else if (!options.quiet) {
    say("{}: {} training and {} test images of {}, {} classes: {}\n", options.data, grouped(pictures.training.size()),
        grouped(pictures.test.size()), to_string(job.input), pictures.classes.size(),
        class_list(job.model.target, counts));
  }
  return job;
}

// ---- Training -------------------------------------------------------------------------------------------------------

void show_plan(const TrainOptions& options, const Recipe& recipe, const Job& job, std::int64_t rows) {
  const nn::Sequential& network = job.model.network;
  const std::int64_t validated = job.validation.x.defined() ? job.validation.x.shape()[0] : 0;
  if (options.json) {
    Line line = {{"event", "plan"}, {"parameters", nn::parameter_count(network)}, {"out", options.out}};
    line["recipe"] = to_json(recipe);
    print_json(line);
  }
  if (options.json || options.quiet) return;
  std::int64_t width = 1;
  for (const std::int64_t size : job.input) width *= size;
  std::vector<std::int64_t> sizes = {width};
  sizes.insert(sizes.end(), recipe.hidden.begin(), recipe.hidden.end());
  sizes.push_back(job.model.target.task == data::Task::kClassification
                      ? static_cast<std::int64_t>(job.model.target.classes.size())
                      : 1);
  say("network: {} with {}{}, {}\n", fmt::join(sizes, "-"), recipe.activation,
      recipe.dropout > 0 ? fmt::format(" and dropout {}", recipe.dropout) : "",
      counted(nn::parameter_count(network), "parameter", "parameters"));
  say("training: {} on {}, batches of {}, at most {} epochs; {}, learning rate {} ({})\n", recipe.loss,
      counted(rows, "row", "rows"), recipe.batch, recipe.epochs, recipe.optimizer, recipe.learning_rate,
      recipe.schedule);
  if (validated > 0) {
    say("validation: {} held out; the epoch that does best on them is kept{}\n", counted(validated, "row", "rows"),
        recipe.patience
            ? fmt::format(", and {} without a better one are the end", counted(*recipe.patience, "epoch", "epochs"))
            : "");
  }
}

Json history_of(const FitResult& result, const std::string& metric) {
  Json history = Json::array();
  for (const Epoch& epoch : result.history) {
    Json row = {{"loss", epoch.loss}};
    if (epoch.validation_loss) row["validation_loss"] = *epoch.validation_loss;
    if (!epoch.metrics.empty()) row[metric] = epoch.metrics[0];
    history.push_back(std::move(row));
  }
  return history;
}

// Metrics of one part: printed, and for the training record.
Json report_part(const TrainOptions& options, Job& job, const Dataset& part, const std::string& key,
                 const std::string& title, bool confusion = true) {
  const Scores scores = score(job.model, predictions(job.model, part.x), part.y);
  Line line = to_json(scores);
  if (options.json) {
    Line event = {{"event", "scores"}, {"part", key}, {"rows", part.x.shape()[0]}};
    event.update(line);
    print_json(event);
  } else if (!options.quiet) {
    say("\n{}\n{}", title, to_text(scores, job.model, confusion));
  }
  return Json::parse(line.dump());
}

int run(TrainOptions& options) {
  if (options.out.empty()) options.out = default_out(options.data);
  io::check_writable(options.out);
  if (!options.log.empty()) io::check_writable(options.log);
  if (options.threads > 0) set_threads(options.threads);

  Job job = data::recognise(options.data) == data::Source::kTable ? read_table_job(options) : read_picture_job(options);
  const data::Target& target = job.model.target;
  const bool classes = target.task == data::Task::kClassification;
  const std::int64_t rows = job.training.x.shape()[0];
  const Recipe recipe = make_recipe(options, job.model.source, target.task, rows, job.validation.x.defined());
  job.model.network =
      make_network(recipe, job.input, classes ? static_cast<std::int64_t>(target.classes.size()) : 1, options.seed);
  show_plan(options, recipe, job, rows);

  const std::string part = job.validation.x.defined() ? "validation" : "training";
  const std::string metric = classes ? "accuracy" : "root_mean_squared_error";
  ProgressView view({.style = options.json    ? Style::kJson
                              : options.quiet ? Style::kQuiet
                                              : Style::kPeople,
                     .epochs = recipe.epochs,
                     .examples = rows,
                     .metric = options.json ? metric
                               : classes    ? "accuracy"
                                            : "RMSE",
                     .percent = classes,
                     .may_stop_early = recipe.patience.has_value(),
                     .log = options.log});
  FitOptions fitting = fit_options(recipe, target.task, rows, job.model.network, options.seed);
  if (!classes) {
    const double scale = target.scale;
    fitting.metrics = {Metric(
        metric,
        [scale](const Array& prediction, const Array& truth, const Array& weights) {
          return metrics::root_mean_squared_error(prediction, truth, weights) * scale;
        },
        false)};
  }
  if (job.validation.x.defined()) fitting.validation = job.validation;
  fitting.max_seconds = options.max_seconds;
  fitting.on_epoch = [&](const Epoch& epoch) {
    view.epoch(epoch);
    return true;
  };
  fitting.on_progress = [&](const Progress& progress) {
    view.within(progress);
    return true;
  };
  const FitResult result = fit(job.model.network, job.training, fitting);
  view.finish();
  if (result.reason == Reason::kDiverged) base::fail("training {}; no model was written", result.explanation);

  if (options.json) {
    print_json({{"event", "end"},
                {"reason", name_of(result.reason)},
                {"explanation", result.explanation},
                {"epoch", result.epoch},
                {"kept_epoch", result.kept_epoch},
                {"steps", result.steps},
                {"seconds", result.seconds}});
  } else if (!options.quiet) {
    say("ended: {}, after {} and {}; the parameters of epoch {} are kept\n", result.explanation,
        counted(result.steps, "step", "steps"), duration(result.seconds), result.kept_epoch);
  }

  Json& record = job.model.training;
  record["program"] = std::string("pellucid ") + version();
  job.record["training_rows"] = rows;
  job.record["validation_rows"] = job.validation.x.defined() ? job.validation.x.shape()[0] : 0;
  job.record["test_rows"] = job.test.x.defined() ? job.test.x.shape()[0] : 0;
  record["data"] = job.record;
  record["recipe"] = to_json(recipe);
  record["seed"] = options.seed;
  record["end"] = {{"reason", name_of(result.reason)},
                   {"epoch", result.epoch},
                   {"kept_epoch", result.kept_epoch},
                   {"steps", result.steps}};
  record["history"] = history_of(result, metric);
  if (job.validation.x.defined()) {
    record["validation"] = report_part(
        options, job, job.validation, "validation",
        fmt::format("on the {} validation rows, which chose the epoch:", grouped(job.validation.x.shape()[0])));
  }
  if (job.test.x.defined()) {
    record["test"] = report_part(options, job, job.test, "test",
                                 fmt::format("on the {} {}:", grouped(job.test.x.shape()[0]), job.test_name));
  }
  save(options.out, job.model);
  if (options.json) print_json({{"event", "saved"}, {"path", options.out}});
  if (!options.json && !options.quiet) say("\nsaved {}\n", options.out);
  return result.reason == Reason::kInterrupted ? kInterrupted : kDone;
}

}  // namespace

void add_train(CLI::App& program, Action& action) {
  auto options = std::make_shared<TrainOptions>();
  CLI::App& verb =
      *program.add_subcommand("train", "Train a network on a table or on pictures, and write a model file");
  TrainOptions& o = *options;
  const auto positive = CLI::Range(1e-300, 1e300);
  const auto share = CLI::Range(0.0, 0.999);
  const auto count = CLI::Range(std::int64_t{1}, std::int64_t{1} << 40);

  verb.add_option("data", o.data, "A CSV file (header; plain or .gz), a folder of IDX files, or an NPZ file")
      ->required()
      ->type_name("DATA");
  verb.add_option("--target", o.target, "The column to predict (guessed where left out)")
      ->type_name("COLUMN")
      ->group("Data");
  verb.add_option("--task", o.task, "auto, classification or regression")
      ->check(CLI::IsMember({"auto", "classification", "regression"}))
      ->type_name("TASK")
      ->group("Data");
  verb.add_option("--ignore", o.ignore, "Columns to leave out, separated by commas")
      ->delimiter(',')
      ->type_name("COLUMNS")
      ->group("Data");
  verb.add_option("--classes", o.classes, "Names for the classes of pictures, in the order of their numbers")
      ->delimiter(',')
      ->type_name("NAMES")
      ->group("Data");
  verb.add_option("--validation", o.validation,
                  "The share of rows held out to choose the best epoch (0.2; pictures 0.1; 0: none)")
      ->check(share)
      ->type_name("SHARE")
      ->group("Data");
  verb.add_option("--test", o.test, "The share of a table's rows kept for a last test that nothing is chosen by (0)")
      ->check(share)
      ->type_name("SHARE")
      ->group("Data");

  verb.add_option("--hidden", o.hidden, "Sizes of the hidden layers: 256,128; 0 for none")
      ->delimiter(',')
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 20))
      ->type_name("SIZES")
      ->group("Network");
  verb.add_option("--activation", o.activation, fmt::format("One of: {}", fmt::join(activation_names(), ", ")))
      ->check(CLI::IsMember(activation_names()))
      ->type_name("NAME")
      ->group("Network");
  verb.add_option("--dropout", o.dropout, "The share of hidden values dropped in training (0)")
      ->check(share)
      ->type_name("SHARE")
      ->group("Network");

  verb.add_option("--loss", o.loss,
                  "Classes: cross_entropy, focal[=gamma]. Numbers: mean_squared_error, mean_absolute_error, "
                  "huber[=delta], log_cosh, quantile[=q]")
      ->type_name("NAME")
      ->group("Training");
  verb.add_option("--label-smoothing", o.label_smoothing, "For cross_entropy: the share of each label spread over all")
      ->check(share)
      ->type_name("SHARE")
      ->group("Training");
  verb.add_option("--optimizer", o.optimizer, fmt::format("One of: {} (adamw)", fmt::join(optim::names(), ", ")))
      ->check(CLI::IsMember(optim::names()))
      ->type_name("NAME")
      ->group("Training");
  verb.add_option("--learning-rate", o.learning_rate, "The learning rate, the highest one of a schedule")
      ->check(positive)
      ->type_name("RATE")
      ->group("Training");
  verb.add_option("--schedule", o.schedule, fmt::format("One of: {}", fmt::join(schedule::names(), ", ")))
      ->check(CLI::IsMember(schedule::names()))
      ->type_name("NAME")
      ->group("Training");
  verb.add_option("--weight-decay", o.weight_decay, "Decoupled weight decay")
      ->check(CLI::NonNegativeNumber)
      ->type_name("RATE")
      ->group("Training");
  verb.add_option("--l1", o.l1, "The strength of the penalty on absolute weights (0)")
      ->check(CLI::NonNegativeNumber)
      ->type_name("STRENGTH")
      ->group("Training");
  verb.add_option("--l2", o.l2, "The strength of the penalty on squared weights (0)")
      ->check(CLI::NonNegativeNumber)
      ->type_name("STRENGTH")
      ->group("Training");
  verb.add_option("--batch", o.batch, "Examples in a step")->check(count)->type_name("N")->group("Training");
  verb.add_option("--epochs", o.epochs, "The most passes over the training rows")
      ->check(count)
      ->type_name("N")
      ->group("Training");
  verb.add_option("--patience", o.patience, "Epochs without a better one before training ends; 0: never")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 40))
      ->type_name("N")
      ->group("Training");
  verb.add_option("--max-seconds", o.max_seconds, "The most time for training; the result then depends on the machine")
      ->check(positive)
      ->type_name("S")
      ->group("Training");
  verb.add_option("--seed", o.seed, "Everything random comes from it (0)")->type_name("N")->group("Training");

  verb.add_option("--threads", o.threads, "Threads to work with; results do not depend on it")
      ->check(CLI::Range(1, 1024))
      ->type_name("N")
      ->group("Running");
  verb.add_option("--out", o.out, "The model file (DATA's name with .safetensors, in this folder)")
      ->type_name("FILE")
      ->group("Running");
  verb.add_option("--log", o.log, "A file of JSON lines with the time of each epoch")
      ->type_name("FILE")
      ->group("Running");
  verb.add_option("--config", o.config, "A TOML file of options; those of the command line count more")
      ->type_name("FILE")
      ->group("Running");
  CLI::Option* json = verb.add_flag("--json", o.json, "JSON lines for machines")->group("Running");
  verb.add_flag("--quiet", o.quiet, "Nothing but warnings and errors")->excludes(json)->group("Running");
  verb.footer(
      "Examples:\n"
      "  pellucid train income.csv --target income\n"
      "  pellucid train houses.csv --hidden 128,128 --dropout 0.1 --epochs 200 --patience 30\n"
      "  pellucid train /usr/share/datasets/fashion-mnist --hidden 256,128 --epochs 10 --out fashion.safetensors\n"
      "  pellucid train income.csv --config recipe.toml --seed 7 --json > log.jsonl");
  verb.callback([options, &verb, &action] {
    if (!options->config.empty()) apply_config(verb, options->config);
    if (options->hidden && options->hidden == std::vector<std::int64_t>{0}) options->hidden->clear();
    if (options->hidden && std::count(options->hidden->begin(), options->hidden->end(), 0) > 0) {
      usage("--hidden: a layer of size 0 stands among others; leave it out, or give 0 alone for no hidden layer");
    }
    action = [options] { return run(*options); };
  });
}

}  // namespace pellucid::cli
