// Networks for pictures that are ready to use, and the table that shows what a network is made of.
//
//   pl::nn::ResNet network = pl::nn::resnet18({.channels = 3, .classes = 10, .small_pictures = true});
//   std::cout << pl::nn::summary(network, {32, 32, 32, 3});
//   pl::fit(network, {x, y}, {.loss = pl::loss::cross_entropy, .precision = pl::Precision::kBFloat16});
//
// Pictures are (N, height, width, channels); classifiers give logits (N, classes). Each is a module like any other: its
// parameters have names ("blocks.0.conv1.weight"), and nn::build makes it again from its description. Constructors
// throw Error where a number is not positive; calls throw Error naming the layer where x does not fit.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include "pellucid/nn.h"
#include "pellucid/nn_convolution.h"

namespace pellucid::nn {

// ---- LeNet-5 --------------------------------------------------------------------------------------------------------

struct LeNet5Options {
  std::int64_t channels = 1;
  std::int64_t classes = 10;
};
/// LeNet-5 (LeCun et al. 1998) with ReLU and max pooling: (N, 28, 28, channels) -> (N, classes). 61,706 parameters.
class LeNet5 : public Layer {
 public:
  explicit LeNet5(LeNet5Options options = {});
  Array operator()(const Array& x) const;
  Options options() const;
  PELLUCID_MEMBERS(conv1, conv2, linear1, linear2, linear3)
  Conv2d conv1, conv2;
  Linear linear1, linear2, linear3;
};

// ---- A small network ------------------------------------------------------------------------------------------------

struct ConvNetOptions {
  std::int64_t channels = 1;
  std::int64_t classes = 10;
  std::vector<std::int64_t> widths = {16, 32, 64};
  double dropout = 0;  // before the last layer
};
/// The small network for pictures of `pellucid train --network conv`: for each width a stage of two convolutions 3 x 3,
/// each followed by a normalisation and relu, with max pooling 2 x 2 between stages; then the mean over all positions
/// and a linear layer. (N, H, W, channels) -> (N, classes); (N, H, W) where there is one channel. H and W must be at
/// least 2^(stages - 1). 72,666 parameters as it is.
class ConvNet : public Layer {
 public:
  explicit ConvNet(ConvNetOptions options = {});
  Array operator()(const Array& x) const;
  Options options() const;
  PELLUCID_MEMBERS(convs, norms, dropout, head)
  std::vector<Conv2d> convs;
  std::vector<BatchNorm1d> norms;  // after the convolution of the same number
  Dropout dropout;
  Linear head;

 private:
  ConvNetOptions options_;
};

// ---- Residual networks ----------------------------------------------------------------------------------------------

/// relu(f(x) + shortcut(x)): f is two convolutions 3 x 3, or in a bottleneck 1 x 1, 3 x 3 and 1 x 1 with four times the
/// width coming out; each is followed by a normalisation. The stride is that of the (first) 3 x 3. The shortcut is x,
/// or a convolution 1 x 1 and a normalisation where sizes change.
class ResNetBlock : public Layer {
 public:
  ResNetBlock(std::int64_t inputs, std::int64_t width, std::int64_t stride, bool bottleneck);
  Array operator()(const Array& x) const;
  PELLUCID_MEMBERS(conv1, norm1, conv2, norm2, conv3, norm3, shortcut, shortcut_norm)
  Conv2d conv1;
  BatchNorm1d norm1;
  Conv2d conv2;
  BatchNorm1d norm2;
  std::optional<Conv2d> conv3;
  std::optional<BatchNorm1d> norm3;
  std::optional<Conv2d> shortcut;
  std::optional<BatchNorm1d> shortcut_norm;
};

struct ResNetOptions {
  std::int64_t channels = 3;
  std::int64_t classes = 1000;
  /// The form for pictures of about 32 x 32: it begins with a convolution 3 x 3 of stride 1 and no pooling, where the
  /// other has 7 x 7 of stride 2 and max pooling.
  bool small_pictures = false;
};
/// ResNet (He et al. 2016): a stem, four stages of blocks at widths 64 to 512, the mean over all positions, a linear
/// layer. (N, H, W, channels) -> (N, classes).
class ResNet : public Layer {
 public:
  /// Throws Error unless the depth is 18, 34 or 50.
  explicit ResNet(std::int64_t depth, ResNetOptions options = {});
  Array operator()(const Array& x) const;
  Options options() const;
  PELLUCID_MEMBERS(stem, stem_norm, blocks, head)
  Conv2d stem;
  BatchNorm1d stem_norm;
  std::vector<ResNetBlock> blocks;
  Linear head;

