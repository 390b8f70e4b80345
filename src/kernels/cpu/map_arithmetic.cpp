// Elementwise kernels of one or two instructions: arithmetic, comparisons, signs, rounding, logic, bits, select, fma.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/map_arithmetic.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "kernels/cpu/formulas-inl.h"
#include "kernels/cpu/map-inl.h"

HWY_BEFORE_NAMESPACE();
namespace pellucid::kernels {
namespace HWY_NAMESPACE {
namespace {

template <class F, class T>
void unary(Maps& maps, DType dtype) {
  maps[dtype] = run<Unary<T, F>>;
}
template <class F>
void unary_floats(Maps& maps) {
  unary<F, float>(maps, float32);
  unary<F, double>(maps, float64);
}
template <class F>
void unary_numbers(Maps& maps) {
  unary_floats<F>(maps);
  unary<F, std::int32_t>(maps, int32);
  unary<F, std::int64_t>(maps, int64);
  unary<F, std::uint8_t>(maps, uint8);
}
template <class F>
void binary_integers(Maps& maps) {
  maps[int32] = run<Binary<std::int32_t, F>>;
  maps[int64] = run<Binary<std::int64_t, F>>;
  maps[uint8] = run<Binary<std::uint8_t, F>>;
}
template <class F>
void binary_floats(Maps& maps) {
  maps[float32] = run<Binary<float, F>>;
  maps[float64] = run<Binary<double, F>>;
}
template <class F>
void binary_numbers(Maps& maps) {
  binary_floats<F>(maps);
  binary_integers<F>(maps);
}
template <class F>
void predicate_floats(Maps& maps) {
  maps[float32] = run<UnaryPredicate<float, F>>;
  maps[float64] = run<UnaryPredicate<double, F>>;
}
template <class F>
void predicate_any(Maps& maps) {
  maps[float32] = run<BinaryPredicate<float, F>>;
  maps[float64] = run<BinaryPredicate<double, F>>;
  maps[int32] = run<BinaryPredicate<std::int32_t, F>>;
  maps[int64] = run<BinaryPredicate<std::int64_t, F>>;
  maps[uint8] = maps[bool_] = run<BinaryPredicate<std::uint8_t, F>>;
}

void fill(MapTable& t) {
  unary_numbers<Negative>(t.negative);
  unary_numbers<Sign>(t.sign);
  unary_numbers<Square>(t.square);
  unary_numbers<Relu>(t.relu);
  unary_floats<Absolute>(t.absolute);
  unary<Absolute, std::int32_t>(t.absolute, int32);
  unary<Absolute, std::int64_t>(t.absolute, int64);
  unary<Relu, std::uint8_t>(t.absolute, uint8);  // the identity
  unary_floats<Floor>(t.floor);
  unary_floats<Ceil>(t.ceil);
  unary_floats<Trunc>(t.trunc);
  unary_floats<Round>(t.round);
  unary_floats<Sqrt>(t.sqrt);
  unary_floats<Rsqrt>(t.rsqrt);
  unary_floats<Reciprocal>(t.reciprocal);
  predicate_floats<IsNan>(t.isnan);
  predicate_floats<IsInf>(t.isinf);
  predicate_floats<IsFinite>(t.isfinite);
  unary<LogicalNot, std::uint8_t>(t.logical_not, bool_);
  unary<BitwiseInvert, std::int32_t>(t.bitwise_invert, int32);
  unary<BitwiseInvert, std::int64_t>(t.bitwise_invert, int64);
  unary<BitwiseInvert, std::uint8_t>(t.bitwise_invert, uint8);

  binary_numbers<Add>(t.add);
  binary_numbers<Subtract>(t.subtract);
  binary_numbers<Multiply>(t.multiply);
  binary_numbers<Maximum>(t.maximum);
  binary_numbers<Minimum>(t.minimum);
  t.maximum[bool_] = run<Binary<std::uint8_t, BitwiseOr>>;
  t.minimum[bool_] = run<Binary<std::uint8_t, BitwiseAnd>>;
  binary_floats<Divide>(t.divide);
  binary_numbers<ReluGate>(t.relu_gate);
  predicate_any<Equal>(t.equal);
  predicate_any<NotEqual>(t.not_equal);
  predicate_any<Less>(t.less);
  predicate_any<LessEqual>(t.less_equal);
  predicate_any<Swapped<Less>>(t.greater);
  predicate_any<Swapped<LessEqual>>(t.greater_equal);
  t.logical_and[bool_] = t.bitwise_and[bool_] = run<Binary<std::uint8_t, BitwiseAnd>>;
  t.logical_or[bool_] = t.bitwise_or[bool_] = run<Binary<std::uint8_t, BitwiseOr>>;
  t.logical_xor[bool_] = t.bitwise_xor[bool_] = run<Binary<std::uint8_t, BitwiseXor>>;
  binary_integers<BitwiseAnd>(t.bitwise_and);
  binary_integers<BitwiseOr>(t.bitwise_or);
  binary_integers<BitwiseXor>(t.bitwise_xor);

  t.select[float32] = t.select[int32] = run<Select<std::uint32_t>>;
  t.select[float64] = t.select[int64] = run<Select<std::uint64_t>>;
  t.select[bfloat16] = run<Select<std::uint16_t>>;
  t.select[uint8] = t.select[bool_] = run<Select<std::uint8_t>>;
  t.fma[float32] = run<Ternary<float, Fma>>;
  t.fma[float64] = run<Ternary<double, Fma>>;
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace pellucid::kernels {

void fill_arithmetic(MapTable& table, Isa isa) { PELLUCID_FOR_ISA(isa, fill)(table); }

}  // namespace pellucid::kernels
#endif
