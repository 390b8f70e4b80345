// The formulas of the cheap elementwise operations over one vector: arithmetic, order, signs, rounding, logic. What
// runs them over arrays (map_arithmetic.cpp) and in chains (chain.cpp) takes them from here. Included once for each
// instruction set (Highway's toggle).
#if defined(PELLUCID_KERNELS_CPU_FORMULAS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef PELLUCID_KERNELS_CPU_FORMULAS_INL_H_
#undef PELLUCID_KERNELS_CPU_FORMULAS_INL_H_
#else
#define PELLUCID_KERNELS_CPU_FORMULAS_INL_H_
#endif

#include <cstdint>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace pellucid::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class D, class V = hn::Vec<D>>
HWY_INLINE V negative(D d, V x) {
  if constexpr (hwy::IsFloat<hn::TFromD<D>>()) {
    return hn::Neg(x);
  } else {
    return hn::Sub(hn::Zero(d), x);
  }
}

// A formula: `of` takes the tag and the operands' vectors.
#define PELLUCID_UNARY(name, expression)     \
  struct name {                              \
    template <class D, class V = hn::Vec<D>> \
    static HWY_INLINE auto of(D d, V x) {    \
      (void)d;                               \
      return expression;                     \
    }                                        \
  };
#define PELLUCID_BINARY(name, expression)      \
  struct name {                                \
    template <class D, class V = hn::Vec<D>>   \
    static HWY_INLINE auto of(D d, V a, V b) { \
      (void)d;                                 \
      return expression;                       \
    }                                          \
  };

PELLUCID_UNARY(Negative, negative(d, x))
PELLUCID_UNARY(Absolute, hn::Abs(x))
PELLUCID_UNARY(Floor, hn::Floor(x))
PELLUCID_UNARY(Ceil, hn::Ceil(x))
PELLUCID_UNARY(Trunc, hn::Trunc(x))
PELLUCID_UNARY(Round, hn::Round(x))
PELLUCID_UNARY(Sqrt, hn::Sqrt(x))
PELLUCID_UNARY(Rsqrt, hn::Div(hn::Set(d, 1), hn::Sqrt(x)))
PELLUCID_UNARY(Reciprocal, hn::Div(hn::Set(d, 1), x))
PELLUCID_UNARY(IsNan, hn::IsNaN(x))
PELLUCID_UNARY(IsInf, hn::Eq(hn::Abs(x), hn::Inf(d)))
PELLUCID_UNARY(IsFinite, hn::Lt(hn::Abs(x), hn::Inf(d)))
PELLUCID_UNARY(LogicalNot, hn::Xor(x, hn::Set(d, 1)))
PELLUCID_UNARY(BitwiseInvert, hn::Not(x))

PELLUCID_BINARY(Add, hn::Add(a, b))
PELLUCID_BINARY(Subtract, hn::Sub(a, b))
PELLUCID_BINARY(Divide, hn::Div(a, b))
PELLUCID_BINARY(Equal, hn::Eq(a, b))
PELLUCID_BINARY(NotEqual, hn::Not(hn::Eq(a, b)))  // Ne is false where either is NaN
PELLUCID_BINARY(Less, hn::Lt(a, b))
PELLUCID_BINARY(BitwiseAnd, hn::And(a, b))
PELLUCID_BINARY(BitwiseOr, hn::Or(a, b))
PELLUCID_BINARY(BitwiseXor, hn::Xor(a, b))

#undef PELLUCID_UNARY
#undef PELLUCID_BINARY

/// a <= b, false where either is NaN. Integers have no such instruction.
struct LessEqual {
  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE auto of(D, V a, V b) {
    if constexpr (hwy::IsFloat<hn::TFromD<D>>()) {
      return hn::Le(a, b);
    } else {
      return hn::Not(hn::Lt(b, a));
    }
  }
};

template <class F>
struct Swapped {
  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE auto of(D d, V a, V b) {
    return F::of(d, b, a);
  }
};

