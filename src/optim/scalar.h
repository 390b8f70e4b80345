// A number that an update needs: known when the update is traced, or a float64 scalar computed inside the plan.
// Arithmetic on known numbers is done at once, so that constant learning rates cost nothing while a plan runs.
#pragma once

#include <cmath>
#include <utility>

#include "pellucid/ops.h"

namespace pellucid::optim {

class Scalar {
 public:
  Scalar(double value = 0) : value_(value) {}                 // NOLINT(google-explicit-constructor)
  explicit Scalar(Array array) : array_(std::move(array)) {}  // a float64 scalar

  bool known() const { return !array_.defined(); }
  double value() const { return value_; }
  /// As an operand of float64 scalars: a weak constant where it is known.
  Array array() const { return known() ? Array(value_) : array_; }
  /// As an operand of arrays of `dtype`, rounded once.
  Array in(DType dtype) const {
    if (known()) return Array(value_);
    return dtype == float64 ? array_ : astype(array_, dtype);
  }

  friend Scalar operator+(const Scalar& x, const Scalar& y) {
    return x.known() && y.known() ? Scalar(x.value_ + y.value_) : Scalar(x.array() + y.array());
  }
  friend Scalar operator-(const Scalar& x, const Scalar& y) {
    return x.known() && y.known() ? Scalar(x.value_ - y.value_) : Scalar(x.array() - y.array());
  }
  friend Scalar operator*(const Scalar& x, const Scalar& y) {
    return x.known() && y.known() ? Scalar(x.value_ * y.value_) : Scalar(x.array() * y.array());
  }
  friend Scalar operator/(const Scalar& x, const Scalar& y) {
    return x.known() && y.known() ? Scalar(x.value_ / y.value_) : Scalar(x.array() / y.array());
  }
  friend Scalar sqrt(const Scalar& x) {
    return x.known() ? Scalar(std::sqrt(x.value_)) : Scalar(pellucid::sqrt(x.array_));
  }

 private:
  double value_ = 0;
  Array array_;
};

}  // namespace pellucid::optim
