// Schemas as JSON, and back. People edit them, so that messages name the column, the key and what is allowed.
#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "base/fail.h"
#include "data/dates.h"
#include "io/text.h"
#include "pellucid/schema.h"

namespace pellucid::data {
namespace {

using base::fail;
using io::shown;
using Json = nlohmann::ordered_json;

template <class T, std::size_t N>
using Names = std::array<std::pair<T, const char*>, N>;

constexpr Names<ColumnType, 8> kTypes = {{{ColumnType::kNumber, "number"},
                                          {ColumnType::kWhole, "whole number"},
                                          {ColumnType::kBoolean, "boolean"},
                                          {ColumnType::kCategory, "category"},
                                          {ColumnType::kText, "text"},
                                          {ColumnType::kDate, "date"},
                                          {ColumnType::kIdentifier, "identifier"},
                                          {ColumnType::kConstant, "constant"}}};
constexpr Names<Role, 6> kRoles = {{{Role::kInput, "input"},
                                    {Role::kTarget, "target"},
                                    {Role::kIgnore, "ignore"},
                                    {Role::kGroup, "group"},
                                    {Role::kTime, "time"},
                                    {Role::kWeight, "weight"}}};
constexpr Names<OnUnseen, 2> kUnseen = {{{OnUnseen::kUnknown, "unknown"}, {OnUnseen::kRefuse, "refuse"}}};
constexpr Names<OnMissing, 2> kMissing = {{{OnMissing::kFill, "fill"}, {OnMissing::kRefuse, "refuse"}}};
constexpr Names<OutOfRange, 3> kOutside = {
    {{OutOfRange::kAccept, "accept"}, {OutOfRange::kClip, "clip"}, {OutOfRange::kRefuse, "refuse"}}};

template <class T, std::size_t N>
std::string_view name_in(const Names<T, N>& names, T value) {
  return std::find_if(names.begin(), names.end(), [&](const auto& pair) { return pair.first == value; })->second;
}

bool may_be_unseen(ColumnType type) {
  return type == ColumnType::kBoolean || type == ColumnType::kCategory || type == ColumnType::kDate;
}
bool has_range(ColumnType type) {
  return type == ColumnType::kNumber || type == ColumnType::kWhole || type == ColumnType::kDate;
}

Json to_json(const ColumnSchema& column) {
  Json json = {{"name", column.name}, {"type", name_of(column.type)}, {"role", name_of(column.role)}};
  if (column.low && column.high) json["range"] = {*column.low, *column.high};
  if (!column.first.empty()) json["range"] = {column.first, column.last};
  if (column.type == ColumnType::kDate) json["format"] = column.format;
  if (!column.categories.empty()) json["categories"] = column.categories;
  json.update({{"distinct", column.distinct}, {"missing", column.missing}});
  if (may_be_unseen(column.type)) json["on_unseen"] = name_of(column.on_unseen);
  json["on_missing"] = name_of(column.on_missing);
  if (has_range(column.type)) json["out_of_range"] = name_of(column.out_of_range);
  return json;
}

// ---- Reading --------------------------------------------------------------------------------------------------------

// Reads one column, whose name stands in every message.
class ColumnReader {
 public:
  explicit ColumnReader(const Json& json, std::size_t position) : json_(json) {
    where_ = base::format("column {}", position + 1);
    if (!json.is_object()) wrong("it is no table of keys and values");
    column_.name = text("name");
    where_ = base::format("column '{}'", shown(column_.name));
  }

  ColumnSchema read() && {
    const std::vector<std::string> known = {"name",      "type",       "role",        "range",
                                            "format",    "categories", "distinct",    "missing",
                                            "on_unseen", "on_missing", "out_of_range"};
    for (const auto& [key, value] : json_.items()) {
      if (std::find(known.begin(), known.end(), key) == known.end()) {
        wrong(base::format("there is no key '{}'; similar: {}", shown(key), io::list_similar(key, known, 2)));
      }
    }
    if (!json_.contains("type")) wrong("'type' is missing");
    take("type", kTypes, column_.type);
    take("role", kRoles, column_.role);
    take("on_unseen", kUnseen, column_.on_unseen);
    take("on_missing", kMissing, column_.on_missing);
    take("out_of_range", kOutside, column_.out_of_range);
    take_categories();
    take_range();
    column_.distinct = static_cast<std::int64_t>(share("distinct", 1e15));
    column_.missing = share("missing", 1);
    if (column_.on_unseen != OnUnseen::kUnknown && !may_be_unseen(column_.type)) misplaced("on_unseen");
    if (column_.out_of_range != OutOfRange::kAccept && !json_.contains("range")) {
      wrong(base::format("out_of_range = \"{}\" needs a range", name_of(column_.out_of_range)));
    }
    if (column_.out_of_range == OutOfRange::kClip && column_.type == ColumnType::kDate) {
      wrong("out_of_range = \"clip\" is for numbers; take \"accept\" or \"refuse\" for a date");
    }
    return std::move(column_);
  }

 private:
  [[noreturn]] void wrong(std::string_view reason) const { fail("schema: {}: {}", where_, reason); }
  [[noreturn]] void misplaced(const char* key) const {
    wrong(base::format("'{}' is not for the type {}", key, name_of(column_.type)));
  }

  std::string text(const char* key) const {
    const auto at = json_.find(key);
    if (at == json_.end()) wrong(base::format("'{}' is missing", key));
    if (!at->is_string()) wrong(base::format("'{}' is no text", key));
    return at->get<std::string>();
  }

