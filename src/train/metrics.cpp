// Metrics over values on the host.
#include "pellucid/metrics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/fail.h"
#include "pellucid/ops.h"

namespace pellucid::metrics {

using base::fail;

namespace {

/// Numbers in rows and columns, read from an array.
struct Table {
  std::int64_t rows = 0, columns = 1;
  std::vector<double> values;
  bool is_floating = false;
  const double* row(std::int64_t i) const { return values.data() + i * columns; }
};

Table read(const char* what, const char* role, const Array& x) {
  if (!x.defined()) fail("{}: the {} is an undefined Array", what, role);
  if (x.rank() < 1) fail("{}: the {} is a scalar; its leading axis must be samples", what, role);
  Table table;
  table.rows = x.size(0);
  if (table.rows == 0) fail("{}: the {} has no samples", what, role);
  table.columns = x.size() / table.rows;
  table.is_floating = is_float(x.dtype());
  table.values = x.to_vector<double>();
  for (double value : table.values) {
    if (std::isnan(value)) fail("{}: the {} holds NaN", what, role);
  }
  return table;
}

std::vector<double> read_weights(const char* what, const Array& weights, std::int64_t samples) {
  if (!weights.defined()) return std::vector<double>(static_cast<std::size_t>(samples), 1.0);
  Table table = read(what, "weights array", weights);
  if (table.rows != samples || table.columns != 1) {
    fail("{}: weights of shape {} for {} samples; give one for each", what, weights.shape(), samples);
  }
  for (double w : table.values) {
    if (!(w >= 0)) fail("{}: the weight {} is negative", what, w);
  }
  if (std::accumulate(table.values.begin(), table.values.end(), 0.0) == 0) fail("{}: all weights are 0", what);
  return std::move(table.values);
}

using Classes = std::vector<std::int64_t>;

Classes whole_numbers(const char* what, const char* role, const std::vector<double>& values) {
  Classes classes;
  classes.reserve(values.size());
  for (double value : values) {
    if (!(value >= 0 && value < 0x1p31 && value == std::floor(value))) {
      fail("{}: the {} holds {}, which is no class index (0, 1, 2, ...)", what, role, value);
    }
    classes.push_back(static_cast<std::int64_t>(value));
  }
  return classes;
}

Classes read_target(const char* what, const Array& target, std::int64_t samples) {
  const Table table = read(what, "target", target);
  if (table.rows != samples || table.columns != 1) {
    fail("{}: a target of shape {} for {} samples; give one class index for each", what, target.shape(), samples);
  }
  return whole_numbers(what, "target", table.values);
}

void check_range(const char* what, const Classes& target, std::int64_t classes) {
  for (auto c : target) {
    if (c >= classes)
      fail("{}: the target holds class {}, and there are {} classes, 0 to {}", what, c, classes, classes - 1);
  }
}

std::int64_t best_of(const double* scores, std::int64_t count) {
  return std::max_element(scores, scores + count) - scores;
}

struct Predicted {
  Classes classes;
  std::int64_t known = 0;  // the number of classes where scores tell it, else 0
};

Predicted read_prediction(const char* what, const Array& prediction, double threshold) {
  Table table = read(what, "prediction", prediction);
  if (prediction.rank() > 2)
    fail("{}: a prediction of shape {}; give (samples) or (samples, classes)", what, prediction.shape());
  Predicted predicted;
  if (table.columns == 0) fail("{}: a prediction of shape {} has no classes", what, prediction.shape());
  if (table.columns > 1) {
    if (!table.is_floating) fail("{}: scores of shape {} must be floating", what, prediction.shape());
    predicted.known = table.columns;
    for (std::int64_t i = 0; i < table.rows; ++i) predicted.classes.push_back(best_of(table.row(i), table.columns));
  } else if (table.is_floating) {
    predicted.known = 2;
    for (double score : table.values) predicted.classes.push_back(score >= threshold ? 1 : 0);
  } else {
    predicted.classes = whole_numbers(what, "prediction", table.values);
  }
  return predicted;
}

double sum(const std::vector<double>& values) { return std::accumulate(values.begin(), values.end(), 0.0); }

double ratio(double part, double whole) { return whole == 0 ? 0 : part / whole; }

Confusion count(const char* what, const Array& prediction, const Array& target, std::optional<std::int64_t> classes,
                const Array& weights, double threshold) {
  const Predicted predicted = read_prediction(what, prediction, threshold);
  const auto samples = static_cast<std::int64_t>(predicted.classes.size());
  const Classes truth = read_target(what, target, samples);
  const std::vector<double> w = read_weights(what, weights, samples);
  std::int64_t n = predicted.known;
  if (classes) {
    n = *classes;
    check_range(what, truth, n);
    for (auto c : predicted.classes) {
      if (c >= n) fail("{}: class {} is predicted, and there are {} classes", what, c, n);
    }
  } else if (n > 0) {
    check_range(what, truth, n);
  } else {
    n = 1 + std::max(*std::max_element(truth.begin(), truth.end()),
                     *std::max_element(predicted.classes.begin(), predicted.classes.end()));
    if (n > 65536) fail("{}: class {} is too large for a table of all classes", what, n - 1);
  }
  const auto size = static_cast<std::size_t>(n);
  Confusion confusion(size, std::vector<double>(size));
  for (std::size_t i = 0; i < w.size(); ++i) {
    confusion[static_cast<std::size_t>(truth[i])][static_cast<std::size_t>(predicted.classes[i])] += w[i];
  }
  return confusion;
}

}  // namespace

// ---- Classes --------------------------------------------------------------------------------------------------------

double accuracy(const Array& prediction, const Array& target, const Array& weights, double threshold) {
  const Predicted predicted = read_prediction("accuracy", prediction, threshold);
  const auto samples = static_cast<std::int64_t>(predicted.classes.size());
  const Classes truth = read_target("accuracy", target, samples);
  if (predicted.known > 0) check_range("accuracy", truth, predicted.known);
  const std::vector<double> w = read_weights("accuracy", weights, samples);
  double right = 0;
  for (std::size_t i = 0; i < w.size(); ++i) {
    if (predicted.classes[i] == truth[i]) right += w[i];
  }
  return right / sum(w);
}

double top_k_accuracy(const Array& scores, const Array& target, std::int64_t k, const Array& weights) {
  const char* what = "top_k_accuracy";
  if (k < 1) fail("{}: k is {} and must be at least 1", what, k);
  const Table table = read(what, "scores array", scores);
  if (scores.rank() != 2) fail("{}: scores of shape {}; give (samples, classes)", what, scores.shape());
  const Classes truth = read_target(what, target, table.rows);
  check_range(what, truth, table.columns);
  const std::vector<double> w = read_weights(what, weights, table.rows);
  double right = 0;
  for (std::int64_t i = 0; i < table.rows; ++i) {
    const double* row = table.row(i);
    const std::int64_t own = truth[static_cast<std::size_t>(i)];
    std::int64_t above = 0;
    for (std::int64_t c = 0; c < table.columns; ++c)
      above += row[c] > row[own] || (row[c] == row[own] && c > own) ? 1 : 0;
    if (above < k) right += w[static_cast<std::size_t>(i)];
  }
  return right / sum(w);
}

Confusion confusion_matrix(const Array& prediction, const Array& target, std::optional<std::int64_t> classes,
                           const Array& weights, double threshold) {
  if (classes && (*classes < 1 || *classes > 65536)) fail("confusion_matrix: {} classes; give 1 to 65536", *classes);
  return count("confusion_matrix", prediction, target, classes, weights, threshold);
}

Scores scores(const Confusion& confusion, Average average) {
  struct Class {
    double right, predicted, actual;
  };
  std::vector<Class> classes;
  for (std::size_t c = 0; c < confusion.size(); ++c) {
    if (confusion[c].size() != confusion.size()) fail("scores: a table of counts must be square");
    double predicted = 0;
    for (const auto& row : confusion) predicted += row[c];
    const double actual = sum(confusion[c]);
    if (average == Average::kBinary && c > 1 && (predicted > 0 || actual > 0)) {
      fail("scores: class {} occurs, and Average::kBinary is for classes 0 and 1; choose kMacro, kMicro or kWeighted",
           c);
    }
    if (average == Average::kBinary || predicted > 0 || actual > 0)
      classes.push_back({confusion[c][c], predicted, actual});
  }
  const auto of = [](const Class& c) {
    return Scores{ratio(c.right, c.predicted), ratio(c.right, c.actual), ratio(2 * c.right, c.predicted + c.actual)};
  };
  if (average == Average::kBinary) return classes.size() < 2 ? Scores{0, 0, 0} : of(classes[1]);
  if (classes.empty()) fail("scores: the table holds no samples");
  if (average == Average::kMicro) {
    Class all{};
    for (const Class& c : classes) all = {all.right + c.right, all.predicted + c.predicted, all.actual + c.actual};
    return of(all);
  }
  Scores total{};
  double weight = 0;
  for (const Class& c : classes) {
    const double w = average == Average::kMacro ? 1 : c.actual;
    const Scores s = of(c);
    total = {total.precision + w * s.precision, total.recall + w * s.recall, total.f1 + w * s.f1};
    weight += w;
  }
  return {ratio(total.precision, weight), ratio(total.recall, weight), ratio(total.f1, weight)};
}

Scores scores(const Array& prediction, const Array& target, Average average, const Array& weights, double threshold) {
  return scores(count("scores", prediction, target, {}, weights, threshold), average);
}

double precision(const Array& prediction, const Array& target, Average average, const Array& weights,
                 double threshold) {
  return scores(prediction, target, average, weights, threshold).precision;
}
double recall(const Array& prediction, const Array& target, Average average, const Array& weights, double threshold) {
  return scores(prediction, target, average, weights, threshold).recall;
}
double f1(const Array& prediction, const Array& target, Average average, const Array& weights, double threshold) {
  return scores(prediction, target, average, weights, threshold).f1;
}

// ---- Scores ---------------------------------------------------------------------------------------------------------

namespace {

/// The area for one column of scores, where `positive` says which samples are of the class.
double area(const Table& table, std::int64_t column, const std::vector<bool>& positive, const std::vector<double>& w,
            std::int64_t class_index) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(table.rows));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  const auto score = [&](std::int64_t i) { return table.row(i)[column]; };
  std::sort(order.begin(), order.end(),
            [&](std::int64_t a, std::int64_t b) { return std::pair(score(a), a) < std::pair(score(b), b); });
  double below = 0, pairs = 0, positives = 0;
  for (std::size_t begin = 0; begin < order.size();) {
    double yes = 0, no = 0;
    std::size_t end = begin;
    for (; end < order.size() && score(order[end]) == score(order[begin]); ++end) {
      const auto i = static_cast<std::size_t>(order[end]);
      (positive[i] ? yes : no) += w[i];
    }
    pairs += yes * (below + no / 2);
    below += no;
    positives += yes;
    begin = end;
  }
  if (positives == 0) fail("roc_auc: no sample is of class {}, so there is nothing to compare", class_index);
  if (below == 0) fail("roc_auc: all samples are of class {}, so there is nothing to compare", class_index);
  return pairs / (positives * below);
}

