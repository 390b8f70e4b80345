// Tiles of pairs of bfloat16 in registers. Included once for each instruction set (Highway's toggle), in the namespace
// that contract_bf16_pack-inl.h chooses.
#if defined(PELLUCID_KERNELS_CPU_CONTRACT_BF16_TILE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef PELLUCID_KERNELS_CPU_CONTRACT_BF16_TILE_INL_H_
#undef PELLUCID_KERNELS_CPU_CONTRACT_BF16_TILE_INL_H_
#else
#define PELLUCID_KERNELS_CPU_CONTRACT_BF16_TILE_INL_H_
#endif

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "hwy/highway.h"
#include "kernels/cpu/contract_bf16_pack-inl.h"
#include "kernels/cpu/contract_run-inl.h"
#include "kernels/fetch.h"

PELLUCID_BF16_BEFORE
namespace pellucid::kernels {
namespace HWY_NAMESPACE {
namespace PELLUCID_BF16_ROOM {
using contract::least;

using Float = hn::Vec<FloatTag>;

// ---- A step ---------------------------------------------------------------------------------------------------------

#if defined(PELLUCID_BF16_DOT)
/// acc[i][j] += the dot product of the pairs s[i] and v[j].
struct Step {
  template <int R, int NV>
  static HWY_INLINE void add(Float (&acc)[R][NV], const Pair* s, const Pair* v) {
    __m512i right[NV];
    HWY_UNROLL(4)
    for (int j = 0; j < NV; ++j) right[j] = _mm512_loadu_si512(v + j * kLanes);
    HWY_UNROLL(12)
    for (int i = 0; i < R; ++i) {
      const __m512i left = _mm512_set1_epi32(static_cast<int>(s[i]));
      HWY_UNROLL(4)
      for (int j = 0; j < NV; ++j) acc[i][j].raw = _mm512_dpbf16_ps(acc[i][j].raw, (__m512bh)left, (__m512bh)right[j]);
    }
  }
};
#elif !defined(PELLUCID_BF16_AMX)
/// The same as two fused multiply-adds, the odd one first: all but this step is as the instruction has it.
struct Step {
  static HWY_INLINE Float odd(Pairs x) { return hn::BitCast(FloatTag(), hn::ShiftLeft<16>(hn::ShiftRight<16>(x))); }
  static HWY_INLINE Float even(Pairs x) { return hn::BitCast(FloatTag(), hn::ShiftLeft<16>(x)); }
  template <int R, int NV>
  static HWY_INLINE void add(Float (&acc)[R][NV], const Pair* s, const Pair* v) {
    const PairTag du;
    Float right[NV];
    HWY_UNROLL(4)
    for (int j = 0; j < NV; ++j) right[j] = odd(hn::LoadU(du, v + j * kLanes));
    HWY_UNROLL(12)
    for (int i = 0; i < R; ++i) {
      const Float left = odd(hn::Set(du, s[i]));
      HWY_UNROLL(4)
      for (int j = 0; j < NV; ++j) acc[i][j] = hn::MulAdd(left, right[j], acc[i][j]);
    }
    HWY_UNROLL(4)
    for (int j = 0; j < NV; ++j) right[j] = even(hn::LoadU(du, v + j * kLanes));
    HWY_UNROLL(12)
    for (int i = 0; i < R; ++i) {
      const Float left = even(hn::Set(du, s[i]));
      HWY_UNROLL(4)
      for (int j = 0; j < NV; ++j) acc[i][j] = hn::MulAdd(left, right[j], acc[i][j]);
    }
  }
};
#endif

// ---- Tiles ----------------------------------------------------------------------------------------------------------

inline constexpr Size kLineBytes = FetchQueue::kLine;

/// Lines that are fetched into L2 beside the multiplications, row after row: what is packed next lies there, so that
/// packing does not wait for memory while the multipliers wait for it.
class Ahead {
 public:
  Ahead() = default;
  /// `rows` rows of `lines` lines, `row` bytes apart.
  Ahead(const std::byte* at, Size row, Size rows, Size lines)
      : at_(at), skip_(row - lines * kLineBytes), lines_(lines), line_(lines), left_(rows * lines) {}
  /// So many steps of multiplications are there to hide them.
  void spread(Size steps) { gap_ = left_ > 0 ? steps * kTogetherLines / left_ : 0; }
  bool done() const { return left_ <= 0; }
  /// Fetches the next ones, and returns after how many steps the ones behind them are due, `steps` at most.
  HWY_INLINE Size fetch(Size steps) {
    if (left_ <= 0) return steps;
    for (Size i = 0; i < kTogetherLines; ++i) {
      __builtin_prefetch(at_, 0, 2);
      at_ += kLineBytes;
      if (--line_ > 0) continue;
      at_ += skip_;
      line_ = lines_;
    }
    left_ -= kTogetherLines;
    return least(steps, gap_ > 1 ? gap_ : 1);
  }

