// The column to be predicted: describing it, and going to and from the network's numbers.
#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "base/fail.h"
#include "data/rows.h"
#include "io/text.h"
#include "pellucid/data.h"
#include "pellucid/ops.h"

namespace pellucid::data {
namespace {

using base::fail;
using io::shown;

std::string where(const Table& table) { return table.source.empty() ? "" : " of '" + table.source + "'"; }

// The class of each row as text, in ascending order of the classes; -1 where missing.
struct Classes {
  std::vector<std::string> names;
  std::vector<std::int32_t> numbers;
};

Classes classes_of(const Column& column) {
  Classes result;
  result.numbers.assign(static_cast<std::size_t>(column.size()), -1);
  const auto number_rows = [&](const auto& sorted, const auto& value) {
    for (std::size_t i = 0; i < result.numbers.size(); ++i) {
      if (column.missing(static_cast<std::int64_t>(i))) continue;
      const auto at = std::lower_bound(sorted.begin(), sorted.end(), value(i));
      result.numbers[i] = static_cast<std::int32_t>(at - sorted.begin());
    }
  };
  if (column.text) {
    std::vector<bool> used(column.levels.size());
    for (const std::int32_t code : column.codes) {
      if (code >= 0) used[static_cast<std::size_t>(code)] = true;
    }
    for (std::size_t i = 0; i < used.size(); ++i) {
      if (used[i]) result.names.push_back(column.levels[i]);
    }
    std::sort(result.names.begin(), result.names.end());
    number_rows(result.names, [&](std::size_t i) { return column.levels[static_cast<std::size_t>(column.codes[i])]; });
  } else {
    std::vector<double> values;
    for (const double x : column.numbers) {
      if (!std::isnan(x)) values.push_back(x + 0.0);  // -0 is 0
    }
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
    for (const double x : values) result.names.push_back(io::to_text(x));
    number_rows(values, [&](std::size_t i) { return column.numbers[i]; });
  }
  return result;
}

void fit_scale(Target& target, const Column& column, std::span<const std::int64_t> training, const Table& table) {
  if (column.text) {
    double number = 0;
    const auto stray = std::find_if(column.levels.begin(), column.levels.end(), [&](const std::string& level) {
      return !io::parse_number(io::trim(level), '.', number);
    });
    fail("target '{}'{} is text ('{}'), and regression predicts numbers; choose classification, or correct the column",
         shown(target.name), where(table), stray == column.levels.end() ? "" : shown(*stray));
  }
  double sum = 0, count = 0;
  target.low = std::numeric_limits<double>::infinity();
  target.high = -target.low;
  for (const std::int64_t row : training) {
    const double y = column.numbers[static_cast<std::size_t>(row)];
    if (std::isnan(y)) continue;
    if (std::abs(y) > kLargest) {
      fail("target '{}'{} is {} in row {}, beyond what can be learned from; correct it, or leave the field empty",
           shown(target.name), where(table), y, row + 1);
    }
    sum += y;
    count += 1;
    target.low = std::min(target.low, y);
    target.high = std::max(target.high, y);
  }
  target.mean = sum / count;
  double squares = 0;
  for (const std::int64_t row : training) {
    const double y = column.numbers[static_cast<std::size_t>(row)];
    if (!std::isnan(y)) squares += (y - target.mean) * (y - target.mean);
  }
  const double deviation = std::sqrt(squares / count);
  target.scale = deviation > 0 && std::isfinite(deviation) ? deviation : 1;
}

std::vector<double> logarithms(const std::vector<double>& values) {
  return log(Array::from(values)).to_vector<double>();
}

struct Moments {
  double mean = 0, deviation = 0, skewness = 0;
};

Moments moments_of(std::span<const double> values) {
  Moments result;
  const auto count = static_cast<double>(values.size());
  for (const double x : values) result.mean += x / count;
  double squares = 0, cubes = 0;
  for (const double x : values) {
    const double d = x - result.mean;
    squares += d * d / count;
    cubes += d * d * d / count;
  }
  result.deviation = std::sqrt(squares);
  if (squares > 0) result.skewness = cubes / (squares * result.deviation);
  return result;
}

void fit_log(Target& target, const Column& column, std::span<const std::int64_t> training, const Table& table) {
  std::vector<double> values;
  for (const std::int64_t row : training) {
    const double y = column.numbers[static_cast<std::size_t>(row)];
    if (y <= 0) {
      fail("target '{}'{} is {} in row {}, which has no logarithm; train without log_target, or leave the row out",
           shown(target.name), where(table), y, row + 1);
    }
    if (!std::isnan(y)) values.push_back(y);
  }
  const Moments moments = moments_of(logarithms(values));
  target.log_mean = moments.mean;
  target.log_scale = moments.deviation > 0 ? moments.deviation : 1;
}

}  // namespace

std::string_view name_of(Task task) { return task == Task::kClassification ? "classification" : "regression"; }

Rows labelled_rows(const Table& table, const std::string& target) {
  const Column& column = table.at(target);
  Rows rows;
  for (std::int64_t row = 0; row < table.rows; ++row) {
    if (!column.missing(row)) rows.push_back(row);
  }
  return rows;
}

Target fit_target(const Table& table, const std::string& name, std::optional<Task> task,
                  std::span<const std::int64_t> training, bool log) {
  check_rows("fit_target", table, training);
  const Column& column = table.at(name);
  Target target{.name = name, .task = task.value_or(guess_task(column)), .text = column.text, .classes = {}};
  const std::int64_t labelled = column.size() - column.count_missing();
  const bool any =
      std::any_of(training.begin(), training.end(), [&](std::int64_t row) { return !column.missing(row); });
  if (!any)
    fail("target '{}'{} is missing in every row to train on; fill it in, or choose another", shown(name), where(table));
  if (target.task == Task::kRegression) {
    fit_scale(target, column, training, table);
    if (log) fit_log(target, column, training, table);
    return target;
  }
  if (log)
    fail("target '{}'{} is of classes, and a log scale is for numbers; leave log_target out", shown(name),
         where(table));
  target.classes = classes_of(column).names;
  if (target.classes.size() < 2) {
    fail("target '{}'{} is '{}' in every row, so there is nothing to learn; choose another", shown(name), where(table),
         shown(target.classes.front()));
  }
  if (target.classes.size() > 2 && static_cast<std::int64_t>(target.classes.size()) == labelled) {
    fail("target '{}'{} has a class of its own in each of {} rows; {}", shown(name), where(table), labelled,
         column.text ? "it looks like an identifier: choose another" : "choose regression");
  }
  return target;
}

std::vector<std::int32_t> class_numbers(const Target& target, const Table& table) {
  if (target.task == Task::kRegression) return {};
  const Column& column = table.at(target.name);
  Classes own = classes_of(column);
  std::unordered_map<std::string_view, std::int32_t> known;
  for (std::size_t i = 0; i < target.classes.size(); ++i)
    known.emplace(target.classes[i], static_cast<std::int32_t>(i));
  for (std::size_t row = 0; row < own.numbers.size(); ++row) {
    std::int32_t& number = own.numbers[row];
    if (number < 0) continue;
    const std::string& name = own.names[static_cast<std::size_t>(number)];
    const auto at = known.find(name);
    if (at == known.end()) {
      fail("target '{}'{}: '{}' in row {} is none of the classes {}; remove the row, or train with it",
           shown(target.name), where(table), shown(name), row + 1, io::list_similar(name, target.classes));
    }
    number = at->second;
  }
  return std::move(own.numbers);
}

Array encode_target(const Target& target, const Table& table, std::span<const std::int64_t> rows) {
  check_rows("encode_target", table, rows);
  const Column& column = table.at(target.name);
  for (const std::int64_t row : rows) {
    if (column.missing(row)) {
      fail("target '{}'{} is missing in row {}; leave such rows out", shown(target.name), where(table), row + 1);
    }
  }
  const auto count = static_cast<std::int64_t>(rows.size());
  if (target.task == Task::kClassification) {
    const std::vector<std::int32_t> numbers = class_numbers(target, table);
    std::vector<std::int64_t> y;
    for (const std::int64_t row : rows) y.push_back(numbers[static_cast<std::size_t>(row)]);
    return Array::from(y, {count});
  }
  if (column.text) {
    fail("target '{}'{} is text ('{}'), and the model predicts numbers; correct the column", shown(target.name),
         where(table), shown(column.levels.front()));
  }
  std::vector<double> values;
  for (const std::int64_t row : rows) {
    values.push_back(column.numbers[static_cast<std::size_t>(row)]);
    if (target.is_log() && values.back() <= 0) {
      fail("target '{}'{} is {} in row {}, and the model predicts its logarithm; correct it, or leave the row out",
           shown(target.name), where(table), values.back(), row + 1);
    }
  }
  if (target.is_log()) values = logarithms(values);
  const double mean = target.is_log() ? target.log_mean : target.mean;
  const double scale = target.is_log() ? target.log_scale : target.scale;
  std::vector<float> y;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    y.push_back(static_cast<float>((values[i] - mean) / scale));
    if (!std::isfinite(y.back())) {
      const std::int64_t row = rows[i];
      const double value = column.numbers[static_cast<std::size_t>(row)];
      fail("target '{}'{} is {} in row {}, beyond what can be predicted; correct it, or leave the row out",
           shown(target.name), where(table), value, row + 1);
    }
  }
  return Array::from(y, {count, 1});
}

