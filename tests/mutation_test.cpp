// Every parser under damage: files cut anywhere and changed at random are read or refused with an Error, and do nothing
// else. Makes no Array, so that it runs under the sanitizers with few rooms built.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "io/file.h"
#include "io/idx.h"
#include "io/npy.h"
#include "io/safetensors.h"
#include "pellucid/data.h"
#include "pellucid/io.h"
#include "support/damage.h"
#include "support/files.h"

namespace pellucid {
namespace {

// Reads every byte, so that a wrong pointer is seen.
void touch(const io::RawArray& raw) {
  std::size_t sum = 0;
  for (std::size_t i = 0; i < raw.size; ++i) sum += static_cast<unsigned char>(raw.data[i]);
  EXPECT_LE(sum, 255 * raw.size);
}

TEST(Damage, Csv) {
  const std::string text =
      "a,\"b "
      "\"\"x\"\"\",c;d,e\r\n1,\"two\nlines\",NA,-1.5e3\r\n\r\n02,,x,.5\r\n1234567890123456789,\xC3\xA9,\"\",inf\n";
  std::string numbers = "x;y\tz\n";
  for (int i = 0; i < 30; ++i) numbers += std::to_string(i) + "," + std::to_string(i * i) + ";1.5\t\"7\"\n";
  for (const std::string& good : {text, numbers}) {
    for (const bool header : {true, false}) {
      damage("csv", good, [&](const std::string& damaged) {
        const io::FileBytes bytes = exact(damaged);
        const io::Table table = io::parse_csv(bytes.view(), {.header = header, .text = {"e"}, .numeric = {"a"}});
        for (const io::Column& column : table.columns) ASSERT_EQ(column.size(), table.rows);
        const io::Table again = io::parse_csv(io::to_csv(table));
        EXPECT_EQ(again.rows, table.rows);
        EXPECT_EQ(again.columns.size(), table.columns.size());
      });
    }
  }
}

TEST(Damage, Idx) {
  for (const ReferenceFile& file : reference_files("idx")) {
    damage(file.name, file.bytes, [](const std::string& text) { touch(io::parse_idx(exact(text), "x").array); });
  }
}

TEST(Damage, Gzip) {
  std::string text;
  for (int i = 0; i < 300; ++i) text += std::to_string(i * i) + (i % 7 == 0 ? "aaaaaaaa" : ",");
  damage("gzip", gzip(text) + gzip("more"), [](const std::string& damaged) {
    const io::FileBytes bytes = exact(damaged);
    io::gunzip(bytes.view(), "x", "test");
  });
}

TEST(Damage, Npy) {
  for (const ReferenceFile& file : reference_files("npy")) {
    damage(file.name, file.bytes, [](const std::string& text) {
      const io::FileBytes bytes = exact(text);
      touch(io::parse_npy(bytes.view(), "read_npy: 'x'"));
    });
  }
}

TEST(Damage, Npz) {
  for (const ReferenceFile& file : reference_files("npz")) {
    damage(file.name, file.bytes, [](const std::string& text) {
      const io::FileBytes bytes = exact(text);
      for (const auto& [name, array] : io::parse_npz(bytes.view(), "x")) touch(*array);
    });
  }
}

TEST(Damage, Safetensors) {
  for (const ReferenceFile& file : reference_files("safetensors")) {
    damage(file.name, file.bytes, [](const std::string& text) {
      const io::FileBytes bytes = exact(text);
      for (const auto& [name, array] : io::parse_safetensors(bytes.view(), "x").tensors) touch(array);
    });
  }
}

TEST(Damage, Preprocessing) {
  const io::Table table =
      io::parse_csv("n,c,d,b,y\n1,u,2024-01-01,k,p\n2,v,2024-02-03,l,q\n4,w,2024-02-03,l,p\n4,w,2024-02-03 10:00,,q\n");
  const data::Rows rows = data::all_rows(table.rows);
  const std::string good = data::to_json(data::fit_preprocessing(table, data::fit_target(table, "y", {}, rows), rows));
  damage("table", good, [&](const std::string& text) {
    const data::Preprocessing read = data::preprocessing_from_json(text);
    EXPECT_EQ(static_cast<std::int64_t>(read.input_names().size()), read.inputs());
    EXPECT_EQ(data::to_json(data::preprocessing_from_json(data::to_json(read))), data::to_json(read));
  });
  damage("pictures",
         data::to_json(data::PicturePreprocessing{.shape = {28, 28}, .mean = 1.5, .scale = 2, .classes = {"a", "b"}}),
         [](const std::string& text) { data::picture_preprocessing_from_json(text); });
}

}  // namespace
}  // namespace pellucid
