// Attention and its layers: against PyTorch (reference/make_attention.py), in transforms, with caches, and called
// wrongly.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "pellucid/nn_attention.h"
#include "pellucid/ops.h"
#include "pellucid/threads.h"
#include "pellucid/transform.h"
#include "support/message.h"
#include "support/sequence_reference.h"

namespace pellucid::nn {
namespace {

using reference::Json;
using reference::Named;

Array draw(std::uint64_t seed, const Shape& shape, DType dtype = float32) {
  return random::normal(random::key(seed), shape, 0, 1, dtype).evaluate();
}

/// Parameters by their names out of a case.
template <class M>
void fill(M& module, const Named& in) {
  for (const NamedArray& parameter : named_parameters(module)) {
    set_arrays(module, {{parameter.name, in.at(parameter.name), true}}, true);
  }
}

Array find(const Named& in, const char* name) { return in.contains(name) ? in.at(name) : Array(); }

// ---- Against PyTorch ------------------------------------------------------------------------------------------------

TEST(Attention, AgreesWithPyTorch) {
  const int cases = reference::check(
      [](const std::string& kind, const Json& json, const Named& in) -> Named {
        if (kind != "attention") return {};
        AttentionOptions options;
        options.causal = json["causal"].get<bool>();
        if (json.contains("scale")) options.scale = json["scale"].get<double>();
        if (in.contains("mask")) options.mask = in.at("mask");
        if (in.contains("seen")) options.mask = astype(in.at("seen"), bool_);
        return {{"y", scaled_dot_product_attention(in.at("q"), in.at("k"), in.at("v"), options)}};
      },
      "attention.json");
  EXPECT_EQ(cases, 9);
}

TEST(MultiHeadAttention, AgreesWithPyTorch) {
  const int cases = reference::check(
      [](const std::string& kind, const Json& json, const Named& in) -> Named {
        if (kind != "multi_head") return {};
        MultiHeadAttention layer(4, 2, {.causal = json["causal"].get<bool>(), .dtype = float64});
        fill(layer, in);
        return {{"y", layer(in.at("x"), {.memory = find(in, "memory"), .lengths = find(in, "lengths")})}};
      },
      "attention.json");
  EXPECT_EQ(cases, 3);
}

TEST(Transformer, AgreesWithPyTorch) {
  const int cases = reference::check(
      [](const std::string& kind, const Json& json, const Named& in) -> Named {
        if (kind != "encoder" && kind != "decoder") return {};
        TransformerOptions options;
        options.hidden = 6;
        options.norm_first = json["norm_first"].get<bool>();
        options.dtype = float64;
        if (kind == "encoder") {
          TransformerEncoderLayer layer(4, 2, options);
          fill(layer, in);
          return {{"y", layer(in.at("x"))}};
        }
        TransformerDecoderLayer layer(4, 2, options);
        fill(layer, in);
        return {{"y", layer(in.at("x"), {.memory = in.at("memory")})}};
      },
      "attention.json");
  EXPECT_EQ(cases, 4);
}

TEST(Positions, AgreeWithTheirDefinitions) {
  const int cases = reference::check(
      [](const std::string& kind, const Json& json, const Named& in) -> Named {
        if (kind == "rotary") return {{"y", rotary(in.at("x"), {}, json["base"].get<double>())}};
        if (kind == "sinusoidal") return {{"y", SinusoidalPositions(6)(in.at("x"))}};
        return {};
      },
      "attention.json");
  EXPECT_EQ(cases, 2);
}

// ---- What holds -----------------------------------------------------------------------------------------------------

TEST(Attention, QueriesThatSeeNoKeyGiveZerosAndReceiveNothing) {
  const Array q = draw(1, {1, 3, 1, 4}), k = draw(2, {1, 5, 1, 4}), v = draw(3, {1, 5, 1, 4});
  const Array seen = Array::from(std::vector<std::int64_t>{1, 0, 1}, {3, 1}) > 0;
  const auto f = [&](const Array& a, const Array& b, const Array& c) {
    return scaled_dot_product_attention(a, b, c, {.mask = seen});
  };
  const std::vector<float> y = f(q, k, v).to_vector<float>();
  for (std::size_t i = 4; i < 8; ++i) EXPECT_EQ(y[i], 0);
  EXPECT_NE(y[0], 0);
  const auto loss = [&](const Arrays& x) { return Arrays{sum(square(f(x[0], x[1], x[2]) + 1))}; };
  for (const Array& g : grad(loss)(Arrays{q, k, v})) {
    for (float value : g.to_vector<float>()) EXPECT_TRUE(std::isfinite(value));
  }
  const std::vector<float> of_q = grad(loss)(Arrays{q, k, v})[0].to_vector<float>();
  for (std::size_t i = 4; i < 8; ++i) EXPECT_EQ(of_q[i], 0);
  for (const Array& h : hessian_product(loss, Arrays{q, k, v}, Arrays{q, k, v})) {
    for (float value : h.to_vector<float>()) EXPECT_TRUE(std::isfinite(value));
  }
}

TEST(Attention, MasksMeanTheSameAsBoolAndAsNumbers) {
  const Array q = draw(1, {2, 70, 4, 8}), k = draw(2, {2, 70, 2, 8}), v = draw(3, {2, 70, 2, 8});
  const Array seen = arange(70) <= reshape(arange(70), {70, 1});
  const Array numbers = where(seen, 0.0, -std::numeric_limits<double>::infinity());
  const std::vector<float> causal = scaled_dot_product_attention(q, k, v, {.causal = true}).to_vector<float>();
  EXPECT_EQ(scaled_dot_product_attention(q, k, v, {.mask = seen}).to_vector<float>(), causal);
  EXPECT_EQ(scaled_dot_product_attention(q, k, v, {.mask = numbers}).to_vector<float>(), causal);
}

TEST(Attention, LargeScoresDoNotOverflow) {
  const Array q = draw(1, {1, 9, 1, 4}) * 1e4, k = draw(2, {1, 9, 1, 4}) * 1e4, v = draw(3, {1, 9, 1, 4});
  for (float y : scaled_dot_product_attention(q, k, v).to_vector<float>()) EXPECT_TRUE(std::abs(y) < 10);
}

TEST(Attention, NanOfAKeyReachesEveryQueryThatSeesIt) {
  Array q = draw(1, {1, 4, 1, 4}), v = draw(3, {1, 4, 1, 4});
  std::vector<float> keys = draw(2, {1, 4, 1, 4}).to_vector<float>();
  keys[10] = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> y =
      scaled_dot_product_attention(q, Array::from(keys, {1, 4, 1, 4}), v, {.causal = true}).to_vector<float>();
  for (std::size_t i = 0; i < y.size(); ++i) EXPECT_EQ(std::isnan(y[i]), i >= 8) << i;
}

TEST(Attention, Bfloat16IsComputedInFloat32) {
  const Array q = astype(draw(1, {2, 5, 2, 4}), bfloat16), k = astype(draw(2, {2, 5, 2, 4}), bfloat16);
  const Array y = scaled_dot_product_attention(q, k, k);
  EXPECT_EQ(y.dtype(), bfloat16);
  const Array wide = scaled_dot_product_attention(astype(q, float32), astype(k, float32), astype(k, float32));
  EXPECT_EQ(y.to_vector<float>(), astype(wide, bfloat16).to_vector<float>());
}

TEST(Attention, GradientsOfExamplesAreThoseOfEachAlone) {
  MultiHeadAttention layer(12, 3, {.causal = true});
  const Array x = draw(5, {4, 20, 12});
  const auto loss = functional(layer, [&](const Arrays& in) { return Arrays{sum(square(layer(in[0])))}; });
  const Arrays w = parameters(layer);
  const auto gradient = [&](const Arrays& in) {
    Arrays all = w;
    all.push_back(in[0]);
    std::vector<int> which(w.size());
    for (std::size_t i = 0; i < w.size(); ++i) which[i] = static_cast<int>(i);
    return grad(loss, {.arguments = which})(all);
  };
  const Arrays together = vmap([&](const Arrays& in) { return gradient(in); })(Arrays{x});
  for (std::int64_t e = 0; e < 4; ++e) {
    const Arrays alone = gradient({index(x, {e})});
    for (std::size_t i = 0; i < w.size(); ++i) {
      EXPECT_EQ(index(together[i], {e}).to_vector<float>(), alone[i].to_vector<float>()) << i;
    }
  }
}

TEST(MultiHeadAttention, WithOneGroupForAllHeadsRepeatsKeysAndValues) {
  MultiHeadAttention grouped(8, 4, {.causal = true, .groups = 2}), full(8, 4, {.causal = true});
  const auto repeated = [](const Array& w) {  // (..., 2 * 2) to (..., 4 * 2)
    Shape shape = w.shape();
    shape.back() = 2;
    shape.insert(shape.end() - 1, {2, 1});
    Array x = reshape(w, shape);
    shape[shape.size() - 2] = 2;
    Shape result = w.shape();
    result.back() = 8;
    return reshape(broadcast_to(x, shape), result);
  };
  full.query = grouped.query;
  full.output = grouped.output;
  full.key.weight.value = repeated(grouped.key.weight);
  full.key.bias.value = repeated(grouped.key.bias);
  full.value.weight.value = repeated(grouped.value.weight);
  full.value.bias.value = repeated(grouped.value.bias);
  const Array x = draw(1, {2, 6, 8});
  EXPECT_EQ(grouped(x).to_vector<float>(), full(x).to_vector<float>());
}

TEST(MultiHeadAttention, ACacheGivesWhatTheWholeSequenceGives) {
  for (bool turned : {false, true}) {
    MultiHeadAttentionOptions options;
    options.causal = true;
    options.groups = 2;
    if (turned) options.rotary_base = 100.0;
    MultiHeadAttention layer(16, 4, options);
    const Array x = draw(1, {2, 7, 16});
    const std::vector<float> whole = layer(x).to_vector<float>();
    KeyValueCache cache = layer.cache(2, 9);
    Arrays parts;
    std::int64_t first = 0;
    for (std::int64_t count : {3, 1, 2, 1}) {
      parts.push_back(layer(slice(x, 1, first, first + count), cache, Array(first)));
      first += count;
    }
    const std::vector<float> pieces = concat(parts, 1).to_vector<float>();
    for (std::size_t i = 0; i < whole.size(); ++i) EXPECT_NEAR(whole[i], pieces[i], 2e-6) << i;
  }
}

TEST(Rotary, ProductsDependOnDistancesAlone) {
  const Array q = draw(1, {1, 1, 8}, float64), k = draw(2, {1, 1, 8}, float64);
  const auto product = [&](std::int64_t a, std::int64_t b) {
    return sum(rotary(q, reshape(Array(a), {1})) * rotary(k, reshape(Array(b), {1}))).item<double>();
  };
  EXPECT_NEAR(product(5, 2), product(1005, 1002), 1e-10);
  EXPECT_NEAR(product(0, 0), sum(q * k).item<double>(), 1e-12);
}

TEST(Transformer, DropoutAndLengthsInTraining) {
  TransformerEncoder encoder(2, 8, 2, {.dropout = 0.5});
  const Array x = draw(1, {3, 5, 8});
  const std::vector<float> calm = encoder(x).to_vector<float>();
  {
    const Context training(random::key(3));
    EXPECT_NE(encoder(x).to_vector<float>(), calm);
  }
  EXPECT_EQ(encoder(x).to_vector<float>(), calm);
  // What lies beyond a length does not reach what lies before it.
  const Array lengths = Array::from(std::vector<std::int64_t>{5, 3, 1});
  const Array beyond = where(reshape(arange(5) < expand_dims(lengths, 1), {3, 5, 1}), x, x + 1);
  const Array a = encoder(x, {.lengths = lengths}), b = encoder(beyond, {.lengths = lengths});
  const Array there = reshape(arange(5) < expand_dims(lengths, 1), {3, 5, 1});
  EXPECT_EQ(where(there, a, 0.0).to_vector<float>(), where(there, b, 0.0).to_vector<float>());
}

TEST(Transformer, DescriptionsBuildTheSameLayers) {
  TransformerOptions options;
  options.activation = FeedForwardActivation::kSiLU;
  options.groups = 1;
  options.rotary_base = 500.0;
  const Sequential network{SinusoidalPositions(8), LearnedPositions(9, 8), TransformerEncoder(2, 8, 2, options),
                           MultiHeadAttention(8, 2), TransformerEncoderLayer(8, 4)};
  const Description description = describe(network);
  const Sequential built = build_sequential(description_from_json(to_json(description)));
  EXPECT_EQ(describe(built), description);
  EXPECT_EQ(named_parameters(built).size(), named_parameters(network).size());
}

// ---- Messages -------------------------------------------------------------------------------------------------------

TEST(AttentionErrors, NameShapes) {
  const Array q = zeros({2, 3, 4, 8}), k = zeros({2, 5, 4, 8});
  const auto call = [](const Array& a, const Array& b, const Array& c, const AttentionOptions& options = {}) {
    return message_of([&] { scaled_dot_product_attention(a, b, c, options); });
  };
  EXPECT_PRED2(contains, call(zeros({3, 8}), k, k), "they must be (..., T, H, D), (..., S, G, D) and (..., S, G, E)");
  EXPECT_PRED2(contains, call(q, zeros({1, 5, 4, 8}), k), "the leading axes differ");
  EXPECT_PRED2(contains, call(q, zeros({2, 5, 4, 6}), k), "the last axes have 8 and 6 features");
  EXPECT_PRED2(contains, call(q, k, zeros({2, 6, 4, 8})), "numbers of keys and of heads must be equal");
  EXPECT_PRED2(contains, call(q, zeros({2, 5, 3, 8}), zeros({2, 5, 3, 8})),
               "has 4 heads, which is not a multiple of the 3");
  EXPECT_PRED2(contains, call(zeros({2, 3, 4, 0}), zeros({2, 5, 4, 0}), k), "has no features");
  EXPECT_PRED2(contains, call(q, k, k, {.mask = zeros({3, 4})}),
               "mask [3, 4] does not broadcast to (..., heads, queries, keys) = [2, 4, 3, 5]");
  EXPECT_PRED2(contains, call(q, k, k, {.mask = zeros({3, 5}, int64)}), "the mask is int64; it must be bool");
  EXPECT_PRED2(contains, call(q, k, k, {.mask = zeros({1, 2, 4, 3, 5})}), "mask [1, 2, 4, 3, 5] does not broadcast");
}

struct Net : Module {
  MultiHeadAttention inner{8, 2};
  TransformerEncoderLayer block{8, 2};
  TransformerDecoderLayer decoder{8, 2};
  LearnedPositions positions{4, 8};
};

TEST(AttentionErrors, NameTheLayer) {
  Net net;
  assign_paths(net);
  const Array x = zeros({2, 5, 8});
  EXPECT_PRED2(contains, message_of([&] {
                 net.inner(zeros({2, 5, 7}));
               }),
               "MultiHeadAttention: x has shape [2, 5, 7], and must be (N, T, 8) or (T, 8) (layer 'inner')");
  EXPECT_PRED2(contains, message_of([&] {
                 net.inner(x, {.memory = zeros({3, 4, 8})});
               }),
               "x [2, 5, 8] and the memory [3, 4, 8] differ in the batch (layer 'inner')");
  EXPECT_PRED2(contains, message_of([&] { net.inner(x, {.memory = zeros({2, 4, 9})}); }), "the memory has shape");
  const std::string mask = message_of([&] { net.block(x, {.mask = zeros({3, 3})}); });
  EXPECT_PRED2(contains, mask, "mask [3, 3] does not broadcast to (..., heads, queries, keys) = [2, 2, 5, 5]");
  EXPECT_PRED2(contains, mask, "(layer 'block.attention')");
  EXPECT_PRED2(contains, message_of([&] {
                 net.inner(x, {.lengths = Array::from(std::vector<std::int64_t>{5, 6})});
               }),
               "a length of 6 for a sequence of 5; lengths are between 0 and that (layer 'inner')");
  EXPECT_PRED2(contains, message_of([&] { net.inner(x, {.lengths = zeros({3}, int64)}); }),
               "they must be integers of the batch's shape [2]");
  EXPECT_PRED2(contains, message_of([&] { net.block(x, {.memory = x}); }), "a memory is for TransformerDecoderLayer");
  EXPECT_PRED2(contains, message_of([&] { net.decoder(x, {}); }), "a memory to attend to is needed");
  EXPECT_PRED2(contains, message_of([&] { net.positions(x); }),
               "LearnedPositions: x has shape [2, 5, 8]: 5 positions, but there are 4 at most (layer 'positions')");
  KeyValueCache cache = net.inner.cache(2, 4);
  EXPECT_PRED2(contains, message_of([&] { net.inner(x, cache, Array(0)); }),
               "x has 5 positions, and the cache holds 4");
  EXPECT_PRED2(contains, message_of([&] {
                 net.inner(zeros({1, 2, 8}), cache, Array(0));
               }),
               "and a cache of [2, 4, 2, 4]");
}

TEST(AttentionErrors, OfConstruction) {
  EXPECT_PRED2(contains, message_of([] { MultiHeadAttention(10, 3); }), "3 heads do not divide 10 features");
  EXPECT_PRED2(contains, message_of([] { MultiHeadAttention(0, 3); }), "both must be positive");
  EXPECT_PRED2(contains, message_of([] { MultiHeadAttention(12, 4, {.groups = 3}); }),
               "3 groups do not divide 4 heads");
  EXPECT_PRED2(contains, message_of([] { MultiHeadAttention(12, 4, {.memory_features = -1}); }),
               "-1 features of the memory");
  EXPECT_PRED2(contains, message_of([] { MultiHeadAttention(12, 4, {.rotary_base = 10.0}); }),
               "rotary positions need an even number of features in a head, not 3");
  EXPECT_PRED2(contains, message_of([] { MultiHeadAttention(8, 2).cache(1, 0); }),
               "there must be at least one position");
  EXPECT_PRED2(contains, message_of([] { SinusoidalPositions(0); }), "0 features");
  EXPECT_PRED2(contains, message_of([] { LearnedPositions(0, 4); }), "must be positive");
  EXPECT_PRED2(contains, message_of([] { sinusoids(-1, 4); }), "must be positive");
  EXPECT_PRED2(contains, message_of([] { rotary(zeros({2, 3})); }), "it must be (..., T, H, D)");
  EXPECT_PRED2(contains, message_of([] { rotary(zeros({2, 3, 5})); }), "pairs need an even number");
  EXPECT_PRED2(contains, message_of([] { rotary(zeros({2, 3, 4}), zeros({3})); }), "they must be (2)");
  EXPECT_PRED2(contains, message_of([] { TransformerEncoder(0, 8, 2); }), "0 layers");
  EXPECT_PRED2(contains, message_of([] { TransformerEncoderLayer(8, 2, {.hidden = -3}); }), "-3 hidden features");
  Description wrong = describe(TransformerEncoderLayer(8, 2));
  for (auto& [name, value] : wrong.options) {
    if (name == "activation") value = std::string("swish");
  }
  EXPECT_PRED2(contains, message_of([&] { build(wrong); }), "the activation 'swish' of a Transformer layer is unknown");
}

}  // namespace
}  // namespace pellucid::nn
