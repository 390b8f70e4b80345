// The safetensors format: 8 bytes of header length, a JSON header, the arrays' bytes.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/atomic_file.h"
#include "io/raw.h"
#include "pellucid/io.h"

namespace pellucid::io {

struct RawTensors {
  std::map<std::string, RawArray> tensors;  // these may point into the file's bytes
  std::map<std::string, std::string> metadata;
};

/// Checks and decodes the content of a file; `path` is for messages.
RawTensors parse_safetensors(std::string_view bytes, const std::string& path);

/// Writes the content of a file, as the public function of this name does; the caller commits. `path` is for messages.
void write_safetensors(base::AtomicFile& out, const TensorFile& file, const std::string& path);

/// The longest header that is read, as in the reference implementation.
inline constexpr std::size_t kMostHeader = 100'000'000;

}  // namespace pellucid::io
