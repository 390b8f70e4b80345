// Bad input: one clear message that names what, where and the remedy, a status that is not 0, and no file half written.
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

// The command fails with this status and one line that has all the parts, and leaves no new file behind.
void expect_refusal(const Place& place, const std::string& command, int status, const std::vector<std::string>& parts,
                    const std::string& before = "") {
  const std::vector<std::string> files = place.files();
  const Outcome outcome = place.run(command, "", before);
  EXPECT_EQ(outcome.status, status) << command << "\n" << outcome.err;
  EXPECT_TRUE(outcome.err.starts_with("pellucid: ")) << command << "\n" << outcome.err;
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << command << "\n" << outcome.err;
  for (const std::string& part : parts) {
    EXPECT_NE(outcome.err.find(part), std::string::npos) << command << "\nlacks '" << part << "'\n" << outcome.err;
  }
  EXPECT_EQ(place.files(), files) << command;
}

void expect_bad_table(std::string_view content, const std::vector<std::string>& parts,
                      const std::string& options = "--target y --epochs 2") {
  const Place place;
  place.write("data.csv", content);
  expect_refusal(place, "train data.csv " + options, kData, parts);
}

TEST(BadInput, Tables) {
  using namespace std::string_literals;
  expect_bad_table("", {"data.csv", "empty"});
  expect_bad_table("a,y\n", {"data.csv", "no rows"});
  expect_bad_table("a,b\n1,2\n3,4\n", {"'y'", "'a'", "'b'"});
  expect_bad_table("a,y\n1,2\n3\n4,5\n", {"data.csv", "line 3"});
  expect_bad_table("a,y\n1,\"2\n3,4\n", {"data.csv", "line 2", "quote"});
  expect_bad_table("a,y\n1,\0002\n"s, {"data.csv", "NUL"});
  expect_bad_table("\xFF\xFE" + "a\0,\0y\0\n\0"s, {"data.csv", "UTF-16"});
  expect_bad_table("a,y\n1,caf\xE9\n", {"data.csv", "UTF-8"});
  expect_bad_table("a,a,y\n1,2,3\n", {"data.csv", "'a'"});
  expect_bad_table("a,y\n1,\n2,\n", {"'y'"});
  expect_bad_table("a,y\n1,x\n2,x\n3,x\n", {"'y'", "nothing to learn"});
  expect_bad_table("a,y\n1,2\n3,inf\n4,5\n5,6\n", {"'y'"}, "--target y --task regression");
  expect_bad_table("a,y\nq,x\nq,z\nq,x\nq,z\n", {"column"});
  expect_bad_table("a,y\n1,x\n2,z\n", {"'nothing'"}, "--target y --ignore nothing");
}

TEST(BadInput, ANetworkThatDiverges) {
  const Place place;
  place.write("data.csv", testing::numbers_csv(200));
  expect_refusal(place, "train data.csv --target price --optimizer sgd --learning-rate 1e20 --schedule constant", kData,
                 {"diverged", "learning rate"});
}

TEST(BadInput, PicturesThatDiverge) {
  const Place place;
  write_idx_folder(place, "pictures", false);
  expect_refusal(place,
                 "train pictures --epochs 5 --optimizer sgd --learning-rate 1e30 --schedule constant --quiet "
                 "--out m.safetensors",
                 kData, {"training diverged", "no model was written"});
}

TEST(BadInput, Pictures) {
  const auto broken = [](const std::string& file, const std::string& bytes, const std::vector<std::string>& parts) {
    const Place place;
    write_idx_folder(place, "pictures", false);
    place.write("pictures/" + file, bytes);
    expect_refusal(place, "train pictures --epochs 1", kData, parts);
  };
  const std::string images = "train-images-idx3-ubyte";
  broken(images, "", {images, "0 bytes"});
  broken(images, "\x01\x02\x03\x04 and more", {images, "0x01020304"});
  broken(images, idx_bytes({200, 6, 6}, std::string(100, '\1')), {images, "7200"});
  broken(images, idx_bytes({0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF}, "x"), {images});
  broken(images, idx_bytes({100, 6, 6}, std::string(3600, '\1')), {"100", "200"});
  broken(images, idx_bytes({0, 6, 6}, ""), {images});
  broken("t10k-labels-idx1-ubyte", idx_bytes({40}, std::string(40, '\7')), {"label 7 of test picture 0", "0 to 1"});
  broken("labels.txt", "left\n", {"labels.txt", "1"});
  const Place place;
  std::filesystem::create_directory(place.path("nothing"));
  expect_refusal(place, "train nothing", kData, {"'nothing'", "IDX"});
  expect_refusal(place, "train missing.csv", kData, {"'missing.csv'", "No such file"});
}

