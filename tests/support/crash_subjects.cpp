// Networks, optimisers and ends of training, each small.
#include "support/crash_subjects.h"

#include <utility>

#include "pellucid/pellucid.h"

namespace pellucid::testing {
namespace {

// Writes a checkpoint as often as it can.
constexpr double kSeconds = 0.004;

template <class Module>
void run(const std::string& folder, Module& module, const Dataset& data, FitOptions options) {
  options.checkpoint.path = folder + "/checkpoint";
  options.checkpoint.seconds = kSeconds;
  const FitResult result = fit(module, data, options);
  io::TensorFile file;
  for (const nn::NamedArray& array : nn::named_parameters(module)) file.tensors[array.name] = array.value;
  for (const nn::NamedArray& array : nn::named_buffers(module)) file.tensors[array.name] = array.value;
  std::vector<double> losses;
  for (const Epoch& epoch : result.history) losses.push_back(epoch.loss);
  file.tensors["history"] = Array::from(losses);
  file.metadata["end"] = result.explanation + " " + std::to_string(result.kept_epoch);
  io::write_safetensors(folder + "/result", file);
}

Dataset points(std::int64_t n) {
  const auto keys = random::split(random::key(5), 2);
  const Array y = random::integers(keys[0], {n}, 0, 3).evaluate();
  const Array centers = {{2, 0}, {-1, 2}, {-1, -2}};
  return {(take(centers, y) + random::normal(keys[1], {n, 2}, 0, 0.8)).evaluate(), y};
}

// n sequences of 12 tokens; the class is the number of zeros, up to 3.
Dataset sequences(std::int64_t n) {
  const Array x = random::integers(random::key(9), {n, 12}, 0, 6).evaluate();
  return {x, minimum(sum(astype(equal(x, Array(0)), int64), {1}), Array(3)).evaluate()};
}

void dense(const std::string& folder) {
  nn::Sequential net{nn::Linear(2, 16), nn::BatchNorm1d(16), nn::Tanh(), nn::Dropout(0.2), nn::Linear(16, 3)};
  nn::initialize(net, random::key(1));
  run(folder, net, points(160),
      {.loss = loss::cross_entropy,
       .optimizer = optim::AdamW{.learning_rate = schedule::Cosine{.initial = 0.05, .steps = 1200}},
       .max_epochs = 100,
       .batch_size = 10,
       .validation = 0.25,
       .seed = 3,
       .metrics = {"accuracy"}});
}

void averaged(const std::string& folder) {
  nn::Sequential net{nn::Linear(2, 16), nn::Mish(), nn::Linear(16, 3)};
  nn::initialize(net, random::key(2));
  run(folder, net, points(160),
      {.loss = loss::cross_entropy,
       .optimizer = optim::Optimizer(optim::Lion{.learning_rate = 0.003},
                                     {.accumulate = 2, .clip_global_norm = 1.0, .average = 0.95}),
       .precision = Precision::kBFloat16,
       .max_epochs = 100,
       .batch_size = 7,
       .patience = 60});
}

void restarted(const std::string& folder) {
  nn::Sequential net{nn::Linear(2, 2), nn::ReLU(), nn::Linear(2, 1)};
  nn::initialize(net, random::key(4));
  run(folder, net, {{{0, 0}, {0, 1}, {1, 0}, {1, 1}}, {{0}, {1}, {1}, {0}}},
      {.loss = loss::mean_squared_error,
       .optimizer = optim::SGD{.learning_rate = schedule::OnPlateau{.initial = 0.1, .patience = 20}},
       .max_epochs = 3000,
       .tolerance = 1e-12,
       .restarts = 3,
       .stall_epochs = 400,
       .patience = 1500});
}

void convolutional(const std::string& folder) {
  nn::Sequential net{nn::ConvNet({.channels = 1, .classes = 2, .widths = {4, 8}, .dropout = 0.1})};
  nn::initialize(net, random::key(6));
  const Array x = random::normal(random::key(7), {60, 8, 8}).evaluate();
  const Array y = astype(mean(x, {1, 2}) > Array(0), int64).evaluate();
  run(folder, net, {x, y},
      {.loss = loss::cross_entropy,
       .optimizer = optim::SGD{.learning_rate = 0.05, .momentum = 0.9, .nesterov = true},
       .max_epochs = 30,
       .batch_size = 8,
       .validation = 0.2});
}

void recurrent(const std::string& folder) {
  nn::Sequential net{nn::Embedding(6, 8), nn::LSTM(8, 12), nn::Flatten(), nn::Linear(144, 4)};
  nn::initialize(net, random::key(8));
  run(folder, net, sequences(80), {.loss = loss::cross_entropy, .max_epochs = 25, .batch_size = 16});
}

struct LastOfText : nn::Module {
  nn::GPT text{{.vocabulary = 6, .length = 12, .features = 16, .heads = 2, .blocks = 2, .dropout = 0.1}};
  Array operator()(const Array& tokens) const {
    const Array logits = text(tokens);
    return reshape(slice(logits, 1, 11, 12), {logits.size(0), 6});
  }
};

void transformer(const std::string& folder) {
  LastOfText net;
  nn::initialize(net, random::key(10));
  run(folder, net, sequences(60), {.loss = loss::cross_entropy, .max_epochs = 20, .batch_size = 12});
}

}  // namespace

std::vector<Subject> crash_subjects() {
  return {{"dense", dense},         {"averaged", averaged},
          {"restarted", restarted}, {"convolutional", convolutional},
          {"recurrent", recurrent}, {"transformer", transformer}};
}

}  // namespace pellucid::testing
