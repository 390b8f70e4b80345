// Decoding PNG and JPEG by their own libraries, and bringing images to one size and number of channels.
//
// Both libraries report errors by longjmp. The functions that call setjmp hold nothing that has a destructor.
#include "io/image.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <csetjmp>
#include <cstdio>
#include <cstring>

#include <jpeglib.h>

#include <jerror.h>
#include <png.h>

#include "base/fail.h"
#include "io/file.h"
#include "io/text.h"
#include "pellucid/io.h"

namespace pellucid::io {
namespace {

using base::fail;

constexpr std::uint64_t kMostPixels = std::uint64_t{1} << 28;

// ---- PNG ------------------------------------------------------------------------------------------------------------

struct PngReader {
  png_structp png = nullptr;
  png_infop info = nullptr;
  const char* at = nullptr;
  std::size_t left = 0;
  std::array<char, 120> problem{};
  png_uint_32 height = 0, width = 0;
  int channels = 0;
  std::size_t row_bytes = 0;  // in the file, unpacked

  ~PngReader() { png_destroy_read_struct(&png, &info, nullptr); }
};

void png_take(png_structp png, png_bytep to, std::size_t count) {
  auto& reader = *static_cast<PngReader*>(png_get_io_ptr(png));
  if (count > reader.left) png_error(png, "the data end too early");
  std::memcpy(to, reader.at, count);
  reader.at += count;
  reader.left -= count;
}

void png_problem(png_structp png, png_const_charp text) {
  auto& reader = *static_cast<PngReader*>(png_get_error_ptr(png));
  std::snprintf(reader.problem.data(), reader.problem.size(), "%s", text);
  png_longjmp(png, 1);
}

void png_ignore(png_structp, png_const_charp) {}

// False where the file is damaged; then `problem` says how. Asks for 8 bits, and grey or colours, with alpha where the
// file has some.
bool png_header(PngReader& r) {
  if (setjmp(png_jmpbuf(r.png)) != 0) return false;
  png_read_info(r.png, r.info);
  r.row_bytes = png_get_rowbytes(r.png, r.info);
  png_set_scale_16(r.png);
  png_set_expand(r.png);
  png_set_interlace_handling(r.png);
  png_read_update_info(r.png, r.info);
  r.height = png_get_image_height(r.png, r.info);
  r.width = png_get_image_width(r.png, r.info);
  r.channels = png_get_channels(r.png, r.info);
  return true;
}

bool png_pixels(PngReader& r, png_bytep* rows) {
  if (setjmp(png_jmpbuf(r.png)) != 0) return false;
  png_read_image(r.png, rows);
  png_read_end(r.png, nullptr);
  return true;
}

// `most`: the pixels that a file of this size can stand for; memory is not taken on a header's word alone.
void check_size(const std::string& path, std::uint64_t height, std::uint64_t width, std::uint64_t most) {
  if (height * width > kMostPixels) {
    fail("read_image: '{}' is {} x {} pixels, and at most 2^28 are read; scale it down", path, height, width);
  }
  if (height * width > most) {
    fail("read_image: '{}' claims {} x {} pixels, for which its data are too short; make it anew, or remove it", path,
         height, width);
  }
}

// What is transparent shows white.
void blend(Image& image) {
  const std::int64_t with = image.channels, kept = with - 1;
  for (std::int64_t i = 0; i < image.height * image.width; ++i) {
    const unsigned alpha = image.pixels[static_cast<std::size_t>(i * with + kept)];
    for (std::int64_t c = 0; c < kept; ++c) {
      const unsigned value = image.pixels[static_cast<std::size_t>(i * with + c)];
      image.pixels[static_cast<std::size_t>(i * kept + c)] =
          static_cast<std::uint8_t>((value * alpha + 255 * (255 - alpha) + 127) / 255);
    }
  }
  image.channels = kept;
  image.pixels.resize(static_cast<std::size_t>(image.height * image.width * kept));
}

Image decode_png(std::string_view bytes, const std::string& path) {
  PngReader reader;
  reader.at = bytes.data();
  reader.left = bytes.size();
  reader.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &reader, png_problem, png_ignore);
  if (reader.png != nullptr) reader.info = png_create_info_struct(reader.png);
  if (reader.info == nullptr) fail("read_image: '{}': there is not enough memory; read fewer images", path);
  png_set_read_fn(reader.png, &reader, png_take);
  const auto damaged = [&] {
    fail("read_image: '{}' is a damaged PNG file ({}); make it anew, or remove it", path,
         shown(std::string_view(reader.problem.data())));
  };
  if (!png_header(reader)) damaged();
  const std::size_t rows_at_most = bytes.size() * kMostInflation / std::max<std::size_t>(reader.row_bytes, 1);
  check_size(path, reader.height, reader.width, std::uint64_t{reader.width} * rows_at_most);
  Image image{.height = reader.height, .width = reader.width, .channels = reader.channels, .pixels = {}};
  const auto row = static_cast<std::size_t>(image.width * image.channels);
  image.pixels.resize(row * reader.height);
  std::vector<png_bytep> rows;
  for (std::size_t y = 0; y < reader.height; ++y) rows.push_back(image.pixels.data() + y * row);
  if (!png_pixels(reader, rows.data())) damaged();
  if (image.channels % 2 == 0) blend(image);
  return image;
}

// ---- JPEG -----------------------------------------------------------------------------------------------------------

struct JpegReader {
  jpeg_decompress_struct jpeg;
  jpeg_error_mgr errors;
  std::jmp_buf back;
  std::array<char, JMSG_LENGTH_MAX> problem;
};

void jpeg_problem(j_common_ptr jpeg) {
  auto& reader = *static_cast<JpegReader*>(jpeg->client_data);
  jpeg->err->format_message(jpeg, reader.problem.data());
  std::longjmp(reader.back, 1);
}

// A warning is a file that is cut off or damaged, whose pixels would be made up; but bytes between parts do no harm.
void jpeg_warning(j_common_ptr jpeg, int level) {
  if (level < 0 && jpeg->err->msg_code != JWRN_EXTRANEOUS_DATA) jpeg_problem(jpeg);
}

bool jpeg_header(JpegReader& r, const unsigned char* bytes, unsigned long size) {
  if (setjmp(r.back) != 0) return false;
  jpeg_create_decompress(&r.jpeg);
  jpeg_mem_src(&r.jpeg, bytes, size);
  jpeg_read_header(&r.jpeg, TRUE);
  r.jpeg.out_color_space = r.jpeg.num_components == 1 ? JCS_GRAYSCALE : JCS_RGB;
  r.jpeg.dct_method = JDCT_ISLOW;  // the one that gives the same bits on every processor
  jpeg_calc_output_dimensions(&r.jpeg);
  return true;
}

bool jpeg_pixels(JpegReader& r, unsigned char* to, std::size_t row) {
  if (setjmp(r.back) != 0) return false;
  jpeg_start_decompress(&r.jpeg);
  while (r.jpeg.output_scanline < r.jpeg.output_height) {
    JSAMPROW line = to + r.jpeg.output_scanline * row;
    jpeg_read_scanlines(&r.jpeg, &line, 1);
  }
  jpeg_finish_decompress(&r.jpeg);
  return true;
}

Image decode_jpeg(std::string_view bytes, const std::string& path) {
  JpegReader reader{};
  reader.jpeg.err = jpeg_std_error(&reader.errors);
  reader.errors.error_exit = jpeg_problem;
  reader.errors.emit_message = jpeg_warning;
  reader.jpeg.client_data = &reader;
  struct Closing {
    JpegReader& reader;
    ~Closing() { jpeg_destroy_decompress(&reader.jpeg); }
  } closing{reader};
  const auto damaged = [&] {
    fail("read_image: '{}' is a damaged JPEG file, or of a kind that is not read ({}); make it anew, or remove it",
         path, shown(std::string_view(reader.problem.data())));
  };
  if (!jpeg_header(reader, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size())) damaged();
  // A block of 64 pixels takes one bit at least, and one of a component that is taken at every fourth place, both ways,
  // stands for 16 times as many. Arithmetic coding has no such limit.
  constexpr std::uint64_t kMostPerByte = 8 * 64 * 16;
  check_size(path, reader.jpeg.output_height, reader.jpeg.output_width,
             reader.jpeg.arith_code != 0 ? kMostPixels : bytes.size() * kMostPerByte);
  Image image{.height = reader.jpeg.output_height,
              .width = reader.jpeg.output_width,
              .channels = reader.jpeg.output_components,
              .pixels = {}};
  image.pixels.resize(static_cast<std::size_t>(image.height * image.width * image.channels));
  if (!jpeg_pixels(reader, image.pixels.data(), static_cast<std::size_t>(image.width * image.channels))) damaged();
  return image;
}

// ---- Sizes ----------------------------------------------------------------------------------------------------------

// The weights of one output position: of inputs from `first` on.
struct Taps {
  std::int64_t first = 0;
  std::vector<float> weights;
};

std::vector<Taps> taps_for(std::int64_t from, std::int64_t to) {
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  const double reach = std::max(scale, 1.0);
  std::vector<Taps> all(static_cast<std::size_t>(to));
  for (std::int64_t i = 0; i < to; ++i) {
    const double centre = (static_cast<double>(i) + 0.5) * scale;
    Taps& taps = all[static_cast<std::size_t>(i)];
    taps.first = std::max<std::int64_t>(0, static_cast<std::int64_t>(std::floor(centre - reach)));
    const std::int64_t end = std::min(from, static_cast<std::int64_t>(std::ceil(centre + reach)));
    double total = 0;
    std::vector<double> weights;
    for (std::int64_t j = taps.first; j < end; ++j) {
      weights.push_back(std::max(0.0, 1 - std::abs(static_cast<double>(j) + 0.5 - centre) / reach));
      total += weights.back();
    }
    for (const double weight : weights) taps.weights.push_back(static_cast<float>(weight / total));
  }
  return all;
}

}  // namespace

