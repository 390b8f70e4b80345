// Contractions composed of permute, reshape and matmul: einsum and its relatives.
#include <algorithm>
#include <numeric>

#include "ops/composed.h"
#include "ops/einsum.h"

namespace pellucid::ops {
namespace {

bool has(const Labels& labels, int label) { return std::find(labels.begin(), labels.end(), label) != labels.end(); }

Labels common(const Labels& a, const Labels& b, bool in_b) {
  Labels result;
  for (int label : a) {
    if (has(b, label) == in_b) result.push_back(label);
  }
  return result;
}

Labels joined(const Labels& a, const Labels& b) {
  Labels result = a;
  result.insert(result.end(), b.begin(), b.end());
  return result;
}

std::int64_t size_of_label(const Labelled& x, int label) {
  const auto at = std::find(x.labels.begin(), x.labels.end(), label) - x.labels.begin();
  return x.array.shape()[static_cast<std::size_t>(at)];
}

Shape sizes_of(const Labelled& x, const Labels& labels) {
  Shape shape;
  for (int label : labels) shape.push_back(size_of_label(x, label));
  return shape;
}

/// One axis for each of the groups, which together are all axes of x.
Array grouped(const Labelled& x, const Labels& separate, const Labels& first, const Labels& second) {
  Shape shape = sizes_of(x, separate);
  for (const Labels* group : {&first, &second}) {
    const Shape sizes = sizes_of(x, *group);
    shape.push_back(count_of(sizes));
  }
  return reshape(ordered(x, joined(joined(separate, first), second)).array, shape);
}

/// Axes of size 1 repeated to the size that the other operand has under the same label (only "..." allows them).
Labelled stretched(const Labelled& x, const Labelled& like) {
  Shape shape = x.array.shape();
  for (std::size_t d = 0; d < shape.size(); ++d) {
    if (shape[d] == 1 && has(like.labels, x.labels[d])) shape[d] = size_of_label(like, x.labels[d]);
  }
  return {broadcast_to(x.array, shape), x.labels};
}

/// A sum that keeps int32, as matrix products do, where sum() alone would widen it.
Array dot_sum(const Array& x, const Axes& axes) {
  const Array total = sum(x, axes);
  return x.dtype() == int32 ? astype(total, int32) : total;
}

}  // namespace

Labelled ordered(const Labelled& x, const Labels& labels) {
  std::vector<int> order;
  for (int label : labels) {
    order.push_back(static_cast<int>(std::find(x.labels.begin(), x.labels.end(), label) - x.labels.begin()));
  }
  return {permute(x.array, order), labels};
}

Labelled summed(const Labelled& x, const Labels& kept) {
  std::vector<int> axes;
  for (std::size_t d = 0; d < x.labels.size(); ++d) {
    if (!has(kept, x.labels[d])) axes.push_back(static_cast<int>(d));
  }
  if (axes.empty()) return x;
  return {dot_sum(x.array, Axes(axes)), common(x.labels, kept, true)};
}

Labelled contracted(std::string_view name, const Labelled& x, const Labelled& y, const Labels& kept) {
  const Arrays same = promoted(name, {x.array, y.array});
  // Labels of one operand alone that nobody asks for are added up before the product.
  Labelled a = summed({same[0], x.labels}, joined(kept, y.labels));
  Labelled b = summed({same[1], y.labels}, joined(kept, x.labels));
  a = stretched(a, b);
  b = stretched(b, a);
  const Labels shared = common(a.labels, b.labels, true);
  const Labels batch = common(shared, kept, true), inner = common(shared, kept, false);
  Labels rows = common(a.labels, b.labels, false), columns = common(b.labels, a.labels, false);
  const Labels result = joined(joined(batch, rows), columns);
  const bool product = same[0].dtype() == bool_ || same[0].dtype() == uint8;
  if (inner.empty() || product || (rows.empty() && columns.empty())) {
    // Elementwise, and a sum: such groups fuse.
    Shape a_shape = sizes_of(a, joined(batch, rows)), b_shape = sizes_of(b, batch);
    a_shape.insert(a_shape.end(), columns.size(), 1);
    b_shape.insert(b_shape.end(), rows.size(), 1);
    for (std::int64_t size : sizes_of(b, columns)) b_shape.push_back(size);
    for (std::int64_t size : sizes_of(a, inner)) {
      a_shape.push_back(size);
      b_shape.push_back(size);
    }
    const Array left = reshape(ordered(a, joined(joined(batch, rows), inner)).array, a_shape);
    const Array right = reshape(ordered(b, joined(joined(batch, columns), inner)).array, b_shape);
    if (same[0].dtype() != bfloat16) return summed({left * right, joined(result, inner)}, result);
    const Array wide = astype(left, float32) * astype(right, float32);
    const Labelled total = summed({wide, joined(result, inner)}, result);
    return {astype(total.array, bfloat16), total.labels};
  }
  // The operand whose free labels the caller wants first stands on the left, so that the product needs no copy.
  const auto place = [&](const Labels& labels) {
    const auto at = std::find_if(kept.begin(), kept.end(), [&](int label) { return has(labels, label); });
    return at - kept.begin();
  };
  if (!rows.empty() && !columns.empty() && place(columns) < place(rows)) {
    std::swap(a, b);
    std::swap(rows, columns);
  }
  // matmul reads any strides, so an operand is copied only where several axes join that lie apart. Of the two orders
  // of the inner labels, the one in which b lists them joins b's axes for free.
  const Labels by_a = common(a.labels, inner, true), by_b = common(b.labels, inner, true);
  const Labels& order = b.array.size() > a.array.size() ? by_b : by_a;
  const Array c = matmul(grouped(a, batch, rows, order), grouped(b, batch, order, columns));
  Shape shape = sizes_of(a, joined(batch, rows));
  for (std::int64_t size : sizes_of(b, columns)) shape.push_back(size);
  return {reshape(c, shape), joined(joined(batch, rows), columns)};
}

namespace {
Labels numbered(std::size_t count, int first) {
  Labels labels(count);
  std::iota(labels.begin(), labels.end(), first);
  return labels;
}

/// (..., k) x (k, n) + (n) as one matrix, so that the row is added where the product is made.
Array linear_of_rows(const Array& x, const Array& w, const Array& b) {
  if (x.rank() <= 2) return b.defined() ? matmul(x, w) + b : matmul(x, w);
  Shape shape = x.shape();
  shape.back() = w.shape()[1];
  const std::int64_t rows = count_of(Shape(shape.begin(), shape.end() - 1));
  const Array y = matmul(reshape(x, {rows, w.shape()[0]}), w);
  return reshape(b.defined() ? y + b : y, shape);
}

/// The order in which x = permute(its operand) names axes, where the last one stays the last; else empty.
std::vector<int> order_of_rows(const Array& x) {
  const Node& node = *x.node();
  if (node.record->name != "permute" || node.inputs.empty() || node.attributes.axes.back() + 1 != x.rank()) return {};
  return {node.attributes.axes.begin(), node.attributes.axes.end()};
}
}  // namespace

}  // namespace pellucid::ops

