// A module's outputs for many rows, by compiled plans in evaluation.
#pragma once

#include <vector>

#include "pellucid/module.h"
#include "pellucid/precision.h"
#include "pellucid/train.h"

namespace pellucid::train {

class Predictor {
 public:
  /// The module must outlive it. With `side_by_side` above 1, up to so many threads run batches at the same time, each
  /// by a plan with memory of its own, where there are enough of them: what one step leaves in a core's cache is then
  /// read by that core, and steps too small to be shared out are not waited for.
  Predictor(nn::Ref module, std::int64_t batch_size, int side_by_side = 1);
  /// The outputs for all rows of x, with these parameters and buffers, of the same shapes in each call. Plans are kept
  /// from call to call.
  Array operator()(const Arrays& parameters, const Arrays& buffers, const Array& x);

 private:
  std::int64_t ready_for(const Array& x);
  Array run(std::size_t plan, const Arrays& parameters, const Arrays& buffers, const Array& x, std::int64_t at);

  std::int64_t batch_size_;
  std::vector<Compiled> plans_;
  struct Signature {
    Shape row;
    DType dtype = DType::kFloat32;
    Precision precision = Precision::kFloat32;
    bool operator==(const Signature&) const = default;
  };
  Signature traced_;  // of the batches that the first `ready_` plans were traced for
  std::int64_t ready_ = 0;
};

/// Metrics of predictions, under their names.
std::vector<double> compute(const std::vector<Metric>& metrics, const Array& prediction, const Dataset& data);
/// The loss of predictions as a number. Throws where it is not a scalar.
double compute(const loss::Loss& loss, const Array& prediction, const Dataset& data);

}  // namespace pellucid::train
