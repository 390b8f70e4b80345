// fit: what is set up once, what is kept of the starts, and how the result comes about.
#include <algorithm>
#include <cmath>
#include <limits>

#include "base/fail.h"
#include "optim/rules.h"
#include "pellucid/ops.h"
#include "pellucid/random.h"
#include "train/loop.h"
#include "train/optimizer_state.h"
#include "train/words.h"

namespace pellucid {

using base::fail;

namespace train {

namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

bool all_finite(const Arrays& arrays) {
  return std::all_of(arrays.begin(), arrays.end(), [](const Array& x) { return all(isfinite(x)).item<bool>(); });
}

}  // namespace

void History::add(const Epoch& epoch) {
  kept_.push_back(epoch);
  if (kept_.size() < kMost) return;
  std::size_t to = 0;
  for (std::size_t from = 0; from < kept_.size(); from += 2) kept_[to++] = std::move(kept_[from]);
  kept_.resize(to);
  stride_ *= 2;
}

void History::finish(const Epoch& last) {
  if (last.epoch == 0) return;
  if (kept_.empty() || kept_.back().epoch != last.epoch || kept_.back().restart != last.restart) kept_.push_back(last);
}

Loop::Loop(nn::Ref module, const Dataset& data, const FitOptions& options)
    : module_(module),
      o_((check_options(options), options)),
      parts_(prepare(data, options)),
      learned_(module),
      optimizer_(learned_.names.empty() ? options.optimizer : options.optimizer.named(learned_.names)),
      rate_(optim::learning_rate_of(optimizer_.rule())) {
  if (learned_.trainable.empty()) {
    fail("fit: {} has no parameter to train{}", module.type(),
         learned_.frozen.empty() ? "" : ": all are frozen; nn::unfreeze some");
  }
  if (o_.optimizer_state != nullptr) {
    first_moments_ = go_on_from(*o_.optimizer_state, optimizer_, learned_.names, learned_.trainable);
    if (first_moments_) optimizer_ = optimizer_.starting_at(optimizer_.steps(*first_moments_));
  }
  examples_ = parts_.training.x.size(0);
  rows_ = std::min(o_.batch_size.value_or(examples_), examples_);
  full_ = examples_ / rows_;
  rest_ = examples_ % rows_;
  if (rest_ == 1 && full_ > 1) {  // batch statistics need two
    --full_;
    rest_ = rows_ + 1;
  }
  validated_ = parts_.validation.x.defined();
  setup_ = {.loss = o_.loss,
            .optimizer = optimizer_,
            .precision = o_.precision,
            .examples = examples_,
            .weighted = parts_.training.weights.defined(),
            .gathered = rows_ < examples_,
            .shuffled = rows_ < examples_ && o_.shuffle,
            .allow_unused = o_.allow_unused};
  setup_.random = try_step(learned_, setup_, parts_.training, rows_);
  if (rest_ > 0) try_step(learned_, setup_, parts_.training, rest_);
  if (validated_) try_evaluation(learned_, o_.loss, parts_.validation);
  step_ = make_step(learned_, setup_, rows_);
  if (rest_ > 0) rest_step_ = make_step(learned_, setup_, rest_);
  if (validated_ || !o_.metrics.empty()) predictor_.emplace(module, 1024);

  monitor_name_ = o_.monitor.empty() ? (validated_ ? "validation_loss" : "loss") : o_.monitor;
  monitor_ = monitor_name_ == "loss" ? kLoss : kValidation;
  if (monitor_name_ != "loss" && monitor_name_ != "validation_loss") {
    monitor_ =
        std::find_if(o_.metrics.begin(), o_.metrics.end(), [&](const Metric& m) { return m.name == monitor_name_; }) -
        o_.metrics.begin();
    maximize_ = o_.metrics[static_cast<std::size_t>(monitor_)].maximize;
  }
  keep_best_ = o_.restore_best && (validated_ || o_.patience);
  bare_ = !setup_.gathered && !predictor_ && !o_.on_epoch && !o_.on_progress && !o_.patience &&
          optimizer_.plateau() == nullptr && o_.checkpoint.path.empty();
  const auto keys = random::split(random::key(o_.seed), 3);
  batch_key_ = keys[0];
  layer_key_ = keys[1];
  restart_key_ = keys[2];
  resumes_ = prepare_checkpoint();
}

double Loop::monitored(const Epoch& epoch) const {
  if (monitor_ == kLoss) return epoch.loss;
  if (monitor_ == kValidation) return epoch.validation_loss.value_or(kNone);
  return epoch.metrics.empty() ? kNone : epoch.metrics[static_cast<std::size_t>(monitor_)];
}

Arrays Loop::present_parameters() const {
  const auto weights = static_cast<std::ptrdiff_t>(learned_.trainable.size());
  Arrays values(state_.begin(), state_.begin() + weights);
  if (!optimizer_.options().average) return values;
  const auto moments = static_cast<std::ptrdiff_t>(optimizer_.state_size(learned_.trainable.size()));
  const Arrays averages = optimizer_.averages(Arrays(state_.begin() + weights, state_.begin() + weights + moments));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = astype(averages[i], values[i].dtype());
  pellucid::evaluate(values);
  return values;
}

Arrays Loop::present_buffers() const {
  const std::size_t first = learned_.trainable.size() + optimizer_.state_size(learned_.trainable.size());
  const auto from = state_.begin() + static_cast<std::ptrdiff_t>(first);
  return Arrays(from, from + static_cast<std::ptrdiff_t>(learned_.buffers.size()));
}

Arrays Loop::present_moments() const {
  if (o_.optimizer_state == nullptr) return {};
  const auto from = state_.begin() + static_cast<std::ptrdiff_t>(learned_.trainable.size());
  return Arrays(from, from + static_cast<std::ptrdiff_t>(optimizer_.state_size(learned_.trainable.size())));
}

Loop::Snapshot Loop::kept(End& end) {
  if (keep_best_ && !best_snapshot_.parameters.empty()) return best_snapshot_;
  Snapshot now = present();
  // The last update may have been the one too many: its result is seen in no loss.
  if (end != Reason::kDiverged && all_finite(now.parameters) && all_finite(now.buffers)) return now;
  if (end != Reason::kDiverged) {
    end = Reason::kDiverged;
    failed_loss_ = last_.loss;
  }
  return finite_.parameters.empty() ? first_ : finite_;
}

void Loop::give(const Snapshot& snapshot) {
  nn::set_parameters(module_, learned_.parameters(snapshot.parameters));
  nn::set_buffers(module_, snapshot.buffers);
}

void Loop::fill_rates(std::vector<Epoch>& epochs) const {
  if (!bare_ || epochs.empty()) return;
  if (const auto constant = rate_.constant()) {
    for (Epoch& epoch : epochs) epoch.learning_rate = *constant;
    return;
  }
  std::vector<std::int64_t> steps;
  for (const Epoch& epoch : epochs) steps.push_back((epoch.steps - 1) / optimizer_.options().accumulate);
  const auto rates = vmap([&](const Array& step) { return rate_(step); })(Array::from(steps)).to_vector<double>();
  for (std::size_t i = 0; i < epochs.size(); ++i) epochs[i].learning_rate = rates[i];
}

std::string Loop::explain(Reason reason, const Snapshot& snapshot) const {
  const std::string name(name_of(reason));
  const auto with = [&](std::string_view text) { return base::format("{} ({})", name, text); };
  switch (reason) {
    case Reason::kConverged:
      return with(base::format("loss below {}", short_number(*o_.tolerance)));
    case Reason::kTarget:
      return with(base::format("{} at {} {}", monitor_name_, maximize_ ? "least" : "most", short_number(*o_.target)));
    case Reason::kNoImprovement:
      return with(base::format(
          "of {} for {} epochs{}", monitor_name_, *o_.patience,
          keep_best_ ? base::format("; the parameters of epoch {} restored", snapshot.epoch.epoch) : std::string()));
    case Reason::kMaxEpochs:
      return o_.tolerance ? with(base::format("{}; loss not below {}", o_.max_epochs, short_number(*o_.tolerance)))
                          : with(base::format("{}", o_.max_epochs));
    case Reason::kMaxSeconds:
      return with(short_number(*o_.max_seconds));
    case Reason::kDiverged:
      return with(base::format("{} {} after step {}, in epoch {}: lower the learning rate, clip gradients, or scale x",
                               std::isfinite(failed_loss_) ? "parameters not finite, loss" : "loss",
                               short_number(failed_loss_), steps_,
                               std::isfinite(failed_loss_) ? last_.epoch : last_.epoch + 1));
    case Reason::kInterrupted:
      return with(signal_name(signal_));
    case Reason::kStopped:
      return with("by the caller");
  }
  return name;
}

FitResult Loop::run() {
  interrupt_.emplace(o_.catch_interrupt);
  FitResult result;
  for (bool going_on = resumes_;; ++start_) {
    going_on ? resume() : begin();
    const bool late = going_on && o_.max_seconds && watch_.now() >= *o_.max_seconds;
    going_on = false;
    const bool ended = ended_.has_value();
    End end = ended ? std::exchange(ended_, {}) : late ? Reason::kMaxSeconds : train();
    Snapshot snapshot = kept(end);
    const bool again = start_ < o_.restarts &&
                       (!end || end == Reason::kMaxEpochs || end == Reason::kDiverged || end == Reason::kNoImprovement);
    signal_ = interrupt_->signal();
    if (!again && !ended) end_checkpoint(*end);
    history_.finish(last_);
    total_steps_ += steps_;
    const double value = monitored(snapshot.epoch), known = monitored(chosen_.epoch);
    if (start_ == 0 || end == Reason::kConverged || end == Reason::kTarget || std::isnan(known) ||
        better(value, known)) {
      chosen_ = std::move(snapshot);
    }
    if (again) continue;
    result.reason = *end;
    break;
  }
  const Snapshot& chosen = chosen_;
  interrupt_.reset();
  give(chosen);
  if (o_.optimizer_state != nullptr) {
    *o_.optimizer_state = name_state(chosen.moments, optimizer_, learned_.names);
  }
  state_.clear();
  result.explanation = explain(result.reason, chosen);
  result.epoch = last_.epoch;
  result.restart = start_;
  result.kept_epoch = chosen.epoch.epoch;
  result.kept_restart = chosen.epoch.restart;
  result.loss = chosen.epoch.loss;
  result.validation_loss = chosen.epoch.validation_loss;
  for (std::size_t i = 0; i < chosen.epoch.metrics.size(); ++i) {
    result.metrics.emplace_back(o_.metrics[i].name, chosen.epoch.metrics[i]);
  }
  result.steps = total_steps_;
  result.checkpoint_error = checkpoint_error_;
  result.seconds = watch_.now();
  if (result.reason == Reason::kInterrupted) result.signal = signal_;
  result.history = history_.take();
  fill_rates(result.history);
  return result;
}

}  // namespace train

FitResult fit(nn::Ref module, const Dataset& data, const FitOptions& options) {
  return train::Loop(module, data, options).run();
}

}  // namespace pellucid
