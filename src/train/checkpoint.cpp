// The file of a checkpoint. See checkpoint.h.
#include "train/checkpoint.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "base/fail.h"
#include "pellucid/io.h"

namespace pellucid::train {

using base::fail;
using Json = nlohmann::json;

namespace {

constexpr const char* kVersionKey = "pellucid.checkpoint";
constexpr const char* kVersion = "1";
constexpr const char* kWordsKey = "words";
constexpr const char* kGroupsKey = "groups";

}  // namespace

void write_checkpoint(const std::string& path, const CheckpointFile& file) {
  io::TensorFile tensors;
  std::map<std::pair<const Node*, std::uint32_t>, std::string> written;
  Json groups = Json::object();
  for (const auto& [group, arrays] : file.groups) {
    Json names = Json::array();
    for (const Array& array : arrays) {
      std::string& name = written[{array.node(), array.output()}];
      if (name.empty()) {
        name = base::format("{}.{}", group, names.size());
        tensors.tensors[name] = array;
      }
      names.push_back(name);
    }
    groups[group] = std::move(names);
  }
  tensors.metadata = {{kVersionKey, kVersion}, {kWordsKey, file.words.dump()}, {kGroupsKey, groups.dump()}};
  io::write_safetensors(path, tensors);
}

CheckpointFile read_checkpoint(const std::string& path) {
  io::TensorFile tensors = io::read_safetensors(path);
  const auto version = tensors.metadata.find(kVersionKey);
  if (version == tensors.metadata.end()) {
    fail("fit: '{}' is no checkpoint of a training; name one, or remove the file to begin anew", path);
  }
  if (version->second != kVersion) {
    fail("fit: the checkpoint '{}' has version '{}', and this program reads {}; remove it to begin anew", path,
         version->second, kVersion);
  }
  CheckpointFile file;
  try {
    file.words = Json::parse(tensors.metadata.at(kWordsKey));
    const Json groups = Json::parse(tensors.metadata.at(kGroupsKey));
    for (const auto& [group, names] : groups.items()) {
      Arrays& arrays = file.groups[group];
      for (const auto& name : names) arrays.push_back(tensors.tensors.at(name.get<std::string>()));
    }
  } catch (const std::exception&) {
    fail("fit: the checkpoint '{}' is damaged; remove it to begin anew", path);
  }
  return file;
}

std::uint64_t digest(const Arrays& arrays) {
  // A product with an odd constant and a rotation for each word: it need not withstand an opponent.
  std::uint64_t state = 0x9E3779B97F4A7C15U;
  const auto mix = [&](std::uint64_t word) { state = std::rotl((state ^ word) * 0xD6E8FEB86659FD93U, 29); };
  for (const Array& array : arrays) {
    mix(array.defined() ? 1 : 0);
    if (!array.defined()) continue;
    mix(static_cast<std::uint64_t>(array.dtype()));
    for (const std::int64_t size : array.shape()) mix(static_cast<std::uint64_t>(size));
    const auto* bytes = static_cast<const unsigned char*>(array.raw_data());
    const std::size_t count = static_cast<std::size_t>(array.size()) * size_of(array.dtype());
    std::size_t i = 0;
    for (; i + 8 <= count; i += 8) {
      std::uint64_t word;
      std::memcpy(&word, bytes + i, 8);
      mix(word);
    }
    std::uint64_t rest = 0;
    if (i < count) std::memcpy(&rest, bytes + i, count - i);
    mix(rest);
  }
  return state ^ state >> 32;
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
