// What each column of a table is, may hold, and is for: found out from the data, kept as JSON, edited by people, and
// held to by the models that carry it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pellucid/io.h"

namespace pellucid::data {

enum class ColumnType {
  kNumber,      // "number"
  kWhole,       // "whole number"
  kBoolean,     // "boolean": 0 and 1, or words such as yes and no
  kCategory,    // "category": one of a list of texts
  kText,        // "text": running text, or more texts than a list is good for
  kDate,        // "date": dates, with or without a time; times of day
  kIdentifier,  // "identifier": another value in each row
  kConstant,    // "constant": one value, or none at all
};

enum class Role {
  kInput,   // "input": predicted from
  kTarget,  // "target": predicted; at most one column
  kIgnore,  // "ignore": left out
  kGroup,   // "group": rows of one value are held out together; at most one column
  kTime,    // "time": the newest rows are held out; at most one column
  kWeight,  // "weight": how much a row counts in training; at most one column
};

/// What becomes of a text that is none of the categories, a word that is no boolean, a text that is no date.
enum class OnUnseen { kUnknown, kRefuse };  // "unknown": counts as none of the known; "refuse"
/// What becomes of a missing value.
enum class OnMissing { kFill, kRefuse };  // "fill": counts as the middle one, or none; "refuse"
/// What becomes of a number or date outside the range, and of a fraction in a column of whole numbers.
enum class OutOfRange { kAccept, kClip, kRefuse };  // "accept"; "clip": numbers count as the range's end; "refuse"

std::string_view name_of(ColumnType type);
std::string_view name_of(Role role);
std::string_view name_of(OnUnseen policy);
std::string_view name_of(OnMissing policy);
std::string_view name_of(OutOfRange policy);

struct ColumnSchema {
  std::string name;
  ColumnType type = ColumnType::kNumber;
  Role role = Role::kInput;
  /// Numbers and whole numbers: the range. Dates: in the terms of the text, below.
  std::optional<double> low, high;
  std::string first, last;  // dates: the earliest and the latest as the table writes them
  std::string format;       // dates: "iso", "day/month/year", ...
  /// Booleans and categories: the values, ascending. Empty where there are more than 1,000, or none is known.
  std::vector<std::string> categories;
  /// Values that differ, missing ones aside; of numbers 1,001 where there are more than 1,000.
  std::int64_t distinct = 0;
  double missing = 0;  // the share of rows without a value
  OnUnseen on_unseen = OnUnseen::kUnknown;
  OnMissing on_missing = OnMissing::kFill;
  OutOfRange out_of_range = OutOfRange::kAccept;

  bool is_number() const { return type == ColumnType::kNumber || type == ColumnType::kWhole; }
};

struct Schema {
  std::vector<ColumnSchema> columns;

  /// The column of that name; null where there is none.
  const ColumnSchema* find(std::string_view name) const;
  /// The name of the first column with the role; empty where none has it.
  std::string with_role(Role role) const;
};

/// What the rows of a table say. Identifiers and constants get the role kIgnore, `target` (where not empty) kTarget,
/// all others kInput; nothing is refused. Throws Error where rows or the target are not in the table.
Schema find_schema(const io::Table& table, std::span<const std::int64_t> rows, const std::string& target = "");
Schema find_schema(const io::Table& table, const std::string& target = "");

/// How to read a table by a schema: what is to be a number must be one, and texts stay texts even where they look like
/// numbers.
io::CsvOptions csv_options(const Schema& schema);

/// A value that a schema refuses.
struct Breach {
  std::int64_t row = 0;  // of the table, from 0
  std::string column;
  std::string what;  // "is 9000, and the schema allows 10 to 500 (out_of_range = "refuse")"
};
/// The first one, by rows then by columns of the schema, in its columns with the role kInput. Columns that the table
/// lacks are passed over.
std::optional<Breach> find_breach(const Schema& schema, const io::Table& table, std::span<const std::int64_t> rows);

/// {"column": [{"name": "age", "type": "whole number", "role": "input", "range": [17, 90], ...}, ...]}, the same keys
/// as in a TOML file; numbers read back the same.
std::string to_json(const Schema& schema);
/// Throws Error, naming the column and the key, for what is no such text: keys that are not known (with similar ones),
/// values that are none of those allowed, two columns of one name, two targets, groups, times or weights, a range that
/// is empty or of another type, policies for types that they are not for.
Schema schema_from_json(const std::string& json);

}  // namespace pellucid::data
