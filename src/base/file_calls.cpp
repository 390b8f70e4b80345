// The system's calls.
#include "base/file_calls.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>

namespace pellucid::base {

FileCalls& file_calls() {
  static FileCalls calls{
      .open = [](const char* path, int flags, mode_t mode) { return ::open(path, flags, mode); },
      .write = ::write,
      .fsync = ::fsync,
      .close = ::close,
      .rename = ::rename,
      .unlink = ::unlink,
      .fallocate = ::fallocate,
  };
  return calls;
}

}  // namespace pellucid::base
