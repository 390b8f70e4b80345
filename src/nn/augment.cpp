// Random changes to batches of pictures, as functions and as a layer.
#include "pellucid/augment.h"

#include <cmath>
#include <numbers>

#include "base/fail.h"
#include "nn/build.h"
#include "nn/normalize.h"
#include "pellucid/ops.h"

namespace pellucid::augment {

using base::fail;

namespace {

void check_pictures(std::string_view name, const Array& x, bool floating) {
  if (!x.defined()) fail("{}: x is an undefined Array", name);
  if (x.rank() != 4) fail("{}: x has shape {}; it must be (n, height, width, channels)", name, x.shape());
  if (floating && !is_float(x.dtype())) fail("{}: x is {}; convert it to a float type with astype", name, x.dtype());
}

void check_amount(std::string_view name, double amount) {
  if (!(amount >= 0 && std::isfinite(amount))) fail("{}: the amount {} must not be negative", name, amount);
}

/// A number for each picture, in x's type, as (n, 1, 1, 1).
Array for_each_picture(const Array& numbers, const Array& x) {
  return reshape(astype(numbers, x.dtype()), {x.size(0), 1, 1, 1});
}

/// 1 + u for each picture, u uniform within +-amount.
Array factor(const random::Key& key, const Array& x, double amount) {
  return for_each_picture(random::uniform(key, {x.size(0)}, 1 - amount, 1 + amount), x);
}

/// y(n, i, j) = x(n, row(n, i, j), column(n, i, j)), 0 outside. Positions are int64 and broadcast to (n, h, w).
Array at(const Array& x, const Array& row, const Array& column) {
  const std::int64_t n = x.size(0), height = x.size(1), width = x.size(2), channels = x.size(3);
  const Array inside = (row >= Array(0)) & (row < Array(height)) & (column >= Array(0)) & (column < Array(width));
  const Array first = reshape(arange(n) * (height * width), {n, 1, 1});
  const Array place = where(inside, first + row * width + column, astype(Array(0), int64));
  const Array y = take(reshape(x, {n * height * width, channels}), place);
  return where(expand_dims(inside, -1), y, astype(Array(0), x.dtype()));
}

Array along(std::int64_t n, int axis) {
  Shape shape{1, 1, 1};
  shape[static_cast<std::size_t>(axis)] = n;
  return reshape(arange(n), shape);
}

/// Uniform in 0 .. most for each picture, as (n, 1, 1).
Array offsets(const random::Key& key, const Array& x, std::int64_t most) {
  return reshape(random::integers(key, {x.size(0)}, 0, most + 1), {x.size(0), 1, 1});
}

}  // namespace

Array random_crop(const random::Key& key, const Array& x, std::int64_t height, std::int64_t width,
                  std::int64_t padding) {
  check_pictures("random_crop", x, false);
  const std::int64_t free_rows = x.size(1) + 2 * padding - height, free_columns = x.size(2) + 2 * padding - width;
  if (padding < 0) fail("random_crop: padding {} must not be negative", padding);
  if (height < 1 || width < 1 || free_rows < 0 || free_columns < 0) {
    fail("random_crop: a part of {} x {} does not fit into pictures of {} x {} with padding {}", height, width,
         x.size(1), x.size(2), padding);
  }
  const auto keys = random::split(key);
  const Array row = offsets(keys[0], x, free_rows) + along(height, 1) - padding;
  const Array column = offsets(keys[1], x, free_columns) + along(width, 2) - padding;
  return at(x, row, column);
}

Array random_shift(const random::Key& key, const Array& x, std::int64_t most) {
  check_pictures("random_shift", x, false);
  if (most < 0) fail("random_shift: {} positions must not be negative", most);
  return random_crop(key, x, x.size(1), x.size(2), most);
}

Array random_flip(const random::Key& key, const Array& x, double p, bool vertical) {
  check_pictures("random_flip", x, false);
  if (!(p >= 0 && p <= 1)) fail("random_flip: the probability {} must be between 0 and 1", p);
  const Array turned = random::bernoulli(key, {x.size(0), 1, 1, 1}, p);
  return where(turned, flip(x, vertical ? 1 : 2), x);
}

Array random_rotate(const random::Key& key, const Array& x, double degrees) {
  check_pictures("random_rotate", x, true);
  check_amount("random_rotate", degrees);
  const double most = degrees * std::numbers::pi / 180;
  const Array angle = reshape(random::uniform(key, {x.size(0)}, -most, most), {x.size(0), 1, 1});
  const double middle_row = static_cast<double>(x.size(1) - 1) / 2,
               middle_column = static_cast<double>(x.size(2) - 1) / 2;
  const Array down = astype(along(x.size(1), 1), float32) - middle_row;
  const Array right = astype(along(x.size(2), 2), float32) - middle_column;
  const Array row = cos(angle) * down - sin(angle) * right + middle_row;
  const Array column = sin(angle) * down + cos(angle) * right + middle_column;
  const Array top = floor(row), left = floor(column);
  const auto share = [&](const Array& part) { return expand_dims(astype(part, x.dtype()), -1); };
  const Array below = share(row - top), beside = share(column - left);
  const Array i = astype(top, int64), j = astype(left, int64);
  const Array upper = lerp(at(x, i, j), at(x, i, j + std::int64_t{1}), beside);
  const Array lower = lerp(at(x, i + std::int64_t{1}, j), at(x, i + std::int64_t{1}, j + std::int64_t{1}), beside);
  return lerp(upper, lower, below);
}

Array random_brightness(const random::Key& key, const Array& x, double amount) {
  check_pictures("random_brightness", x, true);
  check_amount("random_brightness", amount);
  return x * factor(key, x, amount);
}

Array random_contrast(const random::Key& key, const Array& x, double amount) {
  check_pictures("random_contrast", x, true);
  check_amount("random_contrast", amount);
  const Array middle = mean(x, {1, 2, 3}, true);
  return middle + (x - middle) * factor(key, x, amount);
}

Array random_saturation(const random::Key& key, const Array& x, double amount) {
  check_pictures("random_saturation", x, true);
  check_amount("random_saturation", amount);
  if (x.size(3) == 1) return x;
  if (x.size(3) != 3) fail("random_saturation: x has shape {}; it must have 1 or 3 channels", x.shape());
  const Array weights = astype(Array{0.299, 0.587, 0.114}, x.dtype());
  const Array grey = sum(x * weights, -1, true);
  return grey + (x - grey) * factor(key, x, amount);
}

Array cutout(const random::Key& key, const Array& x, std::int64_t size) {
  check_pictures("cutout", x, false);
  if (size < 0) fail("cutout: the size {} must not be negative", size);
  if (x.size() == 0) return x;
  const auto keys = random::split(key);
  const auto covered = [&](const random::Key& k, int axis) {
    const Array first = offsets(k, x, x.size(axis) - 1) - size / 2;
    const Array position = along(x.size(axis), axis);
    return (position >= first) & (position < first + size);
  };
  const Array gone = covered(keys[0], 1) & covered(keys[1], 2);
  return where(expand_dims(gone, -1), astype(Array(0), x.dtype()), x);
}

namespace {

/// The logarithms of n numbers from Gamma(shape): Marsaglia and Tsang 2000 for shape + 1, of whose proposals each is
/// accepted with probability 0.95 or more, the first accepted of 16; then times U^(1 / shape).
Array log_gamma_draws(const random::Key& key, std::int64_t n, double shape) {
  constexpr std::int64_t kProposals = 16;
  const auto keys = random::split(key, 3);
  const double d = shape + 1 - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  const Array z = random::normal(keys[0], {n, kProposals});
  const Array v = pow(z * c + 1, Array(3));
  const Array positive = v > 0.0;
  const Array log_v = log(where(positive, v, 1.0));
  const Array u = random::uniform(keys[1], {n, kProposals});
  const Array accepted = positive & (log(u) < square(z) * 0.5 + d - v * d + log_v * d);
  const Array first = argmax(accepted, -1, true);
  const Array chosen = reshape(take_along_axis(log_v, first, -1), {n});
  const Array power = log(1 - random::uniform(keys[2], {n})) / shape;  // of (0, 1]: finite
  return std::log(d) + chosen + power;
}

}  // namespace

Array beta(const random::Key& key, std::int64_t n, double alpha) {
  if (!(alpha > 0 && std::isfinite(alpha))) fail("beta: alpha {} must be positive", alpha);
  const auto keys = random::split(key);
  return sigmoid(log_gamma_draws(keys[0], n, alpha) - log_gamma_draws(keys[1], n, alpha));
}

Mixed mixup(const random::Key& key, const Array& x, const Array& y, double alpha, std::int64_t classes) {
  if (!x.defined() || !y.defined()) fail("mixup: x or y is an undefined Array");
  if (x.rank() < 1 || !is_float(x.dtype()))
    fail("mixup: x is {}{}; it must be (n, ...) of floats", x.dtype(), x.shape());
  if (y.rank() < 1 || y.size(0) != x.size(0))
    fail("mixup: {} examples in x and targets of shape {}", x.shape(), y.shape());
  Array targets = y;
  if (!is_float(y.dtype())) {
    if (y.rank() != 1 || classes < 1) {
      fail("mixup: y is {}{}; class indices must be (n), and the number of classes be given", y.dtype(), y.shape());
    }
    targets = one_hot(y, classes, x.dtype());
  }
  const auto keys = random::split(key);
  const std::int64_t n = x.size(0);
  const Array share = beta(keys[0], n, alpha);
  const Array partner = random::permutation(keys[1], n);
  const auto mixed = [&](const Array& t) {
    Shape shape(static_cast<std::size_t>(t.rank()), 1);
    shape[0] = n;
    return lerp(take(t, partner), t, reshape(astype(share, t.dtype()), shape));
  };
  return {mixed(x), mixed(astype(targets, x.dtype()))};
}

}  // namespace pellucid::augment

