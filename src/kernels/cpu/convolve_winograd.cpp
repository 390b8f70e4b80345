// 3 x 3 kernels of stride 1 over many channels by Winograd's F(2 x 2, 3 x 3): forward, and x from g (the same with the
// kernel turned round and its channels exchanged). Float32 alone.
#include "base/thread_pool.h"
#include "kernels/cpu/convolve.h"
#include "kernels/kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/convolve_winograd.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "kernels/cpu/convolve_winograd-inl.h"
#include "kernels/cpu/dispatch.h"

HWY_BEFORE_NAMESPACE();
namespace pellucid::kernels {
namespace HWY_NAMESPACE {
namespace convolve {
namespace {

constexpr Size divide_up(Size x, Size by) { return (x + by - 1) / by; }
constexpr Size round_up(Size x, Size to) { return divide_up(x, to) * to; }

class WinogradWay final : public Convolve::Way {
 public:
  WinogradWay(const ConvolveShape& shape, ConvolveKind kind);
  void run(void* result, const void* a, const void* b, const void* bias, void* scratch) const override;

 private:
  static constexpr Size kGroup = 64;  // columns whose sums are transformed together
  static constexpr Size kPanel = 2 * kFloats;
  static constexpr Size kBlockTiles = 48;  // whose planes stay near L2
  static constexpr Size kLine = 16;        // planes are a line more than a power of two apart

  Size panel_pitch() const { return kPanel * (k_ + 1); }
  void pack_kernel(const float* w, Size panel, float* to) const;
  void transform_tile(const float* x, const float* zeros, Size tile, float* to, Size plane) const;
  void run_once(float* y, const float* x, const float* w, const float* bias, float* memory) const;
  void run_group(const float* planes, Size tile0, Size tiles, const float* kernel, Size column, float* sums, float* y,
                 const float* bias) const;

  ConvolveShape shape_;
  bool forward_ = true;
  Position source_{}, result_{};
  Size low1_ = 0, low2_ = 0;  // zeros before the source
  Size k_ = 0, columns_ = 0, tap_ = 0;
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
  plane_ = (shared_ ? tiles_ : block_tiles_) * k_ + kLine;
  sums_plane_ = block_tiles_ * kGroup + kLine;
  slot_ = round_up(16 * sums_plane_ + (shared_ ? 0 : 16 * plane_) + k_, 2 * kLine);
  workspace = static_cast<std::size_t>(kernel_size_ + (shared_ ? 16 * plane_ : 0) + slot_ * threads_ + 2 * kLine) *
              sizeof(float);
}

/// The panel of 16 planes of G w G^T: to[plane][k][column].
void WinogradWay::pack_kernel(const float* w, Size panel, float* to) const {
  const Floats d;
  to += panel * panel_pitch();
  for (Size j = 0; j < kPanel && panel * kPanel + j < columns_; j += kFloats) {
    const Size column = panel * kPanel + j;
    if (forward_) {
      for (Size k = 0; k < k_; ++k) {
        Vector taps[9];
        for (Size t = 0; t < 9; ++t) taps[t] = hn::LoadU(d, w + t * tap_ + k * columns_ + column);
        transform_kernel(taps, to + k * kPanel + j, kernel_plane_);
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
      for (Size q = 0; q < block; ++q) {
        Vector taps[9];
        for (Size t = 0; t < 9; ++t) taps[t] = turned[t][q];
        transform_kernel(taps, to + (k + q) * kPanel + j, kernel_plane_);
      }
    }
  }
}

/// The planes of one tile; `to` is its row in plane 0.
void WinogradWay::transform_tile(const float* x, const float* zeros, Size tile, float* to, Size plane) const {
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
  transform_input<kLine>(pixels, k_, to, plane, kLine);
}

/// Columns [column, column + kGroup) of `tiles` tiles: 16 products of matrices, then the transform of their sums.
void WinogradWay::run_group(const float* planes, Size tile0, Size tiles, const float* kernel, Size column, float* sums,
                            float* y, const float* bias) const {
  const Size count = std::min(kGroup, columns_ - column), panels = divide_up(count, kPanel);
  const RowCut cut = RowCut::of(tiles, contract::kTileRows<float>);
  contract::TileRun<float> t;
  t.s_row = k_;
  t.s_k = 1;
  t.v_k = kPanel;
  t.k = k_;
  t.c_row = kGroup;
  t.last = kFloats;
  for (Size plane = 0; plane < 16; ++plane) {
    t.s = planes + plane * plane_;
    t.v = kernel + plane * kernel_plane_ + column / kPanel * panel_pitch();
    t.c = sums + plane * sums_plane_;
    if (k_ <= 256) {  // a panel stays in L1 while all rows pass it
      for (Size panel = 0; panel < panels; ++panel) {
        contract::run_tile_column(t, cut, 2, 0);
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
      contract::tile_function<float>(rows, 2, kFloats)(t);
      t.s += rows * k_;
      t.c += rows * kGroup;
    }
  }
  const WinogradFinish finish{bias == nullptr ? nullptr : bias + column, shape_.relu};
  for (Size i = 0; i < tiles; ++i) {
    const Size tile = tile0 + i, row = tile / tiles2_ % tiles1_ * 2, line = tile % tiles2_ * 2;
    float* at = y + ((tile / (tiles1_ * tiles2_) * result_[1] + row) * result_[2] + line) * columns_ + column;
    const bool below = row + 1 < result_[1], beside = line + 1 < result_[2];
    float* const pixels[4] = {at, beside ? at + columns_ : nullptr, below ? at + result_[2] * columns_ : nullptr,
                              below && beside ? at + (result_[2] + 1) * columns_ : nullptr};
    transform_output(sums + i * kGroup, sums_plane_, count, pixels, finish);
  }
}

void WinogradWay::run_once(float* y, const float* x, const float* w, const float* bias, float* memory) const {
  float* kernel = memory;
  float* shared = kernel + kernel_size_;
  float* slots = shared + (shared_ ? 16 * plane_ : 0);
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
            transform_tile(x, zeros, tile, shared + tile * k_, plane_);
        },
        threads_);
    const Size groups = divide_up(columns_, kGroup);
    base::parallel_for(
        blocks_ * groups,
        [&](Size piece, int thread) {
          const Size tile0 = piece % blocks_ * block_tiles_;
          run_group(shared + tile0 * k_, tile0, std::min(block_tiles_, tiles_ - tile0), kernel,
                    piece / blocks_ * kGroup, slots + thread * slot_, y, bias);
        },
        threads_);
    return;
  }
  base::parallel_for(
      blocks_,
      [&](Size block, int thread) {
        float* sums = slots + thread * slot_;
        float* planes = sums + 16 * sums_plane_;
        const float* zeros = zeros_of(thread);
        const Size tile0 = block * block_tiles_, tiles = std::min(block_tiles_, tiles_ - tile0);
        for (Size i = 0; i < tiles; ++i) transform_tile(x, zeros, tile0 + i, planes + i * k_, plane_);
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
