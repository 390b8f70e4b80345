// Dates and times as text.
#pragma once

#include <array>
#include <optional>
#include <string_view>
#include <utility>

namespace pellucid::data {

/// The parts of a date that a network may use, in the order of kDateParts.
using DateParts = std::array<double, 4>;
inline constexpr std::array<std::string_view, 4> kDateParts = {"day", "month", "weekday", "hour"};

/// How dates are written. All but kIso take / . and - between numbers, one or two digits for day and month, and behind
/// a blank a time as kTime has it. Where the day or the month is first, the month may be an English name or its first
/// three letters or more, in any case, and then a blank may stand between the parts too.
enum class DateFormat {
  kIso,         // 2024-02-29, 2024-02-29T13:30:05.5Z, "2024-02-29 13:30+02:00"
  kYearFirst,   // 2024/2/29
  kDayFirst,    // 29.2.2024, "29 Feb 2024", 29-February-2024
  kMonthFirst,  // 2/29/2024, "Feb 29, 2024"
  kTime,        // 13:30, 1:30:05 PM: an hour with its fraction, and no day
};
inline constexpr std::array<std::pair<DateFormat, std::string_view>, 5> kDateFormats = {
    {{DateFormat::kIso, "iso"},
     {DateFormat::kYearFirst, "year/month/day"},
     {DateFormat::kDayFirst, "day/month/year"},
     {DateFormat::kMonthFirst, "month/day/year"},
     {DateFormat::kTime, "time"}}};
std::string_view name_of(DateFormat format);
/// Nothing for a name that is none.
std::optional<DateFormat> date_format(std::string_view name);

/// The text as: days since 1970-01-01 in UTC with their fraction, month 1 to 12, weekday 0 (Monday) to 6, hour 0 to 23,
/// the last three as written; for kTime 0, 0, 0 and the hour with its fraction. Nothing for any other text.
std::optional<DateParts> parse_date(std::string_view text, DateFormat format = DateFormat::kIso);

}  // namespace pellucid::data
