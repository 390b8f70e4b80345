// Tables in files other than CSV.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "io/file.h"
#include "io/raw.h"

#include "pellucid/io.h"

namespace pellucid::io {

/// Whether the arrays of an NPZ file are columns: none has three axes or more. False where it is damaged.
bool holds_columns(const std::string& path);

/// Rows in one piece of a file that is read in pieces, at most.
constexpr std::int64_t kPieceRows = 1 << 15;

/// The rows of a file in their order, as tables of at most kPieceRows.
class TablePieces {
 public:
  virtual ~TablePieces() = default;
  /// A table without rows that has the columns' names.
  virtual const Table& head() const = 0;
  /// False where there are no more.
  virtual bool next(Table& table) = 0;
};

/// A Parquet or Arrow IPC file; the Arrow part. Where that was not built, throws Error that says how it is.
std::unique_ptr<TablePieces> arrow_pieces(const std::string& path, TableFile kind);
Table read_arrow(const std::string& path, TableFile kind);

/// Brings columns to what the options ask for: those that are to be text, and those that are to be numbers. Throws
/// Error naming the row where one of these is none; `before`: rows of the file before the table's first.
void settle_types(Table& table, const CsvOptions& options, std::int64_t before = 0);

/// Arrays of an NPZ file as columns.
class NpzColumns {
 public:
  /// Throws Error where arrays are no columns, or not of one length.
  explicit NpzColumns(const std::string& path);
  std::int64_t rows() const { return rows_; }
  /// Rows [from, to) as a table.
  Table read(std::int64_t from, std::int64_t to) const;

 private:
  FileBytes bytes_;
  std::map<std::string, std::unique_ptr<RawArray>> arrays_;  // some in bytes_
  std::string path_;
  std::int64_t rows_ = 0;
};

}  // namespace pellucid::io
