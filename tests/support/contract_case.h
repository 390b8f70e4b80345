// One contraction beside its definition: operands, the expected result one std::fma after the other, and what a run of
// the kernel is held to.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

#include "kernels/kernels.h"
#include "pellucid/threads.h"

namespace pellucid::kernels {

using Size = std::int64_t;

template <class T>
constexpr DType dtype_of() {
  if (std::is_same_v<T, float>) return DType::kFloat32;
  if (std::is_same_v<T, double>) return DType::kFloat64;
  if (std::is_same_v<T, std::int32_t>) return DType::kInt32;
  if (std::is_same_v<T, std::int64_t>) return DType::kInt64;
  return DType::kBFloat16;
}

inline float wide(BFloat16 x) { return std::bit_cast<float>(static_cast<std::uint32_t>(x.bits) << 16); }
template <class T>
T wide(T x) {
  return x;
}

template <class O, class T>
O rounded(T x) {
  if constexpr (std::is_same_v<O, BFloat16>) {
    if (std::isnan(x)) return {static_cast<std::uint16_t>((std::bit_cast<std::uint32_t>(x) >> 16) | 0x40u)};
    // Nearest, ties to even, in whole numbers: the two neighbours and which is nearer.
    const std::uint32_t bits = std::bit_cast<std::uint32_t>(x), low = bits & 0xFFFFu;
    const std::uint32_t up = low > 0x8000u || (low == 0x8000u && (bits & 0x10000u) != 0) ? 1 : 0;
    return {static_cast<std::uint16_t>((bits >> 16) + up)};
  } else {
    return x;
  }
}

template <class T>
T multiply_add(T x, T y, T z) {
  if constexpr (std::is_floating_point_v<T>) {
    return std::fma(x, y, z);
  } else {
    using U = std::make_unsigned_t<T>;
    return static_cast<T>(static_cast<U>(x) * static_cast<U>(y) + static_cast<U>(z));
  }
}
template <class T>
T sum(T x, T y) {
  return multiply_add(T{1}, x, y);
}

/// Memory of exactly `size` elements, so that the address sanitizer sees a read beyond either end.
template <class T>
class Operand {
 public:
  Operand(Size low, Size high, std::mt19937_64& random) : low_(low), data_(static_cast<std::size_t>(high - low + 1)) {
    for (T& x : data_) {
      const auto bits = random();
      if constexpr (std::is_same_v<T, BFloat16>) {
        x = rounded<BFloat16>(static_cast<float>(static_cast<std::int32_t>(bits)) * 0x1p-31f);
      } else if constexpr (std::is_floating_point_v<T>) {
        x = static_cast<T>(static_cast<std::int32_t>(bits)) * static_cast<T>(0x1p-31);
        if (bits >> 60 == 0) x = T{-0.0f};
      } else {
        x = static_cast<T>(bits);
      }
    }
  }
  T* at0() { return data_.data() - low_; }
  const T* at0() const { return data_.data() - low_; }

 private:
  Size low_;
  std::vector<T> data_;
};

/// The lowest and highest offset that strides reach.
inline std::pair<Size, Size> reach(const std::vector<std::pair<Size, Size>>& sizes_strides) {
  Size low = 0, high = 0;
  for (const auto& [size, stride] : sizes_strides) {
    if (size == 0) return {0, 0};
    (stride < 0 ? low : high) += (size - 1) * stride;
  }
  return {low, high};
}

struct Rectangles {
  std::mutex mutex;
  std::vector<std::array<Size, 5>> list;
  static void call(void* context, Size z, Size row0, Size row1, Size column0, Size column1) {
    auto& self = *static_cast<Rectangles*>(context);
    const std::lock_guard lock(self.mutex);
    self.list.push_back({z, row0, row1, column0, column1});
  }
};

inline std::string text(const ContractShape& s) {
  std::string t = std::string(name_of(s.dtype)) + " -> " + std::string(name_of(s.out)) + " m " + std::to_string(s.m) +
                  " n " + std::to_string(s.n) + " k " + std::to_string(s.k) + " a_m " + std::to_string(s.a_m) +
                  " a_k " + std::to_string(s.a_k) + " b_k " + std::to_string(s.b_k) + " b_n " + std::to_string(s.b_n) +
                  " c_m " + std::to_string(s.c_m) + (s.bias ? " bias" : "") + (s.relu ? " relu" : "") + " batch";
  for (std::size_t d = 0; d < s.batch.size(); ++d) {
    t += " " + std::to_string(s.batch[d]) + "(" + std::to_string(s.a_batch[d]) + " " + std::to_string(s.b_batch[d]) +
         " " + std::to_string(s.c_batch[d]) + ")";
  }
  return t;
}

template <class T, class O>
class Case {
 public:
  using Sum = std::conditional_t<std::is_same_v<T, BFloat16>, float, T>;

