// Strided copies, fills and broadcasts against loops that follow their definitions.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <numeric>
#include <random>
#include <vector>

#include "kernels/kernels.h"

namespace pellucid::kernels {
namespace {

using Ints = std::vector<std::int64_t>;

/// A strided view: where it starts in its buffer, and how many elements the buffer has.
struct View {
  Ints strides;
  std::int64_t start = 0, extent = 1;
};

/// Finds start and extent, so that every element of the view lies in the buffer, with a few elements around.
View place(const Ints& shape, Ints strides) {
  std::int64_t low = 0, high = 0;
  for (std::size_t d = 0; d < shape.size(); ++d) {
    const std::int64_t reach = std::max<std::int64_t>(shape[d] - 1, 0) * strides[d];
    (reach < 0 ? low : high) += reach;
  }
  return {std::move(strides), 3 - low, high - low + 8};
}

Ints contiguous(const Ints& shape) {
  Ints strides(shape.size(), 1);
  for (std::size_t d = shape.size(); d-- > 1;) strides[d - 1] = strides[d] * std::max<std::int64_t>(shape[d], 1);
  return strides;
}

void check_copy(const Ints& shape, const View& dst, const View& src, std::size_t size) {
  std::vector<std::uint8_t> from(static_cast<std::size_t>(src.extent) * size);
  std::uint32_t state = 1;
  for (std::uint8_t& byte : from) byte = static_cast<std::uint8_t>((state = state * 1664525 + 1013904223) >> 24);
  std::vector<std::uint8_t> expected(static_cast<std::size_t>(dst.extent) * size, 0xAA);
  const std::int64_t count = std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
  Ints at(shape.size(), 0);
  for (std::int64_t i = 0; i < count; ++i) {
    std::int64_t to = dst.start, source = src.start;
    for (std::size_t d = 0; d < shape.size(); ++d) {
      to += at[d] * dst.strides[d];
      source += at[d] * src.strides[d];
    }
    std::memcpy(expected.data() + static_cast<std::size_t>(to) * size,
                from.data() + static_cast<std::size_t>(source) * size, size);
    for (std::size_t d = shape.size(); d-- > 0;) {
      if (++at[d] < shape[d]) break;
      at[d] = 0;
    }
  }
  for (const auto copy : {copy_strided, copy_strided_parallel}) {
    std::vector<std::uint8_t> to(expected.size(), 0xAA);
    copy(to.data() + static_cast<std::size_t>(dst.start) * size, dst.strides.data(),
         from.data() + static_cast<std::size_t>(src.start) * size, src.strides.data(), shape.data(),
         static_cast<int>(shape.size()), size);
    ASSERT_EQ(to, expected) << ::testing::PrintToString(shape) << " from " << ::testing::PrintToString(src.strides)
                            << " to " << ::testing::PrintToString(dst.strides) << ", size " << size;
  }
}

TEST(CopyTest, RandomShapesAndStrides) {
  std::mt19937 random(1);
  const auto below = [&](std::uint32_t n) { return static_cast<std::int64_t>(random() % n); };
  for (int trial = 0; trial < 4000; ++trial) {
    const std::size_t rank = static_cast<std::size_t>(below(6));
    Ints shape(rank);
    for (std::int64_t& n : shape) n = trial % 50 == 0 ? below(4) : 1 + below(trial % 3 == 0 ? 20 : 5);
    // dst: dense in some order of its dimensions, with gaps and signs now and then, never two elements in one place.
    std::vector<std::size_t> order(rank);
    std::iota(order.begin(), order.end(), std::size_t{0});
    if (trial % 2 == 0) std::shuffle(order.begin(), order.end(), random);
    Ints dst(rank), src(rank);
    std::int64_t stride = trial % 5 == 0 ? 2 : 1;
    for (std::size_t d = rank; d-- > 0;) {
      dst[order[d]] = below(6) == 0 ? -stride : stride;
      stride *= std::max<std::int64_t>(1, shape[order[d]]) + below(2) * below(2);
    }
    std::shuffle(order.begin(), order.end(), random);
    stride = 1;
    for (std::size_t d = rank; d-- > 0;) {
      const std::int64_t kind = below(8);
      src[order[d]] = kind == 0 ? 0 : kind == 1 ? -stride : stride;
      if (kind != 0) stride *= std::max<std::int64_t>(1, shape[order[d]]);
    }
    const std::size_t size = std::size_t{1} << below(4);
    check_copy(shape, place(shape, dst), place(shape, src), size);
  }
}

TEST(CopyTest, LargeOnesAreCutIntoPieces) {
  for (const std::size_t size : {1, 2, 4, 8}) {
    const Ints plane = {517, 389};
    check_copy(plane, place(plane, {389, 1}), place(plane, {389, 1}), size);
    check_copy(plane, place(plane, {389, 1}), place(plane, {1, 517}), size);
    check_copy(plane, place(plane, {400, 1}), place(plane, {1, 520}), size);
    check_copy(plane, place(plane, {389, 1}), place(plane, {0, 1}), size);
    check_copy(plane, place(plane, {389, 1}), place(plane, {1, 0}), size);
    check_copy(plane, place(plane, {389, 1}), place(plane, {-389, -1}), size);
    check_copy(plane, place(plane, {1, 517}), place(plane, {389, 1}), size);
    const Ints images = {3, 50, 40, 20};
    check_copy(images, place(images, contiguous(images)), place(images, {40000, 1, 1000, 50}), size);
    check_copy(images, place(images, contiguous(images)), place(images, {1, 3, 150, 6000}), size);
    const Ints line = {200001};
    check_copy(line, place(line, {1}), place(line, {1}), size);
    check_copy(line, place(line, {1}), place(line, {3}), size);
    check_copy(line, place(line, {2}), place(line, {0}), size);
  }
}

TEST(CopyTest, RankZeroAndSixteen) {
  check_copy({}, place({}, {}), place({}, {}), 4);
  const Ints shape = {2, 1, 2, 1, 2, 1, 1, 3, 1, 2, 1, 1, 2, 2, 1, 2};
  Ints reversed = contiguous(Ints(shape.rbegin(), shape.rend()));
  std::reverse(reversed.begin(), reversed.end());
  check_copy(shape, place(shape, contiguous(shape)), place(shape, reversed), 8);
  check_copy({0, 5}, place({0, 5}, {5, 1}), place({0, 5}, {5, 1}), 4);
}

TEST(CopyTest, FillAndExpand) {
  for (const std::size_t size : {1, 2, 4, 8}) {
    std::vector<std::uint8_t> x(600 * 8 * 3);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<std::uint8_t>(i * 7 + i / 256);
    for (std::size_t n = 0; n < 150; ++n) {
      std::vector<std::uint8_t> y((n + 1) * size, 0xAA), expected = y;
      fill(y.data(), x.data(), n, size);
      for (std::size_t i = 0; i < n; ++i) std::memcpy(&expected[i * size], x.data(), size);
      ASSERT_EQ(y, expected) << n << " of size " << size;
    }
    for (const std::size_t cols : {0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 15, 16, 17, 31, 32, 33, 60, 64, 65, 100, 257}) {
      for (const std::size_t rows : {0, 1, 2, 3, 4, 5, 8, 9, 33, 128}) {
        std::vector<std::uint8_t> y((rows * cols + 1) * size, 0xAA), expected = y;
        for (const std::int64_t stride : {0, 1, 3}) {
          expand_rows(y.data(), x.data(), rows, cols, stride, size);
          for (std::size_t i = 0; i < rows * cols; ++i) {
            std::memcpy(&expected[i * size], &x[i / cols * static_cast<std::size_t>(stride) * size], size);
          }
          ASSERT_EQ(y, expected) << "rows " << rows << " x " << cols << " of size " << size;
        }
        expand_columns(y.data(), x.data(), rows, cols, size);
        for (std::size_t i = 0; i < rows * cols; ++i) std::memcpy(&expected[i * size], &x[i % cols * size], size);
        ASSERT_EQ(y, expected) << "columns " << rows << " x " << cols << " of size " << size;
      }
    }
  }
}

TEST(CopyRange, GivesEachPartOfTheWholeCopy) {
  // Repeated along inner and outer axes, as numbers beside waves and members; gaps; a transposition; a line; a number.
  const std::pair<Ints, Ints> cases[] = {{{3, 5, 7, 16}, {0, 1, 5, 0}},
                                         {{3, 5, 7, 16}, {80, 16, 0, 1}},
                                         {{4, 9, 33}, {33, 0, 1}},
                                         {{2, 6, 5}, {40, -3, 7}},
                                         {{6, 40, 24}, {0, 1, 40}},
                                         {{100}, {3}},
                                         {{}, {}}};
  std::mt19937 random(1);
  for (const auto& [shape, strides] : cases) {
    const View src = place(shape, strides);
    const std::int64_t count = std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
    for (const std::size_t size : {1, 2, 4, 8}) {
      std::vector<std::uint8_t> from(static_cast<std::size_t>(src.extent) * size);
      for (std::uint8_t& byte : from) byte = static_cast<std::uint8_t>(random());
      const void* x = from.data() + static_cast<std::size_t>(src.start) * size;
      std::vector<std::uint8_t> whole(static_cast<std::size_t>(count) * size);
      copy_strided(whole.data(), contiguous(shape).data(), x, strides.data(), shape.data(),
                   static_cast<int>(shape.size()), size);
      for (int trial = 0; trial < 40; ++trial) {
        const auto first = static_cast<std::int64_t>(random()) % count;
        const std::int64_t n = trial == 0 ? count - first : 1 + static_cast<std::int64_t>(random()) % (count - first);
        std::vector<std::uint8_t> part(static_cast<std::size_t>(n) * size + 8, 0xAA);
        copy_range(part.data(), x, shape.data(), strides.data(), static_cast<int>(shape.size()), first, n, size);
        const auto bytes = static_cast<std::size_t>(n) * size;
        EXPECT_EQ(std::memcmp(part.data(), whole.data() + static_cast<std::size_t>(first) * size, bytes), 0)
            << "rank " << shape.size() << ", size " << size << ", from " << first << ", " << n;
        EXPECT_EQ(std::vector<std::uint8_t>(part.begin() + static_cast<std::ptrdiff_t>(bytes), part.end()),
                  std::vector<std::uint8_t>(8, 0xAA));
      }
    }
  }
}

}  // namespace
}  // namespace pellucid::kernels