 private:
  static constexpr Size kTogetherLines = 4;
  const std::byte* at_ = nullptr;
  Size skip_ = 0, lines_ = 0, line_ = 0, left_ = 0, gap_ = 0;
};

/// A tile of rows through `panels` panels, NV vectors wide each.
struct Tile {
  const Pair* s = nullptr;
  const Pair* v = nullptr;
  Size pairs = 0;
  Size panels = 0;
  Size rows = 0;  // that exist
  Size last = 0;  // lanes of the last vector of the last panel that exist
  float* c = nullptr;
  Size c_row = 0;
  bool add = false;  // c + accumulator, the sum of the chunks before
  bool relu = false;
  const float* bias = nullptr;
  Ahead ahead;
  FetchQueue* queue = nullptr;  // what is fetched when that is done
};

/// Sums of one panel, `width` columns from `column` on and rows `pitch` apart, on their way into c.
HWY_NOINLINE void finish_panel(const Tile& t, const float* sums, Size pitch, Size column, Size width) {
  const FloatTag d;
  for (Size j = 0; j < width; j += kLanes) {
    const Size count = least(kLanes, width - j);
    const auto mask = hn::FirstN(d, static_cast<std::size_t>(count));
    const Float bias = t.bias != nullptr ? hn::MaskedLoad(mask, d, t.bias + column + j) : hn::Zero(d);
    for (Size i = 0; i < t.rows; ++i) {
      float* to = t.c + i * t.c_row + column + j;
      Float sum = hn::Load(d, sums + i * pitch + j);
      if (t.add) sum = hn::Add(hn::MaskedLoad(mask, d, to), sum);
      if (t.bias != nullptr) sum = hn::Add(sum, bias);
      if (t.relu) sum = contract::relu(d, sum);
      contract::store_first(sum, d, to, count);
    }
  }
}

#ifdef PELLUCID_BF16_AMX

/// Rows of a tile, and pairs of steps that come together.
inline constexpr Size kHigh = kAmxRows, kTogether = kAmxPairs;
/// All panels are two vectors wide.
inline constexpr bool kWhole = true;

/// Sums of one panel out of tiles 0 and 1, or 2 and 3, through memory where they do not go to c as they are.
void put(const Tile& t, bool second, Size column, Size width, bool two) {
  alignas(64) float sums[kAmxRows * 16];
  const bool whole = width == 16 && t.rows == (two ? 32 : 16) && !t.add && !t.relu && t.bias == nullptr;
  float* const to = whole ? t.c + column : sums;
  const Size pitch = whole ? t.c_row : 16, bytes = pitch * static_cast<Size>(sizeof(float));
  if (second) {
    _tile_stored(2, to, bytes);
    if (two) _tile_stored(3, to + 16 * pitch, bytes);
  } else {
    _tile_stored(0, to, bytes);
    if (two) _tile_stored(1, to + 16 * pitch, bytes);
  }
  __asm__ volatile("" ::"r"(sums) : "memory");
  if (!whole) finish_panel(t, sums, 16, column, width);
}

/// Up to 2 x 2 of AMX's tiles through the steps, panels of 16 columns: a multiplication starts every 16 cycles and
/// takes 52, so four sums hide it; a load takes 8, and there are as many as multiplications.
void run(const Tile& t, int) {
  static_assert(2 * kLanes == 16);
  const bool two = t.rows > 16;
  const Size panel_size = t.pairs * 16;
  for (Size panel = 0; panel < t.panels; panel += 2) {
    const bool both = panel + 1 < t.panels;
    const Pair* v = t.v + panel * panel_size;
    const Pair* s = t.s;
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (Size q = 0; q < t.pairs; q += kAmxPairs, s += kAmxPairs * kAmxRows, v += kAmxPairs * 16) {
      _tile_loadd(4, s, 64);
      _tile_loadd(6, v, 64);
      _tile_dpbf16ps(0, 4, 6);
      if (both) {
        _tile_loadd(7, v + panel_size, 64);
        _tile_dpbf16ps(2, 4, 7);
      }
      if (two) {
        _tile_loadd(5, s + kAmxPairs * 16, 64);
        _tile_dpbf16ps(1, 5, 6);
        if (both) _tile_dpbf16ps(3, 5, 7);
      }
    }
    const auto width_of = [&](Size i) { return i + 1 == t.panels ? kLanes + t.last : 16; };
    put(t, false, panel * 16, width_of(panel), two);
    if (both) put(t, true, (panel + 1) * 16, width_of(panel + 1), two);
  }
}

/// While one exists, this thread's tiles are 16 rows of 64 bytes.
class Tiles {
 public:
  Tiles() {
    struct alignas(64) {
      std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
      std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
      std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
    } configuration;
    static_assert(sizeof(configuration) == 64);
    __asm__ volatile("" ::"r"(&configuration) : "memory");
    _tile_loadconfig(&configuration);
  }
  ~Tiles() { _tile_release(); }
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;
};

template <class E>
void pack_tiles(Pair* to, const E* x, Strides stride, const RowCut& cut, Size steps, Size pairs, bool) {
  pack_rows_amx(to, x, stride, cut, steps, pairs);
}

#else

inline constexpr Size kHigh = kRows, kTogether = 1;
inline constexpr bool kWhole = false;

struct Tiles {
  Tiles() {}  // NOLINT: so that it counts as used
};

template <class E>
void pack_tiles(Pair* to, const E* x, Strides stride, const RowCut& cut, Size steps, Size, bool behind) {
  pack_rows(to, x, stride, cut, steps, behind);
}

/// Steps beside which a line of what comes later is fetched: 16 to 24 cycles.
inline constexpr Size kStepsForLine = 2;

template <int R, int NV>
void run_tile(const Tile& t) {
  const FloatTag d;
  const Pair* v = t.v;
  Ahead ahead = t.ahead;
  ahead.spread(t.pairs * t.panels);
  for (Size panel = 0, column = 0; panel < t.panels; ++panel, column += NV * kLanes) {
    Float acc[R][NV];
    HWY_UNROLL(12)
    for (int i = 0; i < R; ++i) {
      HWY_UNROLL(4)
      for (int j = 0; j < NV; ++j) acc[i][j] = hn::Zero(d);
    }
    float* c = t.c + column;
    HWY_UNROLL(12)
    for (int i = 0; i < R; ++i) hwy::Prefetch(c + i * t.c_row);
    const Pair* s = t.s;
    if (ahead.done() && t.queue != nullptr) {
      const FetchQueue::Lines lines = t.queue->take(t.pairs / kStepsForLine);
      ahead = Ahead(lines.at, 0, 1, lines.count);
      ahead.spread(t.pairs);
    }
    for (Size q = t.pairs; q > 0;) {
      Size n = ahead.fetch(q);
      q -= n;
      for (; n > 0; --n, s += kRows, v += NV * kLanes) Step::add(acc, s, v);
    }

    const Size last = panel + 1 == t.panels ? t.last : kLanes;
    if (HWY_LIKELY(last == kLanes && t.rows >= R && !t.add && !t.relu && t.bias == nullptr)) {
      HWY_UNROLL(12)
      for (int i = 0; i < R; ++i) {
        HWY_UNROLL(4)
        for (int j = 0; j < NV; ++j) hn::StoreU(acc[i][j], d, c + i * t.c_row + j * kLanes);
      }
      continue;
    }
    alignas(64) float sums[R * NV * kLanes];
    HWY_UNROLL(12)
    for (int i = 0; i < R; ++i) {
      HWY_UNROLL(4)
      for (int j = 0; j < NV; ++j) hn::Store(acc[i][j], d, sums + (i * NV + j) * kLanes);
    }
    finish_panel(t, sums, NV * kLanes, column, (NV - 1) * kLanes + last);
  }
}

/// Rows of the lowest tile that there is; rows are cut evenly, so that lower ones are rare.
inline constexpr Size kLeastRows = kRows * 2 / 3;

template <int NV, std::size_t... I>
constexpr auto tile_list(std::index_sequence<I...>) {
  return std::array<void (*)(const Tile&), sizeof...(I)>{&run_tile<static_cast<int>(kLeastRows + I), NV>...};
}
inline constexpr auto kTiles = tile_list<2>(std::make_index_sequence<kRows - kLeastRows + 1>());

/// A tile two vectors wide, or one: of those there is the highest alone, since they stand at an edge.
HWY_INLINE void run(const Tile& t, int vectors) {
  if (vectors == 1) return run_tile<kRows, 1>(t);
  kTiles[static_cast<std::size_t>(t.rows > kLeastRows ? t.rows - kLeastRows : 0)](t);
}

#endif

}  // namespace PELLUCID_BF16_ROOM
}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
HWY_POP_ATTRIBUTES

#endif  // PELLUCID_KERNELS_CPU_CONTRACT_BF16_TILE_INL_H_
