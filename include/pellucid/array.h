// Arrays: n-dimensional values of one element type, computed when they are read.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "pellucid/dtype.h"
#include "pellucid/error.h"

namespace pellucid {

/// Sizes, outermost first; row-major. {} is a scalar's shape. At most kMaxRank of them.
using Shape = std::vector<std::int64_t>;
inline constexpr int kMaxRank = 16;

class Array;
using Arrays = std::vector<Array>;

/// A nested list of numbers in braces, as in `Array x = {{0, 1}, {2, 3}};`. All lists of one level have one length.
class Literal {
 public:
  template <class T>
  requires std::is_arithmetic_v<T> Literal(T value)
      : value_(static_cast<double>(value)) {}  // NOLINT(google-explicit-constructor)
  Literal(std::initializer_list<Literal> list) : list_(list), is_list_(true) {}

 private:
  friend class Array;
  double value_ = 0;
  std::vector<Literal> list_;
  bool is_list_ = false;
};

struct Node;  // src/array/node.h

/// A handle on a value: copying it copies no elements, and an array never changes once made.
///
/// A call on arrays checks its arguments at once and returns a node; reading a value (item, data, to_vector, printing,
/// evaluate) computes it. Threads may share arrays that have been evaluated, each through handles of its own; arrays
/// that rest on a common array without a value must be evaluated by one thread at a time.
class Array {
 public:
  /// No array at all: defined() is false. Stands for "absent" in arguments that may be left out.
  Array() = default;
  /// A scalar. It is *weak*: meeting an array of the same kind (bool, integer, float), it takes on that array's type;
  /// alone it is bool, int64 (exact; throws Error for an unsigned number beyond int64) or float32.
  template <class T>
  requires std::is_arithmetic_v<T> Array(T value) : Array(scalar_of(value)) {}  // NOLINT(google-explicit-constructor)
  /// A float32 array from nested lists; throws Error where the lists of one level differ in length.
  Array(std::initializer_list<Literal> list);  // NOLINT(google-explicit-constructor)
  /// A copy of `values` in row-major order. T: float, double, int32_t, int64_t, uint8_t, bool, BFloat16. Throws Error
  /// where the sizes do not multiply to the number of values.
  template <class T>
  static Array from(std::span<const T> values, const Shape& shape) {
    return from_memory(values.data(), values.size(), shape, dtype_of<T>());
  }
  template <class T>
  static Array from(const std::vector<T>& values, const Shape& shape) {
    return from(std::span<const T>(values), shape);
  }
  template <class T>
  static Array from(const std::vector<T>& values) {
    return from(std::span<const T>(values), {static_cast<std::int64_t>(values.size())});
  }
  /// The same over `count` elements of untyped memory.
  static Array from_memory(const void* values, std::size_t count, const Shape& shape, DType dtype);

  Array(const Array& other) noexcept;
  Array(Array&& other) noexcept : node_(std::exchange(other.node_, nullptr)), output_(other.output_) {}
  Array& operator=(const Array& other) noexcept;
  Array& operator=(Array&& other) noexcept {
    std::swap(node_, other.node_);
    std::swap(output_, other.output_);
    return *this;
  }
  ~Array();

  bool defined() const { return node_ != nullptr; }
  const Shape& shape() const;
  DType dtype() const;
  int rank() const { return static_cast<int>(shape().size()); }
  /// The number of elements.
  std::int64_t size() const;
  /// The size along an axis; negative axes count from the end. Throws Error where there is no such axis.
  std::int64_t size(int axis) const;
  /// True for a scalar whose type gives way to that of the arrays it meets.
  bool weak() const;

  /// Computes the value now, and keeps it. Throws Error inside compile, vmap and the like, where there is no value yet.
  const Array& evaluate() const;
  /// True when the value is there already.
  bool evaluated() const;
  /// The value of an array of one element, converted to T. Throws Error where it has more or fewer.
  template <class T>
  T item() const;
  /// All elements in row-major order, converted to T.
  template <class T>
  std::vector<T> to_vector() const;
  /// The elements in row-major order, valid while this array (or a copy of the handle) lives. T must be the element
  /// type.
  template <class T>
  const T* data() const {
    return static_cast<const T*>(data_as(dtype_of<T>()));
  }
  const void* raw_data() const { return data_as(dtype()); }

  /// For the engine: the node behind the handle, and which of its outputs this is.
  Node* node() const { return node_; }
  std::uint32_t output() const { return output_; }
  /// Takes a counted reference on `node`.
  Array(Node* node, std::uint32_t output) noexcept;
  bool same(const Array& other) const { return node_ == other.node_ && output_ == other.output_; }

  template <class T>
  static constexpr DType dtype_of() {
    if constexpr (std::is_same_v<T, bool>) return DType::kBool;
    if constexpr (std::is_same_v<T, std::uint8_t>) return DType::kUInt8;
    if constexpr (std::is_same_v<T, std::int32_t>) return DType::kInt32;
    if constexpr (std::is_integral_v<T> && sizeof(T) == 8) return DType::kInt64;
    if constexpr (std::is_same_v<T, BFloat16>) return DType::kBFloat16;
    if constexpr (std::is_same_v<T, float>) return DType::kFloat32;
    if constexpr (std::is_same_v<T, double>) return DType::kFloat64;
  }

 private:
  template <class T>
  static Array scalar_of(T value) {
    if constexpr (std::is_floating_point_v<T> || std::is_same_v<T, bool>) {
      return scalar(static_cast<double>(value), std::is_same_v<T, bool> ? DType::kBool : DType::kFloat32);
    } else {
      if constexpr (std::is_unsigned_v<T> && sizeof(T) == sizeof(std::int64_t)) {
        if (value > static_cast<T>(INT64_MAX)) refuse_integer(value);
      }
      return integer_scalar(static_cast<std::int64_t>(value));
    }
  }
  static Array scalar(double value, DType dtype);
  static Array integer_scalar(std::int64_t value);
  [[noreturn]] static void refuse_integer(std::uint64_t value);
  const void* data_as(DType dtype) const;

  Node* node_ = nullptr;
  std::uint32_t output_ = 0;
};

extern template float Array::item<float>() const;
extern template double Array::item<double>() const;
extern template std::int64_t Array::item<std::int64_t>() const;
extern template std::int32_t Array::item<std::int32_t>() const;
extern template bool Array::item<bool>() const;
extern template std::vector<float> Array::to_vector<float>() const;
extern template std::vector<double> Array::to_vector<double>() const;
extern template std::vector<std::int64_t> Array::to_vector<std::int64_t>() const;
extern template std::vector<std::int32_t> Array::to_vector<std::int32_t>() const;
extern template std::vector<std::uint8_t> Array::to_vector<std::uint8_t>() const;

/// Computes several arrays in one plan, so that what they share is computed once.
void evaluate(std::span<const Array> arrays);
inline void evaluate(const Arrays& arrays) { evaluate(std::span<const Array>(arrays)); }

/// "[2, 3]".
std::string to_string(const Shape& shape);
/// The elements in nested brackets, shortened in the middle when there are many, then the type and shape.
std::string to_string(const Array& array);
std::ostream& operator<<(std::ostream& out, const Array& array);

}  // namespace pellucid
