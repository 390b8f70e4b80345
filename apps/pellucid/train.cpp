// pellucid train: from data to a model file.
#include "training.h"

#include <filesystem>

#include "assess.h"
#include "base/fail.h"
#include "html_pictures.h"
#include "html_report.h"
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

// What is said of the parts, printed and kept.
struct Parts {
  const TrainOptions& options;
  Model& model;
  std::vector<ReportPart> shown = {};

  // With the part's inputs `x` also which columns matter.
  void add(const TablePart& part, const Array& x, const std::string& key, const std::string& where, Detail detail) {
    Assessed assessed = assess(model, part.output, part.y);
    if (x.defined()) assessed.importance = find_importance(model, x, part.y);
    if (options.json) {
      Line event = {{"event", "scores"}, {"part", key}, {"rows", part.y.shape()[0]}};
      event.update(to_full_json(assessed, model));
      print_json(event);
    } else if (!options.quiet) {
      say("\n{}:\n{}", where, to_text(assessed, model, detail, terminal_columns()));
    }
    model.training[key] = Json::parse(to_json(assessed).dump());
    shown.push_back({.title = where, .assessed = std::move(assessed)});
  }
};

// Beside the model and for the time of training where no folder is named; none at all where the model is a device.
RunFolder::Setup run_setup(const TrainOptions& options) {
  RunFolder::Setup setup;
  std::error_code error;
  const bool device = fs::exists(options.out, error) && !fs::is_regular_file(options.out, error);
  if (options.run.empty() && device) return setup;
  setup.path = options.run;
  if (setup.path.empty()) {
    constexpr std::string_view kEnd = ".safetensors";
    setup.path = options.out.ends_with(kEnd) ? options.out.substr(0, options.out.size() - kEnd.size()) : options.out;
    setup.path += ".run";
  }
  setup.record.options = options.given;
  setup.record.model = fs::absolute(options.out).lexically_normal().string();
  setup.record.temporary = options.run_is_temporary;
  setup.resume = !options.resume.empty();
  setup.anew = options.anew;
  setup.seconds = options.checkpoint_seconds;
  setup.silent = options.quiet || options.json;
  return setup;
}

// A run that has come to its end needs nothing, as long as its model is there.
bool is_done(const TrainOptions& options) {
  const std::optional<RunRecord> record = read_run(options.resume);
  if (!record || !record->done()) return false;
  const std::string model = model_of_run(options.resume, *record);
  std::error_code error;
  if (!fs::exists(model, error)) return false;
  if (!options.quiet && !options.json) {
    say("the training in '{}' has come to its end; its model is '{}'\n", options.resume, model);
  }
  return true;
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
    const std::int64_t members = recipe.value("members", std::int64_t{0});
    say("network: {}{} with {}{}, {}\n", members > 0 ? fmt::format("{} times ", members) : "", fmt::join(sizes, "-"),
        recipe.at("activation").get<std::string>(), dropout > 0 ? fmt::format(" and dropout {}", dropout) : "",
        counted(nn::parameter_count(network), "parameter", "parameters"));
    if (const auto second = recipe.find("second"); second != recipe.end()) {
      say("  beside them as many with {} and weight decay {}; left-out rows say which are kept\n",
          second->at("activation").get<std::string>(), second->at("weight_decay").get<double>());
    }
  }
  say("training: {} on {}, batches of {}, at most {} epochs; {}, learning rate {} ({})\n",
      recipe.at("loss").get<std::string>(), counted(rows, "row", "rows"), recipe.at("batch").get<std::int64_t>(),
      recipe.at("epochs").get<std::int64_t>(), recipe.at("optimizer").get<std::string>(),
      recipe.at("learning_rate").get<double>(), recipe.at("schedule").get<std::string>());
  if (recipe.value("folds", false)) {
    say("validation: each row is left out by one of the {} networks; the epoch that does best on such rows is kept\n",
        recipe.at("members").get<std::int64_t>());
  } else if (validated > 0) {
    say("validation: {} held out; the epoch that does best on them is kept{}\n", counted(validated, "row", "rows"),
        recipe.contains("patience") ? fmt::format(", and {} without a better one are the end",
                                                  counted(recipe.at("patience").get<std::int64_t>(), "epoch", "epochs"))
                                    : "");
  }
}

ProgressView::Setup progress_setup(const TrainOptions& options, const RunFolder& run, data::Task task,
                                   std::int64_t epochs, std::int64_t rows, bool may_stop_early) {
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
          .log = options.log,
          .run_log = run.log(),
          .tensorboard = options.tensorboard};
}

int run_train(TrainOptions options) {
  if (!options.resume.empty() && is_done(options)) return kDone;
  if (options.out.empty()) {
    options.out = options.run.empty() ? default_out(options.data) : options.run + "/model.safetensors";
  }
  std::error_code error;
  if (fs::equivalent(options.out, options.data, error)) {
    usage("--out '{}' is the data itself; choose another name", options.out);
  }
  RunFolder run(run_setup(options));
  if (!options.run.empty()) run.begin();
  io::check_writable(options.out);
  if (!options.log.empty()) io::check_writable(options.log);
  if (!options.report.empty()) io::check_writable(options.report);
  if (options.threads > 0) set_threads(options.threads);

  const bool is_table = data::recognise(options.data) == data::Source::kTable;
  const Trained trained = is_table ? train_table(options, run) : train_pictures(options, run);
  const FitResult& result = trained.result;
  const bool stopped = result.reason == Reason::kInterrupted, resumable = stopped && run.going_on();
  show_end(options, result, resumable);

  Model model = trained.model;
  const TablePart &validation = trained.validation, &test = trained.test;
  const bool tested = test.output.defined();
  Parts parts{.options = options, .model = model};
  if (validation.output.defined()) {
    parts.add(validation, tested ? Array() : trained.x, "validation",
              trained.folds ? fmt::format("on all {} training rows, each by the network that left it out",
                                          grouped(validation.y.shape()[0]))
                            : fmt::format("on the {}, which chose the epoch",
                                          counted(validation.y.shape()[0], "validation row", "validation rows")),
              tested ? Detail::kMetrics : Detail::kAll);
  }
  if (tested) {
    parts.add(test, trained.x, "test", fmt::format("on the {} {}", grouped(test.y.shape()[0]), trained.test_name),
              Detail::kAll);
  }
  save(options.out, model);
  stopped ? run.stop() : run.finish();
  if (!options.report.empty()) {
    const TablePart& last = tested ? test : validation;
    Report report{.model = options.out, .data = options.data, .parts = std::move(parts.shown), .notes = trained.notes};
    if (model.source == data::Source::kPictures && last.output.defined()) {
      report.examples = html::examples(model, trained.x, last.output, last.y);
    }
    report.missing = trained.missing;
    report.seconds = result.seconds;
    write_report(options.report, model, report);
  }
  if (options.json) print_json({{"event", "saved"}, {"path", options.out}});
  if (!options.json && !options.quiet) {
    say("\nsaved {}\n", options.out);
    if (!options.report.empty()) say("the report is in {}\n", options.report);
    if (resumable) say("`pellucid train --resume {}` goes on where this one stopped\n", run.path());
  }
  return stopped ? kSignal + result.signal : kDone;
}

}  // namespace pellucid::cli
