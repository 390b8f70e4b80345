// Numbers: the values of a column, which tables share until one of them writes.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <memory>
#include <span>
#include <vector>

namespace pellucid::io {

/// A list of float64 whose copies share memory until one of them is written to. The memory may be another owner's, say
/// a data frame's: then nothing is copied at all unless it is written to.
///
/// Reading is safe from several threads at once, as it is of a vector. Copies that share memory may be written to by
/// one thread each.
class Numbers {
 public:
  using value_type = double;
  using const_iterator = const double*;
  using iterator = const double*;

  Numbers() = default;
  Numbers(std::vector<double> values)  // NOLINT(google-explicit-constructor)
      : own_(std::make_shared<std::vector<double>>(std::move(values))) {}
  Numbers(std::initializer_list<double> values) : Numbers(std::vector<double>(values)) {}
  /// Memory that `owner` keeps and that nobody writes to while it is kept.
  static Numbers shared(std::shared_ptr<const void> owner, std::span<const double> values);

  const double* data() const { return own_ ? own_->data() : view_.data(); }
  std::size_t size() const { return own_ ? own_->size() : view_.size(); }
  bool empty() const { return size() == 0; }
  const double* begin() const { return data(); }
  const double* end() const { return data() + size(); }
  const double& operator[](std::size_t i) const { return data()[i]; }
  /// Throws std::out_of_range.
  double at(std::size_t i) const;
  const double& front() const { return data()[0]; }
  const double& back() const { return data()[size() - 1]; }
  std::vector<double> to_vector() const { return {begin(), end()}; }

  /// The numbers to write to: of this list alone, which are copied here where others share them. The reference holds
  /// until the list is copied or assigned to.
  std::vector<double>& edit();

  /// As of two vectors: NaN is not equal to itself.
  friend bool operator==(const Numbers& a, const Numbers& b);

 private:
  std::shared_ptr<std::vector<double>> own_;  // null where the memory is `owner_`'s
  std::shared_ptr<const void> owner_;
  std::span<const double> view_;
};

}  // namespace pellucid::io