/// -1, 0 or 1; NaN stays, and -0 gives 0.
struct Sign {
  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE V of(D d, V x) {
    const V zero = hn::Zero(d), one = hn::Set(d, 1);
    if constexpr (hwy::IsSigned<hn::TFromD<D>>()) {
      const V magnitude = hn::IfThenElse(hn::Eq(x, zero), zero, hn::Or(one, hn::And(x, hn::SignBit(d))));
      if constexpr (hwy::IsFloat<hn::TFromD<D>>()) {
        return hn::IfThenElse(hn::IsNaN(x), x, magnitude);
      } else {
        return hn::IfThenElse(hn::Lt(x, zero), hn::Set(d, -1), hn::Min(x, one));
      }
    } else {
      return hn::Min(x, one);
    }
  }
};

/// max(x, 0): NaN stays NaN, -0 gives 0.
struct Relu {
  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE V of(D d, V x) {
    if constexpr (hwy::IsFloat<hn::TFromD<D>>()) {
      return hn::IfThenZeroElse(hn::Le(x, hn::Zero(d)), x);
    } else if constexpr (hwy::IsSigned<hn::TFromD<D>>()) {
      return hn::IfThenElseZero(hn::Gt(x, hn::Zero(d)), x);
    } else {
      return x;
    }
  }
};

/// b > 0 ? a : 0.
struct ReluGate {
  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE V of(D d, V a, V b) {
    return hn::IfThenElseZero(hn::Gt(b, hn::Zero(d)), a);
  }
};

/// The larger one; NaN wins, and 0 is larger than -0 (IEEE 754-2019 maximum).
struct Maximum {
  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE V of(D, V a, V b) {
    if constexpr (hwy::IsFloat<hn::TFromD<D>>()) {
      const V larger = hn::IfThenElse(hn::Or(hn::Gt(a, b), hn::IsNaN(a)), a, b);
      return hn::IfThenElse(hn::Eq(a, b), hn::And(a, b), larger);
    } else {
      return hn::IfThenElse(hn::Lt(a, b), b, a);
    }
  }
};
struct Minimum {
  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE V of(D, V a, V b) {
    if constexpr (hwy::IsFloat<hn::TFromD<D>>()) {
      const V smaller = hn::IfThenElse(hn::Or(hn::Lt(a, b), hn::IsNaN(a)), a, b);
      return hn::IfThenElse(hn::Eq(a, b), hn::Or(a, b), smaller);
    } else {
      return hn::IfThenElse(hn::Lt(b, a), b, a);
    }
  }
};

/// The product; integers wrap.
struct Multiply {
  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE V of(D d, V a, V b) {
    using T = hn::TFromD<D>;
    if constexpr (sizeof(T) == 1 && hn::MaxLanes(D()) == 1) {
      const hn::Rebind<std::uint16_t, D> wide;
      const auto product = hn::Mul(hn::PromoteTo(wide, a), hn::PromoteTo(wide, b));
      return hn::TruncateTo(d, product);
    } else if constexpr (sizeof(T) == 1) {
      const hn::Repartition<std::uint16_t, D> wide;
      const auto low = hn::Set(wide, 0xFF);
      const auto u = hn::BitCast(wide, a), v = hn::BitCast(wide, b);
      const auto even = hn::And(hn::Mul(u, v), low);
      const auto odd = hn::ShiftLeft<8>(hn::Mul(hn::ShiftRight<8>(u), hn::ShiftRight<8>(v)));
      return hn::BitCast(d, hn::Or(even, odd));
    } else if constexpr (sizeof(T) == 8 && !hwy::IsFloat<T>()) {
      const hn::Repartition<std::uint32_t, D> narrow;
      const hn::RebindToUnsigned<D> du;
      const auto u = hn::BitCast(narrow, a), v = hn::BitCast(narrow, b);
      const auto u_high = hn::BitCast(narrow, hn::ShiftRight<32>(hn::BitCast(du, a)));
      const auto v_high = hn::BitCast(narrow, hn::ShiftRight<32>(hn::BitCast(du, b)));
      const auto cross = hn::Add(hn::MulEven(u_high, v), hn::MulEven(u, v_high));
      return hn::BitCast(d, hn::Add(hn::MulEven(u, v), hn::ShiftLeft<32>(cross)));
    } else {
      return hn::Mul(a, b);
    }
  }
};

struct Square {
  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE V of(D d, V x) {
    return Multiply::of(d, x, x);
  }
};

struct Fma {
  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE V of(D, V a, V b, V c) {
    return hn::MulAdd(a, b, c);
  }
};

}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
HWY_AFTER_NAMESPACE();

#endif  // toggle
