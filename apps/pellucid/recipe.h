// From options and data to a network and a way to train it: what is given counts, and what is not is chosen by the
// data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli.h"
#include "model.h"
#include "pellucid/train.h"

namespace pellucid::cli {

/// The options of `train`, as they were given.
struct TrainOptions {
  std::string data;
  std::string target;  // empty: guessed
  std::string task = "auto";
  std::vector<std::string> ignore;
  std::vector<std::string> classes;  // names for the classes of pictures
  std::vector<std::int64_t> size;    // of pictures: empty, one number, or height and width

  std::string network = "dense";  // or conv, for pictures
  std::string precision = "float32";
  std::optional<std::vector<std::int64_t>> hidden;
  std::string activation, loss, optimizer, schedule;  // empty: chosen
  std::optional<double> dropout, learning_rate, weight_decay, label_smoothing, average;
  std::optional<std::int64_t> batch, epochs, patience;
  std::optional<double> max_seconds;
  double l1 = 0, l2 = 0;
  bool calibrate = true;
  std::optional<double> validation;
  double test = 0;
  std::uint64_t seed = 0;

  int threads = 0;  // 0: as the environment says
  std::string out, log, config;
  bool json = false, quiet = false, resume = false;
};

/// Trains and saves; gives the exit status.
int run_train(TrainOptions options);

/// The same with every choice made.
struct Recipe {
  std::string network, precision;
  std::vector<std::int64_t> hidden;
  std::string activation, loss, optimizer, schedule;
  double dropout = 0, learning_rate = 0, weight_decay = 0, label_smoothing = 0, average = 0, l1 = 0, l2 = 0;
  std::int64_t batch = 0, epochs = 0;
  std::optional<std::int64_t> patience;
  bool calibrate = false;
};

/// The shares of rows to validate on.
double validation_share(const TrainOptions& options, data::Source source);

/// `rows`: of training; `validated`: there are rows to validate on. Throws UsageError where options do not fit.
Recipe make_recipe(const TrainOptions& options, data::Source source, data::Task task, std::int64_t rows,
                   bool validated);

/// A network from inputs of the given shape (without the batch) to `outputs` numbers, with fresh parameters.
nn::Sequential make_network(const Recipe& recipe, const Shape& input, std::int64_t outputs, std::uint64_t seed);

/// Loss, optimiser, schedule, batches and stops; the caller adds data and callbacks.
FitOptions fit_options(const Recipe& recipe, data::Task task, std::int64_t rows, const nn::Sequential& network,
                       std::uint64_t seed);

/// Every choice, for the training record.
Json to_json(const Recipe& recipe);

/// Names for --activation and --loss.
std::vector<std::string> activation_names();
std::vector<std::string> loss_names(data::Task task);

}  // namespace pellucid::cli
