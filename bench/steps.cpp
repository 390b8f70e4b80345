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

#include "pellucid/ops.h"
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

void run_xor(bool by_call) {
  const pl::Array x = {{0, 0}, {0, 1}, {1, 0}, {1, 1}};
  const pl::Array y = {{0}, {1}, {1}, {0}};
  auto step = pl::compile([&](const pl::Arrays& w) {
    const auto [value, g, extra] = pl::value_and_grad([&](const pl::Arrays& p) {
      const pl::Array h = pl::relu(pl::matmul(x, p[0]) + p[1]);
      return pl::mean(pl::square(pl::matmul(h, p[2]) + p[3] - y));
    })(w);
    pl::Arrays next;
    for (std::size_t i = 0; i < w.size(); ++i) next.push_back(w[i] - 0.1 * g[i]);
    next.push_back(value);
    return next;
  });
  pl::Arrays w = evaluated({pl::random::normal(pl::random::key(1), {2, 4}), pl::zeros({4}),
                            pl::random::normal(pl::random::key(2), {4, 1}), pl::zeros({1})});
  if (by_call) {
    report("xor_call", [&](std::int64_t n) {
      for (std::int64_t i = 0; i < n; ++i) step.step(w);
    });
  } else {
    report("xor", [&](std::int64_t n) { step.steps(w, {}, n); });
  }
  if (std::getenv("PELLUCID_EXPLAIN") != nullptr) std::fputs(step.explain_plan().c_str(), stderr);
}

void run_mlp() {
  const std::int64_t batch = 128;
  const std::vector<std::int64_t> sizes = {784, 256, 128, 10};
  pl::Arrays state;
  for (std::size_t i = 0; i + 1 < sizes.size(); ++i) {
    state.push_back(pl::random::normal(pl::random::key(i), {sizes[i], sizes[i + 1]}, 0, 0.05));
    state.push_back(pl::zeros({sizes[i + 1]}));
  }
  const std::size_t parameters = state.size();
  for (int copy = 0; copy < 2; ++copy) {
    for (std::size_t i = 0; i < parameters; ++i) state.push_back(pl::zeros(state[i].shape()));
  }
  state.push_back(pl::Array::from(std::vector<double>{0}, {}));
  const pl::Array x = pl::random::normal(pl::random::key(7), {batch, 784});
  const pl::Array labels = pl::random::integers(pl::random::key(8), {batch}, 0, 10);
  auto step = pl::compile([&](const pl::Arrays& s) {
    const pl::Arrays w(s.begin(), s.begin() + static_cast<std::ptrdiff_t>(parameters));
    const auto [value, g, extra] = pl::value_and_grad([&](const pl::Arrays& p) {
      pl::Array h = s[3 * parameters + 1];
      for (std::size_t i = 0; i < parameters; i += 2) {
        h = pl::matmul(h, p[i]) + p[i + 1];
        if (i + 2 < parameters) h = pl::relu(h);
      }
      const pl::Array target = pl::one_hot(s[3 * parameters + 2], 10);
      return -pl::mean(pl::sum(pl::log_softmax(h, 1) * target, pl::Axes(1)));
    })(w);
    const pl::Array t = s[3 * parameters] + 1;
    const pl::Array m_scale = pl::astype(1e-3 / (1 - pl::pow(0.9, t)), pl::float32);
    const pl::Array v_scale = pl::astype(1 / (1 - pl::pow(0.999, t)), pl::float32);
    pl::Arrays next_w, next_m, next_v;
    for (std::size_t i = 0; i < parameters; ++i) {
      const pl::Array m = 0.9 * s[parameters + i] + 0.1 * g[i];
      const pl::Array v = 0.999 * s[2 * parameters + i] + 0.001 * pl::square(g[i]);
      next_w.push_back(w[i] - m * m_scale / (pl::sqrt(v * v_scale) + 1e-8));
      next_m.push_back(m);
      next_v.push_back(v);
    }
    pl::Arrays next = next_w;
    next.insert(next.end(), next_m.begin(), next_m.end());
    next.insert(next.end(), next_v.begin(), next_v.end());
    next.push_back(t);
    next.push_back(value);
    return next;
  });
  pl::evaluate(state);
  const pl::Arrays inputs = evaluated({x, labels});
  report("mnist_mlp_b128", [&](std::int64_t n) { step.steps(state, inputs, n); });
  if (std::getenv("PELLUCID_EXPLAIN") != nullptr) std::fputs(step.explain_plan().c_str(), stderr);
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
