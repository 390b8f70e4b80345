// Pooling: what it says when called wrongly, special values, and types beside float32 and float64.
#include "pellucid/ops_pool.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "ops/record.h"
#include "pellucid/ops.h"
#include "support/message.h"

namespace pellucid {
namespace {

TEST(Pool, NaNWinsAndPaddingNever) {
  const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  const Array x = Array::from(std::vector<float>{-infinity, -1, nan, 2, -5, -infinity}, {6, 1});
  const auto y = max_pool(x, {.kernel = {2}}).to_vector<float>();
  EXPECT_EQ(y[0], -1);
  EXPECT_TRUE(std::isnan(y[1]));
  EXPECT_EQ(y[2], -5);
  EXPECT_EQ(max_pool(x, {.kernel = {3}, .stride = {6}, .padding = {1}}).to_vector<float>()[0], -1);
}

TEST(Pool, TakesNarrowAndIntegerTypes) {
  const Array x = Array{{1, 2}, {3, 5}, {4, 0}, {2, 2}};
  EXPECT_EQ(max_pool(astype(x, bfloat16), {.kernel = {2}}).dtype(), bfloat16);
  EXPECT_EQ(average_pool(astype(x, int32), {.kernel = {2}}).dtype(), float32);
  EXPECT_EQ(average_pool(astype(x, int32), {.kernel = {2}}).to_vector<float>(), (std::vector<float>{2, 3.5, 3, 1}));
  EXPECT_PRED2(contains, message_of([&] { max_pool(astype(x, int32), {.kernel = {2}}); }),
               "max_pool: is not defined for int32; convert with astype to a float type");
}

TEST(Pool, WindowsOfMoreThan256ElementsAreNumberedByInt32) {
  const Array x = astype(arange(2 * 400), float32);
  const Array y = max_pool(reshape(x, {2, 20, 20, 1}), {.kernel = {20, 20}});
  EXPECT_EQ(y.to_vector<float>(), (std::vector<float>{399, 799}));
}

TEST(Pool, WrongUseIsNamed) {
  const Array x = zeros({2, 4, 4, 3});
  const auto says = [](const auto& f, const std::string& text) { EXPECT_PRED2(contains, message_of(f), text); };
  says([&] { max_pool(x, {.kernel = {5, 5}}); }, "max_pool: a kernel of [5, 5] (dilation [1, 1]) is larger than");
  says([&] { average_pool(x, {.kernel = {2, 2}, .stride = {0, 1}}); }, "stride [0, 1] and dilation [1, 1] must be");
  says([&] { max_pool(x, {.kernel = {2, 2}, .padding = {-1, 0}}); }, "padding [-1, 0] is negative");
  says([&] { max_pool(x, {.kernel = {2, 2}, .padding = {2, 2}}); }, "is more than half of the kernel [2, 2]");
  says(
      [&] {
        max_pool(x, {.kernel = {2, 2}, .stride = {2}});
      },
      "stride [2] for 2 spatial axes; give one number for each");
  says([&] { max_pool(x, {.kernel = {}}); }, "0 spatial axes; there must be 1, 2 or 3");
  says([&] { max_pool(zeros({4, 3}), {.kernel = {2, 2}}); }, "need a rank of at least 3");
  says([&] { max_pool(zeros({1, 1}), {.kernel = {2}, .padding = {2}, .dilation = {3}}); }, "holds nothing but padding");
  says([&] { max_pool(Array(), {.kernel = {2}}); }, "max_pool");
  says([&] { adaptive_max_pool(x, {0, 2}); }, "the result's spatial sizes [0, 2] must be positive");
  says([&] { adaptive_average_pool(zeros({2, 0, 4, 3}), {1, 1}); }, "whose spatial axes are empty");
  says([&] { global_average_pool(x, 4); }, "4 spatial axes; there must be 1, 2 or 3");
}

TEST(Pool, RecordsCheckTheirOperands) {
  Attributes a;
  a.integer = 1;
  a.shape = {4, 2};
  a.axes = {0, 2};
  a.steps = {1, 2, 2};
  a.real = 1;
  const auto says = [&](const char* record, const Arrays& inputs, const std::string& text) {
    EXPECT_PRED2(contains, message_of([&] { ops::make(*ops::find_record(record), inputs, a); }), text);
  };
  says("window_sum", {zeros({5, 1})}, "spatial sizes [4]");
  says("window_spread", {zeros({3, 1})}, "spatial sizes [2]");
  says("window_take", {zeros({4, 1}), zeros({2, 1}, int64)}, "the index is int64; it must be uint8 or int32");
  says("window_take", {zeros({4, 1}), zeros({3, 1}, uint8)}, "an index of shape [3, 1]; it must be [2, 1]");
  says("window_put", {zeros({2, 1}), zeros({3, 1}, uint8)}, "an index of shape [3, 1] for g of shape [2, 1]");
}

}  // namespace
}  // namespace pellucid
