// Layers of attention: MultiHeadAttention, positions, and the layers of Transformers.
//
//   pl::nn::TransformerEncoderLayer block(384, 6, {.causal = true});    // (N, T, 384) -> (N, T, 384)
//   pl::nn::MultiHeadAttention cross(384, 6);
//   y = cross(x, {.memory = encoded, .lengths = lengths});              // x (N, T, 384), encoded (N, S, 384)
//
// In shapes, N is the batch, T the length of the sequence that asks, S that of the one that is asked, C features, H
// heads, G heads of keys and values, D = C / H.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "pellucid/nn.h"
#include "pellucid/ops_attention.h"

namespace pellucid::nn {

// ---- Positions ------------------------------------------------------------------------------------------------------

/// Each pair of features i and i + D / 2 turned by the angle position / base^(2 i / D) (Su et al. 2021): x (..., T, H,
/// D), so that products of queries and keys depend on the distance of their positions. `positions` is (T), 0, 1, ...
/// where undefined. Throws Error where D is odd.
Array rotary(const Array& x, const Array& positions = {}, double base = 10000);

/// (length, features): sin and cos of position / 10000^(2 i / features) in features 2 i and 2 i + 1 (Vaswani et al.
/// 2017).
Array sinusoids(std::int64_t length, std::int64_t features, DType dtype = float32);

/// x + sinusoids: (..., T, C) -> (..., T, C).
class SinusoidalPositions : public Layer {
 public:
  /// Throws Error where the number of features is not positive.
  explicit SinusoidalPositions(std::int64_t features);
  Array operator()(const Array& x) const;
  Options options() const { return {{"features", features_}}; }
  void visit_members(Visitor&) {}

 private:
  std::int64_t features_;
};

struct LearnedPositionsOptions {
  init::Initializer weight_initializer = {};  // normal(0, 0.02) where not given
  DType dtype = float32;
};
/// x plus a learned vector for each position: (..., T, C) -> (..., T, C), T at most `length`.
class LearnedPositions : public Layer {
 public:
  /// Throws Error where a size is not positive.
  LearnedPositions(std::int64_t length, std::int64_t features, LearnedPositionsOptions options = {});
  /// Throws Error where x is longer than `length`.
  Array operator()(const Array& x) const { return (*this)(x, Array()); }
  /// The same where x begins at position `first`, an integer scalar, perhaps traced: then first + T is at most `length`
  /// by the caller's word.
  Array operator()(const Array& x, const Array& first) const;
  Options options() const;
  PELLUCID_MEMBERS(weight)
  Parameter weight;  // (length, C)
};

// ---- MultiHeadAttention ---------------------------------------------------------------------------------------------

struct MultiHeadAttentionOptions {
  bool causal = false;               // position i sees the positions up to i
  std::int64_t groups = 0;           // G; 0 for as many as heads. Fewer: grouped-query attention (Ainslie et al. 2023)
  std::int64_t memory_features = 0;  // of what is asked; 0 for C
  bool bias = true;                  // of all four projections
  double dropout = 0;                // of the result, in training
  std::optional<double> rotary_base = {};            // rotary positions of queries and keys
  init::Initializer weight_initializer = {};         // Xavier uniform where not given
  init::Initializer output_weight_initializer = {};  // of the last projection; as the others where not given
  DType dtype = float32;
};

/// Keys and values of the positions seen so far, (N, S, G, D) for S positions at most; rows not yet filled count for
/// nothing.
struct KeyValueCache {
  Array keys, values;
};

/// What a layer of attention is asked beside x.
struct AttentionInputs {
  /// (N, S, C): keys and values are made of it; of x where undefined.
  Array memory = {};
  /// As in AttentionOptions: broadcast to (N, H, T, S).
  Array mask = {};
  /// (N): of the S positions of example n the first lengths[n] count.
  Array lengths = {};
};

/// Attention of H heads between linear layers (Vaswani et al. 2017): x (N, T, C) or (T, C) -> the same shape.
class MultiHeadAttention : public Layer {
 public:
  /// Throws Error where a size is not positive, heads do not divide the features, or groups not the heads.
  MultiHeadAttention(std::int64_t features, std::int64_t heads, MultiHeadAttentionOptions options = {});
  Array operator()(const Array& x) const { return (*this)(x, AttentionInputs{}); }
  /// Throws Error where shapes do not fit.
  Array operator()(const Array& x, const AttentionInputs& inputs) const;
  /// The positions first, first + 1, ... of sequences, (N, T, C), after those in the cache, which takes theirs in.
  /// `first` is an integer scalar, perhaps traced. Each sees those before it and itself; positions from the cache's
  /// length on are lost.
  Array operator()(const Array& x, KeyValueCache& cache, const Array& first) const;
  /// An empty cache for `batch` sequences of at most `length` positions.
  KeyValueCache cache(std::int64_t batch, std::int64_t length) const;
  Options options() const;
  PELLUCID_MEMBERS(query, key, value, output, dropout)
  Linear query, key, value, output;  // C -> H D, C -> G D, C -> G D, H D -> C
  std::optional<Dropout> dropout;    // of the result, where asked for

