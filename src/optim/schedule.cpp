// Schedules: checks, formulas over a traced step, names; and the tracker behind schedule::OnPlateau.
#include "pellucid/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>
#include <variant>

#include "optim/check.h"
#include "pellucid/ops.h"

namespace pellucid {

namespace {

using optim::check_at_least;
using optim::check_range;
using optim::Range;

struct Constant {
  double value;
};

Array float64_of(double value) { return Array::from(std::vector<double>{value}, {}); }

/// What a formula may depend on: the step as int64 and as float64, and the scale of OnPlateau.
struct At {
  Array step, t, scale;
};

// ---- Checks ---------------------------------------------------------------------------------------------------------

void check(const Constant& s) {
  if (!std::isfinite(s.value) || s.value < 0)
    base::fail("learning rate = {} is not a rate: give 0 or a positive number", s.value);
}

void check(const schedule::Step& s) {
  check_range("schedule::Step", "initial", s.initial, Range::kNotNegative);
  check_at_least("schedule::Step", "period", s.period, 1);
  check_range("schedule::Step", "factor", s.factor, Range::kNotNegative);
}

void check(const schedule::MultiStep& s) {
  check_range("schedule::MultiStep", "initial", s.initial, Range::kNotNegative);
  check_range("schedule::MultiStep", "factor", s.factor, Range::kNotNegative);
  for (std::size_t i = 0; i < s.milestones.size(); ++i) {
    check_at_least("schedule::MultiStep", "milestones", s.milestones[i], 0);
    if (i > 0 && s.milestones[i] <= s.milestones[i - 1])
      base::fail("schedule::MultiStep: milestones {} do not ascend: {} comes after {}", s.milestones, s.milestones[i],
                 s.milestones[i - 1]);
  }
}

void check(const schedule::Exponential& s) {
  check_range("schedule::Exponential", "initial", s.initial, Range::kNotNegative);
  check_range("schedule::Exponential", "factor", s.factor, Range::kPositive);
}

void check(const schedule::InverseTime& s) {
  check_range("schedule::InverseTime", "initial", s.initial, Range::kNotNegative);
  check_range("schedule::InverseTime", "decay", s.decay, Range::kNotNegative);
}

void check(const schedule::Polynomial& s) {
  check_range("schedule::Polynomial", "initial", s.initial, Range::kNotNegative);
  check_at_least("schedule::Polynomial", "steps", s.steps, 1);
  check_range("schedule::Polynomial", "power", s.power, Range::kPositive);
  check_range("schedule::Polynomial", "final", s.final, Range::kNotNegative);
}

void check(const schedule::Cosine& s) {
  check_range("schedule::Cosine", "initial", s.initial, Range::kNotNegative);
  check_at_least("schedule::Cosine", "steps", s.steps, 1);
  check_range("schedule::Cosine", "final", s.final, Range::kNotNegative);
}

void check(const schedule::WarmRestarts& s) {
  check_range("schedule::WarmRestarts", "initial", s.initial, Range::kNotNegative);
  check_at_least("schedule::WarmRestarts", "period", s.period, 1);
  check_at_least("schedule::WarmRestarts", "multiplier", s.multiplier, 1);
  check_range("schedule::WarmRestarts", "final", s.final, Range::kNotNegative);
}

void check(const schedule::OneCycle& s) {
  check_range("schedule::OneCycle", "peak", s.peak, Range::kNotNegative);
  check_at_least("schedule::OneCycle", "steps", s.steps, 1);
  check_range("schedule::OneCycle", "rise", s.rise, Range::kToOne);
  check_range("schedule::OneCycle", "initial_divisor", s.initial_divisor, Range::kPositive);
  check_range("schedule::OneCycle", "final_divisor", s.final_divisor, Range::kPositive);
}

void check(const schedule::LogCycles& s) {
  check_range("schedule::LogCycles", "peak", s.peak, Range::kNotNegative);
  check_at_least("schedule::LogCycles", "steps", s.steps, 1);
  check_at_least("schedule::LogCycles", "cycles", s.cycles, 1);
}

void check(const schedule::OnPlateau& s) {
  check_range("schedule::OnPlateau", "initial", s.initial, Range::kNotNegative);
  check_range("schedule::OnPlateau", "factor", s.factor, Range::kBelowOne);
  check_at_least("schedule::OnPlateau", "patience", s.patience, 0);
  check_range("schedule::OnPlateau", "threshold", s.threshold, Range::kNotNegative);
  check_at_least("schedule::OnPlateau", "cooldown", s.cooldown, 0);
  check_range("schedule::OnPlateau", "minimum", s.minimum, Range::kNotNegative);
}

void check(const schedule::WarmUp& s) {
  check_at_least("schedule::WarmUp", "steps", s.steps, 1);
  check_range("schedule::WarmUp", "from", s.from, Range::kNotNegative);
}

// ---- Formulas -------------------------------------------------------------------------------------------------------

/// min(t, steps) / steps.
Array share(const Array& t, std::int64_t steps) {
  return minimum(t, static_cast<double>(steps)) / static_cast<double>(steps);
}

/// From `from` at p = 0 to `to` at p = 1 along half a cosine.
Array half_cosine(double from, double to, const Array& p) {
  return to + (1.0 + cos(p * std::numbers::pi)) * ((from - to) / 2);
}

Array rate(const Constant& s, const At&) { return float64_of(s.value); }

Array rate(const schedule::Step& s, const At& at) {
  return s.initial * pow(float64_of(s.factor), floor(at.t / static_cast<double>(s.period)));
}

Array rate(const schedule::MultiStep& s, const At& at) {
  if (s.milestones.empty()) return float64_of(s.initial);
  const Array reached = astype(greater_equal(at.step, Array::from(s.milestones)), float64);
  return s.initial * pow(float64_of(s.factor), sum(reached));
}

Array rate(const schedule::Exponential& s, const At& at) { return s.initial * pow(float64_of(s.factor), at.t); }

Array rate(const schedule::InverseTime& s, const At& at) { return s.initial / (1.0 + s.decay * at.t); }

Array rate(const schedule::Polynomial& s, const At& at) {
  const Array left = 1.0 - share(at.t, s.steps);
  return s.final + (s.initial - s.final) * (s.power == 1 ? left : pow(left, s.power));
}

Array rate(const schedule::Cosine& s, const At& at) { return half_cosine(s.initial, s.final, share(at.t, s.steps)); }

Array rate(const schedule::WarmRestarts& s, const At& at) {
  const double first = static_cast<double>(s.period);
  if (s.multiplier == 1) return half_cosine(s.initial, s.final, at.t / first - floor(at.t / first));
  // The starts of all cycles that a step can be in: exact integers, as logarithms would miss a cycle's first step.
  constexpr double kLast = 9007199254740992.0;  // 2^53
  std::vector<double> starts, lengths;
  for (double start = 0, length = first; start < kLast; length *= static_cast<double>(s.multiplier)) {
    starts.push_back(start);
    lengths.push_back(length);
    start += length;
  }
  const Array begun = greater_equal(at.t, Array::from(starts));
  const Array start = max(where(begun, Array::from(starts), float64_of(0)));
  const Array length = max(where(begun, Array::from(lengths), float64_of(first)));
  return half_cosine(s.initial, s.final, (at.t - start) / length);
}

Array rate(const schedule::OneCycle& s, const At& at) {
  const double initial = s.peak / s.initial_divisor;
  const double final = initial / s.final_divisor;
  const double last = static_cast<double>(s.steps) - 1;
  const double top = std::max(s.rise * static_cast<double>(s.steps) - 1, 0.0);
  const auto along = [&](double from, double to, const Array& p) {
    return s.linear ? from + (to - from) * p : half_cosine(from, to, p);
  };
  const Array t = minimum(at.t, last);
  if (top >= last) return last > 0 ? along(initial, s.peak, t / last) : float64_of(s.peak);
  const Array down = along(s.peak, final, (t - top) / (last - top));
  return top > 0 ? where(less_equal(t, top), along(initial, s.peak, t / top), down) : down;
}

Array rate(const schedule::LogCycles& s, const At& at) {
  const double most = std::exp2(static_cast<double>(s.cycles)) - 1;
  return half_cosine(0, s.peak, log2(1.0 + most * share(at.t, s.steps)) * 2.0);
}

Array rate(const schedule::OnPlateau& s, const At& at) { return maximum(s.initial * at.scale, s.minimum); }

Array rate(const schedule::WarmUp& s, const At& at) {
  const Array zero = Array::from(std::vector<std::int64_t>{0}, {});
  const Array peak = s.then(zero, at.scale);
  const Array rising = peak * (s.from + (1 - s.from) * share(at.t, s.steps));
  return where(less(at.step, s.steps), rising, s.then(maximum(at.step - s.steps, zero), at.scale));
}

// ---- In words -------------------------------------------------------------------------------------------------------

std::string words(const Constant& s) { return base::format("{}", s.value); }
std::string words(const schedule::Step& s) {
  return base::format("step(initial={}, period={}, factor={})", s.initial, s.period, s.factor);
}
std::string words(const schedule::MultiStep& s) {
  return base::format("multi_step(initial={}, milestones={}, factor={})", s.initial, s.milestones, s.factor);
}
std::string words(const schedule::Exponential& s) {
  return base::format("exponential(initial={}, factor={})", s.initial, s.factor);
}
std::string words(const schedule::InverseTime& s) {
  return base::format("inverse_time(initial={}, decay={})", s.initial, s.decay);
}
std::string words(const schedule::Polynomial& s) {
  return base::format("polynomial(initial={}, steps={}, power={}, final={})", s.initial, s.steps, s.power, s.final);
}
std::string words(const schedule::Cosine& s) {
  return base::format("cosine(initial={}, steps={}, final={})", s.initial, s.steps, s.final);
}
std::string words(const schedule::WarmRestarts& s) {
  return base::format("warm_restarts(initial={}, period={}, multiplier={}, final={})", s.initial, s.period,
                      s.multiplier, s.final);
}
std::string words(const schedule::OneCycle& s) {
  return base::format("one_cycle(peak={}, steps={}, rise={}, initial_divisor={}, final_divisor={}, linear={})", s.peak,
                      s.steps, s.rise, s.initial_divisor, s.final_divisor, s.linear);
}
std::string words(const schedule::LogCycles& s) {
  return base::format("log_cycles(peak={}, steps={}, cycles={})", s.peak, s.steps, s.cycles);
}
std::string words(const schedule::OnPlateau& s) {
  return base::format(
      "on_plateau(initial={}, factor={}, patience={}, threshold={}, absolute={}, maximize={}, cooldown={}, minimum={})",
      s.initial, s.factor, s.patience, s.threshold, s.absolute, s.maximize, s.cooldown, s.minimum);
}
std::string words(const schedule::WarmUp& s) {
  return base::format("warm_up(steps={}, from={}, then={})", s.steps, s.from, s.then.to_string());
}

}  // namespace

// ---- Schedule -------------------------------------------------------------------------------------------------------

struct Schedule::Kind {
  std::variant<Constant, schedule::Step, schedule::MultiStep, schedule::Exponential, schedule::InverseTime,
               schedule::Polynomial, schedule::Cosine, schedule::WarmRestarts, schedule::OneCycle, schedule::LogCycles,
               schedule::OnPlateau, schedule::WarmUp, Custom>
      value;

