// Fitting the preprocessing of a table to its training rows.
#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>
#include <optional>
#include <unordered_set>

#include "base/fail.h"
#include "data/dates.h"
#include "data/rows.h"
#include "data/scaling.h"
#include "data/words.h"
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

// Row numbers and keys carry nothing that holds for other rows. Only a name can tell them from a measurement.
bool is_identifier(const Column& column, RowSpan rows) {
  constexpr std::size_t kFew = 20;
  std::string name;
  for (const char c : column.name) name += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  const bool named = name == "id" || name == "index" || name == "row" || name == "rownames" ||
                     name.starts_with("unnamed:") || name == "column_1" || name.ends_with("_id") ||
                     name.ends_with(" id");
  if (!named || rows.size() < kFew) return false;
  std::vector<double> values;
  for (const std::int64_t row : rows) {
    values.push_back(column.numbers[static_cast<std::size_t>(row)]);
    if (values.back() != std::floor(values.back())) return false;  // NaN, too
  }
  std::sort(values.begin(), values.end());
  return std::adjacent_find(values.begin(), values.end()) == values.end();
}

Outcome fit_numbers(const Column& column, RowSpan rows, const PreprocessOptions& options) {
  std::vector<double> values;
  std::int64_t missing = 0;
  for (const std::int64_t row : rows) {
    const double x = column.numbers[static_cast<std::size_t>(row)];
    if (std::isnan(x)) ++missing;
    if (std::abs(x) <= kLargest) values.push_back(x);
  }
  if (values.empty()) return {{}, "has no value in the training rows"};
  if (is_identifier(column, rows)) return {{}, "is an identifier: another whole number in each row"};
  const std::optional<Number> number = fit_number(values, options.scaling);
  if (!number && missing == 0) return {{}, base::format("is {} in each training row", io::to_text(values.front()))};
  Feature feature;
  feature.column = column.name;
  // Where only being there or not tells rows apart, the number itself stays at 0.
  feature.numbers = {number.value_or(Number{.center = values.front(), .spread = 1, .clip = true})};
  feature.missing_input = missing > 0;
  return {std::move(feature), ""};
}

// The first format by which all levels are dates. Where both orders of day and month fit, slashes mean the month first.
std::optional<DateFormat> format_of(const Column& column, const std::vector<std::size_t>& seen) {
  const auto fits = [&](DateFormat format) {
    return std::all_of(seen.begin(), seen.end(),
                       [&](std::size_t i) { return parse_date(column.levels[i], format).has_value(); });
  };
  for (const auto& [format, name] : kDateFormats) {
    if (!fits(format)) continue;
    const bool slashes = column.levels[seen.front()].find('/') != std::string::npos;
    const bool other = format == DateFormat::kDayFirst && slashes && fits(DateFormat::kMonthFirst);
    return other ? DateFormat::kMonthFirst : format;
  }
  return {};
}

// A column of dates or times, or nothing where some value is none.
std::optional<Outcome> fit_dates(const Column& column, const std::vector<std::size_t>& seen,
                                 const std::vector<std::int64_t>& counts, bool missing, Scaling scaling) {
  const std::optional<DateFormat> format = format_of(column, seen);
  if (!format) return {};
  std::array<std::vector<double>, kDateParts.size()> values;
  for (const std::size_t level : seen) {
    const DateParts parts = parse_date(column.levels[level], *format).value();
    for (std::size_t i = 0; i < parts.size(); ++i) {
      values[i].insert(values[i].end(), static_cast<std::size_t>(counts[level]), parts[i]);
    }
  }
  Feature feature;
  feature.column = column.name;
  feature.kind = Feature::Kind::kDate;
  feature.format = name_of(*format);
  feature.missing_input = missing;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::optional<Number> number = fit_number(std::move(values[i]), scaling);
    if (!number) continue;
    feature.numbers.push_back(*number);
    feature.parts.emplace_back(kDateParts[i]);
  }
  if (feature.parts.empty() && !missing) return Outcome{{}, "is one date in each training row"};
  return Outcome{std::move(feature), ""};
}

// Running text, of three words or more on average, some of which come again, can be learned from by its words.
std::optional<Feature> fit_text(const Column& column, const std::vector<std::size_t>& seen, std::size_t rows) {
  constexpr std::size_t kFewRows = 100, kRowsOfBucket = 32;
  if (rows < kFewRows) return {};
  std::unordered_set<std::uint64_t> words;
  std::size_t count = 0;
  for (const std::size_t level : seen) {
    each_word(column.levels[level], [&](std::string_view word) {
      words.insert(hash_of(word));
      ++count;
    });
  }
  if (count < 3 * seen.size() || 2 * words.size() > count) return {};
  Feature feature;
  feature.column = column.name;
  feature.kind = Feature::Kind::kText;
  feature.buckets = 8;
  while (feature.buckets < 64 && static_cast<std::size_t>(feature.buckets) * kRowsOfBucket < rows) feature.buckets *= 2;
  return feature;
}

