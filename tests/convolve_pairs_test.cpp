// Convolutions by products of pairs of bfloat16: their error, the same bits for any number of threads, bias and relu.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstring>

#include "support/convolutions.h"

namespace pellucid {
namespace {

const std::vector<Setting>& pair_settings() {
  static const std::vector<Setting> list = {
      {"64", 2, {1, 12, 12}, {1, 3, 3}, 64, 64, 1, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}},
      {"odd", 3, {1, 9, 7}, {1, 3, 3}, 80, 64, 1, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}},
      {"nothing around", 1, {1, 16, 17}, {1, 3, 3}, 64, 80},
      {"much around", 1, {1, 5, 6}, {1, 3, 3}, 80, 64, 1, {1, 1, 1}, {0, 2, 3}, {0, 2, 3}},
      {"few tiles", 9, {1, 4, 4}, {1, 3, 3}, 272, 144, 1, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}},
      {"512", 2, {1, 4, 4}, {1, 3, 3}, 512, 64, 1, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}},
      {"batch", 1, {1, 6, 5}, {1, 3, 3}, 64, 64, 1, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}, {1, 1, 1}, 2},
  };
  return list;
}

// In bfloat16 the direct sum is exact but for the rounding of its operands; Winograd's transforms are rounded besides.
TEST(ConvolvePairs, AreAsExactAsRoundedOperandsWithinFour) {
  for (const Setting& s : pair_settings()) {
    ConvolveShape shape = shape_of(s);
    const ConvolveShape plain = shape;
    shape.rounded = true;
    if (!kernels::suits_pairs(shape)) GTEST_SKIP() << "no dot products of pairs here";
    for (const ConvolveKind kind : kKinds) {
      const Counts counts = counts_of(shape, kind);
      const std::vector<float> a = draw<float>(counts.a, 12), b = draw<float>(counts.b, 13);
      const Exact e = exact(shape, kind, widened(a), widened(b));
      const auto [most, typical] = errors_of(run(shape, kind, a, b), e);
      const auto [direct_most, direct_typical] = errors_of(direct_sum(plain, kind, rounded(a), rounded(b)), e);
      EXPECT_LE(most, 4 * direct_most) << s.name << " kind " << static_cast<int>(kind);
      EXPECT_LE(typical, 2.5 * direct_typical) << s.name << " kind " << static_cast<int>(kind);
      std::printf("pairs %-14s kind %d: error %.2f (largest), %.2f (root mean square) times that of rounded operands\n",
                  s.name.c_str(), static_cast<int>(kind), most / direct_most, typical / direct_typical);
    }
  }
}

TEST(ConvolvePairs, HaveTheSameBitsOnAnyNumberOfThreadsAndOfRoundedOperands) {
  std::vector<Setting> list = pair_settings();
  list.push_back({"large", 8, {1, 32, 32}, {1, 3, 3}, 64, 64, 1, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}});
  for (const Setting& s : list) {
    ConvolveShape shape = shape_of(s);
    shape.rounded = true;
    if (!kernels::suits_pairs(shape)) GTEST_SKIP() << "no dot products of pairs here";
    expect_same_bits_rounded(shape, s.name);
  }
}

TEST(ConvolvePairs, AddBiasAndApplyRelu) {
  for (const Setting& s : pair_settings()) {
    ConvolveShape shape = shape_of(s);
    shape.rounded = true;
    if (!kernels::suits_pairs(shape)) GTEST_SKIP() << "no dot products of pairs here";
    if (s.batch != 1) continue;
    expect_bias_and_relu(shape, 16, s.name);
  }
}

}  // namespace
}  // namespace pellucid
