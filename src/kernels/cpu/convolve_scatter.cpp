// x from g where x has few channels: the products of each position with the whole kernel by one contraction, added to
// the picture line by line. The channels of a line of taps lie side by side in x, so that they fill vectors which a
// few channels alone would leave half empty.
#include "base/thread_pool.h"
#include "kernels/cpu/convolve.h"
#include "kernels/kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/convolve_scatter.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "kernels/cpu/contract_pack-inl.h"
#include "kernels/cpu/contract_tile-inl.h"
#include "kernels/cpu/dispatch.h"

HWY_BEFORE_NAMESPACE();
namespace pellucid::kernels {
namespace HWY_NAMESPACE {
namespace convolve {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using contract::kLanesOf;
using contract::RowCut;
using contract::Size;

constexpr Size divide_up(Size x, Size by) { return (x + by - 1) / by; }
constexpr Size round_up(Size x, Size to) { return divide_up(x, to) * to; }

/// A sum takes the positions of g in an order that the shape fixes; each adds its sum over its channels, ascending.
template <class T>
class ScatterWay final : public Convolve::Way {
 public:
  explicit ScatterWay(const ConvolveShape& shape);
  void run(void* result, const void* a, const void* b, const void* bias, void* scratch) const override;

 private:
  static constexpr Size kRun = 16;   // a line's elements are padded to a multiple, the same for every vector width
  static constexpr Size kRows = 48;  // positions of one contraction
  static constexpr Size kPanel = 2 * kLanesOf<T>;

  void pack_kernel(const T* w, T* to) const;
  void run_image(T* x, const T* g, const T* kernel, T* sums, T* picture) const;

