// Tables in files other than CSV: NPZ, and where the Arrow part is built Parquet and Arrow IPC as pyarrow writes them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "io/npy.h"
#include "pellucid/data.h"
#include "pellucid/io.h"
#include "support/files.h"
#include "support/message.h"
#include "support/npz.h"
#include "support/program.h"

namespace pellucid {
namespace {

using io::TableFile;

std::string from_hex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2) bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return bytes;
}

template <class T>
std::string npy(DType dtype, const Shape& shape, const std::vector<T>& values) {
  return io::npy_bytes(dtype, shape, {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)});
}

TEST(TableFiles, AreKnownByTheirFirstBytes) {
  const TemporaryFolder folder;
  EXPECT_EQ(io::table_file(folder.add("a.csv", "a,b\n1,2\n")), TableFile::kCsv);
  EXPECT_EQ(io::table_file(folder.add("empty", "")), TableFile::kCsv);
  EXPECT_EQ(io::table_file(folder.add("a.NPZ", "PK")), TableFile::kNpz);
  EXPECT_EQ(io::table_file(folder.add("a.csv", "PAR1....")), TableFile::kParquet);
  EXPECT_EQ(io::table_file(folder.add("b", std::string("ARROW1\0\0", 8))), TableFile::kArrow);
  EXPECT_EQ(io::table_file(folder.add("c", "\xff\xff\xff\xff\x10")), TableFile::kArrow);
  EXPECT_EQ(
      message_of([&] { io::table_file(folder.path("none")); }),
      "read_table: cannot open '" + folder.path("none") + "': No such file or directory; check its name and folder");
}

TEST(TableFiles, NpzArraysAreColumns) {
  const TemporaryFolder folder;
  const std::string path = folder.add("t.npz", npz({{"age", npy<std::int32_t>(DType::kInt32, {3}, {30, 40, 50})},
                                                    {"x", npy<float>(DType::kFloat32, {3, 2}, {1, 2, 3, 4, 5, NAN})},
                                                    {"y", npy<std::int64_t>(DType::kInt64, {3}, {0, 1, 0})}}));
  EXPECT_EQ(data::recognise(path), data::Source::kTable);
  const io::Table table = io::read_table(path, {.text = {"y"}});
  EXPECT_EQ(io::to_csv(table), "age,x_0,x_1,y\n30,1,2,0\n40,3,4,1\n50,5,,0\n");
  EXPECT_TRUE(table.at("y").text);
  EXPECT_EQ(io::to_csv(io::read_table(folder.add("t.csv", "a;b\n1,5;x\n"))), "a,b\n1.5,x\n");
  EXPECT_EQ(
      data::recognise(folder.add("p.npz", npz({{"x", npy<std::uint8_t>(DType::kUInt8, {1, 2, 2}, {1, 2, 3, 4})}}))),
      data::Source::kPictures);
  EXPECT_EQ(data::recognise(folder.add("damaged.npz", "PK..")), data::Source::kPictures);
}

TEST(TableFiles, NpzSaysWhatIsWrong) {
  const TemporaryFolder folder;
  const auto refused = [&](const std::vector<std::pair<std::string, std::string>>& members) {
    const std::string path = folder.add("t.npz", npz(members));
    const std::string message = message_of([&] { io::read_table(path); });
    const std::size_t at = message.find(path);
    return at == std::string::npos ? message : message.substr(0, at) + "t.npz" + message.substr(at + path.size());
  };
  const std::string two = npy<float>(DType::kFloat32, {2}, {1, 2}), three = npy<float>(DType::kFloat32, {3}, {1, 2, 3});
  EXPECT_EQ(refused({{"a", two}, {"b", three}}),
            "read_table: 't.npz': array 'b' has 3 rows, and 'a' has 2; give all columns one length");
  EXPECT_EQ(refused({{"a", npy<float>(DType::kFloat32, {}, {1})}}),
            "read_table: 't.npz': array 'a' has shape [], and columns have one axis or two; leave it out");
  EXPECT_EQ(refused({{"a", npy<float>(DType::kFloat32, {2, 2}, {1, 2, 3, 4})}, {"a_1", two}}),
            "read_table: 't.npz' has two columns 'a_1'; rename an array");
  EXPECT_EQ(refused({}), "read_table: 't.npz' holds no arrays; give one for each column");
  EXPECT_EQ(refused({{"a", npy<float>(DType::kFloat32, {0}, {})}}),
            "read_table: 't.npz' has no rows; add at least one");
}

