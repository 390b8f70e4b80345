// Buffers, NumPy and DLPack, both ways.
#include "exchange.h"

#include <cstring>
#include <mutex>

#include "array/node.h"

namespace pellucid::python {

namespace {

// ---- The structures of DLPack 1.0 (https://dmlc.github.io/dlpack) ---------------------------------------------------

struct DLDevice {
  std::int32_t type, id;
};
struct DLDataType {
  std::uint8_t code, bits;
  std::uint16_t lanes;
};
struct DLTensor {
  void* data;
  DLDevice device;
  std::int32_t ndim;
  DLDataType dtype;
  std::int64_t* shape;
  std::int64_t* strides;
  std::uint64_t byte_offset;
};
struct DLManagedTensor {
  DLTensor tensor;
  void* context;
  void (*deleter)(DLManagedTensor*);
};
struct DLManagedTensorVersioned {
  std::uint32_t major, minor;
  void* context;
  void (*deleter)(DLManagedTensorVersioned*);
  std::uint64_t flags;
  DLTensor tensor;
};
constexpr std::int32_t kCpu = 1;
constexpr std::uint64_t kReadOnly = 1, kCopied = 2;
constexpr std::uint8_t kCodeInt = 0, kCodeUInt = 1, kCodeFloat = 2, kCodeBFloat = 4, kCodeBool = 6;

DLDataType dl_type(DType dtype) {
  const auto bits = static_cast<std::uint8_t>(8 * size_of(dtype));
  if (dtype == DType::kBool) return {kCodeBool, 8, 1};
  if (dtype == DType::kUInt8) return {kCodeUInt, 8, 1};
  if (dtype == DType::kBFloat16) return {kCodeBFloat, 16, 1};
  return {is_float(dtype) ? kCodeFloat : kCodeInt, bits, 1};
}

bool from_dl_type(const DLDataType& type, DType& out) {
  if (type.lanes != 1) return false;
  for (const DType dtype : kAllDTypes) {
    const DLDataType known = dl_type(dtype);
    if (known.code == type.code && known.bits == type.bits) return out = dtype, true;
  }
  return false;
}

/// What an exported array holds on to.
struct Exported {
  StoragePtr storage;
  Shape shape;
  Strides strides;
  DLManagedTensor plain{};
  DLManagedTensorVersioned versioned{};
};

constexpr std::uintptr_t kPage = 4096;

/// Kernels may read up to 64 bytes behind the end: those must lie on the last element's page.
bool readable_behind(const void* data, std::size_t bytes) {
  if (bytes == 0) return false;
  const auto end = reinterpret_cast<std::uintptr_t>(data) + bytes;
  return (end - 1) / kPage == (end + 63) / kPage;
}

bool aligned(const void* data, DType dtype) { return reinterpret_cast<std::uintptr_t>(data) % size_of(dtype) == 0; }

/// Keeps a Python object or buffer until its memory is no longer used, on whatever thread that is.
template <class F>
std::shared_ptr<void> keeper(F release) {
  return std::shared_ptr<void>(new F(std::move(release)), [](void* p) {
    auto* f = static_cast<F*>(p);
    if (Py_IsInitialized() != 0) {
      const Locked lock;
      (*f)();
    }
    delete f;
  });
}

/// `strides` in elements.
Array copied(const void* data, const Shape& shape, const Strides& strides, DType dtype) {
  const Array borrowed = [&] {
    const std::size_t bytes = static_cast<std::size_t>(count_of(shape)) * size_of(dtype);
    auto storage = Storage::allocate(bytes);
    const std::size_t size = size_of(dtype);
    if (is_contiguous(shape, strides)) {
      if (bytes != 0) std::memcpy(storage->data(), data, bytes);
      return make_constant(std::move(storage), shape, dtype);
    }
    std::vector<std::int64_t> at(shape.size(), 0);
    const std::int64_t n = count_of(shape);
    const auto* from = static_cast<const std::byte*>(data);
    const std::int64_t inner = shape.empty() ? 1 : shape.back();
    const std::int64_t step = shape.empty() ? 1 : strides.back() * static_cast<std::int64_t>(size);
    std::byte* to = storage->data();
    for (std::int64_t i = 0; i < n; i += inner) {
      const std::byte* element = from;
      for (std::int64_t j = 0; j < inner; ++j, element += step, to += size) std::memcpy(to, element, size);
      for (std::size_t d = at.size() - 1; d-- > 0;) {
        from += strides[d] * static_cast<std::int64_t>(size);
        if (++at[d] < shape[d]) break;
        from -= strides[d] * shape[d] * static_cast<std::int64_t>(size);
        at[d] = 0;
      }
    }
    return make_constant(std::move(storage), shape, dtype);
  }();
  return borrowed;
}

[[noreturn]] void refuse_copy(const char* what) {
  throw nb::value_error(
      (std::string(what) +
       ": with copy=False the memory must be row-major, aligned and of one of the engine's types, and "
       "64 bytes behind its end must be readable; leave copy out")
          .c_str());
}

struct BufferType {
  bool known;
  DType dtype;
};
/// The engine's type of a buffer's format, where it has one.
BufferType type_of(const char* format, Py_ssize_t size) {
  if (format == nullptr) return {true, DType::kUInt8};
  if (*format == '@' || *format == '=' || *format == '<') ++format;
  if (format[0] == '\0' || format[1] != '\0') return {false, {}};
  switch (*format) {
    case '?':
      return {true, DType::kBool};
    case 'B':
      return {true, DType::kUInt8};
    case 'i':
    case 'l':
    case 'q':
      if (size == 4) return {true, DType::kInt32};
      return {size == 8, DType::kInt64};
    case 'f':
      return {true, DType::kFloat32};
    case 'd':
      return {true, DType::kFloat64};
    default:
      return {false, {}};
  }
}

/// The NumPy array `source`, converted to a type that the engine has.
nb::object widened(const nb::object& source, const char* format) {
  const nb::object numpy = nb::module_::import_("numpy");
  const nb::object array = numpy.attr("asarray")(source);
  const std::string kind = nb::cast<std::string>(array.attr("dtype").attr("kind"));
  const auto size = nb::cast<int>(array.attr("dtype").attr("itemsize"));
  const char* to = nullptr;
  if (kind == "b") to = "bool";
  if (kind == "i") to = size <= 4 ? "int32" : "int64";
  if (kind == "u") to = size == 1 ? "uint8" : size == 2 ? "int32" : "int64";
  if (kind == "f") to = size <= 4 ? "float32" : "float64";
  if (kind == "O" && nb::cast<std::int64_t>(array.attr("size")) > 0) {  // Python numbers, perhaps; else NumPy says what
    return numpy.attr("asarray")(array.attr("astype")("float64"));
  }
  if (to == nullptr) {
    const nb::object type = array.attr("dtype");
    throw nb::type_error(("array: elements of the type " + nb::cast<std::string>(nb::str(type)) + " (format '" +
                          (format == nullptr ? "" : format) +
                          "') are not numbers that the engine has: bool, integers and floats up to 64 bits")
                             .c_str());
  }
  if (kind == "u" && size == 8 && nb::cast<std::int64_t>(array.attr("size")) > 0 &&
      nb::cast<bool>(numpy.attr("any")(array > numpy.attr("uint64")(INT64_MAX)))) {
    throw nb::value_error("array: uint64 values beyond int64, the widest integer type; convert them to float64");
  }
  return array.attr("astype")(to);
}

}  // namespace

Array from_buffer(nb::object source, bool share, bool must_share) {
  Py_buffer view;
  if (PyObject_GetBuffer(source.ptr(), &view, PyBUF_STRIDES | PyBUF_FORMAT) != 0) {
    PyErr_Clear();
    if (must_share) refuse_copy("asarray");
    return from_buffer(widened(source, nullptr), false);
  }
  struct Release {
    Py_buffer* view;
    ~Release() {
      if (view != nullptr) PyBuffer_Release(view);
    }
  } release{&view};
  const auto [known, dtype] = type_of(view.format, view.itemsize);
  if (!known) {
    if (must_share) refuse_copy("asarray");
    return from_buffer(widened(source, view.format), false);
  }
  const Shape shape(view.shape, view.shape + view.ndim);
  if (shape.size() > static_cast<std::size_t>(kMaxRank)) element_count(shape, "array");
  Strides strides(shape.size());
  bool whole = true;
  for (std::size_t d = 0; d < shape.size(); ++d) {
    whole = whole && view.strides[d] % view.itemsize == 0;
    strides[d] = view.strides[d] / view.itemsize;
  }
  if (!whole) {
    if (must_share) refuse_copy("asarray");
    return from_buffer(nb::module_::import_("numpy").attr("ascontiguousarray")(source), false);
  }
  const std::size_t bytes = static_cast<std::size_t>(view.len);
  if ((share || must_share) && is_contiguous(shape, strides) && aligned(view.buf, dtype) &&
      readable_behind(view.buf, bytes)) {
    auto* kept = new Py_buffer(view);
    release.view = nullptr;
    return make_constant(Storage::borrow(kept->buf, bytes, keeper([kept] {
                                           PyBuffer_Release(kept);
                                           delete kept;
                                         })),
                         shape, dtype);
  }
  if (must_share) refuse_copy("asarray");
  return copied(view.buf, shape, strides, dtype);
}

Array from_dlpack(nb::object source, bool share, bool must_share) {
  nb::object capsule = nb::borrow(source);
  if (PyCapsule_CheckExact(source.ptr()) == 0) {
    const nb::object method = source.attr("__dlpack__");
    if (nb::hasattr(source, "__dlpack_device__")) {
      const nb::object device = source.attr("__dlpack_device__")();
      if (nb::cast<int>(device[0]) != kCpu) {
        throw nb::value_error("from_dlpack: the array is on another device; bring it to the processor's memory first");
      }
    }
    try {
      nb::dict named;
      named["max_version"] = nb::make_tuple(1, 0);
      capsule = method(**named);
    } catch (nb::python_error& error) {
      if (!error.matches(PyExc_TypeError)) throw;
      capsule = method();
    }
  }
  DLTensor* tensor = nullptr;
  std::shared_ptr<void> keep;
  if (PyCapsule_IsValid(capsule.ptr(), "dltensor_versioned") != 0) {
    auto* managed = static_cast<DLManagedTensorVersioned*>(PyCapsule_GetPointer(capsule.ptr(), "dltensor_versioned"));
    if (managed->major > 1) throw nb::value_error("from_dlpack: the array is of a newer version of DLPack than 1");
    PyCapsule_SetName(capsule.ptr(), "used_dltensor_versioned");
    tensor = &managed->tensor;
    keep = keeper([managed] {
      if (managed->deleter != nullptr) managed->deleter(managed);
    });
  } else if (PyCapsule_IsValid(capsule.ptr(), "dltensor") != 0) {
    auto* managed = static_cast<DLManagedTensor*>(PyCapsule_GetPointer(capsule.ptr(), "dltensor"));
    PyCapsule_SetName(capsule.ptr(), "used_dltensor");
    tensor = &managed->tensor;
    keep = keeper([managed] {
      if (managed->deleter != nullptr) managed->deleter(managed);
    });
  } else {
    throw nb::type_error("from_dlpack: this is no fresh DLPack capsule; each can be used once");
  }
  if (tensor->device.type != kCpu) {
    throw nb::value_error("from_dlpack: the array is on another device; bring it to the processor's memory first");
  }
  DType dtype;
  if (!from_dl_type(tensor->dtype, dtype)) {
    throw nb::type_error("from_dlpack: elements of this type are not among the engine's; convert them first");
  }
  const Shape shape(tensor->shape, tensor->shape + tensor->ndim);
  const Strides strides =
      tensor->strides == nullptr ? contiguous_strides(shape) : Strides(tensor->strides, tensor->strides + tensor->ndim);
  auto* data = static_cast<std::byte*>(tensor->data) + tensor->byte_offset;
  const std::size_t bytes = static_cast<std::size_t>(element_count(shape, "from_dlpack")) * size_of(dtype);
  if ((share || must_share) && is_contiguous(shape, strides) && aligned(data, dtype) && readable_behind(data, bytes)) {
    return make_constant(Storage::borrow(data, bytes, std::move(keep)), shape, dtype);
  }
  if (must_share) refuse_copy("from_dlpack");
  return copied(data, shape, strides, dtype);
}

// ---- Out ------------------------------------------------------------------------------------------------------------

namespace {

Exported* exported(const Array& array) {
  evaluate_released(array);
  const void* data = array.raw_data();
  const Output& out = array.node()->outputs[array.output()];
  auto* holder = new Exported{out.storage, out.shape, contiguous_strides(out.shape)};
  const DLTensor tensor{const_cast<void*>(data),
                        {kCpu, 0},
                        static_cast<std::int32_t>(holder->shape.size()),
                        dl_type(out.dtype),
                        holder->shape.data(),
                        holder->strides.data(),
                        0};
  holder->plain = {tensor, holder, [](DLManagedTensor* t) { delete static_cast<Exported*>(t->context); }};
  holder->versioned = {
      1, 0, holder, [](DLManagedTensorVersioned* t) { delete static_cast<Exported*>(t->context); }, kReadOnly, tensor};
  return holder;
}

nb::object export_dlpack(const Array& array, nb::handle max_version, nb::handle dl_device, nb::handle copy) {
  if (!dl_device.is_none() && nb::cast<int>(dl_device[0]) != kCpu) {
    PyErr_SetString(PyExc_BufferError, "__dlpack__: arrays are in the processor's memory: device (1, 0)");
    throw nb::python_error();
  }
  Array source = array;
  const bool fresh = !copy.is_none() && nb::cast<bool>(copy);
  if (fresh) {
    evaluate_released(array);
    source = Array::from_memory(array.raw_data(), static_cast<std::size_t>(array.size()), array.shape(), array.dtype());
  }
  Exported* holder = exported(source);
  const bool versioned = !max_version.is_none() && nb::cast<int>(max_version[0]) >= 1;
  if (fresh) holder->versioned.flags = kCopied;
  void* pointer = versioned ? static_cast<void*>(&holder->versioned) : static_cast<void*>(&holder->plain);
  PyObject* capsule = PyCapsule_New(pointer, versioned ? "dltensor_versioned" : "dltensor", [](PyObject* c) {
    if (PyCapsule_IsValid(c, "dltensor_versioned") != 0) {
      auto* t = static_cast<DLManagedTensorVersioned*>(PyCapsule_GetPointer(c, "dltensor_versioned"));
      t->deleter(t);
    } else if (PyCapsule_IsValid(c, "dltensor") != 0) {
      auto* t = static_cast<DLManagedTensor*>(PyCapsule_GetPointer(c, "dltensor"));
      t->deleter(t);
    }
  });
  if (capsule == nullptr) {
    delete holder;
    throw nb::python_error();
  }
  return nb::steal(capsule);
}

std::recursive_mutex evaluation;

/// What a buffer that was handed out holds on to.
struct KeptBuffer {
  StoragePtr storage;
  std::vector<Py_ssize_t> shape, strides;
};

const char* buffer_format(DType dtype) {
  switch (dtype) {
    case DType::kBool:
      return "?";
    case DType::kUInt8:
      return "B";
    case DType::kInt32:
      return "i";
    case DType::kInt64:
      return "q";
    case DType::kFloat32:
      return "f";
    case DType::kFloat64:
      return "d";
    default:
      return nullptr;
  }
}

}  // namespace

/// Held while arrays without a value are evaluated or a function is traced: one thread at a time does so.
std::recursive_mutex& evaluation_mutex() { return evaluation; }

void evaluate_released(const Arrays& arrays) {
  bool all = true;
  for (const Array& array : arrays) all = all && array.evaluated();
  if (all) return;
  const Unlocked release;
  const std::lock_guard lock(evaluation);
  evaluate(arrays);
}

void evaluate_released(const Array& array) {
  if (array.evaluated()) return;
  const Unlocked release;
  const std::lock_guard lock(evaluation);
  array.evaluate();
}

/// The buffer protocol of Array: read-only, row-major.
int get_buffer(PyObject* self, Py_buffer* view, int flags) {
  try {
    const Array* array = nb::inst_ptr<Array>(nb::handle(self));
    if ((flags & PyBUF_WRITABLE) == PyBUF_WRITABLE) {
      PyErr_SetString(PyExc_BufferError, "an Array never changes, so its buffer is read-only");
      return -1;
    }
    const char* format = buffer_format(array->dtype());
    if (format == nullptr) {
      PyErr_SetString(PyExc_BufferError, "the buffer protocol has no bfloat16; use astype(float32) or numpy()");
      return -1;
    }
    evaluate_released(*array);
    const void* data = array->raw_data();
    const Output& out = array->node()->outputs[array->output()];
    auto* kept = new KeptBuffer{out.storage, {}, {}};
    const auto size = static_cast<Py_ssize_t>(size_of(out.dtype));
    for (const std::int64_t n : out.shape) kept->shape.push_back(n);
    for (const std::int64_t n : contiguous_strides(out.shape)) kept->strides.push_back(n * size);
    view->obj = self;
    Py_INCREF(self);
    view->buf = const_cast<void*>(data);
    view->len = count_of(out.shape) * size;
    view->itemsize = size;
    view->readonly = 1;
    view->ndim = static_cast<int>(kept->shape.size());
    view->format = (flags & PyBUF_FORMAT) == PyBUF_FORMAT ? const_cast<char*>(format) : nullptr;
    view->shape = (flags & PyBUF_ND) == PyBUF_ND ? kept->shape.data() : nullptr;
    view->strides = (flags & PyBUF_STRIDES) == PyBUF_STRIDES ? kept->strides.data() : nullptr;
    view->suboffsets = nullptr;
    view->internal = kept;
    return 0;
  } catch (nb::python_error& error) {
    error.restore();
  } catch (const std::exception& error) {
    raise_error(error.what());
  }
  return -1;
}

void release_buffer(PyObject*, Py_buffer* view) { delete static_cast<KeptBuffer*>(view->internal); }

nb::object to_numpy(const Array& array) {
  const Array source = array.dtype() == DType::kBFloat16 ? astype(array, DType::kFloat32) : array;
  evaluate_released(source);
  return nb::module_::import_("numpy").attr("asarray")(
      nb::module_::import_("builtins").attr("memoryview")(nb::cast(source)));
}

void bind_exchange(nb::module_& m) {
  m.def("_export_dlpack", &export_dlpack, nb::arg(), nb::arg().none(), nb::arg().none(), nb::arg().none());
  m.def(
      "from_dlpack",
      [](nb::object x, nb::handle device, nb::handle copy) {
        if (!device.is_none() && nb::cast<std::string>(nb::str(device)) != "cpu") {
          throw nb::value_error("from_dlpack: the only device is 'cpu'");
        }
        const bool fresh = !copy.is_none() && nb::cast<bool>(copy);
        return from_dlpack(std::move(x), !fresh, !copy.is_none() && !fresh);
      },
      nb::arg("x"), nb::kw_only(), nb::arg("device") = nb::none(), nb::arg("copy") = nb::none(),
      "An array of what another library holds, through DLPack, sharing its memory where the layout allows.\n\n"
      "copy: True copies always; False raises ValueError where a copy would be needed.");
}

}  // namespace pellucid::python
