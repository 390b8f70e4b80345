// fit: the five steps of training (initialise, forward, loss, gradients and a step down them, until it is enough),
// and predict and evaluate for what comes out.
//
//   nn::Sequential mlp{nn::Linear(2, 4), nn::ReLU(), nn::Linear(4, 1)};
//   auto result = fit(mlp, {x, y}, {.loss = loss::mean_squared_error, .optimizer = optim::SGD{.learning_rate = 0.1}});
//   std::cout << result << '\n';   // "converged (loss below 1e-6) at epoch 412, restart 1, ..."
//
// Nothing is hidden in it. The same by hand, with public functions alone:
//
//   auto loss = nn::functional(mlp, [&](const Arrays& in) {
//     return Arrays{loss::mean_squared_error(mlp(in[0]), in[1])};
//   });
//   Arrays state = nn::parameters(mlp);    // for a module with buffers or dropout see nn::functional and nn::Context
//   const auto count = state.size();
//   auto step = compile(optim::training_step(loss, optimizer, count));
//   for (const Array& s : optimizer.init(state)) state.push_back(s);
//   const auto keys = random::split(random::key(seed), 3);      // for batches, layers and restarts
//   for (std::int64_t epoch = 1; epoch <= epochs; ++epoch) {    // start: 0, or the number of the restart
//     const Array order = random::permutation(random::fold_in(random::fold_in(keys[0], start), epoch), n);
//     for (std::int64_t at = 0; at < n; at += batch) {
//       const Array rows = slice(order, 0, at, std::min(at + batch, n));
//       step.step(state, {take(x, rows), take(y, rows)});
//     }
//   }
//   nn::set_parameters(mlp, {state.begin(), state.begin() + count});
//
// In fit the batch is taken inside the plan; without batch_size a step takes {x, y} as they are. Layers draw from
// nn::Context(fold_in(fold_in(keys[1], start), step)), step from 0; restarts begin with nn::initialize(mlp,
// fold_in(keys[2], start)).
#pragma once

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pellucid/array.h"
#include "pellucid/loss.h"
#include "pellucid/module.h"
#include "pellucid/optim.h"
#include "pellucid/precision.h"

namespace pellucid {

/// Examples: x (n, ...) is what the module is called with, y (n, ...) what the loss compares its output with, weights
/// (n) how much each example counts: in the loss and in metrics, in training and in validation; undefined: all equal.
struct Dataset {
  Array x, y;
  Array weights = {};
};

/// A number for people, computed over all predictions of a data set at the end of an epoch.
struct Metric {
  using Compute = std::function<double(const Array& prediction, const Array& target, const Array& weights)>;

  /// One of metrics.h by its name (metric_names()), with its defaults. Throws Error for another name.
  Metric(std::string_view known);                                 // NOLINT(google-explicit-constructor)
  Metric(const char* known) : Metric(std::string_view(known)) {}  // NOLINT(google-explicit-constructor)
  Metric(std::string called, Compute function, bool larger_is_better = true)
      : name(std::move(called)), compute(std::move(function)), maximize(larger_is_better) {}

  std::string name;
  Compute compute;
  bool maximize = true;  // larger is better
};
/// accuracy, top_5_accuracy, precision, recall, f1 (both macro where there are more than two classes), roc_auc,
/// log_loss and expected_calibration_error (of softmax or sigmoid of the prediction: logits are given),
/// mean_absolute_error, mean_squared_error, root_mean_squared_error, r2. Single columns of scores are taken as logits:
/// class 1 from 0 on.
const std::vector<std::string>& metric_names();

/// Data that is not learned from: a share of the examples, or others. Absent by default.
struct Validation {
  Validation() = default;
  /// In (0, 1): data::split holds it out, by the seed; each class gives its share where y is integers (n).
  Validation(double held_out) : fraction(held_out) {}          // NOLINT(google-explicit-constructor)
  Validation(Dataset held_out) : data(std::move(held_out)) {}  // NOLINT(google-explicit-constructor)
  Validation(Array x, Array y, Array weights = {}) : data{std::move(x), std::move(y), std::move(weights)} {}

