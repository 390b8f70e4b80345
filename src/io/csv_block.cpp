// Parsing one block of CSV text.
#include "io/csv_block.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/fail.h"
#include "io/csv.h"
#include "io/csv_number.h"
#include "io/csv_scan.h"
#include "io/text.h"
#include "pellucid/error.h"

namespace pellucid::io {
namespace {

using base::fail;
using Is = BlockColumn::Is;

constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();

class BlockParser {
 public:
  BlockParser(const CsvRules& rules, CsvBlock& block, const char* begin, const char* end, std::int64_t line)
      : rules_(rules),
        block_(block),
        separator_(rules.separator),
        scanner_({begin, static_cast<std::size_t>(end - begin)}, rules.separator, rules.source, line) {
    block.begin = block.end = begin;
    block.rows = block.lines = 0;
    block.failed = block.cut_off = false;
    block.kept.clear();
    block.columns.resize(rules.columns.size());
    for (std::size_t c = 0; c < rules.columns.size(); ++c) {
      const ColumnRule& rule = rules.columns[c];
      BlockColumn& column = block.columns[c];
      column.is = rule.as == TakeAs::kNumbers ? Is::kNumbers : rule.as == TakeAs::kText ? Is::kText : Is::kNothing;
      column.point = rule.point;
      column.comma = rule.comma;
      column.markers = 0;
      column.levels.clear();
      column.dictionary.clear();
    }
  }

  void parse(const char* limit, bool more) {
    const std::int64_t first_line = scanner_.line();
    refuse_zeros(block_.begin, limit, first_line);
    // A row takes a byte for each column at least; a block of empty lines must not ask for more.
    const auto bytes = static_cast<std::size_t>(limit - block_.begin);
    reserve(std::min(count_byte(block_.begin, limit, '\n') + 1, bytes / block_.columns.size() + 1));
    const bool blank_lines_count = block_.columns.size() == 1;
    while (scanner_.position() < limit) {
      const bool blank = !blank_lines_count && scanner_.at_line_end();
      if (more && !is_whole(scanner_)) {
        block_.cut_off = true;
        break;
      }
      if (!blank) {
        if (static_cast<std::size_t>(block_.rows) == capacity_) reserve(capacity_ * 2);
        read_fields();
        ++block_.rows;
      }
      scanner_.skip_line_end();
    }
    block_.end = scanner_.position();
    block_.lines = scanner_.line() - first_line;
    if (block_.end > limit) refuse_zeros(limit, block_.end, first_line);
  }

 private:
  void refuse_zeros(const char* begin, const char* end, std::int64_t first_line) const {
    const void* zero = begin == end ? nullptr : std::memchr(begin, 0, static_cast<std::size_t>(end - begin));
    if (zero == nullptr) return;
    const auto line =
        first_line + static_cast<std::int64_t>(count_byte(block_.begin, static_cast<const char*>(zero), '\n'));
    fail("read_csv: '{}', line {}: a NUL byte; the file is damaged or no text: export it again", rules_.source, line);
  }

  void reserve(std::size_t capacity) {
    capacity_ = std::max(capacity, capacity_);
    for (BlockColumn& column : block_.columns) {
      if (column.is == Is::kNumbers && column.numbers.size() < capacity_) column.numbers.resize(capacity_);
      if (column.is == Is::kText && column.codes.size() < capacity_) column.codes.resize(capacity_);
    }
  }

  // Whether all of the row is there, with its line end: a carriage return may be half of one.
  static bool is_whole(FieldScanner scanner) {
    try {
      do {
        scanner.next();
      } while (scanner.skip_separator());
    } catch (const Error&) {  // its message shows some bytes
      return scanner.end() - scanner.position() > 32;
    }
    const char* p = scanner.position();
    return p != scanner.end() && !(*p == '\r' && p + 1 == scanner.end());
  }

  void read_fields() {
    const std::int64_t line = scanner_.line();
    const std::size_t columns = block_.columns.size();
    const char* const end = scanner_.end();
    const char* p = scanner_.position();  // apart from the scanner's, so that it stays in a register
    for (std::size_t c = 0; c < columns; ++c) {
      if (!read_plain(c, p, end)) {
        scanner_.advance(p);
        read_field(c);
        p = scanner_.position();
      }
      const bool more = p != end && *p == separator_;
      p += more ? 1 : 0;
      if (more != (c + 1 < columns)) {
        scanner_.advance(p);
        ragged(line, c);
      }
    }
    scanner_.advance(p);
  }

  // Reads a field in plain form and steps behind it: a number, nothing, or text of one line without doubled quotes.
  // False, and nothing done, where the field at p is of another form.
  bool read_plain(std::size_t c, const char*& p, const char* end) {
    BlockColumn& column = block_.columns[c];
    if (column.is == Is::kText) return read_plain_text(column, p, end);
    if (column.is != Is::kNumbers || rules_.numbers_can_be_missing) return false;
    double& value = column.numbers[static_cast<std::size_t>(block_.rows)];
    if (p != end && scanner_.delimits(*p)) {
      value = kMissing;
      return true;
    }
    const ParsedNumber number = parse_field_number(p, end);
    if (number.end == nullptr || (number.end != end && !scanner_.delimits(*number.end))) return false;
    if (number.has_point) {
      if (column.comma) return false;
      column.point = true;
    }
    value = number.value;
    p = number.end;
    return true;
  }

