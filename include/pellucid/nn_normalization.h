// Layers that normalise pictures, and layers whose weights are normalised. BatchNorm1d and LayerNorm are in nn.h.
//
// Pictures are (n, spatial..., channels); with channels_first they come and go as (n, channels, spatial...), by a
// permutation at the door.
#pragma once

#include "pellucid/nn.h"

namespace pellucid::nn {

struct PictureNormOptions {
  double momentum = 0.1;  // running = (1 - momentum) running + momentum batch
  double epsilon = 1e-5;
  bool affine = true;
  bool channels_first = false;
  DType dtype = float32;
};
/// BatchNorm1d for pictures: each channel over the batch and all positions (Ioffe and Szegedy 2015). With channels last
/// it does what BatchNorm1d does, and checks the rank. fold_batch_norm() joins it with the convolution before it.
template <int kAxes>
class BatchNorm : public Layer {
 public:
  /// Throws Error where features or epsilon are not positive, or momentum is not between 0 and 1.
  explicit BatchNorm(std::int64_t features, PictureNormOptions options = {});
  /// Throws Error where x does not fit, and in training where a channel has less than two values.
  Array operator()(const Array& x) const;
  Options options() const;
  static constexpr std::string_view type_name() { return kAxes == 2 ? "BatchNorm2d" : "BatchNorm3d"; }
  PELLUCID_MEMBERS(weight, bias, running_mean, running_variance)
  Parameter weight, bias;                 // (features); undefined where not affine
  Buffer running_mean, running_variance;  // (features); 0 and 1 at first

 private:
  std::int64_t features_;
  PictureNormOptions options_;
};
using BatchNorm2d = BatchNorm<2>;
using BatchNorm3d = BatchNorm<3>;
extern template class BatchNorm<2>;
extern template class BatchNorm<3>;

struct GroupNormOptions {
  double epsilon = 1e-5;
  bool affine = true;
  bool channels_first = false;
  DType dtype = float32;
};
/// Mean and (biased) variance of each example over all positions and the channels of one group (Wu and He 2018):
/// (n, spatial..., channels), one spatial axis or more.
class GroupNorm : public Layer {
 public:
  /// Throws Error where groups do not divide channels.
  GroupNorm(std::int64_t groups, std::int64_t channels, GroupNormOptions options = {});
  Array operator()(const Array& x) const;
  Options options() const;
  PELLUCID_MEMBERS(weight, bias)
  Parameter weight, bias;  // (channels); undefined where not affine

 private:
  std::int64_t groups_, channels_;
  GroupNormOptions options_;
};

struct InstanceNormOptions {
  double epsilon = 1e-5;
  bool affine = false;
  bool channels_first = false;
  DType dtype = float32;
};
/// Mean and (biased) variance of each channel of each example over all positions (Ulyanov et al. 2016), for one, two or
/// three spatial axes alike.
class InstanceNorm : public Layer {
 public:
  explicit InstanceNorm(std::int64_t channels, InstanceNormOptions options = {});
  Array operator()(const Array& x) const;
  Options options() const;
  PELLUCID_MEMBERS(weight, bias)
  Parameter weight, bias;  // (channels); undefined where not affine

 private:
  std::int64_t channels_;
  InstanceNormOptions options_;
};

struct RMSNormOptions {
  double epsilon = 1e-6;
  bool affine = true;
  DType dtype = float32;
};
/// x / sqrt(mean(x^2) + epsilon) * weight over the last axes, which have the sizes `shape` (Zhang and Sennrich 2019).
class RMSNorm : public Layer {
 public:
  explicit RMSNorm(Shape shape, RMSNormOptions options = {});
  explicit RMSNorm(std::int64_t features, RMSNormOptions options = {}) : RMSNorm(Shape{features}, options) {}
  Array operator()(const Array& x) const;
  Options options() const;
  PELLUCID_MEMBERS(weight)
  Parameter weight;  // of the shape `shape`; undefined where not affine

 private:
  Shape shape_;
  RMSNormOptions options_;
};

// ---- Layers whose weight is normalised ------------------------------------------------------------------------------

/// A layer with a parameter `weight` (..., outputs), used as magnitude * weight / |weight|, the norm taken over all
/// axes but the last (Salimans and Kingma 2016). The magnitude starts as the norm, so the layer starts unchanged.
class WeightNorm : public Layer {
 public:
  /// Throws Error where the layer has no weight of two axes or more.
  explicit WeightNorm(AnyLayer layer);
  Array operator()(const Array& x) const;
  /// Draws as the layer does; the magnitude becomes the norm again.
  void initialize(const random::Key& key);
  PELLUCID_MEMBERS(layer, magnitude)
  AnyLayer layer;
  Parameter magnitude;  // (outputs)
};

/// A layer with a parameter `weight` (..., outputs), divided by its largest singular value as a matrix (all other axes,
/// outputs), which power iterations estimate (Miyato et al. 2018): `iterations` of them in each call in training, none
/// in evaluation. No derivative flows through the iterations.
class SpectralNorm : public Layer {
 public:
  /// Throws Error where the layer has no weight of two axes or more, or iterations are less than 1.
  explicit SpectralNorm(AnyLayer layer, std::int64_t iterations = 1, double epsilon = 1e-12);
  Array operator()(const Array& x) const;
  Options options() const { return {{"iterations", iterations_}, {"epsilon", epsilon_}}; }
  PELLUCID_MEMBERS(layer, left, right)
  AnyLayer layer;
  Buffer left, right;  // unit vectors (all other axes), (outputs)

 private:
  std::int64_t iterations_;
  double epsilon_;
};

// ---- Folding --------------------------------------------------------------------------------------------------------

/// Joins every BatchNorm whose input is what a Conv or Linear layer gave, and nothing else reads, with that layer: the
/// weight becomes weight * scale and the bias bias * scale + shift (there is one afterwards), as evaluation would
/// compute them; the BatchNorm then passes x on and throws Error in training. `x` is an example input, with which the
/// network is traced once in evaluation; nothing is computed with it. Returns how many were joined.
int fold_batch_norm(Ref network, const Array& x);

}  // namespace pellucid::nn
