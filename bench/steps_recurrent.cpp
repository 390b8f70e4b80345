// Recurrent networks on batches of characters: embedding, recurrent layer, a linear layer at each step.
#include "pellucid/loss.h"
#include "pellucid/nn_sequence.h"
#include "pellucid/ops.h"
#include "pellucid/precision.h"
#include "pellucid/random.h"
#include "steps.h"

namespace bench {
namespace {

constexpr std::int64_t kBatch = 32, kTime = 64, kSymbols = 65;

template <class R>
struct Characters : pl::nn::Module {
  Characters(R layer, std::int64_t width) : recurrent(std::move(layer)), head(width, kSymbols) {}
  pl::Array operator()(const pl::Array& tokens) const { return head(recurrent(embedding(tokens))); }
  PELLUCID_MEMBERS(embedding, recurrent, head)
  pl::nn::Embedding embedding{kSymbols, 128};
  R recurrent;
  pl::nn::Linear head;
};

template <class R>
Training make(R layer, std::int64_t width, pl::Precision precision = pl::Precision::kFloat32) {
  const auto integers = [](std::uint64_t seed) {
    return pl::random::integers(pl::random::key(seed), {kBatch, kTime}, 0, kSymbols);
  };
  return training_of(Characters<R>(std::move(layer), width),
                     [precision](const auto& net, const pl::Arrays& in) {
                       const pl::PrecisionScope scope(precision);
                       return pl::loss::cross_entropy(net(in[0]), in[1]);
                     },
                     pl::optim::Adam{.learning_rate = 1e-3}, {integers(1), integers(2)});
}

const Workload kLstm({.name = "lstm_b32", .make = [] { return make(pl::nn::LSTM(128, 256), 256); }, .order = 20});
const Workload kLstmNarrow({.name = "lstm_b32_bf16",
                            .make = [] { return make(pl::nn::LSTM(128, 256), 256, pl::Precision::kBFloat16); },
                            .order = 43});
const Workload kGru({.name = "gru_b32", .make = [] { return make(pl::nn::GRU(128, 256), 256); }, .order = 21});
const Workload kBoth({.name = "bilstm_b32",
                      .make = [] { return make(pl::nn::LSTM(128, 256, {.bidirectional = true}), 512); },
                      .order = 22});

}  // namespace
}  // namespace bench
