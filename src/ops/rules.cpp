// The rules of differentiation and batching, with the defaults of each kind of record filled in.
#include "ops/precision.h"
#include "ops/record.h"
#include "pellucid/ops.h"

namespace pellucid::ops {

bool flows(const Node& node, std::size_t i) {
  const Record& record = *node.record;
  if (!record.differentiable || !is_float(node.inputs[i].dtype())) return false;
  if (record.kind == Kind::kMap && record.vjp == nullptr) return record.partials[i] != nullptr;
  return true;
}

Arrays apply_vjp(const VjpCall& call) {
  const Record& record = *call.node.record;
  const OwnPrecision scope(call.node);
  if (record.vjp != nullptr) return record.vjp(call);
  Arrays cotangents(call.inputs.size());
  if (record.kind == Kind::kMap && call.cotangents[0].defined()) {
    for (std::size_t i = 0; i < call.inputs.size(); ++i) {
      if (call.needed[i] && record.partials[i] != nullptr) {
        cotangents[i] = scaled(call.cotangents[0], record.partials[i](call.inputs, call.outputs[0]));
      }
    }
  }
  return cotangents;
}

Arrays apply_jvp(const JvpCall& call) {
  const Record& record = *call.node.record;
  const OwnPrecision scope(call.node);
  if (record.jvp != nullptr) return record.jvp(call);
  Arrays tangents(call.outputs.size());
  if (record.kind == Kind::kMap) {
    for (std::size_t i = 0; i < call.inputs.size(); ++i) {
      if (call.tangents[i].defined() && record.partials[i] != nullptr) {
        tangents[0] = sum_of(tangents[0], scaled(call.tangents[i], record.partials[i](call.inputs, call.outputs[0])));
      }
    }
  } else if (record.linear != 0) {
    Arrays inputs = call.inputs;
    bool any = false;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if ((record.linear >> (i < 32 ? i : 31) & 1U) == 0) continue;
      any = any || call.tangents[i].defined();
      inputs[i] = call.tangents[i].defined() ? call.tangents[i] : zeros_like(inputs[i]);
    }
    if (any) tangents = remake(call.node, std::move(inputs));
  }
  return tangents;
}

Arrays apply_batch(const BatchCall& call) {
  const Record& record = *call.node.record;
  const OwnPrecision scope(call.node);
  if (record.batch != nullptr) return record.batch(call);
  Arrays inputs = call.inputs;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!call.batched[i]) inputs[i] = with_batch(inputs[i], call.size);
  }
  return remake(call.node, std::move(inputs));
}

}  // namespace pellucid::ops
