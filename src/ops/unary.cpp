// Elementwise primitives of one operand: for each a formula's kernel, its derivative, its domain.
#include "ops/record.h"
#include "pellucid/ops.h"

namespace pellucid::ops {
namespace {

using kernels::MapTable;

const std::vector<DType> kFloats = {float32, float64};
const std::vector<DType> kNumbers = {uint8, int32, int64, float32, float64};

template <kernels::Maps MapTable::*Kernel>
Record unary(std::string_view name, std::string_view summary, std::array<double, 2> domain, Partial partial,
             double ulp = 2, const std::vector<DType>& dtypes = kFloats) {
  Record record;
  record.name = name;
  record.summary = summary;
  record.shapes = "(...) -> (...)";
  record.kind = Kind::kMap;
  record.arity = 1;
  record.differentiable = partial != nullptr;
  record.infer = infer_map;
  record.partials[0] = partial;
  record.map = map_of<Kernel>;
  record.dtypes = dtypes;
  record.domain = domain;
  record.ulp = ulp;
  return record;
}

template <kernels::Maps MapTable::*Kernel>
Record predicate(std::string_view name, std::string_view summary, const std::vector<DType>& dtypes) {
  Record record = unary<Kernel>(name, summary, {-3, 3}, nullptr, 0, dtypes);
  record.infer = infer_predicate;
  return record;
}

// The derivative of sign, floor and their like is zero wherever there is one.
constexpr Partial kNone = nullptr;

const double kTwoOverRootPi = 1.1283791670955126;
const double kOneOverRootTwoPi = 0.3989422804014327;
const double kLn2 = 0.6931471805599453;
const double kLn10 = 2.302585092994046;

Array normal_density(const Array& x) { return kOneOverRootTwoPi * exp(-0.5 * square(x)); }

const Record& kNegative = define(unary<&MapTable::negative>(
    "negative", "-x", {-3, 3}, [](const Arrays&, const Array&) { return Array(-1.0); }, 0, kNumbers));
const Record& kAbs = define(unary<&MapTable::absolute>(
    "abs", "|x|", {-3, 3}, [](const Arrays& x, const Array&) { return sign(x[0]); }, 0, kNumbers));
const Record& kSign = define(unary<&MapTable::sign>("sign", "-1, 0 or 1", {-3, 3}, kNone, 0, kNumbers));
const Record& kFloor = define(unary<&MapTable::floor>("floor", "the largest whole number <= x", {-3, 3}, kNone, 0));
const Record& kCeil = define(unary<&MapTable::ceil>("ceil", "the smallest whole number >= x", {-3, 3}, kNone, 0));
const Record& kTrunc = define(unary<&MapTable::trunc>("trunc", "x without its fraction", {-3, 3}, kNone, 0));
const Record& kRound =
    define(unary<&MapTable::round>("round", "the nearest whole number, halves to even", {-3, 3}, kNone, 0));
const Record& kSqrt = define(unary<&MapTable::sqrt>(
    "sqrt", "the square root of x", {0.1, 4}, [](const Arrays&, const Array& y) { return 0.5 / y; }, 0.5));
const Record& kRsqrt = define(unary<&MapTable::rsqrt>("rsqrt", "1 / sqrt(x)", {0.1, 4},
                                                      [](const Arrays& x, const Array& y) { return -0.5 * y / x[0]; }));
const Record& kReciprocal = define(unary<&MapTable::reciprocal>(
    "reciprocal", "1 / x", {0.5, 3}, [](const Arrays&, const Array& y) { return -square(y); }, 0.5));
const Record& kSquare = define(unary<&MapTable::square>(
    "square", "x * x", {-3, 3}, [](const Arrays& x, const Array&) { return 2 * x[0]; }, 0.5, kNumbers));
const Record& kExp = define(unary<&MapTable::exp>(
    "exp", "e to the power x", {-3, 3}, [](const Arrays&, const Array& y) { return y; }, 1));
const Record& kExp2 = define(unary<&MapTable::exp2>("exp2", "2 to the power x", {-3, 3},
                                                    [](const Arrays&, const Array& y) { return kLn2 * y; }));
const Record& kExpm1 = define(unary<&MapTable::expm1>("expm1", "exp(x) - 1, exact near 0", {-3, 3},
                                                      [](const Arrays&, const Array& y) { return y + 1; }));
const Record& kLog = define(unary<&MapTable::log>(
    "log", "the natural logarithm", {0.1, 4}, [](const Arrays& x, const Array&) { return reciprocal(x[0]); }, 1));
const Record& kLog2 = define(unary<&MapTable::log2>("log2", "the logarithm to base 2", {0.1, 4},
                                                    [](const Arrays& x, const Array&) { return (1 / kLn2) / x[0]; }));
const Record& kLog10 = define(unary<&MapTable::log10>(
    "log10", "the logarithm to base 10", {0.1, 4}, [](const Arrays& x, const Array&) { return (1 / kLn10) / x[0]; }));
const Record& kLog1p =
    define(unary<&MapTable::log1p>("log1p", "log(1 + x), exact near 0", {-0.5, 3},
                                   [](const Arrays& x, const Array&) { return reciprocal(1 + x[0]); }));
const Record& kSin = define(unary<&MapTable::sin>("sin", "the sine of x in radians", {-4, 4},
                                                  [](const Arrays& x, const Array&) { return cos(x[0]); }));
const Record& kCos = define(unary<&MapTable::cos>("cos", "the cosine of x in radians", {-4, 4},
                                                  [](const Arrays& x, const Array&) { return -sin(x[0]); }));
const Record& kTan = define(unary<&MapTable::tan>("tan", "the tangent of x in radians", {-1.2, 1.2},
                                                  [](const Arrays&, const Array& y) { return 1 + square(y); }));
const Record& kAsin =
    define(unary<&MapTable::asin>("asin", "the angle in [-pi/2, pi/2] whose sine is x", {-0.9, 0.9},
                                  [](const Arrays& x, const Array&) { return rsqrt((1 - x[0]) * (1 + x[0])); }));
const Record& kAcos =
    define(unary<&MapTable::acos>("acos", "the angle in [0, pi] whose cosine is x", {-0.9, 0.9},
                                  [](const Arrays& x, const Array&) { return -rsqrt((1 - x[0]) * (1 + x[0])); }));
const Record& kAtan =
    define(unary<&MapTable::atan>("atan", "the angle in (-pi/2, pi/2) whose tangent is x", {-3, 3},
                                  [](const Arrays& x, const Array&) { return reciprocal(1 + square(x[0])); }));
const Record& kSinh = define(unary<&MapTable::sinh>("sinh", "the hyperbolic sine", {-3, 3},
                                                    [](const Arrays& x, const Array&) { return cosh(x[0]); }));
const Record& kCosh = define(unary<&MapTable::cosh>("cosh", "the hyperbolic cosine", {-3, 3},
                                                    [](const Arrays& x, const Array&) { return sinh(x[0]); }));
const Record& kTanh = define(unary<&MapTable::tanh>(
    "tanh", "the hyperbolic tangent", {-3, 3}, [](const Arrays&, const Array& y) { return 1 - square(y); }, 1));
const Record& kAsinh = define(unary<&MapTable::asinh>(
    "asinh", "the inverse of sinh", {-3, 3}, [](const Arrays& x, const Array&) { return rsqrt(square(x[0]) + 1); }));
const Record& kAcosh =
    define(unary<&MapTable::acosh>("acosh", "the inverse of cosh, >= 0", {1.2, 4},
                                   [](const Arrays& x, const Array&) { return rsqrt((x[0] - 1) * (x[0] + 1)); }));
const Record& kAtanh =
    define(unary<&MapTable::atanh>("atanh", "the inverse of tanh", {-0.9, 0.9},
                                   [](const Arrays& x, const Array&) { return reciprocal((1 - x[0]) * (1 + x[0])); }));
const Record& kErf =
    define(unary<&MapTable::erf>("erf", "the error function", {-2, 2},
                                 [](const Arrays& x, const Array&) { return kTwoOverRootPi * exp(-square(x[0])); }));
const Record& kErfc =
    define(unary<&MapTable::erfc>("erfc", "1 - erf(x), exact in the tail", {-2, 2},
                                  [](const Arrays& x, const Array&) { return -kTwoOverRootPi * exp(-square(x[0])); }));
const Record& kErfinv =
    define(unary<&MapTable::erfinv>("erfinv", "the inverse of erf", {-0.9, 0.9}, [](const Arrays&, const Array& y) {
      return (1 / kTwoOverRootPi) * exp(square(y));
    }));
const Record& kLgamma = define(unary<&MapTable::lgamma>("lgamma", "the logarithm of |gamma(x)|", {0.5, 4},
                                                        [](const Arrays& x, const Array&) { return digamma(x[0]); }));
// The derivative of digamma is trigamma, summed from its recurrence and asymptotic series where x is large enough.
Array trigamma(const Array& x) {
  Array shifted = x;
  Array total = 0.0;
  for (int i = 0; i < 8; ++i) {
    total = total + reciprocal(square(shifted));
    shifted = shifted + 1;
  }
  const Array r = reciprocal(shifted);
  const Array r2 = square(r);
  return total +
         r * (1 + r * 0.5 +
              r2 * (1.0 / 6 -
                    r2 * (1.0 / 30 -
                          r2 * (1.0 / 42 - r2 * (1.0 / 30 - r2 * (5.0 / 66 - r2 * (691.0 / 2730 - r2 * (7.0 / 6))))))));
}
const Record& kDigamma = define(unary<&MapTable::digamma>(
    "digamma", "the derivative of lgamma", {0.5, 4}, [](const Arrays& x, const Array&) { return trigamma(x[0]); }));
const Record& kSigmoid = define(unary<&MapTable::sigmoid>("sigmoid", "1 / (1 + exp(-x))", {-4, 4},
                                                          [](const Arrays&, const Array& y) { return y * (1 - y); }));
const Record& kSoftplus = define(unary<&MapTable::softplus>(
    "softplus", "log(1 + exp(x))", {-4, 4}, [](const Arrays& x, const Array&) { return sigmoid(x[0]); }));
const Record& kLogSigmoid = define(unary<&MapTable::log_sigmoid>(
    "log_sigmoid", "log(sigmoid(x))", {-4, 4}, [](const Arrays& x, const Array&) { return sigmoid(-x[0]); }));
const Record& kSilu =
    define(unary<&MapTable::silu>("silu", "x sigmoid(x)", {-4, 4}, [](const Arrays& x, const Array& y) {
      const Array s = sigmoid(x[0]);
      return s + y * (1 - s);
    }));
const Record& kMish =
    define(unary<&MapTable::mish>("mish", "x tanh(softplus(x))", {-4, 4}, [](const Arrays& x, const Array&) {
      // tanh(softplus(x)) = s (1 + c) w and sigmoid(x) (1 - its square) = 4 s c^2 w^2.
      const Array s = sigmoid(x[0]), c = 1 - s, q = square(c), w = reciprocal(1 + q);
      return s * w * fma(4 * x[0] * q, w, 1 + c);
    }));
const Record& kGelu = define(unary<&MapTable::gelu>(
    "gelu", "x Phi(x), Phi the normal distribution function", {-4, 4}, [](const Arrays& x, const Array&) {
      return 0.5 * (1 + erf(0.7071067811865476 * x[0])) + x[0] * normal_density(x[0]);
    }));
const Record& kGeluTanh = define(unary<&MapTable::gelu_tanh>(
    "gelu_tanh", "x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2", {-4, 4}, [](const Arrays& x, const Array&) {
      // x sigmoid(z), z = x (a + b x^2): sigmoid(z) (1 + (1 - sigmoid(z)) x z').
      const double a = 1.5957691216057308, b = a * 0.044715;
      const Array q = square(x[0]), gate = sigmoid(x[0] * fma(q, b, a));
      return gate * fma(1 - gate, x[0] * fma(q, 3 * b, a), 1.0);
    }));
const Record& kIsnan = define(predicate<&MapTable::isnan>("isnan", "is x not a number", kFloats));
const Record& kIsinf = define(predicate<&MapTable::isinf>("isinf", "is x infinite", kFloats));
const Record& kIsfinite = define(predicate<&MapTable::isfinite>("isfinite", "is x neither infinite nor NaN", kFloats));
const Record& kLogicalNot = define(predicate<&MapTable::logical_not>("logical_not", "not x", {bool_}));
const Record& kBitwiseInvert = define(unary<&MapTable::bitwise_invert>("bitwise_invert", "the bits of x, each inverted",
                                                                       {-3, 3}, kNone, 0, {uint8, int32, int64}));

Record relu_definition() {
  Record record = unary<&MapTable::relu>("relu", "max(x, 0)", {-3, 3}, nullptr, 0, kNumbers);
  record.differentiable = true;
  record.vjp = [](const VjpCall& call) { return Arrays{relu_gate(call.cotangents[0], call.outputs[0])}; };
  record.jvp = [](const JvpCall& call) {
    return Arrays{call.tangents[0].defined() ? relu_gate(call.tangents[0], call.outputs[0]) : Array()};
  };
  return record;
}
const Record& kRelu = define(relu_definition());

Record cast_definition() {
  Record record;
  record.name = "astype";
  record.summary = "x converted to another type; float to integer truncates and saturates";
  record.shapes = "(...) -> (...)";
  record.kind = Kind::kMap;
  record.infer = [](const Record&, const Arrays& inputs, const Attributes& attributes, std::vector<Output>& outputs) {
    outputs.push_back({inputs[0].shape(), attributes.dtype, nullptr, {}, 0});
  };
  record.map = [](DType in, DType out) { return kernels::map_table().cast[static_cast<std::size_t>(out)][in]; };
  record.vjp = [](const VjpCall& call) {
    if (!is_float(call.outputs[0].dtype())) return Arrays(1);
    return Arrays{astype(call.cotangents[0], call.inputs[0].dtype())};
  };
  record.jvp = [](const JvpCall& call) {
    if (!call.tangents[0].defined() || !is_float(call.outputs[0].dtype())) return Arrays(1);
    return Arrays{astype(call.tangents[0], call.outputs[0].dtype())};
  };
  record.ulp = 0;
  return record;
}
const Record& kCast = define(cast_definition());

Array integer_kept(const Record& record, const Array& x) {
  return x.defined() && !is_float(x.dtype()) ? x : map(record, {x});
}

}  // namespace
}  // namespace pellucid::ops

