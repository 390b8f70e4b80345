// What the verbs of the program share: how they are registered, exit statuses, and writing to the terminal.
#pragma once

#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "pellucid/io.h"

namespace pellucid::cli {

// Documented in docs/command-line.md.
inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;
inline constexpr int kUsage = 2;
inline constexpr int kSignal = 128;  // and the number of the signal that ended it

/// Options that do not fit together or to the data: exit status 2.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};
template <class... Args>
[[noreturn]] void usage(fmt::format_string<Args...> format, Args&&... args) {
  throw UsageError(fmt::format(format, std::forward<Args>(args)...));
}

/// What a verb does once the command line has been read; gives the exit status.
using Action = std::function<int()>;

// Each adds its verb to the program; parsing a command line with that verb sets `action`.
void add_train(CLI::App& program, Action& action);
void add_predict(CLI::App& program, Action& action);
void add_evaluate(CLI::App& program, Action& action);
void add_compare(CLI::App& program, Action& action);
void add_inspect(CLI::App& program, Action& action);
void add_schema(CLI::App& program, Action& action);
void add_ops(CLI::App& program, Action& action);

/// How --help looks.
std::shared_ptr<CLI::FormatterBase> help_formatter();
/// The check, without a description of its own in --help.
CLI::Validator unnamed(CLI::Validator check);

/// Gives options that the command line has left out the values of a TOML file, through the same checks. A list gives
/// several values; "batch_size" and "batch-size" are one name. Throws UsageError naming file and line.
void apply_config(CLI::App& verb, const std::string& path);
/// The same of the file's text.
void apply_config(CLI::App& verb, std::string_view text, const std::string& path);

// ---- Writing --------------------------------------------------------------------------------------------------------

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
