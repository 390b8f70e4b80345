// w from x, g: sums over positions. Chunks of positions are summed in registers, chunks of one part one after the other
// into memory, and the parts are added in order.
#include <bit>

#include "base/thread_pool.h"
#include "kernels/cpu/convolve.h"
#include "kernels/kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/convolve_weight.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "kernels/cpu/convolve_strip-inl.h"
#include "kernels/cpu/convolve_tile-inl.h"
#include "kernels/cpu/dispatch.h"

HWY_BEFORE_NAMESPACE();
namespace pellucid::kernels {
namespace HWY_NAMESPACE {
namespace convolve {
namespace {

constexpr Size divide_up(Size x, Size by) { return (x + by - 1) / by; }
constexpr Size round_up(Size x, Size to) { return divide_up(x, to) * to; }

/// J runs of R rows of w (channels, or channels of neighbouring taps, side by side in the view) through panels of g.
template <class T>
struct WeightTile {
  const T* rows = nullptr;          // the first row's element of the view, for the position at 0
  const Size* positions = nullptr;  // where each position lies in the view
  Size steps = 0;                   // positions
  const T* v = nullptr;             // v[p * NV * lanes + j]
  Size v_panel = 0;                 // from one panel to the next
  Size panels = 0, last = 0;        // panels, and lanes of the last vector
  T* out = nullptr;                 // sums[i * out_row + j]
  Size out_row = 0;
  Size run = 0, out_run = 0;  // from one run of rows to the next, in the view and in the sums
  bool add = false;
};

template <class T, int R, int NV, int J = 1>
void run_weight_tile(const WeightTile<T>& t) {
  const hn::ScalableTag<T> d;
  using V = hn::Vec<decltype(d)>;
  constexpr Size lanes = kLanesOf<T>;
  T* out = t.out;
  const T* v_panel = t.v;
  for (Size panel = 0; panel < t.panels; ++panel, out += NV * lanes, v_panel += t.v_panel) {
    V acc[J * R][NV];
    HWY_UNROLL(12)
    for (int i = 0; i < J * R; ++i) {
      HWY_UNROLL(4)
      for (int j = 0; j < NV; ++j) acc[i][j] = hn::Zero(d);
    }
    HWY_UNROLL(12)
    for (int i = 0; i < J * R; ++i) hwy::Prefetch(out + i / R * t.out_run + i % R * t.out_row);
    const T* v = v_panel;
    const T* rows[J];
    HWY_UNROLL(4)
    for (int q = 0; q < J; ++q) rows[q] = t.rows + q * t.run;
    const Size* const end = t.positions + t.steps;
    const auto step = [&](const Size* position) HWY_ATTR {
      const Size at = *position;
      V right[NV];
      HWY_UNROLL(4)
      for (int j = 0; j < NV; ++j) right[j] = hn::LoadU(d, v + j * lanes);
      HWY_UNROLL(12)
      for (int i = 0; i < J * R; ++i) {
        const V left = hn::Set(d, rows[i / R][at + i % R]);
        HWY_UNROLL(4)
        for (int j = 0; j < NV; ++j) acc[i][j] = hn::MulAdd(left, right[j], acc[i][j]);
      }
      v += NV * lanes;
    };
    const Size* position = t.positions;
    for (; position + 1 < end; position += 2) {
      step(position);
      step(position + 1);
    }
    if (position < end) step(position);

    const Size last = panel + 1 == t.panels ? t.last : lanes;
    const auto mask = hn::FirstN(d, static_cast<std::size_t>(last));
    HWY_UNROLL(12)
    for (int i = 0; i < J * R; ++i) {
      T* at = out + i / R * t.out_run + i % R * t.out_row;
      HWY_UNROLL(4)
      for (int j = 0; j < NV; ++j) {
        const bool edge = j + 1 == NV && last < lanes;
        if (t.add) {
          const V before = edge ? hn::MaskedLoad(mask, d, at + j * lanes) : hn::LoadU(d, at + j * lanes);
          acc[i][j] = hn::Add(before, acc[i][j]);
        }
        if (edge) {
          contract::store_first(acc[i][j], d, at + j * lanes, last);
        } else {
          hn::StoreU(acc[i][j], d, at + j * lanes);
        }
      }
    }
  }
}

template <class T>
using WeightTileFunction = void (*)(const WeightTile<T>&);

template <class T, int NV, std::size_t... I>
constexpr auto weight_tile_list(std::index_sequence<I...>) {
  return std::array<WeightTileFunction<T>, sizeof...(I)>{&run_weight_tile<T, static_cast<int>(I) + 1, NV>...};
}
template <class T, int NV, int kRows>
inline constexpr auto kWeightTiles = weight_tile_list<T, NV>(std::make_index_sequence<kRows>());

/// Runs that together have at most 12 rows, one vector wide: with fewer, each step would wait for the one before.
template <class T, int J, std::size_t... I>
constexpr auto run_tile_list(std::index_sequence<I...>) {
  return std::array<WeightTileFunction<T>, sizeof...(I)>{&run_weight_tile<T, static_cast<int>(I) + 1, 1, J>...};
}
template <class T, int J>
inline constexpr auto kRunTiles = run_tile_list<T, J>(std::make_index_sequence<12 / J>());

/// T is the type of sums, S that of operands and results.
template <class T, class S>
class WeightWay final : public Convolve::Way {
 public:
  explicit WeightWay(const ConvolveShape& shape);
  void run(void* result, const void* a, const void* b, const void* bias, void* scratch) const override;

