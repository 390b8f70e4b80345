// A moving window over the bytes of a CSV file.
#include "io/csv_input.h"

#include <algorithm>
#include <cstring>

#include "base/fail.h"

namespace pellucid::io {

CsvInput CsvInput::open(const std::string& path) {
  FileBytes bytes = map_file(path, "read_csv");
  CsvInput input(bytes.view());
  input.path_ = path;
  input.bytes_ = std::move(bytes);
  input.unpacker_ = make_unpacker(input.bytes_.view(), path, "read_csv");
  return input;
}

std::string_view CsvInput::window(std::size_t wanted) {
  if (unpacker_ == nullptr) return text_.substr(at_);
  // Twice the room, so that what is left over is moved rarely.
  if (capacity_ - begin_ < wanted + 1) {
    const std::size_t left = end_ - begin_;
    if (capacity_ < 2 * wanted + 2) {
      constexpr std::size_t kLongestRow = std::size_t{1} << 31;
      if (wanted > kLongestRow) {
        base::fail(
            "read_csv: '{}': a row is longer than 2 GiB; a quote may not be closed: correct it, or unpack the file",
            path_);
      }
      capacity_ = 2 * wanted + 2;
      std::unique_ptr<char[]> larger(new char[capacity_]);
      if (left > 0) std::memcpy(larger.get(), buffer_.get() + begin_, left);
      buffer_ = std::move(larger);
    } else if (left > 0) {
      std::memmove(buffer_.get(), buffer_.get() + begin_, left);
    }
    begin_ = 0;
    end_ = left;
  }
  while (end_ - begin_ < wanted && !unpacker_->done()) end_ += unpacker_->read(buffer_.get() + end_, capacity_ - end_);
  return {buffer_.get() + begin_, end_ - begin_};
}

void CsvInput::consume(std::size_t bytes) {
  at_ += bytes;
  begin_ += unpacker_ == nullptr ? 0 : bytes;
}

void CsvInput::rewind() {
  at_ = 0;
  begin_ = end_ = 0;
  if (unpacker_ != nullptr) unpacker_ = make_unpacker(bytes_.view(), path_, "read_csv");
}

}  // namespace pellucid::io
