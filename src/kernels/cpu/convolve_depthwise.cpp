// Depthwise convolution, of as many groups as channels and outputs: vectors run along the channels.
#include "base/thread_pool.h"
#include "kernels/cpu/convolve.h"
#include "kernels/kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/convolve_depthwise.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "kernels/cpu/convolve_strip-inl.h"
#include "kernels/cpu/dispatch.h"

HWY_BEFORE_NAMESPACE();
namespace pellucid::kernels {
namespace HWY_NAMESPACE {
namespace convolve {
namespace {

constexpr Size divide_up(Size x, Size by) { return (x + by - 1) / by; }
constexpr Size round_up(Size x, Size to) { return divide_up(x, to) * to; }

constexpr Size kLeastPiece = 128 << 10;  // multiply-adds: about 10 microseconds, since memory is the bound

/// The grids of one product, cut into blocks, and the blocks into pieces.
struct DepthwiseParts {
  DepthwiseParts(const ConvolveShape& shape, ConvolveKind kind, bool must_copy) {
    const bool input = kind == ConvolveKind::kInput;
    const GridSource source{
        input ? shape.out : shape.in, shape.kernel, shape.n, shape.channels, shape.channels, must_copy};
    for (const Grid& grid : grids_of(shape, kind)) {
      blocks.push_back(blocks_of(grid, source));
      const Blocks& b = blocks.back();
      const Size work = b.pixels() * std::max<Size>(1, static_cast<Size>(b.taps.size())) * shape.channels;
      each.push_back(std::clamp<Size>(kLeastPiece / std::max<Size>(1, work), 1, std::max<Size>(1, b.blocks())));
      first.push_back(pieces);
      pieces += divide_up(b.blocks(), each.back());
      strip = std::max(strip, b.strip_size());
      positions = std::max(positions, b.pixels());
    }
    taps = volume(shape.kernel);
  }
  std::vector<Blocks> blocks;
  std::vector<Size> each, first;  // blocks of a piece, and the number of the first piece
  Size pieces = 0, strip = 0, positions = 0, taps = 0;
};

template <class T, class S, class V, class D = hn::ScalableTag<T>>
HWY_INLINE void put(V sum, S* to, Size n) {
  contract::store_result<T>(D(), sum, to, n);
}

/// The first n elements from p on, as the type of sums; nothing beyond them is read.
template <class T, class S, class D = hn::ScalableTag<T>>
HWY_INLINE hn::Vec<D> load_some(const S* p, Size n) {
  const D d;
  if (HWY_LIKELY(n == kLanesOf<T>)) return contract::load(d, p);
  alignas(64) T lane[kLanesOf<T>] = {};
  for (Size i = 0; i < n; ++i) lane[i] = contract::widen(p[i]);
  return hn::Load(d, lane);
}

/// N positions, all channels: taps in the order of the grid.
template <class T, class S, int N>
HWY_INLINE void depthwise_tile(const Blocks& b, const T* const* rows, S* const* out, const T* w, Size channels,
                               const T* bias, bool relu) {
  const hn::ScalableTag<T> d;
  constexpr Size lanes = kLanesOf<T>;
  const T* s[N];
  HWY_UNROLL(8)
  for (int i = 0; i < N; ++i) s[i] = rows[i];
  const GridTap* const end = b.taps.data() + b.taps.size();
  for (Size c = 0; c < channels; c += lanes) {
    hn::Vec<decltype(d)> acc[N];
    HWY_UNROLL(8)
    for (int i = 0; i < N; ++i) acc[i] = hn::Zero(d);
    for (const GridTap* tap = b.taps.data(); tap != end; ++tap) {
      const Size offset = tap->offset + c;
      const auto weight = hn::LoadU(d, w + tap->kernel * channels + c);
      HWY_UNROLL(8)
      for (int i = 0; i < N; ++i) acc[i] = hn::MulAdd(hn::LoadU(d, s[i] + offset), weight, acc[i]);
    }
    const Size n = std::min(lanes, channels - c);
    HWY_UNROLL(8)
    for (int i = 0; i < N; ++i) {
      if (bias != nullptr) acc[i] = hn::Add(acc[i], hn::LoadU(d, bias + c));
      if (relu) acc[i] = contract::relu(d, acc[i]);
      put<T>(acc[i], out[i] + c, n);
    }
  }
}

/// Forward, and x from g. T is the type of sums, S that of operands and results.
template <class T, class S>
class DepthwiseWay final : public Convolve::Way {
 public:
  DepthwiseWay(const ConvolveShape& shape, ConvolveKind kind)
      : shape_(shape), parts_(shape, kind, !std::is_same_v<T, S>), threads_(base::threads()) {
    const bool forward = kind == ConvolveKind::kForward;
    pictures_ = {shape.n,        forward ? shape.in : shape.out,
                 shape.channels, forward ? shape.out : shape.in,
                 shape.channels, shape.channels};
    const Size align = 64 / static_cast<Size>(sizeof(T));
    kernel_ = round_up(shape.batch * parts_.taps * shape.channels + kLanesOf<T>, align);
    bias_ = round_up(shape.channels + kLanesOf<T>, align);
    strip_ = round_up(parts_.strip + 2 * kLanesOf<T>, align);
    slot_ =
        round_up(strip_ * static_cast<Size>(sizeof(T)) + 2 * parts_.positions * static_cast<Size>(sizeof(void*)), 128);
    workspace = static_cast<std::size_t>((kernel_ + bias_) * static_cast<Size>(sizeof(T)) + slot_ * threads_);
  }

