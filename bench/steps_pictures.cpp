// Networks for pictures: LeNet-5 and ResNet-18 as the peers train them, in float32 and bfloat16, and two that the peers
// lack: one of depthwise convolutions, and a U-Net.
#include "pellucid/loss.h"
#include "pellucid/networks.h"
#include "pellucid/ops.h"
#include "pellucid/precision.h"
#include "pellucid/random.h"
#include "steps.h"

namespace bench {
namespace {

using pl::Precision;

pl::Arrays batch(const pl::Shape& pictures, const pl::Shape& targets) {
  return {pl::random::normal(pl::random::key(1), pictures),
          pl::random::integers(pl::random::key(2), targets, 0, targets.size() > 1 ? 2 : 10)};
}

/// Plain SGD on the cross-entropy of the network's logits.
template <class Network>
Training classify(Network network, const pl::Shape& pictures, Precision precision = Precision::kFloat32) {
  const auto loss = [precision](const Network& net, const pl::Arrays& in) {
    const pl::PrecisionScope scope(precision);
    return pl::loss::cross_entropy(net(in[0]), in[1]);
  };
  return training_of(std::move(network), loss, pl::optim::SGD{.learning_rate = 0.01}, batch(pictures, {pictures[0]}));
}

Training lenet(Precision precision) { return classify(pl::nn::LeNet5(), {64, 28, 28, 1}, precision); }

Training resnet18(Precision precision) {
  return classify(pl::nn::resnet18({.channels = 3, .classes = 10, .small_pictures = true}), {32, 32, 32, 3}, precision);
}

Training mobilenet() {
  return classify(pl::nn::MobileNetV2({.channels = 3, .classes = 10, .dropout = 0, .small_pictures = true}),
                  {32, 32, 32, 3});
}

Training unet() {
  const auto loss = [](const pl::nn::UNet& net, const pl::Arrays& in) {
    const pl::Array logits = net(in[0]);
    return pl::loss::cross_entropy(pl::reshape(logits, {-1, 2}), pl::reshape(in[1], {-1}));
  };
  return training_of(pl::nn::UNet({.channels = 1, .outputs = 2, .width = 16, .depth = 3}), loss,
                     pl::optim::Adam{.learning_rate = 1e-3}, batch({8, 64, 64, 1}, {8, 64, 64}));
}

const Workload kLeNet({.name = "lenet_b64", .make = [] { return lenet(Precision::kFloat32); }, .order = 10});
const Workload kResNet({.name = "resnet18_b32",
                        .make = [] { return resnet18(Precision::kFloat32); },
                        .warm_up = 2,
                        .seconds = 8,
                        .order = 11});
const Workload kLeNetNarrow({.name = "lenet_b64_bf16",
                             .make = [] { return lenet(Precision::kBFloat16); },
                             .order = 40});
const Workload kResNetNarrow({.name = "resnet18_b32_bf16",
                              .make = [] { return resnet18(Precision::kBFloat16); },
                              .warm_up = 2,
                              .seconds = 8,
                              .order = 41});
const Workload kMobileNet({.name = "mobilenetv2_b32", .make = mobilenet, .warm_up = 2, .seconds = 5, .order = 20});
const Workload kUNet({.name = "unet_b8", .make = unet, .warm_up = 2, .order = 21});

}  // namespace
}  // namespace bench
