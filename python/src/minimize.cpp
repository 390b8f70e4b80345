// pellucid.optim.minimize and least_squares, over trees.
#include "pellucid/minimize.h"

#include "held.h"
#include "optim.h"
#include "record.h"
#include "tree.h"

namespace pellucid::python {

template <>
struct Setting<optim::Observer> {
  using Given = nb::object;
  static constexpr bool kNone = true;
  static optim::Observer take(const nb::object& given) {
    if (given.is_none()) return {};
    const Held f = hold(given);
    return [f](const optim::Progress& progress) {
      const Locked lock;
      return !f.get()(nb::cast(progress)).is(nb::handle(Py_False));
    };
  }
  static nb::object object(const nb::object& given) { return given; }
  static nb::object standard(const optim::Observer&) { return nb::none(); }
};

namespace {

struct Found {
  nb::object parameters;
  optim::Minimum minimum;
};

/// The function over the parameters in `start`, and the tree as it was afterwards, whatever the function did.
template <class Options, class Run>
Found run(nb::handle f, nb::handle start, const Options& options, const char* what, Run run) {
  const Learned learned = learned_of(start);
  evaluate_released(learned.values);
  const Function over = [&](const Arrays& at) {
    const Locked lock;
    struct Back {
      nb::handle tree;
      const Arrays& own;
      ~Back() { with_learned(tree, own); }
    } back{start, learned.values};
    const nb::object result = f(with_learned(start, at));
    if (is_array(result) || PyFloat_Check(result.ptr())) return Arrays{as_array(result, what)};
    Tree shape;
    Arrays outputs;
    flatten(result, shape, outputs);
    return outputs;
  };
  optim::Minimum minimum;
  {
    const Unlocked release;
    minimum = run(over, learned.values, options);
  }
  nb::object parameters = with_learned(start, minimum.parameters);
  return {std::move(parameters), std::move(minimum)};
}

}  // namespace

void bind_minimize(nb::module_& m) {
  using optim::LBFGS, optim::LevenbergMarquardt;
  nb::class_<optim::Progress>(m, "Progress", "Where a minimiser stands after an iteration.")
      .def_ro("iteration", &optim::Progress::iteration, "From 1.")
      .def_ro("evaluations", &optim::Progress::evaluations, "Of the function, so far.")
      .def_ro("value", &optim::Progress::value)
      .def_ro("gradient", &optim::Progress::gradient, "The largest magnitude in the gradient.");
  nb::class_<Found>(m, "Minimum", "What a minimiser found, and why it stopped.")
      .def_ro("parameters", &Found::parameters, "In the structure of the start; a module has them already.")
      .def_prop_ro("value", [](const Found& f) { return f.minimum.value; })
      .def_prop_ro("gradient", [](const Found& f) { return f.minimum.gradient; })
      .def_prop_ro("iterations", [](const Found& f) { return f.minimum.iterations; })
      .def_prop_ro("evaluations", [](const Found& f) { return f.minimum.evaluations; })
      .def_prop_ro(
          "stop", [](const Found& f) { return std::string(optim::describe(f.minimum.stop)); },
          "Why: 'gradient below the tolerance', ...")
      .def("__repr__", [](const Found& f) {
        return "Minimum(value=" + nb::cast<std::string>(nb::repr(nb::float_(f.minimum.value))) + ", " +
               std::string(optim::describe(f.minimum.stop)) + " after " + std::to_string(f.minimum.iterations) +
               " iterations)";
      });
  bind_record<LBFGS>(
      m, "LBFGS", "optim.LBFGS", [](const LBFGS&) {}, field("learning_rate", &LBFGS::learning_rate),
      field("history", &LBFGS::history), field("max_iterations", &LBFGS::max_iterations),
      field("max_evaluations", &LBFGS::max_evaluations), field("max_line_search", &LBFGS::max_line_search),
      field("gradient_tolerance", &LBFGS::gradient_tolerance), field("step_tolerance", &LBFGS::step_tolerance),
      field("value_tolerance", &LBFGS::value_tolerance), field("target", &LBFGS::target),
      field("sufficient_decrease", &LBFGS::sufficient_decrease), field("curvature", &LBFGS::curvature),
      field("observer", &LBFGS::observer));
  using LM = LevenbergMarquardt;
  bind_record<LM>(
      m, "LevenbergMarquardt", "optim.LevenbergMarquardt", [](const LM&) {}, field("damping", &LM::damping),
      field("max_iterations", &LM::max_iterations), field("max_evaluations", &LM::max_evaluations),
      field("gradient_tolerance", &LM::gradient_tolerance), field("step_tolerance", &LM::step_tolerance),
      field("value_tolerance", &LM::value_tolerance), field("target", &LM::target), field("observer", &LM::observer));
  m.def(
      "minimize",
      [](nb::handle function, nb::handle start, const LBFGS& options) {
        return run(function, start, options, "minimize: the value of the function",
                   [](const Function& f, const Arrays& at, const LBFGS& o) { return optim::minimize(f, at, o); });
      },
      nb::arg("function"), nb::arg("start"), nb::arg("options") = LBFGS{},
      "Minimises function(parameters), a floating scalar, from `start`: a tree of floating arrays, or a module, which "
      "then has the parameters found. The function is traced once. Gives a Minimum.");
  m.def(
      "least_squares",
      [](nb::handle function, nb::handle start, const LM& options) {
        return run(function, start, options, "least_squares: the residuals",
                   [](const Function& f, const Arrays& at, const LM& o) { return optim::least_squares(f, at, o); });
      },
      nb::arg("function"), nb::arg("start"), nb::arg("options") = LM{},
      "Minimises half the sum of squares of all elements that function(parameters) gives, an array or a tree of "
      "arrays: "
      "the residuals. `start` as in minimize. Minimum.value is that half sum.");
}

}  // namespace pellucid::python
