// Transforms: functions of arrays in, functions of arrays out. They nest in any order.
#pragma once

#include <concepts>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "pellucid/array.h"

namespace pellucid {

/// The general form: lists in, lists out. Transforms also take functions `Array(Array)`, `Array(Arrays)` and functions
/// of several `Array`s, and return functions of the same arguments.
using Function = std::function<Arrays(const Arrays&)>;

struct GradOptions {
  /// Which arguments to differentiate, by position; empty: all of floating type.
  std::vector<int> arguments = {};
  /// Arguments that may be without influence on the result; their gradient is zero. Others without influence are an
  /// error.
  std::vector<int> unused = {};
  /// Accept any argument without influence.
  bool allow_unused = false;
  /// Names of the arguments for error messages ("encoder.0.weight").
  std::vector<std::string> names = {};
};

struct ValueAndGradients {
  Array value;
  Arrays gradients;  // one for each differentiated argument
  Arrays extra;      // outputs of the function after the first: not differentiated
};
struct Vjp {
  Arrays outputs;
  /// Cotangents of the outputs -> cotangents of the arguments. An undefined Array stands for zero. May be called often.
  std::function<Arrays(const Arrays& cotangents)> pullback;
};
struct Jvp {
  Arrays outputs, tangents;
};

namespace transform {  // the general forms, over lists

ValueAndGradients value_and_grad(const Function& f, const Arrays& arguments, const GradOptions& options = {});
Vjp vjp(const Function& f, const Arrays& arguments);
Jvp jvp(const Function& f, const Arrays& arguments, const Arrays& tangents);
Arrays vmap(const Function& f, const Arrays& arguments, const std::vector<std::optional<int>>& in_axes, int out_axis);
Arrays checkpoint(const Function& f, const Arrays& arguments);

/// Results of any supported kind as a list.
inline Arrays to_list(Array x) { return {std::move(x)}; }
inline Arrays to_list(Arrays x) { return x; }
inline Arrays to_list(ValueAndGradients x) {
  Arrays list{std::move(x.value)};
  list.insert(list.end(), x.gradients.begin(), x.gradients.end());
  list.insert(list.end(), x.extra.begin(), x.extra.end());
  return list;
}

/// A function over lists that may be called with arrays one by one too; where `unwrap` and one array is given, a list
/// of one result is given back as that array.
template <class Body, bool kUnwrap>
struct Transformed {
  Body body;
  auto operator()(const Arrays& x) const { return body(x); }
  template <std::convertible_to<Array>... A>
  requires(sizeof...(A) > 0) auto operator()(const A&... x) const {
    auto result = body(Arrays{Array(x)...});
    if constexpr (kUnwrap && sizeof...(A) == 1) {
      return std::move(result[0]);
    } else {
      return result;
    }
  }
};
template <bool kUnwrap, class Body>
Transformed<Body, kUnwrap> transformed(Body body) {
  return {std::move(body)};
}
template <class F>
inline constexpr bool is_transformed = false;
template <class Body, bool kUnwrap>
inline constexpr bool is_transformed<Transformed<Body, kUnwrap>> = true;

/// True for functions of one list: they are called with the list itself.
template <class F>
inline constexpr bool takes_list = is_transformed<F> || (std::is_invocable_v<const F&, const Arrays&> &&
                                                         !std::is_invocable_v<const F&, const Array&>);

/// True where a call with one array gives one array back.
template <class F>
inline constexpr bool unwraps = !takes_list<F>;
template <class Body, bool kUnwrap>
inline constexpr bool unwraps<Transformed<Body, kUnwrap>> = kUnwrap;

[[noreturn]] void wrong_count(std::size_t given);
template <std::size_t>
using ArrayAt = const Array&;
template <class F, std::size_t... I>
constexpr bool takes_arrays(std::index_sequence<I...>) {
  return std::is_invocable_v<const F&, ArrayAt<I>...>;
}
template <class F, std::size_t... I>
Arrays call_unpacked(const F& f, const Arrays& x, std::index_sequence<I...>) {
  return to_list(f(x[I]...));
}
template <std::size_t N, class F>
Arrays call_counted(const F& f, const Arrays& x) {
  if constexpr (N > 8) {
    wrong_count(x.size());
  } else {
    if constexpr (takes_arrays<F>(std::make_index_sequence<N>())) {
      if (x.size() == N) return call_unpacked(f, x, std::make_index_sequence<N>());
    }
    return call_counted<N + 1>(f, x);
  }
}
/// Calls any supported f with a list, and gives a list.
template <class F>
Arrays call(const F& f, const Arrays& x) {
  if constexpr (takes_list<F>) {
    return to_list(f(x));
  } else {
    return call_counted<0>(f, x);
  }
}
template <class F>
Function general(F f) {
  return [f = std::move(f)](const Arrays& x) { return call(f, x); };
}

}  // namespace transform

/// x -> f(x) and its gradients. The (first) result of f must be a floating scalar. For functions of one list or of
/// several arrays `gradients` has one entry for each argument (or for each of `options.arguments`). Throws where an
/// argument has no influence on the result and was not said to be unused: the message names it.
template <class F>
auto value_and_grad(F f, GradOptions options = {}) {
  return transform::transformed<false>([f = transform::general(std::move(f)), options = std::move(options)](
                                           const Arrays& x) { return transform::value_and_grad(f, x, options); });
}

/// The gradients alone: an Array where f takes one Array, else a list.
template <class F>
auto grad(F f, GradOptions options = {}) {
  constexpr bool kUnwrap = transform::unwraps<F>;
  return transform::transformed<kUnwrap>(
      [f = transform::general(std::move(f)), options = std::move(options)](const Arrays& x) {
        return transform::value_and_grad(f, x, options).gradients;
      });
}

/// Outputs of f at `arguments`, and the function that takes cotangents of outputs back to cotangents of arguments.
template <class F>
Vjp vjp(F f, const Arrays& arguments) {
  return transform::vjp(transform::general(std::move(f)), arguments);
}
/// Outputs of f, and their derivative in the direction `tangents` (an undefined Array for zero), by forward mode.
template <class F>
Jvp jvp(F f, const Arrays& arguments, const Arrays& tangents) {
  return transform::jvp(transform::general(std::move(f)), arguments, tangents);
}
/// The matrix of derivatives of f: Array -> Array, of shape f(x).shape + x.shape. By reverse mode where the output is
/// the smaller side, else by forward mode.
Array jacobian(const std::function<Array(const Array&)>& f, const Array& x);
/// H v for the Hessian H of a scalar f at x, by forward over reverse, never forming H.
template <class F>
Arrays hessian_product(F f, const Arrays& x, const Arrays& v) {
  auto gradient = [f = transform::general(std::move(f))](const Arrays& at) {
    return transform::value_and_grad(f, at, {.arguments = {}, .unused = {}, .allow_unused = true, .names = {}})
        .gradients;
  };
  return transform::jvp(gradient, x, v).tangents;
}
template <class F>
Array hessian_product(F f, const Array& x, const Array& v) {
  return hessian_product(std::move(f), Arrays{x}, Arrays{v})[0];
}

/// f for one example -> f for a batch: `in_axes[i]` is the batch axis of argument i, nullopt where it has none (empty:
/// 0 for all). Outputs get the batch axis at `out_axis`. One axis size must be common to all batched arguments.
template <class F>
auto vmap(F f, std::vector<std::optional<int>> in_axes = {}, int out_axis = 0) {
  return transform::transformed<transform::unwraps<F>>(
      [f = transform::general(std::move(f)), in_axes = std::move(in_axes), out_axis](const Arrays& x) {
        return transform::vmap(f, x, in_axes, out_axis);
      });
}

/// f whose intermediate values are not kept for backward but computed again (Chen et al. 2016).
template <class F>
auto checkpoint(F f) {
  return transform::transformed<transform::unwraps<F>>(
      [f = transform::general(std::move(f))](const Arrays& x) { return transform::checkpoint(f, x); });
}

// ---- compile --------------------------------------------------------------------------------------------------------

namespace graph {
class Plan;
}

struct CompileOptions {
  /// A name for explain_plan() and messages.
  std::string name = "f";
};

/// A traced function: one plan for each signature (shapes and types of the arguments), made at the first call with it.
/// Arrays that the function captured are constants of the plan. Inside another transform (grad, vmap, another compile)
/// a call is a call of the function itself. Not thread-safe: one caller at a time.
class Compiled {
 public:
  Compiled(Function f, CompileOptions options);

