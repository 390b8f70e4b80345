// Modules: how members are found and named, replaced, frozen, initialised and described.
#include "pellucid/module.h"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <optional>
#include <set>

#include "pellucid/nn.h"
#include "pellucid/ops.h"
#include "pellucid/transform.h"
#include "support/message.h"

namespace pellucid::nn {
namespace {

std::vector<float> floats(const Array& x) { return x.to_vector<float>(); }

struct Block : Module {
  Linear inner{4, 4};
  Array operator()(const Array& x) const { return inner(x); }
};

/// Every kind of member.
struct Net : Module {
  Linear hidden{2, 4};
  int width = 4;
  Sequential encoder{Linear(4, 4, {.bias = false}), Tanh(), Residual(Linear(4, 4))};
  Parameter scale = ones({4});
  Array shift = zeros({4});
  Buffer seen = zeros({2});
  std::vector<Linear> many;
  std::array<Block, 2> pair;
  std::string note = "not a parameter";
  AnyLayer last{Linear(4, 1)};
  Array operator()(const Array& x) { return last(scale * encoder(hidden(x)) + shift); }
};

/// One with a constructor and private members names its members itself.
class Own : public Module {
 public:
  explicit Own(std::int64_t n) : first_(n, 2), second_(2, 1) {}
  PELLUCID_MEMBERS(first_, maybe_, second_)
  Array operator()(const Array& x) const { return second_(first_(x)); }

