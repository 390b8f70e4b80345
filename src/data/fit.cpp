// Fitting the preprocessing of a table to its training rows.
#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <unordered_set>

#include "base/fail.h"
#include "data/column_kind.h"
#include "data/dates.h"
#include "data/rows.h"
#include "data/scaling.h"
#include "io/text.h"
#include "pellucid/data.h"

namespace pellucid::data {
namespace {

using base::fail;
using io::shown;
using RowSpan = std::span<const std::int64_t>;

// Either a feature, or the reason why there is none.
struct Outcome {
  std::optional<Feature> feature;
  std::string reason;
};

Outcome fit_numbers(const Column& column, RowSpan rows, Scaling scaling) {
  std::vector<double> values;
  std::int64_t missing = 0;
  for (const std::int64_t row : rows) {
    const double x = column.numbers[static_cast<std::size_t>(row)];
    if (std::isnan(x)) ++missing;
    if (std::abs(x) <= kLargest) values.push_back(x);
  }
  if (values.empty()) return {{}, "has no value in the training rows"};
  const std::optional<Number> number = fit_number(values, scaling);
  if (!number && missing == 0) return {{}, base::format("is {} in each training row", io::to_text(values.front()))};
  Feature feature;
  feature.column = column.name;
  // Where only being there or not tells rows apart, the number itself stays at 0.
  feature.numbers = {number.value_or(Number{.center = values.front(), .spread = 1, .clip = true})};
  feature.missing_input = missing > 0;
  return {std::move(feature), ""};
}

Feature text_feature(const Column& column, const LevelCounts& counted, Feature::Kind kind) {
  Feature feature;
  feature.column = column.name;
  feature.kind = kind;
  feature.missing_input = counted.missing > 0;
  return feature;
}

// Values that are no dates are passed over.
Outcome fit_dates(const Column& column, const LevelCounts& counted, DateFormat format, Scaling scaling) {
  std::array<std::vector<double>, kDateParts.size()> values;
  for (const std::size_t level : counted.seen) {
    const auto parts = parse_date(column.levels[level], format);
    if (!parts) continue;
    for (std::size_t i = 0; i < parts->size(); ++i) {
      values[i].insert(values[i].end(), static_cast<std::size_t>(counted.counts[level]), (*parts)[i]);
    }
  }
  if (values[0].empty()) return {{}, "has no date in the training rows"};
  Feature feature = text_feature(column, counted, Feature::Kind::kDate);
  feature.format = name_of(format);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::optional<Number> number = fit_number(std::move(values[i]), scaling);
    if (!number) continue;
    feature.numbers.push_back(*number);
    feature.parts.emplace_back(kDateParts[i]);
  }
  if (feature.parts.empty() && !feature.missing_input) return {{}, "is one date in each training row"};
  return {std::move(feature), ""};
}

Feature fit_words(const Column& column, const LevelCounts& counted) {
  constexpr std::int64_t kRowsOfBucket = 32;
  Feature feature = text_feature(column, counted, Feature::Kind::kText);
  feature.buckets = 8;
  while (feature.buckets < 64 && feature.buckets * kRowsOfBucket < counted.present + counted.missing)
    feature.buckets *= 2;
  return feature;
}

// The levels that get an input or a number of their own.
std::vector<std::size_t> keep_frequent(const Column& column, const LevelCounts& counted, int least, int most) {
  std::vector<std::size_t> kept = counted.seen;
  const std::vector<std::int64_t>& counts = counted.counts;
  std::erase_if(kept, [&](std::size_t i) { return counts[i] < least; });
  // The most frequent first; equally frequent ones by name, so that the order of rows does not matter.
  std::sort(kept.begin(), kept.end(), [&](std::size_t a, std::size_t b) {
    return counts[a] != counts[b] ? counts[a] > counts[b] : column.levels[a] < column.levels[b];
  });
  kept.resize(std::min(kept.size(), static_cast<std::size_t>(most)));
  return kept;
}

// Where rare values are many and the column may be running text, it is taken as that.
Outcome fit_category(const Column& column, const LevelCounts& counted, const PreprocessOptions& options,
                     bool may_be_words) {
  constexpr std::int64_t kFew = 16;
  const auto distinct = static_cast<std::int64_t>(counted.seen.size());
  Feature feature = text_feature(column, counted, Feature::Kind::kCategory);
  std::vector<std::size_t> kept = counted.seen;
  int least = options.min_count;
  if (distinct > options.embed_above) {
    feature.kind = Feature::Kind::kEmbedded;
    kept = keep_frequent(column, counted, least = options.min_embedded, options.max_embedded);
  } else if (distinct > kFew && (distinct > options.max_levels || distinct * 4 > counted.present)) {
    kept = keep_frequent(column, counted, least, options.max_levels);
    std::int64_t covered = 0;
    for (const std::size_t i : kept) covered += counted.counts[i];
    if (may_be_words && 2 * covered < counted.present) return {fit_words(column, counted), ""};
  } else if (distinct == 2) {
    feature.kind = Feature::Kind::kBinary;
  }
  if (kept.empty()) {
    return {{}, base::format("has {} different texts, none in {} training rows or more", distinct, least)};
  }
  feature.other_input = kept.size() < counted.seen.size();
  for (const std::size_t i : kept) feature.levels.push_back(column.levels[i]);
  std::sort(feature.levels.begin(), feature.levels.end());
  return {std::move(feature), ""};
}

// A column of text by what its values say.
Outcome fit_texts(const Column& column, RowSpan rows, const PreprocessOptions& options) {
  const LevelCounts counted = count_levels(column, rows);
  const std::vector<std::size_t>& seen = counted.seen;
  if (seen.empty()) return {{}, "has no value in the training rows"};
  if (const auto format = date_format_of(column, seen)) return fit_dates(column, counted, *format, options.scaling);
  if (seen.size() == 1 && counted.missing == 0)
    return {{}, base::format("is '{}' in each training row", shown(column.levels[seen[0]]))};
  if (std::vector<std::string> levels = boolean_levels(column, seen); !levels.empty()) {
    Feature feature = text_feature(column, counted, Feature::Kind::kBoolean);
    feature.levels = std::move(levels);
    return {std::move(feature), ""};
  }
  const bool words = is_running_text(column, seen, rows.size());
  if (seen.size() > 2 && static_cast<std::int64_t>(seen.size()) == counted.present) {
    if (words) return {fit_words(column, counted), ""};
    return {{}, "is an identifier: another text in each row"};
  }
  return fit_category(column, counted, options, words);
}

// A column by what a schema says of it, if it holds that at all.
Outcome fit_by_schema(const Column& column, RowSpan rows, const PreprocessOptions& options,
                      const ColumnSchema& schema) {
  if (!column.text) return fit_numbers(column, rows, options.scaling);
  LevelCounts counted = count_levels(column, rows);
  if (counted.seen.empty()) return {{}, "has no value in the training rows"};
  switch (schema.type) {
    case ColumnType::kDate:
      return fit_dates(column, counted, date_format(schema.format).value(), options.scaling);
    case ColumnType::kText:
      return {fit_words(column, counted), ""};
    case ColumnType::kBoolean: {
      Feature feature = text_feature(column, counted, Feature::Kind::kBoolean);
      feature.levels = schema.categories.size() == 2 ? schema.categories : std::vector<std::string>{"false", "true"};
      return {std::move(feature), ""};
    }
    default:
      break;
  }
  // What the list lacks counts as none of the known, and is what that means to the network.
  const std::unordered_set<std::string_view> listed(schema.categories.begin(), schema.categories.end());
  const std::size_t all = counted.seen.size();
  if (!listed.empty()) std::erase_if(counted.seen, [&](std::size_t i) { return !listed.contains(column.levels[i]); });
  if (counted.seen.empty()) return {{}, "has none of the schema's categories in the training rows"};
  if (all == 1 && counted.missing == 0)
    return {{}, base::format("is '{}' in each training row", shown(column.levels[counted.seen[0]]))};
  Outcome outcome = fit_category(column, counted, options, false);
  if (outcome.feature && counted.seen.size() < all) {
    if (outcome.feature->kind == Feature::Kind::kBinary) outcome.feature->kind = Feature::Kind::kCategory;
    outcome.feature->other_input = true;
  }
  return outcome;
}

std::string_view reason_of(Role role) {
  switch (role) {
    case Role::kGroup:
      return "says which rows belong together";
    case Role::kTime:
      return "says which rows are newer";
    case Role::kWeight:
      return "says how much rows count";
    default:
      return "is to be ignored";
  }
}

Outcome fit_column(const Column& given, RowSpan rows, const PreprocessOptions& options) {
  const auto ignored = std::find(options.ignore.begin(), options.ignore.end(), given.name);
  if (ignored != options.ignore.end()) return {{}, "is to be ignored"};
  const ColumnSchema* schema = options.schema ? options.schema->find(given.name) : nullptr;
  if (options.schema && schema == nullptr) return {{}, "is not in the schema"};
  if (schema != nullptr && schema->role != Role::kInput) return {{}, std::string(reason_of(schema->role))};
  const bool settled =
      schema != nullptr && schema->type != ColumnType::kIdentifier && schema->type != ColumnType::kConstant;
  if (!settled) {
    if (given.text) return fit_texts(given, rows, options);
    if (is_identifier(given, rows)) return {{}, "is an identifier: another whole number in each row"};
    return fit_numbers(given, rows, options.scaling);
  }
  if (schema->is_number() && given.text && given.count_missing() < given.size()) {
    fail("fit_preprocessing: column '{}' holds text ('{}'), and the schema says it is a {}; correct one of them",
         shown(given.name), shown(given.levels.front()), name_of(schema->type));
  }
  const bool as_text =
      schema->type == ColumnType::kCategory || schema->type == ColumnType::kText || schema->type == ColumnType::kDate;
  return fit_by_schema(as_text ? text_of(given) : given, rows, options, *schema);
}

}  // namespace

