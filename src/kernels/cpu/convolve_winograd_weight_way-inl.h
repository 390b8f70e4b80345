// w from x, g of 3 x 3 kernels of stride 1 over many channels: the transpose of Winograd's F(2 x 2, 3 x 3) by its
// kernel. Included once for each instruction set (Highway's toggle), in the room that convolve_products-inl.h chooses.
#if defined(PELLUCID_KERNELS_CPU_CONVOLVE_WINOGRAD_WEIGHT_WAY_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef PELLUCID_KERNELS_CPU_CONVOLVE_WINOGRAD_WEIGHT_WAY_INL_H_
#undef PELLUCID_KERNELS_CPU_CONVOLVE_WINOGRAD_WEIGHT_WAY_INL_H_
#else
#define PELLUCID_KERNELS_CPU_CONVOLVE_WINOGRAD_WEIGHT_WAY_INL_H_
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

class WinogradWeightWay final : public Convolve::Way {
 public:
  explicit WinogradWeightWay(const ConvolveShape& shape);
  void run(void* result, const void* a, const void* b, const void* bias, void* scratch) const override;

 private:
  using Word = Products::Word;
  static constexpr Size kSteps = Products::kSteps;
  static constexpr Size kRun = 16;             // channels of x side by side in a plane
  static constexpr Size kPanel = 2 * kFloats;  // channels of g
  static constexpr Size kLine = 16;            // planes are a line more than a power of two apart
  static constexpr Size kBlockTiles = 128;     // summed in registers, kSteps of them in a word
  static constexpr Size kMostChannels = 128;   // of a piece
  static constexpr Size kMostParts = 1 << 20;  // elements of all parts' sums, where there is more than one
  static constexpr Size kPieces = 8;

  void transform_tiles(const float* x, const float* g, const float* zeros, Size tile, Size end, Size row, Size channels,
                       Size columns, Word* planes, Word* cotangents) const;
  void run_piece(const float* x, const float* g, const float* zeros, Size part, Size channels, Size columns,
                 float* sums, float* scratch) const;
  void finish(const float* sums, Size channels, Size columns, float* w) const;
  void run_once(float* w, const float* x, const float* g, float* memory) const;

  ConvolveShape shape_;
  Size tiles1_ = 0, tiles2_ = 0, tiles_ = 0;
  Size block_tiles_ = 0, block_words_ = 0, blocks_ = 0, parts_ = 1, part_blocks_ = 1;
  Size channel_piece_ = 0, channel_pieces_ = 1, column_piece_ = 0, column_pieces_ = 1;
  Size plane_ = 0, cotangent_plane_ = 0, sums_row_ = 0, sums_plane_ = 0, sums_size_ = 0;
  Size part_ = 0;  // from one part's sums to the next
  Size slot_ = 0;
  int threads_ = 1;
};

WinogradWeightWay::WinogradWeightWay(const ConvolveShape& shape) : shape_(shape) {
  threads_ = base::threads();
  tiles1_ = divide_up(shape.out[1], 2);
  tiles2_ = divide_up(shape.out[2], 2);
  tiles_ = shape.n * tiles1_ * tiles2_;
  block_tiles_ = divide_up(tiles_, divide_up(tiles_, kBlockTiles));
  block_words_ = divide_up(block_tiles_, kSteps);
  blocks_ = divide_up(tiles_, block_tiles_);
  channel_pieces_ = divide_up(shape.channels, kMostChannels);
  column_pieces_ = divide_up(shape.outputs, kMostChannels);
  const Size all = 16 * shape.channels * shape.outputs;
  parts_ = std::clamp<Size>(std::min(blocks_, kMostParts / all), 1, 2 * kPieces);
  if (channel_pieces_ * column_pieces_ * parts_ < kPieces && shape.outputs > 64)
    column_pieces_ = divide_up(shape.outputs, kMostChannels / 2);
  part_blocks_ = divide_up(blocks_, parts_);
  parts_ = divide_up(blocks_, part_blocks_);
  channel_piece_ = round_up(divide_up(shape.channels, channel_pieces_), kRun);
  channel_pieces_ = divide_up(shape.channels, channel_piece_);
  column_piece_ = round_up(divide_up(shape.outputs, column_pieces_), 32);
  column_pieces_ = divide_up(shape.outputs, column_piece_);
  plane_ = channel_piece_ * block_words_ + kLine;
  cotangent_plane_ = column_piece_ * block_words_ + kLine;
  sums_row_ = column_piece_;
  sums_plane_ = channel_piece_ * sums_row_ + kLine;
  sums_size_ = 16 * sums_plane_;
  part_ = channel_pieces_ * column_pieces_ * sums_size_;
  const Size zeros = std::max(channel_piece_, column_piece_);
  slot_ = round_up(16 * (plane_ + cotangent_plane_) + (parts_ == 1 ? sums_size_ : 0) + zeros, 2 * kLine);
  workspace = static_cast<std::size_t>(slot_ * threads_ + (parts_ == 1 ? 0 : parts_ * part_)) * sizeof(float);
}

