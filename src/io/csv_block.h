// One block of CSV text, parsed by itself: the piece of work of one thread.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "io/csv_dictionary.h"

namespace pellucid::io {

/// How a column's fields are taken.
enum class TakeAs : std::uint8_t { kNumbers, kText, kNothing };

struct ColumnRule {
  std::string name;
  TakeAs as = TakeAs::kNumbers;
  bool must_be_number = false;
  bool point = false, comma = false;  // the decimal points that blocks before have used
};

/// What all blocks of a file share.
struct CsvRules {
  std::string source;
  char separator = ',';
  std::unordered_set<std::string> missing, missing_numbers;
  bool numbers_can_be_missing = false;  // -999 and the like
  std::vector<ColumnRule> columns;
};

/// A column of a block. `numbers` and `codes` may be longer than the block has rows.
struct BlockColumn {
  enum class Is : std::uint8_t {
    kNumbers,
    kText,
    kMixed,  // numbers, then something else: to be read again as text
    kNothing
  };
  Is is = Is::kNumbers;
  bool point = false, comma = false;
  std::int64_t markers = 0;  // fields that are missing in a column of numbers
  std::string_view marker;   // the first of them
  std::vector<double> numbers;
  std::vector<std::int32_t> codes;
  std::vector<std::string_view> levels;  // into the text, or into `kept`
  Dictionary dictionary;
};

struct CsvBlock {
  const char* begin = nullptr;  // of the first row
  const char* end = nullptr;    // behind the last one's line end
  std::int64_t rows = 0;
  std::int64_t lines = 0;  // between the two
  bool failed = false;     // an error; only a block that begins where it should may report it
  bool cut_off = false;    // the text ended within the row at `end`, and more is to come
  std::vector<BlockColumn> columns;
  std::deque<std::string> kept;  // levels that held doubled quotes
};

/// Parses the rows that begin in [begin, limit), which may run beyond `limit` up to `end`; `line` is that of `begin`.
/// Where `more` text is to come, a row that is not all there is left out, and the block says so. Memory that the block
/// has is used again. Throws Error: see read_csv.
void parse_block(const CsvRules& rules, const char* begin, const char* limit, const char* end, bool more,
                 std::int64_t line, CsvBlock& block);

}  // namespace pellucid::io
