// What the estimators need of tables and their models beyond what everybody has: see pellucid/estimators.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "arrow.h"
#include "pellucid/data.h"
#include "table.h"

namespace pellucid::python {

namespace {

// ---- Columns out of memory ------------------------------------------------------------------------------------------

/// Memory that a Python object shows, until this ends; it is made and ends under the interpreter's lock.
class View {
 public:
  View(nb::handle source, int axes) {
    if (PyObject_GetBuffer(source.ptr(), &view_, PyBUF_RECORDS_RO) != 0) throw nb::python_error();
    if (view_.ndim != axes) {
      const int found = view_.ndim;
      PyBuffer_Release(&view_);
      throw nb::value_error(fmt::format("values of {} axes are given where {} are wanted", found, axes).c_str());
    }
  }
  View(const View&) = delete;
  View& operator=(const View&) = delete;
  ~View() { PyBuffer_Release(&view_); }
  std::int64_t size(int axis) const { return view_.shape[axis]; }
  std::int64_t stride(int axis) const { return view_.strides[axis]; }
  const char* data() const { return static_cast<const char*>(view_.buf); }
  char format() const { return view_.format[0]; }

 private:
  Py_buffer view_{};
};

template <class T>
void convert_column(const char* from, std::int64_t stride, std::vector<double>& to) {
  for (double& x : to) {
    x = static_cast<double>(*reinterpret_cast<const T*>(from));
    from += stride;
  }
}

std::vector<double> copied(const View& view, const char* from, std::int64_t stride, std::int64_t count) {
  std::vector<double> to(static_cast<std::size_t>(count));
  switch (view.format()) {
    case 'd':
      convert_column<double>(from, stride, to);
      break;
    case 'f':
      convert_column<float>(from, stride, to);
      break;
    case '?':
    case 'B':
      convert_column<std::uint8_t>(from, stride, to);
      break;
    case 'b':
      convert_column<std::int8_t>(from, stride, to);
      break;
    case 'h':
      convert_column<std::int16_t>(from, stride, to);
      break;
    case 'H':
      convert_column<std::uint16_t>(from, stride, to);
      break;
    case 'i':
      convert_column<std::int32_t>(from, stride, to);
      break;
    case 'I':
      convert_column<std::uint32_t>(from, stride, to);
      break;
    case 'l':
    case 'q':
      convert_column<std::int64_t>(from, stride, to);
      break;
    case 'L':
    case 'Q':
      convert_column<std::uint64_t>(from, stride, to);
      break;
    default:
      throw nb::type_error(fmt::format("a table's numbers cannot be of the buffer format '{}'", view.format()).c_str());
  }
  return to;
}

/// The numbers of a column: the view's own memory where they are float64 side by side, else converted.
io::Numbers numbers_at(const std::shared_ptr<View>& view, const char* from, std::int64_t stride, std::int64_t count) {
  const bool aligned = reinterpret_cast<std::uintptr_t>(from) % alignof(double) == 0;
  if (view->format() != 'd' || stride != sizeof(double) || !aligned) return copied(*view, from, stride, count);
  return io::Numbers::shared(view, {reinterpret_cast<const double*>(from), static_cast<std::size_t>(count)});
}

std::shared_ptr<View> view_of(nb::handle source, int axes) {
  return {new View(source, axes), [](View* view) {
            if (Py_IsInitialized() == 0) return;
            const Locked lock;
            delete view;
          }};
}

void add(io::Table& table, io::Column column) {
  if (table.find(column.name) >= 0) {
    throw nb::value_error(fmt::format("two columns are named '{}'; rename one", column.name).c_str());
  }
  if (table.columns.empty()) table.rows = column.size();
  if (column.size() != table.rows) {
    throw nb::value_error(
        fmt::format("column '{}' has {} values, and the table {} rows", column.name, column.size(), table.rows)
            .c_str());
  }
  table.columns.push_back(std::move(column));
}

io::Column number_column(const std::string& name, io::Numbers numbers) {
  io::Column column;
  column.name = name;
  column.numbers = std::move(numbers);
  return column;
}

io::Table table_of_matrix(nb::handle values, const std::vector<std::string>& names) {
  const std::shared_ptr<View> view = view_of(values, 2);
  io::Table table;
  table.source = "X";
  table.rows = view->size(0);
  for (std::int64_t i = 0; i < view->size(1); ++i) {
    const char* from = view->data() + i * view->stride(1);
    add(table,
        number_column(names.at(static_cast<std::size_t>(i)), numbers_at(view, from, view->stride(0), table.rows)));
  }
  return table;
}

void add_text(io::Table& table, const std::string& name, nb::handle codes, std::vector<std::string> levels) {
  const View view(codes, 1);
  io::Column column;
  column.name = name;
  column.text = true;
  for (const double code : copied(view, view.data(), view.stride(0), view.size(0))) {
    if (code >= static_cast<double>(levels.size())) throw nb::value_error("a table's code is beyond its levels");
    column.codes.push_back(static_cast<std::int32_t>(code));
  }
  column.levels = std::move(levels);
  add(table, std::move(column));
}

/// The first infinite number: (column, row), or None.
nb::object find_infinite(const io::Table& table) {
  for (const io::Column& column : table.columns) {
    for (std::size_t row = 0; row < column.numbers.size(); ++row) {
      if (std::isinf(column.numbers[row])) return nb::make_tuple(column.name, row);
    }
  }
  return nb::none();
}

io::Table take_rows(const io::Table& table, const std::vector<std::int64_t>& rows) {
  io::Table taken = table;
  taken.rows = static_cast<std::int64_t>(rows.size());
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    const io::Column& from = table.columns[i];
    io::Column& to = taken.columns[i];
    if (from.text) to.codes.resize(rows.size());
    std::vector<double> numbers(from.text ? 0 : rows.size());
    for (std::size_t row = 0; row < rows.size(); ++row) {
      const auto at = static_cast<std::size_t>(rows[row]);
      if (from.text) to.codes[row] = from.codes.at(at);
      if (!from.text) numbers[row] = from.numbers.at(at);
    }
    if (!from.text) to.numbers = std::move(numbers);
  }
  return taken;
}

/// float64 (rows, columns) that orders rows: numbers as they are, texts by their place among the sorted ones.
Array keys_of(const io::Table& table) {
  const auto columns = static_cast<std::int64_t>(table.columns.size());
  std::vector<double> keys(static_cast<std::size_t>(table.rows * columns));
  for (std::int64_t c = 0; c < columns; ++c) {
    const io::Column& column = table.columns[static_cast<std::size_t>(c)];
    std::vector<std::string> sorted = column.levels;
    std::sort(sorted.begin(), sorted.end());
    for (std::int64_t row = 0; row < table.rows; ++row) {
      double& key = keys[static_cast<std::size_t>(row * columns + c)];
      if (!column.text) {
        key = column.numbers[static_cast<std::size_t>(row)];
        continue;
      }
      const std::int32_t code = column.codes[static_cast<std::size_t>(row)];
      key = code < 0 ? -1
                     : static_cast<double>(std::lower_bound(sorted.begin(), sorted.end(),
                                                            column.levels[static_cast<std::size_t>(code)]) -
                                           sorted.begin());
    }
  }
  return reshape(Array::from(keys), {table.rows, columns}).evaluate();
}

}  // namespace

