// Writing: to standard output with its errors noticed, and numbers and tables for people.
#include "terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/fail.h"

namespace pellucid::cli {

void say(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) {
    base::fail("cannot write to standard output: {}; nothing more is printed", base::errno_text(errno));
  }
}

void print_json(const nlohmann::ordered_json& value) {
  say(value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  flush();
}

namespace {

std::vector<std::string>& said() {
  static std::vector<std::string> list;
  return list;
}

std::string& remembered() {
  static std::string line;
  return line;
}

// As it is where no character means something to a shell, else within single quotes.
std::string quoted(std::string_view word) {
  const auto plain = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           std::string_view("-_./=,:+@%").find(c) != std::string_view::npos;
  };
  if (!word.empty() && std::all_of(word.begin(), word.end(), plain)) return std::string(word);
  std::string text = "'";
  for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

}  // namespace

const std::vector<std::string>& warnings() { return said(); }
std::string command_line() { return remembered(); }

void remember_command_line(int argc, char** argv) {
  remembered() = "pellucid";
  for (int i = 1; i < argc; ++i) remembered() += " " + quoted(argv[i]);
}

void warn(std::string_view text) {
  said().emplace_back(text);
  std::fflush(stdout);
  fmt::print(stderr, "pellucid: warning: {}\n", text);
}

void flush() {
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    base::fail("cannot write to standard output: {}; free some space or write elsewhere", base::errno_text(errno));
  }
}

bool on_terminal() {
  static const bool terminal = ::isatty(STDOUT_FILENO) == 1;
  return terminal;
}

std::size_t terminal_columns() {
  struct winsize size {};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  const char* given = std::getenv("COLUMNS");
  const long columns = given != nullptr ? std::strtol(given, nullptr, 10) : 0;
  return columns > 0 ? static_cast<std::size_t>(columns) : 80;
}

std::function<void(const io::CsvProgress&)> reading_line(const std::string& source) {
  using Clock = std::chrono::steady_clock;
  constexpr double kEvery = 10;  // seconds between plain lines
  const bool terminal = ::isatty(STDERR_FILENO) == 1;
  return [source, terminal, started = Clock::now(), said = 0.0](const io::CsvProgress& progress) mutable {
    const double seconds = std::chrono::duration<double>(Clock::now() - started).count();
    if (!terminal && (progress.done || seconds < said + kEvery)) return;
    said = seconds;
    const double share =
        static_cast<double>(progress.bytes) / static_cast<double>(std::max<std::uint64_t>(1, progress.total));
    std::string text = fmt::format("reading {}: {:3.0f} %, {}, {:.0f} MB/s", source, share * 100,
                                   counted(progress.rows, "row", "rows"),
                                   static_cast<double>(progress.bytes) / 1e6 / std::max(seconds, 1e-3));
    if (share > 0.01) text += fmt::format(", {} left", duration(seconds * (1 - share) / share));
    std::fflush(stdout);
    if (terminal) {
      fmt::print(stderr, "\r{}\x1b[K", progress.done ? "" : shortened(text, terminal_columns() - 1));
    } else {
      fmt::print(stderr, "pellucid: {}\n", text);
    }
  };
}

std::string grouped(std::int64_t count) {
  std::string digits = std::to_string(count);
  const std::size_t first = digits[0] == '-' ? 1 : 0;
  for (std::size_t i = digits.size(); i > first + 3; i -= 3) digits.insert(i - 3, 1, ',');
  return digits;
}

std::string counted(std::int64_t count, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", grouped(count), count == 1 ? one : many);
}

std::string duration(double seconds) {
  if (seconds < 9.95) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<std::int64_t>(std::llround(seconds));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
}

std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

std::string shortened(std::string_view text, std::size_t limit) {
  std::string clean(text);
  for (char& c : clean) {
    if (static_cast<unsigned char>(c) < 32 || c == 127) c = ' ';
  }
  if (width(clean) <= limit) return clean;
  std::size_t columns = 0;
  std::size_t end = 0;
  while (end < clean.size()) {
    if ((static_cast<unsigned char>(clean[end]) & 0xC0U) != 0x80U &&
        ++columns > limit - std::min<std::size_t>(limit, 3))
      break;
    ++end;
  }
  return clean.substr(0, end) + "...";
}

std::string padded(std::string_view text, std::size_t columns, bool right) {
  const std::size_t used = width(text);
  const std::string blanks(columns > used ? columns - used : 0, ' ');
  return right ? blanks + std::string(text) : std::string(text) + blanks;
}

std::string wrapped(std::string_view text, std::size_t columns, std::string_view indent) {
  std::string result, line;
  const auto end_line = [&] {
    result += std::string(indent) + line + "\n";
    line.clear();
  };
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    const std::string_view word = text.substr(at, end - at);
    if (!line.empty() && width(indent) + width(line) + 1 + width(word) > columns) end_line();
    if (!line.empty()) line += ' ';
    line += word;
    at = end + 1;
  }
  end_line();
  return result;
}

std::string aligned(const std::vector<std::vector<std::string>>& rows, const std::vector<bool>& right,
                    std::string_view indent) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line(indent);
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i > 0) line += "  ";
      line += padded(row[i], widths[i], i < right.size() && right[i]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

}  // namespace pellucid::cli
