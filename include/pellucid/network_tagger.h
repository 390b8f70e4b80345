// A network that gives every word of a sentence a tag.
#pragma once

#include "pellucid/nn_sequence.h"

namespace pellucid::nn {

struct TaggerOptions {
  std::int64_t vocabulary = 0;  // different words
  std::int64_t tags = 0;        // different tags
  std::int64_t features = 100;  // of an embedding
  std::int64_t hidden = 128;    // of each direction
  std::int64_t layers = 1;
  double dropout = 0.1;  // of the embeddings, between recurrent layers, and of their outputs
  /// The word that fills sentences up: its embedding is zero and stays so.
  std::optional<std::int64_t> padding_index = {};
};
/// Embeddings, an LSTM in both directions, a linear layer at each word (Huang et al. 2015, without their last layer):
/// words (N, T) -> logits (N, T, tags). With lengths (N), words past a sentence's end have no influence on the others,
/// and their own logits mean nothing: leave them out of the loss by CrossEntropy{.ignored_index = ...} or by weights.
class Tagger : public Module {
 public:
  /// Throws Error where a size is not positive.
  explicit Tagger(const TaggerOptions& options);
  Array operator()(const Array& words) const { return (*this)(words, Array()); }
  /// Throws Error where words or lengths do not fit, naming the layer.
  Array operator()(const Array& words, const Array& lengths) const;
  /// The likeliest tag of each word: (N, T), int64.
  Array tags(const Array& words, const Array& lengths = {}) const;
  PELLUCID_MEMBERS(embedding, dropout, recurrent, head)
  Embedding embedding;
  Dropout dropout;
  LSTM recurrent;
  Linear head;
};

}  // namespace pellucid::nn
