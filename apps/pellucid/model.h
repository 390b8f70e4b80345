// A trained model as the program sees it: the network, what stands between files and it, and how it was trained.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "pellucid/data.h"
#include "pellucid/io.h"
#include "pellucid/nn.h"
#include "pellucid/tabular.h"

namespace pellucid::cli {

using Json = nlohmann::json;

struct Model {
  nn::Sequential network;
  data::Source source = data::Source::kTable;
  data::Preprocessing table;            // where `source` is kTable
  data::PicturePreprocessing pictures;  // where it is kPictures
  data::Target target;                  // of either
  Json training = Json::object();       // the record of how it was trained; nothing in it depends on time
};

/// Throws Error where the file cannot be written.
void save(const std::string& path, const Model& model);
/// Throws Error where the file is no model, or its parts do not belong together.
Model load(const std::string& path);

/// A network alone, as Python and C++ save it: without preprocessing.
bool is_bare(const io::ModelFile& file);

/// The same model as the program sees it.
Model model_of(TableModel model);

/// The target that pictures have: their class.
data::Target picture_target(const std::vector<std::string>& classes);
/// Inputs of the network: float32 (n, ...) from uint8 (n, ...). Throws Error for pictures of another shape.
Array encode_pictures(const data::PicturePreprocessing& preprocessing, const Array& images, const std::string& source);

/// Examples read from a file for a model that is there.
struct Examples {
  std::string source;
  Array x;                         // what the network takes
  Array y;                         // classes (n) or standardised numbers (n, 1); undefined where there are no targets
  std::vector<std::string> files;  // where each is a file of its own: their names
  std::int64_t rows = 0;
  std::int64_t unlabelled = 0;  // rows left out, since they have no target
};
/// Reads a table, pictures (the test part where there is one), or without `targets` also a single IDX file, a PNG or
/// JPEG file or a folder of them. With `targets`, rows without one are left out. Warns of values that training has not
/// seen, and of pictures that were brought to the model's size. Throws Error where the file does not fit.
Examples read_examples(const Model& model, const std::string& path, bool targets);

/// Warns of values that training has not seen, and of those that are missing and never were.
void warn_of_values(const data::Preprocessing& preprocessing, const data::Encoded& encoded, const std::string& source);

/// Probabilities (rows, classes), or standardised values (rows, 1).
Array predictions(Model& model, const Array& x);

}  // namespace pellucid::cli
