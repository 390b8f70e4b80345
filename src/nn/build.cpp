// Layers from their descriptions.
#include <map>
#include <set>

#include "base/fail.h"
#include "pellucid/nn.h"

namespace pellucid::nn {

using base::fail;

namespace {

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
      fail("nn::build: {}: the setting '{}' has the wrong type", description_.type, name);
    }
    fail("nn::build: {}: the setting '{}' is missing", description_.type, name);
  }
  int axis(const std::string& name) {
    const auto value = get<std::int64_t>(name);
    if (value < -kMaxRank || value > kMaxRank)
      fail("nn::build: {}: '{}' is {}, which is no axis", description_.type, name, value);
    return static_cast<int>(value);
  }
  std::vector<AnyLayer> layers() {
    takes_layers_ = true;
    std::vector<AnyLayer> layers;
    for (const Description& layer : description_.layers) layers.push_back(build(layer));
    return layers;
  }
  void finish() const {
    for (const auto& [key, option] : description_.options) {
      if (!used_.contains(key)) fail("nn::build: {}: unknown setting '{}'", description_.type, key);
    }
    if (!takes_layers_ && !description_.layers.empty()) {
      fail("nn::build: {}: it has no layers of its own, and {} are given", description_.type,
           description_.layers.size());
    }
  }

 private:
  const Description& description_;
  std::set<std::string> used_;
  bool takes_layers_ = false;
};

using Maker = std::function<AnyLayer(Settings&)>;

template <class... L>
void add_plain(std::map<std::string, Maker, std::less<>>& makers) {
  (makers.emplace(std::string(View(L()).type()), [](Settings&) { return AnyLayer(L()); }), ...);
}

const std::map<std::string, Maker, std::less<>>& makers() {
  static const auto* all = [] {
    auto* m = new std::map<std::string, Maker, std::less<>>;
    add_plain<Identity, ReLU, ReLU6, Sigmoid, HardSigmoid, LogSigmoid, Tanh, Softplus, Softsign, GELU, GELUTanh, SiLU,
              Mish, HardSwish, SELU>(*m);
    (*m)["Sequential"] = [](Settings& s) { return Sequential(s.layers()); };
    (*m)["Residual"] = [](Settings& s) { return Residual(s.layers()); };
    (*m)["Linear"] = [](Settings& s) {
      LinearOptions options;
      options.bias = s.get<bool>("bias");
      return Linear(s.get<std::int64_t>("inputs"), s.get<std::int64_t>("outputs"), options);
    };
    (*m)["BatchNorm1d"] = [](Settings& s) {
      BatchNormOptions options;
      options.momentum = s.get<double>("momentum");
      options.epsilon = s.get<double>("epsilon");
      options.affine = s.get<bool>("affine");
      return BatchNorm1d(s.get<std::int64_t>("features"), options);
    };
    (*m)["LayerNorm"] = [](Settings& s) {
      LayerNormOptions options;
      options.epsilon = s.get<double>("epsilon");
      options.affine = s.get<bool>("affine");
      return LayerNorm(s.get<Shape>("shape"), options);
    };
    (*m)["PReLU"] = [](Settings& s) { return PReLU(s.get<std::int64_t>("features"), s.get<double>("initial")); };
    (*m)["Dropout"] = [](Settings& s) { return Dropout(s.get<double>("p")); };
    (*m)["Flatten"] = [](Settings& s) { return Flatten(s.axis("first")); };
    (*m)["LeakyReLU"] = [](Settings& s) { return LeakyReLU(s.get<double>("negative_slope")); };
    (*m)["ELU"] = [](Settings& s) { return ELU(s.get<double>("alpha")); };
    (*m)["CELU"] = [](Settings& s) { return CELU(s.get<double>("alpha")); };
    (*m)["Softmax"] = [](Settings& s) { return Softmax(s.axis("axis")); };
    (*m)["LogSoftmax"] = [](Settings& s) { return LogSoftmax(s.axis("axis")); };
    return m;
  }();
  return *all;
}

}  // namespace

AnyLayer build(const Description& description) {
  const auto maker = makers().find(description.type);
  if (maker == makers().end()) {
    fail("nn::build: '{}' is no layer of this library; construct the network itself and load its parameters by name",
         description.type);
  }
  Settings settings(description);
  AnyLayer layer = maker->second(settings);
  settings.finish();
  return layer;
}

Sequential build_sequential(const Description& description) {
  AnyLayer layer = build(description);
  if (Sequential* sequential = layer.as<Sequential>()) return std::move(*sequential);
  fail("nn::build_sequential: the description is of a {}", description.type);
}

std::vector<std::string> layer_types() {
  std::vector<std::string> types;
  for (const auto& [type, maker] : makers()) types.push_back(type);
  return types;
}

}  // namespace pellucid::nn
