// Layers. Each is a value with settings, perhaps parameters, and a call: y = layer(x). Everything about networks as a
// whole (names, freezing, training mode, initialisation, descriptions) is in module.h.
//
// The batch is the leading axis and features are the last. Layers throw Error where x does not fit, naming their path.
#pragma once

#include <algorithm>
#include <concepts>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pellucid/array.h"
#include "pellucid/module.h"
#include "pellucid/ops.h"

namespace pellucid::nn {

using Options = std::vector<std::pair<std::string, Option>>;

// ---- Layers of any kind ---------------------------------------------------------------------------------------------

template <class F>
concept LayerFunction = !IsModule<F> && requires(const F& f, const Array& x) {
  { f(x) } -> std::convertible_to<Array>;
};
template <class M>
concept LayerLike = LayerFunction<M> ||(IsModule<M>&& module::Callable<M>);

/// A layer of any type, owned. A copy owns a copy.
class AnyLayer : public Module {
 public:
  /// A module called with one array, or a function of one array (pl::relu, a lambda).
  template <LayerLike M>
  requires(!std::same_as<M, AnyLayer>) AnyLayer(M layer);  // NOLINT(google-explicit-constructor)
  AnyLayer(const AnyLayer& other) : holder_(other.holder_->copy()) {}
  AnyLayer(AnyLayer&& other) noexcept = default;
  AnyLayer& operator=(AnyLayer other) noexcept {
    holder_ = std::move(other.holder_);
    return *this;
  }

  Array operator()(const Array& x) const { return ref()(x); }
  Ref ref() const { return holder_->ref(); }
  /// The layer itself where it has the type M, else null.
  template <class M>
  M* as() const {
    auto* typed = dynamic_cast<Typed<M>*>(holder_.get());
    return typed == nullptr ? nullptr : &typed->layer;
  }

 private:
  struct Holder {
    virtual ~Holder() = default;
    virtual std::unique_ptr<Holder> copy() const = 0;
    virtual Ref ref() = 0;
  };
  template <class M>
  struct Typed : Holder {
    explicit Typed(M m) : layer(std::move(m)) {}
    std::unique_ptr<Holder> copy() const override { return std::make_unique<Typed>(layer); }
    Ref ref() override { return layer; }
    M layer;
  };
  std::unique_ptr<Holder> holder_;
};

/// A function of one array as a layer.
struct FunctionLayer : Layer {
  explicit FunctionLayer(std::function<Array(const Array&)> f) : function(std::move(f)) {}
  Array operator()(const Array& x) const;
  static constexpr std::string_view type_name() { return "Function"; }
  void visit_members(Visitor&) {}
  std::function<Array(const Array&)> function;
};

template <LayerLike M>
requires(!std::same_as<M, AnyLayer>) AnyLayer::AnyLayer(M layer) {
  if constexpr (LayerFunction<M>)
    holder_ = std::make_unique<Typed<FunctionLayer>>(FunctionLayer(std::move(layer)));
  else
    holder_ = std::make_unique<Typed<M>>(std::move(layer));
}

/// Layers one after the other; their names are their positions: "0.weight".
class Sequential : public Layer {
 public:
  Sequential() = default;
  /// Sequential{Linear(2, 4), ReLU(), Linear(4, 1)}.
  template <LayerLike... L>
  requires(sizeof...(L) > 0 && !(sizeof...(L) == 1 && (std::same_as<L, Sequential> && ...)))
      Sequential(L... layers) {  // NOLINT(google-explicit-constructor)
    layers_.reserve(sizeof...(L));
    (layers_.emplace_back(std::move(layers)), ...);
  }
  explicit Sequential(std::vector<AnyLayer> layers) : layers_(std::move(layers)) {}

  Array operator()(const Array& x) const;
  void push_back(AnyLayer layer) { layers_.push_back(std::move(layer)); }
  std::size_t size() const { return layers_.size(); }
  /// Throws Error where there is no layer i.
  AnyLayer& operator[](std::size_t i);
  const AnyLayer& operator[](std::size_t i) const;
  void visit_members(Visitor& visitor);

