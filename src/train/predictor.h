// A module's outputs for many rows, by one compiled plan in evaluation.
#pragma once

#include "pellucid/module.h"
#include "pellucid/train.h"

namespace pellucid::train {

class Predictor {
 public:
  /// The module must outlive it.
  Predictor(nn::Ref module, std::int64_t batch_size);
  /// The outputs for all rows of x, with these parameters and buffers.
  Array operator()(const Arrays& parameters, const Arrays& buffers, const Array& x);

 private:
  std::int64_t batch_size_;
  Compiled run_;
};

/// Metrics of predictions, under their names.
std::vector<double> compute(const std::vector<Metric>& metrics, const Array& prediction, const Dataset& data);
/// The loss of predictions as a number. Throws where it is not a scalar.
double compute(const loss::Loss& loss, const Array& prediction, const Dataset& data);

}  // namespace pellucid::train
