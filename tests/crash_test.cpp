// Trainings killed (SIGKILL) at random moments and taken up again, until they end: the result has the same bytes as
// that of one that was never killed. PELLUCID_KILLS: how many kills; `make crash-test` takes 1,000.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "support/crash_subjects.h"
#include "support/files.h"
#include "support/program.h"

namespace pellucid {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

int wanted_kills() {
  const char* text = std::getenv("PELLUCID_KILLS");
  return text != nullptr ? std::max(1, std::atoi(text)) : 24;
}

// Starts what is to be killed in a process of its own; `folder` is where it works.
using Start = std::function<pid_t(const std::string& folder)>;

struct Killing {
  std::string name;
  Start start;
  std::string result;                         // the file of the folder that is compared
  std::vector<std::string> checkpoint_names;  // for the count of kills that had something to go on from
};

// Waits until the process has ended, but at most so long: true where it ended by itself.
bool ended_within(pid_t process, double seconds) {
  const auto start = Clock::now();
  for (;;) {
    int status = 0;
    if (waitpid(process, &status, WNOHANG) == process) {
      EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "it failed by itself, status " << status;
      return true;
    }
    if (seconds_since(start) >= seconds) break;
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  kill(process, SIGKILL);
  waitpid(process, nullptr, 0);
  return false;
}

// Kills at least `wanted` times, in as many trainings as that takes, and until a kill found a checkpoint to go on from.
void kill_and_resume(const Killing& subject, int wanted) {
  constexpr double kForever = 1e9;
  const auto begin = Clock::now();
  std::string expected;
  double whole = kForever;
  for (int i = 0; i < 2; ++i) {  // the first one is slower
    const TemporaryFolder folder;
    const auto start = Clock::now();
    ASSERT_TRUE(ended_within(subject.start(folder.path()), kForever));
    whole = std::min(whole, seconds_since(start));
    expected = content_of(folder.path(subject.result));
    ASSERT_FALSE(expected.empty());
  }
  std::mt19937_64 random(std::hash<std::string>()(subject.name));
  std::uniform_real_distribution<double> moment(0, std::max(0.02, whole / 2));
  int kills = 0, trainings = 0, going_on = 0, different = 0;
  constexpr int kMostTrainings = 1000;
  while ((kills < wanted || going_on == 0) && different == 0 && trainings < kMostTrainings) {
    const TemporaryFolder folder;
    int here = 0;
    while (!ended_within(subject.start(folder.path()), moment(random))) {
      ++here;
      for (const std::string& name : subject.checkpoint_names) {
        if (!fs::exists(folder.path(name))) continue;
        ++going_on;
        break;
      }
    }
    kills += here;
    ++trainings;
    if (content_of(folder.path(subject.result)) != expected) ++different;
  }
  EXPECT_EQ(different, 0) << subject.name;
  EXPECT_GT(going_on, 0) << subject.name << ": no kill came after a checkpoint";
  std::printf("%-28s %4d kills in %3d trainings, %4d of them with a checkpoint there; %d results differ (%.0f s)\n",
              subject.name.c_str(), kills, trainings, going_on, different, seconds_since(begin));
  std::fflush(stdout);
}

pid_t start_subject(const testing::Subject& subject, const std::string& folder) {
  const pid_t process = fork();
  if (process != 0) return process;
  try {
    subject.train(folder);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", subject.name.c_str(), error.what());
    _exit(1);
  }
  _exit(0);
}

pid_t start_program(const std::string& options, const std::string& folder) {
  const pid_t process = fork();
  if (process != 0) return process;
  // The run's record is written first: where there is none yet, there is nothing to resume.
  const bool resumes = fs::exists(folder + "/run/run.json");
  const std::string command = std::string("exec " PELLUCID_BINARY_DIR "/pellucid train --quiet --checkpoint 0.004 ") +
                              (resumes ? "--resume " + folder + "/run" : options + " --run " + folder + "/run");
  execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
  _exit(127);
}

TEST(Crash, EveryResumeIsBitEqual) {
  const testing::Place data;
  data.write("things.csv", testing::classes_csv(300));
  data.write("houses.csv", testing::numbers_csv(300));
  testing::write_idx_folder(data, "pictures", false);
  std::vector<Killing> all;
  for (const testing::Subject& subject : testing::crash_subjects()) {
    all.push_back({.name = subject.name,
                   .start = [subject](const std::string& folder) { return start_subject(subject, folder); },
                   .result = "result",
                   .checkpoint_names = {"checkpoint", "checkpoint.previous"}});
  }
  const std::pair<std::string, std::string> commands[] = {
      {"train, classes", data.path("things.csv").string() + " --target kind --fast --hidden 32,32 --epochs 60"},
      {"train, ensemble", data.path("things.csv").string() + " --target kind --ensemble 3 --hidden 16 --epochs 20"},
      {"train, numbers",
       data.path("houses.csv").string() + " --target price --fast --hidden 32 --dropout 0.1 --epochs 60"},
      {"train, pictures", data.path("pictures").string() + " --network conv --epochs 4 --batch 32"}};
  for (const auto& [name, options] : commands) {
    all.push_back({.name = name,
                   .start = [text = options](const std::string& folder) { return start_program(text, folder); },
                   .result = "run/model.safetensors",
                   .checkpoint_names = {"run/checkpoint", "run/checkpoint.previous"}});
  }
  const int wanted = wanted_kills();
  const auto count = static_cast<int>(all.size());
  for (const Killing& subject : all) kill_and_resume(subject, (wanted + count - 1) / count);
}

}  // namespace
}  // namespace pellucid
