// The part of the library that reads Parquet and Arrow IPC files: src/io/arrow.cpp, where it is built.
#pragma once

#include <memory>
#include <string>

#include "io/table_file.h"

namespace pellucid::io {

struct ArrowPart {
  std::unique_ptr<TablePieces> (*pieces)(const std::string& path, TableFile kind);
  Table (*read)(const std::string& path, TableFile kind);
};

}  // namespace pellucid::io

/// By its plain name, since it is looked up where the part is a library of its own.
extern "C" const pellucid::io::ArrowPart* pellucid_arrow_part();
