// Reading dates: ISO 8601, and the ways they are written in tables.
#include "data/dates.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>

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

struct Day {
  std::int64_t year = 0, month = 0, day = 0;
};
struct Time {
  std::int64_t hour = 0, minute = 0, second = 0;
  double fraction = 0;
  std::int64_t offset = 0;  // minutes east of UTC
};

bool valid(const Day& day) {
  return day.year > 0 && day.month >= 1 && day.month <= 12 && day.day >= 1 &&
         day.day <= days_in_month(day.year, day.month);
}

// ":mm[:ss[.f]]", behind the hour.
bool take_minutes(std::string_view& text, Time& time) {
  if (!take(text, ':') || !take(text, 2, time.minute)) return false;
  if (!take(text, ':')) return true;
  if (!take(text, 2, time.second)) return false;
  if (!take(text, '.')) return true;
  std::int64_t digit = 0;
  double place = 1;
  if (!take(text, 1, digit)) return false;
  do {
    place *= 10;
    time.fraction += static_cast<double>(digit) / place;
  } while (take(text, 1, digit));
  return true;
}

// "Z", "+02:00", "+0200", "+02", or nothing.
bool take_offset(std::string_view& text, Time& time) {
  const bool east = text.starts_with('+');
  if (take(text, 'Z') || !(take(text, '+') || take(text, '-'))) return true;
  std::int64_t hours = 0, minutes = 0;
  if (!take(text, 2, hours)) return false;
  const bool colon = take(text, ':');
  if ((colon || !text.empty()) && !take(text, 2, minutes)) return false;
  if (hours > 23 || minutes > 59) return false;
  time.offset = (east ? 1 : -1) * (hours * 60 + minutes);
  return true;
}

// One or two digits.
bool take_short(std::string_view& text, std::int64_t& value) { return take(text, 2, value) || take(text, 1, value); }

// "13:30", "1:30:05 PM".
bool take_clock(std::string_view& text, Time& time) {
  if (!take_short(text, time.hour) || !take_minutes(text, time)) return false;
  take(text, ' ');
  if (text.size() != 2 || (text[1] != 'M' && text[1] != 'm')) return true;
  const bool morning = text[0] == 'A' || text[0] == 'a';
  if ((!morning && text[0] != 'P' && text[0] != 'p') || time.hour < 1 || time.hour > 12) return false;
  time.hour = time.hour % 12 + (morning ? 0 : 12);
  text = {};
  return true;
}

// An English month from its third letter on: "Jul", "Sept", "JULY", and "Jul." with its point before a blank.
bool take_month(std::string_view& text, std::int64_t& month) {
  constexpr std::array<std::string_view, 12> kMonths = {"january",   "february", "march",    "april",
                                                        "may",       "june",     "july",     "august",
                                                        "september", "october",  "november", "december"};
  std::string word;
  for (const char c : text.substr(0, 10)) {
    const char small = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    if (small < 'a' || small > 'z') break;
    word += small;
  }
  const auto* const named =
      std::find_if(kMonths.begin(), kMonths.end(), [&](std::string_view name) { return name.starts_with(word); });
  if (word.size() < 3 || named == kMonths.end()) return false;
  month = named - kMonths.begin() + 1;
  text.remove_prefix(word.size());
  if (text.starts_with(". ")) take(text, '.');
  return true;
}

// "2 Jul 2024", "02-Jul-2024"; "July 2, 2024", "Jul-2-2024": behind the first part stands one of / . - and blank.
bool take_named_day(std::string_view& text, DateFormat format, Day& day) {
  const bool day_first = format == DateFormat::kDayFirst;
  if (!(day_first ? take_short(text, day.day) : take_month(text, day.month)) || text.empty()) return false;
  const char separator = text[0];
  if (separator != '/' && separator != '.' && separator != '-' && separator != ' ') return false;
  take(text, separator);
  if (!(day_first ? take_month(text, day.month) : take_short(text, day.day))) return false;
  if (separator == ' ') take(text, ',');
  return take(text, separator) && take(text, 4, day.year);
}

bool take_day(std::string_view& text, DateFormat format, Day& day) {
  if (format == DateFormat::kIso) {
    return take(text, 4, day.year) && take(text, '-') && take(text, 2, day.month) && take(text, '-') &&
           take(text, 2, day.day);
  }
  const auto take_number = [&](char part) {
    if (part == 'y') return take(text, 4, day.year);
    return take_short(text, part == 'm' ? day.month : day.day);
  };
  const std::string_view order = format == DateFormat::kYearFirst  ? "ymd"
                                 : format == DateFormat::kDayFirst ? "dmy"
                                                                   : "mdy";
  if (!take_number(order[0]) || text.empty()) return false;
  const char separator = text[0];
  if (separator != '/' && separator != '.' && separator != '-') return false;
  return take(text, separator) && take_number(order[1]) && take(text, separator) && take_number(order[2]);
}

}  // namespace

std::string_view name_of(DateFormat format) {
  for (const auto& [value, name] : kDateFormats) {
    if (value == format) return name;
  }
  return "";
}

std::optional<DateFormat> date_format(std::string_view name) {
  for (const auto& [value, known] : kDateFormats) {
    if (known == name) return value;
  }
  return {};
}

std::optional<DateParts> parse_date(std::string_view text, DateFormat format) {
  Day day;
  Time time;
  if (format == DateFormat::kTime) {
    if (!take_clock(text, time)) return {};
  } else {
    const bool may_be_named = format == DateFormat::kDayFirst || format == DateFormat::kMonthFirst;
    std::string_view named = text;
    if (may_be_named && take_named_day(named, format, day)) {
      text = named;
    } else if (!take_day(text, format, day)) {
      return {};
    }
    if (!valid(day)) return {};
    if (!text.empty()) {
      const bool iso = format == DateFormat::kIso;
      if (!(iso && take(text, 'T')) && !take(text, ' ')) return {};
      if (iso ? !(take(text, 2, time.hour) && take_minutes(text, time) && take_offset(text, time))
              : !take_clock(text, time))
        return {};
    }
  }
  if (!text.empty() || time.hour > 23 || time.minute > 59 || time.second > 60) return {};
  const std::int64_t seconds = time.hour * 3600 + (time.minute - time.offset) * 60 + time.second;
  if (format == DateFormat::kTime) return DateParts{0, 0, 0, (static_cast<double>(seconds) + time.fraction) / 3600.0};
  const std::int64_t days = days_from_civil(day.year, day.month, day.day);
  const double day_number = static_cast<double>(days) + (static_cast<double>(seconds) + time.fraction) / 86400.0;
  const std::int64_t weekday = ((days + 3) % 7 + 7) % 7;
  return DateParts{day_number, static_cast<double>(day.month), static_cast<double>(weekday),
                   static_cast<double>(time.hour)};
}

}  // namespace pellucid::data
