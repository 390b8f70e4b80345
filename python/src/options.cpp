// See options.h.
#include "options.h"

#include <string_view>

#include "pellucid/tabular.h"
#include "pellucid/train.h"

namespace pellucid::python {

namespace {

bool on_main_thread() {
  const nb::object threading = nb::module_::import_("threading");
  return threading.attr("current_thread")().is(threading.attr("main_thread")());
}

Checkpoint checkpoint_of(nb::handle given) {
  if (given.is_none()) return {};
  if (nb::isinstance<Checkpoint>(given)) return *nb::inst_ptr<Checkpoint>(given);
  return {path_of(given)};
}

}  // namespace

std::string path_of(nb::handle path) {
  const nb::object text = nb::module_::import_("os").attr("fspath")(path);
  if (!PyBytes_Check(text.ptr())) return nb::cast<std::string>(text);
  return {PyBytes_AS_STRING(text.ptr()), static_cast<std::size_t>(PyBytes_GET_SIZE(text.ptr()))};
}

bool goes_on(nb::handle answer) {
  if (PyBool_Check(answer.ptr())) return answer.ptr() == Py_True;
  const std::string_view type = Py_TYPE(answer.ptr())->tp_name;
  return (type != "numpy.bool" && type != "numpy.bool_") || PyObject_IsTrue(answer.ptr()) == 1;
}

template <class O>
void take_callbacks(const Options& o, O& options) {
  options.checkpoint = checkpoint_of(o.at("checkpoint"));
  o.take("catch_interrupt", options.catch_interrupt, kBool);
  const Held on_epoch = o.callback("on_epoch"), on_progress = o.callback("on_progress");
  if (on_epoch.get().is_valid()) {
    options.on_epoch = [on_epoch](const Epoch& epoch) {
      const Locked lock;
      return goes_on(on_epoch.get()(nb::cast(epoch)));
    };
  }
  const bool main = on_main_thread();
  const bool look_at_signals = main && !options.catch_interrupt;
  if (on_progress.get().is_valid() || look_at_signals) {
    options.on_progress = [on_progress, look_at_signals](const Progress& progress) {
      const Locked lock;
      if (look_at_signals && PyErr_CheckSignals() != 0) throw nb::python_error();
      return !on_progress.get().is_valid() || goes_on(on_progress.get()(nb::cast(progress)));
    };
  }
  options.catch_interrupt = options.catch_interrupt && main;  // signals come to the main thread
}
template void take_callbacks(const Options& o, FitOptions& options);
template void take_callbacks(const Options& o, TableOptions& options);

OptimizerState state_from(nb::handle dict, const char* what) {
  if (!PyDict_Check(dict.ptr())) {
    throw nb::type_error((std::string(what) +
                          ": an optimizer_state is a dict of arrays by name, which is read and filled, "
                          "not " +
                          nb::cast<std::string>(nb::repr(dict)))
                             .c_str());
  }
  OptimizerState state;
  for (const auto& [name, value] : nb::borrow<nb::dict>(dict)) {
    state.push_back({nb::cast<std::string>(nb::str(name)), as_array(value, "optimizer_state"), false});
    evaluate_released(state.back().value);
  }
  return state;
}

void give_state(const OptimizerState& state, nb::handle dict) {
  PyDict_Clear(dict.ptr());
  for (const nn::NamedArray& one : state) dict[one.name.c_str()] = nb::cast(one.value);
}

}  // namespace pellucid::python
