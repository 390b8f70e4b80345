// Optimisers: every rule and option over 1,000 compiled steps in float64 against PyTorch and Optax, and what is
// refused.
#include "pellucid/optim.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>

#include "optim/glob.h"
#include "pellucid/ops.h"

namespace pellucid {
namespace {

using optim::Optimizer;
using optim::Options;

const nlohmann::json& reference() {
  static const nlohmann::json data = [] {
    std::ifstream file(PELLUCID_SOURCE_DIR "/tests/reference/optim.json");
    return nlohmann::json::parse(file);
  }();
  return data;
}

/// The problem of make_optim.py: 16 parameters, a weight [3, 4] and a bias [4].
template <class F>
Arrays parts(F value) {
  std::vector<double> weight, bias;
  for (int i = 0; i < 12; ++i) weight.push_back(value(i));
  for (int i = 12; i < 16; ++i) bias.push_back(value(i));
  return {Array::from(weight, {3, 4}), Array::from(bias, {4})};
}
Arrays start() {
  return parts([](int i) { return i < 12 ? 1 + i / 16.0 : -1 - (i - 12) / 8.0; });
}
Arrays curvature() {
  return parts([](int i) { return 0.5 + i * 5 % 7 / 8.0; });
}
Arrays target() {
  return parts([](int i) { return i < 12 ? 1.5 + i * 3 % 5 : -2.5 - i % 3; });
}
Arrays noise(std::int64_t t) {
  return parts([t](std::int64_t i) { return static_cast<double>((t * 7919 + i * 104729 + 13) % 1009) / 1009 - 0.5; });
}

std::vector<double> flat(const Arrays& arrays) {
  std::vector<double> result;
  for (const Array& x : arrays)
    for (const double value : x.to_vector<double>()) result.push_back(value);
  return result;
}

/// (parameters..., state..., noise...) -> (parameters..., state...).
Function step_of(const Optimizer& optimizer) {
  return [optimizer, c = curvature(), goal = target()](const Arrays& all) {
    const Arrays w(all.begin(), all.begin() + 2), n(all.end() - 2, all.end()), state(all.begin() + 2, all.end() - 2);
    Arrays g;
    for (std::size_t i = 0; i < 2; ++i) g.push_back(c[i] * (w[i] - goal[i]) + n[i]);
    auto [result, next] = optimizer.update(w, g, state);
    result.insert(result.end(), next.begin(), next.end());
    return result;
  };
}

void expect_close(const std::vector<double>& got, const std::vector<double>& want, const std::string& where) {
  ASSERT_EQ(got.size(), want.size()) << where;
  double worst = 0;
  for (std::size_t i = 0; i < got.size(); ++i) worst = std::max(worst, std::abs(got[i] / want[i] - 1));
  EXPECT_LE(worst, 1e-12) << where;
}

void expect_reference(const std::string& name, const Optimizer& given) {
  const Optimizer optimizer = given.named({"layer.weight", "layer.bias"});
  const auto& want = reference().at("optimizers").at(name);
  Arrays all = start();
  for (const Array& s : optimizer.init(start())) all.push_back(s);
  Compiled step = compile(step_of(optimizer));
  for (std::int64_t t = 0; t < 1000; ++t) {
    step.step(all, noise(t));
    const auto place = want.find(std::to_string(t + 1));
    if (place == want.end()) continue;
    const Arrays state(all.begin() + 2, all.end());
    Arrays w = optimizer.averages(state);
    if (w.empty()) w = {all[0], all[1]};
    expect_close(flat(w), place->get<std::vector<double>>(), name + " at step " + place.key());
  }
}

TEST(Optim, SgdIsPyTorchs) {
  using optim::SGD;
  expect_reference("sgd", SGD{.learning_rate = 0.05});
  expect_reference("sgd_momentum", SGD{.learning_rate = 0.05, .momentum = 0.9});
  expect_reference("sgd_nesterov", SGD{.learning_rate = 0.05, .momentum = 0.9, .nesterov = true});
  expect_reference("sgd_decay", SGD{.learning_rate = 0.05, .momentum = 0.9, .weight_decay = 0.01});
  expect_reference("sgd_decoupled",
                   SGD{.learning_rate = 0.05, .momentum = 0.9, .weight_decay = 0.01, .decoupled = true});
}

TEST(Optim, AdamAndItsKinArePyTorchs) {
  using namespace optim;
  expect_reference("adam", Adam{});
  expect_reference("adam_fast", Adam{.learning_rate = 0.05, .beta1 = 0.8, .beta2 = 0.95, .epsilon = 1e-4});
  expect_reference("adam_decay", Adam{.learning_rate = 0.01, .weight_decay = 0.1});
  expect_reference("adamw", AdamW{.learning_rate = 0.01});
  expect_reference("adamw_decay", AdamW{.learning_rate = 0.02, .weight_decay = 0.2});
  expect_reference("adamw_decay", Adam{.learning_rate = 0.02, .weight_decay = 0.2, .decoupled = true});
  expect_reference("amsgrad", AMSGrad{.learning_rate = 0.01});
  expect_reference("amsgrad_decoupled", AMSGrad{.learning_rate = 0.01, .weight_decay = 0.1, .decoupled = true});
  expect_reference("nadam", NAdam{});
  expect_reference("nadam_decay", NAdam{.learning_rate = 0.01, .momentum_decay = 0.02, .weight_decay = 0.05});
  expect_reference("nadam_decoupled", NAdam{.learning_rate = 0.01, .weight_decay = 0.05, .decoupled = true});
  expect_reference("radam", RAdam{.learning_rate = 0.01});
  expect_reference("radam_decay", RAdam{.learning_rate = 0.01, .weight_decay = 0.05});
  expect_reference("radam_decoupled",
                   RAdam{.learning_rate = 0.01, .beta2 = 0.99, .weight_decay = 0.05, .decoupled = true});
  expect_reference("adamax", Adamax{});
  expect_reference("adamax_decay", Adamax{.learning_rate = 0.01, .weight_decay = 0.05});
}

TEST(Optim, OthersArePyTorchsAndOptaxs) {
  using namespace optim;
  expect_reference("rmsprop", RMSprop{});
  expect_reference("rmsprop_momentum", RMSprop{.learning_rate = 2e-3, .momentum = 0.9});
  expect_reference("rmsprop_centered", RMSprop{.centered = true, .weight_decay = 0.01});
  expect_reference("rmsprop_all",
                   RMSprop{.learning_rate = 2e-3, .alpha = 0.9, .epsilon = 1e-6, .momentum = 0.8, .centered = true});
  expect_reference("adagrad", Adagrad{.learning_rate = 0.1});
  expect_reference("adagrad_decay", Adagrad{.learning_rate = schedule::InverseTime{.initial = 0.1, .decay = 0.01},
                                            .initial_accumulator = 0.1,
                                            .weight_decay = 0.01});
  expect_reference("adadelta", Adadelta{});
  expect_reference("adadelta_decay", Adadelta{.learning_rate = 0.5, .rho = 0.95, .weight_decay = 0.01});
  expect_reference("lion", Lion{.learning_rate = 0.01});
  expect_reference("lion_decay", Lion{.learning_rate = 0.003, .beta1 = 0.95, .beta2 = 0.98, .weight_decay = 0.1});
  expect_reference("lamb", LAMB{.learning_rate = 0.01});
  expect_reference("lamb_decay", LAMB{.learning_rate = 0.003, .weight_decay = 0.05});
}

TEST(Optim, WhatGoesAroundARuleIsAsElsewhere) {
  using namespace optim;
  const SGD sgd{.learning_rate = 0.05, .momentum = 0.9};
  expect_reference("clip_value", Optimizer(sgd, {.clip_value = 0.4}));
  expect_reference("clip_norm", Optimizer(sgd, {.clip_norm = 1}));
  expect_reference("clip_global_norm", Optimizer(sgd, {.clip_global_norm = 1}));
  expect_reference("l1_l2", Optimizer(sgd, {.l1 = 0.02, .l2 = 0.03}));
  expect_reference("average", Optimizer(sgd, {.average = 0.99}));
  expect_reference("accumulate", Optimizer(Adam{.learning_rate = 0.01}, {.accumulate = 4}));
  expect_reference("groups",
                   Optimizer(Adam{.learning_rate = 0.002},
                             {.groups = {{.pattern = "*.weight", .learning_rate = 0.01, .weight_decay = 0.1}}}));
}

TEST(Optim, SchedulesInsideThePlan) {
  using namespace optim;
  expect_reference("sgd_cosine", SGD{.learning_rate = schedule::Cosine{.initial = 0.05, .steps = 1000, .final = 0.005},
                                     .momentum = 0.9});
  expect_reference(
      "adamw_warm_up",
      AdamW{.learning_rate =
                schedule::WarmUp{.steps = 50, .then = schedule::Exponential{.initial = 0.01, .factor = 0.999}},
            .weight_decay = 0.1});
  expect_reference("adam_steps", Adam{.learning_rate = schedule::MultiStep{
                                          .initial = 0.02, .milestones = {300, 600, 900}, .factor = 0.5}});
}

TEST(Optim, CompiledStepsAreTheUncompiledBits) {
  for (const std::string& name : optim::names()) {
    const Optimizer optimizer = optim::by_name(name, 0.01);
    const Function f = step_of(optimizer);
    Compiled compiled = compile(f);
    Arrays a = start();
    for (const Array& s : optimizer.init(start())) a.push_back(s);
    Arrays b = a;
    for (std::int64_t t = 0; t < 5; ++t) {
      compiled.step(a, noise(t));
      for (const Array& n : noise(t)) b.push_back(n);
      b = f(b);
      evaluate(b);
    }
    EXPECT_EQ(flat(a), flat(b)) << name;
  }
}

TEST(Optim, MomentsOfBfloat16AreFloat32) {
  const Optimizer optimizer = optim::Adam{};
  const Arrays w = {ones({3}, bfloat16)};
  const auto [next, state] = optimizer.update(w, {ones({3}, bfloat16)}, optimizer.init(w));
  EXPECT_EQ(next[0].dtype(), bfloat16);
  EXPECT_EQ(state[1].dtype(), float32);
}

TEST(Optim, PlainSgdKeepsNothing) {
  EXPECT_TRUE(Optimizer(optim::SGD{.learning_rate = 0.1}).init(start()).empty());
  EXPECT_EQ(Optimizer(optim::SGD{.learning_rate = 0.1, .momentum = 0.9}).init(start()).size(), 2u);
}

TEST(Optim, StateIsNamedAndCounted) {
  const Optimizer optimizer(optim::Adam{}, {.average = 0.9});
  const std::vector<std::string> names = optimizer.state_names({"w", "b"});
  EXPECT_EQ(names, (std::vector<std::string>{"step", "first_moment.w", "first_moment.b", "second_moment.w",
                                             "second_moment.b", "average.w", "average.b"}));
  const auto [w, state] = optimizer.update(start(), noise(0), optimizer.init(start()));
  EXPECT_EQ(state.size(), names.size());
  EXPECT_EQ(optimizer.steps(state), 1);
  EXPECT_EQ(optimizer.learning_rate(state), 1e-3);
}

TEST(Optim, ThePlateausScaleIsState) {
  const Optimizer optimizer = optim::SGD{.learning_rate = schedule::OnPlateau{.initial = 0.5}};
  Arrays state = optimizer.init(start());
  ASSERT_NE(optimizer.plateau(), nullptr);
  optimizer.set_scale(state, 0.25);
  EXPECT_EQ(optimizer.learning_rate(state), 0.125);
  const Arrays next =
      optimizer.update({Array::from(std::vector<double>{1})}, {Array::from(std::vector<double>{1})}, state).parameters;
  EXPECT_EQ(next[0].item<double>(), 0.875);
}

TEST(Optim, TrainingStepIsGradientAndUpdate) {
  const Array x = Array::from(std::vector<double>{1, 2, 3}), y = Array::from(std::vector<double>{2, 4, 6});
  const Function loss = [](const Arrays& a) { return Arrays{mean(square(a[0] * a[1] - a[2]))}; };
  const Optimizer optimizer = optim::SGD{.learning_rate = 0.05};
  Compiled step = compile(optim::training_step(loss, optimizer, 1));
  Arrays all = {Array::from(std::vector<double>{0}, {})};
  for (int i = 0; i < 100; ++i) step.step(all, {x, y});
  EXPECT_NEAR(all[0].item<double>(), 2, 1e-12);
}

TEST(Optim, Globs) {
  using optim::glob;
  EXPECT_TRUE(glob("*.bias", "encoder.0.bias"));
  EXPECT_FALSE(glob("*.bias", "encoder.0.bias2"));
  EXPECT_TRUE(glob("encoder.?.[wb]*", "encoder.0.weight"));
  EXPECT_FALSE(glob("encoder.[!0-3].*", "encoder.2.weight"));
  EXPECT_TRUE(glob("encoder.[!0-3].*", "encoder.4.weight"));
  EXPECT_TRUE(glob("*a*b*c", "xxaxxbxxbxc"));
  EXPECT_FALSE(glob("", "a"));
  EXPECT_TRUE(glob("*", ""));
}

void expect_error(const std::function<void()>& call, const std::string& text) {
  try {
    call();
    ADD_FAILURE() << "nothing was thrown, not: " << text;
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(text), std::string::npos) << error.what() << "\nlacks: " << text;
  }
}

TEST(Optim, RefusesBadNumbers) {
  using namespace optim;
  const auto refuse = [](auto rule, const std::string& text) { expect_error([&] { Optimizer o(rule); }, text); };
  expect_error([] { return SGD{.learning_rate = -0.1}; }, "learning rate = -0.1");
  expect_error([] { return SGD{.learning_rate = NAN}; }, "learning rate = nan");
  refuse(SGD{.momentum = 1}, "SGD: momentum = 1 is outside [0, 1)");
  refuse(SGD{.nesterov = true}, "nesterov = true needs momentum");
  refuse(SGD{.weight_decay = -1}, "weight_decay = -1");
  refuse(Adam{.beta1 = 1.5}, "Adam: beta1 = 1.5 is outside [0, 1)");
  refuse(AdamW{.beta2 = 1}, "AdamW: beta2 = 1");
  refuse(AMSGrad{.epsilon = 0}, "AMSGrad: epsilon = 0");
  refuse(NAdam{.momentum_decay = -1}, "NAdam: momentum_decay = -1");
  refuse(RAdam{.beta2 = -0.1}, "RAdam: beta2 = -0.1");
  refuse(Adamax{.epsilon = -1}, "Adamax: epsilon = -1");
  refuse(RMSprop{.alpha = 1}, "RMSprop: alpha = 1");
  refuse(Adagrad{.initial_accumulator = -1}, "Adagrad: initial_accumulator = -1");
  refuse(Adadelta{.rho = 2}, "Adadelta: rho = 2");
  refuse(Lion{.beta1 = 1}, "Lion: beta1 = 1");
  refuse(LAMB{.weight_decay = INFINITY}, "LAMB: weight_decay = inf");
  const auto refuse_options = [](const Options& options, const std::string& text) {
    expect_error([&] { Optimizer o(Adam{}, options); }, text);
  };
  refuse_options({.accumulate = 0}, "accumulate = 0 is too small");
  refuse_options({.l1 = -1}, "l1 = -1");
  refuse_options({.l2 = -1}, "l2 = -1");
  refuse_options({.clip_value = 0}, "clip_value = 0");
  refuse_options({.clip_norm = -1}, "clip_norm = -1");
  refuse_options({.clip_global_norm = 0}, "clip_global_norm = 0");
  refuse_options({.average = 1}, "average = 1");
  refuse_options({.groups = {{.pattern = "a[b"}}}, "[ without ]");
  refuse_options({.groups = {{.pattern = "a", .weight_decay = -1}}}, "optim::Group 'a': weight_decay = -1");
  expect_error([] { by_name("adm"); }, "there is no optimiser 'adm': choose one of sgd, adam");
  expect_error([] { clip_by_norm({}, 0); }, "clip_by_norm: most = 0");
  expect_error([] { moving_average({Array(1.0)}, {}, 0.5); }, "1 averages of 0 parameters");
}

TEST(Optim, RefusesListsThatDoNotFit) {
  using namespace optim;
  const Optimizer adam = Adam{};
  const Arrays state = adam.init(start());
  expect_error([&] { adam.init({zeros({2}, int32)}); }, "parameter 0 is int32");
  expect_error([&] { adam.update(start(), {}, state); }, "2 parameters, but 0 gradients");
  expect_error([&] { adam.update(start(), noise(0), {}); }, "a state of 0 arrays, not 5");
  expect_error([&] { adam.update(start(), {Array(), Array()}, state); }, "no gradient of parameter 0");
  expect_error([&] { adam.named({"w", "b"}).update(start(), {start()[1], start()[1]}, state); }, "'w' is [3, 4]");
  expect_error([&] { adam.update({zeros({2}, int32)}, {zeros({2})}, adam.init({zeros({2})})); }, "floating type");
  expect_error([&] { adam.named({"w"}).init(start()); }, "2 parameters, but 1 names");
  expect_error([&] { adam.named({"w"}).update(start(), noise(0), state); }, "2 parameters, but 1 names");
  expect_error([&] { adam.steps({}); }, "is not this optimiser's");
  expect_error(
      [&] {
        Arrays s = state;
        adam.set_scale(s, 1);
      },
      "no schedule has a scale");
  const Optimizer grouped(Adam{}, {.groups = {{.pattern = "*.kernel"}}});
  expect_error([&] { grouped.update(start(), noise(0), state); }, "use optimizer.named(names)");
  expect_error([&] { grouped.penalty(start()); }, "use optimizer.named(names)");
  expect_error([&] { grouped.named({"a.weight"}); }, "pattern '*.kernel' matches none of the 1 parameters");
  expect_error([&] { grouped.named({}); }, "no names, but there are groups");
  expect_error([&] { training_step({}, adam, 1, {.arguments = {0}, .unused = {}, .names = {}}); }, "leave it empty");
  expect_error([&] { training_step({}, adam, 1)({}); }, "come first");
}

}  // namespace
}  // namespace pellucid
