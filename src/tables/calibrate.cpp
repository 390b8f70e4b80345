// Temperature scaling.
#include <numbers>
#include <utility>

#include "pellucid/loss.h"
#include "pellucid/networks.h"
#include "pellucid/ops.h"
#include "tables/recipe.h"

namespace pellucid::tables {

double best_temperature(const Array& output, const Array& y, double doubt) {
  const Array scores = astype(output, float64).evaluate();
  const auto loss_at = [&](double power) {
    const double logarithm = power * std::numbers::ln2;
    return loss::cross_entropy(scores * exp2(Array::from(std::vector<double>{power})), y).item<double>() +
           doubt * logarithm * logarithm / static_cast<double>(y.size(0));
  };
  // The loss is convex in the factor, so it has one valley in its logarithm too: golden section.
  constexpr double kGolden = 0.6180339887498949;
  double low = -3;
  double high = 3;
  double left = high - kGolden * (high - low);
  double right = low + kGolden * (high - low);
  double left_loss = loss_at(left);
  double right_loss = loss_at(right);
  while (high - low > 1e-3) {
    if (left_loss <= right_loss) {
      high = std::exchange(right, left);
      right_loss = left_loss;
      left = high - kGolden * (high - low);
      left_loss = loss_at(left);
    } else {
      low = std::exchange(left, right);
      left_loss = right_loss;
      right = low + kGolden * (high - low);
      right_loss = loss_at(right);
    }
  }
  return exp2(Array::from(std::vector<double>{(low + high) / 2})).item<double>();
}

double calibrate(nn::Sequential& network, const Array& x, const Array& y) {
  const double factor = best_temperature(predict(network, x), y);
  nn::AnyLayer& end = network[network.size() - 1];
  auto* conv = end.as<nn::ConvNet>();
  nn::Linear* last = conv != nullptr ? &conv->head : end.as<nn::Linear>();
  last->weight.value = (last->weight.value * factor).evaluate();
  last->bias.value = (last->bias.value * factor).evaluate();
  return factor;
}

}  // namespace pellucid::tables
