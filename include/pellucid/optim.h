// Optimisers: rules that turn gradients into new parameters. They are plain structs of numbers and plain functions of
// arrays, so forward, backward and update trace into one compiled plan, whose state is updated in place.
//
//   optim::Optimizer optimizer = optim::Adam{.learning_rate = 1e-3};
//   Arrays state = optimizer.init(w);
//   auto [loss, gradients, _] = value_and_grad(f)(w);
//   auto [new_w, new_state] = optimizer.update(w, gradients, state);
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "pellucid/minimize.h"
#include "pellucid/schedule.h"
#include "pellucid/transform.h"

namespace pellucid::optim {

// ---- Rules ----------------------------------------------------------------------------------------------------------
//
// w: a parameter, g: its gradient, t: the number of this update, from 1, r: the learning rate at this update.
// `weight_decay` d is coupled (g becomes g + d w before anything else) unless `decoupled` (w becomes w (1 - r d) first;
// Loshchilov & Hutter 2019). All starts of moments are 0 unless said. Square roots and divisions are by element.
// Momenta are kept without their factor (1 - beta): the same numbers result with fewer operations.

/// b = momentum b + g; w -= r b, or with `nesterov` w -= r (g + momentum b). Without momentum: w -= r g, and no state.
/// Polyak 1964; Nesterov 1983 as in Sutskever et al. 2013. Dampening is 0.
struct SGD {
  Schedule learning_rate = 0.01;
  double momentum = 0;
  bool nesterov = false;
  double weight_decay = 0;
  bool decoupled = false;
};

/// m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2;
/// w -= r (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon). Kingma & Ba 2015.
struct Adam {
  Schedule learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;
  bool decoupled = false;
};

/// Adam with decoupled weight decay. Loshchilov & Hutter 2019.
struct AdamW {
  Schedule learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0.01;
};

/// Adam whose root is taken of the largest v so far. Reddi, Kale & Kumar 2018, with PyTorch's bias corrections.
struct AMSGrad {
  Schedule learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;
  bool decoupled = false;
};

/// Adam with Nesterov momentum: u(t) = beta1 (1 - 0.96^(t momentum_decay) / 2), P(t) = u(1) ... u(t);
/// w -= r ((1 - u(t)) / (1 - P(t)) g + u(t + 1) / (1 - P(t + 1)) m) / (sqrt(v / (1 - beta2^t)) + epsilon). Dozat 2016.
struct NAdam {
  Schedule learning_rate = 2e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double momentum_decay = 4e-3;
  double weight_decay = 0;
  bool decoupled = false;
};

/// Adam that is rectified while v is uncertain: with p = 2 / (1 - beta2) - 1 and q = p - 2 t beta2^t / (1 - beta2^t),
/// w -= r m / (1 - beta1^t) s, where s = 1 for q <= 5, else
/// s = sqrt((q - 4) (q - 2) p / ((p - 4) (p - 2) q)) sqrt(1 - beta2^t) / (sqrt(v) + epsilon). Liu et al. 2020.
struct RAdam {
  Schedule learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;
  bool decoupled = false;
};

/// u = max(beta2 u, |g| + epsilon); w -= r / (1 - beta1^t) m / u. Kingma & Ba 2015, chapter 7.
struct Adamax {
  Schedule learning_rate = 2e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;
  bool decoupled = false;
};

/// v = alpha v + (1 - alpha) g^2; s = g / (sqrt(v) + epsilon), or with `centered` g / (sqrt(v - a^2) + epsilon) with
/// a = alpha a + (1 - alpha) g; w -= r s, or with momentum b = momentum b + s, w -= r b. Hinton 2012; Graves 2013.
struct RMSprop {
  Schedule learning_rate = 0.01;
  double alpha = 0.99;
  double epsilon = 1e-8;
  double momentum = 0;
  bool centered = false;
  double weight_decay = 0;
  bool decoupled = false;
};

/// v = v + g^2, from v = initial_accumulator; w -= r g / (sqrt(v) + epsilon). Duchi, Hazan & Singer 2011.
struct Adagrad {
  Schedule learning_rate = 0.01;
  double initial_accumulator = 0;
  double epsilon = 1e-10;
  double weight_decay = 0;
  bool decoupled = false;
};

/// v = rho v + (1 - rho) g^2; s = g sqrt((u + epsilon) / (v + epsilon)); u = rho u + (1 - rho) s^2; w -= r s. Zeiler
/// 2012.
struct Adadelta {
  Schedule learning_rate = 1.0;
  double rho = 0.9;
  double epsilon = 1e-6;
  double weight_decay = 0;
  bool decoupled = false;
};

/// w -= r sign(beta1 m + (1 - beta1) g); then m = beta2 m + (1 - beta2) g. Chen et al. 2023.
struct Lion {
  Schedule learning_rate = 1e-4;
  double beta1 = 0.9;
  double beta2 = 0.99;
  double weight_decay = 0;
  bool decoupled = true;
};

/// s = Adam's step + weight_decay w; w -= r s |w| / |s| with the norms of the whole parameter (a factor of 1 where
/// either is 0). You et al. 2020.
struct LAMB {
  Schedule learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-6;
  double weight_decay = 0;
};

using Rule = std::variant<SGD, Adam, AdamW, AMSGrad, NAdam, RAdam, Adamax, RMSprop, Adagrad, Adadelta, Lion, LAMB>;

/// A rule with its defaults, by the name in small letters: "sgd", "adamw", ...; with another learning rate where given.
/// Throws Error where there is no such rule.
Rule by_name(std::string_view name, const std::optional<Schedule>& learning_rate = {});
/// The names that by_name knows.
const std::vector<std::string>& names();

// ---- What goes around a rule ----------------------------------------------------------------------------------------

/// Settings for the parameters whose names match `pattern`: `*` stands for any characters, dots included, `?` for one,
/// `[abc]`, `[a-z]` and `[!a-z]` for one of (none of) a set. What is absent is as for all others.
struct Group {
  std::string pattern;
  std::optional<Schedule> learning_rate = {};
  std::optional<double> weight_decay = {};
  std::optional<double> l1 = {};
  std::optional<double> l2 = {};
};

/// In the order in which they act on the gradients.
struct Options {
  /// The first group that matches a parameter's name counts. They need Optimizer::named.
  std::vector<Group> groups = {};
  /// k: gradients of k calls are averaged, and every k-th call updates. For batches that do not fit into memory.
  std::int64_t accumulate = 1;
  /// Gradients of l1 sum |w| + l2 / 2 sum w^2 are added (before clipping; weight decay comes after).
  double l1 = 0;
  double l2 = 0;
  /// Each element of the gradients to [-c, c]; each parameter's gradient to a norm of at most c; all of them together.
  std::optional<double> clip_value = {};
  std::optional<double> clip_norm = {};
  std::optional<double> clip_global_norm = {};
  /// d: keeps a = d a + (1 - d) w of each parameter, from a = its first value; see Optimizer::averages.
  std::optional<double> average = {};
};

struct Update {
  Arrays parameters, state;
};

/// A rule, and what goes around it. A value: copies are cheap and share nothing that changes.
///
/// Making one throws Error where a number is outside its range. The state is a list of arrays, empty for plain SGD:
///   step (int64) where the rule or a schedule counts; pending (int64), the calls since the last update, where
///   gradients accumulate; scale (float64) of OnPlateau; scalars of the rule (NAdam: P(t)); then for each moment one
///   array for each parameter; sums of accumulated gradients; averages.
/// Moments have their parameter's type, but float32 for bfloat16 parameters, whose updates are computed in float32 too.
/// Step counts and rates are computed in float64 and rounded once to the type of the update.
class Optimizer {
 public:
  template <class R>
  requires std::constructible_from<Rule, R> &&
      (!std::same_as<R, Optimizer>)Optimizer(R rule, Options options = {})  // NOLINT(google-explicit-constructor)
      : Optimizer(Rule(std::move(rule)), std::move(options), {}) {}

