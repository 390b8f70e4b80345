// Pooling: what a window sees as it moves over one, two or three spatial axes of a picture.
//
// Shapes are (..., spatial..., channels): channels last, and whatever stands before the spatial axes is a batch, or
// nothing. As many spatial axes as the kernel has sizes.
#pragma once

#include <cstdint>
#include <vector>

#include "pellucid/array.h"

namespace pellucid {

/// How a window moves. Along an axis, output o looks at the positions o * stride - padding + k * dilation, k < kernel.
struct Window {
  Shape kernel;                   // a size for each spatial axis, 1 to 3 of them
  Shape stride = {};              // as the kernel where left out
  Shape padding = {};             // before and after each axis; 0 where left out
  Shape dilation = {};            // 1 where left out
  bool ceil_mode = false;         // a last window that hangs over the end counts too, if it begins inside
  bool count_include_pad = true;  // average_pool divides by the kernel's size also where it reaches into padding
};

/// The greatest element under each window; padding never wins, NaN does. The first of equal ones receives the gradient.
/// Throws Error where the sizes do not fit: kernel larger than the padded picture, stride 0, padding negative or more
/// than half the kernel.
Array max_pool(const Array& x, const Window& window);

/// The mean under each window; padding counts as zeros. Integers give float32.
Array average_pool(const Array& x, const Window& window);

/// As max_pool and average_pool, with windows such that the result has the given spatial sizes: output o looks at the
/// positions floor(o in / out) to ceil((o + 1) in / out) - 1.
Array adaptive_max_pool(const Array& x, const Shape& size);
/// The same with the mean.
Array adaptive_average_pool(const Array& x, const Shape& size);

/// Over all positions of the last `axes` spatial axes: (..., spatial..., channels) -> (..., channels).
Array global_max_pool(const Array& x, int axes = 2);
/// The mean over all positions of the last `axes` spatial axes: (..., spatial..., channels) -> (..., channels).
Array global_average_pool(const Array& x, int axes = 2);

}  // namespace pellucid