namespace pellucid {

using namespace ops;  // NOLINT: the helpers above

Array linear(const Array& x, const Array& w, const Array& b) {
  check_defined("linear", x);
  check_defined("linear", w);
  if (w.rank() != 2 || x.rank() == 0 || x.shape().back() != w.shape()[0]) {
    fail("linear", "x {} and w {}: x must be (..., k) and w (k, n)", x.shape(), w.shape());
  }
  if (b.defined() && (b.rank() != 1 || b.shape()[0] != w.shape()[1])) {
    fail("linear", "b {} for w {}: b must be ({})", b.shape(), w.shape(), w.shape()[1]);
  }
  // Rows in the order in which they lie, as those of a loop do, whose steps come first: less is copied where the
  // result, which is smaller, is put in order.
  const std::vector<int> order = w.shape()[1] < w.shape()[0] ? order_of_rows(x) : std::vector<int>();
  if (order.empty()) return linear_of_rows(x, w, b);
  return permute(linear_of_rows(x.node()->inputs[0], w, b), order);
}

Array tensordot(const Array& x, const Array& y, int axes) {
  check_defined("tensordot", x);
  check_defined("tensordot", y);
  if (axes < 0 || axes > x.rank() || axes > y.rank()) {
    fail("tensordot", "{} axes of {} and {}; each operand must have that many", axes, x.shape(), y.shape());
  }
  std::vector<int> x_axes, y_axes;
  for (int i = 0; i < axes; ++i) {
    x_axes.push_back(x.rank() - axes + i);
    y_axes.push_back(i);
  }
  return tensordot(x, y, x_axes, y_axes);
}

Array tensordot(const Array& x, const Array& y, const std::vector<int>& x_axes, const std::vector<int>& y_axes) {
  check_defined("tensordot", x);
  check_defined("tensordot", y);
  if (x_axes.size() != y_axes.size()) {
    fail("tensordot", "{} axes of x but {} of y are named; they are summed in pairs", x_axes.size(), y_axes.size());
  }
  checked_axes("tensordot", x_axes, x.shape());
  checked_axes("tensordot", y_axes, y.shape());
  const Labels x_labels = numbered(x.shape().size(), 0);
  Labels y_labels = numbered(y.shape().size(), x.rank());
  for (std::size_t i = 0; i < x_axes.size(); ++i) {
    const std::size_t a = checked_axis("tensordot", x_axes[i], x.shape());
    const std::size_t b = checked_axis("tensordot", y_axes[i], y.shape());
    if (x.shape()[a] != y.shape()[b]) {
      fail("tensordot", "axis {} of {} and axis {} of {} are summed together but have sizes {} and {}", a, x.shape(), b,
           y.shape(), x.shape()[a], y.shape()[b]);
    }
    y_labels[b] = x_labels[a];
  }
  Labels kept;
  for (int label : joined(x_labels, y_labels)) {
    if (has(x_labels, label) != has(y_labels, label)) kept.push_back(label);
  }
  return ordered(contracted("tensordot", {x, x_labels}, {y, y_labels}, kept), kept).array;
}

Array outer(const Array& x, const Array& y) {
  check_defined("outer", x);
  check_defined("outer", y);
  if (x.rank() != 1 || y.rank() != 1) {
    fail("outer", "{} and {}: both operands must be vectors", x.shape(), y.shape());
  }
  return reshape(x, {x.size(), 1}) * y;
}

Array vecdot(const Array& x, const Array& y, int axis) {
  const Arrays same = broadcast_together("vecdot", promoted("vecdot", {x, y}));
  const auto at = static_cast<int>(checked_axis("vecdot", axis, same[0].shape()));
  if (x.shape()[checked_axis("vecdot", axis, x.shape())] != y.shape()[checked_axis("vecdot", axis, y.shape())]) {
    fail("vecdot", "{} and {}: the sizes along axis {} differ", x.shape(), y.shape(), axis);
  }
  if (same[0].dtype() != bfloat16) return dot_sum(same[0] * same[1], at);
  return astype(sum(astype(same[0], float32) * astype(same[1], float32), at), bfloat16);
}

}  // namespace pellucid
