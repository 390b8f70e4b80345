// What an expression throws, for tests of errors.
#pragma once

#include <string>

#include "pellucid/error.h"

namespace pellucid {

/// The text of the Error that f throws; "no error" where it throws none.
template <class F>
std::string message_of(F f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

/// For EXPECT_PRED2(contains, message_of(...), "part").
inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace pellucid
