// NPZ files: zip archives of NPY files. Checksums of members are put right first: else nothing gets past them.
#include <zlib.h>

#include <cstring>

#include "fuzz.h"
#include "io/npy.h"

using namespace pellucid;

namespace {

std::uint32_t number(const std::uint8_t* at) {
  std::uint32_t value = 0;
  std::memcpy(&value, at, sizeof value);
  return value;
}

// In directory entries of stored members.
void mend_checksums(std::uint8_t* data, std::size_t size) {
  for (std::size_t at = 0; at + 46 <= size; ++at) {
    if (number(data + at) != 0x02014b50) continue;
    const std::size_t local = number(data + at + 42), packed = number(data + at + 20);
    if (local > size || size - local < 30) continue;
    const std::size_t begin = local + 30 + data[local + 26] + data[local + 28];
    if (begin > size || packed > size - begin) continue;
    const auto sum = static_cast<std::uint32_t>(crc32_z(0, data + begin, packed));
    std::memcpy(data + at + 16, &sum, sizeof sum);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string mended(reinterpret_cast<const char*>(data), size);
  mend_checksums(reinterpret_cast<std::uint8_t*>(mended.data()), size);
  const io::FileBytes bytes = fuzz::exact(reinterpret_cast<const std::uint8_t*>(mended.data()), size);
  return fuzz::run([&] {
    for (const auto& [name, array] : io::parse_npz(bytes.view(), "x")) fuzz::touch(*array);
  });
}
