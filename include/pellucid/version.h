// The library's version.
#pragma once

namespace pellucid {

/// "0.1.0": major.minor.patch, of the library that the program runs with.
const char* version();

}  // namespace pellucid
