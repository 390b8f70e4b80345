// See record.h.
#include "record.h"

namespace pellucid::python {

namespace {

nb::tuple names_of(nb::handle self) { return nb::borrow<nb::tuple>(nb::object(self.type().attr("__match_args__"))); }

std::string class_name(nb::handle self) { return nb::cast<std::string>(nb::str(self.type().attr("__name__"))); }

}  // namespace

nb::object record_given(nb::handle self, const char* name) {
  return nb::object(nb::object(self.attr("__dict__"))[name]);
}

nb::str record_repr(nb::handle self) {
  std::string text = class_name(self) + "(";
  bool first = true;
  for (nb::handle name : names_of(self)) {
    const nb::object value = nb::getattr(self, name);
    text += (first ? "" : ", ") + nb::cast<std::string>(name) + "=" + nb::cast<std::string>(nb::repr(value));
    first = false;
  }
  return nb::str((text + ")").c_str());
}

nb::tuple record_reduce(nb::handle self) {
  nb::list values;
  for (nb::handle name : names_of(self)) values.append(nb::getattr(self, name));
  return nb::make_tuple(self.type(), nb::tuple(values));
}

bool record_equal(nb::handle a, nb::handle b) {
  if (a.type().ptr() != b.type().ptr()) return false;
  for (nb::handle name : names_of(a)) {
    const nb::object x = nb::getattr(a, name), y = nb::getattr(b, name);
    if (is_array(x) || is_array(y) ? !x.is(y) : !x.equal(y)) return false;
  }
  return true;
}

void record_set(nb::handle self) {
  PyErr_SetString(PyExc_AttributeError, (class_name(self) + ": settings do not change; make another one").c_str());
  throw nb::python_error();
}

}  // namespace pellucid::python
