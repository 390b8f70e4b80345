// Numbers brought to scale: the rule fitted to training values, and applied.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "pellucid/data.h"

namespace pellucid::data {

/// The number of Number::knots, where there are any.
inline constexpr std::size_t kKnots = 128;

/// The quantile of ascending values, with linear interpolation between neighbours.
double quantile(const std::vector<double>& sorted, double q);

/// The rule for values, which are at most kLargest and not empty; nothing where they are all the same.
std::optional<Number> fit_number(std::vector<double> values, Scaling scaling);

/// Brings values to scale in place; what is missing (NaN) becomes 0. Results are finite.
void scale(const Number& number, std::span<double> values);

}  // namespace pellucid::data
