// Draws and intervals.
#include "train/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/fail.h"
#include "base/philox.h"
#include "base/thread_pool.h"
#include "pellucid/ops.h"

namespace pellucid::train {
namespace {

constexpr double kSqrtTwo = 1.4142135623730951;
// Streams of Philox: those of the draws are their numbers.
constexpr std::uint64_t kChoice = std::uint64_t{1} << 40;

// A number below `range`, from 32 random bits.
std::size_t below(std::uint32_t bits, std::size_t range) {
  return static_cast<std::size_t>((std::uint64_t{bits} * range) >> 32);
}

std::vector<double> normal_quantiles(const std::vector<double>& shares) {
  return (erfinv(Array::from(shares) * 2.0 - 1.0) * kSqrtTwo).to_vector<double>();
}

std::vector<double> normal_shares(const std::vector<double>& quantiles) {
  return ((erf(Array::from(quantiles) * (1 / kSqrtTwo)) + 1.0) * 0.5).to_vector<double>();
}

}  // namespace

Draws draw(std::size_t rows, const Statistic& statistic, const AssessOptions& options) {
  Draws draws(static_cast<std::size_t>(options.resamples));
  base::parallel_for(options.resamples, [&](std::int64_t i) {
    std::vector<std::uint32_t> counts(rows);
    for (std::size_t row = 0; row < rows;) {
      for (const std::uint32_t bits : base::philox(options.seed, static_cast<std::uint64_t>(i), row / 4)) {
        if (row++ < rows) ++counts[below(bits, rows)];
      }
    }
    draws[static_cast<std::size_t>(i)] = statistic(counts);
  });
  return draws;
}

std::vector<std::optional<Interval>> intervals(const Draws& draws, const std::vector<double>& values,
                                               const std::vector<double>& centre, double shrink, double level) {
  const std::size_t metrics = values.size();
  std::vector<std::optional<Interval>> result(metrics);
  if (draws.empty()) return result;
  std::vector<std::vector<double>> sorted(metrics);
  std::vector<double> shares(metrics, 0.5);  // of draws below the value; equal ones count half
  for (std::size_t m = 0; m < metrics; ++m) {
    std::vector<double>& list = sorted[m];
    for (const auto& one : draws) {
      if (!std::isnan(one[m])) list.push_back(one[m]);
    }
    if (std::isnan(values[m]) || list.size() * 20 < draws.size() * 19) {
      list.clear();
      continue;
    }
    std::sort(list.begin(), list.end());
    const auto [first, last] = std::equal_range(list.begin(), list.end(), centre[m]);
    const auto under = static_cast<double>(first - list.begin()), equal = static_cast<double>(last - first);
    shares[m] = (under + equal / 2) / static_cast<double>(list.size());
  }
  const double reach = normal_quantiles({(1 + level) / 2})[0];
  std::vector<double> ends;
  for (const double bias : normal_quantiles(shares)) {
    // No more than the reach, so that the value itself stays inside.
    const double shift = 2 * std::clamp(bias, -reach, reach);
    ends.push_back(shift - reach);
    ends.push_back(shift + reach);
  }
  ends = normal_shares(ends);
  for (std::size_t m = 0; m < metrics; ++m) {
    if (sorted[m].empty() || sorted[m].front() == sorted[m].back()) continue;
    const double low = quantile(sorted[m], ends[2 * m]), high = quantile(sorted[m], ends[2 * m + 1]);
    result[m] = {.low = values[m] + std::min(0.0, (low - centre[m]) * shrink),
                 .high = values[m] + std::max(0.0, (high - centre[m]) * shrink)};
  }
  return result;
}

double quantile(const std::vector<double>& sorted, double share) {
  const double at = share * static_cast<double>(sorted.size() - 1);
  const auto left = static_cast<std::size_t>(at);
  const std::size_t right = std::min(left + 1, sorted.size() - 1);
  return sorted[left] + (sorted[right] - sorted[left]) * (at - static_cast<double>(left));
}

Interval wilson(double share, double count, double level) {
  const double z = normal_quantiles({(1 + level) / 2})[0];
  const double scale = 1 / (1 + z * z / count);
  const double middle = (share + z * z / (2 * count)) * scale;
  const double reach = z * scale * std::sqrt(share * (1 - share) / count + z * z / (4 * count * count));
  return {.low = share == 0 ? 0 : std::max(0.0, middle - reach),
          .high = share == 1 ? 1 : std::min(1.0, middle + reach)};
}

std::vector<std::int64_t> some_rows(std::int64_t rows, std::int64_t most, std::uint64_t seed) {
  std::vector<std::int64_t> chosen(static_cast<std::size_t>(rows));
  std::iota(chosen.begin(), chosen.end(), std::int64_t{0});
  if (rows <= most) return chosen;
  for (std::size_t i = 0; i < static_cast<std::size_t>(most); ++i) {
    std::swap(chosen[i], chosen[i + below(base::philox(seed, kChoice, i)[0], chosen.size() - i)]);
  }
  chosen.resize(static_cast<std::size_t>(most));
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

void check(const char* what, const AssessOptions& options) {
  if (options.resamples < 0 || options.resamples > 1'000'000) {
    base::fail("{}: {} resamples; give 0 to 1,000,000", what, options.resamples);
  }
  if (!(options.level > 0 && options.level < 1)) {
    base::fail("{}: the level of intervals is {} and must be above 0 and below 1", what, options.level);
  }
}

}  // namespace pellucid::train
