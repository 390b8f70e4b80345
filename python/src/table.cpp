// Table and Column: columns of numbers and of text, made of NumPy arrays and lists.
#include "table.h"

#include <cmath>
#include <limits>
#include <unordered_map>

#include "pellucid/ops.h"

namespace pellucid::python {

namespace {

using io::Column, io::Table;

Column named(std::string name, bool text = false) {
  Column column;
  column.name = std::move(name);
  column.text = text;
  return column;
}

Column numbers_of(std::string name, nb::handle values) {
  Array array = as_array(values, ("column '" + name + "'").c_str(), true);
  if (array.rank() == 2 && array.size(1) == 1) array = reshape(array, {-1});
  if (array.rank() != 1) {
    throw nb::value_error(("column '" + name + "': one number for each row is needed, not an array of " +
                           std::to_string(array.rank()) + " axes")
                              .c_str());
  }
  if (array.dtype() != DType::kFloat64) array = astype(array, DType::kFloat64);
  evaluate_released(array);
  Column column = named(std::move(name));
  const auto* data = static_cast<const double*>(array.raw_data());
  const auto size = static_cast<std::size_t>(array.size());
  column.numbers = io::Numbers::shared(std::make_shared<Array>(array), {data, size});
  return column;
}

bool missing(nb::handle value) {
  return value.is_none() || (PyFloat_Check(value.ptr()) && std::isnan(PyFloat_AS_DOUBLE(value.ptr())));
}

/// Python values: numbers where all are or are missing, else text.
Column values_of(std::string name, nb::handle values) {
  Column column = named(std::move(name));
  for (nb::handle value : values) {
    if (!missing(value) && !PyFloat_Check(value.ptr()) && !PyLong_Check(value.ptr())) {
      column.text = true;
      break;
    }
  }
  std::unordered_map<std::string, std::int32_t> known;
  for (nb::handle value : values) {
    if (!column.text) {
      column.numbers.edit().push_back(missing(value) ? std::numeric_limits<double>::quiet_NaN()
                                                     : nb::cast<double>(nb::float_(value)));
      continue;
    }
    if (missing(value)) {
      column.codes.push_back(-1);
      continue;
    }
    const auto text = nb::cast<std::string>(nb::str(value));
    const auto [at, fresh] = known.try_emplace(text, static_cast<std::int32_t>(column.levels.size()));
    if (fresh) column.levels.push_back(text);
    column.codes.push_back(at->second);
  }
  return column;
}

Column coded(std::string name, nb::handle codes, const std::vector<std::string>& levels) {
  Array array = astype(as_array(codes, "codes", true), DType::kInt32);
  evaluate_released(array);
  const auto* data = static_cast<const std::int32_t*>(array.raw_data());
  Column column = named(std::move(name), true);
  column.codes.assign(data, data + array.size());
  column.levels = levels;
  for (const std::int32_t code : column.codes) {
    if (code < -1 || code >= static_cast<std::int32_t>(levels.size())) {
      throw nb::value_error(("column '" + column.name + "': code " + std::to_string(code) + " is none of the " +
                             std::to_string(levels.size()) + " levels; -1 is missing")
                                .c_str());
    }
  }
  return column;
}

Column column_of(const std::string& name, nb::handle value) {
  if (nb::isinstance<Column>(value)) {
    Column column = *nb::inst_ptr<Column>(value);
    column.name = name;
    return column;
  }
  if (nb::hasattr(value, "dtype") && nb::hasattr(value, "tolist")) {
    const nb::object kind = nb::getattr(value.attr("dtype"), "kind", nb::none());
    if (!kind.is_none()) {
      const auto letter = nb::cast<std::string>(kind);
      if (letter == "O" || letter == "U" || letter == "S" || letter == "T" || letter == "M" || letter == "m")
        return values_of(name, value.attr("tolist")());
    }
    return numbers_of(name, value);
  }
  if (is_array(value) || PyObject_CheckBuffer(value.ptr()) != 0) return numbers_of(name, value);
  if (PyUnicode_Check(value.ptr()) || PyObject_HasAttrString(value.ptr(), "__iter__") == 0) {
    throw nb::type_error(
        ("column '" + name + "': values for each row are needed, not " + nb::cast<std::string>(nb::repr(value)))
            .c_str());
  }
  return values_of(name, nb::steal(PySequence_List(value.ptr())));
}

Table make(const nb::dict& columns, const std::string& source) {
  Table table;
  table.source = source;
  for (const auto& [key, value] : columns) {
    table.columns.push_back(column_of(nb::cast<std::string>(nb::str(key)), value));
    const Column& added = table.columns.back();
    if (table.columns.size() == 1) table.rows = added.size();
    if (added.size() != table.rows) {
      throw nb::value_error(("table: column '" + added.name + "' has " + std::to_string(added.size()) + " rows and '" +
                             table.columns[0].name + "' has " + std::to_string(table.rows))
                                .c_str());
    }
  }
  return table;
}

nb::object values(const Column& column) {
  if (!column.text) return nb::cast(array_of(column.numbers));
  nb::list list;
  std::vector<nb::object> levels;
  for (const std::string& level : column.levels) levels.push_back(nb::cast(level));
  for (const std::int32_t code : column.codes) {
    list.append(code < 0 ? nb::none() : levels[static_cast<std::size_t>(code)]);
  }
  return list;
}

std::vector<std::string> names_of(const Table& table) {
  std::vector<std::string> names;
  for (const Column& column : table.columns) names.push_back(column.name);
  return names;
}

}  // namespace

Array array_of(const std::vector<std::int64_t>& values) {
  return Array::from_memory(values.data(), values.size(), {static_cast<std::int64_t>(values.size())}, DType::kInt64);
}
Array array_of(std::span<const double> values) {
  return Array::from_memory(values.data(), values.size(), {static_cast<std::int64_t>(values.size())}, DType::kFloat64);
}

Table table_of_object(nb::handle value) {
  if (nb::isinstance<Table>(value)) return *nb::inst_ptr<Table>(value);
  if (PyDict_Check(value.ptr())) return make(nb::borrow<nb::dict>(value), "<table>");
  throw nb::type_error("a table is a pellucid.data.Table, or a dict of columns by name");
}

data::Rows rows_of(nb::handle value, const Table& table) {
  if (value.is_none()) return data::all_rows(table.rows);
  const Array array = astype(as_array(value, "rows"), DType::kInt64);
  evaluate_released(array);
  const auto* at = static_cast<const std::int64_t*>(array.raw_data());
  return data::Rows(at, at + array.size());
}

void bind_table(nb::module_& m) {
  nb::class_<Column>(m, "Column", "One column of a table: numbers, or text held as codes of its distinct values.")
      .def(
          "__init__",
          [](Column* self, nb::handle values, const std::string& name) { new (self) Column(column_of(name, values)); },
          nb::arg("values"), nb::arg("name") = "",
          "values: an array of numbers (NaN is missing), or a list of numbers "
          "or texts (None is missing).")
      .def_static(
          "of_codes",
          [](nb::handle codes, const std::vector<std::string>& levels, const std::string& name) {
            return coded(name, codes, levels);
          },
          nb::arg("codes"), nb::arg("levels"), nb::arg("name") = "",
          "Text: the level of each row by its position among the levels, -1 where missing.")
      .def_ro("name", &Column::name)
      .def_ro("text", &Column::text, "Text, not numbers.")
      .def_prop_ro("values", &values, "An array of float64, NaN where missing; or a list of texts, None where missing.")
      .def_prop_ro(
          "codes",
          [](const Column& c) {
            return Array::from_memory(c.codes.data(), c.codes.size(), {static_cast<std::int64_t>(c.codes.size())},
                                      DType::kInt32);
          },
          "Of text: the position among the levels, int32, -1 where missing.")
      .def_ro("levels", &Column::levels, "Of text: the distinct values.")
      .def("count_missing", &Column::count_missing, "The number of rows without a value.")
      .def("__len__", [](const Column& c) { return c.size(); })
      .def("__repr__", [](const Column& c) {
        return "Column('" + c.name + "', " + std::to_string(c.size()) + " rows of " + (c.text ? "text" : "numbers") +
               ")";
      });
  nb::class_<Table> table(m, "Table", "Columns of one length, each with a name of its own.");
  bind_table_methods(table);
  table
      .def(
          "__init__",
          [](Table* self, const nb::dict& columns, const std::string& source) {
            new (self) Table(make(columns, source));
          },
          nb::arg("columns") = nb::dict(), nb::arg("source") = "<table>",
          "columns: a dict of arrays of numbers, lists of numbers or texts, and Columns; arrays of float64 share their "
          "memory where the layout allows. source: for messages.")
      .def_ro("source", &Table::source, "The file that it came from.")
      .def_ro("rows", &Table::rows)
      .def_prop_ro("names", &names_of, "The columns' names.")
      .def_ro("notes", &Table::notes, "What the reader decided and a person may want to know.")
      .def(
          "__getitem__", [](const Table& table, const std::string& name) { return table.at(name); }, nb::arg("name"),
          "A copy of the column. Raises ValueError naming the columns there are.")
      .def("__contains__", [](const Table& table, const std::string& name) { return table.find(name) >= 0; })
      .def("__len__", [](const Table& table) { return table.rows; })
      .def(
          "to_dict",
          [](const Table& table) {
            nb::dict dict;
            for (const Column& column : table.columns) dict[column.name.c_str()] = values(column);
            return dict;
          },
          "Columns' values by name: what pandas.DataFrame and polars.DataFrame take.")
      .def("__repr__", [](const Table& table) {
        std::string text = "Table(" + std::to_string(table.rows) + " rows: ";
        for (std::size_t i = 0; i < table.columns.size() && i < 8; ++i)
          text += (i == 0 ? "" : ", ") + table.columns[i].name;
        return text + (table.columns.size() > 8 ? ", ...)" : ")");
      });
}

}  // namespace pellucid::python
