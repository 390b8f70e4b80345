// Atomic files: there in full or not at all, and one clear message where they cannot be.
#include "base/atomic_file.h"

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "pellucid/error.h"

namespace pellucid::base {
namespace {

namespace fs = std::filesystem;

class AtomicFileTest : public testing::Test {
 protected:
  AtomicFileTest() {
    std::string name = (fs::temp_directory_path() / "pellucid-XXXXXX").string();
    folder_ = mkdtemp(name.data());
  }
  ~AtomicFileTest() override { fs::remove_all(folder_); }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  std::size_t files() const { return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder_), {})); }
  static std::string content(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  template <class Call>
  static std::string message(Call call) {
    try {
      call();
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }

  fs::path folder_;
};

TEST_F(AtomicFileTest, TakesItsPlaceOnCommitAlone) {
  write_file(path("a"), "old");
  {
    AtomicFile file(path("a"));
    file.write("new");
    EXPECT_EQ(content(path("a")), "old");
    file.write(" content");
    file.commit();
    EXPECT_EQ(content(path("a")), "new content");
  }
  EXPECT_EQ(content(path("a")), "new content");
  EXPECT_EQ(files(), 1U);
}

TEST_F(AtomicFileTest, LeavesNothingWithoutCommit) {
  {
    AtomicFile file(path("a"));
    file.write(std::string(1 << 20, 'x'));
    EXPECT_EQ(files(), 1U);
  }
  EXPECT_EQ(files(), 0U);
}

TEST_F(AtomicFileTest, WritesLargeAndSmallPartsInOrder) {
  std::string expected;
  AtomicFile file(path("a"));
  for (const std::size_t size : {1, 100000, 200000, 3, 1000000, 0, 262144, 7}) {
    const std::string part(size, static_cast<char>('a' + size % 26));
    expected += part;
    file.write(part);
  }
  file.commit();
  EXPECT_EQ(content(path("a")), expected);
}

TEST_F(AtomicFileTest, FollowsLinksAndKeepsPermissions) {
  write_file(path("target"), "old");
  fs::permissions(path("target"), fs::perms::owner_read | fs::perms::owner_write);
  fs::create_symlink("target", path("link"));
  fs::create_symlink("nowhere", path("dangling"));
  write_file(path("link"), "new");
  write_file(path("dangling"), "made");
  EXPECT_TRUE(fs::is_symlink(path("link")));
  EXPECT_EQ(content(path("target")), "new");
  EXPECT_EQ(fs::status(path("target")).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_EQ(content(path("nowhere")), "made");
}

TEST_F(AtomicFileTest, WorksWithoutAFolderInThePath) {
  const fs::path before = fs::current_path();
  fs::current_path(folder_);
  write_file("plain", "text");
  fs::current_path(before);
  EXPECT_EQ(content(path("plain")), "text");
}

TEST_F(AtomicFileTest, WritesToDevicesDirectly) {
  write_file("/dev/null", "text");
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
  check_writable("/dev/null");
  EXPECT_EQ(message([] { check_writable("/dev/full"); }),
            "cannot write '/dev/full': No space left on device: free some space or choose another place");
}

TEST_F(AtomicFileTest, RefusesPlacesThatTakeNoFileBeforeAnythingIsWritten) {
  const std::string missing = path("missing/a");
  EXPECT_EQ(message([&] { check_writable(missing); }),
            "cannot write '" + missing + "': No such file or directory: make the folder first");
  write_file(path("file"), "text");
  EXPECT_EQ(message([&] { check_writable(path("file/a")); }),
            "cannot write '" + path("file/a") + "': Not a directory: make the folder first");
  EXPECT_EQ(message([&] { check_writable(folder_.string()); }),
            "cannot write '" + folder_.string() + "': Is a directory: give the name of a file in it");
  EXPECT_EQ(message([&] { check_writable(path("new/")); }),
            "cannot write '" + path("new/") + "': Is a directory: give the name of a file in it");
  EXPECT_EQ(message([] { check_writable(""); }), "cannot write '': No such file or directory: make the folder first");
  const std::string huge = path(std::string(300, 'x'));
  EXPECT_EQ(message([&] { check_writable(huge); }),
            "cannot write '" + huge + "': File name too long: choose another place");
  check_writable(path("file"));
  EXPECT_EQ(content(path("file")), "text");
  EXPECT_EQ(files(), 1U);
}

/// Runs `test` in a child process, as a user who may not write everywhere; true where it returned true.
template <class Test>
bool as_ordinary_user(Test test) {
  const pid_t child = fork();
  if (child == 0) {
    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) _exit(2);
    _exit(test() ? 0 : 1);
  }
  int status = -1;
  return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST_F(AtomicFileTest, RefusesReadOnlyPlaces) {
  write_file(path("file"), "text");
  fs::create_directory(path("open"));
  write_file(path("open/file"), "text");
  chmod(path("open").c_str(), 0777);
  chmod(path("open/file").c_str(), 0444);
  chmod(folder_.c_str(), 0555);
  EXPECT_TRUE(as_ordinary_user([&] {
    const std::string remedy = "': Permission denied: choose another place or change its permissions";
    return message([&] { check_writable(path("new")); }) == "cannot write '" + path("new") + remedy &&
           message([&] { check_writable(path("file")); }).ends_with(remedy) &&
           message([&] { check_writable(path("open/file")); }).ends_with(remedy);  // rename() alone would do it
  }));
  chmod(folder_.c_str(), 0755);
}

TEST_F(AtomicFileTest, SaysThatADiskIsFull) {
  const std::string expected =
      "cannot write '/dev/full': No space left on device: free some space or choose another place";
  EXPECT_EQ(message([] { write_file("/dev/full", "text"); }), expected);
  EXPECT_EQ(message([] { write_file("/dev/full", std::string(1 << 20, 'x')); }), expected);
}

TEST_F(AtomicFileTest, LeavesTheOldFileAndNothingElseWhereTheDiskFillsUp) {
  write_file(path("a"), "old");
  // A limit on the size of files stands for the disk's end; unlike a small file system it needs no privilege.
  const pid_t child = fork();
  if (child == 0) {
    const rlimit limit = {100000, 100000};
    setrlimit(RLIMIT_FSIZE, &limit);
    signal(SIGXFSZ, SIG_IGN);
    const std::string text = message([&] { write_file(path("a"), std::string(1 << 20, 'x')); });
    _exit(text == "cannot write '" + path("a") +
                      "': File too large: raise the limit on the size of files (ulimit -f) or choose another place"
              ? 0
              : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT_EQ(content(path("a")), "old");
  EXPECT_EQ(files(), 1U);
}

TEST_F(AtomicFileTest, LeavesTheOldFileAndNothingElseOnAFullFileSystem) {
  if (mount("tmpfs", folder_.c_str(), "tmpfs", 0, "size=256k") != 0) {
    GTEST_SKIP() << "mounting a small file system needs privileges; the test before this one stands in for it";
  }
  write_file(path("a"), "old");
  EXPECT_EQ(message([&] { write_file(path("a"), std::string(1 << 20, 'x')); }),
            "cannot write '" + path("a") + "': No space left on device: free some space or choose another place");
  EXPECT_EQ(content(path("a")), "old");
  EXPECT_EQ(files(), 1U);
  umount(folder_.c_str());
}

TEST_F(AtomicFileTest, RefusesToGoOnAfterItsEnd) {
  AtomicFile file(path("a"));
  file.write("text");
  file.commit();
  const std::string expected =
      "cannot write '" + path("a") + "': an earlier write failed, or the file was committed: open it anew";
  EXPECT_EQ(message([&] { file.commit(); }), expected);
  EXPECT_EQ(message([&] { file.write(std::string(1 << 20, 'x')); }), expected);
  EXPECT_EQ(content(path("a")), "text");
}

}  // namespace
}  // namespace pellucid::base
