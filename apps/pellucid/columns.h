// Columns of a table in words.
#pragma once

#include <string>

#include "pellucid/data.h"

namespace pellucid::cli {

/// The values of a column as its schema has them: "17 to 90", "3: fixed, freelance, others", "812 different texts".
std::string values_text(const data::ColumnSchema& column);
/// A share of rows: "8.6 %", "< 0.1 %"; "" for none.
std::string missing_text(double share);
/// "category of 4 values".
std::string kind_of(const data::Feature& feature);
/// "(x - 3.5) / 2, clipped smoothly to (-3, 3); one input says where it is missing".
std::string how_used(const data::Feature& feature);

}  // namespace pellucid::cli
