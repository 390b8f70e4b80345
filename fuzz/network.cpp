// The description of a network in a model file. What is read is written, and reads back the same.
#include "fuzz.h"
#include "pellucid/nn.h"

using namespace pellucid;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const io::FileBytes bytes = fuzz::exact(data, size);
  return fuzz::run([&] {
    const std::string text = nn::to_json(nn::description_from_json(bytes.view()));
    fuzz::require(nn::to_json(nn::description_from_json(text)) == text);
  });
}
