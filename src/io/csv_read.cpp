// Reading CSV into columns. One pass takes every column for numbers until a field says otherwise; columns that turn out
// to be text after some numbers are read once more.
#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_map>
#include <unordered_set>

#include "base/fail.h"
#include "io/csv.h"
#include "io/csv_number.h"
#include "io/file.h"
#include "io/text.h"
#include "pellucid/io.h"

namespace pellucid::io {
namespace {

using base::fail;

constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();

constexpr std::size_t kMostColumns = 1'000'000;

// The codes of the distinct values of a text column.
class Dictionary {
 public:
  // Returns the code, and whether it is new.
  std::pair<std::int32_t, bool> code(std::string_view text, std::vector<std::string>& levels) {
    if (last_ >= 0 && levels[static_cast<std::size_t>(last_)] == text) return {last_, false};
    if ((levels.size() + 1) * 2 > slots_.size()) grow(levels);
    std::size_t slot = hash(text) & (slots_.size() - 1);
    while (slots_[slot] >= 0) {
      last_ = slots_[slot];
      if (levels[static_cast<std::size_t>(last_)] == text) return {last_, false};
      slot = (slot + 1) & (slots_.size() - 1);
    }
    slots_[slot] = last_ = static_cast<std::int32_t>(levels.size());
    levels.emplace_back(text);
    return {last_, true};
  }

 private:
  static std::size_t hash(std::string_view text) { return std::hash<std::string_view>()(text); }
  void grow(const std::vector<std::string>& levels) {
    slots_.assign(std::max<std::size_t>(64, slots_.size() * 2), -1);
    for (std::size_t i = 0; i < levels.size(); ++i) {
      std::size_t slot = hash(levels[i]) & (slots_.size() - 1);
      while (slots_[slot] >= 0) slot = (slot + 1) & (slots_.size() - 1);
      slots_[slot] = static_cast<std::int32_t>(i);
    }
  }

  std::vector<std::int32_t> slots_;  // a power of two of them, at most half in use; -1 where free
  std::int32_t last_ = -1;
};

enum class Mode { kNumber, kText, kSkip };

struct State {
  Mode mode = Mode::kNumber;
  bool must_be_number = false;
  bool point = false, comma = false;  // which decimal points were seen
  bool again = false;                 // turned out to be text after fields that were taken for numbers
  std::int64_t markers = 0;           // fields that are missing in a column of numbers
  std::string marker;                 // the first of them
  std::int64_t text_line = 0;         // of the field that is not a number
  std::string text;
  Dictionary dictionary;
};

class Reader {
 public:
  Reader(std::string_view text, const CsvOptions& options, const std::string& source)
      : options_(options),
        source_(source),
        text_(text),
        separator_(options.separator != 0 ? options.separator : detect_separator(text.substr(0, std::size_t{1} << 20))),
        missing_(options.missing.begin(), options.missing.end()),
        missing_numbers_(options.missing_numbers.begin(), options.missing_numbers.end()) {
    check_separator(separator_, "read_csv");
    const auto is_number = [](const std::string& marker) {
      double value = 0;
      return parse_number(marker, '.', value) && !std::isnan(value);
    };
    numbers_can_be_missing_ = std::any_of(options.missing.begin(), options.missing.end(), is_number) ||
                              std::any_of(options.missing_numbers.begin(), options.missing_numbers.end(), is_number);
  }

  Table read() {
    FieldScanner scanner(text_, separator_, source_);
    read_header(scanner);
    const FieldScanner body = scanner;
    read_rows(scanner);
    if (rows_ == 0) fail("read_csv: '{}' has a header and no rows; add at least one", source_);
    if (settle()) {
      scanner = body;
      const std::int64_t rows = std::exchange(rows_, 0);
      read_rows(scanner);
      rows_ = rows;
    }
    finish();
    return std::move(table_);
  }

 private:
  Column& column(std::size_t c) { return table_.columns[c]; }

