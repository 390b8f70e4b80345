// The calls of layers.
#include <numeric>

#include "array/node.h"
#include "base/fail.h"
#include "nn/call_record.h"
#include "nn/normalize.h"
#include "pellucid/nn.h"

namespace pellucid::nn {

using base::fail;
using base::format;

// ---- Call -----------------------------------------------------------------------------------------------------------

namespace {

thread_local CallRecord* record = nullptr;

/// What `path` adds to the path around this call; empty where nothing does. The names that it begins with may have
/// others in front: "blocks.0.norm" adds "norm" to "GPT.blocks.0".
std::string_view rest_of(std::string_view path, std::string_view around) {
  while (true) {
    if (path == around) return {};
    if (!around.empty() && path.size() > around.size() && path.starts_with(around) && path[around.size()] == '.') {
      return path.substr(around.size() + 1);
    }
    const std::size_t dot = around.find('.');
    if (dot == std::string_view::npos) return path;
    around.remove_prefix(dot + 1);
  }
}

}  // namespace

CallRecord::CallRecord() : outer_(record) { record = this; }
CallRecord::~CallRecord() { record = outer_; }

Call::Call(const Layer& layer, std::string_view type) : layer_(layer), type_(type) {
  const std::string around = LayerScope::path();
  const std::string_view own =
      layer.path.empty() ? (around.empty() ? type : std::string_view()) : rest_of(layer.path, around);
  if (!own.empty()) scope_.emplace(own);
}

Call::~Call() = default;

Array Call::done(Array y) const {
  if (record != nullptr) {
    record->calls.push_back({&layer_, LayerScope::path(), y.shape(), Node::next_number()});
  }
  return y;
}

void Call::fail(const std::string& text) const {
  throw Error(format("{}: {} (layer '{}')", type_, text, LayerScope::path()));
}

bool trains(const Layer& layer) {
  return layer.mode == Mode::kAutomatic ? Context::training() : layer.mode == Mode::kTraining;
}

namespace {

/// Throws unless the last axis of x has `features` elements.
void check_features(const Call& call, const Array& x, std::int64_t features) {
  if (x.rank() == 0 || x.size(-1) != features) {
    call.fail(format("x has shape {}, and its last axis must have {} features", x.shape(), features));
  }
}

}  // namespace

// ---- Containers and plain layers ------------------------------------------------------------------------------------

Array FunctionLayer::operator()(const Array& x) const {
  const Call call(*this, type_name());
  return call.done(function(x));
}

namespace {

Array run_all(const std::vector<AnyLayer>& layers, Array x) {
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const LayerScope position(std::to_string(i));
    x = layers[i](x);
  }
  return x;
}

/// The scope of a container: its own path, without the type's name where it has none.
class ContainerScope {
 public:
  explicit ContainerScope(const Layer& layer) {
    const std::string_view own = rest_of(layer.path, LayerScope::path());
    if (!own.empty()) scope_.emplace(own);
  }

 private:
  std::optional<LayerScope> scope_;
};

}  // namespace

Array Sequential::operator()(const Array& x) const {
  const ContainerScope scope(*this);
  return run_all(layers_, x);
}

AnyLayer& Sequential::operator[](std::size_t i) {
  if (i >= layers_.size()) fail("Sequential: no layer {}; there are {}", i, layers_.size());
  return layers_[i];
}

const AnyLayer& Sequential::operator[](std::size_t i) const { return const_cast<Sequential&>(*this)[i]; }

void Sequential::visit_members(Visitor& visitor) {
  for (std::size_t i = 0; i < layers_.size(); ++i) visitor.member(std::to_string(i), layers_[i]);
}

Array Residual::operator()(const Array& x) const {
  const ContainerScope scope(*this);
  const Array y = body_(x);
  if (y.shape() != x.shape()) {
    const Call call(*this, "Residual");
    call.fail(format("the inner layers turn shape {} into {}; they must keep it", x.shape(), y.shape()));
  }
  return x + y;
}

Array Identity::operator()(const Array& x) const {
  const Call call(*this, "Identity");
  return call.done(x);
}

Array Flatten::operator()(const Array& x) const {
  const Call call(*this, "Flatten");
  const int first = first_ < 0 ? first_ + x.rank() : first_;
  if (first < 0 || first > x.rank()) {
    call.fail(format("x has shape {}, which has no axis {} to flatten from", x.shape(), first_));
  }
  if (first == x.rank()) return call.done(expand_dims(x, -1));
  return call.done(flatten(x, first, -1));
}

