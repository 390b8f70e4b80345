// Reliability, ROC, precision and recall, residuals.
#include "train/curves.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace pellucid::train {
namespace {

constexpr int kReliabilityBins = 10;
constexpr std::size_t kPoints = 300;   // of a curve, about
constexpr std::int64_t kPairs = 1000;  // of predictions and targets
constexpr std::size_t kMostBars = 40;  // of the histogram
constexpr std::size_t kLeastBars = 5;

// Positive and negative rows from each score on, the highest first.
struct Found {
  std::vector<double> positive, negative;
};

Found found(const ClassRows& rows) {
  std::vector<std::size_t> order(rows.truth.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto score = [&](std::size_t row) { return rows.probabilities[row * 2 + 1]; };
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return score(a) > score(b); });
  Found result{.positive = {0}, .negative = {0}};
  double positive = 0, negative = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    (rows.truth[order[i]] == 1 ? positive : negative) += 1;
    if (i + 1 < order.size() && score(order[i]) == score(order[i + 1])) continue;
    result.positive.push_back(positive);
    result.negative.push_back(negative);
  }
  return result;
}

// Leaves out points that lie close to the last one kept; the ends stay.
Curve thinned(const Curve& curve) {
  Curve result{.x = {}, .y = {}, .area = curve.area};
  for (std::size_t i = 0; i < curve.x.size(); ++i) {
    const bool end = i == 0 || i + 1 == curve.x.size();
    const double step = end ? 1 : std::abs(curve.x[i] - result.x.back()) + std::abs(curve.y[i] - result.y.back());
    if (!end && step < 2.0 / kPoints) continue;
    result.x.push_back(curve.x[i]);
    result.y.push_back(curve.y[i]);
  }
  return result;
}

// From 1 to 99 %, so that a few rows far off leave the others room; bars as Freedman and Diaconis (1981) take them.
void fill_histogram(Residuals& result, const std::vector<double>& sorted) {
  const double low = quantile(sorted, 0.01), high = quantile(sorted, 0.99);
  const double quarter = quantile(sorted, 0.75) - quantile(sorted, 0.25);
  const double width = 2 * quarter / std::cbrt(static_cast<double>(sorted.size()));
  std::size_t bars = kLeastBars;
  if (width > 0 && high > low) {
    bars = static_cast<std::size_t>(std::clamp((high - low) / width, double{kLeastBars}, double{kMostBars}));
  }
  const double from = high > low ? low : low - 0.5, step = (high > low ? high - low : 1) / static_cast<double>(bars);
  for (std::size_t i = 0; i <= bars; ++i) result.edges.push_back(from + step * static_cast<double>(i));
  result.counts.resize(bars);
  for (const double value : sorted) {
    const double at = std::clamp((value - from) / step, 0.0, static_cast<double>(bars - 1));
    ++result.counts[static_cast<std::size_t>(at)];
  }
}

}  // namespace

std::vector<ReliabilityBin> reliability(const ClassRows& rows, double level) {
  std::vector<ReliabilityBin> bins(kReliabilityBins);
  std::vector<double> right(kReliabilityBins);
  for (std::size_t row = 0; row < rows.truth.size(); ++row) {
    const double* p = rows.probabilities.data() + row * rows.classes;
    const std::size_t asked = rows.classes == 2 ? 1 : best_of(p, rows.classes);
    const auto at = static_cast<std::size_t>(bin_of(p[asked], kReliabilityBins));
    ++bins[at].rows;
    bins[at].mean_probability += p[asked];
    if (rows.truth[row] == static_cast<std::int32_t>(asked)) right[at] += 1;
  }
  for (std::size_t i = 0; i < bins.size(); ++i) {
    bins[i].low = static_cast<double>(i) / kReliabilityBins;
    bins[i].high = static_cast<double>(i + 1) / kReliabilityBins;
    if (bins[i].rows == 0) continue;
    const auto count = static_cast<double>(bins[i].rows);
    bins[i].mean_probability /= count;
    bins[i].share = {.value = right[i] / count, .interval = wilson(right[i] / count, count, level)};
  }
  return bins;
}

Curve roc_curve(const ClassRows& rows) {
  const Found all = found(rows);
  Curve curve;
  for (std::size_t i = 0; i < all.positive.size(); ++i) {
    curve.x.push_back(all.negative[i] / all.negative.back());
    curve.y.push_back(all.positive[i] / all.positive.back());
    if (i > 0) curve.area += (curve.x[i] - curve.x[i - 1]) * (curve.y[i] + curve.y[i - 1]) / 2;
  }
  return thinned(curve);
}

Curve precision_recall_curve(const ClassRows& rows) {
  const Found all = found(rows);
  Curve curve;
  for (std::size_t i = 1; i < all.positive.size(); ++i) {
    const double precision = all.positive[i] / (all.positive[i] + all.negative[i]);
    const double recall = all.positive[i] / all.positive.back();
    if (i == 1) {
      curve.x.push_back(0);
      curve.y.push_back(precision);
    }
    curve.area += (recall - curve.x.back()) * precision;
    curve.x.push_back(recall);
    curve.y.push_back(precision);
  }
  return thinned(curve);
}

Residuals residuals(const NumberRows& rows, std::uint64_t seed) {
  std::vector<double> errors;
  for (std::size_t i = 0; i < rows.truth.size(); ++i) errors.push_back(rows.prediction[i] - rows.truth[i]);
  Residuals result;
  const auto n = static_cast<double>(errors.size());
  result.mean = std::accumulate(errors.begin(), errors.end(), 0.0) / n;
  for (const double error : errors) result.deviation += (error - result.mean) * (error - result.mean);
  result.deviation = std::sqrt(result.deviation / n);
  std::sort(errors.begin(), errors.end());
  for (const double share : {0.05, 0.25, 0.5, 0.75, 0.95}) result.quantiles.push_back(quantile(errors, share));
  fill_histogram(result, errors);
  for (const std::int64_t row : some_rows(static_cast<std::int64_t>(rows.truth.size()), kPairs, seed)) {
    result.predicted.push_back(rows.prediction[static_cast<std::size_t>(row)]);
    result.truth.push_back(rows.truth[static_cast<std::size_t>(row)]);
  }
  return result;
}

}  // namespace pellucid::train
