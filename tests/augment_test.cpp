// Augmentation: deterministic by key, the same in and outside of compiled steps, and what each change does.
#include "pellucid/augment.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "pellucid/ops.h"
#include "pellucid/transform.h"
#include "support/message.h"

namespace pellucid::augment {
namespace {

std::vector<float> floats(const Array& x) { return x.to_vector<float>(); }
Array pictures(std::int64_t n = 6) { return random::uniform(random::key(7), {n, 5, 6, 3}, 0.5, 1.5); }

TEST(Augment, FollowsFromTheKeyAndCompiles) {
  const Array x = pictures();
  const nn::Augment layer(
      {.shift = 2, .flip = true, .rotate = 20, .brightness = 0.2, .contrast = 0.2, .saturation = 0.2, .cutout = 2});
  const Function step = [&](const Arrays& in) {
    const nn::Context context(in[1]);
    return Arrays{layer(in[0])};
  };
  const auto plain = floats(step({x, random::key(1)})[0]);
  EXPECT_EQ(plain, floats(step({x, random::key(1)})[0]));
  EXPECT_NE(plain, floats(step({x, random::key(2)})[0]));
  Compiled compiled = compile(step);
  EXPECT_EQ(plain, floats(compiled({x, random::key(1)})[0]));
  EXPECT_NE(plain, floats(compiled({x, random::key(2)})[0]));
  EXPECT_EQ(floats(layer(x)), floats(x)) << "in evaluation";
  EXPECT_EQ(nn::describe(nn::build(nn::describe(nn::AnyLayer(layer)))), nn::describe(nn::AnyLayer(layer)));
}

/// Which shift of `x` a moved picture is; each picture has one.
std::set<std::pair<int, int>> shifts(const Array& x, const Array& y, std::int64_t most) {
  std::set<std::pair<int, int>> found;
  const Array padded = pad(x, {{0, 0}, {most, most}, {most, most}, {0, 0}});
  for (std::int64_t i = 0; i < x.size(0); ++i) {
    const auto want = floats(index(y, {i}));
    int matches = 0;
    for (std::int64_t r = 0; r <= 2 * most; ++r) {
      for (std::int64_t c = 0; c <= 2 * most; ++c) {
        const Array part = index(padded, {i, Slice{r, r + x.size(1)}, Slice{c, c + x.size(2)}});
        if (floats(part) != want) continue;
        found.emplace(static_cast<int>(r), static_cast<int>(c));
        ++matches;
      }
    }
    EXPECT_EQ(matches, 1) << "picture " << i;
  }
  return found;
}

TEST(Augment, CropsAndShiftsEachPictureBySteps) {
  const Array x = pictures(12);
  EXPECT_GT(shifts(x, random_shift(random::key(3), x, 2), 2).size(), 6u);
  EXPECT_EQ(random_crop(random::key(3), x, 3, 4).shape(), (Shape{12, 3, 4, 3}));
  EXPECT_EQ(floats(random_crop(random::key(3), x, 5, 6)), floats(x));
  const Array bytes = astype(x * 100.0, uint8);
  EXPECT_EQ(random_shift(random::key(3), bytes, 1).dtype(), uint8);
  EXPECT_EQ(random_shift(random::key(3), zeros({0, 5, 6, 3}), 1).evaluate().shape(), (Shape{0, 5, 6, 3}));
}

TEST(Augment, FlipsSome) {
  const Array x = pictures(16), turned = flip(x, 2), y = random_flip(random::key(5), x);
  int flipped = 0;
  for (std::int64_t i = 0; i < 16; ++i) {
    const auto got = floats(index(y, {i}));
    const bool is = got == floats(index(turned, {i}));
    EXPECT_TRUE(is || got == floats(index(x, {i})));
    flipped += is ? 1 : 0;
  }
  EXPECT_GT(flipped, 3);
  EXPECT_LT(flipped, 13);
  EXPECT_EQ(floats(random_flip(random::key(5), x, 1, true)), floats(flip(x, 1)));
}

TEST(Augment, RotatesAboutTheCentre) {
  const Array x = pictures();
  const auto got = floats(random_rotate(random::key(1), x, 0)), want = floats(x);
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], want[i], 1e-5);
  // The middle of a picture of odd size stays.
  const Array odd = random::uniform(random::key(7), {4, 5, 5, 1});
  const Array y = random_rotate(random::key(1), odd, 90);
  for (std::int64_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(index(y, {i, 2, 2, 0}).item<float>(), index(odd, {i, 2, 2, 0}).item<float>(), 1e-5);
  }
}

