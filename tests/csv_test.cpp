// Reading and writing CSV: what is understood, and that every bad file is refused with its place.
#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "pellucid/io.h"

namespace pellucid {
namespace {

std::string message(const std::string& text) {
  try {
    io::parse_csv(text);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

void expect_error(const std::string& text, const std::string& part) {
  EXPECT_NE(message(text).find(part), std::string::npos) << message(text);
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
}

TEST(Csv, FindsSeparatorAndDecimalComma) {
  const io::Table table = io::parse_csv("a;b\n1,5;2\n3;4,25\n");
  EXPECT_EQ(table.at("a").numbers[0], 1.5);
  EXPECT_EQ(table.at("b").numbers[1], 4.25);
}

TEST(Csv, TextAfterNumbersKeepsEveryField) {
  const io::Table table = io::parse_csv("a,b\n1,2\n02,3\nx,4\n");
  EXPECT_TRUE(table.at("a").text);
  EXPECT_EQ(table.at("a").field(1), "02");
}

TEST(Csv, WritesWhatItReads) {
  const std::string text = "a,b\n0.1,\"x,y\"\n,z\n";
  EXPECT_EQ(io::to_csv(io::parse_csv(text)), text);
}

TEST(Csv, RefusesBadFiles) {
  expect_error("", "is empty");
  expect_error("a,b\n", "no rows");
  expect_error("a,b\n1,2\n3\n", "line 3");
  expect_error("a,b\n1,2,3\n", "line 2");
  expect_error("a,b\n1,\"2\n", "never closed");
  expect_error("a,b\n1,\"2\"x\n", "closing quote");
  expect_error("a,a\n1,2\n", "both named 'a'");
  expect_error(std::string("a,b\n1,\0\n", 8), "NUL byte");
  expect_error(
      "\xFF\xFE"
      "a",
      "UTF-16");
  expect_error(std::string("a\0,\0b\0\n\0", 8), "UTF-16");
  expect_error("a,b\n\xE9,2\n", "not UTF-8");
  expect_error("PK\x03\x04", "zip archive");
}

TEST(Csv, EveryTruncationIsReadOrRefused) {
  const std::string text = "a,b\n1,\"x\"\"y\"\n2.5,z\n";
  for (std::size_t n = 0; n < text.size(); ++n) message(text.substr(0, n));
}

}  // namespace
}  // namespace pellucid
