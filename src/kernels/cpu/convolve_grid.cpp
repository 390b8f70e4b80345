// Forward products, and x from g: tiles of positions over packed kernels, block after block.
#include "base/thread_pool.h"
#include "kernels/cpu/convolve.h"
#include "kernels/kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/convolve_grid.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "kernels/cpu/convolve_strip-inl.h"
#include "kernels/cpu/convolve_tile-inl.h"
#include "kernels/cpu/dispatch.h"

HWY_BEFORE_NAMESPACE();
namespace pellucid::kernels {
namespace HWY_NAMESPACE {
namespace convolve {

constexpr Size divide_up(Size x, Size by) { return (x + by - 1) / by; }
constexpr Size round_up(Size x, Size to) { return divide_up(x, to) * to; }

/// T is the type of sums, S that of operands and results.
template <class T, class S>
class GridWay final : public Convolve::Way {
 public:
  GridWay(const ConvolveShape& shape, ConvolveKind kind);
  void run(void* result, const void* a, const void* b, const void* bias, void* scratch) const override;

 private:
  static constexpr Size lanes = kLanesOf<T>;
  /// Columns whose kernel is packed together: 256 bytes of each row.
  static constexpr Size kGroup = 256 / static_cast<Size>(sizeof(T));
  static constexpr Size kLeastLine = 8;           // positions of a line that make tiles of their own worth while
  static constexpr Size kLeastPiece = 512 << 10;  // multiply-adds: about 10 microseconds
  static constexpr Size kMostShared = 256 << 10;  // elements of a kernel that is packed once, not for every piece
  static constexpr Size kZeroSteps = 16;          // steps between which a tile writes zeros

  /// One grid with what its packing and pieces need.
  struct Part {
    Blocks blocks;
    Size packed = 0;       // where its shared panels begin
    Size first_piece = 0;  // of all parts' pieces
    Size pieces = 0;
    Size piece_blocks = 1;  // blocks of a piece
  };
  struct Memory {
    T* strip = nullptr;
    T* panels = nullptr;
    T* sums = nullptr;
    const T** rows = nullptr;
    S** out = nullptr;
    T** out_sums = nullptr;
  };
  struct Operands {
    S* y;
    const S* x;
    const S* w;
    const T* bias;
    const T* shared;
  };
  /// Where a group of columns stands: of one convolution of the batch and one group of channels.
  struct Columns {
    Size batch = 0, group = 0, first = 0, end = 0;
  };

  Size panel_pitch(Size vectors, Size steps) const { return vectors * lanes * (steps + 1); }
  /// Elements of the panels of `columns` columns and `steps` steps.
  Size panels_size(Size columns, Size steps) const { return round_up(columns, lanes) * (steps + 1) + lanes; }
  Size shared_size(const Blocks& b) const;
  void pack(const Blocks& b, const TapChunk& chunk, const S* w, Size columns, T* to) const;
  void pack_shared(const Part& part, Size i, const S* w, T* to) const;
  void run_piece(const Part& part, Size piece, const Operands& of, const Memory& m) const;
  void run_block(const Part& part, Size block, const Columns& columns, const Operands& of, const Memory& m) const;
  void run_lines(const Blocks& b, Size rows, Size line, const T* const* from, T* const* out, Size column,
                 LineTile<T>& t) const;
  Size place(const Blocks& b, Size block, const Columns& columns, const Operands& of, const Memory& m) const;

