// CSV in blocks: wherever a block begins, and however many threads work, the table and the messages are those of one
// pass over the whole text; and what is compressed or streamed is what it holds.
#include <gtest/gtest.h>
#include <zstd.h>

#include <cmath>
#include <random>
#include <string>

#include "io/csv_blocks.h"
#include "pellucid/io.h"
#include "pellucid/threads.h"
#include "support/files.h"
#include "support/message.h"

namespace pellucid {
namespace {

std::string described(const io::Table& table) {
  std::string text = io::to_csv(table);
  for (const io::Column& column : table.columns) text += column.text ? "text;" : "number;";
  for (const std::string& note : table.notes) text += note + "\n";
  return text;
}

std::string in_blocks(io::CsvInput input, const io::CsvOptions& options, std::size_t block) {
  std::string text;
  const std::string message = message_of([&] {
    io::CsvBlocks blocks(std::move(input), options, "x", block);
    text = described(io::read_all(blocks));
  });
  return message == "no error" ? text : message;
}

std::string zstd(const std::string& text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
  return out;
}

// Rows of three columns, with all that CSV may hold; now and then something that it may not.
std::string random_text(std::mt19937_64& random, bool flawed) {
  const auto pick = [&](std::initializer_list<const char*> words) {
    return *(words.begin() + random() % words.size());
  };
  const char* line = pick({"\n", "\n", "\r\n", "\r"});
  std::string text = std::string("a,b,c") + line;
  const std::uint64_t rows = 1 + random() % 60;
  const bool late = random() % 4 == 0;
  for (std::uint64_t row = 0; row < rows; ++row) {
    text += late && row > 40 ? pick({"7", "x"}) : pick({"1", "-2.5", "NA", "", "12345678", "1e-3", "123456.7890123"});
    text += ',';
    text += pick({"\"one, two\"", "\"say \"\"hi\"\"\"", "\"two\nlines\"", "5' 10\" tall", "plain", "", "\"\"",
                  "\"a\r\nb\"", "x\"y"});
    text += ',';
    text += pick({"red", "green", "\"blue\"", " \"padded\" ", "3"});
    if (flawed && random() % 40 == 0) text += pick({",extra", "\"", "\"\n", "\"open"});
    text += row + 1 < rows || random() % 2 == 0 ? line : "";
    if (random() % 12 == 0) text += line;
  }
  return text;
}

TEST(CsvBlocks, BeginAnywhereAndAgree) {
  std::mt19937_64 random(11);
  for (int i = 0; i < 1500; ++i) {
    const std::string text = random_text(random, i % 3 == 0);
    const std::string whole = in_blocks(io::CsvInput(text), {}, std::size_t{1} << 20);
    for (const std::size_t block : {7U, 16U, 33U, 100U}) {
      ASSERT_EQ(in_blocks(io::CsvInput(text), {}, block), whole) << "blocks of " << block << " bytes of\n" << text;
    }
  }
}

TEST(CsvBlocks, WindowsOverCompressedTextAgree) {
  const TemporaryFolder folder;
  std::mt19937_64 random(12);
  for (int i = 0; i < 300; ++i) {
    const std::string text = random_text(random, i % 3 == 0);
    const std::string whole = in_blocks(io::CsvInput(text), {}, std::size_t{1} << 20);
    const std::string gz = folder.add("t.gz", gzip(text)), zst = folder.add("t.zst", zstd(text));
    for (const std::size_t block : {1U, 5U, 40U}) {
      ASSERT_EQ(in_blocks(io::CsvInput::open(gz), {}, block), whole) << "blocks of " << block << " bytes of\n" << text;
      ASSERT_EQ(in_blocks(io::CsvInput::open(zst), {}, block), whole) << "blocks of " << block << " bytes of\n" << text;
    }
  }
}

TEST(CsvBlocks, ThreadsDoNotMatter) {
  std::string text = "n,late,word,note\n";
  std::mt19937_64 random(13);
  for (int row = 0; row < 40000; ++row) {
    text += std::to_string(static_cast<double>(random() % 1000000) / 64) + ',';
    text += row == 39000 ? "stray," : std::to_string(row) + ',';
    text += "word" + std::to_string(random() % 5000) + ",\"a, long\nnote " + std::to_string(random() % 9) + "\"\n";
  }
  const auto read = [&](const std::string& all, std::size_t block) { return in_blocks(io::CsvInput(all), {}, block); };
  const int before = threads();
  std::string expected;
  const std::string bad = text + "1,2,3\n";
  for (const int count : {1, 2, 3, 7}) {
    set_threads(count);
    const std::string got = read(text, 1 << 14);
    if (count == 1) expected = got;
    EXPECT_EQ(got, expected);
    EXPECT_TRUE(contains(read(bad, 1 << 14), "read_csv: 'x', line 80002: 3 fields where the header has 4 columns"));
  }
  EXPECT_TRUE(
      contains(expected, "column 'late' is text: 1 of 40000 fields are not numbers, the first 'stray' in line 78002"));
  set_threads(before);
}

// Behind what is looked at first, and in rows that go on behind their block's limit.
TEST(CsvBlocks, ZerosAreFoundWhereverTheyStand) {
  std::string text = "a,b\n";
  for (int row = 0; row < 20000; ++row) text += "1,2\n";
  text += "3,\"four and more than that\"\n";
  text[text.find("more")] = '\0';
  for (std::size_t block = 1000; block < 1040; ++block)
    EXPECT_EQ(in_blocks(io::CsvInput(text), {}, block),
              "read_csv: 'x', line 20002: a NUL byte; the file is damaged or no text: export it again");
}

TEST(CsvBlocks, ZstdIsReadAsWhatItHolds) {
  const TemporaryFolder folder;
  const std::string text = content_of(PELLUCID_SOURCE_DIR "/tests/data/iris.csv");
  const std::string packed = zstd(text);
  EXPECT_EQ(io::to_csv(io::read_csv(folder.add("a", packed))), text);
  EXPECT_EQ(io::to_csv(io::read_csv(folder.add("b", zstd(text.substr(0, 999)) + zstd(text.substr(999))))), text);
  const std::string cut = folder.add("cut", packed.substr(0, packed.size() / 2));
  EXPECT_EQ(message_of([&] { io::read_csv(cut); }), "read_csv: '" + cut + "': the zstd stream ends too early, after " +
                                                        std::to_string(packed.size() / 2) +
                                                        " bytes; the file was cut off: copy it again");
  const std::string more = folder.add("more", packed + "tail");
  EXPECT_EQ(message_of([&] { io::read_csv(more); }), "read_csv: '" + more +
                                                         "': something that is not zstd follows at byte " +
                                                         std::to_string(packed.size()) + "; copy the file again");
  std::string broken = packed;
  broken[5] = static_cast<char>(broken[5] ^ 0x7F);
  const std::string message = message_of([&] { io::read_csv(folder.add("broken", broken)); });
  EXPECT_TRUE(contains(message, "zstd stream")) << message;
}

TEST(CsvStream, GivesTheColumnsThatAreAskedFor) {
  const TemporaryFolder folder;
  std::string text = "n,word,other\n";
  for (int row = 0; row < 200000; ++row) {
    text += std::to_string(row) + ",w" + std::to_string(row % 7) + (row % 1000 == 0 ? ",\n" : ",?\n");
  }
  for (const std::string& path : {folder.add("plain", text), folder.add("gz", gzip(text))}) {
    io::CsvStream stream(path, {.text = {"word"}, .numeric = {"n", "absent"}});
    EXPECT_EQ(stream.columns(), (std::vector<std::string>{"n", "word", "other"}));
    std::vector<io::Table> tables;
    std::int64_t rows = 0;
    while (stream.next(tables)) {
      for (const io::Table& table : tables) {
        ASSERT_EQ(table.columns.size(), 2U);
        for (std::int64_t i = 0; i < table.rows; ++i, ++rows) {
          ASSERT_EQ(table.columns[0].numbers[static_cast<std::size_t>(i)], rows);
          ASSERT_EQ(table.columns[1].field(i), "w" + std::to_string(rows % 7));
        }
      }
    }
    EXPECT_EQ(rows, 200000);
    EXPECT_EQ(stream.line_of(123456), 123458);
  }
  const std::string bad = folder.add("bad", text + "x,y,z\n");
  EXPECT_EQ(
      message_of([&] {
        io::CsvStream stream(bad, {.numeric = {"n"}});
        std::vector<io::Table> tables;
        while (stream.next(tables)) {
        }
      }),
      "read_csv: '" + bad +
          "', line 200002: 'x' in column 'n' is not a number; correct it, or leave the field empty where the value "
          "is missing");
  const std::string none = folder.add("none", "n\n");
  EXPECT_EQ(message_of([&] {
              io::CsvStream stream(none, {.numeric = {"n"}});
              std::vector<io::Table> tables;
              stream.next(tables);
            }),
            "read_csv: '" + none + "' has a header and no rows; add at least one");
}

}  // namespace
}  // namespace pellucid
