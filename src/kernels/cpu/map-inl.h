// The loops of the elementwise kernels: an operation is a formula over one vector, and the loops here run it over whole
// arrays for vectors of any width, the tail included. Included once for each instruction set (Highway's toggle).
#if defined(PELLUCID_KERNELS_CPU_MAP_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef PELLUCID_KERNELS_CPU_MAP_INL_H_
#undef PELLUCID_KERNELS_CPU_MAP_INL_H_
#else
#define PELLUCID_KERNELS_CPU_MAP_INL_H_
#endif

#include <cstddef>
#include <cstdint>

#include "hwy/highway.h"
#include "kernels/cpu/map.h"

HWY_BEFORE_NAMESPACE();
namespace pellucid::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class T>
HWY_INLINE const T* in(const void* p, std::size_t i) {
  return static_cast<const T*>(p) + i;
}
template <class T>
HWY_INLINE T* out(void* p, std::size_t i) {
  return static_cast<T*>(p) + i;
}

// ---- Cheap operations -----------------------------------------------------------------------------------------------
//
// Op::at(d, y, a, b, c, i) computes elements [i, i + Lanes(d)) for any width of d. The tail is cut into halves,
// quarters and so on of a vector: the same formula, no masks, and at most log2 of the lanes steps.

template <class Op, class D>
HWY_INLINE void run_tail(D d, void* y, const void* a, const void* b, const void* c, std::size_t i, std::size_t left) {
  if constexpr (hn::MaxLanes(D()) > 1) {
    const hn::Half<D> half;
    if (left & hn::Lanes(half)) {
      Op::at(half, y, a, b, c, i);
      i += hn::Lanes(half);
    }
    run_tail<Op>(half, y, a, b, c, i, left);
  } else {
    (void)d, (void)y, (void)a, (void)b, (void)c, (void)i, (void)left;
  }
}

template <class Op>
void run(void* y, const void* a, const void* b, const void* c, std::size_t n) {
  const hn::ScalableTag<typename Op::Lane> d;
  const std::size_t lanes = hn::Lanes(d);
  std::size_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    Op::at(d, y, a, b, c, i);
    Op::at(d, y, a, b, c, i + lanes);
    Op::at(d, y, a, b, c, i + 2 * lanes);
    Op::at(d, y, a, b, c, i + 3 * lanes);
  }
  for (; i + lanes <= n; i += lanes) Op::at(d, y, a, b, c, i);
  run_tail<Op>(d, y, a, b, c, i, n - i);
}

template <class T, class F>
struct Unary {
  using Lane = T;
  template <class D>
  static HWY_INLINE void at(D d, void* y, const void* a, const void*, const void*, std::size_t i) {
    hn::StoreU(F::of(d, hn::LoadU(d, in<T>(a, i))), d, out<T>(y, i));
  }
};

template <class T, class F>
struct Binary {
  using Lane = T;
  template <class D>
  static HWY_INLINE void at(D d, void* y, const void* a, const void* b, const void*, std::size_t i) {
    hn::StoreU(F::of(d, hn::LoadU(d, in<T>(a, i)), hn::LoadU(d, in<T>(b, i))), d, out<T>(y, i));
  }
};

template <class T, class F>
struct Ternary {
  using Lane = T;
  template <class D>
  static HWY_INLINE void at(D d, void* y, const void* a, const void* b, const void* c, std::size_t i) {
    const auto v = F::of(d, hn::LoadU(d, in<T>(a, i)), hn::LoadU(d, in<T>(b, i)), hn::LoadU(d, in<T>(c, i)));
    hn::StoreU(v, d, out<T>(y, i));
  }
};

