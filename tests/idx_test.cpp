// IDX files, plain and compressed: what other programs write is read, and every damaged one is refused.
#include "io/idx.h"

#include <gtest/gtest.h>

#include <string>

#include "pellucid/io.h"
#include "support/files.h"
#include "support/message.h"

namespace pellucid {
namespace {

io::FileBytes bytes_of(const std::string& text) {
  std::unique_ptr<char[]> data(new char[text.size()]);
  text.copy(data.get(), text.size());
  return {std::move(data), text.size()};
}

std::string refusal(const std::string& bytes) {
  return message_of([&] { io::parse_idx(bytes_of(bytes), "x"); });
}

// type, sizes, data
std::string idx(char type, const std::vector<std::uint32_t>& sizes, const std::string& data) {
  std::string bytes = {'\0', '\0', type, static_cast<char>(sizes.size())};
  for (const std::uint32_t size : sizes) {
    for (const unsigned shift : {24U, 16U, 8U, 0U}) bytes += static_cast<char>(size >> shift);
  }
  return bytes + data;
}

TEST(Idx, ReadsEveryTypePlainAndCompressed) {
  const TemporaryFolder folder;
  for (const ReferenceFile& file : reference_files("idx")) {
    expect_array(io::read_idx(folder.add("x", file.bytes)), file.arrays[""], file.name);
  }
}

TEST(Idx, RefusesEveryTruncationAndMoreData) {
  for (const ReferenceFile& file : reference_files("idx")) {
    const bool compressed = io::is_gzip(file.bytes);
    // Zeros behind the last member are no data.
    const std::size_t end = file.bytes.find_last_not_of('\0') + 1;
    for (std::size_t n = 0; n < (compressed ? end - 8 : file.bytes.size()); ++n) {
      EXPECT_NE(refusal(file.bytes.substr(0, n)), "no error") << file.name << ": " << n;
    }
    EXPECT_PRED2(contains, refusal(file.bytes + "x"),
                 compressed ? "something that is not gzip" : "what follows belongs to no array");
  }
}

TEST(Idx, SaysWhatIsWrong) {
  const auto expect = [](const std::string& bytes, const std::string& text) { EXPECT_EQ(refusal(bytes), text); };
  expect("", "read_idx: 'x' has 0 bytes, and an IDX file begins with a magic number of 4; download it again");
  expect(std::string("\x89PNG\r\n", 6),
         "read_idx: 'x' begins with 0x89504e47, and an IDX file with two zeros, type and rank; the file is no IDX file "
         "or damaged");
  expect(idx(0x0A, {1}, "x"),
         "read_idx: 'x': element type 0x0a is none of IDX's (0x08, 0x09, 0x0b to 0x0e); the file is no IDX file or "
         "damaged");
  expect(idx(0x08, {}, "x"), "read_idx: 'x' has rank 0, and 1 to 16 can be; the file is no IDX file or damaged");
  expect(idx(0x08, std::vector<std::uint32_t>(17, 1), "x"),
         "read_idx: 'x' has rank 17, and 1 to 16 can be; the file is no IDX file or damaged");
  expect(idx(0x08, {2, 3}, "").substr(0, 9),
         "read_idx: 'x' has 9 bytes, and its header of rank 2 takes 12; download it again");
  expect(idx(0x0D, {2, 3}, "12345"),
         "read_idx: 'x': sizes [2, 3] take 24 bytes of data, and there are 5; the file was cut off: download it again");
  expect(idx(0x08, {2}, "123"),
         "read_idx: 'x': sizes [2] take 2 bytes of data, and there are 3; what follows belongs to no array: remove it");
  expect(idx(0x0E, {0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF}, "x"),
         "read_idx: 'x': the sizes [4294967295, 4294967295, 4294967295] overflow; the file is no IDX file or damaged");
}

TEST(Idx, SizesBesideAZeroMakeNoHugeArray) {
  // As bytes 2^62 times nothing; as int32, what int8 becomes, 2^64 times nothing.
  const std::string bytes = idx(0x09, {0, 1U << 31, 1U << 31}, "");
  EXPECT_EQ(refusal(bytes),
            "read_idx: 'x': the sizes [0, 2147483648, 2147483648] overflow; the file is no IDX file or damaged");
}

TEST(Gzip, SaysWhatIsWrong) {
  const std::string whole = gzip(idx(0x08, {1000}, std::string(1000, 'a')));
  EXPECT_PRED2(contains, refusal(whole.substr(0, 15)),
               "read_idx: 'x': the gzip stream ends too early, after 15 bytes; the file was cut off: copy it again");
  std::string damaged = whole;
  damaged[whole.size() - 6] ^= 1;  // in the checksum
  EXPECT_PRED2(contains, refusal(damaged), "incorrect data check");
  EXPECT_PRED2(contains, refusal(damaged), "copy the file again");
  EXPECT_EQ(message_of([] { io::gunzip("text", "x", "test"); }),
            "test: 'x' does not begin as a gzip stream does; copy it again");
}

TEST(Idx, NamesWhatCannotBeOpened) {
  const TemporaryFolder folder;
  EXPECT_EQ(
      message_of([&] { io::read_idx(folder.path("none")); }),
      "read_idx: cannot open '" + folder.path("none") + "': No such file or directory; check its name and folder");
  EXPECT_EQ(message_of([&] { io::read_idx(folder.path()); }),
            "read_idx: '" + folder.path() + "' is a folder; give a file");
  // The memory of a process cannot be read at address 0.
  EXPECT_EQ(message_of([] { io::read_idx("/proc/self/mem"); }),
            "read_idx: cannot read '/proc/self/mem': Input/output error");
  EXPECT_EQ(message_of([&] { io::read_idx(std::string("a\0b", 3)); }), "read_idx: a file name cannot hold a NUL byte");
}

}  // namespace
}  // namespace pellucid
