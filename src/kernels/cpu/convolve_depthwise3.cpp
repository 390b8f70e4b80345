// Depthwise convolution of pictures by 3 x 3, stride 1 or 2: two by two or two by four results at a time, so that what
// their windows share is loaded once; vectors run along the channels.
#include "base/thread_pool.h"
#include "hwy/cache_control.h"
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
constexpr Size kNear = 12 << 20;         // bytes of both pictures that may be in a cache
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
  static constexpr int side(int results) { return kSource == 1 ? (results - 1) * kResult + 3 : results / 2 + 1; }
  /// From the sources of two results to those of the next two.
  static constexpr int step() { return kSource == 1 ? 2 * kResult : 1; }
  static constexpr int tap(int r, int a) {
    const int t = kSource * r - kResult * a;
    return t >= 0 && t < 3 ? t : -1;
  }
};

/// Results of a tile along a line, beside two: where there are registers for the sums of four, two tiles are one.
template <class S, class R>
inline constexpr int kWidest = kLanes == 16 && std::is_same_v<S, float>&& R::side(2) == 4 ? 4 : 2;

/// The pixels of one tile; what lies outside is a pixel of zeros, or one whose values nobody reads.
template <class S, class R, int kWide>
struct Tile {
  static constexpr int kHigh = R::side(2), kAcross = R::side(kWide), kResults = 2 * kWide;
  const S* source[kHigh * kAcross];
  S* result[kResults];
  // From a line to the one that the tile below is the first to read, or to write; 0 where they need not be fetched.
  Size source_ahead = 0, result_ahead = 0;

  /// Fetches a vector of what the tile below needs: the processor does not follow so many short parts of lines.
  HWY_INLINE void fetch(Size c) const {
    if (source_ahead == 0) return;
    constexpr int kFirst = kHigh - R::step(), kLeft = kAcross - R::step() * kWide / 2;
    HWY_UNROLL(4)
    for (int r = kFirst; r < kHigh; ++r) {
      HWY_UNROLL(8)
      for (int s = kLeft; s < kAcross; ++s) hwy::Prefetch(source[r * kAcross + s] + c + source_ahead);
    }
    HWY_UNROLL(8)
    for (int i = 0; i < kResults; ++i) hwy::Prefetch(result[i] + c + result_ahead);
  }
};

/// The channels of one call, in vectors; the last vector of all ends with the last channel.
struct Channels {
  Size begin = 0, end = 0;  // of vectors
  Size last = 0;            // where the last vector of all begins
  Size at(Size vector) const { return std::min(vector * kLanes, last); }
};

/// The results of a tile: each starts from 0 and takes its taps in the order of the source. kernel[vector][tap][lane].
template <class S, class R, int kWide>
void run_tile(const Tile<S, R, kWide>& t, const float* kernel, const Channels& channels, const float* bias, bool relu) {
  using T = Tile<S, R, kWide>;
  const hn::ScalableTag<float> d;
  using V = hn::Vec<decltype(d)>;
  const float* w = kernel + channels.begin * kTaps * kLanes;
  for (Size v = channels.begin; v < channels.end; ++v, w += kTaps * kLanes) {
    const Size c = channels.at(v);
    t.fetch(c);
    V acc[T::kResults];
    HWY_UNROLL(8)
    for (int i = 0; i < T::kResults; ++i) acc[i] = hn::Zero(d);
    V weight[kTaps];
    HWY_UNROLL(9)
    for (int i = 0; i < kTaps; ++i) weight[i] = hn::Load(d, w + i * kLanes);
    HWY_UNROLL(5)
    for (int r = 0; r < T::kHigh; ++r) {
      HWY_UNROLL(6)
      for (int s = 0; s < T::kAcross; ++s) {
        const V x = contract::load(d, t.source[r * T::kAcross + s] + c);
        HWY_UNROLL(8)
        for (int i = 0; i < T::kResults; ++i) {
          const int high = R::tap(r, i / kWide), wide = R::tap(s, i % kWide);
          if (high >= 0 && wide >= 0) acc[i] = hn::MulAdd(x, weight[high * 3 + wide], acc[i]);
        }
      }
    }
    HWY_UNROLL(8)
    for (int i = 0; i < T::kResults; ++i) {
      if (bias != nullptr) acc[i] = hn::Add(acc[i], hn::LoadU(d, bias + c));
      if (relu) acc[i] = contract::relu(d, acc[i]);
      contract::store_result<float>(d, acc[i], t.result[i] + c, kLanes);
    }
  }
}

