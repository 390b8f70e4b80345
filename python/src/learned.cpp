// The parameters in a tree of arrays, modules, dicts, lists, tuples and dataclasses.

#include "optim.h"
#include "pellucid/module.h"
#include "tree.h"

namespace pellucid::python {

namespace {

std::string joined(const std::string& path, const std::string& part) { return path.empty() ? part : path + "." + part; }

nb::object sorted_keys(nb::handle dict) {
  nb::object keys = nb::steal(PyDict_Keys(dict.ptr()));
  if (PyList_Sort(keys.ptr()) != 0) throw nb::python_error();
  return keys;
}

bool is_sequence(nb::handle value) { return PyList_Check(value.ptr()) || PyTuple_Check(value.ptr()); }

nb::object fields_of(nb::handle value) {
  return PyType_Check(value.ptr()) ? nb::none() : nb::getattr(value.type(), "__dataclass_fields__", nb::none());
}

bool is_parameter(nb::handle value) {
  if (nb::isinstance<nn::Buffer>(value)) return false;
  if (nb::isinstance<nn::Parameter>(value) && !nb::inst_ptr<nn::Parameter>(value)->trainable) return false;
  const Array* array = array_in(value);
  return array != nullptr && array->defined() && is_float(array->dtype());
}

[[noreturn]] void differ(const std::string& path) {
  throw nb::value_error(("update: the gradients have no entry" + (path.empty() ? "" : " '" + path + "'") +
                         " as the parameters have; give them in the structure that value_and_grad gives")
                            .c_str());
}

nb::object entry(nb::handle gradients, nb::handle key) {
  if (!gradients.is_valid()) return {};
  PyObject* item = PyObject_GetItem(gradients.ptr(), key.ptr());
  if (item == nullptr) {
    PyErr_Clear();
    return nb::none();  // what is not learned needs none
  }
  return nb::steal(item);
}

void collect(nb::handle tree, nb::handle gradients, const std::string& path, Learned& found) {
  PyObject* o = tree.ptr();
  const auto add = [&](const std::string& name, const Array& value, nb::handle gradient) {
    found.names.push_back(name);
    found.values.push_back(value);
    if (!gradients.is_valid()) return;
    Array& g = found.gradients.emplace_back();
    if (gradient.is_none() || !to_array(gradient, g)) differ(name);
  };
  if (is_module(tree)) {
    for (const Slot& slot : slots_of(tree)) {
      if (slot.buffer || !slot.trainable || !is_float(slot.value->dtype())) continue;
      const std::string name = joined(path, slot.name);
      add(name, *slot.value, entry(gradients, nb::cast(slot.name)));
    }
  } else if (array_in(tree) != nullptr) {
    if (is_parameter(tree)) add(path, *array_in(tree), gradients);
  } else if (PyDict_Check(o)) {
    const nb::object keys = sorted_keys(tree);
    for (nb::handle key : keys) {
      const std::string name = joined(path, nb::cast<std::string>(nb::str(key)));
      collect(PyDict_GetItem(o, key.ptr()), entry(gradients, key), name, found);
    }
  } else if (is_sequence(tree)) {
    for (Py_ssize_t i = 0; i < PySequence_Size(o); ++i) {
      const std::string name = joined(path, std::to_string(i));
      collect(nb::steal(PySequence_GetItem(o, i)), entry(gradients, nb::int_(i)), name, found);
    }
  } else if (const nb::object fields = fields_of(tree); !fields.is_none()) {
    for (nb::handle field : fields) {
      const std::string name = joined(path, nb::cast<std::string>(field));
      const nb::object gradient = gradients.is_valid() ? nb::getattr(gradients, field, nb::none()) : nb::object();
      collect(nb::getattr(tree, field), gradient, name, found);
    }
  }
}

nb::object rebuild(nb::handle tree, const Arrays& values, std::size_t& next) {
  PyObject* o = tree.ptr();
  if (is_module(tree)) {
    for (const Slot& slot : slots_of(tree)) {
      if (!slot.buffer && slot.trainable && is_float(slot.value->dtype())) *slot.value = values[next++];
    }
    return nb::borrow(tree);
  }
  if (array_in(tree) != nullptr) {
    if (!is_parameter(tree)) return nb::borrow(tree);
    if (nb::isinstance<Array>(tree)) return nb::cast(values[next++]);
    const_cast<Array&>(*array_in(tree)) = values[next++];  // a Parameter is a place of its own
    return nb::borrow(tree);
  }
  if (PyDict_Check(o)) {
    nb::object copy = nb::steal(PyDict_Copy(o));
    const nb::object keys = sorted_keys(tree);
    for (nb::handle key : keys) {
      if (PyDict_SetItem(copy.ptr(), key.ptr(), rebuild(PyDict_GetItem(o, key.ptr()), values, next).ptr()) != 0)
        throw nb::python_error();
    }
    return copy;
  }
  if (is_sequence(tree)) {
    nb::list list;
    for (Py_ssize_t i = 0; i < PySequence_Size(o); ++i)
      list.append(rebuild(nb::steal(PySequence_GetItem(o, i)), values, next));
    if (PyList_Check(o)) return list;
    return nb::hasattr(tree, "_make") ? nb::object(tree.attr("_make")(list)) : nb::object(nb::tuple(list));
  }
  if (const nb::object fields = fields_of(tree); !fields.is_none()) {
    nb::dict changed;
    for (nb::handle field : fields) changed[field] = rebuild(nb::getattr(tree, field), values, next);
    return nb::module_::import_("dataclasses").attr("replace")(tree, **changed);
  }
  return nb::borrow(tree);
}

}  // namespace

Learned learned_of(nb::handle tree, nb::handle gradients) {
  Learned found;
  collect(tree, gradients, "", found);
  if (found.values.empty()) {
    throw nb::type_error("optimizer: the parameters hold no floating array; give arrays, a tree of them, or a module");
  }
  return found;
}

nb::object with_learned(nb::handle tree, const Arrays& values) {
  std::size_t next = 0;
  return rebuild(tree, values, next);
}

}  // namespace pellucid::python
