// Folders of runs: a training that was interrupted or killed goes on to the same bytes; what is refused.
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/program.h"

namespace pellucid {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using testing::classes_csv;
using testing::Outcome;
using testing::Place;

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// Trains for so long that a signal comes in time.
const std::string kShort = "train things.csv --target kind --fast --hidden 64,64 --json --epochs ";
const std::string kTrain = kShort + "2000 --checkpoint 0.05";

struct Things : Place {
  Things() { write("things.csv", classes_csv(300)); }
};

TEST(Run, GoesOnAfterEachSignalAndEndsWithTheSameBytes) {
  const Things place;
  ASSERT_EQ(place.run(kTrain + " --out whole.safetensors").status, 0);
  EXPECT_FALSE(fs::exists(place.path("whole.run"))) << "what is over leaves nothing";
  for (const auto& [signal, status] : {std::pair{SIGINT, 130}, {SIGTERM, 143}, {SIGHUP, 129}, {SIGKILL, 137}}) {
    fs::remove_all(place.path("run"));
    const Outcome stopped = place.interrupted(kTrain + " --run run", "\"epoch\":500", signal);
    ASSERT_EQ(stopped.status, status) << stopped.err;
    if (signal != SIGKILL) {
      EXPECT_TRUE(has(stopped.out, "\"resumable\":true")) << stopped.out;
    }
    const Json record = Json::parse(place.read("run/run.json"));
    EXPECT_EQ(record["state"], signal == SIGKILL ? "training" : "stopped");
    EXPECT_EQ(record["options"]["data"][0], place.path("things.csv").string());
    const Outcome resumed = place.run("train --resume run --json");
    ASSERT_EQ(resumed.status, 0) << resumed.err;
    EXPECT_FALSE(has(resumed.out, "\"epoch\":1,"));
    EXPECT_EQ(place.read("run/model.safetensors"), place.read("whole.safetensors")) << signal;
    EXPECT_EQ(Json::parse(place.read("run/run.json"))["state"], "done");
    EXPECT_FALSE(fs::exists(place.path("run/checkpoint")));
    EXPECT_FALSE(fs::exists(place.path("run/lock")));
  }
  // The log has each epoch once, over the interruption.
  std::istringstream log(place.read("run/log.jsonl"));
  int epoch = 0;
  for (std::string line; std::getline(log, line);) EXPECT_EQ(Json::parse(line)["epoch"], ++epoch);
  EXPECT_EQ(epoch, 2000);
  const Outcome again = place.run("train --resume run");
  EXPECT_EQ(again.status, 0);
  EXPECT_TRUE(has(again.out, "the training in 'run' has come to its end; its model is 'run/model.safetensors'"))
      << again.out;
}

TEST(Run, InterruptedInItsFoldsItLeavesNoModel) {
  const Things place;
  const Outcome stopped = place.interrupted(
      "train things.csv --target kind --fast --hidden 64,64 --epochs 2000 --patience 0 --folds 20 --out m.safetensors",
      "fold 1/20", SIGINT);
  EXPECT_EQ(stopped.status, 130) << stopped.out;
  EXPECT_FALSE(has(stopped.out, "fold 20/20")) << stopped.out;
  EXPECT_EQ(stopped.err, "pellucid: interrupted in the folds; no model was written\n");
  EXPECT_FALSE(fs::exists(place.path("m.safetensors")));
}

TEST(Run, WithoutANameTheSameCommandGoesOn) {
  const Things place;
  ASSERT_EQ(place.run(kTrain + " --out whole.safetensors").status, 0);
  ASSERT_EQ(place.interrupted(kTrain, "\"epoch\":500", SIGKILL).status, 137);
  EXPECT_TRUE(fs::exists(place.path("things.run/checkpoint")));
  const Outcome other = place.run(kTrain + " --dropout 0.1");
  EXPECT_EQ(other.status, 1);
  EXPECT_TRUE(has(other.err,
                  "'things.run' holds an interrupted training with other options; `pellucid train --resume "
                  "things.run` goes on with it; or take another folder, or --anew to throw it away"))
      << other.err;
  const Outcome resumed = place.run(kTrain);
  ASSERT_EQ(resumed.status, 0) << resumed.err;
  EXPECT_FALSE(has(resumed.out, "\"epoch\":1,"));
  EXPECT_EQ(place.read("things.safetensors"), place.read("whole.safetensors"));
  EXPECT_FALSE(fs::exists(place.path("things.run")));

  ASSERT_EQ(place.interrupted(kTrain, "\"epoch\":500", SIGKILL).status, 137);
  const Outcome anew = place.run("train things.csv --target kind --fast --epochs 2 --json --anew");
  ASSERT_EQ(anew.status, 0) << anew.err;
  EXPECT_TRUE(has(anew.out, "\"epoch\":1,"));
  EXPECT_FALSE(fs::exists(place.path("things.run")));
}

TEST(Run, ADamagedCheckpointIsNamedAndTheOneBeforeItUsed) {
  const Things place;
  ASSERT_EQ(place.run(kTrain + " --out whole.safetensors").status, 0);
  // Two checkpoints are there when the second one has been written.
  ASSERT_EQ(place.interrupted(kShort + "2000 --run run --checkpoint 0.01", "\"epoch\":500", SIGTERM).status, 143);
  std::string bytes = place.read("run/checkpoint");
  bytes[bytes.size() / 2] ^= 4;
  place.write("run/checkpoint", bytes);
  const Outcome resumed = place.run("train --resume run --json");
  ASSERT_EQ(resumed.status, 0) << resumed.err;
  EXPECT_TRUE(has(resumed.err, "pellucid: warning: the checkpoint 'run/checkpoint' cannot be used: ")) << resumed.err;
  EXPECT_TRUE(has(resumed.err, "; training goes on from the one before it, 'run/checkpoint.previous'")) << resumed.err;
  EXPECT_EQ(place.read("run/model.safetensors"), place.read("whole.safetensors"));
}

TEST(Run, ASecondOneInTheSameFolderIsRefusedAndAStaleLockIsNot) {
  const Things place;
  const std::string second = std::string(PELLUCID_BINARY_DIR) + "/pellucid train --resume run 2> second.txt";
  // The first is started in the background of a shell, which then starts the second and kills the first.
  const Outcome both = place.run("--version", "",
                                 std::string(PELLUCID_BINARY_DIR) + "/pellucid " + kShort +
                                     "100000 --run run > first.txt & first=$!; while ! grep -q '\"epoch\":3' "
                                     "first.txt; do sleep 0.05; done; " +
                                     second + "; echo $? > status.txt; echo $first > pid.txt; kill -9 $first; wait");
  ASSERT_EQ(both.status, 0) << both.err;
  EXPECT_EQ(place.read("status.txt"), "1\n");
  const std::string pid = place.read("pid.txt").substr(0, place.read("pid.txt").find('\n'));
  EXPECT_EQ(place.read("second.txt"),
            "pellucid: 'run' is in use by process " + pid + "; wait for its end, stop it, or take another folder\n");
  EXPECT_EQ(place.read("run/lock"), pid + "\n") << "left by the killed process";
  EXPECT_EQ(place.interrupted("train --resume run --json", "\"event\":\"epoch\"").status, 130);
}

TEST(Run, GoesOnWithoutItsLog) {
  const Things place;
  fs::create_directories(place.path("run/log.jsonl/in the way"));
  const Outcome outcome = place.run("train things.csv --target kind --epochs 2 --quiet --run run --out m.safetensors");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.err,
            "pellucid: warning: there is no log: cannot write 'run/log.jsonl': Is a directory: give the name of a file "
            "in it; training goes on\n");
  EXPECT_TRUE(fs::exists(place.path("m.safetensors")));
}

