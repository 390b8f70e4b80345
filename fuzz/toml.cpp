// Configuration files of the command line.
#include "fuzz.h"
#include "pellucid/cli.h"

using namespace pellucid;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const io::FileBytes bytes = fuzz::exact(data, size);
  CLI::App verb("train");
  std::string target;
  std::vector<std::int64_t> hidden;
  double rate = 0;
  bool quiet = false;
  verb.add_option("--target", target);
  verb.add_option("--hidden", hidden)->delimiter(',')->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 20));
  verb.add_option("--learning-rate", rate)->check(CLI::Range(1e-300, 1e300));
  verb.add_flag("--quiet", quiet);
  return fuzz::run([&] {
    try {
      cli::apply_config(verb, bytes.view(), "x");
    } catch (const cli::UsageError& error) {
      fuzz::require(std::string_view(error.what()).starts_with("x, line "));
    }
  });
}
