// pellucid train: from data to a model file.
#include <filesystem>

#include "base/fail.h"
#include "cli.h"
#include "job.h"
#include "model.h"
#include "pellucid/io.h"
#include "pellucid/metrics.h"
#include "pellucid/threads.h"
#include "pellucid/version.h"
#include "progress.h"
#include "recipe.h"
#include "report.h"

namespace pellucid::cli {
namespace {

namespace fs = std::filesystem;
using Line = nlohmann::ordered_json;

std::string default_out(const std::string& data) {
  fs::path path(data);
  if (!path.has_filename()) path = path.parent_path();
  path = path.filename();
  if (path.extension() == ".gz" || path.extension() == ".zst") path = path.stem();
  if (path.extension() == ".csv" || path.extension() == ".npz" || path.extension() == ".tsv" ||
      path.extension() == ".txt") {
    path = path.stem();
  }
  return (path.empty() || path == "." || path == ".." ? fs::path("model") : path).string() + ".safetensors";
}

void show_plan(const TrainOptions& options, const Recipe& recipe, const Job& job, std::int64_t rows) {
  const nn::Sequential& network = job.model.network;
  const std::int64_t validated = rows_of(job.validation);
  if (options.json) {
    Line line = {{"event", "plan"}, {"parameters", nn::parameter_count(network)}, {"out", options.out}};
    line["recipe"] = to_json(recipe);
    print_json(line);
  }
  if (options.json || options.quiet) return;
  if (recipe.network == "conv") {
    say("network: conv, {}{}\n", counted(nn::parameter_count(network), "parameter", "parameters"),
        recipe.dropout > 0 ? fmt::format(", dropout {}", recipe.dropout) : "");
  }
  std::int64_t width = 1;
  for (const std::int64_t size : job.input) width *= size;
  std::vector<std::int64_t> sizes = {width};
  sizes.insert(sizes.end(), recipe.hidden.begin(), recipe.hidden.end());
  sizes.push_back(job.model.target.task == data::Task::kClassification
                      ? static_cast<std::int64_t>(job.model.target.classes.size())
                      : 1);
  if (recipe.network != "conv") {
    say("network: {} with {}{}, {}\n", fmt::join(sizes, "-"), recipe.activation,
        recipe.dropout > 0 ? fmt::format(" and dropout {}", recipe.dropout) : "",
        counted(nn::parameter_count(network), "parameter", "parameters"));
  }
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

// Beside the model, except where that is a device.
Checkpoint checkpoint_for(const TrainOptions& options, std::string recipe) {
  std::error_code error;
  if (fs::exists(options.out, error) && !fs::is_regular_file(options.out, error)) return {};
  Checkpoint checkpoint{.path = options.out + ".checkpoint", .resume = options.resume, .note = std::move(recipe)};
  const bool there = fs::exists(checkpoint.path, error);
  if (there && !options.resume) {
    warn(fmt::format(
        "'{}' is of a training that was interrupted; it will be overwritten, and --resume would go on with it",
        checkpoint.path));
  }
  if (!there && options.resume) warn(fmt::format("there is no '{}' to go on with; training begins", checkpoint.path));
  return checkpoint;
}

}  // namespace

int run_train(TrainOptions options) {
  if (options.out.empty()) options.out = default_out(options.data);
  std::error_code error;
  if (fs::equivalent(options.out, options.data, error)) {
    usage("--out '{}' is the data itself; choose another name", options.out);
  }
  io::check_writable(options.out);
  if (!options.log.empty()) io::check_writable(options.log);
  if (options.threads > 0) set_threads(options.threads);

  Job job = read_job(options);
  const data::Target& target = job.model.target;
  const bool classes = target.task == data::Task::kClassification;
  const std::int64_t rows = rows_of(job.training);
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
  fitting.checkpoint = checkpoint_for(options, to_json(recipe).dump());
  const FitResult result = fit(job.model.network, job.training, fitting);
  view.finish();
  if (!result.checkpoint_error.empty()) warn("the last checkpoint is not there: " + result.checkpoint_error);
  if (result.reason == Reason::kDiverged) base::fail("training {}; no model was written", result.explanation);

  if (options.json) {
    print_json({{"event", "end"},
                {"reason", name_of(result.reason)},
                {"explanation", result.explanation},
                {"epoch", result.epoch},
                {"kept_epoch", result.kept_epoch},
                {"steps", result.steps},
                {"seconds", result.seconds},
                {"resumable", fs::exists(fitting.checkpoint.path)}});
  } else if (!options.quiet) {
    say("ended: {}, after {} and {}; the parameters of epoch {} are kept\n", result.explanation,
        counted(result.steps, "step", "steps"), duration(result.seconds), result.kept_epoch);
  }

  Json& record = job.model.training;
  if (recipe.calibrate && result.kept_epoch > 0) {
    record["calibration"] = calibrate(job.model, job.validation.x, job.validation.y);
  }
  record["program"] = std::string("pellucid ") + version();
  job.record["training_rows"] = rows;
  job.record["validation_rows"] = rows_of(job.validation);
  job.record["test_rows"] = rows_of(job.test);
  record["data"] = job.record;
  record["recipe"] = to_json(recipe);
  record["seed"] = options.seed;
  record["end"] = {{"reason", name_of(result.reason)},
                   {"epoch", result.epoch},
                   {"kept_epoch", result.kept_epoch},
                   {"steps", result.steps}};
  record["history"] = history_of(result, metric);
  if (job.validation.x.defined()) {
    record["validation"] =
        report_part(options, job, job.validation, "validation",
                    fmt::format("on the {} validation rows, which chose the epoch:", grouped(rows_of(job.validation))),
                    !job.test.x.defined());
  }
  if (job.test.x.defined()) {
    record["test"] = report_part(options, job, job.test, "test",
                                 fmt::format("on the {} {}:", grouped(job.test.x.shape()[0]), job.test_name));
  }
  save(options.out, job.model);
  if (options.json) print_json({{"event", "saved"}, {"path", options.out}});
  if (!options.json && !options.quiet) {
    say("\nsaved {}\n", options.out);
    if (fs::exists(fitting.checkpoint.path)) say("the same command with --resume goes on where this one stopped\n");
  }
  return result.reason == Reason::kInterrupted ? kInterrupted : kDone;
}

}  // namespace pellucid::cli
