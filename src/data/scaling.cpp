// Numbers brought to scale.
#include "data/scaling.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "pellucid/ops.h"

namespace pellucid::data {
namespace {

constexpr double kMost = 1e30, kClip = 3, kFar = 5;

// The quantiles of the normal distribution at the shares (i + 1/2) / kKnots, by the engine's own erfinv.
std::vector<double> normal_quantiles() {
  std::vector<double> places;
  for (std::size_t i = 0; i < kKnots; ++i) {
    places.push_back((2 * static_cast<double>(i) + 1) / static_cast<double>(kKnots) - 1);
  }
  return (erfinv(Array::from(places)) * std::sqrt(2.0)).to_vector<double>();
}

// Piecewise linear between the knots; where several are equal, in the middle of their places.
class QuantileMap {
 public:
  explicit QuantileMap(const std::vector<double>& knots) : knots_(knots) {
    static const std::vector<double> places = normal_quantiles();
    places_ = places.data();
  }
  double operator()(double x) const {
    const auto low = std::lower_bound(knots_.begin(), knots_.end(), x);
    const auto high = std::upper_bound(low, knots_.end(), x);
    const auto at = static_cast<std::size_t>(low - knots_.begin());
    if (low != high) return (places_[at] + places_[static_cast<std::size_t>(high - knots_.begin()) - 1]) / 2;
    if (low == knots_.begin()) return places_[0];
    if (low == knots_.end()) return places_[kKnots - 1];
    const double share = (x - knots_[at - 1]) / (knots_[at] - knots_[at - 1]);
    return places_[at - 1] + share * (places_[at] - places_[at - 1]);
  }

 private:
  const std::vector<double>& knots_;
  const double* places_;
};

}  // namespace

double quantile(const std::vector<double>& sorted, double q) {
  const double position = q * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return std::lerp(sorted[below], sorted[above], position - static_cast<double>(below));
}

std::optional<Number> fit_number(std::vector<double> values, Scaling scaling) {
  std::sort(values.begin(), values.end());
  const double range = values.back() - values.front();
  if (!(range > 0)) return {};
  Number number{.center = 0, .spread = 1, .clip = false};
  if (scaling == Scaling::kRobust || scaling == Scaling::kUnclipped) {
    number.center = quantile(values, 0.5);
    const double quartiles = quantile(values, 0.75) - quantile(values, 0.25);
    number.spread = quartiles > 0 ? quartiles : range / 2;
    const double far = std::max(quantile(values, 0.995) - number.center, number.center - quantile(values, 0.005));
    number.log_tails = far / number.spread > kFar;
    number.clip = !number.log_tails && scaling == Scaling::kRobust;
  }
  if (scaling == Scaling::kStandard || (scaling == Scaling::kUnclipped && !number.log_tails)) {
    const auto count = static_cast<double>(values.size());
    number.center = std::accumulate(values.begin(), values.end(), 0.0) / count;
    double squares = 0;
    for (const double x : values) squares += (x - number.center) * (x - number.center);
    number.spread = std::sqrt(squares / count);
  } else if (scaling == Scaling::kQuantile) {
    for (std::size_t i = 0; i < kKnots; ++i) {
      number.knots.push_back(quantile(values, (static_cast<double>(i) + 0.5) / static_cast<double>(kKnots)));
    }
  }
  if (!(number.spread > 0)) number.spread = range;  // underflow
  return number;
}

// Straight loops, which the compiler makes vectors of.
void scale(const Number& number, std::span<double> values) {
  if (!number.knots.empty()) {
    const QuantileMap map(number.knots);
    for (double& x : values) x = x == x ? map(x) : 0;
    return;
  }
  const double center = number.center, spread = number.spread;
  for (double& x : values) x = (x - center) / spread;
  if (number.clip) {
    for (double& z : values) {
      const double t = z / kClip;
      const double clipped = z / std::sqrt(1 + t * t);
      z = std::abs(z) > 1e9 ? std::copysign(kClip, z) : clipped;  // beyond it (z / 3)^2 could overflow
    }
  } else if (number.log_tails) {
    for (double& z : values) {
      const double t = std::min(std::abs(z) / kClip, 1e150);  // beyond it its square would overflow
      z = std::copysign(kClip * std::log(t + std::sqrt(1 + t * t)), z);
    }
  } else {
    for (double& z : values) z = std::abs(z) > kMost ? std::copysign(kMost, z) : z;
  }
  for (double& z : values) z = z == z ? z : 0;  // missing, or both overflow
}

}  // namespace pellucid::data
