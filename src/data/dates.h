// Dates as text, by ISO 8601.
#pragma once

#include <array>
#include <optional>
#include <string_view>

namespace pellucid::data {

/// The parts of a date that a network may use, in the order of kDateParts.
using DateParts = std::array<double, 4>;
inline constexpr std::array<std::string_view, 4> kDateParts = {"day", "month", "weekday", "hour"};

/// "2024-02-29", "2024-02-29 13:30", "2024-02-29T13:30:05.5Z", "...+02:00" (or +0200, +02) as: days since 1970-01-01 in
/// UTC with their fraction, month 1 to 12, weekday 0 (Monday) to 6, hour 0 to 23, the last three as written. Nothing
/// for any other text.
std::optional<DateParts> parse_date(std::string_view text);

}  // namespace pellucid::data
