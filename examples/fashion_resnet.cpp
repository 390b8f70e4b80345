// ResNet-18 in its form for small pictures learns to name ten kinds of clothes, in bfloat16 precision.
//
//     fashion_resnet [FOLDER] [--epochs N] [--float32]   FOLDER as of fashion_conv. An epoch takes about ten minutes
//                                                        on two cores.
#include <cstdio>
#include <iostream>
#include <string>

#include "fashion.h"

namespace pl = pellucid;

namespace {

int run(const std::string& folder, std::int64_t epochs, bool float32) {
  const pl::Precision precision = float32 ? pl::Precision::kFloat32 : pl::Precision::kBFloat16;
  const fashion::Clothes clothes = fashion::read(folder);
  const pl::Dataset &training = clothes.training, &test = clothes.test;

  fashion::Mirrored net(pl::nn::resnet18({.channels = 1, .classes = 10, .small_pictures = true}));
  const auto steps = clothes.steps(epochs);
  const auto result =
      pl::fit(net, training,
              {.loss = pl::loss::CrossEntropy{.label_smoothing = 0.05},
               .optimizer = pl::optim::SGD{.learning_rate = pl::schedule::OneCycle{.peak = 0.1, .steps = steps},
                                           .momentum = 0.9,
                                           .nesterov = true,
                                           .weight_decay = 5e-4},
               .precision = precision,
               .max_epochs = epochs,
               .batch_size = fashion::kBatch,
               .on_epoch = fashion::print_epoch,
               .on_progress =
                   [](const pl::Progress& p) {
                     std::printf("  %lld of %lld, loss %.4f, %.0f s\n", static_cast<long long>(p.examples),
                                 static_cast<long long>(p.total), p.loss, p.seconds);
                     std::fflush(stdout);
                     return true;
                   },
               .progress_seconds = 60});
  std::cout << result << '\n';
  const double accuracy = pl::metrics::accuracy(pl::predict(net, test.x, 128), test.y);
  std::printf("\n%lld parameters, %s, %.1f s: %.2f %% of %lld test pictures are right\n",
              static_cast<long long>(pl::nn::parameter_count(net)), std::string(pl::name_of(precision)).c_str(),
              result.seconds, 100 * accuracy, static_cast<long long>(test.x.size(0)));
  return accuracy >= 0.94 || epochs < 8 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) { return fashion::program("fashion_resnet", argc, argv, 8, "--float32", &run); }
