// What a checkpoint of a training holds, as a file: named groups of arrays and one JSON object.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "pellucid/train.h"

namespace pellucid::train {

struct CheckpointFile {
  std::map<std::string, Arrays> groups;
  nlohmann::json words;
};

/// What becomes of the file that a new one replaces.
enum class Before {
  kKept,       // it is whole: it becomes the previous one
  kDamaged,    // it goes, and the previous one stays
  kUnrelated,  // both go: they are of another training
};

/// One safetensors file, there whole or not at all, with a checksum of each tensor and of the words; arrays that stand
/// in several groups are written once. Throws Error where it cannot be written.
void write_checkpoint(const std::string& path, const CheckpointFile& file, Before before);

struct ReadCheckpoint {
  CheckpointFile file;
  bool newest = true;   // false: the previous one
  std::string warning;  // a damaged file that was passed over; empty: none
};
/// The newest that is whole, of `path` and the one before it. Throws Error that names each where there is none, or
/// where it is no checkpoint or of another version.
ReadCheckpoint read_checkpoint(const std::string& path);
/// Whether there is one to be read, whole or not.
bool checkpoint_exists(const std::string& path);
/// Removes both files.
void remove_checkpoint(const std::string& path);
std::string previous_checkpoint(const std::string& path);

/// A checksum of 64 bits: differs surely where one word of eight bytes does, and all but surely otherwise. It does not
/// withstand an opponent.
class Digest {
 public:
  void add(std::uint64_t word);
  void add(std::string_view bytes);  // the length too
  void add(const Array& array);      // type, shape and bytes; an undefined one counts as absent
  std::uint64_t value() const { return state_ ^ state_ >> 32; }

 private:
  std::uint64_t state_ = 0x9E3779B97F4A7C15U;
};
std::uint64_t digest(const Arrays& arrays);

/// A number with all its bits; NaN and infinities as text, since JSON has none.
nlohmann::json to_json(double value);
double number_from(const nlohmann::json& json);
nlohmann::json to_json(const Epoch& epoch);
Epoch epoch_from(const nlohmann::json& json);

}  // namespace pellucid::train
