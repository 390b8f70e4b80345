// The optimiser: what stands around a rule (groups, clipping, penalties, accumulation, averages), and its state.
#include <algorithm>
#include <map>
#include <utility>

#include "optim/glob.h"
#include "optim/rules.h"

namespace pellucid::optim {

namespace {

constexpr std::size_t kAbsent = static_cast<std::size_t>(-1);

/// The type of moments and of the arithmetic of an update. bfloat16 has too few digits for an average of many terms.
DType working_type(DType parameter) { return parameter == bfloat16 ? float32 : parameter; }

Array int64_of(std::int64_t value) { return Array::from(std::vector<std::int64_t>{value}, {}); }
Array float64_of(double value) { return Array::from(std::vector<double>{value}, {}); }

/// What the parameters of one group have in common, worked out from the rule, the options and the group.
struct Settings {
  Schedule learning_rate;
  double weight_decay, l1, l2;
};

}  // namespace

struct Optimizer::Setup {
  Rule rule;
  Options options;
  std::vector<std::string> names;  // empty where they are not known
  std::int64_t start = 0;          // the step at which schedules begin

  Traits traits = {};
  std::vector<Settings> settings = {};  // the groups', then that of all other parameters
  std::vector<std::size_t> group = {};  // of each named parameter, an index into settings
  bool counts = false;
  const schedule::OnPlateau* plateau = nullptr;

