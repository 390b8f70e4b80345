// Splitting CSV text into fields, and finding out the separator.
#include "io/csv.h"

#include <algorithm>
#include <cctype>
#include <vector>

#include "base/fail.h"
#include "io/csv_scan.h"
#include "io/idx.h"
#include "io/text.h"

namespace pellucid::io {

using base::fail;

void check_separator(char separator, std::string_view what) {
  const auto byte = static_cast<unsigned char>(separator);
  constexpr std::string_view kTaken = "\"+-.\n\r";
  if (byte == 0 || byte >= 0x7F || (byte < 0x20 && separator != '\t') || std::isalnum(byte) != 0 ||
      kTaken.find(separator) != std::string_view::npos) {
    fail("{}: '{}' cannot separate fields; take ',', ';', '|' or a tab", what, shown({&separator, 1}));
  }
}

char detect_separator(std::string_view text) {
  constexpr std::string_view kCandidates = ",;\t|";
  constexpr std::size_t kLines = 20;
  using Counts = std::array<int, kCandidates.size()>;
  std::vector<Counts> lines(1, Counts{});
  bool quoted = false, empty = true;
  for (const char c : text) {
    if (c == '"') quoted = !quoted;
    if (quoted) continue;
    if (c == '\n' || c == '\r') {
      if (empty) continue;
      if (lines.size() == kLines) break;
      lines.emplace_back();
      empty = true;
      continue;
    }
    empty = false;
    const std::size_t which = kCandidates.find(c);
    if (which != std::string_view::npos) ++lines.back()[which];
  }
  if (empty && lines.size() > 1) lines.pop_back();

  // Evenness decides before number: in "1,5;2,5" under "a;b" commas are many, but not in every line.
  std::pair<std::size_t, int> best{0, 0};
  std::size_t separator = 0;
  for (std::size_t i = 0; i < kCandidates.size(); ++i) {
    const int first = lines.front()[i];
    if (first == 0) continue;
    const auto even = static_cast<std::size_t>(
        std::count_if(lines.begin(), lines.end(), [&](const Counts& counts) { return counts[i] == first; }));
    if (std::pair(even, first) > best) {
      best = {even, first};
      separator = i;
    }
  }
  return kCandidates[separator];
}

void check_is_text(std::string_view bytes, const std::string& source) {
  using namespace std::string_view_literals;
  constexpr std::string_view kConvert = "save it as UTF-8, or convert it: iconv -f UTF-16 -t UTF-8 IN > OUT";
  if (bytes.starts_with("\xFF\xFE\0\0"sv) || bytes.starts_with("\0\0\xFE\xFF"sv)) {
    fail("read_csv: '{}' is UTF-32 text; save it as UTF-8, or convert it: iconv -f UTF-32 -t UTF-8 IN > OUT", source);
  }
  if (bytes.starts_with("\xFF\xFE"sv) || bytes.starts_with("\xFE\xFF"sv)) {
    fail("read_csv: '{}' is UTF-16 text; {}", source, kConvert);
  }
  if (bytes.starts_with("PK\x03\x04"sv)) {
    fail("read_csv: '{}' is a zip archive or a workbook, not CSV; unpack it, or save the sheet as CSV", source);
  }
  if (bytes.starts_with("PAR1"sv)) fail("read_csv: '{}' is a Parquet file, not CSV; export it as CSV", source);
  if (looks_like_idx(bytes)) {
    fail("read_csv: '{}' is an IDX file, not CSV; give the folder of the images and labels", source);
  }
  if (bytes.starts_with("\x93NUMPY"sv)) {
    fail("read_csv: '{}' is an NPY file, not CSV; save images and labels together by numpy.savez", source);
  }
  const std::size_t zero = bytes.find('\0');
  if (zero == std::string_view::npos) return;
  // UTF-16 without its mark shows in Western text by zeros in every second place.
  std::array<std::size_t, 2> zeros{};
  const std::string_view head = bytes.substr(0, 256);
  for (std::size_t i = 0; i < head.size(); ++i) zeros[i % 2] += head[i] == '\0' ? 1 : 0;
  if (std::max(zeros[0], zeros[1]) * 5 >= head.size() * 2 && std::min(zeros[0], zeros[1]) == 0) {
    fail("read_csv: '{}' is UTF-16 text without its mark; {}", source, kConvert);
  }
  const std::string_view before = bytes.substr(0, zero);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  fail("read_csv: '{}', line {}: a NUL byte at byte {} of the file; it is damaged or no text: export it again", source,
       line, zero);
}

void check_utf8(std::string_view text, std::int64_t line, const std::string& source) {
  if (valid_utf8(text)) return;
  fail(
      "read_csv: '{}', line {}: '{}' is not UTF-8 (Latin-1, perhaps); convert the file: iconv -f LATIN1 -t UTF-8 IN "
      "> OUT",
      source, line, shown(text));
}

void unquote(std::string_view content, std::string& text) {
  text.clear();
  for (std::size_t i = 0; i < content.size(); ++i) {
    text += content[i];
    if (content[i] == '"') ++i;
  }
}

FieldScanner::FieldScanner(std::string_view text, char separator, const std::string& source, std::int64_t line)
    : p_(text.data()),
      end_(text.data() + text.size()),
      separator_(separator),
      blank_(separator == ' ' ? '\0' : ' '),
      line_(line),
      source_(&source) {}

Field FieldScanner::next() {
  const char* p = p_;
  while (p != end_ && *p == blank_) ++p;
  if (p != end_ && *p == '"') return quoted(p);
  const char* begin = p_;
  p_ = find_field_end(p, end_, separator_);
  return {{begin, static_cast<std::size_t>(p_ - begin)}, false};
}

Field FieldScanner::quoted(const char* open) {
  const std::int64_t opened = line_;
  const char* p = open + 1;
  bool doubled = false;
  while (true) {
    const char* from = p;
    p = find_byte(p, end_, '"');
    count_lines(from, p);
    if (p == end_) {
      p_ = end_;
      fail(
          "read_csv: '{}', line {}: the quote that opens before '{}' is never closed; close it, or double a quote that "
          "belongs to the text",
          *source_, opened, shown({open + 1, static_cast<std::size_t>(end_ - open - 1)}));
    }
    if (p + 1 == end_ || p[1] != '"') break;
    doubled = true;
    p += 2;
  }
  const char* close = p++;
  while (p != end_ && *p == blank_) ++p;
  if (p != end_ && !delimits(*p)) {
    p_ = p;
    fail(
        "read_csv: '{}', line {}: '{}' follows the closing quote of a field that opens in line {}; double a quote that "
        "belongs to the text, or put a '{}' between fields",
        *source_, line_, shown({p, static_cast<std::size_t>(std::min<std::ptrdiff_t>(find_line_end(p, end_) - p, 20))}),
        opened, shown({&separator_, 1}));
  }
  p_ = p;
  return {{open + 1, static_cast<std::size_t>(close - open - 1)}, doubled};
}

// Line ends within quotes: LF, CRLF or CR.
void FieldScanner::count_lines(const char* p, const char* end) {
  while ((p = find_line_end(p, end)) != end) {
    if (*p == '\n' || p + 1 == end_ || p[1] != '\n') ++line_;
    ++p;
  }
}

void FieldScanner::skip_line_end() {
  if (p_ == end_) return;
  if (*p_ == '\r') {
    ++p_;
    if (p_ != end_ && *p_ == '\n') ++p_;
  } else {
    ++p_;
  }
  ++line_;
}

}  // namespace pellucid::io
