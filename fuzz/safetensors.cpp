// safetensors files. What is read covers the data without gaps.
#include "io/safetensors.h"

#include "fuzz.h"

using namespace pellucid;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const io::FileBytes bytes = fuzz::exact(data, size);
  return fuzz::run([&] {
    for (const auto& [name, array] : io::parse_safetensors(bytes.view(), "x").tensors) {
      fuzz::require(name.find('\0') == std::string::npos);
      fuzz::touch(array);
    }
  });
}
