// From a table to a model that predicts: the one place where the shell, C++ and Python train on tables.
//
//   const io::Table table = io::read_csv("houses.csv");
//   TableFit fit = fit_table(table, "price", {.seed = 7});
//   fit.model.save("houses.safetensors");
//   const Array prices = TableModel::load("houses.safetensors").predict(io::read_csv("new.csv"));
//
// What is not set is chosen by the data. The result is the same, bit for bit, for any number of threads, and after an
// interrupted training has gone on from its checkpoint.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pellucid/array.h"
#include "pellucid/data.h"
#include "pellucid/error.h"
#include "pellucid/io.h"
#include "pellucid/nn.h"
#include "pellucid/train.h"

namespace pellucid {

/// Options that do not fit together or to the data. The text begins with the option's name: "patience 3 needs ...".
class OptionError : public Error {
 public:
  using Error::Error;
};

struct TablePlan;

/// How fit_table trains. Absent, empty or 0 where a comment says so: chosen by the data.
struct TableOptions {
  // ---- The data -----------------------------------------------------------------------------------------------------

  /// Absent: by the target's values (data::guess_task).
  std::optional<data::Task> task = {};
  /// Columns to leave out.
  std::vector<std::string> ignore = {};
  /// Columns of numbers to take as categories.
  std::vector<std::string> categories = {};
  /// The share of rows held out to choose the epoch and to calibrate by, in [0, 1). Absent: see `ensemble`; where
  /// `fast`, 0.2. 0: none.
  std::optional<double> validation = {};
  /// The share of rows kept for a last test that nothing is chosen by, in [0, 1).
  double test = 0;
  /// What the columns are and are for; absent: found out. Roles in it count where the names below are empty.
  std::optional<data::Schema> schema = {};
  /// Columns that are not learned from: rows of one group are held out together; the rows with the newest time are held
  /// out; what rows count in training. Empty: none. With a group or a time, `validation` is 0.2 where it is absent.
  std::string group = {}, time_column = {}, weight = {};
  /// Rows of the table for the last test, in the place of a share.
  data::Rows test_rows = {};
  /// Regression: learn the logarithm of the target, which must be above 0, so that errors of the same share count the
  /// same; predictions and intervals are in its own units. A prediction is then the middle of what may be, not the
  /// mean.
  bool log_target = false;
  /// How numbers are brought to scale. Absent: kUnclipped for ensembles of less than 2,000 training rows, else kRobust.
  std::optional<data::Scaling> scaling = {};
  /// How much each row of the table counts; empty: all the same.
  std::vector<double> sample_weights = {};
  /// Each class counts as if all were equally frequent; for classification.
  bool balanced = false;
  /// How much the named classes count, others 1; for classification.
  std::vector<std::pair<std::string, double>> class_weights = {};

  // ---- The network --------------------------------------------------------------------------------------------------

  /// Try so many recipes, and blend the best with the default: see docs/tables.md. Not for `fast`.
  std::optional<std::int64_t> tune = {};
  /// Train as many ensembles as there is time for, in seconds (with `tune`: after it), and blend them. The result then
  /// depends on the machine; after an interruption the seconds before it count. Not for `fast`.
  std::optional<double> time = {};
  /// The plain small network: one member, the validation share held out from it.
  bool fast = false;
  /// Members of the ensemble; absent: chosen. Without `validation`, each leaves out a part of the rows that no other
  /// does: they choose the epoch and calibrate, and all rows are learned from.
  std::optional<std::int64_t> ensemble = {};
  /// Sizes of the hidden layers; an empty list for none. Absent: chosen.
  std::optional<std::vector<std::int64_t>> hidden = {};
  /// One of table_activations(); empty: chosen.
  std::string activation = {};
  /// The share of hidden values dropped in training, in [0, 1).
  std::optional<double> dropout = {};

  // ---- Training -----------------------------------------------------------------------------------------------------

  /// One of table_losses(task), some with a number: "huber=0.5". Empty: cross_entropy, or mean_squared_error.
  std::string loss = {};
  /// One of optim::names() and schedule::names(); empty: chosen.
  std::string optimizer = {}, schedule = {};
  /// Absent: chosen.
  std::optional<double> learning_rate = {}, weight_decay = {}, label_smoothing = {}, average = {};
  double l1 = 0, l2 = 0;
  /// Rows in a step, and the most passes over the training rows; absent: chosen.
  std::optional<std::int64_t> batch = {}, epochs = {};
  /// So many epochs without a better one end training; absent or 0: none do.
  std::optional<std::int64_t> patience = {};
  /// The most seconds of training; the result then depends on the machine.
  std::optional<double> max_seconds = {};
  /// "float32" or "bfloat16" (operands of products; see precision.h).
  std::string precision = "float32";
  /// For classes: scores are multiplied by what makes the log loss of the validation rows least.
  bool calibrate = true;
  /// Everything random comes from it.
  std::uint64_t seed = 0;

  // ---- On the way ---------------------------------------------------------------------------------------------------

