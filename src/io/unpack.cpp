// Unpacking gzip by zlib and zstd by libzstd.
#include "io/unpack.h"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <limits>

#include "base/fail.h"
#include "io/file.h"

namespace pellucid::io {
namespace {

using base::fail;

class Packed : public Unpacker {
 public:
  Packed(std::string_view bytes, std::string path, std::string_view what)
      : bytes_(bytes), rest_(bytes), path_(std::move(path)), what_(what) {}
  bool done() const override { return done_; }
  std::uint64_t passed() const override { return bytes_.size() - rest_.size(); }

 protected:
  [[noreturn]] void cut_off(std::string_view kind) const {
    fail("{}: '{}': the {} stream ends too early, after {} bytes; the file was cut off: copy it again", what_, path_,
         kind, bytes_.size());
  }
  [[noreturn]] void damaged(std::string_view kind, std::string_view reason) const {
    fail("{}: '{}': the {} stream is damaged near byte {} ({}); copy the file again", what_, path_, kind,
         bytes_.size() - rest_.size(), reason);
  }
  // At the end of a member: what follows is another, zeros (tapes and tar pad with them), or an error.
  void end_member(bool (*is_another)(std::string_view), std::string_view kind) {
    rest_.remove_prefix(std::min(rest_.size(), rest_.find_first_not_of('\0')));
    done_ = rest_.empty();
    if (done_ || is_another(rest_)) return;
    fail("{}: '{}': something that is not {} follows at byte {}; copy the file again", what_, path_, kind,
         bytes_.size() - rest_.size());
  }

  std::string_view bytes_, rest_;
  std::string path_, what_;
  bool done_ = false;
};

class Gzip : public Packed {
 public:
  Gzip(std::string_view bytes, std::string path, std::string_view what) : Packed(bytes, std::move(path), what) {
    if (inflateInit2(&stream_, 16 + MAX_WBITS) != Z_OK) fail("{}: '{}': not enough memory to read gzip", what_, path_);
  }
  ~Gzip() override { inflateEnd(&stream_); }

  std::size_t read(char* out, std::size_t room) override {
    std::size_t written = 0;
    while (written == 0 && !done_) {
      constexpr std::size_t kMost = std::numeric_limits<uInt>::max();
      const auto in = static_cast<uInt>(std::min(rest_.size(), kMost));
      const auto space = static_cast<uInt>(std::min(room, kMost));
      stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(rest_.data()));
      stream_.avail_in = in;
      stream_.next_out = reinterpret_cast<Bytef*>(out);
      stream_.avail_out = space;
      const int state = inflate(&stream_, Z_NO_FLUSH);
      rest_.remove_prefix(in - stream_.avail_in);
      written = space - stream_.avail_out;
      if (state == Z_STREAM_END) {
        end_member(is_gzip, "gzip");
        if (!done_) inflateReset(&stream_);
      } else if (state == Z_BUF_ERROR || (state == Z_OK && rest_.empty() && stream_.avail_out > 0)) {
        cut_off("gzip");
      } else if (state != Z_OK) {
        damaged("gzip", stream_.msg != nullptr ? stream_.msg : "an error");
      }
    }
    return written;
  }

 private:
  z_stream stream_{};
};

class Zstd : public Packed {
 public:
  Zstd(std::string_view bytes, std::string path, std::string_view what)
      : Packed(bytes, std::move(path), what), stream_(ZSTD_createDStream()) {
    if (stream_ == nullptr) fail("{}: '{}': not enough memory to read zstd", what_, path_);
  }
  ~Zstd() override { ZSTD_freeDStream(stream_); }

  std::size_t read(char* out, std::size_t room) override {
    ZSTD_outBuffer to{out, room, 0};
    while (to.pos == 0 && !done_) {
      ZSTD_inBuffer from{rest_.data(), rest_.size(), 0};
      const std::size_t state = ZSTD_decompressStream(stream_, &to, &from);
      rest_.remove_prefix(from.pos);
      if (ZSTD_isError(state) != 0) damaged("zstd", ZSTD_getErrorName(state));
      if (state == 0) {
        end_member(is_zstd, "zstd");
      } else if (rest_.empty() && to.pos < to.size) {
        cut_off("zstd");
      }
    }
    return to.pos;
  }

 private:
  ZSTD_DStream* stream_;
};

}  // namespace

bool is_zstd(std::string_view bytes) { return bytes.starts_with("\x28\xB5\x2F\xFD"); }

std::unique_ptr<Unpacker> make_unpacker(std::string_view bytes, std::string path, std::string_view what) {
  if (is_gzip(bytes)) return std::make_unique<Gzip>(bytes, std::move(path), what);
  if (is_zstd(bytes)) return std::make_unique<Zstd>(bytes, std::move(path), what);
  return nullptr;
}

}  // namespace pellucid::io
