// Depthwise convolution of pictures by 3 x 3, stride 1 or 2: two by two results at a time, so that what their windows
// share is loaded once; vectors run along the channels.
#include "base/thread_pool.h"
#include "kernels/cpu/convolve.h"
#include "kernels/kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/convolve_depthwise3.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "kernels/cpu/contract_pack-inl.h"
#include "kernels/cpu/dispatch.h"

HWY_BEFORE_NAMESPACE();
namespace pellucid::kernels {
namespace HWY_NAMESPACE {
namespace convolve {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using contract::kLanesOf;
using contract::Size;

constexpr Size divide_up(Size x, Size by) { return (x + by - 1) / by; }
constexpr Size round_up(Size x, Size to) { return divide_up(x, to) * to; }

constexpr Size kTaps = 9;
constexpr Size kLanes = kLanesOf<float>;
/// Channels that are done together: their kernel (7 KiB) and the pixels of a tile stay in L1.
constexpr Size kMostChannels = 192;
constexpr Size kLeastPiece = 128 << 10;  // multiply-adds: about 10 microseconds, since memory is the bound

/// Tiles along one axis: number i has its results at first + 2 i and the one after, and sees sources from
/// source + i * step on. Either may lie outside of its picture.
struct TileAxis {
  Size count = 0, first = 0, source = 0, step = 0;
};

/// How far the sources of a tile reach, and which of the kernel's taps lies between source r and result a of an axis:
/// kSource r - kResult a. Forward that is r - stride a. x from g takes the kernel turned round, and is the forward
/// product but for stride 2, where it is 2 r - a.
template <int kSource, int kResult>
struct Reach {
  static constexpr int kSide = kSource == 1 ? 3 + kResult : 2;
  static constexpr int tap(int r, int a) {
    const int t = kSource * r - kResult * a;
    return t >= 0 && t < 3 ? t : -1;
  }
};

/// The pixels of one tile; what lies outside is a pixel of zeros, or one whose values nobody reads.
template <class S, int kSide>
struct Tile {
  const S* source[kSide * kSide];
  S* result[4];
};

/// The channels of one call, in vectors; the last vector of all ends with the last channel.
struct Channels {
  Size begin = 0, end = 0;  // of vectors
  Size last = 0;            // where the last vector of all begins
  Size at(Size vector) const { return std::min(vector * kLanes, last); }
};

/// Four results: each starts from 0 and takes its taps in the order of the source. kernel[vector][tap][lane].
template <class S, int kSource, int kResult>
void run_tile(const Tile<S, Reach<kSource, kResult>::kSide>& t, const float* kernel, const Channels& channels,
              const float* bias, bool relu) {
  using R = Reach<kSource, kResult>;
  const hn::ScalableTag<float> d;
  using V = hn::Vec<decltype(d)>;
  const float* w = kernel + channels.begin * kTaps * kLanes;
  for (Size v = channels.begin; v < channels.end; ++v, w += kTaps * kLanes) {
    const Size c = channels.at(v);
    V acc[4] = {hn::Zero(d), hn::Zero(d), hn::Zero(d), hn::Zero(d)};
    V weight[kTaps];
    HWY_UNROLL(9)
    for (int i = 0; i < kTaps; ++i) weight[i] = hn::Load(d, w + i * kLanes);
    HWY_UNROLL(5)
    for (int r = 0; r < R::kSide; ++r) {
      HWY_UNROLL(5)
      for (int s = 0; s < R::kSide; ++s) {
        const V x = contract::load(d, t.source[r * R::kSide + s] + c);
        HWY_UNROLL(4)
        for (int i = 0; i < 4; ++i) {
          const int high = R::tap(r, i / 2), wide = R::tap(s, i % 2);
          if (high >= 0 && wide >= 0) acc[i] = hn::MulAdd(x, weight[high * 3 + wide], acc[i]);
        }
      }
    }
    HWY_UNROLL(4)
    for (int i = 0; i < 4; ++i) {
      if (bias != nullptr) acc[i] = hn::Add(acc[i], hn::LoadU(d, bias + c));
      if (relu) acc[i] = contract::relu(d, acc[i]);
      contract::store_result<float>(d, acc[i], t.result[i] + c, kLanes);
    }
  }
}

/// sums[vector][tap][lane] (+)= the products of a tile of x with its four pixels of g. The sums of a block of channels
/// stay in L1 while tiles pass; with several tiles in registers, lines of pixels were read in too small parts.
template <class S, int kStride>
void sum_tile(const Tile<S, 3 + kStride>& t, const Channels& channels, bool add, float* sums) {
  using R = Reach<1, kStride>;
  const hn::ScalableTag<float> d;
  using V = hn::Vec<decltype(d)>;
  float* to = sums + channels.begin * kTaps * kLanes;
  for (Size v = channels.begin; v < channels.end; ++v, to += kTaps * kLanes) {
    const Size c = channels.at(v);
    V acc[kTaps], g[4];
    HWY_UNROLL(9)
    for (int i = 0; i < kTaps; ++i) acc[i] = hn::Zero(d);
    HWY_UNROLL(4)
    for (int i = 0; i < 4; ++i) g[i] = contract::load(d, t.result[i] + c);
    HWY_UNROLL(5)
    for (int r = 0; r < R::kSide; ++r) {
      HWY_UNROLL(5)
      for (int s = 0; s < R::kSide; ++s) {
        const V x = contract::load(d, t.source[r * R::kSide + s] + c);
        HWY_UNROLL(4)
        for (int i = 0; i < 4; ++i) {
          const int high = R::tap(r, i / 2), wide = R::tap(s, i % 2);
          if (high >= 0 && wide >= 0) acc[high * 3 + wide] = hn::MulAdd(x, g[i], acc[high * 3 + wide]);
        }
      }
    }
    HWY_UNROLL(9)
    for (int i = 0; i < kTaps; ++i)
      hn::Store(add ? hn::Add(hn::Load(d, to + i * kLanes), acc[i]) : acc[i], d, to + i * kLanes);
  }
}

/// What both ways share: pictures seen as rows of tiles, and the channels cut into blocks.
template <class S>
class Tiles {
 public:
  Tiles(const ConvolveShape& shape, ConvolveKind kind) : channels(shape.channels) {
    const bool input = kind == ConvolveKind::kInput;
    source = input ? shape.out : shape.in;
    result = input ? shape.in : shape.out;
    for (std::size_t d = 0; d < 2; ++d) {
      const Size low = shape.low[d + 1], stride = shape.stride[d + 1], size = result[d + 1];
      if (input && stride == 2) {
        // Result i stands at i + low = 2 m + a and sees sources m - 1 and m.
        const Size first = floor_half(low), last = floor_half(low + size - 1);
        axes[d] = {last - first + 1, 2 * first - low, first - 1, 1};
      } else {
        axes[d] = {divide_up(size, 2), 0, input ? low - 2 : -low, 2 * stride};
      }
    }
    vectors = divide_up(channels, kLanes);
    blocks = divide_up(channels, kMostChannels);
    block_vectors = divide_up(divide_up(channels, blocks), 16) * 16 / kLanes;
  }