  void run(void* result, const void* a, const void* b, const void* bias, void* scratch) const override {
    const auto *x = static_cast<const S*>(a), *w = static_cast<const S*>(b);
    T* kernel = static_cast<T*>(scratch);
    T* row = kernel + kernel_;
    auto* slots = reinterpret_cast<char*>(row + bias_);
    // Copies, since whole vectors are read.
    copy_run(kernel, w, shape_.batch * parts_.taps * shape_.channels);
    if (bias != nullptr) copy_run(row, static_cast<const S*>(bias), shape_.channels);
    const Size source = shape_.n * volume(pictures_.source) * shape_.channels;
    const Size target = shape_.n * volume(pictures_.result) * shape_.channels;
    base::parallel_for(
        shape_.batch * parts_.pieces,
        [&](Size piece, int thread) {
          const Size batch = piece / parts_.pieces;
          piece %= parts_.pieces;
          std::size_t part = parts_.blocks.size() - 1;
          while (piece < parts_.first[part]) --part;
          const Blocks& blocks = parts_.blocks[part];
          T* strip = reinterpret_cast<T*>(slots + thread * slot_);
          char* tables = reinterpret_cast<char*>(strip + strip_);
          const T** rows = reinterpret_cast<const T**>(tables);
          S** out = reinterpret_cast<S**>(tables + parts_.positions * static_cast<Size>(sizeof(void*)));
          const T* weights = kernel + batch * parts_.taps * shape_.channels;
          const Size first = (piece - parts_.first[part]) * parts_.each[part];
          const Size end = std::min(blocks.blocks(), first + parts_.each[part]);
          for (Size block = first; block < end; ++block) {
            const Size count = place_block(blocks, block, pictures_, x + batch * source,
                                           static_cast<S*>(result) + batch * target, strip, rows, out);
            const T* add = bias != nullptr ? row : nullptr;
            Size i = 0;
            for (; i + 8 <= count; i += 8)
              depthwise_tile<T, S, 8>(blocks, rows + i, out + i, weights, shape_.channels, add, shape_.relu);
            for (; i + 4 <= count; i += 4)
              depthwise_tile<T, S, 4>(blocks, rows + i, out + i, weights, shape_.channels, add, shape_.relu);
            for (; i < count; ++i)
              depthwise_tile<T, S, 1>(blocks, rows + i, out + i, weights, shape_.channels, add, shape_.relu);
          }
        },
        threads_);
  }

