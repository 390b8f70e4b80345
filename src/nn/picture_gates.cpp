// Gates, dropout of channels and branches; how these and the normalising layers are made of descriptions.
#include "nn/build.h"
#include "nn/picture.h"
#include "pellucid/nn_picture.h"

namespace pellucid::nn {

using base::fail;
using base::format;

// ---- Dropout --------------------------------------------------------------------------------------------------------

namespace {

double checked_probability(std::string_view type, double p) {
  if (!(p >= 0 && p < 1)) fail("{}: the probability {} must be at least 0 and less than 1", type, p);
  return p;
}

/// x with parts of the shape `shape`, which broadcasts, left out as a whole.
Array dropped(const Call& call, const Layer& layer, const Array& x, const Shape& shape, double p) {
  if (p == 0 || !trains(layer)) return x;
  if (!Context::training()) {
    call.fail("training needs random numbers; make an nn::Context with a key around the call, or nn::eval the network");
  }
  const Array kept = random::bernoulli(Context::next_key(), shape, 1 - p);
  return where(kept, x * (1 / (1 - p)), 0.0);
}

}  // namespace

template <int kAxes>
DropoutChannels<kAxes>::DropoutChannels(double p, bool channels_first)
    : p_(checked_probability(type_name(), p)), channels_first_(channels_first) {}

template <int kAxes>
Array DropoutChannels<kAxes>::operator()(const Array& x) const {
  const Call call(*this, type_name());
  check_picture(call, x, kAxes, channels_first_);
  Shape shape(static_cast<std::size_t>(x.rank()), 1);
  shape[0] = x.size(0);
  const int channels = channels_first_ ? 1 : x.rank() - 1;
  shape[static_cast<std::size_t>(channels)] = x.size(channels);
  return call.done(dropped(call, *this, x, shape, p_));
}

template class DropoutChannels<1>;
template class DropoutChannels<2>;
template class DropoutChannels<3>;

StochasticDepth::StochasticDepth(double p) : p_(checked_probability("StochasticDepth", p)) {}

Array StochasticDepth::operator()(const Array& x) const {
  const Call call(*this, "StochasticDepth");
  if (x.rank() == 0) call.fail("x is a scalar; it must have a batch axis");
  Shape shape(static_cast<std::size_t>(x.rank()), 1);
  shape[0] = x.size(0);
  return call.done(dropped(call, *this, x, shape, p_));
}

// ---- Gates ----------------------------------------------------------------------------------------------------------

Array GLU::operator()(const Array& x) const {
  const Call call(*this, "GLU");
  const int axis = axis_ < 0 ? axis_ + x.rank() : axis_;
  if (axis < 0 || axis >= x.rank() || x.size(axis) % 2 != 0) {
    call.fail(format("x has shape {}; axis {} must exist and have an even size", x.shape(), axis_));
  }
  const std::int64_t half = x.size(axis) / 2;
  return call.done(slice(x, axis, 0, half) * sigmoid(slice(x, axis, half, 2 * half)));
}

SwiGLU::SwiGLU(std::int64_t features, std::int64_t hidden)
    : gate(features, hidden, {.bias = false}),
      up(features, hidden, {.bias = false}),
      down(hidden, features, {.bias = false}) {}

Array SwiGLU::operator()(const Array& x) const {
  const Call call(*this, "SwiGLU");
  return call.done(down(silu(gate(x)) * up(x)));
}

Options SwiGLU::options() const {
  return {{"features", gate.weight.value.size(0)}, {"hidden", gate.weight.value.size(1)}};
}

SqueezeExcite::SqueezeExcite(std::int64_t channels, std::int64_t squeezed, bool channels_first)
    : reduce(channels, squeezed), expand(squeezed, channels), channels_first_(channels_first) {}

Array SqueezeExcite::operator()(const Array& x) const {
  const Call call(*this, "SqueezeExcite");
  check_picture(call, x, 0, channels_first_);
  return call.done(with_channels_last(x, channels_first_, [&](const Array& t) {
    Shape shape(static_cast<std::size_t>(t.rank()), 1);
    shape.front() = t.size(0);
    shape.back() = t.size(-1);
    const Array gates = sigmoid(expand(relu(reduce(global_average_pool(t, t.rank() - 2)))));
    return t * reshape(gates, shape);
  }));
}

Options SqueezeExcite::options() const {
  return {{"channels", reduce.weight.value.size(0)},
          {"squeezed", reduce.weight.value.size(1)},
          {"channels_first", channels_first_}};
}

// ---- From descriptions ----------------------------------------------------------------------------------------------

namespace {

template <int kAxes>
void add_axes(Makers& makers) {
  makers[std::string(DropoutChannels<kAxes>::type_name())] = [](Settings& s) {
    return DropoutChannels<kAxes>(s.get<double>("p"), s.get<bool>("channels_first"));
  };
  if constexpr (kAxes > 1) {
    makers[std::string(BatchNorm<kAxes>::type_name())] = [](Settings& s) {
      PictureNormOptions options;
      options.momentum = s.get<double>("momentum");
      options.epsilon = s.get<double>("epsilon");
      options.affine = s.get<bool>("affine");
      options.channels_first = s.get<bool>("channels_first");
      return perhaps_folded(BatchNorm<kAxes>(s.get<std::int64_t>("features"), options),
                            s.find<bool>("folded").value_or(false));
    };
  }
}

/// The one layer inside of a wrapper.
AnyLayer only_layer(std::string_view type, Settings& s) {
  std::vector<AnyLayer> layers = s.layers();
  if (layers.size() != 1) fail("nn::build: {}: it has one layer of its own, and {} are given", type, layers.size());
  return std::move(layers[0]);
}

}  // namespace

void add_picture_layers(Makers& makers) {
  add_pooling_layers(makers);
  add_augmentation(makers);
  add_axes<1>(makers);
  add_axes<2>(makers);
  add_axes<3>(makers);
  makers["GroupNorm"] = [](Settings& s) {
    GroupNormOptions options;
    options.epsilon = s.get<double>("epsilon");
    options.affine = s.get<bool>("affine");
    options.channels_first = s.get<bool>("channels_first");
    return GroupNorm(s.get<std::int64_t>("groups"), s.get<std::int64_t>("channels"), options);
  };
  makers["InstanceNorm"] = [](Settings& s) {
    InstanceNormOptions options;
    options.epsilon = s.get<double>("epsilon");
    options.affine = s.get<bool>("affine");
    options.channels_first = s.get<bool>("channels_first");
    return InstanceNorm(s.get<std::int64_t>("channels"), options);
  };
  makers["RMSNorm"] = [](Settings& s) {
    RMSNormOptions options;
    options.epsilon = s.get<double>("epsilon");
    options.affine = s.get<bool>("affine");
    return RMSNorm(s.get<Shape>("shape"), options);
  };
  makers["WeightNorm"] = [](Settings& s) { return WeightNorm(only_layer("WeightNorm", s)); };
  makers["SpectralNorm"] = [](Settings& s) {
    return SpectralNorm(only_layer("SpectralNorm", s), s.get<std::int64_t>("iterations"), s.get<double>("epsilon"));
  };
  makers["StochasticDepth"] = [](Settings& s) { return StochasticDepth(s.get<double>("p")); };
  makers["GLU"] = [](Settings& s) { return GLU(s.axis("axis")); };
  makers["SwiGLU"] = [](Settings& s) {
    s.layers();  // made anew by the constructor
    return SwiGLU(s.get<std::int64_t>("features"), s.get<std::int64_t>("hidden"));
  };
  makers["SqueezeExcite"] = [](Settings& s) {
    s.layers();  // made anew by the constructor
    return SqueezeExcite(s.get<std::int64_t>("channels"), s.get<std::int64_t>("squeezed"),
                         s.get<bool>("channels_first"));
  };
}

}  // namespace pellucid::nn
