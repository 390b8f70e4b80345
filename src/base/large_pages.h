// Memory in few, large pages.
#pragma once

#include <cstddef>

namespace pellucid::base {

/// Asks for pages of 2 MB within `size` bytes of memory that is about to be written, where there are several: pages
/// come singly from the system else, each with a fault, and a step over tens of megabytes looks thousands of them up.
/// An advice, which the system need not follow.
void prefer_large_pages(void* data, std::size_t size);

}  // namespace pellucid::base
