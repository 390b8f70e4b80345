// The tagger of words.
#include "pellucid/network_tagger.h"

namespace pellucid::nn {

Tagger::Tagger(const TaggerOptions& options)
    : embedding(options.vocabulary, options.features, {.padding_index = options.padding_index}),
      dropout(options.dropout),
      recurrent(options.features, options.hidden,
                {.layers = options.layers, .bidirectional = true, .dropout = options.dropout}),
      head(2 * options.hidden, options.tags) {}

Array Tagger::operator()(const Array& words, const Array& lengths) const {
  const Array x = dropout(embedding(words));
  return head(dropout(recurrent(x, {.lengths = lengths}).outputs));
}

Array Tagger::tags(const Array& words, const Array& lengths) const {
  const Context evaluation = Context::evaluation();
  return argmax((*this)(words, lengths), -1);
}

}  // namespace pellucid::nn
