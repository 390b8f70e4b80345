// pellucid.data: targets, splits, preprocessing of tables.
#include "options.h"
#include "table.h"

namespace pellucid::python {

namespace {

using namespace data;

Task task_of(const std::string& name) {
  if (name == "classification") return Task::kClassification;
  if (name == "regression") return Task::kRegression;
  throw nb::value_error(("task is 'classification' or 'regression', not '" + name + "'").c_str());
}

std::vector<std::int32_t> classes_of(nb::handle value) {
  if (value.is_none()) return {};
  const Array array = astype(as_array(value, "classes"), DType::kInt32);
  evaluate_released(array);
  const auto* at = static_cast<const std::int32_t*>(array.raw_data());
  return {at, at + array.size()};
}

Rows list_of_rows(nb::handle value) { return rows_of(value, io::Table{}); }

nb::tuple pair_of(const Split& split) { return nb::make_tuple(array_of(split.training), array_of(split.held_out)); }

void bind_target(nb::module_& m) {
  nb::class_<Target>(m, "Target", "The column to be predicted, and how its values stand to the network's output.")
      .def_ro("name", &Target::name)
      .def_prop_ro(
          "task", [](const Target& t) { return std::string(data::name_of(t.task)); },
          "'classification' or 'regression'.")
      .def_ro("text", &Target::text, "A text column in the training table.")
      .def_ro("classes", &Target::classes, "Ascending, as numbers where all are numbers; texts.")
      .def_ro("mean", &Target::mean, "Regression: the network predicts (y - mean) / scale.")
      .def_ro("scale", &Target::scale)
      .def_ro("log_mean", &Target::log_mean,
              "Where log_scale is above 0, the network predicts (log y - log_mean) / log_scale.")
      .def_ro("log_scale", &Target::log_scale)
      .def_ro("low", &Target::low, "Regression: the range seen; predictions are kept within it.")
      .def_ro("high", &Target::high)
      .def("__repr__", [](const Target& t) {
        return "Target('" + t.name + "', " + std::string(data::name_of(t.task)) +
               (t.classes.empty() ? ")" : ", " + std::to_string(t.classes.size()) + " classes)");
      });
  m.def(
      "guess_target",
      [](nb::handle table) {
        const TargetGuess guess = guess_target(table_of_object(table));
        return nb::make_tuple(guess.name, guess.reason);
      },
      nb::arg("table"),
      "(name, reason): the column that is most likely the target, by its name or place. A guess to be shown, not to be "
      "acted on in silence.");
  m.def(
      "guess_task", [](const io::Column& column) { return std::string(data::name_of(guess_task(column))); },
      nb::arg("column"),
      "'classification' for text, two distinct numbers, or at most 20 distinct whole numbers in five times as many "
      "rows; "
      "else 'regression'.");
  m.def(
      "labelled_rows",
      [](nb::handle table, const std::string& target) {
        return array_of(labelled_rows(table_of_object(table), target));
      },
      nb::arg("table"), nb::arg("target"), "The rows that have a target.");
  m.def(
      "fit_target",
      [](nb::handle table, const std::string& name, const std::optional<std::string>& task, nb::handle training,
         bool log) {
        const io::Table t = table_of_object(table);
        return fit_target(t, name, task ? std::optional(task_of(*task)) : std::nullopt, rows_of(training, t), log);
      },
      nb::arg("table"), nb::arg("name"), nb::arg("task").none() = nb::none(), nb::arg("training").none() = nb::none(),
      nb::arg("log") = false,
      "A Target: classes of all labelled rows; mean, deviation and range of the training rows (all by default). "
      "log: numbers, all above 0, on a log scale.");
  m.def(
      "encode_target",
      [](const Target& target, nb::handle table, nb::handle rows) {
        const io::Table t = table_of_object(table);
        return encode_target(target, t, rows_of(rows, t));
      },
      nb::arg("target"), nb::arg("table"), nb::arg("rows").none() = nb::none(),
      "Classification: int64 (rows), a class each. Regression: float32 (rows, 1), standardised.");
  m.def(
      "decode_predictions",
      [](const Target& target, const Operand& output) {
        evaluate_released(output);
        return decode_predictions(target, output);
      },
      nb::arg("target"), nb::arg("output"),
      "What the network's output (rows, classes: probabilities; or rows, 1: standardised values) says, as a Table.");
}

void bind_splits(nb::module_& m) {
  m.def(
      "split",
      [](nb::handle rows, double fraction, std::uint64_t seed, nb::handle classes) {
        const Rows list = PyLong_Check(rows.ptr()) ? all_rows(nb::cast<std::int64_t>(rows)) : list_of_rows(rows);
        return pair_of(data::split(list, fraction, seed, classes_of(classes)));
      },
      nb::arg("rows"), nb::arg("fraction"), nb::arg("seed") = 0, nb::arg("classes").none() = nb::none(),
      "(training, held out): disjoint rows, each ascending; `fraction` of the rows is held out, chosen by the seed. "
      "rows: "
      "their number, or row numbers. classes: one for each row, -1 for none: each then gives its share to within one "
      "row.");
  m.def(
      "folds",
      [](nb::handle rows, int count, std::uint64_t seed, nb::handle classes) {
        const Rows list = PyLong_Check(rows.ptr()) ? all_rows(nb::cast<std::int64_t>(rows)) : list_of_rows(rows);
        nb::list splits;
        for (const Split& s : data::folds(list, count, seed, classes_of(classes))) splits.append(pair_of(s));
        return splits;
      },
      nb::arg("rows"), nb::arg("count"), nb::arg("seed") = 0, nb::arg("classes").none() = nb::none(),
      "`count` pairs (training, held out) whose held-out parts are disjoint and together all rows. See split.");
}

nb::object encoded(const Preprocessing& preprocessing, nb::handle table, nb::handle rows, bool report) {
  const io::Table t = table_of_object(table);
  const Rows list = rows_of(rows, t);
  Encoded found;
  {
    const Unlocked release;
    found = encode(preprocessing, t, list);
  }
  if (!report) return nb::cast(found.x);
  nb::dict unseen, missing;
  for (const auto& [name, count] : found.unseen) unseen[name.c_str()] = count;
  for (const auto& [name, count] : found.newly_missing) missing[name.c_str()] = count;
  return nb::make_tuple(found.x, unseen, missing);
}

void bind_schemas(nb::module_& m) {
  m.def(
      "_find_schema",
      [](nb::handle table, const std::string& target) { return to_json(find_schema(table_of_object(table), target)); },
      nb::arg("table"), nb::arg("target"));
  m.def(
      "_find_breach",
      [](const std::string& schema, nb::handle table) -> nb::object {
        const io::Table t = table_of_object(table);
        const auto breach = find_breach(schema_from_json(schema), t, all_rows(t.rows));
        return breach ? nb::object(nb::make_tuple(breach->row, breach->column, breach->what)) : nb::none();
      },
      nb::arg("schema"), nb::arg("table"));
}

}  // namespace

Scaling scaling_of(const std::string& name) {
  if (name == "robust") return Scaling::kRobust;
  if (name == "standard") return Scaling::kStandard;
  if (name == "quantile") return Scaling::kQuantile;
  if (name == "none") return Scaling::kNone;
  if (name == "unclipped") return Scaling::kUnclipped;
  throw nb::value_error(
      ("scaling is 'robust', 'standard', 'quantile', 'none' or 'unclipped', not '" + name + "'").c_str());
}

void bind_preprocessing(nb::module_& m) {
  bind_target(m);
  bind_splits(m);
  bind_schemas(m);
  nb::class_<Preprocessing>(m, "Preprocessing", "All that stands between a table and a network; see fit_preprocessing.")
      .def_ro("target", &Preprocessing::target)
      .def_prop_ro(
          "features",
          [](const Preprocessing& p) {
            const nb::object loads = nb::module_::import_("json").attr("loads");
            return nb::object(loads(data::to_json(p))["features"]);
          },
          "A dict for each column that is used, as in the model file: column, kind, and what brings it to scale.")
      .def_prop_ro(
          "dropped",
          [](const Preprocessing& p) {
            nb::dict dict;
            for (const auto& [column, reason] : p.dropped) dict[column.c_str()] = reason;
            return dict;
          },
          "Columns that are left out, and why.")
      .def_prop_ro("inputs", &Preprocessing::inputs, "The number of inputs of the network.")
      .def("input_names", &Preprocessing::input_names, "'age', 'age is missing', 'job=fixed', ...: one for each input.")
      .def("encode", &encoded, nb::arg("table"), nb::arg("rows").none() = nb::none(), nb::kw_only(),
           nb::arg("report") = false,
           "The rows (all by default) as inputs, float32 (rows, inputs). Columns are found by name, in any order.\n"
           "report: (x, unseen, newly missing), with dicts of the number of rows by column.")
      .def(
          "to_json", [](const Preprocessing& p) { return data::to_json(p); }, "As it stands in the model file.")
      .def_static("from_json", &preprocessing_from_json, nb::arg("json"),
                  "What to_json wrote. Raises ValueError for other text.")
      .def("__repr__", [](const Preprocessing& p) {
        return "Preprocessing(" + std::to_string(p.features.size()) + " columns, " + std::to_string(p.inputs()) +
               " inputs, target '" + p.target.name + "')";
      });
  m.def(
      "fit_preprocessing",
      [](nb::handle table, const Target& target, nb::handle training, const std::string& scaling,
         const std::vector<std::string>& ignore, int max_levels, int min_count, std::optional<int> embed_above,
         int max_embedded, int min_embedded) {
        const io::Table t = table_of_object(table);
        PreprocessOptions options{scaling_of(scaling), ignore, max_levels, min_count};
        if (embed_above) options.embed_above = *embed_above;
        options.max_embedded = max_embedded;
        options.min_embedded = min_embedded;
        return fit_preprocessing(t, target, rows_of(training, t), options);
      },
      nb::arg("table"), nb::arg("target"), nb::arg("training").none() = nb::none(), nb::kw_only(),
      nb::arg("scaling") = "robust", nb::arg("ignore") = nb::list(), nb::arg("max_levels") = 64,
      nb::arg("min_count") = 8, nb::arg("embed_above").none() = nb::none(), nb::arg("max_embedded") = 1024,
      nb::arg("min_embedded") = 3,
      "A Preprocessing fitted to the training rows alone (all by default). Columns that do not change, and "
      "identifiers, "
      "are dropped, and the reason is kept.\n\n"
      "scaling: 'robust' is (x - median) / (quartile distance), smoothly clipped to (-3, 3), or with the logarithm of "
      "its tails where they are long; 'standard' is (x - mean) "
      "/ "
      "standard deviation; 'quantile'; 'none'; 'unclipped' is as 'standard', and as 'robust' where tails are long. "
      "ignore: columns to leave out. max_levels, min_count: the most values of "
      "a category "
      "that get an input of their own, and how often one must be seen where there are many. embed_above: categories of "
      "more values become one input, the level's number: up to max_embedded, each seen min_embedded times or more.");
}

}  // namespace pellucid::python
