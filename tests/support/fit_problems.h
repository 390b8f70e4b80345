// Small problems for tests of fit: XOR, clouds of points, and the networks that learn them.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "pellucid/pellucid.h"

namespace pellucid {

inline const Array kX = {{0, 0}, {0, 1}, {1, 0}, {1, 1}};
inline const Array kY = {{0}, {1}, {1}, {0}};
inline constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

inline nn::Sequential xor_network(std::uint64_t seed = 0) {
  nn::Sequential mlp{nn::Linear(2, 4), nn::ReLU(), nn::Linear(4, 1)};
  nn::initialize(mlp, random::key(seed));
  return mlp;
}

inline FitOptions xor_options() {
  return {.loss = loss::mean_squared_error,
          .optimizer = optim::SGD{.learning_rate = 0.1},
          .max_epochs = 1000,
          .tolerance = 1e-6,
          .restarts = 10};
}

/// Three clouds of points around the corners of a triangle.
inline Dataset clouds(std::int64_t n, std::uint64_t seed = 5) {
  const auto keys = random::split(random::key(seed), 2);
  const Array y = random::integers(keys[0], {n}, 0, 3).evaluate();
  const Array centers = {{2, 0}, {-1, 2}, {-1, -2}};
  return {(take(centers, y) + random::normal(keys[1], {n, 2}, 0, 0.8)).evaluate(), y};
}

inline nn::Sequential classifier(std::uint64_t seed = 1) {
  nn::Sequential net{nn::Linear(2, 8), nn::Tanh(), nn::Linear(8, 3)};
  nn::initialize(net, random::key(seed));
  return net;
}

inline std::vector<std::vector<float>> values(nn::View module) {
  std::vector<std::vector<float>> all;
  for (const Array& p : nn::parameters(module)) all.push_back(p.to_vector<float>());
  for (const Array& p : nn::buffers(module)) all.push_back(p.to_vector<float>());
  return all;
}

/// y = w x with its loss a mean: what an epoch's loss is made of.
struct Scale : nn::Module {
  nn::Parameter w = ones({1});
  Array operator()(const Array& x) const { return w * x; }
};

}  // namespace pellucid
