// The register tile of the convolution: R positions x NV vectors of channels, one accumulator each, k ascending; rows
// lie anywhere in the source. Included once for each instruction set (Highway's toggle).
#if defined(PELLUCID_KERNELS_CPU_CONVOLVE_TILE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef PELLUCID_KERNELS_CPU_CONVOLVE_TILE_INL_H_
#undef PELLUCID_KERNELS_CPU_CONVOLVE_TILE_INL_H_
#else
#define PELLUCID_KERNELS_CPU_CONVOLVE_TILE_INL_H_
#endif

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "hwy/cache_control.h"
#include "hwy/highway.h"
#include "kernels/cpu/contract_tile-inl.h"
#include "kernels/cpu/convolve.h"

HWY_BEFORE_NAMESPACE();
namespace pellucid::kernels {
namespace HWY_NAMESPACE {
namespace convolve {
namespace hn = hwy::HWY_NAMESPACE;
using contract::kLanesOf;
using contract::kTileRows;
using contract::kTileRows1;
using contract::RowCut;
using contract::Size;

/// Tiles that write zeros beside their results: only those of float32, as for kMayKeep.
template <class T>
inline constexpr bool kMayZero = std::is_same_v<T, float>;

/// R rows through `panels` panels of NV vectors each.
template <class T>
struct GridTile {
  const T* const* rows = nullptr;  // of the source, at offset 0
  T* const* out = nullptr;         // of the result, the first panel's first column
  const Segment* segments = nullptr;
  Size segment_count = 0;
  const T* v = nullptr;  // v[p * NV * lanes + j], p counting through the segments
  Size v_panel = 0;      // from one panel to the next
  Size panels = 0;
  Size last = 0;     // lanes of the last vector of the last panel
  bool add = false;  // out + accumulator, the sum of the chunks before
  bool relu = false;
  const T* bias = nullptr;  // the first column's
  // Zeros beside each result, whole vectors: `zeros` of them between segments, since loads wait for stores under way
  // whose addresses end like theirs.
  const Size* cell = nullptr;  // from a result to each pixel of zeros
  Size cell_size = 0, zeros = 0;
};

template <class T, int R, int NV>
void run_grid_tile(const GridTile<T>& t) {
  const hn::ScalableTag<T> d;
  using V = hn::Vec<decltype(d)>;
  constexpr Size lanes = kLanesOf<T>;
  const T* s[R];
  HWY_UNROLL(12)
  for (int i = 0; i < R; ++i) s[i] = t.rows[i];
  const T* v_panel = t.v;
  const Segment* const segments_end = t.segments + t.segment_count;
  for (Size panel = 0, column = 0; panel < t.panels; ++panel, column += NV * lanes) {
    V acc[R][NV];
    HWY_UNROLL(12)
    for (int i = 0; i < R; ++i) {
      HWY_UNROLL(4)
      for (int j = 0; j < NV; ++j) acc[i][j] = hn::Zero(d);
    }
    HWY_UNROLL(12)
    for (int i = 0; i < R; ++i) hwy::Prefetch(t.out[i] + column);
    const T* v = v_panel;
    Size zero_row = 0, zero_pixel = 0;
    for (const Segment* segment = t.segments; segment != segments_end; ++segment) {
      for (Size n = kMayZero<T> ? t.zeros : 0; n > 0 && zero_row < R; --n) {
        HWY_UNROLL(4)
        for (int j = 0; j < NV; ++j)
          hn::StoreU(hn::Zero(d), d, t.out[zero_row] + column + t.cell[zero_pixel] + j * lanes);
        if (++zero_pixel == t.cell_size) zero_pixel = 0, ++zero_row;
      }
      Size p = segment->offset;
      const Size end = p + segment->length;
      const auto step = [&]() HWY_ATTR {
        V right[NV];
        HWY_UNROLL(4)
        for (int j = 0; j < NV; ++j) right[j] = hn::LoadU(d, v + j * lanes);
        HWY_UNROLL(12)
        for (int i = 0; i < R; ++i) {
          const V left = hn::Set(d, s[i][p]);
          HWY_UNROLL(4)
          for (int j = 0; j < NV; ++j) acc[i][j] = hn::MulAdd(left, right[j], acc[i][j]);
        }
        v += NV * lanes;
        ++p;
      };
      while (p + 1 < end) {
        step();
        step();
      }
      if (p < end) step();
    }
    v_panel += t.v_panel;

    const Size last = panel + 1 == t.panels ? t.last : lanes;
    const auto mask = hn::FirstN(d, static_cast<std::size_t>(last));
    if (HWY_UNLIKELY(t.add || t.relu || t.bias != nullptr)) {
      HWY_UNROLL(4)
      for (int j = 0; j < NV; ++j) {
        const bool edge = j + 1 == NV && last < lanes;
        const auto load = [&](const T* at) HWY_ATTR { return edge ? hn::MaskedLoad(mask, d, at) : hn::LoadU(d, at); };
        if (t.add) {
          HWY_UNROLL(12)
          for (int i = 0; i < R; ++i) acc[i][j] = hn::Add(load(t.out[i] + column + j * lanes), acc[i][j]);
        }
        if (t.bias != nullptr) {
          const V bias = load(t.bias + column + j * lanes);
          HWY_UNROLL(12)
          for (int i = 0; i < R; ++i) acc[i][j] = hn::Add(acc[i][j], bias);
        }
        if (t.relu) {
          HWY_UNROLL(12)
          for (int i = 0; i < R; ++i) acc[i][j] = contract::relu(d, acc[i][j]);
        }
      }
    }
    HWY_UNROLL(12)
    for (int i = 0; i < R; ++i) {
      HWY_UNROLL(4)
      for (int j = 0; j + 1 < NV; ++j) hn::StoreU(acc[i][j], d, t.out[i] + column + j * lanes);
      T* at = t.out[i] + column + (NV - 1) * lanes;
      if (HWY_LIKELY(last == lanes)) {
        hn::StoreU(acc[i][NV - 1], d, at);
      } else {
        contract::store_first(acc[i][NV - 1], d, at, last);
      }
    }
  }
}

template <class T>
using GridTileFunction = void (*)(const GridTile<T>&);

template <class T, int NV, std::size_t... I>
constexpr auto grid_tile_list(std::index_sequence<I...>) {
  return std::array<GridTileFunction<T>, sizeof...(I)>{&run_grid_tile<T, static_cast<int>(I) + 1, NV>...};
}
template <class T, int NV, int kRows>
inline constexpr auto kGridTiles = grid_tile_list<T, NV>(std::make_index_sequence<kRows>());

/// The kernel of a tile of `rows` positions, one or two vectors wide.
template <class T>
HWY_INLINE GridTileFunction<T> grid_tile(Size rows, int vectors) {
  const auto i = static_cast<std::size_t>(rows - 1);
  return vectors == 2 ? kGridTiles<T, 2, kTileRows<T>>[i] : kGridTiles<T, 1, kTileRows1<T>>[i];
}

// ---- One vector of channels -----------------------------------------------------------------------------------------
//
// 12 rows need 12 addresses, more than there are registers; but the positions of a line are evenly spaced, and then
// four pointers and two strides do (contract_tile-inl.h).

/// R positions of a line, one vector of channels.
template <class T>
struct LineTile {
  const T* s = nullptr;  // the first position's, at offset 0
  Size s_row = 0;
  T* out = nullptr;
  Size out_row = 0;
  const Segment* segments = nullptr;
  Size segment_count = 0;
  const T* v = nullptr;
  Size last = 0;  // lanes that exist
  bool add = false, relu = false;
  const T* bias = nullptr;
};

template <class T, int R>
void run_line_tile(const LineTile<T>& t) {
  const hn::ScalableTag<T> d;
  using V = hn::Vec<decltype(d)>;
  constexpr int kBases = (R + 2) / 3;
  V acc[R][1];
  HWY_UNROLL(12)
  for (int i = 0; i < R; ++i) acc[i][0] = hn::Zero(d);
  const Size s_row = t.s_row, s_row2 = 2 * t.s_row;
  const auto mask = hn::FirstN(d, static_cast<std::size_t>(t.last));
  const T* v = t.v;
  const Segment* const segments_end = t.segments + t.segment_count;
  for (const Segment* segment = t.segments; segment != segments_end; ++segment) {
    const T* s[kBases];
    HWY_UNROLL(4)
    for (int i = 0; i < kBases; ++i) s[i] = t.s + segment->offset + 3 * i * s_row;
    const T* const end = v + segment->length * kLanesOf<T>;
    while (v != end) {
      contract::tile_step<T, R, 1, false>(acc, s, s_row, s_row2, v, mask);
      HWY_UNROLL(4)
      for (int i = 0; i < kBases; ++i) ++s[i];
      v += kLanesOf<T>;
    }
  }
  const V bias = t.bias == nullptr ? hn::Zero(d) : hn::MaskedLoad(mask, d, t.bias);
  HWY_UNROLL(12)
  for (int i = 0; i < R; ++i) {
    T* at = t.out + i * t.out_row;
    if (t.add) acc[i][0] = hn::Add(hn::MaskedLoad(mask, d, at), acc[i][0]);
    if (t.bias != nullptr) acc[i][0] = hn::Add(acc[i][0], bias);
    if (t.relu) acc[i][0] = contract::relu(d, acc[i][0]);
    contract::store_first(acc[i][0], d, at, t.last);
  }
}

template <class T, std::size_t... I>
constexpr auto line_tile_list(std::index_sequence<I...>) {
  return std::array<void (*)(const LineTile<T>&), sizeof...(I)>{&run_line_tile<T, static_cast<int>(I) + 1>...};
}
template <class T>
inline constexpr auto kLineTiles = line_tile_list<T>(std::make_index_sequence<kTileRows1<T>>());

}  // namespace convolve
}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
HWY_AFTER_NAMESPACE();

#endif  // PELLUCID_KERNELS_CPU_CONVOLVE_TILE_INL_H_
