// Elementwise kernels: circular functions and their inverses.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/map_trigonometric.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "kernels/cpu/map-inl.h"
#include "kernels/cpu/trig64-inl.h"

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
  unary<Sin>(t.sin);
  unary<Cos>(t.cos);
  unary<Tan>(t.tan);
  unary<Asin>(t.asin);
  unary<Acos>(t.acos);
  unary<Atan>(t.atan);
  t.atan2[float32] = through_double_binary<Atan2<false>>;
  t.atan2[float64] = costly_binary<double, Atan2<true>>;
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace pellucid::kernels {

void fill_trigonometric(MapTable& table, Isa isa) { PELLUCID_FOR_ISA(isa, fill)(table); }

}  // namespace pellucid::kernels
#endif
