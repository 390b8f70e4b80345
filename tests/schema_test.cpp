// Schemas: found out as a person would say it, kept through JSON, told from nonsense, and held to.
#include "pellucid/schema.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "pellucid/data.h"
#include "support/damage.h"
#include "support/message.h"

namespace pellucid {
namespace {

using data::ColumnSchema;
using data::ColumnType;
using data::OnMissing;
using data::OnUnseen;
using data::OutOfRange;
using data::Role;
using data::Schema;
using Texts = std::vector<std::string>;

io::Table table_of_all_kinds() {
  std::string text = "id,ratio,count,flag,word flag,job,story,day,key,same,none,y\n";
  const Texts jobs = {"cook", "baker", "driver"};
  for (int i = 0; i < 120; ++i) {
    text += std::to_string(1000 + i) + "," + (i == 7 ? "" : std::to_string(i) + ".25") + "," + std::to_string(i % 40) +
            "," + std::to_string(i % 2) + "," + (i % 3 == 0 ? "yes" : "No") + "," + jobs[i % 3] +
            ",the story of cook " + std::to_string(i) + "," + std::to_string(1 + i % 28) + "." +
            std::to_string(1 + i % 12) + ".2024,k" + std::to_string(i) + ",7,," + std::to_string(i % 5) + ".5\n";
  }
  return io::parse_csv(text, {}, "kinds.csv");
}

TEST(Schema, IsFoundOut) {
  const Schema schema = data::find_schema(table_of_all_kinds(), "y");
  const auto type = [&](const char* name) { return std::string(name_of(schema.find(name)->type)); };
  EXPECT_EQ(type("id"), "identifier");
  EXPECT_EQ(type("ratio"), "number");
  EXPECT_EQ(type("count"), "whole number");
  EXPECT_EQ(type("flag"), "boolean");
  EXPECT_EQ(type("word flag"), "boolean");
  EXPECT_EQ(type("job"), "category");
  EXPECT_EQ(type("story"), "text");
  EXPECT_EQ(type("day"), "date");
  EXPECT_EQ(type("key"), "identifier");
  EXPECT_EQ(type("same"), "constant");
  EXPECT_EQ(type("none"), "constant");
  EXPECT_EQ(schema.find("ratio")->low, 0.25);
  EXPECT_EQ(schema.find("ratio")->high, 119.25);
  EXPECT_EQ(schema.find("ratio")->missing, 1.0 / 120);
  EXPECT_EQ(schema.find("none")->missing, 1);
  EXPECT_EQ(schema.find("count")->distinct, 40);
  EXPECT_EQ(schema.find("job")->categories, (Texts{"baker", "cook", "driver"}));
  EXPECT_EQ(schema.find("word flag")->categories, (Texts{"No", "yes"}));
  EXPECT_EQ(schema.find("flag")->categories, (Texts{"0", "1"}));
  EXPECT_EQ(schema.find("day")->format, "day/month/year");
  EXPECT_EQ(schema.find("day")->first, "1.1.2024");
  EXPECT_EQ(schema.find("day")->last, "28.12.2024");
  EXPECT_EQ(schema.find("id")->role, Role::kIgnore);
  EXPECT_EQ(schema.find("same")->role, Role::kIgnore);
  EXPECT_EQ(schema.find("job")->role, Role::kInput);
  EXPECT_EQ(schema.with_role(Role::kTarget), "y");
  EXPECT_EQ(schema.with_role(Role::kGroup), "");
  EXPECT_EQ(schema.find("nothing"), nullptr);
  EXPECT_EQ(message_of([] { data::find_schema(table_of_all_kinds(), "z"); }).substr(0, 38),
            "table 'kinds.csv': no column 'z'; ther");
  EXPECT_EQ(message_of([] { data::find_schema(table_of_all_kinds(), data::Rows{120}); }),
            "find_schema: there is no row 120 in a table of 120; give positions from 0 to 119");
}

TEST(Schema, InfinityIsNoRange) {
  const Schema schema = data::find_schema(io::parse_csv("a,b\n1,2\ninf,3\n5,4\n"));
  EXPECT_EQ(schema.columns[0].high, 5);
  EXPECT_EQ(schema.columns[0].type, ColumnType::kNumber);
  EXPECT_EQ(data::to_json(data::schema_from_json(data::to_json(schema))), data::to_json(schema));
}

TEST(Schema, ManyCategoriesAreNotListed) {
  std::string text = "a,n\n";
  for (int i = 0; i < 3000; ++i) text += "v" + std::to_string(i % 1400) + "," + std::to_string(i) + "\n";
  const Schema schema = data::find_schema(io::parse_csv(text));
  EXPECT_EQ(schema.columns[0].type, ColumnType::kCategory);
  EXPECT_TRUE(schema.columns[0].categories.empty());
  EXPECT_EQ(schema.columns[0].distinct, 1400);
  EXPECT_EQ(schema.columns[1].distinct, 1001);
}

TEST(Schema, IsKeptByJsonAndByPreprocessing) {
  const io::Table table = table_of_all_kinds();
  Schema schema = data::find_schema(table, "y");
  const std::string json = data::to_json(schema);
  EXPECT_EQ(data::to_json(data::schema_from_json(json)), json);
  const data::Rows rows = data::all_rows(table.rows);
  const data::Preprocessing fitted =
      data::fit_preprocessing(table, data::fit_target(table, "y", {}, rows), rows, {.schema = schema});
  EXPECT_EQ(data::to_json(data::preprocessing_from_json(data::to_json(fitted)).schema), json);
  // Found out or given, a schema that nobody has changed makes the same inputs.
  const data::Preprocessing found = data::fit_preprocessing(table, data::fit_target(table, "y", {}, rows), rows);
  EXPECT_EQ(found.input_names(), fitted.input_names());
  EXPECT_EQ(data::to_json(found.schema), json);
}

TEST(Schema, SaysHowToRead) {
  const io::CsvOptions options = data::csv_options(data::find_schema(table_of_all_kinds(), "y"));
  EXPECT_EQ(options.numeric, (Texts{"ratio", "count", "y"}));
  EXPECT_EQ(options.text, (Texts{"job", "story", "day"}));
}

TEST(Schema, RefusesWhatIsNoSchema) {
  const auto refused = [](const std::string& column) {
    return message_of([&] { data::schema_from_json(R"({"column": [)" + column + "]}"); });
  };
  for (const char* text : {"", "[]", "{}", R"({"column": 1})", "{"}) {
    EXPECT_EQ(message_of([&] { data::schema_from_json(text); }),
              "schema: there is no list 'column' of columns; `pellucid schema DATA` writes one to begin with");
  }
  EXPECT_EQ(refused(""), "schema: there are no columns; `pellucid schema DATA` writes one to begin with");
  EXPECT_EQ(message_of([] { data::schema_from_json(R"({"column": [], "rows": 1})"); }),
            "schema: there is no key 'rows' beside 'column'; take it out");
  EXPECT_EQ(refused("1"), "schema: column 1: it is no table of keys and values");
  EXPECT_EQ(refused("{}"), "schema: column 1: 'name' is missing");
  EXPECT_EQ(refused(R"({"name": 1})"), "schema: column 1: 'name' is no text");
  EXPECT_EQ(refused(R"({"name": "a"})"), "schema: column 'a': 'type' is missing");
  EXPECT_EQ(refused(R"({"name": "a", "type": "number", "on_mising": "fill"})"),
            "schema: column 'a': there is no key 'on_mising'; similar: 'on_missing', 'missing' and 9 more");
  EXPECT_EQ(refused(R"({"name": "a", "type": "float"})"),
            "schema: column 'a': type = \"float\" is none of \"number\", \"whole number\", \"boolean\", \"category\", "
            "\"text\", \"date\", \"identifier\", \"constant\"");
  const auto number = [&](const std::string& more) {
    const std::string message = refused(R"({"name": "a", "type": "number", )" + more + "}");
    return message.substr(std::min(message.size(), std::string("schema: column 'a': ").size()));
  };
  EXPECT_EQ(number(R"("role": "output")"),
            "role = \"output\" is none of \"input\", \"target\", \"ignore\", \"group\", \"time\", \"weight\"");
  EXPECT_EQ(number(R"("on_missing": true)"), "'on_missing' is no text");
  EXPECT_EQ(number(R"("on_missing": "drop")"), "on_missing = \"drop\" is none of \"fill\", \"refuse\"");
  EXPECT_EQ(number(R"("on_unseen": "refuse")"), "'on_unseen' is not for the type number");
  EXPECT_EQ(number(R"("categories": ["a"])"), "'categories' is not for the type number");
  EXPECT_EQ(number(R"("format": "iso")"), "'format' is not for the type number");
  EXPECT_EQ(number(R"("range": [1])"), "'range' is no list of two: the least and the most");
  EXPECT_EQ(number(R"("range": [1, "2"])"), "'range' holds something that is no number");
  EXPECT_EQ(number(R"("range": [2, 1])"), "'range' begins above its end");
  EXPECT_EQ(number(R"("out_of_range": "clip")"), "out_of_range = \"clip\" needs a range");
  EXPECT_EQ(number(R"("missing": 2)"), "'missing' is no number from 0 to 1");
  const auto other = [&](const std::string& text) {
    const std::string message = refused(R"({"name": "a", )" + text + "}");
    return message.substr(std::min(message.size(), std::string("schema: column 'a': ").size()));
  };
  EXPECT_EQ(other(R"("type": "category", "range": [1, 2])"), "'range' is not for the type category");
  EXPECT_EQ(other(R"("type": "category", "categories": [1, 2])"),
            "'categories' is no list of texts; write numbers in quotes");
  EXPECT_EQ(other(R"("type": "category", "categories": ["x", "y", "x"])"), "the category 'x' stands there twice");
  EXPECT_EQ(other(R"("type": "boolean", "categories": ["x"])"),
            "a boolean has two categories, the one for false first");
  EXPECT_EQ(
      other(R"("type": "date", "format": "stardate")"),
      "format = \"stardate\" is none of \"iso\", \"year/month/day\", \"day/month/year\", \"month/day/year\", \"time\"");
  EXPECT_EQ(other(R"("type": "date", "range": ["2024-01-01", "x"])"),
            "'range' holds something that is no date of the format iso");
  EXPECT_EQ(other(R"("type": "date", "range": ["2024-01-02", "2024-01-01"])"), "'range' begins above its end");
  EXPECT_EQ(other(R"("type": "date", "range": ["2024-01-01", "2024-01-02"], "out_of_range": "clip")"),
            "out_of_range = \"clip\" is for numbers; take \"accept\" or \"refuse\" for a date");
  EXPECT_EQ(refused(R"({"name": "a", "type": "number"}, {"name": "a", "type": "date"})"),
            "schema: column 'a' is there twice; take one out");
  EXPECT_EQ(
      refused(R"({"name": "a", "type": "number", "role": "time"}, {"name": "b", "type": "date", "role": "time"})"),
      "schema: 'a' and 'b' both have the role time; one column can");
}

TEST(Schema, DamagedOnesAreReadOrRefused) {
  damage("schema", data::to_json(data::find_schema(table_of_all_kinds(), "y")), [](const std::string& text) {
    const io::Table table = table_of_all_kinds();
    data::find_breach(data::schema_from_json(text), table, data::all_rows(table.rows));
  });
}

// ---- Held to --------------------------------------------------------------------------------------------------------

constexpr const char* kStrict = R"({"column": [
  {"name": "n", "type": "number", "range": [0, 10], "on_missing": "refuse", "out_of_range": "refuse"},
  {"name": "w", "type": "whole number", "range": [0, 10], "out_of_range": "refuse"},
  {"name": "c", "type": "category", "categories": ["red", "green"], "on_unseen": "refuse"},
  {"name": "b", "type": "boolean", "on_unseen": "refuse"},
  {"name": "d", "type": "date", "range": ["2024-01-01", "2024-12-31"], "on_unseen": "refuse", "out_of_range": "refuse"},
  {"name": "y", "type": "number", "role": "target", "range": [0, 1], "out_of_range": "refuse"}]})";

