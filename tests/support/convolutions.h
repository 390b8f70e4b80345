// Convolutions for tests: settings, what the kernels give for them, the definition in double precision, and errors.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include "array/node.h"
#include "kernels/cpu/convolve.h"
#include "pellucid/threads.h"

namespace pellucid {

using kernels::Convolve;
using kernels::ConvolveKind;
using kernels::ConvolveShape;
using kernels::ConvolveSizes;
using kernels::Position;
using Size = std::int64_t;

inline constexpr ConvolveKind kKinds[] = {ConvolveKind::kForward, ConvolveKind::kInput, ConvolveKind::kWeight};

struct Setting {
  std::string name;
  Size n;
  Position in, kernel;
  Size channels, outputs, groups = 1;
  Position stride = {1, 1, 1}, low = {0, 0, 0}, high = {0, 0, 0}, dilation = {1, 1, 1};
  Size batch = 1;
};

inline ConvolveShape shape_of(const Setting& s) {
  ConvolveShape shape;
  shape.batch = s.batch;
  shape.n = s.n;
  shape.in = s.in;
  shape.kernel = s.kernel;
  shape.stride = s.stride;
  shape.low = s.low;
  shape.dilation = s.dilation;
  for (std::size_t d = 0; d < 3; ++d)
    shape.out[d] = (s.in[d] + s.low[d] + s.high[d] - s.dilation[d] * (s.kernel[d] - 1) - 1) / s.stride[d] + 1;
  shape.channels = s.channels;
  shape.outputs = s.outputs;
  shape.groups = s.groups;
  return shape;
}

/// Elements of a result and of its operands.
struct Counts {
  Size result, a, b;
};
inline Counts counts_of(const ConvolveShape& s, ConvolveKind kind) {
  const ConvolveSizes of(s);
  const Size x = s.batch * s.n * of.in_pixels * s.channels, y = s.batch * s.n * of.out_pixels * s.outputs;
  const Size w = s.batch * of.taps * of.group_channels * s.outputs;
  return kind == ConvolveKind::kForward ? Counts{y, x, w}
         : kind == ConvolveKind::kInput ? Counts{x, y, w}
                                        : Counts{w, x, y};
}

template <class T>
std::vector<T> draw(Size n, std::uint64_t seed) {
  std::mt19937_64 bits(seed);
  std::normal_distribution<double> normal;
  std::vector<T> values(static_cast<std::size_t>(n));
  for (T& v : values) {
    if constexpr (std::is_same_v<T, BFloat16>) {
      v = array::to_bfloat16(static_cast<float>(normal(bits)));
    } else {
      v = static_cast<T>(normal(bits));
    }
  }
  return values;
}
template <class T>
double wide(T x) {
  if constexpr (std::is_same_v<T, BFloat16>) {
    return array::to_float(x);
  } else {
    return static_cast<double>(x);
  }
}

/// The values in memory as arrays have it: 64 bytes behind the last one can be read, and no more.
template <class T>
std::vector<std::byte> in_storage(const std::vector<T>& x) {
  std::vector<std::byte> bytes(x.size() * sizeof(T) + 64);
  if (!x.empty()) std::memcpy(bytes.data(), x.data(), x.size() * sizeof(T));
  return bytes;
}

/// What Convolve gives.
template <class T>
std::vector<T> run(const ConvolveShape& shape, ConvolveKind kind, const std::vector<T>& a, const std::vector<T>& b,
                   const std::vector<T>& bias = {}) {
  const Convolve convolve(shape, kind);
  std::vector<T> result(static_cast<std::size_t>(counts_of(shape, kind).result));
  std::vector<std::byte> memory(convolve.workspace() + 64);
  void* aligned = memory.data() + (64 - reinterpret_cast<std::uintptr_t>(memory.data()) % 64);
  const std::vector<std::byte> left = in_storage(a), right = in_storage(b), added = in_storage(bias);
  convolve.run(result.data(), left.data(), right.data(), bias.empty() ? nullptr : added.data(), aligned);
  return result;
}

struct Exact {
  std::vector<double> value, magnitude;
  std::vector<Size> terms;
};
/// The definition in double precision.
inline Exact exact(const ConvolveShape& s, ConvolveKind kind, const std::vector<double>& a,
                   const std::vector<double>& b) {
  const ConvolveSizes of(s);
  const auto n = static_cast<std::size_t>(counts_of(s, kind).result);
  Exact e{std::vector<double>(n), std::vector<double>(n), std::vector<Size>(n)};
  for (Size i = 0; i < s.batch * s.n; ++i) {
    for (Size p = 0; p < of.out_pixels; ++p) {
      for (Size t = 0; t < of.taps; ++t) {
        const Size from = of.input_pixel(kernels::position(s.out, p), kernels::position(s.kernel, t));
        if (from < 0) continue;
        for (Size c = 0; c < s.channels; ++c) {
          const Size group = c / of.group_channels;
          for (Size o = group * of.group_outputs; o < (group + 1) * of.group_outputs; ++o) {
            const Size x = (i * of.in_pixels + from) * s.channels + c, y = (i * of.out_pixels + p) * s.outputs + o;
            const Size w = ((i / s.n * of.taps + t) * of.group_channels + c % of.group_channels) * s.outputs + o;
            const Size to = kind == ConvolveKind::kForward ? y : kind == ConvolveKind::kInput ? x : w;
            const Size left = kind == ConvolveKind::kInput ? y : x, right = kind == ConvolveKind::kWeight ? y : w;
            const double product = a[static_cast<std::size_t>(left)] * b[static_cast<std::size_t>(right)];
            e.value[static_cast<std::size_t>(to)] += product;
            e.magnitude[static_cast<std::size_t>(to)] += std::fabs(product);
            ++e.terms[static_cast<std::size_t>(to)];
          }
        }
      }
    }
  }
  return e;
}

template <class T>
std::vector<double> widened(const std::vector<T>& x) {
  std::vector<double> y;
  y.reserve(x.size());
  for (const T& v : x) y.push_back(wide(v));
  return y;
}

struct Errors {
  double most = 0, typical = 0;  // the largest, and the root mean square
};
inline Errors errors_of(const std::vector<float>& y, const Exact& e) {
  double most = 0, squares = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    const double error = std::fabs(y[i] - e.value[i]);
    most = std::max(most, error);
    squares += error * error;
  }
  return {most, std::sqrt(squares / static_cast<double>(y.size()))};
}

