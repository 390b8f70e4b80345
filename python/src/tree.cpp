// See tree.h.
#include "tree.h"

#include <algorithm>

namespace pellucid::python {

namespace {

using Kind = Tree::Kind;

bool is_number(nb::handle value) {
  return PyFloat_Check(value.ptr()) || (PyLong_Check(value.ptr()) && !PyBool_Check(value.ptr()));
}

/// Foreign arrays: NumPy's and whatever else offers a buffer or DLPack; never text or bytes.
bool is_foreign_array(nb::handle value) {
  if (PyUnicode_Check(value.ptr()) || PyBytes_Check(value.ptr()) || PyByteArray_Check(value.ptr()) ||
      PyType_Check(value.ptr()) || PyCallable_Check(value.ptr())) {
    return false;
  }
  return PyObject_HasAttrString(value.ptr(), "__array__") != 0 ||
         PyObject_HasAttrString(value.ptr(), "__dlpack__") != 0;
}

bool is_named_tuple(nb::handle value) {
  return PyTuple_Check(value.ptr()) && !PyTuple_CheckExact(value.ptr()) && nb::hasattr(value, "_fields");
}

nb::object fields_of(nb::handle value) {
  if (PyType_Check(value.ptr())) return {};
  PyObject* fields = PyObject_GetAttrString(reinterpret_cast<PyObject*>(Py_TYPE(value.ptr())), "__dataclass_fields__");
  if (fields == nullptr) {
    PyErr_Clear();
    return {};
  }
  return nb::steal(PySequence_Tuple(nb::steal(fields).ptr()));
}

/// Keys in the order in which their values are leaves: ascending where all are text, so that dicts that differ in the
/// order of insertion alone are equal.
nb::object keys_of(nb::handle dict) {
  nb::object keys = nb::steal(PyDict_Keys(dict.ptr()));
  const Py_ssize_t n = PyList_GET_SIZE(keys.ptr());
  bool text = true;
  for (Py_ssize_t i = 0; i < n; ++i) text = text && PyUnicode_Check(PyList_GET_ITEM(keys.ptr(), i));
  if (text && PyList_Sort(keys.ptr()) != 0) throw nb::python_error();
  return nb::steal(PyList_AsTuple(keys.ptr()));
}

bool array_leaf(nb::handle value, Arrays& leaves, Numbers numbers) {
  if (const Array* array = array_in(value)) {
    leaves.push_back(*array);
    return true;
  }
  if (is_number(value)) {
    if (numbers == Numbers::kStatic) return false;
    return to_array(value, leaves.emplace_back());
  }
  if (value.is_none() || PyBool_Check(value.ptr()) || !is_foreign_array(value)) return false;
  return to_array(value, leaves.emplace_back(), true);
}

bool equal(nb::handle a, nb::handle b) {
  if (a.is(b)) return true;
  if (Py_TYPE(a.ptr()) != Py_TYPE(b.ptr())) return false;
  const int same = PyObject_RichCompareBool(a.ptr(), b.ptr(), Py_EQ);
  if (same < 0) PyErr_Clear();
  return same == 1;
}

class Matcher {
 public:
  Matcher(const Tree& tree, Arrays& leaves, Numbers numbers) : tree_(tree), leaves_(leaves), numbers_(numbers) {}
  bool whole(nb::handle value) { return one(value) && at_ == tree_.entries.size(); }

 private:
  bool one(nb::handle value) {
    const Tree::Entry& entry = tree_.entries[at_++];
    PyObject* o = value.ptr();
    switch (entry.kind) {
      case Kind::kLeaf:
        if (const Array* array = array_in(value)) {
          leaves_.push_back(*array);
          return true;
        }
        return !PyList_Check(o) && !PyTuple_Check(o) && !PyDict_Check(o) && array_leaf(value, leaves_, numbers_);
      case Kind::kStatic:
        return array_in(value) == nullptr && equal(entry.object, value);
      case Kind::kList:
        if (!PyList_CheckExact(o) || PyList_GET_SIZE(o) != static_cast<Py_ssize_t>(entry.count)) return false;
        for (std::uint32_t i = 0; i < entry.count; ++i) {
          if (!one(PyList_GET_ITEM(o, i))) return false;
        }
        return true;
      case Kind::kTuple:
      case Kind::kNamedTuple:
        if (!PyTuple_Check(o) || PyTuple_GET_SIZE(o) != static_cast<Py_ssize_t>(entry.count)) return false;
        if (entry.kind == Kind::kTuple ? !PyTuple_CheckExact(o)
                                       : reinterpret_cast<PyObject*>(Py_TYPE(o)) != entry.type.ptr()) {
          return false;
        }
        for (std::uint32_t i = 0; i < entry.count; ++i) {
          if (!one(PyTuple_GET_ITEM(o, i))) return false;
        }
        return true;
      case Kind::kDict:
        if (!PyDict_CheckExact(o) || PyDict_GET_SIZE(o) != static_cast<Py_ssize_t>(entry.count)) return false;
        for (std::uint32_t i = 0; i < entry.count; ++i) {
          PyObject* item = PyDict_GetItemWithError(o, PyTuple_GET_ITEM(entry.object.ptr(), i));
          if (item == nullptr) {
            PyErr_Clear();
            return false;
          }
          if (!one(item)) return false;
        }
        return true;
      case Kind::kDataclass:
        if (reinterpret_cast<PyObject*>(Py_TYPE(o)) != entry.type.ptr()) return false;
        for (std::uint32_t i = 0; i < entry.count; ++i) {
          if (!one(nb::getattr(value, nb::handle(PyTuple_GET_ITEM(entry.object.ptr(), i))))) return false;
        }
        return true;
      case Kind::kModule:
        if (!entry.object.is(value)) return false;
        {
          const std::vector<Slot> slots = slots_of(value);
          if (slots.size() != entry.count) return false;
          for (const Slot& slot : slots) leaves_.push_back(*slot.value);
        }
        return true;
    }
    return false;
  }

