// Pictures as data: URIs.
#include "html_pictures.h"

#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/fail.h"
#include "html_page.h"
#include "terminal.h"
#include "train/bootstrap.h"

namespace pellucid::cli::html {
namespace {

constexpr std::size_t kExamples = 12;
constexpr std::int64_t kLargest = 128;  // pixels of a side; larger pictures are thinned out

void add_number(std::string& text, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) text += static_cast<char>(value >> shift & 255);
}

void add_chunk(std::string& file, std::string_view type, const std::string& content) {
  add_number(file, static_cast<std::uint32_t>(content.size()));
  const std::string body = std::string(type) + content;
  file += body;
  add_number(file, static_cast<std::uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(body.data()), body.size())));
}

struct Guess {
  std::int64_t row;
  std::size_t truth, predicted;
  double probability;
};

std::string image(const Model& model, const float* x) {
  const Shape& shape = model.pictures.shape;
  const std::int64_t height = shape[0], width = shape[1], channels = shape.size() > 2 ? shape[2] : 1;
  const std::int64_t every = (std::max(height, width) + kLargest - 1) / kLargest;
  std::vector<std::uint8_t> pixels;
  std::int64_t rows = 0;
  for (std::int64_t i = 0; i < height; i += every, ++rows) {
    for (std::int64_t j = 0; j < width; j += every) {
      for (std::int64_t c = 0; c < channels; ++c) {
        const double value = x[(i * width + j) * channels + c] * model.pictures.scale + model.pictures.mean;
        pixels.push_back(static_cast<std::uint8_t>(std::lround(std::clamp(value, 0.0, 255.0))));
      }
    }
  }
  return base64(png(pixels, rows, static_cast<std::int64_t>(pixels.size()) / rows / channels, channels));
}

std::string gallery(const Model& model, const float* x, std::int64_t size, const std::vector<Guess>& guesses) {
  std::string text = "<div class=\"pictures\">\n";
  for (const Guess& guess : guesses) {
    const std::string truth = escape(model.target.classes[guess.truth]);
    const std::string said = escape(model.target.classes[guess.predicted]);
    text += fmt::format("<div><img alt=\"{}\" src=\"data:image/png;base64,{}\">", truth,
                        image(model, x + guess.row * size));
    text += guess.truth == guess.predicted
                ? fmt::format("<span class=\"good\">{}</span> {:.0f}&nbsp;%</div>\n", said, 100 * guess.probability)
                : fmt::format("{}<br>taken for <span class=\"bad\">{}</span> {:.0f}&nbsp;%</div>\n", truth, said,
                              100 * guess.probability);
  }
  return text + "</div>\n";
}

}  // namespace

std::string png(std::span<const std::uint8_t> pixels, std::int64_t height, std::int64_t width, std::int64_t channels) {
  std::string lines;
  const auto line = static_cast<std::size_t>(width * channels);
  for (std::size_t i = 0; i < static_cast<std::size_t>(height); ++i) {
    lines += '\0';  // no filter
    lines.append(reinterpret_cast<const char*>(pixels.data()) + i * line, line);
  }
  uLongf size = compressBound(lines.size());
  std::string packed(size, '\0');
  if (compress2(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(lines.data()),
                lines.size(), Z_BEST_COMPRESSION) != Z_OK) {
    base::fail("a picture for the report could not be compressed; there is not enough memory");
  }
  packed.resize(size);
  std::string head;
  add_number(head, static_cast<std::uint32_t>(width));
  add_number(head, static_cast<std::uint32_t>(height));
  head += {8, static_cast<char>(channels == 3 ? 2 : 0), 0, 0, 0};
  std::string file = "\x89PNG\r\n\x1a\n";
  add_chunk(file, "IHDR", head);
  add_chunk(file, "IDAT", packed);
  add_chunk(file, "IEND", "");
  return file;
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - at);
    std::uint32_t word = 0;
    for (std::size_t i = 0; i < 3; ++i) word = word << 8 | (i < count ? static_cast<unsigned char>(bytes[at + i]) : 0U);
    for (std::size_t i = 0; i < 4; ++i) text += i <= count ? kDigits[word >> (18 - 6 * i) & 63] : '=';
  }
  return text;
}

std::string examples(const Model& model, const Array& x, const Array& output, const Array& y) {
  const std::vector<float> p = output.to_vector<float>();
  const std::vector<std::int64_t> truth = y.to_vector<std::int64_t>();
  const std::size_t classes = model.target.classes.size();
  std::vector<Guess> wrong, right;
  for (std::size_t row = 0; row < truth.size(); ++row) {
    const auto first = p.begin() + static_cast<std::int64_t>(row * classes);
    const auto best = std::max_element(first, first + static_cast<std::int64_t>(classes));
    const Guess guess{.row = static_cast<std::int64_t>(row),
                      .truth = static_cast<std::size_t>(truth[row]),
                      .predicted = static_cast<std::size_t>(best - first),
                      .probability = *best};
    (guess.truth == guess.predicted ? right : wrong).push_back(guess);
  }
  std::stable_sort(wrong.begin(), wrong.end(),
                   [](const Guess& a, const Guess& b) { return a.probability > b.probability; });
  if (wrong.size() > kExamples) wrong.resize(kExamples);
  std::vector<Guess> some;
  for (const std::int64_t i : train::some_rows(static_cast<std::int64_t>(right.size()), kExamples, 0)) {
    some.push_back(right[static_cast<std::size_t>(i)]);
  }
  const Array pixels = Array(x).evaluate();
  const auto* values = pixels.data<float>();
  const std::int64_t size = x.size() / x.shape()[0];
  std::string text;
  if (!wrong.empty()) text += heading("Wrong, and most sure of it") + gallery(model, values, size, wrong);
  if (!some.empty()) text += heading("Right, some at random") + gallery(model, values, size, some);
  return text;
}

}  // namespace pellucid::cli::html
