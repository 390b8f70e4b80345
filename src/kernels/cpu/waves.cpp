// Weighted sums of cosines: a stretch of rows at a time, whose cosines stay in the first-level cache.
#include "kernels/waves.h"

#include <algorithm>

#include "base/thread_pool.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/waves.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/map-inl.h"
#include "kernels/cpu/trig32-inl.h"
#include "kernels/cpu/trig64-inl.h"

HWY_BEFORE_NAMESPACE();
namespace pellucid::kernels {
namespace HWY_NAMESPACE {
namespace waves {
namespace {

using Size = std::int64_t;

constexpr Size kStretch = 64;  // rows whose cosines are made at one time

template <class T>
using Cosine = std::conditional_t<sizeof(T) == 4, Sine32, Sine<true>>;

/// The operands of one number, and where its results begin.
template <class T>
struct Number {
  const T *x, *frequency, *phase, *weight, *bias;
  T* y;
};

/// cosines[w, r] of the stretch at x, in rows of kStretch.
template <class T>
HWY_INLINE void make_cosines(const Number<T>& at, Size waves, const T* x, T* cosines) {
  const hn::ScalableTag<T> d;
  const Cosine<T> cosine{1};
  constexpr Size kVectors = sizeof(T) == 4 ? 2 : 1;  // side by side, as in map-inl.h
  const auto lanes = static_cast<Size>(hn::Lanes(d));
  for (Size w = 0; w < waves; ++w, cosines += kStretch) {
    const auto f = hn::Set(d, at.frequency[w]), p = hn::Set(d, at.phase[w]);
    for (Size r = 0; r < kStretch; r += kVectors * lanes) {
      const auto first = cosine.of(d, hn::MulAdd(hn::LoadU(d, x + r), f, p));
      if constexpr (kVectors == 2) {
        hn::StoreU(cosine.of(d, hn::MulAdd(hn::LoadU(d, x + r + lanes), f, p)), d, cosines + r + lanes);
      }
      hn::StoreU(first, d, cosines + r);
    }
  }
}

/// sums[k, r] for `kOutputs` outputs from `o` on.
template <int kOutputs, class T>
HWY_INLINE void add_up(const WavesShape& s, const Number<T>& at, Size o, const T* cosines, T* sums) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<Size>(hn::Lanes(d));
  for (Size r = 0; r < kStretch; r += 2 * lanes) {
    hn::Vec<decltype(d)> first[kOutputs], second[kOutputs];
#pragma GCC unroll 3
    for (int k = 0; k < kOutputs; ++k) first[k] = second[k] = hn::Zero(d);
    const T* weight = at.weight + o;
    for (Size w = 0; w < s.waves; ++w, weight += s.outputs) {
      const T* const c = cosines + w * kStretch + r;
      const auto c0 = hn::LoadU(d, c), c1 = hn::LoadU(d, c + lanes);
#pragma GCC unroll 3
      for (int k = 0; k < kOutputs; ++k) {
        const auto v = hn::Set(d, weight[k]);
        first[k] = hn::MulAdd(v, c0, first[k]);
        second[k] = hn::MulAdd(v, c1, second[k]);
      }
    }
#pragma GCC unroll 3
    for (int k = 0; k < kOutputs; ++k) {
      const auto bias = hn::Set(d, at.bias[o + k]);
      hn::StoreU(hn::Add(first[k], bias), d, sums + k * kStretch + r);
      hn::StoreU(hn::Add(second[k], bias), d, sums + k * kStretch + r + lanes);
    }
  }
}

/// Stretches are computed whole; what is beyond the last row is not kept.
template <class T>
void run_number(const WavesShape& s, const Number<T>& at, Size rows) {
  constexpr Size kTogether = 3;
  HWY_ALIGN T x[kStretch] = {}, sums[kTogether * kStretch], cosines[kMostWaves * kStretch];
  for (Size done = 0; done < rows; done += kStretch) {
    const Size count = std::min(kStretch, rows - done);
    std::copy_n(at.x + done, count, x);
    make_cosines(at, s.waves, x, cosines);
    for (Size o = 0; o < s.outputs;) {
      const bool together = o + kTogether <= s.outputs;
      if (together) {
        add_up<kTogether>(s, at, o, cosines, sums);
      } else {
        add_up<1>(s, at, o, cosines, sums);
      }
      for (Size k = 0; k < (together ? kTogether : 1); ++k, ++o) {
        std::copy_n(sums + k * kStretch, count, at.y + o * s.rows + done);
      }
    }
  }
}

template <class T>
void run_typed(const WavesShape& s, const void* x, const void* frequency, const void* phase, const void* weight,
               const void* bias, void* y) {
  // A piece: some rows of a number, or some numbers where rows are few.
  constexpr Size kPieceRows = 32 * kStretch, kPieceWork = 1 << 16;
  const Size row_pieces = (s.rows + kPieceRows - 1) / kPieceRows;
  const Size work = s.waves * std::min(s.rows, kPieceRows);
  const Size each = std::max<Size>(kPieceWork / std::max<Size>(work, 1), 1), cells = s.numbers * row_pieces;
  base::parallel_for((cells + each - 1) / each, [&](Size piece) {
    for (Size cell = piece * each; cell < std::min(cells, (piece + 1) * each); ++cell) {
      const Size i = cell / row_pieces, first = cell % row_pieces * kPieceRows;
      const Number<T> at = {in<T>(x, static_cast<std::size_t>(i % s.columns * s.rows + first)),
                            in<T>(frequency, static_cast<std::size_t>(i * s.waves)),
                            in<T>(phase, static_cast<std::size_t>(i * s.waves)),
                            in<T>(weight, static_cast<std::size_t>(i * s.waves * s.outputs)),
                            in<T>(bias, static_cast<std::size_t>(i * s.outputs)),
                            out<T>(y, static_cast<std::size_t>(i * s.outputs * s.rows + first))};
      run_number(s, at, std::min(kPieceRows, s.rows - first));
    }
  });
}

}  // namespace

void run(const WavesShape& shape, const void* x, const void* frequency, const void* phase, const void* weight,
         const void* bias, void* y) {
  (shape.dtype == DType::kFloat32 ? run_typed<float> : run_typed<double>)(shape, x, frequency, phase, weight, bias, y);
}

}  // namespace waves
}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace pellucid::kernels {

void weighted_waves(const WavesShape& shape, const void* x, const void* frequency, const void* phase,
                    const void* weight, const void* bias, void* y) {
  PELLUCID_FOR_ISA(isa(), waves::run)(shape, x, frequency, phase, weight, bias, y);
}

}  // namespace pellucid::kernels
#endif
