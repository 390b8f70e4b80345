// Holding tables to a schema.
#include <algorithm>
#include <cmath>
#include <unordered_set>

#include "base/fail.h"
#include "data/dates.h"
#include "data/rows.h"
#include "data/words.h"
#include "io/text.h"
#include "pellucid/data.h"

namespace pellucid::data {
namespace {

using io::shown;

bool can_refuse(const ColumnSchema& column) {
  return column.role == Role::kInput &&
         (column.on_unseen == OnUnseen::kRefuse || column.on_missing == OnMissing::kRefuse ||
          column.out_of_range == OutOfRange::kRefuse);
}

// What one column of a table holds that its schema refuses; "" for what it takes.
class Checker {
 public:
  Checker(const ColumnSchema& schema, const Column& column)
      : schema_(schema), column_(column), listed_(schema.categories.begin(), schema.categories.end()) {
    if (schema.type == ColumnType::kDate) {
      format_ = date_format(schema.format).value();
      first_ = parse_date(schema.first, format_);
      last_ = parse_date(schema.last, format_);
    }
    if (!column.text) return;
    for (const std::string& level : column.levels) of_level_.push_back(reason_of_text(level));
  }

  std::string reason(std::int64_t row) const {
    if (column_.missing(row)) {
      if (schema_.on_missing != OnMissing::kRefuse) return {};
      return "is missing, and the schema needs a value there (on_missing = \"refuse\")";
    }
    const auto i = static_cast<std::size_t>(row);
    if (column_.text) return of_level_[static_cast<std::size_t>(column_.codes[i])];
    return schema_.is_number() ? reason_of_number(column_.numbers[i]) : reason_of_text(column_.field(row));
  }

 private:
  std::string reason_of_number(double x) const {
    if (schema_.out_of_range != OutOfRange::kRefuse) return {};
    if (schema_.type == ColumnType::kWhole && x != std::floor(x)) {
      return base::format("is {}, and the schema allows whole numbers alone (out_of_range = \"refuse\")",
                          io::to_text(x));
    }
    if (x >= *schema_.low && x <= *schema_.high) return {};
    return base::format("is {}, and the schema allows {} to {} (out_of_range = \"refuse\")", io::to_text(x),
                        io::to_text(*schema_.low), io::to_text(*schema_.high));
  }

  std::string reason_of_text(const std::string& text) const {
    if (schema_.type == ColumnType::kDate) return reason_of_date(text);
    if (schema_.on_unseen != OnUnseen::kRefuse) return {};
    if (schema_.type == ColumnType::kBoolean) {
      if (parse_boolean(text)) return {};
      return base::format("is '{}', which is neither true nor false (on_unseen = \"refuse\")", shown(text));
    }
    if (listed_.empty() || listed_.contains(text)) return {};
    return base::format("is '{}', which is none of the schema's categories {} (on_unseen = \"refuse\")", shown(text),
                        io::list_similar(text, schema_.categories, 4));
  }

  std::string reason_of_date(const std::string& text) const {
    const auto date = parse_date(text, format_);
    if (!date) {
      if (schema_.on_unseen != OnUnseen::kRefuse) return {};
      return base::format("is '{}', which is no date of the format {} (on_unseen = \"refuse\")", shown(text),
                          schema_.format);
    }
    if (schema_.out_of_range != OutOfRange::kRefuse || !first_ || !last_ || (*date >= *first_ && *date <= *last_))
      return {};
    return base::format("is '{}', and the schema allows '{}' to '{}' (out_of_range = \"refuse\")", shown(text),
                        schema_.first, schema_.last);
  }

  const ColumnSchema& schema_;
  const Column& column_;
  std::unordered_set<std::string> listed_;
  DateFormat format_ = DateFormat::kIso;
  std::optional<DateParts> first_, last_;
  std::vector<std::string> of_level_;
};

}  // namespace

std::optional<Breach> find_breach(const Schema& schema, const Table& table, std::span<const std::int64_t> rows) {
  check_rows("find_breach", table, rows);
  std::optional<Breach> first;
  std::size_t end = rows.size();  // positions from here on come after a breach that is known
  for (const ColumnSchema& column : schema.columns) {
    const std::int64_t at = table.find(column.name);
    if (!can_refuse(column) || at < 0) continue;
    const Checker checker(column, table.columns[static_cast<std::size_t>(at)]);
    for (std::size_t i = 0; i < end; ++i) {
      std::string what = checker.reason(rows[i]);
      if (what.empty()) continue;
      first = Breach{.row = rows[i], .column = column.name, .what = std::move(what)};
      end = i;
    }
  }
  return first;
}

}  // namespace pellucid::data
