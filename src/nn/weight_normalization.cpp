// Layers whose weight is normalised before each call.
#include <cmath>
#include <numeric>

#include "base/fail.h"
#include "nn/normalize.h"
#include "pellucid/nn_normalization.h"

namespace pellucid::nn {

using base::fail;

namespace {

/// The layer's own parameter `weight`; throws where there is none, or it has fewer than two axes.
Parameter& weight_of(std::string_view type, const AnyLayer& layer) {
  class Find : public Visitor {
   public:
    void parameter(const std::string& path, Parameter& p) override {
      if (path == "weight" && p.value.defined()) found = &p;
    }
    Parameter* found = nullptr;
  } find;
  find.walk(layer.ref());
  if (find.found == nullptr || find.found->value.rank() < 2) {
    fail("{}: a {} has no parameter 'weight' of two axes or more", type, layer.ref().type());
  }
  return *find.found;
}

/// Another value of a parameter for as long as this exists.
class Replaced {
 public:
  Replaced(Parameter& parameter, Array value) : parameter_(parameter), old_(parameter.value) {
    parameter.value = std::move(value);
  }
  ~Replaced() { parameter_.value = old_; }
  Replaced(const Replaced&) = delete;
  Replaced& operator=(const Replaced&) = delete;

 private:
  Parameter& parameter_;
  Array old_;
};

/// The norm of a weight (..., outputs) over all axes but the last.
Array norms(const Array& weight) {
  std::vector<int> axes(static_cast<std::size_t>(weight.rank() - 1));
  std::iota(axes.begin(), axes.end(), 0);
  return sqrt(sum(square(weight), axes));
}

Array unit(const Array& v, double epsilon) { return v / (sqrt(sum(square(v))) + epsilon); }

/// A weight as a matrix (all other axes, outputs).
Array matrix(const Array& weight) { return reshape(weight, {-1, weight.size(-1)}); }

/// Fixed unit vectors to begin power iterations with, that are orthogonal to hardly anything.
Array start(std::int64_t n, DType dtype) {
  return unit(astype(random::normal(random::key(static_cast<std::uint64_t>(n)), {n}), dtype), 1e-12).evaluate();
}

}  // namespace

WeightNorm::WeightNorm(AnyLayer inner) : layer(std::move(inner)) {
  const Array& weight = weight_of("WeightNorm", layer);
  magnitude = Parameter(norms(weight).evaluate());
}

Array WeightNorm::operator()(const Array& x) const {
  const Call call(*this, "WeightNorm");
  Parameter& weight = weight_of("WeightNorm", layer);
  const Array direction = weight;
  const Replaced replaced(weight, direction * (magnitude / norms(direction)));
  return call.done(layer(x));
}

void WeightNorm::initialize(const random::Key& /*key*/) { magnitude.value = norms(weight_of("WeightNorm", layer)); }

SpectralNorm::SpectralNorm(AnyLayer inner, std::int64_t iterations, double epsilon)
    : layer(std::move(inner)), iterations_(iterations), epsilon_(epsilon) {
  const Array& weight = weight_of("SpectralNorm", layer);
  if (iterations < 1) fail("SpectralNorm: {} iterations; there must be at least one", iterations);
  if (!(epsilon > 0)) fail("SpectralNorm: epsilon {} must be positive", epsilon);
  left = start(weight.size() / weight.size(-1), weight.dtype());
  right = start(weight.size(-1), weight.dtype());
}

Array SpectralNorm::operator()(const Array& x) const {
  const Call call(*this, "SpectralNorm");
  Parameter& weight = weight_of("SpectralNorm", layer);
  const Array own = weight;
  if (trains(*this)) {
    const Array fixed = stop_gradient(matrix(own));
    Array u = left, v = right;
    for (std::int64_t i = 0; i < iterations_; ++i) {
      u = unit(matmul(fixed, v), epsilon_);
      v = unit(matmul(u, fixed), epsilon_);
    }
    left.update(u);
    right.update(v);
  }
  const Array sigma = sum(left.value * matmul(matrix(own), right.value));
  const Replaced replaced(weight, own / sigma);
  return call.done(layer(x));
}

}  // namespace pellucid::nn