 private:
  Linear first_;
  std::optional<Block> maybe_;
  Linear second_;
};

std::vector<std::string> names(const std::vector<NamedArray>& arrays) {
  std::vector<std::string> list;
  for (const NamedArray& a : arrays) list.push_back(a.name);
  return list;
}

using Names = std::vector<std::string>;

TEST(Module, FindsMembersByTheirNames) {
  Net net;
  net.many.assign(2, Linear(1, 1));
  EXPECT_EQ(
      names(named_parameters(net)),
      (Names{"hidden.weight", "hidden.bias", "encoder.0.weight", "encoder.2.0.weight", "encoder.2.0.bias", "scale",
             "shift", "many.0.weight", "many.0.bias", "many.1.weight", "many.1.bias", "pair.0.inner.weight",
             "pair.0.inner.bias", "pair.1.inner.weight", "pair.1.inner.bias", "last.weight", "last.bias"}));
  EXPECT_EQ(names(named_buffers(net)), (Names{"seen"}));
  const Net& constant = net;
  EXPECT_EQ(named_parameters(constant).size(), 17u);
  EXPECT_EQ(View(net).type(), "Net");
}

TEST(Module, FindsMembersThatAreNamedByHand) {
  EXPECT_EQ(names(named_parameters(Own(3))), (Names{"first_.weight", "first_.bias", "second_.weight", "second_.bias"}));
  EXPECT_EQ(View(Own(3)).type(), "Own");
}

TEST(Module, FindsMembersOfLocalAndEmptyStructs) {
  struct Local : Module {
    Linear inside{1, 2};
  };
  EXPECT_EQ(names(named_parameters(Local())), (Names{"inside.weight", "inside.bias"}));
  struct Nothing : Module {};
  EXPECT_TRUE(named_parameters(Nothing()).empty());
}

struct Wide : Module {
  Parameter a0, a1, a2, a3, a4, a5, a6, a7, b0, b1, b2, b3, b4, b5, b6, b7;
  Parameter c0, c1, c2, c3, c4, c5, c6, c7, d0, d1, d2, d3, d4, d5, d6, d7 = ones({1});
};
struct WideByHand : Module {
  WideByHand() {}
  Parameter a0, a1, a2, a3, a4, a5, a6, a7, b0, b1, b2, b3, b4, b5, b6, b7;
  Parameter c0, c1, c2, c3, c4, c5, c6, c7, d0, d1, d2, d3, d4, d5, d6, d7 = ones({1});
  PELLUCID_MEMBERS(a0, a1, a2, a3, a4, a5, a6, a7, b0, b1, b2, b3, b4, b5, b6, b7, c0, c1, c2, c3, c4, c5, c6, c7, d0,
                   d1, d2, d3, d4, d5, d6, d7)
};

TEST(Module, Has32Members) {
  EXPECT_EQ(names(named_parameters(Wide())), (Names{"d7"}));
  EXPECT_EQ(names(named_parameters(WideByHand())), (Names{"d7"}));
}

TEST(Module, CountsParameters) {
  Sequential net{Linear(3, 4), Linear(4, 2)};
  EXPECT_EQ(parameter_count(net), 3 * 4 + 4 + 4 * 2 + 2);
  freeze(net, "0.*");
  EXPECT_EQ(parameter_count(net, true), 4 * 2 + 2);
  EXPECT_EQ(parameter_count(net), 3 * 4 + 4 + 4 * 2 + 2);
}

TEST(Module, SetsArraysInOrderAndByName) {
  Sequential net{Linear(1, 1), BatchNorm1d(1)};
  set_parameters(net, {full({1, 1}, 1.0), full({1}, 2.0), full({1}, 3.0), full({1}, 4.0)});
  EXPECT_EQ(floats(net[0].as<Linear>()->bias), (std::vector<float>{2}));
  set_buffers(net, {full({1}, 5.0), full({1}, 6.0)});
  EXPECT_EQ(floats(buffers(net)[1]), (std::vector<float>{6}));
  set_arrays(net, {{.name = "1.bias", .value = full({1}, 7.0)}}, /*partial=*/true);
  EXPECT_EQ(floats(parameters(net)[3]), (std::vector<float>{7}));
  std::vector<NamedArray> all = named_parameters(net);
  for (const NamedArray& buffer : named_buffers(net)) all.push_back(buffer);
  std::reverse(all.begin(), all.end());
  Sequential other{Linear(1, 1), BatchNorm1d(1)};
  set_arrays(other, all);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(floats(parameters(other)[i]), floats(parameters(net)[i]));
}

TEST(Module, ConvertsTypes) {
  Sequential net{Linear(2, 2), BatchNorm1d(2)};
  astype(net, float64);
  for (const Array& a : parameters(net)) EXPECT_EQ(a.dtype(), float64);
  for (const Array& a : buffers(net)) EXPECT_EQ(a.dtype(), float64);
  initialize(net, random::key(1));
  for (const Array& a : parameters(net)) EXPECT_EQ(a.dtype(), float64);
  for (const Array& a : buffers(net)) EXPECT_EQ(a.dtype(), float64);
}

// ---- Initialisation -------------------------------------------------------------------------------------------------

TEST(Initialize, IsDeterminedByTheKey) {
  Net a, b;
  initialize(a, random::key(1));
  initialize(b, random::key(1));
  const Arrays of_a = parameters(a), of_b = parameters(b);
  for (std::size_t i = 0; i < of_a.size(); ++i) EXPECT_EQ(floats(of_a[i]), floats(of_b[i]));
  initialize(b, random::key(2));
  EXPECT_NE(floats(parameters(b)[0]), floats(of_a[0]));
}

TEST(Initialize, LayersDiffer) {
  Sequential net{Linear(4, 4), Linear(4, 4)};
  EXPECT_NE(floats(parameters(net)[0]), floats(parameters(net)[2]));
  initialize(net, random::key(1));
  EXPECT_NE(floats(parameters(net)[0]), floats(parameters(net)[2]));
}

TEST(Initialize, ReturnsEverythingToItsStart) {
  Net net;
  net.scale.value = full({4}, 9.0);
  net.shift = full({4}, 9.0);
  net.seen.update(full({2}, 9.0));
  initialize(net, random::key(1));
  EXPECT_EQ(floats(net.scale), floats(ones({4})));
  EXPECT_EQ(floats(net.shift), floats(zeros({4})));
  EXPECT_EQ(floats(net.seen), floats(zeros({2})));
}

TEST(Initialize, ValuesAreDrawnOnce) {
  Sequential net{Linear(2, 2)};
  EXPECT_FALSE(parameters(net)[0].evaluated());
  net(ones({1, 2})).evaluate();
  EXPECT_TRUE(parameters(net)[0].evaluated());
  initialize(net, random::key(1));
  EXPECT_TRUE(parameters(net)[0].evaluated());
}

TEST(Initialize, ManyNetworksAtOnce) {
  Sequential net{Linear(2, 3), ReLU(), Linear(3, 1)};
  const auto output = [&](const Array& key) {
    Sequential one = net;
    initialize(one, key);
    return one(ones({1, 2}));
  };
  const Array keys = stack({random::key(1), random::key(2)});
  const std::vector<float> both = floats(vmap(output)(keys));
  EXPECT_EQ(both[0], output(random::key(1)).item<float>());
  EXPECT_EQ(both[1], output(random::key(2)).item<float>());
}

struct WithRule : Module {
  Array slopes = zeros({3});
  void initialize(const random::Key& key) { slopes = random::normal(key, {3}); }
};

TEST(Initialize, CallsTheModulesOwnRule) {
  struct Outer : Module {
    WithRule a, b;
  } net;
  initialize(net, random::key(1));
  EXPECT_NE(floats(net.a.slopes), floats(zeros({3})));
  EXPECT_NE(floats(net.a.slopes), floats(net.b.slopes));
}

// ---- Freezing -------------------------------------------------------------------------------------------------------

TEST(Matches, GlobsWholeNamesAndModules) {
  EXPECT_TRUE(matches("encoder.0.weight", "encoder.0.weight"));
  EXPECT_TRUE(matches("encoder", "encoder.0.weight"));
  EXPECT_TRUE(matches("encoder.*", "encoder.0.weight"));
  EXPECT_TRUE(matches("*.weight", "encoder.0.weight"));
  EXPECT_TRUE(matches("*", "bias"));
  EXPECT_TRUE(matches("enc*.?.w*t", "encoder.0.weight"));
  EXPECT_TRUE(matches("**a*", "ba"));
  EXPECT_FALSE(matches("enc", "encoder.0.weight"));
  EXPECT_FALSE(matches("weight", "encoder.0.weight"));
  EXPECT_FALSE(matches("*.bias", "encoder.0.weight"));
  EXPECT_FALSE(matches("", "a"));
}

TEST(Freeze, MarksParameters) {
  Net net;
  EXPECT_EQ(freeze(net, "encoder"), 3);
  std::map<std::string, bool> trainable;
  for (const NamedArray& p : named_parameters(net)) trainable[p.name] = p.trainable;
  EXPECT_FALSE(trainable["encoder.0.weight"]);
  EXPECT_TRUE(trainable["hidden.weight"]);
  EXPECT_EQ(unfreeze(net, "*.0.weight"), 2);
  EXPECT_TRUE(named_parameters(net)[2].trainable);
}

// ---- Pure functions -------------------------------------------------------------------------------------------------

TEST(Swap, PutsItsOwnArraysBack) {
  Sequential net{Linear(1, 1)};
  const Arrays before = parameters(net);
  {
    const Swap swap(net, {full({1, 1}, 2.0), full({1}, 3.0)}, {});
    EXPECT_EQ(floats(net(ones({1, 1}))), (std::vector<float>{5}));
  }
  EXPECT_TRUE(parameters(net)[0].same(before[0]));
}

TEST(Functional, IsDifferentiatedLikeAnyFunction) {
  Sequential net{Linear(2, 1)};
  const Array x = {{1, 2}, {3, 4}};
  const Function f = functional(net, [&](const Arrays& in) { return Arrays{sum(net(in[0]))}; });
  Arrays arguments = parameters(net);
  arguments.push_back(x);
  const auto result = transform::value_and_grad(f, arguments, {.arguments = {0, 1}});
  EXPECT_EQ(floats(result.gradients[0]), (std::vector<float>{4, 6}));
  EXPECT_EQ(floats(result.gradients[1]), (std::vector<float>{2}));
  EXPECT_EQ(result.value.item<float>(), sum(net(x)).item<float>());
}

TEST(Functional, GivesPerExampleGradients) {
  Sequential net{Linear(2, 1, {.bias = false})};
  const Function f = functional(net, [&](const Arrays& in) { return Arrays{sum(net(in[0]))}; });
  const auto gradient = [&](const Arrays& a) { return transform::value_and_grad(f, a, {.arguments = {0}}).gradients; };
  const Array x = {{1, 2}, {3, 4}};
  const Arrays each = transform::vmap(gradient, {parameters(net)[0], x}, {std::nullopt, 0}, 0);
  EXPECT_EQ(each[0].shape(), (Shape{2, 2, 1}));
  EXPECT_EQ(floats(each[0]), floats(x));
}

// ---- Descriptions ---------------------------------------------------------------------------------------------------

TEST(Description, RebuildsEveryLayer) {
  Sequential net{Linear(4, 6),
                 Linear(6, 6, {.bias = false}),
                 BatchNorm1d(6, {.momentum = 0.25, .epsilon = 1e-3}),
                 LayerNorm(Shape{6}, {.affine = false}),
                 PReLU(6, 0.5),
                 Dropout(0.25),
                 Residual(Linear(6, 6), Tanh()),
                 Sequential(),
                 Flatten(-1),
                 LeakyReLU(0.2),
                 ELU(2),
                 CELU(0.5),
                 Softmax(0),
                 LogSoftmax()};
  std::set<std::string> used{"Sequential"};
  for (const Description& layer : describe(net).layers) used.insert(layer.type);
  for (const std::string& type : layer_types()) {
    if (used.contains(type) || type == "Intervals") continue;  // that takes three numbers a row: see tabular_test
    try {
      net.push_back(build({.name = {}, .type = type, .options = {}, .layers = {}}));
    } catch (const Error& error) {  // it needs settings: the tests of its family rebuild it
      const std::string text = error.what();
      EXPECT_TRUE(contains(text, "is missing") || contains(text, "of its own")) << text;
    }
  }
  const Description description = describe(net);
  const Description read = description_from_json(to_json(description));
  EXPECT_EQ(read, description) << to_json(description);
  Sequential again = build_sequential(read);
  EXPECT_EQ(describe(again), description);
  EXPECT_EQ(names(named_parameters(again)), names(named_parameters(net)));
  set_parameters(again, parameters(net));
  const Array x = random::normal(random::key(3), {5, 4});
  EXPECT_EQ(floats(again(x)), floats(net(x)));
}

TEST(Description, IsReadable) {
  const Sequential net{Linear(2, 4), ReLU()};
  EXPECT_EQ(to_json(describe(net)),
            R"({"type":"Sequential","layers":[{"name":"0","type":"Linear","inputs":2,"outputs":4,"bias":true},)"
            R"({"name":"1","type":"ReLU"}]})");
  EXPECT_EQ(describe(Own(2)).layers[1].name, "second_");
}

TEST(Summary, ListsCallsAndParameters) {
  Net net;
  const std::string text = summary(net, zeros({5, 2}));
  for (const char* part : {"encoder.0", "Linear (4 -> 4, bias no)", "[5, 4]", "(parameters of its own)",
                           "Net: [5, 2] -> [5, 1], 101 parameters, all of them trainable, "}) {
    EXPECT_PRED2(contains, text, part);
  }
  Sequential big{Linear(784, 256), ReLU(), Linear(256, 10)};
  freeze(big, "0");
  EXPECT_EQ(
      summary(big, zeros({32, 784})),
      "name  layer                output     parameters  multiply-adds\n"
      "0     Linear (784 -> 256)  [32, 256]     200,960      6,422,528\n"
      "1     ReLU                 [32, 256]           0              0\n"
      "2     Linear (256 -> 10)   [32, 10]        2,570         81,920\n"
      "Sequential: [32, 784] -> [32, 10], 203,530 parameters, 2,570 of them trainable, 6,504,448 multiply-adds\n");
}

TEST(Summary, CountsSharedLayersOnce) {
  struct Twice : Module {
    Linear layer{3, 3};
    Array operator()(const Array& x) const { return layer(layer(x)); }
  } net;
  EXPECT_PRED2(contains, summary(net, zeros({1, 3})), "(shared)");
}

// ---- Errors ---------------------------------------------------------------------------------------------------------

TEST(ModuleError, Setting) {
  Sequential net{Linear(2, 3)};
  const Array w = zeros({2, 3}), b = zeros({3});
  EXPECT_EQ(message_of([&] { set_parameters(net, {w}); }),
            "set_parameters: the module has 2 parameters, and 1 were given");
  EXPECT_EQ(message_of([&] {
              set_parameters(net, {b, b});
            }),
            "set_parameters: '0.weight' has shape [2, 3], and its new value [3]");
  EXPECT_PRED2(contains, message_of([&] {
                 set_parameters(net, {w, Array()});
               }),
               "new value of '0.bias' is an undefined Array");
  EXPECT_PRED2(contains, message_of([&] { set_buffers(net, {w}); }), "the module has 0 buffers, and 1 were given");
  EXPECT_PRED2(contains, message_of([&] {
                 set_arrays(net, {{"1.weight", w}});
               }),
               "the module has no '1.weight'; its arrays are 0.weight, 0.bias");
  EXPECT_PRED2(contains, message_of([&] { set_arrays(net, {{"0.weight", w}}); }), "no value for '0.bias'");
  EXPECT_PRED2(contains, message_of([&] {
                 set_arrays(net, {{"0.weight", b}});
               }),
               "has shape [2, 3], and its new value [3]");
  EXPECT_PRED2(contains, message_of([&] { set_arrays(net, {{"0.bias", b}, {"0.bias", b}}, true); }), "is given twice");
  EXPECT_PRED2(contains, message_of([&] { Swap(net, {w}, {}); }), "Swap: the module has 2 parameters");
  EXPECT_PRED2(contains, message_of([&] { functional(net, [](const Arrays& x) { return x; })({w}); }),
               "they come first");
  EXPECT_PRED2(contains, message_of([&] { astype(net, int32); }), "cannot become int32");
}

TEST(ModuleError, Freezing) {
  Net net;
  EXPECT_PRED2(contains, message_of([&] { freeze(net, "decoder"); }), "no parameter matches 'decoder'");
  EXPECT_PRED2(contains, message_of([&] { freeze(net, "shift"); }), "'shift' is a plain Array");
}

TEST(ModuleError, Calling) {
  struct Pair : Module {
    Array operator()(const Array& x, const Array& y) const { return x + y; }
  } net;
  EXPECT_FALSE(Ref(net).callable());
  EXPECT_PRED2(contains, message_of([&] { Ref{net}(zeros({1})); }), "Pair: it cannot be called with one array");
}

TEST(ModuleError, Describing) {
  const auto build_of = [](const char* json) { return message_of([&] { build(description_from_json(json)); }); };
  EXPECT_EQ(build_of("{\n\x80"), "description: this is not JSON: \"{\\n\\ufffd\"");
  EXPECT_EQ(build_of(R"({"type": "Linear", "inputs": 9223372036854775808})"),
            "description: \"inputs\" holds 9223372036854775808, which does not fit int64");
  EXPECT_PRED2(contains, build_of("[]"), "a layer must be an object, not []");
  EXPECT_PRED2(contains, build_of("{}"), "a layer has no 'type'");
  EXPECT_PRED2(contains, build_of(R"({"type": 3})"), "'type' must be a text, not 3");
  EXPECT_PRED2(contains, build_of(R"({"type": "Sequential", "layers": 3})"), "'layers' must be a list");
  EXPECT_PRED2(contains, build_of(R"({"type": "LayerNorm", "shape": [1.5]})"), "which is not an integer");
  EXPECT_PRED2(contains, build_of(R"({"type": "LayerNorm", "shape": null})"), "which is no setting");
  EXPECT_PRED2(contains, build_of(R"({"type": "Net"})"), "'Net' is no layer of this library");
  EXPECT_PRED2(contains, build_of(R"({"type": "Ensemble", "mean": "scores", "members": 4097})"),
               "Ensemble: 'members' is 4097, and at most 4096 are built");
  EXPECT_PRED2(contains, build_of(R"({"type": "Dropout"})"), "the setting 'p' is missing");
  EXPECT_PRED2(contains, build_of(R"({"type": "Dropout", "p": "half"})"), "the setting 'p' has the wrong type");
  EXPECT_PRED2(contains, build_of(R"({"type": "ReLU", "p": 1})"), "unknown setting 'p'");
  EXPECT_PRED2(contains, build_of(R"({"type": "Softmax", "axis": 1000})"), "'axis' is 1000, which is no axis");
  EXPECT_PRED2(contains, build_of(R"({"type": "ReLU", "layers": [{"type": "ReLU"}]})"), "it has no layers of its own");
  EXPECT_PRED2(contains, message_of([] { build_sequential(describe(ReLU())); }), "the description is of a ReLU");
  std::string deep;
  for (int i = 0; i < 200; ++i) deep += R"({"type": "Sequential", "layers": [)";
  for (int i = 0; i < 200; ++i) deep += "]}";
  EXPECT_PRED2(contains, build_of(deep.c_str()), "more than 100 deep");
}

}  // namespace
}  // namespace pellucid::nn
