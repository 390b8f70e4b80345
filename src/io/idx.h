// IDX: sizes and one array, all numbers big-endian.
#pragma once

#include <string>
#include <string_view>

#include "io/file.h"
#include "io/raw.h"

namespace pellucid::io {

/// A decoded IDX file; `bytes` is what `array` may point into.
struct IdxFile {
  FileBytes bytes;
  RawArray array;
};

/// Decodes the content of an IDX file, taking over its bytes; `path` is for messages.
IdxFile parse_idx(FileBytes bytes, const std::string& path);
/// True where `bytes` begin as an IDX file of one to four sizes does.
bool looks_like_idx(std::string_view bytes);

}  // namespace pellucid::io