 private:
  std::vector<AnyLayer> layers_;
};

/// x + f(x), where f is the given layers one after the other and keeps the shape; they are named by their positions.
class Residual : public Layer {
 public:
  template <LayerLike... L>
  requires(sizeof...(L) > 0 &&
           !(sizeof...(L) == 1 && (std::same_as<L, Residual> && ...))) explicit Residual(L... layers)
      : body_(std::move(layers)...) {}
  explicit Residual(std::vector<AnyLayer> layers) : body_(std::move(layers)) {}
  Array operator()(const Array& x) const;
  void visit_members(Visitor& visitor) { body_.visit_members(visitor); }

 private:
  Sequential body_;
};

// ---- Layers with parameters -----------------------------------------------------------------------------------------

struct LinearOptions {
  bool bias = true;
  /// Xavier uniform and zeros where not given.
  init::Initializer weight_initializer = {};
  init::Initializer bias_initializer = {};
  DType dtype = float32;
};
/// x W + b: (..., inputs) -> (..., outputs). weight: (inputs, outputs), bias: (outputs).
class Linear : public Layer {
 public:
  /// Throws Error where a size is not positive.
  Linear(std::int64_t inputs, std::int64_t outputs, LinearOptions options = {});
  Array operator()(const Array& x) const;
  Options options() const;
  PELLUCID_MEMBERS(weight, bias)
  Parameter weight, bias;
};

struct BatchNormOptions {
  double momentum = 0.1;  // running = (1 - momentum) running + momentum batch
  double epsilon = 1e-5;
  bool affine = true;
  DType dtype = float32;
};
/// (x - mean) / sqrt(variance + epsilon) * weight + bias for each feature of the last axis, over all other axes (Ioffe
/// and Szegedy 2015): (..., features). In training by the batch's mean and (biased) variance, and the running ones move
/// towards them (the variance without bias); in evaluation by the running ones. Where all of its parameters are frozen,
/// it evaluates. Throws Error in training where a feature has less than two values.
class BatchNorm1d : public Layer {
 public:
  explicit BatchNorm1d(std::int64_t features, BatchNormOptions options = {});
  Array operator()(const Array& x) const;
  Options options() const;
  PELLUCID_MEMBERS(weight, bias, running_mean, running_variance)
  Parameter weight, bias;                 // (features); undefined where not affine
  Buffer running_mean, running_variance;  // (features); 0 and 1 at first

 private:
  std::int64_t features_;
  BatchNormOptions options_;
};

struct LayerNormOptions {
  double epsilon = 1e-5;
  bool affine = true;
  DType dtype = float32;
};
/// (x - mean) / sqrt(variance + epsilon) * weight + bias, mean and (biased) variance of each example over its last
/// axes, which have the sizes `shape` (Ba et al. 2016).
class LayerNorm : public Layer {
 public:
  explicit LayerNorm(Shape shape, LayerNormOptions options = {});
  explicit LayerNorm(std::int64_t features, LayerNormOptions options = {}) : LayerNorm(Shape{features}, options) {}
  Array operator()(const Array& x) const;
  Options options() const;
  PELLUCID_MEMBERS(weight, bias)
  Parameter weight, bias;  // of the shape `shape`; undefined where not affine

 private:
  Shape shape_;
  LayerNormOptions options_;
};

/// max(x, 0) + weight min(x, 0), with one learned slope, or one for each feature of the last axis (He et al. 2015).
class PReLU : public Layer {
 public:
  explicit PReLU(std::int64_t features = 1, double initial = 0.25, DType dtype = float32);
  Array operator()(const Array& x) const;
  Options options() const;
  PELLUCID_MEMBERS(weight)
  Parameter weight;  // (features)

 private:
  double initial_;
};

// ---- Layers without parameters --------------------------------------------------------------------------------------

/// In training, each element is zero with probability p, independently, and the others are divided by 1 - p (Srivastava
/// et al. 2014). Throws Error unless 0 <= p < 1, and in training where no Context gives a key.
class Dropout : public Layer {
 public:
  explicit Dropout(double p = 0.5);
  Array operator()(const Array& x) const;
  Options options() const { return {{"p", p_}}; }
  void visit_members(Visitor&) {}

 private:
  double p_;
};

/// Joins the axes from `first` on into one: (batch, 28, 28) -> (batch, 784).
class Flatten : public Layer {
 public:
  explicit Flatten(int first = 1) : first_(first) {}
  Array operator()(const Array& x) const;
  Options options() const { return {{"first", std::int64_t{first_}}}; }
  void visit_members(Visitor&) {}