  std::string_view content(const Field& field) {
    if (!field.doubled) return field.content;
    scratch_.clear();
    for (std::size_t i = 0; i < field.content.size(); ++i) {
      scratch_ += field.content[i];
      if (field.content[i] == '"') ++i;
    }
    return scratch_;
  }

  void check_utf8(std::string_view text, std::int64_t line) const {
    if (valid_utf8(text)) return;
    fail(
        "read_csv: '{}', line {}: '{}' is not UTF-8 (Latin-1, perhaps); convert the file: iconv -f LATIN1 -t UTF-8 IN "
        "> OUT",
        source_, line, shown(text));
  }

  void read_header(FieldScanner& scanner) {
    while (scanner.at_line_end()) scanner.skip_line_end();
    const FieldScanner begin = scanner;
    const std::int64_t line = scanner.line();
    do {
      if (table_.columns.size() == kMostColumns) {
        fail("read_csv: '{}', line {}: more than {} columns; is this the file that was meant?", source_, scanner.line(),
             kMostColumns);
      }
      const Field field = scanner.next();
      const std::string name(options_.header ? trim(content(field)) : std::string_view());
      check_utf8(name, scanner.line());
      Column& added = table_.columns.emplace_back();
      added.name = name.empty() ? base::format("column_{}", table_.columns.size()) : name;
    } while (scanner.skip_separator());
    if (options_.header) {
      scanner.skip_line_end();
    } else {
      scanner = begin;
    }
    std::unordered_map<std::string_view, std::size_t> seen;
    for (std::size_t c = 0; c < table_.columns.size(); ++c) {
      const auto [other, added] = seen.try_emplace(column(c).name, c);
      if (added) continue;
      double number = 0;
      fail("read_csv: '{}', line {}: columns {} and {} are both named '{}'; rename one{}", source_, line,
           other->second + 1, c + 1, shown(column(c).name),
           parse_number(column(c).name, '.', number) ? ", or say that the file has no header" : "");
    }
    states_.resize(table_.columns.size());
    const std::unordered_set<std::string_view> text(options_.text.begin(), options_.text.end());
    const std::unordered_set<std::string_view> numeric(options_.numeric.begin(), options_.numeric.end());
    for (std::size_t c = 0; c < states_.size(); ++c) {
      states_[c].must_be_number = numeric.contains(column(c).name);
      if (text.contains(column(c).name)) become_text(c, 0);
    }
  }

  void read_rows(FieldScanner& scanner) {
    const std::size_t columns = states_.size();
    const std::size_t lines = count_line_feeds(scanner.position(), scanner.end()) + 1;
    // A row takes a byte for each column at least; a file of empty lines must not ask for more.
    const std::size_t bytes = static_cast<std::size_t>(scanner.end() - scanner.position());
    reserve(std::min(lines, bytes / columns + 1));
    while (!scanner.at_end()) {
      if (columns > 1 && scanner.at_line_end()) {
        scanner.skip_line_end();
        continue;
      }
      if (static_cast<std::size_t>(rows_) == capacity_) reserve(capacity_ * 2);
      read_row(scanner);
      scanner.skip_line_end();
      ++rows_;
    }
  }

  void read_row(FieldScanner& scanner) {
    const std::int64_t line = scanner.line();
    const std::size_t columns = states_.size();
    const char* const end = scanner.end();
    const char* p = scanner.position();  // apart from the scanner's, so that it stays in a register
    for (std::size_t c = 0; c < columns; ++c) {
      if (!read_plain(scanner, c, p, end)) {
        scanner.advance(p);
        read_field(scanner, c);
        p = scanner.position();
      }
      const bool more = p != end && *p == separator_;
      p += more ? 1 : 0;
      if (more != (c + 1 < columns)) {
        scanner.advance(p);
        ragged(scanner, line, c);
      }
    }
    scanner.advance(p);
  }

