// What options take: checks whose messages say it in words.
#pragma once

#include <CLI/App.hpp>
#include <cstdint>
#include <string>
#include <vector>

namespace pellucid::cli {

// Each refuses with "'VALUE' is not ...", behind the option's name; none adds a text of its own to --help.

/// A number above 0, and finite.
CLI::Validator positive();
/// A number that is 0 or above, and finite.
CLI::Validator not_negative();
/// A number that is at least 0 and below 1.
CLI::Validator share();
inline constexpr std::uint64_t kAny = std::uint64_t{1} << 40;  // as good as no limit
/// A whole number in plain digits, `least` to `most`.
CLI::Validator whole(std::uint64_t least, std::uint64_t most = kAny);
/// One of the names; the one that may have been meant is said.
CLI::Validator one_of(std::vector<std::string> names);
/// The same, and then the place among them, from 0, is what counts: for an enumeration in the order of its values.
CLI::Validator place_among(std::vector<std::string> names);
/// yes or no; true and false are these too, as files of options write them.
CLI::Validator yes_or_no();

/// Throws UsageError for an option that takes a value and has none: "--run" before another option, "--run=", or at the
/// end (the parser takes the next word for the value, whatever it is); and for a list with an empty place, as 3,,4.
/// `words` are those behind the verb.
void check_values(const CLI::App& verb, const std::vector<std::string>& words);

}  // namespace pellucid::cli
