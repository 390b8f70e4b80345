// Protocol buffers and TFRecord framing, by hand.
#include "io/events.h"

#include <unistd.h>

#include <bit>
#include <cerrno>
#include <chrono>
#include <filesystem>

#include "base/crc32c.h"
#include "base/fail.h"

namespace pellucid::io {
namespace {

template <class T>
void add_fixed(std::string& text, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) text += static_cast<char>(value >> (8 * i) & 255);
}

void add_varint(std::string& text, std::uint64_t value) {
  for (; value > 127; value >>= 7) text += static_cast<char>((value & 127) | 128);
  text += static_cast<char>(value);
}

// Kinds of fields on the wire.
enum class Wire { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

void add_key(std::string& text, std::uint64_t field, Wire wire) {
  add_varint(text, field << 3 | static_cast<std::uint64_t>(wire));
}

void add_bytes(std::string& text, std::uint64_t field, std::string_view bytes) {
  add_key(text, field, Wire::kBytes);
  add_varint(text, bytes.size());
  text += bytes;
}

// Event { double wall_time = 1; int64 step = 2; string file_version = 3; Summary summary = 5; }
std::string event_at(double seconds) {
  std::string event;
  add_key(event, 1, Wire::kFixed64);
  add_fixed(event, std::bit_cast<std::uint64_t>(seconds));
  return event;
}

double now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

}  // namespace

std::uint32_t masked_crc32c(std::string_view bytes) { return std::rotr(base::crc32c(bytes), 15) + 0xA282EAD8; }

std::string tfrecord(std::string_view content) {
  std::string record;
  add_fixed(record, static_cast<std::uint64_t>(content.size()));
  add_fixed(record, masked_crc32c(record));
  record += content;
  add_fixed(record, masked_crc32c(content));
  return record;
}

std::string version_event(double seconds) {
  std::string event = event_at(seconds);
  add_bytes(event, 3, "brain.Event:2");
  return event;
}

// Summary { repeated Value value = 1; }, Value { string tag = 1; float simple_value = 2; }
std::string scalar_event(double seconds, std::int64_t step, std::string_view tag, float value) {
  std::string scalar;
  add_bytes(scalar, 1, tag);
  add_key(scalar, 2, Wire::kFixed32);
  add_fixed(scalar, std::bit_cast<std::uint32_t>(value));
  std::string summary;
  add_bytes(summary, 1, scalar);
  std::string event = event_at(seconds);
  add_key(event, 2, Wire::kVarint);
  add_varint(event, static_cast<std::uint64_t>(step));
  add_bytes(event, 5, summary);
  return event;
}

EventFile::EventFile(const std::string& folder) {
  const double started = now();
  path_ = (std::filesystem::path(folder) / base::format("events.out.tfevents.{}.pellucid.{}",
                                                        static_cast<std::int64_t>(started),
                                                        static_cast<std::int64_t>(::getpid())))
              .string();
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  file_.reset(std::fopen(path_.c_str(), "wb"));
  if (!file_) base::fail("cannot write the events '{}': {}; choose another folder", path_, base::errno_text(errno));
  write(version_event(started));
}

void EventFile::scalar(std::string_view tag, std::int64_t step, double value) {
  write(scalar_event(now(), step, tag, static_cast<float>(value)));
}

void EventFile::write(std::string_view event) {
  const std::string record = tfrecord(event);
  if (std::fwrite(record.data(), 1, record.size(), file_.get()) != record.size() || std::fflush(file_.get()) != 0) {
    base::fail("cannot write the events '{}': {}; free some space or choose another folder", path_,
               base::errno_text(errno));
  }
}

}  // namespace pellucid::io
