// Networks as plain structs: what their parameters are, how they are named, replaced, frozen and described.
//
//   struct Net : pl::nn::Module {
//     pl::nn::Linear hidden{2, 4};
//     pl::nn::Sequential encoder{pl::nn::Linear(4, 4), pl::nn::Tanh()};
//     pl::nn::Parameter scale = pl::ones({4});
//     pl::Array operator()(const pl::Array& x) { return scale * encoder(hidden(x)); }
//   };
//
// Members are found and named by themselves: "hidden.weight", "hidden.bias", "encoder.0.weight", ..., "scale". What
// counts: layers and other modules, Parameter, Buffer, plain Array (a parameter that cannot be frozen), and std::vector
// and std::array of these ("blocks.0.weight"). Members of other types are left alone. A struct with constructors or
// private members says PELLUCID_MEMBERS(hidden, encoder, scale) (reflect.h). Modules are values: a copy has parameters
// of its own.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "pellucid/array.h"
#include "pellucid/init.h"
#include "pellucid/random.h"
#include "pellucid/reflect.h"
#include "pellucid/transform.h"

namespace pellucid::nn {

/// The base of every layer and every network. It is empty: what can be done with a module are the functions below.
/// A module of your own may have `void initialize(const random::Key& key)`: nn::initialize calls it after its members.
struct Module {};

template <class M>
concept IsModule = std::is_base_of_v<Module, std::remove_cvref_t<M>>;

/// An array that is learned. It stands wherever an Array may stand.
struct Parameter {
  Parameter() = default;
  /// Starts at `initial`, and returns to it at nn::initialize.
  Parameter(Array initial);  // NOLINT(google-explicit-constructor)
  /// Starts at random values from a seed of its own: the n-th parameter that a thread makes always gets the same ones.
  Parameter(const Shape& shape, init::Initializer initializer, DType dtype = float32);
  operator const Array&() const {  // NOLINT(google-explicit-constructor)
    if (unread_.defined()) settle();
    return value;
  }

  Array value;  // undefined: there is none (a Linear without bias)
  bool trainable = true;
  init::Initializer initializer;

 private:
  /// Computes the value that construction drew, once it is used, so that no call draws it again.
  void settle() const;
  mutable Array unread_;
};

/// An array that is kept and saved but not learned: running statistics, constants. Calls in training may replace it.
struct Buffer {
  Buffer() = default;
  Buffer(const Array& start) : value(start), initial(start) {}  // NOLINT(google-explicit-constructor)
  operator const Array&() const { return value; }               // NOLINT(google-explicit-constructor)
  /// Takes a new value. It is a const function because a layer's call is; one caller at a time.
  void update(Array next) const { value = std::move(next); }

  mutable Array value;
  Array initial;  // what nn::initialize returns to
};

/// How layers that differ in training behave.
enum class Mode : std::uint8_t {
  kAutomatic,   // as the Context says: training inside one that trains, else evaluation
  kTraining,    // always as in training; dropout still takes its key from the Context
  kEvaluation,  // never
};

/// What every layer of this library has beside its parameters.
struct Layer : Module {
  std::string path;  // "encoder.1", for messages; given by assign_paths
  Mode mode = Mode::kAutomatic;
};

/// A setting in a layer's description.
using Option = std::variant<bool, std::int64_t, double, std::string, std::vector<std::int64_t>>;
/// What a network is made of, without its numbers.
struct Description {
  std::string name;  // the member's name or position; empty for the whole
  std::string type;  // "Linear", "Sequential", or the name of a user's struct
  std::vector<std::pair<std::string, Option>> options;
  std::vector<Description> layers;  // members that are modules
  bool operator==(const Description&) const = default;
};

class Visitor;

/// A module of any type, not owned: what functions on modules take. `Ref` may change it, `View` only looks.
class View {
 public:
  template <IsModule M>
  requires(!std::is_base_of_v<View, M>) View(const M& module);  // NOLINT(google-explicit-constructor)
  std::string_view type() const;
  std::vector<std::pair<std::string, Option>> options() const;
  Description description() const;

 protected:
  friend class Visitor;
  friend class Ref;
  struct Table;
  template <class M>
  static const Table& table_of();
  View(void* object, const Table& table) : object_(object), table_(&table) {}
  void* object_;
  const Table* table_;
};

class Ref : public View {
 public:
  template <IsModule M>
  requires(!std::is_base_of_v<View, M> && !std::is_const_v<M>) Ref(M& module);  // NOLINT(google-explicit-constructor)
  /// module(x). Throws Error where the module is not called with one array.
  Array operator()(const Array& x) const;
  /// True where it is called with one array.
  bool callable() const;
  /// Its path and mode; null for a module that is no layer of this library.
  Layer* layer() const;

 private:
  friend class Visitor;
  friend void initialize(Ref module, const random::Key& key);

