// Columns of a table in words.
#pragma once

#include <string>

#include "pellucid/data.h"

namespace pellucid::cli {

/// "category of 4 values".
std::string kind_of(const data::Feature& feature);
/// "(x - 3.5) / 2, clipped smoothly to (-3, 3); one input says where it is missing".
std::string how_used(const data::Feature& feature);

}  // namespace pellucid::cli