  /// Called when the data are prepared and every choice is made, before training.
  std::function<void(const TablePlan&)> on_plan = {};
  /// As in FitOptions; metrics[0] is the accuracy, or the root mean squared error in units of the target.
  std::function<bool(const Epoch&)> on_epoch = {};
  std::function<bool(const Progress&)> on_progress = {};
  /// Called with a line for people on each round of `tune`.
  std::function<void(const std::string&)> on_tune = {};
  Checkpoint checkpoint = {};
  bool catch_interrupt = true;
  /// As FitOptions::optimizer_state: one for each ensemble that is kept, or for the plain network. With `tune` or
  /// `time`, and in fit_folds, none is left in it.
  std::vector<OptimizerState>* optimizer_states = nullptr;
};

/// Names for TableOptions::activation and, by the task, loss.
std::vector<std::string> table_activations();
std::vector<std::string> table_losses(data::Task task);

/// A trained model: what stands between tables and the network, the network, and how it was trained. A value.
class TableModel {
 public:
  data::Preprocessing preprocessing;
  nn::Sequential network;
  /// How it was trained, as JSON; nothing in it depends on time.
  std::string record = "{}";

  const data::Target& target() const { return preprocessing.target; }
  bool classifies() const { return target().task == data::Task::kClassification; }

  /// Probabilities, float32 (rows, classes) in the order of target().classes; for regression values, float64 (rows), in
  /// units of the target and within the range of training. Columns are found by name. Throws Error as data::encode
  /// does.
  Array predict(const io::Table& table);
  /// The same for numbers (rows, columns): the columns of training but the target, in their order.
  Array predict(const Array& x);
  /// The same as a table, as `pellucid predict` writes it: see data::decode_predictions.
  io::Table predict_table(const io::Table& table);

  /// The bounds between which 90 % of such rows' targets lie, float64 (rows, 2): quantiles that were conformalised on
  /// rows held out. Throws Error where the model predicts classes, or was trained `fast`.
  Array intervals(const io::Table& table);
  Array intervals(const Array& x);

  /// What the network says of its inputs (data::encode): probabilities (rows, classes), or standardised values
  /// (rows, 1), with their bounds behind them (rows, 3) where the model has intervals.
  Array output(const Array& inputs);

  /// One safetensors file, the one that the shell reads and writes. Throws Error where it cannot be written.
  void save(const std::string& path) const;
  /// Throws Error where the file is no model, is of pictures, or its parts do not belong together.
  static TableModel load(const std::string& path);
};

/// What is about to be trained.
struct TablePlan {
  const TableModel& model;  // the network as it starts
  std::int64_t training_rows = 0, validation_rows = 0, test_rows = 0;
  std::vector<std::int64_t> class_counts;  // of the training rows
  std::string recipe;                      // every choice, as JSON
  std::int64_t epochs = 0;                 // the most
  bool may_stop_early = false;
  std::vector<std::string> warnings;  // leaks, rows that are in two parts
};

/// What the model says of rows that it was not fitted to.
struct TablePart {
  data::Rows rows;  // of the table
  Array output;  // as TableModel::output; undefined where there are no rows. Where each member left out a part of the
                 // rows: what those say that did not learn from them
  Array y;       // as data::encode_target
};

struct TableFit {
  TableModel model;
  FitResult training;
  TablePart validation, test;
};

/// Prepares, trains, calibrates. Rows without a target are left out. Throws OptionError where options do not fit, Error
/// where the data cannot be learned from or training diverges.
TableFit fit_table(const io::Table& table, const std::string& target, const TableOptions& options = {});
/// The same for numbers: x (rows, columns), y (rows). The columns are called x0, x1, ..., the target y. NaN is missing.
TableFit fit_table(const Array& x, const Array& y, const TableOptions& options = {});

/// Models that each held out another part of the rows, and what they say of it.
struct FoldsFit {
  std::vector<TableFit> fits;  // each with its part as `test`
  data::Rows rows;             // all labelled rows, ascending
  std::vector<int> fold;       // that held out each of them, from 0
  io::Table predictions;       // for each of them, as data::decode_predictions
  int signal = 0;              // where interrupted: its number
};
/// Trains `count` models, each with one of as many parts held out for the test: by classes, or by whole groups;
/// `on_fold` is called after each. After an interrupt, the models that came to their end, and no predictions. Throws as
/// fit_table, and OptionError for a time or a test.
FoldsFit fit_folds(const io::Table& table, const std::string& target, int count, const TableOptions& options = {},
                   const std::function<void(int fold, const TableFit& fit)>& on_fold = {});
/// Columns row (from 1), fold (from 1), the target, "predicted TARGET", and those of data::decode_predictions.
io::Table out_of_fold_table(const FoldsFit& folds, const io::Table& table, const std::string& target);

/// Goes on with a model that is there: `options.epochs` (absent: 1) more passes over the rows of the table, which is
/// brought into the terms that the model has. Its preprocessing and calibration stay. Throws Error as fit_table does,
/// and where a class is not one of the model's.
FitResult update_table_model(TableModel& model, const io::Table& table, const TableOptions& options = {});
FitResult update_table_model(TableModel& model, const Array& x, const Array& y, const TableOptions& options = {});

/// Numbers (rows, columns) as a table; names x0, x1, ... where none are given. Throws Error for another rank, and where
/// names and columns differ in number.
io::Table table_of(const Array& x, const std::vector<std::string>& names = {});

}  // namespace pellucid
