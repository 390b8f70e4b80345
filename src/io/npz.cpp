// Reading NPZ files: zip archives (PKWARE's APPNOTE 6.3, with zip64) whose members are NPY files, stored or deflated.
#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "base/fail.h"
#include "io/file.h"
#include "io/npy.h"
#include "io/text.h"
#include "pellucid/io.h"

namespace pellucid::io {
namespace {

using base::fail;

struct Member {
  std::string name;
  std::uint64_t method = 0, crc = 0, packed = 0, size = 0, offset = 0;
};

class Archive {
 public:
  Archive(std::string_view bytes, const std::string& path) : bytes_(bytes), path_(path) {}

  std::vector<Member> members() const {
    const std::size_t end = find_end();
    std::uint64_t count = number(end + 10, 2), size = number(end + 12, 4), offset = number(end + 16, 4);
    if (count == 0xFFFF || size == 0xFFFFFFFF || offset == 0xFFFFFFFF) {
      constexpr std::size_t kLocator = 20;
      if (end < kLocator || number(end - kLocator, 4) != 0x07064b50) damaged("its zip64 locator is not there");
      const std::uint64_t end64 = number(end - kLocator + 8, 8);
      if (number(end64, 4) != 0x06064b50) damaged("its zip64 directory is not there");
      count = number(end64 + 32, 8);
      size = number(end64 + 40, 8);
      offset = number(end64 + 48, 8);
    }
    range(offset, size);
    constexpr std::size_t kLeast = 46;  // bytes of a directory entry
    if (count > size / kLeast) damaged("its directory is shorter than the members that it claims");
    std::vector<Member> result;
    std::uint64_t at = offset;
    std::uint64_t packed = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
      packed += range(0, result.emplace_back(entry(at)).packed).size();
      if (packed > bytes_.size()) damaged("its members overlap");  // a small file could unpack to any size
    }
    return result;
  }

  /// The content of a member, in `storage` where it was deflated.
  std::string_view unpack(const Member& member, std::unique_ptr<char[]>& storage) const {
    const std::string_view packed = packed_bytes(member);
    std::string_view content = packed;
    if (member.method == 8) {
      // Allocates only what so many packed bytes can give.
      bool good = member.size <= (packed.size() + 1) * kMostInflation;
      if (good) {
        storage.reset(new char[member.size]);
        good = inflate_raw(packed, storage.get(), member.size);
      }
      if (!good) damaged(base::format("member '{}' does not unpack", shown(member.name)));
      content = {storage.get(), member.size};
    } else if (member.method != 0) {
      fail(
          "read_npz: '{}': member '{}' is packed by method {}, and only stored (0) and deflated (8) are read; save it "
          "with numpy.savez_compressed",
          path_, shown(member.name), member.method);
    } else if (member.size != member.packed) {
      damaged(base::format("member '{}' has two sizes", shown(member.name)));
    }
    const auto sum = crc32_z(0, reinterpret_cast<const Bytef*>(content.data()), content.size());
    if (sum != member.crc) damaged(base::format("member '{}' fails its checksum", shown(member.name)));
    return content;
  }

  /// The first bytes of a member, `most` or fewer; no checksum is looked at.
  std::string head(const Member& member, std::size_t most) const {
    const std::string_view packed = packed_bytes(member);
    if (member.method == 0) return std::string(packed.substr(0, most));
    std::string text(most, '\0');
    z_stream stream{};
    if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return {};
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
    stream.avail_in = static_cast<uInt>(std::min<std::size_t>(packed.size(), std::size_t{1} << 20));
    stream.next_out = reinterpret_cast<Bytef*>(text.data());
    stream.avail_out = static_cast<uInt>(most);
    inflate(&stream, Z_SYNC_FLUSH);
    text.resize(stream.total_out);
    inflateEnd(&stream);
    return text;
  }

 private:
  std::string_view packed_bytes(const Member& member) const {
    constexpr std::size_t kLocal = 30;
    range(member.offset, kLocal);
    if (number(member.offset, 4) != 0x04034b50)
      damaged(base::format("member '{}' is not where it should be", shown(member.name)));
    const std::uint64_t data = member.offset + kLocal + number(member.offset + 26, 2) + number(member.offset + 28, 2);
    return range(data, member.packed);
  }

  [[noreturn]] void damaged(const std::string& reason) const {
    fail("read_npz: '{}': the zip archive is damaged ({}); copy it again", path_, reason);
  }

  std::string_view range(std::uint64_t offset, std::uint64_t size) const {
    if (offset > bytes_.size() || size > bytes_.size() - offset) damaged("it ends too early");
    return bytes_.substr(offset, size);
  }

