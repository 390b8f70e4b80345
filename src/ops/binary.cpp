// Elementwise primitives of two and three operands.
#include "ops/record.h"
#include "pellucid/ops.h"

namespace pellucid::ops {
namespace {

using kernels::MapTable;

const std::vector<DType> kFloats = {float32, float64};
const std::vector<DType> kNumbers = {uint8, int32, int64, float32, float64};
const std::vector<DType> kWhole = {uint8, int32, int64};
const std::vector<DType> kAny = {bool_, uint8, int32, int64, float32, float64};

template <kernels::Maps MapTable::*Kernel>
Record binary(std::string_view name, std::string_view summary, std::array<double, 2> domain, Partial by_x, Partial by_y,
              double ulp = 2, const std::vector<DType>& dtypes = kFloats) {
  Record record;
  record.name = name;
  record.summary = summary;
  record.shapes = "(...), (...) -> (...)";
  record.kind = Kind::kMap;
  record.arity = 2;
  record.differentiable = by_x != nullptr || by_y != nullptr;
  record.infer = infer_map;
  record.partials = {by_x, by_y, nullptr};
  record.map = map_of<Kernel>;
  record.dtypes = dtypes;
  record.domain = domain;
  record.ulp = ulp;
  return record;
}

template <kernels::Maps MapTable::*Kernel>
Record comparison(std::string_view name, std::string_view summary, const std::vector<DType>& dtypes = kAny) {
  Record record = binary<Kernel>(name, summary, {-3, 3}, nullptr, nullptr, 0, dtypes);
  record.infer = infer_predicate;
  return record;
}

constexpr Partial kNone = nullptr;
Array one(const Arrays&, const Array&) { return Array(1.0); }
Array minus_one(const Arrays&, const Array&) { return Array(-1.0); }

// 1 where x is the one taken, 1/2 where both are equal, 0 elsewhere: a derivative that does not depend on the order.
Array share_of(const Array& x, const Array& y, const Array& taken) {
  const Array mine = astype(equal(x, taken), x.dtype());
  return mine - 0.5 * astype(equal(x, y), x.dtype()) * mine;
}

const Record& kAdd = define(binary<&MapTable::add>("add", "x + y", {-3, 3}, one, one, 0.5, kNumbers));
const Record& kSubtract =
    define(binary<&MapTable::subtract>("subtract", "x - y", {-3, 3}, one, minus_one, 0.5, kNumbers));
const Record& kMultiply = define(binary<&MapTable::multiply>(
    "multiply", "x y", {-3, 3}, [](const Arrays& x, const Array&) { return x[1]; },
    [](const Arrays& x, const Array&) { return x[0]; }, 0.5, kNumbers));
const Record& kDivide = define(binary<&MapTable::divide>(
    "divide", "x / y", {0.5, 3}, [](const Arrays& x, const Array&) { return reciprocal(x[1]); },
    [](const Arrays& x, const Array& y) { return -y / x[1]; }, 0.5));
const Record& kMaximum = define(binary<&MapTable::maximum>(
    "maximum", "the larger of x and y; NaN wins", {-3, 3},
    [](const Arrays& x, const Array& y) { return share_of(x[0], x[1], y); },
    [](const Arrays& x, const Array& y) { return share_of(x[1], x[0], y); }, 0, kAny));
const Record& kMinimum = define(binary<&MapTable::minimum>(
    "minimum", "the smaller of x and y; NaN wins", {-3, 3},
    [](const Arrays& x, const Array& y) { return share_of(x[0], x[1], y); },
    [](const Arrays& x, const Array& y) { return share_of(x[1], x[0], y); }, 0, kAny));
const Record& kPower = define(binary<&MapTable::power>(
    "pow", "x to the power y", {0.5, 3},
    [](const Arrays& x, const Array&) { return where(equal(x[1], 0), 0, x[1] * pow(x[0], x[1] - 1)); },
    [](const Arrays& x, const Array& y) { return where(equal(x[0], 0) & greater(x[1], 0), 0, y * log(x[0])); }, 2,
    kNumbers));
const Record& kAtan2 = define(binary<&MapTable::atan2>(
    "atan2", "the angle of the point (y, x), operands in this order", {0.5, 3},
    [](const Arrays& x, const Array&) { return x[1] / (square(x[0]) + square(x[1])); },
    [](const Arrays& x, const Array&) { return -x[0] / (square(x[0]) + square(x[1])); }));
const Record& kHypot = define(binary<&MapTable::hypot>(
    "hypot", "sqrt(x^2 + y^2) without overflow", {0.5, 3}, [](const Arrays& x, const Array& y) { return x[0] / y; },
    [](const Arrays& x, const Array& y) { return x[1] / y; }));
const Record& kLogaddexp = define(binary<&MapTable::logaddexp>(
    "logaddexp", "log(exp(x) + exp(y))", {-3, 3}, [](const Arrays& x, const Array&) { return sigmoid(x[0] - x[1]); },
    [](const Arrays& x, const Array&) { return sigmoid(x[1] - x[0]); }));
const Record& kCopysign = define(binary<&MapTable::copysign>(
    "copysign", "|x| with the sign of y", {0.5, 3},
    [](const Arrays& x, const Array&) { return copysign(ones_like(x[0]), x[0]) * copysign(ones_like(x[0]), x[1]); },
    kNone, 0));
const Record& kNextafter = define(
    binary<&MapTable::nextafter>("nextafter", "the number next to x in the direction of y", {-3, 3}, kNone, kNone, 0));
const Record& kFloorDivide =
    define(binary<&MapTable::floor_divide>("floor_divide", "floor(x / y)", {0.5, 3}, kNone, kNone, 0, kNumbers));
const Record& kRemainder = define(binary<&MapTable::remainder>(
    "remainder", "x - floor(x / y) y, with the sign of y", {0.5, 3}, one,
    [](const Arrays& x, const Array&) { return -floor_divide(x[0], x[1]); }, 0, kNumbers));
const Record& kEqual = define(comparison<&MapTable::equal>("equal", "x = y"));
const Record& kNotEqual = define(comparison<&MapTable::not_equal>("not_equal", "x differs from y"));
const Record& kLess = define(comparison<&MapTable::less>("less", "x < y"));
const Record& kLessEqual = define(comparison<&MapTable::less_equal>("less_equal", "x <= y"));
const Record& kGreater = define(comparison<&MapTable::greater>("greater", "x > y"));
const Record& kGreaterEqual = define(comparison<&MapTable::greater_equal>("greater_equal", "x >= y"));
const Record& kLogicalAnd = define(comparison<&MapTable::logical_and>("logical_and", "x and y", {bool_}));
const Record& kLogicalOr = define(comparison<&MapTable::logical_or>("logical_or", "x or y", {bool_}));
const Record& kLogicalXor = define(comparison<&MapTable::logical_xor>("logical_xor", "either x or y", {bool_}));

template <kernels::Maps MapTable::*Kernel>
const Record& bits(std::string_view name, std::string_view summary, const std::vector<DType>& dtypes = kWhole) {
  return define(binary<Kernel>(name, summary, {0, 4}, nullptr, nullptr, 0, dtypes));
}
const std::vector<DType> kBits = {bool_, uint8, int32, int64};
const Record& kBitwiseAnd = bits<&MapTable::bitwise_and>("bitwise_and", "the bits set in both", kBits);
const Record& kBitwiseOr = bits<&MapTable::bitwise_or>("bitwise_or", "the bits set in either", kBits);
const Record& kBitwiseXor = bits<&MapTable::bitwise_xor>("bitwise_xor", "the bits set in one alone", kBits);
const Record& kLeftShift = bits<&MapTable::left_shift>("bitwise_left_shift", "x 2^y");
const Record& kRightShift = bits<&MapTable::right_shift>("bitwise_right_shift", "floor(x / 2^y)");
const Record& kRightShiftLogical =
    bits<&MapTable::right_shift_logical>("bitwise_right_shift_logical", "the bits moved right, zeros filled in");

Record relu_gate_definition() {
  Record record = binary<&MapTable::relu_gate>("relu_gate", "y > 0 ? x : 0", {-3, 3}, nullptr, nullptr, 0, kNumbers);
  record.differentiable = true;
  record.vjp = [](const VjpCall& call) { return Arrays{relu_gate(call.cotangents[0], call.inputs[1]), Array()}; };
  record.jvp = [](const JvpCall& call) {
    return Arrays{call.tangents[0].defined() ? relu_gate(call.tangents[0], call.inputs[1]) : Array()};
  };
  return record;
}
const Record& kReluGate = define(relu_gate_definition());

Record where_definition() {
  Record record;
  record.name = "where";
  record.summary = "condition ? x : y";
  record.shapes = "(...), (...), (...) -> (...)";
  record.kind = Kind::kMap;
  record.arity = 3;
  record.infer = [](const Record& self, const Arrays& inputs, const Attributes&, std::vector<Output>& outputs) {
    if (inputs[0].dtype() != DType::kBool) {
      fail(self.name, "the condition is {}; it must be bool, as from a comparison", inputs[0].dtype());
    }
    outputs.push_back({inputs[1].shape(), inputs[1].dtype(), nullptr, {}, 0});
  };
  record.map = [](DType, DType out) { return kernels::map_table().select[out]; };
  record.vjp = [](const VjpCall& call) {
    const Array& g = call.cotangents[0];
    return Arrays{Array(), call.needed[1] ? where(call.inputs[0], g, 0) : Array(),
                  call.needed[2] ? where(call.inputs[0], 0, g) : Array()};
  };
  record.jvp = [](const JvpCall& call) {
    const Array& x = call.tangents[1];
    const Array& y = call.tangents[2];
    if (!x.defined() && !y.defined()) return Arrays(1);
    return Arrays{where(call.inputs[0], x.defined() ? x : Array(0.0), y.defined() ? y : Array(0.0))};
  };
  record.dtypes = {bool_, uint8, int32, int64, bfloat16, float32, float64};
  record.ulp = 0;
  return record;
}
const Record& kWhere = define(where_definition());

Record fma_definition() {
  Record record = binary<&MapTable::fma>(
      "fma", "x y + z with one rounding", {-3, 3}, [](const Arrays& x, const Array&) { return x[1]; },
      [](const Arrays& x, const Array&) { return x[0]; }, 0.5);
  record.shapes = "(...), (...), (...) -> (...)";
  record.arity = 3;
  record.partials[2] = one;
  return record;
}
const Record& kFma = define(fma_definition());

/// bool operands of logic keep their type; others become bool first.
Array logic(const Record& record, const Array& x, const Array& y) {
  return map(record, {astype(x, bool_), astype(y, bool_)});
}

}  // namespace

Array relu_gate(const Array& x, const Array& y) { return make(kReluGate, {x, y}); }
Array right_shift_logical(const Array& x, const Array& y) { return map(kRightShiftLogical, {x, y}); }

}  // namespace pellucid::ops

