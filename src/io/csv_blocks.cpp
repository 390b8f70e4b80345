// Groups of blocks of CSV text: where they begin, and what their columns hold.
#include "io/csv_blocks.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <unordered_map>

#include "base/fail.h"
#include "base/thread_pool.h"
#include "io/csv.h"
#include "io/csv_scan.h"
#include "io/text.h"
#include "pellucid/error.h"

namespace pellucid::io {
namespace {

using base::fail;
using Is = BlockColumn::Is;

constexpr std::size_t kMostColumns = 1'000'000;
constexpr std::size_t kBlocks = 32;

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// Behind the first line end at or after p that stands outside of quotes, where `quoted` says whether p stands within.
const char* behind_line_end(const char* p, const char* end, bool quoted) {
  while (p != end) {
    if (quoted) {
      p = find_byte(p, end, '"');
      if (p == end) return end;
      quoted = false;
      ++p;
      continue;
    }
    const char* line = find_line_end(p, end);
    const char* quote = find_byte(p, line, '"');
    if (quote != line) {
      quoted = true;
      p = quote + 1;
      continue;
    }
    if (line == end) return end;
    return *line == '\r' && line + 1 != end && line[1] == '\n' ? line + 2 : line + 1;
  }
  return end;
}

// Whether the first line is all there.
bool holds_line(std::string_view text, const CsvRules& rules) {
  FieldScanner scanner(text, rules.separator, rules.source);
  try {
    do {
      scanner.next();
    } while (scanner.skip_separator());
  } catch (const Error&) {
  }
  return scanner.end() - scanner.position() > 1;
}

}  // namespace

CsvBlocks::CsvBlocks(CsvInput input, const CsvOptions& options, const std::string& source, std::size_t block)
    : input_(std::move(input)), progress_(options.progress), block_(block), wanted_(block * kBlocks) {
  rules_.source = source;
  rules_.missing.insert(options.missing.begin(), options.missing.end());
  rules_.missing_numbers.insert(options.missing_numbers.begin(), options.missing_numbers.end());
  const auto is_number = [](const std::string& marker) {
    double value = 0;
    return parse_number(marker, '.', value) && !std::isnan(value);
  };
  rules_.numbers_can_be_missing =
      std::any_of(options.missing.begin(), options.missing.end(), is_number) ||
      std::any_of(options.missing_numbers.begin(), options.missing_numbers.end(), is_number);
  if (progress_) started_ = reported_ = now();
  read_header(options);
}

void CsvBlocks::read_header(const CsvOptions& options) {
  std::string_view text = input_.window(wanted_);
  check_is_text(text.substr(0, std::size_t{1} << 16), rules_.source);
  std::size_t skipped = text.starts_with("\xEF\xBB\xBF") ? 3 : 0;
  skipped = std::min(text.find_first_not_of("\r\n", skipped), text.size());
  for (const char c : text.substr(0, skipped)) line_ += c == '\n' ? 1 : 0;
  if (line_ == 1) {
    for (const char c : text.substr(0, skipped)) line_ += c == '\r' ? 1 : 0;
  }
  text.remove_prefix(skipped);
  input_.consume(skipped);
  if (text.empty()) fail("read_csv: '{}' is empty; it needs a header and at least one row", rules_.source);
  rules_.separator =
      options.separator != 0 ? options.separator : detect_separator(text.substr(0, std::size_t{1} << 20));
  check_separator(rules_.separator, "read_csv");

  while (!input_.final() && !holds_line(text, rules_)) {
    wanted_ *= 2;
    text = input_.window(wanted_);
  }
  FieldScanner scanner(text, rules_.separator, rules_.source, line_);
  std::string content;
  do {
    if (rules_.columns.size() == kMostColumns) {
      fail("read_csv: '{}', line {}: more than {} columns; is this the file that was meant?", rules_.source,
           scanner.line(), kMostColumns);
    }
    const Field field = scanner.next();
    std::string_view name = field.content;
    if (field.doubled) {
      unquote(field.content, content);
      name = content;
    }
    name = options.header ? trim(name) : std::string_view();
    check_utf8(name, scanner.line(), rules_.source);
    ColumnRule& added = rules_.columns.emplace_back();
    added.name = name.empty() ? base::format("column_{}", rules_.columns.size()) : name;
  } while (scanner.skip_separator());
  std::unordered_map<std::string_view, std::size_t> seen;
  for (std::size_t c = 0; c < rules_.columns.size(); ++c) {
    const std::string& name = rules_.columns[c].name;
    const auto [other, added] = seen.try_emplace(name, c);
    if (added) continue;
    double number = 0;
    fail("read_csv: '{}', line {}: columns {} and {} are both named '{}'; rename one{}", rules_.source, line_,
         other->second + 1, c + 1, shown(name),
         parse_number(name, '.', number) ? ", or say that the file has no header" : "");
  }
  if (options.header) {
    scanner.skip_line_end();
    line_ = scanner.line();
    input_.consume(static_cast<std::size_t>(scanner.position() - text.data()));
  }
  body_ = input_.at();
  body_line_ = line_;
  const std::unordered_set<std::string_view> texts(options.text.begin(), options.text.end());
  const std::unordered_set<std::string_view> numeric(options.numeric.begin(), options.numeric.end());
  for (ColumnRule& column : rules_.columns) {
    column.must_be_number = numeric.contains(column.name);
    if (texts.contains(column.name)) column.as = TakeAs::kText;
  }
}

bool CsvBlocks::next() {
  first_row_ = rows_;
  if (!parse_group()) {
    report(true);
    return false;
  }
  if (settle_types()) parse_group();
  const CsvBlock& last = blocks_[count_ - 1];
  for (const CsvBlock& block : blocks()) {
    rows_ += block.rows;
    line_ += block.lines;
  }
  input_.consume(static_cast<std::size_t>(last.end - begin_));
  report(false);
  return true;
}

bool CsvBlocks::parse_group() {
  while (true) {
    const std::string_view text = input_.window(wanted_);
    if (text.empty()) return false;
    begin_ = text.data();
    const char* end = text.data() + text.size();
    const bool final = input_.final();
    const std::size_t size = std::min(text.size(), wanted_);
    const std::size_t step = std::max(block_, wanted_ / kBlocks);
    count_ = (size + step - 1) / step;
    if (blocks_.size() < count_) blocks_.resize(count_);
    limits_.resize(count_);
    for (std::size_t k = 0; k < count_; ++k) limits_[k] = begin_ + std::min((k + 1) * step, size);

    std::vector<const char*> starts(count_, begin_);
    if (count_ > 1) {
      std::vector<unsigned char> quotes(count_);
      const auto pieces = static_cast<std::int64_t>(count_);
      base::parallel_for(pieces, [&](std::int64_t i) {
        const auto k = static_cast<std::size_t>(i);
        quotes[k] = count_byte(k == 0 ? begin_ : limits_[k - 1] - 1, limits_[k] - 1, '"') & 1U;
      });
      bool quoted = false;
      for (std::size_t k = 1; k < count_; ++k) {
        quoted ^= quotes[k - 1] != 0;
        starts[k] = behind_line_end(limits_[k - 1] - 1, end, quoted);
      }
    }
    const auto parse = [&](std::int64_t i) {
      const auto k = static_cast<std::size_t>(i);
      CsvBlock& block = blocks_[k];
      try {
        parse_block(rules_, starts[k], std::max(limits_[k], starts[k]), end, !final && limits_[k] == end, 1, block);
      } catch (const Error&) {
        block.failed = true;
      }
    };
    base::parallel_for(static_cast<std::int64_t>(count_), parse);
    settle_order(end, final);
    if (blocks_[count_ - 1].end != begin_) return true;
    if (final) return false;
    wanted_ *= 2;  // a row that is longer than a group
  }
}

// Parses again what did not begin where the block before it ended; what then fails is an error of the file.
void CsvBlocks::settle_order(const char* end, bool final) {
  const char* expected = begin_;
  std::int64_t line = line_;
  for (std::size_t k = 0; k < count_; ++k) {
    CsvBlock& block = blocks_[k];
    const bool cut = !final && block.end == end && limits_[k] != end;
    if (block.failed || block.begin != expected || cut) {
      parse_block(rules_, expected, std::max(limits_[k], expected), end, !final, line, block);
    }
    line += block.lines;
    expected = block.end;
    if (block.cut_off) {
      count_ = k + 1;
      break;
    }
  }
}

// True where the group is to be parsed once more, with other rules.
bool CsvBlocks::settle_types() {
  bool again = false;
  for (std::size_t c = 0; c < rules_.columns.size(); ++c) {
    ColumnRule& rule = rules_.columns[c];
    if (rule.as != TakeAs::kNumbers) continue;
    bool text = false, mixed = false, all = true;
    bool point = rule.point, comma = rule.comma;
    std::int64_t line = line_;
    for (CsvBlock& block : blocks()) {
      const BlockColumn& column = block.columns[c];
      const bool both = (point || column.point) && (comma || column.comma);
      if (both && rule.must_be_number) {  // the block alone may be in order; after those before it, it is not
        rule.point = point;
        rule.comma = comma;
        parse_block(rules_, block.begin, block.end, block.end, false, line, block);
      }
      point |= column.point;
      comma |= column.comma;
      text |= column.is == Is::kText;
      mixed |= both || column.is == Is::kMixed;
      all &= column.is == Is::kText || block.rows == 0;
      line += block.lines;
    }
    rule.point = point;
    rule.comma = comma;
    if (!text && !mixed) continue;
    if (first_row_ > 0) {
      rule.as = TakeAs::kNothing;
      late_.push_back(c);
    } else {
      rule.as = TakeAs::kText;
      again |= mixed || !all;
    }
  }
  return again;
}

void CsvBlocks::rewind() {
  input_.rewind();
  std::uint64_t left = body_;
  while (left > 0) {
    const std::uint64_t step = std::min<std::uint64_t>(left, input_.window(wanted_).size());
    input_.consume(static_cast<std::size_t>(step));
    left -= step;
  }
  line_ = body_line_;
  first_row_ = rows_ = 0;
  late_.clear();
}

std::int64_t CsvBlocks::line_of(std::int64_t row) {
  rewind();
  std::vector<TakeAs> as;
  for (ColumnRule& rule : rules_.columns) {
    as.push_back(rule.as);
    rule.as = TakeAs::kNothing;
  }
  std::int64_t line = 0;
  while (line == 0 && next()) {
    std::int64_t first = first_row_, block_line = line_;
    for (const CsvBlock& block : blocks()) block_line -= block.lines;
    for (const CsvBlock& block : blocks()) {
      if (row < first + block.rows) {
        FieldScanner scanner({block.begin, static_cast<std::size_t>(block.end - block.begin)}, rules_.separator,
                             rules_.source, block_line);
        while (true) {
          while (rules_.columns.size() > 1 && scanner.at_line_end()) scanner.skip_line_end();
          if (first++ == row) break;
          do {
            scanner.next();
          } while (scanner.skip_separator());
          scanner.skip_line_end();
        }
        line = scanner.line();
        break;
      }
      first += block.rows;
      block_line += block.lines;
    }
  }
  for (std::size_t c = 0; c < as.size(); ++c) rules_.columns[c].as = as[c];
  return line;
}

std::int64_t CsvBlocks::expected_rows() const {
  if (input_.final() && input_.passed() == input_.total()) return rows_;
  const double share =
      static_cast<double>(input_.passed()) / static_cast<double>(std::max<std::uint64_t>(input_.total(), 1));
  return static_cast<std::int64_t>(static_cast<double>(rows_) / std::max(share, 1e-9) * 1.02) + 16;
}

void CsvBlocks::report(bool done) {
  if (!progress_) return;
  constexpr double kFirst = 1, kEvery = 0.1;  // seconds
  const double time = now();
  if (time - started_ < kFirst || (!done && time - reported_ < kEvery)) return;
  reported_ = time;
  progress_({.bytes = input_.passed(), .total = input_.total(), .rows = rows_, .done = done});
}

}  // namespace pellucid::io
