// Windows over pictures: vectors run along channels, a piece of work is some rows of results.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/window.cpp"
#include "hwy/foreach_target.h"
// foreach_target comes first.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "base/thread_pool.h"
#include "hwy/highway.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/window-inl.h"
#include "kernels/cpu/window_back-inl.h"
#include "kernels/kernels.h"
#include "kernels/window.h"

#ifndef PELLUCID_WINDOW_TABLE
#define PELLUCID_WINDOW_TABLE
namespace pellucid::kernels {

/// The functions of one instruction set.
struct WindowTable {
  ByDType<void (*)(void* y, void* index, const void* x, const Windows& w, DType index_type)> max;
  ByDType<void (*)(void*y, const void*x, const void*index, const Windows&w, DType index_type)> take, put;
  ByDType<void (*)(void*y, const void*x, const Windows&w, double divisor)> sum, spread;
};

}  // namespace pellucid::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace pellucid::kernels {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;
using namespace window;  // NOLINT: the file is about windows

// ---- The table ------------------------------------------------------------------------------------------------------

/// Calls f with a null pointer of the type of an index.
template <class F>
void by_index(DType type, const F& f) {
  if (type == DType::kUInt8) {
    f(static_cast<std::uint8_t*>(nullptr));
  } else {
    f(static_cast<std::int32_t*>(nullptr));
  }
}

template <class T>
void fill_type(WindowTable& table, DType dtype) {
  table.max[dtype] = [](void* y, void* index, const void* x, const Windows& w, DType type) {
    by_index(type, [&](auto* p) {
      using Index = std::remove_pointer_t<decltype(p)>;
      look_all(MaxUnder<T, Index>{static_cast<T*>(y), static_cast<Index*>(index)}, static_cast<const T*>(x), w);
    });
  };
  table.take[dtype] = [](void* y, const void* x, const void* index, const Windows& w, DType type) {
    by_index(type, [&](auto* p) {
      using Index = std::remove_pointer_t<decltype(p)>;
      look_all(TakeUnder<T, Index>{static_cast<T*>(y), static_cast<const Index*>(index)}, static_cast<const T*>(x), w);
    });
  };
  table.put[dtype] = [](void* y, const void* g, const void* index, const Windows& w, DType type) {
    by_index(type, [&](auto* p) {
      using Index = std::remove_pointer_t<decltype(p)>;
      back_all(PutBack<T, Index>{static_cast<const T*>(g), static_cast<const Index*>(index)}, static_cast<T*>(y), w);
    });
  };
  table.sum[dtype] = [](void* y, const void* x, const Windows& w, double divisor) {
    look_all(SumUnder<T>{static_cast<T*>(y), static_cast<T>(divisor)}, static_cast<const T*>(x), w);
  };
  table.spread[dtype] = [](void* y, const void* g, const Windows& w, double divisor) {
    back_all(SpreadBack<T>{static_cast<const T*>(g), static_cast<T>(divisor)}, static_cast<T*>(y), w);
  };
}

void fill_windows(WindowTable& table) {
  fill_type<float>(table, DType::kFloat32);
  fill_type<double>(table, DType::kFloat64);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace pellucid::kernels {
namespace {

const WindowTable& window_table() {
  static const WindowTable table = filled<WindowTable>(PELLUCID_FOR_ISA(isa(), fill_windows));
  return table;
}

}  // namespace

Windows::Windows(std::int64_t batch_, std::array<WindowAxis, kAxes> axes_, std::int64_t channels_)
    : batch(batch_), channels(channels_), axes(std::move(axes_)), apart(axes[kAxes - 1].dilation == 1) {
  for (std::size_t a = 0; a < kAxes; ++a) {
    const WindowAxis& axis = axes[a];
    std::vector<std::int64_t>& begin = looks_begin[a];
    begin.assign(static_cast<std::size_t>(axis.in) + 1, 0);
    const auto each = [&](auto&& f) {
      for (std::int64_t o = 0; o < axis.out; ++o) {
        const auto i = static_cast<std::size_t>(o);
        for (std::int64_t k = 0; k < axis.count[i]; ++k) f(axis.first[i] + k * axis.dilation, Look{o, k});
      }
    };
    each([&](std::int64_t input, Look) { ++begin[static_cast<std::size_t>(input) + 1]; });
    for (std::size_t i = 0; i + 1 < begin.size(); ++i) {
      if (a == kAxes - 1 && begin[i + 1] > 1) apart = false;
      begin[i + 1] += begin[i];
    }
    looks[a].resize(static_cast<std::size_t>(begin.back()));
    std::vector<std::int64_t> next(begin.begin(), begin.end() - 1);
    each([&](std::int64_t input, Look look) {
      looks[a][static_cast<std::size_t>(next[static_cast<std::size_t>(input)]++)] = look;
    });
  }
}

void window_max(void* y, void* index, const void* x, const Windows& windows, DType dtype, DType index_type) {
  window_table().max[dtype](y, index, x, windows, index_type);
}
void window_take(void* y, const void* x, const void* index, const Windows& windows, DType dtype, DType index_type) {
  window_table().take[dtype](y, x, index, windows, index_type);
}
void window_put(void* y, const void* g, const void* index, const Windows& windows, DType dtype, DType index_type) {
  window_table().put[dtype](y, g, index, windows, index_type);
}
void window_sum(void* y, const void* x, const Windows& windows, double divisor, DType dtype) {
  window_table().sum[dtype](y, x, windows, divisor);
}
void window_spread(void* y, const void* g, const Windows& windows, double divisor, DType dtype) {
  window_table().spread[dtype](y, g, windows, divisor);
}

}  // namespace pellucid::kernels
#endif