 private:
  Array split(const Array& x, std::int64_t heads) const;
  Array finish(const Array& mixed) const;

  std::int64_t features_, heads_, groups_;
  MultiHeadAttentionOptions options_;
};

// ---- Transformer layers ---------------------------------------------------------------------------------------------

enum class FeedForwardActivation { kReLU, kGELU, kGELUTanh, kSiLU };

struct TransformerOptions {
  std::int64_t hidden = 0;  // of the feed-forward part; 0 for 4 C
  FeedForwardActivation activation = FeedForwardActivation::kGELU;
  /// Normalise what enters each part (Xiong et al. 2020); else the sum behind it (Vaswani et al. 2017).
  bool norm_first = true;
  bool causal = false;  // of the self-attention; always in a decoder layer
  double dropout = 0;   // of each part's result, in training
  std::int64_t groups = 0;
  bool bias = true;
  double epsilon = 1e-5;  // of the normalisations
  std::optional<double> rotary_base = {};
  init::Initializer weight_initializer = {};         // of linear layers
  init::Initializer output_weight_initializer = {};  // of those whose results are added to x
  DType dtype = float32;
};

/// x + attention(norm(x)), then x + feed_forward(norm(x)): (N, T, C) -> (N, T, C).
class TransformerEncoderLayer : public Layer {
 public:
  TransformerEncoderLayer(std::int64_t features, std::int64_t heads, TransformerOptions options = {});
  Array operator()(const Array& x) const { return (*this)(x, AttentionInputs{}); }
  /// With a mask or lengths of x; a memory is refused.
  Array operator()(const Array& x, const AttentionInputs& inputs) const;
  /// As MultiHeadAttention with a cache.
  Array operator()(const Array& x, KeyValueCache& cache, const Array& first) const;
  Options options() const;
  PELLUCID_MEMBERS(attention, norm1, norm2, expand, contract, dropout)
  MultiHeadAttention attention;
  LayerNorm norm1, norm2;
  Linear expand, contract;
  std::optional<Dropout> dropout;

 private:
  template <class F>
  Array run(const Array& x, const F& attend) const;
  TransformerOptions options_;
};

/// Causal self-attention, attention to a memory, and the feed-forward part: x (N, T, C), memory (N, S, C) -> (N, T, C).
class TransformerDecoderLayer : public Layer {
 public:
  TransformerDecoderLayer(std::int64_t features, std::int64_t heads, TransformerOptions options = {});
  /// `inputs` has the memory, and a mask or lengths of it.
  Array operator()(const Array& x, const AttentionInputs& inputs) const;
  Options options() const;
  PELLUCID_MEMBERS(attention, cross, norm1, norm2, norm3, expand, contract, dropout)
  MultiHeadAttention attention, cross;
  LayerNorm norm1, norm2, norm3;
  Linear expand, contract;
  std::optional<Dropout> dropout;

 private:
  TransformerOptions options_;
};

/// Layers one after the other; a normalisation behind the last where layers normalise first.
class TransformerEncoder : public Layer {
 public:
  TransformerEncoder(std::int64_t layers, std::int64_t features, std::int64_t heads, TransformerOptions options = {});
  Array operator()(const Array& x) const { return (*this)(x, AttentionInputs{}); }
  Array operator()(const Array& x, const AttentionInputs& inputs) const;
  Options options() const;
  PELLUCID_MEMBERS(layers, norm)
  std::vector<TransformerEncoderLayer> layers;
  std::optional<LayerNorm> norm;
};
class TransformerDecoder : public Layer {
 public:
  TransformerDecoder(std::int64_t layers, std::int64_t features, std::int64_t heads, TransformerOptions options = {});
  Array operator()(const Array& x, const AttentionInputs& inputs) const;
  Options options() const;
  PELLUCID_MEMBERS(layers, norm)
  std::vector<TransformerDecoderLayer> layers;
  std::optional<LayerNorm> norm;
};

}  // namespace pellucid::nn
