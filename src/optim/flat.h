// Parameters as one vector of float64 on the host, which the minimisers compute with.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/fail.h"
#include "pellucid/ops.h"

namespace pellucid::optim {

using Vector = std::vector<double>;

/// Eight partial sums, merged in a fixed order.
inline double dot(const Vector& x, const Vector& y) {
  std::array<double, 8> lanes{};
  std::size_t i = 0;
  for (; i + 8 <= x.size(); i += 8)
    for (std::size_t l = 0; l < 8; ++l) lanes[l] += x[i + l] * y[i + l];
  double rest = 0;
  for (; i < x.size(); ++i) rest += x[i] * y[i];
  return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7])) + rest;
}

/// The largest magnitude; NaN where there is one.
inline double largest(const Vector& x) {
  double most = 0;
  for (const double value : x)
    if (std::isnan(value) || std::abs(value) > most) most = std::abs(value);
  return most;
}

/// x + t d.
inline Vector moved(const Vector& x, double t, const Vector& d) {
  Vector result(x);
  for (std::size_t i = 0; i < x.size(); ++i) result[i] += t * d[i];
  return result;
}

inline void check_parameters(std::string_view owner, const Arrays& start) {
  if (start.empty()) base::fail("{}: no parameters: give at least one array to start from", owner);
  for (const Array& x : start)
    if (!x.defined() || !is_float(x.dtype()))
      base::fail("{}: a parameter is not of floating type: convert it with astype", owner);
}

inline Vector gather_values(const Arrays& arrays) {
  Vector result;
  for (const Array& x : arrays) {
    const Vector part = x.to_vector<double>();
    result.insert(result.end(), part.begin(), part.end());
  }
  return result;
}

/// Arrays of the shapes and types of `like`, each rounded once.
inline Arrays scatter_values(const Vector& values, const Arrays& like) {
  Arrays result;
  std::size_t at = 0;
  for (const Array& x : like) {
    const std::size_t count = static_cast<std::size_t>(x.size());
    const Array part = Array::from_memory(values.data() + at, count, x.shape(), float64);
    result.push_back(x.dtype() == float64 ? part : astype(part, x.dtype()));
    at += count;
  }
  evaluate(result);
  return result;
}

}  // namespace pellucid::optim
