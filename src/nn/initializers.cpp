// Initial values of parameters.
#include <cmath>
#include <vector>

#include "base/fail.h"
#include "pellucid/init.h"
#include "pellucid/ops.h"

namespace pellucid::init {

using base::fail;

namespace {

void check_stddev(const char* name, double stddev) {
  if (!(stddev >= 0)) fail("{}: the standard deviation {} must not be negative", name, stddev);
}

void check_gain(const char* name, double gain) {
  if (!std::isfinite(gain)) fail("{}: the gain {} must be finite", name, gain);
}

Array uniform_of_variance(const random::Key& key, const Shape& shape, DType dtype, double variance) {
  const double bound = std::sqrt(3 * variance);
  return random::uniform(key, shape, -bound, bound, dtype);
}

Array normal_of_variance(const random::Key& key, const Shape& shape, DType dtype, double variance) {
  return random::normal(key, shape, 0.0, std::sqrt(variance), dtype);
}

double variance_for_fan(const Shape& shape, Fan fan, double gain) {
  const Fans both = fans(shape);
  return gain * gain / (fan == Fan::kIn ? both.in : both.out);
}

double variance_for_both(const Shape& shape, double gain) {
  const Fans both = fans(shape);
  return gain * gain * 2 / (both.in + both.out);
}

/// Eight sums that end in a fixed tree: fast, and the same on every machine.
double dot(const double* x, const double* y, std::int64_t n) {
  double sums[8] = {};
  std::int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    for (int lane = 0; lane < 8; ++lane) sums[lane] += x[i + lane] * y[i + lane];
  }
  for (int lane = 0; i < n; ++i, ++lane) sums[lane] += x[i] * y[i];
  return ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
}

/// Makes the `count` rows of length n orthonormal, in place, count <= n: Gram-Schmidt, each row twice, which leaves an
/// error of the order of rounding (Giraud et al. 2005). From normal rows, Q is uniformly distributed, as all diagonals
/// of R are positive.
void orthonormalise(std::vector<double>& rows, std::int64_t count, std::int64_t n) {
  for (std::int64_t i = 0; i < count; ++i) {
    double* row = rows.data() + i * n;
    for (int pass = 0; pass < 2; ++pass) {
      for (std::int64_t j = 0; j < i; ++j) {
        const double* other = rows.data() + j * n;
        const double along = dot(row, other, n);
        for (std::int64_t k = 0; k < n; ++k) row[k] -= along * other[k];
      }
    }
    const double length = std::sqrt(dot(row, row, n));
    for (std::int64_t k = 0; k < n; ++k) row[k] /= length;
  }
}

}  // namespace

Initializer constant(double value) {
  return [value](const random::Key&, const Shape& shape, DType dtype) { return full(shape, value, dtype); };
}
Initializer zeros() { return constant(0); }
Initializer ones() { return constant(1); }

Initializer uniform(double low, double high) {
  if (!(low < high)) fail("init::uniform: low {} must be less than high {}", low, high);
  return [low, high](const random::Key& key, const Shape& shape, DType dtype) {
    return random::uniform(key, shape, low, high, dtype);
  };
}

Initializer normal(double mean, double stddev) {
  check_stddev("init::normal", stddev);
  return [mean, stddev](const random::Key& key, const Shape& shape, DType dtype) {
    return random::normal(key, shape, mean, stddev, dtype);
  };
}

Initializer truncated_normal(double mean, double stddev, double low, double high) {
  check_stddev("init::truncated_normal", stddev);
  if (!(low < high)) fail("init::truncated_normal: low {} must be less than high {}", low, high);
  return [mean, stddev, low, high](const random::Key& key, const Shape& shape, DType dtype) {
    return random::truncated_normal(key, shape, low, high, dtype) * stddev + mean;
  };
}

Fans fans(const Shape& shape) {
  if (shape.empty()) fail("init: a scalar has no fan-in; use init::constant, init::uniform or init::normal for it");
  const std::size_t rank = shape.size();
  if (rank == 1) return {static_cast<double>(shape[0]), static_cast<double>(shape[0])};
  double window = 1;
  for (std::size_t d = 0; d + 2 < rank; ++d) window *= static_cast<double>(shape[d]);
  return {window * static_cast<double>(shape[rank - 2]), window * static_cast<double>(shape[rank - 1])};
}

double gain(Nonlinearity nonlinearity, double negative_slope) {
  switch (nonlinearity) {
    case Nonlinearity::kLinear:
    case Nonlinearity::kSigmoid:
      return 1;
    case Nonlinearity::kTanh:
      return 5.0 / 3;
    case Nonlinearity::kReLU:
      return std::sqrt(2.0);
    case Nonlinearity::kLeakyReLU:
      return std::sqrt(2 / (1 + negative_slope * negative_slope));
    case Nonlinearity::kSELU:
      return 0.75;
  }
  return 1;
}

Initializer xavier_uniform(double gain) {
  check_gain("init::xavier_uniform", gain);
  return [gain](const random::Key& key, const Shape& shape, DType dtype) {
    return uniform_of_variance(key, shape, dtype, variance_for_both(shape, gain));
  };
}

Initializer xavier_normal(double gain) {
  check_gain("init::xavier_normal", gain);
  return [gain](const random::Key& key, const Shape& shape, DType dtype) {
    return normal_of_variance(key, shape, dtype, variance_for_both(shape, gain));
  };
}

Initializer he_uniform(Fan fan, double gain) {
  check_gain("init::he_uniform", gain);
  return [fan, gain](const random::Key& key, const Shape& shape, DType dtype) {
    return uniform_of_variance(key, shape, dtype, variance_for_fan(shape, fan, gain));
  };
}

Initializer he_normal(Fan fan, double gain) {
  check_gain("init::he_normal", gain);
  return [fan, gain](const random::Key& key, const Shape& shape, DType dtype) {
    return normal_of_variance(key, shape, dtype, variance_for_fan(shape, fan, gain));
  };
}

Initializer lecun_uniform() { return he_uniform(Fan::kIn, 1); }
Initializer lecun_normal() { return he_normal(Fan::kIn, 1); }

Initializer orthogonal(double gain) {
  check_gain("init::orthogonal", gain);
  return [gain](const random::Key& key, const Shape& shape, DType dtype) {
    if (shape.size() < 2) fail("init::orthogonal: shape {} has less than two axes", shape);
    std::int64_t rows = 1;
    for (std::size_t d = 0; d + 1 < shape.size(); ++d) rows *= shape[d];
    const std::int64_t columns = shape.back();
    const std::int64_t few = std::min(rows, columns), many = std::max(rows, columns);
    std::vector<double> q = random::normal(key, {few, many}, 0.0, 1.0, float64).to_vector<double>();
    orthonormalise(q, few, many);
    const Array matrix = Array::from(q, {few, many}) * gain;
    return astype(reshape(rows < columns ? matrix : transpose(matrix), shape), dtype);
  };
}

}  // namespace pellucid::init
