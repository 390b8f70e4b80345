// What a column's values say of it: shared by schemas and preprocessing, so that both see the same.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/dates.h"
#include "pellucid/io.h"

namespace pellucid::data {

/// How often each level of a text column occurs in some rows.
struct LevelCounts {
  std::vector<std::int64_t> counts;       // for each level
  std::vector<std::size_t> seen;          // the levels that occur, ascending
  std::int64_t present = 0, missing = 0;  // rows
};
LevelCounts count_levels(const io::Column& column, std::span<const std::int64_t> rows);

/// The column as text: numbers with the fewest digits that read back the same.
io::Column text_of(const io::Column& column);

/// Whether a column of numbers names rows: a name such as id or index, and another whole number in each of 20 rows or
/// more. Row numbers and keys carry nothing that holds for other rows; only a name can tell them from a measurement.
bool is_identifier(const io::Column& column, std::span<const std::int64_t> rows);

/// The first format by which all those levels are dates. Where both orders of day and month fit, slashes mean the month
/// first.
std::optional<DateFormat> date_format_of(const io::Column& column, const std::vector<std::size_t>& seen);

/// The words for false and true, as most at the front and back of the order write them; empty where they are no
/// booleans.
std::vector<std::string> boolean_levels(const io::Column& column, const std::vector<std::size_t>& seen);

/// Running text, three words or more on average of which some come again, can be learned from by its words; in 100 rows
/// or more. A word has a letter: what is of numbers alone, as 2:3:11, is a code.
bool is_running_text(const io::Column& column, const std::vector<std::size_t>& seen, std::size_t rows);

}  // namespace pellucid::data
