// Initial values of parameters. An Initializer is a value that can be kept and called: init::he_normal()(key, {784,
// 256}).
//
// Weights are stored (in, out), leading axes being positions of a window: fan-in is size(-2) times the leading sizes,
// fan-out is size(-1) times them. A vector's fans are its length.
#pragma once

#include <functional>

#include "pellucid/array.h"
#include "pellucid/random.h"

namespace pellucid::init {

/// (key, shape, dtype) -> values. dtype is a floating type.
using Initializer = std::function<Array(const random::Key& key, const Shape& shape, DType dtype)>;

Initializer zeros();
Initializer ones();
Initializer constant(double value);
/// Uniform in [low, high). Throws Error unless low < high.
Initializer uniform(double low = -0.05, double high = 0.05);
/// Throws Error where stddev is negative.
Initializer normal(double mean = 0, double stddev = 0.05);
/// Normal(mean, stddev) conditioned on [mean + low * stddev, mean + high * stddev]: the bounds count standard
/// deviations. Throws Error where stddev is negative or low >= high.
Initializer truncated_normal(double mean = 0, double stddev = 0.05, double low = -2, double high = 2);

/// Which number of connections keeps its variance: of the inputs (forward), of the outputs (backward).
enum class Fan { kIn, kOut };
struct Fans {
  double in, out;
};
/// Throws Error for a scalar's shape.
Fans fans(const Shape& shape);

enum class Nonlinearity { kLinear, kSigmoid, kTanh, kReLU, kLeakyReLU, kSELU };
/// What a layer's standard deviation is multiplied by before this nonlinearity, as in PyTorch's calculate_gain: 1, 1,
/// 5/3, sqrt(2), sqrt(2 / (1 + negative_slope^2)), 3/4.
double gain(Nonlinearity nonlinearity, double negative_slope = 0.01);

/// Variance gain^2 * 2 / (fan_in + fan_out) (Glorot and Bengio 2010).
Initializer xavier_uniform(double gain = 1);
Initializer xavier_normal(double gain = 1);
/// Variance gain^2 / fan, with the gain of ReLU by default (He et al. 2015).
Initializer he_uniform(Fan fan = Fan::kIn, double gain = 1.4142135623730951);
Initializer he_normal(Fan fan = Fan::kIn, double gain = 1.4142135623730951);
/// Variance 1 / fan_in (LeCun et al. 1998).
Initializer lecun_uniform();
Initializer lecun_normal();
/// gain * Q, where the rows or the columns of Q, whichever are fewer, are orthonormal: Q is uniformly distributed among
/// such matrices (Saxe et al. 2014). Leading axes are flattened. Computed at once in float64 on the calling thread:
/// throws Error for fewer than two axes, and inside compile and vmap, where the key has no value.
Initializer orthogonal(double gain = 1);

}  // namespace pellucid::init