namespace pellucid {

using namespace ops;  // NOLINT: the records above

Array add(const Array& x, const Array& y) { return map(kAdd, {x, y}); }
Array subtract(const Array& x, const Array& y) { return map(kSubtract, {x, y}); }
Array multiply(const Array& x, const Array& y) { return map(kMultiply, {x, y}); }
Array divide(const Array& x, const Array& y) { return map_float(kDivide, {x, y}); }
Array floor_divide(const Array& x, const Array& y) { return map(kFloorDivide, {x, y}); }
Array remainder(const Array& x, const Array& y) { return map(kRemainder, {x, y}); }
Array pow(const Array& x, const Array& y) {
  if (is_scalar_constant(y, 2)) return map(kMultiply, {x, x});
  return map(kPower, {x, y});
}
Array fma(const Array& x, const Array& y, const Array& z) { return map_float(kFma, {x, y, z}); }
Array atan2(const Array& y, const Array& x) { return map_float(kAtan2, {y, x}); }
Array hypot(const Array& x, const Array& y) { return map_float(kHypot, {x, y}); }
Array logaddexp(const Array& x, const Array& y) { return map_float(kLogaddexp, {x, y}); }
Array maximum(const Array& x, const Array& y) { return map(kMaximum, {x, y}); }
Array minimum(const Array& x, const Array& y) { return map(kMinimum, {x, y}); }
Array copysign(const Array& x, const Array& y) { return map_float(kCopysign, {x, y}); }
Array nextafter(const Array& x, const Array& y) { return map_float(kNextafter, {x, y}); }
Array equal(const Array& x, const Array& y) { return map(kEqual, {x, y}); }
Array not_equal(const Array& x, const Array& y) { return map(kNotEqual, {x, y}); }
Array less(const Array& x, const Array& y) { return map(kLess, {x, y}); }
Array less_equal(const Array& x, const Array& y) { return map(kLessEqual, {x, y}); }
Array greater(const Array& x, const Array& y) { return map(kGreater, {x, y}); }
Array greater_equal(const Array& x, const Array& y) { return map(kGreaterEqual, {x, y}); }
Array logical_and(const Array& x, const Array& y) { return logic(kLogicalAnd, x, y); }
Array logical_or(const Array& x, const Array& y) { return logic(kLogicalOr, x, y); }
Array logical_xor(const Array& x, const Array& y) { return logic(kLogicalXor, x, y); }
Array bitwise_and(const Array& x, const Array& y) { return map(kBitwiseAnd, {x, y}); }
Array bitwise_or(const Array& x, const Array& y) { return map(kBitwiseOr, {x, y}); }
Array bitwise_xor(const Array& x, const Array& y) { return map(kBitwiseXor, {x, y}); }
Array bitwise_left_shift(const Array& x, const Array& y) { return map(kLeftShift, {x, y}); }
Array bitwise_right_shift(const Array& x, const Array& y) { return map(kRightShift, {x, y}); }

Array operator+(const Array& x, const Array& y) { return add(x, y); }
Array operator-(const Array& x, const Array& y) { return subtract(x, y); }
Array operator*(const Array& x, const Array& y) { return multiply(x, y); }
Array operator/(const Array& x, const Array& y) { return divide(x, y); }
Array operator<(const Array& x, const Array& y) { return less(x, y); }
Array operator<=(const Array& x, const Array& y) { return less_equal(x, y); }
Array operator>(const Array& x, const Array& y) { return greater(x, y); }
Array operator>=(const Array& x, const Array& y) { return greater_equal(x, y); }
Array operator&(const Array& x, const Array& y) { return bitwise_and(x, y); }
Array operator|(const Array& x, const Array& y) { return bitwise_or(x, y); }
Array operator^(const Array& x, const Array& y) { return bitwise_xor(x, y); }

Array where(const Array& condition, const Array& x, const Array& y) {
  const Arrays values = promoted("where", {x, y});
  return make(kWhere, broadcast_together("where", {condition, values[0], values[1]}));
}

}  // namespace pellucid
