// What layers for pictures share.
#pragma once

#include <string_view>

#include "base/fail.h"
#include "nn/normalize.h"
#include "pellucid/nn.h"
#include "pellucid/ops_window.h"

namespace pellucid::nn {

/// One number for each axis; throws unless each is at least `least`.
inline Shape numbers_of(std::string_view type, std::string_view what, const PerAxis& given, int axes,
                        std::int64_t least) {
  Shape values = given.values;
  if (values.size() == 1) values.assign(static_cast<std::size_t>(axes), values[0]);
  if (values.size() != static_cast<std::size_t>(axes)) {
    base::fail("{}: {} {} names {} axes; give one number, or {}", type, what, given.values, given.values.size(), axes);
  }
  for (const std::int64_t value : values) {
    if (value < least) base::fail("{}: {} {} must be at least {}", type, what, value, least);
  }
  return values;
}

/// Throws unless x has a batch axis, `axes` spatial axes (0: any number, at least one) and channels.
inline void check_picture(const Call& call, const Array& x, int axes, bool first) {
  if (axes == 0 ? x.rank() >= 3 : x.rank() == axes + 2) return;
  call.fail(base::format("x has shape {}; it must be {} with {} spatial {}", x.shape(),
                         first ? "(n, channels, spatial...)" : "(n, spatial..., channels)",
                         axes == 0 ? std::string("one or more") : std::to_string(axes), axes == 1 ? "axis" : "axes"));
}

/// f on x with channels last, and back.
template <class F>
Array with_channels_last(const Array& x, bool first, const F& f) {
  return first ? channels_to_first(f(channels_to_last(x))) : f(x);
}

}  // namespace pellucid::nn
