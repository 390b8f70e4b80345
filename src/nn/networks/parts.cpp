// What the networks for pictures share, and how they are made of descriptions.
#include "nn/networks/parts.h"

#include "nn/build.h"
#include "pellucid/ops.h"

namespace pellucid::nn {

using base::fail;

Conv2d bare_convolution(std::int64_t inputs, std::int64_t outputs, std::int64_t kernel, std::int64_t stride,
                        std::int64_t groups) {
  ConvOptions options;
  options.stride = stride;
  options.padding = kernel / 2;
  options.groups = groups;
  options.bias = false;
  options.weight_initializer = init::he_normal(init::Fan::kOut);
  return {inputs, outputs, kernel, options};
}

std::int64_t positive(std::string_view type, std::string_view what, std::int64_t n) {
  if (n < 1) fail("{}: {} is {}, and must be positive", type, what, n);
  return n;
}

void check_pictures(const Call& call, const Array& x, std::int64_t channels) {
  if (x.rank() == 4 && x.size(-1) == channels) return;
  call.fail(base::format("x has shape {}; it must be (n, height, width, {})", x.shape(), channels));
}

std::string summary(Ref module, const Shape& input_shape, DType dtype) {
  return summary(module, zeros(input_shape, dtype));
}

void add_networks(Makers& m) {
  m["LeNet5"] = [](Settings& s) {
    s.skip_layers();
    return LeNet5({.channels = s.get<std::int64_t>("channels"), .classes = s.get<std::int64_t>("classes")});
  };
  m["ConvNet"] = [](Settings& s) {
    s.skip_layers();
    return ConvNet({.channels = s.get<std::int64_t>("channels"),
                    .classes = s.get<std::int64_t>("classes"),
                    .widths = s.get<std::vector<std::int64_t>>("widths"),
                    .dropout = s.get<double>("dropout")});
  };
  m["ResNet"] = [](Settings& s) {
    s.skip_layers();
    return ResNet(s.get<std::int64_t>("depth"), {.channels = s.get<std::int64_t>("channels"),
                                                 .classes = s.get<std::int64_t>("classes"),
                                                 .small_pictures = s.get<bool>("small_pictures")});
  };
  m["MobileNetV2"] = [](Settings& s) {
    s.skip_layers();
    return MobileNetV2({.channels = s.get<std::int64_t>("channels"),
                        .classes = s.get<std::int64_t>("classes"),
                        .width = s.get<double>("width"),
                        .dropout = s.get<double>("dropout"),
                        .small_pictures = s.get<bool>("small_pictures")});
  };
  m["UNet"] = [](Settings& s) {
    s.skip_layers();
    return UNet({.channels = s.get<std::int64_t>("channels"),
                 .outputs = s.get<std::int64_t>("outputs"),
                 .width = s.get<std::int64_t>("width"),
                 .depth = s.get<std::int64_t>("depth")});
  };
}

}  // namespace pellucid::nn
