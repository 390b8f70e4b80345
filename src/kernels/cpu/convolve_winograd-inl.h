// The transforms of Winograd's minimal filtering F(2 x 2, 3 x 3) (Lavin and Gray 2016): four outputs of a 3 x 3 kernel
// from 16 products. Included once for each instruction set (Highway's toggle).
#if defined(PELLUCID_KERNELS_CPU_CONVOLVE_WINOGRAD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef PELLUCID_KERNELS_CPU_CONVOLVE_WINOGRAD_INL_H_
#undef PELLUCID_KERNELS_CPU_CONVOLVE_WINOGRAD_INL_H_
#else
#define PELLUCID_KERNELS_CPU_CONVOLVE_WINOGRAD_INL_H_
#endif

#include <cstddef>
#include <cstdint>

#include "hwy/highway.h"
#include "kernels/cpu/contract_pack-inl.h"
#include "kernels/cpu/contract_tile-inl.h"
#include "kernels/cpu/convolve.h"

HWY_BEFORE_NAMESPACE();
namespace pellucid::kernels {
namespace HWY_NAMESPACE {
namespace convolve {
namespace hn = hwy::HWY_NAMESPACE;
using contract::kLanesOf;
using contract::RowCut;
using contract::Size;

using Floats = hn::ScalableTag<float>;
using Vector = hn::Vec<Floats>;
inline constexpr Size kFloats = kLanesOf<float>;

/// B^T of (a, b, c, d): (a - c, b + c, c - b, b - d).
HWY_INLINE void input_line(Vector& a, Vector& b, Vector& c, Vector& d) {
  const Vector middle = c;
  a = hn::Sub(a, c);
  c = hn::Sub(c, b);
  d = hn::Sub(b, d);
  b = hn::Add(b, middle);
}

/// A^T of (a, b, c, d): a + b + c, b - c - d.
HWY_INLINE void output_line(Vector a, Vector b, Vector c, Vector d, Vector& first, Vector& second) {
  first = hn::Add(hn::Add(a, b), c);
  second = hn::Sub(hn::Sub(b, c), d);
}

/// G of (a, b, c): (a, (a + b + c) / 2, (a - b + c) / 2, c).
HWY_INLINE void kernel_line(Vector a, Vector b, Vector c, Vector& w0, Vector& w1, Vector& w2, Vector& w3) {
  const Vector half = hn::Set(Floats(), 0.5f), ends = hn::Add(a, c);
  w0 = a;
  w1 = hn::Mul(half, hn::Add(ends, b));
  w2 = hn::Mul(half, hn::Sub(ends, b));
  w3 = c;
}

/// G^T of (a, b, c, d): (a + (b + c) / 2, (b - c) / 2, (b + c) / 2 + d).
HWY_INLINE void kernel_sum_line(Vector a, Vector b, Vector c, Vector d, Vector& first, Vector& second, Vector& third) {
  const Vector half = hn::Set(Floats(), 0.5f), middle = hn::Mul(half, hn::Add(b, c));
  first = hn::Add(a, middle);
  second = hn::Mul(half, hn::Sub(b, c));
  third = hn::Add(middle, d);
}

/// A g of 2 x 2 elements: the first half of A g A^T.
HWY_INLINE void cotangent_columns(const Vector (&g)[4], Vector (&rows)[4][2]) {
  HWY_UNROLL(2)
  for (int j = 0; j < 2; ++j) {
    const Vector a = g[j], b = g[2 + j];
    rows[0][j] = a;
    rows[1][j] = hn::Add(a, b);
    rows[2][j] = hn::Sub(a, b);
    rows[3][j] = hn::Neg(b);
  }
}

/// A of (a, b): (a, a + b, a - b, -b).
HWY_INLINE void cotangent_line(Vector a, Vector b, Vector (&to)[4]) {
  to[0] = a;
  to[1] = hn::Add(a, b);
  to[2] = hn::Sub(a, b);
  to[3] = hn::Neg(b);
}

/// What becomes of a tile's sums on their way to the result.
struct WinogradFinish {
  const float* bias = nullptr;
  bool relu = false;
};

/// A^T m A of 16 planes to the 2 x 2 pixels; null ones do not exist.
HWY_INLINE void transform_output(const float* from, Size plane, Size columns, float* const (&pixels)[4],
                                 const WinogradFinish& finish) {
  const Floats d;
  for (Size c = 0; c < columns; c += kFloats) {
    Vector half[2][4];
    HWY_UNROLL(4)
    for (int j = 0; j < 4; ++j) {
      output_line(hn::LoadU(d, from + j * plane + c), hn::LoadU(d, from + (4 + j) * plane + c),
                  hn::LoadU(d, from + (8 + j) * plane + c), hn::LoadU(d, from + (12 + j) * plane + c), half[0][j],
                  half[1][j]);
    }
    HWY_UNROLL(2)
    for (int i = 0; i < 2; ++i) {
      Vector y[2];
      output_line(half[i][0], half[i][1], half[i][2], half[i][3], y[0], y[1]);
      HWY_UNROLL(2)
      for (int j = 0; j < 2; ++j) {
        if (finish.bias != nullptr) y[j] = hn::Add(y[j], hn::LoadU(d, finish.bias + c));
        if (finish.relu) y[j] = contract::relu(d, y[j]);
        if (pixels[2 * i + j] != nullptr) hn::StoreU(y[j], d, pixels[2 * i + j] + c);
      }
    }
  }
}

/// G w of nine vectors: the first half of G w G^T.
HWY_INLINE void kernel_columns(const Vector (&w)[9], Vector (&rows)[4][3]) {
  HWY_UNROLL(3)
  for (int j = 0; j < 3; ++j) kernel_line(w[j], w[3 + j], w[6 + j], rows[0][j], rows[1][j], rows[2][j], rows[3][j]);
}

/// G^T u G of 16 planes, each the sum of `parts` that are `part` apart, to nine places that are `tap` apart.
HWY_INLINE void transform_kernel_sums(const float* from, Size plane, Size parts, Size part, float* to, Size tap) {
  const Floats d;
  Vector half[3][4];
  HWY_UNROLL(4)
  for (int j = 0; j < 4; ++j) {
    Vector u[4];
    HWY_UNROLL(4)
    for (int i = 0; i < 4; ++i) u[i] = contract::total(d, from + (4 * i + j) * plane, parts, part);
    kernel_sum_line(u[0], u[1], u[2], u[3], half[0][j], half[1][j], half[2][j]);
  }
  HWY_UNROLL(3)
  for (int i = 0; i < 3; ++i) {
    Vector w[3];
    kernel_sum_line(half[i][0], half[i][1], half[i][2], half[i][3], w[0], w[1], w[2]);
    HWY_UNROLL(3)
    for (int j = 0; j < 3; ++j) hn::StoreU(w[j], d, to + (3 * i + j) * tap);
  }
}

}  // namespace convolve
}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
HWY_AFTER_NAMESPACE();

#endif  // PELLUCID_KERNELS_CPU_CONVOLVE_WINOGRAD_INL_H_
