// fit, predict and evaluate. pellucid/_train.py gives fit its signature.

#include "losses.h"
#include "modules.h"
#include "optim.h"
#include "options.h"
#include "pellucid/ops.h"
#include "pellucid/train.h"
#include "results.h"
#include "tree.h"

namespace pellucid::python {

namespace {

/// The floating type of a module's parameters, where there is one.
std::optional<DType> type_of(nb::handle module) {
  for (const Slot& slot : slots_of(module)) {
    if (!slot.buffer && is_float(slot.value->dtype())) return slot.value->dtype();
  }
  return {};
}

/// What a module is called with: floats in the type of its parameters, so that NumPy's float64 is not computed in.
Array input_of(nb::handle x, nb::handle module, const char* what) {
  Array array = as_array(x, what, true);
  const std::optional<DType> wanted = type_of(module);
  if (wanted && is_float(array.dtype()) && array.dtype() != *wanted) array = astype(array, *wanted);
  evaluate_released(array);
  return array;
}

Dataset dataset_of(nb::handle data, nb::handle module, const char* what) {
  if (nb::isinstance<Dataset>(data)) {
    Dataset set = *nb::inst_ptr<Dataset>(data);
    set.x = input_of(nb::cast(set.x), module, what);
    return set;
  }
  const bool sequence = PyTuple_Check(data.ptr()) || PyList_Check(data.ptr());
  const Py_ssize_t n = sequence ? PySequence_Size(data.ptr()) : 0;
  if (n != 2 && n != 3) {
    throw nb::type_error((std::string(what) + ": data is (x, y), (x, y, weights) or a Dataset").c_str());
  }
  const auto part = [&](Py_ssize_t i) { return nb::steal(PySequence_GetItem(data.ptr(), i)); };
  Dataset set{input_of(part(0), module, (std::string(what) + ": x").c_str()),
              as_array(part(1), (std::string(what) + ": y").c_str(), true)};
  if (n == 3 && !part(2).is_none()) set.weights = as_array(part(2), (std::string(what) + ": weights").c_str(), true);
  evaluate_released(set.y);
  if (set.weights.defined()) evaluate_released(set.weights);
  return set;
}

std::vector<Metric> metrics_of(nb::handle given) {
  std::vector<Metric> list;
  if (PyUnicode_Check(given.ptr())) return {metric_of(given)};
  for (nb::handle item : given) list.push_back(metric_of(item));
  return list;
}

Validation validation_of(nb::handle given, nb::handle module) {
  if (given.is_none()) return {};
  if (PyFloat_Check(given.ptr()) || PyLong_Check(given.ptr())) return Validation(nb::cast<double>(nb::float_(given)));
  return Validation(dataset_of(given, module, "fit: validation"));
}

/// Parameters that were made and not yet looked at are computed under the lock that evaluation has.
void settle(nb::handle module) {
  Arrays arrays;
  for (const Slot& slot : slots_of(module)) arrays.push_back(*slot.value);
  evaluate_released(arrays);
}

FitOptions options_of(const Options& o, nb::handle module) {
  FitOptions options;
  options.loss = loss_of(o.at("loss"));
  options.optimizer = optimizer_of(o.at("optimizer"));
  options.precision = precision_by_name(nb::cast<std::string>(nb::str(o.at("precision"))));
  o.take("max_epochs", options.max_epochs, kInteger);
  o.take("tolerance", options.tolerance, kNumber);
  o.take("restarts", options.restarts, kInteger);
  o.take("stall_epochs", options.stall_epochs, kInteger);
  o.take("stall_decrease", options.stall_decrease, kNumber);
  o.take("batch_size", options.batch_size, kInteger);
  o.take("shuffle", options.shuffle, kBool);
  options.validation = validation_of(o.at("validation"), module);
  o.take("monitor", options.monitor, "'loss', 'validation_loss' or a metric's name");
  o.take("patience", options.patience, kInteger);
  o.take("min_delta", options.min_delta, kNumber);
  o.take("target", options.target, kNumber);
  o.take("restore_best", options.restore_best, kBool);
  o.take("max_seconds", options.max_seconds, kNumber);
  o.take("seed", options.seed, "an integer from 0 on");
  options.metrics = metrics_of(o.at("metrics"));
  if (!o.at("class_weights").is_none()) options.class_weights = as_array(o.at("class_weights"), "fit: class_weights");
  o.take("allow_unused", options.allow_unused, kBool);
  o.take("progress_seconds", options.progress_seconds, kNumber);
  return options;
}

FitResult fit_of(nb::handle module, nb::handle data, const nb::dict& given) {
  check_module(module, "fit");
  const Options o("fit", given);
  FitOptions options = options_of(o, module);
  const nb::object kept = o.at("optimizer_state");
  OptimizerState state;
  if (!kept.is_none()) {
    state = state_from(kept, "fit");
    options.optimizer_state = &state;
  }
  const Dataset set = dataset_of(data, module, "fit");
  take_callbacks(o, options);
  settle(module);
  FitResult result = with_module(module, [&](nn::Ref ref) {
    const Unlocked release;
    return pellucid::fit(ref, set, options);
  });
  if (!kept.is_none()) give_state(state, kept);
  return result;
}

Array predict_of(nb::handle module, nb::handle x, std::int64_t batch_size) {
  check_module(module, "predict");
  const Array rows = input_of(x, module, "predict: x");
  settle(module);
  return with_module(module, [&](nn::Ref ref) {
    const Unlocked release;
    return pellucid::predict(ref, rows, batch_size).evaluate();
  });
}

Evaluation evaluate_of(nb::handle module, nb::handle data, nb::handle loss, nb::handle metrics,
                       std::int64_t batch_size) {
  if (!is_module(module)) throw nb::next_overload();  // arrays
  const Dataset set = dataset_of(data, module, "evaluate");
  const loss::Loss measure = loss_of(loss);
  const std::vector<Metric> list = metrics_of(metrics);
  settle(module);
  return with_module(module, [&](nn::Ref ref) {
    const Unlocked release;
    return pellucid::evaluate(ref, set, measure, list, batch_size);
  });
}

void collect(nb::handle tree, Arrays& arrays) {
  if (const Array* array = array_in(tree)) {
    arrays.push_back(*array);
  } else if (PyDict_Check(tree.ptr())) {
    for (nb::handle value : nb::borrow<nb::dict>(tree).values()) collect(value, arrays);
  } else if (PyList_Check(tree.ptr()) || PyTuple_Check(tree.ptr())) {
    for (nb::handle value : nb::borrow<nb::sequence>(tree)) collect(value, arrays);
  }
}

}  // namespace

Metric metric_of(nb::handle value) {
  if (nb::isinstance<Metric>(value)) return *nb::inst_ptr<Metric>(value);
  if (PyUnicode_Check(value.ptr())) return Metric(nb::cast<std::string>(value));
  if (PyCallable_Check(value.ptr()) == 0) {
    throw nb::type_error(("a metric is a name, a function of (prediction, target) or (prediction, target, weights), or "
                          "a Metric, not " +
                          nb::cast<std::string>(nb::repr(value)))
                             .c_str());
  }
  const nb::object name = nb::getattr(value, "__name__", nb::str("metric"));
  return own_metric(nb::cast<std::string>(nb::str(name)), value, true);
}

Metric own_metric(std::string name, nb::handle f, bool larger_is_better) {
  const Held held = hold(f);
  const bool weighted = positional_count(f) >= 3;
  return Metric(
      std::move(name),
      [held, weighted](const Array& prediction, const Array& target, const Array& weights) {
        const Locked lock;
        const nb::object p = nb::cast(prediction), t = nb::cast(target);
        const nb::object w = weights.defined() ? nb::cast(weights) : nb::none();
        const nb::object value = weighted ? held.get()(p, t, w) : held.get()(p, t);
        return nb::cast<double>(nb::float_(value));
      },
      larger_is_better);
}

void bind_fit(nb::module_& m) {
  bind_results(m);
  m.def("_fit", &fit_of);
  m.def("predict", &predict_of, nb::arg("module"), nb::arg("x"), nb::arg("batch_size") = 1024,
        "module(x) in evaluation, `batch_size` rows at a time, by one compiled plan. Raises ValueError for no rows.");
  m.def(
      "evaluate", &evaluate_of, nb::arg("module"), nb::arg("data"), nb::arg("loss").none() = nb::none(),
      nb::arg("metrics") = nb::make_tuple(), nb::arg("batch_size") = 1024,
      "Loss (None: 0) and metrics of the module's predictions of the data, (x, y) or (x, y, weights): an Evaluation.\n"
      "metrics: names, Metrics, or functions of (prediction, target); see metric_names().");
  m.def(
      "evaluate",
      [](nb::args trees) {
        Arrays arrays;
        collect(trees, arrays);
        evaluate_released(arrays);
      },
      "evaluate(*trees): computes all arrays in the given trees in one plan, so that what they share is computed "
      "once.");
  m.def("metric_names", &metric_names, "The metrics that fit and evaluate know by name.");
}

}  // namespace pellucid::python
