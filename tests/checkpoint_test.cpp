// A training that is stopped anywhere and taken up again gives the bits of one that was not; what is refused.
#include <gtest/gtest.h>

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
  EXPECT_EQ(refusal(),
            "fit: '" + path + "' is no checkpoint of a training; name one, or remove the file to begin anew");
  io::write_safetensors(path, {.tensors = {}, .metadata = {{"pellucid.checkpoint", "9"}}});
  EXPECT_EQ(refusal(),
            "fit: the checkpoint '" + path + "' has version '9', and this program reads 1; remove it to begin anew");
  const std::string damaged = "fit: the checkpoint '" + path + "' is damaged; remove it to begin anew";
  io::write_safetensors(path, {.tensors = {}, .metadata = {{"pellucid.checkpoint", "1"}}});
  EXPECT_EQ(refusal(), damaged);
  train::write_checkpoint(path, {.groups = {}, .words = {{"start", 0}}});
  EXPECT_EQ(refusal(), damaged);
  o.checkpoint.path = folder.path("nowhere/state");
  EXPECT_NE(refusal().find("nowhere/state"), std::string::npos);
  o.checkpoint = {.path = path, .seconds = -1};
  EXPECT_EQ(refusal(), "fit: checkpoint.seconds -1 must be at least 0");
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
