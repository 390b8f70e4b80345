// Tables and pictures as jobs.
#include "job.h"

#include <algorithm>
#include <filesystem>

#include "cli.h"
#include "pellucid/io.h"
#include "pellucid/ops.h"
#include "report.h"

namespace pellucid::cli {
namespace {

namespace fs = std::filesystem;
using Line = nlohmann::ordered_json;

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

void show_table(const TrainOptions& options, const Job& job, const io::Table& table, const std::string& guessed,
                const std::vector<std::int64_t>& counts) {
  const data::Target& target = job.model.target;
  if (options.json) {
    Line columns = Line::array();
    for (const data::Feature& feature : job.model.table.features) {
      columns.push_back({{"name", feature.column}, {"kind", kind_of(feature)}, {"inputs", feature.inputs()}});
    }
    Line dropped = Line::object();
    for (const auto& [column, reason] : job.model.table.dropped) dropped[column] = reason;
    Line line = {{"event", "data"}, {"source", table.source}, {"rows", table.rows}, {"target", target.name}};
    if (!guessed.empty()) line["target_guessed"] = guessed;
    line.update({{"task", data::name_of(target.task)},
                 {"classes", target.classes},
                 {"class_counts", counts},
                 {"columns", columns},
                 {"left_out", dropped},
                 {"training_rows", rows_of(job.training)},
                 {"validation_rows", rows_of(job.validation)},
                 {"test_rows", rows_of(job.test)}});
    print_json(line);
    return;
  }
  if (options.quiet) return;
  say("{}: {}, {}\n", table.source, counted(table.rows, "row", "rows"),
      counted(static_cast<std::int64_t>(table.columns.size()), "column", "columns"));
  for (const std::string& note : table.notes) say("  note: {}\n", note);
  const std::string why = guessed.empty() ? "" : fmt::format(" (guessed: {}; --target COLUMN takes another)", guessed);
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
  if (!options.size.empty()) usage("--size is the size of pictures, and '{}' is a table; leave it out", options.data);
  io::CsvOptions reading;
  if (!options.quiet && !options.json) reading.progress = reading_line(options.data);
  const io::Table table = io::read_csv(options.data, reading);
  data::TargetGuess guess{.name = options.target, .reason = ""};
  if (options.target.empty()) guess = data::guess_target(table);
  const std::string& name = guess.name;
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
  show_table(options, job, table, guess.reason, counts);
  return job;
}

// ---- Pictures -------------------------------------------------------------------------------------------------------

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

Job read_picture_job(const TrainOptions& options) {
  if (!options.target.empty() || options.task == "regression" || !options.ignore.empty() || options.test > 0) {
    usage("--target, --task regression, --ignore and --test are for tables, and '{}' holds pictures", options.data);
  }
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
  Job job;
  job.model.source = data::Source::kPictures;
  job.model.pictures = data::fit_pictures(pictures);
  job.model.target = picture_target(pictures.classes);
  const auto part = [&](const Array& images, const Array& labels) {
    return Dataset{.x = encode_pictures(job.model.pictures, images, options.data), .y = labels};
  };
  const PictureParts parts =
      split_pictures(pictures.training, validation_share(options, data::Source::kPictures), options.seed);
  job.training = part(parts.training.images, parts.training.labels);
  if (parts.validation.size() > 0) job.validation = part(parts.validation.images, parts.validation.labels);
  if (pictures.test.size() > 0) job.test = part(pictures.test.images, pictures.test.labels);
  job.test_name = "test images";
  job.input = job.model.pictures.shape;
  job.record = {{"name", base_name(options.data)}, {"pictures", pictures.training.size()}};
  const std::vector<std::int64_t> counts = count_classes(job.training.y, pictures.classes.size());
  job.model.training["class_counts"] = counts;
  if (options.json) {
    print_json({{"event", "data"},
                {"source", options.data},
                {"task", "classification"},
                {"shape", job.input},
                {"classes", pictures.classes},
                {"class_counts", counts},
                {"training_rows", rows_of(job.training)},
                {"validation_rows", rows_of(job.validation)},
                {"test_rows", pictures.test.size()}});
  } else if (!options.quiet) {
    say("{}: {} training and {} test images of {}, {} classes: {}\n", options.data, grouped(pictures.training.size()),
        grouped(pictures.test.size()), to_string(job.input), pictures.classes.size(),
        class_list(job.model.target, counts));
  }
  return job;
}

}  // namespace

std::int64_t rows_of(const Dataset& set) { return set.x.defined() ? set.x.shape()[0] : 0; }

Job read_job(const TrainOptions& options) {
  return data::recognise(options.data) == data::Source::kTable ? read_table_job(options) : read_picture_job(options);
}

}  // namespace pellucid::cli
