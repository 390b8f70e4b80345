// The machine's peak, measured between the samples of what is compared with it, since the machine may be shared.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <vector>

#include "base/thread_pool.h"
#include "hwy/highway.h"
#include "kernels/kernels.h"

namespace bench {

using Size = std::int64_t;

inline double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

#if defined(__x86_64__)
/// `rounds` times 16 fused multiply-adds of whole vectors in registers, each in a chain of its own; the operations
/// done.
__attribute__((target("avx2,fma"))) inline double multiply_add_avx2(Size rounds) {
  for (Size i = 0; i < rounds; ++i) {
#define PELLUCID_FMA(r) "vfmadd231ps %%ymm0, %%ymm0, %%ymm" #r "\n\t"
    asm volatile(PELLUCID_FMA(1) PELLUCID_FMA(2) PELLUCID_FMA(3) PELLUCID_FMA(4) PELLUCID_FMA(5) PELLUCID_FMA(6)
                     PELLUCID_FMA(7) PELLUCID_FMA(8) PELLUCID_FMA(9) PELLUCID_FMA(10) PELLUCID_FMA(11) PELLUCID_FMA(12)
                 :
                 :
                 : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
                   "xmm12");
#undef PELLUCID_FMA
  }
  return static_cast<double>(rounds) * 12 * 16;
}
__attribute__((target("avx512f"))) inline double multiply_add_avx512(Size rounds) {
  for (Size i = 0; i < rounds; ++i) {
#define PELLUCID_FMA(r) "vfmadd231ps %%zmm0, %%zmm0, %%zmm" #r "\n\t"
    asm volatile(PELLUCID_FMA(1) PELLUCID_FMA(2) PELLUCID_FMA(3) PELLUCID_FMA(4) PELLUCID_FMA(5) PELLUCID_FMA(6)
                     PELLUCID_FMA(7) PELLUCID_FMA(8) PELLUCID_FMA(9) PELLUCID_FMA(10) PELLUCID_FMA(11) PELLUCID_FMA(12)
                 :
                 :
                 : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
                   "xmm12");
#undef PELLUCID_FMA
  }
  return static_cast<double>(rounds) * 12 * 32;
}
inline double multiply_add(Size rounds) {
  return pellucid::kernels::isa() == pellucid::kernels::Isa::kAvx512 ? multiply_add_avx512(rounds)
                                                                     : multiply_add_avx2(rounds);
}
#else
inline double multiply_add(Size rounds) {
  const hwy::HWY_NAMESPACE::ScalableTag<float> d;
  auto x = hwy::HWY_NAMESPACE::Set(d, 1.0f);
  using V = decltype(x);
  V a[12] = {x, x, x, x, x, x, x, x, x, x, x, x};
  for (Size i = 0; i < rounds; ++i) {
    for (V& v : a) {
      v = hwy::HWY_NAMESPACE::MulAdd(x, x, v);
      asm volatile("" : "+w"(v.raw));
    }
  }
  return static_cast<double>(rounds) * 24 * static_cast<double>(hwy::HWY_NAMESPACE::Lanes(d));
}
#endif

/// Single-precision GFLOP/s of `threads` threads that do nothing but multiply and add in registers.
inline double multiply_add_peak(int threads) {
  constexpr Size kRounds = 3000;  // about 5 microseconds
  const double start = seconds();
  double operations = 0;
  if (threads == 1) {
    operations = multiply_add(kRounds);
  } else {
    pellucid::base::parallel_for(threads * 8, [](Size) { multiply_add(4 * kRounds); });
    operations = multiply_add(1) * static_cast<double>(threads * 8 * 4 * kRounds);
  }
  return operations / (seconds() - start) * 1e-9;
}

#if defined(__x86_64__)
#define PELLUCID_WIDE __attribute__((target("avx2")))
#else
#define PELLUCID_WIDE
#endif
using Wide = float __attribute__((vector_size(32), aligned(4), may_alias));

/// y = the sum of the operands, or where y is absent their sum over all elements; n is a multiple of 8.
PELLUCID_WIDE inline float plain_piece(const float* const* x, int reads, float* y, Size n) {
  Wide total = {};
  for (Size i = 0; i < n; i += 8) {
    Wide v = *reinterpret_cast<const Wide*>(x[0] + i);
    for (int r = 1; r < reads; ++r) v += *reinterpret_cast<const Wide*>(x[r] + i);
    if (y != nullptr) {
      *reinterpret_cast<Wide*>(y + i) = v;
    } else {
      total += v;
    }
  }
  return total[0] + total[1] + total[2] + total[3] + total[4] + total[5] + total[6] + total[7];
}

/// GB/s of the plainest loop that moves as much: reads `x`, arrays of n floats, and writes y where it is given.
inline double plain_loop(int threads, Size n, const std::vector<const float*>& x, float* y) {
  pellucid::set_threads(threads);
  constexpr Size kPiece = 65536;
  float totals[512] = {};
  const std::size_t readers = std::min<std::size_t>(x.size(), 3);  // more streams are no faster
  const double start = seconds();
  pellucid::base::parallel_for((n + kPiece - 1) / kPiece, [&](Size piece) {
    const float* from[3];
    for (std::size_t r = 0; r < readers; ++r) from[r] = x[r] + piece * kPiece;
    const Size count = std::min(kPiece, n - piece * kPiece);
    totals[piece] = plain_piece(from, static_cast<int>(readers), y == nullptr ? nullptr : y + piece * kPiece, count);
  });
  const double took = seconds() - start;
  asm volatile("" : : "r"(totals) : "memory");
  return static_cast<double>(n) * 4 * static_cast<double>(readers + (y != nullptr ? 1 : 0)) / took * 1e-9;
}

}  // namespace bench
