// Counts memory allocations, for tests of what must not allocate.
#pragma once

#include <cstdint>

namespace pellucid {

/// How often this process has asked for memory so far, on all threads, by malloc and its kin or operator new (in builds
/// with a sanitizer, which has malloc for itself: by operator new alone).
std::int64_t allocations();

}  // namespace pellucid
