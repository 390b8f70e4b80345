// Levenberg-Marquardt: normal equations from the Jacobian, damped, solved by Cholesky in float64.
#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "optim/check.h"
#include "optim/flat.h"
#include "pellucid/minimize.h"

namespace pellucid::optim {

namespace {

constexpr std::size_t kMostUnknowns = 4096;

/// Solves (a + diag(add)) x = b for a symmetric n x n matrix, row-major; nothing where that is not positive definite.
std::optional<Vector> solve(Vector a, const Vector& add, Vector b) {
  const std::size_t n = b.size();
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      double total = a[i * n + j] + (i == j ? add[i] : 0);
      for (std::size_t k = 0; k < j; ++k) total -= a[i * n + k] * a[j * n + k];
      if (i != j) {
        a[i * n + j] = total / a[j * n + j];
      } else if (total > 0 && std::isfinite(total)) {
        a[i * n + i] = std::sqrt(total);
      } else {
        return std::nullopt;
      }
    }
  }
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t k = 0; k < i; ++k) b[i] -= a[i * n + k] * b[k];
    b[i] /= a[i * n + i];
  }
  for (std::size_t i = n; i-- > 0;) {
    for (std::size_t k = i + 1; k < n; ++k) b[i] -= a[k * n + i] * b[k];
    b[i] /= a[i * n + i];
  }
  return b;
}

/// All residuals of f as one vector, as a function of all parameters as one vector.
Array residuals(const Function& f, const Arrays& like, const Array& x) {
  Arrays parts;
  std::int64_t at = 0;
  for (const Array& p : like) {
    const Array part = slice(x, 0, at, at + p.size());
    parts.push_back(astype(reshape(part, p.shape()), p.dtype()));
    at += p.size();
  }
  Arrays found;
  for (const Array& r : f(parts)) {
    if (!r.defined() || !is_float(r.dtype()))
      base::fail("least_squares: a residual is not of floating type: convert it with astype");
    found.push_back(astype(reshape(r, {r.size()}), float64));
  }
  if (found.empty()) base::fail("least_squares: the function gave no residuals: return at least one array");
  return found.size() == 1 ? found[0] : concat(found);
}

void check(const LevenbergMarquardt& o) {
  check_range("LevenbergMarquardt", "damping", o.damping, Range::kPositive);
  check_at_least("LevenbergMarquardt", "max_iterations", o.max_iterations, 1);
  check_at_least("LevenbergMarquardt", "max_evaluations", o.max_evaluations, 1);
  check_range("LevenbergMarquardt", "gradient_tolerance", o.gradient_tolerance, Range::kNotNegative);
  check_range("LevenbergMarquardt", "step_tolerance", o.step_tolerance, Range::kNotNegative);
  check_range("LevenbergMarquardt", "value_tolerance", o.value_tolerance, Range::kNotNegative);
  check_range("LevenbergMarquardt", "target", o.target, Range::kNotNegative);
}

}  // namespace

Minimum least_squares(const Function& f, const Arrays& start, const LevenbergMarquardt& options) {
  check(options);
  check_parameters("least_squares", start);
  Vector x = gather_values(start);
  const std::size_t n = x.size();
  if (n > kMostUnknowns)
    base::fail("least_squares: {} unknowns are more than {}, whose normal equations fit: use minimize with LBFGS", n,
               kMostUnknowns);

  const auto of = [&f, &start](const Array& at) { return residuals(f, start, at); };
  Compiled value([&](const Arrays& at) { return Arrays{sum(square(of(at[0]))) * 0.5}; }, CompileOptions{"residuals"});
  Compiled linear(
      [&](const Arrays& at) {
        const Array r = of(at[0]), j = jacobian(of, at[0]);
        return Arrays{sum(square(r)) * 0.5, matmul(transpose(j), j), matmul(transpose(j), r)};
      },
      CompileOptions{"normal equations"});
  const auto array_of = [&](const Vector& v) { return Array::from(v); };

  std::int64_t iteration = 0, evaluations = 0;
  double here = 0;
  Vector a, g, scale(n, 0);
  const auto linearise = [&] {
    ++evaluations;
    const Arrays all = linear(Arrays{array_of(x)});
    here = all[0].item<double>();
    a = all[1].to_vector<double>();
    g = all[2].to_vector<double>();
    for (std::size_t i = 0; i < n; ++i) scale[i] = std::max(scale[i], a[i * n + i]);
  };
  const auto finish = [&](Stop stop) {
    return Minimum{scatter_values(x, start), here, largest(g), iteration, evaluations, stop};
  };
  /// The largest cosine of the angle between the residuals and a column of the Jacobian: free of units.
  const auto cosine = [&] {
    double most = 0;
    for (std::size_t i = 0; i < n; ++i)
      if (g[i] != 0) most = std::max(most, std::abs(g[i]) / std::sqrt(a[i * n + i] * 2 * here));
    return most;
  };

  linearise();
  if (!std::isfinite(here) || !std::isfinite(largest(g))) return finish(Stop::kNotFinite);
  double damping = options.damping, growth = 2;
  while (true) {
    if (here <= options.target) return finish(Stop::kTarget);
    if (cosine() <= options.gradient_tolerance) return finish(Stop::kGradient);
    if (iteration >= options.max_iterations) return finish(Stop::kIterations);
    ++iteration;
    while (true) {
      if (evaluations >= options.max_evaluations) return finish(Stop::kEvaluations);
      if (!(damping < 1e100)) return finish(Stop::kNoProgress);
      Vector add(n), right(n);
      for (std::size_t i = 0; i < n; ++i) {
        add[i] = damping * (scale[i] > 0 ? scale[i] : 1);  // 1: an unknown without influence stays where it is
        right[i] = -g[i];
      }
      const std::optional<Vector> s = solve(a, add, right);
      if (s) {
        if (std::sqrt(dot(*s, *s)) <= options.step_tolerance * (std::sqrt(dot(x, x)) + options.step_tolerance))
          return finish(Stop::kStep);
        const Vector trial = moved(x, 1, *s);
        ++evaluations;
        const double there = value(Arrays{array_of(trial)})[0].item<double>();
        double predicted = 0;
        for (std::size_t i = 0; i < n; ++i) predicted += 0.5 * (*s)[i] * (add[i] * (*s)[i] - g[i]);
        const double gain = (here - there) / predicted;
        if (there < here) {
          const double before = here, lean = 2 * gain - 1;
          x = trial;
          damping *= std::max(1.0 / 3, 1 - lean * lean * lean);
          growth = 2;
          linearise();
          if (options.observer && !options.observer({iteration, evaluations, here, largest(g)}))
            return finish(Stop::kInterrupted);
          if (before - here <= options.value_tolerance * before && here > options.target) return finish(Stop::kValue);
          break;
        }
      }
      damping *= growth;
      growth *= 2;
    }
  }
}

}  // namespace pellucid::optim
