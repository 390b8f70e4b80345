// Atomic files.
#include "base/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <utility>

#include "base/fail.h"

namespace pellucid::base {
namespace {

constexpr std::size_t kBuffer = std::size_t{1} << 18;
constexpr mode_t kMode = 0666;  // less the umask

const char* remedy(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
      return "free some space or choose another place";
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
    file_ = open(target_.c_str(), O_WRONLY | O_CLOEXEC);
  } else {
    static std::atomic<unsigned> number{0};
    const std::size_t name = target_.rfind('/') + 1;  // 0 where there is no slash
    temporary_ = format("{}.{}.{}-{}.partial", target_.substr(0, name), target_.substr(name), getpid(), ++number);
    file_ = open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kMode);
    if (file_ < 0) temporary_.clear();  // errno is kept: clear() calls nothing
  }
  if (file_ < 0) fail_to_write(path_, errno);
  if (exists && !temporary_.empty() && fchmod(file_, status.st_mode & 07777) != 0) fail_with_errno(errno);
}

AtomicFile::~AtomicFile() { discard(); }

void AtomicFile::discard() noexcept {
  if (file_ >= 0) close(std::exchange(file_, -1));
  if (!temporary_.empty()) unlink(temporary_.c_str());
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
    const ssize_t written = ::write(file_, data, size);
    if (written < 0) {
      if (errno == EINTR) continue;
      fail_with_errno(errno);
    }
    data += written;
    size -= static_cast<std::size_t>(written);
  }
}

void AtomicFile::commit() {
  write_through(buffer_.data(), buffer_.size());
  if (file_ < 0) fail("cannot write '{}': an earlier write failed, or the file was committed: open it anew", path_);
  buffer_.clear();
  if (fsync(file_) != 0 && !cannot_sync(errno)) fail_with_errno(errno);
  if (close(std::exchange(file_, -1)) != 0) fail_with_errno(errno);
  if (temporary_.empty()) return;
  if (rename(temporary_.c_str(), target_.c_str()) != 0) fail_with_errno(errno);
  temporary_.clear();
  const int folder = open(folder_of(target_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return;  // a folder that may be written to but not read cannot be synced
  const int error = fsync(folder) == 0 || cannot_sync(errno) ? 0 : errno;
  close(folder);
  if (error != 0) fail_to_write(path_, error);
}

void write_file(const std::string& path, std::string_view content) {
  AtomicFile file(path);
  file.write(content);
  file.commit();
}

void check_writable(const std::string& path) { const AtomicFile file(path); }

}  // namespace pellucid::base
