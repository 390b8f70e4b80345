// Scaled dot-product attention: a primitive with the log-sum-exp of each row beside the result, its gradient as
// another, and what the derivatives of the gradient are composed of.
#include "pellucid/ops_attention.h"

#include <cmath>
#include <limits>

#include "base/thread_pool.h"
#include "kernels/attention.h"
#include "ops/composed.h"
#include "ops/record.h"
#include "pellucid/ops.h"

namespace pellucid::ops {
namespace {

// ---- Operands -------------------------------------------------------------------------------------------------------
// attention: q (b, t, h, d), k (b, s, g, d), v (b, s, g, e), perhaps a mask (b or 1, h or 1, t or 1, s or 1).
// attention_gradient: q, k, v, out, log_sum_exp (b, t, h), cotangent of out, perhaps the mask.
// flag = causal, real = scale.

kernels::AttentionShape shape_of(const Shape& q, const Shape& k, const Shape& v, const Shape* mask,
                                 const Attributes& attributes, DType dtype) {
  kernels::AttentionShape s;
  s.dtype = dtype;
  s.rounded = attributes.dtype == bfloat16;
  s.batch = q[0];
  s.queries = q[1];
  s.heads = q[2];
  s.width = q[3];
  s.keys = k[1];
  s.groups = k[2];
  s.value_width = v[3];
  s.causal = attributes.flag;
  s.scale = attributes.real;
  if (mask != nullptr) {
    s.mask = true;
    const Strides strides = contiguous_strides(*mask);
    std::int64_t* const to[] = {&s.mask_batch, &s.mask_head, &s.mask_query, &s.mask_key};
    for (std::size_t d = 0; d < 4; ++d) *to[d] = (*mask)[d] == 1 ? 0 : strides[d];
  }
  return s;
}
kernels::AttentionShape shape_of(const Signature& s, std::size_t mask) {
  const Shape* m = s.inputs.size() > mask ? &s.inputs[mask] : nullptr;
  return shape_of(s.inputs[0], s.inputs[1], s.inputs[2], m, s.attributes, s.input_types[0]);
}

bool empty(const kernels::AttentionShape& s) { return s.batch * s.queries * s.heads == 0; }

void infer_attention(const Record& self, const Arrays& inputs, const Attributes&, std::vector<Output>& outputs) {
  const Shape &q = inputs[0].shape(), &k = inputs[1].shape(), &v = inputs[2].shape();
  bool fits = q.size() == 4 && k.size() == 4 && v.size() == 4;
  fits = fits && q[0] == k[0] && k[0] == v[0] && k[1] == v[1] && k[2] == v[2] && q[3] == k[3] && k[2] != 0 &&
         q[2] % k[2] == 0;
  if (!fits) fail(self.name, "q {}, k {} and v {}: not (b, t, h, d), (b, s, g, d) and (b, s, g, e)", q, k, v);
  if (inputs.size() > 3) {
    const Shape& mask = inputs[3].shape();
    const std::int64_t sizes[] = {q[0], q[2], q[1], k[1]};
    bool mask_fits = mask.size() == 4;
    for (std::size_t d = 0; mask_fits && d < 4; ++d) mask_fits = mask[d] == sizes[d] || mask[d] == 1;
    if (!mask_fits) fail(self.name, "mask {} for q {} and k {}: not (b or 1, h or 1, t or 1, s or 1)", mask, q, k);
  }
  Shape out = q;
  out[3] = v[3];
  element_count(out, "attention");
  outputs.push_back({out, inputs[0].dtype(), nullptr, {}, 0});
  out.pop_back();
  outputs.push_back({out, inputs[0].dtype(), nullptr, {}, 0});
}

void infer_gradient(const Record&, const Arrays& inputs, const Attributes&, std::vector<Output>& outputs) {
  for (std::size_t i = 0; i < 3; ++i) outputs.push_back({inputs[i].shape(), inputs[0].dtype(), nullptr, {}, 0});
}

// ---- The composition ------------------------------------------------------------------------------------------------
// Axes (b, g, r, t, .) and (b, g, 1, s, .): r heads of a group. Weights are exp(score - log_sum_exp) of the primitive's
// second output, whose own derivative is known, so that everything here may be differentiated again.

Array of_queries(const Array& x, std::int64_t groups) {  // (b, t, h, d) to (b, g, r, t, d)
  const Shape& s = x.shape();
  return permute(reshape(x, {s[0], s[1], groups, s[2] / groups, s[3]}), {0, 2, 3, 1, 4});
}
Array from_queries(const Array& x) {  // and back
  const Array y = permute(x, {0, 3, 1, 2, 4});
  const Shape& s = y.shape();
  return reshape(y, {s[0], s[1], s[2] * s[3], s[4]});
}
Array of_keys(const Array& x) { return expand_dims(permute(x, {0, 2, 1, 3}), 2); }  // (b, s, g, d) to (b, g, 1, s, d)
Array from_keys(const Array& x) { return permute(sum(x, 2), {0, 2, 1, 3}); }        // (b, g, r, s, d) to (b, s, g, d)

struct Composed {
  const Attributes& attributes;
  std::int64_t groups;
  Array q, k, v, mask;  // the mask undefined where there is none
  Shape mask_shape;
  Array weights;  // (b, g, r, t, s)

