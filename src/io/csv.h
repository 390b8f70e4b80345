// The pieces of CSV reading: splitting text into fields, and finding out the separator.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace pellucid::io {

/// Throws Error where `separator` could also be a part of a field's syntax.
void check_separator(char separator, std::string_view what);

/// The separator among , ; tab | that splits the first lines evenly; ',' where none does.
char detect_separator(std::string_view text);

/// Throws Error where `bytes` are no UTF-8 text at all: UTF-16, UTF-32, an archive, NUL bytes.
void check_is_text(std::string_view bytes, const std::string& source);

/// Throws Error where `text` is not UTF-8.
void check_utf8(std::string_view text, std::int64_t line, const std::string& source);

/// A field as it stands in the text.
struct Field {
  std::string_view content;  // without the quotes around it
  bool doubled = false;      // holds doubled quotes, each of which stands for one
};

/// What stands between quotes, with one quote for each two.
void unquote(std::string_view content, std::string& text);

/// Walks through the fields of CSV text.
class FieldScanner {
 public:
  /// `line` is that of the text's begin.
  FieldScanner(std::string_view text, char separator, const std::string& source, std::int64_t line = 1);

  bool at_end() const { return p_ == end_; }
  /// Where the next field begins. A caller that reads a field by itself tells so by advance(), to a separator, line end
  /// or the end of the text.
  const char* position() const { return p_; }
  const char* end() const { return end_; }
  void advance(const char* p) { p_ = p; }
  bool delimits(char c) const { return c == separator_ || c == '\n' || c == '\r'; }

  /// The field at the position, and the position after it. Throws Error for a quote that does not close (the position
  /// is then the text's end), or with more text behind it.
  Field next();
  /// Steps over a separator; false, and no step, at a line end or the end of the text.
  bool skip_separator() {
    if (p_ == end_ || *p_ != separator_) return false;
    ++p_;
    return true;
  }
  /// Steps over a line end, if one is here.
  void skip_line_end();
  /// True at an empty line.
  bool at_line_end() const { return p_ != end_ && (*p_ == '\n' || *p_ == '\r'); }

  /// The line, from 1, of the position.
  std::int64_t line() const { return line_; }

 private:
  Field quoted(const char* open);
  void count_lines(const char* p, const char* end);

  const char* p_;
  const char* end_;
  char separator_;
  char blank_;  // what does not count around quotes; NUL, which is nowhere in text, where blanks separate
  std::int64_t line_;
  const std::string* source_;
};

}  // namespace pellucid::io
