// Modules in files.
#include "base/fail.h"
#include "pellucid/io.h"
#include "pellucid/train.h"

namespace pellucid {

void save(nn::View module, const std::string& path) {
  io::ModelFile file;
  for (const auto& [name, value, trainable] : nn::named_parameters(module)) file.parameters.emplace(name, value);
  for (const auto& [name, value, trainable] : nn::named_buffers(module)) file.parameters.emplace(name, value);
  file.network = nn::to_json(nn::describe(module));
  io::save_model(path, file);
}

void load(nn::Ref module, const std::string& path, bool partial) {
  std::vector<nn::NamedArray> arrays;
  for (auto& [name, value] : io::read_safetensors(path).tensors) arrays.push_back({.name = name, .value = value});
  try {
    nn::set_arrays(module, arrays, partial);
  } catch (const Error& error) {
    base::fail("load: '{}': {}", path, error.what());
  }
}

}  // namespace pellucid
