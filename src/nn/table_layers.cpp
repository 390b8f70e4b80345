// Layers for tables. See nn_table.h.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/fail.h"
#include "nn/build.h"
#include "ops/waves.h"
#include "pellucid/nn_table.h"
#include "pellucid/precision.h"

namespace pellucid::nn {

using base::fail;
using base::format;

namespace {

void check_last(const Call& call, const Array& x, std::int64_t features) {
  if (x.rank() == 0 || x.size(-1) != features) {
    call.fail(format("x has shape {}, and its last axis must have {} features", x.shape(), features));
  }
}

}  // namespace

FeatureScale::FeatureScale(std::int64_t features) : features_(features) {
  if (features < 1) fail("FeatureScale: {} features; there must be at least one", features);
  weight = Parameter({features}, init::ones());
}

Array FeatureScale::operator()(const Array& x) const {
  const Call call(*this, "FeatureScale");
  check_last(call, x, features_);
  return call.done(x * weight);
}

NTKLinear::NTKLinear(std::int64_t inputs, std::int64_t outputs, NTKLinearOptions options)
    : inputs_(inputs), outputs_(outputs), stddev_(options.stddev) {
  if (inputs < 1 || outputs < 1) fail("NTKLinear: sizes {} and {} must be positive", inputs, outputs);
  if (!(stddev_ >= 0)) fail("NTKLinear: stddev {} must not be below 0", stddev_);
  const init::Initializer start = stddev_ > 0 ? init::normal(0, stddev_) : init::zeros();
  weight = Parameter({inputs, outputs}, start, options.dtype);
  bias = Parameter({outputs}, start, options.dtype);
}

Array NTKLinear::operator()(const Array& x) const {
  const Call call(*this, "NTKLinear");
  check_last(call, x, inputs_);
  return call.done(linear(x * (1 / std::sqrt(static_cast<double>(inputs_))), weight, bias));
}

NumberEmbedding::NumberEmbedding(std::int64_t features, std::vector<std::int64_t> numbers,
                                 NumberEmbeddingOptions options)
    : features_(features), numbers_(std::move(numbers)), options_(options) {
  if (numbers_.empty()) fail("NumberEmbedding: there are no numbers to embed; leave the layer out");
  std::vector<std::int64_t> sorted = numbers_;
  std::sort(sorted.begin(), sorted.end());
  if (sorted.front() < 0 || sorted.back() >= features ||
      std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) {
    fail("NumberEmbedding: the positions {} must be distinct and below {}, the number of features", numbers_, features);
  }
  const auto [waves, outputs, sigma, dtype] = options_;
  if (waves < 1 || outputs < 1 || !(sigma > 0)) {
    fail("NumberEmbedding: frequencies {}, outputs {} and sigma {} must be positive", waves, outputs, sigma);
  }
  const auto n = static_cast<std::int64_t>(numbers_.size());
  const double bound = 1 / std::sqrt(static_cast<double>(waves));
  frequency = Parameter({n, 1, waves}, init::normal(0, sigma), dtype);
  phase = Parameter({n, 1, waves}, init::uniform(-0.5, 0.5), dtype);
  weight = Parameter({n, waves, outputs}, init::uniform(-bound, bound), dtype);
  bias = Parameter({n, 1, outputs}, init::uniform(-bound, bound), dtype);
}

std::int64_t NumberEmbedding::width() const {
  return features_ + static_cast<std::int64_t>(numbers_.size()) * options_.outputs;
}

Options NumberEmbedding::options() const {
  return {{"features", features_},
          {"numbers", numbers_},
          {"frequencies", options_.frequencies},
          {"outputs", options_.outputs},
          {"sigma", options_.sigma}};
}

Array NumberEmbedding::operator()(const Array& x) const {
  const Call call(*this, "NumberEmbedding");
  check_last(call, x, features_);
  const auto n = static_cast<std::int64_t>(numbers_.size());
  const Array rows = reshape(x, {-1, features_});
  // Rows come last, since there are more of them than waves or outputs.
  const auto turned = [](const Array& parameter) { return permute(parameter, {0, 2, 1}); };
  const Array columns = expand_dims(take(transpose(rows), Array::from(numbers_), 0), 1);  // (numbers, 1, rows)
  constexpr double kTurn = 2 * std::numbers::pi;
  Array made;  // (numbers, outputs, rows)
  if (!Context::training() && PrecisionScope::current() == Precision::kFloat32 && x.dtype() == options_.dtype &&
      ops::has_weighted_waves(options_.dtype, options_.frequencies)) {
    made = ops::weighted_waves(squeeze(columns, 1), squeeze(Array(frequency), 1) * kTurn,
                               squeeze(Array(phase), 1) * kTurn, weight, squeeze(Array(bias), 1));
  } else {  // whose cosines are kept for the way back
    const Array waves = cos(fma(columns, turned(frequency) * kTurn, turned(phase) * kTurn));
    made = matmul(turned(weight), waves) + turned(bias);
  }
  const Array flat = reshape(permute(made, {2, 0, 1}), {-1, n * options_.outputs});
  Shape shape = x.shape();
  shape.back() = width();
  return call.done(reshape(concat({rows, flat}, 1), shape));
}

CategoryEmbedding::CategoryEmbedding(std::int64_t features, std::vector<std::int64_t> firsts,
                                     std::vector<std::int64_t> counts, CategoryEmbeddingOptions options)
    : features_(features), firsts_(std::move(firsts)), counts_(std::move(counts)), options_(options) {
  if (firsts_.empty() || firsts_.size() != counts_.size()) {
    fail("CategoryEmbedding: {} firsts and {} counts; give one of each for every group", firsts_.size(),
         counts_.size());
  }
  std::int64_t end = 0, all = 0;
  for (std::size_t i = 0; i < firsts_.size(); ++i) {
    if (firsts_[i] < end || counts_[i] < 1 || counts_[i] > features - firsts_[i]) {
      fail("CategoryEmbedding: the group of {} from {} must lie behind those before it and within {} features",
           counts_[i], firsts_[i], features);
    }
    end = firsts_[i] + counts_[i];
    all += counts_[i];
  }
  if (options_.outputs < 1) fail("CategoryEmbedding: outputs {} must be positive", options_.outputs);
  vectors = Parameter({all, options_.outputs}, init::normal(0, 1), options_.dtype);
}

std::int64_t CategoryEmbedding::width() const {
  std::int64_t width = features_;
  for (const std::int64_t count : counts_) width += options_.outputs - count;
  return width;
}

Options CategoryEmbedding::options() const {
  return {{"features", features_}, {"firsts", firsts_}, {"counts", counts_}, {"outputs", options_.outputs}};
}

Array CategoryEmbedding::operator()(const Array& x) const {
  const Call call(*this, "CategoryEmbedding");
  check_last(call, x, features_);
  const Array rows = reshape(x, {-1, features_});
  Arrays parts;
  std::int64_t at = 0, vector = 0;
  for (std::size_t i = 0; i < firsts_.size(); ++i) {
    const std::int64_t first = firsts_[i], count = counts_[i];
    if (first > at) parts.push_back(slice(rows, 1, at, first));
    at = first + count;
    parts.push_back(matmul(slice(rows, 1, first, at), slice(vectors, 0, vector, vector + count)));
    vector += count;
  }
  if (at < features_) parts.push_back(slice(rows, 1, at, features_));
  Shape shape = x.shape();
  shape.back() = width();
  return call.done(reshape(concat(parts, 1), shape));
}

Array Intervals::operator()(const Array& x) const {
  const Call call(*this, "Intervals");
  if (x.rank() != 2 || (x.size(1) != 3 && x.size(1) != 6)) {
    call.fail(format("x has shape {}, and must be [rows, 3]: a value and its bounds, or [rows, 6]: their variances too",
                     x.shape()));
  }
  const auto column = [&](std::int64_t i) { return slice(x, 1, i, i + 1); };
  const Array value = column(0);
  Array low = column(1) - margin, high = column(2) + margin;
  if (x.size(1) == 6) {
    constexpr double kSquared = 1.6448536269514722 * 1.6448536269514722;  // of the normal quantile of 95 %
    const Array middle = (low + high) * 0.5, half = maximum(high - low, 0.0) * 0.5, squared = square(half);
    const auto at = [&](const Array& variance) {
      return squared / sqrt(maximum(squared + variance * kSquared, 1e-30));
    };
    low = middle - at(column(4));
    high = middle + at(column(5));
  }
  return call.done(concat({value, minimum(low, value), maximum(high, value)}, 1));
}

void add_table_layers(Makers& m) {
  m["FeatureScale"] = [](Settings& s) { return FeatureScale(s.get<std::int64_t>("features")); };
  m["NTKLinear"] = [](Settings& s) {
    NTKLinearOptions options;
    options.stddev = s.get<double>("stddev");
    return NTKLinear(s.get<std::int64_t>("inputs"), s.get<std::int64_t>("outputs"), options);
  };
  m["NumberEmbedding"] = [](Settings& s) {
    NumberEmbeddingOptions options;
    options.frequencies = s.get<std::int64_t>("frequencies");
    options.outputs = s.get<std::int64_t>("outputs");
    options.sigma = s.get<double>("sigma");
    return NumberEmbedding(s.get<std::int64_t>("features"), s.get<Shape>("numbers"), options);
  };
  m["CategoryEmbedding"] = [](Settings& s) {
    CategoryEmbeddingOptions options;
    options.outputs = s.get<std::int64_t>("outputs");
    return CategoryEmbedding(s.get<std::int64_t>("features"), s.get<Shape>("firsts"), s.get<Shape>("counts"), options);
  };
  m["Intervals"] = [](Settings&) { return Intervals(); };
  const auto mean_of = [](Settings& s, const char* type) {
    return ensemble_mean(s.get<std::string>("mean"), format("nn::build: {}", type));
  };
  m["Ensemble"] = [mean_of](Settings& s) {
    return Ensemble(s.repetitions("members"), mean_of(s, "Ensemble"), s.layers());
  };
  m["Blend"] = [mean_of](Settings& s) { return Blend(mean_of(s, "Blend"), s.layers()); };
}

}  // namespace pellucid::nn
