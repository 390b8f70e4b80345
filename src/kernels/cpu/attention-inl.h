// What both directions of attention share: products of small blocks by the contraction's tile, exp of a score below its
// maximum, sums of a row; and of the forward direction what does not depend on how is multiplied. Included once for
// each instruction set (Highway's toggle).
#if defined(PELLUCID_KERNELS_CPU_ATTENTION_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef PELLUCID_KERNELS_CPU_ATTENTION_INL_H_
#undef PELLUCID_KERNELS_CPU_ATTENTION_INL_H_
#else
#define PELLUCID_KERNELS_CPU_ATTENTION_INL_H_
#endif

#include <algorithm>
#include <cstdint>
#include <limits>

#include "base/thread_pool.h"
#include "hwy/highway.h"
#include "kernels/attention.h"
#include "kernels/cpu/contract_pack-inl.h"
#include "kernels/cpu/contract_tile-inl.h"
#include "kernels/cpu/math32-inl.h"
#include "kernels/cpu/math64-inl.h"

HWY_BEFORE_NAMESPACE();
namespace pellucid::kernels {
namespace HWY_NAMESPACE {
namespace attention {
namespace hn = hwy::HWY_NAMESPACE;
using contract::kLanesOf;
using contract::Size;

/// Rows whose scores are computed together: a multiple of the rows of a tile on every instruction set (6 and 12), and
/// what a causal edge is cut by, so that what is left out does not depend on the vector width.
inline constexpr Size kRows = 12;
/// Virtual lanes of a sum along a row.
inline constexpr Size kSumLanes = 16;
/// From one row of a block of scores to the next: 5 lines of float32, so that a column of 64 rows lies in all sets of
/// the first cache.
inline constexpr Size kPitch = kAttentionKeys + 16;

constexpr Size rounded_up(Size n, Size to) { return (n + to - 1) / to * to; }
/// The row size of a packed operand of `width` columns.
constexpr Size padded(Size width) { return rounded_up(width, 16); }

template <class T>
inline constexpr T kInfinity = std::numeric_limits<T>::infinity();

/// c[i, j] = (c[i, j] if add) + sum over p < k, ascending, of s[i * s_row + p * s_k] * v[p * v_k + j]. v may be read up
/// to 64 bytes beyond its last column.
template <class T>
void multiply(const T* s, Size s_row, Size s_k, Size rows, const T* v, Size v_k, Size columns, Size k, T* c, Size c_row,
              bool add) {
  constexpr Size lanes = kLanesOf<T>;
  contract::TileRun<T> t;
  t.s_row = s_row;
  t.s_k = s_k;
  t.v_k = v_k;
  t.k = k;
  t.c_row = c_row;
  t.add = add;
  const contract::RowCut cut = contract::RowCut::of(rows, contract::kTileRows<T>);
  Size row = 0;
  for (Size tile = 0; tile < cut.high_count + cut.low_count; ++tile) {
    const Size height = tile < cut.high_count ? cut.high : cut.low;
    t.s = s + row * s_row;
    for (Size j = 0; j < columns;) {
      const Size left = columns - j;
      const int vectors = contract::tile_vectors<T>(height, (left + lanes - 1) / lanes);
      const Size width = vectors * lanes;
      t.count = std::max<Size>(1, left / width);
      t.v_tile = t.c_tile = width;
      t.last = left >= width ? lanes : left - (vectors - 1) * lanes;
      t.v = v + j;
      t.c = c + row * c_row + j;
      contract::tile_function<T>(height, vectors, t.last)(t);
      j += t.count * width;
    }
    row += height;
  }
}

/// to[p * width + j] = x[j * x_row + p]: `rows` rows of x become columns.
template <class T>
void pack_turned(T* to, Size width, const T* x, Size x_row, Size rows, Size columns) {
  contract::pack(to, width, rounded_up(rows, kLanesOf<T>), x, {x_row, 1}, rows, columns);
}
/// to[i * width + j] = x[i * x_row + j].
template <class T>
void pack_straight(T* to, Size width, const T* x, Size x_row, Size rows, Size columns) {
  contract::pack(to, width, rounded_up(columns, kLanesOf<T>), x, {1, x_row}, columns, rows);
}

/// exp(x) for x below 1 or so; where it would be denormal 0 is allowed. NaN stays.
template <class D, class V>
HWY_INLINE V exp_below(D d, V x) {
  if constexpr (sizeof(hn::TFromD<D>) == 4) {
    const V least = hn::Set(d, -87.0F);
    const Power32<V> e = exp_parts32(d, at_least(d, x, -87));
    return hn::IfThenZeroElse(hn::Lt(x, least), hn::Mul(e.p, power_of_two32(d, e.k)));
  } else {
    return exp_of<true>(d, x);
  }
}
template <class D, class V>
HWY_INLINE V log_of_sum(D d, V x) {
  if constexpr (sizeof(hn::TFromD<D>) == 4) {
    return Log32::of(d, x);
  } else {
    return log_of<true>(d, x);
  }
}

/// Lanes 0 .. n / 2 plus lanes n / 2 .. n, and so on until one is left.
template <class D, class V>
HWY_INLINE hn::TFromD<D> added_halves([[maybe_unused]] D d, V x) {
  if constexpr (hn::MaxLanes(D()) == 1) {
    return hn::GetLane(x);
  } else {
    const hn::Half<D> half;
    return added_halves(half, hn::Add(hn::LowerHalf(half, x), hn::UpperHalf(half, x)));
  }
}

/// The 16 lanes of a row's sum, in as many vectors as they take.
template <class T>
class RowSum {
 public:
  static constexpr int kVectors = static_cast<int>(kSumLanes / kLanesOf<T>);
  HWY_INLINE RowSum() {
    HWY_UNROLL(4)
    for (int i = 0; i < kVectors; ++i) lane_[i] = hn::Zero(hn::ScalableTag<T>());
  }
  HWY_INLINE void add(int i, hn::Vec<hn::ScalableTag<T>> x) { lane_[i] = hn::Add(lane_[i], x); }
  HWY_INLINE void add_product(int i, hn::Vec<hn::ScalableTag<T>> x, hn::Vec<hn::ScalableTag<T>> y) {
    lane_[i] = hn::MulAdd(x, y, lane_[i]);
  }
  /// The lanes added by halves.
  HWY_INLINE T total() const {
    hn::Vec<hn::ScalableTag<T>> lane[kVectors];
    HWY_UNROLL(4)
    for (int i = 0; i < kVectors; ++i) lane[i] = lane_[i];
    HWY_UNROLL(2)
    for (int half = kVectors / 2; half > 0; half /= 2) {
      HWY_UNROLL(2)
      for (int i = 0; i < half; ++i) lane[i] = hn::Add(lane[i], lane[i + half]);
    }
    return added_halves(hn::ScalableTag<T>(), lane[0]);
  }

