// Whole training steps of fixed networks: one JSON line for each, in microseconds per step.
//
//     steps [WORKLOAD...]      xor, mnist_mlp_b128; all where none is named
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "pellucid/loss.h"
#include "pellucid/ops.h"
#include "pellucid/optim.h"
#include "pellucid/random.h"
#include "pellucid/threads.h"
#include "pellucid/transform.h"

namespace {

namespace pl = pellucid;
using Clock = std::chrono::steady_clock;

/// Mean time of a call in chunks of at least 2 ms for 3 seconds: median and fastest, in microseconds.
void report(const std::string& name, const std::function<void(std::int64_t)>& run) {
  run(5);
  std::int64_t chunk = 1;
  std::vector<double> times;
  const auto begin = Clock::now();
  while (true) {
    const auto start = Clock::now();
    run(chunk);
    const double us = std::chrono::duration<double, std::micro>(Clock::now() - start).count();
    if (us < 2000 && times.empty()) {
      chunk *= 4;
      continue;
    }
    times.push_back(us / static_cast<double>(chunk));
    if (Clock::now() - begin > std::chrono::seconds(3) && times.size() >= 3) break;
  }
  std::sort(times.begin(), times.end());
  std::printf("{\"peer\": \"pellucid\", \"workload\": \"%s\", \"us\": %.3f, \"us_min\": %.3f}\n", name.c_str(),
              times[times.size() / 2], times[0]);
  std::fflush(stdout);
}

pl::Arrays evaluated(pl::Arrays list) {
  pl::evaluate(list);
  return list;
}

/// The state of a training: parameters, then what the optimiser keeps.
pl::Arrays state_of(const pl::Arrays& parameters, const pl::optim::Optimizer& optimizer) {
  pl::Arrays state = parameters;
  for (pl::Array& s : optimizer.init(parameters)) state.push_back(std::move(s));
  pl::evaluate(state);
  return state;
}

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

void run(const std::string& name, pl::Compiled step, pl::Arrays state, const pl::Arrays& inputs, bool by_call) {
  report(name, [&](std::int64_t n) {
    if (!by_call) {
      step.steps(state, inputs, n);
      return;
    }
    for (std::int64_t i = 0; i < n; ++i) step.step(state, inputs);
  });
  if (std::getenv("PELLUCID_EXPLAIN") != nullptr) std::fputs(step.explain_plan().c_str(), stderr);
}

void run_xor(bool by_call) {
  const pl::Array x = {{0, 0}, {0, 1}, {1, 0}, {1, 1}};
  const pl::Array y = {{0}, {1}, {1}, {0}};
  const pl::Arrays w = layers({2, 4, 1}, 1);
  const pl::optim::Optimizer sgd = pl::optim::SGD{.learning_rate = 0.1};
  const auto loss = [=](const pl::Arrays& p) { return pl::Arrays{pl::mean(pl::square(forward(p, 4, x) - y))}; };
  run(by_call ? "xor_call" : "xor", pl::compile(pl::optim::training_step(loss, sgd, w.size())), state_of(w, sgd), {},
      by_call);
}

void run_mlp() {
  const pl::Arrays w = layers({784, 256, 128, 10}, 0.05);
  const pl::Arrays inputs = evaluated(
      {pl::random::normal(pl::random::key(7), {128, 784}), pl::random::integers(pl::random::key(8), {128}, 0, 10)});
  const pl::optim::Optimizer adam = pl::optim::Adam{.learning_rate = 1e-3};
  const auto loss = [=](const pl::Arrays& p) { return pl::Arrays{pl::loss::cross_entropy(forward(p, 6, p[6]), p[7])}; };
  run("mnist_mlp_b128", pl::compile(pl::optim::training_step(loss, adam, w.size())), state_of(w, adam), inputs, false);
}

}  // namespace

int main(int argc, char** argv) {
  pl::set_threads(2);
  const std::vector<std::string> all = {"xor", "xor_call", "mnist_mlp_b128"};
  std::vector<std::string> names(argv + 1, argv + argc);
  if (names.empty()) names = all;
  for (const std::string& name : names) {
    if (name == "xor" || name == "xor_call") {
      run_xor(name == "xor_call");
    } else if (name == "mnist_mlp_b128") {
      run_mlp();
    } else {
      std::printf("{\"peer\": \"pellucid\", \"workload\": \"%s\", \"us\": null, \"us_min\": null}\n", name.c_str());
    }
  }
  return 0;
}
