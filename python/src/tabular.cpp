// fit_table and TableModel: the recipe for tables that the shell has.
#include "pellucid/tabular.h"

#include "modules.h"
#include "options.h"
#include "table.h"

namespace pellucid::python {

namespace {

data::Task task_named(const std::string& name) {
  if (name == "classification") return data::Task::kClassification;
  if (name == "regression") return data::Task::kRegression;
  throw nb::value_error(("task is 'classification' or 'regression', not '" + name + "'").c_str());
}

std::vector<double> numbers_of(nb::handle value) {
  if (value.is_none()) return {};
  const Array array = astype(as_array(value, "sample_weights"), DType::kFloat64);
  evaluate_released(array);
  const auto* at = static_cast<const double*>(array.raw_data());
  return {at, at + array.size()};
}

void take_training(const Options& o, TableOptions& options) {
  o.take("loss", options.loss, kText);
  o.take("optimizer", options.optimizer, kText);
  o.take("schedule", options.schedule, kText);
  o.take("learning_rate", options.learning_rate, kNumber);
  o.take("weight_decay", options.weight_decay, kNumber);
  o.take("label_smoothing", options.label_smoothing, kNumber);
  o.take("average", options.average, kNumber);
  o.take("l1", options.l1, kNumber);
  o.take("l2", options.l2, kNumber);
  o.take("batch", options.batch, kInteger);
  o.take("epochs", options.epochs, kInteger);
  o.take("patience", options.patience, kInteger);
  o.take("max_seconds", options.max_seconds, kNumber);
  o.take("log_target", options.log_target, kBool);
  o.take("precision", options.precision, kText);
  o.take("calibrate", options.calibrate, kBool);
  o.take("seed", options.seed, "an integer from 0 on");
}

nb::dict dict_of(const TablePlan& plan) {
  nb::dict dict;
  dict["training_rows"] = plan.training_rows;
  dict["validation_rows"] = plan.validation_rows;
  dict["test_rows"] = plan.test_rows;
  dict["recipe"] = plan.recipe;
  dict["epochs"] = plan.epochs;
  dict["may_stop_early"] = plan.may_stop_early;
  return dict;
}

TableOptions options_of(const char* what, const nb::dict& given) {
  const Options o(what, given);
  TableOptions options;
  std::optional<std::string> task;
  o.take("task", task, "'classification' or 'regression'");
  if (task) options.task = task_named(*task);
  o.take("ignore", options.ignore, kTexts);
  o.take("categories", options.categories, kTexts);
  o.take("validation", options.validation, kNumber);
  o.take("test", options.test, kNumber);
  std::optional<std::string> schema, scaling;
  o.take("schema", schema, kText);
  if (schema) options.schema = data::schema_from_json(*schema);
  o.take("group", options.group, kText);
  o.take("time_column", options.time_column, kText);
  o.take("weight", options.weight, kText);
  o.take("scaling", scaling, kText);
  if (scaling) options.scaling = scaling_of(*scaling);
  if (!o.at("test_rows").is_none()) options.test_rows = rows_of(o.at("test_rows"), io::Table{});
  options.sample_weights = numbers_of(o.at("sample_weights"));
  o.take("balanced", options.balanced, kBool);
  const nb::object weights = o.at("class_weights");
  if (!weights.is_none()) {
    if (!PyDict_Check(weights.ptr())) o.refuse("class_weights", "a dict of numbers by class", weights);
    for (const auto& [name, weight] : nb::borrow<nb::dict>(weights)) {
      options.class_weights.emplace_back(nb::cast<std::string>(nb::str(name)), nb::cast<double>(nb::float_(weight)));
    }
  }
  o.take("fast", options.fast, kBool);
  o.take("ensemble", options.ensemble, kInteger);
  o.take("tune", options.tune, kInteger);
  o.take("time", options.time, kNumber);
  o.take("hidden", options.hidden, "a list of integers");
  o.take("activation", options.activation, kText);
  o.take("dropout", options.dropout, kNumber);
  take_training(o, options);
  take_callbacks(o, options);
  if (const Held on_plan = o.callback("on_plan"); on_plan.get().is_valid()) {
    options.on_plan = [on_plan](const TablePlan& plan) {
      const Locked lock;
      on_plan.get()(dict_of(plan));
    };
  }
  if (const Held on_tune = o.callback("on_tune"); on_tune.get().is_valid()) {
    options.on_tune = [on_tune](const std::string& text) {
      const Locked lock;
      on_tune.get()(text);
    };
  }
  return options;
}

/// Numbers (rows, columns) without names: an array; else a table.
bool is_numbers(nb::handle x) { return !nb::isinstance<io::Table>(x) && !PyDict_Check(x.ptr()); }

Array settled(nb::handle value, const char* what) {
  const Array array = as_array(value, what, true);
  evaluate_released(array);
  return array;
}

nb::object part_of(const TablePart& part) {
  nb::dict dict;
  dict["rows"] = array_of(part.rows);
  dict["output"] = part.output.defined() ? nb::cast(part.output) : nb::none();
  dict["y"] = part.y.defined() ? nb::cast(part.y) : nb::none();
  return dict;
}

/// The option optimizer_states, a list of dicts: read here, and written back by `give`.
class States {
 public:
  States(const nb::dict& given, const char* what, TableOptions& options) : list_(given["optimizer_states"]) {
    if (list_.is_none()) return;
    if (!PyList_Check(list_.ptr())) {
      throw nb::type_error(
          (std::string(what) + ": 'optimizer_states' is a list of dicts, not " + nb::cast<std::string>(nb::repr(list_)))
              .c_str());
    }
    for (nb::handle one : list_) states_.push_back(state_from(one, what));
    options.optimizer_states = &states_;
  }
  void give() const {
    if (list_.is_none()) return;
    nb::list list = nb::borrow<nb::list>(list_);
    list.clear();
    for (const OptimizerState& state : states_) {
      nb::dict dict;
      give_state(state, dict);
      list.append(dict);
    }
  }

