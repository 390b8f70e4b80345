// The file of a checkpoint. See checkpoint.h.
#include "train/checkpoint.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <utility>

#include "base/atomic_file.h"
#include "base/fail.h"
#include "io/safetensors.h"
#include "pellucid/io.h"

namespace pellucid::train {

using base::fail;
using Json = nlohmann::json;

namespace {

constexpr const char* kVersionKey = "pellucid.checkpoint";
constexpr const char* kVersion = "2";
constexpr const char* kWordsKey = "words";
constexpr const char* kGroupsKey = "groups";
constexpr const char* kTensorSumsKey = "checksums";
constexpr const char* kTextSumKey = "checksum";

std::string text_of(const Digest& digest) { return base::format("{:016x}", digest.value()); }

std::string checksum(const std::string& name, const Array& array) {
  Digest sum;
  sum.add(std::string_view(name));
  sum.add(array);
  return text_of(sum);
}

// Of the three texts together.
std::string checksum(const std::map<std::string, std::string>& metadata) {
  Digest sum;
  for (const char* key : {kWordsKey, kGroupsKey, kTensorSumsKey}) sum.add(std::string_view(metadata.at(key)));
  return text_of(sum);
}

/// What it throws says why, in words that go into the parentheses of a longer sentence.
CheckpointFile read_one(const std::string& path) {
  const io::TensorFile read = io::read_safetensors(path);
  const auto version = read.metadata.find(kVersionKey);
  if (version == read.metadata.end()) fail("it is no checkpoint of a training");
  if (version->second != kVersion) {
    fail("it has version '{}', and this program reads {}", version->second, kVersion);
  }
  CheckpointFile file;
  try {
    if (checksum(read.metadata) != read.metadata.at(kTextSumKey)) fail("its words do not have their checksum");
    const Json sums = Json::parse(read.metadata.at(kTensorSumsKey));
    for (const auto& [name, array] : read.tensors) {
      if (sums.at(name) != checksum(name, array)) fail("the tensor '{}' does not have its checksum", name);
    }
    file.words = Json::parse(read.metadata.at(kWordsKey));
    const Json groups = Json::parse(read.metadata.at(kGroupsKey));
    for (const auto& [group, names] : groups.items()) {
      Arrays& arrays = file.groups[group];
      for (const auto& name : names) arrays.push_back(read.tensors.at(name.get<std::string>()));
    }
  } catch (const Error&) {
    throw;
  } catch (const std::exception&) {  // a part is not there
    fail("it is not whole");
  }
  return file;
}

bool exists(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

}  // namespace

std::string previous_checkpoint(const std::string& path) { return path + ".previous"; }

bool checkpoint_exists(const std::string& path) { return exists(path) || exists(previous_checkpoint(path)); }

void remove_checkpoint(const std::string& path) {
  std::error_code error;
  std::filesystem::remove(previous_checkpoint(path), error);
  std::filesystem::remove(path, error);
}

void write_checkpoint(const std::string& path, const CheckpointFile& file, Before before) {
  io::TensorFile tensors;
  std::map<std::pair<const Node*, std::uint32_t>, std::string> written;
  Json groups = Json::object(), sums = Json::object();
  for (const auto& [group, arrays] : file.groups) {
    Json names = Json::array();
    for (const Array& array : arrays) {
      std::string& name = written[{array.node(), array.output()}];
      if (name.empty()) {
        name = base::format("{}.{}", group, names.size());
        tensors.tensors[name] = array;
        sums[name] = checksum(name, array);
      }
      names.push_back(name);
    }
    groups[group] = std::move(names);
  }
  tensors.metadata = {{kVersionKey, kVersion},
                      {kWordsKey, file.words.dump()},
                      {kGroupsKey, groups.dump()},
                      {kTensorSumsKey, sums.dump()}};
  tensors.metadata[kTextSumKey] = checksum(tensors.metadata);
  base::AtomicFile out(path);
  io::write_safetensors(out, tensors, path);
  const std::string previous = previous_checkpoint(path);
  out.commit(before == Before::kKept ? previous : std::string());
  std::error_code error;
  if (before == Before::kUnrelated) std::filesystem::remove(previous, error);
}

ReadCheckpoint read_checkpoint(const std::string& path) {
  const std::string previous = previous_checkpoint(path);
  std::string reason;
  if (exists(path)) {
    try {
      return {.file = read_one(path), .newest = true, .warning = {}};
    } catch (const Error& error) {
      reason = error.what();
    }
    if (!exists(previous)) fail("fit: the checkpoint '{}' cannot be used: {}; remove it to begin anew", path, reason);
  }
  ReadCheckpoint read{.file = {}, .newest = false, .warning = {}};
  try {
    read.file = read_one(previous);
  } catch (const Error& error) {
    if (reason.empty()) {
      fail("fit: the checkpoint '{}' cannot be used: {}; remove it to begin anew", previous, error.what());
    }
    fail("fit: the checkpoint '{}' cannot be used: {}; nor can the one before it, '{}': {}; remove both to begin anew",
         path, reason, previous, error.what());
  }
  if (!reason.empty()) {
    read.warning = base::format("the checkpoint '{}' cannot be used: {}; training goes on from the one before it, '{}'",
                                path, reason, previous);
  }
  return read;
}

void Digest::add(std::uint64_t word) { state_ = std::rotl((state_ ^ word) * 0xD6E8FEB86659FD93U, 29); }

void Digest::add(std::string_view bytes) {
  add(bytes.size());
  std::size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    std::uint64_t word;
    std::memcpy(&word, bytes.data() + i, 8);
    add(word);
  }
  std::uint64_t rest = 0;
  if (i < bytes.size()) std::memcpy(&rest, bytes.data() + i, bytes.size() - i);
  add(rest);
}

void Digest::add(const Array& array) {
  add(std::uint64_t{array.defined()});
  if (!array.defined()) return;
  add(static_cast<std::uint64_t>(array.dtype()));
  for (const std::int64_t size : array.shape()) add(static_cast<std::uint64_t>(size));
  add(std::string_view(static_cast<const char*>(array.raw_data()),
                       static_cast<std::size_t>(array.size()) * size_of(array.dtype())));
}

std::uint64_t digest(const Arrays& arrays) {
  Digest sum;
  for (const Array& array : arrays) sum.add(array);
  return sum.value();
}

Json to_json(double value) {
  if (std::isfinite(value)) return value;
  return std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
}

double number_from(const Json& json) {
  if (json.is_number()) return json.get<double>();
  const auto text = json.get<std::string>();
  if (text == "nan") return std::numeric_limits<double>::quiet_NaN();
  return text == "inf" ? std::numeric_limits<double>::infinity() : -std::numeric_limits<double>::infinity();
}

Json to_json(const Epoch& epoch) {
  Json metrics = Json::array();
  for (const double metric : epoch.metrics) metrics.push_back(to_json(metric));
  return {{"epoch", epoch.epoch},
          {"restart", epoch.restart},
          {"steps", epoch.steps},
          {"loss", to_json(epoch.loss)},
          {"validation_loss", epoch.validation_loss ? to_json(*epoch.validation_loss) : Json()},
          {"metrics", std::move(metrics)},
          {"learning_rate", to_json(epoch.learning_rate)},
          {"seconds", to_json(epoch.seconds)},
          {"best", epoch.best}};
}

Epoch epoch_from(const Json& json) {
  Epoch epoch{.epoch = json.at("epoch"),
              .restart = json.at("restart"),
              .steps = json.at("steps"),
              .loss = number_from(json.at("loss")),
              .learning_rate = number_from(json.at("learning_rate")),
              .seconds = number_from(json.at("seconds")),
              .best = json.at("best")};
  if (!json.at("validation_loss").is_null()) epoch.validation_loss = number_from(json.at("validation_loss"));
  for (const Json& metric : json.at("metrics")) epoch.metrics.push_back(number_from(metric));
  return epoch;
}

}  // namespace pellucid::train
