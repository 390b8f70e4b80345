// What stands behind an Array: memory, the node that makes a value, and how a node is made.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "pellucid/array.h"

namespace pellucid {

namespace ops {
struct Record;  // ops/record.h
}

/// A block of memory, 64-byte aligned, with 64 bytes of slack at the end. Freed with the last pointer to it.
class Storage {
 public:
  /// Throws Error where the memory cannot be had.
  static std::shared_ptr<Storage> allocate(std::size_t bytes);
  /// Memory that somebody else owns and keeps until `release` is called.
  static std::shared_ptr<Storage> borrow(void* data, std::size_t bytes, std::shared_ptr<void> keep);
  Storage(void* data, std::size_t bytes, std::shared_ptr<void> keep);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;
  std::byte* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }

 private:
  std::byte* data_;
  std::size_t bytes_;
  std::shared_ptr<void> keep_;  // null where data_ is our own
};
using StoragePtr = std::shared_ptr<Storage>;
using Strides = std::vector<std::int64_t>;

/// Where the elements of a value lie: element (i...) at offset + sum(i_d * strides_d), counted in elements.
struct Layout {
  Shape shape;
  Strides strides;
  std::int64_t offset = 0;
};
Strides contiguous_strides(const Shape& shape);
/// True where the elements lie in row-major order without gaps (axes of size 1 do not matter).
bool is_contiguous(const Shape& shape, const Strides& strides);

/// The number of elements; throws Error naming `operation` where it, or its bytes at 8 an element, overflows 2^63.
std::int64_t element_count(const Shape& shape, const char* operation);
inline std::int64_t count_of(const Shape& shape) {
  std::int64_t n = 1;
  for (auto size : shape) n *= size;
  return n;
}

/// What a primitive needs to know beside its operands. Each record says which of these it reads.
struct Attributes {
  Shape shape;                      // a target shape
  std::vector<std::int64_t> axes;   // axes, an order of axes, or starts
  std::vector<std::int64_t> steps;  // steps, or low and high widths
  std::int64_t integer = 0;
  double real = 0;
  DType dtype = DType::kFloat32;
  bool flag = false;
  std::shared_ptr<const void> extra;  // a traced function; compared by address

  bool operator==(const Attributes& other) const = default;
};

/// One result of a node. `storage` is null until it is evaluated; `strides` empty means row-major.
struct Output {
  Shape shape;
  DType dtype = DType::kFloat32;
  StoragePtr storage;
  Strides strides;
  std::int64_t offset = 0;
};

struct Node {
  std::atomic<std::uint32_t> references{0};
  const ops::Record* record = nullptr;
  std::uint64_t number = next_number();  // in the order of making
  bool weak = false;
  Arrays inputs;
  Attributes attributes;
  std::vector<Output> outputs;
  std::shared_ptr<const std::string> layer;  // the layer's path where the node was made; null outside layers

  bool evaluated() const { return outputs[0].storage != nullptr; }
  /// The number that the next node will have or exceed.
  static std::uint64_t next_number();
};

/// Drops a reference; frees the node, and what only it held, without recursion.
void release(Node* node) noexcept;

/// A node without inputs that holds a value.
Array make_constant(StoragePtr storage, const Shape& shape, DType dtype, bool weak = false);

namespace array {

/// Computes and stores the values of arrays; the plan's work (graph/evaluate.cpp).
void evaluate_nodes(std::span<const Array> arrays);

/// While one exists on this thread, nodes keep their inputs when they are evaluated: a transform is looking at them.
class KeepGraph {
 public:
  KeepGraph();
  ~KeepGraph();
  KeepGraph(const KeepGraph&) = delete;
  KeepGraph& operator=(const KeepGraph&) = delete;
  static bool active();
};

/// Element `i` of contiguous memory of any type, as a double (exact for all but large int64).
double element(const void* data, DType dtype, std::int64_t i);
void set_element(void* data, DType dtype, std::int64_t i, double value);

float to_float(BFloat16 x);
BFloat16 to_bfloat16(float x);

}  // namespace array
}  // namespace pellucid