void bind_table_methods(nb::class_<io::Table>& table) {
  table
      .def_static("from_stream", &table_of_stream, nb::arg("stream"),
                  "A table of an Arrow C stream: what __arrow_c_stream__() of pandas, polars and Arrow gives.")
      .def_static("from_matrix", &table_of_matrix, nb::arg("values"), nb::arg("names"),
                  "A table of numbers (rows, columns) and the columns' names.")
      .def(
          "is_text", [](const io::Table& table, const std::string& name) { return table.at(name).text; },
          nb::arg("name"), "Is the column text, not numbers?")
      .def(
          "rename",
          [](io::Table& table, const std::vector<std::string>& names) {
            for (std::size_t i = 0; i < table.columns.size(); ++i) table.columns[i].name = names.at(i);
          },
          nb::arg("names"), "Gives the columns these names, in their order.")
      .def(
          "add_numbers",
          [](io::Table& table, const std::string& name, nb::handle values) {
            const std::shared_ptr<View> view = view_of(values, 1);
            add(table, number_column(name, numbers_at(view, view->data(), view->stride(0), view->size(0))));
          },
          nb::arg("name"), nb::arg("values"), "Adds a column of numbers: a buffer of one axis; NaN is missing.")
      .def("add_text", &add_text, nb::arg("name"), nb::arg("codes"), nb::arg("levels"),
           "Adds a column of texts: the level of each row by its position, -1 where missing.")
      .def("find_infinite", &find_infinite, "(column, row) of the first infinite number, or None.")
      .def("take", &take_rows, nb::arg("rows"), "The table of these rows, by their numbers, in their order.")
      .def("keys", &keys_of, "float64 (rows, columns) that orders rows: numbers, and texts by their place.")
      .def(
          "repeat_first",
          [](io::Table& table, std::int64_t count) {
            for (io::Column& column : table.columns) {
              const auto n = static_cast<std::size_t>(column.size() + count);
              if (column.text) {
                column.codes.resize(n, column.codes.front());
              } else {
                const double first = column.numbers.front();
                column.numbers.edit().resize(n, first);
              }
            }
            table.rows += count;
          },
          nb::arg("count"), "Adds the first row again, so many times.")
      .def(
          "csv", [](const io::Table& table) { return io::to_csv(table); }, "The table as CSV text.");
}

namespace {

// ---- Preprocessing for networks of the user's -----------------------------------------------------------------------

void bind_own_preprocessing(nb::module_& m) {
  m.def("_fit_preprocessing", [](const io::Table& table) {
    io::Table whole = table;
    std::string name = "y";
    while (whole.find(name) >= 0) name += "_";
    whole.columns.push_back(number_column(name, std::vector<double>(static_cast<std::size_t>(whole.rows))));
    data::Target target;
    target.name = name;
    return data::to_json(data::fit_preprocessing(whole, target, data::all_rows(whole.rows)));
  });
  m.def("_encode", [](const std::string& preprocessing, const io::Table& table) {
    return data::encode(data::preprocessing_from_json(preprocessing), table, data::all_rows(table.rows)).x;
  });
}

}  // namespace

void bind_estimators(nb::module_& m) { bind_own_preprocessing(m); }

}  // namespace pellucid::python