Dropout::Dropout(double p) : p_(p) {
  if (!(p >= 0 && p < 1)) fail("Dropout: the probability {} must be at least 0 and less than 1", p);
}

Array Dropout::operator()(const Array& x) const {
  const Call call(*this, "Dropout");
  if (p_ == 0 || !trains(*this)) return call.done(x);
  if (!Context::training()) {
    call.fail("training needs random numbers; make an nn::Context with a key around the call, or nn::eval the network");
  }
  const double keep = 1 - p_;
  const Array mask = random::bernoulli(Context::next_key(), x.shape(), keep);
  return call.done(where(mask, x * (1 / keep), 0.0));
}

// ---- Linear ---------------------------------------------------------------------------------------------------------

Linear::Linear(std::int64_t inputs, std::int64_t outputs, LinearOptions options) {
  if (inputs < 1 || outputs < 1) fail("Linear: sizes {} and {} must be positive", inputs, outputs);
  const auto or_else = [](init::Initializer given, auto make) { return given ? std::move(given) : make(); };
  weight =
      Parameter({inputs, outputs},
                or_else(std::move(options.weight_initializer), [] { return init::xavier_uniform(); }), options.dtype);
  if (options.bias)
    bias = Parameter({outputs}, or_else(std::move(options.bias_initializer), init::zeros), options.dtype);
}

Array Linear::operator()(const Array& x) const {
  const Call call(*this, "Linear");
  check_features(call, x, weight.value.size(0));
  return call.done(linear(x, weight, bias));
}

Options Linear::options() const {
  return {{"inputs", weight.value.size(-2)}, {"outputs", weight.value.size(-1)}, {"bias", bias.value.defined()}};
}

// ---- Normalisation --------------------------------------------------------------------------------------------------

void check_normalisation(std::string_view type, const Shape& shape, double epsilon) {
  for (auto size : shape) {
    if (size < 1) fail("{}: the shape {} must have positive sizes only", type, shape);
  }
  if (shape.empty()) fail("{}: the shape {} must have at least one axis", type, shape);
  if (!(epsilon > 0)) fail("{}: epsilon {} must be positive", type, epsilon);
}

Array affine(Array y, const Parameter& weight, const Parameter& bias) {
  return weight.value.defined() ? y * weight + bias : y;
}

void check_momentum(std::string_view type, double momentum) {
  if (!(momentum >= 0 && momentum <= 1)) fail("{}: momentum {} must be between 0 and 1", type, momentum);
}

Array batch_normalized(const Call& call, const Layer& layer, const Array& x, const Parameter& weight,
                       const Parameter& bias, const Buffer& running_mean, const Buffer& running_variance,
                       double momentum, double epsilon) {
  if (!running_mean.value.defined()) {
    if (trains(layer)) call.fail("it was joined with the layer before it by fold_batch_norm, and cannot be trained");
    return x;
  }
  const std::int64_t features = running_mean.value.size(0);
  check_features(call, x, features);
  NormRecord::add(layer, x, epsilon);
  const bool frozen = weight.value.defined() && !weight.trainable && !bias.trainable;
  if (!trains(layer) || frozen) {
    const Array scale = rsqrt(running_variance + epsilon);
    return affine((x - running_mean) * scale, weight, bias);
  }
  const std::int64_t count = x.size() / features;
  if (count < 2) {
    call.fail(format("x has shape {}: training needs at least two values of each feature", x.shape()));
  }
  std::vector<int> axes(static_cast<std::size_t>(x.rank() - 1));
  std::iota(axes.begin(), axes.end(), 0);
  // One pass gives sums and sums of squares, about a pivot: the mean of the first sixteenth. As these are a sixteenth
  // of the values, (mean - pivot)^2 is at most 16 times the variance, and no more than 5 bits are lost in the
  // difference. Nothing depends on the pivot, so no derivative goes through it.
  const Array some = slice(x, 0, 0, std::max<std::int64_t>(1, x.size(0) / 16));
  const Array pivot = stop_gradient(pellucid::mean(some, axes));
  const Function moments = [axes](const Arrays& in) {
    const Array away = in[0] - in[1];
    return Arrays{pellucid::mean(away, axes), pellucid::mean(square(away), axes)};
  };
  const Arrays sums = checkpoint(moments)({x, pivot});
  const Array& offset = sums[0];
  const Array difference = sums[1] - square(offset);
  const Array variance = where(difference < 0.0, 0.0, difference);
  const Array mean = pivot + offset;
  const double n = static_cast<double>(count), m = momentum;
  // The statistics are no function of the parameters as far as derivatives go.
  running_mean.update(running_mean * (1 - m) + stop_gradient(mean) * m);
  running_variance.update(running_variance * (1 - m) + stop_gradient(variance) * (m * n / (n - 1)));
  // x is centred by a constant, and what depends on the mean is in the row that is added (mean - centre is 0): so the
  // backward pass needs the sums of g and of g (x - centre) alone; it makes differences anew instead of storing them.
  const Array centre = stop_gradient(mean);
  Array scale = rsqrt(variance + epsilon);
  if (weight.value.defined()) scale = scale * weight;
  Array shift = negative(mean - centre) * scale;
  if (weight.value.defined()) shift = shift + bias;
  const Function normalize = [](const Arrays& in) { return Arrays{(in[0] - in[1]) * in[2] + in[3]}; };
  return checkpoint(normalize)({x, centre, scale, shift})[0];
}

