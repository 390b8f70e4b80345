// Unpacking gzip and zstd, piece by piece.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace pellucid::io {

/// Unpacks a compressed file into memory that the caller gives.
class Unpacker {
 public:
  virtual ~Unpacker() = default;
  /// Writes the next bytes to `out`, `room` (above 0) at most, and gives their number: 0 only where all is done. Throws
  /// Error where the stream is damaged, cut off, or followed by something else.
  virtual std::size_t read(char* out, std::size_t room) = 0;
  /// All has been given.
  virtual bool done() const = 0;
  /// Compressed bytes used up.
  virtual std::uint64_t passed() const = 0;
};

/// True for the magic number of zstd.
bool is_zstd(std::string_view bytes);

/// For what begins as gzip (RFC 1952) or zstd (RFC 8878); null for anything else. `bytes` must outlive it. Messages
/// begin with `what`, the public function's name.
std::unique_ptr<Unpacker> make_unpacker(std::string_view bytes, std::string path, std::string_view what);

}  // namespace pellucid::io
