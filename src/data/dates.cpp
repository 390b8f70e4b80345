// Reading ISO 8601 dates.
#include "data/dates.h"

#include <cstdint>

namespace pellucid::data {
namespace {

// Takes exactly `digits` digits from the front of `text`.
bool take(std::string_view& text, std::size_t digits, std::int64_t& value) {
  if (text.size() < digits) return false;
  value = 0;
  for (const char c : text.substr(0, digits)) {
    if (c < '0' || c > '9') return false;
    value = value * 10 + (c - '0');
  }
  text.remove_prefix(digits);
  return true;
}

bool take(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

// Days since 1970-01-01 in the proleptic Gregorian calendar; years run from March, so that leap days come last.
std::int64_t days_from_civil(std::int64_t year, std::int64_t month, std::int64_t day) {
  year -= month <= 2 ? 1 : 0;
  const std::int64_t era = year / 400;
  const std::int64_t year_of_era = year - era * 400;
  const std::int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  const std::int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + day_of_era - 719468;
}

std::int64_t days_in_month(std::int64_t year, std::int64_t month) {
  constexpr std::array<std::int64_t, 12> kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  return kDays[static_cast<std::size_t>(month - 1)] + (month == 2 && leap ? 1 : 0);
}

}  // namespace

std::optional<DateParts> parse_date(std::string_view text) {
  std::int64_t year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  if (!take(text, 4, year) || !take(text, '-') || !take(text, 2, month) || !take(text, '-') || !take(text, 2, day))
    return {};
  if (year == 0 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month)) return {};
  std::int64_t offset = 0;  // minutes east of UTC
  double fraction = 0;
  if (!text.empty()) {
    if (!take(text, 'T') && !take(text, ' ')) return {};
    if (!take(text, 2, hour) || !take(text, ':') || !take(text, 2, minute)) return {};
    if (take(text, ':')) {
      if (!take(text, 2, second)) return {};
      if (take(text, '.')) {
        std::int64_t digit = 0;
        double place = 1;
        if (!take(text, 1, digit)) return {};
        do {
          place *= 10;
          fraction += static_cast<double>(digit) / place;
        } while (take(text, 1, digit));
      }
    }
    const bool east = text.starts_with('+');
    if (!take(text, 'Z') && (take(text, '+') || take(text, '-'))) {
      std::int64_t hours = 0, minutes = 0;
      if (!take(text, 2, hours)) return {};
      const bool colon = take(text, ':');
      if ((colon || !text.empty()) && !take(text, 2, minutes)) return {};
      if (hours > 23 || minutes > 59) return {};
      offset = (east ? 1 : -1) * (hours * 60 + minutes);
    }
    if (!text.empty() || hour > 23 || minute > 59 || second > 60) return {};
  }
  const std::int64_t days = days_from_civil(year, month, day);
  const std::int64_t seconds = hour * 3600 + (minute - offset) * 60 + second;
  const double day_number = static_cast<double>(days) + (static_cast<double>(seconds) + fraction) / 86400.0;
  const std::int64_t weekday = ((days + 3) % 7 + 7) % 7;
  return DateParts{day_number, static_cast<double>(month), static_cast<double>(weekday), static_cast<double>(hour)};
}

}  // namespace pellucid::data