  Composed(const Attributes& a, const Arrays& x, const Array& log_sum_exp, const Array& given_mask)
      : attributes(a), groups(x[1].shape()[2]), q(of_queries(x[0], groups)), k(of_keys(x[1])), v(of_keys(x[2])) {
    const std::int64_t t = x[0].shape()[1], s = x[1].shape()[1];
    const DType dtype = q.dtype();
    Array scores = scaled_product(q, k);
    if (given_mask.defined()) {
      mask_shape = given_mask.shape();
      scores = scores + with_groups(given_mask);
    }
    const Array hidden(constant(-std::numeric_limits<double>::infinity(), dtype));
    if (a.flag) {
      const Array last = reshape(arange(t) + (s - t), {t, 1});
      scores = where(arange(s) <= last, scores, hidden);
    }
    Array shift = of_queries(expand_dims(log_sum_exp, -1), groups);
    shift = where(equal(shift, hidden), -hidden, shift);
    weights = exp(scores - shift);
  }

  Array with_groups(const Array& m) const {  // (b, h, t, s), sizes 1 allowed, to (b, g, r, t, s)
    const Shape& s = m.shape();
    if (s[1] == 1) return reshape(m, {s[0], 1, 1, s[2], s[3]});
    return reshape(m, {s[0], groups, s[1] / groups, s[2], s[3]});
  }
  Array from_scores(const Array& x) const {  // a cotangent of scores to one of the mask
    const Shape& s = x.shape();
    Array y = reshape(x, {s[0], s[1] * s[2], s[3], s[4]});
    std::vector<int> axes;
    for (std::size_t d = 0; d < 4; ++d) {
      if (mask_shape[d] == 1 && y.shape()[d] != 1) axes.push_back(static_cast<int>(d));
    }
    return axes.empty() ? y : sum(y, Axes(axes), true);
  }
  static Array product(const Array& a, const Array& b) { return matmul(a, swapaxes(b, -1, -2)); }
  Array scaled_product(const Array& a, const Array& b) const { return product(a, b) * attributes.real; }
  static Array row_sum(const Array& x) { return sum(x, -1, true); }