  const Tree& tree_;
  Arrays& leaves_;
  Numbers numbers_;
  std::size_t at_ = 0;
};

class Builder {
 public:
  Builder(const Tree& tree, const Arrays& leaves, bool call) : tree_(tree), leaves_(leaves), call_(call) {}
  nb::object one() {
    const Tree::Entry& entry = tree_.entries[at_++];
    const auto n = static_cast<Py_ssize_t>(entry.count);
    switch (entry.kind) {
      case Kind::kLeaf:
        return leaf();
      case Kind::kStatic:
        return entry.object;
      case Kind::kList: {
        nb::object list = nb::steal(PyList_New(n));
        for (Py_ssize_t i = 0; i < n; ++i) PyList_SET_ITEM(list.ptr(), i, one().release().ptr());
        return list;
      }
      case Kind::kTuple:
      case Kind::kNamedTuple: {
        nb::object tuple = nb::steal(PyTuple_New(n));
        for (Py_ssize_t i = 0; i < n; ++i) PyTuple_SET_ITEM(tuple.ptr(), i, one().release().ptr());
        return entry.kind == Kind::kTuple ? tuple : entry.type.attr("_make")(tuple);
      }
      case Kind::kDict: {
        nb::object dict = nb::steal(PyDict_New());
        for (Py_ssize_t i = 0; i < n; ++i) {
          if (PyDict_SetItem(dict.ptr(), PyTuple_GET_ITEM(entry.object.ptr(), i), one().ptr()) != 0) {
            throw nb::python_error();
          }
        }
        return dict;
      }
      case Kind::kDataclass: {
        // Without __init__, which may check or change what it is given.
        nb::object made = nb::module_::import_("builtins").attr("object").attr("__new__")(entry.type);
        const nb::object set = nb::module_::import_("builtins").attr("object").attr("__setattr__");
        for (Py_ssize_t i = 0; i < n; ++i) set(made, nb::handle(PyTuple_GET_ITEM(entry.object.ptr(), i)), one());
        return made;
      }
      case Kind::kModule: {
        if (call_) {
          next_ += entry.count;
          return entry.object;
        }
        nb::dict dict;
        for (const Slot& slot : slots_of(entry.object)) {
          nb::object value = leaf();
          if (!value.is_none()) dict[slot.name.c_str()] = value;
        }
        return dict;
      }
    }
    return nb::none();
  }

