// The pool of threads: every piece once, on any number of threads, whatever calls it.
#include "base/thread_pool.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "pellucid/error.h"
#include "support/allocations.h"

namespace pellucid::base {
namespace {

/// Sets the number of threads for one test.
class Threads {
 public:
  explicit Threads(int count) : before_(threads()) { set_threads(count); }
  ~Threads() { set_threads(before_); }

 private:
  int before_;
};

/// How often each piece of a loop ran.
std::vector<int> runs_of(std::int64_t pieces, int most_threads = 0) {
  std::vector<std::atomic<int>> runs(static_cast<std::size_t>(pieces));
  parallel_for(
      pieces, [&](std::int64_t i) { runs[static_cast<std::size_t>(i)].fetch_add(1, std::memory_order_relaxed); },
      most_threads);
  return {runs.begin(), runs.end()};
}

TEST(ThreadPool, RunsEachPieceOnce) {
  for (const int count : {1, 2, 3, 7, 16}) {
    const Threads set(count);
    EXPECT_EQ(threads(), count);
    for (const std::int64_t pieces : {0, 1, 2, 3, 6, 7, 8, 100, 4097}) {
      EXPECT_EQ(runs_of(pieces), std::vector<int>(static_cast<std::size_t>(pieces), 1)) << count << " threads";
      EXPECT_EQ(runs_of(pieces, 2), std::vector<int>(static_cast<std::size_t>(pieces), 1)) << count << " threads";
    }
  }
}

TEST(ThreadPool, RunsEachPieceOnceInManyShortLoops) {
  const Threads set(4);
  std::int64_t total = 0;
  for (int loop = 0; loop < 3000; ++loop) {
    std::atomic<std::int64_t> sum{0};
    parallel_for(loop % 9, [&](std::int64_t i) { sum += i + 1; });
    total += sum;
  }
  std::int64_t expected = 0;
  for (int loop = 0; loop < 3000; ++loop) expected += std::int64_t{loop % 9} * (loop % 9 + 1) / 2;
  EXPECT_EQ(total, expected);
}

TEST(ThreadPool, WakesWorkersThatSleep) {
  const Threads set(3);
  for (int loop = 0; loop < 5; ++loop) {
    std::this_thread::sleep_for(std::chrono::milliseconds(3));
    std::atomic<int> waiting{0};
    parallel_for(3, [&](std::int64_t) {  // ends only where three threads are in it at once
      ++waiting;
      while (waiting < 3) std::this_thread::yield();
    });
    EXPECT_EQ(waiting, 3);
  }
}

TEST(ThreadPool, CallerSleepsThroughALongPieceOfAWorker) {
  const Threads set(2);
  const std::thread::id caller = std::this_thread::get_id();
  std::atomic<int> entered{0};
  std::atomic<bool> finished{false};
  parallel_for(2, [&](std::int64_t) {
    ++entered;
    while (entered < 2) std::this_thread::yield();
    if (std::this_thread::get_id() == caller) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    finished = true;
  });
  EXPECT_TRUE(finished);
}

TEST(ThreadPool, ThreadNumbersAreBelowTheLimitAndNeverSharedAtOneTime) {
  const Threads set(7);
  for (const int most : {0, 1, 2, 5, 100}) {
    const int limit = most == 0 ? 7 : std::min(most, 7);
    std::vector<std::atomic<bool>> taken(static_cast<std::size_t>(limit));
    std::atomic<bool> wrong{false};
    parallel_for(
        500,
        [&](std::int64_t, int thread) {
          if (thread < 0 || thread >= limit || taken[static_cast<std::size_t>(thread)].exchange(true)) {
            wrong = true;
            return;
          }
          std::this_thread::yield();
          taken[static_cast<std::size_t>(thread)] = false;
        },
        most);
    EXPECT_FALSE(wrong) << "limit " << most;
  }
}

TEST(ThreadPool, NestedLoopsRunOnTheirThread) {
  const Threads set(4);
  std::vector<int> sums(32);
  std::atomic<bool> moved{false};
  parallel_for(32, [&](std::int64_t i) {
    const std::thread::id outer = std::this_thread::get_id();
    parallel_for(10, [&](std::int64_t j, int thread) {
      if (std::this_thread::get_id() != outer || thread != 0) moved = true;
      sums[static_cast<std::size_t>(i)] += static_cast<int>(j);
    });
  });
  EXPECT_FALSE(moved);
  EXPECT_EQ(sums, std::vector<int>(32, 45));
}

TEST(ThreadPool, RethrowsTheExceptionOfTheLowestPieceAfterAllHaveRun) {
  for (const int count : {1, 4}) {
    const Threads set(count);
    for (int loop = 0; loop < 20; ++loop) {
      std::atomic<int> ran{0};
      try {
        parallel_for(100, [&](std::int64_t i) {
          ++ran;
          if (i % 30 == 17) throw std::runtime_error(std::to_string(i));
        });
        ADD_FAILURE() << "did not throw";
      } catch (const std::runtime_error& error) {
        EXPECT_STREQ(error.what(), "17");
      }
      EXPECT_EQ(ran, 100);
      EXPECT_EQ(runs_of(50), std::vector<int>(50, 1));  // and the pool works on
    }
  }
}

TEST(ThreadPool, ServesSeveralThreadsOfTheProgramAtOnce) {
  const Threads set(3);
  std::vector<std::thread> users;
  std::atomic<std::int64_t> total{0};
  for (int user = 0; user < 4; ++user) {
    users.emplace_back([&] {
      for (int loop = 0; loop < 300; ++loop) parallel_for(16, [&](std::int64_t i) { total += i; });
    });
  }
  for (int count : {2, 5, 3}) set_threads(count);  // waits for the loop under way
  for (std::thread& user : users) user.join();
  EXPECT_EQ(total, 4 * 300 * 120);
}

TEST(ThreadPool, AllocatesNothingPerLoop) {
  const Threads set(3);
  std::vector<int> sums(64);
  const auto loop = [&] { parallel_for(64, [&](std::int64_t i) { ++sums[static_cast<std::size_t>(i)]; }); };
  for (int i = 0; i < 10; ++i) loop();
  const std::int64_t before = allocations();
  for (int i = 0; i < 1000; ++i) loop();
  const std::int64_t after = allocations();
  EXPECT_EQ(after, before);
  EXPECT_EQ(sums, std::vector<int>(64, 1010));
  const std::int64_t counted = allocations();
  sums.resize(1000);
  EXPECT_EQ(allocations(), counted + 1);  // they are counted at all
}

TEST(ThreadPool, AForkedChildHasAPoolOfItsOwn) {
  const Threads set(3);
  EXPECT_EQ(runs_of(100), std::vector<int>(100, 1));
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    std::atomic<int> waiting{0};
    parallel_for(3, [&](std::int64_t) {
      ++waiting;
      while (waiting < 3) std::this_thread::yield();
    });
    _exit(runs_of(100) == std::vector<int>(100, 1) && threads() == 3 ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "status " << status;
  EXPECT_EQ(runs_of(100), std::vector<int>(100, 1));
}

// A worker that wakes on the caller's processor leaves it, and may run on all of the process's processors again.
TEST(ThreadPool, WorkersThatSleptMayRunOnEveryProcessor) {
  const Threads set(3);
  cpu_set_t all;
  ASSERT_EQ(sched_getaffinity(0, sizeof(all), &all), 0);
  std::atomic<int> confined{0};
  for (int round = 0; round < 50; ++round) {
    std::this_thread::sleep_for(std::chrono::microseconds(300));  // longer than a worker spins
    parallel_for(3, [&](std::int64_t) {
      cpu_set_t mine;
      if (sched_getaffinity(0, sizeof(mine), &mine) != 0 || !CPU_EQUAL(&all, &mine)) ++confined;
    });
  }
  EXPECT_EQ(confined, 0);
}

TEST(ThreadPool, RefusesSenselessNumbersOfThreads) {
  for (const int count : {0, -1, 1025}) {
    try {
      set_threads(count);
      ADD_FAILURE() << count << " did not throw";
    } catch (const Error& error) {
      EXPECT_EQ(error.what(), "set_threads: " + std::to_string(count) + " threads: want a number from 1 to 1024");
    }
  }
  const Threads set(2);
  EXPECT_THROW(parallel_for(2, [&](std::int64_t) { set_threads(3); }), Error);
  EXPECT_EQ(threads(), 2);
}

[[noreturn]] void exit_with_threads() {
  try {
    std::_Exit(threads());
  } catch (const Error& error) {
    std::fputs(error.what(), stderr);
    std::_Exit(99);
  }
}

TEST(ThreadPoolDeathTest, TakesItsSizeFromTheEnvironment) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // runs the program anew, which has not asked yet
  setenv("PELLUCID_THREADS", "5", 1);
  EXPECT_EXIT(exit_with_threads(), testing::ExitedWithCode(5), "");
  for (const char* wrong : {"0", "many", "3x", "1025", "-2"}) {
    setenv("PELLUCID_THREADS", wrong, 1);
    EXPECT_EXIT(
        exit_with_threads(), testing::ExitedWithCode(99),
        std::string("environment variable PELLUCID_THREADS='") + wrong + "': want a whole number from 1 to 1024");
  }
  unsetenv("PELLUCID_THREADS");
}

}  // namespace
}  // namespace pellucid::base
