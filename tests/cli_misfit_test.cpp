// Options that do not go with the data, and data that does not go with the model: one line that says what and the
// remedy.
#include <gtest/gtest.h>

#include <algorithm>

#include "support/program.h"

namespace pellucid {
namespace {

using testing::classes_csv;
using testing::idx_bytes;
using testing::Outcome;
using testing::Place;
using testing::write_idx_folder;

constexpr int kData = 1;
constexpr int kUsage = 2;

void expect_refusal(const Outcome& outcome, int status, const std::vector<std::string>& parts) {
  EXPECT_EQ(outcome.status, status) << outcome.err;
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  for (const std::string& part : parts)
    EXPECT_NE(outcome.err.find(part), std::string::npos) << part << "\n" << outcome.err;
}

TEST(Misfit, OptionsOfTablesForPictures) {
  const Place place;
  write_idx_folder(place, "pictures", false);
  expect_refusal(place.run("train pictures --target kind"), kUsage,
                 {"--target is for tables, and 'pictures' holds pictures; leave it out"});
  expect_refusal(place.run("train pictures --classes a,b,c"), kUsage,
                 {"--classes: 3 names are given", "has 2 classes"});
  expect_refusal(place.run("train pictures --network conv --hidden 8"), kUsage, {"conv has stages of its own"});
  expect_refusal(place.run("train pictures --fast --folds 3"), kUsage,
                 {"--folds, --fast are for tables, and 'pictures' holds pictures; leave them out"});
  EXPECT_EQ(place.files(), std::vector<std::string>{"pictures"});
}

TEST(Misfit, WeightsOfClasses) {
  const Place place;
  place.write("data.csv", classes_csv(60));
  const std::string train = "train data.csv --target kind --epochs 1 --quiet --class-weights ";
  expect_refusal(place.run(train + "balance"), kUsage, {"'balance' is neither CLASS=WEIGHT nor, alone, balanced"});
  expect_refusal(place.run(train + "other=2"), kUsage, {"--class-weights: 'other' is no class of 'kind'"});
  EXPECT_EQ(place.run(train + "balanced").status, 0);
}

TEST(Misfit, LossesWithoutANumber) {
  const Place place;
  place.write("data.csv", "x,y\n1,2.5\n2,3.5\n3,4.5\n4,5.5\n");
  expect_refusal(place.run("train data.csv --target y --task regression --loss mean_squared_error=3"), kUsage,
                 {"the loss mean_squared_error has no number to set", "leave '=3' out"});
}

TEST(Misfit, DataForTheOtherKindOfModel) {
  const Place place;
  write_idx_folder(place, "pictures", false);
  place.write("data.csv", classes_csv(60));
  ASSERT_EQ(place.run("train pictures --epochs 1 --quiet --hidden 4 --out p.safetensors").status, 0);
  ASSERT_EQ(place.run("train data.csv --target kind --epochs 1 --quiet --hidden 4 --out t.safetensors").status, 0);
  expect_refusal(place.run("evaluate p.safetensors data.csv"), kData, {"'data.csv' is not recognised as pictures"});
  place.write("none", idx_bytes({0, 6, 6}, ""));
  expect_refusal(place.run("predict p.safetensors none"), kData, {"'none'"});
  place.write("blank.csv", "shape,x,y,kind\nround,1,2,\nround,2,1,\n");
  expect_refusal(place.run("evaluate t.safetensors blank.csv"), kData,
                 {"'blank.csv'", "no row has a value in the target column 'kind'"});
}

TEST(Misfit, PlacesThatAreFull) {
  const Place place;
  place.write("data.csv", classes_csv(60));
  // Before anything is trained, whatever it is that cannot be written.
  for (const char* what : {"--out", "--log", "--report", "--folds 2 --oof"}) {
    const Outcome outcome = place.run("train data.csv --target kind --epochs 1 " + std::string(what) + " /dev/full");
    expect_refusal(outcome, kData, {"cannot write '/dev/full': No space left on device: free some space"});
    EXPECT_EQ(outcome.out, "") << what;
  }
  EXPECT_EQ(place.files(), std::vector<std::string>{"data.csv"});
  expect_refusal(place.run("ops --json > /dev/full"), kData, {"cannot write to standard output", "write elsewhere"});
}

TEST(Misfit, InstructionSets) {
  const Place place;
  place.write("data.csv", classes_csv(60));
  const std::string train = "train data.csv --target kind --epochs 1 --quiet --hidden 4 --out m.safetensors";
  expect_refusal(place.run(train, "PELLUCID_ISA=mmx"), kData, {"no instruction set is named 'mmx'", "use avx2"});
#if defined(__x86_64__)
  expect_refusal(place.run(train, "PELLUCID_ISA=neon"), kData, {"this processor lacks neon", "unset PELLUCID_ISA"});
#endif
}

}  // namespace
}  // namespace pellucid