 private:
  static constexpr Size lanes = kLanesOf<T>;
  /// Channels that lie side by side in the view of a source with many: a line of it.
  static constexpr Size kBlock = 64 / static_cast<Size>(sizeof(T));
  static constexpr Size kLeastPiece = 512 << 10;  // multiply-adds: about 10 microseconds
  static constexpr Size kPieces = 4;              // of channels and columns, or two for each thread
  static constexpr Size kMostParts = 2 << 20;     // bytes of all parts together, where there is more than one

  /// Positions of a block, which are summed in registers: as many as let a panel and a line of each stay in L1.
  static constexpr Size kMostSteps = 128;

  struct Memory {
    T* view = nullptr;
    T* panels = nullptr;
    Size* positions = nullptr;
  };
  void cut(Size wanted);
  void copy_view(const S* x, Size chunk_block, Size channel, Size channels, const Memory& m, Size& positions) const;
  void pack_panels(const S* g, Size block, Size column, Size columns, T* to) const;
  void run_piece(Size piece, const S* x, const S* g, T* sums, const Memory& m) const;
  void run_rows(Size row_in_view, Size rows, T* out, bool add, Size steps, Size columns, const Memory& m) const;

  void run_lines(Size in_view, Size run, Size rows, Size lines, T* out, Size out_run, bool add, Size steps,
                 Size columns, const Memory& m) const;

