// What features add up to: inputs and their names.
#include "base/fail.h"
#include "pellucid/data.h"

namespace pellucid::data {

std::int64_t Feature::inputs() const {
  std::size_t count = 1;
  if (kind == Kind::kCategory) count = levels.size() + (other_input ? 1 : 0);
  if (kind == Kind::kDate) count = parts.size();
  if (kind == Kind::kText) count = static_cast<std::size_t>(buckets);
  return static_cast<std::int64_t>(count) + (missing_input ? 1 : 0);
}

std::int64_t Preprocessing::inputs() const {
  std::int64_t count = 0;
  for (const Feature& feature : features) count += feature.inputs();
  return count;
}

std::vector<std::string> Preprocessing::input_names() const {
  std::vector<std::string> names;
  for (const Feature& feature : features) {
    switch (feature.kind) {
      case Feature::Kind::kNumber:
        names.push_back(feature.column);
        break;
      case Feature::Kind::kBinary:
      case Feature::Kind::kBoolean:
        names.push_back(feature.column + "=" + feature.levels[1]);
        break;
      case Feature::Kind::kCategory:
        for (const std::string& level : feature.levels) names.push_back(feature.column + "=" + level);
        if (feature.other_input) names.push_back(feature.column + " is another");
        break;
      case Feature::Kind::kEmbedded:
        names.push_back(feature.column + ", by number");
        break;
      case Feature::Kind::kDate:
        for (const std::string& part : feature.parts) names.push_back(feature.column + "." + part);
        break;
      case Feature::Kind::kText:
        for (int i = 0; i < feature.buckets; ++i) names.push_back(base::format("{}, words {}", feature.column, i + 1));
        break;
    }
    if (feature.missing_input) names.push_back(feature.column + " is missing");
  }
  return names;
}

std::vector<Preprocessing::Embedded> Preprocessing::embedded() const {
  std::vector<Embedded> result;
  std::int64_t input = 0;
  for (const Feature& feature : features) {
    if (feature.kind == Feature::Kind::kEmbedded) {
      result.push_back({.input = input, .count = static_cast<std::int64_t>(feature.levels.size()) + 1});
    }
    input += feature.inputs();
  }
  return result;
}

}  // namespace pellucid::data