/// The bytes 0 or 1 of a mask over the lanes of d.
template <class D>
HWY_INLINE auto bytes_of(D d, hn::Mask<D> mask) {
  using T = hn::TFromD<D>;
  const hn::RebindToUnsigned<D> du;
  const hn::Rebind<std::uint8_t, D> bytes;
  const auto ones = hn::And(hn::BitCast(du, hn::VecFromMask(d, mask)), hn::Set(du, 1));
  if constexpr (sizeof(T) == 1) {
    return ones;
  } else {
    return hn::TruncateTo(bytes, ones);
  }
}

/// The mask over the lanes of d whose bytes at p are not 0.
template <class D>
HWY_INLINE hn::Mask<D> mask_of(D d, const std::uint8_t* p) {
  using T = hn::TFromD<D>;
  const hn::RebindToUnsigned<D> du;
  const hn::Rebind<std::uint8_t, D> bytes;
  const auto v = hn::LoadU(bytes, p);
  if constexpr (sizeof(T) == 1) {
    return hn::MaskFromVec(hn::BitCast(d, hn::VecFromMask(du, v != hn::Zero(du))));
  } else if constexpr (sizeof(T) == 8) {
    const hn::Rebind<std::uint32_t, D> words;
    const auto wide = hn::PromoteTo(du, hn::PromoteTo(words, v));
    return hn::MaskFromVec(hn::BitCast(d, hn::VecFromMask(du, wide != hn::Zero(du))));
  } else {
    return hn::MaskFromVec(hn::BitCast(d, hn::VecFromMask(du, hn::PromoteTo(du, v) != hn::Zero(du))));
  }
}

/// A predicate of one or two operands of type T; y is bool.
template <class T, class F>
struct UnaryPredicate {
  using Lane = T;
  template <class D>
  static HWY_INLINE void at(D d, void* y, const void* a, const void*, const void*, std::size_t i) {
    const hn::Rebind<std::uint8_t, D> bytes;
    hn::StoreU(bytes_of(d, F::of(d, hn::LoadU(d, in<T>(a, i)))), bytes, out<std::uint8_t>(y, i));
  }
};
template <class T, class F>
struct BinaryPredicate {
  using Lane = T;
  template <class D>
  static HWY_INLINE void at(D d, void* y, const void* a, const void* b, const void*, std::size_t i) {
    const hn::Rebind<std::uint8_t, D> bytes;
    const auto mask = F::of(d, hn::LoadU(d, in<T>(a, i)), hn::LoadU(d, in<T>(b, i)));
    hn::StoreU(bytes_of(d, mask), bytes, out<std::uint8_t>(y, i));
  }
};

/// y = a ? b : c, a bool; T is any type of the element's size.
template <class T>
struct Select {
  using Lane = T;
  template <class D>
  static HWY_INLINE void at(D d, void* y, const void* a, const void* b, const void* c, std::size_t i) {
    const auto mask = mask_of(d, in<std::uint8_t>(a, i));
    hn::StoreU(hn::IfThenElse(mask, hn::LoadU(d, in<T>(b, i)), hn::LoadU(d, in<T>(c, i))), d, out<T>(y, i));
  }
};

// ---- Costly operations ----------------------------------------------------------------------------------------------
//
// The formula stands in the code once, whatever the length: the tail is loaded into a whole vector, zeros beyond.

template <class D>
HWY_INLINE hn::Vec<D> load_some(D d, const hn::TFromD<D>* p, std::size_t count) {
  if (HWY_LIKELY(count >= hn::Lanes(d))) return hn::LoadU(d, p);
  return hn::MaskedLoad(hn::FirstN(d, count), d, p);
}

template <class D>
HWY_INLINE void store_tail(D d, hn::Vec<D> v, hn::TFromD<D>* p, std::size_t count) {
  if constexpr (hn::MaxLanes(D()) > 1) {
    const hn::Half<D> half;
    if (count & hn::Lanes(half)) {
      hn::StoreU(hn::LowerHalf(half, v), half, p);
      store_tail(half, hn::UpperHalf(half, v), p + hn::Lanes(half), count);
    } else {
      store_tail(half, hn::LowerHalf(half, v), p, count);
    }
  } else {
    (void)d, (void)v, (void)p, (void)count;
  }
}

