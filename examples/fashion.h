// What the examples that learn Fashion-MNIST share: the pictures as numbers, and the command line.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "pellucid/pellucid.h"

namespace fashion {

namespace pl = pellucid;

inline constexpr std::int64_t kBatch = 128;

/// Pictures (n, 28, 28) as numbers of mean 0 and deviation 1 over the training pictures, and their classes.
struct Clothes {
  pl::Dataset training, test;
  std::vector<std::string> classes;

  std::int64_t steps(std::int64_t epochs) const { return (training.x.size(0) + kBatch - 1) / kBatch * epochs; }
};

inline Clothes read(const std::string& folder) {
  const pl::data::Pictures pictures = pl::data::read_pictures(folder);
  const auto how = pl::data::fit_pictures(pictures);
  const auto scaled = [&](const pl::Array& images) {
    return ((pl::astype(images, pl::float32) - how.mean) * (1 / how.scale)).evaluate();
  };
  return {{scaled(pictures.training.images), pictures.training.labels},
          {scaled(pictures.test.images), pictures.test.labels},
          pictures.classes};
}

inline bool print_epoch(const pl::Epoch& e) {
  std::printf("epoch %2lld  loss %.4f  %.1f s\n", static_cast<long long>(e.epoch), e.loss, e.seconds);
  std::fflush(stdout);
  return true;
}

/// The network, with half of the pictures of a batch mirrored in training: a shoe that points the other way is a shoe.
template <class Network>
struct Mirrored : pl::nn::Module {
  explicit Mirrored(Network n) : network(std::move(n)) {}
  pl::Array operator()(const pl::Array& x) const {
    const pl::Array pictures = pl::expand_dims(x, -1);
    if (!pl::nn::Context::training()) return network(pictures);
    const pl::Array mirror = pl::random::bernoulli(pl::nn::Context::next_key(), {x.size(0), 1, 1, 1});
    return network(pl::where(mirror, pl::flip(pictures, {2}), pictures));
  }
  PELLUCID_MEMBERS(network)
  Network network;
};

/// The command line "[FOLDER] [--epochs N]", and the flag where one is given; then run(folder, epochs, whether the flag
/// stands there). The exit status.
template <class Run>
int program(const char* name, int argc, char** argv, std::int64_t epochs, const char* flag, const Run& run) {
  std::string folder = "/usr/share/datasets/fashion-mnist";
  bool flagged = false;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--epochs") == 0 && i + 1 < argc && std::atoi(argv[i + 1]) > 0) {
      epochs = std::atoi(argv[++i]);
    } else if (flag != nullptr && std::strcmp(argv[i], flag) == 0) {
      flagged = true;
    } else if (argv[i][0] != '-') {
      folder = argv[i];
    } else {
      const std::string more = flag == nullptr ? "" : std::string(" [") + flag + "]";
      std::fprintf(stderr, "usage: %s [FOLDER] [--epochs N]%s   N >= 1\n", name, more.c_str());
      return 2;
    }
  }
  try {
    return run(folder, epochs, flagged);
  } catch (const pl::Error& error) {
    std::fprintf(stderr, "%s: %s\n", name, error.what());
    return 1;
  }
}

}  // namespace fashion