  /// Where things stand in the state; kAbsent where there are none.
  struct Layout {
    std::size_t step = kAbsent, pending = kAbsent, scale = kAbsent, scalars = 0;
    std::size_t moments = 0, sums = kAbsent, averages = kAbsent, size = 0;
  };
  Layout layout(std::size_t parameters) const {
    Layout at;
    if (counts) at.step = at.size++;
    if (options.accumulate > 1) at.pending = at.size++;
    if (plateau) at.scale = at.size++;
    at.scalars = at.size;
    at.moments = at.size += traits.scalars.size();
    at.size += traits.moments.size() * parameters;
    if (options.accumulate > 1) at.sums = std::exchange(at.size, at.size + parameters);
    if (options.average) at.averages = std::exchange(at.size, at.size + parameters);
    return at;
  }
  Layout layout_of(const Arrays& state) const {
    const Layout none = layout(0), one = layout(1);
    const std::size_t each = one.size - none.size;
    if (state.size() < none.size || (each == 0 ? state.size() != none.size : (state.size() - none.size) % each != 0))
      base::fail("{}: a state of {} arrays is not this optimiser's: it has {} and {} for each parameter", traits.name,
                 state.size(), none.size, each);
    return layout(each == 0 ? 0 : (state.size() - none.size) / each);
  }
  std::string name(std::size_t parameter) const {
    return names.empty() ? base::format("parameter {}", parameter) : base::format("'{}'", names[parameter]);
  }
  std::size_t group_of(std::size_t parameter) const { return group.empty() ? 0 : group[parameter]; }
};

// ---- Making one -----------------------------------------------------------------------------------------------------

Optimizer::Optimizer(Rule rule, Options options, std::vector<std::string> names, std::int64_t start) {
  Setup setup{.rule = std::move(rule), .options = std::move(options), .names = std::move(names), .start = start};
  const Options& o = setup.options;
  setup.traits = optim::traits(setup.rule);
  const Traits& traits = setup.traits;
  for (const Field& field : traits.fields) check_range(traits.name, field.name, field.value, field.range);
  check_at_least("optim::Options", "accumulate", o.accumulate, 1);
  check_range("optim::Options", "l1", o.l1, Range::kNotNegative);
  check_range("optim::Options", "l2", o.l2, Range::kNotNegative);
  if (o.clip_value) check_range("optim::Options", "clip_value", *o.clip_value, Range::kPositive);
  if (o.clip_norm) check_range("optim::Options", "clip_norm", *o.clip_norm, Range::kPositive);
  if (o.clip_global_norm) check_range("optim::Options", "clip_global_norm", *o.clip_global_norm, Range::kPositive);
  if (o.average) check_range("optim::Options", "average", *o.average, Range::kBelowOne);

  const Settings others{learning_rate_of(setup.rule), traits.weight_decay, o.l1, o.l2};
  for (const Group& group : o.groups) {
    const std::string owner = base::format("optim::Group '{}'", group.pattern);
    check_glob(group.pattern);
    const Settings own{group.learning_rate.value_or(others.learning_rate),
                       group.weight_decay.value_or(others.weight_decay), group.l1.value_or(others.l1),
                       group.l2.value_or(others.l2)};
    check_range(owner, "weight_decay", own.weight_decay, Range::kNotNegative);
    check_range(owner, "l1", own.l1, Range::kNotNegative);
    check_range(owner, "l2", own.l2, Range::kNotNegative);
    setup.settings.push_back(own);
  }
  setup.settings.push_back(others);
  setup.counts = traits.counts;
  for (const Settings& settings : setup.settings) {
    if (!settings.learning_rate.constant()) setup.counts = true;
    if (!setup.plateau) setup.plateau = settings.learning_rate.plateau();
  }
  if (!setup.names.empty()) {
    std::vector<bool> used(o.groups.size(), false);
    for (const std::string& name : setup.names) {
      std::size_t found = o.groups.size();
      for (std::size_t i = o.groups.size(); i-- > 0;)
        if (glob(o.groups[i].pattern, name)) {
          used[i] = true;
          found = i;
        }
      setup.group.push_back(found);
    }
    for (std::size_t i = 0; i < used.size(); ++i)
      if (!used[i])
        base::fail(
            "optim::Group: pattern '{}' matches none of the {} parameters, of which the first is '{}': mend or "
            "remove it",
            o.groups[i].pattern, setup.names.size(), setup.names.front());
  }
  setup_ = std::make_shared<const Setup>(std::move(setup));
}

Optimizer Optimizer::named(std::vector<std::string> names) const {
  if (names.empty() && !setup_->options.groups.empty())
    base::fail("Optimizer: no names, but there are groups: give the names of all parameters");
  return Optimizer(setup_->rule, setup_->options, std::move(names), setup_->start);
}

Optimizer Optimizer::starting_at(std::int64_t step) const {
  check_at_least("Optimizer", "starting_at", step, 0);
  return Optimizer(setup_->rule, setup_->options, setup_->names, step);
}

Arrays Optimizer::init(const Arrays& parameters) const {
  const Setup& s = *setup_;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (!s.names.empty() && s.names.size() != parameters.size()) break;  // reported below
    if (!is_float(parameters[i].dtype()))
      base::fail("{}: {} is {}: only floating parameters can be trained, convert it or leave it out", s.traits.name,
                 s.name(i), parameters[i].dtype());
  }
  if (!s.names.empty() && s.names.size() != parameters.size())
    base::fail("{}: {} parameters, but {} names: give one name for each", s.traits.name, parameters.size(),
               s.names.size());
  Arrays state;
  if (s.counts) state.push_back(int64_of(0));
  if (s.options.accumulate > 1) state.push_back(int64_of(0));
  if (s.plateau) state.push_back(float64_of(1));
  for (const Slot& slot : s.traits.scalars) state.push_back(float64_of(slot.initial));
  const auto each = [&](double value) {
    for (const Array& w : parameters) state.push_back(full(w.shape(), value, working_type(w.dtype())));
  };
  for (const Slot& slot : s.traits.moments) each(slot.initial);
  if (s.options.accumulate > 1) each(0);
  if (s.options.average)
    for (const Array& w : parameters) state.push_back(astype(w, working_type(w.dtype())));
  return state;
}

// ---- One update -----------------------------------------------------------------------------------------------------