/// The sum without Winograd.
inline std::vector<float> direct_sum(const ConvolveShape& shape, ConvolveKind kind, const std::vector<float>& a,
                                     const std::vector<float>& b) {
  const auto way =
      kind == ConvolveKind::kWeight ? kernels::weight_convolution(shape) : kernels::grid_convolution(shape, kind);
  std::vector<float> direct(static_cast<std::size_t>(counts_of(shape, kind).result));
  std::vector<std::byte> memory(way->workspace + 64);
  way->run(direct.data(), a.data(), b.data(), nullptr,
           memory.data() + (64 - reinterpret_cast<std::uintptr_t>(memory.data()) % 64));
  return direct;
}

inline std::vector<float> rounded(std::vector<float> x) {
  for (float& v : x) v = array::to_float(array::to_bfloat16(v));
  return x;
}

/// A shape whose operands are rounded: the same bits on any number of threads, and of operands that were rounded
/// before.
inline void expect_same_bits_rounded(const ConvolveShape& shape, const std::string& name) {
  const int before = threads();
  for (const ConvolveKind kind : kKinds) {
    ASSERT_TRUE(kernels::rounds_itself(shape, kind));
    const Counts counts = counts_of(shape, kind);
    const std::vector<float> a = draw<float>(counts.a, 14), b = draw<float>(counts.b, 15);
    const std::vector<float> first = run(shape, kind, rounded(a), rounded(b));
    for (const int n : {1, 2, 3, 7}) {
      set_threads(n);
      const std::vector<float> got = run(shape, kind, a, b);
      EXPECT_EQ(std::memcmp(got.data(), first.data(), got.size() * sizeof(float)), 0)
          << name << " kind " << static_cast<int>(kind) << " on " << n << " threads";
    }
  }
  set_threads(before);
}

/// The forward result with a bias and relu is the plain one, plus the row, where that is above 0.
inline void expect_bias_and_relu(ConvolveShape shape, std::uint64_t seed, const std::string& name) {
  const Counts counts = counts_of(shape, ConvolveKind::kForward);
  const std::vector<float> a = draw<float>(counts.a, seed), b = draw<float>(counts.b, seed + 1);
  const std::vector<float> row = draw<float>(shape.outputs, seed + 2);
  const std::vector<float> plain = run(shape, ConvolveKind::kForward, a, b);
  shape.bias = shape.relu = true;
  const std::vector<float> got = run(shape, ConvolveKind::kForward, a, b, row);
  for (std::size_t i = 0; i < got.size(); ++i) {
    const float sum = plain[i] + row[i % static_cast<std::size_t>(shape.outputs)];
    ASSERT_EQ(got[i], sum > 0 ? sum : 0.0f) << name << " element " << i;
  }
}

}  // namespace pellucid
