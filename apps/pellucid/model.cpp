// The model file's parts put together, and data brought into the form that a model takes.
#include "model.h"

#include <algorithm>
#include <utility>

#include "base/fail.h"
#include "io/text.h"
#include "pellucid/io.h"
#include "pellucid/ops.h"
#include "tables/recipe.h"
#include "terminal.h"

namespace pellucid::cli {
namespace {

// Reads one file of pictures, without labels.
bool is_single_idx(const std::string& path) {
  std::string name = path;
  if (name.ends_with(".gz")) name.resize(name.size() - 3);
  return name.ends_with("ubyte") || name.ends_with(".idx");
}

// The model's numbers of the pictures' classes. Where these have names (those of class folders), the names decide.
Array labels_for(const Model& model, const std::vector<std::string>& classes, const data::PictureSet& set,
                 const std::string& path) {
  const std::vector<std::string>& known = model.target.classes;
  if (!set.files.empty() && classes != known) {
    std::vector<std::int64_t> labels = set.labels.to_vector<std::int64_t>();
    for (std::int64_t& label : labels) {
      const std::string& name = classes[static_cast<std::size_t>(label)];
      const auto at = std::find(known.begin(), known.end(), name);
      if (at == known.end()) {
        base::fail(
            "'{}': the class '{}' is none of those that the model knows: {}; take the data set it was trained on", path,
            name, io::list_similar(name, known));
      }
      label = at - known.begin();
    }
    return Array::from(labels);
  }
  // Without names, classes are numbered up to the largest label that is there.
  const auto most = max(set.labels).item<std::int64_t>();
  if (most >= static_cast<std::int64_t>(known.size())) {
    base::fail("'{}': label {} is not one of the {} classes that the model knows; take the data set it was trained on",
               path, most, known.size());
  }
  return set.labels;
}

}  // namespace

void warn_of_values(const data::Preprocessing& preprocessing, const data::Encoded& encoded, const std::string& source) {
  for (const auto& [column, rows] : encoded.unseen) {
    const auto feature = std::find_if(preprocessing.features.begin(), preprocessing.features.end(),
                                      [&name = column](const data::Feature& f) { return f.column == name; });
    if (feature != preprocessing.features.end() && feature->kind == data::Feature::Kind::kDate) {
      warn(
          fmt::format("{}: column '{}' has values in {} that are no {} as training had them ({}); the middle value "
                      "stands for them",
                      source, column, counted(rows, "row", "rows"), feature->format == "time" ? "times" : "dates",
                      feature->format));
      continue;
    }
    warn(fmt::format("{}: column '{}' has values in {} that training has not seen; they count as none of the known",
                     source, column, counted(rows, "row", "rows")));
  }
  for (const auto& [column, rows] : encoded.newly_missing) {
    warn(fmt::format("{}: column '{}' is missing in {}, and never was in training; the middle value stands for it",
                     source, column, counted(rows, "row", "rows")));
  }
}

void save(const std::string& path, const Model& model) {
  io::ModelFile file;
  for (const nn::NamedArray& array : nn::named_parameters(model.network)) file.parameters[array.name] = array.value;
  for (const nn::NamedArray& array : nn::named_buffers(model.network)) file.parameters[array.name] = array.value;
  file.network = nn::to_json(nn::describe(model.network));
  file.preprocessing =
      model.source == data::Source::kTable ? data::to_json(model.table) : data::to_json(model.pictures);
  file.training = model.training.dump();
  io::save_model(path, file);
}

bool is_bare(const io::ModelFile& file) {
  const Json preprocessing = Json::parse(file.preprocessing, nullptr, false);
  return preprocessing.is_object() && preprocessing.empty();
}

Model load(const std::string& path) {
  const io::ModelFile file = io::load_model(path);
  if (is_bare(file)) {
    base::fail(
        "'{}' holds a network alone, and not how data become its inputs; save it with its preprocessing "
        "(pl.save(path, network, preprocessing=...) in Python), or call it from Python or C++",
        path);
  }
  Model model;
  try {
    model.network = nn::build_sequential(nn::description_from_json(file.network));
    std::vector<nn::NamedArray> arrays;
    for (const auto& [name, value] : file.parameters) arrays.push_back({name, value});
    nn::set_arrays(model.network, arrays);
    nn::assign_paths(model.network);
    model.source = data::source_of(file.preprocessing);
    if (model.source == data::Source::kTable) {
      model.table = data::preprocessing_from_json(file.preprocessing);
      model.target = model.table.target;
    } else {
      model.pictures = data::picture_preprocessing_from_json(file.preprocessing);
      model.target = picture_target(model.pictures.classes);
    }
  } catch (const Error& error) {
    base::fail("'{}': {}", path, error.what());
  }
  model.training = Json::parse(file.training);
  if (!model.training.is_object()) model.training = Json::object();
  return model;
}

Model model_of(TableModel trained) {
  Model model;
  model.network = std::move(trained.network);
  model.table = std::move(trained.preprocessing);
  model.target = model.table.target;
  model.training = Json::parse(trained.record);
  return model;
}

data::Target picture_target(const std::vector<std::string>& classes) {
  data::Target target;
  target.name = "class";
  target.task = data::Task::kClassification;
  target.text = true;
  target.classes = classes;
  return target;
}

Array encode_pictures(const data::PicturePreprocessing& preprocessing, const Array& images, const std::string& source) {
  const Shape& shape = images.shape();
  if (images.dtype() != DType::kUInt8 || shape.empty() ||
      !std::equal(shape.begin() + 1, shape.end(), preprocessing.shape.begin(), preprocessing.shape.end())) {
    base::fail("'{}' holds {} {}, and the model takes pictures uint8 [n, {}; scale or convert them", source,
               images.dtype(), shape, to_string(preprocessing.shape).substr(1));
  }
  const double factor = 1 / preprocessing.scale;
  Array x = (astype(images, float32) - preprocessing.mean) * factor;
  x.evaluate();
  return x;
}

Examples read_examples(const Model& model, const std::string& path, bool targets) {
  Examples examples;
  examples.source = path;
  if (model.source == data::Source::kTable) {
    if (data::recognise(path) != data::Source::kTable) {
      base::fail("'{}' holds pictures, and the model was trained on a table; give a CSV file", path);
    }
    const io::Table table = io::read_table(path, data::csv_options(model.table));
    const data::Rows rows = targets ? data::labelled_rows(table, model.target.name) : data::all_rows(table.rows);
    if (rows.empty()) {
      base::fail("'{}': no row has a value in the target column '{}'; give rows with known targets", path,
                 model.target.name);
    }
    examples.rows = static_cast<std::int64_t>(rows.size());
    examples.unlabelled = table.rows - examples.rows;
    const data::Encoded encoded = data::encode(model.table, table, rows);
    warn_of_values(model.table, encoded, path);
    examples.x = encoded.x;
    if (targets) examples.y = data::encode_target(model.target, table, rows);
    return examples;
  }
  Array images;
  const data::PictureOptions form{.shape = model.pictures.shape};
  const auto take = [&](data::PictureSet& set) {
    images = set.images;
    examples.files = std::move(set.files);
    if (set.resized > 0) {
      warn(fmt::format("{}: {} brought to the model's size, {} x {} pixels", path,
                       counted(set.resized, "picture was", "pictures were"), model.pictures.shape[0],
                       model.pictures.shape[1]));
    }
  };
  if (!targets && is_single_idx(path)) {
    images = io::read_idx(path);
  } else if (!targets && data::holds_images(path)) {
    data::PictureSet set = data::read_images(path, form);
    take(set);
  } else {
    if (data::recognise(path) != data::Source::kPictures) {
      base::fail(
          "'{}' is not recognised as pictures, and the model was trained on pictures; give PNG or JPEG files, a folder "
          "of "
          "IDX files or an NPZ file",
          path);
    }
    data::Pictures pictures = data::read_pictures(path, form);
    data::PictureSet& set = pictures.test.size() > 0 ? pictures.test : pictures.training;
    examples.source += pictures.test.size() > 0 ? " (test images)" : " (images)";
    if (targets) {
      examples.y = labels_for(model, pictures.classes, set, path);
    }
    take(set);
  }
  if (images.rank() < 1 || images.shape()[0] == 0) base::fail("'{}' holds no pictures; give at least one", path);
  examples.x = encode_pictures(model.pictures, images, path);
  examples.rows = images.shape()[0];
  return examples;
}

Array predictions(Model& model, const Array& x) { return tables::output_of(model.network, model.target.task, x); }

}  // namespace pellucid::cli