  Ref(void* object, const Table& table) : View(object, table) {}
};

// ---- Parameters and buffers -----------------------------------------------------------------------------------------

/// An array of a module under its name. Names are made of members' names and positions, joined by dots.
struct NamedArray {
  std::string name;
  Array value;
  bool trainable = true;  // false for buffers
};
/// In the order of declaration, depth first. Undefined arrays are left out.
std::vector<NamedArray> named_parameters(View module);
std::vector<NamedArray> named_buffers(View module);
/// The values alone.
Arrays parameters(View module);
Arrays buffers(View module);
/// The number of elements of all parameters.
std::int64_t parameter_count(View module, bool trainable_only = false);

/// Replaces all values, in order. Throws Error where number or shapes differ; nothing is replaced then. Types may
/// differ.
void set_parameters(Ref module, const Arrays& values);
void set_buffers(Ref module, const Arrays& values);
/// Replaces parameters and buffers by name. Throws Error for a name that the module lacks, a shape that differs, and,
/// unless `partial`, an array of the module that is not named; nothing is replaced then.
void set_arrays(Ref module, const std::vector<NamedArray>& arrays, bool partial = false);
/// Converts all floating parameters and buffers.
void astype(Ref module, DType dtype);

/// Draws all parameters anew from `key`, each from a key of its own, and returns buffers to their first values. A plain
/// Array returns to what its member's initialiser gives, where the struct can be made without arguments; else it stays.
/// The values are computed now, unless the key is traced.
void initialize(Ref module, const random::Key& key);

/// True where `pattern` ('*' any characters, '?' one) matches the whole of `name` or the name of a module around it:
/// "encoder", "encoder.*" and "*.weight" match "encoder.0.weight".
bool matches(std::string_view pattern, std::string_view name);
/// Makes the parameters that match not trainable; returns their number. A BatchNorm1d whose parameters are all frozen
/// keeps its running statistics. Throws Error where nothing matches, or a plain Array does (declare it as Parameter).
int freeze(Ref module, std::string_view pattern = "*");
int unfreeze(Ref module, std::string_view pattern = "*");

// ---- Training and evaluation ----------------------------------------------------------------------------------------

/// While one exists, calls of layers on this thread are part of training: dropout drops, batch normalisation uses the
/// batch's statistics and replaces its running ones. Without one, layers evaluate. The innermost counts.
///
/// Random layers take their keys from it: the i-th call of one gets fold_in(key, i). So a step that makes its Context
/// from fold_in(seed, step) draws new masks each time, also where `step` is a traced counter in a compiled step, and
/// the same ones for the same step.
class Context {
 public:
  explicit Context(random::Key key);
  /// Evaluation, also inside a Context that trains.
  static Context evaluation() { return Context(); }
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  static bool training();
  /// The next key for a random layer. Throws Error where no Context of this thread trains.
  static random::Key next_key();

 private:
  Context();
  random::Key key_;
  std::int64_t calls_ = 0;
  Context* outer_;
};

/// Sets the mode of all layers of the module.
void set_mode(Ref module, Mode mode);
inline void train(Ref module) { set_mode(module, Mode::kTraining); }
inline void eval(Ref module) { set_mode(module, Mode::kEvaluation); }

/// While one exists, the module's parameters and buffers are the given ones; then its own come back. Throws Error where
/// numbers or shapes differ.
class Swap {
 public:
  Swap(Ref module, const Arrays& parameters, const Arrays& buffers);
  ~Swap();
  Swap(const Swap&) = delete;
  Swap& operator=(const Swap&) = delete;
  /// The buffers as the calls since then left them.
  Arrays buffers() const;

 private:
  std::vector<Array*> parameter_slots_, buffer_slots_;
  Arrays parameters_, buffers_;
};

/// A pure function of `body`, which calls the module: (parameters..., buffers..., inputs...) -> (body's outputs..., new
/// buffers...). This is how a step is differentiated and compiled: running statistics come out as outputs, not as a
/// change behind a transform's back. The module must outlive the function.
///
///   auto step = nn::functional(net, [&](const Arrays& in) { return Arrays{loss(net(in[0]), in[1])}; });
///   auto [value, gradients, new_buffers] = value_and_grad(step, {.arguments = positions})(state_and_inputs);
Function functional(Ref module, std::function<Arrays(const Arrays& inputs)> body);

// ---- Descriptions ---------------------------------------------------------------------------------------------------

Description describe(View module);
/// As JSON: {"type": "Linear", "inputs": 2, "outputs": 4, "bias": true}; members under "layers".
std::string to_json(const Description& description);
/// Throws Error where the text is not such a description.
Description description_from_json(std::string_view json);

/// Calls the module with x and lists each layer called: path, layer, shape of its output, parameters; then the totals.
/// Nothing is computed.
std::string summary(Ref module, const Array& x);

/// Gives every layer its path from this module, for messages. initialize, functional, Swap and summary do so.
void assign_paths(Ref module);

}  // namespace pellucid::nn

#include "pellucid/module_inl.h"  // IWYU pragma: export
