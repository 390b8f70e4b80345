// Layers from their descriptions.
#include "nn/build.h"
#include "nn/normalize.h"

namespace pellucid::nn {

using base::fail;

namespace {

const Makers& makers() {
  static const auto* all = [] {
    auto* m = new Makers;
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
      return perhaps_folded(BatchNorm1d(s.get<std::int64_t>("features"), options),
                            s.find<bool>("folded").value_or(false));
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
    add_convolutions(*m);
    add_networks(*m);
    add_sequence_layers(*m);
    add_attention_layers(*m);
    add_picture_layers(*m);
    add_table_layers(*m);
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
