// Words of a table: those for true and false, and running text as numbers.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pellucid::data {

/// "true", "yes", "y", "t", "on", "1" and their opposites, in any case; nothing for any other text.
std::optional<bool> parse_boolean(std::string_view text);
/// Whether all texts are one pair of such words ("yes" and "no", in any case), and both are there.
bool are_booleans(std::span<const std::string> texts);

/// Calls f with each word: letters and digits of ASCII, in lower case, and all other bytes above 127.
void each_word(std::string_view text, const std::function<void(std::string_view word)>& f);

/// The hash of a word: FNV-1a of 64 bits, so that a model means the same words everywhere.
std::uint64_t hash_of(std::string_view word);

/// Adds each word with a sign to one of the buckets, both by its hash, divided by the root of the number of words
/// (Weinberger et al. 2009, "Feature hashing for large scale multitask learning").
void add_words(std::string_view text, std::span<float> buckets);

}  // namespace pellucid::data
