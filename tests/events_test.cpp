// Event files: checksums against RFC 3720, and records byte by byte.
#include "io/events.h"

#include <gtest/gtest.h>

#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "base/crc32c.h"
#include "support/files.h"
#include "support/message.h"

namespace pellucid::io {
namespace {

std::string hex(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    text += "0123456789abcdef"[static_cast<unsigned char>(c) >> 4];
    text += "0123456789abcdef"[static_cast<unsigned char>(c) & 15];
  }
  return text;
}

TEST(Crc32c, KnownTexts) {
  EXPECT_EQ(base::crc32c(""), 0U);
  EXPECT_EQ(base::crc32c("123456789"), 0xE3069283U);
  EXPECT_EQ(base::crc32c(std::string(32, '\0')), 0x8A9136AAU);
  EXPECT_EQ(base::crc32c(std::string(32, '\xFF')), 0x62A8AB43U);
}

TEST(Events, AScalarIsTheseBytes) {
  // wall_time 1.5; step 300; summary { value { tag "loss", simple_value 0.25 } }
  EXPECT_EQ(hex(scalar_event(1.5, 300, "loss", 0.25F)),
            "09000000000000f83f"
            "10ac02"
            "2a0d0a0b0a046c6f7373150000803e");
  EXPECT_EQ(hex(version_event(0)), "0900000000000000001a0d" + hex("brain.Event:2"));
}

TEST(Events, ARecordHasTwoChecksums) {
  const std::string record = tfrecord("abc");
  ASSERT_EQ(record.size(), 8U + 4 + 3 + 4);
  EXPECT_EQ(hex(record.substr(0, 8)), "0300000000000000");
  EXPECT_EQ(record.substr(12, 3), "abc");
  const auto number = [&](std::size_t at) {
    std::uint32_t value = 0;
    for (std::size_t i = 4; i-- > 0;) value = value << 8 | static_cast<unsigned char>(record[at + i]);
    return value;
  };
  EXPECT_EQ(number(8), masked_crc32c(record.substr(0, 8)));
  EXPECT_EQ(number(15), masked_crc32c("abc"));
  // The mask undone gives the checksum back.
  const std::uint32_t rotated = number(15) - 0xA282EAD8;
  EXPECT_EQ((rotated >> 17 | rotated << 15), base::crc32c("abc"));
}

TEST(Events, AFullDiskIsSaid) {
  const TemporaryFolder folder;
  EventFile file(folder.path());
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit little{.rlim_cur = 60, .rlim_max = before.rlim_max};
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &little);
  const std::string message = message_of([&] {
    for (int step = 0; step < 3; ++step) file.scalar("loss", step, 0.5);
  });
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_PRED2(contains, message, "cannot write the events '" + folder.path());
  EXPECT_PRED2(contains, message, "File too large; free some space or choose another folder");
}

TEST(Events, AFileHoldsItsRecords) {
  const std::filesystem::path folder = std::filesystem::path(::testing::TempDir()) / "events_test" / "run";
  std::filesystem::remove_all(folder.parent_path());
  {
    EventFile file(folder.string());
    file.scalar("loss", 1, 0.5);
    file.scalar("loss", 2, 0.25);
  }
  std::string bytes;
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    EXPECT_TRUE(entry.path().filename().string().starts_with("events.out.tfevents."));
    std::ifstream in(entry.path(), std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(in), {});
    ++files;
  }
  EXPECT_EQ(files, 1U);
  std::size_t records = 0;
  for (std::size_t at = 0; at + 16 <= bytes.size(); ++records) {
    const auto length = static_cast<unsigned char>(bytes[at]);
    ASSERT_EQ(tfrecord(bytes.substr(at + 12, length)), bytes.substr(at, length + 16U));
    at += length + 16U;
  }
  EXPECT_EQ(records, 3U);
  std::filesystem::remove_all(folder.parent_path());
  EXPECT_PRED2(contains, message_of([] { EventFile("/proc/no"); }), "cannot write the events '/proc/no/events.out");
}

}  // namespace
}  // namespace pellucid::io
