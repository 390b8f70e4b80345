// take, scatter_add and their forms along an axis, against loops that follow their definitions.
#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <type_traits>
#include <vector>

#include "kernels/kernels.h"

namespace pellucid::kernels {
namespace {

struct Shape {
  std::int64_t outer, n, inner, count;
};

// Small ones, odd ones, and ones that are cut into pieces over outer, over rows and over inner.
constexpr Shape kShapes[] = {
    {1, 1, 1, 1},      {1, 5, 1, 7},  {1, 10, 3, 4},     {2, 7, 5, 9},      {3, 4, 16, 6},     {1, 100, 1, 1000},
    {1, 30, 4, 50},    {4, 6, 33, 5}, {1, 500, 784, 64}, {1, 40, 4000, 70}, {60, 10, 40, 33},  {1, 9, 2, 60000},
    {3000, 10, 1, 12}, {2, 3, 0, 4},  {0, 3, 2, 4},      {2, 3, 4, 0},      {1, 64, 17, 1111}, {1, 20, 8, 9000}};

template <class T>
constexpr DType dtype_of() {
  if constexpr (std::is_same_v<T, float>) return DType::kFloat32;
  if constexpr (std::is_same_v<T, double>) return DType::kFloat64;
  if constexpr (std::is_same_v<T, std::int32_t>) return DType::kInt32;
  if constexpr (std::is_same_v<T, std::int64_t>) return DType::kInt64;
  return DType::kUInt8;
}

template <class T>
std::vector<T> numbers(std::int64_t count, std::mt19937& random) {
  std::vector<T> x(static_cast<std::size_t>(count));
  for (T& value : x) value = static_cast<T>(static_cast<double>(random()) * 0x1p-26);
  return x;
}

std::vector<std::int64_t> indices(std::int64_t count, std::int64_t n, std::mt19937& random) {
  std::vector<std::int64_t> index(static_cast<std::size_t>(count));
  for (std::int64_t& i : index) i = static_cast<std::int64_t>(random() % static_cast<std::uint32_t>(2 * n)) - n;
  return index;
}

std::size_t wrap(std::int64_t index, std::int64_t n) { return static_cast<std::size_t>(index < 0 ? index + n : index); }

template <class T>
class IndexTest : public ::testing::Test {};
using Types = ::testing::Types<std::uint8_t, std::int32_t, std::int64_t, float, double>;
TYPED_TEST_SUITE(IndexTest, Types);

TYPED_TEST(IndexTest, TakesAndAdds) {
  using T = TypeParam;
  std::mt19937 random(3);
  for (const Shape& shape : kShapes) {
    const auto [outer, n, inner, count] = shape;
    const std::vector<T> x = numbers<T>(outer * n * inner, random);
    const std::vector<T> updates = numbers<T>(outer * count * inner, random);
    for (const bool along : {false, true}) {
      const auto index = indices(along ? outer * count * inner : count, n, random);
      std::vector<T> taken(updates.size(), T{9}), expected_taken = taken;
      std::vector<T> added = x, expected_added = x;
      for (std::int64_t o = 0; o < outer; ++o) {
        for (std::int64_t i = 0; i < count; ++i) {
          for (std::int64_t s = 0; s < inner; ++s) {
            const auto at = static_cast<std::size_t>((o * count + i) * inner + s);
            const std::size_t row = wrap(index[along ? at : static_cast<std::size_t>(i)], n);
            const auto place =
                (static_cast<std::size_t>(o * n) + row) * static_cast<std::size_t>(inner) + static_cast<std::size_t>(s);
            expected_taken[at] = x[place];
            expected_added[place] = static_cast<T>(expected_added[place] + updates[at]);
          }
        }
      }
      if (along) {
        ASSERT_EQ(take_along(taken.data(), x.data(), index.data(), outer, n, inner, count, sizeof(T)), -1);
        ASSERT_EQ(scatter_add_along(added.data(), updates.data(), index.data(), outer, n, inner, count, dtype_of<T>()),
                  -1);
      } else {
        ASSERT_EQ(take(taken.data(), x.data(), index.data(), outer, n, inner, count, sizeof(T)), -1);
        ASSERT_EQ(scatter_add(added.data(), updates.data(), index.data(), outer, n, inner, count, dtype_of<T>()), -1);
      }
      ASSERT_EQ(taken, expected_taken) << outer << ", " << n << ", " << inner << ", " << count << " along " << along;
      ASSERT_EQ(added, expected_added) << outer << ", " << n << ", " << inner << ", " << count << " along " << along;
    }
  }
}

TEST(IndexErrorTest, TheFirstIndexOutOfRangeIsFoundAndNothingWritten) {
  for (const std::int64_t count : {1, 2, 15, 16, 17, 40, 1000}) {
    for (const std::int64_t wrong : {std::int64_t{5}, std::int64_t{-6}, INT64_MAX, INT64_MIN}) {
      for (std::int64_t at = 0; at < count; at += 1 + count / 7) {
        std::vector<std::int64_t> index(static_cast<std::size_t>(count), -5);
        index[static_cast<std::size_t>(at)] = wrong;
        index.back() = at + 1 < count ? 99 : index.back();
        const std::vector<float> x(5, 1.0F), updates(index.size(), 1.0F);
        std::vector<float> y(index.size(), 7.0F), sums(5, 7.0F);
        EXPECT_EQ(take(y.data(), x.data(), index.data(), 1, 5, 1, count, 4), at);
        EXPECT_EQ(take_along(y.data(), x.data(), index.data(), 1, 5, 1, count, 4), at);
        EXPECT_EQ(scatter_add(sums.data(), updates.data(), index.data(), 1, 5, 1, count, DType::kFloat32), at);
        EXPECT_EQ(scatter_add_along(sums.data(), updates.data(), index.data(), 1, 5, 1, count, DType::kFloat32), at);
        EXPECT_EQ(y, std::vector<float>(index.size(), 7.0F));
        EXPECT_EQ(sums, std::vector<float>(5, 7.0F));
      }
    }
  }
  const std::int64_t zero = 0;
  EXPECT_EQ(take(nullptr, nullptr, &zero, 1, 0, 1, 1, 4), 0) << "no index is in range of an empty axis";
  EXPECT_EQ(take(nullptr, nullptr, nullptr, 1, 0, 1, 0, 4), -1);
}

}  // namespace
}  // namespace pellucid::kernels
