// The remainder of one division of float64 numbers whose quotient does not fit 53 bits, by integer arithmetic.
#pragma once

#include <cstdint>
#include <cstring>

namespace pellucid::kernels {

/// x - trunc(x / y) y without error, for finite x and y, y not 0.
static inline double exact_remainder(double x, double y) {
  __extension__ typedef unsigned __int128 Wide;
  std::uint64_t a, b;
  std::memcpy(&a, &x, sizeof a);
  std::memcpy(&b, &y, sizeof b);
  const std::uint64_t sign = a >> 63 << 63;
  a ^= sign;
  b = b << 1 >> 1;
  if (a < b) return x;

  // Each is m 2^e with m below 2^53.
  const std::uint64_t fraction = 0x000FFFFFFFFFFFFF, hidden = 0x0010000000000000;
  const int top_a = static_cast<int>(a >> 52), top_b = static_cast<int>(b >> 52);
  const int exponent = top_b == 0 ? 1 : top_b;
  int steps = (top_a == 0 ? 1 : top_a) - exponent;
  const std::uint64_t divisor = (b & fraction) | (top_b == 0 ? 0 : hidden);
  std::uint64_t r = ((a & fraction) | (top_a == 0 ? 0 : hidden)) % divisor;
  // 2^steps mod divisor by squaring: at most eleven of them.
  std::uint64_t power = 2 % divisor;
  for (; steps > 0; steps >>= 1) {
    if (steps & 1) r = static_cast<std::uint64_t>(static_cast<Wide>(r) * power % divisor);
    power = static_cast<std::uint64_t>(static_cast<Wide>(power) * power % divisor);
  }

  std::uint64_t bits = 0;
  if (r != 0) {
    const int up = __builtin_clzll(r) - 11;  // to bring the leading bit to bit 52
    const int lift = up < exponent - 1 ? up : exponent - 1;
    r <<= lift;
    const int biased = exponent - lift;
    bits = (r & hidden) != 0 ? (r & fraction) | static_cast<std::uint64_t>(biased) << 52 : r;
  }
  bits |= sign;
  double result;
  std::memcpy(&result, &bits, sizeof result);
  return result;
}

}  // namespace pellucid::kernels