 private:
  nb::object leaf() {
    const Array& x = leaves_[next_++];
    return x.defined() ? nb::cast(x) : nb::none();
  }
  const Tree& tree_;
  const Arrays& leaves_;
  bool call_;
  std::size_t at_ = 0, next_ = 0;
};

void name_entries(const Tree& tree, std::size_t& at, const std::string& path, std::vector<std::string>& names) {
  const Tree::Entry& entry = tree.entries[at++];
  const auto child = [&](const std::string& part) { name_entries(tree, at, path + part, names); };
  switch (entry.kind) {
    case Kind::kLeaf:
      names.push_back(path);
      break;
    case Kind::kStatic:
      break;
    case Kind::kList:
    case Kind::kTuple:
      for (std::uint32_t i = 0; i < entry.count; ++i) child("[" + std::to_string(i) + "]");
      break;
    case Kind::kNamedTuple:
      for (std::uint32_t i = 0; i < entry.count; ++i) {
        child("." + nb::cast<std::string>(nb::str(entry.type.attr("_fields")[i])));
      }
      break;
    case Kind::kDict:
      for (std::uint32_t i = 0; i < entry.count; ++i) {
        child("[" + nb::cast<std::string>(nb::repr(entry.object[i])) + "]");
      }
      break;
    case Kind::kDataclass:
      for (std::uint32_t i = 0; i < entry.count; ++i) child("." + nb::cast<std::string>(nb::str(entry.object[i])));
      break;
    case Kind::kModule:
      for (const Slot& slot : slots_of(entry.object))
        names.push_back(path.empty() ? slot.name : path + "." + slot.name);
      break;
  }
}

}  // namespace

std::vector<std::string> Tree::names() const {
  std::vector<std::string> list;
  std::size_t at = 0;
  while (at < entries.size()) name_entries(*this, at, "", list);
  return list;
}

void flatten(nb::handle value, Tree& tree, Arrays& leaves, Numbers numbers) {
  const auto add = [&](Kind kind, std::size_t count, nb::object object, nb::object type = {}) {
    tree.entries.push_back({kind, static_cast<std::uint32_t>(count), std::move(object), std::move(type)});
  };
  PyObject* o = value.ptr();
  const std::size_t before = leaves.size();
  if (array_in(value) != nullptr) {
    array_leaf(value, leaves, numbers);
    add(Kind::kLeaf, 0, {});
  } else if (PyDict_CheckExact(o)) {
    const nb::object keys = keys_of(value);
    const Py_ssize_t n = PyTuple_GET_SIZE(keys.ptr());
    add(Kind::kDict, static_cast<std::size_t>(n), keys);
    for (Py_ssize_t i = 0; i < n; ++i) {
      flatten(PyDict_GetItem(o, PyTuple_GET_ITEM(keys.ptr(), i)), tree, leaves, numbers);
    }
  } else if (PyList_CheckExact(o) || PyTuple_Check(o)) {
    const bool list = PyList_CheckExact(o) != 0, named = !list && is_named_tuple(value);
    const auto n = static_cast<std::size_t>(PySequence_Size(o));
    add(list    ? Kind::kList
        : named ? Kind::kNamedTuple
                : Kind::kTuple,
        n, {}, named ? nb::borrow(value.type()) : nb::object());
    for (std::size_t i = 0; i < n; ++i) {
      flatten(list ? PyList_GET_ITEM(o, static_cast<Py_ssize_t>(i)) : PyTuple_GET_ITEM(o, static_cast<Py_ssize_t>(i)),
              tree, leaves, numbers);
    }
  } else if (is_module(value)) {
    const std::vector<Slot> slots = slots_of(value);
    add(Kind::kModule, slots.size(), nb::borrow(value));
    for (const Slot& slot : slots) leaves.push_back(*slot.value);
  } else if (array_leaf(value, leaves, numbers)) {
    add(Kind::kLeaf, 0, {});
  } else {
    leaves.resize(before);
    if (const nb::object fields = fields_of(value); fields.is_valid()) {
      const Py_ssize_t n = PyTuple_GET_SIZE(fields.ptr());
      add(Kind::kDataclass, static_cast<std::size_t>(n), fields, nb::borrow(value.type()));
      for (Py_ssize_t i = 0; i < n; ++i) {
        flatten(nb::getattr(value, nb::handle(PyTuple_GET_ITEM(fields.ptr(), i))), tree, leaves, numbers);
      }
    } else {
      add(Kind::kStatic, 0, nb::borrow(value));
    }
  }
  tree.leaves = leaves.size();
}

bool match(const Tree& tree, nb::handle value, Arrays& leaves, Numbers numbers) {
  leaves.clear();
  return Matcher(tree, leaves, numbers).whole(value);
}

Arrays leaves_like(const Tree& tree, nb::handle value, const char* what) {
  Arrays leaves;
  if (!match(tree, value, leaves)) {
    throw nb::value_error((std::string(what) + ": a tree of the same structure is needed: the same keys, lengths and "
                                               "types, an array where an array is")
                              .c_str());
  }
  return leaves;
}

nb::object unflatten(const Tree& tree, const Arrays& leaves) { return Builder(tree, leaves, false).one(); }
nb::object unflatten_for_call(const Tree& tree, const Arrays& leaves) { return Builder(tree, leaves, true).one(); }

ModuleSwap::ModuleSwap(const Tree& tree, const Arrays& leaves) {
  std::size_t next = 0;
  for (const Tree::Entry& entry : tree.entries) {
    if (entry.kind == Kind::kLeaf) ++next;
    if (entry.kind != Kind::kModule) continue;
    alive_.append(entry.object);
    for (const Slot& slot : slots_of(entry.object)) {
      slots_.push_back(slot.value);
      positions_.push_back(next);
      own_.push_back(*slot.value);
      if (leaves[next].defined()) *slot.value = leaves[next];
      ++next;
    }
  }
}

ModuleSwap::~ModuleSwap() {
  for (std::size_t i = slots_.size(); i-- > 0;) *slots_[i] = own_[i];
}

Arrays ModuleSwap::current() const {
  Arrays list;
  for (const Array* slot : slots_) list.push_back(*slot);
  return list;
}

void write_back(const Tree& tree, const Arrays& module_leaves, bool buffers_only) {
  std::size_t next = 0;
  for (const Tree::Entry& entry : tree.entries) {
    if (entry.kind != Kind::kModule) continue;
    for (const Slot& slot : slots_of(entry.object)) {
      if (!buffers_only || slot.buffer) *slot.value = module_leaves[next];
      ++next;
    }
  }
}

}  // namespace pellucid::python
