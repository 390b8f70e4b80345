// The text of CSV: what is understood, and that every bad file is refused with its place.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>

#include "io/csv.h"
#include "io/csv_number.h"
#include "io/csv_scan.h"
#include "io/text.h"
#include "pellucid/io.h"
#include "support/message.h"

namespace pellucid {
namespace {

std::string refusal(const std::string& text, const io::CsvOptions& options = {}) {
  return message_of([&] { io::parse_csv(text, options, "x"); });
}

void expect_error(const std::string& text, const std::string& rest, const io::CsvOptions& options = {}) {
  EXPECT_EQ(refusal(text, options), "read_csv: 'x'" + rest);
}

TEST(Csv, ReadsNumbersTextQuotesAndMissing) {
  const io::Table table = io::parse_csv(
      "\xEF\xBB\xBF"
      "a,b,c\r\n1,\"x, \"\"y\"\"\",2.5\r\n,x,NA\r\n\r\n-3e2,,7\r\n");
  ASSERT_EQ(table.rows, 3);
  EXPECT_EQ(table.at("a").numbers[0], 1);
  EXPECT_TRUE(table.at("a").missing(1));
  EXPECT_EQ(table.at("a").numbers[2], -300);
  EXPECT_EQ(table.at("b").field(0), "x, \"y\"");
  EXPECT_TRUE(table.at("b").missing(2));
  EXPECT_FALSE(table.at("c").text);
  EXPECT_TRUE(table.at("c").missing(1));
  ASSERT_EQ(table.notes.size(), 1U);
  EXPECT_EQ(table.notes[0], "column 'c': fields such as 'NA' are read as missing, 1 in all");
}

TEST(Csv, NumbersAreTheNearestDoubles) {
  std::mt19937_64 random(5);
  std::string text = "x\n";
  std::vector<double> expected;
  for (int i = 0; i < 20000; ++i) {
    double value = 0;
    if (i % 2 == 0) {  // any double at all
      const std::uint64_t bits = random();
      std::memcpy(&value, &bits, 8);
      if (!std::isfinite(value)) continue;
    } else {  // a few digits
      value = static_cast<double>(static_cast<std::int64_t>(random() % 2000001) - 1000000) / 1000;
    }
    expected.push_back(value);
    text += io::to_text(value) + "\n";
  }
  for (const auto& [field, value] :
       std::initializer_list<std::pair<const char*, double>>{{"+5", 5},
                                                             {" 7 ", 7},
                                                             {".5", 0.5},
                                                             {"5.", 5},
                                                             {"-.25", -0.25},
                                                             {"1E2", 100},
                                                             {"123456789012345678", 123456789012345678.0},
                                                             {"0.1000000000000000055511151231257827", 0.1},
                                                             {"inf", std::numeric_limits<double>::infinity()},
                                                             {"-0", 0.0},
                                                             {"1e999", std::numeric_limits<double>::infinity()},
                                                             {"1e-999", 0},
                                                             {"9007199254740993", 9007199254740992.0},
                                                             {"000000000000000000001", 1},
                                                             {"0.000000000000000000001", 1e-21}}) {
    expected.push_back(value);
    text += std::string(field) + "\n";
  }
  const io::Table table = io::parse_csv(text);
  ASSERT_FALSE(table.columns[0].text);
  EXPECT_EQ(table.columns[0].numbers, expected);
}

TEST(Csv, NumbersOfEveryLengthAreTheNearestDoubles) {
  std::mt19937_64 random(6);
  for (int i = 0; i < 50000; ++i) {
    std::string text = random() % 2 == 0 ? "-" : "";
    for (std::uint64_t digits = random() % 24; digits-- > 0;) text += static_cast<char>('0' + random() % 10);
    if (random() % 2 == 0) text.insert(random() % (text.size() + 1), ".");
    if (random() % 8 == 0) text += "e-" + std::to_string(random() % 30);
    if (text.find('-', 1) < text.find('e')) continue;
    const std::string field = text + ",;\n"[random() % 3] + std::string(random() % 12, '7');
    const io::ParsedNumber number = io::parse_field_number(field.data(), field.data() + field.size());
    double expected = 0;
    if (!io::parse_number(text, '.', expected)) continue;
    ASSERT_EQ(number.end, field.data() + text.size()) << field;
    ASSERT_EQ(number.value, expected) << field;
    ASSERT_EQ(number.has_point, text.find('.') != std::string::npos) << field;
    const io::ParsedNumber alone = io::parse_field_number(text.data(), text.data() + text.size());
    ASSERT_EQ(alone.value, expected) << text;
  }
}

TEST(Csv, CountsLineFeeds) {
  std::mt19937_64 random(7);
  for (std::size_t size = 0; size < 70; ++size) {
    std::string text(size, ' ');
    for (char& c : text) c = "\n\n\r\x0B\x8A\xFF\x09\x0A"[random() % 8];
    EXPECT_EQ(io::count_byte(text.data(), text.data() + size, '\n'),
              static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')));
  }
}

TEST(Csv, LineEndsAndBlankLines) {
  for (const char* text : {"a,b\n1,2\n3,4\n", "a,b\r\n1,2\r\n3,4", "a,b\r1,2\r3,4\r", "\n\na,b\n\n1,2\n\n\n3,4\n\n"}) {
    const io::Table table = io::parse_csv(text);
    EXPECT_EQ(table.rows, 2) << text;
    EXPECT_EQ(table.at("b").numbers, (std::vector<double>{2, 4})) << text;
  }
  EXPECT_EQ(io::parse_csv("a\n1\n\n3\n").at("a").count_missing(), 1);
}

TEST(Csv, FindsTheSeparator) {
  for (const char separator : {',', ';', '\t', '|'}) {
    std::string text = "a_b_c\n1_\"x,;\t|\"_2\n3_y_4\n";
    for (char& c : text) c = c == '_' ? separator : c;
    const io::Table table = io::parse_csv(text);
    ASSERT_EQ(table.columns.size(), 3U) << text;
    EXPECT_EQ(table.at("c").numbers, (std::vector<double>{2, 4}));
  }
  EXPECT_EQ(io::detect_separator("a;b\n1,5;2,5\n"), ';');
  EXPECT_EQ(io::detect_separator("a\n1\n"), ',');
}

TEST(Csv, DecimalCommas) {
  const io::Table table = io::parse_csv("a;b;c\n1,5;2;1.5\n3;4,25;2\n");
  EXPECT_EQ(table.at("a").numbers[0], 1.5);
  EXPECT_EQ(table.at("b").numbers[1], 4.25);
  EXPECT_EQ(table.at("c").numbers[0], 1.5);
  // With both, one of them stands for thousands: not to be guessed.
  for (const char* text : {"a;b\n1.500;1\n2,5;1\n", "a;b\n2,5;1\n1.500;1\n", "a;b\n1.234,5;1\n2,5;1\n"}) {
    EXPECT_TRUE(io::parse_csv(text).at("a").text) << text;
  }
  expect_error("a;b\n2,5;1\n1.500;1\n",
               ", line 3: '1.500' in column 'a' is not a number; use one decimal point in the whole column",
               {.numeric = {"a"}});
}

TEST(Csv, TextAfterNumbersKeepsEveryField) {
  const io::Table table = io::parse_csv("a,b\n1,2\n02,3\n?,4\nx,4\n");
  EXPECT_TRUE(table.at("a").text);
  EXPECT_EQ(table.at("a").field(1), "02");
  EXPECT_EQ(table.at("a").field(2), "?");
  std::string text = "n\n";
  for (int i = 0; i < 30; ++i) text += std::to_string(i) + "\n";
  const io::Table nearly = io::parse_csv(text + "oops\n");
  ASSERT_EQ(nearly.notes.size(), 1U);
  EXPECT_EQ(
      nearly.notes[0],
      "column 'n' is text: 1 of 31 fields are not numbers, the first 'oops' in line 32; correct them, or name them "
      "as missing");
}

TEST(Csv, MarkersAloneAreText) {
  const io::Table table = io::parse_csv("a,b\nNA,1\nNone,2\n,3\n");
  EXPECT_TRUE(table.at("a").text);
  EXPECT_EQ(table.at("a").levels, (std::vector<std::string>{"NA", "None"}));
  EXPECT_EQ(io::parse_csv("a,b\nNA,1\nx,2\n", {.missing = {"NA"}}).at("a").count_missing(), 1);
}

TEST(Csv, NumbersCanStandForMissing) {
  const std::string text = "a,b\n-999,-1\n2,-999\n-999.0,x\n";
  const io::Table everywhere = io::parse_csv(text, {.missing = {"-999"}});
  EXPECT_EQ(everywhere.at("a").count_missing(), 1);
  EXPECT_EQ(everywhere.at("a").numbers[2], -999);
  EXPECT_EQ(everywhere.at("b").count_missing(), 1);
  const io::Table in_numbers = io::parse_csv(text, {.missing_numbers = {"-999", "-999.0"}});
  EXPECT_EQ(in_numbers.at("a").count_missing(), 2);
  EXPECT_EQ(in_numbers.at("a").numbers[1], 2);
  EXPECT_EQ(in_numbers.at("b").levels, (std::vector<std::string>{"-1", "-999", "x"}));
}

TEST(Csv, AMarkOfTheEncodingInANameIsQuoted) {
  io::Table table;
  table.rows = 1;
  table.columns.resize(2);
  table.columns[0].name = "\xEF\xBB\xBF";
  table.columns[1].name = "b";
  for (io::Column& column : table.columns) column.numbers = {1};
  const std::string text = io::to_csv(table);
  EXPECT_EQ(text, "\"\xEF\xBB\xBF\",b\n1,1\n");
  EXPECT_EQ(io::parse_csv(text).columns[0].name, "\xEF\xBB\xBF");
}

TEST(Csv, OptionsDecideTypes) {
  const io::Table table = io::parse_csv("a,b\n1,2\n01,3\n", {.text = {"a", "not there"}});
  EXPECT_EQ(table.at("a").levels, (std::vector<std::string>{"1", "01"}));
  EXPECT_FALSE(table.at("b").text);
  const io::Table bare = io::parse_csv("1,2\n3,4\n", {.header = false});
  EXPECT_EQ(bare.rows, 2);
  EXPECT_EQ(bare.at("column_2").numbers[1], 4);
  expect_error(
      "a,b\n1,2\n\n3,x\n",
      ", line 4: 'x' in column 'b' is not a number; correct it, or leave the field empty where the value is missing",
      {.numeric = {"b"}});
}

TEST(Csv, RefusesBadFilesWithTheirPlace) {
  expect_error("", " is empty; it needs a header and at least one row");
  expect_error("a,b\n", " has a header and no rows; add at least one");
  expect_error("a,b\n1,2\n3\n",
               ", line 3: 1 field where the header has 2 columns (none for column 'b'); add the missing "
               "ones, empty where there is no value");
  expect_error("a,b\n\"1\n\n2\",2\n1,2,3,4\n",
               ", line 5: 4 fields where the header has 2 columns ('3' is the first too "
               "many); remove them, or quote a field that holds ','");
  expect_error("a,b\n1,2\n1,\"2\n3,4\n",
               ", line 3: the quote that opens before '2\\x0a3,4\\x0a' is never closed; close "
               "it, or double a quote that belongs to the text");
  expect_error("a,b\n1,\"2\"x\n",
               ", line 2: 'x' follows the closing quote of a field that opens in line 2; double a "
               "quote that belongs to the text, or put a ',' between fields");
  expect_error("\na,a\n1,2\n", ", line 2: columns 1 and 2 are both named 'a'; rename one");
  expect_error("1,1\n1,2\n",
               ", line 1: columns 1 and 2 are both named '1'; rename one, or say that the file has no header");
  expect_error(std::string("a,b\n1,\0\n", 8),
               ", line 2: a NUL byte at byte 6 of the file; it is damaged or no text: "
               "export it again");
  constexpr const char* kConvert = " text; save it as UTF-8, or convert it: iconv -f UTF-16 -t UTF-8 IN > OUT";
  expect_error(
      "\xFF\xFE"
      "a",
      std::string(" is UTF-16") + kConvert);
  expect_error(
      "\xFE\xFF"
      "a",
      std::string(" is UTF-16") + kConvert);
  expect_error(std::string("a\0,\0b\0\n\0", 8),
               " is UTF-16 text without its mark; save it as UTF-8, or convert it: iconv -f UTF-16 -t UTF-8 IN > OUT");
  expect_error(std::string("\xFF\xFE\0\0a", 5),
               " is UTF-32 text; save it as UTF-8, or convert it: iconv -f UTF-32 -t UTF-8 IN > OUT");
  const std::string latin = " is not UTF-8 (Latin-1, perhaps); convert the file: iconv -f LATIN1 -t UTF-8 IN > OUT";
  expect_error("a,b\n\xE9,2\n", ", line 2: '\\xe9'" + latin);
  expect_error("a,\xE9\n1,2\n", ", line 1: '\\xe9'" + latin);
  expect_error("PK\x03\x04", " is a zip archive or a workbook, not CSV; unpack it, or save the sheet as CSV");
  expect_error(std::string(1'000'001, ','), ", line 1: more than 1000000 columns; is this the file that was meant?");
  for (const char separator : {'"', '.', '-', '\n', 'a', '7', '\x7F', '\x01'}) {
    EXPECT_PRED2(contains, refusal("a\n1\n", {.separator = separator}),
                 "cannot separate fields; take ',', ';', '|' or a tab");
  }
}

TEST(Csv, EveryTruncationIsReadOrRefused) {
  const std::string text = "a,b\r\n1,\"x\"\"y\n\"\r\n2.5,z\r\n";
  for (std::size_t n = 0; n < text.size(); ++n) refusal(text.substr(0, n));
}

TEST(Text, ShowsAnythingInOneLine) {
  EXPECT_EQ(io::shown("a\tb\x7F"), "a\\x09b\\x7f");
  EXPECT_EQ(io::shown("\xC3\xA9"), "\xC3\xA9");
  EXPECT_EQ(io::shown("\xE9"), "\\xe9");
  EXPECT_EQ(io::shown(std::string(50, 'x')), std::string(40, 'x') + "...");
  EXPECT_EQ(io::shown(std::string(39, 'x') + "\xC3\xA9"), std::string(39, 'x') + "...");
}

TEST(Text, Utf8IsWellFormed) {
  for (const char* good : {"", "a", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80",
                           "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_TRUE(io::valid_utf8(good)) << io::shown(good);
  }
  for (const char* bad : {"\x80", "\xC0\x80", "\xC1\xBF", "\xC2", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xE1\x80",
                          "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF"}) {
    EXPECT_FALSE(io::valid_utf8(bad)) << io::shown(bad);
  }
}

TEST(Text, ListsTheMostAlikeFirst) {
  EXPECT_EQ(io::edit_distance("Kitten", "sitting"), 3U);
  EXPECT_EQ(io::edit_distance("Age", "age"), 0U);
  EXPECT_EQ(io::list_similar("agee", {"sex", "age", "income"}, 2), "'age', 'sex' and 1 more");
}

TEST(Text, ListsWhatMayHaveBeenMeantAlone) {
  const std::vector<std::string> names = {"epochs", "batch", "learning-rate", "l1", "time", "oot", "log"};
  EXPECT_EQ(io::list_near("epoch", names), "'epochs'");
  EXPECT_EQ(io::list_near("tiem", names), "'time'");
  EXPECT_EQ(io::list_near("rate", names), "'learning-rate'");
  EXPECT_EQ(io::list_near("l2", names), "'l1'");
  EXPECT_EQ(io::list_near("lot", names), "'oot' or 'log'");
  EXPECT_EQ(io::list_near("lot", names, 1), "'oot'");
  EXPECT_EQ(io::list_near("foobar", names), "");
  EXPECT_EQ(io::list_near("", names), "");
}

TEST(Text, NotANumberHasNoSign) {
  for (const double x : {std::numeric_limits<double>::quiet_NaN(), -std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_EQ(io::to_text(x), "nan");
    EXPECT_EQ(io::to_text(static_cast<float>(x)), "nan");
  }
}

}  // namespace
}  // namespace pellucid