  Case(ContractShape shape, std::uint64_t seed) : shape_(std::move(shape)), random_(seed) {
    shape_.dtype = dtype_of<T>();
    shape_.out = dtype_of<O>();
    std::vector<std::pair<Size, Size>> a = {{shape_.m, shape_.a_m}, {shape_.k, shape_.a_k}};
    std::vector<std::pair<Size, Size>> b = {{shape_.k, shape_.b_k}, {shape_.n, shape_.b_n}};
    std::vector<std::pair<Size, Size>> c = {{shape_.m, shape_.c_m}, {shape_.n, 1}};
    for (std::size_t d = 0; d < shape_.batch.size(); ++d) {
      a.emplace_back(shape_.batch[d], shape_.a_batch[d]);
      b.emplace_back(shape_.batch[d], shape_.b_batch[d]);
      c.emplace_back(shape_.batch[d], shape_.c_batch[d]);
    }
    std::tie(a_low_, a_high_) = reach(a);
    std::tie(b_low_, b_high_) = reach(b);
    std::tie(c_low_, c_high_) = reach(c);
    a_ = std::make_unique<Operand<T>>(a_low_, a_high_, random_);
    b_ = std::make_unique<Operand<T>>(b_low_, b_high_, random_);
    bias_ = std::make_unique<Operand<O>>(0, std::max<Size>(shape_.n - 1, 0), random_);
    start_ = std::make_unique<Operand<O>>(c_low_, c_high_, random_);
    expected_ = std::make_unique<Operand<O>>(*start_);
    define();
  }

  /// Runs the kernel on `threads` threads, also with either operand packed beforehand; the rectangles that were called
  /// final.
  std::set<std::array<Size, 5>> check(int threads) {
    set_threads(threads);
    for (const auto steady : {ContractSteady::kA, ContractSteady::kB}) {
      const Contract contract(shape_, steady);
      if (contract.packed() == 0) continue;
      const Memory packed = memory(contract.packed());
      contract.pack(packed.get(), steady == ContractSteady::kA ? a_->at0() : b_->at0());
      run(contract, threads, steady == ContractSteady::kA ? packed.get() : nullptr,
          steady == ContractSteady::kB ? packed.get() : nullptr);
      ++packed_runs;
    }
    return run(Contract(shape_), threads, nullptr, nullptr);
  }

  static inline Size packed_runs = 0;

 private:
  using Memory = std::unique_ptr<std::byte, void (*)(void*)>;
  /// What is in the memory before must not matter.
  static Memory memory(std::size_t bytes) {
    if (bytes == 0) return {nullptr, std::free};
    Memory made(static_cast<std::byte*>(std::aligned_alloc(64, (bytes + 63) / 64 * 64)), std::free);
    std::memset(made.get(), 0xFF, bytes);
    return made;
  }

