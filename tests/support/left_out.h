// What a law cannot be asked of, counted by reason, so that nothing is left out silently.
#pragma once

#include <cstdio>
#include <map>
#include <string>

namespace pellucid::laws {

class LeftOut {
 public:
  void add(const std::string& reason, int count = 1) { counts_[reason] += count; }
  /// A line for each reason.
  void print() const {
    for (const auto& [reason, count] : counts_) std::printf("  left out: %d, %s\n", count, reason.c_str());
  }

 private:
  std::map<std::string, int> counts_;
};

}  // namespace pellucid::laws