  /// The same optimiser for parameters of these names, in their order. Throws Error where a group's pattern matches
  /// none.
  Optimizer named(std::vector<std::string> names) const;

  /// The same optimiser, whose schedules begin at the update of this number (what `step` in the state counts), for
  /// trainings that go on with the moments of another.
  Optimizer starting_at(std::int64_t step) const;

  /// The state before the first update. Throws Error where a parameter is not of floating type.
  Arrays init(const Arrays& parameters) const;
  /// One update, without reading any value. Throws Error where lists or shapes do not fit, or a gradient is absent.
  Update update(const Arrays& parameters, const Arrays& gradients, const Arrays& state) const;
  /// The penalties in the loss whose gradients `update` adds: sum of l1 |w| + l2 / 2 w^2, a float32 or float64 scalar.
  Array penalty(const Arrays& parameters) const;

  /// The number of arrays in the state of so many parameters.
  std::size_t state_size(std::size_t parameters) const;
  /// A name for each array of the state: "step", "first_moment.encoder.0.weight"; for files. By `parameters` names.
  std::vector<std::string> state_names(const std::vector<std::string>& parameters) const;
  /// The number of updates made, where the state counts them; else 0.
  std::int64_t steps(const Arrays& state) const;
  /// The learning rate of the next update (not that of groups with their own).
  double learning_rate(const Arrays& state) const;
  /// The averaged parameters in a state; empty without Options::average.
  Arrays averages(const Arrays& state) const;
  /// What OnPlateau multiplies by. Throws Error where no schedule has one.
  void set_scale(Arrays& state, double scale) const;
  /// The OnPlateau among the schedules: null where there is none.
  const schedule::OnPlateau* plateau() const;

  const Rule& rule() const;
  const Options& options() const;
  /// "Adam(learning_rate=0.001, beta1=0.9, ...)", with the options that differ from their defaults.
  std::string to_string() const;

 private:
  struct Setup;
  Optimizer(Rule rule, Options options, std::vector<std::string> names, std::int64_t start = 0);
  std::shared_ptr<const Setup> setup_;
};

/// One step of training as a function for compile: (parameters..., state..., inputs...) -> (new parameters..., new
/// state..., loss, further outputs of `loss`...). `loss` is a function of the list (parameters..., inputs...).
///
///   auto step = compile(optim::training_step(loss, optimizer, w.size()));
///   Arrays all = w; for (Array& s : optimizer.init(w)) all.push_back(s);
///   const Array& value = step.step(all, {x, y})[0];
Function training_step(Function loss, Optimizer optimizer, std::size_t parameters, GradOptions options = {});

// ---- Parts, for loops by hand ---------------------------------------------------------------------------------------

/// sqrt(sum of all elements squared), a scalar of the widest type among the arrays, float32 at least.
Array global_norm(const Arrays& arrays);
/// Each element to [-most, most].
Arrays clip_by_value(const Arrays& gradients, double most);
/// Each array g times min(1, most / |g|).
Arrays clip_by_norm(const Arrays& gradients, double most);
/// All arrays times min(1, most / global_norm).
Arrays clip_by_global_norm(const Arrays& gradients, double most);
/// strength * sum |w|, and strength / 2 * sum w^2, over all arrays.
Array l1_penalty(const Arrays& parameters, double strength);
Array l2_penalty(const Arrays& parameters, double strength);
/// decay a + (1 - decay) w for each pair.
Arrays moving_average(const Arrays& averages, const Arrays& parameters, double decay);

}  // namespace pellucid::optim