Preprocessing fit_preprocessing(const Table& table, const Target& target, std::span<const std::int64_t> training,
                                const PreprocessOptions& options, const io::CsvOptions& csv) {
  if (training.empty()) fail("fit_preprocessing: no rows to train on; give a table with more rows, or hold out fewer");
  check_rows("fit_preprocessing", table, training);
  table.at(target.name);
  for (const std::string& name : options.ignore) table.at(name);
  if (options.schema) {
    for (const ColumnSchema& column : options.schema->columns) {
      if (column.role != Role::kIgnore) table.at(column.name);
    }
  }
  Preprocessing result{.target = target,
                       .features = {},
                       .dropped = {},
                       .missing = csv.missing,
                       .missing_numbers = csv.missing_numbers,
                       .schema = options.schema ? *options.schema : find_schema(table, training, target.name)};
  for (const Column& column : table.columns) {
    if (column.name == target.name) continue;
    Outcome outcome = fit_column(column, training, options);
    if (outcome.feature) {
      result.features.push_back(std::move(*outcome.feature));
    } else {
      result.dropped.emplace_back(column.name, outcome.reason);
    }
  }
  if (result.features.empty()) {
    std::string reasons;
    for (std::size_t i = 0; i < std::min<std::size_t>(result.dropped.size(), 3); ++i) {
      reasons +=
          base::format("{}'{}' {}", i == 0 ? ": " : "; ", shown(result.dropped[i].first), result.dropped[i].second);
    }
    fail("fit_preprocessing: no column is left to predict '{}' from{}; give columns that change with it",
         shown(target.name), reasons);
  }
  return result;
}

}  // namespace pellucid::data
