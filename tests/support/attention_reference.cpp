// Attention and its gradient by the definition: weights as a matrix.
#include "support/attention_reference.h"

#include <algorithm>
#include <cmath>

namespace pellucid::laws {
namespace {

using Size = std::int64_t;
using List = std::vector<Tensor>;

/// The element (b, i, head, c) of a tensor of four axes.
std::size_t place(const Tensor& x, Size b, Size i, Size head, Size c) {
  return static_cast<std::size_t>(((b * x.shape[1] + i) * x.shape[2] + head) * x.shape[3] + c);
}

/// The definition for one query of one head: weights, and what their errors are measured by.
struct Row {
  std::vector<Real> p;
  Real log_sum_exp = -INFINITY, score_error = 0;  // in units of rounding

  Row(const AttentionSizes& n, const List& x, const Tensor* mask, Size b, Size i, Size head) {
    const Size group = head / (n.h / n.g);
    std::vector<Real> score(static_cast<std::size_t>(n.s), -INFINITY);
    Real most = -INFINITY;
    for (Size j = 0; j < n.s; ++j) {
      if (n.causal && j > i + n.s - n.t) continue;
      Real sum = 0, size = 0;
      for (Size k = 0; k < n.d; ++k) {
        const Real product =
            x[0].values[place(x[0], b, i, head, k)] * x[1].values[place(x[1], b, j, group, k)] * kAttentionScale;
        sum += product;
        size += fabsl(product);
      }
      if (mask != nullptr) {
        Shape at = {b, head, i, j};
        for (std::size_t a = 0; a < 4; ++a) at[a] = std::min(at[a], mask->shape[a] - 1);
        const Real added = mask->values[flat(mask->shape, at)];
        sum += added;
        size += fabsl(added);
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
  Real relative(const AttentionSizes& n) const {
    return 4 * score_error + static_cast<Real>(n.s) + 24 + 2 * fabsl(log_sum_exp);
  }
};

/// (b, t, h) of every row.
template <class F>
void for_each_row(const AttentionSizes& n, const F& f) {
  for_each_position({n.b, n.t, n.h}, [&](const Shape& at) { f(at[0], at[1], at[2]); });
}

}  // namespace

std::vector<Expected> attention_reference(const AttentionSizes& n, const List& x, Real weights) {
  const Tensor* mask = x.size() > 3 ? &x[3] : nullptr;
  Expected out{{{n.b, n.t, n.h, n.e}, x[0].dtype, {}}, {}}, sums{{{n.b, n.t, n.h}, x[0].dtype, {}}, {}};
  const Real unit = unit_of(x[0].dtype);
  for_each_row(n, [&](Size b, Size i, Size head) {
    const Row row(n, x, mask, b, i, head);
    for (Size c = 0; c < n.e; ++c) {
      Real value = 0, size = 0;
      for (Size j = 0; j < n.s; ++j) {
        const Real product = row.p[static_cast<std::size_t>(j)] * x[2].values[place(x[2], b, j, head / (n.h / n.g), c)];
        value += product;
        size += fabsl(product);
      }
      out.y.values.push_back(value);
      out.slack.push_back(row.log_sum_exp == -INFINITY ? 0 : (unit * row.relative(n) + weights) * size);
    }
    sums.y.values.push_back(row.log_sum_exp);
    sums.slack.push_back(row.log_sum_exp == -INFINITY ? 0 : unit * row.relative(n));
  });
  return {out, sums};
}

std::vector<Expected> attention_gradient_reference(const AttentionSizes& n, const List& x, Real weights) {
  const Tensor* mask = x.size() > 4 ? &x[4] : nullptr;
  std::vector<Expected> result;
  for (std::size_t i = 0; i < 3; ++i) {
    result.push_back(
        {{x[i].shape, x[i].dtype, std::vector<Real>(x[i].values.size(), 0)}, std::vector<Real>(x[i].values.size(), 0)});
  }
  const Real unit = unit_of(x[0].dtype);
  const auto add = [&](std::size_t to, std::size_t at, Real value, Real size) {
    result[to].y.values[at] += value;
    result[to].slack[at] += size;
  };
  for_each_row(n, [&](Size b, Size i, Size head) {
    const Row row(n, x, mask, b, i, head);
    if (row.log_sum_exp == -INFINITY) return;
    const Size group = head / (n.h / n.g);
    std::vector<Real> slope(row.p.size(), 0), size(row.p.size(), 0);
    Real mean = 0, mean_size = 0;
    for (std::size_t j = 0; j < row.p.size(); ++j) {
      for (Size c = 0; c < n.e; ++c) {
        const Real product =
            x[3].values[place(x[3], b, i, head, c)] * x[2].values[place(x[2], b, static_cast<Size>(j), group, c)];
        slope[j] += product;
        size[j] += fabsl(product);
      }
      mean += row.p[j] * slope[j];
      mean_size += row.p[j] * size[j];
    }
    const Real error = unit * (2 * row.relative(n) + static_cast<Real>(n.e + n.t * n.h));
    for (std::size_t j = 0; j < row.p.size(); ++j) {
      const Real ds = row.p[j] * (slope[j] - mean) * kAttentionScale,
                 ds_size = row.p[j] * (size[j] + mean_size) * kAttentionScale;
      // Slopes are rounded themselves, and the mean of theirs is that of a result whose weights were rounded.
      const Real ds_error =
          error * ds_size + weights * (fabsl(ds) + (1 + weights) * row.p[j] * mean_size * kAttentionScale);
      for (Size c = 0; c < n.d; ++c) {
        const std::size_t of_q = place(x[0], b, i, head, c), of_k = place(x[1], b, static_cast<Size>(j), group, c);
        const Real q = x[0].values[of_q], k = x[1].values[of_k];
        add(0, of_q, ds * k, ds_error * fabsl(k));
        add(1, of_k, ds * q, ds_error * fabsl(q));
      }
      for (Size c = 0; c < n.e; ++c) {
        const Real g = x[3].values[place(x[3], b, i, head, c)];
        add(2, place(x[2], b, static_cast<Size>(j), group, c), row.p[j] * g, (error + weights) * row.p[j] * fabsl(g));
      }
    }
  });
  return result;
}

}  // namespace pellucid::laws
