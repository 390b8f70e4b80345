// Writing: to standard output and standard error, and numbers and tables for people.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pellucid/io.h"

namespace pellucid::cli {

/// Text to standard output. Throws Error where that fails (a full disk, a closed pipe).
void say(std::string_view text);
template <class... Args>
void say(fmt::format_string<Args...> format, Args&&... args) {
  say(std::string_view(fmt::format(format, std::forward<Args>(args)...)));
}
/// One line of JSON.
void print_json(const nlohmann::ordered_json& value);
/// "pellucid: warning: ..." to standard error.
void warn(std::string_view text);
/// What warn() has said so far.
const std::vector<std::string>& warnings();
/// The command line as it was typed, quoted for a shell.
std::string command_line();
void remember_command_line(int argc, char** argv);
/// Throws Error where text that was printed did not get to its place.
void flush();
/// Standard output is a terminal.
bool on_terminal();
/// Its columns; elsewhere what COLUMNS says, else 80.
std::size_t terminal_columns();

/// How far the reading of a file has come, with its rate and the time left: for io::CsvOptions::progress. A live line
/// on the terminal that standard error is; where it is none, a plain line every ten seconds.
std::function<void(const io::CsvProgress&)> reading_line(const std::string& source);

/// "1,234,567".
std::string grouped(std::int64_t count);
/// "1 row", "2,000 rows".
std::string counted(std::int64_t count, std::string_view one, std::string_view many);
/// "0.8 s", "12 s", "3 min 20 s", "2 h 5 min".
std::string duration(double seconds);
/// At most `limit` columns of the terminal, cut by "...".
std::string shortened(std::string_view text, std::size_t limit);
/// The columns of `text` on a terminal: its code points.
std::size_t width(std::string_view text);
/// `text` with blanks behind it (or before it, where `right`) up to `columns`.
std::string padded(std::string_view text, std::size_t columns, bool right = false);

/// Words in lines of at most `columns`, each after `indent`.
std::string wrapped(std::string_view text, std::size_t columns, std::string_view indent = "  ");

/// Rows of cells in aligned columns, two blanks apart, each line after `indent`. Columns named in `right` are aligned
/// to the right.
std::string aligned(const std::vector<std::vector<std::string>>& rows, const std::vector<bool>& right,
                    std::string_view indent = "  ");

}  // namespace pellucid::cli
