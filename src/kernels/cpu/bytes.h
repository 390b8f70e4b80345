// Moving runs of bytes that are often short.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace pellucid::kernels {

namespace detail {

/// kSize <= n <= 2 * kSize bytes, as two moves that may overlap.
template <std::size_t kSize>
inline void copy_two(std::byte* dst, const std::byte* src, std::size_t n) {
  struct Chunk {
    std::byte bytes[kSize];
  };
  Chunk first, last;
  std::memcpy(&first, src, kSize);
  std::memcpy(&last, src + n - kSize, kSize);
  std::memcpy(dst, &first, kSize);
  std::memcpy(dst + n - kSize, &last, kSize);
}

}  // namespace detail

/// memcpy, without a call for 64 bytes or fewer.
inline void copy_bytes(void* dst_, const void* src_, std::size_t n) {
  auto* dst = static_cast<std::byte*>(dst_);
  const auto* src = static_cast<const std::byte*>(src_);
  if (n > 64) {
    std::memcpy(dst, src, n);
  } else if (n >= 32) {
    detail::copy_two<32>(dst, src, n);
  } else if (n >= 16) {
    detail::copy_two<16>(dst, src, n);
  } else if (n >= 8) {
    detail::copy_two<8>(dst, src, n);
  } else if (n >= 4) {
    detail::copy_two<4>(dst, src, n);
  } else if (n >= 2) {
    detail::copy_two<2>(dst, src, n);
  } else if (n == 1) {
    *dst = *src;
  }
}

/// Calls f with a null pointer of the unsigned type that has `size` bytes: 1, 2, 4 or 8.
template <class F>
decltype(auto) by_size(std::size_t size, F&& f) {
  switch (size) {
    case 1:
      return f(static_cast<std::uint8_t*>(nullptr));
    case 2:
      return f(static_cast<std::uint16_t*>(nullptr));
    case 4:
      return f(static_cast<std::uint32_t*>(nullptr));
    default:
      return f(static_cast<std::uint64_t*>(nullptr));
  }
}

}  // namespace pellucid::kernels
