// What the networks for pictures share.
#pragma once

#include "pellucid/networks.h"

namespace pellucid::nn {

/// A convolution without bias, as a normalisation follows it; its weights keep the variance on the way back (He et al.
/// 2015, fan out).
Conv2d bare_convolution(std::int64_t inputs, std::int64_t outputs, std::int64_t kernel, std::int64_t stride,
                        std::int64_t groups = 1);
/// Throws Error "type: what is n, and must be positive" unless it is.
std::int64_t positive(std::string_view type, std::string_view what, std::int64_t n);
/// Throws Error unless x is (N, H, W, channels).
void check_pictures(const Call& call, const Array& x, std::int64_t channels);

}  // namespace pellucid::nn
