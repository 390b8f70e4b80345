// bfloat16 precision: what is rounded, that derivatives keep it, that training learns as in float32, and the same bits
// for any number of threads.
#include <gtest/gtest.h>

#include <cmath>

#include "kernels/cpu/contract_bf16.h"
#include "pellucid/nn.h"
#include "pellucid/nn_convolution.h"
#include "pellucid/ops.h"
#include "pellucid/ops_attention.h"
#include "pellucid/precision.h"
#include "pellucid/random.h"
#include "pellucid/threads.h"
#include "pellucid/train.h"
#include "pellucid/transform.h"
#include "support/amx_trap.h"
#include "support/environment.h"
#include "support/message.h"

namespace pellucid {
namespace {

Array draw(std::uint64_t seed, const Shape& shape) { return random::normal(random::key(seed), shape).evaluate(); }
Array narrow(const Array& x) { return astype(astype(x, bfloat16), float32); }
bool same(const Array& a, const Array& b) {
  return a.shape() == b.shape() && a.dtype() == b.dtype() && all(equal(a, b)).item<bool>();
}

TEST(Precision, RoundsOperandsAndSumsInFloat32) {
  const Array a = draw(1, {7, 33}), b = draw(2, {33, 5});
  const Array wide = matmul(a, b);
  const PrecisionScope scope(Precision::kBFloat16);
  const Array y = matmul(a, b);
  EXPECT_EQ(y.dtype(), float32);
  EXPECT_FALSE(same(y, wide));
  const PrecisionScope inner(Precision::kFloat32);
  EXPECT_TRUE(same(y, matmul(narrow(a), narrow(b))));
  EXPECT_TRUE(same(wide, matmul(a, b)));
}

TEST(Precision, LeavesOtherTypesAlone) {
  const Array a = draw(1, {3, 4}), b = draw(2, {4, 5});
  const Array a64 = astype(a, float64), b64 = astype(b, float64);
  const Array wide = matmul(a64, b64), half = matmul(astype(a, bfloat16), astype(b, bfloat16));
  const PrecisionScope scope(Precision::kBFloat16);
  EXPECT_TRUE(same(matmul(a64, b64), wide));
  EXPECT_TRUE(same(matmul(astype(a, bfloat16), astype(b, bfloat16)), half));
}

TEST(Precision, RoundsBeforeViewsAndOnce) {
  const Array a = draw(1, {4, 6}), b = draw(2, {6, 4});
  const PrecisionScope scope(Precision::kBFloat16);
  auto f = compile([](const Array& x, const Array& y) { return matmul(transpose(y), transpose(x)) + matmul(x, y); });
  const Array got = f(Arrays{a, b})[0];
  const std::string plan = f.explain_plan();
  const PrecisionScope wide(Precision::kFloat32);
  const Array x = narrow(a), y = narrow(b);
  EXPECT_TRUE(same(got, matmul(transpose(y), transpose(x)) + matmul(x, y)));
  EXPECT_EQ(plan.find("copy"), std::string::npos) << plan;
}

TEST(Precision, DerivativesKeepIt) {
  const Array a = draw(1, {7, 33}), b = draw(2, {33, 5}), g = draw(3, {7, 5});
  const auto f = with_precision(Precision::kBFloat16, [](const Arrays& x) { return Arrays{matmul(x[0], x[1])}; });
  const Vjp pulled = vjp(f, {a, b});  // outside of the scope
  const Arrays by = pulled.pullback({g});
  EXPECT_TRUE(same(by[0], matmul(narrow(g), transpose(narrow(b)))));
  EXPECT_TRUE(same(by[1], matmul(transpose(narrow(a)), narrow(g))));
  const Array t = draw(4, {7, 33});
  const Jvp pushed = jvp(f, {a, b}, {t, Array()});
  EXPECT_TRUE(same(pushed.tangents[0], matmul(narrow(t), narrow(b))));
  // A part in float32 stays so when the whole is differentiated inside a scope.
  const PrecisionScope scope(Precision::kBFloat16);
  const auto wide = with_precision(Precision::kFloat32, [](const Arrays& x) { return Arrays{matmul(x[0], x[1])}; });
  const Arrays exact = vjp(wide, {a, b}).pullback({g});
  const PrecisionScope outside(Precision::kFloat32);
  EXPECT_TRUE(same(exact[0], matmul(g, transpose(b))));
}

TEST(Precision, HoldsInBatchesLoopsAndRecomputation) {
  const Array a = draw(1, {3, 4, 6}), w = draw(2, {6, 6});
  const auto product = with_precision(Precision::kBFloat16, [&](const Array& x) { return matmul(x, w); });
  EXPECT_TRUE(same(vmap(product)(a), matmul(narrow(a), narrow(w))));
  EXPECT_TRUE(same(checkpoint(product)(a), matmul(narrow(a), narrow(w))));
  const auto body = [&](const Arrays& carry, const Arrays&) -> ScanStep { return {{product(carry[0])}, {}}; };
  const Array h = draw(3, {4, 6});
  const Array twice = scan(body, {h}, {}, 2).carry[0];
  EXPECT_TRUE(same(twice, matmul(narrow(matmul(narrow(h), narrow(w))), narrow(w))));
}

/// |got - x w| within (k + 1) roundings of the sum of magnitudes, x and w rounded.
void expect_product(const Array& got, const Array& x, const Array& w) {
  const PrecisionScope scope(Precision::kFloat32);
  const Array a = astype(narrow(x), float64), b = astype(narrow(w), float64);
  const Array bound = (static_cast<double>(x.size(-1)) + 1) * 0x1p-24 * matmul(abs(a), abs(b)) + 1e-30;
  EXPECT_TRUE(all(abs(astype(got, float64) - matmul(a, b)) <= bound).item<bool>());
}

/// f of two operands and its derivatives give the same bits compiled as `pulled` and `by`, which are not; the plan.
template <class F>
std::string expect_compiled(const F& f, const Arrays& operands, const Vjp& pulled, const Arrays& by) {
  auto compiled = compile([&](const Array& a, const Array& b, const Array& c) {
    const Vjp again = vjp(f, {a, b});
    const Arrays gradients = again.pullback({c});
    return Arrays{again.outputs[0], gradients[0], gradients[1]};
  });
  const Arrays got = compiled(operands);
  EXPECT_TRUE(same(got[0], pulled.outputs[0]));
  EXPECT_TRUE(same(got[1], by[0]));
  EXPECT_TRUE(same(got[2], by[1]));
  return compiled.explain_plan();
}

/// Products that are large enough for the kernels of processors with bfloat16 instructions.
void check_large_products() {
  const Array x = draw(1, {70, 3, 129}), w = draw(2, {129, 50}), g = draw(3, {70, 3, 50});
  const auto f = with_precision(Precision::kBFloat16, [](const Arrays& in) { return Arrays{matmul(in[0], in[1])}; });
  const Vjp pulled = vjp(f, {x, w});
  const Arrays by = pulled.pullback({g});
  const Array rows = reshape(x, {210, 129}), row_cotangents = reshape(g, {210, 50});
  expect_product(reshape(pulled.outputs[0], {210, 50}), rows, w);
  expect_product(reshape(by[0], {210, 129}), row_cotangents, transpose(w));
  expect_product(by[1], transpose(rows), row_cotangents);
  expect_compiled(f, {x, w, g}, pulled, by);
}

void check_one_tap() {
  const Array x = draw(1, {2, 6, 7, 20}), w = draw(2, {1, 1, 20, 24});
  const Array y = with_precision(Precision::kBFloat16, [&](const Array& in) { return convolve(in, w); })(x);
  expect_product(reshape(y, {84, 24}), reshape(x, {84, 20}), reshape(w, {20, 24}));
}

TEST(Precision, LargeProductsStayWithinTheirBoundAndCompiledIsUncompiled) {
  check_large_products();
  check_one_tap();
}

TEST(Precision, InstructionsThatRoundWhilePackingTakeWhatWasToBeRounded) {
  if (!kernels::has_bf16_amx() && !trap_amx()) GTEST_SKIP() << "AMX can neither be run nor trapped here";
  const kernels::Bf16Way before = kernels::take_bf16_way(kernels::Bf16Way::kAmx);
  check_large_products();
  check_one_tap();
  auto f = compile([](const Array& x, const Array& w) {
    const PrecisionScope scope(Precision::kBFloat16);
    return matmul(transpose(x), w);
  });
  f(Arrays{draw(1, {40, 70}), draw(2, {40, 33})});
  const std::string plan = f.explain_plan();
  EXPECT_EQ(plan.find("round_bfloat16"), std::string::npos) << plan;
  EXPECT_NE(plan.find(", bfloat16"), std::string::npos) << plan;
  kernels::take_bf16_way(before);
}

TEST(Precision, ConvolutionsThatRoundThemselvesTakeWhatWasToBeRounded) {
  if (kernels::bf16_way() != kernels::Bf16Way::kDot) GTEST_SKIP() << "no dot products of pairs here";
  const Array x = draw(1, {2, 8, 8, 64}), w = draw(2, {3, 3, 64, 64}), g = draw(3, {2, 6, 6, 64});
  const auto f = with_precision(Precision::kBFloat16, [](const Arrays& in) { return Arrays{convolve(in[0], in[1])}; });
  const Vjp pulled = vjp(f, {x, w});
  const Arrays by = pulled.pullback({g});
  const std::string plan = expect_compiled(f, {x, w, g}, pulled, by);
  EXPECT_EQ(plan.find("round_bfloat16"), std::string::npos) << plan;
}

TEST(Precision, WhatOnlyContractionsReadIsStoredInBfloat16WithTheSameBits) {
  const Array x = draw(1, {300, 260}), u = draw(2, {260, 250}), w = draw(3, {250, 40});
  const auto step = [](const Arrays& in) {
    const PrecisionScope scope(Precision::kBFloat16);
    const Vjp pulled = vjp(
        [](const Arrays& at) {
          const Array hidden = reshape(gelu_tanh(matmul(at[0], at[1])), {3, 100, 250});
          return Arrays{matmul(hidden, at[2])};
        },
        in);
    const Arrays gradients = pulled.pullback({pulled.outputs[0]});
    return Arrays{pulled.outputs[0], gradients[0], gradients[1], gradients[2]};
  };
  auto narrowed = compile(step), wide = compile(step);
  const Arrays got = narrowed(Arrays{x, u, w});
  const Environment off("PELLUCID_DISABLE", "store_narrow");
  const Arrays expected = wide(Arrays{x, u, w});
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_TRUE(same(got[i], expected[i])) << i;
  if (kernels::bf16_way() == kernels::Bf16Way::kNone) return;
  // gelu and what flows into it.
  const std::string plan = narrowed.explain_plan();
  EXPECT_NE(plan.find("gelu_tanh, astype"), std::string::npos) << plan;
  EXPECT_NE(plan.find("multiply, astype"), std::string::npos) << plan;
  EXPECT_EQ(wide.explain_plan().find("astype"), std::string::npos) << wide.explain_plan();
}

TEST(Precision, ConvolutionsRoundTheirOperands) {
  const Array x = draw(1, {2, 6, 6, 3}), w = draw(2, {3, 3, 3, 4}), g = draw(3, {2, 4, 4, 4});
  const auto f = [](const Arrays& in) { return Arrays{convolve(in[0], in[1])}; };
  const Vjp narrowed = vjp(with_precision(Precision::kBFloat16, f), {x, w});
  const Vjp reference = vjp(f, {narrow(x), narrow(w)});
  EXPECT_TRUE(same(narrowed.outputs[0], reference.outputs[0]));
  const Arrays got = narrowed.pullback({g}), expected = reference.pullback({narrow(g)});
  for (std::size_t i = 0; i < 2; ++i) EXPECT_TRUE(same(got[i], expected[i])) << i;
}

TEST(Precision, AttentionRoundsQueriesKeysAndValues) {
  const Array q = draw(1, {2, 5, 2, 8}), k = draw(2, {2, 5, 2, 8}), v = draw(3, {2, 5, 2, 8}),
              g = draw(4, {2, 5, 2, 8});
  const auto f = [](const Arrays& in) {
    return Arrays{scaled_dot_product_attention(in[0], in[1], in[2], {.causal = true})};
  };
  const Vjp narrowed = vjp(with_precision(Precision::kBFloat16, f), {q, k, v});
  const Vjp reference = vjp(f, {narrow(q), narrow(k), narrow(v)});
  EXPECT_TRUE(same(narrowed.outputs[0], reference.outputs[0]));
  const Arrays got = narrowed.pullback({g}), expected = reference.pullback({narrow(g)});
  for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(same(got[i], expected[i])) << i;
}

TEST(Precision, AttentionThatRoundsItselfTakesWhatWasToBeRounded) {
  if (kernels::bf16_way() != kernels::Bf16Way::kDot) GTEST_SKIP() << "no dot products of pairs here";
  const Array x = draw(1, {2, 20, 3, 2, 16}), g = draw(2, {2, 20, 2, 16});
  const auto step = [](const Arrays& in) {
    const PrecisionScope scope(Precision::kBFloat16);
    const Vjp pulled = vjp(
        [](const Arrays& at) {
          const auto part = [&](std::int64_t i) { return index(permute(at[0], {2, 0, 1, 3, 4}), {i}); };
          return Arrays{scaled_dot_product_attention(part(0), part(1), part(2), {.causal = true})};
        },
        {in[0]});
    return Arrays{pulled.outputs[0], pulled.pullback({in[1]})[0]};
  };
  auto narrowed = compile(step), wide = compile(step);
  const Arrays got = narrowed(Arrays{x, g});
  EXPECT_EQ(narrowed.explain_plan().find("round_bfloat16"), std::string::npos) << narrowed.explain_plan();
  const Environment off("PELLUCID_DISABLE", "narrow");
  const Arrays expected = wide(Arrays{x, g});
  EXPECT_NE(wide.explain_plan().find("round_bfloat16"), std::string::npos) << wide.explain_plan();
  for (std::size_t i = 0; i < 2; ++i) EXPECT_TRUE(same(got[i], expected[i])) << i;
}

TEST(Precision, CompileTracesAnewForIt) {
  auto f = compile([](const Array& x, const Array& y) { return matmul(x, y); });
  const Array a = draw(1, {3, 4}), b = draw(2, {4, 5});
  const Array wide = f(Arrays{a, b})[0];
  {
    const PrecisionScope scope(Precision::kBFloat16);
    EXPECT_TRUE(same(f(Arrays{a, b})[0], with_precision(Precision::kFloat32, [](const Array& x, const Array& y) {
                       return matmul(x, y);
                     })(narrow(a), narrow(b))));
  }
  EXPECT_TRUE(same(f(Arrays{a, b})[0], wide));
  EXPECT_EQ(f.signatures(), 2U);
}

TEST(Precision, HasNames) {
  EXPECT_EQ(name_of(precision_by_name("bfloat16")), "bfloat16");
  EXPECT_EQ(precision_by_name("float32"), Precision::kFloat32);
  EXPECT_EQ(message_of([] { precision_by_name("float8"); }),
            "precision: there is no 'float8'; it is float32 or bfloat16");
}

// ---- Training -------------------------------------------------------------------------------------------------------

/// A labelled cloud in four parts, as pictures of 4 x 4.
Dataset cloud() {
  const Array x = draw(11, {256, 16});
  const Array y = astype(slice(x, 1, 0, 1) > 0, int64) + 2 * astype(slice(x, 1, 1, 2) * slice(x, 1, 2, 3) > 0, int64);
  return {x, reshape(y, {256}).evaluate()};
}

FitResult train(nn::Ref module, Precision precision) {
  nn::initialize(module, random::key(5));
  return fit(module, cloud(),
             {.loss = loss::cross_entropy,
              .optimizer = optim::Adam{.learning_rate = 0.01},
              .precision = precision,
              .max_epochs = 40,
              .batch_size = 32});
}

TEST(Precision, TrainingLearnsAsInFloat32) {
  nn::Sequential dense{nn::Linear(16, 64), nn::ReLU(), nn::Linear(64, 4)};
  const double wide = train(dense, Precision::kFloat32).loss;
  const double narrow_loss = train(dense, Precision::kBFloat16).loss;
  for (const Array& p : nn::parameters(dense)) EXPECT_EQ(p.dtype(), float32);
  EXPECT_LT(wide, 0.25);
  EXPECT_NE(narrow_loss, wide);
  EXPECT_NEAR(narrow_loss, wide, 0.1 * wide + 0.01);
}

TEST(Precision, TheSameBitsForAnyNumberOfThreads) {
  const int before = threads();
  std::vector<Arrays> results;
  for (const int count : {1, 2, 3, 7}) {
    set_threads(count);
    nn::Sequential net{[](const Array& x) {
                         return reshape(x, {x.size(0), 4, 4, 1});
                       },
                       nn::Conv2d(1, 8, 3, {.padding = 1}), nn::ReLU(), nn::Flatten(), nn::Linear(128, 4)};
    train(net, Precision::kBFloat16);
    results.push_back(nn::parameters(net));
  }
  set_threads(before);
  for (std::size_t i = 1; i < results.size(); ++i) {
    for (std::size_t p = 0; p < results[0].size(); ++p) EXPECT_TRUE(same(results[i][p], results[0][p])) << i << p;
  }
}

}  // namespace
}  // namespace pellucid
