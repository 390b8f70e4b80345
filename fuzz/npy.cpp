// NPY files.
#include "io/npy.h"

#include "fuzz.h"

using namespace pellucid;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const io::FileBytes bytes = fuzz::exact(data, size);
  return fuzz::run([&] { fuzz::touch(io::parse_npy(bytes.view(), "x")); });
}
