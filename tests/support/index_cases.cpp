// Cases of the records that index, order, count and draw: references by index arithmetic.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/philox.h"
#include "pellucid/ops.h"
#include "support/laws.h"

namespace pellucid::laws {
namespace {

using Size = std::int64_t;
using List = std::vector<Tensor>;

// ---- Indices --------------------------------------------------------------------------------------------------------

Shape around(const Shape& x, std::size_t axis, const Shape& middle) {
  Shape shape(x.begin(), x.begin() + static_cast<std::ptrdiff_t>(axis));
  shape.insert(shape.end(), middle.begin(), middle.end());
  shape.insert(shape.end(), x.begin() + static_cast<std::ptrdiff_t>(axis) + 1, x.end());
  return shape;
}
Size from_front(Real index, Size n) { return static_cast<Size>(index) + (index < 0 ? n : 0); }

/// take and scatter_add along an axis of x with indices of a shape.
void add_take(std::vector<Case>& list, const Shape& x_shape, std::size_t axis, const Shape& indices,
              bool large = false) {
  Attributes attributes;
  attributes.integer = static_cast<Size>(axis);
  const Size n = x_shape[axis];
  const Shape to = around(x_shape, axis, indices);
  const Operand at_operand{indices, Role::kIndex, static_cast<double>(-n), static_cast<double>(n)};
  const std::string label = to_string(x_shape) + " axis " + std::to_string(axis) + " by " + to_string(indices);
  const auto place_of = [=](const Tensor& index, const Shape& at) {  // where in x the element `at` of the part lies
    const auto first = at.begin() + static_cast<std::ptrdiff_t>(axis);
    const Shape middle(first, first + static_cast<std::ptrdiff_t>(indices.size()));
    Shape place(at.begin(), first);
    place.push_back(from_front(index.values[flat(indices, middle)], n));
    place.insert(place.end(), first + static_cast<std::ptrdiff_t>(indices.size()), at.end());
    return flat(x_shape, place);
  };
  Case take{"take", label, {{x_shape}, at_operand}, node_of("take", attributes), {}};
  take.reference = [=](const List& x) {
    Expected e{{to, x[0].dtype, {}}, {}};
    for_each_position(to, [&](const Shape& at) { e.y.values.push_back(x[0].values[place_of(x[1], at)]); });
    return std::vector<Expected>{e};
  };
  take.covers = has_zero(indices) ? Layout::kEmpty : indices.empty() ? Layout::kScalar : Layout::kContiguous;
  take.large = large;
  list.push_back(take);
  Case add{"scatter_add", label, {{x_shape}, at_operand, {to}}, node_of("scatter_add", attributes), {}};
  add.reference = [=](const List& x) {
    Expected e{x[0], {}};
    std::vector<Real> magnitudes, counts(x[0].values.size(), 1);
    for (Real v : x[0].values) magnitudes.push_back(fabsl(v));
    for_each_position(to, [&](const Shape& at) {
      const std::size_t p = place_of(x[1], at);
      const Real v = x[2].values[flat(to, at)];
      e.y.values[p] = is_float(x[0].dtype) ? e.y.values[p] + v : rounded(e.y.values[p] + v, x[0].dtype);
      magnitudes[p] += fabsl(v);
      counts[p] += 1;
    });
    for (std::size_t i = 0; i < magnitudes.size(); ++i) {
      e.slack.push_back(is_float(x[0].dtype) && counts[i] > 1 ? counts[i] * unit_of(x[0].dtype) * magnitudes[i] : 0);
    }
    return std::vector<Expected>{e};
  };
  add.covers = take.covers;
  add.large = large;
  list.push_back(add);
}

/// take_along_axis and scatter_add_along_axis.
void add_along(std::vector<Case>& list, const Shape& x_shape, std::size_t axis, Size m, bool large = false) {
  Attributes attributes;
  attributes.integer = static_cast<Size>(axis);
  const Size n = x_shape[axis];
  Shape part = x_shape;
  part[axis] = m;
  const Operand at_operand{part, Role::kIndex, static_cast<double>(-n), static_cast<double>(n)};
  const std::string label = to_string(x_shape) + " axis " + std::to_string(axis) + " by " + std::to_string(m);
  const auto place_of = [=](const Tensor& index, Shape at) {
    at[axis] = from_front(index.values[flat(part, at)], n);
    return flat(x_shape, at);
  };
  Case take{"take_along_axis", label, {{x_shape}, at_operand}, node_of("take_along_axis", attributes), {}};
  take.reference = [=](const List& x) {
    Expected e{{part, x[0].dtype, {}}, {}};
    for_each_position(part, [&](const Shape& at) { e.y.values.push_back(x[0].values[place_of(x[1], at)]); });
    return std::vector<Expected>{e};
  };
  take.covers = has_zero(part) ? Layout::kEmpty : Layout::kContiguous;
  take.large = large;
  list.push_back(take);
  Case add{"scatter_add_along_axis",
           label,
           {{x_shape}, at_operand, {part}},
           node_of("scatter_add_along_axis", attributes),
           {}};
  add.reference = [=](const List& x) {
    Expected e{x[0], {}};
    std::vector<Real> magnitudes;
    for (Real v : x[0].values) magnitudes.push_back(fabsl(v));
    for_each_position(part, [&](const Shape& at) {
      const std::size_t p = place_of(x[1], at);
      const Real v = x[2].values[flat(part, at)];
      e.y.values[p] = is_float(x[0].dtype) ? e.y.values[p] + v : rounded(e.y.values[p] + v, x[0].dtype);
      magnitudes[p] += fabsl(v);
    });
    for (Real v : magnitudes)
      e.slack.push_back(is_float(x[0].dtype) ? static_cast<Real>(m + 1) * unit_of(x[0].dtype) * v : 0);
    return std::vector<Expected>{e};
  };
  add.covers = take.covers;
  add.large = large;
  list.push_back(add);
}

void add_gather_index(std::vector<Case>& list) {
  Attributes attributes;
  attributes.integer = 5;
  attributes.axes = {1};
  Case c{"gather_index", "", {{{3, 4}, Role::kIndex, -5, 5}}, node_of("gather_index", attributes), {}};
  c.any_shape = true;
  c.reference = [](const List& x) {
    Expected e{x[0], {}};
    for (Real& v : e.y.values) v = static_cast<Real>(from_front(v, 5));
    return std::vector<Expected>{e};
  };
  list.push_back(c);
}

// ---- Order ----------------------------------------------------------------------------------------------------------

void add_argsort(std::vector<Case>& list, const Shape& shape, bool descending, bool large = false) {
  Attributes attributes;
  attributes.flag = descending;
  Case c{
      "argsort", to_string(shape) + (descending ? " descending" : ""), {{shape}}, node_of("argsort", attributes), {}};
  c.reference = [=](const List& x) {
    Expected e{{shape, int64, {}}, {}};
    const Size n = shape.back();
    for (Size r = 0; n > 0 && r < count_of(shape) / n; ++r) {
      std::vector<Size> order(static_cast<std::size_t>(n));
      std::iota(order.begin(), order.end(), Size{0});
      const Real* row = x[0].values.data() + r * n;
      std::sort(order.begin(), order.end(), [&](Size i, Size j) {
        if (row[i] == row[j]) return i < j;  // stable
        return (row[i] < row[j]) != descending;
      });
      for (Size i : order) e.y.values.push_back(static_cast<Real>(i));
    }
    return std::vector<Expected>{e};
  };
  c.covers = covers(shape, shape);
  c.large = large;
  list.push_back(c);
}

void add_searchsorted(std::vector<Case>& list, const Shape& values, Size n, bool right, bool large = false) {
  Attributes attributes;
  attributes.flag = right;
  Case c{"searchsorted",
         to_string(values) + " in " + std::to_string(n) + (right ? " right" : ""),
         {{{n}}, {values}},
         node_of("searchsorted", attributes),
         {}};
  c.operands[0].sorted = true;
  c.reference = [right](const List& x) {
    Expected e{{x[1].shape, int64, {}}, {}};
    for (Real v : x[1].values) {
      const auto& s = x[0].values;
      const auto at = right ? std::upper_bound(s.begin(), s.end(), v) : std::lower_bound(s.begin(), s.end(), v);
      e.y.values.push_back(static_cast<Real>(at - s.begin()));
    }
    return std::vector<Expected>{e};
  };
  c.covers = n == 0 || has_zero(values) ? Layout::kEmpty : values.empty() ? Layout::kScalar : Layout::kContiguous;
  c.large = large;
  list.push_back(c);
}

// ---- Made from nothing, and random ----------------------------------------------------------------------------------

void add_iota(std::vector<Case>& list, DType dtype, Size n) {
  Attributes attributes;
  attributes.shape = {n};
  attributes.dtype = dtype;
  Case c{"iota", std::to_string(n), {}, node_of("iota", attributes), {}};
  c.reference = [dtype, n](const List&) {
    Expected e{{{n}, dtype, {}}, {}};
    for (Size i = 0; i < n; ++i) e.y.values.push_back(static_cast<Real>(i));
    return std::vector<Expected>{e};
  };
  c.dtypes = {dtype};
  c.covers = n == 0 ? Layout::kEmpty : Layout::kContiguous;
  list.push_back(c);
}

std::uint64_t word_of(Real v) { return static_cast<std::uint64_t>(static_cast<Size>(v)); }

void add_random_bits(std::vector<Case>& list, const Shape& batch, const Shape& shape, bool large = false) {
  Attributes attributes;
  attributes.shape = shape;
  Shape keys = batch, to = batch;
  keys.push_back(2);
  to.insert(to.end(), shape.begin(), shape.end());
  Case c{"random_bits",
         to_string(batch) + " keys of " + to_string(shape),
         {{keys, Role::kKey}},
         node_of("random_bits", attributes),
         {}};
  c.reference = [=](const List& x) {
    Expected e{{to, int32, {}}, {}};
    for (Size k = 0; k < count_of(batch); ++k) {
      const std::uint64_t seed = word_of(x[0].values[static_cast<std::size_t>(2 * k)]),
                          stream = word_of(x[0].values[static_cast<std::size_t>(2 * k + 1)]);
      for (Size i = 0; i < count_of(shape); ++i) {
        const auto block = base::philox(seed, stream, static_cast<std::uint64_t>(i / 4));
        e.y.values.push_back(static_cast<std::int32_t>(block[static_cast<std::size_t>(i % 4)]));
      }
    }
    return std::vector<Expected>{e};
  };
  c.covers = has_zero(to) ? Layout::kEmpty : shape.empty() && batch.empty() ? Layout::kScalar : Layout::kContiguous;
  c.large = large;
  list.push_back(c);
}

void add_random_fold(std::vector<Case>& list, const Shape& batch) {
  Shape keys = batch;
  keys.push_back(2);
  Case c{"random_fold",
         to_string(batch),
         {{keys, Role::kKey}, {batch, Role::kIndex, -1000, 1000}},
         node_of("random_fold"),
         {}};
  c.reference = [=](const List& x) {
    Expected e{{keys, int64, {}}, {}};
    for (Size k = 0; k < count_of(batch); ++k) {
      const Real seed = x[0].values[static_cast<std::size_t>(2 * k)];
      const std::uint64_t stream = word_of(x[0].values[static_cast<std::size_t>(2 * k + 1)]),
                          data = word_of(x[1].values[static_cast<std::size_t>(k)]);
      const auto words = base::philox(word_of(seed) ^ 0x5851F42D4C957F2DULL, stream, data);
      e.y.values.push_back(seed);
      e.y.values.push_back(static_cast<Real>(static_cast<Size>(words[0] | static_cast<std::uint64_t>(words[1]) << 32)));
    }
    return std::vector<Expected>{e};
  };
  c.covers = has_zero(batch) ? Layout::kEmpty : batch.empty() ? Layout::kScalar : Layout::kContiguous;
  list.push_back(c);
}

}  // namespace

void add_index_cases(std::vector<Case>& list) {
  add_take(list, {4, 5}, 0, {2, 3});
  add_take(list, {4, 5}, 1, {3});
  add_take(list, {2, 4, 3}, 1, {6});
  add_take(list, {4, 5}, 0, {});
  add_take(list, {4, 5}, 1, {0});
  add_take(list, {500, 60}, 0, {900}, true);
  add_along(list, {4, 5}, 0, 3);
  add_along(list, {4, 5}, 1, 7);
  add_along(list, {2, 4, 3}, 1, 2);
  add_along(list, {3, 4}, 1, 0);
  add_along(list, {400, 90}, 1, 100, true);
  add_gather_index(list);
  for (const bool flag : {false, true}) {
    add_argsort(list, {4, 9}, flag);
    add_argsort(list, {0, 5}, flag);
    add_argsort(list, {3, 0}, flag);
    add_argsort(list, {300, 200}, flag, true);
    add_searchsorted(list, {3, 4}, 7, flag);
    add_searchsorted(list, {}, 7, flag);
    add_searchsorted(list, {3}, 0, flag);
    add_searchsorted(list, {0}, 7, flag);
    add_searchsorted(list, {70000}, 300, flag, true);
  }
  for (DType dtype : {int32, int64, float32, float64}) {
    add_iota(list, dtype, 7);
    add_iota(list, dtype, 0);
  }
  add_random_bits(list, {}, {3, 7});
  add_random_bits(list, {2, 3}, {5});
  add_random_bits(list, {}, {});
  add_random_bits(list, {}, {0});
  add_random_bits(list, {}, {200003}, true);
  add_random_fold(list, {});
  add_random_fold(list, {3, 2});
  add_random_fold(list, {0});
}

}  // namespace pellucid::laws
