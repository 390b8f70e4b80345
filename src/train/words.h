// Numbers for sentences.
#pragma once

#include <string>

namespace pellucid::train {

/// So many digits, and the exponent without zeros: 1e-6.
std::string short_number(double value, int digits = 6);

}  // namespace pellucid::train
