// Checks on rows that a caller gives.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "pellucid/data.h"

namespace pellucid::data {

/// The largest magnitude of a number whose square, summed over any number of rows, is finite.
inline constexpr double kLargest = 1e150;

/// Throws Error, its message beginning with `what`, where a row is not in the table or a column is not as long as it.
void check_rows(std::string_view what, const Table& table, std::span<const std::int64_t> rows);

}  // namespace pellucid::data
