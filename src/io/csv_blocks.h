// CSV text as groups of blocks that are parsed at the same time, in an order and with a result that do not depend on
// how many threads there are.
//
// A block begins at a line end that stands within quotes only if quotes were closed in an unusual way. Whether it did
// is known once the block before has been parsed: a block that should have begun elsewhere is parsed again.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "io/csv_block.h"
#include "io/csv_input.h"
#include "pellucid/io.h"

namespace pellucid::io {

class CsvBlocks {
 public:
  /// Reads the header. `source` stands for the file in messages. `block`: bytes of a block; a group has 32.
  CsvBlocks(CsvInput input, const CsvOptions& options, const std::string& source, std::size_t block = kBlock);

  // A block and what it becomes fit about the second cache of a core; a group fits the third.
  static constexpr std::size_t kBlock = std::size_t{1} << 19;

  /// What is known of the columns; may be changed between groups.
  CsvRules& rules() { return rules_; }
  /// Parses the next rows; false where there are none. Columns of numbers that turn out to hold something else are text
  /// from the first group on; in later groups they are taken as nothing, and named in late().
  bool next();
  /// The rows that next() has parsed: the first is row first_row() of the file, counted from 0.
  std::span<CsvBlock> blocks() { return {blocks_.data(), count_}; }
  std::int64_t first_row() const { return first_row_; }
  /// Rows, in all groups so far.
  std::int64_t rows() const { return rows_; }
  const std::vector<std::size_t>& late() const { return late_; }
  /// Goes back to the first row.
  void rewind();
  /// The line, from 1, of a row that has been read.
  std::int64_t line_of(std::int64_t row);
  /// About how many rows the file has, by those that were read.
  std::int64_t expected_rows() const;

 private:
  void read_header(const CsvOptions& options);
  bool parse_group();
  void settle_order(const char* end, bool final);
  bool settle_types();
  void report(bool done);

  CsvInput input_;
  CsvRules rules_;
  std::function<void(const CsvProgress&)> progress_;
  double started_ = 0, reported_ = 0;
  std::vector<CsvBlock> blocks_;
  std::size_t count_ = 0;  // blocks of this group
  const char* begin_ = nullptr;
  std::vector<const char*> limits_;  // of this group's blocks
  std::size_t block_, wanted_;       // bytes of a block and of a group
  std::int64_t line_ = 1, first_row_ = 0, rows_ = 0;
  std::uint64_t body_ = 0;  // where rows begin
  std::int64_t body_line_ = 1;
  std::vector<std::size_t> late_;
};

/// All rows, of columns whose types are found out.
Table read_all(CsvBlocks& blocks);

}  // namespace pellucid::io
