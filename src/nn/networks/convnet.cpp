// The small network of convolutions.
#include "base/fail.h"
#include "nn/networks/parts.h"
#include "pellucid/ops.h"
#include "pellucid/ops_pool.h"

namespace pellucid::nn {

using base::fail;

namespace {

std::int64_t last_of(const std::vector<std::int64_t>& widths) {
  if (widths.empty() || widths.size() > 16) fail("ConvNet: {} stages; there must be 1 to 16 widths", widths.size());
  for (const std::int64_t width : widths) positive("ConvNet", "a width", width);
  return widths.back();
}

}  // namespace

ConvNet::ConvNet(ConvNetOptions options)
    : dropout(options.dropout),
      head(last_of(options.widths), positive("ConvNet", "the number of classes", options.classes)),
      options_(std::move(options)) {
  std::int64_t inputs = positive("ConvNet", "the number of channels", options_.channels);
  for (const std::int64_t width : options_.widths) {
    for (int i = 0; i < 2; ++i) {
      convs.push_back(bare_convolution(inputs, width, 3, 1));
      norms.emplace_back(width);
      inputs = width;
    }
  }
}

Array ConvNet::operator()(const Array& x) const {
  const auto least = std::int64_t{1} << (options_.widths.size() - 1);
  Array h = x.rank() == 3 && options_.channels == 1 ? expand_dims(x, -1) : x;
  {
    const Call call(*this, "ConvNet");
    check_pictures(call, h, options_.channels);
    if (h.size(1) < least || h.size(2) < least) {
      call.fail(base::format("x has shape {}; {} stages need pictures of at least {} x {}", x.shape(),
                             options_.widths.size(), least, least));
    }
  }
  for (std::size_t i = 0; i < convs.size(); ++i) {
    if (i > 0 && i % 2 == 0) h = max_pool(h, {.kernel = {2, 2}});
    h = relu(norms[i](convs[i](h)));
  }
  return head(dropout(global_average_pool(h)));
}

Options ConvNet::options() const {
  return {{"channels", options_.channels},
          {"classes", options_.classes},
          {"widths", options_.widths},
          {"dropout", options_.dropout}};
}

}  // namespace pellucid::nn