 private:
  std::int64_t depth_;
  ResNetOptions options_;
};
/// 11.7, 21.8 and 25.6 million parameters for 1000 classes.
inline ResNet resnet18(ResNetOptions options = {}) { return ResNet(18, options); }
inline ResNet resnet34(ResNetOptions options = {}) { return ResNet(34, options); }
inline ResNet resnet50(ResNetOptions options = {}) { return ResNet(50, options); }

// ---- MobileNetV2 ----------------------------------------------------------------------------------------------------

/// A convolution 1 x 1 to `expansion` times the channels (none where it is 1), a depthwise one 3 x 3 of the stride, one
/// 1 x 1 to `outputs`; each is normalised, and relu6 follows all but the last. x is added where sizes are kept.
class InvertedResidual : public Layer {
 public:
  InvertedResidual(std::int64_t inputs, std::int64_t outputs, std::int64_t stride, std::int64_t expansion);
  Array operator()(const Array& x) const;
  PELLUCID_MEMBERS(expand, expand_norm, depthwise, depthwise_norm, project, project_norm)
  std::optional<Conv2d> expand;
  std::optional<BatchNorm1d> expand_norm;
  Conv2d depthwise;
  BatchNorm1d depthwise_norm;
  Conv2d project;
  BatchNorm1d project_norm;

 private:
  bool residual_;
};

struct MobileNetV2Options {
  std::int64_t channels = 3;
  std::int64_t classes = 1000;
  /// All widths are multiplied by it and rounded to a multiple of 8, never down by more than a tenth.
  double width = 1;
  double dropout = 0.2;  // before the last layer
  /// For pictures of about 32 x 32: the stem and the second stage have stride 1.
  bool small_pictures = false;
};
/// MobileNetV2 (Sandler et al. 2018): (N, H, W, channels) -> (N, classes). 3.5 million parameters for 1000 classes.
class MobileNetV2 : public Layer {
 public:
  /// Throws Error unless the width is positive and finite.
  explicit MobileNetV2(MobileNetV2Options options = {});
  Array operator()(const Array& x) const;
  Options options() const;
  PELLUCID_MEMBERS(stem, stem_norm, blocks, last, last_norm, dropout, head)
  Conv2d stem;
  BatchNorm1d stem_norm;
  std::vector<InvertedResidual> blocks;
  Conv2d last;
  BatchNorm1d last_norm;
  Dropout dropout;
  Linear head;

 private:
  MobileNetV2Options options_;
};

// ---- U-Net ----------------------------------------------------------------------------------------------------------

/// Twice: a convolution 3 x 3 that keeps the size, a normalisation, relu.
class UNetStage : public Layer {
 public:
  UNetStage(std::int64_t inputs, std::int64_t outputs);
  Array operator()(const Array& x) const;
  PELLUCID_MEMBERS(conv1, norm1, conv2, norm2)
  Conv2d conv1;
  BatchNorm1d norm1;
  Conv2d conv2;
  BatchNorm1d norm2;
};

struct UNetOptions {
  std::int64_t channels = 1;
  std::int64_t outputs = 1;  // for each position
  std::int64_t width = 64;   // of the first stage; each further one has twice as many
  std::int64_t depth = 4;    // halvings, 1 to 8
};
/// U-Net (Ronneberger et al. 2015) with padding and normalisation: a number for each position and output, (N, H, W,
/// channels) -> (N, H, W, outputs). On the way down max pooling halves the picture; on the way up transposed
/// convolutions 2 x 2 double it, and what the stage of the same size made on the way down comes beside it. H and W must
/// be multiples of 2^depth.
class UNet : public Layer {
 public:
  explicit UNet(UNetOptions options = {});
  Array operator()(const Array& x) const;
  Options options() const;
  PELLUCID_MEMBERS(down, up, merge, head)
  std::vector<UNetStage> down;      // depth + 1 of them
  std::vector<ConvTranspose2d> up;  // from the bottom
  std::vector<UNetStage> merge;     // from the bottom
  Conv2d head;

 private:
  UNetOptions options_;
};

// ---- Summary --------------------------------------------------------------------------------------------------------

/// nn::summary of a call with an array of this shape and type.
std::string summary(Ref module, const Shape& input_shape, DType dtype = float32);
inline std::string summary(Ref module, std::initializer_list<std::int64_t> input_shape, DType dtype = float32) {
  return summary(module, Shape(input_shape), dtype);
}

}  // namespace pellucid::nn