namespace {

void add_penalties(Array& g, const Array& w, const Settings& settings) {
  if (settings.l1 > 0) g = g + sign(w) * settings.l1;
  if (settings.l2 > 0) g = g + w * settings.l2;
}

void clip(Arrays& gradients, const Options& options) {
  if (options.clip_value) gradients = clip_by_value(gradients, *options.clip_value);
  if (options.clip_norm) gradients = clip_by_norm(gradients, *options.clip_norm);
  if (options.clip_global_norm) gradients = clip_by_global_norm(gradients, *options.clip_global_norm);
}

/// The rates and coefficients of each group, and of each type within it, made when first asked for.
class Numbers {
 public:
  Numbers(const Rule& rule, const std::vector<Settings>& settings, Array step, Array scale, Array t, Arrays scalars)
      : rule_(rule),
        settings_(settings),
        step_(std::move(step)),
        scale_(std::move(scale)),
        t_(std::move(t)),
        scalars_(std::move(scalars)) {}

  struct Of {
    Arrays coefficients;
    Array kept;  // 1 - rate * weight decay
  };
  const Of& of(std::size_t group, DType dtype) {
    const auto [place, fresh] = made_.try_emplace({group, dtype});
    if (!fresh) return place->second;
    const Settings& settings = settings_[group];
    const auto constant = settings.learning_rate.constant();
    const Scalar rate = constant ? Scalar(*constant) : Scalar(settings.learning_rate(step_, scale_));
    const Now now{.rate = rate, .weight_decay = settings.weight_decay, .t = t_, .scalars = scalars_};
    for (const Scalar& c : coefficients(rule_, now)) place->second.coefficients.push_back(c.in(dtype));
    place->second.kept = (1 - rate * settings.weight_decay).in(dtype);
    return place->second;
  }

 private:
  const Rule& rule_;
  const std::vector<Settings>& settings_;
  Array step_, scale_, t_;
  Arrays scalars_;
  std::map<std::pair<std::size_t, DType>, Of> made_;
};

}  // namespace