  Channels block(Size i) const {
    return {std::min(vectors, i * block_vectors), std::min(vectors, (i + 1) * block_vectors), channels - kLanes};
  }
  Size rows() const { return axes[0].count; }  // of tiles, of one picture

  /// Calls run(tile) for the tiles of a row, from the left; x and y are the row's picture.
  template <int kSide, class Run>
  HWY_INLINE void over_row(Size row, const S* x, S* y, const S* nothing, S* nobody, const Run& run) const {
    const S* lines[kSide];
    S* out[2];
    const Size wide = source[2], pixel = channels;
    for (int r = 0; r < kSide; ++r) {
      const Size at = axes[0].source + row * axes[0].step + r;
      lines[r] = at >= 0 && at < source[1] ? x + at * wide * pixel : nullptr;
    }
    for (int a = 0; a < 2; ++a) {
      const Size at = axes[0].first + 2 * row + a;
      out[a] = at >= 0 && at < result[1] ? y + at * result[2] * pixel : nullptr;
    }
    Tile<S, kSide> tile;
    bool before = false;  // the tile to the left is in the table, and nothing of it lies outside to the left or right
    for (Size i = 0; i < axes[1].count; ++i) {
      const Size from = axes[1].source + i * axes[1].step, to = axes[1].first + 2 * i;
      const bool inside = from >= 0 && from + kSide <= wide && to >= 0 && to + 2 <= result[2];
      if (inside && before) {
        for (int r = 0; r < kSide; ++r) {
          const Size step = lines[r] == nullptr ? 0 : axes[1].step * pixel;
          for (int s = 0; s < kSide; ++s) tile.source[r * kSide + s] += step;
        }
        for (int a = 0; a < 4; ++a) tile.result[a] += out[a / 2] == nullptr ? 0 : 2 * pixel;
      } else {
        for (int r = 0; r < kSide; ++r) {
          for (int s = 0; s < kSide; ++s) {
            const bool exists = lines[r] != nullptr && from + s >= 0 && from + s < wide;
            tile.source[r * kSide + s] = exists ? lines[r] + (from + s) * pixel : nothing;
          }
        }
        for (int a = 0; a < 4; ++a) {
          const bool exists = out[a / 2] != nullptr && to + a % 2 >= 0 && to + a % 2 < result[2];
          tile.result[a] = exists ? out[a / 2] + (to + a % 2) * pixel : nobody;
        }
      }
      before = inside;
      run(tile);
    }
  }

