// ResNet-18 in its form for small pictures learns to name ten kinds of clothes, in bfloat16 precision. A picture's
// probabilities are the mean of those of the picture and of its mirror image.
//
//     fashion_resnet [FOLDER] [--epochs N] [--float32]   FOLDER as of fashion_conv. An epoch takes about ten minutes
//                                                        on two cores.
//
// Interrupted (Ctrl-C, or killed), it goes on where it was when it is called again: the state of the training is kept
// in fashion_resnet.checkpoint in the current folder until it has ended.
#include <cstdio>
#include <iostream>
#include <string>

#include "fashion.h"

namespace pl = pellucid;

namespace {

constexpr std::int64_t kEpochs = 6;

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
               .checkpoint = {.path = "fashion_resnet.checkpoint", .seconds = 120},
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
  if (result.reason == pl::Reason::kInterrupted) {
    std::printf("Call it again to go on.\n");
    return 130;
  }
  const auto probabilities = [&](const pl::Array& x) { return pl::softmax(pl::predict(net, x, 128), -1); };
  const pl::Array one_view = probabilities(test.x);
  const pl::Array both_views = one_view + probabilities(pl::flip(test.x, {2}));
  const double accuracy = pl::metrics::accuracy(both_views, test.y);
  std::printf(
      "\n%lld parameters, %s, %.1f s: %.2f %% of %lld test pictures are right (%.2f %% without their mirror images)\n",
      static_cast<long long>(pl::nn::parameter_count(net)), std::string(pl::name_of(precision)).c_str(), result.seconds,
      100 * accuracy, static_cast<long long>(test.x.size(0)), 100 * pl::metrics::accuracy(one_view, test.y));
  return accuracy >= 0.94 || epochs < kEpochs ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) { return fashion::program("fashion_resnet", argc, argv, kEpochs, "--float32", &run); }