  /// The change of scores for changes of q, k and the mask, undefined where there is none; perhaps none at all.
  Array change_of_scores(const Array& dq, const Array& dk, const Array& dmask) const {
    Array change;
    if (dq.defined()) change = scaled_product(of_queries(dq, groups), k);
    if (dk.defined()) change = sum_of(change, scaled_product(q, of_keys(dk)));
    if (dmask.defined()) change = sum_of(change, broadcast_to(with_groups(dmask), weights.shape()));
    return change;
  }
};

Attributes plain(const Node& node) {
  Attributes attributes;
  attributes.flag = node.attributes.flag;
  attributes.real = node.attributes.real;
  return attributes;
}

Arrays gradient_of(const Attributes& attributes, const Arrays& x, const Array& out, const Array& log_sum_exp,
                   const Array& g, const Array& mask);

// ---- attention ------------------------------------------------------------------------------------------------------

Arrays vjp_attention(const VjpCall& call) {
  const Array mask = call.inputs.size() > 3 ? call.inputs[3] : Array();
  const Arrays x(call.inputs.begin(), call.inputs.begin() + 3);
  Arrays result(call.inputs.size());
  const Array& g = call.cotangents[0];
  const Array& of_sum = call.cotangents[1];
  if (g.defined() && (call.needed[0] || call.needed[1] || call.needed[2])) {
    const Arrays back = gradient_of(plain(call.node), x, call.outputs[0], call.outputs[1], g, mask);
    for (std::size_t i = 0; i < 3; ++i) result[i] = back[i];
  }
  const bool of_mask = mask.defined() && call.needed[3];
  if (!of_mask && !of_sum.defined()) return result;
  // The cotangent of scores, as a matrix: of a mask that is learned, and by the log-sum-exp.
  const Composed c(call.node.attributes, x, call.outputs[1], mask);
  Array by_sum, by_out;
  if (of_sum.defined()) {
    by_sum = c.weights * of_queries(expand_dims(of_sum, -1), c.groups);
    const Array scaled = by_sum * call.node.attributes.real;
    result[0] = sum_of(result[0], from_queries(matmul(scaled, c.k)));
    result[1] = sum_of(result[1], from_keys(matmul(swapaxes(scaled, -1, -2), c.q)));
  }
  if (of_mask) {
    if (g.defined()) {
      const Array slopes = c.product(of_queries(g, c.groups), c.v);
      by_out = c.weights * (slopes - c.row_sum(c.weights * slopes));
    }
    result[3] = c.from_scores(sum_of(by_sum, by_out));
  }
  return result;
}

Arrays jvp_attention(const JvpCall& call) {
  const bool masked = call.inputs.size() > 3;
  const Arrays x(call.inputs.begin(), call.inputs.begin() + 3);
  const Composed c(call.node.attributes, x, call.outputs[1], masked ? call.inputs[3] : Array());
  const Array change = c.change_of_scores(call.tangents[0], call.tangents[1], masked ? call.tangents[3] : Array());
  Array out, log_sum_exp;
  if (change.defined()) {
    const Array weighted = c.weights * change;
    const Array mean = c.row_sum(weighted);
    out = matmul(weighted - c.weights * mean, c.v);
    log_sum_exp = squeeze(from_queries(mean), -1);
  }
  if (call.tangents[2].defined()) out = sum_of(out, matmul(c.weights, of_keys(call.tangents[2])));
  return {out.defined() ? from_queries(out) : Array(), log_sum_exp};
}

/// The batch axis joined with the first one of every operand; of the mask too, which is repeated where it must be.
Arrays folded(const BatchCall& call, std::size_t mask) {
  Arrays inputs;
  for (std::size_t i = 0; i < call.inputs.size(); ++i) {
    Array x = call.inputs[i];
    const bool batched = call.batched[i];
    if (i == mask) {
      const std::size_t first = batched ? 1 : 0;
      if (!batched && x.shape()[0] == 1) {
        inputs.push_back(x);
        continue;
      }
      const Array& q = call.inputs[0];
      Shape whole = x.shape();
      whole[first] = q.shape()[call.batched[0] ? 1 : 0];
      x = broadcast_to(x, whole);
    }
    if (!batched) x = with_batch(x, call.size);
    Shape shape(x.shape().begin() + 1, x.shape().end());
    shape[0] *= call.size;
    inputs.push_back(reshape(x, shape));
  }
  return inputs;
}

Arrays unfolded(const Arrays& outputs, std::int64_t size) {
  Arrays result;
  for (const Array& y : outputs) {
    Shape shape = y.shape();
    shape[0] /= size;
    shape.insert(shape.begin(), size);
    result.push_back(reshape(y, shape));
  }
  return result;
}

Record attention_definition() {
  Record record;
  record.name = "attention";
  record.summary = "softmax(scale q k^T + mask) v of each head, and the log-sum-exp of each row of scores";
  record.shapes = "(b, t, h, d), (b, s, g, d), (b, s, g, e), mask? -> (b, t, h, e), (b, t, h)";
  record.arity = -1;
  record.rounded = 0b111;
  record.infer = infer_attention;
  record.workspace = [](const Signature& signature) -> std::size_t {
    const kernels::AttentionShape shape = shape_of(signature, 3);
    return empty(shape) ? 0 : kernels::attention_workspace(shape, base::threads());
  };
  record.prepare = [](const Signature& signature) -> Kernel {
    const kernels::AttentionShape shape = shape_of(signature, 3);
    if (empty(shape)) return [](void* const*, const void* const*) {};
    const int threads = base::threads();
    return [=](void* const* y, const void* const* x) {
      kernels::attention(shape, {x[0], x[1], x[2], shape.mask ? x[3] : nullptr}, y[0], y[1], y[2], threads);
    };
  };
  record.rounds = [](const Signature& signature) { return kernels::rounds_itself(shape_of(signature, 3)); };
  record.vjp = vjp_attention;
  record.jvp = jvp_attention;
  record.batch = [](const BatchCall& call) { return unfolded(remake(call.node, folded(call, 3)), call.size); };
  record.dtypes = {float32, float64};
  return record;
}
const Record& kAttention = define(attention_definition());

// ---- attention_gradient ---------------------------------------------------------------------------------------------
//
// As a function of q, k, v, g and the mask, of which out and log_sum_exp are functions themselves: no cotangent is
// given to these two. Its results are the derivative of L = <g, attention(q, k, v)>, so both its derivative along (a,
// b, c) and its vjp for the cotangents (a, b, c) are the Hessian of L times (a, b, c); and by g, attention's derivative
// along it.

/// Cotangents of q, k, v, g and the mask for the cotangents a, b, c of dq, dk, dv and a change m of the mask.
Arrays hessian_times(const Attributes& attributes, const Arrays& inputs, const Array& a, const Array& b, const Array& c,
                     const Array& m) {
  const Array mask = inputs.size() > 6 ? inputs[6] : Array();
  const Composed f(attributes, {inputs[0], inputs[1], inputs[2]}, inputs[4], mask);
  const double scale = attributes.real;
  const Array g = of_queries(inputs[5], f.groups);
  const auto transposed = [](const Array& x) { return swapaxes(x, -1, -2); };
  const Array& p = f.weights;
  const Array slopes = f.product(g, f.v), mean = f.row_sum(p * slopes);
  const Array change = f.change_of_scores(a, b, m);
  Array changed_p, changed_scores, by_q, by_k, by_v, by_g;
  if (change.defined()) {
    changed_p = p * (change - f.row_sum(p * change));
    changed_scores = changed_p * (slopes - mean) - p * f.row_sum(changed_p * slopes);
    by_v = matmul(transposed(changed_p), g);
    by_g = matmul(changed_p, f.v);
  }
  if (c.defined()) {
    const Array of_c = f.product(g, of_keys(c));
    changed_scores = sum_of(changed_scores, p * (of_c - f.row_sum(p * of_c)));
    by_g = sum_of(by_g, matmul(p, of_keys(c)));
  }
  if (changed_scores.defined()) {
    by_q = matmul(changed_scores, f.k) * scale;
    by_k = matmul(transposed(changed_scores), f.q) * scale;
  }
  if (a.defined() || b.defined()) {
    const Array ds = p * (slopes - mean) * scale;
    if (b.defined()) by_q = sum_of(by_q, matmul(ds, of_keys(b)));
    if (a.defined()) by_k = sum_of(by_k, matmul(transposed(ds), of_queries(a, f.groups)));
  }
  const auto queries = [](const Array& x) { return x.defined() ? from_queries(x) : Array(); };
  const auto keys = [](const Array& x) { return x.defined() ? from_keys(x) : Array(); };
  return {queries(by_q), keys(by_k), keys(by_v), queries(by_g),
          mask.defined() && changed_scores.defined() ? f.from_scores(changed_scores) : Array()};
}

Record gradient_definition() {
  Record record;
  record.name = "attention_gradient";
  record.summary = "the cotangents of q, k and v of attention, for that of its result";
  record.shapes =
      "q, k, v, out (b, t, h, e), log_sum_exp (b, t, h), g (b, t, h, e), mask? -> (b, t, h, d), (b, s, g, d), (b, s, "
      "g, "
      "e)";
  record.arity = -1;
  record.rounded = 0b100111;
  record.infer = infer_gradient;
  record.workspace = [](const Signature& signature) -> std::size_t {
    const kernels::AttentionShape shape = shape_of(signature, 6);
    return kernels::attention_gradient_workspace(shape, base::threads());
  };
  record.prepare = [](const Signature& signature) -> Kernel {
    const kernels::AttentionShape shape = shape_of(signature, 6);
    const int threads = base::threads();
    return [=](void* const* y, const void* const* x) {
      kernels::attention_gradient(shape, {x[0], x[1], x[2], shape.mask ? x[6] : nullptr}, x[3], x[4], x[5], y[0], y[1],
                                  y[2], y[3], threads);
    };
  };
  record.rounds = [](const Signature& signature) { return kernels::rounds_itself(shape_of(signature, 6)); };
  record.vjp = [](const VjpCall& call) {
    const Arrays back = hessian_times(call.node.attributes, call.inputs, call.cotangents[0], call.cotangents[1],
                                      call.cotangents[2], {});
    Arrays result = {back[0], back[1], back[2], {}, {}, back[3]};
    if (call.inputs.size() > 6) result.push_back(back[4]);
    return result;
  };
  record.jvp = [](const JvpCall& call) {
    const Arrays& t = call.tangents;
    const Array of_mask = t.size() > 6 ? t[6] : Array();
    Arrays result(3);
    if (t[0].defined() || t[1].defined() || t[2].defined() || of_mask.defined()) {
      result = hessian_times(call.node.attributes, call.inputs, t[0], t[1], t[2], of_mask);
      result.resize(3);
    }
    if (t[5].defined()) {
      // Linear in g; the result that belongs to another g is needed with it.
      const Arrays& x = call.inputs;
      const Arrays by_g =
          gradient_of(plain(call.node), {x[0], x[1], x[2]}, x[3], x[4], t[5], x.size() > 6 ? x[6] : Array());
      for (std::size_t i = 0; i < 3; ++i) result[i] = sum_of(result[i], by_g[i]);
    }
    return result;
  };
  record.batch = [](const BatchCall& call) { return unfolded(remake(call.node, folded(call, 6)), call.size); };
  record.dtypes = {float32, float64};
  return record;
}
const Record& kAttentionGradient = define(gradient_definition());

Arrays gradient_of(const Attributes& attributes, const Arrays& x, const Array& out, const Array& log_sum_exp,
                   const Array& g, const Array& mask) {
  Arrays inputs = {x[0], x[1], x[2], out, log_sum_exp, g};
  if (mask.defined()) inputs.push_back(mask);
  return make_all(kAttentionGradient, std::move(inputs), attributes);
}

// ---- The public function --------------------------------------------------------------------------------------------

/// The mask as numbers to add, (b or 1, h or 1, t or 1, s or 1) for operands with the given leading axes.
Array additive(std::string_view name, Array mask, const Shape& leading, std::int64_t h, std::int64_t t, std::int64_t s,
               DType dtype) {
  Shape full = leading;
  full.insert(full.end(), {h, t, s});
  bool fits = mask.shape().size() <= full.size();
  Shape shape(fits ? full.size() - mask.shape().size() : 0, 1);
  shape.insert(shape.end(), mask.shape().begin(), mask.shape().end());
  for (std::size_t d = 0; fits && d < full.size(); ++d) fits = shape[d] == full[d] || shape[d] == 1;
  if (!fits) fail(name, "mask {} does not broadcast to (..., heads, queries, keys) = {}", mask.shape(), full);
  if (mask.dtype() == bool_) {
    mask = where(mask, constant(0, dtype), constant(-std::numeric_limits<double>::infinity(), dtype));
  } else if (!is_float(mask.dtype())) {
    fail(name, "the mask is {}; it must be bool (true where a query sees a key) or floating (added to scores)",
         mask.dtype());
  }
  mask = astype(reshape(mask, shape), dtype);
  const auto split = static_cast<std::ptrdiff_t>(leading.size());
  const Shape outer(shape.begin(), shape.begin() + split);
  Shape inner(shape.begin() + split, shape.end());
  const bool repeated = count_of(outer) == 1;
  if (!repeated && outer != leading) {
    Shape whole = leading;
    whole.insert(whole.end(), inner.begin(), inner.end());
    mask = broadcast_to(mask, whole);
  }
  inner.insert(inner.begin(), repeated ? 1 : count_of(leading));
  return reshape(mask, inner);
}

}  // namespace
}  // namespace pellucid::ops

