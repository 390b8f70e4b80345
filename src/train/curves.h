// What pictures of an assessment are drawn from.
#pragma once

#include <vector>

#include "train/statistics.h"

namespace pellucid::train {

std::vector<ReliabilityBin> reliability(const ClassRows& rows, double level);

/// Of two classes: class 1 against class 0. Both must occur.
Curve roc_curve(const ClassRows& rows);
/// Precision over recall, from recall 0 on; the average precision is the sum of precision times the growth of recall.
Curve precision_recall_curve(const ClassRows& rows);

Residuals residuals(const NumberRows& rows, std::uint64_t seed);

}  // namespace pellucid::train
