// Times parallel loops of the thread pool: how long one takes that does nothing, and how fast a chain of short ones
// runs beside one thread. One JSON line for each. Usage: pool [threads]
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "base/thread_pool.h"

namespace {

using Clock = std::chrono::steady_clock;

/// Microseconds that one call of `run` takes: median and fastest of many.
template <class Run>
void report(const char* name, int calls, Run run) {
  std::vector<double> times;
  for (int call = 0; call < calls; ++call) {
    const Clock::time_point start = Clock::now();
    run();
    times.push_back(std::chrono::duration<double, std::micro>(Clock::now() - start).count());
  }
  std::sort(times.begin(), times.end());
  std::printf("{\"workload\":\"%s\",\"threads\":%d,\"us\":%.3f,\"us_min\":%.3f}\n", name, pellucid::threads(),
              times[times.size() / 2], times.front());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) pellucid::set_threads(std::atoi(argv[1]));
  using pellucid::base::parallel_for;
  const int pieces = std::max(2, pellucid::threads());
  report("empty_loop", 20000, [&] { parallel_for(pieces, [](std::int64_t) {}); });
  report("empty_loop_64_pieces", 20000, [&] { parallel_for(64, [](std::int64_t) {}); });

  // Fifteen loops of 16 pieces with 2 us of arithmetic each, as in a training step of half a millisecond.
  std::vector<double> sums(16);
  const auto work = [&](std::int64_t piece) {
    double sum = static_cast<double>(piece);
    for (int i = 0; i < 450; ++i) sum = std::fma(sum, 0.999, 1.0);
    sums[static_cast<std::size_t>(piece)] = sum;
  };
  report("fifteen_loops", 1000, [&] {
    for (int loop = 0; loop < 15; ++loop) parallel_for(16, work);
  });
  report("fifteen_loops_serial", 1000, [&] {
    for (int loop = 0; loop < 15; ++loop) parallel_for(16, work, 1);
  });
}
