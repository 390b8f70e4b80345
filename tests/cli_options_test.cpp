// What options take: each value that is none is refused in words, on the command line and in files alike.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <regex>
#include <sstream>

#include "support/program.h"

namespace pellucid {
namespace {

using testing::classes_csv;
using testing::Outcome;
using testing::Place;

constexpr int kUsage = 2;

void expect_refusal(const Outcome& outcome, const std::string& message) {
  EXPECT_EQ(outcome.status, kUsage) << outcome.err;
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  EXPECT_NE(outcome.err.find(message), std::string::npos) << message << "\n" << outcome.err;
}

constexpr const char* kTrain = "train data.csv --target kind --fast --hidden 4 --epochs 1 --quiet --out m.safetensors ";

TEST(Options, ValuesThatAreNone) {
  const Place place;
  place.write("data.csv", classes_csv(60));
  const auto refused = [&](const std::string& option, const std::string& message) {
    expect_refusal(place.run(kTrain + option), message);
  };
  for (const char* rate : {"0", "-1", "nan", "inf", "1e400", "much"}) {
    refused("--learning-rate " + std::string(rate),
            "--learning-rate: '" + std::string(rate) + "' is not a number above 0");
  }
  refused("--l1 -0.1", "--l1: '-0.1' is not a number of 0 or above");
  refused("--weight-decay nan", "--weight-decay: 'nan' is not a number of 0 or above");
  refused("--dropout 1", "--dropout: '1' is not a share of at least 0 and below 1");
  refused("--batch 1e3", "--batch: '1e3' is not a whole number of at least 1");
  refused("--batch 99999999999999999999", "'99999999999999999999' is not a whole number from 1 to 1099511627776");
  refused("--folds 1", "--folds: '1' is not a whole number from 2 to 1000");
  refused("--seed -1", "--seed: '-1' is not a whole number of at least 0");
  refused("--seed 18446744073709551616", "from 0 to 18446744073709551615");
  refused("--threads 0", "--threads: '0' is not a whole number from 1 to 1024");
  refused("--optimizer Adam", "--optimizer: 'Adam' is none of sgd, adam");
  refused("--schedule one_cycle", "perhaps 'one-cycle' is meant");
  refused("--scaling 3",
          "--scaling: '3' is none of robust, standard, quantile, none, unclipped; `pellucid train --help`");
  refused("--calibrate maybe", "--calibrate: 'maybe' is neither yes nor no");
  refused("--loss focal=-1", "--loss 'focal=-1': the exponent must not be below 0; it is 2 where left out");
  refused("--ensemble 4", "--ensemble 4 is for many networks");
  refused("--epochs 2", "--epochs takes 1 value, and 2 are given; leave one");
  expect_refusal(place.run("predict m.safetensors"), "DATA is missing; `pellucid predict --help` has examples");
  EXPECT_EQ(place.files(), std::vector<std::string>{"data.csv"});
}

TEST(Options, WithoutTheirValue) {
  const Place place;
  place.write("data.csv", classes_csv(60));
  expect_refusal(place.run("train data.csv --run --target kind"),
                 "--run has no value; write --run FOLDER, or leave it out");
  expect_refusal(place.run("train data.csv --hidden= --target kind"), "--hidden has no value; write --hidden SIZES");
  for (const char* sizes : {"3,,4", ",3", "3,"}) {
    expect_refusal(place.run(std::string("train data.csv --target kind --hidden ") + sizes),
                   std::string("--hidden: '") + sizes + "' has an empty place; write one comma between two values");
  }
  expect_refusal(place.run("train data.csv --target"), "--target has no value; write --target COLUMN");
  expect_refusal(place.run("evaluate m data.csv --report"), "--report has no value");
}

TEST(Options, StandInTheManual) {
  const Place place;
  std::ifstream file(PELLUCID_SOURCE_DIR "/docs/command-line.md");
  const std::string manual{std::istreambuf_iterator<char>(file), {}};
  for (const char* verb : {"train", "predict", "evaluate", "compare", "inspect", "schema", "ops"}) {
    std::istringstream help(place.run(std::string(verb) + " --help").out);
    int options = 0;
    for (std::string line; std::getline(help, line);) {
      if (!line.starts_with("  --")) continue;
      const std::string name = line.substr(2, line.find(' ', 2) - 2);
      EXPECT_TRUE(std::regex_search(manual, std::regex(name + "[^a-z-]"))) << verb << " " << name;
      ++options;
    }
    EXPECT_GE(options, 2) << verb;
  }
}

TEST(Options, MayStandBeforeTheData) {
  const Place place;
  place.write("data.csv", classes_csv(60));
  const Outcome outcome = place.run(
      "train --ignore x --class-weights balanced --average 0.9999 --hidden 4,4 data.csv "
      "--target kind --fast --epochs 1 --quiet --seed 18446744073709551615");
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  expect_refusal(place.run(kTrain + std::string("8")), "'8' is one argument too many");
}

TEST(Options, FromAFile) {
  const Place place;
  place.write("data.csv", classes_csv(60));
  const auto run = [&](const std::string& text, const std::string& options = "--quiet") {
    place.write("recipe.toml", text);
    return place.run("train data.csv --target kind --hidden 4 --epochs 1 --config recipe.toml " + options);
  };
  for (const char* text : {"calibrate = true", "calibrate = false", "calibrate = \"no\"", "fast = false"}) {
    EXPECT_EQ(run(text).status, 0) << text;
  }
  EXPECT_EQ(run("json = true").out, "");  // --quiet of the command line counts more
  expect_refusal(run("fast = \"maybe\""), "recipe.toml, line 1: 'fast' takes true or false");
  expect_refusal(run("ignore = []"), "recipe.toml, line 1: 'ignore' takes one value or several, and 0 are given");
  expect_refusal(run("batch = [1, 2]"), "recipe.toml, line 1: 'batch' takes one value, and 2 are given");
  expect_refusal(run("learning_rate = inf"), "recipe.toml, line 1: --learning-rate: 'inf' is not a number above 0");
  expect_refusal(run("seed = -1"), "recipe.toml, line 1: --seed: '-1' is not a whole number of at least 0");
  for (const char* name : {"config", "help"}) {
    expect_refusal(run(std::string(name) + " = true"), "belongs on the command line; leave it out here");
  }
}

}  // namespace
}  // namespace pellucid
