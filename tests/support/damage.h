// Damage to files: every length, every bit, and changes at random, after which a parser may throw an Error and nothing
// else.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <iterator>
#include <memory>
#include <random>
#include <string>

#include "io/file.h"
#include "pellucid/error.h"

namespace pellucid {

using Parser = std::function<void(const std::string&)>;

/// In memory of exactly its size, so that one byte too far is seen.
inline io::FileBytes exact(const std::string& text) {
  std::unique_ptr<char[]> data(new char[text.size()]);
  text.copy(data.get(), text.size());
  return {std::move(data), text.size()};
}

/// One change of the kind that breaks parsers: bits, numbers at their limits, parts lost, doubled or moved.
inline void mutate(std::string& text, std::mt19937_64& random) {
  const auto below = [&](std::size_t n) { return n == 0 ? 0 : static_cast<std::size_t>(random() % n); };
  const std::size_t at = below(text.size());
  const std::size_t length = std::min(text.size() - at, 1 + below(random() % 4 == 0 ? 64 : 8));
  switch (random() % 9) {
    case 0:
      if (!text.empty()) text[at] ^= static_cast<char>(1U << (random() % 8));
      break;
    case 1:
      if (!text.empty()) text[at] = static_cast<char>(random());
      break;
    case 2: {
      constexpr std::uint64_t kNumbers[] = {0,
                                            1,
                                            0x7F,
                                            0x80,
                                            0xFF,
                                            0x7FFF,
                                            0xFFFF,
                                            0x7FFFFFFF,
                                            0x80000000,
                                            0xFFFFFFFF,
                                            0x7FFFFFFFFFFFFFFF,
                                            0x8000000000000000,
                                            0xFFFFFFFFFFFFFFFF};
      const std::uint64_t number = kNumbers[random() % std::size(kNumbers)];
      const std::size_t size = std::min<std::size_t>(text.size() - at, std::size_t{1} << (random() % 4));
      std::memcpy(text.data() + at, &number, size);
      break;
    }
    case 3:
      text.erase(at, length);
      break;
    case 4:
      text.insert(at, text.substr(at, length));
      break;
    case 5:
      text.insert(below(text.size() + 1), text.substr(at, length));
      break;
    case 6: {
      constexpr const char* kParts[] = {"\"",
                                        "\"\"",
                                        ",",
                                        "\n",
                                        "\r",
                                        "-",
                                        "1e999",
                                        "nan",
                                        "[",
                                        "]",
                                        "{",
                                        "}",
                                        ":",
                                        "null",
                                        "18446744073709551615",
                                        "-1",
                                        "'",
                                        "(",
                                        ")",
                                        "\\u0000",
                                        "PK\x01\x02",
                                        "\x1f\x8b\x08",
                                        " ",
                                        "\xC3",
                                        "0.00000000000000000000000001"};
      text.insert(below(text.size() + 1), kParts[random() % std::size(kParts)]);
      break;
    }
    case 7:
      text.resize(at);
      break;
    default:
      text.insert(at, length, '\0');
  }
}

/// Gives `parse` the good text, each of its beginnings, each text that differs in one bit, and a few hundred that are
/// changed at random; as many as the environment
/// variable PELLUCID_MUTATIONS says, where it is set.
inline void damage(const std::string& name, const std::string& good, const Parser& parse) {
  const char* wanted = std::getenv("PELLUCID_MUTATIONS");
  const long changes = wanted != nullptr ? std::atol(wanted) : 400;
  const auto attempt = [&](const std::string& text, const std::string& what) {
    try {
      parse(text);
    } catch (const Error& error) {
      EXPECT_EQ(std::string_view(error.what()).find('\n'), std::string_view::npos) << name << ": " << error.what();
    } catch (const std::exception& error) {
      ADD_FAILURE() << name << ", " << what << ": " << error.what();
    }
  };
  attempt(good, "unchanged");
  for (std::size_t n = 0; n < good.size(); ++n) attempt(good.substr(0, n), "cut at " + std::to_string(n));
  for (std::size_t bit = 0; bit < 8 * good.size(); ++bit) {
    std::string text = good;
    text[bit / 8] ^= static_cast<char>(1U << (bit % 8));
    attempt(text, "bit " + std::to_string(bit) + " flipped");
  }
  std::mt19937_64 random(std::hash<std::string>()(name));
  for (long i = 0; i < changes; ++i) {
    std::string text = good;
    for (std::uint64_t k = random() % 4 + 1; k-- > 0;) mutate(text, random);
    attempt(text, "change " + std::to_string(i));
  }
}

}  // namespace pellucid
