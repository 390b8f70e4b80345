// From Python values to arrays, shapes and axes.
#include <cstring>

#include "array/node.h"
#include "core.h"
#include "exchange.h"
#include "pellucid/module.h"

namespace pellucid::python {

namespace {

bool contains_array(nb::handle list, int depth = 0) {
  for (nb::handle item : nb::borrow<nb::sequence>(list)) {
    if (is_array(item)) return true;
    if (depth < 16 && (PyList_Check(item.ptr()) || PyTuple_Check(item.ptr())) && contains_array(item, depth + 1)) {
      return true;
    }
  }
  return false;
}

Array from_list(nb::handle list) {
  if (contains_array(list)) {
    Arrays parts;
    for (nb::handle item : nb::borrow<nb::sequence>(list)) parts.push_back(as_array(item, "array"));
    return stack(parts);
  }
  const nb::object values = nb::module_::import_("numpy").attr("asarray")(list);
  Array array = from_buffer(values, false);
  return array.dtype() == DType::kFloat64 ? astype(array, DType::kFloat32).evaluate() : array;
}

bool integer_scalar(PyObject* value, Array& out) {
  int overflow = 0;
  const long long number = PyLong_AsLongLongAndOverflow(value, &overflow);
  if (overflow != 0) {
    const double real = PyLong_AsDouble(value);
    if (real == -1 && PyErr_Occurred() != nullptr) throw nb::python_error();
    out = Array(real);
    return true;
  }
  if (number == -1 && PyErr_Occurred() != nullptr) throw nb::python_error();
  out = Array(static_cast<std::int64_t>(number));
  return true;
}

}  // namespace

const Array* array_in(nb::handle value) {
  if (nb::isinstance<Array>(value)) return nb::inst_ptr<Array>(value);
  if (nb::isinstance<nn::Parameter>(value)) {
    return &static_cast<const Array&>(*nb::inst_ptr<nn::Parameter>(value));
  }
  if (nb::isinstance<nn::Buffer>(value)) return &nb::inst_ptr<nn::Buffer>(value)->value;
  return nullptr;
}

bool is_array(nb::handle value) { return array_in(value) != nullptr; }

bool to_array(nb::handle value, Array& out, bool share) {
  PyObject* object = value.ptr();
  if (const Array* array = array_in(value)) return out = *array, out.defined();
  if (PyFloat_Check(object)) return out = Array(PyFloat_AS_DOUBLE(object)), true;
  if (PyBool_Check(object)) return out = Array(object == Py_True), true;
  if (PyLong_Check(object)) return integer_scalar(object, out);
  if (object == Py_None || PyUnicode_Check(object) || PyType_Check(object) || PyDict_Check(object)) return false;
  if (PyList_Check(object) || PyTuple_Check(object)) return out = from_list(value), true;
  if (PyObject_CheckBuffer(object) != 0) return out = from_buffer(nb::borrow(value), share), true;
  if (nb::hasattr(value, "__dlpack__")) return out = from_dlpack(nb::borrow(value), share), true;
  if (nb::hasattr(value, "__array__")) {
    return out = from_buffer(nb::module_::import_("numpy").attr("asarray")(value), share), true;
  }
  return false;
}

Array as_array(nb::handle value, const char* what, bool share) {
  Array array;
  if (!to_array(value, array, share)) {
    const std::string type = nb::cast<std::string>(nb::str(value.type().attr("__name__")));
    throw nb::type_error((std::string(what) + ": a " + type +
                          " is no array; give an Array, numbers, nested lists of numbers, or what NumPy can take")
                             .c_str());
  }
  return array;
}

bool to_shape(nb::handle value, Shape& out) {
  const auto add = [&](nb::handle item) {
    if (PyBool_Check(item.ptr()) || PyIndex_Check(item.ptr()) == 0) return false;
    const Py_ssize_t size = PyNumber_AsSsize_t(item.ptr(), PyExc_OverflowError);
    if (size == -1 && PyErr_Occurred() != nullptr) {
      PyErr_Clear();
      return false;
    }
    out.push_back(size);
    return true;
  };
  if (PyList_Check(value.ptr()) || PyTuple_Check(value.ptr())) {
    for (nb::handle item : nb::borrow<nb::sequence>(value)) {
      if (!add(item)) return false;
    }
    return true;
  }
  return add(value);
}

nb::tuple shape_tuple(const Shape& shape) {
  nb::object tuple = nb::steal(PyTuple_New(static_cast<Py_ssize_t>(shape.size())));
  for (std::size_t i = 0; i < shape.size(); ++i) {
    PyTuple_SET_ITEM(tuple.ptr(), static_cast<Py_ssize_t>(i), PyLong_FromLongLong(shape[i]));
  }
  return nb::borrow<nb::tuple>(tuple);
}

nb::list array_list(const Arrays& arrays) {
  nb::list list;
  for (const Array& array : arrays) list.append(nb::cast(array));
  return list;
}

nb::tuple array_tuple(const Arrays& arrays) { return nb::tuple(array_list(arrays)); }

}  // namespace pellucid::python
