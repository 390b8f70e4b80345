// Connectionist temporal classification against PyTorch (reference/make_sequence.py), at its edges, in transforms, and
// called wrongly.
#include <gtest/gtest.h>

#include <cmath>

#include "pellucid/loss_sequence.h"
#include "pellucid/ops.h"
#include "pellucid/random.h"
#include "pellucid/transform.h"
#include "support/message.h"
#include "support/sequence_reference.h"

namespace pellucid::loss {
namespace {

Array integers(const std::vector<std::int64_t>& values, const Shape& shape) { return Array::from(values, shape); }

TEST(CTC, AgreesWithPyTorch) {
  const int cases = reference::check([](const std::string& kind, const reference::Json& options,
                                        const reference::Named& in) {
    reference::Named out;
    if (kind != "CTC") return out;
    const std::string reduction = options["reduction"];
    CTC loss;
    loss.blank = options["blank"].get<std::int64_t>();
    loss.zero_infinity = options["zero_infinity"].get<bool>();
    loss.reduction = reduction == "mean" ? Reduction::kMean : reduction == "sum" ? Reduction::kSum : Reduction::kNone;
    out["y"] = loss.of(in.at("logits"), in.at("targets"), {in.at("input_lengths"), in.at("target_lengths")});
    return out;
  });
  EXPECT_EQ(cases, 5);
}

TEST(CTC, ImpossibleTargetsAreInfinite) {
  const CTC loss{.reduction = Reduction::kNone};
  const Array logits = random::normal(random::key(1), {2, 3, 3});
  const Array target = integers({1, 1, 1, 2}, {2, 2});  // a repeated label needs a blank between: three steps
  const std::vector<float> got = loss.of(logits, target, {.inputs = integers({2, 2}, {2})}).to_vector<float>();
  EXPECT_TRUE(std::isinf(got[0]) && got[0] > 0);
  EXPECT_TRUE(std::isfinite(got[1]));
  const CTC forgiving{.zero_infinity = true, .reduction = Reduction::kSum};
  const Array g = grad([&](const Array& x) {
    return forgiving.of(x, target, {.inputs = integers({2, 2}, {2})});
  })(logits);
  for (float v : index(g, {0}).to_vector<float>()) EXPECT_EQ(v, 0);
  for (float v : g.to_vector<float>()) EXPECT_TRUE(std::isfinite(v));
}

TEST(CTC, EmptyTargetsAndEmptyInputs) {
  const CTC loss{.reduction = Reduction::kNone};
  const Array logits = random::normal(random::key(1), {2, 4, 3}, 0, 1, float64);
  // Without labels all steps say blank.
  const Array blanks = -sum(index(log_softmax(logits), {Slice{}, Slice{}, 0}), 1);
  const std::vector<double> want = blanks.to_vector<double>();
  for (const Array& target : {zeros({2, 0}, int64), ones({2, 2}, int64)}) {
    const std::vector<double> got = loss.of(logits, target, {.targets = zeros({2}, int64)}).to_vector<double>();
    for (std::size_t i = 0; i < 2; ++i) EXPECT_NEAR(got[i], want[i], 1e-12);
  }
  // Without steps: probability 1 of no labels, 0 of any.
  const std::vector<double> none =
      loss.of(logits, ones({2, 1}, int64), {.inputs = zeros({2}, int64), .targets = integers({0, 1}, {2})})
          .to_vector<double>();
  EXPECT_EQ(none[0], 0);
  EXPECT_TRUE(std::isinf(none[1]));
  EXPECT_EQ(loss(zeros({0, 4, 3}), zeros({0, 2}, int64)).shape(), (Shape{0}));
}

TEST(CTC, StaysFiniteOverLongSequencesAndExtremeLogits) {
  const Array logits = random::normal(random::key(1), {1, 400, 5}) * 60;
  const Array target = random::integers(random::key(2), {1, 120}, 1, 5);
  const Array g = grad([&](const Array& x) { return ctc(x, target); })(logits);
  EXPECT_TRUE(std::isfinite(ctc(logits, target).item<float>()));
  for (float v : g.to_vector<float>()) ASSERT_TRUE(std::isfinite(v));
}

TEST(CTC, CompiledAndBatchedGradients) {
  const Array logits = random::normal(random::key(1), {3, 6, 4}, 0, 1, float64);
  const Array target = integers({1, 2, 3, 3, 1, 1}, {3, 2});
  const auto gradient = grad([](const Arrays& in) { return ctc(in[0], in[1]); }, {.arguments = {0}});
  const Arrays whole = gradient(Arrays{logits, target});
  EXPECT_EQ(compile(gradient)({logits, target})[0].to_vector<double>(), whole[0].to_vector<double>());
  // Examples one by one, under vmap: each a batch of its own.
  const Arrays apart = vmap(gradient)(Arrays{expand_dims(logits, 1), expand_dims(target, 1)});
  const std::vector<double> a = (apart[0] / 3.0).to_vector<double>(), b = whole[0].to_vector<double>();
  for (std::size_t i = 0; i < b.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-12);
}

TEST(CTC, WeightsSamples) {
  const Array logits = random::normal(random::key(1), {3, 6, 4}, 0, 1, float64);
  const Array target = integers({1, 2, 3, 3, 1, 1}, {3, 2});
  const Array weights = Array::from(std::vector<double>{1, 0, 3});
  const std::vector<double> each = CTC{.reduction = Reduction::kNone}(logits, target).to_vector<double>();
  EXPECT_NEAR(ctc(logits, target, weights).item<double>(), (each[0] / 2 + 3 * each[2] / 2) / 4, 1e-12);
  EXPECT_EQ(Loss(ctc).name(), "ctc");
}

TEST(CTC, RefusesWhatDoesNotFit) {
  const Array logits = zeros({2, 4, 3});
  const auto says = [&](const Array& prediction, const Array& target, const CTC::Lengths& lengths, const char* what) {
    const std::string message = message_of([&] { ctc.of(prediction, target, lengths); });
    EXPECT_NE(message.find(what), std::string::npos) << message;
  };
  const Array target = ones({2, 2}, int64);
  says(zeros({4, 3}), target, {}, "ctc: the prediction has shape [4, 3]");
  says(zeros({2, 4, 3}, int32), target, {}, "floating");
  says(logits, ones({2}, int64), {}, "integers of shape (2, labels)");
  says(logits, ones({2, 2}), {}, "[2, 2] of float32");
  says(logits, Array(), {}, "undefined");
  says(logits, target, {.inputs = integers({5, 1}, {2})}, "input length 5 of example 0 is out of range, 0 to 4");
  says(logits, target, {.targets = integers({1, -1}, {2})}, "target length -1 of example 1");
  says(logits, target, {.targets = integers({1}, {1})}, "integers of shape [2]");
  says(logits, integers({1, 0, 1, 1}, {2, 2}), {}, "label 0 at (0, 1) is no label");
  says(logits, integers({1, 1, 3, 1}, {2, 2}), {}, "label 3 at (1, 0)");
  EXPECT_NE(message_of([&] { CTC{.blank = 3}(logits, target); }).find("the blank 3 is none of 3 classes"),
            std::string::npos);
}

}  // namespace
}  // namespace pellucid::loss
