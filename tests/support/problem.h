// A case of the laws as a function of its floating operands, with its derivatives to the second order.
#pragma once

#include <cstdint>
#include <vector>

#include "pellucid/transform.h"
#include "support/laws.h"

namespace pellucid::laws {

/// The list, with values.
Arrays evaluated(Arrays list);

/// The operands that derivatives are taken by.
std::vector<int> floating_operands(const Case& c);

/// Fixed numbers in [-1, 1], another row for each `which`.
Array weights(const Shape& shape, std::uint64_t which);

/// A case as a function of its floating operands alone, with a scalar result that every output has a part in. Operands
/// of any floating type; the result is float64.
class Problem {
 public:
  Problem(const Case& c, const std::vector<Tensor>& x);
  const Arrays& x() const { return x_; }

  Array loss(const Arrays& at) const;
  Arrays gradient(const Arrays& at) const;
  /// The derivative along v, by forward mode.
  double slope(const Arrays& v) const;
  Arrays hessian_times(const Arrays& v) const;
  /// The same, by reverse mode over reverse mode, at any point.
  Arrays hessian_times_reverse(const Arrays& at, const Arrays& v) const;
  Arrays moved(const Arrays& v, double by) const;
  /// Fourth-order differences of a list of arrays along v.
  template <class F>
  Arrays differences(const F& f, const Arrays& v, double h) const {
    const Arrays a = f(moved(v, h)), b = f(moved(v, -h)), c = f(moved(v, 2 * h)), d = f(moved(v, -2 * h));
    Arrays result;
    for (std::size_t i = 0; i < a.size(); ++i) result.push_back((8 * (a[i] - b[i]) - (c[i] - d[i])) / (12 * h));
    return evaluated(result);
  }
  /// A direction of the operands' shapes and types.
  Arrays direction(std::uint64_t which) const;

 private:
  const Case& case_;
  std::vector<int> which_;
  Arrays all_, x_;
};

}  // namespace pellucid::laws
