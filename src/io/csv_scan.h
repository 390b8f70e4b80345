// Finding what ends a field of CSV: sixteen bytes at a time where every processor of the kind can (SSE2), else eight.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace pellucid::io {
namespace scan {

#if defined(__SSE2__)

inline constexpr std::ptrdiff_t kStep = 16;
inline constexpr int kBits = 1;  // of a mask, for each byte
using Mask = std::uint32_t;
/// A bit for each of kStep bytes at p that is one of `bytes`.
template <class... Chars>
Mask matches(const char* p, Chars... bytes) {
  const __m128i text = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  __m128i found = _mm_setzero_si128();
  ((found = _mm_or_si128(found, _mm_cmpeq_epi8(text, _mm_set1_epi8(bytes)))), ...);
  return static_cast<Mask>(_mm_movemask_epi8(found));
}

#else

inline constexpr std::ptrdiff_t kStep = 8;
inline constexpr int kBits = 8;
using Mask = std::uint64_t;
template <class... Chars>
Mask matches(const char* p, Chars... bytes) {
  constexpr std::uint64_t kOnes = 0x0101010101010101, kLow = 0x7F7F7F7F7F7F7F7F;
  std::uint64_t text = 0;
  std::memcpy(&text, p, sizeof text);
  if constexpr (std::endian::native == std::endian::big) text = __builtin_bswap64(text);
  Mask found = 0;
  const auto zero_bytes = [](std::uint64_t x) { return ~(((x & kLow) + kLow) | x | kLow); };
  ((found |= zero_bytes(text ^ kOnes * static_cast<unsigned char>(bytes))), ...);
  return found;
}

#endif

/// The first of `bytes` in [p, end); end where there is none.
template <class... Chars>
const char* find(const char* p, const char* end, Chars... bytes) {
  for (; end - p >= kStep; p += kStep) {
    const Mask found = matches(p, bytes...);
    if (found != 0) return p + std::countr_zero(found) / kBits;
  }
  while (p != end && ((*p != bytes) && ...)) ++p;
  return p;
}

}  // namespace scan

/// The first separator, line feed or carriage return in [p, end); end where there is none.
inline const char* find_field_end(const char* p, const char* end, char separator) {
  return scan::find(p, end, separator, '\n', '\r');
}

/// The first line feed or carriage return in [p, end); end where there is none.
inline const char* find_line_end(const char* p, const char* end) { return scan::find(p, end, '\n', '\r'); }

/// The first byte c in [p, end); end where there is none.
inline const char* find_byte(const char* p, const char* end, char c) { return scan::find(p, end, c); }

/// How often c stands in [p, end).
inline std::size_t count_byte(const char* p, const char* end, char c) {
  std::size_t count = 0;
#if defined(__SSE2__)
  const __m128i wanted = _mm_set1_epi8(c), zero = _mm_setzero_si128();
  while (end - p >= scan::kStep) {
    __m128i counts = zero;  // of each byte's place; 255 steps at most
    for (int i = 0; i < 255 && end - p >= scan::kStep; ++i, p += scan::kStep) {
      const __m128i text = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
      counts = _mm_sub_epi8(counts, _mm_cmpeq_epi8(text, wanted));
    }
    const __m128i sums = _mm_sad_epu8(counts, zero);
    count += static_cast<std::size_t>(_mm_cvtsi128_si64(sums) + _mm_cvtsi128_si64(_mm_unpackhi_epi64(sums, sums)));
  }
#endif
  for (; p != end; ++p) count += *p == c ? 1 : 0;
  return count;
}

}  // namespace pellucid::io
