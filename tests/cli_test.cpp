// What holds for the program: what it prints and writes, and that it writes the same bits.
#include "support/program.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>

#include <nlohmann/json.hpp>
#include <sstream>

#include "pellucid/io.h"
#include "pellucid/nn.h"

namespace pellucid {
namespace {

using testing::classes_csv;
using testing::numbers_csv;
using testing::Outcome;
using testing::Place;
using testing::write_idx_folder;
using Json = nlohmann::json;

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::vector<Json> lines_of(const std::string& text) {
  std::vector<Json> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(Json::parse(line));
  return lines;
}

std::string read_all(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(Program, LearnsATableOfClasses) {
  const Place place;
  place.write("things.csv", classes_csv(300));
  const Outcome train = place.run("train things.csv --target kind --epochs 20");
  ASSERT_EQ(train.status, 0) << train.err;
  for (const char* part :
       {"300 rows, 4 columns", "target: kind: 3 classes", "category of 4 values", "network: ", "epoch 20/20",
        "ended: maximum of epochs", "baseline", "confusion matrix", "saved things.safetensors"}) {
    EXPECT_TRUE(has(train.out, part)) << part << "\n" << train.out;
  }
  EXPECT_EQ(train.err, "");

  const Outcome evaluate = place.run("evaluate things.safetensors things.csv --json");
  ASSERT_EQ(evaluate.status, 0) << evaluate.err;
  const Json scores = Json::parse(evaluate.out);
  EXPECT_EQ(scores["rows"], 300);
  EXPECT_GT(scores["metrics"]["accuracy"], 0.9);
  EXPECT_LT(scores["baseline"]["accuracy"], 0.6);

  place.write("new.csv", "shape,x,y\nround,1,2\nflat,-1,0.5\n");
  const Outcome predict = place.run("predict things.safetensors new.csv");
  ASSERT_EQ(predict.status, 0) << predict.err;
  EXPECT_TRUE(predict.out.starts_with("kind,probability_a,probability_b,probability_c\n")) << predict.out;
  EXPECT_EQ(std::count(predict.out.begin(), predict.out.end(), '\n'), 3);
  ASSERT_EQ(place.run("predict things.safetensors new.csv --out out.csv").status, 0);
  EXPECT_EQ(place.read("out.csv"), predict.out);

  const Outcome inspect = place.run("inspect things.safetensors");
  ASSERT_EQ(inspect.status, 0) << inspect.err;
  for (const char* part : {"predicts: kind, one of 3 classes", "Linear", "0.weight", "one of flat, long, round, square",
                           "optimizer", "kept_epoch", "accuracy"}) {
    EXPECT_TRUE(has(inspect.out, part)) << part << "\n" << inspect.out;
  }
  const Json inside = Json::parse(place.run("inspect things.safetensors --json").out);
  EXPECT_EQ(inside["training"]["history"].size(), 20U);
}

TEST(Program, InspectsANetworkAlone) {
  const Place place;
  nn::Sequential network{nn::Linear(4, 8), nn::ReLU(), nn::Linear(8, 3)};
  io::ModelFile file;
  for (const nn::NamedArray& array : nn::named_parameters(network)) file.parameters[array.name] = array.value;
  file.network = nn::to_json(nn::describe(network));
  io::save_model(place.path("net.safetensors"), file);
  const Outcome inspect = place.run("inspect net.safetensors");
  ASSERT_EQ(inspect.status, 0) << inspect.err;
  for (const char* part :
       {"a network alone: 67 numbers in 4 arrays", "  Sequential\n    0: Linear (bias true, inputs 4, outputs 8)",
        "    1: ReLU\n", "2.weight", "[8, 3]"}) {
    EXPECT_TRUE(has(inspect.out, part)) << part << "\n" << inspect.out;
  }
  const Json inside = Json::parse(place.run("inspect net.safetensors --json").out);
  EXPECT_EQ(inside["parameters"].size(), 4U);
  EXPECT_TRUE(inside["preprocessing"].is_null());
  place.write("new.csv", "a,b,c,d\n1,2,3,4\n");
  const Outcome predict = place.run("predict net.safetensors new.csv");
  EXPECT_EQ(predict.status, 1);
  EXPECT_TRUE(has(predict.err, "'net.safetensors' holds a network alone")) << predict.err;
}

TEST(Program, LearnsATableOfNumbers) {
  const Place place;
  place.write("prices.csv", numbers_csv(300));
  const Outcome train = place.run("train prices.csv --target price --epochs 40 --test 0.2 --json");
  ASSERT_EQ(train.status, 0) << train.err;
  std::vector<std::string> events;
  Json test;
  for (const Json& line : lines_of(train.out)) {
    events.push_back(line["event"]);
    if (line["event"] == "scores" && line["part"] == "test") test = line;
  }
  EXPECT_EQ(events.front(), "data");
  EXPECT_EQ(events[1], "plan");
  EXPECT_EQ(std::count(events.begin(), events.end(), "epoch"), 40);
  EXPECT_EQ(events.back(), "saved");
  EXPECT_EQ(test["rows"], 60);
  EXPECT_GT(test["metrics"]["r2"], 0.9);
  EXPECT_LT(test["baseline"]["r2"], 0.1);
  const Outcome predict = place.run("predict prices.safetensors prices.csv");
  EXPECT_TRUE(predict.out.starts_with("price,price_lower,price_upper\n")) << predict.out;
}

TEST(Program, LearnsOnALogScale) {
  const Place place;
  std::string text = "x,z,price\n";
  for (int i = 0; i < 200; ++i) {
    const double x = std::sin(i), price = std::exp(2 * x + (i % 40 == 0 ? 4 : 0));
    text += io::to_text(x) + (i % 40 == 0 ? ",1," : ",0,") + io::to_text(price) + "\n";
  }
  place.write("prices.csv", text);
  const std::string train = "train prices.csv --target price --epochs 5 ";
  EXPECT_NE(place.run(train).out.find("  note: a few values are far above the others (skewness"), std::string::npos);
  const Outcome logs = place.run(train + "--log-target --report page.html");
  ASSERT_EQ(logs.status, 0) << logs.err;
  EXPECT_NE(logs.out.find(", learned on a log scale\n"), std::string::npos) << logs.out;
  EXPECT_EQ(logs.out.find("skewness"), std::string::npos) << logs.out;
  EXPECT_NE(place.read("page.html").find("It was learned on a log scale."), std::string::npos);
  EXPECT_NE(place.run("inspect prices.safetensors").out.find("predicts: price, a number: exp("), std::string::npos);
  const Outcome said = place.run("predict prices.safetensors prices.csv");
  std::istringstream lines(said.out);
  std::string line;
  std::getline(lines, line);
  while (std::getline(lines, line)) {
    double value = 0, low = 0, high = 0;
    ASSERT_EQ(std::sscanf(line.c_str(), "%lf,%lf,%lf", &value, &low, &high), 3) << line;
    EXPECT_GT(low, 0);
    EXPECT_LE(low, high);
  }
  EXPECT_EQ(place.run("evaluate prices.safetensors prices.csv").status, 0);
  place.write("zero.csv", "x,z,price\n1,0,0\n2,0,3\n");
  const Outcome zero = place.run("evaluate prices.safetensors zero.csv");
  EXPECT_EQ(zero.status, 1);
  EXPECT_NE(zero.err.find("is 0 in row 1, and the model predicts its logarithm"), std::string::npos) << zero.err;
  const Outcome classes = place.run("train prices.csv --target z --log-target");
  EXPECT_EQ(classes.status, 2);
  EXPECT_NE(classes.err.find("--log-target is for numbers, and 'z' is of classes"), std::string::npos) << classes.err;
}

TEST(Program, LearnsFoldersOfPictures) {
  for (const bool compressed : {false, true}) {
    const Place place;
    write_idx_folder(place, "pictures", compressed);
    const Outcome train =
        place.run("train pictures --hidden 16 --epochs 8 --batch 16 --classes left,right --out p.safetensors");
    ASSERT_EQ(train.status, 0) << train.err;
    EXPECT_TRUE(has(train.out, "200 training and 40 test images of [6, 6], 2 classes: left 50.0 %, right 50.0 %"))
        << train.out;
    EXPECT_TRUE(has(train.out, "on the 40 test images:")) << train.out;
    const Json scores = Json::parse(place.run("evaluate p.safetensors pictures --json").out);
    EXPECT_EQ(scores["rows"], 40);
    EXPECT_GT(scores["metrics"]["accuracy"], 0.9);
    const Outcome predict =
        place.run(std::string("predict p.safetensors pictures/t10k-images-idx3-ubyte") + (compressed ? ".gz" : ""));
    ASSERT_EQ(predict.status, 0) << predict.err;
    EXPECT_TRUE(predict.out.starts_with("class,probability_left,probability_right\n")) << predict.out;
  }
}

TEST(Program, LearnsPicturesByConvolutions) {
  const Place place;
  write_idx_folder(place, "pictures", false);
  for (const std::string precision : {"float32", "bfloat16"}) {
    const Outcome train = place.run("train pictures --network conv --epochs 8 --batch 16 --precision " + precision +
                                    " --out p.safetensors");
    ASSERT_EQ(train.status, 0) << train.err;
    EXPECT_TRUE(has(train.out, "network: conv, 72,146 parameters")) << train.out;
    const Json scores = Json::parse(place.run("evaluate p.safetensors pictures --json").out);
    EXPECT_GT(scores["metrics"]["accuracy"], 0.9);
    EXPECT_TRUE(has(place.run("inspect p.safetensors").out, "Conv2d (1 -> 16"));
    EXPECT_EQ(place.run("predict p.safetensors pictures/t10k-images-idx3-ubyte").status, 0);
  }
}

// "What must hold": one hash for any number of threads, either vector width, and fusion on and off.
TEST(Program, WritesTheSameBits) {
  const Place place;
  place.write("things.csv", classes_csv(300));
  write_idx_folder(place, "pictures", false);
  const std::vector<std::string> environments = {"", "PELLUCID_ISA=avx2", "PELLUCID_DISABLE=fuse",
                                                 "PELLUCID_DISABLE=simplify,fold,cse,dce,fuse,epilogue",
                                                 "PELLUCID_ISA=avx2 PELLUCID_DISABLE=fuse PELLUCID_THREADS=3"};
  for (const std::string data : {"things.csv --target kind --hidden 300,20", "pictures --hidden 40,30",
                                 "pictures --network conv --precision bfloat16"}) {
    const std::string command = "train " + data + " --epochs 2 --dropout 0.2 --l2 0.01 --quiet --out m.safetensors";
    ASSERT_EQ(place.run(command).status, 0);
    const std::string model = place.read("m.safetensors");
    for (const char* threads : {"1", "2", "3", "7", "16"}) {
      ASSERT_EQ(place.run(command + " --threads " + threads).status, 0);
      EXPECT_TRUE(place.read("m.safetensors") == model) << data << ": " << threads << " threads";
    }
    // In bfloat16 a processor with instructions for it rounds elsewhere; where an instruction set is named, none do.
    std::string named = model;
    if (has(data, "bfloat16")) {
      ASSERT_EQ(place.run(command, "PELLUCID_ISA=avx2").status, 0);
      named = place.read("m.safetensors");
    }
    for (const std::string& environment : environments) {
      ASSERT_EQ(place.run(command, environment).status, 0);
      EXPECT_TRUE(place.read("m.safetensors") == (has(environment, "PELLUCID_ISA") ? named : model))
          << data << ": " << environment;
    }
    // On a processor without AVX-512 this is an error that says so.
    const Outcome wide = place.run(command, "PELLUCID_ISA=avx512");
    if (wide.status == 0) {
      EXPECT_TRUE(place.read("m.safetensors") == named) << data << ": avx512";
    } else {
      EXPECT_TRUE(has(wide.err, "avx512")) << wide.err;
    }
    ASSERT_EQ(place.run(command + " --seed 1").status, 0);
    EXPECT_FALSE(place.read("m.safetensors") == model) << data << ": another seed";
  }
}

TEST(Program, TakesOptionsFromAFile) {
  const Place place;
  place.write("things.csv", classes_csv(100));
  place.write("recipe.toml", "# a recipe\nhidden = [8, 4]\nepochs = 3\nlearning_rate = 0.01\ntarget = \"kind\"\n");
  const Outcome train = place.run("train things.csv --config recipe.toml --epochs 2 --json");
  ASSERT_EQ(train.status, 0) << train.err;
  const Json recipe = lines_of(train.out)[1]["recipe"];
  EXPECT_EQ(recipe["hidden"], Json({8, 4}));
  EXPECT_EQ(recipe["epochs"], 2);  // the command line counts more
  EXPECT_EQ(recipe["learning_rate"], 0.01);
}

// Of one ensemble: adam has none beside it. In a blend each part's temperature says how much it counts.
TEST(Program, CalibrationLowersTheLogLossOfTheValidationRowsAndChangesNoClass) {
  const Place place;
  place.write("things.csv", classes_csv(300));
  std::vector<Json> scores;
  for (const char* choice : {"no", "yes"}) {
    const Outcome train = place.run(
        std::string("train things.csv --target kind --epochs 5 --label-smoothing 0.3 --optimizer adam --json") +
        " --calibrate " + choice);
    ASSERT_EQ(train.status, 0) << train.err;
    for (const Json& line : lines_of(train.out)) {
      if (line["event"] == "scores") scores.push_back(line);
    }
  }
  ASSERT_EQ(scores.size(), 2U);
  EXPECT_EQ(scores[0]["confusion"], scores[1]["confusion"]);
  EXPECT_LT(scores[1]["metrics"]["log_loss"].get<double>(), scores[0]["metrics"]["log_loss"].get<double>());
}

TEST(Program, QuietMeansQuiet) {
  const Place place;
  place.write("things.csv", classes_csv(60));
  const Outcome train = place.run("train things.csv --target kind --epochs 2 --quiet --log times.jsonl");
  EXPECT_EQ(train.status, 0);
  EXPECT_EQ(train.out + train.err, "");
  const std::vector<Json> log = lines_of(place.read("times.jsonl"));
  ASSERT_EQ(log.size(), 2U);
  EXPECT_GT(log[1]["seconds"], 0);
}

TEST(Program, AnInterruptKeepsTheBestParameters) {
  const Place place;
  place.write("things.csv", classes_csv(300));
  const Outcome train = place.interrupted("train things.csv --target kind --epochs 1000000 --json", "\"epoch\":3");
  EXPECT_EQ(train.status, 130) << train.err;
  EXPECT_TRUE(has(train.out, "\"reason\":\"interrupted\"")) << train.out;
  EXPECT_EQ(place.run("inspect things.safetensors").status, 0);
}

TEST(Program, LearnsFoldersOfImages) {
  const Place place;
  const Json images = Json::parse(read_all(PELLUCID_SOURCE_DIR "/tests/reference/images.json"))["images"];
  for (const auto& [file, image] : std::map<std::string, std::size_t>{{"pets/cat/1.png", 0},
                                                                      {"pets/cat/2.png", 0},
                                                                      {"pets/cat/3.png", 0},
                                                                      {"pets/dog/1.png", 1},
                                                                      {"pets/dog/2.jpg", 7}}) {
    std::filesystem::create_directories(place.path(file).parent_path());
    const std::string hex = images[image]["bytes"];
    std::string bytes;
    for (std::size_t i = 0; i < hex.size(); i += 2)
      bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
    place.write(file, bytes);
  }
  const Outcome refused = place.run("train pets --epochs 1");
  EXPECT_EQ(refused.status, 1);
  EXPECT_TRUE(has(refused.err, "--size")) << refused.err;
  const Outcome train = place.run("train pets --size 8 --epochs 20 --hidden 8 --validation 0");
  ASSERT_EQ(train.status, 0) << train.err;
  EXPECT_TRUE(has(train.out, "cat 60.0 %, dog 40.0 %")) << train.out;
  const Outcome predict = place.run("predict pets.safetensors pets/dog");
  ASSERT_EQ(predict.status, 0) << predict.err;
  EXPECT_TRUE(predict.out.starts_with("file,class,probability_cat,probability_dog\n1.png,dog,")) << predict.out;
  EXPECT_TRUE(has(predict.err, "2 pictures were brought to the model's size")) << predict.err;
  EXPECT_TRUE(has(place.run("predict pets.safetensors pets/cat/1.png").out, "\n1.png,cat,"));
  std::filesystem::rename(place.path("pets/cat"), place.path("cat"));
  std::filesystem::create_directories(place.path("more/dog"));
  std::filesystem::create_directories(place.path("more/eel"));
  std::filesystem::rename(place.path("cat"), place.path("more/cat"));
  const std::string dog = place.read("pets/dog/1.png");
  place.write("more/dog/1.png", dog);
  EXPECT_TRUE(has(place.run("evaluate pets.safetensors more").out, "4 rows"));
  place.write("more/eel/1.png", dog);
  EXPECT_TRUE(has(place.run("evaluate pets.safetensors more").err, "the class 'eel' is none")) << "not by its number";
}

TEST(Program, ExplainsItself) {
  const Place place;
  const Outcome help = place.run("--help");
  EXPECT_EQ(help.status, 0);
  for (const char* part : {"train", "predict", "evaluate", "inspect", "ops", "Examples", "Exit status"}) {
    EXPECT_TRUE(has(help.out, part)) << part;
  }
  for (const char* verb : {"train", "predict", "evaluate", "inspect", "ops"}) {
    const Outcome verb_help = place.run(std::string(verb) + " --help");
    EXPECT_EQ(verb_help.status, 0);
    EXPECT_TRUE(has(verb_help.out, "Example")) << verb;
  }
  const Outcome ops = place.run("ops");
  EXPECT_EQ(ops.status, 0);
  EXPECT_TRUE(has(ops.out, "tanh")) << ops.out;
  std::istringstream text(ops.out);
  for (std::string line; std::getline(text, line);) EXPECT_LE(line.size(), 120U) << line;
  EXPECT_TRUE(has(place.run("ops contract").out, "shapes: (..., m, k), (..., k, n) -> (..., m, n)\ntypes: int32,"));
  EXPECT_EQ(lines_of(place.run("ops tanh --json").out)[0]["differentiable"], true);
}

TEST(Program, TellsItsVersionAtOnce) {
  const Place place;
  double least = 1;
  for (int i = 0; i < 30; ++i) least = std::min(least, place.run("--version").seconds);
  EXPECT_EQ(place.run("--version").out, "pellucid " + std::string(testing::library_version()) + "\n");
  std::printf("the fastest of 30 starts took %.1f ms\n", least * 1e3);
}

}  // namespace
}  // namespace pellucid
