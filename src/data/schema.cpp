// Finding out what a table's columns are.
#include "pellucid/schema.h"

#include <algorithm>
#include <cmath>
#include <unordered_set>

#include "base/fail.h"
#include "data/column_kind.h"
#include "data/rows.h"
#include "io/text.h"
#include "pellucid/data.h"

namespace pellucid::data {
namespace {

constexpr std::int64_t kMostCategories = 1000;

void find_numbers(const Column& column, std::span<const std::int64_t> rows, ColumnSchema& schema) {
  std::unordered_set<double> distinct;  // no more than it takes to say that there are many
  bool whole = true;
  std::int64_t present = 0;
  for (const std::int64_t row : rows) {
    const double x = column.numbers[static_cast<std::size_t>(row)];
    if (std::isnan(x)) continue;
    ++present;
    if (static_cast<std::int64_t>(distinct.size()) <= kMostCategories) distinct.insert(x);
    whole = whole && std::isfinite(x) && x == std::floor(x);
    if (!std::isfinite(x)) continue;
    schema.low = std::min(schema.low.value_or(x), x);
    schema.high = std::max(schema.high.value_or(x), x);
  }
  schema.distinct = static_cast<std::int64_t>(distinct.size());
  schema.missing = rows.empty() ? 0
                                : static_cast<double>(static_cast<std::int64_t>(rows.size()) - present) /
                                      static_cast<double>(rows.size());
  schema.type = whole ? ColumnType::kWhole : ColumnType::kNumber;
  if (distinct.size() < 2) {
    schema.type = ColumnType::kConstant;
    for (const double x : distinct) schema.categories = {io::to_text(x)};
    schema.low = schema.high = {};
  } else if (distinct.size() == 2 && distinct.contains(0) && distinct.contains(1)) {
    schema.type = ColumnType::kBoolean;
    schema.categories = {"0", "1"};
    schema.low = schema.high = {};
  } else if (is_identifier(column, rows)) {
    schema.type = ColumnType::kIdentifier;
    schema.low = schema.high = {};
  }
}

void find_texts(const Column& column, std::span<const std::int64_t> rows, ColumnSchema& schema) {
  const LevelCounts counted = count_levels(column, rows);
  const auto distinct = static_cast<std::int64_t>(counted.seen.size());
  schema.distinct = distinct;
  schema.missing = rows.empty() ? 0 : static_cast<double>(counted.missing) / static_cast<double>(rows.size());
  const auto list = [&] {
    if (distinct > kMostCategories) return;
    for (const std::size_t i : counted.seen) schema.categories.push_back(column.levels[i]);
    std::sort(schema.categories.begin(), schema.categories.end());
  };
  if (distinct < 2) {
    schema.type = ColumnType::kConstant;
    list();
  } else if (const auto format = date_format_of(column, counted.seen)) {
    schema.type = ColumnType::kDate;
    schema.format = name_of(*format);
    const auto earlier = [&](std::size_t a, std::size_t b) {
      return *parse_date(column.levels[a], *format) < *parse_date(column.levels[b], *format);
    };
    const auto [first, last] = std::minmax_element(counted.seen.begin(), counted.seen.end(), earlier);
    schema.first = column.levels[*first];
    schema.last = column.levels[*last];
  } else if (const auto levels = boolean_levels(column, counted.seen); !levels.empty()) {
    schema.type = ColumnType::kBoolean;
    schema.categories = levels;
  } else if (distinct > 2 && distinct == counted.present) {
    schema.type = is_running_text(column, counted.seen, rows.size()) ? ColumnType::kText : ColumnType::kIdentifier;
  } else if (2 * distinct > counted.present && is_running_text(column, counted.seen, rows.size())) {
    schema.type = ColumnType::kText;
  } else {
    schema.type = ColumnType::kCategory;
    list();
  }
}

}  // namespace

const ColumnSchema* Schema::find(std::string_view name) const {
  const auto at = std::find_if(columns.begin(), columns.end(), [&](const auto& column) { return column.name == name; });
  return at == columns.end() ? nullptr : &*at;
}

std::string Schema::with_role(Role role) const {
  const auto at = std::find_if(columns.begin(), columns.end(), [&](const auto& column) { return column.role == role; });
  return at == columns.end() ? "" : at->name;
}

Schema find_schema(const Table& table, std::span<const std::int64_t> rows, const std::string& target) {
  check_rows("find_schema", table, rows);
  if (!target.empty()) table.at(target);
  Schema schema;
  for (const Column& column : table.columns) {
    ColumnSchema& found = schema.columns.emplace_back();
    found.name = column.name;
    if (column.text) {
      find_texts(column, rows, found);
    } else {
      find_numbers(column, rows, found);
    }
    const bool of_no_use = found.type == ColumnType::kIdentifier || found.type == ColumnType::kConstant;
    found.role = column.name == target ? Role::kTarget : of_no_use ? Role::kIgnore : Role::kInput;
  }
  return schema;
}

Schema find_schema(const Table& table, const std::string& target) {
  return find_schema(table, all_rows(table.rows), target);
}

io::CsvOptions csv_options(const Schema& schema) {
  io::CsvOptions options;
  for (const ColumnSchema& column : schema.columns) {
    if (column.role == Role::kIgnore) continue;
    if (column.is_number()) options.numeric.push_back(column.name);
    const bool text =
        column.type == ColumnType::kCategory || column.type == ColumnType::kText || column.type == ColumnType::kDate;
    if (text) options.text.push_back(column.name);
  }
  return options;
}

}  // namespace pellucid::data