  ConvolveShape shape_;
  Position source_size_{}, result_size_{};
  Size k_ = 0, columns_ = 0;                        // summed channels and channels of the result, of one group
  Size source_channels_ = 0, result_channels_ = 0;  // of a pixel
  Size w_tap_ = 0, w_k_ = 0, w_column_ = 0, w_group_ = 0, w_batch_ = 0;
  std::vector<Part> parts_;
  std::vector<Size> cell_;  // elements from a result to the pixels beside it that are zero, where its tile writes them
  Size column_piece_ = 0, column_pieces_ = 1;
  bool shared_ = false;
  Size shared_elements_ = 0;
  Size pieces_ = 0;
  int threads_ = 1;
  // Elements of one thread's scratch memory.
  Size strip_ = 0, panels_ = 0, sums_ = 0, table_ = 0, slot_ = 0;  // slot_ in bytes
};

template <class T, class S>
GridWay<T, S>::GridWay(const ConvolveShape& shape, ConvolveKind kind) : shape_(shape) {
  const ConvolveSizes of(shape);
  const bool forward = kind == ConvolveKind::kForward;
  source_size_ = forward ? shape.in : shape.out;
  result_size_ = forward ? shape.out : shape.in;
  k_ = forward ? of.group_channels : of.group_outputs;
  columns_ = forward ? of.group_outputs : of.group_channels;
  source_channels_ = forward ? shape.channels : shape.outputs;
  result_channels_ = forward ? shape.outputs : shape.channels;
  w_tap_ = of.group_channels * shape.outputs;
  w_k_ = forward ? shape.outputs : 1;
  w_column_ = forward ? 1 : shape.outputs;
  w_group_ = of.group_outputs;
  w_batch_ = of.taps * w_tap_;
  threads_ = base::threads();

  const GridSource source{source_size_, shape.kernel, shape.n, source_channels_, k_, !std::is_same_v<T, S>};
  double work = 0;
  Size row_pieces = 0;
  std::vector<Grid> grids = grids_of(shape, kind);
  if (kMayZero<S> && !forward && columns_ % (2 * lanes) == 0 && has_zero_cells(shape, grids)) {
    for (Size i = 1; i < volume(shape.stride); ++i) {
      const Position r = position(shape.stride, i);
      cell_.push_back(((r[0] * shape.in[1] + r[1]) * shape.in[2] + r[2]) * shape.channels);
    }
    grids.resize(1);
  }
  longest_first(grids);  // so that threads end together
  for (const Grid& grid : grids) {
    Part part;
    part.blocks = blocks_of(grid, source);
    if (!cell_.empty()) cut_segments(part.blocks, kZeroSteps);
    work += static_cast<double>(part.blocks.blocks() * part.blocks.pixels()) *
            static_cast<double>(part.blocks.taps.size()) * static_cast<double>(k_);
    row_pieces += part.blocks.blocks();
    parts_.push_back(std::move(part));
  }
  const Size sets = shape.batch * shape.groups;
  work *= static_cast<double>(columns_) * static_cast<double>(sets);
  const Size wanted = static_cast<Size>(std::clamp(work / static_cast<double>(kLeastPiece), 1.0, 16.0));
  // Where positions give too few pieces, columns are cut too.
  column_pieces_ = std::clamp<Size>(divide_up(wanted, std::max<Size>(1, row_pieces * sets)), 1,
                                    std::max<Size>(1, columns_ / kGroup));
  column_piece_ = round_up(divide_up(columns_, column_pieces_), column_pieces_ == 1 ? 1 : kGroup);
  column_pieces_ = std::max<Size>(1, divide_up(columns_, std::max<Size>(1, column_piece_)));

  shared_ = of.taps * of.group_channels * of.group_outputs * sets <= kMostShared;
  for (Part& part : parts_) {
    const Blocks& b = part.blocks;
    const double block = static_cast<double>(b.pixels() * column_piece_) * static_cast<double>(b.taps.size()) *
                         static_cast<double>(std::max<Size>(k_, 1));
    part.piece_blocks = std::clamp<Size>(static_cast<Size>(static_cast<double>(kLeastPiece) / std::max(block, 1.0)), 1,
                                         std::max<Size>(1, b.blocks()));
    part.pieces = sets * column_pieces_ * divide_up(b.blocks(), part.piece_blocks);
    part.first_piece = pieces_;
    pieces_ += part.pieces;
    part.packed = shared_elements_;
    if (shared_) shared_elements_ += shared_size(b) * sets;
    strip_ = std::max(strip_, b.strip_size() + lanes);
    if (!shared_) panels_ = std::max(panels_, panels_size(std::min(kGroup, columns_), b.most_steps()));
    table_ = std::max(table_, b.pixels());
  }
  if constexpr (!std::is_same_v<T, S>) sums_ = table_ * round_up(column_piece_, lanes);
  const Size align = 64 / static_cast<Size>(sizeof(T));
  strip_ = round_up(strip_, align);
  panels_ = round_up(panels_, align);
  sums_ = round_up(sums_, align);
  slot_ = round_up(
      (strip_ + panels_ + sums_) * static_cast<Size>(sizeof(T)) + 3 * table_ * static_cast<Size>(sizeof(void*)), 128);
  shared_elements_ = round_up(shared_elements_, align);
  workspace = static_cast<std::size_t>(shared_elements_) * sizeof(T) + static_cast<std::size_t>(slot_ * threads_) +
              static_cast<std::size_t>(round_up(result_channels_ * static_cast<Size>(sizeof(T)), 64));
}

template <class T, class S>
Size GridWay<T, S>::shared_size(const Blocks& b) const {
  Size size = 0;
  for (const TapChunk& chunk : b.chunks) {
    for (Size j = 0; j < columns_; j += kGroup) size += panels_size(std::min(kGroup, columns_ - j), chunk.steps);
  }
  return size;
}

/// The panels of `columns` columns from w on: two vectors wide, the last one vector wide where one is left.
template <class T, class S>
void GridWay<T, S>::pack(const Blocks& b, const TapChunk& chunk, const S* w, Size columns, T* to) const {
  const contract::Strides stride{w_column_, w_k_};
  for (Size t = chunk.first, at = 0; t < chunk.end;) {
    // Taps whose elements follow each other are packed in one go.
    const Size kernel = b.taps[static_cast<std::size_t>(t)].kernel;
    Size run = 1;
    while (t + run < chunk.end && w_tap_ == k_ * w_k_ &&
           b.taps[static_cast<std::size_t>(t + run)].kernel == kernel + run)
      ++run;
    if (w_column_ == 1 && columns == kGroup && run * k_ == chunk.steps) {
      constexpr int kPanels = static_cast<int>(kGroup / (2 * lanes));
      contract::pack_panels<kPanels>(to, w + kernel * w_tap_, w_k_, chunk.steps, chunk.steps + 1);
      return;
    }
    for (Size j = 0; j < columns;) {
      const Size width = columns - j > lanes ? 2 * lanes : lanes;
      contract::pack(to + j * (chunk.steps + 1) + at * width, width, width, w + kernel * w_tap_ + j * w_column_, stride,
                     std::min(width, columns - j), run * k_);
      j += width;
    }
    at += run * k_;
    t += run;
  }
}

/// Packs group of columns number i of a part: of one set, one chunk.
template <class T, class S>
void GridWay<T, S>::pack_shared(const Part& part, Size i, const S* w, T* to) const {
  const Blocks& b = part.blocks;
  const Size groups = divide_up(columns_, kGroup), chunks = static_cast<Size>(b.chunks.size());
  const Size set = i / (groups * chunks), number = i / groups % chunks, column = i % groups * kGroup;
  to += part.packed + set * shared_size(b);
  for (Size c = 0; c < number; ++c) {
    for (Size j = 0; j < columns_; j += kGroup)
      to += panels_size(std::min(kGroup, columns_ - j), b.chunks[static_cast<std::size_t>(c)].steps);
  }
  const TapChunk& chunk = b.chunks[static_cast<std::size_t>(number)];
  for (Size j = 0; j < column; j += kGroup) to += panels_size(std::min(kGroup, columns_ - j), chunk.steps);
  w += set / shape_.groups * w_batch_ + set % shape_.groups * w_group_ + column * w_column_;
  pack(b, chunk, w, std::min(kGroup, columns_ - column), to);
}

template <class T, class S>
Size GridWay<T, S>::place(const Blocks& b, Size block, const Columns& columns, const Operands& of,
                          const Memory& m) const {
  const Pictures pictures{shape_.n, source_size_, source_channels_, result_size_, result_channels_, k_};
  const Size source = columns.batch * shape_.n * volume(source_size_) * source_channels_ + columns.group * k_;
  const Size result =
      columns.batch * shape_.n * volume(result_size_) * result_channels_ + columns.group * columns_ + columns.first;
  return place_block(b, block, pictures, of.x + source, of.y + result, m.strip, m.rows, m.out);
}

/// All positions through one vector of channels, line after line.
template <class T, class S>
void GridWay<T, S>::run_lines(const Blocks& b, Size rows, Size line, const T* const* from, T* const* out, Size column,
                              LineTile<T>& t) const {
  const RowCut cut = RowCut::of(line, kTileRows1<T>);
  t.s_row = b.step[2] * b.pitch[2];
  t.out_row = line > 1 ? out[1] - out[0] : 0;
  for (Size row = 0; row < rows;) {
    for (Size tile = 0; tile < cut.high_count + cut.low_count; ++tile) {
      const Size height = tile < cut.high_count ? cut.high : cut.low;
      t.s = from[row];
      t.out = out[row] + column;
      kLineTiles<T>[static_cast<std::size_t>(height - 1)](t);
      row += height;
    }
  }
}

template <class T, class S>
void GridWay<T, S>::run_block(const Part& part, Size block, const Columns& columns, const Operands& of,
                              const Memory& m) const {
  const Blocks& b = part.blocks;
  const Size rows = place(b, block, columns, of, m);
  const Size line = std::min(b.size[2], b.grid[2].count - block % b.counts[2] * b.size[2]);
  T** out = m.out_sums;
  const Size width = columns.end - columns.first, sums_row = round_up(width, lanes);
  if constexpr (std::is_same_v<T, S>) {
    out = m.out;
  } else {
    for (Size i = 0; i < rows; ++i) out[i] = m.sums + i * sums_row;
  }
  const Size set = columns.batch * shape_.groups + columns.group;
  const T* shared = of.shared + part.packed + set * shared_size(b);
  const S* w = of.w + columns.batch * w_batch_ + columns.group * w_group_;
  GridTile<T> t;
  // Tables of row pointers, moved along the columns.
  T* moved[12];
  for (const TapChunk& chunk : b.chunks) {
    const bool last = &chunk == &b.chunks.back();
    t.segments = b.segments.data() + chunk.segment;
    t.segment_count = chunk.segments;
    t.add = &chunk != b.chunks.data();
    t.relu = last && shape_.relu;
    t.cell = cell_.data();
    t.cell_size = t.add ? 0 : static_cast<Size>(cell_.size());
    for (Size j0 = 0; j0 < columns_; j0 += kGroup) {
      const Size count = std::min(kGroup, columns_ - j0);
      const T* panels = m.panels;
      if (shared_) {
        panels = shared;
        shared += panels_size(count, chunk.steps);
      }
      if (j0 < columns.first || j0 >= columns.end) continue;
      if (!shared_) pack(b, chunk, w + j0 * w_column_, count, m.panels);
      const Size vectors = divide_up(count, lanes), pairs = vectors / 2;
      const Size tail = count - (vectors - 1) * lanes;
      if (vectors == 1 && line >= kLeastLine) {
        LineTile<T> l;
        l.segments = t.segments;
        l.segment_count = t.segment_count;
        l.v = panels;
        l.add = t.add;
        l.relu = t.relu;
        l.bias = last && of.bias != nullptr ? of.bias + columns.group * columns_ + j0 : nullptr;
        l.last = tail;
        run_lines(b, rows, line, m.rows, out, j0 - columns.first, l);
        continue;
      }
      const RowCut cut = RowCut::of(rows, vectors == 1 ? kTileRows1<T> : kTileRows<T>);
      Size row = 0;
      for (Size tile = 0; tile < cut.high_count + cut.low_count; ++tile) {
        const Size height = tile < cut.high_count ? cut.high : cut.low;
        for (Size i = 0; i < height; ++i) moved[i] = out[row + i] + (j0 - columns.first);
        t.rows = m.rows + row;
        t.out = moved;
        t.zeros = divide_up(height * t.cell_size, std::max<Size>(1, chunk.segments));
        t.bias = last && of.bias != nullptr ? of.bias + columns.group * columns_ + j0 : nullptr;
        t.v = panels;
        if (pairs > 0) {
          t.v_panel = panel_pitch(2, chunk.steps);
          t.panels = pairs;
          t.last = vectors % 2 == 0 ? tail : lanes;
          grid_tile<T>(height, 2)(t);
        }
        if (vectors % 2 != 0) {
          for (Size i = 0; i < height; ++i) moved[i] += pairs * 2 * lanes;
          t.v = panels + pairs * panel_pitch(2, chunk.steps);
          if (t.bias != nullptr) t.bias += pairs * 2 * lanes;
          t.panels = 1;
          t.last = tail;
          grid_tile<T>(height, 1)(t);
        }
        row += height;
      }
    }
  }
  if constexpr (!std::is_same_v<T, S>) {
    for (Size i = 0; i < rows; ++i) {
      for (Size j = 0; j < width; ++j) m.out[i][j] = contract::narrow(m.sums[i * sums_row + j]);
    }
  }
}

template <class T, class S>
void GridWay<T, S>::run_piece(const Part& part, Size piece, const Operands& of, const Memory& m) const {
  const Size per_columns = divide_up(part.blocks.blocks(), part.piece_blocks);
  const Size set = piece / (per_columns * column_pieces_);
  Columns columns;
  columns.batch = set / shape_.groups;
  columns.group = set % shape_.groups;
  columns.first = piece / per_columns % column_pieces_ * column_piece_;
  columns.end = std::min(columns_, columns.first + column_piece_);
  const Size first = piece % per_columns * part.piece_blocks;
  const Size end = std::min(part.blocks.blocks(), first + part.piece_blocks);
  for (Size block = first; block < end; ++block) run_block(part, block, columns, of, m);
}

template <class T, class S>
void GridWay<T, S>::run(void* result, const void* a, const void* b, const void* bias, void* scratch) const {
  Operands of{static_cast<S*>(result), static_cast<const S*>(a), static_cast<const S*>(b), nullptr, nullptr};
  auto* bytes = static_cast<char*>(scratch);
  if (bias != nullptr) {
    T* wide = reinterpret_cast<T*>(bytes);
    copy_run(wide, static_cast<const S*>(bias), result_channels_);
    of.bias = wide;
  }
  bytes += round_up(result_channels_ * static_cast<Size>(sizeof(T)), 64);
  T* shared = reinterpret_cast<T*>(bytes);
  of.shared = shared;
  bytes += shared_elements_ * static_cast<Size>(sizeof(T));
  if (shared_) {
    for (const Part& part : parts_) {
      const Size count =
          shape_.batch * shape_.groups * divide_up(columns_, kGroup) * static_cast<Size>(part.blocks.chunks.size());
      if (shared_elements_ < (16 << 10)) {
        for (Size i = 0; i < count; ++i) pack_shared(part, i, of.w, shared);
      } else {
        base::parallel_for(
            count, [&](Size i) { pack_shared(part, i, of.w, shared); }, threads_);
      }
    }
  }
  base::parallel_for(
      pieces_,
      [&](Size piece, int thread) {
        char* slot = bytes + thread * slot_;
        Memory m;
        m.strip = reinterpret_cast<T*>(slot);
        m.panels = m.strip + strip_;
        m.sums = m.panels + panels_;
        char* tables = reinterpret_cast<char*>(m.sums + sums_);
        const Size table = table_ * static_cast<Size>(sizeof(void*));
        m.rows = reinterpret_cast<const T**>(tables);
        m.out = reinterpret_cast<S**>(tables + table);
        m.out_sums = reinterpret_cast<T**>(tables + 2 * table);
        std::size_t part = parts_.size() - 1;
        while (piece < parts_[part].first_piece) --part;
        run_piece(parts_[part], piece - parts_[part].first_piece, of, m);
      },
      threads_);
}

std::shared_ptr<const Convolve::Way> make_grid(const ConvolveShape& shape, ConvolveKind kind) {
  switch (shape.dtype) {
    case DType::kFloat64:
      return std::make_shared<GridWay<double, double>>(shape, kind);
    case DType::kBFloat16:
      return std::make_shared<GridWay<float, BFloat16>>(shape, kind);
    default:
      return std::make_shared<GridWay<float, float>>(shape, kind);
  }
}

}  // namespace convolve
}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace pellucid::kernels {

std::shared_ptr<const Convolve::Way> grid_convolution(const ConvolveShape& shape, ConvolveKind kind) {
  return PELLUCID_FOR_ISA(isa(), convolve::make_grid)(shape, kind);
}

}  // namespace pellucid::kernels
#endif  // HWY_ONCE
