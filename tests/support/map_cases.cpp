// Cases of the elementwise records: each name with its formula in long double and the error that it may have.
#include <algorithm>
#include <cmath>
#include <map>

#include "support/elementwise_reference.h"
#include "support/laws.h"

namespace pellucid::laws {
namespace {

namespace reference = testing;

struct Row {
  std::function<Real(Real, Real, Real, DType)> value;  // of one element; the type of the operands
  double ulp64 = 0;                                    // float64; for float32 the record's own bound
  bool absolute = false;                               // the bound counts from 1 on, below 1 it is absolute
  bool predicate = false;                              // the result is bool
};

Row of1(Real (*f)(Real), double ulp64 = 0) {
  return {[f](Real a, Real, Real, DType) { return f(a); }, ulp64};
}
Row of2(Real (*f)(Real, Real), double ulp64 = 0) {
  return {[f](Real a, Real b, Real, DType) { return f(a, b); }, ulp64};
}
Row truth(Real (*f)(Real, Real)) {
  return {[f](Real a, Real b, Real, DType) { return f(a, b); }, 0, false, true};
}

Real maximum(Real a, Real b) {
  if (std::isnan(a) || std::isnan(b)) return a + b;
  return a == b ? (std::signbit(a) ? b : a) : std::max(a, b);
}
Real minimum(Real a, Real b) { return -maximum(-a, -b); }
Real power(Real a, Real b) { return powl(a, b); }
Real log_add_exp(Real a, Real b) {
  if (a == b) return a + logl(2);
  return std::max(a, b) + log1pl(expl(-fabsl(a - b)));
}
Real remainder(Real a, Real b) {
  if (std::isinf(b) && std::isfinite(a)) return a != 0 && (a < 0) != (b < 0) ? b : a;
  const Real r = fmodl(a, b);
  return r != 0 && (r < 0) != (b < 0) ? r + b : r == 0 ? copysignl(0, b) : r;
}
Real floor_divide(Real a, Real b, DType dtype) {
  if (!is_float(dtype)) return b == 0 ? 0 : floorl(a / b);
  if (b == 0 || std::isinf(a) || std::isnan(a) || std::isnan(b)) return std::isinf(a) && std::isinf(b) ? NAN : a / b;
  if (std::isinf(b)) return a == 0 ? a / b : (a < 0) == (b < 0) ? copysignl(0, a * b) : -1;
  const Real q = (a - remainder(a, b)) / b;  // whole up to the rounding of a long double
  return q == 0 ? copysignl(0, a / b) : roundl(q);
}
Real next_after(Real a, Real b, DType dtype) {
  return dtype == float32 ? static_cast<Real>(::nextafterf(static_cast<float>(a), static_cast<float>(b)))
                          : static_cast<Real>(std::nextafter(static_cast<double>(a), static_cast<double>(b)));
}
Real shifted(Real a, Real by, DType dtype, bool left, bool arithmetic) {
  const int bits = static_cast<int>(size_of(dtype)) * 8;
  const auto x = static_cast<std::int64_t>(a);
  if (left)
    return by >= bits
               ? 0
               : static_cast<Real>(static_cast<std::int64_t>(static_cast<std::uint64_t>(x) << static_cast<int>(by)));
  if (arithmetic) return floorl(a / exp2l(by));
  const std::uint64_t mask = bits == 64 ? ~0ULL : (1ULL << bits) - 1;
  return static_cast<Real>(static_cast<std::int64_t>((static_cast<std::uint64_t>(x) & mask) >> static_cast<int>(by)));
}
std::int64_t whole(Real x) { return static_cast<std::int64_t>(x); }

const std::map<std::string, Row>& rows() {
  static const std::map<std::string, Row> table = [] {
    std::map<std::string, Row> all;
    for (const auto& row : reference::unary_references()) {
      all[row.name] = of1(row.value, row.bound64);
      all[row.name].absolute = row.absolute64;
    }
    all["abs"] = all.at("absolute");
    all.erase("absolute");
    all["logical_not"] = truth([](Real a, Real) -> Real { return a == 0; });
    all["isnan"] = truth([](Real a, Real) -> Real { return std::isnan(a); });
    all["isinf"] = truth([](Real a, Real) -> Real { return std::isinf(a); });
    all["isfinite"] = truth([](Real a, Real) -> Real { return std::isfinite(a); });
    all["round_bfloat16"] = of1([](Real a) -> Real { return rounded(a, bfloat16); });
    all["bitwise_invert"] = of1([](Real a) -> Real { return static_cast<Real>(~whole(a)); });
    all["add"] = of2([](Real a, Real b) { return a + b; }, 0.501);
    all["subtract"] = of2([](Real a, Real b) { return a - b; }, 0.501);
    all["multiply"] = of2([](Real a, Real b) { return a * b; }, 0.501);
    all["divide"] = of2([](Real a, Real b) { return a / b; }, 0.501);
    all["maximum"] = of2(maximum);
    all["minimum"] = of2(minimum);
    all["pow"] = of2(power, 1.5);
    all["atan2"] = of2([](Real a, Real b) { return atan2l(a, b); }, 2.5);
    all["hypot"] = of2([](Real a, Real b) { return hypotl(a, b); }, 2);
    all["logaddexp"] = of2(log_add_exp, 8);
    all["logaddexp"].absolute = true;
    all["copysign"] = of2([](Real a, Real b) { return copysignl(a, b); });
    all["remainder"] = of2(remainder, 0.501);
    all["nextafter"] = {[](Real a, Real b, Real, DType d) { return next_after(a, b, d); }, 0};
    all["floor_divide"] = {[](Real a, Real b, Real, DType d) { return floor_divide(a, b, d); }, 0};
    all["equal"] = truth([](Real a, Real b) -> Real { return a == b; });
    all["not_equal"] = truth([](Real a, Real b) -> Real { return a != b; });
    all["less"] = truth([](Real a, Real b) -> Real { return a < b; });
    all["less_equal"] = truth([](Real a, Real b) -> Real { return a <= b; });
    all["greater"] = truth([](Real a, Real b) -> Real { return a > b; });
    all["greater_equal"] = truth([](Real a, Real b) -> Real { return a >= b; });
    all["logical_and"] = truth([](Real a, Real b) -> Real { return a != 0 && b != 0; });
    all["logical_or"] = truth([](Real a, Real b) -> Real { return a != 0 || b != 0; });
    all["logical_xor"] = truth([](Real a, Real b) -> Real { return (a != 0) != (b != 0); });
    all["bitwise_and"] = of2([](Real a, Real b) -> Real { return static_cast<Real>(whole(a) & whole(b)); });
    all["bitwise_or"] = of2([](Real a, Real b) -> Real { return static_cast<Real>(whole(a) | whole(b)); });
    all["bitwise_xor"] = of2([](Real a, Real b) -> Real { return static_cast<Real>(whole(a) ^ whole(b)); });
    all["bitwise_left_shift"] = {[](Real a, Real b, Real, DType d) { return shifted(a, b, d, true, true); }, 0};
    all["bitwise_right_shift"] = {[](Real a, Real b, Real, DType d) { return shifted(a, b, d, false, true); }, 0};
    all["bitwise_right_shift_logical"] = {[](Real a, Real b, Real, DType d) { return shifted(a, b, d, false, false); },
                                          0};
    all["relu_gate"] = of2([](Real a, Real b) { return b > 0 ? a : 0; });
    all["fma"] = {[](Real a, Real b, Real c, DType) { return fmal(a, b, c); }, 0.502};
    return all;
  }();
  return table;
}

std::vector<Expected> expected_of(const Row& row, double ulp32, const std::vector<Tensor>& x) {
  const DType type = x[0].dtype;
  Expected e{{x[0].shape, row.predicate ? bool_ : type, {}}, {}};
  const bool inexact = !row.predicate && is_float(type);
  const double ulp = type == float32 ? ulp32 * 1.001 : row.ulp64;
  for (std::size_t i = 0; i < x[0].values.size(); ++i) {
    const auto at = [&](std::size_t k) { return k < x.size() ? x[k].values[i] : Real(0); };
    const Real v = row.value(at(0), at(1), at(2), type);
    e.y.values.push_back(inexact || row.predicate ? v : rounded(v, type));
    if (!inexact) continue;
    const Real from = row.absolute && type == float64 ? std::max(fabsl(v), Real(1)) : v;
    const Real unit = type == float32 ? reference::unit_at<float>(from) : reference::unit_at<double>(from);
    e.slack.push_back(std::isfinite(v) ? ulp * unit : 0);
  }
  return {e};
}

/// astype, one case for each type that is converted to.
Case cast_to(DType to) {
  Case c{"astype", "to " + std::string(pellucid::name_of(to)), {{{5, 7}, Role::kData, -3, 3}}, {}, {}};
  c.any_shape = true;
  if (is_float(to)) c.rounding = static_cast<double>(unit_of(to));
  c.make = [to](const Arrays& x) {
    Attributes attributes;
    attributes.dtype = to;
    return ops::make_all(*ops::find_record("astype"), x, attributes);
  };
  c.reference = [to](const std::vector<Tensor>& x) {
    Expected e{{x[0].shape, to, {}}, {}};
    for (Real v : x[0].values) {
      if (!is_float(to) && to != bool_ && is_float(x[0].dtype)) {  // truncates, saturates, NaN gives 0
        const Real low = to == uint8 ? 0 : to == int32 ? -0x1p31L : -0x1p63L;
        const Real high = to == uint8 ? 255 : to == int32 ? 0x1p31L - 1 : 0x1p63L - 1;
        v = std::isnan(v) ? 0 : std::clamp(truncl(v), low, high);
      } else {
        v = rounded(v, to);
      }
      e.y.values.push_back(v);
      e.slack.push_back(0);
    }
    return std::vector<Expected>{e};
  };
  return c;
}

Case where_case() {
  Case c{"where", "", {{{5, 7}, Role::kMask}, {{5, 7}}, {{5, 7}}}, {}, {}};
  c.any_shape = true;
  c.make = [](const Arrays& x) { return ops::make_all(*ops::find_record("where"), x); };
  c.reference = [](const std::vector<Tensor>& x) {
    Expected e{{x[1].shape, x[1].dtype, {}}, {}};
    for (std::size_t i = 0; i < x[0].values.size(); ++i)
      e.y.values.push_back(x[0].values[i] != 0 ? x[1].values[i] : x[2].values[i]);
    return std::vector<Expected>{e};
  };
  return c;
}

}  // namespace

void add_map_cases(std::vector<Case>& list) {
  for (DType to : kAllDTypes) list.push_back(cast_to(to));
  list.push_back(where_case());
  for (const ops::Record* record : ops::all_records()) {
    if (record->kind != ops::Kind::kMap || record->name == "astype" || record->name == "where") continue;
    const auto found = rows().find(std::string(record->name));
    if (found == rows().end()) continue;  // the tests fail for a record that has no case
    const Row& row = found->second;
    for (const bool large : {false, true}) {
      Case c{std::string(record->name), large ? "large" : "", {}, {}, {}};
      c.operands.assign(static_cast<std::size_t>(record->arity), Operand{large ? Shape{129, 1031} : Shape{5, 7}});
      c.any_shape = !large;
      c.large = large;
      c.make = [record](const Arrays& x) { return ops::make_all(*record, x); };
      c.reference = [&row, record](const std::vector<Tensor>& x) { return expected_of(row, record->ulp, x); };
      if (record->name == "remainder") {  // whole quotients are its kinks
        c.usable = [](const std::vector<Tensor>& x) {
          for (std::size_t i = 0; i < x[0].values.size(); ++i) {
            const Real q = x[0].values[i] / x[1].values[i];
            if (fabsl(q - roundl(q)) < 0.01L) return false;
          }
          return true;
        };
      }
      list.push_back(std::move(c));
    }
  }
}

}  // namespace pellucid::laws