 private:
  nb::object list_;
  std::vector<OptimizerState> states_;
};

TableFit fit_of(nb::handle x, nb::handle target, const nb::dict& given) {
  TableOptions options = options_of("fit_table", given);
  const States states(given, "fit_table", options);
  TableFit fit = [&] {
    if (is_numbers(x)) {
      const Array numbers = settled(x, "fit_table: x"), y = settled(target, "fit_table: y");
      const Unlocked release;
      return fit_table(numbers, y, options);
    }
    const io::Table table = table_of_object(x);
    if (!PyUnicode_Check(target.ptr())) throw nb::type_error("fit_table: the target of a table is a column's name");
    const auto name = nb::cast<std::string>(target);
    const Unlocked release;
    return fit_table(table, name, options);
  }();
  states.give();
  return fit;
}

FitResult update_of(TableModel& model, nb::handle x, nb::handle y, const nb::dict& given) {
  TableOptions options = options_of("update_table_model", given);
  const States states(given, "update_table_model", options);
  FitResult result = [&] {
    if (is_numbers(x)) {
      const Array numbers = settled(x, "update_table_model: x"), targets = settled(y, "update_table_model: y");
      const Unlocked release;
      return update_table_model(model, numbers, targets, options);
    }
    const io::Table table = table_of_object(x);
    const Unlocked release;
    return update_table_model(model, table, options);
  }();
  states.give();
  return result;
}

/// What `say` gives for numbers, or for a table: `say` is called without the interpreter lock.
template <class Say>
Array said_of(nb::handle x, const char* what, Say say) {
  if (is_numbers(x)) {
    const Array numbers = settled(x, what);
    const Unlocked release;
    return say(numbers);
  }
  const io::Table table = table_of_object(x);
  const Unlocked release;
  return say(table);
}

Array predict_of(TableModel& model, nb::handle x) {
  return said_of(x, "predict: x", [&](const auto& rows) { return model.predict(rows); });
}

Array intervals_of(TableModel& model, nb::handle x) {
  return said_of(x, "intervals: x", [&](const auto& rows) { return model.intervals(rows); });
}

/// For pickles: the parts of the file.
nb::tuple state_of(const TableModel& model) {
  nb::dict arrays;
  for (const nn::NamedArray& a : nn::named_parameters(model.network)) arrays[a.name.c_str()] = to_numpy(a.value);
  for (const nn::NamedArray& a : nn::named_buffers(model.network)) arrays[a.name.c_str()] = to_numpy(a.value);
  return nb::make_tuple(data::to_json(model.preprocessing), nn::to_json(nn::describe(model.network)), model.record,
                        arrays);
}

void set_state(TableModel& self, const nb::tuple& state) {
  TableModel model;
  model.preprocessing = data::preprocessing_from_json(nb::cast<std::string>(state[0]));
  model.network = nn::build_sequential(nn::description_from_json(nb::cast<std::string>(state[1])));
  model.record = nb::cast<std::string>(state[2]);
  std::vector<nn::NamedArray> arrays;
  for (const auto& [name, value] : nb::borrow<nb::dict>(nb::object(state[3]))) {
    arrays.push_back({nb::cast<std::string>(name), as_array(value, "TableModel")});
  }
  nn::set_arrays(model.network, arrays);
  nn::assign_paths(model.network);
  new (&self) TableModel(std::move(model));
}

void bind_model(nb::module_& m) {
  nb::class_<TableModel>(m, "TableModel",
                         "A trained model: what stands between tables and the network, the network, and how it was "
                         "trained. The shell, C++ and Python read and write the same file.")
      .def_ro("preprocessing", &TableModel::preprocessing)
      .def_prop_ro("target", [](const TableModel& model) { return model.target(); })
      .def_prop_ro("classifies", &TableModel::classifies)
      .def_prop_ro(
          "classes", [](const TableModel& model) { return model.target().classes; }, "In the order of probabilities.")
      .def(
          "parameter_count", [](const TableModel& model) { return nn::parameter_count(model.network); },
          "The number of elements of all parameters.")
      .def_ro("record", &TableModel::record, "How it was trained, as JSON; nothing in it depends on time.")
      .def_prop_ro(
          "network",
          [](const TableModel& model) { return layer_object(std::make_shared<nn::AnyLayer>(model.network)); },
          "A copy of the network, a Sequential.")
      .def("predict", &predict_of, nb::arg("x"),
           "Probabilities, float32 (rows, classes) in the order of target.classes; for regression values, float64 "
           "(rows), within the range of training. x: a Table or dict of columns, found by name; or numbers (rows, "
           "columns), the columns of training but the target, in their order.")
      .def("intervals", &intervals_of, nb::arg("x"),
           "The bounds between which 90 % of such rows' targets lie, float64 (rows, 2). Raises ValueError where the "
           "model "
           "predicts classes, or was trained `fast`.")
      .def(
          "predict_table",
          [](TableModel& model, nb::handle x) {
            const io::Table table = table_of_object(x);
            const Unlocked release;
            return model.predict_table(table);
          },
          nb::arg("table"), "The same as a Table, as `pellucid predict` writes it.")
      .def(
          "output",
          [](TableModel& model, const Operand& inputs) {
            evaluate_released(inputs);
            const Unlocked release;
            return model.output(inputs);
          },
          nb::arg("inputs"),
          "What the network says of its inputs (preprocessing.encode): probabilities (rows, classes), or standardised "
          "values (rows, 1).")
      .def(
          "save",
          [](const TableModel& model, nb::handle path) {
            const std::string text = path_of(path);
            const Unlocked release;
            model.save(text);
          },
          nb::arg("path"), "One safetensors file.")
      .def_static(
          "load",
          [](nb::handle path) {
            const std::string text = path_of(path);
            const Unlocked release;
            return TableModel::load(text);
          },
          nb::arg("path"), "Raises ValueError where the file is no model, or is one of pictures.")
      .def("__getstate__", &state_of)
      .def("__setstate__", &set_state)
      .def("__copy__", [](const TableModel& model) { return model; })
      .def("__deepcopy__", [](const TableModel& model, nb::handle) { return model; })
      .def("__repr__", [](const TableModel& model) {
        return "TableModel(target '" + model.target().name + "', " +
               std::to_string(model.preprocessing.features.size()) + " columns, " +
               std::to_string(nn::parameter_count(model.network)) + " parameters)";
      });
  nb::class_<TableFit>(m, "TableFit", "What fit_table gives.")
      .def_ro("model", &TableFit::model)
      .def_ro("training", &TableFit::training, "A FitResult.")
      .def_prop_ro(
          "validation", [](const TableFit& fit) { return part_of(fit.validation); },
          "A dict of the rows held out, the model's output for them, and y as the network is to say it.")
      .def_prop_ro("test", [](const TableFit& fit) { return part_of(fit.test); })
      .def("__repr__", [](const TableFit& fit) { return to_string(fit.training); });
}

}  // namespace

void bind_tabular(nb::module_& m) {
  bind_model(m);
  m.def("_train_table", &fit_of);
  m.def("_train_table_more", &update_of, nb::arg(), nb::arg(), nb::arg().none(), nb::arg());
  m.def("table_activations", &table_activations, "Names for fit_table's activation.");
  m.def(
      "table_losses", [](const std::string& task) { return table_losses(task_named(task)); }, nb::arg("task"),
      "Names for fit_table's loss: of 'classification' or 'regression'.");
}

}  // namespace pellucid::python