  /// f(arguments), by the plan; new arrays.
  Arrays operator()(const Arrays& arguments);

  /// One step of training, in place. f maps (state..., inputs...) to (new state..., extra...), the new state with the
  /// shapes and types of the old; the new state replaces the old in `state`, in the same memory where nobody else holds
  /// it, and the extra outputs are returned: valid until the next call. After the first call with a signature nothing
  /// is allocated. Throws where f's outputs do not begin with the state.
  const Arrays& step(Arrays& state, const Arrays& inputs = {});
  /// The same `count` times in a row with the same inputs: what remains is the last step's. `watch`, where given, sees
  /// the extra outputs after each step; false ends it there.
  const Arrays& steps(Arrays& state, const Arrays& inputs, std::int64_t count,
                      const std::function<bool(const Arrays& extra)>& watch = {});

  /// The plan of the last call, for people: each step, its shapes, bytes and operations; with PELLUCID_PROFILE=1 its
  /// time.
  std::string explain_plan() const;
  /// The number of signatures traced so far.
  std::size_t signatures() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

/// Traces f at the first call with each signature and runs it as one plan. Values cannot be read inside f while it is
/// traced: that throws, naming the place.
template <class F>
auto compile(F f, CompileOptions options = {}) {
  return Compiled(transform::general(std::move(f)), std::move(options));
}

}  // namespace pellucid
