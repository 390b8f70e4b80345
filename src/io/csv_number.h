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

/// How many of the eight bytes, each xor '0', are digits before the first that is none.
inline int count_digits(std::uint64_t digits) {
  // Adding 0x76 sets the high bit from 10 on. What carries spoils later bytes alone, and only the first one counts.
  const std::uint64_t others = ((digits + kOnes * 0x76) | digits) & kHighBits;
  return others == 0 ? 8 : std::countr_zero(others) / 8;
}

/// The number that the first `count` (0 to 8) of them make.
inline std::uint64_t join_digits(std::uint64_t digits, int count) {
  std::uint64_t value = count == 0 ? 0 : digits << (64 - 8 * count);
  value = value * 10 + (value >> 8);  // pairs of digits in every second byte
  value = (value & 0x00FF00FF00FF00FF) * 100 + ((value >> 16) & 0x00FF00FF00FF00FF);
  value = (value & 0x0000FFFF0000FFFF) * 10000 + ((value >> 32) & 0x0000FFFF0000FFFF);
  return value & 0xFFFFFFFF;
}

/// Appends the digits at p to mantissa, modulo 2^64, eight at a time: a loop over single digits mispredicts its end.
inline const char* append_digits(const char* p, const char* end, std::uint64_t& mantissa) {
  constexpr std::ptrdiff_t kBlock = 8;
  while (end - p >= kBlock) {
    const std::uint64_t digits = load_word(p) ^ (kOnes * '0');
    const int count = count_digits(digits);
    if (count == 0) return p;
    mantissa = mantissa * kFactors[static_cast<std::size_t>(count)] + join_digits(digits, count);
    p += count;
    if (count < 8) return p;
  }
  while (p != end && static_cast<unsigned char>(*p - '0') < 10) {
    mantissa = mantissa * 10 + static_cast<unsigned char>(*p++ - '0');
  }
  return p;
}

inline double with_sign(double magnitude, bool negative) {
  const std::uint64_t sign = negative ? std::uint64_t{1} << 63U : 0;
  return std::bit_cast<double>(std::bit_cast<std::uint64_t>(magnitude) | sign);
}

}  // namespace detail

/// parse_field_number for numbers of many digits, with exponents, or close to `end`.
ParsedNumber parse_long_number(const char* p, const char* end);

/// The number at the front of [p, end): "12", "-1.5", ".5", "1e-3", correctly rounded. Nothing for what begins in
/// another way: a blank, a plus, a letter, a quote.
[[gnu::always_inline]] inline ParsedNumber parse_field_number(const char* p, const char* end) {
  // Nearly all numbers have at most 7 digits before the point and 8 behind it: no loop, and few branches.
  constexpr std::ptrdiff_t kRoom = 1 + 8 + 1 + 8 + 1;
  if (end - p < kRoom) return parse_long_number(p, end);
  const bool minus = *p == '-';
  const char* q = p + (minus ? 1 : 0);
  const std::uint64_t whole = detail::load_word(q) ^ (detail::kOnes * '0');
  const int before = detail::count_digits(whole);
  q += before;
  const bool point = *q == '.';
  std::uint64_t mantissa = detail::join_digits(whole, before);
  int digits = before;
  double magnitude = 0;
  if (point) {
    const std::uint64_t part = detail::load_word(++q) ^ (detail::kOnes * '0');
    const int behind = detail::count_digits(part);
    q += behind;
    digits += behind;
    mantissa = mantissa * detail::kFactors[static_cast<std::size_t>(behind)] + detail::join_digits(part, behind);
    // Mantissa and power of ten are exact, so that their quotient is the correctly rounded number (Clinger 1990).
    magnitude =
        static_cast<double>(static_cast<std::int64_t>(mantissa)) / detail::kPowers[static_cast<std::size_t>(behind)];
  } else {
    magnitude = static_cast<double>(static_cast<std::int64_t>(mantissa));
  }
  const auto next = static_cast<unsigned>(static_cast<unsigned char>(*q));
  if (before == 8 || digits == 0 || next - '0' < 10U || (next | 0x20U) == 'e') return parse_long_number(p, end);
  return {q, detail::with_sign(magnitude, minus), point};
}

}  // namespace pellucid::io
