// Metrics of rows that count several times.
#include "train/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <numeric>

#include "pellucid/ops.h"

namespace pellucid::train {
namespace {

constexpr std::size_t kTop = 5;
constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

// A row in the order of its score: its number, and two bits.
constexpr std::uint32_t kPositive = 0x80000000U;
constexpr std::uint32_t kLastOfEqual = 0x40000000U;
constexpr std::uint32_t kRow = 0x3FFFFFFFU;
using Order = std::vector<std::uint32_t>;

Order order_by(const ClassRows& rows, std::size_t c) {
  Order order(rows.truth.size());
  std::iota(order.begin(), order.end(), 0U);
  const auto score = [&](std::uint32_t row) { return rows.probabilities[row * rows.classes + c]; };
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) { return score(a) < score(b); });
  for (std::size_t i = 0; i < order.size(); ++i) {
    const std::uint32_t row = order[i];
    if (i + 1 == order.size() || score(row) != score(order[i + 1])) order[i] |= kLastOfEqual;
    if (rows.truth[row] == static_cast<std::int32_t>(c)) order[i] |= kPositive;
  }
  return order;
}

// Twice the pairs of a positive and a lower negative row, equal scores counting half, over twice all pairs.
double area(const Order& order, Counts counts) {
  std::uint64_t below = 0, positives = 0, pairs = 0, yes = 0, no = 0;
  for (const std::uint32_t code : order) {
    const std::uint64_t count = counts[code & kRow];
    const std::uint64_t mask = std::uint64_t{0} - (code >> 31);
    yes += count & mask;
    no += count & ~mask;
    if ((code & kLastOfEqual) != 0) {
      pairs += yes * (2 * below + no);
      below += no;
      positives += yes;
      yes = no = 0;
    }
  }
  if (positives == 0 || below == 0) return kNone;
  return static_cast<double>(pairs) / (2 * static_cast<double>(positives) * static_cast<double>(below));
}

struct ClassParts {
  std::size_t classes = 0;
  std::vector<std::uint32_t> cell;  // truth * classes + predicted
  std::vector<std::uint8_t> bin, right, top;
  std::vector<double> gap;       // confidence - right
  std::vector<double> own_loss;  // -log of the truth's probability
  std::vector<Order> orders;     // by class; two classes: that of class 1 alone
};

std::size_t ranks_above(const double* p, std::size_t classes, std::size_t own) {
  std::size_t above = 0;
  for (std::size_t c = 0; c < classes; ++c) above += p[c] > p[own] || (p[c] == p[own] && c > own) ? 1 : 0;
  return above;
}

ClassParts parts_of(const ClassRows& rows) {
  ClassParts parts;
  parts.classes = rows.classes;
  std::vector<double> own;
  for (std::size_t row = 0; row < rows.truth.size(); ++row) {
    const double* p = rows.probabilities.data() + row * rows.classes;
    const auto truth = static_cast<std::size_t>(rows.truth[row]);
    const std::size_t best = best_of(p, rows.classes);
    parts.cell.push_back(static_cast<std::uint32_t>(truth * rows.classes + best));
    parts.right.push_back(best == truth ? 1 : 0);
    parts.top.push_back(ranks_above(p, rows.classes, truth) < kTop ? 1 : 0);
    parts.bin.push_back(static_cast<std::uint8_t>(bin_of(p[best], kCalibrationBins)));
    parts.gap.push_back(p[best] - (best == truth ? 1 : 0));
    const double all = std::accumulate(p, p + rows.classes, 0.0);
    own.push_back(std::clamp(p[truth] / all, 0x1p-52, 1 - 0x1p-52));
  }
  parts.own_loss = (-log(Array::from(own))).to_vector<double>();
  if (rows.classes == 2) {
    parts.orders.push_back(order_by(rows, 1));
  } else {
    for (std::size_t c = 0; c < rows.classes; ++c) parts.orders.push_back(order_by(rows, c));
  }
  return parts;
}

double ratio(double part, double whole) { return whole == 0 ? 0 : part / whole; }

struct Counted {
  double right = 0, predicted = 0, actual = 0;
};

std::vector<Counted> count_classes(const ClassParts& parts, Counts counts) {
  std::vector<std::uint64_t> cells(parts.classes * parts.classes);
  for (std::size_t row = 0; row < counts.size(); ++row) cells[parts.cell[row]] += counts[row];
  std::vector<Counted> classes(parts.classes);
  for (std::size_t i = 0; i < parts.classes; ++i) {
    for (std::size_t j = 0; j < parts.classes; ++j) {
      const auto count = static_cast<double>(cells[i * parts.classes + j]);
      classes[i].actual += count;
      classes[j].predicted += count;
      if (i == j) classes[i].right = count;
    }
  }
  return classes;
}

double f1_of(const Counted& c) { return ratio(2 * c.right, c.predicted + c.actual); }

