// The options of `train`.
#include <algorithm>
#include <charconv>
#include <limits>
#include <memory>

#include "cli.h"
#include "pellucid/optim.h"
#include "pellucid/schedule.h"
#include "training.h"
#include "values.h"

namespace pellucid::cli {
namespace {

// "balanced", or "good=1", "bad=3": the last '=' counts.
void read_class_weights(TrainOptions& options) {
  for (const std::string& text : options.class_weights) {
    if (text == "balanced" && options.class_weights.size() == 1) {
      options.table.balanced = true;
      return;
    }
    const std::size_t equals = text.rfind('=');
    double weight = 0;
    const char* end = text.data() + text.size();
    const char* begin = equals == std::string::npos ? end : text.data() + equals + 1;
    const auto [stop, error] = std::from_chars(begin, end, weight);
    if (error != std::errc() || stop != end) {
      usage("--class-weights: '{}' is neither CLASS=WEIGHT nor, alone, balanced", text);
    }
    options.table.class_weights.emplace_back(text.substr(0, equals), weight);
  }
}

}  // namespace

void add_train(CLI::App& program, Action& action) {
  auto options = std::make_shared<TrainOptions>();
  CLI::App& verb =
      *program.add_subcommand("train", "Train a network on a table or on pictures, and write a model file");
  TrainOptions& o = *options;
  TableOptions& t = o.table;

  verb.add_option("data", o.data,
                  "A CSV or TSV file (header; plain, .gz or .zst), a folder of IDX files or of class folders of PNG "
                  "and JPEG, or an "
                  "NPZ file")
      ->type_name("DATA");
  verb.add_option("--target", o.target, "The column to predict (guessed where left out)")
      ->type_name("COLUMN")
      ->group("Data");
  verb.add_option("--task", o.task, "auto, classification or regression (auto: by the target's values)")
      ->check(one_of({"auto", "classification", "regression"}))
      ->type_name("TASK")
      ->group("Data");
  verb.add_option("--ignore", t.ignore, "Columns to leave out, separated by commas")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("COLUMNS")
      ->group("Data");
  verb.add_option("--schema", o.schema,
                  "A file of `pellucid schema`, edited or not: types, roles and what is refused (found out)")
      ->type_name("FILE")
      ->group("Data");
  verb.add_option(
          "--scaling", t.scaling,
          "How numbers are brought to scale: robust, standard, quantile, none, unclipped (unclipped below 2,000 "
          "rows, else robust)")
      ->transform(place_among({"robust", "standard", "quantile", "none", "unclipped"}))  // data::Scaling
      ->type_name("KIND")
      ->group("Data");
  verb.add_flag("--log-target", t.log_target,
                "Numbers above 0: learn the target's logarithm, so that errors of the same share count the same")
      ->group("Data");
  verb.add_option("--group", t.group, "The column that says which rows belong together: they are held out together")
      ->type_name("COLUMN")
      ->group("Data");
  verb.add_option("--time-column", t.time_column, "The column that says when a row was: the newest rows are held out")
      ->type_name("COLUMN")
      ->group("Data");
  verb.add_option("--weight", t.weight, "The column that says how much a row counts in training")
      ->type_name("COLUMN")
      ->group("Data");
  verb.add_option("--folds", o.folds, "Before the model, train so many with another part of the rows held out each")
      ->check(whole(2, 1000))
      ->type_name("K")
      ->group("Data");
  verb.add_option("--oof", o.oof, "With --folds: a CSV file of what is predicted for each row while it is held out")
      ->type_name("FILE")
      ->group("Data");
  verb.add_option("--classes", o.classes, "Names for the classes of pictures, in the order of their numbers")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("NAMES")
      ->group("Data");
  verb.add_option("--size", o.size, "PNG and JPEG: the size that all are brought to, 64 or 48,64 (height, width)")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->expected(1, 2)
      ->check(whole(1, 65535))
      ->type_name("PIXELS")
      ->group("Data");
  verb.add_option("--validation", t.validation,
                  "The share of rows held out to choose the best epoch (tables: none, each row is left out by one of "
                  "the networks; --fast 0.2; pictures 0.1; 0: none)")
      ->check(share())
      ->type_name("SHARE")
      ->group("Data");
  verb.add_option("--test", t.test, "The share of a table's rows kept for a last test that nothing is chosen by (0)")
      ->check(share())
      ->type_name("SHARE")
      ->group("Data");

  verb.add_option("--time", t.time, "Tables: train as well as possible in so many seconds; see --max-seconds for less")
      ->check(positive())
      ->type_name("S")
      ->group("Training");
  verb.add_option("--tune", t.tune, "Tables: try so many architectures and rates, and blend the best with the default")
      ->check(whole(1, 256))
      ->type_name("N")
      ->group("Training");
  verb.add_flag("--fast", t.fast, "Tables: one plain small network, in place of the ensemble")->group("Network");
  verb.add_option("--ensemble", t.ensemble, "Tables: members of the ensemble (8; below 2,000 rows of each of two)")
      ->check(whole(1, 1024))
      ->type_name("N")
      ->group("Network");
  verb.add_option("--network", o.network,
                  "dense: hidden layers. conv, for pictures: three stages of convolutions (dense)")
      ->check(one_of({"dense", "conv"}))
      ->type_name("KIND")
      ->group("Network");
  verb.add_option("--hidden", t.hidden,
                  "Sizes of the hidden layers, 0 for none (tables 128,128; --fast 256,256,256; pictures 256,128)")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(whole(0, 1 << 20))
      ->type_name("SIZES")
      ->group("Network");
  verb.add_option("--activation", t.activation,
                  fmt::format("One of: {} (tables selu for classes, mish for numbers, relu for the second ensemble "
                              "of less than 2,000 rows; pictures relu)",
                              fmt::join(table_activations(), ", ")))
      ->check(one_of(table_activations()))
      ->type_name("NAME")
      ->group("Network");
  verb.add_option("--dropout", t.dropout, "The share of hidden values dropped in training (0)")
      ->check(share())
      ->type_name("SHARE")
      ->group("Network");

  verb.add_option("--loss", t.loss,
                  "Classes: cross_entropy, focal[=gamma]. Numbers: mean_squared_error, mean_absolute_error, "
                  "huber[=delta], log_cosh, quantile[=q] (the first of each)")
      ->type_name("NAME")
      ->group("Training");
  verb.add_option("--label-smoothing", t.label_smoothing,
                  "For cross_entropy: the share of each label spread over all (tables 0.1; pictures 0)")
      ->check(share())
      ->type_name("SHARE")
      ->group("Training");
  verb.add_option(
          "--class-weights", o.class_weights,
          "Tables: how much the rows of classes count: balanced (all classes the same), or CLASS=WEIGHT,... (1)")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("WEIGHTS")
      ->group("Training");
  verb.add_option("--optimizer", t.optimizer, fmt::format("One of: {} (adamw)", fmt::join(optim::names(), ", ")))
      ->check(one_of(optim::names()))
      ->type_name("NAME")
      ->group("Training");
  verb.add_option("--learning-rate", t.learning_rate,
                  "The learning rate, the highest one of a schedule (tables 0.02 below 2,000 rows, else 0.04; --fast "
                  "and pictures 0.002)")
      ->check(positive())
      ->type_name("RATE")
      ->group("Training");
  verb.add_option("--schedule", t.schedule,
                  fmt::format("One of: {} (tables log-cycles; --fast and pictures one-cycle)",
                              fmt::join(schedule::names(), ", ")))
      ->check(one_of(schedule::names()))
      ->type_name("NAME")
      ->group("Training");
  verb.add_option("--weight-decay", t.weight_decay,
                  "Decoupled weight decay (tables 0, 0.3 for the second ensemble of less than 2,000 rows; --fast 0.3 "
                  "for classes, 0.01 for numbers; pictures 0.01)")
      ->check(not_negative())
      ->type_name("RATE")
      ->group("Training");
  verb.add_option("--precision", t.precision,
                  "float32, or bfloat16: operands of products are rounded, sums and parameters are float32 (float32)")
      ->check(one_of({"float32", "bfloat16"}))
      ->type_name("TYPE")
      ->group("Training");
  verb.add_option("--l1", t.l1, "The strength of the penalty on absolute weights (0)")
      ->check(not_negative())
      ->type_name("STRENGTH")
      ->group("Training");
  verb.add_option("--l2", t.l2, "The strength of the penalty on squared weights (0)")
      ->check(not_negative())
      ->type_name("STRENGTH")
      ->group("Training");
  verb.add_option(
          "--average", t.average,
          "Validate and keep a moving average of the parameters, which forgets a step by this factor; 0: none (0)")
      ->check(share())
      ->type_name("DECAY")
      ->group("Training");
  verb.add_option("--calibrate", t.calibrate,
                  "yes or no: multiply the scores of classes by the number that makes the log loss of the validation "
                  "rows least (yes)")
      ->transform(yes_or_no())
      ->type_name("YES|NO")
      ->group("Training");
  verb.add_option("--batch", t.batch, "Examples in a step (tables 32 to 256 by their rows; pictures 128)")
      ->check(whole(1))
      ->type_name("N")
      ->group("Training");
  verb.add_option("--epochs", t.epochs, "The most passes over the training rows (tables 40; --fast 100; pictures 10)")
      ->check(whole(1))
      ->type_name("N")
      ->group("Training");
  verb.add_option("--patience", t.patience, "Epochs without a better one before training ends; 0: never (0)")
      ->check(whole(0))
      ->type_name("N")
      ->group("Training");
  verb.add_option("--max-seconds", t.max_seconds,
                  "The most seconds for training; the result then depends on the machine (no limit)")
      ->check(positive())
      ->type_name("S")
      ->group("Training");
  verb.add_option("--seed", t.seed, "Everything random comes from it (0)")
      ->check(whole(0, std::numeric_limits<std::uint64_t>::max()))
      ->type_name("N")
      ->group("Training");

  verb.add_option("--threads", o.threads, "Threads to work with; results do not depend on it (all processors)")
      ->check(whole(1, 1024))
      ->type_name("N")
      ->group("Running");
  verb.add_option("--out", o.out, "The model file (DATA's name with .safetensors, in this folder)")
      ->type_name("FILE")
      ->group("Running");
  verb.add_option("--run", o.run,
                  "The training's folder: options, checkpoints, log, and the model where --out is left out (a folder "
                  "beside OUT, removed at the end)")
      ->type_name("FOLDER")
      ->group("Running");
  verb.add_option(
          "--resume", o.resume,
          "Go on with the training of this folder, which was interrupted or killed; DATA and options are its own")
      ->type_name("FOLDER")
      ->group("Running");
  verb.add_flag("--anew", o.anew, "Throw away the training that is found in the folder, and begin anew")
      ->group("Running");
  verb.add_option("--checkpoint", o.checkpoint_seconds, "Seconds between two checkpoints (60)")
      ->check(not_negative())
      ->type_name("S")
      ->group("Running");
  verb.add_option("--log", o.log, "A file of JSON lines with the time of each epoch")
      ->type_name("FILE")
      ->group("Running");
  verb.add_option("--tensorboard", o.tensorboard,
                  "A folder for an event file with losses, metric and learning rate of each epoch")
      ->type_name("FOLDER")
      ->group("Running");
  verb.add_option("--report", o.report, "A page with pictures about the model and the training: one HTML file")
      ->type_name("FILE")
      ->group("Running");
  verb.add_option("--config", o.config, "A TOML file of options; those of the command line count more")
      ->type_name("FILE")
      ->group("Running");
  CLI::Option* json = verb.add_flag("--json", o.json, "JSON lines for machines")->group("Running");
  verb.add_flag("--quiet", o.quiet, "Nothing but warnings and errors")->excludes(json)->group("Running");
  verb.footer(
      "Examples:\n"
      "  pellucid train income.csv --target income\n"
      "  pellucid train income.csv --target income --test 0.2 --report income.html\n"
      "  pellucid train houses.csv --hidden 128,128 --dropout 0.1 --epochs 200 --patience 30\n"
      "  pellucid train /usr/share/datasets/fashion-mnist --hidden 256,128 --epochs 10 --out fashion.safetensors\n"
      "  pellucid train income.csv --config recipe.toml --seed 7 --json > log.jsonl\n"
      "  pellucid train income.csv --run night   and, after a power cut:  pellucid train --resume night");
  verb.callback([options, &verb, &action] {
    if (!options->config.empty()) apply_config(verb, options->config);
    if (!options->run.empty()) options->run_is_temporary = false;
    if (!options->resume.empty()) apply_run(verb, *options);
    if (options->data.empty()) {
      usage("DATA is missing; `pellucid train --help` has examples");
    }
    options->given = given_options(verb);
    if (options->table.hidden && options->table.hidden == std::vector<std::int64_t>{0}) options->table.hidden->clear();
    if (options->table.hidden && std::count(options->table.hidden->begin(), options->table.hidden->end(), 0) > 0) {
      usage("--hidden: a layer of size 0 stands among others; leave it out, or give 0 alone for no hidden layer");
    }
    read_class_weights(*options);
    action = [options] { return run_train(*options); };
  });
}

}  // namespace pellucid::cli
