// The public elementwise functions that stand directly on a record, and how they take other types than the record's.
#pragma once

#include <string>
#include <vector>

#include "pellucid/ops.h"

namespace pellucid::laws {

/// What becomes of operands that the record does not take; bfloat16 is computed in float32 everywhere.
enum class Promotion {
  kRefuse,  // an error
  kFloat,   // integers and bool become float32
  kKeep,    // integers are returned as they are
  kTruth,   // everything becomes bool
};

struct PublicMap {
  std::string name;  // of the function and of the record
  Promotion promotion;
  Array (*one)(const Array&) = nullptr;
  Array (*two)(const Array&, const Array&) = nullptr;
};
const std::vector<PublicMap>& public_maps();

}  // namespace pellucid::laws
