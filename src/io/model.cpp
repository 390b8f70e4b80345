// The model file: a safetensors file whose metadata describe the network, the preprocessing and the training.
#include <nlohmann/json.hpp>

#include "base/fail.h"
#include "io/text.h"
#include "pellucid/io.h"

namespace pellucid::io {
namespace {

using base::fail;
using Json = nlohmann::json;

constexpr const char* kFormat = "format";
constexpr const char* kFormatName = "pellucid";
constexpr const char* kVersion = "format_version";
constexpr int kVersionNumber = 1;

// Keys sorted, no blanks: one text for one content.
std::string canonical(const std::string& path, const char* part, const std::string& text) {
  try {
    return Json::parse(text).dump();
  } catch (const Json::exception& error) {
    fail("save_model: '{}': the description of the {} is not JSON ({}); give JSON text", path, part, error.what());
  }
}

}  // namespace

void save_model(const std::string& path, const ModelFile& model) {
  TensorFile file;
  file.tensors = model.parameters;
  file.metadata = {{kFormat, kFormatName},
                   {kVersion, std::to_string(kVersionNumber)},
                   {"network", canonical(path, "network", model.network)},
                   {"preprocessing", canonical(path, "preprocessing", model.preprocessing)},
                   {"training", canonical(path, "training", model.training)}};
  write_safetensors(path, file);
}

ModelFile load_model(const std::string& path) {
  TensorFile file = read_safetensors(path);
  const auto format = file.metadata.find(kFormat);
  if (format == file.metadata.end() || format->second != kFormatName) {
    fail("load_model: '{}' is a safetensors file, but not one of Pellucid's; give a file that `pellucid train` wrote",
         path);
  }
  if (file.metadata[kVersion] != std::to_string(kVersionNumber)) {
    fail("load_model: '{}' has format version '{}', and this program reads {}; use a newer Pellucid", path,
         shown(file.metadata[kVersion]), kVersionNumber);
  }
  ModelFile model;
  model.parameters = std::move(file.tensors);
  for (auto [key, text] :
       {std::pair{"network", &model.network}, {"preprocessing", &model.preprocessing}, {"training", &model.training}}) {
    const auto part = file.metadata.find(key);
    if (part == file.metadata.end() || !Json::accept(part->second)) {
      fail("load_model: '{}': its {} description is missing or damaged; train it again, or take another copy", path,
           key);
    }
    *text = std::move(part->second);
  }
  return model;
}

}  // namespace pellucid::io
