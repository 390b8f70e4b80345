// Reduces one huge angle modulo pi / 2 by integer arithmetic (Payne and Hanek), for sines of numbers above 2^30.
#pragma once

#include <cstdint>
#include <cstring>

#include "kernels/cpu/polynomials.h"

namespace pellucid::kernels {

/// x = quarters pi / 2 + high + low modulo 2 pi, |high| <= pi / 4.
struct HugeAngle {
  double high, low;
  std::uint64_t quarters;
};

/// For 2^20 < |x| < inf; 0 gives 0.
///
/// With x = m 2^e, m below 2^53, x 2/pi modulo 4 is m times the bits of 2/pi from place e - 1 on: those above make
/// multiples of 4. 192 bits leave an error of 2^-137, and no float64 comes nearer than 2^-61 to a multiple of pi / 2.
static inline HugeAngle reduce_huge_angle(double x) {
  __extension__ typedef unsigned __int128 Wide;
  std::uint64_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  const int exponent = static_cast<int>(bits >> 52 & 0x7FF) - 1075;
  if (exponent < -62) return {0, 0, 0};
  const std::uint64_t m = (bits & 0x000FFFFFFFFFFFFF) | 0x0010000000000000;

  // The table has 64 zeros before the first place, so place e - 1 is at index e - 2 + 64.
  const unsigned first = static_cast<unsigned>(exponent + 62), word = first / 64, offset = first % 64;
  std::uint64_t w[3];
  for (unsigned i = 0; i < 3; ++i) {
    w[i] = kTwoOverPi[word + i] << offset;
    if (offset != 0) w[i] |= kTwoOverPi[word + i + 1] >> (64 - offset);
  }
  const Wide lowest = static_cast<Wide>(m) * w[2];
  const Wide middle = static_cast<Wide>(m) * w[1] + static_cast<std::uint64_t>(lowest >> 64);
  std::uint64_t p0 = static_cast<std::uint64_t>(lowest), p1 = static_cast<std::uint64_t>(middle);
  std::uint64_t p2 = m * w[0] + static_cast<std::uint64_t>(middle >> 64);

  // Two bits of quarters; the rest is a fraction, taken from the nearer end.
  std::uint64_t quarters = p2 >> 62;
  p2 = p2 << 2 | p1 >> 62;
  p1 = p1 << 2 | p0 >> 62;
  p0 <<= 2;
  const bool back = (p2 >> 63) != 0;
  if (back) {
    ++quarters;
    p0 = ~p0 + 1;
    p1 = ~p1 + (p0 == 0 ? 1 : 0);
    p2 = ~p2 + (p0 == 0 && p1 == 0 ? 1 : 0);
  }
  int shift = 0;
  if (p2 == 0) {
    p2 = p1;
    p1 = p0;
    p0 = 0;
    shift = 64;
  }
  const int zeros = p2 == 0 ? 0 : __builtin_clzll(p2);
  if (zeros != 0) {
    p2 = p2 << zeros | p1 >> (64 - zeros);
    p1 = p1 << zeros | p0 >> (64 - zeros);
  }
  shift += zeros;

  // fraction = (high + low) 2^-shift; then times pi / 2.
  const double unit = 0x1p-64;
  double high = static_cast<double>(p2 >> 11) * (2048 * unit);
  double low = static_cast<double>(((p2 & 0x7FF) << 42) | p1 >> 22) * (unit * 0x1p-42);
  const std::uint64_t power = static_cast<std::uint64_t>(1023 - shift) << 52;
  double scale;
  std::memcpy(&scale, &power, sizeof scale);
  const double sign = (bits >> 63 != 0) != back ? -scale : scale;
  high *= sign;
  low *= sign;
  const double first_part = 0x1.921fb54442d18p+0, second_part = 0x1.1a62633145c07p-54;
  const double product = high * first_part;
  const double rest = __builtin_fma(high, first_part, -product) + (high * second_part + low * first_part);
  const double sum = product + rest;
  return {sum, rest - (sum - product), bits >> 63 != 0 ? 0 - quarters : quarters};
}

}  // namespace pellucid::kernels
