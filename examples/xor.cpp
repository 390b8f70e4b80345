// The five steps of backpropagation, hidden: a 2-4-1 network learns XOR.
//
//     xor [--seeds N]      the network below once, or from N seeds: the share that converges, and the time of a step
#include <cstdlib>
#include <cstring>
#include <iostream>

#include "pellucid/pellucid.h"

namespace pl = pellucid;

int many_seeds(int seeds);

int main(int argc, char** argv) {
  if (argc == 3 && std::strcmp(argv[1], "--seeds") == 0 && std::atoi(argv[2]) > 0)
    return many_seeds(std::atoi(argv[2]));
  if (argc != 1) {
    std::cerr << "usage: xor [--seeds N]   N >= 1\n";
    return 2;
  }
  pl::Array x = {{0, 0}, {0, 1}, {1, 0}, {1, 1}};
  pl::Array y = {{0}, {1}, {1}, {0}};

  pl::nn::Sequential mlp{pl::nn::Linear(2, 4), pl::nn::ReLU(), pl::nn::Linear(4, 1)};
  auto result = pl::fit(mlp, {x, y},
                        {.loss = pl::loss::mean_squared_error,
                         .optimizer = pl::optim::SGD{.learning_rate = 0.1},
                         .max_epochs = 1000,
                         .tolerance = 1e-6,
                         .restarts = 10});
  std::cout << result << '\n' << mlp(x) << '\n';  // "converged (loss below 1e-6) at epoch 412, restart 1 ..."
  return result.converged() ? 0 : 1;
}

int many_seeds(int seeds) {
  const pl::Array x = {{0, 0}, {0, 1}, {1, 0}, {1, 1}};
  const pl::Array y = {{0}, {1}, {1}, {0}};
  pl::nn::Sequential mlp{pl::nn::Linear(2, 4), pl::nn::ReLU(), pl::nn::Linear(4, 1)};
  int converged = 0;
  std::int64_t restarts = 0;
  double fastest = 1;
  for (int seed = 0; seed < seeds; ++seed) {
    pl::nn::initialize(mlp, pl::random::key(static_cast<std::uint64_t>(seed)));
    const auto result = pl::fit(mlp, {x, y},
                                {.loss = pl::loss::mean_squared_error,
                                 .optimizer = pl::optim::SGD{.learning_rate = 0.1},
                                 .max_epochs = 1000,
                                 .tolerance = 1e-6,
                                 .restarts = 10,
                                 .seed = static_cast<std::uint64_t>(seed)});
    if (result.converged()) ++converged;
    restarts += result.restart;
    // The time of one step inside fit: between two epochs of one start that the history keeps.
    for (std::size_t i = 200; i < result.history.size(); i += 100) {
      const pl::Epoch &from = result.history[i - 200], &to = result.history[i];
      if (from.restart == to.restart) fastest = std::min(fastest, (to.seconds - from.seconds) / 200);
    }
  }
  std::cout << converged << " of " << seeds << " seeds converged, after " << static_cast<double>(restarts) / seeds
            << " restarts on average; " << fastest * 1e6 << " us a step inside fit, at best\n";
  return converged == seeds ? 0 : 1;
}
