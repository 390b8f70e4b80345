// Preprocessing as JSON, and back. What is read may come from anywhere: every part is checked.
#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "base/fail.h"
#include "data/dates.h"
#include "data/scaling.h"
#include "io/text.h"
#include "pellucid/data.h"
#include "pellucid/error.h"

namespace pellucid::data {
namespace {

using base::fail;
using io::shown;
using Json = nlohmann::json;

constexpr std::pair<Feature::Kind, const char*> kKinds[] = {
    {Feature::Kind::kNumber, "number"},     {Feature::Kind::kBinary, "binary"},
    {Feature::Kind::kBoolean, "boolean"},   {Feature::Kind::kCategory, "category"},
    {Feature::Kind::kEmbedded, "embedded"}, {Feature::Kind::kDate, "date"},
    {Feature::Kind::kText, "text"}};

[[noreturn]] void damaged(std::string_view reason) {
  fail("preprocessing: the description in the model file is damaged ({}); train it again, or take another copy",
       reason);
}

Json parse(const std::string& text) {
  Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) damaged("no JSON object");
  return json;
}

const Json& at(const Json& json, const char* key) {
  const auto found = json.find(key);
  if (!json.is_object() || found == json.end()) damaged(base::format("'{}' is missing", key));
  return *found;
}

// The value under a key, which must be of type T, and finite where it is a number.
template <class T>
T get(const Json& json, const char* key) {
  const Json& value = at(json, key);
  if constexpr (std::is_same_v<T, double>) {
    if (!value.is_number() || !std::isfinite(value.get<double>())) damaged(base::format("'{}' is no number", key));
    return value.get<double>();
  } else if constexpr (std::is_same_v<T, bool>) {
    if (!value.is_boolean()) damaged(base::format("'{}' is neither true nor false", key));
    return value.get<bool>();
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (!value.is_string()) damaged(base::format("'{}' is no text", key));
    return value.get<std::string>();
  } else {
    static_assert(std::is_same_v<T, std::vector<std::string>>);
    if (!value.is_array()) damaged(base::format("'{}' is no list", key));
    T list;
    for (const Json& item : value) {
      if (!item.is_string()) damaged(base::format("'{}' holds something that is no text", key));
      list.push_back(item.get<std::string>());
    }
    return list;
  }
}

double positive(const Json& json, const char* key) {
  const double value = get<double>(json, key);
  if (!(value > 0)) damaged(base::format("'{}' is not above 0", key));
  return value;
}

std::vector<std::string> distinct(const Json& json, const char* key) {
  auto list = get<std::vector<std::string>>(json, key);
  if (std::unordered_set<std::string>(list.begin(), list.end()).size() != list.size()) {
    damaged(base::format("'{}' holds a text twice", key));
  }
  return list;
}

Json to_json(const Target& target) {
  Json json = {{"column", target.name}, {"task", std::string(name_of(target.task))}, {"text", target.text}};
  if (target.task == Task::kClassification) {
    json["classes"] = target.classes;
  } else {
    json.update({{"mean", target.mean}, {"scale", target.scale}, {"low", target.low}, {"high", target.high}});
    if (target.is_log()) json["log"] = {{"mean", target.log_mean}, {"scale", target.log_scale}};
  }
  return json;
}

Target read_target(const Json& json) {
  Target target;
  target.name = get<std::string>(json, "column");
  const auto task = get<std::string>(json, "task");
  target.text = get<bool>(json, "text");
  if (task == name_of(Task::kClassification)) {
    target.task = Task::kClassification;
    target.classes = distinct(json, "classes");
    if (target.classes.size() < 2) damaged("there are less than two classes");
  } else if (task == name_of(Task::kRegression)) {
    target.mean = get<double>(json, "mean");
    target.scale = positive(json, "scale");
    target.low = get<double>(json, "low");
    target.high = get<double>(json, "high");
    if (target.low > target.high) damaged("'low' is above 'high'");
    if (json.contains("log")) {
      target.log_mean = get<double>(json["log"], "mean");
      target.log_scale = positive(json["log"], "scale");
    }
  } else {
    damaged("'task' is neither classification nor regression");
  }
  return target;
}

Json to_json(const Feature& feature) {
  Json json = {{"column", feature.column}, {"missing_input", feature.missing_input}};
  for (const auto& [kind, name] : kKinds) {
    if (kind == feature.kind) json["kind"] = name;
  }
  for (const Number& number : feature.numbers) {
    Json item = {{"center", number.center}, {"spread", number.spread}, {"clip", number.clip}};
    if (number.log_tails) item["log_tails"] = true;
    if (!number.knots.empty()) item["knots"] = number.knots;
    json["numbers"].push_back(std::move(item));
  }
  if (feature.kind == Feature::Kind::kDate) json.update({{"parts", feature.parts}, {"format", feature.format}});
  if (!feature.levels.empty()) json["levels"] = feature.levels;
  if (feature.other_input) json["other_input"] = true;
  if (feature.kind == Feature::Kind::kText) json["buckets"] = feature.buckets;
  return json;
}

Number read_number(const Json& json) {
  Number number{
      .center = get<double>(json, "center"), .spread = positive(json, "spread"), .clip = get<bool>(json, "clip")};
  if (json.contains("log_tails")) number.log_tails = get<bool>(json, "log_tails");
  if (!json.contains("knots")) return number;
  const Json& knots = json["knots"];
  if (!knots.is_array() || knots.size() != kKnots) damaged(base::format("'knots' is no list of {} numbers", kKnots));
  for (const Json& knot : knots) {
    if (!knot.is_number() || !std::isfinite(knot.get<double>())) damaged("'knots' holds something that is no number");
    number.knots.push_back(knot.get<double>());
  }
  if (!std::is_sorted(number.knots.begin(), number.knots.end())) damaged("'knots' do not ascend");
  return number;
}

Feature read_feature(const Json& json) {
  Feature feature;
  feature.column = get<std::string>(json, "column");
  feature.missing_input = get<bool>(json, "missing_input");
  const auto kind = get<std::string>(json, "kind");
  const auto known =
      std::find_if(std::begin(kKinds), std::end(kKinds), [&](const auto& pair) { return kind == pair.second; });
  if (known == std::end(kKinds)) damaged(base::format("the kind '{}' is not known", shown(kind)));
  feature.kind = known->first;
  if (json.contains("numbers")) {
    if (!json["numbers"].is_array()) damaged("'numbers' is no list");
    for (const Json& number : json["numbers"]) {
      feature.numbers.push_back(read_number(number));
    }
  }
  std::size_t numbers = 0;
  switch (feature.kind) {
    case Feature::Kind::kNumber:
      numbers = 1;
      break;
    case Feature::Kind::kBinary:
    case Feature::Kind::kBoolean:
      feature.levels = distinct(json, "levels");
      if (feature.levels.size() != 2) damaged("a category has no levels, or a binary one not two");
      break;
    case Feature::Kind::kCategory:
    case Feature::Kind::kEmbedded:
      feature.levels = distinct(json, "levels");
      if (feature.levels.empty()) damaged("a category has no levels, or a binary one not two");
      if (json.contains("other_input")) feature.other_input = get<bool>(json, "other_input");
      break;
    case Feature::Kind::kText: {
      constexpr double kMost = 1 << 16;
      const double buckets = get<double>(json, "buckets");
      if (!(buckets >= 1 && buckets <= kMost) || buckets != std::floor(buckets)) damaged("'buckets' is not right");
      feature.buckets = static_cast<int>(buckets);
      break;
    }
    case Feature::Kind::kDate:
      feature.parts = distinct(json, "parts");
      if (feature.parts.empty() && !feature.missing_input) damaged("a date has no parts");
      feature.format = json.contains("format") ? get<std::string>(json, "format") : name_of(DateFormat::kIso);
      if (!date_format(feature.format))
        damaged(base::format("the date format '{}' is not known", shown(feature.format)));
      numbers = feature.parts.size();
      for (const std::string& part : feature.parts) {
        if (std::find(kDateParts.begin(), kDateParts.end(), part) == kDateParts.end())
          damaged("a part of a date is not known");
      }
      break;
  }
  if (feature.numbers.size() != numbers)
    damaged(base::format("column '{}' has numbers missing", shown(feature.column)));
  return feature;
}

}  // namespace

