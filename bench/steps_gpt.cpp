// The GPT of ../shared/peers, whole and with its blocks recomputed, and an encoder of the same kind.
#include "pellucid/loss.h"
#include "pellucid/network_gpt.h"
#include "pellucid/ops.h"
#include "pellucid/precision.h"
#include "pellucid/random.h"
#include "steps.h"

namespace bench {
namespace {

namespace nn = pl::nn;

constexpr std::int64_t kBatch = 4, kLength = 256, kVocabulary = 65;

pl::Arrays tokens() {
  const auto draw = [](std::uint64_t seed) {
    return pl::random::integers(pl::random::key(seed), {kBatch, kLength}, 0, kVocabulary);
  };
  return {draw(7), draw(8)};
}

Training make_gpt(bool recompute, pl::Precision precision = pl::Precision::kFloat32) {
  nn::GPT network({.vocabulary = kVocabulary, .length = kLength, .recompute = recompute});
  const auto loss = [precision](const nn::GPT& gpt, const pl::Arrays& in) {
    const pl::PrecisionScope scope(precision);
    const pl::Array logits = pl::reshape(gpt(in[0]), {kBatch * kLength, kVocabulary});
    return pl::loss::cross_entropy(logits, pl::reshape(in[1], {kBatch * kLength}));
  };
  return training_of(std::move(network), loss, pl::optim::Adam{.learning_rate = 1e-3}, tokens());
}

/// Tagger of tokens: 4 layers of 256 features and 4 heads, 32 sequences of 128.
struct Encoder : nn::Module {
  nn::Embedding embedding{kVocabulary, 256};
  nn::SinusoidalPositions positions{256};
  nn::TransformerEncoder body{4, 256, 4};
  nn::Linear head{256, kVocabulary};
  pl::Array operator()(const pl::Array& x) const { return head(body(positions(embedding(x)))); }
};

Training make_encoder() {
  const auto loss = [](const Encoder& encoder, const pl::Arrays& in) {
    return pl::loss::cross_entropy(pl::reshape(encoder(in[0]), {32 * 128, kVocabulary}),
                                   pl::reshape(in[1], {32 * 128}));
  };
  const auto draw = [](std::uint64_t seed) {
    return pl::random::integers(pl::random::key(seed), {32, 128}, 0, kVocabulary);
  };
  return training_of(Encoder(), loss, pl::optim::Adam{.learning_rate = 1e-3}, {draw(7), draw(8)});
}

const Workload kGpt(
    {.name = "gpt_b4", .make = [] { return make_gpt(false); }, .warm_up = 1, .seconds = 5, .order = 40});
const Workload kRecomputed(
    {.name = "gpt_b4_recompute", .make = [] { return make_gpt(true); }, .warm_up = 1, .seconds = 5, .order = 41});
const Workload kNarrow({.name = "gpt_b4_bf16",
                        .make = [] { return make_gpt(false, pl::Precision::kBFloat16); },
                        .warm_up = 1,
                        .seconds = 5,
                        .order = 44});
const Workload kEncoder({.name = "encoder_b32", .make = make_encoder, .warm_up = 1, .seconds = 5, .order = 42});

}  // namespace
}  // namespace bench
