// Files that are there in full or not at all: written beside their place, synced, renamed, and their folder synced.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pellucid::base {

/// A file under way to `path`. Until commit() has returned, what stood at `path` stands there as it was; where an error
/// or the destructor comes before, nothing is left behind. A symbolic link at `path` is followed. A device or a pipe
/// there is written to directly, since nothing can take its place.
///
/// Every function throws Error with the path, the system's reason and what may help: "cannot write 'model.safetensors':
/// No space left on device: free some space or choose another place".
class AtomicFile {
 public:
  /// Makes the file beside `path`. Throws where the folder is missing or does not take files, and where `path` is a
  /// folder or a file without permission to write.
  explicit AtomicFile(std::string path);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();

  /// Adds `size` bytes. Small writes are gathered.
  void write(const void* data, std::size_t size);
  void write(std::string_view text) { write(text.data(), text.size()); }

  /// Throws where the place has no room for so many bytes, by claiming them for the file, which is to be thrown away
  /// then: "cannot write 'a': No space left on device: 12.5 MB are needed; free some space or choose another place".
  void require_space(std::uint64_t size);

  /// Puts the file into its place, where it survives a loss of power from here on. To be called once, last. What stood
  /// there before goes to `previous` (in the same file system), where that is given: between the two renamings it is
  /// found there alone.
  void commit(const std::string& previous = {});

 private:
  [[noreturn]] void fail_with_errno(int error);
  void write_through(const char* data, std::size_t size);
  void discard() noexcept;

  std::string path_;       // as it was given, for messages
  std::string target_;     // links followed
  std::string temporary_;  // empty where the target is written directly
  int file_ = -1;
  std::vector<char> buffer_;
};

/// Writes the whole file at once.
void write_file(const std::string& path, std::string_view content);

/// Throws what AtomicFile and require_space() would throw for `path`, so that a program finds out before hours of work.
/// Leaves nothing behind and changes nothing.
void check_writable(const std::string& path, std::uint64_t size = 0);

}  // namespace pellucid::base
