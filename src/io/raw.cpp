// Decoding the element types and byte orders of files.
#include "io/raw.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include "base/fail.h"

namespace pellucid::io {
namespace {

static_assert(std::endian::native == std::endian::little, "files are read and written as the bytes stand in memory");

// IEEE 754 binary16, exactly.
float from_half(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000U) << 16U;
  const std::uint32_t exponent = (bits >> 10U) & 0x1FU;
  const std::uint32_t mantissa = bits & 0x3FFU;
  if (exponent == 0) {
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24F;
    return sign != 0 ? -magnitude : magnitude;
  }
  const std::uint32_t wide = exponent == 31 ? 0xFFU : exponent + 112;
  return std::bit_cast<float>(sign | (wide << 23U) | (mantissa << 13U));
}

template <class T>
T load(const char* p, bool swap) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, p, sizeof(T));
  if (swap) std::reverse(bytes, bytes + sizeof(T));
  T value;
  std::memcpy(&value, bytes, sizeof(T));
  return value;
}

// Reads elements of type From and keeps convert(element).
template <class From, class Convert>
void convert(RawArray& out, std::string_view bytes, bool swap, Convert convert_one) {
  using To = decltype(convert_one(From{}));
  const std::size_t count = bytes.size() / sizeof(From);
  out.size = count * sizeof(To);
  out.owned.reset(new char[out.size]);
  for (std::size_t i = 0; i < count; ++i) {
    const To value = convert_one(load<From>(bytes.data() + i * sizeof(From), swap));
    std::memcpy(out.owned.get() + i * sizeof(To), &value, sizeof(To));
  }
  out.data = out.owned.get();
}

template <class From, class To = From>
void widen(RawArray& out, std::string_view bytes, bool swap) {
  convert<From>(out, bytes, swap, [](From x) { return static_cast<To>(x); });
}

}  // namespace

std::size_t size_of(Stored type) {
  switch (type) {
    case Stored::kBool:
    case Stored::kInt8:
    case Stored::kUInt8:
      return 1;
    case Stored::kInt16:
    case Stored::kUInt16:
    case Stored::kFloat16:
    case Stored::kBFloat16:
      return 2;
    case Stored::kInt32:
    case Stored::kUInt32:
    case Stored::kFloat32:
      return 4;
    default:
      return 8;
  }
}

DType dtype_of(Stored type) {
  switch (type) {
    case Stored::kBool:
      return DType::kBool;
    case Stored::kUInt8:
      return DType::kUInt8;
    case Stored::kInt8:
    case Stored::kInt16:
    case Stored::kUInt16:
    case Stored::kInt32:
      return DType::kInt32;
    case Stored::kUInt32:
    case Stored::kInt64:
    case Stored::kUInt64:
      return DType::kInt64;
    case Stored::kBFloat16:
      return DType::kBFloat16;
    case Stored::kFloat64:
      return DType::kFloat64;
    default:
      return DType::kFloat32;
  }
}

Array RawArray::to_array() const { return Array::from_memory(data, size / size_of(dtype), shape, dtype); }

bool count_bytes(const Shape& shape, std::size_t size, std::size_t& bytes) {
  if (shape.size() > static_cast<std::size_t>(kMaxRank)) return false;
  constexpr std::size_t kWidest = 8;  // an element may be wider in memory than in the file
  constexpr std::size_t kMost = static_cast<std::size_t>(std::numeric_limits<std::int64_t>::max()) / kWidest;
  std::size_t product = 1;
  bool zero = false;
  for (const std::int64_t n : shape) {
    if (n < 0) return false;
    zero |= n == 0;
    const auto factor = static_cast<std::size_t>(std::max<std::int64_t>(n, 1));
    if (product > kMost / factor) return false;
    product *= factor;
  }
  bytes = zero ? 0 : product * size;
  return true;
}

RawArray decode(std::string_view bytes, Stored type, const Shape& shape, bool big_endian, std::string_view where) {
  RawArray out{.dtype = dtype_of(type), .shape = shape, .owned = nullptr, .data = bytes.data(), .size = bytes.size()};
  const bool swap = big_endian;
  switch (type) {
    case Stored::kBool:
      convert<std::uint8_t>(out, bytes, false, [](std::uint8_t x) { return x != 0; });
      break;
    case Stored::kUInt8:
      break;
    case Stored::kInt8:
      widen<std::int8_t, std::int32_t>(out, bytes, swap);
      break;
    case Stored::kInt16:
      widen<std::int16_t, std::int32_t>(out, bytes, swap);
      break;
    case Stored::kUInt16:
      widen<std::uint16_t, std::int32_t>(out, bytes, swap);
      break;
    case Stored::kUInt32:
      widen<std::uint32_t, std::int64_t>(out, bytes, swap);
      break;
    case Stored::kUInt64:
      convert<std::uint64_t>(out, bytes, swap, [&](std::uint64_t x) {
        if (x > std::numeric_limits<std::int64_t>::max()) {
          base::fail("{}: the integer {} does not fit int64; save the array as int64 or float64", where, x);
        }
        return static_cast<std::int64_t>(x);
      });
      break;
    case Stored::kFloat16:
      convert<std::uint16_t>(out, bytes, swap, from_half);
      break;
    case Stored::kBFloat16:
      if (swap) widen<std::uint16_t>(out, bytes, swap);
      break;
    case Stored::kInt32:
    case Stored::kFloat32:
      if (swap) widen<std::uint32_t>(out, bytes, swap);
      break;
    case Stored::kInt64:
    case Stored::kFloat64:
      if (swap) widen<std::uint64_t>(out, bytes, swap);
      break;
  }
  return out;
}

}  // namespace pellucid::io
