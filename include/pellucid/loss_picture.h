// Losses for pictures that are cut into regions. In the style of loss.h.
#pragma once

#include "pellucid/loss.h"

namespace pellucid::loss {

/// 1 - (2 sum(p t) + smooth) / (sum(p) + sum(t) + smooth), the sums over all positions, for each example and class
/// (Milletari et al. 2016): how little prediction and target overlap. prediction and target (n, spatial..., classes);
/// the prediction is a probability, or with from_logits its logit, of which the sigmoid is taken; targets are 0 or 1,
/// or in between. One number for each example and class: (n, classes). Throws Error where the shapes differ or have
/// less than three axes, and unless smooth >= 0.
struct Dice {
  double smooth = 1;
  bool from_logits = false;
  Reduction reduction = Reduction::kMean;
  static constexpr std::string_view kName = "dice";
  Array operator()(const Array& prediction, const Array& target, const Array& weights = {}) const;
};
inline const Dice dice{};

}  // namespace pellucid::loss
