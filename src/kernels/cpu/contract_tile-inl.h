// The register tile of the contraction: R rows x NV vectors of outputs, one accumulator each, p ascending.
// Included once for each instruction set (Highway's toggle).
#if defined(PELLUCID_KERNELS_CPU_CONTRACT_TILE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef PELLUCID_KERNELS_CPU_CONTRACT_TILE_INL_H_
#undef PELLUCID_KERNELS_CPU_CONTRACT_TILE_INL_H_
#else
#define PELLUCID_KERNELS_CPU_CONTRACT_TILE_INL_H_
#endif

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "hwy/cache_control.h"
#include "hwy/highway.h"
#include "kernels/cpu/contract.h"
#include "kernels/cpu/contract_turn-inl.h"

HWY_BEFORE_NAMESPACE();
namespace pellucid::kernels {
namespace HWY_NAMESPACE {
namespace contract {
// ---- One vector -----------------------------------------------------------------------------------------------------

/// x * y + z: one rounding for floats, wrapping for integers.
template <class V>
HWY_INLINE V multiply_add(V x, V y, V z) {
  if constexpr (hwy::IsFloat<hn::TFromV<V>>()) {
    return hn::MulAdd(x, y, z);
  } else {
    return hn::Add(hn::Mul(x, y), z);
  }
}

/// max(x, 0) with the bits of the elementwise relu: NaN stays NaN, -0 gives 0.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V relu(D d, V x) {
  if constexpr (hwy::IsFloat<hn::TFromD<D>>()) {
    return hn::IfThenZeroElse(hn::Le(x, hn::Zero(d)), x);
  } else {
    return hn::IfThenElseZero(hn::Gt(x, hn::Zero(d)), x);
  }
}

/// Stores the first `n` lanes, 0 < n <= Lanes(d). AVX2's masked stores are microcoded on AMD (18 to 42 operations), so
/// there the vector is stored in halves, quarters and so on.
template <class D, class V = hn::Vec<D>>
HWY_INLINE void store_first(V v, D d, hn::TFromD<D>* HWY_RESTRICT to, Size n) {
  constexpr Size lanes = static_cast<Size>(hn::MaxLanes(D()));
  if constexpr (lanes == 1) {
    hn::StoreU(v, d, to);
  } else {
    if (n == lanes) {
      hn::StoreU(v, d, to);
      return;
    }
#if HWY_TARGET <= HWY_AVX3
    hn::BlendedStore(v, hn::FirstN(d, static_cast<std::size_t>(n)), d, to);
#else
    const hn::Half<D> half;
    if (n >= lanes / 2) {
      hn::StoreU(hn::LowerHalf(half, v), half, to);
      n -= lanes / 2;
      if (n == 0) return;
      if constexpr (lanes > 2) {
        store_first(hn::UpperHalf(half, v), half, to + lanes / 2, n);
      }
    } else {
      store_first(hn::LowerHalf(half, v), half, to, n);
    }
#endif
  }
}

// ---- The tile -------------------------------------------------------------------------------------------------------

/// A run of `count` tiles below or beside each other, each R rows high and NV vectors wide.
template <class T>
struct TileRun {
  const T* s = nullptr;  // the operand that is repeated along a row of outputs: s[i * s_row + p * s_k]
  Size s_row = 0, s_k = 0;
  Size s_tile = 0, v_tile = 0, c_tile = 0, bias_tile = 0;  // from one tile to the next
  const T* v = nullptr;                                    // the operand that is read in vectors: v[p * v_k + j]
  Size v_k = 0;
  // Where v is a copy that is not there yet: what the first tile reads in its place, and copies on the way. The same
  // for s, whose copies the other tiles make, each in its first column.
  const T* v_source = nullptr;  // v_source[p * v_source_k + j], or where it is turned v_source[j * v_source_k + p]
  Size v_source_k = 0;
  bool turns = false;
  const T* s_source = nullptr;  // s_source[p * s_source_k + i]
  Size s_source_k = 0;
  Size k = 0;
  T* c = nullptr;  // c[i * c_row + j]
  Size c_row = 0;
  Size count = 0;
  Size guarded = 0;  // the last steps, in which whole vectors would reach beyond v
  Size last = 0;     // lanes of the last vector that exist
  bool add = false;  // c + accumulator, the sum of the chunks before
  bool relu = false;
  const T* bias = nullptr;  // the first column's
};

/// What a tile copies on its way, since it is the first to read it: the operand that is read in vectors, or its rows of
/// the other one. kTurned: the former, which lies along k and is transposed on its way.
enum class Keep { kNone, kV, kS, kTurned };
/// Only float32 does: for the others the library would be larger by more than they gain.
template <class T>
inline constexpr bool kMayKeep = std::is_same_v<T, float>;
/// Transposing beside the tile's sums takes the registers of AVX-512.
template <class T>
inline constexpr bool kMayTurn = kMayKeep<T> && (kLanesOf<T> * sizeof(T) == 64);
inline constexpr Size kLeastTurnRows = 10;
/// Steps ahead of that reading that lines are fetched into L1.
inline constexpr Size kKeepAhead = 8;
/// The same into L2, where the steps of v are spread over more bytes than this: of its lines that were fetched long
/// before few are in L2 then, and the others come from L3 or memory.
inline constexpr Size kKeepFarAhead = 64, kKeepFarBytes = 1 << 20;

/// One step of p. Rows are addressed in threes from one pointer (base, base + row, base + 2 row), which x86 addresses
/// without arithmetic, whatever the layout of the operand. What is kept goes to `keep` too.
template <class T, int R, int NV, bool kMasked, Keep kKeep = Keep::kNone, class V, class M>
HWY_INLINE void tile_step(V (&acc)[R][NV], const T* const (&s)[(R + 2) / 3], Size s_row, Size s_row2, const T* v,
                          M mask, T* keep = nullptr) {
  const hn::ScalableTag<T> d;
  V right[NV];
  HWY_UNROLL(8)
  for (int j = 0; j < NV; ++j) {
    if constexpr (kMasked) {
      right[j] = j + 1 < NV ? hn::LoadU(d, v + j * kLanesOf<T>) : hn::MaskedLoad(mask, d, v + j * kLanesOf<T>);
    } else {
      right[j] = hn::LoadU(d, v + j * kLanesOf<T>);
    }
    if constexpr (kKeep == Keep::kV) hn::StoreU(right[j], d, keep + j * kLanesOf<T>);
  }
  if constexpr (kKeep == Keep::kS) {
    HWY_UNROLL(8)
    for (int i = 0; i < R; i += kLanesOf<T>) {
      constexpr int lanes = kLanesOf<T>;
      const V row = i + lanes <= R ? hn::LoadU(d, s[0] + i) : hn::MaskedLoad(hn::FirstN(d, R % lanes), d, s[0] + i);
      hn::StoreU(row, d, keep + i);
    }
  }
  (void)mask;
  (void)keep;
  HWY_UNROLL(12)
  for (int i = 0; i < R; ++i) {
    const V left = hn::Set(d, s[i / 3][i % 3 == 0 ? 0 : i % 3 == 1 ? s_row : s_row2]);
    HWY_UNROLL(8)
    for (int j = 0; j < NV; ++j) acc[i][j] = multiply_add(left, right[j], acc[i][j]);
  }
}

template <class T, int R, int NV, bool kMasked, Keep kKeep = Keep::kNone>
void run_tiles(const TileRun<T>& t) {
  const hn::ScalableTag<T> d;
  using V = hn::Vec<decltype(d)>;
  constexpr Size lanes = kLanesOf<T>;
  constexpr int kBases = (R + 2) / 3;
  const auto mask = hn::FirstN(d, static_cast<std::size_t>(t.last));
  const Size s_row = kKeep == Keep::kS ? 1 : t.s_row, s_row2 = 2 * s_row;
  const Size s_k = kKeep == Keep::kS ? t.s_source_k : t.s_k, s_to_next = kKeep == Keep::kS ? R : t.s_tile;
  const Size v_k = kKeep == Keep::kV ? t.v_source_k : t.v_k, v_to_next = kKeep == Keep::kV ? NV * lanes : t.v_tile;
  const Size c_row = t.c_row;
  const T* s_tile = kKeep == Keep::kS ? t.s_source : t.s;
  const T* v_tile = kKeep == Keep::kV ? t.v_source : t.v;
  T* c = t.c;
  for (Size tile = 0; tile < t.count; ++tile) {
    V acc[R][NV];
    HWY_UNROLL(12)
    for (int i = 0; i < R; ++i) {
      HWY_UNROLL(8)
      for (int j = 0; j < NV; ++j) acc[i][j] = hn::Zero(d);
    }
    // The outputs are written 60 to 1000 steps later, most often into lines that are not in L1.
    HWY_UNROLL(12)
    for (int i = 0; i < R; ++i) hwy::Prefetch(c + i * c_row);

    const T* s[kBases];
    HWY_UNROLL(4)
    for (int i = 0; i < kBases; ++i) s[i] = s_tile + 3 * i * s_row;
    const T* v = v_tile;
    [[maybe_unused]] const T* far = nullptr;
    T* keep = nullptr;
    if constexpr (kKeep == Keep::kV) keep = const_cast<T*>(t.v) + tile * t.v_tile;
    if constexpr (kKeep == Keep::kS) keep = const_cast<T*>(t.s) + tile * t.s_tile;
    const Size keep_k = kKeep == Keep::kV ? NV * lanes : t.s_k;
    const auto step = [&](auto masked) HWY_ATTR __attribute__((always_inline)) {
      if constexpr (kKeep == Keep::kS) {  // a tile's rows lie in one line or two
        hwy::Prefetch(s[0] + kKeepAhead * s_k);
        hwy::Prefetch(s[0] + kKeepAhead * s_k + (R - 1));
      }
      if constexpr (kKeep == Keep::kV) {
        HWY_UNROLL(8)
        for (int j = 0; j < NV; ++j) {
          hwy::Prefetch(v + kKeepAhead * v_k + j * lanes);
          __builtin_prefetch(far + j * lanes, 0, 2);
        }
        far += v_k;
      }
      tile_step<T, R, NV, decltype(masked)::value, kKeep>(acc, s, s_row, s_row2, v, mask, keep);
      if constexpr (kKeep == Keep::kV || kKeep == Keep::kS) keep += keep_k;
      HWY_UNROLL(4)
      for (int i = 0; i < kBases; ++i) s[i] += s_k;
      v += v_k;
    };
    const auto steps = [&](Size count) HWY_ATTR __attribute__((always_inline)) {
      for (Size pairs = count / 2; pairs > 0; --pairs) {
        step(std::false_type());
        step(std::false_type());
      }
      if (count % 2 != 0) step(std::false_type());
    };
    const Size whole = kMasked ? t.k - t.guarded : t.k;
    if constexpr (kKeep == Keep::kTurned) {
      // What is turned is read four steps later, so that multiply-adds need not wait for it.
      static_assert(NV == 2);
      constexpr Size width = NV * lanes;
      const T* from = t.v_source + tile * width * t.v_source_k;
      const Size column = t.v_source_k, beside = lanes * column;
      T* to = const_cast<T*>(v);
      Turn<T> turn;
      const auto block = [&](bool multiplies, bool turns) HWY_ATTR __attribute__((always_inline)) {
        if (turns) turn.first(from, column);
        if (multiplies) step(std::false_type());
        if (turns) turn.second(from, column, to, width);
        if (multiplies) step(std::false_type());
        if (turns) turn.first(from + beside, column);
        if (multiplies) step(std::false_type());
        if (turns) turn.second(from + beside, column, to + lanes, width);
        if (multiplies) step(std::false_type());
        from += kTurned<T>;
        to += kTurned<T> * width;
      };
      block(false, true);
      for (Size p = kTurned<T>; p <= whole; p += kTurned<T>) block(true, p < whole);
    } else if constexpr (kKeep == Keep::kV) {
      const bool spread = whole * v_k * static_cast<Size>(sizeof(T)) > kKeepFarBytes;
      for (Size left = whole; left > 0;) {
        // The last steps fetch the first ones of the next panel.
        const bool more = spread && left > kKeepFarAhead;
        const Size now = more ? left - kKeepFarAhead : left;
        far = more ? v + kKeepFarAhead * v_k : spread ? v_tile + v_to_next : v;
        steps(now);
        left -= now;
      }
    } else {
      steps(whole);
    }
    if constexpr (kMasked) {
      for (Size p = whole; p < t.k; ++p) step(std::true_type());
    }

    const bool plain = !t.add && t.bias == nullptr && !t.relu;
    if (HWY_UNLIKELY(!plain)) {
      HWY_UNROLL(8)
      for (int j = 0; j < NV; ++j) {
        const bool edge = kMasked && j + 1 == NV;
        if (t.add) {
          HWY_UNROLL(12)
          for (int i = 0; i < R; ++i) {
            const T* at = c + i * c_row + j * lanes;
            acc[i][j] = hn::Add(edge ? hn::MaskedLoad(mask, d, at) : hn::LoadU(d, at), acc[i][j]);
          }
        }
        if (t.bias != nullptr) {
          const T* at = t.bias + tile * t.bias_tile + j * lanes;
          const V bias = edge ? hn::MaskedLoad(mask, d, at) : hn::LoadU(d, at);
          HWY_UNROLL(12)
          for (int i = 0; i < R; ++i) acc[i][j] = hn::Add(acc[i][j], bias);
        }
        if (t.relu) {
          HWY_UNROLL(12)
          for (int i = 0; i < R; ++i) acc[i][j] = relu(d, acc[i][j]);
        }
      }
    }
    HWY_UNROLL(12)
    for (int i = 0; i < R; ++i) {
      HWY_UNROLL(8)
      for (int j = 0; j < NV; ++j) {
        if (kMasked && j + 1 == NV) {
          store_first(acc[i][j], d, c + i * c_row + j * lanes, t.last);
        } else {
          hn::StoreU(acc[i][j], d, c + i * c_row + j * lanes);
        }
      }
    }
    s_tile += s_to_next;
    v_tile += v_to_next;
    c += t.c_tile;
  }
}

// ---- Which tiles there are ------------------------------------------------------------------------------------------
//
// Two fused multiply-adds start each cycle and take four, so 8 accumulators are the least that keeps both ports busy.
// With 2 vectors, AVX2's 16 registers hold 6 rows (12 accumulators, 2 vectors, 1 broadcast) and AVX-512's 32 hold 12.
// A step of 6 x 2 then needs 8 loads for its 6 cycles of multiply-adds; two can start each cycle.

template <class T>
using TileFunction = void (*)(const TileRun<T>&);

/// Rows of a tile of 2 vectors. Integers have no peak to reach, and small tiles keep the library small.
template <class T>
inline constexpr int kTileRows = hwy::IsFloat<T>() ? (kLanesOf<T> * sizeof(T) == 64 ? 12 : 6) : 4;
/// Rows of a tile of 1 vector, where there is only one.
template <class T>
inline constexpr int kTileRows1 = hwy::IsFloat<T>() ? 12 : 4;

template <class T, int NV, bool kMasked, std::size_t... I>
constexpr auto tile_list(std::index_sequence<I...>) {
  return std::array<TileFunction<T>, sizeof...(I)>{&run_tiles<T, static_cast<int>(I) + 1, NV, kMasked>...};
}
template <class T, int NV, bool kMasked, int kRows>
inline constexpr auto kTiles = tile_list<T, NV, kMasked>(std::make_index_sequence<kRows>());

/// Tiles of 2 whole vectors that copy an operand on their way.
template <class T, Keep kKeep, std::size_t... I>
constexpr auto keeping_list(std::index_sequence<I...>) {
  return std::array<TileFunction<T>, sizeof...(I)>{&run_tiles<T, static_cast<int>(I) + 1, 2, false, kKeep>...};
}
template <class T, Keep kKeep>
HWY_INLINE TileFunction<T> keeping_tile(Size rows) {
  static constexpr auto list = keeping_list<T, kKeep>(std::make_index_sequence<kTileRows<T>>());
  return list[static_cast<std::size_t>(rows - 1)];
}

template <class T, std::size_t... I>
constexpr auto turning_list(std::index_sequence<I...>) {
  return std::array<TileFunction<T>, sizeof...(I)>{
      &run_tiles<T, static_cast<int>(I) + kLeastTurnRows, 2, false, Keep::kTurned>...};
}
/// The tile that copies v as it is the first to read it.
template <class T>
HWY_INLINE TileFunction<T> keeping_v(const TileRun<T>& t, Size rows) {
  if constexpr (kMayTurn<T>) {
    static constexpr auto list = turning_list<T>(std::make_index_sequence<kTileRows<T> - kLeastTurnRows + 1>());
    if (t.turns && rows >= kLeastTurnRows) return list[static_cast<std::size_t>(rows - kLeastTurnRows)];
  }
  return keeping_tile<T, Keep::kV>(rows);
}

/// The widest tile for `rows` rows that is at most `vectors` wide.
template <class T>
HWY_INLINE int tile_vectors(Size rows, Size vectors) {
  if constexpr (hwy::IsFloat<T>()) {
    if (rows == 1 && vectors >= 8) return 8;
    if (rows <= 3 && vectors >= 4) return 4;
  }
  return vectors >= 2 ? 2 : 1;
}

template <class T, bool kMasked>
HWY_INLINE TileFunction<T> tile_function(Size rows, int vectors) {
  const auto i = static_cast<std::size_t>(rows - 1);
  if constexpr (hwy::IsFloat<T>()) {
    if (vectors == 8) return &run_tiles<T, 1, 8, kMasked>;
    if (vectors == 4) return kTiles<T, 4, kMasked, 3>[i];
  }
  return vectors == 2 ? kTiles<T, 2, kMasked, kTileRows<T>>[i] : kTiles<T, 1, kMasked, kTileRows1<T>>[i];
}

/// How `rows` rows are cut into tiles of at most `most` rows: evenly, so that no tile is so low that latency shows.
struct RowCut {
  Size high = 0, high_count = 0;  // the first ones
  Size low = 0, low_count = 0;    // the others, one row less
  static RowCut of(Size rows, Size most) {
    const Size tiles = (rows + most - 1) / most;
    if (tiles == 0) return {};
    const Size low = rows / tiles;
    return {low + 1, rows % tiles, low, tiles - rows % tiles};
  }
  /// The first tile alone.
  RowCut first() const {
    return high_count > 0 ? RowCut{high, 1, low, 0} : RowCut{high, 0, low, low_count > 0 ? 1 : 0};
  }
};

/// The kernel of a tile of `rows` x `vectors`, the last of which has `last` lanes.
template <class T>
HWY_INLINE TileFunction<T> tile_function(Size rows, int vectors, Size last) {
  return last == kLanesOf<T> ? tile_function<T, false>(rows, vectors) : tile_function<T, true>(rows, vectors);
}

/// Runs the tiles of a column, `vectors` wide; `packed` is the step between packed tiles of s, 0 where s is not packed.
template <class T>
HWY_INLINE void run_tile_column(TileRun<T>& t, const RowCut& cut, int vectors, Size packed) {
  const T* s = t.s;
  const T* s_source = t.s_source;
  T* c = t.c;
  const auto run = [&](Size rows, Size count, TileFunction<T> function) HWY_ATTR {
    t.count = count;
    t.s_tile = packed != 0 ? packed : rows * t.s_row;
    t.c_tile = rows * t.c_row;
    function(t);
    t.s += count * t.s_tile;
    t.c += count * t.c_tile;
    if (t.s_source != nullptr) t.s_source += count * rows;
  };
  const auto later = [&](Size rows) HWY_ATTR {
    if constexpr (kMayKeep<T>) {
      if (t.s_source != nullptr) return keeping_tile<T, Keep::kS>(rows);
    }
    return tile_function<T>(rows, vectors, t.last);
  };
  Size high = cut.high_count, low = cut.low_count;
  if constexpr (kMayKeep<T>) {
    if (t.v_source != nullptr || t.s_source != nullptr) {
      const Size rows = high > 0 ? cut.high : cut.low;
      run(rows, 1, t.v_source != nullptr ? keeping_v(t, rows) : tile_function<T>(rows, vectors, t.last));
      --(high > 0 ? high : low);
    }
  }
  if (high > 0) run(cut.high, high, later(cut.high));
  if (low > 0) run(cut.low, low, later(cut.low));
  t.s = s;
  t.s_source = s_source;
  t.c = c;
}

}  // namespace contract
}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
HWY_AFTER_NAMESPACE();

#endif  // PELLUCID_KERNELS_CPU_CONTRACT_TILE_INL_H_
