// The class Array: properties, operators, conversions, printing.
#include "pellucid/array.h"

#include <nanobind/stl/string.h>

#include "array/node.h"
#include "core.h"
#include "index.h"
#include "pellucid/module.h"
#include "pellucid/ops.h"

namespace pellucid::python {

int get_buffer(PyObject* self, Py_buffer* view, int flags);
void release_buffer(PyObject* self, Py_buffer* view);

namespace {

using Binary = Array (*)(const Array&, const Array&);
using Unary = Array (*)(const Array&);

template <class C>
void binary(C& cls, const char* name, Binary f) {
  cls.def(
      name, [f](const Operand& x, const Operand& y) { return f(x, y); }, nb::is_operator());
}
/// The operator and its mirror image.
template <class C>
void both(C& cls, const std::string& name, Binary f) {
  cls.def(("__" + name + "__").c_str(), [f](const Operand& x, const Operand& y) { return f(x, y); }, nb::is_operator());
  cls.def(("__r" + name + "__").c_str(), [f](const Operand& x, const Operand& y) { return f(y, x); },
          nb::is_operator());
}
template <class C>
void unary(C& cls, const char* name, Unary f) {
  cls.def(name, [f](const Operand& x) { return f(x); });
}

Array matrix_transpose(const Array& x) {
  if (x.rank() < 2) throw nb::value_error("mT: an array of at least two axes has a matrix to transpose");
  return transpose(x);
}

nb::object item(const Array& x) {
  evaluate_released(x);
  if (x.size() != 1) x.item<double>();  // throws, saying why
  switch (x.dtype()) {
    case DType::kBool:
      return nb::bool_(x.item<bool>());
    case DType::kUInt8:
    case DType::kInt32:
    case DType::kInt64:
      return nb::int_(x.item<std::int64_t>());
    default:
      return nb::float_(x.item<double>());
  }
}

nb::object number(const Array& x, const char* what) {
  if (x.rank() > 0 && x.size() != 1) {
    throw nb::type_error((std::string(what) + ": only an array of one element can be converted; this one is " +
                          to_string(x.shape()) + (std::string(what) == "bool" ? "; use any() or all()" : ""))
                             .c_str());
  }
  return item(x);
}

/// As NumPy prints it; without a value, what is known.
std::string repr(const Array& x) {
  try {
    evaluate_released(x);
  } catch (const Error&) {
    return "Array(" + to_string(x.shape()) + ", dtype=" + std::string(name_of(x.dtype())) + ", no value yet)";
  }
  const nb::object numpy = nb::module_::import_("numpy");
  nb::dict named;
  named["separator"] = ", ";
  named["prefix"] = "Array(";
  named["threshold"] = 200;
  const auto text = nb::cast<std::string>(numpy.attr("array2string")(to_numpy(x), **named));
  const bool unseen = x.size() == 0 && x.rank() != 1;  // [] would not say it
  const std::string shape = unseen ? ", shape=" + nb::cast<std::string>(nb::repr(shape_tuple(x.shape()))) : "";
  return "Array(" + text + shape + ", dtype=" + std::string(name_of(x.dtype())) + ")";
}

std::string str(const Array& x) {
  try {
    evaluate_released(x);
  } catch (const Error&) {
    return repr(x);
  }
  return nb::cast<std::string>(nb::str(to_numpy(x)));
}

/// What Array, Parameter and Buffer can do alike.
template <class C>
void operators(C& cls) {
  both(cls, "add", &add);
  both(cls, "sub", &subtract);
  both(cls, "mul", &multiply);
  both(cls, "truediv", &divide);
  both(cls, "floordiv", &floor_divide);
  both(cls, "mod", &remainder);
  both(cls, "pow", &pow);
  both(cls, "matmul", &matmul);
  both(cls, "and", [](const Array& x, const Array& y) { return x & y; });
  both(cls, "or", [](const Array& x, const Array& y) { return x | y; });
  both(cls, "xor", [](const Array& x, const Array& y) { return x ^ y; });
  both(cls, "lshift", &bitwise_left_shift);
  both(cls, "rshift", &bitwise_right_shift);
  binary(cls, "__eq__", &equal);
  binary(cls, "__ne__", &not_equal);
  binary(cls, "__lt__", &less);
  binary(cls, "__le__", &less_equal);
  binary(cls, "__gt__", &greater);
  binary(cls, "__ge__", &greater_equal);
  unary(cls, "__neg__", &negative);
  unary(cls, "__pos__", &positive);
  unary(cls, "__abs__", &abs);
  unary(cls, "__invert__", &bitwise_invert);
  cls.attr("__hash__") = nb::none();
  cls.attr("__array_ufunc__") = nb::none();  // NumPy leaves mixed expressions to the operators here

  cls.def(
      "__getitem__", [](const Operand& x, nb::handle key) { return get_item(x, key); }, nb::arg().none());
  cls.def(
      "__setitem__",
      [](const Array&, nb::handle, nb::handle) {
        throw nb::type_error(
            "arrays never change: make another by where(mask, new, x), or concat; sums at indices by scatter_add");
      },
      nb::arg().none(), nb::arg().none(), "Raises TypeError: arrays never change.");
  cls.def("__len__", [](const Operand& x) {
    if (x.array.rank() == 0) throw nb::type_error("len: a scalar has no length");
    return x.array.size(0);
  });
  cls.def("__bool__", [](const Operand& x) { return nb::cast<bool>(nb::bool_(number(x, "bool"))); });
  cls.def("__float__", [](const Operand& x) { return nb::float_(number(x, "float")); });
  cls.def("__int__", [](const Operand& x) { return nb::int_(number(x, "int")); });
  cls.def("__complex__",
          [](const Operand& x) { return nb::module_::import_("builtins").attr("complex")(number(x, "complex")); });
  cls.def("__index__", [](const Operand& x) {
    if (!is_integer(x.array.dtype()) || x.array.rank() != 0) {
      throw nb::type_error("index: only an integer scalar can stand for an integer");
    }
    return item(x);
  });
  cls.def(
      "__array__",
      [](const Operand& x, nb::handle dtype, nb::handle copy) {
        const nb::object view = to_numpy(x);
        if (!copy.is_none() && !nb::cast<bool>(copy) && !dtype.is_none() &&
            !nb::cast<bool>(view.attr("dtype").equal(nb::module_::import_("numpy").attr("dtype")(dtype)))) {
          throw nb::value_error("__array__: another type needs a copy");
        }
        if (!dtype.is_none()) {
          nb::dict named;
          named["copy"] = nb::bool_(!copy.is_none() && nb::cast<bool>(copy));
          return nb::object(view.attr("astype")(dtype, **named));
        }
        return !copy.is_none() && nb::cast<bool>(copy) ? nb::object(view.attr("copy")()) : view;
      },
      nb::arg("dtype") = nb::none(), nb::arg("copy") = nb::none());
  cls.def(
      "__dlpack__",
      [](const Operand& x, nb::handle, nb::handle max_version, nb::handle dl_device, nb::handle copy) {
        return nb::module_::import_("pellucid._core").attr("_export_dlpack")(x.array, max_version, dl_device, copy);
      },
      nb::kw_only(), nb::arg("stream") = nb::none(), nb::arg("max_version") = nb::none(),
      nb::arg("dl_device") = nb::none(), nb::arg("copy") = nb::none());
  cls.def("__dlpack_device__", [](const Operand&) { return nb::make_tuple(1, 0); });
  cls.def(
      "__array_namespace__",
      [](const Operand&, nb::handle api_version) {
        if (!api_version.is_none()) {
          const auto version = nb::cast<std::string>(api_version);
          if (version > "2024.12" || version < "2021.12") {
            throw nb::value_error(("__array_namespace__: version " + version + "; this is 2024.12").c_str());
          }
        }
        return nb::module_::import_("pellucid");
      },
      nb::kw_only(), nb::arg("api_version") = nb::none(), "The module with the array API standard's functions.");
  cls.def(
      "numpy", [](const Operand& x) { return to_numpy(x); },
      "The values as a NumPy array that shares this memory and cannot be written to; bfloat16 comes as float32.");
  cls.def(
      "item", [](const Operand& x) { return item(x); }, "The one element as a Python number.");
  cls.def(
      "tolist", [](const Operand& x) { return to_numpy(x).attr("tolist")(); }, "Nested lists of Python numbers.");
  cls.def("__format__", [](const Operand& x, nb::handle spec) {
    if (x.array.size() == 1 && nb::len(spec) > 0) return nb::object(item(x).attr("__format__")(spec));
    return nb::object(nb::str(str(x).c_str()));
  });
  cls.def_prop_ro(
      "shape", [](const Operand& x) { return shape_tuple(x.array.shape()); }, "Sizes, outermost first.");
  cls.def_prop_ro(
      "dtype", [](const Operand& x) { return x.array.dtype(); }, "The type of the elements.");
  cls.def_prop_ro(
      "ndim", [](const Operand& x) { return x.array.rank(); }, "The number of axes.");
  cls.def_prop_ro(
      "size", [](const Operand& x) { return x.array.size(); }, "The number of elements.");
  cls.def_prop_ro(
      "nbytes", [](const Operand& x) { return x.array.size() * static_cast<std::int64_t>(size_of(x.array.dtype())); },
      "Bytes of all elements.");
  cls.def_prop_ro(
      "device", [](const Operand&) { return "cpu"; }, "Where the values are: always \"cpu\".");
  cls.def_prop_ro(
      "mT", [](const Operand& x) { return matrix_transpose(x); }, "The last two axes exchanged.");
  cls.def_prop_ro(
      "T",
      [](const Operand& x) {
        std::vector<int> order(x.array.shape().size());
        for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int>(order.size() - 1 - i);
        return permute(x, order);
      },
      "All axes the other way round.");
  cls.def(
      "to_device",
      [](const Operand& x, const std::string& device, nb::handle) {
        if (device != "cpu") throw nb::value_error(("to_device: '" + device + "': the only device is 'cpu'").c_str());
        return x.array;
      },
      nb::arg("device"), nb::kw_only(), nb::arg("stream") = nb::none(),
      "The array itself: the only device is \"cpu\".");

  // Methods that read better than functions in a chain.
  cls.def(
      "astype", [](const Operand& x, DType dtype) { return astype(x, dtype); }, nb::arg("dtype"), doc_of("astype"));
  cls.def(
      "reshape",
      [](const Operand& x, nb::args sizes) {
        ShapeArg shape;
        const nb::object given = sizes.size() == 1 ? nb::object(sizes[0]) : nb::object(sizes);
        if (!to_shape(given, shape.shape))
          throw nb::type_error("reshape: sizes are integers, one by one or in a tuple");
        return reshape(x, shape);
      },
      doc_of("reshape"));
  cls.def(
      "flatten", [](const Operand& x) { return reshape(x, {-1}); }, "All elements along one axis.");
  cls.def(
      "transpose",
      [](const Operand& x, nb::args order) {
        if (order.size() == 0) return nb::cast<Array>(nb::cast(x.array).attr("T"));
        Shape axes;
        if (!to_shape(order.size() == 1 ? nb::object(order[0]) : nb::object(order), axes))
          throw nb::type_error("transpose: axes are integers, one by one or in a tuple");
        return permute(x, std::vector<int>(axes.begin(), axes.end()));
      },
      "The axes in the given order, or the other way round.");
  const auto reduction = [&](const char* name, Array (*f)(const Array&, const Axes&, bool)) {
    cls.def(
        name, [f](const Operand& x, const AxesArg& axis, bool keepdims) { return f(x, axis, keepdims); },
        nb::arg("axis") = nb::none(), nb::arg("keepdims") = false, doc_of(name));
  };
  reduction("sum", &sum);
  reduction("mean", &mean);
  reduction("prod", &prod);
  reduction("max", &max);
  reduction("min", &min);
  reduction("any", &any);
  reduction("all", &all);
  cls.def(
      "argmax",
      [](const Operand& x, nb::handle axis) {
        return argmax(x, axis.is_none() ? std::optional<int>() : std::optional<int>(nb::cast<int>(axis)));
      },
      nb::arg("axis") = nb::none(), doc_of("argmax"));
  cls.def(
      "argmin",
      [](const Operand& x, nb::handle axis) {
        return argmin(x, axis.is_none() ? std::optional<int>() : std::optional<int>(nb::cast<int>(axis)));
      },
      nb::arg("axis") = nb::none(), doc_of("argmin"));
}

PyType_Slot buffer_slots[] = {{Py_bf_getbuffer, reinterpret_cast<void*>(&get_buffer)},
                              {Py_bf_releasebuffer, reinterpret_cast<void*>(&release_buffer)},
                              {0, nullptr}};

}  // namespace

void bind_array(nb::module_& m) {
  nb::class_<Array> cls(
      m, "Array", nb::type_slots(buffer_slots),
      "An n-dimensional value of one element type. It never changes, and it is computed when it is read: "
      "printed, converted, or given to evaluate().");
  cls.def(
      "__init__", [](Array* self, nb::handle values) { new (self) Array(as_array(values, "Array")); },
      nb::arg("values"), "A copy of numbers, nested lists, or what NumPy can take.");
  operators(cls);
  cls.def("__iter__", [](const Operand& x) {
    if (x.array.rank() == 0) throw nb::type_error("iter: a scalar cannot be iterated over");
    return nb::iter(array_list(unstack(x, 0)));
  });
  cls.def("__repr__", &repr);
  cls.def("__str__", &str);
  cls.def("__copy__", [](const Array& x) { return x; });
  cls.def("__deepcopy__", [](const Array& x, nb::handle) { return x; });
  cls.def("__reduce__", [](const Array& x) {
    return nb::make_tuple(nb::module_::import_("pellucid").attr("_unpickle_array"),
                          nb::make_tuple(to_numpy(x), nb::str(name_of(x.dtype()).data(), name_of(x.dtype()).size())));
  });
  cls.def_prop_ro(
      "weak", [](const Array& x) { return x.weak(); },
      "True for a scalar whose type gives way to that of the arrays it meets.");
  cls.def(
      "evaluate",
      [](const Array& x) {
        evaluate_released(x);
        return x;
      },
      "Computes the value now, and gives the array itself.");
  nb::class_<nn::Parameter> parameter(
      m, "Parameter", "An array that is learned. It stands wherever an Array may stand; `value` is the Array.");
  parameter.def(
      "__init__",
      [](nn::Parameter* self, const Operand& value, bool trainable) {
        const Array start = value.array.weak() ? astype(value, value.array.dtype()) : value.array;
        new (self) nn::Parameter(start);
        self->trainable = trainable;
      },
      nb::arg("value"), nb::arg("trainable") = true);
  operators(parameter);
  parameter.def_prop_rw(
      "value", [](const nn::Parameter& p) { return static_cast<const Array&>(p); },
      [](nn::Parameter& p, const Operand& value) {
        if (p.value.defined() && value.array.shape() != p.value.shape()) {
          throw Error("Parameter: a value of shape " + to_string(value.array.shape()) +
                      " cannot take the place of one of shape " + to_string(p.value.shape()));
        }
        static_cast<void>(static_cast<const Array&>(p));
        p.value = value;
      },
      "The array; setting it keeps the shape.");
  parameter.def_rw("trainable", &nn::Parameter::trainable, "False: frozen.");
  parameter.def("__repr__", [](const nn::Parameter& p) {
    return "Parameter(" + repr(p) + (p.trainable ? ")" : ", trainable=False)");
  });
  nb::class_<nn::Buffer> buffer(m, "Buffer", "An array that is kept and saved but not learned; `value` is the Array.");
  buffer.def(
      "__init__", [](nn::Buffer* self, const Operand& value) { new (self) nn::Buffer(value.array); }, nb::arg("value"));
  operators(buffer);
  buffer.def_prop_rw(
      "value", [](const nn::Buffer& b) { return b.value; },
      [](nn::Buffer& b, const Operand& value) { b.value = value; }, "The array.");
  buffer.def("__repr__", [](const nn::Buffer& b) { return "Buffer(" + repr(b.value) + ")"; });
}

}  // namespace pellucid::python
