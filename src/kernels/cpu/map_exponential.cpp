// Elementwise kernels: exponentials, logarithms, hyperbolic functions, activations.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/map_exponential.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "kernels/cpu/map-inl.h"
#include "kernels/cpu/math32-inl.h"
#include "kernels/cpu/math64-inl.h"

HWY_BEFORE_NAMESPACE();
namespace pellucid::kernels {
namespace HWY_NAMESPACE {
namespace {

template <template <bool> class F>
void unary(Maps& maps) {
  maps[float32] = through_double_unary<F<false>>;
  maps[float64] = costly_unary<double, F<true>>;
}

void fill(MapTable& t) {
  unary<Exp>(t.exp);
  unary<Expm1>(t.expm1);
  unary<Log>(t.log);
  unary<Log1p>(t.log1p);
  unary<Exp2>(t.exp2);
  unary<Log2>(t.log2);
  unary<Log10>(t.log10);
  unary<Sinh>(t.sinh);
  unary<Cosh>(t.cosh);
  unary<Asinh>(t.asinh);
  unary<Acosh>(t.acosh);
  unary<Atanh>(t.atanh);
  unary<Tanh>(t.tanh);
  unary<Sigmoid>(t.sigmoid);
  unary<Silu>(t.silu);
  unary<Softplus>(t.softplus);
  unary<LogSigmoid>(t.log_sigmoid);

  // These have their own float32 formulas, of twice the speed.
  t.exp[float32] = busy_unary<float, Exp32>;
  t.log[float32] = costly_unary<float, Log32>;
  t.tanh[float32] = busy_unary<float, Tanh32>;
  t.sigmoid[float32] = busy_unary<float, Sigmoid32>;
  t.silu[float32] = busy_unary<float, Silu32>;
  t.mish[float32] = busy_unary<float, Mish32>;
  t.mish[float64] = costly_unary<double, Mish<true>>;
  t.softplus[float32] = costly_unary<float, Softplus32>;
  t.log_sigmoid[float32] = costly_unary<float, LogSigmoid32>;
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace pellucid::kernels {

void fill_exponential(MapTable& table, Isa isa) { PELLUCID_FOR_ISA(isa, fill)(table); }

}  // namespace pellucid::kernels
#endif
