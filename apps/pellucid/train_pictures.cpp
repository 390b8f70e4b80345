// Training on pictures.
#include <fmt/ranges.h>

#include "base/fail.h"
#include "pellucid/init.h"
#include "pellucid/networks.h"
#include "pellucid/ops.h"
#include "pellucid/version.h"
#include "report.h"
#include "tables/recipe.h"
#include "training.h"

namespace pellucid::cli {
namespace {

struct PictureParts {
  data::PictureSet training, validation;
};

PictureParts split_pictures(const data::PictureSet& set, double share, std::uint64_t seed) {
  if (share == 0) return {.training = set, .validation = {}};
  const std::vector<std::int32_t> classes = set.labels.to_vector<std::int32_t>();
  const data::Split split = data::split(data::all_rows(set.size()), share, seed, classes);
  const auto part = [&](const data::Rows& rows) {
    const Array positions = Array::from(rows);
    data::PictureSet chosen{.images = take(set.images, positions, 0), .labels = take(set.labels, positions, 0)};
    evaluate(Arrays{chosen.images, chosen.labels});
    return chosen;
  };
  return {.training = part(split.training),
          .validation = split.held_out.empty() ? data::PictureSet{} : part(split.held_out)};
}

data::Pictures read_pictures(const TrainOptions& options) {
  data::PictureOptions form;
  if (!options.size.empty()) form.shape = {options.size.front(), options.size.back()};
  data::Pictures pictures = data::read_pictures(options.data, form);
  if (!options.size.empty() && pictures.training.files.empty()) {
    usage("--size is for PNG and JPEG files, and the pictures of '{}' are arrays of one size; leave it out",
          options.data);
  }
  if (!options.classes.empty()) {
    if (options.classes.size() != pictures.classes.size()) {
      usage("--classes: {} names are given, and '{}' has {} classes; name each, in the order of their numbers",
            options.classes.size(), options.data, pictures.classes.size());
    }
    pictures.classes = options.classes;
  }
  return pictures;
}

void show_pictures(const TrainOptions& options, const Model& model, const data::Pictures& pictures,
                   const std::vector<std::int64_t>& counts, std::int64_t training, std::int64_t validation) {
  if (options.json) {
    print_json({{"event", "data"},
                {"source", options.data},
                {"task", "classification"},
                {"shape", model.pictures.shape},
                {"classes", pictures.classes},
                {"class_counts", counts},
                {"training_rows", training},
                {"validation_rows", validation},
                {"test_rows", pictures.test.size()}});
  } else if (!options.quiet) {
    say("{}: {} training and {} test images of {}, {} classes: {}\n", options.data, grouped(pictures.training.size()),
        grouped(pictures.test.size()), to_string(model.pictures.shape), pictures.classes.size(),
        class_list(model.target, counts));
  }
}

nn::Sequential make_network(const TrainOptions& options, const tables::Recipe& recipe, const Shape& input,
                            std::int64_t classes) {
  if (options.network == "conv") {
    nn::Sequential network;
    network.push_back(
        nn::ConvNet({.channels = input.size() > 2 ? input[2] : 1, .classes = classes, .dropout = recipe.dropout}));
    nn::initialize(network, random::key(options.table.seed));
    return network;
  }
  std::int64_t width = 1;
  for (const std::int64_t size : input) width *= size;
  return tables::make_network(recipe, width, classes, input.size() > 1, options.table.seed);
}

void check_options(const TrainOptions& options) {
  const TableOptions& table = options.table;
  const std::pair<const char*, bool> of_tables[] = {
      {"--target", !options.target.empty()},
      {"--task regression", options.task == "regression"},
      {"--ignore", !table.ignore.empty()},
      {"--test", table.test > 0},
      {"--schema", !options.schema.empty()},
      {"--group", !table.group.empty()},
      {"--time-column", !table.time_column.empty()},
      {"--weight", !table.weight.empty()},
      {"--scaling", table.scaling.has_value()},
      {"--log-target", table.log_target},
      {"--folds", options.folds > 0},
      {"--oof", !options.oof.empty()},
      {"--fast", table.fast},
      {"--ensemble", table.ensemble.has_value()},
      {"--time", table.time.has_value()},
      {"--tune", table.tune.has_value()},
      {"--class-weights", !options.class_weights.empty()},
  };
  std::vector<std::string> given;
  for (const auto& [name, is_given] : of_tables) {
    if (is_given) given.emplace_back(name);
  }
  if (!given.empty()) {
    usage("{} {} for tables, and '{}' holds pictures; leave {} out", fmt::join(given, ", "),
          given.size() > 1 ? "are" : "is", options.data, given.size() > 1 ? "them" : "it");
  }
  if (options.network == "conv" && (table.hidden || !table.activation.empty())) {
    usage("--hidden and --activation are for --network dense; conv has stages of its own: leave them out");
  }
}

}  // namespace

Trained train_pictures(const TrainOptions& options, RunFolder& run) {
  check_options(options);
  const TableOptions& given = options.table;
  const data::Pictures pictures = read_pictures(options);
  Trained trained;
  Model& model = trained.model;
  model.source = data::Source::kPictures;
  model.pictures = data::fit_pictures(pictures);
  model.target = picture_target(pictures.classes);
  const auto encoded = [&](const data::PictureSet& set) {
    if (set.size() == 0) return Dataset{};
    return Dataset{.x = encode_pictures(model.pictures, set.images, options.data), .y = set.labels};
  };
  const PictureParts parts =
      split_pictures(pictures.training, tables::validation_share(given, data::Source::kPictures), given.seed);
  const Dataset training = encoded(parts.training), validation = encoded(parts.validation),
                test = encoded(pictures.test);
  const std::int64_t rows = training.x.shape()[0];
  const std::vector<std::int64_t> counts = tables::count_classes(training.y, pictures.classes.size());
  model.training["class_counts"] = counts;
  show_pictures(options, model, pictures, counts, rows, parts.validation.size());

  const auto classes = static_cast<std::int64_t>(pictures.classes.size());
  const tables::Recipe recipe =
      tables::make_recipe(given, data::Source::kPictures, model.target.task, rows, validation.x.defined());
  Json choices = tables::to_json(recipe);
  if (options.network != "dense") choices["network"] = options.network;
  model.network = make_network(options, recipe, model.pictures.shape, classes);
  show_plan(options, choices, model.network, model.pictures.shape, classes, rows, parts.validation.size());

  run.begin_training();
  ProgressView view(progress_setup(options, run, model.target.task, recipe.epochs, rows, recipe.patience.has_value()));
  FitOptions fitting = tables::fit_options(recipe, model.target.task, rows, given.seed);
  if (validation.x.defined()) fitting.validation = validation;
  fitting.max_seconds = given.max_seconds;
  fitting.on_epoch = [&](const Epoch& epoch) {
    view.epoch(epoch);
    return true;
  };
  fitting.on_progress = [&](const Progress& progress) {
    view.within(progress);
    return true;
  };
  fitting.checkpoint = run.checkpoint();
  fitting.checkpoint.note = choices.dump();
  trained.result = fit(model.network, training, fitting);
  view.finish();
  if (trained.result.reason == Reason::kDiverged) {
    base::fail("training {}; no model was written", trained.result.explanation);
  }
  Json& record = model.training;
  if (recipe.calibrate && trained.result.kept_epoch > 0) {
    record["calibration"] = tables::calibrate(model.network, validation.x, validation.y);
  }
  record["program"] = std::string("pellucid ") + version();
  record["data"] = {{"name", base_name(options.data)},
                    {"pictures", pictures.training.size()},
                    {"training_rows", rows},
                    {"validation_rows", parts.validation.size()},
                    {"test_rows", pictures.test.size()}};
  record["recipe"] = choices;
  record["seed"] = given.seed;
  record["end"] = {{"reason", name_of(trained.result.reason)},
                   {"epoch", trained.result.epoch},
                   {"kept_epoch", trained.result.kept_epoch},
                   {"steps", trained.result.steps}};
  record["history"] = tables::history_of(trained.result, "accuracy");
  if (validation.x.defined()) trained.validation = {{}, predictions(model, validation.x), validation.y};
  if (test.x.defined()) trained.test = {{}, predictions(model, test.x), test.y};
  trained.test_name = "test images";
  trained.x = test.x.defined() ? test.x : validation.x;
  return trained;
}

}  // namespace pellucid::cli
