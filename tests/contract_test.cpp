// The contraction against its definition, one std::fma after the other: the same bits for every shape, layout, element
// type and thread count.
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
namespace {

using Size = std::int64_t;

template <class T>
constexpr DType dtype_of() {
  if (std::is_same_v<T, float>) return DType::kFloat32;
  if (std::is_same_v<T, double>) return DType::kFloat64;
  if (std::is_same_v<T, std::int32_t>) return DType::kInt32;
  if (std::is_same_v<T, std::int64_t>) return DType::kInt64;
  return DType::kBFloat16;
}

float wide(BFloat16 x) { return std::bit_cast<float>(static_cast<std::uint32_t>(x.bits) << 16); }
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
std::pair<Size, Size> reach(const std::vector<std::pair<Size, Size>>& sizes_strides) {
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

std::string text(const ContractShape& s) {
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

Size draw(std::mt19937_64& random, Size low, Size high) {
  return low + static_cast<Size>(random() % static_cast<std::uint64_t>(high - low + 1));
}

/// Strides of a matrix, rows x columns: as it is, transposed, spaced, reversed, repeated.
std::pair<Size, Size> layout(std::mt19937_64& random, Size rows, Size columns) {
  switch (draw(random, 0, 9)) {
    case 0:
    case 1:
    case 2:
      return {columns, 1};
    case 3:
    case 4:
    case 5:
      return {1, rows};
    case 6:
      return {columns + draw(random, 0, 9), 1};
    case 7:
      return {1, rows + draw(random, 0, 9)};
    case 8:
      return {draw(random, -3, 3), draw(random, -50, 50)};
    default:
      return {-3 * columns, 2};
  }
}

ContractShape random_shape(std::mt19937_64& random, Size m, Size n, Size k) {
  ContractShape s;
  s.m = m;
  s.n = n;
  s.k = k;
  std::tie(s.a_m, s.a_k) = layout(random, m, k);
  std::tie(s.b_k, s.b_n) = layout(random, k, n);
  s.c_m = n + (random() % 3 == 0 ? draw(random, 0, 20) : 0);
  s.bias = random() % 2 == 0;
  s.relu = random() % 2 == 0;
  if (random() % 4 == 0) {
    const Size outer = draw(random, 1, 3), inner = draw(random, 1, 3), c_one = m * s.c_m;
    s.batch = {outer, inner};
    s.a_batch = {random() % 2 == 0 ? 0 : m * k, draw(random, -5, 100)};
    s.b_batch = {n * k, random() % 2 == 0 ? 0 : 7};
    s.c_batch = {inner * c_one, c_one};
    if (random() % 2 == 0) s.c_batch = {c_one, outer * c_one};
  }
  return s;
}

template <class Types>
class ContractTest : public testing::Test {};
template <class T, class O>
struct Pair {
  using Operand = T;
  using Result = O;
};
using AllPairs =
    testing::Types<Pair<float, float>, Pair<double, double>, Pair<BFloat16, float>, Pair<BFloat16, BFloat16>,
                   Pair<std::int32_t, std::int32_t>, Pair<std::int64_t, std::int64_t>>;
TYPED_TEST_SUITE(ContractTest, AllPairs);

TYPED_TEST(ContractTest, SmallShapesOfEveryLayout) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 1500; ++i) {
    const Size most = i % 3 == 0 ? 5 : i % 3 == 1 ? 17 : 40;
    const auto shape = random_shape(random, draw(random, 1, most), draw(random, 1, most), draw(random, 0, most));
    Case<typename TypeParam::Operand, typename TypeParam::Result>(shape, random()).check(1);
    if (this->HasFailure()) return;
  }
}

TYPED_TEST(ContractTest, OneRowOrOneColumn) {
  std::mt19937_64 random(2);
  for (int i = 0; i < 200; ++i) {
    Size m = draw(random, 1, 150), n = draw(random, 1, 4);
    if (i % 2 == 0) std::swap(m, n);
    const auto shape = random_shape(random, m, n, draw(random, 1, 80));
    Case<typename TypeParam::Operand, typename TypeParam::Result>(shape, random()).check(1);
    if (this->HasFailure()) return;
  }
}

TYPED_TEST(ContractTest, LongSumsAreCutIntoChunks) {
  std::mt19937_64 random(3);
  for (const Size k : {1023, 1024, 1025, 1500, 2048, 3000, 5 * 1024 + 1}) {
    for (int i = 0; i < 4; ++i) {
      const auto shape = random_shape(random, draw(random, 1, 30), draw(random, 1, 30), k);
      Case<typename TypeParam::Operand, typename TypeParam::Result>(shape, random()).check(1 + i % 2);
      if (this->HasFailure()) return;
    }
  }
}

TYPED_TEST(ContractTest, EveryThreadCountGivesTheSameBitsAndRectangles) {
  std::mt19937_64 random(4);
  const std::array<std::array<Size, 3>, 6> sizes = {
      {{130, 257, 70}, {300, 65, 40}, {9, 1200, 100}, {70, 40, 1100}, {20, 12, 6000}, {1, 3000, 300}}};
  for (const auto& [m, n, k] : sizes) {
    for (int i = 0; i < 2; ++i) {
      Case<typename TypeParam::Operand, typename TypeParam::Result> one(random_shape(random, m, n, k), random());
      const auto rectangles = one.check(1);
      for (const int threads : {2, 3, 7}) EXPECT_EQ(one.check(threads), rectangles);
      if (this->HasFailure()) return;
    }
  }
}

// Steps of a that fall into few sets of the caches: a is packed, alone for a piece or once for all.
TYPED_TEST(ContractTest, TransposedOnesOfWideMatrices) {
  std::mt19937_64 random(6);
  for (const auto& [m, n, k, step] : std::vector<std::array<Size, 4>>{{256, 100, 512, 512},
                                                                      {100, 150, 1030, 1024},
                                                                      {36, 200, 300, 2048},
                                                                      {128, 520, 1100, 128},
                                                                      {61, 70, 65, 512}}) {
    ContractShape s;
    s.m = m;
    s.n = n;
    s.k = k;
    s.a_m = 1;
    s.a_k = step;
    s.b_k = n;
    s.b_n = 1;
    s.c_m = n;
    Case<typename TypeParam::Operand, typename TypeParam::Result> one(s, random());
    const auto rectangles = one.check(1);
    for (const int threads : {2, 7}) EXPECT_EQ(one.check(threads), rectangles);
  }
}

// The step of a loop: few rows, the same weights in every step, as they lie or transposed.
TYPED_TEST(ContractTest, SteadyWeightsArePacked) {
  using OneCase = Case<typename TypeParam::Operand, typename TypeParam::Result>;
  std::mt19937_64 random(8);
  for (const auto& [m, n, k] : std::vector<std::array<Size, 3>>{{32, 200, 130},
                                                                {3, 300, 256},
                                                                {1, 520, 64},
                                                                {7, 45, 2100},
                                                                {257, 140, 64},
                                                                {2, 2, 3000},
                                                                {20, 1040, 1030}}) {
    for (const bool transposed : {false, true}) {
      ContractShape s;
      s.m = m;
      s.n = n;
      s.k = k;
      s.a_m = k;
      s.a_k = 1;
      s.b_k = transposed ? 1 : n;
      s.b_n = transposed ? k : 1;
      s.c_m = n;
      s.bias = transposed;
      const Size before = OneCase::packed_runs;
      OneCase one(s, random());
      const auto rectangles = one.check(1);
      for (const int threads : {2, 7}) EXPECT_EQ(one.check(threads), rectangles);
      if (n > 16) {
        EXPECT_GE(OneCase::packed_runs, before + 3) << m << " " << n << " " << k;
      }
    }
  }
}

TYPED_TEST(ContractTest, ManyBatchesShareTheThreads) {
  std::mt19937_64 random(5);
  for (int i = 0; i < 3; ++i) {
    ContractShape s;
    s.m = draw(random, 10, 40);
    s.n = draw(random, 10, 40);
    s.k = draw(random, 10, 40);
    s.a_m = s.k;
    s.a_k = 1;
    s.b_k = i == 0 ? 1 : s.n;
    s.b_n = i == 0 ? s.k : 1;
    s.c_m = s.n;
    s.batch = {3, 67};
    s.a_batch = {67 * s.m * s.k, s.m * s.k};
    s.b_batch = {0, s.k * s.n};
    s.c_batch = {67 * s.m * s.n, s.m * s.n};
    Case<typename TypeParam::Operand, typename TypeParam::Result> one(s, random());
    const auto rectangles = one.check(1);
    for (const int threads : {2, 7}) EXPECT_EQ(one.check(threads), rectangles);
  }
}

TEST(Contract, EmptySumsAreZeroPlusBias) {
  std::mt19937_64 random(6);
  for (const Size m : {1, 5, 40}) {
    for (const Size n : {1, 7, 100}) {
      ContractShape s;
      s.m = m;
      s.n = n;
      s.a_m = s.b_k = s.b_n = s.a_k = 1;
      s.c_m = n;
      s.bias = m == 5;
      Case<float, float>(s, random()).check(2);
      Case<BFloat16, BFloat16>(s, random()).check(2);
    }
  }
}

TEST(Contract, NothingIsDoneForNoOutputs) {
  for (const Size empty : {0, 1, 2}) {
    ContractShape s;
    s.m = empty == 0 ? 0 : 3;
    s.n = empty == 1 ? 0 : 3;
    s.k = 3;
    s.a_m = s.b_k = s.c_m = 3;
    s.a_k = s.b_n = 1;
    if (empty == 2) {
      s.batch = {0};
      s.a_batch = s.b_batch = s.c_batch = {9};
    }
    const Contract contract(s);
    EXPECT_EQ(contract.workspace(), 0u);
    Rectangles done;
    contract.run(nullptr, nullptr, nullptr, nullptr, nullptr, {&Rectangles::call, &done});
    EXPECT_TRUE(done.list.empty());
  }
}

TEST(Contract, NanAndInfinityPassThroughBiasAndRelu) {
  for (const Size n : {3, 8, 40}) {
    for (const Size m : {2, 7}) {
      const Size k = 3;
      std::vector<float> a(static_cast<std::size_t>(m * k), 1.0f), b(static_cast<std::size_t>(k * n), 1.0f),
          c(static_cast<std::size_t>(m * n)), bias(static_cast<std::size_t>(n), 0.0f);
      b[0] = std::numeric_limits<float>::quiet_NaN();
      b[1] = std::numeric_limits<float>::infinity();
      b[2] = -std::numeric_limits<float>::infinity();
      ContractShape s;
      s.m = m;
      s.n = n;
      s.k = k;
      s.a_m = k;
      s.a_k = s.b_n = 1;
      s.b_k = s.c_m = n;
      s.bias = s.relu = true;
      const Contract contract(s);
      std::vector<std::byte> memory(contract.workspace() + 64);
      void* workspace = memory.data();
      std::size_t room = memory.size();
      std::align(64, contract.workspace(), workspace, room);
      contract.run(c.data(), a.data(), b.data(), bias.data(), workspace);
      EXPECT_TRUE(std::isnan(c[0]));
      EXPECT_EQ(c[1], std::numeric_limits<float>::infinity());
      EXPECT_EQ(c[2], 0.0f);
    }
  }
}

TEST(Contract, SmallOnesNeedNoWorkspace) {
  for (const auto& [m, k, n] : {std::array<Size, 3>{4, 2, 4}, {4, 4, 1}, {2, 4, 4}, {16, 16, 16}, {64, 64, 64}}) {
    ContractShape s;
    s.m = m;
    s.n = n;
    s.k = k;
    s.a_m = k;
    s.a_k = s.b_n = 1;
    s.b_k = s.c_m = n;
    EXPECT_EQ(Contract(s).workspace(), 0u) << m << " " << k << " " << n;
  }
}

}  // namespace
}  // namespace pellucid::kernels
