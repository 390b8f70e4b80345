// What TOML texts are looked at for before toml++ reads them.
#pragma once

#include <string_view>

namespace pellucid::cli {

/// The line, from 1, of the first letter beyond ASCII outside of texts and comments; 0 where there is none. toml++ 3.3
/// has undefined behaviour at some of them.
int line_of_stray_letter(std::string_view text);

}  // namespace pellucid::cli
