// Applying fitted preprocessing to the rows of a table.
#include "data/encode.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <unordered_map>

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

constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();

float scaled(const Number& number, double x) {
  scale(number, {&x, 1});
  return static_cast<float>(x);
}

// The column's value in each level, worked out once: what a code stands for.
class Levels {
 public:
  Levels(const Feature& feature, const Column& column) : column_(column) {
    std::unordered_map<std::string_view, std::int32_t> known;
    for (std::size_t i = 0; i < feature.levels.size(); ++i)
      known.emplace(feature.levels[i], static_cast<std::int32_t>(i));
    const auto find = [&](std::string_view level) {
      if (feature.kind == Feature::Kind::kBoolean) {
        const std::optional<bool> truth = parse_boolean(level);
        return truth ? static_cast<std::int32_t>(*truth) : kUnseen;
      }
      const auto at = known.find(level);
      return at == known.end() ? kUnseen : at->second;
    };
    if (column.text) {
      for (const std::string& level : column.levels) of_code_.push_back(find(level));
      return;
    }
    // A table whose categories look like numbers, made by other means than csv_options.
    for (const double x : column.numbers) of_row_.push_back(std::isnan(x) ? kNone : find(io::to_text(x)));
  }

  static constexpr std::int32_t kNone = -1, kUnseen = -2;
  std::int32_t at(std::int64_t row) const {
    const auto i = static_cast<std::size_t>(row);
    if (!column_.text) return of_row_[i];
    return column_.codes[i] < 0 ? kNone : of_code_[static_cast<std::size_t>(column_.codes[i])];
  }

 private:
  const Column& column_;
  std::vector<std::int32_t> of_code_, of_row_;
};

// Writes the inputs of features, one column of the matrix after the other.
class Encoder {
 public:
  Encoder(const Preprocessing& preprocessing, const Table& table, RowSpan rows, float* x)
      : schema_(preprocessing.schema),
        table_(table),
        rows_(rows),
        width_(static_cast<std::size_t>(preprocessing.inputs())),
        x_(x) {
    std::fill_n(x, rows.size() * width_, 0.0F);
  }

  void add(const Feature& feature, const Column& column) {
    missing_ = unseen_ = 0;
    switch (feature.kind) {
      case Feature::Kind::kNumber:
        add_number(feature, column);
        break;
      case Feature::Kind::kBinary:
      case Feature::Kind::kBoolean:
      case Feature::Kind::kCategory:
      case Feature::Kind::kEmbedded:
        add_category(feature, column);
        break;
      case Feature::Kind::kText:
        add_text(feature, column);
        break;
      case Feature::Kind::kDate:
        add_date(feature, column);
        break;
    }
    at_ += static_cast<std::size_t>(feature.inputs());
    if (unseen_ > 0) counts_.unseen.emplace_back(feature.column, unseen_);
    if (missing_ > 0 && !feature.missing_input) counts_.newly_missing.emplace_back(feature.column, missing_);
  }

  EncodedCounts take() && { return std::move(counts_); }

 private:
  float* inputs(std::size_t i) { return x_ + i * width_ + at_; }

  void note_missing(const Feature& feature, std::size_t i) {
    ++missing_;
    if (feature.missing_input) inputs(i)[feature.inputs() - 1] = 1;
  }

  void add_number(const Feature& feature, const Column& column) {
    if (column.text && column.count_missing() < column.size()) {
      fail(
          "encode: column '{}' of '{}' holds text ('{}'), and the model was trained on numbers there; correct it, or "
          "leave the field empty where the value is missing",
          shown(column.name), table_.source, shown(column.levels.front()));
    }
    const ColumnSchema* schema = schema_.find(feature.column);
    const bool clips = schema != nullptr && schema->out_of_range == OutOfRange::kClip && schema->low && schema->high;
    constexpr std::size_t kStep = 256;
    std::array<double, kStep> values{};
    for (std::size_t from = 0; from < rows_.size(); from += kStep) {
      const std::size_t count = std::min(kStep, rows_.size() - from);
      for (std::size_t i = 0; i < count; ++i) {
        values[i] = column.text ? kMissing : column.numbers[static_cast<std::size_t>(rows_[from + i])];
        if (std::isnan(values[i])) note_missing(feature, from + i);
      }
      if (clips) {
        for (std::size_t i = 0; i < count; ++i) values[i] = std::clamp(values[i], *schema->low, *schema->high);
      }
      scale(feature.numbers.front(), {values.data(), count});
      for (std::size_t i = 0; i < count; ++i) *inputs(from + i) = static_cast<float>(values[i]);
    }
  }

