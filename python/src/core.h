// What the files of the extension share: how Python values become the engine's arrays, types, shapes and axes, and
// back.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <optional>
#include <string>
#include <vector>

#include "lock.h"
#include "pellucid/array.h"
#include "pellucid/ops.h"

namespace nb = nanobind;

namespace pellucid::python {

/// An argument that stands for an array: Array, Parameter, a number, nested lists, a buffer, DLPack, __array__.
struct Operand {
  Array array;
  operator const Array&() const { return array; }  // NOLINT(google-explicit-constructor)
};
/// The same where None stands for absent.
struct MaybeOperand {
  Array array;
  operator const Array&() const { return array; }  // NOLINT(google-explicit-constructor)
};
struct Operands {
  Arrays arrays;
  operator const Arrays&() const { return arrays; }  // NOLINT(google-explicit-constructor)
};
/// Sizes: one integer, or a sequence of them.
struct ShapeArg {
  Shape shape;
  operator const Shape&() const { return shape; }  // NOLINT(google-explicit-constructor)
};
/// None, one axis, or a sequence of them.
struct AxesArg {
  Axes axes;
  operator const Axes&() const { return axes; }  // NOLINT(google-explicit-constructor)
};
struct IntsArg {
  std::vector<int> list;
  operator const std::vector<int>&() const { return list; }  // NOLINT(google-explicit-constructor)
};

/// The array that `value` stands for without running Python code for Arrays and numbers; false where it stands for
/// none. `share`: foreign memory may be shared. Throws what conversion throws.
bool to_array(nb::handle value, Array& out, bool share = false);
/// The same; throws TypeError naming `what` where it stands for none.
Array as_array(nb::handle value, const char* what, bool share = false);
bool is_array(nb::handle value);
/// An Array, without conversion of anything else: null where it is none.
const Array* array_in(nb::handle value);

nb::object dtype_object(DType dtype);
/// pellucid.float32, "float32", a NumPy dtype or scalar type, float, int, bool.
bool to_dtype(nb::handle value, DType& out);
bool to_shape(nb::handle value, Shape& out);

/// A tuple of integers.
nb::tuple shape_tuple(const Shape& shape);
/// A list of arrays.
nb::list array_list(const Arrays& arrays);
nb::tuple array_tuple(const Arrays& arrays);

/// Evaluates with the interpreter lock released, one thread at a time.
void evaluate_released(const Arrays& arrays);
void evaluate_released(const Array& array);

/// A shared NumPy view (read-only) of the values; bfloat16 comes as float32.
nb::object to_numpy(const Array& array);

/// Raises the Python exception that fits an error's text (errors.cpp).
void raise_error(const char* text) noexcept;

/// The text of an operation's row in the page of operations; "" where it has none.
const char* doc_of(const char* name);

// Parts of the module, each in a file of its own.
void bind_errors(nb::module_& m);
void bind_dtypes(nb::module_& m);
void bind_array(nb::module_& m);
void bind_exchange(nb::module_& m);
void bind_operations(nb::module_& m);  // generated
void bind_array_api(nb::module_& m);
void bind_creation(nb::module_& m);
void bind_transforms(nb::module_& m);
void bind_compile(nb::module_& m);
void bind_nn(nb::module_& m);
void bind_schedule(nb::module_& m);
void bind_loss(nb::module_& m);
void bind_optim(nb::module_& m);
void bind_metrics(nb::module_& m);
void bind_init(nb::module_& m);
void bind_augment(nb::module_& m);
void bind_fit(nb::module_& m);
void bind_data(nb::module_& m);
void bind_io(nb::module_& m);
void bind_tabular(nb::module_& m);
void bind_estimators(nb::module_& m);

}  // namespace pellucid::python

namespace nanobind::detail {

#define PELLUCID_CASTER(type, text, body)                            \
  template <>                                                        \
  struct type_caster<pellucid::python::type> {                       \
    NB_TYPE_CASTER(pellucid::python::type, const_name(text))         \
    bool from_python(handle src, uint32_t, cleanup_list*) noexcept { \
      try {                                                          \
        body                                                         \
      } catch (nanobind::python_error & e) {                         \
        e.discard_as_unraisable("argument conversion");              \
        return false;                                                \
      } catch (...) {                                                \
        return false;                                                \
      }                                                              \
    }                                                                \
  };

PELLUCID_CASTER(Operand, "pellucid.typing.ArrayLike", { return pellucid::python::to_array(src, value.array); })
PELLUCID_CASTER(MaybeOperand, "pellucid.typing.ArrayLike | None",
                { return src.is_none() || pellucid::python::to_array(src, value.array); })
PELLUCID_CASTER(Operands, "collections.abc.Sequence[pellucid.typing.ArrayLike]", {
  if (!PyList_Check(src.ptr()) && !PyTuple_Check(src.ptr())) return false;
  for (nb::handle item : nb::borrow<nb::object>(src)) {
    if (!pellucid::python::to_array(item, value.arrays.emplace_back())) return false;
  }
  return true;
})
PELLUCID_CASTER(ShapeArg, "int | collections.abc.Sequence[int]",
                { return pellucid::python::to_shape(src, value.shape); })
PELLUCID_CASTER(AxesArg, "int | collections.abc.Sequence[int] | None", {
  if (src.is_none()) return true;
  pellucid::Shape list;
  if (!pellucid::python::to_shape(src, list)) return false;
  value.axes = pellucid::Axes(std::vector<int>(list.begin(), list.end()));
  return true;
})
PELLUCID_CASTER(IntsArg, "int | collections.abc.Sequence[int]", {
  pellucid::Shape list;
  if (!pellucid::python::to_shape(src, list)) return false;
  value.list.assign(list.begin(), list.end());
  return true;
})

#undef PELLUCID_CASTER

template <>
struct type_caster<pellucid::DType> {
  NB_TYPE_CASTER(pellucid::DType, const_name("pellucid.typing.DTypeLike"))
  bool from_python(handle src, uint32_t, cleanup_list*) noexcept {
    try {
      return pellucid::python::to_dtype(src, value);
    } catch (...) {
      PyErr_Clear();
      return false;
    }
  }
  static handle from_cpp(pellucid::DType dtype, rv_policy, cleanup_list*) noexcept {
    return pellucid::python::dtype_object(dtype).release();
  }
};

}  // namespace nanobind::detail
