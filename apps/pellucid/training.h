// What the parts of `train` share: its options, what comes out of training, and what is shown on the way.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "cli.h"
#include "model.h"
#include "pellucid/tabular.h"
#include "progress.h"
#include "run_folder.h"

namespace pellucid::cli {

/// The options of `train`, as they were given.
struct TrainOptions {
  std::string data;
  std::string target;  // empty: guessed
  std::string task = "auto";
  std::vector<std::string> classes;        // names for the classes of pictures
  std::vector<std::int64_t> size;          // of pictures: empty, one number, or height and width
  std::string schema;                      // a file
  int folds = 0;                           // 0: none
  std::string oof;                         // where their predictions go
  std::string network = "dense";           // or conv, for pictures
  std::vector<std::string> class_weights;  // as they were given
  TableOptions table;                      // what pictures have of it serves them too

  int threads = 0;  // 0: as the environment says
  std::string out, log, config, report, tensorboard;
  std::string run, resume;         // folders; empty: none
  bool run_is_temporary = true;    // as long as none is named
  double checkpoint_seconds = 60;  // between two checkpoints
  Json given;                      // the options that make the result, by their names, each with its texts
  bool json = false, quiet = false, anew = false;
};

/// The options that were given, by their names without dashes, each with its texts; paths are made absolute. Those that
/// make no difference to the result are left out.
Json given_options(const CLI::App& verb);
/// For `options.resume`: gives the options that its run had, and with them the place of the model. Throws UsageError
/// where it is no run, or options stand beside it that the run decides.
void apply_run(CLI::App& verb, TrainOptions& options);

/// Trains and saves; gives the exit status.
int run_train(TrainOptions options);

/// What training gave.
struct Trained {
  Model model;
  FitResult result;
  TablePart validation, test;      // what the model says of them
  bool folds = false;              // validation: each row by the member that left it out
  std::string test_name;           // "test images"
  Array x;                         // what the network takes of the test part, else of the validation part; where shown
  std::vector<std::string> notes;  // what the reader of the data decided
  std::map<std::string, std::int64_t> missing;  // fields of a table's columns
};
/// Each shows the data and the plan, and trains with the view that run_train finishes.
Trained train_table(const TrainOptions& options, RunFolder& run);
Trained train_pictures(const TrainOptions& options, RunFolder& run);

// ---- What both show -------------------------------------------------------------------------------------------------

/// Without its folders.
std::string base_name(const std::string& data);
/// "good 71.8 %, bad 28.2 %", some of them.
std::string class_list(const data::Target& target, const std::vector<std::int64_t>& counts);
/// The network, the training and the validation that are to come; `recipe` is JSON. `input`: sizes of one example.
void show_plan(const TrainOptions& options, const Json& recipe, const nn::Sequential& network, const Shape& input,
               std::int64_t outputs, std::int64_t rows, std::int64_t validated);
/// The lines about epochs.
ProgressView::Setup progress_setup(const TrainOptions& options, const RunFolder& run, data::Task task,
                                   std::int64_t epochs, std::int64_t rows, bool may_stop_early);

}  // namespace pellucid::cli