  std::optional<double> fraction;
  Dataset data;
};

/// What happened in one epoch: a pass over all training examples.
struct Epoch {
  std::int64_t epoch = 0;    // from 1, in this start
  std::int64_t restart = 0;  // 0: the first start
  std::int64_t steps = 0;    // updates so far, in this start
  double loss = 0;           // the mean over the examples, each as it was before the update that it led to
  std::optional<double> validation_loss = {};
  std::vector<double> metrics = {};  // in the order of FitOptions::metrics; on validation data where there are
  double learning_rate = 0;          // of the last update
  double seconds = 0;                // of training, that before an interruption included
  bool best = false;                 // the best monitored value so far, in this start
};

/// Where training stands within an epoch.
struct Progress {
  std::int64_t epoch = 0, restart = 0;
  std::int64_t examples = 0;  // seen in this epoch
  std::int64_t total = 0;     // training examples
  double loss = 0;            // the mean over those seen
  double seconds = 0;         // of training, that before an interruption included
};

/// A file from which a training that was interrupted goes on, with the same result, bit for bit. See docs/surviving.md.
struct Checkpoint {
  /// Empty: none is written. It is written between two steps, also where training is interrupted, stopped by a callback
  /// or out of time, and removed when training has come to its end. The file is there whole or not at all, and the one
  /// before it is kept as `path`.previous: where a checksum shows that the file is damaged, that one is used.
  std::string path = {};
  /// At most so often.
  double seconds = 60;
  /// Go on from the file where there is one. It must be of the same module, data, batches, loss and seed, else it is an
  /// Error; other options (schedule, patience, ...) are the caller's business.
  bool resume = true;
  /// Kept in the file, and must be equal too: for what fit cannot see, such as a recipe.
  std::string note = {};
  /// Leave the file there when training has come to its end too, with what it came to (unless it diverged). The next
  /// call gives that result at once: of several trainings in a row, each with a file of its own, those that have ended
  /// are not done again.
  bool keep = false;
  /// Called with a sentence for people where a damaged file is passed over.
  std::function<void(const std::string&)> warn = {};
};

/// What an optimiser keeps beside the parameters: the names of Optimizer::state_names ("step", "first_moment.weight").
using OptimizerState = std::vector<nn::NamedArray>;

struct FitOptions {
  /// What is made small: a scalar (mean or sum) of (module(x), y, weights). It must be given.
  loss::Loss loss = {};
  optim::Optimizer optimizer = optim::Adam{};
  /// Of contractions and convolutions in training steps (precision.h). Parameters stay in their type, and validation,
  /// metrics and predictions are computed in it.
  Precision precision = Precision::kFloat32;
  /// In each start.
  std::int64_t max_epochs = 100;
  /// Converged: the training loss of an epoch is below this, and without batches that of the updated parameters too.
  std::optional<double> tolerance = {};
  /// How often to start again from fresh parameters (nn::initialize with a key of its own; frozen parameters stay) when
  /// the tolerance is not reached in max_epochs, the loss diverges, `patience` runs out, or training stalls: see
  /// stall_epochs. They need a tolerance. The best start's parameters are kept.
  std::int64_t restarts = 0;
  /// Stalled: over this many epochs the loss has not fallen by `stall_decrease` of itself. Looked at only while
  /// restarts are left.
  std::int64_t stall_epochs = 100;
  double stall_decrease = 0.05;
  /// Examples in a step; absent: all of them. The last batch of an epoch is smaller where they do not divide, but a
  /// single example joins the batch before it.
  std::optional<std::int64_t> batch_size = {};
  /// Draw the batches anew in each epoch: random::permutation(fold_in(key, epoch)). Without batch_size there is none.
  bool shuffle = true;

  Validation validation = {};
  /// What counts as better, for patience, target, restore_best and schedule::OnPlateau: "loss" (training),
  /// "validation_loss", or a metric's name. Empty: the validation loss where there is validation data, else the loss.
  std::string monitor = {};
  /// No improvement: so many epochs in a row no value was better than the best by more than min_delta.
  std::optional<std::int64_t> patience = {};
  double min_delta = 0;
  /// Target reached: the monitored value is at most this (at least, where larger is better).
  std::optional<double> target = {};
  /// The module gets the parameters and buffers of the epoch with the best monitored value, where there is validation
  /// data or patience. Else, or without this, those of the last step. (Where the loss is monitored, without batches:
  /// the parameters that it was computed with, those before the epoch's update.)
  bool restore_best = true;
  /// Of training, in all: time before an interruption counts too.
  std::optional<double> max_seconds = {};

  Checkpoint checkpoint = {};

  /// Everything random comes from it: batches, dropout, held-out rows, restarts.
  std::uint64_t seed = 0;
  std::vector<Metric> metrics = {};
  /// (classes): multiplied into the weights of the training examples by their class, y being integers (n).
  Array class_weights = {};
  /// Where given: the counts and moments in it go on, if they are of this rule and these parameters (else, and where it
  /// is empty, all begin anew), and those that belong to the parameters that the module gets are left in it. Schedules
  /// count from the beginning of this training. Not with restarts, which begin anew.
  OptimizerState* optimizer_state = nullptr;
  /// Accept parameters without influence on the loss; else they are an error that names them.
  bool allow_unused = false;

