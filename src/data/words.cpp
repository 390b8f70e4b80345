// Words of a table.
#include "data/words.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>

namespace pellucid::data {
namespace {

constexpr std::array<std::array<std::string_view, 2>, 6> kBooleans = {
    {{"false", "true"}, {"no", "yes"}, {"n", "y"}, {"f", "t"}, {"off", "on"}, {"0", "1"}}};

bool equal_but_case(std::string_view text, std::string_view lower) {
  return std::equal(text.begin(), text.end(), lower.begin(), lower.end(),
                    [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; });
}

}  // namespace

std::optional<bool> parse_boolean(std::string_view text) {
  for (const auto& [no, yes] : kBooleans) {
    if (equal_but_case(text, no)) return false;
    if (equal_but_case(text, yes)) return true;
  }
  return {};
}

bool are_booleans(std::span<const std::string> texts) {
  return std::any_of(kBooleans.begin(), kBooleans.end(), [&](const auto& pair) {
    std::array<bool, 2> seen = {false, false};
    for (const std::string& text : texts) {
      const bool yes = equal_but_case(text, pair[1]);
      if (!yes && !equal_but_case(text, pair[0])) return false;
      seen[yes ? 1 : 0] = true;
    }
    return seen[0] && seen[1];
  });
}

void each_word(std::string_view text, const std::function<void(std::string_view word)>& f) {
  std::string word;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    const auto c = i < text.size() ? static_cast<unsigned char>(text[i]) : static_cast<unsigned char>(' ');
    if (c > 127 || std::isalnum(c) != 0) {
      word += static_cast<char>(c > 127 ? c : std::tolower(c));
    } else if (!word.empty()) {
      f(word);
      word.clear();
    }
  }
}

std::uint64_t hash_of(std::string_view word) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char c : word) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  return hash;
}

void add_words(std::string_view text, std::span<float> buckets) {
  std::vector<std::uint64_t> hashes;
  each_word(text, [&](std::string_view word) { hashes.push_back(hash_of(word)); });
  const float unit = 1.0F / std::sqrt(static_cast<float>(std::max<std::size_t>(1, hashes.size())));
  for (const std::uint64_t hash : hashes) buckets[hash % buckets.size()] += (hash >> 63U) != 0 ? unit : -unit;
}

}  // namespace pellucid::data
