// Locks.
#include "base/lock_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

#include "base/fail.h"

namespace pellucid::base {
namespace {

pid_t read_owner(int file) {
  char text[32] = {};
  const ssize_t size = pread(file, text, sizeof text - 1, 0);
  return size > 0 ? static_cast<pid_t>(std::atol(text)) : 0;
}

/// Whether the open file is the one that stands at `path`: its last owner may have removed it meanwhile.
bool stands_at(int file, const std::string& path) {
  struct stat open = {}, there = {};
  return fstat(file, &open) == 0 && stat(path.c_str(), &there) == 0 && open.st_ino == there.st_ino &&
         open.st_dev == there.st_dev;
}

}  // namespace

LockFile::LockFile(std::string path, const std::string& what) : path_(std::move(path)) {
  for (;;) {
    file_ = open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (file_ < 0) fail("cannot lock '{}': {}: choose another folder", path_, errno_text(errno));
    if (flock(file_, LOCK_EX | LOCK_NB) != 0) {
      const int error = errno;
      const pid_t owner = read_owner(file_);
      close(file_);
      if (error == EINTR) continue;
      if (error != EWOULDBLOCK) fail("cannot lock '{}': {}: choose a folder on a local disk", path_, errno_text(error));
      fail("'{}' is in use by process {}; wait for its end, stop it, or take another folder", what, owner);
    }
    if (stands_at(file_, path_)) break;
    close(file_);
  }
  left_by_ = read_owner(file_);
  const std::string text = std::to_string(getpid()) + "\n";
  if (ftruncate(file_, 0) != 0 || pwrite(file_, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
    const int error = errno;
    close(file_);
    fail("cannot lock '{}': {}: free some space or choose another folder", path_, errno_text(error));
  }
}

LockFile::LockFile(LockFile&& other) noexcept
    : path_(std::move(other.path_)), file_(std::exchange(other.file_, -1)), left_by_(other.left_by_) {}

LockFile::~LockFile() {
  if (file_ < 0) return;
  unlink(path_.c_str());
  close(file_);
}

}  // namespace pellucid::base
