// A call that fails at each place in turn, and a loss of power at each place in turn, leave the old content or the new
// one, never neither: for files that take another's place, for models, and for checkpoints with the one before them.
#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <string>

#include "base/atomic_file.h"
#include "pellucid/io.h"
#include "pellucid/ops.h"
#include "support/faulty_disk.h"
#include "support/files.h"
#include "support/message.h"
#include "train/checkpoint.h"

namespace pellucid {
namespace {

namespace fs = std::filesystem;

const std::string kOld(300000, 'o'), kNew(700000, 'n');

TEST(DiskFaults, AFailureAtEachPlaceLeavesTheOldFileOrTheNewOne) {
  std::set<std::string> failed;
  int attempts = 0;
  for (const int error : {ENOSPC, EIO, EDQUOT}) {
    for (const bool from_then_on : {false, true}) {
      for (std::int64_t place = 0;; ++place) {
        const TemporaryFolder folder;
        const std::string path = folder.add("a", kOld);
        std::string text, what;
        {
          FaultyDisk disk(folder.path());
          disk.fails_at = place;
          disk.error = error;
          disk.from_then_on = from_then_on;
          text = message_of([&] { base::write_file(path, kNew); });
          what = disk.failed;
        }
        if (what.empty()) break;
        ++attempts;
        failed.insert(what);
        const std::string content = content_of(path);
        EXPECT_TRUE(content == kOld || content == kNew) << what << " at call " << place;
        if (text == "no error") {
          EXPECT_EQ(content, kNew) << what << " at call " << place;
        } else {
          EXPECT_TRUE(text.starts_with("cannot write '" + path + "': ")) << text;
        }
        // What cannot be removed stays; the next writer is not in its way.
        EXPECT_TRUE(from_then_on || folder.files() == 1) << what << " at call " << place;
        base::write_file(path, "next");
        EXPECT_EQ(content_of(path), "next");
      }
    }
  }
  EXPECT_EQ(failed, (std::set<std::string>{"open", "write", "fsync", "close", "rename"}));
  std::printf("%d failures\n", attempts);
}

// Puts the files where they can be read, and gives the path of the one that stood at `path`.
std::string materialise(const TemporaryFolder& folder, const FaultyDisk::Files& files, const std::string& path) {
  fs::remove_all(folder.path());
  fs::create_directory(folder.path());
  for (const auto& [name, content] : files) folder.add(fs::path(name).filename().string(), content);
  return folder.path(fs::path(path).filename().string());
}

TEST(DiskFaults, ALossOfPowerAtEachPlaceLeavesTheOldFileOrTheNewOne) {
  const TemporaryFolder folder;
  const std::string path = folder.add("a", kOld);
  int states = 0;
  bool old_seen = false, new_seen = false;
  FaultyDisk disk(folder.path());
  disk.after_power_loss = [&](const FaultyDisk::Files& files) {
    ++states;
    const auto file = files.find(path);
    ASSERT_NE(file, files.end());
    ASSERT_TRUE(file->second == kOld || file->second == kNew) << file->second.size() << " bytes";
    (file->second == kOld ? old_seen : new_seen) = true;
  };
  base::write_file(path, kNew);
  EXPECT_TRUE(old_seen && new_seen);
  std::printf("%d states\n", states);
  disk.after_power_loss = [&](const FaultyDisk::Files& files) { EXPECT_EQ(files.at(path), kNew); };
  base::check_writable(path);  // whatever comes later: what was committed is there
}

train::CheckpointFile numbered(int number) {
  train::CheckpointFile file;
  file.groups["state"] = {Array::from(std::vector<std::int64_t>(1000, number)), Array(number)};
  file.words = {{"number", number}};
  return file;
}

// The number of the checkpoint that is read; 0 where there is none.
int number_at(const std::string& path) {
  if (!train::checkpoint_exists(path)) return 0;
  const train::CheckpointFile file = train::read_checkpoint(path).file;
  EXPECT_EQ(file.groups.at("state").at(1).item<int>(), file.words.at("number"));
  return file.words.at("number");
}

TEST(DiskFaults, ALossOfPowerAtEachPlaceLeavesTheLastCheckpointOrTheNext) {
  const TemporaryFolder folder, scratch;
  const std::string path = folder.path("state");
  int done = 0, states = 0;
  std::set<int> seen;
  FaultyDisk disk(folder.path());
  disk.after_power_loss = [&](const FaultyDisk::Files& files) {
    ++states;
    int number = -1;
    const std::string text = message_of([&] { number = number_at(materialise(scratch, files, path)); });
    EXPECT_EQ(text, "no error") << "after checkpoint " << done;
    EXPECT_TRUE(number == done || number == done + 1) << number << " after checkpoint " << done;
    seen.insert(number);
  };
  for (const int number : {1, 2, 3, 4}) {
    train::write_checkpoint(path, numbered(number), number > 1 ? train::Before::kKept : train::Before::kUnrelated);
    done = number;
  }
  EXPECT_EQ(seen, (std::set<int>{0, 1, 2, 3, 4}));
  std::printf("%d states\n", states);
}

TEST(DiskFaults, AFailureAtEachPlaceLeavesTheLastCheckpointOrTheNext) {
  int attempts = 0;
  for (const bool from_then_on : {false, true}) {
    for (std::int64_t place = 0;; ++place) {
      const TemporaryFolder folder;
      const std::string path = folder.path("state");
      train::write_checkpoint(path, numbered(1), train::Before::kUnrelated);
      train::write_checkpoint(path, numbered(2), train::Before::kKept);
      std::string what;
      {
        FaultyDisk disk(folder.path());
        disk.fails_at = place;
        disk.from_then_on = from_then_on;
        message_of([&] { train::write_checkpoint(path, numbered(3), train::Before::kKept); });
        what = disk.failed;
      }
      if (what.empty()) break;
      ++attempts;
      const int number = number_at(path);
      EXPECT_TRUE(number == 2 || number == 3) << number << ": " << what << " at call " << place;
      train::write_checkpoint(path, numbered(4), train::Before::kKept);
      EXPECT_EQ(number_at(path), 4);
    }
  }
  std::printf("%d failures\n", attempts);
}

TEST(DiskFaults, AModelIsThereWholeOrAsItWas) {
  const TemporaryFolder folder, scratch;
  const std::string path = folder.path("m.safetensors");
  const auto model = [](float value) {
    io::ModelFile file;
    file.parameters["weight"] = full({50, 3}, value);
    return file;
  };
  io::save_model(path, model(1));
  FaultyDisk disk(folder.path());
  disk.after_power_loss = [&](const FaultyDisk::Files& files) {
    const io::ModelFile read = io::load_model(materialise(scratch, files, path));
    const float value = read.parameters.at("weight").to_vector<float>()[7];
    EXPECT_TRUE(value == 1 || value == 2) << value;
  };
  io::save_model(path, model(2));
}

}  // namespace
}  // namespace pellucid
