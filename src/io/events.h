// Event files for TensorBoard: scalars by step, in the format that its readers take.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

namespace pellucid::io {

/// CRC-32C as TFRecord masks it.
std::uint32_t masked_crc32c(std::string_view bytes);

/// One record of a TFRecord file: length, its checksum, the content, its checksum.
std::string tfrecord(std::string_view content);
/// An Event message (tensorflow/core/util/event.proto) that begins a file, and one of a scalar.
std::string version_event(double seconds);
std::string scalar_event(double seconds, std::int64_t step, std::string_view tag, float value);

/// Writes `folder`/events.out.tfevents.SECONDS.pellucid.PROCESS, and makes the folder where it is not there. Each
/// scalar is in the file when the call is back, so that TensorBoard shows a training while it runs.
class EventFile {
 public:
  /// Throws Error where the file cannot be written.
  explicit EventFile(const std::string& folder);
  /// Throws Error where the disk is full and the like.
  void scalar(std::string_view tag, std::int64_t step, double value);

 private:
  void write(std::string_view event);

  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::string path_;
  std::unique_ptr<std::FILE, Close> file_;
};

}  // namespace pellucid::io
