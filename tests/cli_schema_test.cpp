// pellucid schema, and training by schemas, groups, time and folds from the shell.
#include <gtest/gtest.h>

#include <algorithm>

#include <nlohmann/json.hpp>
#include <string>

#include "support/files.h"
#include "support/message.h"
#include "support/program.h"

namespace pellucid {
namespace {

using testing::Outcome;
using testing::Place;

std::string people(int rows, const std::string& separator = ",") {
  std::string text = "age,job,joined,shop,pay\n";
  const char* jobs[] = {"cook", "baker", "driver"};
  for (int i = 0; i < rows; ++i) {
    text += std::to_string(20 + i * 7 % 40) + "," + jobs[i % 3] + ",2024-0" + std::to_string(1 + i % 9) + "-11,s" +
            std::to_string(i / 10) + "," + std::to_string(1000 + i * 7 % 40 * 10 + i % 3 * 50) + ".5\n";
  }
  for (char& c : text) {
    if (c == ',') c = separator[0];
  }
  return text;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

constexpr const char* kQuick = " --hidden 8 --epochs 2 --quiet";

TEST(CliSchema, ShowsWritesAndReadsBack) {
  const Place place;
  place.write("people.csv", people(90));
  const Outcome shown = place.run("schema people.csv --target pay --out schema.toml");
  EXPECT_EQ(shown.status, 0) << shown.err;
  EXPECT_EQ(shown.out,
            "people.csv: 90 rows, 5 columns\n"
            "  column  type          role    missing  values\n"
            "  age     whole number  input            20 to 59\n"
            "  job     category      input            3: baker, cook, driver\n"
            "  joined  date          input            2024-01-11 to 2024-09-11\n"
            "  shop    category      input            9: s0, s1, s2, s3, s4, s5, s6, s7, s8\n"
            "  pay     number        target           1000.5 to 1490.5\n"
            "\nwrote schema.toml; edit it, and give it to train as --schema schema.toml\n");
  const std::string toml = place.read("schema.toml");
  EXPECT_TRUE(contains(toml,
                       "[[column]]\nname = \"job\"\ntype = \"category\"\nrole = \"input\"\n"
                       "categories = [\"baker\", \"cook\", \"driver\"]\ndistinct = 3\nmissing = 0.0\n"
                       "on_unseen = \"unknown\"  # or \"refuse\"\n"))
      << toml;
  EXPECT_TRUE(contains(toml, "range = [20.0, 59.0]\n")) << toml;
  place.run("schema people.csv --target pay --out schema.json");
  EXPECT_EQ(place.run("schema people.csv --target pay --json").out, place.read("schema.json"));

  // Untouched, TOML or JSON, it changes nothing.
  ASSERT_EQ(place.run(std::string("train people.csv --target pay --out plain.safetensors") + kQuick).status, 0);
  for (const char* file : {"schema.toml", "schema.json"}) {
    const Outcome trained = place.run(std::string("train people.csv --out by.safetensors --schema ") + file + kQuick);
    ASSERT_EQ(trained.status, 0) << trained.err;
    EXPECT_EQ(place.run("predict by.safetensors people.csv").out,
              place.run("predict plain.safetensors people.csv").out);
  }
  const Outcome model = place.run("schema by.safetensors");
  EXPECT_TRUE(contains(model.out, "  pay     number        target           1000.5 to 1490.5\n")) << model.out;
}

TEST(CliSchema, ModelsHoldToIt) {
  const Place place;
  place.write("people.csv", people(90));
  place.run("schema people.csv --target pay --out schema.toml");
  std::string toml = place.read("schema.toml");
  toml = replaced(toml, "on_unseen = \"unknown\"", "on_unseen = \"refuse\"");
  toml = replaced(toml, "out_of_range = \"accept\"", "out_of_range = \"refuse\"");
  toml = replaced(toml, "name = \"shop\"\ntype = \"category\"\nrole = \"input\"",
                  "name = \"shop\"\ntype = \"category\"\nrole = \"ignore\"");
  place.write("strict.toml", toml);
  const Outcome trained = place.run(std::string("train people.csv --schema strict.toml --out m.safetensors") + kQuick);
  ASSERT_EQ(trained.status, 0) << trained.err;
  const auto refused = [&](const std::string& verb, const std::string& rows) {
    place.write("new.csv", "age,job,joined,pay\n" + rows);
    const Outcome outcome = place.run(verb + " m.safetensors new.csv");
    EXPECT_EQ(outcome.status, outcome.err.empty() ? 0 : 1);
    return outcome.err;
  };
  EXPECT_EQ(refused("predict", "33,cook,2024-01-11,\n"), "");
  const std::string young =
      "pellucid: 'new.csv', line 4: column 'age' is 19, and the schema allows 20 to 59 (out_of_range = \"refuse\"); "
      "correct it, or train with another schema\n";
  EXPECT_EQ(refused("predict", "33,cook,2024-01-11,\n\n19,cook,2024-01-11,\n"), young);
  EXPECT_EQ(refused("evaluate", "33,cook,2024-01-11,1\n33,cook,2024-01-11,\n19,cook,2024-01-11,2\n"), young);
  EXPECT_EQ(refused("predict", "33,pilot,2024-01-11,\n"),
            "pellucid: 'new.csv', line 2: column 'job' is 'pilot', which is none of the schema's categories 'cook', "
            "'baker', 'driver' (on_unseen = \"refuse\"); correct it, or train with another schema\n");
  place.write("bad.csv", replaced(people(90), "20,cook", "99,cook"));
  const Outcome bad = place.run(std::string("train bad.csv --schema strict.toml --out n.safetensors") + kQuick);
  EXPECT_EQ(bad.status, 1);
  EXPECT_TRUE(contains(bad.err, "row 1: column 'age' is 99, and the schema allows 20 to 59")) << bad.err;
  place.write("worse.csv", replaced(people(90), "20,cook", "old,cook"));
  EXPECT_TRUE(contains(place.run(std::string("train worse.csv --schema strict.toml --out n.safetensors") + kQuick).err,
                       "line 2: 'old' in column 'age' is not a number"));
}

TEST(CliSchema, SaysWhatIsWrong) {
  const Place place;
  place.write("people.csv", people(30));
  const auto refused = [&](const std::string& text) {
    place.write("s.toml", text);
    const Outcome outcome = place.run("train people.csv --schema s.toml");
    EXPECT_EQ(outcome.status, 1);
    return outcome.err;
  };
  EXPECT_EQ(refused("[[column]\n").substr(0, 27), "pellucid: 's.toml', line 1:");
  const std::string cut = refused("a = [0,\"w\"\nb = [0, 1]\n");
  EXPECT_EQ(std::count(cut.begin(), cut.end(), '\n'), 1) << cut;
  EXPECT_EQ(refused("[[column]]\nname = \"age\"\ntype = \"int\"\n").substr(0, 65),
            "pellucid: 's.toml': schema: column 'age': type = \"int\" is none of");
  EXPECT_EQ(refused("[[column]]\nname = \"age\"\ntype = \"date\"\nrange = [2024-01-01, 2024-01-02]\n"),
            "pellucid: 's.toml', line 4: dates and times belong in quotes\n");
  EXPECT_EQ(refused("[[column]]\nname = \"ä\"\nä = 1\n"),
            "pellucid: 's.toml', line 3: a letter beyond ASCII stands outside of quotes; put it into quotes\n");
  EXPECT_EQ(refused("{\"column\": []}").substr(0, 53), "pellucid: 's.toml': schema: there are no columns; `pe");
  EXPECT_TRUE(contains(place.run("train people.csv --schema none.toml").err, "none.toml"));
  testing::write_idx_folder(place, "pictures", false);
  EXPECT_EQ(place.run("schema pictures").err,
            "pellucid: 'pictures' holds pictures, which have no schema; give a table\n");
  for (const char* option : {"--schema s.toml", "--folds 3", "--group a", "--time-column a", "--weight a",
                             "--scaling quantile", "--oof o.csv"}) {
    const Outcome outcome = place.run(std::string("train pictures ") + option);
    EXPECT_EQ(outcome.status, 2);
    EXPECT_TRUE(contains(outcome.err, "is for tables, and 'pictures' holds pictures; leave it out")) << outcome.err;
  }
  ASSERT_EQ(place.run("train pictures --epochs 1 --hidden 4 --quiet").status, 0);
  EXPECT_EQ(place.run("schema pictures.safetensors").err,
            "pellucid: 'pictures.safetensors' is a model of pictures, which have no schema\n");
  EXPECT_EQ(place.run("schema pictures.safetensors --target a").status, 2);
  const Outcome oof = place.run("train people.csv --oof o.csv");
  EXPECT_EQ(oof.status, 2);
  EXPECT_EQ(oof.err, "pellucid: --oof 'o.csv' is for what --folds predict; add --folds 5, or leave it out\n");
  EXPECT_EQ(
      place.run("train people.csv --target pay --group shop --time-column joined").err,
      "pellucid: --group: rows are held out by groups ('shop') or by time ('joined'), not by both; leave one out\n");
}

TEST(CliFolds, ShowEachAndWriteWhatTheyPredict) {
  const Place place;
  place.write("people.csv", people(90));
  const Outcome run =
      place.run("train people.csv --target pay --folds 3 --oof oof.csv --hidden 8 --epochs 2 --group shop");
  ASSERT_EQ(run.status, 0) << run.err;
  EXPECT_TRUE(contains(run.out, "3 folds:\n  fold 1/3  ")) << run.out;
  EXPECT_TRUE(contains(run.out, "wrote oof.csv: what each row's fold predicts\n")) << run.out;
  EXPECT_TRUE(contains(run.out, ", 30 rows held out\n")) << run.out;
  const std::string oof = place.read("oof.csv");
  EXPECT_EQ(oof.substr(0, oof.find('\n')).substr(0, 26), "row,fold,pay,predicted pay");
  EXPECT_EQ(std::count(oof.begin(), oof.end(), '\n'), 91);
  const auto model = nlohmann::json::parse(place.run("inspect people.safetensors --json").out);
  EXPECT_EQ(model["training"]["folds"]["folds"], 3);
  EXPECT_EQ(model["training"]["folds"]["r2"]["each"].size(), 3U);
  EXPECT_EQ(model["preprocessing"]["dropped"][0]["column"], "shop");
}

TEST(CliWarnings, LeaksAreSaid) {
  const Place place;
  std::string text = "a,b,y\n";
  for (int i = 0; i < 800; ++i)
    text += std::to_string(i * 37 % 800) + "," + std::to_string(i % 7) + "," + (i * 37 % 800 < 400 ? "p\n" : "q\n");
  place.write("t.csv", text);
  const Outcome run = place.run("train t.csv --target y --hidden 4 --epochs 1");
  EXPECT_EQ(run.status, 0);
  EXPECT_TRUE(contains(run.err, "pellucid: warning: column 'a' alone predicts 'y' almost perfectly (")) << run.err;
}

TEST(CliSchema, DatesAreReadInTheFormThatIsShown) {
  const Place place;
  std::string text = "a,b,t,y\n";
  for (int i = 0; i < 60; ++i) {
    const std::string day = std::to_string(1 + i % 12), month = std::to_string(1 + i * 5 % 7);
    text += day + "/" + month + "/2024," + day + "." + month + ".2024," + std::to_string(i % 24) + ":30," +
            std::to_string(i * 7 % 60) + "\n";
  }
  place.write("d.csv", text);
  const Outcome run = place.run("train d.csv --target y --task regression --hidden 8 --epochs 2 --out m.safetensors");
  EXPECT_EQ(run.status, 0) << run.err;
  for (const char* part : {"date (month/day/year): day, month, weekday", "date (day/month/year): ", "date: hour"}) {
    EXPECT_TRUE(contains(run.out, part)) << run.out;
  }
  place.write("new.csv", "a,b,t\n1/2/2024,31.12.2024,7:30\n13/1/2024,soon,24:30\n");
  const Outcome said = place.run("predict m.safetensors new.csv");
  EXPECT_EQ(said.status, 0);
  for (const char* part :
       {"'a' has values in 1 row that are no dates as training had them (month/day/year); the middle value stands for",
        "'b' has values in 1 row that are no dates as training had them (day/month/year); the middle value stands for",
        "'t' has values in 1 row that are no times as training had them (time); the middle value stands for them"}) {
    EXPECT_TRUE(contains(said.err, part)) << said.err;
  }
}

}  // namespace
}  // namespace pellucid
