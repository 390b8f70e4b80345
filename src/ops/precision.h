// How records whose operands are rounded in bfloat16 precision (Record::rounded) keep it.
#pragma once

#include <optional>

#include "ops/record.h"
#include "pellucid/precision.h"

namespace pellucid::ops {

/// Rounds the operands that the record names, where they are float32 and not rounded already, and marks the attributes:
/// their dtype is bfloat16. (Records that round have no other use for it.)
void round_operands(const Record& record, Arrays& inputs, Attributes& attributes);

/// While the rules of a node run: the precision that the node was made in.
class OwnPrecision {
 public:
  explicit OwnPrecision(const Node& node) {
    if (node.record->rounded == 0) return;
    scope_.emplace(node.attributes.dtype == DType::kBFloat16 ? Precision::kBFloat16 : Precision::kFloat32);
  }

 private:
  std::optional<PrecisionScope> scope_;
};

}  // namespace pellucid::ops