namespace pellucid::nn {

Augment::Augment(AugmentOptions options) : options_(options) {
  if (options.shift < 0 || options.cutout < 0 || !(options.rotate >= 0) || !(options.brightness >= 0) ||
      !(options.contrast >= 0) || !(options.saturation >= 0)) {
    base::fail("Augment: settings must not be negative");
  }
}

Array Augment::operator()(const Array& x) const {
  const Call call(*this, "Augment");
  if (x.rank() != 4) {
    call.fail(base::format("x has shape {}; it must be (n, height, width, channels)", x.shape()));
  }
  if (!trains(*this)) return call.done(x);
  if (!Context::training()) {
    call.fail("training needs random numbers; make an nn::Context with a key around the call, or nn::eval the network");
  }
  const auto keys = random::split(Context::next_key(), 7);
  Array y = x;
  if (options_.shift > 0) y = augment::random_shift(keys[0], y, options_.shift);
  if (options_.flip) y = augment::random_flip(keys[1], y);
  if (options_.rotate > 0) y = augment::random_rotate(keys[2], y, options_.rotate);
  if (options_.brightness > 0) y = augment::random_brightness(keys[3], y, options_.brightness);
  if (options_.contrast > 0) y = augment::random_contrast(keys[4], y, options_.contrast);
  if (options_.saturation > 0) y = augment::random_saturation(keys[5], y, options_.saturation);
  if (options_.cutout > 0) y = augment::cutout(keys[6], y, options_.cutout);
  return call.done(y);
}

Options Augment::options() const {
  return {{"shift", options_.shift},           {"flip", options_.flip},         {"rotate", options_.rotate},
          {"brightness", options_.brightness}, {"contrast", options_.contrast}, {"saturation", options_.saturation},
          {"cutout", options_.cutout}};
}

void add_augmentation(Makers& makers) {
  makers["Augment"] = [](Settings& s) {
    AugmentOptions options;
    options.shift = s.get<std::int64_t>("shift");
    options.flip = s.get<bool>("flip");
    options.rotate = s.get<double>("rotate");
    options.brightness = s.get<double>("brightness");
    options.contrast = s.get<double>("contrast");
    options.saturation = s.get<double>("saturation");
    options.cutout = s.get<std::int64_t>("cutout");
    return Augment(options);
  };
}

}  // namespace pellucid::nn
