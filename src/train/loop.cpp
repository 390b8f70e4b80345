// One start of training: its state, its epochs and steps.
#include "train/loop.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "pellucid/ops.h"
#include "pellucid/random.h"

namespace pellucid::train {

namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

Array int64_of(std::int64_t value) { return Array::from(std::vector<std::int64_t>{value}, {}); }

/// The loss that a step gave: its first extra output, which stays where it is during Compiled::steps.
class LossPlace {
 public:
  double read(const Arrays& extra) {
    if (place_ == nullptr) {
      place_ = extra[0].raw_data();
      wide_ = extra[0].dtype() == float64;
    }
    return wide_ ? *static_cast<const double*>(place_) : double{*static_cast<const float*>(place_)};
  }

 private:
  const void* place_ = nullptr;
  bool wide_ = false;
};

}  // namespace

void Loop::begin() {
  Arrays trainable = learned_.trainable, buffers = learned_.buffers;
  if (start_ > 0) {
    const auto restore = [&] {
      nn::set_parameters(module_, learned_.parameters(learned_.trainable));
      nn::set_buffers(module_, learned_.buffers);
    };
    try {
      nn::initialize(module_, random::fold_in(restart_key_, Array(start_)));
    } catch (...) {
      restore();
      throw;
    }
    trainable = Learned(module_).trainable;
    buffers = nn::buffers(module_);
    restore();
  }
  const Arrays moments = first_moments_.value_or(optimizer_.init(trainable));
  first_ = {trainable, buffers, Epoch{.restart = start_, .loss = kNone}, o_.optimizer_state ? moments : Arrays()};
  state_ = trainable;
  state_.insert(state_.end(), moments.begin(), moments.end());
  state_.insert(state_.end(), buffers.begin(), buffers.end());
  if (setup_.random) state_.push_back(int64_of(0));
  if (setup_.gathered) state_.push_back(int64_of(0));

  const Dataset& data = parts_.training;
  inputs_ = learned_.frozen;
  inputs_.insert(inputs_.end(), {data.x, data.y});
  if (setup_.weighted) inputs_.push_back(data.weights);
  if (setup_.random) inputs_.push_back(random::fold_in(layer_key_, Array(start_)));
  if (setup_.shuffled) inputs_.emplace_back();

  steps_ = since_best_ = 0;
  within_ = {};
  last_ = Epoch{.restart = start_, .loss = kNone};
  has_best_ = false;
  best_snapshot_ = finite_ = before_step_ = {};
  stall_best_ = stall_before_ = kInfinity;
  if (optimizer_.plateau() != nullptr) plateau_ = PlateauTracker(*optimizer_.plateau());
}

Loop::End Loop::train() { return bare_ ? train_bare() : train_epochs(); }

bool Loop::reached(double value) const { return o_.target && (maximize_ ? value >= *o_.target : value <= *o_.target); }

bool Loop::stalled(double loss) {
  stall_best_ = std::min(stall_best_, loss);
  if (last_.epoch % o_.stall_epochs != 0) return false;
  const bool still = stall_best_ > stall_before_ * (1 - o_.stall_decrease);
  stall_before_ = stall_best_;
  stall_best_ = kInfinity;
  return still;
}

// A step's loss is that of the parameters before it. Where all examples are in one, the next step's loss is that of the
// parameters we have, so one is made on the side; then `last_` has the loss that it gave.
bool Loop::holds_below(double limit) {
  if (setup_.gathered) return true;
  const Arrays state = state_;
  const double loss = LossPlace().read(step_->step(state_, inputs_));
  state_ = state;
  if (!(loss <= limit)) return false;
  last_.loss = loss;
  return true;
}

// Nothing but steps: a step is an epoch, and what is done between two of them takes a few nanoseconds.
Loop::End Loop::train_bare() {
  const double tolerance = o_.tolerance.value_or(-kInfinity);
  const double target = o_.target.value_or(-kInfinity);
  const double until = o_.max_seconds.value_or(kInfinity);
  const bool restarts_left = start_ < o_.restarts;
  double best = kInfinity;
  while (last_.epoch < o_.max_epochs) {
    End end = Reason::kMaxEpochs;
    LossPlace place;
    step_->steps(state_, inputs_, o_.max_epochs - last_.epoch, [&](const Arrays& extra) {
      const double loss = place.read(extra);
      ++steps_;
      const auto stop = [&](End why) {
        end = why;
        return false;
      };
      if (!std::isfinite(loss)) {
        failed_loss_ = loss;
        return stop(Reason::kDiverged);
      }
      ++last_.epoch;
      last_.steps = steps_;
      last_.loss = loss;
      last_.best = loss < best - o_.min_delta;
      if (last_.best) best = loss;
      last_.seconds = watch_.about();
      if (history_.count()) history_.add(last_);
      if (loss < tolerance) return stop(Reason::kConverged);
      if (loss <= target) return stop(Reason::kTarget);
      if (interrupt_->requested()) return stop(Reason::kInterrupted);
      if (last_.seconds >= until) return stop(Reason::kMaxSeconds);
      if (restarts_left && stalled(loss)) return stop({});
      return true;
    });
    const bool early =
        (end == Reason::kConverged && !holds_below(tolerance)) || (end == Reason::kTarget && !holds_below(target));
    if (!early) return end;
  }
  return Reason::kMaxEpochs;
}

