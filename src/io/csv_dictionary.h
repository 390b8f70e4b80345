// The codes of a text column's distinct values.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pellucid::io {

/// Numbers texts in the order in which they first appear. The texts stand with the caller, as strings or views, and
/// hold no NUL.
class Dictionary {
 public:
  /// The code of `text`, and whether it is new. What is new must be put at the end of `levels` before the next call.
  /// Memory may be read up to `readable`: where that is far enough behind the text, it is taken up without a branch on
  /// its length.
  template <class Text>
  std::pair<std::int32_t, bool> code(std::string_view text, const std::vector<Text>& levels,
                                     const char* readable = nullptr) {
    if ((levels.size() + 1) * 2 > slots_.size()) grow();
    const Key key = key_of(text, readable);
    std::size_t slot = key.hash() & (slots_.size() - 1);
    while (slots_[slot].code >= 0) {
      const Slot& at = slots_[slot];
      if (at.key == key && (key.rest == 0 || text == levels[static_cast<std::size_t>(at.code)])) {
        return {at.code, false};
      }
      slot = (slot + 1) & (slots_.size() - 1);
    }
    const auto code = static_cast<std::int32_t>(levels.size());
    slots_[slot] = {key, code};
    return {code, true};
  }

  void clear() { std::fill(slots_.begin(), slots_.end(), Slot{}); }

 private:
  static std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
    __extension__ using Wide = unsigned __int128;
    const Wide product = static_cast<Wide>(a ^ 0x9E3779B97F4A7C15) * (b ^ 0xD6E8FEB86659FD93);
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64U);
  }

  /// The first 16 bytes of a text, with zeros behind a shorter one, which is then told by them alone: most are, and are
  /// found without a look at the text that stands elsewhere.
  struct Key {
    std::uint64_t first = 0, second = 0;
    std::uint32_t rest = 0;  // a hash of longer texts, above 0
    bool operator==(const Key&) const = default;
    std::size_t hash() const { return static_cast<std::size_t>(mix(first, second ^ rest)); }
  };
  struct Slot {
    Key key;
    std::int32_t code = -1;  // -1: free
  };

  static Key key_of(std::string_view text, const char* readable) {
    const char* p = text.data();
    const std::size_t n = text.size();
    Key key;
    if (std::endian::native == std::endian::little && readable != nullptr && readable - p >= 16) {
      const auto low = [](std::size_t bytes) { return bytes >= 8 ? ~0ULL : (1ULL << 8 * bytes) - 1; };
      std::memcpy(&key.first, p, 8);
      std::memcpy(&key.second, p + 8, 8);
      key.first &= low(n);
      key.second &= low(n > 8 ? n - 8 : 0);
    } else {
      char padded[16] = {};
      if (n > 0) std::memcpy(padded, p, std::min<std::size_t>(n, 16));
      std::memcpy(&key.first, padded, 8);
      std::memcpy(&key.second, padded + 8, 8);
    }
    if (n > 16) {
      std::uint64_t state = n;
      std::uint64_t word = 0;
      for (std::size_t at = 16; at + 8 < n; at += 8) {
        std::memcpy(&word, p + at, 8);
        state = mix(state, word);
      }
      std::memcpy(&word, p + n - 8, 8);
      key.rest = static_cast<std::uint32_t>(mix(state, word)) | 1U;
    }
    return key;
  }

  void grow() {
    std::vector<Slot> larger(std::max<std::size_t>(64, slots_.size() * 2));
    for (const Slot& slot : slots_) {
      if (slot.code < 0) continue;
      std::size_t at = slot.key.hash() & (larger.size() - 1);
      while (larger[at].code >= 0) at = (at + 1) & (larger.size() - 1);
      larger[at] = slot;
    }
    slots_ = std::move(larger);
  }

  std::vector<Slot> slots_;  // a power of two of them, at most half in use
};

}  // namespace pellucid::io
