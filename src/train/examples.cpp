// Checks of data and options, held-out rows, weights of classes. See examples.h.
#include "train/examples.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/fail.h"
#include "pellucid/data.h"
#include "pellucid/ops.h"

namespace pellucid::train {

using base::fail;

namespace {

void check_finite(std::string_view what, std::string_view name, const Array& x) {
  if (!is_float(x.dtype()) || x.size() == 0 || all(isfinite(x)).item<bool>()) return;
  const std::int64_t row_size = std::max<std::int64_t>(x.size() / x.size(0), 1);
  const auto values = x.to_vector<double>();
  const auto bad = std::find_if(values.begin(), values.end(), [](double v) { return !std::isfinite(v); });
  fail("{}: {} holds {} in row {} (of {}, from 0); leave such rows out or fill them in", what, name, *bad,
       (bad - values.begin()) / row_size, x.size(0));
}

void check_weights(std::string_view what, const Array& weights, std::int64_t rows) {
  if (weights.shape() != Shape{rows}) {
    fail("{}: weights of shape {} for {} examples; give one number for each, [{}]", what, weights.shape(), rows, rows);
  }
  check_finite(what, "weights", weights);
  const auto values = weights.to_vector<double>();
  double total = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] < 0) fail("{}: the weight {} of example {} is negative; weights are 0 or more", what, values[i], i);
    total += values[i];
  }
  if (total == 0) fail("{}: all weights are 0; give at least one example weight", what);
}

bool class_indices(const Array& y) { return y.rank() == 1 && !is_float(y.dtype()); }

Array class_factors(const Array& class_weights, const Array& y) {
  if (!class_indices(y)) {
    fail("fit: class_weights need class indices, y of integers (n); y is {}{}", y.dtype(), y.shape());
  }
  if (class_weights.rank() != 1 || class_weights.size() == 0) {
    fail("fit: class_weights of shape {}; give one for each class, (classes)", class_weights.shape());
  }
  check_finite("fit", "class_weights", class_weights);
  const auto factors = class_weights.to_vector<double>();
  for (std::size_t c = 0; c < factors.size(); ++c) {
    if (factors[c] < 0) fail("fit: the weight {} of class {} is negative; weights are 0 or more", factors[c], c);
  }
  const auto classes = y.to_vector<std::int64_t>();
  std::vector<float> weights(classes.size());
  for (std::size_t i = 0; i < classes.size(); ++i) {
    if (classes[i] < 0 || classes[i] >= static_cast<std::int64_t>(factors.size())) {
      fail("fit: y is {} in row {}, and class_weights has {} classes, 0 to {}", classes[i], i, factors.size(),
           factors.size() - 1);
    }
    weights[i] = static_cast<float>(factors[static_cast<std::size_t>(classes[i])]);
  }
  return Array::from(weights);
}

Dataset rows_of(const Dataset& data, const data::Rows& rows) {
  const Array at = Array::from(rows);
  Dataset part{take(data.x, at), take(data.y, at)};
  if (data.weights.defined()) part.weights = take(data.weights, at);
  part.x.evaluate();
  part.y.evaluate();
  if (part.weights.defined()) part.weights.evaluate();
  return part;
}

Parts hold_out(const Dataset& data, double fraction, std::uint64_t seed) {
  const std::int64_t n = data.x.size(0);
  if (n < 2) fail("fit: validation {} of 1 example leaves nothing to train on; give more examples", fraction);
  std::vector<std::int32_t> classes;
  if (class_indices(data.y)) {
    classes = data.y.to_vector<std::int32_t>();
    for (std::int32_t& c : classes) c = std::max(c, -1);
  }
  const data::Split rows = data::split(data::all_rows(n), fraction, seed, classes);
  if (rows.held_out.empty()) {
    fail("fit: validation {} of {} examples leaves none to validate on; give more, or a larger share", fraction, n);
  }
  return {rows_of(data, rows.training), rows_of(data, rows.held_out)};
}

}  // namespace

