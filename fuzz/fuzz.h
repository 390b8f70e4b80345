// What the fuzz targets share: a parser may throw pellucid::Error, and nothing else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "io/file.h"
#include "io/raw.h"
#include "pellucid/error.h"

namespace pellucid::fuzz {

/// A copy in memory of exactly its size, so that one byte too far is seen.
inline io::FileBytes exact(const std::uint8_t* data, std::size_t size) {
  std::unique_ptr<char[]> copy(new char[size]);
  std::copy(data, data + size, copy.get());
  return {std::move(copy), size};
}

/// Stops the fuzzer where `holds` is false.
inline void require(bool holds) {
  if (!holds) std::abort();
}

/// Reads every byte.
inline void touch(const io::RawArray& array) {
  std::size_t sum = 0;
  for (std::size_t i = 0; i < array.size; ++i) sum += static_cast<unsigned char>(array.data[i]);
  require(sum <= 255 * array.size);
}

/// Runs a parser over the input; what it throws beside Error ends the fuzzer. Messages are one line.
template <class Parse>
int run(const Parse& parse) {
  try {
    parse();
  } catch (const Error& error) {
    const std::string_view text = error.what();
    require(!text.empty() && text.find('\n') == std::string_view::npos);
  }
  return 0;
}

}  // namespace pellucid::fuzz
