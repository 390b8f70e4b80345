// How much arithmetic a computation is.
#pragma once

#include <cstdint>
#include <vector>

#include "array/node.h"
#include "ops/record.h"

namespace pellucid::ops {

/// The multiply-adds of a node's products: contractions, convolutions, attention, and those inside loops and functions
/// with rules of their own. Elementwise work counts nothing.
std::int64_t multiply_adds(const Node& node);

/// The same of an operation on operands of these shapes; 0 for Kind::kCall, which has no operation of its own.
std::int64_t multiply_adds(const Record& record, const Attributes& attributes, const std::vector<Shape>& inputs,
                           const std::vector<Shape>& outputs);

}  // namespace pellucid::ops
