// Layers for sequences from their descriptions.
#include "nn/build.h"
#include "pellucid/nn_sequence.h"

namespace pellucid::nn {

using base::fail;

namespace {

template <class Given>
Given named(Settings& s, const std::string& setting, std::initializer_list<std::pair<std::string_view, Given>> names) {
  const auto text = s.get<std::string>(setting);
  for (const auto& [name, value] : names) {
    if (name == text) return value;
  }
  fail("nn::build: the setting '{}' is '{}', which is unknown", setting, text);
}

RecurrentOptions recurrent_options(Settings& s) {
  RecurrentOptions options;
  options.layers = s.repetitions("depth");
  options.bidirectional = s.get<bool>("bidirectional");
  options.dropout = s.get<double>("dropout");
  options.bias = s.get<bool>("bias");
  return options;
}

}  // namespace

void add_sequence_layers(Makers& m) {
  m["Embedding"] = [](Settings& s) {
    EmbeddingOptions options;
    options.padding_index = s.find<std::int64_t>("padding_index");
    options.frozen = s.get<bool>("frozen");
    return Embedding(s.get<std::int64_t>("count"), s.get<std::int64_t>("features"), options);
  };
  m["EmbeddingBag"] = [](Settings& s) {
    EmbeddingBagOptions options;
    options.mode =
        named<BagMode>(s, "mode", {{"sum", BagMode::kSum}, {"mean", BagMode::kMean}, {"max", BagMode::kMax}});
    options.padding_index = s.find<std::int64_t>("padding_index");
    options.frozen = s.get<bool>("frozen");
    return EmbeddingBag(s.get<std::int64_t>("count"), s.get<std::int64_t>("features"), options);
  };
  m["RNN"] = [](Settings& s) {
    using N = RNN::Nonlinearity;
    return RNN(s.get<std::int64_t>("inputs"), s.get<std::int64_t>("hidden"), recurrent_options(s),
               named<N>(s, "nonlinearity", {{"tanh", N::kTanh}, {"relu", N::kReLU}}));
  };
  m["LSTM"] = [](Settings& s) {
    return LSTM(s.get<std::int64_t>("inputs"), s.get<std::int64_t>("hidden"), recurrent_options(s));
  };
  m["GRU"] = [](Settings& s) {
    return GRU(s.get<std::int64_t>("inputs"), s.get<std::int64_t>("hidden"), recurrent_options(s));
  };
}

}  // namespace pellucid::nn
