// Convolution of pictures of one, two or three axes, channels last: forward, and the two products that are its
// derivatives.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "pellucid/dtype.h"

namespace pellucid::kernels {

/// What is convolved. All three products are between x (n, in..., channels), w (kernel..., channels / groups, outputs)
/// and y or its cotangent g (n, out..., outputs); axes that do not exist have the size 1 and come first. With
/// x(..., c) = 0 outside of the picture, the sum that they share is over all of
///
///     y(n, p, o) <- x(n, p * stride + t * dilation - low, c) w(t, c, o)
///
/// for positions t of the kernel and channels c of o's group.
struct ConvolveShape {
  DType dtype = DType::kFloat32;  // of all operands: float32, float64, bfloat16
  bool rounded = false;           // float32 operands are taken as bfloat16 numbers: products of pairs may be taken
  std::int64_t batch = 1;         // so many whole convolutions one after the other, each with a w of its own
  std::int64_t n = 0;             // pictures
  std::array<std::int64_t, 3> in = {1, 1, 1}, out = {1, 1, 1}, kernel = {1, 1, 1};
  std::array<std::int64_t, 3> stride = {1, 1, 1}, dilation = {1, 1, 1}, low = {0, 0, 0};
  std::int64_t channels = 0, outputs = 0, groups = 1;
  bool bias = false;  // forward alone: a row of `outputs` is added
  bool relu = false;  // forward alone
};

enum class ConvolveKind {
  kForward,  // y from x, w
  kInput,    // x from g, w
  kWeight,   // w from x, g
};

/// True where `shape.rounded` operands are rounded to bfloat16 by the kernel itself, so that they may come unrounded.
bool rounds_itself(const ConvolveShape& shape, ConvolveKind kind);

/// A convolution of one shape, prepared once and run many times without allocating. A sum starts from 0 and takes
/// fused multiply-adds in one order that the shape alone fixes (docs/kernels.md); bfloat16 operands accumulate in
/// float32 and are rounded once. The bits depend neither on threads nor on the vector width.
class Convolve {
 public:
  Convolve() = default;
  Convolve(const ConvolveShape& shape, ConvolveKind kind);
  /// Bytes of scratch memory that run() needs, 64-byte aligned; for as many threads as there are now.
  std::size_t workspace() const;
  /// a, b: x and w, g and w, or x and g.
  void run(void* result, const void* a, const void* b, const void* bias, void* workspace) const;

  /// A way of doing it, for one instruction set.
  struct Way {
    virtual ~Way() = default;
    virtual void run(void* result, const void* a, const void* b, const void* bias, void* workspace) const = 0;
    std::size_t workspace = 0;
  };

 private:
  std::shared_ptr<const Way> way_;
};

}  // namespace pellucid::kernels