TEST(Run, RefusesWhatIsNoRun) {
  const Things place;
  const auto expect = [&](const std::string& command, int status, const std::string& message) {
    const Outcome outcome = place.run(command);
    EXPECT_EQ(outcome.status, status) << command;
    EXPECT_EQ(outcome.err, "pellucid: " + message + "\n") << command;
  };
  place.write("file", "text");
  fs::create_directory(place.path("photos"));
  place.write("photos/a.png", "");
  const std::string train = "train things.csv --target kind --fast --epochs 1 --quiet --run ";
  expect(train + "photos", 1, "'photos' holds 'a.png', which is of no run; give a new folder");
  expect(train + "file", 1, "'file' is a file, and a run is a folder; choose another name");
  expect(
      train + "no/where", 1,
      "cannot make the folder 'no/where': No such file or directory; choose another place or change its permissions");
  expect("train --resume nowhere", 2, "--resume: there is no folder 'nowhere'; give one that --run has made");
  expect("train --resume photos", 2, "--resume: 'photos' holds no run; give a folder that --run has made");
  ASSERT_EQ(place.run(train + "run").status, 0);
  expect(
      train + "run", 1,
      "'run' holds a training that has ended, with the model 'run/model.safetensors'; take another folder, or --anew "
      "to throw it away");
  expect("train --resume run --dropout 0.5", 2,
         "--resume takes the options of 'run'; leave --dropout out, or train anew in another folder");
  expect("train things.csv --resume run", 2,
         "--resume takes the options of 'run'; leave DATA out, or train anew in another folder");
  expect("train --resume run --anew", 2, "--resume names the run; leave --run and --anew out");
  place.write("run/run.json", "{");
  expect("train --resume run", 1, "'run/run.json' is damaged; remove the folder and begin anew");
  place.write("run/run.json", R"({"format": 2})");
  expect("train --resume run", 1,
         "'run/run.json' has format 2, and this program reads 1; take the program that wrote it");
  place.write("run/run.json",
              R"({"format":1,"options":{"colour":["red"]},"model":"m","state":"training","temporary":false})");
  expect("train --resume run", 2, "'run' has an option 'colour' that this program does not know");
  place.write("run/run.json",
              R"({"format":1,"options":{"epochs":["many"]},"model":"m","state":"training","temporary":false})");
  EXPECT_EQ(place.run("train --resume run").status, 2);
  expect("train", 2, "DATA is missing; `pellucid train --help` has examples");
}

TEST(Run, MayBeMovedAndMakesItsModelAgain) {
  const Things place;
  ASSERT_EQ(place.run(kShort + "20 --run run").status, 0);
  const std::string model = place.read("run/model.safetensors");
  fs::remove(place.path("run/model.safetensors"));
  fs::rename(place.path("run"), place.path("moved"));
  ASSERT_EQ(place.run("train --resume moved --quiet").status, 0);
  EXPECT_EQ(place.read("moved/model.safetensors"), model);
}

}  // namespace
}  // namespace pellucid
