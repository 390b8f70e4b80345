// Layers of pooling, padding and resizing.
#include <array>
#include <cmath>

#include "nn/build.h"
#include "nn/picture.h"
#include "pellucid/nn_picture.h"

namespace pellucid::nn {

using base::fail;
using base::format;

// ---- Pooling --------------------------------------------------------------------------------------------------------

template <PoolKind kKind, int kAxes>
Pool<kKind, kAxes>::Pool(PerAxis kernel, PoolOptions options) : channels_first_(options.channels_first) {
  window_.kernel = numbers_of(type_name(), "kernel", kernel, kAxes, 1);
  window_.stride =
      options.stride ? numbers_of(type_name(), "stride", *options.stride, kAxes, 1) : Shape(window_.kernel);
  window_.padding = numbers_of(type_name(), "padding", options.padding, kAxes, 0);
  window_.dilation = numbers_of(type_name(), "dilation", options.dilation, kAxes, 1);
  window_.ceil_mode = options.ceil_mode;
  window_.count_include_pad = options.count_include_pad;
}

template <PoolKind kKind, int kAxes>
Array Pool<kKind, kAxes>::operator()(const Array& x) const {
  const Call call(*this, type_name());
  check_picture(call, x, kAxes, channels_first_);
  return call.done(with_channels_last(x, channels_first_, [&](const Array& t) {
    return kKind == PoolKind::kMax ? max_pool(t, window_) : average_pool(t, window_);
  }));
}

template <PoolKind kKind, int kAxes>
Options Pool<kKind, kAxes>::options() const {
  Options list = {{"kernel", window_.kernel},
                  {"stride", window_.stride},
                  {"padding", window_.padding},
                  {"dilation", window_.dilation},
                  {"ceil_mode", window_.ceil_mode}};
  if (kKind == PoolKind::kAverage) list.emplace_back("count_include_pad", window_.count_include_pad);
  list.emplace_back("channels_first", channels_first_);
  return list;
}

template <PoolKind kKind, int kAxes>
AdaptivePool<kKind, kAxes>::AdaptivePool(PerAxis size, bool channels_first)
    : size_(numbers_of(type_name(), "size", size, kAxes, 1)), channels_first_(channels_first) {}

template <PoolKind kKind, int kAxes>
Array AdaptivePool<kKind, kAxes>::operator()(const Array& x) const {
  const Call call(*this, type_name());
  check_picture(call, x, kAxes, channels_first_);
  return call.done(with_channels_last(x, channels_first_, [&](const Array& t) {
    return kKind == PoolKind::kMax ? adaptive_max_pool(t, size_) : adaptive_average_pool(t, size_);
  }));
}

Array GlobalAvgPool::operator()(const Array& x) const {
  const Call call(*this, "GlobalAvgPool");
  check_picture(call, x, 0, channels_first_);
  return call.done(global_average_pool(channels_first_ ? channels_to_last(x) : x, x.rank() - 2));
}

template class Pool<PoolKind::kMax, 1>;
template class Pool<PoolKind::kMax, 2>;
template class Pool<PoolKind::kMax, 3>;
template class Pool<PoolKind::kAverage, 1>;
template class Pool<PoolKind::kAverage, 2>;
template class Pool<PoolKind::kAverage, 3>;
template class AdaptivePool<PoolKind::kMax, 1>;
template class AdaptivePool<PoolKind::kMax, 2>;
template class AdaptivePool<PoolKind::kMax, 3>;
template class AdaptivePool<PoolKind::kAverage, 1>;
template class AdaptivePool<PoolKind::kAverage, 2>;
template class AdaptivePool<PoolKind::kAverage, 3>;

// ---- Padding --------------------------------------------------------------------------------------------------------

namespace {

constexpr std::array<std::string_view, 4> kPadModes = {"zeros", "reflect", "replicate", "circular"};
constexpr std::array<std::string_view, 2> kResizeModes = {"nearest", "linear"};

/// The number of a name in a list.
template <class Mode, std::size_t N>
Mode mode_of(std::string_view type, const std::array<std::string_view, N>& names, const std::string& name) {
  for (std::size_t i = 0; i < N; ++i) {
    if (names[i] == name) return static_cast<Mode>(i);
  }
  fail("nn::build: {}: the mode '{}' is not known", type, name);
}

}  // namespace

template <int kAxes>
Pad<kAxes>::Pad(PerAxis low, PerAxis high, PadOptions options)
    : low_(numbers_of(type_name(), "width", low, kAxes, 0)),
      high_(numbers_of(type_name(), "width", high, kAxes, 0)),
      options_(options) {}

template <int kAxes>
Array Pad<kAxes>::operator()(const Array& x) const {
  const Call call(*this, type_name());
  check_picture(call, x, kAxes, options_.channels_first);
  return call.done(with_channels_last(x, options_.channels_first, [&](const Array& t) {
    if (options_.mode != PadMode::kZeros) return pad_spatial(t, low_, high_, options_.mode);
    std::vector<std::pair<std::int64_t, std::int64_t>> widths(static_cast<std::size_t>(kAxes) + 2);
    for (std::size_t d = 0; d < static_cast<std::size_t>(kAxes); ++d) widths[d + 1] = {low_[d], high_[d]};
    return pad(t, widths, Array(options_.value));
  }));
}

template <int kAxes>
Options Pad<kAxes>::options() const {
  return {{"low", low_},
          {"high", high_},
          {"mode", std::string(kPadModes[static_cast<std::size_t>(options_.mode)])},
          {"value", options_.value},
          {"channels_first", options_.channels_first}};
}

template class Pad<1>;
template class Pad<2>;
template class Pad<3>;

// ---- Resizing -------------------------------------------------------------------------------------------------------

namespace {

/// Positions in an axis of `in` between which each of `out` results lies, and how far along.
struct Between {
  std::vector<std::int64_t> low, high;
  std::vector<double> part;
  Between(std::int64_t in, std::int64_t out, bool align_corners) {
    for (std::int64_t o = 0; o < out; ++o) {
      const auto i = static_cast<double>(o), n = static_cast<double>(in), m = static_cast<double>(out);
      double at = align_corners ? (out > 1 ? i * (n - 1) / (m - 1) : 0) : std::max(0.0, (i + 0.5) * n / m - 0.5);
      const auto first = std::min(static_cast<std::int64_t>(at), in - 1);
      low.push_back(first);
      high.push_back(std::min(first + 1, in - 1));
      part.push_back(at - static_cast<double>(first));
    }
  }
};

Array resize_axis(const Array& x, int axis, std::int64_t out, ResizeMode mode, bool align_corners) {
  const std::int64_t in = x.size(axis);
  if (in == out) return x;
  if (mode == ResizeMode::kNearest) {
    if (out % in == 0) return repeat(x, out / in, axis);
    std::vector<std::int64_t> from;
    for (std::int64_t o = 0; o < out; ++o) from.push_back(o * in / out);
    return take(x, Array::from(from), axis);
  }
  const Between between(in, out, align_corners);
  Shape shape(static_cast<std::size_t>(x.rank()), 1);
  shape[static_cast<std::size_t>(axis)] = out;
  const Array part = astype(Array::from(between.part, shape), x.dtype());
  return lerp(take(x, Array::from(between.low), axis), take(x, Array::from(between.high), axis), part);
}

}  // namespace

Array resize(const Array& x, const Shape& size, ResizeMode mode, bool align_corners) {
  const auto axes = static_cast<int>(size.size());
  if (axes < 1 || axes > 3 || x.rank() != axes + 2) {
    fail("resize: x has shape {}; it must be (n, spatial..., channels) with an axis for each of the sizes {}, 1 to 3",
         x.shape(), size);
  }
  Array y = mode == ResizeMode::kLinear && !is_float(x.dtype()) ? astype(x, float32) : x;
  for (int d = 0; d < axes; ++d) {
    const std::int64_t out = size[static_cast<std::size_t>(d)];
    if (out < 1) fail("resize: sizes {} must be positive", size);
    if (x.size(d + 1) < 1) fail("resize: x has shape {}, whose spatial axes are empty", x.shape());
  }
  for (int d = 0; d < axes; ++d) y = resize_axis(y, d + 1, size[static_cast<std::size_t>(d)], mode, align_corners);
  return y;
}

Upsample::Upsample(PerAxis scale, UpsampleOptions options) : scale_(scale.values), options_(options) {
  if (scale_.empty() || scale_.size() > 3) fail("Upsample: scale {} must name 1 to 3 axes", scale_);
  for (std::int64_t s : scale_) {
    if (s < 1) fail("Upsample: scale {} must be positive", scale_);
  }
}

Array Upsample::operator()(const Array& x) const {
  const Call call(*this, "Upsample");
  check_picture(call, x, scale_.size() == 1 ? 0 : static_cast<int>(scale_.size()), options_.channels_first);
  return call.done(with_channels_last(x, options_.channels_first, [&](const Array& t) {
    Shape size(t.shape().begin() + 1, t.shape().end() - 1);
    for (std::size_t d = 0; d < size.size(); ++d) size[d] *= scale_[scale_.size() == 1 ? 0 : d];
    return resize(t, size, options_.mode, options_.align_corners);
  }));
}

Options Upsample::options() const {
  return {{"scale", scale_},
          {"mode", std::string(kResizeModes[static_cast<std::size_t>(options_.mode)])},
          {"align_corners", options_.align_corners},
          {"channels_first", options_.channels_first}};
}

namespace {
std::int64_t checked_factor(std::string_view type, std::int64_t factor) {
  if (factor < 1 || factor > (std::int64_t{1} << 20)) fail("{}: the factor {} must be positive", type, factor);
  return factor;
}
}  // namespace

PixelShuffle::PixelShuffle(std::int64_t factor, bool channels_first)
    : factor_(checked_factor("PixelShuffle", factor)), channels_first_(channels_first) {}

Array PixelShuffle::operator()(const Array& x) const {
  const Call call(*this, "PixelShuffle");
  check_picture(call, x, 2, channels_first_);
  return call.done(with_channels_last(x, channels_first_, [&](const Array& t) {
    const std::int64_t r = factor_, n = t.size(0), h = t.size(1), w = t.size(2), c = t.size(3);
    if (c % (r * r) != 0) call.fail(format("{} channels are no multiple of {}^2", c, r));
    return reshape(permute(reshape(t, {n, h, w, c / (r * r), r, r}), {0, 1, 4, 2, 5, 3}),
                   {n, h * r, w * r, c / (r * r)});
  }));
}

PixelUnshuffle::PixelUnshuffle(std::int64_t factor, bool channels_first)
    : factor_(checked_factor("PixelUnshuffle", factor)), channels_first_(channels_first) {}

Array PixelUnshuffle::operator()(const Array& x) const {
  const Call call(*this, "PixelUnshuffle");
  check_picture(call, x, 2, channels_first_);
  return call.done(with_channels_last(x, channels_first_, [&](const Array& t) {
    const std::int64_t r = factor_, n = t.size(0), h = t.size(1), w = t.size(2), c = t.size(3);
    if (h % r != 0 || w % r != 0) call.fail(format("height {} and width {} must be multiples of {}", h, w, r));
    return reshape(permute(reshape(t, {n, h / r, r, w / r, r, c}), {0, 1, 3, 5, 2, 4}), {n, h / r, w / r, c * r * r});
  }));
}

// ---- From descriptions ----------------------------------------------------------------------------------------------

namespace {

template <PoolKind kKind, int kAxes>
void add_pool(Makers& makers) {
  makers[std::string(Pool<kKind, kAxes>::type_name())] = [](Settings& s) {
    PoolOptions options;
    options.stride = PerAxis(s.get<Shape>("stride"));
    options.padding = s.get<Shape>("padding");
    options.dilation = s.get<Shape>("dilation");
    options.ceil_mode = s.get<bool>("ceil_mode");
    if (kKind == PoolKind::kAverage) options.count_include_pad = s.get<bool>("count_include_pad");
    options.channels_first = s.get<bool>("channels_first");
    return Pool<kKind, kAxes>(s.get<Shape>("kernel"), options);
  };
  makers[std::string(AdaptivePool<kKind, kAxes>::type_name())] = [](Settings& s) {
    return AdaptivePool<kKind, kAxes>(s.get<Shape>("size"), s.get<bool>("channels_first"));
  };
}

template <int kAxes>
void add_axes(Makers& makers) {
  add_pool<PoolKind::kMax, kAxes>(makers);
  add_pool<PoolKind::kAverage, kAxes>(makers);
  makers[std::string(Pad<kAxes>::type_name())] = [](Settings& s) {
    PadOptions options;
    options.mode = mode_of<PadMode>(Pad<kAxes>::type_name(), kPadModes, s.get<std::string>("mode"));
    options.value = s.get<double>("value");
    options.channels_first = s.get<bool>("channels_first");
    return Pad<kAxes>(s.get<Shape>("low"), s.get<Shape>("high"), options);
  };
}

}  // namespace

void add_pooling_layers(Makers& makers) {
  add_axes<1>(makers);
  add_axes<2>(makers);
  add_axes<3>(makers);
  makers["GlobalAvgPool"] = [](Settings& s) { return GlobalAvgPool(s.get<bool>("channels_first")); };
  makers["Upsample"] = [](Settings& s) {
    UpsampleOptions options;
    options.mode = mode_of<ResizeMode>("Upsample", kResizeModes, s.get<std::string>("mode"));
    options.align_corners = s.get<bool>("align_corners");
    options.channels_first = s.get<bool>("channels_first");
    return Upsample(s.get<Shape>("scale"), options);
  };
  makers["PixelShuffle"] = [](Settings& s) {
    return PixelShuffle(s.get<std::int64_t>("factor"), s.get<bool>("channels_first"));
  };
  makers["PixelUnshuffle"] = [](Settings& s) {
    return PixelUnshuffle(s.get<std::int64_t>("factor"), s.get<bool>("channels_first"));
  };
}

}  // namespace pellucid::nn
