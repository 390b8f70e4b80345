// Reading whole files, and gzip by zlib.
#include "io/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <limits>

#include "base/fail.h"
#include "base/large_pages.h"
#include "io/unpack.h"

namespace pellucid::io {
namespace {

using base::errno_text;
using base::fail;

// An open file that closes itself.
class Descriptor {
 public:
  Descriptor(const std::string& path, std::string_view what) {
    if (path.find('\0') != std::string::npos) fail("{}: a file name cannot hold a NUL byte", what);
    do {
      number_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    } while (number_ < 0 && errno == EINTR);
    if (number_ < 0) {
      const char* remedy = errno == EACCES   ? "; change its permissions"
                           : errno == ENOENT ? "; check its name and folder"
                                             : "";
      fail("{}: cannot open '{}': {}{}", what, path, errno_text(errno), remedy);
    }
    if (::fstat(number_, &status_) != 0) {
      const int error = errno;
      ::close(number_);
      fail("{}: cannot read '{}': {}", what, path, errno_text(error));
    }
    if (S_ISDIR(status_.st_mode)) {
      ::close(number_);
      fail("{}: '{}' is a folder; give a file", what, path);
    }
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { ::close(number_); }

  int number() const { return number_; }
  bool regular() const { return S_ISREG(status_.st_mode); }
  std::size_t size() const { return regular() ? static_cast<std::size_t>(status_.st_size) : 0; }

 private:
  int number_ = -1;
  struct stat status_ {};
};

// Memory that grows by doubling and is never cleared.
class Buffer {
 public:
  explicit Buffer(std::size_t capacity) : data_(new char[capacity]), capacity_(capacity) {
    base::prefer_large_pages(data_.get(), capacity);
  }
  char* end() { return data_.get() + size_; }
  std::size_t space() const { return capacity_ - size_; }
  void add(std::size_t n) { size_ += n; }
  void grow() {
    std::unique_ptr<char[]> larger(new char[capacity_ * 2]);
    base::prefer_large_pages(larger.get(), capacity_ * 2);
    std::memcpy(larger.get(), data_.get(), size_);
    data_ = std::move(larger);
    capacity_ *= 2;
  }
  FileBytes take() && { return {std::move(data_), size_}; }

 private:
  std::unique_ptr<char[]> data_;
  std::size_t capacity_;
  std::size_t size_ = 0;
};

constexpr std::size_t kFirstCapacity = std::size_t{1} << 16;

FileBytes read_all(const Descriptor& file, const std::string& path, std::string_view what) {
  Buffer buffer(std::max(kFirstCapacity, file.size() + 1));  // one more, so that the end is seen without growing
  while (true) {
    if (buffer.space() == 0) buffer.grow();
    const ssize_t n = ::read(file.number(), buffer.end(), buffer.space());
    if (n == 0) break;
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("{}: cannot read '{}': {}", what, path, errno_text(errno));
    buffer.add(static_cast<std::size_t>(n));
  }
  return std::move(buffer).take();
}

}  // namespace

FileBytes::~FileBytes() {
  if (data_ != nullptr && owned_ == nullptr) ::munmap(const_cast<char*>(data_), size_);
}

FileBytes read_file(const std::string& path, std::string_view what) {
  return read_all(Descriptor(path, what), path, what);
}

FileBytes map_file(const std::string& path, std::string_view what) {
  const Descriptor file(path, what);
  if (!file.regular() || file.size() == 0) return read_all(file, path, what);  // a pipe opens once
  void* address = ::mmap(nullptr, file.size(), PROT_READ, MAP_PRIVATE, file.number(), 0);
  if (address == MAP_FAILED) return read_all(file, path, what);
  FileBytes bytes;
  bytes.data_ = static_cast<const char*>(address);
  bytes.size_ = file.size();
  return bytes;
}

bool is_gzip(std::string_view bytes) { return bytes.starts_with("\x1f\x8b"); }

FileBytes gunzip(std::string_view bytes, const std::string& path, std::string_view what) {
  const std::unique_ptr<Unpacker> unpacker = make_unpacker(bytes, path, what);
  if (!unpacker) fail("{}: '{}' does not begin as a gzip stream does; copy it again", what, path);
  Buffer buffer(std::max(kFirstCapacity, std::min(bytes.size() * 4, std::size_t{1} << 28)));
  while (!unpacker->done()) {
    if (buffer.space() == 0) buffer.grow();
    buffer.add(unpacker->read(buffer.end(), buffer.space()));
  }
  return std::move(buffer).take();
}

bool inflate_raw(std::string_view bytes, char* out, std::size_t size) {
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return false;
  char spare = 0;  // a stream that is longer than it should be writes here
  std::size_t done = 0;
  int state = Z_OK;
  while (state == Z_OK) {
    constexpr std::size_t kMost = std::numeric_limits<uInt>::max();
    const bool full = done == size;
    const auto room = full ? 1U : static_cast<uInt>(std::min(size - done, kMost));
    const auto in = static_cast<uInt>(std::min(bytes.size(), kMost));
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream.avail_in = in;
    stream.next_out = reinterpret_cast<Bytef*>(full ? &spare : out + done);
    stream.avail_out = room;
    state = inflate(&stream, Z_NO_FLUSH);
    bytes.remove_prefix(in - stream.avail_in);
    const std::size_t written = room - stream.avail_out;
    if (full && written > 0) state = Z_DATA_ERROR;
    done += full ? 0 : written;
    if (state == Z_OK && written == 0 && in == stream.avail_in) state = Z_BUF_ERROR;
  }
  inflateEnd(&stream);
  return state == Z_STREAM_END && done == size && bytes.empty();
}

}  // namespace pellucid::io
