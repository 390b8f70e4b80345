// Pictures in files of their own: PNG and JPEG, as bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pellucid::io {

/// Row-major (height, width, channels), 1 channel for grey and 3 for red, green and blue.
struct Image {
  std::int64_t height = 0, width = 0, channels = 1;
  std::vector<std::uint8_t> pixels;
};

/// True for a name that ends in .png, .jpg or .jpeg, in any case.
bool is_image_name(std::string_view name);
/// Decodes a file by its first bytes, whatever its name. Throws Error: see read_image in pellucid/io.h.
Image load_image(const std::string& path);
/// The same over bytes in memory; `path` stands for them in messages.
Image decode_image(std::string_view bytes, const std::string& path);

/// One channel of an image's brightness (Rec. 601, as JPEG has it), or three equal ones of a grey image.
Image with_channels(const Image& image, std::int64_t channels);
/// To another size: each pixel is the mean of what it covers, or is interpolated between the nearest, by a triangle of
/// weights around its centre (the filter that is called bilinear with antialiasing).
Image resized(const Image& image, std::int64_t height, std::int64_t width);

}  // namespace pellucid::io
