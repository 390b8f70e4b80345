// Tries elementwise functions on all 2^32 float32 numbers and prints the largest error of each and where it is. Built
// by hand or by the nightly job, not run by ctest: `sweep_float32 [function ...]`, all functions when none is named.
//
// The reference is the float64 kernel, which accuracy_test holds within a few units of float64 of long double formulas;
// against units of float32 its error is nothing. lgamma and digamma lose that near their zeros on the left.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "kernels/kernels.h"
#include "support/elementwise_reference.h"

namespace {

using pellucid::testing::UnaryReference;

struct Worst {
  double error = 0;
  float at = 0;
  bool unlike_limits = false;  // NaN or an infinity where the other has none
};

/// The error in units in the last place of float32; both values finite.
double error_in_units(float value, double exact) {
  std::uint64_t bits;
  std::memcpy(&bits, &exact, sizeof bits);
  const int exponent = std::max(static_cast<int>(bits >> 52 & 0x7FF) - 1023 - 23, -149);
  const std::uint64_t inverse = static_cast<std::uint64_t>(1023 - exponent) << 52;
  double scale;
  std::memcpy(&scale, &inverse, sizeof scale);
  return std::fabs(static_cast<double>(value) - exact) * scale;
}

Worst sweep(const UnaryReference& row) {
  constexpr std::uint64_t kBlock = 4096, kBlocks = (std::uint64_t{1} << 32) / kBlock;
  const pellucid::kernels::Maps& maps = pellucid::kernels::map_table().*row.maps;
  const pellucid::kernels::Map widen =
      pellucid::kernels::map_table().cast[static_cast<std::size_t>(pellucid::float64)][pellucid::float32];
  const unsigned threads = std::max(1U, std::thread::hardware_concurrency());
  std::atomic<std::uint64_t> next{0};
  std::vector<Worst> worst(threads);
  std::vector<std::thread> pool;
  for (unsigned t = 0; t < threads; ++t) {
    pool.emplace_back([&, t] {
      std::vector<float> x(kBlock), y(kBlock);
      std::vector<double> wide(kBlock), exact(kBlock);
      for (std::uint64_t block = next++; block < kBlocks; block = next++) {
        for (std::uint64_t i = 0; i < kBlock; ++i) {
          const auto bits = static_cast<std::uint32_t>(block * kBlock + i);
          std::memcpy(&x[i], &bits, sizeof bits);
        }
        widen(wide.data(), x.data(), nullptr, nullptr, kBlock);
        maps[pellucid::float32](y.data(), x.data(), nullptr, nullptr, kBlock);
        maps[pellucid::float64](exact.data(), wide.data(), nullptr, nullptr, kBlock);
        for (std::uint64_t i = 0; i < kBlock; ++i) {
          const float rounded = static_cast<float>(exact[i]);
          if (rounded == y[i] || (rounded != rounded && y[i] != y[i])) {
            if (!std::isfinite(rounded)) continue;
          } else if (!std::isfinite(rounded) || !std::isfinite(y[i])) {
            worst[t] = {worst[t].error, x[i], true};
            continue;
          }
          const double error = error_in_units(y[i], exact[i]);
          if (error > worst[t].error && !worst[t].unlike_limits) worst[t] = {error, x[i], false};
        }
      }
    });
  }
  for (std::thread& thread : pool) thread.join();
  return *std::max_element(worst.begin(), worst.end(), [](const Worst& a, const Worst& b) {
    return a.unlike_limits != b.unlike_limits ? b.unlike_limits : a.error < b.error;
  });
}

}  // namespace

int main(int count, char** names) {
  int failures = 0;
  for (const UnaryReference& row : pellucid::testing::unary_references()) {
    bool wanted = count == 1;
    for (int i = 1; i < count; ++i) wanted = wanted || std::string(names[i]) == row.name;
    if (!wanted) continue;
    const Worst worst = sweep(row);
    std::printf("%-12s %.4f ulp at %a%s\n", row.name, worst.error, static_cast<double>(worst.at),
                worst.unlike_limits ? ", where only one of the two is finite" : "");
    std::fflush(stdout);
    failures += worst.unlike_limits || worst.error > row.bound32 ? 1 : 0;
  }
  return failures == 0 ? 0 : 1;
}