  /// Called at the end of each epoch, when the module has its parameters; false stops.
  std::function<bool(const Epoch&)> on_epoch = {};
  /// Called within epochs, at most every `progress_seconds`; false stops after the running step.
  std::function<bool(const Progress&)> on_progress = {};
  double progress_seconds = 0.1;
  /// SIGINT (Ctrl-C), SIGTERM and SIGHUP stop after the running step, and a second one ends the program at once. The
  /// handlers are there only while fit runs, and not for a signal that is ignored. False: leave signals alone.
  bool catch_interrupt = true;
};

/// Why training ended.
enum class Reason {
  kConverged,      // the loss is below the tolerance
  kTarget,         // the monitored value reached the target
  kNoImprovement,  // for `patience` epochs
  kMaxEpochs,
  kMaxSeconds,
  kDiverged,     // the loss is NaN or infinite
  kInterrupted,  // by SIGINT, SIGTERM or SIGHUP
  kStopped,      // by on_epoch or on_progress
};
/// "converged", "target reached", "no improvement", "maximum of epochs", "maximum of seconds", "diverged",
/// "interrupted", "stopped".
std::string_view name_of(Reason reason);

struct FitResult {
  Reason reason = Reason::kMaxEpochs;
  /// The reason with its numbers: "converged (loss below 1e-6)"; where diverged, the remedy too.
  std::string explanation;
  std::int64_t epoch = 0;    // the last one, from 1, in its start; 0: none was finished
  std::int64_t restart = 0;  // which start it was in
  /// The epoch (and its start) whose parameters the module has now. Epoch 0: those that training started from.
  std::int64_t kept_epoch = 0, kept_restart = 0;
  /// Of that epoch: see Epoch; NaN where there is none. Where training converged without batches: the loss of the
  /// parameters that the module has.
  double loss = 0;
  std::optional<double> validation_loss = {};
  std::vector<std::pair<std::string, double>> metrics = {};
  std::int64_t steps = 0;  // updates in all starts
  double seconds = 0;      // of training, that before an interruption included
  int signal = 0;          // where interrupted: its number
  /// Why the last checkpoint could not be written (training goes on without); empty where it was.
  std::string checkpoint_error = {};
  /// Of all starts; of more than 8192 epochs every second, fourth, ... and the last of each start.
  std::vector<Epoch> history;

  bool converged() const { return reason == Reason::kConverged; }
};
/// "converged (loss below 1e-6) at epoch 412, restart 1: loss 9.94e-07, 1412 steps in 0.3 ms".
std::string to_string(const FitResult& result);
std::ostream& operator<<(std::ostream& out, const FitResult& result);

/// Trains the module from its present parameters; they are replaced at the end, and at each epoch where on_epoch is
/// given. Frozen parameters stay as they are. Where the optimiser keeps averages of parameters, these are what is
/// validated and what the module gets.
///
/// One step (batch, forward, backward, update) is one compiled plan, changed in place. The result is the same, bit for
/// bit, for any number of threads.
///
/// Where training diverges, the module gets the best parameters kept, else those of the last finite epoch where there
/// are batches, else those it had.
///
/// Throws Error, before anything is changed: a checkpoint that is damaged, of another training, or cannot be written;
/// no loss or not a scalar one; no examples; numbers of examples in x, y and weights that differ; NaN or infinity in x,
/// y or weights, negative weights (the row is named); class indices out of range (value and row are named); options out
/// of range; a module without trainable parameters, or whose output the loss does not take.
FitResult fit(nn::Ref module, const Dataset& data, const FitOptions& options);

/// module(x) in evaluation, `batch_size` rows at a time, by one compiled plan. Throws Error for no rows.
Array predict(nn::Ref module, const Array& x, std::int64_t batch_size = 1024);

/// Writes parameters and buffers under their names, and the module's description: a model file as io::save_model's,
/// which `pellucid inspect` and Python's `load` open. Throws Error where it cannot be written.
void save(nn::View module, const std::string& path);
/// Gives the module the arrays of a safetensors file by their names. Throws Error where it cannot be read, and where
/// names or shapes are not the module's or, unless `partial`, one of the module's is not there; nothing is replaced
/// then.
void load(nn::Ref module, const std::string& path, bool partial = false);

struct Evaluation {
  double loss = 0;
  std::vector<std::pair<std::string, double>> metrics;
};
/// Loss (the undefined Loss: 0) and metrics of the module's predictions. Throws Error as fit does for such data.
Evaluation evaluate(nn::Ref module, const Dataset& data, const loss::Loss& loss,
                    const std::vector<Metric>& metrics = {}, std::int64_t batch_size = 1024);

}  // namespace pellucid
