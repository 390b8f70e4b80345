// Convolutions as one contraction of patches in bfloat16: their error, the same bits for any number of threads and for
// operands that were rounded before, blocks of pictures, bias and relu.
#include <gtest/gtest.h>

#include <cstring>

#include "support/convolutions.h"

namespace pellucid {
namespace {

const std::vector<Setting>& patch_settings() {
  static const std::vector<Setting> list = {
      {"stride two", 3, {1, 12, 12}, {1, 3, 3}, 64, 64, 1, {1, 2, 2}, {0, 1, 1}, {0, 1, 1}},
      {"odd sizes", 9, {1, 9, 7}, {1, 3, 3}, 80, 70, 1, {1, 2, 2}, {0, 1, 1}, {0, 1, 1}},
      {"nothing around", 4, {1, 16, 17}, {1, 5, 5}, 64, 72, 1, {1, 2, 3}},
      {"much around", 8, {1, 5, 6}, {1, 3, 3}, 80, 64, 1, {1, 2, 1}, {0, 2, 4}, {0, 2, 3}},
      {"dilation", 3, {1, 14, 13}, {1, 3, 2}, 64, 65, 1, {1, 1, 1}, {0, 2, 0}, {0, 1, 3}, {1, 2, 3}},
      {"signal", 2, {1, 1, 200}, {1, 1, 9}, 66, 64, 1, {1, 1, 4}, {0, 0, 4}, {0, 0, 4}},
      {"volume", 5, {5, 6, 7}, {3, 2, 3}, 64, 64, 1, {1, 2, 1}, {1, 0, 1}, {1, 1, 1}},
      {"blocks of pictures", 17, {1, 32, 32}, {1, 3, 3}, 128, 64, 1, {1, 2, 2}, {0, 1, 1}, {0, 1, 1}},
      {"a batch", 3, {1, 12, 11}, {1, 3, 3}, 64, 64, 1, {1, 2, 2}, {0, 1, 1}, {0, 1, 1}, {1, 1, 1}, 2},
  };
  return list;
}

ConvolveShape rounding(const Setting& s) {
  ConvolveShape shape = shape_of(s);
  shape.rounded = true;
  return shape;
}

bool none_here() { return !kernels::suits_patches(rounding(patch_settings()[0]), ConvolveKind::kForward); }

TEST(ConvolvePatches, AreAsExactAsRoundedOperands) {
  if (none_here()) GTEST_SKIP() << "no contraction in bfloat16 here";
  for (const Setting& s : patch_settings()) {
    const ConvolveShape shape = rounding(s), plain = shape_of(s);
    for (const ConvolveKind kind : kKinds) {
      ASSERT_TRUE(kernels::suits_patches(shape, kind)) << s.name << " kind " << static_cast<int>(kind);
      const Counts counts = counts_of(shape, kind);
      const std::vector<float> a = rounded(draw<float>(counts.a, 12)), b = rounded(draw<float>(counts.b, 13));
      const Exact e = exact(shape, kind, widened(a), widened(b));
      const std::vector<float> got = run(shape, kind, a, b);
      // Products of bfloat16 are exact, so what is left are the sums' roundings: at most one for each term.
      for (std::size_t i = 0; i < got.size(); ++i) {
        ASSERT_LE(std::fabs(got[i] - e.value[i]), e.magnitude[i] * static_cast<double>(e.terms[i]) * 0x1p-24)
            << s.name << " kind " << static_cast<int>(kind) << " element " << i;
      }
      const auto [most, typical] = errors_of(got, e);
      const auto [direct_most, direct_typical] = errors_of(direct_sum(plain, kind, a, b), e);
      EXPECT_LE(most, 4 * direct_most) << s.name << " kind " << static_cast<int>(kind);
      EXPECT_LE(typical, 2.5 * direct_typical) << s.name << " kind " << static_cast<int>(kind);
    }
  }
}

TEST(ConvolvePatches, HaveTheSameBitsOnAnyNumberOfThreadsAndOfRoundedOperands) {
  if (none_here()) GTEST_SKIP() << "no contraction in bfloat16 here";
  for (const Setting& s : patch_settings()) expect_same_bits_rounded(rounding(s), s.name);
}

// A picture alone has the bits that it has among others: forward, and the gradient of the picture.
TEST(ConvolvePatches, OnePictureHasTheBitsThatItHasAmongOthers) {
  if (none_here()) GTEST_SKIP() << "no contraction in bfloat16 here";
  Setting s = {"small", 9, {1, 5, 4}, {1, 3, 3}, 64, 64, 1, {1, 2, 2}, {0, 1, 1}, {0, 1, 1}};
  const ConvolveShape all = rounding(s);
  s.n = 1;
  const ConvolveShape one = rounding(s);
  for (const ConvolveKind kind : {ConvolveKind::kForward, ConvolveKind::kInput}) {
    const Counts counts = counts_of(all, kind);
    const std::vector<float> a = draw<float>(counts.a, 20), b = draw<float>(counts.b, 21);
    const std::vector<float> together = run(all, kind, a, b);
    for (Size i = 0; i < all.n; ++i) {
      const Size from = counts.a / all.n, to = counts.result / all.n;
      const std::vector<float> alone = run(one, kind, {a.begin() + i * from, a.begin() + (i + 1) * from}, b);
      EXPECT_EQ(std::memcmp(alone.data(), together.data() + i * to, alone.size() * sizeof(float)), 0)
          << "picture " << i << " kind " << static_cast<int>(kind);
    }
  }
}

TEST(ConvolvePatches, AddBiasAndApplyRelu) {
  if (none_here()) GTEST_SKIP() << "no contraction in bfloat16 here";
  for (const Setting& s : patch_settings()) {
    if (s.batch == 1) expect_bias_and_relu(rounding(s), 16, s.name);
  }
}

// One tap with a stride: the pixels that it leaves are gathered, and y and w are contractions that round.
TEST(ConvolvePatches, OneTapWithAStrideRounds) {
  if (none_here()) GTEST_SKIP() << "no contraction in bfloat16 here";
  const ConvolveShape shape = rounding({"", 5, {1, 9, 8}, {1, 1, 1}, 40, 37, 1, {1, 2, 3}});
  for (const ConvolveKind kind : {ConvolveKind::kForward, ConvolveKind::kWeight}) {
    ASSERT_TRUE(kernels::rounds_itself(shape, kind));
    const Counts counts = counts_of(shape, kind);
    const std::vector<float> a = draw<float>(counts.a, 17), b = draw<float>(counts.b, 18);
    const Exact e = exact(shape, kind, widened(rounded(a)), widened(rounded(b)));
    const std::vector<float> got = run(shape, kind, a, b);
    for (std::size_t i = 0; i < got.size(); ++i)
      ASSERT_LE(std::fabs(got[i] - e.value[i]), e.magnitude[i] * static_cast<double>(e.terms[i]) * 0x1p-24) << i;
  }
  EXPECT_FALSE(kernels::rounds_itself(shape, ConvolveKind::kInput));
  expect_bias_and_relu(shape, 19, "one tap, stride");
}

// What is not worth it, or not possible, is left to the ways for float32 of operands that were rounded before.
TEST(ConvolvePatches, AreNotTakenForOtherShapes) {
  const auto taken = [](const Setting& s, ConvolveKind kind) { return kernels::suits_patches(rounding(s), kind); };
  const Setting few_channels = {"", 8, {1, 12, 12}, {1, 3, 3}, 3, 64, 1, {1, 2, 2}, {0, 1, 1}, {0, 1, 1}};
  const Setting few_outputs = {"", 8, {1, 12, 12}, {1, 3, 3}, 64, 32, 1, {1, 2, 2}, {0, 1, 1}, {0, 1, 1}};
  const Setting groups = {"", 8, {1, 12, 12}, {1, 3, 3}, 128, 128, 2, {1, 2, 2}, {0, 1, 1}, {0, 1, 1}};
  const Setting pixels_without_taps = {"", 8, {1, 12, 12}, {1, 2, 2}, 64, 64, 1, {1, 3, 3}};
  const Setting large = {"", 1, {1, 512, 512}, {1, 3, 3}, 64, 64, 1, {1, 2, 2}, {0, 1, 1}, {0, 1, 1}};
  for (const Setting& s : {few_channels, few_outputs, groups, large}) EXPECT_FALSE(taken(s, ConvolveKind::kForward));
  EXPECT_FALSE(taken(pixels_without_taps, ConvolveKind::kInput));
  ConvolveShape exact = shape_of(patch_settings()[0]);
  EXPECT_FALSE(kernels::suits_patches(exact, ConvolveKind::kForward));
}

}  // namespace
}  // namespace pellucid
