// The random words of the kernels against the scalar generator, which is held to the published answers.
#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <vector>

#include "base/philox.h"
#include "kernels/kernels.h"

namespace pellucid::kernels {
namespace {

struct Key {
  std::int64_t seed, stream;
  const std::int64_t* data() const { return &seed; }
};

std::int32_t reference(const Key& key, std::uint64_t i) {
  return static_cast<std::int32_t>(
      base::philox(static_cast<std::uint64_t>(key.seed), static_cast<std::uint64_t>(key.stream), i / 4)[i % 4]);
}

const Key kKeys[] = {{0, 0}, {1, 2}, {-1, -1}, {0x123456789ABCDEF, -0x123456789ABCDEF}, {INT64_MIN, INT64_MAX}};

TEST(RandomKernelTest, GivesThePublishedAnswers) {
  // Random123's kat_vectors, its counters and keys taken as (block, stream) and seed.
  std::int32_t words[4];
  random_bits(words, Key{0, 0}.data(), 0, 4);
  EXPECT_EQ(static_cast<std::uint32_t>(words[0]), 0x6627e8d5U);
  EXPECT_EQ(static_cast<std::uint32_t>(words[1]), 0xe169c58dU);
  EXPECT_EQ(static_cast<std::uint32_t>(words[2]), 0xbc57ac4cU);
  EXPECT_EQ(static_cast<std::uint32_t>(words[3]), 0x9b00dbd8U);
  // The counter (243f6a88 85a308d3 13198a2e 03707344) has a block above 2^62, whose words no 64-bit position reaches.
  const auto far = base::philox(0x299f31d0a4093822, 0x0370734413198a2e, 0x85a308d3243f6a88);
  EXPECT_EQ(far, (base::PhiloxCounter{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(RandomKernelTest, IsTheScalarGenerator) {
  for (const Key& key : kKeys) {
    for (const std::uint64_t first :
         {0ULL, 1ULL, 2ULL, 3ULL, 4ULL, 1001ULL, 0x3FFFFFFF7ULL, 0x3FFFFFFFDULL, 0xFFFFFFFFFFFFFF00ULL}) {
      for (std::size_t n = 0; n < 140; n += 1 + n / 50) {
        std::vector<std::int32_t> y(n + 1, 77);
        random_bits(y.data(), key.data(), first, n);
        for (std::size_t i = 0; i < n; ++i) ASSERT_EQ(y[i], reference(key, first + i)) << first << " + " << i;
        ASSERT_EQ(y[n], 77);
      }
    }
  }
}

TEST(RandomKernelTest, DoesNotDependOnHowItIsCut) {
  std::vector<std::int32_t> whole(10007), cut(10007);
  random_bits(whole.data(), kKeys[1].data(), 5, whole.size());
  for (std::size_t begin = 0; begin < cut.size(); begin += 313) {
    random_bits(cut.data() + begin, kKeys[1].data(), 5 + begin, std::min<std::size_t>(313, cut.size() - begin));
  }
  EXPECT_EQ(whole, cut);
}

TEST(RandomKernelTest, FoldingMakesStreamsThatDiffer) {
  std::set<std::int64_t> streams;
  for (std::int64_t stream = -20; stream < 20; ++stream) {
    for (std::int64_t data = -50; data < 50; ++data) {
      const Key key{42, stream};
      Key folded{};
      random_fold(&folded.seed, key.data(), data);
      EXPECT_EQ(folded.seed, 42);
      EXPECT_TRUE(streams.insert(folded.stream).second);
      std::int32_t words[2];
      random_bits(words, key.data(), static_cast<std::uint64_t>(data) * 4, 2);
      EXPECT_NE(static_cast<std::uint32_t>(words[0]), static_cast<std::uint32_t>(folded.stream))
          << "a stream's own bits";
    }
  }
  // In place.
  Key key{7, 8}, other{};
  random_fold(&other.seed, key.data(), 9);
  random_fold(&key.seed, key.data(), 9);
  EXPECT_EQ(key.stream, other.stream);
}

}  // namespace
}  // namespace pellucid::kernels
