// L-BFGS: the two-loop recursion, and a line search for the strong Wolfe conditions.
#include <algorithm>
#include <deque>
#include <utility>

#include "optim/check.h"
#include "optim/flat.h"
#include "pellucid/minimize.h"

namespace pellucid::optim {

std::string_view describe(Stop stop) {
  switch (stop) {
    case Stop::kGradient:
      return "gradient below the tolerance";
    case Stop::kStep:
      return "step below the tolerance";
    case Stop::kValue:
      return "change of the value below the tolerance";
    case Stop::kTarget:
      return "target reached";
    case Stop::kIterations:
      return "maximum of iterations";
    case Stop::kEvaluations:
      return "maximum of evaluations";
    case Stop::kNoProgress:
      return "no step lowers the value";
    case Stop::kNotFinite:
      return "value or gradient not finite at the start";
    case Stop::kInterrupted:
      return "interrupted";
  }
  return "";
}

namespace {

/// A point on the line: its distance t, the value f, the slope there, and the whole gradient.
struct Point {
  double t = 0, f = 0, slope = 0;
  Vector g;
};

/// The function along the way, counting its evaluations.
class Objective {
 public:
  Objective(const Function& f, const Arrays& start)
      : like_(start),
        compiled_(
            [f](const Arrays& x) {
              ValueAndGradients found =
                  transform::value_and_grad(f, x, {.arguments = {}, .unused = {}, .allow_unused = true, .names = {}});
              Arrays all = {found.value};
              all.insert(all.end(), found.gradients.begin(), found.gradients.end());
              return all;
            },
            CompileOptions{"minimize"}) {}

  Point at(const Vector& x) {
    ++evaluations;
    const Arrays all = compiled_(scatter_values(x, like_));
    Point p;
    p.f = all[0].item<double>();
    p.g = gather_values(Arrays(all.begin() + 1, all.end()));
    return p;
  }
  Point at(const Vector& x, double t, const Vector& d) {
    Point p = at(moved(x, t, d));
    p.t = t;
    p.slope = dot(p.g, d);
    return p;
  }

  std::int64_t evaluations = 0;

 private:
  Arrays like_;
  Compiled compiled_;
};

/// The minimum in [low, high] of the cubic with the values and slopes of a and b (Nocedal & Wright 2006, 3.59); the
/// middle where it has none.
double cubic_minimum(const Point& a, const Point& b, double low, double high) {
  const Point& x = a.t <= b.t ? a : b;
  const Point& y = a.t <= b.t ? b : a;
  const double d1 = x.slope + y.slope - 3 * (x.f - y.f) / (x.t - y.t);
  const double square = d1 * d1 - x.slope * y.slope;
  if (!(square >= 0) || !std::isfinite(square)) return (low + high) / 2;
  const double d2 = std::sqrt(square);
  const double t = y.t - (y.t - x.t) * ((y.slope + d2 - d1) / (y.slope - x.slope + 2 * d2));
  return std::isnan(t) ? (low + high) / 2 : std::clamp(t, low, high);
}

/// A point that meets the strong Wolfe conditions, or the lowest one found; its t is 0 where none is lower than the
/// start.
Point line_search(Objective& objective, const Vector& x, const Vector& d, const Point& start, double t,
                  const LBFGS& options) {
  const auto too_high = [&](const Point& p) {
    return !(p.f <= start.f + options.sufficient_decrease * p.t * start.slope);
  };
  const auto flat_enough = [&](const Point& p) { return std::abs(p.slope) <= -options.curvature * start.slope; };
  const double longest = largest(d);

  // Bracket: go on until a minimum lies between `low` (the lower of the two) and `high`.
  Point low = start, high;
  std::int64_t tried = 1;
  for (Point now = objective.at(x, t, d);; ++tried) {
    if (too_high(now) || (tried > 1 && now.f >= low.f)) {
      high = std::move(now);
      break;
    }
    if (flat_enough(now)) return now;
    if (now.slope >= 0) {
      high = std::exchange(low, std::move(now));
      break;
    }
    if (tried >= options.max_line_search) return now;
    const double next = cubic_minimum(low, now, now.t + 0.01 * (now.t - low.t), now.t * 10);
    low = std::move(now);
    now = objective.at(x, next, d);
  }

  // Zoom. A trial close to an end of the bracket twice in a row is moved inwards by a tenth of it.
  bool close = false;
  while (tried++ < options.max_line_search && std::abs(high.t - low.t) * longest >= options.step_tolerance) {
    const double left = std::min(low.t, high.t), right = std::max(low.t, high.t), margin = 0.1 * (right - left);
    t = std::isfinite(high.f) ? cubic_minimum(low, high, left, right) : (left + right) / 2;
    if (std::min(right - t, t - left) < margin) {
      if (close || t >= right || t <= left) {
        t = right - t < t - left ? right - margin : left + margin;
        close = false;
      } else {
        close = true;
      }
    } else {
      close = false;
    }
    Point now = objective.at(x, t, d);
    if (too_high(now) || now.f >= low.f) {
      high = std::move(now);
      continue;
    }
    if (flat_enough(now)) return now;
    if (now.slope * (high.t - low.t) >= 0) high = low;
    low = std::move(now);
  }
  return low;
}

/// The last changes of parameters and gradient, and the direction -H g that they imply.
class History {
 public:
  explicit History(std::size_t most) : most_(most) {}
  bool empty() const { return pairs_.empty(); }
  void clear() { pairs_.clear(); }

