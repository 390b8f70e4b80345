// Kinds of columns beyond numbers and small categories: booleans, dates and times as they are written in tables, folded
// and numbered categories, running text.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string>

#include "data/dates.h"
#include "data/words.h"
#include "pellucid/data.h"
#include "support/message.h"

namespace pellucid {
namespace {

using data::DateFormat;
using data::DateParts;
using data::Feature;
using data::Preprocessing;
using data::PreprocessOptions;

using Kind = Feature::Kind;
using Values = std::vector<float>;

Preprocessing fit(const std::string& text, const PreprocessOptions& options = {}) {
  const io::Table table = io::parse_csv(text, {}, "x.csv");
  const data::Rows rows = data::all_rows(table.rows);
  const Preprocessing fitted = data::fit_preprocessing(table, data::fit_target(table, "y", {}, rows), rows, options);
  return data::preprocessing_from_json(data::to_json(fitted));
}

data::Encoded encode(const Preprocessing& fitted, const std::string& text) {
  const io::Table table = io::parse_csv(text, data::csv_options(fitted));
  return data::encode(fitted, table, data::all_rows(table.rows));
}

TEST(Kinds, BooleansAreUnderstoodHoweverTheyAreSpelled) {
  const Preprocessing fitted = fit("a,y\nYes,1.5\nno,2.5\nyes,3\nNo,4.5\n,7\n");
  ASSERT_EQ(fitted.features[0].kind, Kind::kBoolean);
  EXPECT_EQ(fitted.input_names(), (std::vector<std::string>{"a=yes", "a is missing"}));
  const data::Encoded encoded = encode(fitted, "a\nYES\nn\nTrue\n0\nperhaps\nNA\nOff\n");
  EXPECT_EQ(encoded.x.to_vector<float>(), (Values{1, 0, -1, 0, 1, 0, -1, 0, 0, 0, 0, 0, -1, 0}));
  EXPECT_EQ(encoded.unseen, (std::vector<std::pair<std::string, std::int64_t>>{{"a", 2}}));
  EXPECT_EQ(fit("a,y\nF,1\nM,2\nF,3\n").features[0].kind, Kind::kBinary);
  EXPECT_EQ(fit("a,y\nyes,1\ntrue,2\nno,3\nfalse,4\n,5\nno,6\n").features[0].kind, Kind::kCategory);
}

TEST(Kinds, DatesAreFoundInTheFormatThatFitsAllOfThem) {
  const auto format = [](const std::string& values) {
    std::string text = "d;y\n";
    int row = 0;
    for (std::size_t at = 0; at < values.size(); at = values.find(';', at) + 1) {
      text += values.substr(at, values.find(';', at) - at) + ";" + std::to_string(++row) + ".5\n";
      if (values.find(';', at) == std::string::npos) break;
    }
    return fit(text).features[0].format;
  };
  EXPECT_EQ(format("2024-01-31;2024-02-01"), "iso");
  EXPECT_EQ(format("2024/1/31;2024/02/01"), "year/month/day");
  EXPECT_EQ(format("31.1.2024;01.02.2024 13:30"), "day/month/year");
  EXPECT_EQ(format("1/31/2024;2/1/2024 1:30 PM"), "month/day/year");
  EXPECT_EQ(format("1/12/2024;2/1/2024"), "month/day/year") << "where both fit";
  EXPECT_EQ(format("1.12.2024;2.1.2024"), "day/month/year") << "where both fit";
  EXPECT_EQ(format("02 Jul 2024;13 may 2023 13:30"), "day/month/year");
  EXPECT_EQ(format("1-Mar-2024;2.March.2024"), "day/month/year");
  EXPECT_EQ(format("Jan 31 2024;February 1 2024 1:30 PM"), "month/day/year");
  EXPECT_EQ(format("13:30;7:05"), "time");

  const Preprocessing fitted = fit("d,y\n12:00,1.5\n18:30,2.5\n0:00:36,3\n", {.scaling = data::Scaling::kNone});
  EXPECT_EQ(fitted.input_names(), std::vector<std::string>{"d.hour"});
  EXPECT_EQ(encode(fitted, "d\n18:30\n1:15 pm\n0:00:36\nlate\n").x.to_vector<float>(), (Values{18.5, 13.25, 0.01F, 0}));
}

TEST(Kinds, DatesOfEachFormatAreReadOrRefused) {
  const auto day = [](const char* text, DateFormat format) {
    const auto parts = data::parse_date(text, format);
    return parts ? *parts : DateParts{-1, -1, -1, -1};
  };
  const DateParts noon = {19782.5, 2, 3, 12};
  EXPECT_EQ(day("29.2.2024 12:00", DateFormat::kDayFirst), noon);
  EXPECT_EQ(day("02/29/2024 12:00:00 PM", DateFormat::kMonthFirst), noon);
  EXPECT_EQ(day("2024-2-29 12:00pm", DateFormat::kYearFirst), noon);
  EXPECT_EQ(day("2/29/2024 12:30 AM", DateFormat::kMonthFirst)[3], 0);
  for (const char* text : {"29 Feb 2024 12:00", "29-FEB-2024 12:00", "29.feb.2024 12:00", "29/February/2024 12:00",
                           "29 Febr. 2024 12:00", "29 feb, 2024 12:00 pm"}) {
    EXPECT_EQ(day(text, DateFormat::kDayFirst), noon) << text;
  }
  for (const char* text :
       {"Feb 29, 2024 12:00", "february 29 2024 12:00", "Feb. 29, 2024 12:00", "Feb-29-2024 12:00"}) {
    EXPECT_EQ(day(text, DateFormat::kMonthFirst), noon) << text;
  }
  for (const char* text :
       {"29 Fe 2024", "29 Febs 2024", "30 Feb 2024", "29 Feb", "29 Feb 24", "29Feb2024", "29 Feb-2024", "29-Feb,-2024",
        "Feb 29 2024", "29 Feb 2024 noon", "29  Feb 2024", "29 Septemberly 2024"}) {
    EXPECT_FALSE(data::parse_date(text, DateFormat::kDayFirst)) << text;
  }
  EXPECT_FALSE(data::parse_date("29 Feb 2024", DateFormat::kMonthFirst));
  EXPECT_FALSE(data::parse_date("Feb", DateFormat::kMonthFirst));
  EXPECT_FALSE(data::parse_date("May", DateFormat::kYearFirst));
  for (const char* text : {"", "29.2.24", "29.2/2024", "30.2.2024", "29.2.2024 ", "29.2.2024T12:00", "29 2 2024",
                           "29.2.2024 12", "29.2.2024 13:00 PM", "29.2.2024 0:00 AM", "29.2.2024 1:00 XM", "129.2.2024",
                           "29.2.2024 12:00Z", "29.2.2024 24:00", "1.13.2024"}) {
    EXPECT_FALSE(data::parse_date(text, DateFormat::kDayFirst)) << text;
  }
  for (const char* text : {"", "7", "7:5", "25:00", "7:60", "-7:00", "7:00:61", "7:00 "}) {
    EXPECT_EQ(data::parse_date(text, DateFormat::kTime).has_value(), std::string(text) == "7:00 ") << text;
  }
}

TEST(Kinds, LongTailsGoOnAsTheirLogarithm) {
  const auto column = [](int far, int times) {
    std::string text = "n,y\n";
    for (int i = 0; i < 400; ++i) {
      text += std::to_string(i < times ? far : i % 101) + "," + std::to_string(i % 7) + ".5\n";
    }
    return text;
  };
  const Preprocessing fitted = fit(column(1000, 8));
  const data::Number& number = fitted.features[0].numbers[0];
  EXPECT_TRUE(number.log_tails);
  EXPECT_FALSE(number.clip);
  const Values x = encode(fitted, "n\n1000\n-1000\n1e300\n\"\"\n").x.to_vector<float>();
  EXPECT_FLOAT_EQ(x[0], static_cast<float>(3 * std::asinh((1000 - number.center) / number.spread / 3)));
  EXPECT_FLOAT_EQ(x[1], static_cast<float>(3 * std::asinh((-1000 - number.center) / number.spread / 3)));
  EXPECT_GT(x[2], 1000);
  EXPECT_TRUE(std::isfinite(x[2]));
  EXPECT_EQ(x[3], 0);

  const Preprocessing again = data::preprocessing_from_json(data::to_json(fitted));
  EXPECT_TRUE(again.features[0].numbers[0].log_tails);

  EXPECT_TRUE(fit(column(100, 8)).features[0].numbers[0].clip) << "no tail";
  EXPECT_TRUE(fit(column(1000, 1)).features[0].numbers[0].clip) << "one far value may be an error";
  EXPECT_TRUE(fit(column(-1000, 8)).features[0].numbers[0].log_tails) << "below";
}

std::string many_cities(int rows) {
  std::string text = "city,y\n";
  for (int i = 0; i < rows; ++i) {
    text += (i % 3 == 0 ? "A" : i % 3 == 1 ? "B" : "town " + std::to_string(i)) + "," + std::to_string(i % 7) + ".5\n";
  }
  return text;
}

TEST(Kinds, RareCategoriesAreFoldedIntoOneInput) {
  const Preprocessing fitted = fit(many_cities(60) + ",1\n");
  EXPECT_EQ(fitted.input_names(), (std::vector<std::string>{"city=A", "city=B", "city is another", "city is missing"}));
  const data::Encoded encoded = encode(fitted, "city\nA\ntown 2\nnew\nNA\n\"\"\n");
  EXPECT_EQ(encoded.x.to_vector<float>(), (Values{1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 1}));
  EXPECT_TRUE(encoded.unseen.empty());
}

TEST(Kinds, CategoriesCanBeNumbersForAnEmbedding) {
  const Preprocessing fitted =
      fit("n," + many_cities(60).substr(0, 7) + "1,A,2\n2,B,3\n3,B,2\n4,A,1\n5,A,4\n6,B,2\n7,c,3\n",
          {.embed_above = 2, .min_embedded = 2});
  EXPECT_EQ(fitted.input_names(), (std::vector<std::string>{"n", "city, by number"}));
  EXPECT_TRUE(fitted.features[1].other_input);
  ASSERT_EQ(fitted.embedded().size(), 1U);
  EXPECT_EQ(fitted.embedded()[0].input, 1);
  EXPECT_EQ(fitted.embedded()[0].count, 3);
  const Values x = encode(fitted, "n,city\n4,A\n4,B\n4,c\n4,\n4,new\n").x.to_vector<float>();
  EXPECT_EQ((Values{x[1], x[3], x[5], x[7], x[9]}), (Values{1, 2, 0, 0, 0}));
  EXPECT_TRUE(fit(many_cities(60)).embedded().empty());
  const io::Table rare = io::parse_csv("c,y\na,1\nb,2\nc,3\na,1\n");
  const data::Rows rows = data::all_rows(rare.rows);
  EXPECT_TRUE(contains(message_of([&] {
                         data::fit_preprocessing(rare, data::fit_target(rare, "y", {}, rows), rows,
                                                 {.embed_above = 2, .min_embedded = 5});
                       }),
                       "'c' has 3 different texts, none in 5 training rows or more"));
}

std::string stories(int rows) {
  const std::array<std::string, 6> words = {"The", "red", "dog", "sees", "a", "house"};
  std::string text = "story,y\n";
  for (int i = 0; i < rows; ++i) {
    text += "\"" + words[i % 6] + " " + words[i / 6 % 6] + ", " + words[i / 36 % 6] + " number " +
            std::to_string(i % 150) + "!\"," + std::to_string(i % 5) + ".5\n";
  }
  return text;
}

TEST(Kinds, RunningTextIsHashedByItsWords) {
  const Preprocessing fitted = fit(stories(150));
  ASSERT_EQ(fitted.features[0].kind, Kind::kText);
  EXPECT_EQ(fitted.inputs(), 8);
  EXPECT_EQ(fitted.input_names()[1], "story, words 2");
  EXPECT_EQ(fit(stories(216)).features[0].buckets, 8);
  const Values x = encode(fitted, "story\nred dog\nDOG (red)\n\"\"\n!\nred\n").x.to_vector<float>();
  ASSERT_EQ(x.size(), 5U * 8);
  const auto row = [&](int i) { return Values(x.begin() + i * 8, x.begin() + i * 8 + 8); };
  EXPECT_EQ(row(0), row(1)) << "neither order nor case nor signs count";
  EXPECT_EQ(row(2), Values(8)) << "missing";
  EXPECT_EQ(row(3), Values(8)) << "no word";
  // FNV-1a of "red", by the reference's offset and prime.
  EXPECT_EQ(data::hash_of("red"), 0x89e9be1960f4c21cU);
  EXPECT_EQ(data::hash_of(""), 0xcbf29ce484222325U);
  EXPECT_EQ(data::hash_of("a"), 0xaf63dc4c8601ec8cU);
  Values red(8);
  red[0x89e9be1960f4c21cU % 8] = 1;
  EXPECT_EQ(row(4), red);
  // Of few rows, few words, or words that never come again, nothing can be learned.
  EXPECT_TRUE(contains(message_of([] { fit(stories(90)); }), "'story' is an identifier: another text in each row"));
  std::string codes = "place,y\n";
  for (int i = 0; i < 300; ++i)
    codes += std::to_string(i % 150 % 7) + ":" + std::to_string(i % 150) + ":3," + std::to_string(i % 5) + ".5\n";
  EXPECT_TRUE(contains(message_of([&] { fit(codes); }), "'place' has 150 different texts, none in 8 training rows"))
      << "numbers are no words";
}

TEST(Kinds, DamagedDescriptionsAreRefused) {
  using Json = nlohmann::json;
  const auto refused = [](const std::string& text, const PreprocessOptions& options, const char* pointer,
                          const Json& value) {
    const io::Table table = io::parse_csv(text);
    const data::Rows rows = data::all_rows(table.rows);
    Json json = Json::parse(
        data::to_json(data::fit_preprocessing(table, data::fit_target(table, "y", {}, rows), rows, options)));
    json[Json::json_pointer(pointer)] = value;
    const std::string message = message_of([&] { data::preprocessing_from_json(json.dump()); });
    return message.substr(message.find('(') + 1, message.find(')') - message.find('(') - 1);
  };
  const PreprocessOptions quantile = {.scaling = data::Scaling::kQuantile};
  const std::string numbers = "a,y\n1,1\n2,2\n3,5\n";
  EXPECT_EQ(refused(numbers, quantile, "/features/0/numbers/0/knots", {1, 2}), "'knots' is no list of 128 numbers");
  EXPECT_EQ(refused(numbers, quantile, "/features/0/numbers/0/knots/3", "x"),
            "'knots' holds something that is no number");
  EXPECT_EQ(refused(numbers, quantile, "/features/0/numbers/0/knots/3", 99), "'knots' do not ascend");
  EXPECT_EQ(refused(stories(150), {}, "/features/0/buckets", 0), "'buckets' is not right");
  EXPECT_EQ(refused(stories(150), {}, "/features/0/buckets", 2.5), "'buckets' is not right");
  EXPECT_EQ(refused("d,y\n13:30,1\n14:30,2\n15:00,4\n", {}, "/features/0/format", "stardate"),
            "the date format 'stardate' is not known");
  EXPECT_EQ(refused("b,y\nyes,1\nno,2\nno,4\n", {}, "/features/0/levels", {"no"}),
            "a category has no levels, or a binary one not two");
  EXPECT_EQ(refused(many_cities(60), {}, "/features/0/other_input", 1), "'other_input' is neither true nor false");
}

}  // namespace
}  // namespace pellucid
