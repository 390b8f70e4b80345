// What TOML texts are looked at for before toml++ reads them, and what it says of them.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace pellucid::cli {

/// The line, from 1, of the first letter beyond ASCII outside of texts and comments; 0 where there is none. toml++ 3.3
/// has undefined behaviour at some of them.
int line_of_stray_letter(std::string_view text);

/// What toml++ says of a fault, which may quote the text, as it can stand in a one-line message.
inline std::string one_line(std::string_view said) {
  std::string line(said);
  std::replace_if(
      line.begin(), line.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  return line;
}

}  // namespace pellucid::cli
