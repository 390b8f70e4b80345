// What vjp, vmap, scan and custom refuse, and what they say of it.
#include <gtest/gtest.h>

#include "pellucid/pellucid.h"
#include "support/message.h"

namespace pellucid {
namespace {

Array matrix() { return zeros({2, 3}); }

template <class F>
void says(F f, const std::string& text) {
  EXPECT_PRED2(contains, message_of(f), text);
}

TEST(TransformErrors, CotangentsThatAreNotThoseOfTheOutputs) {
  const auto pull = transform::vjp([](const Arrays& x) { return Arrays{x[0] * 2, x[0] + 1}; }, {matrix()}).pullback;
  says([&] { pull({matrix()}); }, "vjp: 1 cotangents for 2 outputs; give one for each");
  says([&] { pull({matrix(), zeros({3})}); }, "vjp: cotangent 1 has shape [3]; the output's is [2, 3]");
}

TEST(TransformErrors, BatchesThatAreNone) {
  const Function twice = [](const Arrays& x) { return Arrays{x[0] * 2}; };
  says([&] { transform::vmap(twice, {matrix()}, {std::nullopt}, 0); }, "vmap: no argument has a batch axis");
  says([&] { transform::vmap(twice, {matrix()}, {0, 1}, 0); }, "vmap: 2 axes for 1 arguments; give one for each");
  says(
      [&] {
        transform::vmap(twice, {matrix(), matrix()}, {0, 1}, 0);
      },
      "vmap: argument 1 has 3 examples along axis 1, but an earlier one has 2");
}

TEST(TransformErrors, GradientsOfWhatHasNone) {
  const Function total = [](const Arrays& x) { return Arrays{sum(x[0])}; };
  const auto gradient = [](const Function& f, const Arrays& x, std::vector<int> arguments) {
    GradOptions options;
    options.arguments = std::move(arguments);
    return [=] { transform::value_and_grad(f, x, options); };
  };
  says(gradient(total, {matrix()}, {1}), "grad: argument 1 is named, but the function was given 1");
  says(gradient(total, {zeros({2}, int32)}, {0}), "is int32; only floating types have derivatives");
  const Function nothing = [](const Arrays&) { return Arrays{}; };
  says(gradient(nothing, {matrix()}, {0}), "grad: the function returned nothing; it must return a scalar");
  const Function same = [](const Arrays& x) { return x; };
  says(gradient(same, {matrix()}, {0}),
       "grad: the function returned float32 of shape [2, 3]; it must return a floating scalar, such as a mean or sum");
}

TEST(TransformErrors, LoopsWhoseBodyDoesNotFit) {
  const auto same = [](const Arrays& carry, const Arrays&) { return ScanStep{carry, {}}; };
  says([&] { scan(same, {matrix()}, {Array(1)}); },
       "scan: an operand to run along is a scalar; it needs a leading axis");
  says(
      [&] {
        scan(same, {matrix()}, {matrix(), zeros({5})});
      },
      "scan: operands have 2 and 5 positions along the leading axis");
  says([&] { scan(same, {matrix()}, {}); }, "scan: without operands to run along, the length must be given");
  const auto none = [](const Arrays&, const Arrays&) { return ScanStep{}; };
  says([&] { scan(none, {matrix()}, {}, 3); }, "scan: the body returned 0 carries for 1");
  const auto grows = [](const Arrays& carry, const Arrays&) { return ScanStep{{concat({carry[0], carry[0]})}, {}}; };
  says([&] { scan(grows, {matrix()}, {}, 3); },
       "scan: carry 0 is float32[2, 3] before a step and float32[4, 3] after it; it must keep its shape and type");
}

TEST(TransformErrors, RulesThatDoNotFit) {
  const auto twice = [](const Arrays& x) { return Arrays{x[0] * 2}; };
  says([&] { custom(twice, {}); },
       "custom: a vjp is needed: (inputs, outputs, cotangents) -> cotangents of the inputs");
  const auto none =
      custom(twice, {.vjp = [](const Arrays&, const Arrays&, const Arrays&) { return Arrays{}; }, .batch = {}});
  const auto total = [&](const Array& x) { return sum(none({x})[0]); };
  says([&] { grad(total)(matrix()); },
       "custom: the vjp returned 0 cotangents for 1 inputs; return one for each, undefined for none");
  says([&] { jvp([&](const Arrays& x) { return none(x); }, {matrix()}, {matrix()}); },
       "custom: forward mode is not defined for a function with a vjp of its own; use grad or vjp");
}

TEST(TransformErrors, OperandsThatAreNoArray) {
  says([] { exp(Array()); }, "exp: the operand is an undefined Array (default-constructed or moved from)");
  says([] { sum(Array()); }, "sum: the operand is an undefined Array (default-constructed or moved from)");
  says([] { linear(matrix(), zeros({4, 2})); }, "linear: x [2, 3] and w [4, 2]: x must be (..., k) and w (k, n)");
  says([] { linear(matrix(), zeros({3, 2}), zeros({5})); }, "linear: b [5] for w [3, 2]: b must be (2)");
  says([] { tensordot(matrix(), matrix(), 1); },
       "tensordot: axis 1 of [2, 3] and axis 0 of [2, 3] are summed together but have sizes 3 and 2");
  says([] { augment::random_flip(random::key(0), Array()); }, "x is an undefined Array");
}

}  // namespace
}  // namespace pellucid
