// What the files of the convolution share: sizes, where a tap of the kernel lies, and how a product is cut.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "kernels/convolve.h"

namespace pellucid::kernels {

using Position = std::array<std::int64_t, 3>;

/// Position number i, row-major, of a box.
inline Position position(const Position& box, std::int64_t i) {
  return {i / (box[1] * box[2]), i / box[2] % box[1], i % box[2]};
}
inline std::int64_t volume(const Position& box) { return box[0] * box[1] * box[2]; }

/// Sizes that follow from a shape.
struct ConvolveSizes {
  explicit ConvolveSizes(const ConvolveShape& shape)
      : s(shape),
        in_pixels(volume(shape.in)),
        out_pixels(volume(shape.out)),
        taps(volume(shape.kernel)),
        group_channels(shape.channels / shape.groups),
        group_outputs(shape.outputs / shape.groups) {}

  /// The pixel of x that a tap of the kernel meets at an output position; -1 outside of the picture.
  std::int64_t input_pixel(const Position& out, const Position& tap) const {
    std::int64_t pixel = 0;
    for (std::size_t d = 0; d < 3; ++d) {
      const std::int64_t at = out[d] * s.stride[d] + tap[d] * s.dilation[d] - s.low[d];
      if (at < 0 || at >= s.in[d]) return -1;
      pixel = pixel * s.in[d] + at;
    }
    return pixel;
  }
  /// The pixel of y whose tap meets a position of x; -1 where there is none.
  std::int64_t output_pixel(const Position& in, const Position& tap) const {
    std::int64_t pixel = 0;
    for (std::size_t d = 0; d < 3; ++d) {
      const std::int64_t from = in[d] + s.low[d] - tap[d] * s.dilation[d];
      if (from < 0 || from % s.stride[d] != 0 || from / s.stride[d] >= s.out[d]) return -1;
      pixel = pixel * s.out[d] + from / s.stride[d];
    }
    return pixel;
  }

