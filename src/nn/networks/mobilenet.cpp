// MobileNetV2: depthwise convolutions between narrow layers.
#include <algorithm>
#include <cmath>

#include "base/fail.h"
#include "nn/networks/parts.h"
#include "pellucid/ops.h"
#include "pellucid/ops_pool.h"

namespace pellucid::nn {

using base::fail;

namespace {

struct Stage {
  std::int64_t expansion, outputs, blocks, stride;
};
// Table 2 of the paper.
constexpr Stage kStages[] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                             {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};

double checked_width(double width) {
  if (!(width > 0 && width <= 64)) fail("MobileNetV2: the width {} must be above 0, and 64 at most", width);
  return width;
}

std::int64_t scaled_to(std::int64_t channels, double width) {
  const double exact = static_cast<double>(channels) * checked_width(width);
  const std::int64_t rounded = std::max<std::int64_t>(8, static_cast<std::int64_t>(exact + 4) / 8 * 8);
  return static_cast<double>(rounded) < 0.9 * exact ? rounded + 8 : rounded;
}

std::int64_t last_width(double width) { return scaled_to(1280, std::max(1.0, checked_width(width))); }

}  // namespace

InvertedResidual::InvertedResidual(std::int64_t inputs, std::int64_t outputs, std::int64_t stride,
                                   std::int64_t expansion)
    : depthwise(bare_convolution(inputs * expansion, inputs * expansion, 3, stride, inputs * expansion)),
      depthwise_norm(inputs * expansion),
      project(bare_convolution(inputs * expansion, outputs, 1, 1)),
      project_norm(outputs),
      residual_(stride == 1 && inputs == outputs) {
  if (expansion == 1) return;
  expand.emplace(bare_convolution(inputs, inputs * expansion, 1, 1));
  expand_norm.emplace(inputs * expansion);
}

Array InvertedResidual::operator()(const Array& x) const {
  Array h = expand ? relu6((*expand_norm)((*expand)(x))) : x;
  h = relu6(depthwise_norm(depthwise(h)));
  h = project_norm(project(h));
  return residual_ ? x + h : h;
}

MobileNetV2::MobileNetV2(MobileNetV2Options options)
    : stem(bare_convolution(positive("MobileNetV2", "the number of channels", options.channels),
                            scaled_to(32, options.width), 3, options.small_pictures ? 1 : 2)),
      stem_norm(scaled_to(32, options.width)),
      last(bare_convolution(scaled_to(320, options.width), last_width(options.width), 1, 1)),
      last_norm(last_width(options.width)),
      dropout(options.dropout),
      head(last_width(options.width), positive("MobileNetV2", "the number of classes", options.classes),
           {.weight_initializer = init::normal(0, 0.01)}),
      options_(options) {
  std::int64_t inputs = scaled_to(32, options.width);
  for (const Stage& stage : kStages) {
    const bool keep = options.small_pictures && stage.outputs == 24;
    for (std::int64_t i = 0; i < stage.blocks; ++i) {
      const std::int64_t outputs = scaled_to(stage.outputs, options.width);
      blocks.emplace_back(inputs, outputs, i == 0 && !keep ? stage.stride : 1, stage.expansion);
      inputs = outputs;
    }
  }
}

Array MobileNetV2::operator()(const Array& x) const {
  {
    const Call call(*this, "MobileNetV2");
    check_pictures(call, x, options_.channels);
  }
  Array h = relu6(stem_norm(stem(x)));
  for (const InvertedResidual& block : blocks) h = block(h);
  return head(dropout(global_average_pool(relu6(last_norm(last(h))))));
}

Options MobileNetV2::options() const {
  return {{"channels", options_.channels},
          {"classes", options_.classes},
          {"width", options_.width},
          {"dropout", options_.dropout},
          {"small_pictures", options_.small_pictures}};
}

}  // namespace pellucid::nn