  Size source_size() const { return volume(source) * channels; }
  Size result_size() const { return volume(result) * channels; }

  Position source{}, result{};
  std::array<TileAxis, 2> axes;
  Size channels = 0, vectors = 0;
  Size blocks = 1, block_vectors = 0;

 private:
  static Size floor_half(Size x) { return (x - (x & 1)) / 2; }
};

/// Forward, and x from g.
template <class S>
class Depthwise3Way final : public Convolve::Way {
 public:
  Depthwise3Way(const ConvolveShape& shape, ConvolveKind kind)
      : shape_(shape), tiles_(shape, kind), turned_(kind == ConvolveKind::kInput), threads_(base::threads()) {
    const Size row = 4 * tiles_.axes[1].count * shape.channels * kTaps;
    rows_ = shape.n * tiles_.rows();
    piece_rows_ = std::clamp<Size>(kLeastPiece / std::max<Size>(1, row), 1, std::max<Size>(1, rows_));
    kernel_ = tiles_.vectors * kTaps * kLanes;
    pixel_ = round_up(shape.channels, 16);
    workspace = static_cast<std::size_t>(shape.batch * kernel_ + (threads_ + 2) * pixel_) * sizeof(float);
  }

  void run(void* result, const void* a, const void* b, const void* bias, void* scratch) const override {
    float* kernel = static_cast<float*>(scratch);
    float* wide = kernel + shape_.batch * kernel_;
    S* pixels = reinterpret_cast<S*>(wide + pixel_);
    for (Size i = 0; i < shape_.batch; ++i)
      pack(static_cast<const S*>(b) + i * kTaps * shape_.channels, kernel + i * kernel_);
    for (Size c = 0; bias != nullptr && c < shape_.channels; ++c)
      wide[c] = contract::widen(static_cast<const S*>(bias)[c]);
    std::fill(pixels, pixels + pixel_, S{});
    const float* add = bias == nullptr ? nullptr : wide;
    const Size pieces = divide_up(rows_, piece_rows_);
    base::parallel_for(
        shape_.batch * pieces,
        [&](Size piece, int thread) {
          const Size batch = piece / pieces, first = piece % pieces * piece_rows_;
          const Size images = batch * shape_.n;
          const Rows rows{static_cast<const S*>(a) + images * tiles_.source_size(),
                          static_cast<S*>(result) + images * tiles_.result_size(),
                          kernel + batch * kernel_,
                          add,
                          pixels,
                          pixels + (thread + 1) * pixel_,
                          first,
                          std::min(rows_, first + piece_rows_)};
          if (shape_.stride[1] == 1) {
            run_rows<1, 1>(rows);
          } else if (turned_) {
            run_rows<2, 1>(rows);
          } else {
            run_rows<1, 2>(rows);
          }
        },
        threads_);
  }

