// Dataset, Metric, Checkpoint, Epoch, Progress, FitResult, Evaluation.
#include "results.h"

#include <nanobind/stl/tuple.h>

#include "losses.h"
#include "options.h"

namespace pellucid::python {

namespace {

using Named = std::vector<std::pair<std::string, double>>;

nb::dict dict_of(const Named& values) {
  nb::dict dict;
  for (const auto& [name, value] : values) dict[name.c_str()] = value;
  return dict;
}

std::string number(double value) { return nb::cast<std::string>(nb::str("{:.6g}").attr("format")(value)); }

std::string text_of(const Epoch& e) {
  std::string text = "Epoch(epoch=" + std::to_string(e.epoch) + ", loss=" + number(e.loss);
  if (e.validation_loss) text += ", validation_loss=" + number(*e.validation_loss);
  if (!e.metrics.empty()) {
    text += ", metrics=[";
    for (std::size_t i = 0; i < e.metrics.size(); ++i) text += (i == 0 ? "" : ", ") + number(e.metrics[i]);
    text += "]";
  }
  if (e.restart != 0) text += ", restart=" + std::to_string(e.restart);
  return text + ", steps=" + std::to_string(e.steps) + ", seconds=" + number(e.seconds) +
         (e.best ? ", best=True)" : ")");
}

using EpochState = std::tuple<std::int64_t, std::int64_t, std::int64_t, double, std::optional<double>,
                              std::vector<double>, double, double, bool>;
EpochState state_of(const Epoch& e) {
  return {e.epoch, e.restart, e.steps, e.loss, e.validation_loss, e.metrics, e.learning_rate, e.seconds, e.best};
}
Epoch epoch_from(const EpochState& s) { return std::make_from_tuple<Epoch>(s); }

void bind_inputs(nb::module_& m) {
  nb::class_<Dataset>(m, "Dataset",
                      "Examples: x (n, ...) is what the module is called with, y (n, ...) what the loss compares its "
                      "output with, weights (n) how much each example counts.")
      .def(
          "__init__",
          [](Dataset* self, nb::handle x, nb::handle y, nb::handle weights) {
            new (self) Dataset{as_array(x, "Dataset: x", true), as_array(y, "Dataset: y", true)};
            if (!weights.is_none()) self->weights = as_array(weights, "Dataset: weights", true);
          },
          nb::arg("x"), nb::arg("y"), nb::arg("weights").none() = nb::none())
      .def_ro("x", &Dataset::x)
      .def_ro("y", &Dataset::y)
      .def_prop_ro("weights", [](const Dataset& d) { return d.weights.defined() ? nb::cast(d.weights) : nb::none(); });
  nb::class_<Metric>(m, "Metric",
                     "A number for people, computed over all predictions of a data set at the end of an epoch.\n\n"
                     "compute: a function of (prediction, target) or (prediction, target, weights); with only a name, "
                     "one of metric_names().")
      .def(
          "__init__",
          [](Metric* self, const std::string& name, nb::handle compute, bool larger_is_better) {
            new (self) Metric(compute.is_none() ? Metric(name) : own_metric(name, compute, larger_is_better));
          },
          nb::arg("name"), nb::arg("compute").none() = nb::none(), nb::arg("larger_is_better") = true)
      .def_ro("name", &Metric::name)
      .def_ro("maximize", &Metric::maximize, "Larger is better.")
      .def("__repr__", [](const Metric& metric) { return "Metric('" + metric.name + "')"; });
  nb::class_<Checkpoint>(m, "Checkpoint",
                         "A file from which a training that was interrupted goes on, with the same result, bit for "
                         "bit.\n\n"
                         "path: written between two steps, at most every `seconds`, and removed when training has come "
                         "to its end.\n"
                         "resume: go on from the file where there is one. note: kept in the file, and must be equal "
                         "when it is taken up. keep: leave it there when training has come to its end; the next call "
                         "gives that result at once. warn: called with a sentence for people where a damaged file is "
                         "passed over.")
      .def(
          "__init__",
          [](Checkpoint* self, nb::handle path, double seconds, bool resume, const std::string& note, bool keep,
             nb::handle warn) {
            Checkpoint made{path_of(path), seconds, resume, note, keep, {}};
            if (!warn.is_none()) {
              if (PyCallable_Check(warn.ptr()) == 0) throw nb::type_error("Checkpoint: 'warn' is a function of a text");
              made.warn = [f = hold(warn)](const std::string& text) {
                const Locked lock;
                f.get()(text);
              };
            }
            new (self) Checkpoint(std::move(made));
          },
          nb::arg("path"), nb::arg("seconds") = 60.0, nb::arg("resume") = true, nb::arg("note") = "",
          nb::arg("keep") = false, nb::arg("warn").none() = nb::none())
      .def_ro("path", &Checkpoint::path)
      .def_ro("seconds", &Checkpoint::seconds)
      .def_ro("resume", &Checkpoint::resume)
      .def_ro("note", &Checkpoint::note)
      .def_ro("keep", &Checkpoint::keep);
}

void bind_steps(nb::module_& m) {
  nb::class_<Epoch>(m, "Epoch", "What happened in one epoch: a pass over all training examples.")
      .def_ro("epoch", &Epoch::epoch, "From 1, in this start.")
      .def_ro("restart", &Epoch::restart, "0: the first start.")
      .def_ro("steps", &Epoch::steps, "Updates so far, in this start.")
      .def_ro("loss", &Epoch::loss, "The mean over the examples, each as it was before the update that it led to.")
      .def_ro("validation_loss", &Epoch::validation_loss)
      .def_ro("metrics", &Epoch::metrics, "In the order of fit's metrics; on validation data where there are.")
      .def_ro("learning_rate", &Epoch::learning_rate, "Of the last update.")
      .def_ro("seconds", &Epoch::seconds, "Since fit was called.")
      .def_ro("best", &Epoch::best, "The best monitored value so far, in this start.")
      .def("__repr__", &text_of)
      .def("__getstate__", &state_of)
      .def("__setstate__", [](Epoch& e, const EpochState& state) { new (&e) Epoch(epoch_from(state)); });
  nb::class_<Progress>(m, "Progress", "Where training stands within an epoch.")
      .def_ro("epoch", &Progress::epoch)
      .def_ro("restart", &Progress::restart)
      .def_ro("examples", &Progress::examples, "Seen in this epoch.")
      .def_ro("total", &Progress::total, "Training examples.")
      .def_ro("loss", &Progress::loss, "The mean over those seen.")
      .def_ro("seconds", &Progress::seconds, "Since fit was called.")
      .def("__repr__", [](const Progress& p) {
        return "Progress(epoch=" + std::to_string(p.epoch) + ", examples=" + std::to_string(p.examples) + " of " +
               std::to_string(p.total) + ", loss=" + number(p.loss) + ")";
      });
}

using ResultState = std::tuple<std::pair<int, std::string>, std::pair<std::int64_t, std::int64_t>,
                               std::pair<std::int64_t, std::int64_t>, std::pair<double, std::optional<double>>, Named,
                               std::pair<std::int64_t, double>, std::string, std::vector<EpochState>>;

ResultState state_of(const FitResult& r) {
  std::vector<EpochState> history;
  for (const Epoch& e : r.history) history.push_back(state_of(e));
  return {{static_cast<int>(r.reason), r.explanation},
          {r.epoch, r.restart},
          {r.kept_epoch, r.kept_restart},
          {r.loss, r.validation_loss},
          r.metrics,
          {r.steps, r.seconds},
          r.checkpoint_error,
          history};
}

FitResult result_from(const ResultState& s) {
  FitResult r;
  r.reason = static_cast<Reason>(std::get<0>(s).first);
  r.explanation = std::get<0>(s).second;
  std::tie(r.epoch, r.restart) = std::get<1>(s);
  std::tie(r.kept_epoch, r.kept_restart) = std::get<2>(s);
  std::tie(r.loss, r.validation_loss) = std::get<3>(s);
  r.metrics = std::get<4>(s);
  std::tie(r.steps, r.seconds) = std::get<5>(s);
  r.checkpoint_error = std::get<6>(s);
  for (const EpochState& e : std::get<7>(s)) r.history.push_back(epoch_from(e));
  return r;
}

void bind_outcomes(nb::module_& m) {
  nb::class_<FitResult>(m, "FitResult", "Why training ended, and what came of it.")
      .def_prop_ro(
          "reason", [](const FitResult& r) { return std::string(name_of(r.reason)); },
          "'converged', 'target reached', 'no improvement', 'maximum of epochs', 'maximum of seconds', 'diverged', "
          "'interrupted' or 'stopped'.")
      .def_prop_ro("converged", &FitResult::converged)
      .def_ro("explanation", &FitResult::explanation,
              "The reason with its numbers: 'converged (loss below 1e-6)'; where diverged, the remedy too.")
      .def_ro("epoch", &FitResult::epoch, "The last one, from 1, in its start; 0: none was finished.")
      .def_ro("restart", &FitResult::restart, "Which start it was in.")
      .def_ro("kept_epoch", &FitResult::kept_epoch, "The epoch whose parameters the module has now.")
      .def_ro("kept_restart", &FitResult::kept_restart)
      .def_ro("loss", &FitResult::loss, "Of the epoch that was kept.")
      .def_ro("validation_loss", &FitResult::validation_loss)
      .def_prop_ro(
          "metrics", [](const FitResult& r) { return dict_of(r.metrics); }, "A dict by name.")
      .def_ro("steps", &FitResult::steps, "Updates in all starts.")
      .def_ro("seconds", &FitResult::seconds)
      .def_ro("checkpoint_error", &FitResult::checkpoint_error,
              "Why the last checkpoint could not be written; empty where it was.")
      .def_ro("history", &FitResult::history,
              "A list of Epoch, of all starts; of more than 8192 epochs every second, fourth, ... and the last of each "
              "start.")
      .def(
          "plot",
          [](nb::handle self, nb::handle axes) {
            return nb::module_::import_("pellucid._plot").attr("plot")(self, axes);
          },
          nb::arg("axes").none() = nb::none(),
          "Draws the loss by epoch (and the validation loss, and metrics on an axis of their own) with matplotlib. "
          "Gives "
          "the Axes. Raises ImportError where matplotlib is not installed.")
      .def("__repr__", [](const FitResult& r) { return to_string(r); })
      .def("__getstate__", [](const FitResult& r) { return state_of(r); })
      .def("__setstate__", [](FitResult& r, const ResultState& state) { new (&r) FitResult(result_from(state)); });
  nb::class_<Evaluation>(m, "Evaluation", "Loss and metrics of a module's predictions.")
      .def_ro("loss", &Evaluation::loss)
      .def_prop_ro(
          "metrics", [](const Evaluation& e) { return dict_of(e.metrics); }, "A dict by name.")
      .def("__repr__", [](const Evaluation& e) {
        std::string text = "Evaluation(loss=" + number(e.loss);
        for (const auto& [name, value] : e.metrics) text += ", " + name + "=" + number(value);
        return text + ")";
      });
}

}  // namespace

void bind_results(nb::module_& m) {
  bind_inputs(m);
  bind_steps(m);
  bind_outcomes(m);
}

}  // namespace pellucid::python
