// Cases of attention and its gradient.
#include "pellucid/ops.h"
#include "support/attention_reference.h"

namespace pellucid::laws {
namespace {

using List = std::vector<Tensor>;

Attributes attributes_of(const AttentionSizes& n) {
  Attributes attributes;
  attributes.flag = n.causal;
  attributes.real = static_cast<double>(kAttentionScale);
  return attributes;
}

void add_pair(std::vector<Case>& list, const AttentionSizes& n, const std::string& label,
              Layout covers = Layout::kContiguous, bool large = false) {
  Case c{"attention", label, {}, node_of("attention", attributes_of(n)), {}};
  c.operands = {{{n.b, n.t, n.h, n.d}}, {{n.b, n.s, n.g, n.d}}, {{n.b, n.s, n.g, n.e}}};
  for (Operand& operand : c.operands) operand.low = -2, operand.high = 2;
  if (!n.mask.empty()) c.operands.push_back({n.mask, Role::kData, -2, 2});
  c.reference = [n](const List& x) { return attention_reference(n, x); };
  c.covers = covers;
  c.large = large;
  list.push_back(c);

  Case gradient = c;
  gradient.record = "attention_gradient";
  gradient.operands.insert(gradient.operands.begin() + 3, {{n.b, n.t, n.h, n.e}, Role::kData, -2, 2});
  gradient.make = [n](const Arrays& x) {
    Arrays operands(x.begin(), x.begin() + 3);
    if (x.size() > 4) operands.push_back(x[4]);
    const Arrays y = node_of("attention", attributes_of(n))(operands);
    operands.insert(operands.begin() + 3, {y[0], y[1], x[3]});
    return node_of("attention_gradient", attributes_of(n))(operands);
  };
  gradient.reference = [n](const List& x) { return attention_gradient_reference(n, x); };
  list.push_back(gradient);
}

}  // namespace

void add_attention_cases(std::vector<Case>& list) {
  add_pair(list, {.b = 2, .t = 3, .s = 3, .h = 2, .g = 2, .d = 3, .e = 3}, "self");
  add_pair(list, {.b = 1, .t = 4, .s = 4, .h = 2, .g = 1, .d = 2, .e = 3, .causal = true}, "causal, grouped");
  add_pair(list, {.b = 2, .t = 2, .s = 5, .h = 1, .g = 1, .d = 4, .e = 2, .causal = true}, "cross, causal");
  add_pair(list, {.b = 1, .t = 5, .s = 3, .h = 1, .g = 1, .d = 2, .e = 2, .causal = true}, "queries without keys");
  add_pair(list, {.b = 2, .t = 2, .s = 3, .h = 2, .g = 2, .d = 2, .e = 1, .causal = false, .mask = {2, 1, 2, 3}},
           "with a mask");
  add_pair(list, {.b = 2, .t = 3, .s = 2, .h = 2, .g = 1, .d = 1, .e = 2, .causal = false, .mask = {1, 2, 3, 1}},
           "with a mask repeated");
  add_pair(list, {.b = 1, .t = 3, .s = 0, .h = 1, .g = 1, .d = 2, .e = 2}, "no keys", Layout::kEmpty);
  add_pair(list, {.b = 0, .t = 3, .s = 2, .h = 1, .g = 1, .d = 2, .e = 2}, "no batch", Layout::kEmpty);
  add_pair(list, {.b = 1, .t = 0, .s = 2, .h = 1, .g = 1, .d = 2, .e = 2}, "no queries", Layout::kEmpty);
  add_pair(list, {.b = 1, .t = 211, .s = 230, .h = 2, .g = 1, .d = 24, .e = 17, .causal = true}, "few heads",
           Layout::kContiguous, true);
  add_pair(list, {.b = 3, .t = 61, .s = 75, .h = 4, .g = 4, .d = 17, .e = 40, .causal = false, .mask = {1, 4, 61, 75}},
           "many heads", Layout::kContiguous, true);
}

}  // namespace pellucid::laws
