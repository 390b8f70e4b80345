// The bytes of a CSV file as a window that moves over them: all at once where the file is plain, unpacked piece by
// piece where it is compressed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "io/file.h"
#include "io/unpack.h"

namespace pellucid::io {

class CsvInput {
 public:
  /// Text in memory, which must outlive it.
  explicit CsvInput(std::string_view text) : text_(text), total_(text.size()) {}
  /// A file: mapped, or unpacked as it is read. Throws Error where it cannot be read.
  static CsvInput open(const std::string& path);
  CsvInput(CsvInput&&) noexcept = default;

  /// The text from the position on: `wanted` bytes or more, or all that is left. Moves what it gave before.
  std::string_view window(std::size_t wanted);
  /// Whether the window reaches the end of the text.
  bool final() const { return unpacker_ == nullptr || unpacker_->done(); }
  /// Steps over bytes of the window.
  void consume(std::size_t bytes);
  /// Goes back to the begin.
  void rewind();

  /// How much of the file has been read, and its size: of the compressed file where it is one.
  std::uint64_t passed() const { return unpacker_ == nullptr ? at_ : unpacker_->passed(); }
  std::uint64_t total() const { return total_; }
  /// Bytes of text that have been consumed.
  std::uint64_t at() const { return at_; }

 private:
  std::string path_;
  FileBytes bytes_;
  std::string_view text_;               // where not compressed
  std::unique_ptr<Unpacker> unpacker_;  // where it is
  std::unique_ptr<char[]> buffer_;      // of unpacked text
  std::size_t begin_ = 0, end_ = 0, capacity_ = 0;
  std::uint64_t at_ = 0, total_ = 0;
};

}  // namespace pellucid::io
