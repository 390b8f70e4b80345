// Where buffers that live for some steps of a plan lie in one arena.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace pellucid::graph {

/// A buffer that lives from step `first` to step `last`, both included.
struct Stay {
  std::size_t bytes = 0;
  std::int32_t first = 0, last = 0;
  std::size_t offset = 0;  // made by pack()
};

/// Gives each an offset, so that what lives at one time does not overlap, and returns the bytes of the whole. `stays`
/// are in the order of `first`.
///
/// Each takes the lowest gap that is free while it lives, in the order in which they are made. Where that needs more
/// than what lives at one time, the largest are tried first, and the smaller arena is taken: a small buffer
/// made early no longer lies in the middle of the gap that a large one needs.
std::size_t pack(std::vector<Stay>& stays);

}  // namespace pellucid::graph
