// Minimisers that drive a function themselves, on all data at once: L-BFGS and Levenberg-Marquardt.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <utility>

#include "pellucid/array.h"
#include "pellucid/transform.h"

namespace pellucid::optim {

/// Why a minimiser stopped.
enum class Stop {
  kGradient,     // the gradient is below its tolerance: a stationary point
  kStep,         // the parameters no longer change by more than the tolerance
  kValue,        // the value no longer changes by more than the tolerance
  kTarget,       // the value reached the target
  kIterations,   // max_iterations
  kEvaluations,  // max_evaluations
  kNoProgress,   // no step in any direction tried lowers the value, often at the limit of the type's precision
  kNotFinite,    // the value or the gradient at the start is NaN or infinite
  kInterrupted,  // the observer said so
};
/// "gradient below the tolerance", ...
std::string_view describe(Stop stop);

/// Where a minimiser stands after an iteration.
struct Progress {
  std::int64_t iteration = 0;    // from 1
  std::int64_t evaluations = 0;  // of the function, so far
  double value = 0;
  double gradient = 0;  // the largest magnitude in the gradient
};

struct Minimum {
  Arrays parameters;
  double value = 0;
  double gradient = 0;
  std::int64_t iterations = 0;
  std::int64_t evaluations = 0;
  Stop stop = Stop::kIterations;
};

/// Called after each iteration; false stops.
using Observer = std::function<bool(const Progress&)>;

/// Limited-memory BFGS (Liu & Nocedal 1989) with a line search for the strong Wolfe conditions
/// (Nocedal & Wright 2006, algorithms 3.5 and 3.6, by cubic interpolation).
///
/// The first step tried is min(1, 1 / |g|_1) learning_rate along -g, later ones learning_rate. Vectors and products are
/// float64 whatever the parameters' type; a float32 function limits what the tolerances can mean.
struct LBFGS {
  double learning_rate = 1;
  std::int64_t history = 10;  // pairs of steps and gradient changes kept
  std::int64_t max_iterations = 1000;
  std::int64_t max_evaluations = 10000;
  std::int64_t max_line_search = 25;  // evaluations in one line search
  double gradient_tolerance = 1e-7;   // on the largest magnitude
  double step_tolerance = 1e-12;      // on the largest change of a parameter
  double value_tolerance = 0;         // on the change of the value in one iteration
  double target = -1e308;             // stop at a value of at most this
  double sufficient_decrease = 1e-4;  // c1
  double curvature = 0.9;             // c2, above c1
  Observer observer = {};
};

/// Levenberg-Marquardt for sums of squares (Levenberg 1944, Marquardt 1963; damping after Nielsen 1999, scaling after
/// Moré 1978): solves (J^T J + damping D) s = -J^T r in float64 by Cholesky.
///
/// It holds the Jacobian (residuals x unknowns) and J^T J, so it is for small networks: at most 4096 unknowns.
struct LevenbergMarquardt {
  double damping = 1e-3;  // at the start, relative to the diagonal of J^T J
  std::int64_t max_iterations = 1000;
  std::int64_t max_evaluations = 10000;
  double gradient_tolerance = 1e-10;  // on the largest cosine between r and a column of J
  double step_tolerance = 1e-12;      // on |s| relative to |w|
  double value_tolerance = 1e-15;     // on the relative change of the value in one iteration
  double target = 0;                  // stop at a value of at most this
  Observer observer = {};
};

/// Both throw Error where a hyperparameter is outside its range, a parameter is not of floating type, or the function
/// gives the wrong shape. The function is compiled once and must not depend on anything but its arguments and
/// constants.

/// Minimises a floating scalar f(parameters) from `start`. f may take one list, or arrays one by one.
Minimum minimize(const Function& f, const Arrays& start, const LBFGS& options);
template <class F>
Minimum minimize(F f, const Arrays& start, const LBFGS& options = {}) {
  return minimize(Function(transform::general(std::move(f))), start, options);
}

/// Minimises half the sum of squares of all elements of the arrays that f(parameters) gives, the residuals.
/// Minimum::value is that half sum.
Minimum least_squares(const Function& f, const Arrays& start, const LevenbergMarquardt& options);
template <class F>
Minimum least_squares(F f, const Arrays& start, const LevenbergMarquardt& options = {}) {
  return least_squares(Function(transform::general(std::move(f))), start, options);
}

}  // namespace pellucid::optim
