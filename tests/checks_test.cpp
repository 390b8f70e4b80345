// Leaks are found where a column gives the target away, and nowhere else; duplicates are counted.
#include "pellucid/checks.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "pellucid/data.h"
#include "support/message.h"

namespace pellucid {
namespace {

using Texts = std::vector<std::string>;

Texts leaks_of(const io::Table& table, const std::string& target) {
  const data::Rows rows = data::labelled_rows(table, target);
  const data::Preprocessing fitted =
      data::fit_preprocessing(table, data::fit_target(table, target, {}, rows), rows, {.embed_above = 8});
  Texts names;
  for (const data::Leak& leak : data::find_leaks(fitted, table, rows)) {
    names.push_back(leak.column);
    EXPECT_GE(leak.score, 0.98) << leak.column;
    EXPECT_LE(leak.score, 1) << leak.column;
  }
  return names;
}

// A number between 0 and 1 that looks like chance.
double noise(int i, int stream) {
  const double x = std::sin(i * 12.9898 + stream * 78.233) * 43758.5453;
  return x - std::floor(x);
}

TEST(Leaks, AreFoundForNumbers) {
  std::string text = "noise,good,scaled,cubed,coded,when,y\n";
  for (int i = 0; i < 600; ++i) {
    const double y = noise(i, 1) * 10;
    const int tenth = static_cast<int>(y * 3);
    text += std::to_string(noise(i, 2)) + "," + std::to_string(y + noise(i, 3) * 6) + "," + std::to_string(3 * y + 7) +
            "," + std::to_string(y * y * y) + ",code" + std::to_string(tenth) + ",2024-01-" +
            std::to_string(10 + static_cast<int>(y / 2)) + "," + std::to_string(y) + "\n";
  }
  EXPECT_EQ(leaks_of(io::parse_csv(text), "y"), (Texts{"scaled", "cubed", "coded"}));
}

TEST(Leaks, AreFoundForClasses) {
  std::string text = "noise,good,threshold,answer,sparse,only there,y\n";
  for (int i = 0; i < 600; ++i) {
    const bool yes = noise(i, 1) < 0.3;
    text += std::to_string(noise(i, 2)) + "," + std::to_string((yes ? 1 : 0) + noise(i, 3) * 1.5) + "," +
            std::to_string((yes ? 5 : 0) + noise(i, 4)) + "," +
            (yes          ? "granted"
             : i % 3 == 0 ? "denied"
                          : "open") +
            ",n" + std::to_string(i % 300) + "," + (yes ? "1" : "") + "," + (yes ? "yes" : "no") + "\n";
  }
  EXPECT_EQ(leaks_of(io::parse_csv(text), "y"), (Texts{"threshold", "answer", "only there"}));
}

TEST(Leaks, AreNotSeenInFewRowsOrFewWrongAnswers) {
  std::string few = "x,y\n", rare = "x,y\n";
  for (int i = 0; i < 49; ++i) few += std::to_string(i) + "," + std::to_string(i) + ".5\n";
  for (int i = 0; i < 2000; ++i) rare += std::to_string(i % 500 == 1 ? 1 : 0) + (i % 500 == 1 ? ",q\n" : ",p\n");
  EXPECT_EQ(leaks_of(io::parse_csv(few), "y"), Texts{});
  EXPECT_EQ(leaks_of(io::parse_csv(rare), "y"), Texts{});
}

TEST(Leaks, RealTablesHaveNone) {
  for (const char* name : {"iris", "wine"}) {
    EXPECT_EQ(leaks_of(io::read_csv(std::string(PELLUCID_SOURCE_DIR "/tests/data/") + name + ".csv"), "target"),
              Texts{});
  }
}

TEST(Duplicates, AreCountedByInputsAndTarget) {
  const io::Table table = io::parse_csv(
      "n,c,id,y\n1,a,1,5\n2,a,2,5\n1,,3,5\n1,a,4,5\n1,a,5,6\n-0,b,6,1\n0,b,7,1\n1,,8,5\n,a,9,5\n", {.text = {"c"}});
  const data::Rows rows = data::all_rows(table.rows);
  const data::Preprocessing fitted = data::fit_preprocessing(
      table, data::fit_target(table, "y", data::Task::kRegression, rows), rows, {.ignore = {"id"}});
  const data::Rows training = {0, 1, 2, 5};
  EXPECT_EQ(data::count_duplicates(fitted, table, training, data::Rows{3, 4, 6, 7, 8}), 3);
  EXPECT_EQ(data::count_duplicates(fitted, table, training, data::Rows{4, 8}), 0);
  EXPECT_EQ(data::count_duplicates(fitted, table, training, {}), 0);
  EXPECT_EQ(message_of([&] { data::count_duplicates(fitted, table, training, data::Rows{9}); }),
            "count_duplicates: there is no row 9 in a table of 9; give positions from 0 to 8");
  // Rows 0 and 3 are equal, but so is 4 in its inputs, with another target; 2 and 7, 5 and 6 are.
  EXPECT_EQ(data::count_repeated(fitted, table, rows), 4);
  EXPECT_EQ(data::count_repeated(fitted, table, data::Rows{0, 1, 2, 3, 8}), 2);
  EXPECT_EQ(data::count_repeated(fitted, table, data::Rows{0, 2}), 0);
  EXPECT_EQ(message_of([&] { data::count_repeated(fitted, table, data::Rows{9}); }),
            "count_repeated: there is no row 9 in a table of 9; give positions from 0 to 8");
  EXPECT_EQ(message_of([&] { data::find_leaks(fitted, table, data::Rows{-1}); }),
            "find_leaks: there is no row -1 in a table of 9; give positions from 0 to 8");
}

}  // namespace
}  // namespace pellucid
