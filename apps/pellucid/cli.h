// What the verbs of the program share: how they are registered, and exit statuses.
#pragma once

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

#include "terminal.h"  // IWYU pragma: export

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

/// A signal ended what is not gone on with later: exit status kSignal + signal.
class Interrupted : public std::runtime_error {
 public:
  Interrupted(int signal, const std::string& what) : std::runtime_error(what), signal_(signal) {}
  int signal() const { return signal_; }

 private:
  int signal_;
};

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
/// "there is no option '--epoch'; perhaps '--epochs' is meant; `command --help` lists all". `word` as it was given:
/// with dashes, or as a key of a file.
std::string no_option(const CLI::App& verb, const std::string& word, const std::string& command);

/// Gives options that the command line has left out the values of a TOML file, through the same checks. A list gives
/// several values; "batch_size" and "batch-size" are one name. Throws UsageError naming file and line.
void apply_config(CLI::App& verb, const std::string& path);
/// The same of the file's text.
void apply_config(CLI::App& verb, std::string_view text, const std::string& path);

}  // namespace pellucid::cli