std::string to_json(const Preprocessing& preprocessing) {
  Json json = {{"source", "table"},
               {"target", to_json(preprocessing.target)},
               {"missing", preprocessing.missing},
               {"missing_numbers", preprocessing.missing_numbers},
               {"features", Json::array()},
               {"dropped", Json::array()}};
  for (const Feature& feature : preprocessing.features) json["features"].push_back(to_json(feature));
  if (!preprocessing.schema.columns.empty()) json["schema"] = Json::parse(data::to_json(preprocessing.schema));
  for (const auto& [column, reason] : preprocessing.dropped) {
    json["dropped"].push_back({{"column", column}, {"reason", reason}});
  }
  return json.dump();
}

Preprocessing preprocessing_from_json(const std::string& text) {
  const Json json = parse(text);
  if (source_of(text) != Source::kTable)
    fail("preprocessing: the model was trained on pictures, not on a table; give it pictures");
  Preprocessing result;
  result.target = read_target(at(json, "target"));
  result.missing = get<std::vector<std::string>>(json, "missing");
  result.missing_numbers = get<std::vector<std::string>>(json, "missing_numbers");
  const Json& features = at(json, "features");
  if (!features.is_array() || features.empty()) damaged("there are no features");
  std::unordered_set<std::string> columns;
  for (const Json& feature : features) {
    result.features.push_back(read_feature(feature));
    if (!columns.insert(result.features.back().column).second) damaged("a column has two features");
  }
  if (json.contains("schema")) {
    try {
      result.schema = schema_from_json(json["schema"].dump());
    } catch (const Error& error) {
      damaged(error.what());
    }
  }
  const Json& dropped = at(json, "dropped");
  if (!dropped.is_array()) damaged("'dropped' is no list");
  for (const Json& item : dropped)
    result.dropped.emplace_back(get<std::string>(item, "column"), get<std::string>(item, "reason"));
  return result;
}