 private:
  ConvolveShape shape_;
  DepthwiseParts parts_;
  Pictures pictures_;
  int threads_ = 1;
  Size kernel_ = 0, bias_ = 0, strip_ = 0, slot_ = 0;
};

/// The sums of N taps over positions: sums[tap * channels + c] + sum over i of x(rows[i] + offset) g(i).
template <class T, class S, int N>
HWY_INLINE void depthwise_sums(const GridTap* taps, const T* const* rows, S* const* g, Size count, Size channels,
                               T* sums) {
  const hn::ScalableTag<T> d;
  constexpr Size lanes = kLanesOf<T>;
  Size offset[N];
  for (int t = 0; t < N; ++t) offset[t] = taps[t].offset;
  for (Size c = 0; c < channels; c += lanes) {
    hn::Vec<decltype(d)> acc[N];
    HWY_UNROLL(9)
    for (int t = 0; t < N; ++t) acc[t] = hn::Zero(d);
    const Size n = std::min(lanes, channels - c);
    for (Size i = 0; i < count; ++i) {
      const T* x = rows[i] + c;
      const auto right = load_some<T>(g[i] + c, n);
      HWY_UNROLL(9)
      for (int t = 0; t < N; ++t) acc[t] = hn::MulAdd(hn::LoadU(d, x + offset[t]), right, acc[t]);
    }
    HWY_UNROLL(9)
    for (int t = 0; t < N; ++t) {
      T* at = sums + taps[t].kernel * channels + c;
      const auto before = hn::MaskedLoad(hn::FirstN(d, static_cast<std::size_t>(n)), d, at);
      contract::store_first(hn::Add(before, acc[t]), d, at, n);
    }
  }
}

/// w from x, g: parts of the blocks, each into memory of its own, added in order.
template <class T, class S>
class DepthwiseWeightWay final : public Convolve::Way {
 public:
  explicit DepthwiseWeightWay(const ConvolveShape& shape)
      : shape_(shape), parts_(shape, ConvolveKind::kForward, !std::is_same_v<T, S>), threads_(base::threads()) {
    pictures_ = {shape.n, shape.in, shape.channels, shape.out, shape.channels, shape.channels};
    const Size align = 64 / static_cast<Size>(sizeof(T));
    if (!parts_.blocks.empty()) blocks_ = parts_.blocks[0].blocks();
    part_blocks_ = divide_up(std::max<Size>(blocks_, 1), std::clamp<Size>(parts_.pieces, 1, 16));
    parts_count_ = divide_up(std::max<Size>(blocks_, 1), part_blocks_);
    part_ = parts_.taps * shape.channels;
    sums_ = round_up(shape.batch * parts_count_ * part_ + kLanesOf<T>, align);
    strip_ = round_up(parts_.strip + 2 * kLanesOf<T>, align);
    slot_ =
        round_up(strip_ * static_cast<Size>(sizeof(T)) + 2 * parts_.positions * static_cast<Size>(sizeof(void*)), 128);
    workspace = static_cast<std::size_t>(sums_ * static_cast<Size>(sizeof(T)) + slot_ * threads_);
  }

