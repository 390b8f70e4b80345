// 3 x 3 kernels of stride 1 over many channels by Winograd's F(2 x 2, 3 x 3): forward, and x from g (the same with the
// kernel turned round and its channels exchanged). Included once for each instruction set (Highway's toggle), in the
// room that convolve_products-inl.h chooses.
#if defined(PELLUCID_KERNELS_CPU_CONVOLVE_WINOGRAD_WAY_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef PELLUCID_KERNELS_CPU_CONVOLVE_WINOGRAD_WAY_INL_H_
#undef PELLUCID_KERNELS_CPU_CONVOLVE_WINOGRAD_WAY_INL_H_
#else
#define PELLUCID_KERNELS_CPU_CONVOLVE_WINOGRAD_WAY_INL_H_
#endif

#include <algorithm>

#include "base/thread_pool.h"
#include "hwy/highway.h"
#include "kernels/cpu/convolve_products-inl.h"
#include "kernels/cpu/convolve_winograd-inl.h"

PELLUCID_CONVOLVE_BEFORE
namespace pellucid::kernels {
namespace HWY_NAMESPACE {
namespace PELLUCID_CONVOLVE_ROOM {
namespace {

class WinogradWay final : public Convolve::Way {
 public:
  WinogradWay(const ConvolveShape& shape, ConvolveKind kind);
  void run(void* result, const void* a, const void* b, const void* bias, void* scratch) const override;

 private:
  using Word = Products::Word;
  static constexpr Size kSteps = Products::kSteps;
  static constexpr Size kGroup = 64;  // columns whose sums are transformed together
  static constexpr Size kPanel = 2 * kFloats;
  static constexpr Size kBlockTiles = 48 * kSteps;  // whose planes stay near L2
  static constexpr Size kLine = 16;                 // planes are a line more than a power of two apart

  Size panel_pitch() const { return kPanel * (words_ + 1); }
  void pack_kernel(const float* w, Size panel, Word* to) const;
  void put_kernel(const Vector (&taps)[kSteps][9], Word* to) const;
  void transform_tile(const float* x, const float* zeros, Size tile, Word* to, Size plane) const;
  void run_once(float* y, const float* x, const float* w, const float* bias, float* memory) const;
  void run_group(const Word* planes, Size tile0, Size tiles, const Word* kernel, Size column, float* sums, float* y,
                 const float* bias) const;