TEST(Schema, NamesTheFirstValueThatItRefuses) {
  const Schema schema = data::schema_from_json(kStrict);
  const auto breach = [&](const std::string& rows) {
    const io::Table table = io::parse_csv("n,w,c,b,d,y\n" + rows, data::csv_options(schema), "x.csv");
    const auto found = data::find_breach(schema, table, data::all_rows(table.rows));
    return found ? std::to_string(found->row) + " " + found->column + " " + found->what : "";
  };
  const std::string good = "0,10,red,yes,2024-12-31,0.5\n10,0,green,0,2024-01-01,99\n5,,,,,\n";
  EXPECT_EQ(breach(good), "");
  EXPECT_EQ(breach(good + ",1,red,no,,\n"),
            "3 n is missing, and the schema needs a value there (on_missing = \"refuse\")");
  EXPECT_EQ(breach("1,11,red,no,,\n11,1,red,no,,\n"),
            "0 w is 11, and the schema allows 0 to 10 (out_of_range = \"refuse\")");
  EXPECT_EQ(breach("-0.5,1,red,no,,\n"), "0 n is -0.5, and the schema allows 0 to 10 (out_of_range = \"refuse\")");
  EXPECT_EQ(breach("1,1.5,red,no,,\n"),
            "0 w is 1.5, and the schema allows whole numbers alone (out_of_range = \"refuse\")");
  EXPECT_EQ(breach("1,1,redd,no,,\n"),
            "0 c is 'redd', which is none of the schema's categories 'red', 'green' (on_unseen = \"refuse\")");
  EXPECT_EQ(breach("1,1,red,maybe,,\n"), "0 b is 'maybe', which is neither true nor false (on_unseen = \"refuse\")");
  EXPECT_EQ(breach("1,1,red,no,soon,\n"), "0 d is 'soon', which is no date of the format iso (on_unseen = \"refuse\")");
  EXPECT_EQ(breach("1,1,red,no,2025-01-01,\n"),
            "0 d is '2025-01-01', and the schema allows '2024-01-01' to '2024-12-31' (out_of_range = \"refuse\")");
}