namespace pellucid {

using namespace ops;  // NOLINT: the records above

Array astype(const Array& x, DType dtype) {
  if (!x.defined()) fail("astype", "the operand is an undefined Array (default-constructed or moved from)");
  if (x.dtype() == dtype && !x.weak()) return x;
  if (x.weak() && x.rank() == 0 && x.evaluated()) {  // a literal takes on the type without a step of its own
    const Output& out = x.node()->outputs[x.output()];
    if (dtype == out.dtype) return make_constant(out.storage, {}, dtype);
    auto storage = Storage::allocate(size_of(dtype));
    const double value =
        is_float(out.dtype) ? x.node()->attributes.real : array::element(out.storage->data(), out.dtype, out.offset);
    array::set_element(storage->data(), dtype, 0, value);
    return make_constant(std::move(storage), {}, dtype);
  }
  if (x.dtype() == dtype) return x;
  Attributes attributes;
  attributes.dtype = dtype;
  return make(kCast, {x}, std::move(attributes));
}

Array negative(const Array& x) {
  if (x.weak() && is_float(x.dtype()) && x.evaluated()) return Array(-x.node()->attributes.real);  // keeps its digits
  return map(kNegative, {x});
}
Array operator-(const Array& x) { return negative(x); }
Array operator+(const Array& x) { return x; }
Array abs(const Array& x) { return map(kAbs, {x}); }
Array sign(const Array& x) { return map(kSign, {x}); }
Array floor(const Array& x) { return integer_kept(kFloor, x); }
Array ceil(const Array& x) { return integer_kept(kCeil, x); }
Array trunc(const Array& x) { return integer_kept(kTrunc, x); }
Array round(const Array& x) { return integer_kept(kRound, x); }
Array sqrt(const Array& x) { return map_float(kSqrt, {x}); }
Array rsqrt(const Array& x) { return map_float(kRsqrt, {x}); }
Array reciprocal(const Array& x) { return map_float(kReciprocal, {x}); }
Array square(const Array& x) { return map(kSquare, {x}); }
Array exp(const Array& x) { return map_float(kExp, {x}); }
Array exp2(const Array& x) { return map_float(kExp2, {x}); }
Array expm1(const Array& x) { return map_float(kExpm1, {x}); }
Array log(const Array& x) { return map_float(kLog, {x}); }
Array log2(const Array& x) { return map_float(kLog2, {x}); }
Array log10(const Array& x) { return map_float(kLog10, {x}); }
Array log1p(const Array& x) { return map_float(kLog1p, {x}); }
Array sin(const Array& x) { return map_float(kSin, {x}); }
Array cos(const Array& x) { return map_float(kCos, {x}); }
Array tan(const Array& x) { return map_float(kTan, {x}); }
Array asin(const Array& x) { return map_float(kAsin, {x}); }
Array acos(const Array& x) { return map_float(kAcos, {x}); }
Array atan(const Array& x) { return map_float(kAtan, {x}); }
Array sinh(const Array& x) { return map_float(kSinh, {x}); }
Array cosh(const Array& x) { return map_float(kCosh, {x}); }
Array tanh(const Array& x) { return map_float(kTanh, {x}); }
Array asinh(const Array& x) { return map_float(kAsinh, {x}); }
Array acosh(const Array& x) { return map_float(kAcosh, {x}); }
Array atanh(const Array& x) { return map_float(kAtanh, {x}); }
Array erf(const Array& x) { return map_float(kErf, {x}); }
Array erfc(const Array& x) { return map_float(kErfc, {x}); }
Array erfinv(const Array& x) { return map_float(kErfinv, {x}); }
Array lgamma(const Array& x) { return map_float(kLgamma, {x}); }
Array digamma(const Array& x) { return map_float(kDigamma, {x}); }
Array isnan(const Array& x) { return map_float(kIsnan, {x}); }
Array isinf(const Array& x) { return map_float(kIsinf, {x}); }
Array isfinite(const Array& x) { return map_float(kIsfinite, {x}); }
Array logical_not(const Array& x) { return map(kLogicalNot, {astype(x, bool_)}); }
Array operator!(const Array& x) { return logical_not(x); }
Array bitwise_invert(const Array& x) {
  return x.defined() && x.dtype() == bool_ ? logical_not(x) : map(kBitwiseInvert, {x});
}
Array operator~(const Array& x) { return bitwise_invert(x); }
Array relu(const Array& x) { return map(kRelu, {x}); }
Array sigmoid(const Array& x) { return map_float(kSigmoid, {x}); }
Array softplus(const Array& x) { return map_float(kSoftplus, {x}); }
Array log_sigmoid(const Array& x) { return map_float(kLogSigmoid, {x}); }
Array silu(const Array& x) { return map_float(kSilu, {x}); }
Array mish(const Array& x) { return map_float(kMish, {x}); }
Array gelu(const Array& x) { return map_float(kGelu, {x}); }
Array gelu_tanh(const Array& x) { return map_float(kGeluTanh, {x}); }

}  // namespace pellucid
