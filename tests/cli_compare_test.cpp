// pellucid compare, and event files of trainings.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "support/program.h"

namespace pellucid {
namespace {

using testing::classes_csv;
using testing::numbers_csv;
using testing::Outcome;
using testing::Place;
using Json = nlohmann::json;

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// Two models of one table, of which the second has learned nearly nothing.
void train_two(const Place& place) {
  place.write("things.csv", classes_csv(300));
  const std::string command = "train things.csv --target kind --quiet --test 0.3 --out ";
  ASSERT_EQ(place.run(command + "good.safetensors --epochs 20").status, 0);
  ASSERT_EQ(place.run(command + "poor.safetensors --epochs 1 --hidden 2 --learning-rate 1e-6").status, 0);
}

TEST(Compare, OnTheSameRows) {
  const Place place;
  train_two(place);
  const std::string command = "compare good.safetensors poor.safetensors --data things.csv";
  const Outcome text = place.run(command + " --report both.html");
  ASSERT_EQ(text.status, 0) << text.err;
  for (const char* part : {"A  good.safetensors", "B  poor.safetensors", "what differs", "learning rate",
                           "on the 300 rows of things.csv", "B - A", "A is better", "the report is in both.html"}) {
    EXPECT_TRUE(has(text.out, part)) << part << "\n" << text.out;
  }
  const Json json = Json::parse(place.run(command + " --json").out);
  EXPECT_EQ(json["rows"], 300);
  EXPECT_EQ(json["settings_that_differ"]["epochs"], Json({"20", "1"}));
  EXPECT_FALSE(json["settings_that_differ"].contains("seed"));
  const Json &good = json["models"][0], &poor = json["models"][1];
  const Json& difference = poor["difference_from_first"]["accuracy"];
  EXPECT_NEAR(difference["value"].get<double>(),
              poor["metrics"]["accuracy"]["value"].get<double>() - good["metrics"]["accuracy"]["value"].get<double>(),
              1e-12);
  EXPECT_LT(difference["interval"][1], 0);
  EXPECT_EQ(difference["better"], -1);
  EXPECT_FALSE(good.contains("difference_from_first"));
  const std::string page = place.read("both.html");
  for (const char* part : {"<svg", "default-src 'none'", "What differs", "Validation loss", "A is better"}) {
    EXPECT_TRUE(has(page, part)) << part;
  }
  EXPECT_FALSE(has(page, "<script") || has(page, "NaN"));
}

TEST(Compare, WithWhatModelFilesKeep) {
  const Place place;
  train_two(place);
  std::filesystem::create_directories(place.path("run"));
  std::filesystem::rename(place.path("good.safetensors"), place.path("run/good.safetensors"));
  place.write("run/log.jsonl", "{\"epoch\":1,\"seconds\":1.5}\n{\"epoch\":2,\"seconds\":65}\n");
  const Outcome text = place.run("compare run poor.safetensors");
  ASSERT_EQ(text.status, 0) << text.err;
  for (const char* part : {"A  run ", "trained in 1 min 5 s", "on the test rows of each one's own training"}) {
    EXPECT_TRUE(has(text.out, part)) << part << "\n" << text.out;
  }
  EXPECT_FALSE(has(text.out, "B - A"));
  const Json json = Json::parse(place.run("compare run poor.safetensors --json").out);
  EXPECT_TRUE(json["models"][1]["metrics"]["accuracy"].contains("interval"));
}

TEST(Compare, NumbersToo) {
  const Place place;
  place.write("prices.csv", numbers_csv(200));
  for (const std::string epochs : {"1", "20"}) {
    ASSERT_EQ(place.run("train prices.csv --target price --quiet --epochs " + epochs + " --out " + epochs).status, 0);
  }
  const Json json = Json::parse(place.run("compare 1 20 --data prices.csv --json").out);
  EXPECT_EQ(json["models"][1]["difference_from_first"]["root_mean_squared_error"]["better"], 1);
}

TEST(Compare, RefusesWhatCannotBeCompared) {
  const Place place;
  train_two(place);
  place.write("prices.csv", numbers_csv(100));
  ASSERT_EQ(place.run("train prices.csv --target price --quiet --epochs 1").status, 0);
  const auto refused = [&](const std::string& arguments, int status, const std::string& part) {
    const Outcome outcome = place.run("compare " + arguments);
    EXPECT_EQ(outcome.status, status) << outcome.err;
    EXPECT_TRUE(has(outcome.err, part)) << outcome.err;
  };
  refused("good.safetensors", 2, "one model alone cannot be compared");
  refused("good.safetensors prices.safetensors", 1,
          "'good.safetensors' predicts classification kind (3 classes), and 'prices.safetensors' regression price; "
          "compare models of one target");
  std::filesystem::create_directories(place.path("empty"));
  refused("good.safetensors empty", 1, "'empty' holds 0 model files; name the one that is meant");
  std::string many;
  for (int i = 0; i < 27; ++i) many += "good.safetensors ";
  refused(many, 2, "27 models are more than can be shown beside each other");
}

TEST(Tensorboard, AnEventFileIsWritten) {
  const Place place;
  place.write("things.csv", classes_csv(100));
  ASSERT_EQ(place.run("train things.csv --target kind --quiet --epochs 3 --tensorboard runs/first").status, 0);
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(place.path("runs/first"))) {
    const std::string bytes = place.read("runs/first/" + entry.path().filename().string());
    for (const char* tag : {"brain.Event:2", "loss/training", "loss/validation", "accuracy", "learning_rate"}) {
      EXPECT_TRUE(has(bytes, tag)) << tag;
    }
    ++files;
  }
  EXPECT_EQ(files, 1U);
  place.write("file", "");
  const Outcome refused = place.run("train things.csv --target kind --quiet --epochs 3 --tensorboard file");
  EXPECT_EQ(refused.status, 1);
  EXPECT_TRUE(has(refused.err, "cannot write the events 'file/events.out")) << refused.err;
}

}  // namespace
}  // namespace pellucid