data::Preprocessing fit(const io::Table& table, const Schema& schema) {
  const data::Rows rows = data::all_rows(table.rows);
  return data::fit_preprocessing(table, data::fit_target(table, "y", {}, rows), rows,
                                 {.scaling = data::Scaling::kNone, .schema = schema});
}

TEST(Schema, EncodingHoldsToIt) {
  const Schema schema = data::schema_from_json(kStrict);
  const io::Table table = io::parse_csv(
      "n,w,c,b,d,y,more\n1,2,red,yes,2024-05-01,1,1\n3,4,green,no,2024-06-02,2,2\n5,6,red,no,2024-07-03,0,3\n",
      data::csv_options(schema));
  const data::Preprocessing fitted = fit(table, schema);
  EXPECT_EQ(fitted.dropped, (std::vector<std::pair<std::string, std::string>>{{"more", "is not in the schema"}}));
  io::Table bad = table;
  bad.source = "bad.csv";
  bad.columns[0].numbers.edit()[2] = 12;
  EXPECT_EQ(message_of([&] { data::encode(fitted, bad, data::all_rows(3)); }),
            "encode: 'bad.csv', row 3: column 'n' is 12, and the schema allows 0 to 10 (out_of_range = \"refuse\"); "
            "correct it, or the schema");
  EXPECT_EQ(message_of([&] { data::encode(fitted, bad, data::Rows{0, 1}); }), "no error");
  EXPECT_EQ(message_of([&] { fit(io::parse_csv("n,w,c,b,y\n1,2,red,yes,1\n2,3,red,no,2\n"), schema); }).substr(0, 31),
            "table '<text>': no column 'd'; ");
  EXPECT_EQ(
      message_of([&] {
        fit(io::parse_csv("n,w,c,b,d,y\nsome,2,red,yes,2024-01-01,1\nmore,2,red,yes,2024-01-01,2\n"), schema);
      }),
      "fit_preprocessing: column 'n' holds text ('some'), and the schema says it is a number; correct one of them");
}

