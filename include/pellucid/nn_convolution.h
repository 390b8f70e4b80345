// Layers that convolve: Conv1d, Conv2d, Conv3d and their transposes. Pictures are (n, spatial..., channels); with
// channels_first they come and go as (n, channels, spatial...), by a permutation at the door.
#pragma once

#include "pellucid/nn.h"
#include "pellucid/ops_window.h"

namespace pellucid::nn {

struct ConvOptions {
  PerAxis stride = 1;
  Padding padding = {};  // Padding::same() too
  PerAxis dilation = 1;
  std::int64_t groups = 1;  // as many as input channels: depthwise
  bool bias = true;
  PadMode padding_mode = PadMode::kZeros;
  bool channels_first = false;
  /// Uniform in +-1 / sqrt(fan in) where not given (He et al. 2015 with a = sqrt(5), the default of PyTorch); fan in is
  /// channels / groups times the kernel's elements. The bias likewise.
  init::Initializer weight_initializer = {};
  init::Initializer bias_initializer = {};
  DType dtype = float32;
};
/// pellucid::convolve with a kernel that is learned, plus bias: (n, s..., inputs) -> (n, s'..., outputs). weight:
/// (kernel..., inputs / groups, outputs), bias: (outputs).
template <int kAxes>
class Conv : public Layer {
 public:
  /// Throws Error where a size is not positive, groups do not divide, or a list has not kAxes entries.
  Conv(std::int64_t inputs, std::int64_t outputs, PerAxis kernel, ConvOptions options = {});
  /// Throws Error where x does not fit, or the kernel is larger than the padded picture.
  Array operator()(const Array& x) const;
  Options options() const;
  static constexpr std::string_view type_name() { return kAxes == 1 ? "Conv1d" : kAxes == 2 ? "Conv2d" : "Conv3d"; }
  PELLUCID_MEMBERS(weight, bias)
  Parameter weight, bias;

 private:
  std::int64_t inputs_;
  ConvolveOptions convolve_;
  PadMode mode_;
  bool channels_first_;
};
using Conv1d = Conv<1>;
using Conv2d = Conv<2>;
using Conv3d = Conv<3>;

struct ConvTransposeOptions {
  PerAxis stride = 1;
  PerAxis padding = 0;
  PerAxis output_padding = 0;  // elements more after each axis
  PerAxis dilation = 1;
  std::int64_t groups = 1;
  bool bias = true;
  bool channels_first = false;
  init::Initializer weight_initializer = {};  // as of Conv; fan in is outputs / groups times the kernel's elements
  init::Initializer bias_initializer = {};
  DType dtype = float32;
};
/// pellucid::convolve_transpose with a kernel that is learned, plus bias: (n, s..., inputs) -> (n, s'..., outputs), s'
/// = (s - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1. weight: (kernel..., outputs / groups,
/// inputs), bias: (outputs).
template <int kAxes>
class ConvTranspose : public Layer {
 public:
  /// Throws Error as Conv does.
  ConvTranspose(std::int64_t inputs, std::int64_t outputs, PerAxis kernel, ConvTransposeOptions options = {});
  Array operator()(const Array& x) const;
  Options options() const;
  static constexpr std::string_view type_name() {
    return kAxes == 1 ? "ConvTranspose1d" : kAxes == 2 ? "ConvTranspose2d" : "ConvTranspose3d";
  }
  PELLUCID_MEMBERS(weight, bias)
  Parameter weight, bias;

 private:
  std::int64_t outputs_;
  ConvolveTransposeOptions convolve_;
  bool channels_first_;
};
using ConvTranspose1d = ConvTranspose<1>;
using ConvTranspose2d = ConvTranspose<2>;
using ConvTranspose3d = ConvTranspose<3>;

extern template class Conv<1>;
extern template class Conv<2>;
extern template class Conv<3>;
extern template class ConvTranspose<1>;
extern template class ConvTranspose<2>;
extern template class ConvTranspose<3>;

}  // namespace pellucid::nn