// The rows of a stream's pieces, as one text.
std::string streamed(const std::string& path, const io::CsvOptions& options, std::size_t& pieces) {
  io::TableStream stream(path, options);
  std::string text;
  std::vector<io::Table> tables;
  pieces = 0;
  while (stream.next(tables)) {
    for (const io::Table& table : tables) {
      const std::string part = io::to_csv(table);
      text += pieces++ == 0 ? part : part.substr(part.find('\n') + 1);
    }
  }
  return text;
}

TEST(TableFiles, StreamInPieces) {
  const TemporaryFolder folder;
  constexpr std::int64_t kRows = 70000;  // more than two pieces
  std::vector<std::int32_t> age;
  std::vector<float> x;
  for (std::int64_t i = 0; i < kRows; ++i) {
    age.push_back(static_cast<std::int32_t>(i % 90));
    x.push_back(static_cast<float>(i) * 0.5F);
    x.push_back(i == 66000 ? NAN : 1.0F);
  }
  const std::string path = folder.add("t.npz", npz({{"age", npy<std::int32_t>(DType::kInt32, {kRows}, age)},
                                                    {"x", npy<float>(DType::kFloat32, {kRows, 2}, x)}}));
  std::size_t pieces = 0;
  EXPECT_EQ(streamed(path, {.text = {"age"}}, pieces), io::to_csv(io::read_table(path, {.text = {"age"}})));
  EXPECT_EQ(pieces, 3u);
  io::TableStream stream(path);
  EXPECT_EQ(stream.columns(), (std::vector<std::string>{"age", "x_0", "x_1"}));
  EXPECT_EQ(stream.place_of(66000), "'" + path + "', row 66001");

  const std::string csv = folder.add("t.csv", "a,b\n1,x\n\n2,y\n");
  EXPECT_EQ(streamed(csv, {.text = {"b"}, .numeric = {"a"}}, pieces), "a,b\n1,x\n2,y\n");
  io::TableStream lines(csv, {.numeric = {"a"}});
  EXPECT_EQ(lines.place_of(1), "'" + csv + "', line 4");

  const std::string none = folder.add("none.npz", npz({{"a", npy<float>(DType::kFloat32, {0}, {})}}));
  EXPECT_EQ(message_of([&] { streamed(none, {}, pieces); }),
            "read_table: '" + none + "' has no rows; add at least one");
}

TEST(Arrow, IsRefusedWhereItsPartIsNotBuilt) {
  if (io::reads_arrow()) GTEST_SKIP() << "the Arrow part is built";
  const TemporaryFolder folder;
  const std::string parquet = folder.add("a.parquet", "PAR1"), arrow = folder.add("a.arrow", "ARROW1");
  EXPECT_EQ(
      message_of([&] { io::read_table(parquet); }),
      "read_table: '" + parquet +
          "' is a Parquet file, which this build does not read; build with `make build ARROW=1`, or export it as CSV");
  EXPECT_EQ(
      message_of([&] { io::read_table(arrow); }),
      "read_table: '" + arrow +
          "' is an Arrow file, which this build does not read; build with `make build ARROW=1`, or export it as CSV");
}

