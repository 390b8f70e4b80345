// CSV text, plain or compressed; the first byte chooses the options. What is read is written, and reads back the same.
#include "fuzz.h"
#include "io/csv_blocks.h"
#include "io/unpack.h"
#include "pellucid/io.h"

using namespace pellucid;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const unsigned choice = data[0];
  const io::FileBytes bytes = fuzz::exact(data + 1, size - 1);
  return fuzz::run([&] {
    io::CsvOptions options;
    options.header = (choice & 1U) == 0;
    if ((choice & 2U) != 0) options.numeric = {"a", "column_1"};
    if ((choice & 4U) != 0) options.text = {"b", "column_2"};
    if ((choice & 8U) != 0) options.separator = ';';
    const io::Table table = io::parse_csv(bytes.view(), options);
    for (const io::Column& column : table.columns) fuzz::require(column.size() == table.rows);
    const io::Table again = io::parse_csv(io::to_csv(table), {.separator = ','});
    fuzz::require(again.rows == table.rows && again.columns.size() == table.columns.size());
  });
}