  ConvolveShape shape_;
  bool forward_ = true;
  Position source_{}, result_{};
  Size low1_ = 0, low2_ = 0;  // zeros before the source
  Size k_ = 0, columns_ = 0, tap_ = 0;
  Size words_ = 0;                            // of a row of a plane
  Size tiles1_ = 0, tiles2_ = 0, tiles_ = 0;  // of an image along its axes, and of all
  Size block_tiles_ = 0, blocks_ = 0;
  bool shared_ = false;  // the planes of all tiles are made first, and pieces are groups of columns
  Size kernel_plane_ = 0, kernel_size_ = 0, plane_ = 0, sums_plane_ = 0, slot_ = 0;
  int threads_ = 1;
};

WinogradWay::WinogradWay(const ConvolveShape& shape, ConvolveKind kind) : shape_(shape) {
  forward_ = kind == ConvolveKind::kForward;
  source_ = forward_ ? shape.in : shape.out;
  result_ = forward_ ? shape.out : shape.in;
  k_ = forward_ ? shape.channels : shape.outputs;
  columns_ = forward_ ? shape.outputs : shape.channels;
  words_ = k_ / kSteps;
  low1_ = forward_ ? shape.low[1] : 2 - shape.low[1];
  low2_ = forward_ ? shape.low[2] : 2 - shape.low[2];
  tap_ = shape.channels * shape.outputs;
  tiles1_ = divide_up(result_[1], 2);
  tiles2_ = divide_up(result_[2], 2);
  tiles_ = shape.n * tiles1_ * tiles2_;
  threads_ = base::threads();
  const Size groups = divide_up(columns_, kGroup);
  shared_ = divide_up(tiles_, kBlockTiles) < 8 && groups > 1;
  block_tiles_ = std::max<Size>(1, divide_up(tiles_, divide_up(tiles_, shared_ ? 64 : kBlockTiles)));
  blocks_ = divide_up(tiles_, block_tiles_);
  kernel_plane_ = divide_up(columns_, kPanel) * panel_pitch() + kLine;
  kernel_size_ = round_up(16 * kernel_plane_, kLine);
  plane_ = ((shared_ ? tiles_ : block_tiles_) + Products::kSpare) * words_ + kLine;
  sums_plane_ = (block_tiles_ + Products::kSpare) * kGroup + kLine;
  slot_ = round_up(16 * sums_plane_ + (shared_ ? 0 : 16 * plane_) + k_, 2 * kLine);
  workspace = static_cast<std::size_t>(kernel_size_ + (shared_ ? 16 * plane_ : 0) + slot_ * threads_ + 2 * kLine) *
              sizeof(float);
}

/// G w G^T of kSteps steps, to 16 planes.
HWY_INLINE void WinogradWay::put_kernel(const Vector (&taps)[kSteps][9], Word* to) const {
  Vector rows[kSteps][4][3];
  HWY_UNROLL(2)
  for (Size step = 0; step < kSteps; ++step) convolve::kernel_columns(taps[step], rows[step]);
  HWY_UNROLL(4)
  for (Size i = 0; i < 4; ++i) {
    Vector u[kSteps][4];
    HWY_UNROLL(2)
    for (Size step = 0; step < kSteps; ++step) {
      const Vector(&row)[3] = rows[step][i];
      convolve::kernel_line(row[0], row[1], row[2], u[step][0], u[step][1], u[step][2], u[step][3]);
    }
    HWY_UNROLL(4)
    for (Size j = 0; j < 4; ++j) Products::join(u[0][j], u[kSteps - 1][j], to + (4 * i + j) * kernel_plane_);
  }
}

/// The panel of 16 planes of G w G^T: to[plane][k][column].
void WinogradWay::pack_kernel(const float* w, Size panel, Word* to) const {
  to += panel * panel_pitch();
  for (Size j = 0; j < kPanel && panel * kPanel + j < columns_; j += kFloats) {
    const Size column = panel * kPanel + j;
    if (forward_) {
      for (Size k = 0; k < k_; k += kSteps) {
        Vector taps[kSteps][9];
        HWY_UNROLL(2)
        for (Size step = 0; step < kSteps; ++step) {
          HWY_UNROLL(9)
          for (Size t = 0; t < 9; ++t) taps[step][t] = pixel(w + t * tap_ + (k + step) * columns_ + column);
        }
        put_kernel(taps, to + k / kSteps * kPanel + j);
      }
      continue;
    }
    constexpr Size block = contract::kBlock<float>;
    for (Size k = 0; k < k_; k += block) {
      Vector turned[9][block];
      for (Size t = 0; t < 9; ++t) {
        contract::transpose_block<float>(turned[t], [&](auto d128, Size i) HWY_ATTR {
          return hn::LoadU(d128, w + (8 - t) * tap_ + (column + i) * k_ + k);
        });
      }
      for (Size q = 0; q < block; q += kSteps) {
        Vector taps[kSteps][9];
        for (Size step = 0; step < kSteps; ++step) {
          for (Size t = 0; t < 9; ++t) taps[step][t] = Products::rounded(turned[t][q + step]);
        }
        put_kernel(taps, to + (k + q) / kSteps * kPanel + j);
      }
    }
  }
}

/// The planes of one tile; `to` is its row in plane 0.
void WinogradWay::transform_tile(const float* x, const float* zeros, Size tile, Word* to, Size plane) const {
  const Size i0 = tile / tiles2_ % tiles1_ * 2 - low1_, j0 = tile % tiles2_ * 2 - low2_;
  const float* image = x + tile / (tiles1_ * tiles2_) * volume(source_) * k_;
  const float* pixels[16];
  for (Size i = 0; i < 4; ++i) {
    const bool row = i0 + i >= 0 && i0 + i < source_[1];
    for (Size j = 0; j < 4; ++j) {
      const bool inside = row && j0 + j >= 0 && j0 + j < source_[2];
      pixels[4 * i + j] = inside ? image + ((i0 + i) * source_[2] + j0 + j) * k_ : zeros;
    }
  }
  for (Size c = 0; c < k_; c += kFloats) {
    Vector planes[4][4];
    input_columns(pixels, c, planes);
    HWY_UNROLL(4)
    for (Size i = 0; i < 4; ++i) {
      convolve::input_line(planes[i][0], planes[i][1], planes[i][2], planes[i][3]);
      HWY_UNROLL(4)
      for (Size j = 0; j < 4; ++j) Products::put(planes[i][j], to + (4 * i + j) * plane, c);
    }
  }
}

/// Columns [column, column + kGroup) of `tiles` tiles: 16 products of matrices, then the transform of their sums.
void WinogradWay::run_group(const Word* planes, Size tile0, Size tiles, const Word* kernel, Size column, float* sums,
                            float* y, const float* bias) const {
  const Size count = std::min(kGroup, columns_ - column), panels = divide_up(count, kPanel);
  const RowCut cut = RowCut::of(tiles, contract::kTileRows<float>);
  Products::Run t;
  t.s_row = words_;
  t.s_k = 1;
  t.v_k = kPanel;
  t.k = words_;
  t.c_row = kGroup;
  t.last = kFloats;
  for (Size plane = 0; plane < 16; ++plane) {
    t.s = planes + plane * plane_;
    t.v = kernel + plane * kernel_plane_ + column / kPanel * panel_pitch();
    t.c = sums + plane * sums_plane_;
    if (words_ <= 256) {  // a panel stays in L1 while all rows pass it
      for (Size panel = 0; panel < panels; ++panel) {
        Products::run_column(t, cut);
        t.v += panel_pitch();
        t.c += kPanel;
      }
      continue;
    }
    t.count = panels;
    t.v_tile = panel_pitch();
    t.c_tile = kPanel;
    for (Size tile = 0; tile < cut.high_count + cut.low_count; ++tile) {
      const Size rows = tile < cut.high_count ? cut.high : cut.low;
      Products::run_row(t, rows);
      t.s += rows * words_;
      t.c += rows * kGroup;
    }
  }
  const convolve::WinogradFinish finish{bias == nullptr ? nullptr : bias + column, shape_.relu};
  for (Size i = 0; i < tiles; ++i) {
    const Size tile = tile0 + i, row = tile / tiles2_ % tiles1_ * 2, line = tile % tiles2_ * 2;
    float* at = y + ((tile / (tiles1_ * tiles2_) * result_[1] + row) * result_[2] + line) * columns_ + column;
    const bool below = row + 1 < result_[1], beside = line + 1 < result_[2];
    float* const pixels[4] = {at, beside ? at + columns_ : nullptr, below ? at + result_[2] * columns_ : nullptr,
                              below && beside ? at + (result_[2] + 1) * columns_ : nullptr};
    convolve::transform_output(sums + i * kGroup, sums_plane_, count, pixels, finish);
  }
}

void WinogradWay::run_once(float* y, const float* x, const float* w, const float* bias, float* memory) const {
  static_assert(sizeof(Word) == sizeof(float));
  Word* kernel = reinterpret_cast<Word*>(memory);
  Word* shared = kernel + kernel_size_;
  float* slots = memory + kernel_size_ + (shared_ ? 16 * plane_ : 0);
  const auto zeros_of = [&](int thread) {
    float* zeros = slots + (thread + 1) * slot_ - k_;
    std::fill(zeros, zeros + k_, 0.0f);
    return zeros;
  };
  base::parallel_for(
      divide_up(columns_, kPanel), [&](Size panel) { pack_kernel(w, panel, kernel); }, threads_);
  if (shared_) {
    constexpr Size kEach = 8;
    base::parallel_for(
        divide_up(tiles_, kEach),
        [&](Size piece, int thread) {
          const float* zeros = zeros_of(thread);
          for (Size tile = piece * kEach; tile < std::min(tiles_, (piece + 1) * kEach); ++tile)
            transform_tile(x, zeros, tile, shared + tile * words_, plane_);
        },
        threads_);
    const Size groups = divide_up(columns_, kGroup);
    base::parallel_for(
        blocks_ * groups,
        [&](Size piece, int thread) {
          const Size tile0 = piece % blocks_ * block_tiles_;
          run_group(shared + tile0 * words_, tile0, std::min(block_tiles_, tiles_ - tile0), kernel,
                    piece / blocks_ * kGroup, slots + thread * slot_, y, bias);
        },
        threads_);
    return;
  }
  base::parallel_for(
      blocks_,
      [&](Size block, int thread) {
        float* sums = slots + thread * slot_;
        Word* planes = reinterpret_cast<Word*>(sums + 16 * sums_plane_);
        const float* zeros = zeros_of(thread);
        const Size tile0 = block * block_tiles_, tiles = std::min(block_tiles_, tiles_ - tile0);
        for (Size i = 0; i < tiles; ++i) transform_tile(x, zeros, tile0 + i, planes + i * words_, plane_);
        for (Size column = 0; column < columns_; column += kGroup)
          run_group(planes, tile0, tiles, kernel, column, sums, y, bias);
      },
      threads_);
}

void WinogradWay::run(void* result, const void* a, const void* b, const void* bias, void* scratch) const {
  for (Size i = 0; i < shape_.batch; ++i) {
    run_once(static_cast<float*>(result) + i * shape_.n * volume(result_) * columns_,
             static_cast<const float*>(a) + i * shape_.n * volume(source_) * k_,
             static_cast<const float*>(b) + i * 9 * tap_, static_cast<const float*>(bias),
             static_cast<float*>(scratch));
  }
}

}  // namespace
}  // namespace PELLUCID_CONVOLVE_ROOM
}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
PELLUCID_CONVOLVE_AFTER

#endif  // PELLUCID_KERNELS_CPU_CONVOLVE_WINOGRAD_WAY_INL_H_
