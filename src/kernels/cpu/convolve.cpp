// The convolution: which way a shape gets.
#include "kernels/cpu/convolve.h"

#include "kernels/contract_bf16.h"
#include "kernels/kernels.h"

namespace pellucid::kernels {
namespace {

/// One tap, no stride: the contraction of all pixels, as they lie.
class PointWay final : public Convolve::Way {
 public:
  PointWay(const ConvolveShape& shape, ConvolveKind kind) {
    const ContractShape contraction = described(shape, kind);
    contract_ = rounds(shape, kind) ? bf16_contract(contraction) : Contract(contraction);
    workspace = contract_.workspace();
  }
  static bool rounds(const ConvolveShape& shape, ConvolveKind kind) {
    return shape.rounded && bf16_suits(described(shape, kind));
  }
  void run(void* result, const void* a, const void* b, const void* bias, void* scratch) const override {
    contract_.run(result, a, b, bias, scratch);
  }

 private:
  static ContractShape described(const ConvolveShape& shape, ConvolveKind kind) {
    const std::int64_t pixels = shape.n * volume(shape.in), c = shape.channels, o = shape.outputs;
    ContractShape s;
    s.dtype = s.out = shape.dtype;
    s.batch = {shape.batch};
    switch (kind) {
      case ConvolveKind::kForward:  // x w
        s.m = pixels, s.n = o, s.k = c;
        s.a_m = c, s.a_k = 1, s.b_k = o, s.b_n = 1;
        s.a_batch = {pixels * c}, s.b_batch = {c * o}, s.c_batch = {pixels * o};
        s.bias = shape.bias;
        s.relu = shape.relu;
        break;
      case ConvolveKind::kInput:  // g transpose(w)
        s.m = pixels, s.n = c, s.k = o;
        s.a_m = o, s.a_k = 1, s.b_k = 1, s.b_n = o;
        s.a_batch = {pixels * o}, s.b_batch = {c * o}, s.c_batch = {pixels * c};
        break;
      case ConvolveKind::kWeight:  // transpose(x) g
        s.m = c, s.n = o, s.k = pixels;
        s.a_m = 1, s.a_k = c, s.b_k = o, s.b_n = 1;
        s.a_batch = {pixels * c}, s.b_batch = {pixels * o}, s.c_batch = {c * o};
        break;
    }
    s.c_m = s.n;
    return s;
  }

  Contract contract_;
};

bool is_point(const ConvolveShape& s) {
  return s.groups == 1 && volume(s.kernel) == 1 && volume(s.stride) == 1 && s.low == Position{0, 0, 0} && s.in == s.out;
}

std::shared_ptr<const Convolve::Way> way_of(const ConvolveShape& shape, ConvolveKind kind) {
  if (is_point(shape)) return std::make_shared<PointWay>(shape, kind);
  if (suits_depthwise3(shape)) return depthwise3_convolution(shape, kind);
  if (is_depthwise(shape)) return depthwise_convolution(shape, kind);
  if (suits_pairs(shape)) return pair_convolution(shape, kind);
  const bool winograd = suits_winograd(shape);
  if (kind == ConvolveKind::kWeight) return winograd ? winograd_weight_convolution(shape) : weight_convolution(shape);
  if (winograd) return winograd_convolution(shape, kind);
  if (kind == ConvolveKind::kInput && suits_scatter(shape)) return scatter_convolution(shape);
  return grid_convolution(shape, kind);
}

}  // namespace

bool rounds_itself(const ConvolveShape& shape, ConvolveKind kind) {
  return is_point(shape) ? PointWay::rounds(shape, kind) : suits_pairs(shape);
}

Convolve::Convolve(const ConvolveShape& shape, ConvolveKind kind) : way_(way_of(shape, kind)) {}

std::size_t Convolve::workspace() const { return (way_->workspace + 63) / 64 * 64; }

void Convolve::run(void* result, const void* a, const void* b, const void* bias, void* workspace) const {
  way_->run(result, a, b, bias, workspace);
}

}  // namespace pellucid::kernels
