// What is done under windows over pictures; vectors run along channels. Included once for each instruction set
// (Highway's toggle).
#if defined(PELLUCID_KERNELS_CPU_WINDOW_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef PELLUCID_KERNELS_CPU_WINDOW_INL_H_
#undef PELLUCID_KERNELS_CPU_WINDOW_INL_H_
#else
#define PELLUCID_KERNELS_CPU_WINDOW_INL_H_
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "base/thread_pool.h"
#include "hwy/highway.h"
#include "kernels/window.h"

HWY_BEFORE_NAMESPACE();
namespace pellucid::kernels {
namespace HWY_NAMESPACE {
namespace window {
namespace hn = hwy::HWY_NAMESPACE;
using Size = std::int64_t;

/// Calls run(begin, end) for the rows [0, rows), over the thread pool where they are more than a little.
template <class Run>
void over_rows(std::int64_t rows, std::int64_t row_bytes, const Run& run) {
  constexpr std::int64_t kPieceBytes = 1 << 16;
  const std::int64_t step = std::max<std::int64_t>(1, kPieceBytes / std::max<std::int64_t>(1, row_bytes));
  if (rows <= step) return run(std::int64_t{0}, rows);
  base::parallel_for((rows + step - 1) / step,
                     [&](std::int64_t piece) { run(piece * step, std::min(rows, (piece + 1) * step)); });
}

// ---- Vectors of channels --------------------------------------------------------------------------------------------
// kWhole: a whole vector may be read and written though only n lanes count, since more elements follow; what is written
// beyond n is written again later by the same thread.

template <class D>
using Numbers = hn::RebindToUnsigned<D>;  // a place in a window for each lane

template <bool kWhole, class D, class T = hn::TFromD<D>>
HWY_INLINE hn::Vec<D> load(D d, const T* x, [[maybe_unused]] std::size_t n) {
  if constexpr (kWhole) {
    return hn::LoadU(d, x);
  } else {
    HWY_ALIGN T padded[hn::MaxLanes(D())] = {};
    std::memcpy(padded, x, n * sizeof(T));
    return hn::Load(d, padded);
  }
}

template <bool kWhole, class D, class T = hn::TFromD<D>>
HWY_INLINE void store(D d, hn::Vec<D> v, T* y, [[maybe_unused]] std::size_t n) {
  if constexpr (kWhole) {
    hn::StoreU(v, d, y);
  } else {
    HWY_ALIGN T padded[hn::MaxLanes(D())];
    hn::Store(v, d, padded);
    std::memcpy(y, padded, n * sizeof(T));
  }
}

template <bool kWhole, class D, class Index>
HWY_INLINE hn::Vec<Numbers<D>> load_index(D /*d*/, const Index* index, std::size_t n) {
  using Stored = std::make_unsigned_t<Index>;
  [[maybe_unused]] const Numbers<D> du;
  const hn::Rebind<Stored, D> ds;
  const auto v = load<kWhole>(ds, reinterpret_cast<const Stored*>(index), n);
  if constexpr (sizeof(Stored) == sizeof(hn::TFromD<D>)) {
    return v;
  } else if constexpr (sizeof(Stored) == 1 && sizeof(hn::TFromD<D>) == 8) {
    return hn::PromoteTo(du, hn::PromoteTo(hn::Rebind<std::uint32_t, D>(), v));
  } else {
    return hn::PromoteTo(du, v);
  }
}

template <bool kWhole, class D, class Index>
HWY_INLINE void store_index(D /*d*/, hn::Vec<Numbers<D>> v, Index* index, std::size_t n) {
  using Stored = std::make_unsigned_t<Index>;
  const hn::Rebind<Stored, D> ds;
  auto* to = reinterpret_cast<Stored*>(index);
  if constexpr (sizeof(Stored) == sizeof(hn::TFromD<D>)) {
    store<kWhole>(ds, v, to, n);
  } else {
    store<kWhole>(ds, hn::TruncateTo(ds, v), to, n);
  }
}

template <class D>
HWY_INLINE hn::Vec<Numbers<D>> number(D /*d*/, Size k) {
  return hn::Set(Numbers<D>(), static_cast<hn::TFromD<Numbers<D>>>(k));
}

/// x where a == b, else 0.
template <class D>
HWY_INLINE hn::Vec<D> where_equal(D d, hn::Vec<Numbers<D>> a, hn::Vec<Numbers<D>> b, hn::Vec<D> x) {
  return hn::IfThenElseZero(hn::RebindMask(d, hn::Eq(a, b)), x);
}

// ---- What is done under a window ------------------------------------------------------------------------------------
// start() at the first element or with none, step() at each further one, done() at the end; `at` is the result's place.

template <class T, class Index_>
struct MaxUnder {
  using Index = Index_;
  template <class D>
  struct State {
    hn::Vec<D> best;
    hn::Vec<Numbers<D>> at;
  };
  template <bool kWhole, class D>
  HWY_INLINE State<D> start(D d, Size /*at*/, std::size_t /*n*/, hn::Vec<D> first) const {
    return {first, number(d, 0)};
  }
  template <class D>
  HWY_INLINE void step(D d, State<D>& s, hn::Vec<D> v, Size k) const {
    // Not (v <= best) is also true where one is NaN; a best that is NaN stays.
    const auto wins = hn::AndNot(hn::IsNaN(s.best), hn::Not(hn::Le(v, s.best)));
    s.best = hn::IfThenElse(wins, v, s.best);
    s.at = hn::IfThenElse(hn::RebindMask(Numbers<D>(), wins), number(d, k), s.at);
  }
  template <bool kWhole, class D>
  HWY_INLINE void done(D d, const State<D>& s, Size at, std::size_t n) const {
    if (y != nullptr) store<kWhole>(d, s.best, y + at, n);
    if (index != nullptr) store_index<kWhole>(d, s.at, index + at, n);
  }
  T* y;
  Index* index;
};

template <class T, class Index_>
struct TakeUnder {
  using Index = Index_;
  template <class D>
  struct State {
    hn::Vec<D> taken;
    hn::Vec<Numbers<D>> at;
  };
  template <bool kWhole, class D>
  HWY_INLINE State<D> start(D d, Size at, std::size_t n, hn::Vec<D> first) const {
    const auto wanted = load_index<kWhole>(d, index + at, n);
    return {where_equal(d, wanted, number(d, 0), first), wanted};
  }
  template <class D>
  HWY_INLINE void step(D d, State<D>& s, hn::Vec<D> v, Size k) const {
    s.taken = hn::IfThenElse(hn::RebindMask(d, hn::Eq(s.at, number(d, k))), v, s.taken);
  }
  template <bool kWhole, class D>
  HWY_INLINE void done(D d, const State<D>& s, Size at, std::size_t n) const {
    store<kWhole>(d, s.taken, y + at, n);
  }
  T* y;
  const Index* index;
};

template <class T>
struct SumUnder {
  using Index = std::uint8_t;
  template <class D>
  struct State {
    hn::Vec<D> sum;
  };
  template <bool kWhole, class D>
  HWY_INLINE State<D> start(D /*d*/, Size /*at*/, std::size_t /*n*/, hn::Vec<D> first) const {
    return {first};
  }
  template <class D>
  HWY_INLINE void step(D /*d*/, State<D>& s, hn::Vec<D> v, Size /*k*/) const {
    s.sum = hn::Add(s.sum, v);
  }
  template <bool kWhole, class D>
  HWY_INLINE void done(D d, const State<D>& s, Size at, std::size_t n) const {
    store<kWhole>(d, divisor == 1 ? s.sum : hn::Div(s.sum, hn::Set(d, divisor)), y + at, n);
  }
  T* y;
  T divisor;
};

/// The window of one result: where its first element is, how many there are along each axis, how far apart.
template <class T>
struct Under {
  const T* x;
  Size count[3];
  Size step[3];
};

/// One vector of channels under one window; kSide is the window's width and height where they are known.
template <int kSide, bool kWhole, class Op, class D, class T = hn::TFromD<D>>
HWY_INLINE void look(const Op& op, D d, const Under<T>& u, Size c, Size at, std::size_t n) {
  const T* x = u.x + c;
  if constexpr (kSide != 0) {
    auto state = op.template start<kWhole>(d, at, n, load<kWhole>(d, x, n));
#pragma GCC unroll 9
    for (int k = 1; k < kSide * kSide; ++k) {
      op.step(d, state, load<kWhole>(d, x + k / kSide * u.step[1] + k % kSide * u.step[2], n), k);
    }
    op.template done<kWhole>(d, state, at, n);
  } else {
    const bool any = u.count[0] != 0 && u.count[1] != 0 && u.count[2] != 0;
    auto state = op.template start<kWhole>(d, at, n, any ? load<kWhole>(d, x, n) : hn::Zero(d));
    Size k = 0;
    for (Size i = 0; any && i < u.count[0]; ++i) {
      for (Size j = 0; j < u.count[1]; ++j) {
        const T* from = x + i * u.step[0] + j * u.step[1];
        for (Size l = 0; l < u.count[2]; ++l, from += u.step[2], ++k) {
          if (k != 0) op.step(d, state, load<kWhole>(d, from, n), k);
        }
      }
    }
    op.template done<kWhole>(d, state, at, n);
  }
}

/// The results [begin, end) of a row in all channels; `at` is the place of result 0. What the loop reads is held in
/// locals, since stores of uint8 might change anything that has an address.
template <int kSide, class Op, class D, class T = hn::TFromD<D>>
HWY_INLINE void look_along(const Op op, D d, Under<T> u, const WindowAxis& last, const Size channels, Size begin,
                           const Size end, const Size at, const T* x_end, Size y_end) {
  constexpr Size N = static_cast<Size>(hn::MaxLanes(D()));
  const T* const row = u.x;
  const Size* const first = last.first.data();
  const Size* const count = last.count.data();
  if (channels >= N) {
    for (Size o = begin; o < end; ++o) {
      u.x = row + first[o] * channels;
      u.count[2] = count[o];
      const Size to = at + o * channels;
      Size c = 0;
      for (; c + N <= channels; c += N) look<kSide, true>(op, d, u, c, to + c, N);
      if (c < channels) look<kSide, true>(op, d, u, channels - N, to + channels - N, N);
    }
    return;
  }
  // Whole vectors until the first result for which they would reach over an end.
  const Size rows_reach = std::max<Size>(u.count[0] - 1, 0) * u.step[0] + std::max<Size>(u.count[1] - 1, 0) * u.step[1];
  const auto fits = [&](Size o) {
    const Size reach = first[o] * channels + std::max<Size>(count[o] - 1, 0) * u.step[2] + rows_reach;
    return row + reach + N <= x_end && at + o * channels + N <= y_end;
  };
  Size whole = end;
  while (whole > begin && !fits(whole - 1)) --whole;
  const auto n = static_cast<std::size_t>(channels);
  for (Size o = begin; o < whole; ++o) {
    u.x = row + first[o] * channels;
    u.count[2] = count[o];
    look<kSide, true>(op, d, u, 0, at + o * channels, n);
  }
  for (Size o = whole; o < end; ++o) {
    u.x = row + first[o] * channels;
    u.count[2] = count[o];
    look<kSide, false>(op, d, u, 0, at + o * channels, n);
  }
}

template <std::size_t kLanes, class Op, class T>
void look_with(const Op& op, const T* x, const Windows& w) {
  const hn::CappedTag<T, kLanes> d;
  const Size channels = w.channels;
  const auto& [deep, high, wide] = w.axes;
  const Size row_in = wide.in * channels, row_out = wide.out * channels;
  const T* x_end = x + w.batch * deep.in * high.in * row_in;
  const auto run = [&](Size begin, Size end) {
    for (Size row = begin; row < end; ++row) {
      const auto h = static_cast<std::size_t>(row % high.out);
      const auto z = static_cast<std::size_t>(row / high.out % deep.out);
      const Size image = row / high.out / deep.out;
      const Size first = (image * deep.in + deep.first[z]) * high.in + high.first[h];
      Under<T> u{x + first * row_in,
                 {deep.count[z], high.count[h], 0},
                 {deep.dilation * high.in * row_in, high.dilation * row_in, wide.dilation * channels}};
      const auto along = [&](auto side, Size from, Size to) {
        look_along<decltype(side)::value>(op, d, u, wide, channels, from, to, row * row_out, x_end, end * row_out);
      };
      if (u.count[0] == 1 && (u.count[1] == 2 || u.count[1] == 3)) {
        // Runs of results whose windows are square.
        for (Size o = 0; o < wide.out;) {
          const bool square = wide.count[static_cast<std::size_t>(o)] == u.count[1];
          Size stop = o + 1;
          while (stop < wide.out && (wide.count[static_cast<std::size_t>(stop)] == u.count[1]) == square) ++stop;
          if (!square) {
            along(std::integral_constant<int, 0>(), o, stop);
          } else if (u.count[1] == 2) {
            along(std::integral_constant<int, 2>(), o, stop);
          } else {
            along(std::integral_constant<int, 3>(), o, stop);
          }
          o = stop;
        }
      } else {
        along(std::integral_constant<int, 0>(), 0, wide.out);
      }
    }
  };
  const Size rows = w.batch * deep.out * high.out;
  const Size elements = w.batch * deep.in * high.in * row_in + rows * row_out;
  over_rows(rows, elements * static_cast<Size>(sizeof(T)) / std::max<Size>(rows, 1), run);
}

/// Vectors as wide as the channels need.
template <class T, class F>
HWY_INLINE void by_lanes(Size channels, const F& f) {
  if (channels <= 4) {
    f(std::integral_constant<std::size_t, 4>());
  } else {
    f(std::integral_constant<std::size_t, 16>());
  }
}

template <class Op, class T>
void look_all(const Op& op, const T* x, const Windows& w) {
  if (w.batch * w.channels == 0) return;
  by_lanes<T>(w.channels, [&](auto lanes) { look_with<decltype(lanes)::value>(op, x, w); });
}

}  // namespace window
}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
HWY_AFTER_NAMESPACE();

#endif  // toggle