 private:
  hn::Vec<hn::ScalableTag<T>> lane_[kVectors];
};

/// Operands and sizes of one call, with the pointers typed.
template <class T>
struct Call {
  const AttentionShape& shape;
  const T *q, *k, *v, *mask;
  Size q_row, kv_row, vv_row, out_row;  // from one position to the next

  Call(const AttentionShape& s, const AttentionOperands& x)
      : shape(s),
        q(static_cast<const T*>(x.q)),
        k(static_cast<const T*>(x.k)),
        v(static_cast<const T*>(x.v)),
        mask(s.mask ? static_cast<const T*>(x.mask) : nullptr),
        q_row(s.heads * s.width),
        kv_row(s.groups * s.width),
        vv_row(s.groups * s.value_width),
        out_row(s.heads * s.value_width) {}

  Size group_of(Size head) const { return head / (shape.heads / shape.groups); }
  const T* keys(Size batch, Size group, Size key) const {
    return k + (batch * shape.keys + key) * kv_row + group * shape.width;
  }
  const T* values(Size batch, Size group, Size key) const {
    return v + (batch * shape.keys + key) * vv_row + group * shape.value_width;
  }
  /// Keys of the block [first, first + n) that the query may see.
  Size visible(Size query, Size first, Size n) const {
    if (!shape.causal) return n;
    return std::clamp<Size>(query + shape.keys - shape.queries + 1 - first, 0, n);
  }
};

/// The scaled and masked scores of one query over keys [first, first + n): reads scores from s and the mask beside.
template <class T>
struct Scores {
  const T* mask = nullptr;
  bool spread = false;  // one element of the mask for each key
  T scale = 1;

