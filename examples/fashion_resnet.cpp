// ResNet-18 in its form for small pictures learns to name ten kinds of clothes, in bfloat16 precision.
//
//     fashion_resnet [FOLDER] [--epochs N] [--float32]   FOLDER as of fashion_conv. An epoch takes about ten minutes
//                                                        on two cores.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>

#include "pellucid/pellucid.h"

namespace pl = pellucid;

namespace {

/// In training, half of the pictures are mirrored.
struct Mirrored : pl::nn::Module {
  pl::nn::ResNet network = pl::nn::resnet18({.channels = 1, .classes = 10, .small_pictures = true});
  pl::Array operator()(const pl::Array& x) const {
    const pl::Array pictures = pl::expand_dims(x, -1);
    if (!pl::nn::Context::training()) return network(pictures);
    const pl::Array mirror = pl::random::bernoulli(pl::nn::Context::next_key(), {x.size(0), 1, 1, 1});
    return network(pl::where(mirror, pl::flip(pictures, {2}), pictures));
  }
};

/// Bytes as numbers of mean 0 and deviation 1 over the training pictures.
pl::Array scaled(const pl::Array& images, const pl::data::PicturePreprocessing& how) {
  return ((pl::astype(images, pl::float32) - how.mean) * (1 / how.scale)).evaluate();
}

int run(const std::string& folder, std::int64_t epochs, pl::Precision precision) {
  const pl::data::Pictures pictures = pl::data::read_pictures(folder);
  const auto preprocessing = pl::data::fit_pictures(pictures);
  const pl::Dataset training{scaled(pictures.training.images, preprocessing), pictures.training.labels};
  const pl::Dataset test{scaled(pictures.test.images, preprocessing), pictures.test.labels};

  Mirrored net;
  const auto steps = (training.x.size(0) + 127) / 128 * epochs;
  const auto result = pl::fit(
      net, training,
      {.loss = pl::loss::CrossEntropy{.label_smoothing = 0.05},
       .optimizer = pl::optim::SGD{.learning_rate = pl::schedule::OneCycle{.peak = 0.1, .steps = steps},
                                   .momentum = 0.9,
                                   .nesterov = true,
                                   .weight_decay = 5e-4},
       .precision = precision,
       .max_epochs = epochs,
       .batch_size = 128,
       .on_epoch =
           [](const pl::Epoch& e) {
             std::printf("epoch %2lld  loss %.4f  %.1f s\n", static_cast<long long>(e.epoch), e.loss, e.seconds);
             std::fflush(stdout);
             return true;
           },
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

int main(int argc, char** argv) {
  std::string folder = "/usr/share/datasets/fashion-mnist";
  std::int64_t epochs = 8;
  pl::Precision precision = pl::Precision::kBFloat16;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--epochs") == 0 && i + 1 < argc && std::atoi(argv[i + 1]) > 0) {
      epochs = std::atoi(argv[++i]);
    } else if (std::strcmp(argv[i], "--float32") == 0) {
      precision = pl::Precision::kFloat32;
    } else if (argv[i][0] != '-') {
      folder = argv[i];
    } else {
      std::fprintf(stderr, "usage: fashion_resnet [FOLDER] [--epochs N] [--float32]   N >= 1\n");
      return 2;
    }
  }
  try {
    return run(folder, epochs, precision);
  } catch (const pl::Error& error) {
    std::fprintf(stderr, "fashion_resnet: %s\n", error.what());
    return 1;
  }
}
