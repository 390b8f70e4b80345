// Losses of sequences against sequences of another length.
#pragma once

#include <string_view>

#include "pellucid/loss.h"

namespace pellucid::loss {

/// Connectionist temporal classification (Graves et al. 2006): -log of the probability that a sequence of labels is
/// read off the steps, where each step says one class, repeated classes count once and blanks not at all. One number
/// for each example.
///
/// prediction: logits (N, T, classes), or log(probabilities), which log_softmax leaves as they are. target: labels
/// (N, S), integers, none of them `blank`. Example n has its first input_lengths[n] steps and its first
/// target_lengths[n] labels; undefined: all T, all S. Labels and steps beyond that may be anything.
///
/// An example whose labels do not fit into its steps has an infinite loss; with `zero_infinity` it has loss 0 and no
/// gradient. As in PyTorch kMean divides each example's loss by its number of labels (at least 1) before it takes the
/// mean; with weights it then is their weighted mean.
///
/// Throws Error where shapes do not fit, and where values that are there are out of range. Made of a scan over time in
/// logarithms, so it can be differentiated as often as asked and batched.
struct CTC {
  std::int64_t blank = 0;
  bool zero_infinity = false;
  Reduction reduction = Reduction::kMean;
  static constexpr std::string_view kName = "ctc";

  /// All steps, all labels.
  Array operator()(const Array& prediction, const Array& target, const Array& weights = {}) const {
    return of(prediction, target, {}, weights);
  }
  struct Lengths {
    Array inputs = {}, targets = {};  // (N), integers
  };
  Array of(const Array& prediction, const Array& target, const Lengths& lengths, const Array& weights = {}) const;
};

inline const CTC ctc{};

}  // namespace pellucid::loss
