// The convolution: which way a shape gets.
#include "kernels/cpu/convolve.h"

namespace pellucid::kernels {

namespace {

std::shared_ptr<const Convolve::Way> way_of(const ConvolveShape& shape, ConvolveKind kind) {
  const bool winograd = suits_winograd(shape);
  if (kind == ConvolveKind::kWeight) return winograd ? winograd_weight_convolution(shape) : weight_convolution(shape);
  if (winograd) return winograd_convolution(shape, kind);
  return grid_convolution(shape, kind);
}

}  // namespace

Convolve::Convolve(const ConvolveShape& shape, ConvolveKind kind) : way_(way_of(shape, kind)) {}

std::size_t Convolve::workspace() const { return (way_->workspace + 63) / 64 * 64; }

void Convolve::run(void* result, const void* a, const void* b, const void* bias, void* workspace) const {
  way_->run(result, a, b, bias, workspace);
}

}  // namespace pellucid::kernels
