// Arrays whose axes have labels, and the products of two of them from which einsum and tensordot are made.
#pragma once

#include <string_view>
#include <vector>

#include "ops/record.h"
#include "pellucid/ops.h"

namespace pellucid::ops {

/// One number for each axis; within one array none twice.
using Labels = std::vector<int>;
struct Labelled {
  Array array;
  Labels labels;
};

/// x with its axes in the order of `labels`, which name all of them.
Labelled ordered(const Labelled& x, const Labels& labels);
/// x summed over the axes whose labels are not in `kept`.
Labelled summed(const Labelled& x, const Labels& kept);
/// The product of x and y summed over the labels not in `kept`; its axes are in any order. Equal labels have equal
/// sizes, or size 1 in one of the two.
Labelled contracted(std::string_view name, const Labelled& x, const Labelled& y, const Labels& kept);

}  // namespace pellucid::ops