 private:
  struct Rows {
    const S* x;
    S* y;
    const float *kernel, *bias;
    const S* nothing;
    S* nobody;
    Size first, end;
  };

  void pack(const S* w, float* to) const {
    const hn::ScalableTag<float> d;
    for (Size v = 0; v < tiles_.vectors; ++v) {
      const Size c = std::min(v * kLanes, shape_.channels - kLanes);
      for (Size t = 0; t < kTaps; ++t, to += kLanes)
        hn::Store(contract::load(d, w + (turned_ ? kTaps - 1 - t : t) * shape_.channels + c), d, to);
    }
  }

  template <int kSource, int kResult>
  void run_rows(const Rows& of) const {
    constexpr int kSide = Reach<kSource, kResult>::kSide;
    for (Size block = 0; block < tiles_.blocks; ++block) {
      const Channels channels = tiles_.block(block);
      for (Size i = of.first; i < of.end; ++i) {
        const Size image = i / tiles_.rows();
        tiles_.template over_row<kSide>(
            i % tiles_.rows(), of.x + image * tiles_.source_size(), of.y + image * tiles_.result_size(), of.nothing,
            of.nobody, [&](const Tile<S, kSide>& tile) HWY_ATTR {
              run_tile<S, kSource, kResult>(tile, of.kernel, channels, of.bias, shape_.relu);
            });
      }
    }
  }

  ConvolveShape shape_;
  Tiles<S> tiles_;
  bool turned_ = false;
  int threads_ = 1;
  Size rows_ = 0, piece_rows_ = 1;  // rows of tiles, of all pictures and of a piece
  Size kernel_ = 0, pixel_ = 0;     // elements
};

/// w from x, g: parts of the rows, each into memory of its own, added in order.
template <class S>
class Depthwise3WeightWay final : public Convolve::Way {
 public:
  explicit Depthwise3WeightWay(const ConvolveShape& shape)
      : shape_(shape), tiles_(shape, ConvolveKind::kForward), threads_(base::threads()) {
    rows_ = shape.n * tiles_.rows();
    const Size work = rows_ * 4 * tiles_.axes[1].count * shape.channels * kTaps;
    // Blocks of channels are pieces too, and a part costs as much memory as the result.
    const Size wanted = std::clamp<Size>(work / kLeastPiece, 1, std::max<Size>(1, kMostPieces / tiles_.blocks));
    part_rows_ = std::max<Size>(1, divide_up(rows_, wanted));
    parts_ = std::max<Size>(1, divide_up(rows_, part_rows_));
    part_ = tiles_.vectors * kTaps * kLanes;
    pixel_ = round_up(shape.channels, 16);
    workspace = static_cast<std::size_t>(shape.batch * parts_ * part_ + pixel_) * sizeof(float);
  }

  void run(void* result, const void* a, const void* b, const void*, void* scratch) const override {
    float* sums = static_cast<float*>(scratch);
    S* pixel = reinterpret_cast<S*>(sums + shape_.batch * parts_ * part_);
    std::fill(pixel, pixel + shape_.channels, S{});
    if (rows_ == 0) std::fill(sums, sums + shape_.batch * part_, 0.0f);
    const auto *x = static_cast<const S*>(a), *g = static_cast<const S*>(b);
    if (rows_ != 0) {
      base::parallel_for(
          shape_.batch * parts_ * tiles_.blocks,
          [&](Size piece) {
            if (shape_.stride[1] == 1) {
              sum_part<1>(piece, x, g, pixel, sums);
            } else {
              sum_part<2>(piece, x, g, pixel, sums);
            }
          },
          threads_);
    }
    const hn::ScalableTag<float> d;
    for (Size batch = 0; batch < shape_.batch; ++batch) {
      S* w = static_cast<S*>(result) + batch * kTaps * shape_.channels;
      const float* from = sums + batch * parts_ * part_;
      for (Size v = 0; v < tiles_.vectors; ++v) {
        const Size c = std::min(v * kLanes, shape_.channels - kLanes);
        for (Size t = 0; t < kTaps; ++t, from += kLanes)
          contract::store_result<float>(d, contract::total(d, from, parts_, part_), w + t * shape_.channels + c,
                                        kLanes);
      }
    }
  }

