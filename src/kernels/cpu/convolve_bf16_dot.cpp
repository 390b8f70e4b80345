// Convolutions whose products are of pairs of bfloat16, by AVX512_BF16.
#include "kernels/cpu/contract_bf16.h"
#include "kernels/cpu/convolve.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/convolve_bf16_dot.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "hwy/highway.h"

#if HWY_TARGET == HWY_AVX3
#define PELLUCID_BF16_DOT
#include "kernels/cpu/convolve_winograd_way-inl.h"
#include "kernels/cpu/convolve_winograd_weight_way-inl.h"

PELLUCID_CONVOLVE_BEFORE
namespace pellucid::kernels {
namespace HWY_NAMESPACE {
namespace PELLUCID_CONVOLVE_ROOM {

std::shared_ptr<const Convolve::Way> make(const ConvolveShape& shape, ConvolveKind kind) {
  if (kind == ConvolveKind::kWeight) return std::make_shared<WinogradWeightWay>(shape);
  return std::make_shared<WinogradWay>(shape, kind);
}

}  // namespace PELLUCID_CONVOLVE_ROOM
}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
PELLUCID_CONVOLVE_AFTER
#endif

#if HWY_ONCE
namespace pellucid::kernels {

bool suits_pairs(const ConvolveShape& shape) {
  return shape.rounded && bf16_way() == Bf16Way::kDot && suits_winograd(shape);
}

#if defined(__x86_64__) && PELLUCID_ONE_ISA != 2
std::shared_ptr<const Convolve::Way> pair_convolution(const ConvolveShape& shape, ConvolveKind kind) {
  return N_AVX3::convolve_bf16_dot::make(shape, kind);
}
#else
std::shared_ptr<const Convolve::Way> pair_convolution(const ConvolveShape&, ConvolveKind) { return nullptr; }
#endif

}  // namespace pellucid::kernels
#endif  // HWY_ONCE
