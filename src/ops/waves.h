// Weighted sums of cosines of numbers, as nn::NumberEmbedding makes them where it does not learn.
#pragma once

#include "pellucid/array.h"

namespace pellucid::ops {

/// True where weighted_waves() takes operands of this type with so many waves.
bool has_weighted_waves(DType dtype, std::int64_t waves);

/// x (c, r), frequency and phase (n, w), weight (n, w, o), bias (n, o) -> (n, o, r):
///
///   matmul(swapaxes(weight, 1, 2), cos(fma(x, frequency, phase))) + bias
///
/// with the same bits; number i reads column i mod c of x, and n is a multiple of c. All of one type, float32 or
/// float64. Throws Error where shapes do not fit.
Array weighted_waves(const Array& x, const Array& frequency, const Array& phase, const Array& weight,
                     const Array& bias);

}  // namespace pellucid::ops
