// A network with two hidden layers learns to name ten kinds of clothes in 10 epochs, and shows what it confuses.
//
//     fashion_mnist [FOLDER] [--epochs N]     FOLDER holds the IDX files; Debian's package dataset-fashion-mnist puts
//                                             them into /usr/share/datasets/fashion-mnist
#include <cstdio>
#include <iostream>
#include <string>

#include "fashion.h"

namespace pl = pellucid;

namespace {

void print(const pl::metrics::Confusion& counts, const std::vector<std::string>& classes) {
  std::printf("\nrows: what it is; columns: what it was taken for\n");
  for (std::size_t i = 0; i < counts.size(); ++i) {
    std::printf("%-12.12s", classes[i].c_str());
    for (const double n : counts[i]) std::printf("%6.0f", n);
    std::printf("\n");
  }
}

int run(const std::string& folder, std::int64_t epochs, bool) {
  const fashion::Clothes clothes = fashion::read(folder);
  const pl::Dataset &training = clothes.training, &test = clothes.test;

  pl::nn::Sequential network{pl::nn::Flatten(),        pl::nn::Linear(784, 256), pl::nn::ReLU(),
                             pl::nn::Linear(256, 128), pl::nn::ReLU(),           pl::nn::Linear(128, 10)};
  const auto steps = clothes.steps(epochs);
  const auto result =
      pl::fit(network, training,
              {.loss = pl::loss::cross_entropy,
               .optimizer = pl::optim::Adam{.learning_rate = pl::schedule::Cosine{.initial = 1e-3, .steps = steps}},
               .max_epochs = epochs,
               .batch_size = fashion::kBatch,
               .on_epoch = fashion::print_epoch});
  std::cout << result << '\n';

  const pl::Array prediction = pl::predict(network, test.x);
  print(pl::metrics::confusion_matrix(prediction, test.y), clothes.classes);
  const double accuracy = pl::metrics::accuracy(prediction, test.y);
  std::printf("\n%.2f %% of %lld test pictures are right\n", 100 * accuracy, static_cast<long long>(test.x.size(0)));
  return accuracy >= 0.88 || epochs < 10 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) { return fashion::program("fashion_mnist", argc, argv, 10, nullptr, &run); }
