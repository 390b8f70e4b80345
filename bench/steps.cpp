// Whole training steps of fixed networks: one JSON line for each, in microseconds per step. See steps.h.
//
//     steps [WORKLOAD...]      all where none is named
//     steps --list
//     steps --first WORKLOAD...  besides, `us_first`: from the start of a process of its own to the end of its first
//     step
//     steps --compile WORKLOAD...  the time to trace, rewrite and plan the step alone, in place of the step's
//
// PELLUCID_EXPLAIN=1 prints each workload's plan to stderr after it; with PELLUCID_PROFILE=1, with times.
// PELLUCID_BENCH_SECONDS=S times each workload for S seconds.
#include "steps.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "pellucid/ops.h"
#include "pellucid/random.h"
#include "pellucid/threads.h"

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;

std::vector<Description>& table() {
  static std::vector<Description> all;
  return all;
}

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// Mean time of a step in chunks of at least 2 ms for `seconds`: median and fastest, in microseconds.
void report(const Description& workload, const std::function<void(std::int64_t)>& run, const std::string& more) {
  const char* given = std::getenv("PELLUCID_BENCH_SECONDS");
  const double seconds = given != nullptr ? std::atof(given) : workload.seconds;
  run(workload.warm_up);
  std::int64_t chunk = 1;
  std::vector<double> times;
  const auto begin = Clock::now();
  while (true) {
    const auto start = Clock::now();
    run(chunk);
    const double us = 1e6 * seconds_since(start);
    if (us < 2000 && times.empty()) {
      chunk *= 4;
      continue;
    }
    times.push_back(us / static_cast<double>(chunk));
    if (seconds_since(begin) > seconds && times.size() >= 3) break;
  }
  std::sort(times.begin(), times.end());
  std::printf("{\"peer\": \"pellucid\", \"workload\": \"%s\", \"us\": %.3f, \"us_min\": %.3f%s}\n",
              workload.name.c_str(), times[times.size() / 2], times[0], more.c_str());
  std::fflush(stdout);
}

void run_steps(Training& training, std::int64_t n) {
  if (!training.by_call) {
    training.step.steps(training.state, training.inputs, n);
    return;
  }
  for (std::int64_t i = 0; i < n; ++i) training.step.step(training.state, training.inputs);
}

void time(const Description& workload, const std::string& more) {
  Training training = workload.make();
  report(
      workload, [&](std::int64_t n) { run_steps(training, n); }, more);
  if (std::getenv("PELLUCID_EXPLAIN") != nullptr) std::fputs(training.step.explain_plan().c_str(), stderr);
}

/// Microseconds that this program takes as a new process to make the network and its data and to run one step of it:
/// the fastest of five.
double first_step(const std::string& name) {
  double least = 0;
  for (int i = 0; i < 5; ++i) {
    const auto start = Clock::now();
    const pid_t child = fork();
    if (child == 0) {
      execl("/proc/self/exe", "steps", "--one", name.c_str(), nullptr);
      _exit(127);
    }
    int status = 0;
    waitpid(child, &status, 0);
    const double us = 1e6 * seconds_since(start);
    if (status != 0) return 0;
    if (i == 0 || us < least) least = us;
  }
  return least;
}

/// What the first call of a step takes beyond a later one: median and fastest of 15 that trace and plan anew, each with
/// state and inputs of its own, in microseconds.
void time_compilation(const Description& workload) {
  std::vector<double> times;
  for (int i = 0; i < 15; ++i) {
    Training training = workload.make();
    double call[3];
    for (double& us : call) {
      const auto start = Clock::now();
      training.step.step(training.state, training.inputs);
      us = 1e6 * seconds_since(start);
    }
    times.push_back(call[0] - std::min(call[1], call[2]));
  }
  std::sort(times.begin(), times.end());
  std::printf("{\"peer\": \"pellucid\", \"workload\": \"%s\", \"us_compile\": %.0f, \"us_compile_min\": %.0f}\n",
              workload.name.c_str(), times[times.size() / 2], times[0]);
  std::fflush(stdout);
}

}  // namespace

Workload::Workload(Description description) { table().push_back(std::move(description)); }

pl::Arrays evaluated(pl::Arrays list) {
  pl::evaluate(list);
  return list;
}