/// sums[vector][tap][lane] (+)= the products of a tile of x with each two by two pixels of g, from the left. The sums
/// of a block of channels stay in L1 while tiles pass; with several tiles in registers, lines of pixels were read in
/// too small parts.
template <class S, class R, int kWide>
void sum_tile(const Tile<S, R, kWide>& t, const Channels& channels, bool add, float* sums) {
  using T = Tile<S, R, kWide>;
  const hn::ScalableTag<float> d;
  using V = hn::Vec<decltype(d)>;
  float* to = sums + channels.begin * kTaps * kLanes;
  for (Size v = channels.begin; v < channels.end; ++v, to += kTaps * kLanes) {
    const Size c = channels.at(v);
    t.fetch(c);
    V total[kTaps];
    HWY_UNROLL(9)
    for (int i = 0; i < kTaps; ++i) total[i] = hn::Load(d, to + i * kLanes);
    for (int part = 0; part < kWide / 2; ++part) {
      V acc[kTaps], g[4];
      HWY_UNROLL(9)
      for (int i = 0; i < kTaps; ++i) acc[i] = hn::Zero(d);
      HWY_UNROLL(4)
      for (int i = 0; i < 4; ++i) g[i] = contract::load(d, t.result[i / 2 * kWide + 2 * part + i % 2] + c);
      HWY_UNROLL(5)
      for (int r = 0; r < T::kHigh; ++r) {
        HWY_UNROLL(5)
        for (int s = 0; s < T::kHigh; ++s) {
          const V x = contract::load(d, t.source[r * T::kAcross + part * R::step() + s] + c);
          HWY_UNROLL(4)
          for (int i = 0; i < 4; ++i) {
            const int high = R::tap(r, i / 2), wide = R::tap(s, i % 2);
            if (high >= 0 && wide >= 0) acc[high * 3 + wide] = hn::MulAdd(x, g[i], acc[high * 3 + wide]);
          }
        }
      }
      HWY_UNROLL(9)
      for (int i = 0; i < kTaps; ++i) total[i] = add || part > 0 ? hn::Add(total[i], acc[i]) : acc[i];
    }
    HWY_UNROLL(9)
    for (int i = 0; i < kTaps; ++i) hn::Store(total[i], d, to + i * kLanes);
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
    far = shape.n * (source_size() + result_size()) * static_cast<Size>(sizeof(S)) > kNear;
  }

  Channels block(Size i) const {
    return {std::min(vectors, i * block_vectors), std::min(vectors, (i + 1) * block_vectors), channels - kLanes};
  }
  Size rows() const { return axes[0].count; }  // of tiles, of one picture

  /// Calls run(tile) for the tiles of a row, from the left; x and y are the row's picture.
  template <class R, class Run>
  HWY_INLINE void over_row(Size row, const S* x, S* y, const S* nothing, S* nobody, const Run& run) const {
    Size first = 0;
    constexpr int kWide = kWidest<S, R>;
    if constexpr (kWide != 2) {
      if (!far) first = over_tiles<R, kWide>(row, 0, x, y, nothing, nobody, run);
    }
    over_tiles<R, 2>(row, first, x, y, nothing, nobody, run);
  }

  Size source_size() const { return volume(source) * channels; }
  Size result_size() const { return volume(result) * channels; }

  Position source{}, result{};
  std::array<TileAxis, 2> axes;
  Size channels = 0, vectors = 0;
  Size blocks = 1, block_vectors = 0;
  bool far = false;  // pictures do not stay in the cache between one run and the next

 private:
  /// The same for as many tiles kWide results wide as there are from `first` on; the first tile after them.
  template <class R, int kWide, class Run>
  HWY_INLINE Size over_tiles(Size row, Size first, const S* x, S* y, const S* nothing, S* nobody,
                             const Run& run) const {
    constexpr Size kHigh = R::side(2), kAcross = R::side(kWide), kTogether = kWide / 2;
    const S* lines[kHigh];
    S* out[2];
    const Size wide = source[2], pixel = channels;
    for (Size r = 0; r < kHigh; ++r) {
      const Size at = axes[0].source + row * axes[0].step + r;
      lines[r] = at >= 0 && at < source[1] ? x + at * wide * pixel : nullptr;
    }
    for (Size a = 0; a < 2; ++a) {
      const Size at = axes[0].first + 2 * row + a;
      out[a] = at >= 0 && at < result[1] ? y + at * result[2] * pixel : nullptr;
    }
    Tile<S, R, kWide> tile;
    if (far) {
      tile.source_ahead = axes[0].step * wide * pixel;
      tile.result_ahead = 2 * result[2] * pixel;
    }
    bool before = false;  // the tile to the left is in the table, and nothing of it lies outside to the left or right
    Size i = first;
    for (; i + kTogether <= axes[1].count; i += kTogether) {
      const Size from = axes[1].source + i * axes[1].step, to = axes[1].first + 2 * i;
      const bool inside = from >= 0 && from + kAcross <= wide && to >= 0 && to + kWide <= result[2];
      if (inside && before) {
        for (Size r = 0; r < kHigh; ++r) {
          const Size step = lines[r] == nullptr ? 0 : kTogether * axes[1].step * pixel;
          for (Size s = 0; s < kAcross; ++s) tile.source[r * kAcross + s] += step;
        }
        for (Size a = 0; a < 2 * kWide; ++a) tile.result[a] += out[a / kWide] == nullptr ? 0 : kWide * pixel;
      } else {
        for (Size r = 0; r < kHigh; ++r) {
          for (Size s = 0; s < kAcross; ++s) {
            const bool exists = lines[r] != nullptr && from + s >= 0 && from + s < wide;
            tile.source[r * kAcross + s] = exists ? lines[r] + (from + s) * pixel : nothing;
          }
        }
        for (Size a = 0; a < 2 * kWide; ++a) {
          const bool exists = out[a / kWide] != nullptr && to + a % kWide >= 0 && to + a % kWide < result[2];
          tile.result[a] = exists ? out[a / kWide] + (to + a % kWide) * pixel : nobody;
        }
      }
      before = inside;
      run(tile);
    }
    return i;
  }
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
    using R = Reach<kSource, kResult>;
    for (Size block = 0; block < tiles_.blocks; ++block) {
      const Channels channels = tiles_.block(block);
      for (Size i = of.first; i < of.end; ++i) {
        const Size image = i / tiles_.rows();
        tiles_.template over_row<R>(
            i % tiles_.rows(), of.x + image * tiles_.source_size(), of.y + image * tiles_.result_size(), of.nothing,
            of.nobody, [&](const auto& tile) HWY_ATTR { run_tile(tile, of.kernel, channels, of.bias, shape_.relu); });
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
      tiles_.template over_row<Reach<1, kStride>>(i % tiles_.rows(), x + image * tiles_.source_size(),
                                                  const_cast<S*>(g) + image * tiles_.result_size(), nothing,
                                                  const_cast<S*>(nothing), [&](const auto& tile) HWY_ATTR {
                                                    sum_tile(tile, channels, add, sums);
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

bool suits_depthwise3(const ConvolveShape& s) {
  const bool one = s.in[0] == 1 && s.out[0] == 1 && s.low[0] == 0;
  const bool square = s.kernel == Position{1, 3, 3} && s.stride[1] == s.stride[2] && s.stride[1] <= 2;
  return is_depthwise(s) && one && square && s.stride[0] == 1 && volume(s.dilation) == 1 && volume(s.out) > 0 &&
         s.channels >= 16 && s.dtype != DType::kFloat64;
}

std::shared_ptr<const Convolve::Way> depthwise3_convolution(const ConvolveShape& shape, ConvolveKind kind) {
  return PELLUCID_FOR_ISA(isa(), convolve::make_depthwise3)(shape, kind);
}

}  // namespace pellucid::kernels
#endif  // HWY_ONCE
