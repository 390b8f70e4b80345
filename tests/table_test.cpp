// Tables from and to files: real ones, compressed ones, and those that cannot be read or written.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cmath>
#include <string>

#include "pellucid/data.h"
#include "pellucid/io.h"
#include "support/files.h"
#include "support/message.h"

namespace pellucid {
namespace {

const std::string kData = PELLUCID_SOURCE_DIR "/tests/data/";

TEST(Table, RealTablesHaveTheirTypes) {
  for (const auto& [name, rows, columns] : {std::tuple{"iris.csv", 150, 5}, {"wine.csv", 178, 14}}) {
    const io::Table table = io::read_csv(kData + name);
    EXPECT_EQ(table.rows, rows) << name;
    ASSERT_EQ(table.columns.size(), static_cast<std::size_t>(columns)) << name;
    EXPECT_EQ(table.source, kData + name);
    EXPECT_TRUE(table.notes.empty()) << name;
    for (const io::Column& column : table.columns) {
      EXPECT_EQ(column.text, column.name == "target") << column.name;
      EXPECT_EQ(column.count_missing(), 0) << column.name;
    }
    EXPECT_EQ(table.at("target").levels.size(), 3U);
    EXPECT_EQ(data::guess_target(table).name, "target");
    EXPECT_EQ(data::guess_task(table.at("target")), data::Task::kClassification);
    EXPECT_EQ(io::to_csv(table), content_of(kData + name)) << name;
  }
}

TEST(Table, GzipIsReadAsWhatItHolds) {
  const TemporaryFolder folder;
  const std::string path = folder.add("iris.csv.gz", gzip(content_of(kData + "iris.csv")));
  EXPECT_EQ(io::to_csv(io::read_csv(path)), content_of(kData + "iris.csv"));
  const std::string cut = folder.add("cut.gz", content_of(path).substr(0, 500));
  EXPECT_EQ(
      message_of([&] { io::read_csv(cut); }),
      "read_csv: '" + cut + "': the gzip stream ends too early, after 500 bytes; the file was cut off: copy it again");
}

TEST(Table, WritesWhatReadsBack) {
  const TemporaryFolder folder;
  const std::string text = "n,\"a \"\"b\"\"\",e\n0.1,\"x,y\",\n,\"line\nbreak\",1e+300\n-5,, blanks \n";
  io::write_csv(folder.path("t"), io::parse_csv(text));
  EXPECT_EQ(content_of(folder.path("t")), text);
  EXPECT_EQ(io::to_csv(io::parse_csv("a;b\n\"1;5\";2\n"), ';'), "a;b\n\"1;5\";2\n");
  EXPECT_EQ(io::to_csv(io::parse_csv("a b\n\"x y\" 2\n \"\"\n", {.separator = ' '}), ' '), "a b\n\"x y\" 2\n \n");
  EXPECT_EQ(io::to_csv(io::parse_csv("one\n\n3\n")), "one\n\"\"\n3\n");
}

TEST(Table, NumbersHaveTheFewestDigits) {
  EXPECT_EQ(io::to_text(0.1), "0.1");
  EXPECT_EQ(io::to_text(0.1F), "0.1");
  EXPECT_EQ(io::to_text(1e22), "1e+22");
  EXPECT_EQ(io::to_text(3.0), "3");
  EXPECT_EQ(io::to_text(-0.0), "-0");
  EXPECT_EQ(io::to_text(2.0 / 3), "0.6666666666666666");
}

TEST(Table, MissingColumnsAreNamedWithTheClosestFirst) {
  const io::Table table = io::parse_csv("age,Income,sex\n1,2,3\n", {}, "people.csv");
  EXPECT_EQ(table.find("Income"), 1);
  EXPECT_EQ(table.find("income"), -1);
  EXPECT_EQ(message_of([&] { table.at("income"); }),
            "table 'people.csv': no column 'income'; there are 'Income', 'age', 'sex'");
}

TEST(Table, RefusesWhatItCannotWrite) {
  io::Table table = io::parse_csv("a,b\n1,2\n");
  EXPECT_EQ(message_of([&] { io::to_csv(table, 'x'); }),
            "write_csv: 'x' cannot separate fields; take ',', ';', '|' or a tab");
  table.columns[1].numbers.edit().push_back(3);
  EXPECT_EQ(message_of([&] { io::to_csv(table); }),
            "write_csv: column 'b' has 2 rows and the table 1; give all columns one length");
  EXPECT_EQ(message_of([] { io::write_csv("/dev/full", io::parse_csv("a\n1\n")); }),
            "cannot write '/dev/full': No space left on device: free some space or choose another place");
}

TEST(Table, RefusesWhatItCannotRead) {
  const TemporaryFolder folder;
  const auto refusal = [&](const std::string& name, const std::string& content) {
    return message_of([&] { io::read_csv(folder.add(name, content)); });
  };
  const auto at = [&](const std::string& name) { return "read_csv: '" + folder.path(name) + "'"; };
  EXPECT_EQ(
      message_of([&] { io::read_csv(folder.path("none")); }),
      "read_csv: cannot open '" + folder.path("none") + "': No such file or directory; check its name and folder");
  EXPECT_EQ(message_of([&] { io::read_csv(folder.path()); }),
            "read_csv: '" + folder.path() + "' is a folder; give a file");
  EXPECT_EQ(refusal("empty", ""), at("empty") + " is empty; it needs a header and at least one row");
  EXPECT_EQ(refusal("lines", "\n\r\n\n"), at("lines") + " is empty; it needs a header and at least one row");
  EXPECT_EQ(refusal("mark", "\xEF\xBB\xBF"), at("mark") + " is empty; it needs a header and at least one row");
  EXPECT_EQ(refusal("head", "a,b\n\n"), at("head") + " has a header and no rows; add at least one");
  EXPECT_PRED2(contains, refusal("gz", gzip("")), "is empty; it needs a header and at least one row");
  EXPECT_PRED2(contains, refusal("idx", std::string("\0\0\x08\x01\0\0\0\x02xy", 10)),
               "is an IDX file, not CSV; give the folder of the images and labels");
  EXPECT_PRED2(contains, refusal("npy", "\x93NUMPY\x01"), "is an NPY file, not CSV; save images and labels together");
  EXPECT_PRED2(contains, refusal("parquet", "PAR1..."), "is a Parquet file, not CSV; export it as CSV");
  chmod(folder.path().c_str(), 0755);
  chmod(folder.path("head").c_str(), 0);
  EXPECT_TRUE(as_ordinary_user([&] {
    return message_of([&] { io::read_csv(folder.path("head")); }) ==
           "read_csv: cannot open '" + folder.path("head") + "': Permission denied; change its permissions";
  }));
}

}  // namespace
}  // namespace pellucid
