// Locks: one process at a time, and none that is gone.
#include "base/lock_file.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "support/files.h"
#include "support/message.h"

namespace pellucid {
namespace {

using base::LockFile;

// A process that takes the lock and waits for its end.
class Owner {
 public:
  explicit Owner(const std::string& path) {
    int ready[2];
    EXPECT_EQ(pipe(ready), 0);
    process_ = fork();
    if (process_ == 0) {
      const LockFile lock(path, "run");
      EXPECT_EQ(write(ready[1], "x", 1), 1);
      for (;;) pause();
    }
    char byte = 0;
    EXPECT_EQ(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
  }
  ~Owner() { end(); }
  void end() {
    if (process_ == 0) return;
    kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
    process_ = 0;
  }
  pid_t process() const { return process_; }

 private:
  pid_t process_ = 0;
};

TEST(LockFile, IsHeldByOneProcessAndFreeWhenThatIsGone) {
  const TemporaryFolder folder;
  const std::string path = folder.path("lock");
  Owner owner(path);
  const pid_t process = owner.process();
  EXPECT_EQ(message_of([&] { LockFile(path, "run"); }), "'run' is in use by process " + std::to_string(process) +
                                                            "; wait for its end, stop it, or take another folder");
  owner.end();
  EXPECT_EQ(content_of(path), std::to_string(process) + "\n") << "what a killed process leaves";
  {
    const LockFile lock(path, "run");
    EXPECT_EQ(lock.left_by(), process);
    EXPECT_EQ(content_of(path), std::to_string(getpid()) + "\n");
    EXPECT_PRED2(contains, message_of([&] { LockFile(path, "run"); }), "in use by process " + std::to_string(getpid()));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_EQ(LockFile(path, "run").left_by(), 0);
}

TEST(LockFile, SaysWhereItCannotBeMade) {
  const TemporaryFolder folder;
  EXPECT_EQ(message_of([&] { LockFile(folder.path("no/lock"), "run"); }),
            "cannot lock '" + folder.path("no/lock") + "': No such file or directory: choose another folder");
  // A device takes a lock, but no file's contents.
  EXPECT_EQ(message_of([] { LockFile("/dev/full", "run"); }),
            "cannot lock '/dev/full': Invalid argument: free some space or choose another folder");
}

}  // namespace
}  // namespace pellucid