  ConvolveShape shape_;
  ConvolveSizes of_;
  Blocks blocks_;
  bool blocked_ = false;  // the view holds blocks of channels, one behind the other
  Size taps_joined_ = 1;  // taps along the last axis whose channels are rows of one run
  Size view_block_ = 0;   // elements of the view of one block of channels
  Size channel_piece_ = 0, channel_pieces_ = 1;
  Size column_piece_ = 0, column_pieces_ = 1;
  Size parts_ = 1;
  Size part_size_ = 0;   // elements of one part's sums
  bool direct_ = false;  // one part, of the result's type: its sums are the result
  Size pieces_ = 0;
  int threads_ = 1;
  Size view_ = 0, panels_ = 0, slot_ = 0;  // elements of one thread; slot_ in bytes
};

template <class T, class S>
WeightWay<T, S>::WeightWay(const ConvolveShape& shape) : shape_(shape), of_(shape) {
  threads_ = base::threads();
  GridSource source{shape.in, shape.kernel, shape.n, shape.channels, of_.group_channels, true, kMostSteps};
  blocks_ = blocks_of(grids_of(shape, ConvolveKind::kForward)[0], source);
  const Size channels = of_.group_channels, outputs = of_.group_outputs;
  blocked_ = channels >= kBlock;
  // In a view of few channels the taps of a row lie side by side.
  if (!blocked_ && shape.dilation[2] == 1 && blocks_.thin[2] == 1) taps_joined_ = shape.kernel[2];

  const double work = static_cast<double>(shape.batch * shape.groups * shape.n * of_.out_pixels) *
                      static_cast<double>(of_.taps * channels) * static_cast<double>(outputs);
  Size wanted = static_cast<Size>(std::clamp(work / static_cast<double>(kLeastPiece), 1.0, 16.0));
  const Size sets = std::max<Size>(1, shape.batch * shape.groups);
  wanted = divide_up(wanted, sets);
  part_size_ = shape.batch * of_.taps * channels * shape.outputs;
  // Parts of the positions as far as their sums are small; then channels, then columns are cut. A power of two of parts
  // is even work for two and for four threads.
  const Size most_parts = kMostParts / std::max<Size>(1, part_size_ * static_cast<Size>(sizeof(T)));
  parts_ = static_cast<Size>(std::bit_floor(
      static_cast<std::uint64_t>(std::clamp<Size>(std::min({wanted, most_parts, blocks_.blocks()}), 1, 16))));
  // Each piece of channels or columns copies again, and changes no bit: a few for each thread.
  const Size pieces = std::min(wanted, std::max<Size>(kPieces, 2 * threads_));
  cut(std::max<Size>(1, pieces / parts_));
  channel_piece_ = blocked_ ? round_up(divide_up(channels, channel_pieces_), kBlock) : std::max<Size>(1, channels);
  channel_pieces_ = std::max<Size>(1, divide_up(channels, channel_piece_));
  column_piece_ = round_up(divide_up(outputs, column_pieces_), 2 * lanes);
  column_pieces_ = std::max<Size>(1, divide_up(outputs, std::max<Size>(1, column_piece_)));
  direct_ = parts_ == 1 && std::is_same_v<T, S>;
  pieces_ = shape.batch * shape.groups * parts_ * channel_pieces_ * column_pieces_;
  if (outputs == 0 || channels == 0) pieces_ = 0;

  const Size positions = blocks_.images * volume(blocks_.extent);
  view_block_ = positions * (blocked_ ? kBlock : channels);
  view_ = round_up((blocked_ ? divide_up(channel_piece_, kBlock) : 1) * view_block_ + 2 * kBlock, kBlock);
  panels_ = round_up(round_up(std::min(column_piece_, outputs), lanes) * (blocks_.pixels() + 1) + lanes, kBlock);
  slot_ = round_up(
      (view_ + panels_) * static_cast<Size>(sizeof(T)) + blocks_.pixels() * static_cast<Size>(sizeof(Size)), 128);
  workspace = static_cast<std::size_t>(slot_ * threads_);
  if (!direct_) workspace += static_cast<std::size_t>(round_up(parts_ * part_size_, kBlock)) * sizeof(T);
}

/// Cuts channels and columns into `wanted` pieces together, or as many as there can be, such that least is copied: each
/// piece of channels packs all of g, each piece of columns copies all of x.
template <class T, class S>
void WeightWay<T, S>::cut(Size wanted) {
  const Size channels = of_.group_channels, outputs = of_.group_outputs;
  const Size most_channels = blocked_ ? divide_up(channels, 2 * kBlock) : 1;
  const Size most_columns = std::max<Size>(1, divide_up(outputs, 4 * kBlock));
  const double view = static_cast<double>(volume(blocks_.extent)) / static_cast<double>(volume(blocks_.size));
  const auto copied = [&](Size pieces, Size columns) {
    return view * static_cast<double>(channels * columns) + static_cast<double>(outputs * pieces);
  };
  channel_pieces_ = most_channels;
  column_pieces_ = std::min(divide_up(wanted, most_channels), most_columns);
  for (Size pieces = 1; pieces < most_channels; ++pieces) {
    const Size columns = divide_up(wanted, pieces);
    if (columns > most_columns || copied(pieces, columns) >= copied(channel_pieces_, column_pieces_)) continue;
    channel_pieces_ = pieces;
    column_pieces_ = columns;
  }
}

/// Copies a block of x, `channels` channels from `channel` on, and fills the table of its positions.
template <class T, class S>
void WeightWay<T, S>::copy_view(const S* x, Size block, Size channel, Size channels, const Memory& m,
                                Size& positions) const {
  const Blocks& b = blocks_;
  const Position at = position(b.counts, block % volume(b.counts));
  const Size image0 = block / volume(b.counts) * b.images;
  const Size images = std::min(b.images, shape_.n - image0);
  Position first, count, pitch;
  StripAxis axes[3];
  for (std::size_t d = 0; d < 3; ++d) {
    first[d] = at[d] * b.size[d];
    count[d] = std::min(b.size[d], b.grid[d].count - first[d]);
    const Size extent = b.extent[d] - (b.size[d] - count[d]) * b.step[d];
    axes[d] = StripAxis::of(b.low[d] + first[d] * b.grid[d].step, b.thin[d], extent, shape_.in[d]);
  }
  const Size width = blocked_ ? kBlock : of_.group_channels;
  pitch[2] = width;
  pitch[1] = b.extent[2] * width;
  pitch[0] = b.extent[1] * pitch[1];
  const Size image = b.extent[0] * pitch[0];
  for (Size i = 0; i < images; ++i) {
    const S* from = x + (image0 + i) * of_.in_pixels * shape_.channels;
    if (!blocked_) {
      copy_strip(m.view + i * image, from, axes, shape_.in, shape_.channels, width, pitch);
      continue;
    }
    copy_blocks<kBlock>(m.view + i * image, view_block_, from + channel, axes, shape_.in, shape_.channels, channels,
                        pitch);
  }
  positions = 0;
  for (Size i = 0; i < images; ++i) {
    for (Size p = 0; p < count[0]; ++p) {
      for (Size q = 0; q < count[1]; ++q) {
        const Size line = i * image + p * b.step[0] * pitch[0] + q * b.step[1] * pitch[1];
        for (Size r = 0; r < count[2]; ++r) m.positions[positions++] = line + r * b.step[2] * pitch[2];
      }
    }
  }
}

/// Packs the block's rows of g: panels of two vectors, the last of one where one is left.
template <class T, class S>
void WeightWay<T, S>::pack_panels(const S* g, Size block, Size column, Size columns, T* to) const {
  const Blocks& b = blocks_;
  const Position at = position(b.counts, block % volume(b.counts));
  const Size image0 = block / volume(b.counts) * b.images;
  const Size images = std::min(b.images, shape_.n - image0);
  Position first, count;
  for (std::size_t d = 0; d < 3; ++d) {
    first[d] = at[d] * b.size[d];
    count[d] = std::min(b.size[d], b.grid[d].count - first[d]);
  }
  const Size all = images * volume(count);
  const contract::Strides stride{1, shape_.outputs};
  // Lines of whole pictures follow each other.
  const bool whole = count == shape_.out;
  Size lines = whole ? 1 : images * count[0] * count[1];
  const Size length = whole ? all : count[2];
  for (Size line = 0; line < lines; ++line) {
    const Size i = line / (count[0] * count[1]), p = line / count[1] % count[0], q = line % count[1];
    const S* from = g +
                    (((image0 + i) * shape_.out[0] + first[0] + p) * shape_.out[1] + first[1] + q) * shape_.out[2] *
                        shape_.outputs +
                    first[2] * shape_.outputs + column;
    Size j = 0;
    constexpr Size kSweep = 4 * kBlock;
    for (; j + kSweep <= columns; j += kSweep) {
      contract::pack_panels<static_cast<int>(kSweep / (2 * lanes))>(to + j * (all + 1) + line * length * 2 * lanes,
                                                                    from + j, shape_.outputs, length, all + 1);
    }
    while (j < columns) {
      const Size width = columns - j > lanes ? 2 * lanes : lanes;
      contract::pack(to + j * (all + 1) + line * length * width, width, width, from + j, stride,
                     std::min(width, columns - j), length);
      j += width;
    }
  }
}

/// The sums of `rows` rows from one place of the view on.
template <class T, class S>
void WeightWay<T, S>::run_rows(Size row_in_view, Size rows, T* out, bool add, Size steps, Size columns,
                               const Memory& m) const {
  const Size vectors = divide_up(columns, lanes), pairs = vectors / 2;
  const Size tail = columns - (vectors - 1) * lanes;
  WeightTile<T> t;
  t.positions = m.positions;
  t.steps = steps;
  t.out_row = shape_.outputs;
  t.add = add;
  const auto sweep = [&](Size first, Size nv, Size panels, Size last, Size most) HWY_ATTR {
    t.v = m.panels + first * lanes * (steps + 1);
    t.v_panel = nv * lanes * (steps + 1);
    t.panels = panels;
    t.last = last;
    const RowCut cut = RowCut::of(rows, most);
    Size row = 0;
    for (Size tile = 0; tile < cut.high_count + cut.low_count; ++tile) {
      const Size height = tile < cut.high_count ? cut.high : cut.low;
      t.rows = m.view + row_in_view + row;
      t.out = out + row * shape_.outputs + first * lanes;
      const auto i = static_cast<std::size_t>(height - 1);
      (nv == 2 ? kWeightTiles<T, 2, kTileRows<T>>[i] : kWeightTiles<T, 1, kTileRows1<T>>[i])(t);
      row += height;
    }
  };
  if (pairs > 0) {
    // A panel stays in L1 while all rows pass it.
    for (Size pair = 0; pair < pairs; ++pair)
      sweep(2 * pair, 2, 1, pair + 1 == pairs && vectors % 2 == 0 ? tail : lanes, kTileRows<T>);
  }
  if (vectors % 2 != 0) sweep(2 * pairs, 1, 1, tail, kTileRows1<T>);
}

/// The same for `lines` runs of `rows` rows, one vector wide; `run` and `out_run` apart.
template <class T, class S>
void WeightWay<T, S>::run_lines(Size in_view, Size run, Size rows, Size lines, T* out, Size out_run, bool add,
                                Size steps, Size columns, const Memory& m) const {
  WeightTile<T> t;
  t.rows = m.view + in_view;
  t.positions = m.positions;
  t.steps = steps;
  t.v = m.panels;
  t.panels = 1;
  t.last = columns;
  t.out = out;
  t.out_row = shape_.outputs;
  t.run = run;
  t.out_run = out_run;
  t.add = add;
  const auto i = static_cast<std::size_t>(rows - 1);
  (lines == 2 ? kRunTiles<T, 2>[i] : lines == 3 ? kRunTiles<T, 3>[i] : kRunTiles<T, 4>[i])(t);
}

template <class T, class S>
void WeightWay<T, S>::run_piece(Size piece, const S* x, const S* g, T* sums, const Memory& m) const {
  const Size column = piece % column_pieces_ * column_piece_;
  piece /= column_pieces_;
  const Size channel = piece % channel_pieces_ * channel_piece_;
  piece /= channel_pieces_;
  const Size part = piece % parts_, set = piece / parts_;
  const Size batch = set / shape_.groups, group = set % shape_.groups;
  const Size columns = std::min(column_piece_, of_.group_outputs - column);
  const Size channels = std::min(channel_piece_, of_.group_channels - channel);
  x += batch * shape_.n * of_.in_pixels * shape_.channels + group * of_.group_channels;
  g += batch * shape_.n * of_.out_pixels * shape_.outputs + group * of_.group_outputs;
  T* out = sums + part * part_size_ + batch * of_.taps * of_.group_channels * shape_.outputs +
           group * of_.group_outputs + column;
  const Size tap_pitch = of_.group_channels * shape_.outputs;
  const Size first = part * blocks_.blocks() / parts_, end = (part + 1) * blocks_.blocks() / parts_;
  const auto view_offset = [&](const GridTap& tap) {  // blocks_of counts group_channels elements for a position
    return tap.offset / std::max<Size>(1, of_.group_channels) * (blocked_ ? kBlock : of_.group_channels);
  };
  for (Size block = first; block < end; ++block) {
    Size steps = 0;
    copy_view(x, block, channel, channels, m, steps);
    pack_panels(g, block, column, columns, m.panels);
    const Size taps = static_cast<Size>(blocks_.taps.size());
    const bool add = block > first;
    if (!blocked_) {
      for (Size t = 0; t < taps; t += taps_joined_) {
        const GridTap& tap = blocks_.taps[static_cast<std::size_t>(t)];
        // Lines of the kernel that lie evenly in the view, together.
        const Size rows = taps_joined_ * channels;
        if (columns <= lanes && rows <= 6 && shape_.kernel[1] > 1) {
          const Size row = t / shape_.kernel[2] % shape_.kernel[1];
          const Size lines =
              taps_joined_ == shape_.kernel[2] ? std::min<Size>({12 / rows, 4, shape_.kernel[1] - row}) : 1;
          if (lines > 1) {
            const GridTap& next = blocks_.taps[static_cast<std::size_t>(t + taps_joined_)];
            run_lines(view_offset(tap), view_offset(next) - view_offset(tap), rows, lines, out + tap.kernel * tap_pitch,
                      (next.kernel - tap.kernel) * tap_pitch, add, steps, columns, m);
            t += (lines - 1) * taps_joined_;
            continue;
          }
        }
        run_rows(view_offset(tap), taps_joined_ * channels, out + tap.kernel * tap_pitch, add, steps, columns, m);
      }
      continue;
    }
    for (Size c = 0; c < channels; c += kBlock) {
      for (Size t = 0; t < taps; ++t) {
        const GridTap& tap = blocks_.taps[static_cast<std::size_t>(t)];
        run_rows(c / kBlock * view_block_ + view_offset(tap), std::min(kBlock, channels - c),
                 out + tap.kernel * tap_pitch + (channel + c) * shape_.outputs, add, steps, columns, m);
      }
    }
  }
}

template <class T, class S>
void WeightWay<T, S>::run(void* result, const void* a, const void* b, const void*, void* scratch) const {
  const auto *x = static_cast<const S*>(a), *g = static_cast<const S*>(b);
  auto* w = static_cast<S*>(result);
  if (shape_.n == 0 || of_.out_pixels == 0) {
    std::memset(w, 0, static_cast<std::size_t>(part_size_) * sizeof(S));
    return;
  }
  auto* bytes = static_cast<char*>(scratch);
  T* sums = reinterpret_cast<T*>(bytes + slot_ * threads_);
  if constexpr (std::is_same_v<T, S>) {
    if (direct_) sums = w;
  }
  base::parallel_for(
      pieces_,
      [&](Size piece, int thread) {
        Memory m;
        m.view = reinterpret_cast<T*>(bytes + thread * slot_);
        m.panels = m.view + view_;
        m.positions = reinterpret_cast<Size*>(m.panels + panels_);
        run_piece(piece, x, g, sums, m);
      },
      threads_);
  if (direct_) return;
  constexpr Size kStrip = 16 << 10;
  base::parallel_for(divide_up(part_size_, kStrip), [&](Size strip) {
    const hn::ScalableTag<T> d;
    Size i = strip * kStrip;
    const Size end = std::min(part_size_, i + kStrip);
    for (; i < end; i += lanes) {  // the last part has room for a vector more
      const auto sum = contract::total(d, sums + i, parts_, part_size_);
      contract::store_result<T>(d, sum, w + i, std::min(lanes, end - i));
    }
  });
}

}  // namespace

std::shared_ptr<const Convolve::Way> make_weight(const ConvolveShape& shape) {
  switch (shape.dtype) {
    case DType::kFloat64:
      return std::make_shared<WeightWay<double, double>>(shape);
    case DType::kBFloat16:
      return std::make_shared<WeightWay<float, BFloat16>>(shape);
    default:
      return std::make_shared<WeightWay<float, float>>(shape);
  }
}

}  // namespace convolve
}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace pellucid::kernels {

std::shared_ptr<const Convolve::Way> weight_convolution(const ConvolveShape& shape) {
  return PELLUCID_FOR_ISA(isa(), convolve::make_weight)(shape);
}

}  // namespace pellucid::kernels
#endif  // HWY_ONCE