TEST(BadInput, LabelsBeyondTheClassesOfTheModel) {
  const Place place;
  write_idx_folder(place, "pictures", false);
  ASSERT_EQ(place.run("train pictures --epochs 1 --hidden 4 --quiet --out m.safetensors").status, 0);
  place.write("pictures/t10k-labels-idx1-ubyte", idx_bytes({40}, std::string(40, '\7')));
  expect_refusal(place, "evaluate m.safetensors pictures", kData, {"label 7", "2 classes"});
  expect_refusal(place, "predict m.safetensors missing-images-idx3-ubyte", kData, {"missing-images-idx3-ubyte"});
  place.write("small-images-idx3-ubyte", idx_bytes({2, 3, 3}, std::string(18, '\1')));
  expect_refusal(place, "predict m.safetensors small-images-idx3-ubyte", kData, {"[2, 3, 3]", "[n, 6, 6]"});
}

TEST(BadInput, OutputThatCannotBeWrittenIsFoundBeforeTraining) {
  const Place place;
  place.write("data.csv", classes_csv(100));
  // Were it found afterwards, this would take until the test's limit.
  const std::string command = "train data.csv --target kind --epochs 100000000 --out ";
  expect_refusal(place, command + "nowhere/m.safetensors", kData, {"'nowhere/m.safetensors'"});
  expect_refusal(place, command + "/proc/m.safetensors", kData, {"'/proc/m.safetensors'"});
  std::filesystem::create_directory(place.path("folder"));
  expect_refusal(place, command + "folder", kData, {"'folder'"});
  expect_refusal(place, command + "data.csv", kUsage, {"'data.csv'", "the data itself"});
  expect_refusal(place, command + "m.safetensors --log nowhere/log", kData, {"'nowhere/log'"});
}

TEST(BadInput, AFullDisk) {
  const Place place;
  place.write("data.csv", classes_csv(300));
  expect_refusal(place, "train data.csv --target kind --epochs 1 --out /dev/full", kData,
                 {"/dev/full", "No space left"});
  // A limit on the size of files stands for a disk that fills up while the model is written.
  place.write("m.safetensors", "what stood there");
  expect_refusal(place, "train data.csv --target kind --epochs 1 --quiet --out m.safetensors", kData,
                 {"'m.run/checkpoint'", "File too large", "MB are needed", "ulimit -f"}, "ulimit -f 8");
  EXPECT_EQ(place.read("m.safetensors"), "what stood there");
  ASSERT_EQ(place.run("train data.csv --target kind --epochs 1 --quiet --out m.safetensors").status, 0);
  // A log that cannot grow ends training; the file that holds it stays.
  const Outcome log = place.run(
      "train data.csv --target kind --fast --hidden 2 --epochs 200 --patience 0 --quiet --out n.safetensors --log log "
      "--checkpoint 1000",
      "", "trap '' XFSZ; ulimit -f 16");
  EXPECT_EQ(log.status, 1);
  EXPECT_NE(log.err.find("cannot write the log 'log': File too large; free some space or choose another"),
            std::string::npos)
      << log.err;
  const Outcome full = place.run("predict m.safetensors data.csv > /dev/full");
  EXPECT_EQ(full.status, 1);
  EXPECT_NE(full.err.find("standard output: No space left"), std::string::npos) << full.err;
}

TEST(BadInput, ModelsAndTheirData) {
  const Place place;
  place.write("data.csv", classes_csv(100));
  write_idx_folder(place, "pictures", false);
  ASSERT_EQ(place.run("train data.csv --target kind --epochs 1 --hidden 4 --quiet --out m.safetensors").status, 0);
  place.write("other.csv", "shape,x\nround,1\n");
  expect_refusal(place, "predict m.safetensors other.csv", kData, {"other.csv", "'y'"});
  place.write("text.csv", "shape,x,y\nround,1,two\n");
  expect_refusal(place, "predict m.safetensors text.csv", kData, {"text.csv", "'y'", "two"});
  place.write("no-target.csv", "shape,x,y\nround,1,2\n");
  expect_refusal(place, "evaluate m.safetensors no-target.csv", kData, {"'kind'"});
  place.write("unknown.csv", "shape,x,y,kind\nround,1,2,z\n");
  expect_refusal(place, "evaluate m.safetensors unknown.csv", kData, {"'z'"});
  expect_refusal(place, "predict m.safetensors pictures", kData, {"pictures", "table"});
  expect_refusal(place, "predict data.csv data.csv", kData, {"data.csv"});
  expect_refusal(place, "inspect missing.safetensors", kData, {"missing.safetensors"});
  place.write("cut.safetensors", place.read("m.safetensors").substr(0, 700));
  expect_refusal(place, "inspect cut.safetensors", kData, {"cut.safetensors"});
}