void check_examples(std::string_view what, const Dataset& data) {
  if (!data.x.defined() || !data.y.defined()) {
    fail("{}: {} is an undefined Array; give examples as {{x, y}}", what, data.x.defined() ? "y" : "x");
  }
  if (data.x.rank() == 0 || data.y.rank() == 0) {
    fail("{}: x {} and y {} need a leading axis of examples", what, data.x.shape(), data.y.shape());
  }
  const std::int64_t n = data.x.size(0);
  if (n == 0) fail("{}: there are no examples: x has shape {}", what, data.x.shape());
  if (data.y.size(0) != n) {
    fail("{}: x {} has {} examples and y {} has {}; give one y for each x", what, data.x.shape(), n, data.y.shape(),
         data.y.size(0));
  }
  pellucid::evaluate(Arrays{data.x, data.y});
  check_finite(what, "x", data.x);
  check_finite(what, "y", data.y);
  if (data.weights.defined()) check_weights(what, data.weights, n);
}

void check_options(const FitOptions& o) {
  const auto at_least = [](std::string_view name, double value, double least) {
    if (!(value >= least && std::isfinite(value))) fail("fit: {} {} must be at least {}", name, value, least);
  };
  const auto positive = [](std::string_view name, double value) {
    if (!(value > 0 && std::isfinite(value))) fail("fit: {} {} must be more than 0", name, value);
  };
  if (o.restarts > 0 && o.optimizer_state != nullptr && !o.optimizer_state->empty()) {
    fail("fit: restarts {} begin anew, and optimizer_state goes on from a training before; leave one of them out",
         o.restarts);
  }
  if (!o.loss.defined()) fail("fit: no loss is given; set .loss, for example to loss::mean_squared_error");
  at_least("max_epochs", static_cast<double>(o.max_epochs), 1);
  at_least("restarts", static_cast<double>(o.restarts), 0);
  at_least("stall_epochs", static_cast<double>(o.stall_epochs), 1);
  if (!(o.stall_decrease >= 0 && o.stall_decrease < 1)) {
    fail("fit: stall_decrease {} must be in [0, 1), a share of the loss", o.stall_decrease);
  }
  if (o.tolerance) positive("tolerance", *o.tolerance);
  if (o.restarts > 0 && !o.tolerance) fail("fit: restarts {} need a tolerance that says when to stop", o.restarts);
  if (o.batch_size) at_least("batch_size", static_cast<double>(*o.batch_size), 1);
  if (o.patience) at_least("patience", static_cast<double>(*o.patience), 1);
  at_least("min_delta", o.min_delta, 0);
  if (o.target && !std::isfinite(*o.target)) fail("fit: target {} is not a finite number", *o.target);
  if (o.max_seconds) positive("max_seconds", *o.max_seconds);
  at_least("progress_seconds", o.progress_seconds, 0);
  at_least("checkpoint.seconds", o.checkpoint.seconds, 0);
  if (o.validation.fraction && !(*o.validation.fraction > 0 && *o.validation.fraction < 1)) {
    fail("fit: validation {} must be a share of the examples between 0 and 1, such as 0.1", *o.validation.fraction);
  }
  std::string names = "loss";
  const bool validation = o.validation.fraction || o.validation.data.x.defined();
  if (validation) names += ", validation_loss";
  bool known = o.monitor.empty() || o.monitor == "loss" || (validation && o.monitor == "validation_loss");
  for (const Metric& metric : o.metrics) {
    if (!metric.compute) fail("fit: the metric '{}' has no function", metric.name);
    known = known || metric.name == o.monitor;
    names += ", " + metric.name;
  }
  if (!known) fail("fit: monitor '{}' is none of what is computed here: {}", o.monitor, names);
}

Parts prepare(const Dataset& data, const FitOptions& options) {
  check_examples("fit", data);
  Parts parts;
  if (options.validation.fraction) {
    parts = hold_out(data, *options.validation.fraction, options.seed);
  } else {
    parts.training = data;
    const Dataset& held_out = options.validation.data;
    if (held_out.x.defined() || held_out.y.defined()) {
      check_examples("fit (validation)", held_out);
      parts.validation = held_out;
    }
  }
  if (options.class_weights.defined()) {
    Array& weights = parts.training.weights;
    const Array factors = class_factors(options.class_weights, parts.training.y);
    weights = weights.defined() ? (astype(weights, float32) * factors).evaluate() : factors;
    check_weights("fit (with class_weights)", weights, parts.training.x.size(0));
  }
  return parts;
}

}  // namespace pellucid::train