  Scores(const Call<T>& call, Size batch, Size head, Size query, Size first) : scale(static_cast<T>(call.shape.scale)) {
    if (call.mask == nullptr) return;
    const AttentionShape& s = call.shape;
    mask = call.mask + batch * s.mask_batch + head * s.mask_head + query * s.mask_query + first * s.mask_key;
    spread = s.mask_key != 0;
  }
  /// Lanes j, j + 1, ... of which `left` exist; the others are -inf.
  HWY_INLINE hn::Vec<hn::ScalableTag<T>> at(const T* s, Size j, Size left) const {
    const hn::ScalableTag<T> d;
    const auto factor = hn::Set(d, scale);
    auto x = hn::Load(d, s + j);
    if (HWY_LIKELY(left >= kLanesOf<T>)) {
      if (mask == nullptr) return hn::Mul(x, factor);
      return hn::MulAdd(x, factor, spread ? hn::LoadU(d, mask + j) : hn::Set(d, *mask));
    }
    const auto there = hn::FirstN(d, static_cast<std::size_t>(std::max<Size>(left, 0)));
    if (mask == nullptr) {
      x = hn::Mul(x, factor);
    } else {
      x = hn::MulAdd(x, factor, spread ? hn::MaskedLoad(there, d, mask + j) : hn::Set(d, *mask));
    }
    return hn::IfThenElse(there, x, hn::Set(d, -kInfinity<T>));
  }
};

// ---- Forward --------------------------------------------------------------------------------------------------------

/// Queries of a piece: all of a head where there are heads enough, and so few that their results stay in the second
/// cache; a multiple of kRows.
inline Size piece_rows(const AttentionShape& s) {
  return std::clamp<Size>(rounded_up(s.queries * s.batch * s.heads / 16, kRows), 4 * kRows, 22 * kRows);
}

/// Calls run(batch, head, row0, row1, thread) for the stretches of queries that the forward direction is cut into.
template <class F>
void for_each_piece(const AttentionShape& s, int threads, const F& run) {
  const Size rows = piece_rows(s), pieces = (s.queries + rows - 1) / rows;
  base::parallel_for(
      s.batch * s.heads * pieces,
      [&](Size piece, int thread) {
        const Size row0 = piece % pieces * rows, head = piece / pieces % s.heads;
        run(piece / pieces / s.heads, head, row0, std::min(s.queries, row0 + rows), thread);
      },
      threads);
}

/// Scales and masks the scores of one query; the greatest.
template <class T>
HWY_INLINE T scale(const Scores<T>& scores, T* s, Size visible, Size columns) {
  const hn::ScalableTag<T> d;
  auto most = hn::Set(d, -kInfinity<T>);
  for (Size j = 0; j < columns; j += kLanesOf<T>) {
    const auto x = scores.at(s, j, visible - j);
    hn::Store(x, d, s + j);
    most = hn::Max(x, most);
  }
  return hn::GetLane(hn::MaxOfLanes(d, most));
}

/// Turns the scaled scores of one query into weights against the new maximum of its row; what was summed under the old
/// one is scaled down.
template <class T>
HWY_INLINE void weigh(T* s, Size columns, T most, T& maximum, T& sum, T* out, Size out_size) {
  const hn::ScalableTag<T> d;
  constexpr Size lanes = kLanesOf<T>;
  const T before = maximum;
  const T now = std::max(before, most);
  maximum = now;
  const auto shift = hn::Set(d, now == -kInfinity<T> ? T{0} : now);
  RowSum<T> row;
  for (Size j = 0; j < columns; j += kSumLanes) {
    HWY_UNROLL(4)
    for (int i = 0; i < RowSum<T>::kVectors; ++i) {
      const auto p = exp_below(d, hn::Sub(hn::Load(d, s + j + i * lanes), shift));
      hn::Store(p, d, s + j + i * lanes);
      row.add(i, p);
    }
  }
  if (now == before || before == -kInfinity<T>) {
    sum += row.total();
    return;
  }
  const auto factor = exp_below(d, hn::Sub(hn::Set(d, before), shift));
  sum = hn::GetLane(hn::MulAdd(hn::Set(d, sum), factor, hn::Set(d, row.total())));
  for (Size j = 0; j + lanes <= out_size; j += lanes) {
    hn::StoreU(hn::Mul(hn::LoadU(d, out + j), factor), d, out + j);
  }
  for (Size j = out_size / lanes * lanes; j < out_size; ++j) out[j] *= hn::GetLane(factor);
}

/// The logarithm of a row's sum of exp(score).
template <class T>
T logarithm(T maximum, T sum) {
  const hn::ScalableTag<T> d;
  if (sum == 0) return -kInfinity<T>;
  return hn::GetLane(hn::Add(hn::Set(d, maximum), log_of_sum(d, hn::Set(d, sum))));
}

/// Divides what was summed by the total weight.
template <class T>
void divide(T* out, Size out_size, T sum) {
  const hn::ScalableTag<T> d;
  constexpr Size lanes = kLanesOf<T>;
  if (sum == 0) return;
  const auto total = hn::Set(d, sum);
  for (Size j = 0; j + lanes <= out_size; j += lanes) {
    hn::StoreU(hn::Div(hn::LoadU(d, out + j), total), d, out + j);
  }
  for (Size j = out_size / lanes * lanes; j < out_size; ++j) out[j] /= sum;
}

}  // namespace attention
}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
HWY_AFTER_NAMESPACE();

#endif  // PELLUCID_KERNELS_CPU_ATTENTION_INL_H_
