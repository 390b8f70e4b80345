// Environment variables, read where they are first needed and checked there.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace pellucid::base {

/// The variable's value, or nothing where it is not set or empty.
std::optional<std::string> environment(const char* name);

/// The same as a whole number in [low, high]. Throws Error, naming the variable, for any other text.
std::optional<std::int64_t> environment_int(const char* name, std::int64_t low, std::int64_t high);

/// The parts between commas, without blanks around them and without empty ones: "fuse, cse" gives {"fuse", "cse"}.
std::vector<std::string> environment_list(const char* name);

}  // namespace pellucid::base
