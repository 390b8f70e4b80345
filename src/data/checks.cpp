// Leaks and duplicates.
#include "pellucid/checks.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "data/dates.h"
#include "data/rows.h"
#include "data/words.h"

namespace pellucid::data {
namespace {

constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();

// A column's values as numbers; those of categories are codes, between which nothing lies.
struct Values {
  std::vector<double> numbers;
  bool ordered = true;
};

Values values_of(const Feature& feature, const Column& column, const Rows& rows) {
  Values values;
  const bool date = feature.kind == Feature::Kind::kDate && column.text;
  values.ordered = !column.text || date;
  std::vector<double> of_level;
  if (column.text) {
    for (std::size_t i = 0; i < column.levels.size(); ++i) {
      const auto parts = date ? parse_date(column.levels[i], date_format(feature.format).value()) : std::nullopt;
      of_level.push_back(!date ? static_cast<double>(i) : parts ? (*parts)[0] + (*parts)[3] * 1e-6 : kMissing);
    }
  }
  for (const std::int64_t row : rows) {
    const auto i = static_cast<std::size_t>(row);
    if (!column.text) {
      values.numbers.push_back(column.numbers[i]);
    } else {
      values.numbers.push_back(column.codes[i] < 0 ? kMissing : of_level[static_cast<std::size_t>(column.codes[i])]);
    }
  }
  return values;
}

// What a target is where a value is: the mean of numbers, or the most frequent class.
class Answers {
 public:
  Answers(const Values& values, const std::vector<double>& y, bool classes) : ordered_(values.ordered) {
    std::map<double, Tally> tallies;
    Tally missing, all;
    for (std::size_t i = 0; i < y.size(); i += 2) {
      const double x = values.numbers[i];
      (std::isnan(x) ? missing : tallies[x]).add(y[i], classes);
      all.add(y[i], classes);
    }
    baseline_ = all.answer(classes);
    missing_ = missing.count > 0 ? missing.answer(classes) : baseline_;
    for (const auto& [x, tally] : tallies) {
      places_.push_back(x);
      answers_.push_back(tally.answer(classes));
    }
    interpolates_ = !classes;
  }

  double baseline() const { return baseline_; }
  double at(double x) const {
    if (std::isnan(x)) return missing_;
    const auto high = static_cast<std::size_t>(std::lower_bound(places_.begin(), places_.end(), x) - places_.begin());
    if (high < places_.size() && places_[high] == x) return answers_[high];
    if (!ordered_ || places_.empty()) return baseline_;
    if (high == 0) return answers_.front();
    if (high == places_.size()) return answers_.back();
    const double share = (x - places_[high - 1]) / (places_[high] - places_[high - 1]);
    if (interpolates_) return answers_[high - 1] + share * (answers_[high] - answers_[high - 1]);
    return answers_[share < 0.5 ? high - 1 : high];
  }

 private:
  struct Tally {
    double sum = 0, count = 0;
    std::map<double, int> classes;
    void add(double y, bool class_target) {
      if (class_target) ++classes[y];
      sum += y;
      count += 1;
    }
    double answer(bool class_target) const {
      if (!class_target) return sum / count;
      return std::max_element(classes.begin(), classes.end(),
                              [](const auto& a, const auto& b) { return a.second < b.second; })
          ->first;
    }
  };
  bool ordered_, interpolates_ = false;
  double baseline_ = 0, missing_ = 0;
  std::vector<double> places_, answers_;
};

double score_of(const Values& values, const std::vector<double>& y, bool classes) {
  const Answers answers(values, y, classes);
  double error = 0, baseline = 0;
  for (std::size_t i = 1; i < y.size(); i += 2) {
    const double said = answers.at(values.numbers[i]);
    error += classes ? static_cast<double>(said != y[i]) : (said - y[i]) * (said - y[i]);
    baseline += classes ? static_cast<double>(answers.baseline() != y[i])
                        : (answers.baseline() - y[i]) * (answers.baseline() - y[i]);
  }
  constexpr double kFewWrong = 5;  // of which all being right can be luck
  return baseline > (classes ? kFewWrong : 0) ? 1 - error / baseline : 0;
}

// ---- Duplicates -----------------------------------------------------------------------------------------------------

std::uint64_t mixed(std::uint64_t hash, std::uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15U;
  return hash ^ (hash >> 29U);
}

// Adds a column's values to the hashes of rows.
void mix_in(const Column& column, std::span<const std::int64_t> rows, std::vector<std::uint64_t>& hashes) {
  std::vector<std::uint64_t> of_level;
  for (const std::string& level : column.levels) of_level.push_back(hash_of(level));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto row = static_cast<std::size_t>(rows[i]);
    std::uint64_t value = 1;  // missing
    if (!column.missing(rows[i])) {
      value = column.text ? of_level[static_cast<std::size_t>(column.codes[row])]
                          : std::bit_cast<std::uint64_t>(column.numbers[row] + 0.0);
    }
    hashes[i] = mixed(hashes[i], value);
  }
}

// Of each row's values in the columns of features; with the target's.
std::vector<std::uint64_t> hashes_of_inputs(const Preprocessing& preprocessing, const Table& table,
                                            std::span<const std::int64_t> rows) {
  std::vector<std::uint64_t> hashes(rows.size());
  for (const Feature& feature : preprocessing.features) mix_in(table.at(feature.column), rows, hashes);
  return hashes;
}
std::vector<std::uint64_t> hashes_of(const Preprocessing& preprocessing, const Table& table,
                                     std::span<const std::int64_t> rows) {
  std::vector<std::uint64_t> hashes = hashes_of_inputs(preprocessing, table, rows);
  mix_in(table.at(preprocessing.target.name), rows, hashes);
  return hashes;
}

}  // namespace