bool is_image_name(std::string_view name) {
  std::string lower(name.substr(name.size() - std::min<std::size_t>(name.size(), 5)));
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lower.ends_with(".png") || lower.ends_with(".jpg") || lower.ends_with(".jpeg");
}

Image decode_image(std::string_view bytes, const std::string& path) {
  if (bytes.starts_with("\x89PNG\r\n\x1A\n")) return decode_png(bytes, path);
  if (bytes.starts_with("\xFF\xD8\xFF")) return decode_jpeg(bytes, path);
  fail("read_image: '{}' {}; give PNG or JPEG files", path,
       bytes.empty() ? "is empty" : "begins neither as a PNG file nor as a JPEG file");
}

Image load_image(const std::string& path) { return decode_image(read_file(path, "read_image").view(), path); }

Array read_image(const std::string& path) {
  const Image image = load_image(path);
  Shape shape = {image.height, image.width};
  if (image.channels > 1) shape.push_back(image.channels);
  return Array::from(image.pixels, shape);
}

Image with_channels(const Image& image, std::int64_t channels) {
  if (channels == image.channels) return image;
  Image result{.height = image.height, .width = image.width, .channels = channels, .pixels = {}};
  const auto count = static_cast<std::size_t>(image.height * image.width);
  result.pixels.reserve(count * static_cast<std::size_t>(channels));
  for (std::size_t i = 0; i < count; ++i) {
    if (channels == 3) {
      result.pixels.insert(result.pixels.end(), 3, image.pixels[i]);
      continue;
    }
    const std::uint8_t* rgb = image.pixels.data() + 3 * i;  // 0.299, 0.587, 0.114 in units of 2^-16
    result.pixels.push_back(
        static_cast<std::uint8_t>((19595U * rgb[0] + 38470U * rgb[1] + 7471U * rgb[2] + 32768U) >> 16));
  }
  return result;
}