TEST(BadInput, TheCommandLine) {
  const Place place;
  place.write("data.csv", classes_csv(100));
  expect_refusal(place, "", kUsage, {"a verb is needed", "train, predict", "--help"});
  expect_refusal(place, "tarin data.csv", kUsage, {"'tarin'", "train, predict"});
  expect_refusal(place, "train", kUsage, {"DATA is missing", "pellucid train --help"});
  const std::string train = "train data.csv --target kind ";
  expect_refusal(place, train + "--epoch 3", kUsage,
                 {"no option '--epoch'; perhaps '--epochs' is meant; `pellucid train --help` lists all"});
  expect_refusal(place, train + "--foobar", kUsage, {"no option '--foobar'; `pellucid train --help` lists all"});
  expect_refusal(place, train + "--rate=1", kUsage, {"no option '--rate=1'; perhaps '--learning-rate' is meant;"});
  expect_refusal(place, "train --epoch=3", kUsage, {"no option '--epoch", "'--epochs'"});
  expect_refusal(place, "train data.csv more.csv", kUsage, {"'more.csv' is one argument too many"});
  expect_refusal(place, train + "--size 8", kUsage, {"--size", "table"});
  write_idx_folder(place, "pictures", false);
  expect_refusal(place, "train pictures --size 8", kUsage, {"--size", "arrays of one size"});
  expect_refusal(place, train + "--epochs 0", kUsage, {"--epochs"});
  expect_refusal(place, train + "--epochs many", kUsage, {"--epochs", "many"});
  expect_refusal(place, train + "--hidden 8,0", kUsage, {"--hidden"});
  expect_refusal(place, train + "--network conv", kUsage, {"--network conv is for pictures"});
  expect_refusal(place, train + "--precision float8", kUsage, {"--precision"});
  expect_refusal(place, train + "--hidden 8589934592,8589934592", kUsage, {"--hidden"});
  expect_refusal(place, train + "--activation rel", kUsage, {"--activation", "relu"});
  expect_refusal(place, train + "--loss huber", kUsage, {"huber", "classification", "cross_entropy"});
  expect_refusal(place, train + "--loss focal=x", kUsage, {"focal=x"});
  expect_refusal(place, train + "--loss focal --label-smoothing 0.1", kUsage, {"--label-smoothing"});
  expect_refusal(place, train + "--validation 0 --patience 3", kUsage, {"--patience 3", "none are held out"});
  expect_refusal(place, train + "--learning-rate -1", kUsage, {"--learning-rate"});
  expect_refusal(place, train + "--quiet --json", kUsage, {"--quiet", "--json"});
  expect_refusal(place, train + "--classes a,b", kUsage, {"--classes"});
  expect_refusal(place, "ops nothing", kData, {"'nothing'"});
}

TEST(BadInput, ConfigurationFiles) {
  const Place place;
  place.write("data.csv", classes_csv(100));
  const auto refused = [&](const std::string& text, const std::vector<std::string>& parts) {
    place.write("recipe.toml", text);
    expect_refusal(place, "train data.csv --target kind --config recipe.toml", kUsage, parts);
  };
  refused("epochs = 3\nepoks = 4\n", {"recipe.toml, line 2: there is no option 'epoks'; perhaps 'epochs' is meant;"});
  refused("learn_rate = 3\n", {"line 1: there is no option 'learn_rate'; perhaps 'learning-rate' is meant;"});
  refused("epochs = \n", {"recipe.toml, line 1"});
  refused("\n\nepochs = 0\n", {"recipe.toml, line 3", "--epochs"});
  refused("hidden = [[1, 2]]\n", {"recipe.toml, line 1", "'hidden'"});
  refused("target = \"\xC3\xA9\" # \xC3\xA9\n\xC8\xA8 = 1\n",
          {"recipe.toml, line 2: a letter beyond ASCII stands outside of quotes; names of options have none"});
  refused("config = \"other.toml\"\n", {"recipe.toml, line 1", "'config'"});
  expect_refusal(place, "train data.csv --config missing.toml", kData, {"missing.toml"});
}

}  // namespace
}  // namespace pellucid
