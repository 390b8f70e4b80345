// Rounding to bfloat16, and the scope in which contractions and convolutions take their operands rounded.
//
// The rounding is a node of its own before the operation. So it joins the group that makes the operand, is shared by
// forward and backward, and leaves loops when what it rounds does not change in them.
#include "ops/precision.h"

#include <vector>

#include "pellucid/ops.h"

namespace pellucid {
namespace {
thread_local Precision innermost = Precision::kFloat32;
}

PrecisionScope::PrecisionScope(Precision precision) : outer_(innermost) { innermost = precision; }
PrecisionScope::~PrecisionScope() { innermost = outer_; }
Precision PrecisionScope::current() { return innermost; }

std::string_view name_of(Precision precision) { return precision == Precision::kBFloat16 ? "bfloat16" : "float32"; }

Precision precision_by_name(std::string_view name) {
  for (const Precision precision : {Precision::kFloat32, Precision::kBFloat16}) {
    if (name == name_of(precision)) return precision;
  }
  base::fail("precision: there is no '{}'; it is float32 or bfloat16", name);
}

namespace ops {
namespace {

Record round_definition() {
  Record record;
  record.name = "round_bfloat16";
  record.summary = "the nearest bfloat16, ties to even, in the operand's type; its derivative is 1";
  record.shapes = "(...) -> (...)";
  record.kind = Kind::kMap;
  record.infer = infer_map;
  record.map = map_of<&kernels::MapTable::round_bfloat16>;
  record.partials[0] = [](const Arrays&, const Array&) { return Array(1.0F); };
  record.dtypes = {float32, float64};
  record.ulp = 0;
  return record;
}
const Record& kRound = define(round_definition());

/// A view that shows each element of its operand at least once: rounding the operand is less work.
bool shows_all(const Node& node) {
  return node.record->kind == Kind::kView && !node.inputs.empty() &&
         (node.record->name == "reshape" || node.record->name == "permute" || node.record->name == "broadcast_to");
}

Array rounded(const Array& x) {
  std::vector<Array> views;
  Array root = x;
  while (shows_all(*root.node())) {
    views.push_back(root);
    const Array next = root.node()->inputs[0];
    root = next;
  }
  const Node& made = *root.node();
  const bool already = made.record == &kRound || (made.record->name == "astype" && !made.inputs.empty() &&
                                                  made.inputs[0].dtype() == DType::kBFloat16);
  if (already) return x;
  Array y = make(kRound, {root});
  for (std::size_t i = views.size(); i-- > 0;) y = remake(*views[i].node(), {y})[0];
  return y;
}

}  // namespace

void round_operands(const Record& record, Arrays& inputs, Attributes& attributes) {
  if (!inputs[0].defined() || inputs[0].dtype() != DType::kFloat32) return;
  for (std::size_t i = 0; i < inputs.size() && i < 32; ++i) {
    if ((record.rounded >> i & 1U) != 0 && inputs[i].defined()) inputs[i] = rounded(inputs[i]);
  }
  attributes.dtype = DType::kBFloat16;
}

}  // namespace ops
}  // namespace pellucid
