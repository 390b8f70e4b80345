// A convolutional network of fewer than 120,000 parameters learns to name ten kinds of clothes.
//
//     fashion_conv [FOLDER] [--epochs N]      FOLDER holds the IDX files; Debian's package dataset-fashion-mnist puts
//                                             them into /usr/share/datasets/fashion-mnist
#include <cstdio>
#include <iostream>
#include <string>

#include "fashion.h"

namespace pl = pellucid;

namespace {

int run(const std::string& folder, std::int64_t epochs, bool) {
  const fashion::Clothes clothes = fashion::read(folder);
  const pl::Dataset &training = clothes.training, &test = clothes.test;

  fashion::Mirrored net(pl::nn::ConvNet{{.channels = 1, .classes = 10, .widths = {24, 48, 72}}});
  std::cout << pl::nn::summary(net, {1, 28, 28}) << '\n';
  const auto steps = clothes.steps(epochs);
  const auto result =
      pl::fit(net, training,
              {.loss = pl::loss::CrossEntropy{.label_smoothing = 0.05},
               .optimizer = pl::optim::AdamW{.learning_rate = pl::schedule::OneCycle{.peak = 6e-3, .steps = steps},
                                             .weight_decay = 0.05},
               .max_epochs = epochs,
               .batch_size = fashion::kBatch,
               .on_epoch = fashion::print_epoch});
  std::cout << result << '\n';
  const double accuracy = pl::metrics::accuracy(pl::predict(net, test.x), test.y);
  std::printf("\n%lld parameters, %.1f s: %.2f %% of %lld test pictures are right\n",
              static_cast<long long>(pl::nn::parameter_count(net)), result.seconds, 100 * accuracy,
              static_cast<long long>(test.x.size(0)));
  return accuracy >= 0.925 || epochs < 12 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) { return fashion::program("fashion_conv", argc, argv, 12, nullptr, &run); }
