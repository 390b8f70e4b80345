// GPT: the network, and writing with a cache.
#include "pellucid/network_gpt.h"

#include <cmath>
#include <limits>

#include "base/fail.h"
#include "pellucid/transform.h"

namespace pellucid::nn {

using base::fail;
using base::format;

namespace {

EmbeddingOptions embedding_options(const GPTOptions& options) {
  EmbeddingOptions result;
  result.weight_initializer = init::normal(0, 0.02);
  result.dtype = options.dtype;
  return result;
}

LearnedPositionsOptions positions_options(const GPTOptions& options) {
  LearnedPositionsOptions result;
  result.dtype = options.dtype;
  return result;
}

std::vector<TransformerEncoderLayer> blocks_of(const GPTOptions& options) {
  if (options.blocks < 1) fail("GPT: {} blocks; there must be at least one", options.blocks);
  TransformerOptions block;
  block.activation = FeedForwardActivation::kGELUTanh;
  block.causal = true;
  block.dropout = options.dropout;
  block.weight_initializer = init::normal(0, 0.02);
  block.output_weight_initializer = init::normal(0, 0.02 / std::sqrt(2.0 * static_cast<double>(options.blocks)));
  block.dtype = options.dtype;
  std::vector<TransformerEncoderLayer> result;
  for (std::int64_t i = 0; i < options.blocks; ++i) result.emplace_back(options.features, options.heads, block);
  return result;
}

LayerNormOptions norm_options(const GPTOptions& options) {
  LayerNormOptions result;
  result.dtype = options.dtype;
  return result;
}

LinearOptions head_options(const GPTOptions& options) {
  LinearOptions result;
  result.bias = false;
  result.weight_initializer = init::normal(0, 0.02);
  result.dtype = options.dtype;
  return result;
}

/// A token for each row of logits (N, vocabulary).
Array chosen(const Array& logits, const GenerateOptions& options, const random::Key& key) {
  if (options.temperature == 0) return argmax(logits, -1);
  Array scores = logits / options.temperature;
  if (options.top_k > 0 && options.top_k < scores.size(-1)) {
    const Array least = slice(topk(scores, options.top_k).values, -1, options.top_k - 1, options.top_k);
    scores = where(scores >= least, scores, -std::numeric_limits<double>::infinity());
  }
  return random::categorical(key, scores);
}

}  // namespace

GPT::GPT(GPTOptions options)
    : embedding(options.vocabulary, options.features, embedding_options(options)),
      positions(options.length, options.features, positions_options(options)),
      blocks(blocks_of(options)),
      norm(options.features, norm_options(options)),
      head(options.features, options.vocabulary, head_options(options)),
      options_(options) {
  if (options.dropout != 0) dropout.emplace(options.dropout);
}

void GPT::check_tokens(const Call& call, const Array& tokens, std::int64_t more) const {
  if (tokens.rank() != 2 || !is_integer(tokens.dtype())) {
    call.fail(format("tokens are {}{}; they must be integers (N, T)", tokens.dtype(), tokens.shape()));
  }
  if (tokens.size(1) + more > options_.length) {
    call.fail(format("tokens {}{}: the network has {} positions", tokens.shape(),
                     more == 0 ? std::string() : format(" and {} more", more), options_.length));
  }
}

Array GPT::operator()(const Array& tokens) const {
  const Call call(*this, "GPT");
  check_tokens(call, tokens, 0);
  Array x = positions(embedding(tokens));
  if (dropout) x = (*dropout)(x);
  for (const TransformerEncoderLayer& block : blocks) {
    const auto run = [&](const Arrays& in) { return Arrays{block(in[0])}; };
    x = options_.recompute ? transform::checkpoint(run, {x})[0] : block(x);
  }
  return call.done(head(norm(x)));
}

Array GPT::continued(const Array& tokens, std::vector<KeyValueCache>& caches, const Array& first) const {
  const Call call(*this, "GPT");
  check_tokens(call, tokens, 0);
  if (caches.size() != blocks.size()) {
    call.fail(format("{} caches for {} blocks", caches.size(), blocks.size()));
  }
  Array x = positions(embedding(tokens), first);
  for (std::size_t i = 0; i < blocks.size(); ++i) x = blocks[i](x, caches[i], first);
  const Array last = squeeze(slice(x, 1, tokens.size(1) - 1, tokens.size(1)), 1);
  return call.done(head(norm(last)));
}

Array GPT::generate(const Array& prompt, const GenerateOptions& options) {
  assign_paths(*this);
  const Context calm = Context::evaluation();
  {
    const Call call(*this, "GPT");
    if (options.tokens < 0) call.fail(format("{} tokens to generate; there cannot be less than none", options.tokens));
    check_tokens(call, prompt, options.tokens);
    if (prompt.size(1) == 0) call.fail("the prompt is empty; it needs at least one token");
    if (!(options.temperature >= 0)) {
      call.fail(format("the temperature {} must be at least 0", options.temperature));
    }
    if (options.top_k < 0 || options.top_k > options_.vocabulary) {
      call.fail(
          format("top_k {} must be between 0 and the {} tokens of the vocabulary", options.top_k, options_.vocabulary));
    }
    for (std::int64_t token : prompt.to_vector<std::int64_t>()) {
      if (token < 0 || token >= options_.vocabulary) {
        call.fail(format("token {} of the prompt is outside the vocabulary, 0 to {}", token, options_.vocabulary - 1));
      }
    }
  }
  if (options.tokens == 0) return prompt;

  // State: the last tokens (N, 1), their position, the caches. Inputs: the key, and the parameters in front.
  const std::size_t caches = 2 * blocks.size();
  const auto step = [&](const Array& tokens, const Array& first, const Array* cache, const Array& key) {
    std::vector<KeyValueCache> held;
    for (std::size_t i = 0; i < caches; i += 2) held.push_back({cache[i], cache[i + 1]});
    const Array logits = continued(tokens, held, first);
    const Array next = first + tokens.size(1);
    Arrays result = {expand_dims(chosen(logits, options, random::fold_in(key, next)), 1), next};
    for (const KeyValueCache& c : held) {
      result.push_back(c.keys);
      result.push_back(c.values);
    }
    return result;
  };
  const Function pure = functional(*this, [&](const Arrays& in) { return step(in[0], in[1], &in[2], in[2 + caches]); });
  Arrays fixed = parameters(*this);
  for (const Array& buffer : buffers(*this)) fixed.push_back(buffer);
  fixed.push_back(options.key);
  auto compiled = compile(
      [&](const Arrays& in) {  // (state..., parameters..., key)
        Arrays given(in.begin() + static_cast<std::ptrdiff_t>(2 + caches), in.end() - 1);
        given.insert(given.end(), in.begin(), in.begin() + static_cast<std::ptrdiff_t>(2 + caches));
        given.push_back(in.back());
        Arrays out = pure(given);
        out.resize(2 + caches);
        return out;
      },
      {.name = "generate"});

  Arrays start;
  for (const TransformerEncoderLayer& block : blocks) {
    const KeyValueCache cache = block.attention.cache(prompt.size(0), options_.length);
    start.push_back(cache.keys);
    start.push_back(cache.values);
  }
  Arrays state = step(prompt, zeros({}, int64), start.data(), options.key);
  evaluate(state);
  Arrays text = {prompt, astype(state[0], prompt.dtype())};
  evaluate(text);
  for (std::int64_t i = 1; i < options.tokens; ++i) {
    compiled.step(state, fixed);
    text.push_back(Array::from(state[0].to_vector<std::int64_t>(), state[0].shape()));
  }
  return astype(concat(text, 1), prompt.dtype()).evaluate();
}

Options GPT::options() const {
  return {{"vocabulary", options_.vocabulary}, {"length", options_.length}, {"features", options_.features},
          {"heads", options_.heads},           {"blocks", options_.blocks}, {"dropout", options_.dropout},
          {"recompute", options_.recompute}};
}

}  // namespace pellucid::nn