TEST(Schema, NumbersAreClippedWhereItSaysSo) {
  const Schema schema = data::schema_from_json(
      R"({"column": [{"name": "n", "type": "number", "range": [0, 10], "out_of_range": "clip"},
                     {"name": "y", "type": "number", "role": "target"}]})");
  const data::Preprocessing fitted = fit(io::parse_csv("n,y\n1,2\n12,3\n5,7\n"), schema);
  EXPECT_EQ(data::encode(fitted, io::parse_csv("n\n-5\n3\n1e9\ninf\n"), data::all_rows(4)).x.to_vector<float>(),
            (std::vector<float>{0, 3, 10, 10}));
}

TEST(Schema, TypesThatArePutInByHandAreObeyed) {
  std::string text = "zip,code,flag,note,day,id,y\n";
  for (int i = 0; i < 40; ++i) {
    text += std::to_string(i % 4) + "," +
            (i % 2 == 0   ? "A"
             : i % 3 == 0 ? "B"
                          : "C") +
            "," + (i % 2 == 0 ? "on" : "?") + ",word" + std::to_string(i % 3) + "," +
            (i % 5 == 0 ? "soon" : "2024-01-0" + std::to_string(1 + i % 9)) + "," + std::to_string(i) + "," +
            std::to_string(i % 7) + ".5\n";
  }
  const Schema schema = data::schema_from_json(R"({"column": [
    {"name": "zip", "type": "category"}, {"name": "code", "type": "category", "categories": ["A", "B"]},
    {"name": "flag", "type": "boolean"}, {"name": "note", "type": "text"}, {"name": "day", "type": "date"},
    {"name": "id", "type": "whole number"}, {"name": "y", "type": "number", "role": "target"}]})");
  const data::Preprocessing fitted = fit(io::parse_csv(text), schema);
  EXPECT_EQ(fitted.input_names(),
            (Texts{"zip=0", "zip=1", "zip=2", "zip=3", "code=A", "code=B", "code is another", "flag=true",
                   "note, words 1", "note, words 2", "note, words 3", "note, words 4", "note, words 5", "note, words 6",
                   "note, words 7", "note, words 8", "day.day", "day.weekday", "id"}));
  const data::Encoded encoded = data::encode(
      fitted, io::parse_csv("zip,code,flag,note,day,id\n2,C,TRUE,,,4\n2,D,?,,never,4\n", data::csv_options(fitted)),
      data::all_rows(2));
  const std::vector<float> x = encoded.x.to_vector<float>();
  EXPECT_EQ(std::vector<float>(x.begin(), x.begin() + 8), (std::vector<float>{0, 0, 1, 0, 0, 0, 1, 1}));
}

TEST(Schema, ColumnsOfOtherRolesAreNoInputs) {
  const Schema schema = data::schema_from_json(R"({"column": [
    {"name": "n", "type": "number"}, {"name": "g", "type": "category", "role": "group"},
    {"name": "t", "type": "date", "role": "time"}, {"name": "w", "type": "number", "role": "weight"},
    {"name": "i", "type": "number", "role": "ignore"}, {"name": "y", "type": "number", "role": "target"}]})");
  const data::Preprocessing fitted =
      fit(io::parse_csv("n,g,t,w,i,y\n1,a,2024-01-01,1,1,1\n2,b,2024-01-02,2,2,0.5\n3,b,2024-01-05,3,3,7\n"), schema);
  EXPECT_EQ(fitted.dropped, (std::vector<std::pair<std::string, std::string>>{{"g", "says which rows belong together"},
                                                                              {"t", "says which rows are newer"},
                                                                              {"w", "says how much rows count"},
                                                                              {"i", "is to be ignored"}}));
}

}  // namespace
}  // namespace pellucid
