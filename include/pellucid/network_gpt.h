// A generative Transformer for sequences of tokens (Radford et al. 2019), ready to train and to write text with.
//
//   pl::nn::GPT network({.vocabulary = 65, .length = 256});
//   loss = pl::loss::cross_entropy(network(tokens), next_tokens);                   // (N, T) integers
//   text = network.generate(prompt, {.tokens = 500, .temperature = 0.8, .top_k = 20});
#pragma once

#include <cstdint>
#include <vector>

#include "pellucid/nn_attention.h"
#include "pellucid/nn_sequence.h"
#include "pellucid/random.h"

namespace pellucid::nn {

struct GPTOptions {
  std::int64_t vocabulary = 256;
  std::int64_t length = 256;  // positions at most
  std::int64_t features = 384;
  std::int64_t heads = 6;
  std::int64_t blocks = 6;
  double dropout = 0;      // of the embedding and of each part of a block, in training
  bool recompute = false;  // keep only what enters each block, and compute its inside again for backward
  DType dtype = float32;
};

struct GenerateOptions {
  std::int64_t tokens = 100;  // how many to add
  double temperature = 1;     // logits are divided by it; 0 takes the likeliest token
  std::int64_t top_k = 0;     // choose among the k likeliest; 0: among all
  random::Key key = random::key(0);
};

/// Embedding and learned positions, pre-norm blocks of causal attention and a feed-forward part of 4 C with GELU
/// (tanh), a normalisation, and logits: tokens (N, T) -> (N, T, vocabulary).
///
/// Weights start at normal(0, 0.02), those whose results are added to the stream divided by sqrt(2 blocks).
class GPT : public Layer {
 public:
  /// Throws Error where a size is not positive or heads do not divide the features.
  explicit GPT(GPTOptions options = {});
  /// Throws Error where T is above `length`; for a token outside the vocabulary as Embedding does.
  Array operator()(const Array& tokens) const;

  /// prompt (N, T), T at least 1 -> (N, T + tokens), by a cache of keys and values: one token costs O(T). The step is
  /// compiled once for all tokens. Throws Error where T + tokens is above `length`, for a token outside the vocabulary,
  /// a negative temperature, and a top_k that is negative or above the vocabulary.
  Array generate(const Array& prompt, const GenerateOptions& options = {});

  /// Logits (N, vocabulary) behind the last of the positions first, first + 1, ...; caches[i] is that of block i.
  Array continued(const Array& tokens, std::vector<KeyValueCache>& caches, const Array& first) const;
  Options options() const;
  PELLUCID_MEMBERS(embedding, positions, dropout, blocks, norm, head)
  Embedding embedding;
  LearnedPositions positions;
  std::optional<Dropout> dropout;
  std::vector<TransformerEncoderLayer> blocks;
  LayerNorm norm;
  Linear head;

 private:
  void check_tokens(const Call& call, const Array& tokens, std::int64_t more) const;

  GPTOptions options_;
};

}  // namespace pellucid::nn
