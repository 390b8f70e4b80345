// The system's calls by which files come to the disk, as a table: a test puts its own functions there, to fail at a
// chosen place or to keep account of what a loss of power would leave.
#pragma once

#include <sys/types.h>

#include <cstddef>

namespace pellucid::base {

/// Each as in POSIX, errno included.
struct FileCalls {
  int (*open)(const char* path, int flags, mode_t mode);
  ssize_t (*write)(int file, const void* data, std::size_t size);
  int (*fsync)(int file);
  int (*close)(int file);
  int (*rename)(const char* from, const char* to);
  int (*unlink)(const char* path);
  int (*fallocate)(int file, int mode, off_t offset, off_t size);
};

/// Those in use: the system's, unless a test has replaced some. Not to be changed while another thread writes.
FileCalls& file_calls();

}  // namespace pellucid::base
