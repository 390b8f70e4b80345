#include "support/problem.h"

#include <cmath>

#include "pellucid/ops.h"

namespace pellucid::laws {
namespace {

const GradOptions kLoose = {.arguments = {}, .unused = {}, .allow_unused = true, .names = {}};

}  // namespace

Arrays evaluated(Arrays list) {
  evaluate(list);
  return list;
}

std::vector<int> floating_operands(const Case& c) {
  std::vector<int> which;
  for (std::size_t i = 0; i < c.operands.size(); ++i) {
    if (c.operands[i].role == Role::kData) which.push_back(static_cast<int>(i));
  }
  return which;
}

Array weights(const Shape& shape, std::uint64_t which) {
  std::vector<double> values(static_cast<std::size_t>(count_of(shape)));
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = std::cos(1.7 * static_cast<double>(i) + 2.3 * static_cast<double>(which) + 0.4);
  return Array::from(values, shape);
}

Problem::Problem(const Case& c, const std::vector<Tensor>& x)
    : case_(c), which_(floating_operands(c)), all_(to_arrays(x)) {
  for (int i : which_) x_.push_back(all_[static_cast<std::size_t>(i)]);
}

Array Problem::loss(const Arrays& at) const {
  Arrays operands = all_;
  for (std::size_t i = 0; i < which_.size(); ++i) operands[static_cast<std::size_t>(which_[i])] = at[i];
  const Arrays outputs = case_.make(operands);
  Array total = zeros({}, float64);
  std::uint64_t o = 0;
  for (const Array& y : outputs) {
    if (is_float(y.dtype())) total = total + sum(astype(y, float64) * weights(y.shape(), ++o));
  }
  return total;
}

Arrays Problem::gradient(const Arrays& at) const {
  return grad([this](const Arrays& a) { return loss(a); }, kLoose)(at);
}

double Problem::slope(const Arrays& v) const {
  return jvp([this](const Arrays& a) { return Arrays{loss(a)}; }, x_, v).tangents[0].item<double>();
}

Arrays Problem::hessian_times(const Arrays& v) const {
  return evaluated(jvp([this](const Arrays& a) { return gradient(a); }, x_, v).tangents);
}

Arrays Problem::hessian_times_reverse(const Arrays& at, const Arrays& v) const {
  const auto along = [&](const Arrays& a) {
    Array total = zeros({}, float64);
    const Arrays g = gradient(a);
    for (std::size_t i = 0; i < g.size(); ++i) total = total + sum(g[i] * v[i]);
    return total;
  };
  return grad(along, kLoose)(at);
}

Arrays Problem::moved(const Arrays& v, double by) const {
  Arrays result;
  for (std::size_t i = 0; i < x_.size(); ++i) result.push_back((x_[i] + by * v[i]).evaluate());
  return result;
}

Arrays Problem::direction(std::uint64_t which) const {
  Arrays v;
  for (const Array& a : x_) v.push_back(astype(weights(a.shape(), which++), a.dtype()));
  return v;
}

}  // namespace pellucid::laws
