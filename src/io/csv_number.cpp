// Reading the numbers of CSV: those that are not plain.
#include "io/csv_number.h"

#include <fast_float/fast_float.h>

namespace pellucid::io {

ParsedNumber parse_any_number(const char* p, const char* end, bool has_point) {
  ParsedNumber number{nullptr, 0, has_point};
  const auto result = fast_float::from_chars(p, end, number.value);
  // Beyond the range of double the value is set to an infinity or zero, which is what is meant.
  if (result.ec == std::errc() || result.ec == std::errc::result_out_of_range) number.end = result.ptr;
  return number;
}

ParsedNumber parse_long_number(const char* p, const char* end) {
  const char* begin = p;
  const bool negative = p != end && *p == '-';
  p += negative ? 1 : 0;
  const char* first = p;
  std::uint64_t mantissa = 0;
  p = detail::append_digits(p, end, mantissa);
  std::ptrdiff_t count = p - first, decimals = 0;
  const bool has_point = p != end && *p == '.';
  if (has_point) {
    const char* point = ++p;
    p = detail::append_digits(p, end, mantissa);
    decimals = p - point;
    count += decimals;
  }
  if (count == 0) return {};
  constexpr std::ptrdiff_t kDigits = 15;  // 10^15 < 2^53: see parse_field_number
  if (count > kDigits || (p != end && (*p == 'e' || *p == 'E'))) return parse_any_number(begin, end, has_point);
  auto magnitude = static_cast<double>(static_cast<std::int64_t>(mantissa));
  if (decimals != 0) magnitude /= detail::kPowers[static_cast<std::size_t>(decimals)];
  return {p, detail::with_sign(magnitude, negative), has_point};
}

}  // namespace pellucid::io
