// What there is to learn from: files read, split and brought into the network's terms, and shown on the way.
#pragma once

#include <string>

#include "model.h"
#include "pellucid/train.h"
#include "recipe.h"

namespace pellucid::cli {

// Everything that is to be learned from, in the network's terms.
struct Job {
  Model model;
  Shape input;  // of one example
  Dataset training, validation, test;
  std::string test_name;  // "test images"
  Json record;            // of the data, for the training record
};

/// Reads the data that the options name, and shows what was found as they ask. Throws Error where the data are at
/// fault, UsageError where options do not fit them.
Job read_job(const TrainOptions& options);

/// The number of examples; 0 where there are none.
std::int64_t rows_of(const Dataset& set);

}  // namespace pellucid::cli
