// The preprocessing of tables and pictures in a model file. What is read is written, and reads back the same.
#include "base/atomic_file.h"
#include "fuzz.h"
#include "pellucid/data.h"
#include "pellucid/io.h"

using namespace pellucid;

// The seed of tables is one that is fitted here, so that it is never of an older form.
extern "C" int LLVMFuzzerInitialize(int*, char***) {
  const char* folder = std::getenv("PELLUCID_FUZZ_SEEDS");
  if (folder == nullptr) return 0;
  const io::Table table =
      io::parse_csv("n,c,d,b,y\n1,u,2024-01-01,k,p\n2,v,2024-02-03,l,q\n4,w,2024-02-03,l,p\n4,w,2024-02-03 10:00,,q\n");
  const data::Rows rows = data::all_rows(table.rows);
  const data::Target target = data::fit_target(table, "y", {}, rows);
  base::write_file(std::string(folder) + "/preprocessing/table",
                   std::string(1, '\0') + data::to_json(data::fit_preprocessing(table, target, rows)));
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const io::FileBytes bytes = fuzz::exact(data + 1, size - 1);
  return fuzz::run([&] {
    if (data[0] % 2 == 0) {
      const data::Preprocessing read = data::preprocessing_from_json(std::string(bytes.view()));
      fuzz::require(static_cast<std::int64_t>(read.input_names().size()) == read.inputs());
      const std::string text = data::to_json(read);
      fuzz::require(data::to_json(data::preprocessing_from_json(text)) == text);
    } else {
      data::picture_preprocessing_from_json(std::string(bytes.view()));
    }
  });
}
