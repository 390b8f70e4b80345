// What a checkpoint of a training holds, as a file: named groups of arrays and one JSON object.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "pellucid/train.h"

namespace pellucid::train {

struct CheckpointFile {
  std::map<std::string, Arrays> groups;
  nlohmann::json words;
};

/// One safetensors file, there whole or not at all; arrays that stand in several groups are written once. Throws Error
/// where it cannot be written.
void write_checkpoint(const std::string& path, const CheckpointFile& file);
/// Throws Error where the file is no checkpoint, or of another version.
CheckpointFile read_checkpoint(const std::string& path);

/// Of shapes, types and bytes: differs where one bit does, all but surely. Undefined arrays count as absent.
std::uint64_t digest(const Arrays& arrays);

/// A number with all its bits; NaN and infinities as text, since JSON has none.
nlohmann::json to_json(double value);
double number_from(const nlohmann::json& json);
nlohmann::json to_json(const Epoch& epoch);
Epoch epoch_from(const nlohmann::json& json);

}  // namespace pellucid::train
