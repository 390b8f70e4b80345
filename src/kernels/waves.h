// Weighted sums of cosines of numbers: what embeds the numbers of a table. The cosines, of which there are many to each
// number, are never in memory.
#pragma once

#include <cstdint>

#include "pellucid/dtype.h"

namespace pellucid::kernels {

/// x is (columns, rows), frequency and phase (numbers, waves), weight (numbers, waves, outputs), bias (numbers,
/// outputs) and the result (numbers, outputs, rows), all contiguous; number i reads column i mod columns. float32 or
/// float64.
struct WavesShape {
  DType dtype = DType::kFloat32;
  std::int64_t columns = 0, rows = 0, numbers = 0, waves = 0, outputs = 0;
};

inline constexpr std::int64_t kMostWaves = 64;

/// y[i, o, r] = sum over w of weight[i, w, o] cos(frequency[i, w] x[i mod columns, r] + phase[i, w]), plus bias[i, o];
/// at most kMostWaves waves. The bits are those of fma, cos, a contraction and add.
void weighted_waves(const WavesShape& shape, const void* x, const void* frequency, const void* phase,
                    const void* weight, const void* bias, void* y);

}  // namespace pellucid::kernels
