// Arrays as they stand in files: element types that the engine lacks, either byte order, sizes not yet believed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "pellucid/array.h"
#include "pellucid/dtype.h"

namespace pellucid::io {

/// An element type in a file.
enum class Stored {
  kBool,
  kInt8,
  kUInt8,
  kInt16,
  kUInt16,
  kInt32,
  kUInt32,
  kInt64,
  kUInt64,
  kFloat16,
  kBFloat16,
  kFloat32,
  kFloat64
};

/// Bytes of one element in the file.
std::size_t size_of(Stored type);
/// The element type that holds it in memory.
DType dtype_of(Stored type);

/// An array in memory of its own or, where the file holds it just as the engine does, in the file's bytes, which must
/// then outlive it. The data need not be aligned.
struct RawArray {
  DType dtype = DType::kFloat32;
  Shape shape;
  std::unique_ptr<char[]> owned;
  const char* data = nullptr;
  std::size_t size = 0;  // in bytes

  Array to_array() const;
};

/// The bytes of `shape` elements of `size` bytes; false where that, or as many float64, overflows, a size is negative,
/// or the rank is above kMaxRank. Sizes beside a zero must not overflow either.
bool count_bytes(const Shape& shape, std::size_t size, std::size_t& bytes);

/// Makes sense of `bytes`, whose length fits the type and shape. `big_endian` says the file's byte order. Throws Error
/// for an integer above 2^63 - 1, its message beginning with `where`.
RawArray decode(std::string_view bytes, Stored type, const Shape& shape, bool big_endian, std::string_view where);

}  // namespace pellucid::io
