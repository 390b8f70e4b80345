// The layers of Transformers.
#include "base/fail.h"
#include "pellucid/nn_attention.h"

namespace pellucid::nn {

using base::fail;
using base::format;

namespace {

struct ActivationName {
  FeedForwardActivation activation;
  const char* name;
  Array (*function)(const Array&);
};
constexpr ActivationName kActivations[] = {{FeedForwardActivation::kReLU, "relu", relu},
                                           {FeedForwardActivation::kGELU, "gelu", gelu},
                                           {FeedForwardActivation::kGELUTanh, "gelu_tanh", gelu_tanh},
                                           {FeedForwardActivation::kSiLU, "silu", silu}};

const ActivationName& named(FeedForwardActivation activation) {
  return kActivations[static_cast<std::size_t>(activation)];
}

MultiHeadAttentionOptions attention_options(const TransformerOptions& options, bool causal, bool own) {
  MultiHeadAttentionOptions result;
  result.causal = causal;
  result.groups = options.groups;
  result.bias = options.bias;
  result.dropout = options.dropout;
  if (own) result.rotary_base = options.rotary_base;
  result.weight_initializer = options.weight_initializer;
  result.output_weight_initializer = options.output_weight_initializer;
  result.dtype = options.dtype;
  return result;
}

LayerNormOptions norm_options(const TransformerOptions& options) {
  LayerNormOptions result;
  result.epsilon = options.epsilon;
  result.dtype = options.dtype;
  return result;
}

LinearOptions linear_options(const TransformerOptions& options, bool last) {
  LinearOptions result;
  result.bias = options.bias;
  result.dtype = options.dtype;
  result.weight_initializer =
      last && options.output_weight_initializer ? options.output_weight_initializer : options.weight_initializer;
  return result;
}

std::int64_t hidden_size(std::string_view type, std::int64_t features, const TransformerOptions& options) {
  if (options.hidden < 0) fail("{}: {} hidden features; there must be at least one", type, options.hidden);
  return options.hidden == 0 ? 4 * features : options.hidden;
}

/// What is added to x: f(norm(x)); or the sum itself normalised.
template <class F>
Array part(const Array& x, const LayerNorm& norm, bool norm_first, const F& f) {
  return norm_first ? x + f(norm(x)) : norm(x + f(x));
}

Array feed_forward(const Array& x, const Linear& expand, const Linear& contract, const std::optional<Dropout>& dropout,
                   FeedForwardActivation activation) {
  const Array y = contract(named(activation).function(expand(x)));
  return dropout ? (*dropout)(y) : y;
}

Options options_of(const TransformerOptions& options, std::int64_t features, std::int64_t heads, std::int64_t hidden) {
  Options result = {{"features", features},
                    {"heads", heads},
                    {"hidden", hidden},
                    {"activation", std::string(named(options.activation).name)},
                    {"norm_first", options.norm_first},
                    {"causal", options.causal},
                    {"dropout", options.dropout},
                    {"groups", options.groups},
                    {"bias", options.bias},
                    {"epsilon", options.epsilon}};
  if (options.rotary_base) result.emplace_back("rotary_base", *options.rotary_base);
  return result;
}

std::int64_t option(const MultiHeadAttention& attention, std::string_view name) {
  for (const auto& [key, value] : attention.options()) {
    if (key == name) return std::get<std::int64_t>(value);
  }
  return 0;
}

template <class L>
std::vector<L> repeated(std::string_view type, std::int64_t layers, std::int64_t features, std::int64_t heads,
                        const TransformerOptions& options) {
  if (layers < 1) fail("{}: {} layers; there must be at least one", type, layers);
  std::vector<L> result;
  for (std::int64_t i = 0; i < layers; ++i) result.emplace_back(features, heads, options);
  return result;
}

template <class L>
Options options_of_stack(const std::vector<L>& layers) {
  Options result = layers.at(0).options();
  result.insert(result.begin(), {"depth", static_cast<std::int64_t>(layers.size())});
  return result;
}

}  // namespace

FeedForwardActivation activation_of(std::string_view name) {
  for (const ActivationName& known : kActivations) {
    if (known.name == name) return known.activation;
  }
  fail("nn::build: the activation '{}' of a Transformer layer is unknown; relu, gelu, gelu_tanh and silu are known",
       name);
}

// ---- Encoder --------------------------------------------------------------------------------------------------------

TransformerEncoderLayer::TransformerEncoderLayer(std::int64_t features, std::int64_t heads, TransformerOptions options)
    : attention(features, heads, attention_options(options, options.causal, true)),
      norm1(features, norm_options(options)),
      norm2(features, norm_options(options)),
      expand(features, hidden_size("TransformerEncoderLayer", features, options), linear_options(options, false)),
      contract(hidden_size("TransformerEncoderLayer", features, options), features, linear_options(options, true)),
      options_(std::move(options)) {
  if (options_.dropout != 0) dropout.emplace(options_.dropout);
}

template <class F>
Array TransformerEncoderLayer::run(const Array& x, const F& attend) const {
  const Array y = part(x, norm1, options_.norm_first, attend);
  return part(y, norm2, options_.norm_first,
              [&](const Array& h) { return feed_forward(h, expand, contract, dropout, options_.activation); });
}

Array TransformerEncoderLayer::operator()(const Array& x, const AttentionInputs& inputs) const {
  const Call call(*this, "TransformerEncoderLayer");
  if (inputs.memory.defined()) call.fail("it attends to x alone; a memory is for TransformerDecoderLayer");
  return call.done(run(x, [&](const Array& h) { return attention(h, inputs); }));
}

Array TransformerEncoderLayer::operator()(const Array& x, KeyValueCache& cache, const Array& first) const {
  const Call call(*this, "TransformerEncoderLayer");
  return call.done(run(x, [&](const Array& h) { return attention(h, cache, first); }));
}

Options TransformerEncoderLayer::options() const {
  return options_of(options_, norm1.weight.value.size(0), option(attention, "heads"), expand.weight.value.size(1));
}

// ---- Decoder --------------------------------------------------------------------------------------------------------

TransformerDecoderLayer::TransformerDecoderLayer(std::int64_t features, std::int64_t heads, TransformerOptions options)
    : attention(features, heads, attention_options(options, true, true)),
      cross(features, heads, attention_options(options, false, false)),
      norm1(features, norm_options(options)),
      norm2(features, norm_options(options)),
      norm3(features, norm_options(options)),
      expand(features, hidden_size("TransformerDecoderLayer", features, options), linear_options(options, false)),
      contract(hidden_size("TransformerDecoderLayer", features, options), features, linear_options(options, true)),
      options_(std::move(options)) {
  options_.causal = true;
  if (options_.dropout != 0) dropout.emplace(options_.dropout);
}

Array TransformerDecoderLayer::operator()(const Array& x, const AttentionInputs& inputs) const {
  const Call call(*this, "TransformerDecoderLayer");
  if (!inputs.memory.defined()) call.fail("a memory to attend to is needed, (N, S, features)");
  const bool first = options_.norm_first;
  Array y = part(x, norm1, first, [&](const Array& h) { return attention(h); });
  y = part(y, norm2, first, [&](const Array& h) { return cross(h, inputs); });
  return call.done(part(y, norm3, first, [&](const Array& h) {
    return feed_forward(h, expand, contract, dropout, options_.activation);
  }));
}

Options TransformerDecoderLayer::options() const {
  return options_of(options_, norm1.weight.value.size(0), option(attention, "heads"), expand.weight.value.size(1));
}

// ---- Stacks ---------------------------------------------------------------------------------------------------------

TransformerEncoder::TransformerEncoder(std::int64_t count, std::int64_t features, std::int64_t heads,
                                       TransformerOptions options)
    : layers(repeated<TransformerEncoderLayer>("TransformerEncoder", count, features, heads, options)) {
  if (options.norm_first) norm.emplace(features, norm_options(options));
}

Array TransformerEncoder::operator()(const Array& x, const AttentionInputs& inputs) const {
  const Call call(*this, "TransformerEncoder");
  Array y = x;
  for (const TransformerEncoderLayer& layer : layers) y = layer(y, inputs);
  return call.done(norm ? (*norm)(y) : y);
}

Options TransformerEncoder::options() const { return options_of_stack(layers); }

TransformerDecoder::TransformerDecoder(std::int64_t count, std::int64_t features, std::int64_t heads,
                                       TransformerOptions options)
    : layers(repeated<TransformerDecoderLayer>("TransformerDecoder", count, features, heads, options)) {
  if (options.norm_first) norm.emplace(features, norm_options(options));
}

Array TransformerDecoder::operator()(const Array& x, const AttentionInputs& inputs) const {
  const Call call(*this, "TransformerDecoder");
  Array y = x;
  for (const TransformerDecoderLayer& layer : layers) y = layer(y, inputs);
  return call.done(norm ? (*norm)(y) : y);
}

Options TransformerDecoder::options() const { return options_of_stack(layers); }

}  // namespace pellucid::nn
