// Winograd's gradient of the kernel, for operands that are multiplied in float32.
#include "kernels/cpu/convolve.h"
#include "kernels/kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/convolve_winograd_weight.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "kernels/cpu/convolve_winograd_weight_way-inl.h"
#include "kernels/cpu/dispatch.h"

HWY_BEFORE_NAMESPACE();
namespace pellucid::kernels {
namespace HWY_NAMESPACE {
namespace convolve {

std::shared_ptr<const Convolve::Way> make_winograd_weight(const ConvolveShape& shape) {
  return std::make_shared<WinogradWeightWay>(shape);
}

}  // namespace convolve
}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace pellucid::kernels {

std::shared_ptr<const Convolve::Way> winograd_weight_convolution(const ConvolveShape& shape) {
  return PELLUCID_FOR_ISA(isa(), convolve::make_winograd_weight)(shape);
}

}  // namespace pellucid::kernels
#endif  // HWY_ONCE
