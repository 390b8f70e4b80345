// Ensemble: one body under vmap; Blend: several layers and the mean of what they say. See nn_table.h.
#include <algorithm>
#include <cmath>

#include "base/fail.h"
#include "pellucid/nn_table.h"
#include "pellucid/transform.h"

namespace pellucid::nn {

using base::fail;
using base::format;

namespace {

// Each member's values by a key of its own, as `start` gives them for one.
init::Initializer side_by_side(init::Initializer start, std::int64_t members) {
  return [start = std::move(start), members](const random::Key& key, const Shape& shape, DType dtype) {
    const Shape one(shape.begin() + 1, shape.end());
    Arrays values;
    for (std::int64_t i = 0; i < members; ++i) values.push_back(start(random::fold_in(key, Array(i)), one, dtype));
    return stack(values);
  };
}

// Gives every parameter of a module an axis of members.
class Widen : public Visitor {
 public:
  explicit Widen(std::int64_t members) : members_(members) {}
  void parameter(const std::string&, Parameter& p) override {
    if (!p.value.defined()) return;
    Shape shape = p.value.shape();
    shape.insert(shape.begin(), members_);
    const DType dtype = p.value.dtype();
    p = Parameter(shape, side_by_side(p.initializer, members_), dtype);
  }
  void array(const std::string& path, Array&) override { refuse(path, "a plain array"); }
  void buffer(const std::string& path, Buffer&) override { refuse(path, "a buffer"); }

 private:
  [[noreturn]] static void refuse(const std::string& path, const char* what) {
    fail("Ensemble: '{}' is {}, which members cannot have; take layers with parameters alone", path, what);
  }
  std::int64_t members_;
};

// The places of the parameters that are there.
class Places : public Visitor {
 public:
  void parameter(const std::string&, Parameter& p) override {
    if (p.value.defined()) places.push_back(&p);
  }
  std::vector<Parameter*> places;
};

// While one exists, the parameters are the given ones.
class Exchange {
 public:
  Exchange(const std::vector<Parameter*>& places, const Arrays& values) : places_(places) {
    for (std::size_t i = 0; i < places.size(); ++i) before_.push_back(std::exchange(places[i]->value, values[i]));
  }
  ~Exchange() {
    for (std::size_t i = 0; i < places_.size(); ++i) places_[i]->value = before_[i];
  }
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

