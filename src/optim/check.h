// Checks of hyperparameters: what is outside its range is refused with its name, its value and what would be right.
#pragma once

#include <cmath>
#include <cstdint>
#include <string_view>

#include "base/fail.h"

namespace pellucid::optim {

/// The ranges in which a hyperparameter makes sense. All but kFlag and kNumber refuse infinities and NaN too.
enum class Range {
  kFlag,         // a bool: 0 or 1
  kNumber,       // any finite number
  kNotNegative,  // [0, inf)
  kPositive,     // (0, inf)
  kBelowOne,     // [0, 1)
  kToOne,        // [0, 1]
  kFactor,       // (0, 1]
};

/// `owner` is the struct's name and `name` the field's, as people type them.
inline void check_range(std::string_view owner, std::string_view name, double value, Range range) {
  const auto refuse = [&](std::string_view allowed, std::string_view remedy) {
    base::fail("{}: {} = {} is outside {}: {}", owner, name, value, allowed, remedy);
  };
  const bool finite = std::isfinite(value);
  switch (range) {
    case Range::kFlag:
      return;
    case Range::kNumber:
      if (!finite) refuse("the finite numbers", "give a finite number");
      return;
    case Range::kNotNegative:
      if (!finite || value < 0) refuse("[0, inf)", "give 0 or a positive number");
      return;
    case Range::kPositive:
      if (!finite || value <= 0) refuse("(0, inf)", "give a positive number");
      return;
    case Range::kBelowOne:
      if (!finite || value < 0 || value >= 1) refuse("[0, 1)", "give a number below 1, such as 0.9");
      return;
    case Range::kToOne:
      if (!finite || value < 0 || value > 1) refuse("[0, 1]", "give a number from 0 to 1");
      return;
    case Range::kFactor:
      if (!finite || value <= 0 || value > 1) refuse("(0, 1]", "give a positive number of at most 1, such as 0.1");
      return;
  }
}

inline void check_at_least(std::string_view owner, std::string_view name, std::int64_t value, std::int64_t least) {
  if (value < least) base::fail("{}: {} = {} is too small: give at least {}", owner, name, value, least);
}

}  // namespace pellucid::optim