  // Reads a number in plain form and steps behind it; false where the field at p is none.
  bool read_plain(const FieldScanner& scanner, std::size_t c, const char*& p, const char* end) {
    State& state = states_[c];
    if (state.mode != Mode::kNumber || numbers_can_be_missing_) return false;
    const ParsedNumber number = parse_field_number(p, end);
    if (number.end == nullptr || (number.end != end && !scanner.delimits(*number.end))) return false;
    if (number.has_point) {
      if (state.comma) return false;
      state.point = true;
    }
    column(c).numbers[static_cast<std::size_t>(rows_)] = number.value;
    p = number.end;
    return true;
  }

  void read_field(FieldScanner& scanner, std::size_t c) {
    const State& state = states_[c];
    const std::int64_t line = scanner.line();
    const Field field = scanner.next();
    if (state.mode == Mode::kNumber) {
      read_number(c, content(field), line);
    } else if (state.mode == Mode::kText) {
      store_text(c, content(field), line);
    }
  }

  void store_text(std::size_t c, std::string_view text, std::int64_t line) {
    std::int32_t code = -1;
    if (!text.empty() && !missing_.contains(text)) {
      bool added = false;
      std::tie(code, added) = states_[c].dictionary.code(text, column(c).levels);
      if (added) check_utf8(text, line);
    }
    column(c).codes[static_cast<std::size_t>(rows_)] = code;
  }

  void read_number(std::size_t c, std::string_view text, std::int64_t line) {
    State& state = states_[c];
    double& value = column(c).numbers[static_cast<std::size_t>(rows_)];
    value = kMissing;
    if (text.empty() || missing_.contains(text)) return;
    const std::string_view bare = trim(text);
    if (numbers_can_be_missing_ && missing_numbers_.contains(bare)) {
      value = kMissing;
    } else if (parse_number(bare, '.', value)) {
      state.point |= bare.find('.') != std::string_view::npos;
    } else if (separator_ != ',' && parse_number(bare, ',', value)) {
      state.comma = true;
    } else {
      value = kMissing;
      if (!bare.empty() && !missing_numbers_.contains(bare)) {
        not_a_number(c, text, line);
        return;
      }
    }
    if (state.point && state.comma) {
      not_a_number(c, text, line);
    } else if (std::isnan(value) && state.markers++ == 0) {
      state.marker = bare;
    }
  }

  void not_a_number(std::size_t c, std::string_view text, std::int64_t line) {
    State& state = states_[c];
    if (state.must_be_number) {
      fail("read_csv: '{}', line {}: '{}' in column '{}' is not a number; {}", source_, line, shown(text),
           shown(column(c).name),
           state.point && state.comma ? "use one decimal point in the whole column"
                                      : "correct it, or leave the field empty where the value is missing");
    }
    const std::vector<double>& numbers = column(c).numbers;
    const auto end = numbers.begin() + rows_;
    state.text_line = line;
    state.text = text;
    state.again = state.markers > 0 || std::any_of(numbers.begin(), end, [](double x) { return !std::isnan(x); });
    if (state.again) {
      state.mode = Mode::kSkip;
    } else {
      become_text(c, capacity_);
      store_text(c, text, line);
    }
  }

  void become_text(std::size_t c, std::size_t capacity) {
    states_[c].mode = Mode::kText;
    column(c).text = true;
    column(c).numbers = {};
    column(c).codes.assign(capacity, -1);
  }

  // After the first pass: true where some columns are to be read once more.
  bool settle() {
    bool again = false;
    for (std::size_t c = 0; c < states_.size(); ++c) {
      State& state = states_[c];
      if (state.mode == Mode::kNumber && state.markers > 0 && !state.must_be_number) {
        const auto& numbers = column(c).numbers;
        state.again = std::all_of(numbers.begin(), numbers.begin() + rows_, [](double x) { return std::isnan(x); });
      }
      if (state.again) {
        become_text(c, capacity_);
        again = true;
      } else {
        state.mode = Mode::kSkip;
      }
    }
    return again;
  }

