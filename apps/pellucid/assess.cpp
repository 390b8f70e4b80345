// Baselines, and importance within bounded time.
#include "assess.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <numeric>

#include "pellucid/ops.h"
#include "terminal.h"
#include "train/bootstrap.h"

namespace pellucid::cli {
namespace {

constexpr int kRepeats = 5;
// Multiplications in all passes: a second or two on two cores.
constexpr double kWork = 1.5e10;

Array repeated(const std::vector<double>& row, std::int64_t rows) {
  const Array one = Array::from(row, {1, static_cast<std::int64_t>(row.size())});
  return broadcast_to(one, {rows, static_cast<std::int64_t>(row.size())});
}

// A line on the terminal that standard error is, once a second has gone by.
class ColumnsLine {
 public:
  explicit ColumnsLine(std::size_t columns) : columns_(columns), live_(::isatty(STDERR_FILENO) == 1) {}
  ~ColumnsLine() {
    if (shown_) fmt::print(stderr, "\r\x1b[K");
  }
  ColumnsLine(const ColumnsLine&) = delete;
  ColumnsLine& operator=(const ColumnsLine&) = delete;

  void done(std::size_t count) {
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - started_;
    if (!live_ || seconds.count() < 1) return;
    std::fflush(stdout);
    fmt::print(stderr, "\rwhich columns matter: {} of {}\x1b[K", count, columns_);
    shown_ = true;
  }

 private:
  std::size_t columns_;
  bool live_, shown_ = false;
  std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
};

std::vector<ColumnInputs> column_inputs(const data::Preprocessing& table) {
  std::vector<ColumnInputs> columns;
  std::int64_t first = 0;
  for (const data::Feature& feature : table.features) {
    columns.push_back({.column = feature.column, .first = first, .count = feature.inputs()});
    first += feature.inputs();
  }
  return columns;
}

}  // namespace

Array predicted_numbers(const data::Target& target, const Array& output) {
  const Array value = slice(output, 1, 0, 1);
  return clip(data::in_units(target, value), target.low, target.high).evaluate();
}

PredictedIntervals predicted_intervals(const data::Target& target, const Array& output) {
  if (output.size(1) != 3) return {};
  const Array bounds = data::in_units(target, output);
  return {.low = slice(bounds, 1, 1, 2).evaluate(), .high = slice(bounds, 1, 2, 3).evaluate()};
}

Array true_numbers(const data::Target& target, const Array& y) { return data::in_units(target, y).evaluate(); }

Assessed assess(const Model& model, const Array& output, const Array& y, const AssessOptions& options) {
  const data::Target& target = model.target;
  if (target.task == data::Task::kRegression) {
    const Array truth = true_numbers(target, y);
    return {.values = assess_numbers(predicted_numbers(target, output), truth, zeros_like(truth) + target.mean,
                                     predicted_intervals(target, output), options),
            .baseline = fmt::format("always {:.6g}, the mean in training", target.mean)};
  }
  const std::size_t classes = target.classes.size();
  std::vector<double> shares(classes, 1);
  if (model.training.contains("class_counts")) {
    shares = model.training.at("class_counts").get<std::vector<double>>();
    shares.resize(classes);
  }
  const double total = std::max(1.0, std::accumulate(shares.begin(), shares.end(), 0.0));
  for (double& share : shares) share /= total;
  const auto most = static_cast<std::size_t>(std::max_element(shares.begin(), shares.end()) - shares.begin());
  return {.values = assess_classes(output, y, repeated(shares, y.shape()[0]), options),
          .baseline = fmt::format("always '{}', the most frequent class in training", target.classes[most])};
}

std::int64_t importance_rows(const Model& model) {
  const auto columns = static_cast<double>(model.table.features.size());
  const auto parameters = static_cast<double>(nn::parameter_count(model.network));
  return static_cast<std::int64_t>(std::clamp(kWork / (columns * kRepeats * parameters), 200.0, 5000.0));
}

ImportanceFound find_importance(Model& model, const Array& x, const Array& y) {
  ImportanceFound found;
  if (model.source != data::Source::kTable || model.table.features.size() < 2) return found;
  const Array rows = Array::from(train::some_rows(x.shape()[0], importance_rows(model), 0));
  const Array some_x = take(x, rows).evaluate(), some_y = take(y, rows).evaluate();
  const data::Target& target = model.target;
  std::function<std::vector<double>(const Array&)> measure;
  if (target.task == data::Task::kClassification) {
    found.measures = {"log_loss", "error"};
    measure = [&](const Array& output) {
      return std::vector<double>{metrics::log_loss(output, some_y), 1 - metrics::accuracy(output, some_y)};
    };
  } else {
    found.measures = {"root_mean_squared_error", "mean_absolute_error"};
    measure = [&target, truth = true_numbers(target, some_y)](const Array& output) {
      const Array p = predicted_numbers(target, output);
      return std::vector<double>{metrics::root_mean_squared_error(p, truth), metrics::mean_absolute_error(p, truth)};
    };
  }
  const std::vector<ColumnInputs> columns = column_inputs(model.table);
  ColumnsLine line(columns.size());
  const auto run = [&](const Array& input) { return predictions(model, input); };
  found.whole = measure(run(some_x));
  found.columns = permutation_importance(
      run, some_x, columns, measure, {.repeats = kRepeats, .on_column = [&](std::size_t count) { line.done(count); }});
  found.rows = some_x.shape()[0];
  found.repeats = kRepeats;
  return found;
}

}  // namespace pellucid::cli
