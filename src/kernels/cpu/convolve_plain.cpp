// Convolution as it is defined, one multiply-add after the other: for types and shapes that no faster way takes.
#include <cmath>
#include <cstring>

#include "base/thread_pool.h"
#include "kernels/cpu/convolve.h"

namespace pellucid::kernels {
namespace {

using Size = std::int64_t;

float widen(BFloat16 x) {
  const std::uint32_t bits = static_cast<std::uint32_t>(x.bits) << 16;
  float wide;
  std::memcpy(&wide, &bits, sizeof(wide));
  return wide;
}
template <class T>
T widen(T x) {
  return x;
}

void store(float x, BFloat16* to) {
  std::uint32_t bits;
  std::memcpy(&bits, &x, sizeof(bits));
  if ((bits & 0x7FFFFFFFu) > 0x7F800000u) {
    *to = {static_cast<std::uint16_t>((bits >> 16) | 0x40u)};
  } else {
    *to = {static_cast<std::uint16_t>((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16)};
  }
}
template <class T>
void store(T x, T* to) {
  *to = x;
}

/// T is the type of sums, S that of operands and results.
template <class T, class S>
struct Plain final : Convolve::Way {
  Plain(const ConvolveShape& s, ConvolveKind k) : shape(s), kind(k), of(s) {
    threads = base::threads();
    row = (std::max(shape.outputs, shape.channels) + 15) / 16 * 16;
    workspace = static_cast<std::size_t>(threads * row) * sizeof(T);
  }

  void run(void* result, const void* a, const void* b, const void* bias, void* scratch) const override {
    auto* y = static_cast<S*>(result);
    const auto *p = static_cast<const S*>(a), *q = static_cast<const S*>(b);
    auto* sums = static_cast<T*>(scratch);
    switch (kind) {
      case ConvolveKind::kForward:
        base::parallel_for(
            shape.batch * shape.n * of.out_pixels,
            [&](Size i, int thread) { forward(y, p, q, static_cast<const S*>(bias), i, sums + thread * row); },
            threads);
        break;
      case ConvolveKind::kInput:
        base::parallel_for(
            shape.batch * shape.n * of.in_pixels, [&](Size i, int thread) { input(y, p, q, i, sums + thread * row); },
            threads);
        break;
      case ConvolveKind::kWeight:
        base::parallel_for(
            shape.batch * of.taps * of.group_channels,
            [&](Size i, int thread) { weight(y, p, q, i, sums + thread * row); }, threads);
        break;
    }
  }

 private:
  void forward(S* y, const S* x, const S* w, const S* bias, Size pixel, T* sums) const {
    const Size image = pixel / of.out_pixels, batch = image / shape.n;
    const Position at = position(shape.out, pixel % of.out_pixels);
    for (Size o = 0; o < shape.outputs; ++o) sums[o] = T{};
    for (Size t = 0; t < of.taps; ++t) {
      const Size from = of.input_pixel(at, position(shape.kernel, t));
      if (from < 0) continue;
      const S* xs = x + (image * of.in_pixels + from) * shape.channels;
      const S* ws = w + (batch * of.taps + t) * of.group_channels * shape.outputs;
      for (Size c = 0; c < shape.channels; ++c) {
        const Size group = c / of.group_channels;
        const T left = widen(xs[c]);
        const S* right = ws + c % of.group_channels * shape.outputs;
        for (Size o = group * of.group_outputs; o < (group + 1) * of.group_outputs; ++o)
          sums[o] = std::fma(left, static_cast<T>(widen(right[o])), sums[o]);
      }
    }
    S* to = y + pixel * shape.outputs;
    for (Size o = 0; o < shape.outputs; ++o) {
      T sum = sums[o];
      if (shape.bias) sum += static_cast<T>(widen(bias[o]));
      if (shape.relu && sum <= T{}) sum = T{};
      store(sum, to + o);
    }
  }

  void input(S* x, const S* g, const S* w, Size pixel, T* sums) const {
    const Size image = pixel / of.in_pixels, batch = image / shape.n;
    const Position at = position(shape.in, pixel % of.in_pixels);
    for (Size c = 0; c < shape.channels; ++c) sums[c] = T{};
    for (Size t = 0; t < of.taps; ++t) {
      const Size from = of.output_pixel(at, position(shape.kernel, t));
      if (from < 0) continue;
      const S* gs = g + (image * of.out_pixels + from) * shape.outputs;
      const S* ws = w + (batch * of.taps + t) * of.group_channels * shape.outputs;
      for (Size o = 0; o < shape.outputs; ++o) {
        T* to = sums + o / of.group_outputs * of.group_channels;
        const T left = widen(gs[o]);
        for (Size c = 0; c < of.group_channels; ++c)
          to[c] = std::fma(left, static_cast<T>(widen(ws[c * shape.outputs + o])), to[c]);
      }
    }
    S* to = x + pixel * shape.channels;
    for (Size c = 0; c < shape.channels; ++c) store(sums[c], to + c);
  }

  void weight(S* w, const S* x, const S* g, Size row_number, T* sums) const {
    const Size batch = row_number / (of.taps * of.group_channels);
    const Size t = row_number / of.group_channels % of.taps, c = row_number % of.group_channels;
    const Position tap = position(shape.kernel, t);
    for (Size o = 0; o < shape.outputs; ++o) sums[o] = T{};
    for (Size i = 0; i < shape.n; ++i) {
      const Size image = batch * shape.n + i;
      for (Size pixel = 0; pixel < of.out_pixels; ++pixel) {
        const Size from = of.input_pixel(position(shape.out, pixel), tap);
        if (from < 0) continue;
        const S* xs = x + (image * of.in_pixels + from) * shape.channels;
        const S* gs = g + (image * of.out_pixels + pixel) * shape.outputs;
        for (Size group = 0; group < shape.groups; ++group) {
          const T left = widen(xs[group * of.group_channels + c]);
          for (Size o = group * of.group_outputs; o < (group + 1) * of.group_outputs; ++o)
            sums[o] = std::fma(left, static_cast<T>(widen(gs[o])), sums[o]);
        }
      }
    }
    S* to = w + row_number * shape.outputs;
    for (Size o = 0; o < shape.outputs; ++o) store(sums[o], to + o);
  }

  ConvolveShape shape;
  ConvolveKind kind;
  ConvolveSizes of;
  int threads = 1;
  Size row = 0;
};

}  // namespace

std::shared_ptr<const Convolve::Way> plain_convolution(const ConvolveShape& shape, ConvolveKind kind) {
  switch (shape.dtype) {
    case DType::kFloat64:
      return std::make_shared<Plain<double, double>>(shape, kind);
    case DType::kBFloat16:
      return std::make_shared<Plain<float, BFloat16>>(shape, kind);
    default:
      return std::make_shared<Plain<float, float>>(shape, kind);
  }
}

}  // namespace pellucid::kernels
