// Cases of the records that hold a function or a value: scan, custom, checkpoint, constants and placeholders.
#include <cmath>

#include "pellucid/ops.h"
#include "support/laws.h"

namespace pellucid::laws {
namespace {

using List = std::vector<Tensor>;

/// carry, x -> carry / 2 + x for each row of x; integers add, bools or.
Case scan_case(const Shape& row, std::int64_t length, bool reverse) {
  Shape xs = row;
  xs.insert(xs.begin(), length);
  Case c{
      "scan", std::to_string(length) + (reverse ? " reversed" : "") + " of " + to_string(row), {{row}, {xs}}, {}, {}};
  c.make = [reverse](const Arrays& x) {
    const ScanStep result = scan(
        [](const Arrays& carry, const Arrays& at) {
          const DType type = carry[0].dtype();
          const Array next = type == bool_    ? carry[0] | at[0]
                             : is_float(type) ? carry[0] * 0.5 + at[0]
                                              : carry[0] + at[0];
          return ScanStep{{next}, {type == bool_ ? next : next * at[0]}};
        },
        {x[0]}, {x[1]}, -1, reverse);
    return Arrays{result.carry[0], result.ys[0]};
  };
  c.reference = [=](const List& x) {
    const DType type = x[0].dtype;
    Expected carry{x[0], {}},
        ys{{xs, type, std::vector<Real>(x[1].values.size())}, std::vector<Real>(x[1].values.size(), 0)};
    const std::size_t n = x[0].values.size();
    carry.slack.assign(n, 0);
    for (std::int64_t step = 0; step < length; ++step) {
      const auto t = static_cast<std::size_t>(reverse ? length - 1 - step : step);
      for (std::size_t i = 0; i < n; ++i) {
        const Real v = x[1].values[t * n + i];
        Real& y = carry.y.values[i];
        Real bound = 0;
        if (type == bool_) {
          y = y != 0 || v != 0;
        } else if (is_float(type)) {
          y = y / 2 + v;
          bound = carry.slack[i] / 2 + 4 * unit_of(type) * (fabsl(y) + fabsl(v));
        } else {
          y = rounded(y + v, type);
        }
        carry.slack[i] = bound;
        ys.y.values[t * n + i] = type == bool_ ? y : is_float(type) ? y * v : rounded(y * v, type);
        ys.slack[t * n + i] = bound * fabsl(v) + (is_float(type) ? 2 * unit_of(type) * fabsl(y * v) : 0);
      }
    }
    return std::vector<Expected>{carry, ys};
  };
  c.covers = length == 0 ? Layout::kEmpty : row.empty() ? Layout::kScalar : Layout::kContiguous;
  return c;
}

/// x y + x, elementwise; bools and.
Array polynomial(const Arrays& x) { return x[0].dtype() == bool_ ? x[0] & x[1] : x[0] * x[1] + x[0]; }

Case call_case(const char* record, const Function& make) {
  Case c{record, "", {{{3, 4}}, {{3, 4}}}, make, {}};
  c.any_shape = true;
  c.reference = [](const List& x) {
    Expected e{{x[0].shape, x[0].dtype, {}}, {}};
    for (std::size_t i = 0; i < x[0].values.size(); ++i) {
      const Real a = x[0].values[i], b = x[1].values[i];
      const DType type = x[0].dtype;
      e.y.values.push_back(type == bool_ ? a * b : is_float(type) ? a * b + a : rounded(a * b + a, type));
      e.slack.push_back(is_float(type) ? 4 * unit_of(type) * (fabsl(a * b) + fabsl(a)) : 0);
    }
    return std::vector<Expected>{e};
  };
  return c;
}

Case identity_case(const char* record, const Function& make) {
  Case c{record, "", {{{3, 4}}}, make, [](const List& x) { return std::vector<Expected>{{x[0], {}}}; }};
  c.any_shape = true;
  return c;
}

}  // namespace

void add_rule_cases(std::vector<Case>& list) {
  list.push_back(scan_case({3}, 4, false));
  list.push_back(scan_case({2, 2}, 5, true));
  list.push_back(scan_case({}, 6, false));
  list.push_back(scan_case({3}, 0, false));
  list.push_back(call_case("custom", [](const Arrays& x) {
    return custom([](const Arrays& a) { return Arrays{polynomial(a)}; },
                  {.vjp =
                       [](const Arrays& a, const Arrays&, const Arrays& g) {
                         return Arrays{g[0] * a[1] + g[0], g[0] * a[0]};
                       },
                   .batch = {}})(x);
  }));
  list.push_back(call_case("checkpoint", [](const Arrays& x) {
    return Arrays{checkpoint([](const Arrays& a) { return Arrays{polynomial(a)}; })(x)};
  }));
  list.push_back(identity_case("constant", [](const Arrays& x) { return x; }));
  list.push_back(
      identity_case("placeholder", [](const Arrays& x) { return compile([](const Arrays& a) { return a; })(x); }));
}

}  // namespace pellucid::laws