  ConvolveShape s;
  std::int64_t in_pixels, out_pixels, taps, group_channels, group_outputs;
};

// ---- Grids ----------------------------------------------------------------------------------------------------------

/// One axis of a product that reads a source picture at offsets around each of its positions: y from x, or the part of
/// x from g that lies at one remainder of the stride.
struct GridAxis {
  std::int64_t count = 1;                   // positions
  std::int64_t step = 1;                    // from one to the next in the source
  std::int64_t first = 0, pace = 1;         // where they lie in the result
  std::vector<std::int64_t> offsets, taps;  // into the source, ascending, and the kernel's tap at each
};
using Grid = std::array<GridAxis, 3>;

/// The grids of a forward product (one), or of x from g (one for each remainder). Grids without positions are left out.
std::vector<Grid> grids_of(const ConvolveShape& shape, ConvolveKind kind);
/// Orders grids by their taps: those that take longest first.
void longest_first(std::vector<Grid>& grids);
/// True where of the grids of x from g the first alone has taps, and x is nothing but whole cells of the stride: a
/// result of that grid and, beside it, zeros.
bool has_zero_cells(const ConvolveShape& shape, const std::vector<Grid>& grids);

/// A run of steps of k whose source elements lie one behind the other.
struct Segment {
  std::int64_t offset = 0, length = 0;
};
/// Taps [first, end) whose products are summed in registers; the sums of chunks are added in order.
struct TapChunk {
  std::int64_t first = 0, end = 0;         // of Blocks::taps
  std::int64_t segment = 0, segments = 0;  // of Blocks::segments
  std::int64_t steps = 0;
};
struct GridTap {
  std::int64_t offset = 0;  // in a view of the source, in elements
  std::int64_t kernel = 0;  // its number in the kernel
};

/// How a grid is cut into blocks of positions, and how a block sees the source: where it lies, or copied into a strip
/// with zeros around it. All of it depends on the shape alone.
struct Blocks {
  Grid grid;
  bool strip = true;              // else the source is read where it lies
  std::int64_t images = 1;        // of a block: several where they are small
  Position size = {1, 1, 1};      // positions of a block along each axis, at most
  Position counts = {1, 1, 1};    // blocks along each axis
  std::int64_t image_blocks = 1;  // groups of images
  Position extent = {1, 1, 1};    // positions of the strip of one image
  Position low = {0, 0, 0};       // the source position of the strip's first, for the block at 0
  Position step = {1, 1, 1};      // from one position to the next in the view
  Position thin = {1, 1, 1};      // source positions for one position of the strip
  Position pitch = {0, 0, 0};     // of the view, in elements
  std::int64_t image_pitch = 0;
  std::vector<GridTap> taps;
  std::vector<Segment> segments;
  std::vector<TapChunk> chunks;
  std::int64_t pixels() const { return images * volume(size); }  // of the largest block
  std::int64_t strip_size() const { return strip ? images * image_pitch : 0; }
  std::int64_t blocks() const { return image_blocks * volume(counts); }
  std::int64_t most_steps() const;
};

/// What the source and the kernel look like for blocks_of.
struct GridSource {
  Position size = {1, 1, 1};
  Position kernel = {1, 1, 1};
  std::int64_t n = 0;
  std::int64_t channels = 0;  // of a pixel where it lies
  std::int64_t k = 0;         // channels that are summed over
  bool must_copy = false;     // another type than that of sums
  /// Of a block, at most: enough that packing the kernel for each is little work, few enough that its strip stays in
  /// L2.
  std::int64_t positions = 256;
};
Blocks blocks_of(const Grid& grid, const GridSource& source);
/// Cuts segments of more than `most` steps.
void cut_segments(Blocks& blocks, std::int64_t most);

/// Steps of k that one accumulator takes at most, unless one tap alone has more.
inline constexpr std::int64_t kTapChunk = 1024;

// ---- Ways -----------------------------------------------------------------------------------------------------------

/// The definition, without vectors.
std::shared_ptr<const Convolve::Way> plain_convolution(const ConvolveShape& shape, ConvolveKind kind);
/// Tiles over grids: forward, and x from g.
std::shared_ptr<const Convolve::Way> grid_convolution(const ConvolveShape& shape, ConvolveKind kind);
/// Winograd's F(2 x 2, 3 x 3): forward, and x from g.
bool suits_winograd(const ConvolveShape& shape);
std::shared_ptr<const Convolve::Way> winograd_convolution(const ConvolveShape& shape, ConvolveKind kind);
/// The same for w from x, g.
std::shared_ptr<const Convolve::Way> winograd_weight_convolution(const ConvolveShape& shape);
/// Operands that are taken as bfloat16 numbers, by the dot product of pairs: the shapes of suits_winograd, where the
/// processor has the instruction. Transformed operands are rounded once more.
bool suits_pairs(const ConvolveShape& shape);
std::shared_ptr<const Convolve::Way> pair_convolution(const ConvolveShape& shape, ConvolveKind kind);
/// Such operands where many outputs share what is read: patches in bfloat16, and one contraction.
bool suits_patches(const ConvolveShape& shape, ConvolveKind kind);
std::shared_ptr<const Convolve::Way> patch_convolution(const ConvolveShape& shape, ConvolveKind kind);
/// As many groups as channels and outputs: vectors along the channels.
bool is_depthwise(const ConvolveShape& shape);
std::shared_ptr<const Convolve::Way> depthwise_convolution(const ConvolveShape& shape, ConvolveKind kind);
/// The same of 3 x 3 over pictures, stride 1 or 2: two by two results share what they load.
bool suits_depthwise3(const ConvolveShape& shape);
std::shared_ptr<const Convolve::Way> depthwise3_convolution(const ConvolveShape& shape, ConvolveKind kind);
/// x from g where x has few channels.
bool suits_scatter(const ConvolveShape& shape);
std::shared_ptr<const Convolve::Way> scatter_convolution(const ConvolveShape& shape);
/// w from x, g of one tap with a stride.
std::shared_ptr<const Convolve::Way> point_weight_convolution(const ConvolveShape& shape);
/// Tiles of channels x channels over positions: w from x, g.
std::shared_ptr<const Convolve::Way> weight_convolution(const ConvolveShape& shape);

}  // namespace pellucid::kernels
