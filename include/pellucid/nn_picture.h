// Layers for pictures beside convolution (nn_convolution.h) and normalisation (nn_normalization.h): pooling, padding,
// resizing, gates, and dropout of whole channels or branches.
//
// Pictures are (n, spatial..., channels); with channels_first they come and go as (n, channels, spatial...), by a
// permutation at the door.
#pragma once

#include "pellucid/nn.h"
#include "pellucid/nn_normalization.h"  // IWYU pragma: export
#include "pellucid/ops_pool.h"
#include "pellucid/ops_window.h"

namespace pellucid::nn {

// ---- Pooling --------------------------------------------------------------------------------------------------------

struct PoolOptions {
  std::optional<PerAxis> stride = {};  // the kernel where left out
  PerAxis padding = 0;
  PerAxis dilation = 1;  // MaxPool alone
  bool ceil_mode = false;
  bool count_include_pad = true;  // AvgPool alone
  bool channels_first = false;
};

enum class PoolKind { kMax, kAverage };

/// pellucid::max_pool or average_pool.
template <PoolKind kKind, int kAxes>
class Pool : public Layer {
 public:
  /// Throws Error where a size is not positive, padding is negative, or a list has not kAxes entries.
  explicit Pool(PerAxis kernel, PoolOptions options = {});
  /// Throws Error where x does not fit, or the kernel is larger than the padded picture.
  Array operator()(const Array& x) const;
  Options options() const;
  static constexpr std::string_view type_name() {
    constexpr bool kMax = kKind == PoolKind::kMax;
    return kAxes == 1   ? (kMax ? "MaxPool1d" : "AvgPool1d")
           : kAxes == 2 ? (kMax ? "MaxPool2d" : "AvgPool2d")
                        : (kMax ? "MaxPool3d" : "AvgPool3d");
  }
  void visit_members(Visitor&) {}

 private:
  Window window_;
  bool channels_first_;
};
using MaxPool1d = Pool<PoolKind::kMax, 1>;
using MaxPool2d = Pool<PoolKind::kMax, 2>;
using MaxPool3d = Pool<PoolKind::kMax, 3>;
using AvgPool1d = Pool<PoolKind::kAverage, 1>;
using AvgPool2d = Pool<PoolKind::kAverage, 2>;
using AvgPool3d = Pool<PoolKind::kAverage, 3>;

/// pellucid::adaptive_max_pool or adaptive_average_pool: a result of the given spatial sizes.
template <PoolKind kKind, int kAxes>
class AdaptivePool : public Layer {
 public:
  explicit AdaptivePool(PerAxis size, bool channels_first = false);
  Array operator()(const Array& x) const;
  Options options() const { return {{"size", size_}, {"channels_first", channels_first_}}; }
  static constexpr std::string_view type_name() {
    constexpr bool kMax = kKind == PoolKind::kMax;
    return kAxes == 1   ? (kMax ? "AdaptiveMaxPool1d" : "AdaptiveAvgPool1d")
           : kAxes == 2 ? (kMax ? "AdaptiveMaxPool2d" : "AdaptiveAvgPool2d")
                        : (kMax ? "AdaptiveMaxPool3d" : "AdaptiveAvgPool3d");
  }
  void visit_members(Visitor&) {}

 private:
  Shape size_;
  bool channels_first_;
};
using AdaptiveMaxPool1d = AdaptivePool<PoolKind::kMax, 1>;
using AdaptiveMaxPool2d = AdaptivePool<PoolKind::kMax, 2>;
using AdaptiveMaxPool3d = AdaptivePool<PoolKind::kMax, 3>;
using AdaptiveAvgPool1d = AdaptivePool<PoolKind::kAverage, 1>;
using AdaptiveAvgPool2d = AdaptivePool<PoolKind::kAverage, 2>;
using AdaptiveAvgPool3d = AdaptivePool<PoolKind::kAverage, 3>;

/// The mean over all positions: (n, spatial..., channels) -> (n, channels).
class GlobalAvgPool : public Layer {
 public:
  explicit GlobalAvgPool(bool channels_first = false) : channels_first_(channels_first) {}
  Array operator()(const Array& x) const;
  Options options() const { return {{"channels_first", channels_first_}}; }
  void visit_members(Visitor&) {}

 private:
  bool channels_first_;
};

// ---- Padding and resizing -------------------------------------------------------------------------------------------

struct PadOptions {
  PadMode mode = PadMode::kZeros;
  double value = 0;  // what kZeros pads with
  bool channels_first = false;
};
/// Elements more before and after each spatial axis.
template <int kAxes>
class Pad : public Layer {
 public:
  /// Throws Error for a negative width, and in a call where the mode has fewer elements than that.
  explicit Pad(PerAxis both, PadOptions options = {}) : Pad(both, both, options) {}
  Pad(PerAxis low, PerAxis high, PadOptions options = {});
  Array operator()(const Array& x) const;
  Options options() const;
  static constexpr std::string_view type_name() { return kAxes == 1 ? "Pad1d" : kAxes == 2 ? "Pad2d" : "Pad3d"; }
  void visit_members(Visitor&) {}