  void add_category(const Feature& feature, const Column& column) {
    const Levels levels(feature, column);
    const bool two = feature.kind == Feature::Kind::kBinary || feature.kind == Feature::Kind::kBoolean;
    const bool embedded = feature.kind == Feature::Kind::kEmbedded;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      const std::int32_t level = levels.at(rows_[i]);
      if (level == Levels::kNone) {
        note_missing(feature, i);
      } else if (level == Levels::kUnseen) {
        if (!feature.other_input) ++unseen_;
        if (feature.other_input && !embedded) inputs(i)[feature.levels.size()] = 1;
      } else if (two) {
        *inputs(i) = level == 0 ? -1.0F : 1.0F;
      } else if (embedded) {
        *inputs(i) = static_cast<float>(level + 1);
      } else {
        inputs(i)[level] = 1;
      }
    }
  }

  // Calls f(i, text) for each row with a value; the others are noted as missing.
  template <class F>
  void each_text(const Feature& feature, const Column& column, F f) {
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      const auto row = static_cast<std::size_t>(rows_[i]);
      if (column.missing(rows_[i])) {
        note_missing(feature, i);
      } else if (column.text) {
        f(i, std::string_view(column.levels[static_cast<std::size_t>(column.codes[row])]));
      } else {
        const std::string text = column.field(rows_[i]);
        f(i, std::string_view(text));
      }
    }
  }

  void add_date(const Feature& feature, const Column& column) {
    const DateFormat format = date_format(feature.format).value();
    std::vector<std::size_t> parts;
    for (const std::string& part : feature.parts) {
      parts.push_back(
          static_cast<std::size_t>(std::find(kDateParts.begin(), kDateParts.end(), part) - kDateParts.begin()));
    }
    each_text(feature, column, [&](std::size_t i, std::string_view text) {
      const auto date = parse_date(text, format);
      if (!date) {
        ++unseen_;
        if (feature.missing_input) inputs(i)[feature.inputs() - 1] = 1;
        return;
      }
      for (std::size_t p = 0; p < parts.size(); ++p) inputs(i)[p] = scaled(feature.numbers[p], (*date)[parts[p]]);
    });
  }

  void add_text(const Feature& feature, const Column& column) {
    each_text(feature, column, [&](std::size_t i, std::string_view text) {
      add_words(text, {inputs(i), static_cast<std::size_t>(feature.buckets)});
    });
  }

  const Schema& schema_;
  const Table& table_;
  RowSpan rows_;
  std::size_t width_;
  float* x_;
  std::size_t at_ = 0;  // the first input of the feature that is written
  std::int64_t missing_ = 0, unseen_ = 0;
  EncodedCounts counts_;
};

}  // namespace

io::CsvOptions csv_options(const Preprocessing& preprocessing) {
  io::CsvOptions options;
  options.missing = preprocessing.missing;
  options.missing_numbers = preprocessing.missing_numbers;
  if (preprocessing.target.text) options.text.push_back(preprocessing.target.name);
  for (const Feature& feature : preprocessing.features) {
    (feature.kind == Feature::Kind::kNumber ? options.numeric : options.text).push_back(feature.column);
  }
  return options;
}

EncodedCounts encode_rows(const Preprocessing& preprocessing, const Table& table, std::span<const std::int64_t> rows,
                          float* x) {
  check_rows("encode", table, rows);
  std::unordered_map<std::string_view, const Column*> columns;
  std::vector<std::string> names;
  for (const Column& column : table.columns) {
    columns.emplace(column.name, &column);
    names.push_back(column.name);
  }
  std::string absent, first;
  std::int64_t count = 0;
  for (const Feature& feature : preprocessing.features) {
    if (columns.contains(feature.column)) continue;
    if (count++ == 0) first = feature.column;
    if (count <= 8) absent += base::format("{}'{}'", count == 1 ? "" : ", ", shown(feature.column));
  }
  if (count > 8) absent += base::format(" and {} more", count - 8);
  if (count > 0) {
    fail("encode: the table '{}' lacks {} that the model needs: {}; it has {}", table.source,
         count == 1 ? "a column" : "columns", absent, io::list_similar(first, names));
  }
  Encoder encoder(preprocessing, table, rows, x);
  for (const Feature& feature : preprocessing.features) encoder.add(feature, *columns.at(feature.column));
  return std::move(encoder).take();
}

Encoded encode(const Preprocessing& preprocessing, const Table& table, std::span<const std::int64_t> rows) {
  check_rows("encode", table, rows);
  if (const auto breach = find_breach(preprocessing.schema, table, rows)) {
    fail("encode: '{}', row {}: column '{}' {}; correct it, or the schema", table.source, breach->row + 1,
         shown(breach->column), breach->what);
  }
  const std::int64_t width = preprocessing.inputs();
  std::vector<float> x(rows.size() * static_cast<std::size_t>(width));
  EncodedCounts counts = encode_rows(preprocessing, table, rows, x.data());
  return {.x = Array::from(x, {static_cast<std::int64_t>(rows.size()), width}),
          .unseen = std::move(counts.unseen),
          .newly_missing = std::move(counts.newly_missing)};
}

}  // namespace pellucid::data
