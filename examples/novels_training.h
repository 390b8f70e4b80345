// What the examples that learn from the novels share: the plan of a training step, training for a fixed time, and the
// settings of the command line.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>
#include <numbers>
#include <string>
#include <vector>

#include "novels.h"

namespace novels {

using Clock = std::chrono::steady_clock;

/// What "--name number" sets.
struct Settings : std::map<std::string, double> {
  using std::map<std::string, double>::map;
  std::int64_t whole(const char* name) const { return static_cast<std::int64_t>(at(name)); }
};

/// One step of training as a plan: (parameters..., optimiser's state..., key, share of the learning rate) -> (the new
/// ones..., loss). `network` maps tokens (N, length) to logits (N, length, characters).
template <class Network>
pl::Compiled training_step(Network& network, const Text& text, const pl::optim::Optimizer& optimizer,
                           std::int64_t batch_size, std::int64_t length) {
  const auto loss = pl::nn::functional(network, [&, batch_size, length](const pl::Arrays& in) {
    const pl::nn::Context training(in[0]);
    const pl::Array window = batch(text.training, in[0], batch_size, length + 1);
    const pl::Array logits = network(pl::slice(window, 1, 0, length));
    return pl::Arrays{pl::loss::cross_entropy(logits, pl::slice(window, 1, 1, length + 1))};
  });
  const std::size_t count = pl::nn::parameters(network).size();
  return pl::compile(
      [=](const pl::Arrays& in) {
        const auto at = [&](std::size_t i) { return in.begin() + static_cast<std::ptrdiff_t>(i); };
        const pl::Arrays parameters(at(0), at(count)), state(at(count), in.end() - 2);
        pl::Arrays given = parameters;
        given.push_back(in[in.size() - 2]);
        std::vector<int> which(count);
        for (std::size_t i = 0; i < count; ++i) which[i] = static_cast<int>(i);
        const auto result = pl::value_and_grad(loss, {.arguments = which})(given);
        auto next = optimizer.update(parameters, pl::optim::clip_by_global_norm(result.gradients, 1), state);
        pl::Arrays out;
        // The update is proportional to the learning rate, so a share of it is a share of the rate.
        for (std::size_t i = 0; i < count; ++i) {
          out.push_back(parameters[i] + in.back() * (next.parameters[i] - parameters[i]));
        }
        for (const pl::Array& s : next.state) out.push_back(s);
        out.push_back(result.value);
        return out;
      },
      {.name = "novels"});
}

/// Rises over the first twentieth, then falls along a cosine to a twentieth.
inline double rate_share(double done) {
  if (done < 0.05) return done / 0.05;
  return 0.05 + 0.95 * (1 + std::cos(std::numbers::pi * (done - 0.05) / 0.95)) / 2;
}

/// Trains `network` for --seconds, or --steps where it is not 0, and prints how it goes and what it reached on the
/// held-out text. `optimizer` has the rate at its height.
template <class Network>
void learn(Network& network, const Text& text, const pl::optim::Optimizer& optimizer, const Settings& set) {
  std::printf("%lld characters to learn from, %lld held out, %lld different; %lld parameters\n",
              static_cast<long long>(text.training.size()), static_cast<long long>(text.held_out.size()),
              static_cast<long long>(text.size()), static_cast<long long>(pl::nn::parameter_count(network)));
  const std::int64_t length = set.whole("--length");
  pl::Compiled step = training_step(network, text, optimizer, set.whole("--batch"), length);
  pl::Arrays state = pl::nn::parameters(network);
  const std::size_t count = state.size();
  for (pl::Array& s : optimizer.init(state)) state.push_back(std::move(s));
  pl::evaluate(state);
  const pl::random::Key key = pl::random::key(static_cast<std::uint64_t>(set.whole("--seed")) + 1);
  const auto begin = Clock::now();
  const std::int64_t steps = set.whole("--steps");
  double shown = 0, mean = 0;
  for (std::int64_t i = 0;; ++i) {
    const double time = std::chrono::duration<double>(Clock::now() - begin).count();
    const double done = steps > 0 ? static_cast<double>(i) / static_cast<double>(steps) : time / set.at("--seconds");
    if (done >= 1) {
      std::printf("%lld steps in %.1f s\n", static_cast<long long>(i), time);
      break;
    }
    const pl::Array share = pl::Array::from(std::vector<float>{static_cast<float>(rate_share(done))}, {});
    const double loss = step.step(state, {pl::random::fold_in(key, i).evaluate(), share})[0].item<double>();
    mean = i == 0 ? loss : mean + 0.02 * (loss - mean);
    if (time - shown < 10 && i > 0) continue;
    shown = time;
    std::printf("step %5lld  %6.1f s  %.3f bits per character\n", static_cast<long long>(i), time,
                mean / std::numbers::ln2);
    std::fflush(stdout);
  }
  pl::nn::set_parameters(network, pl::Arrays(state.begin(), state.begin() + static_cast<std::ptrdiff_t>(count)));
  std::printf("held out: %.3f bits per character\n\n",
              bits_per_character(
                  text, [&](const pl::Array& x) { return network(x); }, length));
}

/// The command line "[--name number]... [FILE]" over the given defaults; then run(settings, FILE). The exit status.
template <class Run>
int program(const char* name, int argc, char** argv, Settings set, const Run& run) {
  std::string path;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word.rfind("--", 0) != 0) {
      path = word;
    } else if ((set.contains(word) || word == "--threads") && i + 1 < argc) {
      set[word] = std::atof(argv[++i]);
    } else {
      std::fprintf(stderr, "%s: unknown setting %s; the first lines of %s.cpp name all\n", name, argv[i], name);
      return 2;
    }
  }
  if (set.contains("--threads")) pl::set_threads(static_cast<int>(set.whole("--threads")));
  try {
    run(set, path);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}

}  // namespace novels
