// Tiles of products of pairs of bfloat16 that lie anywhere, two vectors wide. Included once for each instruction set
// (Highway's toggle), where PELLUCID_BF16_DOT is defined.
#if defined(PELLUCID_KERNELS_CPU_CONTRACT_BF16_PAIRS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef PELLUCID_KERNELS_CPU_CONTRACT_BF16_PAIRS_INL_H_
#undef PELLUCID_KERNELS_CPU_CONTRACT_BF16_PAIRS_INL_H_
#else
#define PELLUCID_KERNELS_CPU_CONTRACT_BF16_PAIRS_INL_H_
#endif

#include <array>
#include <cstddef>
#include <utility>

#include "hwy/cache_control.h"
#include "hwy/highway.h"
#include "kernels/cpu/contract_bf16_pack-inl.h"

PELLUCID_BF16_BEFORE
namespace pellucid::kernels {
namespace HWY_NAMESPACE {
namespace PELLUCID_BF16_ROOM {

/// `count` tiles below or beside each other, R rows high and two vectors wide: c[i * c_row + j] = the sum over p < k of
/// the dot products of the pairs s[i * s_row + p * s_k] and v[p * v_k + j], after c itself where `add` is true.
struct PairRun {
  const Pair* s = nullptr;
  Size s_row = 0, s_k = 0;
  Size s_tile = 0, v_tile = 0, c_tile = 0;  // from one tile to the next
  const Pair* v = nullptr;
  Size v_k = 0;
  Size k = 0;
  float* c = nullptr;
  Size c_row = 0;
  Size count = 0;
  Size last = 0;
  bool add = false;
};

template <int R>
void run_pairs(const PairRun& t) {
  const FloatTag d;
  constexpr int kBases = (R + 2) / 3;
  const Size s_row = t.s_row, s_row2 = 2 * t.s_row;
  const Pair* s_tile = t.s;
  const Pair* v_tile = t.v;
  float* c = t.c;
  for (Size tile = 0; tile < t.count; ++tile, s_tile += t.s_tile, v_tile += t.v_tile, c += t.c_tile) {
    hn::Vec<FloatTag> acc[R][2];
    HWY_UNROLL(12)
    for (int i = 0; i < R; ++i) {
      acc[i][0] = hn::Zero(d);
      acc[i][1] = hn::Zero(d);
      hwy::Prefetch(c + i * t.c_row);
    }
    const Pair* s[kBases];
    HWY_UNROLL(4)
    for (int i = 0; i < kBases; ++i) s[i] = s_tile + 3 * i * s_row;
    const Pair* v = v_tile;
    for (Size p = t.k; p > 0; --p, v += t.v_k) {
      const auto first = (__m512bh)_mm512_loadu_si512(v), second = (__m512bh)_mm512_loadu_si512(v + kLanes);
      HWY_UNROLL(12)
      for (int i = 0; i < R; ++i) {
        const Pair* at = s[i / 3] + (i % 3 == 0 ? 0 : i % 3 == 1 ? s_row : s_row2);
        const auto left = (__m512bh)_mm512_set1_epi32(static_cast<int>(*at));
        acc[i][0].raw = _mm512_dpbf16_ps(acc[i][0].raw, left, first);
        acc[i][1].raw = _mm512_dpbf16_ps(acc[i][1].raw, left, second);
      }
      HWY_UNROLL(4)
      for (int i = 0; i < kBases; ++i) s[i] += t.s_k;
    }
    HWY_UNROLL(12)
    for (int i = 0; i < R; ++i) {
      HWY_UNROLL(2)
      for (int j = 0; j < 2; ++j) {
        float* to = c + i * t.c_row + j * kLanes;
        hn::StoreU(t.add ? hn::Add(hn::LoadU(d, to), acc[i][j]) : acc[i][j], d, to);
      }
    }
  }
}

template <std::size_t... I>
constexpr auto pair_list(std::index_sequence<I...>) {
  return std::array<void (*)(const PairRun&), sizeof...(I)>{&run_pairs<2 * static_cast<int>(I) + 2>...};
}
/// Of even heights alone, which keeps the library small.
inline constexpr auto kPairTiles = pair_list(std::make_index_sequence<contract::kTileRows<float> / 2>());

}  // namespace PELLUCID_BF16_ROOM
}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
HWY_POP_ATTRIBUTES

#endif  // PELLUCID_KERNELS_CPU_CONTRACT_BF16_PAIRS_INL_H_
