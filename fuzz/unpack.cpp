// gzip and zstd streams: no more than a megabyte is taken from each.
#include <array>

#include "fuzz.h"
#include "io/unpack.h"

using namespace pellucid;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const io::FileBytes bytes = fuzz::exact(data, size);
  return fuzz::run([&] {
    const auto unpacker = io::make_unpacker(bytes.view(), "x", "test");
    if (!unpacker) return;
    std::array<char, 4096> room;
    std::size_t total = 0;
    while (total < std::size_t{1} << 20 && !unpacker->done()) {
      const std::size_t count = unpacker->read(room.data(), room.size());
      fuzz::require(count <= room.size() && (count > 0 || unpacker->done()));
      total += count;
    }
  });
}
