// What holds for tables that the program streams: pieces and threads do not show in what comes out.
#include <gtest/gtest.h>

#include <string>

#include "support/files.h"
#include "support/program.h"

namespace pellucid {
namespace {

using testing::classes_csv;
using testing::numbers_csv;
using testing::Outcome;
using testing::Place;

// The rows of a table with a header, over and over.
std::string repeated(const std::string& csv, int times) {
  const std::size_t header = csv.find('\n') + 1;
  std::string text = csv.substr(0, header);
  for (int i = 0; i < times; ++i) text += csv.substr(header);
  return text;
}

TEST(Stream, PredictsEveryRowOfALongTable) {
  const Place place;
  const std::string table = classes_csv(1000);
  place.write("things.csv", table);
  ASSERT_EQ(place.run("train things.csv --target kind --epochs 2 --hidden 8 --quiet").status, 0);
  const std::string once = place.run("predict things.safetensors things.csv").out;
  const int times = 1200;  // more than one group of blocks
  const std::string text = repeated(table, times);
  ASSERT_GT(text.size(), std::size_t{1} << 24);
  place.write("long.csv", text);
  place.write("long.csv.gz", gzip(text));
  const std::string expected = repeated(once, times);
  EXPECT_EQ(place.run("predict things.safetensors long.csv --threads 1").out, expected);
  EXPECT_EQ(place.run("predict things.safetensors long.csv.gz --threads 3 --out out.csv").status, 0);
  EXPECT_EQ(place.read("out.csv"), expected);

  const auto scores = [&](const std::string& file) {
    const std::string line = place.run("evaluate things.safetensors " + file + " --json").out;
    return nlohmann::json::parse(line);
  };
  EXPECT_EQ(scores("long.csv")["rows"], 1000 * times);
  EXPECT_EQ(scores("long.csv")["metrics"]["accuracy"], scores("things.csv")["metrics"]["accuracy"]);
}

TEST(Stream, ReadsPipes) {
  const Place place;
  place.write("data.csv", classes_csv(80));
  const std::string pipe = "mkfifo pipe; (cat data.csv > pipe &)";
  const std::string train = " --target kind --fast --hidden 4 --epochs 1 --quiet --out ";
  ASSERT_EQ(place.run("train data.csv" + train + "m.safetensors").status, 0);
  const Outcome piped = place.run("train pipe" + train + "p.safetensors", "", pipe);
  EXPECT_EQ(piped.status, 0) << piped.err;
  const std::string expected = place.run("predict m.safetensors data.csv").out;
  EXPECT_EQ(place.run("predict p.safetensors pipe", "", "(cat data.csv > pipe &)").out, expected);
  EXPECT_EQ(place.run("predict m.safetensors pipe", "", "(gzip < data.csv > pipe &)").out, expected);
}

TEST(Stream, NamesTheLineThatIsWrongAndLeavesNothing) {
  const Place place;
  place.write("homes.csv", numbers_csv(200));
  ASSERT_EQ(place.run("train homes.csv --target price --epochs 2 --hidden 8 --quiet").status, 0);
  place.write("bad.csv", repeated(numbers_csv(200), 4) + "big,3,north,1\n");
  const Outcome bad = place.run("predict homes.safetensors bad.csv --out out.csv");
  EXPECT_EQ(bad.status, 1);
  EXPECT_NE(bad.err.find("bad.csv', line 802: 'big' in column 'size' is not a number"), std::string::npos) << bad.err;
  EXPECT_FALSE(std::filesystem::exists(place.path("out.csv")));
  place.write("less.csv", "rooms,town\n3,north\n");
  const Outcome less = place.run("predict homes.safetensors less.csv");
  EXPECT_EQ(less.status, 1);
  EXPECT_NE(less.err.find("lacks a column that the model needs: 'size'; it has 'town', 'rooms'"), std::string::npos)
      << less.err;
  const Outcome none = place.run("evaluate homes.safetensors less.csv");
  EXPECT_EQ(none.status, 1);
  place.write("empty.csv", "size,rooms,town,price\n1,2,north,\n");
  const Outcome unlabelled = place.run("evaluate homes.safetensors empty.csv");
  EXPECT_EQ(unlabelled.status, 1);
  EXPECT_NE(unlabelled.err.find("no row has a value in the target column 'price'"), std::string::npos)
      << unlabelled.err;
}

}  // namespace
}  // namespace pellucid
