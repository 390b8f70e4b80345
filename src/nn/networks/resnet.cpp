// Residual networks of 18, 34 and 50 layers.
#include <array>

#include "base/fail.h"
#include "nn/networks/parts.h"
#include "pellucid/ops.h"
#include "pellucid/ops_pool.h"

namespace pellucid::nn {

using base::fail;

namespace {

constexpr std::int64_t kWidening = 4;  // of a bottleneck

/// The number of blocks in each stage.
std::array<int, 4> stages_of(std::int64_t depth) {
  if (depth == 18) return {2, 2, 2, 2};
  if (depth == 34 || depth == 50) return {3, 4, 6, 3};
  fail("ResNet: there is no depth {}; it is 18, 34 or 50", depth);
}

std::int64_t widest(std::int64_t depth) { return depth == 50 ? 512 * kWidening : 512; }

}  // namespace

ResNetBlock::ResNetBlock(std::int64_t inputs, std::int64_t width, std::int64_t stride, bool bottleneck)
    : conv1(bottleneck ? bare_convolution(inputs, width, 1, 1) : bare_convolution(inputs, width, 3, stride)),
      norm1(width),
      conv2(bare_convolution(width, width, 3, bottleneck ? stride : 1)),
      norm2(width) {
  const std::int64_t outputs = bottleneck ? width * kWidening : width;
  if (bottleneck) {
    conv3.emplace(bare_convolution(width, outputs, 1, 1));
    norm3.emplace(outputs);
  }
  if (stride != 1 || inputs != outputs) {
    shortcut.emplace(bare_convolution(inputs, outputs, 1, stride));
    shortcut_norm.emplace(outputs);
  }
}

Array ResNetBlock::operator()(const Array& x) const {
  Array y = norm2(conv2(relu(norm1(conv1(x)))));
  if (conv3) y = (*norm3)((*conv3)(relu(y)));
  return relu(y + (shortcut ? (*shortcut_norm)((*shortcut)(x)) : x));
}

ResNet::ResNet(std::int64_t depth, ResNetOptions options)
    : stem(bare_convolution(positive("ResNet", "the number of channels", options.channels), 64,
                            options.small_pictures ? 3 : 7, options.small_pictures ? 1 : 2)),
      stem_norm(64),
      head(widest(depth), positive("ResNet", "the number of classes", options.classes)),
      depth_(depth),
      options_(options) {
  const bool bottleneck = depth == 50;
  std::int64_t inputs = 64, width = 64;
  for (const int count : stages_of(depth)) {
    for (int i = 0; i < count; ++i) {
      blocks.emplace_back(inputs, width, i == 0 && width != 64 ? 2 : 1, bottleneck);
      inputs = bottleneck ? width * kWidening : width;
    }
    width *= 2;
  }
}

Array ResNet::operator()(const Array& x) const {
  {
    const Call call(*this, "ResNet");
    check_pictures(call, x, options_.channels);
  }
  Array h = relu(stem_norm(stem(x)));
  if (!options_.small_pictures) h = max_pool(h, {.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}});
  for (const ResNetBlock& block : blocks) h = block(h);
  return head(global_average_pool(h));
}

Options ResNet::options() const {
  return {{"depth", depth_},
          {"channels", options_.channels},
          {"classes", options_.classes},
          {"small_pictures", options_.small_pictures}};
}

}  // namespace pellucid::nn