BatchNorm1d::BatchNorm1d(std::int64_t features, BatchNormOptions options)
    : running_mean(zeros({std::max<std::int64_t>(features, 0)}, options.dtype)),
      running_variance(ones({std::max<std::int64_t>(features, 0)}, options.dtype)),
      features_(features),
      options_(options) {
  check_normalisation("BatchNorm1d", {features}, options.epsilon);
  check_momentum("BatchNorm1d", options.momentum);
  if (!options.affine) return;
  weight = Parameter({features}, init::ones(), options.dtype);
  bias = Parameter({features}, init::zeros(), options.dtype);
}

Array BatchNorm1d::operator()(const Array& x) const {
  const Call call(*this, "BatchNorm1d");
  return call.done(batch_normalized(call, *this, x, weight, bias, running_mean, running_variance, options_.momentum,
                                    options_.epsilon));
}

Options BatchNorm1d::options() const {
  Options list = {{"features", features_},
                  {"momentum", options_.momentum},
                  {"epsilon", options_.epsilon},
                  {"affine", weight.value.defined()}};
  if (!running_mean.value.defined()) list.emplace_back("folded", true);
  return list;
}

LayerNorm::LayerNorm(Shape shape, LayerNormOptions options) : shape_(std::move(shape)), options_(options) {
  check_normalisation("LayerNorm", shape_, options.epsilon);
  if (!options.affine) return;
  weight = Parameter(shape_, init::ones(), options.dtype);
  bias = Parameter(shape_, init::zeros(), options.dtype);
}

Array LayerNorm::operator()(const Array& x) const {
  const Call call(*this, "LayerNorm");
  const auto rank = static_cast<std::ptrdiff_t>(shape_.size());
  if (x.rank() < rank || !std::equal(shape_.begin(), shape_.end(), x.shape().end() - rank)) {
    call.fail(format("x has shape {}, which does not end with {}", x.shape(), shape_));
  }
  std::vector<int> axes(shape_.size());
  std::iota(axes.begin(), axes.end(), -static_cast<int>(rank));
  const Array centred = x - mean(x, axes, true);
  const Array variance = mean(square(centred), axes, true);
  return call.done(affine(centred * rsqrt(variance + options_.epsilon), weight, bias));
}

Options LayerNorm::options() const {
  return {{"shape", shape_}, {"epsilon", options_.epsilon}, {"affine", weight.value.defined()}};
}

// ---- PReLU ----------------------------------------------------------------------------------------------------------

PReLU::PReLU(std::int64_t features, double initial, DType dtype) : initial_(initial) {
  if (features < 1) fail("PReLU: {} features; there must be at least one", features);
  weight = Parameter({features}, init::constant(initial), dtype);
}

Array PReLU::operator()(const Array& x) const {
  const Call call(*this, "PReLU");
  if (weight.value.size(0) != 1) check_features(call, x, weight.value.size(0));
  return call.done(where(x > 0.0, x, weight * x));
}

Options PReLU::options() const { return {{"features", weight.value.size(0)}, {"initial", initial_}}; }

}  // namespace pellucid::nn