  void finish() {
    table_.rows = rows_;
    table_.source = source_;
    const auto rows = static_cast<std::size_t>(rows_);
    for (std::size_t c = 0; c < states_.size(); ++c) {
      const State& state = states_[c];
      Column& done = column(c);
      if (!done.text) {
        done.numbers.resize(rows);
        if (state.markers > 0) {
          table_.notes.push_back(base::format("column '{}': fields such as '{}' are read as missing, {} in all",
                                              shown(done.name), shown(state.marker), state.markers));
        }
        continue;
      }
      done.codes.resize(rows);
      if (state.again && state.text_line > 0) note_nearly_numeric(done, state);
    }
  }

  // A stray word in a column of numbers makes it text; whoever trains on it should hear so.
  void note_nearly_numeric(const Column& done, const State& state) {
    std::vector<bool> numeric(done.levels.size());
    double value = 0;
    for (std::size_t i = 0; i < numeric.size(); ++i) numeric[i] = parse_number(trim(done.levels[i]), '.', value);
    std::int64_t numbers = 0, others = 0;
    for (const std::int32_t code : done.codes) {
      if (code >= 0) ++(numeric[static_cast<std::size_t>(code)] ? numbers : others);
    }
    if (numbers < 9 * others) return;
    table_.notes.push_back(
        base::format("column '{}' is text: {} of {} fields are not numbers, the first '{}' in line {}; correct them, "
                     "or name them as missing",
                     shown(done.name), others, numbers + others, shown(state.text), state.text_line));
  }

  void reserve(std::size_t capacity) {
    capacity_ = std::max(capacity, capacity_);
    for (std::size_t c = 0; c < states_.size(); ++c) {
      if (states_[c].mode == Mode::kNumber) {
        std::vector<double>& numbers = column(c).numbers;
        numbers.reserve(capacity_);
        prefer_large_pages(numbers.data(), capacity_ * sizeof(double));
        numbers.resize(capacity_);
      }
      if (states_[c].mode == Mode::kText) column(c).codes.resize(capacity_, -1);
    }
  }

  [[noreturn]] void ragged(FieldScanner& scanner, std::int64_t line, std::size_t c) {
    std::size_t fields = c + 1;
    std::string first_extra;
    if (c + 1 == states_.size()) {  // the separator behind the last column is passed
      do {
        const Field field = scanner.next();
        if (fields++ == states_.size()) first_extra = content(field);
      } while (scanner.skip_separator());
      fail(
          "read_csv: '{}', line {}: {} fields where the header has {} columns ('{}' is the first too many); remove "
          "them, or quote a field that holds '{}'",
          source_, line, fields, states_.size(), shown(first_extra), shown({&separator_, 1}));
    }
    fail(
        "read_csv: '{}', line {}: {} {} where the header has {} columns (none for column '{}'); add the missing "
        "ones, empty where there is no value",
        source_, line, fields, fields == 1 ? "field" : "fields", states_.size(), shown(column(fields).name));
  }

  const CsvOptions& options_;
  const std::string& source_;
  std::string_view text_;
  char separator_;
  std::unordered_set<std::string_view> missing_, missing_numbers_;
  bool numbers_can_be_missing_ = false;  // -999 and the like
  Table table_;
  std::vector<State> states_;  // one for each column
  std::int64_t rows_ = 0;
  std::size_t capacity_ = 0;
  std::string scratch_;
};

}  // namespace

Table parse_csv(std::string_view text, const CsvOptions& options, const std::string& source) {
  check_is_text(text, source);
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  const std::size_t first = text.find_first_not_of("\r\n");
  if (first == std::string_view::npos) fail("read_csv: '{}' is empty; it needs a header and at least one row", source);
  return Reader(text, options, source).read();
}

Table read_csv(const std::string& path, const CsvOptions& options) {
  FileBytes bytes = read_file(path, "read_csv");
  if (is_gzip(bytes.view())) bytes = gunzip(bytes.view(), path, "read_csv");
  return parse_csv(bytes.view(), options, path);
}

}  // namespace pellucid::io
