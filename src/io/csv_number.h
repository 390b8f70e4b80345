// Reading the numbers of CSV quickly: most fields of most large files are plain decimals.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace pellucid::io {

struct ParsedNumber {
  const char* end = nullptr;  // behind the number; null where there is none
  double value = 0;
  bool has_point = false;
};

/// The number at the front of [p, end), correctly rounded, whatever its length and exponent.
ParsedNumber parse_any_number(const char* p, const char* end, bool has_point);

/// How often '\n' is in [p, end).
std::size_t count_line_feeds(const char* p, const char* end);

namespace detail {

inline constexpr std::uint64_t kOnes = 0x0101010101010101, kHighBits = 0x8080808080808080;

inline std::uint64_t load_word(const char* p) {
  std::uint64_t bytes = 0;
  std::memcpy(&bytes, p, sizeof bytes);
  return bytes;
}

/// The powers of ten that are exact in double.
inline constexpr std::array<double, 23> kPowers = [] {
  std::array<double, 23> powers{};
  double power = 1;
  for (double& p : powers) {
    p = power;
    power *= 10;
  }
  return powers;
}();

inline constexpr std::array<std::uint64_t, 9> kFactors = {1,      10,      100,      1000,     10000,
                                                          100000, 1000000, 10000000, 100000000};

/// Appends the digits at p to mantissa, modulo 2^64, eight at a time: a loop over single digits mispredicts its end.
inline const char* append_digits(const char* p, const char* end, std::uint64_t& mantissa) {
  constexpr std::ptrdiff_t kBlock = 8;
  while (end - p >= kBlock) {
    const std::uint64_t digits = load_word(p) ^ (kOnes * '0');
    // Adding 0x76 sets the high bit from 10 on. What carries spoils later bytes alone, and only the first one counts.
    const std::uint64_t others = ((digits + kOnes * 0x76) | digits) & kHighBits;
    const int count = others == 0 ? 8 : std::countr_zero(others) / 8;
    if (count == 0) return p;
    std::uint64_t value = digits << (64 - 8 * count);
    value = value * 10 + (value >> 8);  // pairs of digits in every second byte
    value = (value & 0x00FF00FF00FF00FF) * 100 + ((value >> 16) & 0x00FF00FF00FF00FF);
    value = (value & 0x0000FFFF0000FFFF) * 10000 + ((value >> 32) & 0x0000FFFF0000FFFF);
    mantissa = mantissa * kFactors[static_cast<std::size_t>(count)] + (value & 0xFFFFFFFF);
    p += count;
    if (count < 8) return p;
  }
  while (p != end && static_cast<unsigned char>(*p - '0') < 10) {
    mantissa = mantissa * 10 + static_cast<unsigned char>(*p++ - '0');
  }
  return p;
}

}  // namespace detail

/// The number at the front of [p, end): "12", "-1.5", ".5", "1e-3", correctly rounded. Nothing for what begins in
/// another way: a blank, a plus, a letter, a quote.
inline ParsedNumber parse_field_number(const char* p, const char* end) {
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
  // Mantissa and power of ten are exact, so that their quotient is the correctly rounded number (Clinger 1990).
  constexpr std::ptrdiff_t kDigits = 15;  // 10^15 < 2^53
  if (count > kDigits || (p != end && (*p == 'e' || *p == 'E'))) return parse_any_number(begin, end, has_point);
  auto magnitude = static_cast<double>(static_cast<std::int64_t>(mantissa));
  if (decimals != 0) magnitude /= detail::kPowers[static_cast<std::size_t>(decimals)];
  const std::uint64_t sign = negative ? std::uint64_t{1} << 63 : 0;
  return {p, std::bit_cast<double>(std::bit_cast<std::uint64_t>(magnitude) | sign), has_point};
}

}  // namespace pellucid::io
