// Trainings of several kinds, to be killed: each goes on from a checkpoint in its folder, and leaves its result there.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace pellucid::testing {

struct Subject {
  std::string name;
  /// Trains in the folder until the end, and writes what came out to `folder`/result.
  std::function<void(const std::string& folder)> train;
};

std::vector<Subject> crash_subjects();

}  // namespace pellucid::testing