 private:
  int first_;
};

struct Identity : Layer {
  Array operator()(const Array& x) const;
  void visit_members(Visitor&) {}
};

/// While one exists, a layer is being called: messages name its path, and summary() sees its output.
class Call {
 public:
  Call(const Layer& layer, std::string_view type);
  ~Call();
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  /// y, the layer's output.
  Array done(Array y) const;
  /// Throws Error: "Linear: <text> (layer 'encoder.1')".
  [[noreturn]] void fail(const std::string& text) const;

 private:
  const Layer& layer_;
  std::string_view type_;
  std::optional<LayerScope> scope_;
};

/// A string as a template argument.
template <std::size_t N>
struct Text {
  consteval Text(const char (&text)[N]) { std::copy_n(text, N, value); }  // NOLINT(google-explicit-constructor)
  char value[N];
};

/// An activation without settings.
template <Array (*kFunction)(const Array&), Text kName>
struct Activation : Layer {
  Array operator()(const Array& x) const {
    const Call call(*this, type_name());
    return call.done(kFunction(x));
  }
  static constexpr std::string_view type_name() { return kName.value; }
  void visit_members(Visitor&) {}
};
using ReLU = Activation<relu, "ReLU">;
using ReLU6 = Activation<relu6, "ReLU6">;
using Sigmoid = Activation<sigmoid, "Sigmoid">;
using HardSigmoid = Activation<hardsigmoid, "HardSigmoid">;
using LogSigmoid = Activation<log_sigmoid, "LogSigmoid">;
using Tanh = Activation<tanh, "Tanh">;
using Softplus = Activation<softplus, "Softplus">;
using Softsign = Activation<softsign, "Softsign">;
using GELU = Activation<gelu, "GELU">;
using GELUTanh = Activation<gelu_tanh, "GELUTanh">;
using SiLU = Activation<silu, "SiLU">;
using Mish = Activation<mish, "Mish">;
using HardSwish = Activation<hardswish, "HardSwish">;
using SELU = Activation<selu, "SELU">;

/// An activation with one number.
template <Array (*kFunction)(const Array&, double), Text kName, Text kOption>
class ActivationWith : public Layer {
 public:
  explicit ActivationWith(double value) : value_(value) {}
  Array operator()(const Array& x) const {
    const Call call(*this, type_name());
    return call.done(kFunction(x, value_));
  }
  Options options() const { return {{kOption.value, value_}}; }
  static constexpr std::string_view type_name() { return kName.value; }
  void visit_members(Visitor&) {}

 private:
  double value_;
};
struct LeakyReLU : ActivationWith<leaky_relu, "LeakyReLU", "negative_slope"> {
  explicit LeakyReLU(double negative_slope = 0.01) : ActivationWith(negative_slope) {}
};
struct ELU : ActivationWith<elu, "ELU", "alpha"> {
  explicit ELU(double alpha = 1) : ActivationWith(alpha) {}
};
struct CELU : ActivationWith<celu, "CELU", "alpha"> {
  explicit CELU(double alpha = 1) : ActivationWith(alpha) {}
};

/// An activation along one axis.
template <Array (*kFunction)(const Array&, int), Text kName>
class ActivationAlong : public Layer {
 public:
  explicit ActivationAlong(int axis = -1) : axis_(axis) {}
  Array operator()(const Array& x) const {
    const Call call(*this, type_name());
    return call.done(kFunction(x, axis_));
  }
  Options options() const { return {{"axis", std::int64_t{axis_}}}; }
  static constexpr std::string_view type_name() { return kName.value; }
  void visit_members(Visitor&) {}

 private:
  int axis_;
};
using Softmax = ActivationAlong<softmax, "Softmax">;
using LogSoftmax = ActivationAlong<log_softmax, "LogSoftmax">;

// ---- From descriptions ----------------------------------------------------------------------------------------------

/// A layer of the types above from its description, with fresh parameters. Throws Error for another type (a struct of
/// your own, a function), and for a setting that is missing, unknown or of the wrong kind.
AnyLayer build(const Description& description);
/// The same for a Sequential.
Sequential build_sequential(const Description& description);
/// The types that build() knows.
std::vector<std::string> layer_types();

}  // namespace pellucid::nn
