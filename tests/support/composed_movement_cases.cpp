// Cases of the public functions that are composed of primitives: movement, creation, indexing and order.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "pellucid/ops.h"
#include "support/laws.h"

namespace pellucid::laws {
namespace {

using Size = std::int64_t;
using List = std::vector<Tensor>;
using Place = std::function<bool(const Shape& at, Shape& from)>;
const std::vector<DType> kAll(kAllDTypes.begin(), kAllDTypes.end());

/// A function whose results' elements come from operand 0, or are zero where `from` says no.
Case movement(const std::string& name, const std::string& label, const Shape& from, const Shape& to, Function make,
              const Place& place) {
  Case c{name, label, {{from}}, std::move(make), moved(to, place)};
  c.composed = true;
  c.dtypes = kAll;
  return c;
}

/// Elements in the same row-major order.
Case relabelled(const std::string& name, const Shape& from, const Shape& to, Function make) {
  Case c{name, to_string(from) + " to " + to_string(to), {{from}}, std::move(make), {}};
  c.composed = true;
  c.dtypes = kAll;
  c.reference = [to](const List& x) { return std::vector<Expected>{{{to, x[0].dtype, x[0].values}, {}}}; };
  return c;
}

Case permuted(const std::string& name, const Shape& from, const std::vector<std::size_t>& order, Function make) {
  Shape to;
  for (std::size_t d : order) to.push_back(from[d]);
  return movement(name, to_string(from) + " to " + to_string(to), from, to, std::move(make),
                  [order](const Shape& at, Shape& place) {
                    place.resize(at.size());
                    for (std::size_t d = 0; d < order.size(); ++d) place[order[d]] = at[d];
                    return true;
                  });
}

void add_axes(std::vector<Case>& list) {
  list.push_back(
      relabelled("flatten", {2, 3, 4, 2}, {2, 12, 2}, [](const Arrays& x) { return Arrays{flatten(x[0], 1, 2)}; }));
  list.push_back(relabelled("flatten", {}, {1}, [](const Arrays& x) { return Arrays{flatten(x[0])}; }));
  list.push_back(relabelled("squeeze", {1, 3, 1, 2}, {3, 2}, [](const Arrays& x) { return Arrays{squeeze(x[0])}; }));
  list.push_back(
      relabelled("squeeze", {1, 3, 1, 2}, {1, 3, 2}, [](const Arrays& x) { return Arrays{squeeze(x[0], 2)}; }));
  list.push_back(
      relabelled("expand_dims", {3, 2}, {3, 2, 1}, [](const Arrays& x) { return Arrays{expand_dims(x[0], -1)}; }));
  list.push_back(permuted("transpose", {2, 3, 4}, {0, 2, 1}, [](const Arrays& x) { return Arrays{transpose(x[0])}; }));
  list.push_back(
      permuted("swapaxes", {2, 3, 4}, {2, 1, 0}, [](const Arrays& x) { return Arrays{swapaxes(x[0], 0, -1)}; }));
  list.push_back(
      permuted("moveaxis", {2, 3, 4}, {1, 2, 0}, [](const Arrays& x) { return Arrays{moveaxis(x[0], 0, -1)}; }));
  Case together{"broadcast_arrays", "", {{{3, 1}}, {{2}}}, [](const Arrays& x) { return broadcast_arrays(x); }, {}};
  together.composed = true;
  together.dtypes = kAll;
  together.reference = [](const List& x) {
    std::vector<Expected> result(2, Expected{{{3, 2}, x[0].dtype, {}}, {}});
    for_each_position({3, 2}, [&](const Shape& at) {
      result[0].y.values.push_back(x[0].values[static_cast<std::size_t>(at[0])]);
      result[1].y.values.push_back(x[1].values[static_cast<std::size_t>(at[1])]);
    });
    return result;
  };
  list.push_back(together);
}

void add_joining(std::vector<Case>& list) {
  Case stacked{"stack", "", {{{2, 3}}, {{2, 3}}}, [](const Arrays& x) { return Arrays{stack(x, 1)}; }, {}};
  stacked.composed = true;
  stacked.dtypes = kAll;
  stacked.reference = [](const List& x) {
    Expected e{{{2, 2, 3}, x[0].dtype, {}}, {}};
    for_each_position(e.y.shape, [&](const Shape& at) {
      e.y.values.push_back(x[static_cast<std::size_t>(at[1])].values[flat({2, 3}, {at[0], at[2]})]);
    });
    return std::vector<Expected>{e};
  };
  list.push_back(stacked);
  /// Parts of axis 1 of (rows, 6), given by where they begin.
  const auto parts = [&](const std::string& name, const std::string& label, const std::vector<Size>& begins, bool drops,
                         Function make, Size rows = 2) {
    Case c{name, label, {{{rows, 6}}}, std::move(make), {}};
    c.composed = drops;
    c.covers = rows == 0 ? Layout::kEmpty : Layout::kContiguous;
    c.dtypes = kAll;
    c.reference = [=](const List& x) {
      std::vector<Expected> result;
      for (std::size_t p = 0; p + 1 < begins.size(); ++p) {
        const Size size = begins[p + 1] - begins[p];
        Expected e{{drops ? Shape{rows} : Shape{rows, size}, x[0].dtype, {}}, {}};
        for_each_position({rows, size}, [&](const Shape& at) {
          e.y.values.push_back(x[0].values[flat({rows, 6}, {at[0], at[1] + begins[p]})]);
        });
        result.push_back(e);
      }
      return result;
    };
    list.push_back(c);
  };
  parts("unstack", "", {0, 1, 2, 3, 4, 5, 6}, true, [](const Arrays& x) { return unstack(x[0], 1); });
  parts("split", "into 3", {0, 2, 4, 6}, false, [](const Arrays& x) { return split(x[0], 3, 1); });
  parts("split", "at positions", {0, 1, 5, 6}, false, [](const Arrays& x) {
    return split(x[0], std::vector<Size>{1, 5}, -1);
  });
  const auto halves = [](const Arrays& x) { return split(x[0], 2, 1); };
  parts("split", "of nothing", {0, 3, 6}, false, halves, 0);
}

void add_copies(std::vector<Case>& list) {
  list.push_back(movement(
      "pad", "with zeros", {3, 4}, {4, 7},
      [](const Arrays& x) {
        return Arrays{pad(x[0], {{1, 0}, {2, 1}})};
      },
      [](const Shape& at, Shape& from) {
        from = {at[0] - 1, at[1] - 2};
        return from[0] >= 0 && from[1] >= 0 && from[1] < 4;
      }));
  Case padded = list.back();
  padded.label = "with ones";
  padded.make = [](const Arrays& x) { return Arrays{pad(x[0], {{1, 0}, {2, 1}}, 1)}; };
  padded.reference = [zeros = padded.reference](const List& x) {
    List marked{x[0]};
    for (Real& v : marked[0].values) v = 1;
    std::vector<Expected> e = zeros(x);
    const std::vector<Expected> inside = zeros(marked);
    for (std::size_t i = 0; i < e[0].y.values.size(); ++i)
      e[0].y.values[i] = inside[0].y.values[i] == 0 ? 1 : e[0].y.values[i];
    return e;
  };
  list.push_back(padded);
  list.push_back(movement(
      "flip", "one axis", {3, 4}, {3, 4}, [](const Arrays& x) { return Arrays{flip(x[0], 1)}; },
      [](const Shape& at, Shape& from) {
        from = {at[0], 3 - at[1]};
        return true;
      }));
  list.push_back(movement(
      "flip", "all axes", {3, 4}, {3, 4}, [](const Arrays& x) { return Arrays{flip(x[0])}; },
      [](const Shape& at, Shape& from) {
        from = {2 - at[0], 3 - at[1]};
        return true;
      }));
  list.push_back(movement(
      "roll", "", {3, 5}, {3, 5}, [](const Arrays& x) { return Arrays{roll(x[0], -7, 1)}; },
      [](const Shape& at, Shape& from) {
        from = {at[0], (at[1] + 7) % 5};
        return true;
      }));
  list.push_back(movement(
      "tile", "", {2, 3}, {4, 9},
      [](const Arrays& x) {
        return Arrays{tile(x[0], {2, 3})};
      },
      [](const Shape& at, Shape& from) {
        from = {at[0] % 2, at[1] % 3};
        return true;
      }));
  list.push_back(movement(
      "repeat", "", {2, 3}, {2, 6}, [](const Arrays& x) { return Arrays{repeat(x[0], 2, 1)}; },
      [](const Shape& at, Shape& from) {
        from = {at[0], at[1] / 2};
        return true;
      }));
  list.push_back(movement(
      "index", "position, steps back, new axis", {3, 5}, {3, 1},
      [](const Arrays& x) {
        return Arrays{index(x[0], {-1, Slice{std::nullopt, std::nullopt, -2}, newaxis})};
      },
      [](const Shape& at, Shape& from) {
        from = {2, 4 - 2 * at[0]};
        return true;
      }));
  list.push_back(movement(
      "index", "ellipsis", {2, 3, 4}, {2, 3},
      [](const Arrays& x) {
        return Arrays{index(x[0], {ellipsis, 1})};
      },
      [](const Shape& at, Shape& from) {
        from = {at[0], at[1], 1};
        return true;
      }));
  list.push_back(movement(
      "tril", "", {2, 3, 4}, {2, 3, 4}, [](const Arrays& x) { return Arrays{tril(x[0], 1)}; },
      [](const Shape& at, Shape& from) {
        from = at;
        return at[2] <= at[1] + 1;
      }));
  list.push_back(movement(
      "triu", "", {3, 4}, {3, 4}, [](const Arrays& x) { return Arrays{triu(x[0], -1)}; },
      [](const Shape& at, Shape& from) {
        from = at;
        return at[1] >= at[0] - 1;
      }));
  list.push_back(movement(
      "diag", "of a vector", {4}, {4, 4}, [](const Arrays& x) { return Arrays{diag(x[0])}; },
      [](const Shape& at, Shape& from) {
        from = {at[0]};
        return at[0] == at[1];
      }));
  list.push_back(movement(
      "diag", "of a matrix", {2, 3, 3}, {2, 3}, [](const Arrays& x) { return Arrays{diag(x[0])}; },
      [](const Shape& at, Shape& from) {
        from = {at[0], at[1], at[1]};
        return true;
      }));
  Case grids{"meshgrid", "", {{{3}}, {{2}}}, [](const Arrays& x) { return meshgrid(x); }, {}};
  grids.composed = true;
  grids.dtypes = kAll;
  grids.reference = [](const List& x) {
    std::vector<Expected> result(2, Expected{{{3, 2}, x[0].dtype, {}}, {}});
    for_each_position({3, 2}, [&](const Shape& at) {
      result[0].y.values.push_back(x[0].values[static_cast<std::size_t>(at[0])]);
      result[1].y.values.push_back(x[1].values[static_cast<std::size_t>(at[1])]);
    });
    return result;
  };
  list.push_back(grids);
}

// ---- Creation -------------------------------------------------------------------------------------------------------

void add_creation(std::vector<Case>& list) {
  const auto made = [&](const std::string& name, DType dtype, const Shape& shape, const std::vector<Real>& values,
                        const std::function<Array()>& make) {
    Case c{name, std::string(pellucid::name_of(dtype)), {}, [make](const Arrays&) { return Arrays{make()}; }, {}};
    c.composed = true;
    c.differentiable = false;
    c.dtypes = {dtype};
    c.reference = [=](const List&) {
      Expected e{{shape, dtype, values}, {}};
      // The steps of linspace round; all else is exact.
      if (name == "linspace") e.slack.assign(values.size(), 2 * unit_of(dtype));
      return std::vector<Expected>{e};
    };
    list.push_back(c);
  };
  for (DType d : kAllDTypes) {
    made("zeros", d, {2, 2}, {0, 0, 0, 0}, [d] { return zeros({2, 2}, d); });
    made("ones", d, {2}, {1, 1}, [d] { return ones({2}, d); });
    made("full", d, {2}, {1, 1}, [d] { return full({2}, 1, d); });
    made("eye", d, {2, 3}, {1, 0, 0, 0, 1, 0}, [d] { return eye(2, 3, d); });
    if (d == bool_) continue;
    made("arange", d, {4}, {0, 1, 2, 3}, [d] { return arange(4, d); });
    made("arange", d, {3}, {1, 4, 7}, [d] { return arange(1, 10, 3, d); });
    if (is_float(d)) made("linspace", d, {4}, {-1, -1 / 3.0L, 1 / 3.0L, 1}, [d] { return linspace(-1, 1, 4, d); });
  }
  struct Like {
    const char* name;
    Real value;
    Function make;
  };
  for (const Like& like : {Like{"zeros_like", 0, [](const Arrays& x) { return Arrays{zeros_like(x[0])}; }},
                           Like{"ones_like", 1, [](const Arrays& x) { return Arrays{ones_like(x[0])}; }},
                           Like{"full_like", 1, [](const Arrays& x) { return Arrays{full_like(x[0], 1)}; }}}) {
    Case c{like.name, "", {{{2, 3}}}, like.make, {}};
    c.composed = c.any_shape = true;
    c.differentiable = false;
    c.dtypes = kAll;
    c.reference = [value = like.value](const List& x) {
      return std::vector<Expected>{{{x[0].shape, x[0].dtype, std::vector<Real>(x[0].values.size(), value)}, {}}};
    };
    list.push_back(c);
  }
}

// ---- Indexing and order ---------------------------------------------------------------------------------------------

void add_indexing(std::vector<Case>& list) {
  Case gathered{"gather",
                "two axes",
                {{{4, 5, 2}}, {{3, 1}, Role::kIndex, -4, 4}, {{2}, Role::kIndex, -5, 5}},
                [](const Arrays& x) {
                  return Arrays{gather(x[0], {x[1], x[2]})};
                },
                {}};
  gathered.composed = true;
  gathered.dtypes = kAll;
  gathered.reference = [](const List& x) {
    Expected e{{{3, 2, 2}, x[0].dtype, {}}, {}};
    for_each_position(e.y.shape, [&](const Shape& at) {
      const auto i = static_cast<Size>(x[1].values[static_cast<std::size_t>(at[0])]),
                 j = static_cast<Size>(x[2].values[static_cast<std::size_t>(at[1])]);
      e.y.values.push_back(x[0].values[flat({4, 5, 2}, {i < 0 ? i + 4 : i, j < 0 ? j + 5 : j, at[2]})]);
    });
    return std::vector<Expected>{e};
  };
  list.push_back(gathered);
  Case hot{"one_hot",
           "",
           {{{2, 3}, Role::kIndex, -1, 5}},
           [](const Arrays& x) { return Arrays{one_hot(x[0], 4, float64)}; },
           {}};
  hot.composed = true;
  hot.differentiable = false;
  hot.dtypes = {int64};
  hot.reference = [](const List& x) {
    Expected e{{{2, 3, 4}, float64, {}}, {}};
    for_each_position(e.y.shape, [&](const Shape& at) {
      e.y.values.push_back(x[0].values[flat({2, 3}, {at[0], at[1]})] == static_cast<Real>(at[2]) ? 1 : 0);
    });
    return std::vector<Expected>{e};
  };
  list.push_back(hot);
  for (const bool descending : {false, true}) {
    for (const int axis : {0, 1}) {
      const Size k = 2;
      const auto rows = [=](const List& x, Size keep) {  // sorted along the axis: values, positions
        std::vector<Expected> result(2, Expected{{axis == 0 ? Shape{keep, 5} : Shape{4, keep}, x[0].dtype, {}}, {}});
        result[1].y.dtype = int64;
        result[0].y.values.resize(static_cast<std::size_t>(count_of(result[0].y.shape)));
        result[1].y.values.resize(result[0].y.values.size());
        const Size n = axis == 0 ? 4 : 5, others = 20 / n;
        for (Size r = 0; r < others; ++r) {
          const auto value = [&](Size i) { return x[0].values[flat({4, 5}, axis == 0 ? Shape{i, r} : Shape{r, i})]; };
          std::vector<Size> order(static_cast<std::size_t>(n));
          std::iota(order.begin(), order.end(), Size{0});
          std::sort(order.begin(), order.end(),
                    [&](Size i, Size j) { return value(i) == value(j) ? i < j : (value(i) < value(j)) != descending; });
          for (Size i = 0; i < keep; ++i) {
            const std::size_t at = flat(result[0].y.shape, axis == 0 ? Shape{i, r} : Shape{r, i});
            result[0].y.values[at] = value(order[static_cast<std::size_t>(i)]);
            result[1].y.values[at] = static_cast<Real>(order[static_cast<std::size_t>(i)]);
          }
        }
        return result;
      };
      Case sorted{"sort",
                  descending ? "descending" : "",
                  {{{4, 5}}},
                  [=](const Arrays& x) { return Arrays{sort(x[0], axis, descending)}; },
                  {}};
      sorted.composed = true;
      sorted.dtypes = kAll;
      sorted.reference = [=](const List& x) { return std::vector<Expected>{rows(x, axis == 0 ? 4 : 5)[0]}; };
      list.push_back(sorted);
      if (!descending) continue;
      Case top{"topk",
               "axis " + std::to_string(axis),
               {{{4, 5}}},
               [=](const Arrays& x) {
                 const TopK found = topk(x[0], k, axis);
                 return Arrays{found.values, found.indices};
               },
               {}};
      top.composed = true;
      top.dtypes = kAll;
      top.reference = [=](const List& x) { return rows(x, k); };
      list.push_back(top);
    }
  }
}

}  // namespace

void add_composed_movement_cases(std::vector<Case>& list) {
  add_axes(list);
  add_joining(list);
  add_copies(list);
  add_creation(list);
  add_indexing(list);
}

}  // namespace pellucid::laws
