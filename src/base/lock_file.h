// A lock that one process holds on a folder, and that is free again when the process is gone, however it went.
#pragma once

#include <sys/types.h>

#include <string>

namespace pellucid::base {

/// The lock is flock() on a file, which holds the process id of its owner for messages: what a killed process or a
/// crash leaves behind is taken over.
class LockFile {
 public:
  /// Takes the lock, making the file at `path` where there is none. Throws Error where another process has it ("'run'
  /// is in use by process 4711; wait for its end, stop it, or take another folder", with `what` for 'run'), and where
  /// the file cannot be made or the file system has no locks.
  LockFile(std::string path, const std::string& what);
  LockFile(LockFile&& other) noexcept;
  LockFile& operator=(LockFile&&) = delete;
  /// Removes the file and gives the lock back.
  ~LockFile();

  /// The process that the file named when the lock was taken, though it held it no more; 0: none.
  pid_t left_by() const { return left_by_; }

 private:
  std::string path_;
  int file_ = -1;
  pid_t left_by_ = 0;
};

}  // namespace pellucid::base
