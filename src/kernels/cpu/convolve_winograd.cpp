// Winograd for operands that are multiplied in float32.
#include "kernels/cpu/convolve.h"
#include "kernels/kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/convolve_winograd.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "kernels/cpu/convolve_winograd_way-inl.h"
#include "kernels/cpu/dispatch.h"

HWY_BEFORE_NAMESPACE();
namespace pellucid::kernels {
namespace HWY_NAMESPACE {
namespace convolve {

std::shared_ptr<const Convolve::Way> make_winograd(const ConvolveShape& shape, ConvolveKind kind) {
  return std::make_shared<WinogradWay>(shape, kind);
}

}  // namespace convolve
}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace pellucid::kernels {

bool suits_winograd(const ConvolveShape& s) {
  const auto fits = [](std::int64_t channels) { return channels >= 64 && channels <= 1024 && channels % 16 == 0; };
  return s.dtype == DType::kFloat32 && s.groups == 1 && s.in[0] == 1 && s.kernel == Position{1, 3, 3} &&
         s.stride == Position{1, 1, 1} && s.dilation == Position{1, 1, 1} && s.low[0] == 0 && fits(s.channels) &&
         fits(s.outputs) && s.n > 0 && volume(s.out) > 0;
}

std::shared_ptr<const Convolve::Way> winograd_convolution(const ConvolveShape& shape, ConvolveKind kind) {
  return PELLUCID_FOR_ISA(isa(), convolve::make_winograd)(shape, kind);
}

}  // namespace pellucid::kernels
#endif  // HWY_ONCE
