// Preprocessing of tables: inputs as an independent program computes them, kept through JSON, and told from nonsense.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <map>
#include <string>

#include "data/dates.h"
#include "pellucid/data.h"
#include "support/damage.h"
#include "support/files.h"
#include "support/message.h"

namespace pellucid {
namespace {

using data::Feature;
using data::Preprocessing;
using data::PreprocessOptions;
using data::Rows;
using data::Scaling;

Preprocessing fit(const io::Table& table, const std::string& target, const Rows& rows,
                  const PreprocessOptions& options = {}) {
  return data::fit_preprocessing(table, data::fit_target(table, target, {}, rows), rows, options);
}

Preprocessing fit(const std::string& text, const std::string& target, const PreprocessOptions& options = {}) {
  const io::Table table = io::parse_csv(text, {}, "x.csv");
  return fit(table, target, data::all_rows(table.rows), options);
}

TEST(Preprocess, EncodesAsNumPyDoes) {
  for (const auto& expected : reference("tables.json")) {
    const std::string name = expected["name"].get<std::string>() + ", " + expected["scaling"].get<std::string>();
    const io::Table table = expected.contains("file")
                                ? io::read_csv(PELLUCID_SOURCE_DIR "/tests/data/" + expected["file"].get<std::string>())
                                : io::parse_csv(expected["text"].get<std::string>());
    PreprocessOptions options;
    options.scaling = expected["scaling"] == "robust"     ? Scaling::kRobust
                      : expected["scaling"] == "standard" ? Scaling::kStandard
                                                          : Scaling::kQuantile;
    const Preprocessing fitted = fit(table, expected["target"], expected["training"].get<Rows>(), options);
    EXPECT_EQ(fitted.input_names(), expected["input_names"].get<std::vector<std::string>>()) << name;
    std::vector<std::string> dropped;
    for (const auto& [column, reason] : fitted.dropped) dropped.push_back(column);
    EXPECT_EQ(dropped, expected["dropped"].get<std::vector<std::string>>()) << name;

    // What the model file keeps does the same.
    const Preprocessing kept = data::preprocessing_from_json(data::to_json(fitted));
    const auto rows = expected["rows"].get<Rows>();
    const data::Encoded encoded = data::encode(kept, table, rows);
    ASSERT_EQ(encoded.x.shape(), (Shape{static_cast<std::int64_t>(rows.size()), kept.inputs()})) << name;
    const std::vector<float> x = encoded.x.to_vector<float>();
    for (std::size_t i = 0; i < rows.size(); ++i) {
      for (std::size_t c = 0; c < fitted.input_names().size(); ++c) {
        const double value = expected["x"][i][c];
        EXPECT_NEAR(static_cast<double>(x[i * fitted.input_names().size() + c]), value,
                    1e-6 * std::max(1.0, std::abs(value)))
            << name << ": row " << rows[i] << ", " << fitted.input_names()[c];
      }
    }
    if (!expected.contains("encoded")) continue;
    const data::Encoded later = data::encode(kept, table, expected["encoded"].get<Rows>());
    EXPECT_EQ((std::map<std::string, std::int64_t>(later.unseen.begin(), later.unseen.end())),
              (expected["unseen"].get<std::map<std::string, std::int64_t>>()));
    EXPECT_EQ((std::map<std::string, std::int64_t>(later.newly_missing.begin(), later.newly_missing.end())),
              (expected["newly_missing"].get<std::map<std::string, std::int64_t>>()));
  }
}

TEST(Preprocess, SaysWhyColumnsAreDropped) {
  std::string text = "id,key,same,word,none,ignored,n,many,y\n";
  for (int i = 0; i < 100; ++i) {
    text += std::to_string(i * 3) + ",k" + std::to_string(i) + ",7,w,," + std::to_string(i % 7) + "," +
            std::to_string(i % 5) + ",v" + std::to_string(i % 70) + "," + (i % 2 == 0 ? "p" : "q") + "\n";
  }
  const Preprocessing fitted = fit(text, "y", {.ignore = {"ignored"}});
  const std::vector<std::pair<std::string, std::string>> expected = {
      {"id", "is an identifier: another whole number in each row"},
      {"key", "is an identifier: another text in each row"},
      {"same", "is 7 in each training row"},
      {"word", "is 'w' in each training row"},
      {"none", "has no value in the training rows"},
      {"ignored", "is to be ignored"},
      {"many", "has 70 different texts, none in 8 training rows or more"}};
  EXPECT_EQ(fitted.dropped, expected);
  EXPECT_EQ(fitted.input_names(), std::vector<std::string>{"n"});
}

TEST(Preprocess, ColumnsThatAreOnlyThereOrNotCount) {
  EXPECT_EQ(fit("d,a,y\n2024-01-01,1,p\n2024-01-01,2,q\n", "y").dropped[0].second, "is one date in each training row");
  const Preprocessing fitted = fit("a,b,d,y\n5,w,2024-01-01,p\n,,,q\n5,w,2024-01-01,p\n,,,q\n", "y");
  EXPECT_EQ(fitted.input_names(),
            (std::vector<std::string>{"a", "a is missing", "b=w", "b is missing", "d is missing"}));
  const io::Table table = io::parse_csv("d,b,a\n,,\n2024-01-01,w,5\n");
  EXPECT_EQ(data::encode(fitted, table, data::all_rows(2)).x.to_vector<float>(),
            (std::vector<float>{0, 1, 0, 1, 1, 0, 0, 1, 0, 0}));
}

TEST(Preprocess, ScalingCanBeLeftOut) {
  const Preprocessing fitted = fit("a,y\n5,p\n,q\n7.5,p\n-1e3,q\n", "y", {.scaling = Scaling::kNone});
  const io::Table table = io::parse_csv("a\n5\nNA\n7.5\n1e300\n");
  EXPECT_EQ(data::encode(fitted, table, data::all_rows(4)).x.to_vector<float>(),
            (std::vector<float>{5, 0, 0, 1, 7.5, 0, 1e30F, 0}));
}

// Mean and deviation where tails are short; the robust scaling's logarithm where they are long.
TEST(Preprocess, UnclippedNumbers) {
  std::string text = "short,long,y\n";
  for (int i = 0; i < 100; ++i)
    text += std::to_string(i) + "," + std::to_string(i < 97 ? i % 10 : 1000 * i) + (i % 2 == 0 ? ",p\n" : ",q\n");
  const Preprocessing fitted = fit(text, "y", {.scaling = Scaling::kUnclipped}), robust = fit(text, "y", {});
  const data::Number& number = fitted.features[0].numbers[0];
  EXPECT_FALSE(number.clip || number.log_tails);
  EXPECT_EQ(number.center, 49.5);
  EXPECT_NEAR(number.spread, std::sqrt((100.0 * 100 - 1) / 12), 1e-12);
  const data::Number &far = fitted.features[1].numbers[0], &same = robust.features[1].numbers[0];
  EXPECT_TRUE(far.log_tails && !far.clip);
  EXPECT_EQ(far.center, same.center);
  EXPECT_EQ(far.spread, same.spread);
}

TEST(Preprocess, ExtremeNumbersStayFinite) {
  for (const Scaling scaling :
       {Scaling::kRobust, Scaling::kStandard, Scaling::kQuantile, Scaling::kNone, Scaling::kUnclipped}) {
    const Preprocessing fitted =
        fit("a,b,c,y\n1e308,5e-324,1,p\n-1e308,1e-323,inf,q\n1e149,1.5e-323,2,p\n-1e149,2e-323,-inf,q\n0,0,3,q\n", "y",
            {.scaling = scaling});
    const Preprocessing kept = data::preprocessing_from_json(data::to_json(fitted));
    const io::Table table = io::parse_csv("a,b,c\n1.7e308,1.7e308,inf\n-1.7e308,-1.7e308,-inf\n0,0,0\n");
    for (const float x : data::encode(kept, table, data::all_rows(3)).x.to_vector<float>())
      EXPECT_TRUE(std::isfinite(x));
  }
}

TEST(Preprocess, IdentifiersNeedEveryValue) {
  std::string text = "id,y\n";
  for (int i = 0; i < 60; ++i)
    text += (i % 5 == 1 ? std::string() : std::to_string(i * 7 % 60)) + (i % 2 == 0 ? ",p\n" : ",q\n");
  EXPECT_EQ(fit(text, "y").input_names(), (std::vector<std::string>{"id", "id is missing"}));
}

TEST(Preprocess, TheOrderOfRowsAndColumnsDoesNotMatter) {
  std::string forward, backward;
  for (int i = 0; i < 50; ++i) {
    const std::string c = "c" + std::to_string(i * i % 23), n = std::to_string(i % 11), y = i % 2 == 0 ? "p" : "q";
    forward += c + "," + n + "," + y + "\n";
    backward = c + "," + n + "," + y + "\n" + backward;
  }
  EXPECT_EQ(data::to_json(fit("c,n,y\n" + forward, "y")), data::to_json(fit("c,n,y\n" + backward, "y")));
  const Preprocessing fitted = fit("c,n,y\n" + forward, "y");
  const auto x = [&](const std::string& text) {
    return data::encode(fitted, io::parse_csv(text, data::csv_options(fitted)), data::all_rows(1)).x.to_vector<float>();
  };
  EXPECT_EQ(x("c,n\nc4,3\n"), x("more,n,c\n9,3,c4\n"));
}

TEST(Preprocess, CategoriesThatLookLikeNumbersAreReadAsText) {
  const std::string text = "zip,y\n0123,p\nx,q\n0123,p\nx,q\n7,p\n";
  const Preprocessing fitted = fit(text, "y");
  const std::string fresh = "zip\n0123\n7\n123\n";
  const data::Encoded encoded =
      data::encode(fitted, io::parse_csv(fresh, data::csv_options(fitted)), data::all_rows(3));
  EXPECT_EQ(fitted.input_names(), (std::vector<std::string>{"zip=0123", "zip=7", "zip=x"}));
  EXPECT_EQ(encoded.x.to_vector<float>(), (std::vector<float>{1, 0, 0, 0, 1, 0, 0, 0, 0}));
  EXPECT_EQ(encoded.unseen, (std::vector<std::pair<std::string, std::int64_t>>{{"zip", 1}}));
  // Read without those options, the column is numbers, whose text is looked up.
  EXPECT_EQ(data::encode(fitted, io::parse_csv(fresh), data::all_rows(3)).x.to_vector<float>(),
            (std::vector<float>{0, 0, 0, 0, 1, 0, 0, 0, 0}));
}

TEST(Preprocess, SaysWhatCannotBeFitted) {
  const io::Table table = io::parse_csv("a,b,y\n1,1,p\n2,1,q\n3,1,p\n");
  const data::Target target = data::fit_target(table, "y", {}, data::all_rows(3));
  const auto refused = [&](const Rows& rows, const PreprocessOptions& options) {
    return message_of([&] { data::fit_preprocessing(table, target, rows, options); });
  };
  EXPECT_EQ(refused({}, {}), "fit_preprocessing: no rows to train on; give a table with more rows, or hold out fewer");
  EXPECT_EQ(refused({0, 1}, {.ignore = {"aa"}}), "table '<text>': no column 'aa'; there are 'a', 'b', 'y'");
  EXPECT_EQ(refused({0, 1}, {.ignore = {"a"}}),
            "fit_preprocessing: no column is left to predict 'y' from: 'a' is to be ignored; 'b' is 1 in each training "
            "row; give columns that change with it");
  EXPECT_EQ(refused({0, 3}, {}), "fit_preprocessing: there is no row 3 in a table of 3; give positions from 0 to 2");
  io::Table uneven = table;
  uneven.columns[1].numbers.edit().pop_back();
  EXPECT_EQ(message_of([&] { data::fit_preprocessing(uneven, target, Rows{0}); }),
            "fit_preprocessing: column 'b' has 2 values and the table 3 rows; give each row one");
}

TEST(Preprocess, SaysWhatCannotBeEncoded) {
  const Preprocessing fitted = fit("a,b,c,y\n1,1,u,p\n2,5,v,q\n3,4,u,p\n", "y");
  const auto refused = [&](const std::string& text, const Rows& rows) {
    return message_of([&] { data::encode(fitted, io::parse_csv(text, {}, "x.csv"), rows); });
  };
  EXPECT_EQ(refused("a,bb,c\n1,2,u\n", {0}),
            "encode: the table 'x.csv' lacks a column that the model needs: 'b'; it has 'a', 'bb', 'c'");
  EXPECT_EQ(refused("x,c\n1,2\n", {0}),
            "encode: the table 'x.csv' lacks columns that the model needs: 'a', 'b'; it has 'x', 'c'");
  EXPECT_EQ(refused("a,b,c\n1,two,u\n", {0}),
            "encode: column 'b' of 'x.csv' holds text ('two'), and the model was trained on numbers there; correct it, "
            "or leave the field empty where the value is missing");
  EXPECT_EQ(refused("a,b,c\n1,2,u\n", {-1}), "encode: there is no row -1 in a table of 1; give positions from 0 to 0");
  EXPECT_EQ(
      message_of([&] { io::parse_csv("a,b,c\n1,two,u\n", data::csv_options(fitted), "x.csv"); }),
      "read_csv: 'x.csv', line 2: 'two' in column 'b' is not a number; correct it, or leave the field empty where "
      "the value is missing");
}

TEST(Preprocess, RefusesJsonThatIsDamaged) {
  const std::string good = data::to_json(
      fit("n,c,d,b,y\n1,u,2024-01-01,k,1.5\n2,v,2024-02-03,l,2.5\n4,w,2024-02-03,l,9\n4,w,2024-02-03,l,8\n", "y"));
  ASSERT_EQ(data::to_json(data::preprocessing_from_json(good)), good);
  using Json = nlohmann::json;
  const auto expect = [&](const std::string& pointer, const Json& value, const std::string& reason) {
    Json json = Json::parse(good);
    json[Json::json_pointer(pointer)] = value;
    EXPECT_EQ(message_of([&] { data::preprocessing_from_json(json.dump()); }),
              "preprocessing: the description in the model file is damaged (" + reason +
                  "); train it again, or take another copy")
        << pointer;
  };
  expect("/source", "tables", "the source 'tables' is not known");
  expect("/target", 1, "'column' is missing");
  expect("/target/column", 1, "'column' is no text");
  expect("/target/task", "guess", "'task' is neither classification nor regression");
  expect("/target/text", 0, "'text' is neither true nor false");
  expect("/target/mean", "1", "'mean' is no number");
  expect("/target/scale", 0, "'scale' is not above 0");
  expect("/target/low", 100, "'low' is above 'high'");
  expect("/target", {{"column", "y"}, {"task", "classification"}, {"text", true}, {"classes", {"a"}}},
         "there are less than two classes");
  expect("/target", {{"column", "y"}, {"task", "classification"}, {"text", true}, {"classes", {"a", "a"}}},
         "'classes' holds a text twice");
  expect("/missing", "x", "'missing' is no list");
  expect("/missing_numbers/0", 1, "'missing_numbers' holds something that is no text");
  expect("/features", Json::array(), "there are no features");
  expect("/features", "x", "there are no features");
  expect("/features/1/column", "n", "a column has two features");
  expect("/features/0/kind", "word", "the kind 'word' is not known");
  expect("/features/0/numbers", 1, "'numbers' is no list");
  expect("/features/0/numbers", Json::array(), "column 'n' has numbers missing");
  expect("/features/0/numbers/0/spread", -1, "'spread' is not above 0");
  expect("/features/1/levels", Json::array(), "a category has no levels, or a binary one not two");
  expect("/features/3/levels", {"a", "b", "c"}, "a category has no levels, or a binary one not two");
  expect("/features/2/parts/0", "year", "a part of a date is not known");
  expect("/features/2/parts", Json::array(), "a date has no parts");
  expect("/dropped", 1, "'dropped' is no list");
  for (std::size_t n = 0; n < good.size(); ++n) {
    EXPECT_EQ(message_of([&] { data::preprocessing_from_json(good.substr(0, n)); }),
              "preprocessing: the description in the model file is damaged (no JSON object); train it again, or take "
              "another copy");
  }
}

TEST(Preprocess, WhatDamagedJsonStillSaysIsSafe) {
  const io::Table table =
      io::parse_csv("n,c,d,b,y\n1,u,2024-01-01,k,p\n2,v,2024-02-03,l,q\n4,w,2024-02-03,l,p\n4,w,2024-02-03 10:00,,q\n");
  const Rows rows = data::all_rows(table.rows);
  damage("preprocessing", data::to_json(fit(table, "y", rows)), [&](const std::string& text) {
    const data::Encoded encoded = data::encode(data::preprocessing_from_json(text), table, rows);
    for (const float x : encoded.x.to_vector<float>()) ASSERT_TRUE(std::isfinite(x));
  });
}

TEST(Preprocess, KnowsTablesFromPictures) {
  const data::PicturePreprocessing pictures{.shape = {28, 28}, .mean = 1.5, .scale = 2, .classes = {"a", "b"}};
  const std::string table = data::to_json(fit("a,y\n1,p\n2,q\n", "y")), picture = data::to_json(pictures);
  EXPECT_EQ(data::source_of(table), data::Source::kTable);
  EXPECT_EQ(data::source_of(picture), data::Source::kPictures);
  EXPECT_EQ(message_of([&] { data::preprocessing_from_json(picture); }),
            "preprocessing: the model was trained on pictures, not on a table; give it pictures");
  EXPECT_EQ(message_of([&] { data::picture_preprocessing_from_json(table); }),
            "preprocessing: the model was trained on a table, not on pictures; give it a table");
}

TEST(Dates, AreReadByIso8601) {
  const auto parts = [](const char* text) { return data::parse_date(text).value(); };
  EXPECT_EQ(parts("1970-01-01"), (data::DateParts{0, 1, 3, 0}));
  EXPECT_EQ(parts("1969-12-31T12:00"), (data::DateParts{-0.5, 12, 2, 12}));
  EXPECT_EQ(parts("2024-02-29 13:30"), (data::DateParts{19782 + 13.5 / 24, 2, 3, 13}));
  EXPECT_EQ(parts("2024-02-29T13:30:05.5Z"), (data::DateParts{19782 + (13.5 * 3600 + 5.5) / 86400, 2, 3, 13}));
  EXPECT_EQ(parts("2024-02-29T01:30:00+02:00")[0], 19782 - 0.5 / 24);
  EXPECT_EQ(parts("2024-02-29T01:30+0200"), parts("2024-02-29T01:30:00+02"));
  EXPECT_EQ(parts("2024-02-29T01:30-09:30")[0], 19782 + 11.0 / 24);
  EXPECT_EQ(parts("2016-12-31T23:59:60")[0], 17167);
  EXPECT_EQ(parts("0001-01-01")[0], -719162);
  EXPECT_EQ(parts("9999-12-31")[0], 2932896);
  // Every day of 400 years follows the one before it.
  double day = parts("1999-12-31")[0], weekday = parts("1999-12-31")[2];
  for (int year = 2000; year < 2400; ++year) {
    for (int month = 1; month <= 12; ++month) {
      for (int d = 1; d <= 31; ++d) {
        char text[16];
        std::snprintf(text, sizeof text, "%04d-%02d-%02d", year, month, d);
        const auto date = data::parse_date(text);
        if (!date) continue;
        ASSERT_EQ((*date)[0], ++day) << text;
        weekday = weekday == 6 ? 0 : weekday + 1;
        ASSERT_EQ((*date)[2], weekday) << text;
      }
    }
  }
  EXPECT_EQ(day, parts("2400-01-01")[0] - 1);
  for (const char* text : {"",
                           "2024",
                           "2024-2-9",
                           "24-02-09",
                           "2024-13-01",
                           "2024-00-01",
                           "2023-02-29",
                           "1900-02-29",
                           "2024-04-31",
                           "2024-01-00",
                           "0000-01-01",
                           "2024-01-01T",
                           "2024-01-01T24:00",
                           "2024-01-01T12",
                           "2024-01-01T12:60",
                           "2024-01-01T12:00:61",
                           "2024-01-01T12:00:00.",
                           "2024-01-01X12:00",
                           "2024-01-01T12:00+2",
                           "2024-01-01T12:00+02:",
                           "2024-01-01T12:00+02:60",
                           "2024-01-01T12:00+24:00",
                           "2024-01-01T12:00Zx",
                           "2024-01-01 ",
                           " 2024-01-01",
                           "2024/01/01"}) {
    EXPECT_FALSE(data::parse_date(text)) << text;
  }
}

}  // namespace
}  // namespace pellucid
