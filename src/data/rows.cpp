// Checks on rows that a caller gives.
#include "data/rows.h"

#include <algorithm>
#include <numeric>

#include "base/fail.h"
#include "io/text.h"

namespace pellucid::data {

Rows all_rows(std::int64_t count) {
  Rows rows(static_cast<std::size_t>(count));
  std::iota(rows.begin(), rows.end(), std::int64_t{0});
  return rows;
}

void check_rows(std::string_view what, const Table& table, std::span<const std::int64_t> rows) {
  for (const Column& column : table.columns) {
    if (column.size() != table.rows) {
      base::fail("{}: column '{}' has {} values and the table {} rows; give each row one", what, io::shown(column.name),
                 column.size(), table.rows);
    }
  }
  const auto outside =
      std::find_if(rows.begin(), rows.end(), [&](std::int64_t row) { return row < 0 || row >= table.rows; });
  if (outside != rows.end()) {
    base::fail("{}: there is no row {} in a table of {}; give positions from 0 to {}", what, *outside, table.rows,
               table.rows - 1);
  }
}

}  // namespace pellucid::data