std::vector<bool> members(const Classes& truth, std::int64_t c) {
  std::vector<bool> positive;
  for (auto t : truth) positive.push_back(t == c);
  return positive;
}

/// Probabilities as (samples, classes): one column p becomes 1 - p and p.
Table read_probabilities(const char* what, const Array& probabilities) {
  Table table = read(what, "probabilities array", probabilities);
  if (probabilities.rank() > 2 || table.columns == 0) {
    fail("{}: probabilities of shape {}; give (samples) or (samples, classes)", what, probabilities.shape());
  }
  for (double p : table.values) {
    if (!(p >= 0 && p <= 1)) fail("{}: {} is no probability; apply softmax or sigmoid first", what, p);
  }
  if (table.columns == 1) {
    std::vector<double> both;
    for (double p : table.values) both.insert(both.end(), {1 - p, p});
    table.values = std::move(both);
    table.columns = 2;
  }
  return table;
}

}  // namespace

double roc_auc(const Array& scores, const Array& target, const Array& weights) {
  const char* what = "roc_auc";
  const Table table = read(what, "scores array", scores);
  if (scores.rank() > 2 || table.columns == 0) {
    fail("{}: scores of shape {}; give (samples) or (samples, classes)", what, scores.shape());
  }
  const Classes truth = read_target(what, target, table.rows);
  const std::vector<double> w = read_weights(what, weights, table.rows);
  check_range(what, truth, std::max<std::int64_t>(table.columns, 2));
  if (table.columns == 1) return area(table, 0, members(truth, 1), w, 1);
  double total = 0;
  for (std::int64_t c = 0; c < table.columns; ++c) total += area(table, c, members(truth, c), w, c);
  return total / static_cast<double>(table.columns);
}

