// PNG and JPEG files.
#include "io/image.h"

#include "fuzz.h"

using namespace pellucid;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const io::FileBytes bytes = fuzz::exact(data, size);
  return fuzz::run([&] {
    const io::Image image = io::decode_image(bytes.view(), "x");
    const auto pixels = static_cast<std::size_t>(image.height * image.width * image.channels);
    fuzz::require(image.pixels.size() == pixels && (image.channels == 1 || image.channels == 3));
  });
}
