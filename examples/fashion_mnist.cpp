// A network with two hidden layers learns to name ten kinds of clothes in 10 epochs, and shows what it confuses.
//
//     fashion_mnist [FOLDER] [--epochs N]     FOLDER holds the IDX files; Debian's package dataset-fashion-mnist puts
//                                             them into /usr/share/datasets/fashion-mnist
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>

#include "pellucid/pellucid.h"

namespace pl = pellucid;

namespace {

/// Bytes as numbers of mean 0 and deviation 1 over the training pictures.
pl::Array scaled(const pl::Array& images, const pl::data::PicturePreprocessing& how) {
  return ((pl::astype(images, pl::float32) - how.mean) * (1 / how.scale)).evaluate();
}

void print(const pl::metrics::Confusion& counts, const std::vector<std::string>& classes) {
  std::printf("\nrows: what it is; columns: what it was taken for\n");
  for (std::size_t i = 0; i < counts.size(); ++i) {
    std::printf("%-12.12s", classes[i].c_str());
    for (const double n : counts[i]) std::printf("%6.0f", n);
    std::printf("\n");
  }
}

int run(const std::string& folder, std::int64_t epochs) {
  const pl::data::Pictures pictures = pl::data::read_pictures(folder);
  const auto preprocessing = pl::data::fit_pictures(pictures);
  const pl::Dataset training{scaled(pictures.training.images, preprocessing), pictures.training.labels};
  const pl::Dataset test{scaled(pictures.test.images, preprocessing), pictures.test.labels};

  pl::nn::Sequential network{pl::nn::Flatten(),        pl::nn::Linear(784, 256), pl::nn::ReLU(),
                             pl::nn::Linear(256, 128), pl::nn::ReLU(),           pl::nn::Linear(128, 10)};
  const auto steps = (training.x.size(0) + 127) / 128 * epochs;
  const auto result =
      pl::fit(network, training,
              {.loss = pl::loss::cross_entropy,
               .optimizer = pl::optim::Adam{.learning_rate = pl::schedule::Cosine{.initial = 1e-3, .steps = steps}},
               .max_epochs = epochs,
               .batch_size = 128,
               .on_epoch = [](const pl::Epoch& e) {
                 std::printf("epoch %2lld  loss %.4f  %.1f s\n", static_cast<long long>(e.epoch), e.loss, e.seconds);
                 std::fflush(stdout);
                 return true;
               }});
  std::cout << result << '\n';

  const pl::Array prediction = pl::predict(network, test.x);
  print(pl::metrics::confusion_matrix(prediction, test.y), pictures.classes);
  const double accuracy = pl::metrics::accuracy(prediction, test.y);
  std::printf("\n%.2f %% of %lld test pictures are right\n", 100 * accuracy, static_cast<long long>(test.x.size(0)));
  return accuracy >= 0.88 || epochs < 10 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  std::string folder = "/usr/share/datasets/fashion-mnist";
  std::int64_t epochs = 10;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--epochs") == 0 && i + 1 < argc && std::atoi(argv[i + 1]) > 0) {
      epochs = std::atoi(argv[++i]);
    } else if (argv[i][0] != '-') {
      folder = argv[i];
    } else {
      std::fprintf(stderr, "usage: fashion_mnist [FOLDER] [--epochs N]   N >= 1\n");
      return 2;
    }
  }
  try {
    return run(folder, epochs);
  } catch (const pl::Error& error) {
    std::fprintf(stderr, "fashion_mnist: %s\n", error.what());
    return 1;
  }
}
