// The loop of training: starts, epochs, steps, and why each ends.
#pragma once

#include <chrono>
#include <optional>

#include "pellucid/train.h"
#include "train/checkpoint.h"
#include "train/examples.h"
#include "train/interrupt.h"
#include "train/predictor.h"
#include "train/step.h"

namespace pellucid::train {

/// The epochs of a training, at most kMost of them: when there are more, every second one is dropped, and from then on
/// every second, fourth, ... is kept, and the last.
class History {
 public:
  /// Counts an epoch; true where it is one to keep.
  bool count() { return (seen_++ & (stride_ - 1)) == 0; }
  void add(const Epoch& epoch);
  /// The last epoch of a start, which is kept in any case.
  void finish(const Epoch& last);
  std::vector<Epoch> take() { return std::move(kept_); }
  nlohmann::json to_json() const;
  static History from_json(const nlohmann::json& json);

 private:
  static constexpr std::size_t kMost = 8192;
  std::vector<Epoch> kept_;
  std::uint64_t seen_ = 0, stride_ = 1;
};

/// Seconds, read from the clock so rarely that it costs nothing beside steps of any length.
class Watch {
 public:
  double now() {
    return last_ = before_ + std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }
  /// Adds the time of training before an interruption.
  void add(double seconds) { before_ += seconds; }
  /// The time at the last reading; reads again after steps of some 20 us together.
  double about() {
    if (--left_ == 0) {
      const double before = last_, passed = now() - before;
      if (passed < 10e-6) interval_ = interval_ < 1024 ? interval_ * 2 : interval_;
      if (passed > 40e-6) interval_ = interval_ > 1 ? interval_ / 2 : 1;
      left_ = interval_;
    }
    return last_;
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  double before_ = 0, last_ = 0;
  std::int64_t interval_ = 1, left_ = 1;
};

class Loop {
 public:
  /// Checks everything; changes nothing.
  Loop(nn::Ref module, const Dataset& data, const FitOptions& options);
  /// Trains, and gives the module what is kept.
  FitResult run();

 private:
  /// Parameters and buffers as they were at the end of an epoch. They share memory with the state until the next step,
  /// which then takes memory of its own.
  struct Snapshot {
    Arrays parameters, buffers;
    Epoch epoch;
    Arrays moments = {};  // the optimiser's state, where it is asked for
  };
  /// Absent: stalled, where restarts are left.
  using End = std::optional<Reason>;
  /// How much of the present epoch is done.
  struct Within {
    std::int64_t steps = 0, seen = 0;  // and examples
    double sum = 0;                    // of the losses of those
  };

  void begin();
  End train();
  End train_bare();
  End train_epochs();
  bool run_batches(double& loss, End& stop);
  End after_epoch(Epoch epoch);
  End between_steps(std::int64_t seen, double mean);

  Arrays present_parameters() const;
  Arrays present_buffers() const;
  Arrays present_moments() const;
  Snapshot present() const { return {present_parameters(), present_buffers(), last_, present_moments()}; }
  double monitored(const Epoch& epoch) const;
  bool better(double value, double best) const { return maximize_ ? value > best : value < best; }
  bool stalled(double loss);
  bool reached(double value) const;
  bool holds_below(double limit);
  Snapshot kept(End& end);
  void give(const Snapshot& snapshot);
  void fill_rates(std::vector<Epoch>& epochs) const;
  std::string explain(Reason reason, const Snapshot& snapshot) const;

  // resume.cpp. Written and taken up between two steps, never within one.
  bool prepare_checkpoint();  // true where there is one to go on from
  std::uint64_t checkpoint_bytes() const;
  bool checkpoint_due();
  void write_checkpoint(const Reason* end = nullptr);
  void resume();
  void end_checkpoint(Reason reason);
  nlohmann::json traits() const;

  Watch watch_;
  nn::Ref module_;
  const FitOptions& o_;
  Parts parts_;
  Learned learned_;
  optim::Optimizer optimizer_;
  StepSetup setup_;
  std::int64_t examples_, rows_, full_, rest_;  // an epoch: `full_` steps of rows_, and one of rest_ where not 0
  std::optional<Compiled> step_, rest_step_;
  std::optional<Predictor> predictor_;
  random::Key batch_key_, layer_key_, restart_key_;
  Schedule rate_;

  bool validated_ = false, keep_best_ = false, bare_ = false, maximize_ = false;
  static constexpr std::ptrdiff_t kLoss = -1, kValidation = -2;
  std::ptrdiff_t monitor_ = kLoss;  // or a metric's position
  std::string monitor_name_;

  std::optional<InterruptScope> interrupt_;
  History history_;
  std::int64_t total_steps_ = 0;
  double next_progress_ = 0, next_checkpoint_ = 0;
  Snapshot chosen_;  // of the starts before this one
  bool resumes_ = false;
  Before before_ = Before::kUnrelated;  // the checkpoint that is there
  End ended_;                           // how the training that was taken up had come to its end
  int signal_ = 0;
  std::uint64_t data_digest_ = 0;
  std::string checkpoint_error_;

  // Of the present start.
  std::int64_t start_ = 0, steps_ = 0, since_best_ = 0;
  Arrays state_, inputs_;
  std::optional<Arrays> first_moments_;  // of a training before, which this one goes on from
  Epoch last_;
  Within within_;
  double best_ = 0;
  bool has_best_ = false;
  Snapshot first_, best_snapshot_, finite_, before_step_;
  double stall_best_ = 0, stall_before_ = 0;
  double failed_loss_ = 0;  // where it diverged
  PlateauTracker plateau_;
};

}  // namespace pellucid::train
