// Schemas that people edit: TOML, or JSON with the same keys.
#include "fuzz.h"
#include "pellucid/data.h"
#include "pellucid/schema_file.h"

using namespace pellucid;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const io::FileBytes bytes = fuzz::exact(data, size);
  return fuzz::run([&] {
    const data::Schema schema = cli::parse_schema(bytes.view(), "x");
    // What is written of it says the same.
    const std::string text = cli::to_toml(schema, "y");
    fuzz::require(data::to_json(cli::parse_schema(text, "x")) == data::to_json(schema));
  });
}
