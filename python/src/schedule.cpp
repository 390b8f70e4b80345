// pellucid.schedule.
#include "pellucid/schedule.h"

#include <nanobind/stl/string_view.h>

#include "held.h"
#include "record.h"

namespace pellucid::python {

namespace {

constexpr const char* kAt = "The rate at a step, from 0, as a number. scale: what OnPlateau multiplies by.";
constexpr const char* kCall = "The rate at a step as an array of float64, also where the step is traced.";

template <class S>
bool take(nb::handle value, std::optional<Schedule>& out) {
  if (!nb::isinstance<S>(value)) return false;
  out.emplace(*nb::inst_ptr<S>(value));
  return true;
}

template <class S, class... T>
void bind_one(nb::module_& m, const char* name, Field<S, T>... fields) {
  auto cls = bind_record<S>(
      m, name, (std::string("schedule.") + name).c_str(), [](const S& s) { static_cast<void>(Schedule(s)); },
      fields...);
  cls.def(
      "at", [](const S& s, std::int64_t step, double scale) { return Schedule(s).at(step, scale); }, nb::arg("step"),
      nb::arg("scale") = 1.0, kAt);
  cls.def(
      "__call__", [](const S& s, const Operand& step) { return Schedule(s)(astype(step.array, DType::kInt64)); },
      nb::arg("step"), kCall);
}

}  // namespace

Schedule schedule_of(nb::handle value) {
  using namespace schedule;
  PyObject* o = value.ptr();
  if (PyFloat_Check(o) || (PyLong_Check(o) && !PyBool_Check(o))) return Schedule(nb::cast<double>(nb::float_(value)));
  if (nb::isinstance<Schedule>(value)) return *nb::inst_ptr<Schedule>(value);
  std::optional<Schedule> found;
  if (take<Step>(value, found) || take<MultiStep>(value, found) || take<Exponential>(value, found) ||
      take<InverseTime>(value, found) || take<Polynomial>(value, found) || take<Cosine>(value, found) ||
      take<WarmRestarts>(value, found) || take<OneCycle>(value, found) || take<LogCycles>(value, found) ||
      take<OnPlateau>(value, found) || take<WarmUp>(value, found)) {
    return *found;
  }
  if (nb::hasattr(value, "__float__")) return Schedule(nb::cast<double>(nb::float_(value)));
  if (PyCallable_Check(o) == 0 || PyType_Check(o)) {
    throw nb::type_error(("a learning rate is a number, a schedule or a function of the step, not " +
                          nb::cast<std::string>(nb::repr(value)))
                             .c_str());
  }
  const Held f = hold(value);
  return Schedule([f](const Array& step) {
    const Locked lock;
    return astype(as_array(f.get()(nb::cast(step)), "the learning rate"), DType::kFloat64);
  });
}

void bind_schedule(nb::module_& parent) {
  using namespace schedule;
  nb::module_ m = parent.def_submodule("schedule");
  nb::class_<Schedule>(m, "Schedule", doc_of("schedule.Schedule"))
      .def(
          "__init__", [](Schedule* self, const ScheduleLike& rate) { new (self) Schedule(schedule_of(rate.value)); },
          nb::arg("rate"))
      .def(
          "at", [](const Schedule& s, std::int64_t step, double scale) { return s.at(step, scale); }, nb::arg("step"),
          nb::arg("scale") = 1.0, kAt)
      .def(
          "__call__", [](const Schedule& s, const Operand& step) { return s(astype(step.array, DType::kInt64)); },
          nb::arg("step"), kCall)
      .def("__repr__", &Schedule::to_string);
  bind_one<Step>(m, "Step", field("initial", &Step::initial), field("period", &Step::period),
                 field("factor", &Step::factor));
  bind_one<MultiStep>(m, "MultiStep", field("initial", &MultiStep::initial),
                      field("milestones", &MultiStep::milestones), field("factor", &MultiStep::factor));
  bind_one<Exponential>(m, "Exponential", field("initial", &Exponential::initial),
                        field("factor", &Exponential::factor));
  bind_one<InverseTime>(m, "InverseTime", field("initial", &InverseTime::initial), field("decay", &InverseTime::decay));
  bind_one<Polynomial>(m, "Polynomial", field("initial", &Polynomial::initial), field("steps", &Polynomial::steps),
                       field("power", &Polynomial::power), field("final", &Polynomial::final));
  bind_one<Cosine>(m, "Cosine", field("initial", &Cosine::initial), field("steps", &Cosine::steps),
                   field("final", &Cosine::final));
  bind_one<WarmRestarts>(m, "WarmRestarts", field("initial", &WarmRestarts::initial),
                         field("period", &WarmRestarts::period), field("multiplier", &WarmRestarts::multiplier),
                         field("final", &WarmRestarts::final));
  bind_one<OneCycle>(m, "OneCycle", field("peak", &OneCycle::peak), field("steps", &OneCycle::steps),
                     field("rise", &OneCycle::rise), field("initial_divisor", &OneCycle::initial_divisor),
                     field("final_divisor", &OneCycle::final_divisor), field("linear", &OneCycle::linear));
  bind_one<LogCycles>(m, "LogCycles", field("peak", &LogCycles::peak), field("steps", &LogCycles::steps),
                      field("cycles", &LogCycles::cycles));
  bind_one<OnPlateau>(m, "OnPlateau", field("initial", &OnPlateau::initial), field("factor", &OnPlateau::factor),
                      field("patience", &OnPlateau::patience), field("threshold", &OnPlateau::threshold),
                      field("absolute", &OnPlateau::absolute), field("maximize", &OnPlateau::maximize),
                      field("cooldown", &OnPlateau::cooldown), field("minimum", &OnPlateau::minimum));
  bind_one<WarmUp>(m, "WarmUp", field("steps", &WarmUp::steps), field("from_", &WarmUp::from),
                   field("then", &WarmUp::then));
  nb::class_<PlateauTracker>(m, "PlateauTracker", doc_of("schedule.PlateauTracker"))
      .def(nb::init<const OnPlateau&>(), nb::arg("options"))
      .def("observe", &PlateauTracker::observe, nb::arg("value"),
           "Takes the next value (a NaN is never better), and returns the scale from here on.")
      .def_rw("best", &PlateauTracker::best, nb::arg().none())
      .def_rw("bad", &PlateauTracker::bad)
      .def_rw("cooldown", &PlateauTracker::cooldown)
      .def_rw("scale", &PlateauTracker::scale);
  m.def("by_name", &schedule::by_name, nb::arg("name"), nb::arg("initial"), nb::arg("steps"),
        doc_of("schedule.by_name"));
  m.def("names", &schedule::names, "The names that by_name knows.");
}

}  // namespace pellucid::python
