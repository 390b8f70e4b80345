// What the files of the convolution share: sizes, and where a tap of the kernel lies.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>

#include "kernels/convolve.h"

namespace pellucid::kernels {

using Position = std::array<std::int64_t, 3>;

/// Position number i, row-major, of a box.
inline Position position(const Position& box, std::int64_t i) {
  return {i / (box[1] * box[2]), i / box[2] % box[1], i % box[2]};
}

/// Sizes that follow from a shape.
struct ConvolveSizes {
  explicit ConvolveSizes(const ConvolveShape& shape)
      : s(shape),
        in_pixels(shape.in[0] * shape.in[1] * shape.in[2]),
        out_pixels(shape.out[0] * shape.out[1] * shape.out[2]),
        taps(shape.kernel[0] * shape.kernel[1] * shape.kernel[2]),
        group_channels(shape.channels / shape.groups),
        group_outputs(shape.outputs / shape.groups) {}

  /// The pixel of x that a tap of the kernel meets at an output position; -1 outside of the picture.
  std::int64_t input_pixel(const Position& out, const Position& tap) const {
    std::int64_t pixel = 0;
    for (std::size_t d = 0; d < 3; ++d) {
      const std::int64_t at = out[d] * s.stride[d] + tap[d] * s.dilation[d] - s.low[d];
      if (at < 0 || at >= s.in[d]) return -1;
      pixel = pixel * s.in[d] + at;
    }
    return pixel;
  }
  /// The pixel of y whose tap meets a position of x; -1 where there is none.
  std::int64_t output_pixel(const Position& in, const Position& tap) const {
    std::int64_t pixel = 0;
    for (std::size_t d = 0; d < 3; ++d) {
      const std::int64_t from = in[d] + s.low[d] - tap[d] * s.dilation[d];
      if (from < 0 || from % s.stride[d] != 0 || from / s.stride[d] >= s.out[d]) return -1;
      pixel = pixel * s.out[d] + from / s.stride[d];
    }
    return pixel;
  }

  ConvolveShape s;
  std::int64_t in_pixels, out_pixels, taps, group_channels, group_outputs;
};

/// The definition, without vectors.
std::shared_ptr<const Convolve::Way> plain_convolution(const ConvolveShape& shape, ConvolveKind kind);

}  // namespace pellucid::kernels
