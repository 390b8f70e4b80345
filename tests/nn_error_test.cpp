// What layers and augmentations throw for settings and pictures that other tests of theirs do not come to.
#include <gtest/gtest.h>

#include "pellucid/augment.h"
#include "pellucid/pellucid.h"
#include "support/message.h"

namespace pellucid {
namespace {

TEST(NnErrors, Resizing) {
  EXPECT_PRED2(contains, message_of([] {
                 nn::resize(zeros({1, 0, 4, 1}), {2, 2});
               }),
               "resize: x has shape [1, 0, 4, 1], whose spatial axes are empty");
  EXPECT_PRED2(contains, message_of([] {
                 nn::Upsample({2, 2, 2, 2});
               }),
               "Upsample: scale [2, 2, 2, 2] must name 1 to 3");
}

TEST(NnErrors, WindowsBeyondTheirCounters) {
  // Nothing of this size is ever made: shapes are worked out first.
  const Array x = zeros({1, 1 << 16, 1 << 16, 1});
  EXPECT_PRED2(contains, message_of([&] {
                 nn::MaxPool2d({1 << 16, 1 << 16})(x);
               }),
               "a window of 4294967296 elements; at most 2^31 - 1 are possible");
}

TEST(NnErrors, ModesOfADescription) {
  nn::Description upsample = nn::describe(nn::Upsample(2));
  for (auto& [name, value] : upsample.options) {
    if (name == "mode") value = std::string("cubic");
  }
  EXPECT_PRED2(contains, message_of([&] { nn::build(upsample); }),
               "nn::build: Upsample: the mode 'cubic' is not known");
}

TEST(NnErrors, Regularisers) {
  nn::StochasticDepth depth(0.5);
  nn::train(depth);
  const nn::Context context(random::key(1));
  EXPECT_PRED2(contains, message_of([&] { depth(zeros({})); }), "x is a scalar; it must have a batch axis");
  EXPECT_PRED2(contains, message_of([] { nn::SpectralNorm(nn::Linear(2, 2), 1, 0); }),
               "SpectralNorm: epsilon 0 must be positive");
}

TEST(NnErrors, Mixup) {
  const random::Key key = random::key(1);
  EXPECT_PRED2(contains, message_of([&] { augment::mixup(key, Array(), zeros({2})); }),
               "mixup: x or y is an undefined Array");
  EXPECT_PRED2(contains, message_of([&] {
                 augment::mixup(key, zeros({2, 3}, uint8), zeros({2, 4}));
               }),
               "mixup: x is uint8[2, 3]; it must be (n, ...) of floats");
}

}  // namespace
}  // namespace pellucid