pl::Arrays state_of(const pl::Arrays& parameters, const pl::optim::Optimizer& optimizer) {
  pl::Arrays state = parameters;
  for (pl::Array& s : optimizer.init(parameters)) state.push_back(std::move(s));
  return evaluated(std::move(state));
}

Training training(const std::function<pl::Arrays(const pl::Arrays&)>& loss, const pl::Arrays& parameters,
                  const pl::optim::Optimizer& optimizer, pl::Arrays inputs) {
  return {pl::compile(pl::optim::training_step(loss, optimizer, parameters.size())), state_of(parameters, optimizer),
          evaluated(std::move(inputs))};
}

Training training_of(std::shared_ptr<void> owner, pl::nn::Ref module, std::function<pl::Array(const pl::Arrays&)> loss,
                     const pl::optim::Optimizer& optimizer, pl::Arrays inputs) {
  const pl::Arrays parameters = pl::nn::parameters(module), buffers = pl::nn::buffers(module);
  const std::size_t weights = parameters.size(), moments = optimizer.state_size(weights);
  pl::GradOptions options;
  for (std::size_t i = 0; i < weights; ++i) options.arguments.push_back(static_cast<int>(i));
  const pl::Function body = pl::nn::functional(module, [owner, loss = std::move(loss)](const pl::Arrays& in) {
    const pl::nn::Context context(pl::random::key(0));
    return pl::Arrays{loss(in)};
  });
  const pl::Function step = [=](const pl::Arrays& all) {
    const auto at = [&](std::size_t i) { return all.begin() + static_cast<std::ptrdiff_t>(i); };
    const pl::Arrays w(at(0), at(weights)), s(at(weights), at(weights + moments));
    pl::Arrays arguments = w;
    arguments.insert(arguments.end(), at(weights + moments), all.end());
    const auto [value, gradients, new_buffers] = pl::transform::value_and_grad(body, arguments, options);
    auto [result, new_state] = optimizer.update(w, gradients, s);
    result.insert(result.end(), new_state.begin(), new_state.end());
    result.insert(result.end(), new_buffers.begin(), new_buffers.end());
    result.push_back(value);
    return result;
  };
  pl::Arrays state = state_of(parameters, optimizer);
  state.insert(state.end(), buffers.begin(), buffers.end());
  // The module lets go of its arrays, so that there is one copy of them, changed in place.
  const auto placeholders = [](const pl::Arrays& of) {
    pl::Arrays list;
    for (const pl::Array& x : of) list.push_back(pl::zeros(x.shape(), x.dtype()));
    return list;
  };
  pl::nn::set_parameters(module, placeholders(parameters));
  pl::nn::set_buffers(module, placeholders(buffers));
  return {pl::compile(step), evaluated(std::move(state)), evaluated(std::move(inputs))};
}

}  // namespace bench

int main(int argc, char** argv) {
  using bench::Description;
  bench::pl::set_threads(2);
  std::vector<Description>& all = bench::table();
  std::sort(all.begin(), all.end(), [](const Description& a, const Description& b) {
    return a.order != b.order ? a.order < b.order : a.name < b.name;
  });
  std::vector<std::string> names(argv + 1, argv + argc);
  if (names.size() == 1 && names[0] == "--list") {
    for (const Description& workload : all) std::puts(workload.name.c_str());
    return 0;
  }
  if (names.empty()) {
    for (const Description& workload : all) names.push_back(workload.name);
  }
  const auto take = [&](const char* option) {
    const bool given = !names.empty() && names[0] == option;
    if (given) names.erase(names.begin());
    return given;
  };
  const bool one = take("--one"), first = take("--first"), compilation = take("--compile");
  for (const std::string& name : names) {
    const auto found =
        std::find_if(all.begin(), all.end(), [&](const Description& workload) { return workload.name == name; });
    if (found == all.end()) {
      std::printf("{\"peer\": \"pellucid\", \"workload\": \"%s\", \"us\": null, \"us_min\": null}\n", name.c_str());
      std::fflush(stdout);
    } else if (one) {
      bench::Training training = found->make();
      bench::run_steps(training, 1);
    } else if (compilation) {
      bench::time_compilation(*found);
    } else {
      char more[64] = "";
      if (first) std::snprintf(more, sizeof more, ", \"us_first\": %.0f", bench::first_step(name));
      bench::time(*found, more);
    }
  }
  return 0;
}
