// Cases of the records that move, reduce and contract: references by index arithmetic.
#include <algorithm>
#include <cmath>

#include "pellucid/ops.h"
#include "support/laws.h"

namespace pellucid::laws {
namespace {

using Size = std::int64_t;
using List = std::vector<Tensor>;

// ---- Movement -------------------------------------------------------------------------------------------------------

void add_identities(std::vector<Case>& list) {
  for (const char* name : {"alias", "stop_gradient", "barrier"}) {
    Case c{name, "", {{{3, 4}}}, node_of(name), {}};
    if (c.record == "barrier") c.operands.push_back({{3, 4}});
    c.any_shape = true;
    c.reference = [](const List& x) { return std::vector<Expected>{{x[0], {}}}; };
    list.push_back(c);
  }
}

void add_reshape(std::vector<Case>& list, const Shape& from, const Shape& to, bool large = false) {
  Attributes attributes;
  attributes.shape = to;
  Case c{"reshape", to_string(from) + " to " + to_string(to), {{from}}, node_of("reshape", attributes), {}};
  c.reference = [to](const List& x) { return std::vector<Expected>{{{to, x[0].dtype, x[0].values}, {}}}; };
  c.covers = covers(from, to);
  c.large = large;
  list.push_back(c);
}

void add_broadcast(std::vector<Case>& list, const Shape& from, const Shape& to) {
  Attributes attributes;
  attributes.shape = to;
  Case c{"broadcast_to", to_string(from) + " to " + to_string(to), {{from}}, node_of("broadcast_to", attributes), {}};
  c.reference = moved(to, [from](const Shape& at, Shape& place) {
    place.assign(at.end() - static_cast<std::ptrdiff_t>(from.size()), at.end());
    for (std::size_t d = 0; d < from.size(); ++d) place[d] = std::min(place[d], from[d] - 1);
    return true;
  });
  c.covers = covers(from, to);
  list.push_back(c);
}

void add_permute(std::vector<Case>& list, const Shape& from, const std::vector<Size>& order) {
  Attributes attributes;
  attributes.axes = order;
  Shape to;
  for (Size axis : order) to.push_back(from[static_cast<std::size_t>(axis)]);
  Case c{"permute", to_string(from), {{from}}, node_of("permute", attributes), {}};
  c.reference = moved(to, [order](const Shape& at, Shape& place) {
    place.resize(at.size());
    for (std::size_t d = 0; d < order.size(); ++d) place[static_cast<std::size_t>(order[d])] = at[d];
    return true;
  });
  c.covers = covers(from, to);
  list.push_back(c);
}

/// slice takes start, start + step, ... out of `whole`; place puts them back into zeros.
void add_slice(std::vector<Case>& list, const Shape& whole, const Shape& start, const Shape& step, const Shape& part) {
  Attributes attributes;
  attributes.axes = start;
  attributes.steps = step;
  attributes.shape = part;
  Case taken{"slice", to_string(whole) + " to " + to_string(part), {{whole}}, node_of("slice", attributes), {}};
  taken.reference = moved(part, [=](const Shape& at, Shape& place) {
    for (std::size_t d = 0; d < at.size(); ++d) place.push_back(start[d] + at[d] * step[d]);
    return true;
  });
  taken.covers = covers(whole, part);
  list.push_back(taken);
  attributes.shape = whole;
  Case put{"place", to_string(part) + " into " + to_string(whole), {{part}}, node_of("place", attributes), {}};
  put.reference = moved(whole, [=](const Shape& at, Shape& place) {
    for (std::size_t d = 0; d < at.size(); ++d) {
      const Size steps = (at[d] - start[d]) / step[d];
      if (start[d] + steps * step[d] != at[d] || steps < 0 || steps >= part[d]) return false;
      place.push_back(steps);
    }
    return true;
  });
  put.covers = covers(part, whole);
  list.push_back(put);
}

void add_concat(std::vector<Case>& list, const std::vector<Shape>& shapes, std::size_t axis, bool large = false) {
  Attributes attributes;
  attributes.integer = static_cast<Size>(axis);
  Case c{
      "concat", std::to_string(shapes.size()) + " of " + to_string(shapes[0]), {}, node_of("concat", attributes), {}};
  for (const Shape& shape : shapes) c.operands.push_back({shape});
  Shape to = shapes[0];
  for (std::size_t i = 1; i < shapes.size(); ++i) to[axis] += shapes[i][axis];
  c.reference = [to, axis](const List& x) {
    Expected e{{to, x[0].dtype, {}}, {}};
    for_each_position(to, [&](const Shape& at) {
      Shape place = at;
      std::size_t i = 0;
      while (place[axis] >= x[i].shape[axis]) place[axis] -= x[i++].shape[axis];
      e.y.values.push_back(x[i].values[flat(x[i].shape, place)]);
    });
    return std::vector<Expected>{e};
  };
  c.covers = has_zero(shapes[0]) ? Layout::kEmpty : Layout::kContiguous;
  c.large = large;
  list.push_back(c);
}

void add_movement(std::vector<Case>& list) {
  add_identities(list);
  add_reshape(list, {3, 4}, {2, 6});
  add_reshape(list, {2, 3, 4}, {4, 1, 6});
  add_reshape(list, {}, {1, 1});
  add_reshape(list, {1}, {});
  add_reshape(list, {0, 3}, {2, 0});
  add_reshape(list, {300, 400}, {8, 15000}, true);
  add_broadcast(list, {3, 1, 4}, {2, 3, 5, 4});
  add_broadcast(list, {4}, {3, 4});
  add_broadcast(list, {}, {2, 3});
  add_broadcast(list, {1, 2}, {0, 2});
  add_permute(list, {2, 3, 4}, {2, 0, 1});
  add_permute(list, {3, 5}, {1, 0});
  add_permute(list, {}, {});
  add_permute(list, {0, 3}, {1, 0});
  add_slice(list, {5, 7}, {4, 0}, {-2, 3}, {2, 3});
  add_slice(list, {6}, {1}, {1}, {4});
  add_slice(list, {2, 3, 4}, {0, 2, 3}, {1, -1, -1}, {2, 3, 4});
  add_slice(list, {}, {}, {}, {});
  add_slice(list, {3, 4}, {0, 0}, {1, 1}, {0, 4});
  add_concat(list, {{2, 3}, {2, 1}, {2, 4}}, 1);
  add_concat(list, {{2, 3, 2}, {1, 3, 2}}, 0);
  add_concat(list, std::vector<Shape>(20, Shape{3, 2}), 1);
  add_concat(list, {{0, 3}, {2, 3}, {0, 3}}, 0);
  add_concat(list, {{700, 50}, {700, 70}}, 1, true);
}

// ---- Reductions and cumulations -------------------------------------------------------------------------------------

Real identity_of(const std::string& record, DType dtype) {
  if (record == "reduce_sum") return 0;
  if (record == "reduce_prod") return 1;
  const bool max = record == "reduce_max";
  if (is_float(dtype)) return max ? -INFINITY : INFINITY;
  if (dtype == bool_) return max ? 0 : 1;
  if (dtype == uint8) return max ? 0 : 255;
  const Real half = dtype == int32 ? 0x1p31L : 0x1p63L;
  return max ? -half : half - 1;
}

Real joined(const std::string& record, Real a, Real b) {
  if (record.find("sum") != std::string::npos) return a + b;
  if (record.find("prod") != std::string::npos) return a * b;
  if (std::isnan(a) || std::isnan(b)) return NAN;
  return record.find("max") != std::string::npos ? std::max(a, b) : std::min(a, b);
}

/// The bounds of the design: (log2 n + 8) roundings of the sum of magnitudes; for products, one for each factor.
Real reduction_slack(const std::string& record, DType dtype, Real value, Real magnitudes, Real n) {
  if (!is_float(dtype)) return 0;
  if (record.find("sum") != std::string::npos) return (log2l(n + 1) + 8) * unit_of(dtype) * magnitudes;
  if (record.find("prod") != std::string::npos) return (n + 1) * unit_of(dtype) * fabsl(value);
  return 0;
}

void add_reduction(std::vector<Case>& list, const std::string& record, const Shape& shape, int count, bool leading,
                   bool large = false) {
  Attributes attributes;
  attributes.integer = count;
  attributes.flag = leading;
  Case c{record, to_string(shape) + (leading ? " leading " : " trailing ") + std::to_string(count), {{shape}}, {}, {}};
  c.make = [record, attributes](const Arrays& x) { return ops::make_all(*ops::find_record(record), x, attributes); };
  if (record == "reduce_prod") {
    c.operands[0].low = 0.5;
    c.operands[0].high = 1.6;
  }
  const Shape to = leading ? Shape(shape.begin() + count, shape.end()) : Shape(shape.begin(), shape.end() - count);
  c.reference = [=](const List& x) {
    Expected e{{to, x[0].dtype, {}}, {}};
    const Size kept = count_of(to), n = kept == 0 ? 0 : count_of(shape) / kept;
    for (Size k = 0; k < kept; ++k) {
      Real value = identity_of(record, x[0].dtype), magnitudes = 0;
      for (Size i = 0; i < n; ++i) {
        const Real v = x[0].values[static_cast<std::size_t>(leading ? i * kept + k : k * n + i)];
        value = i == 0 ? v : joined(record, value, v);
        if (!is_float(x[0].dtype)) value = rounded(value, x[0].dtype);
        magnitudes += fabsl(v);
      }
      e.y.values.push_back(value);
      e.slack.push_back(reduction_slack(record, x[0].dtype, value, magnitudes, static_cast<Real>(n)));
    }
    return std::vector<Expected>{e};
  };
  c.covers = covers(shape, to);
  c.large = large;
  list.push_back(c);
}

void add_cumulation(std::vector<Case>& list, const std::string& record, const Shape& shape, std::size_t axis,
                    bool large = false) {
  Attributes attributes;
  attributes.integer = static_cast<Size>(axis);
  Case c{record, to_string(shape) + " axis " + std::to_string(axis), {{shape}}, {}, {}};
  c.make = [record, attributes](const Arrays& x) { return ops::make_all(*ops::find_record(record), x, attributes); };
  if (record == "cumprod") {
    c.operands[0].low = 0.6;
    c.operands[0].high = 1.4;
  }
  c.reference = [=](const List& x) {
    Expected e{{shape, x[0].dtype, {}}, {}};
    for_each_position(shape, [&](const Shape& at) {
      Shape place = at;
      Real value = 0, magnitudes = 0;
      for (place[axis] = 0; place[axis] <= at[axis]; ++place[axis]) {
        const Real v = x[0].values[flat(shape, place)];
        value = place[axis] == 0 ? v : joined(record, value, v);
        if (!is_float(x[0].dtype)) value = rounded(value, x[0].dtype);
        magnitudes += fabsl(v);
      }
      // One after the other: as many roundings as elements.
      const Real n = static_cast<Real>(at[axis] + 1);
      const bool sum = record == "cumsum";
      const Real bound = (n + 1) * unit_of(x[0].dtype) * (sum ? magnitudes : fabsl(value));
      e.y.values.push_back(value);
      e.slack.push_back(is_float(x[0].dtype) && (sum || record == "cumprod") ? bound : 0);
    });
    return std::vector<Expected>{e};
  };
  c.covers = covers(shape, shape);
  c.large = large;
  list.push_back(c);
}

void add_position(std::vector<Case>& list, const std::string& record, const Shape& shape, bool large = false) {
  Case c{record, to_string(shape), {{shape}}, {}, {}};
  c.make = [record](const Arrays& x) { return ops::make_all(*ops::find_record(record), x); };
  const Shape to(shape.begin(), shape.end() - 1);
  const Size n = shape.back();
  c.reference = [=](const List& x) {
    Expected e{{to, int64, {}}, {}};
    for (Size r = 0; r < count_of(to); ++r) {
      const Real* row = x[0].values.data() + r * n;
      Size best = 0;
      for (Size i = 1; i < n; ++i) {
        if (record == "argmax" ? row[i] > row[best] : row[i] < row[best]) best = i;
      }
      e.y.values.push_back(static_cast<Real>(best));
    }
    return std::vector<Expected>{e};
  };
  c.covers = covers(shape, to);
  c.large = large;
  list.push_back(c);
}

void add_reductions(std::vector<Case>& list) {
  for (const char* record : {"reduce_sum", "reduce_prod", "reduce_max", "reduce_min"}) {
    add_reduction(list, record, {5, 7}, 1, false);
    add_reduction(list, record, {5, 7}, 1, true);
    add_reduction(list, record, {3, 4, 5}, 2, false);
    add_reduction(list, record, {3, 4, 2}, 2, true);
    add_reduction(list, record, {2, 3}, 2, false);
    add_reduction(list, record, {}, 0, false);
    add_reduction(list, record, {3, 0}, 1, false);
    add_reduction(list, record, {0, 3}, 1, true);
    add_reduction(list, record, {0, 3}, 1, false);
    add_reduction(list, record, {0}, 1, false);
    // Blocks, groups, tiles and pieces.
    add_reduction(list, record, {3, 5000}, 1, false, true);
    add_reduction(list, record, {2, 150000}, 1, false, true);
    add_reduction(list, record, {3000, 33}, 1, false, true);
    add_reduction(list, record, {3000, 33}, 1, true, true);
    add_reduction(list, record, {77, 1500}, 1, true, true);
    add_reduction(list, record, {20000, 3}, 1, true, true);
  }
  for (const char* record : {"cumsum", "cumprod", "cummax", "cummin"}) {
    add_cumulation(list, record, {4, 5}, 0);
    add_cumulation(list, record, {4, 5}, 1);
    add_cumulation(list, record, {2, 3, 4}, 1);
    add_cumulation(list, record, {3, 0}, 1);
    add_cumulation(list, record, {300, 20, 30}, 1, true);
  }
  for (const char* record : {"argmax", "argmin"}) {
    add_position(list, record, {4, 6});
    add_position(list, record, {5});
    add_position(list, record, {0, 5});
    add_position(list, record, {2000, 100}, true);
  }
}

// ---- Contraction ----------------------------------------------------------------------------------------------------

void add_contraction(std::vector<Case>& list, const Shape& a, const Shape& b, bool large = false) {
  Case c{"contract", to_string(a) + " x " + to_string(b), {{a}, {b}}, node_of("contract"), {}};
  const std::size_t r = a.size();
  Shape to = a;
  to[r - 1] = b[r - 1];
  c.reference = [=](const List& x) {
    Expected e{{to, x[0].dtype, {}}, {}};
    for_each_position(to, [&](const Shape& at) {
      Shape pa = at, pb = at;
      Real value = 0, magnitudes = 0;
      for (Size k = 0; k < a[r - 1]; ++k) {
        pa[r - 1] = pb[r - 2] = k;
        const Real product = x[0].values[flat(a, pa)] * x[1].values[flat(b, pb)];
        value += product;
        magnitudes += fabsl(product);
      }
      // bfloat16 accumulates in float32 and rounds once.
      const DType type = x[0].dtype, sum_type = type == bfloat16 ? float32 : type;
      e.y.values.push_back(is_float(type) ? value : rounded(value, type));
      Real bound = is_float(type) ? static_cast<Real>(a[r - 1] + 1) * unit_of(sum_type) * magnitudes : 0;
      if (type == bfloat16) bound += 1.01L * unit_of(type) * fabsl(value);
      e.slack.push_back(bound);
    });
    return std::vector<Expected>{e};
  };
  c.covers = has_zero(a) || has_zero(b) ? Layout::kEmpty : Layout::kContiguous;
  c.large = large;
  list.push_back(c);
}

}  // namespace

void add_data_cases(std::vector<Case>& list) {
  add_movement(list);
  add_reductions(list);
  add_contraction(list, {4, 7}, {7, 5});
  add_contraction(list, {3, 2, 4, 6}, {3, 2, 6, 5});
  add_contraction(list, {1, 9}, {9, 1});
  add_contraction(list, {5, 1}, {1, 6});
  add_contraction(list, {3, 0}, {0, 4});
  add_contraction(list, {0, 3}, {3, 4});
  add_contraction(list, {17, 1200}, {1200, 9});
  add_contraction(list, {70, 90}, {90, 110}, true);
  add_contraction(list, {6, 40, 50}, {6, 50, 30}, true);
}

}  // namespace pellucid::laws
