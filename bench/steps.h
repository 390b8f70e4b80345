// The frame of bench/steps: a table of named workloads. Each file steps_*.cpp defines some and registers them:
//
//     const bench::Workload kMlp{{.name = "mnist_mlp_b128", .make = [] { return bench::Training{step, state, inputs};
//     }}};
//
// Workloads run in the order of `order`, then of their names.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "pellucid/module.h"
#include "pellucid/optim.h"
#include "pellucid/transform.h"

namespace bench {

namespace pl = pellucid;

/// One training step, ready to be called again and again.
struct Training {
  pl::Compiled step;     // (state..., inputs...) -> (new state..., extra...)
  pl::Arrays state;      // evaluated, held by nobody else, so that a step changes it in place
  pl::Arrays inputs;     // evaluated
  bool by_call = false;  // one call of step() for each step, not steps() for all of them
};

struct Description {
  std::string name;  // as in ../shared/peers, where the peers have it
  std::function<Training()> make;
  int warm_up = 5;     // steps before timing
  double seconds = 3;  // how long to time
  int order = 100;
};

/// Registers a workload for as long as the program runs.
struct Workload {
  explicit Workload(Description description);
};

/// The arrays, evaluated together.
pl::Arrays evaluated(pl::Arrays list);

/// Parameters, then what the optimiser keeps.
pl::Arrays state_of(const pl::Arrays& parameters, const pl::optim::Optimizer& optimizer);

/// A step of `optimizer` on loss(parameters..., inputs...).
Training training(const std::function<pl::Arrays(const pl::Arrays&)>& loss, const pl::Arrays& parameters,
                  const pl::optim::Optimizer& optimizer, pl::Arrays inputs);

/// A step of `optimizer` on a scalar loss of a module, which `owner` keeps alive. Calls of layers in it are part of
/// training, and buffers (running statistics) belong to the state.
Training training_of(std::shared_ptr<void> owner, pl::nn::Ref module, std::function<pl::Array(const pl::Arrays&)> loss,
                     const pl::optim::Optimizer& optimizer, pl::Arrays inputs);

/// The same for a network by value: loss(network, inputs).
template <pl::nn::IsModule M, class Loss>
Training training_of(M network, Loss loss, const pl::optim::Optimizer& optimizer, pl::Arrays inputs) {
  auto owner = std::make_shared<M>(std::move(network));
  return training_of(
      owner, *owner, [owner, loss](const pl::Arrays& in) { return loss(*owner, in); }, optimizer, std::move(inputs));
}

}  // namespace bench
