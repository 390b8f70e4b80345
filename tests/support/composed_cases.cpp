// Cases of the public functions that are composed of primitives: elementwise ones, reductions, contractions.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "pellucid/ops.h"
#include "support/elementwise_reference.h"
#include "support/laws.h"

namespace pellucid::laws {
namespace {

using Size = std::int64_t;
using List = std::vector<Tensor>;
const std::vector<DType> kAll(kAllDTypes.begin(), kAllDTypes.end());
const std::vector<DType> kReal = {uint8, int32, int64, bfloat16, float32, float64};
const std::vector<DType> kFloats = {bfloat16, float32, float64};

Function one(Array (*f)(const Array&)) {
  return [f](const Arrays& x) { return Arrays{f(x[0])}; };
}

Case function(const std::string& name, const std::string& label, std::vector<Operand> operands, Function make,
              const std::vector<DType>& types) {
  Case c{name, label, std::move(operands), std::move(make), {}};
  c.composed = true;
  c.dtypes = types;
  return c;
}

/// Values of a floating result: integers become float32, bfloat16 is computed in float32 and rounded once. The slack is
/// `units` roundings of the value and of `scale`, the magnitudes that went into it.
Expected floating(const Shape& shape, DType in, const std::vector<Real>& values, const std::vector<Real>& scale,
                  double units) {
  const DType type = is_float(in) ? in : float32;
  Expected e{{shape, type, values}, {}};
  for (std::size_t i = 0; i < values.size(); ++i) {
    const Real inner =
        units * unit_of(type == bfloat16 ? float32 : type) * (fabsl(values[i]) + (scale.empty() ? 0 : scale[i]));
    e.slack.push_back(inner + (type == bfloat16 ? 1.02L * unit_of(bfloat16) * fabsl(values[i]) : 0));
  }
  return e;
}

// ---- Elementwise ----------------------------------------------------------------------------------------------------

Real six(Real x) { return std::clamp<Real>(x, 0, 6); }
Real elu_of(Real x, Real alpha, Real width) { return x > 0 ? x : alpha * expm1l(x / width); }

void add_elementwise(std::vector<Case>& list) {
  const auto map = [&](const std::string& name, Function make, Real (*f)(Real), double low = -3, double high = 3) {
    Case c = function(name, "", {{{5, 7}, Role::kData, low, high}}, std::move(make), kReal);
    c.any_shape = true;
    c.reference = [f](const List& x) {
      std::vector<Real> values, scale;
      for (Real v : x[0].values) {
        values.push_back(f(v));
        scale.push_back(fabsl(v) * 0.5L);
      }
      return std::vector<Expected>{floating(x[0].shape, x[0].dtype, values, scale, 12)};
    };
    list.push_back(c);
  };
  map("relu6", one(relu6), six, -2, 8);
  list.back().dtypes = kFloats;  // integers stay integers
  map(
      "leaky_relu", [](const Arrays& x) { return Arrays{leaky_relu(x[0], 0.25)}; },
      [](Real x) { return x > 0 ? x : x / 4; });
  map(
      "hardsigmoid", one(hardsigmoid), [](Real x) { return six(x + 3) / 6; }, -4, 4);
  map(
      "hardswish", one(hardswish), [](Real x) { return x * six(x + 3) / 6; }, -4, 4);
  map("softsign", one(softsign), [](Real x) { return x / (1 + fabsl(x)); });
  map(
      "elu", [](const Arrays& x) { return Arrays{elu(x[0], 1.5)}; }, [](Real x) { return elu_of(x, 1.5L, 1); });
  map(
      "celu", [](const Arrays& x) { return Arrays{celu(x[0], 2)}; }, [](Real x) { return elu_of(x, 2, 2); });
  map("selu", one(selu), [](Real x) { return 1.0507009873554804934L * elu_of(x, 1.6732632423543772848L, 1); });
  Case bounded = function("clip", "", {{{5, 7}}}, [](const Arrays& x) { return Arrays{clip(x[0], -1, 2)}; },
                          {int32, int64, bfloat16, float32, float64});
  bounded.any_shape = true;
  bounded.reference = [](const List& x) {
    Expected e{x[0], {}};
    for (Real& v : e.y.values) v = std::clamp<Real>(v, -1, 2);
    return std::vector<Expected>{e};
  };
  list.push_back(bounded);
  Case mixed = function(
      "lerp", "", {{{5, 7}}, {{5, 7}}, {{5, 7}, Role::kData, 0, 1}},
      [](const Arrays& x) { return Arrays{lerp(x[0], x[1], x[2])}; }, kReal);
  mixed.any_shape = true;
  mixed.reference = [](const List& x) {
    std::vector<Real> values, scale;
    for (std::size_t i = 0; i < x[0].values.size(); ++i) {
      const Real a = x[0].values[i], b = x[1].values[i], t = x[2].values[i];
      values.push_back(a + t * (b - a));
      scale.push_back(fabsl(a) + fabsl(b));
    }
    return std::vector<Expected>{floating(x[0].shape, x[0].dtype, values, scale, 4)};
  };
  list.push_back(mixed);
  Case filled = function(
      "masked_fill", "", {{{5, 7}}, {{5, 7}, Role::kMask}, {{}}},
      [](const Arrays& x) { return Arrays{masked_fill(x[0], x[1], x[2])}; }, kAll);
  filled.reference = [](const List& x) {
    Expected e{x[0], {}};
    for (std::size_t i = 0; i < e.y.values.size(); ++i) {
      if (x[1].values[i] != 0) e.y.values[i] = x[2].values[0];
    }
    return std::vector<Expected>{e};
  };
  list.push_back(filled);
  Case same = function("positive", "", {{{5, 7}}}, one(positive), kAll);
  same.any_shape = true;
  same.reference = [](const List& x) { return std::vector<Expected>{{x[0], {}}}; };
  list.push_back(same);
  Case sign = function("signbit", "", {{{5, 7}, Role::kData, -3, 3}}, one(signbit), kAll);
  sign.any_shape = true;
  sign.differentiable = false;
  sign.reference = [](const List& x) {
    Expected e{{x[0].shape, bool_, {}}, {}};
    for (Real v : x[0].values) e.y.values.push_back(std::signbit(v) ? 1 : 0);
    return std::vector<Expected>{e};
  };
  list.push_back(sign);
}

// ---- Reductions -----------------------------------------------------------------------------------------------------

/// The elements of each result of a reduction: result by result.
std::vector<std::vector<Real>> gathered(const Tensor& x, const std::vector<int>& axes, bool keepdims, Shape& to) {
  const auto reduced = [&](std::size_t d) {
    return std::find(axes.begin(), axes.end(), static_cast<int>(d)) != axes.end();
  };
  Shape kept;
  to.clear();
  for (std::size_t d = 0; d < x.shape.size(); ++d) {
    kept.push_back(reduced(d) ? 1 : x.shape[d]);
    if (!reduced(d)) to.push_back(x.shape[d]);
    if (reduced(d) && keepdims) to.push_back(1);
  }
  std::vector<std::vector<Real>> groups(static_cast<std::size_t>(count_of(kept)));
  for_each_position(x.shape, [&](const Shape& position) {
    Shape at = position;
    const Real v = x.values[flat(x.shape, at)];
    for (std::size_t d = 0; d < at.size(); ++d) at[d] = reduced(d) ? 0 : at[d];
    groups[flat(kept, at)].push_back(v);
  });
  return groups;
}

using Reducer = Array (*)(const Array&, const Axes&, bool);
using Fold = Real (*)(const std::vector<Real>&);

Real sum_of(const std::vector<Real>& v) { return std::accumulate(v.begin(), v.end(), Real(0)); }
Real magnitudes_of(const std::vector<Real>& v) {
  return std::accumulate(v.begin(), v.end(), Real(0), [](Real a, Real b) { return a + fabsl(b); });
}
Real variance_of(const std::vector<Real>& v) {
  const Real mean = sum_of(v) / static_cast<Real>(v.size());
  Real total = 0;
  for (Real x : v) total += (x - mean) * (x - mean);
  return total / static_cast<Real>(v.size());
}

void add_reduction(std::vector<Case>& list, const std::string& name, Reducer f, Fold fold,
                   const std::vector<DType>& types, DType whole_result, double low = -3, double high = 3) {
  struct Choice {
    Shape shape;
    std::vector<int> axes;
    bool keepdims;
  };
  for (const Choice& choice : {Choice{{4, 5, 3}, {1}, false},
                               {{4, 5, 3}, {0, 2}, true},
                               {{4, 5}, {0, 1}, false},
                               {{6}, {0}, true},
                               {{2, 3, 2, 3}, {1, 2}, false}}) {
    Case c = function(
        name, to_string(choice.shape), {{choice.shape, Role::kData, low, high}},
        [f, choice](const Arrays& x) { return Arrays{f(x[0], Axes(choice.axes), choice.keepdims)}; }, types);
    c.differentiable = whole_result != bool_;
    c.reference = [=](const List& x) {
      Shape to;
      std::vector<Real> values, scale;
      for (const auto& group : gathered(x[0], choice.axes, choice.keepdims, to)) {
        values.push_back(fold(group));
        scale.push_back(magnitudes_of(group) + 1);
      }
      const DType in = x[0].dtype;
      if (!is_float(in) && whole_result != float32) {
        return std::vector<Expected>{{{to, whole_result == uint8 ? in : whole_result, values}, {}}};
      }
      if (whole_result == bool_) return std::vector<Expected>{{{to, bool_, values}, {}}};
      return std::vector<Expected>{floating(to, in, values, scale, 14)};
    };
    list.push_back(c);
  }
}

void add_reductions(std::vector<Case>& list) {
  using V = std::vector<Real>;
  add_reduction(list, "sum", sum, sum_of, kAll, int64);
  add_reduction(
      list, "mean", mean, [](const V& v) { return sum_of(v) / static_cast<Real>(v.size()); }, kAll, float32);
  add_reduction(
      list, "prod", prod, [](const V& v) { return std::accumulate(v.begin(), v.end(), Real(1), std::multiplies<>()); },
      kAll, int64, 0.6, 1.6);
  // uint8 stands for the operand's own type.
  add_reduction(
      list, "max", max, [](const V& v) { return *std::max_element(v.begin(), v.end()); }, kAll, uint8);
  add_reduction(
      list, "min", min, [](const V& v) { return *std::min_element(v.begin(), v.end()); }, kAll, uint8);
  add_reduction(
      list, "any", any, [](const V& v) { return Real(std::any_of(v.begin(), v.end(), [](Real x) { return x != 0; })); },
      kAll, bool_);
  add_reduction(
      list, "all", all, [](const V& v) { return Real(std::all_of(v.begin(), v.end(), [](Real x) { return x != 0; })); },
      kAll, bool_);
  add_reduction(
      list, "logsumexp", logsumexp,
      [](const V& v) {
        const Real m = *std::max_element(v.begin(), v.end());
        Real total = 0;
        for (Real x : v) total += expl(x - m);
        return m + logl(total);
      },
      kAll, float32);
  add_reduction(
      list, "var", [](const Array& x, const Axes& a, bool k) { return var(x, a, 1, k); },
      [](const V& v) { return variance_of(v) * static_cast<Real>(v.size()) / static_cast<Real>(v.size() - 1); },
      {bfloat16, float32, float64}, float32, 0, 2);
  add_reduction(
      list, "std", [](const Array& x, const Axes& a, bool k) { return std(x, a, 0, k); },
      [](const V& v) { return sqrtl(variance_of(v)); }, {bfloat16, float32, float64}, float32, 0, 2);
  add_reduction(
      list, "norm", [](const Array& x, const Axes& a, bool k) { return norm(x, a, 2, k); },
      [](const V& v) {
        Real total = 0;
        for (Real x : v) total += x * x;
        return sqrtl(total);
      },
      kAll, float32);
  add_reduction(
      list, "norm", [](const Array& x, const Axes& a, bool k) { return norm(x, a, 3, k); },
      [](const V& v) {
        Real total = 0;
        for (Real x : v) total += fabsl(x * x * x);
        return cbrtl(total);
      },
      kFloats, float32);
  add_reduction(
      list, "norm", [](const Array& x, const Axes& a, bool k) { return norm(x, a, INFINITY, k); },
      [](const V& v) {
        Real most = 0;
        for (Real x : v) most = std::max(most, fabsl(x));
        return most;
      },
      kFloats, float32);
  for (const bool logarithm : {false, true}) {
    for (const int axis : {0, 1, -1}) {
      Case c = function(
          logarithm ? "log_softmax" : "softmax", "axis " + std::to_string(axis), {{{4, 5, 3}}},
          [=](const Arrays& x) { return Arrays{logarithm ? log_softmax(x[0], axis) : softmax(x[0], axis)}; }, kReal);
      c.reference = [=](const List& x) {
        const Shape& shape = x[0].shape;
        const auto at_axis = static_cast<std::size_t>(axis < 0 ? axis + 3 : axis);
        std::vector<Real> values;
        for_each_position(shape, [&](const Shape& at) {
          const Real v = x[0].values[flat(shape, at)];
          Real total = 0;
          Shape other = at;
          for (other[at_axis] = 0; other[at_axis] < shape[at_axis]; ++other[at_axis])
            total += expl(x[0].values[flat(shape, other)] - v);
          values.push_back(logarithm ? -logl(total) : 1 / total);
        });
        return std::vector<Expected>{
            floating(shape, x[0].dtype, values, std::vector<Real>(values.size(), logarithm ? 20 : 0), 30)};
      };
      list.push_back(c);
    }
  }
}

// ---- Contractions ---------------------------------------------------------------------------------------------------

/// A sum over labels: `terms` names the axes of each operand, and `result` those of the result.
Case summed(const std::string& name, const std::string& label, const std::vector<std::string>& terms,
            const std::string& result, const std::vector<Shape>& shapes, Function make, bool matmul_types = true) {
  std::vector<Operand> operands;
  for (const Shape& shape : shapes) operands.push_back({shape});
  Case c = function(
      name, label, operands, std::move(make),
      matmul_types ? std::vector<DType>{int32, int64, float32, float64} : std::vector<DType>{float32, float64});
  if (name == "matmul" || name == "linear") c.dtypes.push_back(bfloat16);
  c.reference = [=](const List& x) {
    std::string labels;
    Shape sizes;
    for (std::size_t t = 0; t < terms.size(); ++t) {
      for (std::size_t d = 0; d < terms[t].size(); ++d) {
        if (labels.find(terms[t][d]) != std::string::npos) continue;
        labels += terms[t][d];
        sizes.push_back(shapes[t][d]);
      }
    }
    const auto picked = [&](const std::string& term, const Shape& from) {
      Shape to;
      for (char l : term) to.push_back(from[labels.find(l)]);
      return to;
    };
    const Shape to = picked(result, sizes);
    std::vector<Real> values(static_cast<std::size_t>(count_of(to)), 0), scale = values;
    for_each_position(sizes, [&](const Shape& at) {
      Real product = 1;
      for (std::size_t t = 0; t < terms.size(); ++t) product *= x[t].values[flat(shapes[t], picked(terms[t], at))];
      values[flat(to, picked(result, at))] += product;
      scale[flat(to, picked(result, at))] += fabsl(product);
    });
    const Real n = static_cast<Real>(count_of(sizes)) / static_cast<Real>(std::max<Size>(count_of(to), 1));
    if (!is_float(x[0].dtype)) return std::vector<Expected>{{{to, x[0].dtype, values}, {}}};
    return std::vector<Expected>{floating(to, x[0].dtype, values, scale, static_cast<double>(n) + 3)};
  };
  return c;
}

void add_contractions(std::vector<Case>& list) {
  const Function product = [](const Arrays& x) { return Arrays{matmul(x[0], x[1])}; };
  list.push_back(summed("matmul", "matrices", {"ij", "jk"}, "ik", {{4, 6}, {6, 5}}, product));
  list.push_back(summed("matmul", "vector and matrix", {"j", "jk"}, "k", {{6}, {6, 5}}, product));
  list.push_back(summed("matmul", "matrix and vector", {"ij", "j"}, "i", {{4, 6}, {6}}, product));
  list.push_back(summed("matmul", "vectors", {"j", "j"}, "", {{6}, {6}}, product));
  list.push_back(summed("matmul", "batch and matrix", {"bij", "jk"}, "bik", {{3, 4, 6}, {6, 5}}, product));
  list.push_back(summed("matmul", "matrix and batch", {"ij", "bjk"}, "bik", {{4, 6}, {3, 6, 5}}, product));
  list.push_back(
      summed("matmul", "batches that broadcast", {"abij", "bjk"}, "abik", {{2, 3, 4, 6}, {3, 6, 5}}, product));
  list.push_back(summed("linear", "without bias", {"aij", "jk"}, "aik", {{2, 4, 6}, {6, 5}},
                        [](const Arrays& x) { return Arrays{linear(x[0], x[1])}; }));
  Case biased = function("linear", "with bias", {{{4, 6}}, {{6, 5}}, {{5}}},
                         [](const Arrays& x) { return Arrays{linear(x[0], x[1], x[2])}; }, {float32, float64});
  biased.reference = [](const List& x) {
    std::vector<Real> values, scale;
    for_each_position({4, 5}, [&](const Shape& at) {
      Real value = x[2].values[static_cast<std::size_t>(at[1])], magnitudes = fabsl(value);
      for (Size k = 0; k < 6; ++k) {
        const Real term = x[0].values[flat({4, 6}, {at[0], k})] * x[1].values[flat({6, 5}, {k, at[1]})];
        value += term;
        magnitudes += fabsl(term);
      }
      values.push_back(value);
      scale.push_back(magnitudes);
    });
    return std::vector<Expected>{floating({4, 5}, x[0].dtype, values, scale, 9)};
  };
  list.push_back(biased);
  list.push_back(summed("tensordot", "two axes", {"aij", "ijk"}, "ak", {{3, 4, 5}, {4, 5, 2}},
                        [](const Arrays& x) { return Arrays{tensordot(x[0], x[1], 2)}; }));
  list.push_back(summed("tensordot", "named axes", {"iaj", "jki"}, "ak", {{4, 3, 5}, {5, 2, 4}}, [](const Arrays& x) {
    return Arrays{tensordot(x[0], x[1], {0, 2}, {2, 0})};
  }));
  list.push_back(
      summed("outer", "", {"i", "j"}, "ij", {{4}, {5}}, [](const Arrays& x) { return Arrays{outer(x[0], x[1])}; }));
  list.push_back(summed("vecdot", "", {"ij", "ij"}, "i", {{4, 5}, {4, 5}},
                        [](const Arrays& x) { return Arrays{vecdot(x[0], x[1])}; }));
  const auto einsum_case = [&](const std::string& equation, const std::vector<std::string>& terms,
                               const std::string& result, const std::vector<Shape>& shapes) {
    list.push_back(summed("einsum", equation, terms, result, shapes,
                          [equation](const Arrays& x) { return Arrays{einsum(equation, x)}; }));
  };
  einsum_case("ij,jk->ik", {"ij", "jk"}, "ik", {{4, 6}, {6, 5}});
  einsum_case("bij,bkj->bik", {"bij", "bkj"}, "bik", {{2, 4, 6}, {2, 5, 6}});
  einsum_case("ii->i", {"ii"}, "i", {{4, 4}});
  einsum_case("ii", {"ii"}, "", {{4, 4}});
  einsum_case("ij->ji", {"ij"}, "ji", {{4, 5}});
  einsum_case("ijk->j", {"ijk"}, "j", {{2, 3, 4}});
  einsum_case("i,j,k->kij", {"i", "j", "k"}, "kij", {{2}, {3}, {4}});
  einsum_case("ij,jk,kl", {"ij", "jk", "kl"}, "il", {{2, 3}, {3, 4}, {4, 2}});
  einsum_case("bhqd,bhkd->bhqk", {"bhqd", "bhkd"}, "bhqk", {{2, 2, 3, 4}, {2, 2, 5, 4}});
  einsum_case("i...,i...->...", {"ixy", "ixy"}, "xy", {{3, 2, 4}, {3, 2, 4}});
  einsum_case("iij,jk->ik", {"iij", "jk"}, "ik", {{3, 3, 4}, {4, 2}});
}

}  // namespace

void add_composed_cases(std::vector<Case>& list) {
  add_elementwise(list);
  add_reductions(list);
  add_contractions(list);
}

}  // namespace pellucid::laws
