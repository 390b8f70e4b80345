// The text of six novels for networks that read characters: Jane Austen's, as scripts/novels.sh fetches them.
//
// The file is R's: compressed blocks one behind the other, each with its size in front, each a serialised vector of
// lines (R Internals, chapter 1.8). Only that much of the format is read here.
#pragma once

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <functional>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "pellucid/pellucid.h"

namespace novels {

namespace pl = pellucid;

inline constexpr const char* kPlaces[] = {"build/novels/Rdata.rdb",
                                          "/usr/lib/R/site-library/janeaustenr/data/Rdata.rdb"};

/// Numbers and strings of R's serialisation, most significant byte first.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  std::int32_t integer() {
    const std::string_view b = take(4);
    std::uint32_t value = 0;
    for (const char c : b) value = value << 8 | static_cast<unsigned char>(c);
    return static_cast<std::int32_t>(value);
  }
  std::string_view take(std::size_t n) {
    if (n > bytes_.size() - at_) throw std::runtime_error("novels: the file ends in the middle of a text");
    at_ += n;
    return bytes_.substr(at_ - n, n);
  }

 private:
  std::string_view bytes_;
  std::size_t at_ = 0;
};

/// The lines of a serialised vector of strings, each ended by a newline.
inline std::string lines_of(std::string_view block) {
  constexpr int kStrings = 16, kCharacters = 9;
  Reader in(block);
  if (in.take(2) != "X\n") throw std::runtime_error("novels: a block is no serialised object of R");
  const std::int32_t version = in.integer();
  in.integer();
  in.integer();
  if (version == 3) in.take(static_cast<std::size_t>(in.integer()));
  if ((in.integer() & 0xFF) != kStrings) return {};
  std::string text;
  for (std::int32_t left = in.integer(); left > 0; --left) {
    if ((in.integer() & 0xFF) != kCharacters) throw std::runtime_error("novels: a line is no string");
    const std::int32_t size = in.integer();
    if (size > 0) text += in.take(static_cast<std::size_t>(size));  // -1: not known
    text += '\n';
  }
  return text;
}

/// The texts of a file, one for each novel.
inline std::vector<std::string> read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("novels: cannot open " + path + "; run scripts/novels.sh");
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  std::vector<std::string> texts;
  std::size_t at = 0;
  while (at + 4 < bytes.size()) {
    const auto size = static_cast<std::uint32_t>(Reader(std::string_view(bytes).substr(at)).integer());
    if (size > 1U << 26) throw std::runtime_error("novels: " + path + " claims a block of over 64 MB");
    std::string block(size, '\0');
    z_stream stream{};
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data() + at + 4));
    stream.avail_in = static_cast<uInt>(bytes.size() - at - 4);
    stream.next_out = reinterpret_cast<Bytef*>(block.data());
    stream.avail_out = size;
    if (inflateInit(&stream) != Z_OK) throw std::runtime_error("novels: no memory for decompression");
    const int status = inflate(&stream, Z_FINISH);
    const std::size_t used = stream.total_in, made = stream.total_out;
    inflateEnd(&stream);
    if (status != Z_STREAM_END || made != size) throw std::runtime_error("novels: " + path + " is damaged");
    at += 4 + used;
    if (std::string text = lines_of(block); !text.empty()) texts.push_back(std::move(text));
  }
  if (texts.empty()) throw std::runtime_error("novels: no text in " + path);
  return texts;
}

/// Characters as numbers: positions in the vocabulary, which is all characters in ascending order.
struct Text {
  std::string vocabulary;
  pl::Array training, held_out;  // uint8 (n): the first nine tenths of each novel, and the rest

