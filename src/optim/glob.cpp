#include "optim/glob.h"

#include <cstddef>

#include "base/fail.h"

namespace pellucid::optim {

namespace {

/// Whether `c` is in the set that begins after '[' at `at`; moves `at` behind the ']'.
bool in_set(std::string_view pattern, std::size_t& at, char c) {
  const bool inverted = at < pattern.size() && (pattern[at] == '!' || pattern[at] == '^');
  if (inverted) ++at;
  bool found = false;
  for (bool first = true;; first = false) {
    if (at >= pattern.size()) base::fail("optim::Group: pattern '{}' has a [ without ]: close the set", pattern);
    if (pattern[at] == ']' && !first) break;  // a ] that comes first is one of the set
    const char low = pattern[at++];
    char high = low;
    if (at + 1 < pattern.size() && pattern[at] == '-' && pattern[at + 1] != ']') {
      high = pattern[at + 1];
      at += 2;
    }
    found = found || (low <= c && c <= high);
  }
  ++at;
  return found != inverted;
}

}  // namespace

void check_glob(std::string_view pattern) {
  for (std::size_t at = 0; at < pattern.size();)
    if (pattern[at++] == '[') in_set(pattern, at, ' ');
}

bool glob(std::string_view pattern, std::string_view name) {
  std::size_t p = 0, n = 0;
  std::size_t star = std::string_view::npos, resume = 0;  // the last *, and where in the name what follows it was tried
  while (n < name.size() || p < pattern.size()) {
    bool matched = false;
    if (p < pattern.size()) {
      if (pattern[p] == '*') {
        star = p++;
        resume = n;
        continue;
      }
      if (n < name.size()) {
        if (pattern[p] == '[') {
          std::size_t after = p + 1;
          matched = in_set(pattern, after, name[n]);
          if (matched) p = after;
        } else {
          matched = pattern[p] == '?' || pattern[p] == name[n];
          if (matched) ++p;
        }
        if (matched) ++n;
      }
    }
    if (!matched) {
      if (star == std::string_view::npos || resume >= name.size()) return false;
      p = star + 1;
      n = ++resume;
    }
  }
  return true;
}

}  // namespace pellucid::optim