TEST(Arrow, ALibraryWithoutItsPartSaysSo) {
  if (!io::reads_arrow()) GTEST_SKIP() << "build with `make build ARROW=1`";
  const testing::Place place;
  place.write("a.parquet", "PAR1");
  const std::string alone = place.path("libpellucid.so.0");
  std::filesystem::copy_file(PELLUCID_BINARY_DIR "/libpellucid.so.0", alone);
  const testing::Outcome outcome = place.run("schema a.parquet", "LD_PRELOAD=" + alone);
  EXPECT_EQ(outcome.status, 1);
  EXPECT_NE(outcome.err.find("a.parquet': what reads Parquet and Arrow files cannot be loaded ("), std::string::npos)
      << outcome.err;
}

TEST(Arrow, FilesOfEveryKindHoldTheSameTable) {
  if (!io::reads_arrow()) GTEST_SKIP() << "build with `make build ARROW=1`";
  const nlohmann::json expected = reference("arrow.json");
  const TemporaryFolder folder;
  for (const auto& [name, hex] : expected["files"].items()) {
    const io::Table table = io::read_table(folder.add(name, from_hex(hex.get<std::string>())));
    ASSERT_EQ(table.rows, 3) << name;
    std::size_t pieces = 0;
    EXPECT_EQ(streamed(table.source, {}, pieces), io::to_csv(table)) << name;
    ASSERT_EQ(table.columns.size(), expected["columns"].size()) << name;
    const auto texts = expected["text"].get<std::vector<std::string>>();
    for (const io::Column& column : table.columns) {
      for (std::int64_t row = 0; row < 3; ++row) {
        EXPECT_EQ(column.field(row), expected["columns"][column.name][static_cast<std::size_t>(row)].get<std::string>())
            << name << ": " << column.name << ", row " << row;
      }
      EXPECT_EQ(column.text, std::find(texts.begin(), texts.end(), column.name) != texts.end()) << column.name;
    }
  }
}

TEST(Arrow, TypesFollowTheOptions) {
  if (!io::reads_arrow()) GTEST_SKIP() << "build with `make build ARROW=1`";
  const TemporaryFolder folder;
  const std::string path =
      folder.add("t.parquet", from_hex(reference("arrow.json")["files"]["plain.parquet"].get<std::string>()));
  const io::Table table = io::read_table(path, {.text = {"byte"}});
  EXPECT_TRUE(table.at("byte").text);
  EXPECT_EQ(table.at("byte").field(2), "-3");
  EXPECT_EQ(message_of([&] { io::read_table(path, {.numeric = {"large"}}); }),
            "read_table: '" + path + "', row 1: 'x' in column 'large' is not a number; correct it, or leave it out");
}

TEST(Arrow, OthersAreRefused) {
  if (!io::reads_arrow()) GTEST_SKIP() << "build with `make build ARROW=1`";
  const nlohmann::json json = reference("arrow.json");
  const TemporaryFolder folder;
  const std::string lists = folder.add("l.parquet", from_hex(json["listed"].get<std::string>()));
  EXPECT_EQ(
      message_of([&] { io::read_table(lists); }),
      "read_table: '" + lists +
          "': column 'parts' is of the type list<element: int64>, which is neither numbers, text nor dates; leave it "
          "out");
  const std::string twice = folder.add("t.arrow", from_hex(json["twice"].get<std::string>()));
  EXPECT_EQ(message_of([&] { io::read_table(twice); }), "read_table: '" + twice + "' has two columns 'a'; rename one");
  // Cut off anywhere, a file is refused or read, never more.
  for (const char* name : {"zstd.parquet", "file.arrow", "stream.arrows"}) {
    const std::string bytes = from_hex(json["files"][name].get<std::string>());
    for (std::size_t size = 8; size < bytes.size(); size += 61) {
      const std::string path = folder.add("cut", bytes.substr(0, size));
      const std::string message = message_of([&] { io::read_table(path); });
      EXPECT_TRUE(message == "no error" || message.starts_with("read_table: '" + path + "'")) << message;
    }
  }
}

}  // namespace
}  // namespace pellucid
