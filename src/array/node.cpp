// Memory, nodes and their release.
#include "array/node.h"

#include <bit>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>

#include "base/large_pages.h"

namespace pellucid {

namespace ops {
extern const Record& constant_record();
}

std::shared_ptr<Storage> Storage::allocate(std::size_t bytes) {
  // Kernels may read a full vector from the last element on, so every block has slack behind it.
  void* data = std::aligned_alloc(64, ((bytes + 63) / 64 + 1) * 64);
  if (data == nullptr) {
    throw Error("memory: " + std::to_string(bytes) + " bytes cannot be allocated; smaller layers or batches need less");
  }
  base::prefer_large_pages(data, bytes);
  return std::make_shared<Storage>(data, bytes, nullptr);
}

std::shared_ptr<Storage> Storage::borrow(void* data, std::size_t bytes, std::shared_ptr<void> keep) {
  return std::make_shared<Storage>(data, bytes, std::move(keep));
}

Storage::Storage(void* data, std::size_t bytes, std::shared_ptr<void> keep)
    : data_(static_cast<std::byte*>(data)), bytes_(bytes), keep_(std::move(keep)) {}

Storage::~Storage() {
  if (keep_ == nullptr) std::free(data_);
}

Strides contiguous_strides(const Shape& shape) {
  Strides strides(shape.size());
  std::int64_t step = 1;
  for (std::size_t d = shape.size(); d-- > 0;) {
    strides[d] = step;
    step *= shape[d];
  }
  return strides;
}

bool is_contiguous(const Shape& shape, const Strides& strides) {
  if (strides.empty()) return true;
  std::int64_t step = 1;
  for (std::size_t d = shape.size(); d-- > 0;) {
    if (shape[d] == 0) return true;
    if (shape[d] != 1 && strides[d] != step) return false;
    step *= shape[d];
  }
  return true;
}

std::int64_t element_count(const Shape& shape, const char* operation) {
  if (shape.size() > static_cast<std::size_t>(kMaxRank)) {
    throw Error(std::string(operation) + ": shape " + to_string(shape) + " has " + std::to_string(shape.size()) +
                " axes; at most " + std::to_string(kMaxRank) + " are supported");
  }
  std::int64_t count = 1;
  bool empty = false;
  for (auto size : shape) {
    if (size < 0) throw Error(std::string(operation) + ": shape " + to_string(shape) + " has a negative size");
    if (size == 0) empty = true;
  }
  for (auto size : shape) {
    const std::int64_t factor = empty && size == 0 ? 1 : size;
    if (__builtin_mul_overflow(count, factor, &count) || count > std::numeric_limits<std::int64_t>::max() / 16) {
      throw Error(std::string(operation) + ": shape " + to_string(shape) + " has more elements than can be addressed");
    }
  }
  return empty ? 0 : count;
}

std::uint64_t Node::next_number() {
  static std::atomic<std::uint64_t> numbers{0};
  return numbers.fetch_add(1, std::memory_order_relaxed);
}

void release(Node* node) noexcept {
  // A chain of a million nodes must not be freed by a million nested destructors: a node that is freed while another is
  // being freed on this thread waits in a list.
  thread_local std::vector<Node*>* waiting = nullptr;
  if (node->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  if (waiting != nullptr) {
    waiting->push_back(node);
    return;
  }
  std::vector<Node*> list{node};
  waiting = &list;
  while (!list.empty()) {
    Node* last = list.back();
    list.pop_back();
    delete last;
  }
  waiting = nullptr;
}

Array::Array(const Array& other) noexcept : node_(other.node_), output_(other.output_) {
  if (node_ != nullptr) node_->references.fetch_add(1, std::memory_order_relaxed);
}

Array::Array(Node* node, std::uint32_t output) noexcept : node_(node), output_(output) {
  if (node_ != nullptr) node_->references.fetch_add(1, std::memory_order_relaxed);
}

Array& Array::operator=(const Array& other) noexcept {
  Array copy(other);
  std::swap(node_, copy.node_);
  std::swap(output_, copy.output_);
  return *this;
}

Array::~Array() {
  if (node_ != nullptr) release(node_);
}

Array make_constant(StoragePtr storage, const Shape& shape, DType dtype, bool weak) {
  auto* node = new Node;
  node->record = &ops::constant_record();
  node->weak = weak;
  node->outputs.push_back({shape, dtype, std::move(storage), {}, 0});
  return Array(node, 0);
}

namespace array {

namespace {
thread_local int keep_depth = 0;
}
KeepGraph::KeepGraph() { ++keep_depth; }
KeepGraph::~KeepGraph() { --keep_depth; }
bool KeepGraph::active() { return keep_depth > 0; }

float to_float(BFloat16 x) { return std::bit_cast<float>(static_cast<std::uint32_t>(x.bits) << 16); }

BFloat16 to_bfloat16(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  if (x != x) return {static_cast<std::uint16_t>((bits >> 16) | 0x40)};
  return {static_cast<std::uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16)};
}

double element(const void* data, DType dtype, std::int64_t i) {
  switch (dtype) {
    case DType::kBool:
    case DType::kUInt8:
      return static_cast<const std::uint8_t*>(data)[i];
    case DType::kInt32:
      return static_cast<const std::int32_t*>(data)[i];
    case DType::kInt64:
      return static_cast<double>(static_cast<const std::int64_t*>(data)[i]);
    case DType::kBFloat16:
      return to_float(static_cast<const BFloat16*>(data)[i]);
    case DType::kFloat32:
      return static_cast<const float*>(data)[i];
    case DType::kFloat64:
      return static_cast<const double*>(data)[i];
  }
  return 0;
}

namespace {
template <class T>
T saturated(double value) {
  if (value != value) return 0;
  if (value <= static_cast<double>(std::numeric_limits<T>::min())) return std::numeric_limits<T>::min();
  if (value >= static_cast<double>(std::numeric_limits<T>::max())) return std::numeric_limits<T>::max();
  return static_cast<T>(value);
}
}  // namespace

void set_element(void* data, DType dtype, std::int64_t i, double value) {
  switch (dtype) {
    case DType::kBool:
      static_cast<std::uint8_t*>(data)[i] = value != 0 ? 1 : 0;
      break;
    case DType::kUInt8:
      static_cast<std::uint8_t*>(data)[i] = saturated<std::uint8_t>(value);
      break;
    case DType::kInt32:
      static_cast<std::int32_t*>(data)[i] = saturated<std::int32_t>(value);
      break;
    case DType::kInt64:
      static_cast<std::int64_t*>(data)[i] = saturated<std::int64_t>(value);
      break;
    case DType::kBFloat16:
      static_cast<BFloat16*>(data)[i] = to_bfloat16(static_cast<float>(value));
      break;
    case DType::kFloat32:
      static_cast<float*>(data)[i] = static_cast<float>(value);
      break;
    case DType::kFloat64:
      static_cast<double*>(data)[i] = value;
      break;
  }
}

}  // namespace array
}  // namespace pellucid
