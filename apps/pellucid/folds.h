// train --folds: cross-validation, shown fold by fold, and its predictions as CSV.
#pragma once

#include <string>

#include "training.h"

namespace pellucid::cli {

/// Trains and shows the folds that the options ask for, and writes what they predict where --oof says so. Gives their
/// metrics, for the training record: {"folds": 5, "accuracy": {"mean": ..., "deviation": ..., "each": [...]}, ...}.
Json run_folds(const TrainOptions& options, const io::Table& table, const std::string& target,
               const TableOptions& fitting);

}  // namespace pellucid::cli