Array in_units(const Target& target, const Array& standardised) {
  const Array values = astype(standardised, float64);
  return target.is_log() ? exp(values * target.log_scale + target.log_mean) : values * target.scale + target.mean;
}

double skewness(std::span<const double> numbers) {
  std::vector<double> present;
  for (const double x : numbers) {
    if (!std::isnan(x)) present.push_back(x);
  }
  return present.size() < 3 ? 0 : moments_of(present).skewness;
}

bool suits_log(std::span<const double> numbers) {
  std::vector<double> present;
  for (const double x : numbers) {
    if (x <= 0) return false;
    if (!std::isnan(x)) present.push_back(x);
  }
  const double as_it_is = skewness(present);
  return as_it_is > 2 && std::abs(skewness(logarithms(present))) < as_it_is / 2;
}

Table decode_predictions(const Target& target, const Array& output) {
  const bool classify = target.task == Task::kClassification;
  const std::size_t width = classify ? target.classes.size() : 1;
  const bool bounds = !classify && output.rank() == 2 && output.shape()[1] == 3;
  if (!bounds && (output.rank() != 2 || output.shape()[1] != static_cast<std::int64_t>(width))) {
    fail("decode_predictions: output {} does not fit {} '{}', which needs [rows, {}]", output.shape(), target.task,
         shown(target.name), width);
  }
  Table table;
  table.rows = output.shape()[0];
  const auto rows = static_cast<std::size_t>(table.rows);
  Column& predicted = table.columns.emplace_back();
  predicted.name = target.name;
  if (!classify) {
    const std::size_t step = bounds ? 3 : 1;
    const std::vector<double> values = in_units(target, output).to_vector<double>();
    for (std::size_t i = 0; i < rows; ++i) {
      predicted.numbers.edit().push_back(std::clamp(values[i * step], target.low, target.high));
    }
    for (std::size_t bound = 1; bound < step; ++bound) {
      Column& column = table.columns.emplace_back();
      column.name = target.name + (bound == 1 ? "_lower" : "_upper");
      for (std::size_t i = 0; i < rows; ++i) column.numbers.edit().push_back(values[i * step + bound]);
    }
    return table;
  }
  const std::vector<float> values = output.to_vector<float>();
  predicted.text = true;
  predicted.levels = target.classes;
  for (std::size_t i = 0; i < rows; ++i) {
    const auto row = values.begin() + static_cast<std::ptrdiff_t>(i * width);
    predicted.codes.push_back(
        static_cast<std::int32_t>(std::max_element(row, row + static_cast<std::ptrdiff_t>(width)) - row));
  }
  for (std::size_t c = 0; c < width; ++c) {
    Column column{.name = "probability_" + target.classes[c], .text = false, .numbers = {}, .codes = {}, .levels = {}};
    // The decimal number that a person would write for the float32, not the float32 to 17 digits.
    std::vector<double>& numbers = column.numbers.edit();
    numbers.resize(rows);
    for (std::size_t i = 0; i < rows; ++i) io::parse_number(io::to_text(values[i * width + c]), '.', numbers[i]);
    table.columns.push_back(std::move(column));
  }
  return table;
}

}  // namespace pellucid::data
