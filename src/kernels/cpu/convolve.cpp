// The convolution: which way a shape gets.
#include "kernels/cpu/convolve.h"

namespace pellucid::kernels {

Convolve::Convolve(const ConvolveShape& shape, ConvolveKind kind)
    : way_(kind == ConvolveKind::kWeight ? weight_convolution(shape) : grid_convolution(shape, kind)) {}

std::size_t Convolve::workspace() const { return (way_->workspace + 63) / 64 * 64; }

void Convolve::run(void* result, const void* a, const void* b, const void* bias, void* workspace) const {
  way_->run(result, a, b, bias, workspace);
}

}  // namespace pellucid::kernels
