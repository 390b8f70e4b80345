// One step of training as one function: batch, forward, loss, gradients, update.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "pellucid/module.h"
#include "pellucid/train.h"

namespace pellucid::train {

/// A module's arrays, by what a step does with them.
struct Learned {
  explicit Learned(nn::Ref module);
  /// The module's parameters in its order.
  Arrays parameters(std::span<const Array> trainable) const;

  nn::Ref module;
  std::vector<bool> mask;          // of each parameter: is it trained
  std::vector<std::string> names;  // of those
  Arrays trainable, frozen, buffers;
};

/// What the steps of one training have in common.
///
/// The state of a step: (trainable..., optimiser's state..., buffers..., [step: int64], [position: int64]); its inputs:
/// (frozen..., x, y, [weights], [key], [order]); it returns the new state and the loss (float32 or float64).
struct StepSetup {
  loss::Loss loss;
  optim::Optimizer optimizer = optim::Adam{};
  Precision precision = Precision::kFloat32;
  std::int64_t examples = 0;
  bool weighted = false;
  bool random = false;    // layers draw keys: there is a key and a step counter
  bool gathered = false;  // steps take rows from position on, and move it: the first of the next epoch after the last
  bool shuffled = false;  // by order[position], ...
  bool allow_unused = false;
};

/// A step over `rows` examples; over all of them where nothing is gathered.
Compiled make_step(const Learned& learned, const StepSetup& setup, std::int64_t rows);

/// Calls module and loss once without computing anything, so that they can say what does not fit, and finds out whether
/// the module draws random numbers. Class indices in y are checked where the loss has some.
bool try_step(const Learned& learned, const StepSetup& setup, const Dataset& data, std::int64_t rows);
/// The same for the data of validation.
void try_evaluation(const Learned& learned, const loss::Loss& loss, const Dataset& data);

}  // namespace pellucid::train