  std::int64_t size() const { return static_cast<std::int64_t>(vocabulary.size()); }
  pl::Array encode(const std::string& text) const {  // int64 (1, n)
    std::vector<std::int64_t> tokens;
    for (const char c : text) {
      const std::size_t at = vocabulary.find(c);
      if (at == std::string::npos) {
        throw std::runtime_error(std::string("novels: the character '") + c + "' is not in the text");
      }
      tokens.push_back(static_cast<std::int64_t>(at));
    }
    return pl::Array::from(tokens, {1, static_cast<std::int64_t>(tokens.size())});
  }
  std::string decode(const pl::Array& tokens) const {
    std::string text;
    for (const std::int64_t token : tokens.to_vector<std::int64_t>())
      text += vocabulary[static_cast<std::size_t>(token)];
    return text;
  }
};

/// Reads the novels from `path`, or from where they are found.
inline Text load(std::string path = "") {
  for (const char* place : kPlaces) {
    if (path.empty() && std::ifstream(place)) path = place;
  }
  if (path.empty()) throw std::runtime_error("novels: no text found; run scripts/novels.sh");
  const std::vector<std::string> texts = read(path);
  std::array<int, 256> number{};
  for (const std::string& text : texts) {
    for (const char c : text) number[static_cast<unsigned char>(c)] = 1;
  }
  Text result;
  for (std::size_t c = 0; c < number.size(); ++c) {
    if (number[c] == 0) continue;
    number[c] = static_cast<int>(result.vocabulary.size());
    result.vocabulary += static_cast<char>(c);
  }
  std::vector<std::uint8_t> training, held_out;
  for (const std::string& text : texts) {
    const std::size_t cut = text.size() / 10 * 9;
    for (std::size_t i = 0; i < text.size(); ++i) {
      (i < cut ? training : held_out).push_back(static_cast<std::uint8_t>(number[static_cast<unsigned char>(text[i])]));
    }
  }
  result.training = pl::Array::from(training);
  result.held_out = pl::Array::from(held_out);
  return result;
}

/// int64 (N, length): the characters from each of `starts` (N) on.
inline pl::Array windows(const pl::Array& tokens, const pl::Array& starts, std::int64_t length) {
  return pl::astype(pl::take(tokens, pl::expand_dims(starts, -1) + pl::arange(length)), pl::int64);
}

/// A random batch of windows (N, length).
inline pl::Array batch(const pl::Array& tokens, const pl::random::Key& key, std::int64_t n, std::int64_t length) {
  return windows(tokens, pl::random::integers(key, {n}, 0, tokens.size() - length + 1), length);
}

/// Bits for a character of the held-out text: the mean over `places` windows spread evenly, of which the later half is
/// counted, so that each character has at least length / 2 others before it. `logits` maps (N, length) to (N, length,
/// characters), and is called with `n` windows at a time.
inline double bits_per_character(const Text& text, const std::function<pl::Array(const pl::Array&)>& logits,
                                 std::int64_t length, std::int64_t n = 32, std::int64_t places = 1024) {
  const std::int64_t half = length / 2;
  const auto loss = [&](const pl::Array& starts) {
    const pl::Array window = windows(text.held_out, starts, length + 1);
    const pl::Array scores = pl::log_softmax(logits(pl::slice(window, 1, 0, length)));
    const pl::Array next = pl::expand_dims(pl::slice(window, 1, 1, length + 1), -1);
    const pl::Array chosen = pl::squeeze(pl::take_along_axis(scores, next, -1), -1);
    return -pl::mean(pl::slice(chosen, 1, half, length));
  };
  auto compiled = pl::compile([&](const pl::Arrays& in) { return pl::Arrays{loss(in[0])}; });
  double total = 0;
  for (std::int64_t first = 0; first < places; first += n) {
    std::vector<std::int64_t> starts;
    for (std::int64_t i = first; i < first + n; ++i) {
      starts.push_back(i * (text.held_out.size() - length - 1) / places);
    }
    total += compiled(pl::Arrays{pl::Array::from(starts)})[0].item<double>();
  }
  return total * static_cast<double>(n) / static_cast<double>(places) / std::log(2.0);
}

}  // namespace novels
