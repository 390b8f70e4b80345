// The handle: making arrays from numbers, reading them, printing them.
#include <algorithm>
#include <cstring>
#include <ostream>

#include <fmt/format.h>

#include "array/node.h"
#include "base/fail.h"

namespace pellucid {

namespace {
const Output& output_of(const Array& array) {
  if (!array.defined()) throw Error("array: this Array holds nothing; it was default-constructed or moved from");
  return array.node()->outputs[array.output()];
}
}  // namespace

const Shape& Array::shape() const { return output_of(*this).shape; }
DType Array::dtype() const { return output_of(*this).dtype; }
std::int64_t Array::size() const { return count_of(shape()); }
bool Array::weak() const { return defined() && node_->weak; }

std::int64_t Array::size(int axis) const {
  const int at = axis < 0 ? axis + rank() : axis;
  if (at < 0 || at >= rank()) {
    throw Error(fmt::format("size: axis {} is out of range for an array of shape {}; axes run from {} to {}", axis,
                            to_string(shape()), -rank(), rank() - 1));
  }
  return shape()[static_cast<std::size_t>(at)];
}

Array Array::scalar(double value, DType dtype) {
  auto storage = Storage::allocate(size_of(dtype));
  array::set_element(storage->data(), dtype, 0, value);
  Array result = make_constant(std::move(storage), {}, dtype, true);
  result.node_->attributes.real = value;  // all its digits, for when it takes on float64
  return result;
}

Array Array::integer_scalar(std::int64_t value) {
  auto storage = Storage::allocate(sizeof value);
  std::memcpy(storage->data(), &value, sizeof value);
  return make_constant(std::move(storage), {}, DType::kInt64, true);
}

void Array::refuse_integer(std::uint64_t value) {
  throw Error(fmt::format("array: {} is beyond int64, the widest integer type; give it as a floating number", value));
}

Array Array::from_memory(const void* values, std::size_t count, const Shape& shape, DType dtype) {
  const std::int64_t elements = element_count(shape, "array");
  if (static_cast<std::size_t>(elements) != count) {
    throw Error(fmt::format("array: {} values do not fill the shape {}, which has {} elements", count, to_string(shape),
                            elements));
  }
  auto storage = Storage::allocate(count * size_of(dtype));
  if (count != 0) std::memcpy(storage->data(), values, count * size_of(dtype));
  return make_constant(std::move(storage), shape, dtype);
}

Array::Array(std::initializer_list<Literal> list) {
  Shape shape;
  std::vector<float> values;
  // Walks the nested lists depth first; `shape` is fixed by the first list of each level.
  const auto walk = [&](const auto& self, const Literal* items, std::size_t count, std::size_t level) -> void {
    if (shape.size() == level) shape.push_back(static_cast<std::int64_t>(count));
    if (shape[level] != static_cast<std::int64_t>(count)) {
      throw Error(
          fmt::format("array: lists of lengths {} and {} stand side by side; lists of one level need one length",
                      shape[level], count));
    }
    for (std::size_t i = 0; i < count; ++i) {
      if (items[i].is_list_) {
        self(self, items[i].list_.data(), items[i].list_.size(), level + 1);
      } else if (shape.size() != level + 1) {
        throw Error("array: a number stands beside a list; every element of one level must be a number or a list");
      } else {
        values.push_back(static_cast<float>(items[i].value_));
      }
    }
  };
  walk(walk, list.begin(), list.size(), 0);
  *this = from(std::span<const float>(values), shape);
}

const Array& Array::evaluate() const {
  output_of(*this);
  if (!node_->evaluated()) array::evaluate_nodes(std::span<const Array>(this, 1));
  return *this;
}

bool Array::evaluated() const { return defined() && node_->evaluated(); }

void evaluate(std::span<const Array> arrays) { array::evaluate_nodes(arrays); }

const void* Array::data_as(DType wanted) const {
  evaluate();
  Output& out = node_->outputs[output_];
  if (wanted != out.dtype) {
    throw Error(fmt::format("data: the array is {}, not {}; convert it with astype first", name_of(out.dtype),
                            name_of(wanted)));
  }
  if (!is_contiguous(out.shape, out.strides)) {
    // Made contiguous in place: the handle's value does not change, only where it lies.
    const std::size_t size = size_of(out.dtype);
    auto packed = Storage::allocate(static_cast<std::size_t>(count_of(out.shape)) * size);
    std::vector<std::int64_t> at(out.shape.size(), 0);
    const std::int64_t n = count_of(out.shape);
    std::int64_t from = out.offset;
    for (std::int64_t i = 0; i < n; ++i) {
      std::memcpy(packed->data() + static_cast<std::size_t>(i) * size,
                  out.storage->data() + from * static_cast<std::int64_t>(size), size);
      for (std::size_t d = at.size(); d-- > 0;) {
        from += out.strides[d];
        if (++at[d] < out.shape[d]) break;
        from -= out.strides[d] * out.shape[d];
        at[d] = 0;
      }
    }
    out.storage = std::move(packed);
    out.strides.clear();
    out.offset = 0;
  }
  return out.storage->data() + out.offset * static_cast<std::int64_t>(size_of(out.dtype));
}

namespace {
template <class T>
T convert(const void* data, DType dtype, std::int64_t i) {
  if constexpr (std::is_same_v<T, std::int64_t>) {
    if (dtype == DType::kInt64) return static_cast<const std::int64_t*>(data)[i];
  }
  return static_cast<T>(array::element(data, dtype, i));
}
}  // namespace

template <class T>
T Array::item() const {
  if (size() != 1) {
    throw Error(fmt::format("item: an array of shape {} has {} elements; item reads arrays of one", to_string(shape()),
                            size()));
  }
  return convert<T>(raw_data(), dtype(), 0);
}

template <class T>
std::vector<T> Array::to_vector() const {
  const void* data = raw_data();
  std::vector<T> values(static_cast<std::size_t>(size()));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = convert<T>(data, dtype(), static_cast<std::int64_t>(i));
  return values;
}

template float Array::item<float>() const;
template double Array::item<double>() const;
template std::int64_t Array::item<std::int64_t>() const;
template std::int32_t Array::item<std::int32_t>() const;
template bool Array::item<bool>() const;
template std::vector<float> Array::to_vector<float>() const;
template std::vector<double> Array::to_vector<double>() const;
template std::vector<std::int64_t> Array::to_vector<std::int64_t>() const;
template std::vector<std::int32_t> Array::to_vector<std::int32_t>() const;
template std::vector<std::uint8_t> Array::to_vector<std::uint8_t>() const;

std::string to_string(const Shape& shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

namespace {

constexpr std::int64_t kEdge = 3;  // elements shown at each end of an axis that is shortened

std::string element_text(const void* data, DType dtype, std::int64_t i) {
  switch (dtype) {
    case DType::kBool:
      return static_cast<const std::uint8_t*>(data)[i] != 0 ? "true" : "false";
    case DType::kUInt8:
    case DType::kInt32:
      return fmt::format("{}", static_cast<std::int64_t>(array::element(data, dtype, i)));
    case DType::kInt64:
      return fmt::format("{}", static_cast<const std::int64_t*>(data)[i]);
    default:
      return fmt::format("{:.6g}", base::without_sign_of_nan(array::element(data, dtype, i)));
  }
}

void print(std::string& text, const Array& array, const void* data, std::size_t level, std::int64_t at, bool shorten) {
  const Shape& shape = array.shape();
  if (level == shape.size()) {
    text += element_text(data, array.dtype(), at);
    return;
  }
  std::int64_t inner = 1;
  for (std::size_t d = level + 1; d < shape.size(); ++d) inner *= shape[d];
  const std::string separator = level + 1 == shape.size() ? ", " : ",\n" + std::string(level + 1, ' ');
  text += '[';
  for (std::int64_t i = 0; i < shape[level]; ++i) {
    if (i > 0) text += separator;
    if (shorten && shape[level] > 2 * kEdge + 1 && i == kEdge) {
      text += "..." + separator;
      i = shape[level] - kEdge;
    }
    print(text, array, data, level + 1, at + i * inner, shorten);
  }
  text += ']';
}

}  // namespace

std::string to_string(const Array& array) {
  const void* data = array.raw_data();
  std::string text;
  print(text, array, data, 0, 0, array.size() > 200);
  return text + fmt::format("  {}{}", name_of(array.dtype()), to_string(array.shape()));
}

std::ostream& operator<<(std::ostream& out, const Array& array) { return out << to_string(array); }

}  // namespace pellucid
