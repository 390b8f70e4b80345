// The bootstrap: rows drawn again with replacement, and intervals from the metrics of the draws.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "pellucid/assessment.h"

namespace pellucid::train {

/// How often each row was drawn. The sum is the number of rows.
using Counts = std::span<const std::uint32_t>;
/// Metrics of rows that count so often; NaN where one cannot be told. Called from several threads at once.
using Statistic = std::function<std::vector<double>(Counts)>;

/// values[draw][metric].
using Draws = std::vector<std::vector<double>>;
Draws draw(std::size_t rows, const Statistic& statistic, const AssessOptions& options);

/// An interval around each of `values` from the draws, where they tell one: fewer than one in twenty of a metric are
/// NaN, and they differ. `shrink`: what deviations are multiplied by, the draws being of fewer rows than the values.
/// `centre`: the metrics of the rows that were drawn from.
std::vector<std::optional<Interval>> intervals(const Draws& draws, const std::vector<double>& values,
                                               const std::vector<double>& centre, double shrink, double level);

/// The value below which `share` of a sorted list lies, linearly between neighbours.
double quantile(const std::vector<double>& sorted, double share);

/// The interval of a share of `count` that is `share` (Wilson 1927).
Interval wilson(double share, double count, double level);

/// Positions 0 .. rows - 1, or `most` of them chosen at random, ascending.
std::vector<std::int64_t> some_rows(std::int64_t rows, std::int64_t most, std::uint64_t seed);

/// Throws where an option is out of its range.
void check(const char* what, const AssessOptions& options);

}  // namespace pellucid::train
