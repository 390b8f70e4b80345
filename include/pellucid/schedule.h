// Schedules: the learning rate as a function of the number of updates made so far.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "pellucid/array.h"

namespace pellucid {

namespace schedule {
struct Step;
struct MultiStep;
struct Exponential;
struct InverseTime;
struct Polynomial;
struct Cosine;
struct WarmRestarts;
struct OneCycle;
struct LogCycles;
struct OnPlateau;
struct WarmUp;
}  // namespace schedule

/// A learning rate: a constant, one of the structs in `pellucid::schedule`, or a function of the step. A value: copies
/// are cheap. `.learning_rate = 0.1` and `.learning_rate = schedule::Cosine{.initial = 0.1, .steps = 10000}` both make
/// one.
///
/// `step` is the number of updates made before this one, so the first update is at step 0. Rates are computed in
/// float64. Making a schedule throws Error where its numbers make no sense: negative or infinite rates, no steps,
/// factors below 0.
class Schedule {
 public:
  Schedule(double constant);  // NOLINT(google-explicit-constructor)
  // NOLINTBEGIN(google-explicit-constructor)
  Schedule(const schedule::Step& kind);
  Schedule(const schedule::MultiStep& kind);
  Schedule(const schedule::Exponential& kind);
  Schedule(const schedule::InverseTime& kind);
  Schedule(const schedule::Polynomial& kind);
  Schedule(const schedule::Cosine& kind);
  Schedule(const schedule::WarmRestarts& kind);
  Schedule(const schedule::OneCycle& kind);
  Schedule(const schedule::LogCycles& kind);
  Schedule(const schedule::OnPlateau& kind);
  Schedule(const schedule::WarmUp& kind);
  /// Any function of the step, an int64 scalar that has no value yet: written with operations, it becomes part of the
  /// plan.
  template <class F>
  requires(!std::is_same_v<F, Schedule> && std::is_invocable_r_v<Array, const F&, const Array&>) Schedule(F function)
      : Schedule(Custom{std::move(function)}) {}
  // NOLINTEND(google-explicit-constructor)

  /// The rate where it is the same at every step.
  std::optional<double> constant() const;
  /// The rate at `step` (an int64 scalar, which may be traced), a float64 scalar. `scale` is what OnPlateau multiplies
  /// by, a float64 scalar; 1 when absent.
  Array operator()(const Array& step, const Array& scale = {}) const;
  /// The same as a number.
  double at(std::int64_t step, double scale = 1) const;
  /// The OnPlateau in this schedule (inside WarmUp too), null where there is none.
  const schedule::OnPlateau* plateau() const;
  /// "cosine(initial=0.1, steps=1000, final=0)".
  std::string to_string() const;

 private:
  struct Kind;
  struct Custom {
    std::function<Array(const Array&)> function;
  };
  explicit Schedule(Custom custom);
  std::shared_ptr<const Kind> kind_;
};

namespace schedule {

// `t` is the step, from 0.

/// initial * factor^floor(t / period).
struct Step {
  double initial = 0.1;
  std::int64_t period = 1000;
  double factor = 0.1;
};

/// initial * factor^(number of milestones <= t). Milestones ascend.
struct MultiStep {
  double initial = 0.1;
  std::vector<std::int64_t> milestones = {};
  double factor = 0.1;
};

/// initial * factor^t.
struct Exponential {
  double initial = 0.1;
  double factor = 0.999;
};

/// initial / (1 + decay t).
struct InverseTime {
  double initial = 0.1;
  double decay = 1e-3;
};

/// final + (initial - final) (1 - min(t, steps) / steps)^power. Power 1 is a straight line.
struct Polynomial {
  double initial = 0.1;
  std::int64_t steps = 1000;
  double power = 1;
  double final = 0;
};

/// final + (initial - final) (1 + cos(pi min(t, steps) / steps)) / 2. Loshchilov & Hutter 2017, "SGDR", without
/// restarts.
struct Cosine {
  double initial = 0.1;
  std::int64_t steps = 1000;
  double final = 0;
};

/// Cosine from initial to final, starting again after `period` steps, then after `multiplier` times as many, and so on.
/// Loshchilov & Hutter 2017, "SGDR".
struct WarmRestarts {
  double initial = 0.1;
  std::int64_t period = 1000;
  std::int64_t multiplier = 1;
  double final = 0;
};

/// Up from peak / initial_divisor to peak during the first `rise` of the steps, then down to
/// peak / initial_divisor / final_divisor at step `steps` - 1; along half cosines, or straight lines where `linear`.
/// Smith & Topin 2018, "Super-convergence". The momentum stays as it is.
struct OneCycle {
  double peak = 0.1;
  std::int64_t steps = 1000;
  double rise = 0.3;
  double initial_divisor = 25;
  double final_divisor = 1e4;
  bool linear = false;
};

/// peak (1 - cos(2 pi log2(1 + (2^cycles - 1) min(t, steps) / steps))) / 2: cycles from 0 up to the peak and down to 0
/// again, each about twice as long as the one before. Holzmueller et al. 2024, "Better by default" (coslog).
struct LogCycles {
  double peak = 0.1;
  std::int64_t steps = 1000;
  std::int64_t cycles = 4;
};

/// max(initial * scale, minimum), where the scale is lowered by `factor` once a watched value has not improved for more
/// than `patience` observations in a row. The scale is part of the optimiser's state; who trains gives each value to a
/// PlateauTracker and writes its scale there with Optimizer::set_scale (`fit` does).
struct OnPlateau {
  double initial = 0.1;
  double factor = 0.1;
  std::int64_t patience = 10;
  /// Better is below best * (1 - threshold), for `maximize` above best * (1 + threshold); with `absolute`, below
  /// best - threshold or above best + threshold.
  double threshold = 1e-4;
  bool absolute = false;
  bool maximize = false;
  /// Observations after a reduction during which none is counted as bad.
  std::int64_t cooldown = 0;
  double minimum = 0;
};

/// Before `then` begins, `steps` steps along a straight line from `from` times its first rate up to it:
/// then(0) (from + (1 - from) t / steps) for t < steps, then(t - steps) after. With from = 0 the first update changes
/// nothing.
struct WarmUp {
  std::int64_t steps = 100;
  double from = 0;
  Schedule then = 0.1;
};

/// By the names that the command line knows: constant, step (thirds, factor 0.1), exponential (to 1 % of the rate),
/// linear (to 0), cosine (to 0), restarts (cycles of 1/15, 2/15, 4/15, 8/15), one-cycle and log-cycles (`initial` is
/// the peak), plateau. `steps` is the length of the whole training. Throws Error where there is no such name.
Schedule by_name(std::string_view name, double initial, std::int64_t steps);
/// The names that by_name knows.
const std::vector<std::string>& names();

}  // namespace schedule

/// Watches a value for schedule::OnPlateau. All of its state is public, so that it can be saved and resumed.
class PlateauTracker {
 public:
  PlateauTracker() = default;
  explicit PlateauTracker(const schedule::OnPlateau& options) : options_(options) {}
  /// Takes the next value (a NaN is never better), and returns the scale from here on.
  double observe(double value);

  std::optional<double> best;
  std::int64_t bad = 0;       // observations since the best one or the last reduction
  std::int64_t cooldown = 0;  // observations that are still excused
  double scale = 1;

 private:
  schedule::OnPlateau options_;
};

}  // namespace pellucid
