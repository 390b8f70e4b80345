// Reductions against a scalar reference of the order that kernels.h fixes, bit for bit; and what the order promises.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <type_traits>
#include <vector>

#include "kernels/kernels.h"

namespace pellucid::kernels {
namespace {

enum class Kind { kSum, kProd, kMax, kMin };
constexpr Kind kKinds[] = {Kind::kSum, Kind::kProd, Kind::kMax, Kind::kMin};

const Reduction& of(Kind kind) {
  const ReduceTable& table = reduce_table();
  switch (kind) {
    case Kind::kSum:
      return table.sum;
    case Kind::kProd:
      return table.prod;
    case Kind::kMax:
      return table.max;
    default:
      return table.min;
  }
}

template <class T>
constexpr DType dtype_of() {
  if constexpr (std::is_same_v<T, float>) return DType::kFloat32;
  if constexpr (std::is_same_v<T, double>) return DType::kFloat64;
  if constexpr (std::is_same_v<T, std::int32_t>) return DType::kInt32;
  if constexpr (std::is_same_v<T, std::int64_t>) return DType::kInt64;
  return DType::kUInt8;
}

// ---- The reference --------------------------------------------------------------------------------------------------

template <class T>
T apply(Kind kind, T a, T b) {
  constexpr bool kFloat = std::is_floating_point_v<T>;
  if (kind == Kind::kSum) {
    if constexpr (kFloat) return a + b;
    return static_cast<T>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
  }
  if (kind == Kind::kProd) {
    if constexpr (kFloat) return a * b;
    return static_cast<T>(static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>(b));
  }
  if (a != a) return a;
  if (b != b) return b;
  bool b_greater = b > a;
  bool b_less = b < a;
  if constexpr (kFloat) {
    if (a == b) {
      b_greater = std::signbit(a) && !std::signbit(b);
      b_less = std::signbit(b) && !std::signbit(a);
    }
  }
  return (kind == Kind::kMax ? b_greater : b_less) ? b : a;
}

template <class T>
T identity(Kind kind) {
  using Limits = std::numeric_limits<T>;
  if (kind == Kind::kSum) return T{0};
  if (kind == Kind::kProd) return T{1};
  if (kind == Kind::kMax) return Limits::has_infinity ? -Limits::infinity() : Limits::lowest();
  return Limits::has_infinity ? Limits::infinity() : Limits::max();
}

/// A binary counter: equal sizes merge as they meet; what is left, from the latest to the earliest.
template <class T>
T counter_tree(Kind kind, const std::vector<T>& parts) {
  std::vector<std::pair<T, int>> stack;
  for (T part : parts) {
    int size = 1;
    while (!stack.empty() && stack.back().second == size) {
      part = apply(kind, stack.back().first, part);
      size *= 2;
      stack.pop_back();
    }
    stack.emplace_back(part, size);
  }
  T result = stack.back().first;
  for (std::size_t i = stack.size() - 1; i-- > 0;) result = apply(kind, stack[i].first, result);
  return result;
}

template <class T>
T grouped(Kind kind, const std::vector<T>& x) {
  std::vector<T> parts;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (i % kColumnGroup == 0) {
      parts.push_back(x[i]);
    } else {
      parts.back() = apply(kind, parts.back(), x[i]);
    }
  }
  return counter_tree(kind, parts);
}

template <class T>
T reference_row(Kind kind, const T* x, std::size_t n) {
  if (n == 0) return identity<T>(kind);
  std::vector<T> lanes;  // of the lanes that have elements at all
  for (std::size_t lane = 0; lane < std::min(n, kLanes); ++lane) {
    std::vector<T> blocks;
    for (std::size_t begin = 0; begin + lane < n; begin += kReduceBlock) {
      std::vector<T> own;
      for (std::size_t i = begin + lane; i < std::min(n, begin + kReduceBlock); i += kLanes) own.push_back(x[i]);
      blocks.push_back(grouped(kind, own));
    }
    lanes.push_back(counter_tree(kind, blocks));
  }
  for (std::size_t half = kLanes / 2; half > 0; half /= 2) {
    for (std::size_t i = 0; i < half && i + half < lanes.size(); ++i) lanes[i] = apply(kind, lanes[i], lanes[i + half]);
    if (lanes.size() > half) lanes.resize(half);
  }
  return lanes[0];
}

template <class T>
T reference_column(Kind kind, const T* x, std::size_t rows, std::size_t stride) {
  if (rows == 0) return identity<T>(kind);
  std::vector<T> column;
  for (std::size_t r = 0; r < rows; ++r) column.push_back(x[r * stride]);
  return grouped(kind, column);
}

template <class T>
::testing::AssertionResult same_bits(T a, T b) {
  if (std::memcmp(&a, &b, sizeof(T)) == 0 || (a != a && b != b)) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << +a << " is not " << +b;
}

/// Numbers of both signs and many magnitudes; near 1 for products, so that these neither vanish nor overflow.
template <class T>
std::vector<T> numbers(std::size_t n, Kind kind, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<T> x(n);
  for (T& value : x) {
    const double unit = static_cast<double>(random() >> 11) * 0x1p-53;
    if constexpr (std::is_floating_point_v<T>) {
      value = static_cast<T>(kind == Kind::kProd ? 1 + (unit - 0.5) * 0.01
                                                 : (unit - 0.5) * std::exp2(static_cast<double>(random() % 24)));
    } else {
      value = static_cast<T>(random());
    }
  }
  return x;
}

std::vector<std::size_t> lengths() {
  std::vector<std::size_t> all;
  for (std::size_t n = 0; n <= 70; ++n) all.push_back(n);
  for (std::size_t n :
       {127, 128, 129, 130, 255, 256, 384, 511, 640, 777, 1023, 1024, 1025, 1026, 2048, 3072, 3100, 5000, 100000}) {
    all.push_back(n);
  }
  return all;
}

template <class T>
class ReduceTest : public ::testing::Test {};
using NumberTypes = ::testing::Types<float, double, std::int32_t, std::int64_t, std::uint8_t>;
TYPED_TEST_SUITE(ReduceTest, NumberTypes);

// ---- Bits -----------------------------------------------------------------------------------------------------------

TYPED_TEST(ReduceTest, RowsHaveTheFixedOrder) {
  using T = TypeParam;
  for (const Kind kind : kKinds) {
    for (const std::size_t cols : lengths()) {
      for (const std::size_t rows : {1, 3, 4, 8, 9, 17}) {
        if ((cols > 5000 && rows > 1) || (cols > 130 && rows > 9)) break;
        const std::vector<T> x = numbers<T>(rows * cols, kind, cols);
        std::vector<T> y(rows + 1, T{77});
        of(kind).rows[dtype_of<T>()](y.data(), x.data(), rows, cols);
        for (std::size_t r = 0; r < rows; ++r) {
          ASSERT_TRUE(same_bits(y[r], reference_row(kind, x.data() + r * cols, cols)))
              << "kind " << static_cast<int>(kind) << ", row " << r << " of " << rows << " x " << cols;
        }
        ASSERT_EQ(y[rows], T{77});
      }
    }
  }
}

TYPED_TEST(ReduceTest, LanesMergedAndFinishedAreTheRow) {
  using T = TypeParam;
  for (const Kind kind : kKinds) {
    const Reduction& reduction = of(kind);
    for (const std::size_t cols : lengths()) {
      if (cols == 0) continue;
      const std::vector<T> x = numbers<T>(cols, kind, cols + 1);
      std::vector<std::pair<std::vector<T>, int>> stack;
      for (std::size_t begin = 0; begin < cols; begin += kReduceBlock) {
        std::vector<T> lanes(kLanes);
        reduction.lanes[dtype_of<T>()](lanes.data(), x.data() + begin, std::min(kReduceBlock, cols - begin));
        stack.emplace_back(lanes, 1);
        while (stack.size() > 1 && stack[stack.size() - 2].second == stack.back().second) {
          auto& earlier = stack[stack.size() - 2];
          T* merged = earlier.first.data();
          reduction.merge[dtype_of<T>()](merged, merged, stack.back().first.data(), nullptr, kLanes);
          earlier.second *= 2;
          stack.pop_back();
        }
      }
      for (; stack.size() > 1; stack.pop_back()) {
        T* merged = stack[stack.size() - 2].first.data();
        reduction.merge[dtype_of<T>()](merged, merged, stack.back().first.data(), nullptr, kLanes);
      }
      T y{};
      reduction.finish[dtype_of<T>()](&y, stack[0].first.data());
      ASSERT_TRUE(same_bits(y, reference_row(kind, x.data(), cols))) << static_cast<int>(kind) << ", " << cols;
    }
  }
}

TYPED_TEST(ReduceTest, ColumnsHaveTheFixedOrder) {
  using T = TypeParam;
  const auto check = [](Kind kind, std::size_t rows, std::size_t cols, std::size_t stride, bool few) {
    const std::vector<T> x = numbers<T>(rows == 0 ? 0 : (rows - 1) * stride + cols, kind, rows * 31 + cols);
    std::vector<T> y(cols + 1, T{77});
    const ByDType<ReduceAllColumns>& all = of(kind).all_columns;
    (few ? of(kind).columns[dtype_of<T>()] : all[dtype_of<T>()])(y.data(), x.data(), rows, cols, stride);
    for (std::size_t c = 0; c < cols; ++c) {
      ASSERT_TRUE(same_bits(y[c], reference_column(kind, x.data() + c, rows, stride)))
          << "kind " << static_cast<int>(kind) << ", column " << c << " of " << rows << " x " << cols << " by "
          << stride;
    }
    ASSERT_EQ(y[cols], T{77});
  };
  for (const Kind kind : kKinds) {
    for (const std::size_t cols : {1, 2, 3, 4, 7, 8, 10, 16, 17, 33, 65, 129}) {
      for (const std::size_t stride : {cols, cols + 3}) {
        for (std::size_t rows = 1; rows <= kColumnGroup; ++rows) check(kind, rows, cols, stride, true);
        for (const std::size_t rows : {0, 1, 4, 8, 9, 17, 24, 63, 64, 65, 72, 129, 200, 513}) {
          check(kind, rows, cols, stride, false);
        }
      }
    }
    for (const std::size_t cols : {1, 10, 40}) check(kind, 30011, cols, cols, false);
    check(kind, 19, 10000, 10000, false);
    check(kind, 70, 10007, 10007, false);
  }
}

TYPED_TEST(ReduceTest, OneElementIsItself) {
  using T = TypeParam;
  for (const Kind kind : kKinds) {
    for (const T value :
         {static_cast<T>(-0.0), T{0}, T{1}, std::numeric_limits<T>::lowest(), std::numeric_limits<T>::max()}) {
      T y{5};
      of(kind).rows[dtype_of<T>()](&y, &value, 1, 1);
      EXPECT_TRUE(same_bits(y, value));
      of(kind).all_columns[dtype_of<T>()](&y, &value, 1, 1, 1);
      EXPECT_TRUE(same_bits(y, value));
      T lanes[kLanes];
      of(kind).lanes[dtype_of<T>()](lanes, &value, 1);
      of(kind).finish[dtype_of<T>()](&y, lanes);
      EXPECT_TRUE(same_bits(y, value));
    }
  }
}

TEST(ReduceOrderTest, BoolHasMaxAndMin) {
  for (const std::size_t cols : lengths()) {
    std::vector<std::uint8_t> x(cols, 0);
    const auto reduced = [&](const Reduction& reduction) {
      std::uint8_t row = 9, column = 9;
      reduction.rows[DType::kBool](&row, x.data(), 1, cols);
      reduction.all_columns[DType::kBool](&column, x.data(), cols, 1, 1);
      EXPECT_EQ(row, column);
      return row;
    };
    EXPECT_EQ(reduced(reduce_table().max), 0);
    EXPECT_EQ(reduced(reduce_table().min), cols == 0 ? 1 : 0);
    if (cols == 0) continue;
    x[cols / 2] = 1;
    EXPECT_EQ(reduced(reduce_table().max), 1);
    EXPECT_EQ(reduced(reduce_table().min), cols == 1 ? 1 : 0);
    x.assign(cols, 1);
    EXPECT_EQ(reduced(reduce_table().min), 1);
  }
  EXPECT_EQ(reduce_table().sum.rows[DType::kBool], nullptr);
  EXPECT_EQ(reduce_table().sum.rows[DType::kBFloat16], nullptr);
}

// ---- What the order promises ----------------------------------------------------------------------------------------

TEST(ReduceOrderTest, ErrorOfASumIsWithinLog2PlusEightUnits) {
  for (const std::size_t n : lengths()) {
    if (n == 0) continue;
    for (const std::uint64_t seed : {1, 2, 3}) {
      std::vector<float> x = numbers<float>(n, Kind::kSum, seed);
      if (seed == 3) {
        for (std::size_t i = 0; i < n; ++i) x[i] = 1.0F + static_cast<float>(i % 7) * 0x1p-23F;
      }
      long double exact = 0, magnitudes = 0;
      for (const float value : x) {
        exact += static_cast<long double>(value);
        magnitudes += std::abs(static_cast<long double>(value));
      }
      const long double bound = (std::log2(static_cast<long double>(n)) + 8) * 0x1p-24L * magnitudes;
      float row = 0, column = 0;
      reduce_table().sum.rows[DType::kFloat32](&row, x.data(), 1, n);
      reduce_table().sum.all_columns[DType::kFloat32](&column, x.data(), n, 1, 1);
      EXPECT_LE(std::abs(static_cast<long double>(row) - exact), bound) << n;
      EXPECT_LE(std::abs(static_cast<long double>(column) - exact), bound) << n;
    }
  }
}

template <class T>
void nan_wins_and_zeros_are_ordered() {
  const T nan = std::numeric_limits<T>::quiet_NaN();
  for (const std::size_t n : {1, 2, 3, 8, 9, 10, 16, 17, 40, 128, 129, 200, 1024, 1500, 2049}) {
    for (std::size_t at = 0; at < n; at += 1 + n / 40) {
      for (const Kind kind : {Kind::kMax, Kind::kMin}) {
        std::vector<T> x = numbers<T>(n, kind, n);
        x[at] = nan;
        T row{}, column{};
        of(kind).rows[dtype_of<T>()](&row, x.data(), 1, n);
        of(kind).all_columns[dtype_of<T>()](&column, x.data(), n, 1, 1);
        ASSERT_TRUE(std::isnan(row)) << n << " at " << at;
        ASSERT_TRUE(std::isnan(column)) << n << " at " << at;
        x.assign(n, kind == Kind::kMax ? T{-0.0} : T{0.0});
        x[at] = -x[at];
        of(kind).rows[dtype_of<T>()](&row, x.data(), 1, n);
        of(kind).all_columns[dtype_of<T>()](&column, x.data(), n, 1, 1);
        ASSERT_TRUE(same_bits(row, x[at])) << n << " at " << at;
        ASSERT_TRUE(same_bits(column, x[at])) << n << " at " << at;
      }
    }
  }
}

TEST(ReduceOrderTest, NanWinsAndZerosAreOrdered) {
  nan_wins_and_zeros_are_ordered<float>();
  nan_wins_and_zeros_are_ordered<double>();
}

// ---- Arguments ------------------------------------------------------------------------------------------------------

template <class T>
std::int64_t reference_argument(const T* x, std::size_t n, bool greatest) {
  std::size_t best = 0;
  for (std::size_t i = 0; i < n; ++i) {
    if (x[i] != x[i]) return static_cast<std::int64_t>(i);
    if (greatest ? x[i] > x[best] : x[i] < x[best]) best = i;
  }
  return static_cast<std::int64_t>(best);
}

TYPED_TEST(ReduceTest, ArgumentsAreTheFirstOfEquals) {
  using T = TypeParam;
  std::mt19937_64 random(7);
  for (const std::size_t cols : lengths()) {
    if (cols == 0) continue;
    for (const std::size_t rows : {1, 5, 8, 19}) {
      if (cols > 5000 && rows > 1) break;
      for (const int distinct : {2, 5, 100}) {
        std::vector<T> x(rows * cols);
        for (T& value : x) value = static_cast<T>(random() % static_cast<unsigned>(distinct));
        if (std::is_floating_point_v<T> && distinct == 5) {
          for (T& value : x) {
            if (value == T{0} && random() % 2 == 0) value = -value;
            if (random() % (cols * 2) == 0) value = std::numeric_limits<T>::quiet_NaN();
          }
        }
        std::vector<std::int64_t> greatest(rows), least(rows);
        reduce_table().argmax[dtype_of<T>()](greatest.data(), x.data(), rows, cols);
        reduce_table().argmin[dtype_of<T>()](least.data(), x.data(), rows, cols);
        for (std::size_t r = 0; r < rows; ++r) {
          ASSERT_EQ(greatest[r], reference_argument(x.data() + r * cols, cols, true)) << rows << " x " << cols;
          ASSERT_EQ(least[r], reference_argument(x.data() + r * cols, cols, false)) << rows << " x " << cols;
        }
      }
    }
  }
}

}  // namespace
}  // namespace pellucid::kernels
