// Schemas as files that people edit: TOML, or JSON with the same keys.
#pragma once

#include <string>
#include <string_view>

#include "pellucid/schema.h"

namespace pellucid::cli {

/// A TOML text with a comment on each key that can be changed; `source` is what it was found in.
std::string to_toml(const data::Schema& schema, const std::string& source);

/// Reads a file, JSON where its first character is '{', else TOML. Throws Error naming the file, and the line where the
/// text is not TOML.
data::Schema read_schema(const std::string& path);
/// The same over its text; `path` stands for the file in messages.
data::Schema parse_schema(std::string_view text, const std::string& path);

}  // namespace pellucid::cli