  std::set<std::array<Size, 5>> run(const Contract& contract, int threads, const void* packed_a, const void* packed_b) {
    Operand<O> c = *start_;
    const Memory workspace = memory(contract.workspace());
    Rectangles done;
    contract.run(c.at0(), packed_a != nullptr ? packed_a : a_->at0(), packed_b != nullptr ? packed_b : b_->at0(),
                 bias_->at0(), workspace.get(), {&Rectangles::call, &done});
    const std::size_t size = static_cast<std::size_t>(c_high_ - c_low_ + 1) * sizeof(O);
    if (std::memcmp(c.at0() + c_low_, expected_->at0() + c_low_, size) != 0) {
      report(c, threads);
    }
    std::set<std::array<Size, 5>> rectangles(done.list.begin(), done.list.end());
    EXPECT_EQ(rectangles.size(), done.list.size()) << text(shape_);
    expect_cover(rectangles);
    return rectangles;
  }

  Size batches() const {
    Size z = 1;
    for (const Size size : shape_.batch) z *= size;
    return z;
  }
  std::array<Size, 3> offsets(Size z) const {
    std::array<Size, 3> at = {0, 0, 0};
    for (std::size_t d = shape_.batch.size(); d-- > 0;) {
      const Size i = z % shape_.batch[d];
      z /= shape_.batch[d];
      at[0] += i * shape_.a_batch[d];
      at[1] += i * shape_.b_batch[d];
      at[2] += i * shape_.c_batch[d];
    }
    return at;
  }

  void define() {
    const ContractShape& s = shape_;
    for (Size z = 0; z < batches(); ++z) {
      const auto [a0, b0, c0] = offsets(z);
      for (Size i = 0; i < s.m; ++i) {
        for (Size j = 0; j < s.n; ++j) {
          Sum total{};
          for (Size p0 = 0; p0 < s.k; p0 += kContractChunk) {
            Sum chunk{};
            for (Size p = p0; p < std::min(s.k, p0 + kContractChunk); ++p) {
              chunk = multiply_add<Sum>(wide(a_->at0()[a0 + i * s.a_m + p * s.a_k]),
                                        wide(b_->at0()[b0 + p * s.b_k + j * s.b_n]), chunk);
            }
            total = p0 == 0 ? chunk : sum(total, chunk);
          }
          if (s.bias) total = sum<Sum>(total, wide(bias_->at0()[j]));
          if (s.relu && total <= Sum{}) total = Sum{};
          expected_->at0()[c0 + i * s.c_m + j] = rounded<O>(total);
        }
      }
    }
  }

  void report(const Operand<O>& c, int threads) {
    for (Size at = c_low_; at <= c_high_; ++at) {
      if (std::memcmp(c.at0() + at, expected_->at0() + at, sizeof(O)) != 0) {
        ADD_FAILURE() << text(shape_) << " threads " << threads << ": element at offset " << at << " of c is "
                      << +wide(c.at0()[at]) << ", want " << +wide(expected_->at0()[at]);
        return;
      }
    }
  }

  void expect_cover(const std::set<std::array<Size, 5>>& rectangles) {
    Size area = 0;
    for (const auto& [z, row0, row1, column0, column1] : rectangles) {
      EXPECT_TRUE(0 <= z && z < batches() && 0 <= row0 && row0 < row1 && row1 <= shape_.m && 0 <= column0 &&
                  column0 < column1 && column1 <= shape_.n)
          << text(shape_);
      area += (row1 - row0) * (column1 - column0);
    }
    EXPECT_EQ(area, batches() * shape_.m * shape_.n) << text(shape_);
    if (rectangles.size() > 64) return;
    for (auto x = rectangles.begin(); x != rectangles.end(); ++x) {
      for (auto y = std::next(x); y != rectangles.end(); ++y) {
        const bool apart =
            (*x)[0] != (*y)[0] || (*x)[2] <= (*y)[1] || (*y)[2] <= (*x)[1] || (*x)[4] <= (*y)[3] || (*y)[4] <= (*x)[3];
        EXPECT_TRUE(apart) << text(shape_) << ": rectangles overlap";
      }
    }
  }

  ContractShape shape_;
  std::mt19937_64 random_;
  Size a_low_ = 0, a_high_ = 0, b_low_ = 0, b_high_ = 0, c_low_ = 0, c_high_ = 0;
  std::unique_ptr<Operand<T>> a_, b_;
  std::unique_ptr<Operand<O>> bias_, start_, expected_;
};

}  // namespace pellucid::kernels