/// Row `row` of all planes: of kSteps tiles from `tile` on, zeros from `end` on.
void WinogradWeightWay::transform_tiles(const float* x, const float* g, const float* zeros, Size tile, Size end,
                                        Size row, Size channels, Size columns, Word* planes, Word* cotangents) const {
  const float* pixels[kSteps][16];
  const float* outputs[kSteps][4];
  for (Size step = 0; step < kSteps; ++step, ++tile) {
    const Size image = tile / (tiles1_ * tiles2_), i0 = tile / tiles2_ % tiles1_ * 2, j0 = tile % tiles2_ * 2;
    for (Size i = 0; i < 4; ++i) {
      const Size line = i0 + i - shape_.low[1];
      for (Size j = 0; j < 4; ++j) {
        const Size at = j0 + j - shape_.low[2];
        const bool inside = tile < end && line >= 0 && line < shape_.in[1] && at >= 0 && at < shape_.in[2];
        pixels[step][4 * i + j] =
            inside ? x + ((image * shape_.in[1] + line) * shape_.in[2] + at) * shape_.channels : zeros;
      }
    }
    for (Size i = 0; i < 4; ++i) {
      const Size line = i0 + i / 2, at = j0 + i % 2;
      outputs[step][i] = tile < end && line < shape_.out[1] && at < shape_.out[2]
                             ? g + ((image * shape_.out[1] + line) * shape_.out[2] + at) * shape_.outputs
                             : zeros;
    }
  }
  for (Size c = 0; c < channels; c += kFloats) {
    Vector t[kSteps][4][4];
    HWY_UNROLL(2)
    for (Size step = 0; step < kSteps; ++step) input_columns(pixels[step], c, t[step]);
    Word* to = planes + (c / kRun * block_words_ + row) * kRun + c % kRun;
    HWY_UNROLL(4)
    for (Size i = 0; i < 4; ++i) {
      HWY_UNROLL(2)
      for (Size step = 0; step < kSteps; ++step)
        convolve::input_line(t[step][i][0], t[step][i][1], t[step][i][2], t[step][i][3]);
      HWY_UNROLL(4)
      for (Size j = 0; j < 4; ++j) Products::join(t[0][i][j], t[kSteps - 1][i][j], to + (4 * i + j) * plane_);
    }
  }
  for (Size c = 0; c < columns; c += kFloats) {
    Vector rows[kSteps][4][2];
    HWY_UNROLL(2)
    for (Size step = 0; step < kSteps; ++step) {
      Vector of[4];
      HWY_UNROLL(4)
      for (Size i = 0; i < 4; ++i) of[i] = pixel(outputs[step][i] + c);
      convolve::cotangent_columns(of, rows[step]);
    }
    Word* to = cotangents + (c / kPanel * block_words_ + row) * kPanel + c % kPanel;
    HWY_UNROLL(4)
    for (Size i = 0; i < 4; ++i) {
      Vector t[kSteps][4];
      HWY_UNROLL(2)
      for (Size step = 0; step < kSteps; ++step) convolve::cotangent_line(rows[step][i][0], rows[step][i][1], t[step]);
      HWY_UNROLL(4)
      for (Size j = 0; j < 4; ++j) Products::join(t[0][j], t[kSteps - 1][j], to + (4 * i + j) * cotangent_plane_);
    }
  }
}