double log_loss(const Array& probabilities, const Array& target, const Array& weights) {
  const char* what = "log_loss";
  const Table table = read_probabilities(what, probabilities);
  const Classes truth = read_target(what, target, table.rows);
  check_range(what, truth, table.columns);
  const std::vector<double> w = read_weights(what, weights, table.rows);
  std::vector<double> own;
  for (std::int64_t i = 0; i < table.rows; ++i) {
    const double all = std::accumulate(table.row(i), table.row(i) + table.columns, 0.0);
    if (all == 0) fail("{}: the probabilities of sample {} are all 0", what, i);
    own.push_back(std::clamp(table.row(i)[truth[static_cast<std::size_t>(i)]] / all, 0x1p-52, 1 - 0x1p-52));
  }
  const std::vector<double> logs = log(Array::from(own)).to_vector<double>();
  return -std::inner_product(w.begin(), w.end(), logs.begin(), 0.0) / sum(w);
}

double expected_calibration_error(const Array& probabilities, const Array& target, int bins, const Array& weights) {
  const char* what = "expected_calibration_error";
  if (bins < 1) fail("{}: {} bins; there must be at least 1", what, bins);
  const Table table = read_probabilities(what, probabilities);
  const Classes truth = read_target(what, target, table.rows);
  check_range(what, truth, table.columns);
  const std::vector<double> w = read_weights(what, weights, table.rows);
  // The sum over bins of weight / total * |confidence - accuracy| needs only the difference of the two sums in each
  // bin.
  std::vector<double> gaps(static_cast<std::size_t>(bins));
  for (std::int64_t i = 0; i < table.rows; ++i) {
    const auto at = static_cast<std::size_t>(i);
    const std::int64_t best = best_of(table.row(i), table.columns);
    const double confidence = table.row(i)[best];
    const auto bin = static_cast<int>(std::ceil(confidence * bins)) - 1;
    gaps[static_cast<std::size_t>(std::clamp(bin, 0, bins - 1))] += w[at] * (confidence - (best == truth[at] ? 1 : 0));
  }
  double total = 0;
  for (double gap : gaps) total += std::abs(gap);
  return total / sum(w);
}

