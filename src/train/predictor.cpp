// predict and evaluate.
#include "train/predictor.h"

#include "base/fail.h"
#include "pellucid/ops.h"
#include "train/examples.h"

namespace pellucid {

using base::fail;

namespace train {

Predictor::Predictor(nn::Ref module, std::int64_t batch_size)
    : batch_size_(batch_size),
      run_(compile(Function([f = nn::functional(module,
                                                [module](const Arrays& in) {
                                                  const auto context = nn::Context::evaluation();
                                                  return Arrays{module(in[0])};
                                                })](const Arrays& in) { return Arrays{f(in)[0]}; }),
                   {.name = "predict"})) {}

Array Predictor::operator()(const Arrays& parameters, const Arrays& buffers, const Array& x) {
  Arrays arguments = parameters;
  arguments.insert(arguments.end(), buffers.begin(), buffers.end());
  arguments.emplace_back();
  const std::int64_t n = x.size(0);
  Arrays parts;
  for (std::int64_t at = 0; at < n; at += batch_size_) {
    const std::int64_t end = std::min(at + batch_size_, n);
    arguments.back() = at == 0 && end == n ? x : slice(x, 0, at, end);
    parts.push_back(std::move(run_(arguments)[0]));
    if (parts.back().rank() == 0 || parts.back().size(0) != end - at) {
      fail("predict: the module gives {} for {} rows; it must give one output for each", parts.back().shape(),
           end - at);
    }
  }
  return parts.size() == 1 ? parts[0] : concat(parts).evaluate();
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
  if (!x.defined() || x.rank() == 0 || x.size(0) == 0) fail("predict: there are no rows in x");
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
