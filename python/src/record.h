// Plain structs of settings as Python classes: a constructor with the members' names and defaults, attributes that
// read what was given, repr, ==, copies and pickles.
#pragma once

#include <string>
#include <utility>

#include "core.h"
#include "pellucid/loss.h"
#include "pellucid/schedule.h"

namespace pellucid::python {

/// A number, a schedule, or a function of the step. Converted where it is used, so that what is wrong is said there.
struct ScheduleLike {
  nb::object value;
};
struct MaybeScheduleLike {
  nb::object value;
};
/// Throws TypeError where it is none of these.
Schedule schedule_of(nb::handle value);

loss::Reduction reduction_of(const std::string& name);
std::string name_of(loss::Reduction reduction);

/// How a member of type T is given in Python, and what its default is there.
template <class T>
struct Setting {
  using Given = T;
  static constexpr bool kNone = false;
  static T take(const T& given) { return given; }
  static nb::object object(const T& given) { return nb::cast(given); }
  static nb::object standard(const T& value) { return nb::cast(value); }
};
template <class T>
struct Setting<std::optional<T>> {
  using Given = std::optional<T>;
  static constexpr bool kNone = true;
  static Given take(const Given& given) { return given; }
  static nb::object object(const Given& given) { return nb::cast(given); }
  static nb::object standard(const Given& value) { return nb::cast(value); }
};
template <>
struct Setting<Schedule> {
  using Given = ScheduleLike;
  static constexpr bool kNone = false;
  static Schedule take(const ScheduleLike& given) { return schedule_of(given.value); }
  static nb::object object(const ScheduleLike& given) { return given.value; }
  static nb::object standard(const Schedule& value) { return nb::float_(value.constant().value_or(0)); }
};
template <>
struct Setting<std::optional<Schedule>> {
  using Given = MaybeScheduleLike;
  static constexpr bool kNone = true;
  static std::optional<Schedule> take(const MaybeScheduleLike& given) {
    if (given.value.is_none()) return {};
    return schedule_of(given.value);
  }
  static nb::object object(const MaybeScheduleLike& given) { return given.value; }
  static nb::object standard(const std::optional<Schedule>&) { return nb::none(); }
};
template <>
struct Setting<Array> {
  using Given = MaybeOperand;
  static constexpr bool kNone = true;
  static Array take(const MaybeOperand& given) { return given.array; }
  static nb::object object(const MaybeOperand& given) {
    return given.array.defined() ? nb::cast(given.array) : nb::none();
  }
  static nb::object standard(const Array&) { return nb::none(); }
};
template <>
struct Setting<loss::Reduction> {
  using Given = std::string;
  static constexpr bool kNone = false;
  static loss::Reduction take(const std::string& given) { return reduction_of(given); }
  static nb::object object(const std::string& given) { return nb::cast(given); }
  static nb::object standard(loss::Reduction value) { return nb::cast(name_of(value)); }
};

template <class S, class T>
struct Field {
  const char* name;
  T S::*member;
};
template <class S, class T>
Field<S, T> field(const char* name, T S::*member) {
  return {name, member};
}

template <class T>
auto argument(const char* name, const T& standard) {
  if constexpr (Setting<T>::kNone) {
    return nb::arg(name).none() = Setting<T>::standard(standard);
  } else {
    return nb::arg(name) = Setting<T>::standard(standard);
  }
}

nb::object record_given(nb::handle self, const char* name);
nb::str record_repr(nb::handle self);
nb::tuple record_reduce(nb::handle self);
bool record_equal(nb::handle a, nb::handle b);
[[noreturn]] void record_set(nb::handle self);

/// `doc`: the name under which the header's comment is known. `check` throws where the settings make no sense.
template <class S, class Check, class... T>
nb::class_<S> bind_record(nb::module_& m, const char* name, const char* doc, Check check, Field<S, T>... fields) {
  nb::class_<S> cls(m, name, nb::dynamic_attr(), doc_of(doc));
  const S standard{};
  cls.def(
      "__init__",
      [=](nb::pointer_and_handle<S> self, const typename Setting<T>::Given&... given) {
        S made{};
        ((made.*fields.member = Setting<T>::take(given)), ...);
        check(made);
        new (self.p) S(std::move(made));
        nb::dict kept;  // what was given, for attributes and pickles
        ((kept[fields.name] = Setting<T>::object(given)), ...);
        nb::object(nb::borrow(self.h)).attr("__dict__").attr("update")(kept);
      },
      argument<T>(fields.name, standard.*fields.member)...);
  (cls.def_prop_ro(fields.name, [name = fields.name](nb::handle self) { return record_given(self, name); }), ...);
  nb::object names = nb::make_tuple(fields.name...);
  cls.attr("__match_args__") = names;
  cls.def("__repr__", &record_repr);
  cls.def("__reduce__", &record_reduce);
  cls.def("__eq__", &record_equal, nb::arg().none());
  cls.def("__setattr__", [](nb::handle self, nb::handle, nb::handle) { record_set(self); });
  return cls;
}

}  // namespace pellucid::python

namespace nanobind::detail {

template <>
struct type_caster<pellucid::python::ScheduleLike> {
  NB_TYPE_CASTER(pellucid::python::ScheduleLike,
                 const_name("float | "
                            "collections.abc.Callable[[pellucid.Array], pellucid.Array]"))
  bool from_python(handle src, uint32_t, cleanup_list*) noexcept {
    value.value = borrow(src);
    return true;
  }
  static handle from_cpp(const pellucid::python::ScheduleLike& given, rv_policy, cleanup_list*) noexcept {
    return given.value.inc_ref();
  }
};
template <>
struct type_caster<pellucid::python::MaybeScheduleLike> {
  NB_TYPE_CASTER(pellucid::python::MaybeScheduleLike,
                 const_name("float | "
                            "collections.abc.Callable[[pellucid.Array], pellucid.Array] | None"))
  bool from_python(handle src, uint32_t, cleanup_list*) noexcept {
    value.value = borrow(src);
    return true;
  }
  static handle from_cpp(const pellucid::python::MaybeScheduleLike& given, rv_policy, cleanup_list*) noexcept {
    return given.value.inc_ref();
  }
};

}  // namespace nanobind::detail
