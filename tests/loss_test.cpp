// Losses against PyTorch (reference/make_losses.py): values, gradients and Hessian products in float64. Then what
// PyTorch does not tell: extreme values, weights, errors.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "pellucid/loss.h"
#include "pellucid/ops.h"
#include "pellucid/transform.h"
#include "support/message.h"

namespace pellucid::loss {
namespace {

using Json = nlohmann::json;

Array read(const Json& json) {
  const auto shape = json["shape"].get<Shape>();
  if (json["dtype"] == "int64") return Array::from(json["data"].get<std::vector<std::int64_t>>(), shape);
  return Array::from(json["data"].get<std::vector<double>>(), shape);
}

/// (inputs, weights) -> loss, with the settings of the case.
using Call = std::function<Array(const Arrays& x, const Array& weights)>;

template <class L>
Call call_of(L loss) {
  return [loss](const Arrays& x, const Array& weights) {
    if constexpr (std::is_same_v<L, CosineEmbedding> || std::is_same_v<L, Triplet>)
      return loss(x[0], x[1], x[2], weights);
    else
      return loss(x[0], x[1], weights);
  };
}

Array list(const Json& options, const char* name) {
  return options.contains(name) ? Array::from(options[name].get<std::vector<double>>()) : Array();
}

std::optional<std::int64_t> ignored(const Json& options) {
  if (!options.contains("ignored_index")) return {};
  return options["ignored_index"].get<std::int64_t>();
}

Call make(const std::string& name, const Json& options, Reduction r) {
  const auto real = [&](const char* key) { return options[key].get<double>(); };
  const auto flag = [&](const char* key) { return options[key].get<bool>(); };
  if (name == "mean_squared_error") return call_of(MeanSquaredError{r});
  if (name == "mean_absolute_error") return call_of(MeanAbsoluteError{r});
  if (name == "huber") return call_of(Huber{real("delta"), r});
  if (name == "log_cosh") return call_of(LogCosh{r});
  if (name == "quantile") return call_of(Quantile{real("quantile"), r});
  if (name == "poisson_negative_log_likelihood") return call_of(PoissonNegativeLogLikelihood{flag("full"), r});
  if (name == "gaussian_negative_log_likelihood") return call_of(GaussianNegativeLogLikelihood{flag("full"), 1e-6, r});
  if (name == "gaussian_of") {
    const GaussianNegativeLogLikelihood loss{flag("full"), 1e-6, r};
    return [loss](const Arrays& x, const Array& weights) { return loss.of(x[0], x[1], x[2], weights); };
  }
  if (name == "cross_entropy") {
    return call_of(
        CrossEntropy{list(options, "class_weights"), options.value("label_smoothing", 0.0), ignored(options), r});
  }
  if (name == "negative_log_likelihood") {
    return call_of(NegativeLogLikelihood{list(options, "class_weights"), ignored(options), r});
  }
  if (name == "binary_cross_entropy") return call_of(BinaryCrossEntropy{r});
  if (name == "binary_cross_entropy_with_logits") {
    return call_of(BinaryCrossEntropyWithLogits{list(options, "positive_weight"), r});
  }
  if (name == "kl_divergence") return call_of(KLDivergence{flag("from_logits"), r});
  if (name == "hinge") return call_of(Hinge{real("margin"), r});
  if (name == "squared_hinge") return call_of(SquaredHinge{real("margin"), r});
  if (name == "focal") {
    Focal loss{.gamma = real("gamma"), .reduction = r};
    if (options.contains("alpha")) loss.alpha = real("alpha");
    return call_of(loss);
  }
  if (name == "cosine") return call_of(Cosine{r});
  if (name == "cosine_embedding") return call_of(CosineEmbedding{real("margin"), r});
  if (name == "triplet") return call_of(Triplet{real("margin"), r});
  ADD_FAILURE() << "no loss " << name;
  return {};
}

/// Relative to the largest element, since single elements may be differences of large ones.
void expect_near(const Array& actual, const Json& expected, double tolerance, const char* what) {
  const auto want = expected["data"].get<std::vector<double>>();
  ASSERT_EQ(actual.shape(), expected["shape"].get<Shape>()) << what;
  EXPECT_EQ(actual.dtype(), float64) << what;
  const std::vector<double> got = actual.to_vector<double>();
  double scale = 1e-3;
  for (double value : want) scale = std::max(scale, std::abs(value));
  for (std::size_t i = 0; i < want.size(); ++i) EXPECT_NEAR(got[i], want[i], tolerance * scale) << what << " at " << i;
}

TEST(Loss, AgreesWithPyTorch) {
  std::ifstream file(PELLUCID_SOURCE_DIR "/tests/reference/losses.json");
  const Json cases = Json::parse(file);
  ASSERT_GT(cases.size(), 200u);
  for (const Json& c : cases) {
    const std::string name = c["loss"], reduction = c["reduction"];
    SCOPED_TRACE(name + " " + c["options"].dump() + " " + reduction + (c["weights"].is_null() ? "" : " weighted"));
    const Reduction r = reduction == "mean"  ? Reduction::kMean
                        : reduction == "sum" ? Reduction::kSum
                                             : Reduction::kNone;
    const Call loss = make(name, c["options"], r);
    Arrays inputs, at, directions;
    for (const Json& input : c["inputs"]) inputs.push_back(read(input));
    for (const Json& direction : c["directions"]) directions.push_back(read(direction));
    const auto wrt = c["wrt"].get<std::vector<std::size_t>>();
    for (auto i : wrt) at.push_back(inputs[i]);
    const Array weights = c["weights"].is_null() ? Array() : read(c["weights"]);
    const Array cotangent = read(c["cotangent"]);
    expect_near(loss(inputs, weights), c["value"], 1e-12, "value");
    const Function total = [&](const Arrays& x) {
      Arrays all = inputs;
      for (std::size_t i = 0; i < wrt.size(); ++i) all[wrt[i]] = x[i];
      return Arrays{sum(loss(all, weights) * cotangent)};
    };
    const Arrays gradients = transform::value_and_grad(total, at, {.allow_unused = true}).gradients;
    const Arrays products = hessian_product(total, at, directions);
    for (std::size_t i = 0; i < wrt.size(); ++i) {
      expect_near(gradients[i], c["gradients"][i], 1e-10, "gradient");
      expect_near(products[i], c["products"][i], 1e-10, "product");
    }
    if (HasFailure()) return;
  }
}

TEST(Loss, IsTheSameCompiled) {
  const Array x = {{1, -2, 0.5}, {0, 3, -1}}, labels = Array::from(std::vector<std::int64_t>{2, 0});
  const CrossEntropy loss{.class_weights = {1, 2, 0.5}, .label_smoothing = 0.1};
  const auto f = [&](const Array& z, const Array& t) { return loss(z, t); };
  EXPECT_EQ(compile(f)({x, labels})[0].item<float>(), loss(x, labels).item<float>());
}

// ---- Extreme values -------------------------------------------------------------------------------------------------

TEST(Loss, StaysFiniteAndExactForLargeLogits) {
  const Array z = {{1000, -1000}, {-1000, 1000}}, t = {{1, 0}, {1, 0}};
  const auto bce = BinaryCrossEntropyWithLogits{.reduction = Reduction::kNone}(z, t).to_vector<float>();
  EXPECT_EQ(bce, (std::vector<float>{0, 0, 1000, 1000}));
  const Array labels = Array::from(std::vector<std::int64_t>{0, 0});
  const auto entropy = CrossEntropy{.reduction = Reduction::kNone}(z, labels).to_vector<float>();
  EXPECT_EQ(entropy, (std::vector<float>{0, 2000}));
  const auto gradient = grad([&](const Array& x) { return focal(x, t); })(z).to_vector<float>();
  for (float g : gradient) EXPECT_TRUE(std::isfinite(g));
}

TEST(Loss, KeepsTheDigitsOfSmallLosses) {
  const Array z = Array::from(std::vector<double>{30}, {1}), one = ones({1}, float64);
  EXPECT_NEAR(binary_cross_entropy_with_logits(z, one).item<double>() / std::log1p(std::exp(-30.0)), 1, 1e-14);
  const Array d = Array::from(std::vector<double>{1e-9}, {1});
  EXPECT_NEAR(log_cosh(d, zeros({1}, float64)).item<double>() / 0.5e-18, 1, 1e-14);
}

TEST(Loss, LogCoshDoesNotOverflow) { EXPECT_FLOAT_EQ(log_cosh(Array{1e30, 0}, Array{0, 0}).item<float>(), 5e29F); }

TEST(Loss, LogCoshIsCurvedAtZero) {
  const auto f = [](const Array& x) { return log_cosh(x, zeros({1}, float64)); };
  EXPECT_NEAR(hessian_product(f, zeros({1}, float64), ones({1}, float64)).item<double>(), 1, 1e-15);
}

TEST(Loss, MaskedLogitsTakeNoPart) {
  const double infinity = std::numeric_limits<double>::infinity();
  const Array z = {{1, -infinity, 2}}, label = Array::from(std::vector<std::int64_t>{2});
  EXPECT_FLOAT_EQ(cross_entropy(z, label).item<float>(), static_cast<float>(std::log1p(std::exp(-1.0))));
  const auto gradient = grad([&](const Array& x) { return cross_entropy(x, label); })(z).to_vector<float>();
  EXPECT_EQ(gradient[1], 0);
  EXPECT_FLOAT_EQ(gradient[0], -gradient[2]);
}

TEST(Loss, ProbabilitiesOfZeroAndOneAreFinite) {
  const Array p = {0, 1, 0, 1}, t = {0, 1, 1, 0};
  const auto losses = BinaryCrossEntropy{.reduction = Reduction::kNone}(p, t).to_vector<float>();
  EXPECT_LT(losses[0], 1e-7);
  EXPECT_LT(losses[1], 1e-7);
  EXPECT_NEAR(losses[2], 87.34, 0.01);
  EXPECT_NEAR(losses[3], 16.64, 0.01);
  for (float g : grad([&](const Array& x) { return binary_cross_entropy(x, t); })(p).to_vector<float>()) {
    EXPECT_TRUE(std::isfinite(g));
  }
}

TEST(Loss, VectorsOfZerosAreAtARightAngle) {
  const Array zero = {{0, 0}}, x = {{3, 4}};
  EXPECT_EQ(cosine(zero, x).item<float>(), 1);
  for (float g : grad([&](const Array& y) { return cosine(y, x); })(zero).to_vector<float>())
    EXPECT_TRUE(std::isfinite(g));
  const auto triplet_gradient = grad([&](const Array& y) { return triplet(y, x, x); })(x).to_vector<float>();
  EXPECT_EQ(triplet_gradient, (std::vector<float>{0, 0}));
}

// ---- Weights --------------------------------------------------------------------------------------------------------

TEST(Loss, MeanDividesByTheSumOfWeights) {
  const Array y = {{1, 2}, {3, 4}}, t = {{0, 0}, {0, 0}};
  EXPECT_FLOAT_EQ(mean_squared_error(y, t, {1, 3}).item<float>(), (1 + 4 + 3 * (9 + 16)) / 8.0F);
  EXPECT_FLOAT_EQ(mean_squared_error(y, t, {{1, 0}, {0, 1}}).item<float>(), (1 + 16) / 2.0F);
  EXPECT_FLOAT_EQ((MeanSquaredError{Reduction::kSum}(y, t, {1, 3}).item<float>()), 80);
}

TEST(Loss, IsZeroWhereNothingCounts) {
  const Array y = {1, 2}, t = {0, 0};
  EXPECT_EQ(mean_squared_error(y, t, {0, 0}).item<float>(), 0);
  const Array z = {{1, 2}, {2, 1}}, none = Array::from(std::vector<std::int64_t>{-1, -1});
  EXPECT_EQ(CrossEntropy{.ignored_index = -1}(z, none).item<float>(), 0);
}

TEST(Loss, TakesIntegersAndKeepsThePredictionsType) {
  const Array t = Array::from(std::vector<std::int64_t>{1, 2});
  EXPECT_EQ(mean_squared_error(Array{1, 4}, t).item<float>(), 2);
  EXPECT_EQ(mean_squared_error(Array{1, 4}, ones({2}, float64)).dtype(), float32);
}

// ---- As a value -----------------------------------------------------------------------------------------------------

TEST(LossValue, HoldsAnyLoss) {
  const Loss squared = mean_squared_error;
  EXPECT_EQ(squared.name(), "mean_squared_error");
  EXPECT_EQ(squared(Array{1, 3}, Array{0, 0}).item<float>(), 5);
  EXPECT_EQ(squared(Array{1, 3}, Array{0, 0}, Array{1, 0}).item<float>(), 1);
  const Loss own = [](const Array& y, const Array& t) { return sum(y - t); };
  EXPECT_EQ(own.name(), "loss");
  EXPECT_EQ(own(Array{1, 3}, Array{0, 0}).item<float>(), 4);
  EXPECT_FALSE(Loss().defined());
  EXPECT_EQ(by_name("huber").name(), "huber");
}

// ---- Errors ---------------------------------------------------------------------------------------------------------

TEST(LossError, ShapesNeverBroadcast) {
  const Array column = zeros({4, 1}), row = zeros({4});
  EXPECT_EQ(message_of([&] { mean_squared_error(column, row); }),
            "mean_squared_error: prediction [4, 1] and target [4] differ in shape; reshape one of them");
  EXPECT_PRED2(contains, message_of([&] { cosine(column, row); }), "differ in shape");
}

TEST(LossError, PredictionsAreFloatingAndDefined) {
  const Array whole = zeros({2}, int64), x = zeros({2});
  EXPECT_PRED2(contains, message_of([&] { huber(whole, x); }), "has type int64");
  EXPECT_PRED2(contains, message_of([&] { huber(Array(), x); }), "prediction is an undefined Array");
  EXPECT_PRED2(contains, message_of([&] { huber(x, Array()); }), "target is an undefined Array");
  EXPECT_PRED2(contains, message_of([&] { cross_entropy(zeros({2, 2}), Array()); }), "target is an undefined Array");
  EXPECT_PRED2(contains, message_of([&] { gaussian_negative_log_likelihood(x, Array()); }),
               "target is an undefined Array");
}

TEST(LossError, SettingsHaveRanges) {
  const Array x = zeros({2}), z = zeros({2, 2}), t = zeros({2}, int64);
  EXPECT_PRED2(contains, message_of([&] { Huber{.delta = 0}(x, x); }), "delta 0 must be positive");
  EXPECT_PRED2(contains, message_of([&] { Quantile{.quantile = 1}(x, x); }), "quantile 1 must be between");
  EXPECT_PRED2(contains, message_of([&] { CrossEntropy{.label_smoothing = 1.5}(z, t); }), "label_smoothing 1.5");
  EXPECT_PRED2(contains, message_of([&] { Focal{.gamma = -1}(x, x); }), "gamma -1");
  EXPECT_PRED2(contains, message_of([&] { Focal{.alpha = 0.5}(z, t); }), "alpha is for targets 0 and 1");
  EXPECT_PRED2(contains, message_of([&] { CrossEntropy{.class_weights = {1, 2, 3}}(z, t); }), "for 2 classes");
  EXPECT_PRED2(contains, message_of([&] { CrossEntropy{.ignored_index = 0}(z, z); }),
               "needs a target of class indices");
  EXPECT_PRED2(contains, message_of([&] {
                 BinaryCrossEntropyWithLogits{.positive_weight = zeros({3, 2})}(x, x);
               }),
               "does not broadcast");
}

TEST(LossError, LabelsAreClasses) {
  const Array z = zeros({3, 4}), far = Array::from(std::vector<std::int64_t>{0, 4, 1});
  EXPECT_EQ(message_of([&] { cross_entropy(z, far); }),
            "cross_entropy: target 4 at position 1 is no class; there are 4 classes, 0 to 3");
  EXPECT_PRED2(contains, message_of([&] {
                 negative_log_likelihood(z, Array::from(std::vector<std::int64_t>{0, -1, 1}));
               }),
               "target -1 at position 1");
  EXPECT_PRED2(contains, message_of([&] {
                 cross_entropy(z, zeros({3, 1}, int64));
               }),
               "needs class indices of shape [3]");
  EXPECT_PRED2(contains, message_of([&] { cross_entropy(z, zeros({3})); }), "class indices are integers");
  EXPECT_PRED2(contains, message_of([&] { cross_entropy(zeros({}), zeros({}, int64)); }), "no axis of classes");
  EXPECT_PRED2(contains, message_of([&] {
                 negative_log_likelihood(zeros({2, 0}), zeros({2}, int64));
               }),
               "no axis of classes");
  EXPECT_PRED2(contains, message_of([&] { kl_divergence(zeros({}), zeros({})); }), "no axis of classes");
}

TEST(LossError, LabelsOutOfRangeAreNaNWhereTheyCannotBeSeen) {
  const auto f = compile([](const Array& z, const Array& t) {
    return CrossEntropy{.ignored_index = -100, .reduction = Reduction::kNone}(z, t);
  });
  auto run = f;
  const std::vector<std::int64_t> labels = {0, 2, -100, -1, std::int64_t{1} << 32};
  const auto losses = run({zeros({5, 2}), Array::from(labels)})[0].to_vector<float>();
  EXPECT_FLOAT_EQ(losses[0], std::log(2.0F));
  EXPECT_TRUE(std::isnan(losses[1]));
  EXPECT_EQ(losses[2], 0);
  EXPECT_TRUE(std::isnan(losses[3]));
  EXPECT_TRUE(std::isnan(losses[4]));
}

TEST(LossError, TheRest) {
  const Array x = zeros({2}), z = zeros({2, 3});
  EXPECT_PRED2(contains, message_of([&] { hinge(x, Array{1, 0}); }), "target 0 is neither -1 nor 1");
  EXPECT_PRED2(contains, message_of([&] { gaussian_negative_log_likelihood(z, z); }), "twice as long");
  EXPECT_PRED2(contains, message_of([&] { cosine(zeros({}), zeros({})); }), "a scalar is no vector");
  EXPECT_PRED2(contains, message_of([&] { cosine_embedding(zeros({}), zeros({}), zeros({})); }),
               "a scalar is no vector");
  EXPECT_PRED2(contains, message_of([&] { triplet(zeros({}), zeros({}), zeros({})); }), "a scalar is no vector");
  EXPECT_PRED2(contains, message_of([&] { mean_squared_error(x, x, zeros({3})); }), "weights of shape [3] do not fit");
  EXPECT_PRED2(contains, message_of([] { Loss()(zeros({1}), zeros({1})); }), "there is none");
  const Loss own = [](const Array& y, const Array& t) { return sum(y - t); };
  EXPECT_PRED2(contains, message_of([&] { own(x, x, x); }), "takes no weights");
  EXPECT_PRED2(contains, message_of([] { by_name("square"); }), "'square' is unknown; there are binary_cross_entropy,");
}

}  // namespace
}  // namespace pellucid::loss
