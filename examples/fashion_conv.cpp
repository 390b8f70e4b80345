// A convolutional network of fewer than 120,000 parameters learns to name ten kinds of clothes.
//
//     fashion_conv [FOLDER] [--epochs N]      FOLDER holds the IDX files; Debian's package dataset-fashion-mnist puts
//                                             them into /usr/share/datasets/fashion-mnist
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>

#include "pellucid/pellucid.h"

namespace pl = pellucid;

namespace {

/// In training, half of the pictures are mirrored: a shoe that points the other way is a shoe.
struct Mirrored : pl::nn::Module {
  pl::nn::ConvNet network{{.channels = 1, .classes = 10, .widths = {24, 48, 72}}};
  pl::Array operator()(const pl::Array& x) const {
    if (!pl::nn::Context::training()) return network(x);
    const pl::Array mirror = pl::random::bernoulli(pl::nn::Context::next_key(), {x.size(0), 1, 1});
    return network(pl::where(mirror, pl::flip(x, {2}), x));
  }
};

/// Bytes as numbers of mean 0 and deviation 1 over the training pictures.
pl::Array scaled(const pl::Array& images, const pl::data::PicturePreprocessing& how) {
  return ((pl::astype(images, pl::float32) - how.mean) * (1 / how.scale)).evaluate();
}

int run(const std::string& folder, std::int64_t epochs) {
  const pl::data::Pictures pictures = pl::data::read_pictures(folder);
  const auto preprocessing = pl::data::fit_pictures(pictures);
  const pl::Dataset training{scaled(pictures.training.images, preprocessing), pictures.training.labels};
  const pl::Dataset test{scaled(pictures.test.images, preprocessing), pictures.test.labels};

  Mirrored net;
  std::cout << pl::nn::summary(net, {1, 28, 28}) << '\n';
  const auto steps = (training.x.size(0) + 127) / 128 * epochs;
  const auto result =
      pl::fit(net, training,
              {.loss = pl::loss::CrossEntropy{.label_smoothing = 0.05},
               .optimizer = pl::optim::AdamW{.learning_rate = pl::schedule::OneCycle{.peak = 6e-3, .steps = steps},
                                             .weight_decay = 0.05},
               .max_epochs = epochs,
               .batch_size = 128,
               .on_epoch = [](const pl::Epoch& e) {
                 std::printf("epoch %2lld  loss %.4f  %.1f s\n", static_cast<long long>(e.epoch), e.loss, e.seconds);
                 std::fflush(stdout);
                 return true;
               }});
  std::cout << result << '\n';
  const double accuracy = pl::metrics::accuracy(pl::predict(net, test.x), test.y);
  std::printf("\n%lld parameters, %.1f s: %.2f %% of %lld test pictures are right\n",
              static_cast<long long>(pl::nn::parameter_count(net)), result.seconds, 100 * accuracy,
              static_cast<long long>(test.x.size(0)));
  return accuracy >= 0.925 || epochs < 12 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  std::string folder = "/usr/share/datasets/fashion-mnist";
  std::int64_t epochs = 12;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--epochs") == 0 && i + 1 < argc && std::atoi(argv[i + 1]) > 0) {
      epochs = std::atoi(argv[++i]);
    } else if (argv[i][0] != '-') {
      folder = argv[i];
    } else {
      std::fprintf(stderr, "usage: fashion_conv [FOLDER] [--epochs N]   N >= 1\n");
      return 2;
    }
  }
  try {
    return run(folder, epochs);
  } catch (const pl::Error& error) {
    std::fprintf(stderr, "fashion_conv: %s\n", error.what());
    return 1;
  }
}