void WinogradWeightWay::run_piece(const float* x, const float* g, const float* zeros, Size part, Size channels,
                                  Size columns, float* sums, float* scratch) const {
  static_assert(sizeof(Word) == sizeof(float));
  Word* planes = reinterpret_cast<Word*>(scratch);
  Word* cotangents = planes + 16 * plane_;
  const Size first = part * part_blocks_, end = std::min(blocks_, first + part_blocks_);
  for (Size block = first; block < end; ++block) {
    const Size tile0 = block * block_tiles_, tiles = std::min(block_tiles_, tiles_ - tile0);
    for (Size i = 0; i < tiles; i += kSteps) {
      transform_tiles(x, g, zeros, tile0 + i, tile0 + tiles, i / kSteps, channels, columns, planes, cotangents);
    }
    Products::Run t;
    t.s_row = 1;
    t.s_k = kRun;
    t.v_k = kPanel;
    t.k = divide_up(tiles, kSteps);
    t.c_row = sums_row_;
    t.last = kFloats;
    t.add = block > first;
    const RowCut cut = RowCut::of(kRun, contract::kTileRows<float>);
    for (Size plane = 0; plane < 16; ++plane) {
      for (Size j = 0; j < columns; j += kPanel) {
        t.v = cotangents + plane * cotangent_plane_ + j * block_words_;
        for (Size c = 0; c < channels; c += kRun) {
          t.s = planes + plane * plane_ + c * block_words_;
          t.c = sums + plane * sums_plane_ + c * sums_row_ + j;
          Products::run_column(t, cut);
        }
      }
    }
  }
}

void WinogradWeightWay::finish(const float* sums, Size channels, Size columns, float* w) const {
  for (Size c = 0; c < channels; ++c) {
    for (Size j = 0; j < columns; j += kFloats) {
      convolve::transform_kernel_sums(sums + c * sums_row_ + j, sums_plane_, parts_, part_, w + c * shape_.outputs + j,
                                      shape_.channels * shape_.outputs);
    }
  }
}

void WinogradWeightWay::run_once(float* w, const float* x, const float* g, float* memory) const {
  float* parts = memory + slot_ * threads_;
  const Size pieces = channel_pieces_ * column_pieces_;
  base::parallel_for(
      parts_ * pieces,
      [&](Size i, int thread) {
        const Size part = i / pieces, piece = i % pieces;
        const Size channel = piece / column_pieces_ * channel_piece_, column = piece % column_pieces_ * column_piece_;
        const Size channels = std::min(channel_piece_, shape_.channels - channel);
        const Size columns = std::min(column_piece_, shape_.outputs - column);
        float* scratch = memory + thread * slot_;
        float* zeros = memory + (thread + 1) * slot_ - std::max(channel_piece_, column_piece_);
        std::fill(zeros, memory + (thread + 1) * slot_, 0.0f);
        float* sums =
            parts_ == 1 ? scratch + 16 * (plane_ + cotangent_plane_) : parts + part * part_ + piece * sums_size_;
        run_piece(x + channel, g + column, zeros, part, channels, columns, sums, scratch);
        if (parts_ == 1) finish(sums, channels, columns, w + channel * shape_.outputs + column);
      },
      threads_);
  if (parts_ == 1) return;
  constexpr Size kRows = 16;  // channels of a piece of the last step
  base::parallel_for(pieces * (channel_piece_ / kRows), [&](Size i) {
    const Size piece = i / (channel_piece_ / kRows), row = i % (channel_piece_ / kRows) * kRows;
    const Size channel = piece / column_pieces_ * channel_piece_ + row;
    const Size column = piece % column_pieces_ * column_piece_;
    if (channel >= shape_.channels) return;
    finish(parts + piece * sums_size_ + row * sums_row_, std::min(kRows, shape_.channels - channel),
           std::min(column_piece_, shape_.outputs - column), w + channel * shape_.outputs + column);
  });
}

void WinogradWeightWay::run(void* result, const void* a, const void* b, const void*, void* scratch) const {
  for (Size i = 0; i < shape_.batch; ++i) {
    run_once(static_cast<float*>(result) + i * 9 * shape_.channels * shape_.outputs,
             static_cast<const float*>(a) + i * shape_.n * volume(shape_.in) * shape_.channels,
             static_cast<const float*>(b) + i * shape_.n * volume(shape_.out) * shape_.outputs,
             static_cast<float*>(scratch));
  }
}

}  // namespace
}  // namespace PELLUCID_CONVOLVE_ROOM
}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
PELLUCID_CONVOLVE_AFTER

#endif  // PELLUCID_KERNELS_CPU_CONVOLVE_WINOGRAD_WEIGHT_WAY_INL_H_
