// The tagger: it learns tags that depend on neighbours on both sides, whatever stands behind a sentence.
#include "pellucid/network_tagger.h"

#include <gtest/gtest.h>

#include "pellucid/loss.h"
#include "pellucid/optim.h"
#include "pellucid/transform.h"
#include "support/message.h"

namespace pellucid::nn {
namespace {

TEST(Tagger, WordsPastTheEndHaveNoInfluence) {
  const Tagger net({.vocabulary = 9, .tags = 3, .features = 4, .hidden = 5, .layers = 2});
  const Array lengths = Array::from(std::vector<std::int64_t>{2, 4});
  const Array a = Array::from(std::vector<std::int64_t>{1, 2, 3, 4, 5, 6, 7, 8}, {2, 4}),
              b = Array::from(std::vector<std::int64_t>{1, 2, 8, 8, 5, 6, 7, 8}, {2, 4});
  EXPECT_EQ(net(a).shape(), (Shape{2, 4, 3}));
  const auto first = [&](const Array& words) {
    return index(net(words, lengths), {0, Slice{0, 2}}).to_vector<float>();
  };
  EXPECT_EQ(first(a), first(b));
  EXPECT_EQ(net.tags(a, lengths).shape(), (Shape{2, 4}));
}

// The tag of a word is 1 where the words before and after it are equal.
TEST(Tagger, LearnsFromBothSides) {
  Tagger net({.vocabulary = 3, .tags = 2, .features = 8, .hidden = 16, .dropout = 0});
  const Array words = random::integers(random::key(1), {32, 10}, 0, 3);
  const Array before = slice(words, 1, 0, 8), after = slice(words, 1, 2, 10);
  const Array tags = astype(equal(before, after), int64);
  const auto loss =
      functional(net, [&](const Arrays&) { return Arrays{loss::cross_entropy(slice(net(words), 1, 1, 9), tags)}; });
  Arrays state = parameters(net);
  const std::size_t count = state.size();
  const optim::Optimizer adam = optim::Adam{.learning_rate = 0.03};
  for (Array& s : adam.init(state)) state.push_back(std::move(s));
  auto step = compile(optim::training_step(loss, adam, count));
  for (int i = 0; i < 150; ++i) step.step(state, {});
  set_parameters(net, Arrays(state.begin(), state.begin() + static_cast<std::ptrdiff_t>(count)));
  const Array right = mean(astype(equal(slice(net.tags(words), 1, 1, 9), tags), float32));
  EXPECT_GT(right.item<float>(), 0.95F);
}

TEST(Tagger, RefusesWhatDoesNotFit) {
  EXPECT_NE(message_of([] { Tagger({.vocabulary = 0, .tags = 2}); }).find("Embedding: sizes 0 and 100"),
            std::string::npos);
  EXPECT_NE(message_of([] { Tagger({.vocabulary = 3, .tags = 0}); }).find("Linear: sizes 256 and 0"),
            std::string::npos);
  Tagger net({.vocabulary = 3, .tags = 2});
  assign_paths(net);
  const std::string message = message_of([&] { net(Array::from(std::vector<std::int64_t>{3}, {1, 1})); });
  EXPECT_NE(message.find("index 3"), std::string::npos) << message;
  EXPECT_NE(message.find("(layer 'embedding')"), std::string::npos) << message;
}

}  // namespace
}  // namespace pellucid::nn
