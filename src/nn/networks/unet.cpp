// U-Net: a number for each position of a picture.
#include "base/fail.h"
#include "nn/networks/parts.h"
#include "pellucid/ops.h"
#include "pellucid/ops_pool.h"

namespace pellucid::nn {

using base::fail;

UNetStage::UNetStage(std::int64_t inputs, std::int64_t outputs)
    : conv1(bare_convolution(inputs, outputs, 3, 1)),
      norm1(outputs),
      conv2(bare_convolution(outputs, outputs, 3, 1)),
      norm2(outputs) {}

Array UNetStage::operator()(const Array& x) const { return relu(norm2(conv2(relu(norm1(conv1(x)))))); }

UNet::UNet(UNetOptions options)
    : head(positive("UNet", "the width", options.width), positive("UNet", "the number of outputs", options.outputs), 1),
      options_(options) {
  positive("UNet", "the number of channels", options.channels);
  if (options.depth < 1 || options.depth > 8) fail("UNet: the depth {} must be from 1 to 8", options.depth);
  std::int64_t inputs = options.channels, width = options.width;
  for (std::int64_t level = 0; level <= options.depth; ++level) {
    down.emplace_back(inputs, width);
    inputs = width;
    width *= 2;
  }
  for (std::int64_t level = options.depth; level-- > 0;) {
    const std::int64_t narrow = options.width << level;
    up.emplace_back(2 * narrow, narrow, 2, ConvTransposeOptions{.stride = 2});
    merge.emplace_back(2 * narrow, narrow);
  }
}

Array UNet::operator()(const Array& x) const {
  {
    const Call call(*this, "UNet");
    check_pictures(call, x, options_.channels);
    const std::int64_t unit = std::int64_t{1} << options_.depth;
    if (x.size(1) % unit != 0 || x.size(2) % unit != 0 || x.size(1) == 0 || x.size(2) == 0) {
      call.fail(
          base::format("x has shape {}: height and width must be multiples of {}; pad the pictures", x.shape(), unit));
    }
  }
  Arrays kept;
  Array h = x;
  for (std::size_t level = 0; level < down.size(); ++level) {
    if (level > 0) h = max_pool(h, {.kernel = {2, 2}});
    h = down[level](h);
    kept.push_back(h);
  }
  kept.pop_back();
  for (std::size_t i = 0; i < up.size(); ++i) {
    h = merge[i](concat({kept.back(), up[i](h)}, -1));
    kept.pop_back();
  }
  return head(h);
}

Options UNet::options() const {
  return {{"channels", options_.channels},
          {"outputs", options_.outputs},
          {"width", options_.width},
          {"depth", options_.depth}};
}

}  // namespace pellucid::nn
