// Encoding rows of a table into memory that the caller has.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "pellucid/data.h"

namespace pellucid::data {

/// As in Encoded.
struct EncodedCounts {
  std::vector<std::pair<std::string, std::int64_t>> unseen, newly_missing;
};

/// Writes rows.size() x preprocessing.inputs() numbers to x, which need not be cleared. Throws Error as encode does.
EncodedCounts encode_rows(const Preprocessing& preprocessing, const Table& table, std::span<const std::int64_t> rows,
                          float* x);

}  // namespace pellucid::data