// The first is false.
std::vector<std::string> boolean_levels(const Column& column, const std::vector<std::size_t>& seen) {
  std::vector<std::string> texts;
  for (const std::size_t i : seen) texts.push_back(column.levels[i]);
  if (!are_booleans(texts)) return {};
  std::sort(texts.begin(), texts.end(), [](const std::string& a, const std::string& b) {
    return std::pair(*parse_boolean(a), std::string_view(a)) < std::pair(*parse_boolean(b), std::string_view(b));
  });
  return {texts.front(), texts.back()};
}

// The levels that get an input or a number of their own.
std::vector<std::size_t> keep_frequent(const Column& column, std::vector<std::size_t> seen,
                                       const std::vector<std::int64_t>& counts, int least, int most) {
  std::erase_if(seen, [&](std::size_t i) { return counts[i] < least; });
  // The most frequent first; equally frequent ones by name, so that the order of rows does not matter.
  std::sort(seen.begin(), seen.end(), [&](std::size_t a, std::size_t b) {
    return counts[a] != counts[b] ? counts[a] > counts[b] : column.levels[a] < column.levels[b];
  });
  seen.resize(std::min(seen.size(), static_cast<std::size_t>(most)));
  return seen;
}

Outcome fit_text_column(const Column& column, RowSpan rows, const PreprocessOptions& options) {
  std::vector<std::int64_t> counts(column.levels.size());
  std::int64_t present = 0;
  for (const std::int64_t row : rows) {
    const std::int32_t code = column.codes[static_cast<std::size_t>(row)];
    if (code < 0) continue;
    ++counts[static_cast<std::size_t>(code)];
    ++present;
  }
  const std::int64_t missing = static_cast<std::int64_t>(rows.size()) - present;
  std::vector<std::size_t> seen;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] > 0) seen.push_back(i);
  }
  if (seen.empty()) return {{}, "has no value in the training rows"};
  if (auto dates = fit_dates(column, seen, counts, missing > 0, options.scaling)) return std::move(*dates);
  const auto distinct = static_cast<std::int64_t>(seen.size());
  if (distinct == 1 && missing == 0)
    return {{}, base::format("is '{}' in each training row", shown(column.levels[seen[0]]))};
  Feature feature;
  feature.column = column.name;
  feature.missing_input = missing > 0;
  feature.levels = boolean_levels(column, seen);
  if (!feature.levels.empty()) {
    feature.kind = Feature::Kind::kBoolean;
    return {std::move(feature), ""};
  }
  const auto as_text = [&]() -> std::optional<Feature> {
    std::optional<Feature> text = fit_text(column, seen, rows.size());
    if (text) text->missing_input = missing > 0;
    return text;
  };
  if (distinct > 2 && distinct == present) {
    if (auto text = as_text()) return {std::move(text), ""};
    return {{}, "is an identifier: another text in each row"};
  }

  constexpr std::int64_t kFew = 16;
  std::vector<std::size_t> kept = seen;
  if (distinct > options.embed_above) {
    feature.kind = Feature::Kind::kEmbedded;
    kept = keep_frequent(column, seen, counts, options.min_embedded, options.max_embedded);
  } else if (distinct > kFew && (distinct > options.max_levels || distinct * 4 > present)) {
    feature.kind = Feature::Kind::kCategory;
    kept = keep_frequent(column, seen, counts, options.min_count, options.max_levels);
    std::int64_t covered = 0;
    for (const std::size_t i : kept) covered += counts[i];
    if (2 * covered < present) {
      if (auto text = as_text()) return {std::move(text), ""};
    }
  } else {
    feature.kind = distinct == 2 ? Feature::Kind::kBinary : Feature::Kind::kCategory;
  }
  if (kept.empty()) {
    return {{},
            base::format("has {} different texts, none in {} training rows or more", distinct,
                         feature.kind == Feature::Kind::kEmbedded ? options.min_embedded : options.min_count)};
  }
  feature.other_input = kept.size() < seen.size();
  for (const std::size_t i : kept) feature.levels.push_back(column.levels[i]);
  std::sort(feature.levels.begin(), feature.levels.end());
  return {std::move(feature), ""};
}

Outcome fit_column(const Column& column, RowSpan rows, const PreprocessOptions& options) {
  return column.text ? fit_text_column(column, rows, options) : fit_numbers(column, rows, options);
}

}  // namespace

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

Preprocessing fit_preprocessing(const Table& table, const Target& target, std::span<const std::int64_t> training,
                                const PreprocessOptions& options, const io::CsvOptions& csv) {
  if (training.empty()) fail("fit_preprocessing: no rows to train on; give a table with more rows, or hold out fewer");
  check_rows("fit_preprocessing", table, training);
  table.at(target.name);
  for (const std::string& name : options.ignore) table.at(name);
  Preprocessing result{
      .target = target, .features = {}, .dropped = {}, .missing = csv.missing, .missing_numbers = csv.missing_numbers};
  for (const Column& column : table.columns) {
    if (column.name == target.name) continue;
    const bool ignored = std::find(options.ignore.begin(), options.ignore.end(), column.name) != options.ignore.end();
    Outcome outcome = ignored ? Outcome{{}, "is to be ignored"} : fit_column(column, training, options);
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