 private:
  const std::vector<Parameter*>& places_;
  Arrays before_;
};

constexpr std::string_view kMeans[] = {"scores", "probabilities", "scores_and_variance"};  // in the enum's order

}  // namespace

std::string_view name_of(EnsembleMean mean) { return kMeans[static_cast<int>(mean)]; }

EnsembleMean ensemble_mean(std::string_view name, std::string_view type) {
  const auto* const at = std::find(std::begin(kMeans), std::end(kMeans), name);
  if (at == std::end(kMeans)) {
    fail("{}: 'mean' is '{}'; it may be scores, probabilities or scores_and_variance", type, name);
  }
  return static_cast<EnsembleMean>(at - std::begin(kMeans));
}

Ensemble::Ensemble(std::int64_t members, EnsembleMean mean, std::vector<AnyLayer> body)
    : temperature(ones({})), members_(members), mean_(mean), body_(std::move(body)) {
  if (members < 1) fail("Ensemble: {} members; there must be at least one", members);
  if (body_.size() == 0) fail("Ensemble: there are no layers for the members");
  Widen(members).walk(body_);
}

void Ensemble::visit_members(Visitor& visitor) {
  body_.visit_members(visitor);
  visitor.member("temperature", temperature);
}

Options Ensemble::options() const { return {{"members", members_}, {"mean", std::string(name_of(mean_))}}; }

Array Ensemble::run(const Array& x, bool shared) const {
  Places parameters;
  parameters.walk(body_);
  Arrays arguments;
  std::vector<std::optional<int>> axes;
  for (const Parameter* p : parameters.places) {
    arguments.emplace_back(static_cast<const Array&>(*p));
    axes.emplace_back(0);
  }
  const std::size_t count = arguments.size();
  const bool trains = Context::training();
  const random::Key key = trains ? Context::next_key() : random::Key();
  arguments.push_back(arange(members_));
  arguments.push_back(x);
  axes.emplace_back(0);
  axes.push_back(shared ? std::nullopt : std::optional(0));
  const Function one = [&](const Arrays& in) {
    const Exchange exchange(parameters.places, Arrays(in.begin(), in.begin() + static_cast<std::ptrdiff_t>(count)));
    std::optional<Context> context;
    if (trains) context.emplace(random::fold_in(key, in[count]));
    return Arrays{body_(in[count + 1])};
  };
  return transform::vmap(one, arguments, axes, 0)[0];
}

Array Ensemble::each(const Array& x) const {
  const Call call(*this, "Ensemble");
  if (x.rank() != 2) call.fail(format("x has shape {}, and must be [rows, features]", x.shape()));
  return call.done(run(x, true));
}

Array Ensemble::apart(const Array& x) const {
  const Call call(*this, "Ensemble");
  if (x.rank() != 3 || x.size(0) != members_) {
    call.fail(format("x has shape {}, and must be [{}, rows, features]: each member's own rows", x.shape(), members_));
  }
  return call.done(run(x, false));
}

Array Ensemble::mean_of(const Array& outputs) const {
  if (mean_ == EnsembleMean::kScores) return mean(outputs, {0});
  if (mean_ == EnsembleMean::kScoresAndVariance) {
    const Array all = mean(outputs, {0});
    return concat({all, mean(square(outputs - all), {0})}, -1);
  }
  return logsumexp(log_softmax(outputs * temperature), {0}) - std::log(static_cast<double>(members_));
}

Array Ensemble::operator()(const Array& x) const { return mean_of(each(x)); }

Sequential Ensemble::member(std::int64_t i) const {
  if (i < 0 || i >= members_) fail("Ensemble: no member {}; there are {}", i, members_);
  Sequential alone = body_;
  Places parameters;
  parameters.walk(alone);
  for (Parameter* p : parameters.places) {
    const Array value = reshape(slice(*p, 0, i, i + 1), Shape(p->value.shape().begin() + 1, p->value.shape().end()));
    p->value = value.evaluate();
  }
  return alone;
}

Blend::Blend(EnsembleMean mean, std::vector<AnyLayer> parts)
    : weights(full({static_cast<std::int64_t>(parts.size())},
                   1.0 / static_cast<double>(std::max<std::size_t>(parts.size(), 1)), float32)),
      variance_weights(square(weights).evaluate()),
      temperature(ones({})),
      mean_(mean),
      parts_(std::move(parts)) {
  if (parts_.size() == 0) fail("Blend: there are no layers to blend");
}

void Blend::visit_members(Visitor& visitor) {
  parts_.visit_members(visitor);
  visitor.member("weights", weights);
  if (mean_ == EnsembleMean::kScoresAndVariance) visitor.member("variance_weights", variance_weights);
  visitor.member("temperature", temperature);
}

Options Blend::options() const { return {{"mean", std::string(name_of(mean_))}}; }

Array Blend::operator()(const Array& x) const {
  const Call call(*this, "Blend");
  Arrays said;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    const Array output = parts_[i](x);
    said.push_back(mean_ == EnsembleMean::kProbabilities ? softmax(output) : output);
    if (said.back().shape() != said.front().shape()) {
      call.fail(format("layer {} gives {}, and layer 0 {}; give layers of one shape of output", said.size() - 1,
                       said.back().shape(), said.front().shape()));
    }
  }
  Shape shape(said.front().shape().size() + 1, 1);
  shape[0] = parts();
  const Array all = stack(said), sum = pellucid::sum(all * reshape(weights, shape), {0});
  if (mean_ == EnsembleMean::kScores) return call.done(sum);
  if (mean_ == EnsembleMean::kProbabilities) return call.done(log(maximum(sum, 1e-30)) * temperature);
  const Array variance = pellucid::sum(all * reshape(variance_weights, shape), {0});
  const std::int64_t outputs = sum.size(-1) / 2;
  return call.done(concat({slice(sum, -1, 0, outputs), slice(variance, -1, outputs, 2 * outputs)}, -1));
}

}  // namespace pellucid::nn
