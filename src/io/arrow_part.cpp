// Where the part is that reads Parquet and Arrow IPC files: beside the shared library, and loaded when the first such
// file is read, since Arrow's libraries take longer to start than everything else; or linked into the static one; or
// not built.
#include "io/arrow_part.h"

#include "base/fail.h"

#ifdef PELLUCID_ARROW_MODULE
#include <dlfcn.h>

#include <filesystem>
#endif

namespace pellucid::io {
namespace {

#if defined(PELLUCID_ARROW_MODULE)
struct Loaded {
  const ArrowPart* part = nullptr;
  std::string reason;  // where there is none
};

Loaded load() {
  Dl_info here{};
  dladdr(reinterpret_cast<const void*>(&reads_arrow), &here);
  const auto file = std::filesystem::path(here.dli_fname).replace_filename(PELLUCID_ARROW_MODULE);
  void* const library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  void* const entry = library == nullptr ? nullptr : dlsym(library, "pellucid_arrow_part");
  if (entry == nullptr) return {nullptr, dlerror()};
  return {reinterpret_cast<decltype(&pellucid_arrow_part)>(entry)(), {}};
}

const ArrowPart& part(const std::string& path, TableFile) {
  static const Loaded loaded = load();
  if (loaded.part == nullptr) {
    base::fail(
        "read_table: '{}': what reads Parquet and Arrow files cannot be loaded ({}); build it again with "
        "`make build ARROW=1`, or export the file as CSV",
        path, loaded.reason);
  }
  return *loaded.part;
}
#elif defined(PELLUCID_ARROW)
const ArrowPart& part(const std::string&, TableFile) { return *pellucid_arrow_part(); }
#else
const ArrowPart& part(const std::string& path, TableFile kind) {
  base::fail(
      "read_table: '{}' is {}, which this build does not read; build with `make build ARROW=1`, or export it as CSV",
      path, kind == TableFile::kParquet ? "a Parquet file" : "an Arrow file");
}
#endif

}  // namespace

bool reads_arrow() {
#ifdef PELLUCID_ARROW
  return true;
#else
  return false;
#endif
}

std::unique_ptr<TablePieces> arrow_pieces(const std::string& path, TableFile kind) {
  return part(path, kind).pieces(path, kind);
}

Table read_arrow(const std::string& path, TableFile kind) { return part(path, kind).read(path, kind); }

}  // namespace pellucid::io
