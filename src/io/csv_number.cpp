// Reading the numbers of CSV: those that are not plain, and counting lines.
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

std::size_t count_line_feeds(const char* p, const char* end) {
  using detail::kHighBits;
  using detail::kOnes;
  std::size_t count = 0;
  for (; end - p >= 8; p += 8) {
    const std::uint64_t bytes = detail::load_word(p) ^ (kOnes * '\n');
    const std::uint64_t others = ((bytes & ~kHighBits) + ~kHighBits) | bytes;  // high bit where not zero
    count += (((~others & kHighBits) >> 7) * kOnes) >> 56;
  }
  for (; p != end; ++p) count += *p == '\n' ? 1 : 0;
  return count;
}

}  // namespace pellucid::io
