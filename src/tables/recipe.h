// From options and data to a network and a way to train it: what is given counts, and what is not is chosen by the
// data. Pictures that a dense network learns take the same way.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/fail.h"
#include "pellucid/tabular.h"
#include "train/predictor.h"

namespace pellucid::tables {

/// Training rows below which an epoch is cheap and noise counts: more epochs, numbers unclipped, a second ensemble.
constexpr std::int64_t kFewRows = 2000;

/// Positions of the inputs that layers of their own make something else of.
struct EmbeddedInputs {
  std::vector<std::int64_t> numbers;         // neither levels nor signs of a missing value
  std::vector<std::int64_t> firsts, counts;  // the levels of each category that has many
};

/// The options of training with every choice made.
struct Recipe {
  std::vector<std::int64_t> hidden;
  std::string precision, activation, loss, optimizer, schedule;
  double dropout = 0, learning_rate = 0, weight_decay = 0, label_smoothing = 0, average = 0, l1 = 0, l2 = 0;
  std::int64_t batch = 0, epochs = 0;
  std::int64_t members = 0;  // of the ensemble; 0: the plain network
  bool embeds = false;       // the ensemble's numbers
  bool embeds_categories = false;
  bool folds = false;  // each member leaves out a part of the rows
  std::optional<std::int64_t> patience;
  bool calibrate = false;
  bool log_target = false;
};

/// Throws OptionError: the text of `format`, which begins with the option's name.
template <class... Args>
[[noreturn]] void misfit(std::string_view format, const Args&... args) {
  throw OptionError(base::format(format, args...));
}

/// The share of rows to validate on.
double validation_share(const TableOptions& options, data::Source source);

/// `rows`: of training; `validated`: there are rows to validate on. Throws OptionError where options do not fit.
Recipe make_recipe(const TableOptions& options, data::Source source, data::Task task, std::int64_t rows, bool validated,
                   const EmbeddedInputs& embedded = {});

/// The ensemble that is trained beside the recipe's own where rows are few: ReLU in place of SELU or Mish, and
/// a weight decay of 0.3. What the options set stays. None where rows are many, members leave none out, the optimiser
/// is another or nothing would differ.
std::optional<Recipe> second_recipe(const Recipe& recipe, const TableOptions& options, std::int64_t rows);

/// Layers from `inputs` numbers (after flattening, where `flatten`) to `outputs`, with fresh parameters.
nn::Sequential make_network(const Recipe& recipe, std::int64_t inputs, std::int64_t outputs, bool flatten,
                            std::uint64_t seed);

/// The activation of a name, as a layer; and the recipe's loss.
nn::AnyLayer activation_layer(const std::string& name);
loss::Loss make_loss(const Recipe& recipe);

/// Loss, optimiser, schedule, batches and stops; the caller adds data and callbacks.
FitOptions fit_options(const Recipe& recipe, data::Task task, std::int64_t rows, std::uint64_t seed);

/// Every choice, for the training record.
nlohmann::json to_json(const Recipe& recipe);

/// The epochs, for the training record.
nlohmann::json history_of(const FitResult& result, const std::string& metric);

/// Probabilities (rows, classes), or standardised values (rows, 1), of the network's inputs. Keeps its plans from call
/// to call; the network must outlive it.
class Outputs {
 public:
  Outputs(nn::Ref network, data::Task task);
  Array operator()(const Array& x);

 private:
  train::Predictor predictor_;
  Arrays parameters_, buffers_;
  data::Task task_;
};
/// The same, once.
Array output_of(nn::Ref network, data::Task task, const Array& x);

/// The factor in [1/8, 8] for which the log loss of scores (rows, classes) times it is least (temperature scaling: Guo
/// et al. 2017, "On Calibration of Modern Neural Networks"). `doubt` times the square of the factor's logarithm is
/// added to the sum of the rows' losses: with it, few rows that are all right do not make scores sure that are so
/// already.
double best_temperature(const Array& scores, const Array& y, double doubt = 0);
/// Multiplies the scores of the network by that factor on (x, y), and gives it. It goes into the last layer's
/// parameters.
double calibrate(nn::Sequential& network, const Array& x, const Array& y);

/// Throws OptionError where an option is out of its range or does not fit the table.
void check_options(const TableOptions& options, const io::Table& table, const data::Target& target);
/// What the rows of each class count by options.balanced and class_weights; y: of rows that count `weights`.
std::vector<double> class_factors(const TableOptions& options, const data::Target& target, const Array& y,
                                  const std::vector<double>& weights);
/// The root mean squared error of standardised numbers, in units of the target.
Metric score_in_units(const data::Target& target);
/// The same of values (rows, 1) that may lie beyond the range of training.
double error_in_units(const data::Target& target, const Array& prediction, const Array& truth, const Array& weights);

/// How often each class occurs among labels (n) in [0, classes).
std::vector<std::int64_t> count_classes(const Array& labels, std::size_t classes);

}  // namespace pellucid::tables
