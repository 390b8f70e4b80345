// The codes of a text column's distinct values.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pellucid::io {

/// Numbers texts in the order in which they first appear. The texts stand with the caller, as strings or views.
class Dictionary {
 public:
  /// The code of `text`, and whether it is new. What is new must be put at the end of `levels` before the next call.
  template <class Text>
  [[gnu::always_inline]] std::pair<std::int32_t, bool> code(std::string_view text, const std::vector<Text>& levels) {
    if (levels.size() >= room_) grow();
    const std::uint32_t tag = hash(text);
    Slot* const slots = slots_.data();
    std::size_t slot = tag & mask_;
    while (slots[slot].code >= 0) {
      const Slot& at = slots[slot];
      if (at.tag == tag && same(levels[static_cast<std::size_t>(at.code)], text)) return {at.code, false};
      slot = (slot + 1) & mask_;
    }
    const auto code = static_cast<std::int32_t>(levels.size());
    slots[slot] = {tag, code};
    return {code, true};
  }

  void clear() { std::fill(slots_.begin(), slots_.end(), Slot{}); }

 private:
  struct Slot {
    std::uint32_t tag = 0;
    std::int32_t code = -1;  // -1: free
  };

  // A call of memcmp costs more than comparing the few bytes that most texts have.
  static bool same(std::string_view a, std::string_view b) {
    const std::size_t n = a.size();
    if (n != b.size()) return false;
    if (n > 32) return std::memcmp(a.data(), b.data(), n) == 0;
    std::size_t at = 0;
    for (; n - at >= 8; at += 8) {
      if (word(a.data() + at, 8) != word(b.data() + at, 8)) return false;
    }
    for (; at < n; ++at) {
      if (a[at] != b[at]) return false;
    }
    return true;
  }
  static std::uint64_t word(const char* p, std::size_t size) {
    std::uint64_t value = 0;
    std::memcpy(&value, p, size);
    return value;
  }

  // Short texts are two overlapping words; longer ones are folded, eight bytes at a time.
  static std::uint32_t hash(std::string_view text) {
    constexpr std::uint64_t kFirst = 0x9E3779B97F4A7C15, kSecond = 0xD6E8FEB86659FD93;
    const auto mix = [](std::uint64_t a, std::uint64_t b) {
      __extension__ using Wide = unsigned __int128;
      const Wide product = static_cast<Wide>(a ^ kFirst) * (b ^ kSecond);
      return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64U);
    };
    const char* p = text.data();
    const std::size_t n = text.size();
    std::uint64_t state = n;
    std::size_t at = 0;
    for (; n - at > 16; at += 8) state = mix(state, word(p + at, 8));
    const std::size_t rest = n - at;
    if (rest >= 8) {
      state = mix(word(p + at, 8), word(p + n - 8, 8) ^ state);
    } else if (rest >= 4) {
      state = mix(word(p + at, 4), word(p + n - 4, 4) ^ state << 32U);
    } else if (rest > 0) {
      const auto byte = [&](std::size_t i) { return static_cast<std::uint64_t>(static_cast<unsigned char>(p[i])); };
      state = mix(byte(at) << 16U | byte(at + rest / 2) << 8U | byte(n - 1), state);
    }
    return static_cast<std::uint32_t>(state ^ state >> 32U);
  }

  [[gnu::noinline]] void grow() {
    std::vector<Slot> larger(std::max<std::size_t>(64, slots_.size() * 2));
    for (const Slot& slot : slots_) {
      if (slot.code < 0) continue;
      std::size_t at = slot.tag & (larger.size() - 1);
      while (larger[at].code >= 0) at = (at + 1) & (larger.size() - 1);
      larger[at] = slot;
    }
    slots_ = std::move(larger);
    mask_ = slots_.size() - 1;
    room_ = slots_.size() / 3;
  }

  std::vector<Slot> slots_;  // a power of two of them, at most a third in use
  std::size_t mask_ = 0, room_ = 0;
};

}  // namespace pellucid::io
