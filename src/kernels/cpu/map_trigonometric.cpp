// Elementwise kernels: circular functions and their inverses.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/map_trigonometric.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "kernels/cpu/map-inl.h"
#include "kernels/cpu/trig32-inl.h"
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

// Sine and cosine, which is the sine shifted by one quarter, are one piece of code.
HWY_NOINLINE void shifted_sine32(void* y, const void* a, std::size_t n, std::uint64_t shift) {
  busy_loop<float>(Sine32{shift}, y, a, n);
}
HWY_NOINLINE void shifted_sine64(void* y, const void* a, std::size_t n, std::uint64_t shift) {
  costly_loop<double>(Sine<true>{shift}, y, a, n);
}
template <std::uint64_t kShift>
void sine32(void* y, const void* a, const void*, const void*, std::size_t n) {
  shifted_sine32(y, a, n, kShift);
}
template <std::uint64_t kShift>
void sine64(void* y, const void* a, const void*, const void*, std::size_t n) {
  shifted_sine64(y, a, n, kShift);
}

void fill(MapTable& t) {
  t.sin[float32] = sine32<0>;
  t.sin[float64] = sine64<0>;
  t.cos[float32] = sine32<1>;
  t.cos[float64] = sine64<1>;
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
