// CRC-32C (Castagnoli): finds damage by chance, not by will.
#pragma once

#include <cstdint>
#include <string_view>

namespace pellucid::base {

/// As in RFC 3720, appendix B.4: 0xE3069283 for "123456789".
std::uint32_t crc32c(std::string_view bytes);

}  // namespace pellucid::base
