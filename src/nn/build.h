// How layers are made of their descriptions: what the files of build() share. Each family of layers adds its makers
// from a file of its own.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/fail.h"
#include "pellucid/nn.h"

namespace pellucid::nn {

/// The settings of one description; each must be asked for by some name, else finish() throws.
class Settings {
 public:
  explicit Settings(const Description& description) : description_(description) {}

  template <class T>
  T get(const std::string& name) {
    for (const auto& [key, option] : description_.options) {
      if (key != name) continue;
      used_.insert(name);
      if (const T* value = std::get_if<T>(&option)) return *value;
      if constexpr (std::is_same_v<T, double>) {
        if (const auto* value = std::get_if<std::int64_t>(&option)) return static_cast<double>(*value);
      }
      base::fail("nn::build: {}: the setting '{}' has the wrong type", description_.type, name);
    }
    base::fail("nn::build: {}: the setting '{}' is missing", description_.type, name);
  }
  /// The same where it may be absent.
  template <class T>
  std::optional<T> find(const std::string& name) {
    for (const auto& [key, option] : description_.options) {
      if (key == name) return get<T>(name);
    }
    return {};
  }
  /// True where the setting is there with this type.
  template <class T>
  bool holds(const std::string& name) const {
    for (const auto& [key, option] : description_.options) {
      if (key == name) return std::holds_alternative<T>(option);
    }
    return false;
  }
  int axis(const std::string& name) {
    const auto value = get<std::int64_t>(name);
    if (value < -kMaxRank || value > kMaxRank)
      base::fail("nn::build: {}: '{}' is {}, which is no axis", description_.type, name, value);
    return static_cast<int>(value);
  }
  /// How often a part is built. Bounded, so that a damaged file does not build for hours.
  std::int64_t repetitions(const std::string& name) {
    constexpr std::int64_t kMost = 4096;
    const auto value = get<std::int64_t>(name);
    if (value <= kMost) return value;
    base::fail("nn::build: {}: '{}' is {}, and at most {} are built", description_.type, name, value, kMost);
  }
  std::vector<AnyLayer> layers() {
    takes_layers_ = true;
    std::vector<AnyLayer> layers;
    for (const Description& layer : description_.layers) layers.push_back(build(layer));
    return layers;
  }
  /// Its layers follow from its settings.
  void skip_layers() { takes_layers_ = true; }
  void finish() const {
    for (const auto& [key, option] : description_.options) {
      if (!used_.contains(key)) base::fail("nn::build: {}: unknown setting '{}'", description_.type, key);
    }
    if (!takes_layers_ && !description_.layers.empty()) {
      base::fail("nn::build: {}: it has no layers of its own, and {} are given", description_.type,
                 description_.layers.size());
    }
  }

 private:
  const Description& description_;
  std::set<std::string> used_;
  bool takes_layers_ = false;
};

using Maker = std::function<AnyLayer(Settings&)>;
using Makers = std::map<std::string, Maker, std::less<>>;

/// Adds layers that have no settings.
template <class... L>
void add_plain(Makers& makers) {
  (makers.emplace(std::string(View(L()).type()), [](Settings&) { return AnyLayer(L()); }), ...);
}

void add_convolutions(Makers& makers);      // nn_convolution.h
void add_networks(Makers& makers);          // networks.h
void add_sequence_layers(Makers& makers);   // nn_sequence.h
void add_attention_layers(Makers& makers);  // nn_attention.h
void add_picture_layers(Makers& makers);    // nn_picture.h, nn_normalization.h
void add_pooling_layers(Makers& makers);
void add_augmentation(Makers& makers);  // augment.h
void add_table_layers(Makers& makers);  // nn_table.h

}  // namespace pellucid::nn
