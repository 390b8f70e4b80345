// Pictures of a data set within a page.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "model.h"

namespace pellucid::cli::html {

/// A PNG file: 8 bits, grey where `channels` is 1, colours where it is 3. `pixels` row by row.
std::string png(std::span<const std::uint8_t> pixels, std::int64_t height, std::int64_t width, std::int64_t channels);
std::string base64(std::string_view bytes);

/// Some pictures that were taken for another class, those with the highest probability first, and some that were
/// not, chosen at random. `x`: what the network takes; `output`: probabilities; `y`: classes.
std::string examples(const Model& model, const Array& x, const Array& output, const Array& y);

}  // namespace pellucid::cli::html