  void add(Vector s, Vector y) {
    const double product = dot(s, y);
    if (!(product > 1e-16 * dot(y, y))) return;  // keeps H positive definite
    if (pairs_.size() == most_) pairs_.pop_front();
    scale_ = product / dot(y, y);
    pairs_.push_back({std::move(s), std::move(y), 1 / product});
  }

  Vector direction(const Vector& g) const {
    Vector d(g.size());
    for (std::size_t i = 0; i < g.size(); ++i) d[i] = -g[i];
    if (pairs_.empty()) return d;
    std::vector<double> alpha(pairs_.size());
    for (std::size_t k = pairs_.size(); k-- > 0;) {
      alpha[k] = dot(pairs_[k].s, d) * pairs_[k].rho;
      d = moved(d, -alpha[k], pairs_[k].y);
    }
    for (double& value : d) value *= scale_;
    for (std::size_t k = 0; k < pairs_.size(); ++k)
      d = moved(d, alpha[k] - dot(pairs_[k].y, d) * pairs_[k].rho, pairs_[k].s);
    return d;
  }

 private:
  struct Pair {
    Vector s, y;
    double rho;
  };
  std::deque<Pair> pairs_;
  std::size_t most_;
  double scale_ = 1;
};

void check(const LBFGS& o) {
  check_range("LBFGS", "learning_rate", o.learning_rate, Range::kPositive);
  check_at_least("LBFGS", "history", o.history, 1);
  check_at_least("LBFGS", "max_iterations", o.max_iterations, 1);
  check_at_least("LBFGS", "max_evaluations", o.max_evaluations, 1);
  check_at_least("LBFGS", "max_line_search", o.max_line_search, 1);
  check_range("LBFGS", "gradient_tolerance", o.gradient_tolerance, Range::kNotNegative);
  check_range("LBFGS", "step_tolerance", o.step_tolerance, Range::kNotNegative);
  check_range("LBFGS", "value_tolerance", o.value_tolerance, Range::kNotNegative);
  check_range("LBFGS", "target", o.target, Range::kNumber);
  check_range("LBFGS", "sufficient_decrease", o.sufficient_decrease, Range::kBelowOne);
  check_range("LBFGS", "curvature", o.curvature, Range::kBelowOne);
  if (o.curvature <= o.sufficient_decrease)
    base::fail("LBFGS: curvature = {} is not above sufficient_decrease = {}: no step may meet both, give 0.9 and 1e-4",
               o.curvature, o.sufficient_decrease);
}

}  // namespace

Minimum minimize(const Function& f, const Arrays& start, const LBFGS& options) {
  check(options);
  check_parameters("minimize", start);
  Objective objective(f, start);
  Vector x = gather_values(start);
  Point here = objective.at(x);
  History history(static_cast<std::size_t>(options.history));
  std::int64_t iteration = 0;
  const auto finish = [&](Stop stop) {
    return Minimum{scatter_values(x, start), here.f, largest(here.g), iteration, objective.evaluations, stop};
  };
  if (!std::isfinite(here.f) || !std::isfinite(largest(here.g))) return finish(Stop::kNotFinite);
  while (true) {
    if (here.f <= options.target) return finish(Stop::kTarget);
    if (largest(here.g) <= options.gradient_tolerance) return finish(Stop::kGradient);
    if (iteration >= options.max_iterations) return finish(Stop::kIterations);
    if (objective.evaluations >= options.max_evaluations) return finish(Stop::kEvaluations);

    Vector d = history.direction(here.g);
    double t = options.learning_rate;
    if (history.empty()) {
      double sum = 0;
      for (const double value : here.g) sum += std::abs(value);
      t *= std::min(1.0, 1 / sum);
    }
    here.t = 0;
    here.slope = dot(here.g, d);
    Point next = here.slope < 0 ? line_search(objective, x, d, here, t, options) : here;
    if (next.t == 0) {
      if (history.empty()) return finish(Stop::kNoProgress);
      history.clear();  // once more along -g
      continue;
    }
    Vector s(d.size()), y(d.size());
    for (std::size_t i = 0; i < d.size(); ++i) {
      s[i] = next.t * d[i];
      y[i] = next.g[i] - here.g[i];
    }
    x = moved(x, next.t, d);
    const double change = std::abs(next.f - here.f), step = largest(s);
    here = std::move(next);
    ++iteration;
    history.add(std::move(s), std::move(y));
    if (options.observer && !options.observer({iteration, objective.evaluations, here.f, largest(here.g)}))
      return finish(Stop::kInterrupted);
    if (largest(here.g) <= options.gradient_tolerance) return finish(Stop::kGradient);
    if (step <= options.step_tolerance) return finish(Stop::kStep);
    if (change < options.value_tolerance) return finish(Stop::kValue);
  }
}

}  // namespace pellucid::optim
