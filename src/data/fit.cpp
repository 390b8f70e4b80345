// Fitting the preprocessing of a table to its training rows.
#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>
#include <numeric>
#include <optional>

#include "base/fail.h"
#include "data/dates.h"
#include "data/rows.h"
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

// The quantile of ascending values, with linear interpolation between neighbours.
double quantile(const std::vector<double>& sorted, double q) {
  const double position = q * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return std::lerp(sorted[below], sorted[above], position - static_cast<double>(below));
}

// How values, at most kLargest and not empty, are brought to scale; nothing where they are all the same.
std::optional<Number> fit_number(std::vector<double> values, Scaling scaling) {
  std::sort(values.begin(), values.end());
  const double range = values.back() - values.front();
  if (!(range > 0)) return {};
  Number number{.center = 0, .spread = 1, .clip = false};
  if (scaling == Scaling::kRobust) {
    number.center = quantile(values, 0.5);
    const double quartiles = quantile(values, 0.75) - quantile(values, 0.25);
    number.spread = quartiles > 0 ? quartiles : range / 2;
    number.clip = true;
  } else if (scaling == Scaling::kStandard) {
    const auto count = static_cast<double>(values.size());
    number.center = std::accumulate(values.begin(), values.end(), 0.0) / count;
    double squares = 0;
    for (const double x : values) squares += (x - number.center) * (x - number.center);
    number.spread = std::sqrt(squares / count);
  }
  if (!(number.spread > 0)) number.spread = range;  // underflow
  return number;
}

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

// A date column, or nothing where some value is no date.
std::optional<Outcome> fit_dates(const Column& column, RowSpan rows, const PreprocessOptions& options) {
  std::array<std::vector<double>, kDateParts.size()> values;
  bool missing = false;
  for (const std::int64_t row : rows) {
    const std::int32_t code = column.codes[static_cast<std::size_t>(row)];
    missing |= code < 0;
    if (code < 0) continue;
    const auto parts = parse_date(column.levels[static_cast<std::size_t>(code)]);
    if (!parts) return {};
    for (std::size_t i = 0; i < parts->size(); ++i) values[i].push_back((*parts)[i]);
  }
  if (values[0].empty()) return {};
  Feature feature;
  feature.column = column.name;
  feature.kind = Feature::Kind::kDate;
  feature.missing_input = missing;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::optional<Number> number = fit_number(values[i], options.scaling);
    if (!number) continue;
    feature.numbers.push_back(*number);
    feature.parts.emplace_back(kDateParts[i]);
  }
  if (feature.parts.empty() && !missing) return Outcome{{}, "is one date in each training row"};
  return Outcome{std::move(feature), ""};
}

Outcome fit_category(const Column& column, RowSpan rows, const PreprocessOptions& options) {
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
  const auto distinct = static_cast<std::int64_t>(seen.size());
  if (distinct == 1 && missing == 0)
    return {{}, base::format("is '{}' in each training row", shown(column.levels[seen[0]]))};
  if (distinct > 2 && distinct == present) return {{}, "is an identifier: another text in each row"};

  constexpr std::int64_t kFew = 16;
  if (distinct > kFew && (distinct > options.max_levels || distinct * 4 > present)) {
    std::erase_if(seen, [&](std::size_t i) { return counts[i] < options.min_count; });
    // The most frequent first; equally frequent ones by name, so that the order of rows does not matter.
    std::sort(seen.begin(), seen.end(), [&](std::size_t a, std::size_t b) {
      return counts[a] != counts[b] ? counts[a] > counts[b] : column.levels[a] < column.levels[b];
    });
    seen.resize(std::min(seen.size(), static_cast<std::size_t>(options.max_levels)));
    if (seen.empty()) {
      return {{},
              base::format("has {} different texts, none in {} training rows or more", distinct, options.min_count)};
    }
  }
  Feature feature;
  feature.column = column.name;
  feature.missing_input = missing > 0;
  for (const std::size_t i : seen) feature.levels.push_back(column.levels[i]);
  std::sort(feature.levels.begin(), feature.levels.end());
  feature.kind = feature.levels.size() == 2 && distinct == 2 ? Feature::Kind::kBinary : Feature::Kind::kCategory;
  return {std::move(feature), ""};
}

Outcome fit_column(const Column& column, RowSpan rows, const PreprocessOptions& options) {
  if (!column.text) return fit_numbers(column, rows, options);
  if (auto dates = fit_dates(column, rows, options)) return std::move(*dates);
  return fit_category(column, rows, options);
}

}  // namespace

std::int64_t Feature::inputs() const {
  std::size_t count = 1;
  if (kind == Kind::kCategory) count = levels.size();
  if (kind == Kind::kDate) count = parts.size();
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
        names.push_back(feature.column + "=" + feature.levels[1]);
        break;
      case Feature::Kind::kCategory:
        for (const std::string& level : feature.levels) names.push_back(feature.column + "=" + level);
        break;
      case Feature::Kind::kDate:
        for (const std::string& part : feature.parts) names.push_back(feature.column + "." + part);
        break;
    }
    if (feature.missing_input) names.push_back(feature.column + " is missing");
  }
  return names;
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
