// The textbook step of XOR, called in a row and one by one, and a multilayer perceptron on pictures of 28 x 28.
#include "pellucid/loss.h"
#include "pellucid/ops.h"
#include "pellucid/random.h"
#include "steps.h"

namespace bench {
namespace {

/// Weights and biases of linear layers between these sizes.
pl::Arrays layers(const std::vector<std::int64_t>& sizes, double scale) {
  pl::Arrays w;
  for (std::size_t i = 0; i + 1 < sizes.size(); ++i) {
    w.push_back(pl::random::normal(pl::random::key(i), {sizes[i], sizes[i + 1]}, 0, scale));
    w.push_back(pl::zeros({sizes[i + 1]}));
  }
  return w;
}

pl::Array forward(const pl::Arrays& w, std::size_t parameters, pl::Array h) {
  for (std::size_t i = 0; i < parameters; i += 2) {
    h = pl::linear(h, w[i], w[i + 1]);
    if (i + 2 < parameters) h = pl::relu(h);
  }
  return h;
}

Training make_xor() {
  const pl::Array x = {{0, 0}, {0, 1}, {1, 0}, {1, 1}};
  const pl::Array y = {{0}, {1}, {1}, {0}};
  const auto loss = [=](const pl::Arrays& p) { return pl::Arrays{pl::mean(pl::square(forward(p, 4, x) - y))}; };
  return training(loss, layers({2, 4, 1}, 1), pl::optim::SGD{.learning_rate = 0.1}, {});
}

Training make_xor_call() {
  Training step = make_xor();
  step.by_call = true;
  return step;
}

Training make_mlp() {
  const auto loss = [](const pl::Arrays& p) { return pl::Arrays{pl::loss::cross_entropy(forward(p, 6, p[6]), p[7])}; };
  return training(
      loss, layers({784, 256, 128, 10}, 0.05), pl::optim::Adam{.learning_rate = 1e-3},
      {pl::random::normal(pl::random::key(7), {128, 784}), pl::random::integers(pl::random::key(8), {128}, 0, 10)});
}

/// Ten layers of 256: how long a plan takes to make (`steps --compile ten_layers`).
Training make_ten_layers() {
  const auto loss = [](const pl::Arrays& p) {
    return pl::Arrays{pl::loss::cross_entropy(forward(p, 20, p[20]), p[21])};
  };
  return training(
      loss, layers(std::vector<std::int64_t>(11, 256), 0.05), pl::optim::Adam{.learning_rate = 1e-3},
      {pl::random::normal(pl::random::key(7), {64, 256}), pl::random::integers(pl::random::key(8), {64}, 0, 256)});
}

const Workload kXor({.name = "xor", .make = make_xor, .order = 0});
const Workload kXorCall({.name = "xor_call", .make = make_xor_call, .order = 1});
const Workload kMlp({.name = "mnist_mlp_b128", .make = make_mlp, .order = 2});
const Workload kTenLayers({.name = "ten_layers", .make = make_ten_layers, .seconds = 1, .order = 3});

}  // namespace
}  // namespace bench