 private:
  static constexpr Size kMostPieces = 16;

  template <int kStride>
  void sum_part(Size piece, const S* x, const S* g, const S* nothing, float* sums) const {
    constexpr int kSide = 3 + kStride;
    const Channels channels = tiles_.block(piece % tiles_.blocks);
    const Size part = piece / tiles_.blocks % parts_, batch = piece / tiles_.blocks / parts_;
    x += batch * shape_.n * tiles_.source_size();
    g += batch * shape_.n * tiles_.result_size();
    sums += (batch * parts_ + part) * part_;
    const Size first = part * part_rows_, end = std::min(rows_, first + part_rows_);
    bool add = false;
    for (Size i = first; i < end; ++i) {
      const Size image = i / tiles_.rows();
      // Nothing is written through the table of results: the pixels of g are read.
      tiles_.template over_row<kSide>(i % tiles_.rows(), x + image * tiles_.source_size(),
                                      const_cast<S*>(g) + image * tiles_.result_size(), nothing,
                                      const_cast<S*>(nothing), [&](const Tile<S, kSide>& tile) HWY_ATTR {
                                        sum_tile<S, kStride>(tile, channels, add, sums);
                                        add = true;
                                      });
    }
  }

  ConvolveShape shape_;
  Tiles<S> tiles_;
  int threads_ = 1;
  Size rows_ = 0, part_rows_ = 1, parts_ = 1;
  Size part_ = 0, pixel_ = 0;  // elements
};

template <class S>
std::shared_ptr<const Convolve::Way> depthwise3_of(const ConvolveShape& shape, ConvolveKind kind) {
  if (kind == ConvolveKind::kWeight) return std::make_shared<Depthwise3WeightWay<S>>(shape);
  return std::make_shared<Depthwise3Way<S>>(shape, kind);
}

}  // namespace

std::shared_ptr<const Convolve::Way> make_depthwise3(const ConvolveShape& shape, ConvolveKind kind) {
  if (shape.dtype == DType::kBFloat16) return depthwise3_of<BFloat16>(shape, kind);
  return depthwise3_of<float>(shape, kind);
}

}  // namespace convolve
}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace pellucid::kernels {

bool suits_depthwise3(const ConvolveShape& s, ConvolveKind kind) {
  const bool one = s.in[0] == 1 && s.out[0] == 1 && s.low[0] == 0;
  // With stride 2 every pixel of x is new to the tile that first sees it. Where they come from memory, the strips that
  // the other way copies are read better than tiles' short parts of five lines: 1.3 times faster.
  constexpr std::int64_t kCached = 16 << 20;
  const bool from_memory = s.stride[1] == 2 && kind != ConvolveKind::kInput &&
                           s.batch * s.n * volume(s.in) * s.channels * size_of(s.dtype) > kCached;
  const bool square = s.kernel == Position{1, 3, 3} && s.stride[1] == s.stride[2] && s.stride[1] <= 2;
  return is_depthwise(s) && one && square && s.stride[0] == 1 && volume(s.dilation) == 1 && volume(s.out) > 0 &&
         s.channels >= 16 && s.dtype != DType::kFloat64 && !from_memory;
}

std::shared_ptr<const Convolve::Way> depthwise3_convolution(const ConvolveShape& shape, ConvolveKind kind) {
  return PELLUCID_FOR_ISA(isa(), convolve::make_depthwise3)(shape, kind);
}

}  // namespace pellucid::kernels
#endif  // HWY_ONCE
