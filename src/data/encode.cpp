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
#include "io/text.h"
#include "pellucid/data.h"

namespace pellucid::data {
namespace {

using base::fail;
using io::shown;
using RowSpan = std::span<const std::int64_t>;

constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();

constexpr double kMost = 1e30, kClip = 3;

// Brings values to scale in place, 0 where missing. Straight loops, which the compiler makes vectors of.
void scale(const Number& number, std::span<double> values) {
  const double center = number.center, spread = number.spread;
  for (double& x : values) x = (x - center) / spread;
  if (number.clip) {
    for (double& z : values) {
      const double t = z / kClip;
      const double clipped = z / std::sqrt(1 + t * t);
      z = std::abs(z) > 1e9 ? std::copysign(kClip, z) : clipped;  // beyond it (z / 3)^2 could overflow
    }
  } else {
    for (double& z : values) z = std::abs(z) > kMost ? std::copysign(kMost, z) : z;
  }
  for (double& z : values) z = z == z ? z : 0;  // missing, or both overflow
}

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
      : table_(table), rows_(rows), width_(static_cast<std::size_t>(preprocessing.inputs())), x_(x) {
    std::fill_n(x, rows.size() * width_, 0.0F);
  }

  void add(const Feature& feature, const Column& column) {
    missing_ = unseen_ = 0;
    switch (feature.kind) {
      case Feature::Kind::kNumber:
        add_number(feature, column);
        break;
      case Feature::Kind::kBinary:
      case Feature::Kind::kCategory:
        add_category(feature, column);
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
    constexpr std::size_t kStep = 256;
    std::array<double, kStep> values{};
    for (std::size_t from = 0; from < rows_.size(); from += kStep) {
      const std::size_t count = std::min(kStep, rows_.size() - from);
      for (std::size_t i = 0; i < count; ++i) {
        values[i] = column.text ? kMissing : column.numbers[static_cast<std::size_t>(rows_[from + i])];
        if (std::isnan(values[i])) note_missing(feature, from + i);
      }
      scale(feature.numbers.front(), {values.data(), count});
      for (std::size_t i = 0; i < count; ++i) *inputs(from + i) = static_cast<float>(values[i]);
    }
  }

  void add_category(const Feature& feature, const Column& column) {
    const Levels levels(feature, column);
    const bool binary = feature.kind == Feature::Kind::kBinary;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      const std::int32_t level = levels.at(rows_[i]);
      if (level == Levels::kNone) {
        note_missing(feature, i);
      } else if (level == Levels::kUnseen) {
        ++unseen_;
      } else if (binary) {
        *inputs(i) = level == 0 ? -1.0F : 1.0F;
      } else {
        inputs(i)[level] = 1;
      }
    }
  }

  void add_date(const Feature& feature, const Column& column) {
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      if (column.missing(rows_[i])) {
        note_missing(feature, i);
        continue;
      }
      const auto date = parse_date(column.field(rows_[i]));
      if (!date) {
        ++unseen_;
        continue;
      }
      for (std::size_t p = 0; p < feature.parts.size(); ++p) {
        const auto part = std::find(kDateParts.begin(), kDateParts.end(), feature.parts[p]);
        inputs(i)[p] = scaled(feature.numbers[p], (*date)[static_cast<std::size_t>(part - kDateParts.begin())]);
      }
    }
  }

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
  const std::int64_t width = preprocessing.inputs();
  std::vector<float> x(rows.size() * static_cast<std::size_t>(width));
  EncodedCounts counts = encode_rows(preprocessing, table, rows, x.data());
  return {.x = Array::from(x, {static_cast<std::int64_t>(rows.size()), width}),
          .unseen = std::move(counts.unseen),
          .newly_missing = std::move(counts.newly_missing)};
}

}  // namespace pellucid::data
