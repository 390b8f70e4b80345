// Cases of attention and its gradient: references by the definition, weights as a matrix.
#include <algorithm>
#include <cmath>

#include "pellucid/ops.h"
#include "support/laws.h"

namespace pellucid::laws {
namespace {

using Size = std::int64_t;
using List = std::vector<Tensor>;

struct Sizes {
  Size b = 1, t = 1, s = 1, h = 1, g = 1, d = 1, e = 1;
  bool causal = false;
  Shape mask = {};
};

constexpr Real kScale = 0.375L;

Attributes attributes_of(const Sizes& n) {
  Attributes attributes;
  attributes.flag = n.causal;
  attributes.real = static_cast<double>(kScale);
  return attributes;
}

/// The definition for one query of one head: weights, and what their errors are measured by.
struct Row {
  std::vector<Real> p;
  Real log_sum_exp = -INFINITY, score_error = 0;  // in units of rounding

  Row(const Sizes& n, const List& x, const Tensor* mask, Size b, Size i, Size head) {
    const Size group = head / (n.h / n.g);
    std::vector<Real> score(static_cast<std::size_t>(n.s), -INFINITY);
    Real most = -INFINITY;
    for (Size j = 0; j < n.s; ++j) {
      if (n.causal && j > i + n.s - n.t) continue;
      Real sum = 0, size = 0;
      for (Size k = 0; k < n.d; ++k) {
        const Real product =
            x[0].values[flat(x[0].shape, {b, i, head, k})] * x[1].values[flat(x[1].shape, {b, j, group, k})] * kScale;
        sum += product;
        size += fabsl(product);
      }
      if (mask != nullptr) {
        Shape at = {b, head, i, j};
        for (std::size_t a = 0; a < 4; ++a) at[a] = std::min(at[a], mask->shape[a] - 1);
        sum += mask->values[flat(mask->shape, at)];
        size += fabsl(mask->values[flat(mask->shape, at)]);
      }
      score[static_cast<std::size_t>(j)] = sum;
      most = std::max(most, sum);
      score_error = std::max(score_error, static_cast<Real>(n.d + 3) * size);
    }
    Real total = 0;
    for (Real v : score) total += v == -INFINITY ? 0 : expl(v - most);
    if (total > 0) log_sum_exp = most + logl(total);
    for (Real v : score) p.push_back(v == -INFINITY ? 0 : expl(v - log_sum_exp));
  }
  Real relative(const Sizes& n) const { return 4 * score_error + static_cast<Real>(n.s) + 24 + 2 * fabsl(log_sum_exp); }
};

/// (b, t, h) of every row.
template <class F>
void for_each_row(const Sizes& n, const F& f) {
  for_each_position({n.b, n.t, n.h}, [&](const Shape& at) { f(at[0], at[1], at[2]); });
}

std::vector<Expected> forward(const Sizes& n, const List& x) {
  const Tensor* mask = x.size() > 3 ? &x[3] : nullptr;
  Expected out{{{n.b, n.t, n.h, n.e}, x[0].dtype, {}}, {}}, sums{{{n.b, n.t, n.h}, x[0].dtype, {}}, {}};
  const Real unit = unit_of(x[0].dtype);
  for_each_row(n, [&](Size b, Size i, Size head) {
    const Row row(n, x, mask, b, i, head);
    for (Size c = 0; c < n.e; ++c) {
      Real value = 0, size = 0;
      for (Size j = 0; j < n.s; ++j) {
        const Real product =
            row.p[static_cast<std::size_t>(j)] * x[2].values[flat(x[2].shape, {b, j, head / (n.h / n.g), c})];
        value += product;
        size += fabsl(product);
      }
      out.y.values.push_back(value);
      out.slack.push_back(row.log_sum_exp == -INFINITY ? 0 : unit * row.relative(n) * size);
    }
    sums.y.values.push_back(row.log_sum_exp);
    sums.slack.push_back(row.log_sum_exp == -INFINITY ? 0 : unit * row.relative(n));
  });
  return {out, sums};
}

/// Operands q, k, v, g and perhaps the mask.
std::vector<Expected> backward(const Sizes& n, const List& x) {
  const Tensor* mask = x.size() > 4 ? &x[4] : nullptr;
  std::vector<Expected> result;
  for (std::size_t i = 0; i < 3; ++i) {
    result.push_back(
        {{x[i].shape, x[i].dtype, std::vector<Real>(x[i].values.size(), 0)}, std::vector<Real>(x[i].values.size(), 0)});
  }
  const Real unit = unit_of(x[0].dtype);
  const auto add = [&](std::size_t to, const Shape& at, Real value, Real size) {
    const std::size_t place = flat(x[to].shape, at);
    result[to].y.values[place] += value;
    result[to].slack[place] += unit * size;
  };
  for_each_row(n, [&](Size b, Size i, Size head) {
    const Row row(n, x, mask, b, i, head);
    if (row.log_sum_exp == -INFINITY) return;
    const Size group = head / (n.h / n.g);
    std::vector<Real> slope(row.p.size(), 0), size(row.p.size(), 0);
    Real mean = 0, mean_size = 0;
    for (std::size_t j = 0; j < row.p.size(); ++j) {
      for (Size c = 0; c < n.e; ++c) {
        const Real product = x[3].values[flat(x[3].shape, {b, i, head, c})] *
                             x[2].values[flat(x[2].shape, {b, static_cast<Size>(j), group, c})];
        slope[j] += product;
        size[j] += fabsl(product);
      }
      mean += row.p[j] * slope[j];
      mean_size += row.p[j] * size[j];
    }
    const Real error = 2 * row.relative(n) + static_cast<Real>(n.e + n.t * n.h);
    for (std::size_t j = 0; j < row.p.size(); ++j) {
      const Real ds = row.p[j] * (slope[j] - mean) * kScale, ds_size = row.p[j] * (size[j] + mean_size) * kScale;
      for (Size c = 0; c < n.d; ++c) {
        const Shape of_q = {b, i, head, c}, of_k = {b, static_cast<Size>(j), group, c};
        const Real q = x[0].values[flat(x[0].shape, of_q)], k = x[1].values[flat(x[1].shape, of_k)];
        add(0, of_q, ds * k, error * ds_size * fabsl(k));
        add(1, of_k, ds * q, error * ds_size * fabsl(q));
      }
      for (Size c = 0; c < n.e; ++c) {
        const Real g = x[3].values[flat(x[3].shape, {b, i, head, c})];
        add(2, {b, static_cast<Size>(j), group, c}, row.p[j] * g, error * row.p[j] * fabsl(g));
      }
    }
  });
  return result;
}

void add_pair(std::vector<Case>& list, const Sizes& n, const std::string& label, Layout covers = Layout::kContiguous,
              bool large = false) {
  Case c{"attention", label, {}, node_of("attention", attributes_of(n)), {}};
  c.operands = {{{n.b, n.t, n.h, n.d}}, {{n.b, n.s, n.g, n.d}}, {{n.b, n.s, n.g, n.e}}};
  for (Operand& operand : c.operands) operand.low = -2, operand.high = 2;
  if (!n.mask.empty()) c.operands.push_back({n.mask, Role::kData, -2, 2});
  c.reference = [n](const List& x) { return forward(n, x); };
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
  gradient.reference = [n](const List& x) { return backward(n, x); };
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
