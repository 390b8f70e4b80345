// LeNet-5.
#include "base/fail.h"
#include "nn/networks/parts.h"
#include "pellucid/ops.h"
#include "pellucid/ops_pool.h"

namespace pellucid::nn {

namespace {
constexpr std::int64_t kSide = 28, kFlat = 5 * 5 * 16;
}

LeNet5::LeNet5(LeNet5Options options)
    : conv1(positive("LeNet5", "the number of channels", options.channels), 6, 5, {.padding = 2}),
      conv2(6, 16, 5),
      linear1(kFlat, 120),
      linear2(120, 84),
      linear3(84, positive("LeNet5", "the number of classes", options.classes)) {}

Array LeNet5::operator()(const Array& x) const {
  {
    const Call call(*this, "LeNet5");
    check_pictures(call, x, conv1.weight.value.size(2));
    if (x.size(1) != kSide || x.size(2) != kSide) {
      call.fail(base::format("x has pictures of {} x {}; they must be 28 x 28", x.size(1), x.size(2)));
    }
  }
  Array h = max_pool(relu(conv1(x)), {.kernel = {2, 2}});
  h = max_pool(relu(conv2(h)), {.kernel = {2, 2}});
  h = relu(linear1(flatten(h, 1, -1)));
  return linear3(relu(linear2(h)));
}

Options LeNet5::options() const {
  return {{"channels", conv1.weight.value.size(2)}, {"classes", linear3.weight.value.size(1)}};
}

}  // namespace pellucid::nn
