// The layers that normalise pictures.
#include "pellucid/nn_normalization.h"

#include <algorithm>
#include <numeric>

#include "base/fail.h"
#include "nn/normalize.h"
#include "pellucid/ops_pool.h"

namespace pellucid::nn {

using base::fail;
using base::format;

namespace {

/// The mean over all positions of (n, spatial..., channels), as (n, 1..., channels).
Array mean_over_positions(const Array& x) {
  const Shape& shape = x.shape();
  Shape merged{shape[0], 1, shape.back()}, kept(shape.size(), 1);
  for (std::size_t d = 1; d + 1 < shape.size(); ++d) merged[1] *= shape[d];
  kept.front() = shape.front();
  kept.back() = shape.back();
  return reshape(global_average_pool(reshape(x, merged), 1), kept);
}

/// Throws unless x is (n, spatial..., channels), or the other way round, with at least one spatial axis and position.
void check_channels(const Call& call, const Array& x, std::int64_t channels, bool first) {
  if (x.rank() >= 3 && x.size(first ? 1 : -1) == channels) {
    if (x.size() == 0 && x.size(0) != 0) call.fail(format("x has shape {}, which has no positions", x.shape()));
    return;
  }
  call.fail(format("x has shape {}; it must be {} with {} channels", x.shape(),
                   first ? "(n, channels, spatial...)" : "(n, spatial..., channels)", channels));
}

/// x (n, spatial..., channels) less its mean and over its deviation, in `groups` of channels for each example.
Array group_normalized(const Array& x, std::int64_t groups, double epsilon) {
  const std::int64_t channels = x.size(-1), size = channels / groups;
  const auto over_groups = [&](const Array& rows) {  // (n, 1..., channels), each the mean of its group
    if (size == 1) return rows;
    const Shape split{rows.size(0), groups, size};
    return reshape(broadcast_to(mean(reshape(rows, split), -1, true), split), rows.shape());
  };
  const Array centred = x - over_groups(mean_over_positions(x));
  const Array variance = over_groups(mean_over_positions(square(centred)));
  return centred * rsqrt(variance + epsilon);
}

Array grouped(const Call& call, const Array& x, std::int64_t groups, std::int64_t channels, double epsilon, bool first,
              const Parameter& weight, const Parameter& bias) {
  check_channels(call, x, channels, first);
  const Array y = affine(group_normalized(first ? channels_to_last(x) : x, groups, epsilon), weight, bias);
  return call.done(first ? channels_to_first(y) : y);
}

}  // namespace

// ---- BatchNorm ------------------------------------------------------------------------------------------------------

template <int kAxes>
BatchNorm<kAxes>::BatchNorm(std::int64_t features, PictureNormOptions options)
    : running_mean(zeros({std::max<std::int64_t>(features, 0)}, options.dtype)),
      running_variance(ones({std::max<std::int64_t>(features, 0)}, options.dtype)),
      features_(features),
      options_(options) {
  check_normalisation(type_name(), {features}, options.epsilon);
  check_momentum(type_name(), options.momentum);
  if (!options.affine) return;
  weight = Parameter({features}, init::ones(), options.dtype);
  bias = Parameter({features}, init::zeros(), options.dtype);
}

template <int kAxes>
Array BatchNorm<kAxes>::operator()(const Array& x) const {
  const Call call(*this, type_name());
  const bool first = options_.channels_first;
  if (x.rank() != kAxes + 2 || x.size(first ? 1 : -1) != features_) {
    call.fail(format("x has shape {}; it must be {} with {} spatial axes and {} channels", x.shape(),
                     first ? "(n, channels, spatial...)" : "(n, spatial..., channels)", kAxes, features_));
  }
  const Array y = batch_normalized(call, *this, first ? channels_to_last(x) : x, weight, bias, running_mean,
                                   running_variance, options_.momentum, options_.epsilon);
  return call.done(first ? channels_to_first(y) : y);
}

template <int kAxes>
Options BatchNorm<kAxes>::options() const {
  Options list = {{"features", features_},
                  {"momentum", options_.momentum},
                  {"epsilon", options_.epsilon},
                  {"affine", weight.value.defined()},
                  {"channels_first", options_.channels_first}};
  if (!running_mean.value.defined()) list.emplace_back("folded", true);
  return list;
}

template class BatchNorm<2>;
template class BatchNorm<3>;

// ---- GroupNorm, InstanceNorm ----------------------------------------------------------------------------------------

GroupNorm::GroupNorm(std::int64_t groups, std::int64_t channels, GroupNormOptions options)
    : groups_(groups), channels_(channels), options_(options) {
  check_normalisation("GroupNorm", {channels}, options.epsilon);
  if (groups < 1 || channels % groups != 0) {
    fail("GroupNorm: {} groups must divide the {} channels", groups, channels);
  }
  if (!options.affine) return;
  weight = Parameter({channels}, init::ones(), options.dtype);
  bias = Parameter({channels}, init::zeros(), options.dtype);
}

Array GroupNorm::operator()(const Array& x) const {
  const Call call(*this, "GroupNorm");
  return grouped(call, x, groups_, channels_, options_.epsilon, options_.channels_first, weight, bias);
}

Options GroupNorm::options() const {
  return {{"groups", groups_},
          {"channels", channels_},
          {"epsilon", options_.epsilon},
          {"affine", weight.value.defined()},
          {"channels_first", options_.channels_first}};
}

InstanceNorm::InstanceNorm(std::int64_t channels, InstanceNormOptions options)
    : channels_(channels), options_(options) {
  check_normalisation("InstanceNorm", {channels}, options.epsilon);
  if (!options.affine) return;
  weight = Parameter({channels}, init::ones(), options.dtype);
  bias = Parameter({channels}, init::zeros(), options.dtype);
}

Array InstanceNorm::operator()(const Array& x) const {
  const Call call(*this, "InstanceNorm");
  return grouped(call, x, channels_, channels_, options_.epsilon, options_.channels_first, weight, bias);
}

Options InstanceNorm::options() const {
  return {{"channels", channels_},
          {"epsilon", options_.epsilon},
          {"affine", weight.value.defined()},
          {"channels_first", options_.channels_first}};
}

// ---- RMSNorm --------------------------------------------------------------------------------------------------------

RMSNorm::RMSNorm(Shape shape, RMSNormOptions options) : shape_(std::move(shape)), options_(options) {
  check_normalisation("RMSNorm", shape_, options.epsilon);
  if (options.affine) weight = Parameter(shape_, init::ones(), options.dtype);
}

Array RMSNorm::operator()(const Array& x) const {
  const Call call(*this, "RMSNorm");
  const auto rank = static_cast<std::ptrdiff_t>(shape_.size());
  if (x.rank() < rank || !std::equal(shape_.begin(), shape_.end(), x.shape().end() - rank)) {
    call.fail(format("x has shape {}, which does not end with {}", x.shape(), shape_));
  }
  std::vector<int> axes(shape_.size());
  std::iota(axes.begin(), axes.end(), -static_cast<int>(rank));
  const Array y = x * rsqrt(mean(square(x), axes, true) + options_.epsilon);
  return call.done(weight.value.defined() ? y * weight : y);
}

Options RMSNorm::options() const {
  return {{"shape", shape_}, {"epsilon", options_.epsilon}, {"affine", weight.value.defined()}};
}

}  // namespace pellucid::nn
