// Metrics by name: what the functions of metrics.h get from a network's output.
#include <map>

#include "base/fail.h"
#include "pellucid/metrics.h"
#include "pellucid/ops.h"
#include "pellucid/train.h"

namespace pellucid {

namespace {

using metrics::Average;

/// One score a sample: (n), (n, 1).
bool single(const Array& prediction) {
  return is_float(prediction.dtype()) && (prediction.rank() == 1 || prediction.size(-1) == 1);
}
/// Scores of class 1 are logits: 0 is even.
constexpr double kThreshold = 0;

Array probabilities(const Array& prediction) {
  if (!is_float(prediction.dtype())) return prediction;
  return single(prediction) ? sigmoid(prediction) : softmax(prediction);
}

metrics::Scores scores(const Array& prediction, const Array& target, const Array& weights) {
  const auto counts = metrics::confusion_matrix(prediction, target, {}, weights, kThreshold);
  return metrics::scores(counts, counts.size() <= 2 ? Average::kBinary : Average::kMacro);
}

struct Known {
  Metric::Compute compute;
  bool maximize;
};

const std::map<std::string_view, Known>& known() {
  using A = const Array&;
  static const auto* all = new std::map<std::string_view, Known>{
      {"accuracy", {[](A p, A t, A w) { return metrics::accuracy(p, t, w, kThreshold); }, true}},
      {"top_5_accuracy", {[](A p, A t, A w) { return metrics::top_k_accuracy(p, t, 5, w); }, true}},
      {"precision", {[](A p, A t, A w) { return scores(p, t, w).precision; }, true}},
      {"recall", {[](A p, A t, A w) { return scores(p, t, w).recall; }, true}},
      {"f1", {[](A p, A t, A w) { return scores(p, t, w).f1; }, true}},
      {"roc_auc", {[](A p, A t, A w) { return metrics::roc_auc(probabilities(p), t, w); }, true}},
      {"log_loss", {[](A p, A t, A w) { return metrics::log_loss(probabilities(p), t, w); }, false}},
      {"expected_calibration_error",
       {[](A p, A t, A w) { return metrics::expected_calibration_error(probabilities(p), t, 15, w); }, false}},
      {"mean_absolute_error", {[](A p, A t, A w) { return metrics::mean_absolute_error(p, t, w); }, false}},
      {"mean_squared_error", {[](A p, A t, A w) { return metrics::mean_squared_error(p, t, w); }, false}},
      {"root_mean_squared_error", {[](A p, A t, A w) { return metrics::root_mean_squared_error(p, t, w); }, false}},
      {"r2", {[](A p, A t, A w) { return metrics::r2(p, t, w); }, true}},
  };
  return *all;
}

}  // namespace

const std::vector<std::string>& metric_names() {
  static const auto* names = [] {
    auto* list = new std::vector<std::string>;
    for (const auto& [name, metric] : known()) list->emplace_back(name);
    return list;
  }();
  return *names;
}

Metric::Metric(std::string_view wanted) : name(wanted) {
  const auto found = known().find(wanted);
  if (found == known().end()) {
    std::string all;
    for (const std::string& each : metric_names()) all += (all.empty() ? "" : ", ") + each;
    base::fail("Metric: there is no '{}'; there are {}; or give a name and a function", wanted, all);
  }
  compute = found->second.compute;
  maximize = found->second.maximize;
}

}  // namespace pellucid
