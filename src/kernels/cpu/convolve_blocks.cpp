// How a convolution is seen as grids of positions, and how these are cut into blocks.
#include "kernels/cpu/convolve.h"

namespace pellucid::kernels {
namespace {

using Size = std::int64_t;

constexpr Size divide_up(Size x, Size by) { return (x + by - 1) / by; }

/// Elements of a strip of several pictures.
constexpr Size kMostStrip = 192 << 10;

GridAxis forward_axis(const ConvolveShape& s, std::size_t d) {
  GridAxis axis;
  axis.count = s.out[d];
  axis.step = s.stride[d];
  for (Size t = 0; t < s.kernel[d]; ++t) {
    axis.offsets.push_back(t * s.dilation[d] - s.low[d]);
    axis.taps.push_back(t);
  }
  return axis;
}

/// Positions i = q * stride + r of x; tap t meets position q + (r + low - t * dilation) / stride of g where that is
/// whole.
GridAxis input_axis(const ConvolveShape& s, std::size_t d, Size r) {
  GridAxis axis;
  axis.first = r;
  axis.pace = s.stride[d];
  axis.count = s.in[d] > r ? divide_up(s.in[d] - r, s.stride[d]) : 0;
  for (Size t = s.kernel[d]; t-- > 0;) {
    const Size at = r + s.low[d] - t * s.dilation[d];
    if (at % s.stride[d] != 0) continue;
    axis.offsets.push_back(at / s.stride[d]);
    axis.taps.push_back(t);
  }
  return axis;
}

/// Cuts `count` into parts of nearly one size, at most `most`; the size of the largest.
Size even_part(Size count, Size most) {
  most = std::max<Size>(most, 1);
  return count == 0 ? 1 : divide_up(count, divide_up(count, most));
}

}  // namespace

std::vector<Grid> grids_of(const ConvolveShape& shape, ConvolveKind kind) {
  if (kind == ConvolveKind::kForward) return {{forward_axis(shape, 0), forward_axis(shape, 1), forward_axis(shape, 2)}};
  std::vector<Grid> grids;
  for (Size i = 0; i < volume(shape.stride); ++i) {
    const Position r = position(shape.stride, i);
    if (r[0] >= shape.in[0] || r[1] >= shape.in[1] || r[2] >= shape.in[2]) continue;
    grids.push_back({input_axis(shape, 0, r[0]), input_axis(shape, 1, r[1]), input_axis(shape, 2, r[2])});
  }
  return grids;
}

void longest_first(std::vector<Grid>& grids) {
  const auto taps = [](const Grid& grid) { return grid[0].taps.size() * grid[1].taps.size() * grid[2].taps.size(); };
  // Insertion: there are as many as the stride has positions.
  for (std::size_t i = 1; i < grids.size(); ++i) {
    for (std::size_t j = i; j > 0 && taps(grids[j]) > taps(grids[j - 1]); --j) std::swap(grids[j], grids[j - 1]);
  }
}

bool has_zero_cells(const ConvolveShape& shape, const std::vector<Grid>& grids) {
  for (std::size_t d = 0; d < 3; ++d) {
    if (shape.in[d] % shape.stride[d] != 0) return false;
  }
  const auto has_taps = [](const Grid& grid) {
    return !grid[0].taps.empty() && !grid[1].taps.empty() && !grid[2].taps.empty();
  };
  return grids.size() > 1 && has_taps(grids[0]) && std::none_of(grids.begin() + 1, grids.end(), has_taps);
}

Size Blocks::most_steps() const {
  Size most = 0;
  for (const TapChunk& chunk : chunks) most = std::max(most, chunk.steps);
  return most;
}

Blocks blocks_of(const Grid& grid, const GridSource& source) {
  Blocks b;
  b.grid = grid;
  const Size pixels = grid[0].count * grid[1].count * grid[2].count;
  b.size[2] = even_part(grid[2].count, source.positions);
  b.size[1] = even_part(grid[1].count, source.positions / b.size[2]);
  b.size[0] = even_part(grid[0].count, source.positions / (b.size[1] * b.size[2]));
  b.images = pixels > 0 && volume(b.size) == pixels ? even_part(source.n, source.positions / pixels) : 1;
  b.strip = source.must_copy;
  for (std::size_t d = 0; d < 3; ++d) {
    const GridAxis& axis = grid[d];
    b.counts[d] = divide_up(axis.count, b.size[d]);
    const Size first = axis.offsets.empty() ? 0 : axis.offsets.front();
    const Size last = axis.offsets.empty() ? 0 : axis.offsets.back();
    b.strip = b.strip || first < 0 || (axis.count - 1) * axis.step + last >= source.size[d];
    b.low[d] = first;
    b.step[d] = axis.step;
    if (first == last) {  // of one tap, only what is read is copied
      b.thin[d] = axis.step;
      b.step[d] = 1;
    }
    b.extent[d] = (b.size[d] - 1) * b.step[d] + last - first + 1;
  }
  if (!b.strip) {
    b.low = {0, 0, 0};
    b.thin = {1, 1, 1};
    for (std::size_t d = 0; d < 3; ++d) b.step[d] = grid[d].step;
  }
  const Position& sizes = b.strip ? b.extent : source.size;
  b.pitch[2] = b.strip ? source.k : source.channels;
  b.pitch[1] = sizes[2] * b.pitch[2];
  b.pitch[0] = sizes[1] * b.pitch[1];
  b.image_pitch = sizes[0] * b.pitch[0];

  for (std::size_t i = 0; i < grid[0].taps.size(); ++i) {
    for (std::size_t j = 0; j < grid[1].taps.size(); ++j) {
      for (std::size_t l = 0; l < grid[2].taps.size(); ++l) {
        b.taps.push_back({(grid[0].offsets[i] - b.low[0]) * b.pitch[0] + (grid[1].offsets[j] - b.low[1]) * b.pitch[1] +
                              (grid[2].offsets[l] - b.low[2]) * b.pitch[2],
                          (grid[0].taps[i] * source.kernel[1] + grid[1].taps[j]) * source.kernel[2] + grid[2].taps[l]});
      }
    }
  }
  // Fewer pictures where their strips would not stay near L2.
  if (b.strip && b.images > 1) {
    const Size fit = std::max<Size>(1, kMostStrip / std::max<Size>(1, b.image_pitch));
    if (fit < b.images) b.images = even_part(source.n, fit);
  }
  b.image_blocks = divide_up(source.n, b.images);

  const Size all = static_cast<Size>(b.taps.size());
  const Size most = std::max<Size>(1, source.k == 0 ? all : kTapChunk / source.k);
  const Size each = all == 0 ? 1 : divide_up(all, divide_up(all, most));
  for (Size first = 0; first < std::max<Size>(all, 1); first += each) {
    TapChunk chunk{first, std::min(all, first + each), static_cast<Size>(b.segments.size()), 0, 0};
    for (Size t = chunk.first; t < chunk.end; ++t) {
      const Size offset = b.taps[static_cast<std::size_t>(t)].offset;
      if (chunk.segments > 0 && b.segments.back().offset + b.segments.back().length == offset) {
        b.segments.back().length += source.k;
      } else {
        b.segments.push_back({offset, source.k});
        ++chunk.segments;
      }
      chunk.steps += source.k;
    }
    b.chunks.push_back(chunk);
  }
  return b;
}

void cut_segments(Blocks& blocks, Size most) {
  std::vector<Segment> cut;
  for (TapChunk& chunk : blocks.chunks) {
    const auto first = static_cast<Size>(cut.size());
    for (Size i = chunk.segment; i < chunk.segment + chunk.segments; ++i) {
      Segment segment = blocks.segments[static_cast<std::size_t>(i)];
      for (; segment.length > most; segment.offset += most, segment.length -= most)
        cut.push_back({segment.offset, most});
      cut.push_back(segment);
    }
    chunk.segment = first;
    chunk.segments = static_cast<Size>(cut.size()) - first;
  }
  blocks.segments = std::move(cut);
}

}  // namespace pellucid::kernels