  template <class T, std::size_t N>
  void take(const char* key, const Names<T, N>& names, T& value) const {
    if (!json_.contains(key)) return;
    const std::string given = text(key);
    const auto at = std::find_if(names.begin(), names.end(), [&](const auto& pair) { return given == pair.second; });
    if (at == names.end()) {
      std::string list;
      for (const auto& [each, name] : names) list += base::format("{}\"{}\"", list.empty() ? "" : ", ", name);
      wrong(base::format("{} = \"{}\" is none of {}", key, shown(given), list));
    }
    value = at->first;
  }

  double share(const char* key, double most) const {
    if (!json_.contains(key)) return 0;
    const Json& value = json_.at(key);
    if (!value.is_number() || !(value.get<double>() >= 0 && value.get<double>() <= most)) {
      wrong(base::format("'{}' is no number from 0 to {}", key, most));
    }
    return value.get<double>();
  }

  void take_categories() {
    if (!json_.contains("categories")) return;
    if (column_.type != ColumnType::kCategory && column_.type != ColumnType::kBoolean &&
        column_.type != ColumnType::kConstant)
      misplaced("categories");
    const Json& list = json_.at("categories");
    const bool texts =
        list.is_array() && std::all_of(list.begin(), list.end(), [](const Json& item) { return item.is_string(); });
    if (!texts) wrong("'categories' is no list of texts; write numbers in quotes");
    column_.categories = list.get<std::vector<std::string>>();
    std::sort(column_.categories.begin(), column_.categories.end());
    const auto twice = std::adjacent_find(column_.categories.begin(), column_.categories.end());
    if (twice != column_.categories.end()) wrong(base::format("the category '{}' stands there twice", shown(*twice)));
    if (column_.type == ColumnType::kBoolean) {
      if (column_.categories.size() != 2) wrong("a boolean has two categories, the one for false first");
      column_.categories = list.get<std::vector<std::string>>();
    }
  }

  void take_range() {
    const bool date = column_.type == ColumnType::kDate;
    if (json_.contains("format")) {
      column_.format = text("format");
      if (!date) misplaced("format");
    } else if (date) {
      column_.format = name_of(DateFormat::kIso);
    }
    if (date && !date_format(column_.format)) {
      std::string list;
      for (const auto& [value, name] : kDateFormats) list += base::format("{}\"{}\"", list.empty() ? "" : ", ", name);
      wrong(base::format("format = \"{}\" is none of {}", shown(column_.format), list));
    }
    if (!json_.contains("range")) return;
    if (!has_range(column_.type)) misplaced("range");
    const Json& range = json_.at("range");
    if (!range.is_array() || range.size() != 2) wrong("'range' is no list of two: the least and the most");
    if (!date) {
      if (!range[0].is_number() || !range[1].is_number()) wrong("'range' holds something that is no number");
      column_.low = range[0].get<double>();
      column_.high = range[1].get<double>();
      if (!(*column_.low <= *column_.high)) wrong("'range' begins above its end");
      return;
    }
    std::array<std::optional<DateParts>, 2> ends;
    for (std::size_t i = 0; i < 2; ++i) {
      if (range[i].is_string()) ends[i] = parse_date(range[i].get<std::string>(), *date_format(column_.format));
      if (!ends[i]) wrong(base::format("'range' holds something that is no date of the format {}", column_.format));
    }
    column_.first = range[0].get<std::string>();
    column_.last = range[1].get<std::string>();
    if (*ends[1] < *ends[0]) wrong("'range' begins above its end");
  }

  const Json& json_;
  ColumnSchema column_;
  std::string where_;
};

}  // namespace

std::string_view name_of(ColumnType type) { return name_in(kTypes, type); }
std::string_view name_of(Role role) { return name_in(kRoles, role); }
std::string_view name_of(OnUnseen policy) { return name_in(kUnseen, policy); }
std::string_view name_of(OnMissing policy) { return name_in(kMissing, policy); }
std::string_view name_of(OutOfRange policy) { return name_in(kOutside, policy); }

std::string to_json(const Schema& schema) {
  Json json = {{"column", Json::array()}};
  for (const ColumnSchema& column : schema.columns) json["column"].push_back(to_json(column));
  return json.dump();
}

Schema schema_from_json(const std::string& text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object() || !json.contains("column") || !json.at("column").is_array()) {
    fail("schema: there is no list 'column' of columns; `pellucid schema DATA` writes one to begin with");
  }
  for (const auto& [key, value] : json.items()) {
    if (key != "column") fail("schema: there is no key '{}' beside 'column'; take it out", shown(key));
  }
  Schema schema;
  std::unordered_set<std::string> names;
  for (const Json& column : json.at("column")) {
    schema.columns.push_back(ColumnReader(column, schema.columns.size()).read());
    const ColumnSchema& last = schema.columns.back();
    if (!names.insert(last.name).second) fail("schema: column '{}' is there twice; take one out", shown(last.name));
    if (last.role == Role::kInput || last.role == Role::kIgnore) continue;
    if (const std::string first = schema.with_role(last.role); first != last.name) {
      fail("schema: '{}' and '{}' both have the role {}; one column can", shown(first), shown(last.name),
           name_of(last.role));
    }
  }
  if (schema.columns.empty()) fail("schema: there are no columns; `pellucid schema DATA` writes one to begin with");
  return schema;
}

}  // namespace pellucid::data
