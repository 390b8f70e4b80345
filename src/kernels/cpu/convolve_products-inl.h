// How Winograd's transformed operands are multiplied: in float32, or, where PELLUCID_BF16_DOT is defined, as pairs of
// bfloat16. Included once for each instruction set (Highway's toggle); each has a namespace.
#if defined(PELLUCID_KERNELS_CPU_CONVOLVE_PRODUCTS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef PELLUCID_KERNELS_CPU_CONVOLVE_PRODUCTS_INL_H_
#undef PELLUCID_KERNELS_CPU_CONVOLVE_PRODUCTS_INL_H_
#else
#define PELLUCID_KERNELS_CPU_CONVOLVE_PRODUCTS_INL_H_
#endif

#include <cstdint>
#include <utility>

#include "hwy/highway.h"
#include "kernels/cpu/contract_tile-inl.h"
#include "kernels/cpu/convolve_winograd-inl.h"

#if defined(PELLUCID_BF16_DOT)
#include "kernels/cpu/contract_bf16_pairs-inl.h"
#define PELLUCID_CONVOLVE_ROOM convolve_bf16_dot
#define PELLUCID_CONVOLVE_BEFORE PELLUCID_BF16_BEFORE
#define PELLUCID_CONVOLVE_AFTER HWY_POP_ATTRIBUTES
#else
#define PELLUCID_CONVOLVE_ROOM convolve
#define PELLUCID_CONVOLVE_BEFORE HWY_BEFORE_NAMESPACE();
#define PELLUCID_CONVOLVE_AFTER HWY_AFTER_NAMESPACE();
#endif

PELLUCID_CONVOLVE_BEFORE
namespace pellucid::kernels {
namespace HWY_NAMESPACE {
namespace PELLUCID_CONVOLVE_ROOM {
namespace {
namespace hn = hwy::HWY_NAMESPACE;
using contract::RowCut;
using contract::Size;
using convolve::Floats;
using convolve::kFloats;
using convolve::Vector;

constexpr Size divide_up(Size x, Size by) { return (x + by - 1) / by; }
constexpr Size round_up(Size x, Size to) { return divide_up(x, to) * to; }

#if defined(PELLUCID_BF16_DOT)

using contract_bf16_dot::kPairTiles;
using contract_bf16_dot::Pair;
using contract_bf16_dot::PairRun;

/// Words of planes are pairs of steps of k that lie one behind the other.
struct Products {
  using Word = Pair;
  using Run = PairRun;
  static constexpr Size kSteps = 2;
  /// Rows of no account behind the last one, which are read and written: tiles come from the top, so that what one
  /// writes too much of belongs to the next.
  static constexpr Size kSpare = 1;

  /// The nearest bfloat16 numbers: what the operands of the convolution are taken as.
  static HWY_INLINE Vector rounded(Vector x) { return Vector{_mm512_cvtpbh_ps(_mm512_cvtneps_pbh(x.raw))}; }
  /// Channels from c on of a row whose words are pairs of channels.
  static HWY_INLINE void put(Vector x, Word* row, Size c) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(row + c / 2), (__m256i)_mm512_cvtneps_pbh(x.raw));
  }
  /// Words of the lanes of kSteps steps.
  static HWY_INLINE void join(const Vector& even, const Vector& odd, Word* to) {
    hn::StoreU(contract_bf16_dot::pair(even, odd), contract_bf16_dot::PairTag(), to);
  }
  static void run_row(const Run& t, Size rows) { kPairTiles[static_cast<std::size_t>((rows - 1) / 2)](t); }
  static void run_column(Run& t, const RowCut& cut) {
    const Pair* const s = t.s;
    float* const c = t.c;
    for (const auto& [rows, count] : {std::pair(cut.high, cut.high_count), std::pair(cut.low, cut.low_count)}) {
      if (count == 0) continue;
      t.count = count;
      t.s_tile = rows * t.s_row;
      t.c_tile = rows * t.c_row;
      run_row(t, rows);
      t.s += count * t.s_tile;
      t.c += count * t.c_tile;
    }
    t.s = s;
    t.c = c;
  }
};

#else

/// Words of planes are numbers.
struct Products {
  using Word = float;
  using Run = contract::TileRun<float>;
  static constexpr Size kSteps = 1, kSpare = 0;

  static HWY_INLINE Vector rounded(Vector x) { return x; }
  static HWY_INLINE void put(Vector x, Word* row, Size c) { hn::StoreU(x, Floats(), row + c); }
  static HWY_INLINE void join(const Vector& even, const Vector&, Word* to) { hn::StoreU(even, Floats(), to); }
  static void run_row(const Run& t, Size rows) { contract::tile_function<float>(rows, 2, kFloats)(t); }
  static void run_column(Run& t, const RowCut& cut) { contract::run_tile_column(t, cut, 2, 0); }
};

#endif

/// One vector of channels of a pixel.
HWY_INLINE Vector pixel(const float* at) { return Products::rounded(hn::LoadU(Floats(), at)); }

/// B^T x of one vector of channels of 4 x 4 pixels: the first half of B^T x B.
HWY_INLINE void input_columns(const float* const (&pixels)[16], Size c, Vector (&x)[4][4]) {
  HWY_UNROLL(16)
  for (int i = 0; i < 16; ++i) x[i / 4][i % 4] = pixel(pixels[i] + c);
  HWY_UNROLL(4)
  for (int j = 0; j < 4; ++j) convolve::input_line(x[0][j], x[1][j], x[2][j], x[3][j]);
}

}  // namespace
}  // namespace PELLUCID_CONVOLVE_ROOM
}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
PELLUCID_CONVOLVE_AFTER

#endif  // PELLUCID_KERNELS_CPU_CONVOLVE_PRODUCTS_INL_H_
