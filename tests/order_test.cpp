// Sorting, searching and cumulation against the standard library and plain loops.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <numeric>
#include <random>
#include <type_traits>
#include <vector>

#include "kernels/kernels.h"

namespace pellucid::kernels {
namespace {

// ---- Order ----------------------------------------------------------------------------------------------------------

double as_double(BFloat16 x) { return static_cast<double>(std::bit_cast<float>(std::uint32_t{x.bits} << 16)); }
double as_double(double x) { return x; }

template <class T>
struct Order {
  static bool nan(T x) {
    if constexpr (std::is_integral_v<T>)
      return false;
    else
      return std::isnan(as_double(x));
  }
  static bool less(T a, T b) {
    if constexpr (std::is_integral_v<T>)
      return a < b;
    else
      return as_double(a) < as_double(b);
  }
};

template <class T>
constexpr DType dtype_of() {
  if constexpr (std::is_same_v<T, float>) return DType::kFloat32;
  if constexpr (std::is_same_v<T, double>) return DType::kFloat64;
  if constexpr (std::is_same_v<T, BFloat16>) return DType::kBFloat16;
  if constexpr (std::is_same_v<T, std::int32_t>) return DType::kInt32;
  if constexpr (std::is_same_v<T, std::int64_t>) return DType::kInt64;
  return DType::kUInt8;
}

/// 0: anything there is; 1: few distinct values; 2: floats near each other, integers that share their upper halves;
/// 3: rising.
template <class T>
std::vector<T> values(std::size_t n, int kind, std::mt19937_64& random) {
  std::vector<T> x(n);
  for (std::size_t i = 0; i < n; ++i) {
    std::uint64_t bits = random();
    if constexpr (std::is_same_v<T, BFloat16>) {
      x[i] = {static_cast<std::uint16_t>(kind == 0 ? bits : kind == 3 ? 0x3F80 + i / 4 : 0x3F80 + bits % 5)};
      if (kind == 1 && bits % 7 == 0) x[i] = {static_cast<std::uint16_t>(bits % 3 == 0 ? 0x8000 : 0)};
    } else if (kind == 0) {
      std::memcpy(&x[i], &bits, sizeof(T));
      if (bits % 11 == 0) x[i] = std::numeric_limits<T>::has_infinity ? std::numeric_limits<T>::infinity() : x[i];
    } else if (kind == 1) {
      x[i] = static_cast<T>(static_cast<std::int64_t>(bits % 5) - 2);
      if (std::is_floating_point_v<T> && x[i] == T{0} && bits % 2 == 0) x[i] = -x[i];
      if (bits % 13 == 0) x[i] = std::numeric_limits<T>::has_quiet_NaN ? std::numeric_limits<T>::quiet_NaN() : x[i];
    } else if (kind == 2) {
      x[i] = std::is_floating_point_v<T> ? static_cast<T>(1 + static_cast<double>(bits % 4096) * 0x1p-50)
                                         : static_cast<T>(bits % 100000);
    } else {
      x[i] = static_cast<T>(i / 3);
    }
  }
  return x;
}

template <class T>
class OrderTest : public ::testing::Test {};
using AllTypes = ::testing::Types<std::uint8_t, std::int32_t, std::int64_t, BFloat16, float, double>;
TYPED_TEST_SUITE(OrderTest, AllTypes);

TYPED_TEST(OrderTest, ArgsortIsStableAndPutsNanLast) {
  using T = TypeParam;
  std::mt19937_64 random(5);
  for (const std::size_t cols : {0, 1, 2, 3, 10, 100, 255, 256, 257, 300, 1000, 5000, 40000}) {
    for (const std::size_t rows : {1, 3, 30}) {
      if (rows * cols > 40000) break;
      for (int kind = 0; kind < 4; ++kind) {
        const std::vector<T> x = values<T>(rows * cols, kind, random);
        for (const bool descending : {false, true}) {
          std::vector<std::int64_t> y(rows * cols), expected(cols);
          argsort_rows(y.data(), x.data(), static_cast<std::int64_t>(rows), static_cast<std::int64_t>(cols), descending,
                       dtype_of<T>());
          for (std::size_t r = 0; r < rows; ++r) {
            std::iota(expected.begin(), expected.end(), 0);
            const auto before = [&](std::int64_t a, std::int64_t b) {
              const T u = x[r * cols + static_cast<std::size_t>(a)], v = x[r * cols + static_cast<std::size_t>(b)];
              if (Order<T>::nan(u) || Order<T>::nan(v)) return !Order<T>::nan(u) && Order<T>::nan(v);
              return descending ? Order<T>::less(v, u) : Order<T>::less(u, v);
            };
            // Equal ones keep their order: the position decides.
            std::sort(expected.begin(), expected.end(),
                      [&](std::int64_t a, std::int64_t b) { return before(a, b) || (!before(b, a) && a < b); });
            ASSERT_TRUE(std::equal(expected.begin(), expected.end(), y.begin() + static_cast<std::ptrdiff_t>(r * cols)))
                << "row " << r << " of " << rows << " x " << cols << ", kind " << kind << ", descending " << descending;
          }
        }
      }
    }
  }
}

TYPED_TEST(OrderTest, SearchsortedFindsTheFirstPlace) {
  using T = TypeParam;
  std::mt19937_64 random(6);
  const auto less = [](T a, T b) {
    if (Order<T>::nan(a) || Order<T>::nan(b)) return !Order<T>::nan(a) && Order<T>::nan(b);
    return Order<T>::less(a, b);
  };
  for (const std::size_t n : {0, 1, 2, 3, 7, 8, 100, 3000}) {
    for (int kind = 0; kind < 4; ++kind) {
      std::vector<T> sorted = values<T>(n, kind, random);
      std::sort(sorted.begin(), sorted.end(), less);
      std::vector<T> wanted = values<T>(2500, kind, random);
      wanted.insert(wanted.end(), sorted.begin(), sorted.end());
      for (const bool right : {false, true}) {
        std::vector<std::int64_t> y(wanted.size());
        searchsorted(y.data(), sorted.data(), static_cast<std::int64_t>(n), wanted.data(),
                     static_cast<std::int64_t>(wanted.size()), right, dtype_of<T>());
        for (std::size_t j = 0; j < wanted.size(); ++j) {
          const auto place = right ? std::upper_bound(sorted.begin(), sorted.end(), wanted[j], less)
                                   : std::lower_bound(sorted.begin(), sorted.end(), wanted[j], less);
          ASSERT_EQ(y[j], place - sorted.begin()) << n << ", kind " << kind << ", right " << right;
        }
      }
    }
  }
}

TEST(OrderBoolTest, SortsAndSearches) {
  const std::vector<std::uint8_t> x = {1, 0, 1, 0, 0};
  std::vector<std::int64_t> y(5);
  argsort_rows(y.data(), x.data(), 1, 5, false, DType::kBool);
  EXPECT_EQ(y, (std::vector<std::int64_t>{1, 3, 4, 0, 2}));
  argsort_rows(y.data(), x.data(), 1, 5, true, DType::kBool);
  EXPECT_EQ(y, (std::vector<std::int64_t>{0, 2, 1, 3, 4}));
  const std::vector<std::uint8_t> sorted = {0, 0, 1, 1, 1};
  searchsorted(y.data(), sorted.data(), 5, x.data(), 2, false, DType::kBool);
  EXPECT_EQ(y[0], 2);
  EXPECT_EQ(y[1], 0);
}

// ---- Cumulation -----------------------------------------------------------------------------------------------------

template <class T>
T apply(Cumulation kind, T a, T b) {
  if (kind == Cumulation::kSum) return static_cast<T>(a + b);
  if (kind == Cumulation::kProd) return static_cast<T>(a * b);
  if (a != a || b != b) return a != a ? a : b;
  if constexpr (std::is_floating_point_v<T>) {
    if (a == b) return std::signbit(a) == (kind == Cumulation::kMax) ? b : a;
  }
  return kind == Cumulation::kMax ? std::max(a, b) : std::min(a, b);
}

template <class T>
class CumulateTest : public ::testing::Test {};
using NumberTypes = ::testing::Types<std::uint8_t, std::int32_t, std::int64_t, float, double>;
TYPED_TEST_SUITE(CumulateTest, NumberTypes);

TYPED_TEST(CumulateTest, RunsInOrder) {
  using T = TypeParam;
  struct Shape {
    std::int64_t outer, n, inner;
  };
  std::mt19937_64 random(8);
  for (const auto& [outer, n, inner] :
       {Shape{1, 1, 1}, Shape{3, 7, 1}, Shape{9, 300, 1}, Shape{400, 100, 1}, Shape{2, 5, 3}, Shape{4, 20, 16},
        Shape{30, 9, 333}, Shape{1, 50, 2000}, Shape{0, 3, 2}, Shape{3, 0, 2}, Shape{3, 2, 0}}) {
    for (const Cumulation kind : {Cumulation::kSum, Cumulation::kProd, Cumulation::kMax, Cumulation::kMin}) {
      std::vector<T> x(static_cast<std::size_t>(outer * n * inner));
      for (T& value : x) {
        const std::uint64_t bits = random();
        const bool signs = kind != Cumulation::kProd && std::is_signed_v<T>;
        value = std::is_floating_point_v<T> && kind != Cumulation::kProd
                    ? static_cast<T>(static_cast<double>(static_cast<std::int64_t>(bits)) * 0x1p-60)
                    : static_cast<T>(bits % 3);
        if (signs && bits % 5 == 0) value = static_cast<T>(-T{0});
        if (std::is_floating_point_v<T> && bits % 211 == 0) value = std::numeric_limits<T>::quiet_NaN();
      }
      if (std::is_same_v<T, std::int32_t> || std::is_same_v<T, std::int64_t>) {
        for (std::size_t i = 0; kind == Cumulation::kProd && i < x.size(); ++i)
          x[i] = static_cast<T>(i % 9 == 0 ? -1 : 1);
      }
      std::vector<T> y(x.size()), expected = x;
      for (std::int64_t o = 0; o < outer; ++o) {
        for (std::int64_t i = 1; i < n; ++i) {
          for (std::int64_t s = 0; s < inner; ++s) {
            const auto at = static_cast<std::size_t>((o * n + i) * inner + s);
            expected[at] = apply(kind, expected[at - static_cast<std::size_t>(inner)], x[at]);
          }
        }
      }
      cumulate(y.data(), x.data(), outer, n, inner, kind, dtype_of<T>());
      for (std::size_t i = 0; i < y.size(); ++i) {
        ASSERT_TRUE(std::memcmp(&y[i], &expected[i], sizeof(T)) == 0 || (y[i] != y[i] && expected[i] != expected[i]))
            << +y[i] << " is not " << +expected[i] << ": " << outer << ", " << n << ", " << inner;
      }
      std::vector<T> in_place = x;
      cumulate(in_place.data(), in_place.data(), outer, n, inner, kind, dtype_of<T>());
      EXPECT_TRUE(x.empty() || std::memcmp(in_place.data(), y.data(), y.size() * sizeof(T)) == 0);
    }
  }
}

}  // namespace
}  // namespace pellucid::kernels
