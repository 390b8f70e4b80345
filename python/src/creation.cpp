// Making arrays: the array API standard's creation functions.
#include <nanobind/stl/string.h>

#include <cmath>

#include "array/node.h"
#include "core.h"
#include "exchange.h"

namespace pellucid::python {

namespace {

void check_device(nb::handle device) {
  if (!device.is_none() && nb::cast<std::string>(nb::str(device)) != "cpu") {
    throw nb::value_error("the only device is 'cpu'");
  }
}

DType type_or(nb::handle dtype, DType otherwise) {
  if (dtype.is_none()) return otherwise;
  DType value;
  if (!to_dtype(dtype, value)) {
    throw nb::type_error((nb::cast<std::string>(nb::repr(dtype)) +
                          " is no element type; the types are bool, uint8, int32, int64, "
                          "bfloat16, float32 and float64")
                             .c_str());
  }
  return value;
}

/// A Python number as an array that is not weak.
Array settled(const Array& x) {
  if (!x.weak()) return x;
  return Array::from_memory(x.raw_data(), 1, {}, x.dtype());
}

Array as_array_of(nb::handle x, nb::handle dtype, nb::handle copy) {
  if (!copy.is_none() && PyBool_Check(copy.ptr()) == 0) {
    throw nb::type_error(
        ("asarray: copy is True, False or None, not " + nb::cast<std::string>(nb::repr(copy))).c_str());
  }
  const bool never = !copy.is_none() && !nb::cast<bool>(copy), always = !copy.is_none() && !never;
  Array array;
  if (const Array* known = array_in(x)) {
    array = *known;
  } else if (never) {
    if (PyObject_CheckBuffer(x.ptr()) != 0) {
      array = from_buffer(nb::borrow(x), true, true);
    } else if (nb::hasattr(x, "__dlpack__")) {
      array = from_dlpack(nb::borrow(x), true, true);
    } else {
      throw nb::value_error("asarray: Python numbers and lists can only be copied; leave copy=False out");
    }
  } else if (PyFloat_Check(x.ptr()) && !PyFloat_CheckExact(x.ptr()) && PyObject_CheckBuffer(x.ptr()) != 0) {
    array =
        from_buffer(nb::borrow(x), false);  // NumPy's float64: a type of its own, though Python takes it for a float
  } else {
    array = as_array(x, "asarray", !always);
  }
  if (array.weak() && is_float(array.dtype()) && !dtype.is_none()) {
    return astype(array, type_or(dtype, array.dtype())).evaluate();  // a Python number with all its digits
  }
  const DType type = type_or(dtype, array.dtype());
  if (type != array.dtype()) {
    if (never) throw nb::value_error("asarray: another type needs a copy; leave copy=False out");
    // Lists of Python numbers reach float64 with all their digits.
    if ((PyList_Check(x.ptr()) || PyTuple_Check(x.ptr())) && type == DType::kFloat64) {
      return from_buffer(nb::module_::import_("numpy").attr("asarray")(x, "float64"), false);
    }
    return astype(array, type);
  }
  if (always && array_in(x) != nullptr) {
    evaluate_released(array);
    return Array::from_memory(array.raw_data(), static_cast<std::size_t>(array.size()), array.shape(), array.dtype());
  }
  return settled(array);
}

Array full_of(const Shape& shape, nb::handle value, nb::handle dtype) {
  const Array scalar = as_array(value, "full");
  return full(shape, scalar, type_or(dtype, scalar.dtype()));
}

/// The type of a range whose numbers are all integers, or not.
bool all_integers(std::initializer_list<nb::handle> numbers) {
  for (const nb::handle n : numbers) {
    if (!n.is_none() && PyIndex_Check(n.ptr()) == 0) return false;
  }
  return true;
}

Array range(nb::handle start, nb::handle stop, nb::handle step, nb::handle dtype) {
  const DType type = type_or(dtype, all_integers({start, stop, step}) ? DType::kInt64 : DType::kFloat32);
  const nb::object low = stop.is_none() ? nb::object(nb::int_(0)) : nb::borrow(start);
  const nb::object high = nb::borrow(stop.is_none() ? start : stop);
  const auto number = [](nb::handle x) {
    const double value = PyFloat_AsDouble(x.ptr());
    if (value == -1 && PyErr_Occurred() != nullptr) throw nb::python_error();
    return value;
  };
  const double from = number(low), to = number(high), by = number(step);
  if (by == 0) throw nb::value_error("arange: a step of 0 does not reach the end");
  if (type == DType::kBool) throw nb::type_error("arange: is not defined for bool");
  if ((to - from) / by <= 0) return zeros({0}, type);
  if (is_integer(type) && !all_integers({low, high, step})) return astype(arange(from, to, by, DType::kFloat64), type);
  return arange(from, to, by, type);
}

}  // namespace

void bind_creation(nb::module_& m) {
  m.def(
      "asarray",
      [](nb::handle x, nb::handle dtype, nb::handle device, nb::handle copy) {
        check_device(device);
        return as_array_of(x, dtype, copy);
      },
      nb::arg("obj"), nb::arg("dtype") = nb::none(), nb::kw_only(), nb::arg("device") = nb::none(),
      nb::arg("copy") = nb::none(),
      "An array of numbers, nested lists, NumPy arrays, buffers and DLPack arrays. Foreign memory is shared where its "
      "layout allows, unless copy=True; with copy=False a copy that would be needed raises ValueError. Floats in "
      "Python lists become float32.");
  m.def(
      "array",
      [](nb::handle x, nb::handle dtype) {
        return as_array_of(x, dtype, array_in(x) != nullptr ? nb::none() : nb::object(nb::bool_(true)));
      },
      nb::arg("obj"), nb::arg("dtype") = nb::none(), "An array of its own: asarray with copy=True.");
  const auto filled = [&](const char* name, Array (*f)(const Shape&, DType)) {
    m.def(
        name,
        [f](const ShapeArg& shape, nb::handle dtype, nb::handle device) {
          check_device(device);
          return f(shape, type_or(dtype, DType::kFloat32));
        },
        nb::arg("shape"), nb::arg("dtype") = nb::none(), nb::kw_only(), nb::arg("device") = nb::none(),
        doc_of(name)[0] == '\0' ? "Zeros: an array that never changes has no use for anything else." : doc_of(name));
  };
  filled("zeros", &zeros);
  filled("ones", &ones);
  filled("empty", &zeros);
  const auto like = [&](const char* name, Array (*f)(const Shape&, DType)) {
    m.def(
        name,
        [f](const Operand& x, nb::handle dtype, nb::handle device) {
          check_device(device);
          return f(x.array.shape(), type_or(dtype, x.array.dtype()));
        },
        nb::arg("x"), nb::arg("dtype") = nb::none(), nb::kw_only(), nb::arg("device") = nb::none(),
        "The same of x's shape and type.");
  };
  like("zeros_like", &zeros);
  like("ones_like", &ones);
  like("empty_like", &zeros);
  m.def(
      "full",
      [](const ShapeArg& shape, nb::handle value, nb::handle dtype, nb::handle device) {
        check_device(device);
        return full_of(shape, value, dtype);
      },
      nb::arg("shape"), nb::arg("fill_value"), nb::arg("dtype") = nb::none(), nb::kw_only(),
      nb::arg("device") = nb::none(), "One number everywhere.");
  m.def(
      "full_like",
      [](const Operand& x, nb::handle value, nb::handle dtype, nb::handle device) {
        check_device(device);
        return full(x.array.shape(), as_array(value, "full_like"), type_or(dtype, x.array.dtype()));
      },
      nb::arg("x"), nb::arg("fill_value"), nb::arg("dtype") = nb::none(), nb::kw_only(), nb::arg("device") = nb::none(),
      "One number everywhere, of x's shape and type.");
  m.def(
      "arange",
      [](nb::handle start, nb::handle stop, nb::handle step, nb::handle dtype, nb::handle device) {
        check_device(device);
        return range(start, stop, step, dtype);
      },
      nb::arg("start"), nb::arg("stop") = nb::none(), nb::arg("step") = 1, nb::kw_only(), nb::arg("dtype") = nb::none(),
      nb::arg("device") = nb::none(),
      "start, start + step, ... before stop; arange(n) is 0, 1, ..., n - 1. int64 where all are integers.");
  m.def(
      "linspace",
      [](double start, double stop, std::int64_t num, nb::handle dtype, nb::handle device, bool endpoint) {
        check_device(device);
        const DType type = type_or(dtype, DType::kFloat32);
        if (endpoint) return linspace(start, stop, num, type);
        const Array all = linspace(start, stop, num + 1, type);
        return slice(all, 0, 0, num);
      },
      nb::arg("start"), nb::arg("stop"), nb::arg("num"), nb::kw_only(), nb::arg("dtype") = nb::none(),
      nb::arg("device") = nb::none(), nb::arg("endpoint") = true, doc_of("linspace"));
  m.def(
      "eye",
      [](std::int64_t n_rows, nb::handle n_cols, std::int64_t k, nb::handle dtype, nb::handle device) {
        check_device(device);
        const std::int64_t columns = n_cols.is_none() ? n_rows : nb::cast<std::int64_t>(n_cols);
        const DType type = type_or(dtype, DType::kFloat32);
        if (k == 0) return eye(n_rows, columns, type);
        const Array rows = reshape(arange(n_rows), {-1, 1}), wanted = arange(columns) - Array(k);
        return astype(equal(rows, wanted), type);
      },
      nb::arg("n_rows"), nb::arg("n_cols") = nb::none(), nb::kw_only(), nb::arg("k") = 0, nb::arg("dtype") = nb::none(),
      nb::arg("device") = nb::none(), doc_of("eye"));
  m.def(
      "meshgrid",
      [](nb::args arrays, const std::string& indexing) {
        Arrays vectors;
        for (nb::handle x : arrays) vectors.push_back(as_array(x, "meshgrid"));
        if (indexing != "xy" && indexing != "ij") throw nb::value_error("meshgrid: indexing is 'xy' or 'ij'");
        if (vectors.empty()) return array_list({});
        const bool swap = indexing == "xy" && vectors.size() > 1;
        for (const Array& v : vectors) {
          if (v.dtype() != vectors[0].dtype()) throw nb::value_error("meshgrid: the vectors must be of one type");
        }
        if (swap) std::swap(vectors[0], vectors[1]);
        Arrays grids = meshgrid(vectors);
        if (swap) std::swap(grids[0], grids[1]);  // "xy": the first vector runs along the second axis
        return array_list(grids);
      },
      nb::arg("arrays"), nb::kw_only(), nb::arg("indexing") = "xy", doc_of("meshgrid"));
  m.def(
      "astype",
      [](const Operand& x, DType dtype, bool copy, nb::handle device) {
        check_device(device);
        static_cast<void>(copy);
        return astype(x, dtype);
      },
      nb::arg("x"), nb::arg("dtype"), nb::kw_only(), nb::arg("copy") = true, nb::arg("device") = nb::none(),
      doc_of("astype"));
}

}  // namespace pellucid::python
