// pellucid train: from data to a model file.
#include "training.h"

#include <filesystem>

#include "assess.h"
#include "base/fail.h"
#include "pellucid/io.h"
#include "pellucid/threads.h"
#include "pellucid/version.h"
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

// An assessment of one part: printed, and for the training record. With its inputs `x` also which columns matter.
Json report_part(const TrainOptions& options, Model& model, const TablePart& part, const Array& x,
                 const std::string& key, const std::string& title, Detail detail) {
  Assessed assessed = assess(model, part.output, part.y);
  if (x.defined()) assessed.importance = find_importance(model, x, part.y);
  if (options.json) {
    Line event = {{"event", "scores"}, {"part", key}, {"rows", part.y.shape()[0]}};
    event.update(to_full_json(assessed, model));
    print_json(event);
  } else if (!options.quiet) {
    say("\n{}\n{}", title, to_text(assessed, model, detail, terminal_columns()));
  }
  return Json::parse(to_json(assessed).dump());
}

// Beside the model, except where that is a device.
Checkpoint checkpoint_for(const TrainOptions& options) {
  std::error_code error;
  if (fs::exists(options.out, error) && !fs::is_regular_file(options.out, error)) return {};
  Checkpoint checkpoint{.path = options.out + ".checkpoint", .resume = options.resume};
  const bool there = fs::exists(checkpoint.path, error);
  if (there && !options.resume) {
    warn(fmt::format(
        "'{}' is of a training that was interrupted; it will be overwritten, and --resume would go on with it",
        checkpoint.path));
  }
  if (!there && options.resume) warn(fmt::format("there is no '{}' to go on with; training begins", checkpoint.path));
  return checkpoint;
}

void show_end(const TrainOptions& options, const FitResult& result, bool resumable) {
  if (!result.checkpoint_error.empty()) warn("the last checkpoint is not there: " + result.checkpoint_error);
  if (options.json) {
    print_json({{"event", "end"},
                {"reason", name_of(result.reason)},
                {"explanation", result.explanation},
                {"epoch", result.epoch},
                {"kept_epoch", result.kept_epoch},
                {"steps", result.steps},
                {"seconds", result.seconds},
                {"resumable", resumable}});
  } else if (!options.quiet) {
    say("ended: {}, after {} and {}; the parameters of epoch {} are kept\n", result.explanation,
        counted(result.steps, "step", "steps"), duration(result.seconds), result.kept_epoch);
  }
}

}  // namespace

std::string base_name(const std::string& data) {
  fs::path path(data);
  if (!path.has_filename()) path = path.parent_path();
  return path.filename().string();
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

void show_plan(const TrainOptions& options, const Json& recipe, const nn::Sequential& network, const Shape& input,
               std::int64_t outputs, std::int64_t rows, std::int64_t validated) {
  if (options.json) {
    Line line = {{"event", "plan"}, {"parameters", nn::parameter_count(network)}, {"out", options.out}};
    line["recipe"] = recipe;
    print_json(line);
  }
  if (options.json || options.quiet) return;
  const double dropout = recipe.at("dropout");
  if (options.network == "conv") {
    say("network: conv, {}{}\n", counted(nn::parameter_count(network), "parameter", "parameters"),
        dropout > 0 ? fmt::format(", dropout {}", dropout) : "");
  } else {
    std::int64_t width = 1;
    for (const std::int64_t size : input) width *= size;
    std::vector<std::int64_t> sizes = {width};
    for (const Json& size : recipe.at("hidden")) sizes.push_back(size);
    sizes.push_back(outputs);
    say("network: {} with {}{}, {}\n", fmt::join(sizes, "-"), recipe.at("activation").get<std::string>(),
        dropout > 0 ? fmt::format(" and dropout {}", dropout) : "",
        counted(nn::parameter_count(network), "parameter", "parameters"));
  }
  say("training: {} on {}, batches of {}, at most {} epochs; {}, learning rate {} ({})\n",
      recipe.at("loss").get<std::string>(), counted(rows, "row", "rows"), recipe.at("batch").get<std::int64_t>(),
      recipe.at("epochs").get<std::int64_t>(), recipe.at("optimizer").get<std::string>(),
      recipe.at("learning_rate").get<double>(), recipe.at("schedule").get<std::string>());
  if (validated > 0) {
    say("validation: {} held out; the epoch that does best on them is kept{}\n", counted(validated, "row", "rows"),
        recipe.contains("patience") ? fmt::format(", and {} without a better one are the end",
                                                  counted(recipe.at("patience").get<std::int64_t>(), "epoch", "epochs"))
                                    : "");
  }
}

ProgressView::Setup progress_setup(const TrainOptions& options, data::Task task, std::int64_t epochs, std::int64_t rows,
                                   bool may_stop_early) {
  const bool classes = task == data::Task::kClassification;
  return {.style = options.json    ? Style::kJson
                   : options.quiet ? Style::kQuiet
                                   : Style::kPeople,
          .epochs = epochs,
          .examples = rows,
          .metric = classes        ? "accuracy"
                    : options.json ? "root_mean_squared_error"
                                   : "RMSE",
          .percent = classes,
          .may_stop_early = may_stop_early,
          .log = options.log};
}

int run_train(TrainOptions options) {
  if (options.out.empty()) options.out = default_out(options.data);
  std::error_code error;
  if (fs::equivalent(options.out, options.data, error)) {
    usage("--out '{}' is the data itself; choose another name", options.out);
  }
  io::check_writable(options.out);
  if (!options.log.empty()) io::check_writable(options.log);
  if (options.threads > 0) set_threads(options.threads);

  const bool is_table = data::recognise(options.data) == data::Source::kTable;
  const Checkpoint checkpoint = checkpoint_for(options);
  const Trained trained = is_table ? train_table(options, checkpoint) : train_pictures(options, checkpoint);
  const FitResult& result = trained.result;
  const bool resumable = fs::exists(checkpoint.path, error);
  show_end(options, result, resumable);

  Model model = trained.model;
  Json& record = model.training;
  const TablePart &validation = trained.validation, &test = trained.test;
  if (validation.output.defined()) {
    const bool last = !test.output.defined();
    record["validation"] =
        report_part(options, model, validation, last ? trained.x : Array(), "validation",
                    fmt::format("on the {} validation rows, which chose the epoch:", grouped(validation.y.shape()[0])),
                    last ? Detail::kAll : Detail::kMetrics);
  }
  if (test.output.defined()) {
    record["test"] =
        report_part(options, model, test, trained.x, "test",
                    fmt::format("on the {} {}:", grouped(test.y.shape()[0]), trained.test_name), Detail::kAll);
  }
  save(options.out, model);
  if (options.json) print_json({{"event", "saved"}, {"path", options.out}});
  if (!options.json && !options.quiet) {
    say("\nsaved {}\n", options.out);
    if (resumable) say("the same command with --resume goes on where this one stopped\n");
  }
  return result.reason == Reason::kInterrupted ? kInterrupted : kDone;
}

}  // namespace pellucid::cli
