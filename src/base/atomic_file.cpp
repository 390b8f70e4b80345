// Atomic files.
#include "base/atomic_file.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <utility>

#include "base/fail.h"
#include "base/file_calls.h"

namespace pellucid::base {
namespace {

constexpr std::size_t kBuffer = std::size_t{1} << 18;
constexpr mode_t kMode = 0666;  // less the umask

const char* remedy(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
      return "free some space or choose another place";
    case EFBIG:
      return "raise the limit on the size of files (ulimit -f) or choose another place";
    case ENOENT:
    case ENOTDIR:
      return "make the folder first";
    case EACCES:
    case EPERM:
    case EROFS:
      return "choose another place or change its permissions";
    case EISDIR:
      return "give the name of a file in it";
    default:
      return "choose another place";
  }
}

[[noreturn]] void fail_to_write(const std::string& path, int error) {
  fail("cannot write '{}': {}: {}", path, errno_text(error), remedy(error));
}

/// Where `path` leads when links are followed; a link to nothing leads to the place that it names.
std::string follow(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> real(realpath(path.c_str(), nullptr), &std::free);
  if (real) return real.get();
  std::vector<char> link(4096);
  const ssize_t size = readlink(path.c_str(), link.data(), link.size());
  if (size <= 0) return path;
  const std::string to(link.data(), static_cast<std::size_t>(size));
  return to.front() == '/' ? to : path.substr(0, path.rfind('/') + 1) + to;
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

/// Whether the error of fsync means that this kind of file cannot be synced, rather than that its data are lost.
bool cannot_sync(int error) { return error == EINVAL || error == ENOTSUP || error == EROFS; }

/// 0, or the error. A folder that may be written to but not read cannot be synced, which is none.
int sync_folder_of(const std::string& path) {
  const FileCalls& calls = file_calls();
  const int folder = calls.open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  if (folder < 0) return 0;
  const int error = calls.fsync(folder) == 0 || cannot_sync(errno) ? 0 : errno;
  calls.close(folder);
  return error;
}

}  // namespace

AtomicFile::AtomicFile(std::string path) : path_(std::move(path)), target_(follow(path_)) {
  struct stat status = {};
  const bool exists = stat(target_.c_str(), &status) == 0;
  if (!exists && errno != ENOENT) fail_to_write(path_, errno);
  if (path_.empty()) fail_to_write(path_, ENOENT);
  if ((exists && S_ISDIR(status.st_mode)) || target_.back() == '/') fail_to_write(path_, EISDIR);
  // rename() would replace a file that may not be written to.
  if (exists && access(target_.c_str(), W_OK) != 0) fail_to_write(path_, errno);

  if (exists && !S_ISREG(status.st_mode)) {
    file_ = file_calls().open(target_.c_str(), O_WRONLY | O_CLOEXEC, 0);
  } else {
    static std::atomic<unsigned> number{0};
    const std::size_t name = target_.rfind('/') + 1;  // 0 where there is no slash
    temporary_ = format("{}.{}.{}-{}.partial", target_.substr(0, name), target_.substr(name), getpid(), ++number);
    file_ = file_calls().open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kMode);
    if (file_ < 0) temporary_.clear();  // errno is kept: clear() calls nothing
  }
  if (file_ < 0) fail_to_write(path_, errno);
  if (exists && !temporary_.empty() && fchmod(file_, status.st_mode & 07777) != 0) fail_with_errno(errno);
}

AtomicFile::~AtomicFile() { discard(); }

void AtomicFile::discard() noexcept {
  if (file_ >= 0) file_calls().close(std::exchange(file_, -1));
  if (!temporary_.empty()) file_calls().unlink(temporary_.c_str());
  temporary_.clear();
}

void AtomicFile::fail_with_errno(int error) {
  discard();
  fail_to_write(path_, error);
}

void AtomicFile::write(const void* data, std::size_t size) {
  const auto* bytes = static_cast<const char*>(data);
  if (buffer_.size() + size <= kBuffer) {
    buffer_.insert(buffer_.end(), bytes, bytes + size);
    return;
  }
  write_through(buffer_.data(), buffer_.size());
  buffer_.clear();
  if (size >= kBuffer) {
    write_through(bytes, size);
  } else {
    buffer_.insert(buffer_.end(), bytes, bytes + size);
  }
}

void AtomicFile::write_through(const char* data, std::size_t size) {
  if (file_ < 0) fail("cannot write '{}': an earlier write failed, or the file was committed: open it anew", path_);
  while (size > 0) {
    const ssize_t written = file_calls().write(file_, data, size);
    if (written < 0) {
      if (errno == EINTR) continue;
      fail_with_errno(errno);
    }
    data += written;
    size -= static_cast<std::size_t>(written);
  }
}

void AtomicFile::require_space(std::uint64_t size) {
  // A device that takes nothing, as /dev/full, says so of no byte too.
  if (temporary_.empty() && file_calls().write(file_, "", 0) < 0) fail_with_errno(errno);
  if (size == 0 || temporary_.empty()) return;
  int error = 0;
  rlimit most = {};
  struct statvfs space = {};
  if (getrlimit(RLIMIT_FSIZE, &most) == 0 && most.rlim_cur != RLIM_INFINITY && most.rlim_cur < size) {
    error = EFBIG;
  } else if (file_calls().fallocate(file_, FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(size)) != 0) {
    error = errno;
    if (error == EINTR) error = 0;
    if (error == EOPNOTSUPP || error == ENOSYS) {
      error = fstatvfs(file_, &space) == 0 && std::uint64_t{space.f_bavail} * space.f_frsize < size ? ENOSPC : 0;
    }
  }
  if (error == 0) return;
  discard();
  fail("cannot write '{}': {}: {:.4g} MB are needed; {}", path_, errno_text(error), static_cast<double>(size) / 1e6,
       remedy(error));
}

void AtomicFile::commit(const std::string& previous) {
  write_through(buffer_.data(), buffer_.size());
  if (file_ < 0) fail("cannot write '{}': an earlier write failed, or the file was committed: open it anew", path_);
  buffer_.clear();
  const FileCalls& calls = file_calls();
  if (calls.fsync(file_) != 0 && !cannot_sync(errno)) fail_with_errno(errno);
  if (calls.close(std::exchange(file_, -1)) != 0) fail_with_errno(errno);
  if (temporary_.empty()) return;
  if (!previous.empty() && calls.rename(target_.c_str(), previous.c_str()) != 0 && errno != ENOENT) {
    fail_with_errno(errno);
  }
  if (calls.rename(temporary_.c_str(), target_.c_str()) != 0) {
    const int error = errno;
    if (!previous.empty()) calls.rename(previous.c_str(), target_.c_str());
    fail_with_errno(error);
  }
  temporary_.clear();
  const int error = sync_folder_of(target_);
  if (error != 0) fail_to_write(path_, error);
}

void write_file(const std::string& path, std::string_view content) {
  AtomicFile file(path);
  file.write(content);
  file.commit();
}

void check_writable(const std::string& path, std::uint64_t size) { AtomicFile(path).require_space(size); }

}  // namespace pellucid::base