std::string to_json(const PicturePreprocessing& preprocessing) {
  const Json json = {{"source", "pictures"},
                     {"shape", preprocessing.shape},
                     {"mean", preprocessing.mean},
                     {"scale", preprocessing.scale},
                     {"classes", preprocessing.classes}};
  return json.dump();
}

PicturePreprocessing picture_preprocessing_from_json(const std::string& text) {
  const Json json = parse(text);
  if (source_of(text) != Source::kPictures)
    fail("preprocessing: the model was trained on a table, not on pictures; give it a table");
  PicturePreprocessing result;
  const Json& shape = at(json, "shape");
  if (!shape.is_array() || shape.size() < 2 || shape.size() > 3) damaged("'shape' is not two or three sizes");
  for (const Json& size : shape) {
    constexpr std::int64_t kMost = 1 << 20;
    if (!size.is_number_unsigned() || size.get<std::uint64_t>() < 1 || size.get<std::uint64_t>() > kMost) {
      damaged("a size in 'shape' is not right");
    }
    result.shape.push_back(size.get<std::int64_t>());
  }
  result.mean = get<double>(json, "mean");
  result.scale = positive(json, "scale");
  result.classes = get<std::vector<std::string>>(json, "classes");
  if (result.classes.size() < 2) damaged("there are less than two classes");
  return result;
}

Source source_of(const std::string& text) {
  const Json json = parse(text);
  const auto source = get<std::string>(json, "source");
  if (source == "table") return Source::kTable;
  if (source == "pictures") return Source::kPictures;
  damaged(base::format("the source '{}' is not known", shown(source)));
}

}  // namespace pellucid::data
