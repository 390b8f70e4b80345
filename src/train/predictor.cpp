// predict and evaluate.
#include "train/predictor.h"

#include <algorithm>

#include "array/node.h"
#include "base/fail.h"
#include "base/thread_pool.h"
#include "pellucid/ops.h"
#include "pellucid/precision.h"
#include "train/examples.h"

namespace pellucid {

using base::fail;

namespace train {

Predictor::Predictor(nn::Ref module, std::int64_t batch_size, int side_by_side) : batch_size_(batch_size) {
  for (int i = 0; i < side_by_side; ++i) {
    plans_.push_back(compile(Function([f = nn::functional(module,
                                                          [module](const Arrays& in) {
                                                            const auto context = nn::Context::evaluation();
                                                            return Arrays{module(in[0])};
                                                          })](const Arrays& in) { return Arrays{f(in)[0]}; }),
                             {.name = "predict"}));
  }
}

/// The outputs for the batch of x that begins with row `at`.
Array Predictor::run(std::size_t plan, const Arrays& parameters, const Arrays& buffers, const Array& x,
                     std::int64_t at) {
  const std::int64_t n = x.size(0), end = std::min(at + batch_size_, n);
  Arrays arguments = parameters;
  arguments.insert(arguments.end(), buffers.begin(), buffers.end());
  arguments.push_back(at == 0 && end == n ? x : slice(x, 0, at, end));
  Array part = std::move(plans_[plan](arguments)[0]);
  if (part.rank() == 0 || part.size(0) != end - at) {
    fail("predict: the module gives {} for {} rows; it must give one output for each", part.shape(), end - at);
  }
  return part;
}

Array Predictor::operator()(const Arrays& parameters, const Arrays& buffers, const Array& x) {
  if (!x.defined() || x.rank() == 0 || x.size(0) == 0) fail("predict: there are no rows in x");
  const std::int64_t n = x.size(0), full = n / batch_size_, batches = (n + batch_size_ - 1) / batch_size_;
  // Where there are few batches, a batch's own loops are what is shared out.
  const auto most = static_cast<std::int64_t>(array::KeepGraph::active() ? 1 : plans_.size());
  const std::int64_t plans = std::clamp<std::int64_t>(full / 4, 1, most);
  Arrays parts(static_cast<std::size_t>(batches));
  const auto run_batch = [&](std::int64_t batch, std::int64_t plan) {
    parts[static_cast<std::size_t>(batch)] =
        run(static_cast<std::size_t>(plan), parameters, buffers, x, batch * batch_size_);
  };
  std::int64_t first = 0;
  if (plans > 1) {
    // A module is traced by one thread at a time: the first batch of each plan, and the last one where it is shorter,
    // are run here.
    for (std::int64_t plan = ready_for(x); plan < plans; ++plan) run_batch(first++, plan);
    ready_ = std::max(ready_, plans);
    const auto run_beside = [&, precision = PrecisionScope::current()](std::int64_t i, int thread) {
      const PrecisionScope scope(precision);
      run_batch(first + i, thread);
    };
    base::parallel_for(full - first, run_beside, static_cast<int>(plans));
    first = full;
  }
  for (; first < batches; ++first) run_batch(first, 0);
  return parts.size() == 1 ? parts[0] : concat(parts).evaluate();
}

/// How many plans have been traced for batches of rows like these.
std::int64_t Predictor::ready_for(const Array& x) {
  Signature now{Shape(x.shape().begin() + 1, x.shape().end()), x.dtype(), PrecisionScope::current()};
  if (now != traced_) ready_ = 0;
  traced_ = std::move(now);
  return ready_;
}

std::vector<double> compute(const std::vector<Metric>& metrics, const Array& prediction, const Dataset& data) {
  std::vector<double> values;
  values.reserve(metrics.size());
  for (const Metric& metric : metrics) values.push_back(metric.compute(prediction, data.y, data.weights));
  return values;
}

double compute(const loss::Loss& loss, const Array& prediction, const Dataset& data) {
  const Array value = loss(prediction, data.y, data.weights);
  if (value.size() != 1) {
    fail("{}: the loss has shape {}, not one number; use the reduction kMean or kSum", loss.name(), value.shape());
  }
  return value.item<double>();
}

}  // namespace train

Array predict(nn::Ref module, const Array& x, std::int64_t batch_size) {
  if (batch_size < 1) fail("predict: batch_size {}; take at least 1 row at a time", batch_size);
  return train::Predictor(module, batch_size)(nn::parameters(module), nn::buffers(module), x);
}

Evaluation evaluate(nn::Ref module, const Dataset& data, const loss::Loss& loss, const std::vector<Metric>& metrics,
                    std::int64_t batch_size) {
  train::check_examples("evaluate", data);
  for (const Metric& metric : metrics) {
    if (!metric.compute) fail("evaluate: the metric '{}' has no function", metric.name);
  }
  const Array prediction = predict(module, data.x, batch_size);
  Evaluation result;
  if (loss.defined()) result.loss = train::compute(loss, prediction, data);
  const std::vector<double> values = train::compute(metrics, prediction, data);
  for (std::size_t i = 0; i < metrics.size(); ++i) result.metrics.emplace_back(metrics[i].name, values[i]);
  return result;
}

}  // namespace pellucid
