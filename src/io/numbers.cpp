// Numbers: copied when they are written to and shared. See numbers.h.
#include "pellucid/numbers.h"

#include <algorithm>
#include <stdexcept>

namespace pellucid::io {

Numbers Numbers::shared(std::shared_ptr<const void> owner, std::span<const double> values) {
  Numbers numbers;
  numbers.owner_ = std::move(owner);
  numbers.view_ = values;
  return numbers;
}

double Numbers::at(std::size_t i) const {
  if (i >= size()) throw std::out_of_range("Numbers::at");
  return data()[i];
}

std::vector<double>& Numbers::edit() {
  if (!own_ || own_.use_count() > 1) {
    own_ = std::make_shared<std::vector<double>>(begin(), end());
    owner_.reset();
    view_ = {};
  } else {
    // What a copy that has ended had read, it has read: counting up and down is ordered behind its counting down. (A
    // fence alone would do, but the thread sanitizer does not know fences.)
    const std::shared_ptr<const void> counted = own_;
  }
  return *own_;
}

bool operator==(const Numbers& a, const Numbers& b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); }

}  // namespace pellucid::io
