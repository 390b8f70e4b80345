// The folder of one training: what was asked for, where it stands, its log, and who is at work in it.
//
//   run.json               options, folder, state and place of the model
//   checkpoint*            where training stands, and what it was before (see pellucid::Checkpoint)
//   log.jsonl              one line for each epoch, with times
//   lock                   the process at work
//   model.safetensors      what came out, unless --out names another place
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "base/lock_file.h"
#include "pellucid/train.h"
#include "train/interrupt.h"

namespace pellucid::cli {

/// What run.json says.
struct RunRecord {
  /// The options of the command by their names, each with its texts; paths are absolute.
  nlohmann::json options = nlohmann::json::object();
  std::string model;               // an absolute path
  std::string state = "training";  // or "stopped" (it can go on), "done"
  bool temporary = false;          // to be removed when the model is there

  bool done() const { return state == "done"; }
};
/// Where the model of a run stands: in its folder, which may have been moved, unless --out named another place.
std::string model_of_run(const std::string& folder, const RunRecord& record);
/// Nothing where the folder holds no run. Throws Error where its run.json is damaged or of a newer format.
std::optional<RunRecord> read_run(const std::string& folder);

class RunFolder {
 public:
  struct Setup {
    std::string path;  // empty: there is no folder, and nothing is kept
    RunRecord record;
    bool resume = false;  // as the run's own record says: nothing is compared
    bool anew = false;    // whatever training it holds is thrown away
    double seconds = 60;  // between two checkpoints
    bool silent = false;  // says nothing of going on
  };
  explicit RunFolder(Setup setup) : setup_(std::move(setup)) {}
  /// Gives the lock back. A temporary folder without a checkpoint is removed.
  ~RunFolder();
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

  /// Makes the folder, or takes over what an interrupted training with the same options left in it; once. Throws Error
  /// where another process is at work in it, where it holds a training that has ended or had other options, or files
  /// that are none of a run, and where it cannot be written.
  void begin();
  /// The same; and from here on a signal leads to a checkpoint.
  void begin_training();

  /// For fit: of several trainings in a row each has a stage of its own, and those that have ended are not done again.
  Checkpoint checkpoint(const std::string& stage = "") const;
  /// Empty where there is no folder.
  std::string log() const { return setup_.path.empty() ? "" : setup_.path + "/log.jsonl"; }
  const std::string& path() const { return setup_.path; }
  bool going_on() const;  // there is a checkpoint

  /// Training was stopped, and can go on.
  void stop();
  /// The model is there: the checkpoints are removed, a temporary folder with them.
  void finish();

 private:
  void write(const std::string& state);
  void remove_files();

  Setup setup_;
  std::optional<base::LockFile> lock_;
  std::optional<train::InterruptScope> interrupt_;
};

}  // namespace pellucid::cli
