// The contraction against its definition, one std::fma after the other: the same bits for every shape, layout, element
// type and thread count.
#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <tuple>
#include <utility>
#include <vector>

#include "kernels/kernels.h"
#include "support/contract_case.h"

namespace pellucid::kernels {
namespace {

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

/// m x n x k with a's strides along (m, k), b's along (k, n) and a contiguous result.
ContractShape shape_of(const std::array<Size, 3>& sizes, const std::array<Size, 2>& a, const std::array<Size, 2>& b) {
  ContractShape s;
  s.m = sizes[0];
  s.n = sizes[1];
  s.k = sizes[2];
  s.a_m = a[0];
  s.a_k = a[1];
  s.b_k = b[0];
  s.b_n = b[1];
  s.c_m = sizes[1];
  return s;
}

// Steps of a that fall into few sets of the caches: a is packed, alone for a piece or once for all.
TYPED_TEST(ContractTest, TransposedOnesOfWideMatrices) {
  std::mt19937_64 random(6);
  for (const auto& [m, n, k, step] : std::vector<std::array<Size, 4>>{{256, 100, 512, 512},
                                                                      {100, 150, 1030, 1024},
                                                                      {36, 200, 300, 2048},
                                                                      {128, 520, 1100, 128},
                                                                      {61, 70, 65, 512}}) {
    const ContractShape s = shape_of({m, n, k}, {1, step}, {n, 1});
    Case<typename TypeParam::Operand, typename TypeParam::Result> one(s, random());
    const auto rectangles = one.check(1);
    for (const int threads : {2, 7}) EXPECT_EQ(one.check(threads), rectangles);
  }
}

// Columns of b that lie along k, some in whole panels and blocks of steps, some not: tiles transpose them, or a pass.
TYPED_TEST(ContractTest, TransposedOnTheOtherSide) {
  std::mt19937_64 random(7);
  for (const auto& [m, n, k, step] : std::vector<std::array<Size, 4>>{{64, 64, 64, 64},
                                                                      {6, 96, 4, 4},
                                                                      {5, 64, 128, 128},
                                                                      {37, 160, 300, 307},
                                                                      {26, 64, 102, 102},
                                                                      {50, 80, 1028, 1029},
                                                                      {40, 128, 64, 1024},
                                                                      {130, 320, 260, 260}}) {
    ContractShape s = shape_of({m, n, k}, {k, 1}, {1, step});
    s.relu = m > 40;
    Case<typename TypeParam::Operand, typename TypeParam::Result> one(s, random());
    const auto rectangles = one.check(1);
    for (const int threads : {2, 7}) EXPECT_EQ(one.check(threads), rectangles);
  }
}

// Steps of b that are spread over megabytes, and are fetched long before tiles copy them.
TYPED_TEST(ContractTest, StepsFarApart) {
  std::mt19937_64 random(8);
  for (const Size k : {513, 1024, 1090}) {
    const ContractShape s = shape_of({30, 200, k}, {k, 1}, {1024, 1});
    Case<typename TypeParam::Operand, typename TypeParam::Result> one(s, random());
    const auto rectangles = one.check(1);
    EXPECT_EQ(one.check(2), rectangles);
  }
}

// Rows of a along k that all lie in one set of L1: a is packed.
TYPED_TEST(ContractTest, RowsInOneSet) {
  std::mt19937_64 random(9);
  for (const Size row : {1024, 2048}) {
    const ContractShape s = shape_of({65, 1030, row == 2048 ? 1048 : 1024}, {row, 1}, {1030, 1});
    Case<typename TypeParam::Operand, typename TypeParam::Result> one(s, random());
    const auto rectangles = one.check(1);
    EXPECT_EQ(one.check(2), rectangles);
  }
}

// From 256 Mi multiply-adds on such rows are packed once for all pieces, and so are contiguous ones.
TEST(Contract, RowsPackedForAllPieces) {
  std::mt19937_64 random(10);
  for (const bool along : {true, false}) {
    const ContractShape s =
        along ? shape_of({260, 1030, 1048}, {2048, 1}, {1030, 1}) : shape_of({260, 1030, 1048}, {1, 512}, {1030, 1});
    Case<float, float> one(s, random());
    const auto rectangles = one.check(1);
    EXPECT_EQ(one.check(2), rectangles);
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
