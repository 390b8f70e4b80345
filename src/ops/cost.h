// How much arithmetic a computation is.
#pragma once

#include <cstdint>

#include "array/node.h"

namespace pellucid::ops {

/// The multiply-adds of a node's products: contractions, convolutions, attention, and those inside loops and functions
/// with rules of their own. Elementwise work counts nothing.
std::int64_t multiply_adds(const Node& node);

}  // namespace pellucid::ops