  void run(void* result, const void* a, const void* b, const void*, void* scratch) const override {
    T* sums = static_cast<T*>(scratch);
    auto* slots = reinterpret_cast<char*>(sums + sums_);
    std::fill(sums, sums + sums_, T{});
    base::parallel_for(
        shape_.batch * parts_count_,
        [&](Size piece, int thread) {
          T* strip = reinterpret_cast<T*>(slots + thread * slot_);
          char* tables = reinterpret_cast<char*>(strip + strip_);
          run_part(static_cast<const S*>(a), static_cast<const S*>(b), piece, strip,
                   reinterpret_cast<const T**>(tables),
                   reinterpret_cast<S**>(tables + parts_.positions * static_cast<Size>(sizeof(void*))),
                   sums + piece * part_);
        },
        threads_);
    const hn::ScalableTag<T> d;
    for (Size batch = 0; batch < shape_.batch; ++batch) {
      S* w = static_cast<S*>(result) + batch * part_;
      const T* from = sums + batch * parts_count_ * part_;
      for (Size i = 0; i < part_; i += kLanesOf<T>) {
        put<T>(contract::total(d, from + i, parts_count_, part_), w + i, std::min(kLanesOf<T>, part_ - i));
      }
    }
  }

 private:
  /// Positions that are summed in registers: so few that their lines stay in L1 for the next vector of channels.
  static constexpr Size kMostSteps = 64;

  void run_part(const S* x, const S* g, Size piece, T* strip, const T** rows, S** out, T* sums) const {
    const Blocks& b = parts_.blocks[0];
    const Size batch = piece / parts_count_, part = piece % parts_count_;
    x += batch * shape_.n * volume(shape_.in) * shape_.channels;
    // place_block tells where results lie; here they are read.
    S* y = const_cast<S*>(g) + batch * shape_.n * volume(shape_.out) * shape_.channels;
    const Size end = std::min(blocks_, (part + 1) * part_blocks_);
    for (Size block = part * part_blocks_; block < end; ++block) {
      const Size count = place_block(b, block, pictures_, x, y, strip, rows, out);
      for (Size i = 0; i < count; i += kMostSteps) {
        const Size steps = std::min(kMostSteps, count - i);
        const Size taps = static_cast<Size>(b.taps.size());
        Size t = 0;
        for (; t + 9 <= taps; t += 9)
          depthwise_sums<T, S, 9>(b.taps.data() + t, rows + i, out + i, steps, shape_.channels, sums);
        for (; t + 3 <= taps; t += 3)
          depthwise_sums<T, S, 3>(b.taps.data() + t, rows + i, out + i, steps, shape_.channels, sums);
        for (; t < taps; ++t)
          depthwise_sums<T, S, 1>(b.taps.data() + t, rows + i, out + i, steps, shape_.channels, sums);
      }
    }
  }

  ConvolveShape shape_;
  DepthwiseParts parts_;
  Pictures pictures_;
  int threads_ = 1;
  Size blocks_ = 0, part_blocks_ = 1, parts_count_ = 1, part_ = 0, sums_ = 0, strip_ = 0, slot_ = 0;
};

template <class T, class S>
std::shared_ptr<const Convolve::Way> depthwise_of(const ConvolveShape& shape, ConvolveKind kind) {
  if (kind == ConvolveKind::kWeight) return std::make_shared<DepthwiseWeightWay<T, S>>(shape);
  return std::make_shared<DepthwiseWay<T, S>>(shape, kind);
}

}  // namespace

std::shared_ptr<const Convolve::Way> make_depthwise(const ConvolveShape& shape, ConvolveKind kind) {
  switch (shape.dtype) {
    case DType::kFloat64:
      return depthwise_of<double, double>(shape, kind);
    case DType::kBFloat16:
      return depthwise_of<float, BFloat16>(shape, kind);
    default:
      return depthwise_of<float, float>(shape, kind);
  }
}

}  // namespace convolve
}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace pellucid::kernels {

bool is_depthwise(const ConvolveShape& s) { return s.groups > 1 && s.groups == s.channels && s.groups == s.outputs; }

std::shared_ptr<const Convolve::Way> depthwise_convolution(const ConvolveShape& shape, ConvolveKind kind) {
  return PELLUCID_FOR_ISA(isa(), convolve::make_depthwise)(shape, kind);
}

}  // namespace pellucid::kernels
#endif  // HWY_ONCE