namespace pellucid {

using namespace ops;  // NOLINT: the records above

Array scaled_dot_product_attention(const Array& q, const Array& k, const Array& v, const AttentionOptions& options) {
  constexpr std::string_view name = "scaled_dot_product_attention";
  for (const Array* x : {&q, &k, &v}) check_defined(name, *x);
  const Arrays same = promoted(name, {floating(name, q), floating(name, k), floating(name, v)});
  const DType dtype = same[0].dtype() == bfloat16 ? float32 : same[0].dtype();
  const Shape &qs = q.shape(), &ks = k.shape(), &vs = v.shape();
  if (qs.size() < 3 || ks.size() != qs.size() || vs.size() != qs.size()) {
    fail(name, "q {}, k {} and v {}: they must be (..., T, H, D), (..., S, G, D) and (..., S, G, E)", qs, ks, vs);
  }
  const std::size_t r = qs.size();
  const Shape leading(qs.begin(), qs.end() - 3);
  if (!std::equal(leading.begin(), leading.end(), ks.begin()) ||
      !std::equal(leading.begin(), leading.end(), vs.begin())) {
    fail(name, "q {}, k {} and v {}: the leading axes differ", qs, ks, vs);
  }
  if (qs[r - 1] != ks[r - 1])
    fail(name, "q {} and k {}: the last axes have {} and {} features", qs, ks, qs[r - 1], ks[r - 1]);
  if (qs[r - 1] == 0) fail(name, "q {} has no features", qs);
  if (ks[r - 3] != vs[r - 3] || ks[r - 2] != vs[r - 2]) {
    fail(name, "k {} and v {}: numbers of keys and of heads must be equal", ks, vs);
  }
  if (ks[r - 2] == 0 || qs[r - 2] % ks[r - 2] != 0) {
    fail(name, "q {} has {} heads, which is not a multiple of the {} of k {}", qs, qs[r - 2], ks[r - 2], ks);
  }
  const std::int64_t batch = count_of(leading), t = qs[r - 3], h = qs[r - 2];
  const auto flat = [&](const Array& x) {
    const Shape& s = x.shape();
    return reshape(astype(x, dtype), {batch, s[r - 3], s[r - 2], s[r - 1]});
  };
  Arrays inputs = {flat(same[0]), flat(same[1]), flat(same[2])};
  if (options.mask.defined()) inputs.push_back(additive(name, options.mask, leading, h, t, ks[r - 3], dtype));
  Attributes attributes;
  attributes.flag = options.causal;
  attributes.real = options.scale.value_or(1 / std::sqrt(static_cast<double>(qs[r - 1])));
  Shape shape = qs;
  shape[r - 1] = vs[r - 1];
  const Array out = reshape(make_all(kAttention, std::move(inputs), std::move(attributes))[0], shape);
  return astype(out, same[0].dtype());
}

}  // namespace pellucid