std::vector<Leak> find_leaks(const Preprocessing& preprocessing, const Table& table,
                             std::span<const std::int64_t> training) {
  constexpr std::size_t kMost = 10000, kLeast = 50;
  constexpr double kAlmost = 0.98;
  check_rows("find_leaks", table, training);
  const std::size_t count = std::min(training.size(), kMost);
  if (count < kLeast) return {};
  Rows rows;
  for (std::size_t i = 0; i < count; ++i) rows.push_back(training[i * training.size() / count]);
  const Target& target = preprocessing.target;
  const bool classes = target.task == Task::kClassification;
  std::vector<double> y;
  const std::vector<std::int32_t> numbers = class_numbers(target, table);
  for (const std::int64_t row : rows) {
    const auto i = static_cast<std::size_t>(row);
    y.push_back(classes ? static_cast<double>(numbers[i]) : table.at(target.name).numbers[i]);
  }
  std::vector<Leak> leaks;
  for (const Feature& feature : preprocessing.features) {
    if (feature.kind == Feature::Kind::kText) continue;
    const double score = score_of(values_of(feature, table.at(feature.column), rows), y, classes);
    if (score >= kAlmost) leaks.push_back({.column = feature.column, .score = score});
  }
  return leaks;
}

std::int64_t count_duplicates(const Preprocessing& preprocessing, const Table& table,
                              std::span<const std::int64_t> training, std::span<const std::int64_t> held_out) {
  check_rows("count_duplicates", table, training);
  check_rows("count_duplicates", table, held_out);
  const std::vector<std::uint64_t> known = hashes_of(preprocessing, table, training);
  const std::vector<std::uint64_t> asked = hashes_of(preprocessing, table, held_out);
  const std::unordered_set<std::uint64_t> seen(known.begin(), known.end());
  return std::count_if(asked.begin(), asked.end(), [&](std::uint64_t hash) { return seen.contains(hash); });
}

std::int64_t count_repeated(const Preprocessing& preprocessing, const Table& table,
                            std::span<const std::int64_t> rows) {
  check_rows("count_repeated", table, rows);
  std::vector<std::uint64_t> targets(rows.size());
  mix_in(table.at(preprocessing.target.name), rows, targets);
  struct Equals {
    std::int64_t count = 0;
    std::uint64_t target = 0;
    bool agree = true;
  };
  std::unordered_map<std::uint64_t, Equals> all;
  const std::vector<std::uint64_t> inputs = hashes_of_inputs(preprocessing, table, rows);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    Equals& equals = all[inputs[i]];
    if (equals.count++ == 0) equals.target = targets[i];
    equals.agree = equals.agree && equals.target == targets[i];
  }
  std::int64_t repeated = 0;
  for (const auto& [hash, equals] : all) repeated += equals.count > 1 && equals.agree ? equals.count : 0;
  return repeated;
}

}  // namespace pellucid::data
