// Element types as Python objects: one for each, equal to its name and to NumPy's type of that name.
#include <array>
#include <limits>

#include "core.h"

namespace pellucid::python {

namespace {

struct Type {
  DType value;
};

std::array<PyObject*, kDTypes> types{};
PyTypeObject* type_type = nullptr;

bool by_name(std::string_view name, DType& out) {
  for (const DType dtype : kAllDTypes) {
    if (name_of(dtype) == name) {
      out = dtype;
      return true;
    }
  }
  if (name == "float") return out = DType::kFloat32, true;
  if (name == "int") return out = DType::kInt64, true;
  return false;
}

}  // namespace

nb::object dtype_object(DType dtype) { return nb::borrow(types[static_cast<std::size_t>(dtype)]); }

bool to_dtype(nb::handle value, DType& out) {
  if (Py_TYPE(value.ptr()) == type_type) {
    out = nb::inst_ptr<Type>(value)->value;
    return true;
  }
  if (PyUnicode_Check(value.ptr())) {
    const char* name = PyUnicode_AsUTF8(value.ptr());
    return name != nullptr && by_name(name, out);
  }
  if (value.ptr() == reinterpret_cast<PyObject*>(&PyFloat_Type)) return out = DType::kFloat32, true;
  if (value.ptr() == reinterpret_cast<PyObject*>(&PyLong_Type)) return out = DType::kInt64, true;
  if (value.ptr() == reinterpret_cast<PyObject*>(&PyBool_Type)) return out = DType::kBool, true;
  nb::object name = nb::getattr(value, "__name__", nb::none());                     // numpy.float32
  if (!PyUnicode_Check(name.ptr())) name = nb::getattr(value, "name", nb::none());  // a numpy.dtype
  if (!PyUnicode_Check(name.ptr())) return false;
  const char* text = PyUnicode_AsUTF8(name.ptr());
  return text != nullptr && (by_name(text, out) || (std::string_view(text) == "bool_" && (out = DType::kBool, true)));
}

void bind_dtypes(nb::module_& m) {
  nb::class_<Type> type(m, "DType", "The type of an array's elements. Equal to its name: x.dtype == \"float32\".");
  type_type = reinterpret_cast<PyTypeObject*>(type.ptr());
  type.def("__repr__", [](const Type& t) { return "pellucid." + std::string(name_of(t.value)); })
      .def("__str__", [](const Type& t) { return nb::str(name_of(t.value).data(), name_of(t.value).size()); })
      .def(
          "__eq__",
          [](const Type& t, nb::handle other) {
            if (!nb::isinstance<Type>(other) && !PyUnicode_Check(other.ptr()) && !PyType_Check(other.ptr()) &&
                !nb::hasattr(other, "name")) {
              return false;
            }
            DType value;
            return to_dtype(other, value) && value == t.value;
          },
          nb::arg().none())
      .def("__hash__",
           [](const Type& t) { return nb::hash(nb::str(name_of(t.value).data(), name_of(t.value).size())); })
      .def("__reduce__",
           [](const Type& t) {
             return nb::make_tuple(nb::module_::import_("pellucid").attr("dtype"),
                                   nb::make_tuple(nb::str(name_of(t.value).data(), name_of(t.value).size())));
           })
      .def_prop_ro(
          "name", [](const Type& t) { return nb::str(name_of(t.value).data(), name_of(t.value).size()); },
          "The type's name.")
      .def_prop_ro(
          "itemsize", [](const Type& t) { return size_of(t.value); }, "Bytes of one element.");
  for (const DType dtype : kAllDTypes) {
    nb::object object = nb::cast(Type{dtype});
    types[static_cast<std::size_t>(dtype)] = object.ptr();
    m.attr(std::string(name_of(dtype)).c_str()) = object;
    object.release();
  }
  m.def(
      "dtype", [](DType dtype) { return dtype; }, nb::arg("dtype"),
      "The element type that a name, a NumPy type, or float, int or bool stands for.");
  m.def(
      "_promote", [](DType a, DType b) { return promote(a, b); }, "The type that holds both.");
}

}  // namespace pellucid::python
