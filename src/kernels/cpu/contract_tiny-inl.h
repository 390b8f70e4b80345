// Contractions so small that a call's own cost counts: no plan, no packing, no scratch memory, one thread.
// Included once for each instruction set (Highway's toggle).
#if defined(PELLUCID_KERNELS_CPU_CONTRACT_TINY_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef PELLUCID_KERNELS_CPU_CONTRACT_TINY_INL_H_
#undef PELLUCID_KERNELS_CPU_CONTRACT_TINY_INL_H_
#else
#define PELLUCID_KERNELS_CPU_CONTRACT_TINY_INL_H_
#endif

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "hwy/highway.h"
#include "kernels/cpu/contract.h"
#include "kernels/cpu/contract_run-inl.h"
#include "kernels/cpu/contract_tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace pellucid::kernels {
namespace HWY_NAMESPACE {
namespace contract {

// ---- Up to one vector of columns ------------------------------------------------------------------------------------

/// c[i * c_row + j] = act(sum over p of s[i * s_row + p * s_k] * v[p * v_k + j] + bias) for i < kRows, j < columns, of
/// which there are at most Lanes(d), and fewer only where kMasked.
template <int kRows, bool kMasked, class D, class T = hn::TFromD<D>, class V = hn::Vec<D>>
HWY_INLINE void tiny_rows(D d, const T* s, Size s_row, Size s_k, const T* v, Size v_k, Size k, T* c, Size c_row,
                          Size columns, const V* bias, bool relu_too) {
  const auto mask = hn::FirstN(d, static_cast<std::size_t>(columns));
  V acc[kRows];
  HWY_UNROLL(4)
  for (int i = 0; i < kRows; ++i) acc[i] = hn::Zero(d);
  for (Size p = 0; p < k; ++p) {
    const V right = kMasked ? hn::MaskedLoad(mask, d, v) : hn::LoadU(d, v);
    HWY_UNROLL(4)
    for (int i = 0; i < kRows; ++i) acc[i] = multiply_add(hn::Set(d, s[i * s_row]), right, acc[i]);
    s += s_k;
    v += v_k;
  }
  HWY_UNROLL(4)
  for (int i = 0; i < kRows; ++i) {
    if (bias != nullptr) acc[i] = hn::Add(acc[i], *bias);
    if (relu_too) acc[i] = relu(d, acc[i]);
    if constexpr (kMasked) {
      store_first(acc[i], d, c + i * c_row, columns);
    } else {
      hn::StoreU(acc[i], d, c + i * c_row);
    }
  }
}

/// n from 2 to kCap columns (kCap exactly, where not masked), b's columns contiguous.
template <class T, int kCap, bool kMasked>
void run_tiny(const Contract& contract, void* c_, const void* a_, const void* b_, const void* bias_, void*,
              const ContractDone& done) {
  const hn::CappedTag<T, kCap> d;
  const ContractShape& shape = contract.shape();
  const Size m = shape.m, n = shape.n, a_m = shape.a_m, a_k = shape.a_k, c_m = shape.c_m;
  const T* a = static_cast<const T*>(a_);
  const T* b = static_cast<const T*>(b_);
  T* c = static_cast<T*>(c_);
  hn::Vec<decltype(d)> bias_row = hn::Zero(d);
  const hn::Vec<decltype(d)>* bias = nullptr;
  if (shape.bias) {
    const T* at = static_cast<const T*>(bias_);
    bias_row = kMasked ? hn::MaskedLoad(hn::FirstN(d, static_cast<std::size_t>(n)), d, at) : hn::LoadU(d, at);
    bias = &bias_row;
  }
  Size i = 0;
  for (; i + 4 <= m; i += 4) {
    tiny_rows<4, kMasked>(d, a + i * a_m, a_m, a_k, b, shape.b_k, shape.k, c + i * c_m, c_m, n, bias, shape.relu);
  }
  for (; i + 2 <= m; i += 2) {
    tiny_rows<2, kMasked>(d, a + i * a_m, a_m, a_k, b, shape.b_k, shape.k, c + i * c_m, c_m, n, bias, shape.relu);
  }
  if (i < m) {
    tiny_rows<1, kMasked>(d, a + i * a_m, a_m, a_k, b, shape.b_k, shape.k, c + i * c_m, c_m, n, bias, shape.relu);
  }
  if (done.call != nullptr) done.call(done.context, 0, 0, m, 0, n);
}

/// n = 1, up to kCap rows, and both a's and c's rows contiguous: the rows are what a vector holds.
template <class T, int kCap, bool kMasked>
void run_tiny_column(const Contract& contract, void* c, const void* a, const void* b, const void* bias_, void*,
                     const ContractDone& done) {
  const hn::CappedTag<T, kCap> d;
  const ContractShape& shape = contract.shape();
  hn::Vec<decltype(d)> bias_row = hn::Zero(d);
  if (shape.bias) bias_row = hn::Set(d, *static_cast<const T*>(bias_));
  tiny_rows<1, kMasked>(d, static_cast<const T*>(b), 0, shape.b_k, static_cast<const T*>(a), shape.a_k, shape.k,
                        static_cast<T*>(c), 0, shape.m, shape.bias ? &bias_row : nullptr, shape.relu);
  if (done.call != nullptr) done.call(done.context, 0, 0, shape.m, 0, 1);
}

// ---- One by one -----------------------------------------------------------------------------------------------------

template <class T>
HWY_INLINE T scalar_multiply_add(T x, T y, T z) {
  if constexpr (std::is_floating_point_v<T>) {
    return std::fma(x, y, z);
  } else {
    using U = std::make_unsigned_t<T>;
    return static_cast<T>(static_cast<U>(x) * static_cast<U>(y) + static_cast<U>(z));
  }
}

template <class T>
HWY_INLINE T scalar_add(T x, T y) {
  if constexpr (std::is_floating_point_v<T>) {
    return x + y;
  } else {
    using U = std::make_unsigned_t<T>;
    return static_cast<T>(static_cast<U>(x) + static_cast<U>(y));
  }
}

/// kRows sums side by side, since one multiply-add takes four cycles and two can start in each.
template <int kRows, class T>
HWY_INLINE void scalar_rows(const T* a, Size a_m, Size a_k, const T* b, Size b_k, Size k, T* c, Size c_m, const T* bias,
                            bool relu_too) {
  T acc[kRows] = {};
  for (Size p = 0; p < k; ++p) {
    HWY_UNROLL(4)
    for (int i = 0; i < kRows; ++i) acc[i] = scalar_multiply_add(a[i * a_m], *b, acc[i]);
    a += a_k;
    b += b_k;
  }
  HWY_UNROLL(4)
  for (int i = 0; i < kRows; ++i) {
    if (bias != nullptr) acc[i] = scalar_add(acc[i], *bias);
    if (relu_too) acc[i] = acc[i] <= T{} ? T{} : acc[i];
    c[i * c_m] = acc[i];
  }
}

/// Any strides; a column of the result at a time.
template <class T>
void run_tiny_scalar(const Contract& contract, void* c_, const void* a_, const void* b_, const void* bias_, void*,
                     const ContractDone& done) {
  const ContractShape& shape = contract.shape();
  const Size m = shape.m, n = shape.n, k = shape.k, a_m = shape.a_m, a_k = shape.a_k, b_k = shape.b_k, c_m = shape.c_m;
  const T* a = static_cast<const T*>(a_);
  const T* b = static_cast<const T*>(b_);
  const T* bias = shape.bias ? static_cast<const T*>(bias_) : nullptr;
  T* c = static_cast<T*>(c_);
  for (Size j = 0; j < n; ++j) {
    Size i = 0;
    for (; i + 4 <= m; i += 4) scalar_rows<4>(a + i * a_m, a_m, a_k, b, b_k, k, c + i * c_m, c_m, bias, shape.relu);
    for (; i < m; ++i) scalar_rows<1>(a + i * a_m, a_m, a_k, b, b_k, k, c + i * c_m, c_m, bias, shape.relu);
    b += shape.b_n;
    ++c;
    if (bias != nullptr) ++bias;
  }
  if (done.call != nullptr) done.call(done.context, 0, 0, m, 0, n);
}

// ---- Small: tiles straight on the operands --------------------------------------------------------------------------

template <class T>
void run_small(const Contract& contract, void* c, const void* a, const void* b, const void* bias, void*,
               const ContractDone& done) {
  const ContractShape& shape = contract.shape();
  Block<T, T> block;
  block.s = static_cast<const T*>(a);
  block.s_stride = {shape.a_m, shape.a_k};
  block.v = static_cast<const T*>(b);
  block.v_stride = {shape.b_n, shape.b_k};
  block.rows = shape.m;
  block.columns = shape.n;
  block.k = shape.k;
  block.c = static_cast<T*>(c);
  block.c_row = shape.c_m;
  block.bias = shape.bias ? static_cast<const T*>(bias) : nullptr;
  block.relu = shape.relu;
  run_block(block, [](Size, Size) {});
  if (done.call != nullptr) done.call(done.context, 0, 0, shape.m, 0, shape.n);
}

// ---- Choice ---------------------------------------------------------------------------------------------------------

template <class T, template <class, int, bool> class Kernel>
ContractAccess::Run narrowest(Size columns) {
  constexpr int most = static_cast<int>(kLanesOf<T>);
  if constexpr (sizeof(T) == 4) {
    if (columns == 4) return Kernel<T, 4, false>::run;
    if (columns < 4) return Kernel<T, 4, true>::run;
    if constexpr (most > 8) {
      if (columns == 8) return Kernel<T, 8, false>::run;
      if (columns < 8) return Kernel<T, 8, true>::run;
    }
  } else {
    if (columns == 2) return Kernel<T, 2, false>::run;
    if constexpr (most > 4) {
      if (columns == 4) return Kernel<T, 4, false>::run;
      if (columns < 4) return Kernel<T, 4, true>::run;
    }
  }
  return columns == most ? Kernel<T, most, false>::run : Kernel<T, most, true>::run;
}

template <class T, int kCap, bool kMasked>
struct TinyRows {
  static constexpr ContractAccess::Run run = &run_tiny<T, kCap, kMasked>;
};
template <class T, int kCap, bool kMasked>
struct TinyColumn {
  static constexpr ContractAccess::Run run = &run_tiny_column<T, kCap, kMasked>;
};

/// The kernel for a shape that needs no plan; null where it needs one.
template <class T, class S, class O>
ContractAccess::Run tiny_kernel(const ContractShape& shape) {
  if constexpr (std::is_same_v<T, S> && std::is_same_v<T, O>) {
    constexpr Size lanes = kLanesOf<T>;
    const Size m = shape.m, n = shape.n, k = shape.k;
    for (const Size size : shape.batch) {
      if (size != 1) return nullptr;
    }
    if (k > kContractChunk) return nullptr;
    const bool contiguous = shape.b_n == 1 || n == 1;
    if (n == 1 && m <= lanes && m > 1 && shape.a_m == 1 && shape.c_m == 1) return narrowest<T, TinyColumn>(m);
    if (n <= lanes && n > 1 && contiguous && m <= 16 && k <= 64) return narrowest<T, TinyRows>(n);
    if (m * n * k <= 128 && (m >= 4 || m * n * k <= 32)) return &run_tiny_scalar<T>;
    constexpr Size kMostSpan = 8 << 10;  // elements of b: they stay in L1, wherever they lie
    const Size span = k * (shape.b_k < 0 ? -shape.b_k : shape.b_k);
    if (n > 1 && contiguous && m * n * k < (Size{512} << 10) && span * static_cast<Size>(sizeof(T)) <= 4 * kMostSpan) {
      return &run_small<T>;
    }
  } else {
    (void)shape;
  }
  return nullptr;
}

}  // namespace contract
}  // namespace HWY_NAMESPACE
}  // namespace pellucid::kernels
HWY_AFTER_NAMESPACE();

#endif  // PELLUCID_KERNELS_CPU_CONTRACT_TINY_INL_H_
