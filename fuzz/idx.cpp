// IDX files, plain or compressed.
#include "io/idx.h"

#include "fuzz.h"

using namespace pellucid;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return fuzz::run([&] { fuzz::touch(io::parse_idx(fuzz::exact(data, size), "x").array); });
}
