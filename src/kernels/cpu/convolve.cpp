// The convolution: which way a shape gets.
#include "kernels/cpu/convolve.h"

#include "kernels/contract_bf16.h"
#include "kernels/kernels.h"

namespace pellucid::kernels {
namespace {

/// One tap: the contraction of all pixels, as they lie, or of those that a stride leaves, gathered before.
class PointWay final : public Convolve::Way {
 public:
  PointWay(const ConvolveShape& shape, ConvolveKind kind) : shape_(shape) {
    const ContractShape contraction = described(shape, kind);
    contract_ = rounds(shape, kind) ? bf16_contract(contraction) : Contract(contraction);
    if (shape.in != shape.out)
      gathered_ =
          (static_cast<std::size_t>(shape.batch * shape.n * volume(shape.out) * shape.channels) * size_of(shape.dtype) +
           63) /
          64 * 64;
    workspace = contract_.workspace() + gathered_;
  }
  static bool rounds(const ConvolveShape& shape, ConvolveKind kind) {
    return shape.rounded && bf16_suits(described(shape, kind));
  }
  void run(void* result, const void* a, const void* b, const void* bias, void* scratch) const override {
    if (gathered_ == 0) return contract_.run(result, a, b, bias, scratch);
    gather(scratch, a);
    contract_.run(result, scratch, b, bias, static_cast<std::byte*>(scratch) + gathered_);
  }

 private:
  static ContractShape described(const ConvolveShape& shape, ConvolveKind kind) {
    const std::int64_t pixels = shape.n * volume(shape.out), c = shape.channels, o = shape.outputs;
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
  void gather(void* to, const void* x) const {
    const std::int64_t c = shape_.channels, images = shape_.batch * shape_.n;
    const auto row_major = [c](const Position& size, const Position& step) {
      return std::array<std::int64_t, 5>{volume(size) * c, step[0] * size[1] * size[2] * c, step[1] * size[2] * c,
                                         step[2] * c, 1};
    };
    const std::array<std::int64_t, 5> sizes = {images, shape_.out[0], shape_.out[1], shape_.out[2], c};
    copy_strided_parallel(to, row_major(shape_.out, {1, 1, 1}).data(), x, row_major(shape_.in, shape_.stride).data(),
                          sizes.data(), 5, size_of(shape_.dtype));
  }

  ConvolveShape shape_;
  Contract contract_;
  std::size_t gathered_ = 0;  // bytes
};

/// True where every position has its one tap inside the picture.
bool has_one_tap(const ConvolveShape& s) {
  if (s.groups != 1 || volume(s.kernel) != 1 || s.low != Position{0, 0, 0}) return false;
  for (std::size_t d = 0; d < 3; ++d) {
    if (s.out[d] < 1 || (s.out[d] - 1) * s.stride[d] >= s.in[d]) return false;
  }
  return true;
}

/// Gathering pays for w, and for y where it is rounded; of x, most pixels are zero.
bool is_point(const ConvolveShape& s, ConvolveKind kind) {
  if (!has_one_tap(s)) return false;
  return s.in == s.out || kind == ConvolveKind::kWeight ||
         (kind == ConvolveKind::kForward && PointWay::rounds(s, kind));
}

std::shared_ptr<const Convolve::Way> way_of(const ConvolveShape& shape, ConvolveKind kind) {
  if (is_point(shape, kind)) {
    const bool gathers = kind == ConvolveKind::kWeight && shape.in != shape.out && !PointWay::rounds(shape, kind);
    if (gathers) return point_weight_convolution(shape);
    return std::make_shared<PointWay>(shape, kind);
  }
  if (suits_depthwise3(shape)) return depthwise3_convolution(shape, kind);
  if (is_depthwise(shape)) return depthwise_convolution(shape, kind);
  if (suits_pairs(shape)) return pair_convolution(shape, kind);
  const bool winograd = suits_winograd(shape);
  if (!winograd && suits_patches(shape, kind)) return patch_convolution(shape, kind);
  if (kind == ConvolveKind::kWeight) return winograd ? winograd_weight_convolution(shape) : weight_convolution(shape);
  if (winograd) return winograd_convolution(shape, kind);
  if (kind == ConvolveKind::kInput && suits_scatter(shape)) return scatter_convolution(shape);
  return grid_convolution(shape, kind);
}

}  // namespace

bool rounds_itself(const ConvolveShape& shape, ConvolveKind kind) {
  if (is_point(shape, kind)) return PointWay::rounds(shape, kind);
  return suits_pairs(shape) || (!suits_winograd(shape) && suits_patches(shape, kind));
}

Convolve::Convolve(const ConvolveShape& shape, ConvolveKind kind) : way_(way_of(shape, kind)) {}

std::size_t Convolve::workspace() const { return (way_->workspace + 63) / 64 * 64; }

void Convolve::run(void* result, const void* a, const void* b, const void* bias, void* workspace) const {
  way_->run(result, a, b, bias, workspace);
}

}  // namespace pellucid::kernels
