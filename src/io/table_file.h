// Tables in files other than CSV.
#pragma once

#include <string>
#include <string_view>

#include "pellucid/io.h"

namespace pellucid::io {

/// Whether the arrays of an NPZ file are columns: none has three axes or more. False where it is damaged.
bool holds_columns(const std::string& path);

/// A Parquet or Arrow IPC file; the Arrow part. Where that was not built, throws Error that says how it is.
Table read_arrow(const std::string& path, TableFile kind);

/// Brings columns to what the options ask for: those that are to be text, and those that are to be numbers. Throws
/// Error naming the row where one of these is none.
void settle_types(Table& table, const CsvOptions& options);

}  // namespace pellucid::io
