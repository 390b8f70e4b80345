// What layers of normalisation share.
#pragma once

#include "pellucid/nn.h"

namespace pellucid::nn {

/// True where the layer is to behave as in training.
bool trains(const Layer& layer);

/// Throws unless all sizes are positive, there is one, and so is epsilon.
void check_normalisation(std::string_view type, const Shape& shape, double epsilon);
void check_momentum(std::string_view type, double momentum);

/// y * weight + bias where there is a weight.
Array affine(Array y, const Parameter& weight, const Parameter& bias);

/// Batch normalisation of x over all axes but the last; replaces the running statistics in training.
Array batch_normalized(const Call& call, const Layer& layer, const Array& x, const Parameter& weight,
                       const Parameter& bias, const Buffer& running_mean, const Buffer& running_variance,
                       double momentum, double epsilon);

/// While one exists, every batch normalisation on this thread that evaluates writes down what it is given.
class NormRecord {
 public:
  struct Entry {
    const Layer* layer;
    Array x;
    double epsilon;
  };
  NormRecord();
  ~NormRecord();
  NormRecord(const NormRecord&) = delete;
  NormRecord& operator=(const NormRecord&) = delete;
  static void add(const Layer& layer, const Array& x, double epsilon);
  std::vector<Entry> calls;

 private:
  NormRecord* outer_;
};

/// Leaves a batch normalisation without arrays, as fold_batch_norm does where the setting `folded` is there.
template <class Norm>
Norm perhaps_folded(Norm norm, bool folded) {
  if (folded) norm.weight.value = norm.bias.value = norm.running_mean.value = norm.running_variance.value = {};
  return norm;
}

/// (n, channels, spatial...) to (n, spatial..., channels), and back.
inline Array channels_to_last(const Array& x) { return moveaxis(x, 1, -1); }
inline Array channels_to_first(const Array& x) { return moveaxis(x, -1, 1); }

}  // namespace pellucid::nn
