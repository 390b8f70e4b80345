// The pictures and tables of an assessment, as HTML.
#pragma once

#include <string>

#include "assess.h"
#include "model.h"

namespace pellucid::cli::html {

/// The metrics beside the baseline.
std::string metrics_table(const Assessed& assessed, const Model& model);
/// The most important numbers, large.
std::string tiles(const Assessed& assessed, const Model& model);
/// Classes, what is confused, reliability and curves; or predictions, residuals.
std::string details(const Assessed& assessed, const Model& model);
/// Which columns matter; empty where that was not looked at.
std::string importance(const Assessed& assessed);

}  // namespace pellucid::cli::html