Update Optimizer::update(const Arrays& parameters, const Arrays& gradients, const Arrays& state) const {
  const Setup& s = *setup_;
  const std::size_t count = parameters.size();
  const Setup::Layout at = s.layout(count);
  if (gradients.size() != count)
    base::fail("{}: {} parameters, but {} gradients: give one for each", s.traits.name, count, gradients.size());
  if (state.size() != at.size)
    base::fail("{}: a state of {} arrays, not {}: take the state from init or from the last update", s.traits.name,
               state.size(), at.size);
  if (!s.options.groups.empty() && s.names.empty())
    base::fail("{}: there are groups, but the parameters' names are not known: use optimizer.named(names)",
               s.traits.name);
  if (!s.names.empty() && s.names.size() != count)
    base::fail("{}: {} parameters, but {} names: give one name for each", s.traits.name, count, s.names.size());
  for (std::size_t i = 0; i < count; ++i) {
    if (!gradients[i].defined())
      base::fail("{}: there is no gradient of {}: leave the parameter out, or give zeros", s.traits.name, s.name(i));
    if (gradients[i].shape() != parameters[i].shape())
      base::fail("{}: {} is {}, but its gradient is {}: they need one shape", s.traits.name, s.name(i),
                 parameters[i].shape(), gradients[i].shape());
    if (!is_float(parameters[i].dtype()) || !is_float(gradients[i].dtype()))
      base::fail("{}: {} is {} and its gradient {}: both must be of floating type", s.traits.name, s.name(i),
                 parameters[i].dtype(), gradients[i].dtype());
  }

  Arrays next = state;
  Arrays w, g;
  for (std::size_t i = 0; i < count; ++i) {
    const DType dtype = working_type(parameters[i].dtype());
    w.push_back(astype(parameters[i], dtype));
    g.push_back(astype(gradients[i], dtype));
  }

  // `due` says whether this call updates, or only adds up its gradients.
  Array due;
  if (s.options.accumulate > 1) {
    const Array calls = state[at.pending] + std::int64_t{1};
    due = greater_equal(calls, s.options.accumulate);
    next[at.pending] = where(due, int64_of(0), calls);
    for (std::size_t i = 0; i < count; ++i) {
      const Array total = state[at.sums + i] + g[i];
      next[at.sums + i] = where(due, zeros_like(total), total);
      g[i] = total * (1.0 / static_cast<double>(s.options.accumulate));
    }
  }
  const auto if_due = [&](const Array& then, const Array& otherwise) {
    return due.defined() ? where(due, then, otherwise) : then;
  };

  Array step, t;
  if (s.counts) {
    step = state[at.step];
    const Array after = step + std::int64_t{1};
    if (s.traits.counts) t = astype(after, float64);
    next[at.step] = if_due(after, step);
  }
  const auto first_scalar = state.begin() + static_cast<std::ptrdiff_t>(at.scalars);
  const Arrays scalars(first_scalar, first_scalar + static_cast<std::ptrdiff_t>(s.traits.scalars.size()));
  const Arrays new_scalars = advance(s.rule, t, scalars);
  for (std::size_t i = 0; i < scalars.size(); ++i) next[at.scalars + i] = if_due(new_scalars[i], scalars[i]);

  for (std::size_t i = 0; i < count; ++i) add_penalties(g[i], w[i], s.settings[s.group_of(i)]);
  clip(g, s.options);

  const Array planned = s.start > 0 && step.defined() ? maximum(step - s.start, int64_of(0)) : step;
  Numbers numbers(s.rule, s.settings, planned, at.scale == kAbsent ? Array() : state[at.scale], t, new_scalars);
  Update result;
  std::vector<Array> moments(s.traits.moments.size());
  for (std::size_t i = 0; i < count; ++i) {
    const Numbers::Of& now = numbers.of(s.group_of(i), w[i].dtype());
    const double decay = s.traits.decays_itself ? 0 : s.settings[s.group_of(i)].weight_decay;
    if (decay > 0 && !s.traits.decoupled) g[i] = g[i] + w[i] * decay;
    const Array from = decay > 0 && s.traits.decoupled ? w[i] * now.kept : w[i];
    for (std::size_t m = 0; m < moments.size(); ++m) moments[m] = state[at.moments + m * count + i];
    const Array updated = if_due(apply(s.rule, now.coefficients, from, g[i], moments), w[i]);
    for (std::size_t m = 0; m < moments.size(); ++m) {
      Array& kept = next[at.moments + m * count + i];
      kept = if_due(moments[m], kept);
    }
    if (s.options.average) {
      const Array& old = state[at.averages + i];
      next[at.averages + i] = if_due(moving_average({old}, {updated}, *s.options.average)[0], old);
    }
    result.parameters.push_back(astype(updated, parameters[i].dtype()));
  }
  result.state = std::move(next);
  return result;
}

Array Optimizer::penalty(const Arrays& parameters) const {
  const Setup& s = *setup_;
  if (!s.options.groups.empty() && s.names.size() != parameters.size())
    base::fail("{}: penalty of {} parameters with {} names: use optimizer.named(names) with one name for each",
               s.traits.name, parameters.size(), s.names.size());
  Array total;
  const auto add = [&](const Array& part) { total = total.defined() ? total + part : part; };
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const Settings& settings = s.settings[s.group_of(i)];
    if (settings.l1 > 0) add(l1_penalty({parameters[i]}, settings.l1));
    if (settings.l2 > 0) add(l2_penalty({parameters[i]}, settings.l2));
  }
  return total.defined() ? total : zeros({});
}

// ---- The state ------------------------------------------------------------------------------------------------------

std::size_t Optimizer::state_size(std::size_t parameters) const { return setup_->layout(parameters).size; }