Loop::End Loop::train_epochs() {
  for (std::int64_t epoch = last_.epoch + 1; epoch <= o_.max_epochs; ++epoch) {
    if (setup_.shuffled) {
      const auto key = random::fold_in(random::fold_in(batch_key_, Array(start_)), Array(epoch));
      inputs_.back() = random::permutation(key, examples_).evaluate();
    }
    Epoch now{.epoch = epoch, .restart = start_};
    End stop;
    if (keep_best_ && monitor_ == kLoss && !setup_.gathered) before_step_ = present();
    if (!run_batches(now.loss, stop)) return stop;
    now.steps = steps_;
    now.learning_rate = rate_.at((steps_ - 1) / optimizer_.options().accumulate, plateau_.scale);
    const End end = after_epoch(std::move(now));
    if (end) return end;
    if (stop) return stop;
    if (start_ < o_.restarts && stalled(last_.loss)) return {};
    if (checkpoint_due()) write_checkpoint();
  }
  return Reason::kMaxEpochs;
}

// False where the epoch was not finished; then `stop` says why. `loss` is the mean over the examples seen. Begins where
// `within_` stands: after a resumption that may be in the middle.
bool Loop::run_batches(double& loss, End& stop) {
  const auto run = [&](Compiled& step, std::int64_t rows, std::int64_t count) {
    while (!stop && count > 0) {
      LossPlace place;
      bool due = false;
      step.steps(state_, inputs_, count, [&](const Arrays& extra) {
        const double value = place.read(extra);
        ++steps_;
        --count;
        if (!std::isfinite(value)) {
          failed_loss_ = value;
          stop = Reason::kDiverged;
          return false;
        }
        within_.sum += value * static_cast<double>(rows);
        within_.seen += rows;
        ++within_.steps;
        stop = between_steps(within_.seen, within_.sum / static_cast<double>(within_.seen));
        due = checkpoint_due();
        return !stop && !due;
      });
      if (due && !stop && within_.seen < examples_) write_checkpoint();
    }
  };
  run(*step_, rows_, full_ - std::min(within_.steps, full_));
  if (!stop && rest_ > 0) run(*rest_step_, rest_, 1);
  loss = within_.sum / static_cast<double>(within_.seen);
  if (within_.seen < examples_) return false;
  within_ = {};
  return true;
}

Loop::End Loop::between_steps(std::int64_t seen, double mean) {
  if (interrupt_->requested()) return Reason::kInterrupted;
  const double now = watch_.now();
  if (o_.max_seconds && now >= *o_.max_seconds) return Reason::kMaxSeconds;
  if (o_.on_progress && now >= next_progress_) {
    next_progress_ = now + o_.progress_seconds;
    const Progress progress{.epoch = last_.epoch + 1,
                            .restart = start_,
                            .examples = seen,
                            .total = examples_,
                            .loss = mean,
                            .seconds = now};
    if (!o_.on_progress(progress)) return Reason::kStopped;
  }
  return {};
}

Loop::End Loop::after_epoch(Epoch now) {
  const Snapshot here = present();
  if (predictor_) {
    const Dataset& data = validated_ ? parts_.validation : parts_.training;
    const Array prediction = (*predictor_)(learned_.parameters(here.parameters), here.buffers, data.x);
    if (validated_) now.validation_loss = compute(o_.loss, prediction, data);
    now.metrics = compute(o_.metrics, prediction, data);
  }
  const double value = monitored(now);
  now.best =
      !std::isnan(value) && (!has_best_ || better(value, maximize_ ? best_ + o_.min_delta : best_ - o_.min_delta));
  now.seconds = watch_.now();
  last_ = now;
  if (setup_.gathered || keep_best_) finite_ = {here.parameters, here.buffers, now, here.moments};
  if (now.best) {
    best_ = value;
    has_best_ = true;
    since_best_ = 0;
    const Snapshot& measured = before_step_.parameters.empty() ? here : before_step_;
    if (keep_best_) best_snapshot_ = {measured.parameters, measured.buffers, now, measured.moments};
  } else {
    ++since_best_;
  }
  if (history_.count()) history_.add(now);
  if (optimizer_.plateau() != nullptr) {
    const auto weights = static_cast<std::ptrdiff_t>(learned_.trainable.size());
    const auto moments = static_cast<std::ptrdiff_t>(optimizer_.state_size(learned_.trainable.size()));
    Arrays state(state_.begin() + weights, state_.begin() + weights + moments);
    optimizer_.set_scale(state, plateau_.observe(value));
    std::copy(state.begin(), state.end(), state_.begin() + weights);
  }
  bool go_on = true;
  if (o_.on_epoch) {
    give(here);
    go_on = o_.on_epoch(now);
  }
  if (o_.tolerance && now.loss < *o_.tolerance && (keep_best_ || holds_below(*o_.tolerance))) return Reason::kConverged;
  if (reached(value) && (keep_best_ || monitor_ != kLoss || holds_below(*o_.target))) return Reason::kTarget;
  if (o_.patience && since_best_ >= *o_.patience) return Reason::kNoImprovement;
  if (!go_on) return Reason::kStopped;
  return {};
}

}  // namespace pellucid::train
