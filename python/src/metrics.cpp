// pellucid.metrics.
#include "pellucid/metrics.h"

#include "core.h"

namespace pellucid::python {

namespace {

using metrics::Average;

Average average_of(const std::string& name) {
  if (name == "binary") return Average::kBinary;
  if (name == "macro") return Average::kMacro;
  if (name == "micro") return Average::kMicro;
  if (name == "weighted") return Average::kWeighted;
  throw nb::value_error(("average is 'binary', 'macro', 'micro' or 'weighted', not '" + name + "'").c_str());
}

/// Metrics read values: they are computed first.
void settle(const Array& a, const Array& b, const Array& c = {}) {
  Arrays list;
  for (const Array* x : {&a, &b, &c}) {
    if (x->defined()) list.push_back(*x);
  }
  evaluate_released(list);
}

using Plain = double (*)(const Array&, const Array&, const Array&);

void define(nb::module_& m, const char* name, const char* first, Plain f, const char* doc = nullptr) {
  const std::string known = doc_of((std::string("metrics.") + name).c_str());
  m.def(
      name,
      [f](const Operand& x, const Operand& target, const MaybeOperand& weights) {
        settle(x, target, weights);
        return f(x, target, weights);
      },
      nb::arg(first), nb::arg("target"), nb::arg("weights").none() = nb::none(), doc != nullptr ? doc : known.c_str());
}

using Averaged = double (*)(const Array&, const Array&, Average, const Array&, double);
void define(nb::module_& m, const char* name, Averaged f, const char* doc) {
  m.def(
      name,
      [f](const Operand& x, const Operand& target, const std::string& average, const MaybeOperand& weights,
          double threshold) {
        settle(x, target, weights);
        return f(x, target, average_of(average), weights, threshold);
      },
      nb::arg("prediction"), nb::arg("target"), nb::arg("average") = "binary", nb::arg("weights").none() = nb::none(),
      nb::arg("threshold") = 0.5, doc);
}

void bind_scores(nb::module_& m) {
  m.def(
      "confusion_matrix",
      [](const Operand& x, const Operand& target, std::optional<std::int64_t> classes, const MaybeOperand& weights,
         double threshold) {
        settle(x, target, weights);
        const metrics::Confusion counts = metrics::confusion_matrix(x, target, classes, weights, threshold);
        const auto n = static_cast<std::int64_t>(counts.size());
        std::vector<double> flat;
        for (const auto& row : counts) flat.insert(flat.end(), row.begin(), row.end());
        return Array::from_memory(flat.data(), flat.size(), {n, n}, DType::kFloat64);
      },
      nb::arg("prediction"), nb::arg("target"), nb::arg("classes").none() = nb::none(),
      nb::arg("weights").none() = nb::none(), nb::arg("threshold") = 0.5,
      "(classes, classes), float64: element i, j is the number of samples (or the sum of their weights) of class i "
      "that "
      "were predicted as j. classes: one more than the largest index on either side, or the number of scores.");
  m.def(
      "scores",
      [](const Operand& x, const Operand& target, const std::string& average, const MaybeOperand& weights,
         double threshold) {
        settle(x, target, weights);
        const metrics::Scores s = metrics::scores(x, target, average_of(average), weights, threshold);
        nb::dict dict;
        dict["precision"] = s.precision;
        dict["recall"] = s.recall;
        dict["f1"] = s.f1;
        return dict;
      },
      nb::arg("prediction"), nb::arg("target"), nb::arg("average") = "binary", nb::arg("weights").none() = nb::none(),
      nb::arg("threshold") = 0.5,
      "A dict of precision (of what is predicted as a class, the share that is right), recall (of a class, the share "
      "that is found) and f1 (their harmonic mean).\n\n"
      "average: 'binary' is that of class 1 of two, 'macro' the mean over classes, 'micro' from the counts of all "
      "classes together, 'weighted' the mean weighted by their shares of the targets.");
  define(m, "precision", &metrics::precision, "Of what is predicted as a class, the share that is right; see scores.");
  define(m, "recall", &metrics::recall, "Of a class, the share that is found; see scores.");
  define(m, "f1", &metrics::f1, "The harmonic mean of precision and recall; see scores.");
}

}  // namespace

void bind_metrics(nb::module_& parent) {
  nb::module_ m = parent.def_submodule("metrics");
  m.def(
      "accuracy",
      [](const Operand& x, const Operand& target, const MaybeOperand& weights, double threshold) {
        settle(x, target, weights);
        return metrics::accuracy(x, target, weights, threshold);
      },
      nb::arg("prediction"), nb::arg("target"), nb::arg("weights").none() = nb::none(), nb::arg("threshold") = 0.5,
      doc_of("metrics.accuracy"));
  m.def(
      "top_k_accuracy",
      [](const Operand& x, const Operand& target, std::int64_t k, const MaybeOperand& weights) {
        settle(x, target, weights);
        return metrics::top_k_accuracy(x, target, k, weights);
      },
      nb::arg("scores"), nb::arg("target"), nb::arg("k"), nb::arg("weights").none() = nb::none(),
      doc_of("metrics.top_k_accuracy"));
  bind_scores(m);
  define(m, "roc_auc", "scores", &metrics::roc_auc);
  define(m, "log_loss", "probabilities", &metrics::log_loss);
  m.def(
      "expected_calibration_error",
      [](const Operand& x, const Operand& target, int bins, const MaybeOperand& weights) {
        settle(x, target, weights);
        return metrics::expected_calibration_error(x, target, bins, weights);
      },
      nb::arg("probabilities"), nb::arg("target"), nb::arg("bins") = 15, nb::arg("weights").none() = nb::none(),
      doc_of("metrics.expected_calibration_error"));
  define(m, "mean_absolute_error", "prediction", &metrics::mean_absolute_error,
         "The mean of |prediction - target| over all elements; weights of the leading axis.");
  define(m, "mean_squared_error", "prediction", &metrics::mean_squared_error,
         "The mean of (prediction - target)^2 over all elements; weights of the leading axis.");
  define(m, "root_mean_squared_error", "prediction", &metrics::root_mean_squared_error);
  define(m, "r2", "prediction", &metrics::r2);
}

}  // namespace pellucid::python