std::vector<std::string> Optimizer::state_names(const std::vector<std::string>& parameters) const {
  const Setup& s = *setup_;
  std::vector<std::string> result;
  if (s.counts) result.emplace_back("step");
  if (s.options.accumulate > 1) result.emplace_back("pending");
  if (s.plateau) result.emplace_back("scale");
  for (const Slot& slot : s.traits.scalars) result.emplace_back(slot.name);
  const auto each = [&](std::string_view kind) {
    for (const std::string& name : parameters) result.push_back(base::format("{}.{}", kind, name));
  };
  for (const Slot& slot : s.traits.moments) each(slot.name);
  if (s.options.accumulate > 1) each("gradient_sum");
  if (s.options.average) each("average");
  return result;
}

std::int64_t Optimizer::steps(const Arrays& state) const {
  const Setup::Layout at = setup_->layout_of(state);
  return at.step == kAbsent ? 0 : state[at.step].item<std::int64_t>();
}

double Optimizer::learning_rate(const Arrays& state) const {
  const Setup::Layout at = setup_->layout_of(state);
  const Schedule& schedule = setup_->settings.back().learning_rate;
  return schedule.at(std::max<std::int64_t>(steps(state) - setup_->start, 0),
                     at.scale == kAbsent ? 1 : state[at.scale].item<double>());
}

Arrays Optimizer::averages(const Arrays& state) const {
  const Setup::Layout at = setup_->layout_of(state);
  if (at.averages == kAbsent) return {};
  return Arrays(state.begin() + static_cast<std::ptrdiff_t>(at.averages), state.end());
}

void Optimizer::set_scale(Arrays& state, double scale) const {
  const Setup::Layout at = setup_->layout_of(state);
  if (at.scale == kAbsent)
    base::fail("{}: set_scale, but no schedule has a scale: use schedule::OnPlateau as the learning rate",
               setup_->traits.name);
  check_range(setup_->traits.name, "scale", scale, Range::kNotNegative);
  state[at.scale] = float64_of(scale);
}

const schedule::OnPlateau* Optimizer::plateau() const { return setup_->plateau; }
const Rule& Optimizer::rule() const { return setup_->rule; }
const Options& Optimizer::options() const { return setup_->options; }

std::string Optimizer::to_string() const {
  const Setup& s = *setup_;
  std::string text = base::format("{}(learning_rate={}", s.traits.name, learning_rate_of(s.rule).to_string());
  for (const Field& field : s.traits.fields) {
    if (field.range == Range::kFlag)
      text += base::format(", {}={}", field.name, field.value != 0);
    else
      text += base::format(", {}={}", field.name, field.value);
  }
  const Options& o = s.options;
  if (o.accumulate != 1) text += base::format(", accumulate={}", o.accumulate);
  if (o.l1 != 0) text += base::format(", l1={}", o.l1);
  if (o.l2 != 0) text += base::format(", l2={}", o.l2);
  if (o.clip_value) text += base::format(", clip_value={}", *o.clip_value);
  if (o.clip_norm) text += base::format(", clip_norm={}", *o.clip_norm);
  if (o.clip_global_norm) text += base::format(", clip_global_norm={}", *o.clip_global_norm);
  if (o.average) text += base::format(", average={}", *o.average);
  for (const Group& group : o.groups) {
    text += base::format(", group '{}'(", group.pattern);
    std::string inside;
    const auto add = [&](std::string_view name, const std::string& value) {
      inside += base::format("{}{}={}", inside.empty() ? "" : ", ", name, value);
    };
    if (group.learning_rate) add("learning_rate", group.learning_rate->to_string());
    if (group.weight_decay) add("weight_decay", base::format("{}", *group.weight_decay));
    if (group.l1) add("l1", base::format("{}", *group.l1));
    if (group.l2) add("l2", base::format("{}", *group.l2));
    text += inside + ")";
  }
  return text + ")";
}

}  // namespace pellucid::optim
