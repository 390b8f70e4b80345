// Splitting rows into parts. Each row has a random number of its own, keyed by the seed; a part takes the lowest ones.
#include <algorithm>
#include <cmath>
#include <map>

#include "base/fail.h"
#include "base/philox.h"
#include "io/text.h"
#include "pellucid/data.h"

namespace pellucid::data {
namespace {

constexpr std::uint64_t kStream = 0x73706c6974;  // "split": apart from the streams of weights and batches

std::uint64_t key_of(std::uint64_t seed, std::int64_t row) {
  const base::PhiloxCounter words = base::philox(seed, kStream, static_cast<std::uint64_t>(row));
  return words[0] | static_cast<std::uint64_t>(words[1]) << 32U;
}

// The rows of each class in their random order. Without classes all rows are of one.
std::vector<Rows> shuffled_groups(std::string_view what, std::span<const std::int64_t> rows, std::uint64_t seed,
                                  std::span<const std::int32_t> classes) {
  std::map<std::int32_t, std::vector<std::pair<std::uint64_t, std::int64_t>>> groups;
  for (const std::int64_t row : rows) {
    if (!classes.empty() && (row < 0 || static_cast<std::size_t>(row) >= classes.size())) {
      base::fail("{}: row {} has no class among {}; give each row of the table one, -1 where it has none", what, row,
                 classes.size());
    }
    groups[classes.empty() ? 0 : classes[static_cast<std::size_t>(row)]].emplace_back(key_of(seed, row), row);
  }
  std::vector<Rows> result;
  for (auto& [number, keyed] : groups) {
    std::sort(keyed.begin(), keyed.end());
    Rows& group = result.emplace_back();
    for (const auto& [key, row] : keyed) group.push_back(row);
  }
  return result;
}

}  // namespace

Split split(std::span<const std::int64_t> rows, double fraction, std::uint64_t seed,
            std::span<const std::int32_t> classes) {
  if (!(fraction >= 0 && fraction < 1)) {
    base::fail("split: the share {} to hold out is not in [0, 1); 0.2 is usual", fraction);
  }
  const std::vector<Rows> groups = shuffled_groups("split", rows, seed, classes);
  // Whole shares first; the rows that are then missing go to the classes with the largest remainders.
  std::vector<std::size_t> take(groups.size());
  std::vector<std::pair<double, std::size_t>> remainders;
  std::size_t taken = 0;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    const double share = fraction * static_cast<double>(groups[g].size());
    take[g] = std::min(static_cast<std::size_t>(share), groups[g].size() - 1);
    taken += take[g];
    if (take[g] + 1 < groups[g].size()) remainders.emplace_back(static_cast<double>(take[g]) - share, g);
  }
  std::sort(remainders.begin(), remainders.end());
  auto wanted = static_cast<std::size_t>(std::floor(fraction * static_cast<double>(rows.size()) + 0.5));
  if (fraction > 0) wanted = std::max<std::size_t>(wanted, 1);
  for (const auto& [remainder, g] : remainders) {
    if (taken >= wanted) break;
    ++take[g];
    ++taken;
  }
  Split result;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    const auto middle = groups[g].begin() + static_cast<std::ptrdiff_t>(take[g]);
    result.held_out.insert(result.held_out.end(), groups[g].begin(), middle);
    result.training.insert(result.training.end(), middle, groups[g].end());
  }
  std::sort(result.held_out.begin(), result.held_out.end());
  std::sort(result.training.begin(), result.training.end());
  return result;
}

std::vector<Split> folds(std::span<const std::int64_t> rows, int count, std::uint64_t seed,
                         std::span<const std::int32_t> classes) {
  if (count < 2 || static_cast<std::size_t>(count) > rows.size()) {
    base::fail("folds: {} folds of {} rows; take from 2 to as many as there are rows", count, rows.size());
  }
  std::vector<Split> result(static_cast<std::size_t>(count));
  std::size_t next = 0;
  for (const Rows& group : shuffled_groups("folds", rows, seed, classes)) {
    for (const std::int64_t row : group) {
      for (std::size_t f = 0; f < result.size(); ++f)
        (f == next ? result[f].held_out : result[f].training).push_back(row);
      next = (next + 1) % result.size();
    }
  }
  for (Split& fold : result) {
    std::sort(fold.held_out.begin(), fold.held_out.end());
    std::sort(fold.training.begin(), fold.training.end());
  }
  return result;
}

}  // namespace pellucid::data
