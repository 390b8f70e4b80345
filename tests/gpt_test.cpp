// The GPT: against PyTorch, writing with a cache, recomputation, and messages.
#include "pellucid/network_gpt.h"

#include <gtest/gtest.h>

#include "pellucid/loss.h"
#include "pellucid/ops.h"
#include "pellucid/optim.h"
#include "pellucid/transform.h"
#include "support/message.h"
#include "support/sequence_reference.h"

namespace pellucid::nn {
namespace {

using reference::Json;
using reference::Named;

GPTOptions small() {
  GPTOptions options;
  options.vocabulary = 11;
  options.length = 16;
  options.features = 24;
  options.heads = 3;
  options.blocks = 2;
  return options;
}

/// A network whose weights are large enough for its choices to differ.
GPT lively(GPTOptions options = small()) {
  GPT network(options);
  Arrays weights;
  for (const Array& w : parameters(network)) weights.push_back((w * 12).evaluate());
  set_parameters(network, weights);
  return network;
}

Array tokens(const std::vector<std::int64_t>& values, const Shape& shape) { return Array::from(values, shape); }

TEST(GPT, AgreesWithPyTorch) {
  const int cases = reference::check(
      [](const std::string& kind, const Json& json, const Named& in) -> Named {
        if (kind != "gpt") return {};
        GPTOptions options;
        options.vocabulary = json["vocabulary"].get<std::int64_t>();
        options.length = json["length"].get<std::int64_t>();
        options.features = json["features"].get<std::int64_t>();
        options.heads = json["heads"].get<std::int64_t>();
        options.blocks = json["blocks"].get<std::int64_t>();
        options.dtype = float64;
        GPT network(options);
        for (const NamedArray& p : named_parameters(network)) {
          set_arrays(network, {{p.name, in.at(p.name), true}}, true);
        }
        const Array logits = network(in.at("tokens"));
        const std::int64_t rows = logits.size() / options.vocabulary;
        return {{"logits", logits},
                {"loss",
                 loss::cross_entropy(reshape(logits, {rows, options.vocabulary}), reshape(in.at("targets"), {rows}))}};
      },
      "attention.json");
  EXPECT_EQ(cases, 1);
}

Arrays gradients(GPT& network, const Array& x) {
  const auto loss = functional(network, [&](const Arrays& in) { return Arrays{sum(square(network(in[0])))}; });
  Arrays all = parameters(network);
  std::vector<int> which(all.size());
  for (std::size_t i = 0; i < which.size(); ++i) which[i] = static_cast<int>(i);
  all.push_back(x);
  return compile(grad(loss, {.arguments = which}))(all);
}

TEST(GPT, RecomputationChangesNoBit) {
  GPT network = lively();
  GPTOptions options = small();
  options.recompute = true;
  GPT again(options);
  set_parameters(again, parameters(network));
  const Array x = random::integers(random::key(1), {3, 16}, 0, 11).evaluate();
  const Arrays a = gradients(network, x), b = gradients(again, x);
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_EQ(a[i].to_vector<float>(), b[i].to_vector<float>()) << i;
}

TEST(GPT, WritesWithACacheWhatItWouldWithout) {
  GPT network = lively();
  const Array prompt = tokens({1, 2, 3, 9, 8, 7}, {2, 3});
  const Array text = network.generate(prompt, {.tokens = 13, .temperature = 0});
  ASSERT_EQ(text.shape(), (Shape{2, 16}));
  Array slow = prompt;
  for (int i = 0; i < 13; ++i) {
    const Array logits = network(slow);
    const Array next = argmax(slice(logits, 1, slow.size(1) - 1, slow.size(1)), -1);
    slow = concat({slow, next}, 1).evaluate();
  }
  EXPECT_EQ(text.to_vector<std::int64_t>(), slow.to_vector<std::int64_t>());
}

TEST(GPT, ChoosesAmongTheLikeliest) {
  GPT network = lively();
  const Array prompt = tokens({5}, {1, 1});
  const auto text = [&](GenerateOptions options) {
    options.tokens = 15;
    return network.generate(prompt, options).to_vector<std::int64_t>();
  };
  const auto likeliest = text({.temperature = 0});
  EXPECT_EQ(text({.top_k = 1}), likeliest);
  EXPECT_EQ(text({.temperature = 1e-4}), likeliest);
  const auto a = text({.temperature = 3, .key = random::key(1)});
  EXPECT_EQ(a, text({.temperature = 3, .key = random::key(1)}));
  EXPECT_NE(a, text({.temperature = 3, .key = random::key(2)}));
  EXPECT_EQ(network.generate(prompt, {.tokens = 0}).to_vector<std::int64_t>(), std::vector<std::int64_t>{5});
}

TEST(GPT, LearnsARepeatedSequence) {
  GPT network(small());
  const Array x = tokens({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0, 1, 2, 3, 4, 5}, {1, 17});
  const auto loss = functional(network, [&](const Arrays&) {
    const Array logits = network(slice(x, 1, 0, 16));
    return Arrays{loss::cross_entropy(reshape(logits, {16, 11}), reshape(slice(x, 1, 1, 17), {16}))};
  });
  const optim::Optimizer adam = optim::Adam{.learning_rate = 1e-2};
  Arrays state = parameters(network);
  const std::size_t count = state.size();
  for (Array& s : adam.init(state)) state.push_back(s);
  auto step = compile(optim::training_step(loss, adam, count));
  double last = 0;
  for (int i = 0; i < 100; ++i) last = step.step(state)[0].item<double>();
  EXPECT_LT(last, 0.05);
  set_parameters(network, Arrays(state.begin(), state.begin() + static_cast<std::ptrdiff_t>(count)));
  const Array text = network.generate(tokens({0, 1, 2}, {1, 3}), {.tokens = 7, .temperature = 0});
  EXPECT_EQ(text.to_vector<std::int64_t>(), (std::vector<std::int64_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
}

TEST(GPT, IsDescribedAndBuilt) {
  const Sequential network{GPT(small())};
  const Sequential built = build_sequential(description_from_json(to_json(describe(network))));
  EXPECT_EQ(describe(built), describe(network));
  EXPECT_EQ(parameter_count(built), parameter_count(network));
}

TEST(GPTErrors, NameWhatIsWrong) {
  GPT network(small());
  assign_paths(network);
  const auto call = [&](const Array& x) { return message_of([&] { network(x); }); };
  EXPECT_PRED2(contains, call(zeros({1, 17}, int64)),
               "GPT: tokens [1, 17]: the network has 16 positions (layer 'GPT')");
  EXPECT_PRED2(contains, call(zeros({4}, int64)), "they must be integers (N, T)");
  EXPECT_PRED2(contains, call(zeros({1, 4})), "tokens are float32[1, 4]; they must be integers (N, T)");
  EXPECT_PRED2(contains, call(tokens({1, 11}, {1, 2})), "index 11");
  EXPECT_PRED2(contains, call(tokens({1, 11}, {1, 2})), "(layer 'GPT.embedding')");
  const auto write = [&](const Array& x, const GenerateOptions& options) {
    return message_of([&] { network.generate(x, options); });
  };
  const Array x = tokens({1, 2}, {1, 2});
  EXPECT_PRED2(contains, write(x, {.tokens = 15}), "tokens [1, 2] and 15 more: the network has 16 positions");
  EXPECT_PRED2(contains, write(x, {.tokens = -1}), "-1 tokens to generate");
  EXPECT_PRED2(contains, write(x, {.tokens = 2, .temperature = -1}), "the temperature -1 must be at least 0");
  EXPECT_PRED2(contains, write(x, {.tokens = 2, .top_k = 12}), "top_k 12 must be between 0 and the 11 tokens");
  EXPECT_PRED2(contains, write(tokens({1, 30}, {1, 2}), {.tokens = 2}),
               "token 30 of the prompt is outside the vocabulary");
  EXPECT_PRED2(contains, write(zeros({1, 0}, int64), {.tokens = 2}), "the prompt is empty");
  std::vector<KeyValueCache> caches;
  EXPECT_PRED2(contains, message_of([&] { network.continued(x, caches, Array(0)); }), "0 caches for 2 blocks");
  GPTOptions options = small();
  options.blocks = 0;
  EXPECT_PRED2(contains, message_of([&] { GPT wrong(options); }), "0 blocks");
  options = small();
  options.heads = 5;
  EXPECT_PRED2(contains, message_of([&] { GPT wrong(options); }), "5 heads do not divide 24 features");
}

}  // namespace
}  // namespace pellucid::nn