double mean_f1(const std::vector<Counted>& classes) {
  if (classes.size() == 2) return f1_of(classes[1]);
  double sum = 0, there = 0;
  for (const Counted& c : classes) {
    if (c.predicted == 0 && c.actual == 0) continue;
    sum += f1_of(c);
    there += 1;
  }
  return sum / there;
}

double mean_area(const ClassParts& parts, Counts counts) {
  double sum = 0;
  for (const Order& order : parts.orders) {
    const double one = area(order, counts);
    if (std::isnan(one)) return kNone;
    sum += one;
  }
  return sum / static_cast<double>(parts.orders.size());
}

std::vector<double> measure(const ClassParts& parts, Counts counts) {
  double right = 0, top = 0, loss = 0, all = 0;
  std::vector<double> gaps(kCalibrationBins);
  for (std::size_t row = 0; row < counts.size(); ++row) {
    const auto count = static_cast<double>(counts[row]);
    all += count;
    right += count * parts.right[row];
    top += count * parts.top[row];
    loss += count * parts.own_loss[row];
    gaps[parts.bin[row]] += count * parts.gap[row];
  }
  double calibration = 0;
  for (const double gap : gaps) calibration += std::abs(gap);
  const std::vector<Counted> classes = count_classes(parts, counts);
  std::vector<double> values = {right / all};
  if (parts.classes > 10) values.push_back(top / all);
  values.insert(values.end(), {mean_f1(classes), mean_area(parts, counts), loss / all, calibration / all});
  for (const Counted& c : classes) {
    values.insert(values.end(), {ratio(c.right, c.predicted), ratio(c.right, c.actual), f1_of(c)});
  }
  return values;
}

struct NumberParts {
  std::vector<double> squared, absolute, centred, covered, width;
};

std::vector<double> measure(const NumberParts& parts, Counts counts) {
  double squared = 0, absolute = 0, sum = 0, sum_of_squares = 0, covered = 0, width = 0, all = 0;
  const bool intervals = !parts.covered.empty();
  for (std::size_t row = 0; row < counts.size(); ++row) {
    const auto count = static_cast<double>(counts[row]);
    all += count;
    squared += count * parts.squared[row];
    absolute += count * parts.absolute[row];
    sum += count * parts.centred[row];
    sum_of_squares += count * parts.centred[row] * parts.centred[row];
    if (intervals) {
      covered += count * parts.covered[row];
      width += count * parts.width[row];
    }
  }
  const double spread = sum_of_squares - sum * sum / all;
  const double none = squared == 0 ? 1 : 0;
  std::vector<double> values = {spread > 0 ? 1 - squared / spread : none, std::sqrt(squared / all), absolute / all};
  if (intervals) values.insert(values.end(), {covered / all, width / all});
  return values;
}

}  // namespace

int bin_of(double confidence, int bins) {
  return std::clamp(static_cast<int>(std::ceil(confidence * bins)) - 1, 0, bins - 1);
}

std::size_t best_of(const double* scores, std::size_t count) {
  return static_cast<std::size_t>(std::max_element(scores, scores + count) - scores);
}

std::vector<std::string> class_metric_names(std::size_t classes) {
  std::vector<std::string> names = {"accuracy", "f1", "roc_auc", "log_loss", "expected_calibration_error"};
  if (classes > 10) names.insert(names.begin() + 1, "top_5_accuracy");
  return names;
}

Statistic class_statistic(const ClassRows& rows) {
  const auto parts = std::make_shared<const ClassParts>(parts_of(rows));
  return [parts](Counts counts) { return measure(*parts, counts); };
}

std::vector<std::string> number_metric_names(bool intervals) {
  std::vector<std::string> names = {"r2", "root_mean_squared_error", "mean_absolute_error"};
  if (intervals) names.insert(names.end(), {"coverage", "interval_width"});
  return names;
}

Statistic number_statistic(const NumberRows& rows) {
  NumberParts parts;
  const std::size_t n = rows.truth.size();
  const double mean = std::accumulate(rows.truth.begin(), rows.truth.end(), 0.0) / static_cast<double>(n);
  for (std::size_t i = 0; i < n; ++i) {
    const double error = rows.prediction[i] - rows.truth[i];
    parts.squared.push_back(error * error);
    parts.absolute.push_back(std::abs(error));
    parts.centred.push_back(rows.truth[i] - mean);
    if (rows.low.empty()) continue;
    parts.covered.push_back(rows.low[i] <= rows.truth[i] && rows.truth[i] <= rows.high[i] ? 1 : 0);
    parts.width.push_back(rows.high[i] - rows.low[i]);
  }
  const auto shared = std::make_shared<const NumberParts>(std::move(parts));
  return [shared](Counts counts) { return measure(*shared, counts); };
}

}  // namespace pellucid::train
