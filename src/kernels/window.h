// Windows that move over up to three axes of a picture, channels last: the greatest and the sum under each window, and
// the ways back. Chosen once for the processor; the same bits on every vector width and thread count.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "pellucid/dtype.h"

namespace pellucid::kernels {

/// One axis: the window of output o looks at the positions first[o] + k * dilation for k < count[o], all of them inside
/// [0, in). Positions outside a picture, as in padding, are left out here.
struct WindowAxis {
  std::int64_t in = 1, out = 1, dilation = 1;
  std::vector<std::int64_t> first{0}, count{1};  // (out)
};

/// Windows over x (batch, in_0, in_1, in_2, channels) with results (batch, out_0, out_1, out_2, channels); fewer axes
/// are given with axes of one position in front. The elements under a window are numbered in row-major order from 0;
/// such a number is what `index` arrays hold (uint8 or int32).
class Windows {
 public:
  static constexpr std::size_t kAxes = 3;
  /// A window that looks at an input, and the place k of the input in it.
  struct Look {
    std::int64_t out, k;
  };

  Windows(std::int64_t batch, std::array<WindowAxis, kAxes> axes, std::int64_t channels);

  std::int64_t batch, channels;
  std::array<WindowAxis, kAxes> axes;
  /// For each axis and input i: looks[looks_begin[i] .. looks_begin[i + 1]), out ascending.
  std::array<std::vector<Look>, kAxes> looks;
  std::array<std::vector<std::int64_t>, kAxes> looks_begin;
  bool apart;  // windows do not overlap along the last axis, and have no holes there
};

/// The most elements under one window for which indices are uint8.
inline constexpr std::int64_t kSmallWindow = 256;

/// y = the greatest under each window, index = which; the first of equals, and the first NaN before all. Either may be
/// null. No window is empty. dtype: float32, float64; index type: uint8 or int32.
void window_max(void* y, void* index, const void* x, const Windows& windows, DType dtype, DType index_type);
/// y = the element of x that index names, 0 where there is none.
void window_take(void* y, const void* x, const void* index, const Windows& windows, DType dtype, DType index_type);
/// The transpose: y[i] = the sum of g over the windows whose index names i, in the order of windows.
void window_put(void* y, const void* g, const void* index, const Windows& windows, DType dtype, DType index_type);
/// y = the sum under each window, elements in order, divided by `divisor`; 0 for empty windows.
void window_sum(void* y, const void* x, const Windows& windows, double divisor, DType dtype);
/// The transpose: y[i] = the sum of g over the windows that look at i, in the order of windows, divided by `divisor`.
void window_spread(void* y, const void* g, const Windows& windows, double divisor, DType dtype);

}  // namespace pellucid::kernels
