// See index.h.
#include "index.h"

#include <algorithm>

namespace pellucid::python {

namespace {

bool is_index_array(nb::handle key) {
  if (is_array(key) || PyList_Check(key.ptr())) return true;
  return !PySlice_Check(key.ptr()) && PyIndex_Check(key.ptr()) == 0 && !PyBool_Check(key.ptr()) &&
         (PyObject_CheckBuffer(key.ptr()) != 0 || nb::hasattr(key, "__array__"));
}

std::optional<std::int64_t> slice_end(nb::handle value) {
  if (value.is_none()) return {};
  const Py_ssize_t n = PyNumber_AsSsize_t(value.ptr(), nullptr);
  if (n == -1 && PyErr_Occurred() != nullptr) throw nb::python_error();
  return n;
}

Index basic(nb::handle key) {
  if (key.is_none()) return NewAxis{};
  if (key.ptr() == Py_Ellipsis) return Ellipsis{};
  if (PySlice_Check(key.ptr())) {
    Slice slice{slice_end(key.attr("start")), slice_end(key.attr("stop")), slice_end(key.attr("step")).value_or(1)};
    if (slice.step == 0) throw nb::value_error("slice step cannot be zero");
    return slice;
  }
  if (PyIndex_Check(key.ptr()) != 0 && !PyBool_Check(key.ptr())) {
    const Py_ssize_t n = PyNumber_AsSsize_t(key.ptr(), PyExc_IndexError);
    if (n == -1 && PyErr_Occurred() != nullptr) throw nb::python_error();
    return static_cast<std::int64_t>(n);
  }
  const std::string type = nb::cast<std::string>(nb::str(key.type().attr("__name__")));
  throw nb::index_error(
      ("index: a " + type + " is no index; use integers, slices, None, ..., index arrays or a mask").c_str());
}

/// How many axes of x an entry takes.
std::size_t axes_of(nb::handle key) {
  if (key.is_none()) return 0;
  if (is_index_array(key)) {
    const Array a = as_array(key, "index");
    return a.dtype() == DType::kBool ? static_cast<std::size_t>(a.rank()) : 1;
  }
  return 1;
}

/// The elements where the mask, of x's leading axes, is true.
Array masked(const Array& x, const Array& mask) {
  if (mask.rank() > x.rank() || !std::equal(mask.shape().begin(), mask.shape().end(), x.shape().begin())) {
    throw nb::index_error(("index: a mask of shape " + to_string(mask.shape()) + " does not fit the leading axes of " +
                           to_string(x.shape()))
                              .c_str());
  }
  if (mask.rank() == 0) {
    evaluate_released(mask);
    return take(expand_dims(x, 0), Array::from(std::vector<std::int64_t>(mask.item<bool>() ? 1 : 0, 0)), 0);
  }
  evaluate_released(mask);
  return gather(x, nonzero(mask));
}

Array advanced(const Array& x, const std::vector<nb::object>& keys) {
  // One index array beside basic entries: those first, and then take along its axis.
  const auto arrays = std::count_if(keys.begin(), keys.end(), [](const nb::object& k) { return is_index_array(k); });
  if (arrays == 1) {
    std::vector<Index> entries;
    Array indices;
    bool seen = false, mask = false;
    int position = 0;
    for (const nb::object& key : keys) {
      if (is_index_array(key)) {
        indices = as_array(key, "index");
        mask = indices.dtype() == DType::kBool;
        if (mask && indices.rank() != 1) throw nb::index_error("index: a mask beside slices must have one axis");
        entries.emplace_back(Slice{});
        seen = true;
        continue;
      }
      const Index entry = basic(key);
      if (!seen) {
        if (std::holds_alternative<Ellipsis>(entry)) {
          std::size_t used = 0;
          for (const nb::object& k : keys) used += k.ptr() == Py_Ellipsis ? 0 : axes_of(k);
          position += x.rank() - static_cast<int>(used);
        } else if (!std::holds_alternative<std::int64_t>(entry)) {
          ++position;
        }
      }
      entries.push_back(entry);
    }
    const Array rest = index(x, entries);
    if (mask) {
      evaluate_released(indices);
      if (indices.size() != rest.size(position)) {
        throw nb::index_error(("index: a mask of " + std::to_string(indices.size()) +
                               " elements does not fit an axis of " + std::to_string(rest.size(position)))
                                  .c_str());
      }
      indices = nonzero(indices)[0];
    }
    return take(rest, indices, position);
  }
  // Several: index arrays and integers for the leading axes, slices of whole axes after them.
  Arrays leading;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const nb::object& key = keys[i];
    if (is_index_array(key)) {
      leading.push_back(as_array(key, "index"));
      if (leading.back().dtype() == DType::kBool)
        throw nb::index_error("index: a mask must stand alone, or beside slices");
    } else if (PyIndex_Check(key.ptr()) != 0 && !PyBool_Check(key.ptr())) {
      leading.push_back(Array::from(std::vector<std::int64_t>{nb::cast<std::int64_t>(key)}, {}));
    } else {
      std::vector<Index> entries(leading.size(), Index(Slice{}));
      for (std::size_t j = i; j < keys.size(); ++j) entries.push_back(basic(keys[j]));
      if (std::any_of(keys.begin() + static_cast<std::ptrdiff_t>(i), keys.end(),
                      [](const nb::object& k) { return is_index_array(k); })) {
        throw nb::index_error(
            "index: several index arrays must stand for the leading axes, with slices only after them");
      }
      return gather(index(x, entries), leading);
    }
  }
  return gather(x, leading);
}

}  // namespace

Array get_item(const Array& x, nb::handle key) {
  if (PyBool_Check(key.ptr())) return masked(x, Array(key.ptr() == Py_True));
  std::vector<nb::object> keys;
  if (PyTuple_Check(key.ptr())) {
    for (nb::handle item : nb::borrow<nb::tuple>(key)) keys.push_back(nb::borrow(item));
  } else {
    keys.push_back(nb::borrow(key));
  }
  if (keys.size() == 1 && is_index_array(keys[0])) {
    const Array indices = as_array(keys[0], "index");
    if (indices.dtype() == DType::kBool) return masked(x, indices);
    if (indices.size() == 0) return take(x, astype(indices, DType::kInt64), 0);
    return take(x, indices, 0);
  }
  if (std::none_of(keys.begin(), keys.end(), [](const nb::object& k) { return is_index_array(k); })) {
    std::vector<Index> entries;
    entries.reserve(keys.size());
    for (const nb::object& entry : keys) entries.push_back(basic(entry));
    return index(x, entries);
  }
  return advanced(x, keys);
}

}  // namespace pellucid::python