  bool read_plain_text(BlockColumn& column, const char*& p, const char* end) {
    if (p == end || *p == ' ' || !rules_.missing.empty()) return false;
    std::string_view text;
    const char* behind = nullptr;
    if (*p == '"') {
      const char* close = scan::find(p + 1, end, '"', '\n', '\r');
      if (close == end || *close != '"') return false;
      behind = close + 1;
      if (behind != end && !scanner_.delimits(*behind)) return false;
      text = {p + 1, static_cast<std::size_t>(close - p - 1)};
    } else {
      behind = find_field_end(p, end, separator_);
      text = {p, static_cast<std::size_t>(behind - p)};
    }
    std::int32_t code = -1;
    if (!text.empty()) {
      bool added = false;
      std::tie(code, added) = column.dictionary.code(text, column.levels);
      if (added) {
        check_utf8(text, scanner_.line(), rules_.source);
        column.levels.push_back(text);
      }
    }
    column.codes[static_cast<std::size_t>(block_.rows)] = code;
    p = behind;
    return true;
  }

  void read_field(std::size_t c) {
    const BlockColumn& column = block_.columns[c];
    const std::int64_t line = scanner_.line();
    const Field field = scanner_.next();
    if (column.is == Is::kText) {
      store_text(c, field, line);
    } else if (column.is == Is::kNumbers) {
      read_number(c, field, line);
    }
  }

  std::string_view content(const Field& field) {
    if (!field.doubled) return field.content;
    unquote(field.content, scratch_);
    return scratch_;
  }

  void store_text(std::size_t c, const Field& field, std::int64_t line) {
    BlockColumn& column = block_.columns[c];
    const std::string_view text = content(field);
    std::int32_t code = -1;
    if (!text.empty() && (rules_.missing.empty() || !is_in(rules_.missing, text))) {
      bool added = false;
      std::tie(code, added) = column.dictionary.code(text, column.levels);
      if (added) {
        check_utf8(text, line, rules_.source);
        column.levels.push_back(field.doubled ? std::string_view(block_.kept.emplace_back(text)) : text);
      }
    }
    column.codes[static_cast<std::size_t>(block_.rows)] = code;
  }

  static bool is_in(const std::unordered_set<std::string>& set, std::string_view text) {
    return set.contains(std::string(text));
  }

  void read_number(std::size_t c, const Field& field, std::int64_t line) {
    BlockColumn& column = block_.columns[c];
    const std::string_view text = content(field);
    double& value = column.numbers[static_cast<std::size_t>(block_.rows)];
    value = kMissing;
    if (text.empty() || (!rules_.missing.empty() && is_in(rules_.missing, text))) return;
    const std::string_view bare = trim(text);
    if (rules_.numbers_can_be_missing && is_in(rules_.missing_numbers, bare)) {
      value = kMissing;
    } else if (parse_number(bare, '.', value)) {
      column.point |= bare.find('.') != std::string_view::npos;
    } else if (separator_ != ',' && parse_number(bare, ',', value)) {
      column.comma = true;
    } else {
      value = kMissing;
      if (!bare.empty() && !is_in(rules_.missing_numbers, bare)) {
        not_a_number(c, field, text, line);
        return;
      }
    }
    if (column.point && column.comma) {
      not_a_number(c, field, text, line);
    } else if (std::isnan(value) && column.markers++ == 0) {
      column.marker = field.doubled ? std::string_view(block_.kept.emplace_back(bare)) : bare;
    }
  }

  void not_a_number(std::size_t c, const Field& field, std::string_view text, std::int64_t line) {
    BlockColumn& column = block_.columns[c];
    const ColumnRule& rule = rules_.columns[c];
    if (rule.must_be_number) {
      fail("read_csv: '{}', line {}: '{}' in column '{}' is not a number; {}", rules_.source, line, shown(text),
           shown(rule.name),
           column.point && column.comma ? "use one decimal point in the whole column"
                                        : "correct it, or leave the field empty where the value is missing");
    }
    const auto end = column.numbers.begin() + block_.rows;
    if (column.markers > 0 || std::any_of(column.numbers.begin(), end, [](double x) { return !std::isnan(x); })) {
      column.is = Is::kMixed;
      return;
    }
    column.is = Is::kText;
    if (column.codes.size() < capacity_) column.codes.resize(capacity_);
    std::fill_n(column.codes.begin(), block_.rows, -1);
    store_text(c, field, line);
  }

  [[noreturn]] void ragged(std::int64_t line, std::size_t c) {
    const std::size_t columns = rules_.columns.size();
    std::size_t fields = c + 1;
    std::string first_extra;
    if (c + 1 == columns) {  // the separator behind the last column is passed
      do {
        const Field field = scanner_.next();
        if (fields++ == columns) first_extra = content(field);
      } while (scanner_.skip_separator());
      fail(
          "read_csv: '{}', line {}: {} fields where the header has {} columns ('{}' is the first too many); remove "
          "them, or quote a field that holds '{}'",
          rules_.source, line, fields, columns, shown(first_extra), shown({&separator_, 1}));
    }
    fail(
        "read_csv: '{}', line {}: {} {} where the header has {} columns (none for column '{}'); add the missing "
        "ones, empty where there is no value",
        rules_.source, line, fields, fields == 1 ? "field" : "fields", columns, shown(rules_.columns[fields].name));
  }

  const CsvRules& rules_;
  CsvBlock& block_;
  char separator_;
  FieldScanner scanner_;
  std::size_t capacity_ = 0;
  std::string scratch_;
};

}  // namespace

void parse_block(const CsvRules& rules, const char* begin, const char* limit, const char* end, bool more,
                 std::int64_t line, CsvBlock& block) {
  BlockParser(rules, block, begin, end, line).parse(limit, more);
}

}  // namespace pellucid::io
