// A training that is stopped anywhere and taken up again gives the bits of one that was not; what is refused.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "pellucid/pellucid.h"
#include "support/files.h"
#include "support/message.h"
#include "train/checkpoint.h"

namespace pellucid {
namespace {

namespace fs = std::filesystem;

Dataset points(std::int64_t n) {
  const auto keys = random::split(random::key(5), 2);
  const Array y = random::integers(keys[0], {n}, 0, 3).evaluate();
  const Array centers = {{2, 0}, {-1, 2}, {-1, -2}};
  return {(take(centers, y) + random::normal(keys[1], {n, 2}, 0, 0.8)).evaluate(), y};
}

nn::Sequential network() {
  nn::Sequential net{nn::Linear(2, 8), nn::BatchNorm1d(8), nn::Tanh(), nn::Dropout(0.2), nn::Linear(8, 3)};
  nn::initialize(net, random::key(1));
  return net;
}

std::vector<std::vector<float>> values(nn::View module) {
  std::vector<std::vector<float>> all;
  for (const Array& p : nn::parameters(module)) all.push_back(p.to_vector<float>());
  for (const Array& p : nn::buffers(module)) all.push_back(p.to_vector<float>());
  return all;
}

// All but the times.
std::string words(const FitResult& result) {
  nlohmann::json history = nlohmann::json::array();
  for (Epoch epoch : result.history) {
    epoch.seconds = 0;
    history.push_back(train::to_json(epoch));
  }
  return result.explanation + " " + std::to_string(result.epoch) + " " + std::to_string(result.restart) + " " +
         std::to_string(result.kept_epoch) + " " + std::to_string(result.steps) + " " + history.dump();
}

FitOptions options() {
  return {.loss = loss::cross_entropy,
          .optimizer = optim::AdamW{.learning_rate = schedule::Cosine{.initial = 0.05, .steps = 60}},
          .max_epochs = 6,
          .batch_size = 10,
          .validation = 0.25,
          .seed = 3,
          .metrics = {"accuracy"}};
}

// Runs until the end, stopped after every `every` steps; gives how often it was.
int run_in_pieces(nn::Sequential& net, const Dataset& data, FitOptions options, int every, FitResult& result) {
  for (int pieces = 1;; ++pieces) {
    int left = every;
    options.on_progress = [&](const Progress&) { return --left > 0; };
    options.progress_seconds = 0;
    net = network();  // what the module holds does not matter: all is in the file
    result = fit(net, data, options);
    if (result.reason != Reason::kStopped) return pieces;
    EXPECT_TRUE(fs::exists(options.checkpoint.path));
    EXPECT_EQ(result.checkpoint_error, "");
  }
}

TEST(Checkpoint, StoppedAnywhereGivesTheSameBits) {
  const TemporaryFolder folder;
  const Dataset data = points(83);  // 62 to learn from: 6 batches and a rest of 2
  nn::Sequential whole = network();
  const FitResult expected = fit(whole, data, options());
  for (const int every : {1, 3, 7, 11}) {
    FitOptions pieces = options();
    pieces.checkpoint = {.path = folder.path("state")};
    nn::Sequential net = network();
    FitResult result;
    EXPECT_EQ(run_in_pieces(net, data, pieces, every, result), 6 * 7 / every + 1) << every;
    EXPECT_EQ(values(net), values(whole)) << every;
    EXPECT_EQ(words(result), words(expected)) << every;
    EXPECT_FALSE(fs::exists(folder.path("state"))) << "a training that ended needs none";
  }
}

TEST(Checkpoint, RestartsPatienceAndPlateausGoOnToo) {
  const TemporaryFolder folder;
  const Array x = {{0, 0}, {0, 1}, {1, 0}, {1, 1}}, y = {{0}, {1}, {1}, {0}};
  const auto xor_network = [] {
    nn::Sequential mlp{nn::Linear(2, 2), nn::ReLU(), nn::Linear(2, 1)};
    nn::initialize(mlp, random::key(4));
    return mlp;
  };
  FitOptions all{.loss = loss::mean_squared_error,
                 .optimizer = optim::SGD{.learning_rate = schedule::OnPlateau{.initial = 0.1, .patience = 20}},
                 .max_epochs = 150,
                 .tolerance = 1e-9,
                 .restarts = 3,
                 .stall_epochs = 40,
                 .patience = 60};
  nn::Sequential whole = xor_network();
  const FitResult expected = fit(whole, {x, y}, all);
  ASSERT_GT(expected.restart, 0);
  all.checkpoint = {.path = folder.path("state"), .seconds = 0};
  int pieces = 0;
  for (FitResult result;; ++pieces) {
    nn::Sequential net = xor_network();
    int left = 37;
    all.on_epoch = [&](const Epoch&) { return --left > 0; };
    result = fit(net, {x, y}, all);
    if (result.reason == Reason::kStopped) continue;
    EXPECT_EQ(values(net), values(whole));
    EXPECT_EQ(words(result), words(expected));
    break;
  }
  EXPECT_GT(pieces, 3);
}

TEST(Checkpoint, WrittenInPassingChangesNothing) {
  const TemporaryFolder folder;
  const Dataset data = points(83);
  nn::Sequential whole = network(), net = network();
  const FitResult expected = fit(whole, data, options());
  FitOptions often = options();
  often.checkpoint = {.path = folder.path("state"), .seconds = 0};
  const FitResult result = fit(net, data, often);
  EXPECT_EQ(values(net), values(whole));
  EXPECT_EQ(words(result), words(expected));
}

// As after a kill: the file is what was written last in passing, and steps after it are lost.
TEST(Checkpoint, KilledGoesOnFromTheLastFile) {
  const TemporaryFolder folder;
  const Dataset data = points(83);
  nn::Sequential whole = network(), net = network();
  fit(whole, data, options());
  FitOptions killed = options();
  killed.checkpoint = {.path = folder.path("state"), .seconds = 0};
  int steps = 0;
  std::string file;
  killed.on_progress = [&](const Progress&) {
    if (++steps == 24) file = content_of(folder.path("state"));  // after step 23
    return true;
  };
  killed.progress_seconds = 0;
  fit(net, data, killed);
  folder.add("state", file);
  net = network();
  steps = 0;
  const FitResult result = fit(net, data, killed);
  EXPECT_EQ(steps, 6 * 7 - 23);
  EXPECT_EQ(result.steps, 6 * 7);
  EXPECT_EQ(values(net), values(whole));
}

TEST(Checkpoint, OfAnotherTrainingIsRefused) {
  const TemporaryFolder folder;
  const std::string path = folder.path("state");
  const Dataset data = points(40);
  const auto stopped = [&] {
    FitOptions o = options();
    o.checkpoint = {.path = path, .note = "recipe 1"};
    o.on_epoch = [](const Epoch&) { return false; };
    return o;
  };
  nn::Sequential net = network();
  fit(net, data, stopped());
  const std::string good = content_of(path);
  const auto refusal = [&](const Dataset& given, const FitOptions& o, nn::Sequential module = network()) {
    const auto before = values(module);
    const std::string text = message_of([&] { fit(module, given, o); });
    EXPECT_EQ(values(module), before);
    EXPECT_EQ(content_of(path), good);
    return text;
  };
  const auto differs = [&](const std::string& what) {
    return "fit: the checkpoint '" + path + "' is of another training: " + what +
           "; take what it was written with, or remove it to begin anew";
  };
  FitOptions o = stopped();
  o.seed = 4;
  EXPECT_EQ(refusal(data, o), differs("the seed is not the same (3 there, 4 here)"));
  o = stopped();
  o.batch_size = 8;
  EXPECT_EQ(refusal(data, o), differs("the batch size is not the same (10 there, 8 here)"));
  o = stopped();
  o.checkpoint.note = "recipe 2";
  EXPECT_EQ(refusal(data, o), differs("the note (the options) is not the same"));
  o = stopped();
  o.optimizer = optim::SGD{};
  EXPECT_EQ(refusal(data, o), differs("the module or the optimiser is not the same"));
  EXPECT_EQ(refusal({data.x + 1, data.y}, stopped()), differs("the training data is not the same"));
  o = stopped();
  o.checkpoint.resume = false;
  nn::Sequential anew = network();
  EXPECT_EQ(fit(anew, data, o).epoch, 1);
}

TEST(Checkpoint, ThatIsNoneOrDamagedIsRefused) {
  const TemporaryFolder folder;
  const std::string path = folder.path("state");
  nn::Sequential net = network();
  FitOptions o = options();
  o.checkpoint = {.path = path};
  const auto refusal = [&] { return message_of([&] { fit(net, points(40), o); }); };
  folder.add("state", "nonsense");
  EXPECT_NE(refusal().find(path), std::string::npos);
  io::write_safetensors(path, {.tensors = {{"x", Array({1, 2})}}, .metadata = {}});
  const auto refused = [&](const std::string& reason) {
    return "fit: the checkpoint '" + path + "' cannot be used: " + reason + "; remove it to begin anew";
  };
  EXPECT_EQ(refusal(), refused("it is no checkpoint of a training"));
  io::write_safetensors(path, {.tensors = {}, .metadata = {{"pellucid.checkpoint", "9"}}});
  EXPECT_EQ(refusal(), refused("it has version '9', and this program reads 2"));
  io::write_safetensors(path, {.tensors = {}, .metadata = {{"pellucid.checkpoint", "2"}}});
  EXPECT_EQ(refusal(), refused("it is not whole"));
  train::write_checkpoint(path, {.groups = {}, .words = {{"start", 0}}}, train::Before::kUnrelated);
  EXPECT_EQ(refusal(), "fit: the checkpoint '" + path + "' is damaged; remove it to begin anew");
  o.checkpoint.path = folder.path("nowhere/state");
  EXPECT_NE(refusal().find("nowhere/state"), std::string::npos);
  o.checkpoint = {.path = path, .seconds = -1};
  EXPECT_EQ(refusal(), "fit: checkpoint.seconds -1 must be at least 0");
}

// Two checkpoints of one training.
struct TwoFiles {
  TwoFiles() {
    FitOptions some = options();
    some.checkpoint = {.path = path, .seconds = 0};
    some.on_epoch = [](const Epoch& epoch) { return epoch.epoch < 4; };
    nn::Sequential net = network();
    fit(net, points(83), some);
  }
  TemporaryFolder folder;
  std::string path = folder.path("state"), previous = train::previous_checkpoint(path);
};

TEST(Checkpoint, OfTwoTheOneBeforeIsUsedWhereTheLastIsDamaged) {
  const TwoFiles files;
  nn::Sequential whole = network(), net = network();
  const FitResult expected = fit(whole, points(83), options());
  std::string bytes = content_of(files.path);
  bytes[bytes.size() - 5] ^= 1;
  files.folder.add("state", bytes);
  std::vector<std::string> warnings;
  FitOptions rest = options();
  rest.checkpoint = {.path = files.path, .warn = [&](const std::string& text) { warnings.push_back(text); }};
  int epochs = 0;
  rest.on_epoch = [&](const Epoch&) { return ++epochs < 2; };
  fit(net, points(83), rest);
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_TRUE(warnings[0].starts_with("the checkpoint '" + files.path + "' cannot be used: the tensor '"))
      << warnings[0];
  EXPECT_TRUE(warnings[0].ends_with("' does not have its checksum; training goes on from the one before it, '" +
                                    files.previous + "'"))
      << warnings[0];
  // The damaged file was replaced, and did not push out the good one before it.
  EXPECT_TRUE(train::read_checkpoint(files.path).newest);
  fs::remove(files.path);
  EXPECT_FALSE(train::read_checkpoint(files.path).newest);
  rest.on_epoch = {};
  EXPECT_EQ(words(fit(net, points(83), rest)), words(expected));
  EXPECT_EQ(values(net), values(whole));
  EXPECT_EQ(warnings.size(), 1U) << "a kill between two renamings is no damage";
}

TEST(Checkpoint, WhereBothAreDamagedEachIsNamed) {
  const TwoFiles files;
  files.folder.add("state", "nonsense");
  files.folder.add("state.previous", "");
  nn::Sequential net = network();
  FitOptions rest = options();
  rest.checkpoint = {.path = files.path};
  EXPECT_EQ(
      message_of([&] { fit(net, points(83), rest); }),
      "fit: the checkpoint '" + files.path + "' cannot be used: read_safetensors: '" + files.path +
          "': the header claims 7310308002159816558 bytes in a file of 8 (at most 100000000 are read); the file was "
          "cut off or is no safetensors file; nor can the one before it, '" +
          files.previous + "': read_safetensors: '" + files.previous +
          "' has 0 bytes, and a safetensors file at least 8; copy it again; remove both to begin anew");
  fs::remove(files.path);
  EXPECT_TRUE(message_of([&] {
                fit(net, points(83), rest);
              }).starts_with("fit: the checkpoint '" + files.previous + "' cannot be used: "));
}

TEST(Checkpoint, EveryFlippedBitIsSeen) {
  const TwoFiles files;
  const train::CheckpointFile good = train::read_checkpoint(files.path).file;
  const std::string bytes = content_of(files.path);
  fs::remove(files.previous);
  std::size_t read = 0;
  for (std::size_t at = 0; at < bytes.size(); at += 31) {  // 31 and 8: each bit of a byte has its turn
    std::string damaged = bytes;
    damaged[at] ^= static_cast<char>(1U << (at % 8));
    files.folder.add("state", damaged);
    const std::string text = message_of([&] {
      const train::CheckpointFile file = train::read_checkpoint(files.path).file;
      EXPECT_EQ(file.words, good.words) << at;
      for (const auto& [group, arrays] : good.groups)
        EXPECT_EQ(train::digest(file.groups.at(group)), train::digest(arrays));
      ++read;
    });
    EXPECT_TRUE(text == "no error" || contains(text, files.path)) << text;
  }
  EXPECT_LT(read, bytes.size() / 31 / 100) << "nearly every bit counts";
}

TEST(Checkpoint, ATrainingThatHasEndedIsNotDoneAgain) {
  const TemporaryFolder folder;
  FitOptions kept = options();
  kept.checkpoint = {.path = folder.path("state"), .keep = true};
  nn::Sequential whole = network(), net = network();
  const FitResult expected = fit(whole, points(83), kept);
  const std::string file = content_of(folder.path("state"));
  kept.on_progress = [](const Progress&) {
    ADD_FAILURE() << "a step";
    return true;
  };
  const FitResult again = fit(net, points(83), kept);
  EXPECT_EQ(words(again), words(expected));
  EXPECT_EQ(values(net), values(whole));
  EXPECT_EQ(content_of(folder.path("state")), file);
}

TEST(Checkpoint, TimeBeforeAnInterruptionCounts) {
  const TemporaryFolder folder;
  FitOptions o = options();
  o.max_epochs = 1'000'000'000;
  o.max_seconds = 0.1;
  o.checkpoint = {.path = folder.path("state")};
  nn::Sequential net = network();
  const FitResult first = fit(net, points(40), o);
  EXPECT_EQ(first.reason, Reason::kMaxSeconds);
  const FitResult second = fit(net, points(40), o);
  EXPECT_EQ(second.reason, Reason::kMaxSeconds);
  EXPECT_EQ(second.steps, first.steps);
  o.max_seconds = 0.2;
  EXPECT_GT(fit(net, points(40), o).steps, first.steps);
}

TEST(Checkpoint, WhatThePlaceHasNoRoomForIsRefusedBeforeTraining) {
  const TemporaryFolder folder;
  FitOptions o = options();
  o.checkpoint = {.path = folder.path("state")};
  nn::Sequential net = network();
  rlimit before = {};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit limit = {1000, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &limit);
  const std::string text = message_of([&] { fit(net, points(40), o); });
  setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_EQ(text, "cannot write '" + folder.path("state") +
                      "': File too large: 0.00672 MB are needed; raise the limit on the size of files (ulimit -f) or "
                      "choose another place");
  EXPECT_EQ(folder.files(), 0U);
}

TEST(Checkpoint, AFullDiskDoesNotEndTheTraining) {
  const TemporaryFolder folder;
  fs::create_directory(folder.path("place"));
  FitOptions o = options();
  o.checkpoint = {.path = folder.path("place/state"), .seconds = 0};
  o.on_epoch = [&](const Epoch& epoch) {
    if (epoch.epoch == 2) fs::remove_all(folder.path("place"));  // stands for a disk that takes no more
    return epoch.epoch < 4;
  };
  nn::Sequential net = network();
  const FitResult result = fit(net, points(40), o);
  EXPECT_EQ(result.epoch, 4);
  EXPECT_NE(result.checkpoint_error.find("place/state"), std::string::npos) << result.checkpoint_error;
}

TEST(Checkpoint, KeepsNumbersThatJsonHasNot) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (const double x : {0.1, -kInfinity, kInfinity, 5e-324, -0.0}) {
    EXPECT_EQ(train::number_from(nlohmann::json::parse(train::to_json(x).dump())), x);
  }
  EXPECT_TRUE(std::isnan(train::number_from(train::to_json(std::nan("")))));
  const Array x = {1, 2, 3};
  EXPECT_EQ(train::digest({x}), train::digest({Array({1, 2, 3})}));
  EXPECT_NE(train::digest({x}), train::digest({reshape(x, {3, 1})}));
  EXPECT_NE(train::digest({x}), train::digest({x, Array()}));
  EXPECT_NE(train::digest({x}), train::digest({Array({1, 2, 3.0000002})}));
}

}  // namespace
}  // namespace pellucid
