// Small tools on text that the readers share.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pellucid::io {

/// `text` without blanks and tabs at its ends.
std::string_view trim(std::string_view text);
/// True where `text` is well-formed UTF-8 (Unicode 15, table 3-7): no overlong forms, no surrogates.
bool valid_utf8(std::string_view text);
/// `text` as it can stand in a one-line message: at most 40 bytes, control characters and bytes beyond ASCII that are
/// not UTF-8 as \xNN.
std::string shown(std::string_view text);
/// The whole of `text` as a decimal number ("+1", "1e5", ".5", "inf", "nan"); false where it is not one. Blanks are
/// not.
bool parse_number(std::string_view text, char decimal_point, double& value);
/// The names, the ones most like `name` first, as "'a', 'b', 'c'"; at most `most`, then "and N more".
std::string list_similar(std::string_view name, const std::vector<std::string>& names, std::size_t most = 8);
/// At most `most` of the names that `name` may have been meant to be, as "'a' or 'b'": those that hold it, else those
/// that are the fewest edits away, half of its length and 3 at most. Empty where there is none.
std::string list_near(std::string_view name, const std::vector<std::string>& names, std::size_t most = 2);
/// The number of single-character edits that lead from a to b, case ignored.
std::size_t edit_distance(std::string_view a, std::string_view b);

}  // namespace pellucid::io
