// Reading IDX files.
#include "io/idx.h"

#include <array>
#include <utility>

#include "base/fail.h"
#include "pellucid/io.h"

namespace pellucid::io {
namespace {

using base::fail;

unsigned byte_at(std::string_view bytes, std::size_t i) { return static_cast<unsigned char>(bytes[i]); }

Stored stored_type(unsigned code, const std::string& path) {
  switch (code) {
    case 0x08:
      return Stored::kUInt8;
    case 0x09:
      return Stored::kInt8;
    case 0x0B:
      return Stored::kInt16;
    case 0x0C:
      return Stored::kInt32;
    case 0x0D:
      return Stored::kFloat32;
    case 0x0E:
      return Stored::kFloat64;
    default:
      fail(
          "read_idx: '{}': element type 0x{:02x} is none of IDX's (0x08, 0x09, 0x0b to 0x0e); the file is no IDX file "
          "or damaged",
          path, code);
  }
}

}  // namespace

bool looks_like_idx(std::string_view bytes) {
  return bytes.size() >= 8 && bytes[0] == 0 && bytes[1] == 0 && byte_at(bytes, 2) >= 8 && byte_at(bytes, 2) <= 0x0E &&
         byte_at(bytes, 3) >= 1 && byte_at(bytes, 3) <= 4;
}

IdxFile parse_idx(FileBytes file, const std::string& path) {
  if (is_gzip(file.view())) file = gunzip(file.view(), path, "read_idx");
  const std::string_view bytes = file.view();
  if (bytes.size() < 4) {
    fail("read_idx: '{}' has {} bytes, and an IDX file begins with a magic number of 4; download it again", path,
         bytes.size());
  }
  if (bytes[0] != 0 || bytes[1] != 0) {
    fail(
        "read_idx: '{}' begins with 0x{:02x}{:02x}{:02x}{:02x}, and an IDX file with two zeros, type and rank; the "
        "file is no IDX file or damaged",
        path, byte_at(bytes, 0), byte_at(bytes, 1), byte_at(bytes, 2), byte_at(bytes, 3));
  }
  const Stored type = stored_type(byte_at(bytes, 2), path);
  const std::size_t rank = byte_at(bytes, 3);
  if (rank == 0 || rank > static_cast<std::size_t>(kMaxRank)) {
    fail("read_idx: '{}' has rank {}, and 1 to {} can be; the file is no IDX file or damaged", path, rank, kMaxRank);
  }
  const std::size_t header = 4 + 4 * rank;
  if (bytes.size() < header) {
    fail("read_idx: '{}' has {} bytes, and its header of rank {} takes {}; download it again", path, bytes.size(), rank,
         header);
  }
  Shape shape;
  for (std::size_t i = 4; i < header; i += 4) {
    shape.push_back(static_cast<std::int64_t>(byte_at(bytes, i)) << 24 | byte_at(bytes, i + 1) << 16 |
                    byte_at(bytes, i + 2) << 8 | byte_at(bytes, i + 3));
  }
  std::size_t claimed = 0;
  if (!count_bytes(shape, size_of(type), claimed)) {
    fail("read_idx: '{}': the sizes {} overflow; the file is no IDX file or damaged", path, shape);
  }
  const std::size_t there = bytes.size() - header;
  if (there != claimed) {
    fail("read_idx: '{}': sizes {} take {} bytes of data, and there are {}; {}", path, shape, claimed, there,
         there < claimed ? "the file was cut off: download it again" : "what follows belongs to no array: remove it");
  }
  RawArray array = decode(bytes.substr(header), type, shape, true, base::format("read_idx: '{}'", path));
  return {std::move(file), std::move(array)};
}

Array read_idx(const std::string& path) { return parse_idx(read_file(path, "read_idx"), path).array.to_array(); }

}  // namespace pellucid::io
