// The ways back from windows to pictures: what results give the elements that they looked at. Included once for each
// instruction set (Highway's toggle).
#if defined(PELLUCID_KERNELS_CPU_WINDOW_BACK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef PELLUCID_KERNELS_CPU_WINDOW_BACK_INL_H_
#undef PELLUCID_KERNELS_CPU_WINDOW_BACK_INL_H_
#else
#define PELLUCID_KERNELS_CPU_WINDOW_BACK_INL_H_
#endif

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "hwy/highway.h"
#include "kernels/cpu/window-inl.h"
#include "kernels/window.h"

HWY_BEFORE_NAMESPACE();
namespace pellucid::kernels {
namespace HWY_NAMESPACE {
namespace window {

// load() reads what the window of result `at` gives, part() is its share for element k.

template <class T, class Index_>
struct PutBack {
  template <class D>
  struct Given {
    hn::Vec<D> g;
    hn::Vec<Numbers<D>> at;
  };
  template <bool kWhole, class D>
  HWY_INLINE Given<D> read(D d, Size at, std::size_t n) const {
    return {load<kWhole>(d, g + at, n), load_index<kWhole>(d, index + at, n)};
  }
  template <class D>
  HWY_INLINE hn::Vec<D> part(D d, const Given<D>& given, Size k) const {
    return where_equal(d, given.at, number(d, k), given.g);
  }
  template <class D>
  HWY_INLINE hn::Vec<D> done(D /*d*/, hn::Vec<D> v) const {
    return v;
  }
  const T* g;
  const Index_* index;
};

template <class T>
struct SpreadBack {
  template <class D>
  struct Given {
    hn::Vec<D> g;
  };
  template <bool kWhole, class D>
  HWY_INLINE Given<D> read(D d, Size at, std::size_t n) const {
    return {load<kWhole>(d, g + at, n)};
  }
  template <class D>
  HWY_INLINE hn::Vec<D> part(D /*d*/, const Given<D>& given, Size /*k*/) const {
    return given.g;
  }
  template <class D>
  HWY_INLINE hn::Vec<D> done(D d, hn::Vec<D> v) const {
    return divisor == 1 ? v : hn::Div(v, hn::Set(d, divisor));
  }
  const T* g;
  T divisor;
};

using Looks = const Windows::Look*;
/// The windows that look at input i of an axis.
struct Range {
  Range(const Windows& w, std::size_t axis, Size i)
      : begin(w.looks[axis].data() + w.looks_begin[axis][static_cast<std::size_t>(i)]),
        end(w.looks[axis].data() + w.looks_begin[axis][static_cast<std::size_t>(i) + 1]) {}
  Looks begin, end;
};

/// One row of inputs that one row of windows looks at, which do not overlap: each is read once.
template <class Op, class D, class T = hn::TFromD<D>>
HWY_INLINE void back_apart(const Op op, D d, T* y, const WindowAxis& wide, Size channels, Size at, Size row_k,
                           const T* y_end, Size g_end) {
  constexpr Size N = static_cast<Size>(hn::MaxLanes(D()));
  const Size vectors_end = channels < N ? 0 : channels / N * N;
  Size done = 0;
  const auto zero_until = [&](Size position) {
    if (position > done)
      std::memset(y + done * channels, 0, static_cast<std::size_t>((position - done) * channels) * sizeof(T));
  };
  for (Size o = 0; o < wide.out; ++o) {
    const Size first = wide.first[static_cast<std::size_t>(o)], count = wide.count[static_cast<std::size_t>(o)];
    if (count == 0) continue;
    zero_until(first);
    done = first + count;
    T* to = y + first * channels;
    const Size from = at + o * channels;
    const Size k0 = row_k * count;
    const auto vector = [&](auto whole, Size c, std::size_t n) {
      constexpr bool kWhole = decltype(whole)::value;
      const auto given = op.template read<kWhole>(d, from + c, n);
      T* place = to + c;
      for (Size k = 0; k < count; ++k, place += channels) {
        store<kWhole>(d, op.done(d, op.part(d, given, k0 + k)), place, n);
      }
    };
    if (channels >= N) {
      for (Size c = 0; c < vectors_end; c += N) vector(std::true_type(), c, N);
      if (vectors_end < channels) vector(std::true_type(), channels - N, N);
    } else if (to + (count - 1) * channels + N <= y_end && from + N <= g_end) {
      vector(std::true_type(), 0, static_cast<std::size_t>(channels));
    } else {
      vector(std::false_type(), 0, static_cast<std::size_t>(channels));
    }
  }
  zero_until(wide.in);
}

/// One input in one vector of channels: the sum over the windows that look at it.
template <bool kWhole, class Op, class D>
HWY_INLINE hn::Vec<D> gather(const Op& op, D d, const Windows& w, Size image, const Range& deep, const Range& high,
                             const Range& wide, Size c, std::size_t n) {
  auto sum = hn::Zero(d);
  bool any = false;
  for (Looks a = deep.begin; a != deep.end; ++a) {
    for (Looks b = high.begin; b != high.end; ++b) {
      const Size row = (image * w.axes[0].out + a->out) * w.axes[1].out + b->out;
      const Size k = a->k * w.axes[1].count[static_cast<std::size_t>(b->out)] + b->k;
      for (Looks e = wide.begin; e != wide.end; ++e) {
        const auto given = op.template read<kWhole>(d, (row * w.axes[2].out + e->out) * w.channels + c, n);
        const auto v = op.part(d, given, k * w.axes[2].count[static_cast<std::size_t>(e->out)] + e->k);
        sum = any ? hn::Add(sum, v) : v;
        any = true;
      }
    }
  }
  return op.done(d, sum);
}

template <std::size_t kLanes, class Op, class T>
void back_with(const Op& op, T* y, const Windows& w) {
  const hn::CappedTag<T, kLanes> d;
  constexpr Size N = static_cast<Size>(hn::MaxLanes(hn::CappedTag<T, kLanes>()));
  const Size channels = w.channels;
  const auto& [deep, high, wide] = w.axes;
  const Size row_in = wide.in * channels, row_out = wide.out * channels;
  const Size g_end = w.batch * deep.out * high.out * row_out;
  const auto run = [&](Size begin, Size end) {
    const T* y_end = y + end * row_in;
    for (Size row = begin; row < end; ++row) {
      const Range d_looks(w, 0, row / high.in % deep.in), h_looks(w, 1, row % high.in);
      const Size image = row / high.in / deep.in;
      T* to = y + row * row_in;
      const std::ptrdiff_t rows_of_windows = (d_looks.end - d_looks.begin) * (h_looks.end - h_looks.begin);
      if (rows_of_windows == 0) {
        std::memset(to, 0, static_cast<std::size_t>(row_in) * sizeof(T));
        continue;
      }
      if (rows_of_windows == 1 && w.apart) {
        const Windows::Look a = *d_looks.begin, b = *h_looks.begin;
        const Size from = ((image * deep.out + a.out) * high.out + b.out) * row_out;
        const Size k = a.k * high.count[static_cast<std::size_t>(b.out)] + b.k;
        back_apart(op, d, to, wide, channels, from, k, y_end, g_end);
        continue;
      }
      for (Size i = 0; i < wide.in; ++i, to += channels) {
        const Range w_looks(w, 2, i);
        if (channels >= N) {
          Size c = 0;
          for (; c + N <= channels; c += N) {
            store<true>(d, gather<true>(op, d, w, image, d_looks, h_looks, w_looks, c, N), to + c, N);
          }
          if (c < channels) {
            c = channels - N;
            store<true>(d, gather<true>(op, d, w, image, d_looks, h_looks, w_looks, c, N), to + c, N);
          }
          continue;
        }
        // The last window that looks here is the one nearest to the end of g.
        Size last = 0;
        if (w_looks.begin != w_looks.end) {
          const Size g_row = (image * deep.out + d_looks.end[-1].out) * high.out + h_looks.end[-1].out;
          last = (g_row * wide.out + w_looks.end[-1].out) * channels;
        }
        const auto n = static_cast<std::size_t>(channels);
        if (to + N <= y_end && last + N <= g_end) {
          store<true>(d, gather<true>(op, d, w, image, d_looks, h_looks, w_looks, 0, n), to, n);
        } else {
          store<false>(d, gather<false>(op, d, w, image, d_looks, h_looks, w_looks, 0, n), to, n);
        }
      }
    }
  };
  const Size rows = w.batch * deep.in * high.in;
  over_rows(rows, (rows * row_in + g_end) * static_cast<Size>(sizeof(T)) / std::max<Size>(rows, 1), run);
}

template <class Op, class T>
void back_all(const Op& op, T* y, const Windows& w) {
  if (w.batch * w.channels == 0) return;
  by_lanes<T>(w.channels, [&](auto lanes) { back_with<decltype(lanes)::value>(op, y, w); });
}

}  // namespace window
}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
HWY_AFTER_NAMESPACE();

#endif  // toggle
