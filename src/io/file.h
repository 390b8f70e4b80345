// Reading whole files, and gzip. Names in messages are given by the caller: `what` is the public function's name.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace pellucid::io {

/// The bytes of a file, either in memory of its own or mapped. Movable, not copyable.
class FileBytes {
 public:
  FileBytes() = default;
  /// Takes over `capacity` bytes at `data`, of which the first `size` count.
  FileBytes(std::unique_ptr<char[]> data, std::size_t size)
      : owned_(std::move(data)), data_(owned_.get()), size_(size) {}
  FileBytes(FileBytes&& other) noexcept { swap(other); }
  FileBytes& operator=(FileBytes&& other) noexcept {
    swap(other);
    return *this;
  }
  ~FileBytes();

  std::string_view view() const { return {data_, size_}; }
  const char* data() const { return data_; }
  std::size_t size() const { return size_; }

 private:
  friend FileBytes map_file(const std::string& path, std::string_view what);
  void swap(FileBytes& other) noexcept {
    std::swap(owned_, other.owned_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
  }

  std::unique_ptr<char[]> owned_;  // null where mapped
  const char* data_ = nullptr;
  std::size_t size_ = 0;
};

/// Reads a file, a pipe or a device to its end. Throws Error where it cannot be opened or read, or is a folder.
FileBytes read_file(const std::string& path, std::string_view what);
/// Maps a regular file; reads anything else. The file must not shrink while it is mapped: for files that are replaced
/// by renaming.
FileBytes map_file(const std::string& path, std::string_view what);

/// True for the magic number of gzip.
bool is_gzip(std::string_view bytes);
/// The content of all members of a gzip stream. Throws Error where it is damaged, cut off, or followed by anything but
/// zeros. Memory grows with what really comes out.
FileBytes gunzip(std::string_view bytes, const std::string& path, std::string_view what);
/// Inflates a raw deflate stream that must give exactly `size` bytes, into `out`. False where it does not.
bool inflate_raw(std::string_view bytes, char* out, std::size_t size);

/// The most bytes that one byte of a deflate stream can stand for; what claims more is damaged.
inline constexpr std::size_t kMostInflation = 1032;

}  // namespace pellucid::io