TEST(Augment, ChangesColoursByOneFactorForEachPicture) {
  const Array x = pictures();
  const Array factors = random_brightness(random::key(2), x, 0.3) / x;
  for (std::int64_t i = 0; i < 6; ++i) {
    const auto f = floats(index(factors, {i}));
    EXPECT_GE(f[0], 0.7f);
    EXPECT_LE(f[0], 1.3f);
    for (float v : f) EXPECT_NEAR(v, f[0], 1e-6);
  }
  const auto near = [](const Array& a, const Array& b) {
    const auto p = floats(a), q = floats(b);
    for (std::size_t i = 0; i < p.size(); ++i) EXPECT_NEAR(p[i], q[i], 1e-5);
  };
  near(mean(random_contrast(random::key(2), x, 0.5), {1, 2, 3}), mean(x, {1, 2, 3}));
  const Array weights = Array{0.299, 0.587, 0.114};
  near(sum(random_saturation(random::key(2), x, 0.5) * weights, -1), sum(x * weights, -1));
  const Array grey = zeros({2, 3, 3, 1});
  EXPECT_EQ(floats(random_saturation(random::key(2), grey, 0.5)), floats(grey));
}

TEST(Augment, CutsOutSquares) {
  const Array x = ones({20, 9, 9, 2}), y = cutout(random::key(4), x, 3);
  for (float v : floats(sum(1.0 - y, {1, 2, 3}))) {
    EXPECT_GE(v, 2 * 4);  // at a corner
    EXPECT_LE(v, 2 * 9);
  }
  EXPECT_EQ(floats(cutout(random::key(4), x, 0)), floats(x));
}

TEST(Augment, MixesExamplesAndTargetsAlike) {
  const std::int64_t n = 64;
  const Array x = reshape(astype(arange(n), float32), {n, 1, 1, 1});
  const Array y = remainder(arange(n), Array(4));
  const Mixed mixed = mixup(random::key(9), x, y, 0.4, 4);
  EXPECT_EQ(mixed.x.shape(), x.shape());
  EXPECT_EQ(mixed.y.shape(), (Shape{n, 4}));
  for (float v : floats(sum(mixed.y, -1))) EXPECT_NEAR(v, 1, 1e-6);
  // What is a target's is an example's: x as a target of its own is mixed by the same shares.
  const Mixed own = mixup(random::key(9), x, reshape(x, {n, 1}), 0.4);
  EXPECT_EQ(floats(own.x), floats(own.y));
}

TEST(Augment, BetaHasItsMoments) {
  for (double alpha : {0.1, 0.4, 1.0, 3.0}) {
    const Array b = beta(random::key(11), 40000, alpha);
    EXPECT_NEAR(mean(b).item<float>(), 0.5, 0.01) << alpha;
    EXPECT_NEAR(var(b).item<float>(), 0.25 / (2 * alpha + 1), 0.005) << alpha;
    EXPECT_TRUE(all((b >= 0.0) & (b <= 1.0)).item<bool>());
  }
}

TEST(Augment, WrongUseIsNamed) {
  const random::Key key = random::key(1);
  const Array x = pictures();
  const auto expect_message = [](const auto& f, const std::string& text) {
    EXPECT_PRED2(contains, message_of(f), text);
  };
  expect_message([&] { random_crop(key, zeros({5, 6, 3}), 2, 2); }, "it must be (n, height, width, channels)");
  expect_message([&] { random_crop(key, x, 7, 2); }, "a part of 7 x 2 does not fit into pictures of 5 x 6");
  expect_message([&] { random_crop(key, x, 2, 2, -1); }, "padding -1 must not be negative");
  expect_message([&] { random_shift(key, x, -1); }, "random_shift: -1 positions must not be negative");
  expect_message([&] { random_flip(key, x, 2); }, "the probability 2 must be between 0 and 1");
  expect_message([&] { random_rotate(key, astype(x, int32), 5); }, "convert it to a float type");
  expect_message([&] { random_brightness(key, x, -1); }, "the amount -1 must not be negative");
  expect_message([&] { random_saturation(key, zeros({1, 2, 2, 2}), 1); }, "it must have 1 or 3 channels");
  expect_message([&] { cutout(key, x, -1); }, "the size -1 must not be negative");
  expect_message([&] { mixup(key, x, zeros({6}, int64)); }, "the number of classes be given");
  expect_message([&] { mixup(key, x, zeros({5, 2})); }, "targets of shape [5, 2]");
  expect_message([&] { mixup(key, x, zeros({6, 2}), 0); }, "beta: alpha 0 must be positive");
  expect_message([&] { nn::Augment({.shift = -1}); }, "Augment: settings must not be negative");
  nn::Augment layer({.flip = true});
  expect_message([&] { layer(zeros({2, 2})); }, "it must be (n, height, width, channels)");
  layer.mode = nn::Mode::kTraining;
  expect_message([&] { layer(x); }, "make an nn::Context with a key");
}

}  // namespace
}  // namespace pellucid::augment