template <class D>
HWY_INLINE void store_some(D d, hn::Vec<D> v, hn::TFromD<D>* p, std::size_t count) {
  if (HWY_LIKELY(count >= hn::Lanes(d))) {
    hn::StoreU(v, d, p);
  } else {
    store_tail(d, v, p, count);
  }
}

/// Applies f to elements of type T.
template <class T, class F>
HWY_INLINE void costly_loop(F f, void* y, const void* a, std::size_t n) {
  const hn::ScalableTag<T> d;
  for (std::size_t i = 0; i < n; i += hn::Lanes(d)) {
    store_some(d, f.of(d, load_some(d, in<T>(a, i), n - i)), out<T>(y, i), n - i);
  }
}
/// The same for what networks call most, two vectors side by side: the operations of one, a long chain, fill the waits
/// of the other. (The compiler is told to mix them in CMakeLists.txt.)
template <class T, class F>
HWY_INLINE void busy_loop(F f, void* y, const void* a, std::size_t n) {
  const hn::ScalableTag<T> d;
  const std::size_t lanes = hn::Lanes(d), pairs = n / (2 * lanes) * (2 * lanes);
  for (std::size_t i = 0; i < pairs; i += 2 * lanes) {
    const auto first = f.of(d, hn::LoadU(d, in<T>(a, i)));
    const auto second = f.of(d, hn::LoadU(d, in<T>(a, i + lanes)));
    hn::StoreU(first, d, out<T>(y, i));
    hn::StoreU(second, d, out<T>(y, i + lanes));
  }
  costly_loop<T>(f, out<T>(y, pairs), in<T>(a, pairs), n - pairs);
}

/// Applies F, of one or two operands of type T.
template <class T, class F>
void costly_unary(void* y, const void* a, const void*, const void*, std::size_t n) {
  costly_loop<T>(F{}, y, a, n);
}
template <class T, class F>
void busy_unary(void* y, const void* a, const void*, const void*, std::size_t n) {
  busy_loop<T>(F{}, y, a, n);
}
template <class T, class F>
void costly_binary(void* y, const void* a, const void* b, const void*, std::size_t n) {
  const hn::ScalableTag<T> d;
  for (std::size_t i = 0; i < n; i += hn::Lanes(d)) {
    const auto v = F::of(d, load_some(d, in<T>(a, i), n - i), load_some(d, in<T>(b, i), n - i));
    store_some(d, v, out<T>(y, i), n - i);
  }
}

/// Applies F, a formula over float64, to float32 operands: it rounds once, so the result is the nearest number but for
/// the rarest ties.
template <class F>
void through_double_unary(void* y, const void* a, const void*, const void*, std::size_t n) {
  const hn::ScalableTag<double> d;
  const hn::Rebind<float, decltype(d)> narrow;
  for (std::size_t i = 0; i < n; i += hn::Lanes(d)) {
    const auto x = hn::PromoteTo(d, load_some(narrow, in<float>(a, i), n - i));
    store_some(narrow, hn::DemoteTo(narrow, F::of(d, x)), out<float>(y, i), n - i);
  }
}
template <class F>
void through_double_binary(void* y, const void* a, const void* b, const void*, std::size_t n) {
  const hn::ScalableTag<double> d;
  const hn::Rebind<float, decltype(d)> narrow;
  for (std::size_t i = 0; i < n; i += hn::Lanes(d)) {
    const auto u = hn::PromoteTo(d, load_some(narrow, in<float>(a, i), n - i));
    const auto v = hn::PromoteTo(d, load_some(narrow, in<float>(b, i), n - i));
    store_some(narrow, hn::DemoteTo(narrow, F::of(d, u, v)), out<float>(y, i), n - i);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
HWY_AFTER_NAMESPACE();

#endif  // toggle
