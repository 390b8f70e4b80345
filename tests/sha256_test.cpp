// SHA-256 against the examples of FIPS 180-4, and in parts of any size.
#include "base/sha256.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

#include "support/message.h"

namespace pellucid::base {
namespace {

TEST(Sha256, KnownTexts) {
  EXPECT_EQ(sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256(std::string(1'000'000, 'a')), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, PartsOfAnySizeAreTheWhole) {
  std::string text;
  for (int i = 0; i < 300; ++i) text += static_cast<char>(i * 7);
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    Sha256 hash;
    hash.add(std::string_view(text).substr(0, cut));
    hash.add(std::string_view(text).substr(cut));
    ASSERT_EQ(hash.hex(), sha256(text)) << cut;
  }
}

TEST(Sha256, OfAFile) {
  const std::string path = ::testing::TempDir() + "sha256_test";
  std::ofstream(path, std::ios::binary) << std::string(100'000, 'x');
  EXPECT_EQ(sha256_of_file(path), sha256(std::string(100'000, 'x')));
  std::remove(path.c_str());
  EXPECT_EQ(message_of([&] { sha256_of_file(path); }), "cannot read '" + path + "': No such file or directory");
}

}  // namespace
}  // namespace pellucid::base
