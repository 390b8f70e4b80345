// SHA-256 (FIPS 180-4): names a file by what is in it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace pellucid::base {

class Sha256 {
 public:
  void add(std::string_view bytes);
  /// Ends the text: 64 hexadecimal digits. Called once.
  std::string hex();

 private:
  void block(const unsigned char* bytes);

  std::array<std::uint32_t, 8> state_ = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                         0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<unsigned char, 64> rest_ = {};
  std::size_t held_ = 0;     // in rest_
  std::uint64_t bytes_ = 0;  // in all
};

std::string sha256(std::string_view text);
/// Of a file's bytes. Throws Error where it cannot be read.
std::string sha256_of_file(const std::string& path);

}  // namespace pellucid::base
