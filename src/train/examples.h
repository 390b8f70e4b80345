// What training is given: checks of data and options, held-out rows, weights of classes.
#pragma once

#include <string_view>

#include "pellucid/train.h"

namespace pellucid::train {

/// Throws where there are no examples, sizes differ, or a number is NaN, infinite, or a negative weight.
void check_examples(std::string_view what, const Dataset& data);
/// Throws where an option is out of its range or options contradict each other.
void check_options(const FitOptions& options);

struct Parts {
  Dataset training, validation;  // validation.x is undefined where there is none
};
/// Checks both, splits, and multiplies class weights into those of the training examples.
Parts prepare(const Dataset& data, const FitOptions& options);

}  // namespace pellucid::train
