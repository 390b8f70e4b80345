// Changes to pictures that leave what they show as it is, drawn at random for each picture of a batch.
//
// Pictures are (n, height, width, channels). Everything follows from the key: the same key gives the same bits. All of
// it is made of array operations, so it runs inside a compiled step as well as outside, and differs at each step where
// the key does. As a layer (nn::Augment) it becomes a part of training with fit, and passes pictures on in evaluation.
//
// Every function throws Error where x is not such a batch of pictures, or a setting is out of range. Values that were
// no pictures' (beyond the border) are zero. Results have x's type; random_rotate, brightness, contrast, saturation and
// mixup take floating x alone.
#pragma once

#include "pellucid/array.h"
#include "pellucid/nn.h"
#include "pellucid/random.h"

namespace pellucid::augment {

/// A part of the given height and width of each picture, which is padded by `padding` zeros at each border first.
Array random_crop(const random::Key& key, const Array& x, std::int64_t height, std::int64_t width,
                  std::int64_t padding = 0);
/// Moved by up to `most` positions in both directions: random_crop to the same size with that padding.
Array random_shift(const random::Key& key, const Array& x, std::int64_t most);
/// Mirrored with probability p: left with right, or (vertical) top with bottom.
Array random_flip(const random::Key& key, const Array& x, double p = 0.5, bool vertical = false);
/// Turned about the centre by an angle within +-degrees, uniformly, with bilinear interpolation.
Array random_rotate(const random::Key& key, const Array& x, double degrees);

/// x times a factor in [1 - amount, 1 + amount].
Array random_brightness(const random::Key& key, const Array& x, double amount);
/// Differences from the picture's mean times such a factor.
Array random_contrast(const random::Key& key, const Array& x, double amount);
/// Differences from the grey value (0.299 r + 0.587 g + 0.114 b) times such a factor. Three channels; with one, x
/// itself.
Array random_saturation(const random::Key& key, const Array& x, double amount);

/// A square of size x size positions becomes zero; its centre is anywhere in the picture (DeVries and Taylor 2017).
Array cutout(const random::Key& key, const Array& x, std::int64_t size);

struct Mixed {
  Array x, y;
};
/// Each example mixed with another one of the batch: share x + (1 - share) x', share ~ Beta(alpha, alpha) for each
/// example (Zhang et al. 2018), and targets alike. y: (n, classes) of floating type, or class indices (n) with their
/// number; the result's y has x's type, which cross_entropy takes as soft targets. x of any shape (n, ...).
Mixed mixup(const random::Key& key, const Array& x, const Array& y, double alpha = 0.2, std::int64_t classes = 0);

/// `n` numbers from Beta(alpha, alpha), float32.
Array beta(const random::Key& key, std::int64_t n, double alpha);

}  // namespace pellucid::augment

namespace pellucid::nn {

struct AugmentOptions {
  std::int64_t shift = 0;  // positions at most; what "random crop with padding" does
  bool flip = false;       // left with right, half of them
  double rotate = 0;       // degrees at most
  double brightness = 0, contrast = 0, saturation = 0;
  std::int64_t cutout = 0;  // size of the square
};
/// Augmentation in training, x itself in evaluation: as a network's first layer it works with fit. In the order of its
/// settings. Throws Error where a setting is negative, and in training where no Context gives a key.
class Augment : public Layer {
 public:
  explicit Augment(AugmentOptions options);
  Array operator()(const Array& x) const;
  Options options() const;
  void visit_members(Visitor&) {}

 private:
  AugmentOptions options_;
};

}  // namespace pellucid::nn
