// The five steps of backpropagation by hand: a 2-4-1 network on XOR, from many seeds.
//
//     xor_by_hand [--seeds N]      prints the share of seeds whose loss ends below 0.01
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "pellucid/ops.h"
#include "pellucid/random.h"
#include "pellucid/transform.h"

namespace pl = pellucid;

int main(int argc, char** argv) {
  int seeds = 100;
  if (argc == 3 && std::strcmp(argv[1], "--seeds") == 0) seeds = std::atoi(argv[2]);
  if (seeds < 1 || (argc != 1 && argc != 3)) {
    std::fprintf(stderr, "usage: xor_by_hand [--seeds N]   N >= 1, 100 where it is not given\n");
    return 2;
  }
  const pl::Array x = {{0, 0}, {0, 1}, {1, 0}, {1, 1}};
  const pl::Array y = {{0}, {1}, {1}, {0}};

  const auto loss = [&](const pl::Arrays& w) {
    const pl::Array h = pl::relu(pl::matmul(x, w[0]) + w[1]);     // 2. forward
    return pl::mean(pl::square(pl::matmul(h, w[2]) + w[3] - y));  // 3. loss
  };
  auto step = pl::compile([&](const pl::Arrays& w) {
    const auto [value, gradients, extra] = pl::value_and_grad(loss)(w);  // 4. gradients, and a step down them
    pl::Arrays next;
    for (std::size_t i = 0; i < w.size(); ++i) next.push_back(w[i] - 0.1 * gradients[i]);
    next.push_back(value);
    return next;
  });

  int solved = 0;
  for (int seed = 0; seed < seeds; ++seed) {
    const auto keys = pl::random::split(pl::random::key(static_cast<std::uint64_t>(seed)), 2);
    pl::Arrays w = {pl::random::normal(keys[0], {2, 4}), pl::zeros({4}),  // 1. initialise
                    pl::random::normal(keys[1], {4, 1}), pl::zeros({1})};
    step.steps(w, {}, 1000);  // 5. until it has run long enough
    if (loss(w).item<float>() < 0.01F) ++solved;
  }
  std::printf("%d of %d seeds below 0.01: %.1f %%\n", solved, seeds, 100.0 * solved / seeds);
  return 0;
}