 private:
  Shape low_, high_;
  PadOptions options_;
};
using Pad1d = Pad<1>;
using Pad2d = Pad<2>;
using Pad3d = Pad<3>;

enum class ResizeMode { kNearest, kLinear };
struct UpsampleOptions {
  ResizeMode mode = ResizeMode::kNearest;
  bool align_corners = false;  // kLinear: the first and the last positions of x and the result fall together
  bool channels_first = false;
};
/// x (n, spatial..., channels) at the spatial sizes `size`, one to three. kNearest: position floor(o in / out).
/// kLinear: linear along each axis (bilinear for two) between the positions around (o + 1/2) in / out - 1/2, or with
/// align_corners o (in - 1) / (out - 1). Throws Error where sizes are not positive or their number does not fit.
Array resize(const Array& x, const Shape& size, ResizeMode mode = ResizeMode::kNearest, bool align_corners = false);

/// resize() to the sizes of x times a factor.
class Upsample : public Layer {
 public:
  /// Throws Error where a factor is not positive.
  explicit Upsample(PerAxis scale, UpsampleOptions options = {});
  Array operator()(const Array& x) const;
  Options options() const;
  void visit_members(Visitor&) {}

 private:
  Shape scale_;
  UpsampleOptions options_;
};

/// (n, h, w, c r^2) -> (n, h r, w r, c): channel c r^2 + i r + j becomes position (i, j) of a block (Shi et al. 2016).
class PixelShuffle : public Layer {
 public:
  explicit PixelShuffle(std::int64_t factor, bool channels_first = false);
  /// Throws Error where r^2 does not divide the channels.
  Array operator()(const Array& x) const;
  Options options() const { return {{"factor", factor_}, {"channels_first", channels_first_}}; }
  void visit_members(Visitor&) {}

 private:
  std::int64_t factor_;
  bool channels_first_;
};
/// Its inverse: (n, h r, w r, c) -> (n, h, w, c r^2).
class PixelUnshuffle : public Layer {
 public:
  explicit PixelUnshuffle(std::int64_t factor, bool channels_first = false);
  /// Throws Error where r does not divide height and width.
  Array operator()(const Array& x) const;
  Options options() const { return {{"factor", factor_}, {"channels_first", channels_first_}}; }
  void visit_members(Visitor&) {}

 private:
  std::int64_t factor_;
  bool channels_first_;
};

// ---- Dropout --------------------------------------------------------------------------------------------------------

/// In training, each channel of each example is zero with probability p, as a whole, and the others are divided by 1 -
/// p (Tompson et al. 2015). Throws Error unless 0 <= p < 1, and in training where no Context gives a key.
template <int kAxes>
class DropoutChannels : public Layer {
 public:
  explicit DropoutChannels(double p = 0.5, bool channels_first = false);
  Array operator()(const Array& x) const;
  Options options() const { return {{"p", p_}, {"channels_first", channels_first_}}; }
  static constexpr std::string_view type_name() {
    return kAxes == 1 ? "Dropout1d" : kAxes == 2 ? "Dropout2d" : "Dropout3d";
  }
  void visit_members(Visitor&) {}

 private:
  double p_;
  bool channels_first_;
};
using Dropout1d = DropoutChannels<1>;
using Dropout2d = DropoutChannels<2>;
using Dropout3d = DropoutChannels<3>;

/// In training, each example is zero as a whole with probability p, and the others are divided by 1 - p: at the end of
/// a residual branch (Huang et al. 2016). Throws Error as DropoutChannels does.
class StochasticDepth : public Layer {
 public:
  explicit StochasticDepth(double p);
  Array operator()(const Array& x) const;
  Options options() const { return {{"p", p_}}; }
  void visit_members(Visitor&) {}

 private:
  double p_;
};

// ---- Gates ----------------------------------------------------------------------------------------------------------

/// a sigmoid(b), a and b being the halves of x along an axis (Dauphin et al. 2017).
class GLU : public Layer {
 public:
  explicit GLU(int axis = -1) : axis_(axis) {}
  /// Throws Error where the axis is not even.
  Array operator()(const Array& x) const;
  Options options() const { return {{"axis", std::int64_t{axis_}}}; }
  void visit_members(Visitor&) {}

 private:
  int axis_;
};

/// (silu(x gate) * (x up)) down: (..., features) -> (..., features), without biases (Shazeer 2020).
class SwiGLU : public Layer {
 public:
  SwiGLU(std::int64_t features, std::int64_t hidden);
  Array operator()(const Array& x) const;
  Options options() const;
  PELLUCID_MEMBERS(gate, up, down)
  Linear gate, up, down;
};

/// x times a number for each channel: sigmoid(expand(relu(reduce(mean over positions)))) (Hu et al. 2018).
class SqueezeExcite : public Layer {
 public:
  SqueezeExcite(std::int64_t channels, std::int64_t squeezed, bool channels_first = false);
  Array operator()(const Array& x) const;
  Options options() const;
  PELLUCID_MEMBERS(reduce, expand)
  Linear reduce, expand;

 private:
  bool channels_first_;
};

extern template class Pool<PoolKind::kMax, 1>;
extern template class Pool<PoolKind::kMax, 2>;
extern template class Pool<PoolKind::kMax, 3>;
extern template class Pool<PoolKind::kAverage, 1>;
extern template class Pool<PoolKind::kAverage, 2>;
extern template class Pool<PoolKind::kAverage, 3>;
extern template class AdaptivePool<PoolKind::kMax, 1>;
extern template class AdaptivePool<PoolKind::kMax, 2>;
extern template class AdaptivePool<PoolKind::kMax, 3>;
extern template class AdaptivePool<PoolKind::kAverage, 1>;
extern template class AdaptivePool<PoolKind::kAverage, 2>;
extern template class AdaptivePool<PoolKind::kAverage, 3>;
extern template class Pad<1>;
extern template class Pad<2>;
extern template class Pad<3>;
extern template class DropoutChannels<1>;
extern template class DropoutChannels<2>;
extern template class DropoutChannels<3>;

}  // namespace pellucid::nn
