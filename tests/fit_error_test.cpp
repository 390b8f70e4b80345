// fit: what it says to bad input.
#include <gtest/gtest.h>

#include <limits>

#include "pellucid/pellucid.h"
#include "support/fit_problems.h"
#include "support/message.h"

namespace pellucid {
namespace {

std::string fit_message(const Dataset& data, const FitOptions& options) {
  nn::Sequential net = classifier();
  const auto before = values(net);
  const std::string message = message_of([&] { fit(net, data, options); });
  EXPECT_EQ(values(net), before);
  return message;
}

TEST(FitErrors, NameWhatIsWrongWithTheData) {
  const FitOptions options{.loss = loss::cross_entropy};
  const Dataset good = clouds(10);
  const auto says = [&](const Dataset& data, const std::string& part) {
    EXPECT_PRED2(contains, fit_message(data, options), part);
  };
  says({}, "fit: x is an undefined Array; give examples as {x, y}");
  says({good.x, {}}, "fit: y is an undefined Array");
  says({zeros({0, 2}), zeros({0}, int64)}, "fit: there are no examples: x has shape [0, 2]");
  says({good.x, zeros({9}, int64)}, "fit: x [10, 2] has 10 examples and y [9] has 9; give one y for each x");
  says({Array(1.0), good.y}, "fit: x [] and y [10] need a leading axis");
  std::vector<float> numbers = good.x.to_vector<float>();
  numbers[7] = std::numeric_limits<float>::quiet_NaN();
  says({Array::from(numbers, {10, 2}), good.y}, "fit: x holds nan in row 3 (of 10, from 0)");
  numbers[7] = std::numeric_limits<float>::infinity();
  says({Array::from(numbers, {10, 2}), good.y}, "fit: x holds inf in row 3");
  std::vector<std::int64_t> labels = good.y.to_vector<std::int64_t>();
  labels[6] = 3;
  says({good.x, Array::from(labels)}, "cross_entropy: target 3 at position 6 is no class; there are 3 classes, 0 to 2");
  labels[6] = -1;
  says({good.x, Array::from(labels)}, "cross_entropy: target -1 at position 6 is no class");
  says({zeros({10, 3}), good.y}, "Linear: ");
  says({good.x, good.y, ones({9})}, "fit: weights of shape [9] for 10 examples");
  says({good.x, good.y, zeros({10})}, "fit: all weights are 0");
  says({good.x, good.y, full({10}, -1.0)}, "fit: the weight -1 of example 0 is negative");
  says({good.x, good.y, full({10}, kNan)}, "fit: weights holds nan in row 0");

  FitOptions validated = options;
  validated.validation = Dataset{good.x, Array::from(labels)};
  EXPECT_PRED2(contains, fit_message(good, validated), "cross_entropy: target -1 at position 6 is no class");
  validated.validation = Dataset{good.x, zeros({3}, int64)};
  EXPECT_PRED2(contains, fit_message(good, validated), "fit (validation): x [10, 2] has 10 examples and y [3] has 3");
}

TEST(FitErrors, NameTheOptionThatIsOutOfRange) {
  const Dataset good = clouds(10);
  const auto says = [&](auto change, const std::string& part) {
    FitOptions options{.loss = loss::cross_entropy};
    change(options);
    EXPECT_PRED2(contains, fit_message(good, options), part);
  };
  using O = FitOptions&;
  says([](O o) { o.loss = {}; }, "fit: no loss is given; set .loss");
  says([](O o) { o.max_epochs = 0; }, "fit: max_epochs 0 must be at least 1");
  says([](O o) { o.batch_size = 0; }, "fit: batch_size 0 must be at least 1");
  says([](O o) { o.restarts = -1; }, "fit: restarts -1 must be at least 0");
  says([](O o) { o.restarts = 2; }, "fit: restarts 2 need a tolerance");
  says([](O o) { o.stall_epochs = 0; }, "fit: stall_epochs 0 must be at least 1");
  says([](O o) { o.stall_decrease = 1; }, "fit: stall_decrease 1 must be in [0, 1)");
  says([](O o) { o.tolerance = 0; }, "fit: tolerance 0 must be more than 0");
  says([](O o) { o.patience = 0; }, "fit: patience 0 must be at least 1");
  says([](O o) { o.min_delta = -1; }, "fit: min_delta -1 must be at least 0");
  says([](O o) { o.target = kNan; }, "fit: target nan is not a finite number");
  says([](O o) { o.max_seconds = 0; }, "fit: max_seconds 0 must be more than 0");
  says([](O o) { o.progress_seconds = -1; }, "fit: progress_seconds -1 must be at least 0");
  for (const double share : {0.0, 1.0, -0.5, kNan}) {
    says([&](O o) { o.validation = share; }, "must be a share of the examples between 0 and 1");
  }
  says([](O o) { o.monitor = "accuracy"; }, "fit: monitor 'accuracy' is none of what is computed here: loss");
  says([](O o) { o.monitor = "validation_loss"; }, "fit: monitor 'validation_loss' is none");
  says([](O o) { o.metrics = {Metric("mine", nullptr)}; }, "fit: the metric 'mine' has no function");
  says([](O o) { o.class_weights = ones({2}); }, "and class_weights has 2 classes, 0 to 1");
  says([](O o) { o.class_weights = ones({3, 1}); }, "fit: class_weights of shape [3, 1]");
  says([](O o) { o.class_weights = Array{1, -1, 1}; }, "fit: the weight -1 of class 1 is negative");
  says([](O o) { o.class_weights = Array{1, kNan, 1}; }, "fit: class_weights holds nan in row 1");
  says([](O o) { o.loss = loss::CrossEntropy{.reduction = loss::Reduction::kNone}; },
       "fit: cross_entropy gives float32[10], not one floating number");
  says([](O o) { o.optimizer = optim::Optimizer(optim::Adam{}, {.groups = {{.pattern = "9.*"}}}); },
       "pattern '9.*' matches none");
}

TEST(FitErrors, NeedSomethingToTrain) {
  const FitOptions options{.loss = loss::mean_squared_error};
  nn::Sequential empty{nn::ReLU()};
  EXPECT_PRED2(contains, message_of([&] {
                 fit(empty, {kX, kX}, options);
               }),
               "fit: Sequential has no parameter to train");
  nn::Sequential frozen = xor_network();
  nn::freeze(frozen);
  EXPECT_PRED2(contains, message_of([&] { fit(frozen, {kX, kY}, options); }), "all are frozen; nn::unfreeze some");
  EXPECT_PRED2(contains, message_of([&] {
                 nn::Sequential net = xor_network();
                 fit(net, {kX, kY}, {.loss = loss::mean_squared_error, .class_weights = ones({2})});
               }),
               "fit: class_weights need class indices, y of integers (n); y is float32[4, 1]");
  EXPECT_PRED2(contains, message_of([&] {
                 Scale net;
                 fit(net, {Array{{1}}, Array{{1}}}, {.loss = loss::mean_squared_error, .validation = 0.5});
               }),
               "fit: validation 0.5 of 1 example leaves nothing to train on");
}

TEST(FitErrors, NeedSomethingToValidateOn) {
  FitOptions options{.loss = loss::cross_entropy, .validation = 0.3};
  EXPECT_PRED2(contains, fit_message({zeros({3, 2}), arange(3)}, options),
               "fit: validation 0.3 of 3 examples leaves none to validate on");
}

// One output for all rows.
struct Total : nn::Module {
  nn::Parameter w = ones({2});
  Array operator()(const Array& x) const { return reshape(sum(w * x), {1}); }
};

TEST(FitErrors, PredictAndEvaluateNameWhatDoesNotFit) {
  Total total;
  EXPECT_PRED2(contains, message_of([&] {
                 predict(total, zeros({3, 2}));
               }),
               "predict: the module gives [1] for 3 rows; it must give one output for each");
  nn::Sequential net = classifier();
  const Dataset data = clouds(10);
  const loss::CrossEntropy each{
      .class_weights = {}, .label_smoothing = 0, .ignored_index = {}, .reduction = loss::Reduction::kNone};
  EXPECT_PRED2(contains, message_of([&] { evaluate(net, data, each); }),
               "the loss has shape [10], not one number; use the reduction kMean or kSum");
  EXPECT_PRED2(contains, message_of([&] { evaluate(net, data, loss::cross_entropy, {Metric("mine", {})}); }),
               "evaluate: the metric 'mine' has no function");
}

struct Idle : nn::Module {
  nn::Parameter used = ones({1}), idle = ones({1});
  Array operator()(const Array& x) const { return used * x; }
};

TEST(FitErrors, NameParametersWithoutInfluence) {
  Idle net;
  const Dataset data{Array{{1}}, Array{{1}}};
  EXPECT_PRED2(contains, message_of([&] { fit(net, data, {.loss = loss::mean_squared_error}); }), "'idle'");
  fit(net, data, {.loss = loss::mean_squared_error, .max_epochs = 2, .allow_unused = true});
  EXPECT_EQ(net.idle.value.item<float>(), 1.0F);
}

}  // namespace
}  // namespace pellucid
