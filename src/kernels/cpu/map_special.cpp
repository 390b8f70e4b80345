// Elementwise kernels: the error function and its kin, gamma functions, and costly functions of two operands.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/map_special.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "kernels/cpu/map-inl.h"
#include "kernels/cpu/math32-inl.h"
#include "kernels/cpu/special64-inl.h"

HWY_BEFORE_NAMESPACE();
namespace pellucid::kernels {
namespace HWY_NAMESPACE {
namespace {

template <template <bool> class F>
void unary(Maps& maps) {
  maps[float32] = through_double_unary<F<false>>;
  maps[float64] = costly_unary<double, F<true>>;
}
template <template <bool> class F>
void binary(Maps& maps) {
  maps[float32] = through_double_binary<F<false>>;
  maps[float64] = costly_binary<double, F<true>>;
}

void fill(MapTable& t) {
  unary<Erf>(t.erf);
  unary<Erfc>(t.erfc);
  unary<Erfinv>(t.erfinv);
  unary<Lgamma>(t.lgamma);
  unary<Digamma>(t.digamma);
  unary<Gelu>(t.gelu);
  unary<GeluTanh>(t.gelu_tanh);
  t.erf[float32] = busy_unary<float, Erf32>;
  t.gelu_tanh[float32] = busy_unary<float, GeluTanh32>;
  binary<PowerOf>(t.power);
  binary<Hypot>(t.hypot);
  binary<LogAddExp>(t.logaddexp);
  binary<Remainder>(t.remainder);
  binary<FloorDivide>(t.floor_divide);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace pellucid::kernels {

void fill_special(MapTable& table, Isa isa) { PELLUCID_FOR_ISA(isa, fill)(table); }

}  // namespace pellucid::kernels
#endif