  template <class T>
  static std::shared_ptr<const Kind> checked(const T& value) {
    check(value);
    return std::make_shared<const Kind>(Kind{value});
  }
};

Schedule::Schedule(double constant) : kind_(Kind::checked(Constant{constant})) {}
Schedule::Schedule(const schedule::Step& kind) : kind_(Kind::checked(kind)) {}
Schedule::Schedule(const schedule::MultiStep& kind) : kind_(Kind::checked(kind)) {}
Schedule::Schedule(const schedule::Exponential& kind) : kind_(Kind::checked(kind)) {}
Schedule::Schedule(const schedule::InverseTime& kind) : kind_(Kind::checked(kind)) {}
Schedule::Schedule(const schedule::Polynomial& kind) : kind_(Kind::checked(kind)) {}
Schedule::Schedule(const schedule::Cosine& kind) : kind_(Kind::checked(kind)) {}
Schedule::Schedule(const schedule::WarmRestarts& kind) : kind_(Kind::checked(kind)) {}
Schedule::Schedule(const schedule::OneCycle& kind) : kind_(Kind::checked(kind)) {}
Schedule::Schedule(const schedule::LogCycles& kind) : kind_(Kind::checked(kind)) {}
Schedule::Schedule(const schedule::OnPlateau& kind) : kind_(Kind::checked(kind)) {}
Schedule::Schedule(const schedule::WarmUp& kind) : kind_(Kind::checked(kind)) {}
Schedule::Schedule(Custom custom) : kind_(std::make_shared<const Kind>(Kind{std::move(custom)})) {}

std::optional<double> Schedule::constant() const {
  if (const auto* constant = std::get_if<Constant>(&kind_->value)) return constant->value;
  return std::nullopt;
}

Array Schedule::operator()(const Array& step, const Array& scale) const {
  if (step.size() != 1 || step.rank() != 0 || step.dtype() != int64)
    base::fail("Schedule: the step is {} {}, not an int64 scalar", step.shape(), step.dtype());
  if (const auto* custom = std::get_if<Custom>(&kind_->value)) {
    const Array rate = custom->function(step);
    if (!rate.defined() || rate.rank() != 0 || !is_float(rate.dtype()))
      base::fail("Schedule: the function of the step gave {}, not a floating scalar",
                 rate.defined() ? pellucid::to_string(rate.shape()) : "no array");
    return astype(rate, float64);
  }
  const At at{step, astype(step, float64), scale.defined() ? astype(scale, float64) : float64_of(1)};
  return std::visit(
      [&](const auto& kind) -> Array {
        if constexpr (std::is_same_v<std::decay_t<decltype(kind)>, Custom>)
          return {};
        else
          return rate(kind, at);
      },
      kind_->value);
}

double Schedule::at(std::int64_t step, double scale) const {
  if (const auto* constant = std::get_if<Constant>(&kind_->value)) return constant->value;
  return (*this)(Array::from(std::vector<std::int64_t>{step}, {}), float64_of(scale)).item<double>();
}

const schedule::OnPlateau* Schedule::plateau() const {
  if (const auto* warm_up = std::get_if<schedule::WarmUp>(&kind_->value)) return warm_up->then.plateau();
  return std::get_if<schedule::OnPlateau>(&kind_->value);
}

std::string Schedule::to_string() const {
  return std::visit(
      [&](const auto& kind) -> std::string {
        if constexpr (std::is_same_v<std::decay_t<decltype(kind)>, Custom>)
          return "a function of the step";
        else
          return words(kind);
      },
      kind_->value);
}

// ---- By name --------------------------------------------------------------------------------------------------------

namespace schedule {

const std::vector<std::string>& names() {
  static const std::vector<std::string> list = {"constant", "step",      "exponential", "linear", "cosine",
                                                "restarts", "one-cycle", "log-cycles",  "plateau"};
  return list;
}

Schedule by_name(std::string_view name, double initial, std::int64_t steps) {
  check_at_least("schedule::by_name", "steps", steps, 1);
  if (name == "constant") return initial;
  if (name == "step") return Step{.initial = initial, .period = std::max<std::int64_t>(1, (steps + 2) / 3)};
  if (name == "exponential") {
    // factor^steps = 0.01, with a first-order root that needs no logarithm: exact bits on every machine matter more
    // here.
    return Exponential{.initial = initial, .factor = std::max(0.5, 1 - 4.605170185988091 / static_cast<double>(steps))};
  }
  if (name == "linear") return Polynomial{.initial = initial, .steps = steps};
  if (name == "cosine") return Cosine{.initial = initial, .steps = steps};
  if (name == "restarts") return WarmRestarts{.initial = initial, .period = (steps + 14) / 15, .multiplier = 2};
  if (name == "one-cycle") return OneCycle{.peak = initial, .steps = steps};
  if (name == "log-cycles") return LogCycles{.peak = initial, .steps = steps};
  if (name == "plateau") return OnPlateau{.initial = initial};
  std::string known;
  for (const std::string& each : names()) known += (known.empty() ? "" : ", ") + each;
  base::fail("schedule::by_name: there is no schedule '{}': choose one of {}", name, known);
}

}  // namespace schedule

// ---- OnPlateau ------------------------------------------------------------------------------------------------------

double PlateauTracker::observe(double value) {
  const schedule::OnPlateau& o = options_;
  // PyTorch's rule: relative to the best value itself, not to its magnitude.
  const double margin = o.absolute ? o.threshold : o.threshold * best.value_or(0);
  const bool better = !std::isnan(value) && (!best || (o.maximize ? value > *best + margin : value < *best - margin));
  if (better) {
    best = value;
    bad = 0;
  } else {
    ++bad;
  }
  if (cooldown > 0) {
    --cooldown;
    bad = 0;
  }
  if (bad > o.patience) {
    scale *= o.factor;
    cooldown = o.cooldown;
    bad = 0;
  }
  return scale;
}

}  // namespace pellucid