  std::uint64_t number(std::uint64_t offset, std::size_t size) const {
    const std::string_view at = range(offset, size);
    std::uint64_t value = 0;
    std::memcpy(&value, at.data(), size);
    return value;
  }

  // The end record is the last thing in the file but for a comment of up to 64 KiB.
  std::size_t find_end() const {
    constexpr std::size_t kEnd = 22, kComment = 0xFFFF;
    if (bytes_.size() < kEnd) damaged("it is shorter than an empty one");
    const std::size_t least = bytes_.size() - std::min(bytes_.size(), kEnd + kComment);
    for (std::size_t i = bytes_.size() - kEnd + 1; i-- > least;) {
      if (number(i, 4) == 0x06054b50 && i + kEnd + number(i + 20, 2) == bytes_.size()) return i;
    }
    damaged("its directory is not there");
  }

  Member entry(std::uint64_t& at) const {
    constexpr std::uint64_t kEntry = 46, kUnknown = 0xFFFFFFFF;
    if (number(at, 4) != 0x02014b50) damaged("an entry of its directory is not right");
    range(at, kEntry);
    const std::uint64_t flags = number(at + 8, 2);
    const std::uint64_t name = number(at + 28, 2), extra = number(at + 30, 2), comment = number(at + 32, 2);
    Member member{.name = std::string(range(at + kEntry, name)),
                  .method = number(at + 10, 2),
                  .crc = number(at + 16, 4),
                  .packed = number(at + 20, 4),
                  .size = number(at + 24, 4),
                  .offset = number(at + 42, 4)};
    if ((flags & 1U) != 0) {
      fail("read_npz: '{}': member '{}' is encrypted; unpack the archive and pack it without a password", path_,
           shown(member.name));
    }
    std::string_view fields = range(at + kEntry + name, extra);
    while (fields.size() >= 4) {
      const auto word = [&](std::size_t i) {
        return static_cast<std::size_t>(static_cast<unsigned char>(fields[i]) |
                                        static_cast<unsigned char>(fields[i + 1]) << 8);
      };
      const std::size_t id = word(0), length = word(2);
      if (length > fields.size() - 4) break;
      std::string_view wide = fields.substr(4, length);
      fields.remove_prefix(4 + length);
      if (id != 1) continue;
      for (std::uint64_t* value : {&member.size, &member.packed, &member.offset}) {
        if (*value != kUnknown || wide.size() < 8) continue;
        std::memcpy(value, wide.data(), 8);
        wide.remove_prefix(8);
      }
    }
    at += kEntry + name + extra + comment;
    return member;
  }

  std::string_view bytes_;
  const std::string& path_;
};

}  // namespace

std::map<std::string, std::unique_ptr<RawArray>> parse_npz(std::string_view bytes, const std::string& path) {
  const Archive archive(bytes, path);
  std::map<std::string, std::unique_ptr<RawArray>> result;
  for (const Member& member : archive.members()) {
    std::string name = member.name;
    if (!name.ends_with(".npy")) {
      fail("read_npz: '{}': member '{}' is no array (its name does not end in .npy); keep arrays alone in the archive",
           path, shown(name));
    }
    name.resize(name.size() - 4);
    if (result.contains(name)) fail("read_npz: '{}': two members are named '{}'; rename one", path, shown(name));
    std::unique_ptr<char[]> storage;
    const std::string_view content = archive.unpack(member, storage);
    auto array =
        std::make_unique<RawArray>(parse_npy(content, base::format("read_npz: '{}', member '{}'", path, shown(name))));
    if (array->owned == nullptr && storage != nullptr) array->owned = std::move(storage);
    result.emplace(std::move(name), std::move(array));
  }
  return result;
}

int most_axes(std::string_view bytes, const std::string& path) {
  const Archive archive(bytes, path);
  int most = 0;
  for (const Member& member : archive.members()) {
    const std::string head = archive.head(member, 512);
    const std::size_t open = head.find('(', head.find("'shape'"));
    if (head.find("'shape'") == std::string::npos || open == std::string::npos) continue;
    int axes = 0;
    bool digit = false;
    for (std::size_t i = open + 1; i < head.size() && head[i] != ')'; ++i) {
      const bool next = head[i] >= '0' && head[i] <= '9';
      if (next && !digit) ++axes;
      digit = next;
    }
    most = std::max(most, axes);
  }
  return most;
}

std::map<std::string, Array> read_npz(const std::string& path) {
  const FileBytes bytes = map_file(path, "read_npz");
  std::map<std::string, Array> arrays;
  for (auto& [name, raw] : parse_npz(bytes.view(), path)) arrays.emplace(name, raw->to_array());
  return arrays;
}

}  // namespace pellucid::io