  ConvolveShape shape_;
  Size row_ = 0, line_ = 0;          // elements of a line of taps, and the same padded
  Size lines_ = 0, columns_ = 0;     // lines of the kernel, and all their padded elements
  std::vector<Size> pixels_, taps_;  // where positions of g, and lines of taps from there, lie in the picture
  Position size_{};                  // of the picture with what lies around it
  Size picture_ = 0, kernel_ = 0, slot_ = 0;
  int threads_ = 1;
};

template <class T>
ScatterWay<T>::ScatterWay(const ConvolveShape& shape) : shape_(shape), threads_(base::threads()) {
  row_ = shape.kernel[2] * shape.channels;
  line_ = round_up(row_, kRun);
  lines_ = shape.kernel[0] * shape.kernel[1];
  columns_ = lines_ * line_;
  for (std::size_t d = 0; d < 3; ++d)
    size_[d] = (shape.out[d] - 1) * shape.stride[d] + (shape.kernel[d] - 1) * shape.dilation[d] + 1;
  const Size pitch = size_[2] * shape.channels;
  for (Size i = 0; i < volume(shape.out); ++i) {
    const Position at = position(shape.out, i);
    pixels_.push_back((at[0] * shape.stride[0] * size_[1] + at[1] * shape.stride[1]) * pitch +
                      at[2] * shape.stride[2] * shape.channels);
  }
  for (Size i = 0; i < lines_; ++i) {
    taps_.push_back((i / shape.kernel[1] * shape.dilation[0] * size_[1] + i % shape.kernel[1] * shape.dilation[1]) *
                    pitch);
  }
  picture_ = round_up(volume(size_) * shape.channels + line_, kRun);
  kernel_ = round_up(round_up(columns_, kPanel) * (shape.outputs + 1) + kPanel, kRun);
  slot_ = round_up(picture_ + kRows * round_up(columns_, kPanel), 2 * kRun);
  workspace = static_cast<std::size_t>(shape.batch * kernel_ + slot_ * threads_) * sizeof(T);
}

/// Panels of columns: to[o][line of taps][tap, channel], zeros beyond a line.
template <class T>
void ScatterWay<T>::pack_kernel(const T* w, T* to) const {
  const Size outputs = shape_.outputs;
  for (Size j = 0; j < round_up(columns_, kPanel); ++j) {
    const Size line = j / line_, at = j % line_;
    T* column = to + j / kPanel * kPanel * (outputs + 1) + j % kPanel;
    const bool exists = line < lines_ && at < row_;
    const T* from = w + (line * row_ + at) * outputs;
    for (Size o = 0; o < outputs; ++o) column[o * kPanel] = exists ? from[o] : T{};
  }
}

template <class T>
void ScatterWay<T>::run_image(T* x, const T* g, const T* kernel, T* sums, T* picture) const {
  const hn::ScalableTag<T> d;
  constexpr Size lanes = kLanesOf<T>;
  const Size channels = shape_.channels, sums_row = round_up(columns_, kPanel);
  std::fill(picture, picture + picture_, T{});
  const Size pixels = volume(shape_.out), apart = line_ / (channels * shape_.stride[2]) + 1;
  for (Size first = 0; first < pixels; first += kRows) {
    const Size rows = std::min(kRows, pixels - first);
    contract::TileRun<T> t;
    t.s = g + first * shape_.outputs;
    t.s_row = shape_.outputs;
    t.s_k = 1;
    t.v_k = kPanel;
    t.k = shape_.outputs;
    t.c_row = sums_row;
    t.last = lanes;
    const RowCut cut = RowCut::of(rows, contract::kTileRows<T>);
    for (Size j = 0; j < sums_row; j += kPanel) {
      t.v = kernel + j * (shape_.outputs + 1);
      t.c = sums + j;
      contract::run_tile_column(t, cut, 2, 0);
    }
    // Neighbours overlap, and would wait for each other's stores: so every `apart`-th position, then those between.
    for (Size n = 0, i = 0, phase = 0; n < rows; ++n, i += apart) {
      if (i >= rows) i = ++phase;
      T* at = picture + pixels_[static_cast<std::size_t>(first + i)];
      for (Size line = 0; line < lines_; ++line) {
        T* to = at + taps_[static_cast<std::size_t>(line)];
        const T* from = sums + i * sums_row + line * line_;
        for (Size j = 0; j < line_; j += lanes)
          hn::StoreU(hn::Add(hn::LoadU(d, to + j), hn::LoadU(d, from + j)), d, to + j);
      }
    }
  }
  // What lies around the picture is dropped; where no tap reaches is zero.
  for (Size p = 0; p < shape_.in[0]; ++p) {
    for (Size q = 0; q < shape_.in[1]; ++q) {
      T* to = x + (p * shape_.in[1] + q) * shape_.in[2] * channels;
      const Size plane = p + shape_.low[0], height = q + shape_.low[1];
      const bool inside = plane >= 0 && plane < size_[0] && height >= 0 && height < size_[1];
      const Size begin = inside ? std::clamp<Size>(-shape_.low[2], 0, shape_.in[2]) : shape_.in[2];
      const Size end = inside ? std::clamp<Size>(size_[2] - shape_.low[2], begin, shape_.in[2]) : shape_.in[2];
      std::fill(to, to + begin * channels, T{});
      if (begin < end) {
        const T* from = picture + ((plane * size_[1] + height) * size_[2] + begin + shape_.low[2]) * channels;
        std::copy(from, from + (end - begin) * channels, to + begin * channels);
      }
      std::fill(to + end * channels, to + shape_.in[2] * channels, T{});
    }
  }
}

template <class T>
void ScatterWay<T>::run(void* result, const void* a, const void* b, const void*, void* scratch) const {
  T* kernel = static_cast<T*>(scratch);
  T* slots = kernel + shape_.batch * kernel_;
  for (Size i = 0; i < shape_.batch; ++i) {
    pack_kernel(static_cast<const T*>(b) + i * lines_ * row_ * shape_.outputs, kernel + i * kernel_);
  }
  base::parallel_for(
      shape_.batch * shape_.n,
      [&](Size image, int thread) {
        T* picture = slots + thread * slot_;
        run_image(static_cast<T*>(result) + image * volume(shape_.in) * shape_.channels,
                  static_cast<const T*>(a) + image * volume(shape_.out) * shape_.outputs,
                  kernel + image / shape_.n * kernel_, picture + picture_, picture);
      },
      threads_);
}

}  // namespace

std::shared_ptr<const Convolve::Way> make_scatter(const ConvolveShape& shape) {
  if (shape.dtype == DType::kFloat64) return std::make_shared<ScatterWay<double>>(shape);
  return std::make_shared<ScatterWay<float>>(shape);
}

}  // namespace convolve
}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace pellucid::kernels {

bool suits_scatter(const ConvolveShape& s) {
  constexpr std::int64_t kMostPicture = 1 << 20;  // elements that each thread keeps
  const std::int64_t out = volume(s.out), run = s.kernel[2] * s.channels;
  if (s.groups != 1 || s.dilation[2] != 1 || s.dtype == DType::kBFloat16 || volume(s.kernel) == 1) return false;
  if (s.channels < 1 || s.channels >= 16 || run > 64 || s.outputs < 8 || s.outputs > kTapChunk || out < 1) return false;
  std::int64_t picture = s.channels;
  for (std::size_t d = 0; d < 3; ++d) picture *= s.out[d] * s.stride[d] + s.kernel[d] * s.dilation[d];
  return picture <= kMostPicture && s.n > 0;
}

std::shared_ptr<const Convolve::Way> scatter_convolution(const ConvolveShape& shape) {
  return PELLUCID_FOR_ISA(isa(), convolve::make_scatter)(shape);
}

}  // namespace pellucid::kernels
#endif  // HWY_ONCE
