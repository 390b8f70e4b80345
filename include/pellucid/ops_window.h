// Convolution of pictures, signals and volumes. Channels are the last axis, in every function here:
//
//   x (n, spatial..., channels), w (kernel..., channels / groups, outputs) -> y (n, spatial'..., outputs)
//
// with one, two or three spatial axes. Layers with parameters stand in nn_convolution.h.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <utility>
#include <vector>

#include "pellucid/array.h"

namespace pellucid {

/// A number for each spatial axis; one number stands for every axis.
struct PerAxis {
  PerAxis(std::int64_t all) : values{all} {}  // NOLINT(google-explicit-constructor)
  PerAxis(std::initializer_list<std::int64_t> each) : values(each) {}
  PerAxis(std::vector<std::int64_t> each) : values(std::move(each)) {}  // NOLINT(google-explicit-constructor)
  std::vector<std::int64_t> values;
};

/// Zeros around a picture: as many before and after each axis, other numbers before and after, or `same`: as many as
/// make y's sizes x's divided by the stride, rounded up; where the number is odd, the extra one comes after.
struct Padding {
  Padding(std::int64_t all = 0) : low(all), high(all) {}  // NOLINT(google-explicit-constructor)
  Padding(std::initializer_list<std::int64_t> each) : low(each), high(each) {}
  Padding(PerAxis each) : low(each), high(each) {}  // NOLINT(google-explicit-constructor)
  Padding(PerAxis before, PerAxis after) : low(std::move(before)), high(std::move(after)) {}
  static Padding same() {
    Padding padding;
    padding.is_same = true;
    return padding;
  }
  PerAxis low, high;
  bool is_same = false;
};

struct ConvolveOptions {
  PerAxis stride = 1;
  Padding padding = {};
  PerAxis dilation = 1;
  std::int64_t groups = 1;
};
/// y(n, p, o) = sum over t, c of x(n, p * stride + t * dilation - low, c) w(t, c, o), c in o's group: the
/// cross-correlation that deep learning calls convolution. x (n, s..., channels), w (k..., channels / groups, outputs);
/// sizes become (s + low + high - dilation (k - 1) - 1) / stride + 1. Channels and outputs are cut into `groups` runs,
/// each of which sees its own; groups = channels is the depthwise convolution. Integers are converted to float32;
/// bfloat16 accumulates in float32. n may be 0. Throws Error where the ranks, channels or groups do not fit, the kernel
/// is larger than the padded picture, a stride or dilation is less than 1, or a padding is negative.
Array convolve(const Array& x, const Array& w, const ConvolveOptions& options = {});

struct ConvolveTransposeOptions {
  PerAxis stride = 1;
  PerAxis padding = 0;  // of the convolution whose transpose this is: it takes away from the result
  PerAxis output_padding = 0;
  PerAxis dilation = 1;
  std::int64_t groups = 1;
};
/// The transpose of `convolve` with the same w and options, also called deconvolution: x (n, s..., outputs), w (k...,
/// channels / groups, outputs) -> (n, s'..., channels), s' = (s - 1) stride - 2 padding + dilation (k - 1) +
/// output_padding + 1. Throws Error as `convolve` does, where a size of the result is not positive, and where
/// output_padding is not less than the stride or the dilation.
Array convolve_transpose(const Array& x, const Array& w, const ConvolveTransposeOptions& options = {});

/// What lies beyond the border of a picture that is padded.
enum class PadMode {
  kZeros,
  kReflect,    // x1 x2 | x0 x1 x2 ...: mirrored without the border itself
  kReplicate,  // x0 x0 | x0 x1 x2 ...
  kCircular,   // x8 x9 | x0 x1 x2 ... x9
};
/// x (n, s..., channels) with low and high elements more at both ends of every spatial axis. Throws Error where a
/// number is negative, or more than the mode has: s - 1 for kReflect, s for kCircular, and 0 where an axis is empty.
Array pad_spatial(const Array& x, const PerAxis& low, const PerAxis& high, PadMode mode);

}  // namespace pellucid
