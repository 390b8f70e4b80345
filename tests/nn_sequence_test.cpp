// Embeddings and recurrent layers: against PyTorch (reference/make_sequence.py), in transforms, in training, and called
// wrongly.
#include "pellucid/nn_sequence.h"

#include <gtest/gtest.h>

#include "pellucid/optim.h"
#include "pellucid/threads.h"
#include "pellucid/transform.h"
#include "support/message.h"
#include "support/sequence_reference.h"

namespace pellucid::nn {
namespace {

using reference::Json;
using reference::Named;

const Array kTokens = Array::from(std::vector<std::int64_t>{0, 3, 1, 3, 2, 0}, {2, 3});

// ---- Against PyTorch ------------------------------------------------------------------------------------------------

std::optional<std::int64_t> padding_of(const Json& options) {
  if (options["padding_index"].is_null()) return {};
  return options["padding_index"].get<std::int64_t>();
}

template <class R>
Named run_recurrent(R layer, const Named& in) {
  for (const NamedArray& parameter : named_parameters(layer)) {
    set_arrays(layer, {{parameter.name, in.at(parameter.name), true}}, true);
  }
  const auto find = [&](const char* name) { return in.contains(name) ? in.at(name) : Array(); };
  const RecurrentResult result =
      layer(in.at("x"), {.lengths = find("lengths"), .initial = {find("hidden"), find("cell")}});
  Named out{{"outputs", result.outputs}, {"hidden", result.last.hidden}};
  if (result.last.cell.defined()) out["cell"] = result.last.cell;
  return out;
}

TEST(Recurrent, AgreesWithPyTorch) {
  const int cases = reference::check([](const std::string& kind, const Json& json, const Named& in) -> Named {
    if (kind != "LSTM" && kind != "GRU" && kind.substr(0, 3) != "RNN") return {};
    RecurrentOptions options;
    options.layers = json["layers"].get<std::int64_t>();
    options.bidirectional = json["bidirectional"].get<bool>();
    options.bias = json["bias"].get<bool>();
    options.dtype = float64;
    const std::int64_t hidden = in.at("forward.0.hidden_weight").size(0), inputs = in.at("x").size(-1);
    if (kind == "LSTM") return run_recurrent(LSTM(inputs, hidden, options), in);
    if (kind == "GRU") return run_recurrent(GRU(inputs, hidden, options), in);
    const auto nonlinearity = kind == "RNN_relu" ? RNN::Nonlinearity::kReLU : RNN::Nonlinearity::kTanh;
    return run_recurrent(RNN(inputs, hidden, options, nonlinearity), in);
  });
  EXPECT_EQ(cases, 15);
}

TEST(EmbeddingBag, AgreesWithPyTorch) {
  const int cases = reference::check([](const std::string& kind, const Json& json, const Named& in) -> Named {
    if (kind != "EmbeddingBag") return {};
    EmbeddingBagOptions options;
    const std::string mode = json["mode"];
    options.mode = mode == "sum" ? BagMode::kSum : mode == "mean" ? BagMode::kMean : BagMode::kMax;
    options.padding_index = padding_of(json);
    options.dtype = float64;
    EmbeddingBag bag(in.at("weight").size(0), in.at("weight").size(1), options);
    bag.weight.value = in.at("weight");
    const auto find = [&](const char* name) { return in.contains(name) ? in.at(name) : Array(); };
    return {{"y", bag(in.at("indices"), {.offsets = find("offsets"), .weights = find("weights")})}};
  });
  EXPECT_EQ(cases, 13);
}

// ---- Embedding ------------------------------------------------------------------------------------------------------

TEST(Embedding, TakesRows) {
  Embedding layer(4, 2);
  layer.weight.value = {{0, 1}, {2, 3}, {4, 5}, {6, 7}};
  EXPECT_EQ(layer(kTokens).shape(), (Shape{2, 3, 2}));
  EXPECT_EQ(layer(kTokens).to_vector<float>(), (std::vector<float>{0, 1, 6, 7, 2, 3, 6, 7, 4, 5, 0, 1}));
  EXPECT_EQ(layer(zeros({0, 5}, int64)).shape(), (Shape{0, 5, 2}));
}

Array gradient_of(Embedding& layer) {
  const auto loss = functional(layer, [&](const Arrays&) { return Arrays{sum(square(layer(kTokens)))}; });
  return grad(loss, {.arguments = {0}, .allow_unused = true})(parameters(layer))[0];
}

TEST(Embedding, AddsGradientsOfEqualIndices) {
  Embedding layer(4, 2);
  layer.weight.value = {{1, 1}, {1, 2}, {1, 3}, {1, 4}};
  EXPECT_EQ(gradient_of(layer).to_vector<float>(), (std::vector<float>{4, 4, 2, 4, 2, 6, 4, 16}));
}

TEST(Embedding, PaddingStartsAtZeroAndStays) {
  Embedding layer(4, 2, {.padding_index = 3});
  const std::vector<float> start = layer.weight.value.to_vector<float>();
  EXPECT_EQ(start[6], 0);
  EXPECT_EQ(start[7], 0);
  EXPECT_NE(start[0], 0);
  layer.weight.value = {{1, 1}, {1, 2}, {1, 3}, {1, 4}};
  EXPECT_EQ(gradient_of(layer).to_vector<float>(), (std::vector<float>{4, 4, 2, 4, 2, 6, 0, 0}));
}

TEST(Embedding, FrozenOnesReceiveNoGradient) {
  Embedding layer = Embedding::pretrained({{1, 2}, {3, 4}, {5, 6}, {7, 8}});
  EXPECT_FALSE(named_parameters(layer)[0].trainable);
  EXPECT_EQ(gradient_of(layer).to_vector<float>(), std::vector<float>(8, 0));
  EXPECT_TRUE(named_parameters(Embedding::pretrained({{1}}, false))[0].trainable);
}

TEST(Embedding, GradientsHaveTheSameBitsForAnyNumberOfThreads) {
  const Array indices = random::integers(random::key(1), {64, 64}, 0, 50);
  Embedding layer(50, 48);
  const Array g = random::normal(random::key(2), {64, 64, 48});
  const auto gradient = [&] {
    const auto loss = functional(layer, [&](const Arrays&) { return Arrays{sum(layer(indices) * g)}; });
    return grad(loss)(parameters(layer))[0].to_vector<float>();
  };
  const int before = threads();
  set_threads(1);
  const std::vector<float> one = gradient();
  for (int n : {2, 3, 7}) {
    set_threads(n);
    EXPECT_EQ(gradient(), one) << n;
  }
  set_threads(before);
}

TEST(Embedding, SaysWhereAnIndexIsOutOfRange) {
  struct Net : Module {
    Embedding words{4, 2};
    Array operator()(const Array& x) const { return words(x); }
  } net;
  assign_paths(net);
  const Array bad = Array::from(std::vector<std::int64_t>{0, 4});
  EXPECT_EQ(message_of([&] { net(bad); }),
            "Embedding: index 4 (element 1 of shape [2]) is out of range; there are 4 rows, 0 to 3 (layer 'words')");
  EXPECT_NE(message_of([&] { net(Array::from(std::vector<std::int64_t>{-1})); }).find("index -1"), std::string::npos);
  EXPECT_NE(message_of([&] { net(Array({0.5})); }).find("int32 or int64"), std::string::npos);
  EXPECT_NE(message_of([&] { net(Array()); }).find("undefined"), std::string::npos);
  // Where values are not there at the call, the plan finds it.
  auto compiled = compile([&](const Array& x) { return net(x); });
  const std::string late = message_of([&] { compiled({bad}); });
  EXPECT_NE(late.find("index 4"), std::string::npos) << late;
  EXPECT_NE(late.find("(layer 'words')"), std::string::npos) << late;
  EXPECT_NE(message_of([&] {
              compiled({Array::from(std::vector<std::int64_t>{0, -1})});
            }).find("out of range"),
            std::string::npos);
}

TEST(Embedding, RefusesWrongSettings) {
  EXPECT_EQ(message_of([] { Embedding(0, 2); }), "Embedding: sizes 0 and 2 must be positive");
  EXPECT_EQ(message_of([] { Embedding(3, 2, {.padding_index = 3}); }),
            "Embedding: padding_index 3 is no index of 3 rows, 0 to 2");
  EXPECT_NE(message_of([] { Embedding::pretrained(Array({1, 2})); }).find("(count, features)"), std::string::npos);
  EXPECT_NE(message_of([] { Embedding::pretrained(Array()); }).find("undefined"), std::string::npos);
}

// ---- EmbeddingBag ---------------------------------------------------------------------------------------------------

TEST(EmbeddingBag, LengthsEqualOffsets) {
  const Array table = random::normal(random::key(3), {7, 3});
  const Array side = Array::from(std::vector<std::int64_t>{1, 5, 6, 2, 0, 0, 4, 4, 3}, {3, 3});
  const Array lengths = Array::from(std::vector<std::int64_t>{3, 0, 2});
  const Array flat = Array::from(std::vector<std::int64_t>{1, 5, 6, 4, 4});
  const Array offsets = Array::from(std::vector<std::int64_t>{0, 3, 3});
  for (BagMode mode : {BagMode::kSum, BagMode::kMean, BagMode::kMax}) {
    EmbeddingBag bag(7, 3, {.mode = mode});
    bag.weight.value = table;
    EXPECT_EQ(bag(side, {.lengths = lengths}).to_vector<float>(), bag(flat, {.offsets = offsets}).to_vector<float>());
    EXPECT_EQ(bag(zeros({2, 0}, int64)).to_vector<float>(), std::vector<float>(6, 0));
    EXPECT_EQ(bag(zeros({0}, int64), {.offsets = zeros({2}, int64)}).to_vector<float>(), std::vector<float>(6, 0));
    // Offsets without a value yet.
    const Array compiled =
        compile([&](const Array& i, const Array& o) { return bag(i, {.offsets = o}); })({flat, offsets})[0];
    EXPECT_EQ(compiled.to_vector<float>(), bag(flat, {.offsets = offsets}).to_vector<float>());
  }
}

TEST(EmbeddingBag, RefusesWhatDoesNotFit) {
  const EmbeddingBag bag(4, 2);
  const auto says = [&](const Array& indices, const Bags& bags, const char* what) {
    const std::string message = message_of([&] { bag(indices, bags); });
    EXPECT_NE(message.find(what), std::string::npos) << message;
    EXPECT_NE(message.find("(layer 'EmbeddingBag')"), std::string::npos) << message;
  };
  const Array two = zeros({2, 3}, int64), list = zeros({3}, int64);
  const auto integers = [](std::vector<std::int64_t> v) { return Array::from(v); };
  says(list, {}, "(bags, entries)");
  says(two, {.offsets = integers({0})}, "one list");
  says(two, {.lengths = integers({1, 1}), .offsets = integers({0})}, "give one of them");
  says(two, {.lengths = integers({1})}, "the lengths are int64 of shape [1]");
  says(two, {.lengths = integers({1, 4})}, "length 4 of bag 1");
  says(list, {.offsets = integers({1})}, "offset 1 of bag 0");
  says(list, {.offsets = integers({0, 2, 1})}, "offset 1 of bag 2");
  says(list, {.offsets = integers({0, 4})}, "offset 4 of bag 1");
  says(list, {.offsets = zeros({1, 1}, int64)}, "the offsets have shape [1, 1]");
  says(list, {.offsets = zeros({1})}, "the offsets are float32");
  says(two, {.weights = ones({2, 3})}, "mode sum");
  says(integers({9}), {.offsets = integers({0})}, "index 9");
  EXPECT_NE(message_of([&] {
              EmbeddingBag(4, 2, {.mode = BagMode::kSum})(two, {.weights = ones({3})});
            }).find("the weights have shape [3]"),
            std::string::npos);
}

// ---- Recurrent layers -----------------------------------------------------------------------------------------------

TEST(Recurrent, ASequenceAloneIsABatchOfOne) {
  const LSTM layer(3, 4, {.layers = 2, .bidirectional = true});
  const Array x = random::normal(random::key(1), {2, 5, 3});
  const RecurrentResult batch = layer(x, {});
  const RecurrentResult one = layer(index(x, {1}), {});
  EXPECT_EQ(one.outputs.shape(), (Shape{5, 8}));
  EXPECT_EQ(one.last.hidden.shape(), (Shape{4, 4}));
  EXPECT_EQ(one.outputs.to_vector<float>(), index(batch.outputs, {1}).to_vector<float>());
  EXPECT_EQ(one.last.cell.to_vector<float>(), index(batch.last.cell, {1}).to_vector<float>());
  EXPECT_EQ(layer(index(x, {1}), {.lengths = Array::from(std::vector<std::int64_t>{2}, {})}).outputs.shape(),
            (Shape{5, 8}));
}

TEST(Recurrent, PartsOfASequenceGiveTheWhole) {
  const Array x = random::normal(random::key(1), {2, 6, 3});
  const auto check = [&](const Recurrent& layer) {
    const RecurrentResult whole = layer(x, {}), first = layer(slice(x, 1, 0, 2), {}),
                          second = layer(slice(x, 1, 2, 6), {.initial = first.last});
    EXPECT_EQ(concat({first.outputs, second.outputs}, 1).to_vector<float>(), whole.outputs.to_vector<float>());
    EXPECT_EQ(second.last.hidden.to_vector<float>(), whole.last.hidden.to_vector<float>());
  };
  check(RNN(3, 4));
  check(LSTM(3, 4, {.layers = 2}));
  check(GRU(3, 4, {.layers = 2}));
}

TEST(Recurrent, StepsPastTheLengthDoNothing) {
  const Array x = random::normal(random::key(1), {3, 5, 2});
  const Array lengths = Array::from(std::vector<std::int64_t>{5, 0, 2});
  const GRU layer(2, 3, {.bidirectional = true});
  const Array start = random::normal(random::key(2), {3, 2, 3});
  const RecurrentResult got = layer(x, {.lengths = lengths, .initial = {start, {}}});
  const RecurrentResult two = layer(slice(x, 1, 0, 2), {.initial = {start, {}}});
  EXPECT_EQ(index(got.outputs, {2, Slice{0, 2}}).to_vector<float>(), index(two.outputs, {2}).to_vector<float>());
  EXPECT_EQ(index(got.outputs, {2, Slice{2, 5}}).to_vector<float>(), std::vector<float>(18, 0));
  EXPECT_EQ(index(got.outputs, {1}).to_vector<float>(), std::vector<float>(30, 0));
  EXPECT_EQ(index(got.last.hidden, {1}).to_vector<float>(), index(start, {1}).to_vector<float>());
  EXPECT_EQ(index(got.last.hidden, {2}).to_vector<float>(), index(two.last.hidden, {2}).to_vector<float>());
}

TEST(Recurrent, EmptyBatchesAndSequences) {
  const LSTM layer(2, 3, {.layers = 2, .bidirectional = true});
  EXPECT_EQ(layer(zeros({0, 4, 2})).shape(), (Shape{0, 4, 6}));
  const RecurrentResult none = layer(zeros({2, 0, 2}), {});
  EXPECT_EQ(none.outputs.shape(), (Shape{2, 0, 6}));
  EXPECT_EQ(none.last.hidden.to_vector<float>(), std::vector<float>(24, 0));
  const auto loss = [&](const Array& x) { return sum(layer(x)); };
  EXPECT_EQ(grad(loss)(zeros({0, 4, 2})).shape(), (Shape{0, 4, 2}));
  EXPECT_EQ(grad(loss)(zeros({2, 0, 2})).shape(), (Shape{2, 0, 2}));
}

void check_per_example_gradients(Recurrent layer) {
  astype(layer, float64);
  const Array x = random::normal(random::key(1), {3, 4, 2}, 0, 1, float64);
  const Arrays w = parameters(layer);
  const auto loss = [&](const Arrays& in) {
    const Swap swap(layer, Arrays(in.begin(), in.end() - 1), {});
    return Arrays{sum(square(layer(in.back())))};
  };
  std::vector<int> which(w.size());
  std::vector<std::optional<int>> axes(w.size() + 1);
  for (std::size_t i = 0; i < w.size(); ++i) which[i] = static_cast<int>(i);
  axes.back() = 0;
  const auto gradient = grad(loss, {.arguments = which});
  Arrays given = w;
  given.push_back(x);
  const Arrays together = vmap(gradient, axes)(given), whole = gradient(given);
  for (std::size_t i = 0; i < w.size(); ++i) {
    for (std::int64_t n = 0; n < 3; ++n) {
      given.back() = index(x, {n});
      const std::vector<double> one = gradient(given)[i].to_vector<double>(),
                                mine = index(together[i], {n}).to_vector<double>();
      for (std::size_t k = 0; k < one.size(); ++k) EXPECT_NEAR(mine[k], one[k], 1e-12);
    }
    const std::vector<double> all = sum(together[i], 0).to_vector<double>(), expected = whole[i].to_vector<double>();
    for (std::size_t k = 0; k < all.size(); ++k) EXPECT_NEAR(all[k], expected[k], 1e-12);
  }
}

TEST(Recurrent, HasGradientsOfEachExample) {
  check_per_example_gradients(RNN(2, 3));
  check_per_example_gradients(LSTM(2, 3, {.layers = 2}));
  check_per_example_gradients(GRU(2, 3, {.bidirectional = true}));
}

TEST(Recurrent, CompiledStepsTrainAndGiveTheSameBits) {
  LSTM layer(3, 8, {.layers = 2, .dropout = 0.25});
  const Array x = random::normal(random::key(1), {4, 6, 3}), y = random::normal(random::key(2), {4, 6, 8}, 0, 0.3);
  const auto loss = functional(layer, [&](const Arrays& in) {
    const Context training(random::fold_in(random::key(5), in[0]));
    return Arrays{mean(square(layer(x) - y))};
  });
  const auto step = [&](const Arrays& in) {
    std::vector<int> which(in.size() - 1);
    for (std::size_t i = 0; i < which.size(); ++i) which[i] = static_cast<int>(i);
    const ValueAndGradients result = value_and_grad(loss, {.arguments = which})(in);
    Arrays next;
    for (std::size_t i = 0; i < which.size(); ++i) next.push_back(in[i] - 0.5 * result.gradients[i]);
    next.push_back(result.value);
    return next;
  };
  auto compiled = compile(step);
  Arrays plain = parameters(layer);
  Arrays other = plain;
  float first = 0, last = 0;
  for (int i = 0; i < 20; ++i) {
    plain.push_back(Array::from(std::vector<std::int64_t>{i}, {}));
    other.push_back(plain.back());
    plain = step(plain);
    evaluate(plain);
    other = compiled(other);
    for (std::size_t k = 0; k < plain.size(); ++k) {
      ASSERT_EQ(plain[k].to_vector<float>(), other[k].to_vector<float>()) << i << " " << k;
    }
    last = plain.back().item<float>();
    if (i == 0) first = last;
    plain.pop_back();
    other.pop_back();
  }
  EXPECT_LT(last, 0.95F * first);
}

TEST(Recurrent, HasTheSameBitsForAnyNumberOfThreads) {
  LSTM layer(40, 96);
  const Array x = random::normal(random::key(1), {16, 5, 40});
  const auto loss = functional(layer, [&](const Arrays&) { return Arrays{sum(square(layer(x)))}; });
  const auto gradients = [&] {
    std::vector<float> all;
    for (const Array& g : grad(loss)(parameters(layer))) {
      for (float v : g.to_vector<float>()) all.push_back(v);
    }
    return all;
  };
  const int before = threads();
  set_threads(1);
  const std::vector<float> one = gradients();
  for (int n : {2, 3, 7}) {
    set_threads(n);
    EXPECT_EQ(gradients(), one) << n;
  }
  set_threads(before);
}

TEST(Recurrent, NamesItsParametersAndCountsThem) {
  const LSTM layer(3, 4, {.layers = 2, .bidirectional = true});
  const std::vector<NamedArray> named = named_parameters(layer);
  ASSERT_EQ(named.size(), 12u);
  EXPECT_EQ(named[0].name, "forward.0.input_weight");
  EXPECT_EQ(named[11].name, "backward.1.bias");
  EXPECT_EQ(named[9].value.shape(), (Shape{8, 16}));
  EXPECT_EQ(parameter_count(GRU(3, 4)), 3 * 12 + 4 * 12 + 12 + 4);
}

TEST(Recurrent, IsBuiltFromItsDescription) {
  Sequential net{Embedding(9, 3, {.padding_index = 2}),
                 LSTM(3, 4, {.layers = 2, .bidirectional = true, .dropout = 0.5}), GRU(8, 2, {.bias = false}),
                 RNN(2, 2, {}, RNN::Nonlinearity::kReLU)};
  const Description description = describe(net);
  Sequential again = build_sequential(description_from_json(to_json(description)));
  EXPECT_EQ(describe(again), description);
  set_parameters(again, parameters(net));
  EXPECT_EQ(again(kTokens).to_vector<float>(), net(kTokens).to_vector<float>());
  EXPECT_EQ(describe(build(describe(EmbeddingBag(4, 2, {.mode = BagMode::kMax})))),
            describe(EmbeddingBag(4, 2, {.mode = BagMode::kMax})));
  Description wrong = describe(RNN(2, 2));
  for (auto& [name, option] : wrong.options) {
    if (name == "nonlinearity") option = std::string("sine");
  }
  EXPECT_NE(message_of([&] { build(wrong); }).find("'sine', which is unknown"), std::string::npos);
}

TEST(Recurrent, RefusesWhatDoesNotFit) {
  struct Net : Module {
    GRU encoder{3, 4};
  } net;
  assign_paths(net);
  const auto says = [&](const Array& x, const RecurrentInputs& inputs, const char* what) {
    const std::string message = message_of([&] { net.encoder(x, inputs); });
    EXPECT_NE(message.find(what), std::string::npos) << message;
    EXPECT_NE(message.find("(layer 'encoder')"), std::string::npos) << message;
  };
  const Array x = zeros({2, 5, 3});
  const auto integers = [](std::vector<std::int64_t> v) { return Array::from(v); };
  says(zeros({2, 5, 4}), {}, "x has shape [2, 5, 4]; it must be (batch, time, 3)");
  says(zeros({3}), {}, "x has shape [3]");
  says(Array(), {}, "undefined");
  says(x, {.lengths = integers({6, 1})}, "length 6 of example 0 is out of range; x has 5 steps");
  says(x, {.lengths = integers({1, -1})}, "length -1 of example 1");
  says(x, {.lengths = integers({1})}, "integers of shape [2]");
  says(x, {.lengths = zeros({2})}, "the lengths are float32");
  says(x, {.initial = {zeros({2, 4}), {}}}, "the initial hidden state has shape [2, 4]");
  says(x, {.initial = {{}, zeros({2, 1, 4})}}, "for the LSTM");
  EXPECT_EQ(message_of([] { LSTM(0, 4); }), "LSTM: 0 inputs, 4 hidden and 1 layers must be positive");
  EXPECT_EQ(message_of([] { GRU(1, 4, {.dropout = 1}); }), "GRU: the dropout 1 must be at least 0 and less than 1");
  LSTM dropping(3, 4, {.layers = 2, .dropout = 0.5});
  train(dropping);
  EXPECT_NE(message_of([&] { dropping(x); }).find("random numbers"), std::string::npos);
}

}  // namespace
}  // namespace pellucid::nn