// ---- Regression -----------------------------------------------------------------------------------------------------

namespace {

struct Pairs {
  Table prediction, target;
  std::vector<double> weights;
};

Pairs read_pairs(const char* what, const Array& prediction, const Array& target, const Array& weights) {
  Pairs pairs{read(what, "prediction", prediction), read(what, "target", target), {}};
  if (prediction.shape() != target.shape()) {
    fail("{}: prediction {} and target {} differ in shape; reshape one of them", what, prediction.shape(),
         target.shape());
  }
  if (pairs.target.columns == 0) fail("{}: a target of shape {} has no elements", what, target.shape());
  pairs.weights = read_weights(what, weights, pairs.target.rows);
  return pairs;
}

/// The weighted mean over samples and columns of f(prediction - target).
template <class F>
double mean_of(const Pairs& pairs, F f) {
  double total = 0;
  for (std::int64_t i = 0; i < pairs.target.rows; ++i) {
    double row = 0;
    for (std::int64_t c = 0; c < pairs.target.columns; ++c)
      row += f(pairs.prediction.row(i)[c] - pairs.target.row(i)[c]);
    total += pairs.weights[static_cast<std::size_t>(i)] * row;
  }
  return total / (sum(pairs.weights) * static_cast<double>(pairs.target.columns));
}

double square(double x) { return x * x; }

}  // namespace

double mean_absolute_error(const Array& prediction, const Array& target, const Array& weights) {
  return mean_of(read_pairs("mean_absolute_error", prediction, target, weights), [](double d) { return std::abs(d); });
}

double mean_squared_error(const Array& prediction, const Array& target, const Array& weights) {
  return mean_of(read_pairs("mean_squared_error", prediction, target, weights), square);
}

double root_mean_squared_error(const Array& prediction, const Array& target, const Array& weights) {
  return std::sqrt(mean_of(read_pairs("root_mean_squared_error", prediction, target, weights), square));
}

double r2(const Array& prediction, const Array& target, const Array& weights) {
  const Pairs pairs = read_pairs("r2", prediction, target, weights);
  const double all = sum(pairs.weights);
  double total = 0;
  for (std::int64_t c = 0; c < pairs.target.columns; ++c) {
    double mean = 0, error = 0, spread = 0;
    const auto truth = [&](std::int64_t i) { return pairs.target.row(i)[c]; };
    const auto weight = [&](std::int64_t i) { return pairs.weights[static_cast<std::size_t>(i)]; };
    for (std::int64_t i = 0; i < pairs.target.rows; ++i) mean += weight(i) * truth(i);
    mean /= all;
    for (std::int64_t i = 0; i < pairs.target.rows; ++i) {
      error += weight(i) * square(pairs.prediction.row(i)[c] - truth(i));
      spread += weight(i) * square(truth(i) - mean);
    }
    total += spread > 0 ? 1 - error / spread : (error == 0 ? 1 : 0);
  }
  return total / static_cast<double>(pairs.target.columns);
}

}  // namespace pellucid::metrics
