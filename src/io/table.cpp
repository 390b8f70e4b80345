// Tables: looking columns up, and writing them as CSV.
#include <algorithm>
#include <cmath>

#include "base/atomic_file.h"
#include "base/fail.h"
#include "io/csv.h"
#include "io/text.h"
#include "pellucid/io.h"

namespace pellucid::io {

bool Column::missing(std::int64_t row) const {
  const auto i = static_cast<std::size_t>(row);
  return text ? codes[i] < 0 : std::isnan(numbers[i]);
}

std::int64_t Column::count_missing() const {
  if (text) return std::count_if(codes.begin(), codes.end(), [](std::int32_t code) { return code < 0; });
  return std::count_if(numbers.begin(), numbers.end(), [](double x) { return std::isnan(x); });
}

std::string Column::field(std::int64_t row) const {
  if (missing(row)) return {};
  const auto i = static_cast<std::size_t>(row);
  return text ? levels[static_cast<std::size_t>(codes[i])] : to_text(numbers[i]);
}

std::int64_t Table::find(std::string_view name) const {
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (columns[i].name == name) return static_cast<std::int64_t>(i);
  }
  return -1;
}

const Column& Table::at(std::string_view name) const {
  const std::int64_t i = find(name);
  if (i >= 0) return columns[static_cast<std::size_t>(i)];
  std::vector<std::string> names;
  for (const Column& column : columns) names.push_back(column.name);
  base::fail("table{}: no column '{}'; there are {}", source.empty() ? "" : " '" + source + "'", shown(name),
             list_similar(name, names));
}

namespace {

// Quotes go where the reader would take the field for something else.
void append_field(std::string& out, std::string_view field, char separator, bool alone) {
  const char special[] = {separator, '"', '\n', '\r'};
  const bool quote =
      field.find_first_of(std::string_view(special, 4)) != std::string_view::npos || (alone && field.empty()) ||
      (out.empty() && field.starts_with("\xEF\xBB\xBF"));  // else it is read as the mark of the file's encoding
  if (!quote) {
    out += field;
    return;
  }
  out += '"';
  for (const char c : field) {
    if (c == '"') out += '"';
    out += c;
  }
  out += '"';
}

}  // namespace

std::string to_csv(const Table& table, char separator) {
  check_separator(separator, "write_csv");
  for (const Column& column : table.columns) {
    if (column.size() != table.rows) {
      base::fail("write_csv: column '{}' has {} rows and the table {}; give all columns one length", column.name,
                 column.size(), table.rows);
    }
  }
  const bool alone = table.columns.size() == 1;
  std::string out;
  const auto end_field = [&](std::size_t c) { out += c + 1 < table.columns.size() ? separator : '\n'; };
  for (std::size_t c = 0; c < table.columns.size(); ++c) {
    append_field(out, table.columns[c].name, separator, alone);
    end_field(c);
  }
  for (std::int64_t row = 0; row < table.rows; ++row) {
    for (std::size_t c = 0; c < table.columns.size(); ++c) {
      append_field(out, table.columns[c].field(row), separator, alone);
      end_field(c);
    }
  }
  return out;
}

void write_csv(const std::string& path, const Table& table, char separator) {
  base::write_file(path, to_csv(table, separator));
}

void check_writable(const std::string& path, std::uint64_t size) { base::check_writable(path, size); }

}  // namespace pellucid::io
