// Element types: what an array's elements are, how large they are, and what two of them promote to.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace pellucid {

/// The type of an array's elements. `kFloat32` is the default wherever a float type is not named.
enum class DType : std::uint8_t { kBool, kUInt8, kInt32, kInt64, kBFloat16, kFloat32, kFloat64 };

/// The number of element types; tables indexed by DType have this many entries.
inline constexpr std::size_t kDTypes = 7;

/// Every element type, in the order of promotion.
inline constexpr std::array<DType, kDTypes> kAllDTypes = {
    DType::kBool, DType::kUInt8, DType::kInt32, DType::kInt64, DType::kBFloat16, DType::kFloat32, DType::kFloat64};

inline constexpr DType float32 = DType::kFloat32;
inline constexpr DType float64 = DType::kFloat64;
inline constexpr DType bfloat16 = DType::kBFloat16;
inline constexpr DType int32 = DType::kInt32;
inline constexpr DType int64 = DType::kInt64;
inline constexpr DType uint8 = DType::kUInt8;
inline constexpr DType bool_ = DType::kBool;

/// Bytes of one element: 1 (bool, uint8), 2 (bfloat16), 4 (int32, float32) or 8 (int64, float64).
constexpr std::size_t size_of(DType dtype) {
  constexpr std::array<std::size_t, kDTypes> sizes = {1, 1, 4, 8, 2, 4, 8};
  return sizes[static_cast<std::size_t>(dtype)];
}

/// The name as the array API standard spells it: "float32", "bool", ...
constexpr std::string_view name_of(DType dtype) {
  constexpr std::array<std::string_view, kDTypes> names = {"bool",     "uint8",   "int32",  "int64",
                                                           "bfloat16", "float32", "float64"};
  return names[static_cast<std::size_t>(dtype)];
}

constexpr bool is_float(DType dtype) { return dtype >= DType::kBFloat16; }
constexpr bool is_integer(DType dtype) { return dtype > DType::kBool && dtype < DType::kBFloat16; }

/// The type that holds both, as in the array API standard (2023.12, "Type promotion rules"), and beyond it: an integer
/// or bool array meeting a float one becomes that float type; bool meeting an integer becomes the integer; uint8 with
/// int32 is int32; bfloat16 with float32 is float32.
constexpr DType promote(DType a, DType b) { return a < b ? b : a; }

/// A bfloat16 number as it is stored: the upper half of a float32. Conversions round to nearest, ties to even.
struct BFloat16 {
  std::uint16_t bits;
};

}  // namespace pellucid