Image resized(const Image& image, std::int64_t height, std::int64_t width) {
  if (height == image.height && width == image.width) return image;
  const std::int64_t channels = image.channels;
  const std::vector<Taps> across = taps_for(image.width, width), down = taps_for(image.height, height);
  std::vector<float> rows(static_cast<std::size_t>(image.height * width * channels));
  for (std::int64_t y = 0; y < image.height; ++y) {
    const std::uint8_t* line = image.pixels.data() + y * image.width * channels;
    float* to = rows.data() + y * width * channels;
    for (const Taps& taps : across) {
      for (std::int64_t c = 0; c < channels; ++c) {
        float sum = 0;
        const std::uint8_t* at = line + taps.first * channels + c;
        for (const float weight : taps.weights) {
          sum += weight * static_cast<float>(*at);
          at += channels;
        }
        *to++ = sum;
      }
    }
  }
  Image result{.height = height, .width = width, .channels = channels, .pixels = {}};
  result.pixels.reserve(static_cast<std::size_t>(height * width * channels));
  for (const Taps& taps : down) {
    for (std::int64_t i = 0; i < width * channels; ++i) {
      float sum = 0;
      const float* at = rows.data() + taps.first * width * channels + i;
      for (const float weight : taps.weights) {
        sum += weight * *at;
        at += width * channels;
      }
      result.pixels.push_back(static_cast<std::uint8_t>(std::clamp(std::floor(sum + 0.5F), 0.0F, 255.0F)));
    }
  }
  return result;
}

}  // namespace pellucid::io
