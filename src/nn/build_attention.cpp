// Layers of attention from their descriptions.
#include "nn/build.h"
#include "pellucid/network_gpt.h"
#include "pellucid/nn_attention.h"

namespace pellucid::nn {

FeedForwardActivation activation_of(std::string_view name);  // transformer.cpp

namespace {

TransformerOptions transformer_options(Settings& s) {
  s.skip_layers();
  TransformerOptions options;
  options.hidden = s.get<std::int64_t>("hidden");
  options.activation = activation_of(s.get<std::string>("activation"));
  options.norm_first = s.get<bool>("norm_first");
  options.causal = s.get<bool>("causal");
  options.dropout = s.get<double>("dropout");
  options.groups = s.get<std::int64_t>("groups");
  options.bias = s.get<bool>("bias");
  options.epsilon = s.get<double>("epsilon");
  options.rotary_base = s.find<double>("rotary_base");
  return options;
}

}  // namespace

void add_attention_layers(Makers& m) {
  m["SinusoidalPositions"] = [](Settings& s) { return SinusoidalPositions(s.get<std::int64_t>("features")); };
  m["LearnedPositions"] = [](Settings& s) {
    return LearnedPositions(s.get<std::int64_t>("length"), s.get<std::int64_t>("features"));
  };
  m["MultiHeadAttention"] = [](Settings& s) {
    s.skip_layers();
    MultiHeadAttentionOptions options;
    options.causal = s.get<bool>("causal");
    options.groups = s.get<std::int64_t>("groups");
    options.memory_features = s.get<std::int64_t>("memory_features");
    options.bias = s.get<bool>("bias");
    options.dropout = s.get<double>("dropout");
    options.rotary_base = s.find<double>("rotary_base");
    return MultiHeadAttention(s.get<std::int64_t>("features"), s.get<std::int64_t>("heads"), options);
  };
  m["TransformerEncoderLayer"] = [](Settings& s) {
    return TransformerEncoderLayer(s.get<std::int64_t>("features"), s.get<std::int64_t>("heads"),
                                   transformer_options(s));
  };
  m["TransformerEncoder"] = [](Settings& s) {
    return TransformerEncoder(s.repetitions("depth"), s.get<std::int64_t>("features"), s.get<std::int64_t>("heads"),
                              transformer_options(s));
  };
  m["GPT"] = [](Settings& s) {
    s.skip_layers();
    GPTOptions options;
    options.vocabulary = s.get<std::int64_t>("vocabulary");
    options.length = s.get<std::int64_t>("length");
    options.features = s.get<std::int64_t>("features");
    options.heads = s.get<std::int64_t>("heads");
    options.blocks = s.repetitions("blocks");
    options.dropout = s.get<double>("dropout");
    options.recompute = s.get<bool>("recompute");
    return GPT(options);
  };
}

}  // namespace pellucid::nn
